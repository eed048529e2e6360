//! Orders and payments in the platform's key-value store: nothing lost, nothing twice, although
//! the store offers no more than reading, writing and counting.
//!
//! Everything is built of one primitive, the append-only list of `list.rs`. No value that two
//! writers can meet at is ever read, changed and written back; entries are written once, and again
//! only to erase personal data.

mod bulk;
#[cfg(any(test, feature = "host-contract"))]
pub mod contract;
#[cfg(test)]
mod erasure_tests;
mod evidence;
mod journal;
mod keys;
mod list;
mod manual;
#[cfg(test)]
pub mod memory;
mod orders;
mod outbox;
mod payments;
mod personal_data;
mod platform;
#[cfg(test)]
mod properties;
mod register;
mod repair;
mod requests;
mod reviews;
mod secret;
mod settlement;
#[cfg(target_arch = "wasm32")]
pub mod spin;
#[cfg(test)]
pub(crate) mod tests;
#[cfg_attr(
    not(feature = "without-atomics"),
    allow(dead_code, reason = "counts without atomics only")
)]
mod weak_counter;
#[cfg(test)]
mod weak_tests;

use std::{borrow::Cow, collections::HashMap, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;

pub use evidence::{Evidence, Proof};
pub use journal::{JournalEntry, JournalPage, Span};
pub use manual::{Decision, Proposed, StoredProposal};
pub use orders::{Precondition, RegisterError, Registered, StoredOrder};
pub use outbox::{Attempts, Delivery, OutboxPage, OutboxState, Settled, Waiting};
pub use payments::{Marker, Recorded, StoredPayment};
pub use personal_data::{Erased, Erasure, Tombstone};
pub use platform::{Platform, PlatformError};
pub use register::{RegisterPage, RegisteredOrder};
pub use repair::Repair;
pub use requests::CreateError;
pub use reviews::{CloseError, ClosedRefusal, StoredRefusal};
pub use secret::{Secret, SecretCell};
pub use settlement::{SettlementMark, Shown};

/// Why the store could not do what was asked. MPay asks again; so may any caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A call failed, again and again.
    #[error("the store failed: {0}")]
    Platform(#[from] PlatformError),
    /// A value is not what this program wrote.
    #[error("the value of {key} cannot be read: {reason}")]
    Corrupt {
        /// Key of the value.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A batch failed for all that was in it.
    #[error("{0}")]
    Batch(String),
    /// The store took so long that the entry may come too late for its readers.
    #[error("the store took too long")]
    TooSlow,
    /// Somebody else has taken the same place in a list, which happens without atomics only.
    #[error("an entry was overwritten by another call")]
    Overwritten,
    /// Somebody else is recording the same thing, and has not finished.
    #[error("{0} is being recorded by another call")]
    InProgress(String),
}

/// The store: records and lists over what a [`Platform`] offers.
#[derive(Debug)]
pub struct Store<P> {
    platform: P,
    /// Its secret, once it has been read.
    secret: SecretCell,
}

impl<P: Platform> Store<P> {
    /// A store on `platform`.
    pub fn new(platform: P) -> Self {
        Self {
            platform,
            secret: SecretCell::default(),
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.platform.now()
    }

    /// A number that nobody can guess.
    pub fn random(&self) -> u64 {
        self.platform.random()
    }

    /// Sends a request to the outside; see [`Platform::send`].
    ///
    /// # Errors
    /// A text for people.
    pub async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, String> {
        self.platform.send(request).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, StoreError> {
        let along = self.secret_key().filter(|key| !keys.contains(key));
        let mut wanted = Cow::Borrowed(keys);
        if let Some(key) = &along {
            wanted.to_mut().push(key.clone());
        }
        let values = self.retry(async || self.platform.get_many(&wanted).await);
        let mut values = values.await?;
        self.find_secret(&values)?;
        // Nobody has asked for it.
        if let Some(key) = along {
            values.remove(&key);
        }
        Ok(values)
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        self.retry(async || self.platform.set_many(entries).await)
            .await
    }

    async fn increment(&self, key: &str) -> Result<u64, StoreError> {
        self.retry(async || self.platform.increment(key).await)
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
                Err(PlatformError::Failed(_)) => {
                    // Jitter, so that callers who failed together do not come back together.
                    let jitter = u64::from(self.now().subsec_nanosecond().unsigned_abs()) % pause;
                    self.platform
                        .sleep(Duration::from_millis(pause + jitter))
                        .await;
                }
                result => return Ok(result?),
            }
        }
        Ok(call().await?)
    }
}
