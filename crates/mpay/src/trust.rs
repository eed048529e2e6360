//! The signers that a command believes: certificates and authorities given as files.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use wsse::{Certificate, Trust};

use crate::keys::material;

/// The signers that are accepted: certificates, or authorities and the signer's name.
#[derive(Debug, Args)]
pub struct Signers {
    /// The certificate that must have signed, PEM or DER; several for several.
    #[arg(long = "certificate", value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// The authority that must have certified the signer, PEM or DER; with --signer-name. Several
    /// for intermediate ones.
    #[arg(long = "authority", value_name = "FILE", requires = "signer_names")]
    authorities: Vec<PathBuf>,
    /// The name that the signer must have with --authority: its subject's serialNumber, or its
    /// whole subject.
    #[arg(long = "signer-name", value_name = "NAME", requires = "authorities")]
    signer_names: Vec<String>,
}

impl Signers {
    /// True if a certificate or an authority was given.
    pub fn are_given(&self) -> bool {
        !(self.certificates.is_empty() && self.authorities.is_empty())
    }

    /// The trust that `wsse` verifies by.
    pub fn trust(&self) -> anyhow::Result<Trust> {
        let trust = Trust::pinned(read_all(&self.certificates)?);
        if self.authorities.is_empty() {
            return Ok(trust);
        }
        let (authorities, intermediates) = read_all(&self.authorities)?
            .into_iter()
            .partition(Certificate::is_self_issued);
        trust
            .with_authorities(authorities, intermediates, &self.signer_names)
            .context("--authority and --signer-name")
    }
}

fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<Certificate>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(certificates(file)?);
    }
    Ok(all)
}

/// The certificates of a file, PEM or DER.
pub fn certificates(file: &Path) -> anyhow::Result<Vec<Certificate>> {
    let name = || file.display().to_string();
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", name()))?;
    let material = material::parse_plain(&bytes).with_context(name)?;
    ensure!(
        !material.certificates.is_empty(),
        "there is no certificate in {}",
        name()
    );
    let certificates = material.certificates.iter();
    certificates
        .map(|certificate| Certificate::from_der(&certificate.der).with_context(name))
        .collect()
}

/// The one certificate of a file.
pub fn certificate(file: &Path) -> anyhow::Result<Certificate> {
    let mut certificates = certificates(file)?;
    ensure!(
        certificates.len() == 1,
        "{} holds {} certificates where one was expected",
        file.display(),
        certificates.len()
    );
    Ok(certificates.remove(0))
}
