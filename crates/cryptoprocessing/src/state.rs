//! Every state and error code of the gateway, with its meaning here.

use std::fmt;

/// The state of a payment. Amounts are in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has paid yet. It is final once the session has expired.
    Open,
    /// The gateway is working on it, for up to 72 hours.
    Pending,
    /// Held on the card. It lapses after some 7 days.
    Held {
        /// The amount that is held.
        amount: u64,
    },
    /// Taken.
    Paid {
        /// The amount that remains taken, after partial refunds.
        remaining: u64,
    },
    /// Taken, and all of it given back.
    Refunded,
    /// The hold was released: nothing was taken.
    Released,
    /// This attempt failed. In the session, the payer may try again under the same `OrderId`.
    Failed,
    /// Taken, and disputed by the holder of the card.
    ChargedBack {
        /// The amount taken and not given back, if the gateway tells it.
        amount: Option<u64>,
    },
    /// The payment is another terminal's, or the state is not in the contract.
    Unknown,
}

impl State {
    /// The state of this name, in any case. `None` if it needs an amount and none is given.
    pub(crate) fn of(name: &str, amount: Option<u64>) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        Some(match name.as_str() {
            "ORDER_NOT_FOUND" | "SESSION_INITED" | "NEW" => Self::Open,
            "PREAUTHORIZED3DS" | "PREAUTHORIZEDAF" | "NONE" => Self::Pending,
            pending if pending.starts_with("PENDING") => Self::Pending,
            "AUTHORIZED" => Self::Held { amount: amount? },
            "CHARGED" => Self::Paid { remaining: amount? },
            "REFUNDED" => Self::Refunded,
            "VOIDED" | "AUTHORIZATIONCLOSED" => Self::Released,
            "REJECTED" | "ERROR" | "OBSOLETE" | "ORDER_TIME_OUT" => Self::Failed,
            "CHARGEBACK" => Self::ChargedBack { amount },
            _ => Self::Unknown,
        })
    }
}

/// The most characters of a code.
const MAX_CODE: usize = 64;

/// `ErrCode`: the reason for which the gateway did not do something. In capitals, whatever it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ErrCode(String);

impl ErrCode {
    /// Reads a code. `None` if it is no word of 1 to 64 Latin letters, digits, `_`, `-` and `.`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        ((1..=MAX_CODE).contains(&text.len()) && text.chars().all(is))
            .then(|| Self(text.to_ascii_uppercase()))
    }

    /// The code in capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The group of the code.
    #[must_use]
    pub fn group(&self) -> Group {
        match self.as_str() {
            "ACCESS_DENIED"
            | "API_NOT_ALLOWED"
            | "WRONG_PARAMS"
            | "CURRENCY_NOT_ALLOWED"
            | "MERCHANT_RESTRICTION"
            | "OPERATION_NOT_ALLOWED" => Group::Configuration,
            // Before the other codes of an issuer.
            "NONE"
            | "PROCESSING_TIME_OUT"
            | "ISSUER_TIMEOUT"
            | "COMMUNICATE_ERROR"
            | "EMPTY_RESPONSE"
            | "UNKNOWN_STATE"
            | "INTERNAL_ERROR"
            | "PAYMENT_ENGINE_ERROR" => Group::Unknown,
            "AMOUNT_EXCEED" | "CARD_EXPIRED" | "WRONG_PAN" | "WRONG_CVV" | "CANCELED_BY_CLIENT" => {
                Group::PayersCard
            }
            code if ["ISSUER_", "THREE_DS_", "FRAUD_ERROR"]
                .iter()
                .any(|prefix| code.starts_with(prefix)) =>
            {
                Group::PayersCard
            }
            "CUSTOMER_NOT_FOUND" | "USER_NOT_FOUND" => Group::Wallet(WalletError::NoCustomer),
            "DUPLICATE_CUSTOMER" | "DUPLICATE_USER" => Group::Wallet(WalletError::CustomerExists),
            "CARD_NOT_FOUND" => Group::Wallet(WalletError::NoCard),
            "DUPLICATE_CARD" => Group::Wallet(WalletError::CardExists),
            "WRONG_CARD" => Group::Wallet(WalletError::WrongCard),
            _ => Group::Refused,
        }
    }
}

impl fmt::Display for ErrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The groups of error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The terminal, its rights or the request is wrong: a person must be told.
    Configuration,
    /// It is unknown if the command was done, as without an answer.
    Unknown,
    /// The payer's card, or the payer.
    PayersCard,
    /// A customer or a saved card.
    Wallet(WalletError),
    /// Not done, because of the payment's state.
    Refused,
}

/// An error with a customer or a saved card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletError {
    /// No such customer, or another password.
    NoCustomer,
    /// There is such a customer.
    CustomerExists,
    /// No such card.
    NoCard,
    /// The card is saved already.
    CardExists,
    /// The card is not active, or not the customer's.
    WrongCard,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_the_contract_is_read_in_any_case() {
        let held = State::Held { amount: 7 };
        let paid = State::Paid { remaining: 7 };
        for (name, state) in [
            ("ORDER_NOT_FOUND", State::Open),
            ("Session_Inited", State::Open),
            ("New", State::Open),
            ("PreAuthorized3DS", State::Pending),
            ("PreAuthorizedAF", State::Pending),
            ("Pending", State::Pending),
            ("PendingCharge", State::Pending),
            ("NONE", State::Pending),
            ("Authorized", held),
            ("Charged", paid),
            ("Refunded", State::Refunded),
            ("Voided", State::Released),
            ("AuthorizationClosed", State::Released),
            ("Rejected", State::Failed),
            ("Error", State::Failed),
            ("Obsolete", State::Failed),
            ("ORDER_TIME_OUT", State::Failed),
            ("Chargeback", State::ChargedBack { amount: Some(7) }),
            ("Forwarded", State::Unknown),
            ("Chargéd", State::Unknown),
            ("Charged ", State::Unknown),
            ("NotCharged", State::Unknown),
            ("", State::Unknown),
        ] {
            for name in [
                name.to_owned(),
                name.to_ascii_uppercase(),
                name.to_ascii_lowercase(),
            ] {
                assert_eq!(State::of(&name, Some(7)), Some(state), "{name}");
                let needs = state == held || state == paid;
                assert_eq!(State::of(&name, None).is_none(), needs, "{name}");
            }
        }
    }

    #[test]
    fn every_code_of_the_contract_has_its_group() {
        let of = |group: Group, codes: &[&str]| {
            for code in codes {
                let lower = code.to_ascii_lowercase();
                assert_eq!(ErrCode::parse(code).unwrap().group(), group, "{code}");
                assert_eq!(ErrCode::parse(&lower).unwrap().group(), group, "{lower}");
            }
        };
        of(
            Group::Configuration,
            &[
                "ACCESS_DENIED",
                "API_NOT_ALLOWED",
                "WRONG_PARAMS",
                "CURRENCY_NOT_ALLOWED",
                "MERCHANT_RESTRICTION",
                "OPERATION_NOT_ALLOWED",
            ],
        );
        of(
            Group::Unknown,
            &[
                "NONE",
                "PROCESSING_TIME_OUT",
                "ISSUER_TIMEOUT",
                "COMMUNICATE_ERROR",
                "EMPTY_RESPONSE",
                "UNKNOWN_STATE",
                "INTERNAL_ERROR",
                "PAYMENT_ENGINE_ERROR",
            ],
        );
        of(
            Group::PayersCard,
            &[
                "AMOUNT_EXCEED",
                "CARD_EXPIRED",
                "ISSUER_BLOCKED_CARD",
                "ISSUER_CARD_FAIL",
                "WRONG_PAN",
                "WRONG_CVV",
                "THREE_DS_AUTH_ERROR",
                "THREE_DS_TIME_OUT",
                "FRAUD_ERROR",
                "FRAUD_ERROR_BIN_LIMIT",
                "CANCELED_BY_CLIENT",
            ],
        );
        of(
            Group::Refused,
            &[
                "ILLEGAL_ORDER_STATE",
                "AMOUNT_ERROR",
                "DUPLICATE_ORDER_ID",
                "REFUND_NOT_ALOWED",
                "PROCESSING_ERROR",
                "ORDER_NOT_FOUND",
                "ORDER_TIME_OUT",
                "A_CODE_OF_LATER",
            ],
        );
        let wallet = |error, codes| of(Group::Wallet(error), codes);
        wallet(
            WalletError::NoCustomer,
            &["CUSTOMER_NOT_FOUND", "USER_NOT_FOUND"],
        );
        wallet(
            WalletError::CustomerExists,
            &["DUPLICATE_CUSTOMER", "DUPLICATE_USER"],
        );
        wallet(WalletError::NoCard, &["CARD_NOT_FOUND"]);
        wallet(WalletError::CardExists, &["DUPLICATE_CARD"]);
        wallet(WalletError::WrongCard, &["WRONG_CARD"]);
    }

    #[test]
    fn a_code_is_a_word() {
        for wrong in ["", " ", "a b", "<b>", "ș", &"A".repeat(65)] {
            assert_eq!(ErrCode::parse(wrong), None, "{wrong}");
        }
        assert_eq!(ErrCode::parse(" none ").unwrap().as_str(), "NONE");
    }
}
