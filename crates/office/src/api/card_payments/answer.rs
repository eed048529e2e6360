//! A payment by card, as the API answers it.

use serde::Serialize;

use super::super::{Problem, payments::RefundAnswer, query::Reached};
use crate::{
    cards::{Desk, unclear_until},
    domain::{PaymentId, time},
    json::{Capture, CardState, CommandKind, Ended, Outcome},
    store::{CardPayment, Command, Platform},
};

/// A payment by card.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct CardPaymentAnswer {
    /// The order number at the gateway. It is also the PaymentID of the payment.
    id: String,
    service_id: String,
    order_key: String,
    /// The amount that was requested.
    amount: String,
    currency: String,
    capture: Capture,
    /// The latest state that the gateway reported.
    state: CardState,
    /// The gateway's own word for that state.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_state: Option<String>,
    /// The reason why nothing more is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    started_at: String,
    /// The time until which the payer can pay; absent if `unattended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// The latest time at which the gateway's report becomes clear; absent if it is clear. Until then no other
    /// payment by card can be begun for the order, but the payer can pay through MPay.
    #[serde(skip_serializing_if = "Option::is_none")]
    unclear_until: Option<String>,
    /// The time of a decision to charge the held money whose call was stopped before the request was sent.
    /// Nothing repeats it: charge the payment or cancel it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
    /// The page to which to send the payer; absent if nothing can be paid there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_url: Option<String>,
    /// The part of the held or charged amount that is not refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<String>,
    /// The banks' reference number of the payment. A refund has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    rrn: Option<String>,
    /// The number of the card, of which only a few digits are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_number: Option<String>,
    /// The customer whose saved cards were offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// The saved card that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    /// True if the saved card was charged at once, in its holder's absence.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unattended: bool,
    /// Name of the principal who began the payment; absent if the payer did.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// With `ask=true`: the reason why the gateway did not report its state, so that `state` is the one known
    /// before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unanswered: Option<String>,
    /// The commands that were sent to the gateway with a password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<CommandAnswer>,
    /// The refunds, if the payment is recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<RefundAnswer>,
}

/// A command to the gateway.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "CardCommandAnswer"))]
pub(super) struct CommandAnswer {
    kind: CommandKind,
    amount: String,
    at: String,
    /// Name of the principal; absent if this provider decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The outcome; absent while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// The gateway's reason for a command that is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Payments by card.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct CardPaymentsAnswer {
    pub(super) card_payments: Vec<CardPaymentAnswer>,
    #[serde(flatten)]
    pub(super) reached: Reached,
}

/// Payments by card of an order.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "OrderCardPaymentsAnswer"))]
pub(super) struct OfOrderAnswer {
    pub(super) card_payments: Vec<CardPaymentAnswer>,
}

impl From<&Command> for CommandAnswer {
    fn from(command: &Command) -> Self {
        let outcome = command.outcome.as_ref().map(|(_, outcome)| outcome);
        Self {
            kind: command.command.kind,
            amount: command.command.amount.clone(),
            at: time::format(command.at),
            by: command.command.by.clone(),
            note: command.command.note.clone(),
            outcome: outcome.map(|outcome| outcome.outcome),
            reason: outcome.and_then(|outcome| outcome.reason.clone()),
        }
    }
}

/// A payment by card, as the API answers it.
pub(super) async fn answer<P: Platform>(
    desk: &Desk<'_, P>,
    payment: CardPayment,
) -> Result<CardPaymentAnswer, Problem> {
    let id = PaymentId::parse(payment.id()).map_err(Problem::internal)?;
    let seen = payment.seen.as_ref().map(|(_, seen)| seen);
    let is_paid = seen.is_some_and(|seen| seen.state.reach() == CardState::Paid.reach());
    let recorded = match is_paid {
        true => desk.store.payments().get(&id).await?,
        false => None,
    };
    let remaining = match &recorded {
        Some(recorded) => Some(recorded.state.remaining().to_string()),
        None => seen.and_then(|seen| seen.amount.clone()),
    };
    // After the payment is recorded, the gateway may report the number of a refund instead.
    let card = recorded
        .as_ref()
        .and_then(|recorded| recorded.payment.card.as_ref());
    let rrn = match card {
        Some(card) => card.rrn.clone(),
        None => seen.and_then(|seen| seen.rrn.clone()),
    };
    let refunds = recorded.iter().flat_map(|recorded| &recorded.state.refunds);
    let started = &payment.attempt.started;
    Ok(CardPaymentAnswer {
        id: started.payment_id.clone(),
        service_id: started.service_id.clone(),
        order_key: started.order_key.clone(),
        amount: started.amount.clone(),
        currency: started.currency.clone(),
        capture: started.capture,
        state: seen.map_or(CardState::Open, |seen| seen.state),
        gateway_state: seen.map(|seen| seen.written.clone()),
        ended: payment.ended,
        started_at: time::format(payment.started_at),
        expires_at: (!payment.attempt.unattended).then(|| time::format(payment.expires_at())),
        unclear_until: unclear_until(&payment, desk.store.now()).map(time::format),
        decided_at: desk.decided(&payment).await?.map(time::format),
        redirect_url: desk.redirect_url(&payment)?,
        remaining,
        rrn,
        masked_number: seen.and_then(|seen| seen.masked_number.clone()),
        customer: payment.attempt.customer.clone(),
        card: payment.attempt.card.clone(),
        unattended: payment.attempt.unattended,
        by: started.by.clone(),
        unanswered: None,
        commands: payment.commands.iter().map(CommandAnswer::from).collect(),
        refunds: refunds.map(RefundAnswer::from).collect(),
    })
}
