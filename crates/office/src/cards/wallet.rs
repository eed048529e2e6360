//! Customers of the gateway's interface Wallet, and their saved cards. This provider stores nothing about them:
//! each call asks the gateway, and each may be repeated.

use std::time::Duration;

use cryptoprocessing::{
    Command, Customer, CustomerId, ErrCode, Group, Init, Opened, Outcome, Purpose, WalletError,
};
use http::StatusCode;
use mpay_door::{Unanswered, log::log};

use super::{CardTerminal, Desk, gateway::TIME};
use crate::{api::Problem, domain::ServiceId, store::Platform};

/// The least time that must be left for a question to be asked.
const LEAST: Duration = Duration::from_secs(1);

/// A customer at a terminal of the Wallet.
pub struct Wallet<'a, P> {
    desk: &'a Desk<'a, P>,
    terminal: &'a CardTerminal,
    customer: Customer,
    /// The monotonic time of the call. All questions of the call together have the time of one.
    began: Duration,
}

impl<'a, P: Platform> Wallet<'a, P> {
    /// A customer, at the terminal of a service, or at the terminal for all services.
    ///
    /// # Errors
    /// A [`Problem`] if there is no Wallet.
    pub fn new(
        desk: &'a Desk<'a, P>,
        service: Option<&ServiceId>,
        id: &CustomerId,
    ) -> Result<Self, Problem> {
        let terminal = desk.cards.wallet(service);
        let customer = desk.cards.customer(id).map_err(Problem::internal)?;
        let (Some(terminal), Some(customer)) = (terminal, customer) else {
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "Customers are at the gateway's interface Wallet, which is not configured: see card_interface. Where services have their own terminals, name one with service_id.",
            ));
        };
        Ok(Self {
            desk,
            terminal,
            customer,
            began: desk.store.platform().monotonic(),
        })
    }

    /// The customer.
    pub fn customer(&self) -> &Customer {
        &self.customer
    }

    /// Asks the gateway to do something. `Ok(Err(_))` if the gateway refused.
    ///
    /// # Errors
    /// A [`Problem`] if the outcome is not known. The same call may be repeated without harm.
    pub async fn ask<T>(
        &self,
        command: &impl Command<Outcome = Outcome<T>>,
    ) -> Result<Result<T, ErrCode>, Problem> {
        let terminal = &self.terminal.terminal;
        let request = command.request(terminal);
        let request = request.map_err(|error| {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("The gateway does not take this: {error}."),
            )
        })?;
        let now = self.desk.store.platform().monotonic();
        let left = TIME.saturating_sub(now.saturating_sub(self.began));
        if left < LEAST {
            return Err(unknown("the gateway took too long for what came before"));
        }
        let exchange = self.desk.exchange_within(left, &request).await?;
        let outcome = match &exchange.answer {
            Ok((status, body)) => Ok(command.outcome(terminal, *status, body)),
            Err(unanswered) => Err(unanswered),
        };
        match outcome {
            Ok(Outcome::Done(done)) => Ok(Ok(done)),
            Ok(Outcome::Refused(code)) => {
                self.desk.alert_of(&code).await?;
                Ok(Err(code))
            }
            Ok(Outcome::Unknown(unclear)) => Err(unknown(&unclear.to_string())),
            Err(reason @ Unanswered::NotSent(_)) => Err(unreachable(&reason.to_string())),
            Err(reason) => Err(unknown(&reason.to_string())),
        }
    }

    /// Opens a session in which the customer saves a card. Returns the address of the gateway's page.
    ///
    /// # Errors
    /// A [`Problem`] if the gateway opens none.
    pub async fn add(
        &self,
        return_url: &str,
        language: Option<&str>,
        payer_ip: Option<&str>,
    ) -> Result<String, Problem> {
        let session = Init::add(&self.customer, return_url);
        let session = self.desk.dressed(session, language, payer_ip);
        let Opened { session } = self.ask(&session).await?.map_err(|code| refused(&code))?;
        let page = self.terminal.terminal.page(&session, Purpose::Add);
        Ok(format!("{}{page}", self.desk.cards.gateway))
    }
}

fn unknown(reason: &str) -> Problem {
    log!("the card gateway did not say what became of a customer's command: {reason}");
    let detail = format!(
        "The card gateway did not say whether it is done: {}. Send it again.",
        reason.trim_end_matches('.')
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(30)
}

fn unreachable(reason: &str) -> Problem {
    let detail = format!("The card gateway cannot be reached, and nothing was done: {reason}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(30)
}

/// The problem for a refusal of the gateway.
pub fn refused(code: &ErrCode) -> Problem {
    let status = match code.group() {
        Group::Configuration => StatusCode::SERVICE_UNAVAILABLE,
        Group::Wallet(WalletError::NoCustomer | WalletError::NoCard) => StatusCode::NOT_FOUND,
        _ => StatusCode::CONFLICT,
    };
    Problem::new(status, told(code))
}

/// The text of a refusal of the gateway.
pub fn told(code: &ErrCode) -> String {
    let text = match code.group() {
        Group::Wallet(WalletError::NoCustomer) => {
            "The card gateway knows no such customer, or knows them by another password: PUT makes one, and card_wallet_secret must be that with which it was made"
        }
        Group::Wallet(WalletError::CustomerExists) => {
            "The card gateway has this customer already, by another password: card_wallet_secret is not that with which it was made"
        }
        Group::Wallet(WalletError::NoCard) => {
            "The customer has no such card: GET …/cards lists them"
        }
        Group::Wallet(WalletError::CardExists) => "The customer has saved this card already",
        Group::Wallet(WalletError::WrongCard) => {
            "The card is not active, or another customer's: the customer must activate it first"
        }
        Group::Configuration => "The card gateway refuses the terminal, or what was sent",
        _ if code.as_str() == "AMOUNT_ERROR" => {
            "The amount is not that which is held on the card, and which the customer's statement shows"
        }
        _ => "The card gateway did not do it",
    };
    format!("{text} ({code}).")
}
