//! Wrapping: the signed Body is somewhere, and another one where bodies are read from.

use super::{BODY_ID, Message, body, other_body, reference, security};
use crate::{
    message::{Identity, swap},
    names::{SOAP, WSSE},
};

/// The message with another Body in place, and the signed one put before or after something.
fn wrapped(message: &str, at: &str, with: impl FnOnce(&str) -> String) -> Message {
    let signed = body(message)?.to_owned();
    let other = other_body(message)?;
    let without = swap(message, &signed, &other)?;
    swap(&without, at, &with(&signed))
}

/// The signed Body in a header of its own name.
pub(crate) fn wrapped_in_wrapper(message: &str) -> Message {
    wrapped(message, "</soap:Header>", |signed| {
        format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Header>")
    })
}

/// The same of a confirmation of 1.00, with 2.00 in place.
pub(crate) fn wrapped_confirmation(message: &str) -> Message {
    let signed = body(message)?;
    let other = swap(signed, BODY_ID, "")?.replace(">1.00<", ">2.00<");
    let without = swap(message, signed, &other)?;
    swap(
        &without,
        "</soap:Header>",
        &format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Header>"),
    )
}

/// As a header itself.
pub(crate) fn wrapped_as_header(message: &str) -> Message {
    wrapped(message, "</soap:Header>", |signed| {
        format!("{signed}</soap:Header>")
    })
}

/// In the Security header.
pub(crate) fn wrapped_in_security(message: &str) -> Message {
    wrapped(message, "<wsu:Timestamp ", |signed| {
        format!("{signed}<wsu:Timestamp ")
    })
}

/// In an `Object` of the signature, which holds the signed content of enveloping signatures.
pub(crate) fn wrapped_in_object(message: &str) -> Message {
    wrapped(message, "</ds:Signature>", |signed| {
        format!("<ds:Object>{signed}</ds:Object></ds:Signature>")
    })
}

/// In `KeyInfo`.
pub(crate) fn wrapped_in_key_info(message: &str) -> Message {
    wrapped(message, "</ds:KeyInfo>", |signed| {
        format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></ds:KeyInfo>")
    })
}

/// Within the other Body, after its operation.
pub(crate) fn wrapped_in_body(message: &str) -> Message {
    wrapped(message, "</GetOrderDetails></soap:Body>", |signed| {
        format!("</GetOrderDetails><x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Body>")
    })
}

/// In a second Envelope after the Body.
pub(crate) fn wrapped_in_envelope(message: &str) -> Message {
    wrapped(message, "</soap:Body></soap:Envelope>", |signed| {
        format!(
            "</soap:Body><soap:Envelope xmlns:soap=\"{SOAP}\">{signed}</soap:Envelope></soap:Envelope>"
        )
    })
}

/// A second Body before the signed one: for readers that take the first.
pub(crate) fn body_before(message: &str) -> Message {
    let signed = body(message)?;
    swap(
        message,
        signed,
        &format!("{}{signed}", other_body(message)?),
    )
}

/// A second Body after the signed one: for readers that take the last.
pub(crate) fn body_after(message: &str) -> Message {
    let signed = body(message)?;
    swap(
        message,
        signed,
        &format!("{signed}{}", other_body(message)?),
    )
}

/// The same id on the signed Body in a header and on the other one in place: its meaning depends on the
/// reader.
pub(crate) fn duplicate_ids(message: &str) -> Message {
    let signed = body(message)?.to_owned();
    let other = swap(
        &other_body(message)?,
        "<soap:Body",
        &format!("<soap:Body{BODY_ID}"),
    )?;
    let message = swap(message, &signed, &other)?;
    swap(
        &message,
        "<soap:Header>",
        &format!("<soap:Header><x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper>"),
    )
}

/// The id of the signed Body, which is in a header, as an attribute of another name on the Body
/// in place.
pub(crate) fn other_ids(message: &str) -> anyhow::Result<Vec<(String, String)>> {
    let signed = body(message)?;
    let mut forged = Vec::new();
    for name in ["Id", "ID", "id", "xml:id"] {
        let other = swap(
            &other_body(message)?,
            "<soap:Body",
            &format!("<soap:Body {name}=\"Body\""),
        )?;
        let message = swap(message, signed, &other)?;
        let message = swap(
            &message,
            "</soap:Header>",
            &format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Header>"),
        )?;
        forged.push((
            format!("wsu:Id on the signed Body in a header, {name} on the one in place"),
            message,
        ));
    }
    Ok(forged)
}

/// Two Security headers, of which the second is signed.
pub(crate) fn two_security_headers(message: &str) -> Message {
    let second = security(message)?;
    swap(
        message,
        second,
        &format!("<wsse:Security xmlns:wsse=\"{WSSE}\"></wsse:Security>{second}"),
    )
}

/// The signed Body in a header, and a reference to the one in place in a manifest that nobody
/// signed: for readers that look for references anywhere in the signature.
pub(crate) fn reference_outside(message: &str, stranger: &Identity) -> Message {
    let signed = body(message)?;
    let other = swap(
        &other_body(message)?,
        "<soap:Body",
        "<soap:Body wsu:Id=\"Other\"",
    )?;
    let stated = reference(message, "Body")?;
    let without = swap(message, signed, &other)?;
    let again = stranger.sign_again(&swap(&without, stated, &swap(stated, "#Body", "#Other")?)?)?;
    let fitting = reference(&again, "Other")?;
    let message = swap(
        &without,
        "</ds:Signature>",
        &format!("<ds:Object><ds:Manifest>{fitting}</ds:Manifest></ds:Object></ds:Signature>"),
    )?;
    swap(
        &message,
        "</soap:Header>",
        &format!("<x:Wrapper xmlns:x=\"urn:x\">{signed}</x:Wrapper></soap:Header>"),
    )
}
