//! What the rows show, held against what is recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use http::StatusCode;
use jiff::Timestamp;
use tables::Amount;

use super::{
    Comparison, Difference, Known, MAX_PAYMENTS, PAGE, Shown, amount,
    fees::Rates,
    netting,
    statement::{Statement, StatementRow},
    total,
};
use crate::{
    api::{Call, Problem, payments},
    domain::{PaymentId, time},
    json::Event,
    store::{self, MOST_PARTS, Platform, SettlementMark, SettlementPart, Span, StoredPayment},
};

/// Words of texts that are looked up beyond the period, in one statement.
const MOST_WORDS: usize = 5000;

/// What the journal says of a period.
#[derive(Clone)]
pub(super) struct OfPeriod {
    span: Span,
    payments: Vec<StoredPayment>,
    /// Of which payments money was given back.
    given_back: BTreeSet<String>,
    /// Whether that is all: what is being recorded holds back what is behind it.
    pub is_complete: bool,
}

/// The payments and refunds recorded in the period.
pub(super) async fn recorded<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
) -> Result<OfPeriod, Problem> {
    let mut found = OfPeriod {
        span,
        payments: Vec::new(),
        given_back: BTreeSet::new(),
        is_complete: true,
    };
    let wanted =
        |event: &Event| matches!(event, Event::PaymentRecorded(_) | Event::PaymentRefunded(_));
    let mut cursor = 0;
    loop {
        let journal = call.store.journal();
        let page = journal.read(cursor, PAGE, span, wanted).await?;
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

/// Money of a payment that was given back: an amount of its own, below zero.
struct GivenBack {
    /// Which refund of the payment it is, by what remained after it: each leaves less than the one before.
    name: String,
    amount: i128,
    /// The banks' reference number, if it has one of its own.
    reference: Option<String>,
    at: Timestamp,
    is_of_period: bool,
    /// The row that shows it.
    row: Option<String>,
    /// Whether rows of this statement are about it.
    is_taken: bool,
}

impl GivenBack {
    /// Whether a row may show it: none does, or that one.
    fn is_for(&self, row: &str) -> bool {
        self.row.as_deref().is_none_or(|known| known == row)
    }
}

/// What was given back of a payment, each with the row among its parts that shows it.
fn given_back(
    stored: &StoredPayment,
    parts: &[SettlementPart],
    span: Span,
) -> Result<Vec<GivenBack>, Problem> {
    let mut all = Vec::with_capacity(stored.state.refunds.len());
    for refund in &stored.state.refunds {
        all.push(GivenBack {
            name: refund.remaining.to_string(),
            reference: refund.rrn.clone(),
            amount: amount(refund.amount.to_string())?.hundredths(),
            at: refund.at,
            is_of_period: span.from.is_none_or(|from| from <= refund.at)
                && span.to.is_none_or(|to| refund.at < to),
            row: None,
            is_taken: false,
        });
    }
    // What earlier versions kept names no refund, and gets what is left of its amount.
    let (named, others): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.refund.is_some());
    for part in named.into_iter().chain(others) {
        let shown = amount(part.amount.clone())?.hundredths();
        let is_it = |refund: &&mut GivenBack| match &part.refund {
            Some(name) => refund.name == *name,
            None => refund.row.is_none() && refund.amount == -shown,
        };
        if let Some(refund) = all.iter_mut().find(is_it) {
            refund.row = Some(part.row.clone());
        }
    }
    Ok(all)
}

/// A payment that a statement may show.
struct Candidate {
    stored: StoredPayment,
    total: i128,
    /// Its lines, each with the account and the amount.
    lines: Vec<(Option<String>, i128)>,
    is_of_period: bool,
    /// Whether rows of this statement are about it.
    is_taken: bool,
    mark: Option<SettlementMark>,
    /// What statements show of it, and what they show as given back, which is below zero.
    parts: Vec<SettlementPart>,
    refunds: Vec<GivenBack>,
}

impl Candidate {
    fn id(&self) -> &str {
        &self.stored.payment.payment_id
    }

    /// Whether it was made or recorded on a day.
    fn is_of(&self, day: &str, by: Day) -> bool {
        let at = match by {
            Day::Paid => self.stored.payment.paid_at.clone(),
            Day::Recorded => time::format(self.stored.recorded_at),
        };
        at.get(..10) == Some(day)
    }

    /// What of it went to an account, or to any.
    fn to_account(&self, account: Option<&str>) -> i128 {
        let lines = self.lines.iter();
        let lines = lines.filter(|(of, _)| account.is_none() || of.as_deref() == account);
        lines.map(|(_, amount)| amount).sum()
    }

    /// How much of it other rows show.
    fn shown_besides(&self, row: &str) -> i128 {
        let parts = self.parts.iter().filter(|part| part.row != row);
        let amounts = parts.filter_map(|part| amount(part.amount.clone()).ok());
        // What is below zero was given back.
        amounts.map(|part| part.hundredths().max(0)).sum()
    }

    /// What was given back and a row may show: the places, and how much it is.
    fn refunds_for(&self, row: &str) -> (Vec<usize>, i128) {
        let refunds = self.refunds.iter().enumerate();
        let open: Vec<_> = refunds.filter(|(_, refund)| refund.is_for(row)).collect();
        let sum = open.iter().map(|(_, refund)| refund.amount).sum();
        (
            open.into_iter().map(|(position, _)| position).collect(),
            sum,
        )
    }

    /// The banks' reference number of the payment itself.
    fn reference(&self) -> Option<&String> {
        let card = self.stored.payment.card.as_ref();
        card.and_then(|card| card.rrn.as_ref())
    }

    /// Whether a row names the number of a refund, and not only that of the payment.
    fn names_a_refund(&self, row: &StatementRow) -> bool {
        let references = self.refunds.iter().flat_map(|refund| &refund.reference);
        let mut own = references.filter(|reference| self.reference() != Some(reference));
        own.any(|reference| row.names(reference))
    }

    /// What was given back that no row shows and a row may be about, the likeliest first. A number
    /// excludes what has another one.
    fn open_refunds(&self, row: &StatementRow) -> Vec<Vec<(usize, &GivenBack)>> {
        let open = |fits: &dyn Fn(&GivenBack) -> bool| {
            let refunds = self.refunds.iter().enumerate();
            let open = refunds.filter(|(_, refund)| refund.row.is_none() && fits(refund));
            open.collect::<Vec<_>>()
        };
        let named = |refund: &GivenBack| {
            let reference = refund.reference.as_ref();
            reference.is_some_and(|reference| row.names(reference))
        };
        let without = |refund: &GivenBack| refund.reference.is_none();
        if self.names_a_refund(row) {
            return vec![open(&|refund| {
                named(refund) && refund.reference.as_ref() != self.reference()
            })];
        }
        let is_of_payment = self.reference().is_some_and(|own| row.names(own));
        match is_of_payment {
            // A bank may give a refund the number of the payment, and the gateway then tells none.
            true => vec![
                open(&named),
                open(&without),
                open(&|refund| named(refund) || without(refund)),
            ],
            // What has a number may be named by it in another row.
            false => vec![open(&without), open(&|_| true)],
        }
    }

    /// What was given back that a row alone shows: what it showed before, one refund, or several.
    fn refunds_shown_by(&self, row: &StatementRow) -> Vec<usize> {
        let refunds = self.refunds.iter().enumerate();
        let known = refunds.filter(|(_, refund)| refund.row.as_deref() == Some(&row.name));
        let known: Vec<_> = known.map(|(at, _)| at).collect();
        if !known.is_empty() {
            return known;
        }
        let taken = -row.amount.hundredths();
        let open = self.open_refunds(row);
        let mut all = open.iter().flatten();
        if let Some((at, _)) = all.find(|(_, refund)| refund.amount == taken) {
            return vec![*at];
        }
        let sum = |refunds: &Vec<(usize, &GivenBack)>| -> i128 {
            refunds.iter().map(|(_, refund)| refund.amount).sum()
        };
        let whole = open.into_iter().find(|refunds| sum(refunds) == taken);
        let whole = whole.unwrap_or_default().into_iter();
        whole.map(|(at, _)| at).collect()
    }

    /// What was given back, as the answer shows it.
    fn given_back(&self, positions: &[usize], rows: Vec<usize>) -> Option<Known> {
        let refunds = || positions.iter().filter_map(|at| self.refunds.get(*at));
        let last = refunds().next_back()?;
        let sum: i128 = refunds().map(|refund| refund.amount).sum();
        Some(Known {
            amount: written(-sum),
            detail: Some("given back".to_owned()),
            recorded_at: time::format(last.at),
            ..Known::new(self.stored.clone(), rows)
        })
    }

    /// Adds a part that a row shows, or a refund by its name. Gives what is to be kept of it, if it is not
    /// one too many.
    fn add_part(
        &mut self,
        row: &str,
        hundredths: i128,
        refund: Option<String>,
    ) -> Option<store::Shown> {
        let amount = written(hundredths);
        self.parts.push(SettlementPart {
            settlement: 0,
            row: row.to_owned(),
            amount: amount.clone(),
            refund: refund.clone(),
        });
        let number = u32::try_from(self.parts.len()).ok()?;
        (number <= MOST_PARTS).then(|| store::Shown {
            payment_id: self.id().to_owned(),
            row: row.to_owned(),
            part: Some(number),
            amount: Some(amount),
            refund,
        })
    }
}

/// By which of its times a payment is of a day.
#[derive(Clone, Copy)]
enum Day {
    Paid,
    Recorded,
}

/// What is known of the payments that a statement may show.
struct Ledger<'a> {
    rates: &'a Rates,
    /// By their places in the journal.
    payments: BTreeMap<u64, Candidate>,
    by_id: HashMap<String, u64>,
    by_row: HashMap<String, String>,
}

impl<'a> Ledger<'a> {
    async fn read<P: Platform>(
        call: &Call<'_, P>,
        statement: &Statement,
        rates: &'a Rates,
        recorded: OfPeriod,
    ) -> Result<Self, Problem> {
        let OfPeriod {
            span,
            payments: recorded,
            given_back: refunded,
            ..
        } = recorded;
        let names: Vec<_> = statement.rows.iter().map(|row| row.name.clone()).collect();
        let by_row = call.store.settlements().payments_shown(&names).await?;
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
        // A word of a sentence is no PaymentID.
        let may_be_id =
            |word: &&String| word.len() > 5 && word.contains(|c: char| c.is_ascii_digit());
        let words = unknown.flat_map(|row| &row.words).filter(may_be_id);
        let words = words.take(MOST_WORDS);
        let elsewhere = whole.chain(by_row.values()).chain(words);
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
        let ids: Vec<_> = by_id.keys().cloned().collect();
        // A bank's statement names a payment by card, and a refund of it, by their reference numbers. One
        // that two have names neither.
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
        let stored = recorded.iter().chain(&elsewhere);
        let refunded = stored.filter(|payment| !payment.state.refunds.is_empty());
        let refunded: BTreeSet<_> = refunded.map(|p| p.payment.payment_id.as_str()).collect();
        // What is settled has no part to come, but what was given back of it.
        let in_parts: Vec<_> = ids
            .into_iter()
            .filter(|id| !marks.contains_key(id) || refunded.contains(id.as_str()))
            .collect();
        let mut parts = call.store.settlements().parts(&in_parts).await?;
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
                is_taken: false,
                mark: marks.remove(id),
                parts,
                stored,
            };
            payments.insert(candidate.stored.index, candidate);
        }
        Ok(Self {
            rates,
            payments,
            by_id,
            by_row,
        })
    }

    /// The recorded payments that a row names.
    fn named(&self, row: &StatementRow) -> Vec<u64> {
        let place = |id: &String| self.by_id.get(id).copied();
        if let Some(place) = row.payment_id.as_ref().and_then(place) {
            return vec![place];
        }
        let places: BTreeSet<_> = row.words.iter().filter_map(place).collect();
        places.into_iter().collect()
    }

    /// What was kept back where an amount was shown instead of the amounts of payments; `None` where
    /// no fee makes one of the other.
    fn fee(
        &self,
        shown: i128,
        told: Option<i128>,
        amounts: &[(Option<String>, i128)],
    ) -> Option<i128> {
        let due: i128 = amounts.iter().map(|(_, amount)| amount).sum();
        if shown == due {
            return Some(told.unwrap_or_default());
        }
        let mut fees = self.rates.possible(amounts);
        fees.extend(told);
        fees.into_iter()
            .find(|fee| shown.checked_add(*fee) == Some(due))
    }
}

/// An amount of a record.
fn amount_of(text: &str) -> Result<i128, Problem> {
    let money = crate::domain::Money::parse(text).map_err(Problem::internal)?;
    Ok(amount(money.to_string())?.hundredths())
}

/// Rows of one statement that are about the same.
struct Group {
    rows: Vec<StatementRow>,
    /// What they show in all, without fees in rows of their own.
    shown: i128,
    /// What was kept back, where the statement says so.
    fee: Option<i128>,
    /// What it is known by in all statements.
    name: String,
}

impl Group {
    fn new(rows: Vec<StatementRow>) -> Self {
        let is_fee = |row: &&StatementRow| row.is_fee && row.amount.hundredths() < 0;
        let shown = rows.iter().filter(|row| !is_fee(row));
        let shown = shown.map(|row| row.amount.hundredths()).sum();
        let charged = rows.iter().filter(is_fee);
        let charged: Vec<_> = charged.map(|row| -row.amount.hundredths()).collect();
        let columns: Vec<_> = rows.iter().filter_map(|row| row.fee).collect();
        let told = columns.into_iter().chain(charged);
        let fee = told.reduce(|sum, fee| sum + fee);
        // The first row's name is the group's: another statement may repeat some of the rows only.
        let name = rows.first().map(|row| row.name.clone()).unwrap_or_default();
        Self {
            rows,
            shown,
            fee,
            name,
        }
    }

    fn numbers(&self) -> Vec<usize> {
        self.rows.iter().map(|row| row.row).collect()
    }

    /// As the answer shows it.
    fn into_shown(
        self,
        difference: Option<Difference>,
        detail: impl Into<Option<String>>,
    ) -> Shown {
        let rows = self.numbers();
        let first = self.rows.into_iter().next();
        let (mut payment_id, mut order_key, mut date) = (None, None, None);
        if let Some(first) = first {
            (payment_id, order_key, date) = (first.payment_id, first.order_key, first.date);
        }
        Shown {
            rows,
            payment_id,
            order_key,
            amount: Amount::of_hundredths(self.shown).to_string(),
            date,
            difference,
            detail: detail.into(),
            shown_by_others: Vec::new(),
        }
    }
}

fn written(hundredths: i128) -> String {
    Amount::of_hundredths(hundredths).to_string()
}

/// Compares; gives also what is settled only now.
pub(super) async fn compare<P: Platform>(
    call: &Call<'_, P>,
    statement: &Statement,
    rates: &Rates,
    recorded: OfPeriod,
) -> Result<(Vec<store::Shown>, Comparison), Problem> {
    let ledger = Ledger::read(call, statement, rates, recorded).await?;
    let mut work = Work {
        ledger,
        new: Vec::new(),
        comparison: Comparison {
            sha256: String::new(),
            read_as: String::new(),
            settlement: None,
            complete: true,
            matched: Vec::new(),
            differing: Vec::new(),
            not_recorded: Vec::new(),
            not_settled: Vec::new(),
            netted: Vec::new(),
            fees: Vec::new(),
            totals: Vec::new(),
            errors: Vec::new(),
        },
    };
    let (mut of_payment, mut of_several) = (BTreeMap::<u64, Vec<StatementRow>>::new(), Vec::new());
    let (mut unknown, mut of_orders) = (BTreeMap::<String, Vec<StatementRow>>::new(), Vec::new());
    let mut others = Vec::new();
    for row in statement.rows.iter().cloned() {
        match (
            work.ledger.named(&row).as_slice(),
            &row.payment_id,
            &row.order_key,
        ) {
            ([place], _, _) => of_payment.entry(*place).or_default().push(row),
            ([_, ..], _, _) => of_several.push(row),
            // It must not take another payment than the one that it names.
            ([], Some(id), _) if !id.contains(char::is_whitespace) => {
                unknown.entry(id.clone()).or_default().push(row);
            }
            ([], _, Some(_)) => of_orders.push(row),
            ([], _, None) => others.push(row),
        }
    }
    for (place, rows) in of_payment {
        work.payment(place, Group::new(rows));
    }
    for row in of_several {
        let places = work.ledger.named(&row);
        work.several(&places, row);
    }
    for (_, rows) in unknown {
        work.unknown(rows);
    }
    work.orders(of_orders);
    for row in others {
        work.other(row);
    }
    Ok(work.finish())
}

struct Work<'a> {
    ledger: Ledger<'a>,
    new: Vec<store::Shown>,
    comparison: Comparison,
}

impl Work<'_> {
    /// Rows that name a payment.
    fn payment(&mut self, place: u64, group: Group) {
        let Some(group) = self.without_refunds(place, group) else {
            return;
        };
        let Some(candidate) = self.ledger.payments.get(&place) else {
            return;
        };
        let total = candidate.total;
        let takes_back = group.rows.iter().any(|row| row.amount.hundredths() < 0);
        if group.shown == 0 && takes_back {
            // It is as if the statement did not show it.
            let detail = format!("payment {} is shown and taken back", candidate.id());
            let shown = group.into_shown(None, detail);
            self.comparison.netted.push(shown);
            return;
        }
        if let Some(candidate) = self.ledger.payments.get_mut(&place) {
            candidate.is_taken = true;
        }
        let Some(candidate) = self.ledger.payments.get(&place) else {
            return;
        };
        let rows = group.numbers();
        let known = || Known::new(candidate.stored.clone(), rows.clone());
        let fee = self.ledger.fee(group.shown, group.fee, &candidate.lines);
        if let Some(fee) = fee {
            if candidate.mark.is_none() {
                self.new.push(whole(candidate, group.name.clone()));
            }
            let fee = (fee != 0).then(|| written(fee));
            let shown = fee.as_ref().map(|_| written(group.shown));
            self.comparison.matched.push(Known {
                fee,
                shown,
                ..known()
            });
            return;
        }
        let before = candidate.shown_besides(&group.name);
        let (refunds, given_back) = candidate.refunds_for(&group.name);
        let is_open = candidate
            .mark
            .as_ref()
            .is_none_or(|mark| mark.row == group.name);
        if group.shown > 0 && given_back > 0 && is_open {
            // A bank may pay what remains.
            let due = group.shown + given_back;
            let fee = self.ledger.fee(due, group.fee, &candidate.lines);
            if let Some(fee) = fee.or((before + due == total).then_some(0)) {
                if candidate.mark.is_none() {
                    self.new.push(whole(candidate, group.name.clone()));
                }
                self.comparison.matched.push(Known {
                    fee: (fee != 0).then(|| written(fee)),
                    shown: Some(written(group.shown)),
                    detail: Some(format!("less {} that was given back", written(given_back))),
                    ..known()
                });
                self.take_refunds(place, &refunds, &group.name);
                return;
            }
        }
        let differs = |difference, detail: String| Known {
            shown: Some(written(group.shown)),
            difference: Some(difference),
            detail: Some(detail),
            ..known()
        };
        let is_part = candidate.parts.iter().any(|part| part.row == group.name);
        let shown_in_all = before + group.shown;
        let is_known =
            self.ledger.by_row.get(&group.name).map(String::as_str) == Some(candidate.id());
        if let Some(mark) = &candidate.mark {
            // The last part, or one before it: the rest is what others have shown.
            if (mark.row == group.name || is_known) && (1..total).contains(&group.shown) {
                self.comparison.matched.push(Known {
                    shown: Some(written(group.shown)),
                    detail: Some("a part; other statements show the rest".to_owned()),
                    ..known()
                });
                return;
            }
            let settlement = mark.settlement;
            let differing = if group.shown < 0 {
                let detail = format!(
                    "the statement takes {} back, which statement {settlement} has shown",
                    written(-group.shown)
                );
                differs(Difference::TakenBack, detail)
            } else {
                let detail = format!(
                    "statement {settlement} has shown the payment as a whole, and this one shows {}",
                    written(group.shown)
                );
                differs(Difference::ShownBefore, detail)
            };
            self.comparison.differing.push(differing);
        } else if group.shown > 0 && shown_in_all == total {
            self.new.push(whole(candidate, group.name.clone()));
            self.comparison.matched.push(Known {
                shown: Some(written(group.shown)),
                detail: Some(format!(
                    "the rest; statements before show {} of it",
                    written(before)
                )),
                ..known()
            });
        } else if group.shown > 0 && shown_in_all < total {
            let detail = format!(
                "{} of {} is shown so far; {} is left",
                written(shown_in_all),
                written(total),
                written(total - shown_in_all)
            );
            self.comparison
                .differing
                .push(differs(Difference::Part, detail));
            if !is_part && let Some(candidate) = self.ledger.payments.get_mut(&place) {
                self.new
                    .extend(candidate.add_part(&group.name, group.shown, None));
            }
        } else if group.shown <= 0 {
            let detail = format!(
                "the statement takes {} back, which no statement has shown",
                written(-group.shown)
            );
            self.comparison
                .differing
                .push(differs(Difference::TakenBack, detail));
        } else {
            let detail = format!("{} more than was paid", written(shown_in_all - total));
            self.comparison
                .differing
                .push(differs(Difference::More, detail));
        }
    }

    /// The rows of a group that are not about what was given back; those that are, are taken.
    fn without_refunds(&mut self, place: u64, group: Group) -> Option<Group> {
        let candidate = self.ledger.payments.get(&place);
        // A reversal may be made good in the same statement.
        let is_whole =
            candidate.is_none_or(|found| found.refunds.is_empty() || found.total == group.shown);
        if is_whole {
            return Some(group);
        }
        let (named, others): (Vec<_>, Vec<_>) = group
            .rows
            .into_iter()
            .partition(|row| candidate.is_some_and(|found| found.names_a_refund(row)));
        let rest = self.rest(named, others, |_, _| Some(place));
        (!rest.is_empty()).then(|| Group::new(rest))
    }

    /// The rows, in their order, that are not about what was given back; those that are, are taken. Those
    /// that name the number of a refund come first: others must not take what is theirs.
    fn rest(
        &mut self,
        named: Vec<StatementRow>,
        others: Vec<StatementRow>,
        place: impl Fn(&Self, &StatementRow) -> Option<u64>,
    ) -> Vec<StatementRow> {
        let mut rest = Vec::with_capacity(others.len());
        for row in named.into_iter().chain(others) {
            let is_taken = place(self, &row).is_some_and(|place| self.refund(place, &row));
            if !is_taken {
                rest.push(row);
            }
        }
        rest.sort_by_key(|row| row.row);
        rest
    }

    /// Takes a row for what was given back of a payment; `false` if it is not.
    fn refund(&mut self, place: u64, row: &StatementRow) -> bool {
        let candidate = self.ledger.payments.get(&place);
        let Some(candidate) = candidate.filter(|_| row.amount.hundredths() < 0 && !row.is_fee)
        else {
            return false;
        };
        let positions = candidate.refunds_shown_by(row);
        let known = candidate.given_back(&positions, vec![row.row]);
        self.comparison.matched.extend(known);
        self.take_refunds(place, &positions, &row.name);
        !positions.is_empty()
    }

    /// Keeps that a row shows what was given back of a payment.
    fn take_refunds(&mut self, place: u64, positions: &[usize], row: &str) {
        let Some(candidate) = self.ledger.payments.get_mut(&place) else {
            return;
        };
        for position in positions {
            let Some(refund) = candidate.refunds.get_mut(*position) else {
                continue;
            };
            refund.is_taken = true;
            if refund.row.is_none() {
                refund.row = Some(row.to_owned());
                let (amount, name) = (refund.amount, refund.name.clone());
                self.new
                    .extend(candidate.add_part(row, -amount, Some(name)));
            }
        }
    }

    /// A row that names several payments.
    fn several(&mut self, places: &[u64], row: StatementRow) {
        let amounts = |candidate: &Candidate| candidate.lines.clone();
        let refunds = places.iter().filter_map(|place| {
            let (positions, _) = self.ledger.payments.get(place)?.refunds_for(&row.name);
            (!positions.is_empty()).then_some((*place, positions))
        });
        let refunds: Vec<_> = refunds.collect();
        let lump = self.lump(places, &row, amounts, &[]);
        let lump = lump.or_else(|sum| match refunds.is_empty() {
            true => Err(sum),
            false => self.lump(places, &row, amounts, &refunds),
        });
        if let Err(sum) = lump {
            let group = Group::new(vec![row]);
            let detail = format!(
                "the payments that the row names are {} in all, {}",
                written(sum),
                difference(group.shown, sum)
            );
            let shown = group.into_shown(Some(Difference::OtherSum), detail);
            self.comparison.not_recorded.push(shown);
        }
    }

    /// Takes payments, each with what of it counts, less what was given back, for what a row is the
    /// sum of; or gives their sum.
    fn lump(
        &mut self,
        places: &[u64],
        row: &StatementRow,
        amounts: impl Fn(&Candidate) -> Vec<(Option<String>, i128)>,
        refunds: &[(u64, Vec<usize>)],
    ) -> Result<(), i128> {
        let candidates = || {
            places
                .iter()
                .filter_map(|place| self.ledger.payments.get(place))
        };
        let all: Vec<_> = candidates().flat_map(&amounts).collect();
        let given_back: i128 = refunds
            .iter()
            .flat_map(|(place, positions)| {
                let candidate = self.ledger.payments.get(place);
                let refunds = candidate.map(|candidate| &candidate.refunds);
                positions.iter().filter_map(move |at| refunds?.get(*at))
            })
            .map(|refund| refund.amount)
            .sum();
        let sum = all.iter().map(|(_, amount)| amount).sum::<i128>() - given_back;
        let shown = row.amount.hundredths() + given_back;
        let Some(fee) = self.ledger.fee(shown, row.fee, &all) else {
            return Err(sum);
        };
        if all.is_empty() && refunds.is_empty() {
            return Err(sum);
        }
        let fee = (fee != 0).then(|| written(fee));
        for place in places {
            let Some(candidate) = self.ledger.payments.get_mut(place) else {
                continue;
            };
            candidate.is_taken = true;
            let counts: i128 = amounts(candidate).iter().map(|(_, amount)| amount).sum();
            let before = candidate.shown_besides(&row.name);
            let is_known = candidate.parts.iter().any(|part| part.row == row.name);
            let mut known = Known::new(candidate.stored.clone(), vec![row.row]);
            known.fee = fee.clone();
            known.detail = Some(format!("part of a sum of {}", row.amount));
            let is_whole = counts == candidate.total || before + counts == candidate.total;
            if candidate.mark.is_none() && is_whole {
                self.new.push(whole(candidate, row.name.clone()));
            } else if candidate.mark.is_none() && !is_known {
                // More than one sum of this statement may be about it.
                self.new.extend(candidate.add_part(&row.name, counts, None));
            }
            if is_whole {
                self.comparison.matched.push(known);
            } else {
                known.shown = Some(written(counts));
                known.difference = Some(Difference::Part);
                self.comparison.differing.push(known);
            }
        }
        for (place, positions) in refunds {
            let candidate = self.ledger.payments.get(place);
            let known = candidate.and_then(|found| found.given_back(positions, vec![row.row]));
            self.comparison.matched.extend(known.map(|known| Known {
                detail: Some(format!("given back; part of a sum of {}", row.amount)),
                ..known
            }));
            self.take_refunds(*place, positions, &row.name);
        }
        Ok(())
    }

    /// Rows of a PaymentID that is not recorded.
    fn unknown(&mut self, rows: Vec<StatementRow>) {
        let group = Group::new(rows);
        let takes_back = group.rows.iter().any(|row| row.amount.hundredths() < 0);
        if group.shown == 0 && takes_back {
            let shown = group.into_shown(None, "shown and taken back".to_owned());
            self.comparison.netted.push(shown);
            return;
        }
        let mut detail = "no payment of this PaymentID is recorded".to_owned();
        // A refund may have a reference number of its own that the gateway did not tell.
        let open = self.ledger.payments.values().filter(|candidate| {
            let mut refunds = candidate.refunds.iter();
            refunds.any(|refund| {
                let is_open = refund.row.is_none() && refund.reference.is_none();
                is_open && refund.amount == -group.shown
            })
        });
        let open: Vec<_> = open.map(Candidate::id).collect();
        if !open.is_empty() {
            let open = open.join(", ");
            detail = format!("{detail}; so much was given back of {open}, and no row shows it");
        }
        let shown = group.into_shown(Some(Difference::UnknownPayment), detail);
        self.comparison.not_recorded.push(shown);
    }

    /// Rows that name orders.
    fn orders(&mut self, rows: Vec<StatementRow>) {
        // What was given back takes nothing back that a row shows.
        let (named, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| {
            let mut payments = self.ledger.payments.values();
            payments.any(|candidate| candidate.names_a_refund(row))
        });
        let rows = self.rest(named, others, Self::given_back_of_order);
        let entries: Vec<_> = rows
            .iter()
            .map(|row| (row.order_key.clone(), row.amount.hundredths()))
            .collect();
        let mut rows: Vec<_> = rows.into_iter().map(Some).collect();
        let mut take = |position: usize| rows.get_mut(position).and_then(Option::take);
        for (first, second) in netting::pairs(&entries) {
            if let (Some(first), Some(second)) = (take(first), take(second)) {
                let mut shown = Group::new(vec![first, second])
                    .into_shown(None, "shown and taken back".to_owned());
                shown.amount = written(0);
                self.comparison.netted.push(shown);
            }
        }
        // A row must not take the payment that another one has shown before.
        let rows = rows.into_iter().flatten();
        let (again, others): (Vec<_>, Vec<_>) =
            rows.partition(|row| self.ledger.by_row.contains_key(&row.name));
        for row in again.into_iter().chain(others) {
            self.order(row);
        }
    }

    /// The payment of which a row that names an order shows what was given back.
    fn given_back_of_order(&self, row: &StatementRow) -> Option<u64> {
        if let Some(id) = self.ledger.by_row.get(&row.name) {
            return self.ledger.by_id.get(id).copied();
        }
        let of_order = || {
            let payments = self.ledger.payments.iter();
            payments.filter(|(_, candidate)| {
                row.order_key.as_ref() == Some(&candidate.stored.payment.order_key)
                    && !candidate.refunds_shown_by(row).is_empty()
            })
        };
        let named = of_order().find(|(_, candidate)| candidate.names_a_refund(row));
        named.or_else(|| of_order().next()).map(|(place, _)| *place)
    }

    /// A row that names an order: it shows one payment of it at most.
    fn order(&mut self, row: StatementRow) {
        let shown_before = self.ledger.by_row.get(&row.name);
        let place = match shown_before {
            Some(id) => self.ledger.by_id.get(id).copied(),
            None => self.free(&row),
        };
        if let Some(place) = place
            && self
                .ledger
                .payments
                .get(&place)
                .is_some_and(|found| !found.is_taken)
        {
            self.payment(place, Group::new(vec![row]));
            return;
        }
        let amount = row.amount.hundredths();
        let others: Vec<_> = self
            .ledger
            .payments
            .values()
            .filter(|candidate| self.fits(candidate, &row))
            .map(|candidate| candidate.id().to_owned())
            .collect();
        let (difference, detail) = match () {
            () if amount < 0 => (
                Difference::ReversalOfNothing,
                "it takes back what the statement does not show",
            ),
            () if others.is_empty() => (
                Difference::UnknownOrder,
                "no payment of this order and amount is recorded",
            ),
            () => (
                Difference::UnknownOrder,
                "other rows show all payments of this order and amount",
            ),
        };
        let shown = Group::new(vec![row]).into_shown(Some(difference), detail.to_owned());
        self.comparison.not_recorded.push(Shown {
            shown_by_others: others,
            ..shown
        });
    }

    /// A payment that fits a row and that no row has shown.
    fn free(&self, row: &StatementRow) -> Option<u64> {
        let free = |fits: &dyn Fn(&Candidate) -> bool| {
            let mut candidates = self.ledger.payments.iter();
            let free = candidates.find(|(_, candidate)| {
                !candidate.is_taken && candidate.mark.is_none() && fits(candidate)
            });
            free.map(|(place, _)| *place)
        };
        // What is whole goes before what remains of another.
        free(&|candidate| self.fits_with(candidate, row, 0))
            .or_else(|| free(&|candidate| self.fits(candidate, row)))
    }

    /// Whether a row that names an order may be about a payment, or about what remains of it.
    fn fits(&self, candidate: &Candidate, row: &StatementRow) -> bool {
        let (_, given_back) = candidate.refunds_for(&row.name);
        let remains = given_back > 0 && row.amount.hundredths() > 0;
        self.fits_with(candidate, row, 0) || remains && self.fits_with(candidate, row, given_back)
    }

    fn fits_with(&self, candidate: &Candidate, row: &StatementRow, given_back: i128) -> bool {
        let is_of_order = row.order_key.as_ref() == Some(&candidate.stored.payment.order_key);
        let due = row.amount.hundredths() + given_back;
        is_of_order && self.ledger.fee(due, row.fee, &candidate.lines).is_some()
    }

    /// A row that names nothing: a fee, or the sum of a day.
    fn other(&mut self, row: StatementRow) {
        if row.is_fee {
            let group = Group::new(vec![row.clone()]);
            let mut shown = group.into_shown(None, None);
            shown.amount = row.amount.to_string();
            self.comparison.fees.push(shown);
            return;
        }
        let (mut sums, mut given_back) = (Vec::new(), 0);
        if let Some(day) = row.day.clone() {
            let account = row.account.clone();
            for (by, only_new) in [
                (Day::Paid, true),
                (Day::Recorded, true),
                (Day::Paid, false),
                (Day::Recorded, false),
            ] {
                let candidates = self.ledger.payments.iter().filter(|(_, candidate)| {
                    let mark = candidate.mark.as_ref();
                    let is_new = mark.is_none_or(|mark| mark.row == row.name);
                    candidate.is_of_period
                        && !candidate.is_taken
                        && candidate.is_of(&day, by)
                        && (is_new || !only_new)
                        && candidate.to_account(account.as_deref()) > 0
                });
                let places: Vec<_> = candidates.map(|(place, _)| *place).collect();
                let to_account = |candidate: &Candidate| {
                    let lines = candidate.lines.iter();
                    let lines = lines.filter(|(of, _)| account.is_none() || *of == account);
                    lines.cloned().collect()
                };
                let Err(sum) = self.lump(&places, &row, to_account, &[]) else {
                    return;
                };
                sums.push(sum);
                let refunds = self.refunds_of_day(&row, &day, account.as_deref(), only_new);
                if !refunds.is_empty() {
                    let Err(less) = self.lump(&places, &row, to_account, &refunds) else {
                        return;
                    };
                    given_back = sum - less;
                }
            }
        }
        let group = Group::new(vec![row]);
        let (difference, mut detail) = match sums.as_slice() {
            [paid, recorded, ..] => (
                Difference::OtherSum,
                format!(
                    "what was paid on this day and no statement has shown is {}, and what was recorded on it {}",
                    written(*paid),
                    written(*recorded)
                ),
            ),
            _ if group.shown < 0 => (
                Difference::ReversalOfNothing,
                "it takes back what the statement does not show".to_owned(),
            ),
            _ => (
                Difference::NoPaymentNamed,
                "the row names no recorded payment".to_owned(),
            ),
        };
        if given_back > 0 {
            detail = format!("{detail}; {} was given back on it", written(given_back));
        }
        let shown = group.into_shown(Some(difference), detail);
        self.comparison.not_recorded.push(shown);
    }

    /// What was given back on a day, from an account or from any, and a row may show, or has shown in
    /// another statement. Of a payment to several accounts, the account is not known.
    fn refunds_of_day(
        &self,
        row: &StatementRow,
        day: &str,
        account: Option<&str>,
        only_new: bool,
    ) -> Vec<(u64, Vec<usize>)> {
        let payments = self
            .ledger
            .payments
            .iter()
            .filter(|(_, candidate)| candidate.to_account(account) == candidate.total);
        let refunds = payments.map(|(place, candidate)| {
            let refunds = candidate.refunds.iter().enumerate().filter(|(_, refund)| {
                let is_open = !refund.is_taken && (refund.is_for(&row.name) || !only_new);
                is_open && time::format(refund.at).get(..10) == Some(day)
            });
            (*place, refunds.map(|(at, _)| at).collect::<Vec<_>>())
        });
        refunds
            .filter(|(_, positions)| !positions.is_empty())
            .collect()
    }

    fn finish(self) -> (Vec<store::Shown>, Comparison) {
        let Self {
            ledger,
            new,
            mut comparison,
        } = self;
        comparison.matched.sort_by(|a, b| a.rows.cmp(&b.rows));
        comparison.differing.sort_by(|a, b| a.rows.cmp(&b.rows));
        comparison.not_recorded.sort_by(|a, b| a.rows.cmp(&b.rows));
        comparison.netted.sort_by(|a, b| a.rows.cmp(&b.rows));
        let refunds = ledger.payments.values().flat_map(|candidate| {
            let refunds = candidate.refunds.iter().enumerate();
            let open = refunds.filter(|(_, refund)| refund.is_of_period && refund.row.is_none());
            open.filter_map(|(position, _)| candidate.given_back(&[position], Vec::new()))
        });
        let refunds: Vec<_> = refunds
            .map(|known| Known {
                difference: Some(Difference::NotShown),
                detail: Some("no statement shows that it was given back".to_owned()),
                ..known
            })
            .collect();
        let unsettled = ledger.payments.into_values().filter(|candidate| {
            candidate.is_of_period && !candidate.is_taken && candidate.mark.is_none()
        });
        comparison.not_settled = unsettled
            .map(|candidate| {
                let shown = candidate.shown_besides("");
                let total = candidate.total;
                let known = Known::new(candidate.stored, Vec::new());
                if shown == 0 {
                    return Known {
                        difference: Some(Difference::NotShown),
                        detail: Some("no statement shows it".to_owned()),
                        ..known
                    };
                }
                Known {
                    shown: Some(written(shown)),
                    difference: Some(Difference::PartNotShown),
                    detail: Some(format!(
                        "no statement shows {} of it",
                        written(total - shown)
                    )),
                    ..known
                }
            })
            .chain(refunds)
            .collect();
        (new, comparison)
    }
}

/// That a payment is settled.
fn whole(candidate: &Candidate, row: String) -> store::Shown {
    store::Shown {
        payment_id: candidate.id().to_owned(),
        row,
        part: None,
        amount: None,
        refund: None,
    }
}

/// How far a sum is from another one, in words.
fn difference(shown: i128, sum: i128) -> String {
    match shown - sum {
        less if less < 0 => format!("and {} less is shown", written(-less)),
        more => format!("and {} more is shown", written(more)),
    }
}
