//! The reasons why there is no copy, or it is not put back.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The reason why there is no backup, or it is not put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is a file that would be written over.
    #[error("{} is there already; nothing is written over", .0.display())]
    Exists(PathBuf),
    /// There is nothing to take a copy of, or none to put back.
    #[error("there is no {}", .0.display())]
    Absent(PathBuf),
    /// It is a database, but not a backup.
    #[error("{} is not a backup that `mpay backup` has made", .0.display())]
    NotABackup(PathBuf),
    /// A later version has made it.
    #[error("{} was made by a later version of this program, which must put it back", .0.display())]
    Later(PathBuf),
    /// Its content differs from its own description.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The evidence of that.
        detail: String,
    },
    /// The server failed.
    #[error("{server}: {reason}")]
    Server {
        /// Its address, without anything secret.
        server: String,
        /// The server's message.
        reason: String,
    },
    /// The server does not give a snapshot of Redis.
    #[error(
        "{server} does not let its snapshot be read ({reason}): allow the user the commands INFO and PSYNC, or stop \
         every host and give --stopped"
    )]
    NoSnapshot {
        /// Its address.
        server: String,
        /// The server's message.
        reason: String,
    },
    /// It was said that nobody writes, and somebody does.
    #[error("{0} was written to while it was read: stop every host first")]
    Written(String),
    /// It would be written over.
    #[error(
        "{0} is not empty; nothing is written over. If an earlier `mpay restore` of this file may have put the books \
         there, they are whole: `mpay backup OTHER-FILE --from ADDRESS` then says the same SHA-256 as this file has. \
         Otherwise give the address of an empty one"
    )]
    NotEmpty(String),
    /// Servers keep one store.
    #[error("{} has the store {store} besides, which cannot be put there", path.display())]
    OtherStore {
        /// The file.
        path: PathBuf,
        /// The name.
        store: String,
    },
    /// It is put back in part.
    #[error(
        "{source}\nWhat {server} holds now is a part of the books, and nothing can be recorded there: \
         run `mpay restore` again, which goes on where this one was; or empty it (FLUSHDB), and begin anew"
    )]
    Half {
        /// Its address.
        server: String,
        /// The reason.
        source: Box<BackupError>,
    },
    /// Another backup is put back there in part.
    #[error(
        "{0} holds a part of other books: put the same backup back as before, which goes on where that was; or empty \
         it (FLUSHDB), and begin anew"
    )]
    OtherHalf(String),
    /// The answer to the last write is lost.
    #[error(
        "{0} may hold all of the books by now, since only the answer to the last write is missing: do not empty it. Run \
         `mpay restore` again: it puts them there, or says that {0} is not empty, and then the books are whole"
    )]
    PerhapsWhole(String),
    /// Another run has gone on where this one was.
    #[error("another `mpay restore` has taken over at {0}; this one writes nothing more")]
    TakenOver(String),
    /// SQLite failed.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// The system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> BackupError {
    BackupError::Sqlite {
        path: path.to_owned(),
        source,
    }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}
