//! The key-value store: `wasi:keyvalue` over Spin's own SQLite table, or over Redis.
//!
//! From the guest downwards: [`interface`] → [`engine`] → [`redis`], or [`database`] → [`writer`] →
//! [`place`] → [`error`]. Beside them, [`backup`].

pub mod backup;
mod database;
mod engine;
mod error;
mod interface;
mod observer;
mod place;
mod redis;
mod writer;

pub use database::Database;
pub(super) use engine::Engine;
pub(super) use error::CALL_TIME;
pub use error::{Error, Loss};
pub use interface::{Bucket, Cas, Manner};
pub(super) use interface::{HasKeyValue, KeyValue, KeyValueView};
pub use observer::{Call, Fault, Observer, Operation};
pub use redis::Redis;
