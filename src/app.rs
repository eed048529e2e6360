//! What requests share: the configuration and what was derived from it.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
};

use jiff::Timestamp;

use crate::{
    clock::Clock,
    config::{Config, ConfigError, Misconfigured, Variables},
    health::Probe,
    store::SecretCell,
};

/// What an instance keeps between requests, as long as the variables stay the same.
#[derive(Debug)]
pub struct App {
    /// The configuration, or every mistake in it.
    pub config: Result<Config, Misconfigured>,
    /// Why variables that were read later are not in use; empty if these are the present ones.
    pub refused: RefCell<Vec<ConfigError>>,
    /// What has been seen of MPay's clock.
    pub clock: Clock,
    /// What `GET /health` has found out about the store.
    pub probe: Probe,
    /// Signed faults for callers who were not authenticated, by their text: such a caller costs
    /// no signature of his own. The texts are a fixed set, so this cannot grow without end.
    pub faults: RefCell<HashMap<String, (Timestamp, String)>>,
    /// The last call of MPay's that was noted.
    pub last_call: Cell<Option<Timestamp>>,
    /// Alerts that were sent, by their ids: a few a day.
    pub alerted: RefCell<HashSet<String>>,
    /// The store's secret, once it has been read.
    pub secret: SecretCell,
}

impl App {
    /// Reads the variables, and erases them; mistakes are kept to be told.
    pub fn new(variables: Variables) -> Self {
        Self {
            config: Config::read(&variables),
            refused: RefCell::default(),
            clock: Clock::default(),
            probe: Probe::default(),
            faults: RefCell::default(),
            last_call: Cell::default(),
            alerted: RefCell::default(),
            secret: SecretCell::default(),
        }
    }

    /// Whether somebody is to be notified of what happens.
    pub fn notifies(&self) -> bool {
        let config = self.config.as_ref();
        config.is_ok_and(|config| config.webhook.is_some())
    }
}
