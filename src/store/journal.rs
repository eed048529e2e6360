//! The journal: everything that happened, in the order of its recording.

use jiff::Timestamp;

use super::{
    Platform, Store, StoreError, keys,
    list::{BLOCK, DEAD_AFTER, Entry, age},
    payments::read_marker,
};
use crate::{domain::PaymentId, json::Event};

/// How many blocks one call reads at most: what a caller wants may be rare.
const BLOCKS: u32 = 4;

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its place: entries are numbered as they are recorded, with gaps.
    pub index: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

impl From<Entry<Event>> for JournalEntry {
    fn from(entry: Entry<Event>) -> Self {
        Self {
            index: entry.index,
            at: entry.at,
            event: entry.value,
        }
    }
}

/// A part of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPage {
    /// Entries in the order of their recording.
    pub entries: Vec<JournalEntry>,
    /// Where to go on. It may have grown though there are no entries.
    pub next: u64,
}

/// What the marker says of an entry.
enum Standing {
    /// It counts.
    Valid,
    /// It counts for nothing: whoever finished an abandoned recording entered the payment again,
    /// or will.
    Abandoned,
    /// It is being recorded.
    Pending,
}

impl<P: Platform> Store<P> {
    /// Up to `limit` entries of the journal that are `wanted`, after the cursor `after`. Nothing
    /// that is still being recorded is passed by. Only a fixed number of entries is looked at.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn journal(
        &self,
        after: u64,
        limit: usize,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<JournalPage, StoreError> {
        let mut page = JournalPage {
            entries: Vec::new(),
            next: after,
        };
        for _ in 0..BLOCKS {
            let from = page.next;
            let mut listing = self.read_after::<Event>(keys::JOURNAL, from, BLOCK).await?;
            listing.entries.retain(|entry| wanted(&entry.value));
            let cursor = listing.cursor();
            let entries = self.standing(listing.entries).await?;
            for (entry, standing) in entries {
                let index = entry.index;
                match standing {
                    Standing::Valid => page.entries.push(entry.into()),
                    Standing::Abandoned => {}
                    Standing::Pending => {
                        page.next = index - 1;
                        return Ok(page);
                    }
                }
                if page.entries.len() >= limit {
                    page.next = index;
                    return Ok(page);
                }
            }
            page.next = cursor.max(from);
            if cursor < from + BLOCK {
                break;
            }
        }
        Ok(page)
    }

    /// Looks up which entries count: a payment does only if its marker names it.
    async fn standing(
        &self,
        entries: Vec<Entry<Event>>,
    ) -> Result<Vec<(Entry<Event>, Standing)>, StoreError> {
        let mut keys = Vec::with_capacity(entries.len());
        for entry in &entries {
            keys.push(match &entry.value {
                Event::PaymentRecorded(payment) => {
                    let id = PaymentId::parse(&payment.payment_id);
                    Some(keys::done(&id.map_err(|error| StoreError::Corrupt {
                        key: keys::journal(entry.index),
                        reason: format!("payment_id: {error}"),
                    })?))
                }
                _ => None,
            });
        }
        let wanted: Vec<_> = keys.iter().flatten().cloned().collect();
        let markers = if wanted.is_empty() {
            Default::default()
        } else {
            self.get_many(&wanted).await?
        };
        let now = self.now();
        let mut standings = Vec::with_capacity(entries.len());
        for (entry, key) in entries.into_iter().zip(keys) {
            let standing = match &key {
                None => Standing::Valid,
                Some(key) => match markers.get(key) {
                    Some(bytes) if read_marker(key, bytes)?.journal == entry.index => {
                        Standing::Valid
                    }
                    Some(_) => Standing::Abandoned,
                    None if age(entry.at, now) > DEAD_AFTER => Standing::Abandoned,
                    None => Standing::Pending,
                },
            };
            standings.push((entry, standing));
        }
        Ok(standings)
    }
}
