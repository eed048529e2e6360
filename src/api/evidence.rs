//! `/api/payments/{id}` and `/api/payments/{id}/evidence`: one payment, and what proves it.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::{Call, Problem, events::PaymentAnswer, json, zip};
use crate::{
    digest::sha256,
    domain::{PaymentId, time},
    json::PaymentJson,
    store::{Platform, StoredPayment},
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

/// Answers one payment.
pub async fn payment<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
) -> Result<Response<Bytes>, Problem> {
    let stored = find(call, id).await?;
    json(
        StatusCode::OK,
        &PaymentAnswer {
            index: stored.index,
            payment: stored.payment,
        },
    )
}

/// Answers the messages of a payment: as a ZIP, or with `format=xml` the confirmation alone, byte
/// for byte as it came in.
pub async fn evidence<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
) -> Result<Response<Bytes>, Problem> {
    let xml = match call.query {
        "" | "format=zip" => false,
        "format=xml" => true,
        _ => {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "Of parameters there is format, which is zip or xml.",
            ));
        }
    };
    let stored = find(call, id).await?;
    let (media_type, name, body) = if xml {
        let request = stored.request;
        ("text/xml; charset=utf-8", "request.xml", request)
    } else {
        let archive = archive(stored)?;
        ("application/zip", "evidence.zip", archive)
    };
    let mut response = Response::new(Bytes::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    headers.insert(
        header::CONTENT_DISPOSITION,
        disposition.map_err(Problem::internal)?,
    );
    Ok(response)
}

async fn find<P: Platform>(call: &Call<'_, P>, id: &PaymentId) -> Result<StoredPayment, Problem> {
    call.store.payment(id).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "No payment of this PaymentID is recorded.",
        )
    })
}

fn archive(stored: StoredPayment) -> Result<Vec<u8>, Problem> {
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
