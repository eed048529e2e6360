use jiff::{SignedDuration, Timestamp};
use wsse::Certificate;

/// A line for each certificate of a variable that has expired or will within 30 days.
pub fn expiring<'a>(
    certificates: impl Iterator<Item = (&'static str, &'a Certificate)>,
    now: Timestamp,
) -> impl Iterator<Item = String> {
    const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);
    certificates
        .filter(move |(_, certificate)| certificate.not_after().duration_since(now) < NOTICE)
        .map(move |(variable, certificate)| {
            // Not its subject: anybody may read this.
            let fingerprint = certificate.fingerprint();
            let not_after = certificate.not_after();
            let expires = if not_after < now {
                "expired"
            } else {
                "expires"
            };
            format!(
                "variable {variable}: the certificate with the SHA-256 {fingerprint} {expires} at {not_after}"
            )
        })
}
