use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use jiff::SignedDuration;
use mpay_ledger::{
    domain::{
        AccountDetails, Iban, Localized, OrderKey, PaymentAccount, ServiceId, Text,
        check_state_identifier,
    },
    json::{AccountJson, FieldError, LocalizedJson},
};

use super::{
    open::{OpenJson, OpenService},
    reader::{IBAN_NEEDED, Reader},
};

/// The variables that the services are read from.
pub const SERVICES: [&str; 6] = [
    "bank_account",
    "bank_code",
    "bank_fiscal_code",
    "beneficiary_name",
    "service_ids",
    "services",
];

/// The services that are served, by their ids.
pub type Services = BTreeMap<ServiceId, Service>;

/// The variables of the account for all services.
const ACCOUNT: [&str; 4] = [
    "bank_account",
    "bank_code",
    "bank_fiscal_code",
    "beneficiary_name",
];

/// The members that may be named in an error: the provider's own words.
const MEMBERS: [&str; 29] = [
    "destination_account",
    "reason",
    "line_reason",
    "bank_account",
    "bank_code",
    "bank_fiscal_code",
    "beneficiary_name",
    "configuration_code",
    "open",
    "key",
    "pattern",
    "check_digit",
    "currency",
    "amount_due",
    "min_payment",
    "max_payment",
    "allow_partial_payments",
    "allow_advance_payments",
    "properties",
    "name",
    "display_name",
    "value",
    "type",
    "is_visible",
    "modifiable",
    "required",
    "order_source",
    "older_than",
    "last_known",
];

/// The defaults of the orders of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The account of lines that name none.
    pub account: Option<PaymentAccount>,
    /// The reason of an order.
    pub reason: Option<Localized<50>>,
    /// The reason of a line.
    pub line_reason: Option<Localized<50>>,
    /// The parts of which its orders are made, if nobody registers them.
    pub open: Option<OpenService>,
    /// The policy by which the institution's own system is asked for an order.
    pub source: Option<SourcePolicy>,
}

/// The policy by which the institution's own system is asked for an order of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcePolicy {
    /// Also for one that is registered, if it was asked for longer ago than this. `None` is never.
    pub older_than: Option<SignedDuration>,
    /// If the system does not answer, MPay is told of the order as it was known last.
    pub last_known: bool,
}

impl SourcePolicy {
    /// The name of the note of when an order was asked for last.
    pub fn note(service: &ServiceId, key: &OrderKey) -> String {
        format!("asked {service} {}", key.folded())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceJson {
    older_than: Option<u32>,
    #[serde(default)]
    last_known: bool,
}

/// The variable `services`, in the order of its text: a map would hide a service given twice.
#[derive(Default)]
struct ServicesJson(Vec<(String, ServiceJson)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceJson {
    destination_account: Option<AccountJson>,
    reason: Option<LocalizedJson>,
    line_reason: Option<LocalizedJson>,
    open: Option<OpenJson>,
    order_source: Option<SourceJson>,
}

impl<'de> Deserialize<'de> for ServicesJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Services;
        impl<'de> Visitor<'de> for Services {
            type Value = ServicesJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with an object for each ServiceID")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ServicesJson, A::Error> {
                let mut services = Vec::new();
                while let Some(service) = map.next_entry()? {
                    services.push(service);
                }
                Ok(ServicesJson(services))
            }
        }
        deserializer.deserialize_map(Services)
    }
}

/// The parser's error with only the place and known members, since it quotes what it reads.
fn in_own_words(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let cause = error.inner();
    if !cause.is_data() {
        return not_json(cause);
    }
    let mut detail = String::from("must be an object with an object for each ServiceID");
    let members = error.path().iter().filter_map(|segment| match segment {
        serde_path_to_error::Segment::Map { key } => {
            MEMBERS.into_iter().find(|member| member == key)
        }
        _ => None,
    });
    let members: Vec<_> = members.collect();
    if members.is_empty() {
        detail.push_str(", whose members may be destination_account, reason, line_reason, open and order_source");
    } else {
        detail.push_str(" as docs/configuration.md describes it; wrong in ");
        detail.push_str(&members.join("."));
    }
    let (line, column) = (cause.line(), cause.column());
    format!("{detail} (line {line}, column {column})")
}

fn not_json(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    format!("is not one JSON document: line {line}, column {column}")
}

impl Reader<'_> {
    /// The services of `service_ids`, or of `services`, which has more about each. If both are set they
    /// must name the same services.
    pub fn services(&mut self) -> Services {
        let default = self.default_account();
        let described = self.described_services(default.as_ref());
        if described.is_some() && self.variables.get("service_ids").is_none() {
            return described.unwrap_or_default();
        }
        let ids = self.service_ids();
        let Some(described) = described else {
            let of_default = |id| {
                let service = Service {
                    account: default.clone(),
                    ..Service::default()
                };
                (id, service)
            };
            return ids.into_iter().map(of_default).collect();
        };
        if !described.keys().all(|id| ids.contains(id)) {
            self.error(
                "services",
                "describes a service that service_ids does not list: empty service_ids, or list the same in both",
            );
        }
        for (place, id) in (1..).zip(&ids) {
            if !described.contains_key(id) {
                self.error(
                    "services",
                    format!("does not describe ServiceID {place} of service_ids: empty service_ids, or list the same in both"),
                );
            }
        }
        described
    }

    fn service_ids(&mut self) -> Vec<ServiceId> {
        let Some(value) = self.required(
            "service_ids",
            "the ServiceIDs that MPay gave you, separated by commas; or set services",
        ) else {
            return Vec::new();
        };
        let mut ids = Vec::new();
        for (place, text) in (1..).zip(value.split(',')) {
            match ServiceId::parse(text) {
                Ok(id) => ids.push(id),
                Err(error) => self.error("service_ids", format!("ServiceID {place} {error}")),
            }
        }
        ids
    }

    /// The services that the variable `services` describes; `None` where it is empty.
    fn described_services(
        &mut self,
        default: Option<&PaymentAccount>,
    ) -> Option<BTreeMap<ServiceId, Service>> {
        let text = self.variables.get("services")?;
        let mut services = BTreeMap::new();
        let mut document = serde_json::Deserializer::from_slice(text.as_bytes());
        let read = serde_path_to_error::deserialize(&mut document)
            .map_err(|error| in_own_words(&error))
            .and_then(|read: ServicesJson| match document.end() {
                Ok(()) if read.0.is_empty() => Err("describes no service".to_owned()),
                Ok(()) => Ok(read),
                Err(error) => Err(not_json(&error)),
            });
        let read = read.unwrap_or_else(|detail| {
            self.error("services", detail);
            ServicesJson::default()
        });
        for (place, (name, json)) in (1..).zip(read.0) {
            match ServiceId::parse(&name) {
                Ok(id) => {
                    let service = self.service(place, &id, json, default);
                    if services.insert(id, service).is_some() {
                        let again = format!("service {place} has the ServiceID of one before it");
                        self.error("services", again);
                    }
                }
                Err(error) => self.error("services", format!("ServiceID {place} {error}")),
            }
        }
        Some(services)
    }

    fn service(
        &mut self,
        place: usize,
        id: &ServiceId,
        json: ServiceJson,
        default: Option<&PaymentAccount>,
    ) -> Service {
        let reason = self.text(&format!("service {place}: reason"), json.reason);
        let line_reason = self.text(&format!("service {place}: line_reason"), json.line_reason);
        let service = Service {
            account: match json.destination_account {
                Some(own) => self.account(place, own, default),
                None => default.cloned(),
            },
            line_reason: line_reason.or_else(|| reason.clone()),
            reason,
            open: None,
            source: json.order_source.map(|json| SourcePolicy {
                older_than: json
                    .older_than
                    .map(|age| SignedDuration::from_secs(age.into())),
                last_known: json.last_known,
            }),
        };
        let open = json
            .open
            .and_then(|open| self.open(place, id, open, &service));
        Service { open, ..service }
    }

    /// The template of a service's orders, with its texts where it has none.
    fn open(
        &mut self,
        place: usize,
        id: &ServiceId,
        mut json: OpenJson,
        service: &Service,
    ) -> Option<OpenService> {
        let path = format!("service {place}: open");
        if service.account.is_none() && !self.is_wrong(&SERVICES) {
            self.error(
                "services",
                format!("{path} needs an account: give the service a destination_account, or set bank_account"),
            );
        }
        let texts = |text: &Option<Localized<50>>| text.as_ref().map(LocalizedJson::from);
        let own_line = json.line_reason.take().or_else(|| json.reason.clone());
        json.line_reason = own_line.or_else(|| texts(&service.line_reason));
        json.reason = json.reason.take().or_else(|| texts(&service.reason));
        let read = json.read(id);
        read.map_err(|errors| {
            let named = errors.into_iter().map(|error| FieldError {
                field: format!("{path}.{}", error.field),
                ..error
            });
            self.members("services", named.collect());
        })
        .ok()
    }

    fn text(&mut self, path: &str, json: Option<LocalizedJson>) -> Option<Localized<50>> {
        let text = json?.to_localized(path);
        text.map_err(|errors| self.members("services", errors)).ok()
    }

    /// The account of a service; members that it leaves out are those of the account for all.
    fn account(
        &mut self,
        place: usize,
        own: AccountJson,
        default: Option<&PaymentAccount>,
    ) -> Option<PaymentAccount> {
        if self.is_wrong(&ACCOUNT) {
            // The members left out are missing only because the account for all is wrong.
            return None;
        }
        let path = format!("service {place}: destination_account");
        if let Some(code) = &own.bank_fiscal_code {
            self.doubt_fiscal_code("services", &format!("{path}.bank_fiscal_code "), code);
        }
        let account = match default {
            Some(default) => own.or(default.into()),
            None => own,
        };
        let account = account.to_account(&path);
        account
            .map_err(|errors| self.members("services", errors))
            .ok()
    }

    fn default_account(&mut self) -> Option<PaymentAccount> {
        if ACCOUNT
            .iter()
            .all(|member| self.variables.get(member).is_none())
        {
            return None;
        }
        let iban = |text: &str| Iban::parse(text).map_err(|_| IBAN_NEEDED);
        let bank_account = self.account_member("bank_account", iban);
        let bank_code = self.account_member("bank_code", Text::parse);
        let bank_fiscal_code = self.account_member("bank_fiscal_code", Text::parse);
        let beneficiary_name = self.account_member("beneficiary_name", Text::parse);
        if let Some(code) = &bank_fiscal_code {
            self.doubt_fiscal_code("bank_fiscal_code", "", code.as_str());
        }
        Some(PaymentAccount::Whole(AccountDetails {
            bank_account: bank_account?,
            bank_code: bank_code?,
            bank_fiscal_code: bank_fiscal_code?,
            beneficiary_name: beneficiary_name?,
            configuration_code: None,
        }))
    }

    fn account_member<T, E: ToString>(
        &mut self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.required(
            variable,
            "a value, or leave bank_account, bank_code, bank_fiscal_code and beneficiary_name all empty",
        )?;
        parse(value)
            .map_err(|error| self.error(variable, error.to_string()))
            .ok()
    }

    fn doubt_fiscal_code(&mut self, variable: &'static str, path: &str, code: &str) {
        if let Err(doubt) = check_state_identifier(code.trim()) {
            self.warning(variable, format!("{path}{doubt}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpay_ledger::domain::Language;

    use crate::{
        app::Configuration,
        config::{ConfigError, Variables},
        testing::Plain,
    };

    fn read(variables: &Variables) -> Result<Plain, Vec<ConfigError>> {
        Plain::read(variables).map_err(|wrong| wrong.errors)
    }

    fn with(services: &str, service_ids: &str) -> Variables {
        let mut variables = Plain::variables();
        variables.set("service_ids", service_ids.to_owned());
        variables.set("services", services.to_owned());
        variables
    }

    fn errors(services: &str, service_ids: &str) -> Vec<String> {
        let wrong = read(&with(services, service_ids)).unwrap_err();
        wrong.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_service_has_its_own_account_and_texts_and_else_those_of_all() {
        let services = r#"{
            "TAX": {
                "destination_account": {"bank_account": "RO49AAAA1B31007593840000", "configuration_code": "C"},
                "reason": {"ro": "Taxă", "en": "Tax"}, "line_reason": "Taxă locală"
            },
            "SCHOOL": {"reason": "Studii"}, "LIBRARY": {}
        }"#;
        for ids in ["", "LIBRARY, TAX,SCHOOL"] {
            let config = read(&with(services, ids)).unwrap();
            let service = |id: &str| config.services.get(&ServiceId::parse(id).unwrap()).unwrap();
            let account = |id: &str| service(id).account.as_ref().unwrap();
            assert_eq!(
                account("TAX").bank_account().unwrap().as_str(),
                "RO49AAAA1B31007593840000"
            );
            assert_eq!(account("TAX").configuration_code().unwrap().as_str(), "C");
            assert_eq!(
                account("TAX").details().unwrap().bank_code.as_str(),
                "AGRNMD2X"
            );
            assert_eq!(
                account("SCHOOL").bank_account().unwrap().as_str(),
                "MD24AG000225100013104168"
            );
            let text = |text: &Option<Localized<50>>, language| {
                text.as_ref().map(|text| text.get(language).to_owned())
            };
            let tax = service("TAX");
            assert_eq!(text(&tax.reason, Language::English).as_deref(), Some("Tax"));
            assert_eq!(
                text(&tax.line_reason, Language::English).as_deref(),
                Some("Taxă locală")
            );
            let school = service("SCHOOL");
            assert_eq!(school.line_reason, school.reason);
            assert_eq!(service("LIBRARY").reason, None);
        }
    }

    #[test]
    fn a_mistake_in_the_description_of_services_names_its_member() {
        for (services, named) in [
            ("TAX", "is not one JSON document: line 1, column 1"),
            ("[]", "an object with an object for each ServiceID"),
            ("{}", "describes no service"),
            (r#"{"TAX": {}} {}"#, "is not one JSON document"),
            (r#"{"TAX": 1}"#, "(line 1, column 9)"),
            (r#"{"TAX": {"raeson": "x"}}"#, "(line 1, column 17)"),
            (r#"{"TAX": {"reason": 1}}"#, "wrong in reason (line 1"),
            (
                r#"{"TAX": {"reason": {"ru": "x"}}}"#,
                "wrong in reason (line 1",
            ),
            (
                r#"{"TAX": {"reason": {"ro": "x", "ru": " "}}}"#,
                "service 1: reason.ru must not be empty",
            ),
            (
                r#"{"TAX": {"line_reason": "012345678901234567890123456789012345678901234567890"}}"#,
                "service 1: line_reason has 51 characters",
            ),
            (
                r#"{"TAX": {"destination_account": {"bank_acount": ""}}}"#,
                "wrong in destination_account (line 1",
            ),
            (
                r#"{"TAX": {"destination_account": {"bank_account": "MD24AG000225100013104186"}}}"#,
                "service 1: destination_account.bank_account must be an IBAN",
            ),
            (
                r#"{"TAX": {}, " TAX ": {}}"#,
                "service 2 has the ServiceID of one before it",
            ),
            (r#"{"TAX": {}, "": {}}"#, "ServiceID 2 must not be empty"),
        ] {
            let errors = errors(services, "");
            assert_eq!(errors.len(), 1, "{services}: {errors:?}");
            assert!(errors[0].starts_with("variable services: "), "{errors:?}");
            assert!(errors[0].contains(named), "{services}: {errors:?}");
        }
    }

    #[test]
    fn a_service_without_registration_says_what_its_orders_are() {
        let services = r#"{"TAX": {"reason": "Taxă", "open": {
            "key": {"pattern": "AC-#{4}", "check_digit": "damm"},
            "amount_due": "50",
            "properties": [{"name": "Adresa", "display_name": "Adresa", "modifiable": true, "required": true}]
        }}, "GIFTS": {"open": {
            "key": {"pattern": "@{3}"}, "reason": {"ro": "Donație", "en": "Gift"}, "min_payment": "5"
        }}}"#;
        let config = read(&with(services, "")).unwrap();
        let order = |id: &str, key: &str| {
            let service = config.services.get(&ServiceId::parse(id).unwrap()).unwrap();
            let key = OrderKey::parse(key).unwrap();
            service.open.as_ref().unwrap().order(&key)
        };
        assert_eq!(order("TAX", "AC-5723"), None);
        let tax = order("TAX", "ас 5724")
            .is_none()
            .then(|| order("TAX", "ас-5724"));
        let tax = tax.flatten().unwrap();
        assert_eq!(tax.order_key.as_str(), "AC-5724");
        assert_eq!(tax.lines[0].reason.get(Language::English), "Taxă");
        assert_eq!(tax.total().unwrap().to_string(), "50.00");
        assert!(!tax.allow_partial_payments && !tax.allow_advance_payments);
        assert_eq!(tax.properties[0].required, Some(true));
        let gift = order("GIFTS", "abc").unwrap();
        assert_eq!(gift.lines[0].reason.get(Language::English), "Gift");
        assert_eq!((gift.total(), gift.min_payment.is_some()), (None, true));
        assert!(gift.allow_partial_payments && gift.allow_advance_payments);
    }

    #[test]
    fn what_is_wrong_with_a_template_is_named() {
        for (open, named) in [
            ("{}", "wrong in open"),
            (r#"{"key": {"pattern": 5}}"#, "wrong in open.key.pattern"),
            (
                r#"{"key": {"pattern": "{"}, "reason": "x"}"#,
                "service 1: open.key.pattern has braces",
            ),
            (
                r##"{"key": {"pattern": "#", "check_digit": "crc"}, "reason": "x"}"##,
                "service 1: open.key.check_digit must be one of damm, luhn, idno",
            ),
            (
                r##"{"key": {"pattern": "#"}, "reason": "x", "amount_due": "0"}"##,
                "service 1: open.amount_due must be more than zero",
            ),
            (
                r##"{"key": {"pattern": "#"}, "reason": "x", "amount_due": "5", "max_payment": "9"}"##,
                "service 1: open.min_payment is for an order",
            ),
            (
                r##"{"key": {"pattern": "#"}, "reason": "x", "properties": [{"name": "a"}]}"##,
                "service 1: open.properties[0].display_name is missing",
            ),
        ] {
            let errors = errors(&format!(r#"{{"TAX": {{"open": {open}}}}}"#), "");
            assert_eq!(errors.len(), 1, "{open}: {errors:?}");
            assert!(errors[0].contains(named), "{open}: {errors:?}");
        }
        let errors = errors(r##"{"TAX": {"open": {"key": {"pattern": "#"}}}}"##, "");
        assert_eq!(errors.len(), 2, "both texts: {errors:?}");
    }

    #[test]
    fn without_an_account_for_all_a_service_gives_the_whole_of_its_own() {
        let mut variables = with(
            r#"{"TAX": {"destination_account": {"bank_account": "MD24AG000225100013104168"}}, "SCHOOL": {}}"#,
            "",
        );
        for name in ACCOUNT {
            variables.set(name, String::new());
        }
        let wrong = read(&variables).unwrap_err();
        let errors: Vec<_> = wrong.iter().map(|e| e.detail.as_str()).collect();
        assert_eq!(
            errors,
            [
                "service 1: destination_account.bank_code is missing",
                "service 1: destination_account.bank_fiscal_code is missing",
                "service 1: destination_account.beneficiary_name is missing",
            ]
        );
        variables.set("bank_account", "MD24AG000225100013104186".to_owned());
        let wrong = read(&variables).unwrap_err();
        assert!(wrong.iter().all(|e| e.variable != "services"));
    }

    #[test]
    fn both_ways_to_name_the_services_must_agree() {
        let both = r#"{"TAX": {}, "SCHOOL": {}}"#;
        assert!(read(&with(both, "SCHOOL,TAX")).is_ok());
        for (ids, named) in [
            ("TAX", "describes a service that service_ids does not list"),
            (
                "TAX,SCHOOL,LIBRARY",
                "does not describe ServiceID 3 of service_ids",
            ),
        ] {
            let errors = errors(both, ids);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].contains(named), "{errors:?}");
        }
    }

    #[test]
    fn fiscal_codes_that_seem_mistyped_are_warned_of_once() {
        let services = r#"{"TAX": {"destination_account": {"bank_fiscal_code": "100"}}, "SCHOOL": {"destination_account": {}}}"#;
        let mut variables = with(services, "");
        variables.set("bank_fiscal_code", "1000000000008".to_owned());
        let config = read(&variables).unwrap();
        assert_eq!(
            config.warnings(jiff::Timestamp::UNIX_EPOCH),
            [
                "variable bank_fiscal_code: seems mistyped: its last digit does not fit the others",
                "variable services: service 1: destination_account.bank_fiscal_code is no IDNP or IDNO: these have 13 digits",
            ]
        );
    }
}
