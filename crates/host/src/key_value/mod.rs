//! The key-value store: `wasi:keyvalue` over Spin's own SQLite table.
//!
//! From the guest downwards: [`interface`] → [`database`] → [`writer`] → [`place`] → [`error`]. Beside
//! them, [`backup`].

pub mod backup;
mod database;
mod error;
mod interface;
mod observer;
mod place;
mod writer;

pub use database::Database;
pub use error::{Error, Loss};
pub use interface::{Bucket, Cas, Manner};
pub(super) use interface::{HasKeyValue, KeyValue, KeyValueView};
pub use observer::{Call, Fault, Observer, Operation};
