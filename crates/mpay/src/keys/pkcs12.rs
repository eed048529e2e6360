//! PKCS#12 files (RFC 7292) as authorities deliver them: old ones, encrypted with RC2 or Triple
//! DES under the key derivation of the standard itself, and new ones with AES under PBES2.
//!
//! They are only read. The legacy ciphers live here and nowhere else.

use super::ber::to_der;
use anyhow::{Context, bail, ensure};
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit, block_padding::Pkcs7};
use cms::{content_info::ContentInfo, encrypted_data::EncryptedData};
use der::asn1::{ContextSpecific, ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use hmac::Mac;
use pkcs8::{pkcs5::pbes2, spki::AlgorithmIdentifierOwned};
use pkcs12::{
    AuthenticatedSafe, CertBag, MacData, PKCS_12_CERT_BAG_OID, PKCS_12_KEY_BAG_OID,
    PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC, PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC,
    PKCS_12_PKCS8_KEY_BAG_OID, PKCS_12_X509_CERT_OID, Pfx,
    kdf::{Pkcs12KeyType, derive_key_utf8},
    pbe_params::{EncryptedPrivateKeyInfo, Pkcs12PbeParams},
    safe_bag::{PrivateKeyInfo, SafeContents},
};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");

/// More would only be there to keep this program busy.
const MAX_ITERATIONS: u32 = 10_000_000;

/// The content of a PKCS#12 file.
#[derive(Default)]
pub struct Contents {
    /// Private keys, PKCS#8 in DER.
    pub keys: Vec<Zeroizing<Vec<u8>>>,
    /// Certificates in DER.
    pub certificates: Vec<Vec<u8>>,
}

/// True if these bytes are a PKCS#12 file.
pub fn is_pkcs12(bytes: &[u8]) -> bool {
    Pfx::from_der(&der(bytes)).is_ok()
}

/// The standard asks for BER (RFC 7292 section 4).
fn der(ber: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(to_der(ber).unwrap_or_else(|| ber.to_vec()))
}

/// Opens a PKCS#12 file.
pub fn open(bytes: &[u8], passphrase: &str) -> anyhow::Result<Contents> {
    let pfx = Pfx::from_der(&der(bytes)).context("not a PKCS#12 file")?;
    ensure!(
        pfx.auth_safe.content_type == DATA,
        "the PKCS#12 file is sealed with a public key, not with a passphrase; ask for one with a passphrase"
    );
    // What is checked are the bytes as they are.
    let safes = octets(&pfx.auth_safe.content)?;
    if let Some(mac) = &pfx.mac_data {
        check(mac, passphrase, safes.as_bytes())?;
    }
    let mut contents = Contents::default();
    for safe in AuthenticatedSafe::from_der(&der(safes.as_bytes()))? {
        let bags = match safe.content_type {
            DATA => Zeroizing::new(octets(&safe.content)?.into_bytes().into()),
            ENCRYPTED_DATA => decrypt_safe(&safe, passphrase)?,
            other => bail!("a part of the PKCS#12 file is of the kind {other}, which is not read"),
        };
        contents.add(SafeContents::from_der(&der(&bags))?, passphrase)?;
    }
    Ok(contents)
}

impl Contents {
    fn add(&mut self, bags: SafeContents, passphrase: &str) -> anyhow::Result<()> {
        for bag in bags {
            match bag.bag_id {
                PKCS_12_KEY_BAG_OID => {
                    let key = ContextSpecific::<PrivateKeyInfo>::from_der(&bag.bag_value)?;
                    self.keys.push(Zeroizing::new(key.value.to_der()?));
                }
                PKCS_12_PKCS8_KEY_BAG_OID => {
                    let key = ContextSpecific::<EncryptedPrivateKeyInfo>::from_der(&bag.bag_value)?;
                    self.keys.push(decrypt_key(&key.value, passphrase)?);
                }
                PKCS_12_CERT_BAG_OID => {
                    let certificate = ContextSpecific::<CertBag>::from_der(&bag.bag_value)?.value;
                    if certificate.cert_id == PKCS_12_X509_CERT_OID {
                        self.certificates
                            .push(certificate.cert_value.as_bytes().to_vec());
                    }
                }
                // Revocation lists and secrets are of no use here.
                _ => {}
            }
        }
        Ok(())
    }
}

/// A private key that is encrypted on its own (RFC 5958 section 3), which old programs do in the
/// ways of PKCS#12 too. Gives PKCS#8 in DER.
pub fn decrypt_key(
    key: &EncryptedPrivateKeyInfo,
    passphrase: &str,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let encrypted = key.encrypted_data.as_bytes();
    decrypt(&key.encryption_algorithm, encrypted, passphrase)
}

fn octets(content: &der::Any) -> anyhow::Result<OctetString> {
    Ok(content.decode_as::<OctetString>()?)
}

fn decrypt_safe(safe: &ContentInfo, passphrase: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let encrypted: EncryptedData = safe.content.decode_as()?;
    let info = encrypted.enc_content_info;
    let content = info.encrypted_content.context("an empty part")?;
    decrypt(&info.content_enc_alg, content.as_bytes(), passphrase)
}

/// RFC 7292 section 5.1: the passphrase is right, and nothing was changed.
fn check(mac: &MacData, passphrase: &str, content: &[u8]) -> anyhow::Result<()> {
    macro_rules! fits {
        ($hash:ty, $size:literal) => {{
            let salt = mac.mac_salt.as_bytes();
            let key = derive_key_utf8::<$hash>(
                passphrase,
                salt,
                Pkcs12KeyType::Mac,
                mac.iterations,
                $size,
            )?;
            let mut hmac =
                <hmac::Hmac<$hash> as hmac::KeyInit>::new_from_slice(&Zeroizing::new(key))?;
            hmac.update(content);
            hmac.verify_slice(mac.mac.digest.as_bytes()).is_ok()
        }};
    }
    check_iterations(u32::try_from(mac.iterations)?)?;
    let fits = match mac.mac.algorithm.oid.to_string().as_str() {
        "1.3.14.3.2.26" => fits!(Sha1, 20),
        "2.16.840.1.101.3.4.2.1" => fits!(Sha256, 32),
        "2.16.840.1.101.3.4.2.2" => fits!(Sha384, 48),
        "2.16.840.1.101.3.4.2.3" => fits!(Sha512, 64),
        other => bail!("the PKCS#12 file is checked by {other}, which is not known; {REMEDY}"),
    };
    ensure!(fits, "the passphrase is wrong, or the file is damaged");
    Ok(())
}

const REMEDY: &str =
    "`openssl pkcs12 -in OLD.p12 -nodes | openssl pkcs12 -export -out NEW.p12` writes it anew";

fn decrypt(
    algorithm: &AlgorithmIdentifierOwned,
    encrypted: &[u8],
    passphrase: &str,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let parameters = algorithm.parameters.as_ref().context("no parameters")?;
    let wrong = "cannot decrypt: the passphrase is wrong, or the file is damaged";
    match algorithm.oid {
        PBES2 => {
            let der = parameters.to_der()?;
            let parameters = pbes2::Parameters::from_der(&der)
                .map_err(|_| anyhow::anyhow!("encrypted in a way that is not known; {REMEDY}"))?;
            if let Some(pbkdf2) = parameters.kdf.pbkdf2() {
                check_iterations(pbkdf2.iteration_count)?;
            }
            let plain = parameters
                .decrypt(passphrase, encrypted)
                .map_err(|_| anyhow::anyhow!(wrong))?;
            Ok(Zeroizing::new(plain))
        }
        PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC => {
            legacy::<des::TdesEde3>(&parameters.decode_as()?, 24, encrypted, passphrase)
        }
        PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC => {
            legacy::<rc2::Rc2>(&parameters.decode_as()?, 5, encrypted, passphrase)
        }
        other => bail!("encrypted by {other}, which is not known; {REMEDY}"),
    }
}

/// RFC 7292 appendix C: key and initial vector from the standard's own derivation with SHA-1.
fn legacy<C: KeyInit + BlockCipherDecrypt>(
    parameters: &Pkcs12PbeParams,
    key_size: usize,
    encrypted: &[u8],
    passphrase: &str,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    check_iterations(u32::try_from(parameters.iterations)?)?;
    let derive = |kind, size| {
        let salt = parameters.salt.as_bytes();
        derive_key_utf8::<Sha1>(passphrase, salt, kind, parameters.iterations, size)
            .map(Zeroizing::new)
    };
    let key = derive(Pkcs12KeyType::EncryptionKey, key_size)?;
    let vector = derive(Pkcs12KeyType::Iv, 8)?;
    let cipher = cbc::Decryptor::<C>::new_from_slices(&key, &vector)?;
    cipher
        .decrypt_padded_vec::<Pkcs7>(encrypted)
        .map(Zeroizing::new)
        .map_err(|_| {
            anyhow::anyhow!("cannot decrypt: the passphrase is wrong, or the file is damaged")
        })
}

fn check_iterations(iterations: u32) -> anyhow::Result<()> {
    ensure!(
        iterations <= MAX_ITERATIONS,
        "the file asks for {iterations} rounds of key derivation, which would take too long"
    );
    Ok(())
}
