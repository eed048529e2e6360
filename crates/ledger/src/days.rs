//! Days: ranges of the journal.
//!
//! A day is closed by an entry of the list of days, which names the last place of the journal that
//! belongs to the day; the next day begins behind it. So each payment is in exactly one day, whatever any
//! clock said. A closed day never changes: nothing up to its last place is pending when it is closed. A
//! day without entries needs none in the list.
//!
//! Clocks choose only once where a day ends, and decide nothing after that.

use jiff::{Timestamp, civil::Date};
use mpay_log::{BLOCK, Entry};
use mutation::{Mutation, mutated};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    Notes, Places, Platform, StoreError,
    journal_list::JournalList,
    keys::DAYS,
    record::{Key, over_the_log, to_json},
    standings::{Standing, Standings},
};
use crate::{domain::time, json::Event};

over_the_log! {
    /// The days that are closed.
    pub struct Days
}

/// Days closed by one call at most.
const MOST_DAYS: u32 = 32;
/// Places of the journal that one call settles at most, unless it says how many.
const MOST_PLACES: u64 = 64 * BLOCK;
/// Blocks of the journal in which the first entry of a day is looked for.
const MOST_BLOCKS: u32 = 64;
/// Neighbours of an unused place that are read at once.
const NEAR: u64 = 16;

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

/// A day that is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The day, in Chişinău.
    pub date: Date,
    /// The last place of the journal that belongs to earlier days.
    pub after: u64,
    /// The last place that belongs to it.
    pub last: u64,
}

/// An entry of the list of days.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DayEntry {
    /// A day is closed.
    Closed {
        /// The day.
        date: String,
        /// The last place that belongs to earlier days.
        after: u64,
        /// The last place that belongs to it.
        last: u64,
    },
    /// A place that was taken, but not used.
    Void,
}

/// The part of the journal that holds a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRange {
    /// The place before its first entry.
    pub after: u64,
    /// Its last place; `None` while its end is still open.
    pub last: Option<u64>,
    /// True if its days are closed, so that nothing is added to it any more.
    pub closed: bool,
    /// The bound by the entries' own times, where the range is not exactly whole closed days: the entries' own times decide.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl DayRange {
    /// The whole journal.
    pub(super) const ALWAYS: Self = Self {
        after: 0,
        last: None,
        closed: false,
        from: None,
        to: None,
    };

    /// True if an entry of the range that was recorded at this time is in the span.
    pub(super) fn contains(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }
}

impl<'a, P: Platform> Days<'a, P> {
    fn journal(self) -> JournalList<'a, P> {
        JournalList::on(self.log)
    }

    /// The part of the journal that holds a span of time. Closes the days that are over, as far as one
    /// call goes.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn range(self, span: Span) -> Result<DayRange, StoreError> {
        self.range_within(span, &Places::new(MOST_PLACES)).await
    }

    /// Gives the range as [`range`](Self::range) does, and looks at no more than so many places of the
    /// journal to close days. Days that are over and not closed yet are recognised by the times of their
    /// entries.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn range_within(self, span: Span, places: &Places) -> Result<DayRange, StoreError> {
        if span == Span::ALWAYS {
            return Ok(DayRange::ALWAYS);
        }
        let latest = self.close_within(places).await?;
        let mut range = DayRange {
            from: span.from,
            to: span.to,
            ..DayRange::ALWAYS
        };
        let Some(latest) = latest else {
            return Ok(range);
        };
        if let Some(from) = span.from {
            let date = time::date(from);
            let before = self.before(&latest, date).await?;
            range.after = before.as_ref().map_or(0, |day| day.last);
            let is_known = date <= latest.date || date.yesterday().ok() == Some(latest.date);
            if is_known && time::start_of(date).is_ok_and(|start| start == from) {
                range.from = None;
            }
        }
        if let Some(to) = span.to {
            let end = time::date(to);
            // A day that ends at this moment, or else the one in which it lies.
            let is_exact = time::start_of(end).is_ok_and(|start| start == to);
            let last_day = match is_exact {
                true => end.yesterday().unwrap_or(end),
                false => end,
            };
            if last_day <= latest.date {
                let tomorrow = last_day.tomorrow().unwrap_or(last_day);
                let day = self.before(&latest, tomorrow).await?;
                range.last = Some(day.map_or(0, |day| day.last));
                range.closed = true;
                if is_exact {
                    range.to = None;
                }
            }
        }
        Ok(range)
    }

    /// Closes the days that are over, as far as one call goes; gives the latest that is closed.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn close(self) -> Result<Option<Day>, StoreError> {
        self.close_within(&Places::new(MOST_PLACES)).await
    }

    async fn close_within(self, places: &Places) -> Result<Option<Day>, StoreError> {
        let mut latest = self.latest().await?;
        let today = time::date(self.log.now());
        for _ in 0..MOST_DAYS {
            if latest.as_ref().map(|day| day.date) >= today.yesterday().ok() {
                break;
            }
            let next = self.next(latest.as_ref(), today, places).await?;
            let Some(next) = next else {
                break;
            };
            latest = self.enter(next).await?;
        }
        Ok(latest)
    }

    /// The day to close after `latest`: `None` while something of it is pending, or not looked at.
    async fn next(
        self,
        latest: Option<&Day>,
        today: Date,
        places: &Places,
    ) -> Result<Option<Day>, StoreError> {
        let after = latest.map_or(0, |day| day.last);
        let length = self.journal().length().await?;
        let Ok(yesterday) = today.yesterday() else {
            return Ok(None);
        };
        // An entry that a wrong clock put before the latest day belongs to the one that follows.
        let least = latest.and_then(|day| day.date.tomorrow().ok());
        let first = self.first_entry(after + 1, length).await?;
        let date = match first {
            Some(first) => least.map_or(time::date(first.at), |least| {
                least.max(time::date(first.at))
            }),
            None => yesterday,
        };
        let date = date
            .min(yesterday)
            .max(least.unwrap_or(date.min(yesterday)));
        let end = match date
            .tomorrow()
            .ok()
            .and_then(|day| time::start_of(day).ok())
        {
            Some(end) => end,
            None => return Ok(None),
        };
        let last = self.first_at(after, length, end).await? - 1;
        if !mutated(Mutation::DayAbovePending) && self.settled_up_to(last, places).await? < last {
            return Ok(None);
        }
        Ok(Some(Day { date, after, last }))
    }

    /// Enters a day into the list of days. Gives the latest day: this one, or the one that another call
    /// has closed.
    async fn enter(self, day: Day) -> Result<Option<Day>, StoreError> {
        let slot = self.log.take(DAYS).await?;
        // The call that closed a day has settled all places before it, and this call must too.
        let settled = self.below(slot.index()).await?;
        let settled = settled.map_or(0, |(place, _)| place);
        self.log.settle(DAYS, settled + 1, slot.index()).await?;
        let before = self.below(slot.index()).await?;
        let before = before.map(|(_, day)| (day.last, day.date));
        let is_next = mutated(Mutation::DayClosedTwice)
            || before.map_or(day.after == 0, |(last, date)| {
                last == day.after && date < day.date
            });
        let entry = match is_next {
            true => DayEntry::Closed {
                date: day.date.to_string(),
                after: day.after,
                last: day.last,
            },
            false => DayEntry::Void,
        };
        let filled = self
            .log
            .fill(&[(&slot, &to_json(&entry)?)], Vec::new())
            .await?;
        if is_next && filled.all() {
            return Ok(Some(day));
        }
        self.latest().await
    }

    /// The latest day that is closed.
    async fn latest(self) -> Result<Option<Day>, StoreError> {
        let length = self.length().await?;
        let day = self.below(length + 1).await?;
        Ok(day.map(|(_, day)| day))
    }

    async fn length(self) -> Result<u64, StoreError> {
        let part = self.log.read_part::<DayEntry>(DAYS, u64::MAX, 1).await?;
        Ok(part.length)
    }

    /// The day that the highest entry below a place of the list of days closes, and its place.
    async fn below(self, place: u64) -> Result<Option<(u64, Day)>, StoreError> {
        const AT_ONCE: u64 = 16;
        let mut before = place;
        while before > 1 {
            let first = before.saturating_sub(AT_ONCE).max(1);
            let part = self
                .log
                .read_part::<DayEntry>(DAYS, first, before - first)
                .await?;
            for entry in part.entries.into_iter().rev() {
                let place = entry.index;
                if let Some(day) = read_day(entry)? {
                    return Ok(Some((place, day)));
                }
            }
            before = first;
        }
        Ok(None)
    }

    /// The latest closed day before a date, by binary search: days are entered in their order.
    async fn before(self, latest: &Day, date: Date) -> Result<Option<Day>, StoreError> {
        if latest.date < date {
            return Ok(Some(latest.clone()));
        }
        let (mut low, mut high) = (1, self.length().await? + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.below(middle + 1).await? {
                Some((_, day)) if day.date >= date => high = middle,
                _ => low = middle + 1,
            }
        }
        Ok(self.below(low).await?.map(|(_, day)| day))
    }

    /// The first entry of the journal from a place on.
    async fn first_entry(
        self,
        first: u64,
        length: u64,
    ) -> Result<Option<Entry<IgnoredAny>>, StoreError> {
        let (mut from, mut count) = (first, NEAR);
        for _ in 0..=MOST_BLOCKS {
            if from > length {
                break;
            }
            let part = self.journal().part(from, count).await?;
            if let Some(entry) = part.entries.into_iter().next() {
                return Ok(Some(entry));
            }
            (from, count) = (part.next, BLOCK);
        }
        Ok(None)
    }

    /// The place after `after`, up to `length + 1`, at which times change from before `end` to `end` or
    /// later. If times are in disorder there are several such places; any of them may be given, and it
    /// then decides for good.
    async fn first_at(self, after: u64, length: u64, end: Timestamp) -> Result<u64, StoreError> {
        let (mut low, mut high) = (after + 1, length + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let (mut at, mut found) = (middle, None);
            while found.is_none() && at < high {
                let count = (high - at).min(NEAR);
                let part = self.journal().part::<IgnoredAny>(at, count).await?;
                found = part.entries.into_iter().next();
                at += count;
            }
            match found {
                Some(entry) if entry.at < end => low = entry.index + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Settles the journal up to a place, as far as one call goes; gives the last settled place.
    async fn settled_up_to(self, last: u64, places: &Places) -> Result<u64, StoreError> {
        /// Only saves reading; an older value does no harm.
        const NOTE: &str = "settled-up-to";
        let mut settled: u64 = Notes::on(self.log).get(NOTE).await?.unwrap_or(0);
        let known = settled;
        let standings = Standings::on(self.log);
        while settled < last && places.left() > 0 {
            let count = (last - settled).min(BLOCK).min(places.left());
            let part = self.journal().next(settled + 1, count).await?;
            places.spend(count);
            // Each place is looked at once when its day is over: so an event that came too late, and
            // whose writer died before it could enter it again, is entered without a repair.
            standings.enter_late(&part.late).await?;
            let until = part.settled();
            let mut entries = part.entries;
            entries.retain(|entry| {
                entry.index <= until && matches!(entry.value, Event::PaymentRecorded(_))
            });
            let standings = standings.of(entries).await?;
            let mut pending = standings
                .iter()
                .filter(|(_, standing)| *standing == Standing::Pending);
            if let Some((entry, _)) = pending.next() {
                settled = entry.index - 1;
                break;
            }
            if until <= settled {
                break;
            }
            settled = until;
        }
        if settled > known {
            Notes::on(self.log).set(NOTE, &settled).await?;
        }
        Ok(settled)
    }
}

fn read_day(entry: Entry<DayEntry>) -> Result<Option<Day>, StoreError> {
    match entry.value {
        DayEntry::Void => Ok(None),
        DayEntry::Closed { date, after, last } => {
            let date = time::parse_date(&date)
                .map_err(|error| Key::new(mpay_log::entry_key(DAYS, entry.index)).corrupt(error))?;
            Ok(Some(Day { date, after, last }))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use mpay_log::Log;

    use super::*;
    use crate::{
        Ledger,
        memory::{Fault, Memory},
        testing::{record, register, stored},
    };

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// Contests a place like a reader that saw it empty and is cut off after a number of calls.
    async fn ask_and_die(memory: &Memory, list: &str, place: u64, calls: usize) {
        memory.script((0..calls).map(|_| Fault::None).chain([Fault::Cut]));
        let (log, places) = (Log::new(memory.clone()), BTreeSet::from([place]));
        let asked = tokio::time::timeout(DAY, log.decide(list, &places)).await;
        assert!(asked.is_err(), "{list}/{place}, {calls}: it was cut off");
        memory.script([]);
    }

    /// A fault that was mended: the search for a day's range met an entry, then did not, and took the
    /// next day's end for this day's.
    #[tokio::test(start_paused = true)]
    async fn a_closed_day_keeps_its_range_while_its_entry_is_asked_about() {
        for calls in 1..=5 {
            for place in 1..=3 {
                let memory = Memory::new();
                register(&memory, "1", "50").await.unwrap();
                for n in 1..=3 {
                    record(&memory, &format!("P{n}"), "1", "10").await.unwrap();
                    tokio::time::sleep(DAY).await;
                }
                let store = Ledger::new(memory.clone());
                let latest = store.days().close().await.unwrap().unwrap();
                assert_eq!(store.days().length().await.unwrap(), 3);
                ask_and_die(&memory, DAYS, place, calls).await;
                // The first two entries are the order's registration and its payment.
                for (days_before, after, last) in [(2, 0, 2), (1, 2, 3), (0, 3, 4)] {
                    let mut date = latest.date;
                    for _ in 0..days_before {
                        date = date.yesterday().unwrap();
                    }
                    let span = Span {
                        from: time::start_of(date).ok(),
                        to: time::start_of(date.tomorrow().unwrap()).ok(),
                    };
                    let range = store.days().range(span).await.unwrap();
                    let of = format!("{date}, {place} asked about, {calls} calls");
                    assert_eq!((range.after, range.last), (after, Some(last)), "{of}");
                    assert!(range.closed, "{of}");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_shows_what_was_acknowledged_while_somebody_asks_about_it() {
        for calls in 1..=5 {
            for place in 1..=3 {
                let memory = Memory::new();
                register(&memory, "1", "50").await.unwrap();
                register(&memory, "1", "80").await.unwrap();
                record(&memory, "P1", "1", "30").await.unwrap();
                ask_and_die(&memory, "order/TAX/1", place, calls).await;
                let state = stored(&memory, "1").await.unwrap().state;
                let amounts = [state.amount_paid(), state.amount_due(memory.now()).unwrap()];
                let of = format!("{place} asked about, {calls} calls");
                assert_eq!(
                    amounts.map(|amount| amount.to_string()),
                    ["30.00", "50.00"],
                    "{of}"
                );
            }
        }
    }
}
