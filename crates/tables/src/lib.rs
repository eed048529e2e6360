//! Tables as people save them: CSV from Excel and LibreOffice in Romanian, Russian and English, and
//! XLSX. Bytes in, cells out; no I/O and no clock.
//!
//! Two rules decide everything. A cell that can be read in one way only is read, however it is written:
//! `1 250,50`, `31.12.2026`, `ADEVĂRAT`. A cell that a spreadsheet may have damaged is refused with the
//! reason: `1.00012E+11` as a key, `#REF!`, `12/31/2026`.
//!
//! Read in this order: [`kind`](FileKind) (the kind of a file), `encoding` and `csv`, or `zip` and
//! `xlsx`; `table` (the row that names the columns, and the rows of totals); `cell` and its readers
//! `amount`, `date`, `identifier`; and the other way, `sheet`.
//!
//! ```
//! use tables::{Options, Table};
//!
//! let table = Table::read(b"sep=;\r\nKey;Sum\r\nA-1;1 250,50\r\n", &Options::with_columns(&["key", "sum"]))?;
//! let row = table.rows().next().unwrap();
//! assert_eq!(row.number(), 2);
//! assert_eq!(row.cell("KEY").identifier()?.as_deref(), Some("A-1"));
//! assert_eq!(row.cell("sum").amount()?.unwrap().to_string(), "1250.50");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]
#![forbid(unsafe_code)]

mod amount;
mod calendar;
mod cell;
mod columns;
mod csv;
mod date;
mod encoding;
mod error;
mod guard;
mod identifier;
mod kind;
mod limits;
mod sheet;
mod table;
mod xlsx;
mod zip;

pub use amount::Amount;
pub use cell::{Cell, Moment, Number};
pub use csv::Separator;
pub use encoding::Encoding;
pub use error::{CellError, TableError};
pub use kind::FileKind;
pub use limits::{Limits, MAX_CELLS, MAX_TEXT, MAX_UNPACKED};
pub use sheet::{Format, Sheet, Value};
pub use table::{Column, Meaning, Options, Row, RowKind, Source, Table};
pub use zip::{archive, compressed_archive};

/// The most cells of one row.
pub const MAX_COLUMNS: usize = 1000;
/// The number of rows among which the one that names the columns is looked for.
pub const MAX_HEADER_ROW: usize = 100;
