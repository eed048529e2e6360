//! MPay's side while checks run: it sends messages, keeps what was sent and received, and reads the
//! answers.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use jiff::Timestamp;
use mpay_domain::Money;
use ureq::tls::TlsConfig;
use wsse::{Algorithms, Certificate, Content};

use super::{
    exchange::{Answer, Exchange},
    forge,
    message::Identity,
    names::MPAY,
    node::Node,
    orders::{Orders, Role},
    reply::{
        CONFIRM_ORDER_PAYMENT, GET_ORDER_DETAILS, Reply, accepted, amount, is_payable, order_in,
    },
    verdict::{Verdict, failed, hold, skipped},
};
use mpay_client::{Confirmation, LIFETIME, encode_query, proxy_to};

/// The time that an answer may take: longer than any provider's own limit should be.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 16 << 20;
pub(super) const TEXT_XML: (&str, &str) = ("Content-Type", "text/xml; charset=utf-8");

/// A provider under test, and the identities of its testers.
pub(super) struct Session {
    pub url: String,
    pub service: String,
    pub mpay: Identity,
    pub provider: Certificate,
    pub orders: Orders,
    stranger: OnceCell<Identity>,
    agent: ureq::Agent,
    /// Of the check that runs.
    exchanges: Vec<Exchange>,
    /// True if a good message is answered.
    answers: Option<bool>,
    /// The orders that are only looked at, in Romanian.
    seen: BTreeMap<Role, (Node, Exchange)>,
    samples: Vec<(Sample, Exchange)>,
    /// The order that takes many small payments.
    purse: Option<String>,
    paid: Option<Node>,
}

/// Kinds of answers whose signatures are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Details,
    Confirmation,
    Fault,
    /// To a caller who was not authenticated.
    AnonymousFault,
}

impl Sample {
    pub const ALL: [Sample; 4] = [
        Sample::Details,
        Sample::Confirmation,
        Sample::Fault,
        Sample::AnonymousFault,
    ];
}

impl Session {
    pub fn new(
        url: String,
        service: String,
        mpay: Identity,
        provider: Certificate,
        orders: Orders,
        tls: TlsConfig,
    ) -> Self {
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // MPay follows no redirect, and a redirect would lose the message.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .proxy(proxy_to(&url))
            .build()
            .new_agent();
        Self {
            url,
            service,
            mpay,
            provider,
            orders,
            stranger: OnceCell::new(),
            agent,
            exchanges: Vec::new(),
            answers: None,
            seen: BTreeMap::new(),
            samples: Vec::new(),
            purse: None,
            paid: None,
        }
    }

    /// Takes the messages that were sent and received since this was asked last.
    pub fn take_exchanges(&mut self) -> Vec<Exchange> {
        std::mem::take(&mut self.exchanges)
    }

    /// Somebody whom no provider knows.
    pub fn stranger(&self) -> anyhow::Result<&Identity> {
        if let Some(stranger) = self.stranger.get() {
            return Ok(stranger);
        }
        let (key, certificate) = mpay_client::stranger()?;
        let stranger = Identity::from_pem(&key, &certificate)?;
        Ok(self.stranger.get_or_init(|| stranger))
    }

    // Sending.

    /// A request as it is.
    pub fn request(
        &mut self,
        purpose: &str,
        method: &'static str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Verdict<Reply> {
        let exchange = exchange(&self.agent, purpose, method, url, headers, body);
        self.keep(exchange)
    }

    fn keep(&mut self, exchange: Exchange) -> Verdict<Reply> {
        let answer = exchange.answer.clone();
        let purpose = exchange.purpose.clone();
        self.exchanges.push(exchange);
        match answer {
            Ok(answer) => Ok(Reply::of(answer)),
            Err(error) => failed(format!("{purpose}: no answer came ({error})")),
        }
    }

    /// A message of `GetOrderDetails` as it is.
    pub fn ask(&mut self, purpose: &str, message: &str) -> Verdict<Reply> {
        let action = action(GET_ORDER_DETAILS);
        let url = self.url.clone();
        let headers = [TEXT_XML, ("SOAPAction", action.as_str())];
        self.request(purpose, "POST", &url, &headers, message)
    }

    /// A message of `ConfirmOrderPayment` as it is.
    pub fn pay(&mut self, purpose: &str, message: &str) -> Verdict<Reply> {
        let action = action(CONFIRM_ORDER_PAYMENT);
        let url = self.url.clone();
        let headers = [TEXT_XML, ("SOAPAction", action.as_str())];
        self.request(purpose, "POST", &url, &headers, message)
    }

    /// Messages of `ConfirmOrderPayment`, all at once.
    pub fn pay_at_once(&mut self, purpose: &str, messages: &[String]) -> Verdict<Vec<Reply>> {
        let action = action(CONFIRM_ORDER_PAYMENT);
        let headers = [TEXT_XML, ("SOAPAction", action.as_str())];
        let (agent, url) = (&self.agent, &self.url);
        let exchanges: Vec<Exchange> = std::thread::scope(|scope| {
            let calls: Vec<_> = messages
                .iter()
                .map(|message| {
                    scope.spawn(|| exchange(agent, purpose, "POST", url, &headers, message))
                })
                .collect();
            calls
                .into_iter()
                .filter_map(|call| call.join().ok())
                .collect()
        });
        exchanges
            .into_iter()
            .map(|exchange| self.keep(exchange))
            .collect()
    }

    /// Signs as MPay does today.
    pub fn sign(&self, content: &Content) -> anyhow::Result<String> {
        self.mpay
            .sign(content, Algorithms::SHA1, Timestamp::now(), LIFETIME)
    }

    /// The content of a `GetOrderDetails` that a good provider answers with a result.
    pub fn good_query(&mut self) -> Verdict<Content> {
        let key = self.known_order()?;
        Ok(encode_query(&self.service, &key, "ro"))
    }

    /// A good message of `GetOrderDetails`, signed as MPay does today.
    pub fn good_message(&mut self) -> Verdict<String> {
        let query = self.good_query()?;
        Ok(self.sign(&query)?)
    }

    /// The key of an order that exists.
    pub fn known_order(&mut self) -> Verdict<String> {
        // Any given order will do.
        let mut last = skipped("it needs an order");
        for role in Role::ALL {
            last = self.orders.shared(role);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// Makes sure that a good message is answered, or else a refusal would prove nothing.
    pub fn needs_answers(&mut self) -> Verdict {
        if self.answers.is_none() {
            let message = self.good_message()?;
            let reply = self.ask("a good message, to compare with", &message)?;
            self.answers = Some(reply.orders().is_some());
        }
        match self.answers {
            Some(true) => Ok(()),
            _ => skipped(
                "a good message is not answered (see transport.post), so that a refusal proves nothing",
            ),
        }
    }

    /// Fails unless the provider still answers a good message.
    pub fn still_answers(&mut self) -> Verdict {
        let message = self.good_message()?;
        let reply = self.ask("a good message afterwards", &message)?;
        hold(reply.orders().is_some(), || {
            format!("afterwards a good message got {}", reply.described())
        })
    }

    // Orders.

    /// The answer of GetOrderDetails for an order, in a language.
    pub fn details(&mut self, key: &str, language: &str) -> Verdict<Node> {
        let query = encode_query(&self.service, key, language);
        let message = self.sign(&query)?;
        let reply = self.ask(&format!("GetOrderDetails of {key}"), &message)?;
        order_in(&reply, key)
    }

    /// An order that is only looked at, in Romanian.
    pub fn look(&mut self, role: Role) -> Verdict<Node> {
        if let Some((order, _)) = self.seen.get(&role) {
            return Ok(order.clone());
        }
        let key = match role {
            Role::Refunding | Role::Refunded if self.orders.are_registered() => {
                let key = self.orders.shared(role)?;
                self.pay_all(&key)?;
                self.orders.set_status(&key, "Refunding")?;
                if role == Role::Refunded {
                    self.orders.set_status(&key, "Refunded")?;
                }
                key
            }
            role => self.orders.shared(role)?,
        };
        let order = self.details(&key, "ro")?;
        if let Some(exchange) = self.exchanges.last() {
            self.seen.insert(role, (order.clone(), exchange.clone()));
        }
        Ok(order)
    }

    /// All orders that are only looked at, at least one. One that cannot be read is left out:
    /// every kind has checks of its own, which tell.
    pub fn look_at_all(&mut self) -> Verdict<Vec<(Role, Node)>> {
        let mut orders = Vec::new();
        let mut last = None;
        for role in Role::ALL {
            match self.look(role) {
                Ok(order) => orders.push((role, order)),
                Err(stop) => last = Some(stop),
            }
        }
        match (orders.is_empty(), last) {
            (true, Some(stop)) => Err(stop),
            _ => Ok(orders),
        }
    }

    /// Shows again the exchange from which an order was read, if a check looks at it later.
    pub fn show(&mut self, role: Role) {
        if let Some((_, exchange)) = self.seen.get(&role)
            && !self
                .exchanges
                .iter()
                .any(|shown| shown.body == exchange.body)
        {
            self.exchanges.push(exchange.clone());
        }
    }

    /// An order to pay, as it is now.
    pub fn order(&mut self, role: Role) -> Verdict<Node> {
        let key = self.orders.fresh(role)?;
        self.details(&key, "ro")
    }

    /// The order that takes many small payments, as it is now: more than 10.00 is due.
    pub fn purse(&mut self) -> Verdict<Node> {
        loop {
            let key = match self.purse.clone() {
                Some(key) => key,
                None => self.orders.fresh(Role::Partial)?,
            };
            let order = self.details(&key, "ro")?;
            let enough = Money::parse("10").unwrap_or_default();
            if is_payable(&order) && amount(&order, "TotalAmountDue")? > enough {
                self.purse = Some(key);
                return Ok(order);
            }
            self.purse = None;
        }
    }

    /// An order that was paid in full.
    pub fn paid_order(&mut self) -> Verdict<Node> {
        if let Some(order) = &self.paid {
            return Ok(order.clone());
        }
        let order = self.order(Role::Plain)?;
        let key = order.get("OrderKey").unwrap_or_default().to_owned();
        self.pay_all(&key)?;
        let order = self.details(&key, "ro")?;
        self.paid = Some(order.clone());
        Ok(order)
    }

    fn pay_all(&mut self, key: &str) -> Verdict {
        let order = self.details(key, "ro")?;
        let confirmation = self.payment_of(&order)?;
        self.confirmed("payment in full", &confirmation)
    }

    // Payments.

    /// A confirmation of all that is due.
    pub fn payment_of(&self, order: &Node) -> Verdict<Confirmation> {
        let lines = order
            .items("Lines")
            .iter()
            .map(|line| Ok((line_id(line)?, amount(line, "AmountDue")?.to_string())))
            .collect::<Verdict<Vec<_>>>()?;
        let total = amount(order, "TotalAmountDue")?;
        Ok(self.confirmation(order, total.to_string(), lines))
    }

    /// A confirmation of an amount for the line at this place.
    pub fn part_of(&self, order: &Node, line: usize, amount: &str) -> Verdict<Confirmation> {
        let Some(line) = order.items("Lines").get(line) else {
            return failed("the order has too few lines for the check");
        };
        let lines = vec![(line_id(line)?, amount.to_owned())];
        Ok(self.confirmation(order, amount.to_owned(), lines))
    }

    fn confirmation(
        &self,
        order: &Node,
        total: String,
        lines: Vec<(String, String)>,
    ) -> Confirmation {
        let text = |name| order.get(name).unwrap_or_default().to_owned();
        Confirmation {
            service_id: self.service.clone(),
            order_key: text("OrderKey"),
            payment_id: Confirmation::new_payment_id(),
            currency: text("Currency"),
            total,
            paid_at: Confirmation::paid_now(),
            lines,
            ..Confirmation::default()
        }
    }

    /// Confirms a payment.
    pub fn confirm(&mut self, purpose: &str, confirmation: &Confirmation) -> Verdict<Reply> {
        let message = self.sign(&confirmation.encode())?;
        self.pay(purpose, &message)
    }

    /// Confirms a payment that must be accepted.
    pub fn confirmed(&mut self, purpose: &str, confirmation: &Confirmation) -> Verdict {
        let reply = self.confirm(purpose, confirmation)?;
        accepted(purpose, &reply)
    }

    /// Confirms a payment as MPay does, again as long as the provider says that it cannot yet.
    pub fn confirm_at_last(
        &mut self,
        purpose: &str,
        confirmation: &Confirmation,
    ) -> Verdict<Reply> {
        for pause in [1, 2, 4] {
            let reply = self.confirm(purpose, confirmation)?;
            let not_yet = reply.answer.status == 503
                || reply
                    .fault()
                    .is_some_and(|fault| fault.local_code() == "InternalError");
            if !not_yet {
                return Ok(reply);
            }
            std::thread::sleep(Duration::from_secs(pause));
        }
        self.confirm(purpose, confirmation)
    }

    /// The same for a payment that must be accepted.
    pub fn confirmed_at_last(&mut self, purpose: &str, confirmation: &Confirmation) -> Verdict {
        let reply = self.confirm_at_last(purpose, confirmation)?;
        accepted(purpose, &reply)
    }

    /// Fails unless so much less is due for the order of a payment than before.
    pub fn counted(&mut self, payment: &Confirmation, before: Money, paid: &str) -> Verdict {
        let expected = before.saturating_sub(Money::parse(paid).unwrap_or_default());
        let due = self.due(&payment.order_key)?;
        hold(due == expected, || {
            format!("{paid} was paid of {before}, and {due} is due instead of {expected}")
        })
    }

    /// The amount due for an order.
    pub fn due(&mut self, key: &str) -> Verdict<Money> {
        amount(&self.details(key, "ro")?, "TotalAmountDue")
    }

    /// Fails unless an order stands as it stood.
    pub fn unchanged(&mut self, before: &Node, after_what: &str) -> Verdict {
        let key = before.get("OrderKey").unwrap_or_default().to_owned();
        let after = self.details(&key, "ro")?;
        for name in ["Status", "TotalAmountDue"] {
            hold(before.get(name) == after.get(name), || {
                format!(
                    "after {after_what} {name} of the order is {} instead of {}",
                    after.get(name).unwrap_or("absent"),
                    before.get(name).unwrap_or("absent")
                )
            })?;
        }
        Ok(())
    }

    // Samples of answers.

    /// Answers of a kind, to look at their signatures.
    pub fn sample(&mut self, kind: Sample) -> Verdict<Reply> {
        if let Some((_, exchange)) = self.samples.iter().find(|(known, _)| *known == kind) {
            let exchange = exchange.clone();
            return self.keep(exchange);
        }
        let reply = match kind {
            Sample::Details => {
                let message = self.good_message()?;
                self.ask("GetOrderDetails, to look at its answer", &message)?
            }
            Sample::Confirmation => {
                let order = self.purse()?;
                let part = self.part_of(&order, 0, "1.00")?;
                self.confirm("ConfirmOrderPayment, to look at its answer", &part)?
            }
            Sample::Fault => {
                let query = encode_query("NO-SUCH-SERVICE", "NO-SUCH-ORDER", "ro");
                let message = self.sign(&query)?;
                self.ask("a service that does not exist", &message)?
            }
            Sample::AnonymousFault => {
                let message = forge::unsigned(&self.good_message()?)?;
                self.ask("a message that is not signed", &message)?
            }
        };
        let fits = match kind {
            Sample::Details => reply.orders().is_some(),
            Sample::Confirmation => reply.result(CONFIRM_ORDER_PAYMENT).is_some(),
            Sample::Fault | Sample::AnonymousFault => reply.fault().is_some(),
        };
        if !fits {
            return match kind {
                // A plain refusal of HTTP is no SOAP answer, so there is nothing to be signed.
                Sample::AnonymousFault if reply.answer.status >= 400 => {
                    skipped("such messages are refused by HTTP alone")
                }
                _ => skipped(format!(
                    "there is no such answer to look at: {} came",
                    reply.described()
                )),
            };
        }
        if let Some(exchange) = self.exchanges.last() {
            self.samples.push((kind, exchange.clone()));
        }
        Ok(reply)
    }
}

fn exchange(
    agent: &ureq::Agent,
    purpose: &str,
    method: &'static str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Exchange {
    let started = Instant::now();
    let answer = send(agent, method, url, headers, body).map_err(|error| format!("{error:#}"));
    Exchange {
        purpose: purpose.to_owned(),
        method,
        url: url.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_owned(),
        answer,
        duration: started.elapsed(),
    }
}

fn send(
    agent: &ureq::Agent,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> anyhow::Result<Answer> {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let chunked = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
    let mut response = if method == "GET" {
        agent.run(request.body(())?)?
    } else if chunked {
        let mut bytes = body.as_bytes();
        agent.run(request.body(ureq::SendBody::from_reader(&mut bytes))?)?
    } else {
        agent.run(request.body(body.as_bytes())?)?
    };
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    Ok(Answer {
        status: response.status().as_u16(),
        received: Timestamp::now(),
        version: format!("{:?}", response.version()),
        headers,
        body: response
            .body_mut()
            .with_config()
            .limit(LONGEST_ANSWER)
            .read_to_vec()
            .context("the answer broke off")?,
    })
}

/// The value of `SOAPAction`.
pub(super) fn action(operation: &str) -> String {
    format!("\"{MPAY}/IServiceProvider/{operation}\"")
}

fn line_id(line: &Node) -> Verdict<String> {
    match line.get("LineID") {
        Some(id) => Ok(id.to_owned()),
        None => failed("a line has no LineID"),
    }
}
