//! The outbox: which payments of the journal the institution has been told of.
//!
//! It is derived. A payment's entry in the journal is its entry in the outbox, so that it is there
//! before MPay gets its answer and costs nothing; it is settled once `delivered/<index>` exists.
//! `outbox/low` is an index up to which everything is settled: it keeps the reading short, and as
//! what is settled stays so, an older value that wins a race does no harm.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Platform, Span, Store, StoreError,
    evidence::{corrupt, to_json},
    keys,
};
use crate::json::{Event, PaymentJson, time};

/// Payments read at once.
const PAGE: usize = 100;

/// A payment's notification as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The payment's place in the journal.
    pub index: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The payment.
    pub payment: PaymentJson,
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
}

impl<P: Platform> Store<P> {
    /// An index up to which every delivery is settled.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn outbox_low(&self) -> Result<u64, StoreError> {
        let values = self.log.get_many(&[keys::OUTBOX_LOW.to_owned()]).await?;
        Ok(read(&values, keys::OUTBOX_LOW)?.unwrap_or_default())
    }

    /// Says that every delivery up to an index is settled.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn raise_outbox_low(&self, index: u64) -> Result<(), StoreError> {
        self.set(keys::OUTBOX_LOW.to_owned(), &index).await
    }

    /// Deliveries after the cursor `after`. A payment that is still being recorded is not passed
    /// by.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn outbox(&self, after: u64) -> Result<OutboxPage, StoreError> {
        let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
        let page = self.journal(after, PAGE, Span::ALWAYS, wanted).await?;
        let indices = page.entries.iter().map(|entry| entry.index);
        let names: Vec<_> = indices
            .flat_map(|index| [keys::delivered(index), keys::attempts(index)])
            .collect();
        let values = match names.is_empty() {
            true => HashMap::new(),
            false => self.log.get_many(&names).await?,
        };
        let mut deliveries = Vec::with_capacity(page.entries.len());
        for entry in page.entries {
            let Event::PaymentRecorded(payment) = entry.event else {
                continue;
            };
            deliveries.push(Delivery {
                index: entry.index,
                at: entry.at,
                payment: *payment,
                attempts: read(&values, &keys::attempts(entry.index))?.unwrap_or_default(),
                settled: read(&values, &keys::delivered(entry.index))?,
            });
        }
        let next = page.next;
        Ok(OutboxPage { deliveries, next })
    }

    /// Keeps what has been tried in vain.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn tried(&self, index: u64, attempts: &Attempts) -> Result<(), StoreError> {
        self.set(keys::attempts(index), attempts).await
    }

    /// Says that nothing more is to be done for a delivery.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn settle_delivery(&self, index: u64, settled: &Settled) -> Result<(), StoreError> {
        self.set(keys::delivered(index), settled).await
    }

    /// A small note under a name of the outbox's own: the last one written wins.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn note<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let key = keys::note(name);
        let values = self.log.get_many(std::slice::from_ref(&key)).await?;
        read(&values, &key)
    }

    /// Such a note that is a time.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn noted_time(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Noted {
            #[serde(deserialize_with = "time::deserialize")]
            at: Timestamp,
        }
        let noted: Option<Noted> = self.note(name).await?;
        Ok(noted.map(|noted| noted.at))
    }

    /// Writes such a note.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn set_note<T: Serialize>(&self, name: &str, note: &T) -> Result<(), StoreError> {
        self.set(keys::note(name), note).await
    }

    /// Whether this call is the first ever with this name. Whoever comes later only reads.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the name then may have been taken for nobody.
    pub async fn first(&self, name: &str) -> Result<bool, StoreError> {
        let key = keys::once(name);
        let taken = self.log.get_many(std::slice::from_ref(&key)).await?;
        Ok(taken.is_empty() && self.log.increment(&key, 1).await? == 1)
    }

    async fn set<T: Serialize>(&self, key: String, value: &T) -> Result<(), StoreError> {
        let json = format!(r#"{{"v":1,"value":{}}}"#, to_json(value)?);
        self.log.set_many(&[(key, json.into_bytes())]).await
    }
}

#[derive(Deserialize)]
struct Record<T> {
    value: T,
}

fn read<T: DeserializeOwned>(
    values: &HashMap<String, Vec<u8>>,
    key: &str,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = values.get(key) else {
        return Ok(None);
    };
    let record: Record<T> = serde_json::from_slice(bytes).map_err(|error| corrupt(key, &error))?;
    Ok(Some(record.value))
}
