//! An append-only log over a store that can do no more than read, write and count.
//!
//! Compare-and-swap is wrong on every store that Spin has, so no value that two writers can meet at
//! is ever read, changed and written back. Everything is a list: a counter hands out places, and
//! an entry is written once at its place.
//!
//! * [`Platform`]: what a store and a host must do; [`contract`] checks one.
//! * [`Log`]: calls of the store, tried again where they fail for a passing reason.
//! * [`postgres`]: a store in a table of PostgreSQL.
//! * `stored`: the keys of entries and counters, and their form.
//! * `list`: taking places and filling them; reading lists in whole or from a cursor on.
//! * `fate`: the end of a place that nobody fills. A reader that wants to pass it and the
//!   writer that comes late find out together whether it is dead, and no clock decides.
//!
//! A writer takes a [`Slot`], fills it, and is told whether it counts:
//!
//! ```
//! # use mpay_log::{Log, Platform, StoreError};
//! async fn note<P: Platform>(log: &Log<P>) -> Result<u64, StoreError> {
//!     loop {
//!         let slot = log.take("notes").await?;
//!         if log.fill(&[(&slot, r#""seen""#)], Vec::new()).await?.all() {
//!             return Ok(slot.index());
//!         }
//!         // A reader did not want to wait any longer and passed the place: another one, then.
//!     }
//! }
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod contract;
mod fate;
mod list;
#[cfg(any(test, feature = "memory"))]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "for tests alone"
)]
pub mod memory;
mod platform;
pub mod postgres;
mod stored;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, collections::HashMap, time::Duration};

use jiff::Timestamp;

pub use fate::{BLOCK, CONTESTS, Fate, contest_key};
pub use list::{Filled, Listing, Slot};
pub use platform::{Platform, PlatformError};
pub use stored::{
    Entry, RawEntry, entry_key, parse_counter, read_entry, stored_entry, stored_entry_beside,
};

/// The time that somebody is left to fill a place before it is asked whether he still will. Safety does
/// not depend on it: too short a time costs the writer another place, too long a time makes the
/// others wait.
pub const PATIENCE: Duration = Duration::from_millis(1200);

/// The most by which the time of an entry may be later than the writer's clock, so that it is not earlier
/// than the one before. By more than this no clock is right: what it has said once must not date
/// what others write for ever.
pub const MOST_LIFT: Duration = Duration::from_secs(300);

/// The reason why the store could not do what was asked. MPay asks again; so may any caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A call failed, again and again.
    #[error("the store failed: {0}")]
    Platform(#[from] PlatformError),
    /// A value is not what this program wrote, or is missing.
    #[error("the value of {key} cannot be read: {reason}")]
    Corrupt {
        /// Key of the value.
        key: String,
        /// The mistake.
        reason: String,
    },
    /// A batch failed for all that was in it.
    #[error("{0}")]
    Batch(String),
    /// Others are at the same place, and nobody gets through.
    #[error("others are at the same place of {0}; try again")]
    Contested(String),
    /// Somebody else is recording the same thing, and has not finished.
    #[error("{0} is being recorded by another call")]
    InProgress(String),
}

/// Lists over what a [`Platform`] offers.
#[derive(Debug)]
pub struct Log<P> {
    platform: P,
    /// The times of the last entries that were seen of lists.
    seen: RefCell<HashMap<String, Timestamp>>,
}

impl<P: Platform> Log<P> {
    /// A log on `platform`.
    pub fn new(platform: P) -> Self {
        Self {
            platform,
            seen: RefCell::default(),
        }
    }

    /// The platform that it stands on.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// The time now, as the host believes it to be.
    pub fn now(&self) -> Timestamp {
        self.platform.now()
    }

    /// The values of those of `keys` that have one, none read before one that stands before it.
    ///
    /// # Errors
    /// [`StoreError::Platform`].
    pub async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, StoreError> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        self.retry(async || self.platform.get_many(keys).await)
            .await
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`StoreError::Platform`].
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut values = self.get_many(&[key.to_owned()]).await?;
        Ok(values.remove(key))
    }

    /// Sets all values or none. On an error they may be set all the same, or be set later.
    ///
    /// # Errors
    /// [`StoreError::Platform`].
    pub async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        self.retry(async || self.platform.set_many(entries).await)
            .await
    }

    /// Counts; numbers that a failed call took are nobody's.
    ///
    /// # Errors
    /// [`StoreError::Platform`].
    pub async fn increment(&self, key: &str, by: u64) -> Result<u64, StoreError> {
        self.retry(async || self.platform.increment(key, by).await)
            .await
    }

    /// Calls again, a few times, what fails for a passing reason.
    async fn retry<T>(
        &self,
        call: impl AsyncFn() -> Result<T, PlatformError>,
    ) -> Result<T, StoreError> {
        const PAUSES: [u64; 3] = [20, 80, 320];
        for pause in PAUSES {
            match call().await {
                Err(PlatformError::Failed(_)) => self.pause(pause).await,
                result => return Ok(result?),
            }
        }
        Ok(call().await?)
    }

    /// Waits for `milliseconds` and up to as many more: callers who failed together do not come
    /// back together.
    async fn pause(&self, milliseconds: u64) {
        let jitter = self.platform.random() % milliseconds.max(1);
        let pause = Duration::from_millis(milliseconds + jitter);
        self.platform.sleep(pause).await;
    }
}

/// The age of `at` by the wall clock; `None` if it is yet to come, so that nothing can be said.
fn age(at: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(now.duration_since(at)).ok()
}
