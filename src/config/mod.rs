//! The Spin variables, read into one [`Config`]. Every mistake in them is a clear line, which holds
//! no part of a value.

mod certificates;
mod environment;
mod error;
mod public_url;
mod reader;
mod services;
#[cfg(test)]
pub(crate) mod tests;
mod token;
mod variables;
mod warnings;
mod webhook;

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use wsse::{Policy, Signer};

use crate::{domain::ServiceId, notify::Webhook};
pub use certificates::DEVELOPMENT_CERTIFICATE;
pub use environment::Environment;
pub use error::{ConfigError, Misconfigured};
use reader::Reader;
pub use services::Service;
pub use token::{DEVELOPMENT_TOKEN, Token};
pub use variables::{OPTIONAL, Unread, VARIABLES, Variables, VariablesDigest};
use webhook::WEBHOOK;

/// What GetOrderDetails answers for an order that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownOrder {
    /// The fault `UnknownOrder`.
    Fault,
    /// An empty result.
    Empty,
}

/// A hundred years, in days.
const MAX_RETENTION: u32 = 36_500;

/// A deployment's configuration.
#[derive(Debug)]
pub struct Config {
    /// Where the deployment stands.
    pub environment: Environment,
    services: BTreeMap<ServiceId, Service>,
    /// The institution's key and certificate.
    pub signer: Signer,
    /// Whose messages are believed.
    pub policy: Policy,
    /// Tokens of the order API; without any of either kind it is closed.
    pub api_tokens: Vec<Token>,
    /// Tokens of the order API that may only read.
    pub api_read_tokens: Vec<Token>,
    /// What GetOrderDetails answers for an order that does not exist.
    pub unknown_order: UnknownOrder,
    /// Address of this provider for the WSDL.
    pub public_url: Option<String>,
    /// Where the institution is notified.
    pub webhook: Option<Webhook>,
    /// How long MPay may be silent until somebody is told; `None` for ever.
    pub max_silence: Option<Duration>,
    /// How long after an order was closed personal data is kept; `None` for ever.
    pub personal_data_retention: Option<SignedDuration>,
    /// Mistakes in [`OPTIONAL`] variables: what these are for is switched off.
    pub off: Vec<ConfigError>,
    doubts: Vec<ConfigError>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Every mistake in them, if MPay's calls could not be answered rightly because of one. What
    /// is [`OPTIONAL`] is switched off by its own mistakes only, see [`off`](Self::off).
    pub fn read(variables: &Variables) -> Result<Self, Misconfigured> {
        let mut reader = Reader {
            variables,
            errors: Vec::new(),
            doubts: Vec::new(),
        };
        reader.refuse_unread();
        let environment = reader.word(
            "environment",
            Environment::Production,
            &[
                ("production", Environment::Production),
                ("test", Environment::Test),
                ("development", Environment::Development),
            ],
        );
        let services = reader.services();
        let signer = reader.signer(environment);
        let trust = reader.trust(environment);
        let accept_sha1 = reader.word("accept_sha1", true, &[("true", true), ("false", false)]);
        let clock_skew = reader.seconds("clock_skew", 120, 600);
        let max_age = reader.seconds("max_message_age", 1800, 86_400);
        let mut api_tokens = reader.api_tokens("api_token", environment);
        let mut api_read_tokens = reader.api_tokens("api_read_token", environment);
        reader.refuse_shared_tokens();
        // A variable that was not understood admits nobody.
        if reader.is_wrong(&["api_token"]) {
            api_tokens.clear();
        }
        if reader.is_wrong(&["api_read_token"]) {
            api_read_tokens.clear();
        }
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
        let webhook = reader.webhook(environment);
        let max_silence = reader.seconds("max_silence", 0, 90 * 86_400);
        let retention = reader.number("personal_data_retention", 0, MAX_RETENTION, "days");
        let retention = SignedDuration::from_hours(24 * i64::from(retention));
        let essential = |error: &ConfigError| !OPTIONAL.contains(&error.variable);
        match (signer.map(Box::new), trust) {
            (Some(signer), Some(trust)) if !reader.errors.iter().any(essential) => Ok(Self {
                environment,
                services,
                signer: *signer,
                policy: Policy {
                    trust,
                    accept_sha1,
                    clock_skew,
                    max_age,
                },
                api_tokens,
                api_read_tokens,
                unknown_order,
                public_url,
                webhook,
                max_silence: (!max_silence.is_zero()).then_some(max_silence),
                personal_data_retention: (!retention.is_zero()).then_some(retention),
                off: reader.errors,
                doubts: reader.doubts,
            }),
            (signer, _) => Err(Misconfigured {
                errors: reader.errors,
                signer,
                public_url: wrong_url.map_or(Ok(public_url), Err),
            }),
        }
    }

    /// Which of these variables has a mistake, so that what they are for is switched off.
    pub fn switched_off(&self, variables: &[&str]) -> Option<&'static str> {
        let mut off = self.off.iter().map(|error| error.variable);
        off.find(|variable| variables.contains(variable))
    }

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
}
