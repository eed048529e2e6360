//! Keys that are made on the spot.

use anyhow::Context;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use rsa::{
    PrivateKey as RsaPrivateKey,
    pkcs8::{EncodePrivateKey, LineEnding},
};

/// A key and a certificate that no provider knows, both PEM.
///
/// # Errors
/// If they cannot be made.
pub fn stranger() -> anyhow::Result<(String, String)> {
    let (pem, key) = new_key()?;
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "A stranger");
    Ok((pem, parameters.self_signed(&key)?.pem()))
}

/// A new RSA key of 2048 bits: PKCS#8 in PEM, and ready to sign certificates.
///
/// # Errors
/// If it cannot be made.
pub fn new_key() -> anyhow::Result<(String, KeyPair)> {
    let key = RsaPrivateKey::new(&mut rand::rng(), 2048).context("cannot make an RSA key")?;
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .context("cannot write an RSA key")?
        .to_string();
    let pair = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256)?;
    Ok((pem, pair))
}
