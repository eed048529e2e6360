//! `/api/mpay-calls`: the outcome of MPay's latest calls.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{Call, Problem, endpoint::Endpoint, json, refusals::RefusalAnswer};
use crate::{
    access::EVERYBODY,
    domain::time,
    store::{Places, Platform},
};

/// The outcome of MPay's latest calls.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct MPayCallsAnswer {
    /// The payment that MPay confirmed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_payment: Option<LastPaymentAnswer>,
    /// The latest refused confirmations, at most ten, the newest first.
    latest_refusals: Vec<RefusalAnswer>,
    /// The refusals that nobody has closed, at most 100, the newest first.
    open_refusals: Vec<RefusalAnswer>,
    /// True if there are more open refusals.
    open_refusals_more: bool,
    /// True if the whole journal was looked through. If not, the next call continues.
    complete: bool,
}

/// A payment that MPay confirmed.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct LastPaymentAnswer {
    payment_id: String,
    service_id: String,
    order_key: String,
    amount: String,
    currency: String,
    recorded_at: String,
}

/// `GET /api/mpay-calls`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "mpay-calls",
        roles: &EVERYBODY,
        parameters: &[],
        answer: |call, _, _| Box::pin(get(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "refusals",
                "getMPayCalls",
                "The outcome of MPay's latest calls",
            )
            .answers(
                200,
                "The outcome of the latest calls.",
                as_json(schemas.answer::<MPayCallsAnswer>()),
            )
        },
    }
}

/// Answers the outcome of MPay's latest calls.
pub async fn get<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let places = Places::new(call.effort.places);
    let found = call.store.mpay_calls().read_within(&places).await?;
    let last_payment = found.recorded.map(|(at, payment)| LastPaymentAnswer {
        payment_id: payment.payment_id,
        service_id: payment.service_id,
        order_key: payment.order_key,
        amount: payment.amount,
        currency: payment.currency,
        recorded_at: time::format(at),
    });
    let answer = MPayCallsAnswer {
        last_payment,
        latest_refusals: found.latest.into_iter().map(RefusalAnswer::from).collect(),
        open_refusals: found.open.into_iter().map(RefusalAnswer::from).collect(),
        open_refusals_more: found.has_more,
        complete: found.is_complete,
    };
    json(StatusCode::OK, &answer)
}
