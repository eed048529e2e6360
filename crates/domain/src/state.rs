//! An order's state, as it follows from its versions and payments: computed when read, never stored.

use std::{collections::HashSet, ops::Deref};

use jiff::Timestamp;

use super::{
    Confirmation, Judgement, LatestPayment, Money, OpenedReview, Order, OrderSummary, PaymentId,
    Receipt, RefundEffect, SetStatus, Text, VoidEffect,
};

/// `OrderStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// Can be paid.
    Active,
    /// Paid in part, can be paid.
    PartiallyPaid,
    /// Paid.
    Paid,
    /// Past its due date.
    Expired,
    /// Set by the institution.
    Set(SetStatus),
}

impl OrderStatus {
    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        let derived = [Self::Active, Self::PartiallyPaid, Self::Paid, Self::Expired];
        derived.into_iter().chain(SetStatus::ALL.map(Self::Set))
    }

    /// The contract's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::PartiallyPaid => "PartiallyPaid",
            Self::Paid => "Paid",
            Self::Expired => "Expired",
            Self::Set(status) => status.as_str(),
        }
    }

    /// Reads the contract's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::all().find(|status| status.as_str() == text)
    }
}

/// The reason why a person should look at a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Review {
    /// Paid when the order was expired, cancelled, completed or refunded.
    Late,
    /// Paid before the order could be paid.
    Early,
    /// Nothing was due any more.
    Double,
    /// More than was due, without leave to pay in advance; or more than the order asks since it was
    /// amended.
    OverPaid,
    /// Less than was due, without leave to pay in part.
    UnderPaid,
    /// It pays lines of an older version of the order.
    Amended,
    /// It came in another currency than the order has now, so that it pays nothing of it.
    OtherCurrency,
    /// It cannot have been paid when MPay says: before 2013, or more than a day after it came in.
    ImplausibleDate,
    /// It differs from the request: another amount came, or a state of it that cannot follow the one seen
    /// before.
    Mismatch,
    /// The payer's bank has taken the money back.
    ChargedBack,
    /// Its order has lost it, so that nothing else can be said of it. It is entered there again by a
    /// repair of the store, and by nothing that a person says.
    Orphaned,
}

impl Review {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Late,
        Self::Early,
        Self::Double,
        Self::OverPaid,
        Self::UnderPaid,
        Self::Amended,
        Self::OtherCurrency,
        Self::ImplausibleDate,
        Self::Mismatch,
        Self::ChargedBack,
        Self::Orphaned,
    ];

    /// The name that users meet.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Early => "early",
            Self::Double => "double",
            Self::OverPaid => "over-paid",
            Self::UnderPaid => "under-paid",
            Self::Amended => "amended",
            Self::OtherCurrency => "other-currency",
            Self::ImplausibleDate => "implausible-date",
            Self::Mismatch => "mismatch",
            Self::ChargedBack => "charged-back",
            Self::Orphaned => "orphaned",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|review| review.as_str() == text)
    }
}

/// A reason that a person has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedReview {
    /// The reason.
    pub review: Review,
    /// The person's finding.
    pub note: Text<500>,
    /// The time at which it was closed.
    pub closed_at: Timestamp,
    /// The principal who closed it.
    pub by: String,
}

/// That a payment which was entered by hand counts no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voided {
    /// The time.
    pub at: Timestamp,
    /// The reason.
    pub note: Text<500>,
    /// The principal who proposed it.
    pub proposed_by: String,
    /// The other principal, who approved it.
    pub approved_by: String,
}

/// That money of a payment was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The time at which it was known here.
    pub at: Timestamp,
    /// The amount that was given back.
    pub amount: Money,
    /// The amount that remains of the payment.
    pub remaining: Money,
    /// The reason; `None` where somebody gave it back elsewhere.
    pub note: Option<Text<500>>,
    /// The principal; `None` likewise.
    pub by: Option<String>,
    /// The banks' reference number of the refund, if it has one of its own.
    pub rrn: Option<String>,
}

/// A payment with its reviews, refunds and void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPayment {
    /// The confirmation.
    pub confirmation: Confirmation,
    /// The open reviews.
    pub review: Vec<Review>,
    /// The closed reviews.
    pub closed: Vec<ClosedReview>,
    /// Once it counts no more.
    pub voided: Option<Voided>,
    /// The part of it that was given back.
    pub refunds: Vec<Refund>,
    /// The time whose amounts it was judged by.
    pub judged_at: Timestamp,
}

/// A line that is still to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineDue {
    /// Position of the line in its order, from 0.
    pub position: usize,
    /// The amount due; `None` where it is unknown.
    pub amount: Option<Money>,
}

/// An order as it stands: its versions and payments, folded in the order of their recording.
///
/// Every result follows from their [`OrderSummary`] alone. If folding began with a kept summary, only the
/// versions and payments since then are here.
#[derive(Debug, Clone, Default)]
pub struct OrderState {
    summary: OrderSummary,
    versions: Vec<Order>,
    payments: Vec<RecordedPayment>,
    /// Of `payments`, kept while folding: an order may have thousands.
    payment_ids: HashSet<PaymentId>,
}

/// The part of a void's effect that the payment alone tells.
fn effect_alone(payment: &RecordedPayment) -> VoidEffect {
    let confirmation = &payment.confirmation;
    let lines = confirmation.lines.iter();
    VoidEffect {
        payment_id: confirmation.payment_id.clone(),
        currency: confirmation.currency,
        total: confirmation.total,
        lines: lines
            .map(|line| (line.line_id.clone(), line.amount))
            .collect(),
        reviews: payment.review.clone(),
        was_before: false,
        latest: None,
        settled_at: None,
    }
}

impl Deref for OrderState {
    type Target = OrderSummary;

    fn deref(&self) -> &OrderSummary {
        &self.summary
    }
}

/// Goes on from a kept summary.
impl From<OrderSummary> for OrderState {
    fn from(summary: OrderSummary) -> Self {
        Self {
            summary,
            ..Self::default()
        }
    }
}

impl RecordedPayment {
    /// A payment that its order has lost: its own record is all there is.
    pub fn orphaned(confirmation: Confirmation) -> Self {
        Self {
            judged_at: confirmation.paid_at,
            confirmation,
            review: vec![Review::Orphaned],
            closed: Vec::new(),
            voided: None,
            refunds: Vec::new(),
        }
    }

    /// The amount that remains after its refunds.
    pub fn remaining(&self) -> Money {
        let last = self.refunds.last();
        last.map_or(self.confirmation.total, |refund| refund.remaining)
    }
}

impl OrderState {
    /// Adds a version of the order. Gives the review that it opens, also of a payment that is not
    /// here ([`OrderSummary::amend`]).
    pub fn amend(&mut self, order: Order) -> Option<OpenedReview> {
        self.versions.push(order.clone());
        let opened = self.summary.amend(order);
        if let Some(opened) = &opened
            && let Some(payment) = self.payment_mut(&opened.payment_id)
        {
            payment.review.push(opened.review);
        }
        opened
    }

    /// Adds a payment, and opens its reviews. A payment that is listed already is not added again, and
    /// gives `false`. The caller knows the payments before a kept summary.
    pub fn pay(&mut self, confirmation: Confirmation, receipt: &Receipt) -> bool {
        if !self.payment_ids.insert(confirmation.payment_id.clone()) {
            return false;
        }
        let Judgement { reviews, at } = self.summary.pay(&confirmation, receipt);
        self.payments.push(RecordedPayment {
            confirmation,
            review: reviews,
            closed: Vec::new(),
            voided: None,
            refunds: Vec::new(),
            judged_at: at,
        });
        true
    }

    /// The effect of the void of a payment on the sums. `None` if no payment of this id counts, or if not
    /// every payment is listed here.
    pub fn void_effect(&self, payment_id: &PaymentId) -> Option<VoidEffect> {
        if !self.is_whole() {
            return None;
        }
        let counted = || {
            let payments = self.payments.iter();
            payments.filter(|payment| payment.voided.is_none())
        };
        let is_it = |payment: &RecordedPayment| payment.confirmation.payment_id == *payment_id;
        let position = counted().position(is_it)?;
        let payment = counted().nth(position)?;
        let confirmation = &payment.confirmation;
        let others = counted()
            .filter(|other| !is_it(other) && other.confirmation.currency == confirmation.currency);
        Some(VoidEffect {
            was_before: u64::try_from(position).is_ok_and(|place| place < self.paid_before),
            latest: others.clone().next_back().map(|other| LatestPayment {
                payment_id: other.confirmation.payment_id.clone(),
                reviews: other.review.clone(),
                judged_at: others
                    .map(|other| other.judged_at)
                    .max()
                    .unwrap_or(other.judged_at),
            }),
            settled_at: self.settled_without(payment),
            ..effect_alone(payment)
        })
    }

    /// The effect of the void of a payment that is known to count, if not every payment is listed here.
    /// `was_before` is true if the payment came before the latest version. `None` if the other payments
    /// are needed: it is the latest in its currency, or the amounts depend on the day.
    pub fn void_effect_of(
        &self,
        payment: &RecordedPayment,
        was_before: bool,
    ) -> Option<VoidEffect> {
        let confirmation = &payment.confirmation;
        let order = self.order()?;
        if !order.amounts.is_empty() && order.currency == confirmation.currency {
            return None;
        }
        let mut paid = self.paid.iter();
        let (_, paid) = paid.find(|(currency, _)| *currency == confirmation.currency)?;
        if paid.latest == confirmation.payment_id || paid.latest_judged_at <= payment.judged_at {
            return None;
        }
        Some(VoidEffect {
            was_before,
            latest: Some(LatestPayment {
                payment_id: paid.latest.clone(),
                reviews: paid.latest_reviews.clone(),
                judged_at: paid.latest_judged_at,
            }),
            settled_at: self.settled_at,
            ..effect_alone(payment)
        })
    }

    /// The time at which the payments but for one settled the order ([`SummaryFields::settled_at`]).
    ///
    /// [`SummaryFields::settled_at`]: super::SummaryFields::settled_at
    fn settled_without(&self, payment: &RecordedPayment) -> Option<Timestamp> {
        let order = self.order()?;
        if order.amounts.is_empty() || payment.confirmation.currency != order.currency {
            return self.settled_at;
        }
        let others = self.payments.iter().filter(|other| {
            other.voided.is_none()
                && other.confirmation.currency == order.currency
                && other.confirmation.payment_id != payment.confirmation.payment_id
        });
        let (mut sum, mut latest) = (Money::ZERO, Timestamp::MIN);
        others.into_iter().find_map(|other| {
            let (amount, at) = (other.confirmation.total, other.judged_at);
            (sum, latest) = (sum + amount, latest.max(at));
            order.settled_by((amount, at), (sum, latest))
        })
    }

    /// Voids a payment: it stays listed, and counts for nothing. Its id is free for another one. `false`
    /// if no payment of this id counts. For a payment before a kept summary, the caller knows if it
    /// counts, and `effect` has the effect on the sums.
    pub fn void(&mut self, payment_id: &PaymentId, voided: Voided, effect: &VoidEffect) -> bool {
        let known = self.void_effect(payment_id);
        if self.is_whole() && known.is_none() {
            return false;
        }
        let opened = self.summary.void(known.as_ref().unwrap_or(effect));
        if let Some(payment) = self.payment_mut(payment_id) {
            payment.review.clear();
            payment.voided = Some(voided);
        }
        if let Some(opened) = opened
            && let Some(payment) = self.payment_mut(&opened.payment_id)
        {
            payment.review.push(opened.review);
        }
        self.payment_ids.remove(payment_id);
        true
    }

    /// The effect of money of a payment being given back, so that this remains of it, as the
    /// order stands at the time `now`.
    ///
    /// A payment of which nothing remains needs nobody's eye any more. Only if more is paid than asked
    /// even without it, and it alone says so, it goes on saying so.
    pub fn refund_effect(
        &self,
        payment: &RecordedPayment,
        remaining: Money,
        now: Timestamp,
    ) -> RefundEffect {
        const TOO_MUCH: [Review; 2] = [Review::OverPaid, Review::Double];
        let currency = payment.confirmation.currency;
        let amount = payment.remaining().saturating_sub(remaining);
        let is_counted = self.order().is_some_and(|order| order.currency == currency);
        let given_back = if is_counted { amount } else { Money::ZERO };
        let is_over = self.amount_overpaid(now) > given_back;
        let open: u64 = TOO_MUCH
            .map(|review| self.open_reviews_of(review))
            .iter()
            .sum();
        let own = payment
            .review
            .iter()
            .filter(|review| TOO_MUCH.contains(review));
        let is_alone = u64::try_from(own.count()).is_ok_and(|own| own >= open);
        let mut reviews = payment.review.clone();
        if !remaining.is_zero() {
            reviews.clear();
        } else if is_over && is_alone {
            reviews.retain(|review| !TOO_MUCH.contains(review));
        }
        RefundEffect {
            payment_id: payment.confirmation.payment_id.clone(),
            currency,
            amount,
            reviews,
        }
    }

    /// Notes a refund of a payment. A refund has the amount that remains, so noting the same again
    /// changes nothing, and gives `false`. For a payment before a kept summary, the caller knows the
    /// amount that remained, and `effect` has the effect on the sums.
    pub fn refund(
        &mut self,
        payment_id: &PaymentId,
        refund: Refund,
        effect: &RefundEffect,
    ) -> bool {
        let Some(payment) = self.payment_mut(payment_id) else {
            if !self.is_whole() {
                self.summary.refund(effect);
            }
            return !self.is_whole();
        };
        if payment.voided.is_some() || refund.remaining >= payment.remaining() {
            return false;
        }
        payment.review.retain(|open| !effect.reviews.contains(open));
        payment.refunds.push(refund);
        self.summary.refund(effect);
        true
    }

    /// Opens a review of a payment, because of a fact that came to be known later. `false` if it is open
    /// already. For a payment before a kept summary, the caller knows if it is open.
    pub fn open(&mut self, payment_id: &PaymentId, review: Review) -> bool {
        if let Some(payment) = self.payment_mut(payment_id) {
            if payment.review.contains(&review) {
                return false;
            }
            payment.review.push(review);
        } else if self.is_whole() {
            return false;
        }
        self.summary.open(payment_id, review);
        true
    }

    /// Closes a review of a payment. `false` if no such review is open. For a payment before a kept
    /// summary, the caller knows if it is open.
    pub fn close(&mut self, payment_id: &PaymentId, closed: ClosedReview) -> bool {
        let review = closed.review;
        if let Some(payment) = self.payment_mut(payment_id) {
            let Some(position) = payment.review.iter().position(|open| *open == review) else {
                return false;
            };
            payment.review.remove(position);
            payment.closed.push(closed);
        } else if self.is_whole() {
            return false;
        }
        self.summary.close(payment_id, review)
    }

    /// The sum of its versions and payments: to be kept, and folding go on from it.
    pub fn summary(&self) -> &OrderSummary {
        &self.summary
    }

    /// True if every payment is here: folding did not begin with a summary that was kept.
    pub fn is_whole(&self) -> bool {
        let count = self.summary.payment_count + self.summary.voided_count;
        u64::try_from(self.payments.len()) == Ok(count)
    }

    /// The versions, the oldest first.
    pub fn versions(&self) -> &[Order] {
        &self.versions
    }

    /// The payments in the order of their recording, those among them that were voided.
    pub fn payments(&self) -> &[RecordedPayment] {
        &self.payments
    }

    /// The payment of this id: the one that counts, or else the one that was voided last.
    pub fn payment(&self, id: &PaymentId) -> Option<&RecordedPayment> {
        self.payments
            .iter()
            .rfind(|payment| payment.confirmation.payment_id == *id)
    }

    fn payment_mut(&mut self, id: &PaymentId) -> Option<&mut RecordedPayment> {
        self.payments
            .iter_mut()
            .rfind(|payment| payment.confirmation.payment_id == *id)
    }
}
