//! `/api/outbox`: what the institution's webhook has been told, and what not yet.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    endpoint::Endpoint,
    json,
    query::{Query, Reached, cursor},
};
use crate::{
    access::{EVERYBODY, OPERATORS},
    domain::time,
    store::{Delivery, Platform, Told},
};
use mpay_notify::Notifier;

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
    payment_id: String,
    /// The type of the message: `payment.recorded` or `payment.voided`.
    #[serde(rename = "type")]
    what: &'static str,
    /// `pending`, `delivered`, `failing` or `given-up`.
    status: &'static str,
    /// Attempts that failed.
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
        answer: |call, _, _| Box::pin(get(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "outbox",
                "listDeliveries",
                "What the institution's webhook has been told",
            )
            .describe("From the first payment that is not settled, or behind `cursor`.")
            .takes(["cursor"])
            .answers(200, "A page.", as_json(schemas.answer::<OutboxAnswer>()))
            .fails([409])
        },
    }
}

/// Answers with a part of the outbox: from the first payment that is not settled, or behind
/// `cursor`.
pub async fn get<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    notifier(call)?;
    let query = Query::read(call.query, &["cursor"])?;
    let from = match cursor(call, &query).await? {
        None => call.store.outbox().state().await?.first(),
        Some(cursor) => cursor.place,
    };
    let page = call.store.outbox().read(from).await?;
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
        answer: |call, _, _| Box::pin(deliver(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("outbox", "deliver", "Delivers what is due, for a cron job")
            .describe("Up to 50 messages. Where `complete` is false, something that is due is left: call again at once, or in a minute where `left_alone` is true. A message that the receiver refuses keeps no other back.")
            .answers(200, "What was done.", as_json(schemas.answer::<mpay_notify::Report>()))
            .fails([409, 413])
        },
    }
}

/// Delivers what is due: for a cron job.
pub async fn deliver<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let report = notifier(call)?.run_outbox().await?;
    json(StatusCode::OK, &report)
}

fn notifier<'a, P: Platform>(call: &Call<'a, P>) -> Result<Notifier<'a, P>, Problem> {
    if let Some(variable) = call.config.webhook_off() {
        return Err(Problem::switched_off("The webhook", variable));
    }
    let notifier = call.config.notifier(call.app, call.store);
    notifier.ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "There is no webhook: the variable webhook_url is not set.",
        )
    })
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
        payment_id: delivery.what.payment_id().to_owned(),
        what: match &delivery.what {
            Told::Recorded(_) => "payment.recorded",
            Told::Voided(_) => "payment.voided",
        },
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
