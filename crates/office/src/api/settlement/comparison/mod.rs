//! The comparison of a statement's rows with the records.
//!
//! `ledger`: the records of the payments that a statement may show. `candidate`: one of these payments, and its
//! refunds. `orders`: rows that name no payment.

mod candidate;
mod ledger;
mod orders;

use std::collections::{BTreeMap, BTreeSet};

use tables::Amount;

use super::{
    Comparison, Difference, Known, Shown,
    fees::Rates,
    statement::{Statement, StatementRow},
};
use crate::{
    api::{Call, Problem},
    domain::ServiceId,
    store::{self, Platform},
};
use candidate::{Candidate, written};
use ledger::Ledger;
pub(super) use ledger::{OfPeriod, recorded};

/// Rows of one statement with the same subject.
struct Group {
    /// The rows, without those that are fees.
    rows: Vec<StatementRow>,
    /// The rows that are fees.
    charges: Vec<StatementRow>,
    /// The sum that the rows show, in hundredths.
    shown: i128,
    /// The fee in hundredths, if the statement gives one.
    fee: Option<i128>,
}

impl Group {
    /// Rows about a payment of this amount. The fees of a payment are less than its amount. A text that the
    /// money that came has too, such as the name of a service, does not tell a fee.
    fn new(rows: Vec<StatementRow>, total: i128) -> Self {
        let is_of_all = |row: &StatementRow| row.names_a_fee && row.amount.hundredths() > 0;
        let tells = !rows.iter().any(is_of_all);
        let (mut charges, mut rows): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| tells && row.may_be_fee());
        if -sum(charges.iter()) >= total {
            rows.append(&mut charges);
            rows.sort_by_key(|row| row.row);
        }
        let told = rows.iter().chain(&charges).filter_map(|row| row.fee);
        let charged = charges.iter().map(|row| -row.amount.hundredths());
        let fee = told.chain(charged).reduce(|sum, fee| sum + fee);
        let shown = sum(rows.iter());
        Self {
            rows,
            charges,
            shown,
            fee,
        }
    }

    /// Rows that are about no payment, of which none is a fee of one.
    fn of_other(rows: Vec<StatementRow>) -> Self {
        Self::new(rows, 0)
    }

    /// True if a row has this name.
    fn has(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.name == name)
    }

    /// The name of the first row.
    fn name(&self) -> String {
        let first = self.rows.first();
        first.map(|row| row.name.clone()).unwrap_or_default()
    }

    fn takes_back(&self) -> bool {
        self.rows.iter().any(|row| row.amount.hundredths() < 0)
    }

    fn numbers(&self) -> Vec<usize> {
        let rows = self.rows.iter().chain(&self.charges);
        let mut numbers: Vec<_> = rows.map(|row| row.row).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The group, in the form of the answer.
    fn into_shown(
        self,
        difference: Option<Difference>,
        detail: impl Into<Option<String>>,
    ) -> Shown {
        let rows = self.numbers();
        let first = self.rows.into_iter().chain(self.charges).next();
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

/// Compares a statement with the records. Returns the newly settled payments and parts, and the comparison.
pub(super) async fn compare<P: Platform>(
    call: &Call<'_, P>,
    statement: &Statement,
    rates: &Rates,
    service: Option<&ServiceId>,
    recorded: OfPeriod,
) -> Result<(Vec<store::Shown>, Comparison), Problem> {
    let ledger = Ledger::read(call, statement, rates, service, recorded).await?;
    let mut work = Work {
        ledger,
        new: Vec::new(),
        comparison: Comparison {
            sha256: String::new(),
            read_as: String::new(),
            settlement: None,
            complete: true,
            unreadable: 0,
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
    // By their PaymentID and currency.
    let mut unknown = BTreeMap::<(String, String), Vec<StatementRow>>::new();
    let mut of_orders = Vec::new();
    let mut others = Vec::new();
    for row in statement.rows.iter().cloned() {
        match (
            work.ledger.named(&row).as_slice(),
            &row.payment_id,
            &row.order_key,
        ) {
            ([place], _, _) => {
                if !work.is_foreign(*place, &row) {
                    of_payment.entry(*place).or_default().push(row);
                }
            }
            ([_, ..], _, _) => of_several.push(row),
            // The row names an unknown PaymentID, so it must not be matched with another payment.
            ([], Some(id), _) if !id.contains(char::is_whitespace) => {
                let currency = work.ledger.currency_of(&row).to_owned();
                unknown.entry((id.clone(), currency)).or_default().push(row);
            }
            ([], _, Some(_)) => of_orders.push(row),
            ([], _, None) => others.push(row),
        }
    }
    for (place, rows) in of_payment {
        work.payment(place, rows);
    }
    for row in of_several {
        let places = work.ledger.named(&row);
        work.several(&places, row);
    }
    for (_, rows) in unknown {
        work.unknown(rows);
    }
    work.orders(of_orders);
    // Sums that were seen in an earlier statement come first, so that no other row takes their payments.
    let (again, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|row| work.has_seen(row));
    for row in again {
        work.sum_again(row);
    }
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
    /// Reports a row that names a payment in another currency. Returns false if it is in the payment's.
    fn is_foreign(&mut self, place: u64, row: &StatementRow) -> bool {
        let candidate = self.ledger.payments.get(&place);
        let Some(candidate) = candidate.filter(|found| !self.ledger.is_in_currency(row, found))
        else {
            return false;
        };
        self.comparison.differing.push(Known {
            shown: Some(row.amount.to_string()),
            difference: Some(Difference::OtherCurrency),
            detail: Some(other_currency(self.ledger.currency_of(row), candidate)),
            ..Known::new(&candidate.stored, vec![row.row])
        });
        true
    }

    /// Handles rows that name one payment.
    fn payment(&mut self, place: u64, rows: Vec<StatementRow>) {
        let Some(group) = self.without_refunds(place, rows) else {
            return;
        };
        if group.rows.is_empty() {
            let fee = group.fee.map(|fee| written(-fee));
            let shown = group.into_shown(None, None);
            self.comparison.fees.push(Shown {
                amount: fee.unwrap_or_default(),
                ..shown
            });
            return;
        }
        let is_taken_back = group.shown == 0 && group.takes_back();
        if !is_taken_back && let Some(candidate) = self.ledger.payments.get_mut(&place) {
            candidate.take(None);
        }
        let Some(candidate) = self.ledger.payments.get(&place) else {
            return;
        };
        let total = candidate.total;
        // A row counts as what was kept of it, in whatever statement it comes again.
        let is_new = |row: &&StatementRow| !candidate.knows(&row.name);
        let known = candidate.shown_by(&|name| group.has(name));
        let shown_again = sum(group.rows.iter().filter(|row| !is_new(row)));
        // Earlier versions kept the sum of several rows under the first.
        let kept_of_others = (known - shown_again).max(0);
        let new = sum(group.rows.iter().filter(is_new));
        let new = match kept_of_others {
            0 => new,
            kept => (new - kept).max(0),
        };
        let is_known = |row: &StatementRow| {
            let shown = self.ledger.by_row.get(&row.name).map(String::as_str);
            candidate.is_shown_by(&row.name) || shown == Some(candidate.id())
        };
        let new_rows = || group.rows.iter().filter(|row| !is_known(row));
        // What rows that no statement had before take back.
        let newly_back: i128 = new_rows().map(|row| -row.amount.hundredths().min(0)).sum();
        let is_of_settled = candidate.mark.is_some() && newly_back > 0;
        if is_taken_back && !is_of_settled {
            // The payment counts as not shown, or it was settled after this.
            let detail = format!("payment {} is shown and taken back", candidate.id());
            let is_of_part = known != 0 && candidate.mark.is_none();
            if is_of_part {
                self.add_parts(place, &group, kept_of_others);
            }
            let shown = group.into_shown(None, detail);
            self.comparison.netted.push(shown);
            return;
        }
        let rows = group.numbers();
        let entry = || Known::new(&candidate.stored, rows.clone());
        let before = candidate.shown_by(&|name| !group.has(name));
        let is_settled = candidate.mark.is_some();
        let fee = self.ledger.fee(group.shown, group.fee, &candidate.lines);
        if let Some(mark) = &candidate.mark {
            // The mark of an earlier version stands for all rows of its statement, and a payment has no room for
            // any number of rows.
            let is_same =
                group.has(&mark.row) && (!candidate.is_in_parts() || !candidate.has_room(1));
            let mut new = new_rows();
            let is_other =
                |row: &StatementRow| row.has_permanent_name && row.amount.hundredths() > 0;
            if fee.is_some() && !is_same && new.any(is_other) {
                self.comparison.differing.push(Known {
                    shown: Some(written(group.shown)),
                    difference: Some(Difference::ShownBefore),
                    detail: Some(format!(
                        "statement {} has shown the payment as a whole, and here are other rows of it",
                        mark.settlement
                    )),
                    ..entry()
                });
                return;
            }
        }
        // Where other rows show a part, the whole is too much.
        if let Some(fee) = fee.filter(|_| is_settled || before <= 0) {
            let fee = (fee != 0).then(|| written(fee));
            let shown = fee.as_ref().map(|_| written(group.shown));
            self.comparison.matched.push(Known {
                fee,
                shown,
                ..entry()
            });
            self.settle(place, &group);
            return;
        }
        let (refunds, given_back) = candidate.refunds_for(&|name| group.has(name));
        let is_open = candidate
            .mark
            .as_ref()
            .is_none_or(|mark| group.has(&mark.row));
        if group.shown > 0 && given_back > 0 && is_open && candidate.has_room(refunds.len()) {
            // A bank may pay out only what remains after refunds.
            let due = group.shown + given_back;
            let fee = self.ledger.fee(due, group.fee, &candidate.lines);
            if let Some(fee) = fee.or((before + due == total).then_some(0)) {
                self.comparison.matched.push(Known {
                    fee: (fee != 0).then(|| written(fee)),
                    shown: Some(written(group.shown)),
                    detail: Some(format!("less {} that was given back", written(given_back))),
                    ..entry()
                });
                self.settle(place, &group);
                // All refunds are taken, so that no other row can be matched with them.
                self.take_refunds(place, &refunds, &group.name(), |_| true);
                return;
            }
        }
        let differs = |difference, detail: String| Known {
            shown: Some(written(group.shown)),
            difference: Some(difference),
            detail: Some(detail),
            ..entry()
        };
        let shown_in_all = before + known + new;
        if let Some(mark) = &candidate.mark {
            let settlement = mark.settlement;
            let back = candidate.taken_back_by(|name| !group.has(name));
            let is_alone = group.has(&mark.row) && before == 0;
            let detail = match group.shown {
                // Rows of an earlier version may show more than is known of them.
                shown if new_rows().next().is_some() || shown > total && back == 0 => None,
                ..=0 => Some("taken back; other rows show the payment as a whole".to_owned()),
                _ if is_alone => Some(format!("as in statement {settlement}, which settled it")),
                _ if back == 0 => Some("a part; other statements show the rest".to_owned()),
                shown if shown < total => Some(format!(
                    "a part; other rows take {} back, and show what was then missing",
                    written(back)
                )),
                _ => Some(format!("other rows take {} of it back", written(back))),
            };
            if let Some(detail) = detail {
                self.comparison.matched.push(Known {
                    shown: Some(written(group.shown)),
                    detail: Some(detail),
                    ..entry()
                });
                return;
            }
            let differing = if group.shown < 0 || newly_back > 0 {
                let detail = format!(
                    "the statement takes {} back, which statement {settlement} has shown",
                    written(newly_back.max(-group.shown))
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
            self.comparison.matched.push(Known {
                shown: Some(written(group.shown)),
                detail: Some(format!(
                    "the rest; statements before show {} of it",
                    written(before)
                )),
                ..entry()
            });
            self.settle(place, &group);
        } else if group.shown > 0 && shown_in_all < total {
            let detail = format!(
                "{} of {} is shown so far; {} is left",
                written(shown_in_all),
                written(total),
                written(total - shown_in_all)
            );
            let differing = match candidate.has_room(group.rows.iter().filter(is_new).count()) {
                true => differs(Difference::Part, detail),
                false => differs(Difference::TooManyParts, candidate.without_room()),
            };
            self.comparison.differing.push(differing);
            self.add_parts(place, &group, kept_of_others);
        } else if group.shown <= 0 && before > 0 && shown_in_all >= 0 {
            // A part is taken back, so that less of the payment is shown.
            let detail = format!(
                "the statement takes {} back; {} of {} is shown so far",
                written(-group.shown),
                written(shown_in_all),
                written(total)
            );
            let differing = match candidate.has_room(group.rows.iter().filter(is_new).count()) {
                true => differs(Difference::TakenBack, detail),
                false => differs(Difference::TooManyParts, candidate.without_room()),
            };
            self.comparison.differing.push(differing);
            self.add_parts(place, &group, kept_of_others);
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

    /// Records that these rows settle a payment, if it is not settled. One row has the mark. The others are
    /// kept as parts, so that each row is known in every statement.
    fn settle(&mut self, place: u64, group: &Group) {
        let Some(candidate) = self.ledger.payments.get_mut(&place) else {
            return;
        };
        if candidate.mark.is_some() {
            return;
        }
        let mut new = group.rows.iter();
        let first = new.find(|row| !candidate.knows(&row.name));
        let first = first.map_or_else(|| group.name(), |row| row.name.clone());
        for row in new {
            let hundredths = row.amount.hundredths();
            if hundredths > 0 && !candidate.knows(&row.name) && candidate.has_room(1) {
                self.new
                    .extend(candidate.add_part(&row.name, hundredths, None, None));
            }
        }
        self.new.push(whole(candidate, first));
    }

    /// Keeps the new rows of a group as parts of a payment: all of them, or none if there is no room. So much of
    /// them is kept already under another row.
    fn add_parts(&mut self, place: u64, group: &Group, kept_of_others: i128) {
        let Some(candidate) = self.ledger.payments.get_mut(&place) else {
            return;
        };
        let new = group.rows.iter().filter(|row| !candidate.knows(&row.name));
        let new: Vec<_> = new.collect();
        if !candidate.has_room(new.len()) {
            return;
        }
        let mut kept = kept_of_others;
        for row in new {
            let hundredths = row.amount.hundredths();
            let of_kept = hundredths.min(kept).max(0);
            kept -= of_kept;
            if hundredths != of_kept {
                self.new
                    .extend(candidate.add_part(&row.name, hundredths - of_kept, None, None));
            }
        }
    }

    /// Removes the rows about refunds from rows about a payment, and records what they show. Returns the
    /// remaining group; `None` if no row remains.
    fn without_refunds(&mut self, place: u64, rows: Vec<StatementRow>) -> Option<Group> {
        let candidate = self.ledger.payments.get(&place)?;
        let total = candidate.total;
        let group = Group::new(rows, total);
        // In the second case, the payment was reversed and shown again in the same statement.
        if candidate.refunds.is_empty() || total == group.shown {
            return Some(group);
        }
        let (named, others): (Vec<_>, Vec<_>) = group
            .rows
            .into_iter()
            .partition(|row| candidate.names_a_refund(row));
        let mut rest = self.rest(named, others, |_, _| Some(place));
        rest.extend(group.charges);
        rest.sort_by_key(|row| row.row);
        (!rest.is_empty()).then(|| Group::new(rest, total))
    }

    /// Records what the rows about refunds show, and returns the other rows in their order. The rows in
    /// `named`, which name the number of a refund, come first, so that no other row takes their refunds.
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

    /// Records that a row shows a refund of a payment. Returns false if it shows none.
    fn refund(&mut self, place: u64, row: &StatementRow) -> bool {
        let candidate = self.ledger.payments.get(&place);
        let Some(candidate) = candidate.filter(|_| row.amount.hundredths() < 0) else {
            return false;
        };
        let positions = candidate.refunds_shown_by(row);
        let known = candidate.given_back(&positions, vec![row.row]);
        let refunds = positions.iter().filter_map(|at| candidate.refunds.get(*at));
        let new = refunds.filter(|refund| refund.row.as_ref() != Some(&row.name));
        if !candidate.has_room(new.count()) {
            // A refund that is not kept as shown would be found again in other statements.
            let detail = candidate.without_room();
            self.comparison.differing.extend(known.map(|known| Known {
                difference: Some(Difference::TooManyParts),
                detail: Some(detail),
                ..known
            }));
            return true;
        }
        self.comparison.matched.extend(known);
        if let Some(candidate) = self.ledger.payments.get_mut(&place) {
            for position in &positions {
                candidate.give_way(*position, &row.name);
            }
        }
        let is_named = |reference: &str| row.names(reference);
        self.take_refunds(place, &positions, &row.name, is_named);
        !positions.is_empty()
    }

    /// Records that a row shows these refunds of a payment. `is_named` tells if the row names a refund's own
    /// number.
    fn take_refunds(
        &mut self,
        place: u64,
        positions: &[usize],
        row: &str,
        is_named: impl Fn(&str) -> bool,
    ) {
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
                let own = refund.reference.as_deref();
                refund.is_by_amount = own.is_some_and(|own| !is_named(own));
                let (amount, name) = (refund.amount, refund.name.clone());
                let name = Some((name, refund.is_by_amount));
                self.new
                    .extend(candidate.add_part(row, -amount, name, None));
            }
        }
    }

    /// Handles a row that names several payments.
    fn several(&mut self, places: &[u64], row: StatementRow) {
        if let Some((difference, detail)) = self.hindrance(places, &row) {
            let shown = Group::of_other(vec![row]).into_shown(Some(difference), detail);
            self.comparison.not_recorded.push(shown);
            return;
        }
        let refunds = places.iter().filter_map(|place| {
            let candidate = self.ledger.payments.get(place)?;
            let (positions, _) = candidate.refunds_for(&|name| name == row.name);
            (!positions.is_empty()).then_some((*place, positions))
        });
        let refunds: Vec<_> = refunds.collect();
        let lump = self.lump(places, &row, None, &[]);
        let lump = lump.or_else(|sum| match refunds.is_empty() {
            true => Err(sum),
            false => self.lump(places, &row, None, &refunds),
        });
        if let Err(sum) = lump {
            let group = Group::of_other(vec![row]);
            let detail = format!(
                "the payments that the row names are {} in all, {}",
                written(sum),
                difference(group.shown, sum)
            );
            let shown = group.into_shown(Some(Difference::OtherSum), detail);
            self.comparison.not_recorded.push(shown);
        }
    }

    /// The reason for which a row cannot be the sum of the payments that it names; `None` if it may be.
    fn hindrance(&self, places: &[u64], row: &StatementRow) -> Option<(Difference, String)> {
        let names = |wanted: &dyn Fn(&Candidate) -> bool| {
            let candidates = places.iter();
            let candidates = candidates.filter_map(|place| self.ledger.payments.get(place));
            let names = candidates
                .filter(|candidate| wanted(candidate))
                .map(Candidate::id);
            let names: Vec<_> = names.collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let foreign = names(&|candidate| !self.ledger.is_in_currency(row, candidate));
        if let Some(foreign) = foreign {
            let currency = self.ledger.currency_of(row);
            let detail = format!("the row is in {currency}, and in another currency are {foreign}");
            return Some((Difference::OtherCurrency, detail));
        }
        if let Some(taken) = names(&|candidate| candidate.is_taken) {
            let detail =
                format!("other rows of this statement show {taken}, which this row names too");
            return Some((Difference::OtherSum, detail));
        }
        let before = names(&|candidate| match &candidate.mark {
            Some(mark) => mark.row != row.name,
            None => candidate.shown_by(&|name| name != row.name) > 0,
        })?;
        let detail = format!("statements before show {before}, which this row names too");
        Some((Difference::ShownBefore, detail))
    }

    /// The fee that was withheld if a row is the sum of these payments, less the refunds. With an account, only
    /// their lines to it count. Otherwise their sum.
    fn fee_of_sum(
        &self,
        places: &[u64],
        row: &StatementRow,
        account: Option<&str>,
        refunds: &[(u64, Vec<usize>)],
    ) -> Result<i128, i128> {
        let amounts = |candidate: &Candidate| -> Vec<_> {
            let lines = candidate.lines.iter();
            let lines = lines.filter(|(of, _)| account.is_none() || of.as_deref() == account);
            lines.cloned().collect()
        };
        let candidates = || {
            places
                .iter()
                .filter_map(|place| self.ledger.payments.get(place))
        };
        let all: Vec<_> = candidates().flat_map(amounts).collect();
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
        let has_room = refunds.iter().all(|(place, positions)| {
            let candidate = self.ledger.payments.get(place);
            candidate.is_some_and(|found| {
                let refunds = positions.iter().filter_map(|at| found.refunds.get(*at));
                let new = refunds.filter(|refund| refund.row.as_ref() != Some(&row.name));
                found.has_room(new.count())
            })
        });
        if all.is_empty() && refunds.is_empty() || !has_room {
            return Err(sum);
        }
        Ok(fee)
    }

    /// Takes these payments if a row is their sum, less the refunds. With an account, only their lines to it
    /// count. Otherwise returns their sum.
    fn lump(
        &mut self,
        places: &[u64],
        row: &StatementRow,
        account: Option<&str>,
        refunds: &[(u64, Vec<usize>)],
    ) -> Result<(), i128> {
        let fee = self.fee_of_sum(places, row, account, refunds)?;
        let fee = (fee != 0).then(|| written(fee));
        for place in places {
            let Some(candidate) = self.ledger.payments.get_mut(place) else {
                continue;
            };
            candidate.take(account);
            let counts = candidate.to_account(account);
            let before = candidate.shown_by(&|name| name != row.name);
            let is_known = candidate.knows(&row.name);
            let mut known = Known::new(&candidate.stored, vec![row.row]);
            known.fee = fee.clone();
            known.detail = Some(format!("part of a sum of {}", row.amount));
            known.shown = (counts != candidate.total).then(|| written(counts));
            let is_settled = candidate.mark.is_some();
            let is_whole = !candidate.is_too_much(&row.name, account)
                && (counts == candidate.total || before + counts == candidate.total);
            if is_settled || is_whole {
                if !is_settled {
                    self.new.push(whole(candidate, row.name.clone()));
                }
                self.comparison.matched.push(known);
            } else if is_known || candidate.has_room(1) {
                if !is_known {
                    self.new
                        .extend(candidate.add_part(&row.name, counts, None, account));
                }
                known.difference = Some(Difference::Part);
                self.comparison.differing.push(known);
            } else {
                known.difference = Some(Difference::TooManyParts);
                known.detail = Some(candidate.without_room());
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
            self.take_refunds(*place, positions, &row.name, |_| true);
        }
        Ok(())
    }

    /// Handles rows with a PaymentID that is not recorded.
    fn unknown(&mut self, rows: Vec<StatementRow>) {
        let came = rows.iter().map(|row| row.amount.hundredths().max(0)).sum();
        let group = Group::new(rows, came);
        if group.shown == 0 && group.takes_back() {
            let shown = group.into_shown(None, "shown and taken back".to_owned());
            self.comparison.netted.push(shown);
            return;
        }
        let mut detail = "no payment of this PaymentID is recorded".to_owned();
        // The rows may show a refund with a reference number that the gateway did not report.
        let open = self.ledger.payments.values().filter(|candidate| {
            let mut rows = group.rows.iter();
            let is_foreign = rows.any(|row| !self.ledger.is_in_currency(row, candidate));
            let mut refunds = candidate.refunds.iter();
            let is_one = refunds.any(|refund| {
                let is_open = refund.row.is_none() && refund.reference.is_none();
                is_open && refund.amount == -group.shown
            });
            is_one && !is_foreign
        });
        let open: Vec<_> = open.map(Candidate::id).collect();
        if !open.is_empty() {
            let open = open.join(", ");
            detail = format!("{detail}; so much was given back of {open}, and no row shows it");
        }
        let shown = group.into_shown(Some(Difference::UnknownPayment), detail);
        self.comparison.not_recorded.push(shown);
    }

    fn finish(self) -> (Vec<store::Shown>, Comparison) {
        let Self {
            ledger,
            new,
            mut comparison,
        } = self;
        // Several sums of this statement may show the parts of a payment, and the last one settles it.
        let whole = new.iter().filter(|shown| shown.part.is_none());
        let whole: BTreeSet<_> = whole.map(|shown| shown.payment_id.as_str()).collect();
        let is_settled = |known: &mut Known| {
            known.difference == Some(Difference::Part) && whole.contains(known.payment_id.as_str())
        };
        let parts = comparison.differing.extract_if(.., is_settled);
        comparison.matched.extend(parts.map(|known| Known {
            difference: None,
            ..known
        }));
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
                let shown = candidate.shown_by(&|_| true);
                let total = candidate.total;
                let known = Known::new(&candidate.stored, Vec::new());
                if shown <= 0 {
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

/// The sum of rows, in hundredths.
fn sum<'a>(rows: impl Iterator<Item = &'a StatementRow>) -> i128 {
    rows.map(|row| row.amount.hundredths()).sum()
}

/// The detail of a row in another currency than the payment that it would show.
fn other_currency(currency: &str, candidate: &Candidate) -> String {
    format!(
        "the row is in {currency}, and the payment in {}",
        candidate.currency()
    )
}

/// The record that a payment is settled as a whole.
fn whole(candidate: &Candidate, row: String) -> store::Shown {
    store::Shown {
        payment_id: candidate.id().to_owned(),
        row,
        part: None,
        amount: None,
        refund: None,
        by_amount: false,
        account: None,
    }
}

/// The difference between two sums, in words.
fn difference(shown: i128, sum: i128) -> String {
    match shown - sum {
        less if less < 0 => format!("and {} less is shown", written(-less)),
        more => format!("and {} more is shown", written(more)),
    }
}
