//! Payments entered by hand, that MPay never confirmed or confirms later.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    Evidence, Platform, Store, StoreError, evidence::to_json, keys, list::read_entry,
    orders::OrderEntry,
};
use crate::{
    domain::Confirmation,
    json::{Event, PaymentJson, ProposalJson},
};

/// A proposal to enter a payment by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProposal {
    /// Its place in the journal, by which it is approved.
    pub index: u64,
    /// When it was made.
    pub proposed_at: Timestamp,
    /// Its record.
    pub proposal: ProposalJson,
}

impl<P: Platform> Store<P> {
    /// Keeps a proposal; gives its place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept.
    pub async fn propose(&self, proposal: &ProposalJson) -> Result<u64, StoreError> {
        let event = to_json(&Event::PaymentProposed(Box::new(proposal.clone())))?;
        let slot = self.take(keys::JOURNAL).await?;
        self.fill(&[(&slot, &event)], Vec::new()).await?;
        Ok(slot.index)
    }

    /// The proposal at this place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn proposal(&self, index: u64) -> Result<Option<StoredProposal>, StoreError> {
        let key = keys::journal(index);
        let values = self.get_many(std::slice::from_ref(&key)).await?;
        let Some(bytes) = values.get(&key) else {
            return Ok(None);
        };
        let entry = read_entry::<Event>(&key, index, bytes)?;
        Ok(match entry.value {
            Event::PaymentProposed(proposal) => Some(StoredProposal {
                index,
                proposed_at: entry.at,
                proposal: *proposal,
            }),
            _ => None,
        })
    }

    /// Notes, once, that MPay confirms a payment that was entered by hand ([`super::Recorded::Manual`]):
    /// its message is kept, and nothing is paid twice.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept; MPay must then come again.
    pub async fn confirm_manual(
        &self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        evidence: &Evidence<'_>,
    ) -> Result<(), StoreError> {
        let (service, key) = (&confirmation.service_id, &confirmation.order_key);
        let order = self.order(service, key).await?;
        let noted = order.is_some_and(|order| {
            let mut payments = order.payments.iter();
            let known = payments.find(|known| known.payment_id == payment.payment_id);
            known.is_some_and(PaymentJson::is_confirmed)
        });
        if noted {
            return Ok(());
        }
        let order = self.take(&keys::order(service, key)).await?;
        let journal = self.take(keys::JOURNAL).await?;
        let record = Box::new(payment.clone());
        let entry = to_json(&OrderEntry::Confirmed(record.clone()))?;
        let event = to_json(&Event::PaymentConfirmed(record))?;
        self.fill(
            &[(&order, &entry), (&journal, &event)],
            evidence.missing(&HashMap::new()),
        )
        .await
    }
}
