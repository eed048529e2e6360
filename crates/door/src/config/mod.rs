//! Spin variables: read into a door's configuration by a [`Reader`]. Every mistake in them is a
//! clear line, which holds no part of a value.

mod certificates;
mod environment;
mod error;
mod open;
mod operation;
mod public_url;
mod reader;
mod services;
#[cfg(any(test, feature = "testing"))]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "for tests alone"
)]
pub mod testing;
mod variables;
mod warnings;

pub use certificates::{DEVELOPMENT_CERTIFICATE, in_own_words};
pub use environment::Environment;
pub use error::{ConfigError, Misconfigured};
pub use open::OpenService;
pub use operation::{LOG_FORMAT, PAUSED, is_paused, log_format};
pub use reader::{IBAN_NEEDED, Reader};
pub use services::{SERVICES, Service, Services, SourcePolicy};
pub use variables::{Unread, Variables, VariablesDigest};
pub(crate) use warnings::expiring;

/// Development tokens begin like this.
pub const DEVELOPMENT_TOKEN: &str = "development-only-";
