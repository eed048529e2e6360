//! The reasons why an operation on the store failed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The time that a call may take, with all its waiting: for its turn, for another process, for a disk
/// that hangs. The component tries a call four times, and then still has time to report the failure.
pub(crate) const CALL_TIME: Duration = Duration::from_secs(5);

/// The reason why an operation on the store failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `increment` on a value that is not a counter of 8 bytes.
    #[error("the value of {key:?} has {length} bytes and is not a counter")]
    NotACounter {
        /// The key.
        key: String,
        /// The length of its value.
        length: usize,
    },
    /// A counter would leave the range of 64 bits.
    #[error("the counter {key:?} would overflow")]
    CounterOverflow {
        /// The key.
        key: String,
    },
    /// The folder of the file cannot be made.
    #[error("cannot make the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: Arc<std::io::Error>,
    },
    /// The file in its place is not the one that was opened, or there is none. Writes since then may be
    /// lost when the process ends, so nothing is acknowledged any more.
    #[error(
        "the store cannot be relied on any more, and nothing more is acknowledged: {} {loss}. Was a \
         backup put back under the running host? What was acknowledged until now is in the file \
         that was there before. Stop every host before you move or replace the file, and start it \
         again when the file that shall count is in its place",
        path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// The fate of the file.
        loss: Loss,
    },
    /// It is unknown if the file in its place is the one that was opened.
    #[error("cannot look at {}: {source}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: Arc<std::io::Error>,
    },
    /// A call took too long and was given up. It may have its effect all the same.
    #[error("the store did not answer within {} s", CALL_TIME.as_secs())]
    Slow,
    /// The file can have no write-ahead log where it is.
    #[error("SQLite keeps the journal mode {0}: a write-ahead log needs a disk of this machine")]
    NoLog(String),
    /// SQLite failed.
    #[error("SQLite: {0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// Redis failed.
    #[error("Redis: {0}")]
    Redis(Arc<redis::RedisError>),
    /// The server of Redis copies another one.
    #[error("Redis: this server is a replica; the address must lead to the primary")]
    Replica,
    /// The thread that writes or reads has ended.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<redis::RedisError> for Error {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(Arc::new(error))
    }
}

/// The fate of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There is none in its place.
    Gone,
    /// There is another one in its place.
    Replaced,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gone => "is gone from its place: it, its folder or its disk was moved or deleted",
            Self::Replaced => "is another file than the one that was opened",
        })
    }
}
