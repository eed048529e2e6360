//! The outline of a message, as it describes itself. Nothing here is verified: it is for looking at, and
//! for finding out what went wrong.

use base64ct::{Base64, Encoding};
use jiff::{Timestamp, civil::DateTime, tz::Offset};
use serde::Serialize;
use wsse::{
    Document, Element, XmlError,
    names::{self, DS, SOAP, WSSE, WSU},
};

/// A message's structure.
#[derive(Debug, Default, Serialize)]
pub struct Outline {
    /// The expanded names of the Body's children.
    pub operations: Vec<String>,
    /// The number of `wsse:Security` headers.
    pub security_headers: usize,
    /// `wsu:Created`, as it is written.
    pub created: Option<String>,
    /// `wsu:Expires`, as it is written.
    pub expires: Option<String>,
    /// The signatures in the Security headers.
    pub signatures: Vec<SignatureOutline>,
    /// Other headers, by their expanded names.
    pub other_headers: Vec<String>,
    /// The certificates that the message carries, in DER.
    #[serde(skip)]
    pub certificates: Vec<Vec<u8>>,
}

/// A `ds:Signature`.
#[derive(Debug, Default, Serialize)]
pub struct SignatureOutline {
    /// `SignatureMethod`.
    pub signature_method: String,
    /// `CanonicalizationMethod`.
    pub canonicalization: String,
    /// The references, each to a part that is signed.
    pub references: Vec<Reference>,
    /// The ways in which `KeyInfo` names the key.
    pub key_info: Vec<String>,
}

/// A `ds:Reference`.
#[derive(Debug, Default, Serialize)]
pub struct Reference {
    /// `URI`.
    pub uri: String,
    /// The elements that it may mean, as paths. One is right.
    pub resolves_to: Vec<String>,
    /// `DigestMethod`.
    pub digest_method: String,
    /// `Transform`s.
    pub transforms: Vec<String>,
}

impl Outline {
    /// Reads a message, as far as it is one.
    pub fn read(message: &[u8]) -> Result<Outline, XmlError> {
        let document = Document::parse(message)?;
        let root = document.root();
        let mut outline = Outline::default();
        for part in root.children() {
            if part.is(SOAP, "Body") {
                outline.operations.extend(part.children().map(expanded));
            } else if part.is(SOAP, "Header") {
                for header in part.children() {
                    match header.is(WSSE, "Security") {
                        true => outline.read_security(root, header),
                        false => outline.other_headers.push(expanded(header)),
                    }
                }
            }
        }
        Ok(outline)
    }

    /// `Created` as an instant: without a zone it is UTC (WSS: SOAP Message Security 1.1, section
    /// 10).
    pub fn created_at(&self) -> Option<Timestamp> {
        let text = self.created.as_deref()?.trim();
        text.parse().ok().or_else(|| {
            let civil: DateTime = text.parse().ok()?;
            Offset::UTC.to_timestamp(civil).ok()
        })
    }

    fn read_security(&mut self, root: Element<'_>, security: Element<'_>) {
        self.security_headers += 1;
        for part in security.children() {
            if part.is(WSU, "Timestamp") {
                self.created = child(part, WSU, "Created").map(text);
                self.expires = child(part, WSU, "Expires").map(text);
            } else if part.is(WSSE, "BinarySecurityToken") {
                self.certificates.extend(base64(part));
            } else if part.is(DS, "Signature") {
                let signature = self.read_signature(root, part);
                self.signatures.push(signature);
            }
        }
    }

    fn read_signature(&mut self, root: Element<'_>, signature: Element<'_>) -> SignatureOutline {
        let mut outline = SignatureOutline::default();
        if let Some(info) = child(signature, DS, "SignedInfo") {
            let method = |name| child(info, DS, name).map(algorithm).unwrap_or_default();
            outline.canonicalization = method("CanonicalizationMethod");
            outline.signature_method = method("SignatureMethod");
            let references = info.children().filter(|part| part.is(DS, "Reference"));
            outline.references = references
                .map(|reference| Reference::read(root, reference))
                .collect();
        }
        if let Some(key_info) = child(signature, DS, "KeyInfo") {
            for part in key_info.children() {
                self.read_key(part, String::new(), &mut outline.key_info);
            }
        }
        outline
    }

    /// The leaves below `KeyInfo`, by their paths.
    fn read_key(&mut self, element: Element<'_>, above: String, found: &mut Vec<String>) {
        let path = format!("{above}{}", element.local_name());
        let mut children = element.children().peekable();
        if children.peek().is_some() && !element.is(DS, "X509IssuerSerial") {
            for part in children {
                self.read_key(part, format!("{path}/"), found);
            }
            return;
        }
        let detail = match element.local_name() {
            "X509Certificate" => {
                self.certificates.extend(base64(element));
                "the certificate itself".to_owned()
            }
            "X509IssuerSerial" => {
                let parts: Vec<_> = element.children().map(text).collect();
                parts.join(", ")
            }
            "Reference" => element.attribute("", "URI").unwrap_or("?").to_owned(),
            _ => {
                let kind = element.attribute("", "ValueType").unwrap_or_default();
                let kind = kind.rsplit('#').next().unwrap_or_default();
                format!("{kind} {}", text(element))
            }
        };
        found.push(format!("{path}: {}", detail.trim()));
    }
}

impl Reference {
    fn read(root: Element<'_>, reference: Element<'_>) -> Reference {
        let uri = reference.attribute("", "URI").unwrap_or_default();
        let mut resolves_to = Vec::new();
        if let Some(id) = uri.strip_prefix('#') {
            find(root, id, String::new(), &mut resolves_to);
        }
        let transforms = child(reference, DS, "Transforms");
        let transforms = transforms.into_iter().flat_map(|all| all.children());
        Reference {
            uri: uri.to_owned(),
            resolves_to,
            digest_method: child(reference, DS, "DigestMethod")
                .map(algorithm)
                .unwrap_or_default(),
            transforms: transforms.map(algorithm).collect(),
        }
    }
}

/// The paths of all elements with an id, in whatever attribute it stands.
fn find(element: Element<'_>, id: &str, above: String, found: &mut Vec<String>) {
    let path = format!("{above}{}", element.local_name());
    let spellings = [(WSU, "Id"), ("", "Id"), ("", "ID"), (names::XML, "id")];
    let here = spellings
        .iter()
        .any(|(namespace, name)| element.attribute(namespace, name) == Some(id));
    for part in element.children() {
        find(part, id, format!("{path}/"), found);
    }
    if here {
        found.insert(0, path);
    }
}

/// The text of a child of a verified or unverified structure, if it has one.
pub fn member(element: Element<'_>, namespace: &str, name: &str) -> Option<String> {
    let value = text(child(element, namespace, name)?);
    (!value.is_empty()).then_some(value)
}

/// The first child of this name.
pub fn child<'a>(element: Element<'a>, namespace: &str, name: &str) -> Option<Element<'a>> {
    element.children().find(|child| child.is(namespace, name))
}

fn text(element: Element<'_>) -> String {
    element.text().unwrap_or_default().trim().to_owned()
}

fn algorithm(element: Element<'_>) -> String {
    let algorithm = element.attribute("", "Algorithm");
    algorithm.unwrap_or("?").to_owned()
}

fn base64(element: Element<'_>) -> Option<Vec<u8>> {
    let digits: String = element.text()?.split_ascii_whitespace().collect();
    Base64::decode_vec(&digits).ok()
}

fn expanded(element: Element<'_>) -> String {
    match element.namespace() {
        "" => element.local_name().to_owned(),
        namespace => format!("{{{namespace}}}{}", element.local_name()),
    }
}

/// The name by which people know an algorithm: mostly the end of its identifier.
pub fn short(identifier: &str) -> &str {
    match identifier {
        names::EXC_C14N => "exclusive C14N",
        names::EXC_C14N_WITH_COMMENTS => "exclusive C14N with comments",
        names::C14N_10 => "C14N 1.0",
        names::C14N_11 => "C14N 1.1",
        other => other.rsplit(['#', '/']).next().unwrap_or(other),
    }
}
