//! The sum of an order's versions and payments: all that what follows from them needs, and no
//! larger for a thousand payments than for one.

use std::ops::Deref;

use jiff::Timestamp;

use super::{
    Confirmation, Currency, LineDue, LineId, Misfit, Money, Order, OrderStatus, PaymentAccount,
    PaymentId, Period, Receipt, Review, SetStatus, time::ends_of_days,
};

/// The members of an [`OrderSummary`]. Lists of pairs are maps, in the order of their keys: each kind
/// of `BTreeMap` would be ten kilobytes of the component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SummaryFields {
    /// The latest version; `None` for an order that does not exist.
    pub order: Option<Order>,
    /// The number of versions.
    pub version_count: u64,
    /// The lines that payments for earlier versions may name, where that is more than the latest version has.
    pub earlier: Vec<Shape>,
    /// The lines that the latest version does not have, each with its account in the latest of the
    /// versions that have it.
    pub former_lines: Vec<(LineId, Option<PaymentAccount>)>,
    /// The sums that were paid, by currency.
    pub paid: Vec<(Currency, Paid)>,
    /// The number of payments, without those that were voided.
    pub payment_count: u64,
    /// The number of payments that were voided.
    pub voided_count: u64,
    /// The number of them that came before the latest version.
    pub paid_before: u64,
    /// The number of payments that have an open review, by reason; none that is zero.
    pub open_reviews: Vec<(Review, u64)>,
    /// Of an order whose amounts depend on the day: when what was paid reached what was asked. What
    /// it asks stays what it asked then. `None` while something is due.
    pub settled_at: Option<Timestamp>,
}

/// The currency and lines that a payment for a version of an order may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Its currency.
    pub currency: Currency,
    /// Its lines, in order.
    pub lines: Vec<LineId>,
}

/// The sums that were paid in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The sum of the payments.
    pub amount: Money,
    /// The part of it that was given back.
    pub refunded: Money,
    /// The sum that was paid of each line, where that is not nothing.
    pub lines: Vec<(LineId, Money)>,
    /// The latest payment.
    pub latest: PaymentId,
    /// Its open reviews.
    pub latest_reviews: Vec<Review>,
    /// The latest of the times whose amounts the payments were judged by: confirmations do not always
    /// come in the order in which was paid.
    pub latest_judged_at: Timestamp,
}

/// The findings about a payment when it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The reviews: what a person should look at.
    pub reviews: Vec<Review>,
    /// The time whose amounts it was judged by.
    pub at: Timestamp,
}

/// The effect of the void of a payment: what it takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidEffect {
    /// The payment.
    pub payment_id: PaymentId,
    /// Its currency.
    pub currency: Currency,
    /// Its amount.
    pub total: Money,
    /// Its lines.
    pub lines: Vec<(LineId, Money)>,
    /// Its open reviews.
    pub reviews: Vec<Review>,
    /// True if it came before the order's latest version.
    pub was_before: bool,
    /// The latest of the other payments in its currency.
    pub latest: Option<LatestPayment>,
    /// The time at which the order is settled without it ([`SummaryFields::settled_at`]).
    pub settled_at: Option<Timestamp>,
}

/// The effect of a refund: what it takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundEffect {
    /// The payment.
    pub payment_id: PaymentId,
    /// Its currency.
    pub currency: Currency,
    /// The amount that is given back.
    pub amount: Money,
    /// The reviews that this ends: the open ones, if nothing remains.
    pub reviews: Vec<Review>,
}

/// The latest of the payments that stay after a void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestPayment {
    /// The payment.
    pub payment_id: PaymentId,
    /// Its open reviews.
    pub reviews: Vec<Review>,
    /// The latest of the times whose amounts these payments were judged by.
    pub judged_at: Timestamp,
}

/// A review of a payment that something later than the payment has opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedReview {
    /// The payment.
    pub payment_id: PaymentId,
    /// The reason.
    pub review: Review,
}

/// An order as it stands, without its payments: versions and payments, folded in the order of their
/// recording. It can be kept, and folding go on with what came since.
///
/// Whoever folds sees to it that every version, payment and closing of a review is there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderSummary(SummaryFields);

impl Deref for OrderSummary {
    type Target = SummaryFields;

    fn deref(&self) -> &SummaryFields {
        &self.0
    }
}

impl Shape {
    fn of(order: &Order) -> Self {
        let lines = order.lines.iter().map(|line| line.line_id.clone());
        let mut lines: Vec<_> = lines.collect();
        lines.sort_unstable();
        Self {
            currency: order.currency,
            lines,
        }
    }

    fn has_line(&self, id: &LineId) -> bool {
        self.lines.binary_search(id).is_ok()
    }

    /// True if what fits `other` fits this.
    fn covers(&self, other: &Self) -> bool {
        self.currency == other.currency && other.lines.iter().all(|id| self.has_line(id))
    }

    fn fits(&self, confirmation: &Confirmation) -> bool {
        let mut lines = confirmation.lines.iter();
        self.currency == confirmation.currency && lines.all(|line| self.has_line(&line.line_id))
    }
}

fn is_map<K: Ord, V>(pairs: &[(K, V)]) -> bool {
    pairs.is_sorted_by(|(a, _), (b, _)| a < b)
}

/// The place of a key in a list of pairs, or where it would be.
fn find<K: Ord, V>(pairs: &[(K, V)], key: &K) -> Result<usize, usize> {
    pairs.binary_search_by(|(known, _)| known.cmp(key))
}

fn get<'a, K: Ord, V>(pairs: &'a [(K, V)], key: &K) -> Option<&'a V> {
    let (_, value) = pairs.get(find(pairs, key).ok()?)?;
    Some(value)
}

fn get_mut<'a, K: Ord, V>(pairs: &'a mut [(K, V)], key: &K) -> Option<&'a mut V> {
    let position = find(pairs, key).ok()?;
    let (_, value) = pairs.get_mut(position)?;
    Some(value)
}

/// The value of a key, which is `absent` if there is none yet.
#[allow(
    clippy::indexing_slicing,
    reason = "the position was found, or has just been filled"
)]
fn entry<'a, K: Ord + Clone, V>(
    pairs: &'a mut Vec<(K, V)>,
    key: &K,
    absent: impl FnOnce() -> V,
) -> &'a mut V {
    let position = find(pairs, key).unwrap_or_else(|position| {
        pairs.insert(position, (key.clone(), absent()));
        position
    });
    &mut pairs[position].1
}

impl OrderSummary {
    /// A summary that was kept; `None` if a list of it is not in the order of its keys.
    pub fn new(fields: SummaryFields) -> Option<Self> {
        let lines = |shape: &Shape| shape.lines.is_sorted_by(|a, b| a < b);
        let in_order = is_map(&fields.former_lines)
            && is_map(&fields.paid)
            && fields.paid.iter().all(|(_, paid)| is_map(&paid.lines))
            && is_map(&fields.open_reviews)
            && fields.earlier.iter().all(lines);
        in_order.then_some(Self(fields))
    }

    /// Adds a version of the order. If it asks for less than was paid before, the latest payment has
    /// another review, unless what is too much was too much before.
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

    /// Adds a payment, and gives what a person should look at.
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

    /// Counts an open review of a payment as closed. `false` if no payment has such a one; whether
    /// this payment has, the caller knows.
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

    /// The latest version; `None` for an order that does not exist.
    pub fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// Checks that a confirmation can be a payment of this order, whatever state that is in. MPay
    /// may have shown an older version: one that fits is enough.
    ///
    /// # Errors
    /// What is wrong with its amounts, or how it differs from the latest version.
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

    /// The sum of the payments in the order's currency. What came in another pays nothing of it.
    pub fn amount_paid(&self) -> Money {
        self.counting().map_or(Money::ZERO, |paid| paid.amount)
    }

    /// The amount that the order asks at the time `now`, before any payment; `None` while it is unknown. What
    /// was settled asks what it asked then.
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

    /// The amount still due at the time `now`; `None` while the order's amount is unknown. An order that is
    /// refunded asks for nothing, whatever part of it was paid.
    pub fn amount_due(&self, now: Timestamp) -> Option<Money> {
        match self.is_refunded() {
            true => Some(Money::ZERO),
            false => self.unpaid(now),
        }
    }

    /// The amount that was never paid of it.
    fn unpaid(&self, now: Timestamp) -> Option<Money> {
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

    /// The periods of what the order asks from the day of `now` on, before any payment: nothing if that does not
    /// depend on the day, or no more.
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

    /// The status at the time `now`: the first that applies of Refunded, if all that was paid was given
    /// back, what the institution set, Paid, Expired, PartiallyPaid, Active (MPay contract, "Settled
    /// readings").
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
    /// A payment counts for the lines it names; what is more than such a line asks, or for a line
    /// that the latest version does not have, counts for the others in their order.
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
    fn too_much(&self) -> Money {
        match self.order() {
            Some(order) if order.allow_advance_payments => Money::ZERO,
            // Until it is settled, less is paid than was asked.
            Some(order) if !order.amounts.is_empty() => {
                self.paid_beyond(self.settled_at.and_then(|at| order.total_at(at)))
            }
            order => self.paid_beyond(order.and_then(Order::total)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ClosedReview, ConfirmationLine, Line, Localized, OrderFields, OrderKey, OrderState,
        ServiceId, Text,
    };

    fn money(amount: &str) -> Money {
        Money::parse(amount).unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// What a test says of an order beyond its lines.
    #[derive(Default)]
    struct Terms {
        euro: bool,
        partial: bool,
        advance: bool,
        due_date: Option<&'static str>,
        status: Option<SetStatus>,
    }

    fn order(lines: &[(&str, &str)], terms: Terms) -> Order {
        let reason = Localized {
            ro: Text::parse("r").unwrap(),
            ru: None,
            en: None,
        };
        let lines = lines.iter().map(|(id, amount)| Line {
            line_id: LineId::parse(id).unwrap(),
            reason: reason.clone(),
            amount_due: Some(money(amount)),
            destination_account: None,
            properties: vec![],
        });
        Order::new(OrderFields {
            service_id: ServiceId::parse("S").unwrap(),
            order_key: OrderKey::parse("1").unwrap(),
            currency: currency(terms.euro),
            lines: lines.collect(),
            reason: reason.clone(),
            issued_at: None,
            due_date: terms.due_date.map(time),
            payable_from: None,
            customer_type: None,
            customer_id: None,
            customer_name: None,
            allow_partial_payments: terms.partial,
            allow_advance_payments: terms.advance,
            amounts: vec![],
            properties: vec![],
            min_payment: None,
            max_payment: None,
            aliases: vec![],
            metadata: vec![],
            set_status: terms.status,
            refund_reference: (terms.status == Some(SetStatus::Refunded))
                .then(|| Text::parse("OP 1").unwrap()),
        })
        .unwrap()
    }

    fn currency(euro: bool) -> Currency {
        Currency::parse(if euro { "EUR" } else { "MDL" }).unwrap()
    }

    const RECEIVED: &str = "2026-06-01T12:00:00Z";

    /// Gives money of a payment back, so that so much of it remains.
    fn give_back(state: &mut OrderState, id: &str, remaining: &str) -> bool {
        let id = PaymentId::parse(id).unwrap();
        let payment = state.payment(&id).unwrap();
        let remaining = money(remaining);
        let effect = state.refund_effect(payment, remaining, time(RECEIVED));
        let refund = crate::Refund {
            at: time(RECEIVED),
            amount: effect.amount,
            remaining,
            note: None,
            by: None,
            rrn: None,
        };
        state.refund(&id, refund, &effect)
    }

    #[test]
    fn what_is_given_back_is_not_due_again_and_said_twice_is_said_once() {
        let mut state = OrderState::default();
        state.amend(order(&[("a", "100")], Terms::default()));
        state.pay(payment("P", &[("a", "100")]), &Receipt::at(time(RECEIVED)));
        assert!(give_back(&mut state, "P", "60"));
        assert!(!give_back(&mut state, "P", "60"), "the same once more");
        assert!(!give_back(&mut state, "P", "80"), "less than before");
        assert_eq!(state.amount_refunded(), money("40"));
        assert_eq!(state.amount_due(time(RECEIVED)), Some(Money::ZERO));
        assert_eq!(state.status(time(RECEIVED)), OrderStatus::Paid);
        assert!(give_back(&mut state, "P", "0"));
        assert_eq!(state.amount_due(time(RECEIVED)), Some(Money::ZERO));
        let refunded = OrderStatus::Set(SetStatus::Refunded);
        assert_eq!(state.status(time(RECEIVED)), refunded);
        assert_eq!(state.allowed(time(RECEIVED)), [SetStatus::Refunded]);
        // What comes then comes late, and is money that is here.
        state.pay(payment("Q", &[("a", "100")]), &Receipt::at(time(RECEIVED)));
        let late = state.payments().last().unwrap();
        assert_eq!(late.review, [Review::Late, Review::Double]);
        assert_eq!(state.status(time(RECEIVED)), OrderStatus::Paid);
    }

    /// Its status says that nobody can pay it, so no list of debts has it.
    #[test]
    fn of_what_is_refunded_nothing_is_due_though_a_part_was_never_paid() {
        let now = time(RECEIVED);
        let dues = |state: &OrderState| {
            let lines = state.lines_due(now).into_iter();
            let lines: Vec<_> = lines.map(|line| line.amount).collect();
            (state.amount_due(now), lines)
        };
        let mut state = OrderState::default();
        state.amend(order(&[("a", "100"), ("b", "20")], partial()));
        state.pay(payment("P", &[("a", "40")]), &Receipt::at(now));
        assert!(give_back(&mut state, "P", "10"));
        let left = [Some(money("60")), Some(money("20"))].to_vec();
        assert_eq!(dues(&state), (Some(money("80")), left));
        assert!(give_back(&mut state, "P", "0"));
        let refunded = OrderStatus::Set(SetStatus::Refunded);
        assert_eq!(state.status(now), refunded);
        let nothing = (Some(Money::ZERO), [Some(Money::ZERO); 2].to_vec());
        assert_eq!(dues(&state), nothing);
        // And where the institution says so.
        let mut state = OrderState::default();
        state.amend(order(&[("a", "100"), ("b", "20")], partial()));
        state.pay(payment("P", &[("a", "40")]), &Receipt::at(now));
        let terms = Terms {
            status: Some(SetStatus::Refunded),
            ..partial()
        };
        state.amend(order(&[("a", "100"), ("b", "20")], terms));
        assert_eq!(state.status(now), refunded);
        assert_eq!(dues(&state), nothing);
    }

    #[test]
    fn a_payment_that_is_wholly_given_back_has_no_open_review() {
        let mut state = OrderState::default();
        state.amend(order(&[("a", "100")], Terms::default()));
        state.pay(payment("P", &[("a", "100")]), &Receipt::at(time(RECEIVED)));
        let asked = Receipt {
            asked: Some(money("90")),
            ..Receipt::at(time(RECEIVED))
        };
        state.pay(payment("Q", &[("a", "100")]), &asked);
        let review = |state: &OrderState| state.payments()[1].review.clone();
        assert_eq!(review(&state), [Review::Double, Review::Mismatch]);
        assert_eq!(state.amount_overpaid(time(RECEIVED)), money("100"));
        assert!(give_back(&mut state, "Q", "30"));
        assert_eq!(review(&state).len(), 2);
        assert!(state.open(&PaymentId::parse("Q").unwrap(), Review::ChargedBack));
        assert!(!state.open(&PaymentId::parse("Q").unwrap(), Review::ChargedBack));
        assert_eq!(state.open_reviews_of(Review::ChargedBack), 1);
        assert!(give_back(&mut state, "Q", "0"));
        assert_eq!(review(&state), []);
        assert!(!state.has_open_review());
        assert_eq!(state.amount_overpaid(time(RECEIVED)), Money::ZERO);
        assert_eq!(state.status(time(RECEIVED)), OrderStatus::Paid);
    }

    /// Whose review says that too much is paid may not be who was paid too much.
    #[test]
    fn what_is_too_much_is_said_also_when_the_payment_that_says_it_is_given_back() {
        let mut state = OrderState::default();
        state.amend(order(&[("a", "100")], Terms::default()));
        state.pay(payment("P", &[("a", "99")]), &Receipt::at(time(RECEIVED)));
        state.pay(payment("Q", &[("a", "1")]), &Receipt::at(time(RECEIVED)));
        state.amend(order(&[("a", "50")], Terms::default()));
        let review = |state: &OrderState| state.payments()[1].review.clone();
        assert_eq!(review(&state), [Review::OverPaid]);
        assert!(give_back(&mut state, "Q", "0"));
        assert_eq!(review(&state), [Review::OverPaid]);
        assert_eq!(state.amount_overpaid(time(RECEIVED)), money("49"));
        assert!(give_back(&mut state, "P", "0"));
        assert_eq!(state.amount_overpaid(time(RECEIVED)), Money::ZERO);
    }

    fn payment(id: &str, lines: &[(&str, &str)]) -> Confirmation {
        let lines = lines.iter().map(|(line, amount)| ConfirmationLine {
            line_id: LineId::parse(line).unwrap(),
            amount: money(amount),
            properties: vec![],
        });
        let lines: Vec<_> = lines.collect();
        Confirmation {
            service_id: ServiceId::parse("S").unwrap(),
            order_key: OrderKey::parse("1").unwrap(),
            payment_id: PaymentId::parse(id).unwrap(),
            invoice_id: None,
            currency: Currency::MDL,
            total: lines.iter().map(|line| line.amount).sum(),
            paid_at: time(RECEIVED),
            lines,
            properties: vec![],
        }
    }

    fn pay(state: &mut OrderState, payment: Confirmation) -> &[Review] {
        assert_eq!(state.check_payment(&payment), Ok(()));
        state.pay(payment, &Receipt::at(time(RECEIVED)));
        &state.payments().last().unwrap().review
    }

    fn partial() -> Terms {
        Terms {
            partial: true,
            ..Terms::default()
        }
    }

    fn euro() -> Terms {
        Terms {
            euro: true,
            ..partial()
        }
    }

    #[test]
    fn another_currency_pays_nothing() {
        let mut state = OrderState::default();
        state.amend(order(&[("1", "100")], partial()));
        state.amend(order(&[("1", "100")], euro()));
        // MPay showed the version before.
        let reviews = pay(&mut state, payment("P", &[("1", "100")]));
        assert_eq!(reviews, [Review::OtherCurrency]);
        let now = time(RECEIVED);
        assert_eq!(state.status(now), OrderStatus::Active);
        assert_eq!(state.amount_paid(), Money::ZERO);
        assert_eq!(state.amount_due(now), Some(money("100")));
        assert_eq!(state.lines_due(now)[0].amount, Some(money("100")));
        // What came can be given back, whatever it was.
        assert_eq!(
            state.allowed(now),
            [SetStatus::Cancelled, SetStatus::Refunding]
        );

        let mut in_euro = payment("Q", &[("1", "100")]);
        in_euro.currency = currency(true);
        assert_eq!(pay(&mut state, in_euro), []);
        assert_eq!(state.status(now), OrderStatus::Paid);
        assert_eq!(state.amount_overpaid(time(RECEIVED)), Money::ZERO);
    }

    #[test]
    fn an_order_goes_back_to_the_currency_in_which_it_was_paid() {
        let mut state = OrderState::default();
        state.amend(order(&[("1", "100")], partial()));
        state.amend(order(&[("1", "100")], euro()));
        pay(&mut state, payment("P", &[("1", "40")]));
        let back = order(&[("1", "100")], partial());
        assert_eq!(state.check_change(&back, time(RECEIVED)), Ok(()));
        state.amend(back);
        assert_eq!(state.amount_paid(), money("40"));
        let change = state.check_change(&order(&[("1", "100")], euro()), time(RECEIVED));
        assert!(change.is_err());
    }

    #[test]
    fn a_total_below_what_is_paid_is_too_much_on_the_latest_payment() {
        let mut state = OrderState::default();
        state.amend(order(&[("1", "100")], partial()));
        pay(&mut state, payment("P", &[("1", "50")]));
        pay(&mut state, payment("Q", &[("1", "30")]));
        assert_eq!(state.amend(order(&[("1", "80")], partial())), None);
        let opened = state.amend(order(&[("1", "50")], partial())).unwrap();
        assert_eq!(opened.payment_id.as_str(), "Q");
        assert_eq!(state.status(time(RECEIVED)), OrderStatus::Paid);
        assert_eq!(state.amount_overpaid(time(RECEIVED)), money("30"));
        let reviews = |state: &OrderState| {
            let payments = state.payments().iter();
            payments
                .map(|payment| payment.review.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(reviews(&state), [vec![], vec![Review::OverPaid]]);
        assert_eq!(state.open_reviews_of(Review::OverPaid), 1);

        // Said once, until a person has looked at it and the total is lowered again.
        let completed = Terms {
            status: Some(SetStatus::Completed),
            ..partial()
        };
        assert_eq!(state.amend(order(&[("1", "50")], completed)), None);
        assert_eq!(state.amend(order(&[("1", "40")], partial())), None);
        let closed = ClosedReview {
            review: Review::OverPaid,
            note: Text::parse("Given back").unwrap(),
            closed_at: time(RECEIVED),
            by: "b".into(),
        };
        assert!(state.close(&opened.payment_id, closed));
        assert!(!state.has_open_review());
        assert_eq!(state.amend(order(&[("1", "40")], partial())), None);
        assert!(state.amend(order(&[("1", "20")], partial())).is_some());
        assert_eq!(reviews(&state), [vec![], vec![Review::OverPaid]]);
    }

    #[test]
    fn what_the_payer_chooses_may_have_limits() {
        let advance = Terms {
            advance: true,
            ..partial()
        };
        let mut fields = OrderFields::clone(&order(&[("1", "5")], advance));
        fields.min_payment = Some(money("10"));
        let known = Order::new(fields.clone()).unwrap_err();
        assert_eq!(known, [crate::OrderError::LimitOfKnownAmount]);
        fields.lines[0].amount_due = None;
        fields.max_payment = Some(money("9"));
        let crossed = Order::new(fields.clone()).unwrap_err();
        assert_eq!(crossed, [crate::OrderError::LimitsCross]);
        fields.max_payment = Some(money("50"));
        let mut state = OrderState::default();
        state.amend(Order::new(fields).unwrap());
        for (id, amount, reviews) in [
            ("A", "10", vec![]),
            ("B", "9.99", vec![Review::UnderPaid]),
            ("C", "50", vec![]),
            ("D", "50.01", vec![Review::OverPaid]),
        ] {
            assert_eq!(pay(&mut state, payment(id, &[("1", amount)])), reviews);
        }
    }

    #[test]
    fn what_may_be_paid_in_advance_is_too_much_only_without_that_leave() {
        let advance = || Terms {
            advance: true,
            ..partial()
        };
        let mut state = OrderState::default();
        state.amend(order(&[("1", "100")], advance()));
        assert_eq!(pay(&mut state, payment("P", &[("1", "120")])), []);
        assert_eq!(state.amount_overpaid(time(RECEIVED)), money("20"));
        assert_eq!(state.amend(order(&[("1", "90")], advance())), None);
        assert!(state.amend(order(&[("1", "90")], partial())).is_some());
    }

    #[test]
    fn a_date_that_cannot_be_is_flagged_and_lateness_judged_by_receipt() {
        let due = |date| Terms {
            due_date: Some(date),
            ..Terms::default()
        };
        for (due_date, paid_at, reviews) in [
            ("2026-07-01T00:00:00Z", "2026-06-01T11:00:00Z", &[][..]),
            (
                "2026-05-01T00:00:00Z",
                "2026-06-01T11:00:00Z",
                &[Review::Late],
            ),
            // Paid in time, confirmed late.
            ("2026-05-01T00:00:00Z", "2026-04-01T11:00:00Z", &[]),
            (
                "2026-07-01T00:00:00Z",
                "2026-08-01T11:00:00Z",
                &[Review::ImplausibleDate],
            ),
            (
                "2026-07-01T00:00:00Z",
                "0001-01-01T00:00:00Z",
                &[Review::ImplausibleDate],
            ),
            (
                "2026-05-01T00:00:00Z",
                "0001-01-01T00:00:00Z",
                &[Review::Late, Review::ImplausibleDate],
            ),
        ] {
            let mut state = OrderState::default();
            state.amend(order(&[("1", "100")], due(due_date)));
            let mut payment = payment("P", &[("1", "100")]);
            payment.paid_at = time(paid_at);
            assert_eq!(pay(&mut state, payment), reviews, "{due_date} {paid_at}");
        }
    }

    #[test]
    fn a_line_of_zero_pays_nothing_of_the_line() {
        let mut state = OrderState::default();
        state.amend(order(&[("1", "60"), ("2", "40")], partial()));
        assert_eq!(
            pay(&mut state, payment("P", &[("1", "0"), ("2", "40")])),
            []
        );
        let due = state.lines_due(time(RECEIVED));
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].position, due[0].amount), (0, Some(money("60"))));
        assert_eq!(
            state.check_payment(&payment("Q", &[("1", "0")])),
            Err(Misfit::NothingPaid)
        );
    }

    #[test]
    fn versions_that_others_cover_are_not_kept() {
        let mut state = OrderState::default();
        for (lines, earlier, former) in [
            (&["a"][..], 0, 0),
            (&["a", "b"], 0, 0),
            (&["a"], 1, 1),
            (&["b"], 1, 1),
            (&["c"], 1, 2),
            (&["b", "d"], 2, 2),
            (&["a", "b", "c", "d"], 0, 0),
            (&["a"], 1, 3),
        ] {
            let version: Vec<_> = lines.iter().map(|id| (*id, "10")).collect();
            state.amend(order(&version, partial()));
            let kept = (state.earlier.len(), state.former_lines.len());
            assert_eq!(kept, (earlier, former), "{lines:?}");
        }
        assert_eq!(state.version_count, 8);
    }
}
