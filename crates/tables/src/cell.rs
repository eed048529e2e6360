use std::borrow::Cow;

use crate::{CellError, calendar::Civil, guard};

/// A cell of a table. Its meaning depends on its column: see the methods, each of which gives `None` for
/// an empty cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing, or nothing but white space.
    Empty,
    /// The text between two separators of a CSV, where nothing tells a text from a number.
    Written(String),
    /// A text of a workbook.
    Text(String),
    /// A number of a workbook.
    Number(Number),
    /// A date of a workbook.
    Date(Moment),
    /// TRUE or FALSE of a workbook.
    Flag(bool),
    /// An error value of a workbook, such as `#REF!`.
    Error(String),
}

/// A number of a workbook, which is a binary fraction of about 15 digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    pub(crate) value: f64,
    /// True if the workbook itself has it in scientific notation.
    pub(crate) is_scientific: bool,
    /// The least number of digits that the cell's format shows, as `000000` does.
    pub(crate) shown_digits: usize,
}

impl Number {
    /// The number as spreadsheets show it: the shortest decimal that has the same 15 digits.
    pub(crate) fn plain(self) -> String {
        // Beyond these a spreadsheet keeps noise: 4.35 is stored as 4.3499999999999996.
        let rounded = format!("{:.14e}", self.value).parse().unwrap_or(self.value);
        format!("{rounded}")
    }
}

/// A date of a workbook, with a time or without one, in the local time of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub(crate) at: Civil,
    /// True if it is a day, of which the cell shows no time.
    pub(crate) is_day: bool,
}

impl Moment {
    /// A day, or a time of it.
    pub(crate) fn new(at: Civil, shows_time: bool) -> Self {
        Self {
            at,
            is_day: !shows_time || at.is_midnight(),
        }
    }

    /// `2026-12-31`, or `2026-12-31T23:59:00`.
    pub(crate) fn iso(self) -> String {
        if self.is_day {
            self.at.day()
        } else {
            self.at.to_string()
        }
    }
}

impl Cell {
    /// A cell of a CSV.
    pub(crate) fn written(text: String) -> Self {
        if trimmed(&text).is_empty() {
            Self::Empty
        } else {
            Self::Written(text)
        }
    }

    /// A text of a workbook.
    pub(crate) fn of_text(text: String) -> Self {
        if trimmed(&text).is_empty() {
            Self::Empty
        } else {
            Self::Text(text)
        }
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The text that people see for any cell, on one line: for messages, and to find a column's name.
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => "".into(),
            Self::Written(text) | Self::Text(text) => one_line(text),
            Self::Number(number) => number.plain().into(),
            Self::Date(moment) => moment.iso().into(),
            Self::Flag(true) => "TRUE".into(),
            Self::Flag(false) => "FALSE".into(),
            Self::Error(error) => error.as_str().into(),
        }
    }

    /// A text for people, on one line: a line break is a space. A number, a date and TRUE read as people
    /// see them.
    ///
    /// # Errors
    /// [`CellError::SpreadsheetError`] and [`CellError::TooNarrow`].
    pub fn text(&self) -> Result<Option<String>, CellError> {
        self.checked()?;
        Ok(match self {
            Self::Empty => None,
            Self::Written(text) | Self::Text(text) => {
                let text = trimmed_start(text);
                // Text behind an apostrophe may be white space, and is no error value of Excel.
                let text = match guard::unguarded(text) {
                    unguarded if unguarded.len() < text.len() => unguarded,
                    text => unwrapped(trimmed(text)),
                };
                let text = one_line(text);
                (!text.is_empty()).then(|| text.into_owned())
            }
            _ => Some(self.shown().into_owned()),
        })
    }

    /// TRUE or FALSE, in Romanian, Russian and English, or 1 or 0.
    ///
    /// # Errors
    /// [`CellError::NotAFlag`], and those of [`Cell::text`].
    pub fn flag(&self) -> Result<Option<bool>, CellError> {
        const WORDS: [(&[&str], bool); 2] = [
            (
                &[
                    "true",
                    "adevărat",
                    "adevarat",
                    "истина",
                    "da",
                    "да",
                    "yes",
                    "1",
                ],
                true,
            ),
            (&["false", "fals", "ложь", "nu", "нет", "no", "0"], false),
        ];
        if let Self::Flag(flag) = self {
            return Ok(Some(*flag));
        }
        let Some(text) = self.text()? else {
            return Ok(None);
        };
        let text = text.to_lowercase();
        let found = WORDS
            .iter()
            .find(|(words, _)| words.contains(&text.as_str()));
        found
            .map(|(_, flag)| Some(*flag))
            .ok_or(CellError::NotAFlag)
    }

    /// Refuses the texts that a spreadsheet shows instead of a value.
    pub(crate) fn checked(&self) -> Result<(), CellError> {
        /// Excel's in English, Romanian and Russian.
        const ERRORS: [&str; 18] = [
            "#REF!",
            "#N/A",
            "#VALUE!",
            "#NAME?",
            "#DIV/0!",
            "#NUM!",
            "#NULL!",
            "#SPILL!",
            "#CALC!",
            "#GETTING_DATA",
            "#VALOARE!",
            "#NUME?",
            "#ССЫЛКА!",
            "#Н/Д",
            "#ЗНАЧ!",
            "#ИМЯ?",
            "#ДЕЛ/0!",
            "#ЧИСЛО!",
        ];
        let text = match self {
            Self::Error(error) => return Err(CellError::SpreadsheetError(error.clone())),
            Self::Written(text) | Self::Text(text) => trimmed(text),
            _ => return Ok(()),
        };
        let is_hashes = text.len() > 2 && text.bytes().all(|byte| byte == b'#');
        if is_hashes {
            return Err(CellError::TooNarrow);
        }
        // LibreOffice has numbers for some of its errors.
        let numbered = text.strip_prefix("Err:");
        let numbered = numbered.is_some_and(|code| code.len() == 3 && is_digits(code));
        if ERRORS.contains(&text) || numbered {
            return Err(CellError::SpreadsheetError(text.to_owned()));
        }
        Ok(())
    }
}

/// A text without white space and marks around it.
pub(crate) fn trimmed(text: &str) -> &str {
    trimmed_start(text).trim_end_matches(is_blank)
}

fn trimmed_start(text: &str) -> &str {
    text.trim_start_matches(is_blank)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{200B}')
}

/// A text on one line, without white space around it: a line break, with the white space around it, is
/// one space.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let text = trimmed(text);
    if !text.contains(is_break) {
        return text.into();
    }
    let lines = text.split(is_break).map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    lines.join(" ").into()
}

fn is_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\t' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// The text of `="0012"`, by which people keep Excel from making a number of it.
pub(crate) fn unwrapped(text: &str) -> &str {
    let inner = text
        .strip_prefix("=\"")
        .and_then(|text| text.strip_suffix('"'));
    inner.filter(|text| !text.contains('"')).unwrap_or(text)
}

pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub fn written(text: &str) -> Cell {
        Cell::written(text.to_owned())
    }

    pub fn number(value: f64) -> Cell {
        Cell::Number(Number {
            value,
            is_scientific: false,
            shown_digits: 0,
        })
    }

    pub fn day(year: u16, month: u8, day: u8) -> Cell {
        Cell::Date(Moment::new(Civil::of_day(year, month, day).unwrap(), false))
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};

    #[test]
    fn a_text_is_one_line_without_white_space_around_it() {
        for (cell, text) in [
            (" a  b ", Some("a  b")),
            ("a\r\nb\n\n c\td", Some("a b c d")),
            ("\u{FEFF}Z\u{A0}", Some("Z")),
            (" \u{A0} ", None),
            ("'=1+1", Some("=1+1")),
            ("'00012", Some("00012")),
            ("=\"00012\"", Some("00012")),
            ("=\"a\"&\"b\"", Some("=\"a\"&\"b\"")),
            ("'tis", Some("'tis")),
            ("# 5", Some("# 5")),
        ] {
            assert_eq!(written(cell).text().unwrap().as_deref(), text, "{cell:?}");
            let of_workbook = Cell::of_text(cell.to_owned());
            assert_eq!(of_workbook.text().unwrap().as_deref(), text, "{cell:?}");
        }
        for (cell, text) in [
            (number(2026.0), "2026"),
            (number(4.35), "4.35"),
            (number(0.1 + 0.2), "0.3"),
            (number(-1e20), "-100000000000000000000"),
            (day(2026, 3, 1), "2026-03-01"),
            (Cell::Flag(true), "TRUE"),
        ] {
            assert_eq!(cell.text().unwrap().as_deref(), Some(text));
        }
    }

    #[test]
    fn errors_of_spreadsheets_are_no_values_wherever_they_are() {
        for text in ["#REF!", " #N/A ", "#ЗНАЧ!", "#VALOARE!", "Err:508"] {
            let expected = CellError::SpreadsheetError(text.trim().to_owned());
            let cell = written(text);
            assert_eq!(cell.text(), Err(expected.clone()));
            assert_eq!(cell.identifier(), Err(expected.clone()));
            assert_eq!(cell.amount(), Err(expected.clone()));
            assert_eq!(cell.date(), Err(expected.clone()));
            assert_eq!(cell.flag(), Err(expected.clone()));
            assert_eq!(cell.iban(), Err(expected.clone()));
            assert_eq!(cell.state_identifier(), Err(expected));
        }
        assert_eq!(written("######").text(), Err(CellError::TooNarrow));
        let error = Cell::Error("#DIV/0!".into());
        assert!(matches!(
            error.amount(),
            Err(CellError::SpreadsheetError(_))
        ));
    }

    #[test]
    fn flags_are_words_of_three_languages_and_digits() {
        for (words, flag) in [
            (
                "TRUE true Adevărat ADEVĂRAT ADEVARAT ИСТИНА Истина Da ДА yes 1",
                true,
            ),
            ("FALSE False FALS ЛОЖЬ nu Нет no 0", false),
        ] {
            for word in words.split(' ') {
                assert_eq!(written(word).flag(), Ok(Some(flag)), "{word}");
            }
        }
        assert_eq!(Cell::Flag(true).flag(), Ok(Some(true)));
        assert_eq!(
            (number(0.0).flag(), Cell::Empty.flag()),
            (Ok(Some(false)), Ok(None))
        );
        for wrong in ["2", "x", "dada", "-", "oui"] {
            assert_eq!(written(wrong).flag(), Err(CellError::NotAFlag), "{wrong}");
        }
    }
}
