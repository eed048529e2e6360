//! `/api/payments/{id}/evidence`: what proves a payment.

use bytes::Bytes;
use http::Response;
use serde::Serialize;

use super::{Call, Problem, file, payments, query::Query, zip};
use crate::{
    digest::sha256,
    domain::{PaymentId, time},
    json::PaymentJson,
    store::{Platform, Proof},
};

/// What stands beside the messages: how they were judged, and by what they are recognised.
#[derive(Serialize)]
struct Meta {
    #[serde(flatten)]
    payment: PaymentJson,
    /// Its place in the journal.
    index: u64,
    recorded_at: String,
    verdict: &'static str,
    request_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_sha256: Option<String>,
}

/// Answers the messages of a payment: as a ZIP, or with `format=xml` the confirmation alone, byte
/// for byte as it came in.
pub async fn evidence<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
) -> Result<Response<Bytes>, Problem> {
    let query = Query::read(call.query, &["format"])?;
    let xml = query.word("format", &[("zip", false), ("xml", true)])?;
    let stored = call.store.proof(id).await?;
    let stored = stored.ok_or_else(payments::no_such_payment)?;
    let (media_type, name, body) = if xml == Some(true) {
        let request = stored.request;
        ("text/xml; charset=utf-8", "request.xml", request)
    } else {
        let archive = archive(stored)?;
        ("application/zip", "evidence.zip", archive)
    };
    file(media_type, name, body)
}

fn archive(stored: Proof) -> Result<Vec<u8>, Problem> {
    let meta = Meta {
        index: stored.index,
        payment: stored.payment,
        recorded_at: time::format(stored.recorded_at),
        verdict: "accepted",
        request_sha256: sha256(&stored.request),
        answer_sha256: stored.answer.as_deref().map(sha256),
    };
    let meta = serde_json::to_vec_pretty(&meta).map_err(Problem::internal)?;
    let mut files = vec![("request.xml", stored.request.as_slice())];
    if let Some(answer) = &stored.answer {
        files.push(("answer.xml", answer));
    }
    files.push(("meta.json", &meta));
    zip::archive(&files).ok_or_else(|| Problem::internal("evidence too large for a ZIP"))
}
