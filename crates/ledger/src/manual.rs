//! Payments entered by hand, that MPay never confirmed or confirms later.

use std::collections::HashMap;

use jiff::Timestamp;
use mpay_log::Listing;
use serde::{Deserialize, Serialize};

use super::{
    Evidence, Platform, Precondition, RegisterError, Store, StoreError,
    evidence::{read_place, to_json},
    keys,
    orders::{Change, Depth, OrderEntry},
};
use crate::{
    domain::{Confirmation, OrderKey, PaymentId, ServiceId},
    json::{
        Event, PaymentJson, ProposalJson, VoidJson, VoidProposalJson, VoidedJson, WithdrawalJson,
    },
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
        /// Name of the principal.
        by: String,
    },
    /// It is withdrawn.
    Withdrawn {
        /// Name of the principal.
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
        self.enter(&event).await
    }

    /// The proposal at this place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn proposal(&self, index: u64) -> Result<Option<StoredProposal>, StoreError> {
        let Some(entry) = self.journal_entry(index).await? else {
            return Ok(None);
        };
        let proposed = match entry.event {
            Event::PaymentProposed(proposal) => Proposed::Payment(*proposal),
            Event::PaymentVoidProposed(proposal) => Proposed::Void(*proposal),
            _ => return Ok(None),
        };
        let decisions = self.log.read_all(&keys::proposal(index)).await?;
        Ok(Some(StoredProposal {
            index,
            proposed_at: entry.at,
            proposed,
            decided: decided(decisions),
        }))
    }

    /// Decides on a proposal, once: gives what was decided, by this call or one before.
    ///
    /// # Errors
    /// [`StoreError`]; the same again then does it.
    pub async fn decide(
        &self,
        proposal: &StoredProposal,
        decision: &Decision,
    ) -> Result<Decision, StoreError> {
        const TRIES: u32 = 5;
        let list = keys::proposal(proposal.index);
        for _ in 0..TRIES {
            if let Some((_, decided)) = decided(self.log.read_all(&list).await?) {
                return Ok(decided);
            }
            let slot = self.log.take(&list).await?;
            // Judged by what stands before its own place, so that of several calls one decides.
            self.log.settle(&list, 1, slot.index()).await?;
            let mut seen = self.log.read_all::<Decision>(&list).await?;
            seen.truncate(slot.index() - 1);
            if let Some((_, decided)) = decided(seen) {
                let void = to_json(&Decision::Void)?;
                let _ = self.log.fill(&[(&slot, &void)], Vec::new()).await?;
                return Ok(decided);
            }
            let entry = to_json(decision)?;
            let Decision::Withdrawn { by } = decision else {
                if self.log.fill(&[(&slot, &entry)], Vec::new()).await?.all() {
                    return Ok(decision.clone());
                }
                continue;
            };
            let journal = self.log.take(keys::JOURNAL).await?;
            let event = to_json(&Event::ProposalWithdrawn(Box::new(WithdrawalJson {
                proposal: proposal.index,
                payment_id: proposal.proposed.payment_id().to_owned(),
                by: by.clone(),
                entry: slot.index(),
            })))?;
            let filled = self
                .log
                .fill(&[(&slot, &entry), (&journal, &event)], Vec::new())
                .await?;
            if !filled.is_alive(&slot) {
                continue;
            }
            if !filled.is_alive(&journal) {
                self.enter(&event).await?;
            }
            return Ok(decision.clone());
        }
        Err(StoreError::Contested(list))
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
            .append_seeing(
                Depth::Whole,
                &service,
                &key,
                Precondition::None,
                |stored, place| {
                    let known = stored.payments.iter().zip(stored.state.payments());
                    let mut known = known.filter(|(payment, state)| {
                        let manual = payment.manual.as_ref();
                        state.confirmation.payment_id == id
                            && manual.is_some_and(|manual| manual.proposal == void.proposal)
                    });
                    match known.next() {
                        Some((_, state)) if state.voided.is_some() => Ok(None),
                        Some((payment, _)) if !payment.is_confirmed() => {
                            let effect = stored.state.void_effect(&id);
                            let effect = effect.ok_or(RegisterError::Unfit(()))?;
                            let void = VoidJson {
                                version: Some(place),
                                ..void.clone()
                            };
                            Ok(Some(Change {
                                entry: OrderEntry::Voided(Box::new(VoidedJson::new(
                                    void.clone(),
                                    &effect,
                                ))),
                                event: Event::PaymentVoided(Box::new(void)),
                                others: Vec::new(),
                            }))
                        }
                        _ => Err(RegisterError::Unfit(())),
                    }
                },
            )
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
    /// [`StoreError`] if it could not be kept, or the payment was voided a moment ago; MPay must then
    /// come again.
    pub async fn confirm_manual(
        &self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        evidence: &Evidence<'_>,
    ) -> Result<(), StoreError> {
        let (service, key) = (&confirmation.service_id, &confirmation.order_key);
        let noted = keys::confirmed(&confirmation.payment_id);
        let wanted: Vec<_> = evidence.keys().into_iter().chain([noted.clone()]).collect();
        let kept = self.log.get_many(&wanted).await?;
        // All of a long order is read once only.
        if self
            .is_noted(&noted, &keys::order(service, key), &kept)
            .await?
        {
            return Ok(());
        }
        let noted = self
            .append_seeing(
                Depth::Whole,
                service,
                key,
                Precondition::None,
                |stored, place| {
                    let mut payments = stored.payments.iter().zip(stored.state.payments());
                    let known = payments.find(|(known, _)| known.payment_id == payment.payment_id);
                    // Judged by what stands before its own place, so that of several calls one notes it.
                    if known.is_some_and(|(known, _)| known.is_confirmed()) {
                        return Ok(None);
                    }
                    if known.is_some_and(|(_, state)| state.voided.is_some()) {
                        return Err(RegisterError::Unfit(()));
                    }
                    let record = Box::new(payment.clone());
                    let mut others = evidence.missing(&kept);
                    others.push((noted.clone(), place.to_string().into_bytes()));
                    Ok(Some(Change {
                        entry: OrderEntry::Confirmed(record),
                        event: Event::PaymentConfirmed(Box::new(PaymentJson {
                            version: Some(place),
                            ..payment.clone()
                        })),
                        others,
                    }))
                },
            )
            .await;
        match noted {
            Ok(_) => Ok(()),
            Err(RegisterError::Store(error)) => Err(error),
            Err(_) => Err(StoreError::InProgress(format!(
                "payment {}",
                payment.payment_id
            ))),
        }
    }
}

impl<P: Platform> Store<P> {
    /// Whether one of the values says that MPay's confirmation is noted in this list.
    pub(super) async fn is_noted(
        &self,
        confirmed: &str,
        list: &str,
        values: &HashMap<String, Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let Some(place) = values.get(confirmed) else {
            return Ok(false);
        };
        let place = read_place(confirmed, place)?;
        self.log.are_alive(&[(list, place)]).await
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

    /// Name of the principal who proposed it.
    pub fn by(&self) -> &str {
        match self {
            Self::Payment(proposal) => &proposal.by,
            Self::Void(proposal) => &proposal.by,
        }
    }
}

/// The decision that counts: there is one at most, since each was judged by what stands before it.
fn decided(decisions: Listing<Decision>) -> Option<(Timestamp, Decision)> {
    let mut decisions = decisions.entries.into_iter();
    let first = decisions.find(|entry| entry.value != Decision::Void)?;
    Some((first.at, first.value))
}
