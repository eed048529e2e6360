use mpay_door::config::testing::{
    MPAY, mistakes_name_their_variables, mistakes_switch_off_one_thing, no_mistake_repeats_a_value,
    variables, what_is_not_read_has_no_value,
};

use super::*;
use crate::pages::settings::Institution;

#[test]
fn every_mistake_names_its_variable() {
    mistakes_name_their_variables::<Config>(&[
        ("environment", "staging"),
        ("service_ids", ""),
        ("service_certificate", "nonsense"),
        ("mpay_certificates", "nonsense"),
        ("mpay_authorities", "nonsense"),
        ("access", "short"),
        ("bank_code", ""),
        ("webhook_origin_2", "erp.example.md"),
        ("webhooks", "erp http://erp.example.md/"),
        ("max_silence", "a day"),
        ("paused", "yes"),
        ("trusted_proxies", "10.0.0"),
        ("log_format", "xml"),
        ("personal_data_retention", "-1"),
        ("personal_data_retention", "36501"),
        ("page_key", "short"),
        ("page_color", "blue"),
        ("institution_logo", "PHN2Zz4="),
        ("page_note", "{\"en\": 1}"),
        ("mpay_url", "mpay"),
    ]);
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
    const WEBHOOKS: &str = "\
        a https://a.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
        b https://b.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw orders
        c https://c.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw alerts";
    let whole = [
        ("card_gateway", "https://gateway.example.md"),
        ("card_interface", "wallet"),
        ("card_terminal", "Merchant"),
        ("card_password", "p"),
        ("card_wallet_secret", "0123456789abcdef0123456789abcdef"),
        ("institution_logo", "iVBORw0KGgo="),
        ("institution_name", "Muzeul"),
        ("max_silence", "3600"),
        ("mpay_authorities", MPAY),
        ("page_color", "#0b57a4"),
        ("page_key", "0123456789012345678901234567890123456789"),
        ("page_note", "Sunați la 022 000 000"),
        ("public_url", "https://pay.example.md/"),
        ("order_source_origin", "https://bills.example.md"),
        ("order_source_secret", SECRET),
        ("order_source_url", "https://bills.example.md/ask"),
        ("personal_data_retention", "30"),
        ("trusted_proxies", "10.0.0.0/8"),
        ("webhook_origin", "https://a.example.md"),
        ("webhook_origin_2", "https://b.example.md"),
        ("webhook_origin_3", "https://c.example.md"),
        ("webhooks", WEBHOOKS),
    ];
    mistakes_switch_off_one_thing(&whole, |config: &Config| {
        let shows = |what: fn(&Institution) -> bool| {
            let pages = config.pages.as_ref();
            pages.is_none_or(|pages| what(&pages.institution))
        };
        let things = [
            ("page_key|public_url|mpay_url", config.pages.is_some()),
            // Without an address to return to, there are neither pages nor payments by card.
            (
                "card_",
                config.cards.is_some() || config.switched_off_cards() == Some("public_url"),
            ),
            ("institution_logo", shows(|own| own.logo.is_some())),
            (
                "institution_name",
                shows(|own| {
                    own.name
                        .as_ref()
                        .is_some_and(|name| name.ro.as_str() == "Muzeul")
                }),
            ),
            ("page_color", shows(|own| own.color.is_some())),
            ("page_note", shows(|own| own.note.is_some())),
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
            (TRUSTED_PROXIES, !config.proxies.is_empty()),
            (LOG_FORMAT, config.switched_off(&[LOG_FORMAT]).is_none()),
            (PAUSED, config.switched_off(&[PAUSED]).is_none()),
            ("extra", config.working_days.is_some()),
            ("order_source", config.order_source.is_some()),
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
        ["access", "service_ids"],
        ["mpay_certificates", "mpay_authorities"],
        ["bank_account", "services"],
        ["bank_fiscal_code", "services"],
        ["bank_code", "beneficiary_name"],
    ]);
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
