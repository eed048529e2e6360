//! Begins a payment by card.

use bytes::Bytes;
use cryptoprocessing::{CardId, CustomerId, ErrCode, Group};
use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

#[cfg(feature = "description")]
use super::{
    super::description::{Operation, as_json},
    answer::CardPaymentAnswer,
};

use super::{
    super::{
        Call, Problem, document::read_object, endpoint::Endpoint, json, orders::idempotency_key,
    },
    address,
    answer::answer,
    customer, desk, money, payer_ip,
};
use crate::{
    access::CLERKS,
    cards::{Desk, Wish, reason},
    domain::{OrderKey, ServiceId},
    json::{Capture, Outcome, OutcomeJson},
    store::Platform,
};

/// A payment by card to begin.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "CardPaymentRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Beginning {
    /// The address to which the payer returns at the end, whatever the outcome. Required, unless the payment is
    /// `unattended`; then it must be absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    return_url: Option<String>,
    /// The amount; by default the amount due.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    /// The way in which the money is taken; by default as `card_capture` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<Capture>,
    /// The language of the gateway's pages: `ro`, `ru` or `en`.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// The payer's IP address, for the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_ip: Option<String>,
    /// The customer at the interface Wallet whose saved cards the gateway's page shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// One of the customer's saved cards. The page shows it, or it is charged at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    /// True to charge the saved card at once, in its holder's absence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unattended: bool,
}

/// `POST /api/orders/{service}/{key}/card-payments`.
pub const fn begin_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "orders/{service}/{key}/card-payments",
        roles: &CLERKS,
        parameters: &[],
        answer: |call, values, body| {
            Box::pin(async move { begin(call, &values.service()?, &values.key()?, body).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "beginCardPayment", "Begins a payment of an order by card")
            .describe("Send the payer to `redirect_url`, where they enter the card. If a payment with the same amount, capture, customer and card is still open, that payment is answered, and none is begun. A repetition of the request receives the payment that the request began. If `unattended`, the saved card is charged before the answer, once, however often the request is repeated; 409 can then also mean that the card was refused.")
            .takes(["service", "key", "Idempotency-Key"])
            .body(as_json(schemas.request::<Beginning>()))
            .answers(200, "A payment that was begun before.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .answers(201, "The payment.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .answers(202, "The payment, if `unattended`. It is not known yet if the card is charged; this provider finds it out.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .header(201, "Location", true, "The payment's address.")
            .fails([404, 409, 413, 422])
        },
    }
}

async fn begin<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let name = idempotency_key(call.headers)?;
    let wish: Beginning = read_object(body)?;
    let content = serde_json::to_vec(&wish).map_err(Problem::internal)?;
    let amount = money(wish.amount.as_deref())?;
    let saved = saved(&desk, service, &wish)?;
    if let Some(return_url) = &wish.return_url {
        address(return_url, desk.cards.plain)?;
    }
    payer_ip(wish.payer_ip.as_deref())?;
    let request = format!("{} {name}", call.caller.name);
    let begun = Box::pin(desk.begin(&Wish {
        service,
        key,
        amount,
        capture: match wish.unattended {
            true => Capture::Immediate,
            false => wish.capture.unwrap_or(desk.cards.capture),
        },
        return_url: wish.return_url.as_deref(),
        customer: saved.customer.as_ref(),
        card: saved.card.as_ref(),
        unattended: wish.unattended,
        language: wish.language.as_deref(),
        payer_ip: wish.payer_ip.as_deref(),
        by: Some(&call.caller.name),
        request: &request,
        content: &content,
    }))
    .await
    .map_err(|not_begun| not_begun.problem)?;
    let pay = begun.payment.pay_command();
    let status = match pay.map(|pay| pay.outcome.as_ref()) {
        Some(None) => StatusCode::ACCEPTED,
        Some(Some((_, outcome))) if outcome.outcome != Outcome::Done => {
            return Err(refused(&outcome.clone()));
        }
        _ if begun.is_new => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let location = format!("/api/card-payments/{}", begun.payment.id());
    let mut response = json(status, &answer(&desk, begun.payment).await?)?;
    if status == StatusCode::CREATED {
        let location = HeaderValue::from_str(&location).map_err(Problem::internal)?;
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The saved card of a request, and its customer.
#[derive(Default)]
struct Saved {
    customer: Option<CustomerId>,
    card: Option<CardId>,
}

/// The customer and the card that a request names, if the rest of the request fits them.
fn saved<P: Platform>(
    desk: &Desk<'_, P>,
    service: &ServiceId,
    wish: &Beginning,
) -> Result<Saved, Problem> {
    let names = [
        ("customer", wish.customer.is_some()),
        ("card", wish.card.is_some()),
        ("unattended", wish.unattended),
    ];
    let named = names.iter().find(|(_, is_there)| *is_there);
    if let Some((name, _)) = named
        && desk.cards.wallet(Some(service)).is_none()
    {
        let detail = "is for the gateway's interface Wallet, which this service does not have: see card_interface";
        return Err(Problem::member(*name, detail));
    }
    let customer = wish.customer.as_deref().map(customer).transpose();
    let card = wish.card.as_deref().map(CardId::parse).transpose();
    let saved = Saved {
        customer: customer.map_err(|error| Problem::member("customer", error))?,
        card: card.map_err(|error| Problem::member("card", error))?,
    };
    if saved.customer.is_none() && (saved.card.is_some() || wish.unattended) {
        let detail = "is missing: a saved card is a customer's";
        return Err(Problem::member("customer", detail));
    }
    if !wish.unattended {
        return match &wish.return_url {
            Some(_) => Ok(saved),
            None => Err(Problem::member("return_url", "is missing")),
        };
    }
    let absent = "must be left out: the card is charged at once, and no payer goes to the gateway";
    let left_out = [
        ("return_url", wish.return_url.is_some()),
        ("language", wish.language.is_some()),
        ("payer_ip", wish.payer_ip.is_some()),
    ];
    match left_out.iter().find(|(_, is_there)| *is_there) {
        Some((name, _)) => Err(Problem::member(*name, absent)),
        None if saved.card.is_none() => Err(Problem::member("card", "is missing")),
        None if !matches!(wish.capture, None | Some(Capture::Immediate)) => {
            let detail =
                "must be immediate, or left out: a card is charged at once if its holder is absent";
            Err(Problem::member("capture", detail))
        }
        None => Ok(saved),
    }
}

/// The problem for a saved card that was not charged.
fn refused(outcome: &OutcomeJson) -> Problem {
    let why = match outcome.reason.as_deref().and_then(ErrCode::parse) {
        Some(code) if matches!(code.group(), Group::Wallet(_)) => crate::cards::told(&code),
        Some(code) => format!("The card gateway refused the card: {code}."),
        None => format!(
            "The card gateway did not do it: {}.",
            reason(outcome.clone())
        ),
    };
    let detail = format!("{why} Send it with a new Idempotency-Key to try again.");
    Problem::new(StatusCode::CONFLICT, detail)
}
