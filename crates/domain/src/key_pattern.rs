//! The pattern of the keys of orders that nobody registers.

use std::{fmt, str::FromStr};

use super::{OrderKey, check_state_identifier, folded, generated_key::damm};

/// The longest order key, in characters.
const LONGEST: usize = 36;

/// A pattern of keys: `#` is a digit, `@` a Latin letter, `*` either; any other sign is itself. With
/// `{8}` behind it there are so many of them, with `{6,12}` so many at least and at most.
///
/// A regular expression would say more than payers can type, and cost the component 300 KB. Only one
/// sign may have a choice of counts, so that a key fits in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPattern {
    parts: Vec<Part>,
    check: Option<CheckDigit>,
}

/// A sign of a pattern, and how many of it there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    sign: Sign,
    least: usize,
    most: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Digit,
    Letter,
    Either,
    Itself(char),
}

/// The rule by which the last digit of a key follows from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckDigit {
    /// As in the keys that this provider generates (H. M. Damm).
    Damm,
    /// As in the numbers of bank cards (ISO/IEC 7812).
    Luhn,
    /// As in an IDNP or IDNO, of 13 digits.
    Idno,
}

/// A mistake in a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyPatternError {
    /// There is nothing in it.
    #[error("must not be empty")]
    Empty,
    /// A sign cannot be in a pattern.
    #[error("may hold #, @, *, letters, digits and signs of ASCII, without spaces")]
    Sign,
    /// Braces hold no valid count.
    #[error("has braces that hold neither a count, such as {{8}}, nor two, such as {{6,12}}")]
    Count,
    /// More than one sign has a choice of counts.
    #[error("has more than one sign with two counts: a key must fit in one way")]
    Choices,
    /// No key is so long.
    #[error("makes keys of more than {LONGEST} characters")]
    TooLong,
    /// There are no digits to check.
    #[error("has too few # for this check_digit: at least two, and for idno 13")]
    NoDigits,
}

impl CheckDigit {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Damm, Self::Luhn, Self::Idno];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Damm => "damm",
            Self::Luhn => "luhn",
            Self::Idno => "idno",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.as_str() == name)
    }

    /// True if digits end with the one that they must.
    fn fits(self, digits: &str) -> bool {
        match self {
            Self::Damm => damm(digits) == 0,
            Self::Luhn => luhn(digits) == 0,
            Self::Idno => check_state_identifier(digits).is_ok(),
        }
    }
}

/// The sum of digits, of which every second from the right counts twice, modulo 10.
fn luhn(digits: &str) -> u32 {
    let digits = digits.chars().rev().filter_map(|digit| digit.to_digit(10));
    let counted = digits.zip([1, 2].iter().cycle());
    let sum: u32 = counted
        .map(|(digit, times)| digit * times)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum % 10
}

impl KeyPattern {
    /// A pattern, with the rule for the digits of its `#`.
    ///
    /// # Errors
    /// [`KeyPatternError`].
    pub fn new(text: &str, check: Option<CheckDigit>) -> Result<Self, KeyPatternError> {
        let pattern = Self {
            check,
            ..text.parse()?
        };
        let digits = |count: fn(&Part) -> usize| -> usize {
            let parts = pattern.parts.iter();
            let digits = parts.filter(|part| part.sign == Sign::Digit);
            digits.map(count).sum()
        };
        let (least, most) = (digits(|part| part.least), digits(|part| part.most));
        let enough = match check {
            None => true,
            Some(CheckDigit::Idno) => least == 13 && most == 13,
            Some(_) => least >= 2,
        };
        match enough {
            true => Ok(pattern),
            false => Err(KeyPatternError::NoDigits),
        }
    }

    /// The key, in the institution's spelling, that a payer means who types this; `None` if it does not
    /// fit.
    pub fn find(&self, typed: &OrderKey) -> Option<OrderKey> {
        let typed = folded(typed.as_str());
        let least: usize = self.parts.iter().map(|part| part.least).sum();
        let mut more = typed.chars().count().checked_sub(least)?;
        let (mut key, mut digits) = (String::new(), String::new());
        let mut typed = typed.chars();
        for part in &self.parts {
            let added = more.min(part.most - part.least);
            more -= added;
            for _ in 0..part.least + added {
                let sign = part.sign.of(typed.next()?)?;
                key.push(sign);
                if part.sign == Sign::Digit {
                    digits.push(sign);
                }
            }
        }
        let is_whole = typed.next().is_none();
        let fits = self.check.is_none_or(|check| check.fits(&digits));
        (is_whole && fits).then(|| OrderKey::parse(&key).ok())?
    }
}

impl Sign {
    /// The sign of a key for one that was typed, and folded.
    fn of(self, typed: char) -> Option<char> {
        let upper = typed.to_ascii_uppercase();
        let fits = match self {
            Self::Digit => typed.is_ascii_digit(),
            Self::Letter => typed.is_ascii_lowercase(),
            Self::Either => typed.is_ascii_digit() || typed.is_ascii_lowercase(),
            Self::Itself(sign) => {
                return (sign.to_ascii_lowercase() == typed).then_some(sign);
            }
        };
        fits.then_some(upper)
    }
}

impl FromStr for KeyPattern {
    type Err = KeyPatternError;

    fn from_str(text: &str) -> Result<Self, KeyPatternError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text.chars();
        while let Some(sign) = rest.next() {
            let sign = match sign {
                '#' => Sign::Digit,
                '@' => Sign::Letter,
                '*' => Sign::Either,
                '{' | '}' => return Err(KeyPatternError::Count),
                sign if sign.is_ascii_graphic() => Sign::Itself(sign),
                _ => return Err(KeyPatternError::Sign),
            };
            let (mut least, mut most) = (1, 1);
            if let Some(behind) = rest.as_str().strip_prefix('{') {
                let counts = behind.split_once('}').ok_or(KeyPatternError::Count)?;
                (least, most) = read_counts(counts.0).ok_or(KeyPatternError::Count)?;
                rest = counts.1.chars();
            }
            parts.push(Part { sign, least, most });
        }
        if parts.is_empty() {
            return Err(KeyPatternError::Empty);
        }
        if parts.iter().filter(|part| part.least < part.most).count() > 1 {
            return Err(KeyPatternError::Choices);
        }
        let longest: usize = parts.iter().map(|part| part.most).sum();
        if longest > LONGEST {
            return Err(KeyPatternError::TooLong);
        }
        Ok(Self { parts, check: None })
    }
}

/// The counts in braces: from 1 to 99.
fn read_counts(text: &str) -> Option<(usize, usize)> {
    let count = |text: &str| {
        let is_plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let count = text.parse().ok().filter(|count: &usize| *count > 0);
        count.filter(|_| is_plain)
    };
    match text.split_once(',') {
        None => count(text).map(|count| (count, count)),
        Some((least, most)) => {
            let counts = (count(least)?, count(most)?);
            (counts.0 <= counts.1).then_some(counts)
        }
    }
}

/// As it was written.
impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            let sign = match part.sign {
                Sign::Digit => '#',
                Sign::Letter => '@',
                Sign::Either => '*',
                Sign::Itself(sign) => sign,
            };
            write!(f, "{sign}")?;
            match (part.least, part.most) {
                (1, 1) => {}
                (least, most) if least == most => write!(f, "{{{least}}}")?,
                (least, most) => write!(f, "{{{least},{most}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(pattern: &str, check: Option<CheckDigit>, typed: &str) -> Option<String> {
        let pattern = KeyPattern::new(pattern, check).unwrap();
        let found = pattern.find(&OrderKey::parse(typed).unwrap());
        found.map(|key| key.to_string())
    }

    #[test]
    fn a_key_fits_or_not_and_is_written_as_the_institution_writes_it() {
        for (pattern, typed, key) in [
            ("#{8}", "12345678", Some("12345678")),
            ("#{8}", "1234 5678", Some("12345678")),
            ("#{8}", "１２345678", Some("12345678")),
            ("#{8}", "1234567", None),
            ("#{8}", "123456789", None),
            ("#{8}", "1234567a", None),
            ("@@@#{3}", "abc 123", Some("ABC123")),
            ("@@@#{3}", "авс123", Some("ABC123")),
            ("@@@#{3}", "жвс123", None),
            ("Auto-#{2,4}", "AUTO–123", Some("Auto-123")),
            ("Auto-#{2,4}", "auto-1", None),
            ("Auto-#{2,4}", "auto-12345", None),
            ("Auto-#{2,4}", "auto-12", Some("Auto-12")),
            ("*{2,3}/#", "a1/5", Some("A1/5")),
            ("*{2,3}/#", "ab1/5", Some("AB1/5")),
            ("*{2,3}/#", "abc1/5", None),
        ] {
            assert_eq!(
                find(pattern, None, typed).as_deref(),
                key,
                "{pattern} {typed}"
            );
        }
    }

    #[test]
    fn the_digits_of_a_key_are_checked() {
        use CheckDigit::{Damm, Idno, Luhn};
        for (check, pattern, right) in [
            (Damm, "#{4}", "5724"),
            (Luhn, "#{11}", "79927398713"),
            (Luhn, "A9-#{6,19}", "A9-4539148803436467"),
            (Idno, "#{13}", "1008600038413"),
            (Damm, "@#{4}@", "A5724B"),
        ] {
            assert!(find(pattern, Some(check), right).is_some(), "{right}");
            // Any other digit does not fit.
            for (at, _) in right.match_indices(|c: char| c.is_ascii_digit()) {
                for digit in b'0'..=b'9' {
                    let mut other = right.as_bytes().to_vec();
                    other[at] = digit;
                    let other = String::from_utf8(other).unwrap();
                    let found = find(pattern, Some(check), &other);
                    assert_eq!(found.is_some(), other == right, "{other}");
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_pattern_is_named() {
        use KeyPatternError::{Choices, Count, Empty, NoDigits, Sign, TooLong};
        for (pattern, check, error) in [
            ("", None, Empty),
            ("# #", None, Sign),
            ("№#", None, Sign),
            ("#{}", None, Count),
            ("#{0}", None, Count),
            ("#{+5}", None, Count),
            ("#{5,4}", None, Count),
            ("#{5", None, Count),
            ("{5}", None, Count),
            ("#{99}", None, TooLong),
            ("#{18}@{19}", None, TooLong),
            ("#{1,2}@{1,2}", None, Choices),
            ("#", Some(CheckDigit::Luhn), NoDigits),
            ("@@", Some(CheckDigit::Damm), NoDigits),
            ("#{12}", Some(CheckDigit::Idno), NoDigits),
        ] {
            assert_eq!(KeyPattern::new(pattern, check), Err(error), "{pattern}");
        }
    }

    proptest! {
        /// The key of any fitting text fits too, and names the same order.
        #[test]
        fn a_key_is_its_own(typed in "[a-cA-C0-9 -]{1,12}") {
            let pattern: KeyPattern = "*{1,6}-#{2}".parse().unwrap();
            let typed = OrderKey::parse(&typed);
            prop_assume!(typed.is_ok());
            let typed = typed.unwrap();
            if let Some(key) = pattern.find(&typed) {
                prop_assert_eq!(key.folded(), typed.folded());
                prop_assert_eq!(pattern.find(&key), Some(key));
            }
            prop_assert_eq!(&pattern.to_string(), "*{1,6}-#{2}");
        }
    }
}
