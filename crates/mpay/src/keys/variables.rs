//! `mpay keys variables`.

use std::{path::PathBuf, process::ExitCode};

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

/// What becomes variables.
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
    let mut all = Material::default();
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
        write_secret(&file, text.as_bytes())?;
        page.field("Written", file.display().to_string());
        page.gap();
        page.line(
            "`spin up` reads it in the folder where it is started. Keep it out of version control.",
        );
    } else {
        let key_file = arguments.out.join("service.key.pem");
        let certificate_file = arguments.out.join("service.pem");
        refuse_existing([key_file.as_path(), certificate_file.as_path()])?;
        write_secret(&key_file, key_pem.as_bytes())?;
        write_public(&certificate_file, certificate_pem.as_bytes())?;
        page.field(
            "Key",
            format!(
                "{}\nNOT encrypted, readable by its owner alone",
                key_file.display()
            ),
        );
        page.field("Certificate", certificate_file.display().to_string());
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
