//! The possible signers: the trusted certificates that a message names.

use std::time::Duration;

use jiff::Timestamp;

use super::SecurityError;
use super::key_info::Hint;
use super::validity::signed;
use crate::certificate::{Certificate, fingerprint};
use crate::policy::Trust;

/// The most keys that are tried on one signature. Several are when a message without `KeyInfo` names
/// none, or trusted certificates share a subject.
const MAX_KEYS: usize = 8;

/// The trusted certificates that all hints fit and that are valid now, one for each key: at least
/// one, at most eight.
pub(super) fn candidates(
    trust: &Trust,
    hints: &[Hint],
    now: Timestamp,
) -> Result<Vec<Certificate>, SecurityError> {
    let fitting = |certificate: &&Certificate| hints.iter().all(|hint| hint.fits(certificate));
    let mut candidates: Vec<Certificate> = Vec::new();
    let mut refusal = None;
    for certificate in trust.pinned_certificates().iter().filter(fitting) {
        let is_new = candidates.iter().all(|c| c.key() != certificate.key());
        match check_validity(certificate, trust.grace(), now) {
            Ok(()) if is_new => candidates.push(certificate.clone()),
            Ok(()) => {}
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    candidates.truncate(MAX_KEYS);
    match (candidates.is_empty(), refusal) {
        (false, _) => Ok(candidates),
        (true, Some(refusal)) => Err(refusal),
        (true, None) => Ok(vec![certified(trust, hints, now)?]),
    }
}

/// Refuses hints that fit another certificate.
pub(super) fn check_hints(hints: &[Hint], certificate: &Certificate) -> Result<(), SecurityError> {
    match hints.iter().find(|hint| !hint.fits(certificate)) {
        Some(misfit) => Err(SecurityError::ContradictoryKeyInfo {
            named_by: misfit.to_string(),
        }),
        None => Ok(()),
    }
}

/// The certificate that the message sends, if an authority stands for it.
fn certified(trust: &Trust, hints: &[Hint], now: Timestamp) -> Result<Certificate, SecurityError> {
    let sent = hints.iter().find_map(|hint| match hint {
        Hint::Certificates(certificates) => Some(certificates),
        _ => None,
    });
    let (Some(authorities), Some(sent)) = (trust.authorities(), sent) else {
        return Err(unknown(trust, hints));
    };
    let mut refusal = None;
    for der in sent {
        let misfit = match Certificate::from_der(der) {
            Ok(certificate) => match check_hints(hints, &certificate) {
                Err(misfit) => misfit,
                Ok(()) => {
                    let checked = authorities.check(&certificate, now);
                    checked.map_err(|reason| SecurityError::UntrustedChain {
                        fingerprint: certificate.fingerprint(),
                        reason,
                    })?;
                    return Ok(certificate);
                }
            },
            Err(error) => SecurityError::UnusableCertificate {
                reason: error.to_string(),
            },
        };
        refusal = refusal.or(Some(misfit));
    }
    Err(refusal.unwrap_or_else(|| unknown(trust, hints)))
}

fn check_validity(
    certificate: &Certificate,
    grace: Duration,
    now: Timestamp,
) -> Result<(), SecurityError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if now < not_before {
        return Err(SecurityError::SignerNotYetValid { not_before });
    }
    let last = not_after.checked_add(signed(grace));
    if now > last.unwrap_or(Timestamp::MAX) {
        return Err(SecurityError::SignerExpired { not_after });
    }
    Ok(())
}

/// The reason why no trusted certificate fits all hints.
fn unknown(trust: &Trust, hints: &[Hint]) -> SecurityError {
    let fits_one = |hint: &&Hint| trust.pinned_certificates().iter().any(|c| hint.fits(c));
    let known = hints.iter().find(fits_one);
    let misfit = hints.iter().find(|hint| !fits_one(hint)).or(hints.last());
    match (known, misfit) {
        (Some(_), Some(misfit)) => SecurityError::ContradictoryKeyInfo {
            named_by: misfit.to_string(),
        },
        (None, Some(Hint::Certificates(certificates))) => SecurityError::UntrustedSigner {
            fingerprint: certificates
                .first()
                .map_or_else(String::new, |c| fingerprint(c)),
        },
        (_, Some(misfit)) => SecurityError::UnknownSigner {
            named_by: misfit.to_string(),
        },
        (_, None) => SecurityError::UnknownSigner {
            named_by: "no KeyInfo".to_owned(),
        },
    }
}
