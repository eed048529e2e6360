//! Variables of a provider, for tests.

use super::Variables;

/// The institution's certificate.
pub const CERTIFICATE: &str = include_str!("../../../wsse/tests/data/service.pem");
/// Its key.
pub const KEY: &str = include_str!("../../../wsse/tests/data/service.key.pem");
/// MPay's certificate.
pub const MPAY: &str = include_str!("../../../wsse/tests/data/mpay.pem");

/// What both doors are given, and each of them by itself.
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

/// Checks that what is said of variables repeats no part of [`secrets`].
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
