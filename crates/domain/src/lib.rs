//! Orders and payments, and what follows from them. No I/O, no clock, no wire format.
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
