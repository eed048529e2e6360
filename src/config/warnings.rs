use jiff::{SignedDuration, Timestamp};

use super::Config;

impl Config {
    /// A line for each value that seems mistyped, and for each configured certificate that has
    /// expired or will within 30 days.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);
        let own = ("service_certificate", self.signer.certificate());
        let trusted = self.policy.trust.certificates();
        let certificates = std::iter::once(own)
            .chain(
                trusted.map(|certificate| ("mpay_certificates or mpay_authorities", certificate)),
            )
            .filter(|(_, certificate)| certificate.not_after().duration_since(now) < NOTICE)
            .map(|(variable, certificate)| {
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
            });
        let doubts = self.doubts.iter().map(ToString::to_string);
        doubts.chain(certificates).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::variables;

    #[test]
    fn certificates_are_warned_of_thirty_days_before_they_expire() {
        let config = Config::read(&variables()).unwrap();
        let end = config.signer.certificate().not_after();
        let day = SignedDuration::from_hours(24);
        assert_eq!(config.warnings(end - day * 31), [""; 0]);
        let soon = config.warnings(end - day * 29);
        assert!(
            soon[0].starts_with("variable service_certificate: "),
            "{soon:?}"
        );
        assert!(soon[0].contains(" expires at "), "{soon:?}");
        let late = config.warnings(end + day);
        assert!(
            late.iter().all(|line| line.contains(" expired at ")),
            "{late:?}"
        );
        assert_eq!(late.len(), 2, "its own and MPay's");
    }
}
