//! The reasons why a message was not verified.

use jiff::Timestamp;

use crate::chain::ChainError;

/// The reason why a message was not verified, for the log: a caller who is not authenticated gets one
/// constant answer for every reason.
///
/// Texts taken from the message are shown quoted, escaped and shortened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// No `wsse:Security` header for us.
    #[error("no Security header")]
    NoSecurityHeader,
    /// More than one `wsse:Security` header for us.
    #[error("more than one Security header")]
    SeveralSecurityHeaders,
    /// No `wsu:Timestamp` in the header.
    #[error("no Timestamp")]
    NoTimestamp,
    /// More than one `wsu:Timestamp` in the header.
    #[error("more than one Timestamp")]
    SeveralTimestamps,
    /// No `ds:Signature` in the header.
    #[error("no Signature")]
    NoSignature,
    /// More than one `ds:Signature` in the header.
    #[error("more than one Signature")]
    SeveralSignatures,
    /// One value in two id attributes (`wsu:Id`, `Id`, `ID`, `xml:id`), wherever in the message.
    #[error("the id {} twice", shown(id))]
    DuplicateId {
        /// The value.
        id: String,
    },
    /// An element is missing where the specification or this crate demands it.
    #[error("{parent} without {element}")]
    MissingElement {
        /// The local name of the element it is missing from.
        parent: String,
        /// The local name of the missing one.
        element: &'static str,
    },
    /// An element where none, or another, is allowed: `Object` in a signature, for example.
    #[error("{} in {parent}", shown(element))]
    UnexpectedElement {
        /// The local name of the element it stands in.
        parent: String,
        /// The expanded name of the unexpected one.
        element: String,
    },
    /// Text where only elements are allowed, or elements where only text is.
    #[error("text and elements mixed up in {element}")]
    UnexpectedContent {
        /// The local name of the element.
        element: String,
    },
    /// An attribute is missing.
    #[error("{element} without {attribute}")]
    MissingAttribute {
        /// The local name of the element.
        element: String,
        /// The name of the attribute.
        attribute: &'static str,
    },
    /// The text of an element is not base64.
    #[error("{element} is not base64")]
    NotBase64 {
        /// The local name of the element.
        element: String,
    },
    /// The text of an element is not hexadecimal, though its `EncodingType` says so.
    #[error("{element} is not hexadecimal")]
    NotHexadecimal {
        /// The local name of the element.
        element: String,
    },
    /// A time is not an `xsd:dateTime`.
    #[error("the time {}", shown(value))]
    BadTime {
        /// The text in its place.
        value: String,
    },
    /// `Expires` is not after `Created`.
    #[error("expires at {expires}, not after its creation at {created}")]
    ExpiresBeforeCreated {
        /// `Created`.
        created: Timestamp,
        /// `Expires`.
        expires: Timestamp,
    },
    /// `Created` is in the future by more than the clock skew.
    #[error("created at {created}, later than {now}")]
    CreatedInFuture {
        /// `Created`.
        created: Timestamp,
        /// The time of the check.
        now: Timestamp,
    },
    /// `Expires` is past by more than the clock skew.
    #[error("expired at {expires}, before {now}")]
    Expired {
        /// `Expires`.
        expires: Timestamp,
        /// The time of the check.
        now: Timestamp,
    },
    /// `Created` is longer ago than the policy's maximum age.
    #[error("created at {created}, too long before {now}")]
    TooOld {
        /// `Created`.
        created: Timestamp,
        /// The time of the check.
        now: Timestamp,
    },
    /// A canonicalization method other than C14N 1.0, C14N 1.1 and exclusive C14N 1.0.
    #[error("the canonicalization method {}", shown(algorithm))]
    UnsupportedCanonicalization {
        /// Its identifier.
        algorithm: String,
    },
    /// A transform other than these and the STR-Transform, or more than one.
    #[error("the transform {}", shown(algorithm))]
    UnsupportedTransform {
        /// Its identifier.
        algorithm: String,
    },
    /// A signature method other than RSA PKCS#1 v1.5 with SHA-1, 256, 384 or 512, and RSA-PSS with
    /// SHA-256, 384 or 512.
    #[error("the signature method {}", shown(algorithm))]
    UnsupportedSignatureMethod {
        /// Its identifier.
        algorithm: String,
    },
    /// A digest method other than SHA-1, 256, 384 or 512.
    #[error("the digest method {}", shown(algorithm))]
    UnsupportedDigestMethod {
        /// Its identifier.
        algorithm: String,
    },
    /// SHA-1 in the signature or a digest, which the policy does not accept.
    #[error("SHA-1, which is not accepted")]
    Sha1Refused,
    /// More prefixes in a `PrefixList` than this crate reads: 64.
    #[error("too many prefixes in a PrefixList")]
    TooManyPrefixes,
    /// More references than this crate reads: 32.
    #[error("too many references")]
    TooManyReferences,
    /// A reference by anything but `#` and an id: absent, empty, remote, an XPointer.
    #[error("a reference to {}", shown(uri))]
    UnsupportedReference {
        /// The URI.
        uri: String,
    },
    /// A reference to nothing that may be signed: the Body, and the children of the Header and of
    /// the Security header.
    #[error("a reference to {}, which is no part that may be signed", shown(uri))]
    UnresolvedReference {
        /// The URI.
        uri: String,
    },
    /// Two references to one part.
    #[error("a second reference to {}", shown(uri))]
    RepeatedReference {
        /// The URI of the second.
        uri: String,
    },
    /// No reference to the Body.
    #[error("the Body is not signed")]
    BodyNotSigned,
    /// No reference to the Timestamp.
    #[error("the Timestamp is not signed")]
    TimestampNotSigned,
    /// The signer's key is given in a way that this crate does not read.
    #[error("the key is given by {}", shown(element))]
    UnsupportedKeyInfo {
        /// The expanded name of the element that gives it.
        element: String,
    },
    /// More ways of naming the signer than this crate reads: 16.
    #[error("the key is given in too many ways")]
    TooManyHints,
    /// A token that is not an X.509 version 3 certificate in base64.
    #[error("a token of type {}", shown(token_type))]
    UnsupportedToken {
        /// Its `ValueType` or `EncodingType`.
        token_type: String,
    },
    /// A reference to a token that is not in the Security header.
    #[error("no token {}", shown(uri))]
    UnresolvedToken {
        /// The URI.
        uri: String,
    },
    /// The certificate in the message is not among the trusted ones.
    #[error("signed with a certificate that is not trusted, SHA-256 {fingerprint}")]
    UntrustedSigner {
        /// The SHA-256 of the certificate in the message.
        fingerprint: String,
    },
    /// The certificate in the message is not one, is longer than 16 KiB, or its key is not RSA of at
    /// least 2048 bits.
    #[error("the signer's certificate cannot be used: {reason}")]
    UnusableCertificate {
        /// The reason, as [`CertificateError`](crate::CertificateError) says it.
        reason: String,
    },
    /// The certificate in the message does not chain up to a trusted authority.
    #[error("the signer's certificate is not trusted, SHA-256 {fingerprint}: {reason}")]
    UntrustedChain {
        /// The SHA-256 of the signer's certificate.
        fingerprint: String,
        /// The certificate of the chain that is at fault, and its mistake.
        reason: ChainError,
    },
    /// The key of the message is not that of a trusted certificate.
    #[error("no trusted certificate is named by {}", shown(named_by))]
    UnknownSigner {
        /// The statement of `KeyInfo`, in the words of its elements; that it is absent, if it is.
        named_by: String,
    },
    /// `KeyInfo` names its signer more than once, and one is a trusted certificate that another
    /// does not fit.
    #[error("the key is given by {} and by something else", shown(named_by))]
    ContradictoryKeyInfo {
        /// The statement that does not fit.
        named_by: String,
    },
    /// The text in the place of a distinguished name is none (RFC 4514).
    #[error("the name {}", shown(value))]
    BadName {
        /// The text.
        value: String,
    },
    /// The text in the place of a certificate's serial number is no decimal number of at most 20
    /// bytes.
    #[error("the serial number {}", shown(value))]
    BadSerialNumber {
        /// The text.
        value: String,
    },
    /// The signer's certificate is not valid yet.
    #[error("the signer's certificate is valid only from {not_before}")]
    SignerNotYetValid {
        /// The first instant of validity.
        not_before: Timestamp,
    },
    /// The signer's certificate is not valid any more.
    #[error("the signer's certificate was valid until {not_after}")]
    SignerExpired {
        /// The last instant of validity.
        not_after: Timestamp,
    },
    /// The signature is not as long as the key's modulus.
    #[error("a signature of {found} bytes where the key makes {expected}")]
    SignatureLength {
        /// Length of the modulus, in bytes.
        expected: usize,
        /// Length of the signature, in bytes.
        found: usize,
    },
    /// The signature was not made over this `SignedInfo` with the signer's key.
    #[error("the signature does not verify")]
    SignatureMismatch,
    /// A signed part differs from its digest.
    #[error("the digest of {} does not match", shown(uri))]
    DigestMismatch {
        /// The URI of its reference.
        uri: String,
    },
    /// The canonical form of the signed parts is longer than this crate computes: eight times
    /// the message and 64 KiB.
    #[error("the canonical form is too long")]
    CanonicalFormTooLong,
}

impl SecurityError {
    /// The reason without any text of a stranger, for a log that names nobody. Names of certificates can
    /// be those of people with their personal codes, and any text can be one. A fingerprint identifies
    /// the certificate. Identifiers of the standards are shown, so that the requested algorithm can be
    /// seen.
    pub fn without_texts(&self) -> String {
        match self {
            Self::UntrustedChain {
                fingerprint,
                reason,
            } => format!(
                "the signer's certificate is not trusted, SHA-256 {fingerprint}: {}",
                reason.without_names()
            ),
            Self::DuplicateId { .. } => "an id twice".to_owned(),
            Self::UnexpectedElement { parent, element } => {
                format!("an element {} in {parent}", identifier(element))
            }
            Self::BadTime { .. } => "a text in the place of a time that is none".to_owned(),
            Self::BadName { .. } => "a text in the place of a name that is none".to_owned(),
            Self::BadSerialNumber { .. } => {
                "a text in the place of a serial number that is none".to_owned()
            }
            Self::UnsupportedCanonicalization { algorithm } => {
                format!("a canonicalization method {}", identifier(algorithm))
            }
            Self::UnsupportedTransform { algorithm } => {
                format!("a transform {}", identifier(algorithm))
            }
            Self::UnsupportedSignatureMethod { algorithm } => {
                format!("a signature method {}", identifier(algorithm))
            }
            Self::UnsupportedDigestMethod { algorithm } => {
                format!("a digest method {}", identifier(algorithm))
            }
            Self::UnsupportedReference { .. } => "a reference by something else than an id".to_owned(),
            Self::UnresolvedReference { .. } => {
                "a reference to what is no part that may be signed".to_owned()
            }
            Self::RepeatedReference { .. } => "a second reference to one part".to_owned(),
            Self::UnsupportedKeyInfo { element } => {
                format!("the key is given by an element {}", identifier(element))
            }
            Self::UnsupportedToken { token_type } => {
                format!("a token of a type {}", identifier(token_type))
            }
            Self::UnresolvedToken { .. } => "a reference to a token that is not there".to_owned(),
            Self::DigestMismatch { .. } => "the digest of a part does not match".to_owned(),
            Self::NoSecurityHeader
            | Self::SeveralSecurityHeaders
            | Self::NoTimestamp
            | Self::SeveralTimestamps
            | Self::NoSignature
            | Self::SeveralSignatures
            | Self::MissingElement { .. }
            | Self::UnexpectedContent { .. }
            | Self::MissingAttribute { .. }
            | Self::NotBase64 { .. }
            | Self::NotHexadecimal { .. }
            | Self::ExpiresBeforeCreated { .. }
            | Self::CreatedInFuture { .. }
            | Self::Expired { .. }
            | Self::TooOld { .. }
            | Self::Sha1Refused
            | Self::TooManyPrefixes
            | Self::TooManyReferences
            | Self::BodyNotSigned
            | Self::TimestampNotSigned
            | Self::TooManyHints
            | Self::UntrustedSigner { .. }
            | Self::UnusableCertificate { .. }
            // The data that fits no certificate: numbers and digests of one.
            | Self::UnknownSigner { .. }
            | Self::ContradictoryKeyInfo { .. }
            | Self::SignerNotYetValid { .. }
            | Self::SignerExpired { .. }
            | Self::SignatureLength { .. }
            | Self::SignatureMismatch
            | Self::CanonicalFormTooLong => self.to_string(),
        }
    }
}

/// An identifier or an expanded name, if it can be one of the standards: another text is left out.
fn identifier(text: &str) -> String {
    const STANDARDS: [&str; 2] = ["http://www.w3.org/", "http://docs.oasis-open.org/"];
    const LONGEST: usize = 150;
    /// Dates within identifiers have up to eight; a personal code has thirteen.
    const MOST_DIGITS: usize = 8;
    let name = text.strip_prefix('{').unwrap_or(text);
    let is_of_one = STANDARDS.iter().any(|begin| name.starts_with(begin));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "{}:/#._-".contains(c);
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    match is_of_one
        && text.len() <= LONGEST
        && text.chars().all(is_plain)
        && numbers.all(|number| number.len() <= MOST_DIGITS)
    {
        true => format!("{text:?}"),
        false => "that is of no standard".to_owned(),
    }
}

/// A text of the message as a log may show it.
fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_without_texts_has_none_of_a_stranger() {
        let name = || "CN=Ana Rusu,serialNumber=2004001234567".to_owned();
        let chain = |reason| SecurityError::UntrustedChain {
            fingerprint: "ab".to_owned(),
            reason,
        };
        for (error, said) in [
            (
                chain(ChainError::NotNamed { subject: name() }),
                "the signer's certificate is not trusted, SHA-256 ab: the signer is not among the required names",
            ),
            (
                chain(ChainError::UnknownAuthority {
                    subject: name(),
                    issuer: name(),
                }),
                "the signer's certificate is not trusted, SHA-256 ab: an issuer in its chain is not configured",
            ),
            (SecurityError::DuplicateId { id: name() }, "an id twice"),
            (
                SecurityError::UnexpectedElement {
                    parent: "Signature".to_owned(),
                    element: name(),
                },
                "an element that is of no standard in Signature",
            ),
            (
                SecurityError::BadTime { value: name() },
                "a text in the place of a time that is none",
            ),
            (
                SecurityError::BadName { value: name() },
                "a text in the place of a name that is none",
            ),
            (
                SecurityError::BadSerialNumber { value: name() },
                "a text in the place of a serial number that is none",
            ),
            (
                SecurityError::UnsupportedCanonicalization { algorithm: name() },
                "a canonicalization method that is of no standard",
            ),
            (
                SecurityError::UnsupportedTransform { algorithm: name() },
                "a transform that is of no standard",
            ),
            (
                SecurityError::UnsupportedSignatureMethod { algorithm: name() },
                "a signature method that is of no standard",
            ),
            (
                SecurityError::UnsupportedDigestMethod { algorithm: name() },
                "a digest method that is of no standard",
            ),
            (
                SecurityError::UnsupportedReference { uri: name() },
                "a reference by something else than an id",
            ),
            (
                SecurityError::UnresolvedReference { uri: name() },
                "a reference to what is no part that may be signed",
            ),
            (
                SecurityError::RepeatedReference { uri: name() },
                "a second reference to one part",
            ),
            (
                SecurityError::UnsupportedKeyInfo { element: name() },
                "the key is given by an element that is of no standard",
            ),
            (
                SecurityError::UnsupportedToken { token_type: name() },
                "a token of a type that is of no standard",
            ),
            (
                SecurityError::UnresolvedToken { uri: name() },
                "a reference to a token that is not there",
            ),
            (
                SecurityError::DigestMismatch { uri: name() },
                "the digest of a part does not match",
            ),
        ] {
            assert!(error.to_string().contains("Ana Rusu"), "{error}");
            assert_eq!(error.without_texts(), said);
        }
        let error = SecurityError::Sha1Refused;
        assert_eq!(error.without_texts(), error.to_string());
    }

    #[test]
    fn an_identifier_is_shown_if_it_can_be_one_of_a_standard() {
        for known in [
            "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3",
            "{http://www.w3.org/2000/09/xmldsig#}PGPData",
        ] {
            assert_eq!(identifier(known), format!("{known:?}"));
        }
        let long = format!("http://www.w3.org/{}", "x".repeat(140));
        for other in [
            "",
            "Ana",
            "urn:http://www.w3.org/x",
            "http://www.w3.org.example.md/",
            "http://www.w3.org/Ana Rusu",
            "http://www.w3.org/Țurcanu",
            "http://www.w3.org/200400123",
            &long,
        ] {
            assert_eq!(identifier(other), "that is of no standard", "{other}");
        }
        assert!(identifier("http://www.w3.org/20040012").starts_with('"'));
        assert!(identifier(&long[..150]).starts_with('"'));
    }

    #[test]
    fn texts_of_the_message_are_shown_quoted_escaped_and_shortened() {
        let error = SecurityError::UnsupportedReference {
            uri: "a\nb".to_owned(),
        };
        assert_eq!(error.to_string(), r#"a reference to "a\nb""#);
        assert_eq!(shown(&"é".repeat(101)).chars().count(), 103);
    }
}
