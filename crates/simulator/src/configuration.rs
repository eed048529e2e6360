//! How a host is configured.

use mpay_provider::config::Variables;

const KEY: &str = include_str!("../../wsse/tests/data/service.key.pem");
const CERTIFICATE: &str = include_str!("../../wsse/tests/data/service.pem");
/// MPay's certificate.
pub const MPAY: &str = include_str!("../../wsse/tests/data/mpay.pem");
/// MPay's key.
pub const MPAY_KEY: &str = include_str!("../../wsse/tests/data/mpay.key.pem");

/// The services of every configuration.
pub const SERVICES: [&str; 2] = ["TAX", "SCHOOL"];
/// The token of a first person or program.
pub const TOKEN: &str = "0123456789012345678901234567890123456789";
/// That of a second person.
pub const OTHER_TOKEN: &str = "9876543210987654321098765432109876543210";

/// A configuration: both are valid, and an institution changes from the first to the second, on one
/// host after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Configuration {
    /// Before.
    First,
    /// After: another account, and one service more.
    Second,
}

impl Configuration {
    /// The variables that say so.
    pub fn variables(self) -> Variables {
        let (services, account) = match self {
            Self::First => ("TAX, SCHOOL", "MD24AG000225100013104168"),
            Self::Second => ("TAX, SCHOOL, FINES", "MD29EX000000000000000001"),
        };
        let tokens = format!("{TOKEN}, {OTHER_TOKEN}");
        let mut variables = Variables::default();
        for (name, value) in [
            ("environment", "test"),
            ("service_ids", services),
            ("service_key", KEY),
            ("service_certificate", CERTIFICATE),
            ("mpay_certificates", MPAY),
            ("api_token", tokens.as_str()),
            ("bank_account", account),
            ("bank_code", "AGRNMD2X"),
            ("bank_fiscal_code", "1000000000007"),
            ("beneficiary_name", "Primăria Exemplu"),
            ("webhook_url", "https://erp.example.md/hook"),
            ("webhook_origin", "https://erp.example.md"),
            (
                "webhook_secret",
                "whsec_c2ltdWxhdGlvbnNpbXVsYXRpb25zaW11bGF0aW9u",
            ),
        ] {
            variables.set(name, value.to_owned());
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use mpay_provider::config::Config;

    use super::*;

    #[test]
    fn both_are_valid() {
        for configuration in [Configuration::First, Configuration::Second] {
            let read = Config::read(&configuration.variables());
            let errors = read.err().map(|wrong| format!("{:?}", wrong.errors));
            assert_eq!(errors, None, "{configuration:?}");
        }
    }
}
