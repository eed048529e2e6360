//! `mpay keys new`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail, ensure};
use clap::Args;
use mpay::tell;
use mpay_domain::check_state_identifier;
use pkcs8::{EncodePrivateKey, EncryptedPrivateKeyInfo, LineEnding, SecretDocument, pkcs5::pbes2};
use rand::RngExt;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256,
};
use rsa::PrivateKey as RsaPrivateKey;
use zeroize::Zeroizing;

use crate::{
    files::{refuse_existing, write_public, write_secret},
    passphrase::Passphrase,
    terminal::Page,
};

/// PBKDF2 with HMAC-SHA-256: what OWASP's Password Storage Cheat Sheet asks for.
const ITERATIONS: u32 = 600_000;

/// The arguments of `mpay keys new`: the key, and the content of the request.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay keys new --common-name plati.primaria.md --organization 'Primăria Exemplu' --idno 1003600000000
  mpay keys new --common-name plati.primaria.md --organization 'Primăria Exemplu' --idno 1003600000000 \\
      --locality Chișinău --bits 3072 --out keys/mpay-2026 --passphrase-file passphrase

Then send the request (.csr) to STISC, and keep the key. When the certificate comes:
  mpay keys show keys/mpay-2026.key.pem certificate.cer
  mpay keys variables keys/mpay-2026.key.pem certificate.cer")]
pub struct Arguments {
    /// CN: the information system's name, or its host name.
    #[arg(long, value_name = "NAME")]
    common_name: String,
    /// O: the institution, as it is registered.
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// serialNumber: the institution's IDNO, 13 digits.
    #[arg(long, value_name = "DIGITS")]
    idno: String,
    /// OU: the department.
    #[arg(long, value_name = "NAME")]
    organizational_unit: Option<String>,
    /// L: city or village.
    #[arg(long, value_name = "NAME")]
    locality: Option<String>,
    /// ST: district.
    #[arg(long, value_name = "NAME")]
    state: Option<String>,
    /// C: country, two letters.
    #[arg(long, value_name = "CODE", default_value = "MD")]
    country: String,
    /// E-mail address of those who run the system.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Length of the key.
    #[arg(long, default_value = "2048", value_parser = ["2048", "3072", "4096"])]
    bits: String,
    /// Name of the files: NAME.key.pem and NAME.csr.
    #[arg(long, value_name = "NAME", default_value = "service")]
    out: PathBuf,
    /// Do not encrypt the key. Whoever can read the file, or a backup of it, can then sign in
    /// the institution's name. The provider's variable needs the key like this, but that is what
    /// `mpay keys variables` is for.
    #[arg(long, conflicts_with = "passphrase_file")]
    plain: bool,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Makes key and request.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = subject(arguments)?;
    let with = |ending: &str| {
        let mut file = arguments.out.clone().into_os_string();
        file.push(ending);
        PathBuf::from(file)
    };
    let (key_file, request_file) = (with(".key.pem"), with(".csr"));
    refuse_existing([key_file.as_path(), request_file.as_path()])?;
    let passphrase = match arguments.plain {
        true => None,
        false => Some(arguments.passphrase.choose()?),
    };

    tell!("Making a key of {} bits …", arguments.bits);
    let bits = arguments.bits.parse().context("--bits")?;
    let key = RsaPrivateKey::new(&mut rand::rng(), bits).context("cannot make an RSA key")?;
    let plain = key.to_pkcs8_der().context("cannot write the RSA key")?;
    let request = request(name, &plain)?;
    let pem = match &passphrase {
        Some(passphrase) => encrypt(&plain, passphrase)?,
        None => plain.to_pem("PRIVATE KEY", LineEnding::LF)?,
    };
    write_secret(&key_file, pem.as_bytes())?;
    write_public(&request_file, request.as_bytes())?;

    let mut page = Page::new();
    let kept = match passphrase {
        Some(_) => "encrypted with the passphrase (PBES2: PBKDF2-SHA-256, AES-256)",
        None => "NOT encrypted: keep it where nobody else can read it, backups included",
    };
    page.field("Key", format!("{}\n{kept}", key_file.display()));
    page.field("Request", request_file.display().to_string());
    page.gap();
    page.line(
        "Send the request to STISC (https://semnatura.md), never the key. Without the key the",
    );
    page.line("certificate is of no use: keep a copy of it and of the passphrase.");
    page.print()?;
    Ok(ExitCode::SUCCESS)
}

/// The subject, with the kinds of strings and the lengths of RFC 5280 appendix A.1.
fn subject(arguments: &Arguments) -> anyhow::Result<DistinguishedName> {
    let country = arguments.country.to_ascii_uppercase();
    ensure!(
        country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()),
        "--country {country:?} is no code of two letters, such as MD"
    );
    let idno = arguments.idno.trim();
    ensure!(
        idno.len() == 13 && idno.bytes().all(|byte| byte.is_ascii_digit()),
        "--idno {idno:?} is no IDNO, which has 13 digits"
    );
    if let Err(doubt) = check_state_identifier(idno) {
        tell!("Warning: --idno {idno} {doubt}; the request is made all the same");
    }
    let printable = |text: &str| Ok::<_, anyhow::Error>(DnValue::PrintableString(text.try_into()?));
    let text = |flag: &str, value: &str, longest: usize| {
        let value = value.trim();
        let length = value.chars().count();
        if length == 0 || length > longest || value.chars().any(char::is_control) {
            bail!("--{flag} has {length} characters; it must have 1 to {longest}, on one line");
        }
        Ok(DnValue::Utf8String(value.to_owned()))
    };
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, printable(&country)?);
    if let Some(state) = &arguments.state {
        name.push(DnType::StateOrProvinceName, text("state", state, 128)?);
    }
    if let Some(locality) = &arguments.locality {
        name.push(DnType::LocalityName, text("locality", locality, 128)?);
    }
    name.push(
        DnType::OrganizationName,
        text("organization", &arguments.organization, 64)?,
    );
    if let Some(unit) = &arguments.organizational_unit {
        let unit = text("organizational-unit", unit, 64)?;
        name.push(DnType::OrganizationalUnitName, unit);
    }
    // serialNumber and emailAddress
    name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), printable(idno)?);
    name.push(
        DnType::CommonName,
        text("common-name", &arguments.common_name, 64)?,
    );
    if let Some(email) = &arguments.email {
        let address = email.trim();
        ensure!(
            address.contains('@'),
            "--email {address:?} is no e-mail address"
        );
        let address = DnValue::Ia5String(address.try_into()?);
        name.push(
            DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]),
            address,
        );
    }
    Ok(name)
}

/// The request in PEM, for a key that signs and cannot be denied.
fn request(subject: DistinguishedName, key: &SecretDocument) -> anyhow::Result<String> {
    let pem = key.to_pem("PRIVATE KEY", LineEnding::LF)?;
    let pair = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256)?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = subject;
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment,
    ];
    Ok(parameters.serialize_request(&pair)?.pem()?)
}

/// PKCS#8 under PBES2, in a form that OpenSSL, Java and .NET read.
fn encrypt(key: &SecretDocument, passphrase: &str) -> anyhow::Result<Zeroizing<String>> {
    let (salt, vector): ([u8; 16], [u8; 16]) = (rand::rng().random(), rand::rng().random());
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, vector)
        .map_err(|error| anyhow::anyhow!("cannot encrypt the key: {error}"))?;
    let encrypted = parameters
        .encrypt(passphrase, key.as_bytes())
        .map_err(|error| anyhow::anyhow!("cannot encrypt the key: {error}"))?;
    let encrypted = EncryptedPrivateKeyInfo {
        encryption_algorithm: parameters.into(),
        encrypted_data: der::asn1::OctetString::new(encrypted)?,
    };
    let document = SecretDocument::try_from(&encrypted)?;
    Ok(document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)?)
}
