//! Taking back what was entered by hand. Nothing here is of a person, so that it can be kept for ever.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FieldError, PaymentJson, PaymentLineJson};
use crate::domain::{PaymentId, Text, Voided};

/// One person proposes, and another approves, that a payment which was entered by hand shall count
/// no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VoidProposalJson {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    /// By which of its proposals the payment was entered: a place in the journal.
    pub proposal: u64,
    /// Why.
    pub note: String,
    /// Fingerprint of the token of whoever proposes.
    pub by: String,
}

/// A payment that was entered by hand and counts no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VoidJson {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<String>,
    /// What it was, and is no more.
    pub amount: String,
    pub currency: String,
    pub paid_at: String,
    /// Its lines with their accounts, without what payers filled in.
    pub lines: Vec<PaymentLineJson>,
    /// Place of the payment in the journal.
    pub recorded: u64,
    /// Place of the proposal by which it was entered.
    pub proposal: u64,
    /// Place of the proposal to void it.
    pub void_proposal: u64,
    /// Fingerprints of the two tokens.
    pub proposed_by: String,
    pub approved_by: String,
    /// Why.
    pub note: String,
}

/// A proposal that nobody can approve any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WithdrawalJson {
    /// Place of the proposal in the journal.
    pub proposal: u64,
    pub payment_id: String,
    /// Fingerprint of the token of whoever withdraws it.
    pub by: String,
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
        }
    }

    /// Which payment was voided, `at` this time, and why.
    ///
    /// # Errors
    /// The member that is wrong.
    pub fn read(&self, at: Timestamp) -> Result<(PaymentId, Voided), FieldError> {
        let wrong = |field: &str, detail: String| FieldError::new(field, detail);
        let payment_id = PaymentId::parse(&self.payment_id)
            .map_err(|error| wrong("payment_id", error.to_string()))?;
        let note = Text::parse(&self.note).map_err(|error| wrong("note", error.to_string()))?;
        let voided = Voided {
            at,
            note,
            proposed_by: self.proposed_by.clone(),
            approved_by: self.approved_by.clone(),
        };
        Ok((payment_id, voided))
    }
}
