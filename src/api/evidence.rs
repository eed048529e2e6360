//! `/api/payments/{id}/evidence`: what proves a payment.

use bytes::Bytes;
use http::{Response, StatusCode};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    request_sha256: Option<String>,
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
    let proof = call.store.proof(id).await?;
    let proof = proof.ok_or_else(payments::no_such_payment)?;
    if xml != Some(true) {
        return file("application/zip", "evidence.zip", archive(proof)?);
    }
    let manual = proof.stored.payment.manual.is_some();
    let signed = if manual {
        proof.confirmation
    } else {
        Some(proof.request)
    };
    let signed = signed.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "The payment was entered by hand, and MPay has not confirmed it: there is no signed message.",
        )
    })?;
    file("text/xml; charset=utf-8", "request.xml", signed)
}

fn archive(proof: Proof) -> Result<Vec<u8>, Problem> {
    let stored = proof.stored;
    let manual = stored.payment.manual.is_some();
    let signed = if manual {
        proof.confirmation.as_ref()
    } else {
        Some(&proof.request)
    };
    let meta = Meta {
        index: stored.index,
        payment: stored.payment,
        recorded_at: time::format(stored.recorded_at),
        verdict: if manual { "manual" } else { "accepted" },
        request_sha256: signed.map(|request| sha256(request)),
        answer_sha256: proof.answer.as_deref().map(sha256),
    };
    let meta = serde_json::to_vec_pretty(&meta).map_err(Problem::internal)?;
    let mut files: Vec<(&str, &[u8])> = Vec::new();
    if manual {
        files.push(("manual.json", &proof.request));
    }
    if let Some(request) = signed {
        files.push(("request.xml", request));
    }
    if let Some(answer) = &proof.answer {
        files.push(("answer.xml", answer));
    }
    files.push(("meta.json", &meta));
    zip::archive(&files).ok_or_else(|| Problem::internal("evidence too large for a ZIP"))
}
