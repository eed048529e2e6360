//! Payments entered by hand, that MPay never confirmed or confirms later.

use jiff::Timestamp;

use super::{
    Evidence, Platform, Precondition, RegisterError, Store, StoreError,
    evidence::to_json,
    orders::{Change, OrderEntry},
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
        self.enter(&event).await
    }

    /// The proposal at this place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn proposal(&self, index: u64) -> Result<Option<StoredProposal>, StoreError> {
        Ok(match self.journal_entry(index).await? {
            Some(entry) => match entry.event {
                Event::PaymentProposed(proposal) => Some(StoredProposal {
                    index,
                    proposed_at: entry.at,
                    proposal: *proposal,
                }),
                _ => None,
            },
            None => None,
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
        let keys = evidence.keys();
        let kept = self.log.get_many(&keys).await?;
        let noted = self
            .append::<()>(service, key, Precondition::None, |stored, _| {
                let mut payments = stored.payments.iter();
                let known = payments.find(|known| known.payment_id == payment.payment_id);
                // Judged by what stands before its own place, so that of several calls one notes it.
                if known.is_some_and(PaymentJson::is_confirmed) {
                    return Ok(None);
                }
                let record = Box::new(payment.clone());
                Ok(Some(Change {
                    entry: OrderEntry::Confirmed(record.clone()),
                    event: Event::PaymentConfirmed(record),
                    others: evidence.missing(&kept),
                }))
            })
            .await;
        match noted {
            Ok(_) => Ok(()),
            Err(RegisterError::Store(error)) => Err(error),
            Err(_) => Err(StoreError::InProgress(payment.payment_id.clone())),
        }
    }
}
