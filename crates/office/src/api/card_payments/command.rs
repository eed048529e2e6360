//! Commands for a payment by card: charge held money, release it, refund.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

#[cfg(feature = "description")]
use super::{
    super::description::{Operation, as_json},
    answer::CardPaymentAnswer,
};
use super::{
    super::{
        Call, Problem, document::read_object, endpoint::Endpoint, json, orders::idempotency_key,
    },
    answer::answer,
    desk, money,
};
use crate::{
    access::{CLERKS, REFUNDERS, Role},
    cards::{Became, Desk, Order, Refunding},
    domain::{Money, PaymentId, Text},
    json::CommandKind,
    store::Platform,
};

/// The amount of the held money to charge.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "ChargeRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Charging {
    /// The amount; by default all of it.
    amount: Option<String>,
}

/// A refund to make.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "RefundRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Refunded {
    /// The amount; by default all that remains.
    amount: Option<String>,
    /// The reason.
    note: Option<String>,
    /// A manager has looked in the gateway's cabinet, and the refunds whose outcome is `unseen` were not made
    /// there.
    #[serde(default)]
    checked_in_cabinet: bool,
    /// A manager knows that the order has the status `Refunded`, and wants this refund in addition.
    #[serde(default)]
    despite_refunded: bool,
}

/// `POST /api/card-payments/{id}/charge`.
pub const fn charge_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-payments/{id}/charge",
        roles: &CLERKS,
        parameters: &[],
        answer: |call, values, body| {
            Box::pin(async move {
                let charging: Charging = match body {
                    b"" => Charging { amount: None },
                    body => read_object(body)?,
                };
                let amount = money(charging.amount.as_deref())?;
                settle(call, &values.id()?, CommandKind::Charge, amount).await
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "chargeCardPayment", "Charges the money that is held on a card")
            .describe("Charges all of it, or `amount`. If the order cannot be paid with it any more, the call is refused. A repetition changes nothing.")
            .takes(["id"])
            .optional_body(as_json(schemas.request::<Charging>()))
            .answers(200, "The payment.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .answers(202, "The payment. It is not known yet if the money is charged.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .fails([404, 409, 413, 422])
        },
    }
}

/// `POST /api/card-payments/{id}/cancel`.
pub const fn cancel_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-payments/{id}/cancel",
        roles: &CLERKS,
        parameters: &[],
        answer: |call, values, _| {
            Box::pin(async move { settle(call, &values.id()?, CommandKind::Cancel, None).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "card-payments",
                "cancelCardPayment",
                "Releases the money that is held on a card",
            )
            .describe("A repetition changes nothing.")
            .takes(["id"])
            .answers(
                200,
                "The payment.",
                as_json(schemas.answer::<CardPaymentAnswer>()),
            )
            .answers(
                202,
                "The payment. It is not known yet if the hold is released.",
                as_json(schemas.answer::<CardPaymentAnswer>()),
            )
            .fails([404, 409])
        },
    }
}

async fn settle<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
    kind: CommandKind,
    amount: Option<Money>,
) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let order = Order {
        kind,
        amount,
        note: None,
        by: call.caller.name.clone(),
        request: None,
        checked: false,
        despite_refunded: false,
    };
    let became = desk.settle(id, &order).await?;
    answer_done(&desk, became, StatusCode::OK).await
}

async fn answer_done<P: Platform>(
    desk: &Desk<'_, P>,
    became: Became,
    status: StatusCode,
) -> Result<Response<Bytes>, Problem> {
    match became {
        Became::Done(payment) => json(status, &answer(desk, *payment).await?),
        Became::Open(payment) => json(StatusCode::ACCEPTED, &answer(desk, *payment).await?),
        Became::Refused(reason) => Err(Problem::new(
            StatusCode::CONFLICT,
            format!("The card gateway did not do it: {reason}."),
        )),
    }
}

/// `POST /api/card-payments/{id}/refunds`.
pub const fn refund_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-payments/{id}/refunds",
        roles: &REFUNDERS,
        parameters: &[],
        answer: |call, values, body| {
            Box::pin(async move { refund(call, &values.id()?, body).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "refundCardPayment", "Refunds money of a payment by card")
            .describe("The variable `card_refunds` must allow it. A repetition of the request refunds nothing more. If the outcome of an earlier refund is `unseen`, a manager must confirm with `checked_in_cabinet` that it was not made. If the order was set to `Refunded`, the call is refused, unless a manager sends `despite_refunded`.")
            .takes(["id", "Idempotency-Key"])
            .body(as_json(schemas.request::<Refunded>()))
            .answers(201, "The payment; the money is given back.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .answers(202, "The payment. It is not known yet if the money is refunded; this provider finds it out.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .fails([404, 409, 413, 422])
        },
    }
}

async fn refund<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let may = match desk.cards.refunding {
        Refunding::Nobody => false,
        Refunding::Managers => call.caller.role == Role::Manager,
        Refunding::Programs => true,
    };
    if !may {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "The variable card_refunds does not allow this refund: make it in the gateway's cabinet.",
        ));
    }
    let name = idempotency_key(call.headers)?;
    let wish: Refunded = read_object(body)?;
    if wish.checked_in_cabinet && call.caller.role != Role::Manager {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Only a manager may send checked_in_cabinet: it says that a person has looked for the refund in the gateway's cabinet.",
        ));
    }
    if wish.despite_refunded && call.caller.role != Role::Manager {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Only a manager may send despite_refunded: a person must decide that money of a Refunded order is refunded by card too.",
        ));
    }
    let amount = money(wish.amount.as_deref())?;
    let note = wish.note.as_deref().unwrap_or_default();
    let note = Text::<500>::parse(note).map_err(|error| Problem::member("note", error))?;
    let secret = call.store.secret().await?;
    let digest = |parts: &[&str]| {
        let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
        secret.digest("card-refund", &parts)
    };
    let asked = amount.map(|amount| amount.to_string()).unwrap_or_default();
    let order = Order {
        kind: CommandKind::Refund,
        amount,
        note: Some(note.as_str().to_owned()),
        by: call.caller.name.clone(),
        request: Some([
            digest(&[&call.caller.name, name]),
            digest(&[&asked, note.as_str(), ""]),
        ]),
        checked: wish.checked_in_cabinet,
        despite_refunded: wish.despite_refunded,
    };
    let became = desk.refund(id, &order).await?;
    answer_done(&desk, became, StatusCode::CREATED).await
}
