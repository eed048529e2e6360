//! The JSON shape of orders, payments and events, in the order API and in the store.

// Members have the contract's names; `domain` explains their meaning.
#[allow(missing_docs)]
mod amount;
#[allow(missing_docs)]
mod card;
#[allow(missing_docs)]
mod event;
mod group;
#[allow(missing_docs)]
mod metadata;
#[allow(missing_docs)]
mod order;
#[allow(missing_docs)]
mod payment;
mod personal_data;
#[allow(missing_docs)]
mod refund;
#[cfg(test)]
mod round_trip;
#[allow(missing_docs)]
mod summary;
pub mod time;
#[allow(missing_docs)]
mod void;

use std::fmt;

pub use amount::AmountJson;
pub use card::{
    AttemptJson, Capture, CardJson, CardStartedJson, CardState, CommandJson, CommandKind, Ended,
    EndedJson, Outcome, OutcomeJson, SeenJson,
};
pub use event::{
    ErasureJson, Event, OrderEvent, PartJson, RefusalJson, ReviewClosedJson, SettlementJson,
};
pub use group::{Group, Groups, UnknownGroup};
pub use metadata::{MarkedJson, MetadataJson, MetadatumJson};
pub use order::{AccountJson, EachLanguage, LineJson, LocalizedJson, OrderJson, PropertyJson};
pub use payment::{
    Channel, ConfirmedJson, ManualJson, PaymentJson, PaymentLineJson, PaymentPropertyJson,
    ProposalJson, SignerJson,
};
pub use refund::{RefundJson, RefundedJson, ReviewOpenedJson};
pub use summary::{
    FormerLineJson, OpenReviewsJson, PaidJson, PaidOfLineJson, ShapeJson, SummaryJson,
};
pub use void::{LatestJson, VoidJson, VoidProposalJson, VoidedJson, WithdrawalJson};

/// The error that a member of a JSON document is invalid.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct FieldError {
    /// Path of the member, such as `lines[0].amount_due`.
    pub field: String,
    /// The mistake in it.
    pub detail: String,
}

impl FieldError {
    /// The error at the member of this path.
    pub fn new(field: impl Into<String>, detail: impl ToString) -> Self {
        Self {
            field: field.into(),
            detail: detail.to_string(),
        }
    }
}

/// Collects the errors of a document while it is read, so that all are told at once. The path of a member
/// is written only if it is invalid.
#[derive(Default)]
struct Reader {
    errors: Vec<FieldError>,
}

impl Reader {
    fn error(&mut self, field: impl fmt::Display, detail: impl ToString) {
        self.errors.push(FieldError::new(field.to_string(), detail));
    }

    /// The value, or `None` once the error is noted.
    fn check<T, E: ToString>(
        &mut self,
        field: impl fmt::Display,
        value: Result<T, E>,
    ) -> Option<T> {
        value
            .map_err(|error| self.error(field, error.to_string()))
            .ok()
    }

    /// As [`Self::check`], for a member that may be absent.
    fn optional<T, E: ToString>(
        &mut self,
        field: impl fmt::Display,
        value: Option<&String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        value.and_then(|text| self.check(field, parse(text)))
    }

    /// As [`Self::check`], for a member that must be there.
    fn required<T, E: ToString>(
        &mut self,
        field: impl fmt::Display,
        value: Option<&String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        if value.is_none() {
            self.error(&field, "is missing");
        }
        self.optional(field, value, parse)
    }
}
