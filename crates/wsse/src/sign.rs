//! Signed messages out.

use std::fmt;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use jiff::{SignedDuration, Timestamp};
use rsa::PrivateKey as RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa_fma::{Engine, PrivateKey};

use crate::algorithms::{Algorithms, Hash, SignatureMethod};
use crate::certificate::{Certificate, CertificateError};
use crate::datetime;
use crate::names::{BASE64_BINARY, DS, EXC_C14N, SOAP, WSSE, WSU, X509_V3};
use crate::pem::pem_blocks;
use crate::write::Content;

const BODY_ID: &str = "Body";
const TIMESTAMP_ID: &str = "Timestamp";
const TOKEN_ID: &str = "X509";

/// A private key with its certificate, both parsed, that signs messages.
///
/// The key is erased from memory when the signer is dropped, and is not shown by `Debug`.
pub struct Signer {
    key: PrivateKey,
    certificate: Certificate,
    /// The certificate in base64, as a message carries it.
    token: String,
    report: fn(Engine),
}

/// The reason why a signer cannot be made, or a message cannot be signed. Tells nothing of the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The private key is no RSA key in PEM, PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
    #[error("not an RSA private key in PEM, PKCS#8 or PKCS#1, without a pass phrase")]
    PrivateKey,
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificate is of another key.
    #[error("the private key and the certificate do not belong together")]
    Mismatch,
    /// The message's time, or the end of its lifetime, is outside the years 1 to 9999, or the
    /// lifetime is below a millisecond.
    #[error("the message's time or lifetime cannot be written")]
    Time,
    /// The signature came out wrong: a fault of the machine.
    #[error("the signature could not be made")]
    Signature,
}

impl Signer {
    /// Reads a private key (PKCS#8 or PKCS#1, not encrypted) and its certificate, both PEM or base64 as
    /// [`pem_blocks`] reads them. If a text holds a chain, or more than its own part, the certificate
    /// that belongs to the key is taken.
    ///
    /// # Errors
    ///
    /// If either cannot be read or they do not belong together; if the key is not RSA of at least
    /// 2048 bits.
    pub fn from_pem(private_key: &str, certificate: &str) -> Result<Signer, SignerError> {
        let certificates = Certificate::bundle_from_pem(certificate)?;
        let blocks = pem_blocks(private_key).map_err(|_| SignerError::PrivateKey)?;
        let blocks = blocks.iter().filter(|block| block.may_be_key());
        let keys: Vec<_> = blocks.filter_map(|block| key(block.content())).collect();
        if keys.is_empty() {
            return Err(SignerError::PrivateKey);
        }
        let (key, certificate) = keys
            .into_iter()
            .find_map(|key| {
                let own = |other: &&Certificate| *key.as_public_key() == *other.key().as_rsa();
                let own = certificates.iter().find(own)?.clone();
                Some((key, own))
            })
            .ok_or(SignerError::Mismatch)?;
        let token = Base64::encode_string(certificate.der());
        Ok(Signer {
            key: PrivateKey::new(key),
            certificate,
            token,
            report: |_| {},
        })
    }

    /// Calls `report` for each RSA engine whose signature fails its check, so that the next engine
    /// has to compute it: a fault of the machine, or an attack on it.
    pub fn on_miscomputation(self, report: fn(Engine)) -> Signer {
        Signer { report, ..self }
    }

    /// The certificate that messages carry.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// A whole SOAP 1.1 envelope, in UTF-8 without XML declaration: the body, and a
    /// `wsse:Security` header with a timestamp, the certificate as `BinarySecurityToken`, and a
    /// signature over timestamp and Body (WSS X.509 Certificate Token Profile 1.1, section 3.2.1).
    ///
    /// Times are written in whole milliseconds. The signature is RSASSA-PKCS1-v1_5, which is
    /// deterministic: the same arguments give the same message. It is checked with the public key
    /// before it is given out, since a faulty one could tell the private key.
    ///
    /// # Errors
    ///
    /// If a time cannot be written, or the signature fails its check.
    pub fn sign(
        &self,
        body: &Content,
        algorithms: Algorithms,
        created: Timestamp,
        lifetime: Duration,
    ) -> Result<String, SignerError> {
        // Every signed element declares all namespaces that it uses, though its parents declare the same:
        // so the written text is its own exclusive canonical form, and is digested as it is.
        let timestamp = timestamp(created, lifetime).ok_or(SignerError::Time)?;
        let body = format!(
            r#"<soap:Body xmlns:soap="{SOAP}" xmlns:wsu="{WSU}" wsu:Id="{BODY_ID}">{}</soap:Body>"#,
            body.as_str()
        );
        let signed_info = signed_info(&timestamp, &body, algorithms);
        let signature = self.signature(signed_info.as_bytes(), algorithms.signature)?;
        let token = &self.token;
        Ok(format!(
            concat!(
                r#"<soap:Envelope xmlns:soap="{SOAP}"><soap:Header>"#,
                r#"<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" soap:mustUnderstand="1">"#,
                r#"{timestamp}"#,
                r#"<wsse:BinarySecurityToken EncodingType="{BASE64_BINARY}" ValueType="{X509_V3}" wsu:Id="{TOKEN_ID}">"#,
                r#"{token}</wsse:BinarySecurityToken>"#,
                r#"<ds:Signature xmlns:ds="{DS}">{signed_info}<ds:SignatureValue>{signature}</ds:SignatureValue>"#,
                r##"<ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI="#{TOKEN_ID}" ValueType="{X509_V3}"/>"##,
                r#"</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature></wsse:Security></soap:Header>"#,
                r#"{body}</soap:Envelope>"#,
            ),
            SOAP = SOAP,
            WSSE = WSSE,
            WSU = WSU,
            DS = DS,
            BASE64_BINARY = BASE64_BINARY,
            X509_V3 = X509_V3,
            TOKEN_ID = TOKEN_ID,
            timestamp = timestamp,
            token = token,
            signed_info = signed_info,
            signature = signature,
            body = body,
        ))
    }

    fn signature(&self, signed_info: &[u8], hash: Hash) -> Result<String, SignerError> {
        let signature = hash
            .sign(&self.key, &hash.of(signed_info))
            .map_err(|_| SignerError::Signature)?;
        signature.miscomputed.into_iter().for_each(self.report);
        Ok(Base64::encode_string(&signature.bytes))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

fn key(der: &[u8]) -> Option<RsaPrivateKey> {
    RsaPrivateKey::from_pkcs8_der(der)
        .ok()
        .or_else(|| RsaPrivateKey::from_pkcs1_der(der).ok())
}

fn timestamp(created: Timestamp, lifetime: Duration) -> Option<String> {
    let lifetime = SignedDuration::try_from(lifetime).ok()?;
    let expires = created.checked_add(lifetime).ok()?;
    let created = datetime::format(created)?;
    let expires = datetime::format(expires)?;
    (created < expires).then(|| {
        format!(
            concat!(
                r#"<wsu:Timestamp xmlns:wsu="{}" wsu:Id="{}"><wsu:Created>{}</wsu:Created>"#,
                r#"<wsu:Expires>{}</wsu:Expires></wsu:Timestamp>"#,
            ),
            WSU, TIMESTAMP_ID, created, expires,
        )
    })
}

fn signed_info(timestamp: &str, body: &str, algorithms: Algorithms) -> String {
    let reference = |id: &str, canonical: &str| {
        format!(
            concat!(
                r##"<ds:Reference URI="#{}"><ds:Transforms><ds:Transform Algorithm="{}"></ds:Transform></ds:Transforms>"##,
                r#"<ds:DigestMethod Algorithm="{}"></ds:DigestMethod><ds:DigestValue>{}</ds:DigestValue></ds:Reference>"#,
            ),
            id,
            EXC_C14N,
            algorithms.digest.digest_uri(),
            Base64::encode_string(&algorithms.digest.of(canonical.as_bytes())),
        )
    };
    format!(
        concat!(
            r#"<ds:SignedInfo xmlns:ds="{}"><ds:CanonicalizationMethod Algorithm="{}"></ds:CanonicalizationMethod>"#,
            r#"<ds:SignatureMethod Algorithm="{}"></ds:SignatureMethod>{}{}</ds:SignedInfo>"#,
        ),
        DS,
        EXC_C14N,
        SignatureMethod::Pkcs1(algorithms.signature).uri(),
        reference(TIMESTAMP_ID, timestamp),
        reference(BODY_ID, body),
    )
}
