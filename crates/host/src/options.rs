//! The options of a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::dotenv::Environment;
use super::guest::FuelMeter;
use super::key_value::{Manner, Observer};
use super::limits::Limits;
use super::log::Log;
use super::refusal::{Refusals, as_text};
use super::store::Store;

/// The options of a server.
#[derive(Clone)]
pub struct Options {
    /// The `spin.toml`.
    pub manifest: PathBuf,
    /// The folder of the application's data; by default `.spin` beside the manifest.
    pub state_dir: Option<PathBuf>,
    /// The place of the key-value store.
    pub store: Store,
    /// The address to listen at; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Values of variables, before those of the environment.
    pub variables: Vec<(String, String)>,
    /// The environment; by default the process's own.
    pub environment: Environment,
    /// A folder with other files to serve instead of those of the manifest, by their names.
    pub components: Option<PathBuf>,
    /// The log to which the component's output and the host's notices go.
    pub log: Log,
    /// The answers that the host gives by itself, where the component does not.
    pub refusals: Refusals,
    /// Sees, and may spoil, the calls to the store.
    pub observer: Option<Observer>,
    /// The store of Spin's that the component is to meet: for tests.
    pub store_manner: Manner,
    /// A function that is told the fuel of an instance when it ends, for tests. Counting takes time.
    pub fuel_meter: Option<FuelMeter>,
    /// Bounds on memory, time and concurrency.
    pub limits: Limits,
}

impl Options {
    /// Serves a manifest on 127.0.0.1:3000, as Spin would.
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            state_dir: None,
            store: Store::default(),
            listen: (Ipv4Addr::LOCALHOST, 3000).into(),
            variables: Vec::new(),
            environment: Environment::default(),
            components: None,
            log: Log::stderr(),
            refusals: as_text,
            observer: None,
            store_manner: Manner::default(),
            fuel_meter: None,
            limits: Limits::default(),
        }
    }
}
