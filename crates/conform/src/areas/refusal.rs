//! Messages that nobody but MPay could have sent if they were believed: each must be refused.

use std::time::{Duration, Instant};

use wsse::Content;

use mpay_client::LIFETIME;

use crate::{
    check::{Check, must, should},
    forge,
    message::Identity,
    reply::{accepted, amount},
    session::Session,
    verdict::{Verdict, hold},
};

const SIGNED: &str =
    "Message security: the request is signed over two references, the SOAP Body and the Timestamp";
const TRUST: &str = "Message security: the institution must verify that the signer is MPay";
const TIME: &str = "Settled readings: refused when Expires is past by more than the skew, or Created is older than 30 minutes";
const WRAPPING: &str = "Settled readings: an operation is only ever read from the verified Body; an ambiguous message is refused";
const XML: &str = "Settled readings: DTDs are refused (SOAP 1.1, section 3)";
const TRANSFORMS: &str = "Message security: exclusive C14N; XML Signature Best Practices, sections 2.1 and 2.2: accept no other transforms";

pub const CHECKS: &[Check] = &[
    must(
        "refusal.unsigned",
        "A message without Security header is refused",
        SIGNED,
        |s| altered(s, "no Security header", forge::unsigned),
    ),
    must(
        "refusal.no-signature",
        "A Security header without a signature is refused",
        SIGNED,
        |s| altered(s, "no Signature", forge::without_signature),
    ),
    must(
        "refusal.empty-signature",
        "An empty Signature element is refused",
        SIGNED,
        |s| altered(s, "an empty Signature", forge::empty_signature),
    ),
    must(
        "refusal.no-references",
        "A signature over nothing is refused",
        SIGNED,
        |s| signed(s, "a signature without references", forge::no_references),
    ),
    must(
        "refusal.body-not-signed",
        "A signature over the Timestamp alone is refused",
        SIGNED,
        |s| signed(s, "only the Timestamp signed", forge::body_not_signed),
    ),
    must(
        "refusal.timestamp-not-signed",
        "A signature over the Body alone is refused",
        SIGNED,
        |s| signed(s, "only the Body signed", forge::timestamp_not_signed),
    ),
    must(
        "refusal.no-timestamp",
        "A message without Timestamp is refused",
        SIGNED,
        |s| signed(s, "no Timestamp", forge::no_timestamp),
    ),
    must(
        "refusal.operation-signed",
        "A signature over the content of the Body instead of the Body is refused",
        SIGNED,
        |s| {
            signed(
                s,
                "GetOrderDetails signed instead of the Body",
                forge::operation_signed,
            )
        },
    ),
    must(
        "refusal.tampered-body",
        "A Body that was altered is refused",
        SIGNED,
        |s| altered(s, "another Language after signing", forge::tampered_body),
    ),
    must(
        "refusal.tampered-timestamp",
        "A Timestamp that was altered is refused",
        SIGNED,
        |s| {
            altered(
                s,
                "a later Expires after signing",
                forge::tampered_timestamp,
            )
        },
    ),
    must(
        "refusal.tampered-signature",
        "A signature value that was altered is refused",
        SIGNED,
        |s| altered(s, "another SignatureValue", forge::tampered_signature),
    ),
    must(
        "refusal.tampered-digest",
        "A Body altered together with its digest is refused",
        SIGNED,
        |s| {
            by_stranger(
                s,
                "another Body and its digest, SignedInfo not signed again",
                |message, _, stranger| forge::tampered_digest(message, stranger),
            )
        },
    ),
    must(
        "refusal.two-signed-infos",
        "A SignedInfo that fits an altered Body beside the one that MPay signed is refused",
        SIGNED,
        |s| {
            each_by_stranger(s, |message, _, stranger| {
                forge::two_signed_infos(message, stranger)
            })
        },
    ),
    must(
        "refusal.comment-in-digest",
        "The digest of an altered Body in a comment before the signed one is refused",
        SIGNED,
        |s| {
            by_stranger(
                s,
                "another Body, whose digest is in a comment within DigestValue",
                |message, _, stranger| forge::comment_in_digest(message, stranger),
            )
        },
    ),
    must(
        "refusal.stranger",
        "A message signed with an unknown certificate is refused",
        TRUST,
        |s| {
            let query = s.good_query()?;
            by_stranger(s, "a stranger's key and certificate", |_, _, stranger| {
                forge::by(stranger, &query)
            })
        },
    ),
    must(
        "refusal.namesake",
        "A self-signed certificate with MPay's names is refused",
        TRUST,
        |s| {
            let query = s.good_query()?;
            by_stranger(
                s,
                "a certificate that says all that MPay's says, with another key",
                |_, mpay, stranger| {
                    forge::by(&forge::namesake(mpay.certificate(), stranger)?, &query)
                },
            )
        },
    ),
    must(
        "refusal.borrowed-certificate",
        "MPay's certificate over a signature of another key is refused",
        TRUST,
        |s| {
            by_stranger(
                s,
                "a stranger's signature under MPay's certificate",
                |message, _, stranger| forge::under_mpays_certificate(message, stranger),
            )
        },
    ),
    must(
        "refusal.key-value",
        "A key that only the message brings is refused",
        TRUST,
        |s| {
            by_stranger(s, "a stranger's KeyValue", |message, _, stranger| {
                forge::key_value(message, stranger)
            })
        },
    ),
    must(
        "refusal.two-certificates",
        "A stranger's certificate beside MPay's is refused",
        TRUST,
        |s| {
            by_stranger(
                s,
                "MPay's certificate and a stranger's, who signed",
                forge::two_certificates,
            )
        },
    ),
    must(
        "refusal.two-tokens",
        "A stranger's token beside MPay's, or under MPay's key identifier, is refused",
        TRUST,
        |s| each_by_stranger(s, forge::two_tokens),
    ),
    must(
        "refusal.other-methods",
        "A signature by a method that no RSA key has is refused",
        TRUST,
        |s| {
            each_by_stranger(s, |message, _, stranger| {
                forge::other_methods(message, stranger)
            })
        },
    ),
    must(
        "refusal.hmac",
        "An HMAC under MPay's public key is refused",
        TRUST,
        |s| each(s, forge::hmac),
    ),
    must(
        "refusal.hmac-certificate",
        "An HMAC under MPay's certificate is refused",
        TRUST,
        |s| each(s, forge::hmac_certificate),
    ),
    must(
        "refusal.hmac-empty",
        "An HMAC under an empty key, or of no length, is refused",
        TRUST,
        |s| each(s, forge::hmac_empty),
    ),
    must(
        "refusal.empty-value",
        "An empty SignatureValue is refused",
        SIGNED,
        |s| {
            by_stranger(
                s,
                "an empty SignatureValue over digests that hold",
                |message, _, stranger| forge::empty_value(message, stranger),
            )
        },
    ),
    must(
        "refusal.two-signatures",
        "A stranger's signature over the Body beside MPay's over another is refused",
        TRUST,
        |s| {
            by_stranger(
                s,
                "two signatures, MPay's over a Body in a header",
                |message, _, stranger| forge::two_signatures(message, stranger),
            )
        },
    ),
    must(
        "refusal.expired",
        "A message that expired ten minutes ago is refused",
        TIME,
        |s| {
            let query = s.good_query()?;
            signed(s, "signed 15 minutes ago for five", |_, mpay| {
                forge::signed_ago(mpay, &query, 900, LIFETIME)
            })
        },
    ),
    should(
        "refusal.too-old",
        "A message older than 30 minutes, or that does not say how old it is, is refused, however long it says to live",
        TIME,
        |s| {
            let query = s.good_query()?;
            signed(s, "signed 2 hours ago for a day", |_, mpay| {
                forge::signed_ago(mpay, &query, 7200, Duration::from_secs(86_400))
            })?;
            each(s, |_, mpay| forge::half_timestamps(mpay, &query))
        },
    ),
    must(
        "refusal.future",
        "A message of an hour from now is refused",
        "Settled readings: Created may be up to 2 minutes in the future",
        |s| {
            let query = s.good_query()?;
            signed(s, "signed an hour ahead", |_, mpay| {
                forge::signed_ago(mpay, &query, -3600, LIFETIME)
            })
        },
    ),
    must(
        "refusal.replay",
        "A confirmation that was accepted is refused when its lifetime is over",
        TIME,
        |s| {
            s.needs_answers()?;
            let order = s.purse()?;
            let confirmation = s.part_of(&order, 0, "1.00")?;
            let content = confirmation.encode();
            s.confirmed("a confirmation", &confirmation)?;
            // The message that an eavesdropper of 15 minutes ago would repeat now.
            let message = forge::signed_ago(&s.mpay, &content, 900, LIFETIME)?;
            let reply = s.pay("the confirmation as signed 15 minutes ago", &message)?;
            hold(reply.is_refusal(), || {
                format!("it was not refused but got {}", reply.described())
            })
        },
    ),
    must(
        "refusal.wrapped-timestamp",
        "A fresh Timestamp beside the signed one that expired is refused",
        WRAPPING,
        |s| {
            let query = s.good_query()?;
            signed(
                s,
                "the signed Timestamp in a header, a fresh one in its place",
                |_, mpay| {
                    forge::wrapped_timestamp(&forge::signed_ago(mpay, &query, 900, LIFETIME)?)
                },
            )
        },
    ),
    must(
        "refusal.two-timestamps",
        "A fresh Timestamp before or after the signed one that expired is refused",
        WRAPPING,
        |s| {
            let query = s.good_query()?;
            each(s, |_, mpay| {
                forge::two_timestamps(&forge::signed_ago(mpay, &query, 900, LIFETIME)?)
            })
        },
    ),
    must(
        "refusal.wrapped-in-header",
        "The signed Body within a header, another in place, is refused",
        WRAPPING,
        |s| altered(s, "wrapped in a header", forge::wrapped_in_wrapper),
    ),
    must(
        "refusal.wrapped-as-header",
        "The signed Body as a header, another in place, is refused",
        WRAPPING,
        |s| altered(s, "wrapped as a header", forge::wrapped_as_header),
    ),
    must(
        "refusal.wrapped-in-security",
        "The signed Body in the Security header, another in place, is refused",
        WRAPPING,
        |s| {
            altered(
                s,
                "wrapped in the Security header",
                forge::wrapped_in_security,
            )
        },
    ),
    must(
        "refusal.wrapped-in-object",
        "The signed Body in an Object of the signature, another in place, is refused",
        WRAPPING,
        |s| altered(s, "wrapped in ds:Object", forge::wrapped_in_object),
    ),
    must(
        "refusal.wrapped-in-key-info",
        "The signed Body in KeyInfo, another in place, is refused",
        WRAPPING,
        |s| altered(s, "wrapped in ds:KeyInfo", forge::wrapped_in_key_info),
    ),
    must(
        "refusal.wrapped-in-body",
        "The signed Body within another Body is refused",
        WRAPPING,
        |s| altered(s, "wrapped in another Body", forge::wrapped_in_body),
    ),
    must(
        "refusal.wrapped-in-envelope",
        "The signed Body in a second Envelope, another in place, is refused",
        WRAPPING,
        |s| {
            altered(
                s,
                "wrapped in a second Envelope",
                forge::wrapped_in_envelope,
            )
        },
    ),
    must(
        "refusal.reference-outside",
        "A reference to the Body in place outside SignedInfo, the signed Body in a header, is refused",
        WRAPPING,
        |s| {
            by_stranger(
                s,
                "a reference in a Manifest that nobody signed",
                |message, _, stranger| forge::reference_outside(message, stranger),
            )
        },
    ),
    must(
        "refusal.body-before",
        "A second Body before the signed one is refused",
        WRAPPING,
        |s| altered(s, "another Body first", forge::body_before),
    ),
    must(
        "refusal.body-after",
        "A second Body after the signed one is refused",
        WRAPPING,
        |s| altered(s, "another Body last", forge::body_after),
    ),
    must(
        "refusal.duplicate-ids",
        "Two elements with the id of the signed Body are refused",
        WRAPPING,
        |s| altered(s, "one id on two Bodies", forge::duplicate_ids),
    ),
    must(
        "refusal.other-ids",
        "The id of the signed Body in another attribute of the Body in place is refused",
        WRAPPING,
        |s| each(s, |message, _| forge::other_ids(message)),
    ),
    should(
        "refusal.two-security-headers",
        "Two Security headers are refused",
        "WSS: SOAP Message Security 1.1, section 5: one Security header for each actor",
        |s| {
            altered(
                s,
                "an empty Security header before the signed one",
                forge::two_security_headers,
            )
        },
    ),
    should(
        "refusal.enveloped-transform",
        "The enveloped-signature transform is refused",
        TRANSFORMS,
        |s| signed(s, "enveloped-signature", forge::enveloped_transform),
    ),
    should(
        "refusal.xpath-transform",
        "An XPath transform is refused",
        TRANSFORMS,
        |s| signed(s, "XPath", forge::xpath_transform),
    ),
    must(
        "refusal.xslt-transform",
        "An XSLT transform is refused",
        TRANSFORMS,
        |s| signed(s, "XSLT", forge::xslt_transform),
    ),
    must(
        "refusal.remote-reference",
        "A reference to a place on the network is refused",
        "XML Signature Best Practices, section 2.3: do not fetch what a message names",
        |s| {
            signed(
                s,
                "a reference to http://127.0.0.1:9/",
                forge::remote_reference,
            )
        },
    ),
    must(
        "refusal.entity",
        "A DTD with an entity is refused",
        XML,
        |s| altered(s, "an internal entity", forge::entity),
    ),
    must(
        "refusal.external-entity",
        "A DTD with an entity from a file is refused",
        XML,
        |s| altered(s, "an external entity", forge::external_entity),
    ),
    must(
        "refusal.entity-bomb",
        "Entities of entities are refused at once, and the provider lives on",
        XML,
        |s| {
            let started = Instant::now();
            altered(s, "entities of entities", forge::entity_bomb)?;
            let took = started.elapsed();
            hold(took < Duration::from_secs(10), || {
                format!("the refusal took {took:.1?}")
            })?;
            s.still_answers()
        },
    ),
    must(
        "refusal.deep-nesting",
        "Elements in twenty thousand elements do not end the provider",
        "SOAP 1.1 is XML, whose depth an attacker chooses; CWE-674",
        |s| {
            s.needs_answers()?;
            let message = forge::deep_nesting(&s.good_message()?)?;
            // It is well-formed and signed, so a provider that can read it may answer it.
            let reply = s.ask("20,000 elements in each other", &message)?;
            hold(reply.is_refusal() || reply.orders().is_some(), || {
                reply.described()
            })?;
            s.still_answers()
        },
    ),
    must(
        "refusal.confirmation-unsigned",
        "A confirmation that is not signed is refused, and nothing is paid",
        SIGNED,
        |s| {
            confirmation(s, "an unsigned confirmation", |message, _| {
                forge::unsigned(message)
            })
        },
    ),
    must(
        "refusal.confirmation-tampered",
        "A confirmation of another amount than MPay signed is refused, and nothing is paid",
        SIGNED,
        |s| {
            confirmation(s, "1.00 changed to 2.00", |message, _| {
                Ok(message.replace(">1.00<", ">2.00<"))
            })
        },
    ),
    must(
        "refusal.confirmation-of-a-stranger",
        "A confirmation that a stranger signed is refused, and nothing is paid",
        TRUST,
        |s| {
            confirmation(
                s,
                "signed by a stranger under MPay's certificate",
                forge::under_mpays_certificate,
            )
        },
    ),
    must(
        "refusal.confirmation-wrapped",
        "A confirmation with the one that MPay signed in a header is refused, and nothing is paid",
        WRAPPING,
        |s| {
            confirmation(
                s,
                "2.00 in place, the signed 1.00 in a header",
                |message, _| forge::wrapped_confirmation(message),
            )
        },
    ),
    must(
        "refusal.repeat-unsigned",
        "A confirmation that was accepted is refused when it comes again without a signature",
        SIGNED,
        |s| {
            s.needs_answers()?;
            let order = s.purse()?;
            let message = s.sign(&s.part_of(&order, 0, "1.00")?.encode())?;
            let reply = s.pay("a confirmation", &message)?;
            accepted("a confirmation", &reply)?;
            let reply = s.pay("the same, not signed", &forge::unsigned(&message)?)?;
            hold(reply.is_refusal(), || {
                format!("it was not refused but got {}", reply.described())
            })
        },
    ),
];

/// Several messages made of a good one: each must be refused.
fn each(
    s: &mut Session,
    forge: impl FnOnce(&str, &Identity) -> anyhow::Result<Vec<(String, String)>>,
) -> Verdict {
    s.needs_answers()?;
    let good = s.good_message()?;
    for (what, message) in forge(&good, &s.mpay)? {
        refused(s, &what, &message)?;
    }
    Ok(())
}

/// The same with a stranger's help.
fn each_by_stranger(
    s: &mut Session,
    forge: impl FnOnce(&str, &Identity, &Identity) -> anyhow::Result<Vec<(String, String)>>,
) -> Verdict {
    s.needs_answers()?;
    let good = s.good_message()?;
    for (what, message) in forge(&good, &s.mpay, s.stranger()?)? {
        refused(s, &what, &message)?;
    }
    Ok(())
}

/// A good message with something altered must be refused.
fn altered(
    s: &mut Session,
    what: &str,
    alter: impl FnOnce(&str) -> anyhow::Result<String>,
) -> Verdict {
    signed(s, what, |message, _| alter(message))
}

fn signed(
    s: &mut Session,
    what: &str,
    forge: impl FnOnce(&str, &Identity) -> anyhow::Result<String>,
) -> Verdict {
    s.needs_answers()?;
    let good = s.good_message()?;
    let message = forge(&good, &s.mpay)?;
    refused(s, what, &message)
}

fn by_stranger(
    s: &mut Session,
    what: &str,
    forge: impl FnOnce(&str, &Identity, &Identity) -> anyhow::Result<String>,
) -> Verdict {
    s.needs_answers()?;
    let good = s.good_message()?;
    let message = forge(&good, &s.mpay, s.stranger()?)?;
    refused(s, what, &message)
}

fn refused(s: &mut Session, what: &str, message: &str) -> Verdict {
    let reply = s.ask(what, message)?;
    hold(reply.is_refusal(), || {
        format!("{what}: it was not refused but got {}", reply.described())
    })
}

/// A confirmation that must be refused and change nothing. Its correct twin must then count: so it was
/// refused for its mistake, and nobody without MPay's key can use up a PaymentID.
fn confirmation(
    s: &mut Session,
    what: &str,
    forge: impl FnOnce(&str, &Identity) -> anyhow::Result<String>,
) -> Verdict {
    let order = s.purse()?;
    let part = s.part_of(&order, 0, "1.00")?;
    let content: Content = part.encode();
    let good = s.sign(&content)?;
    let message = forge(&good, s.stranger()?)?;
    let reply = s.pay(what, &message)?;
    hold(reply.is_refusal(), || {
        format!("{what}: it was not refused but got {}", reply.described())
    })?;
    s.unchanged(&order, what)?;
    let reply = s.pay("the same as MPay signed it", &good)?;
    accepted("the same as MPay signed it", &reply)?;
    s.counted(&part, amount(&order, "TotalAmountDue")?, "1.00")
}
