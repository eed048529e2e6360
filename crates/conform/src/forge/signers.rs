//! Messages that others than MPay sign, or nobody: strangers, namesakes, and secrets that everybody
//! has.

use anyhow::Context;
use base64ct::{Base64, Encoding};
use mpay_client::LIFETIME;
use rsa::{
    pkcs1::EncodeRsaPublicKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding},
    traits::PublicKeyParts,
};
use wsse::{Algorithms, Certificate, Content};
use x509_cert::der::{Decode, Encode};

use super::{
    Message, altered::tampered_body, body, key_info, other_body, seconds_from_now, signature,
};
use crate::message::{HMACS, Identity, piece, sign_bytes, sign_hmac, swap};

/// A stranger signs with a certificate of its own.
pub(crate) fn by(signer: &Identity, content: &Content) -> Message {
    signer.sign(content, Algorithms::SHA1, seconds_from_now(0), LIFETIME)
}

/// A stranger signs and shows MPay's certificate: for readers that take the key from elsewhere
/// than the certificate they check.
pub(crate) fn under_mpays_certificate(message: &str, stranger: &Identity) -> Message {
    stranger.sign_again(message)
}

/// A stranger's key in `KeyValue`: for readers that take the key which the message brings.
pub(crate) fn key_value(message: &str, stranger: &Identity) -> Message {
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
pub(crate) fn two_certificates(message: &str, mpay: &Identity, stranger: &Identity) -> Message {
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
pub(crate) fn hmac(message: &str, mpay: &Identity) -> anyhow::Result<Vec<(String, String)>> {
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
pub(crate) fn hmac_certificate(
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
pub(crate) fn hmac_empty(message: &str, mpay: &Identity) -> anyhow::Result<Vec<(String, String)>> {
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
pub(crate) fn empty_value(message: &str, stranger: &Identity) -> Message {
    let again = stranger.sign_again(&tampered_body(message)?)?;
    let value = piece(&again, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
    swap(&again, value, "<ds:SignatureValue></ds:SignatureValue>")
}

/// A stranger signs the Body in place, MPay's signature holds for its own in a header: for
/// readers that ask whether any signature is MPay's, and any covers the Body.
pub(crate) fn two_signatures(message: &str, stranger: &Identity) -> Message {
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

/// A certificate that says all that MPay's says (names, serial number, identifiers), but has the
/// stranger's key, which also signed it: for readers that compare names.
pub(crate) fn namesake(mpay: &Certificate, stranger: &Identity) -> anyhow::Result<Identity> {
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
