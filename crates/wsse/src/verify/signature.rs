//! `ds:Signature` as a WS-Security header has it: what XML Signature 1.1 allows, less all that is
//! not needed there.

use super::SecurityError;
use super::structure::{Children, attribute, base64};
use crate::algorithms::Hash;
use crate::c14n::Exclusive;
use crate::names::{DS, DS_MANIFEST, EXC_C14N, EXC_C14N_WITH_COMMENTS};
use crate::xml::Element;

/// More than any signer of headers makes.
const MAX_REFERENCES: usize = 32;
/// More than there are prefixes in a message written by a program.
const MAX_LISTED_PREFIXES: usize = 64;

/// A signature that says nothing unknown. Its parts are read, nothing is checked.
pub(super) struct Signature<'a> {
    pub(super) signed_info: Element<'a>,
    pub(super) canonicalization: Exclusive<'a>,
    pub(super) hash: Hash,
    pub(super) references: Vec<Reference<'a>>,
    pub(super) value: Vec<u8>,
    pub(super) key_info: Option<Element<'a>>,
}

/// A part's digest.
pub(super) struct Reference<'a> {
    pub(super) uri: &'a str,
    pub(super) canonicalization: Exclusive<'a>,
    pub(super) hash: Hash,
    pub(super) digest: Vec<u8>,
}

impl<'a> Signature<'a> {
    /// XML Signature 1.1, section 4. `Object` is refused.
    pub(super) fn read(signature: Element<'a>) -> Result<Signature<'a>, SecurityError> {
        let mut children = Children::of(signature)?;
        let signed_info = children.expect(DS, "SignedInfo")?;
        let value = children.expect(DS, "SignatureValue")?;
        let key_info = children.accept(DS, "KeyInfo");
        children.finish()?;

        let mut children = Children::of(signed_info)?;
        let canonicalization = children.expect(DS, "CanonicalizationMethod")?;
        let method = children.expect(DS, "SignatureMethod")?;
        let mut references = vec![Reference::read(children.expect(DS, "Reference")?)?];
        while let Some(reference) = children.accept(DS, "Reference") {
            if references.len() == MAX_REFERENCES {
                return Err(SecurityError::TooManyReferences);
            }
            references.push(Reference::read(reference)?);
        }
        children.finish()?;

        Ok(Signature {
            signed_info,
            canonicalization: exclusive(canonicalization, |algorithm| {
                SecurityError::UnsupportedCanonicalization { algorithm }
            })?,
            hash: signature_method(method)?,
            references,
            value: base64(value)?,
            key_info,
        })
    }

    /// Whether SHA-1 is used anywhere.
    pub(super) fn uses_sha1(&self) -> bool {
        let mut digests = self.references.iter().map(|reference| reference.hash);
        self.hash == Hash::Sha1 || digests.any(|hash| hash == Hash::Sha1)
    }
}

impl<'a> Reference<'a> {
    /// XML Signature 1.1, section 4.4.3, with one transform, exclusive C14N. Without one, the
    /// canonical form would be that of inclusive C14N.
    fn read(reference: Element<'a>) -> Result<Reference<'a>, SecurityError> {
        let uri = attribute(reference, "URI")?;
        if reference.attribute("", "Type") == Some(DS_MANIFEST) {
            return Err(SecurityError::UnsupportedReference {
                uri: uri.to_owned(),
            });
        }
        let mut children = Children::of(reference)?;
        let transforms = children.expect(DS, "Transforms")?;
        let method = children.expect(DS, "DigestMethod")?;
        let digest = children.expect(DS, "DigestValue")?;
        children.finish()?;

        let unsupported = |algorithm| SecurityError::UnsupportedTransform { algorithm };
        let mut transforms = Children::of(transforms)?;
        let transform = transforms.expect(DS, "Transform")?;
        if let Some(second) = transforms.accept(DS, "Transform") {
            return Err(unsupported(attribute(second, "Algorithm")?.to_owned()));
        }
        transforms.finish()?;

        let canonicalization = Exclusive {
            // A reference by `#id` is to a node set without comments (section 4.4.3.3), so that a
            // transform that would keep them finds none.
            with_comments: false,
            ..exclusive(transform, unsupported)?
        };
        Ok(Reference {
            uri,
            canonicalization,
            hash: digest_method(method)?,
            digest: base64(digest)?,
        })
    }
}

/// A `CanonicalizationMethod` or `Transform` that is exclusive C14N 1.0, with its parameters
/// (Exclusive XML Canonicalization 1.0, section 4).
fn exclusive<'a>(
    method: Element<'a>,
    unsupported: impl Fn(String) -> SecurityError,
) -> Result<Exclusive<'a>, SecurityError> {
    let with_comments = match attribute(method, "Algorithm")? {
        EXC_C14N => false,
        EXC_C14N_WITH_COMMENTS => true,
        other => return Err(unsupported(other.to_owned())),
    };
    let mut children = Children::of(method)?;
    let mut inclusive = Vec::new();
    if let Some(parameter) = children.accept(EXC_C14N, "InclusiveNamespaces") {
        Children::of(parameter)?.finish()?;
        for prefix in attribute(parameter, "PrefixList")?.split_ascii_whitespace() {
            if inclusive.len() == MAX_LISTED_PREFIXES {
                return Err(SecurityError::TooManyPrefixes);
            }
            inclusive.push(if prefix == "#default" { "" } else { prefix });
        }
    }
    children.finish()?;
    Ok(Exclusive {
        with_comments,
        inclusive,
    })
}

fn signature_method(method: Element<'_>) -> Result<Hash, SecurityError> {
    let algorithm = attribute(method, "Algorithm")?;
    Children::of(method)?.finish()?;
    Hash::from_signature_uri(algorithm).ok_or_else(|| SecurityError::UnsupportedSignatureMethod {
        algorithm: algorithm.to_owned(),
    })
}

fn digest_method(method: Element<'_>) -> Result<Hash, SecurityError> {
    let algorithm = attribute(method, "Algorithm")?;
    Children::of(method)?.finish()?;
    Hash::from_digest_uri(algorithm).ok_or_else(|| SecurityError::UnsupportedDigestMethod {
        algorithm: algorithm.to_owned(),
    })
}
