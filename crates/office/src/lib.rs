//! The people's door of a provider for MPay, as a Spin component: the order API for the institution's own
//! system, the pages for people, payments by card, and the calls of timers. Only MPay's door, the root package,
//! can sign.
//!
//! Read in this order:
//!
//! 1. `entry`: a request of a Spin host; [`service`]: its way to an answer.
//! 2. [`config`]: the variables of this door; [`access`]: principals and their roles; [`admission`]: the
//!    caller of a request.
//! 3. [`api`]: the resources, one file each. [`api::endpoints`] lists the endpoints, and [`api::endpoint`]
//!    defines an endpoint.
//! 4. [`pages`]: the pages that people see in a browser. `cards`: payments by card, at a gateway.
//! 5. [`health`]: readiness. `metrics`, `schedule`: metrics for a monitoring system, and the times of timers' calls. `source`: orders
//!    from the institution's own system, fetched when MPay asks for them.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod access;
pub mod admission;
pub mod api;
mod cards;
pub mod config;
pub mod health;
mod metrics;
pub mod pages;
pub mod schedule;
pub mod service;
mod source;

/// The books, and the platform below them.
mod store {
    pub use mpay_door::Platform;
    pub use mpay_ledger::*;
}

use mpay_ledger::{digest, domain, json};

#[cfg(all(target_arch = "wasm32", not(feature = "library")))]
mod entry;

/// The state that an instance keeps between requests.
pub type App = mpay_door::App<config::Config>;
