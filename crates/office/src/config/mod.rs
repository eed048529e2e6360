//! The variables of the people's door, read into one [`Config`]. Every mistake in them is a clear
//! line, which holds no part of a value.

#[cfg(test)]
mod tests;
mod token;

use jiff::{SignedDuration, Timestamp};
use mpay_door::{
    App, Configuration,
    config::{ConfigError, Environment, Misconfigured, Reader, Services, Variables, expiring},
};
use mpay_ledger::{Ledger, domain::ServiceId};
use mpay_notify::{Notifier, Remembered, Settings, WEBHOOK};
use wsse::Certificate;

pub use mpay_door::config::Service;
pub use token::{DEVELOPMENT_TOKEN, Token};

/// Of the variables those that the API can do without. A mistake in one of them switches off what it
/// is for, and nothing else.
pub const OPTIONAL: [&str; 10] = [
    "api_read_token",
    "api_token",
    "max_silence",
    "mpay_authorities",
    "mpay_certificates",
    "personal_data_retention",
    "service_certificate",
    "webhook_origin",
    "webhook_secret",
    "webhook_url",
];

/// The variables of certificates. They are public: evidence shows them, and people are told before
/// they expire. The key to any of them is never here.
const CERTIFICATES: [&str; 3] = [
    "mpay_authorities",
    "mpay_certificates",
    "service_certificate",
];

/// A hundred years, in days.
const MAX_RETENTION: u32 = 36_500;

/// A deployment's configuration, as far as the people's door is given it.
#[derive(Debug)]
pub struct Config {
    /// Where the deployment stands.
    pub environment: Environment,
    services: Services,
    /// Tokens of the order API; without any of either kind it is closed.
    pub api_tokens: Vec<Token>,
    /// Tokens of the order API that may only read.
    pub api_read_tokens: Vec<Token>,
    /// Who is told, and of what.
    pub notification: Settings,
    /// How long after an order was closed personal data is kept; `None` for ever.
    pub personal_data_retention: Option<SignedDuration>,
    /// The certificates of the institution and of MPay, each with its variable.
    certificates: Vec<(&'static str, Certificate)>,
    off: Vec<ConfigError>,
    doubts: Vec<ConfigError>,
}

impl Configuration for Config {
    const VARIABLES: &'static [&'static str] = &[
        "api_read_token",
        "api_token",
        "bank_account",
        "bank_code",
        "bank_fiscal_code",
        "beneficiary_name",
        "environment",
        "max_silence",
        "mpay_authorities",
        "mpay_certificates",
        "personal_data_retention",
        "service_certificate",
        "service_ids",
        "services",
        "webhook_origin",
        "webhook_secret",
        "webhook_url",
    ];

    type Rest = ();
    type Memory = Remembered;

    fn read(variables: &Variables) -> Result<Self, Misconfigured<()>> {
        let mut reader = Reader::new(variables);
        let environment = reader.environment();
        let services = reader.services();
        let mut api_tokens = Token::list(&mut reader, "api_token", environment);
        let mut api_read_tokens = Token::list(&mut reader, "api_read_token", environment);
        Token::refuse_shared(&mut reader);
        // A variable that was not understood admits nobody.
        if reader.is_wrong(&["api_token"]) {
            api_tokens.clear();
        }
        if reader.is_wrong(&["api_read_token"]) {
            api_read_tokens.clear();
        }
        let mut certificates = Vec::new();
        for variable in CERTIFICATES {
            if variables.get(variable).is_some() {
                let found = reader.certificates(variable, environment);
                certificates.extend(found.into_iter().flatten().map(|found| (variable, found)));
            }
        }
        let notification = Settings::read(&mut reader, environment);
        let retention = reader.number("personal_data_retention", 0, MAX_RETENTION, "days");
        let retention = SignedDuration::from_hours(24 * i64::from(retention));
        if !reader.is_usable(&OPTIONAL) {
            return Err(Misconfigured {
                errors: reader.errors,
                rest: (),
            });
        }
        Ok(Self {
            environment,
            services,
            api_tokens,
            api_read_tokens,
            notification,
            personal_data_retention: (!retention.is_zero()).then_some(retention),
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

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let doubts = self.doubts.iter().map(ToString::to_string);
        let certificates = self.certificates.iter();
        let certificates = certificates.map(|(variable, certificate)| (*variable, certificate));
        doubts.chain(expiring(certificates, now)).collect()
    }
}

impl Config {
    /// The variable for whose mistake nobody is notified.
    pub fn webhook_off(&self) -> Option<&'static str> {
        self.switched_off(&WEBHOOK)
    }

    /// The services that are served, in the order of their ids.
    pub fn service_ids(&self) -> impl Iterator<Item = &ServiceId> {
        self.services.keys()
    }

    /// The service of this id; `None` if it is not served here.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.get(id)
    }

    /// The certificate of this fingerprint.
    pub fn certificate(&self, fingerprint: &str) -> Option<&Certificate> {
        let mut certificates = self.certificates.iter().map(|(_, certificate)| certificate);
        certificates.find(|certificate| certificate.fingerprint() == fingerprint)
    }

    /// Who tells the institution; `None` where nobody is to be told.
    pub fn notifier<'a, P: mpay_ledger::Platform>(
        &'a self,
        app: &'a App<Self>,
        store: &'a Ledger<P>,
    ) -> Option<Notifier<'a, P>> {
        Some(Notifier {
            webhook: self.notification.webhook.as_ref()?,
            settings: &self.notification,
            remembered: &app.memory,
            warnings: self.warnings(store.now()),
            store,
        })
    }
}
