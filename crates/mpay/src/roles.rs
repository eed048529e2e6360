//! The sides of a call: who plays MPay, and who the provider must be. Keys and certificates come from
//! flags, or are those of development.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use mpay_conform::configure_tls;
use ureq::tls::TlsConfig;
use wsse::{Algorithms, Certificate, Signer};

use crate::{
    component,
    development::{Credentials, read},
};

/// The flags of every command that plays MPay.
#[derive(Debug, Clone, Args)]
pub struct Roles {
    #[command(flatten)]
    parties: Parties,
    /// Hash of the signature and the digests; MPay uses sha1 today.
    #[arg(long, global = true, value_enum, default_value_t = Hash::Sha1)]
    hash: Hash,
}

/// The flags that say who MPay and the provider are.
#[derive(Debug, Clone, Args)]
pub struct Parties {
    /// MPay's private key, PEM [default: the development key].
    #[arg(long, global = true, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// MPay's certificate, PEM [default: the development certificate].
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The certificate that the provider must sign with, PEM [default: the development one].
    #[arg(long, global = true, value_name = "FILE")]
    provider_certificate: Option<PathBuf>,
}

/// The flags that say how HTTPS is spoken.
#[derive(Debug, Clone, Default, Args)]
pub struct Tls {
    /// Authorities of the server's certificate, PEM or DER [default: those of the web].
    #[arg(long, global = true, value_name = "FILE")]
    tls_authority: Option<PathBuf>,
    /// A client certificate for a platform that asks for one, PEM or DER.
    #[arg(long, global = true, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, global = true, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

impl Tls {
    /// Reads the files. `trusting` takes any certificate of a server.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn config(&self, trusting: bool) -> anyhow::Result<TlsConfig> {
        let file = |file: &Option<PathBuf>| file.as_deref().map(read).transpose();
        let authorities = file(&self.tls_authority)?;
        let client = file(&self.tls_certificate)?.zip(file(&self.tls_key)?);
        let client = client.as_ref();
        configure_tls(
            authorities.as_deref(),
            client.map(|(certificate, key)| (certificate.as_str(), key.as_str())),
            trusting,
        )
    }
}

/// A hash function, as it is named on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl From<Hash> for wsse::Hash {
    fn from(hash: Hash) -> wsse::Hash {
        match hash {
            Hash::Sha1 => wsse::Hash::Sha1,
            Hash::Sha256 => wsse::Hash::Sha256,
            Hash::Sha384 => wsse::Hash::Sha384,
            Hash::Sha512 => wsse::Hash::Sha512,
        }
    }
}

/// Keys and certificates, PEM, as they were read.
pub struct Cast {
    /// MPay's private key.
    pub key: String,
    /// MPay's certificate.
    pub certificate: String,
    /// The certificate that the provider must sign with.
    pub provider_certificate: String,
    /// The token of the order API, where MPay's side is that of development.
    pub api_token: Option<String>,
    /// The places that they are from, for errors.
    names: [String; 3],
}

impl Roles {
    /// Reads the files.
    ///
    /// # Errors
    /// As [`Parties::cast`].
    pub fn cast(&self) -> anyhow::Result<Cast> {
        self.parties.cast()
    }

    /// The algorithms that MPay signs with.
    pub fn algorithms(&self) -> Algorithms {
        Algorithms::new(self.hash.into())
    }
}

impl Parties {
    /// Reads the files.
    ///
    /// # Errors
    /// If one cannot be read, or none is given and there are no development credentials.
    pub fn cast(&self) -> anyhow::Result<Cast> {
        let development = || {
            let workspace = component::workspace_root().context(
                "there is no spin.toml here, above or beside mpay: give --key, --certificate and --provider-certificate",
            )?;
            let credentials = Credentials::of_workspace(&workspace);
            if !credentials.mpay_key().exists() {
                bail!("there are no development certificates yet: start `mpay up` first");
            }
            Ok(credentials)
        };
        let (key, certificate, api_token) = match (&self.key, &self.certificate) {
            (Some(key), Some(certificate)) => (key.clone(), certificate.clone(), None),
            _ => {
                let credentials = development()?;
                let token = read(&credentials.api_token())?;
                (
                    credentials.mpay_key(),
                    credentials.mpay_certificate(),
                    Some(token),
                )
            }
        };
        let provider = match &self.provider_certificate {
            Some(file) => file.clone(),
            None => development()?.service_certificate(),
        };
        Ok(Cast {
            key: read(&key)?,
            certificate: read(&certificate)?,
            provider_certificate: read(&provider)?,
            api_token,
            names: [key, certificate, provider].map(|file| file.display().to_string()),
        })
    }
}

impl Cast {
    /// MPay's signer.
    ///
    /// # Errors
    /// If key or certificate cannot be used, or do not belong together.
    pub fn signer(&self) -> anyhow::Result<Signer> {
        let [key, certificate, _] = &self.names;
        Signer::from_pem(&self.key, &self.certificate)
            .with_context(|| format!("{key} with {certificate}"))
    }

    /// The provider's certificate.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn provider(&self) -> anyhow::Result<Certificate> {
        let [.., provider] = &self.names;
        Certificate::from_pem(&self.provider_certificate).with_context(|| provider.clone())
    }
}

impl std::fmt::Debug for Cast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cast")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
