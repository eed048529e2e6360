//! Payments by card, at the institution's own gateway. Only the gateway's state is believed, and only when this
//! provider asks for it. A payer's return and a notification from the gateway are reasons to ask, and nothing
//! else.
//!
//! `settings`: the variables. `gateway`: one request, and its answer. `observe`: asks for the state of a
//! payment, and records the consequences; it may run any number of times, also concurrently. `money`: money
//! taken, refunded or disputed. `holds`: decisions about held money. `begin`: beginning a payment. `command`:
//! charging, releasing and refunding. `wallet`: customers, and their saved cards. `check`: the questions of a
//! timer. `public`: the two addresses that need no token.

mod begin;
mod check;
mod command;
mod gateway;
mod holds;
mod money;
mod observe;
mod public;
mod settings;
#[cfg(test)]
mod tests;
mod wallet;

use cryptoprocessing::{ErrCode, Group};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    App,
    api::Problem,
    config::Config,
    domain::{LineId, Money, OrderState, OrderStatus, PaymentId},
    json::PaymentLineJson,
    store::{CardPayment, Ledger, Platform, RegisterError},
};
pub use begin::{Kept, Why, Wish, kept_by_books, unclear_until};
#[cfg(feature = "description")]
pub use check::Checked;
pub use command::{Became, Order, reason};
pub use observe::Looked;
pub use public::{PUBLIC, answer as public};
use settings::CardTerminal;
pub use settings::{Cards, Refunding, VARIABLES, wanted};
pub use wallet::{Wallet, refused, told};

/// The tools of a call that concerns payments by card.
pub struct Desk<'a, P> {
    /// The state that the instance keeps between requests.
    pub app: &'a App,
    /// The deployment's configuration.
    pub config: &'a Config,
    /// The gateway.
    pub cards: &'a Cards,
    /// The books.
    pub store: &'a Ledger<P>,
}

impl<P: Platform> Desk<'_, P> {
    /// The terminal at which a payment was begun.
    fn terminal(&self, payment: &CardPayment) -> Result<&CardTerminal, Problem> {
        let name = &payment.attempt.started.terminal;
        self.cards.named(name).ok_or_else(|| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The payment was begun at a terminal that is not configured any more: give card_terminals the old one as well.",
            )
        })
    }

    /// Sends an alert to the receivers of webhooks. The same alert is sent once a day at most.
    async fn alert(&self, name: &str, detail: Value) -> Result<(), Problem> {
        if let Some(notifier) = self.config.notifier(self.app, self.store) {
            notifier.of_cards(name, &detail).await?;
        }
        Ok(())
    }

    /// Sends an alert about an error code whose cause is a mistake in the configuration.
    async fn alert_of(&self, code: &ErrCode) -> Result<(), Problem> {
        if code.group() == Group::Configuration {
            let code = code.as_str();
            self.alert("configuration", json!({"code": code})).await?;
        }
        Ok(())
    }
}

/// The problem for a change of an order that was not made.
fn busy<E>(error: RegisterError<E>) -> Problem {
    match error {
        RegisterError::Store(error) => error.into(),
        _ => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Another call is changing the order; try again.",
        )
        .retry_after(1),
    }
}

/// An amount in minor units, as the gateway counts.
fn minor_units(amount: Money) -> Result<u64, Problem> {
    u64::try_from(amount.hundredths()).map_err(Problem::internal)
}

/// An amount of a record that this program wrote.
fn amount(text: &str) -> Result<Money, Problem> {
    Money::parse(text).map_err(Problem::internal)
}

/// The id of a payment, which this program chose.
fn id_of(payment: &CardPayment) -> Result<PaymentId, Problem> {
    PaymentId::parse(payment.id()).map_err(Problem::internal)
}

/// The amount by which an order can be paid now: `amount` if it is given, else the amount due. `Err` has the
/// reason why it cannot be paid.
fn payable(
    state: &OrderState,
    now: jiff::Timestamp,
    currency: crate::domain::Currency,
    amount: Option<Money>,
) -> Result<Money, String> {
    let Some(order) = state.order() else {
        return Err("There is no such order.".to_owned());
    };
    let status = state.status(now);
    if !matches!(status, OrderStatus::Active | OrderStatus::PartiallyPaid) {
        return Err(format!(
            "The order is {}, and cannot be paid.",
            status.as_str()
        ));
    }
    if state.opens_at(now).is_some() {
        return Err("The order cannot be paid yet.".to_owned());
    }
    if order.currency != currency {
        return Err(format!(
            "The order is in {}, and cards are charged in {}.",
            order.currency.as_str(),
            currency.as_str()
        ));
    }
    let due = state.amount_due(now);
    let Some(amount) = amount.or(due) else {
        return Err("The order's amount is for the payer to choose: send amount.".to_owned());
    };
    let is_short = due.is_some_and(|due| amount < due) && !order.allow_partial_payments;
    let is_over = due.is_some_and(|due| amount > due) && !order.allow_advance_payments;
    let is_less = order.min_payment.is_some_and(|least| amount < least);
    let is_more = order.max_payment.is_some_and(|most| amount > most);
    match due {
        _ if amount.is_zero() => Err("The amount must be more than zero.".to_owned()),
        Some(due) if is_short || is_over => Err(format!(
            "{due} is due, and {} may be paid.",
            if is_short { "no less" } else { "no more" }
        )),
        _ if is_less || is_more => Err("The amount is beyond the order's limits.".to_owned()),
        _ => Ok(amount),
    }
}

/// The division of an amount over the lines of an order. Lines are filled in their order; the rest goes to the
/// first line.
fn lines(state: &OrderState, now: jiff::Timestamp, amount: Money) -> Vec<PaymentLineJson> {
    let Some(order) = state.order() else {
        return Vec::new();
    };
    let due = state.lines_due(now).into_iter().filter_map(|line| {
        let id = order.lines.get(line.position)?.line_id.clone();
        Some((id, line.amount.unwrap_or(Money::ZERO)))
    });
    divided(due.collect(), amount)
}

/// Fills lines up to their amounts, in their order; the rest goes to the first line.
fn divided(lines: Vec<(LineId, Money)>, amount: Money) -> Vec<PaymentLineJson> {
    let mut left = amount;
    let mut filled: Vec<_> = lines
        .into_iter()
        .map(|(id, due)| {
            let part = due.min(left);
            left = left.saturating_sub(part);
            (id, part)
        })
        .collect();
    if let Some((_, part)) = filled.first_mut() {
        *part = *part + left;
    }
    let filled = filled.into_iter().filter(|(_, part)| !part.is_zero());
    filled
        .map(|(id, part)| PaymentLineJson {
            line_id: id.to_string(),
            amount: part.to_string(),
            bank_account: None,
            properties: Vec::new(),
        })
        .collect()
}
