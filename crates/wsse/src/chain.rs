//! Chains of certificates up to a configured authority: RFC 5280 section 6, without the parts that a
//! hierarchy for institutions does not use, which are refused where they matter.

use jiff::Timestamp;
use x509_cert::ext::pkix::KeyUsage;

use crate::certificate::Certificate;
use crate::distinguished_name::DistinguishedName;
use crate::link::Extensions;

/// The most signatures of certificates that are checked for one message, which bounds its work and
/// ends a search among intermediates that certify each other.
const MAX_SIGNATURES: usize = 8;

/// The reason why a certificate does not chain up to a configured authority. `subject` tells which one of
/// the chain is at fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The signer is not among the required names: somebody else's certificate.
    #[error("{subject:?} is not among the required names")]
    NotNamed {
        /// Subject of the signer's certificate.
        subject: String,
    },
    /// No configured authority or intermediate has the name of the issuer.
    #[error("{subject:?} was issued by {issuer:?}, which is not configured")]
    UnknownAuthority {
        /// Subject of the certificate.
        subject: String,
        /// Its issuer.
        issuer: String,
    },
    /// Signed with another algorithm than RSA PKCS#1 v1.5 with SHA-256, 384 or 512.
    #[error("{subject:?} is signed with the algorithm {algorithm}")]
    SignatureAlgorithm {
        /// Subject of the certificate.
        subject: String,
        /// The object identifier of the algorithm.
        algorithm: String,
    },
    /// Not signed with the key of its issuer.
    #[error("{subject:?} is not signed with the key of its issuer")]
    SignatureMismatch {
        /// Subject of the certificate.
        subject: String,
    },
    /// Not valid yet.
    #[error("{subject:?} is valid only from {not_before}")]
    NotYetValid {
        /// Subject of the certificate.
        subject: String,
        /// The first instant of validity.
        not_before: Timestamp,
    },
    /// Not valid any more.
    #[error("{subject:?} was valid until {not_after}")]
    Expired {
        /// Subject of the certificate.
        subject: String,
        /// The last instant of validity.
        not_after: Timestamp,
    },
    /// An issuer that is no authority by its `basicConstraints`.
    #[error("{subject:?} is no authority")]
    NotAnAuthority {
        /// Subject of the certificate.
        subject: String,
    },
    /// A `keyUsage` without `keyCertSign` on an issuer, without both `digitalSignature` and
    /// `nonRepudiation` on a signer.
    #[error("the key of {subject:?} may not be used so")]
    KeyUsage {
        /// Subject of the certificate.
        subject: String,
    },
    /// More authorities below this one than its `pathLenConstraint` allows, self-issued ones
    /// counted too, or more than this crate follows.
    #[error("too many authorities below {subject:?}")]
    PathTooLong {
        /// Subject of the certificate.
        subject: String,
    },
    /// An extension that must be understood and is not: a critical one of an unknown kind, a
    /// critical `extendedKeyUsage` without client authentication, `nameConstraints`, one that is
    /// there twice or cannot be read.
    #[error("{subject:?} has the extension {extension}, which is not understood")]
    Extension {
        /// Subject of the certificate.
        subject: String,
        /// The object identifier of the extension.
        extension: String,
    },
}

impl ChainError {
    /// The reason without the names of certificates.
    pub(crate) fn without_names(&self) -> String {
        match self {
            Self::NotNamed { .. } => "the signer is not among the required names".to_owned(),
            Self::UnknownAuthority { .. } => "an issuer in its chain is not configured".to_owned(),
            Self::SignatureAlgorithm { algorithm, .. } => {
                format!("a certificate of its chain is signed with the algorithm {algorithm}")
            }
            Self::SignatureMismatch { .. } => {
                "a certificate of its chain is not signed with the key of its issuer".to_owned()
            }
            Self::NotYetValid { not_before, .. } => {
                format!("a certificate of its chain is valid only from {not_before}")
            }
            Self::Expired { not_after, .. } => {
                format!("a certificate of its chain was valid until {not_after}")
            }
            Self::NotAnAuthority { .. } => "an issuer in its chain is no authority".to_owned(),
            Self::KeyUsage { .. } => "a key of its chain may not be used so".to_owned(),
            Self::PathTooLong { .. } => "its chain has too many authorities".to_owned(),
            Self::Extension { extension, .. } => format!(
                "a certificate of its chain has the extension {extension}, which is not understood"
            ),
        }
    }
}

/// Configured authorities, and whom they must have certified.
#[derive(Clone, Debug)]
pub(crate) struct Authorities {
    pub(crate) authorities: Vec<Certificate>,
    pub(crate) intermediates: Vec<Certificate>,
    pub(crate) names: Vec<SignerName>,
}

/// A name that a signer must have.
#[derive(Clone, Debug)]
pub(crate) enum SignerName {
    /// The `serialNumber` attribute of the subject.
    SerialNumber(String),
    /// The whole subject.
    Subject(DistinguishedName),
}

impl SignerName {
    /// Reads a name; one with a `=` is a distinguished name.
    pub(crate) fn parse(text: &str) -> Option<SignerName> {
        let text = text.trim();
        if text.contains('=') {
            return DistinguishedName::parse(text).map(SignerName::Subject);
        }
        (!text.is_empty()).then(|| SignerName::SerialNumber(text.to_owned()))
    }

    fn is_of(&self, certificate: &Certificate) -> bool {
        let subject = certificate.subject_name();
        match self {
            SignerName::SerialNumber(number) => subject.has_serial_number(number),
            SignerName::Subject(name) => subject.is_meant_by(name),
        }
    }
}

impl Authorities {
    /// Checks that a signer's certificate has a required name and chains up to an authority now.
    /// The cheap checks come first.
    pub(crate) fn check(&self, signer: &Certificate, now: Timestamp) -> Result<(), ChainError> {
        let subject = signer.subject();
        if !self.names.iter().any(|name| name.is_of(signer)) {
            return Err(ChainError::NotNamed { subject });
        }
        check_validity(signer, now)?;
        let may_sign = |usage: KeyUsage| usage.digital_signature() || usage.non_repudiation();
        if !read_extensions(signer)?.key_usage.is_none_or(may_sign) {
            return Err(ChainError::KeyUsage { subject });
        }
        self.climb(signer, 0, now, &mut { MAX_SIGNATURES })
    }

    /// Finds a way up from a certificate that has `below` authorities below itself, or tells why
    /// the first one that was tried does not hold.
    fn climb(
        &self,
        certificate: &Certificate,
        below: usize,
        now: Timestamp,
        signatures: &mut usize,
    ) -> Result<(), ChainError> {
        let is_issuer = |issuer: &&Certificate| issuer.link().subject == certificate.link().issuer;
        let mut refusal = None;
        for authority in self.authorities.iter().filter(is_issuer) {
            match check_issuer(certificate, authority, below, now, signatures) {
                Ok(()) => return Ok(()),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        for intermediate in self.intermediates.iter().filter(is_issuer) {
            let way = check_issuer(certificate, intermediate, below, now, signatures)
                .and_then(|()| self.climb(intermediate, below + 1, now, signatures));
            match way {
                Ok(()) => return Ok(()),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(|| ChainError::UnknownAuthority {
            subject: certificate.subject(),
            issuer: certificate.issuer(),
        }))
    }
}

/// Checks that an authority, by its own certificate, may issue others.
pub(crate) fn check_authority(authority: &Certificate) -> Result<(), ChainError> {
    let extensions = read_extensions(authority)?;
    let subject = || authority.subject();
    if !extensions.constraints.as_ref().is_some_and(|c| c.ca) {
        return Err(ChainError::NotAnAuthority { subject: subject() });
    }
    if !extensions
        .key_usage
        .is_none_or(|usage| usage.key_cert_sign())
    {
        return Err(ChainError::KeyUsage { subject: subject() });
    }
    Ok(())
}

/// Checks that an authority, one that [`check_authority`] let pass, issued a certificate that has `below` authorities below itself.
fn check_issuer(
    certificate: &Certificate,
    issuer: &Certificate,
    below: usize,
    now: Timestamp,
    signatures: &mut usize,
) -> Result<(), ChainError> {
    check_validity(issuer, now)?;
    let constraints = read_extensions(issuer)?.constraints.as_ref();
    let longest = constraints.and_then(|constraints| constraints.path_len_constraint);
    let too_long = longest.is_some_and(|longest| below > usize::from(longest));
    let Some(left) = signatures.checked_sub(1).filter(|_| !too_long) else {
        let subject = issuer.subject();
        return Err(ChainError::PathTooLong { subject });
    };
    *signatures = left;
    let link = certificate.link();
    let subject = || certificate.subject();
    let hash = link
        .algorithm
        .map_err(|algorithm| ChainError::SignatureAlgorithm {
            subject: subject(),
            algorithm: algorithm.to_string(),
        })?;
    if hash.verify(issuer.key(), &hash.of(&link.signed), &link.signature) {
        Ok(())
    } else {
        Err(ChainError::SignatureMismatch { subject: subject() })
    }
}

fn read_extensions(certificate: &Certificate) -> Result<&Extensions, ChainError> {
    let extensions = certificate.link().extensions.as_ref();
    extensions.map_err(|extension| ChainError::Extension {
        subject: certificate.subject(),
        extension: extension.to_string(),
    })
}

fn check_validity(certificate: &Certificate, now: Timestamp) -> Result<(), ChainError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    let subject = || certificate.subject();
    if now < not_before {
        let subject = subject();
        return Err(ChainError::NotYetValid {
            subject,
            not_before,
        });
    }
    if now > not_after {
        let subject = subject();
        return Err(ChainError::Expired { subject, not_after });
    }
    Ok(())
}
