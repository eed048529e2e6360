//! Money that was given back, and reviews that came to a payment later. None of this is personal data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FieldError, PaymentLineJson, Reader, summary::read_review};
use crate::domain::{Currency, Money, PaymentId, Refund, RefundEffect, Review, Text};

/// A refund: money of a payment was given back. The record has the amount that remains, so recording it
/// again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct RefundJson {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    /// The amount that was given back.
    pub amount: String,
    /// The amount that remains of the payment.
    pub remaining: String,
    pub currency: String,
    /// The division of the amount over the payment's lines, from the last line on, with their accounts.
    pub lines: Vec<PaymentLineJson>,
    /// Place of the payment in the journal.
    pub recorded: u64,
    /// The reason; absent if the refund was made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Name of the principal who made the refund; absent if it was made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The banks' reference number of the refund, by which statements name it, if it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// Name of its proof among the evidence.
    pub evidence: String,
    /// The version of the order that this change made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// A refund as its order keeps it, with its effect on the sums, since a fold that goes on from a summary
/// does not have the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundedJson {
    pub refund: RefundJson,
    /// The reviews that it ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<String>,
}

/// A payment needs a person, because of a fact that came to be known after it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ReviewOpenedJson {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    /// The reason of the review.
    pub reason: String,
    /// Name of its proof among the evidence.
    pub evidence: String,
    /// The version of the order that this change made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

impl RefundedJson {
    /// A refund that ends these reviews.
    pub fn new(refund: RefundJson, reviews: &[Review]) -> Self {
        let review = reviews.iter().map(|review| review.as_str().to_owned());
        Self {
            refund,
            review: review.collect(),
        }
    }

    /// The refund, known `at` this time, and its effect on the sums.
    ///
    /// # Errors
    /// [`FieldError`]s for the invalid members.
    pub fn read(&self, at: Timestamp) -> Result<(Refund, RefundEffect), Vec<FieldError>> {
        let mut reader = Reader::default();
        let json = &self.refund;
        let payment_id = reader.check("payment_id", PaymentId::parse(&json.payment_id));
        let currency = reader.check("currency", Currency::parse(&json.currency));
        let amount = reader.check("amount", Money::parse(&json.amount));
        let remaining = reader.check("remaining", Money::parse(&json.remaining));
        let note = reader.optional("note", json.note.as_ref(), Text::parse);
        let reviews = self.review.iter();
        let reviews = reviews.filter_map(|review| read_review(&mut reader, review));
        let reviews = reviews.collect();
        match (payment_id, currency, amount, remaining) {
            (Some(payment_id), Some(currency), Some(amount), Some(remaining))
                if reader.errors.is_empty() =>
            {
                let refund = Refund {
                    at,
                    amount,
                    remaining,
                    note,
                    by: json.by.clone(),
                    rrn: json.rrn.clone(),
                };
                let effect = RefundEffect {
                    payment_id,
                    currency,
                    amount,
                    reviews,
                };
                Ok((refund, effect))
            }
            _ => Err(reader.errors),
        }
    }
}

impl ReviewOpenedJson {
    /// The payment whose review is opened.
    ///
    /// # Errors
    /// A [`FieldError`] for the invalid member.
    pub fn read(&self) -> Result<(PaymentId, Review), FieldError> {
        let id = PaymentId::parse(&self.payment_id);
        let id = id.map_err(|error| FieldError::new("payment_id", error))?;
        let review = Review::parse(&self.reason);
        let review =
            review.ok_or_else(|| FieldError::new("reason", "is no reason for a review"))?;
        Ok((id, review))
    }
}
