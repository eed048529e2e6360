//! Text to rows (RFC 4180, and the variants that programs write).

use crate::{MAX_COLUMNS, TableError};

/// The separator of two cells of a CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `,`, and a point in amounts.
    Comma,
    /// `;`, and a comma in amounts, as spreadsheets in Romanian or Russian expect.
    Semicolon,
    /// A tab, and a point in amounts.
    Tab,
}

impl Separator {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }
}

/// The beginning of the line that tells Excel the separator.
const SEPARATOR_LINE: &str = "sep=";

/// The separator that a first line `sep=;` names, and the text behind that line.
pub(crate) fn separator_line(text: &str) -> Option<(Separator, &str)> {
    let (line, rest) = text.split_once(['\r', '\n'])?;
    let line = line.trim_matches('"').trim_start();
    let (name, separator) = line.split_at_checked(SEPARATOR_LINE.len())?;
    if !name.eq_ignore_ascii_case(SEPARATOR_LINE) {
        return None;
    }
    // A tab may be the separator, so it is not white space here.
    let separator = match separator.trim_matches([' ', '"']) {
        ";" => Separator::Semicolon,
        "," => Separator::Comma,
        "\t" => Separator::Tab,
        _ => return None,
    };
    Some((separator, rest.strip_prefix('\n').unwrap_or(rest)))
}

/// The rows of a text, one after the other.
pub(crate) struct Rows<'a> {
    text: &'a str,
    separator: u8,
    position: usize,
    row: usize,
    /// The next separator or end of a line, as found the last time: by it a quotation mark in the
    /// middle of a cell is told from one at its end, without reading anything twice.
    boundary: Option<Boundary>,
}

#[derive(Clone, Copy)]
struct Boundary {
    /// The position from which it was looked for.
    from: usize,
    at: usize,
    is_behind_quotation_mark: bool,
}

impl<'a> Rows<'a> {
    pub fn new(text: &'a str, separator: Separator) -> Self {
        Self {
            text,
            separator: separator.byte(),
            position: 0,
            row: 0,
            boundary: None,
        }
    }

    fn at(&self, position: usize) -> Option<u8> {
        self.text.as_bytes().get(position).copied()
    }

    fn is_boundary(&self, byte: Option<u8>) -> bool {
        byte.is_none_or(|byte| matches!(byte, b'\r' | b'\n') || byte == self.separator)
    }

    /// Reads the cell at the position, and goes behind it.
    fn cell(&mut self) -> Result<String, TableError> {
        let start = self.position;
        if self.at(start) == Some(b'"')
            && let Some(cell) = self.quoted_cell(start)?
        {
            return Ok(cell);
        }
        let mut end = start;
        while !self.is_boundary(self.at(end)) {
            end += 1;
        }
        self.position = end;
        Ok(self.text.get(start..end).unwrap_or_default().to_owned())
    }

    /// The cell whose opening quotation mark is at `start`; `None` where that mark opens nothing: in
    /// `"Alfa" SRL` it is a part of the name.
    fn quoted_cell(&mut self, start: usize) -> Result<Option<String>, TableError> {
        let mut cell = String::new();
        let mut from = start + 1;
        let mut is_doubled = true;
        loop {
            let rest = self.text.get(from..).unwrap_or_default();
            let Some(length) = rest.find('"') else {
                return Err(TableError::OpenQuotation { row: self.row });
            };
            cell.push_str(rest.get(..length).unwrap_or_default());
            let mark = from + length;
            if self.at(mark + 1) == Some(b'"') {
                cell.push('"');
                from = mark + 2;
                // `"SRL "Alfa""`: where a mark was not doubled, two at the end are two.
                if !is_doubled && self.is_boundary(self.at(from)) {
                    self.position = from;
                    return Ok(Some(cell));
                }
            } else if self.is_boundary(self.at(mark + 1)) {
                self.position = mark + 1;
                return Ok(Some(cell));
            } else if self.closes_behind(mark + 1) {
                // `"Popa "Ion" SRL"`: somebody has not doubled the marks inside.
                cell.push('"');
                from = mark + 1;
                is_doubled = false;
            } else {
                return Ok(None);
            }
        }
    }

    /// True if the next separator or end of a line from here has a quotation mark before it.
    fn closes_behind(&mut self, from: usize) -> bool {
        if let Some(boundary) = self.boundary
            && (boundary.from..=boundary.at).contains(&from)
        {
            return boundary.is_behind_quotation_mark;
        }
        let mut at = from;
        while !self.is_boundary(self.at(at)) {
            at += 1;
        }
        let before = at.checked_sub(1).filter(|before| *before >= from);
        let boundary = Boundary {
            from,
            at,
            is_behind_quotation_mark: before.and_then(|before| self.at(before)) == Some(b'"'),
        };
        self.boundary = Some(boundary);
        boundary.is_behind_quotation_mark
    }
}

impl Iterator for Rows<'_> {
    /// The number of a row as spreadsheets show it (from 1, empty lines too, and a row whose cells
    /// have line breaks once), and its cells.
    type Item = Result<(usize, Vec<String>), TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.at(self.position)?;
        self.row += 1;
        let mut cells = Vec::new();
        loop {
            let cell = match self.cell() {
                Ok(_) if cells.len() >= MAX_COLUMNS => {
                    Err(TableError::RowTooLong { row: self.row })
                }
                cell => cell,
            };
            match cell {
                Ok(cell) => cells.push(cell),
                Err(error) => {
                    self.position = self.text.len();
                    return Some(Err(error));
                }
            }
            match self.at(self.position) {
                Some(byte) if byte == self.separator => self.position += 1,
                Some(b'\r') if self.at(self.position + 1) == Some(b'\n') => {
                    self.position += 2;
                    break;
                }
                Some(_) => {
                    self.position += 1;
                    break;
                }
                None => break,
            }
        }
        Some(Ok((self.row, cells)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
        let rows: Result<_, _> = Rows::new(text, Separator::Semicolon).collect();
        rows.unwrap()
    }

    fn cells(text: &str) -> Vec<String> {
        let rows = rows(text);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.into_iter().next().unwrap().1
    }

    #[test]
    fn cells_are_read_however_their_quotation_marks_stand() {
        for (text, expected) in [
            ("a;b", &["a", "b"][..]),
            ("a;", &["a", ""]),
            ("\"a;b\";c", &["a;b", "c"]),
            ("\"a\"\"b\";c", &["a\"b", "c"]),
            ("\"a\r\nb\";c", &["a\r\nb", "c"]),
            ("\"\";\"\"\"\"", &["", "\""]),
            // As people and careless programs write them.
            ("5\" pipe;SRL \"Alfa\"", &["5\" pipe", "SRL \"Alfa\""]),
            ("\"Alfa\" SRL;\"b\"", &["\"Alfa\" SRL", "b"]),
            ("\"Popa \"Ion\" SRL\";c", &["Popa \"Ion\" SRL", "c"]),
            ("\"SRL \"Alfa\"\";c", &["SRL \"Alfa\"", "c"]),
        ] {
            assert_eq!(cells(text), expected, "{text}");
        }
    }

    #[test]
    fn rows_have_the_numbers_that_a_spreadsheet_shows() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "\na;b\n\n\"y|z\";\nw\n"
                .replace('\n', end)
                .replace('|', "\n");
            let read = rows(&text);
            let numbers: Vec<_> = read.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, [1, 2, 3, 4, 5]);
            assert_eq!(read[3].1, ["y\nz", ""]);
            assert_eq!(read[4].1, ["w"]);
        }
    }

    #[test]
    fn a_quotation_mark_that_is_not_closed_does_not_swallow_the_rest() {
        for text in ["a\n1\n\n\"2\n3\n4", "a\n1\n\n\"2", "a\n1\r\n\n\"2\"\"\n"] {
            let error = Rows::new(text, Separator::Comma).find_map(Result::err);
            assert_eq!(
                error,
                Some(TableError::OpenQuotation { row: 4 }),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_row_has_a_thousand_cells_at_most() {
        for (count, fits) in [(1000, true), (1001, false)] {
            let text = format!("\n{}", vec!["x"; count].join(";"));
            let error = Rows::new(&text, Separator::Semicolon).find_map(Result::err);
            let expected = (!fits).then_some(TableError::RowTooLong { row: 2 });
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn the_line_of_the_separator_is_read() {
        for (text, separator, rest) in [
            ("sep=;\r\na", Separator::Semicolon, "a"),
            ("SEP=,\na", Separator::Comma, "a"),
            ("sep=\t\ra", Separator::Tab, "a"),
            ("\"sep=;\"\n", Separator::Semicolon, ""),
        ] {
            assert_eq!(separator_line(text), Some((separator, rest)), "{text:?}");
        }
        for text in ["sep=|\na", "separator;a\n", "sep=;", "", "së=;\n"] {
            assert_eq!(separator_line(text), None, "{text:?}");
        }
    }

    #[test]
    fn quotation_marks_without_end_take_no_time_that_grows_by_the_square() {
        let text = "\"a".repeat(500_000);
        assert!(Rows::new(&text, Separator::Comma).count() <= 1);
        let text = "\"a\"b".repeat(250_000);
        assert!(Rows::new(&text, Separator::Comma).count() <= 1);
        let text = "\"a\"b;\n".repeat(100_000);
        assert_eq!(Rows::new(&text, Separator::Comma).count(), 100_000);
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_as_it_was(table in prop::collection::vec(
            prop::collection::vec("[a\";,\r\n \tș=]{0,6}", 1..5), 1..5))
        {
            let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let lines = table.iter().map(|row| {
                let row: Vec<_> = row.iter().map(quoted).collect();
                row.join(";")
            });
            let text = lines.collect::<Vec<_>>().join("\r\n");
            let read: Vec<_> = rows(&text).into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(read, table);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a\";\r\n]{0,40}") {
            let count = Rows::new(&text, Separator::Semicolon).count();
            prop_assert!(count <= text.len());
        }
    }
}
