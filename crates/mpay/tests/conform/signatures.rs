//! Wrong providers that only a signature can tell from right ones.

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

/// A message with a part of it replaced, for a reader that overlooks what is cut out.
fn without(message: &str, part: &str, instead: &str) -> String {
    message.replacen(part, instead, 1)
}

fn signature_holds(message: &str) -> bool {
    inspect(message.as_bytes(), mpay().public_key()).is_some_and(|found| found.signature_holds)
}

#[test]
fn a_provider_that_verifies_one_signed_info_and_reads_another_fails() {
    fails(
        believes(|message| {
            let Ok(first) = piece(message, "<ds:SignedInfo", "</ds:SignedInfo>") else {
                return false;
            };
            let rest = without(message, first, "");
            let Ok(second) = piece(&rest, "<ds:SignedInfo", "</ds:SignedInfo>") else {
                return false;
            };
            let other = without(message, second, "");
            (signature_holds(&rest) && digests_hold(&other))
                || (signature_holds(&other) && digests_hold(&rest))
        }),
        &["refusal.two-signed-infos"],
    );
}

#[test]
fn a_provider_that_takes_a_comment_for_the_digest_fails() {
    fails(
        believes(|message| {
            let Ok(comment) = piece(message, "<ds:DigestValue><!--", "-->") else {
                return false;
            };
            let Ok(value) = piece(message, comment, "</ds:DigestValue>") else {
                return false;
            };
            let read = comment
                .replace("<!--", "")
                .replace("-->", "</ds:DigestValue>");
            signature_holds(message) && digests_hold(&without(message, value, &read))
        }),
        &["refusal.comment-in-digest"],
    );
}

/// True if the message is signed by the key of a certificate that it brings, beside MPay's or under
/// MPay's key identifier.
fn is_signed_by_a_guest(message: &str) -> bool {
    use base64ct::{Base64, Encoding};
    let mpays = Base64::encode_string(mpay().certificate().der());
    let tokens: Vec<&str> = message
        .match_indices("<wsse:BinarySecurityToken")
        .filter_map(|(at, _)| piece(message.get(at..)?, "<wsse:", "</wsse:Bin").ok())
        .collect();
    let vouched = tokens.iter().any(|token| token.contains(&mpays))
        || message.contains("#X509SubjectKeyIdentifier\"");
    let guest = tokens.iter().find(|token| !token.contains(&mpays));
    let (Some(guest), true) = (guest, vouched) else {
        return false;
    };
    let Some(der) = guest
        .split(['<', '>'])
        .filter_map(|text| Base64::decode_vec(text).ok())
        .find(|der| !der.is_empty())
    else {
        return false;
    };
    let Ok(certificate) = Certificate::from_der(&der) else {
        return false;
    };
    // The signature holds for the guest's certificate where nothing else stands.
    let key_info = piece(message, "<ds:KeyInfo>", "</ds:KeyInfo>").unwrap();
    let embedded = format!(
        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
        Base64::encode_string(certificate.der())
    );
    let mut alone = without(message, key_info, &embedded);
    while let Ok(token) = piece(
        &alone,
        "<wsse:BinarySecurityToken",
        "</wsse:BinarySecurityToken>",
    ) {
        let token = token.to_owned();
        alone = without(&alone, &token, "");
    }
    let policy = Policy {
        trust: Trust::pinned(vec![certificate]),
        ..policy(Duration::from_secs(120), Duration::from_secs(1800))
    };
    is_mpays(&alone, &policy)
}

#[test]
fn a_provider_that_looks_at_one_certificate_and_verifies_with_another_fails() {
    fails(believes(is_signed_by_a_guest), &["refusal.two-tokens"]);
}

#[test]
fn a_provider_that_takes_what_its_library_does_not_know_for_right_fails() {
    fails(
        believes(|message| {
            let known = ["#rsa-sha", "#hmac-"]
                .iter()
                .any(|end| message.contains(end));
            digests_hold(message) && !known
        }),
        &["refusal.other-methods"],
    );
}

#[test]
fn a_provider_that_looks_for_references_in_the_whole_signature_fails() {
    fails(
        believes(|message| {
            let Ok(manifest) = piece(message, "<ds:Manifest>", "</ds:Manifest>") else {
                return false;
            };
            let reference = manifest
                .trim_start_matches("<ds:Manifest>")
                .trim_end_matches("</ds:Manifest>");
            let stated = piece(message, "<ds:Reference URI=\"#Body\">", "</ds:Reference>");
            let read = without(message, stated.unwrap(), reference);
            signature_holds(message) && digests_hold(&read)
        }),
        &["refusal.reference-outside"],
    );
}

#[test]
fn a_provider_that_does_not_ask_for_both_times_fails() {
    let years = Duration::from_secs(1_000_000_000);
    let patient = policy(years, years);
    fails(
        believes(move |message| {
            let half = message.contains("<wsu:Created>") != message.contains("<wsu:Expires>");
            half && (is_mpays(message, &patient) || signature_holds(message))
        }),
        &["refusal.too-old"],
    );
}

/// Everything that only a signature can tell.
const FORGERIES: [&str; 48] = [
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
    "refusal.two-signed-infos",
    "refusal.comment-in-digest",
    "refusal.stranger",
    "refusal.namesake",
    "refusal.borrowed-certificate",
    "refusal.key-value",
    "refusal.two-certificates",
    "refusal.two-tokens",
    "refusal.other-methods",
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
    "refusal.reference-outside",
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
            "refusal.reference-outside",
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
