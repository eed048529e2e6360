//! A payment, and the money that moved for it.

use crate::{
    card::{Card, Step},
    wire::Interface,
};

/// The state of a payment, by the gateway's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A session was opened.
    SessionInited,
    /// The page was opened.
    New,
    /// The payer is at 3-D Secure.
    PreAuthorized3ds,
    /// Money is held.
    Authorized,
    /// Money was taken.
    Charged,
    /// All the money was given back.
    Refunded,
    /// The hold was released.
    Voided,
    /// The hold lapsed.
    AuthorizationClosed,
    /// The last attempt failed.
    Rejected,
    /// The holder of the card disputes it.
    Chargeback,
}

impl State {
    /// Its name in an answer.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SessionInited => "Session_Inited",
            Self::New => "New",
            Self::PreAuthorized3ds => "PreAuthorized3DS",
            Self::Authorized => "Authorized",
            Self::Charged => "Charged",
            Self::Refunded => "Refunded",
            Self::Voided => "Voided",
            Self::AuthorizationClosed => "AuthorizationClosed",
            Self::Rejected => "Rejected",
            Self::Chargeback => "Chargeback",
        }
    }
}

/// A payment. Amounts are in minor units.
#[derive(Debug, Clone)]
pub struct Order {
    /// `OrderId`.
    pub id: String,
    /// The interface that it came by.
    pub interface: Interface,
    /// Its state.
    pub state: State,
    /// True if paying only holds the money.
    pub holds: bool,
    /// The amount that was asked for.
    pub asked: u64,
    /// The amount that is held now.
    pub held: u64,
    /// The whole amount that was ever taken.
    pub taken: u64,
    /// The whole amount that was ever given back.
    pub given_back: u64,
    /// The amount of each refund.
    pub refunds: Vec<u64>,
    /// The number of attempts to pay.
    pub tries: u32,
    /// The code of the last attempt, if it failed.
    pub code: Option<&'static str>,
    /// The card.
    pub card: Option<&'static Card>,
    /// `CardId`, of a saved card.
    pub card_id: Option<String>,
    /// `VWUserLgn`.
    pub customer: Option<String>,
    /// True if a saved card was charged in its holder's absence.
    pub is_unattended: bool,
    /// The bank's reference of the last operation.
    pub rrn: Option<String>,
}

impl Order {
    /// The amount taken and not given back.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.taken.saturating_sub(self.given_back)
    }

    /// True if it can be paid.
    pub(crate) fn is_payable(&self) -> bool {
        matches!(
            self.state,
            State::SessionInited | State::New | State::PreAuthorized3ds | State::Rejected
        )
    }

    /// The amount that an answer tells.
    pub(crate) const fn amount(&self) -> u64 {
        match self.state {
            State::Authorized => self.held,
            State::Charged | State::Chargeback => self.remaining(),
            State::Refunded | State::Voided | State::AuthorizationClosed => 0,
            _ => self.asked,
        }
    }

    pub(crate) fn pay(&mut self, card: &'static Card) {
        self.card = Some(card);
        self.code = None;
        if self.holds {
            self.state = State::Authorized;
            self.held = self.asked;
        } else {
            self.state = State::Charged;
            self.taken = self.asked;
        }
    }

    pub(crate) fn fail(&mut self, card: Option<&'static Card>, code: &'static str) {
        self.state = State::Rejected;
        self.card = card;
        self.code = Some(code);
    }

    /// Takes the amount that is held, or less. Gives the amount taken.
    pub(crate) fn charge(&mut self, amount: Option<u64>) -> Result<u64, &'static str> {
        if self.state != State::Authorized {
            return Err("ILLEGAL_ORDER_STATE");
        }
        let amount = amount.unwrap_or(self.held);
        if amount == 0 || amount > self.held {
            return Err("AMOUNT_ERROR");
        }
        self.allowed(Step::Charge, amount)?;
        self.state = State::Charged;
        (self.taken, self.held) = (amount, 0);
        Ok(amount)
    }

    /// Releases the amount that is held.
    pub(crate) fn release(&mut self) -> Result<u64, &'static str> {
        if self.state != State::Authorized {
            return Err("ILLEGAL_ORDER_STATE");
        }
        self.allowed(Step::Unblock, self.held)?;
        self.state = State::Voided;
        self.held = 0;
        Ok(0)
    }

    /// Gives back the amount that was taken, or a part of it. The result is the amount that remains.
    pub(crate) fn refund(&mut self, amount: Option<u64>) -> Result<u64, &'static str> {
        if self.state != State::Charged {
            return Err("ILLEGAL_ORDER_STATE");
        }
        let amount = amount.unwrap_or(self.remaining());
        if amount == 0 || amount > self.remaining() {
            return Err("AMOUNT_ERROR");
        }
        self.allowed(Step::Refund, amount)?;
        self.given_back += amount;
        self.refunds.push(amount);
        if self.remaining() == 0 {
            self.state = State::Refunded;
        }
        Ok(self.remaining())
    }

    fn allowed(&self, step: Step, amount: u64) -> Result<(), &'static str> {
        match self.card.and_then(|card| card.refuses(step, amount)) {
            Some(code) => Err(code),
            None => Ok(()),
        }
    }

    pub(crate) fn is_slow(&self, step: Step) -> bool {
        self.card.is_some_and(|card| card.is_slow(step))
    }
}
