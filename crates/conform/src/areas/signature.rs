//! Signatures that must be accepted, and those of the answers.

use std::time::Duration;

use base64ct::{Base64, Encoding};
use jiff::Timestamp;
use rsa::{PublicKey as RsaPublicKey, pkcs8::DecodePublicKey};
use sha1::{Digest, Sha1};
use wsse::{Algorithms, Envelope, Hash, Policy, SecurityError, Trust};
use x509_cert::der::{Decode, Encode};

use crate::{
    check::{Check, must, should},
    forge,
    message::{Inspection, inspect, swap},
    names::{BASE64_BINARY, EXC_C14N, THUMBPRINT, X509_PROFILE},
    node::Node,
    reply::{Reply, order_in},
    session::{Sample, Session},
    verdict::{Verdict, failed, hold, skipped},
};

const ALGORITHMS: &str =
    "Message security: today rsa-sha1 with sha1 digests; SHA-256 must work as well, and 384/512";
const KEYS: &str = "Message security: the certificate comes as BinarySecurityToken, KeyIdentifier, X509IssuerSerial or X509Certificate";
const ANSWERS: &str =
    "Message security: answers, faults among them, are signed the same way: Timestamp + Body";

pub const CHECKS: &[Check] = &[
    must(
        "signature.rsa-sha1",
        "RSA-SHA1 with SHA-1 digests is accepted, as MPay signs today",
        ALGORITHMS,
        |s| signed_with(s, Algorithms::SHA1).map(drop),
    ),
    must(
        "signature.rsa-sha256",
        "RSA-SHA256 with SHA-256 digests is accepted",
        ALGORITHMS,
        |s| signed_with(s, Algorithms::SHA256).map(drop),
    ),
    must(
        "signature.rsa-sha384",
        "RSA-SHA384 with SHA-384 digests is accepted",
        ALGORITHMS,
        |s| signed_with(s, Algorithms::new(Hash::Sha384)).map(drop),
    ),
    must(
        "signature.rsa-sha512",
        "RSA-SHA512 with SHA-512 digests is accepted",
        ALGORITHMS,
        |s| signed_with(s, Algorithms::new(Hash::Sha512)).map(drop),
    ),
    should(
        "signature.mixed-hashes",
        "A signature of one hash over digests of another is accepted",
        ALGORITHMS,
        |s| {
            signed_with(
                s,
                Algorithms {
                    signature: Hash::Sha256,
                    digest: Hash::Sha1,
                },
            )
            .map(drop)?;
            signed_with(
                s,
                Algorithms {
                    signature: Hash::Sha512,
                    digest: Hash::Sha256,
                },
            )
            .map(drop)
        },
    ),
    must(
        "signature.key-identifier",
        "A signer named by subject key identifier is found",
        KEYS,
        |s| {
            let ski = Base64::encode_string(&forge::key_identifier(&s.mpay)?);
            keyed(
                s,
                "KeyIdentifier X509SubjectKeyIdentifier",
                &key_identifier(&format!("{X509_PROFILE}#X509SubjectKeyIdentifier"), &ski),
            )
        },
    ),
    must(
        "signature.key-identifier-of-the-field",
        "The value type X509v3SubjectKeyIdentifier, met in the field, is understood",
        "Namespaces: #X509SubjectKeyIdentifier; also met in the field: #X509v3SubjectKeyIdentifier",
        |s| {
            let ski = Base64::encode_string(&forge::key_identifier(&s.mpay)?);
            keyed(
                s,
                "KeyIdentifier X509v3SubjectKeyIdentifier",
                &key_identifier(&format!("{X509_PROFILE}#X509v3SubjectKeyIdentifier"), &ski),
            )
        },
    ),
    must(
        "signature.thumbprint",
        "A signer named by SHA-1 thumbprint is found",
        KEYS,
        |s| {
            let thumbprint = Base64::encode_string(&Sha1::digest(s.mpay.certificate().der()));
            keyed(
                s,
                "KeyIdentifier ThumbprintSHA1",
                &key_identifier(THUMBPRINT, &thumbprint),
            )
        },
    ),
    must(
        "signature.issuer-serial",
        "A signer named by issuer and serial number is found",
        KEYS,
        |s| {
            let certificate = s.mpay.certificate();
            let issuer = wsse::escaped_text(&certificate.issuer());
            let serial = forge::serial_number(certificate);
            keyed(
                s,
                "X509IssuerSerial",
                &format!(
                    "<wsse:SecurityTokenReference><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{issuer}</ds:X509IssuerName><ds:X509SerialNumber>{serial}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference>"
                ),
            )
        },
    ),
    must(
        "signature.embedded-certificate",
        "A certificate embedded in KeyInfo is understood",
        KEYS,
        |s| {
            let certificate = Base64::encode_string(s.mpay.certificate().der());
            keyed(
                s,
                "X509Data/X509Certificate",
                &format!(
                    "<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"
                ),
            )
        },
    ),
    must(
        "signature.plain-id",
        "Plain unqualified Ids on Body and Timestamp are understood",
        "Message security: wsu:Id on Body and Timestamp; the government's own .NET signing tool writes a plain unqualified Id",
        |s| {
            reshaped(s, "plain Ids", |message| {
                let message = swap(message, "wsu:Id=\"Timestamp\"", "Id=\"Timestamp\"")?;
                swap(&message, "wsu:Id=\"Body\"", "Id=\"Body\"")
            })
        },
    ),
    must(
        "signature.like-wcf",
        "A message in the shape of WCF, MPay's own, is accepted",
        "Message security: the WCF contract's policy; layout Lax",
        |s| {
            let message = s.good_message()?;
            let message = forge::like_wcf(&message, &s.mpay)?;
            accepted(s, "the shape of WCF", &message).map(drop)
        },
    ),
    must(
        "signature.like-wss4j",
        "A message in the shape of WSS4J (Java) is accepted",
        "Message security: layout Lax; exclusive C14N with InclusiveNamespaces PrefixList",
        |s| {
            let message = s.good_message()?;
            let message = forge::like_wss4j(&message, &s.mpay)?;
            accepted(s, "the shape of WSS4J", &message).map(drop)
        },
    ),
    should(
        "signature.with-comments",
        "Exclusive C14N with comments is accepted",
        "Namespaces: exclusive C14N, with and without comments",
        |s| {
            reshaped(s, "exc-c14n#WithComments", |message| {
                Ok(message.replace(
                    &format!("\"{EXC_C14N}\""),
                    &format!("\"{EXC_C14N}WithComments\""),
                ))
            })
        },
    ),
    must(
        "signature.one-minute",
        "A message with a lifetime of one minute is accepted",
        "Message security: the Timestamp (MPay: five minutes; a Java client: one minute)",
        |s| timed(s, "a lifetime of one minute", 0, 60),
    ),
    must(
        "signature.fast-clock",
        "A message from a clock that is a minute and a half ahead is accepted",
        "Settled readings: MPay's clock runs ahead; Created may be up to 2 minutes in the future",
        |s| timed(s, "Created 90 seconds ahead", -90, 300),
    ),
    must(
        "signature.slow-clock",
        "A message four minutes old with a lifetime of five is accepted",
        "Settled readings: lifetimes from 1 to 15 minutes are normal",
        |s| timed(s, "Created four minutes ago", 240, 300),
    ),
    must(
        "signature.results-signed",
        "Results are signed by the provider over the Body",
        ANSWERS,
        |s| is_signed(s, Sample::Details),
    ),
    must(
        "signature.confirmations-signed",
        "Answers to confirmations are signed by the provider over the Body",
        ANSWERS,
        |s| is_signed(s, Sample::Confirmation),
    ),
    must(
        "signature.faults-signed",
        "Faults are signed by the provider over the Body",
        ANSWERS,
        |s| is_signed(s, Sample::Fault),
    ),
    must(
        "signature.anonymous-faults-signed",
        "Faults to callers who were not authenticated are signed too",
        "Settled readings: plain HTTP refusals are fine for what is no SOAP message; every SOAP answer is signed",
        |s| is_signed(s, Sample::AnonymousFault),
    ),
    must(
        "signature.timestamp",
        "Signed answers have a Timestamp, and it is signed",
        ANSWERS,
        |s| {
            each_signed(s, |reply, inspection, _| {
                hold(timestamp(reply).is_some(), || {
                    "the answer has no Timestamp".into()
                })?;
                hold(inspection.timestamp_referenced, || {
                    "the signature does not cover the Timestamp".into()
                })
            })
        },
    ),
    must(
        "signature.fresh",
        "The Timestamps of answers are of now",
        "Message security: wsu:Timestamp; settled readings: lifetimes from 1 to 15 minutes are normal",
        |s| {
            each_signed(s, |reply, _, _| {
                let Some(timestamp) = timestamp(reply) else {
                    return Ok(());
                };
                let time = |name| {
                    timestamp
                        .get(name)
                        .and_then(|text| text.parse::<Timestamp>().ok())
                };
                let Some(created) = time("Created") else {
                    return failed(format!(
                        "Created is {:?}",
                        timestamp.get("Created").unwrap_or_default()
                    ));
                };
                // A fault to strangers may be signed once for some time.
                let age = reply.answer.received.duration_since(created).as_secs();
                hold((-120..=300).contains(&age), || {
                    format!("Created was {age} seconds ago")
                })?;
                match time("Expires") {
                    Some(expires) => {
                        let life = expires.duration_since(created).as_secs();
                        hold((30..=1800).contains(&life), || {
                            format!("the answer lives for {life} seconds")
                        })
                    }
                    None => Ok(()),
                }
            })
        },
    ),
    must(
        "signature.certificate",
        "The certificate in answers is the provider's, in a form that MPay reads",
        "Message security: MPay accepts BinarySecurityToken, key identifier and embedded certificate in answers",
        |s| {
            let own = Base64::encode_string(s.provider.der());
            each_signed(s, move |reply, _, _| {
                let Some(root) = reply.root() else {
                    return Ok(());
                };
                let names = |name: &str| {
                    root.descendants()
                        .into_iter()
                        .filter(|n| n.name == name)
                        .cloned()
                        .collect::<Vec<_>>()
                };
                let certificates: Vec<String> = names("BinarySecurityToken")
                    .iter()
                    .chain(&names("X509Certificate"))
                    .map(|node| {
                        node.text
                            .as_deref()
                            .unwrap_or_default()
                            .split_ascii_whitespace()
                            .collect()
                    })
                    .collect();
                let identified = !names("KeyIdentifier").is_empty();
                hold(identified || !certificates.is_empty(), || {
                    "the answer says nothing of its signer that MPay reads".into()
                })?;
                hold(
                    certificates.is_empty() || certificates.contains(&own),
                    || "the certificate in the answer is not the provider's".into(),
                )
            })
        },
    ),
    must(
        "signature.canonicalization",
        "Answers are canonicalised exclusively",
        "Message security: answers are signed the same way: Timestamp + Body, exclusive C14N",
        |s| {
            each_signed(s, |_, inspection, _| {
                let other = inspection
                    .canonicalizations
                    .iter()
                    .find(|algorithm| !algorithm.starts_with(EXC_C14N));
                hold(other.is_none(), || {
                    format!("the answer uses {}", other.map_or("", String::as_str))
                })
            })
        },
    ),
    should(
        "signature.like-the-request",
        "Answers are signed with the algorithms of the request",
        "Message security: answers are signed the same way",
        |s| {
            for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
                let Ok(reply) = signed_with(s, Algorithms::new(hash)) else {
                    continue;
                };
                let Some(inspection) = inspect(&reply.answer.body, &public_key(s)?) else {
                    return skipped("the answers are not signed");
                };
                let name = hash.to_string();
                let all = inspection
                    .digest_methods
                    .iter()
                    .chain([&inspection.signature_method]);
                let other = all.clone().find(|method| !method.ends_with(&name));
                hold(other.is_none(), || {
                    format!(
                        "a request with {name} was answered with {}",
                        other.map_or("", String::as_str)
                    )
                })?;
            }
            Ok(())
        },
    ),
    must(
        "signature.unambiguous",
        "Answers pass a strict reader: one Security header, one Timestamp, one Signature, no id twice",
        "Message security; WSS: SOAP Message Security 1.1, sections 4 and 8",
        |s| {
            let policy = policy(s);
            each_signed(s, move |reply, inspection, _| {
                let verified = Envelope::parse(&reply.answer.body)
                    .map_err(|e| e.to_string())
                    .and_then(|e| {
                        e.verify(&policy, reply.answer.received)
                            .map_err(|error| match error {
                                // Other checks tell these.
                                SecurityError::NoTimestamp | SecurityError::TimestampNotSigned => {
                                    String::new()
                                }
                                _ if !inspection.signature_holds
                                    || !inspection.digests_hold
                                    || !inspection.body_referenced =>
                                {
                                    String::new()
                                }
                                error => error.to_string(),
                            })
                    });
                match verified {
                    Err(error) if !error.is_empty() => failed(error),
                    _ => Ok(()),
                }
            })
        },
    ),
];

fn accepted(s: &mut Session, what: &str, message: &str) -> Verdict<Reply> {
    let key = s.known_order()?;
    let reply = s.ask(what, message)?;
    order_in(&reply, &key)?;
    Ok(reply)
}

fn signed_with(s: &mut Session, algorithms: Algorithms) -> Verdict<Reply> {
    let query = s.good_query()?;
    let message = s.mpay.sign(
        &query,
        algorithms,
        Timestamp::now(),
        Duration::from_secs(300),
    )?;
    accepted(s, &format!("a message signed with {algorithms}"), &message)
}

fn reshaped(
    s: &mut Session,
    what: &str,
    change: impl FnOnce(&str) -> anyhow::Result<String>,
) -> Verdict {
    let message = s.good_message()?;
    let message = s.mpay.sign_again(&change(&message)?)?;
    accepted(s, what, &message).map(drop)
}

fn key_identifier(value_type: &str, value: &str) -> String {
    format!(
        "<wsse:SecurityTokenReference><wsse:KeyIdentifier EncodingType=\"{BASE64_BINARY}\" ValueType=\"{value_type}\">{value}</wsse:KeyIdentifier></wsse:SecurityTokenReference>"
    )
}

/// A message whose KeyInfo is this, without the token that would otherwise tell its signer.
fn keyed(s: &mut Session, what: &str, key_info: &str) -> Verdict {
    reshaped(s, what, |message| {
        let token = crate::message::piece(
            message,
            "<wsse:BinarySecurityToken",
            "</wsse:BinarySecurityToken>",
        )?;
        let message = swap(message, token, "")?;
        let stated = forge::key_info(&message)?;
        swap(
            &message,
            stated,
            &format!("<ds:KeyInfo>{key_info}</ds:KeyInfo>"),
        )
    })
}

fn timed(s: &mut Session, what: &str, seconds_ago: i64, lifetime: u64) -> Verdict {
    let query = s.good_query()?;
    let message = s.mpay.sign(
        &query,
        Algorithms::SHA1,
        forge::seconds_from_now(-seconds_ago),
        Duration::from_secs(lifetime),
    )?;
    accepted(s, what, &message).map(drop)
}

fn policy(s: &Session) -> Policy {
    Policy {
        trust: Trust::pinned(vec![s.provider.clone()]),
        accept_sha1: true,
        clock_skew: Duration::from_secs(300),
        max_age: Duration::from_secs(1800),
    }
}

fn public_key(s: &Session) -> anyhow::Result<RsaPublicKey> {
    let certificate = x509_cert::Certificate::from_der(s.provider.der())?;
    let key = certificate
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()?;
    Ok(RsaPublicKey::from_public_key_der(&key)?)
}

fn is_signed(s: &mut Session, kind: Sample) -> Verdict {
    let reply = s.sample(kind)?;
    let key = public_key(s)?;
    let Some(inspection) = inspect(&reply.answer.body, &key) else {
        return failed(format!("{} is not signed", reply.described()));
    };
    hold(inspection.signature_holds, || {
        "the signature is not of the key of the provider's certificate".into()
    })?;
    hold(inspection.body_referenced, || {
        "the signature does not cover the Body".into()
    })?;
    hold(inspection.digests_hold, || {
        "what is signed is not what was sent: a digest does not match".into()
    })
}

/// Looks at every kind of answer that is signed at all; that one is not, another check tells.
fn each_signed(s: &mut Session, look: impl Fn(&Reply, &Inspection, Sample) -> Verdict) -> Verdict {
    let key = public_key(s)?;
    let mut looked = false;
    for kind in Sample::ALL {
        let Ok(reply) = s.sample(kind) else { continue };
        let Some(inspection) = inspect(&reply.answer.body, &key) else {
            continue;
        };
        looked = true;
        look(&reply, &inspection, kind)?;
    }
    if looked {
        Ok(())
    } else {
        skipped("no answer is signed")
    }
}

/// The Timestamp in the Security header of an answer.
fn timestamp(reply: &Reply) -> Option<&Node> {
    reply.root()?.at(&["Header", "Security", "Timestamp"])
}
