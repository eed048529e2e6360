//! Ids, secrets and amounts, as they go over the wire.

use std::fmt;

/// The reason for which a value cannot be sent to the gateway. No variant holds the value: it may be a
/// secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsendable {
    /// A value that is empty or too long.
    #[error("{name} must have 1 to {most} characters")]
    Length {
        /// The parameter.
        name: &'static str,
        /// The most characters that it may have.
        most: usize,
    },
    /// An id with a character that ids do not have.
    #[error("{name} may consist of {of} only")]
    Id {
        /// The parameter.
        name: &'static str,
        /// The characters that it may consist of.
        of: &'static str,
    },
    /// A value that would divide the field `Data`, or that the gateway might decode to another value.
    #[error("{name} must not contain ; % + & or control characters")]
    Character {
        /// The parameter.
        name: &'static str,
    },
    /// A name of an own parameter that is empty, or not of Latin letters and digits, or the gateway's.
    #[error(
        "the name of an own parameter must be of Latin letters and digits, and none of the gateway's"
    )]
    Name,
    /// An amount of zero.
    #[error("the amount must be more than zero")]
    NoAmount,
    /// A command of the other interface.
    #[error("{command} is a command of the interface Wallet")]
    NotWallet {
        /// The command.
        command: &'static str,
    },
    /// A session that needs a customer and has none, or has one and must not.
    #[error("a session needs a customer at the interface Wallet, and has none at Ap&Pay")]
    Customer,
}

/// The length of a value, if the contract allows it.
fn of_length(name: &'static str, value: &str, most: usize) -> Result<(), Unsendable> {
    match value.chars().count() {
        count if (1..=most).contains(&count) => Ok(()),
        _ => Err(Unsendable::Length { name, most }),
    }
}

/// Refuses a value that would divide the field `Data`, or that reads differently when it is decoded
/// twice.
pub(crate) fn undivided(name: &'static str, value: &str) -> Result<(), Unsendable> {
    let divides = |c: char| matches!(c, ';' | '%' | '+' | '&') || c.is_control();
    match value.chars().any(divides) {
        true => Err(Unsendable::Character { name }),
        false => Ok(()),
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($parameter:literal, $most:literal, $of:literal, $is:expr);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Reads it as it is written.
            ///
            /// # Errors
            /// If it has another length, or characters that it cannot have.
            pub fn parse(text: &str) -> Result<Self, Unsendable> {
                of_length($parameter, text, $most)?;
                let is: fn(char) -> bool = $is;
                match text.chars().all(is) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(Unsendable::Id { name: $parameter, of: $of }),
                }
            }

            /// The id as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}

ids! {
    /// `OrderId`: the merchant's name of a payment. 1 to 50 Latin letters and digits.
    OrderId("OrderId", 50, "Latin letters and digits", |c| c.is_ascii_alphanumeric());
    /// `SessionId`: the gateway's name of a session of the payer.
    SessionId("SessionId", 36, "Latin letters, digits and -", |c| c.is_ascii_alphanumeric() || c == '-');
    /// `CardId`: the gateway's name of a saved card.
    CardId("CardId", 36, "Latin letters, digits and -", |c| c.is_ascii_alphanumeric() || c == '-');
}

impl OrderId {
    /// True if this is the id that another party wrote: compared without case, as the contract asks.
    #[must_use]
    pub fn is(&self, written: &str) -> bool {
        self.0.eq_ignore_ascii_case(written)
    }
}

/// `VWUserLgn`: the merchant's name of a customer of the Wallet. 1 to 50 characters. `Debug` does not
/// show it, since many merchants use an e-mail address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CustomerId(String);

impl CustomerId {
    /// Reads it as it is written.
    ///
    /// # Errors
    /// If it is empty, longer than 50 characters, or has a character that would divide `DATA`.
    pub fn parse(text: &str) -> Result<Self, Unsendable> {
        of_length("VWUserLgn", text, 50)?;
        undivided("VWUserLgn", text)?;
        Ok(Self(text.to_owned()))
    }

    /// The id as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerId(***)")
    }
}

/// A password: of the terminal, or of a customer of the Wallet. `Debug` does not show it, and only this
/// crate reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Minor units as the page of the gateway shows them, in hundredths: 1999 is `19.99`.
///
/// ```
/// assert_eq!(cryptoprocessing::decimal(1999), "19.99");
/// assert_eq!(cryptoprocessing::decimal(5), "0.05");
/// ```
#[must_use]
pub fn decimal(minor_units: u64) -> String {
    format!("{}.{:02}", minor_units / 100, minor_units % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_length_and_the_characters_of_the_contract() {
        assert!(OrderId::parse(&"a".repeat(50)).is_ok());
        for wrong in ["", "a-b", "a b", "ș", "a;b", "a\n", &"a".repeat(51)] {
            assert!(OrderId::parse(wrong).is_err(), "{wrong}");
        }
        assert!(SessionId::parse("0b9a1c2d-0000-4000-8000-000000000000").is_ok());
        for wrong in ["", "a&b=c", "a/b", "../a", "a%20", &"a".repeat(37)] {
            assert!(SessionId::parse(wrong).is_err(), "{wrong}");
            assert!(CardId::parse(wrong).is_err(), "{wrong}");
        }
        assert!(CustomerId::parse("ana@exemplu.md").is_ok());
        for wrong in ["", "a;b", "a%b", "a+b", "a&b", "a\rb", &"ș".repeat(51)] {
            assert!(CustomerId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_are_compared_without_case() {
        let id = OrderId::parse("cardAB1").unwrap();
        assert!(id.is("CARDab1"));
        assert!(!id.is("cardAB2"));
        assert!(!id.is(" cardAB1"));
    }

    #[test]
    fn debug_shows_neither_secrets_nor_customers() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
        let customer = CustomerId::parse("ana@exemplu.md").unwrap();
        assert_eq!(format!("{customer:?}"), "CustomerId(***)");
    }

    #[test]
    fn errors_tell_the_parameter_and_never_the_value() {
        let error = CustomerId::parse("hunter2;Amount=1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "VWUserLgn must not contain ; % + & or control characters"
        );
    }

    #[test]
    fn minor_units_become_a_decimal_without_floats() {
        for (minor_units, shown) in [
            (0, "0.00"),
            (1, "0.01"),
            (10, "0.10"),
            (1999, "19.99"),
            (12480, "124.80"),
            (u64::MAX, "184467440737095516.15"),
        ] {
            assert_eq!(decimal(minor_units), shown);
        }
    }
}
