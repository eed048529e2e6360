//! The folder of the archives, in which one process is at work.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use super::file::{self, About, Item};
use crate::files::make_folder;

/// The file by whose lock a folder is one process's. It must be one that is open to be written: elsewhere
/// than on a local disk, nothing else is locked.
const LOCK: &str = ".mpay-archive.lock";
/// A folder of archives in which nobody else is at work.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Locked: the lock ends with the process.
    _lock: File,
}

impl Folder {
    pub(super) fn take(path: &Path) -> anyhow::Result<Self> {
        make_folder(path)?;
        let failed = || format!("cannot use the folder {}", path.display());
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let lock = options.open(path.join(LOCK)).with_context(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| {
                format!(
                    "the file system of {} has no locks, so two could work there at once: choose a folder on another, and copy the files from there",
                    path.display()
                )
            }),
            Err(TryLockError::WouldBlock) => bail!(
                "another `mpay archive` is at work in {}: let it end, or choose another folder",
                path.display()
            ),
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        for name in folder.names()? {
            let part = folder.path.join(&name);
            let is_empty =
                || fs::symlink_metadata(&part).is_ok_and(|it| it.is_file() && it.len() == 0);
            // Of a run that was killed: nothing left the store for it.
            if file::is_unfinished(&name) || is_archive(&name) && is_empty() {
                fs::remove_file(&part)
                    .with_context(|| format!("cannot remove {}", part.display()))?;
            }
        }
        Ok(folder)
    }

    fn names(&self) -> anyhow::Result<Vec<String>> {
        let failed = || format!("cannot read {}", self.path.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).with_context(failed)? {
            let name = entry.with_context(failed)?.file_name();
            names.extend(name.into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    /// The files that this command has made here, by their names.
    pub(super) fn archives(&self) -> anyhow::Result<Vec<String>> {
        let mut names = self.names()?;
        names.retain(|name| is_archive(name));
        Ok(names)
    }

    pub(super) fn read(&self, name: &str) -> anyhow::Result<(About, Vec<Item>)> {
        let path = self.path.join(name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        file::read(&bytes).with_context(|| {
            format!(
                "{} is no archive that is whole: nothing is moved as long as it is here",
                path.display()
            )
        })
    }
}

/// True if a file has a name that this command gives.
pub(super) fn is_archive(name: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let stem = name.strip_suffix(".zip").unwrap_or_default();
    let mut parts = stem.split('-');
    let (year, month) = (parts.next(), parts.next());
    year.is_some_and(|year| year.len() == 4 && digits(year))
        && month.is_some_and(|month| month.len() == 2 && digits(month))
        && parts.all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_do_not_work_in_one_folder_and_what_was_never_finished_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [".2025-12-7-1.zip.4.part", "2025-12-7-1.zip", "notes.zip"] {
            fs::write(path(name), "").unwrap();
        }
        let first = Folder::take(folder.path()).unwrap();
        assert_eq!(first.names().unwrap(), [LOCK, "notes.zip"]);
        let second = Folder::take(folder.path()).err().unwrap().to_string();
        assert!(second.contains("another `mpay archive`"), "{second}");
        drop(first);
        Folder::take(folder.path()).unwrap();
    }
}
