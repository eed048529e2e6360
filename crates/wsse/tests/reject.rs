//! Messages that must be refused. Each is the good message of `data/template.xml` with one thing
//! wrong: changed before it is signed with the key of `mpay`, or after. They are also kept as files
//! in `tests/corpus`, which the test `corpus` reads; `write_the_corpus` here writes them.

mod cases;
mod common;
mod generate;

use cases::*;
use common::{certificate, decimal, fill, key, message, now, policy, template, time, variant};
use rsa::traits::PublicKeyParts;
use wsse::{Envelope, Policy, exclusive_c14n};

/// The words in capitals that stand for longer texts in replacements.
fn expand(text: &str) -> String {
    let token = |name| base64(certificate(name).der());
    match text {
        "TRUSTED" => token("mpay"),
        "STRANGER" => token("stranger"),
        "RENEWED" => token("renewed"),
        "SERVICE" => token("service"),
        "LARGE" => base64(&[0x30; (16 << 10) + 1]),
        "TRAILING" => base64(&[certificate("mpay").der(), &[0]].concat()),
        TWICE => format!("{TIME_REFERENCE}{BODY_REFERENCE}"),
        _ => text
            .replace("BODY", BODY)
            .replace("TRUSTED_TOKEN", &token("mpay"))
            .replace("SERVICE_TOKEN", &token("service"))
            .replace("STRANGER_TOKEN", &token("stranger"))
            .replace("SKIS", &"<X509SKI>AAAA</X509SKI>".repeat(17))
            .replace("SERIAL", &decimal(&certificate("mpay").serial_number()))
            .replace("MPAY_MODULUS", &base64(&key("mpay").n_bytes()))
            .replace("STRANGER_MODULUS", &base64(&key("stranger").n_bytes()))
            .replace("KEY<", &format!("{KEY}<")),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding;
    base64ct::Base64::encode_string(bytes)
}

fn replace(mut message: String, replacements: &[(&str, &str)], case: &str) -> String {
    for (from, to) in replacements {
        let from = expand(from);
        assert!(message.contains(&from), "{case}: {from} is not there");
        message = message.replace(&from, &expand(to));
    }
    message
}

/// The variant of the error that a message is refused with.
fn refusal(message: &str, policy: &Policy, now: jiff::Timestamp) -> Option<String> {
    match Envelope::parse(message.as_bytes()) {
        Err(error) => Some(variant(&error)),
        Ok(envelope) => envelope.verify(policy, now).err().map(|e| variant(&e)),
    }
}

#[test]
fn every_message_of_the_table_is_refused_for_its_reason() {
    let policy = policy(&["mpay", "service"]);
    let mut wrong = Vec::new();
    for case in CASES {
        let message = replace(template(), case.signed, case.name);
        let message = replace(fill(&message, "mpay"), case.then, case.name);
        let refusal = refusal(&message, &policy, now());
        if refusal.as_deref() != Some(case.error) {
            wrong.push(format!("{}: {refusal:?}, not {}", case.name, case.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(CASES.len() >= 100);
}

#[test]
#[ignore = "writes tests/corpus anew"]
fn write_the_corpus() {
    let of_table = |case: &Case| {
        let message = replace(template(), case.signed, case.name);
        let message = replace(fill(&message, "mpay"), case.then, case.name);
        (case.name, case.error, message)
    };
    generate::write(CASES.iter().map(of_table).collect());
}

#[test]
fn a_message_signed_with_another_key_is_refused() {
    for key in ["stranger", "service"] {
        let message = fill(&template(), key);
        let error = refusal(&message, &policy(&["mpay"]), now());
        assert_eq!(error.as_deref(), Some("SignatureMismatch"), "{key}");
    }
}

#[test]
fn a_message_without_key_info_is_checked_against_every_trusted_key_alone() {
    let message = template().replace(&format!("<KeyInfo>{KEY}</KeyInfo>"), "");
    let refusal = |message: &str, pinned: &[&str]| refusal(message, &policy(pinned), now());
    let message_of = |key: &str| fill(&message, key);
    assert_eq!(refusal(&message_of("mpay"), &["service", "mpay"]), None);
    let mismatch = Some("SignatureMismatch".to_owned());
    assert_eq!(
        refusal(&message_of("stranger"), &["service", "mpay"]),
        mismatch
    );
    assert_eq!(refusal(&message_of("stranger"), &["mpay"]), mismatch);
    // Keys may differ in length: only where one is in question a length can be wrong.
    let longer = message_of("mpay").replace("<SignatureValue>", "<SignatureValue>AAAA");
    assert_eq!(refusal(&longer, &["service", "mpay"]), mismatch);
    let length = Some("SignatureLength".to_owned());
    assert_eq!(refusal(&longer, &["mpay"]), length);
    let unknown = Some("UnknownSigner".to_owned());
    assert_eq!(refusal(&message_of("mpay"), &[]), unknown);
    let expired = Some("SignerExpired".to_owned());
    assert_eq!(refusal(&message_of("mpay"), &["expired"]), expired);
}

#[test]
fn a_policy_without_certificates_trusts_nobody() {
    let error = refusal(&message(), &policy(&[]), now());
    assert_eq!(error.as_deref(), Some("UntrustedSigner"));
    let error = refusal(&message(), &policy(&["stranger", "renewed"]), now());
    assert_eq!(error.as_deref(), Some("UntrustedSigner"));
}

#[test]
fn sha1_is_refused_by_policy_wherever_it_is() {
    let mut policy = policy(&["mpay"]);
    policy.accept_sha1 = false;
    let refusal = |message: &str| refusal(message, &policy, now());
    let sha256 = |text: &str| {
        text.replace(
            "2000/09/xmldsig#rsa-sha1",
            "2001/04/xmldsig-more#rsa-sha256",
        )
        .replace("2000/09/xmldsig#sha1", "2001/04/xmlenc#sha256")
    };
    let sha1 = Some("Sha1Refused".to_owned());
    let template = template();
    assert_eq!(refusal(&message()), sha1);
    assert_eq!(refusal(&fill(&sha256(&template), "mpay")), None);
    let signature = sha256(&template).replace(
        "2001/04/xmldsig-more#rsa-sha256",
        "2000/09/xmldsig#rsa-sha1",
    );
    assert_eq!(refusal(&fill(&signature, "mpay")), sha1);
    let one_digest = sha256(&template).replacen("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1", 1);
    assert_eq!(refusal(&fill(&one_digest, "mpay")), sha1);
    let further = template.replace("</SignedInfo>", TRACE_REFERENCE_END);
    let further = sha256(&further);
    let (before, after) = further
        .rsplit_once("2001/04/xmlenc#sha256")
        .expect("a digest method");
    let further = format!("{before}2000/09/xmldsig#sha1{after}");
    assert_eq!(refusal(&fill(&further, "mpay")), sha1);
}

#[test]
fn the_time_window_ends_when_it_ends() {
    let policy = policy(&["mpay"]);
    let at = |now: &str| refusal(&message(), &policy, time(now));
    assert_eq!(
        at("2026-06-01T09:57:59.999Z").as_deref(),
        Some("CreatedInFuture")
    );
    assert_eq!(at("2026-06-01T10:07:00.001Z").as_deref(), Some("Expired"));
}

#[test]
fn a_signer_whose_certificate_is_not_valid_is_refused() {
    for (name, error) in [
        ("expired", "SignerExpired"),
        ("future", "SignerNotYetValid"),
    ] {
        let token = base64(certificate(name).der());
        let message = template().replace(&base64(certificate("mpay").der()), &token);
        let error_found = refusal(&fill(&message, "mpay"), &policy(&[name]), now());
        assert_eq!(error_found.as_deref(), Some(error));
    }
}

#[test]
fn too_many_references_and_prefixes_are_refused() {
    let blocks: String = (0..31).map(|n| format!("<b u:Id='b{n}'/>")).collect();
    let references: String = (0..31)
        .map(|n| BODY_REFERENCE.replace("#Body", &format!("#b{n}")))
        .collect();
    let with = |references: &str| {
        let message = template()
            .replace("</s:Header>", &format!("{blocks}</s:Header>"))
            .replace("</SignedInfo>", &format!("{references}</SignedInfo>"));
        refusal(&fill(&message, "mpay"), &policy(&["mpay"]), now())
    };
    assert_eq!(with(&references).as_deref(), Some("TooManyReferences"));
    let thirty = references.replacen(&BODY_REFERENCE.replace("#Body", "#b0"), "", 1);
    assert_eq!(with(&thirty), None);

    let list = |n: usize| {
        let list: Vec<String> = (0..n).map(|n| format!("p{n}")).collect();
        let parameter = format!(
            "<InclusiveNamespaces xmlns='{}' PrefixList='{}'/></Transform>",
            common::EXC,
            list.join(" ")
        );
        let message = template().replace("</Transform>", &parameter);
        refusal(&fill(&message, "mpay"), &policy(&["mpay"]), now())
    };
    assert_eq!(list(65).as_deref(), Some("TooManyPrefixes"));
    assert_eq!(list(64), None);
}

#[test]
fn a_canonical_form_out_of_all_proportion_is_refused() {
    let uses = "<p:a/>".repeat(10_000);
    let body = format!("<Pay xmlns:p='{}'>{uses}</Pay><Pay ", "u".repeat(1000));
    let message = fill(&template().replace("<Pay ", &body), "mpay");
    let error = refusal(&message, &policy(&["mpay"]), now());
    assert_eq!(error.as_deref(), Some("CanonicalFormTooLong"));
}

#[test]
fn a_flipped_bit_is_refused_or_changes_nothing_that_is_read() {
    let good = message();
    let policy = policy(&["mpay"]);
    let read = |message: &[u8]| {
        let verified = Envelope::parse(message).ok()?.verify(&policy, now()).ok()?;
        let body = exclusive_c14n(verified.body(), false, &[]);
        Some((body, verified.created(), verified.expires()))
    };
    let expected = read(good.as_bytes());
    assert!(expected.is_some());
    let mut survived = 0;
    for index in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[index] ^= 1 << (index % 7);
        let found = read(&bytes);
        survived += usize::from(found.is_some());
        assert!(found.is_none() || found == expected, "byte {index}");
    }
    // Names of elements and attributes outside the signed parts, above all.
    assert!(survived < good.len() / 10, "{survived} of {}", good.len());
}
