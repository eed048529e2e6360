//! Files of tables: how they are read, and in which formats they are written.

use std::path::Path;

use anyhow::bail;
use clap::ValueEnum;
use tables::{Encoding, Limits, Options, Table};

/// Files of one's own are as large as they are.
const LIMITS: Limits = Limits {
    cells: usize::MAX,
    text: usize::MAX,
    unpacked: usize::MAX,
};

/// Reads a table of any size that has these columns.
///
/// # Errors
/// If the file is something else, or is wrong as a table; with what it is, and what is wrong.
pub fn read_table(
    bytes: &[u8],
    columns: &[&str],
    encoding: Option<Encoding>,
) -> anyhow::Result<Table> {
    let options = Options {
        columns,
        encoding,
        limits: LIMITS,
        ..Options::default()
    };
    Ok(Table::read(bytes, &options)?)
}

/// Reads `--encoding`.
///
/// # Errors
/// If there is none of this name.
pub fn encoding(name: &str) -> Result<Encoding, String> {
    Encoding::parse(name).map_err(|_| format!("must be {}", Encoding::NAMES))
}

/// The formats of tables, and of what is one a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// CSV in UTF-8.
    Csv,
    /// A workbook.
    Xlsx,
    /// JSON, a document a line.
    Ndjson,
}

impl FileFormat {
    /// The format that a file's name tells.
    ///
    /// # Errors
    /// If it tells none.
    pub fn of(file: &Path) -> anyhow::Result<FileFormat> {
        let extension = file.extension().and_then(|extension| extension.to_str());
        Ok(match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => FileFormat::Csv,
            Some("xlsx") => FileFormat::Xlsx,
            Some("ndjson" | "jsonl") => FileFormat::Ndjson,
            _ => bail!("{} must end with .csv, .xlsx or .ndjson", file.display()),
        })
    }

    /// The word that the API has for it.
    pub fn word(self) -> &'static str {
        match self {
            FileFormat::Csv => "csv",
            FileFormat::Xlsx => "xlsx",
            FileFormat::Ndjson => "ndjson",
        }
    }
}
