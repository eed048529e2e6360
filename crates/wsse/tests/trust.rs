//! The signers that count: authorities, names and dates.

mod common;

use std::time::Duration;

use base64ct::{Base64, Encoding};
use common::{certificate, fill, has_tool, path, policy, run, template, time, variant};
use wsse::{Certificate, ChainError, Envelope, Policy, SecurityError, Trust, TrustError, Verified};

const SERIAL_NUMBER: &str = "1003600000001";
const SUBJECT: &str =
    r#"CN=mpay.example, SERIALNUMBER=1003600000001, O="MPay, ""the"" Payment\\Service", C=MD"#;

fn certificates(names: &[&str]) -> Vec<Certificate> {
    let names = names.iter();
    names
        .map(|name| certificate(&format!("chain/{name}")))
        .collect()
}

fn trust(
    authorities: &[&str],
    intermediates: &[&str],
    names: &[&str],
) -> Result<Trust, TrustError> {
    let (authorities, intermediates) = (certificates(authorities), certificates(intermediates));
    Trust::pinned(vec![]).with_authorities(authorities, intermediates, names)
}

/// The message of a signer with a certificate, in a token, signed with a key.
fn message(certificate_name: &str, key: &str) -> String {
    let token = |name: &str| Base64::encode_string(certificate(name).der());
    fill(
        &template().replace(&token("mpay"), &token(certificate_name)),
        key,
    )
}

fn verify(message: &str, trust: Trust, now: &str) -> Result<Verified, SecurityError> {
    let policy = Policy {
        trust,
        ..policy(&[])
    };
    let envelope = Envelope::parse(message.as_bytes()).expect("an envelope");
    envelope.verify(&policy, time(now))
}

/// The reason for which a signer is refused, by the name of the variant; `None` if the signer is
/// accepted.
fn refusal(signer: &str, authorities: &[&str], intermediates: &[&str]) -> Option<String> {
    let key = if signer == "neighbour" {
        "stranger"
    } else {
        "mpay"
    };
    let trust = trust(authorities, intermediates, &[SERIAL_NUMBER]).expect("authorities");
    let message = message(&format!("chain/{signer}"), key);
    match verify(&message, trust, common::NOW) {
        Ok(verified) => {
            assert_eq!(verified.signer(), &certificate(&format!("chain/{signer}")));
            None
        }
        Err(SecurityError::UntrustedChain { reason, .. }) => Some(variant(&reason)),
        Err(error) => Some(variant(&error)),
    }
}

#[test]
fn a_signer_that_an_authority_certified_is_accepted() {
    for (signer, authorities, intermediates) in [
        ("direct", &["root"][..], &[][..]),
        ("mpay", &["root"], &["issuing"]),
        ("mpay", &["issuing"], &[]),
        ("mpay", &["rogue", "root"], &["issuing"]),
        ("mpay", &["root"], &["issuing-expired", "issuing"]),
        ("bare", &["root"], &[]),
        ("sha384", &["root"], &[]),
        ("sha512", &["root"], &[]),
    ] {
        let refusal = refusal(signer, authorities, intermediates);
        assert_eq!(refusal, None, "{signer} {authorities:?} {intermediates:?}");
    }
}

#[test]
fn a_signer_without_a_sound_chain_is_refused() {
    for (signer, authorities, intermediates, error) in [
        ("neighbour", &["root"][..], &["issuing"][..], "NotNamed"),
        ("mpay", &["root"], &[], "UnknownAuthority"),
        ("mpay", &["root"], &["below"], "UnknownAuthority"),
        ("by-rogue", &["root"], &[], "SignatureMismatch"),
        ("direct", &["rogue"], &[], "SignatureMismatch"),
        ("by-ec", &["root"], &[], "SignatureAlgorithm"),
        ("pss", &["root"], &[], "SignatureAlgorithm"),
        ("sha1", &["root"], &[], "SignatureAlgorithm"),
        ("expired", &["root"], &["issuing"], "Expired"),
        ("future", &["root"], &["issuing"], "NotYetValid"),
        ("mpay", &["root"], &["issuing-expired"], "Expired"),
        ("mpay", &["issuing-expired"], &[], "Expired"),
        ("deep", &["root"], &["issuing", "below"], "PathTooLong"),
        ("direct", &["issuing"], &["root"], "PathTooLong"),
        ("encipher", &["root"], &[], "KeyUsage"),
        ("unknown", &["root"], &[], "Extension"),
        ("web-server", &["root"], &[], "Extension"),
    ] {
        let refusal = refusal(signer, authorities, intermediates);
        assert_eq!(
            refusal.as_deref(),
            Some(error),
            "{signer} {authorities:?} {intermediates:?}"
        );
    }
}

/// The chain is sound all the same, by the judgement of another program.
#[test]
fn openssl_agrees_on_chains() {
    if !has_tool("openssl") {
        return;
    }
    for (signer, intermediate, is_sound) in [
        ("mpay", "issuing", true),
        ("neighbour", "issuing", true),
        ("direct", "issuing", true),
        ("mpay", "issuing-no-ca", false),
        ("mpay", "issuing-no-sign", false),
        ("mpay", "below", false),
        ("by-rogue", "issuing", false),
        ("unknown", "issuing", false),
    ] {
        let file = |name: &str| path(&format!("chain/{name}.pem"));
        let (root, issuing, signer_file) = (file("root"), file(intermediate), file(signer));
        let arguments = [
            "verify",
            "-CAfile",
            &root,
            "-untrusted",
            &issuing,
            &signer_file,
        ];
        let output = run("openssl", &arguments);
        assert_eq!(
            output.status.success(),
            is_sound,
            "{signer}, {intermediate}"
        );
    }
}

#[test]
fn a_signer_may_be_named_by_serial_number_or_subject() {
    let message = message("chain/direct", "mpay");
    let verify = |names: &[&str]| {
        verify(&message, trust(&["root"], &[], names)?, common::NOW).map_or_else(
            |error| Ok(Some(variant(&error))),
            |_| Ok::<_, TrustError>(None),
        )
    };
    for name in [SERIAL_NUMBER, " 1003600000001 ", SUBJECT] {
        assert_eq!(verify(&["1003600000002", name]), Ok(None), "{name}");
    }
    for name in [
        "mpay.example",
        "100360000000",
        "CN=mpay.example",
        "CN=mpay.example, O=Example School, SERIALNUMBER=1003600000001, C=MD",
    ] {
        let error = Some("UntrustedChain".to_owned());
        assert_eq!(verify(&[name]), Ok(error), "{name}");
    }
}

#[test]
fn an_authority_vouches_for_no_other_key() {
    let message = message("chain/direct", "stranger");
    let trust = trust(&["root"], &[], &[SERIAL_NUMBER]).expect("authorities");
    let error = verify(&message, trust, common::NOW).expect_err("a forgery");
    assert_eq!(error, SecurityError::SignatureMismatch);
}

#[test]
fn a_self_signed_certificate_is_refused_however_it_is_called() {
    let trust = trust(&["root"], &["issuing"], &[SERIAL_NUMBER]).expect("authorities");
    let error = verify(&message("mpay", "mpay"), trust, common::NOW).expect_err("self-signed");
    let SecurityError::UntrustedChain {
        reason: ChainError::UnknownAuthority { .. },
        ..
    } = error
    else {
        panic!("{error:?}");
    };
}

#[test]
fn what_is_no_usable_certificate_is_refused() {
    let trust = || trust(&["root"], &[], &[SERIAL_NUMBER]).expect("authorities");
    let token = Base64::encode_string(certificate("mpay").der());
    let pem = |name: &str| {
        let pem = common::data(name);
        pem.lines()
            .filter(|line| !line.starts_with('-'))
            .collect::<String>()
    };
    for token_sent in [
        String::new(),
        "AAAA".to_owned(),
        pem("short.pem"),
        pem("ec.pem"),
    ] {
        let message = fill(&template().replace(&token, &token_sent), "mpay");
        let error = verify(&message, trust(), common::NOW).expect_err("no certificate");
        assert_eq!(variant(&error), "UnusableCertificate");
    }
}

#[test]
fn a_name_without_a_certificate_leads_to_no_authority() {
    let trust = trust(&["root"], &[], &[SERIAL_NUMBER]).expect("authorities");
    let message = template();
    let (before, after) = message.split_once("<KeyInfo>").expect("KeyInfo");
    let (_, after) = after.split_once("</KeyInfo>").expect("KeyInfo");
    let message = fill(&format!("{before}{after}"), "mpay");
    let error = verify(&message, trust, common::NOW).expect_err("no certificate");
    assert_eq!(variant(&error), "UnknownSigner");
}

#[test]
fn a_chain_in_the_message_adds_no_trust() {
    let one = |name: &str| {
        let certificate = Base64::encode_string(certificate(name).der());
        format!("<X509Certificate>{certificate}</X509Certificate>")
    };
    let template = template();
    let (before, after) = template.split_once("<KeyInfo>").expect("KeyInfo");
    let (_, after) = after.split_once("</KeyInfo>").expect("KeyInfo");
    let chain = format!("{}{}", one("chain/issuing"), one("chain/mpay"));
    let key_info = format!("<KeyInfo><X509Data>{chain}</X509Data></KeyInfo>");
    let message = fill(&format!("{before}{key_info}{after}"), "mpay");
    let verify = |intermediates: &[&str]| {
        let trust = trust(&["root"], intermediates, &[SERIAL_NUMBER]).expect("authorities");
        verify(&message, trust, common::NOW)
    };
    assert_eq!(
        verify(&["issuing"]).expect("a chain").signer(),
        &certificate("chain/mpay")
    );
    let error = verify(&[]).expect_err("an intermediate of the message");
    assert_eq!(variant(&error), "UntrustedChain");
}

#[test]
fn pinned_certificates_are_trusted_beside_authorities() {
    let authorities = certificates(&["root"]);
    let trust = || {
        Trust::pinned(vec![certificate("service")])
            .with_authorities(authorities.clone(), vec![], &[SERIAL_NUMBER])
            .expect("authorities")
    };
    let verify = |certificate: &str, key| verify(&message(certificate, key), trust(), common::NOW);
    assert!(verify("service", "service").is_ok());
    assert!(verify("chain/direct", "mpay").is_ok());
    assert!(verify("stranger", "stranger").is_err());
}

#[test]
fn authorities_that_are_none_are_an_error() {
    let error = |authorities: &[&str], intermediates: &[&str], names: &[&str]| {
        trust(authorities, intermediates, names)
            .map(drop)
            .expect_err("an error")
    };
    assert_eq!(
        error(&[], &["root"], &[SERIAL_NUMBER]),
        TrustError::NoAuthorities
    );
    assert_eq!(error(&["root"], &[], &[]), TrustError::NoNames);
    for name in ["", " ", "=", "CN=\"", "XX=1"] {
        let bad = TrustError::BadName {
            name: name.to_owned(),
        };
        assert_eq!(error(&["root"], &[], &[SERIAL_NUMBER, name]), bad);
    }
    for (certificate, reason) in [
        ("mpay", "NotAnAuthority"),
        ("bare", "NotAnAuthority"),
        ("issuing-no-ca", "NotAnAuthority"),
        ("issuing-no-constraints", "NotAnAuthority"),
        ("issuing-no-sign", "KeyUsage"),
        ("issuing-constrained", "Extension"),
    ] {
        for (authorities, intermediates) in
            [(&[certificate][..], &[][..]), (&["root"], &[certificate])]
        {
            match error(authorities, intermediates, &[SERIAL_NUMBER]) {
                TrustError::NotAnAuthority(error) => assert_eq!(variant(&error), reason),
                error => panic!("{certificate}: {error:?}"),
            }
        }
    }
}

#[test]
fn expired_pinned_certificates_may_have_a_grace_period_and_chains_none() {
    let pinned = || Trust::pinned(vec![certificate("expired")]);
    let verify = |trust: Trust, now: &str| {
        let message = message("expired", "mpay").replace("2026-06-01T10", &now[..13]);
        verify(&refill(&message), trust, now)
            .map_err(|error| variant(&error))
            .map(drop)
    };
    let week = Duration::from_secs(7 * 24 * 3600);
    let expired = Err("SignerExpired".to_owned());
    assert_eq!(verify(pinned(), "2021-01-01T00:00:00Z"), Ok(()));
    assert_eq!(verify(pinned(), "2021-01-01T00:00:01Z"), expired);
    assert_eq!(
        verify(pinned().with_grace(week), "2021-01-08T00:00:00Z"),
        Ok(())
    );
    assert_eq!(
        verify(pinned().with_grace(week), "2021-01-08T00:00:01Z"),
        expired
    );
    assert_eq!(
        verify(pinned().with_grace(Duration::MAX), "2026-06-01T10:00:00Z"),
        Ok(())
    );

    let trust = trust(&["root"], &["issuing"], &[SERIAL_NUMBER]).expect("authorities");
    let message = message("chain/expired", "mpay");
    let error = self::verify(&message, trust.with_grace(Duration::MAX), common::NOW);
    assert_eq!(
        variant(&error.expect_err("an expired chain")),
        "UntrustedChain"
    );
}

/// Signs a message again.
fn refill(message: &str) -> String {
    let mut message = message.to_owned();
    for element in ["DigestValue", "SignatureValue"] {
        let (start, end) = (format!("<{element}>"), format!("</{element}>"));
        let pieces: Vec<String> = message
            .split(&start)
            .map(|piece| match piece.split_once(&end) {
                Some((_, after)) => format!("{end}{after}"),
                None => piece.to_owned(),
            })
            .collect();
        message = pieces.join(&start);
    }
    fill(&message, "mpay")
}

#[test]
fn all_certificates_of_the_configuration_are_told() {
    let trust = Trust::pinned(certificates(&["mpay"]))
        .with_authorities(certificates(&["root"]), certificates(&["issuing"]), &["1"])
        .expect("authorities");
    let told: Vec<Certificate> = trust.certificates().cloned().collect();
    assert_eq!(told, certificates(&["mpay", "root", "issuing"]));
}
