//! The embedded host: serves the component of a `spin.toml` on a bare machine, as `spin up` would.
//!
//! It reads the same manifest and variables, gives the component the same interfaces and request
//! headers, and keeps keys in the same table of the same file, so that the two hosts can be swapped
//! over one application. Where Spin is known to be weak for this product it differs: one request at
//! a time in an instance unless it is told otherwise, `TCP_NODELAY`, counters that cannot crash the
//! host, and limits on memory, time and concurrency.
//!
//! ```no_run
//! # async fn run() -> anyhow::Result<()> {
//! use mpay::host::{Options, Server};
//!
//! let server = Server::start(Options::new("spin.toml")).await?;
//! println!("serving {}", server.url());
//! server.stop().await
//! # }
//! ```

mod bindings;
mod connections;
mod guest;
mod key_value;
mod log;
mod manifest;
mod outbound;
mod refusal;
mod request;
mod routes;
mod server;
mod template;
mod variables;

pub use guest::FuelMeter;
pub use key_value::{
    Call, Database, Error as KeyValueError, Fault, Loss, Manner, Observer, Operation,
};
pub use log::Log;
pub use manifest::{Component, Error as ManifestError, Manifest, Variable, VariableName};
pub use outbound::AllowedHosts;
pub use routes::{Match, Route, Router};
pub use server::{Limits, Options, Server};
pub use template::Template;
pub use variables::{Error as VariablesError, LookupError, Variables, parse_argument};
