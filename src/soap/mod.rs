//! The SOAP service `IServiceProvider`, which MPay calls.

mod answer;
mod confirm_order_payment;
mod fault;
mod get_order_details;
mod member;
pub mod wsdl;

use std::cell::OnceCell;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use jiff::Timestamp;
use wsse::{Algorithms, Content, Envelope, SecurityError, Signer, Verified};

use mpay_door::{
    Platform,
    log::{self, Field, log},
};
use mpay_ledger::{Ledger, digest::sha256, domain::PaymentId, json::SignerJson};
use mpay_notify::Outcome;

use crate::{App, config::Config};
pub use confirm_order_payment::MENTIONED;
pub use fault::{Fault, FaultCode};

/// Namespace of all operations, messages and types.
pub const NAMESPACE: &str = "https://mpay.gov.md";

/// A verified call, on its way to an answer.
struct Call<'a, P> {
    config: &'a Config,
    store: &'a Ledger<P>,
    /// The message as it came in.
    message: &'a [u8],
    verified: &'a Verified,
    /// The payment that it records for the first time.
    recorded: OnceCell<PaymentId>,
}

impl<P> Call<'_, P> {
    /// Signs an answer with the algorithms of the request; `None`, with a line in the log, if that is
    /// impossible.
    fn sign(&self, content: &Content) -> Option<String>
    where
        P: Platform,
    {
        let now = self.store.now();
        answer::sign(
            &self.config.signer,
            content,
            self.verified.algorithms(),
            now,
        )
        .map_err(|error| log!(error: "an answer could not be signed: {error}"))
        .ok()
    }

    fn signer(&self) -> SignerJson {
        let signer = self.verified.signer();
        SignerJson {
            subject: signer.subject(),
            fingerprint: signer.fingerprint(),
            algorithm: self.verified.signature_method().to_owned(),
        }
    }
}

/// The answer of an operation.
enum Answer {
    /// Content that is to be signed.
    Content(Content),
    /// The envelope, signed before it was sent because it is kept.
    Signed(String),
    /// A fault, and its envelope, which was signed before it was sent too.
    Refused(Fault, String),
}

/// Answers a message, always with SOAP, and signed if there is a key. The outcome is among the answer's
/// extensions, as an [`Outcome`].
pub async fn handle<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    headers: &HeaderMap,
    message: &Bytes,
) -> Response<Bytes> {
    let config = match &app.config {
        Ok(config) => config,
        Err(wrong) => {
            let fault = Fault::internal("The provider is not configured.");
            return anonymous(app, wrong.rest.signer.as_deref(), store, fault);
        }
    };
    let verified = match Envelope::parse(message) {
        Err(error) => {
            log!("refused: sha256={} {error}", sha256(message));
            return anonymous(app, Some(&config.signer), store, Fault::of_envelope(&error));
        }
        Ok(envelope) => match envelope.verify(&config.policy, store.now()) {
            Err(error) => {
                // A stranger may have put a person's data into a certificate, or beside it.
                let reason = error.without_texts();
                log!("not authenticated: sha256={} {reason}", sha256(message));
                note_clock(app, config, message, &error, store.now());
                let fault = Fault::authentication_failed();
                let mut response = anonymous(app, Some(&config.signer), store, fault);
                response.extensions_mut().insert(Outcome::NotAuthenticated);
                return response;
            }
            Ok(verified) => verified,
        },
    };
    let received = store.now();
    app.clock.note(verified.created(), received);
    let call = Call {
        config,
        store,
        message,
        verified: &verified,
        recorded: OnceCell::new(),
    };
    let mut response = answer(&call, headers).await;
    response.extensions_mut().insert(Outcome::Authentic {
        created: verified.created(),
        received,
        clock_skew: config.policy.clock_skew,
        recorded: call.recorded.into_inner(),
    });
    response
}

/// Notes the time of a message that was refused for its time alone. Since anybody can write a time, the
/// signature is verified as of that time: only a trusted signer's time counts.
fn note_clock(
    app: &App,
    config: &Config,
    message: &Bytes,
    error: &SecurityError,
    received: Timestamp,
) {
    let (SecurityError::CreatedInFuture { created: time, .. }
    | SecurityError::TooOld { created: time, .. }
    | SecurityError::Expired { expires: time, .. }) = error
    else {
        return;
    };
    let verified = Envelope::parse(message).map(|envelope| envelope.verify(&config.policy, *time));
    if let Ok(Ok(verified)) = verified {
        app.clock.note(verified.created(), received);
    }
}

/// Answers a verified call.
async fn answer<P: Platform>(call: &Call<'_, P>, headers: &HeaderMap) -> Response<Bytes> {
    let (status, content) = match dispatch(call, headers).await {
        Ok(Answer::Signed(envelope)) => return respond(StatusCode::OK, envelope),
        Ok(Answer::Content(content)) => (StatusCode::OK, content),
        Ok(Answer::Refused(fault, envelope)) => {
            note(&fault);
            return respond(StatusCode::INTERNAL_SERVER_ERROR, envelope);
        }
        Err(fault) => {
            note(&fault);
            (StatusCode::INTERNAL_SERVER_ERROR, fault.encode())
        }
    };
    match call.sign(&content) {
        Some(envelope) => respond(status, envelope),
        None => {
            let fault = Fault::internal("The answer could not be signed.");
            log::note(Field::Verdict, fault.code.as_str());
            respond(
                StatusCode::INTERNAL_SERVER_ERROR,
                answer::unsigned(&fault.encode()),
            )
        }
    }
}

fn note(fault: &Fault) {
    let code = fault.code.as_str();
    log::note(Field::Verdict, code);
    match fault.is_verdict() {
        true => log!("fault {code}: {}", fault.log()),
        false => log!(error: "fault {code}: {}", fault.log()),
    }
}

/// Finds the operation in the verified Body, and lets it answer.
async fn dispatch<P: Platform>(call: &Call<'_, P>, headers: &HeaderMap) -> Result<Answer, Fault> {
    if let Some(header) = call.verified.not_understood().first() {
        return Err(Fault::must_understand(header));
    }
    let body = call.verified.body();
    let mut children = body.children();
    let operation = match (children.next(), children.next()) {
        (Some(operation), None) if !body.has_mixed_content() => operation,
        _ => {
            return Err(Fault::client(
                "The Body must hold one operation and nothing else.",
            ));
        }
    };
    let known = ["GetOrderDetails", "ConfirmOrderPayment"]
        .into_iter()
        .find(|name| operation.is(NAMESPACE, name))
        .ok_or_else(|| {
            Fault::client("The Body holds neither GetOrderDetails nor ConfirmOrderPayment.")
        })?;
    log::note(Field::Operation, known);
    check_action(call.verified, headers, known)?;
    match known {
        "GetOrderDetails" => get_order_details::answer(call, operation)
            .await
            .map(Answer::Content),
        _ => confirm_order_payment::answer(call, operation).await,
    }
}

/// Refuses a SOAPAction, or an `Action` of WS-Addressing, that names something else than the
/// operation. A missing, empty or unquoted one is fine.
///
/// Neither needs to be signed, so neither is believed; but a message that contradicts itself is not acted
/// on.
fn check_action(verified: &Verified, headers: &HeaderMap, operation: &str) -> Result<(), Fault> {
    for action in headers.get_all("soapaction") {
        let action = action.to_str().unwrap_or("?").trim();
        let action = action
            .strip_prefix('"')
            .and_then(|a| a.strip_suffix('"'))
            .unwrap_or(action);
        if !may_name(action, operation) {
            return Err(Fault::client(
                "The SOAPAction names another operation than the Body.",
            ));
        }
    }
    if !verified.actions().iter().all(|a| may_name(a, operation)) {
        return Err(Fault::client(
            "The Action of WS-Addressing names another operation than the Body.",
        ));
    }
    Ok(())
}

fn may_name(action: &str, operation: &str) -> bool {
    let named = action
        .strip_prefix(NAMESPACE)
        .and_then(|rest| rest.strip_prefix("/IServiceProvider/"));
    action.is_empty() || named == Some(operation)
}

/// Answers a caller who was not authenticated: nothing of the request is repeated, and one
/// signature serves all such callers for a minute.
fn anonymous<P: Platform>(
    app: &App,
    signer: Option<&Signer>,
    store: &Ledger<P>,
    fault: Fault,
) -> Response<Bytes> {
    const REUSED_FOR: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
    log::note(Field::Verdict, fault.code.as_str());
    let now = store.now();
    let key = format!("{} {}", fault.code.as_str(), fault.reason());
    let mut faults = app.memory.faults.borrow_mut();
    if let Some((signed_at, envelope)) = faults.get(&key)
        && now.duration_since(*signed_at).abs() < REUSED_FOR
    {
        return respond(StatusCode::INTERNAL_SERVER_ERROR, envelope.clone());
    }
    let content = fault.encode();
    let signed = signer.map(|signer| answer::sign(signer, &content, Algorithms::SHA256, now));
    let envelope = match signed {
        Some(Ok(envelope)) => {
            faults.insert(key, (now, envelope.clone()));
            envelope
        }
        Some(Err(error)) => {
            log!(error: "a fault could not be signed: {error}");
            answer::unsigned(&content)
        }
        None => answer::unsigned(&content),
    };
    respond(StatusCode::INTERNAL_SERVER_ERROR, envelope)
}

/// The answer to a call that took too long.
pub fn late<P: Platform>(app: &App, store: &Ledger<P>) -> Response<Bytes> {
    let fault = Fault::internal("The provider could not answer in time. Try again.");
    note(&fault);
    to_stranger(app, store, fault)
}

/// The answer to every call while everything is stopped: MPay repeats a confirmation until it succeeds,
/// and shows payers no order that they could pay.
pub fn paused<P: Platform>(app: &App, store: &Ledger<P>) -> Response<Bytes> {
    let fault = Fault::internal("The provider is stopped for a while. Try again later.");
    let response = to_stranger(app, store, fault);
    log::note(Field::Verdict, "paused");
    response
}

/// Signs a fault like one to a stranger, since the caller is unknown.
fn to_stranger<P: Platform>(app: &App, store: &Ledger<P>, fault: Fault) -> Response<Bytes> {
    let signer = match &app.config {
        Ok(config) => Some(&config.signer),
        Err(wrong) => wrong.rest.signer.as_deref(),
    };
    anonymous(app, signer, store, fault)
}

/// A fault as a host answers it in place of the component: it has no key to sign it with.
pub fn unsigned(fault: &Fault) -> Response<Bytes> {
    respond(
        StatusCode::INTERNAL_SERVER_ERROR,
        answer::unsigned(&fault.encode()),
    )
}

fn respond(status: StatusCode, envelope: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(envelope));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/xml; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use mpay_door::config::testing::variables;
    use mpay_ledger::memory::Memory;

    #[tokio::test(start_paused = true)]
    async fn anonymous_callers_share_one_signature_a_minute() {
        let app = App::new(variables());
        let memory = Memory::new();
        let store = Ledger::new(memory.clone());
        let ask = async |message: &'static str| {
            let message = Bytes::from_static(message.as_bytes());
            handle(&app, &store, &HeaderMap::new(), &message)
                .await
                .into_body()
        };
        let first = ask("<a/>").await;
        assert_eq!(ask("<b>another</b>").await, first);
        assert_ne!(ask("<b").await, first, "another fault has its own");
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(ask("<a/>").await, first);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let later = ask("<a/>").await;
        assert_ne!(later, first);
        assert!(String::from_utf8_lossy(&later).contains("rsa-sha256"));
        assert_eq!(
            memory.take_calls(),
            [""; 0],
            "strangers do not reach the store"
        );
        assert_eq!(app.memory.faults.borrow().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_is_compared_with_times_that_mpay_signed_and_no_others() {
        const MPAY_KEY: &str = include_str!("../../crates/wsse/tests/data/mpay.key.pem");
        const MPAY: &str = include_str!("../../crates/wsse/tests/data/mpay.pem");
        const STRANGER_KEY: &str = include_str!("../../crates/wsse/tests/data/stranger.key.pem");
        const STRANGER: &str = include_str!("../../crates/wsse/tests/data/stranger.pem");
        let store = Ledger::new(Memory::new());
        let hour = jiff::SignedDuration::from_hours(1);
        for (key, certificate, ahead, lifetime, seen) in [
            (MPAY_KEY, MPAY, jiff::SignedDuration::ZERO, 300, Some(0)),
            (MPAY_KEY, MPAY, hour, 300, Some(3600)),
            (MPAY_KEY, MPAY, hour, 36_000, Some(3600)),
            (MPAY_KEY, MPAY, hour / 12, 60, Some(300)),
            (MPAY_KEY, MPAY, -hour, 300, Some(-3600)),
            (
                STRANGER_KEY,
                STRANGER,
                jiff::SignedDuration::ZERO,
                300,
                None,
            ),
            (STRANGER_KEY, STRANGER, hour, 300, None),
            (STRANGER_KEY, STRANGER, -hour, 300, None),
        ] {
            let app = App::new(variables());
            let signer = Signer::from_pem(key, certificate).unwrap();
            let content = Fault::internal("The clock.").encode();
            let lifetime = Duration::from_secs(lifetime);
            let created = store.now() - ahead;
            let message = signer.sign(&content, Algorithms::SHA256, created, lifetime);
            let message = Bytes::from(message.unwrap());
            handle(&app, &store, &HeaderMap::new(), &message).await;
            let found = app.clock.ahead().map(|ahead| ahead.as_secs());
            assert_eq!(found, seen, "{ahead:?} {lifetime:?}");
        }
    }
}
