//! `/api/orders/{service}/{key}/card-payments` and `/api/card-payments`: payments by card at the
//! institution's own gateway.

use bytes::Bytes;
use cryptoprocessing::{CardId, CustomerId, ErrCode, Group};
use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    document::read_object,
    endpoint::Endpoint,
    json,
    orders::{idempotency_key, no_such_order},
    payments::RefundAnswer,
    query::{Query, Reached, cursor, next_if_any, page, span},
};
use crate::{
    access::{CLERKS, EVERYBODY, OPERATORS, REFUNDERS, Role},
    cards::{Became, Desk, Looked, Order, Refunding, Wish, reason, unclear_until},
    domain::{Money, OrderKey, PaymentId, ServiceId, Text, time},
    json::{Capture, CardState, Channel, CommandKind, Ended, Event, Outcome, OutcomeJson},
    store::{CardPayment, Command, Platform},
};

/// The most characters of an address to go back to.
const MAX_ADDRESS: usize = 2000;

/// A payment by card to begin.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "CardPaymentRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Beginning {
    /// Where the payer goes in the end, whatever came of it. Left out if `unattended`, and else needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    return_url: Option<String>,
    /// How much; left out, what is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    /// How the money is taken; left out, as `card_capture` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<Capture>,
    /// The language of the gateway's pages: `ro`, `ru` or `en`.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// The payer's address, for the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_ip: Option<String>,
    /// At the interface Wallet, whose saved cards the gateway's page shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// One of these cards: the page shows it, or it is charged at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    /// The saved card is charged at once, its holder absent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unattended: bool,
}

/// How much is to be taken of what is held.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "ChargeRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Charging {
    /// Left out, all.
    amount: Option<String>,
}

/// Money to be given back.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "RefundRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Refunded {
    /// Left out, all that remains.
    amount: Option<String>,
    /// Why.
    note: Option<String>,
    /// A manager has looked in the gateway's cabinet: the refunds whose outcome is `unseen` are not
    /// done.
    #[serde(default)]
    checked_in_cabinet: bool,
    /// A manager knows that the order was set to `Refunded`, and wants this given back all the same.
    #[serde(default)]
    despite_refunded: bool,
}

/// A payment by card.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct CardPaymentAnswer {
    /// The order number at the gateway, and the PaymentID of what is paid.
    id: String,
    service_id: String,
    order_key: String,
    /// What was asked for.
    amount: String,
    currency: String,
    capture: Capture,
    /// The state that the gateway told last.
    state: CardState,
    /// The gateway's word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_state: Option<String>,
    /// Why nothing more is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    started_at: String,
    /// Until when the payer can pay; absent if `unattended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// While the gateway leaves open what becomes of it: until when at the latest. Until then no other
    /// payment by card of its order can be begun; MPay can be paid by.
    #[serde(skip_serializing_if = "Option::is_none")]
    unclear_until: Option<String>,
    /// When somebody wanted what is held to be taken, if the call was stopped before that was sent.
    /// Nothing sends it by itself: charge it or cancel it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
    /// Where the payer is to be sent, while something can be paid there.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_url: Option<String>,
    /// Of what is held or taken, how much is not given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<String>,
    /// The banks' reference number of the payment; a refund has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    rrn: Option<String>,
    /// The number of the card, but for the digits that tell which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_number: Option<String>,
    /// Whose saved cards it was begun with.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    /// The saved card that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    /// The saved card was charged at once, its holder absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unattended: bool,
    /// Name of the principal who began it; absent where the payer did.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// With `ask=true`: why the gateway did not tell its state, so that this is what was known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered: Option<String>,
    /// What was asked of the gateway with a password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<CommandAnswer>,
    /// What was given back, if it is recorded as a payment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<RefundAnswer>,
}

/// A command to the gateway.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "CardCommandAnswer"))]
pub(super) struct CommandAnswer {
    kind: CommandKind,
    amount: String,
    at: String,
    /// Name of the principal; absent where this provider decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// What became of it; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// Why it is not done, as the gateway says.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Payments by card.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct CardPaymentsAnswer {
    card_payments: Vec<CardPaymentAnswer>,
    #[serde(flatten)]
    reached: Reached,
}

/// Payments by card of an order.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "OrderCardPaymentsAnswer"))]
pub(super) struct OfOrderAnswer {
    card_payments: Vec<CardPaymentAnswer>,
}

impl From<&Command> for CommandAnswer {
    fn from(command: &Command) -> Self {
        let outcome = command.outcome.as_ref().map(|(_, outcome)| outcome);
        Self {
            kind: command.command.kind,
            amount: command.command.amount.clone(),
            at: time::format(command.at),
            by: command.command.by.clone(),
            note: command.command.note.clone(),
            outcome: outcome.map(|outcome| outcome.outcome),
            reason: outcome.and_then(|outcome| outcome.reason.clone()),
        }
    }
}

/// Who deals with the gateway; 404 where there is none.
pub(super) fn desk<'a, P: Platform>(call: &'a Call<'a, P>) -> Result<Desk<'a, P>, Problem> {
    if let Some(variable) = call.config.switched_off_cards() {
        return Err(Problem::switched_off("Payment by card", variable));
    }
    let cards = call.config.cards.as_ref().ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "No card gateway is configured: the variable card_gateway is not set.",
        )
    })?;
    Ok(Desk {
        app: call.app,
        config: call.config,
        cards,
        store: call.store,
    })
}

/// A payment by card as it is answered.
async fn answer<P: Platform>(
    desk: &Desk<'_, P>,
    payment: CardPayment,
) -> Result<CardPaymentAnswer, Problem> {
    let id = PaymentId::parse(payment.id()).map_err(Problem::internal)?;
    let seen = payment.seen.as_ref().map(|(_, seen)| seen);
    let is_paid = seen.is_some_and(|seen| seen.state.reach() == CardState::Paid.reach());
    let recorded = match is_paid {
        true => desk.store.payments().get(&id).await?,
        false => None,
    };
    let remaining = match &recorded {
        Some(recorded) => Some(recorded.state.remaining().to_string()),
        None => seen.and_then(|seen| seen.amount.clone()),
    };
    // Once it is recorded, the gateway may tell the number of a refund of it.
    let card = recorded
        .as_ref()
        .and_then(|recorded| recorded.payment.card.as_ref());
    let rrn = match card {
        Some(card) => card.rrn.clone(),
        None => seen.and_then(|seen| seen.rrn.clone()),
    };
    let refunds = recorded.iter().flat_map(|recorded| &recorded.state.refunds);
    let started = &payment.attempt.started;
    Ok(CardPaymentAnswer {
        id: started.payment_id.clone(),
        service_id: started.service_id.clone(),
        order_key: started.order_key.clone(),
        amount: started.amount.clone(),
        currency: started.currency.clone(),
        capture: started.capture,
        state: seen.map_or(CardState::Open, |seen| seen.state),
        gateway_state: seen.map(|seen| seen.written.clone()),
        ended: payment.ended,
        started_at: time::format(payment.started_at),
        expires_at: (!payment.attempt.unattended).then(|| time::format(payment.expires_at())),
        unclear_until: unclear_until(&payment, desk.store.now()).map(time::format),
        decided_at: desk.decided(&payment).await?.map(time::format),
        redirect_url: desk.redirect_url(&payment)?,
        remaining,
        rrn,
        masked_number: seen.and_then(|seen| seen.masked_number.clone()),
        customer: payment.attempt.customer.clone(),
        card: payment.attempt.card.clone(),
        unattended: payment.attempt.unattended,
        by: started.by.clone(),
        unanswered: None,
        commands: payment.commands.iter().map(CommandAnswer::from).collect(),
        refunds: refunds.map(RefundAnswer::from).collect(),
    })
}

/// `POST /api/orders/{service}/{key}/card-payments`.
pub const fn begin_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "orders/{service}/{key}/card-payments",
        roles: &CLERKS,
        answer: |call, values, body| {
            Box::pin(async move { begin(call, &values.service()?, &values.key()?, body).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "beginCardPayment", "Begins a payment of an order by card")
            .describe("Send the payer to `redirect_url`, where they type the card. One that is still open with the same amount, capture, customer and card is answered again; then this request has begun none of its own. The same request again gets the payment that it has begun. If `unattended`, the saved card is charged before this is answered, once, however often the request is repeated; 409 then also says that the card was refused.")
            .takes(["service", "key", "Idempotency-Key"])
            .body(as_json(schemas.request::<Beginning>()))
            .answers(200, "A payment that was begun before.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .answers(201, "The payment.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .answers(202, "The payment, if `unattended`; whether the card is charged is not known yet, and becomes known by itself.", as_json(schemas.answer::<CardPaymentAnswer>()))
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

/// Whose saved card is meant.
#[derive(Default)]
struct Saved {
    customer: Option<CustomerId>,
    card: Option<CardId>,
}

/// The customer and the card of a wish, and whether the rest of it fits them.
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

/// A customer of the Wallet, as callers name them.
pub(super) fn customer(id: &str) -> Result<CustomerId, String> {
    if id.trim() != id {
        return Err("must not begin or end with a space".to_owned());
    }
    CustomerId::parse(id).map_err(|error| error.to_string())
}

/// The payer's address, if one is given.
pub(super) fn payer_ip(address: Option<&str>) -> Result<(), Problem> {
    match address.is_none_or(|address| address.parse::<std::net::IpAddr>().is_ok()) {
        true => Ok(()),
        false => Err(Problem::member("payer_ip", "must be an IP address")),
    }
}

/// Why a saved card was not charged.
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

/// An amount of the document sent.
pub(super) fn money(text: Option<&str>) -> Result<Option<Money>, Problem> {
    let parsed = text.map(Money::parse).transpose();
    parsed.map_err(|error| Problem::member("amount", error))
}

/// An address that a browser may be sent to.
pub(super) fn address(text: &str, plain: bool) -> Result<(), Problem> {
    let wrong = || {
        let detail = "must be an https address of 2000 characters at most, such as https://shop.example.md/done";
        Problem::member("return_url", detail)
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let is_web = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => plain,
        _ => false,
    };
    let has_user = uri
        .authority()
        .is_none_or(|authority| authority.as_str().contains('@'));
    match is_web && !has_user && text.len() <= MAX_ADDRESS {
        true => Ok(()),
        false => Err(wrong()),
    }
}

/// `GET /api/orders/{service}/{key}/card-payments`.
pub const fn of_order_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "orders/{service}/{key}/card-payments",
        roles: &EVERYBODY,
        answer: |call, values, _| {
            Box::pin(async move { of_order(call, &values.service()?, &values.key()?).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "listOrderCardPayments", "Payments of an order by card")
            .describe("Those that were begun in the last ten days, and those among the order's latest payments.")
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
    Query::read(call.query, &[])?;
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
    let query = Query::read(call.query, &["cursor", "limit", "from", "to", "state"])?;
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
        answer: |call, values, _| Box::pin(async move { get(call, &values.id()?).await }),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "getCardPayment", "A payment by card")
                .describe("With `ask=true` the gateway is asked for its state first; if it does not tell it, `unanswered` says why.")
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
    let query = Query::read(call.query, &["ask"])?;
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
    let answer = answer(&desk, payment).await?;
    json(
        StatusCode::OK,
        &CardPaymentAnswer {
            unanswered,
            ..answer
        },
    )
}

/// `POST /api/card-payments/{id}/charge`.
pub const fn charge_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-payments/{id}/charge",
        roles: &CLERKS,
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
            Operation::new("card-payments", "chargeCardPayment", "Takes what is held on a card")
            .describe("All of it, or less. If the order cannot be paid with it any more, it is refused. Once more changes nothing.")
            .takes(["id"])
            .optional_body(as_json(schemas.request::<Charging>()))
            .answers(200, "The payment.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .answers(202, "The payment; whether the money is taken is not known yet.", as_json(schemas.answer::<CardPaymentAnswer>()))
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
        answer: |call, values, _| {
            Box::pin(async move { settle(call, &values.id()?, CommandKind::Cancel, None).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "card-payments",
                "cancelCardPayment",
                "Releases what is held on a card",
            )
            .describe("Once more changes nothing.")
            .takes(["id"])
            .answers(
                200,
                "The payment.",
                as_json(schemas.answer::<CardPaymentAnswer>()),
            )
            .answers(
                202,
                "The payment; whether the hold is released is not known yet.",
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
        answer: |call, values, body| {
            Box::pin(async move { refund(call, &values.id()?, body).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "refundCardPayment", "Gives money of a payment by card back")
            .describe("Only if the variable `card_refunds` gives leave. The same request again gives nothing back again. If it is not known of a refund before whether it is done (`unseen`), a manager must say with `checked_in_cabinet` that it is not. If the order was set to `Refunded`, it is refused, unless a manager sends `despite_refunded`.")
            .takes(["id", "Idempotency-Key"])
            .body(as_json(schemas.request::<Refunded>()))
            .answers(201, "The payment; the money is given back.", as_json(schemas.answer::<CardPaymentAnswer>()))
            .answers(202, "The payment; whether the money is given back is not known yet, and becomes known by itself.", as_json(schemas.answer::<CardPaymentAnswer>()))
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
            "The variable card_refunds gives no leave for this: make the refund in the gateway's cabinet.",
        ));
    }
    let name = idempotency_key(call.headers)?;
    let wish: Refunded = read_object(body)?;
    if wish.checked_in_cabinet && call.caller.role != Role::Manager {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Whether a refund is done or not, a person says who has looked in the gateway's cabinet: a manager sends checked_in_cabinet.",
        ));
    }
    if wish.despite_refunded && call.caller.role != Role::Manager {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Whether the money of an order that is Refunded goes back by card as well, a person decides: a manager sends despite_refunded.",
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

/// `POST /api/card-payments/check`.
pub const fn check_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-payments/check",
        roles: &OPERATORS,
        answer: |call, _, _| {
            Box::pin(async move {
                Query::read(call.query, &[])?;
                json(StatusCode::OK, &desk(call)?.check().await?)
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "checkCardPayments", "Asks the gateway for what is not over")
            .describe("For a timer, each minute: it makes certain that no payment is lost whose notification is.")
            .answers(200, "What was asked.", as_json(schemas.answer::<crate::cards::Checked>()))
            .fails([404])
        },
    }
}

/// `POST /api/card-payments/recheck`.
pub const fn recheck_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-payments/recheck",
        roles: &OPERATORS,
        answer: |call, _, _| Box::pin(recheck(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "recheckCardPayments", "Asks the gateway again for what was paid")
            .describe("For a timer, each night: it finds what was given back in the gateway's cabinet, and what banks have taken back. Go on with `next` while there is one.")
            .takes(["from", "to", "cursor"])
            .answers(200, "What was asked.", as_json(schemas.answer::<crate::cards::Checked>()))
            .fails([404])
        },
    }
}

async fn recheck<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let query = Query::read(call.query, &["from", "to", "cursor"])?;
    let after = cursor(call, &query).await?.unwrap_or_default();
    let span = span(&query, "from", "to")?;
    let mut checked = desk.recheck(span, after.place).await?;
    checked.next = next_if_any(call, checked.place).await?;
    json(StatusCode::OK, &checked)
}
