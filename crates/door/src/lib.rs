//! The common parts of the two doors of a provider: MPay's (the root package) and the people's
//! (`mpay-office`). Each is a component of its own with variables of its own.
//!
//! Read in this order:
//!
//! 1. `platform`: what a door needs of its host, and [`spin`](mod@platform), a Spin host.
//! 2. [`config`]: the variables, as texts and as what they mean; [`current`]: the last good ones;
//!    [`app`]: what an instance keeps as long as they stay the same.
//! 3. [`http`]: how a request is read and what every answer has in common; [`Problem`]: what an
//!    answer says of a failure; [`clients`]: who calls; [`log`]: what is written of it.
//! 4. [`health`]: what anybody may know of how a door is, with [`probe`] for the store and
//!    [`clock`] for the time.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod app;
pub mod clients;
pub mod clock;
pub mod config;
pub mod current;
pub mod health;
pub mod http;
pub mod limit;
pub mod log;
pub mod pages;
mod platform;
pub mod probe;
mod problem;
#[cfg(target_arch = "wasm32")]
pub mod spin;
#[cfg(test)]
mod testing;

pub use app::{App, Configuration};
pub use platform::{Outbound, Platform, Unanswered};
#[cfg(feature = "schema")]
pub use problem::ProblemDocument;
pub use problem::{CURSOR_GONE, PAUSE, PAUSED, Problem};
