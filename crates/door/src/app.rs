//! The state that requests share: the configuration and the values derived from it.

use std::{
    cell::{Cell, RefCell},
    fmt::Debug,
};

use jiff::Timestamp;
use mpay_ledger::SecretCell;
use wsse::Certificate;

use crate::{
    clock::Clock,
    config::{ConfigError, Environment, Misconfigured, Variables, expiring, is_paused, log_format},
    log::Format,
    probe::Probe,
};

/// The names of a door's variables, in its [`Configuration`]: each is named once.
#[macro_export]
macro_rules! variables {
    (required: [$($required:expr),* $(,)?], optional: [$($optional:expr),* $(,)?] $(,)?) => {
        const VARIABLES: &'static [&'static str] = &[$($required,)* $($optional),*];
        const OPTIONAL: &'static [&'static str] = &[$($optional),*];
    };
}

/// A door's configuration, with its variables and memory.
pub trait Configuration: Debug + Sized + 'static {
    /// The names of its variables. The manifest gives each of them to the component.
    const VARIABLES: &'static [&'static str];

    /// The variables among these without which calls can be answered. A mistake in one of them switches
    /// off its function, and nothing else.
    const OPTIONAL: &'static [&'static str];

    /// The part that is still of use where the variables are wrong.
    type Rest: Debug;

    /// The memory of an instance beside it, as long as the variables stay the same.
    type Memory: Debug + Default;

    /// Reads the variables.
    ///
    /// # Errors
    /// All mistakes, if one of them keeps calls from being answered rightly. Optional functions are
    /// switched off by their own mistakes only, see [`off`](Self::off).
    fn read(variables: &Variables) -> Result<Self, Misconfigured<Self::Rest>>;

    /// The environment of the deployment.
    fn environment(&self) -> Environment;

    /// Mistakes in optional variables, whose functions are switched off.
    fn off(&self) -> &[ConfigError];

    /// Values that seem mistyped, or are more than they should be.
    fn doubts(&self) -> &[ConfigError];

    /// The certificates, each with the variables that it may be of.
    fn certificates(&self) -> Vec<(&'static str, &Certificate)>;

    /// A line for each value that seems mistyped, or will be wrong soon.
    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let doubts = self.doubts().iter().map(ToString::to_string);
        doubts
            .chain(expiring(self.certificates().into_iter(), now))
            .collect()
    }

    /// The variable among these whose mistake switches off their function; `None` if none has one.
    fn switched_off(&self, variables: &[&str]) -> Option<&'static str> {
        let mut off = self.off().iter().map(|error| error.variable);
        off.find(|variable| variables.contains(variable))
    }
}

/// The state that an instance keeps between requests, as long as the variables stay the same.
#[derive(Debug)]
pub struct App<C: Configuration> {
    /// The configuration, or every mistake in it.
    pub config: Result<C, Misconfigured<C::Rest>>,
    /// The mistakes for which variables that were read later are not in use; empty if these are the present ones.
    pub refused: RefCell<Vec<ConfigError>>,
    /// True if everything is answered "later", by the variables as they were read last: also where
    /// these are not in use, since a stop must not wait until something else is mended.
    pub paused: Cell<bool>,
    /// The form in which the log is written.
    pub log_format: Format,
    /// The observations of MPay's clock.
    pub clock: Clock,
    /// The findings of the last look at the store's health.
    pub probe: Probe,
    /// The store's secret, once it has been read.
    pub secret: SecretCell,
    /// The memory of this door.
    pub memory: C::Memory,
}

impl<C: Configuration> App<C> {
    /// Reads the variables, and erases them; mistakes are kept to be told.
    pub fn new(variables: Variables) -> Self {
        Self {
            config: C::read(&variables),
            log_format: log_format(&variables),
            paused: Cell::new(is_paused(&variables).unwrap_or(true)),
            refused: RefCell::default(),
            clock: Clock::default(),
            probe: Probe::default(),
            secret: SecretCell::default(),
            memory: C::Memory::default(),
        }
    }
}
