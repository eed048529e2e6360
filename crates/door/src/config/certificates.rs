use wsse::{Certificate, CertificateError};

use super::{Environment, reader::Reader};

/// The common names of development certificates begin like this.
pub const DEVELOPMENT_CERTIFICATE: &str = "DEVELOPMENT ONLY";

impl Reader<'_> {
    /// The certificates of a variable, as [`wsse::pem_blocks`] reads them. A mistake is noted, and is
    /// `None`.
    pub fn certificates(
        &mut self,
        variable: &'static str,
        environment: Environment,
    ) -> Option<Vec<Certificate>> {
        let bundle = self.variables.get(variable).unwrap_or_default();
        let certificates = Certificate::bundle_from_pem(bundle)
            .map_err(|error| self.error(variable, in_own_words(&error)))
            .ok()?;
        self.warn_of_key(variable);
        for certificate in &certificates {
            self.refuse_development(variable, certificate, environment);
        }
        Some(certificates)
    }

    /// Warns of a private key beside certificates: more components are given them than the key.
    pub fn warn_of_key(&mut self, variable: &'static str) {
        let text = self.variables.get(variable).unwrap_or_default();
        if text.contains("PRIVATE KEY-----") {
            self.warning(
                variable,
                "has a private key beside its certificates: leave the certificates there alone"
                    .to_owned(),
            );
        }
    }

    /// Refuses a development certificate elsewhere than on a developer's machine.
    pub fn refuse_development(
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

/// The mistake in a certificate, in words that quote nothing of it: the parser of DER may.
pub fn in_own_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Der(_) => "has a PEM block that is no X.509 certificate".to_owned(),
        error => error.to_string(),
    }
}
