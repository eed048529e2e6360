//! The books: orders and payments, nothing lost and nothing twice.
//!
//! Everything is built of the append-only lists of [`mpay_log`]. No value that two writers can meet
//! at is ever read, changed and written back; entries are written once, and again only to erase
//! personal data, or to mend what the store has lost.
//!
//! * [`json`]: the shape of the records, and of what the order API speaks.
//! * `keys`: every key there is, in one table.
//! * `orders`, `folds`, `bulk`, `requests`: an order's list of versions and payments; folding it, also
//!   a long one; changing it.
//! * `payments`: recording a payment once, however often and from wherever it is confirmed.
//! * `journal`, `days`, `register`: what happened, in order; the ranges that days are; views of it.
//! * `outbox`, `settlement`, `reviews`, `manual`, `evidence`: what follows from it.
//! * `cursor`: where a reader goes on, and in which store.
//! * `secret`: the key under which names of what persons filled in are digested.
//! * `parts`: long orders, a part with each block of the journal.
//! * `personal_data`, `repair`: the only places that write an entry again.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod digest;
pub mod json;

mod bulk;
mod cursor;
mod days;
#[cfg(test)]
mod erasure_tests;
mod evidence;
mod folds;
mod journal;
mod keys;
mod manual;
mod orders;
mod outbox;
mod parts;
mod payments;
mod personal_data;
#[cfg(test)]
mod properties;
mod register;
mod repair;
mod requests;
mod reviews;
mod secret;
mod settlement;
#[cfg(any(test, feature = "testing"))]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "for tests alone"
)]
pub mod testing;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use mpay_log::Log;

pub use bulk::Intent;
pub use cursor::{Cursor, NoCursor};
pub use days::{Day, DayRange};
pub use evidence::{Evidence, Proof};
pub use folds::OrderPayments;
pub use journal::{JournalEntry, JournalPage, Span};
pub use manual::{Decision, Proposed, StoredProposal};
pub use mpay_domain as domain;
#[cfg(any(test, feature = "testing"))]
pub use mpay_log::memory;
pub use mpay_log::{Platform, PlatformError, RawEntry, StoreError, contract};
pub use orders::{Precondition, RegisterError, Registered, StoredOrder};
pub use outbox::{Attempts, Delivery, OutboxPage, OutboxState, Settled, Waiting};
pub use payments::{Known, Recorded, StoredPayment};
pub use personal_data::{Erased, Erasure, Tombstone};
pub use register::{RegisterPage, RegisteredOrder};
pub use repair::Repair;
pub use requests::CreateError;
pub use reviews::{CloseError, ClosedRefusal, StoredRefusal};
pub use secret::{Secret, SecretCell};
pub use settlement::{MOST_PARTS, SettlementMark, SettlementPart, Shown};

/// The books, on a platform.
#[derive(Debug)]
pub struct Store<P> {
    log: Log<P>,
    /// The secret, once it has been read.
    secret: SecretCell,
}

impl<P: Platform> Store<P> {
    /// The books on `platform`.
    pub fn new(platform: P) -> Self {
        Self {
            log: Log::new(platform),
            secret: SecretCell::default(),
        }
    }

    /// What they stand on.
    pub fn platform(&self) -> &P {
        self.log.platform()
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.log.now()
    }

    /// A number that nobody can guess.
    pub fn random(&self) -> u64 {
        self.platform().random()
    }
}
