//! Commands: charge held money, release it, refund. Each command is written into the payment's list before it
//! is sent, one at a time. The gateway's state tells if it was carried out.

use cryptoprocessing::{
    CardId, Charge, Command as _, CustomerId, OrderId, PaySaved, Refund, Unblock,
};
use http::StatusCode;
use mpay_door::{Unanswered, log::log};
use mutation::{Mutation, mutated};

use super::{
    Desk, amount, busy,
    gateway::{Exchange, order_id},
    id_of, minor_units,
    money::is_in_the_books,
    observe::{Looked, Refusal},
    payable,
};
use crate::{
    api::Problem,
    domain::{Money, OrderKey, PaymentId, ServiceId, SetStatus, time},
    json::{CardState, CommandJson, CommandKind, Outcome, OutcomeJson},
    store::{
        CardEntry, CardPayment, Command, NotTaken, Platform, RegisterError, StoredOrder,
        StoredPayment,
    },
};

/// The reason of a command that was certainly never sent.
pub(super) const NOT_SENT: &str = "not sent";

/// A command that a caller wants carried out.
#[derive(Debug, Clone)]
pub struct Order {
    /// The kind of command.
    pub kind: CommandKind,
    /// The amount; `None` for all of it.
    pub amount: Option<Money>,
    /// The reason for a refund.
    pub note: Option<String>,
    /// Name of the principal.
    pub by: String,
    /// Digests of the idempotency key and of the request's content; `None` if the request cannot be repeated.
    pub request: Option<[String; 2]>,
    /// True if the caller has looked for the refunds whose outcome is unseen, and they were not made.
    pub checked: bool,
    /// True if the caller knows that the order was refunded by other means, and wants this refund in addition.
    pub despite_refunded: bool,
}

/// The outcome of a command.
#[derive(Debug)]
pub enum Became {
    /// It is carried out.
    Done(Box<CardPayment>),
    /// Its outcome is not known yet.
    Open(Box<CardPayment>),
    /// It is not carried out, for this reason.
    Refused(String),
}

fn conflict(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, detail)
}

impl<P: Platform> Desk<'_, P> {
    /// Charges held money, or releases it. A repetition changes nothing.
    ///
    /// # Errors
    /// A [`Problem`] if the command is refused, or if the gateway does not tell the state.
    pub async fn settle(&self, id: &PaymentId, order: &Order) -> Result<Became, Problem> {
        let payment = self.asked(id).await?;
        let state = payment.seen.as_ref().map(|(_, seen)| seen.state);
        let (wanted, other) = match order.kind {
            CommandKind::Charge => (CardState::Paid, CardState::Released),
            _ => (CardState::Released, CardState::Paid),
        };
        if state == Some(wanted) {
            return Ok(Became::Done(Box::new(payment)));
        }
        if let Some(open) = payment.open_command() {
            return match open.command.kind == order.kind {
                true => Ok(Became::Open(Box::new(payment))),
                false => Err(at_work()),
            };
        }
        if state != Some(CardState::Held) {
            let of = match state == Some(other) {
                true => "It is settled the other way already.",
                false => "Nothing is held on the card.",
            };
            return Err(conflict(of));
        }
        if order.kind == CommandKind::Charge && payment.ended.is_some() {
            return Err(given_up());
        }
        let started = &payment.attempt.started;
        let held = payment
            .seen
            .as_ref()
            .and_then(|(_, seen)| seen.amount.clone());
        let held = amount(held.as_deref().unwrap_or(&started.amount))?;
        let charged = order.amount.unwrap_or(held);
        if order.kind == CommandKind::Charge {
            if charged.is_zero() || charged > held {
                let detail = format!("must be more than zero and no more than is held: {held}");
                return Err(Problem::member("amount", detail));
            }
            match self.may_take(&payment, charged).await? {
                Ok(()) => {}
                Err(NotTaken::Refused(why)) => return Err(conflict(why)),
                Err(NotTaken::Other(id)) => {
                    return Err(conflict(format!(
                        "Another payment by card of the order is being taken, {id}. Ask for that one, or charge or cancel it, and then try again."
                    ))
                    .retry_after(60));
                }
            }
        }
        let command = CommandJson {
            kind: order.kind,
            amount: charged.to_string(),
            remaining: None,
            note: order.note.clone(),
            by: Some(order.by.clone()),
            request: None,
            checked: false,
        };
        let count = payment.commands.len();
        let looked = self.send(payment, command).await?;
        Ok(done(looked, count))
    }

    /// Decides if held money may be charged, with this amount. The decision is written into the order before
    /// the gateway is told. So of several holds of one order only one is charged, however many calls decide at
    /// the same time. `Err` has the reason for a refusal.
    pub(super) async fn may_take(
        &self,
        payment: &CardPayment,
        amount: Money,
    ) -> Result<Result<(), NotTaken>, Problem> {
        let (service, key) = self.record_address(payment)?;
        let judge = |stored: &StoredOrder| {
            let now = self.store.now();
            let judged = payable(&stored.state, now, self.cards.currency, Some(amount));
            match judged {
                Err(why) if !mutated(Mutation::ChargedTwice) => Err(why),
                _ => Ok(()),
            }
        };
        let cards = self.store.card_payments();
        let (id, charges) = (id_of(payment)?, payment.charges());
        match cards.take(&id, &service, &key, charges, judge).await {
            Ok(()) => Ok(Ok(())),
            Err(RegisterError::Unfit(why)) => Ok(Err(why)),
            Err(error) => Err(busy(error)),
        }
    }

    /// Refunds money. A repetition of the same request does not refund it again.
    ///
    /// # Errors
    /// A [`Problem`] if the refund is refused; nothing is sent then.
    pub async fn refund(&self, id: &PaymentId, order: &Order) -> Result<Became, Problem> {
        if let Some(known) = self.repeated(id, order).await? {
            return Ok(known);
        }
        // The state is asked for immediately before, so that the remaining amount is certain, whatever was done
        // in the cabinet.
        let payment = self.asked(id).await?;
        if payment.open_command().is_some() {
            return Err(at_work());
        }
        let state = payment.seen.as_ref().map(|(_, seen)| seen.state);
        let recorded = self.store.payments().get(id).await?;
        let recorded = recorded.filter(|recorded| recorded.payment.card.is_some());
        let (Some(recorded), Some(CardState::Paid)) = (recorded, state) else {
            return Err(conflict("Nothing of it was taken, or nothing remains."));
        };
        if !order.checked
            && let Some(lost) = lost(&payment, &recorded).next()
        {
            let (amount, at) = (&lost.command.amount, time::format(lost.at));
            return Err(conflict(format!(
                "The refund of {amount} that was sent at {at} may be done yet: the gateway did not say, and nothing of it was seen. Look for it in the gateway's cabinet. If it is not there, a manager sends this with checked_in_cabinet true."
            )));
        }
        if !order.despite_refunded {
            self.not_refunded(&payment).await?;
        }
        let remaining = recorded.state.remaining();
        let back = order.amount.unwrap_or(remaining);
        if back.is_zero() || back > remaining {
            let detail = format!("must be more than zero and no more than remains: {remaining}");
            return Err(Problem::member("amount", detail));
        }
        let command = CommandJson {
            kind: CommandKind::Refund,
            amount: back.to_string(),
            remaining: Some(remaining.saturating_sub(back).to_string()),
            note: order.note.clone(),
            by: Some(order.by.clone()),
            request: order.request.clone(),
            checked: order.checked,
        };
        let count = payment.commands.len();
        let looked = self.send(payment, command).await?;
        Ok(done(looked, count))
    }

    /// Refuses a refund of money that was already refunded: somebody has set the order to `Refunded`, by
    /// another means than the card.
    async fn not_refunded(&self, payment: &CardPayment) -> Result<(), Problem> {
        let (service, key) = self.record_address(payment)?;
        let found = self.store.orders().get(&service, &key).await?;
        let order = found.as_ref().and_then(|found| found.state.order());
        let order = order.filter(|order| order.set_status == Some(SetStatus::Refunded));
        let Some(order) = order else {
            return Ok(());
        };
        let reference = order.refund_reference.as_ref();
        let reference = reference.map(|reference| format!(" as {}", reference.as_str()));
        Err(conflict(format!(
            "The order is Refunded{}: its money was given back in another way. If this is to be given back by card all the same, a manager sends this with despite_refunded true.",
            reference.unwrap_or_default()
        )))
    }

    /// The outcome of the same request, if it was made before.
    async fn repeated(&self, id: &PaymentId, order: &Order) -> Result<Option<Became>, Problem> {
        let payment = self.store.card_payments().get(id).await?;
        let payment = payment.ok_or_else(no_such_payment)?;
        let Some([name, content]) = &order.request else {
            return Ok(None);
        };
        let is_it = |known: &&Command| {
            let request = known.command.request.as_ref();
            request.is_some_and(|[known, _]| known == name)
        };
        let Some(known) = payment.commands.iter().find(is_it) else {
            return Ok(None);
        };
        let same = known.command.request.as_ref();
        if same.is_none_or(|[_, known]| known != content) {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key was used for another refund. Use a new one.",
            ));
        }
        let place = known.place;
        let is_open = known.outcome.is_none();
        let payment = match is_open {
            true => *told(self.look(payment).await?),
            false => payment,
        };
        let position = payment
            .commands
            .iter()
            .position(|known| known.place == place);
        let looked = Looked::Told(Box::new(payment));
        Ok(Some(done(looked, position.unwrap_or(usize::MAX))))
    }

    /// A payment, with its present state from the gateway.
    async fn asked(&self, id: &PaymentId) -> Result<CardPayment, Problem> {
        match self.observe(id).await? {
            None => Err(no_such_payment()),
            Some(Looked::Told(payment)) => Ok(*payment),
            Some(Looked::Silent(_, reason)) => Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("The card gateway did not tell the payment's state, and nothing was sent: {reason}"),
            )
            .retry_after(30)),
        }
    }

    /// The service and key of a payment's order.
    pub(super) fn record_address(
        &self,
        payment: &CardPayment,
    ) -> Result<(ServiceId, OrderKey), Problem> {
        let started = &payment.attempt.started;
        let service = ServiceId::parse(&started.service_id).map_err(Problem::internal)?;
        let key = OrderKey::parse(&started.order_key).map_err(Problem::internal)?;
        Ok((service, key))
    }

    /// Writes a command into the list and sends it, unless another entry came first; then asks for the outcome.
    pub(super) async fn send(
        &self,
        payment: CardPayment,
        command: CommandJson,
    ) -> Result<Looked, Problem> {
        let id = id_of(&payment)?;
        let count = payment.commands.len();
        let judge = |now: &CardPayment| {
            let is_given_up = match command.kind {
                // No command was sent for too long, so the payment was given up.
                CommandKind::Pay => now.not_opened.is_some(),
                // Another hold of the order may have been charged since.
                CommandKind::Charge => now.ended.is_some(),
                CommandKind::Cancel | CommandKind::Refund => false,
            };
            let is_free = now.open_command().is_none() && now.commands.len() == count;
            (is_free && !is_given_up).then(|| CardEntry::Command(command.clone()))
        };
        let appended = self.store.card_payments().append(&id, None, judge).await?;
        let (payment, place) = match appended {
            Some((payment, Some(place))) => (payment, place),
            Some((payment, None))
                if command.kind == CommandKind::Charge && payment.ended.is_some() =>
            {
                // The decision may have been written after the end, and then no other call would take it back.
                self.leave(&payment).await?;
                return Err(given_up());
            }
            _ => return Err(at_work()),
        };
        let (exchange, refusal) = self.sent(&payment, &command).await?;
        if let Err(Unanswered::NotSent(reason)) = &exchange.answer {
            let entry = OutcomeJson {
                command: place,
                outcome: Outcome::NotDone,
                reason: Some(NOT_SENT.to_owned()),
            };
            let judge = |payment: &CardPayment| {
                let open = payment.open_command();
                open.filter(|open| open.place == place)
                    .map(|_| CardEntry::Outcome(entry.clone()))
            };
            self.append(&id, None, judge).await?;
            log!("a command was not sent to the card gateway: {reason}");
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("The card gateway cannot be reached, and nothing was done: {reason}"),
            )
            .retry_after(30));
        }
        let refusal: Option<Refusal> = refusal.map(|code| (place, code));
        self.look_after(payment, refusal.as_ref()).await
    }

    /// The command that charges the saved card of a payment.
    fn pay_saved(
        &self,
        payment: &CardPayment,
        order_id: OrderId,
        amount: u64,
    ) -> Result<PaySaved, Problem> {
        let attempt = &payment.attempt;
        let (Some(customer), Some(card)) = (&attempt.customer, &attempt.card) else {
            return Err(Problem::internal("a saved card of nobody"));
        };
        let customer = CustomerId::parse(customer).map_err(Problem::internal)?;
        let customer = self.cards.customer(&customer).map_err(Problem::internal)?;
        Ok(PaySaved {
            customer: customer.ok_or_else(|| Problem::internal("no Wallet"))?,
            card: CardId::parse(card).map_err(Problem::internal)?,
            order_id,
            amount,
        })
    }

    /// Sends a command. Returns the exchange, and the error code if the gateway certainly refused.
    async fn sent(
        &self,
        payment: &CardPayment,
        command: &CommandJson,
    ) -> Result<(Exchange, Option<String>), Problem> {
        let terminal = &self.terminal(payment)?.terminal;
        let order_id = order_id(payment.id())?;
        let amount = minor_units(amount(&command.amount)?)?;
        macro_rules! exchange {
            ($command:expr) => {{
                let command = $command;
                let request = command.request(terminal).map_err(Problem::internal)?;
                let exchange = self.exchange(&request).await?;
                let refused = match &exchange.answer {
                    Ok((status, body)) => match command.outcome(terminal, *status, body) {
                        cryptoprocessing::Outcome::Refused(code) => Some(code),
                        _ => None,
                    },
                    Err(_) => None,
                };
                (exchange, refused)
            }};
        }
        let (exchange, refused) = match command.kind {
            CommandKind::Charge => exchange!(Charge {
                order_id,
                amount: Some(amount)
            }),
            CommandKind::Cancel => exchange!(Unblock { order_id }),
            CommandKind::Refund => {
                let order_id = &order_id;
                let refund = || Refund {
                    order_id: order_id.clone(),
                    amount: Some(amount),
                };
                let sent = exchange!(refund());
                match sent.0.answer.is_err() && mutated(Mutation::RefundSentAgain) {
                    true => exchange!(refund()),
                    false => sent,
                }
            }
            CommandKind::Pay => exchange!(self.pay_saved(payment, order_id, amount)?),
        };
        if let Some(code) = &refused {
            self.alert_of(code).await?;
        }
        Ok((exchange, refused.map(|code| code.as_str().to_owned())))
    }
}

/// Refunds whose outcome is unseen, and that no refund in the books can be.
pub(super) fn lost<'a>(
    payment: &'a CardPayment,
    recorded: &'a StoredPayment,
) -> impl Iterator<Item = &'a Command> {
    let unseen = payment.unseen_refunds();
    unseen.filter(|known| !is_in_the_books(known, recorded))
}

fn told(looked: Looked) -> Box<CardPayment> {
    match looked {
        Looked::Told(payment) | Looked::Silent(payment, _) => payment,
    }
}

/// The outcome of the command at a position.
fn done(looked: Looked, position: usize) -> Became {
    let payment = told(looked);
    let outcome = payment.commands.get(position).and_then(|command| {
        let (_, outcome) = command.outcome.as_ref()?;
        Some(outcome.clone())
    });
    match outcome {
        None => Became::Open(payment),
        Some(outcome) if outcome.outcome == Outcome::Done => Became::Done(payment),
        Some(outcome) => Became::Refused(reason(outcome)),
    }
}

/// The reason why a command is not carried out.
pub fn reason(outcome: OutcomeJson) -> String {
    let unknown = match outcome.outcome {
        Outcome::Unseen => "it did not say, and nothing of it was seen for fifteen minutes",
        _ => "it had no effect",
    };
    outcome.reason.unwrap_or_else(|| unknown.to_owned())
}

fn at_work() -> Problem {
    conflict("A command of this payment is at work, and it is not known yet what came of it. Try again later.")
        .retry_after(60)
}

fn given_up() -> Problem {
    conflict(
        "Nothing more is expected of this hold: it was released, or it is older than any hold lasts, eight days. So another payment may have been taken in its place, and it is not charged any more. If the gateway holds it yet, cancel it, and let the payer begin another payment.",
    )
}

pub(super) fn no_such_payment() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "No payment by card of this id was begun.",
    )
}
