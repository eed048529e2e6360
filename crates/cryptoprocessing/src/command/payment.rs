//! Commands about a payment, at both interfaces.

use super::{
    Command, Interface, Request, StateCommand, Terminal,
    form::{Form, sendable},
};
use crate::{
    answer::{self, Answer, Expected, Outcome, StateAnswer},
    data::Data,
    value::{OrderId, Unsendable},
};

/// `GetState`, or `PayStatus`: asks for the state of a payment. Only the state tells what was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetState {
    /// The payment.
    pub order_id: OrderId,
}

impl Command for GetState {
    type Outcome = StateAnswer;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let (command, id) = (terminal.state_command.name(), self.order_id.as_str());
        Ok(match (terminal.state_command, terminal.interface) {
            (StateCommand::PayStatus, Interface::Wallet) => {
                terminal.data_form(command, Data::default().exact("OrderId", id)?)
            }
            _ => Form::new(&terminal.path, command)
                .field("Key", &terminal.id)
                .field("OrderId", id)
                .finish(),
        })
    }

    fn outcome(&self, terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        let expected = Expected {
            command: terminal.state_command.name(),
            order: Some(&self.order_id),
            customer: None,
        };
        answer::state(&expected, status, body)
    }
}

/// `Charge`: takes the money that is held, once. The payment must be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The payment.
    pub order_id: OrderId,
    /// The amount to take, at most the amount held; `None` for all of it.
    pub amount: Option<u64>,
}

/// `Unblock`: releases all the money that is held. The payment must be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unblock {
    /// The payment.
    pub order_id: OrderId,
}

/// `Refund`: gives back the money that was taken, or a part of it, as often as something remains.
///
/// The gateway cannot tell two refunds of the same amount from each other: do not repeat a refund whose
/// outcome is unknown before the payment's state has settled it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The payment.
    pub order_id: OrderId,
    /// The amount to give back; `None` for all that remains.
    pub amount: Option<u64>,
}

impl Command for Charge {
    /// The amount that was taken, if the gateway tells it.
    type Outcome = Outcome<Option<u64>>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let form = terminal.form("Charge").password(terminal);
        let form = form.field("OrderId", self.order_id.as_str());
        Ok(form.amount(self.amount)?.finish())
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        of_order("Charge", &self.order_id, status, body).then(|answer| answer.amount("Amount"))
    }
}

impl Command for Unblock {
    /// The amount that remains held, if the gateway tells it: zero.
    type Outcome = Outcome<Option<u64>>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let form = terminal.form("Unblock").password(terminal);
        Ok(form.field("OrderId", self.order_id.as_str()).finish())
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        of_order("Unblock", &self.order_id, status, body).then(|answer| answer.amount("NewAmount"))
    }
}

impl Command for Refund {
    /// The amount that remains with the merchant, if the gateway tells it.
    type Outcome = Outcome<Option<u64>>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let id = self.order_id.as_str();
        match terminal.interface {
            Interface::ApPay => {
                let form = terminal.form("Refund").password(terminal);
                Ok(form.field("OrderId", id).amount(self.amount)?.finish())
            }
            Interface::Wallet => {
                let mut data = Data::default()
                    .hidden("Password", terminal.password.reveal())?
                    .exact("OrderId", id)?;
                if let Some(amount) = self.amount {
                    data = data.exact("Amount", &sendable(amount)?)?;
                }
                Ok(terminal.data_form("Refund", data))
            }
        }
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        of_order("Refund", &self.order_id, status, body).then(|answer| answer.amount("NewAmount"))
    }
}

fn of_order(
    command: &'static str,
    order_id: &OrderId,
    status: u16,
    body: &[u8],
) -> Outcome<Answer> {
    let expected = Expected {
        command,
        order: Some(order_id),
        customer: None,
    };
    answer::outcome(&expected, status, body)
}
