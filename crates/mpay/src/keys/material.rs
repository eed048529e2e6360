//! Keys, certificates and requests in whatever form a file has them.

use std::path::Path;

use ::pkcs12::pbe_params::EncryptedPrivateKeyInfo;
use anyhow::{Context, bail, ensure};
use der::{Decode, Encode, asn1::ObjectIdentifier};
use jiff::Timestamp;
use mpay::text::decoded;
use mpay_ledger::digest::hex;
use pem_rfc7468::LineEnding;
use pkcs8::{DecodePrivateKey, PrivateKeyInfoRef};
use rsa::{
    PrivateKey as RsaPrivateKey, PublicKey as RsaPublicKey, pkcs1::DecodeRsaPrivateKey,
    traits::PublicKeyParts,
};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use wsse::{PemBlock, PemError, pem_blocks};
use x509_cert::{
    ext::pkix::{
        BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName, SubjectKeyIdentifier,
        name::GeneralName,
    },
    request::CertReq,
    spki::SubjectPublicKeyInfoOwned,
    time::Time,
};
use zeroize::Zeroizing;

use super::pkcs12;
use crate::passphrase::Passphrase;

const SERVER_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");

/// The content of one file, in its order.
#[derive(Default)]
pub struct Material {
    /// The place that it is from, for errors.
    pub source: String,
    /// Private keys, with how the file keeps them.
    pub keys: Vec<PrivateKey>,
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// Requests for a certificate.
    pub requests: Vec<Request>,
}

/// An RSA private key.
pub struct PrivateKey {
    /// The key.
    pub key: RsaPrivateKey,
    /// The format of its file.
    pub format: &'static str,
    /// True if its file is encrypted.
    pub encrypted: bool,
}

/// A certificate, whatever its key.
#[derive(Clone)]
pub struct Certificate {
    /// In DER.
    pub der: Vec<u8>,
    parsed: x509_cert::Certificate,
}

/// A request for a certificate (PKCS#10).
pub struct Request {
    parsed: CertReq,
}

/// The purpose of a certificate, as far as it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It certifies others.
    Authority,
    /// A web server's: TLS.
    Server,
    /// Anything else, as a system certificate is.
    Other,
}

/// Reads a file, and asks for its passphrase if it needs one.
pub fn read(file: &Path, passphrase: &Passphrase) -> anyhow::Result<Material> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let bytes = Zeroizing::new(bytes);
    let name = file.display().to_string();
    let material = parse(&bytes, &mut || passphrase.get(&name)).with_context(|| name.clone())?;
    Ok(Material {
        source: name,
        ..material
    })
}

/// Reads what is not encrypted.
pub fn parse_plain(bytes: &[u8]) -> anyhow::Result<Material> {
    parse(bytes, &mut || bail!("encrypted"))
}

type Ask<'a> = dyn FnMut() -> anyhow::Result<Zeroizing<String>> + 'a;

fn parse(bytes: &[u8], ask: &mut Ask<'_>) -> anyhow::Result<Material> {
    let mut material = Material::default();
    let text = decoded(bytes).map(Zeroizing::new);
    let blocks = match &text {
        Some(text) => pem_blocks(text).map_err(|error| match error {
            PemError::OldEncryption => anyhow::anyhow!(OLD_ENCRYPTION),
            error => error.into(),
        })?,
        None => Vec::new(),
    };
    match blocks.is_empty() {
        false => material.add_blocks(&blocks, ask)?,
        true => material.add_der(bytes, ask)?,
    }
    Ok(material)
}

impl Material {
    /// The one key, or of several the one that has its certificate here.
    pub fn key(&self) -> anyhow::Result<&PrivateKey> {
        match self.keys.as_slice() {
            [key] => Ok(key),
            [] => bail!("there is no private key in {}", self.source),
            keys => keys
                .iter()
                .find(|key| self.certificates.iter().any(|own| own.is_of(&key.key)))
                .with_context(|| {
                    format!(
                        "there are {} private keys in {}, and no certificate of any",
                        keys.len(),
                        self.source
                    )
                }),
        }
    }

    /// The certificate of the key, or the only one where there is no key.
    pub fn certificate(&self) -> anyhow::Result<&Certificate> {
        let of_a_key =
            |certificate: &&Certificate| self.keys.iter().any(|key| certificate.is_of(&key.key));
        if let Some(own) = self.certificates.iter().find(of_a_key) {
            return Ok(own);
        }
        match self.certificates.as_slice() {
            [certificate] => Ok(certificate),
            [] => bail!("there is no certificate in {}", self.source),
            several => bail!(
                "there are {} certificates in {}, and none belongs to the private key",
                several.len(),
                self.source
            ),
        }
    }

    fn add_blocks(&mut self, blocks: &[PemBlock], ask: &mut Ask<'_>) -> anyhow::Result<()> {
        for block in blocks {
            let der = block.content();
            match block.label() {
                Some("CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE") => {
                    self.certificates
                        .push(Certificate::from_der(block.certificate())?);
                }
                Some("CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") => {
                    self.requests.push(Request::from_der(der)?);
                }
                Some("PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY") | None => {
                    self.add_der(der, ask)?;
                }
                Some("PKCS7" | "CMS") => bail!(PKCS7),
                // Parameters of other algorithms, public keys.
                Some(_) => {}
            }
        }
        ensure!(
            !(self.keys.is_empty() && self.certificates.is_empty() && self.requests.is_empty()),
            "there is neither a key nor a certificate nor a request in this PEM file"
        );
        Ok(())
    }

    fn add_der(&mut self, der: &[u8], ask: &mut Ask<'_>) -> anyhow::Result<()> {
        if let Ok(certificate) = Certificate::from_der(der) {
            self.certificates.push(certificate);
        } else if let Ok(request) = Request::from_der(der) {
            self.requests.push(request);
        } else if let Ok(encrypted) = EncryptedPrivateKeyInfo::from_der(der) {
            let plain = pkcs12::decrypt_key(&encrypted, &ask()?)?;
            self.add_key(&plain, "PKCS#8, encrypted", true)?;
        } else if PrivateKeyInfoRef::from_der(der).is_ok() {
            self.add_key(der, "PKCS#8", false)?;
        } else if let Ok(key) = RsaPrivateKey::from_pkcs1_der(der) {
            self.keys.push(PrivateKey {
                key,
                format: "PKCS#1",
                encrypted: false,
            });
        } else if pkcs12::is_pkcs12(der) {
            let contents = pkcs12::open(der, &ask()?)?;
            for key in &contents.keys {
                self.add_key(key, "PKCS#12", true)?;
            }
            for certificate in &contents.certificates {
                self.certificates.push(Certificate::from_der(certificate)?);
            }
        } else if cms::content_info::ContentInfo::from_der(der).is_ok() {
            bail!(PKCS7);
        } else {
            bail!("neither PEM nor DER of a key, a certificate or a request, nor PKCS#12");
        }
        Ok(())
    }

    fn add_key(&mut self, der: &[u8], format: &'static str, encrypted: bool) -> anyhow::Result<()> {
        let key = RsaPrivateKey::from_pkcs8_der(der)
            .map_err(|_| anyhow::anyhow!("the private key is not RSA, which MPay asks for"))?;
        self.keys.push(PrivateKey {
            key,
            format,
            encrypted,
        });
        Ok(())
    }
}

const OLD_ENCRYPTION: &str = "the key is encrypted in OpenSSL's old way; `openssl pkcs8 -topk8 -in OLD.pem -out NEW.pem` writes it as PKCS#8";
const PKCS7: &str = "PKCS#7 (.p7b) holds certificates in another form; `openssl pkcs7 -print_certs -in FILE -out certificates.pem` writes them as PEM (add `-inform der` if the file is binary)";

impl Certificate {
    /// Parses DER.
    pub fn from_der(der: &[u8]) -> anyhow::Result<Certificate> {
        let parsed = x509_cert::Certificate::from_der(der).context("not an X.509 certificate")?;
        Ok(Certificate {
            der: der.to_vec(),
            parsed,
        })
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// Subject, the most specific part first (RFC 4514).
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    /// Issuer, likewise.
    pub fn issuer(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// Serial number in hexadecimal.
    pub fn serial_number(&self) -> String {
        hex(self.parsed.tbs_certificate().serial_number().as_bytes())
    }

    /// First and last instant of validity.
    pub fn validity(&self) -> (Timestamp, Timestamp) {
        let validity = self.parsed.tbs_certificate().validity();
        (
            timestamp(&validity.not_before),
            timestamp(&validity.not_after),
        )
    }

    /// The purpose that its extensions tell.
    pub fn purpose(&self) -> Purpose {
        let certificate = self.parsed.tbs_certificate();
        if let Ok(Some((_, constraints))) = certificate.get_extension::<BasicConstraints>()
            && constraints.ca
        {
            return Purpose::Authority;
        }
        let serves = match certificate.get_extension::<ExtendedKeyUsage>() {
            Ok(Some((_, usages))) => usages.0.contains(&SERVER_AUTHENTICATION),
            _ => false,
        };
        // What signs messages cannot be denied; a web server's certificate never says so.
        let undeniable = match certificate.get_extension::<KeyUsage>() {
            Ok(Some((_, usage))) => usage.non_repudiation(),
            _ => false,
        };
        match serves && !undeniable {
            true => Purpose::Server,
            false => Purpose::Other,
        }
    }

    /// The host names that a TLS client takes it for.
    pub fn host_names(&self) -> Vec<String> {
        let names = self
            .parsed
            .tbs_certificate()
            .get_extension::<SubjectAltName>();
        let Ok(Some((_, names))) = names else {
            return Vec::new();
        };
        names
            .0
            .iter()
            .filter_map(|name| match name {
                GeneralName::DnsName(name) => Some(name.to_string()),
                _ => None,
            })
            .collect()
    }

    /// The key's identifier, and whether the certificate itself names it; else it is what WSS4J
    /// and .NET make of the key (RFC 5280 section 4.2.1.2, method 1).
    pub fn key_identifier(&self) -> (String, bool) {
        let certificate = self.parsed.tbs_certificate();
        match certificate.get_extension::<SubjectKeyIdentifier>() {
            Ok(Some((_, identifier))) => (hex(identifier.0.as_bytes()), true),
            _ => (key_identifier(certificate.subject_public_key_info()), false),
        }
    }

    /// The RSA key; `None` where it is of another kind.
    pub fn public_key(&self) -> Option<RsaPublicKey> {
        public_key(self.parsed.tbs_certificate().subject_public_key_info())
    }

    /// True if it certifies this key.
    pub fn is_of(&self, key: &RsaPrivateKey) -> bool {
        self.public_key()
            .is_some_and(|public| public == *key.as_public_key())
    }
}

impl Request {
    fn from_der(der: &[u8]) -> anyhow::Result<Request> {
        let parsed = CertReq::from_der(der).context("not a PKCS#10 request")?;
        Ok(Request { parsed })
    }

    /// Subject, the most specific part first.
    pub fn subject(&self) -> String {
        self.parsed.info.subject.to_string()
    }

    /// The RSA key; `None` where it is of another kind.
    pub fn public_key(&self) -> Option<RsaPublicKey> {
        public_key(&self.parsed.info.public_key)
    }
}

fn public_key(info: &SubjectPublicKeyInfoOwned) -> Option<RsaPublicKey> {
    let der = info.to_der().ok()?;
    let info = x509_cert::spki::SubjectPublicKeyInfoRef::from_der(&der).ok()?;
    RsaPublicKey::try_from(info).ok()
}

fn key_identifier(info: &SubjectPublicKeyInfoOwned) -> String {
    hex(&Sha1::digest(info.subject_public_key.raw_bytes()))
}

/// The length of a key, in bits.
pub fn bits(key: &impl PublicKeyParts) -> u32 {
    key.n().bit_width()
}

/// A PEM block of lines of 64 characters (RFC 7468).
#[allow(
    clippy::expect_used,
    reason = "no input decides: the label is the program's own"
)]
pub fn pem(label: &str, der: &[u8]) -> String {
    pem_rfc7468::encode_string(label, LineEnding::LF, der)
        .expect("the program's own label is one, and what is encoded fits into memory")
}

/// SHA-1 and SHA-256 in hexadecimal.
pub fn fingerprints(der: &[u8]) -> (String, String) {
    (hex(&Sha1::digest(der)), hex(&Sha256::digest(der)))
}

fn timestamp(time: &Time) -> Timestamp {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}
