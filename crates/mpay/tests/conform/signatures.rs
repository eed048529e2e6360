//! What only a signature can tell.

use super::*;

#[test]
fn a_provider_that_takes_an_hmac_under_the_public_key_fails() {
    use rsa::pkcs8::EncodePublicKey;
    let key = mpay().public_key().to_public_key_der().unwrap();
    fails(
        believes(move |message| digests_hold(message) && is_hmac(message, key.as_bytes())),
        &["refusal.hmac"],
    );
}

#[test]
fn a_provider_that_takes_an_hmac_under_the_certificate_fails() {
    fails(
        believes(|message| digests_hold(message) && is_hmac(message, mpay().certificate().der())),
        &["refusal.hmac-certificate"],
    );
}

#[test]
fn a_provider_that_takes_an_hmac_of_no_length_fails() {
    fails(
        believes(|message| digests_hold(message) && message.contains("<ds:HMACOutputLength>0<")),
        &["refusal.hmac-empty"],
    );
}

#[test]
fn a_provider_that_takes_an_empty_signature_value_fails() {
    fails(
        believes(|message| {
            digests_hold(message)
                && message.contains("<ds:SignatureValue></")
                && !message.contains("hmac")
        }),
        &["refusal.empty-value"],
    );
}

#[test]
fn a_provider_that_takes_any_two_signatures_fails() {
    fails(
        believes(|message| {
            message.matches("<ds:Signature ").count() == 2 && digests_hold(message) && {
                let strange = piece(message, "<ds:Signature ", "</ds:Signature>").unwrap();
                inspect(message.replace(strange, "").as_bytes(), mpay().public_key())
                    .is_some_and(|found| found.signature_holds && found.digests_hold)
            }
        }),
        &["refusal.two-signatures"],
    );
}

#[test]
fn a_provider_that_takes_the_time_from_any_timestamp_fails() {
    let years = Duration::from_secs(1_000_000_000);
    let patient = policy(years, years);
    fails(
        believes(move |message| {
            message
                .match_indices("<wsu:Timestamp xmlns:wsu=")
                .filter_map(|(at, _)| piece(&message[at..], "<wsu:", "</wsu:Timestamp>").ok())
                .any(|fresh| is_mpays(&message.replace(fresh, ""), &patient))
                && message.matches("</wsu:Timestamp>").count() == 2
        }),
        &["refusal.two-timestamps"],
    );
}

#[test]
fn a_provider_that_looks_for_ids_by_another_name_fails() {
    fails(
        believes(|message| {
            let other = message.contains("<soap:Body Id=\"Body\"");
            other
                && message.contains("<x:Wrapper")
                && inspect(message.as_bytes(), mpay().public_key())
                    .is_some_and(|found| found.signature_holds && found.digests_hold)
        }),
        &["refusal.other-ids"],
    );
}

#[test]
fn a_provider_that_reads_confirmations_where_they_are_not_signed_fails() {
    fails(
        believes(|message| {
            message.contains("<x:Wrapper")
                && message.contains("<ConfirmOrderPayment ")
                && inspect(message.as_bytes(), mpay().public_key())
                    .is_some_and(|found| found.signature_holds && found.digests_hold)
        }),
        &["refusal.confirmation-wrapped"],
    );
}

/// Everything that only a signature can tell.
const FORGERIES: [&str; 43] = [
    "refusal.unsigned",
    "refusal.no-signature",
    "refusal.empty-signature",
    "refusal.no-references",
    "refusal.body-not-signed",
    "refusal.timestamp-not-signed",
    "refusal.no-timestamp",
    "refusal.operation-signed",
    "refusal.tampered-body",
    "refusal.tampered-timestamp",
    "refusal.tampered-signature",
    "refusal.tampered-digest",
    "refusal.stranger",
    "refusal.namesake",
    "refusal.borrowed-certificate",
    "refusal.key-value",
    "refusal.two-certificates",
    "refusal.hmac",
    "refusal.hmac-certificate",
    "refusal.hmac-empty",
    "refusal.empty-value",
    "refusal.two-signatures",
    "refusal.two-timestamps",
    "refusal.other-ids",
    "refusal.expired",
    "refusal.too-old",
    "refusal.future",
    "refusal.replay",
    "refusal.wrapped-timestamp",
    "refusal.wrapped-in-header",
    "refusal.wrapped-as-header",
    "refusal.wrapped-in-security",
    "refusal.wrapped-in-object",
    "refusal.wrapped-in-key-info",
    "refusal.wrapped-in-envelope",
    "refusal.body-before",
    "refusal.body-after",
    "refusal.duplicate-ids",
    "refusal.two-security-headers",
    "refusal.enveloped-transform",
    "refusal.xpath-transform",
    "refusal.xslt-transform",
    "refusal.remote-reference",
];

#[test]
fn a_provider_that_checks_no_signature_fails() {
    let mut expected = FORGERIES.to_vec();
    expected.extend([
        "refusal.wrapped-in-body",
        "refusal.confirmation-unsigned",
        "refusal.confirmation-tampered",
        "refusal.confirmation-of-a-stranger",
        "refusal.confirmation-wrapped",
        "refusal.repeat-unsigned",
        "fault.authentication-failed",
    ]);
    fails(
        |mut call, forward| {
            if !is_right(&call.body)
                && let Some(message) = believed(&call.body)
            {
                call.body = message;
            }
            forward(call)
        },
        &expected,
    );
}

#[test]
fn a_provider_that_reads_what_is_not_signed_fails() {
    let patient = policy(Duration::from_secs(120), Duration::from_secs(1800));
    fails(
        move |mut call, forward| {
            // Digests and signature hold, wherever the signed parts may be.
            let holds = inspect(call.body.as_bytes(), mpay().public_key()).is_some_and(|found| {
                found.signature_holds && found.digests_hold && found.digest_methods.len() >= 2
            });
            let fresh = piece(&call.body, "<wsu:Expires>", "</wsu:Expires>").is_ok_and(|expires| {
                let expires = &expires["<wsu:Expires>".len()..];
                let expires: Timestamp = expires.split('<').next().unwrap().parse().unwrap();
                expires > Timestamp::now()
            });
            let near = piece(&call.body, "<wsu:Created>", "</wsu:Created>").is_ok_and(|created| {
                let created = &created["<wsu:Created>".len()..];
                let created: Timestamp = created.split('<').next().unwrap().parse().unwrap();
                Timestamp::now().duration_since(created).abs().as_secs() < 1800
            });
            let plain = !call
                .body
                .contains("<ds:Transform Algorithm=\"http://www.w3.org/TR")
                && !call.body.contains("enveloped-signature");
            if !is_mpays(&call.body, &patient)
                && holds
                && fresh
                && near
                && plain
                && let Some(message) = believed(&call.body)
            {
                call.body = message;
            }
            forward(call)
        },
        &[
            "refusal.operation-signed",
            "refusal.two-timestamps",
            "refusal.wrapped-timestamp",
            "refusal.wrapped-in-header",
            "refusal.wrapped-as-header",
            "refusal.wrapped-in-security",
            "refusal.wrapped-in-object",
            "refusal.wrapped-in-key-info",
            "refusal.wrapped-in-body",
            "refusal.wrapped-in-envelope",
            "refusal.body-before",
            "refusal.body-after",
            "refusal.duplicate-ids",
            "refusal.other-ids",
            "refusal.confirmation-wrapped",
            "refusal.two-security-headers",
        ],
    );
}

#[test]
fn a_provider_that_believes_stale_messages_fails() {
    let years = Duration::from_secs(1_000_000_000);
    let patient = policy(years, years);
    fails(
        move |mut call, forward| {
            if !is_right(&call.body)
                && is_mpays(&call.body, &patient)
                && let Some(message) = believed(&call.body)
            {
                call.body = message;
            }
            forward(call)
        },
        &[
            "refusal.expired",
            "refusal.too-old",
            "refusal.future",
            "refusal.replay",
            "fault.authentication-failed",
        ],
    );
}
