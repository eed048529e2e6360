//! Names of things: right once they exist.

use std::fmt;

use super::{Text, TextError, folded};

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// At most 36 characters on one line, trimmed; compared exactly.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text<36>);

        impl $name {
            /// Trims and checks `text`.
            ///
            /// # Errors
            /// [`TextError`] when it is empty, too long or holds control characters.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                Text::parse(text).map(Self)
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
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
    ServiceId
);
identifier!(
    /// `OrderKey`: an order within its service, chosen by the institution and typed by payers.
    OrderKey
);
identifier!(
    /// `LineID`: a line within its order.
    LineId
);
identifier!(
    /// `PaymentID`: a payment, unique within MPay.
    PaymentId
);

impl OrderKey {
    /// A key of digits that this program wrote.
    pub(super) fn of_digits(digits: String) -> Self {
        Self(Text::of_digits(digits))
    }

    /// The form of a key in which two keys must differ ([`folded`]): payers type keys at terminals, and
    /// would confuse keys that differ only in what is folded.
    pub fn folded(&self) -> String {
        folded(self.as_str())
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
            Err(TextError::TooLong {
                length: 37,
                max: 36
            })
        );
    }

    #[test]
    fn blanks_and_control_characters_are_refused() {
        assert_eq!(LineId::parse("  "), Err(TextError::Empty));
        assert_eq!(LineId::parse("a\u{0}b"), Err(TextError::ControlCharacter));
        assert_eq!(LineId::parse("a\nb"), Err(TextError::ControlCharacter));
    }

    #[test]
    fn keys_fold_over_case_and_spaces() {
        let key = OrderKey::parse(" Ab 1-2 ").unwrap();
        assert_eq!(key.as_str(), "Ab 1-2");
        assert_eq!(key.folded(), "ab1-2");
    }
}
