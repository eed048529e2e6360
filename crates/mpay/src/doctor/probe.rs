//! Calls that MPay could make, to see what becomes of them.

use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use mpay_client::NAMESPACE;
use pkcs8::{EncodePrivateKey, LineEnding};
use rand::RngExt;
use wsse::{
    Algorithms, Certificate, Content, Envelope, SecurityError, Signer, Trust, Verified, Writer,
    names::SOAP,
};

use super::{Arguments, folder::Setup, http::Reply};
use crate::{
    inspect::policy,
    keys::material,
    message::{Outline, member},
    trust,
};

/// The action of the calls that are made.
pub const ACTION: &str = "https://mpay.gov.md/IServiceProvider/GetOrderDetails";

/// The side that asks, and the provider that it expects to answer.
#[derive(Default)]
pub struct Caller {
    /// A key that plays MPay's.
    pub signer: Option<Signer>,
    /// The certificate that the provider must sign with.
    pub provider: Option<Certificate>,
    /// ServiceID of the calls.
    pub service: String,
    /// True if the provider's configuration believes the signer; `None` if the configuration is not
    /// known.
    pub is_believed: Option<bool>,
}

impl Caller {
    /// Takes what the command line gives, else what the folder has.
    pub fn of(arguments: &Arguments, setup: &Setup) -> anyhow::Result<Caller> {
        let signer = match (&arguments.key, &setup.credentials) {
            (Some(file), _) => {
                let mut material = material::read(file, &arguments.passphrase)?;
                if let Some(file) = &arguments.certificate {
                    material.certificates =
                        material::read(file, &arguments.passphrase)?.certificates;
                }
                let key = material.key()?.key.to_pkcs8_pem(LineEnding::LF)?;
                let certificate = material
                    .certificate()
                    .context("give the key's certificate with --certificate")?;
                Some(Signer::from_pem(&key, &certificate.to_pem())?)
            }
            (None, Some(credentials)) => {
                let read = mpay::development::read;
                let certificate = read(&credentials.mpay_certificate())?;
                Some(Signer::from_pem(
                    &read(&credentials.mpay_key())?,
                    &certificate,
                )?)
            }
            (None, None) => None,
        };
        let own = setup.certificates.own.as_ref();
        let provider = match (&arguments.provider_certificate, own) {
            (Some(file), _) => Some(trust::certificate(file)?),
            (None, Some(own)) => Certificate::from_der(&own.der).ok(),
            (None, None) => None,
        };
        let config = setup.config.as_ref();
        let service = config.and_then(|config| config.service_ids().next());
        let is_believed = match (&signer, config.is_some()) {
            (Some(signer), true) => Some(
                setup
                    .certificates
                    .mpay
                    .iter()
                    .any(|known| known.der == signer.certificate().der()),
            ),
            _ => None,
        };
        Ok(Caller {
            signer,
            provider,
            service: match (&arguments.service, service) {
                (Some(given), _) => given.clone(),
                (None, Some(configured)) => configured.to_string(),
                (None, None) => "MPAY-DOCTOR".to_owned(),
            },
            is_believed,
        })
    }
}

/// A question for an order that does not exist.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub algorithms: Algorithms,
    /// Seconds by which the message's clock is put forward.
    pub ahead: i64,
    /// With white space, letters beyond ASCII and a line end of another system, which a proxy
    /// that rewrites XML would not leave alone.
    pub delicate: bool,
}

impl Probe {
    /// As MPay asks today.
    pub const PLAIN: Probe = Probe {
        algorithms: Algorithms::SHA1,
        ahead: 0,
        delicate: false,
    };

    /// The signed message.
    pub fn message(self, signer: &Signer, service: &str) -> anyhow::Result<String> {
        let created = Timestamp::now().checked_add(SignedDuration::from_secs(self.ahead))?;
        let lifetime = Duration::from_secs(300);
        let content = self.content(service);
        Ok(signer.sign(&content, self.algorithms, created, lifetime)?)
    }

    fn content(self, service: &str) -> Content {
        let mut xml = Writer::new();
        let space = |xml: &mut Writer, text: &str| {
            if self.delicate {
                xml.text(text);
            }
        };
        xml.start_in("GetOrderDetails", NAMESPACE);
        space(&mut xml, "\r\n\t");
        xml.start("query");
        space(&mut xml, "  \n    ");
        xml.element("Language", "ro");
        space(&mut xml, "\n\n");
        let key = format!("doctor-{:016x}", rand::rng().random::<u64>());
        let letters = if self.delicate { "-ăș" } else { "" };
        xml.element("OrderKey", &format!("{key}{letters}"));
        xml.element("ServiceID", service);
        xml.finish()
    }
}

/// An envelope that nobody signed, with so much white space in it.
pub fn unsigned(service: &str, padding: usize) -> String {
    let content = Probe::PLAIN.content(service);
    let padding = " ".repeat(padding);
    format!(
        r#"<soap:Envelope xmlns:soap="{SOAP}"><soap:Body>{}{padding}</soap:Body></soap:Envelope>"#,
        content.as_str()
    )
}

/// The kinds of answer, once the signature is judged.
pub enum Answer {
    /// Signed, whole, and by the one that is expected if that is known.
    Signed(Box<Verified>),
    /// A SOAP message without a signature.
    Unsigned {
        /// True if it is a fault.
        fault: bool,
    },
    /// Signed, but not so that it can be believed.
    Doubtful(Box<SecurityError>, Outline),
    /// No SOAP message.
    NotSoap,
}

/// Judges an answer: by the expected signer, or without one by the certificate that it brings.
pub fn judge(reply: &Reply, expected: Option<&Certificate>, now: Timestamp) -> Answer {
    if !reply.is_xml() {
        return Answer::NotSoap;
    }
    let (Ok(outline), Ok(envelope)) = (Outline::read(&reply.body), Envelope::parse(&reply.body))
    else {
        return Answer::NotSoap;
    };
    if outline.signatures.is_empty() {
        let fault = outline
            .operations
            .iter()
            .any(|name| name.ends_with("}Fault"));
        return Answer::Unsigned { fault };
    }
    let trusted = match expected {
        Some(expected) => vec![expected.clone()],
        None => {
            let sent = outline.certificates.iter();
            sent.filter_map(|der| Certificate::from_der(der).ok())
                .collect()
        }
    };
    match envelope.verify(&policy(Trust::pinned(trusted), true), now) {
        Ok(verified) => Answer::Signed(Box::new(verified)),
        Err(error) => Answer::Doubtful(Box::new(error), outline),
    }
}

/// The code of a fault; `None` for a result.
pub fn fault_code(verified: &Verified) -> Option<String> {
    let fault = verified
        .body()
        .children()
        .find(|child| child.is(SOAP, "Fault"))?;
    Some(member(fault, "", "faultcode").unwrap_or_default())
}
