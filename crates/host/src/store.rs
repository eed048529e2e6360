//! The place of the keys and values.

use std::fmt;
use std::path::PathBuf;

/// The place of the keys and values. `Debug` shows no address, which may hold a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Store {
    /// In Spin's file in the state folder.
    #[default]
    StateDir,
    /// In another file like it.
    File(PathBuf),
    /// In Redis, at this address.
    Redis(String),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StateDir => f.write_str("StateDir"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Redis(_) => f.write_str("Redis(…)"),
        }
    }
}
