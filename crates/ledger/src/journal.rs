//! Reading of the journal: the entries that count, page by page.

use mpay_log::{BLOCK, RawEntry};

use super::{
    Days, Places, Platform, StoreError,
    attempts::Attempts,
    days::{DayRange, Span},
    journal_list::{JournalEntry, JournalList},
    record::over_the_log,
    standings::{Standing, Standings},
};
use crate::json::Event;

over_the_log! {
    /// Everything that happened, in the order of its recording.
    pub struct Journal
}

/// The most blocks that one call reads, since wanted entries may be rare.
pub(super) const BLOCKS: u32 = 4;

/// A part of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPage {
    /// Entries in the order of their recording.
    pub entries: Vec<JournalEntry>,
    /// Entries of the same part that are damaged, or of a later version, unchanged.
    pub unreadable: Vec<RawEntry>,
    /// The place to go on from. It may have grown though there are no entries.
    pub next: u64,
    /// True if these are all entries of the span until now, and none is being recorded.
    pub complete: bool,
    /// True if nothing will be recorded in the span any more: its days are closed.
    pub closed: bool,
    /// True if an entry of this part was left out because of its time: it may belong to the span once its
    /// days are closed.
    pub is_cut_by_time: bool,
    /// True if the cursor was beyond the end of the journal, so that it is not of this store as it is.
    pub is_beyond_end: bool,
}

impl<P: Platform> Journal<'_, P> {
    /// Up to `limit` entries of the journal that are `wanted` and were recorded in `span`, after the
    /// cursor `after`. Entries that are still being recorded are not passed by. Only a fixed number of
    /// entries is looked at.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read(
        self,
        after: u64,
        limit: usize,
        span: Span,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<JournalPage, StoreError> {
        let range = Days::on(self.log).range(span).await?;
        self.read_in(&range, after, limit, wanted).await
    }

    /// Reads as [`read`](Self::read) does, in a known range.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read_in(
        self,
        range: &DayRange,
        after: u64,
        limit: usize,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<JournalPage, StoreError> {
        let places = Places::new(u64::from(BLOCKS) * BLOCK);
        self.read_within(range, after, limit, &places, wanted).await
    }

    /// Reads as [`read_in`](Self::read_in) does, and looks at no more than so many places.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read_within(
        self,
        range: &DayRange,
        after: u64,
        limit: usize,
        places: &Places,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<JournalPage, StoreError> {
        self.page(range, after, limit, places, &wanted).await
    }

    /// The same: once in the component, whoever chooses.
    async fn page(
        self,
        range: &DayRange,
        after: u64,
        limit: usize,
        places: &Places,
        wanted: &dyn Fn(&Event) -> bool,
    ) -> Result<JournalPage, StoreError> {
        let list = JournalList::on(self.log);
        let mut page = JournalPage {
            entries: Vec::new(),
            unreadable: Vec::new(),
            next: after.max(range.after),
            complete: false,
            closed: range.closed,
            is_cut_by_time: false,
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
                page.is_beyond_end = is_behind && after > list.length().await?;
                return Ok(page);
            }
            let count = left.min(BLOCK).min(places.left());
            if count == 0 {
                break;
            }
            let first = page.next + 1;
            let mut listing = list.next(first, count).await?;
            places.spend(listing.next.saturating_sub(first).max(1));
            page.is_beyond_end = after > listing.length;
            Attempts::on(self.log)
                .recover_in_journal(&mut listing)
                .await?;
            let cursor = listing.settled();
            let until = listing.next - 1;
            listing.truncate(cursor);
            listing.entries.retain(|entry| {
                let is_wanted = wanted(&entry.value);
                page.is_cut_by_time |= is_wanted && !range.contains(entry.at);
                is_wanted && range.contains(entry.at)
            });
            let standings = Standings::on(self.log).of(listing.entries).await?;
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
}
