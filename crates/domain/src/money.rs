//! Exact amounts of money.

use std::{fmt, iter::Sum};

/// The reason why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// Not of the form `123.45`.
    #[error("must be a decimal number with a point, such as 125.50")]
    NotADecimal,
    /// More than two fraction digits that are not zero.
    #[error("has more than two fraction digits")]
    TooPrecise,
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// Beyond [`Money::MAX`].
    #[error("is too large, at most {max} is allowed", max = Money::MAX)]
    TooLarge,
}

/// An amount of money in whole hundredths, not negative. An amount that is read is at most
/// [`Money::MAX`]; a sum of such amounts may be more.
///
/// ```
/// # use mpay_domain::{Money, MoneyError};
/// let due = Money::parse("1250.5")?;
/// assert_eq!(due.to_string(), "1250.50");
/// assert_eq!(Money::parse("0.001"), Err(MoneyError::TooPrecise));
/// # Ok::<(), MoneyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(u128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount that is read: far beyond any payment, and far from where sums overflow.
    pub const MAX: Self = Self(999_999_999_999_999);

    /// Reads an XML Schema decimal (XML Schema Part 2, 3.2.3): `5`, `5.0`, `+05.0000` are equal.
    ///
    /// # Errors
    /// [`MoneyError`] for another form, a negative or too large value, or fractions of a hundredth.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        Self::parse_digits(text, 13)
    }

    /// Reads a sum that this program wrote, which may be beyond [`Money::MAX`].
    ///
    /// # Errors
    /// As [`Money::parse`].
    pub fn parse_sum(text: &str) -> Result<Self, MoneyError> {
        Self::parse_digits(text, 26)
    }

    /// As [`Money::parse`], with up to so many digits before the point, far fewer than would overflow.
    fn parse_digits(text: &str, most: usize) -> Result<Self, MoneyError> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return Err(MoneyError::NotADecimal);
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        if negative && !(whole.is_empty() && fraction.is_empty()) {
            return Err(MoneyError::Negative);
        }
        if fraction.len() > 2 {
            return Err(MoneyError::TooPrecise);
        }
        if whole.len() > most {
            return Err(MoneyError::TooLarge);
        }
        format!("{whole}{fraction:0<2}")
            .parse()
            .map(Self)
            .map_err(|_| MoneyError::NotADecimal)
    }

    /// True if this is nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// So many times this amount.
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(u128::from(count)))
    }

    /// The number of times that `part` must be taken to reach this amount; never, for a part of nothing.
    pub fn div_ceil(self, part: Self) -> u128 {
        match part.0 {
            0 => u128::MAX,
            part => self.0.div_ceil(part),
        }
    }

    /// In whole hundredths, as card gateways speak of it.
    pub fn hundredths(self) -> u128 {
        self.0
    }

    /// So many hundredths; `None` if that is more than [`Money::MAX`].
    pub fn of_hundredths(count: u128) -> Option<Self> {
        let money = Self(count);
        (money <= Self::MAX).then_some(money)
    }

    /// The amount that is left of `self` once `other` is taken away; zero when that is more.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        // A sum of amounts up to `MAX` would need 10^23 terms to overflow.
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |sum, amount| sum + amount)
    }
}

/// Two fraction digits and a point, as the MPay contract writes amounts.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_equal_however_they_are_written() {
        for text in ["5", "5.0", "5.", "+5", "05.0000", " 5.00\n"] {
            assert_eq!(Money::parse(text).unwrap().to_string(), "5.00", "{text:?}");
        }
        assert_eq!(Money::parse("-0.00"), Ok(Money::ZERO));
        assert_eq!(Money::parse(".5").unwrap().to_string(), "0.50");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        use MoneyError::*;
        for (text, error) in [
            ("", NotADecimal),
            (".", NotADecimal),
            ("1e3", NotADecimal),
            ("1,50", NotADecimal),
            ("1 000", NotADecimal),
            ("٣", NotADecimal),
            ("--1", NotADecimal),
            ("NaN", NotADecimal),
            ("-1", Negative),
            ("0.001", TooPrecise),
            ("10000000000000", TooLarge),
        ] {
            assert_eq!(Money::parse(text), Err(error), "{text:?}");
        }
        assert!(Money::parse(&"9".repeat(1000)).is_err());
    }

    #[test]
    fn the_largest_amount_is_what_the_docs_say() {
        assert_eq!(Money::MAX.to_string(), "9999999999999.99");
        assert_eq!(Money::parse("9999999999999.99"), Ok(Money::MAX));
    }

    #[test]
    fn a_sum_of_any_amounts_is_read_back() {
        let sum: Money = [Money::MAX; 1000].into_iter().sum();
        assert_eq!(Money::parse(&sum.to_string()), Err(MoneyError::TooLarge));
        assert_eq!(Money::parse_sum(&sum.to_string()), Ok(sum));
        let most = format!("{}.99", "9".repeat(26));
        assert_eq!(Money::parse_sum(&most).unwrap().to_string(), most);
    }

    #[test]
    fn subtraction_stops_at_zero() {
        let (small, large) = (Money::parse("1.10").unwrap(), Money::parse("3").unwrap());
        assert_eq!(large.saturating_sub(small).to_string(), "1.90");
        assert_eq!(small.saturating_sub(large), Money::ZERO);
    }
}
