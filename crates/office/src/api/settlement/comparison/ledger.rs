//! The records of the payments that a statement may show.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use http::StatusCode;
use jiff::civil::Date;

use super::{
    super::{
        MAX_PAYMENTS, PAGE, amount,
        fees::Rates,
        statement::{Statement, StatementRow},
        total,
    },
    candidate::{Candidate, given_back},
};
use crate::{
    api::{Call, Problem, payments},
    domain::{Currency, PaymentId, ServiceId, folded, time},
    json::Event,
    store::{BLOCK, Places, Platform, Span, StoredPayment},
};

/// The most words of texts that one statement has looked up outside the period.
const MOST_WORDS: usize = 5000;
/// The days on each side of the period in which payments are looked for by a bank's reference number.
const DAYS_AROUND: i64 = 31;
/// The places of the journal that are looked at for them, on each side.
const PLACES_AROUND: u64 = 16 * BLOCK;

/// The day that is so many days outside a period, by the period's first day and the day after its last.
type Side = fn(Date, Date, i64) -> Option<Date>;

/// The entries of a period in the journal.
#[derive(Clone)]
pub(in super::super) struct OfPeriod {
    span: Span,
    payments: Vec<StoredPayment>,
    /// The PaymentIDs of payments that were refunded in the period.
    given_back: BTreeSet<String>,
    /// True if these are all entries. An entry that is being written holds back the entries after it.
    pub is_complete: bool,
    /// The number of entries that this version cannot read. Each may be a payment.
    pub unreadable: usize,
}

/// The payments and refunds recorded in the period.
pub(in super::super) async fn recorded<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
) -> Result<OfPeriod, Problem> {
    let mut found = OfPeriod {
        span,
        payments: Vec::new(),
        given_back: BTreeSet::new(),
        is_complete: true,
        unreadable: 0,
    };
    let wanted =
        |event: &Event| matches!(event, Event::PaymentRecorded(_) | Event::PaymentRefunded(_));
    let mut cursor = 0;
    loop {
        let journal = call.store.journal();
        let page = journal.read(cursor, PAGE, span, wanted).await?;
        found.unreadable += page.unreadable.len();
        for entry in &page.entries {
            if let Event::PaymentRefunded(refund) = &entry.event {
                found.given_back.insert(refund.payment_id.clone());
            }
        }
        let mut payments = call.store.payments().of(page.entries).await?;
        payments.retain(|payment| payment.state.voided.is_none());
        found.payments.extend(payments);
        if found.payments.len().max(found.given_back.len()) > MAX_PAYMENTS {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!(
                    "More than {MAX_PAYMENTS} payments were recorded in this period; choose a shorter one."
                ),
            ));
        }
        if page.complete || page.next <= cursor {
            found.is_complete = page.complete;
            return Ok(found);
        }
        cursor = page.next;
    }
}

/// The payments by card, recorded around the period, that statements name by the banks' reference number of
/// their own or of a refund: nothing finds them by it, and a bank's day is not that of the store. Days near
/// the period come first; so many places of the journal are looked at.
async fn named_around<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
    named: &BTreeSet<&String>,
    recorded: &[StoredPayment],
) -> Result<BTreeSet<String>, Problem> {
    let (Some(from), Some(to)) = (span.from, span.to) else {
        return Ok(BTreeSet::new());
    };
    let mut open: BTreeSet<&str> = named.iter().map(|name| name.as_str()).collect();
    for payment in recorded {
        open.remove(payment.payment.payment_id.as_str());
        let card = payment.payment.card.as_ref();
        let own = card.and_then(|card| card.rrn.as_deref());
        let refunds = payment.state.refunds.iter();
        for reference in own
            .into_iter()
            .chain(refunds.flat_map(|r| r.rrn.as_deref()))
        {
            open.remove(reference);
        }
    }
    let mut found = BTreeSet::new();
    let (first, end) = (time::date(from), time::date(to));
    let sides: [Side; 2] = [
        |first, _, days| time::days_after(first, -1 - days),
        |_, end, days| time::days_after(end, days),
    ];
    for (side, places) in sides.map(|side| (side, Places::new(PLACES_AROUND))) {
        for days in 0..DAYS_AROUND {
            let Some(day) = side(first, end, days).filter(|_| !open.is_empty()) else {
                break;
            };
            let next = time::days_after(day, 1).and_then(|next| time::start_of(next).ok());
            let span = Span {
                from: time::start_of(day).ok(),
                to: next,
            };
            if span.from.is_none_or(|from| from > call.store.now()) || places.left() == 0 {
                break;
            }
            let range = call.store.days().range_within(span, &places).await?;
            let is_named = |event: &Event| match event {
                Event::PaymentRecorded(payment) => {
                    let card = payment.card.as_ref();
                    let own = card.and_then(|card| card.rrn.as_deref());
                    own.is_some_and(|own| open.contains(own))
                }
                Event::PaymentRefunded(refund) => {
                    let own = refund.rrn.as_deref();
                    own.is_some_and(|own| open.contains(own))
                }
                _ => false,
            };
            let (mut cursor, mut ids) = (0, Vec::new());
            while places.left() > 0 {
                let journal = call.store.journal();
                let page = journal
                    .read_within(&range, cursor, usize::MAX, &places, is_named)
                    .await?;
                ids.extend(
                    page.entries
                        .into_iter()
                        .filter_map(|entry| match entry.event {
                            Event::PaymentRecorded(payment) => {
                                Some((payment.payment_id, payment.card.and_then(|card| card.rrn)))
                            }
                            Event::PaymentRefunded(refund) => Some((refund.payment_id, refund.rrn)),
                            _ => None,
                        }),
                );
                if page.complete || page.next <= cursor {
                    break;
                }
                cursor = page.next;
            }
            for (id, reference) in ids {
                open.remove(reference.as_deref().unwrap_or_default());
                found.insert(id);
            }
        }
    }
    Ok(found)
}

/// The payments that a statement may show, with the rows that show them already.
pub(super) struct Ledger<'a> {
    pub(super) rates: &'a Rates,
    /// The payments, by their places in the journal.
    pub(super) payments: BTreeMap<u64, Candidate>,
    pub(super) by_id: HashMap<String, u64>,
    /// The payments that rows of this statement showed before, by the name of the row. A row that showed a
    /// payment which was voided since is a row that shows none.
    pub(super) by_row: HashMap<String, String>,
    /// The currency of rows that say none: that of all payments, or `MDL` if they have several.
    pub(super) currency: String,
    /// The service to which the order numbers belong; `None` if any service.
    service: Option<&'a ServiceId>,
}

impl<'a> Ledger<'a> {
    pub(super) async fn read<P: Platform>(
        call: &Call<'_, P>,
        statement: &Statement,
        rates: &'a Rates,
        service: Option<&'a ServiceId>,
        recorded: OfPeriod,
    ) -> Result<Self, Problem> {
        let OfPeriod {
            span,
            payments: recorded,
            given_back: refunded,
            ..
        } = recorded;
        let names: Vec<_> = statement.rows.iter().map(|row| row.name.clone()).collect();
        let mut by_row = call.store.settlements().payments_shown(&names).await?;
        let mut by_id: HashMap<String, u64> = recorded
            .iter()
            .map(|payment| (payment.payment.payment_id.clone(), payment.index))
            .collect();
        let whole = statement
            .rows
            .iter()
            .filter_map(|row| row.payment_id.as_ref());
        let unknown = statement.rows.iter().filter(|row| {
            let texts = row.payment_id.iter().chain(&row.words);
            !texts.clone().any(|word| by_id.contains_key(word))
        });
        // A word of a sentence is no PaymentID: it is short, or has no digit.
        let may_be_id =
            |word: &&String| word.len() > 5 && word.contains(|c: char| c.is_ascii_digit());
        let words = unknown.flat_map(|row| &row.words).filter(may_be_id);
        let words = words.take(MOST_WORDS);
        let named: BTreeSet<&String> = whole.chain(words).collect();
        let around = named_around(call, span, &named, &recorded).await?;
        let elsewhere = named.into_iter().chain(by_row.values()).chain(&around);
        let elsewhere: BTreeSet<_> = elsewhere.chain(&refunded).collect();
        let elsewhere: Vec<_> = elsewhere
            .into_iter()
            .filter(|id| !by_id.contains_key(*id))
            .flat_map(|id| PaymentId::parse(id))
            .collect();
        let mut elsewhere = call.store.payments().get_many(&elsewhere).await?;
        elsewhere.retain(|payment| payment.state.voided.is_none());
        by_id.extend(
            elsewhere
                .iter()
                .map(|p| (p.payment.payment_id.clone(), p.index)),
        );
        by_row.retain(|_, id| by_id.contains_key(id));
        let ids: Vec<_> = by_id.keys().cloned().collect();
        // A bank's statement names a payment by card, and each refund, by a reference number. A number that two
        // payments have identifies neither.
        let mut by_reference: HashMap<String, Option<u64>> = HashMap::new();
        for payment in recorded.iter().chain(&elsewhere) {
            let card = payment.payment.card.as_ref();
            let own = card.and_then(|card| card.rrn.clone());
            let refunds = payment.state.refunds.iter();
            let refunds = refunds.filter_map(|refund| refund.rrn.clone());
            for reference in own.into_iter().chain(refunds) {
                let place = by_reference.entry(reference);
                let place = place.and_modify(|place| {
                    if *place != Some(payment.index) {
                        *place = None;
                    }
                });
                place.or_insert(Some(payment.index));
            }
        }
        for (reference, place) in by_reference {
            if let Some(place) = place {
                by_id.entry(reference).or_insert(place);
            }
        }
        let mut marks = call.store.settlements().marks(&ids).await?;
        // Those of settled payments too: a row that showed one shows it again, and nothing else.
        let mut parts = call.store.settlements().parts(&ids).await?;
        let recorded = recorded.into_iter().map(|payment| (payment, true));
        let all = recorded.chain(elsewhere.into_iter().map(|payment| (payment, false)));
        let mut payments = BTreeMap::new();
        for (stored, is_of_period) in all {
            let id = &stored.payment.payment_id;
            let mut lines = Vec::with_capacity(stored.payment.lines.len());
            let accounts = payments::accounts(call, &stored);
            for (line, account) in stored.payment.lines.iter().zip(accounts) {
                lines.push((account, amount_of(&line.amount)?));
            }
            let parts = parts.remove(id).unwrap_or_default();
            let candidate = Candidate {
                refunds: given_back(&stored, &parts, span)?,
                total: total(&stored)?.hundredths(),
                lines,
                is_of_period,
                folded_key: folded(&stored.payment.order_key),
                is_taken: false,
                taken_accounts: Vec::new(),
                mark: marks.remove(id),
                parts,
                stored,
            };
            payments.insert(candidate.stored.index, candidate);
        }
        let currencies: BTreeSet<_> = payments.values().map(Candidate::currency).collect();
        let only = currencies.first().filter(|_| currencies.len() == 1);
        let currency = only.copied().unwrap_or(Currency::MDL.as_str()).to_owned();
        Ok(Self {
            rates,
            payments,
            by_id,
            by_row,
            currency,
            service,
        })
    }

    /// The currency of a row.
    pub(super) fn currency_of<'r>(&'r self, row: &'r StatementRow) -> &'r str {
        row.currency.as_deref().unwrap_or(&self.currency)
    }

    /// True if a row is in the currency of a payment.
    pub(super) fn is_in_currency(&self, row: &StatementRow, candidate: &Candidate) -> bool {
        self.currency_of(row) == candidate.currency()
    }

    /// True if a row names the order of a payment, in whatever currency.
    pub(super) fn is_of_order(&self, row: &StatementRow, candidate: &Candidate) -> bool {
        row.folded_key.as_ref() == Some(&candidate.folded_key)
            && self
                .service
                .is_none_or(|service| service.as_str() == candidate.stored.payment.service_id)
    }

    /// The recorded payments that a row names.
    pub(super) fn named(&self, row: &StatementRow) -> Vec<u64> {
        let place = |id: &String| self.by_id.get(id).copied();
        if let Some(place) = row.payment_id.as_ref().and_then(place) {
            return vec![place];
        }
        let places: BTreeSet<_> = row.words.iter().filter_map(place).collect();
        places.into_iter().collect()
    }

    /// The fee that explains an amount shown in place of the payments' amounts, in hundredths; `None` if no fee
    /// explains it. `told` is the fee that the statement gives.
    pub(super) fn fee(
        &self,
        shown: i128,
        told: Option<i128>,
        amounts: &[(Option<String>, i128)],
    ) -> Option<i128> {
        let due: i128 = amounts.iter().map(|(_, amount)| amount).sum();
        if shown == due {
            return Some(told.unwrap_or_default());
        }
        // A fee leaves something of the payment.
        if shown <= 0 {
            return None;
        }
        let mut fees = self.rates.possible(amounts);
        fees.extend(told);
        fees.into_iter()
            .find(|fee| shown.checked_add(*fee) == Some(due))
    }
}

/// An amount of a record, in hundredths.
pub(super) fn amount_of(text: &str) -> Result<i128, Problem> {
    let money = crate::domain::Money::parse(text).map_err(Problem::internal)?;
    Ok(amount(money.to_string())?.hundredths())
}
