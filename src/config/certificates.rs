use mpay_door::config::{Environment, Reader, in_own_words};
use wsse::{Certificate, Signer, SignerError, Trust, TrustError};

use mpay_door::log::log;

/// The institution's key and certificate.
pub fn signer(reader: &mut Reader<'_>, environment: Environment) -> Option<Signer> {
    let key = reader.required(
        "service_key",
        "the private key of your system certificate, PEM",
    );
    let certificate = reader.required(
        "service_certificate",
        "your system certificate of STISC, PEM",
    );
    let certificate = certificate?;
    let signer = match key {
        Some(key) => Signer::from_pem(key, certificate),
        None => Err(Certificate::bundle_from_pem(certificate).err()?.into()),
    };
    let signer = signer
        .map_err(|error| match error {
            SignerError::Certificate(error) => {
                reader.error("service_certificate", in_own_words(&error));
            }
            error => reader.error("service_key", error),
        })
        .ok()?
        .on_miscomputation(|engine| {
            log!("a signature that the RSA engine {engine} computed was wrong and not used: the machine is faulty, or attacked");
        });
    reader.warn_of_key("service_certificate");
    reader.refuse_development("service_certificate", signer.certificate(), environment);
    Some(signer)
}

/// Pinned certificates, authorities with the names they are trusted for, or both.
pub fn trust(reader: &mut Reader<'_>, environment: Environment) -> Option<Trust> {
    let with_authorities = reader.variables.get("mpay_authorities").is_some();
    let pinned = if with_authorities && reader.variables.get("mpay_certificates").is_none() {
        Vec::new()
    } else {
        reader.required(
            "mpay_certificates",
            "the certificates that MPay signs with, PEM, one after the other; \
             or set mpay_authorities and mpay_signer_names",
        )?;
        reader.certificates("mpay_certificates", environment)?
    };
    let grace = reader.seconds("expired_signer_grace", 0, 30 * 86_400);
    let trust = Trust::pinned(pinned).with_grace(grace);
    let names = reader
        .variables
        .get("mpay_signer_names")
        .unwrap_or_default();
    let names: Vec<&str> = names
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if !with_authorities {
        if !names.is_empty() && !reader.variables.is_unread("mpay_authorities") {
            reader.error("mpay_signer_names", "is set, but mpay_authorities is not");
        }
        return Some(trust);
    }
    let (authorities, intermediates) = reader
        .certificates("mpay_authorities", environment)?
        .into_iter()
        .partition(Certificate::is_self_issued);
    trust
        .with_authorities(authorities, intermediates, &names)
        .map_err(|error| match error {
            TrustError::NoNames => reader.error("mpay_signer_names", error),
            TrustError::BadName { name } => {
                let place = names.iter().position(|other| *other == name);
                let place = place.map_or(0, |place| place + 1);
                reader.error(
                    "mpay_signer_names",
                    format!("name {place} is neither a distinguished name nor a serialNumber"),
                );
            }
            TrustError::NoAuthorities => reader.error("mpay_authorities", error),
            _ => reader.error(
                "mpay_authorities",
                "has a certificate that is none of an authority, or that has an extension which is not understood",
            ),
        })
        .ok()
}
