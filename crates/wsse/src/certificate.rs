//! Certificates of configuration, parsed once.

use std::fmt;
use std::sync::Arc;

use base16ct::lower::encode_string as hex;
use jiff::Timestamp;
use pem_rfc7468::LineEnding;
use rsa::PublicKey as RsaPublicKey;
use rsa::traits::PublicKeyParts;
use rsa_fma::PublicKey;
use x509_cert::TbsCertificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::ext::pkix::name::DirectoryString;
use x509_cert::time::Time;

use crate::algorithms::Hash;
use crate::distinguished_name::DistinguishedName;
use crate::link::Link;
use crate::pem::{PemError, pem_blocks};

/// The shortest RSA key, in bits.
pub(crate) const MIN_KEY_BITS: usize = 2048;

/// The most parts in a name: one costs ten times what other text of its length does.
const MAX_NAME_PARTS: usize = 64;
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// An X.509 certificate with an RSA key of at least 2048 bits. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(Arc<Parsed>);

#[derive(PartialEq, Eq)]
struct Parsed {
    der: Vec<u8>,
    key: PublicKey,
    subject: String,
    issuer: String,
    serial_number: String,
    common_name: Option<String>,
    subject_name: DistinguishedName,
    issuer_name: DistinguishedName,
    serial: Vec<u8>,
    has_negative_serial: bool,
    key_identifier: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    link: Link,
}

/// The reason why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No PEM block of a certificate where one was expected.
    #[error("no PEM certificate (`{BEGIN}` …)")]
    NoCertificate,
    /// More certificates than the one that was expected.
    #[error("{found} certificates where one was expected")]
    SeveralCertificates {
        /// The number of certificates.
        found: usize,
    },
    /// A PEM block that is cut off or not base64.
    #[error("a PEM block that is cut off or damaged, after {after} whole ones")]
    NotPem {
        /// The number of blocks that were read before it.
        after: usize,
    },
    /// The certificate is not DER as RFC 5280 defines it.
    #[error("not an X.509 certificate: {0}")]
    Der(#[from] x509_cert::der::Error),
    /// A name of more parts than this crate reads: 64.
    #[error("the certificate has a name of too many parts")]
    NameTooLong,
    /// The public key is not RSA, or not one that can be used.
    #[error("the certificate's key is not a usable RSA key")]
    NotRsa,
    /// The RSA key is shorter than 2048 bits.
    #[error("the certificate's RSA key has {bits} bits, fewer than 2048")]
    KeyTooShort {
        /// Length of the modulus.
        bits: usize,
    },
}

impl Certificate {
    /// Reads the one certificate of a text, PEM or base64, as [`pem_blocks`] reads it.
    ///
    /// # Errors
    ///
    /// As [`Certificate::bundle_from_pem`]; also if there are several.
    pub fn from_pem(pem: &str) -> Result<Certificate, CertificateError> {
        let mut certificates = Certificate::bundle_from_pem(pem)?;
        match (certificates.pop(), certificates.len()) {
            (Some(certificate), 0) => Ok(certificate),
            (_, others) => Err(CertificateError::SeveralCertificates { found: others + 1 }),
        }
    }

    /// Reads all certificates of a text, PEM or base64, as [`pem_blocks`] reads it. Blocks of
    /// other things, such as the key, are left out.
    ///
    /// # Errors
    ///
    /// If there is none, a block is damaged, or one of the certificates cannot be used.
    pub fn bundle_from_pem(pem: &str) -> Result<Vec<Certificate>, CertificateError> {
        let blocks = pem_blocks(pem).map_err(|error| match error {
            PemError::Damaged { after } => CertificateError::NotPem { after },
            PemError::OldEncryption => CertificateError::NoCertificate,
        })?;
        let certificates: Vec<_> = blocks
            .iter()
            .filter(|block| block.may_be_certificate())
            .map(|block| match Certificate::from_der(block.certificate()) {
                // Of a text without blocks it cannot be said that it was meant for one.
                Err(CertificateError::Der(_)) if block.label().is_none() => {
                    Err(CertificateError::NoCertificate)
                }
                read => read,
            })
            .collect::<Result<_, _>>()?;
        match certificates.is_empty() {
            true => Err(CertificateError::NoCertificate),
            false => Ok(certificates),
        }
    }

    /// Reads a certificate.
    ///
    /// # Errors
    ///
    /// If it is no X.509 certificate, or its key is not RSA of at least 2048 bits.
    pub fn from_der(der: &[u8]) -> Result<Certificate, CertificateError> {
        let parsed = x509_cert::Certificate::from_der(der)?;
        let certificate = parsed.tbs_certificate();
        if !has_short_names(certificate) {
            return Err(CertificateError::NameTooLong);
        }
        let key_info = certificate.subject_public_key_info().to_der()?;
        let key = x509_cert::spki::SubjectPublicKeyInfoRef::from_der(&key_info)?;
        let key = RsaPublicKey::try_from(key).map_err(|_| CertificateError::NotRsa)?;
        let bits = modulus_bits(&key);
        if bits < MIN_KEY_BITS {
            return Err(CertificateError::KeyTooShort { bits });
        }
        let validity = certificate.validity();
        let common_name = certificate
            .subject()
            .iter()
            .find(|attribute| attribute.oid == COMMON_NAME)
            .and_then(|attribute| DirectoryString::try_from(&attribute.value).ok())
            .map(String::from);
        let serial = certificate.serial_number().as_bytes();
        Ok(Certificate(Arc::new(Parsed {
            der: der.to_vec(),
            key: PublicKey::new(key),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial_number: hex(serial),
            common_name,
            subject_name: DistinguishedName::of(certificate.subject()),
            issuer_name: DistinguishedName::of(certificate.issuer()),
            serial: without_leading_zeros(serial).to_vec(),
            has_negative_serial: serial.first().is_some_and(|first| first & 0x80 != 0),
            key_identifier: key_identifier(certificate),
            not_before: timestamp(&validity.not_before),
            not_after: timestamp(&validity.not_after),
            link: Link::of(der, &parsed)?,
        })))
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate in PEM, in lines of 64 characters (RFC 7468).
    #[allow(clippy::expect_used, reason = "it depends on the label alone")]
    pub fn to_pem(&self) -> String {
        pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, self.der())
            .expect("the label is one, and a certificate that is in memory fits into memory")
    }

    /// The subject's distinguished name, as RFC 4514 writes it: the most specific part first.
    pub fn subject(&self) -> String {
        self.0.subject.clone()
    }

    /// The issuer's distinguished name, as RFC 4514 writes it.
    pub fn issuer(&self) -> String {
        self.0.issuer.clone()
    }

    /// The serial number, big-endian, in lower-case hexadecimal.
    pub fn serial_number(&self) -> String {
        self.0.serial_number.clone()
    }

    /// The SHA-256 of the DER, in lower-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0.der)
    }

    /// True if subject and issuer are the same, as in the certificate of a root authority.
    pub fn is_self_issued(&self) -> bool {
        self.0.subject_name == self.0.issuer_name
    }

    /// The first instant of validity.
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// The last instant of validity.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// The length of the RSA modulus.
    pub fn key_bits(&self) -> usize {
        modulus_bits(self.0.key.as_rsa())
    }

    /// The first `commonName` of the subject.
    pub fn common_name(&self) -> Option<String> {
        self.0.common_name.clone()
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.0.key
    }

    pub(crate) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(crate) fn subject_name(&self) -> &DistinguishedName {
        &self.0.subject_name
    }

    pub(crate) fn issuer_name(&self) -> &DistinguishedName {
        &self.0.issuer_name
    }

    /// The serial number, big-endian, without leading zeros; a negative one in two's complement.
    pub(crate) fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The distance of the serial number below zero, big-endian, without leading zeros: RFC 5280 section
    /// 4.1.2.2 forbids it, and authorities that took 32 random bits have done it.
    pub(crate) fn negative_serial(&self) -> Option<Vec<u8>> {
        self.0.has_negative_serial.then(|| {
            let mut number: Vec<u8> = self.0.serial.iter().map(|byte| !byte).collect();
            for byte in number.iter_mut().rev() {
                let (next, carried) = byte.overflowing_add(1);
                *byte = next;
                if !carried {
                    break;
                }
            }
            without_leading_zeros(&number).to_vec()
        })
    }

    /// The `SubjectKeyIdentifier`; if there is none, its value by the first method of RFC 5280 section
    /// 4.2.1.2, which WSS4J takes then.
    pub(crate) fn key_identifier(&self) -> &[u8] {
        &self.0.key_identifier
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.0.subject)
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

fn key_identifier(certificate: &x509_cert::TbsCertificate) -> Vec<u8> {
    let key = &certificate.subject_public_key_info().subject_public_key;
    match certificate.get_extension::<SubjectKeyIdentifier>() {
        Ok(Some((_, identifier))) => identifier.0.into_bytes().into(),
        _ => Hash::Sha1.of(key.raw_bytes()),
    }
}

/// A number, big-endian, in its shortest form; zero is empty.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Subject and issuer of a certificate with any key.
pub(crate) fn subject_and_issuer(der: &[u8]) -> Option<(DistinguishedName, DistinguishedName)> {
    let parsed = x509_cert::Certificate::from_der(der).ok()?;
    let certificate = parsed.tbs_certificate();
    has_short_names(certificate).then(|| {
        (
            DistinguishedName::of(certificate.subject()),
            DistinguishedName::of(certificate.issuer()),
        )
    })
}

/// True if both names have so few parts that reading them costs little.
fn has_short_names(certificate: &TbsCertificate) -> bool {
    [certificate.subject(), certificate.issuer()]
        .into_iter()
        .all(|name| name.iter().count() <= MAX_NAME_PARTS)
}

/// The SHA-256 of a certificate, in lower-case hexadecimal.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    hex(&Hash::Sha256.of(der))
}

fn modulus_bits(key: &RsaPublicKey) -> usize {
    key.n().bit_width() as usize
}

/// A certificate's time. 9999-12-31, which RFC 5280 section 4.1.2.5 uses for "no end", is beyond the
/// range of `jiff` and becomes its last instant.
fn timestamp(time: &Time) -> Timestamp {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}
