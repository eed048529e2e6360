//! The journal's list: all events, in the order of their recording. The module `standings` knows what an
//! entry is about and if it counts.

use jiff::Timestamp;
use mpay_log::{BLOCK, Entry, Listing, Slot, entry_key, read_entry, stored_entry};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    Platform, StoreError, keys,
    record::{
        Key, Place, Values, Write, are_alive, emptied, over_the_log, place_bytes, read, to_json,
    },
};
use crate::json::Event;

/// Most attempts to enter an event, each at a new place after the last one was passed by.
const TRIES: u32 = 8;

over_the_log! {
    /// The journal's list.
    pub(super) struct JournalList
}

fn behind(dead: u64) -> String {
    format!("{}/{dead}", keys::BEHIND)
}

fn claimed(place: u64) -> String {
    format!("{}/{place}", keys::CLAIMED)
}

/// The key of the entry at a place.
pub(super) fn entry(index: u64) -> Key {
    Key::new(entry_key(keys::JOURNAL, index))
}

/// A place.
pub(super) fn place(index: u64) -> Place {
    Place::new(keys::JOURNAL, index)
}

/// An entry that is written again at its place.
pub(super) fn rewritten(index: u64, at: Timestamp, event: &Event) -> Result<Write, StoreError> {
    Ok((
        entry_key(keys::JOURNAL, index),
        stored_entry(at, &to_json(event)?),
    ))
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its place: entries are numbered as they are recorded, with gaps.
    pub index: u64,
    /// The time at which it was recorded.
    pub at: Timestamp,
    /// The event.
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

/// A block of the journal, for readers that go backwards.
#[derive(Debug)]
pub(super) struct Backwards {
    /// The newest first.
    pub entries: Vec<JournalEntry>,
    /// The place where it begins.
    pub start: u64,
    /// True if the place below which it was to end does not exist.
    pub is_beyond_end: bool,
}

impl<P: Platform> JournalList<'_, P> {
    /// Takes a place.
    pub async fn take(self) -> Result<Slot, StoreError> {
        self.log.take(keys::JOURNAL).await
    }

    /// Takes several places.
    pub async fn take_many(self, places: u64) -> Result<Vec<Slot>, StoreError> {
        self.log.take_many(keys::JOURNAL, places).await
    }

    /// Waits for the writers at places from `first` up to `before`, and then passes them by.
    pub async fn settle(self, first: u64, before: u64) -> Result<(), StoreError> {
        self.log.settle(keys::JOURNAL, first, before).await
    }

    /// Up to `count` places from `first` on.
    pub async fn part<T: DeserializeOwned>(
        self,
        first: u64,
        count: u64,
    ) -> Result<Listing<T>, StoreError> {
        self.log.read_part(keys::JOURNAL, first, count).await
    }

    /// Reads as [`part`](Self::part) does, for a reader that passes nothing by and waits for the writers
    /// in its way.
    pub async fn next(self, first: u64, count: u64) -> Result<Listing<Event>, StoreError> {
        self.log.read_on(keys::JOURNAL, first, count).await
    }

    /// Entries that came too late, emptied.
    pub async fn empty_late(self, part: &Listing<Event>) -> Result<(), StoreError> {
        let late = emptied(keys::JOURNAL, part);
        if late.is_empty() {
            return Ok(());
        }
        self.log.set_many(&late).await
    }

    /// Writes an entry again at its place.
    pub async fn rewrite(self, index: u64, at: Timestamp, event: &Event) -> Result<(), StoreError> {
        self.log.set_many(&[rewritten(index, at, event)?]).await
    }

    /// The keys to read after the entries at these places; they tell if a reader has contested a place.
    pub fn contests(places: &[u64]) -> Vec<Key> {
        let mut contests: Vec<_> = places.iter().map(|index| place(*index).contest()).collect();
        contests.dedup();
        contests
    }

    /// Enters the events of changes, given by their places, again behind, if they came too late to them.
    /// The changes are known to be made. A call that says so, because it finds them made, must make sure
    /// of their events, since their own writers gave no answer and may be dead.
    pub async fn make_sure(self, events: &[u64]) -> Result<(), StoreError> {
        let contests = Self::contests(events);
        if contests.is_empty() {
            return Ok(());
        }
        let contests = read(self.log, &contests).await?;
        self.make_sure_with(events, &contests).await
    }

    /// Does the same, from values read under [`contests`](Self::contests).
    pub async fn make_sure_with(self, events: &[u64], contests: &Values) -> Result<(), StoreError> {
        // If nobody has contested a place, nobody has passed by its entry.
        let is_contested = |index: &&u64| contests.has(&place(**index).contest());
        let contested: Vec<_> = events.iter().filter(is_contested).collect();
        let places: Vec<_> = contested.iter().map(|index| place(**index)).collect();
        if places.is_empty() || are_alive(self.log, &places).await? {
            return Ok(());
        }
        for index in contested {
            for raw in self.part::<IgnoredAny>(*index, 1).await?.late {
                if let Ok(entry) = read_entry::<Event>(raw.index, &raw.bytes)
                    && !self.is_claimed(raw.index).await?
                {
                    self.enter_again(&to_json(&entry.value)?, raw.index).await?;
                }
            }
        }
        Ok(())
    }

    /// True if this place was claimed for an event whose first place is dead.
    pub async fn is_claimed(self, index: u64) -> Result<bool, StoreError> {
        Ok(self.log.get(&claimed(index)).await?.is_some())
    }

    /// The entries at these places that exist and can be read, whether they count or not.
    pub async fn entries(self, indices: &[u64]) -> Result<Vec<JournalEntry>, StoreError> {
        let keys: Vec<_> = indices.iter().map(|index| entry(*index)).collect();
        let values = read(self.log, &keys).await?;
        let found = indices.iter().zip(&keys).filter_map(|(index, key)| {
            let entry = read_entry::<Event>(*index, values.get(key)?).ok()?;
            Some(entry.into())
        });
        Ok(found.collect())
    }

    /// Enters an event, and gives its place. The event is entered at another place if the first one was
    /// passed by.
    pub async fn enter(self, event: &str) -> Result<u64, StoreError> {
        self.enter_with(event, |_| Vec::new()).await
    }

    /// Enters the event of a change whose first place, `dead`, was passed by; gives its place.
    ///
    /// The writer of the change does this, and so does a call that closes the day or mends the store,
    /// perhaps at the same time. So each first claims a place, in a list of the dead place: the event
    /// stands at the place of the first claim that counts and whose place is alive. A call that finds a
    /// claim fulfils it, with the same value; another claim is made only once those before it are void
    /// for good.
    pub async fn enter_again(self, event: &str, dead: u64) -> Result<u64, StoreError> {
        let list = behind(dead);
        for _ in 0..TRIES {
            let claims = self.log.read_settled::<u64>(&list).await?;
            for claim in claims.entries {
                let key = entry_key(keys::JOURNAL, claim.value);
                if self.log.get(&key).await?.is_none() {
                    let entry = stored_entry(claim.at, event);
                    self.log.set_many(&[(key, entry)]).await?;
                }
                if are_alive(self.log, &[place(claim.value)]).await? {
                    return Ok(claim.value);
                }
            }
            let slot = self.log.take(&list).await?;
            let journal = self.log.take(keys::JOURNAL).await?;
            let claim = journal.index().to_string();
            // Every reader finds out if it counts, so this call does not.
            let of = (claimed(journal.index()), place_bytes(dead));
            let _ = self.log.fill(&[(&slot, &claim)], vec![of]).await?;
        }
        Err(StoreError::Contested(keys::JOURNAL.to_owned()))
    }

    /// Enters an event, with other values in one batch, by the event's place.
    pub async fn enter_with(
        self,
        event: &str,
        others: impl Fn(u64) -> Vec<Write>,
    ) -> Result<u64, StoreError> {
        for _ in 0..TRIES {
            let slot = self.log.take(keys::JOURNAL).await?;
            let others = others(slot.index());
            if self.log.fill(&[(&slot, event)], others).await?.all() {
                return Ok(slot.index());
            }
        }
        Err(StoreError::Contested(keys::JOURNAL.to_owned()))
    }

    /// The entry at a place, if it counts and can be read.
    pub async fn at(self, index: u64) -> Result<Option<JournalEntry>, StoreError> {
        if index == 0 {
            return Ok(None);
        }
        let part = self.log.read_part(keys::JOURNAL, index, 1).await?;
        Ok(part.entries.into_iter().next().map(Into::into))
    }

    /// Up to `count` places of the journal, a block at most, below the index `before`. Entries that are
    /// still being recorded are left out, since a reader that looks back does not wait for them. The
    /// caller decides if an entry counts, by reading the records that it is about.
    pub async fn before(self, before: u64, count: u64) -> Result<Backwards, StoreError> {
        let start = before.saturating_sub(count.clamp(1, BLOCK)).max(1);
        if before <= start {
            return Ok(Backwards {
                entries: Vec::new(),
                start: 1,
                is_beyond_end: false,
            });
        }
        let part = self
            .log
            .read_part::<Event>(keys::JOURNAL, start, before - start)
            .await?;
        let entries = part.entries.into_iter().rev();
        Ok(Backwards {
            entries: entries.map(Into::into).collect(),
            start,
            is_beyond_end: before > part.length + 1,
        })
    }

    /// A place before all entries that were recorded at `time` or later, as far as the entries' times are
    /// in order: the last such place, or one before it.
    pub async fn place_before(self, time: Timestamp) -> Result<u64, StoreError> {
        /// Entries in which one that can be read is looked for.
        const NEAR: u64 = 16;
        let (mut low, mut high) = (0, self.length().await?);
        while low < high {
            let middle = low + (high - low) / 2;
            let near = NEAR.min(high - middle);
            let part = self.part::<IgnoredAny>(middle + 1, near).await?;
            match part.entries.first() {
                Some(entry) if entry.at < time => low = entry.index,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The highest place of the journal that was handed out.
    pub async fn length(self) -> Result<u64, StoreError> {
        let part = self
            .log
            .read_part::<serde::de::IgnoredAny>(keys::JOURNAL, u64::MAX, 1)
            .await?;
        Ok(part.length)
    }
}
