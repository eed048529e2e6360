//! Confirmations that were refused: kept once each, and closed by a person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Platform, StoreError,
    journal_list::{self, JournalEntry, JournalList},
    keys,
    messages::{self, Evidence, Proof},
    record::{Key, are_alive, over_the_log, place_bytes, read, read_place, to_json},
};
use crate::{
    domain::{Review, Text},
    json::{Event, RefusalJson, ReviewClosedJson},
};

over_the_log! {
    /// The confirmations that were refused.
    pub struct Refusals
}

fn refused(evidence: &str) -> String {
    format!("{}/{evidence}", keys::REFUSED)
}

/// List of what became of a refused confirmation.
fn became(evidence: &str) -> String {
    format!("{}/{evidence}", keys::REFUSAL)
}

/// An entry of the list of what became of a refused confirmation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RefusalEntry {
    /// Its review is closed.
    Closed(ReviewClosedJson),
    /// An index that was taken, but not used.
    Void,
}

/// Why a review was not closed.
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
        /// Those that are.
        open: Vec<Review>,
    },
    /// Somebody else is at the same order or refusal.
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
    /// When it was entered there.
    pub recorded_at: Timestamp,
    /// Its record.
    pub refusal: RefusalJson,
    /// How its review was closed; `None` while it is open.
    pub closed: Option<ClosedRefusal>,
}

/// How the review of a refused confirmation was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRefusal {
    /// What the person found.
    pub note: String,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// Fingerprint of the token that closed it.
    pub by: String,
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
            // Whoever kept it may have died before the place in the journal counted.
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
            by_hand: None,
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
        if refusal.closed.is_some() {
            return Ok(());
        }
        let closing = ReviewClosedJson {
            payment_id: refusal.refusal.payment_id,
            service_id: refusal.refusal.service_id,
            order_key: refusal.refusal.order_key,
            evidence: Some(refusal.refusal.evidence.clone()),
            reason: "refused".to_owned(),
            note: note.as_str().to_owned(),
            by: by.to_owned(),
            version: None,
        };
        let list = became(&refusal.refusal.evidence);
        let slot = self.log.take(&list).await?;
        // Judged by what stands before its own place, so that of several calls one closes it.
        self.log.settle(&list, 1, slot.index()).await?;
        let mut seen = self.log.read_all::<RefusalEntry>(&list).await?;
        seen.truncate(slot.index() - 1);
        let mut seen = seen.entries.iter();
        if seen.any(|entry| matches!(entry.value, RefusalEntry::Closed(_))) {
            let void = to_json(&RefusalEntry::Void)?;
            let _ = self.log.fill(&[(&slot, &void)], Vec::new()).await?;
            return Ok(());
        }
        let journal = JournalList::on(self.log).take().await?;
        let entry = to_json(&RefusalEntry::Closed(closing.clone()))?;
        let event = to_json(&Event::ReviewClosed(Box::new(closing)))?;
        let filled = self
            .log
            .fill(&[(&slot, &entry), (&journal, &event)], Vec::new())
            .await?;
        if !filled.is_alive(&slot) {
            return Err(CloseError::Busy);
        }
        if !filled.is_alive(&journal) {
            JournalList::on(self.log).enter(&event).await?;
        }
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
        Ok(with_reviews
            .map(|((index, recorded_at, refusal), listing)| {
                let closed = listing
                    .entries
                    .into_iter()
                    .find_map(|entry| match entry.value {
                        RefusalEntry::Closed(closed) => Some(ClosedRefusal {
                            note: closed.note,
                            closed_at: entry.at,
                            by: closed.by,
                        }),
                        RefusalEntry::Void => None,
                    });
                StoredRefusal {
                    index,
                    recorded_at,
                    refusal,
                    closed,
                }
            })
            .collect())
    }
}
