//! The journal: everything that happened, in the order of its recording.

use jiff::{SignedDuration, Timestamp};
use serde::de::IgnoredAny;

use super::{
    Platform, Store, StoreError, keys,
    list::{BLOCK, DEAD_AFTER, Entry, age},
    payments::read_marker,
};
use crate::{domain::PaymentId, json::Event};

/// How many blocks one call reads at most: what a caller wants may be rare.
pub(super) const BLOCKS: u32 = 4;

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

/// Entries are recorded almost in the order of their times: none is later than one after it by
/// more than this.
const DISORDER: SignedDuration = SignedDuration::from_secs(60);

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

    pub(super) fn contains(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether nothing after an entry of this time is in the span.
    pub(super) fn is_over(&self, at: Timestamp) -> bool {
        self.to.is_some_and(|to| at >= later(to))
    }

    /// Whether nothing before an entry of this time is in the span.
    pub(super) fn is_yet_to_come(&self, at: Timestamp) -> bool {
        self.from.is_some_and(|from| at < earlier(from))
    }
}

fn later(time: Timestamp) -> Timestamp {
    time.checked_add(DISORDER).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp) -> Timestamp {
    time.checked_sub(DISORDER).unwrap_or(Timestamp::MIN)
}

/// A part of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPage {
    /// Entries in the order of their recording.
    pub entries: Vec<JournalEntry>,
    /// Where to go on. It may have grown though there are no entries.
    pub next: u64,
    /// Whether this is all there is in the span until now, and nothing of it is being recorded.
    pub complete: bool,
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
        let mut page = JournalPage {
            entries: Vec::new(),
            next: after,
            complete: false,
        };
        if let (0, Some(from)) = (after, span.from) {
            let length = self.length(keys::JOURNAL).await?;
            page.next = self.first_at(length, earlier(from), false).await? - 1;
        }
        for _ in 0..BLOCKS {
            let from = page.next;
            let mut listing = self.read_after::<Event>(keys::JOURNAL, from, BLOCK).await?;
            let over = listing.entries.iter().find(|entry| span.is_over(entry.at));
            let (cursor, complete) = match over {
                Some(entry) => (entry.index - 1, true),
                None => (listing.cursor(), listing.cursor() >= listing.length),
            };
            listing.entries.retain(|entry| {
                entry.index <= cursor && span.contains(entry.at) && wanted(&entry.value)
            });
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
            page.complete = complete;
            if cursor < from + BLOCK {
                break;
            }
        }
        Ok(page)
    }

    /// A block of the journal below the index `before`, the newest first, and where it begins.
    /// What is still being recorded is left out: whoever looks back does not wait for it.
    pub(super) async fn journal_before(
        &self,
        before: u64,
    ) -> Result<(Vec<JournalEntry>, u64), StoreError> {
        let start = before.saturating_sub(BLOCK).max(1);
        if before <= start {
            return Ok((Vec::new(), 1));
        }
        let mut entries = self.read_range(keys::JOURNAL, start..=before - 1).await?;
        entries.reverse();
        Ok((entries.into_iter().map(Into::into).collect(), start))
    }

    /// The index from which to look back for what was recorded before the end of `span`.
    pub(super) async fn end_of(&self, span: Span) -> Result<u64, StoreError> {
        let length = self.length(keys::JOURNAL).await?;
        match span.to {
            Some(to) => self.first_at(length, later(to), true).await,
            None => Ok(length + 1),
        }
    }

    /// The index up to `length + 1` at which times go from before `time` to `time` and later. Times
    /// are almost in order, so this is right to within [`DISORDER`]. Where entries are missing,
    /// `beyond` says on which side to err.
    async fn first_at(
        &self,
        length: u64,
        time: Timestamp,
        beyond: bool,
    ) -> Result<u64, StoreError> {
        let (mut low, mut high) = (1, length + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut probe = None;
            for size in [16, BLOCK] {
                let until = (middle + size).min(high) - 1;
                let entries = self
                    .read_range::<IgnoredAny>(keys::JOURNAL, middle..=until)
                    .await?;
                probe = entries.first().map(|entry| (entry.index, entry.at));
                if probe.is_some() {
                    break;
                }
            }
            match probe {
                Some((index, at)) if at < time => low = index + 1,
                None if beyond => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
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
