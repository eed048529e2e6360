//! The SOAP 1.1 envelope around a body.

use jiff::Timestamp;

use crate::names;
use crate::policy::Policy;
use crate::verify::{self, SecurityError, Verified};
use crate::xml::{Element, Malformed, NodeId, Tree, XmlError};

/// A SOAP 1.1 message (W3C Note, 8 May 2000, section 4), parsed. Nothing in it may be believed yet, so
/// nothing in it can be read: [`Envelope::verify`] gives the verified data.
#[derive(Debug)]
pub struct Envelope {
    pub(crate) tree: Tree,
    header: Option<NodeId>,
    body: NodeId,
}

/// The reason why bytes are no SOAP 1.1 message. The texts are fit for the caller's eyes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The message is longer than this crate reads.
    #[error("the message is longer than {limit} bytes")]
    TooLarge {
        /// The longest message, in bytes.
        limit: usize,
    },
    /// The message is not UTF-8.
    #[error("the message is not UTF-8 at byte {position}")]
    NotUtf8 {
        /// Offset of the first byte that does not fit.
        position: usize,
    },
    /// The message is not XML as this crate reads it.
    #[error("the message is not acceptable XML: {reason} at byte {position}")]
    Xml {
        /// Offset of the markup or text at fault, in bytes.
        position: usize,
        /// The mistake there.
        reason: Malformed,
    },
    /// The root element is no `Envelope`.
    #[error("the message is not a SOAP envelope")]
    NotAnEnvelope,
    /// The root element is an `Envelope` of another namespace, that of SOAP 1.2 for example
    /// (SOAP 1.1 section 4.1.2).
    #[error("the envelope is not of SOAP 1.1")]
    VersionMismatch {
        /// The namespace it is of.
        namespace: String,
    },
    /// The envelope has no `Body`.
    #[error("the envelope has no Body")]
    NoBody,
    /// The envelope has more than one `Body`.
    #[error("the envelope has more than one Body")]
    SeveralBodies,
    /// The envelope has more than one `Header`.
    #[error("the envelope has more than one Header")]
    SeveralHeaders,
    /// The `Header` does not come first (SOAP 1.1 section 4.2).
    #[error("the Header is not the first child of the envelope")]
    MisplacedHeader,
    /// The envelope has a child other than `Header` and `Body` (Basic Profile 1.1, R1011).
    #[error("the envelope has a child other than Header and Body")]
    UnexpectedChild,
}

impl From<XmlError> for EnvelopeError {
    fn from(error: XmlError) -> EnvelopeError {
        match error {
            XmlError::TooLarge { limit } => EnvelopeError::TooLarge { limit },
            XmlError::NotUtf8 { position } => EnvelopeError::NotUtf8 { position },
            XmlError::Malformed { position, reason } => EnvelopeError::Xml { position, reason },
        }
    }
}

impl Envelope {
    /// Parses a message of at most 1 MiB.
    ///
    /// # Errors
    ///
    /// If it is not well-formed XML in UTF-8, holds a DTD or a processing instruction, is over a
    /// limit of size or depth, or is no envelope of one optional Header and one Body.
    pub fn parse(message: &[u8]) -> Result<Envelope, EnvelopeError> {
        let tree = Tree::parse(message)?;
        let root = Element::new(&tree, Tree::ROOT);
        if root.local_name() != "Envelope" {
            return Err(EnvelopeError::NotAnEnvelope);
        }
        if root.namespace() != names::SOAP {
            return Err(EnvelopeError::VersionMismatch {
                namespace: root.namespace().to_owned(),
            });
        }
        let (header, body) = parts(root)?;
        Ok(Envelope { tree, header, body })
    }

    /// Checks the message's signature, timestamp and signer, and gives the verified data: the parts that
    /// the signature covers, and nothing else.
    ///
    /// # Errors
    ///
    /// As [`SecurityError`] lists them; the reason is for the log, not for the caller.
    pub fn verify(self, policy: &Policy, now: Timestamp) -> Result<Verified, SecurityError> {
        verify::verify(self, policy, now)
    }

    pub(crate) fn root(&self) -> Element<'_> {
        Element::new(&self.tree, Tree::ROOT)
    }

    pub(crate) fn header(&self) -> Option<Element<'_>> {
        self.header.map(|node| Element::new(&self.tree, node))
    }

    pub(crate) fn body(&self) -> Element<'_> {
        Element::new(&self.tree, self.body)
    }
}

fn parts(root: Element<'_>) -> Result<(Option<NodeId>, NodeId), EnvelopeError> {
    let mut header = None;
    let mut body = None;
    for child in root.children() {
        if child.is(names::SOAP, "Body") {
            if body.replace(child.node()).is_some() {
                return Err(EnvelopeError::SeveralBodies);
            }
        } else if child.is(names::SOAP, "Header") {
            if body.is_some() {
                return Err(EnvelopeError::MisplacedHeader);
            }
            if header.replace(child.node()).is_some() {
                return Err(EnvelopeError::SeveralHeaders);
            }
        } else {
            return Err(EnvelopeError::UnexpectedChild);
        }
    }
    body.map(|body| (header, body)).ok_or(EnvelopeError::NoBody)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(children: &str) -> Result<Envelope, EnvelopeError> {
        let namespace = names::SOAP;
        Envelope::parse(
            format!("<s:Envelope xmlns:s='{namespace}'>{children}</s:Envelope>").as_bytes(),
        )
    }

    #[test]
    fn an_envelope_is_an_optional_header_and_a_body() {
        assert!(parse("<s:Body/>").is_ok());
        assert!(parse("<!-- c --> <s:Header/> <s:Body><a/></s:Body> ").is_ok());
    }

    #[test]
    fn other_shapes_are_refused() {
        for (children, error) in [
            ("", EnvelopeError::NoBody),
            ("<s:Header/>", EnvelopeError::NoBody),
            ("<Body/>", EnvelopeError::UnexpectedChild),
            ("<s:Body/><s:Body/>", EnvelopeError::SeveralBodies),
            (
                "<s:Header/><s:Header/><s:Body/>",
                EnvelopeError::SeveralHeaders,
            ),
            ("<s:Body/><s:Header/>", EnvelopeError::MisplacedHeader),
            ("<s:Body/><s:Fault/>", EnvelopeError::UnexpectedChild),
            ("<x/><s:Body/>", EnvelopeError::UnexpectedChild),
        ] {
            assert_eq!(parse(children).map(drop), Err(error), "{children}");
        }
    }

    #[test]
    fn other_roots_are_refused() {
        let error = |text: &str| Envelope::parse(text.as_bytes()).map(drop).unwrap_err();
        let soap12 = "http://www.w3.org/2003/05/soap-envelope";
        assert_eq!(
            error(&format!(
                "<e:Envelope xmlns:e='{soap12}'><e:Body/></e:Envelope>"
            )),
            EnvelopeError::VersionMismatch {
                namespace: soap12.into()
            }
        );
        assert_eq!(
            error("<Envelope/>"),
            EnvelopeError::VersionMismatch {
                namespace: String::new()
            }
        );
        assert_eq!(error("<html/>"), EnvelopeError::NotAnEnvelope);
        assert_eq!(
            error(&"x".repeat((1 << 20) + 1)),
            EnvelopeError::TooLarge { limit: 1 << 20 }
        );
        assert_eq!(
            Envelope::parse(b"<a>\xff</a>").map(drop),
            Err(EnvelopeError::NotUtf8 { position: 3 })
        );
        assert_eq!(
            error("<a></b>"),
            EnvelopeError::Xml {
                position: 3,
                reason: Malformed::MismatchedEndTag
            }
        );
    }
}
