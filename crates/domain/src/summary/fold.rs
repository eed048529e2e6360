//! Versions, payments, refunds and reviews put into the summary, in the order of their recording.

use jiff::Timestamp;

use super::{
    Judgement, OpenedReview, OrderSummary, Paid, RefundEffect, Shape, VoidEffect,
    pairs::{entry, find, get, get_mut},
};
use crate::{
    Confirmation, Currency, Money, Order, OrderStatus, PaymentId, Receipt, Review,
    time::ends_of_days,
};

impl OrderSummary {
    /// Adds a version of the order. If it asks for less than was paid before, the latest payment gets
    /// another review, unless the order was overpaid before.
    pub fn amend(&mut self, order: Order) -> Option<OpenedReview> {
        // In another currency it was another sum.
        let too_much = match self.order() {
            Some(before) if before.currency == order.currency => self.too_much(),
            _ => Money::ZERO,
        };
        let (currency, shape) = (order.currency, Shape::of(&order));
        let settled_at = self.settled_by(&order);
        let state = &mut self.0;
        state.settled_at = settled_at;
        if let Some(previous) = state.order.take() {
            state.earlier.push(Shape::of(&previous));
            let lines = previous.lines.iter();
            for line in lines.filter(|line| !shape.has_line(&line.line_id)) {
                let account = entry(&mut state.former_lines, &line.line_id, || None);
                account.clone_from(&line.destination_account);
            }
        }
        state.former_lines.retain(|(id, _)| !shape.has_line(id));
        let mut earlier: Vec<Shape> = Vec::new();
        for known in state.earlier.drain(..).rev() {
            if !shape.covers(&known) && !earlier.iter().any(|later| later.covers(&known)) {
                earlier.retain(|later| !known.covers(later));
                earlier.push(known);
            }
        }
        earlier.reverse();
        state.earlier = earlier;
        state.order = Some(order);
        state.version_count += 1;
        state.paid_before = state.payment_count;
        if self.too_much() <= too_much {
            return None;
        }
        self.open_over_paid(currency)
    }

    /// Adds a payment, and gives its reviews.
    pub fn pay(&mut self, confirmation: &Confirmation, receipt: &Receipt) -> Judgement {
        let at = self.judged_at(confirmation, receipt);
        let reviews = self.review(confirmation, receipt, at);
        let state = &mut self.0;
        for review in &reviews {
            *entry(&mut state.open_reviews, review, || 0) += 1;
        }
        state.payment_count += 1;
        let latest = confirmation.payment_id.clone();
        let paid = entry(&mut state.paid, &confirmation.currency, || Paid {
            amount: Money::ZERO,
            refunded: Money::ZERO,
            lines: Vec::new(),
            latest: latest.clone(),
            latest_reviews: Vec::new(),
            latest_judged_at: at,
        });
        paid.amount = paid.amount + confirmation.total;
        let lines = confirmation.lines.iter();
        for line in lines.filter(|line| !line.amount.is_zero()) {
            let sum = entry(&mut paid.lines, &line.line_id, || Money::ZERO);
            *sum = *sum + line.amount;
        }
        paid.latest = latest;
        paid.latest_reviews.clone_from(&reviews);
        paid.latest_judged_at = paid.latest_judged_at.max(at);
        let (sum, latest) = (paid.amount, paid.latest_judged_at);
        if let Some(order) = self.order()
            && order.currency == confirmation.currency
            && self.settled_at.is_none()
        {
            self.0.settled_at = order.settled_by((confirmation.total, at), (sum, latest));
        }
        Judgement { reviews, at }
    }

    /// The time at which the payments settled the order, if `next` is its version. A version that asks the same
    /// changes nothing; of another, the day of the latest payment decides.
    fn settled_by(&self, next: &Order) -> Option<Timestamp> {
        if next.amounts.is_empty() {
            return None;
        }
        if self.order().is_some_and(|order| order.asks_same(next)) {
            return self.settled_at;
        }
        let paid = get(&self.paid, &next.currency)?;
        let total = next.total_at(paid.latest_judged_at)?;
        (paid.amount >= total).then_some(paid.latest_judged_at)
    }

    /// The time whose amounts a confirmation is judged by: `PaidAt`, or an earlier day whose amounts
    /// MPay can have shown and which it pays to the last bani.
    fn judged_at(&self, confirmation: &Confirmation, receipt: &Receipt) -> Timestamp {
        let paid_at = match confirmation.is_plausible(receipt.at) {
            true => confirmation.paid_at,
            false => receipt.at,
        };
        let depends_on_day = self.order().is_some_and(|order| {
            !order.amounts.is_empty() && order.currency == confirmation.currency
        });
        let fits = |at: &Timestamp| self.unpaid(*at) == Some(confirmation.total);
        if !depends_on_day || self.settled_at.is_some() || fits(&paid_at) {
            return paid_at;
        }
        let validity = receipt.amount_validity.min(Receipt::VALIDITY_MAX);
        let shown = [paid_at, receipt.at].into_iter().flat_map(|last| {
            let first = last.checked_sub(validity).unwrap_or(last);
            [last].into_iter().chain(ends_of_days(first, last))
        });
        shown.into_iter().find(fits).unwrap_or(paid_at)
    }

    /// Takes away a payment, whose open reviews need nobody any more. If one of them said that too
    /// much was paid, and it still is, the latest payment that is left has that review.
    pub fn void(&mut self, effect: &VoidEffect) -> Option<OpenedReview> {
        const TOO_MUCH: [Review; 2] = [Review::OverPaid, Review::Double];
        for review in &effect.reviews {
            self.close(&effect.payment_id, *review);
        }
        let state = &mut self.0;
        state.payment_count = state.payment_count.saturating_sub(1);
        state.voided_count += 1;
        if effect.was_before {
            state.paid_before = state.paid_before.saturating_sub(1);
        }
        state.settled_at = effect.settled_at;
        let Some(latest) = &effect.latest else {
            state.paid.retain(|(known, _)| *known != effect.currency);
            return None;
        };
        let paid = get_mut(&mut state.paid, &effect.currency)?;
        paid.amount = paid.amount.saturating_sub(effect.total);
        for (id, amount) in &effect.lines {
            if let Some(sum) = get_mut(&mut paid.lines, id) {
                *sum = sum.saturating_sub(*amount);
            }
        }
        paid.lines.retain(|(_, amount)| !amount.is_zero());
        paid.latest = latest.payment_id.clone();
        paid.latest_reviews.clone_from(&latest.reviews);
        paid.latest_judged_at = latest.judged_at;
        let reviews = &latest.reviews;
        let said = |reviews: &[Review]| reviews.iter().any(|review| TOO_MUCH.contains(review));
        let is_counting = self
            .order()
            .is_some_and(|order| order.currency == effect.currency);
        if !said(&effect.reviews) || said(reviews) || !is_counting || self.too_much().is_zero() {
            return None;
        }
        self.open_over_paid(effect.currency)
    }

    /// Notes that money was given back. Nothing becomes due again by that.
    pub fn refund(&mut self, effect: &RefundEffect) {
        for review in &effect.reviews {
            self.close(&effect.payment_id, *review);
        }
        if let Some(paid) = get_mut(&mut self.0.paid, &effect.currency) {
            paid.refunded = paid.refunded + effect.amount;
        }
    }

    /// Counts a review that came to a payment later as open.
    pub fn open(&mut self, payment_id: &PaymentId, review: Review) {
        *entry(&mut self.0.open_reviews, &review, || 0) += 1;
        for (_, paid) in &mut self.0.paid {
            if paid.latest == *payment_id {
                paid.latest_reviews.push(review);
            }
        }
    }

    /// Opens the review of the latest payment in a currency.
    fn open_over_paid(&mut self, currency: Currency) -> Option<OpenedReview> {
        let paid = get_mut(&mut self.0.paid, &currency)?;
        if paid.latest_reviews.contains(&Review::OverPaid) {
            return None;
        }
        paid.latest_reviews.push(Review::OverPaid);
        *entry(&mut self.0.open_reviews, &Review::OverPaid, || 0) += 1;
        Some(OpenedReview {
            payment_id: paid.latest.clone(),
            review: Review::OverPaid,
        })
    }

    /// Counts an open review of a payment as closed. `false` if no payment has such a review; the caller
    /// knows if this payment has it.
    pub fn close(&mut self, payment_id: &PaymentId, review: Review) -> bool {
        let Ok(position) = find(&self.open_reviews, &review) else {
            return false;
        };
        let count = entry(&mut self.0.open_reviews, &review, || 0);
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.0.open_reviews.remove(position);
        }
        for (_, paid) in &mut self.0.paid {
            if paid.latest == *payment_id {
                paid.latest_reviews.retain(|open| *open != review);
            }
        }
        true
    }

    fn review(
        &self,
        confirmation: &Confirmation,
        receipt: &Receipt,
        judged_at: Timestamp,
    ) -> Vec<Review> {
        let received_at = receipt.at;
        let Some(order) = self.order() else {
            return Vec::new();
        };
        let is_plausible = confirmation.is_plausible(received_at);
        let paid_at = if is_plausible {
            confirmation.paid_at
        } else {
            received_at
        };
        let mut review = Vec::new();
        match self.status(paid_at) {
            OrderStatus::Active | OrderStatus::PartiallyPaid => {}
            OrderStatus::Paid => review.push(Review::Double),
            OrderStatus::Expired | OrderStatus::Set(_) => review.push(Review::Late),
        }
        if self.opens_at(paid_at).is_some() {
            review.push(Review::Early);
        }
        let counts = confirmation.currency == order.currency;
        if let Some(due) = self.unpaid(judged_at)
            && counts
            && !review.contains(&Review::Double)
        {
            if confirmation.total > due && !order.allow_advance_payments {
                review.push(if due.is_zero() {
                    Review::Double
                } else {
                    Review::OverPaid
                });
            }
            if confirmation.total < due && !order.allow_partial_payments {
                review.push(Review::UnderPaid);
            }
        }
        if counts {
            let total = confirmation.total;
            if order.max_payment.is_some_and(|most| total > most) {
                review.push(Review::OverPaid);
            }
            if order.min_payment.is_some_and(|least| total < least) {
                review.push(Review::UnderPaid);
            }
        }
        if confirmation.line_beyond(order).is_some() {
            review.push(Review::Amended);
        }
        if !counts {
            review.push(Review::OtherCurrency);
        }
        if !is_plausible {
            review.push(Review::ImplausibleDate);
        }
        if receipt
            .asked
            .is_some_and(|asked| asked != confirmation.total)
        {
            review.push(Review::Mismatch);
        }
        review
    }
}
