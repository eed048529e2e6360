//! The Standard Webhooks scheme (standard-webhooks, version 1.0.0): signed by HMAC-SHA256 over id,
//! time and body.

use std::fmt;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{
    HeaderName, HeaderValue, Method, Request, Uri,
    header::{self, InvalidHeaderValue},
};
use jiff::Timestamp;
use mpay_ledger::{
    domain::time,
    json::{Channel, Event, PaymentJson},
};
use serde::Serialize;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The reason why a webhook cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// No address of a web server.
    #[error("must be one such as https://erp.example.md/mpay, without a user or a fragment")]
    NotAnAddress,
    /// Its messages could be read and changed on their way.
    #[error("must begin with https:// except to this machine, or where environment is development")]
    NotEncrypted,
    /// No secret.
    #[error("must have secrets of the form whsec_ and base64 of 24 to 64 random bytes")]
    BadSecret,
}

/// The institution's webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    url: Uri,
    secrets: Vec<Secret>,
}

/// A key, ready to sign with, and erased from memory when dropped.
#[derive(Clone)]
struct Secret(Hmac<Sha256>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A message that is posted to a receiver. Receivers know a repeated one by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    id: String,
    body: Vec<u8>,
}

/// The body of a message.
#[derive(Serialize)]
struct Body<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    /// The time at which it happened.
    timestamp: Timestamp,
    data: &'a T,
}

/// The data of a message about a payment.
#[derive(Serialize)]
struct PaymentData<'a> {
    /// Its place, as in `GET /api/payments`.
    index: u64,
    /// The channel by which it came.
    channel: Channel,
    #[serde(flatten)]
    payment: &'a PaymentJson,
    /// The open reviews.
    review: &'a [String],
}

/// The data of a message about any other event, as `GET /api/events` gives it.
#[derive(Serialize)]
struct EventData<'a> {
    index: u64,
    at: String,
    #[serde(flatten)]
    event: &'a Event,
    /// The order's page for its payer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_url: Option<String>,
}

impl Message {
    /// A message about an event at a place of the journal. `review` are the open reviews of a payment,
    /// and `pay_url` is the payer's page of an order.
    ///
    /// # Errors
    /// An error if the event has no form in JSON, which happens to no known event.
    pub fn of_event(
        index: u64,
        at: Timestamp,
        event: &Event,
        review: &[String],
        pay_url: Option<String>,
    ) -> Result<Self, serde_json::Error> {
        let id = match event {
            Event::PaymentRecorded(payment) => {
                // After a void there are two payments of this id, and the receiver must not take the
                // second for a repetition.
                let ending = match payment.after_void {
                    true => ".after-void",
                    false => "",
                };
                message_id(&payment.payment_id, ending)
            }
            Event::PaymentVoided(void) => message_id(&void.payment_id, ".voided"),
            // It names the remaining amount, so that each refund of a payment is told of once.
            Event::PaymentRefunded(refund) => {
                message_id(&refund.payment_id, &format!(".{}", refund.remaining))
            }
            // A place can hold another event after a backup was put back.
            _ => format!("{index}-{}.event", at.as_second()),
        };
        match event {
            Event::PaymentRecorded(payment) => {
                let data = PaymentData {
                    index,
                    channel: payment.channel(),
                    payment,
                    review,
                };
                Self::new(id, event.name(), at, &data)
            }
            event => {
                let data = EventData {
                    index,
                    at: time::format(at),
                    event,
                    pay_url,
                };
                Self::new(id, event.name(), at, &data)
            }
        }
    }

    /// A message of this id and type.
    ///
    /// # Errors
    /// If the data has no form in JSON.
    pub fn new<T: Serialize>(
        id: String,
        kind: &str,
        at: Timestamp,
        data: &T,
    ) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_vec(&Body {
            kind,
            timestamp: at,
            data,
        })?;
        Ok(Self { id, body })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Webhook {
    /// Reads the address. `plain` allows one without encryption everywhere, not only on this
    /// machine.
    ///
    /// # Errors
    /// [`WebhookError`] if it is none.
    pub fn parse_url(text: &str, plain: bool) -> Result<Uri, WebhookError> {
        let url: Uri = text.parse().map_err(|_| WebhookError::NotAnAddress)?;
        let host = url.host().unwrap_or_default();
        let user = url.authority().is_none_or(|a| a.as_str().contains('@'));
        if host.is_empty() || user || text.contains('#') {
            return Err(WebhookError::NotAnAddress);
        }
        let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        match url.scheme_str() {
            Some("https") => Ok(url),
            Some("http") if here || plain => Ok(url),
            Some("http") => Err(WebhookError::NotEncrypted),
            _ => Err(WebhookError::NotAnAddress),
        }
    }

    /// A webhook with its secrets. All of them sign, so that the receiver can change from one to the
    /// next.
    ///
    /// # Errors
    /// [`WebhookError::BadSecret`].
    pub fn new(url: Uri, secrets: &[&str]) -> Result<Self, WebhookError> {
        let secrets = secrets
            .iter()
            .map(|secret| {
                let text = secret.strip_prefix("whsec_")?;
                let bytes = Zeroizing::new(Base64::decode_vec(text).ok()?);
                let long_enough = (24..=64).contains(&bytes.len());
                let mac = Hmac::new_from_slice(&bytes).ok()?;
                long_enough.then_some(Secret(mac))
            })
            .collect::<Option<Vec<_>>>()
            .filter(|secrets| !secrets.is_empty())
            .ok_or(WebhookError::BadSecret)?;
        Ok(Self { url, secrets })
    }

    /// Scheme, host and port of the address.
    pub fn origin(&self) -> String {
        Self::origin_of(&self.url)
    }

    /// Scheme, host and port of an address.
    pub(super) fn origin_of(url: &Uri) -> String {
        let scheme = url.scheme_str().unwrap_or_default();
        let authority = url.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}")
    }

    /// A request that posts a message, signed at this time.
    ///
    /// # Errors
    /// If a header cannot hold the message's id, which is made only of characters that headers can hold.
    pub fn post(
        &self,
        message: &Message,
        now: Timestamp,
    ) -> Result<Request<Bytes>, InvalidHeaderValue> {
        let Message { id, body } = message;
        let signature = self.sign(id, now.as_second(), body);
        let body = body.clone();
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let length = request.body().len().to_string();
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json"),
            (header::CONTENT_LENGTH, &length),
            (
                header::USER_AGENT,
                concat!("mpay-provider/", env!("CARGO_PKG_VERSION")),
            ),
            (HeaderName::from_static("webhook-id"), id),
            (
                HeaderName::from_static("webhook-timestamp"),
                &now.as_second().to_string(),
            ),
            (HeaderName::from_static("webhook-signature"), &signature),
        ] {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_str(value)?);
        }
        Ok(request)
    }

    /// `webhook-signature`: one of each secret.
    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let signatures = self.secrets.iter().map(|secret| {
            let mut mac = secret.0.clone();
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(body);
            format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// The id of a message about the thing of this name. Characters of the name other than letters, digits,
/// `-` and `_` are percent-encoded, so that no name ends like the id of another message.
pub(super) fn message_id(name: &str, ending: &str) -> String {
    const LITERAL: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_');
    let name = percent_encoding::utf8_percent_encode(name, LITERAL);
    format!("{name}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the Standard Webhooks repository's libraries.
        let url = Webhook::parse_url("https://erp.example/hook", false).unwrap();
        let webhook = Webhook::new(url, &[SECRET]).unwrap();
        assert_eq!(
            webhook.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn every_secret_signs_and_none_shows() {
        let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx";
        let url = Webhook::parse_url("https://erp.example/hook", false).unwrap();
        let webhook = Webhook::new(url.clone(), &[SECRET, other]).unwrap();
        let (id, now) = (message_id("P.1 ș", ".voided"), Timestamp::UNIX_EPOCH);
        let message = Message::new(id, "payment.voided", now, &1).unwrap();
        let request = webhook.post(&message, now).unwrap();
        let signature = request.headers()["webhook-signature"].to_str().unwrap();
        assert_eq!(signature.split(' ').count(), 2);
        assert_eq!(request.headers()["webhook-id"], "P%2E1%20%C8%99.voided");
        assert!(!format!("{webhook:?}").contains("MfKQ"), "{webhook:?}");
        for bad in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
            "whsec_?",
        ] {
            assert_eq!(
                Webhook::new(url.clone(), &[bad]).unwrap_err(),
                WebhookError::BadSecret,
                "{bad}"
            );
        }
    }

    #[test]
    fn only_addresses_that_are_encrypted_or_local_are_used() {
        for good in [
            "https://erp.example/a?b",
            "http://127.0.0.1:80/",
            "http://localhost/x",
            "http://[::1]:8/",
        ] {
            Webhook::parse_url(good, false).expect(good);
        }
        for bad in [
            "",
            "erp.example",
            "ftp://erp.example/",
            "https://u:p@erp.example/",
            "https:///x",
            "https://erp.example/#x",
        ] {
            assert_eq!(
                Webhook::parse_url(bad, true),
                Err(WebhookError::NotAnAddress),
                "{bad}"
            );
        }
        let plain = "http://erp.example/";
        assert_eq!(
            Webhook::parse_url(plain, false),
            Err(WebhookError::NotEncrypted)
        );
        assert!(Webhook::parse_url(plain, true).is_ok());
        let url = Webhook::parse_url("https://erp.example:8443/a", false).unwrap();
        let webhook = Webhook::new(url, &[SECRET]).unwrap();
        assert_eq!(webhook.origin(), "https://erp.example:8443");
    }
}
