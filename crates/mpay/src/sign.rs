//! `mpay sign`: a signed message around an operation.

use std::time::Duration;
use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail, ensure};
use clap::Args;
use jiff::Timestamp;
use mpay::roles::Hash;
use pkcs8::{EncodePrivateKey, LineEnding};
use wsse::{Algorithms, Content, Document, Signer, names::SOAP};

use crate::{
    files::write_public,
    inspect::{parse_time, read_message},
    keys::material,
    passphrase::Passphrase,
    terminal::print_raw,
};

/// The arguments of `mpay sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay sign operation.xml --key mpay.key.pem --certificate mpay.pem --out request.xml
  mpay sign - --key mpay.key.pem --certificate mpay.pem --hash sha256 < operation.xml
  mpay sign request.xml --key delivered.p12          signs it anew, with a new Timestamp")]
pub struct Arguments {
    /// The operation, such as GetOrderDetails, or a SOAP envelope whose Body holds it; `-` is
    /// standard input. Headers of the envelope are left out.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The private key: PEM, DER or PKCS#12.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Its certificate, PEM or DER; not needed if it is in the same file.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Hash of the signature and the digests; MPay uses sha1 today.
    #[arg(long, value_enum, default_value_t = Hash::Sha1)]
    hash: Hash,
    /// Time that the message gives as that of its making [default: now].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    created: Option<Timestamp>,
    /// Seconds for which it is valid.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    lifetime: u64,
    /// The file to write [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Signs it.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let content = content(&read_message(&arguments.file)?)
        .with_context(|| arguments.file.display().to_string())?;
    let mut material = material::read(&arguments.key, &arguments.passphrase)?;
    if let Some(file) = &arguments.certificate {
        material.certificates = material::read(file, &arguments.passphrase)?.certificates;
    }
    let key = material.key()?.key.to_pkcs8_pem(LineEnding::LF)?;
    let certificate = material
        .certificate()
        .context("give the key's certificate with --certificate")?;
    let signer = Signer::from_pem(&key, &certificate.to_pem())?;
    let message = signer.sign(
        &content,
        Algorithms::new(arguments.hash.into()),
        arguments.created.unwrap_or_else(Timestamp::now),
        Duration::from_secs(arguments.lifetime),
    )?;
    match &arguments.out {
        Some(file) => write_public(file, message.as_bytes())?,
        // No line end after it: a message is its bytes.
        None => print_raw(message.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn content(document: &[u8]) -> anyhow::Result<Content> {
    let document = Document::parse(document).context("not XML that could be signed")?;
    let root = document.root();
    if !root.is(SOAP, "Envelope") {
        return Ok(Content::of_element(root)?);
    }
    let Some(body) = root.children().find(|part| part.is(SOAP, "Body")) else {
        bail!("the envelope has no Body");
    };
    let mut operations = body.children();
    let operation = operations.next().context("the Body is empty")?;
    ensure!(
        operations.next().is_none(),
        "the Body holds more than one operation"
    );
    Ok(Content::of_element(operation)?)
}
