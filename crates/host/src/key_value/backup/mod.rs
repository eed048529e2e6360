//! A copy of the stores of a file or a server, taken while they are in use, and put back, also where
//! another engine keeps them.
//!
//! A backup is a database of SQLite as the host's own, with one table more that says what it must
//! hold: how many keys, how many bytes, and a SHA-256 over all of them. So any tool for SQLite reads it,
//! and whoever puts it back knows that it is whole. It is the same whatever it was taken of.

mod rdb;
mod server;
mod snapshot;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::database::TABLE;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use sha2::{Digest, Sha256};

pub use server::{Books, Server, back_up_from, restore_to};

/// How long to wait for others to end what they are at.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// The form of the table `backup`, and of what its SHA-256 is over.
const VERSION: u32 = 1;
/// The table of the stores.
const STORES: &str = "spin_key_value";
/// The table that says what the file must hold.
const NOTE: &str = "CREATE TABLE backup (version INTEGER NOT NULL, made_at TEXT NOT NULL,
                 keys INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL)";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// When it was taken, as given.
    pub made_at: String,
    /// Keys that have a value.
    pub keys: i64,
    /// Bytes of keys and values.
    pub bytes: i64,
    /// SHA-256 over stores, keys and values in their order, each after its length, in hexadecimal.
    pub sha256: String,
}

/// Why there is no backup, or it is not put back.
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
    /// It does not hold what it says.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that is known.
        detail: String,
    },
    /// The server failed.
    #[error("{server}: {reason}")]
    Server {
        /// Its address, without anything secret.
        server: String,
        /// What it said.
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
        /// What it said.
        reason: String,
    },
    /// It was said that nobody writes, and somebody does.
    #[error("{0} was written to while it was read: stop every host first")]
    Written(String),
    /// It would be written over.
    #[error("{0} is not empty; nothing is written over")]
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
        /// Why.
        source: Box<BackupError>,
    },
    /// Another backup is put back there in part.
    #[error(
        "{0} holds a part of other books: put the same backup back as before, which goes on where that was; or empty \
         it (FLUSHDB), and begin anew"
    )]
    OtherHalf(String),
    /// Another run has gone on where this one was.
    #[error("another `mpay restore` has taken over at {0}; this one writes nothing more")]
    TakenOver(String),
    /// SQLite failed.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Takes a copy of all stores of `database` into `backup`, as they are at one moment, and gives what it
/// holds. Whoever uses the stores goes on meanwhile. `made_at` is kept in it. `progress` is told the
/// bytes of the copy so far, and about how many they will be.
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

/// Reads a copy as it is in its file, notes what it must hold, and gives it its name.
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

/// What a backup holds, once all of it was read and is as it says.
///
/// # Errors
/// [`BackupError`] if it is none, or damaged.
pub fn check(backup: &Path) -> Result<Backup, BackupError> {
    if !backup.is_file() {
        return Err(BackupError::Absent(backup.to_owned()));
    }
    let at = |source| sqlite(backup, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(backup, flags).map_err(at)?;
    let damaged = |detail: String| BackupError::Damaged {
        path: backup.to_owned(),
        detail,
    };
    let is_one = connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'backup'")
        .and_then(|mut statement| statement.exists([]))
        .map_err(at)?;
    if !is_one {
        return Err(BackupError::NotABackup(backup.to_owned()));
    }
    let version = connection
        .query_row("SELECT version FROM backup", [], |row| row.get::<_, u32>(0))
        .optional()
        .map_err(at)?;
    match version {
        None => return Err(BackupError::NotABackup(backup.to_owned())),
        Some(version) if version > VERSION => return Err(BackupError::Later(backup.to_owned())),
        Some(_) => {}
    }
    has_only_books(&connection, backup)?;
    let said = connection
        .query_row(
            "SELECT made_at, keys, bytes, sha256 FROM backup",
            [],
            |row| {
                Ok(Backup {
                    made_at: row.get(0)?,
                    keys: row.get(1)?,
                    bytes: row.get(2)?,
                    sha256: row.get(3)?,
                })
            },
        )
        .map_err(at)?;
    let integrity: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(at)?;
    if integrity != "ok" {
        return Err(damaged(integrity));
    }
    let held = Held::of(&connection).map_err(at)?;
    if (held.keys, held.bytes) != (said.keys, said.bytes) {
        return Err(damaged(format!(
            "it holds {} keys and {} bytes instead of {} and {}",
            held.keys, held.bytes, said.keys, said.bytes
        )));
    }
    if held.sha256 != said.sha256 {
        return Err(damaged("its content has another SHA-256".to_owned()));
    }
    Ok(said)
}

/// A table, index, view or trigger of a database.
struct Object {
    kind: String,
    name: String,
    /// Absent of an index that a table brings.
    sql: Option<String>,
}

impl Object {
    fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        let mut read = connection.prepare("SELECT type, name, sql FROM sqlite_schema")?;
        let all = read.query_map([], |row| {
            Ok(Self {
                kind: row.get(0)?,
                name: row.get(1)?,
                sql: row.get(2)?,
            })
        })?;
        all.collect()
    }

    /// Whether a backup has it, and in this form.
    fn is_of_books(&self) -> bool {
        let bare = |sql: &str| sql.split_whitespace().collect::<String>();
        let made = match (self.kind.as_str(), self.name.as_str()) {
            ("table", STORES) => TABLE.replacen("IF NOT EXISTS ", "", 1),
            ("table", "backup") => NOTE.to_owned(),
            ("index", "sqlite_autoindex_spin_key_value_1") => return self.sql.is_none(),
            _ => return false,
        };
        self.sql
            .as_deref()
            .is_some_and(|sql| bare(sql) == bare(&made))
    }
}

/// Takes away what is not of the books, such as an index that somebody has added: it would come back
/// with them, and no SHA-256 is over it.
fn strip(connection: &Connection) -> rusqlite::Result<()> {
    for Object { kind, name, sql } in Object::all(connection)? {
        if name != STORES && sql.is_some() {
            let name = name.replace('"', "\"\"");
            connection.execute_batch(&format!("DROP {kind} IF EXISTS \"{name}\""))?;
        }
    }
    Ok(())
}

/// Whether there is nothing beside the books: a trigger would go on changing them where they are put
/// back.
fn has_only_books(connection: &Connection, backup: &Path) -> Result<(), BackupError> {
    let all = Object::all(connection).map_err(|source| sqlite(backup, source))?;
    match all.iter().find(|object| !object.is_of_books()) {
        None => Ok(()),
        Some(Object { kind, name, .. }) => Err(BackupError::Damaged {
            path: backup.to_owned(),
            detail: format!("it has the {kind} {name}, which `mpay backup` does not make so"),
        }),
    }
}

/// A backup whose values are read by their keys.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
}

impl Reader {
    /// That of a file, after a [`check`].
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

/// Whether a file is a database of SQLite, and so may be a backup.
pub fn is_database(file: &Path) -> bool {
    const BEGIN: &[u8; 16] = b"SQLite format 3\0";
    let mut begin = [0; BEGIN.len()];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *BEGIN
}

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

/// Copies a backup beside `database`, after a [`check`]. What is there stays as it is, so that nobody is
/// without books because there was no room for others.
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
        fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
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

/// Whether there is no database yet, nor what would be played into it.
fn is_free(database: &Path) -> Result<(), BackupError> {
    for end in ["", "-wal", "-shm"] {
        let file = beside(database, end);
        if file.exists() {
            return Err(BackupError::Exists(file));
        }
    }
    Ok(())
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

/// What a database holds.
#[derive(PartialEq, Eq)]
struct Held {
    keys: i64,
    bytes: i64,
    sha256: String,
}

impl Held {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection
            .prepare("SELECT store, key, value FROM spin_key_value ORDER BY store, key")?;
        let mut rows = statement.query([])?;
        let mut counted = Counted::default();
        while let Some(row) = rows.next()? {
            let part = |column| -> rusqlite::Result<&[u8]> { Ok(row.get_ref(column)?.as_bytes()?) };
            counted.add([part(0)?, part(1)?, part(2)?]);
        }
        Ok(counted.end())
    }
}

/// What was read so far.
#[derive(Default)]
struct Counted {
    keys: i64,
    bytes: i64,
    digest: Sha256,
}

impl Counted {
    /// Adds a store, a key and a value, which come in their order.
    fn add(&mut self, parts: [&[u8]; 3]) {
        self.keys += 1;
        for part in parts {
            let length = part.len() as u64;
            self.bytes += part.len() as i64;
            self.digest.update(length.to_be_bytes());
            self.digest.update(part);
        }
    }

    fn end(self) -> Held {
        Held {
            keys: self.keys,
            bytes: self.bytes,
            sha256: base16ct::lower::encode_string(&self.digest.finalize()),
        }
    }
}

/// A file that is being written, under a name of its own until it is whole. Dropped, it is gone.
struct Part(PathBuf);

impl Part {
    /// That of a file. What a broken off run has left is begun anew.
    fn beside(file: &Path) -> Result<Self, BackupError> {
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
    fn take_place(self, file: &Path) -> Result<(), BackupError> {
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
        synced.map_err(|source| io_error(folder, source))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        for end in ["", "-journal"] {
            let _ = fs::remove_file(beside(&self.0, end));
        }
    }
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn sqlite(path: &Path, source: rusqlite::Error) -> BackupError {
    BackupError::Sqlite {
        path: path.to_owned(),
        source,
    }
}

fn io_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{super::Database, *};

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
        // What stands in the log alone is in it, too; and whoever writes goes on.
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
        // A log that is left would be played into what is put back.
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
