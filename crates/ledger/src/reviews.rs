//! Reviews that a person has closed.

use jiff::Timestamp;
use mpay_log::read_entry;
use serde::{Deserialize, Serialize};

use super::{
    JournalEntry, Platform, Precondition, RegisterError, Store, StoreError,
    evidence::to_json,
    keys::{self, PaymentName},
    orders::{Change, Depth, OrderEntry},
    payments::read_marker,
};
use crate::{
    domain::{PaymentId, Review, Text},
    json::{Event, RefusalJson, ReviewClosedJson},
};

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
    /// When it was closed.
    pub closed_at: Timestamp,
    /// By whom or what.
    pub by: ClosedBy,
}

/// Who or what closed the review of a refused confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClosedBy {
    /// A person.
    Person {
        /// What the person found.
        note: String,
        /// Fingerprint of the person's token.
        by: String,
    },
    /// The payment that was refused: it was recorded later (MPay contract, "Settled readings").
    Payment {
        /// Its place in the journal.
        recorded: u64,
    },
}

impl<P: Platform> Store<P> {
    /// Closes a review of a payment; one that is closed stays as it is.
    ///
    /// # Errors
    /// [`CloseError`].
    pub async fn close_review(
        &self,
        id: &PaymentId,
        review: Review,
        note: &Text<500>,
        by: &str,
    ) -> Result<(), CloseError> {
        let payment = self.payment(id).await?.ok_or(CloseError::NoPayment)?;
        let confirmation = &payment.state.confirmation;
        let closing = ReviewClosedJson {
            payment_id: Some(id.to_string()),
            service_id: Some(confirmation.service_id.to_string()),
            order_key: Some(confirmation.order_key.to_string()),
            evidence: None,
            reason: review.as_str().to_owned(),
            note: note.as_str().to_owned(),
            by: by.to_owned(),
            version: None,
        };
        // One that was entered by hand may be voided meanwhile.
        let depth = match payment.payment.manual {
            Some(_) => Depth::Whole,
            None => Depth::Latest,
        };
        let closed = self
            .append_seeing(
                depth,
                &confirmation.service_id,
                &confirmation.order_key,
                Precondition::None,
                |stored, place| {
                    // One that a long order does not show any more is as it was found, unless it
                    // was closed since.
                    let payment = match stored.state.payment(id) {
                        Some(payment) => payment,
                        None if stored.state.is_whole() => {
                            return Err(RegisterError::Unfit(Vec::new()));
                        }
                        None if stored.closings.contains(&(id.to_string(), review)) => {
                            return Ok(None);
                        }
                        None => &payment.state,
                    };
                    // One that was closed may have been opened again by an amendment.
                    if !payment.review.contains(&review) {
                        let mut closed = payment.closed.iter();
                        return match closed.any(|closed| closed.review == review) {
                            true => Ok(None),
                            false => Err(RegisterError::Unfit(payment.review.clone())),
                        };
                    }
                    let closing = Box::new(ReviewClosedJson {
                        version: Some(place),
                        ..closing.clone()
                    });
                    Ok(Some(Change {
                        entry: OrderEntry::Closed(closing.clone()),
                        event: Event::ReviewClosed(closing),
                        others: vec![(keys::closed(id, review), place.to_string().into_bytes())],
                    }))
                },
            )
            .await;
        match closed {
            Ok(_) => Ok(()),
            Err(RegisterError::Unfit(open)) => Err(CloseError::NotOpen { open }),
            Err(RegisterError::Store(error)) => Err(error.into()),
            Err(_) => Err(CloseError::Busy),
        }
    }

    /// Closes the review of a refused confirmation; one that is closed stays as it is.
    ///
    /// # Errors
    /// [`CloseError`].
    pub async fn close_refusal(
        &self,
        index: u64,
        note: &Text<500>,
        by: &str,
    ) -> Result<(), CloseError> {
        let refusal = self.refusal(index).await?.ok_or(CloseError::NoRefusal)?;
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
        let list = keys::refusal(&refusal.refusal.evidence);
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
        let journal = self.log.take(keys::JOURNAL).await?;
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
            self.enter(&event).await?;
        }
        Ok(())
    }

    /// The refused confirmation at this place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn refusal(&self, index: u64) -> Result<Option<StoredRefusal>, StoreError> {
        let entry = self.journal_entry(index).await?;
        Ok(self.refusals(entry.into_iter().collect()).await?.pop())
    }

    /// What closed refusals that nobody has closed: the payments of their ids that were recorded
    /// after them. It follows from the markers, so nothing has to be written for it, and nothing can
    /// be forgotten.
    async fn close_recorded(&self, refusals: &mut [StoredRefusal]) -> Result<(), StoreError> {
        let name = |refusal: &StoredRefusal| {
            let id = refusal.refusal.payment_id.as_deref();
            let id = id.filter(|_| refusal.closed.is_none());
            id.and_then(|id| PaymentId::parse(id).ok())
        };
        let names = refusals.iter().filter_map(name).flat_map(|id| {
            let second = PaymentName::after_void(&id);
            [PaymentName::first(&id), second]
        });
        let markers = names.map(|name| keys::done(&name)).collect::<Vec<_>>();
        if markers.is_empty() {
            return Ok(());
        }
        let markers = self.log.get_many(&markers).await?;
        let mut found = Vec::new();
        for (position, refusal) in refusals.iter().enumerate() {
            let Some(id) = name(refusal) else {
                continue;
            };
            for name in [PaymentName::first(&id), PaymentName::after_void(&id)] {
                let key = keys::done(&name);
                if let Some(bytes) = markers.get(&key) {
                    let recorded = read_marker(&key, bytes)?.journal;
                    found.extend((recorded > refusal.index).then_some((position, recorded)));
                }
            }
        }
        let keys: Vec<_> = found
            .iter()
            .map(|(_, place)| keys::journal(*place))
            .collect();
        let entries = self.log.get_many(&keys).await?;
        for ((position, recorded), key) in found.into_iter().zip(keys) {
            let entry = entries.get(&key);
            let entry = entry.and_then(|bytes| read_entry::<Event>(recorded, bytes).ok());
            if let (Some(refusal), Some(entry)) = (refusals.get_mut(position), entry) {
                refusal.closed.get_or_insert(ClosedRefusal {
                    closed_at: entry.at,
                    by: ClosedBy::Payment { recorded },
                });
            }
        }
        Ok(())
    }

    /// The refusals among entries of the journal, with how their reviews were closed.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn refusals(
        &self,
        entries: Vec<JournalEntry>,
    ) -> Result<Vec<StoredRefusal>, StoreError> {
        let (mut refusals, mut lists) = (Vec::new(), Vec::new());
        for entry in entries {
            if let Event::PaymentRefused(refusal) = entry.event {
                lists.push(keys::refusal(&refusal.evidence));
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
                let closed = listing
                    .entries
                    .into_iter()
                    .find_map(|entry| match entry.value {
                        RefusalEntry::Closed(closed) => Some(ClosedRefusal {
                            closed_at: entry.at,
                            by: ClosedBy::Person {
                                note: closed.note,
                                by: closed.by,
                            },
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
            .collect();
        self.close_recorded(&mut refusals).await?;
        Ok(refusals)
    }
}
