//! Payments entered by hand, that MPay never confirmed or confirms later.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Evidence, Platform, Precondition, RegisterError, Store, StoreError,
    evidence::to_json,
    keys,
    list::{Listing, read_entry},
    orders::OrderEntry,
};
use crate::{
    domain::{Confirmation, OrderKey, PaymentId, ServiceId},
    json::{Event, PaymentJson, ProposalJson, VoidJson, VoidProposalJson, WithdrawalJson},
};

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// To enter a payment by hand.
    Payment(ProposalJson),
    /// To void one.
    Void(VoidProposalJson),
}

/// What became of a proposal, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is approved.
    Approved {
        /// Fingerprint of the token.
        by: String,
    },
    /// It is withdrawn.
    Withdrawn {
        /// Fingerprint of the token.
        by: String,
    },
    /// An index that was taken, but not used.
    Void,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProposal {
    /// Its place in the journal, by which it is approved.
    pub index: u64,
    /// When it was made.
    pub proposed_at: Timestamp,
    /// Its record.
    pub proposed: Proposed,
    /// What became of it, and when.
    pub decided: Option<(Timestamp, Decision)>,
}

impl<P: Platform> Store<P> {
    /// Keeps a proposal; gives its place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept.
    pub async fn propose(&self, proposed: &Proposed) -> Result<u64, StoreError> {
        let event = to_json(&match proposed.clone() {
            Proposed::Payment(proposal) => Event::PaymentProposed(Box::new(proposal)),
            Proposed::Void(proposal) => Event::PaymentVoidProposed(Box::new(proposal)),
        })?;
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
        let proposed = match entry.value {
            Event::PaymentProposed(proposal) => Proposed::Payment(*proposal),
            Event::PaymentVoidProposed(proposal) => Proposed::Void(*proposal),
            _ => return Ok(None),
        };
        let decisions = self.read_all(&keys::proposal(index)).await?;
        Ok(Some(StoredProposal {
            index,
            proposed_at: entry.at,
            proposed,
            decided: decided(decisions),
        }))
    }

    /// Decides on a proposal, once: gives what was decided, by this call or one before. Nobody
    /// decides while another call is at it, so that what is written counts.
    ///
    /// # Errors
    /// [`StoreError`]; the same again then does it.
    pub async fn decide(
        &self,
        proposal: &StoredProposal,
        decision: &Decision,
    ) -> Result<Decision, StoreError> {
        let list = keys::proposal(proposal.index);
        let seen = self.read_all::<Decision>(&list).await?;
        let next = seen.length + 1;
        let is_pending = seen.first_pending(self.now()).is_some();
        if let Some((_, decided)) = decided(seen) {
            return Ok(decided);
        }
        let slot = self.take(&list).await?;
        if is_pending || slot.index != next {
            // Somebody is at it. If he is dead, the time of this entry will tell.
            let void = to_json(&Decision::Void)?;
            self.fill(&[(&slot, &void)], Vec::new()).await?;
            return Err(StoreError::InProgress(format!(
                "the decision on proposal {}",
                proposal.index
            )));
        }
        let entry = to_json(decision)?;
        let Decision::Withdrawn { by } = decision else {
            self.fill(&[(&slot, &entry)], Vec::new()).await?;
            return Ok(decision.clone());
        };
        let journal = self.take(keys::JOURNAL).await?;
        let event = to_json(&Event::ProposalWithdrawn(Box::new(WithdrawalJson {
            proposal: proposal.index,
            payment_id: proposal.proposed.payment_id().to_owned(),
            by: by.clone(),
        })))?;
        self.fill(&[(&slot, &entry), (&journal, &event)], Vec::new())
            .await?;
        Ok(decision.clone())
    }

    /// Voids a payment that was entered by hand; one that is voided stays as it is. Gives `false` if
    /// it cannot be voided: it is not there any more, or MPay has confirmed it.
    ///
    /// # Errors
    /// [`RegisterError`]; the same again then does it.
    pub async fn void_payment(&self, void: &VoidJson) -> Result<bool, RegisterError<()>> {
        let wrong = |_| RegisterError::Unfit(());
        let service = ServiceId::parse(&void.service_id).map_err(wrong)?;
        let key = OrderKey::parse(&void.order_key).map_err(wrong)?;
        let id = PaymentId::parse(&void.payment_id).map_err(wrong)?;
        let voided = self
            .append(&service, &key, Precondition::None, |stored, _| {
                let known = stored.payments.iter().zip(stored.state.payments());
                let mut known = known.filter(|(payment, state)| {
                    let manual = payment.manual.as_ref();
                    state.confirmation.payment_id == id
                        && manual.is_some_and(|manual| manual.proposal == void.proposal)
                });
                match known.next() {
                    Some((_, state)) if state.voided.is_some() => Ok(None),
                    Some((payment, _)) if !payment.is_confirmed() => Ok(Some((
                        OrderEntry::Voided(Box::new(void.clone())),
                        Event::PaymentVoided(Box::new(void.clone())),
                    ))),
                    _ => Err(RegisterError::Unfit(())),
                }
            })
            .await;
        match voided {
            Ok(_) => Ok(true),
            Err(RegisterError::Unfit(())) => Ok(false),
            Err(error) => Err(error),
        }
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
            let known = payments.rfind(|known| known.payment_id == payment.payment_id);
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

impl Proposed {
    /// The id of the payment that it is about.
    pub fn payment_id(&self) -> &str {
        match self {
            Self::Payment(proposal) => &proposal.payment_id,
            Self::Void(proposal) => &proposal.payment_id,
        }
    }

    /// Fingerprint of the token that proposed it.
    pub fn by(&self) -> &str {
        match self {
            Self::Payment(proposal) => &proposal.by,
            Self::Void(proposal) => &proposal.by,
        }
    }
}

/// The decision that counts.
fn decided(decisions: Listing<Decision>) -> Option<(Timestamp, Decision)> {
    let mut decisions = decisions.entries.into_iter();
    let first = decisions.find(|entry| entry.value != Decision::Void)?;
    Some((first.at, first.value))
}
