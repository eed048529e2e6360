//! The key-value store: `wasi:keyvalue` over Spin's own SQLite table.

mod database;
mod interface;
mod observer;
mod place;
mod writer;

pub use database::{Database, Error};
pub use interface::{Bucket, Cas, Manner};
pub(super) use interface::{HasKeyValue, KeyValue, KeyValueView};
pub use observer::{Call, Fault, Observer, Operation};
pub use place::Loss;
