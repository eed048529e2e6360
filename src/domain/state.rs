//! What follows from an order's versions and payments: computed when read, never stored.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{
    Confirmation, LineId, Misfit, Money, Order, PaymentAccount, PaymentId, SetStatus, Text,
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

/// Why a person should look at a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review {
    /// Paid when the order was expired, cancelled, completed or refunded.
    Late,
    /// Nothing was due any more.
    Double,
    /// More than was due, without leave to pay in advance.
    OverPaid,
    /// Less than was due, without leave to pay in part.
    UnderPaid,
    /// It pays for an older version of the order.
    Amended,
    /// Its order has lost it, so that nothing else can be said of it. It is entered there again by a
    /// repair of the store, and by nothing that a person says.
    Orphaned,
}

impl Review {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Late,
        Self::Double,
        Self::OverPaid,
        Self::UnderPaid,
        Self::Amended,
        Self::Orphaned,
    ];

    /// The name that users meet.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Double => "double",
            Self::OverPaid => "over-paid",
            Self::UnderPaid => "under-paid",
            Self::Amended => "amended",
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
    /// What the person found.
    pub note: Text<500>,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// Which token closed it.
    pub by: String,
}

/// That a payment which was entered by hand counts no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voided {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub note: Text<500>,
    /// Which token proposed it.
    pub proposed_by: String,
    /// Which other one approved it.
    pub approved_by: String,
}

/// A payment with what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPayment {
    /// What MPay confirmed.
    pub confirmation: Confirmation,
    /// What a person should look at; empty if nothing.
    pub review: Vec<Review>,
    /// What a person has looked at.
    pub closed: Vec<ClosedReview>,
    /// Once it counts no more.
    pub voided: Option<Voided>,
}

/// A line that is still to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineDue {
    /// Position of the line in its order, from 0.
    pub position: usize,
    /// What is due; `None` where it is unknown.
    pub amount: Option<Money>,
}

/// An order as it stands: its versions and payments, folded in the order of their recording.
#[derive(Debug, Clone, Default)]
pub struct OrderState {
    versions: Vec<Order>,
    payments: Vec<RecordedPayment>,
    /// Of `payments` that count, kept while folding: an order may have thousands.
    payment_ids: HashSet<PaymentId>,
    /// Of `payments`, likewise.
    amount_paid: Money,
    /// How many payments there were when the latest version came.
    paid_before: usize,
}

impl RecordedPayment {
    /// A payment that its order has lost: its own record is all there is.
    pub fn orphaned(confirmation: Confirmation) -> Self {
        Self {
            confirmation,
            review: vec![Review::Orphaned],
            closed: Vec::new(),
            voided: None,
        }
    }
}

impl OrderState {
    /// Adds a version of the order.
    pub fn amend(&mut self, order: Order) {
        self.versions.push(order);
        self.paid_before = self.payments.len();
    }

    /// Adds a payment, and finds what a person should look at. One that is there already counts
    /// once, and gives `false`.
    pub fn pay(&mut self, confirmation: Confirmation) -> bool {
        if !self.payment_ids.insert(confirmation.payment_id.clone()) {
            return false;
        }
        let review = self.review(&confirmation);
        self.amount_paid = self.amount_paid + confirmation.total;
        self.payments.push(RecordedPayment {
            confirmation,
            review,
            closed: Vec::new(),
            voided: None,
        });
        true
    }

    /// Voids a payment: it stays, and counts for nothing. Its id is free for another. `false` if there
    /// is none of this id that counts.
    pub fn void(&mut self, payment_id: &PaymentId, voided: Voided) -> bool {
        let payment = self
            .payments
            .iter_mut()
            .rev()
            .find(|payment| payment.confirmation.payment_id == *payment_id);
        let Some(payment) = payment.filter(|payment| payment.voided.is_none()) else {
            return false;
        };
        payment.review.clear();
        payment.voided = Some(voided);
        self.amount_paid = self.amount_paid.saturating_sub(payment.confirmation.total);
        self.payment_ids.remove(payment_id);
        true
    }

    /// Closes a review of a payment. `false` if there is no such review open.
    pub fn close(&mut self, payment_id: &PaymentId, closed: ClosedReview) -> bool {
        let payment = self
            .payments
            .iter_mut()
            .rev()
            .find(|payment| payment.confirmation.payment_id == *payment_id);
        let Some(payment) = payment else {
            return false;
        };
        let open = payment.review.len();
        payment.review.retain(|review| *review != closed.review);
        let was_open = payment.review.len() < open;
        if was_open {
            payment.closed.push(closed);
        }
        was_open
    }

    /// The latest version; `None` for an order that does not exist.
    pub fn order(&self) -> Option<&Order> {
        self.versions.last()
    }

    /// Every version, the oldest first.
    pub fn versions(&self) -> &[Order] {
        &self.versions
    }

    /// Checks that a confirmation can be a payment of this order, whatever state that is in. MPay
    /// may have shown an older version: one that fits is enough.
    ///
    /// # Errors
    /// What is wrong with its amounts, or how it differs from the latest version.
    pub fn check_payment(&self, confirmation: &Confirmation) -> Result<(), Misfit> {
        confirmation.check_amounts()?;
        let versions = self.versions.iter().rev();
        let mut checked = versions.map(|version| confirmation.check_against(version));
        match checked.next() {
            Some(Err(misfit)) if !checked.any(|earlier| earlier.is_ok()) => Err(misfit),
            _ => Ok(()),
        }
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

    /// The account of a line, in the latest version that has the line; `None` where that names
    /// none.
    pub fn account(&self, line_id: &LineId) -> Option<&PaymentAccount> {
        let mut lines = self.versions.iter().rev().flat_map(|order| &order.lines);
        let line = lines.find(|line| line.line_id == *line_id)?;
        line.destination_account.as_ref()
    }

    /// Whether a payment came after the latest version.
    pub fn paid_since_amended(&self) -> bool {
        let since = self.payments.get(self.paid_before..).unwrap_or_default();
        since.iter().any(|payment| payment.voided.is_none())
    }

    /// The payments that count.
    fn counted(&self) -> impl Iterator<Item = &RecordedPayment> {
        let payments = self.payments.iter();
        payments.filter(|payment| payment.voided.is_none())
    }

    /// The sum of the payments.
    pub fn amount_paid(&self) -> Money {
        self.amount_paid
    }

    /// What is still due; `None` while the order's amount is unknown.
    pub fn amount_due(&self) -> Option<Money> {
        Some(self.order()?.total()?.saturating_sub(self.amount_paid()))
    }

    /// The status at the time `now`: the first that applies of what the institution set, Paid,
    /// Expired, PartiallyPaid, Active (MPay contract, "Settled readings").
    pub fn status(&self, now: Timestamp) -> OrderStatus {
        let Some(order) = self.order() else {
            return OrderStatus::Active;
        };
        match order.set_status {
            Some(status) => OrderStatus::Set(status),
            None if self.amount_due().is_some_and(Money::is_zero) => OrderStatus::Paid,
            None if order.due_date.is_some_and(|due| now > due) => OrderStatus::Expired,
            None if self.counted().next().is_some() => OrderStatus::PartiallyPaid,
            None => OrderStatus::Active,
        }
    }

    /// The lines to show: those with something due, or all of them where nothing is due any more.
    ///
    /// A payment counts for the lines it names; what is more than such a line asks, or for a line
    /// that the latest version does not have, counts for the others in their order.
    pub fn lines_due(&self) -> Vec<LineDue> {
        let Some(order) = self.order() else {
            return Vec::new();
        };
        let mut paid: HashMap<&LineId, Money> = HashMap::new();
        for line in self
            .counted()
            .flat_map(|payment| &payment.confirmation.lines)
        {
            let sum = paid.entry(&line.line_id).or_default();
            *sum = *sum + line.amount;
        }
        let mut due: Vec<Option<Money>> = Vec::with_capacity(order.lines.len());
        for line in &order.lines {
            due.push(line.amount_due.map(|asked| {
                let given = paid.remove(&line.line_id).unwrap_or_default();
                if !given.saturating_sub(asked).is_zero() {
                    paid.insert(&line.line_id, given.saturating_sub(asked));
                }
                asked.saturating_sub(given)
            }));
        }
        let mut surplus: Money = paid.into_values().sum();
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

    fn review(&self, confirmation: &Confirmation) -> Vec<Review> {
        let Some(order) = self.order() else {
            return Vec::new();
        };
        let mut review = Vec::new();
        match self.status(confirmation.paid_at) {
            OrderStatus::Active | OrderStatus::PartiallyPaid => {}
            OrderStatus::Paid => review.push(Review::Double),
            OrderStatus::Expired | OrderStatus::Set(_) => review.push(Review::Late),
        }
        if let Some(due) = self.amount_due()
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
        if confirmation.check_against(order).is_err() {
            review.push(Review::Amended);
        }
        review
    }
}
