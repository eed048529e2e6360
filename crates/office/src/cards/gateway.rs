//! One request to the gateway, and its answer.

use std::time::Duration;

use bytes::Bytes;
use cryptoprocessing::{
    Command, Found, GetState, MAX_ANSWER, OrderId, Request, State, StateAnswer,
    without_card_numbers,
};
use http::{Method, header};
use mpay_door::{Unanswered, limit::within, log::Abroad};
use mutation::{Mutation, mutated};
use serde::Serialize;

use super::{CardTerminal, Desk, amount, minor_units};
use crate::{
    api::Problem,
    domain::time,
    store::{CardPayment, Evidence, Platform},
};

/// The longest time that the gateway may take. It may need 40 s, but hosts stop a call after 30 s.
pub(super) const TIME: Duration = Duration::from_secs(20);

/// A request with its answer.
pub(super) struct Exchange {
    /// The answer, or the reason why there is none.
    pub answer: Result<(u16, Bytes), Unanswered>,
    /// The request, without secrets.
    shown: String,
    /// The time of the request.
    at: String,
}

/// The stored form of an exchange.
#[derive(Serialize)]
struct Kept<'a> {
    request: &'a str,
    at: &'a str,
    status: u16,
    answer: &'a str,
    /// A secret value that keeps the digest from being guessed after an erasure, since the document is not
    /// signed.
    nonce: &'a str,
}

impl Exchange {
    /// The stored form: the answer without card numbers, the request without secrets, and the time.
    pub fn kept(&self, nonce: &str) -> Result<Vec<u8>, Problem> {
        let (status, answer) = match &self.answer {
            Ok((status, body)) => (*status, without_card_numbers(body)),
            Err(_) => (0, String::new()),
        };
        let kept = Kept {
            request: &self.shown,
            at: &self.at,
            status,
            answer: &answer,
            nonce,
        };
        serde_json::to_vec_pretty(&kept).map_err(Problem::internal)
    }
}

/// The gateway's report about a payment.
pub(super) enum Told {
    /// The state, and the exchange that proves it.
    State(Box<Found>, Exchange),
    /// No report that can be relied on, for this reason.
    Silent(String),
}

impl<P: Platform> Desk<'_, P> {
    /// Sends a request and reads its answer.
    pub(super) async fn exchange(&self, request: &Request) -> Result<Exchange, Problem> {
        self.exchange_within(TIME, request).await
    }

    /// Sends a request and reads its answer, within this time.
    pub(super) async fn exchange_within(
        &self,
        time: Duration,
        request: &Request,
    ) -> Result<Exchange, Problem> {
        let platform = self.store.platform();
        let at = time::format(self.store.now());
        let shown = format!("POST {} {}", request.path(), request.shown());
        let address = format!("{}{}", self.cards.gateway, request.path());
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(address)
            .header(
                header::CONTENT_TYPE,
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            // Hosts would send the body in chunks, which some gateways do not accept.
            .header(header::CONTENT_LENGTH, request.body().len())
            .extension(Abroad)
            .body(Bytes::copy_from_slice(request.body()))
            .map_err(|_| Problem::internal("no request to the gateway can be made"))?;
        let fetched = platform.fetch(request, MAX_ANSWER, time);
        let answer = match within(platform.sleep(time), fetched).await {
            Some(answer) => answer.map(|(status, body)| (status.as_u16(), body)),
            None => Err(Unanswered::Unknown("It took too long.".to_owned())),
        };
        Ok(Exchange { answer, shown, at })
    }

    /// Asks for the state of a payment.
    pub(super) async fn ask(
        &self,
        payment: &CardPayment,
        terminal: &CardTerminal,
    ) -> Result<Told, Problem> {
        let terminal = &terminal.terminal;
        let order_id = order_id(payment.id())?;
        let question = GetState { order_id };
        let request = question.request(terminal).map_err(Problem::internal)?;
        let exchange = self.exchange(&request).await?;
        let (status, body) = match &exchange.answer {
            Ok((status, body)) => (*status, body),
            Err(reason) => return Ok(Told::Silent(reason.to_string())),
        };
        Ok(match question.outcome(terminal, status, body) {
            StateAnswer::Found(mut found) => {
                if mutated(Mutation::StateTakenForPaid) {
                    let remaining = minor_units(amount(payment.asked())?)?;
                    found.state = State::Paid { remaining };
                }
                Told::State(Box::new(found), exchange)
            }
            StateAnswer::Refused(code) => {
                self.alert_of(&code).await?;
                Told::Silent(format!("the gateway answered {code}"))
            }
            StateAnswer::Unknown(unclear) => Told::Silent(unclear.to_string()),
        })
    }

    /// The proof of the gateway's answer, for the books. Answers that differ have different proofs.
    pub(super) async fn proof(
        &self,
        payment: &CardPayment,
        exchange: &Exchange,
    ) -> Result<Proof, Problem> {
        let secret = self.store.secret().await?;
        let content = match &exchange.answer {
            Ok((_, body)) => body.clone(),
            Err(_) => Bytes::new(),
        };
        let id = payment.id().to_owned();
        let nonce = secret.digest("card", &[id.as_bytes(), &content]);
        let bytes = exchange.kept(&nonce)?;
        let name = Evidence::new(&secret, &bytes, &id, &content, "card");
        let name = name.id().to_owned();
        Ok(Proof {
            bytes,
            id,
            content,
            secret,
            name,
        })
    }
}

/// The proof of an answer of the gateway.
pub(super) struct Proof {
    bytes: Vec<u8>,
    id: String,
    content: Bytes,
    secret: crate::store::Secret,
    /// Its name in the evidence.
    pub name: String,
}

impl Proof {
    /// The proof in the form in which evidence is stored.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence::new(&self.secret, &self.bytes, &self.id, &self.content, "card")
    }
}

/// The order number for an id, which this program wrote.
pub(super) fn order_id(id: &str) -> Result<OrderId, Problem> {
    OrderId::parse(id).map_err(Problem::internal)
}
