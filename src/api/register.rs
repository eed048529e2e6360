//! `GET /api/orders`: the orders there are, the newest first.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{
    Call, Problem, json,
    order_answer::OrderAnswer,
    query::{OpenReview, Query, span},
};
use crate::{
    domain::{OrderStatus, ServiceId, time},
    store::{Platform, RegisterPage, StoredOrder},
};

/// The parameters that choose orders.
const FILTERS: [&str; 7] = [
    "cursor",
    "limit",
    "status",
    "review",
    "registered_from",
    "registered_to",
    "service_id",
];

#[derive(Serialize)]
struct RegisterAnswer<'a> {
    orders: Vec<RegisteredAnswer<'a>>,
    /// What `cursor` must be to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Serialize)]
struct RegisteredAnswer<'a> {
    /// The place of its registration in the journal.
    index: u64,
    registered_at: String,
    #[serde(flatten)]
    order: OrderAnswer<'a>,
}

/// Answers a part of the register.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::read(call.query, &FILTERS)?;
    let page = page(call, &query).await?;
    let now = call.store.now();
    let orders: Result<_, Problem> = page
        .orders
        .iter()
        .map(|registered| {
            Ok(RegisteredAnswer {
                index: registered.index,
                registered_at: time::format(registered.registered_at),
                order: OrderAnswer::of(&registered.order, now)?,
            })
        })
        .collect();
    let answer = RegisterAnswer {
        orders: orders?,
        next: page.next,
    };
    json(StatusCode::OK, &answer)
}

/// The part of the register that the parameters choose.
async fn page<P: Platform>(call: &Call<'_, P>, query: &Query<'_>) -> Result<RegisterPage, Problem> {
    let cursor = query.number("cursor", 0, 1..=(1 << 53) - 1)?;
    let limit = query.number("limit", 100, 1..=200)?;
    let status = query.parsed("status", |text| {
        OrderStatus::parse(text).ok_or(
            "must be Active, PartiallyPaid, Paid, Expired, Completed, Cancelled, Refunding or Refunded",
        )
    })?;
    let review = OpenReview::read(query)?;
    let span = span(query, "registered_from", "registered_to")?;
    let service = query.parsed("service_id", ServiceId::parse)?;
    let now = call.store.now();
    let wanted = |order: &StoredOrder| {
        status.is_none_or(|status| order.state.status(now) == status)
            && review.is_none_or(|review| {
                let mut payments = order.state.payments().iter();
                payments.any(|payment| review.is_of(payment))
            })
    };
    let page = call
        .store
        .register(
            (cursor > 0).then_some(cursor),
            usize::try_from(limit).unwrap_or(usize::MAX),
            span,
            |event| {
                let service = service.as_ref();
                service.is_none_or(|service| service.as_str() == event.service_id)
            },
            wanted,
        )
        .await?;
    Ok(page)
}
