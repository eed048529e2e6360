//! Keys and values in SQLite, in the table and file that Spin uses.
//!
//! Reads run on a few connections of their own, writes on one thread that commits all waiting writes in a
//! single transaction ([`writer`](super::writer)). The write-ahead log lets readers go on during a
//! commit; with `synchronous=FULL` an acknowledged write survives the death of the process and of the
//! machine. The journal mode stays with the file, and Spin works with it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::error::{CALL_TIME, Error};
use super::place::{Identity, Place};
use super::writer::{Change, Write, Writer};

/// The time for which a statement waits for another process, such as Spin itself, to end its transaction.
/// Shorter, so that the reason is told that SQLite has.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// Spin's own table.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS spin_key_value (
                 store TEXT NOT NULL,
                 key   TEXT NOT NULL,
                 value BLOB NOT NULL,

                 PRIMARY KEY (store, key)
             )";

/// Connections kept for reading; more are opened and closed as needed.
const IDLE_READERS: usize = 4;

/// A file of stores. Clones share it.
#[derive(Clone)]
pub struct Database {
    place: Arc<Place>,
    readers: Arc<Readers>,
    writer: Arc<Writer>,
}

impl Database {
    /// Opens the file, and makes the folder, the file and the table if they are missing: folder and files for
    /// their owner alone.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        if let Some(folder) = path.parent() {
            let mut made = DirBuilder::new();
            let made = made.recursive(true).mode(0o700).create(folder);
            made.map_err(|source| Error::Folder {
                path: folder.to_owned(),
                source: Arc::new(source),
            })?;
        }
        // SQLite would let others read it, and gives the files beside it the same rights. If it cannot be made, that is
        // told by SQLite; if it is there, its rights are somebody's choice.
        let mut file = OpenOptions::new();
        let _ = file.write(true).create_new(true).mode(0o600).open(&path);
        let before = Identity::of(&path).ok();
        let connection = connect(&path, OpenFlags::default())?;
        // SQLite answers with the mode it could take; any is durable, the log is only the faster
        // one.
        connection.query_row("PRAGMA journal_mode = wal", [], |_| Ok(()))?;
        connection.execute_batch(TABLE)?;
        let place = Arc::new(Place::of(&connection, &path, before)?);
        Ok(Self {
            readers: Arc::new(Readers {
                path,
                place: Arc::clone(&place),
                idle: Mutex::default(),
            }),
            writer: Arc::new(Writer::start(connection, Arc::clone(&place))?),
            place,
        })
    }

    /// True if a file of SQLite has a write-ahead log, by its header: it is not opened as a database, so
    /// nothing is made beside it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn has_log(path: &Path) -> std::io::Result<bool> {
        // The versions of the format for writing and for reading ("Database File Format", 1.3.3).
        let mut header = [0; 20];
        std::fs::File::open(path)?.read_exact(&mut header)?;
        Ok(header.ends_with(&[2, 2]))
    }

    /// Gives a file a write-ahead log, which stays with it. Others may use the file meanwhile.
    ///
    /// # Errors
    /// If there is no such file, or SQLite cannot: others are in the middle of something, or the disk is
    /// one of the network.
    pub fn keep_log(path: &Path) -> Result<(), Error> {
        let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connect(path, flags)?;
        let ask = "PRAGMA journal_mode = wal";
        let mode: String = connection.query_row(ask, [], |row| row.get(0))?;
        match mode.as_str() {
            "wal" => Ok(()),
            _ => Err(Error::NoLog(mode)),
        }
    }

    /// Gets [`Error::Lost`] when the file is not in its place any more. It is looked at with every
    /// call, and every second.
    pub fn lost(&self) -> watch::Receiver<Option<Error>> {
        self.place.lost()
    }

    /// The value of a key.
    pub async fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let (store, key) = (store.to_owned(), key.to_owned());
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2")?
                .query_row([store, key], |row| row.get(0))
                .optional()
        })
        .await
    }

    /// True if a key has a value.
    pub async fn exists(&self, store: &str, key: &str) -> Result<bool, Error> {
        let (store, key) = (store.to_owned(), key.to_owned());
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT 1 FROM spin_key_value WHERE store = ?1 AND key = ?2")?
                .exists([store, key])
        })
        .await
    }

    /// All keys of a store, in no order.
    pub async fn keys(&self, store: &str) -> Result<Vec<String>, Error> {
        let store = store.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")?
                .query_map([store], |row| row.get(0))?
                .collect()
        })
        .await
    }

    /// The values of those keys that have one, in no order, each key once.
    pub async fn get_many(
        &self,
        store: &str,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let store = store.to_owned();
        self.read(move |connection| {
            let keys: Vec<Value> = keys.into_iter().map(Value::from).collect();
            connection
                .prepare_cached(
                    "SELECT key, value FROM spin_key_value WHERE store = ?1 AND key IN rarray(?2)",
                )?
                .query_map(params![store, Rc::new(keys)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect()
        })
        .await
    }

    /// Sets values, all or none of them.
    pub async fn set(&self, store: &str, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        self.write(store, Change::Set(pairs)).await.map(drop)
    }

    /// Deletes keys, all or none of them; those that are absent do not matter.
    pub async fn delete(&self, store: &str, keys: Vec<String>) -> Result<(), Error> {
        self.write(store, Change::Delete(keys)).await.map(drop)
    }

    /// Adds to a counter, which is 0 while absent, and gives its new value. Counters are 8 bytes,
    /// little-endian, signed.
    pub async fn increment(&self, store: &str, key: String, delta: i64) -> Result<i64, Error> {
        self.write(store, Change::Increment { key, delta }).await
    }

    async fn write(&self, store: &str, change: Change) -> Result<i64, Error> {
        let (answer, answered) = oneshot::channel();
        let write = Write {
            store: store.to_owned(),
            change,
            answer,
        };
        self.writer.send(write)?;
        let answered = timeout(CALL_TIME, answered).await;
        answered
            .map_err(|_| Error::Slow)?
            .map_err(|_| Error::Closed)?
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let readers = self.readers.clone();
        let (asks, given_up) = oneshot::channel::<()>();
        let reading = tokio::task::spawn_blocking(move || {
            // A call that waits for a disk that hangs leaves a thread behind; later calls shall not wait
            // there as well.
            match asks.is_closed() {
                true => Err(Error::Slow),
                false => readers.read(query),
            }
        });
        let read = timeout(CALL_TIME, reading).await;
        drop(given_up);
        read.map_err(|_| Error::Slow)?.map_err(|_| Error::Closed)?
    }
}

/// Connections that only read.
struct Readers {
    path: PathBuf,
    place: Arc<Place>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        self.place.check()?;
        let connection = match kept {
            Some(connection) => connection,
            None => {
                // A file that is gone must not be made anew.
                let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_CREATE;
                let connection = connect(&self.path, flags)?;
                connection.pragma_update(None, "query_only", true)?;
                rusqlite::vtab::array::load_module(&connection)?;
                connection
            }
        };
        let result = query(&connection);
        // A connection that was opened a moment ago may have another file.
        self.place.check()?;
        let result = result?;
        let mut idle = idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        Ok(result)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Overwritten data is removed from the file too, and does not linger in its free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STORE: &str = "default";

    fn temporary() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".spin").join("sqlite_key_value.db");
        (folder, path)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect()
    }

    fn owned(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|&key| key.to_owned()).collect()
    }

    #[tokio::test]
    async fn what_is_written_over_is_nowhere_in_the_file() {
        let (_folder, path) = temporary();
        let database = Database::open(path.clone()).unwrap();
        let secret = "Ion Țurcanu ".repeat(1000);
        database.set(STORE, pairs(&[("a", &secret)])).await.unwrap();
        database.set(STORE, pairs(&[("a", "-")])).await.unwrap();
        drop(database);
        for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let name = "Ion Țurcanu".as_bytes();
            assert!(!bytes.windows(name.len()).any(|part| part == name));
        }
    }

    #[tokio::test]
    async fn a_store_is_made_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = temporary();
        let database = Database::open(path.clone()).unwrap();
        database.set(STORE, pairs(&[("a", "1")])).await.unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let folder = path.parent().unwrap();
        assert_eq!(mode(folder), 0o700);
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
        assert_eq!(files.len(), 3, "{files:?}");
        for file in files {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        // Rights that somebody has given stay.
        drop(database);
        let shared = PermissionsExt::from_mode(0o640);
        std::fs::set_permissions(&path, shared).unwrap();
        drop(Database::open(path.clone()).unwrap());
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    fn a_file_keeps_the_log_that_it_is_given_while_another_has_it_open() {
        let (folder, path) = temporary();
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        let others = Connection::open(&path).unwrap();
        others.execute_batch(TABLE).unwrap();
        assert!(!Database::has_log(&path).unwrap());
        Database::keep_log(&path).unwrap();
        assert!(Database::has_log(&path).unwrap());
        // A process that has it open changes to the log with the next statement.
        let write = "INSERT INTO spin_key_value VALUES ('default', 'a', '1')";
        others.execute_batch(write).unwrap();
        let log = path.with_extension("db-wal");
        assert!(std::fs::metadata(log).unwrap().len() > 0);
        let nowhere = folder.path().join("nowhere.db");
        assert!(Database::keep_log(&nowhere).is_err() && !nowhere.exists());
    }

    #[tokio::test]
    async fn what_is_set_is_read_until_it_is_deleted() {
        let (_folder, path) = temporary();
        let database = Database::open(path).unwrap();
        assert_eq!(database.get(STORE, "a").await.unwrap(), None);
        database.set(STORE, pairs(&[("a", "1")])).await.unwrap();
        database
            .set(STORE, pairs(&[("a", "2"), ("b", "")]))
            .await
            .unwrap();
        assert_eq!(database.get(STORE, "a").await.unwrap(), Some(b"2".to_vec()));
        assert!(database.exists(STORE, "b").await.unwrap());
        database
            .delete(STORE, owned(&["a", "absent"]))
            .await
            .unwrap();
        assert!(!database.exists(STORE, "a").await.unwrap());
        assert_eq!(database.keys(STORE).await.unwrap(), ["b"]);
    }

    #[tokio::test]
    async fn stores_of_one_file_do_not_see_each_other() {
        let (_folder, path) = temporary();
        let database = Database::open(path).unwrap();
        database.set("a", pairs(&[("key", "of a")])).await.unwrap();
        database.set("b", pairs(&[("key", "of b")])).await.unwrap();
        database.delete("b", owned(&["key"])).await.unwrap();
        assert_eq!(
            database.get("a", "key").await.unwrap(),
            Some(b"of a".to_vec())
        );
        assert_eq!(database.get("b", "key").await.unwrap(), None);
        assert!(database.keys("b").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn many_values_are_read_at_once_and_absent_keys_left_out() {
        let (_folder, path) = temporary();
        let database = Database::open(path).unwrap();
        database
            .set(STORE, pairs(&[("a", "1"), ("b", "2"), ("c", "3")]))
            .await
            .unwrap();
        let mut found = database
            .get_many(STORE, owned(&["c", "absent", "a", "a"]))
            .await
            .unwrap();
        found.sort();
        assert_eq!(found, pairs(&[("a", "1"), ("c", "3")]));
    }

    #[tokio::test]
    async fn a_counter_starts_at_zero_and_is_eight_bytes_little_endian() {
        let (_folder, path) = temporary();
        let database = Database::open(path).unwrap();
        let key = || "n".to_owned();
        assert_eq!(database.increment(STORE, key(), 258).await.unwrap(), 258);
        assert_eq!(database.increment(STORE, key(), -1).await.unwrap(), 257);
        assert_eq!(
            database.get(STORE, "n").await.unwrap(),
            Some(vec![1, 1, 0, 0, 0, 0, 0, 0])
        );
    }

    #[tokio::test]
    async fn a_value_that_is_no_counter_and_an_overflow_are_errors_and_change_nothing() {
        let (_folder, path) = temporary();
        let database = Database::open(path).unwrap();
        database.set(STORE, pairs(&[("text", "12")])).await.unwrap();
        assert!(matches!(
            database.increment(STORE, "text".to_owned(), 1).await,
            Err(Error::NotACounter { length: 2, .. })
        ));
        assert_eq!(
            database.get(STORE, "text").await.unwrap(),
            Some(b"12".to_vec())
        );
        database
            .increment(STORE, "n".to_owned(), i64::MAX)
            .await
            .unwrap();
        assert!(matches!(
            database.increment(STORE, "n".to_owned(), 1).await,
            Err(Error::CounterOverflow { .. })
        ));
        assert_eq!(
            database.increment(STORE, "n".to_owned(), -1).await.unwrap(),
            i64::MAX - 1
        );
    }

    #[tokio::test]
    async fn a_counter_cannot_leave_its_range_downwards_either() {
        let (_folder, path) = temporary();
        let database = Database::open(path).unwrap();
        let add = |delta| database.increment(STORE, "n".to_owned(), delta);
        assert_eq!(add(i64::MIN).await.unwrap(), i64::MIN);
        for delta in [-1, i64::MIN] {
            assert!(matches!(
                add(delta).await,
                Err(Error::CounterOverflow { .. })
            ));
        }
        assert_eq!(add(i64::MAX).await.unwrap(), -1);
        assert_eq!(add(i64::MAX).await.unwrap(), i64::MAX - 1);
    }

    /// A call that takes several numbers at once has those up to the new value, and no other call has any
    /// of them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn numbers_taken_many_at_once_by_two_hosts_are_each_taken_once() {
        let (_folder, path) = temporary();
        let hosts = [
            Database::open(path.clone()).unwrap(),
            Database::open(path).unwrap(),
        ];
        let deltas: Vec<i64> = (0..120).map(|n| 1 + n % 7).collect();
        let tasks: Vec<_> = deltas
            .iter()
            .enumerate()
            .map(|(n, &delta)| {
                let database = hosts[n % 2].clone();
                tokio::spawn(async move {
                    let last = database.increment(STORE, "n".to_owned(), delta).await;
                    (delta, last.unwrap())
                })
            })
            .collect();
        let mut taken = BTreeSet::new();
        for task in tasks {
            let (delta, last) = task.await.unwrap();
            for number in last - delta + 1..=last {
                assert!(taken.insert(number), "{number} was taken twice");
            }
        }
        assert_eq!(taken, (1..=deltas.iter().sum()).collect());
    }

    /// The variable that tells another process which file to lock.
    const LOCK: &str = "TEST_LOCKS_THIS_STORE";

    /// The other process of the next test: has a transaction until its input ends.
    #[test]
    #[ignore = "is started by another test"]
    fn locks_a_store() {
        let Some(path) = std::env::var_os(LOCK).map(PathBuf::from) else {
            return;
        };
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        std::fs::write(path.with_extension("locked"), "").unwrap();
        let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn while_another_process_has_the_lock_calls_end_in_errors_and_reads_go_on() {
        use std::process::{Command, Stdio};
        use std::time::Instant;

        let (_folder, path) = temporary();
        let database = Database::open(path.clone()).unwrap();
        database.set(STORE, pairs(&[("a", "1")])).await.unwrap();
        let test = format!("{}::locks_a_store", module_path!());
        let test = test.split_once("::").unwrap().1;
        let mut other = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", test])
            .env(LOCK, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !path.with_extension("locked").exists() {
            assert!(other.try_wait().unwrap().is_none(), "it locks nothing");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }

        // The second comes while the first waits for the lock, and has to wait for it too.
        let writes = (0..2_u32).map(|n| {
            let database = database.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1) * n).await;
                let asked = Instant::now();
                let write = database.increment(STORE, "n".to_owned(), 1).await;
                (write, asked.elapsed())
            })
        });
        let writes: Vec<_> = writes.collect();
        let read = database.get(STORE, "a").await.unwrap();
        assert_eq!(read, Some(b"1".to_vec()));
        let mut reasons = Vec::new();
        for write in writes {
            let (write, took) = write.await.unwrap();
            assert!(took < CALL_TIME + Duration::from_secs(1), "{took:?}");
            reasons.push(write.unwrap_err().to_string());
        }
        assert!(reasons[0].contains("locked"), "{reasons:?}");
        assert!(
            reasons[1].contains("did not answer within 5 s"),
            "{reasons:?}"
        );

        drop(other.stdin.take());
        other.wait().unwrap();
        database.set(STORE, pairs(&[("a", "2")])).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_that_was_given_up_before_its_turn_is_not_made() {
        let (_folder, path) = temporary();
        let database = Database::open(path.clone()).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let first = database.clone();
        let first = tokio::spawn(async move { first.set(STORE, pairs(&[("a", "1")])).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let given_up = database.increment(STORE, "n".to_owned(), 1);
        let given_up = timeout(Duration::from_millis(50), given_up).await;
        assert!(given_up.is_err(), "the first has the turn");
        other.execute_batch("COMMIT").unwrap();
        first.await.unwrap().unwrap();
        let count = database.increment(STORE, "n".to_owned(), 1).await.unwrap();
        assert_eq!(count, 1);
    }

    #[tokio::test]
    async fn one_bad_write_does_not_spoil_those_committed_with_it() {
        let (_folder, path) = temporary();
        let database = Database::open(path).unwrap();
        database.set(STORE, pairs(&[("text", "12")])).await.unwrap();
        let tasks: Vec<_> = (0..40)
            .map(|n| {
                let database = database.clone();
                let key = if n % 2 == 0 { "text" } else { "n" };
                tokio::spawn(
                    async move { database.increment(STORE, key.to_owned(), 1).await.is_ok() },
                )
            })
            .collect();
        let mut succeeded = 0;
        for task in tasks {
            succeeded += i64::from(task.await.unwrap());
        }
        assert_eq!(succeeded, 20);
        assert_eq!(
            database.increment(STORE, "n".to_owned(), 0).await.unwrap(),
            20
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn two_hosts_on_one_file_lose_no_increment() {
        const EACH: i64 = 60;
        let (_folder, path) = temporary();
        let hosts = [
            Database::open(path.clone()).unwrap(),
            Database::open(path).unwrap(),
        ];
        let tasks: Vec<_> = (0..4 * EACH)
            .map(|n| {
                let database = hosts[usize::from(n % 2 == 0)].clone();
                tokio::spawn(async move {
                    let index = database.increment(STORE, "n".to_owned(), 1).await.unwrap();
                    database
                        .set(STORE, pairs(&[(&format!("n/{index}"), "x")]))
                        .await
                        .unwrap();
                    index
                })
            })
            .collect();
        let mut indices = BTreeSet::new();
        for task in tasks {
            indices.insert(task.await.unwrap());
        }
        assert_eq!(indices, (1..=4 * EACH).collect());
        let keys = hosts[0].keys(STORE).await.unwrap();
        assert_eq!(keys.len(), 4 * 60 + 1);
    }

    #[tokio::test]
    async fn everything_acknowledged_is_there_after_opening_again() {
        let (_folder, path) = temporary();
        for round in 0..3 {
            let database = Database::open(path.clone()).unwrap();
            assert_eq!(database.keys(STORE).await.unwrap().len(), round);
            database
                .set(STORE, pairs(&[(&round.to_string(), "x")]))
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn the_last_handle_to_a_file_leaves_no_log_behind() {
        let (_folder, path) = temporary();
        let database = Database::open(path.clone()).unwrap();
        database.set(STORE, pairs(&[("a", "1")])).await.unwrap();
        database.get(STORE, "a").await.unwrap();
        let log = path.with_extension("db-wal");
        assert!(log.exists());
        drop(database);
        assert!(!log.exists());
    }

    #[tokio::test]
    async fn a_file_made_by_spin_is_taken_over() {
        let (_folder, path) = temporary();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let spin = Connection::open(&path).unwrap();
        spin.execute_batch(
            "CREATE TABLE spin_key_value (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key));
             INSERT INTO spin_key_value VALUES ('default', 'a', x'01');",
        )
        .unwrap();
        let database = Database::open(path).unwrap();
        assert_eq!(database.get(STORE, "a").await.unwrap(), Some(vec![1]));
        database.set(STORE, pairs(&[("b", "2")])).await.unwrap();
        let count: i64 = spin
            .query_row("SELECT count(*) FROM spin_key_value", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 2);
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error() {
        let (_folder, path) = temporary();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(
            &path,
            "certainly not a database, but long enough to look at".repeat(20),
        )
        .unwrap();
        assert!(matches!(Database::open(path), Err(Error::Sqlite(_))));
    }
}
