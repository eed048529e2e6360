use std::time::Duration;

use super::*;

const KEY: &str = include_str!("../../crates/wsse/tests/data/service.key.pem");
const CERTIFICATE: &str = include_str!("../../crates/wsse/tests/data/service.pem");
const MPAY: &str = include_str!("../../crates/wsse/tests/data/mpay.pem");

pub(crate) fn variables() -> Variables {
    let mut variables = Variables::default();
    for (name, value) in [
        ("environment", "test"),
        ("service_ids", "TAX, SCHOOL"),
        ("service_key", KEY),
        ("service_certificate", CERTIFICATE),
        ("mpay_certificates", MPAY),
        ("api_token", "0123456789012345678901234567890123456789"),
        ("bank_account", "MD24AG000225100013104168"),
        ("bank_code", "AGRNMD2X"),
        ("bank_fiscal_code", "1000000000007"),
        ("beneficiary_name", "Primăria"),
    ] {
        variables.set(name, value.to_owned());
    }
    variables
}

fn errors(name: &'static str, value: &str) -> Vec<ConfigError> {
    let mut variables = variables();
    variables.set(name, value.to_owned());
    Config::read(&variables)
        .err()
        .map(|wrong| wrong.errors)
        .unwrap_or_default()
}

#[test]
fn defaults_are_the_safe_ones() {
    let mut variables = variables();
    variables.set("environment", String::new());
    let config = Config::read(&variables).unwrap();
    assert_eq!(config.environment, Environment::Production);
    assert_eq!(config.unknown_order, UnknownOrder::Fault);
    assert_eq!(config.policy.clock_skew, Duration::from_secs(120));
    assert_eq!(config.policy.max_age, Duration::from_secs(1800));
    assert_eq!(config.services.len(), 2);
}

#[test]
fn every_mistake_names_its_variable() {
    for (name, value) in [
        ("environment", "staging"),
        ("service_ids", ""),
        ("service_ids", "TAX,,SCHOOL"),
        ("service_key", ""),
        (
            "service_key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        ),
        ("service_certificate", "nonsense"),
        ("mpay_certificates", ""),
        ("mpay_certificates", "nonsense"),
        ("accept_sha1", "yes"),
        ("clock_skew", "-1"),
        ("max_message_age", "999999"),
        ("expired_signer_grace", "9999999"),
        ("mpay_authorities", "nonsense"),
        ("mpay_signer_names", "1003600000001"),
        ("api_token", "short"),
        ("api_token", "development-only-0123456789012345"),
        ("api_read_token", "short"),
        ("api_read_token", "0123456789012345678901234567890123456789"),
        ("bank_code", ""),
        ("bank_account", "MD24AG0002251000131041689"),
        ("bank_account", "MD24AG000225100013104186"),
        ("unknown_order", "null"),
        ("public_url", "pay.example.md"),
        ("public_url", "ftp://pay.example.md"),
        ("webhook_url", "http://erp.example.md/"),
        ("max_silence", "a day"),
        ("personal_data_retention", "-1"),
        ("personal_data_retention", "36501"),
    ] {
        let errors = errors(name, value);
        assert_eq!(errors.len(), 1, "{name}={value:?}: {errors:?}");
        assert_eq!(errors[0].variable, name);
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let errors = errors("service_certificate", MPAY);
    assert_eq!(errors[0].variable, "service_key");
}

#[test]
fn without_a_token_the_api_is_closed() {
    let mut variables = variables();
    variables.set("api_token", " , ".to_owned());
    assert!(Config::read(&variables).unwrap().api_tokens.is_empty());
}

#[test]
fn authorities_need_the_names_of_signers() {
    const ROOT: &str = include_str!("../../crates/wsse/tests/data/chain/root.pem");
    const ISSUING: &str = include_str!("../../crates/wsse/tests/data/chain/issuing.pem");
    let errors = |authorities: &str, names: &str| {
        let mut variables = variables();
        variables.set("mpay_certificates", String::new());
        variables.set("mpay_authorities", authorities.to_owned());
        variables.set("mpay_signer_names", names.to_owned());
        let errors = Config::read(&variables).err().map(|wrong| wrong.errors);
        let errors = errors.unwrap_or_default().into_iter();
        errors.map(|error| error.variable).collect::<Vec<_>>()
    };
    let both = format!("{ROOT}{ISSUING}");
    assert!(errors(&both, "1003600000001").is_empty());
    assert!(errors(&both, "1003600000001\nCN=mpay.example, C=MD\n").is_empty());
    assert_eq!(errors(&both, ""), ["mpay_signer_names"]);
    assert_eq!(errors(&both, "XX=1"), ["mpay_signer_names"]);
    assert_eq!(errors(ISSUING, "1003600000001"), ["mpay_authorities"]);
    assert_eq!(errors(MPAY, "1003600000001"), ["mpay_authorities"]);
    assert_eq!(errors("", "1003600000001"), ["mpay_certificates"]);
}

#[test]
fn secrets_do_not_show() {
    let config = Config::read(&variables()).unwrap();
    let shown = format!("{config:?} {:?}", variables());
    assert!(!shown.contains("0123456789"), "{shown}");
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    assert!(config.api_tokens[0].matches("0123456789012345678901234567890123456789"));
    assert!(!config.api_tokens[0].matches("012345678901234567890123456789012345678"));
}
