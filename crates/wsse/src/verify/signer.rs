//! Who may have signed: the trusted certificates that a message names.

use jiff::Timestamp;

use super::SecurityError;
use super::key_info::Hint;
use crate::certificate::{Certificate, fingerprint};
use crate::policy::Trust;

/// How many keys are tried on one signature. Several are when a message without `KeyInfo` names
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
    for certificate in trust.certificates().iter().filter(fitting) {
        let is_new = candidates.iter().all(|c| c.key() != certificate.key());
        match check_validity(certificate, now) {
            Ok(()) if is_new => candidates.push(certificate.clone()),
            Ok(()) => {}
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    candidates.truncate(MAX_KEYS);
    if candidates.is_empty() {
        return Err(refusal.unwrap_or_else(|| unknown(trust, hints)));
    }
    Ok(candidates)
}

fn check_validity(certificate: &Certificate, now: Timestamp) -> Result<(), SecurityError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if now < not_before {
        return Err(SecurityError::SignerNotYetValid { not_before });
    }
    if now > not_after {
        return Err(SecurityError::SignerExpired { not_after });
    }
    Ok(())
}

/// Why no trusted certificate fits all hints.
fn unknown(trust: &Trust, hints: &[Hint]) -> SecurityError {
    let fits_one = |hint: &&Hint| trust.certificates().iter().any(|c| hint.fits(c));
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
