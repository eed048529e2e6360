//! The rules of orders and payments. No I/O, no clock, no wire format.
//!
//! A value of one of these types is right once it exists: it is read by `parse` or made by `new`, whose
//! errors are sentences for people. Amounts are whole hundredths, lengths are in characters, and the
//! lengths are those of MPay's contract.
//!
//! | module | what |
//! | --- | --- |
//! | `money`, `currency`, `text`, `iban`, `identifiers`, `state_identifier`, [`time`], `working_days` | values |
//! | `look_alike`, `name` | keys that payers could confuse; names as people search for them |
//! | `account`, `amounts`, `order` | what an institution asks: accounts, amounts that depend on the day, orders |
//! | `payment` | what MPay confirms |
//! | `summary`, `state` | the sum of an order's versions and payments; the order with its payments |
//! | `life` | which changes of an order are allowed |
//! | `generated_key`, `key_pattern` | keys that the provider makes, and those of orders that nobody registers |
//!
//! Versions and payments are put into an [`OrderState`] in the order of their recording. Everything
//! else is computed of it, for a time that the caller gives:
//!
//! ```
//! use jiff::Timestamp;
//! use mpay_domain::{Confirmation, Misfit, Money, Order, OrderState, Receipt};
//!
//! /// The amount that is due once an order was paid so.
//! fn due_after(order: Order, paid: Confirmation, now: Timestamp) -> Result<Option<Money>, Misfit> {
//!     let mut state = OrderState::default();
//!     state.amend(order);
//!     state.check_payment(&paid)?;
//!     state.pay(paid, &Receipt::at(now));
//!     Ok(state.amount_due(now))
//! }
//!
//! let sum = Money::parse("100.5")? + Money::parse("0.05")?;
//! assert_eq!(sum.to_string(), "100.55");
//! assert!(Money::parse("1e2").is_err());
//! # Ok::<(), mpay_domain::MoneyError>(())
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod account;
mod amounts;
mod currency;
mod generated_key;
mod iban;
mod identifiers;
mod key_pattern;
mod life;
mod look_alike;
mod money;
mod name;
mod order;
mod payment;
mod state;
mod state_identifier;
mod summary;
mod text;
pub mod time;
mod working_days;

pub use account::{AccountDetails, PaymentAccount};
pub use amounts::{AmountChange, AmountError, DatedAmount, Period, Term};
pub use currency::{Currency, CurrencyError};
pub use iban::{Iban, IbanError};
pub use identifiers::{LineId, OrderKey, PaymentId, ServiceId};
pub use key_pattern::{CheckDigit, KeyPattern, KeyPatternError};
pub use life::ChangeRefused;
pub use look_alike::{folded, invisible};
pub use money::{Money, MoneyError};
pub use name::NameSearch;
pub use order::{
    ALIASES_MAX, AMOUNTS_MAX, Alias, CustomerType, Line, METADATA_MAX, Metadatum, Order,
    OrderError, OrderFields, PROPERTY_TYPES, Property, SetStatus,
};
pub use payment::{
    Confirmation, ConfirmationLine, ConfirmationProperty, ContentDigest, Misfit, Receipt,
};
pub use state::{
    ClosedReview, LineDue, OrderState, OrderStatus, RecordedPayment, Refund, Review, Voided,
};
pub use state_identifier::{StateIdentifierDoubt, check_state_identifier};
pub use summary::{
    Judgement, LatestPayment, OpenedReview, OrderSummary, Paid, RefundEffect, Shape, SummaryFields,
    VoidEffect,
};
pub use text::{Language, Localized, Text, TextError, steers_display};
pub use working_days::{LONGEST_TERM, NoDay, WorkingDays};
