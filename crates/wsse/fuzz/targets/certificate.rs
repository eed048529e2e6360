//! No bytes in the place of a certificate, or of an issuer's name, make anything panic, and none
//! become a trusted signer.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use libfuzzer_sys::fuzz_target;
use wsse::{Certificate, Envelope, Policy, Trust, Verified};

const MESSAGE: &str = include_str!("../../tests/corpus/accept/x509-data.xml");

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let read = |pem: &str| Certificate::bundle_from_pem(pem).expect("certificates");
    let root = read(include_str!("../../tests/data/chain/root.pem"));
    let issuing = read(include_str!("../../tests/data/chain/issuing.pem"));
    Policy {
        trust: Trust::pinned(vec![])
            .with_authorities(root, issuing, &["1003600000001"])
            .expect("authorities"),
        accept_sha1: true,
        clock_skew: Duration::from_secs(120),
        max_age: Duration::from_secs(1800),
    }
});

fn verify(x509_data: &str) -> Option<Verified> {
    let (before, rest) = MESSAGE.split_once("<X509Data>").expect("X509Data");
    let (_, after) = rest.split_once("</X509Data>").expect("X509Data");
    let message = format!("{before}<X509Data>{x509_data}</X509Data>{after}");
    let now = "2026-06-01T10:00:30Z".parse().expect("a time");
    Envelope::parse(message.as_bytes())
        .ok()?
        .verify(&POLICY, now)
        .ok()
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        let _ = format!("{certificate:?} {}", certificate.issuer());
        let _ = (certificate.not_before(), certificate.not_after());
        let _ = (certificate.common_name(), certificate.serial_number());
        assert!(certificate.key_bits() >= 2048);
        let own = Trust::pinned(vec![]).with_authorities(
            vec![certificate.clone()],
            vec![certificate],
            &["1003600000001"],
        );
        drop(own);
    }
    let base64 = Base64::encode_string(bytes);
    if let Some(verified) = verify(&format!("<X509Certificate>{base64}</X509Certificate>")) {
        assert!(verified.signer().subject().contains("1003600000001"));
    }
    if let Ok(name) = std::str::from_utf8(bytes) {
        let name = name
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let issuer = format!("<X509IssuerName>{name}</X509IssuerName>");
        let serial = "<X509SerialNumber>1</X509SerialNumber>";
        let named = verify(&format!(
            "<X509IssuerSerial>{issuer}{serial}</X509IssuerSerial>"
        ));
        assert!(named.is_none());
    }
});
