//! `/api/webhooks`: the receivers of webhooks, and the state of their delivery.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    endpoint::{Endpoint, Values},
    json,
};
use crate::{
    access::{EVERYBODY, OPERATORS},
    domain::time,
    store::{Lately, Platform, ReceiverOutbox, Standing},
};
use mpay_notify::{Notifier, Receiver};

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct WebhooksAnswer {
    webhooks: Vec<WebhookAnswer>,
}

/// A receiver of webhooks.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct WebhookAnswer {
    /// Its name in the variable `webhooks`.
    name: String,
    /// Scheme, host and port of its address.
    origin: String,
    /// The groups of events that it receives: `orders`, `payments`, `refusals`, `settlements`, `reviews`,
    /// `alerts`.
    events: Vec<&'static str>,
    /// `active`, `failing`, `paused` (it asked for a pause) or `ended` (it answered 410).
    status: &'static str,
    /// Number of messages that are not delivered yet.
    pending: usize,
    /// True if there may be more than `pending`.
    pending_more: bool,
    /// Time of the latest message that it accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_at: Option<String>,
    /// Time of the latest attempt that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// For a receiver that is paused: the time before which it is sent nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<String>,
    /// For a receiver that has ended: the time of its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

/// `GET /api/webhooks`.
pub const fn list_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "webhooks",
        roles: &EVERYBODY,
        parameters: &[],
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "outbox",
                "listWebhooks",
                "The receivers of webhooks, and the state of their delivery",
            )
            .describe("The receivers in the variable `webhooks`, without their secrets.")
            .answers(
                200,
                "All receivers.",
                as_json(schemas.answer::<WebhooksAnswer>()),
            )
            .fails([409])
        },
    }
}

async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    notifier(call)?;
    let mut webhooks = Vec::new();
    for receiver in &call.config.notification.receivers {
        webhooks.push(describe(call, receiver).await?);
    }
    json(StatusCode::OK, &WebhooksAnswer { webhooks })
}

/// `POST /api/webhooks/{receiver}/resume`.
pub const fn resume_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "webhooks/{receiver}/resume",
        roles: &OPERATORS,
        parameters: &[],
        answer: |call, values, _| Box::pin(resume(call, values)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "outbox",
                "resumeWebhook",
                "Resumes delivery to a receiver that answered 410",
            )
            .describe("The next deliveries send the messages that it missed. For a receiver that asked for a pause, this ends the pause. For any other receiver it changes nothing.")
            .takes(["receiver"])
            .answers(
                200,
                "The receiver.",
                as_json(schemas.answer::<WebhookAnswer>()),
            )
            .fails([404, 409])
        },
    }
}

async fn resume<P: Platform>(
    call: &Call<'_, P>,
    values: &Values,
) -> Result<Response<Bytes>, Problem> {
    let name = values.text("receiver");
    let receiver = receiver(call, Some(name), StatusCode::NOT_FOUND)?;
    let outbox = outbox(call, receiver);
    let standing = outbox.standing().await?;
    if standing.ended.is_some() {
        outbox.set_ended(None).await?;
    }
    if standing.lately.not_before.is_some() {
        let lately = Lately {
            not_before: None,
            ..standing.lately
        };
        outbox.set_lately(&lately).await?;
    }
    json(StatusCode::OK, &describe(call, receiver).await?)
}

/// The sender of messages to the receivers.
pub(super) fn notifier<'a, P: Platform>(call: &Call<'a, P>) -> Result<Notifier<'a, P>, Problem> {
    let notifier = call.config.notifier(call.app, call.store);
    notifier.ok_or_else(|| match call.config.webhook_off() {
        Some(variable) => Problem::switched_off("The webhook", variable),
        None => Problem::new(
            StatusCode::CONFLICT,
            "Nobody is told: the variable webhooks is not set.",
        ),
    })
}

/// The receiver with this name. If there is only one, no name is needed. An unknown name is refused with the
/// status `otherwise`.
pub(super) fn receiver<'a, P: Platform>(
    call: &Call<'a, P>,
    name: Option<&str>,
    otherwise: StatusCode,
) -> Result<&'a Receiver, Problem> {
    notifier(call)?;
    let settings = &call.config.notification;
    match (name, settings.receivers.as_slice()) {
        (Some(name), _) => settings
            .receiver(name)
            .ok_or_else(|| unknown(call, otherwise)),
        (None, [one]) if call.config.webhook_off().is_none() => Ok(one),
        (None, _) => Err(unknown(call, otherwise)),
    }
}

/// The problem for a missing or unknown name of a receiver.
fn unknown<P: Platform>(call: &Call<'_, P>, status: StatusCode) -> Problem {
    let names = call.config.notification.receivers.iter();
    let names: Vec<_> = names.map(|receiver| receiver.name.as_str()).collect();
    let names = names.join(", ");
    match call.config.webhook_off() {
        // The name may belong to the entry with the mistake.
        Some(variable) => {
            Problem::switched_off(&format!("A receiver beside these: {names}"), variable)
        }
        None => Problem::new(status, format!("receiver must be one of these: {names}.")),
    }
}

pub(super) fn outbox<'a, P: Platform>(
    call: &Call<'a, P>,
    receiver: &'a Receiver,
) -> ReceiverOutbox<'a, P> {
    let outbox = call.store.outbox();
    outbox.of(&receiver.name, receiver.groups)
}

async fn describe<P: Platform>(
    call: &Call<'_, P>,
    receiver: &Receiver,
) -> Result<WebhookAnswer, Problem> {
    let outbox = outbox(call, receiver);
    let Standing {
        state,
        lately,
        ended,
        requests,
    } = outbox.standing().await?;
    let state = match state {
        Some(state) => state,
        None => outbox.beginning().await?,
    };
    let page = outbox.read(state.low).await?;
    let new = page.deliveries.iter();
    let new = new.filter(|delivery| delivery.settled.is_none()).count();
    let paused = lately.paused_until(call.store.now());
    let status = match (&ended, paused) {
        (Some(_), _) => "ended",
        (None, Some(_)) => "paused",
        (None, None) if lately.failed_at > lately.success_at => "failing",
        (None, None) => "active",
    };
    Ok(WebhookAnswer {
        name: receiver.name.clone(),
        origin: receiver.webhook.origin(),
        events: receiver.groups.iter().map(|group| group.as_str()).collect(),
        status,
        pending: state.waiting.len() + new,
        pending_more: !state.left.is_empty() || state.requests < requests || !page.complete,
        last_success_at: lately.success_at.map(time::format),
        last_error_at: lately.failed_at.map(time::format),
        last_error: lately.error,
        paused_until: paused.map(time::format),
        ended_at: ended.map(|ended| time::format(ended.at)),
    })
}

#[cfg(test)]
mod tests {
    use std::{ops::RangeInclusive, time::Duration};

    use serde_json::{Value, json};

    use super::super::testing::Api;

    const WEBHOOKS: &str = "\
        erp https://erp.example.md/secret-path whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw orders
        chat https://chat.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw orders,alerts";
    const ORIGIN: (&str, &str) = ("webhook_origin", "https://erp.example.md");
    const BOTH: [(&str, &str); 3] = [
        ("webhooks", WEBHOOKS),
        ORIGIN,
        ("webhook_origin_2", "https://chat.example.md"),
    ];
    const ORDER: &str =
        r#"{"reason": "R", "lines": [{"line_id": "1", "reason": "L", "amount_due": "1"}]}"#;

    async fn register(api: &Api, keys: std::ops::Range<u32>) {
        for key in keys {
            let address = format!("orders/TAX/{key}");
            assert_eq!(api.call("PUT", &address, "", ORDER).await.status, 201);
        }
    }

    async fn post(api: &Api, address: &str, body: &Value) -> (u16, Value) {
        let answer = api.call("POST", address, "", body.to_string()).await;
        (answer.status, answer.json())
    }

    async fn deliver(api: &Api) -> Value {
        let (status, report) = post(api, "outbox/deliver", &Value::Null).await;
        assert_eq!(status, 200, "{report}");
        report
    }

    /// The description of a receiver.
    async fn webhook(api: &Api, number: usize) -> Value {
        api.get("webhooks").await.json()["webhooks"][number].clone()
    }

    #[tokio::test(start_paused = true)]
    async fn receivers_are_listed_with_how_it_goes_and_never_their_secrets() {
        let api = Api::with(&BOTH);
        register(&api, 1..3).await;
        let answer = api.get("webhooks").await;
        assert!(!answer.text.contains("MfKQ") && !answer.text.contains("secret-path"));
        let expected = json!({
            "name": "erp", "origin": "https://erp.example.md", "events": ["orders"],
            "status": "active", "pending": 2, "pending_more": false,
        });
        assert_eq!(answer.json()["webhooks"][0], expected);
        api.memory.script_reply_of("erp.example.md", 500, "");
        api.memory.script_reply_of("chat.example.md", 429, "600");
        assert_eq!(deliver(&api).await["delivered"], 1);
        let erp = webhook(&api, 0).await;
        assert_eq!(
            (&erp["status"], &erp["pending"]),
            (&json!("active"), &json!(1))
        );
        assert_eq!(erp["last_error"], "The receiver answered 500.");
        assert_eq!(erp["last_success_at"], "2026-06-01T12:00:00+03:00");
        assert_eq!(erp["pending_more"], false);
        let chat = webhook(&api, 1).await;
        assert_eq!(
            (&chat["status"], &chat["pending"]),
            (&json!("paused"), &json!(2))
        );
        assert_eq!(chat["paused_until"], "2026-06-01T12:10:00+03:00");
        // A person who knows better ends the pause.
        let (status, resumed) = post(&api, "webhooks/chat/resume", &Value::Null).await;
        assert_eq!((status, &resumed["status"]), (200, &json!("failing")));
        assert_eq!(deliver(&api).await["delivered"], 2);
    }

    #[tokio::test(start_paused = true)]
    async fn how_many_messages_wait_is_exact_but_where_there_may_be_more() {
        let api = Api::with(&BOTH);
        let told = async || {
            let erp = webhook(&api, 0).await;
            (erp["pending"].clone(), erp["pending_more"].clone())
        };
        assert_eq!(told().await, (json!(0), json!(false)));
        register(&api, 0..100).await;
        register(&api, 100..101).await;
        assert_eq!(told().await, (json!(100), json!(true)));
        while deliver(&api).await["complete"] == false {}
        assert_eq!(told().await, (json!(0), json!(false)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_has_ended_is_resumed_and_gets_what_it_missed() {
        let api = Api::with(&BOTH);
        register(&api, 1..3).await;
        api.memory.script_reply_of("erp.example.md", 410, "");
        let report = deliver(&api).await;
        assert_eq!(report["ended"], json!(["erp"]));
        assert_eq!(webhook(&api, 0).await["status"], "ended");
        let again = json!({"receiver": "erp", "index": 1});
        let (status, problem) = post(&api, "outbox/resend", &again).await;
        assert_eq!(status, 409);
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("webhooks/erp/resume")
        );
        let (status, resumed) = post(&api, "webhooks/erp/resume", &Value::Null).await;
        assert_eq!((status, &resumed["status"]), (200, &json!("active")));
        assert_eq!(resumed["ended_at"], Value::Null);
        assert_eq!(deliver(&api).await["delivered"], 2);
        let (status, _) = post(&api, "webhooks/nobody/resume", &Value::Null).await;
        assert_eq!(status, 404);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_is_named_where_there_are_several() {
        let api = Api::with(&BOTH);
        register(&api, 1..2).await;
        for (address, status) in [
            ("outbox", 400),
            ("outbox?receiver=nobody", 400),
            ("outbox?receiver=erp", 200),
            ("outbox?receiver=chat&cursor=0", 200),
            ("outbox?receiver=chat&cursor=9", 410),
        ] {
            let answer = api.get(address).await;
            assert_eq!(answer.status, status, "{address}: {}", answer.text);
        }
        let one = json!({"index": 1});
        let (status, problem) = post(&api, "outbox/resend", &one).await;
        assert_eq!(status, 422);
        assert!(
            problem["detail"].as_str().unwrap().contains("erp, chat"),
            "{problem}"
        );
        // If one entry has a mistake, it is not known that there is only one receiver.
        let (erp, _) = WEBHOOKS.split_once('\n').unwrap();
        let alone = Api::with(&[("webhooks", erp), ORIGIN]);
        assert_eq!(alone.get("outbox").await.status, 200);
        let mistaken = Api::with(&[("webhooks", &format!("{erp}\nchat")), ORIGIN]);
        assert_eq!(mistaken.get("outbox").await.status, 503);
        assert_eq!(mistaken.get("outbox?receiver=erp").await.status, 200);
        assert_eq!(mistaken.get("outbox?receiver=chat").await.status, 503);
        assert_eq!(mistaken.get("webhooks").await.status, 200);
        let nobody = Api::new();
        for address in ["outbox", "webhooks", "outbox?receiver=erp"] {
            assert_eq!(nobody.get(address).await.status, 409, "{address}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_message_or_all_since_a_time_or_a_cursor_are_sent_again() {
        let api = Api::with(&BOTH);
        register(&api, 1..4).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        register(&api, 4..7).await;
        while deliver(&api).await["complete"] == false {}
        api.memory.take_sent();
        let events = api.get("events?cursor=0&limit=4").await.json();
        for (what, indices) in [
            (json!({"receiver": "erp", "index": 2}), 2..=2),
            (
                json!({"receiver": "erp", "since": "2026-06-01T13:00:00+03:00"}),
                4..=6,
            ),
            (json!({"receiver": "erp", "since": "2026-06-01"}), 1..=6),
            (
                json!({"receiver": "erp", "since": "2026-06-02"}),
                RangeInclusive::new(7, 6),
            ),
            (
                json!({"receiver": "chat", "cursor": events["cursor"]}),
                5..=6,
            ),
        ] {
            let (status, answer) = post(&api, "outbox/resend", &what).await;
            assert_eq!(status, 202, "{what}: {answer}");
            let asked = (&answer["first_index"], &answer["last_index"]);
            assert_eq!(
                asked,
                (&json!(indices.start()), &json!(indices.end())),
                "{what}"
            );
            while deliver(&api).await["complete"] == false {}
            let sent = api.memory.take_sent();
            let sent: Vec<u64> = sent
                .iter()
                .map(|request| {
                    assert!(
                        request
                            .uri()
                            .host()
                            .unwrap()
                            .starts_with(what["receiver"].as_str().unwrap())
                    );
                    let body: Value = serde_json::from_slice(request.body()).unwrap();
                    body["data"]["index"].as_u64().unwrap()
                })
                .collect();
            assert_eq!(sent, indices.collect::<Vec<_>>(), "{what}");
        }
        for (what, status) in [
            (json!({"receiver": "erp"}), 422),
            (
                json!({"receiver": "erp", "index": 1, "since": "2026-06-01"}),
                422,
            ),
            (json!({"receiver": "erp", "since": "yesterday"}), 422),
            (json!({"receiver": "erp", "cursor": "x"}), 422),
            (json!({"receiver": "erp", "cursor": "99"}), 410),
            (json!({"receiver": "erp", "index": 7}), 404),
            (json!({"receiver": "erp", "index": 0}), 404),
            (json!({"receiver": "erp", "all": true}), 422),
        ] {
            let (got, problem) = post(&api, "outbox/resend", &what).await;
            assert_eq!(got, status, "{what}: {problem}");
        }
        assert_eq!(deliver(&api).await["delivered"], 0);
    }
}
