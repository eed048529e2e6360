//! Chains of certificates up to a configured authority: RFC 5280 section 6, less what a
//! hierarchy that certifies institutions has no use for, which is refused where it matters.

use std::collections::BTreeSet;

use jiff::Timestamp;
use x509_cert::TbsCertificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::algorithms::Hash;
use crate::certificate::Certificate;
use crate::distinguished_name::DistinguishedName;

/// The most signatures of certificates that are checked for one message, which bounds its work and
/// ends a search among intermediates that certify each other.
const MAX_SIGNATURES: usize = 8;

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");

const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
const CLIENT_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// Why a certificate does not chain up to a configured authority. `subject` tells which one of
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

/// What a certificate says of the chains that it may stand in.
#[derive(PartialEq, Eq)]
pub(crate) struct Link {
    /// Names in DER, which are compared as they are.
    subject: Vec<u8>,
    issuer: Vec<u8>,
    /// What the issuer signed.
    signed: Vec<u8>,
    /// Or the identifier of the algorithm that is not accepted.
    algorithm: Result<Hash, ObjectIdentifier>,
    signature: Vec<u8>,
    /// Or the identifier of the one that is not understood.
    extensions: Result<Extensions, ObjectIdentifier>,
}

#[derive(PartialEq, Eq, Default)]
struct Extensions {
    constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
}

impl Link {
    pub(crate) fn of(
        der: &[u8],
        certificate: &x509_cert::Certificate,
    ) -> Result<Link, x509_cert::der::Error> {
        let signed = SliceReader::new(der)?.sequence(|content| {
            let signed = content.tlv_bytes()?.to_vec();
            content.tlv_bytes()?;
            content.tlv_bytes()?;
            Ok::<_, x509_cert::der::Error>(signed)
        })?;
        let fields = certificate.tbs_certificate();
        let outer = certificate.signature_algorithm();
        let algorithm = match accepted(outer) {
            Some(hash) if outer == fields.signature() => Ok(hash),
            _ => Err(outer.oid),
        };
        Ok(Link {
            subject: fields.subject().to_der()?,
            issuer: fields.issuer().to_der()?,
            signed,
            algorithm,
            signature: certificate.signature().raw_bytes().to_vec(),
            extensions: extensions(fields),
        })
    }
}

/// SHA-1 is not accepted here, whatever the policy says of messages: who gets a certificate
/// chooses a part of it, and collisions with a chosen prefix are within reach.
fn accepted(algorithm: &AlgorithmIdentifierOwned) -> Option<Hash> {
    let no_parameters = algorithm
        .parameters
        .as_ref()
        .is_none_or(|any| any.is_null());
    let hash = match algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.11" => Hash::Sha256,
        "1.2.840.113549.1.1.12" => Hash::Sha384,
        "1.2.840.113549.1.1.13" => Hash::Sha512,
        _ => return None,
    };
    no_parameters.then_some(hash)
}

fn extensions(certificate: &TbsCertificate) -> Result<Extensions, ObjectIdentifier> {
    let all = certificate.extensions().map_or(&[][..], Vec::as_slice);
    let mut found = Extensions::default();
    let mut seen = BTreeSet::new();
    for extension in all {
        let kind = extension.extn_id;
        let value = extension.extn_value.as_bytes();
        if !seen.insert(kind) {
            return Err(kind);
        }
        match kind {
            BASIC_CONSTRAINTS => {
                let constraints = BasicConstraints::from_der(value).map_err(|_| kind)?;
                found.constraints = Some(constraints);
            }
            KEY_USAGE => found.key_usage = Some(KeyUsage::from_der(value).map_err(|_| kind)?),
            EXTENDED_KEY_USAGE if extension.critical => {
                let usages = ExtendedKeyUsage::from_der(value).map_err(|_| kind)?;
                let suits = |usage: &_| [ANY_USAGE, CLIENT_AUTHENTICATION].contains(usage);
                usages.0.iter().any(suits).then_some(()).ok_or(kind)?;
            }
            // Any policy will do, and the subject is the name that is asked for.
            CERTIFICATE_POLICIES | SUBJECT_ALTERNATIVE_NAME => {}
            // It limits what an authority may certify even if it is not marked critical.
            NAME_CONSTRAINTS => return Err(kind),
            _ if extension.critical => return Err(kind),
            _ => {}
        }
    }
    Ok(found)
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
    /// What has a `=` is a distinguished name.
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
    /// Whether a signer's certificate has a required name and chains up to an authority now.
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

/// Whether an authority, by its own certificate, may issue others.
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

/// Whether an authority, one that [`check_authority`] let pass, issued a certificate that has `below` authorities below itself.
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

#[cfg(test)]
mod tests {
    use x509_cert::der::asn1::Any;

    use super::*;

    const SIGNER: &str = include_str!("../tests/data/chain/mpay.pem");
    const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b];

    /// The link of the signer's certificate with some bytes replaced, the last ones that are so.
    fn altered(from: &[u8], to: &[u8]) -> Link {
        let mut der = Certificate::from_pem(SIGNER).unwrap().der().to_vec();
        let at = der.windows(from.len()).rposition(|window| window == from);
        der[at.unwrap()..][..to.len()].copy_from_slice(to);
        Link::of(&der, &x509_cert::Certificate::from_der(&der).unwrap()).unwrap()
    }

    #[test]
    fn the_algorithm_must_be_the_one_that_was_signed() {
        let sha384_with_rsa = [&SHA256_WITH_RSA[..8], &[0x0c]].concat();
        let certificate = Certificate::from_pem(SIGNER).unwrap();
        assert_eq!(certificate.link().algorithm, Ok(Hash::Sha256));
        assert!(
            altered(SHA256_WITH_RSA, &sha384_with_rsa)
                .algorithm
                .is_err()
        );
    }

    #[test]
    fn the_algorithm_has_no_parameters() {
        let algorithm = |parameters| AlgorithmIdentifierOwned {
            oid: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"),
            parameters,
        };
        assert_eq!(accepted(&algorithm(None)), Some(Hash::Sha256));
        assert_eq!(accepted(&algorithm(Some(Any::null()))), Some(Hash::Sha256));
        let octets = Any::from_der(&[4, 0]).unwrap();
        assert_eq!(accepted(&algorithm(Some(octets))), None);
    }

    #[test]
    fn an_extension_is_there_once_and_can_be_read() {
        let certificate = Certificate::from_pem(SIGNER).unwrap();
        assert!(certificate.link().extensions.is_ok());
        let (identifier, usage, constraints) =
            ([0x55, 0x1d, 0x0e], [0x55, 0x1d, 0x0f], [0x55, 0x1d, 0x13]);
        assert!(altered(&identifier, &usage).extensions == Err(KEY_USAGE));
        let (authority, twice) = (
            [0x55, 0x1d, 0x23],
            ObjectIdentifier::new_unwrap("2.5.29.14"),
        );
        assert!(altered(&authority, &identifier).extensions == Err(twice));
        // A key usage in the place of constraints, then the reverse.
        assert!(altered(&usage, &constraints).extensions.is_err());
        assert!(altered(&constraints, &[0x55, 0x1d, 0x1e]).extensions == Err(NAME_CONSTRAINTS));
    }
}
