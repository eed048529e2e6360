//! Rows that name no payment: those that name orders, fees, and sums of a day.

use std::collections::BTreeSet;

use super::{
    super::{Difference, Shown, netting, statement::StatementRow},
    Group, Work,
    candidate::{Candidate, Day, written},
    other_currency,
};
use crate::domain::time;

impl Work<'_> {
    /// Handles rows that name orders.
    pub(super) fn orders(&mut self, rows: Vec<StatementRow>) {
        // A refund reverses no other row, so rows about refunds are handled first.
        let (named, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| {
            let mut payments = self.ledger.payments.values();
            payments.any(|candidate| candidate.names_a_refund(row))
        });
        let rows = self.rest(named, others, Self::given_back_of_order);
        let entries: Vec<_> = rows
            .iter()
            .map(|row| (row.folded_key.clone(), row.amount.hundredths()))
            .collect();
        let mut rows: Vec<_> = rows.into_iter().map(Some).collect();
        let mut take = |position: usize| rows.get_mut(position).and_then(Option::take);
        for (first, second) in netting::pairs(&entries) {
            if let (Some(first), Some(second)) = (take(first), take(second)) {
                let shown = Group::of_other(vec![first, second])
                    .into_shown(None, "shown and taken back".to_owned());
                self.comparison.netted.push(shown);
            }
        }
        // Rows that were seen in an earlier statement come first, so that no other row takes their payments.
        let rows = rows.into_iter().flatten();
        let (again, others): (Vec<_>, Vec<_>) =
            rows.partition(|row| self.ledger.by_row.contains_key(&row.name));
        for row in again.into_iter().chain(others) {
            self.order(row);
        }
    }

    /// The payment whose refund a row shows, for a row that names an order.
    fn given_back_of_order(&self, row: &StatementRow) -> Option<u64> {
        if let Some(id) = self.ledger.by_row.get(&row.name) {
            return self.ledger.by_id.get(id).copied();
        }
        let of_order = || {
            let payments = self.ledger.payments.iter();
            payments.filter(|(_, candidate)| {
                self.ledger.is_of_order(row, candidate)
                    && self.ledger.is_in_currency(row, candidate)
                    && !candidate.refunds_shown_by(row).is_empty()
            })
        };
        let named = of_order().find(|(_, candidate)| candidate.names_a_refund(row));
        let others = || of_order().next().filter(|_| !row.may_be_fee());
        named.or_else(others).map(|(place, _)| *place)
    }

    /// Handles a row that names an order. It shows one payment of the order at most.
    fn order(&mut self, row: StatementRow) {
        let shown_before = self.ledger.by_row.get(&row.name);
        let fitting = self.ledger.payments.values();
        let fitting = fitting.filter(|candidate| self.fits(candidate, &row));
        let services: BTreeSet<_> = fitting
            .map(|candidate| candidate.stored.payment.service_id.as_str())
            .collect();
        if shown_before.is_none() && services.len() > 1 {
            let services: Vec<_> = services.into_iter().collect();
            let detail = format!("orders of several services fit: {}", services.join(", "));
            let group = Group::of_other(vec![row]);
            let shown = group.into_shown(Some(Difference::SeveralServices), detail);
            self.comparison.not_recorded.push(shown);
            return;
        }
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
            self.payment(place, vec![row]);
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
        let is_foreign = |candidate: &&Candidate| {
            !self.ledger.is_in_currency(&row, candidate)
                && self.ledger.is_of_order(&row, candidate)
                && self.amount_fits(candidate, &row, 0)
        };
        let foreign = self.ledger.payments.values().find(is_foreign);
        let (difference, detail) = match foreign {
            _ if amount < 0 => (
                Difference::ReversalOfNothing,
                "it takes back what the statement does not show".to_owned(),
            ),
            Some(foreign) if others.is_empty() => (
                Difference::OtherCurrency,
                other_currency(self.ledger.currency_of(&row), foreign),
            ),
            None if others.is_empty() => (
                Difference::UnknownOrder,
                "no payment of this order and amount is recorded".to_owned(),
            ),
            _ => (
                Difference::UnknownOrder,
                "other rows show all payments of this order and amount".to_owned(),
            ),
        };
        let shown = Group::of_other(vec![row]).into_shown(Some(difference), detail);
        self.comparison.not_recorded.push(Shown {
            shown_by_others: others,
            ..shown
        });
    }

    /// A payment that fits a row, and that no other row shows so far.
    fn free(&self, row: &StatementRow) -> Option<u64> {
        let free = |fits: &dyn Fn(&Candidate) -> bool| {
            let mut candidates = self.ledger.payments.iter();
            let free = candidates.find(|(_, candidate)| {
                let mark = candidate.mark.as_ref();
                let is_open = mark.is_none_or(|mark| mark.row == row.name);
                !candidate.is_taken && is_open && fits(candidate)
            });
            free.map(|(place, _)| *place)
        };
        // A whole payment is preferred to the rest of a refunded one.
        free(&|candidate| self.fits_with(candidate, row, 0))
            .or_else(|| free(&|candidate| self.fits(candidate, row)))
    }

    /// True if a row that names an order may be about a payment, or about what remains of it after refunds.
    fn fits(&self, candidate: &Candidate, row: &StatementRow) -> bool {
        let (_, given_back) = candidate.refunds_for(&|name| name == row.name);
        let remains = given_back > 0 && row.amount.hundredths() > 0;
        self.fits_with(candidate, row, 0) || remains && self.fits_with(candidate, row, given_back)
    }

    fn fits_with(&self, candidate: &Candidate, row: &StatementRow, given_back: i128) -> bool {
        self.ledger.is_of_order(row, candidate)
            && self.ledger.is_in_currency(row, candidate)
            && self.amount_fits(candidate, row, given_back)
    }

    fn amount_fits(&self, candidate: &Candidate, row: &StatementRow, given_back: i128) -> bool {
        let due = row.amount.hundredths() + given_back;
        self.ledger.fee(due, row.fee, &candidate.lines).is_some()
    }

    /// Handles a row that names neither a payment nor an order: a fee, or the sum of a day.
    pub(super) fn other(&mut self, row: StatementRow) {
        if row.may_be_fee() {
            let shown = Group::of_other(vec![row]).into_shown(None, None);
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
                        && candidate.is_free_for(account.as_deref())
                        && self.ledger.is_in_currency(&row, candidate)
                        && candidate.is_of(&day, by)
                        && (is_new || !only_new)
                        && candidate.to_account(account.as_deref()) > 0
                        && !candidate.is_too_much(&row.name, account.as_deref())
                });
                let places: Vec<_> = candidates.map(|(place, _)| *place).collect();
                let Err(sum) = self.lump(&places, &row, account.as_deref(), &[]) else {
                    return;
                };
                sums.push(sum);
                let refunds = self.refunds_of_day(&row, &day, account.as_deref(), only_new);
                if !refunds.is_empty() {
                    let Err(less) = self.lump(&places, &row, account.as_deref(), &refunds) else {
                        return;
                    };
                    given_back = sum - less;
                }
            }
        }
        let group = Group::of_other(vec![row]);
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

    /// The refunds of a day that a row may show: the place of each payment, and the positions of its refunds. With
    /// an account, only payments whose lines all went to it count, since the account of a refund is not known
    /// otherwise. Unless `only_new`, refunds that other statements showed are included.
    fn refunds_of_day(
        &self,
        row: &StatementRow,
        day: &str,
        account: Option<&str>,
        only_new: bool,
    ) -> Vec<(u64, Vec<usize>)> {
        let payments = self.ledger.payments.iter().filter(|(_, candidate)| {
            candidate.to_account(account) == candidate.total
                && self.ledger.is_in_currency(row, candidate)
        });
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
}
