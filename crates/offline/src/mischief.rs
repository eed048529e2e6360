//! Mischief between MPay and a provider, on demand: the messages, the answer of a right provider, and the
//! comparison with this one's.

use std::{sync::Arc, thread};

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use mpay_domain::Money;

use super::{
    Language,
    journal::{Entry, Outcome},
    provider::{Manner, Provider},
    shape::Shape,
};
use mpay_client::{Confirmation, OrderDetails};

/// A mischief: a fault of a confirmation, or an unusual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mischief {
    /// The same confirmation twice, one after the other.
    Repeat,
    /// The same confirmation twice at once, then once more.
    Twice,
    /// The provider's answer is lost, and the confirmation sent again.
    DropAnswer,
    /// The same PaymentID with another amount.
    OtherAmount,
    /// A payment of three days ago.
    Late,
    /// A payment for an order that has expired meanwhile. Nothing is sent for one that has not.
    AfterExpiry,
    /// A message whose validity is over.
    Stale,
    /// Signed with a key that is not MPay's.
    WrongKey,
    /// The amount changed after the signature.
    Tampered,
    /// Signed with SHA-256 instead of SHA-1.
    Sha256,
    /// In the form that WCF writes.
    Wcf,
    /// In the form that Java's WSS4J writes.
    Wss4j,
    /// In the form that the government's .NET signing tool writes.
    DotNet,
}

impl Mischief {
    /// All of them, in the order in which they are offered.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Its name on the command line and in forms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Twice => "twice",
            Self::DropAnswer => "drop-answer",
            Self::OtherAmount => "other-amount",
            Self::Late => "late",
            Self::AfterExpiry => "after-expiry",
            Self::Stale => "stale",
            Self::WrongKey => "wrong-key",
            Self::Tampered => "tampered",
            Self::Sha256 => "sha256",
            Self::Wcf => "wcf",
            Self::Wss4j => "wss4j",
            Self::DotNet => "dot-net",
        }
    }

    /// The mischief of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::all().iter().copied().find(|kind| kind.name() == name)
    }

    /// Plays it on a payment. `confirmed` is true if the provider has confirmed that before.
    pub fn play(self, provider: &Provider, payment: &Confirmation, confirmed: bool) -> Trial {
        use Expected::{Fault, Success, SuccessOrBusy};
        let before = OrderState::ask(provider, payment);
        let send = |confirmation: &Confirmation, manner, expected| Step {
            sent: confirmation.clone(),
            entry: provider.confirm(confirmation, manner, Some(self.name())),
            expected,
            dropped: false,
        };
        let refused = Fault("AuthenticationFailed");
        let steps = match self {
            Self::Repeat => vec![
                send(payment, Manner::Usual, Success),
                send(payment, Manner::Usual, Success),
            ],
            Self::Twice => {
                let mut steps = thread::scope(|scope| {
                    let send = || send(payment, Manner::Usual, SuccessOrBusy);
                    let other = scope.spawn(send);
                    let mut steps = vec![send()];
                    steps.extend(other.join());
                    steps
                });
                steps.push(send(payment, Manner::Usual, Success));
                steps
            }
            Self::DropAnswer => {
                let mut lost = send(payment, Manner::Usual, Success);
                lost.dropped = true;
                vec![lost, send(payment, Manner::Usual, Success)]
            }
            Self::OtherAmount => vec![
                send(payment, Manner::Usual, Success),
                send(&dearer(payment), Manner::Usual, Fault("InvalidParameter")),
            ],
            Self::Late => vec![send(&older(payment), Manner::Usual, Success)],
            // For another order it would show nothing about expiry.
            Self::AfterExpiry if before.as_ref().is_some_and(|order| !order.has_expired()) => {
                Vec::new()
            }
            Self::AfterExpiry => vec![send(payment, Manner::Usual, Success)],
            Self::Stale => vec![send(payment, Manner::Stale, refused)],
            Self::WrongKey => vec![send(payment, Manner::WrongKey, refused)],
            Self::Tampered => vec![send(payment, Manner::Tampered, refused)],
            Self::Sha256 => vec![send(payment, Manner::Sha256, Success)],
            Self::Wcf => vec![send(payment, Manner::Shaped(Shape::Wcf), Success)],
            Self::Wss4j => vec![send(payment, Manner::Shaped(Shape::Wss4j), Success)],
            Self::DotNet => vec![send(payment, Manner::Shaped(Shape::DotNet), Success)],
        };
        let pays = !confirmed && steps.iter().any(|step| step.expected != refused);
        Trial {
            mischief: self,
            at: Timestamp::now(),
            expected_due: before
                .as_ref()
                .and_then(|order| order.due_after(pays.then_some(payment))),
            before,
            after: OrderState::ask(provider, payment),
            steps,
        }
    }
}

/// A mischief that was played.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The mischief.
    pub mischief: Mischief,
    /// The time at which it was over.
    pub at: Timestamp,
    /// The order before.
    pub before: Option<OrderState>,
    /// The messages that were sent, and their answers.
    pub steps: Vec<Step>,
    /// The order after.
    pub after: Option<OrderState>,
    /// The amount that must be due afterwards, where that can be told.
    pub expected_due: Option<Money>,
}

impl Trial {
    /// The verdict on the provider: nothing, if nothing was sent.
    pub fn verdict(&self) -> Option<bool> {
        let right = self.steps.iter().all(Step::passed) && self.due_is_right();
        (!self.steps.is_empty()).then_some(right)
    }

    /// True if the amount due afterwards is right, as far as that can be told.
    pub fn due_is_right(&self) -> bool {
        let after = self.after.as_ref().and_then(|order| order.due);
        self.expected_due.is_none_or(|due| after == Some(due))
    }

    /// True if the provider has confirmed the payment in the course of it.
    pub fn confirmed(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.entry.record.outcome == Outcome::Success)
    }
}

/// A message of a trial.
#[derive(Debug, Clone)]
pub struct Step {
    /// The confirmation that was signed; [`Mischief::Tampered`] sends another total.
    pub sent: Confirmation,
    /// The exchange.
    pub entry: Arc<Entry>,
    /// The answer of a right provider.
    pub expected: Expected,
    /// True if MPay acts as if the answer had never come.
    pub dropped: bool,
}

impl Step {
    /// True if the provider answered right.
    pub fn passed(&self) -> bool {
        match (&self.entry.record.outcome, self.expected) {
            (Outcome::Success, Expected::Success | Expected::SuccessOrBusy) => true,
            (Outcome::Fault(fault), Expected::Fault(code)) => fault.code == code,
            (Outcome::Fault(fault), Expected::SuccessOrBusy) => fault.code == "InternalError",
            _ => false,
        }
    }
}

/// The answer of a right provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Success.
    Success,
    /// Success, or `InternalError` for a call that waits for the other.
    SuccessOrBusy,
    /// A signed fault of this code.
    Fault(&'static str),
}

/// The state of an order, as GetOrderDetails tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderState {
    /// `Status`.
    pub status: String,
    /// `TotalAmountDue`.
    pub due: Option<Money>,
}

impl OrderState {
    /// The state in an answer.
    pub fn of(order: &OrderDetails) -> Self {
        Self {
            status: order.get("Status").unwrap_or_default().to_owned(),
            due: order
                .get("TotalAmountDue")
                .and_then(|due| Money::parse(due).ok()),
        }
    }

    fn has_expired(&self) -> bool {
        self.status == "Expired"
    }

    fn ask(provider: &Provider, payment: &Confirmation) -> Option<Self> {
        let order = provider.details(&payment.service_id, &payment.order_key, Language::Romanian);
        order.ok().as_ref().map(Self::of)
    }

    /// The amount due after a payment, or without one. An order that could not be paid is the provider's
    /// affair.
    fn due_after(&self, payment: Option<&Confirmation>) -> Option<Money> {
        let due = self.due?;
        let Some(payment) = payment else {
            return Some(due);
        };
        let payable = ["Active", "PartiallyPaid", "Expired"].contains(&self.status.as_str());
        let paid = Money::parse(&payment.total).ok()?;
        payable.then(|| due.saturating_sub(paid))
    }
}

/// The same payment with a leu more.
fn dearer(payment: &Confirmation) -> Confirmation {
    let leu = Money::parse("1").unwrap_or(Money::ZERO);
    let more = |amount: &str| match Money::parse(amount) {
        Ok(amount) => (amount + leu).to_string(),
        Err(_) => amount.to_owned(),
    };
    let mut dearer = payment.clone();
    dearer.total = more(&payment.total);
    if let Some((_, amount)) = dearer.lines.last_mut() {
        *amount = more(amount);
    }
    dearer
}

/// The same payment, made three days before.
fn older(payment: &Confirmation) -> Confirmation {
    let mut older = payment.clone();
    older.paid_at = Confirmation::paid_at(Timestamp::now() - SignedDuration::from_hours(72));
    older
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::journal::Record;

    #[test]
    fn names_are_those_of_the_command_line() {
        for kind in Mischief::all() {
            let value = kind.to_possible_value().unwrap();
            assert_eq!(value.get_name(), kind.name());
            assert_eq!(Mischief::of_name(kind.name()), Some(*kind));
        }
        assert_eq!(Mischief::of_name("Repeat"), None);
    }

    fn state(status: &str, due: &str) -> OrderState {
        OrderState {
            status: status.into(),
            due: Some(Money::parse(due).unwrap()),
        }
    }

    #[test]
    fn a_payment_is_due_off_once_and_only_where_the_order_can_be_paid() {
        let payment = Confirmation {
            total: "40.00".into(),
            ..Confirmation::default()
        };
        let after = |status: &str, paid: bool| {
            let due = state(status, "100.00").due_after(paid.then_some(&payment));
            due.map(|due| due.to_string())
        };
        assert_eq!(after("Active", true).as_deref(), Some("60.00"));
        assert_eq!(after("Active", false).as_deref(), Some("100.00"));
        assert_eq!(after("Cancelled", false).as_deref(), Some("100.00"));
        assert_eq!(after("Cancelled", true), None);
    }

    #[test]
    fn who_answers_right_and_books_twice_is_wrong() {
        let trial = |after: &str, steps| Trial {
            mischief: Mischief::Repeat,
            at: Timestamp::UNIX_EPOCH,
            before: Some(state("Active", "100.00")),
            steps,
            after: Some(state("PartiallyPaid", after)),
            expected_due: Some(Money::parse("60.00").unwrap()),
        };
        let step = || Step {
            sent: Confirmation::default(),
            entry: Arc::new(Entry {
                number: 1,
                record: Record {
                    at: Timestamp::UNIX_EPOCH,
                    operation: "ConfirmOrderPayment",
                    service_id: String::new(),
                    order_key: String::new(),
                    payment_id: None,
                    mischief: None,
                    request: String::new(),
                    answer: None,
                    signature: Err(String::new()),
                    outcome: Outcome::Success,
                    signing: Duration::ZERO,
                    waiting: Duration::ZERO,
                },
            }),
            expected: Expected::Success,
            dropped: false,
        };
        assert_eq!(trial("60.00", vec![step()]).verdict(), Some(true));
        assert_eq!(trial("20.00", vec![step()]).verdict(), Some(false));
        assert_eq!(trial("60.00", Vec::new()).verdict(), None);
    }
}
