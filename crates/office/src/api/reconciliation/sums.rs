//! What was paid on a day, added up as far as nothing of it can change any more, and kept: so the sums of
//! a day cost the same whatever was recorded on it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Call, PaidLine, Problem, given_back, is_money, paid, taken_back};
use crate::{
    domain::{Money, time},
    json::{Channel, Event},
    store::{DayRange, JOURNAL_MENDED, JournalEntry, Places, Platform, Span},
};

/// What it costs to find out where a day stands in the journal, in places of the journal.
const OF_DAY: u64 = 8;
/// How many entries of a day that cannot be read are walked past: each is looked at again by each call.
const MOST_UNREADABLE: usize = 16;
/// The longest span that is added up day by day.
const MOST_DAYS: usize = 366;

/// What was paid to an account.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub struct Total {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_account: Option<String>,
    pub currency: String,
    /// How the payments came here.
    pub channel: Channel,
    pub amount: String,
    pub lines: usize,
}

/// What was paid for a service, whatever account and channel.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub struct OfService {
    pub service_id: String,
    pub currency: String,
    pub amount: String,
    pub lines: usize,
}

/// What a day adds up to, up to a place of the journal: true for good, whoever adds it up and whenever,
/// because nothing up to there is pending, and it says what could not be read and what depends on a clock.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    /// The last place of the journal that belongs to earlier days.
    after: u64,
    /// The place.
    until: u64,
    /// Whether that is all of a day that is closed.
    is_done: bool,
    /// When the journal was mended last before it was added up.
    mended: Option<String>,
    /// The places of entries that could not be read, and may be of money: once one of them can be, this is
    /// no note any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<u64>,
    /// Whether something was left out because of its time: once the day is closed, this is no note any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_cut_by_time: bool,
    totals: Vec<Total>,
    /// What was kept before there were these is no note any more, and is added up anew.
    services: Vec<OfService>,
}

/// Sums, as far as a call went.
pub struct Sum {
    pub added: Added,
    /// Whether they are of everything until now.
    pub is_complete: bool,
    /// Whether nothing can come to them any more.
    pub closed: bool,
    /// Whether the next call comes further.
    pub more: bool,
    /// Entries that could not be read: each may be of money.
    pub unreadable: usize,
}

fn note(date: Date) -> String {
    format!("paid-on-{date}")
}

/// The days of a span, if it is some whole days.
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

/// Adds up a span. Days are kept; the next call goes on where this one stopped. Of a span of several days
/// that is not added up by one look, twice as many places are looked at as a call may.
pub async fn of_span<P: Platform>(call: &Call<'_, P>, span: Span) -> Result<Sum, Problem> {
    let days = match days_of(span) {
        Some(days) if days.len() == 1 => days,
        days => {
            // Most spans are short, whatever days they have.
            let places = Places::new(call.effort.places);
            let range = call.store.days().range_within(span, &places).await?;
            let kept = Kept::from(range.after, None);
            let (sum, _) = add_up(call, &range, kept, &places).await?;
            match days {
                Some(days) if !sum.is_complete => days,
                // Of what is not kept, the next call has no more.
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

/// Adds up days, each for itself, as far as these places go.
pub async fn of_days<P: Platform>(
    call: &Call<'_, P>,
    dates: &[Date],
    places: &Places,
) -> Result<Vec<Sum>, Problem> {
    let notes = call.store.notes();
    // Read first: what is mended from now on makes what is added up now count for nothing.
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

/// Whether none of these entries can be read, still.
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

/// Adds to what is kept what follows it in a range of the journal, as far as the places go. Gives all that
/// was added up, and what of it can be kept.
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
            // What was left out because of its time may belong to the day when it is closed.
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

/// The lines of an entry, without what only the payment's order says.
fn lines_of(entry: &JournalEntry) -> Vec<PaidLine> {
    match &entry.event {
        Event::PaymentRecorded(payment) => paid(entry.index, entry.at, payment, &[]),
        Event::PaymentVoided(void) => taken_back(entry, void),
        Event::PaymentRefunded(refund) => given_back(entry, refund),
        _ => Vec::new(),
    }
}

impl Kept {
    /// Of nothing yet.
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

/// What was paid, and what was taken away from that.
#[derive(Clone, Default)]
struct Balance {
    paid: Money,
    taken: Money,
    lines: usize,
}

impl Balance {
    /// Adds an amount with its sign.
    fn put(&mut self, amount: &str, lines: usize) -> Result<(), Problem> {
        let (amount, of_kind) = match amount.strip_prefix('-') {
            Some(amount) => (amount, &mut self.taken),
            None => (amount, &mut self.paid),
        };
        *of_kind = *of_kind + Money::parse_sum(amount).map_err(Problem::internal)?;
        self.lines += lines;
        Ok(())
    }

    /// The balance, with its sign.
    fn amount(&self) -> String {
        if self.taken > self.paid {
            format!("-{}", self.taken.saturating_sub(self.paid))
        } else {
            self.paid.saturating_sub(self.taken).to_string()
        }
    }
}

/// What lines add up to: by account, currency and channel, and by service and currency.
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

    /// By account, currency and channel.
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

    /// By service and currency.
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

    /// By currency alone: each with its amount and how many lines it is of.
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
