//! Hostile messages, each made of a good one of [`wsse::Signer`] by surgery on its text, and the
//! strangers who sign some of them. Each describes its attack.
//!
//! | module | what |
//! | --- | --- |
//! | `altered` | nothing signed, or not what should be; altered after signing |
//! | `signers` | signed by others, or with a secret that everybody has |
//! | `time` | out of time |
//! | `wrapping` | the signed Body is elsewhere, another in its place |
//! | `transforms` | signatures that mean something else than they seem to |
//! | `harmful` | XML that harms its reader |
//! | `shapes` | shapes of other signers, which are good |

mod altered;
mod harmful;
mod shapes;
mod signers;
mod time;
mod transforms;
mod wrapping;

use jiff::{SignedDuration, Timestamp};

use super::message::{piece, swap};

pub(super) use altered::{
    body_not_signed, comment_in_digest, empty_signature, no_references, no_timestamp,
    operation_signed, tampered_body, tampered_digest, tampered_signature, tampered_timestamp,
    timestamp_not_signed, two_signed_infos, unsigned, without_signature,
};
pub(super) use harmful::{deep_nesting, entity, entity_bomb, external_entity};
pub(super) use shapes::{key_identifier, like_wcf, like_wss4j, serial_number};
pub(super) use signers::{
    by, empty_value, hmac, hmac_certificate, hmac_empty, key_value, namesake, other_methods,
    two_certificates, two_signatures, two_tokens, under_mpays_certificate,
};
pub(super) use time::{half_timestamps, signed_ago, two_timestamps, wrapped_timestamp};
pub(super) use transforms::{
    enveloped_transform, remote_reference, xpath_transform, xslt_transform,
};
pub(super) use wrapping::{
    body_after, body_before, duplicate_ids, other_ids, reference_outside, two_security_headers,
    wrapped_as_header, wrapped_confirmation, wrapped_in_body, wrapped_in_envelope,
    wrapped_in_key_info, wrapped_in_object, wrapped_in_security, wrapped_in_wrapper,
};

type Message = anyhow::Result<String>;

const BODY_ID: &str = " wsu:Id=\"Body\"";

/// The pieces of a message of [`wsse::Signer`].
fn body(message: &str) -> anyhow::Result<&str> {
    piece(message, "<soap:Body", "</soap:Body>")
}

fn timestamp(message: &str) -> anyhow::Result<&str> {
    piece(message, "<wsu:Timestamp", "</wsu:Timestamp>")
}

fn security(message: &str) -> anyhow::Result<&str> {
    piece(message, "<wsse:Security ", "</wsse:Security>")
}

fn signature(message: &str) -> anyhow::Result<&str> {
    piece(message, "<ds:Signature ", "</ds:Signature>")
}

pub(super) fn key_info(message: &str) -> anyhow::Result<&str> {
    piece(message, "<ds:KeyInfo>", "</ds:KeyInfo>")
}

fn token(message: &str) -> anyhow::Result<&str> {
    piece(
        message,
        "<wsse:BinarySecurityToken",
        "</wsse:BinarySecurityToken>",
    )
}

/// The reference to an id.
fn reference<'a>(message: &'a str, id: &str) -> anyhow::Result<&'a str> {
    piece(
        message,
        &format!("<ds:Reference URI=\"#{id}\">"),
        "</ds:Reference>",
    )
}

/// A Body that differs from the signed one, for the place where a careless reader looks. It asks for the
/// same order in another language, so that a provider that falls for it answers with a result.
fn other_body(message: &str) -> Message {
    let body = swap(body(message)?, BODY_ID, "")?;
    swap(&body, "<Language>ro</Language>", "<Language>en</Language>")
}

/// Now, moved by so many seconds.
pub(super) fn seconds_from_now(seconds: i64) -> Timestamp {
    Timestamp::now()
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mpay_client::{LIFETIME, encode_query};

    use super::*;
    use crate::message::Identity;

    fn mpay() -> Identity {
        Identity::from_pem(
            include_str!("../../../wsse/tests/data/mpay.key.pem"),
            include_str!("../../../wsse/tests/data/mpay.pem"),
        )
        .unwrap()
    }

    fn stranger() -> Identity {
        Identity::from_pem(
            include_str!("../../../wsse/tests/data/stranger.key.pem"),
            include_str!("../../../wsse/tests/data/stranger.pem"),
        )
        .unwrap()
    }

    fn verdict(message: &str) -> Result<(), String> {
        let policy = wsse::Policy {
            trust: wsse::Trust::pinned(vec![mpay().certificate().clone()]),
            accept_sha1: true,
            clock_skew: Duration::from_secs(120),
            max_age: Duration::from_secs(1800),
        };
        let envelope = wsse::Envelope::parse(message.as_bytes()).map_err(|e| e.to_string())?;
        match envelope.verify(&policy, seconds_from_now(0)) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Each forgery fails because of its attack, not because of a slip in its making.
    #[test]
    fn every_forgery_is_refused_for_its_own_reason() {
        let (mpay, stranger) = (mpay(), stranger());
        let content = encode_query("S", "K", "ro");
        let good = by(&mpay, &content).unwrap();
        let stale = signed_ago(&mpay, &content, 900, LIFETIME).unwrap();
        assert_eq!(verdict(&good), Ok(()));
        let namesake = namesake(mpay.certificate(), &stranger).unwrap();
        assert_eq!(
            namesake.certificate().subject(),
            mpay.certificate().subject()
        );
        for (message, reason) in [
            (unsigned(&good), "no Security header"),
            (without_signature(&good), "no Signature"),
            (empty_signature(&good), "without SignedInfo"),
            (no_references(&good, &mpay), "without Reference"),
            (body_not_signed(&good, &mpay), "the Body is not signed"),
            (
                timestamp_not_signed(&good, &mpay),
                "the Timestamp is not signed",
            ),
            (no_timestamp(&good, &mpay), "no Timestamp"),
            (operation_signed(&good, &mpay), "no part that may be signed"),
            (tampered_body(&good), "digest of \"#Body\""),
            (tampered_timestamp(&good), "digest of \"#Timestamp\""),
            (tampered_signature(&good), "does not verify"),
            (tampered_digest(&good, &stranger), "does not verify"),
            (by(&stranger, &content), "not trusted"),
            (by(&namesake, &content), "not trusted"),
            (under_mpays_certificate(&good, &stranger), "does not verify"),
            (key_value(&good, &stranger), "no trusted certificate"),
            (two_certificates(&good, &mpay, &stranger), ""),
            (empty_value(&good, &stranger), "a signature of 0 bytes"),
            (two_signatures(&good, &stranger), ""),
            (Ok(stale.clone()), "expired"),
            (wrapped_timestamp(&stale), "no part that may be signed"),
            (wrapped_in_wrapper(&good), "no part that may be signed"),
            (wrapped_as_header(&good), "the Body is not signed"),
            (wrapped_in_security(&good), "the Body is not signed"),
            (wrapped_in_object(&good), "Object"),
            (wrapped_in_key_info(&good), "no part that may be signed"),
            (wrapped_in_body(&good), "no part that may be signed"),
            (wrapped_in_envelope(&good), "other than Header and Body"),
            (comment_in_digest(&good, &stranger), "digest of \"#Body\""),
            (reference_outside(&good, &stranger), "Object"),
            (body_before(&good), "more than one Body"),
            (body_after(&good), "more than one Body"),
            (duplicate_ids(&good), "the id \"Body\" twice"),
            (two_security_headers(&good), "more than one Security"),
            (enveloped_transform(&good, &mpay), "transform"),
            (xpath_transform(&good, &mpay), "transform"),
            (xslt_transform(&good, &mpay), "transform"),
            (remote_reference(&good, &mpay), "a reference to \"http"),
            (entity(&good), "not acceptable XML"),
            (external_entity(&good), "not acceptable XML"),
            (entity_bomb(&good), "not acceptable XML"),
            (deep_nesting(&good), "not acceptable XML"),
        ] {
            let refused = verdict(&message.unwrap()).expect_err(reason);
            assert!(refused.contains(reason), "{refused}, not {reason}");
        }
    }

    #[test]
    fn every_forgery_of_several_is_refused() {
        let (mpay, stranger) = (mpay(), stranger());
        let content = encode_query("S", "K", "ro");
        let good = by(&mpay, &content).unwrap();
        let stale = signed_ago(&mpay, &content, 900, LIFETIME).unwrap();
        for (forged, reason) in [
            (two_signed_infos(&good, &stranger), ""),
            (two_tokens(&good, &mpay, &stranger), ""),
            (other_methods(&good, &stranger), "signature method"),
            (half_timestamps(&mpay, &content), ""),
            (hmac(&good, &mpay), "signature method"),
            (hmac_certificate(&good, &mpay), "signature method"),
            (hmac_empty(&good, &mpay), ""),
            (other_ids(&good), ""),
            (two_timestamps(&stale), "more than one Timestamp"),
        ] {
            for (what, message) in forged.unwrap() {
                let refused = verdict(&message).expect_err(&what);
                assert!(refused.contains(reason), "{what}: {refused}");
            }
        }
    }

    #[test]
    fn the_shapes_of_other_signers_verify() {
        let mpay = mpay();
        let good = by(&mpay, &encode_query("S", "K", "ro")).unwrap();
        assert_eq!(verdict(&like_wcf(&good, &mpay).unwrap()), Ok(()));
        assert_eq!(verdict(&like_wss4j(&good, &mpay).unwrap()), Ok(()));
    }
}
