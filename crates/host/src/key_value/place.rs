//! Checks that the file in its place is still the one that was opened.
//!
//! SQLite goes on with the file that it opened, even if another one, such as a backup, has been put in
//! its place. Writes after that are lost when the process ends, although they were acknowledged. So the
//! place is checked before anything is acknowledged, and once it holds another file nothing is
//! acknowledged any more.
//!
//! The file is never opened here: closing it would end SQLite's locks on it, which belong to the
//! process (`fcntl(2)`, POSIX locks).

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::watch;

use super::error::{Error, Loss};

/// The identity of a file, independent of its name. While SQLite has the file open no other file gets its
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    /// The file at a path.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let found = std::fs::metadata(path)?;
        Ok(Self {
            device: found.dev(),
            number: found.ino(),
        })
    }
}

/// The files of a store that is open: SQLite's own and those beside it.
pub(super) struct Place {
    files: Vec<(PathBuf, Identity)>,
    lost: watch::Sender<Option<Error>>,
}

impl Place {
    /// The place of a file that a connection has open and has read. `before` is the identity of the file
    /// in the place before it was opened.
    pub(super) fn of(
        connection: &Connection,
        path: &Path,
        before: Option<Identity>,
    ) -> Result<Self, Error> {
        let unknown = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Unknown {
                path,
                source: Arc::new(source),
            }
        };
        let opened = Identity::of(path).map_err(unknown(path))?;
        if before.is_some_and(|before| before != opened) {
            return Err(Error::Lost {
                path: path.to_owned(),
                loss: Loss::Replaced,
            });
        }
        let mut files = vec![(path.to_owned(), opened)];
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        // The log and its index stay while anybody has the file open, and are beside the target of a
        // link.
        if mode == "wal"
            && let Some(real) = connection.path()
        {
            for beside in ["-wal", "-shm"] {
                let path = PathBuf::from(format!("{real}{beside}"));
                let identity = Identity::of(&path).map_err(unknown(&path))?;
                files.push((path, identity));
            }
        }
        Ok(Self {
            files,
            lost: watch::Sender::new(None),
        })
    }

    /// Checks that all files are in their places. Once they were not, it never says so again.
    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(lost) = &*self.lost.borrow() {
            return Err(lost.clone());
        }
        for (path, opened) in &self.files {
            let loss = match Identity::of(path) {
                Ok(found) if found == *opened => continue,
                Ok(_) => Loss::Replaced,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    Loss::Gone
                }
                // It may be the same or not, and may be seen again.
                Err(source) => {
                    return Err(Error::Unknown {
                        path: path.clone(),
                        source: Arc::new(source),
                    });
                }
            };
            let lost = Error::Lost {
                path: path.clone(),
                loss,
            };
            self.lost.send_replace(Some(lost.clone()));
            return Err(lost);
        }
        Ok(())
    }

    /// True if it is the file of the store itself that is not in its place, as far as was seen. Its
    /// log is then the one that was opened, if there is one.
    pub(super) fn store_is_lost(&self) -> bool {
        let store = self.files.first().map(|(path, _)| path);
        matches!(&*self.lost.borrow(), Some(Error::Lost { path, .. }) if Some(path) == store)
    }

    /// Tells when a file is not in its place any more.
    pub(super) fn lost(&self) -> watch::Receiver<Option<Error>> {
        self.lost.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rusqlite::Connection;

    use super::super::database::Database;
    use super::*;

    const STORE: &str = "default";

    struct Opened {
        folder: tempfile::TempDir,
        path: PathBuf,
        database: Database,
    }

    /// A store with an acknowledged value, and a backup of before beside it.
    async fn opened() -> Opened {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/store.db");
        let database = Database::open(path.clone()).unwrap();
        let backup = folder.path().join("backup.db");
        let copy = Connection::open(&path).unwrap();
        copy.execute("VACUUM INTO ?1", [backup.to_str().unwrap()])
            .unwrap();
        database.set(STORE, pair()).await.unwrap();
        Opened {
            folder,
            path,
            database,
        }
    }

    fn pair() -> Vec<(String, Vec<u8>)> {
        vec![("a".to_owned(), b"1".to_vec())]
    }

    fn beside(path: &Path, end: &str) -> PathBuf {
        PathBuf::from(format!("{}{end}", path.display()))
    }

    /// Changes the files of an open store, and gives the file and the loss that are reported. Nothing may
    /// be acknowledged.
    async fn after(what: impl FnOnce(&Opened)) -> (String, Loss) {
        let opened = opened().await;
        what(&opened);
        let Err(Error::Lost { path, loss }) = opened.database.set(STORE, pair()).await else {
            panic!("a write was acknowledged");
        };
        let write = opened.database.increment(STORE, "n".to_owned(), 1).await;
        assert!(matches!(write, Err(Error::Lost { .. })), "{write:?}");
        let read = opened.database.get(STORE, "a").await;
        assert!(matches!(read, Err(Error::Lost { .. })), "{read:?}");
        let name = path.file_name().unwrap().to_str().unwrap();
        (name.to_owned(), loss)
    }

    #[tokio::test]
    async fn nothing_is_acknowledged_once_the_file_is_not_in_its_place() {
        let state = |opened: &Opened| opened.path.parent().unwrap().to_owned();
        let backup = |opened: &Opened| opened.folder.path().join("backup.db");
        let lost = |name: &str, loss| (name.to_owned(), loss);

        let replaced = after(|store| fs::rename(backup(store), &store.path).unwrap()).await;
        assert_eq!(replaced, lost("store.db", Loss::Replaced));
        let deleted = after(|store| fs::remove_file(&store.path).unwrap()).await;
        assert_eq!(deleted, lost("store.db", Loss::Gone));
        let moved = after(|store| {
            fs::rename(state(store), store.folder.path().join("elsewhere")).unwrap();
        });
        assert_eq!(moved.await, lost("store.db", Loss::Gone));
        // As where another disk is mounted in its place.
        let another = after(|store| {
            fs::rename(state(store), store.folder.path().join("elsewhere")).unwrap();
            fs::create_dir(state(store)).unwrap();
            fs::copy(backup(store), &store.path).unwrap();
        });
        assert_eq!(another.await, lost("store.db", Loss::Replaced));
        let no_folder = after(|store| {
            fs::rename(state(store), store.folder.path().join("elsewhere")).unwrap();
            fs::write(state(store), "").unwrap();
        });
        assert_eq!(no_folder.await, lost("store.db", Loss::Gone));

        for end in ["-wal", "-shm"] {
            let name = format!("store.db{end}");
            let deleted = after(|store| fs::remove_file(beside(&store.path, end)).unwrap()).await;
            assert_eq!(deleted, lost(&name, Loss::Gone));
            let replaced = after(|store| {
                let new = store.folder.path().join("new");
                fs::write(&new, "").unwrap();
                fs::rename(&new, beside(&store.path, end)).unwrap();
            });
            assert_eq!(replaced.await, lost(&name, Loss::Replaced));
        }
    }

    #[tokio::test]
    async fn a_file_that_is_put_back_in_its_place_is_not_believed_again() {
        let Opened {
            folder,
            path,
            database,
        } = opened().await;
        let away = folder.path().join("away.db");
        fs::rename(&path, &away).unwrap();
        database.set(STORE, pair()).await.unwrap_err();
        fs::rename(&away, &path).unwrap();
        database.set(STORE, pair()).await.unwrap_err();
        database.get(STORE, "a").await.unwrap_err();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_during_which_the_file_was_replaced_is_not_acknowledged() {
        let store = opened().await;
        let other = Connection::open(&store.path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let database = store.database.clone();
        let write = tokio::spawn(async move { database.set(STORE, pair()).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!write.is_finished(), "it waits for the other's transaction");
        fs::rename(store.folder.path().join("backup.db"), &store.path).unwrap();
        other.execute_batch("COMMIT").unwrap();
        let answer = write.await.unwrap();
        assert!(matches!(answer, Err(Error::Lost { .. })), "{answer:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_loss_is_told_without_any_call_and_says_what_to_do() {
        let store = opened().await;
        let mut lost = store.database.lost();
        fs::remove_file(&store.path).unwrap();
        let told = lost.wait_for(Option::is_some);
        let told = tokio::time::timeout(Duration::from_secs(5), told).await;
        let told = told.unwrap().unwrap().clone().unwrap().to_string();
        for part in ["store.db is gone", "start it again"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[tokio::test]
    async fn the_file_that_was_moved_away_has_everything_and_the_backup_is_as_it_was() {
        let Opened {
            folder,
            path,
            database,
        } = opened().await;
        let away = folder.path().join("away.db");
        fs::rename(&path, &away).unwrap();
        fs::rename(folder.path().join("backup.db"), &path).unwrap();
        database.set(STORE, pair()).await.unwrap_err();
        drop(database);
        let entries = |path: &Path| -> i64 {
            let connection = Connection::open(path).unwrap();
            let count = "SELECT count(*) FROM spin_key_value";
            connection.query_row(count, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(entries(&away), 1);
        assert_eq!(entries(&path), 0);
    }

    #[tokio::test]
    async fn a_file_behind_a_link_is_watched_there() {
        let store = opened().await;
        let link = store.folder.path().join("link.db");
        std::os::unix::fs::symlink(&store.path, &link).unwrap();
        let database = Database::open(link.clone()).unwrap();
        database.set(STORE, pair()).await.unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(store.folder.path().join("backup.db"), &link).unwrap();
        database.set(STORE, pair()).await.unwrap_err();
        store.database.set(STORE, pair()).await.unwrap();
    }

    #[tokio::test]
    async fn another_host_that_comes_and_goes_takes_nothing_away() {
        let store = opened().await;
        for _ in 0..3 {
            let other = Database::open(store.path.clone()).unwrap();
            other.set(STORE, pair()).await.unwrap();
            drop(other);
            store.database.set(STORE, pair()).await.unwrap();
        }
        // Nor does a tool that empties the log.
        let tool = Connection::open(&store.path).unwrap();
        let emptied = tool.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        emptied.unwrap();
        drop(tool);
        store.database.set(STORE, pair()).await.unwrap();
        assert!(store.database.get(STORE, "a").await.unwrap().is_some());
    }
}
