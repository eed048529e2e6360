//! The policy that a message must satisfy.

use std::time::Duration;

use crate::certificate::Certificate;
use crate::chain::{Authorities, ChainError, SignerName, check_authority};

/// The policy that a message must satisfy to be verified.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The signers whose signatures count.
    pub trust: Trust,
    /// True if SHA-1 is accepted, in the signature and in digests.
    pub accept_sha1: bool,
    /// The most by which the signer's clock may differ: `Created` may lie this far in the future, `Expires`
    /// this far in the past.
    pub clock_skew: Duration,
    /// The greatest age of `Created`, also if `Expires` allows more.
    pub max_age: Duration,
}

/// The signers whose signatures count: certificates and authorities that come from configuration. A
/// message's own data about its signer only chooses among them.
///
/// ```
/// # use std::time::Duration;
/// # use wsse::{Certificate, Trust};
/// # let pinned = Certificate::bundle_from_pem(include_str!("../tests/data/mpay.pem"))?;
/// # let authorities = Certificate::bundle_from_pem(include_str!("../tests/data/chain/root.pem"))?;
/// # let intermediates = Certificate::bundle_from_pem(include_str!("../tests/data/chain/issuing.pem"))?;
/// let trust = Trust::pinned(pinned)
///     .with_authorities(authorities, intermediates, &["1003600000001"])?
///     .with_grace(Duration::from_secs(7 * 24 * 3600));
/// assert_eq!(trust.certificates().count(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trust {
    pinned: Vec<Certificate>,
    authorities: Option<Authorities>,
    grace: Duration,
}

/// The reason why authorities cannot be trusted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No authority.
    #[error("no certificate of an authority")]
    NoAuthorities,
    /// No name: an authority certifies many, so that it proves nothing alone.
    #[error("authorities need the names of the signers that they are trusted for")]
    NoNames,
    /// A name that is neither a distinguished one (RFC 4514) nor a serial number.
    #[error("{name:?} is neither a distinguished name nor a serialNumber")]
    BadName {
        /// The name.
        name: String,
    },
    /// A certificate that is none of an authority, or cannot be used as one.
    #[error(transparent)]
    NotAnAuthority(#[from] ChainError),
}

impl Trust {
    /// Trusts exactly these certificates, compared byte for byte. Several serve a change of the
    /// signer's certificate; none trusts nobody.
    pub fn pinned(certificates: Vec<Certificate>) -> Trust {
        Trust {
            pinned: certificates,
            authorities: None,
            grace: Duration::ZERO,
        }
    }

    /// Trusts in addition the certificates that send their own with the message, chain up to one
    /// of these authorities, perhaps through these intermediates, and have one of these names: the
    /// `serialNumber` attribute of the subject or, with a `=` in it, the whole subject, the most
    /// specific part first (RFC 4514) or last.
    ///
    /// All certificates of a chain, the authority's too, must be valid when the message is
    /// checked (RFC 5280 section 6.1). They must be signed by RSA PKCS#1 v1.5 with SHA-256, 384 or
    /// 512: SHA-1 in a certificate is never accepted, since collisions can be bought. Revocation
    /// is not looked at: there is no I/O here.
    ///
    /// # Errors
    ///
    /// Without an authority or a name; if a name cannot be read; if an authority or intermediate
    /// is none by its `basicConstraints` and `keyUsage`, or has an extension that is not
    /// understood.
    pub fn with_authorities<N: AsRef<str>>(
        mut self,
        authorities: Vec<Certificate>,
        intermediates: Vec<Certificate>,
        names: &[N],
    ) -> Result<Trust, TrustError> {
        if authorities.is_empty() {
            return Err(TrustError::NoAuthorities);
        }
        if names.is_empty() {
            return Err(TrustError::NoNames);
        }
        for authority in authorities.iter().chain(&intermediates) {
            check_authority(authority)?;
        }
        let parse = |name: &N| {
            SignerName::parse(name.as_ref()).ok_or_else(|| TrustError::BadName {
                name: name.as_ref().to_owned(),
            })
        };
        self.authorities = Some(Authorities {
            authorities,
            intermediates,
            names: names.iter().map(parse).collect::<Result<_, _>>()?,
        });
        Ok(self)
    }

    /// Accepts pinned certificates for this long after they expired: for a renewal that was
    /// forgotten. Chains have no grace.
    pub fn with_grace(self, grace: Duration) -> Trust {
        Trust { grace, ..self }
    }

    /// All certificates of the configuration, so that somebody is warned before one expires.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        let authorities = self.authorities.iter();
        let authorities = authorities.flat_map(|a| a.authorities.iter().chain(&a.intermediates));
        self.pinned.iter().chain(authorities)
    }

    pub(crate) fn pinned_certificates(&self) -> &[Certificate] {
        &self.pinned
    }

    pub(crate) fn authorities(&self) -> Option<&Authorities> {
        self.authorities.as_ref()
    }

    pub(crate) fn grace(&self) -> Duration {
        self.grace
    }
}
