use std::{collections::BTreeMap, process::Command};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::*;

impl Provider {
    fn evidence(&self, path: &str) -> (u16, String, Vec<u8>) {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [("Authorization", authorization.as_str())];
        let mut response = self.http("GET", &format!("api/{path}"), &headers, b"");
        let media_type = response.headers()["content-type"].to_str().unwrap();
        (
            response.status().as_u16(),
            media_type.to_owned(),
            response.body_mut().read_to_vec().unwrap(),
        )
    }
}

/// The files of a ZIP, as Python reads them; `None`, and a word about it, without Python.
pub fn unzip(archive: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    const SCRIPT: &str = "import sys, zipfile\n\
        z = zipfile.ZipFile(sys.argv[1])\n\
        assert z.testzip() is None\n\
        z.extractall(sys.argv[2])";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evidence.zip");
    std::fs::write(&file, archive).unwrap();
    let into = folder.path().join("files");
    let output = match Command::new("python3")
        .args(["-c", SCRIPT])
        .args([&file, &into])
        .output()
    {
        Ok(output) => output,
        Err(error) => {
            eprintln!("left out: python3: {error}");
            return None;
        }
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let files = std::fs::read_dir(into).unwrap().map(|file| {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        (name, std::fs::read(file.path()).unwrap())
    });
    Some(files.collect())
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_payment_is_given_with_the_messages_that_prove_it() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let content = confirmation("1", "P/1", "10").encode();
    let exchange = provider
        .mpay()
        .send("ConfirmOrderPayment", &content)
        .unwrap();
    assert_eq!(exchange.status, 200);
    // A repetition is answered anew, and changes nothing that is kept.
    let repeated = provider
        .mpay()
        .send("ConfirmOrderPayment", &content)
        .unwrap();
    assert_eq!(repeated.status, 200);

    let payment = provider.api("GET", "payments/P%2F1", None);
    assert_eq!(payment.status, 200);
    assert_eq!(payment.body, provider.ledger()[0]);

    let (status, media_type, xml) = provider.evidence("payments/P%2F1/evidence?format=xml");
    assert_eq!(
        (status, media_type.as_str()),
        (200, "text/xml; charset=utf-8")
    );
    assert_eq!(xml, exchange.request.as_bytes());

    let (status, media_type, archive) = provider.evidence("payments/P%2F1/evidence");
    assert_eq!((status, media_type.as_str()), (200, "application/zip"));
    assert_eq!(
        provider.evidence("payments/P%2F1/evidence?format=zip").2,
        archive
    );
    let Some(files) = unzip(&archive) else { return };
    assert_eq!(files.len(), 3);
    assert_eq!(files["request.xml"], exchange.request.as_bytes());
    assert_eq!(files["answer.xml"], exchange.body);
    let meta: Value = serde_json::from_slice(&files["meta.json"]).unwrap();
    assert_eq!(meta["verdict"], "accepted");
    assert_eq!(meta["payment_id"], "P/1");
    assert_eq!(meta["signer"], payment.body["signer"]);
    assert_eq!(meta["signer_certificate"], MPAY);
    assert_eq!(
        meta["request_sha256"],
        sha256(exchange.request.as_bytes()).as_str()
    );
    assert_eq!(meta["answer_sha256"], sha256(&exchange.body).as_str());
}

/// A message need not contain its signer's certificate, and MPay's changes: the certificate that was
/// believed is kept.
#[test]
fn evidence_has_the_signers_certificate_though_nothing_else_has_it_any_more() {
    let mut provider = Provider::start();
    provider.register("1", order("10"));
    let content = confirmation("1", "P", "10").encode();
    let message = provider.mpay().sign(&content).unwrap();
    let (start, end) = (
        message.find("<ds:KeyInfo>").unwrap(),
        message.find("</ds:KeyInfo>").unwrap(),
    );
    let message = format!(
        "{}{}",
        &message[..start],
        &message[end + "</ds:KeyInfo>".len()..]
    );
    let (start, end) = (
        message.find("<wsse:BinarySecurityToken").unwrap(),
        message.find("<ds:Signature").unwrap(),
    );
    let message = format!("{}{}", &message[..start], &message[end..]);
    assert_eq!(provider.post(message).status, 200);
    let certificate = |provider: &Provider| {
        let files = unzip(&provider.evidence("payments/P/evidence").2)?;
        let meta: Value = serde_json::from_slice(&files["meta.json"]).unwrap();
        Some(meta["signer_certificate"].clone())
    };
    let Some(kept) = certificate(&provider) else {
        return;
    };
    assert_eq!(kept, MPAY);
    provider.set_variable("mpay_certificates", STRANGER);
    provider.restart();
    assert_eq!(certificate(&provider).unwrap(), MPAY);

    // Earlier versions did not keep it: it is looked for in the configuration.
    let keys = provider.keys("certificate/");
    assert_eq!(keys.len(), 1);
    provider.load(&[(keys[0].clone(), Vec::new())]);
    assert_eq!(certificate(&provider).unwrap(), Value::Null);
    provider.set_variable("mpay_certificates", MPAY);
    provider.restart();
    assert_eq!(certificate(&provider).unwrap(), MPAY);
}

#[test]
fn a_refused_confirmation_is_given_with_the_fault_that_answered_it() {
    let mut provider = Provider::start();
    let content = confirmation("none", "P", "10").encode();
    let exchange = provider
        .mpay()
        .send("ConfirmOrderPayment", &content)
        .unwrap();
    assert_eq!(provider.fault(&exchange).code, "UnknownOrder");
    // A repetition is refused anew, and changes nothing that is kept.
    let repeated = provider.mpay().send("ConfirmOrderPayment", &content);
    assert_eq!(repeated.unwrap().status, 500);
    provider.set_variable("mpay_certificates", STRANGER);
    provider.restart();

    let refusals = provider.refusals();
    assert_eq!(refusals.len(), 1);
    let index = &refusals[0]["index"];
    let path = format!("refusals/{index}/evidence");
    let (status, media_type, xml) = provider.evidence(&format!("{path}?format=xml"));
    assert_eq!(
        (status, media_type.as_str()),
        (200, "text/xml; charset=utf-8")
    );
    assert_eq!(xml, exchange.request.as_bytes());
    let (status, media_type, archive) = provider.evidence(&path);
    assert_eq!((status, media_type.as_str()), (200, "application/zip"));
    for path in [
        "refusals/99/evidence",
        "refusals/x/evidence",
        &format!("{path}?format=pdf"),
    ] {
        let status = provider.evidence(path).0;
        assert_eq!(
            status,
            if path.contains("99") { 404 } else { 400 },
            "{path}"
        );
    }
    let Some(files) = unzip(&archive) else { return };
    assert_eq!(files.len(), 3);
    assert_eq!(files["request.xml"], exchange.request.as_bytes());
    assert_eq!(files["answer.xml"], exchange.body);
    let meta: Value = serde_json::from_slice(&files["meta.json"]).unwrap();
    assert_eq!(meta["verdict"], "refused");
    for member in [
        "index",
        "payment_id",
        "order_key",
        "code",
        "reason",
        "received_at",
        "signer",
    ] {
        assert_eq!(meta[member], refusals[0][member], "{member}");
    }
    assert_eq!(meta["signer_certificate"], MPAY);
    assert_eq!(
        meta["request_sha256"],
        sha256(exchange.request.as_bytes()).as_str()
    );
    assert_eq!(meta["answer_sha256"], sha256(&exchange.body).as_str());

    // A registration is no refusal.
    provider.register("1", order("10"));
    let registered = provider.api("GET", "events?limit=200", None).body;
    let registered = registered["events"].as_array().unwrap().last().unwrap()["index"].clone();
    assert_eq!(
        provider
            .evidence(&format!("refusals/{registered}/evidence"))
            .0,
        404
    );
}

#[test]
fn a_payment_that_is_not_recorded_has_no_evidence() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let refused = provider
        .mpay()
        .confirm(&confirmation("none", "P", "10"))
        .unwrap();
    assert_eq!(code(refused), "UnknownOrder");
    assert_eq!(provider.api("GET", "payments/P", None).status, 404);
    assert_eq!(provider.evidence("payments/P/evidence").0, 404);
    let long = "p".repeat(37);
    assert_eq!(
        provider
            .api("GET", &format!("payments/{long}"), None)
            .status,
        400
    );
    let wrong = provider.evidence("payments/P/evidence?format=pdf");
    assert_eq!(wrong.0, 400);
    assert_eq!(provider.api("DELETE", "payments/P", None).status, 405);
}
