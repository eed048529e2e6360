//! Every exchange with the provider: both messages, byte for byte, and their outcome.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64ct::{Base64, Encoding};
use jiff::Timestamp;
use serde_json::{Value, json};

use mpay_client::Fault;

/// Exchanges that are kept; older ones are forgotten.
const KEPT: usize = 500;

/// The part of an exchange that is written down.
#[derive(Debug, Clone)]
pub struct Record {
    /// The time at which the message was sent.
    pub at: Timestamp,
    /// `GetOrderDetails` or `ConfirmOrderPayment`.
    pub operation: &'static str,
    /// `ServiceID` of the call.
    pub service_id: String,
    /// `OrderKey` of the call.
    pub order_key: String,
    /// `PaymentID` of a confirmation.
    pub payment_id: Option<String>,
    /// The mischief of the call, by its name on the command line.
    pub mischief: Option<&'static str>,
    /// The message that was sent.
    pub request: String,
    /// The answer over HTTP; nothing if the provider was not reached.
    pub answer: Option<HttpAnswer>,
    /// The provider's signature of the answer, or why there is none.
    pub signature: Result<Signature, String>,
    /// The statement of the answer.
    pub outcome: Outcome,
    /// Time it took to sign the message.
    pub signing: Duration,
    /// Time from the sending to the end of the answer.
    pub waiting: Duration,
}

/// An answer over HTTP.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The signer of an answer, and the algorithms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The subject of the certificate.
    pub subject: String,
    /// The identifier of the signature algorithm.
    pub algorithm: &'static str,
}

/// The statement of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The result: success.
    Success,
    /// A SOAP fault that the provider signed.
    Fault(Fault),
    /// An answer that cannot be believed or understood.
    Unusable(String),
    /// No answer.
    Unreachable(String),
}

/// A record with its number.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place, from 1.
    pub number: u64,
    /// The record that was written down.
    pub record: Record,
}

/// The journal: bounded, in memory.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    written: u64,
    entries: VecDeque<Arc<Entry>>,
}

impl Journal {
    /// Writes a record down, and gives its entry.
    pub fn write(&self, record: Record) -> Arc<Entry> {
        let mut kept = self.kept();
        kept.written += 1;
        let entry = Arc::new(Entry {
            number: kept.written,
            record,
        });
        if kept.entries.len() == KEPT {
            kept.entries.pop_front();
        }
        kept.entries.push_back(Arc::clone(&entry));
        entry
    }

    /// The entry with this number, unless it was forgotten.
    pub fn get(&self, number: u64) -> Option<Arc<Entry>> {
        let kept = self.kept();
        let found = kept.entries.iter().find(|entry| entry.number == number);
        found.map(Arc::clone)
    }

    /// All that is kept, the oldest first.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.kept().entries.iter().map(Arc::clone).collect()
    }

    /// All that is kept, as a document.
    pub fn to_json(&self) -> Value {
        let entries: Vec<_> = self.entries().iter().map(|entry| entry.to_json()).collect();
        json!({ "exchanges": entries })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing in here can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The entry as a document. The answer is given in base64 too, since it may be no text.
    pub fn to_json(&self) -> Value {
        let record = &self.record;
        let answer = record.answer.as_ref().map(|answer| {
            json!({
                "status": answer.status,
                "content_type": answer.content_type,
                "body": String::from_utf8_lossy(&answer.body),
                "body_base64": Base64::encode_string(&answer.body),
            })
        });
        let (verified, signature) = match &record.signature {
            Ok(signature) => (
                true,
                json!({ "subject": signature.subject, "algorithm": signature.algorithm }),
            ),
            Err(reason) => (false, json!({ "reason": reason })),
        };
        json!({
            "number": self.number,
            "at": record.at.to_string(),
            "operation": record.operation,
            "service_id": record.service_id,
            "order_key": record.order_key,
            "payment_id": record.payment_id,
            "mischief": record.mischief,
            "outcome": record.outcome.to_json(),
            "verified": verified,
            "signature": signature,
            "signing_ms": milliseconds(record.signing),
            "waiting_ms": milliseconds(record.waiting),
            "request": record.request,
            "answer": answer,
        })
    }
}

impl Outcome {
    fn to_json(&self) -> Value {
        match self {
            Outcome::Success => json!({ "kind": "success" }),
            Outcome::Fault(fault) => {
                json!({ "kind": "fault", "code": fault.code, "reason": fault.reason })
            }
            Outcome::Unusable(reason) => json!({ "kind": "unusable", "reason": reason }),
            Outcome::Unreachable(reason) => json!({ "kind": "unreachable", "reason": reason }),
        }
    }
}

/// A duration for people, in milliseconds with one fraction digit.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(order_key: &str) -> Record {
        Record {
            at: Timestamp::UNIX_EPOCH,
            operation: "GetOrderDetails",
            service_id: "S".into(),
            order_key: order_key.into(),
            payment_id: None,
            mischief: None,
            request: "<a/>".into(),
            answer: Some(HttpAnswer {
                status: 200,
                content_type: "text/xml".into(),
                body: vec![0xff, b'a'],
            }),
            signature: Err("the answer is no SOAP message".into()),
            outcome: Outcome::Unusable("the answer is no SOAP message".into()),
            signing: Duration::from_micros(1_240),
            waiting: Duration::from_millis(12),
        }
    }

    #[test]
    fn the_oldest_entries_are_forgotten_and_numbers_go_on() {
        let journal = Journal::default();
        for n in 0..KEPT + 2 {
            journal.write(record(&n.to_string()));
        }
        let entries = journal.entries();
        assert_eq!(entries.len(), KEPT);
        assert_eq!(entries[0].number, 3);
        assert_eq!(entries[0].record.order_key, "2");
        assert!(journal.get(2).is_none());
        assert_eq!(journal.get(3).unwrap().record.order_key, "2");
    }

    #[test]
    fn an_answer_that_is_no_text_is_kept_byte_for_byte() {
        let journal = Journal::default();
        journal.write(record("1"));
        let document = journal.to_json();
        let answer = &document["exchanges"][0]["answer"];
        assert_eq!(answer["body"], "\u{FFFD}a");
        assert_eq!(answer["body_base64"], "/2E=");
        assert_eq!(document["exchanges"][0]["signing_ms"], 1.2);
        assert_eq!(document["exchanges"][0]["verified"], false);
    }
}
