//! The append-only list: a counter under its name hands out places from 1, entry `n` is at
//! `<list>/<n>`, with the time of its recording.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
    time::Duration,
};

use jiff::Timestamp;
use mutation::{Mutation, mutated};
use serde::de::DeserializeOwned;

use super::{
    Log, MOST_LIFT, PATIENCE, Platform, StoreError, age,
    fate::{BLOCK, Contest, Fate, block, counter_key},
    stored::{Entry, RawEntry, count, entry_key, read_at, read_entry, stored_entry_beside},
};

/// Entries fetched together with the counter, so that most lists take one call.
const FIRST: u64 = 8;
/// The same, where more lists than [`FEW`] are read at once: most are of an order and its payment.
const FIRST_OF_MANY: u64 = 2;
const FEW: usize = 4;
/// Keys read by one call.
const KEYS: usize = BLOCK as usize;
/// With [`Mutation::TimeWindows`], how long a writer has for his entry.
const WRITERS_WINDOW: Duration = Duration::from_secs(20);
/// With [`Mutation::TimeWindows`], how old what stands behind a hole is until it is passed.
const READERS_WINDOW: Duration = Duration::from_secs(60);
/// A place of one's own in a list.
#[derive(Debug)]
pub struct Slot {
    list: String,
    index: u64,
    /// The place of what is written with its entry into another list.
    beside: Option<u64>,
    /// The time at which it was taken, for [`Mutation::TimeWindows`] alone.
    taken: Option<Timestamp>,
}

impl Slot {
    /// The place.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The key of its entry.
    pub fn key(&self) -> String {
        entry_key(&self.list, self.index)
    }

    /// Says that its entry is written in one batch with that of a place of another list, so that
    /// whoever reads the one finds the other.
    pub fn stand_beside(&mut self, other: &Self) {
        self.beside = Some(other.index);
    }
}

/// The fates of places that were filled.
#[derive(Debug)]
#[must_use = "an entry at a dead place does not count"]
pub struct Filled {
    dead: Vec<(String, u64)>,
}

impl Filled {
    /// True if all entries count.
    pub fn all(&self) -> bool {
        self.dead.is_empty()
    }

    /// True if the entry at this place counts.
    pub fn is_alive(&self, slot: &Slot) -> bool {
        let mut dead = self.dead.iter();
        !dead.any(|(list, index)| *index == slot.index && *list == slot.list)
    }
}

/// The entries of a list, or of a part of it.
#[derive(Debug)]
pub struct Listing<T> {
    /// The entries that count and can be read.
    pub entries: Vec<Entry<T>>,
    /// Those that count, but are damaged or of a later version. They stop nobody.
    pub unreadable: Vec<RawEntry>,
    /// Entries that came to their places too late, and do not count.
    pub late: Vec<RawEntry>,
    /// Places that are empty, and not known to stay so.
    pub unsettled: BTreeSet<u64>,
    /// The first place that was not looked at.
    pub next: u64,
    /// The counter: the highest place handed out.
    pub length: u64,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            unreadable: Vec::new(),
            late: Vec::new(),
            unsettled: BTreeSet::new(),
            next: 1,
            length: 0,
        }
    }
}

impl<T> Listing<T> {
    /// The places up to here are settled.
    pub fn settled(&self) -> u64 {
        self.unsettled.first().map_or(self.next, |first| *first) - 1
    }

    /// Adds the part that follows.
    pub fn append(&mut self, part: Self) {
        self.entries.extend(part.entries);
        self.unreadable.extend(part.unreadable);
        self.late.extend(part.late);
        self.unsettled.extend(part.unsettled);
        self.next = part.next;
        self.length = part.length;
    }

    /// Leaves only what stands at places up to `last`.
    pub fn truncate(&mut self, last: u64) {
        self.entries.retain(|entry| entry.index <= last);
        self.unreadable.retain(|entry| entry.index <= last);
        self.late.retain(|entry| entry.index <= last);
        self.unsettled.retain(|index| *index <= last);
        self.next = self.next.min(last.saturating_add(1));
    }
}

/// An entry that is not read yet. Lists are read as such, so that the reading is there once and not
/// for every type of entries.
struct Raw(Vec<u8>);

impl Listing<Raw> {
    fn read<T: DeserializeOwned>(self) -> Listing<T> {
        let mut listing = Listing {
            entries: Vec::with_capacity(self.entries.len()),
            unreadable: self.unreadable,
            late: self.late,
            unsettled: self.unsettled,
            next: self.next,
            length: self.length,
        };
        for entry in self.entries {
            match read_entry(entry.index, &entry.value.0) {
                Ok(entry) => listing.entries.push(entry),
                Err(raw) => listing.unreadable.push(raw),
            }
        }
        listing.unreadable.sort_by_key(|raw| raw.index);
        listing
    }
}

impl<P: Platform> Log<P> {
    /// Takes a place. If it is never filled, a hole is left, which does no harm.
    ///
    /// # Errors
    /// [`StoreError::Platform`].
    pub async fn take(&self, list: &str) -> Result<Slot, StoreError> {
        let index = self.increment(list, 1).await?;
        Ok(Slot {
            list: list.to_owned(),
            index,
            beside: None,
            taken: self.taken(),
        })
    }

    fn taken(&self) -> Option<Timestamp> {
        mutated(Mutation::TimeWindows).then(|| self.now())
    }

    /// Takes several places, one after the other, with one count.
    ///
    /// # Errors
    /// [`StoreError::Platform`].
    pub async fn take_many(&self, list: &str, places: u64) -> Result<Vec<Slot>, StoreError> {
        if places == 0 {
            return Ok(Vec::new());
        }
        let last = self.increment(list, places).await?;
        let first = last.saturating_sub(places - 1);
        let slots = (first..=last).map(|index| Slot {
            list: list.to_owned(),
            index,
            beside: None,
            taken: self.taken(),
        });
        Ok(slots.collect())
    }

    /// Fills places with JSON texts, and sets other values, in one batch; then asks whether the
    /// entries count. At a dead place nothing does, though it is written.
    ///
    /// # Errors
    /// [`StoreError`]: the batch may be written all the same, or be written later.
    pub async fn fill(
        &self,
        entries: &[(&Slot, &str)],
        others: Vec<(String, Vec<u8>)>,
    ) -> Result<Filled, StoreError> {
        let at = self.time_for(entries);
        let mut batch = others;
        let mut filled = Vec::with_capacity(entries.len());
        for (slot, json) in entries {
            let entry = stored_entry_beside(at, slot.beside, json);
            batch.push((entry_key(&slot.list, slot.index), entry));
            filled.push((slot.list.as_str(), slot.index));
        }
        if mutated(Mutation::TornBatch) {
            for entry in batch.chunks(1) {
                self.set_many(entry).await?;
            }
        } else {
            self.set_many(&batch).await?;
        }
        if mutated(Mutation::TimeWindows) {
            let now = self.now();
            let slots = entries.iter().map(|(slot, _)| slot);
            let late = slots.filter(|slot| {
                let age = slot.taken.and_then(|taken| age(taken, now));
                age.is_some_and(|age| age > WRITERS_WINDOW)
            });
            let dead = late.map(|slot| (slot.list.clone(), slot.index)).collect();
            return Ok(Filled { dead });
        }
        let dead = self.dead(&filled).await?;
        Ok(Filled { dead })
    }

    /// The time of entries that are written now: not before that of the last one that was seen of
    /// their lists, unless the clocks differ by more than is plausible.
    fn time_for(&self, entries: &[(&Slot, &str)]) -> Timestamp {
        let now = self.now();
        let mut seen = self.seen.borrow_mut();
        let before = entries.iter().filter_map(|(slot, _)| seen.get(&slot.list));
        let plausible = |at: &&Timestamp| age(now, **at).is_some_and(|by| by <= MOST_LIFT);
        let at = before
            .filter(plausible)
            .fold(now, |at, before| at.max(*before));
        for (slot, _) in entries {
            seen.insert(slot.list.clone(), at);
        }
        at
    }

    /// Keeps in mind when the last entry of a part of a list was written.
    fn seen<T>(&self, list: &str, listing: Listing<T>) -> Listing<T> {
        if let Some(last) = listing.entries.last() {
            let mut seen = self.seen.borrow_mut();
            match seen.get_mut(list) {
                Some(at) => *at = last.at.max(*at),
                None => {
                    seen.insert(list.to_owned(), last.at);
                }
            }
        }
        listing
    }

    /// True if the entries at these places count, where it matters whether they do: the fates of
    /// those that are contested are decided by this.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn are_alive(&self, places: &[(&str, u64)]) -> Result<bool, StoreError> {
        Ok(self.dead(places).await?.is_empty())
    }

    /// The whole list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_all<T: DeserializeOwned>(
        &self,
        list: &str,
    ) -> Result<Listing<T>, StoreError> {
        let mut listings = self.read_raw(&[list.to_owned()], u64::MAX).await?;
        Ok(self.seen(list, listings.pop().unwrap_or_default().read()))
    }

    /// The whole list up to where it is settled, for whoever takes the first entry of a kind for the one
    /// that counts. Places that were taken before the call are waited for. Those that are taken
    /// meanwhile may be filled out of turn: an entry behind one that is empty may not be the first for
    /// long, and is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_settled<T: DeserializeOwned>(
        &self,
        list: &str,
    ) -> Result<Listing<T>, StoreError> {
        let mut listing = self.read_all(list).await?;
        if !listing.unsettled.is_empty() {
            self.settle(list, 1, listing.length + 1).await?;
            listing = self.read_all(list).await?;
            let settled = listing.settled();
            listing.truncate(settled);
        }
        Ok(listing)
    }

    /// Several lists, in the same order: few calls if most are short. Of those that are longer than
    /// `long` no more than the first entries is read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_lists<T: DeserializeOwned>(
        &self,
        lists: &[String],
        long: u64,
    ) -> Result<Vec<Listing<T>>, StoreError> {
        let listings = self.read_raw(lists, long).await?;
        let listings = lists.iter().zip(listings);
        Ok(listings
            .map(|(list, listing)| self.seen(list, listing.read()))
            .collect())
    }

    async fn read_raw(&self, lists: &[String], long: u64) -> Result<Vec<Listing<Raw>>, StoreError> {
        // Whoever asks for one list waits for each call; of many, most keys ahead would be of nothing.
        let ahead = if lists.len() > FEW {
            FIRST_OF_MANY
        } else {
            FIRST
        };
        let at_once = KEYS / (ahead as usize + 2);
        let mut listings = Vec::with_capacity(lists.len());
        for lists in lists.chunks(at_once) {
            let mut keys = Vec::with_capacity(lists.len() * (ahead as usize + 2));
            for list in lists {
                keys.push(list.clone());
                keys.extend((1..=ahead).map(|index| entry_key(list, index)));
            }
            // After the entries: see `fate.rs`.
            keys.extend(lists.iter().map(|list| counter_key(list, 0)));
            let values = self.get_many(&keys).await?;
            for list in lists {
                let length = length(list, &values)?;
                let mut listing = Listing {
                    length,
                    ..Listing::default()
                };
                let last = if length > long {
                    length.min(FIRST)
                } else {
                    length
                };
                self.add(list, 1..=last.min(ahead), &values, &mut listing)
                    .await?;
                listings.push((listing, last));
            }
        }
        // What is left of those that are longer, of as many at once as fit into a call.
        loop {
            let (mut keys, mut parts) = (Vec::new(), Vec::new());
            for (place, (listing, last)) in listings.iter().enumerate() {
                let Some(list) = lists.get(place).filter(|_| listing.next <= *last) else {
                    continue;
                };
                let first = listing.next;
                let until = (*last).min((block(first) + 1) * BLOCK);
                let more = keys_of(list, first..=until);
                if !keys.is_empty() && keys.len() + more.len() > KEYS {
                    break;
                }
                keys.extend(more);
                parts.push((place, list, first..=until));
            }
            if parts.is_empty() {
                break;
            }
            let values = self.get_many(&keys).await?;
            for (place, list, places) in parts {
                if let Some((listing, _)) = listings.get_mut(place) {
                    self.add(list, places, &values, listing).await?;
                }
            }
        }
        Ok(listings.into_iter().map(|(listing, _)| listing).collect())
    }

    /// The part of a list at up to [`BLOCK`] places from `first` on, and its length.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_part<T: DeserializeOwned>(
        &self,
        list: &str,
        first: u64,
        places: u64,
    ) -> Result<Listing<T>, StoreError> {
        let part = self.read_raw_part(list, first, places).await?;
        Ok(self.seen(list, part.read()))
    }

    async fn read_raw_part(
        &self,
        list: &str,
        first: u64,
        places: u64,
    ) -> Result<Listing<Raw>, StoreError> {
        let first = first.max(1);
        let until = first.saturating_add(places.clamp(1, BLOCK) - 1);
        let mut keys = vec![list.to_owned()];
        keys.extend(keys_of(list, first..=until));
        let values = self.get_many(&keys).await?;
        let mut listing = Listing {
            next: first,
            length: length(list, &values)?,
            ..Listing::default()
        };
        let until = until.min(listing.length);
        self.add(list, first..=until, &values, &mut listing).await?;
        Ok(listing)
    }

    /// As [`Self::read_part`], for a reader who does not come back to what he passes: of places
    /// that were taken long enough ago all are settled, and so passed for good.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_on<T: DeserializeOwned>(
        &self,
        list: &str,
        first: u64,
        places: u64,
    ) -> Result<Listing<T>, StoreError> {
        let part = self.read_raw_on(list, first, places).await?;
        Ok(self.seen(list, part.read()))
    }

    async fn read_raw_on(
        &self,
        list: &str,
        first: u64,
        places: u64,
    ) -> Result<Listing<Raw>, StoreError> {
        let mut listing = self.read_raw_part(list, first, places).await?;
        let Some(hole) = listing.unsettled.first().copied() else {
            return Ok(listing);
        };
        let now = self.now();
        let behind = listing.entries.iter().rev();
        let behind = behind.take_while(|entry| entry.index > hole);
        // Who stands behind a hole came after it was taken, so it is at least as old.
        let ages: Vec<_> = behind
            .filter_map(|entry| read_at(&entry.value.0))
            .map(|at| age(at, now))
            .collect();
        let is_old = ages.iter().flatten().any(|age| *age >= PATIENCE);
        let is_fresh = !ages.is_empty() && ages.iter().all(Option::is_some);
        if !is_old && (is_fresh || (ages.is_empty() && listing.next > listing.length)) {
            // Its writer is at it, or nobody waits behind it.
            return Ok(listing);
        }
        if !is_old {
            // No clock tells: it is watched.
            self.platform().sleep(PATIENCE).await;
        }
        let last = listing.next - 1;
        listing = self.read_raw_part(list, first, places).await?;
        let old: BTreeSet<_> = listing.unsettled.range(..=last).copied().collect();
        if !old.is_empty() {
            self.decide(list, &old).await?;
            listing = self.read_raw_part(list, first, places).await?;
        }
        Ok(listing)
    }

    /// Waits until the places of a list from `first` up to but without `before` are settled: for
    /// as long as their writers are left, and then no longer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle(&self, list: &str, first: u64, before: u64) -> Result<(), StoreError> {
        // As long as `PATIENCE` together.
        for pause in [0, 20, 80, 200, 300, 600] {
            self.platform().sleep(Duration::from_millis(pause)).await;
            if self.unsettled(list, first, before).await?.is_empty() {
                return Ok(());
            }
        }
        let holes = self.unsettled(list, first, before).await?;
        self.decide(list, &holes).await?;
        Ok(())
    }

    async fn unsettled(
        &self,
        list: &str,
        first: u64,
        before: u64,
    ) -> Result<BTreeSet<u64>, StoreError> {
        let mut holes = BTreeSet::new();
        let mut from = first;
        while from < before {
            let part = self.read_raw_part(list, from, before - from).await?;
            holes.extend(part.unsettled.range(..before));
            if part.next <= from {
                break;
            }
            from = part.next;
        }
        Ok(holes)
    }

    /// Adds what stands at places to a listing. `values` holds the entries and, read after them,
    /// the counters of ballots.
    async fn add(
        &self,
        list: &str,
        places: RangeInclusive<u64>,
        values: &HashMap<String, Vec<u8>>,
        listing: &mut Listing<Raw>,
    ) -> Result<(), StoreError> {
        if places.is_empty() {
            return Ok(());
        }
        let mut contests: BTreeMap<u64, Contest> = BTreeMap::new();
        for block in block(*places.start())..=block(*places.end()) {
            let key = counter_key(list, block);
            if let Some(ballots) = values.get(&key) {
                let ballots = count(&key, ballots)?;
                let is_filled = |place| values.contains_key(&entry_key(list, place));
                let contest = self.contest_of_filled(list, block, ballots, is_filled);
                contests.insert(block, contest.await?);
            }
        }
        listing.next = places.end() + 1;
        let passed = match mutated(Mutation::TimeWindows) {
            true => self.passed_by_the_clock(list, places.clone(), values),
            false => 0,
        };
        // What was found alive after its entry was looked for may have been written in between: it is
        // looked for once more, before it is taken for lost.
        let is_alive = |index: &u64| {
            let contest = contests.get(&block(*index));
            contest.and_then(|contest| contest.fate(*index, false)) == Some(Fate::Alive)
        };
        let key_of = |index: u64| entry_key(list, index);
        let absent = |index: &u64| !values.contains_key(&key_of(*index));
        let missing = places.clone().filter(absent).filter(is_alive);
        let missing: Vec<_> = missing.map(key_of).collect();
        let found = self.get_many(&missing).await?;
        for index in places {
            let key = key_of(index);
            let bytes = values.get(&key).or_else(|| found.get(&key));
            let contest = contests.get(&block(index));
            let fate = match contest {
                Some(contest) => contest.fate(index, bytes.is_some()),
                None if bytes.is_none() && index < passed => Some(Fate::Dead),
                None => bytes.map(|_| Fate::Alive),
            };
            match (fate, bytes) {
                (Some(Fate::Alive), Some(bytes)) => listing.entries.push(Entry {
                    index,
                    at: Timestamp::UNIX_EPOCH,
                    beside: None,
                    value: Raw(bytes.clone()),
                }),
                (Some(Fate::Dead), Some(bytes)) => listing.late.push(RawEntry {
                    index,
                    at: None,
                    bytes: bytes.clone(),
                    is_unknown: false,
                }),
                (Some(Fate::Dead), None) => {}
                // An entry that was there is not: the store has lost it. It stops nobody, and can be
                // mended.
                (Some(Fate::Alive), None) => listing.unreadable.push(RawEntry {
                    index,
                    at: None,
                    bytes: Vec::new(),
                    is_unknown: false,
                }),
                (None, _) => {
                    listing.unsettled.insert(index);
                }
            }
        }
        Ok(())
    }
}

impl<P: Platform> Log<P> {
    /// With [`Mutation::TimeWindows`], the place before which every hole is taken for dead.
    fn passed_by_the_clock(
        &self,
        list: &str,
        places: RangeInclusive<u64>,
        values: &HashMap<String, Vec<u8>>,
    ) -> u64 {
        let now = self.now();
        let is_old = |place: &u64| {
            let at = values.get(&entry_key(list, *place));
            let age = at.and_then(|bytes| read_at(bytes)).map(|at| age(at, now));
            age.flatten().is_some_and(|age| age >= READERS_WINDOW)
        };
        places.rev().find(is_old).unwrap_or(0)
    }
}

/// The keys of entries and, after them, of what contests their blocks.
fn keys_of(list: &str, places: RangeInclusive<u64>) -> Vec<String> {
    let blocks = block(*places.start())..=block(*places.end());
    let entries = places.map(|index| entry_key(list, index));
    entries
        .chain(blocks.map(|block| counter_key(list, block)))
        .collect()
}

fn length(list: &str, values: &HashMap<String, Vec<u8>>) -> Result<u64, StoreError> {
    let counter = values.get(list).map(|bytes| count(list, bytes));
    Ok(counter.transpose()?.unwrap_or(0))
}
