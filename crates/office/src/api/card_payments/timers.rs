//! The calls of timers about payments by card: each minute, and each night.

use bytes::Bytes;
use http::{Response, StatusCode};

#[cfg(feature = "description")]
use super::super::description::{Operation, as_json};
use super::{
    super::{
        Call, Problem,
        endpoint::Endpoint,
        json,
        query::{Query, cursor, next_if_any, span},
    },
    desk,
};
use crate::{access::OPERATORS, store::Platform};

/// `POST /api/card-payments/check`.
pub const fn check_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-payments/check",
        roles: &OPERATORS,
        parameters: &[],
        answer: |call, _, _| {
            Box::pin(async move { json(StatusCode::OK, &desk(call)?.check().await?) })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "checkCardPayments", "Asks the gateway about payments that are not over")
            .describe("A timer should call it each minute, so that no payment is lost if its notification is lost.")
            .answers(200, "The number of questions, and their outcome.", as_json(schemas.answer::<crate::cards::Checked>()))
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
        parameters: &["from", "to", "cursor"],
        answer: |call, _, _| Box::pin(recheck(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-payments", "recheckCardPayments", "Asks the gateway again about past payments")
            .describe("A timer should call it each night. It finds refunds that were made in the gateway's cabinet, and money that banks took back. Pass `next` as `cursor` until it is absent.")
            .takes(["from", "to", "cursor"])
            .answers(200, "The number of questions, and their outcome.", as_json(schemas.answer::<crate::cards::Checked>()))
            .fails([404])
        },
    }
}

async fn recheck<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let query = Query::of(call)?;
    let after = cursor(call, &query).await?.unwrap_or_default();
    let span = span(&query, "from", "to")?;
    let mut checked = desk.recheck(span, after.place).await?;
    checked.next = next_if_any(call, checked.place).await?;
    json(StatusCode::OK, &checked)
}
