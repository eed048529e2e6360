//! `spin:postgres` for a guest: PostgreSQL over the network, at the hosts that the manifest allows.
//!
//! From the guest downwards: [`interface`] → [`pool`] → [`tls`]; [`value`] between the types of both
//! sides.

#![expect(
    clippy::result_large_err,
    reason = "the errors of the interface are what they are"
)]

mod interface;
mod pool;
pub(crate) mod tls;
mod value;

pub use interface::{Builder, Connection};
pub(super) use interface::{Databases, DatabasesView, HasDatabases};
pub(super) use pool::{Pools, connect, in_words};
