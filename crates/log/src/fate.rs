//! The fate of a place that was taken: whether its entry counts, or the place is dead.
//!
//! A place whose writer died, or is slow, is a hole. A reader that wants to pass it must be certain
//! that it stays one, and the writer must learn of it. Both agree by a register protocol in the
//! manner of Disk Paxos (Gafni and Lamport, 2003), with the store as the one disk, and the blocks of
//! a list, [`BLOCK`] places each, as its unit:
//!
//! * The writer's entry is what it accepts in ballot 0. It writes the entry, and *then* reads the
//!   block's counter of ballots: while that is not there, whoever comes later finds the entry.
//! * Whoever wants to know takes a ballot by the counter, writes a *promise* that names the
//!   places, and *then* reads the entries and all that was accepted in ballots before. What was
//!   accepted last holds; else a place with an entry is alive, and one without is dead. It writes
//!   this as *accepted*, and reads the counter again: if nobody has taken a higher ballot meanwhile,
//!   it is decided. Else it tries again with a higher one.
//! * What is decided is written down as *decided*, so that later readers need no ballot.
//!
//! Each key is written with one value by the one who has the ballot, so that a write that comes
//! twice, or late, changes nothing. A ballot is never in a hurry: whoever dies with one is overtaken.
//! Ballots disturb each other, so those who collide pause, each for a while of chance.
//!
//! Nobody reads the ballots of a block that was never contested, and its counter is read with the
//! entries: in almost every store this costs one more key in a read that is made anyway.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mutation::{Mutation, mutated};
use serde::{Deserialize, Serialize};

use super::{
    Log, Platform, StoreError,
    stored::{count, entry_key, parse_counter},
};

/// Places of a list whose fates are found out together.
pub const BLOCK: u64 = 256;

/// Begin of all keys of this protocol.
pub const CONTESTS: &str = "contest/";

/// The number of times that a ballot is tried before somebody else's are left to come to an end.
const TRIES: u64 = 12;

/// The fate of an entry: whether it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It does, whatever happens.
    Alive,
    /// It does not, even if it should still be written.
    Dead,
}

/// The places that a ballot is about.
#[derive(Debug, Serialize, Deserialize)]
struct Promise {
    v: u32,
    places: BTreeSet<u64>,
}

/// Of the places of a ballot those that are dead; the others are alive.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Verdict {
    v: u32,
    places: BTreeSet<u64>,
    dead: BTreeSet<u64>,
}

impl Verdict {
    fn of(&self, place: u64) -> Option<Fate> {
        self.places.contains(&place).then(|| {
            if self.dead.contains(&place) {
                Fate::Dead
            } else {
                Fate::Alive
            }
        })
    }
}

/// The known state of the ballots of a block.
#[derive(Debug, Default)]
pub(crate) struct Contest {
    /// Places that a ballot has asked about.
    asked: BTreeSet<u64>,
    /// Those among them whose fate is decided.
    decided: BTreeMap<u64, Fate>,
    /// The fates that were accepted last of the others; not yet certain.
    accepted: BTreeMap<u64, Fate>,
}

impl Contest {
    /// The fate of a place as far as it is certain; `filled` says whether its entry was there
    /// *before* the ballots were read.
    pub(crate) fn fate(&self, place: u64, filled: bool) -> Option<Fate> {
        match self.decided.get(&place) {
            Some(fate) => Some(*fate),
            // Every ballot that is yet to ask finds the entry.
            None => (filled && !self.asked.contains(&place)).then_some(Fate::Alive),
        }
    }

    /// The places that were asked about and not decided, and whose entries are there.
    fn open(&self, is_filled: impl Fn(u64) -> bool) -> BTreeSet<u64> {
        let asked = self.asked.iter().copied();
        asked
            .filter(|place| !self.decided.contains_key(place) && is_filled(*place))
            .collect()
    }
}

/// The block of a place.
pub(crate) fn block(place: u64) -> u64 {
    place.saturating_sub(1) / BLOCK
}

/// Counter of the ballots of a block. It comes into being with the first.
pub(crate) fn counter_key(list: &str, block: u64) -> String {
    format!("{CONTESTS}{list}/{block}")
}

/// The key that is there if the fate of a place may be asked: of any place of its block, in fact.
pub fn contest_key(list: &str, place: u64) -> String {
    counter_key(list, block(place))
}

fn key(list: &str, block: u64, ballot: u64, part: &str) -> String {
    format!("{CONTESTS}{list}/{block}/{ballot}/{part}")
}

const PROMISE: &str = "promise";
const ACCEPTED: &str = "accepted";
const DECIDED: &str = "decided";

impl<P: Platform> Log<P> {
    /// The known state of a block's ballots, of which there are `ballots`.
    pub(crate) async fn contest(
        &self,
        list: &str,
        block: u64,
        ballots: u64,
    ) -> Result<Contest, StoreError> {
        /// Ballots read by one call.
        const AT_ONCE: u64 = 64;
        let mut contest = Contest::default();
        let mut first = 1;
        while first <= ballots {
            let last = ballots.min(first + AT_ONCE - 1);
            // In the order in which they are written, backwards: whoever is found to have decided
            // was found before to have promised.
            let keys: Vec<_> = [DECIDED, ACCEPTED, PROMISE]
                .iter()
                .flat_map(|part| (first..=last).map(|ballot| key(list, block, ballot, part)))
                .collect();
            let values = self.get_many(&keys).await?;
            for ballot in first..=last {
                let promise: Option<Promise> = read(&values, &key(list, block, ballot, PROMISE))?;
                contest
                    .asked
                    .extend(promise.into_iter().flat_map(|p| p.places));
                let accepted: Option<Verdict> = read(&values, &key(list, block, ballot, ACCEPTED))?;
                if let Some(verdict) = accepted {
                    let fates = verdict.places.iter();
                    contest
                        .accepted
                        .extend(fates.filter_map(|place| Some((*place, verdict.of(*place)?))));
                }
                let decided: Option<Verdict> = read(&values, &key(list, block, ballot, DECIDED))?;
                if let Some(verdict) = decided {
                    let fates = verdict.places.iter();
                    contest
                        .decided
                        .extend(fates.filter_map(|place| Some((*place, verdict.of(*place)?))));
                }
            }
            first = last + 1;
        }
        Ok(contest)
    }

    /// The fates of places of one list, decided now where they are not yet: a hole dies.
    ///
    /// # Errors
    /// [`StoreError::Contested`] where others ask at the same time, again and again.
    pub async fn decide(
        &self,
        list: &str,
        places: &BTreeSet<u64>,
    ) -> Result<BTreeMap<u64, Fate>, StoreError> {
        let mut blocks: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for place in places {
            blocks.entry(block(*place)).or_default().insert(*place);
        }
        let mut fates = BTreeMap::new();
        for (block, places) in blocks {
            fates.extend(self.decide_block(list, block, &places).await?);
        }
        Ok(fates)
    }

    /// The known state of a block's ballots, of which there are `ballots`; of places whose entries are
    /// there, the fates are decided by it.
    ///
    /// An entry that somebody has seen may be asked about later, by one who looked before it came. Until
    /// that ballot ends, and for good if its owner dies, nothing would say whether the entry counts. But
    /// it may be acknowledged, and others have read it. So whoever meets such a question ends it: what
    /// was alive once is alive for all who come later, and is gone at no moment.
    pub(crate) async fn contest_of_filled(
        &self,
        list: &str,
        block: u64,
        ballots: u64,
        is_filled: impl Fn(u64) -> bool,
    ) -> Result<Contest, StoreError> {
        /// Milliseconds that are left to whoever has asked, so that ballots do not disturb each other.
        const LEFT: u64 = 20;
        let mut contest = self.contest(list, block, ballots).await?;
        if contest.open(&is_filled).is_empty() {
            return Ok(contest);
        }
        self.pause(LEFT).await;
        let key = counter_key(list, block);
        let counter = self.get(&key).await?;
        let ballots = counter.map_or(Ok(ballots), |bytes| count(&key, &bytes))?;
        contest = self.contest(list, block, ballots).await?;
        let open = contest.open(&is_filled);
        if !open.is_empty() {
            contest.decided.extend(self.decide(list, &open).await?);
        }
        Ok(contest)
    }

    async fn decide_block(
        &self,
        list: &str,
        block: u64,
        places: &BTreeSet<u64>,
    ) -> Result<BTreeMap<u64, Fate>, StoreError> {
        let counter = counter_key(list, block);
        if mutated(Mutation::HoleWithoutHandshake) || mutated(Mutation::TimeWindows) {
            let entries: Vec<_> = places.iter().map(|place| entry_key(list, *place)).collect();
            let filled = self.get_many(&entries).await?;
            let fate = |place: &u64| match filled.contains_key(&entry_key(list, *place)) {
                true => Fate::Alive,
                false => Fate::Dead,
            };
            let fates: BTreeMap<_, _> = places.iter().map(|place| (*place, fate(place))).collect();
            if mutated(Mutation::HoleWithoutHandshake) {
                // What was seen is said, though nobody was asked.
                let dead = fates.iter().filter(|(_, fate)| **fate == Fate::Dead);
                let verdict = Verdict {
                    v: 1,
                    places: places.clone(),
                    dead: dead.map(|(place, _)| *place).collect(),
                };
                let ballot = self.increment(&counter, 1).await?;
                self.write(&key(list, block, ballot, DECIDED), &verdict)
                    .await?;
            }
            return Ok(fates);
        }
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.pause(10 << attempt.min(6)).await;
            }
            let ballot = self.increment(&counter, 1).await?;
            let promise = Promise {
                v: 1,
                places: places.clone(),
            };
            self.write(&key(list, block, ballot, PROMISE), &promise)
                .await?;
            // From here on whoever fills one of the places finds this ballot.
            let entries: Vec<_> = places.iter().map(|place| entry_key(list, *place)).collect();
            let filled = self.get_many(&entries).await?;
            let before = self.contest(list, block, ballot - 1).await?;
            let fate = |place: &u64| {
                let known = before.decided.get(place).or(before.accepted.get(place));
                known.copied().unwrap_or_else(|| {
                    match filled.contains_key(&entry_key(list, *place)) {
                        true => Fate::Alive,
                        false => Fate::Dead,
                    }
                })
            };
            let dead = places.iter().filter(|place| fate(place) == Fate::Dead);
            let verdict = Verdict {
                v: 1,
                places: places.clone(),
                dead: dead.copied().collect(),
            };
            self.write(&key(list, block, ballot, ACCEPTED), &verdict)
                .await?;
            let highest = self.get(&counter).await?;
            let highest = highest.as_deref().and_then(parse_counter);
            if highest == Some(ballot) {
                self.write(&key(list, block, ballot, DECIDED), &verdict)
                    .await?;
                return Ok(places
                    .iter()
                    .filter_map(|place| Some((*place, verdict.of(*place)?)))
                    .collect());
            }
            // Somebody has overtaken this ballot; he may have come to an end meanwhile.
            let ballots = highest.unwrap_or(ballot);
            let after = self.contest(list, block, ballots).await?;
            if places.iter().all(|place| after.decided.contains_key(place)) {
                return Ok(places
                    .iter()
                    .filter_map(|place| Some((*place, *after.decided.get(place)?)))
                    .collect());
            }
        }
        Err(StoreError::Contested(list.to_owned()))
    }

    /// Of places that were just filled those that are dead: almost always none, found by one read.
    pub(crate) async fn dead(
        &self,
        filled: &[(&str, u64)],
    ) -> Result<Vec<(String, u64)>, StoreError> {
        if mutated(Mutation::WriterWithoutHandshake) || mutated(Mutation::TimeWindows) {
            return Ok(Vec::new());
        }
        let mut counters: Vec<_> = filled
            .iter()
            .map(|(list, place)| counter_key(list, block(*place)))
            .collect();
        counters.sort_unstable();
        counters.dedup();
        let counted = self.get_many(&counters).await?;
        let mut dead = Vec::new();
        if counted.is_empty() {
            return Ok(dead);
        }
        for (list, place) in filled {
            let key = counter_key(list, block(*place));
            let Some(ballots) = counted.get(&key) else {
                continue;
            };
            let ballots = count(&key, ballots)?;
            let contest = self.contest(list, block(*place), ballots).await?;
            let fate = match contest.fate(*place, true) {
                Some(fate) => fate,
                None => {
                    let decided = self.decide(list, &BTreeSet::from([*place])).await?;
                    decided.get(place).copied().unwrap_or(Fate::Dead)
                }
            };
            if fate == Fate::Dead {
                dead.push(((*list).to_owned(), *place));
            }
        }
        Ok(dead)
    }

    async fn write<T: Serialize>(&self, key: &str, value: &T) -> Result<(), StoreError> {
        let json = serde_json::to_vec(value).map_err(|error| corrupt(key, &error))?;
        self.set_many(&[(key.to_owned(), json)]).await
    }
}

fn read<'a, T: Deserialize<'a>>(
    values: &'a HashMap<String, Vec<u8>>,
    key: &str,
) -> Result<Option<T>, StoreError> {
    let value = values.get(key).map(|bytes| serde_json::from_slice(bytes));
    value.transpose().map_err(|error| corrupt(key, &error))
}

pub(crate) fn corrupt(key: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt {
        key: key.to_owned(),
        reason: error.to_string(),
    }
}
