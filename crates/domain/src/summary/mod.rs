//! The sum of an order's versions and payments: enough for every result about the order, and no larger
//! for a thousand payments than for one.

mod fold;
mod pairs;
mod reading;
#[cfg(test)]
mod tests;

use std::ops::Deref;

use jiff::Timestamp;

use crate::{Confirmation, Currency, LineId, Money, Order, PaymentAccount, PaymentId, Review};
use pairs::is_map;

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
    /// For an order whose amounts depend on the day: the time at which the payments reached the asked
    /// amount. From then on the order asks that amount. `None` while something is due.
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
    /// The reviews, which a person should look at.
    pub reviews: Vec<Review>,
    /// The time whose amounts it was judged by.
    pub at: Timestamp,
}

/// The effect of the void of a payment on the sums.
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

/// The effect of a refund on the sums.
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
/// recording. It can be kept, and later entries folded onto it.
///
/// The caller makes sure that every version, payment and closing of a review is folded once.
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

    /// True if every confirmation that fits `other` fits this.
    fn covers(&self, other: &Self) -> bool {
        self.currency == other.currency && other.lines.iter().all(|id| self.has_line(id))
    }

    fn fits(&self, confirmation: &Confirmation) -> bool {
        let mut lines = confirmation.lines.iter();
        self.currency == confirmation.currency && lines.all(|line| self.has_line(&line.line_id))
    }
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
}
