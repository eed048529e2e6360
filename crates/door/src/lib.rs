//! The common parts of the two doors of a provider: MPay's (the root package) and the people's
//! (`mpay-office`). Each is a component of its own with variables of its own.
//!
//! Read in this order:
//!
//! 1. `platform`: the door's needs of its host, and `spin`, a Spin host.
//! 2. [`config`]: the variables, as texts and as values; [`current`]: the last good ones; [`app`]: the
//!    state that an instance keeps as long as they stay the same.
//! 3. [`http`]: the reading of requests, and the common parts of answers; [`Problem`]: the answer to a
//!    failed call; [`clients`]: the addresses of callers; [`log`]: the lines about them.
//! 4. [`health`]: the state of a door for anybody, with [`probe`] for the store and [`clock`] for the
//!    time.
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
