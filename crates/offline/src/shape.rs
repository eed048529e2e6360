//! Signed messages as other stacks write them. They mean the same as [`Client::sign`]'s, in another form,
//! and a provider must take them all.
//!
//! [`Client::sign`]: mpay_client::Client::sign

use anyhow::Context;
use base64ct::{Base64, Encoding};
use jiff::{SignedDuration, Timestamp};
use rsa::{
    Pkcs1v15Sign, PrivateKey as RsaPrivateKey, pkcs1::DecodeRsaPrivateKey, pkcs8::DecodePrivateKey,
};
use sha1::{Digest, Sha1};
use wsse::{
    Certificate, Content, Document, Element, exclusive_c14n,
    names::{DS, WSU},
};

use mpay_client::LIFETIME;

/// The form of a message, by the program that writes such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Windows Communication Foundation, `basicHttpBinding` with message security.
    Wcf,
    /// Apache WSS4J, as Java services use it: inclusive prefixes, one minute of validity, the
    /// timestamp last.
    Wss4j,
    /// The government's .NET signing tool: unqualified `Id` attributes, the certificate embedded in
    /// `KeyInfo`.
    DotNet,
}

impl Shape {
    /// The message with its digests and its signature value left empty.
    fn template(self) -> &'static str {
        match self {
            Shape::Wcf => include_str!("shape/wcf.xml"),
            Shape::Wss4j => include_str!("shape/wss4j.xml"),
            Shape::DotNet => include_str!("shape/dotnet.xml"),
        }
    }

    fn lifetime(self) -> SignedDuration {
        match self {
            Shape::Wss4j => SignedDuration::from_secs(60),
            Shape::Wcf | Shape::DotNet => {
                SignedDuration::try_from(LIFETIME).unwrap_or(SignedDuration::from_secs(300))
            }
        }
    }
}

/// A private key with its certificate, for [`sign`].
pub struct Key {
    private: RsaPrivateKey,
    certificate: String,
}

impl Key {
    /// Reads a private key (PKCS#8 or PKCS#1) and its certificate, both PEM.
    ///
    /// # Errors
    /// If either cannot be read.
    pub fn from_pem(private_key: &str, certificate: &str) -> anyhow::Result<Self> {
        let private_key = private_key.trim();
        let private = RsaPrivateKey::from_pkcs8_pem(private_key)
            .ok()
            .or_else(|| RsaPrivateKey::from_pkcs1_pem(private_key).ok())
            .context("not an RSA private key in PEM")?;
        let certificate = Certificate::from_pem(certificate)?;
        Ok(Self {
            private,
            certificate: Base64::encode_string(certificate.der()),
        })
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// Signs a message in the form of another stack, with SHA-1, as all of them do by default.
///
/// # Errors
/// If the time cannot be written, or the key cannot sign.
pub fn sign(
    shape: Shape,
    content: &Content,
    key: &Key,
    created: Timestamp,
) -> anyhow::Result<String> {
    let time = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let expires = created.checked_add(shape.lifetime())?;
    let mut message = shape
        .template()
        .trim_end()
        .replace("{created}", &time(created))
        .replace("{expires}", &time(expires))
        .replace("{certificate}", &key.certificate)
        .replace("{content}", content.as_str());

    let mut digests = Vec::new();
    let document = Document::parse(message.as_bytes())?;
    for reference in descendants(document.root(), "Reference") {
        let Some(id) = reference
            .attribute("", "URI")
            .filter(|_| reference.is(DS, "Reference"))
        else {
            continue;
        };
        let part = signed_part(document.root(), id.trim_start_matches('#'))
            .context("a signed part is missing")?;
        let transform = descendants(reference, "Transform").next();
        digests.push(Base64::encode_string(&Sha1::digest(canonical(
            part, transform,
        ))));
    }
    for digest in digests {
        message = message.replacen("{digest}", &digest, 1);
    }

    let document = Document::parse(message.as_bytes())?;
    let signed_info = descendants(document.root(), "SignedInfo")
        .next()
        .context("a message without SignedInfo")?;
    let method = descendants(signed_info, "CanonicalizationMethod").next();
    let digest = Sha1::digest(canonical(signed_info, method));
    let value = key.private.sign(Pkcs1v15Sign::new::<Sha1>(), &digest)?;
    Ok(message.replacen("{signature}", &Base64::encode_string(&value), 1))
}

fn canonical(element: Element<'_>, method: Option<Element<'_>>) -> Vec<u8> {
    let list = method
        .and_then(|method| method.children().next())
        .and_then(|parameter| parameter.attribute("", "PrefixList"))
        .unwrap_or_default();
    let prefixes: Vec<_> = list.split_ascii_whitespace().collect();
    exclusive_c14n(element, false, &prefixes)
}

/// The Body or the Timestamp with an id of this value: the payload cannot stand in for them.
fn signed_part<'a>(root: Element<'a>, id: &str) -> Option<Element<'a>> {
    let body = root.children().filter(|child| child.local_name() == "Body");
    let timestamp = descendants(root, "Timestamp").take(1);
    body.chain(timestamp).find(|part| {
        [WSU, ""]
            .into_iter()
            .any(|namespace| part.attribute(namespace, "Id") == Some(id))
    })
}

/// An element and all below it of a name, in document order.
fn descendants<'a>(
    element: Element<'a>,
    local_name: &'a str,
) -> Box<dyn Iterator<Item = Element<'a>> + 'a> {
    let own = (element.local_name() == local_name).then_some(element);
    let below = element
        .children()
        .flat_map(move |child| descendants(child, local_name));
    Box::new(own.into_iter().chain(below))
}

#[cfg(test)]
mod tests {
    use std::{io::Write, process::Command, time::Duration};

    use wsse::{Envelope, Policy, Trust};

    use super::*;
    use mpay_client::encode_query;
    use wsse::names::SOAP;

    const KEY: &str = include_str!("../../wsse/tests/data/mpay.key.pem");
    const CERTIFICATE: &str = include_str!("../../wsse/tests/data/mpay.pem");

    #[test]
    fn every_shape_is_signed_over_body_and_timestamp_and_says_the_same() {
        let key = Key::from_pem(KEY, CERTIFICATE).unwrap();
        let now: Timestamp = "2026-06-01T10:00:00Z".parse().unwrap();
        let content = encode_query("S", "{digest} & <K>", "ro");
        let policy = Policy {
            trust: Trust::pinned(Certificate::bundle_from_pem(CERTIFICATE).unwrap()),
            accept_sha1: true,
            clock_skew: Duration::ZERO,
            max_age: Duration::from_secs(1800),
        };
        for (shape, marks, seconds) in [
            (Shape::Wcf, ["u:Id=\"_0\"", "<o:Reference "], 300),
            (Shape::Wss4j, ["PrefixList=\"soapenv\"", "wsu:Id=\"TS-"], 60),
            (Shape::DotNet, ["Body Id=\"", "<X509Certificate>"], 300),
        ] {
            let message = sign(shape, &content, &key, now).unwrap();
            for mark in marks {
                assert!(message.contains(mark), "{shape:?} {mark}: {message}");
            }
            let verified = Envelope::parse(message.as_bytes())
                .unwrap()
                .verify(&policy, now)
                .unwrap_or_else(|error| panic!("{shape:?}: {error}"));
            assert_eq!(
                verified.expires(),
                Some(now + SignedDuration::from_secs(seconds))
            );
            let query = verified.body().children().next().unwrap();
            let key = descendants(query, "OrderKey").next().unwrap();
            assert_eq!(key.text().unwrap(), "{digest} & <K>", "{shape:?}");
        }
    }
    #[test]
    fn xmlsec1_verifies_every_shape() {
        if Command::new("xmlsec1").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "xmlsec1 is not installed");
            // Not by `println`, which the test harness would swallow.
            let _ = writeln!(std::io::stderr(), "left out for want of xmlsec1: shapes");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (file, certificate) = (folder.path().join("m.xml"), folder.path().join("c.pem"));
        std::fs::write(&certificate, CERTIFICATE).unwrap();
        let key = Key::from_pem(KEY, CERTIFICATE).unwrap();
        let content = encode_query("S", "ăș & <K>", "ro");
        for shape in [Shape::Wcf, Shape::Wss4j, Shape::DotNet] {
            let message = sign(shape, &content, &key, Timestamp::now()).unwrap();
            for (message, right) in [(message.replace("ăș", "as"), false), (message, true)] {
                std::fs::write(&file, message).unwrap();
                let output = Command::new("xmlsec1")
                    .args(["--verify", "--id-attr:Id", &format!("{SOAP}:Body")])
                    .args(["--id-attr:Id", &format!("{WSU}:Timestamp")])
                    .arg("--pubkey-cert-pem")
                    .arg(&certificate)
                    .arg("--trusted-pem")
                    .arg(&certificate)
                    .arg(&file)
                    .output()
                    .unwrap();
                assert_eq!(output.status.success(), right, "{shape:?}: {output:?}");
            }
        }
    }
}
