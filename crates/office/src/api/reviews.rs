//! Reviews: flags that ask a person to look at a payment or refusal, and the closing of flags.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem, document::read_object, endpoint::Endpoint, payments, refusals,
    review_answer::REFUSED,
};
use crate::{
    access::BOOKKEEPERS,
    domain::{PaymentId, Review, Text},
    store::{CloseError, Platform},
};

#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Closing {
    note: Option<String>,
}

/// The note in a body that closes a flag.
///
/// # Errors
/// A [`Problem`] that names the mistake.
pub fn note(body: &[u8]) -> Result<Text<500>, Problem> {
    let closing: Closing = read_object(body)?;
    let note = closing.note.ok_or_else(|| {
        Problem::member(
            "note",
            "is missing: say what was found, for those who look at it later",
        )
    })?;
    Text::parse(&note).map_err(|error| Problem::member("note", error))
}

/// `POST /api/payments/{id}/reviews/{reason}`.
pub const fn close_of_payment_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "payments/{id}/reviews/{reason}",
        roles: &BOOKKEEPERS,
        parameters: &[],
        answer: |call, values, body| {
            Box::pin(async move {
                close_of_payment(call, &values.id()?, values.text("reason"), body).await
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "closeReview", "Closes a flag of a payment")
                .describe("A repetition changes nothing.")
                .takes(["id", "reason"])
                .body(as_json(schemas.request::<Closing>()))
                .answers(
                    200,
                    "The payment.",
                    as_json(schemas.answer::<crate::api::payments::PaymentAnswer>()),
                )
                .fails([404, 409, 413, 422])
        },
    }
}

/// Closes a review of a payment, and answers the payment.
pub async fn close_of_payment<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
    reason: &str,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let note = note(body)?;
    let review = Review::parse(reason).ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "There is no such reason for a review: a payment's review names those that are open.",
        )
    })?;
    if review == Review::Orphaned {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "Nobody closes this one: `POST /api/repair` enters the payment into its order again.",
        ));
    }
    call.store
        .reviews()
        .close(id, review, &note, &call.caller.name)
        .await
        .map_err(not_closed)?;
    payments::get(call, id).await
}

fn not_closed(error: CloseError) -> Problem {
    match error {
        CloseError::NoPayment => payments::no_such_payment(),
        CloseError::NoRefusal => refusals::no_such_refusal(),
        CloseError::NotOpen { open } => {
            let open: Vec<_> = open.iter().map(|review| review.as_str()).collect();
            let open = match open.as_slice() {
                [] => "No review of it is.".to_owned(),
                open => format!("Those that are: {}.", open.join(", ")),
            };
            Problem::new(
                StatusCode::CONFLICT,
                format!("This review of the payment is not open. {open}"),
            )
        }
        CloseError::Busy => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Another call is at the same review or order; try again.",
        ),
        CloseError::Store(error) => error.into(),
    }
}

/// `POST /api/refusals/{index}/reviews/{reason}`.
pub const fn close_of_refusal_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "refusals/{index}/reviews/{reason}",
        roles: &BOOKKEEPERS,
        parameters: &[],
        answer: |call, values, body| {
            Box::pin(async move {
                close_of_refusal(call, values.index()?, values.text("reason"), body).await
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "refusals",
                "closeRefusal",
                "Closes the flag of a refused confirmation",
            )
            .takes(["index", "refused"])
            .body(as_json(schemas.request::<Closing>()))
            .answers(
                200,
                "The refusal.",
                as_json(schemas.answer::<crate::api::refusals::RefusalAnswer>()),
            )
            .fails([404, 409, 413, 422])
        },
    }
}

/// Closes the review of a refused confirmation, and answers it.
pub async fn close_of_refusal<P: Platform>(
    call: &Call<'_, P>,
    index: u64,
    reason: &str,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let note = note(body)?;
    if reason != REFUSED {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "There is no such reason for a review: that of a refusal is refused.",
        ));
    }
    call.store
        .refusals()
        .close(index, &note, &call.caller.name)
        .await
        .map_err(not_closed)?;
    refusals::get(call, index).await
}

#[cfg(test)]
mod tests {
    use super::super::testing::Api;
    use crate::store::testing::{record, register};

    #[tokio::test(start_paused = true)]
    async fn a_payment_that_its_order_has_lost_is_mended_by_repair_alone() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        record(&api.memory, "P", "1", "100").await.unwrap();
        let void = br#"{"v":1,"at":"2026-06-01T09:00:00Z","entry":"void"}"#.to_vec();
        api.memory.overwrite("order/TAX/1/2", void);
        let review = async || api.get("payments/P").await.json()["review"].clone();
        assert_eq!(review().await, serde_json::json!(["orphaned"]));
        let found = api.get("payments?review=orphaned").await.json();
        assert_eq!(found["payments"][0]["payment_id"], "P");
        let note = r#"{"note": "Seen"}"#;
        let closed = api
            .call(
                "POST",
                "payments/P/reviews/orphaned",
                "application/json",
                note,
            )
            .await;
        assert_eq!(closed.status, 409);
        assert!(closed.text.contains("POST /api/repair"), "{}", closed.text);
        api.call("POST", "repair", "", "").await;
        assert_eq!(review().await, serde_json::json!([]));
    }
}
