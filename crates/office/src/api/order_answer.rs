//! An order as the API answers it.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, Schemas, as_json};
use super::{
    Call, Problem, checks, encode,
    endpoint::Endpoint,
    json,
    payments::{RefundAnswer, VoidedAnswer},
    query::{Query, below, next_if_any},
    review_answer::ReviewsAnswer,
};
use crate::{
    access::EVERYBODY,
    domain::{OrderKey, OrderState, ServiceId},
    json::{Channel, FieldError, OrderJson, PaymentJson},
    store::{Platform, StoredOrder},
};

/// The members of an [`OrderAnswer`] that do not belong to the order's document.
pub(super) const DERIVED: [&str; 10] = [
    "amount_due",
    "amount_due_by_day",
    "amount_overpaid",
    "amount_paid",
    "amount_refunded",
    "pay_url",
    "payment_count",
    "payments",
    "payments_url",
    "warnings",
];

/// An order with its status, the amounts paid and due, and its payments.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct OrderAnswer<'a> {
    #[serde(flatten)]
    order: OrderJson,
    amount_paid: String,
    /// The part of `amount_paid` that was refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_refunded: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_overpaid: Option<String>,
    /// The address of the order's page, for its payer; absent if there are no pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_url: Option<String>,
    /// For an order whose amounts depend on the day: the amounts due today and in later periods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    amount_due_by_day: Vec<PeriodAnswer>,
    /// Number of payments, those voided included.
    payment_count: u64,
    /// The latest payments, in the order of their recording.
    payments: Vec<PaymentAnswer<'a>>,
    /// The address of the list of all payments; absent if `payments` has all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    payments_url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<FieldError>,
}

/// The amount due in a period, if nothing more is paid.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct PeriodAnswer {
    from: String,
    /// The last day of the period; absent if the amount does not change any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// The amount due on the first day of the period.
    amount_due: String,
    /// The amount by which the sum grows on each further day.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_per_day: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "OrderPaymentAnswer"))]
pub(super) struct PaymentAnswer<'a> {
    /// The channel by which the payment came.
    channel: Channel,
    #[serde(flatten)]
    payment: &'a PaymentJson,
    #[serde(flatten)]
    reviews: ReviewsAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    voided: Option<VoidedAnswer>,
    /// The refunds of the payment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<RefundAnswer>,
}

/// Payments of an order, the newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct OrderPaymentsAnswer<'a> {
    payments: Vec<PaymentAnswer<'a>>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /api/orders/{service}/{key}/payments`.
pub const fn payments_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "orders/{service}/{key}/payments",
        roles: &EVERYBODY,
        parameters: &["cursor"],
        answer: |call, values, _| {
            Box::pin(async move { payments(call, &values.service()?, &values.key()?).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("orders", "listOrderPayments", "Payments of an order, the newest first")
            .describe("The order itself shows its latest payments. Pass `next` as `cursor`. A page may be empty; the list ends when `next` is absent.")
            .takes(["service", "key", "cursor"])
            .answers(200, "A page.", as_json(schemas.answer::<OrderPaymentsAnswer<'static>>()))
            .fails([404])
        },
    }
}

/// Answers a part of an order's payments.
pub async fn payments<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let before = below(call, &query).await?;
    let page = call.store.orders().payments(service, key, before).await?;
    let page = page.ok_or_else(no_such_order)?;
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    let payments = page.payments.iter();
    let payments = payments.map(|(payment, state)| PaymentAnswer {
        channel: payment.channel(),
        payment,
        reviews: state.into(),
        voided: state.voided.as_ref().map(VoidedAnswer::from),
        refunds: state.refunds.iter().map(RefundAnswer::from).collect(),
    });
    let answer = OrderPaymentsAnswer {
        payments: payments.collect(),
        next: next_if_any(call, page.next).await?,
    };
    json(StatusCode::OK, &answer)
}

fn periods(state: &OrderState, now: Timestamp) -> Vec<PeriodAnswer> {
    let paid = state.amount_paid();
    let periods = state.periods(now).into_iter();
    periods
        .map(|period| PeriodAnswer {
            from: period.from.to_string(),
            until: period.until.map(|day| day.to_string()),
            amount_due: period.total.saturating_sub(paid).to_string(),
            more_per_day: (!period.per_day.is_zero()).then(|| period.per_day.to_string()),
        })
        .collect()
}

/// The problem for a key that no order has.
pub(crate) fn no_such_order() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "The service has no order with this key.",
    )
}

#[cfg(feature = "description")]
pub(super) fn order_answer(schemas: &mut Schemas) -> serde_json::Value {
    as_json(schemas.answer::<OrderAnswer<'static>>())
}

impl<'a> OrderAnswer<'a> {
    /// Describes an order in its present state.
    pub fn of<P: Platform>(call: &Call<'_, P>, stored: &'a StoredOrder) -> Result<Self, Problem> {
        let now = call.store.now();
        let order = stored
            .state
            .order()
            .ok_or_else(|| Problem::internal("an order without versions"))?;
        let pages = call.config.pages.as_ref();
        let pay_url = pages.map(|pages| pages.pay_url(&order.service_id, &order.order_key));
        let mut order = OrderJson::from(order);
        let warnings = checks::warnings(&order);
        order.status = Some(stored.state.status(now).as_str().to_owned());
        let payments_url = (!stored.state.is_whole()).then(|| {
            let (service, key) = (&order.service_id, &order.order_key);
            let part = |text: &Option<String>| encode(text.as_deref().unwrap_or_default());
            format!("/api/orders/{}/{}/payments", part(service), part(key))
        });
        let payments = stored
            .payments
            .iter()
            .zip(stored.state.payments())
            .map(|(payment, state)| PaymentAnswer {
                channel: payment.channel(),
                payment,
                reviews: state.into(),
                voided: state.voided.as_ref().map(VoidedAnswer::from),
                refunds: state.refunds.iter().map(RefundAnswer::from).collect(),
            })
            .collect();
        Ok(Self {
            order,
            amount_paid: stored.state.amount_paid().to_string(),
            amount_refunded: Some(stored.state.amount_refunded())
                .filter(|amount| !amount.is_zero())
                .map(|amount| amount.to_string()),
            amount_due: stored.state.amount_due(now).map(|due| due.to_string()),
            amount_overpaid: Some(stored.state.amount_overpaid(now))
                .filter(|amount| !amount.is_zero())
                .map(|amount| amount.to_string()),
            pay_url,
            amount_due_by_day: periods(&stored.state, now),
            payment_count: stored.state.payment_count + stored.state.voided_count,
            payments,
            payments_url,
            warnings,
        })
    }
}
