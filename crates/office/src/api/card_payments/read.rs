//! Reading payments by card: one, those of an order, and all.

use bytes::Bytes;
use http::{Response, StatusCode};

#[cfg(feature = "description")]
use super::{
    super::description::{Operation, as_json},
    answer::CardPaymentAnswer,
};
use super::{
    super::{
        Call, Problem,
        endpoint::Endpoint,
        json,
        order_answer::no_such_order,
        query::{Query, Reached, page, span},
    },
    answer::{CardPaymentsAnswer, OfOrderAnswer, answer},
    desk,
};
use crate::{
    access::EVERYBODY,
    cards::Looked,
    domain::{OrderKey, PaymentId, ServiceId},
    json::{CardState, Channel, Event},
    store::Platform,
};

/// `GET /api/orders/{service}/{key}/card-payments`.
pub const fn of_order_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "orders/{service}/{key}/card-payments",
        roles: &EVERYBODY,
        parameters: &[],
        answer: |call, values, _| {
            Box::pin(async move { of_order(call, &values.service()?, &values.key()?).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "listOrderCardPayments", "Payments of an order by card")
            .describe("The payments that were begun in the last ten days, and those among the order's latest payments.")
            .takes(["service", "key"])
            .answers(200, "The payments.", as_json(schemas.answer::<OfOrderAnswer>()))
            .fails([404])
        },
    }
}

async fn of_order<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let order = call.store.orders().get(service, key).await?;
    let order = order.ok_or_else(no_such_order)?;
    let paid = order.payments.iter();
    let paid = paid.filter(|payment| payment.channel() == Channel::Card);
    let paid = paid.map(|payment| &payment.payment_id);
    let begun = order.begun.iter().map(|begun| &begun.started.payment_id);
    let ids = paid.chain(begun).filter_map(|id| PaymentId::parse(id).ok());
    let ids: Vec<_> = ids.collect();
    let mut found = call.store.card_payments().get_many(&ids).await?;
    let mut card_payments = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(payment) = found.remove(&id) {
            card_payments.push(answer(&desk, payment).await?);
        }
    }
    json(StatusCode::OK, &OfOrderAnswer { card_payments })
}

/// `GET /api/card-payments`.
pub const fn list_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "card-payments",
        roles: &EVERYBODY,
        parameters: &["cursor", "limit", "from", "to", "state"],
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "card-payments",
                "listCardPayments",
                "Payments by card, in the order of their beginning",
            )
            .describe("The list ends when `next` is absent; a page may be empty.")
            .takes(["cursor", "limit", "from", "to", "card_state"])
            .answers(
                200,
                "A page.",
                as_json(schemas.answer::<CardPaymentsAnswer>()),
            )
            .fails([404])
        },
    }
}

async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let query = Query::of(call)?;
    let (place, limit) = page(call, &query).await?;
    let span = span(&query, "from", "to")?;
    let states = CardState::ALL.map(|state| (state.as_str(), state));
    let state = query.word("state", &states)?;
    let wanted = |event: &Event| matches!(event, Event::CardStarted(_));
    let page = call
        .store
        .journal()
        .read(place, limit, span, wanted)
        .await?;
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    let ids = page.entries.iter().filter_map(|entry| match &entry.event {
        Event::CardStarted(started) => PaymentId::parse(&started.payment_id).ok(),
        _ => None,
    });
    let ids: Vec<_> = ids.collect();
    let mut found = call.store.card_payments().get_many(&ids).await?;
    let mut card_payments = Vec::new();
    for id in ids {
        let Some(payment) = found.remove(&id) else {
            continue;
        };
        let seen = payment
            .seen
            .as_ref()
            .map_or(CardState::Open, |(_, seen)| seen.state);
        if state.is_none_or(|state| state == seen) {
            card_payments.push(answer(&desk, payment).await?);
        }
    }
    let reached = Reached::new(call, place, page.next).await?;
    let answer = CardPaymentsAnswer {
        card_payments,
        reached,
    };
    json(StatusCode::OK, &answer)
}

/// `GET /api/card-payments/{id}`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "card-payments/{id}",
        roles: &EVERYBODY,
        parameters: &["ask"],
        answer: |call, values, _| Box::pin(async move { get(call, &values.id()?).await }),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "getCardPayment", "A payment by card")
                .describe("With `ask=true` this provider first asks the gateway for the state. If the gateway does not tell it, `unanswered` has the reason.")
                .takes(["id", "ask"])
                .answers(
                    200,
                    "The payment.",
                    as_json(schemas.answer::<CardPaymentAnswer>()),
                )
                .fails([404])
        },
    }
}

async fn get<P: Platform>(call: &Call<'_, P>, id: &PaymentId) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let query = Query::of(call)?;
    let words = [("true", true), ("false", false)];
    let looked = match query.word("ask", &words)? {
        Some(true) => desk.observe(id).await?,
        _ => None,
    };
    let unanswered = match looked {
        Some(Looked::Silent(_, reason)) => Some(reason),
        _ => None,
    };
    let payment = desk.store.card_payments().get(id).await?;
    let payment = payment.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "No payment by card of this id was begun.",
        )
    })?;
    let mut answer = answer(&desk, payment).await?;
    answer.unanswered = unanswered;
    json(StatusCode::OK, &answer)
}
