//! `ds:KeyInfo`: how a message names its signer.

use std::fmt;

use base16ct::lower::encode_string as hex;
use base64ct::{Base64, Encoding};
use rsa::traits::PublicKeyParts;

use super::SecurityError;
use super::parts::Parts;
use super::structure::{Children, attribute, base64, hexadecimal, text};
use crate::algorithms::Hash;
use crate::certificate::{Certificate, fingerprint, subject_and_issuer, without_leading_zeros};
use crate::distinguished_name::DistinguishedName;
use crate::names::{
    BASE64_BINARY, DS, HEX_BINARY, THUMBPRINT_SHA1, WSSE, X509_SUBJECT_KEY_IDENTIFIER, X509_V3,
    X509_V3_SUBJECT_KEY_IDENTIFIER,
};
use crate::xml::{Element, collapse};

/// The most certificates in one `X509Data`: longer chains are not met.
const MAX_CERTIFICATES: usize = 6;
/// The longest certificate that a message may send, in bytes: reading one costs more than its
/// length where its names have many parts.
const MAX_CERTIFICATE_BYTES: usize = 16 << 10;
/// The most things that may be said of one signer.
const MAX_HINTS: usize = 16;
/// The most digits in a serial number: 20 bytes (RFC 5280 section 4.1.2.2).
const MAX_SERIAL_DIGITS: usize = 49;

/// A message's hint at its signer's certificate. It only chooses among trusted ones.
pub(super) enum Hint {
    /// The certificate itself, in DER; with it, perhaps, those of its issuers.
    Certificates(Vec<Vec<u8>>),
    /// Its `SubjectKeyIdentifier`.
    KeyIdentifier(Vec<u8>),
    /// Its SHA-1.
    Thumbprint(Vec<u8>),
    /// Its issuer's name, and the serial number.
    IssuerSerial(DistinguishedName, Serial),
    /// Its subject's name.
    SubjectName(DistinguishedName),
    /// Its key: modulus and exponent without leading zeros.
    Key(Vec<u8>, Vec<u8>),
}

/// A serial number that a message names.
pub(super) struct Serial {
    is_negative: bool,
    /// Big-endian, without leading zeros.
    magnitude: Vec<u8>,
}

impl Serial {
    /// Stacks name a negative number as it is, or as the number that its bytes are without a sign.
    fn is_of(&self, certificate: &Certificate) -> bool {
        match self.is_negative {
            false => certificate.serial() == self.magnitude,
            true => certificate
                .negative_serial()
                .is_some_and(|own| own == self.magnitude),
        }
    }

    fn parse(text: &str) -> Option<Serial> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let magnitude = decimal(digits)?;
        Some(Serial {
            is_negative,
            magnitude,
        })
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        write!(f, "{sign}{}", hex(&self.magnitude))
    }
}

impl Hint {
    pub(super) fn fits(&self, certificate: &Certificate) -> bool {
        match self {
            Hint::Certificates(certificates) => are_chain_of(certificate, certificates),
            Hint::KeyIdentifier(identifier) => certificate.key_identifier() == identifier,
            Hint::Thumbprint(thumbprint) => Hash::Sha1.of(certificate.der()) == *thumbprint,
            Hint::IssuerSerial(issuer, serial) => {
                serial.is_of(certificate) && certificate.issuer_name().is_meant_by(issuer)
            }
            Hint::SubjectName(subject) => certificate.subject_name().is_meant_by(subject),
            Hint::Key(modulus, exponent) => {
                let key = certificate.key().as_rsa();
                *key.n_bytes() == **modulus && *key.e_bytes() == **exponent
            }
        }
    }
}

/// For the log.
impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Certificates(certificates) => {
                let first = certificates.first().map(|c| fingerprint(c));
                write!(f, "a certificate of SHA-256 {}", first.unwrap_or_default())
            }
            Hint::KeyIdentifier(identifier) => {
                write!(f, "the subject key identifier {}", hex(identifier))
            }
            Hint::Thumbprint(thumbprint) => write!(f, "the SHA-1 thumbprint {}", hex(thumbprint)),
            Hint::IssuerSerial(_, serial) => {
                write!(f, "an issuer and the serial number {serial}")
            }
            Hint::SubjectName(_) => f.write_str("a subject name"),
            Hint::Key(..) => f.write_str("a key value"),
        }
    }
}

/// True if this certificate is among these, and all others are its issuer, that one's issuer, and
/// so on (XML Signature 1.1, section 4.5.4), in any order.
fn are_chain_of(certificate: &Certificate, certificates: &[Vec<u8>]) -> bool {
    let mut others: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let Some(own) = others.iter().position(|der| *der == certificate.der()) else {
        return false;
    };
    others.swap_remove(own);
    if others.is_empty() {
        return true;
    }
    let mut others: Vec<_> = others.into_iter().map(subject_and_issuer).collect();
    let mut issuer = certificate.issuer_name().clone();
    while let Some(next) = others.iter().position(|names| {
        names
            .as_ref()
            .is_some_and(|(subject, _)| *subject == issuer)
    }) {
        if let Some((_, above)) = others.swap_remove(next) {
            issuer = above;
        }
    }
    others.is_empty()
}

/// Reads how the signer is named: by `SecurityTokenReference` (WSS X.509 Certificate Token
/// Profile 1.1, section 3.2), `X509Data` and `RSAKeyValue` (XML Signature 1.1, section 4.5).
/// Several are allowed, and must all fit. At least one is returned.
pub(super) fn read(
    key_info: Element<'_>,
    parts: &Parts<'_>,
    security: Element<'_>,
) -> Result<Vec<Hint>, SecurityError> {
    let mut children = Children::of(key_info)?;
    let mut hints = Vec::new();
    let mut next = Some(children.any("SecurityTokenReference")?);
    while let Some(child) = next {
        if child.is(WSSE, "SecurityTokenReference") {
            hints.append(&mut token_reference(child, parts, security)?);
        } else if child.is(DS, "X509Data") {
            hints.append(&mut x509_data(child)?);
        } else if child.is(DS, "KeyValue") {
            hints.push(key_value(child)?);
        } else {
            return Err(unsupported(child));
        }
        if hints.len() > MAX_HINTS {
            return Err(SecurityError::TooManyHints);
        }
        next = children.next();
    }
    Ok(hints)
}

/// Reads the hint by which one `SecurityTokenReference` names the signer.
pub(super) fn token_reference(
    reference: Element<'_>,
    parts: &Parts<'_>,
    security: Element<'_>,
) -> Result<Vec<Hint>, SecurityError> {
    let child = only_child(reference, "Reference")?;
    if child.is(DS, "X509Data") {
        x509_data(child)
    } else if child.is(WSSE, "KeyIdentifier") {
        Ok(vec![key_identifier(child)?])
    } else if child.is(WSSE, "Reference") {
        let token = token(child, parts, security)?;
        Ok(vec![Hint::Certificates(vec![certificate(token)?])])
    } else {
        Err(unsupported(child))
    }
}

/// The token that a `SecurityTokenReference` names by a `wsse:Reference`, to be signed itself;
/// none if it names it in another way.
pub(super) fn referenced_token<'a>(
    token_reference: Element<'a>,
    parts: &Parts<'a>,
    security: Element<'a>,
) -> Result<Option<Element<'a>>, SecurityError> {
    let child = only_child(token_reference, "Reference")?;
    if child.is(WSSE, "Reference") {
        return token(child, parts, security).map(Some);
    }
    if child.is(WSSE, "KeyIdentifier") || child.is(DS, "X509Data") {
        return Ok(None);
    }
    Err(unsupported(child))
}

/// The token that an STR-Transform makes of a reference to a certificate by its identifier or by issuer and
/// serial number (WSS: SOAP Message Security 1.1, section 8.3): a `BinarySecurityToken` with the
/// reference's own prefix, a default namespace in any case, and neither id nor `EncodingType`.
pub(super) fn made_token(token_reference: Element<'_>, certificate: &Certificate) -> String {
    let value = Base64::encode_string(certificate.der());
    let (name, declared) = match token_reference.prefix() {
        "" => (
            "BinarySecurityToken".to_owned(),
            format!("xmlns=\"{WSSE}\""),
        ),
        prefix => (
            format!("{prefix}:BinarySecurityToken"),
            format!("xmlns=\"\" xmlns:{prefix}=\"{WSSE}\""),
        ),
    };
    format!("<{name} {declared} ValueType=\"{X509_V3}\">{value}</{name}>")
}

/// The `BinarySecurityToken` in the Security header that a `wsse:Reference` names. Without a
/// `ValueType` it is taken for the one type that there is here.
fn token<'a>(
    reference: Element<'a>,
    parts: &Parts<'a>,
    security: Element<'a>,
) -> Result<Element<'a>, SecurityError> {
    Children::of(reference)?.finish()?;
    let uri = attribute(reference, "URI")?;
    let in_header = |part: &Element<'_>| {
        let parent = part.parent().map(|parent| parent.node());
        part.is(WSSE, "BinarySecurityToken") && parent == Some(security.node())
    };
    let token =
        parts
            .find(uri)
            .filter(in_header)
            .ok_or_else(|| SecurityError::UnresolvedToken {
                uri: uri.to_owned(),
            })?;
    check_type(token, "ValueType", X509_V3)?;
    check_type(reference, "ValueType", X509_V3)?;
    Ok(token)
}

/// WSS X.509 Certificate Token Profile 1.1, section 3.2.2; SOAP Message Security 1.1, section
/// 7.3. WSS4J also sends whole certificates in this way.
fn key_identifier(identifier: Element<'_>) -> Result<Hint, SecurityError> {
    let value_type = attribute(identifier, "ValueType")?;
    if value_type == X509_V3 {
        return Ok(Hint::Certificates(vec![certificate(identifier)?]));
    }
    let bytes = binary(identifier)?;
    match value_type {
        X509_SUBJECT_KEY_IDENTIFIER | X509_V3_SUBJECT_KEY_IDENTIFIER => {
            Ok(Hint::KeyIdentifier(bytes))
        }
        THUMBPRINT_SHA1 => Ok(Hint::Thumbprint(bytes)),
        other => Err(SecurityError::UnsupportedToken {
            token_type: other.to_owned(),
        }),
    }
}

fn x509_data(data: Element<'_>) -> Result<Vec<Hint>, SecurityError> {
    let mut children = Children::of(data)?;
    let mut certificates = Vec::new();
    let mut hints = Vec::new();
    let mut next = Some(children.any("X509Certificate")?);
    while let Some(child) = next {
        if child.is(DS, "X509Certificate") && certificates.len() < MAX_CERTIFICATES {
            certificates.push(certificate(child)?);
        } else if child.is(DS, "X509IssuerSerial") {
            hints.push(issuer_serial(child)?);
        } else if child.is(DS, "X509SKI") {
            hints.push(Hint::KeyIdentifier(base64(child)?));
        } else if child.is(DS, "X509SubjectName") {
            hints.push(Hint::SubjectName(name(child)?));
        } else {
            return Err(unsupported(child));
        }
        next = children.next();
    }
    if !certificates.is_empty() {
        hints.insert(0, Hint::Certificates(certificates));
    }
    Ok(hints)
}

/// The DER of a certificate.
fn certificate(element: Element<'_>) -> Result<Vec<u8>, SecurityError> {
    let der = binary(element)?;
    if der.len() > MAX_CERTIFICATE_BYTES {
        return Err(SecurityError::UnusableCertificate {
            reason: format!("it has {} bytes", der.len()),
        });
    }
    Ok(der)
}

/// The bytes of a token or identifier in its `EncodingType`: base64 where none is given (WSS: SOAP
/// Message Security 1.1, sections 6.3 and 7.3), or hexadecimal, which is .NET's addition.
fn binary(element: Element<'_>) -> Result<Vec<u8>, SecurityError> {
    match element.attribute("", "EncodingType") {
        None | Some(BASE64_BINARY) => base64(element),
        Some(HEX_BINARY) => hexadecimal(element),
        Some(other) => Err(SecurityError::UnsupportedToken {
            token_type: other.to_owned(),
        }),
    }
}

fn issuer_serial(element: Element<'_>) -> Result<Hint, SecurityError> {
    let mut children = Children::of(element)?;
    let issuer = name(children.expect(DS, "X509IssuerName")?)?;
    let number = text(children.expect(DS, "X509SerialNumber")?)?;
    children.finish()?;
    let serial =
        Serial::parse(collapse(&number)).ok_or_else(|| SecurityError::BadSerialNumber {
            value: number.into_owned(),
        })?;
    Ok(Hint::IssuerSerial(issuer, serial))
}

fn name(element: Element<'_>) -> Result<DistinguishedName, SecurityError> {
    let text = text(element)?;
    DistinguishedName::parse(collapse(&text)).ok_or_else(|| SecurityError::BadName {
        value: text.into_owned(),
    })
}

/// The bytes of a number, big-endian, without leading zeros.
fn decimal(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.trim_start_matches('0');
    if digits.len() > MAX_SERIAL_DIGITS {
        return None;
    }
    let mut number = [0; 21];
    for digit in digits.chars() {
        let mut carry = digit.to_digit(10)?;
        for byte in number.iter_mut().rev() {
            carry += u32::from(*byte) * 10;
            [.., *byte] = carry.to_be_bytes();
            carry >>= 8;
        }
    }
    Some(without_leading_zeros(&number).to_vec())
}

fn key_value(value: Element<'_>) -> Result<Hint, SecurityError> {
    let key = only_child(value, "RSAKeyValue")?;
    if !key.is(DS, "RSAKeyValue") {
        return Err(unsupported(key));
    }
    let mut children = Children::of(key)?;
    let modulus = base64(children.expect(DS, "Modulus")?)?;
    let exponent = base64(children.expect(DS, "Exponent")?)?;
    children.finish()?;
    let short = |number: &[u8]| without_leading_zeros(number).to_vec();
    Ok(Hint::Key(short(&modulus), short(&exponent)))
}

/// Refuses an attribute that gives another type than the expected one.
fn check_type(element: Element<'_>, attribute: &str, expected: &str) -> Result<(), SecurityError> {
    match element.attribute("", attribute) {
        Some(found) if found != expected => Err(SecurityError::UnsupportedToken {
            token_type: found.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn only_child<'a>(
    parent: Element<'a>,
    expected: &'static str,
) -> Result<Element<'a>, SecurityError> {
    let mut children = Children::of(parent)?;
    let child = children.any(expected)?;
    children.finish()?;
    Ok(child)
}

fn unsupported(element: Element<'_>) -> SecurityError {
    SecurityError::UnsupportedKeyInfo {
        element: element.expanded_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_serial_number_is_named_with_its_sign_or_by_its_bytes() {
        let read = |pem| Certificate::from_pem(pem).expect("a certificate");
        let negative = read(include_str!("../../tests/data/field/negative-serial.pem"));
        let positive = read(include_str!("../../tests/data/field/bag.pem"));
        let names = |certificate: &Certificate, number: &str| {
            Serial::parse(number).is_some_and(|serial| serial.is_of(certificate))
        };
        for number in ["-1848327660", "-01848327660", "2446639636"] {
            assert!(names(&negative, number), "{number}");
        }
        for number in [
            "1848327660",
            "-2446639636",
            "-1848327661",
            "--1848327660",
            "-",
            "",
            "0",
        ] {
            assert!(!names(&negative, number), "{number}");
        }
        assert!(names(&positive, "1122867"));
        assert!(!names(&positive, "-1122867"));
        assert!(!names(&positive, "-15654349"));
    }
}
