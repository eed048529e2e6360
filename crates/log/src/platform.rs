//! The platform that the log stands on: a store, clocks, chance.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

/// The reason why a call to the platform failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// The store does not exist or may not be used: trying again is no use.
    #[error("{0}")]
    Denied(String),
    /// Anything else. The call may have had its effect all the same, or have it later.
    #[error("{0}")]
    Failed(String),
}

/// A store that reads, writes and counts, and clocks. Little enough that every Spin host has it;
/// [`contract::check`](crate::contract::check) says exactly what is expected of it.
#[allow(async_fn_in_trait)] // Used with static dispatch in one thread only.
pub trait Platform {
    /// The values of those of `keys` that have one. Each is read at one moment, and none before one
    /// that stands before it in `keys`: whoever reads an entry and then what contests it relies on
    /// this order.
    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError>;

    /// Sets all values, or none, at one moment.
    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError>;

    /// Adds `by`, at least one, to a counter, which starts at zero, and gives its new value. The
    /// numbers up to there, `by` of them, are this caller's alone.
    async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError>;

    /// The time now by the host's clock. It may be wrong, and jump.
    fn now(&self) -> Timestamp;

    /// Time that has passed, since no moment in particular. It never jumps or runs backwards.
    fn monotonic(&self) -> Duration;

    /// A number that nobody can guess.
    fn random(&self) -> u64;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}
