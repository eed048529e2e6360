//! The three certificates of a provider that are taken for each other: its own system
//! certificate, MPay's, and the web server's for TLS.

use jiff::{SignedDuration, Timestamp};
use rsa::PrivateKey as RsaPrivateKey;

use super::Findings;
use crate::keys::material::{Certificate, Material, Purpose, bits, parse_plain};

const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The texts of the variables that hold keys and certificates.
pub struct Texts<'a> {
    pub service_key: &'a str,
    pub service_certificate: &'a str,
    pub mpay_certificates: &'a str,
    pub mpay_authorities: &'a str,
}

/// The certificates in the variables, as far as they can be read.
#[derive(Default)]
pub struct Certificates {
    /// The system certificate.
    pub own: Option<Certificate>,
    /// Those that MPay signs with.
    pub mpay: Vec<Certificate>,
}

/// Looks at them together.
pub fn examine(texts: &Texts<'_>, now: Timestamp, findings: &mut Findings) -> Certificates {
    let key = read_key(texts.service_key, findings);
    let own = parse_plain(texts.service_certificate.as_bytes()).unwrap_or_default();
    let mpay = parse_plain(texts.mpay_certificates.as_bytes()).unwrap_or_default();
    let authorities = parse_plain(texts.mpay_authorities.as_bytes()).unwrap_or_default();
    // Of a chain the one of the key is taken; otherwise the first is meant.
    let of_key =
        |certificate: &&Certificate| key.as_ref().is_some_and(|key| certificate.is_of(key));
    let fitting = own.certificates.iter().find(of_key);
    let certificate = fitting.or(own.certificates.first()).cloned();
    if own.certificates.len() > 1 && fitting.is_none() {
        findings.wrong(
            "service-certificate",
            format!(
                "service_certificate holds {} certificates, and none of them belongs to service_key",
                own.certificates.len()
            ),
            "Put the certificate there that was made for the key, whose subject is your institution.",
        );
    }
    if !own.keys.is_empty() {
        findings.warning(
            "service-certificate",
            "service_certificate holds a private key too, and both components are given it",
            "Leave the certificate there alone: service_key is the variable of the key, which the component with the order API is never given.",
        );
    }
    if let Some(certificate) = &certificate {
        examine_own(certificate, key.as_ref(), &mpay, findings);
        validity("service_certificate", certificate, now, RENEW_OWN, findings);
    }
    for certificate in &mpay.certificates {
        examine_mpay(certificate, key.as_ref(), findings);
        validity("mpay_certificates", certificate, now, RENEW_MPAY, findings);
    }
    for certificate in &authorities.certificates {
        if certificate.purpose() != Purpose::Authority {
            findings.wrong(
                "authority",
                format!(
                    "mpay_authorities holds {}, which is no authority",
                    certificate.subject()
                ),
                "If it is MPay's own certificate, it belongs to mpay_certificates.",
            );
        }
        validity("mpay_authorities", certificate, now, RENEW_MPAY, findings);
    }
    Certificates {
        own: certificate,
        mpay: mpay.certificates,
    }
}

const RENEW_OWN: &str = "Ask STISC for the next one (`mpay keys new`) and send its .cer to suport.mpay@gov.md before you change over.";
const RENEW_MPAY: &str = "Ask suport.mpay@gov.md for the next one, and put it beside the old one: the variable takes several.";

fn read_key(text: &str, findings: &mut Findings) -> Option<RsaPrivateKey> {
    if text.trim().is_empty() {
        return None;
    }
    if text.contains("ENCRYPTED") {
        findings.wrong(
            "service-key",
            "service_key is encrypted, and a provider has nobody to ask for the passphrase",
            "`mpay keys variables KEY.pem CERTIFICATE.pem` writes it as the variable needs it.",
        );
        return None;
    }
    match parse_plain(text.as_bytes()) {
        Ok(Material { mut keys, .. }) if keys.len() == 1 => keys.pop().map(|key| key.key),
        Ok(material) if !material.certificates.is_empty() => {
            findings.wrong(
                "service-key",
                "service_key holds a certificate, not a private key",
                "The key is the file that was made together with the request for the certificate; service_certificate is the variable of the certificate.",
            );
            None
        }
        Ok(_) | Err(_) => {
            findings.wrong(
                "service-key",
                "service_key is no RSA private key in PEM",
                "`mpay keys show FILE` says what a file holds; `mpay keys variables` writes the variable's file.",
            );
            None
        }
    }
}

fn examine_own(
    own: &Certificate,
    key: Option<&RsaPrivateKey>,
    mpay: &Material,
    findings: &mut Findings,
) {
    match own.purpose() {
        Purpose::Authority => findings.wrong(
            "service-certificate",
            format!("service_certificate is an authority's: {}", own.subject()),
            "Put the certificate there that STISC made for your system.",
        ),
        Purpose::Server => findings.wrong(
            "certificates-mixed-up",
            format!(
                "service_certificate is a web server's, for TLS: {} ({})",
                own.subject(),
                own.host_names().join(", ")
            ),
            "TLS ends before the provider and is configured there. Here belongs the system certificate of STISC, which signs messages.",
        ),
        Purpose::Other => {}
    }
    match own.public_key() {
        Some(public) if bits(&public) >= 2048 => {}
        _ => findings.wrong(
            "service-certificate",
            "the key of service_certificate is not RSA of 2048 bits and more",
            "Make a new key and request (`mpay keys new`) and have it certified.",
        ),
    }
    if mpay.certificates.iter().any(|other| other.der == own.der) {
        findings.wrong(
            "certificates-mixed-up",
            "service_certificate is among mpay_certificates: whoever has your key could confirm payments",
            "Put MPay's certificate into mpay_certificates, and nothing else. MPay's team sends it.",
        );
    }
    let Some(key) = key else { return };
    if own.is_of(key) {
        findings.ok(
            "key-and-certificate",
            format!(
                "service_key belongs to service_certificate, {}",
                own.subject()
            ),
        );
        return;
    }
    let other = mpay.certificates.iter().find(|other| other.is_of(key));
    match other {
        Some(other) => findings.wrong(
            "certificates-mixed-up",
            format!(
                "service_key belongs to a certificate in mpay_certificates, {}, and not to service_certificate",
                other.subject()
            ),
            "The two certificates are in each other's place: swap them.",
        ),
        None => findings.wrong(
            "key-and-certificate",
            format!(
                "service_key does not belong to service_certificate, {}",
                own.subject()
            ),
            "A certificate works only with the key that its request was made with: find that key (`mpay keys show KEY.pem CERTIFICATE.pem` compares), or have a new request certified.",
        ),
    }
}

fn examine_mpay(certificate: &Certificate, key: Option<&RsaPrivateKey>, findings: &mut Findings) {
    let subject = certificate.subject();
    match certificate.purpose() {
        Purpose::Authority => findings.wrong(
            "certificates-mixed-up",
            format!("mpay_certificates holds an authority, {subject}, which signs no messages"),
            "Put MPay's own certificate there; or move this one to mpay_authorities, and set mpay_signer_names.",
        ),
        Purpose::Server => findings.wrong(
            "certificates-mixed-up",
            format!(
                "mpay_certificates holds a web server's certificate, for TLS: {subject} ({})",
                certificate.host_names().join(", ")
            ),
            "The certificate of MPay's web site is not the one that it signs with: ask suport.mpay@gov.md for that.",
        ),
        Purpose::Other => {
            if key.is_some_and(|key| certificate.is_of(key)) {
                // The sharper finding about the same is made where both are compared.
                return;
            }
            findings.ok("mpay-certificate", format!("MPay is believed as {subject}"));
        }
    }
}

/// Finds if a certificate is valid now, and for how much longer.
pub fn validity(
    place: &str,
    certificate: &Certificate,
    now: Timestamp,
    advice: &str,
    findings: &mut Findings,
) {
    let (not_before, not_after) = certificate.validity();
    let subject = certificate.subject();
    if now > not_after {
        let text = format!("{place}: the certificate of {subject} expired at {not_after}");
        findings.wrong("expired", text, advice);
    } else if now < not_before {
        let text = format!("{place}: the certificate of {subject} is valid only from {not_before}");
        findings.wrong(
            "not-yet-valid",
            text,
            "Wait, or look whether this machine's clock is right (`date`).",
        );
    } else if not_after.duration_since(now) < NOTICE {
        let text = format!("{place}: the certificate of {subject} expires at {not_after}");
        findings.warning("expires-soon", text, advice);
    }
}
