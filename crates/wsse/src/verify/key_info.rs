//! `ds:KeyInfo`: how a message names its signer.

use super::SecurityError;
use super::parts::Parts;
use super::structure::{Children, attribute, base64};
use crate::names::{BASE64_BINARY, DS, WSSE, X509_V3};
use crate::xml::Element;

/// The DER of the certificate that a message sends: in a `BinarySecurityToken` of the Security
/// header that a `SecurityTokenReference` names (WSS X.509 Certificate Token Profile 1.1, section
/// 3.2.1), or in `X509Data` (XML Signature 1.1, section 4.5.4), with or without a
/// `SecurityTokenReference` around it. It only chooses among trusted ones.
pub(super) fn certificate(
    key_info: Element<'_>,
    parts: &Parts<'_>,
    security: Element<'_>,
) -> Result<Vec<u8>, SecurityError> {
    let key = only_child(key_info, "SecurityTokenReference")?;
    if key.is(DS, "X509Data") {
        return embedded(key);
    }
    if !key.is(WSSE, "SecurityTokenReference") {
        return Err(unsupported(key));
    }
    let reference = only_child(key, "Reference")?;
    if reference.is(DS, "X509Data") {
        embedded(reference)
    } else if reference.is(WSSE, "Reference") {
        referenced(reference, parts, security)
    } else {
        Err(unsupported(reference))
    }
}

fn embedded(data: Element<'_>) -> Result<Vec<u8>, SecurityError> {
    let certificate = only_child(data, "X509Certificate")?;
    if !certificate.is(DS, "X509Certificate") {
        return Err(unsupported(certificate));
    }
    base64(certificate)
}

fn referenced(
    reference: Element<'_>,
    parts: &Parts<'_>,
    security: Element<'_>,
) -> Result<Vec<u8>, SecurityError> {
    Children::of(reference)?.finish()?;
    let uri = attribute(reference, "URI")?;
    let in_header = |part: &Element<'_>| {
        let parent = part.parent().map(|parent| parent.node());
        part.is(WSSE, "BinarySecurityToken") && parent == Some(security.node())
    };
    let token =
        parts
            .find(uri)
            .filter(in_header)
            .ok_or_else(|| SecurityError::UnresolvedToken {
                uri: uri.to_owned(),
            })?;
    let value_type = attribute(token, "ValueType")?;
    check_type(value_type, X509_V3)?;
    check_type(
        reference.attribute("", "ValueType").unwrap_or(X509_V3),
        value_type,
    )?;
    check_type(
        token.attribute("", "EncodingType").unwrap_or(BASE64_BINARY),
        BASE64_BINARY,
    )?;
    base64(token)
}

fn check_type(found: &str, expected: &str) -> Result<(), SecurityError> {
    if found == expected {
        return Ok(());
    }
    Err(SecurityError::UnsupportedToken {
        token_type: found.to_owned(),
    })
}

fn only_child<'a>(
    parent: Element<'a>,
    expected: &'static str,
) -> Result<Element<'a>, SecurityError> {
    let mut children = Children::of(parent)?;
    let child = children.any(expected)?;
    children.finish()?;
    Ok(child)
}

fn unsupported(element: Element<'_>) -> SecurityError {
    SecurityError::UnsupportedKeyInfo {
        element: element.expanded_name(),
    }
}
