//! The provider as MPay sees it: calls that are signed, sent, verified and written down.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use wsse::{Algorithms, Content, Element, Signer};

use super::{
    Language,
    journal::{Entry, HttpAnswer, Journal, Outcome, Record, Signature},
    shape::{self, Shape},
};
use mpay_client::{
    Answer, Client, Confirmation, Fault, OrderDetails, encode_query, read_orders, read_verified,
};

/// A provider, and the journal of the exchanges with it.
#[derive(Debug)]
pub struct Provider {
    client: Client,
    algorithms: Algorithms,
    key: shape::Key,
    stranger: OnceLock<Signer>,
    making_stranger: Mutex<()>,
    /// Every exchange.
    pub journal: Journal,
}

/// The manner in which a message is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As MPay makes it.
    Usual,
    /// Signed so long ago that it has expired.
    Stale,
    /// Signed with a key that is nobody's.
    WrongKey,
    /// Changed after it was signed: another total.
    Tampered,
    /// Signed with RSA-SHA256 and SHA-256.
    Sha256,
    /// In the form of another stack.
    Shaped(Shape),
}

/// The reason why there is no order to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOrder {
    /// The provider answered a fault.
    Fault(Fault),
    /// The provider answered without an order.
    Empty,
    /// The answer cannot be believed or understood.
    Unusable(String),
    /// The provider was not reached.
    Unreachable(String),
}

/// The subject of a call.
struct Call<'a> {
    operation: &'static str,
    response: &'static str,
    service_id: &'a str,
    order_key: &'a str,
    payment_id: Option<&'a str>,
    mischief: Option<&'static str>,
}

impl Provider {
    /// A provider that is called by this client, whose signer has this key.
    pub fn new(client: Client, algorithms: Algorithms, key: shape::Key) -> Self {
        Self {
            client,
            algorithms,
            key,
            stranger: OnceLock::new(),
            making_stranger: Mutex::new(()),
            journal: Journal::default(),
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// Asks for an order: of several that are answered, the first.
    ///
    /// # Errors
    /// [`NoOrder`], if no order is answered that can be believed.
    pub fn details(
        &self,
        service_id: &str,
        order_key: &str,
        language: Language,
    ) -> Result<OrderDetails, NoOrder> {
        let orders = self.orders(service_id, order_key, language)?;
        orders.into_iter().next().ok_or(NoOrder::Empty)
    }

    /// Asks for the orders of a key: one that is theirs, or another name that several may have. Never none.
    ///
    /// # Errors
    /// As those of [`details`](Self::details).
    pub fn orders(
        &self,
        service_id: &str,
        order_key: &str,
        language: Language,
    ) -> Result<Vec<OrderDetails>, NoOrder> {
        let call = Call {
            operation: "GetOrderDetails",
            response: "GetOrderDetailsResponse",
            service_id,
            order_key,
            payment_id: None,
            mischief: None,
        };
        let content = encode_query(service_id, order_key, language.code());
        let (entry, orders) = self.call(&call, &content, Manner::Usual, read_orders);
        match (&entry.record.outcome, orders) {
            (Outcome::Success, Some(orders)) if !orders.is_empty() => Ok(orders),
            (Outcome::Success, _) => Err(NoOrder::Empty),
            (Outcome::Fault(fault), _) => Err(NoOrder::Fault(fault.clone())),
            (Outcome::Unusable(reason), _) => Err(NoOrder::Unusable(reason.clone())),
            (Outcome::Unreachable(reason), _) => Err(NoOrder::Unreachable(reason.clone())),
        }
    }

    /// Confirms a payment.
    pub fn confirm(
        &self,
        confirmation: &Confirmation,
        manner: Manner,
        mischief: Option<&'static str>,
    ) -> Arc<Entry> {
        let call = Call {
            operation: "ConfirmOrderPayment",
            response: "ConfirmOrderPaymentResponse",
            service_id: &confirmation.service_id,
            order_key: &confirmation.order_key,
            payment_id: Some(&confirmation.payment_id),
            mischief,
        };
        self.call(&call, &confirmation.encode(), manner, |_| ()).0
    }

    fn call<T>(
        &self,
        call: &Call<'_>,
        content: &Content,
        manner: Manner,
        read: impl FnOnce(Element<'_>) -> T,
    ) -> (Arc<Entry>, Option<T>) {
        let at = Timestamp::now();
        let started = Instant::now();
        let signed = self.sign(content, manner);
        let signing = started.elapsed();

        let started = Instant::now();
        let mut request = String::new();
        let exchange = signed.and_then(|message| {
            request.clone_from(&message);
            self.client.post(call.operation, message)
        });
        let waiting = started.elapsed();

        let mut result = None;
        let (signature, outcome, answer) = match exchange {
            Err(error) => {
                let reason = format!("{error:#}");
                (Err(reason.clone()), Outcome::Unreachable(reason), None)
            }
            Ok(exchange) => {
                let verified = self.client.verify(&exchange);
                let outcome = match &verified {
                    Err(error) => Outcome::Unusable(format!("{error:#}")),
                    Ok(verified) => {
                        match read_verified(verified, exchange.status, call.response, read) {
                            Ok(Answer::Result(read)) => {
                                result = Some(read);
                                Outcome::Success
                            }
                            Ok(Answer::Fault(fault)) => Outcome::Fault(fault),
                            Err(error) => Outcome::Unusable(format!("{error:#}")),
                        }
                    }
                };
                let signature = verified
                    .map(|verified| Signature {
                        subject: verified.signer().subject(),
                        algorithm: verified.signature_method(),
                    })
                    .map_err(|error| format!("{error:#}"));
                let answer = HttpAnswer {
                    status: exchange.status,
                    content_type: exchange.content_type,
                    body: exchange.body,
                };
                (signature, outcome, Some(answer))
            }
        };
        let entry = self.journal.write(Record {
            at,
            operation: call.operation,
            service_id: call.service_id.to_owned(),
            order_key: call.order_key.to_owned(),
            payment_id: call.payment_id.map(str::to_owned),
            mischief: call.mischief,
            request,
            answer,
            signature,
            outcome,
            signing,
            waiting,
        });
        (entry, result)
    }

    fn sign(&self, content: &Content, manner: Manner) -> anyhow::Result<String> {
        let now = Timestamp::now();
        let client = &self.client;
        match manner {
            Manner::Usual => client.sign(content),
            // Older than any lifetime, skew and greatest age that a provider may reckon with.
            Manner::Stale => client.sign_as(
                content,
                self.algorithms,
                now - SignedDuration::from_hours(1),
            ),
            Manner::WrongKey => {
                let lifetime = mpay_client::LIFETIME;
                Ok(self
                    .stranger()?
                    .sign(content, self.algorithms, now, lifetime)?)
            }
            Manner::Tampered => tamper(&client.sign(content)?),
            Manner::Sha256 => client.sign_as(content, Algorithms::SHA256, now),
            Manner::Shaped(shape) => shape::sign(shape, content, &self.key, now),
        }
    }

    /// Somebody whom no provider knows: made when it is first needed, since an RSA key takes a
    /// moment.
    fn stranger(&self) -> anyhow::Result<&Signer> {
        let _one_at_a_time = self
            .making_stranger
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(stranger) = self.stranger.get() {
            return Ok(stranger);
        }
        let (key, certificate) = mpay_client::stranger()?;
        let stranger = Signer::from_pem(&key, &certificate)?;
        Ok(self.stranger.get_or_init(|| stranger))
    }
}

/// Puts a digit before the total of a signed confirmation.
fn tamper(message: &str) -> anyhow::Result<String> {
    const TAG: &str = "<TotalAmount>";
    let at = message
        .rfind(TAG)
        .context("there is no TotalAmount to change")?;
    let (before, after) = message.split_at(at + TAG.len());
    Ok(format!("{before}9{after}"))
}
