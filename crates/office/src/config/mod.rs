//! The variables of the people's door, read into one [`Config`]. Each mistake becomes a clear line, which
//! contains no part of a value.

#[cfg(test)]
mod tests;

use jiff::SignedDuration;
use mpay_door::{
    App, Configuration,
    clients::{Networks, TRUSTED_PROXIES},
    config::{
        ConfigError, Environment, LOG_FORMAT, Misconfigured, PAUSED, Reader, Services, Variables,
    },
};
use mpay_ledger::{
    Ledger,
    domain::{ServiceId, WorkingDays},
};
use mpay_notify::{Notifier, OF_RECEIVERS, Remembered, Settings, Webhook, signed_to};
use wsse::Certificate;

use crate::{
    access::{ACCESS, Principals},
    cards::{self, Cards},
    pages::Pages,
};
pub use mpay_door::config::Service;

/// The variables of the order source. They have the form of a webhook's.
const ORDER_SOURCE: [&str; 3] = [
    "order_source_origin",
    "order_source_secret",
    "order_source_url",
];

/// The variables with certificates. Certificates are public: evidence shows them, and their expiry is
/// announced. No variable here holds a private key.
const CERTIFICATES: [&str; 3] = [
    "mpay_authorities",
    "mpay_certificates",
    "service_certificate",
];

/// The longest retention: a hundred years, in days.
const MAX_RETENTION: u32 = 36_500;

/// A deployment's configuration, as far as the people's door receives it.
#[derive(Debug)]
pub struct Config {
    /// The environment of this deployment.
    pub environment: Environment,
    services: Services,
    /// The principals who may call the order API. If there are none, the API is closed.
    pub principals: Principals,
    /// The proxies whose statement of the client's address is believed.
    pub proxies: Networks,
    /// The receivers of webhooks, and the events that each receives.
    pub notification: Settings,
    /// The settings of the pages; `None` if there are no pages.
    pub pages: Option<Pages>,
    /// The institution's own system as a source of orders; `None` if there is none.
    pub order_source: Option<Webhook>,
    /// The institution's own card gateway; `None` if there are no payments by card.
    pub cards: Option<Cards>,
    /// True if a card gateway is configured, even if a mistake makes it unusable.
    wants_cards: bool,
    /// Time after the end of an order for which its personal data is kept; `None` for ever.
    pub personal_data_retention: Option<SignedDuration>,
    /// The working days; `None` if a variable that changes them has a mistake.
    pub working_days: Option<WorkingDays>,
    /// The certificates of the institution and of MPay, each with its variable.
    certificates: Vec<(&'static str, Certificate)>,
    off: Vec<ConfigError>,
    doubts: Vec<ConfigError>,
}

impl Configuration for Config {
    mpay_door::variables! {
        required: [
            "bank_account",
            "bank_code",
            "bank_fiscal_code",
            "beneficiary_name",
            "environment",
            "service_ids",
            "services",
        ],
        optional: [
            ACCESS,
            "card_bank_account",
            "card_capture",
            "card_currency",
            "card_gateway",
            "card_interface",
            "card_languages",
            "card_password",
            "card_path",
            "card_refunds",
            "card_services",
            "card_session_minutes",
            "card_state_command",
            "card_template",
            "card_terminal",
            "card_terminals",
            "card_wallet_secret",
            "extra_holidays",
            "extra_working_days",
            "institution_logo",
            "institution_name",
            LOG_FORMAT,
            "max_silence",
            "mpay_authorities",
            "mpay_certificates",
            "mpay_url",
            "order_source_origin",
            "order_source_secret",
            "order_source_url",
            "page_color",
            "page_key",
            "page_note",
            PAUSED,
            "personal_data_retention",
            "public_url",
            "service_certificate",
            TRUSTED_PROXIES,
            "webhook_origin",
            "webhook_origin_2",
            "webhook_origin_3",
            "webhooks",
        ],
    }

    type Rest = ();
    type Memory = Remembered;

    fn read(variables: &Variables) -> Result<Self, Misconfigured<()>> {
        let mut reader = Reader::new(variables);
        let environment = reader.environment();
        let services = reader.services();
        let principals = Principals::read(&mut reader);
        let mut certificates = Vec::new();
        for variable in CERTIFICATES {
            if variables.get(variable).is_some() {
                let found = reader.certificates(variable, environment);
                certificates.extend(found.into_iter().flatten().map(|found| (variable, found)));
            }
        }
        let pages = Pages::read(&mut reader, environment);
        let notification = Settings {
            links: pages.as_ref().map(Pages::links),
            ..Settings::read(&mut reader, environment)
        };
        let order_source = signed_to(&mut reader, environment, &ORDER_SOURCE);
        let cards = Cards::read(&mut reader, environment);
        let wants_cards = cards::wanted(variables).is_some();
        let gateway = cards.as_ref().map(|cards| cards.gateway.clone());
        let pages = pages.map(|pages| Pages {
            card_gateway: gateway,
            ..pages
        });
        let retention = reader.number("personal_data_retention", 0, MAX_RETENTION, "days");
        let retention = SignedDuration::from_hours(24 * i64::from(retention));
        let working_days = working_days(&mut reader);
        reader.operation();
        let proxies = reader.trusted_proxies();
        if !reader.is_usable(Self::OPTIONAL) {
            return Err(Misconfigured {
                errors: reader.errors,
                rest: (),
            });
        }
        Ok(Self {
            environment,
            services,
            principals,
            proxies,
            notification,
            pages,
            order_source,
            cards,
            wants_cards,
            personal_data_retention: (!retention.is_zero()).then_some(retention),
            working_days,
            certificates,
            off: reader.errors,
            doubts: reader.doubts,
        })
    }

    fn environment(&self) -> Environment {
        self.environment
    }

    fn off(&self) -> &[ConfigError] {
        &self.off
    }

    fn doubts(&self) -> &[ConfigError] {
        &self.doubts
    }

    fn certificates(&self) -> Vec<(&'static str, &Certificate)> {
        let certificates = self.certificates.iter();
        certificates
            .map(|(variable, certificate)| (*variable, certificate))
            .collect()
    }
}

/// The working days and holidays by law, with the exceptions that two variables give.
fn working_days(reader: &mut Reader<'_>) -> Option<WorkingDays> {
    const VARIABLES: [&str; 2] = ["extra_holidays", "extra_working_days"];
    if VARIABLES
        .iter()
        .any(|name| reader.variables.is_unread(name))
    {
        return None;
    }
    let [free, worked] = VARIABLES.map(|name| reader.variables.get(name).unwrap_or_default());
    let days = WorkingDays::new(free, worked);
    let [free, worked] = VARIABLES;
    days.map_err(|wrong| reader.error(if wrong.is_worked { worked } else { free }, wrong))
        .ok()
}

impl Config {
    /// The variable whose mistake may have removed a receiver of webhooks; `None` if no mistake did.
    pub fn webhook_off(&self) -> Option<&'static str> {
        self.switched_off(&OF_RECEIVERS)
    }

    /// The variable whose mistake switches off payments by card; `None` if no mistake does.
    pub fn switched_off_cards(&self) -> Option<&'static str> {
        match self.cards {
            Some(_) => None,
            // Payments by card need an address to which payers can return.
            None if self.wants_cards => self
                .switched_off(&cards::VARIABLES)
                .or_else(|| self.switched_off(&["public_url"])),
            None => self.switched_off(&cards::VARIABLES),
        }
    }

    /// The services that this deployment serves, in the order of their ids.
    pub fn service_ids(&self) -> impl Iterator<Item = &ServiceId> {
        self.services.keys()
    }

    /// The service with this id; `None` if it is not served here.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.get(id)
    }

    /// The certificate with this fingerprint (SHA-256, in hexadecimal).
    pub fn certificate(&self, fingerprint: &str) -> Option<&Certificate> {
        let mut certificates = self.certificates.iter().map(|(_, certificate)| certificate);
        certificates.find(|certificate| certificate.fingerprint() == fingerprint)
    }

    /// The sender of messages to the institution; `None` if there are no receivers.
    pub fn notifier<'a, P: mpay_ledger::Platform>(
        &'a self,
        app: &'a App<Self>,
        store: &'a Ledger<P>,
    ) -> Option<Notifier<'a, P>> {
        let warnings = || self.warnings(store.now());
        self.notification.notifier(&app.memory, warnings, store)
    }
}
