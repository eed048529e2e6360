use std::fmt;

use crate::{Cell, CellError, identifier};

/// An amount of money in whole hundredths, which in a statement may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount {
    hundredths: i128,
    is_in_lei: bool,
}

impl Amount {
    /// An amount of so many hundredths.
    pub const fn of_hundredths(hundredths: i128) -> Self {
        Self {
            hundredths,
            is_in_lei: false,
        }
    }

    /// The amount in hundredths.
    pub const fn hundredths(self) -> i128 {
        self.hundredths
    }

    /// True if the cell itself says `lei` or `MDL`.
    pub const fn is_in_lei(self) -> bool {
        self.is_in_lei
    }
}

/// With a point and two fraction digits.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.hundredths < 0 { "-" } else { "" };
        let hundredths = self.hundredths.unsigned_abs();
        write!(f, "{sign}{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

impl Cell {
    /// An amount: `1250.50`, `1250,50`, `1 250,50` with any spaces, `1.250,50`, `1250.50 lei`,
    /// `-10,00`, `(10,00)`.
    ///
    /// # Errors
    /// [`CellError`] if the cell can be read in more than one way, is no amount, or has been changed by a
    /// spreadsheet.
    pub fn amount(&self) -> Result<Option<Amount>, CellError> {
        self.checked()?;
        match self {
            Self::Empty => Ok(None),
            Self::Number(number) => parse(&number.plain(), true).map(Some),
            Self::Date(moment) => Err(CellError::Date(moment.iso())),
            Self::Flag(_) => Err(CellError::Flag),
            _ => match self.text()? {
                None => Ok(None),
                Some(text) => parse(&text, false).map(Some),
            },
        }
    }
}

/// Digits before the point: far beyond any payment, and far from where a sum overflows.
const MOST_DIGITS: usize = 18;

/// Reads an amount. If `is_number`, the point is the decimal point, whatever stands behind it.
fn parse(text: &str, is_number: bool) -> Result<Amount, CellError> {
    if identifier::is_scientific(text) {
        return Err(CellError::Scientific(text.to_owned()));
    }
    let (text, is_in_lei) = without_currency(text)?;
    let (text, is_negative) = without_sign(text);
    let last = text.rfind([',', '.']);
    let (whole, rest) = text
        .split_at_checked(last.unwrap_or(text.len()))
        .unwrap_or((text, ""));
    let is_point_of_thousands = rest
        .chars()
        .next()
        .is_some_and(|point| whole.contains(point));
    let (whole, fraction) = match rest.get(1..) {
        // If both signs are equal, neither is the decimal point.
        _ if is_point_of_thousands => (text, ""),
        None => (whole, ""),
        Some(fraction) => {
            let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            let is_ambiguous = fraction.len() == 3 && all_digits(fraction) && all_digits(whole);
            // `0.500` is no thousand.
            let is_below_one = whole.bytes().all(|byte| byte == b'0');
            if is_ambiguous && !is_number && !is_below_one {
                return Err(CellError::Thousandths {
                    thousands: format!("{whole}{fraction}.00"),
                    thousandths: format!("{whole}.{fraction}"),
                });
            }
            (whole, fraction)
        }
    };
    let point = text.get(whole.len()..).and_then(|rest| rest.chars().next());
    let apart = |c: char| {
        identifier::is_space(c) || matches!(c, '\'' | '’' | ',' | '.') && Some(c) != point
    };
    let groups: Vec<_> = whole.split(apart).collect();
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !groups.iter().all(|group| all_digits(group)) || !all_digits(fraction) {
        return Err(not_an_amount(text));
    }
    let (first, others) = groups.split_first().unwrap_or((&"", &[]));
    let is_grouped = first.len() <= 3 && others.iter().all(|group| group.len() == 3);
    if !others.is_empty() && (!is_grouped || first.is_empty()) {
        return Err(match not_an_amount(text) {
            CellError::NotAnAmount => CellError::Thousands,
            date => date,
        });
    }
    let whole = groups.concat();
    if whole.is_empty() && fraction.is_empty() {
        return Err(CellError::NotAnAmount);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 2 {
        return Err(CellError::TooPrecise);
    }
    if whole.trim_start_matches('0').len() > MOST_DIGITS {
        return Err(CellError::TooLarge);
    }
    let hundredths: i128 = format!("0{whole}{fraction:0<2}")
        .parse()
        .map_err(|_| CellError::NotAnAmount)?;
    Ok(Amount {
        hundredths: if is_negative { -hundredths } else { hundredths },
        is_in_lei,
    })
}

/// The error of a text that is no amount; that it is a date is the more useful message.
fn not_an_amount(text: &str) -> CellError {
    match Cell::Written(text.to_owned()).date() {
        Ok(Some(date)) => CellError::Date(date),
        _ => CellError::NotAnAmount,
    }
}

/// A text without the currency at its beginning or end, with true if that is lei.
fn without_currency(text: &str) -> Result<(&str, bool), CellError> {
    let is_of_number = |c: char| {
        c.is_ascii_digit()
            || identifier::is_space(c)
            || matches!(c, '.' | ',' | '-' | '+' | '(' | ')' | '−' | '\'' | '’')
    };
    let behind = text.trim_end_matches(|c| !is_of_number(c) || c == '.');
    // A point may belong to the number or to `руб.`; where there is no word it is the number's.
    let (number, word) = match text.get(behind.len()..) {
        Some(word) if !word.trim_matches('.').is_empty() => (behind, word),
        _ => {
            let before = text.trim_start_matches(|c| !is_of_number(c));
            let length = text.len() - before.len();
            (before, text.get(..length).unwrap_or_default())
        }
    };
    let word = word.trim_matches(|c: char| c == '.' || identifier::is_space(c));
    match word.to_lowercase().as_str() {
        "" => Ok((text.trim(), false)),
        "lei" | "leu" | "mdl" | "лей" | "леев" | "лея" => Ok((number.trim(), true)),
        "$" | "€" | "usd" | "eur" | "ron" | "руб" | "rub" | "uah" | "£" | "gbp" | "₽" | "₴" => {
            Err(CellError::Currency(word.to_owned()))
        }
        _ => Err(not_an_amount(text)),
    }
}

/// A text without its sign, which bookkeepers also write behind a number or as parentheses.
fn without_sign(text: &str) -> (&str, bool) {
    const MINUS: [char; 3] = ['-', '−', '–'];
    let inner = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    if let Some(inner) = inner {
        return (inner.trim(), true);
    }
    let without = text.strip_prefix(MINUS).or(text.strip_suffix(MINUS));
    match without {
        Some(text) => (text.trim(), true),
        None => (text.strip_prefix('+').unwrap_or(text).trim(), false),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cell::testing::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, value) in [
            ("1250", "1250.00"),
            ("1250.5", "1250.50"),
            ("1250,50", "1250.50"),
            (" 1 250,50 ", "1250.50"),
            ("1\u{a0}250,50", "1250.50"),
            ("1\u{202f}250,50", "1250.50"),
            ("1\u{2009}250\u{2009}000,50", "1250000.50"),
            ("1.250,50", "1250.50"),
            ("1.000,00", "1000.00"),
            ("1 000,00", "1000.00"),
            ("1.000.000,00", "1000000.00"),
            ("1,250.50", "1250.50"),
            ("1,250,000.5", "1250000.50"),
            ("1'250.50", "1250.50"),
            ("1’250.50", "1250.50"),
            ("1 250 000", "1250000.00"),
            ("1,250,000", "1250000.00"),
            ("1.250.000", "1250000.00"),
            ("0,05", "0.05"),
            ("0.500", "0.50"),
            ("1.250,000", "1250.00"),
            (",50", "0.50"),
            ("010.05", "10.05"),
            ("+5", "5.00"),
            ("1250.50 lei", "1250.50"),
            ("1 250,50 LEI", "1250.50"),
            ("1250.50MDL", "1250.50"),
            ("MDL 1250.50", "1250.50"),
            ("5 lei.", "5.00"),
            ("5 леев", "5.00"),
            ("-10,00", "-10.00"),
            ("−10", "-10.00"),
            ("10,00-", "-10.00"),
            ("(1 250,50)", "-1250.50"),
            ("- 5", "-5.00"),
            ("-10,00 lei", "-10.00"),
            ("'-10,00", "-10.00"),
            ("-0,05", "-0.05"),
        ] {
            let amount = written(text).amount().unwrap().unwrap();
            assert_eq!(amount.to_string(), value, "{text}");
            let says_lei = text.to_lowercase().contains(['l', 'л']);
            assert_eq!(
                amount.is_in_lei(),
                says_lei || text.contains("MDL"),
                "{text}"
            );
        }
        for (value, text) in [
            (1250.5, "1250.50"),
            (4.35, "4.35"),
            (1.25, "1.25"),
            (-10.0, "-10.00"),
            (1e15, "1000000000000000.00"),
            (123456.789e1, "1234567.89"),
        ] {
            assert_eq!(number(value).amount().unwrap().unwrap().to_string(), text);
        }
        assert_eq!(Cell::Empty.amount(), Ok(None));
    }

    #[test]
    fn what_is_no_amount_or_more_than_one_is_refused() {
        use CellError::*;
        let ambiguous = |thousands: &str, thousandths: &str| Thousandths {
            thousands: thousands.to_owned(),
            thousandths: thousandths.to_owned(),
        };
        for (text, error) in [
            (".", NotAnAmount),
            ("-", NotAnAmount),
            ("lei", NotAnAmount),
            ("5,ș", NotAnAmount),
            ("5 oi", NotAnAmount),
            ("1.5.5", Thousands),
            ("1,250", ambiguous("1250.00", "1.250")),
            ("1.000", ambiguous("1000.00", "1.000")),
            ("1,2.50", Thousands),
            ("12,34.50", Thousands),
            ("1 25,00", Thousands),
            ("1250 000,00", Thousands),
            ("1,,250.00", Thousands),
            ("1..250,00", Thousands),
            ("--5", NotAnAmount),
            ("1.005,001", TooPrecise),
            ("1.2345", TooPrecise),
            ("1234567890123456789", TooLarge),
            ("5 EUR", Currency("EUR".into())),
            ("$5", Currency("$".into())),
            ("1.25E+03", Scientific("1.25E+03".into())),
            ("10.05.2026", Date("2026-05-10".into())),
            ("2026-05-10", Date("2026-05-10".into())),
        ] {
            assert_eq!(written(text).amount(), Err(error), "{text}");
        }
        assert_eq!(number(100.0 / 3.0).amount(), Err(TooPrecise));
        assert_eq!(number(1e300).amount(), Err(TooLarge));
        assert!(matches!(day(2026, 5, 10).amount(), Err(Date(_))));
        assert_eq!(Cell::Flag(true).amount(), Err(Flag));
    }

    proptest! {
        #[test]
        fn an_amount_is_the_same_however_it_is_written(hundredths in -999_999_999_999_i64..999_999_999_999) {
            let amount = Amount::of_hundredths(hundredths.into());
            let plain = amount.to_string();
            let (whole, fraction) = plain.split_once('.').unwrap();
            let (sign, digits) = whole.split_at(whole.len() - whole.trim_start_matches('-').len());
            let grouped = |by: &str| {
                let digits: Vec<_> = digits.bytes().collect();
                let groups: Vec<_> = digits.rchunks(3).rev().map(|g| str::from_utf8(g).unwrap()).collect();
                groups.join(by)
            };
            for text in [
                plain.clone(),
                plain.replace('.', ","),
                format!("{sign}{},{fraction}", grouped(".")),
                format!("{sign}{}.{fraction}", grouped(",")),
                format!("{sign}{},{fraction}", grouped(" ")),
                format!("{sign}{},{fraction} lei", grouped("\u{A0}")),
            ] {
                let read = written(&text).amount().unwrap().unwrap();
                prop_assert_eq!(read.hundredths(), amount.hundredths(), "{}", text);
            }
            let value: f64 = plain.parse().unwrap();
            prop_assert_eq!(number(value).amount().unwrap().unwrap(), amount);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9 .,()lei−’\u{A0}E+]{0,16}") {
            let _ = written(&text).amount();
        }
    }
}
