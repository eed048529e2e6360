//! Tables for spreadsheets and programs: CSV (RFC 4180) in UTF-8.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{Problem, file};

/// What programs put before UTF-8 by which to know it.
pub(super) const BYTE_ORDER_MARK: &str = "\u{FEFF}";

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
    rows: Vec<Record>,
}

/// A row as it is read.
struct Record {
    number: usize,
    cells: Vec<String>,
}

impl Sheet {
    /// Reads a table whose first row that is not empty names the columns. Cells are separated by
    /// commas, or as in that row by semicolons or tabs.
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
        let head = text
            .lines()
            .find(|line| !line.is_empty())
            .unwrap_or_default();
        let separator = [b',', b';', b'\t']
            .into_iter()
            .max_by_key(|separator| {
                let count = head.bytes().filter(|byte| byte == separator).count();
                // The first of equals.
                (count, *separator == b',')
            })
            .unwrap_or(b',');
        let records = records(text, separator).map_err(wrong)?;
        let mut rows = records.into_iter();
        let Some(columns) = rows.next() else {
            return Err(wrong(
                "The table is empty: its first row names the columns.".to_owned(),
            ));
        };
        let columns = columns.cells.iter();
        let columns = columns.map(|name| name.trim().to_owned()).collect();
        Ok(Self {
            columns,
            rows: rows.collect(),
        })
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows below that of the columns that are not empty, each with its number as spreadsheets
    /// show it: from 1, empty lines too, and a row whose cells have line breaks once.
    pub fn rows(&self) -> impl Iterator<Item = (usize, Row<'_>)> {
        let not_empty = |record: &&Record| record.cells.iter().any(|cell| !cell.trim().is_empty());
        let rows = self.rows.iter().filter(not_empty);
        rows.map(|Record { number, cells }| (*number, Row { sheet: self, cells }))
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

    /// The cells with the names of their columns, but for those that are empty.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &str)> {
        let cells = self.sheet.columns.iter().zip(self.cells);
        let cells = cells.map(|(column, cell)| (column.as_str(), cell.trim()));
        cells.filter(|(_, cell)| !cell.is_empty())
    }

    /// Whether the row has more cells than the table has columns.
    pub fn is_too_long(&self) -> bool {
        let beyond = self.cells.iter().skip(self.sheet.columns.len());
        beyond.into_iter().any(|cell| !cell.trim().is_empty())
    }
}

/// A line after the last of a table: where it is no row of its own, a quotation mark was not closed.
const END: &str = "\u{4}";

/// The rows of a table.
fn records(text: &str, separator: u8) -> Result<Vec<Record>, String> {
    /// Cells of one row.
    const MAX: usize = 1000;
    let text = format!("{text}\n{END}\n");
    let text = text.as_bytes();
    let mut reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
    let (mut output, mut ends) = (vec![0; text.len()], [0; MAX]);
    let (mut read, mut written, mut cells) = (0, 0, 0);
    let mut records: Vec<Record> = Vec::new();
    let mut number = 0;
    loop {
        if (written, cells) == (0, 0) {
            let (empty, from) = skip_empty_lines(text, read);
            (read, number) = (from, number + empty + 1);
        }
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
                if record == [END] && read == text.len() {
                    return Ok(records);
                }
                records.push(Record {
                    number,
                    cells: record,
                });
                (written, cells) = (0, 0);
            }
            csv_core::ReadRecordResult::End => {
                let row = records.last().map_or(1, |record| record.number);
                return Err(format!(
                    "Row {row} of the table has a cell that begins with a quotation mark and does not end with one."
                ));
            }
            csv_core::ReadRecordResult::OutputFull | csv_core::ReadRecordResult::OutputEndsFull => {
                return Err(format!(
                    "Row {number} of the table has more than {MAX} cells."
                ));
            }
        }
    }
}

/// How many empty lines there are at this position, where a row begins, and where they end. The
/// reader passes them by and does not say how many.
fn skip_empty_lines(text: &[u8], mut position: usize) -> (usize, usize) {
    let at = |position: usize| text.get(position).copied();
    // The reader is done with a row at the first of CR LF.
    if at(position) == Some(b'\n') && position.checked_sub(1).and_then(at) == Some(b'\r') {
        position += 1;
    }
    let mut lines = 0;
    loop {
        position += match (at(position), at(position + 1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\r' | b'\n'), _) => 1,
            _ => return (lines, position),
        };
        lines += 1;
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
        for (text, said) in [
            (&b""[..], "The table is empty"),
            (b"\r\n\n", "The table is empty"),
            (b"a\n\xff", "not UTF-8 at byte 2"),
        ] {
            assert!(wrong(text).contains(said), "{text:?}");
        }
    }

    fn wrong(text: &[u8]) -> String {
        Sheet::read(text).err().unwrap().into_parts().0
    }

    fn numbers(text: &str) -> Vec<(usize, String)> {
        let sheet = Sheet::read(text.as_bytes()).unwrap();
        let rows = sheet.rows();
        let named = rows.map(|(number, row)| (number, row.get("a").unwrap_or_default().to_owned()));
        named.collect()
    }

    #[test]
    fn rows_have_the_numbers_that_a_spreadsheet_shows() {
        let expected = [(4, "x"), (6, "y\nz"), (7, "w"), (10, "v")];
        let expected = expected.map(|(number, cell)| (number, cell.to_owned()));
        // Empty lines count, also before the columns, and those of nothing but separators or spaces.
        let text = "\na,b\n,\nx,\n\n\"y\nz\",\nw\n  \n\nv";
        for end in ["\n", "\r\n", "\r"] {
            let text = text
                .replace("y\nz", "|")
                .replace('\n', end)
                .replace('|', "y\nz");
            assert_eq!(numbers(&text), expected, "{text:?}");
            assert_eq!(numbers(&format!("{text}{end}{end}")), expected, "{text:?}");
        }
    }

    #[test]
    fn a_quotation_mark_that_is_not_closed_does_not_swallow_the_rest() {
        for text in ["a\n1\n\n\"2\n3\n4", "a\n1\n\n\"2", "a\n1\r\n\n\"2\"\"\n"] {
            assert!(wrong(text.as_bytes()).starts_with("Row 4 "), "{text:?}");
        }
        assert!(wrong(b"\"a").starts_with("Row 1 "));
        let in_the_middle = numbers("a\n1\n\u{4}\n2\n\u{4}");
        assert_eq!(in_the_middle.len(), 4, "{in_the_middle:?}");
        for text in [
            "a\n\"1\"",
            "a\n5\" pipe\n",
            "a\n\"x\"\"\n\"\n",
            "a\n\"\"\"\"",
        ] {
            assert_eq!(numbers(text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_row_has_a_thousand_cells_at_most() {
        let row = |cells: usize| vec!["x"; cells].join(",");
        assert_eq!(numbers(&format!("a\n{}", row(1000))), [(2, "x".to_owned())]);
        let said = wrong(format!("a\n\n{}", row(1001)).as_bytes());
        assert_eq!(said, "Row 3 of the table has more than 1000 cells.");
    }

    #[test]
    fn a_row_is_too_long_only_by_what_is_in_it() {
        let sheet = Sheet::read(b"a,b\n1,2, ,\n1,2,,3\n1\n").unwrap();
        let long: Vec<_> = sheet.rows().map(|(_, row)| row.is_too_long()).collect();
        assert_eq!(long, [false, true, false]);
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let cells = ["", "a,b", "a;b", "a\tb", "\"", "a\r\nb", "=1", " x ", "ș"];
        for separator in [',', ';', '\t'] {
            let columns = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
            let mut sheet = SheetWriter::new(separator, &columns);
            sheet.row(&cells);
            let response = sheet.into_response("x.csv").unwrap();
            let head = response.headers();
            assert_eq!(head["content-type"], "text/csv; charset=utf-8");
            assert_eq!(
                head["content-disposition"],
                "attachment; filename=\"x.csv\""
            );
            let body = response.into_body();
            assert!(body.starts_with(b"\xEF\xBB\xBF1") && body.ends_with(b"\r\n"));
            // Whatever a spreadsheet takes for the separator.
            for cell in ["\"a,b\"", "\"a;b\"", "\"a\tb\""] {
                assert!(
                    body.windows(cell.len()).any(|part| part == cell.as_bytes()),
                    "{cell}"
                );
            }
            let sheet = Sheet::read(&body).unwrap();
            let (_, row) = sheet.rows().next().unwrap();
            let read = columns.map(|column| row.get(column).unwrap_or_default());
            assert_eq!(read, cells.map(str::trim), "{separator:?}");
        }
    }
}
