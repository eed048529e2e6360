//! The statements of a certificate about the chains that it may stand in, read once with the certificate.

use std::collections::BTreeSet;

use x509_cert::TbsCertificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::algorithms::Hash;

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");

const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
const CLIENT_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// The statements of a certificate about the chains that it may stand in.
#[derive(PartialEq, Eq)]
pub(crate) struct Link {
    /// Names in DER, which are compared as they are.
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    /// The bytes that the issuer signed.
    pub(crate) signed: Vec<u8>,
    /// Or the identifier of the algorithm that is not accepted.
    pub(crate) algorithm: Result<Hash, ObjectIdentifier>,
    pub(crate) signature: Vec<u8>,
    /// Or the identifier of the one that is not understood.
    pub(crate) extensions: Result<Extensions, ObjectIdentifier>,
}

#[derive(PartialEq, Eq, Default)]
pub(crate) struct Extensions {
    pub(crate) constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
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

/// SHA-1 is not accepted here, whatever the policy allows for messages: an applicant for a certificate
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
            // It limits the names that an authority may certify, even if it is not marked critical.
            NAME_CONSTRAINTS => return Err(kind),
            _ if extension.critical => return Err(kind),
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use x509_cert::der::asn1::Any;

    use super::*;
    use crate::certificate::Certificate;

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
