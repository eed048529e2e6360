//! Rows that name no payment: those that name orders, fees, and sums of a day.

use std::collections::BTreeSet;

use super::{
    super::{Difference, Shown, netting, statement::StatementRow},
    Group, Work,
    candidate::{Candidate, Day, GivenBack, written},
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
        let mut rows = self.rest(named, Vec::new(), Self::given_back_of_order);
        let mut unclear = Vec::new();
        for row in others {
            match self.services_given_back(&row) {
                services if services.len() > 1 => unclear.push((row, services)),
                _ => rows.push(row),
            }
        }
        for (row, services) in unclear {
            self.several_services(row, &services);
        }
        let rows = self.rest(Vec::new(), rows, Self::given_back_of_order);
        let entries: Vec<_> = rows
            .iter()
            .map(|row| {
                let currency = self.ledger.currency_of(row).to_owned();
                ((row.folded_key.clone(), currency), row.amount.hundredths())
            })
            .collect();
        let mut rows: Vec<_> = rows.into_iter().map(Some).collect();
        let mut take = |position: usize| rows.get_mut(position).and_then(Option::take);
        for (first, second) in netting::pairs(&entries) {
            if let (Some(first), Some(second)) = (take(first), take(second)) {
                // What a statement has shown before is taken back of its payment.
                let by_row = |row: &StatementRow| self.ledger.by_row.get(&row.name);
                let id = by_row(&first).or_else(|| by_row(&second));
                if let Some(place) = id.and_then(|id| self.ledger.by_id.get(id).copied()) {
                    self.payment(place, vec![first, second]);
                    continue;
                }
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

    /// The services of whose refunds a row that names an order may show one, if nothing but the order and the
    /// amount tells which.
    fn services_given_back(&self, row: &StatementRow) -> BTreeSet<String> {
        let is_clear = self.ledger.by_row.contains_key(&row.name);
        if is_clear || row.amount.hundredths() >= 0 || row.may_be_fee() {
            return BTreeSet::new();
        }
        let payments = self.ledger.payments.values().filter(|candidate| {
            self.ledger.is_of_order(row, candidate)
                && self.ledger.is_in_currency(row, candidate)
                && !candidate.refunds_shown_by(row).is_empty()
        });
        let services = payments.map(|candidate| candidate.stored.payment.service_id.clone());
        services.collect()
    }

    /// Reports a row that names an order which several services have.
    fn several_services(&mut self, row: StatementRow, services: &BTreeSet<String>) {
        let services: Vec<_> = services.iter().map(String::as_str).collect();
        let detail = format!("orders of several services fit: {}", services.join(", "));
        let group = Group::of_other(vec![row]);
        let shown = group.into_shown(Some(Difference::SeveralServices), detail);
        self.comparison.not_recorded.push(shown);
    }

    /// Handles a row that names an order. It shows one payment of the order at most.
    fn order(&mut self, row: StatementRow) {
        let shown_before = self.ledger.by_row.get(&row.name);
        let fitting = self.ledger.payments.values();
        let fitting = fitting.filter(|candidate| self.fits(candidate, &row));
        let services: BTreeSet<_> = fitting
            .map(|candidate| candidate.stored.payment.service_id.clone())
            .collect();
        if shown_before.is_none() && services.len() > 1 {
            self.several_services(row, &services);
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
            for by in [Day::Paid, Day::Recorded] {
                let places = self.payments_of_day(&row, &day, by, true);
                let Err(sum) = self.lump(&places, &row, account.as_deref(), &[]) else {
                    return;
                };
                sums.push(sum);
                let refunds = self.refunds_of_day(&row, &day, account.as_deref(), true);
                if !refunds.is_empty() {
                    let Err(less) = self.lump(&places, &row, account.as_deref(), &refunds) else {
                        return;
                    };
                    given_back = sum - less;
                }
            }
            if self.is_sum_of_shown(&row, &day) {
                let detail =
                    "payments of this day are so much in all, and other rows have shown some of it";
                let group = Group::of_other(vec![row]);
                let shown = group.into_shown(Some(Difference::ShownBefore), detail.to_owned());
                self.comparison.not_recorded.push(shown);
                return;
            }
        }
        let group = Group::of_other(vec![row]);
        let (difference, mut detail) = match sums.as_slice() {
            [paid, recorded] => (
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

    /// True if a statement before has shown a payment or a refund by this row.
    pub(super) fn has_seen(&self, row: &StatementRow) -> bool {
        let is_of = |refund: &GivenBack| refund.row.as_ref() == Some(&row.name);
        self.ledger.by_row.contains_key(&row.name)
            || self.ledger.payments.values().any(|candidate| {
                candidate.is_shown_by(&row.name) || candidate.refunds.iter().any(is_of)
            })
    }

    /// Handles a sum that an earlier statement had too. It shows what it showed there, and nothing else, whatever
    /// was recorded since.
    pub(super) fn sum_again(&mut self, row: StatementRow) {
        let account = row.account.clone();
        let (mut places, mut refunds) = (Vec::new(), Vec::new());
        let (mut taken, mut foreign) = (Vec::new(), None);
        for (place, candidate) in &self.ledger.payments {
            let all = candidate.refunds.iter().enumerate();
            let of_row = all.filter(|(_, refund)| refund.row.as_ref() == Some(&row.name));
            let (positions, given_back): (Vec<_>, Vec<_>) = of_row.unzip();
            let by_row = self.ledger.by_row.get(&row.name).map(String::as_str);
            let is_shown = candidate.is_shown_by(&row.name)
                || positions.is_empty() && by_row == Some(candidate.id());
            if !is_shown && positions.is_empty() {
                continue;
            }
            let is_taken = is_shown && !candidate.is_free_for(account.as_deref());
            if is_taken || given_back.iter().any(|refund: &&GivenBack| refund.is_taken) {
                taken.push(candidate.id());
            }
            if !self.ledger.is_in_currency(&row, candidate) {
                foreign = Some(other_currency(self.ledger.currency_of(&row), candidate));
            }
            if is_shown {
                places.push(*place);
            }
            if !positions.is_empty() {
                refunds.push((*place, positions));
            }
        }
        let (difference, detail) = if let Some(foreign) = foreign {
            (Difference::OtherCurrency, foreign)
        } else if !taken.is_empty() {
            let taken = taken.join(", ");
            let detail =
                format!("other rows of this statement show {taken}, which this row showed");
            (Difference::OtherSum, detail)
        } else {
            let Err(sum) = self.lump(&places, &row, account.as_deref(), &refunds) else {
                return;
            };
            let detail = format!(
                "it showed payments before that are {} in all, and it shows no other",
                written(sum)
            );
            (Difference::OtherSum, detail)
        };
        let shown = Group::of_other(vec![row]).into_shown(Some(difference), detail);
        self.comparison.not_recorded.push(shown);
    }

    /// The payments of a day that a sum may show. Unless `only_new`, those that other statements showed are
    /// included.
    fn payments_of_day(&self, row: &StatementRow, day: &str, by: Day, only_new: bool) -> Vec<u64> {
        let account = row.account.as_deref();
        let candidates = self.ledger.payments.iter().filter(|(_, candidate)| {
            let is_new = candidate.mark.is_none() && !candidate.is_too_much(&row.name, account);
            candidate.is_of_period
                && candidate.is_free_for(account)
                && self.ledger.is_in_currency(row, candidate)
                && candidate.is_of(day, by)
                && (is_new || !only_new)
                && candidate.to_account(account) > 0
        });
        candidates.map(|(place, _)| *place).collect()
    }

    /// True if a row is the sum of payments of a day, or of its refunds, some of which other rows have shown.
    fn is_sum_of_shown(&self, row: &StatementRow, day: &str) -> bool {
        let account = row.account.as_deref();
        let refunds = self.refunds_of_day(row, day, account, false);
        let is_sum = |places: &[u64], refunds: &[(u64, Vec<usize>)]| {
            self.fee_of_sum(places, row, account, refunds).is_ok()
        };
        let by_day = [Day::Paid, Day::Recorded];
        let mut all = by_day
            .map(|by| self.payments_of_day(row, day, by, false))
            .into_iter();
        is_sum(&[], &refunds) || all.any(|places| is_sum(&places, &[]) || is_sum(&places, &refunds))
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
