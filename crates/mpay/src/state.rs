//! The folder with a provider's data: who is at work in it, and how to begin anew.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use mpay_host::{Database, KEY_VALUE_FILE};

use crate::development::SERVICE_ID;

/// The store that the components use.
const STORE: &str = "default";

/// A state folder in which this process is at work, as long as it is not dropped.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    /// The folder itself, locked: no file is left behind, and the lock ends with the process.
    _lock: Option<File>,
}

impl State {
    /// Takes a folder, and makes it if it is not there. Who is `shared` shares it with others.
    ///
    /// # Errors
    /// If another process is at work there, and this one is not shared; if it cannot be made.
    pub fn take(folder: &Path, shared: bool) -> anyhow::Result<Self> {
        let failed = || format!("cannot use the folder of the data, {}", folder.display());
        fs::create_dir_all(folder).with_context(failed)?;
        let lock = File::open(folder).with_context(failed)?;
        let taken = match shared {
            true => lock.try_lock_shared(),
            false => lock.try_lock(),
        };
        let lock = match taken {
            Ok(()) => Some(lock),
            Err(TryLockError::WouldBlock) if shared => None,
            Err(TryLockError::WouldBlock) => bail!(
                "another `mpay up` is at work in {}: stop it, or choose another folder with --state-dir; --shared serves one store by both",
                folder.display()
            ),
            // Not every file system has locks.
            Err(TryLockError::Error(_)) => None,
        };
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// Whether there is a store that [`Self::begin_anew`] would move aside.
    ///
    /// # Errors
    /// Without `yes`, if it holds more than orders of development, or cannot be read.
    pub async fn may_begin_anew(&self, yes: bool) -> anyhow::Result<bool> {
        let store = self.store();
        if !store.exists() {
            return Ok(false);
        }
        // Opened and closed, so that nothing is left in the log beside it.
        let keys = match Database::open(&store) {
            Ok(database) => database.keys(STORE).await,
            Err(error) => Err(error),
        };
        if !yes {
            let keys = keys.with_context(|| {
                format!(
                    "cannot see what {} holds; --yes moves it aside all the same",
                    store.display()
                )
            })?;
            if let Some(service) = keys.iter().find_map(|key| foreign_service(key)) {
                bail!(
                    "{} holds orders of the service {service}, which is not for development; --yes moves it aside all the same",
                    store.display()
                );
            }
        }
        Ok(true)
    }

    /// Moves the store aside, so that the next start finds none, and gives where it is. Without
    /// `yes` that is done only where it holds nothing but orders of development.
    ///
    /// # Errors
    /// If it holds more, cannot be read, or cannot be moved.
    pub async fn begin_anew(&self, yes: bool, now: Timestamp) -> anyhow::Result<Option<PathBuf>> {
        if !self.may_begin_anew(yes).await? {
            return Ok(None);
        }
        let time = now.strftime("%Y%m%dT%H%M%SZ");
        let aside = self.folder.join(format!("sqlite_key_value.{time}.db"));
        if aside.exists() {
            bail!(
                "{} is there already: try again in a second",
                aside.display()
            );
        }
        move_store(&self.store(), &aside)?;
        Ok(Some(aside))
    }

    /// Moves a store back that was moved aside, unless another has taken its place.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn put_back(&self, aside: &Path) -> anyhow::Result<()> {
        let store = self.store();
        match store.exists() {
            true => Ok(()),
            false => move_store(aside, &store),
        }
    }

    fn store(&self) -> PathBuf {
        self.folder.join(KEY_VALUE_FILE)
    }
}

/// The log first: a store without its log is older, a log without its store is nothing.
fn move_store(from: &Path, to: &Path) -> anyhow::Result<()> {
    for end in ["-wal", "-shm", ""] {
        let (from, to) = (beside(from, end), beside(to, end));
        match fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot move {}", from.display()));
            }
        }
    }
    Ok(())
}

/// The service of an order's key, if it is not that of development.
fn foreign_service(key: &str) -> Option<&str> {
    let service = key.strip_prefix("order/")?.split('/').next()?;
    (service != SERVICE_ID).then_some(service)
}

fn beside(file: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_is_at_work_unless_it_shares() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let first = State::take(&folder, false).unwrap();
        let error = State::take(&folder, false).unwrap_err().to_string();
        assert!(
            error.contains("another `mpay up`") && error.contains("--shared"),
            "{error}"
        );
        State::take(&folder, true).unwrap();
        drop(first);
        let first = State::take(&folder, true).unwrap();
        let second = State::take(&folder, true).unwrap();
        drop(first);
        State::take(&folder, false).unwrap_err();
        drop(second);
        State::take(&folder, false).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
    }

    #[tokio::test]
    async fn what_is_begun_anew_is_moved_aside_whole() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::take(folder.path(), false).unwrap();
        let now: Timestamp = "2026-11-28T08:05:09.5Z".parse().unwrap();
        assert_eq!(state.begin_anew(false, now).await.unwrap(), None);
        let path = folder.path().join(KEY_VALUE_FILE);
        let fill = async |key: &str| {
            let database = Database::open(&path).unwrap();
            database
                .set(STORE, vec![(key.to_owned(), b"1".to_vec())])
                .await
                .unwrap();
        };
        fill("order/DEMO/DEMO-1/1").await;
        let aside = state.begin_anew(false, now).await.unwrap().unwrap();
        assert_eq!(
            aside,
            folder.path().join("sqlite_key_value.20261128T080509Z.db")
        );
        assert!(!path.exists());
        let kept = Database::open(&aside).unwrap().keys(STORE).await.unwrap();
        assert_eq!(kept, ["order/DEMO/DEMO-1/1"]);
        // Nothing came in its place.
        state.put_back(&aside).unwrap();
        assert!(path.exists() && !aside.exists());
        let aside = state.begin_anew(false, now).await.unwrap().unwrap();

        fill("order/TAX/1").await;
        let error = state.begin_anew(false, now).await.unwrap_err().to_string();
        assert!(
            error.contains("service TAX") && error.contains("--yes"),
            "{error}"
        );
        assert!(path.exists());
        // Nothing is written over.
        state.begin_anew(true, now).await.unwrap_err();
        state.put_back(&aside).unwrap();
        assert!(aside.exists());
        let later = now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        assert!(
            state
                .begin_anew(true, later)
                .await
                .unwrap()
                .unwrap()
                .exists()
        );
        fs::write(&path, "no database, but of enough bytes to be looked at").unwrap();
        let error = state.begin_anew(false, now).await.unwrap_err().to_string();
        assert!(error.contains("cannot see what"), "{error}");
    }
}
