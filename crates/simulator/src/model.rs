//! A model of an order after the README and the contract alone. It is the oracle's own and shares no code
//! with the provider.
//!
//! [`explain`] looks for an order in which the requests about one order can have happened, so that
//! every answer was right and what is there at the end is what comes out of it. Requests that
//! overlapped may have happened in either order; one whose answer was lost may have happened at any
//! later time, or never.

use std::collections::HashSet;

use crate::{configuration::TOLL, executor::Micros};

/// Money, in bani.
pub type Bani = i64;

/// The content of an order. Two documents are the same if their members are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Document {
    /// The amount of its line.
    pub amount: Bani,
    /// A number in its reason.
    pub note: u32,
}

/// A status that the institution sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Set {
    /// `Completed`.
    Completed,
    /// `Cancelled`.
    Cancelled,
    /// `Refunding`.
    Refunding,
    /// `Refunded`.
    Refunded,
}

impl Set {
    /// The contract's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Cancelled => "Cancelled",
            Self::Refunding => "Refunding",
            Self::Refunded => "Refunded",
        }
    }
}

/// The change that a request asks of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Register or replace the document; `PUT` and imports.
    Put(Document),
    /// Register the document if the order does not exist; `POST`, and `PUT` with `If-None-Match: *`.
    Create(Document),
    /// Set the amount; `PATCH` of the lines.
    Amend(Bani),
    /// Set the status, or take back the one that was set; `PATCH` of the status.
    Status(Option<Set>),
    /// Cancel the order; `DELETE`.
    Cancel,
    /// Pay this amount.
    Pay(Bani),
    /// Pay this amount of an order that comes into being with its first payment.
    PayOpen(Bani),
}

impl Change {
    /// True if the order exists after this change.
    pub fn registers(self) -> bool {
        matches!(self, Self::Put(_) | Self::Create(_) | Self::PayOpen(_))
    }
}

/// The outcome of a request, as its answer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer says that it was done.
    Done,
    /// The answer says that it was refused.
    Refused,
    /// No answer tells, and it may still happen.
    Unknown,
}

/// A request about an order.
#[derive(Debug, Clone)]
pub struct Op {
    /// The change that it asks for.
    pub change: Change,
    /// The time at which it was sent.
    pub sent: Micros,
    /// The time at which it was answered; `None` without an answer.
    pub answered: Option<Micros>,
    /// Its outcome.
    pub outcome: Outcome,
    /// With `If-Match`: the time of the answer that gave the `ETag`.
    pub seen: Option<Micros>,
    /// A label for people.
    pub label: String,
}

/// An order as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct State {
    document: Option<Document>,
    set: Option<Set>,
    paid: Bani,
    /// True if a payment came after the latest version.
    paid_since: bool,
}

/// The members of an order's document that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its `status`.
    pub status: String,
    /// Its `total_amount_due`.
    pub total: Bani,
    /// Its `amount_paid`.
    pub paid: Bani,
    /// Its `amount_due`.
    pub due: Bani,
    /// The number in its reason.
    pub note: u32,
}

impl State {
    /// The order as the API shows it; `None` if it does not exist.
    pub fn shown(&self) -> Option<Shown> {
        let document = self.document?;
        Some(Shown {
            status: self.status().to_owned(),
            total: document.amount,
            paid: self.paid,
            due: match self.set {
                Some(Set::Refunded) => 0,
                _ => (document.amount - self.paid).max(0),
            },
            note: document.note,
        })
    }

    fn status(&self) -> &'static str {
        let total = self.document.map_or(0, |document| document.amount);
        match self.set {
            Some(set) => set.word(),
            None if self.paid >= total => "Paid",
            None if self.paid > 0 => "PartiallyPaid",
            None => "Active",
        }
    }

    /// The order after a change; `None` if the change would be refused.
    fn after(&self, change: Change) -> Option<State> {
        let next = match change {
            Change::Pay(amount) => {
                self.document?;
                return Some(State {
                    paid: self.paid + amount,
                    paid_since: true,
                    ..*self
                });
            }
            Change::PayOpen(amount) => {
                let template = Document {
                    amount: TOLL,
                    note: 0,
                };
                let state = State {
                    document: self.document.or(Some(template)),
                    ..*self
                };
                return state.after(Change::Pay(amount));
            }
            Change::Create(_) if self.document.is_some() => return None,
            Change::Put(document) | Change::Create(document) => State {
                document: Some(document),
                ..*self
            },
            Change::Amend(amount) => {
                let document = self.document?;
                State {
                    document: Some(Document { amount, ..document }),
                    ..*self
                }
            }
            Change::Status(set) => {
                self.document?;
                State { set, ..*self }
            }
            Change::Cancel => {
                self.document?;
                State {
                    set: Some(Set::Cancelled),
                    ..*self
                }
            }
        };
        if next == *self {
            return Some(next);
        }
        if next.set != self.set && !self.may_become(next.set) {
            return None;
        }
        let amendable = matches!(self.status(), "Active" | "PartiallyPaid");
        if self.document.is_some() && next.document != self.document && !amendable {
            return None;
        }
        Some(State {
            paid_since: false,
            ..next
        })
    }

    fn may_become(&self, set: Option<Set>) -> bool {
        let Some(set) = set else {
            return self.set != Some(Set::Refunded);
        };
        let paid = self.paid > 0;
        match (self.status(), set) {
            ("Active" | "PartiallyPaid", Set::Cancelled) => true,
            ("PartiallyPaid" | "Paid", Set::Completed | Set::Refunding) => paid,
            ("Completed" | "Cancelled", Set::Refunding) => paid,
            ("Refunding", Set::Refunded) => paid,
            ("Refunded", Set::Refunding) => self.paid_since,
            _ => false,
        }
    }
}

/// The verdict on the requests about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Some sequence of the requests explains all answers.
    Explained,
    /// No sequence explains them.
    Impossible,
    /// The search was given up after too many states.
    Undecided,
}

/// Looks for a sequence of the requests that explains their answers and the order's document at the end.
pub fn explain(ops: &[Op], end: Option<&Shown>) -> Verdict {
    // Of two payments of one PaymentID at the same time, the refused one may have created its order.
    let may_have_made = |op: &Op| Op {
        change: Change::PayOpen(0),
        outcome: Outcome::Unknown,
        ..op.clone()
    };
    let refused = ops
        .iter()
        .filter(|op| op.outcome == Outcome::Refused && matches!(op.change, Change::PayOpen(_)));
    let refused: Vec<_> = refused.map(may_have_made).collect();
    let ops: Vec<_> = ops
        .iter()
        .filter(|op| op.outcome != Outcome::Refused)
        .chain(&refused)
        .collect();
    if ops.len() > 120 {
        return add_up(&ops, end);
    }
    let mut search = Search {
        ops: &ops,
        end,
        seen: HashSet::new(),
        steps: 0,
    };
    match search.from(0, State::default(), 0) {
        true => Verdict::Explained,
        false if search.steps >= STEPS => Verdict::Undecided,
        false => Verdict::Impossible,
    }
}

/// Compares only the sum that an order has been paid with the payments that were acknowledged, whatever
/// else was done.
pub fn adds_up(ops: &[Op], end: Option<&Shown>) -> Verdict {
    let ops: Vec<_> = ops.iter().collect();
    match end {
        None => explain(&[], end),
        end => add_up(&ops, end),
    }
}

/// Compares only the sums of many requests: nothing takes a payment back.
fn add_up(ops: &[&Op], end: Option<&Shown>) -> Verdict {
    let sum = |outcome| -> Bani {
        let of = ops.iter().filter(|op| op.outcome == outcome);
        let paid = of.filter_map(|op| match op.change {
            Change::Pay(amount) | Change::PayOpen(amount) => Some(amount),
            _ => None,
        });
        paid.sum()
    };
    let (done, unknown) = (sum(Outcome::Done), sum(Outcome::Unknown));
    match end {
        Some(end) if (done..=done + unknown).contains(&end.paid) => Verdict::Explained,
        _ => Verdict::Impossible,
    }
}

/// Most states that one search looks at.
const STEPS: usize = 60_000;

struct Search<'a> {
    ops: &'a [&'a Op],
    end: Option<&'a Shown>,
    seen: HashSet<(u128, State, Micros)>,
    steps: usize,
}

impl Search<'_> {
    /// Searches on from a state. Bits of `done` are the requests that have happened; `latest` is the time
    /// at which the last request that changed something was sent.
    fn from(&mut self, done: u128, state: State, latest: Micros) -> bool {
        self.steps += 1;
        if self.steps >= STEPS || !self.seen.insert((done, state, latest)) {
            return false;
        }
        let open = |position: &usize| done & (1 << position) == 0;
        let all = (0..self.ops.len()).filter(open);
        let open: Vec<_> = all
            .filter_map(|position| Some((position, *self.ops.get(position)?)))
            .collect();
        let must = open.iter().filter(|(_, op)| op.outcome == Outcome::Done);
        let ends: Vec<_> = must.filter_map(|(_, op)| op.answered).collect();
        if ends.is_empty() && state.shown().as_ref() == self.end {
            return true;
        }
        // A request that was sent after another was answered did not happen before it.
        let horizon = ends.into_iter().min().unwrap_or(Micros::MAX);
        for (position, op) in open {
            if op.sent > horizon {
                continue;
            }
            if op.seen.is_some_and(|seen| latest > seen) {
                continue;
            }
            let Some(next) = state.after(op.change) else {
                continue;
            };
            let latest = if next == state {
                latest
            } else {
                latest.max(op.sent)
            };
            if self.from(done | (1 << position), next, latest) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUNDRED: Document = Document {
        amount: 100,
        note: 1,
    };

    fn op(change: Change, sent: Micros, answered: Micros) -> Op {
        Op {
            change,
            sent,
            answered: Some(answered),
            outcome: Outcome::Done,
            seen: None,
            label: String::new(),
        }
    }

    fn lost(change: Change, sent: Micros) -> Op {
        Op {
            answered: None,
            outcome: Outcome::Unknown,
            ..op(change, sent, 0)
        }
    }

    fn shown(status: &str, total: Bani, paid: Bani) -> Shown {
        Shown {
            status: status.to_owned(),
            total,
            paid,
            due: (total - paid).max(0),
            note: 1,
        }
    }

    #[test]
    fn what_happens_one_after_the_other_is_explained() {
        let ops = [
            op(Change::Put(HUNDRED), 0, 10),
            op(Change::Pay(40), 20, 30),
            op(Change::Amend(60), 40, 50),
            op(Change::Pay(20), 60, 70),
            op(Change::Status(Some(Set::Completed)), 80, 90),
        ];
        let end = shown("Completed", 60, 60);
        assert_eq!(explain(&ops, Some(&end)), Verdict::Explained);
        let lost_payment = shown("Completed", 60, 40);
        assert_eq!(explain(&ops, Some(&lost_payment)), Verdict::Impossible);
    }

    #[test]
    fn a_paid_order_is_not_cancelled_but_one_that_is_being_paid_may_be() {
        let end = shown("Cancelled", 100, 100);
        let after = [
            op(Change::Put(HUNDRED), 0, 10),
            op(Change::Pay(100), 20, 30),
            op(Change::Cancel, 40, 50),
        ];
        assert_eq!(explain(&after, Some(&end)), Verdict::Impossible);
        let at_once = [
            op(Change::Put(HUNDRED), 0, 10),
            op(Change::Pay(100), 20, 45),
            op(Change::Cancel, 40, 50),
        ];
        assert_eq!(explain(&at_once, Some(&end)), Verdict::Explained);
    }

    #[test]
    fn what_was_lost_may_happen_late_or_never() {
        let ops = [
            op(Change::Put(HUNDRED), 0, 10),
            lost(Change::Amend(60), 20),
            op(Change::Pay(10), 30, 40),
        ];
        for end in [
            shown("PartiallyPaid", 100, 10),
            shown("PartiallyPaid", 60, 10),
        ] {
            assert_eq!(explain(&ops, Some(&end)), Verdict::Explained);
        }
        let other = shown("PartiallyPaid", 70, 10);
        assert_eq!(explain(&ops, Some(&other)), Verdict::Impossible);
    }

    #[test]
    fn an_order_seen_before_a_payment_is_not_changed_after_it() {
        let ops = [
            op(Change::Put(HUNDRED), 0, 10),
            op(Change::Pay(10), 20, 30),
            Op {
                seen: Some(15),
                ..op(Change::Amend(60), 40, 50)
            },
        ];
        let end = shown("PartiallyPaid", 60, 10);
        assert_eq!(explain(&ops, Some(&end)), Verdict::Impossible);
    }

    #[test]
    fn an_open_order_comes_to_be_with_its_first_payment() {
        let ops = [
            op(Change::PayOpen(1000), 0, 10),
            lost(Change::PayOpen(2000), 5),
        ];
        for (status, paid) in [("PartiallyPaid", 1000), ("Paid", 3000)] {
            let end = Shown {
                note: 0,
                ..shown(status, TOLL, paid)
            };
            assert_eq!(explain(&ops, Some(&end)), Verdict::Explained);
        }
        assert_eq!(explain(&ops, None), Verdict::Impossible);
        assert_eq!(explain(&[], None), Verdict::Explained);
    }

    #[test]
    fn many_payments_add_up() {
        let mut ops = vec![op(Change::Put(HUNDRED), 0, 10)];
        ops.extend((1..200).map(|n| op(Change::Pay(10), 10 * n, 10 * n + 5)));
        let all = shown("Paid", 100, 1990);
        assert_eq!(explain(&ops, Some(&all)), Verdict::Explained);
        for paid in [1980, 2000] {
            let other = shown("Paid", 100, paid);
            assert_eq!(explain(&ops, Some(&other)), Verdict::Impossible);
        }
        assert_eq!(explain(&ops, None), Verdict::Impossible);
    }

    #[test]
    fn an_order_that_nobody_has_seen_registered_may_be_there() {
        let ops = [lost(Change::Put(HUNDRED), 0)];
        assert_eq!(explain(&ops, None), Verdict::Explained);
        assert_eq!(
            explain(&ops, Some(&shown("Active", 100, 0))),
            Verdict::Explained
        );
    }
}
