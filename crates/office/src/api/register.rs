//! `GET /api/orders`: the orders, the newest registration first.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Effort, Problem,
    endpoint::Endpoint,
    json,
    order_answer::OrderAnswer,
    query::{OpenReview, Query, below, next_if_any, not_after, span},
};
use crate::{
    access::EVERYBODY,
    domain::{Money, NameSearch, Order, OrderKey, OrderStatus, ServiceId, Text, time},
    json::OrderEvent,
    store::{BLOCK, OpenReviewsFound, Places, Platform, RegisterPage, Span, StoredOrder},
};

/// The parameters that filter orders.
pub(super) const FILTERS: [&str; 15] = [
    "cursor",
    "limit",
    "status",
    "review",
    "registered_from",
    "registered_to",
    "service_id",
    "alias",
    "customer_id",
    "customer_name",
    "person",
    "metadata",
    "amount_due",
    "due_from",
    "due_to",
];

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RegisterAnswer<'a> {
    orders: Vec<RegisteredAnswer<'a>>,
    /// Number of orders that this page leaves out because a record of theirs is damaged: `POST /api/repair` mends
    /// what can be mended.
    #[serde(skip_serializing_if = "super::reconciliation::is_none")]
    damaged: usize,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// True if orders are missing that the same call comes to: to what a page shows beside alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "description", schemars(skip))]
    is_partial: bool,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RegisteredAnswer<'a> {
    /// The place of the registration in the journal.
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
        roles: &EVERYBODY,
        parameters: &FILTERS,
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "orders",
                "listOrders",
                "Orders, the newest registration first",
            )
            .describe(
                "Pass `next` as `cursor`. A page may be empty; the list ends when `next` is absent.",
            )
            .takes(FILTERS)
            .answers(
                200,
                "A page.",
                as_json(schemas.answer::<RegisterAnswer<'static>>()),
            )
        },
    }
}

/// The number of newest orders that need a person, as far as one call looks.
pub async fn to_review<P: Platform>(call: &Call<'_, P>) -> Result<usize, Problem> {
    let query = Query::read("review=open", &FILTERS)?;
    let filter = Filter::read(call, &query).await?;
    Ok(filter.page(call, None, 200).await?.orders.len())
}

/// Answers a part of the register.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let limit = query.number("limit", 100, 1..=200)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let filter = Filter::read(call, &query).await?;
    let page = filter.page(call, filter.cursor, limit).await?;
    let orders: Result<_, Problem> = page
        .orders
        .iter()
        .map(|registered| {
            Ok(RegisteredAnswer {
                index: registered.index,
                registered_at: time::format(registered.registered_at),
                order: OrderAnswer::of(call, &registered.order)?,
            })
        })
        .collect();
    let answer = RegisterAnswer {
        orders: orders?,
        damaged: page.damaged,
        next: next_if_any(call, page.next).await?,
        is_partial: page.is_partial,
    };
    json(StatusCode::OK, &answer)
}

/// The places of the journal that one call looks at for orders with open reviews.
const PLACES: u64 = 8 * BLOCK;

/// The orders that are known to have open reviews, if that is of use: if they are all, or at least as many as
/// can be shown beside something else until the next look finds more.
async fn open_reviews<P: Platform>(
    call: &Call<'_, P>,
) -> Result<Option<OpenReviewsFound>, Problem> {
    let places = Places::new(call.effort.places.min(PLACES));
    let found = call.store.open_reviews().read_within(&places).await?;
    let is_of_use = found.is_complete || call.effort == Effort::BESIDE;
    Ok((is_of_use && !found.is_stuck).then_some(found))
}

/// The filter of a call.
pub(super) struct Filter {
    /// The place in the journal below which the list begins.
    pub cursor: Option<u64>,
    status: Option<OrderStatus>,
    review: Option<OpenReview>,
    span: Span,
    service: Option<ServiceId>,
    /// An alias, and the service to which it belongs.
    alias: Option<(ServiceId, OrderKey)>,
    customer_id: Option<Text<13>>,
    /// A code of a person, wherever an erasure for this code finds it.
    person: Option<Text<255>>,
    customer_name: Option<NameSearch>,
    /// The name and value of a pair in the metadata.
    metadata: Option<(String, String)>,
    /// The order's total amount, or its amount due, at the time of the call.
    amount_due: Option<Money>,
    /// The first and the last instant that the due date may have.
    due: (Option<Timestamp>, Option<Timestamp>),
}

/// The service in which an alias is looked up. If no service is named, the deployment must have only one.
fn service_of_alias<P: Platform>(
    call: &Call<'_, P>,
    service: Option<&ServiceId>,
) -> Result<ServiceId, Problem> {
    let mut services = call.config.service_ids();
    match (service, services.next(), services.next()) {
        (Some(service), ..) | (None, Some(service), None) => Ok(service.clone()),
        _ => Err(Problem::field(
            "service_id",
            "is needed with alias, since there are several services",
        )),
    }
}

impl Filter {
    /// Reads the parameters of a call.
    pub async fn read<P: Platform>(call: &Call<'_, P>, query: &Query) -> Result<Self, Problem> {
        let service = query.parsed("service_id", ServiceId::parse)?;
        let alias = query.parsed("alias", OrderKey::parse)?;
        let alias = match alias {
            Some(alias) => Some((service_of_alias(call, service.as_ref())?, alias)),
            None => None,
        };
        let due = (
            query.parsed("due_from", time::parse_start)?,
            query.parsed("due_to", time::parse)?,
        );
        if let (Some(from), Some(to)) = due
            && to < from
        {
            return Err(not_after("due_to", "due_from"));
        }
        Ok(Self {
            cursor: below(call, query).await?,
            status: query.parsed("status", |text| {
                OrderStatus::parse(text).ok_or(
                    "must be Active, PartiallyPaid, Paid, Expired, Completed, Cancelled, Refunding or Refunded",
                )
            })?,
            review: OpenReview::read(query)?,
            span: span(query, "registered_from", "registered_to")?,
            service,
            alias,
            customer_id: query.parsed("customer_id", Text::parse)?,
            person: query.parsed("person", Text::parse)?,
            customer_name: query.parsed("customer_name", NameSearch::parse)?,
            metadata: query.parsed("metadata", |text| {
                let pair = text.split_once(':');
                pair.map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                    .ok_or("must be a name and a value, such as cost_centre:4512")
            })?,
            amount_due: query.parsed("amount_due", Money::parse)?,
            due,
        })
    }

    /// True if an order has the members that the filter names.
    fn is_wanted(&self, order: &Order) -> bool {
        let is_customers = |id: &Text<13>| order.customer_id.as_ref() == Some(id);
        let is_named = |search: &NameSearch| {
            let name = order.customer_name.as_ref();
            name.is_some_and(|name| search.finds(name.as_str()))
        };
        let has_pair = |(name, value): &(String, String)| {
            let mut pairs = order.metadata.iter();
            pairs.any(|pair| pair.name.as_str() == name && pair.value.as_str() == value)
        };
        let (from, to) = self.due;
        let is_due = |is: &dyn Fn(Timestamp) -> bool| order.due_date.is_some_and(is);
        self.customer_id.as_ref().is_none_or(is_customers)
            && self.customer_name.as_ref().is_none_or(is_named)
            && self.metadata.as_ref().is_none_or(has_pair)
            && from.is_none_or(|from| is_due(&|due| due >= from))
            && to.is_none_or(|to| is_due(&|due| due <= to))
    }

    /// A page of the matching orders below a place in the journal.
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
        let is_of_service = |order: &StoredOrder| {
            let service = self.service.as_ref();
            let is = |order: &Order| service.is_none_or(|service| *service == order.service_id);
            order.state.order().is_some_and(is)
        };
        let wanted = |order: &StoredOrder| {
            let state = &order.state;
            self.status.is_none_or(|status| state.status(now) == status)
                && self.review.is_none_or(|review| review.is_among(state))
                && state.order().is_some_and(|order| self.is_wanted(order))
                && self
                    .person
                    .as_ref()
                    .is_none_or(|person| order.names(person.as_str()))
                && self.amount_due.is_none_or(|amount| {
                    [state.total(now), state.amount_due(now)].contains(&Some(amount))
                })
        };
        let (register, span) = (call.store.register(), self.span);
        let page = match &self.alias {
            Some((service, alias)) => {
                let named = register.named((service, alias), before, limit, span, wanted);
                named.await?
            }
            None => {
                let open = match self.review {
                    Some(_) => open_reviews(call).await?,
                    None => None,
                };
                // Below its floor the register alone knows.
                let is_below = |floor| before.is_some_and(|before| before <= floor + 1);
                match open.filter(|open| !is_below(open.floor)) {
                    Some(open) => {
                        let known = register.to_review(&open, before, limit, span, |order| {
                            is_of_service(order) && wanted(order)
                        });
                        known.await?
                    }
                    None => {
                        register
                            .read(before, limit, span, registered, wanted)
                            .await?
                    }
                }
            }
        };
        if page.is_beyond_end {
            return Err(Problem::cursor_gone());
        }
        Ok(page)
    }
}
