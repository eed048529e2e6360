//! Verified data out, or nothing.

mod error;
mod key_info;
mod parts;
mod signature;
mod signer;
mod structure;
mod validity;

use std::borrow::Cow;

use jiff::Timestamp;
use rsa::traits::PublicKeyParts;

pub use error::SecurityError;

use crate::algorithms::{Algorithms, Hash, SignatureMethod};
use crate::c14n::{Method, canonicalize};
use crate::certificate::Certificate;
use crate::envelope::Envelope;
use crate::names::{ADDRESSING, DS, SOAP, WSSE, WSU};
use crate::policy::Policy;
use crate::xml::{Element, NodeId, collapse};
use parts::Parts;
use signature::Signature;
use validity::Validity;

/// Roles that every node takes: SOAP 1.1 section 4.2.2, and their SOAP 1.2 names, which are met
/// in SOAP 1.1 messages.
const OUR_ACTORS: [&str; 4] = [
    "",
    "http://schemas.xmlsoap.org/soap/actor/next",
    "http://www.w3.org/2003/05/soap-envelope/role/next",
    "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
];

/// The greatest total length of the canonical forms of `SignedInfo` and all signed parts, given the
/// length of the message. Escaping and repeated namespaces make them longer; this is far beyond what
/// programs write.
fn canonical_budget(message_bytes: usize) -> usize {
    8 * message_bytes + (1 << 16)
}

/// The proof of a message: its Body, its signer, the algorithms and the times. Only [`Envelope::verify`]
/// makes one.
#[derive(Debug)]
pub struct Verified {
    envelope: Envelope,
    facts: Facts,
}

#[derive(Debug)]
struct Facts {
    security: NodeId,
    signer: Certificate,
    algorithms: Algorithms,
    method: SignatureMethod,
    validity: Validity,
}

impl Verified {
    /// The `soap:Body` that the signature covers, which is the message's only one.
    pub fn body(&self) -> Element<'_> {
        self.envelope.body()
    }

    /// The trusted certificate whose key verified the signature.
    pub fn signer(&self) -> &Certificate {
        &self.facts.signer
    }

    /// The hashes of the signature and of the Body's digest, to answer alike.
    pub fn algorithms(&self) -> Algorithms {
        self.facts.algorithms
    }

    /// The identifier of the `SignatureMethod`, which also tells RSA-PSS from PKCS#1 v1.5.
    pub fn signature_method(&self) -> &'static str {
        self.facts.method.uri()
    }

    /// The time at which the signer says the message was made: `wsu:Created`.
    pub fn created(&self) -> Timestamp {
        self.facts.validity.created
    }

    /// Until when the signer says it holds: `wsu:Expires`.
    pub fn expires(&self) -> Option<Timestamp> {
        self.facts.validity.expires
    }

    /// The header blocks that must be understood by us and are not: all with `mustUnderstand`
    /// true that are for the ultimate receiver or the next node, other than the Security header
    /// that was verified (SOAP 1.1 section 4.2.3). Names as `{namespace}local`.
    ///
    /// Headers need not be signed, so this shows a message's demands, not their author.
    pub fn not_understood(&self) -> Vec<String> {
        let headers = self.envelope.header().into_iter();
        headers
            .flat_map(|header| header.children())
            .filter(|block| block.node() != self.facts.security)
            .filter(|&block| must_understand(block) && is_for_us(block))
            .map(Element::expanded_name)
            .collect()
    }

    /// The values that the WS-Addressing headers that are for us name as the message's `Action` (of 2004/08
    /// and of 1.0), without white space around it: one that contradicts the Body is a reason to
    /// refuse the message.
    ///
    /// Headers need not be signed: never a reason to do something.
    pub fn actions(&self) -> Vec<String> {
        let headers = self.envelope.header().into_iter();
        headers
            .flat_map(|header| header.children())
            .filter(|block| block.local_name() == "Action")
            .filter(|block| ADDRESSING.contains(&block.namespace()) && is_for_us(*block))
            .map(|block| collapse(&block.text().unwrap_or(Cow::Borrowed("?"))).to_owned())
            .collect()
    }
}

pub(crate) fn verify(
    envelope: Envelope,
    policy: &Policy,
    now: Timestamp,
) -> Result<Verified, SecurityError> {
    let facts = check(&envelope, policy, now)?;
    Ok(Verified { envelope, facts })
}

/// Every check, the cheap ones first. The signature comes before the digests, so that a message
/// without a good one costs no more than its `SignedInfo`.
fn check(envelope: &Envelope, policy: &Policy, now: Timestamp) -> Result<Facts, SecurityError> {
    let security = security_header(envelope)?;
    let parts = Parts::of(envelope, security)?;
    let timestamp = timestamp(security)?;
    let signature = signature(security)?;

    let validity = Validity::read(timestamp)?;
    validity.check(policy, now)?;

    let signature = Signature::read(signature)?;
    if signature.uses_sha1() && !policy.accept_sha1 {
        return Err(SecurityError::Sha1Refused);
    }
    let covered = covered(&signature, &parts, security)?;
    let digest = digest_of(Part::Element(envelope.body()), &covered);
    let digest = digest.ok_or(SecurityError::BodyNotSigned)?;
    digest_of(Part::Element(timestamp), &covered).ok_or(SecurityError::TimestampNotSigned)?;

    let hints = match signature.key_info {
        Some(key_info) => key_info::read(key_info, &parts, security)?,
        None => Vec::new(),
    };
    let candidates = signer::candidates(&policy.trust, &hints, now)?;

    let mut budget = canonical_budget(envelope.tree.bytes());
    let signer = check_signature(&signature, candidates, &mut budget)?;
    for (part, reference) in &covered {
        let found = match *part {
            Part::Element(element) => {
                let method = &reference.canonicalization;
                hash(element, method, reference.hash, &mut budget)?
            }
            Part::Certificate(token_reference) => {
                let hints = key_info::token_reference(token_reference, &parts, security)?;
                signer::check_hints(&hints, &signer)?;
                let token = key_info::made_token(token_reference, &signer);
                reference.hash.of(token.as_bytes())
            }
        };
        if found != reference.digest {
            return Err(SecurityError::DigestMismatch {
                uri: reference.uri.to_owned(),
            });
        }
    }
    Ok(Facts {
        security: security.node(),
        signer,
        algorithms: Algorithms {
            signature: signature.method.hash(),
            digest,
        },
        method: signature.method,
        validity,
    })
}

fn security_header(envelope: &Envelope) -> Result<Element<'_>, SecurityError> {
    let blocks = envelope.header().into_iter().flat_map(|h| h.children());
    only(
        blocks.filter(|&block| block.is(WSSE, "Security") && is_for_us(block)),
        SecurityError::NoSecurityHeader,
        SecurityError::SeveralSecurityHeaders,
    )
}

fn timestamp(security: Element<'_>) -> Result<Element<'_>, SecurityError> {
    only(
        security
            .children()
            .filter(|child| child.is(WSU, "Timestamp")),
        SecurityError::NoTimestamp,
        SecurityError::SeveralTimestamps,
    )
}

fn signature(security: Element<'_>) -> Result<Element<'_>, SecurityError> {
    only(
        security
            .children()
            .filter(|child| child.is(DS, "Signature")),
        SecurityError::NoSignature,
        SecurityError::SeveralSignatures,
    )
}

fn only<'a>(
    mut elements: impl Iterator<Item = Element<'a>>,
    none: SecurityError,
    several: SecurityError,
) -> Result<Element<'a>, SecurityError> {
    let element = elements.next().ok_or(none)?;
    elements.next().map_or(Ok(element), |_| Err(several))
}

type Covered<'r, 'a> = Vec<(Part<'a>, &'r signature::Reference<'a>)>;

/// The part that a reference covers.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// An element of the message.
    Element(Element<'a>),
    /// The signer's certificate, which this `SecurityTokenReference` names without a token.
    Certificate(Element<'a>),
}

impl Part<'_> {
    fn is(self, other: Part<'_>) -> bool {
        match (self, other) {
            (Part::Element(a), Part::Element(b)) | (Part::Certificate(a), Part::Certificate(b)) => {
                a.node() == b.node()
            }
            _ => false,
        }
    }
}

/// The part that each reference names; no part is named twice.
fn covered<'r, 'a>(
    signature: &'r Signature<'a>,
    parts: &Parts<'a>,
    security: Element<'a>,
) -> Result<Covered<'r, 'a>, SecurityError> {
    let mut covered: Covered<'r, 'a> = Vec::new();
    for reference in &signature.references {
        let uri = || reference.uri.to_owned();
        let is_id = |id: &str| !id.is_empty() && !id.contains(['(', '/']);
        if !reference.uri.strip_prefix('#').is_some_and(is_id) {
            return Err(SecurityError::UnsupportedReference { uri: uri() });
        }
        let unresolved = || SecurityError::UnresolvedReference { uri: uri() };
        let part = if reference.of_token {
            let key_info = signature.key_info;
            let token_reference = parts.find_token_reference(reference.uri, key_info);
            let token_reference = token_reference.ok_or_else(unresolved)?;
            key_info::referenced_token(token_reference, parts, security)?
                .map_or(Part::Certificate(token_reference), Part::Element)
        } else {
            Part::Element(parts.find(reference.uri).ok_or_else(unresolved)?)
        };
        if digest_of(part, &covered).is_some() {
            return Err(SecurityError::RepeatedReference { uri: uri() });
        }
        covered.push((part, reference));
    }
    Ok(covered)
}

/// The hash of the digest that covers a part, if one does.
fn digest_of(part: Part<'_>, covered: &Covered<'_, '_>) -> Option<Hash> {
    covered
        .iter()
        .find(|(other, _)| other.is(part))
        .map(|(_, reference)| reference.hash)
}

/// The candidate whose key made the signature.
fn check_signature(
    signature: &Signature<'_>,
    candidates: Vec<Certificate>,
    budget: &mut usize,
) -> Result<Certificate, SecurityError> {
    let found = signature.value.len();
    if let [signer] = candidates.as_slice()
        && signer.key().as_rsa().size() != found
    {
        let expected = signer.key().as_rsa().size();
        return Err(SecurityError::SignatureLength { expected, found });
    }
    let method = &signature.canonicalization;
    let digest = hash(
        signature.signed_info,
        method,
        signature.method.hash(),
        budget,
    )?;
    candidates
        .into_iter()
        .find(|signer| {
            let method = signature.method;
            method.verify(signer.key(), &digest, &signature.value)
        })
        .ok_or(SecurityError::SignatureMismatch)
}

fn hash(
    element: Element<'_>,
    method: &Method<'_>,
    hash: Hash,
    budget: &mut usize,
) -> Result<Vec<u8>, SecurityError> {
    let mut hasher = hash.hasher();
    canonicalize(element, method, budget, &mut hasher)
        .map_err(|_| SecurityError::CanonicalFormTooLong)?;
    Ok(hasher.finish())
}

fn is_for_us(block: Element<'_>) -> bool {
    let actor = block.attribute(SOAP, "actor").unwrap_or_default();
    OUR_ACTORS.contains(&collapse(actor))
}

fn must_understand(block: Element<'_>) -> bool {
    let value = block.attribute(SOAP, "mustUnderstand").unwrap_or_default();
    matches!(collapse(value), "1" | "true")
}
