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
    Message, altered::tampered_body, body, key_info, other_body, seconds_from_now,
    shapes::key_identifier, signature, token,
};
use crate::message::{HMACS, Identity, piece, sign_bytes, sign_hmac, swap};
use crate::names::{BASE64_BINARY, X509_PROFILE};

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

/// A stranger's token beside MPay's, or under MPay's name: for readers that look at one and verify
/// with the other.
pub(crate) fn two_tokens(
    message: &str,
    mpay: &Identity,
    stranger: &Identity,
) -> anyhow::Result<Vec<(String, String)>> {
    let base64 = |identity: &Identity| Base64::encode_string(identity.certificate().der());
    let mpays = token(message)?;
    let strange = swap(mpays, &base64(mpay), &base64(stranger))?;
    let other = swap(&strange, "wsu:Id=\"X509\"", "wsu:Id=\"Other\"")?;
    let stated = key_info(message)?;
    let referring = swap(stated, "#X509", "#Other")?;
    let named = format!(
        "<ds:KeyInfo><wsse:SecurityTokenReference><wsse:KeyIdentifier EncodingType=\"{BASE64_BINARY}\" ValueType=\"{X509_PROFILE}#X509SubjectKeyIdentifier\">{}</wsse:KeyIdentifier></wsse:SecurityTokenReference></ds:KeyInfo>",
        Base64::encode_string(&key_identifier(mpay)?)
    );
    [
        (
            "MPay's token, then a stranger's, which is referred to",
            format!("{mpays}{other}"),
            referring.as_str(),
        ),
        (
            "a stranger's token, which is referred to, then MPay's",
            format!("{other}{mpays}"),
            &referring,
        ),
        (
            "MPay's token and a stranger's under one id",
            format!("{mpays}{strange}"),
            stated,
        ),
        (
            "a stranger's token, and MPay's key identifier",
            strange.clone(),
            &named,
        ),
    ]
    .into_iter()
    .map(|(what, tokens, key_info)| {
        let message = swap(message, mpays, &tokens)?;
        let message = swap(&message, stated, key_info)?;
        Ok((what.to_owned(), stranger.sign_again(&message)?))
    })
    .collect()
}

/// Signatures by methods that no RSA key has, under MPay's certificate, over digests that hold: for
/// readers that take an error of their library for success.
pub(crate) fn other_methods(
    message: &str,
    stranger: &Identity,
) -> anyhow::Result<Vec<(String, String)>> {
    let tampered = tampered_body(message)?;
    let stated = piece(&tampered, "<ds:SignatureMethod", "</ds:SignatureMethod>")?;
    [
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "urn:mpay-conform:none",
        "",
    ]
    .into_iter()
    .map(|method| {
        let other = format!("<ds:SignatureMethod Algorithm=\"{method}\"></ds:SignatureMethod>");
        let message = stranger.sign_again(&swap(&tampered, stated, &other)?)?;
        Ok((format!("SignatureMethod {method:?}"), message))
    })
    .collect()
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

/// The content of a DER element.
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
