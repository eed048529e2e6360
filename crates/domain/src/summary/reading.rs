//! The consequences of the summary: amounts, status, and the lines that are due.

use jiff::Timestamp;

use super::{
    OrderSummary, Paid,
    pairs::{find, get},
};
use crate::{
    Confirmation, Currency, LineDue, LineId, Misfit, Money, Order, OrderStatus, PaymentAccount,
    Period, Review, SetStatus,
};

impl OrderSummary {
    /// The latest version; `None` for an order that does not exist.
    pub fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// Checks that a confirmation can be a payment of this order, in any of the order's states. MPay may
    /// have shown an older version, so it is enough if one version fits.
    ///
    /// # Errors
    /// [`Misfit`]: the mistake in its amounts, or the difference from the latest version.
    pub fn check_payment(&self, confirmation: &Confirmation) -> Result<(), Misfit> {
        confirmation.check_amounts()?;
        let Some(order) = self.order() else {
            return Ok(());
        };
        let checked = confirmation.check_against(order);
        if self.earlier.iter().any(|shape| shape.fits(confirmation)) {
            return Ok(());
        }
        checked
    }

    /// The account of a line, in the latest version that has the line; `None` where that names
    /// none.
    pub fn account(&self, line_id: &LineId) -> Option<&PaymentAccount> {
        let mut lines = self.order().into_iter().flat_map(|order| &order.lines);
        match lines.find(|line| line.line_id == *line_id) {
            Some(line) => line.destination_account.as_ref(),
            None => get(&self.former_lines, line_id)?.as_ref(),
        }
    }

    /// True if a payment came after the latest version.
    pub fn paid_since_amended(&self) -> bool {
        self.payment_count > self.paid_before
    }

    /// The number of payments that have an open review of this reason.
    pub fn open_reviews_of(&self, review: Review) -> u64 {
        get(&self.open_reviews, &review).copied().unwrap_or(0)
    }

    /// True if a payment has a review that is open.
    pub fn has_open_review(&self) -> bool {
        !self.open_reviews.is_empty()
    }

    /// The sum of the payments in the order's currency. Payments in another currency pay nothing of it.
    pub fn amount_paid(&self) -> Money {
        self.counting().map_or(Money::ZERO, |paid| paid.amount)
    }

    /// The amount that the order asks at the time `now`, before any payment; `None` while it is unknown.
    /// A settled order asks the amount of that time.
    pub fn total(&self, now: Timestamp) -> Option<Money> {
        self.order()?.total_at(self.settled_at.unwrap_or(now))
    }

    /// The part of that which was given back.
    pub fn amount_refunded(&self) -> Money {
        self.counting().map_or(Money::ZERO, |paid| paid.refunded)
    }

    /// True if something was paid, and all of it was given back.
    pub fn is_given_back(&self) -> bool {
        let all_back = |(_, paid): &(Currency, Paid)| paid.refunded >= paid.amount;
        !self.amount_refunded().is_zero() && self.paid.iter().all(all_back)
    }

    /// The amount still due at the time `now`; `None` while the order's amount is unknown. A refunded
    /// order asks for nothing, even if it was paid in part.
    pub fn amount_due(&self, now: Timestamp) -> Option<Money> {
        match self.is_refunded() {
            true => Some(Money::ZERO),
            false => self.unpaid(now),
        }
    }

    /// The amount that was never paid of it.
    pub(super) fn unpaid(&self, now: Timestamp) -> Option<Money> {
        Some(self.total(now)?.saturating_sub(self.amount_paid()))
    }

    /// True if its status is Refunded.
    fn is_refunded(&self) -> bool {
        let set = self.order().and_then(|order| order.set_status);
        self.is_given_back() || set == Some(SetStatus::Refunded)
    }

    /// The amount paid beyond the total, by mistake or in advance.
    pub fn amount_overpaid(&self, now: Timestamp) -> Money {
        self.paid_beyond(self.total(now))
    }

    fn paid_beyond(&self, total: Option<Money>) -> Money {
        let kept = self.amount_paid().saturating_sub(self.amount_refunded());
        total.map_or(Money::ZERO, |total| kept.saturating_sub(total))
    }

    /// The periods of the amount that the order asks from the day of `now` on, before any payment; empty
    /// if the amount does not depend on the day, or no longer.
    pub fn periods(&self, now: Timestamp) -> Vec<Period> {
        match self.order() {
            Some(order) if self.settled_at.is_none() && !self.is_refunded() => order.periods(now),
            _ => Vec::new(),
        }
    }

    /// The time from which the order can be paid, if that is after `now`.
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.order()?.payable_from.filter(|from| now < *from)
    }

    /// The status at the time `now`, the first of these that applies: Refunded, if all money was given
    /// back; the status that the institution set; Paid; Expired; PartiallyPaid; Active (MPay contract,
    /// "Settled readings").
    pub fn status(&self, now: Timestamp) -> OrderStatus {
        let Some(order) = self.order() else {
            return OrderStatus::Active;
        };
        match order.set_status {
            _ if self.is_given_back() => OrderStatus::Set(SetStatus::Refunded),
            Some(status) => OrderStatus::Set(status),
            None if self.unpaid(now).is_some_and(Money::is_zero) => OrderStatus::Paid,
            None if order.due_date.is_some_and(|due| now > due) => OrderStatus::Expired,
            None if !self.amount_paid().is_zero() => OrderStatus::PartiallyPaid,
            None => OrderStatus::Active,
        }
    }

    /// The lines to show at the time `now`: those with something due, or all of them where nothing is
    /// due any more.
    ///
    /// A payment counts for the lines that it names. An excess over such a line's amount, or an amount
    /// for a line that the latest version does not have, counts for the other lines in their order.
    pub fn lines_due(&self, now: Timestamp) -> Vec<LineDue> {
        let Some(order) = self.order() else {
            return Vec::new();
        };
        let mut paid: Vec<_> = match self.counting() {
            Some(paid) => paid.lines.iter().map(|(id, sum)| (id, *sum)).collect(),
            None => Vec::new(),
        };
        let mut due: Vec<Option<Money>> = Vec::with_capacity(order.lines.len());
        if self.is_refunded() {
            let nothing = |position| LineDue {
                position,
                amount: Some(Money::ZERO),
            };
            return (0..order.lines.len()).map(nothing).collect();
        }
        let time = self.settled_at.unwrap_or(now);
        for (position, line) in order.lines.iter().enumerate() {
            due.push(order.asked_at(position, time).map(|asked| {
                let position = find(&paid, &&line.line_id).ok();
                let Some((_, given)) = position.and_then(|position| paid.get_mut(position)) else {
                    return asked;
                };
                let left = asked.saturating_sub(*given);
                *given = given.saturating_sub(asked);
                left
            }));
        }
        let mut surplus: Money = paid.into_iter().map(|(_, rest)| rest).sum();
        for amount in due.iter_mut().flatten() {
            let rest = surplus.saturating_sub(*amount);
            *amount = amount.saturating_sub(surplus);
            surplus = rest;
        }
        let settled = due.iter().all(|amount| amount.is_some_and(Money::is_zero));
        due.into_iter()
            .enumerate()
            .filter(|(_, amount)| settled || !amount.is_some_and(Money::is_zero))
            .map(|(position, amount)| LineDue { position, amount })
            .collect()
    }

    /// The sums paid in the order's currency.
    fn counting(&self) -> Option<&Paid> {
        get(&self.paid, &self.order()?.currency)
    }

    /// The amount paid beyond the total without leave to pay in advance.
    pub(super) fn too_much(&self) -> Money {
        match self.order() {
            Some(order) if order.allow_advance_payments => Money::ZERO,
            // Until it is settled, less is paid than was asked.
            Some(order) if !order.amounts.is_empty() => {
                self.paid_beyond(self.settled_at.and_then(|at| order.total_at(at)))
            }
            order => self.paid_beyond(order.and_then(Order::total)),
        }
    }
}
