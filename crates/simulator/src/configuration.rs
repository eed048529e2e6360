//! How a host is configured.

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
    /// The text of a variable; empty for one that is not set.
    pub fn text(self, name: &str) -> String {
        let (services, account) = match self {
            Self::First => ("TAX, SCHOOL", "MD24AG000225100013104168"),
            Self::Second => ("TAX, SCHOOL, FINES", "MD29EX000000000000000001"),
        };
        let text = match name {
            "environment" => "test",
            "service_ids" => services,
            "service_key" => KEY,
            "service_certificate" => CERTIFICATE,
            "mpay_certificates" => MPAY,
            "api_token" => return format!("{TOKEN}, {OTHER_TOKEN}"),
            "bank_account" => account,
            "bank_code" => "AGRNMD2X",
            "bank_fiscal_code" => "1000000000007",
            "beneficiary_name" => "Primăria Exemplu",
            "webhook_url" => "https://erp.example.md/hook",
            "webhook_origin" => "https://erp.example.md",
            "webhook_secret" => "whsec_c2ltdWxhdGlvbnNpbXVsYXRpb25zaW11bGF0aW9u",
            _ => "",
        };
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use mpay_provider::config::{Config, VARIABLES, Variables};

    use super::*;

    #[test]
    fn both_are_valid() {
        for configuration in [Configuration::First, Configuration::Second] {
            let mut variables = Variables::default();
            for name in VARIABLES {
                variables.set(name, configuration.text(name));
            }
            let config = Config::read(&variables).expect("valid");
            assert!(config.off.is_empty(), "{configuration:?}");
        }
    }
}
