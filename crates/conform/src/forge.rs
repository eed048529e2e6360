//! Hostile messages, each made of a good one of [`wsse::Signer`] by surgery on its text, and
//! the strangers who sign some of them. What each tries stands with it.

use std::time::Duration;

use anyhow::Context;
use base64ct::{Base64, Encoding};
use jiff::{SignedDuration, Timestamp};
use mpay_client::LIFETIME;
use rsa::{
    pkcs1::EncodeRsaPublicKey, pkcs8::EncodePrivateKey, pkcs8::EncodePublicKey, pkcs8::LineEnding,
    traits::PublicKeyParts,
};
use wsse::{Algorithms, Certificate, Content};
use x509_cert::der::{Decode, Encode};

use super::{
    message::{HMACS, Identity, piece, sign_bytes, sign_hmac, swap},
    names::{DS, EXC_C14N, MPAY, SOAP, WSSE, WSU},
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

/// A Body that says something else than the signed one, for the place where a careless reader
/// takes it from. It asks for the same order in another language, so that a provider that falls
/// for it answers with a result.
fn other_body(message: &str) -> Message {
    let body = swap(body(message)?, BODY_ID, "")?;
    swap(&body, "<Language>ro</Language>", "<Language>en</Language>")
}

/// The message with another Body in place, and the signed one put before or after something.
fn wrapped(message: &str, at: &str, with: impl FnOnce(&str) -> String) -> Message {
    let signed = body(message)?.to_owned();
    let other = other_body(message)?;
    let without = swap(message, &signed, &other)?;
    swap(&without, at, &with(&signed))
}

// Nothing signed.

/// Nobody signs: the message as a browser could send it.
pub(super) fn unsigned(message: &str) -> Message {
    let header = piece(message, "<soap:Header>", "</soap:Header>")?;
    swap(message, header, "")
}

/// A Security header with a timestamp and a certificate, which are public, but no signature.
pub(super) fn without_signature(message: &str) -> Message {
    swap(message, signature(message)?, "")
}

/// An empty Signature element, for readers that look only whether there is one.
pub(super) fn empty_signature(message: &str) -> Message {
    let empty = format!("<ds:Signature xmlns:ds=\"{DS}\"></ds:Signature>");
    swap(message, signature(message)?, &empty)
}

/// A signature that covers nothing.
pub(super) fn no_references(message: &str, mpay: &Identity) -> Message {
    let message = swap(message, reference(message, "Body")?, "")?;
    let message = swap(&message, reference(&message, "Timestamp")?, "")?;
    mpay.sign_again(&message)
}

/// A signature over the timestamp alone, as it could be cut out of any message.
pub(super) fn body_not_signed(message: &str, mpay: &Identity) -> Message {
    mpay.sign_again(&swap(message, reference(message, "Body")?, "")?)
}

/// A signature over the Body alone, so that the timestamp can be renewed for ever.
pub(super) fn timestamp_not_signed(message: &str, mpay: &Identity) -> Message {
    mpay.sign_again(&swap(message, reference(message, "Timestamp")?, "")?)
}

/// No timestamp at all: such a message would be good for ever.
pub(super) fn no_timestamp(message: &str, mpay: &Identity) -> Message {
    let message = swap(message, reference(message, "Timestamp")?, "")?;
    mpay.sign_again(&swap(&message, timestamp(&message)?, "")?)
}

/// A signature over what is in the Body instead of the Body.
pub(super) fn operation_signed(message: &str, mpay: &Identity) -> Message {
    let message = swap(message, BODY_ID, "")?;
    let opened = format!(" xmlns=\"{MPAY}\">");
    let with_id = format!(" xmlns=\"{MPAY}\" Id=\"Body\">");
    mpay.sign_again(&swap(&message, &opened, &with_id)?)
}

// Altered.

/// Something else in the Body.
pub(super) fn tampered_body(message: &str) -> Message {
    swap(
        message,
        "<Language>ro</Language>",
        "<Language>en</Language>",
    )
}

/// A longer life.
pub(super) fn tampered_timestamp(message: &str) -> Message {
    let expires = piece(message, "<wsu:Expires>", "</wsu:Expires>")?;
    let later = format!("<wsu:Expires>{:.3}</wsu:Expires>", seconds_from_now(600));
    swap(message, expires, &later)
}

/// A signature value that is not the signature's.
pub(super) fn tampered_signature(message: &str) -> Message {
    let value = piece(message, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
    let start = "<ds:SignatureValue>".len();
    let first = value.get(start..=start).context("an empty signature")?;
    let other = if first == "A" { "B" } else { "A" };
    let changed = swap(
        value,
        &format!("<ds:SignatureValue>{first}"),
        &format!("<ds:SignatureValue>{other}"),
    )?;
    swap(message, value, &changed)
}

/// Another Body with its right digest, but `SignedInfo` is not signed again: for readers that
/// check digests only.
pub(super) fn tampered_digest(message: &str, stranger: &Identity) -> Message {
    let value = piece(message, "<ds:SignatureValue>", "</ds:SignatureValue>")?.to_owned();
    let again = stranger.sign_again(&tampered_body(message)?)?;
    let strange = piece(&again, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
    swap(&again, strange, &value)
}

// Signed by others.

/// A stranger signs with a certificate of its own.
pub(super) fn by(signer: &Identity, content: &Content) -> Message {
    signer.sign(content, Algorithms::SHA1, seconds_from_now(0), LIFETIME)
}

/// A stranger signs and shows MPay's certificate: for readers that take the key from elsewhere
/// than the certificate they check.
pub(super) fn under_mpays_certificate(message: &str, stranger: &Identity) -> Message {
    stranger.sign_again(message)
}

/// A stranger's key in `KeyValue`: for readers that take the key which the message brings.
pub(super) fn key_value(message: &str, stranger: &Identity) -> Message {
    let key = stranger.public_key();
    let value = format!(
        "<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{}</ds:Modulus><ds:Exponent>{}</ds:Exponent></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>",
        Base64::encode_string(&key.n_bytes()),
        Base64::encode_string(&key.e_bytes()),
    );
    stranger.sign_again(&swap(message, key_info(message)?, &value)?)
}

/// A stranger's certificate beside MPay's, which stands first: for readers that check one and
/// verify with the other.
pub(super) fn two_certificates(message: &str, mpay: &Identity, stranger: &Identity) -> Message {
    let one = |identity: &Identity| {
        let certificate = Base64::encode_string(identity.certificate().der());
        format!("<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>")
    };
    let both = format!("<ds:KeyInfo>{}{}</ds:KeyInfo>", one(mpay), one(stranger));
    stranger.sign_again(&swap(message, key_info(message)?, &both)?)
}

/// HMACs by every method under every key, with digests that hold.
fn hmacs(
    message: &str,
    mpay: &Identity,
    keys: &[(&'static str, Vec<u8>)],
) -> anyhow::Result<Vec<(String, String)>> {
    let message = mpay.sign_again(&tampered_body(message)?)?;
    let mut forged = Vec::new();
    for algorithm in HMACS {
        for (name, key) in keys {
            let method = algorithm.rsplit('#').next().unwrap_or_default();
            let what = format!("{method} with {name} as the secret");
            forged.push((what, sign_hmac(&message, algorithm, key)?));
        }
    }
    Ok(forged)
}

/// HMACs under MPay's public key, which everybody has: for readers that let the message choose
/// the algorithm.
pub(super) fn hmac(message: &str, mpay: &Identity) -> anyhow::Result<Vec<(String, String)>> {
    let key = mpay.public_key();
    let der = key.to_public_key_der().context("a public key in DER")?;
    let keys = [
        (
            "MPay's public key in PEM",
            key.to_public_key_pem(LineEnding::LF)?.into_bytes(),
        ),
        (
            "MPay's public key as PKCS#1",
            key.to_pkcs1_der()?.as_bytes().to_vec(),
        ),
        ("MPay's modulus", key.n_bytes().to_vec()),
        ("MPay's public key", der.as_bytes().to_vec()),
    ];
    hmacs(message, mpay, &keys)
}

/// The same under MPay's certificate, in the forms in which a reader may hold it.
pub(super) fn hmac_certificate(
    message: &str,
    mpay: &Identity,
) -> anyhow::Result<Vec<(String, String)>> {
    let der = mpay.certificate().der();
    let pem = pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, der)?;
    let keys = [
        (
            "MPay's certificate in PEM, trimmed,",
            pem.trim().as_bytes().to_vec(),
        ),
        (
            "MPay's certificate in base64",
            Base64::encode_string(der).into_bytes(),
        ),
        ("MPay's certificate in PEM", pem.into_bytes()),
        ("MPay's certificate", der.to_vec()),
    ];
    hmacs(message, mpay, &keys)
}

/// HMACs under no key, as where none was configured, and of no length (CVE-2009-0217).
pub(super) fn hmac_empty(message: &str, mpay: &Identity) -> anyhow::Result<Vec<(String, String)>> {
    let mut forged = hmacs(message, mpay, &[("nothing", Vec::new())])?;
    let Some((_, first)) = forged.first() else {
        return Ok(forged);
    };
    let method = piece(first, "<ds:SignatureMethod", "</ds:SignatureMethod>")?;
    let short = method.replace(
        "</ds:SignatureMethod>",
        "<ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>",
    );
    let short = swap(first, method, &short)?;
    let value = piece(&short, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
    let short = swap(&short, value, "<ds:SignatureValue></ds:SignatureValue>")?;
    forged.push(("an HMAC of no length".to_owned(), short));
    Ok(forged)
}

/// No signature value, over digests that hold: for readers that take an error of their library
/// for success.
pub(super) fn empty_value(message: &str, stranger: &Identity) -> Message {
    let again = stranger.sign_again(&tampered_body(message)?)?;
    let value = piece(&again, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
    swap(&again, value, "<ds:SignatureValue></ds:SignatureValue>")
}

/// A stranger signs the Body in place, MPay's signature holds for its own in a header: for
/// readers that ask whether any signature is MPay's, and any covers the Body.
pub(super) fn two_signatures(message: &str, stranger: &Identity) -> Message {
    let mpays = signature(message)?;
    let other = swap(
        &other_body(message)?,
        "<soap:Body",
        "<soap:Body wsu:Id=\"Other\"",
    )?;
    let signed = body(message)?;
    let certificate = Base64::encode_string(stranger.certificate().der());
    let own = format!(
        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    );
    let strange = swap(&mpays.replace("#Body", "#Other"), key_info(mpays)?, &own)?;
    let both = swap(message, mpays, &format!("{strange}{mpays}"))?;
    let both = swap(&both, signed, &other)?;
    let both = swap(
        &both,
        "</soap:Header>",
        &format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Header>"),
    )?;
    stranger.sign_again(&both)
}

// Out of time.

/// Signed by MPay, so many seconds ago.
pub(super) fn signed_ago(
    mpay: &Identity,
    content: &Content,
    seconds: i64,
    lifetime: Duration,
) -> Message {
    mpay.sign(
        content,
        Algorithms::SHA1,
        seconds_from_now(-seconds),
        lifetime,
    )
}

/// A message that expired, its signed timestamp hidden in a header and a fresh one, unsigned, in
/// its place.
pub(super) fn wrapped_timestamp(stale: &str) -> Message {
    let signed = timestamp(stale)?.to_owned();
    let fresh = format!(
        "<wsu:Timestamp wsu:Id=\"Fresh\"><wsu:Created>{:.3}</wsu:Created><wsu:Expires>{:.3}</wsu:Expires></wsu:Timestamp>",
        seconds_from_now(0),
        seconds_from_now(300)
    );
    let message = swap(stale, &signed, &fresh)?;
    swap(
        &message,
        "</soap:Header>",
        &format!("<x:Old xmlns:x=\"urn:x\">{signed}</x:Old></soap:Header>"),
    )
}

/// A message that expired, with a fresh timestamp, unsigned, beside the signed one: for readers
/// that take the first, or the last.
pub(super) fn two_timestamps(stale: &str) -> anyhow::Result<Vec<(String, String)>> {
    let signed = timestamp(stale)?;
    let fresh = format!(
        "<wsu:Timestamp xmlns:wsu=\"{WSU}\"><wsu:Created>{:.3}</wsu:Created><wsu:Expires>{:.3}</wsu:Expires></wsu:Timestamp>",
        seconds_from_now(0),
        seconds_from_now(300)
    );
    Ok(vec![
        (
            "a fresh Timestamp before the signed one".to_owned(),
            swap(stale, signed, &format!("{fresh}{signed}"))?,
        ),
        (
            "a fresh Timestamp after the signed one".to_owned(),
            swap(stale, signed, &format!("{signed}{fresh}"))?,
        ),
    ])
}

// Wrapping: the signed Body is somewhere, and another one where bodies are read from.

/// In a header of its own name.
pub(super) fn wrapped_in_wrapper(message: &str) -> Message {
    wrapped(message, "</soap:Header>", |signed| {
        format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Header>")
    })
}

/// The same of a confirmation of 1.00, with 2.00 in place.
pub(super) fn wrapped_confirmation(message: &str) -> Message {
    let signed = body(message)?;
    let other = swap(signed, BODY_ID, "")?.replace(">1.00<", ">2.00<");
    let without = swap(message, signed, &other)?;
    swap(
        &without,
        "</soap:Header>",
        &format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Header>"),
    )
}

/// As a header itself.
pub(super) fn wrapped_as_header(message: &str) -> Message {
    wrapped(message, "</soap:Header>", |signed| {
        format!("{signed}</soap:Header>")
    })
}

/// In the Security header.
pub(super) fn wrapped_in_security(message: &str) -> Message {
    wrapped(message, "<wsu:Timestamp ", |signed| {
        format!("{signed}<wsu:Timestamp ")
    })
}

/// In an `Object` of the signature, where enveloping signatures keep what they sign.
pub(super) fn wrapped_in_object(message: &str) -> Message {
    wrapped(message, "</ds:Signature>", |signed| {
        format!("<ds:Object>{signed}</ds:Object></ds:Signature>")
    })
}

/// In `KeyInfo`.
pub(super) fn wrapped_in_key_info(message: &str) -> Message {
    wrapped(message, "</ds:KeyInfo>", |signed| {
        format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></ds:KeyInfo>")
    })
}

/// Within the other Body, after its operation.
pub(super) fn wrapped_in_body(message: &str) -> Message {
    wrapped(message, "</GetOrderDetails></soap:Body>", |signed| {
        format!("</GetOrderDetails><x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Body>")
    })
}

/// In a second Envelope after the Body.
pub(super) fn wrapped_in_envelope(message: &str) -> Message {
    wrapped(message, "</soap:Body></soap:Envelope>", |signed| {
        format!(
            "</soap:Body><soap:Envelope xmlns:soap=\"{SOAP}\">{signed}</soap:Envelope></soap:Envelope>"
        )
    })
}

/// A second Body before the signed one: for readers that take the first.
pub(super) fn body_before(message: &str) -> Message {
    let signed = body(message)?;
    swap(
        message,
        signed,
        &format!("{}{signed}", other_body(message)?),
    )
}

/// A second Body after the signed one: for readers that take the last.
pub(super) fn body_after(message: &str) -> Message {
    let signed = body(message)?;
    swap(
        message,
        signed,
        &format!("{signed}{}", other_body(message)?),
    )
}

/// The same id on the signed Body in a header and on the other one in place: what the id means
/// is a matter of the reader.
pub(super) fn duplicate_ids(message: &str) -> Message {
    let signed = body(message)?.to_owned();
    let other = swap(
        &other_body(message)?,
        "<soap:Body",
        &format!("<soap:Body{BODY_ID}"),
    )?;
    let message = swap(message, &signed, &other)?;
    swap(
        &message,
        "<soap:Header>",
        &format!("<soap:Header><x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper>"),
    )
}

/// The id of the signed Body, which is in a header, as an attribute of another name on the Body
/// in place.
pub(super) fn other_ids(message: &str) -> anyhow::Result<Vec<(String, String)>> {
    let signed = body(message)?;
    let mut forged = Vec::new();
    for name in ["Id", "ID", "id", "xml:id"] {
        let other = swap(
            &other_body(message)?,
            "<soap:Body",
            &format!("<soap:Body {name}=\"Body\""),
        )?;
        let message = swap(message, signed, &other)?;
        let message = swap(
            &message,
            "</soap:Header>",
            &format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Header>"),
        )?;
        forged.push((
            format!("wsu:Id on the signed Body in a header, {name} on the one in place"),
            message,
        ));
    }
    Ok(forged)
}

/// Two Security headers, of which the second is signed.
pub(super) fn two_security_headers(message: &str) -> Message {
    let second = security(message)?;
    swap(
        message,
        second,
        &format!("<wsse:Security xmlns:wsse=\"{WSSE}\"></wsse:Security>{second}"),
    )
}

// Signatures that mean something else than they seem to. MPay signs them here, which it never
// does: a provider that takes them leaves it to the message what is signed.

fn other_transform(message: &str, mpay: &Identity, transform: &str) -> Message {
    let reference = reference(message, "Body")?;
    let stated = format!("<ds:Transform Algorithm=\"{EXC_C14N}\"></ds:Transform></ds:Transforms>");
    let changed = swap(reference, &stated, &format!("{transform}{stated}"))?;
    mpay.sign_again(&swap(message, reference, &changed)?)
}

/// A transform that takes signatures out of what is digested.
pub(super) fn enveloped_transform(message: &str, mpay: &Identity) -> Message {
    let transform = format!("<ds:Transform Algorithm=\"{DS}enveloped-signature\"></ds:Transform>");
    other_transform(message, mpay, &transform)
}

/// An XPath transform: it digests what it likes.
pub(super) fn xpath_transform(message: &str, mpay: &Identity) -> Message {
    other_transform(
        message,
        mpay,
        "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>true()</ds:XPath></ds:Transform>",
    )
}

/// An XSLT transform: a program that the receiver runs.
pub(super) fn xslt_transform(message: &str, mpay: &Identity) -> Message {
    other_transform(
        message,
        mpay,
        "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"><xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"><xsl:template match=\"/\"><xsl:copy-of select=\".\"/></xsl:template></xsl:stylesheet></ds:Transform>",
    )
}

/// A reference to a place on the network, which the receiver would fetch.
pub(super) fn remote_reference(message: &str, mpay: &Identity) -> Message {
    let body = reference(message, "Body")?;
    let remote = body.replace("URI=\"#Body\"", "URI=\"http://127.0.0.1:9/conform\"");
    mpay.sign_again(&swap(message, body, &format!("{body}{remote}"))?)
}

// XML that harms its reader.

/// A DTD with an entity that says what the signature covers.
pub(super) fn entity(message: &str) -> Message {
    let message = swap(
        message,
        "<Language>ro</Language>",
        "<Language>&l;</Language>",
    )?;
    Ok(format!("<!DOCTYPE x [<!ENTITY l \"ro\">]>{message}"))
}

/// A DTD with an entity from a file of the receiver.
pub(super) fn external_entity(message: &str) -> Message {
    let message = swap(
        message,
        "<Language>ro</Language>",
        "<Language>ro&f;</Language>",
    )?;
    Ok(format!(
        "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/hostname\">]>{message}"
    ))
}

/// Entities of entities: a few hundred bytes that become a hundred million.
pub(super) fn entity_bomb(message: &str) -> Message {
    let mut entities = "<!ENTITY a0 \"lollollollol\">".to_owned();
    for level in 1..=8 {
        let inner = format!("&a{};", level - 1).repeat(10);
        entities.push_str(&format!("<!ENTITY a{level} \"{inner}\">"));
    }
    let message = swap(
        message,
        "<Language>ro</Language>",
        "<Language>&a8;</Language>",
    )?;
    Ok(format!("<!DOCTYPE x [{entities}]>{message}"))
}

/// Elements in elements, deeper than a recursive reader's stack.
pub(super) fn deep_nesting(message: &str) -> Message {
    const DEPTH: usize = 20_000;
    let nested = format!("{}{}", "<x>".repeat(DEPTH), "</x>".repeat(DEPTH));
    swap(
        message,
        "</soap:Header>",
        &format!("<d:d xmlns:d=\"urn:x\">{nested}</d:d></soap:Header>"),
    )
}

// Who signs.

/// A certificate that says all that MPay's says (names, serial number, identifiers), but has the
/// stranger's key, which also signed it: for readers that compare names.
pub(super) fn namesake(mpay: &Certificate, stranger: &Identity) -> anyhow::Result<Identity> {
    const SHA256_WITH_RSA: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00,
    ];
    let parsed = x509_cert::Certificate::from_der(mpay.der())?;
    let tbs = parsed.tbs_certificate();
    let mut content = contents(&tbs.to_der()?)?.to_vec();
    let key = stranger.public_key().to_public_key_der()?;
    replace_bytes(
        &mut content,
        &tbs.subject_public_key_info().to_der()?,
        key.as_bytes(),
    )?;
    replace_bytes(&mut content, &tbs.signature().to_der()?, &SHA256_WITH_RSA)?;
    replace_bytes(
        &mut content,
        &tbs.issuer().to_der()?,
        &tbs.subject().to_der()?,
    )?;
    let tbs = sequence(&content);
    let signature = sign_bytes(stranger.key(), "#sha256", &tbs)?;
    let bits = der(0x03, &[&[0], signature.as_slice()].concat());
    let certificate = sequence(&[tbs.as_slice(), &SHA256_WITH_RSA, &bits].concat());
    let pem = pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, &certificate)?;
    Identity::from_pem(&stranger.key().to_pkcs8_pem(LineEnding::LF)?, &pem)
}

/// The identifier of a certificate's key: what its extension says, or the hash of the key
/// (RFC 5280, section 4.2.1.2, method 1).
pub(super) fn key_identifier(identity: &Identity) -> anyhow::Result<Vec<u8>> {
    use sha1::{Digest, Sha1};
    let parsed = x509_cert::Certificate::from_der(identity.certificate().der())?;
    let extension = parsed
        .tbs_certificate()
        .get_extension::<x509_cert::ext::pkix::SubjectKeyIdentifier>()?;
    Ok(match extension {
        Some((_, identifier)) => identifier.0.as_bytes().to_vec(),
        None => Sha1::digest(identity.public_key().to_pkcs1_der()?.as_bytes()).to_vec(),
    })
}

/// A certificate's serial number in decimal digits, as `X509SerialNumber` has it.
pub(super) fn serial_number(certificate: &Certificate) -> String {
    let mut digits = vec![0];
    for nibble in certificate
        .serial_number()
        .chars()
        .filter_map(|c| c.to_digit(16))
    {
        let mut carry = nibble;
        for digit in &mut digits {
            carry += *digit * 16;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.iter().rev().map(u32::to_string).collect()
}

fn replace_bytes(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) -> anyhow::Result<()> {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .context("the certificate is not encoded as expected")?;
    bytes.splice(at..at + from.len(), to.iter().copied());
    Ok(())
}

/// What is in a DER element.
fn contents(element: &[u8]) -> anyhow::Result<&[u8]> {
    let long = match element.get(1) {
        Some(length) if *length >= 0x80 => usize::from(*length & 0x7f),
        _ => 0,
    };
    element.get(2 + long..).context("an empty DER element")
}

fn sequence(content: &[u8]) -> Vec<u8> {
    der(0x30, content)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let bytes: Vec<u8> = length
        .to_be_bytes()
        .into_iter()
        .skip_while(|byte| *byte == 0)
        .collect();
    let mut element = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => element.push(short),
        _ => {
            element.push(0x80 | u8::try_from(bytes.len()).unwrap_or_default());
            element.extend(bytes);
        }
    }
    element.extend_from_slice(content);
    element
}

// Shapes of other signers, which are good.

/// The names of WCF: prefixes `s`, `o`, `u`, ids `_0` and `_1`, its own order and headers.
pub(super) fn like_wcf(message: &str, mpay: &Identity) -> Message {
    let body = body(message)?;
    let inner = body
        .split_once('>')
        .and_then(|(_, rest)| rest.strip_suffix("</soap:Body>"))
        .context("a Body")?;
    let signature = signature(message)?
        .replace("ds:", "")
        .replace("xmlns:ds", "xmlns")
        .replace("#Timestamp", "#_0")
        .replace("#Body", "#_1")
        .replace("wsse:", "o:")
        .replace(
            "\"#X509\"",
            "\"#uuid-7d4bf7c2-5f0a-4c3e-8a53-9c4d6f0b1a2e-1\"",
        );
    let signature = strip_repeated_namespace(&signature)?;
    let token = token(message)?.replace("wsse:", "o:").replace(
        "wsu:Id=\"X509\"",
        "u:Id=\"uuid-7d4bf7c2-5f0a-4c3e-8a53-9c4d6f0b1a2e-1\"",
    );
    let timestamp = timestamp(message)?
        .replace(&format!(" xmlns:wsu=\"{WSU}\""), "")
        .replace("wsu:Id=\"Timestamp\"", "u:Id=\"_0\"")
        .replace("wsu:", "u:");
    mpay.sign_again(&format!(
        concat!(
            "<s:Envelope xmlns:s=\"{SOAP}\" xmlns:u=\"{WSU}\"><s:Header>",
            "<ActivityId CorrelationId=\"5c9a6d4e-2d51-4a3c-9b57-0c1f7f9b8f10\" xmlns=\"http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics\">0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0</ActivityId>",
            "<o:Security s:mustUnderstand=\"1\" xmlns:o=\"{WSSE}\">{timestamp}{token}{signature}</o:Security></s:Header>",
            "<s:Body u:Id=\"_1\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">{inner}</s:Body></s:Envelope>",
        ),
        SOAP = SOAP,
        WSU = WSU,
        WSSE = WSSE,
        timestamp = timestamp,
        token = token,
        signature = signature,
        inner = inner,
    ))
}

/// The signature declares its namespace once, not again on `SignedInfo`.
fn strip_repeated_namespace(signature: &str) -> Message {
    swap(
        signature,
        &format!("<SignedInfo xmlns=\"{DS}\">"),
        "<SignedInfo>",
    )
}

/// The order of WSS4J, which puts the signature first and the timestamp last, prefixes within
/// `InclusiveNamespaces`, ids of its own form, and a life of one minute.
pub(super) fn like_wss4j(message: &str, mpay: &Identity) -> Message {
    let inclusive = |text: &str, prefixes: &str| {
        text.replace(
            &format!("Algorithm=\"{EXC_C14N}\"></ds:Transform>"),
            &format!("Algorithm=\"{EXC_C14N}\"><ec:InclusiveNamespaces xmlns:ec=\"{EXC_C14N}\" PrefixList=\"{prefixes}\"/></ds:Transform>"),
        )
    };
    let signature = signature(message)?;
    let time = reference(signature, "Timestamp")?;
    let body = reference(signature, "Body")?;
    let signature = signature
        .replace(time, &inclusive(time, "wsse soap"))
        .replace(body, &inclusive(body, ""))
        .replace(
            &format!("Algorithm=\"{EXC_C14N}\"></ds:CanonicalizationMethod>"),
            &format!("Algorithm=\"{EXC_C14N}\"><ec:InclusiveNamespaces xmlns:ec=\"{EXC_C14N}\" PrefixList=\"soap\"/></ds:CanonicalizationMethod>"),
        )
        .replace("#Timestamp", "#TS-1b0c")
        .replace("#Body", "#id-2d4e")
        .replace("\"#X509\"", "\"#X509-3f6a\"");
    let token = token(message)?.replace("\"X509\"", "\"X509-3f6a\"");
    let timestamp = timestamp(message)?.replace("\"Timestamp\"", "\"TS-1b0c\"");
    let security = piece(message, "<wsse:Security ", ">")?;
    let rest = piece(message, "</soap:Header>", "</soap:Envelope>")?
        .replace("wsu:Id=\"Body\"", "wsu:Id=\"id-2d4e\"");
    mpay.sign_again(&format!(
        "<soap:Envelope xmlns:soap=\"{SOAP}\"><soap:Header>{security}{token}{signature}{timestamp}</wsse:Security>{rest}"
    ))
}

/// Now, moved by so many seconds.
pub(super) fn seconds_from_now(seconds: i64) -> Timestamp {
    Timestamp::now()
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpay_client::encode_query;

    fn mpay() -> Identity {
        Identity::from_pem(
            include_str!("../../wsse/tests/data/mpay.key.pem"),
            include_str!("../../wsse/tests/data/mpay.pem"),
        )
        .unwrap()
    }

    fn stranger() -> Identity {
        Identity::from_pem(
            include_str!("../../wsse/tests/data/stranger.key.pem"),
            include_str!("../../wsse/tests/data/stranger.pem"),
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

    /// Each forgery fails for what it tries, not for a slip in its making.
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
        let mpay = mpay();
        let content = encode_query("S", "K", "ro");
        let good = by(&mpay, &content).unwrap();
        let stale = signed_ago(&mpay, &content, 900, LIFETIME).unwrap();
        for (forged, reason) in [
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
