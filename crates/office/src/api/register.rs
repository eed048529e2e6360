//! `GET /api/orders`: the orders there are, the newest first.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    endpoint::{Endpoint, Role},
    json,
    order_answer::OrderAnswer,
    query::{OpenReview, Query, below, next_if_any, span},
};
use crate::{
    domain::{OrderStatus, ServiceId, time},
    json::OrderEvent,
    store::{Platform, RegisterPage, Span, StoredOrder},
};

/// The parameters that choose orders.
pub(super) const FILTERS: [&str; 7] = [
    "cursor",
    "limit",
    "status",
    "review",
    "registered_from",
    "registered_to",
    "service_id",
];

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RegisterAnswer<'a> {
    orders: Vec<RegisteredAnswer<'a>>,
    /// What `cursor` must be to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RegisteredAnswer<'a> {
    /// The place of its registration in the journal.
    index: u64,
    registered_at: String,
    #[serde(flatten)]
    order: OrderAnswer<'a>,
}

/// `GET /api/orders`.
pub const fn list_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "orders",
        role: Role::Read,
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "orders",
                "listOrders",
                "Orders, the newest registration first",
            )
            .describe(
                "Go on with `cursor` = `next` until there is none, also where a page is empty.",
            )
            .takes([
                "cursor",
                "limit",
                "status",
                "review",
                "registered_from",
                "registered_to",
                "service_id",
            ])
            .answers(
                200,
                "A page.",
                as_json(schemas.answer::<RegisterAnswer<'static>>()),
            )
        },
    }
}

/// Answers a part of the register.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::read(call.query, &FILTERS)?;
    let limit = query.number("limit", 100, 1..=200)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let filter = Filter::read(call, &query).await?;
    let page = filter.page(call, filter.cursor, limit).await?;
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
        next: next_if_any(call, page.next).await?,
    };
    json(StatusCode::OK, &answer)
}

/// Which orders are asked for.
pub(super) struct Filter {
    /// The place in the journal to look below.
    pub cursor: Option<u64>,
    status: Option<OrderStatus>,
    review: Option<OpenReview>,
    span: Span,
    service: Option<ServiceId>,
}

impl Filter {
    /// Reads the parameters.
    pub async fn read<P: Platform>(call: &Call<'_, P>, query: &Query<'_>) -> Result<Self, Problem> {
        Ok(Self {
            cursor: below(call, query).await?,
            status: query.parsed("status", |text| {
                OrderStatus::parse(text).ok_or(
                    "must be Active, PartiallyPaid, Paid, Expired, Completed, Cancelled, Refunding or Refunded",
                )
            })?,
            review: OpenReview::read(query)?,
            span: span(query, "registered_from", "registered_to")?,
            service: query.parsed("service_id", ServiceId::parse)?,
        })
    }

    /// A part of the register below a place of the journal.
    pub async fn page<P: Platform>(
        &self,
        call: &Call<'_, P>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<RegisterPage, Problem> {
        let now = call.store.now();
        let registered = |event: &OrderEvent| {
            let service = self.service.as_ref();
            service.is_none_or(|service| service.as_str() == event.service_id)
        };
        let wanted = |order: &StoredOrder| {
            let state = &order.state;
            self.status.is_none_or(|status| state.status(now) == status)
                && self.review.is_none_or(|review| review.is_among(state))
        };
        let page = call
            .store
            .register()
            .read(before, limit, self.span, registered, wanted)
            .await?;
        if page.is_beyond_end {
            return Err(Problem::cursor_gone());
        }
        Ok(page)
    }
}
