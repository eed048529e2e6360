//! `/api/outbox`: the messages to the receivers of webhooks, delivered and pending.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    document::read_object,
    endpoint::Endpoint,
    json,
    query::{Query, Reached, cursor},
    webhooks::{notifier, outbox, receiver},
};
use crate::{
    access::{EVERYBODY, OPERATORS},
    domain::time,
    json::Event,
    store::{Cursor, Delivery, Platform},
};

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct OutboxAnswer {
    deliveries: Vec<DeliveryAnswer>,
    #[serde(flatten)]
    reached: Reached,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct DeliveryAnswer {
    index: u64,
    /// The PaymentID; only for a message about a payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    /// The type of the message, such as `payment.recorded`.
    #[serde(rename = "type")]
    what: &'static str,
    /// `pending`, `delivered`, `failing` or `given-up`.
    status: &'static str,
    /// Number of failed attempts.
    failed_attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<String>,
}

/// `GET /api/outbox`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "outbox",
        roles: &EVERYBODY,
        parameters: &["cursor", "receiver"],
        answer: |call, _, _| Box::pin(get(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "outbox",
                "listDeliveries",
                "The messages to a receiver of webhooks",
            )
            .describe("The list begins at the first message that is not settled, or after `cursor`. If there are several receivers, `receiver` names one.")
            .takes(["cursor", "outbox_receiver"])
            .answers(200, "A page.", as_json(schemas.answer::<OutboxAnswer>()))
            .fails([409])
        },
    }
}

/// Answers a page of the outbox. It begins at the first message that is not settled, or after `cursor`.
pub async fn get<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let receiver = receiver(call, query.get("receiver"), StatusCode::BAD_REQUEST)?;
    let outbox = outbox(call, receiver);
    let from = match cursor(call, &query).await? {
        None => match outbox.standing().await?.state {
            Some(state) => state.first(),
            None => outbox.beginning().await?.low,
        },
        Some(cursor) => cursor.place,
    };
    let page = outbox.read(from).await?;
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    let answer = OutboxAnswer {
        deliveries: page.deliveries.into_iter().map(describe).collect(),
        reached: Reached::new(call, from, page.next).await?,
    };
    json(StatusCode::OK, &answer)
}

/// `POST /api/outbox/deliver`.
pub const fn deliver_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "outbox/deliver",
        roles: &OPERATORS,
        parameters: &[],
        answer: |call, _, _| Box::pin(deliver(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("outbox", "deliver", "Delivers the messages that are due")
            .describe("A cron job should make this call. It delivers up to 50 messages to each receiver. If `complete` is false, more messages are due: call again at once, or in a minute if `left_alone` is true. A message that the receiver refuses does not hold back others.")
            .answers(200, "The deliveries of this call.", as_json(schemas.answer::<mpay_notify::Report>()))
            .fails([409, 413])
        },
    }
}

/// Delivers the messages that are due. A timer makes this call.
pub async fn deliver<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let report = notifier(call)?.run_outbox().await?;
    json(StatusCode::OK, &report)
}

/// The messages to send again: one message, all since a time, or all after a cursor.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ResendRequest {
    /// The receiver. It may be absent if there is only one receiver.
    #[serde(default)]
    receiver: Option<String>,
    /// One message, by its `index`.
    #[serde(default)]
    index: Option<u64>,
    /// All messages about records from this time on, such as `2026-06-01` or `2026-06-01T12:00:00+03:00`. The
    /// selection begins up to five minutes earlier, since clocks differ.
    #[serde(default)]
    since: Option<String>,
    /// All messages after this cursor of the outbox or of the events.
    #[serde(default)]
    cursor: Option<String>,
}

/// The messages that will be sent again.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct ResendAnswer {
    receiver: String,
    /// The first index. Messages from here on, if the receiver wants them, are sent again.
    first_index: u64,
    /// The last index.
    last_index: u64,
}

/// `POST /api/outbox/resend`.
pub const fn resend_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "outbox/resend",
        roles: &OPERATORS,
        parameters: &[],
        answer: |call, _, body| Box::pin(resend(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("outbox", "resend", "Sends messages again")
            .describe("Send one of `index`, `since` and `cursor`. The next calls of `POST /api/outbox/deliver` send the messages, with the same `webhook-id` as before, even if they were delivered or given up.")
            .body(as_json(schemas.request::<ResendRequest>()))
            .answers(202, "The messages that will be sent.", as_json(schemas.answer::<ResendAnswer>()))
            .fails([404, 409, 410, 413, 422])
        },
    }
}

/// Marks messages to be sent again. The next deliveries send them.
pub async fn resend<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    /// The most that the times of journal entries differ because of the hosts' clocks.
    const EARLIER: SignedDuration = SignedDuration::from_mins(5);
    let request: ResendRequest = read_object(body)?;
    let name = request.receiver.as_deref();
    let receiver = receiver(call, name, StatusCode::UNPROCESSABLE_ENTITY)?;
    let outbox = outbox(call, receiver);
    let last = call.store.outbox().last().await?;
    let (after, last) = match (request.index, request.since, request.cursor) {
        (Some(index), None, None) => {
            let after = index.saturating_sub(1);
            let page = outbox.read(after).await?;
            let found = page.deliveries.first();
            if found.is_none_or(|delivery| delivery.index != index) {
                let detail = format!(
                    "There is no message for {} at index {index}: GET /api/outbox lists them.",
                    receiver.name
                );
                return Err(Problem::new(StatusCode::NOT_FOUND, detail));
            }
            (after, index)
        }
        (None, Some(since), None) => {
            let since = time::parse_start(&since);
            let since = since.map_err(|error| Problem::member("since", error))?;
            let since = since.checked_sub(EARLIER).unwrap_or(since);
            (call.store.outbox().place_before(since).await?, last)
        }
        (None, None, Some(cursor)) => {
            let cursor = cursor.parse::<Cursor>();
            let cursor = cursor.map_err(|error| Problem::member("cursor", error))?;
            if !call.store.cursors().has_issued(&cursor).await? || cursor.place > last {
                return Err(Problem::cursor_gone());
            }
            (cursor.place, last)
        }
        _ => {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Send one of index, since and cursor.",
            ));
        }
    };
    let standing = outbox.standing().await?;
    if standing.ended.is_some() {
        let name = &receiver.name;
        let detail = format!(
            "The receiver {name} answered 410 and is sent nothing: POST /api/webhooks/{name}/resume first."
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    if after < last && !outbox.send_again(&standing, after, last).await? {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "So much is being sent again that no more can be asked for: call POST /api/outbox/deliver until it is complete.",
        ));
    }
    let answer = ResendAnswer {
        receiver: receiver.name.clone(),
        first_index: after + 1,
        last_index: last,
    };
    json(StatusCode::ACCEPTED, &answer)
}

fn describe(delivery: Delivery) -> DeliveryAnswer {
    let status = match (&delivery.settled, delivery.attempts.count) {
        (Some(settled), _) if settled.given_up => "given-up",
        (Some(_), _) => "delivered",
        (None, 0) => "pending",
        (None, _) => "failing",
    };
    DeliveryAnswer {
        index: delivery.index,
        payment_id: match &delivery.event {
            Event::PaymentRecorded(payment) => Some(payment.payment_id.clone()),
            Event::PaymentVoided(void) => Some(void.payment_id.clone()),
            _ => None,
        },
        what: delivery.event.name(),
        status,
        failed_attempts: delivery.attempts.count,
        last_error: delivery.attempts.last_error,
        next_attempt_at: delivery
            .attempts
            .next_at
            .filter(|_| delivery.settled.is_none())
            .map(time::format),
        settled_at: delivery.settled.map(|settled| time::format(settled.at)),
    }
}
