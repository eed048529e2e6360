//! The people's door of a provider for MPay, as a component for Spin: the order API for the
//! institution's own system, and what a cron job calls. MPay's door, which alone can sign, is the root
//! package.
//!
//! Read in this order:
//!
//! 1. `entry`: a request of a Spin host; [`service`]: its way to an answer.
//! 2. [`config`]: the variables of this door; [`access`]: who may call it, and do what.
//! 3. [`api`]: the resources, one file each; [`api::endpoints`] lists what they answer, and
//!    [`api::endpoint`] says what an endpoint is.
//! 4. [`pages`]: what people see in a browser. `cards`: payments by card, at a gateway.
//! 5. `metrics`, `schedule`: what a monitoring asks for, and when timers called.
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
pub mod api;
mod cards;
pub mod config;
mod metrics;
pub mod pages;
pub mod schedule;
pub mod service;
mod source;

/// The books, and what they stand on.
mod store {
    pub use mpay_door::Platform;
    pub use mpay_ledger::*;
}

use mpay_ledger::{digest, domain, json};

#[cfg(all(target_arch = "wasm32", not(feature = "library")))]
mod entry;

/// What an instance keeps between requests.
pub type App = mpay_door::App<config::Config>;
