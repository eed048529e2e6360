//! Rows that name no payment: those that name orders, fees, and sums of a day.

use super::{
    super::{Difference, Shown, netting, statement::StatementRow},
    Group, Work,
    candidate::{Candidate, Day, written},
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
                row.order_key.as_ref() == Some(&candidate.stored.payment.order_key)
                    && !candidate.refunds_shown_by(row).is_empty()
            })
        };
        let named = of_order().find(|(_, candidate)| candidate.names_a_refund(row));
        named.or_else(|| of_order().next()).map(|(place, _)| *place)
    }

    /// Handles a row that names an order. It shows one payment of the order at most.
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

    /// A payment that fits a row, and that no row shows so far.
    fn free(&self, row: &StatementRow) -> Option<u64> {
        let free = |fits: &dyn Fn(&Candidate) -> bool| {
            let mut candidates = self.ledger.payments.iter();
            let free = candidates.find(|(_, candidate)| {
                !candidate.is_taken && candidate.mark.is_none() && fits(candidate)
            });
            free.map(|(place, _)| *place)
        };
        // A whole payment is preferred to the rest of a refunded one.
        free(&|candidate| self.fits_with(candidate, row, 0))
            .or_else(|| free(&|candidate| self.fits(candidate, row)))
    }

    /// True if a row that names an order may be about a payment, or about what remains of it after refunds.
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

    /// Handles a row that names neither a payment nor an order: a fee, or the sum of a day.
    pub(super) fn other(&mut self, row: StatementRow) {
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
}
