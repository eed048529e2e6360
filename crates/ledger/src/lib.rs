//! The books: orders and payments, with nothing lost and nothing twice.
//!
//! The books consist of the append-only lists of [`mpay_log`]. A value that two writers can meet at is
//! never read, changed and written back. Entries are written once, and again only to erase personal data
//! or to mend what the store has lost.
//!
//! A [`Ledger`] hands out the kinds of record, each a view of the log: `ledger.orders()`,
//! `ledger.payments()`. A kind owns the prefixes of its keys, and it alone writes there. The table of
//! them is `keys`, and its tests enforce this. If one batch is about several kinds, each gives its
//! writes, and the operation puts them together.
//!
//! ```
//! use mpay_ledger::{
//!     Ledger, Platform, StoreError,
//!     domain::{Money, OrderKey, ServiceId},
//! };
//!
//! /// The amount that is due for an order; `None` if there is no such order, or its amount is unknown.
//! async fn due<P: Platform>(
//!     ledger: &Ledger<P>,
//!     service: &ServiceId,
//!     key: &OrderKey,
//! ) -> Result<Option<Money>, StoreError> {
//!     let order = ledger.orders().find(service, key).await?;
//!     Ok(order.and_then(|order| order.state.amount_due(ledger.now())))
//! }
//! ```
//!
//! Modules use only those above them in this list:
//!
//! 1. `places`: the number of places of the journal that a call may read. [`json`], [`digest`]: the shape
//!    of the records and of the order API's documents. `keys`, `record`: the common parts of all kinds.
//! 2. Kinds that use no other. `secret`: the key under which names from personal data are digested.
//!    `cursor`: the place at which a reader goes on, and its store. `notes`: values that only save work.
//!    `messages`: signed messages. `order_list`: an order's versions and payments, entry by entry.
//!    `aliases`: the other names of orders. `journal_list`: all events. `became`: the outcomes of entries
//!    of the journal. `afterwards`: changes to a payment long after it was recorded.
//! 3. `attempts`: the attempts to record a payment, and which one counts. `settlements`, `refusals`:
//!    other lists whose entries also stand in the journal.
//! 4. `stored_order`, `folds`: the sum of an order's list, also of a long one. `proposals`: payments and
//!    voids by hand, and what was decided on them. `standings`: the entries of the journal that count.
//!    `days`: the ranges of the journal that are days.
//! 5. Questions and operations: `orders`, `requests`, `payments`, `manual`, `reviews`, `refunds`;
//!    `cards`; `journal`, `mpay_calls`, `open_reviews`, `register`, `outbox`.
//! 6. The walks over the journal that write entries again: `long_orders`, `erasures`, `repair`. Also
//!    `archives`: the signed messages that may leave the store.
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

mod afterwards;
mod aliases;
#[cfg(test)]
mod archive_tests;
mod archives;
mod attempts;
mod became;
mod cards;
#[cfg(test)]
mod cards_tests;
mod cursor;
mod days;
#[cfg(test)]
mod erasure_tests;
mod erasures;
mod folds;
mod journal;
mod journal_list;
mod keys;
#[cfg(test)]
mod late_event_tests;
mod long_orders;
mod manual;
mod messages;
mod mpay_calls;
mod notes;
mod open_reviews;
mod order_list;
mod orders;
mod outbox;
mod payments;
mod places;
#[cfg(test)]
mod properties;
mod proposals;
mod record;
mod refunds;
mod refusals;
mod register;
mod repair;
mod requests;
mod reviews;
mod secret;
mod settlements;
mod standings;
mod stored_order;
#[cfg(test)]
mod structure;
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

use std::rc::Rc;

use jiff::Timestamp;
use mpay_log::Log;

pub use archives::{Archives, Movable, MovablePage};
pub use attempts::Recorded;
pub use cards::{Beginning, CardEntry, CardPayment, CardPayments, CardWalk, Command, NotTaken};
pub use cursor::{Cursor, Cursors, NoCursor};
pub use days::{Day, DayRange, Days, Span};
pub use erasures::{Erased, Erasure, Erasures};
pub use journal::{Journal, JournalPage};
pub use journal_list::JournalEntry;
pub use keys::{GATE, MARKERS, is_counter, marked, place_in_journal};
pub use manual::ManualPayments;
pub use messages::{Archived, Copied, Evidence, Messages, Proof, Stays, Tombstone};
pub use mpay_calls::{MPayCalls, MPayCallsFound};
pub use mpay_domain as domain;
#[cfg(any(test, feature = "testing"))]
pub use mpay_log::memory;
pub use mpay_log::{BLOCK, Platform, PlatformError, RawEntry, StoreError, contract, postgres};
pub use notes::{JOURNAL_MENDED, Notes};
pub use open_reviews::{OpenReviews, OpenReviewsFound};
pub use orders::{
    HistoryEntry, Intent, OrderHistory, OrderPayments, Orders, Precondition, RegisterError,
    Registered,
};
pub use outbox::{
    Attempts, Delivery, Ended, LONGEST_WAIT, Lately, Outbox, OutboxPage, OutboxState, PartLeft,
    ReceiverOutbox, Settled, Standing, Waiting,
};
pub use payments::{Known, Payments, StoredPayment};
pub use places::Places;
pub use proposals::{Decision, ProposalPage, Proposals, Proposed, StoredProposal};
pub use refunds::{Refunded, Refunds};
pub use refusals::{CloseError, ClosedBy, ClosedRefusal, Refusals, StoredRefusal};
pub use register::{Register, RegisterPage, RegisteredOrder};
pub use repair::{Repair, Repairs};
pub use requests::{CreateError, Requests};
pub use reviews::Reviews;
pub use secret::{Secret, SecretCell};
pub use settlements::{MOST_PARTS, SettlementMark, SettlementPart, Settlements, Shown};
pub use stored_order::{Begun, StoredOrder};

use secret::Secrets;

/// The books, on a platform.
#[derive(Debug)]
pub struct Ledger<P> {
    log: Log<P>,
    /// The secret, once it has been read.
    secret: SecretCell,
}

/// Declares the methods that hand out the kinds of record.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $kind:ident $(with $secrets:ident)?,)*) => {
        impl<P: Platform> Ledger<P> {
            $($(#[$doc])*
            pub fn $name(&self) -> $kind<'_, P> {
                $kind::on(&self.log $(, self.$secrets())?)
            })*
        }
    };
}

kinds! {
    /// Orders, by their service and key.
    orders: Orders with secrets,
    /// Requests that may be repeated.
    requests: Requests with secrets,
    /// Payments that are recorded.
    payments: Payments with secrets,
    /// Payments that were entered by hand.
    manual_payments: ManualPayments with secrets,
    /// The proposals and the decisions on them.
    proposals: Proposals,
    /// The reviews of payments.
    reviews: Reviews with secrets,
    /// Refunds of payments.
    refunds: Refunds with secrets,
    /// Payments by card that were begun.
    card_payments: CardPayments with secrets,
    /// The confirmations that were refused.
    refusals: Refusals,
    /// The outcomes of MPay's latest calls.
    mpay_calls: MPayCalls,
    /// The orders with open reviews.
    open_reviews: OpenReviews,
    /// Signed messages that are kept as evidence.
    messages: Messages,
    /// The statements that were imported.
    settlements: Settlements,
    /// All events, in the order of their recording.
    journal: Journal,
    /// The days that are closed.
    days: Days,
    /// The orders there are.
    register: Register with secrets,
    /// The deliveries to receivers of webhooks.
    outbox: Outbox,
    /// Small values under names; the last one written counts.
    notes: Notes,
    /// The erasure of personal data.
    erasures: Erasures with secrets,
    /// The moving of signed messages out of the store.
    archives: Archives with secrets,
    /// The mending of what the store has lost.
    repairs: Repairs with secrets,
}

impl<P: Platform> Ledger<P> {
    /// The books on `platform`.
    pub fn new(platform: P) -> Self {
        Self {
            log: Log::new(platform),
            secret: SecretCell::default(),
        }
    }

    /// The same books, which find the secret in `cell`, or leave it there for the next request.
    pub fn sharing(self, cell: &SecretCell) -> Self {
        Self {
            secret: Rc::clone(cell),
            ..self
        }
    }

    /// The platform that they stand on.
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

    /// The store's secret. It costs no read if a payment was looked for before.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn secret(&self) -> Result<Secret, StoreError> {
        self.secrets().get().await
    }

    /// The cursors of readers.
    pub fn cursors(&self) -> Cursors<'_, P> {
        Cursors::on(self.secrets())
    }

    fn secrets(&self) -> Secrets<'_, P> {
        Secrets::on(&self.log, &self.secret)
    }
}
