//! The books, on what a Spin host offers: the ledger, and who can send a request.

pub use mpay_ledger::*;

pub use crate::platform::Platform;
