//! The requests of the actors, and the answers to them: all that the oracle judges by.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cursor::Cursor,
    executor::Micros,
    model::{Bani, Op},
};

/// An order, by its position in the history.
pub type OrderId = usize;

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The broken rule, in a few words.
    pub rule: &'static str,
    /// A description of the case.
    pub detail: String,
    /// The text by which the lines of the trace about it are found.
    pub subject: String,
}

/// The known facts about an order.
#[derive(Debug)]
pub struct OrderHistory {
    /// Its service.
    pub service: String,
    /// Its key.
    pub key: String,
    /// A person's name that is in this order's documents alone.
    pub person: String,
    /// The requests about it, payments among them.
    pub ops: Vec<Op>,
    /// The time at which the call was sent that erased its personal data.
    pub erased: Option<Micros>,
}

/// One of the payments that are sent under a PaymentID.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Its order.
    pub order: OrderId,
    /// Its amount.
    pub amount: Bani,
    /// A person's name that is in this payment's messages alone.
    pub person: String,
    /// Its position among the requests about its order.
    pub op: usize,
    /// The time at which it was first acknowledged, to MPay or to the person who approved it.
    pub acknowledged: Option<Micros>,
    /// The time at which it was first acknowledged to MPay, whose message brings the payer's name.
    pub confirmed: Option<Micros>,
    /// True if it was refused for good.
    pub refused: bool,
}

/// A reader with a cursor.
#[derive(Debug, Default)]
pub struct ReaderHistory {
    /// Its cursor.
    pub cursor: Cursor,
    /// The entries that it has seen: their places in the journal, and their identities.
    pub seen: Vec<(u64, String)>,
}

/// The requests of the actors, and the answers to them.
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
    /// Days that an answer called closed, with their payments as they were then.
    pub closed_days: BTreeMap<String, Vec<String>>,
    /// Keys of orders by the `Idempotency-Key` of the request that made them.
    pub created: BTreeMap<String, BTreeSet<String>>,
    /// Payments that a statement has shown and the comparison has matched.
    pub settled: BTreeSet<String>,
    /// Reviews that were closed, by payment and reason.
    pub reviews_closed: BTreeSet<(String, String)>,
    /// Confirmations that were refused for their content, by PaymentID.
    pub refused: BTreeSet<String>,
    /// Findings of the run.
    pub findings: BTreeSet<Finding>,
    /// Number of requests that are repeated until they are answered and still have no answer.
    pub unfinished: usize,
    /// The times after which readers and changes went on once a writer had died.
    pub recoveries: Vec<Micros>,
}

impl History {
    /// Notes a finding.
    pub fn find(&mut self, rule: &'static str, subject: &str, detail: impl Into<String>) {
        self.findings.insert(Finding {
            rule,
            detail: detail.into(),
            subject: subject.to_owned(),
        });
    }

    /// The sum of an order's payments that were acknowledged before a moment.
    pub fn paid_before(&self, order: OrderId, moment: Micros) -> Bani {
        let variants = self.payments.values().flatten();
        let of = variants.filter(|variant| {
            let acknowledged = variant.acknowledged;
            variant.order == order && acknowledged.is_some_and(|at| at < moment)
        });
        of.map(|variant| variant.amount).sum()
    }

    /// The PaymentIDs of an order's payments that were acknowledged before a moment.
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

/// An amount as documents write it: lei, a point and two digits.
pub fn money(amount: Bani) -> String {
    format!("{}.{:02}", amount / 100, amount % 100)
}

/// Reads an amount from a document.
pub fn bani(text: &str) -> Option<Bani> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "00"));
    let (whole, fraction): (Bani, Bani) = (whole.parse().ok()?, fraction.parse().ok()?);
    Some(whole * 100 + fraction)
}
