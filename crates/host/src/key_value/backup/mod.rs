//! A copy of the stores of a file or a server, taken while they are in use, and put back, also where
//! another engine keeps them.
//!
//! A backup is a database of SQLite like the host's own, with one more table that describes its content:
//! the number of keys and of bytes, and a SHA-256 over all of them. So any tool for SQLite reads it, and
//! a restore can check that it is whole. It is the same from every engine.

mod check;
mod claim;
mod error;
mod from_server;
mod held;
mod part;
mod rdb;
mod reader;
mod restore;
mod server;
mod snapshot;
mod to_server;

use std::{fs, path::Path, time::Duration};

use super::database::TABLE;
use rusqlite::{Connection, OpenFlags, params};

pub use check::{Backup, check};
pub use error::BackupError;
pub use from_server::back_up_from;
pub use reader::{Reader, is_database};
pub use restore::{Prepared, prepare, restore};
pub use server::{Books, Server};
pub use to_server::restore_to;

use check::{NOTE, VERSION, has_only_books, strip};
use error::sqlite;
use held::Held;
use part::Part;

/// The time to wait for other transactions to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Takes a copy of all stores of `database` into `backup`, as they are at one moment, and gives its
/// description. Users of the stores go on meanwhile. `made_at` is kept in it. `progress` is told the
/// bytes of the copy so far, and about how many there will be.
///
/// # Errors
/// [`BackupError`]; then there is no file `backup`.
pub fn back_up(
    database: &Path,
    backup: &Path,
    made_at: &str,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Backup, BackupError> {
    if backup.exists() {
        return Err(BackupError::Exists(backup.to_owned()));
    }
    if !database.is_file() {
        return Err(BackupError::Absent(database.to_owned()));
    }
    let part = Part::beside(backup)?;
    copy(database, &part.0, &progress)?;
    seal(part, backup, made_at)
}

/// Reads a copy as it is in its file, adds its description, and gives it its name.
fn seal(part: Part, backup: &Path, made_at: &str) -> Result<Backup, BackupError> {
    let at = |source| sqlite(&part.0, source);
    let copied = Connection::open(&part.0).map_err(at)?;
    strip(&copied).map_err(at)?;
    let held = Held::of(&copied).map_err(at)?;
    let made = Backup {
        made_at: made_at.to_owned(),
        keys: held.keys,
        bytes: held.bytes,
        sha256: held.sha256,
    };
    copied.execute_batch(NOTE).map_err(at)?;
    has_only_books(&copied, &part.0)?;
    let row = params![VERSION, made.made_at, made.keys, made.bytes, made.sha256];
    copied
        .execute("INSERT INTO backup VALUES (?1, ?2, ?3, ?4, ?5)", row)
        .map_err(at)?;
    copied.close().map_err(|(_, source)| at(source))?;
    part.take_place(backup)?;
    Ok(made)
}

/// Copies a database as it is at one moment: by one reading transaction, which holds up nobody where
/// the file has a write-ahead log.
fn copy(from: &Path, to: &Path, progress: &(impl Fn(u64, u64) + Sync)) -> Result<(), BackupError> {
    let at = |source| sqlite(from, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(at)?;
    source.busy_timeout(BUSY_TIMEOUT).map_err(at)?;
    let size = |file: &Path| fs::metadata(file).map_or(0, |data| data.len());
    let total = size(from);
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let pause = Duration::from_millis(200);
            while is_done.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                progress(size(to), total);
            }
        });
        let copied = source.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
        drop(done);
        copied.map_err(at)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{super::Database, part::beside, *};

    const STORE: &str = "default";

    async fn fill(database: &Database, from: u32, to: u32) {
        for n in from..to {
            let pairs = vec![(format!("key/{n}"), n.to_string().into_bytes())];
            database.set(STORE, pairs).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_backed_up_while_it_is_written_is_put_back_as_it_was_at_one_moment() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
        let database = Database::open(&file).unwrap();
        fill(&database, 0, 100).await;
        // Records that are only in the log are in it too, and writers go on.
        let writer = tokio::spawn({
            let database = database.clone();
            async move { fill(&database, 100, 400).await }
        });
        let (from, to) = (file.clone(), copy.clone());
        let made = tokio::task::spawn_blocking(move || back_up(&from, &to, "now", |_, _| {}));
        let made = made.await.unwrap().unwrap();
        writer.await.unwrap();
        assert!(made.keys >= 100, "{made:?}");
        assert_eq!(check(&copy).unwrap(), made);
        let mode = fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let other = folder.path().join("restored/b.db");
        assert_eq!(restore(&copy, &other, |_, _| {}).unwrap(), made);
        let restored = Database::open(&other).unwrap();
        let mut keys = restored.keys(STORE).await.unwrap();
        assert_eq!(keys.len() as i64, made.keys);
        keys.sort_by_key(|key| key[4..].parse::<i64>().unwrap());
        let expected: Vec<_> = (0..made.keys).map(|n| format!("key/{n}")).collect();
        assert_eq!(keys, expected, "those that were written first");
        for entry in fs::read_dir(folder.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.contains(".part"), "{name}");
        }
    }

    #[tokio::test]
    async fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
        let database = Database::open(&file).unwrap();
        fill(&database, 0, 3).await;
        let first = back_up(&file, &copy, "now", |_, _| {}).unwrap();
        let again = back_up(&file, &copy, "later", |_, _| {});
        assert!(matches!(again, Err(BackupError::Exists(of)) if of == copy));
        let onto = restore(&copy, &file, |_, _| {});
        assert!(matches!(onto, Err(BackupError::Exists(_))));
        drop(database);
        // A log that is left would be replayed into the restored database.
        fs::remove_file(&file).unwrap();
        fs::write(beside(&file, "-wal"), "").unwrap();
        let beside_log = restore(&copy, &file, |_, _| {});
        assert!(matches!(beside_log, Err(BackupError::Exists(_))));
        assert_eq!(check(&copy).unwrap(), first);
        let absent = back_up(
            &folder.path().join("no.db"),
            &folder.path().join("b.db"),
            "",
            |_, _| {},
        );
        assert!(matches!(absent, Err(BackupError::Absent(_))));
    }

    #[tokio::test]
    async fn what_others_have_added_to_a_store_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
        let database = Database::open(&file).unwrap();
        fill(&database, 0, 3).await;
        let added = "CREATE TABLE \"a \"\"b\" (n INTEGER PRIMARY KEY, m UNIQUE);
            CREATE VIEW v AS SELECT key FROM spin_key_value;
            CREATE INDEX i ON spin_key_value (key);
            CREATE TRIGGER t AFTER DELETE ON spin_key_value BEGIN SELECT 1; END;
            ANALYZE;";
        Connection::open(&file)
            .unwrap()
            .execute_batch(added)
            .unwrap();
        let made = back_up(&file, &copy, "now", |_, _| {}).unwrap();
        assert_eq!(made.keys, 3);
        assert_eq!(check(&copy).unwrap(), made);
    }

    #[tokio::test]
    async fn what_is_damaged_or_no_backup_is_not_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
        let database = Database::open(&file).unwrap();
        fill(&database, 0, 50).await;
        back_up(&file, &copy, "now", |_, _| {}).unwrap();
        assert!(matches!(check(&file), Err(BackupError::NotABackup(_))));
        let whole = fs::read(&copy).unwrap();
        let change = |sql: &str| Connection::open(&copy).unwrap().execute_batch(sql).unwrap();
        for (sql, detail) in [
            ("DELETE FROM spin_key_value WHERE key = 'key/7'", "49 keys"),
            (
                "UPDATE spin_key_value SET value = x'38' WHERE key = 'key/7'",
                "SHA-256",
            ),
            (
                "UPDATE spin_key_value SET key = 'key/7x', value = x'' WHERE key = 'key/7'",
                "SHA-256",
            ),
            (
                "CREATE TRIGGER t AFTER INSERT ON spin_key_value BEGIN
                     DELETE FROM spin_key_value WHERE key = NEW.key; END",
                "the trigger t",
            ),
            ("CREATE VIEW v AS SELECT 1", "the view v"),
            ("CREATE TABLE t (n)", "the table t"),
            (
                "CREATE UNIQUE INDEX i ON spin_key_value (key)",
                "the index i",
            ),
            (
                "ALTER TABLE spin_key_value ADD COLUMN n DEFAULT 7",
                "the table spin_key_value",
            ),
        ] {
            change(sql);
            let error = check(&copy).unwrap_err();
            assert!(error.to_string().contains(detail), "{sql}: {error}");
            let restored = restore(&copy, &folder.path().join("b.db"), |_, _| {});
            assert!(
                matches!(restored, Err(BackupError::Damaged { .. })),
                "{sql}"
            );
            fs::write(&copy, &whole).unwrap();
        }
        change("UPDATE backup SET version = 2");
        assert!(matches!(check(&copy), Err(BackupError::Later(_))));
        fs::write(&copy, &whole[..whole.len() / 2]).unwrap();
        assert!(check(&copy).is_err());
        fs::write(&copy, "no database at all").unwrap();
        assert!(check(&copy).is_err());
        assert!(!folder.path().join("b.db").exists());
    }
}
