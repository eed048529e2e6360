//! `/api/refusals`: confirmations that MPay signed and this provider refused.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    endpoint::Endpoint,
    json,
    query::{Query, Reached, page},
    review_answer::ReviewsAnswer,
};
use crate::{
    access::EVERYBODY,
    json::{Event, RefusalJson},
    store::{Platform, Span, StoredRefusal},
};

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RefusalsAnswer {
    refusals: Vec<RefusalAnswer>,
    #[serde(flatten)]
    reached: Reached,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RefusalAnswer {
    /// The refusal's place in the journal.
    index: u64,
    #[serde(flatten)]
    refusal: RefusalJson,
    #[serde(flatten)]
    reviews: ReviewsAnswer,
}

impl From<StoredRefusal> for RefusalAnswer {
    fn from(stored: StoredRefusal) -> Self {
        Self {
            index: stored.index,
            refusal: stored.refusal,
            reviews: ReviewsAnswer::of_refusal(stored.closed),
        }
    }
}

/// `GET /api/refusals`.
pub const fn list_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "refusals",
        roles: &EVERYBODY,
        parameters: &["cursor", "limit"],
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "refusals",
                "listRefusals",
                "Confirmations that MPay signed and this provider refused",
            )
            .takes(["cursor", "limit"])
            .answers(200, "A page.", as_json(schemas.answer::<RefusalsAnswer>()))
        },
    }
}

/// Answers refusals in their order in the journal. A refusal that two simultaneous calls stored occurs twice;
/// both have the same `evidence`.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let (from, limit) = page(call, &query).await?;
    let wanted = |event: &Event| matches!(event, Event::PaymentRefused(_));
    let page = call
        .store
        .journal()
        .read(from, limit, Span::ALWAYS, wanted)
        .await?;
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    let refusals = call.store.refusals().of(page.entries).await?;
    let answer = RefusalsAnswer {
        refusals: refusals.into_iter().map(RefusalAnswer::from).collect(),
        reached: Reached::new(call, from, page.next).await?,
    };
    json(StatusCode::OK, &answer)
}

/// `GET /api/refusals/{index}`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "refusals/{index}",
        roles: &EVERYBODY,
        parameters: &[],
        answer: |call, values, _| Box::pin(async move { get(call, values.index()?).await }),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("refusals", "getRefusal", "A refused confirmation")
                .takes(["index"])
                .answers(
                    200,
                    "The refusal.",
                    as_json(schemas.answer::<RefusalAnswer>()),
                )
                .fails([404])
        },
    }
}

/// Answers one refusal, by its place in the journal.
pub async fn get<P: Platform>(call: &Call<'_, P>, index: u64) -> Result<Response<Bytes>, Problem> {
    let refusal = call.store.refusals().get(index).await?;
    let refusal = refusal.ok_or_else(no_such_refusal)?;
    json(StatusCode::OK, &RefusalAnswer::from(refusal))
}

pub(super) fn no_such_refusal() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "No refused confirmation is at this index of the journal.",
    )
}
