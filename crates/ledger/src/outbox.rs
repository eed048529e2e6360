//! The outbox: which payments of the journal, and which voids, the institution has been told of.
//!
//! It is derived. An entry of the journal is its entry in the outbox, so that a payment is there
//! before MPay gets its answer and costs nothing; it is settled once `delivered/<index>` exists.
//! `outbox/state` keeps the reading short: an index up to which everything is settled, but for a few
//! that are named beside it and wait for their next attempt, so that none of them stands in the way
//! of what comes after. Both are one value, and what it says stays true: an older one that wins a
//! race, or one that a crash has kept from being written, does no harm.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Journal, JournalEntry, Platform, Span, StoreError,
    journal_list::JournalList,
    keys,
    notes::{unwrap, wrapped},
    record::{Key, Values, over_the_log, read},
};
use crate::json::{Event, PaymentJson, VoidJson, time};

over_the_log! {
    /// Which payments the institution has been told of.
    pub struct Outbox
}

fn delivered(index: u64) -> String {
    format!("{}/{index}", keys::DELIVERED)
}

fn attempts(index: u64) -> String {
    format!("{}/{index}", keys::DELIVERY)
}

/// Payments read at once.
const PAGE: usize = 100;

/// What the institution is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A payment is recorded.
    Recorded(Box<PaymentJson>),
    /// One that was entered by hand counts no more.
    Voided(Box<VoidJson>),
}

impl Told {
    /// The payment's id.
    pub fn payment_id(&self) -> &str {
        match self {
            Self::Recorded(payment) => &payment.payment_id,
            Self::Voided(void) => &void.payment_id,
        }
    }
}

/// A notification as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the journal.
    pub index: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What is told.
    pub what: Told,
    /// What has been tried in vain.
    pub attempts: Attempts,
    /// Once nothing more is to be done.
    pub settled: Option<Settled>,
}

/// What has been tried in vain to deliver a notification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// How often.
    pub count: u32,
    /// What went wrong the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When to try again.
    #[serde(
        default,
        deserialize_with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub next_at: Option<Timestamp>,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// When.
    #[serde(deserialize_with = "time::deserialize")]
    pub at: Timestamp,
    /// Whether it was given up instead of delivered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// A part of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxPage {
    /// Deliveries in the order of the journal.
    pub deliveries: Vec<Delivery>,
    /// Where to go on. It may have grown though there are no deliveries.
    pub next: u64,
    /// Whether the cursor was beyond the end.
    pub is_beyond_end: bool,
}

/// Where delivery stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxState {
    /// Every delivery up to this index is settled, or among those that wait.
    pub low: u64,
    /// Deliveries up to `low` that are not settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// Where to go on while there is no room among those that wait; 0 for where everything is
    /// settled.
    #[serde(default)]
    pub next: u64,
    /// Whether those that wait had their turn, and what is new did not.
    #[serde(default)]
    pub new_first: bool,
}

/// A delivery that waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The payment's place in the journal.
    pub index: u64,
    /// When to try again, at the earliest; at once if absent.
    #[serde(
        default,
        deserialize_with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub next_at: Option<Timestamp>,
}

impl OutboxState {
    /// The index before the first delivery that is not settled.
    pub fn first(&self) -> u64 {
        let waiting = self.waiting.iter().map(|waiting| waiting.index - 1);
        waiting.min().unwrap_or(self.low).min(self.low)
    }
}

impl<P: Platform> Outbox<'_, P> {
    /// Where delivery stands.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn state(self) -> Result<OutboxState, StoreError> {
        let key = Key::new(keys::OUTBOX.to_owned());
        let values = read(self.log, std::slice::from_ref(&key)).await?;
        Ok(unwrap(&values, &key)?.unwrap_or_default())
    }

    /// Keeps where delivery stands.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn set_state(self, state: &OutboxState) -> Result<(), StoreError> {
        self.set(keys::OUTBOX.to_owned(), state).await
    }

    /// Deliveries at some places of the journal: those of them that there are.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn deliveries(self, indices: &[u64]) -> Result<Vec<Delivery>, StoreError> {
        // One that is damaged waits until it is mended.
        let entries = JournalList::on(self.log).entries(indices).await?;
        self.with_attempts(entries).await
    }

    /// Deliveries after the cursor `after`. A payment that is still being recorded is not passed
    /// by.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read(self, after: u64) -> Result<OutboxPage, StoreError> {
        let wanted =
            |event: &Event| matches!(event, Event::PaymentRecorded(_) | Event::PaymentVoided(_));
        let page = Journal::on(self.log)
            .read(after, PAGE, Span::ALWAYS, wanted)
            .await?;
        Ok(OutboxPage {
            deliveries: self.with_attempts(page.entries).await?,
            next: page.next,
            is_beyond_end: page.is_beyond_end,
        })
    }

    /// What entries of the journal tell of, with what became of their deliveries.
    async fn with_attempts(self, entries: Vec<JournalEntry>) -> Result<Vec<Delivery>, StoreError> {
        let indices = entries.iter().map(|entry| entry.index);
        let names: Vec<_> = indices
            .flat_map(|index| [Key::new(delivered(index)), Key::new(attempts(index))])
            .collect();
        let values = match names.is_empty() {
            true => Values::default(),
            false => read(self.log, &names).await?,
        };
        let mut deliveries = Vec::with_capacity(entries.len());
        for entry in entries {
            let what = match entry.event {
                Event::PaymentRecorded(mut payment) => {
                    // It is told of as it is listed, whoever tells.
                    payment.version = None;
                    Told::Recorded(payment)
                }
                Event::PaymentVoided(mut void) => {
                    void.version = None;
                    Told::Voided(void)
                }
                _ => continue,
            };
            deliveries.push(Delivery {
                index: entry.index,
                at: entry.at,
                what,
                attempts: unwrap(&values, &Key::new(attempts(entry.index)))?.unwrap_or_default(),
                settled: unwrap(&values, &Key::new(delivered(entry.index)))?,
            });
        }
        Ok(deliveries)
    }

    /// Keeps what has been tried in vain.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn tried(self, index: u64, attempts: &Attempts) -> Result<(), StoreError> {
        self.set(self::attempts(index), attempts).await
    }

    /// Says that nothing more is to be done for a delivery.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn settle(self, index: u64, settled: &Settled) -> Result<(), StoreError> {
        self.set(delivered(index), settled).await
    }

    async fn set<T: Serialize>(self, key: String, value: &T) -> Result<(), StoreError> {
        self.log.set_many(&[wrapped(key, value)?]).await
    }
}
