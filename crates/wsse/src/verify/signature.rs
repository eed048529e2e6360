//! `ds:Signature` as a WS-Security header has it: XML Signature 1.1, without all that is not needed
//! there.

use super::SecurityError;
use super::structure::{Children, attribute, base64};
use crate::algorithms::{Hash, SignatureMethod};
use crate::c14n::{Form, Method};
use crate::names::{
    C14N_10, C14N_10_WITH_COMMENTS, C14N_11, C14N_11_WITH_COMMENTS, DS, DS_MANIFEST, EXC_C14N,
    EXC_C14N_WITH_COMMENTS, STR_TRANSFORM, WSSE,
};
use crate::xml::Element;

/// More than any signer of headers makes.
const MAX_REFERENCES: usize = 32;
/// More than there are prefixes in a message written by a program.
const MAX_LISTED_PREFIXES: usize = 64;

/// A signature that says nothing unknown. Its parts are read, nothing is checked.
pub(super) struct Signature<'a> {
    pub(super) signed_info: Element<'a>,
    pub(super) canonicalization: Method<'a>,
    pub(super) method: SignatureMethod,
    pub(super) references: Vec<Reference<'a>>,
    pub(super) value: Vec<u8>,
    pub(super) key_info: Option<Element<'a>>,
}

/// A part's digest.
pub(super) struct Reference<'a> {
    pub(super) uri: &'a str,
    /// True if the signed part is the token that a `SecurityTokenReference` names.
    pub(super) of_token: bool,
    pub(super) canonicalization: Method<'a>,
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
            canonicalization: read_method(canonicalization, |algorithm| {
                SecurityError::UnsupportedCanonicalization { algorithm }
            })?,
            method: signature_method(method)?,
            references,
            value: base64(value)?,
            key_info,
        })
    }

    /// True if SHA-1 is used anywhere.
    pub(super) fn uses_sha1(&self) -> bool {
        let mut digests = self.references.iter().map(|reference| reference.hash);
        self.method.hash() == Hash::Sha1 || digests.any(|hash| hash == Hash::Sha1)
    }
}

impl<'a> Reference<'a> {
    /// XML Signature 1.1, section 4.4.3, with one transform, which makes the octets that are
    /// digested. Without one, Canonical XML 1.0 makes them (section 4.4.3.2).
    fn read(reference: Element<'a>) -> Result<Reference<'a>, SecurityError> {
        let uri = attribute(reference, "URI")?;
        if reference.attribute("", "Type") == Some(DS_MANIFEST) {
            return Err(SecurityError::UnsupportedReference {
                uri: uri.to_owned(),
            });
        }
        let mut children = Children::of(reference)?;
        let transforms = children.accept(DS, "Transforms");
        let method = children.expect(DS, "DigestMethod")?;
        let digest = children.expect(DS, "DigestValue")?;
        children.finish()?;

        let transform = transforms.map(only_transform).transpose()?;
        let of_token =
            transform.is_some_and(|t| t.attribute("", "Algorithm") == Some(STR_TRANSFORM));
        let mut canonicalization = match transform {
            None => Method::new(Form::Inclusive10, false),
            Some(transform) if of_token => token_method(transform)?,
            Some(transform) => read_method(transform, unsupported_transform)?,
        };
        // A reference by `#id` is to a node set without comments (section 4.4.3.3), so that a
        // transform that would keep them finds none.
        canonicalization.with_comments = false;
        Ok(Reference {
            uri,
            of_token,
            canonicalization,
            hash: digest_method(method)?,
            digest: base64(digest)?,
        })
    }
}

fn only_transform(transforms: Element<'_>) -> Result<Element<'_>, SecurityError> {
    let mut transforms = Children::of(transforms)?;
    let transform = transforms.expect(DS, "Transform")?;
    if let Some(second) = transforms.accept(DS, "Transform") {
        let algorithm = attribute(second, "Algorithm")?;
        return Err(unsupported_transform(algorithm.to_owned()));
    }
    transforms.finish()?;
    Ok(transform)
}

fn unsupported_transform(algorithm: String) -> SecurityError {
    SecurityError::UnsupportedTransform { algorithm }
}

/// The canonicalization that an STR-Transform names (WSS: SOAP Message Security 1.1, section 8.3),
/// which gives its output a default namespace in any case. WSS4J counts that one as listed.
fn token_method(transform: Element<'_>) -> Result<Method<'_>, SecurityError> {
    let mut children = Children::of(transform)?;
    let parameters = children.expect(WSSE, "TransformationParameters")?;
    children.finish()?;
    let mut children = Children::of(parameters)?;
    let method = children.expect(DS, "CanonicalizationMethod")?;
    children.finish()?;
    let mut method = read_method(method, |algorithm| {
        SecurityError::UnsupportedCanonicalization { algorithm }
    })?;
    if let Form::Exclusive { inclusive } = &mut method.form {
        inclusive.push("");
    }
    method.declares_default = true;
    Ok(method)
}

/// A `CanonicalizationMethod` or `Transform` with its parameters, which exclusive C14N alone has
/// (Exclusive XML Canonicalization 1.0, section 4).
fn read_method<'a>(
    method: Element<'a>,
    unsupported: impl Fn(String) -> SecurityError,
) -> Result<Method<'a>, SecurityError> {
    let mut children = Children::of(method)?;
    let (form, with_comments) = match attribute(method, "Algorithm")? {
        C14N_10 => (Form::Inclusive10, false),
        C14N_10_WITH_COMMENTS => (Form::Inclusive10, true),
        C14N_11 => (Form::Inclusive11, false),
        C14N_11_WITH_COMMENTS => (Form::Inclusive11, true),
        algorithm @ (EXC_C14N | EXC_C14N_WITH_COMMENTS) => {
            let parameter = children.accept(EXC_C14N, "InclusiveNamespaces");
            let inclusive = parameter.map(prefix_list).transpose()?.unwrap_or_default();
            (
                Form::Exclusive { inclusive },
                algorithm == EXC_C14N_WITH_COMMENTS,
            )
        }
        other => return Err(unsupported(other.to_owned())),
    };
    children.finish()?;
    Ok(Method::new(form, with_comments))
}

fn prefix_list(parameter: Element<'_>) -> Result<Vec<&str>, SecurityError> {
    Children::of(parameter)?.finish()?;
    let list = attribute(parameter, "PrefixList")?.split_ascii_whitespace();
    let prefixes: Vec<&str> = list
        .map(|prefix| if prefix == "#default" { "" } else { prefix })
        .take(MAX_LISTED_PREFIXES + 1)
        .collect();
    if prefixes.len() > MAX_LISTED_PREFIXES {
        return Err(SecurityError::TooManyPrefixes);
    }
    Ok(prefixes)
}

fn signature_method(method: Element<'_>) -> Result<SignatureMethod, SecurityError> {
    let algorithm = attribute(method, "Algorithm")?;
    Children::of(method)?.finish()?;
    SignatureMethod::from_uri(algorithm).ok_or_else(|| SecurityError::UnsupportedSignatureMethod {
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
