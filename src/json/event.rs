use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FieldError, PaymentJson, ProposalJson, SignerJson};
use crate::domain::{ClosedReview, Order, PaymentId, Review, SetStatus, Text};

/// What happened: an entry of the journal. Flat, with `type` beside the members of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum Event {
    /// A new order.
    #[serde(rename = "order.registered")]
    OrderRegistered(OrderEvent),
    /// A new version of an order, with the status as it was.
    #[serde(rename = "order.amended")]
    OrderAmended(OrderEvent),
    /// A status was set. Other members may have changed with it.
    #[serde(rename = "order.completed")]
    OrderCompleted(OrderEvent),
    #[serde(rename = "order.cancelled")]
    OrderCancelled(OrderEvent),
    #[serde(rename = "order.refunding")]
    OrderRefunding(OrderEvent),
    #[serde(rename = "order.refunded")]
    OrderRefunded(OrderEvent),
    /// A status that was set is taken back.
    #[serde(rename = "order.reopened")]
    OrderReopened(OrderEvent),
    /// A payment. It is one only if the payment's marker names this entry.
    #[serde(rename = "payment.recorded")]
    PaymentRecorded(Box<PaymentJson>),
    /// A confirmation that MPay signed and this provider refused.
    #[serde(rename = "payment.refused")]
    PaymentRefused(Box<RefusalJson>),
    /// A person proposes to enter a payment by hand.
    #[serde(rename = "payment.proposed")]
    PaymentProposed(Box<ProposalJson>),
    /// MPay confirms a payment that was entered by hand.
    #[serde(rename = "payment.confirmed")]
    PaymentConfirmed(Box<PaymentJson>),
    /// A statement shows payments.
    #[serde(rename = "settlement.imported")]
    SettlementImported(Box<SettlementJson>),
    /// A person has closed a review.
    #[serde(rename = "review.closed")]
    ReviewClosed(Box<ReviewClosedJson>),
    /// What is of a person was erased from an order, or with a refused confirmation's message.
    #[serde(rename = "personal_data.erased")]
    PersonalDataErased(Box<ErasureJson>),
}

/// Which order changed, and what it asks for now. Names nobody, so that it can be kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OrderEvent {
    pub service_id: String,
    pub order_key: String,
    /// The version that the change made: the order's `ETag`, if nothing came after.
    pub version: u64,
    pub currency: String,
    /// Absent while it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_amount_due: Option<String>,
    /// A status that the institution set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_reference: Option<String>,
}

/// Payments that a bank's or the treasury's statement shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SettlementJson {
    /// SHA-256 of the statement.
    pub sha256: String,
    /// PaymentIDs of those that no statement had shown before.
    pub payments: Vec<String>,
    /// Fingerprint of the token of whoever sent it.
    pub by: String,
}

/// A person has looked at what was flagged: a payment, or a refused confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReviewClosedJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Of a refused confirmation, the name of the signed message among the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The flag.
    pub reason: String,
    pub note: String,
    /// Fingerprint of the token of whoever closed it.
    pub by: String,
}

/// What is of a person was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErasureJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Of a refused confirmation, the name of the signed message among the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// `retention`, or `request`.
    pub reason: String,
    /// Fingerprint of the token of whoever asked for it.
    pub by: String,
}

/// A confirmation that MPay signed and this provider refused, for people to sort out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusalJson {
    /// `PaymentID`, where the message has one; the others likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Code of the fault that MPay got.
    pub code: String,
    /// Its text.
    pub reason: String,
    /// When the message came in.
    pub received_at: String,
    pub signer: SignerJson,
    /// Name of the signed message among the evidence.
    pub evidence: String,
}

impl Event {
    /// What happened to an order that was `before` and is `after`, as version `version`.
    pub fn of_order(before: Option<&Order>, after: &Order, version: u64) -> Self {
        let event = OrderEvent {
            service_id: after.service_id.to_string(),
            order_key: after.order_key.to_string(),
            version,
            currency: after.currency.as_str().to_owned(),
            total_amount_due: after.total().map(|total| total.to_string()),
            status: after.set_status.map(|status| status.as_str().to_owned()),
            refund_reference: after
                .refund_reference
                .as_ref()
                .map(|text| text.as_str().to_owned()),
        };
        let Some(before) = before else {
            return Self::OrderRegistered(event);
        };
        if before.set_status == after.set_status {
            return Self::OrderAmended(event);
        }
        match after.set_status {
            Some(SetStatus::Completed) => Self::OrderCompleted(event),
            Some(SetStatus::Cancelled) => Self::OrderCancelled(event),
            Some(SetStatus::Refunding) => Self::OrderRefunding(event),
            Some(SetStatus::Refunded) => Self::OrderRefunded(event),
            None => Self::OrderReopened(event),
        }
    }
}

impl ReviewClosedJson {
    /// Which payment's review was closed, `at` this time, and how.
    ///
    /// # Errors
    /// The member that is wrong.
    pub fn read(&self, at: Timestamp) -> Result<(PaymentId, ClosedReview), FieldError> {
        let wrong = |field: &str, detail: String| FieldError::new(field, detail);
        let payment_id = self.payment_id.as_deref().unwrap_or_default();
        let payment_id =
            PaymentId::parse(payment_id).map_err(|error| wrong("payment_id", error.to_string()))?;
        let review = Review::parse(&self.reason)
            .ok_or_else(|| wrong("reason", "is no reason for a review".to_owned()))?;
        let note = Text::parse(&self.note).map_err(|error| wrong("note", error.to_string()))?;
        let closed = ClosedReview {
            review,
            note,
            closed_at: at,
            by: self.by.clone(),
        };
        Ok((payment_id, closed))
    }
}
