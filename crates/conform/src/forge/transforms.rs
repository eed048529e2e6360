//! Signatures that mean something else than they seem to. MPay signs them here, which it never does: a
//! provider that takes them lets the message decide what is signed.

use super::{Message, reference};
use crate::{
    message::{Identity, swap},
    names::{DS, EXC_C14N},
};

fn other_transform(message: &str, mpay: &Identity, transform: &str) -> Message {
    let reference = reference(message, "Body")?;
    let stated = format!("<ds:Transform Algorithm=\"{EXC_C14N}\"></ds:Transform></ds:Transforms>");
    let changed = swap(reference, &stated, &format!("{transform}{stated}"))?;
    mpay.sign_again(&swap(message, reference, &changed)?)
}

/// A transform that takes signatures out of what is digested.
pub(crate) fn enveloped_transform(message: &str, mpay: &Identity) -> Message {
    let transform = format!("<ds:Transform Algorithm=\"{DS}enveloped-signature\"></ds:Transform>");
    other_transform(message, mpay, &transform)
}

/// An XPath transform: it digests what it likes.
pub(crate) fn xpath_transform(message: &str, mpay: &Identity) -> Message {
    other_transform(
        message,
        mpay,
        "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>true()</ds:XPath></ds:Transform>",
    )
}

/// An XSLT transform: a program that the receiver runs.
pub(crate) fn xslt_transform(message: &str, mpay: &Identity) -> Message {
    other_transform(
        message,
        mpay,
        "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"><xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"><xsl:template match=\"/\"><xsl:copy-of select=\".\"/></xsl:template></xsl:stylesheet></ds:Transform>",
    )
}

/// A reference to a place on the network, which the receiver would fetch.
pub(crate) fn remote_reference(message: &str, mpay: &Identity) -> Message {
    let body = reference(message, "Body")?;
    let remote = body.replace("URI=\"#Body\"", "URI=\"http://127.0.0.1:9/conform\"");
    mpay.sign_again(&swap(message, body, &format!("{body}{remote}"))?)
}
