//! `/api/repair`: restores records that the store has lost.

use bytes::Bytes;
use http::{Response, StatusCode};

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    endpoint::Endpoint,
    json,
    query::{Query, cursor},
};
use crate::{access::OPERATORS, store::Platform};

/// `POST /api/repair`.
pub const fn post_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "repair",
        roles: &OPERATORS,
        parameters: &["cursor"],
        answer: |call, _, _| Box::pin(post(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "repair", "Restores records of payments that the store has lost")
            .describe("Each entry is written again at its own place, so that no closed day changes. The answer names records that cannot be restored. A call looks at the records of 256 entries of the journal: pass `next` as `cursor` until it is absent.")
            .takes(["cursor"])
            .answers(200, "The records that were missing.", as_json(schemas.answer::<crate::store::Repair>()))
            .fails([413])
        },
    }
}

/// Restores lost records in one part of the journal.
pub async fn post<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let from = cursor(call, &query).await?;
    let repair = call
        .store
        .repairs()
        .block(&from.unwrap_or_default())
        .await?;
    if repair.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    json(StatusCode::OK, &repair)
}
