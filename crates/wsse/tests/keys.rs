//! Certificates and private keys: what is read of them, and what is refused.

mod common;

use base64ct::{Base64, Encoding};
use common::{certificate, data, has_tool, path, run, signer, time, variant};
use std::time::Duration;
use wsse::{Algorithms, Certificate, Envelope, Policy, Signer, Trust, Writer};

#[test]
fn a_certificate_tells_its_fields() {
    let certificate = certificate("mpay");
    let name = "CN=mpay.example,2.5.4.5=1003600000001,O=Example Authority,C=MD";
    assert_eq!(
        certificate
            .subject()
            .replace("SERIALNUMBER=", "2.5.4.5=")
            .replace("serialNumber=", "2.5.4.5="),
        name
    );
    assert_eq!(certificate.issuer(), certificate.subject());
    assert!(certificate.is_self_issued());
    assert!(!common::certificate("chain/mpay").is_self_issued());
    assert_eq!(certificate.common_name().as_deref(), Some("mpay.example"));
    assert_eq!(certificate.key_bits(), 2048);
    assert_eq!(certificate.not_before(), time("2020-01-01T00:00:00Z"));
    assert_eq!(certificate.not_after(), time("2120-01-01T00:00:00Z"));
    assert_eq!(
        Certificate::from_der(certificate.der()).expect("itself"),
        certificate
    );
}

#[test]
fn openssl_tells_the_same() {
    if !has_tool("openssl") {
        return;
    }
    let certificate = certificate("mpay");
    let file = path("mpay.pem");
    let ask = |arguments: &[&str]| {
        let output = run(
            "openssl",
            &[&["x509", "-in", &file, "-noout"], arguments].concat(),
        );
        let text = String::from_utf8(output.stdout).expect("text");
        text.trim()
            .split_once('=')
            .expect("a field")
            .1
            .to_lowercase()
    };
    assert_eq!(
        certificate.fingerprint(),
        ask(&["-fingerprint", "-sha256"]).replace(':', "")
    );
    assert_eq!(certificate.serial_number(), ask(&["-serial"]));
    let subject = certificate.subject().to_lowercase();
    assert_eq!(subject, ask(&["-subject", "-nameopt", "RFC2253"]));
}

#[test]
fn a_bundle_is_read_as_people_have_it() {
    let (one, two) = (data("mpay.pem"), data("service.pem"));
    let key = data("service.key.pem");
    let bundle = |pem: &str| Certificate::bundle_from_pem(pem);
    let trusted = |pem: &str| {
        // OpenSSL's block of this name has settings of its own behind the certificate.
        let der = Certificate::from_pem(pem).expect("one").der().to_vec();
        let base64 = Base64::encode_string(&[&der, &[0x30, 0][..]].concat());
        format!("-----BEGIN TRUSTED CERTIFICATE-----\n{base64}\n-----END TRUSTED CERTIFICATE-----")
    };
    for (pem, found) in [
        (one.clone(), 1),
        (format!("\n {one}\r\n\n{two}  \n"), 2),
        (format!("subject=CN = x\n{one}issuer: y\n{two}"), 2),
        (format!("{one}{key}"), 1),
        (format!("{key}{one}{two}"), 2),
        (format!("{}{two}", trusted(&one)), 2),
    ] {
        assert_eq!(bundle(&pem).expect("certificates").len(), found, "{pem}");
    }
    for (pem, error) in [
        (String::new(), "NoCertificate"),
        ("mpay.pem".to_owned(), "NoCertificate"),
        ("word".to_owned(), "NoCertificate"),
        (key.clone(), "NoCertificate"),
        (format!("{one}-----BEGIN CERTIFICATE-----\n"), "NotPem"),
        (one.replacen("MII", "*II", 1), "NotPem"),
        (one.replacen("MII", "AII", 1), "Der"),
        (
            format!("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n{one}"),
            "Der",
        ),
    ] {
        let found = bundle(&pem).expect_err(error);
        assert_eq!(variant(&found), error);
    }
    let found = Certificate::from_pem(&format!("{one}{two}")).expect_err("two");
    assert_eq!(found.to_string(), "2 certificates where one was expected");
}

#[test]
fn certificates_of_the_field_are_read() {
    let one = Certificate::from_pem(&data("field/bag.pem")).expect("bag.pem");
    assert_eq!(one.common_name().as_deref(), Some("MPay Field"));
    for name in ["backslash-n.pem", "bare-base64.cer", "bom.pem", "both.pem"] {
        let found = Certificate::from_pem(&data(&format!("field/{name}"))).expect(name);
        assert_eq!(found, one, "{name}");
    }
    let both = data("field/both.pem");
    Signer::from_pem(&both, &both).expect("a key and its certificate in one file");
    let negative = Certificate::from_pem(&data("field/negative-serial.pem")).expect("negative");
    assert_eq!(negative.serial_number(), "91d4c214");
    let signer = Signer::from_pem(&both, &data("field/negative-serial.pem")).expect("its key");
    let now = time("2026-01-01T00:00:00Z");
    let mut body = Writer::new();
    body.start_in("Ping", "urn:example");
    let lifetime = Duration::from_secs(60);
    let message = signer
        .sign(&body.finish(), Algorithms::SHA1, now, lifetime)
        .expect("a message");
    let policy = Policy {
        trust: Trust::pinned(vec![negative]),
        ..common::policy(&[])
    };
    let envelope = Envelope::parse(message.as_bytes()).expect("an envelope");
    envelope
        .verify(&policy, now)
        .expect("pinned, and embedded in the message");
}

#[test]
fn of_a_chain_the_certificate_is_taken_that_fits_the_key() {
    let (key, own) = (data("service.key.pem"), data("service.pem"));
    let others = data("mpay.pem") + &data("chain/root.pem");
    let stranger = data("stranger.key.pem");
    for (key, certificates) in [
        (key.clone(), format!("{others}{own}")),
        (key.clone(), format!("{own}{others}")),
        (format!("{stranger}{key}{own}"), format!("{others}{own}")),
        (key.replace('\n', "\\n"), own.replace('\n', " ")),
        (without_ends(&key), without_ends(&own)),
        (without_ends(&data("service.pkcs1.pem")), own.clone()),
    ] {
        let signer = Signer::from_pem(&key, &certificates).expect("they fit");
        assert_eq!(*signer.certificate(), certificate("service"));
    }
    let found = Signer::from_pem(&stranger, &(others + &own)).expect_err("none fits");
    assert_eq!(variant(&found), "Mismatch");
}

fn without_ends(pem: &str) -> String {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn keys_that_are_short_or_not_rsa_are_refused() {
    let error = |name: &str| variant(&Certificate::from_pem(&data(name)).expect_err(name));
    assert_eq!(error("short.pem"), "KeyTooShort");
    assert_eq!(error("ec.pem"), "NotRsa");
    let trailing = [certificate("mpay").der(), &[0]].concat();
    assert_eq!(
        variant(&Certificate::from_der(&trailing).expect_err("a byte too many")),
        "Der"
    );
}

#[test]
fn a_signer_reads_pkcs8_and_pkcs1() {
    let certificate = data("service.pem");
    for key in ["service.key.pem", "service.pkcs1.pem"] {
        let signer = Signer::from_pem(&data(key), &certificate).expect(key);
        assert_eq!(
            signer.certificate().common_name().as_deref(),
            Some("service.example")
        );
    }
}

#[test]
fn a_signer_of_parts_that_do_not_fit_is_refused() {
    for (key, certificate, error) in [
        ("mpay.key.pem", "service.pem", "Mismatch"),
        ("ec.key.pem", "service.pem", "PrivateKey"),
        ("service.pem", "service.pem", "PrivateKey"),
        ("service.encrypted.pem", "service.pem", "PrivateKey"),
        ("service.key.pem", "service.key.pem", "Certificate"),
        ("short.key.pem", "short.pem", "Certificate"),
    ] {
        let found = Signer::from_pem(&data(key), &data(certificate)).expect_err(error);
        assert_eq!(variant(&found), error, "{key}, {certificate}");
    }
}

#[test]
fn neither_errors_nor_debug_show_the_key() {
    let key = data("service.key.pem");
    let shown = format!("{:?}", signer("service"));
    assert!(shown.contains("service.example"));
    let broken = key.replacen("MII", "MIJ", 1);
    let error = Signer::from_pem(&broken, &data("service.pem")).expect_err("a broken key");
    for text in [shown, error.to_string(), format!("{error:?}")] {
        assert!(key.lines().all(|line| !text.contains(line)), "{text}");
        assert!(text.len() < 300, "{text}");
    }
}

#[test]
fn a_lifetime_that_cannot_be_written_is_refused() {
    let sign = |created: &str, lifetime: std::time::Duration| {
        let body = wsse::Writer::new().finish();
        signer("service").sign(&body, wsse::Algorithms::SHA256, time(created), lifetime)
    };
    use std::time::Duration;
    for (created, lifetime) in [
        ("2026-06-01T10:00:00Z", Duration::ZERO),
        ("2026-06-01T10:00:00Z", Duration::from_nanos(1)),
        ("2026-06-01T10:00:00Z", Duration::MAX),
        ("-000001-06-01T10:00:00Z", Duration::from_secs(60)),
    ] {
        let error = sign(created, lifetime).expect_err(created);
        assert_eq!(variant(&error), "Time");
    }
    assert!(sign("2026-06-01T10:00:00Z", Duration::from_millis(1)).is_ok());
}
