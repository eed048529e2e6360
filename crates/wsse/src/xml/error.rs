//! The reasons why bytes are no document.

/// The reason why a document was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// The document is longer than this crate reads.
    #[error("the document is longer than {limit} bytes")]
    TooLarge {
        /// The longest document, in bytes.
        limit: usize,
    },
    /// The document is not UTF-8, the one encoding this crate reads.
    #[error("the document is not UTF-8 at byte {position}")]
    NotUtf8 {
        /// Offset of the first byte that does not fit.
        position: usize,
    },
    /// The document is not well-formed, uses a feature that this crate refuses, or is over a limit.
    #[error("at byte {position}: {reason}")]
    Malformed {
        /// Offset of the markup or text at fault, in bytes.
        position: usize,
        /// The mistake there.
        reason: Malformed,
    },
}

/// A mistake in a document: a rule of XML 1.0, of Namespaces in XML 1.0, or a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Markup that begins and never ends, or begins like none.
    #[error("broken markup")]
    BrokenMarkup,
    /// A character that XML does not allow (XML 1.0 section 2.2).
    #[error("a character that XML does not allow")]
    ForbiddenCharacter,
    /// A DTD. Refused: nothing in SOAP 1.1 may have one (SOAP 1.1 section 3).
    #[error("a document type declaration")]
    DocumentType,
    /// A processing instruction. Refused as SOAP 1.1 section 3 says.
    #[error("a processing instruction")]
    ProcessingInstruction,
    /// An XML declaration that is not at the very start, or not as XML 1.0 section 2.8 says.
    #[error("a wrong XML declaration")]
    Declaration,
    /// The XML declaration names another version than 1.0.
    #[error("another XML version than 1.0")]
    Version,
    /// The XML declaration names another encoding than UTF-8.
    #[error("another encoding than UTF-8")]
    Encoding,
    /// No root element.
    #[error("no root element")]
    NoRoot,
    /// Text, a reference or a CDATA section outside the root element.
    #[error("text outside the root element")]
    TextOutsideRoot,
    /// A second root element.
    #[error("a second root element")]
    SecondRoot,
    /// An element that is not closed before the document ends.
    #[error("an element that is not closed")]
    Unclosed,
    /// An end tag that does not match the start tag.
    #[error("an end tag that does not match")]
    MismatchedEndTag,
    /// A name that is no qualified name (Namespaces in XML 1.0 section 4).
    #[error("a wrong name")]
    Name,
    /// An attribute without `=`, quotes, or space before it.
    #[error("a wrong attribute")]
    Attribute,
    /// `<` in an attribute value.
    #[error("`<` in an attribute value")]
    LessThanInAttribute,
    /// Two attributes of one element with the same name, or the same namespace and local name.
    #[error("an attribute twice")]
    DuplicateAttribute,
    /// Two declarations of one prefix in one element.
    #[error("a namespace declaration twice")]
    DuplicateDeclaration,
    /// A prefix that is not declared.
    #[error("a prefix that is not declared")]
    UndeclaredPrefix,
    /// A declaration that binds or unbinds a reserved prefix: `xml`, `xmlns`, or a prefix to nothing
    /// (Namespaces in XML 1.0 section 3).
    #[error("a namespace declaration that is not allowed")]
    ReservedNamespace,
    /// `&` that begins no reference, or a reference to a character that XML does not allow.
    #[error("a wrong reference")]
    Reference,
    /// A reference to an entity other than the five of XML 1.0 section 4.6.
    #[error("a reference to an unknown entity")]
    UnknownEntity,
    /// `]]>` in text.
    #[error("`]]>` in text")]
    CdataEndInText,
    /// `--` in a comment, or `-` at its end.
    #[error("`--` in a comment")]
    DoubleHyphen,
    /// More elements open at once than this crate reads: 100.
    #[error("elements nested too deep")]
    TooDeep,
    /// More nodes than this crate reads: 131,072.
    #[error("too many elements")]
    TooManyNodes,
    /// More attributes than this crate reads: 256 in an element, 65,536 in a document.
    #[error("too many attributes")]
    TooManyAttributes,
    /// More different prefixes than this crate reads: 1,024.
    #[error("too many prefixes")]
    TooManyPrefixes,
    /// A namespace name longer than this crate reads: 1,024 bytes.
    #[error("a namespace name that is too long")]
    NamespaceTooLong,
}
