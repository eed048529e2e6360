//! Names of things: right once they exist.

use std::fmt;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// Longer than the contract allows.
    #[error("has {length} characters, at most {max} are allowed")]
    TooLong {
        /// Length found, in characters.
        length: usize,
        /// Longest allowed, in characters.
        max: usize,
    },
    /// A control character, which no wire format carries safely.
    #[error("contains a control character")]
    ControlCharacter,
    /// Not three capital letters of the Latin alphabet.
    #[error("must be a currency code of ISO 4217, such as MDL")]
    NotACurrency,
}

fn identifier(text: &str, max: usize) -> Result<String, IdentifierError> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 {
        return Err(IdentifierError::Empty);
    }
    if length > max {
        return Err(IdentifierError::TooLong { length, max });
    }
    if text.chars().any(char::is_control) {
        return Err(IdentifierError::ControlCharacter);
    }
    Ok(text.to_owned())
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        ///
        /// Trimmed, not empty, without control characters; compared exactly.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The longest value, in characters (MPay contract, "Structures").
            pub const MAX: usize = $max;

            /// Trims and checks `text`.
            ///
            /// # Errors
            /// [`IdentifierError`] when it is empty, too long or holds control characters.
            pub fn parse(text: &str) -> Result<Self, IdentifierError> {
                identifier(text, Self::MAX).map(Self)
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

identifier!(
    /// `ServiceID`: a service of the institution, as MPay registered it.
    ServiceId,
    36
);
identifier!(
    /// `OrderKey`: an order within its service, chosen by the institution and typed by payers.
    OrderKey,
    36
);
identifier!(
    /// `LineID`: a line within its order.
    LineId,
    36
);
identifier!(
    /// `PaymentID`: a payment, unique within MPay.
    PaymentId,
    36
);
identifier!(
    /// `InvoiceID`: MPay's own number for what it showed to the payer.
    InvoiceId,
    36
);

impl OrderKey {
    /// What two keys must not have in common: the key without white space, in lower case.
    ///
    /// Payers type keys at terminals, so keys that differ only in this way would be confused.
    pub fn folded(&self) -> String {
        self.0
            .chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect()
    }
}

/// A currency code of ISO 4217, such as `MDL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The Moldovan leu.
    pub const MDL: Self = Self(*b"MDL");

    /// Reads three capital letters.
    ///
    /// # Errors
    /// [`IdentifierError::NotACurrency`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        match <[u8; 3]>::try_from(text.trim().as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(IdentifierError::NotACurrency),
        }
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        // The constructors admit ASCII letters only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters_not_bytes() {
        assert!(OrderKey::parse(&"ș".repeat(36)).is_ok());
        assert_eq!(
            OrderKey::parse(&"ș".repeat(37)),
            Err(IdentifierError::TooLong {
                length: 37,
                max: 36
            })
        );
    }

    #[test]
    fn blanks_and_control_characters_are_refused() {
        assert_eq!(LineId::parse("  "), Err(IdentifierError::Empty));
        assert_eq!(
            LineId::parse("a\u{0}b"),
            Err(IdentifierError::ControlCharacter)
        );
        assert_eq!(
            LineId::parse("a\nb"),
            Err(IdentifierError::ControlCharacter)
        );
    }

    #[test]
    fn keys_fold_over_case_and_spaces() {
        let key = OrderKey::parse(" Ab 1-2 ").unwrap();
        assert_eq!(key.as_str(), "Ab 1-2");
        assert_eq!(key.folded(), "ab1-2");
    }

    #[test]
    fn currencies_are_three_capital_letters() {
        assert_eq!(Currency::parse("MDL"), Ok(Currency::MDL));
        for wrong in ["mdl", "MD", "MDLL", "M1L", ""] {
            assert!(Currency::parse(wrong).is_err(), "{wrong}");
        }
    }
}
