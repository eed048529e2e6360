//! A backup that is read where it is.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{
    check::{Backup, check},
    error::{BackupError, sqlite},
};

/// A backup whose values are read by their keys.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
}

impl Reader {
    /// The reader of a file, after a [`check`].
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn open(backup: &Path) -> Result<(Self, Backup), BackupError> {
        let held = check(backup)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(backup, flags);
        let reader = Self {
            path: backup.to_owned(),
            connection: connection.map_err(|source| sqlite(backup, source))?,
        };
        Ok((reader, held))
    }

    /// The value of a key of a store.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, BackupError> {
        let read = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
        let read = self.connection.prepare_cached(read);
        read.and_then(|mut read| read.query_row([store, key], |row| row.get(0)).optional())
            .map_err(|source| sqlite(&self.path, source))
    }

    /// Gives `each` the keys of a store that begin with `prefix` and a slash.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn each_under(
        &self,
        store: &str,
        prefix: &str,
        mut each: impl FnMut(String),
    ) -> Result<(), BackupError> {
        let at = |source| sqlite(&self.path, source);
        let read = "SELECT key FROM spin_key_value WHERE store = ?1 AND key > ?2 AND key < ?3";
        let mut read = self.connection.prepare_cached(read).map_err(at)?;
        // `0` is what follows the slash.
        let (first, end) = (format!("{prefix}/"), format!("{prefix}0"));
        let mut rows = read.query(params![store, first, end]).map_err(at)?;
        while let Some(row) = rows.next().map_err(at)? {
            each(row.get(0).map_err(at)?);
        }
        Ok(())
    }
}

/// True if a file is a database of SQLite, and so may be a backup.
pub fn is_database(file: &Path) -> bool {
    const BEGIN: &[u8; 16] = b"SQLite format 3\0";
    let mut begin = [0; BEGIN.len()];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *BEGIN
}
