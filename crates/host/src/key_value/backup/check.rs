//! The statements of a backup about itself, and their check.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{
    super::database::TABLE,
    error::{BackupError, sqlite},
    held::Held,
};

/// The version of the form of the table `backup`, and of the content under its SHA-256.
pub(super) const VERSION: u32 = 1;

/// The table of the stores.
const STORES: &str = "spin_key_value";

/// The table that describes the content of the file.
pub(super) const NOTE: &str =
    "CREATE TABLE backup (version INTEGER NOT NULL, made_at TEXT NOT NULL,
                 keys INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL)";

/// The content of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The time at which it was taken, as given.
    pub made_at: String,
    /// Keys that have a value.
    pub keys: i64,
    /// Bytes of keys and values.
    pub bytes: i64,
    /// SHA-256 over stores, keys and values in their order, each after its length, in hexadecimal.
    pub sha256: String,
}

/// The content of a backup, once all of it was read and is as it says.
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

    /// True if a backup has it, and in this form.
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

/// Removes everything that is not of the books, such as an index that somebody has added: it would be
/// restored with them, and no SHA-256 covers it.
pub(super) fn strip(connection: &Connection) -> rusqlite::Result<()> {
    for Object { kind, name, sql } in Object::all(connection)? {
        if name != STORES && sql.is_some() {
            let name = name.replace('"', "\"\"");
            connection.execute_batch(&format!("DROP {kind} IF EXISTS \"{name}\""))?;
        }
    }
    Ok(())
}

/// Checks that there is nothing beside the books: a trigger would go on changing them where they are put
/// back.
pub(super) fn has_only_books(connection: &Connection, backup: &Path) -> Result<(), BackupError> {
    let all = Object::all(connection).map_err(|source| sqlite(backup, source))?;
    match all.iter().find(|object| !object.is_of_books()) {
        None => Ok(()),
        Some(Object { kind, name, .. }) => Err(BackupError::Damaged {
            path: backup.to_owned(),
            detail: format!("it has the {kind} {name}, which `mpay backup` does not make so"),
        }),
    }
}
