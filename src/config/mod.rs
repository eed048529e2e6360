//! The variables of MPay's door, read into one [`Config`]. Every mistake in them is a clear line,
//! which holds no part of a value.

mod certificates;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use mpay_door::{
    App, Configuration,
    clients::{ALLOWED_ADDRESSES, CLIENT_CERTIFICATE_HEADER, Gate, TRUSTED_PROXIES},
    config::{
        ConfigError, Environment, LOG_FORMAT, Misconfigured, PAUSED, Reader, Services, Variables,
    },
    pages::{PayLinks, keys::PAGE_KEY},
};
use mpay_ledger::{Ledger, domain::ServiceId};
use mpay_notify::{Notifier, Remembered, Settings};
use wsse::{Certificate, Policy, Signer};

pub use mpay_door::config::Service;

/// The answer of GetOrderDetails for an order that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownOrder {
    /// The fault `UnknownOrder`.
    Fault,
    /// An empty result.
    Empty,
}

/// A deployment's configuration, as far as MPay's door is given it.
#[derive(Debug)]
pub struct Config {
    /// The environment of the deployment.
    pub environment: Environment,
    services: Services,
    /// The institution's key and certificate.
    pub signer: Signer,
    /// The gate that lets callers in.
    pub gate: Gate,
    /// The policy that decides which messages are believed.
    pub policy: Policy,
    /// The answer of GetOrderDetails for an order that does not exist.
    pub unknown_order: UnknownOrder,
    /// The time for which MPay may go on showing an amount.
    pub amount_validity: Duration,
    /// Address of this provider for the WSDL.
    pub public_url: Option<String>,
    /// The receivers of webhooks, each with its events.
    pub notification: Settings,
    off: Vec<ConfigError>,
    doubts: Vec<ConfigError>,
}

/// The part that is of use although other variables are wrong.
#[derive(Debug)]
pub struct Rest {
    /// The institution's key and certificate if they are right, so that answers are signed all the same.
    pub signer: Option<Box<Signer>>,
    /// The address for the WSDL, or the variable that keeps it from being known.
    pub public_url: Result<Option<String>, &'static str>,
}

/// The memory of an instance of this door.
#[derive(Debug, Default)]
pub struct Memory {
    /// Signed faults for callers who were not authenticated, by their text, so that such a caller costs
    /// no signature of their own. The texts are a fixed set, so this cannot grow without bound.
    pub faults: RefCell<HashMap<String, (Timestamp, String)>>,
    /// The memory of notification.
    pub remembered: Remembered,
}

impl Configuration for Config {
    mpay_door::variables! {
        required: [
            "accept_sha1",
            ALLOWED_ADDRESSES,
            "bank_account",
            "bank_code",
            "bank_fiscal_code",
            "beneficiary_name",
            CLIENT_CERTIFICATE_HEADER,
            "clock_skew",
            "environment",
            "expired_signer_grace",
            "max_message_age",
            "mpay_authorities",
            "mpay_certificates",
            "mpay_signer_names",
            "service_certificate",
            "service_ids",
            "service_key",
            "services",
            TRUSTED_PROXIES,
            "unknown_order",
        ],
        optional: [
            "amount_validity",
            LOG_FORMAT,
            "max_silence",
            PAGE_KEY,
            PAUSED,
            "public_url",
            "webhook_origin",
            "webhook_origin_2",
            "webhook_origin_3",
            "webhooks",
        ],
    }

    type Rest = Rest;
    type Memory = Memory;

    fn read(variables: &Variables) -> Result<Self, Misconfigured<Rest>> {
        let mut reader = Reader::new(variables);
        let environment = reader.environment();
        let services = reader.services();
        let signer = certificates::signer(&mut reader, environment);
        let trust = certificates::trust(&mut reader, environment);
        let gate = reader.gate();
        let accept_sha1 = reader.word("accept_sha1", true, &[("true", true), ("false", false)]);
        let clock_skew = reader.seconds("clock_skew", 120, 600);
        let max_age = reader.seconds("max_message_age", 1800, 86_400);
        let amount_validity = match reader.seconds("amount_validity", 3600, 86_400) {
            // Then only the amounts at the time of payment count.
            _ if reader.is_wrong(&["amount_validity"]) => Duration::ZERO,
            validity => validity,
        };
        let unknown_order = reader.word(
            "unknown_order",
            UnknownOrder::Fault,
            &[
                ("fault", UnknownOrder::Fault),
                ("empty", UnknownOrder::Empty),
            ],
        );
        let public_url = reader.public_url();
        let wrong_url = reader.is_wrong(&["public_url"]).then_some("public_url");
        let notification = Settings {
            links: PayLinks::read(&mut reader, environment),
            ..Settings::read(&mut reader, environment)
        };
        reader.operation();
        match (signer.map(Box::new), trust) {
            (Some(signer), Some(trust)) if reader.is_usable(Self::OPTIONAL) => Ok(Self {
                environment,
                services,
                signer: *signer,
                gate,
                policy: Policy {
                    trust,
                    accept_sha1,
                    clock_skew,
                    max_age,
                },
                unknown_order,
                amount_validity,
                public_url,
                notification,
                off: reader.errors,
                doubts: reader.doubts,
            }),
            (signer, _) => Err(Misconfigured {
                errors: reader.errors,
                rest: Rest {
                    signer,
                    public_url: wrong_url.map_or(Ok(public_url), Err),
                },
            }),
        }
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
        let own = ("service_certificate", self.signer.certificate());
        let trusted = self.policy.trust.certificates();
        let trusted = trusted.map(|trusted| ("mpay_certificates or mpay_authorities", trusted));
        std::iter::once(own).chain(trusted).collect()
    }
}

impl Config {
    /// The services that are served, in the order of their ids.
    pub fn service_ids(&self) -> impl Iterator<Item = &ServiceId> {
        self.services.keys()
    }

    /// The service of this id; `None` if it is not served here.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.get(id)
    }

    /// The notifier of the institution; `None` if there is no receiver.
    pub fn notifier<'a, P: mpay_ledger::Platform>(
        &'a self,
        app: &'a App<Self>,
        store: &'a Ledger<P>,
    ) -> Option<Notifier<'a, P>> {
        let warnings = || self.warnings(store.now());
        self.notification
            .notifier(&app.memory.remembered, warnings, store)
    }
}
