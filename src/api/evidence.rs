//! `/api/payments/{id}/evidence`: what proves a payment.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{Call, Problem, file, payments, query::Query, zip};
use crate::{
    config::Config,
    digest::sha256,
    domain::{PaymentId, time},
    json::PaymentJson,
    store::{Platform, Proof, Tombstone},
};
use wsse::{Certificate, Document, Element};

/// What stands beside the messages: how they were judged, and by what they are recognised.
#[derive(Serialize)]
struct Meta {
    #[serde(flatten)]
    payment: PaymentJson,
    /// Its place in the journal.
    index: u64,
    recorded_at: String,
    /// The signer's certificate, PEM; absent where neither the message nor the configuration has
    /// it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer_certificate: Option<String>,
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
    let messages = proof.confirmation.iter().chain([&proof.request]);
    if let Some(tombstone) = messages
        .into_iter()
        .find_map(|message| Tombstone::of(message))
    {
        return Err(erased(&tombstone));
    }
    if xml != Some(true) {
        return file(
            "application/zip",
            "evidence.zip",
            archive(call.config, proof)?,
        );
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

/// The message is gone, with the personal data that was in it.
fn erased(tombstone: &Tombstone) -> Problem {
    Problem::new(
        StatusCode::GONE,
        format!(
            "The signed message was erased on {} with the personal data in it. Its SHA-256 was {}: a copy kept elsewhere is recognised by it.",
            time::format(tombstone.erased_at),
            tombstone.sha256
        ),
    )
}

fn archive(config: &Config, proof: Proof) -> Result<Vec<u8>, Problem> {
    let stored = proof.stored;
    let manual = stored.payment.manual.is_some();
    let signed = if manual {
        proof.confirmation.as_ref()
    } else {
        Some(&proof.request)
    };
    let signer_certificate = signed.and_then(|message| {
        let signer = stored.payment.signer.as_ref()?;
        signer_certificate(config, message, &signer.fingerprint)
    });
    let meta = Meta {
        signer_certificate,
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

/// The certificate of this fingerprint, which the message sends or the configuration holds.
fn signer_certificate(config: &Config, message: &[u8], fingerprint: &str) -> Option<String> {
    let sent = Document::parse(message).ok();
    let sent = sent.and_then(|document| sent_certificate(document.root(), fingerprint));
    let mut configured = config.policy.trust.certificates();
    let certificate = sent.or_else(|| {
        configured
            .find(|certificate| certificate.fingerprint() == fingerprint)
            .cloned()
    });
    certificate.map(|certificate| certificate.to_pem())
}

fn sent_certificate(element: Element<'_>, fingerprint: &str) -> Option<Certificate> {
    if matches!(
        element.local_name(),
        "BinarySecurityToken" | "X509Certificate" | "KeyIdentifier"
    ) {
        let base64 = element.text()?;
        let pem = format!("-----BEGIN CERTIFICATE-----{base64}-----END CERTIFICATE-----");
        let certificate = Certificate::from_pem(&pem).ok();
        return certificate.filter(|certificate| certificate.fingerprint() == fingerprint);
    }
    element
        .children()
        .find_map(|child| sent_certificate(child, fingerprint))
}
