//! MPay's door of a service provider for MPay, the payment platform of the Moldovan government, as a
//! WebAssembly component for Spin: it answers MPay's two SOAP calls, and alone holds the
//! institution's key. The people's door, with the order API, is `mpay-office`.
//!
//! Read in this order:
//!
//! 1. `entry`: a request of a Spin host; [`service`]: its way to an answer.
//! 2. [`config`]: the variables of this door, whose signer and policy are used by
//! 3. [`soap`]: a message verified, dispatched, answered and signed.
// Over PostgreSQL a request nests futures more deeply than the compiler's default limit.
#![recursion_limit = "256"]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod config;
pub mod service;
pub mod soap;

#[cfg(all(target_arch = "wasm32", not(feature = "library")))]
mod entry;

/// The state that an instance keeps between requests.
pub type App = mpay_door::App<config::Config>;
