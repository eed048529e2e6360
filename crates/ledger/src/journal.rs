//! The journal: everything that happened, in the order of its recording.

use std::collections::HashMap;

use jiff::Timestamp;
use mpay_log::{BLOCK, Entry, PATIENCE, contest_key, stored_entry};

use super::{
    DayRange, Platform, RawEntry, Store, StoreError,
    keys::{self, PaymentName},
    payments::{Decisions, Patience},
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{Event, PaymentJson},
};

/// How many blocks one call reads at most: what a caller wants may be rare.
pub(super) const BLOCKS: u32 = 4;
/// How often an event is entered anew because its place was passed by.
const TRIES: u32 = 8;

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

/// A span of time: from its start, up to but without its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Its start.
    pub from: Option<Timestamp>,
    /// Its end.
    pub to: Option<Timestamp>,
}

impl Span {
    /// All times.
    pub const ALWAYS: Self = Self {
        from: None,
        to: None,
    };
}

/// A part of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPage {
    /// Entries in the order of their recording.
    pub entries: Vec<JournalEntry>,
    /// Entries of the same part that are damaged, or of a later version: as they are.
    pub unreadable: Vec<RawEntry>,
    /// Where to go on. It may have grown though there are no entries.
    pub next: u64,
    /// Whether this is all there is in the span until now, and nothing of it is being recorded.
    pub complete: bool,
    /// Whether nothing will be recorded in the span any more: its days are closed.
    pub closed: bool,
    /// Whether the cursor was beyond the end of the journal: it is not of this store as it is.
    pub is_beyond_end: bool,
}

/// A block of the journal, for whoever goes back through it.
#[derive(Debug)]
pub(super) struct Backwards {
    /// The newest first.
    pub entries: Vec<JournalEntry>,
    /// Where it begins.
    pub start: u64,
    /// Whether the place below which it was to end does not exist.
    pub is_beyond_end: bool,
}

/// What the records that an entry is about say of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It counts.
    Valid,
    /// It counts for nothing: what it tells of was not done, or was entered elsewhere.
    Abandoned,
    /// It is being recorded.
    Pending,
}

/// The list, and the place in it, with which an event counts.
pub(super) fn made_at(event: &Event) -> Option<(String, u64)> {
    match event {
        Event::ProposalWithdrawn(event) => Some((keys::proposal(event.proposal), event.entry)),
        Event::SettlementImported(event) => Some((keys::SETTLEMENTS.to_owned(), event.entry)),
        event => {
            let (service, key, version) = event.change()?;
            let (service, key) = (ServiceId::parse(service).ok()?, OrderKey::parse(key).ok()?);
            Some((keys::order(&service, &key), version))
        }
    }
}

impl<P: Platform> Store<P> {
    /// Up to `limit` entries of the journal that are `wanted` and were recorded in `span`, after
    /// the cursor `after`. Nothing that is still being recorded is passed by. Only a fixed number
    /// of entries is looked at.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn journal(
        &self,
        after: u64,
        limit: usize,
        span: Span,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<JournalPage, StoreError> {
        let range = self.range(span).await?;
        self.journal_in(&range, after, limit, wanted).await
    }

    /// The same, of a range that is known.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn journal_in(
        &self,
        range: &DayRange,
        after: u64,
        limit: usize,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<JournalPage, StoreError> {
        let mut page = JournalPage {
            entries: Vec::new(),
            unreadable: Vec::new(),
            next: after.max(range.after),
            complete: false,
            closed: range.closed,
            is_beyond_end: false,
        };
        for _ in 0..BLOCKS {
            let left = range
                .last
                .map_or(BLOCK, |last| last.saturating_sub(page.next));
            if left == 0 {
                page.complete = true;
                // Otherwise nothing tells how long the journal is.
                let is_behind = range.last.is_some_and(|last| after > last);
                page.is_beyond_end = is_behind && after > self.journal_length().await?;
                return Ok(page);
            }
            let first = page.next + 1;
            let mut listing = self
                .log
                .read_on::<Event>(keys::JOURNAL, first, left.min(BLOCK))
                .await?;
            page.is_beyond_end = after > listing.length;
            let cursor = listing.settled();
            let until = listing.next - 1;
            listing.truncate(cursor);
            listing
                .entries
                .retain(|entry| range.contains(entry.at) && wanted(&entry.value));
            let standings = self.standing(listing.entries).await?;
            let mut raw = listing.unreadable.into_iter().peekable();
            for (entry, standing) in standings {
                let index = entry.index;
                while let Some(raw) = raw.next_if(|raw| raw.index < index) {
                    page.unreadable.push(raw);
                }
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
            page.unreadable.extend(raw);
            page.next = cursor.max(page.next);
            let end = range
                .last
                .map_or(listing.length, |last| last.min(listing.length));
            page.complete = cursor >= end;
            if cursor < until || cursor >= end {
                break;
            }
        }
        Ok(page)
    }

    /// Enters an event; gives its place. It is entered at another one where its first was passed by.
    pub(super) async fn enter(&self, event: &str) -> Result<u64, StoreError> {
        self.enter_with(event, |_| Vec::new()).await
    }

    /// Enters the event of a change whose first place, `dead`, was passed by; gives its place.
    ///
    /// The writer of the change does this, and so does whoever closes the day or mends the store,
    /// perhaps at the same time. So each first claims a place, in a list of the dead one's: the event
    /// stands at the place of the first claim that counts and whose place is alive. Whoever finds a
    /// claim fulfils it, by the same value; another is made only where those before it are void for
    /// good.
    pub(super) async fn enter_again(&self, event: &str, dead: u64) -> Result<u64, StoreError> {
        let list = keys::behind(dead);
        for _ in 0..TRIES {
            let mut claims = self.log.read_all::<u64>(&list).await?;
            if !claims.unsettled.is_empty() {
                self.log.settle(&list, 1, claims.length + 1).await?;
                claims = self.log.read_all(&list).await?;
            }
            for claim in claims.entries {
                let place = keys::journal(claim.value);
                if self.log.get(&place).await?.is_none() {
                    let entry = stored_entry(claim.at, event);
                    self.log.set_many(&[(place, entry)]).await?;
                }
                let place = (keys::JOURNAL, claim.value);
                if self.log.are_alive(&[place]).await? {
                    return Ok(claim.value);
                }
            }
            let slot = self.log.take(&list).await?;
            let journal = self.log.take(keys::JOURNAL).await?;
            let claim = journal.index().to_string();
            // Whether it counts is seen by reading it, as everybody does.
            let of = (
                keys::claimed(journal.index()),
                dead.to_string().into_bytes(),
            );
            let _ = self.log.fill(&[(&slot, &claim)], vec![of]).await?;
        }
        Err(StoreError::Contested(keys::JOURNAL.to_owned()))
    }

    /// Enters an event, with other values in one batch, by the event's place.
    pub(super) async fn enter_with(
        &self,
        event: &str,
        others: impl Fn(u64) -> Vec<(String, Vec<u8>)>,
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
    pub(super) async fn journal_entry(
        &self,
        index: u64,
    ) -> Result<Option<JournalEntry>, StoreError> {
        if index == 0 {
            return Ok(None);
        }
        let part = self.log.read_part(keys::JOURNAL, index, 1).await?;
        Ok(part.entries.into_iter().next().map(Into::into))
    }

    /// A block of the journal below the index `before`. What is still being recorded is left out: whoever looks back does not wait for it. Whether an
    /// entry counts is left to whoever reads what it is about.
    pub(super) async fn journal_before(&self, before: u64) -> Result<Backwards, StoreError> {
        let start = before.saturating_sub(BLOCK).max(1);
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

    /// The highest place of the journal that was handed out.
    pub(super) async fn journal_length(&self) -> Result<u64, StoreError> {
        let part = self
            .log
            .read_part::<serde::de::IgnoredAny>(keys::JOURNAL, u64::MAX, 1)
            .await?;
        Ok(part.length)
    }

    /// Looks up which entries count: a payment does if its marker names it, a change of an order
    /// if its place in the order's list is alive.
    pub(super) async fn standing(
        &self,
        entries: Vec<Entry<Event>>,
    ) -> Result<Vec<(Entry<Event>, Standing)>, StoreError> {
        let mut names = Vec::new();
        let mut changes = HashMap::new();
        for entry in &entries {
            if let Event::PaymentRecorded(payment) = &entry.value {
                names.extend(PaymentName::of(payment));
            }
            changes.extend(made_at(&entry.value).map(|place| (entry.index, place)));
        }
        let mut decisions = self.decided(&names).await?;
        let mut contests: Vec<_> = changes
            .values()
            .map(|(list, version)| contest_key(list, *version))
            .collect();
        contests.sort_unstable();
        contests.dedup();
        let contests = self.log.get_many(&contests).await?;
        let mut standings = Vec::with_capacity(entries.len());
        for entry in entries {
            let standing = match (&entry.value, changes.get(&entry.index)) {
                (Event::PaymentRecorded(payment), _) => {
                    self.of_payment(&entry, payment, &mut decisions).await?
                }
                (_, Some((list, version)))
                    if contests.contains_key(&contest_key(list, *version))
                        && !self.log.are_alive(&[(list, *version)]).await? =>
                {
                    Standing::Abandoned
                }
                _ => Standing::Valid,
            };
            standings.push((entry, standing));
        }
        Ok(standings)
    }

    async fn of_payment(
        &self,
        entry: &Entry<Event>,
        payment: &PaymentJson,
        decisions: &mut Decisions,
    ) -> Result<Standing, StoreError> {
        let Ok(name) = PaymentName::of(payment) else {
            return Ok(Standing::Abandoned);
        };
        if !decisions.contains_key(&name) {
            // Whoever records it is left as much time as a writer is.
            let age = std::time::Duration::try_from(self.now().duration_since(entry.at));
            if age.is_ok_and(|age| age < PATIENCE) {
                return Ok(Standing::Pending);
            }
            let decision = self.finish(&name, Patience::Wait).await?;
            decisions.extend(decision.map(|decision| (name.clone(), decision)));
        }
        Ok(match decisions.get(&name) {
            Some(Some(marker)) if marker.journal == entry.index => Standing::Valid,
            Some(_) => Standing::Abandoned,
            None => Standing::Pending,
        })
    }
}
