//! The configurations of a host.

use mpay_office::access::{Principal, Role};

const KEY: &str = include_str!("../../wsse/tests/data/service.key.pem");
const CERTIFICATE: &str = include_str!("../../wsse/tests/data/service.pem");
/// MPay's certificate.
pub const MPAY: &str = include_str!("../../wsse/tests/data/mpay.pem");
/// MPay's key.
pub const MPAY_KEY: &str = include_str!("../../wsse/tests/data/mpay.key.pem");

const WEBHOOKS: &str = "\
    erp https://erp.example.md/hook whsec_c2ltdWxhdGlvbnNpbXVsYXRpb25zaW11bGF0aW9u
    archive https://archive.example.md/hook whsec_c2ltdWxhdGlvbnNpbXVsYXRpb25zaW11bGF0aW9u \
    orders,payments,refusals,settlements,reviews";

/// The services of every configuration.
pub const SERVICES: [&str; 2] = ["TAX", "SCHOOL"];
/// A service of every configuration whose orders nobody registers.
pub const OPEN: &str = "TOLL";
/// The amount of each of its orders, in bani.
pub const TOLL: i64 = 3000;
/// The template of its orders.
const TEMPLATE: &str = r##"{"open": {
    "key": {"pattern": "T-#{1,6}-"}, "reason": "Reason 0", "amount_due": "30.00",
    "allow_partial_payments": true, "allow_advance_payments": true
}}"##;
/// The token of a first principal.
pub const TOKEN: &str = "0123456789012345678901234567890123456789";
/// The token of a second one.
pub const OTHER_TOKEN: &str = "9876543210987654321098765432109876543210";

/// The configuration of a host. Both are valid; an institution changes from the first to the second, on
/// one host after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Configuration {
    /// The configuration before the change.
    First,
    /// The configuration after it, with other accounts and one more service.
    Second,
}

/// The account that an order is paid to: account, bank, fiscal code and name.
pub type Account = [&'static str; 4];

impl Configuration {
    /// The account of the orders of a service. One service has its own.
    pub fn account(self, service: &str) -> Account {
        match (self, service) {
            (Self::First, "SCHOOL") => [
                "MD02EX000000000000000002",
                "AGRNMD2X",
                "1000000000007",
                "School",
            ],
            (Self::First, _) => [
                "MD24AG000225100013104168",
                "AGRNMD2X",
                "1000000000007",
                "Primăria Exemplu",
            ],
            (Self::Second, "SCHOOL") => [
                "MD72EX000000000000000003",
                "TREZMD2X",
                "1000000000007",
                "School",
            ],
            (Self::Second, _) => [
                "MD29EX000000000000000001",
                "TREZMD2X",
                "1000000000007",
                "Direcția Finanțe",
            ],
        }
    }

    /// The text of a variable; empty for one that is not set.
    pub fn text(self, name: &str) -> String {
        let [account, bank, fiscal_code, beneficiary] = self.account("");
        let [of_school, .., school] = self.account("SCHOOL");
        let more = match self {
            Self::First => [", ", ""],
            Self::Second => [", FINES, ", r#", "FINES": {}"#],
        };
        let text = match name {
            "environment" => "test",
            "accept_sha1" => "false",
            "service_ids" => return ["TAX", more[0], "SCHOOL, TOLL"].concat(),
            "services" => {
                return format!(
                    r#"{{"TAX": {{}}{}, "TOLL": {TEMPLATE}, "SCHOOL": {{"destination_account": {{"bank_account": "{of_school}", "beneficiary_name": "{school}"}}}}}}"#,
                    more[1]
                );
            }
            "service_key" => KEY,
            "service_certificate" => CERTIFICATE,
            "mpay_certificates" => MPAY,
            "access" => {
                return [manager("First", TOKEN), manager("Second", OTHER_TOKEN)].join("; ");
            }
            "bank_account" => account,
            "bank_code" => bank,
            "bank_fiscal_code" => fiscal_code,
            "beneficiary_name" => beneficiary,
            "webhooks" => WEBHOOKS,
            "webhook_origin" => "https://erp.example.md",
            "webhook_origin_2" => "https://archive.example.md",
            _ => "",
        };
        text.to_owned()
    }
}

fn manager(name: &str, token: &str) -> String {
    let principal = Principal::new(name, Role::Manager).expect("a name");
    principal.entry(token)
}

#[cfg(test)]
mod tests {
    use mpay_door::{Configuration as _, config::Variables};

    use super::*;

    #[test]
    fn both_are_valid() {
        for configuration in [Configuration::First, Configuration::Second] {
            let mut variables = Variables::default();
            let provider = mpay_provider::config::Config::VARIABLES;
            let office = mpay_office::config::Config::VARIABLES;
            for &name in provider.iter().chain(office) {
                variables.set(name, configuration.text(name));
            }
            let provider = mpay_provider::config::Config::read(&variables).expect("valid");
            let office = mpay_office::config::Config::read(&variables).expect("valid");
            assert!(
                provider.off().is_empty() && office.off().is_empty(),
                "{configuration:?}"
            );
        }
    }
}
