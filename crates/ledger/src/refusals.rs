//! Confirmations that were refused: kept once each, and closed by a person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Platform, StoreError,
    attempts::PaymentName,
    became::Became,
    journal_list::{self, JournalEntry, JournalList},
    keys,
    messages::{self, Evidence, Proof},
    record::{Key, Place, are_alive, over_the_log, place_bytes, read, read_place, to_json},
};
use crate::{
    domain::{PaymentId, Review, Text},
    json::{ErasureJson, Event, RefusalJson, ReviewClosedJson},
};

over_the_log! {
    /// The confirmations that were refused.
    pub struct Refusals
}

fn refused(evidence: &str) -> String {
    format!("{}/{evidence}", keys::REFUSED)
}

/// Name of the list of outcomes of a refused confirmation.
fn became(evidence: &str) -> String {
    format!("{}/{evidence}", keys::REFUSAL)
}

/// A place in the list of outcomes of a refused confirmation.
pub(super) fn place(evidence: &str, index: u64) -> Place {
    Place::new(became(evidence), index)
}

/// An entry of the list of outcomes of a refused confirmation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RefusalEntry {
    /// Its review is closed.
    Closed(Box<ReviewClosedJson>),
    /// Its message is erased.
    Erased(Box<ErasureJson>),
    /// An index that was taken, but not used.
    Void,
}

/// The reason why a review was not closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// There is no such payment.
    #[error("no such payment")]
    NoPayment,
    /// There is no such refusal.
    #[error("no such refusal")]
    NoRefusal,
    /// The payment has no such review.
    #[error("this review is not open")]
    NotOpen {
        /// The open reviews.
        open: Vec<Review>,
    },
    /// Another call is changing the same order or refusal.
    #[error("another call is at the same review; try again")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A refused confirmation, with how its review was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRefusal {
    /// Its place in the journal.
    pub index: u64,
    /// The time at which it was entered there.
    pub recorded_at: Timestamp,
    /// Its record.
    pub refusal: RefusalJson,
    /// The closing of its review; `None` while it is open.
    pub closed: Option<ClosedRefusal>,
    /// True if its message is declared to be without personal data.
    pub is_erased: bool,
}

/// The closing of the review of a refused confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRefusal {
    /// The time at which it was closed.
    pub closed_at: Timestamp,
    /// The closer.
    pub by: ClosedBy,
}

/// The closer of the review of a refused confirmation: a person, or a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClosedBy {
    /// A person.
    Person {
        /// The person's finding.
        note: String,
        /// Name of the principal.
        by: String,
    },
    /// The payment that was refused: it was recorded later (MPay contract, "Settled readings").
    Payment {
        /// Its place in the journal.
        recorded: u64,
    },
}

impl<P: Platform> Refusals<'_, P> {
    /// Keeps a refused message, and the signed fault that answers it, once. Gives `false` if it is
    /// there already.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept.
    pub async fn keep(
        self,
        refusal: &RefusalJson,
        evidence: &Evidence<'_>,
        answer: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let name = evidence.id();
        let refused_at = Key::new(refused(name));
        let wanted: Vec<_> = evidence
            .keys()
            .into_iter()
            .chain([refused_at.clone()])
            .collect();
        let stored = read(self.log, &wanted).await?;
        if let Some(place) = stored.get(&refused_at) {
            let place = read_place(&refused_at, place)?;
            // The call that kept it may have died before the place in the journal counted.
            if are_alive(self.log, &[journal_list::place(place)]).await? {
                return Ok(false);
            }
        }
        let event = to_json(&Event::PaymentRefused(Box::new(refusal.clone())))?;
        let missing = evidence.missing(&stored);
        let journal = JournalList::on(self.log);
        let enter = journal.enter_with(&event, |place| {
            let mut messages = missing.clone();
            messages.push((refused(name), place_bytes(place)));
            messages.extend(answer.map(|answer| messages::refused(place, answer)));
            messages
        });
        enter.await?;
        Ok(true)
    }

    /// The messages of the refused confirmation at this place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost the message.
    pub async fn proof(self, index: u64) -> Result<Option<Proof<StoredRefusal>>, StoreError> {
        let Some(stored) = self.get(index).await? else {
            return Ok(None);
        };
        let refusal = &stored.refusal;
        let answer = messages::fault_key(index);
        let certificate = messages::certificate_key(&refusal.signer.fingerprint);
        let [request, tombstone] = messages::message_keys(&refusal.evidence);
        let keys = [request, answer.clone(), certificate.clone(), tombstone];
        let mut values = read(self.log, &keys).await?;
        let message = messages::message(&refusal.evidence, &values);
        Ok(Some(Proof {
            unsigned: None,
            request: Some(message.ok_or_else(|| messages::lost(&refusal.evidence))?),
            answer: values.take(&answer),
            certificate: values.take(&certificate),
            stored,
        }))
    }

    /// Closes the review of a refused confirmation; one that is closed stays as it is.
    ///
    /// # Errors
    /// [`CloseError`].
    pub async fn close(self, index: u64, note: &Text<500>, by: &str) -> Result<(), CloseError> {
        let refusal = self.get(index).await?.ok_or(CloseError::NoRefusal)?;
        // A closing that follows from a payment has no event but the payment's.
        let closed = refusal.closed.map(|closed| closed.by);
        if matches!(closed, Some(ClosedBy::Payment { .. })) {
            return Ok(());
        }
        let refusal = refusal.refusal;
        let list = became(&refusal.evidence);
        let close = |place| {
            let closing = ReviewClosedJson {
                payment_id: refusal.payment_id.clone(),
                service_id: refusal.service_id.clone(),
                order_key: refusal.order_key.clone(),
                evidence: Some(refusal.evidence.clone()),
                reason: "refused".to_owned(),
                note: note.as_str().to_owned(),
                by: by.to_owned(),
                version: None,
                entry: Some(place),
            };
            let event = Event::ReviewClosed(Box::new(closing.clone()));
            (RefusalEntry::Closed(Box::new(closing)), Some(event))
        };
        let is_closing = |entry: &RefusalEntry| matches!(entry, RefusalEntry::Closed(_));
        Became::on(self.log)
            .once(&list, &RefusalEntry::Void, is_closing, close)
            .await?;
        Ok(())
    }

    /// Declares, once, that a refused confirmation is without personal data. `erase` gives the record for
    /// the entry's place.
    pub(super) async fn say_erased(
        self,
        evidence: &str,
        erase: impl Fn(u64) -> ErasureJson,
    ) -> Result<(), StoreError> {
        let erase = |place| {
            let erased = Box::new(erase(place));
            let event = Event::PersonalDataErased(erased.clone());
            (RefusalEntry::Erased(erased), Some(event))
        };
        let is_erased = |entry: &RefusalEntry| matches!(entry, RefusalEntry::Erased(_));
        Became::on(self.log)
            .once(&became(evidence), &RefusalEntry::Void, is_erased, erase)
            .await?;
        Ok(())
    }

    /// The refused confirmation at this place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn get(self, index: u64) -> Result<Option<StoredRefusal>, StoreError> {
        let entry = JournalList::on(self.log).at(index).await?;
        Ok(self.of(entry.into_iter().collect()).await?.pop())
    }

    /// The refusals among entries of the journal, with how their reviews were closed.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn of(self, entries: Vec<JournalEntry>) -> Result<Vec<StoredRefusal>, StoreError> {
        let (mut refusals, mut lists) = (Vec::new(), Vec::new());
        for entry in entries {
            if let Event::PaymentRefused(refusal) = entry.event {
                lists.push(became(&refusal.evidence));
                refusals.push((entry.index, entry.at, *refusal));
            }
        }
        let listings = self
            .log
            .read_lists::<RefusalEntry>(&lists, u64::MAX)
            .await?;
        let with_reviews = refusals.into_iter().zip(listings);
        let mut refusals: Vec<_> = with_reviews
            .map(|((index, recorded_at, refusal), listing)| {
                let (mut closed, mut is_erased) = (None, false);
                for entry in listing.entries {
                    match entry.value {
                        RefusalEntry::Closed(closing) => {
                            closed.get_or_insert(ClosedRefusal {
                                closed_at: entry.at,
                                by: ClosedBy::Person {
                                    note: closing.note,
                                    by: closing.by,
                                },
                            });
                        }
                        RefusalEntry::Erased(_) => is_erased = true,
                        RefusalEntry::Void => {}
                    }
                }
                StoredRefusal {
                    index,
                    recorded_at,
                    refusal,
                    closed,
                    is_erased,
                }
            })
            .collect();
        self.close_recorded(&mut refusals).await?;
        Ok(refusals)
    }

    /// Closes the refusals that nobody has closed and whose payments were recorded after them. That
    /// follows from the markers, so nothing needs to be written for it, and nothing can be forgotten.
    async fn close_recorded(self, refusals: &mut [StoredRefusal]) -> Result<(), StoreError> {
        let names: Vec<_> = refusals
            .iter()
            .enumerate()
            .filter(|(_, refusal)| refusal.closed.is_none())
            .filter_map(|(position, refusal)| {
                let id = PaymentId::parse(refusal.refusal.payment_id.as_deref()?).ok()?;
                Some([
                    (position, PaymentName::first(&id)),
                    (position, PaymentName::after_void(&id)),
                ])
            })
            .flatten()
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = names.iter().map(|(_, name)| name.marker()).collect();
        let markers = read(self.log, &keys).await?;
        let mut recorded = Vec::new();
        for (position, name) in &names {
            // A damaged marker closes nothing, and keeps no other refusal from being seen.
            let marker = name.read_marker(&markers).ok().flatten();
            if let (Some(refusal), Some(marker)) = (refusals.get(*position), marker)
                && marker.journal > refusal.index
            {
                recorded.push((*position, marker.journal));
            }
        }
        let places: Vec<_> = recorded.iter().map(|(_, place)| *place).collect();
        let entries = JournalList::on(self.log).entries(&places).await?;
        for (position, place) in recorded {
            let entry = entries.iter().find(|entry| entry.index == place);
            if let (Some(refusal), Some(entry)) = (refusals.get_mut(position), entry) {
                refusal.closed.get_or_insert(ClosedRefusal {
                    closed_at: entry.at,
                    by: ClosedBy::Payment { recorded: place },
                });
            }
        }
        Ok(())
    }
}
