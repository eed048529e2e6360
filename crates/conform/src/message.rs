//! Messages as other signers write them, and as nobody should: text surgery on signed messages, and a
//! signer that signs any message.
//!
//! [`wsse::Signer`] writes good messages in one shape. A provider must also read other shapes, and
//! refuse hostile ones; both are made here of a good message by replacing pieces of its text,
//! before or after [`Identity::sign_again`].

use std::time::Duration;

use anyhow::{Context, bail};
use base64ct::{Base64, Encoding};
use jiff::Timestamp;
use rsa::{
    Pkcs1v15Sign, PrivateKey as RsaPrivateKey, PublicKey as RsaPublicKey,
    pkcs1::DecodeRsaPrivateKey, pkcs8::DecodePrivateKey,
};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use wsse::{
    Algorithms, Certificate, Content, Document, Element, Signer, exclusive_c14n, inclusive_c14n,
    inclusive_c14n11,
};

use super::names::{DS, WSU, XML};

/// A private key with its certificate. The key is not shown by `Debug`.
pub struct Identity {
    signer: Signer,
    key: RsaPrivateKey,
}

impl Identity {
    /// Reads a private key (PKCS#8 or PKCS#1, not encrypted) and its certificate, both PEM.
    ///
    /// # Errors
    /// As [`Signer::from_pem`].
    pub fn from_pem(key: &str, certificate: &str) -> anyhow::Result<Self> {
        let signer = Signer::from_pem(key, certificate)?;
        let key = RsaPrivateKey::from_pkcs8_pem(key.trim())
            .ok()
            .or_else(|| RsaPrivateKey::from_pkcs1_pem(key.trim()).ok())
            .context("not an RSA private key")?;
        Ok(Self { signer, key })
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        self.signer.certificate()
    }

    /// The key; for making a certificate that lies.
    pub(super) fn key(&self) -> &RsaPrivateKey {
        &self.key
    }

    /// The public key.
    pub fn public_key(&self) -> &RsaPublicKey {
        self.key.as_public_key()
    }

    /// A good message.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn sign(
        &self,
        content: &Content,
        algorithms: Algorithms,
        created: Timestamp,
        lifetime: Duration,
    ) -> anyhow::Result<String> {
        Ok(self.signer.sign(content, algorithms, created, lifetime)?)
    }

    /// Makes the first signature of any message valid: every `DigestValue` is that of the first element
    /// with the reference's id, and `SignatureValue` is made of `SignedInfo`, both by the algorithms that
    /// are written there.
    ///
    /// # Errors
    /// If the message is not well-formed or has no signature.
    pub fn sign_again(&self, message: &str) -> anyhow::Result<String> {
        let document = Document::parse(message.as_bytes())?;
        let root = document.root();
        let signature = find(root, &|e| e.is(DS, "Signature")).context("no Signature")?;
        let digests: Vec<String> = all(signature, "Reference")
            .into_iter()
            .map(|reference| {
                Base64::encode_string(&digest_of(root, reference).unwrap_or_else(|| vec![0; 20]))
            })
            .collect();
        let message = replace_texts(message, "DigestValue", digests);

        let document = Document::parse(message.as_bytes())?;
        let signed_info =
            find(document.root(), &|e| e.is(DS, "SignedInfo")).context("no SignedInfo")?;
        let value = sign_bytes(&self.key, method(signed_info), &canonical_info(signed_info))?;
        Ok(replace_texts(
            &message,
            "SignatureValue",
            vec![Base64::encode_string(&value)],
        ))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", self.certificate())
            .finish_non_exhaustive()
    }
}

/// The statements of a signature and their truth, checked more coarsely than by [`wsse`]: to describe a
/// mistake, never to believe a message.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// True if `SignatureValue` is of the key that was asked for.
    pub signature_holds: bool,
    /// True if every digest is that of the part its reference names.
    pub digests_hold: bool,
    /// True if a reference names the envelope's Body.
    pub body_referenced: bool,
    /// True if a reference names the Timestamp of the Security header.
    pub timestamp_referenced: bool,
    /// The `SignatureMethod`.
    pub signature_method: String,
    /// The `DigestMethod`s.
    pub digest_methods: Vec<String>,
    /// `CanonicalizationMethod` and transforms.
    pub canonicalizations: Vec<String>,
}

/// Looks at the first signature of a message; `None` if there is none.
pub fn inspect(message: &[u8], key: &RsaPublicKey) -> Option<Inspection> {
    let document = Document::parse(message).ok()?;
    let root = document.root();
    let signature = find(root, &|e| e.is(DS, "Signature"))?;
    let signed_info = child(signature, "SignedInfo")?;
    let references = all(signed_info, "Reference");
    let stated = |reference| {
        let value = all(reference, "DigestValue").pop()?.text()?.into_owned();
        decode(&value)
    };
    let names = |path: &[&str]| {
        let part = path
            .iter()
            .try_fold(root, |element, name| child(element, name));
        part.is_some_and(|part| {
            references
                .iter()
                .any(|reference| has_id(part, attribute(*reference, "URI").trim_start_matches('#')))
        })
    };
    let value = child(signature, "SignatureValue")
        .and_then(|value| decode(&value.text()?))
        .unwrap_or_default();
    let algorithms = |name| -> Vec<String> {
        all(signed_info, name)
            .into_iter()
            .map(|element| attribute(element, "Algorithm").to_owned())
            .collect()
    };
    Some(Inspection {
        signature_holds: verify_bytes(
            key,
            method(signed_info),
            &canonical_info(signed_info),
            &value,
        ),
        digests_hold: !references.is_empty()
            && references.iter().all(|reference| {
                stated(*reference).is_some_and(|d| Some(d) == digest_of(root, *reference))
            }),
        body_referenced: names(&["Body"]),
        timestamp_referenced: names(&["Header", "Security", "Timestamp"]),
        signature_method: method(signed_info).to_owned(),
        digest_methods: algorithms("DigestMethod"),
        canonicalizations: [
            algorithms("CanonicalizationMethod"),
            algorithms("Transform"),
        ]
        .concat(),
    })
}

/// The digest of the part that a reference names, by the algorithms it names.
fn digest_of(root: Element<'_>, reference: Element<'_>) -> Option<Vec<u8>> {
    let id = attribute(reference, "URI").trim_start_matches('#');
    let part = match id {
        "" => root,
        id => find(root, &|e| has_id(e, id))?,
    };
    let hash = all(reference, "DigestMethod").pop();
    let transform = all(reference, "Transform").pop();
    // A reference by `#id` is to a node set without comments.
    let bytes = canonical(part, transform, false);
    Some(hash_bytes(
        hash.map_or("", |h| attribute(h, "Algorithm")),
        &bytes,
    ))
}

fn method(signed_info: Element<'_>) -> &str {
    all(signed_info, "SignatureMethod")
        .pop()
        .map_or("", |method| attribute(method, "Algorithm"))
}

fn canonical_info(signed_info: Element<'_>) -> Vec<u8> {
    canonical(signed_info, signed_info.children().next(), true)
}

fn canonical(part: Element<'_>, method: Option<Element<'_>>, may_have_comments: bool) -> Vec<u8> {
    let algorithm = method.map_or("", |m| attribute(m, "Algorithm"));
    let comments = algorithm.ends_with("#WithComments") && may_have_comments;
    let list = method
        .and_then(|m| m.children().next())
        .map_or("", |parameter| attribute(parameter, "PrefixList"));
    let prefixes: Vec<&str> = list.split_ascii_whitespace().collect();
    if algorithm.contains("xml-c14n11") {
        inclusive_c14n11(part, comments)
    } else if algorithm.contains("xml-c14n-20010315") {
        inclusive_c14n(part, comments)
    } else {
        exclusive_c14n(part, comments, &prefixes)
    }
}

/// The hash that the end of an algorithm's identifier names, SHA-1 if none.
fn hash_bytes(algorithm: &str, bytes: &[u8]) -> Vec<u8> {
    match algorithm.rsplit(['#', '-']).next() {
        Some("sha256") => Sha256::digest(bytes).to_vec(),
        Some("sha384") => Sha384::digest(bytes).to_vec(),
        Some("sha512") => Sha512::digest(bytes).to_vec(),
        _ => Sha1::digest(bytes).to_vec(),
    }
}

fn scheme(algorithm: &str) -> Pkcs1v15Sign {
    match algorithm.rsplit(['#', '-']).next() {
        Some("sha256") => Pkcs1v15Sign::new::<Sha256>(),
        Some("sha384") => Pkcs1v15Sign::new::<Sha384>(),
        Some("sha512") => Pkcs1v15Sign::new::<Sha512>(),
        _ => Pkcs1v15Sign::new::<Sha1>(),
    }
}

/// RSA PKCS#1 v1.5 by the hash that the algorithm's identifier names.
pub(super) fn sign_bytes(
    key: &RsaPrivateKey,
    algorithm: &str,
    bytes: &[u8],
) -> anyhow::Result<Vec<u8>> {
    Ok(key.sign(scheme(algorithm), &hash_bytes(algorithm, bytes))?)
}

fn verify_bytes(key: &RsaPublicKey, algorithm: &str, bytes: &[u8], signature: &[u8]) -> bool {
    let digest = hash_bytes(algorithm, bytes);
    key.verify(scheme(algorithm), &digest, signature).is_ok()
}

/// HMAC (RFC 2104), for the attack that signs with a public key as if it were a shared one.
fn hmac<D: Digest>(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    let short = if key.len() > block.len() {
        D::digest(key).to_vec()
    } else {
        key.to_vec()
    };
    for (at, byte) in block.iter_mut().zip(short) {
        *at = byte;
    }
    let keyed = |pad: u8, rest: &[u8]| {
        let pad: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
        D::digest([pad.as_slice(), rest].concat()).to_vec()
    };
    keyed(0x5c, &keyed(0x36, bytes))
}

/// HMAC-SHA1 and HMAC-SHA256, which every library of XML signatures knows.
pub(super) const HMACS: [&str; 2] = [
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
];

/// Makes the signature of a message an HMAC by this method under this key, and says so. Digests
/// stay as they are.
///
/// # Errors
/// If the message is not well-formed or has no signature.
pub fn sign_hmac(message: &str, algorithm: &str, key: &[u8]) -> anyhow::Result<String> {
    let document = Document::parse(message.as_bytes())?;
    let signed_info =
        find(document.root(), &|e| e.is(DS, "SignedInfo")).context("no SignedInfo")?;
    let stated = format!("Algorithm=\"{}\"", method(signed_info));
    let message = swap(message, &stated, &format!("Algorithm=\"{algorithm}\""))?;
    let document = Document::parse(message.as_bytes())?;
    let signed_info =
        find(document.root(), &|e| e.is(DS, "SignedInfo")).context("no SignedInfo")?;
    let info = canonical_info(signed_info);
    let value = if algorithm.ends_with("sha256") {
        hmac::<Sha256>(key, &info)
    } else {
        hmac::<Sha1>(key, &info)
    };
    Ok(replace_texts(
        &message,
        "SignatureValue",
        vec![Base64::encode_string(&value)],
    ))
}

/// Replaces the first occurrence.
///
/// # Errors
/// If there is none: a surgery that does nothing would prove nothing.
pub fn swap(text: &str, from: &str, to: &str) -> anyhow::Result<String> {
    if !text.contains(from) {
        bail!("there is no {from:?} in the message to be changed");
    }
    Ok(text.replacen(from, to, 1))
}

/// The piece from the first `start` to the first `end` after it, both included.
///
/// # Errors
/// If there is none.
pub fn piece<'a>(text: &'a str, start: &str, end: &str) -> anyhow::Result<&'a str> {
    let found = text.find(start).and_then(|from| {
        let rest = text.get(from..)?;
        let inner = rest.get(start.len()..)?;
        rest.get(..start.len() + inner.find(end)? + end.len())
    });
    found.with_context(|| format!("there is no {start:?} … {end:?} in the message"))
}

/// Replaces the texts of the first elements with a local name, one after the other.
fn replace_texts(message: &str, local: &str, texts: Vec<String>) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    let close = format!("{local}>");
    for text in texts {
        // An opening tag without attributes: `<DigestValue>` or `<ds:DigestValue>`.
        let Some(opened) = rest.find(&close).map(|at| at + close.len()) else {
            break;
        };
        let (before, after) = rest.split_at(opened);
        let ends = after.find('<').unwrap_or(after.len());
        out.push_str(before);
        out.push_str(&text);
        // Beyond the closing tag, so that it is not taken for the next opening one.
        let after = after.get(ends..).unwrap_or_default();
        let closed = after.find('>').map_or(after.len(), |at| at + 1);
        let (closing, after) = after.split_at(closed);
        out.push_str(closing);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The first element, in document order, that satisfies a condition.
pub(super) fn find<'a>(
    element: Element<'a>,
    condition: &dyn Fn(Element<'a>) -> bool,
) -> Option<Element<'a>> {
    if condition(element) {
        return Some(element);
    }
    element.children().find_map(|child| find(child, condition))
}

fn all<'a>(element: Element<'a>, local: &str) -> Vec<Element<'a>> {
    let below = element.children().flat_map(|child| all(child, local));
    let own = (element.local_name() == local).then_some(element);
    own.into_iter().chain(below.collect::<Vec<_>>()).collect()
}

fn child<'a>(element: Element<'a>, local: &str) -> Option<Element<'a>> {
    element.children().find(|child| child.local_name() == local)
}

fn attribute<'a>(element: Element<'a>, name: &str) -> &'a str {
    element.attribute("", name).unwrap_or_default()
}

fn has_id(element: Element<'_>, id: &str) -> bool {
    [(WSU, "Id"), ("", "Id"), ("", "ID"), (XML, "id")]
        .into_iter()
        .any(|(namespace, local)| !id.is_empty() && element.attribute(namespace, local) == Some(id))
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    let text: String = base64.split_ascii_whitespace().collect();
    Base64::decode_vec(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hmac_is_that_of_rfc_2202() {
        let digest = hmac::<Sha1>(&[0x0b; 20], b"Hi There");
        assert_eq!(
            Base64::encode_string(&digest),
            "thcxhlUFcmTii8C2+zeMjvFGvgA="
        );
        let digest = hmac::<Sha1>(
            &[0xaa; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
        );
        assert_eq!(
            Base64::encode_string(&digest),
            "qkrl4VJy0A6VcFY3zoo7Ve1AIRI="
        );
    }

    #[test]
    fn texts_are_replaced_in_their_order_whatever_the_prefix() {
        let text = "<a:V></a:V><b>1</b><V>x</V><V>y</V>";
        assert_eq!(
            replace_texts(text, "V", vec!["1".into(), "2".into()]),
            "<a:V>1</a:V><b>1</b><V>2</V><V>y</V>"
        );
    }
}
