//! A file under a name of its own, until it is whole and on the disk.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::error::{BackupError, io_error};

/// A file that is being written, under a name of its own until it is whole. Dropped, it is gone.
pub(super) struct Part(pub(super) PathBuf);

impl Part {
    /// The unfinished part of a backup file. A part left by a run that broke off is begun anew.
    pub(super) fn beside(file: &Path) -> Result<Self, BackupError> {
        let part = Self(beside(file, ".part"));
        for left in ["", "-journal"].map(|end| beside(&part.0, end)) {
            match fs::remove_file(&left) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error(&left, error));
                }
                _ => {}
            }
        }
        // It holds personal data, and SQLite takes an empty file as it is.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let made = options.open(&part.0);
        made.map_err(|error| io_error(&part.0, error))?;
        Ok(part)
    }

    /// Gives it its name, where no file has it, for good: also if the machine fails.
    pub(super) fn take_place(self, file: &Path) -> Result<(), BackupError> {
        let at = |source| io_error(&self.0, source);
        File::open(&self.0)
            .and_then(|file| file.sync_all())
            .map_err(at)?;
        // Unlike a renaming, a link takes no other's place.
        fs::hard_link(&self.0, file).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
            _ => io_error(file, source),
        })?;
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| {
            // It would be there, and perhaps no longer after the next loss of power.
            let _ = fs::remove_file(file);
            io_error(folder, source)
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        for end in ["", "-journal"] {
            let _ = fs::remove_file(beside(&self.0, end));
        }
    }
}

pub(super) fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}
