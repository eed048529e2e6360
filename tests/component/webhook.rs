//! The messages that the component sends to the institution's webhook, in the embedded host.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    harness::*,
    receiver::{Received, Receiver, Reply},
};

const OLD_SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW_SECRET: &str = "nOWTIjUPD8ILPZIo2LaLaSwMfKQ9r8GK";

fn start(receiver: &Receiver) -> Provider {
    let webhooks = format!(
        "erp {}/hook whsec_{OLD_SECRET} whsec_{NEW_SECRET}",
        receiver.origin()
    );
    Provider::start_with(
        &[
            ("webhooks", &webhooks),
            ("webhook_origin", &receiver.origin()),
        ],
        None,
    )
}

/// Waits for what happens after an answer.
#[track_caller]
fn eventually<T>(what: &str, happened: impl Fn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = happened() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The messages of a type that have come.
fn messages(receiver: &Receiver, kind: &str) -> Vec<(Received, Value)> {
    let bodies = receiver.received().into_iter().map(|received| {
        let body: Value = serde_json::from_slice(&received.body).unwrap();
        (received, body)
    });
    bodies.filter(|(_, body)| body["type"] == kind).collect()
}

fn deliveries(provider: &Provider) -> Value {
    let answer = provider.api("GET", "outbox?cursor=0", None);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["deliveries"].clone()
}

fn confirm(provider: &Provider, key: &str, id: &str, amount: &str) {
    let payment = confirmation(key, id, amount);
    assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
}

#[test]
fn a_payment_is_posted_and_signed_with_every_secret() {
    let receiver = Receiver::start();
    let provider = start(&receiver);
    provider.register("1", order("10"));
    confirm(&provider, "1", "P-1", "12");
    let (received, body) = eventually("a message", || {
        messages(&receiver, "payment.recorded").pop()
    });
    assert_eq!(received.path, "/hook");
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(received.headers["webhook-id"], "P-1");
    let text = |name: &str| received.headers[name].to_str().unwrap();
    let signed = format!("P-1.{}.", text("webhook-timestamp"));
    let expected: Vec<_> = [OLD_SECRET, NEW_SECRET]
        .iter()
        .map(|secret| {
            let key = Base64::decode_vec(secret).unwrap();
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(signed.as_bytes());
            mac.update(&received.body);
            format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
        })
        .collect();
    assert_eq!(text("webhook-signature"), expected.join(" "));
    let ledger = provider.ledger();
    for (name, value) in ledger[0].as_object().unwrap() {
        assert_eq!(body["data"][name], *value, "{name}");
    }
    assert_eq!(body["data"]["review"], json!(["over-paid"]));

    eventually("an alert", || messages(&receiver, "alert.review").pop());
    let delivered = eventually("what came of it", || {
        let deliveries = deliveries(&provider);
        (deliveries[0]["status"] == "delivered").then_some(deliveries)
    });
    assert_eq!(delivered[0]["payment_id"], "P-1");
    assert!(!provider.log().contains(OLD_SECRET));
}

#[test]
fn mpay_gets_its_answer_while_the_receiver_has_not_answered() {
    let receiver = Receiver::start();
    receiver.hold();
    let provider = start(&receiver);
    provider.register("1", order("10"));
    provider.register("2", order("10"));
    confirm(&provider, "1", "P-1", "10");
    eventually("a message", || {
        messages(&receiver, "payment.recorded").pop()
    });
    // MPay goes on, though the receiver has the first message and does not answer.
    confirm(&provider, "1", "P-1", "10");
    confirm(&provider, "2", "P-2", "10");
    assert_eq!(provider.details("2").get("Status"), Some("Paid"));
    assert_ne!(deliveries(&provider)[0]["status"], "delivered");
    receiver.release();
    eventually("both deliveries", || {
        let deliveries = deliveries(&provider);
        let delivered = |n: usize| deliveries[n]["status"] == "delivered";
        (delivered(0) && delivered(1)).then_some(())
    });
}

#[test]
fn what_was_not_delivered_is_delivered_by_the_next_call_for_it() {
    let receiver = Receiver::start();
    let mut provider = Provider::start();
    provider.register("1", order("10"));
    confirm(&provider, "1", "P-1", "10");
    let closed = provider.api("POST", "outbox/deliver", None);
    assert_eq!(closed.status, 409, "{closed:?}");
    for (name, value) in [
        (
            "webhooks",
            format!("erp {}/hook whsec_{OLD_SECRET}", receiver.origin()),
        ),
        ("webhook_origin", receiver.origin()),
    ] {
        provider.set_variable(name, &value);
    }
    provider.restart();
    assert_eq!(deliveries(&provider)[0]["status"], "pending");
    let report = provider.api("POST", "outbox/deliver", None);
    assert_eq!(report.status, 200, "{report:?}");
    let expected = json!({"delivered": 1, "failed": 0, "given_up": 0, "complete": true});
    assert_eq!(report.body, expected);
    let again = provider.api("POST", "outbox/deliver", None);
    assert_eq!(again.body["delivered"], 0);
    assert_eq!(messages(&receiver, "payment.recorded").len(), 1);
    assert_eq!(deliveries(&provider)[0]["status"], "delivered");
    let open = provider.api("GET", "outbox", None);
    assert_eq!(open.body["deliveries"], json!([]));
}

#[test]
fn a_redirect_and_a_failure_are_shown_and_not_followed() {
    let (receiver, elsewhere) = (Receiver::start(), Receiver::start());
    receiver.reply(Reply {
        status: 307,
        headers: vec![("location", elsewhere.origin())],
        ..Reply::default()
    });
    let provider = start(&receiver);
    provider.register("1", order("10"));
    confirm(&provider, "1", "P-1", "10");
    let failing = eventually("a failed delivery", || {
        let deliveries = deliveries(&provider);
        (deliveries[0]["status"] == "failing").then_some(deliveries)
    });
    let error = failing[0]["last_error"].as_str().unwrap();
    assert!(error.starts_with("The receiver answered 307. "), "{error}");
    assert_eq!(failing[0]["failed_attempts"], 1);
    assert!(failing[0]["next_attempt_at"].is_string());
    let report = provider.api("POST", "outbox/deliver", None);
    assert_eq!(report.body["failed"], 0, "it is not due yet");
    assert_eq!(elsewhere.received().len(), 0);
}

#[test]
fn callers_who_are_not_believed_again_and_again_are_told_of() {
    let receiver = Receiver::start();
    let provider = start(&receiver);
    let stranger = provider.client(STRANGER_KEY, STRANGER);
    let alert = eventually("an alert", || {
        let answer = stranger.details(SERVICE, "1", "ro").unwrap();
        assert_eq!(code(answer), "AuthenticationFailed");
        messages(&receiver, "alert.authentication").pop()
    });
    assert_eq!(alert.1["data"]["calls"], 5);
    let id = alert.0.headers["webhook-id"].to_str().unwrap();
    assert!(id.starts_with("alert-authentication-20"), "{id}");
}

/// Two receivers over HTTP: one wants time and then nothing any more, one is not there, and MPay and the
/// other get what they are due.
#[test]
fn each_receiver_is_told_by_itself_and_ends_by_itself() {
    let (erp, archive) = (Receiver::start(), Receiver::start());
    let webhooks = format!(
        "erp {}/hook whsec_{OLD_SECRET}; archive {}/ whsec_{NEW_SECRET} orders,payments; gone http://127.0.0.1:9/ whsec_{NEW_SECRET} orders",
        erp.origin(),
        archive.origin()
    );
    let provider = Provider::start_with(
        &[
            ("webhooks", &webhooks),
            ("webhook_origin", &erp.origin()),
            ("webhook_origin_2", &archive.origin()),
            ("webhook_origin_3", "http://127.0.0.1:9"),
        ],
        None,
    );
    let deliver = || provider.api("POST", "outbox/deliver", None).body;
    let webhook = |number: usize| {
        let answer = provider.api("GET", "webhooks", None);
        answer.body["webhooks"][number].clone()
    };
    erp.reply(Reply {
        status: 429,
        headers: vec![("retry-after", "3600".to_owned())],
        ..Reply::default()
    });
    provider.register("1", order("10"));
    confirm(&provider, "1", "P-1", "10");
    eventually("a pause", || {
        (webhook(0)["status"] == "paused").then_some(())
    });
    eventually("the payment", || {
        messages(&archive, "payment.recorded").pop()
    });
    deliver();
    // A delivery under way elsewhere may be made twice; it is one message by its id.
    let registered = messages(&archive, "order.registered");
    let ids = registered
        .iter()
        .map(|(received, _)| received.headers["webhook-id"].clone());
    assert_eq!(ids.collect::<HashSet<_>>().len(), 1);
    assert_eq!(erp.received().len(), 1, "it is left alone");
    assert!(webhook(0)["paused_until"].is_string());
    let gone = webhook(2);
    assert_eq!(gone["status"], "failing");
    assert_eq!(gone["last_error"], "The connection was refused.");
    assert_eq!(gone["origin"], "http://127.0.0.1:9");

    erp.reply(Reply {
        status: 410,
        ..Reply::default()
    });
    let resume = || provider.api("POST", "webhooks/erp/resume", None);
    assert_eq!(resume().body["status"], "failing");
    assert_eq!(deliver()["ended"], json!(["erp"]));
    assert_eq!(webhook(0)["status"], "ended");
    for path in ["health", "health/office"] {
        let health = eventually("a warning", || {
            let mut health = provider.http("GET", path, &[], b"");
            let health: Value = health.body_mut().read_json().unwrap();
            health["warnings"].is_array().then_some(health)
        });
        let warning = health["warnings"].to_string();
        assert!(warning.contains("receiver erp answered 410"), "{warning}");
    }
    let count = erp.received().len();
    provider.register("2", order("10"));
    confirm(&provider, "2", "P-2", "10");
    eventually("the payment", || {
        (messages(&archive, "payment.recorded").len() >= 2).then_some(())
    });
    deliver();
    assert_eq!(erp.received().len(), count, "it wants nothing any more");

    erp.reply(Reply::default());
    assert_eq!(resume().status, 200);
    assert_eq!(deliver()["delivered"], 2, "what it missed");
    let again = json!({"receiver": "erp", "since": "2020-01-01"});
    let asked = provider.api("POST", "outbox/resend", Some(&again));
    assert_eq!(asked.status, 202, "{asked:?}");
    assert_eq!(deliver()["delivered"], 2);
    let ids: Vec<_> = messages(&erp, "payment.recorded")
        .into_iter()
        .map(|(received, _)| received.headers["webhook-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids[ids.len() - 4..], ["P-1", "P-2", "P-1", "P-2"]);
    assert!(!provider.log().contains(OLD_SECRET));
}
