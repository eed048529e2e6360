//! Bank account numbers.

use std::fmt;

use super::look_alike::latin_capital;

/// The reason why a text is not an IBAN that MPay can carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IbanError {
    /// Not two letters, two digits, and then letters and digits.
    #[error("must be an IBAN such as MD24AG000225100013104168")]
    NotAnIban,
    /// A letter of another script that looks like a Latin one.
    #[error("has the letter {letter} (U+{code:04X}) of another script where a Latin {latin} belongs", code = u32::from(*letter))]
    OtherScript {
        /// The letter.
        letter: char,
        /// The Latin letter that it looks like.
        latin: char,
    },
    /// Another length than its country's, or than any IBAN's that MPay can carry.
    #[error("has {length} characters, an IBAN of {country} has {expected}")]
    Length {
        /// Length found, in characters.
        length: usize,
        /// Country code.
        country: String,
        /// Lengths allowed.
        expected: &'static str,
    },
    /// The check digits do not fit: a mistyped number.
    #[error("is mistyped: the check digits of the IBAN do not fit")]
    CheckDigits,
}

/// An IBAN (ISO 13616) whose check digits fit, in capitals and without spaces.
///
/// A Moldovan one has 24 characters. Of other countries only the check digits are judged, and
/// MPay's own limit of 24 characters: a table of the world's formats would grow old.
#[derive(Clone, PartialEq, Eq)]
pub struct Iban(String);

impl Iban {
    /// Reads an IBAN, printed in groups or not, in capitals or not.
    ///
    /// # Errors
    /// [`IbanError`] for another form, a wrong length or check digits that do not fit.
    pub fn parse(text: &str) -> Result<Self, IbanError> {
        let other = text
            .chars()
            .find_map(|letter| Some((letter, latin_capital(letter)?)));
        if let Some((letter, latin)) = other {
            return Err(IbanError::OtherScript { letter, latin });
        }
        let iban: String = text
            .chars()
            .filter(|c| *c != ' ')
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let shape = iban.bytes().enumerate().all(|(i, byte)| match i {
            0 | 1 => byte.is_ascii_uppercase(),
            2 | 3 => byte.is_ascii_digit(),
            _ => byte.is_ascii_alphanumeric(),
        });
        let Some((country, _)) = iban.split_at_checked(2).filter(|_| shape) else {
            return Err(IbanError::NotAnIban);
        };
        let (lengths, expected) = match country {
            "MD" => (24..=24, "24"),
            _ => (15..=24, "15 to 24 here"),
        };
        if !lengths.contains(&iban.len()) {
            return Err(IbanError::Length {
                length: iban.len(),
                country: country.to_owned(),
                expected,
            });
        }
        if remainder(&iban) != 1 {
            return Err(IbanError::CheckDigits);
        }
        Ok(Self(iban))
    }

    /// The number as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// ISO 7064, MOD 97-10: the first four characters moved to the end, letters as 10 to 35.
fn remainder(iban: &str) -> u32 {
    let (head, tail) = iban.split_at_checked(4).unwrap_or((iban, ""));
    tail.chars()
        .chain(head.chars())
        .filter_map(|c| c.to_digit(36))
        .fold(0, |rest, value| {
            (rest * if value < 10 { 10 } else { 100 } + value) % 97
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ibans_of_moldova_and_elsewhere_are_read() {
        // Examples of the IBAN registry.
        for text in [
            "MD24AG000225100013104168",
            "RO49AAAA1B31007593840000",
            "DE89370400440532013000",
            "GB29NWBK60161331926819",
            "NO9386011117947",
        ] {
            assert_eq!(Iban::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(
            Iban::parse(" md24 AG00 0225 1000 1310 4168 ").unwrap(),
            Iban::parse("MD24AG000225100013104168").unwrap()
        );
    }

    #[test]
    fn a_digit_mistyped_or_two_swapped_are_found() {
        let right = "MD24AG000225100013104168";
        for position in 2..right.len() {
            let mut wrong = right.as_bytes().to_vec();
            wrong[position] = if wrong[position] == b'7' { b'8' } else { b'7' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(Iban::parse(&wrong).is_err(), "{wrong}");
        }
        for position in 4..right.len() - 1 {
            let mut wrong = right.as_bytes().to_vec();
            wrong.swap(position, position + 1);
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(Iban::parse(&wrong).is_ok(), wrong == right, "{wrong}");
        }
    }

    #[test]
    fn a_letter_of_another_script_is_named() {
        for (text, letter, latin) in [
            ("МD24AG000225100013104168", 'М', 'M'),
            ("MD24аG000225100013104168", 'а', 'A'),
            ("MD24ΑG000225100013104168", 'Α', 'A'),
        ] {
            let error = Iban::parse(text).unwrap_err();
            assert_eq!(error, IbanError::OtherScript { letter, latin });
        }
        assert_eq!(
            Iban::parse("МD24AG000225100013104168")
                .unwrap_err()
                .to_string(),
            "has the letter М (U+041C) of another script where a Latin M belongs"
        );
    }

    #[test]
    fn what_is_no_iban_is_refused() {
        for text in [
            "",
            "MD",
            "2251000131041680",
            "MDAAAG000225100013104168",
            "MD24-AG00-0225-1000-1310-4168",
            "MD24ȘG000225100013104168",
        ] {
            let error = Iban::parse(text).unwrap_err();
            assert!(
                matches!(error, IbanError::NotAnIban | IbanError::Length { .. }),
                "{text}: {error}"
            );
        }
        for (text, length) in [
            ("MD24AG00022510001310416", 23),
            ("MD24AG0002251000131041680", 25),
            // A right one of Malta, longer than MPay's 24 characters.
            ("MT84MALT011000012345MTLCAST001S", 31),
            ("NO938601111794", 14),
        ] {
            assert!(
                matches!(Iban::parse(text), Err(IbanError::Length { length: l, .. }) if l == length),
                "{text}"
            );
        }
        assert_eq!(
            Iban::parse("MD25AG000225100013104168"),
            Err(IbanError::CheckDigits)
        );
    }
}
