//! The comparison of a statement's rows with the records.
//!
//! `ledger`: the records of the payments that a statement may show. `candidate`: one of these payments, and its
//! refunds. `orders`: rows that name no payment.

mod candidate;
mod ledger;
mod orders;

use std::collections::BTreeMap;

use tables::Amount;

use super::{
    Comparison, Difference, Known, Shown,
    fees::Rates,
    statement::{Statement, StatementRow},
};
use crate::{
    api::{Call, Problem},
    store::{self, Platform},
};
use candidate::{Candidate, written};
use ledger::Ledger;
pub(super) use ledger::{OfPeriod, recorded};

/// Rows of one statement with the same subject.
struct Group {
    rows: Vec<StatementRow>,
    /// The sum that they show, in hundredths, without rows that are fees.
    shown: i128,
    /// The fee in hundredths, if the statement gives one.
    fee: Option<i128>,
    /// The identity of the group, the same in every statement that contains its first row.
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
        // The group has the name of its first row, since another statement may repeat only some of the rows.
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

    /// The group, in the form of the answer.
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

/// Compares a statement with the records. Returns the newly settled payments and parts, and the comparison.
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
            // The row names an unknown PaymentID, so it must not be matched with another payment.
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
    /// Handles rows that name one payment.
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
            // The payment counts as not shown.
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
            // A bank may pay out only what remains after refunds.
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
                // All refunds are taken, so that no other row can be matched with them.
                self.take_refunds(place, &refunds, &group.name, |_| true);
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
            // The row shows the last part of the payment or an earlier one. Other statements have shown the
            // rest.
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

    /// Removes the rows about refunds from a group, and records what they show. Returns the remaining group;
    /// `None` if no row remains.
    fn without_refunds(&mut self, place: u64, group: Group) -> Option<Group> {
        let candidate = self.ledger.payments.get(&place);
        // The payment was reversed and shown again in the same statement.
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
        let Some(candidate) = candidate.filter(|_| row.amount.hundredths() < 0 && !row.is_fee)
        else {
            return false;
        };
        let positions = candidate.refunds_shown_by(row);
        let known = candidate.given_back(&positions, vec![row.row]);
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
                self.new.extend(candidate.add_part(row, -amount, name));
            }
        }
    }

    /// Handles a row that names several payments.
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

    /// Takes these payments if a row is their sum: the amounts that count of each, less the refunds. Otherwise
    /// returns their sum.
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
                // Several sums of this statement may contain a part of the payment.
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
            self.take_refunds(*place, positions, &row.name, |_| true);
        }
        Ok(())
    }

    /// Handles rows with a PaymentID that is not recorded.
    fn unknown(&mut self, rows: Vec<StatementRow>) {
        let group = Group::new(rows);
        let takes_back = group.rows.iter().any(|row| row.amount.hundredths() < 0);
        if group.shown == 0 && takes_back {
            let shown = group.into_shown(None, "shown and taken back".to_owned());
            self.comparison.netted.push(shown);
            return;
        }
        let mut detail = "no payment of this PaymentID is recorded".to_owned();
        // The rows may show a refund with a reference number that the gateway did not report.
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

/// The record that a payment is settled as a whole.
fn whole(candidate: &Candidate, row: String) -> store::Shown {
    store::Shown {
        payment_id: candidate.id().to_owned(),
        row,
        part: None,
        amount: None,
        refund: None,
        by_amount: false,
    }
}

/// The difference between two sums, in words.
fn difference(shown: i128, sum: i128) -> String {
    match shown - sum {
        less if less < 0 => format!("and {} less is shown", written(-less)),
        more => format!("and {} more is shown", written(more)),
    }
}
