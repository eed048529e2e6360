use wsse::{Certificate, CertificateError, Signer, SignerError, Trust, TrustError};

use super::{Environment, reader::Reader};
use crate::log::log;

/// The common names of development certificates begin like this.
pub const DEVELOPMENT_CERTIFICATE: &str = "DEVELOPMENT ONLY";

impl Reader<'_> {
    pub fn signer(&mut self, environment: Environment) -> Option<Signer> {
        let key = self.required(
            "service_key",
            "the private key of your system certificate, PEM",
        );
        let certificate = self.required(
            "service_certificate",
            "your system certificate of STISC, PEM",
        );
        let certificate = certificate?;
        let signer = match key {
            Some(key) => Signer::from_pem(key, certificate),
            None => Err(Certificate::from_pem(certificate).err()?.into()),
        };
        let signer = signer
            .map_err(|error| match error {
                SignerError::Certificate(error) => {
                    self.error("service_certificate", in_own_words(&error));
                }
                error => self.error("service_key", error),
            })
            .ok()?
            .on_miscomputation(|engine| {
                log!("a signature that the RSA engine {engine} computed was wrong and not used: the machine is faulty, or attacked");
            });
        self.refuse_development("service_certificate", signer.certificate(), environment);
        Some(signer)
    }

    /// Pinned certificates, authorities with the names they are trusted for, or both.
    pub fn trust(&mut self, environment: Environment) -> Option<Trust> {
        let with_authorities = self.variables.get("mpay_authorities").is_some();
        let pinned = if with_authorities && self.variables.get("mpay_certificates").is_none() {
            Vec::new()
        } else {
            self.required(
                "mpay_certificates",
                "the certificates that MPay signs with, PEM, one after the other; \
                 or set mpay_authorities and mpay_signer_names",
            )?;
            self.certificates("mpay_certificates", environment)?
        };
        let grace = self.seconds("expired_signer_grace", 0, 30 * 86_400);
        let trust = Trust::pinned(pinned).with_grace(grace);
        let names = self.variables.get("mpay_signer_names").unwrap_or_default();
        let names: Vec<&str> = names
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        if !with_authorities {
            if !names.is_empty() && !self.variables.is_unread("mpay_authorities") {
                self.error("mpay_signer_names", "is set, but mpay_authorities is not");
            }
            return Some(trust);
        }
        let (authorities, intermediates) = self
            .certificates("mpay_authorities", environment)?
            .into_iter()
            .partition(Certificate::is_self_issued);
        trust
            .with_authorities(authorities, intermediates, &names)
            .map_err(|error| match error {
                TrustError::NoNames => self.error("mpay_signer_names", error),
                TrustError::BadName { name } => {
                    let place = names.iter().position(|other| *other == name);
                    let place = place.map_or(0, |place| place + 1);
                    self.error(
                        "mpay_signer_names",
                        format!("name {place} is neither a distinguished name nor a serialNumber"),
                    );
                }
                TrustError::NoAuthorities => self.error("mpay_authorities", error),
                _ => self.error(
                    "mpay_authorities",
                    "has a certificate that is none of an authority, or that has an extension which is not understood",
                ),
            })
            .ok()
    }

    fn certificates(
        &mut self,
        variable: &'static str,
        environment: Environment,
    ) -> Option<Vec<Certificate>> {
        let bundle = self.variables.get(variable).unwrap_or_default();
        let certificates = Certificate::bundle_from_pem(bundle)
            .map_err(|error| self.error(variable, in_own_words(&error)))
            .ok()?;
        for certificate in &certificates {
            self.refuse_development(variable, certificate, environment);
        }
        Some(certificates)
    }

    fn refuse_development(
        &mut self,
        variable: &'static str,
        certificate: &Certificate,
        environment: Environment,
    ) {
        let marked = certificate
            .common_name()
            .is_some_and(|name| name.starts_with(DEVELOPMENT_CERTIFICATE));
        if marked && environment != Environment::Development {
            self.error(
                variable,
                format!(
                    "is a development certificate, whose key protects nothing; it is refused where environment is {}",
                    environment.as_str()
                ),
            );
        }
    }
}

/// The parser of DER may quote what it reads.
fn in_own_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Der(_) => "has a PEM block that is no X.509 certificate".to_owned(),
        error => error.to_string(),
    }
}
