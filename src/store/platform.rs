use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;

/// Why a call to the platform failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// The store does not exist or may not be used: trying again is no use.
    #[error("{0}")]
    Denied(String),
    /// Anything else. The call may have had its effect all the same.
    #[error("{0}")]
    Failed(String),
}

/// What the store and notifications need of their platform: little enough that every Spin host has
/// it.
#[allow(async_fn_in_trait)] // Used with static dispatch in one thread only.
pub trait Platform {
    /// The values of those of `keys` that have one, as of one moment for each of them.
    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError>;

    /// Sets all values or, on a store with transactions, none.
    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError>;

    /// Adds one to a counter, which starts at zero, and gives its new value to this caller alone.
    async fn increment(&self, key: &str) -> Result<u64, PlatformError>;

    /// Sends a request, and gives the status of its answer, whose body is not read. Redirects are
    /// not followed. What takes longer than a few seconds has failed.
    async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, String>;

    /// The time now.
    fn now(&self) -> Timestamp;

    /// A number that nobody can guess.
    fn random(&self) -> u64;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}
