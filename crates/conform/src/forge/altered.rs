//! Messages without signed parts, or with other parts signed than required, and messages altered after
//! signing.

use anyhow::Context;

use super::{BODY_ID, Message, reference, seconds_from_now, signature, timestamp};
use crate::{
    message::{Identity, piece, swap},
    names::{DS, MPAY},
};

// Nothing signed.

/// Nobody signs: the message as a browser could send it.
pub(crate) fn unsigned(message: &str) -> Message {
    let header = piece(message, "<soap:Header>", "</soap:Header>")?;
    swap(message, header, "")
}

/// A Security header with a timestamp and a certificate, which are public, but no signature.
pub(crate) fn without_signature(message: &str) -> Message {
    swap(message, signature(message)?, "")
}

/// An empty Signature element, for readers that look only whether there is one.
pub(crate) fn empty_signature(message: &str) -> Message {
    let empty = format!("<ds:Signature xmlns:ds=\"{DS}\"></ds:Signature>");
    swap(message, signature(message)?, &empty)
}

/// A signature that covers nothing.
pub(crate) fn no_references(message: &str, mpay: &Identity) -> Message {
    let message = swap(message, reference(message, "Body")?, "")?;
    let message = swap(&message, reference(&message, "Timestamp")?, "")?;
    mpay.sign_again(&message)
}

/// A signature over the timestamp alone, as it could be cut out of any message.
pub(crate) fn body_not_signed(message: &str, mpay: &Identity) -> Message {
    mpay.sign_again(&swap(message, reference(message, "Body")?, "")?)
}

/// A signature over the Body alone, so that the timestamp can be renewed for ever.
pub(crate) fn timestamp_not_signed(message: &str, mpay: &Identity) -> Message {
    mpay.sign_again(&swap(message, reference(message, "Timestamp")?, "")?)
}

/// No timestamp at all: such a message would be good for ever.
pub(crate) fn no_timestamp(message: &str, mpay: &Identity) -> Message {
    let message = swap(message, reference(message, "Timestamp")?, "")?;
    mpay.sign_again(&swap(&message, timestamp(&message)?, "")?)
}

/// A signature over the content of the Body instead of the Body.
pub(crate) fn operation_signed(message: &str, mpay: &Identity) -> Message {
    let message = swap(message, BODY_ID, "")?;
    let opened = format!(" xmlns=\"{MPAY}\">");
    let with_id = format!(" xmlns=\"{MPAY}\" Id=\"Body\">");
    mpay.sign_again(&swap(&message, &opened, &with_id)?)
}

// Altered.

/// Something else in the Body.
pub(crate) fn tampered_body(message: &str) -> Message {
    swap(
        message,
        "<Language>ro</Language>",
        "<Language>en</Language>",
    )
}

/// A longer life.
pub(crate) fn tampered_timestamp(message: &str) -> Message {
    let expires = piece(message, "<wsu:Expires>", "</wsu:Expires>")?;
    let later = format!("<wsu:Expires>{:.3}</wsu:Expires>", seconds_from_now(600));
    swap(message, expires, &later)
}

/// A signature value that is not the signature's.
pub(crate) fn tampered_signature(message: &str) -> Message {
    let value = piece(message, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
    let start = "<ds:SignatureValue>".len();
    let first = value.get(start..=start).context("an empty signature")?;
    let other = if first == "A" { "B" } else { "A" };
    let changed = swap(
        value,
        &format!("<ds:SignatureValue>{first}"),
        &format!("<ds:SignatureValue>{other}"),
    )?;
    swap(message, value, &changed)
}

/// Another Body with its right digest, but `SignedInfo` is not signed again: for readers that
/// check digests only.
pub(crate) fn tampered_digest(message: &str, stranger: &Identity) -> Message {
    let value = piece(message, "<ds:SignatureValue>", "</ds:SignatureValue>")?.to_owned();
    let again = stranger.sign_again(&tampered_body(message)?)?;
    let strange = piece(&again, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
    swap(&again, strange, &value)
}

/// Another Body, with a `SignedInfo` that fits it beside the one that MPay signed: for readers that
/// verify one and take the references of the other (CVE-2025-29774).
pub(crate) fn two_signed_infos(
    message: &str,
    stranger: &Identity,
) -> anyhow::Result<Vec<(String, String)>> {
    let tampered = tampered_body(message)?;
    let signed = piece(&tampered, "<ds:SignedInfo", "</ds:SignedInfo>")?;
    let again = stranger.sign_again(&tampered)?;
    let fitting = piece(&again, "<ds:SignedInfo", "</ds:SignedInfo>")?;
    let with = |both: String| swap(&tampered, signed, &both);
    Ok(vec![
        (
            "another SignedInfo before the signed one".to_owned(),
            with(format!("{fitting}{signed}"))?,
        ),
        (
            "another SignedInfo after the signed one".to_owned(),
            with(format!("{signed}{fitting}"))?,
        ),
    ])
}

/// Another Body, with its digest in a comment within `DigestValue`: the signature holds, since the
/// canonical form has no comments, and a reader that takes the first node reads the other digest
/// (CVE-2025-29775).
pub(crate) fn comment_in_digest(message: &str, stranger: &Identity) -> Message {
    let value = |text| piece(text, "<ds:DigestValue>", "</ds:DigestValue>");
    let tampered = tampered_body(message)?;
    let again = stranger.sign_again(&tampered)?;
    let fitting = value(reference(&again, "Body")?)?;
    let fitting = fitting.replace("<ds:DigestValue>", "<!--");
    let fitting = fitting.replace("</ds:DigestValue>", "-->");
    let stated = reference(&tampered, "Body")?;
    let opened = format!("<ds:DigestValue>{fitting}");
    let both = swap(stated, "<ds:DigestValue>", &opened)?;
    swap(&tampered, stated, &both)
}
