//! What the actors asked for, and what they were answered: all that the oracle goes by.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    client::Cursor,
    executor::Micros,
    model::{Bani, Op},
};

/// Which order: its position in the history.
pub type OrderId = usize;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The rule that is broken, in a few words.
    pub rule: &'static str,
    /// What is wrong.
    pub detail: String,
    /// What the lines of the trace that concern it have in them.
    pub subject: String,
}

/// What is known of an order.
#[derive(Debug)]
pub struct OrderHistory {
    /// Its service.
    pub service: String,
    /// Its key.
    pub key: String,
    /// A name that is in its documents, and in no other's.
    pub person: String,
    /// The requests about it, payments among them.
    pub ops: Vec<Op>,
    /// When the call that erased its personal data was sent.
    pub erased: Option<Micros>,
}

/// One of the payments that are sent under a PaymentID.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Its order.
    pub order: OrderId,
    /// Its amount.
    pub amount: Bani,
    /// A name that is in its messages, and in no other's.
    pub person: String,
    /// Where it stands among the requests about its order.
    pub op: usize,
    /// When it was first acknowledged, to MPay or to whoever approved it.
    pub acknowledged: Option<Micros>,
    /// When it was first acknowledged to MPay, whose message brings the payer's name.
    pub confirmed: Option<Micros>,
    /// Whether it was refused for good.
    pub refused: bool,
}

/// A reader with a cursor.
#[derive(Debug, Default)]
pub struct ReaderHistory {
    /// Its cursor.
    pub cursor: Cursor,
    /// What it has seen: places in the journal, and what is there.
    pub seen: Vec<(u64, String)>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct History {
    /// The orders.
    pub orders: Vec<OrderHistory>,
    /// The payments, by PaymentID.
    pub payments: BTreeMap<String, Vec<Variant>>,
    /// Readers of `/api/payments`.
    pub payment_readers: Vec<ReaderHistory>,
    /// Readers of `/api/events`.
    pub event_readers: Vec<ReaderHistory>,
    /// Days that were said to be closed, with their payments as they were then.
    pub closed_days: BTreeMap<String, Vec<String>>,
    /// Keys of orders by the `Idempotency-Key` of the request that made them.
    pub created: BTreeMap<String, BTreeSet<String>>,
    /// Payments that a statement has shown, and was said to have.
    pub settled: BTreeSet<String>,
    /// Reviews that were closed, by payment and reason.
    pub reviews_closed: BTreeSet<(String, String)>,
    /// Confirmations that were refused for what is in them, by PaymentID.
    pub refused: BTreeSet<String>,
    /// What must not be.
    pub findings: BTreeSet<Finding>,
    /// Requests that are repeated until they are answered, and are not yet.
    pub unfinished: usize,
    /// How long after a writer died readers and changes went on.
    pub recoveries: Vec<Micros>,
}

impl History {
    /// Notes something that must not be.
    pub fn find(&mut self, rule: &'static str, subject: &str, detail: impl Into<String>) {
        self.findings.insert(Finding {
            rule,
            detail: detail.into(),
            subject: subject.to_owned(),
        });
    }

    /// What the payments come to that were acknowledged before a moment, of an order.
    pub fn paid_before(&self, order: OrderId, moment: Micros) -> Bani {
        let variants = self.payments.values().flatten();
        let of = variants.filter(|variant| {
            let acknowledged = variant.acknowledged;
            variant.order == order && acknowledged.is_some_and(|at| at < moment)
        });
        of.map(|variant| variant.amount).sum()
    }

    /// The payments that were acknowledged before a moment, of an order.
    pub fn acknowledged_before(&self, order: OrderId, moment: Micros) -> Vec<String> {
        let payments = self.payments.iter();
        let of = payments.filter(|(_, variants)| {
            variants.iter().any(|variant| {
                let acknowledged = variant.acknowledged;
                variant.order == order && acknowledged.is_some_and(|at| at < moment)
            })
        });
        of.map(|(id, _)| id.clone()).collect()
    }
}

/// Money as documents have it.
pub fn money(amount: Bani) -> String {
    format!("{}.{:02}", amount / 100, amount % 100)
}

/// Reads money.
pub fn bani(text: &str) -> Option<Bani> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "00"));
    let (whole, fraction): (Bani, Bani) = (whole.parse().ok()?, fraction.parse().ok()?);
    Some(whole * 100 + fraction)
}
