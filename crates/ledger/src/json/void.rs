//! Voids of payments that were entered by hand. None of this is personal data, so that it can be kept for
//! ever.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FieldError, PaymentJson, PaymentLineJson, Reader, summary::read_review};
use crate::domain::{
    Currency, LatestPayment, LineId, Money, PaymentId, Review, Text, VoidEffect, Voided, time,
};

/// A proposal of one person, which another approves, to void a payment that was entered by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct VoidProposalJson {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    /// Place in the journal of the proposal by which the payment was entered.
    pub proposal: u64,
    /// The reason.
    pub note: String,
    /// Name of the principal who proposes.
    pub by: String,
}

/// A payment that was entered by hand and is voided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct VoidJson {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<String>,
    /// The amount that it had.
    pub amount: String,
    pub currency: String,
    pub paid_at: String,
    /// Its lines with their accounts, without the values that payers filled in.
    pub lines: Vec<PaymentLineJson>,
    /// Place of the payment in the journal.
    pub recorded: u64,
    /// Place of the proposal by which it was entered.
    pub proposal: u64,
    /// Place of the proposal to void it.
    pub void_proposal: u64,
    /// Names of the two people.
    pub proposed_by: String,
    pub approved_by: String,
    /// The reason.
    pub note: String,
    /// The version of the order that this change made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// A void as its order keeps it, with its effect on the sums, since a fold that goes on from a summary
/// does not have the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidedJson {
    pub void: VoidJson,
    /// The reviews that were open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<String>,
    /// True if the payment came before the order's latest version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_before: bool,
    /// The latest of the other payments in its currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<LatestJson>,
    /// The time at which the order is settled without the payment, if its amounts depend on the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
}

/// A payment, and its open reviews.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestJson {
    pub payment_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<String>,
    /// The time by whose amounts it was judged.
    pub judged_at: String,
}

/// A proposal that nobody can approve any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct WithdrawalJson {
    /// Place of the proposal in the journal.
    pub proposal: u64,
    pub payment_id: String,
    /// Name of the principal who withdraws it.
    pub by: String,
    /// Place in the list of decisions on the proposal; the event counts if that place does.
    pub entry: u64,
}

impl VoidJson {
    /// The void of a payment at the place `recorded`, by a proposal at `void_proposal`.
    pub fn new(
        payment: &PaymentJson,
        recorded: u64,
        void_proposal: u64,
        proposal: &VoidProposalJson,
        approved_by: &str,
    ) -> Self {
        let mut lines = payment.lines.clone();
        for line in &mut lines {
            line.properties.clear();
        }
        Self {
            payment_id: payment.payment_id.clone(),
            service_id: payment.service_id.clone(),
            order_key: payment.order_key.clone(),
            invoice_id: payment.invoice_id.clone(),
            amount: payment.amount.clone(),
            currency: payment.currency.clone(),
            paid_at: payment.paid_at.clone(),
            lines,
            recorded,
            proposal: proposal.proposal,
            void_proposal,
            proposed_by: proposal.by.clone(),
            approved_by: approved_by.to_owned(),
            note: proposal.note.clone(),
            version: None,
        }
    }
}

impl VoidedJson {
    /// A void, with its effect.
    pub fn new(void: VoidJson, effect: &VoidEffect) -> Self {
        let names = |reviews: &[Review]| {
            let reviews = reviews.iter();
            reviews.map(|review| review.as_str().to_owned()).collect()
        };
        Self {
            void,
            review: names(&effect.reviews),
            was_before: effect.was_before,
            latest: effect.latest.as_ref().map(|latest| LatestJson {
                payment_id: latest.payment_id.to_string(),
                review: names(&latest.reviews),
                judged_at: time::format(latest.judged_at),
            }),
            settled_at: effect.settled_at.map(time::format),
        }
    }

    /// The void, known `at` this time, and its effect.
    ///
    /// # Errors
    /// [`FieldError`]s for the invalid members.
    pub fn read(&self, at: Timestamp) -> Result<(Voided, VoidEffect), Vec<FieldError>> {
        let mut reader = Reader::default();
        let void = &self.void;
        let payment_id = reader.check("payment_id", PaymentId::parse(&void.payment_id));
        let currency = reader.check("currency", Currency::parse(&void.currency));
        let total = reader.check("amount", Money::parse(&void.amount));
        let note = reader.check("note", Text::parse(&void.note));
        let mut lines = Vec::with_capacity(void.lines.len());
        for line in &void.lines {
            let id = reader.check("lines.line_id", LineId::parse(&line.line_id));
            let amount = reader.check("lines.amount", Money::parse(&line.amount));
            lines.extend(id.zip(amount));
        }
        let reviews = read_reviews(&mut reader, &self.review);
        let latest = self.latest.as_ref().and_then(|latest| {
            let payment_id = reader.check("latest", PaymentId::parse(&latest.payment_id));
            let judged_at = reader.check("latest", time::parse(&latest.judged_at));
            Some(LatestPayment {
                reviews: read_reviews(&mut reader, &latest.review),
                payment_id: payment_id?,
                judged_at: judged_at?,
            })
        });
        let settled_at = reader.optional("settled_at", self.settled_at.as_ref(), time::parse);
        match (payment_id, currency, total, note) {
            (Some(payment_id), Some(currency), Some(total), Some(note))
                if reader.errors.is_empty() =>
            {
                let voided = Voided {
                    at,
                    note,
                    proposed_by: void.proposed_by.clone(),
                    approved_by: void.approved_by.clone(),
                };
                let effect = VoidEffect {
                    payment_id,
                    currency,
                    total,
                    lines,
                    reviews,
                    was_before: self.was_before,
                    latest,
                    settled_at,
                };
                Ok((voided, effect))
            }
            _ => Err(reader.errors),
        }
    }
}

fn read_reviews(reader: &mut Reader, reviews: &[String]) -> Vec<Review> {
    let reviews = reviews.iter();
    reviews
        .filter_map(|review| read_review(reader, review))
        .collect()
}
