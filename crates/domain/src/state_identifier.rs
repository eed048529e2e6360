//! Identification numbers of the state: IDNP of a person, IDNO of an organisation.

/// The reason why a text is not an IDNP or IDNO.
///
/// A doubt rather than an error: the rule of the check digit is observed, not published by the
/// state, and a foreign payer has another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateIdentifierDoubt {
    /// Not 13 digits.
    #[error("is no IDNP or IDNO: these have 13 digits")]
    NotThirteenDigits,
    /// The last digit does not fit the others: a mistyped number.
    #[error("seems mistyped: its last digit does not fit the others")]
    CheckDigit,
}

/// Checks a number as an IDNP or IDNO: 13 digits, of which the last is the sum of the others,
/// weighted 7, 3, 1, 7, 3, 1, …, modulo 10.
///
/// # Errors
/// [`StateIdentifierDoubt`]: the reason for doubt.
pub fn check_state_identifier(text: &str) -> Result<(), StateIdentifierDoubt> {
    let digits: Option<Vec<_>> = text.chars().map(|c| c.to_digit(10)).collect();
    let Some(([first @ .., check], 13)) = digits.as_deref().map(|digits| (digits, digits.len()))
    else {
        return Err(StateIdentifierDoubt::NotThirteenDigits);
    };
    let sum: u32 = first
        .iter()
        .zip([7, 3, 1].iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    if sum % 10 == *check {
        Ok(())
    } else {
        Err(StateIdentifierDoubt::CheckDigit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_state_pass() {
        // Public institutions' fiscal codes, as they print them.
        for number in ["1008600038413", "1006601000037"] {
            assert_eq!(check_state_identifier(number), Ok(()), "{number}");
        }
    }

    #[test]
    fn a_mistyped_digit_is_found() {
        let right = "1008600038413";
        for position in 0..right.len() {
            for digit in b'0'..=b'9' {
                let mut other = right.as_bytes().to_vec();
                other[position] = digit;
                let other = String::from_utf8(other).unwrap();
                assert_eq!(
                    check_state_identifier(&other).is_ok(),
                    other == right,
                    "{other}"
                );
            }
        }
    }

    #[test]
    fn other_forms_are_doubted() {
        for text in ["", "100860003841", "10086000384133", "100860003841x", "АВС"] {
            assert_eq!(
                check_state_identifier(text),
                Err(StateIdentifierDoubt::NotThirteenDigits),
                "{text}"
            );
        }
    }
}
