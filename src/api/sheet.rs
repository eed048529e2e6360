//! Tables for spreadsheets and programs: CSV (RFC 4180) in UTF-8.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{Problem, file};

const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// A table being written: with a byte order mark, by which Excel knows UTF-8, and CR LF.
pub(super) struct SheetWriter {
    text: String,
    separator: char,
}

impl SheetWriter {
    /// A table with these columns, whose cells `separator` separates.
    pub fn new(separator: char, columns: &[&str]) -> Self {
        let mut sheet = Self {
            text: BYTE_ORDER_MARK.to_owned(),
            separator,
        };
        sheet.row(columns);
        sheet
    }

    /// Adds a row.
    pub fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        for (position, cell) in cells.iter().enumerate() {
            if position > 0 {
                self.text.push(self.separator);
            }
            let cell = guarded(cell.as_ref());
            if cell.contains(['"', '\r', '\n', ',', ';', '\t']) {
                self.text.push('"');
                self.text.push_str(&cell.replace('"', "\"\""));
                self.text.push('"');
            } else {
                self.text.push_str(&cell);
            }
        }
        self.text.push_str("\r\n");
    }

    /// The answer: a file of this name.
    pub fn into_response(self, name: &str) -> Result<Response<Bytes>, Problem> {
        file("text/csv; charset=utf-8", name, self.text.into_bytes())
    }
}

/// A table that a caller sent.
pub(super) struct Sheet {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// Reads a table whose first row names the columns. Cells are separated by commas, or as in
    /// that row by semicolons or tabs.
    ///
    /// # Errors
    /// What is wrong with it as a table, by its row.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
        let text = std::str::from_utf8(body).map_err(|error| {
            wrong(format!(
                "The table is not UTF-8 at byte {}; save it as \"CSV UTF-8\".",
                error.valid_up_to()
            ))
        })?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let head = text.lines().next().unwrap_or_default();
        let separator = [b',', b';', b'\t']
            .into_iter()
            .max_by_key(|separator| {
                let count = head.bytes().filter(|byte| byte == separator).count();
                // The first of equals.
                (count, *separator == b',')
            })
            .unwrap_or(b',');
        let records = records(text.as_bytes(), separator).map_err(wrong)?;
        let mut rows = records.into_iter();
        let Some(columns) = rows.next() else {
            return Err(wrong(
                "The table is empty: its first row names the columns.".to_owned(),
            ));
        };
        let columns: Vec<_> = columns.iter().map(|name| name.trim().to_owned()).collect();
        Ok(Self {
            columns,
            rows: rows.collect(),
        })
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows below the first that are not empty, each with its number, as spreadsheets count.
    pub fn rows(&self) -> impl Iterator<Item = (usize, Row<'_>)> {
        let rows = self.rows.iter().enumerate();
        let rows = rows.filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty()));
        rows.map(|(position, cells)| (position + 2, Row { sheet: self, cells }))
    }
}

/// A row of a [`Sheet`].
pub(super) struct Row<'a> {
    sheet: &'a Sheet,
    cells: &'a [String],
}

impl Row<'_> {
    /// The cell of a column; `None` if it is empty.
    pub fn get(&self, column: &str) -> Option<&str> {
        let position = self.sheet.columns.iter().position(|name| name == column)?;
        let cell = self.cells.get(position)?.trim();
        (!cell.is_empty()).then_some(cell)
    }

    /// Whether the row has more cells than the table has columns.
    pub fn is_too_long(&self) -> bool {
        let beyond = self.cells.iter().skip(self.sheet.columns.len());
        beyond.into_iter().any(|cell| !cell.trim().is_empty())
    }
}

/// The cells of a table, row by row.
fn records(text: &[u8], separator: u8) -> Result<Vec<Vec<String>>, String> {
    /// Cells of one row.
    const MAX: usize = 1000;
    let mut reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
    let (mut output, mut ends) = (vec![0; text.len()], [0; MAX]);
    let (mut read, mut written, mut cells) = (0, 0, 0);
    let mut records = Vec::new();
    loop {
        let (result, taken, given, ended) = reader.read_record(
            text.get(read..).unwrap_or_default(),
            output.get_mut(written..).unwrap_or_default(),
            ends.get_mut(cells..).unwrap_or_default(),
        );
        (read, written, cells) = (read + taken, written + given, cells + ended);
        match result {
            csv_core::ReadRecordResult::InputEmpty => {}
            csv_core::ReadRecordResult::Record => {
                let mut start = 0;
                let mut record = Vec::with_capacity(cells);
                for end in ends.iter().take(cells) {
                    let cell = output.get(start..*end).unwrap_or_default();
                    record.push(unguarded(&String::from_utf8_lossy(cell)));
                    start = *end;
                }
                records.push(record);
                (written, cells) = (0, 0);
            }
            csv_core::ReadRecordResult::End => return Ok(records),
            csv_core::ReadRecordResult::OutputFull | csv_core::ReadRecordResult::OutputEndsFull => {
                let row = records.len() + 1;
                return Err(format!("Row {row} of the table has more than {MAX} cells."));
            }
        }
    }
}

/// A cell that no spreadsheet takes for a formula (OWASP, "CSV Injection"): an apostrophe goes
/// before what could begin one, and before an apostrophe, so that it can be taken away again.
fn guarded(cell: &str) -> String {
    if cell.starts_with(DANGEROUS) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// The cell that [`guarded`] was given.
fn unguarded(cell: &str) -> String {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(DANGEROUS) => rest.to_owned(),
        _ => cell.to_owned(),
    }
}

const DANGEROUS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_comes_back_as_it_was() {
        for cell in [
            "=1+1", "+373", "-1", "@x", "\tx", "\rx", "'x", "'=x", "''=x", "'",
        ] {
            let written = guarded(cell);
            assert!(written.starts_with('\''), "{cell:?}");
            assert_eq!(unguarded(&written), cell);
        }
        for cell in ["", "1", "a=b", "Ștefan"] {
            assert_eq!(
                (guarded(cell), unguarded(cell)),
                (cell.to_owned(), cell.to_owned())
            );
        }
        // What people type.
        assert_eq!(unguarded("'tis"), "'tis");
    }

    #[test]
    fn a_table_is_read_whatever_separates_its_cells() {
        for separator in [",", ";", "\t"] {
            let text = "\u{FEFF}a|b|c\r\n1|\"x, y; z\"|\r\n2|'=1\r\n".replace('|', separator);
            let sheet = Sheet::read(text.as_bytes()).unwrap();
            assert_eq!(sheet.columns(), ["a", "b", "c"]);
            let rows: Vec<_> = sheet.rows().collect();
            assert_eq!((rows.len(), rows[0].0, rows[1].0), (2, 2, 3));
            assert_eq!(rows[0].1.get("b"), Some("x, y; z"), "{separator:?}");
            assert_eq!((rows[0].1.get("c"), rows[0].1.get("d")), (None, None));
            assert_eq!((rows[1].1.get("b"), rows[1].1.get("c")), (Some("=1"), None));
        }
        assert!(Sheet::read(b"").is_err());
        assert!(Sheet::read(b"a\n\xff").is_err());
    }
}
