//! MPay's side of the service: signs calls, sends them, and verifies and reads the answers.
//!
//! A call goes through [`Client`] from top to bottom: an operation is encoded ([`encode_query`],
//! [`Confirmation::encode`]), signed ([`Client::sign`]), sent ([`Client::post`]), and the answer is
//! verified ([`Client::verify`]) before it is read ([`Client::read`]); [`Client::details`] and
//! [`Client::confirm`] do all of it. Nothing here is shared with a provider's side but the domain and
//! `wsse`: MPay's contract is written down a second time, so that a slip in one shows in the other.
//!
//! ```no_run
//! use mpay_client::{Answer, Client};
//! use wsse::{Certificate, Signer};
//!
//! # fn call(key: &str, certificate: &str, provider: &str) -> anyhow::Result<()> {
//! let signer = Signer::from_pem(key, certificate)?;
//! let client = Client::new("http://127.0.0.1:3000/", signer, Certificate::from_pem(provider)?);
//! match client.details("DEMO", "DEMO-1", "ro")? {
//!     Answer::Result(orders) => println!("{:?}", orders[0].get("TotalAmountDue")),
//!     Answer::Fault(fault) => println!("{fault}"),
//! }
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod stranger;

use std::{fmt, net::IpAddr, time::Duration};

use anyhow::{Context, bail};
use jiff::Timestamp;
use mpay_domain::{Money, time};
use rand::RngExt;
use wsse::{
    Algorithms, Certificate, Content, Element, Envelope, Policy, Signer, Trust, Verified, Writer,
    names,
};

pub use stranger::{new_key, stranger};

/// The namespace of MPay's contract with service providers.
pub const NAMESPACE: &str = "https://mpay.gov.md";

/// The time for which MPay's messages are valid.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// Calls a provider as MPay does.
#[derive(Debug)]
pub struct Client {
    url: String,
    signer: Signer,
    policy: Policy,
    algorithms: Algorithms,
    agent: ureq::Agent,
}

/// A provider's answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// The result.
    Result(T),
    /// A SOAP fault.
    Fault(Fault),
}

/// A SOAP fault, as MPay sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `faultcode`.
    pub code: String,
    /// `faultstring`.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}: {}", self.code, self.reason)
    }
}

/// An HTTP answer, raw.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The message that was sent.
    pub request: String,
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// `OrderDetails` as it was answered: the text of each member, in the order of the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderDetails {
    members: Vec<(String, String)>,
    /// `Lines`.
    pub lines: Vec<OrderLine>,
    /// `Properties`.
    pub properties: Vec<OrderProperty>,
}

/// `OrderLine` as it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderLine {
    members: Vec<(String, String)>,
    /// `DestinationAccount`.
    pub account: Vec<(String, String)>,
    /// `Properties`.
    pub properties: Vec<OrderProperty>,
}

/// `OrderProperty` as it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderProperty {
    members: Vec<(String, String)>,
}

impl OrderDetails {
    /// The text of a member.
    pub fn get(&self, name: &str) -> Option<&str> {
        find(&self.members, name)
    }

    /// An amount spread over the lines, as ids and amounts: each line gets its due amount, in order,
    /// until the amount is used up; an excess goes to the last line.
    ///
    /// # Errors
    /// If a line has no `LineID`, or an amount that is none.
    pub fn spread(&self, amount: Money) -> anyhow::Result<Vec<(String, Money)>> {
        let mut rest = amount;
        let mut lines = Vec::new();
        for (i, line) in self.lines.iter().enumerate() {
            let due = line.get("AmountDue").map(Money::parse).transpose()?;
            let share = match due {
                Some(due) if i + 1 < self.lines.len() => due.min(rest),
                _ => rest,
            };
            if !share.is_zero() {
                let id = line
                    .get("LineID")
                    .context("a line of the answer has no LineID")?;
                lines.push((id.to_owned(), share));
                rest = rest.saturating_sub(share);
            }
        }
        Ok(lines)
    }
}

impl OrderProperty {
    /// The text of a member.
    pub fn get(&self, name: &str) -> Option<&str> {
        find(&self.members, name)
    }
}

impl OrderLine {
    /// The text of a member.
    pub fn get(&self, name: &str) -> Option<&str> {
        find(&self.members, name)
    }
}

/// A confirmation to send; its members are sent unchanged, right or wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confirmation {
    /// `ServiceID`.
    pub service_id: String,
    /// `OrderKey`.
    pub order_key: String,
    /// `PaymentID`.
    pub payment_id: String,
    /// `Currency`.
    pub currency: String,
    /// `TotalAmount`.
    pub total: String,
    /// `PaidAt`.
    pub paid_at: String,
    /// `Lines`: ids and amounts.
    pub lines: Vec<(String, String)>,
    /// `InvoiceID`.
    pub invoice_id: Option<String>,
    /// `Properties`: names and values.
    pub properties: Vec<(String, String)>,
    /// `Properties` of lines: line ids, names and values.
    pub line_properties: Vec<(String, String, String)>,
}

impl Confirmation {
    /// The time now as MPay writes `PaidAt`: local time without a zone.
    pub fn paid_now() -> String {
        Self::paid_at(Timestamp::now())
    }

    /// A time as MPay writes `PaidAt`.
    pub fn paid_at(time: Timestamp) -> String {
        let mut time = time::format(time);
        time.truncate("2026-12-31T23:59:59".len());
        time
    }

    /// A new `PaymentID`, of the form that MPay's have.
    pub fn new_payment_id() -> String {
        let hex = format!("{:032x}", rand::rng().random::<u128>());
        let parts: Vec<_> = [0..8, 8..12, 12..16, 16..20, 20..32]
            .map(|part| &hex[part])
            .into();
        parts.join("-")
    }

    /// The operation `ConfirmOrderPayment`.
    pub fn encode(&self) -> Content {
        let mut xml = Writer::new();
        xml.start_in("ConfirmOrderPayment", NAMESPACE);
        xml.start("confirmation");
        xml.element("Currency", &self.currency);
        if let Some(invoice_id) = &self.invoice_id {
            xml.element("InvoiceID", invoice_id);
        }
        xml.start("Lines");
        for (id, amount) in &self.lines {
            xml.start("PaymentConfirmationLine");
            xml.element("Amount", amount);
            xml.element("LineID", id);
            let of_line = self.line_properties.iter().filter(|(line, ..)| line == id);
            write_properties(
                &mut xml,
                of_line.map(|(_, name, value)| (name.as_str(), value.as_str())),
            );
            xml.end();
        }
        xml.end();
        xml.element("OrderKey", &self.order_key);
        xml.element("PaidAt", &self.paid_at);
        xml.element("PaymentID", &self.payment_id);
        let properties = self.properties.iter();
        write_properties(
            &mut xml,
            properties.map(|(name, value)| (name.as_str(), value.as_str())),
        );
        xml.element("ServiceID", &self.service_id);
        xml.element("TotalAmount", &self.total);
        xml.finish()
    }
}

/// `Properties`, unless there are none.
fn write_properties<'a>(xml: &mut Writer, properties: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut properties = properties.peekable();
    if properties.peek().is_none() {
        return;
    }
    xml.start("Properties");
    for (name, value) in properties {
        xml.start("PaymentProperty");
        xml.element("Name", name);
        xml.element("Value", value);
        xml.end();
    }
    xml.end();
}

/// The proxy on the way to an address: the one that the environment names (`ALL_PROXY`, `HTTPS_PROXY`,
/// `HTTP_PROXY`), unless `NO_PROXY` excepts the host. `None` on the way to this machine itself, which a proxy
/// elsewhere does not reach.
pub fn proxy_to(url: &str) -> Option<ureq::Proxy> {
    match is_this_machine(url) {
        true => None,
        false => ureq::Proxy::try_from_env(),
    }
}

fn is_this_machine(url: &str) -> bool {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address: Result<IpAddr, _> = host.parse();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// The operation `GetOrderDetails`.
pub fn encode_query(service_id: &str, order_key: &str, language: &str) -> Content {
    let mut xml = Writer::new();
    xml.start_in("GetOrderDetails", NAMESPACE);
    xml.start("query");
    xml.element("Language", language);
    xml.element("OrderKey", order_key);
    xml.element("ServiceID", service_id);
    xml.finish()
}

impl Client {
    /// A client that signs with MPay's key, and believes the provider with this certificate.
    pub fn new(url: impl Into<String>, signer: Signer, provider: Certificate) -> Self {
        let url = url.into();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(proxy_to(&url))
            .build()
            .new_agent();
        Self {
            url,
            signer,
            policy: Policy {
                trust: Trust::pinned(vec![provider]),
                accept_sha1: true,
                clock_skew: Duration::from_secs(120),
                max_age: Duration::from_secs(1800),
            },
            algorithms: Algorithms::SHA1,
            agent,
        }
    }

    /// Signs with other algorithms than MPay does today, which is RSA-SHA1.
    pub fn with_algorithms(mut self, algorithms: Algorithms) -> Self {
        self.algorithms = algorithms;
        self
    }

    /// Calls `GetOrderDetails`.
    ///
    /// # Errors
    /// If the provider cannot be reached, or its answer is not signed by it or breaks the contract.
    pub fn details(
        &self,
        service_id: &str,
        order_key: &str,
        language: &str,
    ) -> anyhow::Result<Answer<Vec<OrderDetails>>> {
        let exchange = self.send(
            "GetOrderDetails",
            &encode_query(service_id, order_key, language),
        )?;
        self.read(&exchange, "GetOrderDetailsResponse", read_orders)
    }

    /// Calls `ConfirmOrderPayment`.
    ///
    /// # Errors
    /// As [`details`](Self::details).
    pub fn confirm(&self, confirmation: &Confirmation) -> anyhow::Result<Answer<()>> {
        let exchange = self.send("ConfirmOrderPayment", &confirmation.encode())?;
        self.read(&exchange, "ConfirmOrderPaymentResponse", |_| ())
    }

    /// Signs a message now.
    ///
    /// # Errors
    /// If the key cannot sign.
    pub fn sign(&self, content: &Content) -> anyhow::Result<String> {
        self.sign_as(content, self.algorithms, Timestamp::now())
    }

    /// Signs a message with other algorithms, or as if it were another time.
    ///
    /// # Errors
    /// If the key cannot sign.
    pub fn sign_as(
        &self,
        content: &Content,
        algorithms: Algorithms,
        created: Timestamp,
    ) -> anyhow::Result<String> {
        Ok(self.signer.sign(content, algorithms, created, LIFETIME)?)
    }

    /// The address of the provider.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Signs and sends an operation.
    ///
    /// # Errors
    /// If the provider cannot be reached.
    pub fn send(&self, operation: &str, content: &Content) -> anyhow::Result<Exchange> {
        self.post(operation, self.sign(content)?)
    }

    /// Sends a message as it is.
    ///
    /// # Errors
    /// If the provider cannot be reached.
    pub fn post(&self, operation: &str, message: String) -> anyhow::Result<Exchange> {
        let mut response = self
            .agent
            .post(&self.url)
            .header("Content-Type", "text/xml; charset=utf-8")
            .header(
                "SOAPAction",
                format!("\"{NAMESPACE}/IServiceProvider/{operation}\""),
            )
            .send(message.as_bytes())
            .with_context(|| format!("cannot reach {}: is the provider running?", self.url))?;
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Ok(Exchange {
            request: message,
            status: response.status().as_u16(),
            content_type,
            body: response
                .body_mut()
                .read_to_vec()
                .with_context(|| format!("the answer of {} broke off", self.url))?,
        })
    }

    /// Verifies an answer.
    ///
    /// # Errors
    /// If it is no SOAP message that the provider signed.
    pub fn verify(&self, exchange: &Exchange) -> anyhow::Result<Verified> {
        if !exchange
            .content_type
            .to_ascii_lowercase()
            .starts_with("text/xml")
        {
            let text: String = String::from_utf8_lossy(&exchange.body)
                .chars()
                .take(500)
                .collect();
            bail!(
                "the provider did not answer with SOAP, but with HTTP {}: {text}",
                exchange.status
            );
        }
        Envelope::parse(&exchange.body)
            .context("the answer is no SOAP message")?
            .verify(&self.policy, Timestamp::now())
            .context("the answer is not signed by the provider's certificate")
    }

    /// Verifies an answer, and reads it.
    ///
    /// # Errors
    /// If it is not signed by the provider, or breaks the contract.
    pub fn read<T>(
        &self,
        exchange: &Exchange,
        response: &str,
        read: impl FnOnce(Element<'_>) -> T,
    ) -> anyhow::Result<Answer<T>> {
        read_verified(&self.verify(exchange)?, exchange.status, response, read)
    }
}

/// Reads a verified answer that came with this HTTP status.
///
/// # Errors
/// If it breaks the contract.
pub fn read_verified<T>(
    verified: &Verified,
    status: u16,
    response: &str,
    read: impl FnOnce(Element<'_>) -> T,
) -> anyhow::Result<Answer<T>> {
    let Some(child) = verified.body().children().next() else {
        bail!("the answer's Body is empty");
    };
    if child.is(names::SOAP, "Fault") {
        let member = |name| find(&members(child), name).unwrap_or_default().to_owned();
        if status != 500 {
            bail!("a fault came with HTTP {status} instead of 500");
        }
        return Ok(Answer::Fault(Fault {
            code: member("faultcode"),
            reason: member("faultstring"),
        }));
    }
    if !child.is(NAMESPACE, response) {
        bail!(
            "the answer holds {} instead of {response}",
            child.local_name()
        );
    }
    if status != 200 {
        bail!("a result came with HTTP {status} instead of 200");
    }
    Ok(Answer::Result(read(child)))
}

/// The orders in a `GetOrderDetailsResponse`.
pub fn read_orders(response: Element<'_>) -> Vec<OrderDetails> {
    children_of(response, "GetOrderDetailsResult")
        .map(read_order)
        .collect()
}

fn read_order(order: Element<'_>) -> OrderDetails {
    OrderDetails {
        members: members(order),
        lines: children_of(order, "Lines")
            .map(|line| OrderLine {
                members: members(line),
                account: line
                    .children()
                    .find(|child| child.is(NAMESPACE, "DestinationAccount"))
                    .map(members)
                    .unwrap_or_default(),
                properties: read_properties(line),
            })
            .collect(),
        properties: read_properties(order),
    }
}

fn read_properties(structure: Element<'_>) -> Vec<OrderProperty> {
    children_of(structure, "Properties")
        .map(|property| OrderProperty {
            members: members(property),
        })
        .collect()
}

fn children_of<'a>(order: Element<'a>, name: &'a str) -> impl Iterator<Item = Element<'a>> {
    order
        .children()
        .filter(move |child| child.is(NAMESPACE, name))
        .flat_map(|child| child.children().collect::<Vec<_>>())
}

/// The members of a structure that are texts, and the names of all others with an empty text.
fn members(structure: Element<'_>) -> Vec<(String, String)> {
    structure
        .children()
        .map(|member| {
            (
                member.local_name().to_owned(),
                member.text().unwrap_or_default().into_owned(),
            )
        })
        .collect()
}

fn find<'a>(members: &'a [(String, String)], name: &str) -> Option<&'a str> {
    members
        .iter()
        .find(|(member, _)| member == name)
        .map(|(_, text)| text.as_str())
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn no_proxy_is_asked_the_way_to_this_machine() {
        for (url, is_here) in [
            ("http://127.0.0.1:3000/", true),
            ("http://127.8.0.1", true),
            ("http://LocalHost:3000/mpay", true),
            ("https://[::1]:3000/", true),
            ("http://0.0.0.0:3000", true),
            ("http://[::]:3000", true),
            ("https://plati.exemplu.md/", false),
            ("http://localhost.exemplu.md/", false),
            ("http://127.0.0.1.exemplu.md/", false),
            ("http://10.0.0.1/", false),
            ("127.0.0.1", true),
            ("", false),
        ] {
            assert_eq!(is_this_machine(url), is_here, "{url}");
        }
    }
}
