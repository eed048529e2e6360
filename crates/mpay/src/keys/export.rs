//! `mpay keys export-cer`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;

use super::{
    material::{self, fingerprints},
    show::check_system_certificate,
};
use crate::{files::write_public, passphrase::Passphrase, terminal::Page};

/// The arguments of `mpay keys export-cer`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay keys export-cer service.pem
  mpay keys export-cer delivered.p12 --out primaria-exemplu.cer

Send the file to suport.mpay@gov.md; `mpay connect` makes it together with the rest of the form.")]
pub struct Arguments {
    /// File with the certificate: PEM, DER or PKCS#12.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to write [default: the same name, ending in .cer].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write base64 (PEM) instead of binary (DER). Both are called .cer.
    #[arg(long)]
    pem: bool,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Exports it.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let material = material::read(&arguments.file, &arguments.passphrase)?;
    let certificate = material
        .certificate()
        .with_context(|| arguments.file.display().to_string())?;
    check_system_certificate(certificate)?;
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => arguments.file.with_extension("cer"),
    };
    match arguments.pem {
        true => write_public(&out, certificate.to_pem().as_bytes())?,
        false => write_public(&out, &certificate.der)?,
    }
    let (sha1, sha256) = fingerprints(&certificate.der);
    let mut page = Page::new();
    page.field("Written", out.display().to_string());
    page.field("Subject", certificate.subject());
    page.field("SHA-1", sha1);
    page.field("SHA-256", sha256);
    page.print()?;
    Ok(ExitCode::SUCCESS)
}
