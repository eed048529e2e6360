//! `/api/payments/{id}/evidence` and `/api/refusals/{index}/evidence`: the signed messages that prove a
//! payment, or that prove that MPay sent a refused confirmation.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{FILE, Operation};
use super::{Call, Problem, endpoint::Endpoint, file, payments, query::Query, refusals};
use crate::{
    access::EVERYBODY,
    config::Config,
    digest::sha256,
    domain::{PaymentId, time},
    json::{Channel, SignerJson},
    store::{Archived, Platform, Proof, StoredPayment, Tombstone},
};
#[cfg(feature = "description")]
use serde_json::json;
use wsse::{Certificate, Document, Element};

/// The document beside the messages: their verdict, and the digests that identify them.
#[derive(Serialize)]
struct Meta<'a, R> {
    #[serde(flatten)]
    record: &'a R,
    /// The record's place in the journal.
    index: u64,
    recorded_at: String,
    /// The signer's certificate, PEM; absent if neither the store nor the message nor the configuration has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer_certificate: Option<String>,
    /// `accepted`, `refused`, `manual` for a payment that was entered by hand, or `card` for a payment by card.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_sha256: Option<String>,
}

/// `GET /api/payments/{id}/evidence`.
pub const fn of_payment_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "payments/{id}/evidence",
        roles: &EVERYBODY,
        parameters: &["format"],
        answer: |call, values, _| Box::pin(async move { of_payment(call, &values.id()?).await }),
        #[cfg(feature = "description")]
        description: |_| {
            Operation::new("payments", "getEvidence", "The signed messages that prove a payment")
            .describe("A ZIP of `request.xml`, the confirmation byte for byte as MPay signed it; `answer.xml`, our signed answer; and `meta.json`.")
            .takes(["id", "evidence_format"])
            .answers(200, "The messages.", json!({"application/zip": {}, "text/xml": {}}))
            .header(200, "Content-Disposition", true, FILE)
            .fails([404, 410])
        },
    }
}

/// Answers the messages of a payment as a ZIP. With `format=xml` it answers the confirmation alone, byte for
/// byte as it was received.
pub async fn of_payment<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
) -> Result<Response<Bytes>, Problem> {
    let format = format(call)?;
    let proof = call.store.payments().proof(id).await?;
    let proof = proof.ok_or_else(payments::no_such_payment)?;
    let stored = &proof.stored;
    let signer = stored.payment.signer_of_confirmation();
    let meta = Meta {
        record: &stored.payment,
        index: stored.index,
        recorded_at: time::format(stored.recorded_at),
        signer_certificate: signer_certificate(call.config, &proof, signer),
        verdict: match stored.payment.channel() {
            Channel::MPay => "accepted",
            other => other.as_str(),
        },
        request_sha256: proof.request.as_deref().map(sha256),
        answer_sha256: proof.answer.as_deref().map(sha256),
    };
    if let Some(name) = stored.payment.signed_message()
        && let Some(gone) = proof.request.as_deref().and_then(Tombstone::of)
        && let Some(archived) = call.store.messages().archived(name).await?
    {
        return Err(moved(&gone, &archived, stored));
    }
    answer(format, &proof, &meta)
}

/// The problem for a message that was moved into an archive. If personal data of the order was erased since,
/// the message may have been removed there as well.
fn moved(tombstone: &Tombstone, archived: &Archived, stored: &StoredPayment) -> Problem {
    let unless = match stored.is_erased {
        true => ", unless it was taken out since: personal data of the order was erased",
        false => "",
    };
    Problem::new(
        StatusCode::GONE,
        format!(
            "The message was moved on {} into the archive {}, by {}: there it is in the folder that begins with {}-{unless}. Its SHA-256 is {}.",
            time::format(tombstone.erased_at),
            archived.archive,
            archived.by,
            stored.index,
            tombstone.sha256
        ),
    )
}

/// `GET /api/refusals/{index}/evidence`.
pub const fn of_refusal_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "refusals/{index}/evidence",
        roles: &EVERYBODY,
        parameters: &["format"],
        answer: |call, values, _| Box::pin(async move { of_refusal(call, values.index()?).await }),
        #[cfg(feature = "description")]
        description: |_| {
            Operation::new("refusals", "getRefusalEvidence", "The signed messages that prove a refused confirmation")
            .describe("A ZIP of `request.xml`, the confirmation byte for byte as MPay signed it; `answer.xml`, our signed fault; and `meta.json`.")
            .takes(["index", "evidence_format"])
            .answers(200, "The messages.", json!({"application/zip": {}, "text/xml": {}}))
            .header(200, "Content-Disposition", true, FILE)
            .fails([404, 410])
        },
    }
}

/// Answers the messages of a refused confirmation, in the same two formats.
pub async fn of_refusal<P: Platform>(
    call: &Call<'_, P>,
    index: u64,
) -> Result<Response<Bytes>, Problem> {
    let format = format(call)?;
    let proof = call.store.refusals().proof(index).await?;
    let proof = proof.ok_or_else(refusals::no_such_refusal)?;
    let stored = &proof.stored;
    let signer = Some(&stored.refusal.signer);
    let meta = Meta {
        record: &stored.refusal,
        index,
        recorded_at: time::format(stored.recorded_at),
        signer_certificate: signer_certificate(call.config, &proof, signer),
        verdict: "refused",
        request_sha256: proof.request.as_deref().map(sha256),
        answer_sha256: proof.answer.as_deref().map(sha256),
    };
    answer(format, &proof, &meta)
}

#[derive(Clone, Copy)]
enum Format {
    Zip,
    Xml,
}

fn format<P>(call: &Call<'_, P>) -> Result<Format, Problem> {
    let query = Query::of(call)?;
    let format = query.word("format", &[("zip", Format::Zip), ("xml", Format::Xml)])?;
    Ok(format.unwrap_or(Format::Zip))
}

fn answer<T>(
    format: Format,
    proof: &Proof<T>,
    meta: &Meta<'_, impl Serialize>,
) -> Result<Response<Bytes>, Problem> {
    let mut messages = [&proof.unsigned, &proof.request].into_iter().flatten();
    if let Some(erased) = messages.find_map(|message| Tombstone::of(message)) {
        return Err(Problem::new(
            StatusCode::GONE,
            format!(
                "The message was erased on {} with the personal data in it. Its SHA-256 was {}: a copy kept elsewhere is recognised by it.",
                time::format(erased.erased_at),
                erased.sha256
            ),
        ));
    }
    match format {
        Format::Zip => file("application/zip", "evidence.zip", archive(proof, meta)?),
        Format::Xml => {
            let signed = proof.request.clone().ok_or_else(|| {
                Problem::new(
                    StatusCode::NOT_FOUND,
                    "MPay has not confirmed the payment, which was made by card or entered by hand: there is no signed message.",
                )
            })?;
            file("text/xml; charset=utf-8", "request.xml", signed)
        }
    }
}

fn archive<T>(proof: &Proof<T>, meta: &Meta<'_, impl Serialize>) -> Result<Vec<u8>, Problem> {
    let unsigned = match meta.verdict {
        "card" => "card.json",
        _ => "manual.json",
    };
    let meta = serde_json::to_vec_pretty(meta).map_err(Problem::internal)?;
    let files = [
        (unsigned, proof.unsigned.as_deref()),
        ("request.xml", proof.request.as_deref()),
        ("answer.xml", proof.answer.as_deref()),
        ("meta.json", Some(meta.as_slice())),
    ];
    let files: Vec<_> = files
        .into_iter()
        .filter_map(|(name, content)| Some((name, content?)))
        .collect();
    tables::archive(&files).ok_or_else(|| Problem::internal("evidence too large for a ZIP"))
}

/// The signer's certificate as it was stored. Older evidence has none; then it is the certificate in the
/// message, or the one in the configuration.
fn signer_certificate<T>(
    config: &Config,
    proof: &Proof<T>,
    signer: Option<&SignerJson>,
) -> Option<String> {
    let fingerprint = signer?.fingerprint.as_str();
    let kept = proof.certificate.as_deref();
    let kept = kept.and_then(|der| Certificate::from_der(der).ok());
    let sent = || {
        let message = Document::parse(proof.request.as_deref()?).ok()?;
        sent_certificate(message.root(), fingerprint)
    };
    let configured = || config.certificate(fingerprint).cloned();
    let certificate = kept.or_else(sent).or_else(configured);
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
