use mpay_door::config::{
    Unread,
    testing::{MPAY, assert_silent, secrets, variables},
};

use super::*;

fn errors(name: &'static str, value: &str) -> Vec<ConfigError> {
    let mut variables = variables();
    variables.set(name, value.to_owned());
    mistakes(&variables)
}

/// The mistakes in variables, whether they are refused or switch something off.
fn mistakes(variables: &Variables) -> Vec<ConfigError> {
    match Config::read(variables) {
        Ok(config) => config.off,
        Err(wrong) => wrong.errors,
    }
}

#[test]
fn every_mistake_names_its_variable() {
    for (name, value) in [
        ("environment", "staging"),
        ("service_ids", ""),
        ("service_certificate", "nonsense"),
        ("mpay_certificates", "nonsense"),
        ("mpay_authorities", "nonsense"),
        ("access", "short"),
        ("bank_code", ""),
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
fn without_a_principal_the_api_is_closed() {
    let mut variables = variables();
    variables.set("access", " ; \n".to_owned());
    assert!(Config::read(&variables).unwrap().principals.is_empty());
}

#[test]
fn secrets_do_not_show() {
    let config = Config::read(&variables()).unwrap();
    let shown = format!("{config:?} {:?}", variables());
    assert!(
        !shown.contains("tester") && !shown.contains("fb526cd4"),
        "{shown}"
    );
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}

#[test]
fn a_mistake_in_what_is_optional_switches_off_that_and_nothing_else() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let whole = || {
        let mut variables = variables();
        for (name, value) in [
            ("max_silence", "3600"),
            ("mpay_authorities", MPAY),
            ("personal_data_retention", "30"),
            ("webhook_origin", "https://erp.example.md"),
            ("webhook_secret", SECRET),
            ("webhook_url", "https://erp.example.md/hook"),
        ] {
            variables.set(name, value.to_owned());
        }
        variables
    };
    let on = |config: &Config| {
        let mut on = Vec::new();
        for (name, there) in [
            ("access", !config.principals.is_empty()),
            ("max_silence", config.notification.max_silence.is_some()),
            (
                "personal_data_retention",
                config.personal_data_retention.is_some(),
            ),
            (
                "service_certificate",
                config
                    .certificates
                    .iter()
                    .any(|(name, _)| *name == "service_certificate"),
            ),
            (
                "mpay_certificates",
                config
                    .certificates
                    .iter()
                    .any(|(name, _)| *name == "mpay_certificates"),
            ),
            (
                "mpay_authorities",
                config
                    .certificates
                    .iter()
                    .any(|(name, _)| *name == "mpay_authorities"),
            ),
            ("working_days", config.working_days.is_some()),
            ("webhook", config.notification.webhook.is_some()),
        ] {
            if there {
                on.push(name);
            }
        }
        on
    };
    assert_eq!(on(&Config::read(&whole()).unwrap()).len(), 8);
    for name in OPTIONAL {
        let feature = match name {
            "extra_holidays" | "extra_working_days" => "working_days",
            name if name.starts_with("webhook") => "webhook",
            name => name,
        };
        let mut wrong = whole();
        wrong.set(name, "\u{1}wrong".to_owned());
        let mut unread = whole();
        unread.set_unread(name, Unread::Failed("busy".into()));
        for variables in [wrong, unread] {
            let config = Config::read(&variables).unwrap();
            let left = on(&config);
            assert_eq!(left.len(), 7, "{name}: {left:?}");
            assert!(!left.contains(&feature), "{name}: {left:?}");
            let named: Vec<_> = config.off().iter().map(|error| error.variable).collect();
            assert_eq!(named, [name]);
            assert_eq!(config.switched_off(&[name]), Some(name));
        }
    }
}

#[test]
fn a_variable_that_could_not_be_read_is_not_its_default() {
    for &name in Config::VARIABLES {
        let mut variables = variables();
        variables.set(name, String::new());
        variables.set_unread(name, Unread::Undefined);
        let errors = mistakes(&variables);
        assert_eq!(errors.len(), 1, "{name}: {errors:?}");
        assert_eq!(errors[0].variable, name);
        assert!(errors[0].detail.contains("not given to the component"));
        assert_eq!(
            Config::read(&variables).is_ok(),
            OPTIONAL.contains(&name),
            "{name}"
        );
    }
}

#[test]
fn no_mistake_repeats_any_part_of_a_value() {
    let secrets = secrets();
    let check = |variables: &Variables, what: &str| {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let text = match Config::read(variables) {
            Ok(config) => format!(
                "{:?} {:?} {}",
                config.off(),
                config
                    .off()
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>(),
                config.warnings(now).join("\n"),
            ),
            Err(wrong) => format!("{:?} {wrong:?}", wrong.errors),
        };
        assert_silent(&text, what);
    };
    for &name in Config::VARIABLES {
        for secret in &secrets {
            let mut variables = variables();
            variables.set(name, secret.clone());
            check(&variables, &format!("{name} = {secret}"));
        }
    }
    // What is said of one variable may quote another.
    for pair in [
        ["services", "service_ids"],
        ["webhook_url", "webhook_origin"],
        ["webhook_url", "webhook_secret"],
        ["webhook_origin", "webhook_secret"],
        ["access", "service_ids"],
        ["mpay_certificates", "mpay_authorities"],
        ["bank_account", "services"],
        ["bank_fiscal_code", "services"],
        ["bank_code", "beneficiary_name"],
    ] {
        for first in &secrets {
            for second in &secrets {
                let mut variables = variables();
                variables.set(pair[0], first.clone());
                variables.set(pair[1], second.clone());
                check(&variables, &format!("{pair:?}"));
            }
        }
    }
}

#[test]
fn a_private_key_beside_a_certificate_is_warned_of() {
    let mut variables = variables();
    let both = include_str!("../../../wsse/tests/data/field/both.pem");
    variables.set("service_certificate", both.to_owned());
    let config = Config::read(&variables).unwrap();
    let warnings = config.warnings(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(
        warnings,
        [
            "variable service_certificate: has a private key beside its certificates: leave the certificates there alone"
        ]
    );
}
