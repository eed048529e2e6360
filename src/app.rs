//! What requests share: the configuration and what was derived from it.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
};

use jiff::Timestamp;

use crate::{
    config::{Config, Misconfigured, Variables},
    store::SecretCell,
};

/// What an instance keeps between requests, as long as the variables stay the same.
#[derive(Debug)]
pub struct App {
    variables: Variables,
    /// The configuration, or every mistake in it.
    pub config: Result<Config, Misconfigured>,
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
    /// Reads the variables; mistakes are kept to be told.
    pub fn new(variables: Variables) -> Self {
        let config = Config::read(&variables);
        Self {
            variables,
            config,
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

    /// Whether this was made of the same variables.
    pub fn is_of(&self, variables: &Variables) -> bool {
        self.variables == *variables
    }
}
