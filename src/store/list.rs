//! The append-only list: the one primitive that every record is built of.
//!
//! A counter under the list's name hands out indices from 1; entry `n` is at `<list>/<n>`, with
//! its time of recording. A writer that has not stored its entry within [`WRITE_WINDOW`] of taking
//! an index abandons it; so a hole is *dead* once a later entry was recorded more than
//! [`DEAD_AFTER`] ago, and *pending* before that.

use std::{collections::HashMap, fmt::Write, ops::RangeInclusive, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Platform, Store, StoreError, evidence::corrupt, weak_counter};
use crate::json::time;

/// Within this time of taking an index an entry is written, or never.
pub(super) const WRITE_WINDOW: Duration = Duration::from_secs(20);
/// A hole is dead once a later entry is older than this.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(60);
/// A write that ends later than this after its index was taken may be past its readers. What is
/// between this and [`DEAD_AFTER`] makes up for clocks that differ.
const LATEST_WRITE: Duration = Duration::from_secs(40);
/// Entries read by one call.
pub(super) const BLOCK: u64 = 256;
/// Entries fetched together with the counter, so that most lists take one call.
const FIRST_BLOCK: u64 = 8;

/// An index of one's own.
#[derive(Debug)]
pub(super) struct Slot {
    list: String,
    pub index: u64,
    taken: Timestamp,
}

/// An entry as it was found.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub index: u64,
    /// When it was recorded.
    pub at: Timestamp,
    pub value: T,
}

/// What a list, or a part of it, holds.
#[derive(Debug)]
pub(super) struct Listing<T> {
    pub entries: Vec<Entry<T>>,
    /// The first index not looked at.
    next: u64,
    /// The counter: the highest index handed out.
    pub length: u64,
}

impl<T> Listing<T> {
    /// The lowest index that a writer may still fill; `None` if all are filled or dead.
    pub fn first_pending(&self, now: Timestamp) -> Option<u64> {
        self.first_pending_from(1, now)
    }

    /// The cursor to go on from: the last index that was looked at.
    pub fn cursor(&self) -> u64 {
        self.next - 1
    }

    fn first_pending_from(&self, from: u64, now: Timestamp) -> Option<u64> {
        // Holes before an entry that is old enough are dead.
        let last_old = self
            .entries
            .iter()
            .rev()
            .find(|entry| age(entry.at, now) > DEAD_AFTER)
            .map_or(0, |entry| entry.index);
        let mut filled = self.entries.iter().map(|entry| entry.index).peekable();
        (from..self.next).find(|index| {
            while filled.next_if(|filled| filled < index).is_some() {}
            *index > last_old && filled.peek() != Some(index)
        })
    }
}

fn entry_key(list: &str, index: u64) -> String {
    // Formatting would grow it several times.
    let mut key = String::with_capacity(list.len() + 8);
    key.push_str(list);
    key.push('/');
    let _ = write!(key, "{index}");
    key
}

/// How long ago `at` was; zero if it is yet to come.
pub(super) fn age(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}

impl<T: DeserializeOwned> Listing<T> {
    fn add(
        &mut self,
        list: &str,
        indices: RangeInclusive<u64>,
        values: &HashMap<String, Vec<u8>>,
    ) -> Result<(), StoreError> {
        for index in indices {
            let key = entry_key(list, index);
            if let Some(bytes) = values.get(&key) {
                self.entries.push(read_entry(&key, index, bytes)?);
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct StoredEntry<'a> {
    #[serde(deserialize_with = "time::deserialize")]
    at: Timestamp,
    #[serde(borrow)]
    entry: &'a RawValue,
}

impl<P: Platform> Store<P> {
    /// Takes an index. If it is never filled, a hole is left, which does no harm.
    pub(super) async fn take(&self, list: &str) -> Result<Slot, StoreError> {
        // Before the call: what counts is when the index may first have been handed out.
        let taken = self.now();
        let index = self.increment(list).await?;
        Ok(Slot {
            list: list.to_owned(),
            index,
            taken,
        })
    }

    /// Fills slots with JSON texts, and sets other values, in one batch.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] if a slot's time is over: its entry then is not there, or not
    /// certain to be read. [`StoreError::Overwritten`] without atomics, if somebody else has the
    /// slot too.
    pub(super) async fn fill(
        &self,
        entries: &[(&Slot, &str)],
        others: Vec<(String, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        let at = self.now();
        if entries
            .iter()
            .any(|(slot, _)| age(slot.taken, at) > WRITE_WINDOW)
        {
            return Err(StoreError::TooSlow);
        }
        let mut batch = others;
        for (slot, json) in entries {
            let key = entry_key(&slot.list, slot.index);
            batch.push((key, stored_entry(at, json)));
        }
        self.set_many(&batch).await?;
        if !P::ATOMIC {
            let keys: Vec<_> = batch.iter().map(|(key, _)| key.clone()).collect();
            let written = self.get_many(&keys).await?;
            if batch
                .iter()
                .any(|(key, value)| written.get(key) != Some(value))
            {
                return Err(StoreError::Overwritten);
            }
        }
        let end = self.now();
        if entries
            .iter()
            .any(|(slot, _)| age(slot.taken, end) > LATEST_WRITE)
        {
            return Err(StoreError::TooSlow);
        }
        Ok(())
    }

    /// The highest index handed out, by the value of the counter.
    async fn highest_index(
        &self,
        list: &str,
        counter: Option<&Vec<u8>>,
    ) -> Result<u64, StoreError> {
        let Some(bytes) = counter else {
            return Ok(0);
        };
        let count = parse_counter(bytes).ok_or_else(|| StoreError::Corrupt {
            key: list.to_owned(),
            reason: "not a counter".to_owned(),
        })?;
        if P::ATOMIC {
            return Ok(count);
        }
        self.retry(async || weak_counter::highest(&self.platform, list, count).await)
            .await
    }

    /// All entries of a list.
    pub(super) async fn read_all<T: DeserializeOwned>(
        &self,
        list: &str,
    ) -> Result<Listing<T>, StoreError> {
        let mut listings = self.read_lists(&[list.to_owned()]).await?;
        Ok(listings.pop().unwrap_or(Listing {
            entries: Vec::new(),
            next: 1,
            length: 0,
        }))
    }

    /// All entries of several lists, in the same order: few calls if most are short.
    pub(super) async fn read_lists<T: DeserializeOwned>(
        &self,
        lists: &[String],
    ) -> Result<Vec<Listing<T>>, StoreError> {
        const LISTS: usize = (BLOCK / (FIRST_BLOCK + 1)) as usize;
        let mut listings = Vec::with_capacity(lists.len());
        for lists in lists.chunks(LISTS) {
            let mut keys = Vec::with_capacity(lists.len() * (FIRST_BLOCK as usize + 1));
            for list in lists {
                keys.push(list.clone());
                keys.extend((1..=FIRST_BLOCK).map(|index| entry_key(list, index)));
            }
            let values = self.get_many(&keys).await?;
            for list in lists {
                listings.push(self.read_on(list, &values).await?);
            }
        }
        Ok(listings)
    }

    /// The whole list, of which `first` has the counter and the first entries.
    async fn read_on<T: DeserializeOwned>(
        &self,
        list: &str,
        first: &HashMap<String, Vec<u8>>,
    ) -> Result<Listing<T>, StoreError> {
        let length = self.highest_index(list, first.get(list)).await?;
        let mut listing = Listing {
            entries: Vec::new(),
            next: length + 1,
            length,
        };
        listing.add(list, 1..=length.min(FIRST_BLOCK), first)?;
        let mut from = FIRST_BLOCK + 1;
        while from <= length {
            let until = length.min(from + BLOCK - 1);
            let keys: Vec<_> = (from..=until).map(|index| entry_key(list, index)).collect();
            listing.add(list, from..=until, &self.get_many(&keys).await?)?;
            from = until + 1;
        }
        Ok(listing)
    }

    /// Up to `limit` indices of a list after index `after`, for a reader that comes back for
    /// more: nothing that may still be filled is passed by.
    pub(super) async fn read_after<T: DeserializeOwned>(
        &self,
        list: &str,
        after: u64,
        limit: u64,
    ) -> Result<Listing<T>, StoreError> {
        let until = after.saturating_add(limit.clamp(1, BLOCK));
        let mut keys = vec![list.to_owned()];
        keys.extend((after + 1..=until).map(|index| entry_key(list, index)));
        let values = self.get_many(&keys).await?;
        let length = self.highest_index(list, values.get(list)).await?;
        let until = until.min(length);
        let mut listing = Listing {
            entries: Vec::new(),
            next: until + 1,
            length,
        };
        listing.add(list, after + 1..=until, &values)?;
        if let Some(pending) = listing.first_pending_from(after + 1, self.now()) {
            // Only entries after the hole tell whether it is dead, and they may lie beyond.
            if !self.passed_by(list, until, length).await? {
                listing.entries.retain(|entry| entry.index < pending);
                listing.next = pending;
            }
        }
        Ok(listing)
    }

    /// The counter: the highest index handed out.
    pub(super) async fn length(&self, list: &str) -> Result<u64, StoreError> {
        let key = list.to_owned();
        let values = self.get_many(std::slice::from_ref(&key)).await?;
        self.highest_index(list, values.get(list)).await
    }

    /// The entries at some indices of a list.
    pub(super) async fn read_range<T: DeserializeOwned>(
        &self,
        list: &str,
        indices: RangeInclusive<u64>,
    ) -> Result<Vec<Entry<T>>, StoreError> {
        let keys: Vec<_> = indices
            .clone()
            .map(|index| entry_key(list, index))
            .collect();
        let mut listing = Listing {
            entries: Vec::new(),
            next: indices.end() + 1,
            length: 0,
        };
        listing.add(list, indices, &self.get_many(&keys).await?)?;
        Ok(listing.entries)
    }

    /// Whether an entry after index `until` is so old that all holes up to there are dead.
    async fn passed_by(&self, list: &str, until: u64, length: u64) -> Result<bool, StoreError> {
        let keys: Vec<_> = (until + 1..=length.min(until + BLOCK))
            .map(|index| entry_key(list, index))
            .collect();
        if keys.is_empty() {
            return Ok(false);
        }
        let now = self.now();
        for (key, bytes) in self.get_many(&keys).await? {
            let entry: Entry<serde::de::IgnoredAny> = read_entry(&key, 0, &bytes)?;
            if age(entry.at, now) > DEAD_AFTER {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// An entry as it is kept.
pub(super) fn stored_entry(at: Timestamp, json: &str) -> Vec<u8> {
    format!(r#"{{"v":1,"at":"{at}","entry":{json}}}"#).into_bytes()
}

pub(super) fn read_entry<T: DeserializeOwned>(
    key: &str,
    index: u64,
    bytes: &[u8],
) -> Result<Entry<T>, StoreError> {
    let stored = serde_json::from_slice(bytes).map_err(|error| corrupt(key, &error));
    let StoredEntry { at, entry } = stored?;
    let value = serde_json::from_slice(entry.get().as_bytes());
    let value = value.map_err(|error| corrupt(key, &error))?;
    Ok(Entry { index, at, value })
}

/// Reads a counter as the stores keep it: eight bytes little-endian on SQLite, decimal digits on
/// Redis. Eight digits read as a number would be beyond 10^18, so there is no doubt.
/// `weak_counter.rs` adds a nonce after a space.
pub(super) fn parse_counter(bytes: &[u8]) -> Option<u64> {
    const BEYOND_ANY_COUNT: u64 = 1 << 53;
    if let Ok(bytes) = bytes.try_into() {
        let count = u64::from_le_bytes(bytes);
        if count < BEYOND_ANY_COUNT {
            return Some(count);
        }
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.split(' ').next()?;
    let count = digits.parse().ok()?;
    (count < BEYOND_ANY_COUNT).then_some(count)
}
