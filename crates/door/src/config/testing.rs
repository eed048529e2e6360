//! Variables of a provider, and what holds for each door's configuration, for tests.

use std::fmt::Debug;

use jiff::Timestamp;

use super::{ConfigError, Unread, Variables};
use crate::Configuration;

/// The institution's certificate.
pub const CERTIFICATE: &str = include_str!("../../../wsse/tests/data/service.pem");
/// Its key.
pub const KEY: &str = include_str!("../../../wsse/tests/data/service.key.pem");
/// MPay's certificate.
pub const MPAY: &str = include_str!("../../../wsse/tests/data/mpay.pem");

/// The variables that both doors are given, and each of them by itself.
pub fn variables() -> Variables {
    let mut variables = Variables::default();
    for (name, value) in [
        ("environment", "test"),
        ("service_ids", "TAX, SCHOOL"),
        ("service_key", KEY),
        ("service_certificate", CERTIFICATE),
        ("mpay_certificates", MPAY),
        // The token is 0123456789012345678901234567890123456789.
        (
            "access",
            "tester manager fb526cd4ad0ec978c1a9e78f7c0728711139978424d618eb228be59e21188970",
        ),
        ("bank_account", "MD24AG000225100013104168"),
        ("bank_code", "AGRNMD2X"),
        ("bank_fiscal_code", "1000000000007"),
        ("beneficiary_name", "Primăria"),
    ] {
        variables.set(name, value.to_owned());
    }
    variables
}

/// Texts that somebody may put into a wrong variable, with parts that would be found again.
pub fn secrets() -> Vec<String> {
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nZQXJVKWYZQXJVKWY\nQZJXVKWYQZJXVKWY\n-----END RSA PRIVATE KEY-----";
    let certificate =
        "-----BEGIN CERTIFICATE-----\nZQXJVKWYZQXJVKWY\n-----END CERTIFICATE-----".to_owned();
    // DER that begins right, so that its parser reads on and has something to quote.
    let der = CERTIFICATE.replacen("MII", "MIIZQXJ", 1);
    vec![
        pem.to_owned(),
        certificate,
        der,
        "ZQXJVKWY-zqxjvkwy-0987612345-ZQXJVKWY".to_owned(),
        "ZQXJVKWY,ZQXJVKWY".to_owned(),
        "ZQ56 ZQXJ VKWY".to_owned(),
        "MD24ZQXJVKWY".to_owned(),
        "whsec_ZQXJVKWYZQXJVKWY".to_owned(),
        "https://ZQXJ:VKWY@zqxjvkwy.md:99999/#ZQXJVKWY".to_owned(),
        "https://zqxjvkwy.md/ZQXJVKWY".to_owned(),
        "ZQXJ=VKWY, CN=ZQXJVKWY".to_owned(),
        "987612345".to_owned(),
        r#"{"ZQXJ": "VKWY"}"#.to_owned(),
        r#"{"ZQXJ": {"VKWY": 1}}"#.to_owned(),
        r#"{"ZQXJ": {"reason": {"VKWY": 1}}}"#.to_owned(),
        r#"{"ZQXJ": {"reason": "ZQXJVKWY ZQXJVKWY ZQXJVKWY ZQXJVKWY ZQXJVKWY ZQXJVKWY"}}"#.to_owned(),
        r#"{"ZQXJ": {"destination_account": {"bank_account": "MD24ZQXJVKWY", "bank_fiscal_code": "987612345"}}}"#.to_owned(),
        r#"{"ZQXJ\u0001VKWY": {}, "": {"destination_account": {"bank_account": "ZQ"}}}"#.to_owned(),
    ]
}

/// Checks that a text about variables repeats no part of [`secrets`].
///
/// # Panics
/// If it does.
#[track_caller]
pub fn assert_silent(text: &str, what: &str) {
    let folded = text.to_lowercase();
    for part in ["zqxj", "vkwy", "98761", "begin rsa", "zq", "iban of"] {
        assert!(!folded.contains(part), "{what}: {part}: {text}");
    }
}

/// The mistakes in variables: those that are refused, and those that switch something off.
pub fn mistakes<C: Configuration>(variables: &Variables) -> Vec<ConfigError> {
    match C::read(variables) {
        Ok(config) => config.off().to_vec(),
        Err(wrong) => wrong.errors,
    }
}

/// Each of these values is one mistake, of the variable that it is given to.
pub fn mistakes_name_their_variables<C: Configuration>(wrong: &[(&'static str, &str)]) {
    for (name, value) in wrong {
        let mut variables = variables();
        variables.set(name, (*value).to_owned());
        let errors = mistakes::<C>(&variables);
        assert_eq!(errors.len(), 1, "{name}={value:?}: {errors:?}");
        assert_eq!(errors[0].variable, *name);
    }
}

/// Checks that a mistake in one of the optional variables switches off one of the functions that `whole`
/// switches on: the one that `on` names by the variable, by the beginning of its name, or by several
/// names with `|` between.
pub fn mistakes_switch_off_one_thing<C: Configuration>(
    whole: &[(&'static str, &str)],
    on: impl Fn(&C) -> Vec<&'static str>,
) {
    let whole = || {
        let mut variables = variables();
        for (name, value) in whole {
            variables.set(name, (*value).to_owned());
        }
        variables
    };
    let all = on(&C::read(&whole()).ok().unwrap());
    for &name in C::OPTIONAL {
        let mut wrong = whole();
        wrong.set(name, "\u{1}wrong".to_owned());
        let mut unread = whole();
        unread.set_unread(name, Unread::Failed("busy".into()));
        for variables in [wrong, unread] {
            let config = C::read(&variables).ok().unwrap();
            let left = on(&config);
            let gone: Vec<_> = all.iter().filter(|thing| !left.contains(thing)).collect();
            assert!(
                matches!(gone.as_slice(), [thing] if thing.split('|').any(|of| name.starts_with(of))),
                "{name}: {gone:?}"
            );
            let named: Vec<_> = config.off().iter().map(|error| error.variable).collect();
            assert_eq!(named, [name]);
            assert_eq!(config.switched_off(&[name]), Some(name));
        }
    }
}

/// A variable that could not be read is a mistake, and not its default.
pub fn what_is_not_read_has_no_value<C: Configuration>() {
    for &name in C::VARIABLES {
        let mut variables = variables();
        variables.set(name, String::new());
        variables.set_unread(name, Unread::Undefined);
        let errors = mistakes::<C>(&variables);
        assert_eq!(errors.len(), 1, "{name}: {errors:?}");
        assert_eq!(errors[0].variable, name);
        assert!(errors[0].detail.contains("not given to the component"));
        assert_eq!(
            C::read(&variables).is_ok(),
            C::OPTIONAL.contains(&name),
            "{name}"
        );
    }
}

/// Checks that messages about variables hold no part of a value that may be secret: with each of
/// [`secrets`] in each variable, and with two variables of which a message about one may quote the other.
pub fn no_mistake_repeats_a_value<C: Configuration<Rest: Debug>>(pairs: &[[&'static str; 2]]) {
    let secrets = secrets();
    for &name in C::VARIABLES {
        for secret in &secrets {
            let mut variables = variables();
            variables.set(name, secret.clone());
            assert_mistakes_are_silent::<C>(&variables, &format!("{name} = {secret}"));
        }
    }
    for pair in pairs {
        for first in &secrets {
            for second in &secrets {
                let mut variables = variables();
                variables.set(pair[0], first.clone());
                variables.set(pair[1], second.clone());
                assert_mistakes_are_silent::<C>(&variables, &format!("{pair:?}"));
            }
        }
    }
}

/// Checks the messages about these variables.
pub fn assert_mistakes_are_silent<C: Configuration<Rest: Debug>>(
    variables: &Variables,
    what: &str,
) {
    let text = match C::read(variables) {
        Ok(config) => {
            let told = config.off().iter().map(ToString::to_string);
            let told = told.chain(config.warnings(Timestamp::UNIX_EPOCH));
            format!("{:?} {:?}", config.off(), told.collect::<Vec<_>>())
        }
        Err(wrong) => format!("{:?} {wrong:?}", wrong.errors),
    };
    assert_silent(&text, what);
}
