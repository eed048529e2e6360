use std::time::Duration;

use mpay_door::config::testing::{
    MPAY, assert_mistakes_are_silent, mistakes, mistakes_name_their_variables,
    mistakes_switch_off_one_thing, no_mistake_repeats_a_value, variables,
    what_is_not_read_has_no_value,
};

use super::*;

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
    mistakes_name_their_variables::<Config>(&[
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
        ("bank_code", ""),
        ("bank_account", "MD24AG0002251000131041689"),
        ("bank_account", "MD24AG000225100013104186"),
        ("unknown_order", "null"),
        ("public_url", "pay.example.md"),
        ("public_url", "ftp://pay.example.md"),
        ("webhook_origin_2", "erp.example.md"),
        ("webhooks", "erp http://erp.example.md/"),
        ("max_silence", "a day"),
        ("paused", "yes"),
        ("allowed_addresses", "MPay"),
        ("allowed_addresses", ","),
        ("trusted_proxies", "10.0.0.0/33"),
        ("trusted_proxies", "0.0.0.0/0"),
        ("client_certificate_header", "X-Client-Verify"),
        ("client_certificate_header", "X-Client-Verify: SUCCESS"),
        ("log_format", "xml"),
    ]);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let mut variables = variables();
    variables.set("service_certificate", MPAY.to_owned());
    let errors = mistakes::<Config>(&variables);
    assert_eq!(errors[0].variable, "service_key");
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
}

#[test]
fn a_mistake_in_what_is_optional_switches_off_that_and_nothing_else() {
    const WEBHOOKS: &str = "\
        a https://a.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
        b https://b.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw orders
        c https://c.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw alerts";
    let whole = [
        ("max_silence", "3600"),
        ("page_key", "0123456789012345678901234567890123456789"),
        ("public_url", "https://pay.example.md/"),
        ("webhook_origin", "https://a.example.md"),
        ("webhook_origin_2", "https://b.example.md"),
        ("webhook_origin_3", "https://c.example.md"),
        ("webhooks", WEBHOOKS),
    ];
    mistakes_switch_off_one_thing(&whole, |config: &Config| {
        let things = [
            ("amount_validity", !config.amount_validity.is_zero()),
            ("max_silence", config.notification.max_silence.is_some()),
            (LOG_FORMAT, config.switched_off(&[LOG_FORMAT]).is_none()),
            (PAUSED, config.switched_off(&[PAUSED]).is_none()),
            // Without an address there are no links, whatever the key.
            (
                "page_key",
                config.notification.links.is_some() || config.public_url.is_none(),
            ),
            ("public_url", config.public_url.is_some()),
            ("webhook", config.notification.receivers.len() == 3),
        ];
        let on = things.into_iter().filter(|(_, is_on)| *is_on);
        on.map(|(name, _)| name).collect()
    });
}

#[test]
fn a_variable_that_could_not_be_read_is_not_its_default() {
    what_is_not_read_has_no_value::<Config>();
}

#[test]
fn no_mistake_repeats_any_part_of_a_value() {
    no_mistake_repeats_a_value::<Config>(&[
        ["services", "service_ids"],
        ["webhooks", "webhook_origin"],
        ["webhook_origin", "webhook_origin_2"],
        ["mpay_authorities", "mpay_signer_names"],
        ["mpay_certificates", "mpay_authorities"],
        ["service_key", "service_certificate"],
        ["bank_account", "services"],
        ["bank_fiscal_code", "services"],
        ["bank_code", "beneficiary_name"],
    ]);
    // A name is read only beside authorities that are right.
    const ROOT: &str = include_str!("../../crates/wsse/tests/data/chain/root.pem");
    let mut variables = variables();
    variables.set("mpay_authorities", ROOT.to_owned());
    variables.set("mpay_signer_names", "1003600000001\nZQXJ=VKWY\n".to_owned());
    assert_mistakes_are_silent::<Config>(&variables, "a wrong name");
    let named = mistakes::<Config>(&variables);
    assert!(named[0].detail.starts_with("name 2 "), "{named:?}");
}

#[test]
fn certificates_are_warned_of_thirty_days_before_they_expire() {
    let config = Config::read(&variables()).unwrap();
    let end = config.signer.certificate().not_after();
    let day = jiff::SignedDuration::from_hours(24);
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

#[test]
fn keys_and_certificates_are_read_as_people_have_them() {
    macro_rules! field {
        ($name:literal) => {
            include_str!(concat!("../../crates/wsse/tests/data/field/", $name))
        };
    }
    const BOTH: &str = field!("both.pem");
    let read = |certificate: &str, key: &str| {
        let mut variables = variables();
        variables.set("service_certificate", certificate.to_owned());
        variables.set("service_key", key.to_owned());
        variables.set("mpay_certificates", certificate.to_owned());
        let config = Config::read(&variables).unwrap();
        let warnings = config.warnings("2026-11-28T00:00:00Z".parse().unwrap());
        (config.signer.certificate().common_name(), warnings)
    };
    let (key, _) = BOTH.split_once("-----BEGIN PRIVATE").unwrap();
    let key = BOTH.strip_prefix(key).unwrap();
    let one_line = key.replace('\n', "\\n");
    for certificate in [
        field!("bag.pem"),
        field!("bom.pem"),
        field!("backslash-n.pem"),
        field!("bare-base64.cer"),
        field!("negative-serial.pem"),
    ] {
        for key in [key, BOTH, &one_line] {
            let (name, warnings) = read(certificate, key);
            assert_eq!(name.as_deref(), Some("MPay Field"));
            assert_eq!(warnings, [""; 0], "{certificate}");
        }
    }
    // It works, but the people's door is given the key with it.
    let (name, warnings) = read(BOTH, key);
    assert_eq!(name.as_deref(), Some("MPay Field"));
    let said = |variable| {
        format!(
            "variable {variable}: has a private key beside its certificates: leave the certificates there alone"
        )
    };
    assert_eq!(
        warnings,
        [said("service_certificate"), said("mpay_certificates")]
    );
}
