//! Keys and numbers of things: cells in which each character counts.

use crate::{Cell, CellError, Number, cell::is_digits};

/// Digits that a number cell keeps (IEEE 754 has 15.95).
const EXACT: f64 = 1e15;

impl Cell {
    /// A key, a PaymentID, a code: the text as the person wrote it, never a version that a spreadsheet
    /// has changed.
    ///
    /// # Errors
    /// [`CellError::Scientific`], [`CellError::DigitsLost`], [`CellError::Fraction`], [`CellError::Date`]
    /// and [`CellError::Flag`] for values that can only be damaged ones, and the errors of
    /// [`Cell::text`].
    pub fn identifier(&self) -> Result<Option<String>, CellError> {
        self.checked()?;
        match self {
            Self::Written(_) | Self::Text(_) => match self.text()? {
                Some(text) if is_scientific(&text) => Err(CellError::Scientific(text)),
                // Invisible characters are no part of a name.
                Some(text) => {
                    Ok(Some(text.replace(is_invisible, "")).filter(|text| !text.is_empty()))
                }
                None => Ok(None),
            },
            Self::Number(number) => of_number(*number).map(Some),
            Self::Date(moment) => Err(CellError::Date(moment.iso())),
            Self::Flag(_) => Err(CellError::Flag),
            _ => Ok(None),
        }
    }

    /// An IBAN: without the spaces that people put into it.
    ///
    /// # Errors
    /// Those of [`Cell::identifier`].
    pub fn iban(&self) -> Result<Option<String>, CellError> {
        let text = self.identifier()?;
        let without = |text: String| text.chars().filter(|c| !is_space(*c)).collect::<String>();
        Ok(text.map(without).filter(|text| !text.is_empty()))
    }

    /// An IDNP or IDNO, which have 13 digits; or a number of another state, if it is a text.
    ///
    /// A number cell with fewer digits has lost zeros at its beginning. In a CSV nothing tells a number
    /// from a text, so numbers of 11 and 12 digits are refused there. Foreign identifiers of that length
    /// are taken from a workbook's text, or behind an apostrophe, as [`Sheet`](crate::Sheet) writes them.
    ///
    /// # Errors
    /// [`CellError::LeadingZeros`], and those of [`Cell::identifier`].
    pub fn state_identifier(&self) -> Result<Option<String>, CellError> {
        let Some(text) = self.identifier()? else {
            return Ok(None);
        };
        let length = text.len();
        let is_short = is_digits(&text) && (8..13).contains(&length);
        let was_a_number = match self {
            Self::Number(_) => true,
            // A guarded text was written by a program that knows the number.
            Self::Written(written) => !written.trim_start().starts_with(['\'', '=']) && length > 10,
            _ => false,
        };
        if is_short && was_a_number {
            return Err(CellError::LeadingZeros { length });
        }
        Ok(Some(text))
    }
}

fn of_number(number: Number) -> Result<String, CellError> {
    let plain = number.plain();
    if number.is_scientific {
        return Err(CellError::Scientific(plain));
    }
    if number.value.abs() >= EXACT {
        return Err(CellError::DigitsLost);
    }
    if number.value.fract() != 0.0 {
        return Err(CellError::Fraction(plain));
    }
    // As a format of zeros shows it.
    let missing = number.shown_digits.saturating_sub(plain.len());
    Ok(format!("{}{plain}", "0".repeat(missing)))
}

/// True if a text is a number in scientific notation as spreadsheets write it: with a sign before the
/// exponent, which `12E5`, a key that may be one, does not have.
pub(crate) fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let exponent = exponent.strip_prefix(['+', '-']);
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    exponent.is_some_and(is_digits) && is_digits(whole) && is_digits(fraction)
}

/// White space of any kind, and other invisible characters.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::testing::*;

    #[test]
    fn a_key_is_what_was_written() {
        for text in [
            "A-1",
            "00012",
            "100012000001",
            "12E5",
            "E+5",
            "1e",
            "2026-0001",
            "1,5",
            "'",
            "12E+x",
            "1.2.3E+5",
        ] {
            assert_eq!(written(text).identifier().unwrap().as_deref(), Some(text));
        }
        assert_eq!(
            number(123456789012345.0).identifier().unwrap().unwrap(),
            "123456789012345"
        );
        let shown_digits = 6;
        let padded = Number {
            value: 42.0,
            is_scientific: false,
            shown_digits,
        };
        assert_eq!(
            Cell::Number(padded).identifier().unwrap().unwrap(),
            "000042"
        );
        assert_eq!(Cell::Empty.identifier(), Ok(None));
    }

    #[test]
    fn what_a_spreadsheet_has_made_of_a_key_is_refused_with_the_reason() {
        for text in [
            "1.00012E+11",
            "1,00012E+11",
            "1E+11",
            "-1.5e-7",
            " 1.23457E+12 ",
        ] {
            let expected = CellError::Scientific(text.trim().to_owned());
            assert_eq!(written(text).identifier(), Err(expected), "{text}");
        }
        let scientific = Number {
            value: 1e11,
            is_scientific: true,
            shown_digits: 0,
        };
        for (cell, expected) in [
            (number(1e15), CellError::DigitsLost),
            (number(-1e15), CellError::DigitsLost),
            (number(12.5), CellError::Fraction("12.5".into())),
            (day(2026, 5, 1), CellError::Date("2026-05-01".into())),
            (Cell::Flag(false), CellError::Flag),
            (
                Cell::Number(scientific),
                CellError::Scientific("100000000000".into()),
            ),
        ] {
            assert_eq!(cell.identifier(), Err(expected));
        }
    }

    #[test]
    fn an_iban_has_no_spaces() {
        let iban = "MD24AG000225100013104168";
        for text in [
            "MD24 AG00 0225 1000 1310 4168",
            " MD24\u{A0}AG00\u{202F}0225 1000 1310\n4168\u{200B}",
            iban,
        ] {
            assert_eq!(written(text).iban().unwrap().as_deref(), Some(iban));
        }
    }

    #[test]
    fn a_number_of_the_state_that_has_lost_its_zeros_is_refused() {
        for (cell, length) in [
            (number(960604546785.0), 12),
            (number(12345678.0), 8),
            (written("960604546785"), 12),
            (written("60604546785"), 11),
        ] {
            assert_eq!(
                cell.state_identifier(),
                Err(CellError::LeadingZeros { length })
            );
        }
        for (cell, text) in [
            (written("0960604546785"), "0960604546785"),
            (number(1006601000255.0), "1006601000255"),
            // Of another state: ten digits in Ukraine, and a text of twelve in Russia.
            (written("3184710691"), "3184710691"),
            (Cell::Text("500100732259".into()), "500100732259"),
            (written("'500100732259"), "500100732259"),
            (written("AB1234567"), "AB1234567"),
            (number(123.0), "123"),
        ] {
            assert_eq!(cell.state_identifier().unwrap().as_deref(), Some(text));
        }
    }
}
