//! The embedded host serves the components of a `spin.toml` on a bare machine, as `spin up` would. It
//! knows nothing of their purpose.
//!
//! It reads the same manifest and variables, gives the component the same interfaces and request
//! headers, and keeps keys in the same table of the same file, so that the two hosts can be swapped
//! over one application. Where Spin is known to be weak for this product it differs: one request at
//! a time in an instance unless it is told otherwise, `TCP_NODELAY`, counters that cannot crash the
//! host, and limits on memory, time and concurrency.
//!
//! ```no_run
//! # async fn run() -> anyhow::Result<()> {
//! use mpay_host::{Options, Server};
//!
//! let server = Server::start(Options::new("spin.toml")).await?;
//! println!("serving {}", server.url());
//! server.stop().await
//! # }
//! ```
//!
//! In the order in which they are met:
//!
//! | module | what |
//! | --- | --- |
//! | `options`, `limits` | what to serve, and the bounds |
//! | `manifest`, `variable_name`, `template`, `variables`, `dotenv`, `names`, `routes` | `spin.toml`, and the values that go into it |
//! | `store`, `runtime_config` | where the keys and values are; Spin's runtime configuration, which says so, and more values |
//! | `server` | puts the parts together; a request's way from a route to an instance |
//! | `connections`, `request`, `refusal` | who is let in; what is made of a request; what the host answers by itself |
//! | `guest` | instances: how one is made, what it may use, when it ends |
//! | `bindings`, `key_value`, `postgres`, `allowed_hosts`, `outbound`, `log` | what an instance is given |
//!
//! A request: [`listener`] accepts the connection → `connections` gives it a place → `server` finds
//! the route, takes the body in and waits for a turn → `guest` hands it to an instance → the answer is
//! streamed back, and its turn is free again when it has been sent.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod allowed_hosts;
mod bindings;
mod connections;
mod dotenv;
mod guest;
mod key_value;
mod limits;
mod log;
mod manifest;
mod names;
mod options;
mod outbound;
mod pools;
mod postgres;
mod refusal;
mod request;
mod routes;
mod runtime_config;
mod server;
mod store;
mod template;
mod variable_name;
mod variables;

pub use allowed_hosts::AllowedHosts;
pub use dotenv::{Environment, Error as EnvironmentError};
pub use guest::FuelMeter;
pub use key_value::{
    Call, Database, Error as KeyValueError, Fault, Loss, Manner, Observer, Operation, Redis, backup,
};
pub use limits::Limits;
pub use log::Log;
pub use manifest::{Component, Error as ManifestError, Manifest, Variable};
pub use names::{Given, Misnamed, misnamed};
pub use options::Options;
pub use refusal::{Refusal, Refusals, Refuse, as_text, text};
pub use routes::{Match, Route, Router};
pub use runtime_config::{Error as RuntimeConfigError, RuntimeConfig};
pub use server::{KEY_VALUE_FILE, Server};
pub use store::Store;
pub use template::Template;
pub use variable_name::VariableName;
pub use variables::{Error as VariablesError, LookupError, Variables, parse_argument};
