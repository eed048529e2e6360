//! A backup put in the place of a file.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{
    check::{Backup, check, has_only_books},
    copy,
    error::{BackupError, io_error, sqlite},
    held::Held,
    part::{Part, beside},
};

/// Puts a backup in the place of `database`, where there is none, after a [`check`].
///
/// # Errors
/// [`BackupError`]; then there is no file `database`.
pub fn restore(
    backup: &Path,
    database: &Path,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Backup, BackupError> {
    is_free(database)?;
    prepare(backup, database, progress)?.take_place()
}

/// A backup that lies beside its place, read again. Dropped, it is gone.
pub struct Prepared {
    part: Part,
    database: PathBuf,
    held: Backup,
}

/// Copies a backup beside `database`, after a [`check`]. Existing files stay as they are, so that nobody
/// loses books because there was no room for others.
///
/// # Errors
/// [`BackupError`].
pub fn prepare(
    backup: &Path,
    database: &Path,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Prepared, BackupError> {
    let held = check(backup)?;
    if let Some(folder) = database.parent() {
        let mut made = DirBuilder::new();
        let made = made.recursive(true).mode(0o700).create(folder);
        made.map_err(|source| io_error(folder, source))?;
    }
    let part = Part::beside(database)?;
    copy(backup, &part.0, &progress)?;
    let at = |source| sqlite(&part.0, source);
    let copied = Connection::open(&part.0).map_err(at)?;
    has_only_books(&copied, backup)?;
    copied.execute_batch("DROP TABLE backup").map_err(at)?;
    let restored = Held::of(&copied).map_err(at)?;
    copied.close().map_err(|(_, source)| at(source))?;
    if restored.sha256 != held.sha256 {
        return Err(BackupError::Damaged {
            path: backup.to_owned(),
            detail: "it changed while it was copied".to_owned(),
        });
    }
    Ok(Prepared {
        part,
        database: database.to_owned(),
        held,
    })
}

impl Prepared {
    /// Puts it in its place, where there must be nothing.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn take_place(self) -> Result<Backup, BackupError> {
        is_free(&self.database)?;
        self.part.take_place(&self.database)?;
        Ok(self.held)
    }
}

/// Checks that there is no database yet, and no log that would be replayed into it.
fn is_free(database: &Path) -> Result<(), BackupError> {
    for end in ["", "-journal", "-wal", "-shm"] {
        let file = beside(database, end);
        if file.exists() {
            return Err(BackupError::Exists(file));
        }
    }
    Ok(())
}
