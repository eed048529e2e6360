//! `mpay keys variables`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::Args;
use pkcs8::{EncodePrivateKey, LineEnding};
use zeroize::Zeroizing;

use super::{
    material::{self, Material},
    show::check_system_certificate,
};
use crate::{
    files::{make_folder, refuse_existing, write_public, write_secret},
    passphrase::Passphrase,
    terminal::Page,
};

/// The arguments of `mpay keys variables`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay keys variables delivered.p12
  mpay keys variables service.key.pem certificate.cer --out /etc/mpay-provider
  mpay keys variables delivered.p12 --env --out .       .env, which `spin up` reads

The variable service_key needs the key without a passphrase, so the files that are written are for
the provider's own user alone (mode 0600). Keep the encrypted one as your copy.")]
pub struct Arguments {
    /// A PKCS#12 file (.p12, .pfx), or the key and its certificate in PEM or DER.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The folder to write to.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// Write one file `.env` with SPIN_VARIABLE_… lines instead of two PEM files.
    #[arg(long)]
    env: bool,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Writes them.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut all = Material {
        source: list(&arguments.files),
        ..Material::default()
    };
    for file in &arguments.files {
        let material = material::read(file, &arguments.passphrase)?;
        all.keys.extend(material.keys);
        all.certificates.extend(material.certificates);
    }
    let key = all
        .key()
        .context("give the PKCS#12 file, or the key's file and the certificate's")?;
    let certificate = all
        .certificate()
        .context("give the PKCS#12 file, or the key's file and the certificate's")?;
    ensure!(
        certificate.is_of(&key.key),
        "the private key and the certificate of {} do not belong together: find the key that its request was made with",
        certificate.subject()
    );
    check_system_certificate(certificate)?;
    let key_pem = key.key.to_pkcs8_pem(LineEnding::LF)?;
    let certificate_pem = certificate.to_pem();

    make_folder(&arguments.out)?;
    let mut page = Page::new();
    page.field("Certificate of", certificate.subject());
    let chain = all.certificates.len() - 1;
    if chain > 0 {
        let left_out = "for an authority's certificate the provider needs no variable";
        page.field("Left out", format!("{chain}: {left_out}"));
    }
    if arguments.env {
        let file = arguments.out.join(".env");
        let text = Zeroizing::new(format!(
            "SPIN_VARIABLE_SERVICE_KEY=\"{}\"\nSPIN_VARIABLE_SERVICE_CERTIFICATE=\"{}\"\n",
            key_pem.trim(),
            certificate_pem.trim()
        ));
        match is_there(&file, text.as_bytes()) {
            true => page.field("Left as it is", file.display().to_string()),
            false => {
                write_secret(&file, text.as_bytes())?;
                page.field("Written", file.display().to_string());
            }
        }
        page.gap();
        page.line(
            "`spin up` reads it in the folder where it is started. Keep it out of version control.",
        );
    } else {
        let mut key_file = arguments.out.join("service.key.pem");
        // The encrypted key that `mpay keys new` made stays: it is the copy to keep.
        let encrypted = arguments
            .files
            .iter()
            .find(|file| is_same_file(file, &key_file));
        let encrypted = encrypted.filter(|_| key.encrypted);
        if let Some(file) = encrypted {
            page.field("Left as it is", format!("{}, encrypted", file.display()));
            key_file = arguments.out.join("service.plain.key.pem");
        }
        let certificate_file = arguments.out.join("service.pem");
        let has_key = holds(&key_file, |there| {
            there.keys.iter().any(|own| own.key == key.key)
        });
        let has_certificate = holds(&certificate_file, |there| {
            there
                .certificates
                .iter()
                .any(|own| own.der == certificate.der)
        });
        let new = [
            (has_key, key_file.as_path()),
            (has_certificate, certificate_file.as_path()),
        ];
        refuse_existing(new.iter().filter(|(has, _)| !has).map(|(_, file)| *file))?;
        let said = |has: bool, file: &Path| match has {
            true => format!(
                "{}\nwas there already, and is left as it is",
                file.display()
            ),
            false => file.display().to_string(),
        };
        if !has_key {
            write_secret(&key_file, key_pem.as_bytes())?;
        }
        if !has_certificate {
            write_public(&certificate_file, certificate_pem.as_bytes())?;
        }
        page.field(
            "Key",
            format!(
                "{}\nNOT encrypted, readable by its owner alone",
                said(has_key, &key_file)
            ),
        );
        page.field("Certificate", said(has_certificate, &certificate_file));
        page.gap();
        page.line("Start the provider with them:");
        page.line(format!(
            "  spin up --variable service_key=@{} --variable service_certificate=@{}",
            key_file.display(),
            certificate_file.display()
        ));
    }
    page.print()?;
    Ok(ExitCode::SUCCESS)
}

/// True if a file of text, which nobody is asked a passphrase for, holds it already.
fn holds(file: &Path, what: impl Fn(&Material) -> bool) -> bool {
    let Ok(bytes) = std::fs::read(file).map(Zeroizing::new) else {
        return false;
    };
    let is_text = std::str::from_utf8(&bytes).is_ok();
    is_text && material::parse_plain(&bytes).is_ok_and(|there| what(&there))
}

/// True if a file has just this content.
fn is_there(file: &Path, content: &[u8]) -> bool {
    std::fs::read(file)
        .map(Zeroizing::new)
        .is_ok_and(|there| *there == *content)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn list(files: &[PathBuf]) -> String {
    let names: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(" and ")
}
