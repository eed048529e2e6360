//! The totals of days, added up and stored as far as they cannot change any more. So the totals of a day cost
//! the same, however much was recorded on it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Call, PaidLine, Problem, given_back, is_money, paid, taken_back};
use crate::{
    domain::{Money, time},
    json::{Channel, Event},
    store::{DayRange, JOURNAL_MENDED, JournalEntry, Places, Platform, Span},
};

/// The work of finding a day's range in the journal, counted in places of the journal.
const OF_DAY: u64 = 8;
/// The most illegible entries of a day before its totals are no longer stored. Each call looks at each of them
/// again.
const MOST_UNREADABLE: usize = 16;
/// The most days of a span that is added up day by day.
const MOST_DAYS: usize = 366;

/// The total of an account, in one currency and by one channel.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub struct Total {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_account: Option<String>,
    pub currency: String,
    /// The channel by which the payments came.
    pub channel: Channel,
    pub amount: String,
    pub lines: usize,
}

/// The total of a service in one currency, over all accounts and channels.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub struct OfService {
    pub service_id: String,
    pub currency: String,
    pub amount: String,
    pub lines: usize,
}

/// The stored totals of a day up to a place in the journal. They are final: nothing before that place is
/// pending, so every host computes the same. The record also lists entries that could not be read, and says if
/// a clock may have decided.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    /// The last place of the journal that belongs to earlier days.
    after: u64,
    /// The place in the journal up to which is added up.
    until: u64,
    /// True if this covers the whole of a closed day.
    is_done: bool,
    /// The latest repair of the journal before the totals were added up. A later repair makes them invalid.
    mended: Option<String>,
    /// The places of entries that could not be read and may concern money. If one of them can be read, the
    /// record is invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<u64>,
    /// True if an entry was left out because of its time. When the day is closed, the record is invalid.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_cut_by_time: bool,
    totals: Vec<Total>,
    /// Records of earlier versions lack this member. They are invalid, and the day is added up again.
    services: Vec<OfService>,
}

/// Totals, as far as a call added up.
pub struct Sum {
    pub added: Added,
    /// True if they cover everything recorded until now.
    pub is_complete: bool,
    /// True if nothing can be added to the span any more.
    pub closed: bool,
    /// True if another call adds up more.
    pub more: bool,
    /// Number of entries that could not be read. Each may concern money.
    pub unreadable: usize,
}

fn note(date: Date) -> String {
    format!("paid-on-{date}")
}

/// The days of a span; `None` if it does not consist of whole days, or of more than [`MOST_DAYS`].
fn days_of(span: Span) -> Option<Vec<Date>> {
    let (from, to) = (span.from?, span.to?);
    let (first, end) = (time::date(from), time::date(to));
    let begins = |date: Date| time::start_of(date).ok();
    if begins(first) != Some(from) || begins(end) != Some(to) {
        return None;
    }
    let days = time::days_from(first).take_while(|day| *day < end);
    let days: Vec<_> = days.take(MOST_DAYS + 1).collect();
    (days.len() <= MOST_DAYS).then_some(days)
}

/// Adds up a span. The totals of days are stored, and the next call continues where this one stopped. A span of
/// several days that one pass does not complete is added up twice, once as a whole and once by days, so it may
/// read twice as many places as a call usually may.
pub async fn of_span<P: Platform>(call: &Call<'_, P>, span: Span) -> Result<Sum, Problem> {
    let days = match days_of(span) {
        Some(days) if days.len() == 1 => days,
        days => {
            // Most spans are short, so one pass over the whole span is tried first.
            let places = Places::new(call.effort.places);
            let range = call.store.days().range_within(span, &places).await?;
            let kept = Kept::from(range.after, None);
            let (sum, _) = add_up(call, &range, kept, &places).await?;
            match days {
                Some(days) if !sum.is_complete => days,
                // Nothing of this pass is stored, so another call would add up no more.
                _ => return Ok(Sum { more: false, ..sum }),
            }
        }
    };
    let mut whole = Sum {
        added: Added::default(),
        is_complete: true,
        closed: true,
        more: false,
        unreadable: 0,
    };
    let places = Places::new(call.effort.places);
    for sum in of_days(call, &days, &places).await? {
        whole
            .added
            .put(&sum.added.totals(), &sum.added.services())?;
        whole.is_complete &= sum.is_complete;
        whole.closed &= sum.closed;
        whole.more |= sum.more;
        whole.unreadable += sum.unreadable;
    }
    Ok(whole)
}

/// Adds up each of these days, as far as the remaining places allow.
pub async fn of_days<P: Platform>(
    call: &Call<'_, P>,
    dates: &[Date],
    places: &Places,
) -> Result<Vec<Sum>, Problem> {
    let notes = call.store.notes();
    // The note is read first: a repair from now on makes the totals added up below invalid.
    let mended: Option<String> = notes.get(JOURNAL_MENDED).await?;
    let names: Vec<_> = dates.iter().copied().map(note).collect();
    let known = notes.get_many::<Kept>(&names).await?;
    let (mut sums, mut new) = (Vec::with_capacity(dates.len()), Vec::new());
    for ((date, name), known) in dates.iter().zip(names).zip(known) {
        let known = known.filter(|known| known.mended == mended);
        if let Some(known) = known.as_ref().filter(|known| known.is_done) {
            sums.push(known.sum(true)?);
            continue;
        }
        if places.left() == 0 {
            sums.push(match known {
                Some(known) => known.sum(false)?,
                None => Kept::from(0, None).sum(false)?,
            });
            continue;
        }
        let span = Span {
            from: time::start_of(*date).ok(),
            to: date
                .tomorrow()
                .ok()
                .and_then(|day| time::start_of(day).ok()),
        };
        let range = call.store.days().range_within(span, places).await?;
        places.spend(OF_DAY);
        let is_of = |known: &Kept| {
            known.after == range.after
                && range.last.is_none_or(|last| known.until <= last)
                && !(known.is_cut_by_time && range.closed)
        };
        let mut known = known.filter(is_of);
        if let Some(kept) = &known
            && !are_unreadable(call, &range, &kept.unreadable, places).await?
        {
            known = None;
        }
        let was = known.as_ref().map(|known| (known.until, known.is_done));
        let known = known.unwrap_or_else(|| Kept::from(range.after, mended.clone()));
        let (sum, kept) = add_up(call, &range, known, places).await?;
        if was != Some((kept.until, kept.is_done)) {
            new.push((name, kept));
        }
        sums.push(sum);
    }
    notes.set_many(&new).await?;
    Ok(sums)
}

/// True if none of these entries can be read.
async fn are_unreadable<P: Platform>(
    call: &Call<'_, P>,
    range: &DayRange,
    entries: &[u64],
    places: &Places,
) -> Result<bool, Problem> {
    for place in entries {
        places.spend(1);
        let journal = call.store.journal();
        let (before, one) = (place.saturating_sub(1), Places::new(1));
        let page = journal
            .read_within(range, before, usize::MAX, &one, is_money)
            .await?;
        if page.unreadable.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds the entries that follow the stored totals in a range of the journal, as far as the places allow.
/// Returns the totals of everything added up, and the part that can be stored.
async fn add_up<P: Platform>(
    call: &Call<'_, P>,
    range: &DayRange,
    mut kept: Kept,
    places: &Places,
) -> Result<(Sum, Kept), Problem> {
    let mut sum = kept.sum(false)?;
    sum.closed = range.closed;
    let (mut cursor, mut can_be_kept) = (kept.until, true);
    let (mut unreadable, mut is_cut_by_time) = (kept.unreadable.clone(), kept.is_cut_by_time);
    while places.left() > 0 {
        let journal = call.store.journal();
        let page = journal
            .read_within(range, cursor, usize::MAX, places, is_money)
            .await?;
        for entry in &page.entries {
            for line in lines_of(entry) {
                sum.added.add(&line)?;
            }
        }
        unreadable.extend(page.unreadable.iter().map(|entry| entry.index));
        is_cut_by_time |= page.is_cut_by_time;
        can_be_kept &= unreadable.len() <= MOST_UNREADABLE;
        if can_be_kept {
            kept.until = page.next;
            kept.is_done = page.complete && range.closed && unreadable.is_empty();
            kept.unreadable.clone_from(&unreadable);
            // An entry that was left out because of its time may belong to the day when the day is closed.
            kept.is_cut_by_time = is_cut_by_time;
            kept.totals = sum.added.totals();
            kept.services = sum.added.services();
        }
        sum.is_complete = page.complete && unreadable.is_empty();
        sum.more = !page.complete && can_be_kept;
        let came_on = page.next.saturating_sub(cursor);
        if page.complete || came_on == 0 {
            break;
        }
        cursor = page.next;
    }
    sum.unreadable = unreadable.len();
    Ok((sum, kept))
}

/// The lines of an entry, without the members that only the payment's order knows.
fn lines_of(entry: &JournalEntry) -> Vec<PaidLine> {
    match &entry.event {
        Event::PaymentRecorded(payment) => paid(entry.index, entry.at, payment, &[]),
        Event::PaymentVoided(void) => taken_back(entry, void),
        Event::PaymentRefunded(refund) => given_back(entry, refund),
        _ => Vec::new(),
    }
}

impl Kept {
    /// Totals of nothing.
    fn from(after: u64, mended: Option<String>) -> Self {
        Self {
            after,
            until: after,
            is_done: false,
            mended,
            unreadable: Vec::new(),
            is_cut_by_time: false,
            totals: Vec::new(),
            services: Vec::new(),
        }
    }

    fn sum(&self, is_complete: bool) -> Result<Sum, Problem> {
        let mut added = Added::default();
        added.put(&self.totals, &self.services)?;
        Ok(Sum {
            added,
            is_complete,
            closed: self.is_done,
            more: !is_complete,
            unreadable: self.unreadable.len(),
        })
    }
}

/// A sum of payments and a sum of refunds and voids.
#[derive(Clone, Default)]
struct Balance {
    paid: Money,
    taken: Money,
    lines: usize,
}

impl Balance {
    /// Adds an amount, which may be negative.
    fn put(&mut self, amount: &str, lines: usize) -> Result<(), Problem> {
        let (amount, of_kind) = match amount.strip_prefix('-') {
            Some(amount) => (amount, &mut self.taken),
            None => (amount, &mut self.paid),
        };
        *of_kind = *of_kind + Money::parse_sum(amount).map_err(Problem::internal)?;
        self.lines += lines;
        Ok(())
    }

    /// The balance; it may be negative.
    fn amount(&self) -> String {
        if self.taken > self.paid {
            format!("-{}", self.taken.saturating_sub(self.paid))
        } else {
            self.paid.saturating_sub(self.taken).to_string()
        }
    }
}

/// Totals of lines: by account, currency and channel, and by service and currency.
#[derive(Clone, Default)]
pub struct Added {
    accounts: BTreeMap<(Option<String>, String, Channel), Balance>,
    services: BTreeMap<(String, String), Balance>,
}

impl Added {
    pub fn add(&mut self, line: &PaidLine) -> Result<(), Problem> {
        let currency = line.currency.clone();
        let account = (line.bank_account.clone(), currency.clone(), line.channel);
        let service = (line.service_id.clone(), currency);
        self.accounts
            .entry(account)
            .or_default()
            .put(&line.amount, 1)?;
        self.services
            .entry(service)
            .or_default()
            .put(&line.amount, 1)
    }

    fn put(&mut self, totals: &[Total], services: &[OfService]) -> Result<(), Problem> {
        for total in totals {
            let account = total.bank_account.clone();
            let key = (account, total.currency.clone(), total.channel);
            let balance = self.accounts.entry(key).or_default();
            balance.put(&total.amount, total.lines)?;
        }
        for service in services {
            let key = (service.service_id.clone(), service.currency.clone());
            let balance = self.services.entry(key).or_default();
            balance.put(&service.amount, service.lines)?;
        }
        Ok(())
    }

    /// The totals by account, currency and channel.
    pub fn totals(&self) -> Vec<Total> {
        let accounts = self.accounts.iter();
        accounts
            .map(|((bank_account, currency, channel), balance)| Total {
                bank_account: bank_account.clone(),
                currency: currency.clone(),
                channel: *channel,
                amount: balance.amount(),
                lines: balance.lines,
            })
            .collect()
    }

    /// The totals by service and currency.
    pub fn services(&self) -> Vec<OfService> {
        let services = self.services.iter();
        services
            .map(|((service_id, currency), balance)| OfService {
                service_id: service_id.clone(),
                currency: currency.clone(),
                amount: balance.amount(),
                lines: balance.lines,
            })
            .collect()
    }

    /// The totals by currency: currency, amount, number of lines.
    pub fn by_currency(&self) -> Result<Vec<(String, String, usize)>, Problem> {
        let mut currencies = BTreeMap::<_, Balance>::new();
        for total in self.totals() {
            let balance = currencies.entry(total.currency).or_default();
            balance.put(&total.amount, total.lines)?;
        }
        let sums = currencies.into_iter();
        Ok(sums
            .map(|(currency, balance)| (currency, balance.amount(), balance.lines))
            .collect())
    }
}
