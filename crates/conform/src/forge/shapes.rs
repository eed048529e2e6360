//! Shapes of other signers, which are good, and how they name the certificate.

use anyhow::Context;
use rsa::pkcs1::EncodeRsaPublicKey;
use wsse::Certificate;
use x509_cert::der::Decode;

use super::{Message, body, reference, signature, timestamp, token};
use crate::{
    message::{Identity, piece, swap},
    names::{DS, EXC_C14N, SOAP, WSSE, WSU},
};

/// The names of WCF: prefixes `s`, `o`, `u`, ids `_0` and `_1`, its own order and headers.
pub(crate) fn like_wcf(message: &str, mpay: &Identity) -> Message {
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
pub(crate) fn like_wss4j(message: &str, mpay: &Identity) -> Message {
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

/// The identifier of a certificate's key: its extension, or the hash of the key (RFC 5280, section
/// 4.2.1.2, method 1).
pub(crate) fn key_identifier(identity: &Identity) -> anyhow::Result<Vec<u8>> {
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
pub(crate) fn serial_number(certificate: &Certificate) -> String {
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
