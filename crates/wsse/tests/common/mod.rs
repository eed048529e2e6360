//! The common parts of the tests: keys, a policy, messages in the form of other stacks, and a signer of
//! arbitrary messages.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::convert::Infallible;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use jiff::Timestamp;
use rsa::pkcs8::DecodePrivateKey;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{Pkcs1v15Sign, PrivateKey as RsaPrivateKey, Pss};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use wsse::{
    Certificate, Document, Element, Policy, Signer, Trust, exclusive_c14n, inclusive_c14n,
    inclusive_c14n11,
};

pub const NOW: &str = "2026-06-01T10:00:30Z";

pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub const WSU: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
pub const EXC: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

pub fn now() -> Timestamp {
    time(NOW)
}

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// The path of a file under `tests/data`, also for the tests of the packages beside this one.
pub fn path(name: &str) -> String {
    format!("{}/../wsse/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub fn data(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect(name)
}

pub fn certificate(name: &str) -> Certificate {
    Certificate::from_pem(&data(&format!("{name}.pem"))).expect(name)
}

pub fn key(name: &str) -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8_pem(&data(&format!("{name}.key.pem"))).expect(name)
}

pub fn signer(name: &str) -> Signer {
    let key = data(&format!("{name}.key.pem"));
    Signer::from_pem(&key, &data(&format!("{name}.pem"))).expect(name)
}

pub fn policy(pinned: &[&str]) -> Policy {
    Policy {
        trust: Trust::pinned(pinned.iter().map(|name| certificate(name)).collect()),
        accept_sha1: true,
        clock_skew: Duration::from_secs(120),
        max_age: Duration::from_secs(1800),
    }
}

/// True if a tool is installed. A test that needs a missing one says so and passes; if `CI` is set it
/// fails.
pub fn has_tool(name: &str) -> bool {
    is_installed(name, Command::new(name).arg("--version").output().is_ok())
}

/// Decides the same for a thing that is no program, by `found`.
pub fn is_installed(name: &str, found: bool) -> bool {
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Not by `eprintln`, which the test harness would swallow.
        let _ = writeln!(std::io::stderr(), "left out for want of {name}: {test}");
    }
    found
}

pub fn run(tool: &str, arguments: &[&str]) -> Output {
    Command::new(tool).args(arguments).output().expect(tool)
}

pub fn write(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a temporary file");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// A message as WCF writes it, digests and signature value left empty, signed by `mpay`.
pub fn template() -> String {
    let token = Base64::encode_string(certificate("mpay").der());
    data("template.xml").trim_end().replace("TOKEN", &token)
}

/// [`template`], signed.
pub fn message() -> String {
    fill(&template(), "mpay")
}

/// Fills in the empty digests and the empty signature value of the first signature in a message,
/// whatever it says: each reference is resolved to the first element with that id.
pub fn fill(message: &str, key_name: &str) -> String {
    let document = Document::parse(message.as_bytes()).expect("a document");
    let root = document.root();
    let signature = find(root, &|e| e.is(DS, "Signature")).expect("a signature");
    let mut filled = message.to_owned();
    for reference in all(signature, "Reference") {
        let id = attribute(reference, "URI").trim_start_matches('#');
        let digest = match find(root, &|e| has_id(e, id)) {
            Some(part) => {
                let method = all(reference, "DigestMethod").pop();
                // A reference by `#id` is to a node set without comments.
                let canonical = match all(reference, "Transform").pop() {
                    Some(transform)
                        if attribute(transform, "Algorithm").ends_with("#STR-Transform") =>
                    {
                        let method = all(transform, "CanonicalizationMethod").pop();
                        token(root, part, method, key_name)
                    }
                    transform => canonical(part, transform, false),
                };
                hash(method.map_or("", |m| attribute(m, "Algorithm")), &canonical)
            }
            None => vec![0; 20],
        };
        let digest = format!(
            "<DigestValue>{}</DigestValue>",
            Base64::encode_string(&digest)
        );
        filled = filled.replacen("<DigestValue></DigestValue>", &digest, 1);
    }

    let document = Document::parse(filled.as_bytes()).expect("a document");
    let signed_info = find(document.root(), &|e| e.is(DS, "SignedInfo")).expect("SignedInfo");
    let canonical = canonical(signed_info, signed_info.children().next(), true);
    let method = all(signed_info, "SignatureMethod").pop();
    let value = sign(
        method.map_or("", |m| attribute(m, "Algorithm")),
        &canonical,
        key_name,
    );
    let value = format!(
        "<SignatureValue>{}</SignatureValue>",
        Base64::encode_string(&value)
    );
    filled.replacen("<SignatureValue></SignatureValue>", &value, 1)
}

fn canonical(
    element: Element<'_>,
    method: Option<Element<'_>>,
    may_have_comments: bool,
) -> Vec<u8> {
    let algorithm = method.map_or("", |m| attribute(m, "Algorithm"));
    let comments = algorithm.ends_with("#WithComments") && may_have_comments;
    let list = method
        .and_then(|m| m.children().next())
        .map_or("", |parameter| attribute(parameter, "PrefixList"));
    let prefixes: Vec<&str> = list.split_ascii_whitespace().collect();
    if algorithm.contains("xml-c14n11") {
        inclusive_c14n11(element, comments)
    } else if method.is_none() || algorithm.contains("xml-c14n-20010315") {
        inclusive_c14n(element, comments)
    } else {
        exclusive_c14n(element, comments, &prefixes)
    }
}

/// The result of the STR-Transform of a `SecurityTokenReference`, in the way of WSS4J.
fn token(
    root: Element<'_>,
    reference: Element<'_>,
    method: Option<Element<'_>>,
    signer: &str,
) -> Vec<u8> {
    let has_prefix = exclusive_c14n(reference, false, &[]).starts_with(b"<o:");
    let (prefix, declared) = match has_prefix {
        true => ("o:", r#"xmlns="" xmlns:o"#),
        false => ("", "xmlns"),
    };
    let reference = reference.children().next().expect("a reference");
    if reference.local_name() != "Reference" {
        let token = Base64::encode_string(certificate(signer).der());
        return format!(
            r#"<{prefix}BinarySecurityToken {declared}="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3">{token}</{prefix}BinarySecurityToken>"#
        )
        .into_bytes();
    }
    let id = attribute(reference, "URI").trim_start_matches('#');
    let token = find(root, &|e| has_id(e, id)).expect("a token");
    let algorithm = method.map_or("", |m| attribute(m, "Algorithm"));
    let canonical = if algorithm.contains("exc-c14n") {
        exclusive_c14n(token, false, &["#default"])
    } else {
        canonical(token, method, false)
    };
    let mut text = String::from_utf8(canonical).expect("UTF-8");
    let tag = &text[..text.find('>').expect("a start tag")];
    if !tag.contains(" xmlns=") {
        text.insert_str(tag.find(' ').expect("attributes"), " xmlns=\"\"");
    }
    text.into_bytes()
}

fn hash(algorithm: &str, bytes: &[u8]) -> Vec<u8> {
    match algorithm.rsplit(['#', '-']).next() {
        Some("sha256") => Sha256::digest(bytes).to_vec(),
        Some("sha384") => Sha384::digest(bytes).to_vec(),
        Some("sha512") => Sha512::digest(bytes).to_vec(),
        _ => Sha1::digest(bytes).to_vec(),
    }
}

fn sign(algorithm: &str, bytes: &[u8], key_name: &str) -> Vec<u8> {
    if let Some(algorithm) = algorithm.strip_suffix("-rsa-MGF1") {
        return sign_pss(algorithm, bytes, key_name);
    }
    let scheme = match algorithm.rsplit(['#', '-']).next() {
        Some("sha256") => Pkcs1v15Sign::new::<Sha256>(),
        Some("sha384") => Pkcs1v15Sign::new::<Sha384>(),
        Some("sha512") => Pkcs1v15Sign::new::<Sha512>(),
        _ => Pkcs1v15Sign::new::<Sha1>(),
    };
    let digest = hash(algorithm, bytes);
    key(key_name).sign(scheme, &digest).expect("a signature")
}

fn sign_pss(algorithm: &str, bytes: &[u8], key_name: &str) -> Vec<u8> {
    fn scheme<D: Digest>() -> Pss<D> {
        Pss {
            blinded: false,
            digest: D::new(),
            salt_len: Some(<D as Digest>::output_size()),
        }
    }
    let (digest, key, rng) = (hash(algorithm, bytes), key(key_name), &mut Counter(0));
    match algorithm.rsplit('#').next() {
        Some("sha256") => key.sign_with_rng(rng, scheme::<Sha256>(), &digest),
        Some("sha384") => key.sign_with_rng(rng, scheme::<Sha384>(), &digest),
        Some("sha512") => key.sign_with_rng(rng, scheme::<Sha512>(), &digest),
        _ => key.sign_with_rng(rng, scheme::<Sha1>(), &digest),
    }
    .expect("a signature")
}

/// Salts need not be secret.
struct Counter(u8);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 = self.0.wrapping_add(1);
        Ok(self.0.into())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

/// The first element, in document order, that satisfies a condition.
pub fn find<'a>(
    element: Element<'a>,
    condition: &dyn Fn(Element<'a>) -> bool,
) -> Option<Element<'a>> {
    if condition(element) {
        return Some(element);
    }
    element.children().find_map(|child| find(child, condition))
}

fn all<'a>(element: Element<'a>, local: &str) -> Vec<Element<'a>> {
    let below = element.children().flat_map(|child| all(child, local));
    let own = (element.local_name() == local).then_some(element);
    own.into_iter().chain(below.collect::<Vec<_>>()).collect()
}

fn attribute<'a>(element: Element<'a>, name: &str) -> &'a str {
    element.attribute("", name).unwrap_or_default()
}

fn has_id(element: Element<'_>, id: &str) -> bool {
    let names = [
        (WSU, "Id"),
        ("", "Id"),
        ("", "ID"),
        ("http://www.w3.org/XML/1998/namespace", "id"),
    ];
    names
        .into_iter()
        .any(|(namespace, local)| element.attribute(namespace, local) == Some(id))
}

/// A number in decimal digits.
pub fn decimal(hexadecimal: &str) -> String {
    let mut digits = vec![0];
    for nibble in hexadecimal.chars().filter_map(|c| c.to_digit(16)) {
        let mut carry = nibble;
        for digit in &mut digits {
            carry += *digit * 16;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.iter().rev().map(u32::to_string).collect()
}

/// The name of the variant of an error.
pub fn variant(error: &impl std::fmt::Debug) -> String {
    let shown = format!("{error:?}");
    let end = shown
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(shown.len());
    shown[..end].to_owned()
}
