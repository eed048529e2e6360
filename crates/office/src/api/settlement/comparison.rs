//! What the rows show, held against what is recorded.

use std::collections::{BTreeMap, HashMap};

use http::StatusCode;

use super::{Comparison, Known, MAX_PAYMENTS, PAGE, Shown, total};
use crate::{
    api::{Call, Problem, payments},
    domain::PaymentId,
    store::{self, Platform, SettlementMark, Span, StoredPayment},
};

/// The payments recorded in the period.
pub(super) async fn recorded<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
) -> Result<Vec<StoredPayment>, Problem> {
    let (mut found, mut cursor) = (Vec::new(), 0);
    loop {
        let page = payments::recorded(call, cursor, PAGE, span).await?;
        let mut payments = call.store.payments().of(page.entries).await?;
        payments.retain(|payment| payment.state.voided.is_none());
        found.extend(payments);
        if found.len() > MAX_PAYMENTS {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!(
                    "More than {MAX_PAYMENTS} payments were recorded in this period; choose a shorter one."
                ),
            ));
        }
        if page.complete || page.next <= cursor {
            return Ok(found);
        }
        cursor = page.next;
    }
}

/// What is known of the payments that a statement may show.
struct Ledger {
    /// Those that no row of this statement has taken yet, by their places in the journal.
    left: BTreeMap<u64, StoredPayment>,
    by_id: HashMap<String, u64>,
    /// What statements have shown before, this one among them if it comes again.
    marks: HashMap<String, SettlementMark>,
    by_row: HashMap<String, String>,
}

impl Ledger {
    async fn read<P: Platform>(
        call: &Call<'_, P>,
        shown: &[Shown],
        recorded: Vec<StoredPayment>,
    ) -> Result<Self, Problem> {
        let unnamed = shown.iter().filter(|shown| shown.payment_id.is_none());
        let names: Vec<_> = unnamed.map(|shown| shown.name.clone()).collect();
        let by_row = call.store.settlements().payments_shown(&names).await?;
        let mut by_id: HashMap<String, u64> = recorded
            .iter()
            .map(|payment| (payment.payment.payment_id.clone(), payment.index))
            .collect();
        let named = shown.iter().filter_map(|shown| shown.payment_id.as_ref());
        let elsewhere: Vec<_> = named
            .chain(by_row.values())
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
        let marks = call.store.settlements().marks(&ids).await?;
        let payments = recorded.into_iter().chain(elsewhere);
        Ok(Self {
            left: payments.map(|payment| (payment.index, payment)).collect(),
            by_id,
            marks,
            by_row,
        })
    }

    /// Takes the payment that a row is about.
    fn take(&mut self, shown: &Shown) -> Option<StoredPayment> {
        let named = shown.payment_id.as_ref().or(self.by_row.get(&shown.name));
        let index = match named {
            Some(id) => self.by_id.get(id).copied(),
            None => self.free(shown),
        };
        self.left.remove(&index?)
    }

    /// A payment that fits a row and that no row has shown.
    fn free(&self, shown: &Shown) -> Option<u64> {
        let mut fitting = self.left.values().filter(|payment| fits(payment, shown));
        let free = fitting.find(|payment| !self.marks.contains_key(&payment.payment.payment_id));
        free.map(|payment| payment.index)
    }
}

/// Whether a row that names no payment may be about this one.
fn fits(payment: &StoredPayment, shown: &Shown) -> bool {
    shown.order_key.as_ref() == Some(&payment.payment.order_key) && total(payment) == shown.sum
}

/// Compares; gives also what is settled only now.
pub(super) async fn compare<P: Platform>(
    call: &Call<'_, P>,
    shown: Vec<Shown>,
    recorded: Vec<StoredPayment>,
) -> Result<(Vec<store::Shown>, Comparison), Problem> {
    let mut ledger = Ledger::read(call, &shown, recorded).await?;
    let mut comparison = Comparison {
        sha256: String::new(),
        settlement: None,
        matched: Vec::new(),
        differing: Vec::new(),
        not_recorded: Vec::new(),
        not_settled: Vec::new(),
        errors: Vec::new(),
    };
    let mut new = Vec::new();
    let mut taken = Vec::new();
    // A row must not take the payment that another one names, or has shown before.
    let (named, others): (Vec<_>, Vec<_>) = shown
        .into_iter()
        .partition(|shown| shown.payment_id.is_some());
    let (again, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|shown| ledger.by_row.contains_key(&shown.name));
    for mut shown in named.into_iter().chain(again).chain(others) {
        match ledger.take(&shown) {
            None => {
                let settled = ledger.left.values().chain(&taken);
                let settled =
                    settled.filter(|payment| shown.payment_id.is_none() && fits(payment, &shown));
                let ids = settled.map(|payment| payment.payment.payment_id.clone());
                shown.shown_by_others = ids.collect();
                comparison.not_recorded.push(shown);
            }
            Some(payment) if total(&payment) == shown.sum => {
                let id = &payment.payment.payment_id;
                if !ledger.marks.contains_key(id) {
                    new.push(store::Shown {
                        payment_id: id.clone(),
                        row: shown.name.clone(),
                    });
                }
                taken.push(payment.clone());
                comparison
                    .matched
                    .push(Known::new(payment, shown.rows, None));
            }
            Some(payment) => {
                let amount = Some(shown.amount);
                comparison
                    .differing
                    .push(Known::new(payment, shown.rows, amount));
            }
        }
    }
    comparison.matched.sort_by(|a, b| a.rows.cmp(&b.rows));
    comparison.not_recorded.sort_by(|a, b| a.rows.cmp(&b.rows));
    // Those of other times are gone: they were looked up because a row is about them.
    let Ledger { left, marks, .. } = ledger;
    let unsettled = left
        .into_values()
        .filter(|payment| !marks.contains_key(&payment.payment.payment_id));
    comparison.not_settled = unsettled.map(|p| Known::new(p, Vec::new(), None)).collect();
    Ok((new, comparison))
}
