//! One question to the gateway, and what came back.

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

/// How long the gateway may take: hosts stop a call at 30 s, and it may take 40.
pub(super) const TIME: Duration = Duration::from_secs(20);

/// What came back.
pub(super) struct Exchange {
    /// The answer, or why there is none.
    pub answer: Result<(u16, Bytes), Unanswered>,
    /// What was sent, without secrets.
    shown: String,
    /// When.
    at: String,
}

/// What is kept of it.
#[derive(Serialize)]
struct Kept<'a> {
    request: &'a str,
    at: &'a str,
    status: u16,
    answer: &'a str,
    /// Makes the digest that is kept once this is erased one that nobody can guess: it is not signed.
    nonce: &'a str,
}

impl Exchange {
    /// The answer as it came but for numbers of cards, the request without secrets and the time.
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

/// What the gateway says of a payment.
pub(super) enum Told {
    /// This, with what proves it.
    State(Box<Found>, Exchange),
    /// Nothing that can be relied on.
    Silent(String),
}

impl<P: Platform> Desk<'_, P> {
    /// Sends a request and reads its answer.
    pub(super) async fn exchange(&self, request: &Request) -> Result<Exchange, Problem> {
        self.exchange_within(TIME, request).await
    }

    /// The same, in a call that has so much time left.
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
            // Hosts would send it in chunks, which not every gateway takes.
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

    /// What proves what the gateway said, for the books: one for each answer that differs.
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

/// What proves what the gateway said.
pub(super) struct Proof {
    bytes: Vec<u8>,
    id: String,
    content: Bytes,
    secret: crate::store::Secret,
    /// Its name among the evidence.
    pub name: String,
}

impl Proof {
    /// As it is kept.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence::new(&self.secret, &self.bytes, &self.id, &self.content, "card")
    }
}

/// The order number of an id, which this program wrote.
pub(super) fn order_id(id: &str) -> Result<OrderId, Problem> {
    OrderId::parse(id).map_err(Problem::internal)
}
