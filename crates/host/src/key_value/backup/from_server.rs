//! Backups of a server.

use std::{cell::RefCell, io, path::Path};

use rusqlite::{Connection, params};
use tokio_postgres::Client;

use super::{
    super::redis::Redis,
    check::Backup,
    error::{BackupError, sqlite},
    held::{Counted, Held},
    part::Part,
    seal,
    server::{AT_ONCE, Books, Server},
    snapshot::{self, NoSnapshot},
};
use crate::postgres;

/// Takes a copy of the books of a server into `backup`, as they are at one moment, like
/// [`back_up`](super::back_up) of a file. Writers go on meanwhile. It blocks its thread.
///
/// Not every Redis gives such a copy: with `stopped` its keys are read one after the other, and once more
/// to see that nobody has written.
///
/// # Errors
/// [`BackupError`]; then there is no file `backup`.
pub async fn back_up_from(
    server: &Server,
    stopped: bool,
    books: &Books,
    backup: &Path,
    made_at: &str,
    progress: impl Fn(u64, u64),
) -> Result<Backup, BackupError> {
    let copy = Filling::begin(backup, books)?;
    match server {
        Server::Postgres { url, ca } => {
            from_postgres(server, url, ca.as_deref(), &copy, &progress).await?;
        }
        Server::Redis(url) => {
            let redis = Redis::new(url).map_err(|error| server.failed(error))?;
            // Any call tells if the server may be used, and is no replica.
            let size = redis.size().await;
            size.map_err(|error| server.failed(error))?;
            if server.is_half(books.gate).await? {
                return Err(server.failed(
                    "it holds a part of books that are being put back, and a copy would be of that part",
                ));
            }
            match stopped {
                true => from_redis_at_rest(server, &redis, &copy, &progress).await?,
                false => from_redis(server, &redis, &copy, &progress)?,
            }
        }
    }
    copy.end(backup, made_at)
}

/// A file that is being filled.
struct Filling<'a> {
    part: Part,
    file: Connection,
    books: &'a Books,
    count: RefCell<(i64, u64)>,
}

impl<'a> Filling<'a> {
    fn begin(backup: &Path, books: &'a Books) -> Result<Self, BackupError> {
        if backup.exists() {
            return Err(BackupError::Exists(backup.to_owned()));
        }
        let part = Part::beside(backup)?;
        let at = |source| sqlite(&part.0, source);
        let file = Connection::open(&part.0).map_err(at)?;
        // Nothing of it counts until all of it is on the disk.
        file.pragma_update(None, "synchronous", "OFF").map_err(at)?;
        file.execute_batch(super::TABLE).map_err(at)?;
        file.execute_batch("BEGIN").map_err(at)?;
        Ok(Self {
            part,
            file,
            books,
            count: RefCell::default(),
        })
    }

    /// Adds a key with its value, as the server has it, and gives the bytes so far.
    fn add(&self, key: &str, value: &[u8]) -> Result<u64, BackupError> {
        let value = self.books.in_file(key, value);
        let add = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)";
        let added = self.file.prepare_cached(add);
        let added = added.and_then(|mut add| add.execute(params![self.books.store, key, value]));
        added.map_err(|source| sqlite(&self.part.0, source))?;
        let mut count = self.count.borrow_mut();
        count.0 += 1;
        count.1 += (key.len() + value.len()) as u64;
        Ok(count.1)
    }

    fn end(self, backup: &Path, made_at: &str) -> Result<Backup, BackupError> {
        let at = |source| sqlite(&self.part.0, source);
        self.file.execute_batch("COMMIT").map_err(at)?;
        self.file.close().map_err(|(_, source)| at(source))?;
        let made = seal(self.part, backup, made_at)?;
        let (keys, _) = self.count.into_inner();
        if made.keys != keys {
            return Err(BackupError::Damaged {
                path: backup.to_owned(),
                detail: format!("it holds {} keys instead of {keys}", made.keys),
            });
        }
        Ok(made)
    }
}

async fn from_postgres(
    server: &Server,
    url: &str,
    ca: Option<&str>,
    copy: &Filling<'_>,
    progress: &impl Fn(u64, u64),
) -> Result<(), BackupError> {
    const SIZE: &str = "SELECT pg_is_in_recovery(), count(*), \
        coalesce(sum(octet_length(key) + octet_length(value)), 0)::int8 FROM mpay_books";
    let client = postgres::connect(url, ca).await;
    let client = client.map_err(|error| server.failed(error))?;
    let at = |error| server.refused(&error);
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    client.batch_execute(begin).await.map_err(at)?;
    let size = client.query_one(SIZE, &[]).await.map_err(at)?;
    let is_replica: bool = size.try_get(0).map_err(at)?;
    if is_replica {
        // A replica lacks the writes that were acknowledged last.
        return Err(server.failed("it is a replica; the address must lead to the primary"));
    }
    let keys: i64 = size.try_get(1).map_err(at)?;
    let bytes: i64 = size.try_get(2).map_err(at)?;
    let total = u64::try_from(bytes).unwrap_or_default();
    read_postgres(server, &client, |key, value| {
        progress(copy.add(key, value)?, total);
        Ok(())
    })
    .await?;
    client.batch_execute("COMMIT").await.map_err(at)?;
    let (read, _) = *copy.count.borrow();
    match read == keys {
        true => Ok(()),
        false => Err(server.failed(format!("it gave {read} keys of {keys}"))),
    }
}

/// Reads the table, in the order of its keys.
pub(super) async fn read_postgres(
    server: &Server,
    client: &Client,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let at = |error| server.refused(&error);
    let read =
        format!("SELECT key, value FROM mpay_books WHERE key > $1 ORDER BY key LIMIT {AT_ONCE}");
    let read = client.prepare(&read).await.map_err(at)?;
    let mut after = String::new();
    loop {
        let rows = client.query(&read, &[&after]).await.map_err(at)?;
        for row in &rows {
            let key: &str = row.try_get(0).map_err(at)?;
            each(key, row.try_get(1).map_err(at)?)?;
        }
        match rows.last() {
            Some(row) => after = row.try_get(0).map_err(at)?,
            None => return Ok(()),
        }
    }
}

fn from_redis(
    server: &Server,
    redis: &Redis,
    copy: &Filling<'_>,
    progress: &impl Fn(u64, u64),
) -> Result<(), BackupError> {
    let mut failed = None;
    let each = |key: &[u8], value: &[u8]| {
        let key = std::str::from_utf8(key);
        let key = key.map_err(|_| io::Error::other("it has keys that are not of books"))?;
        copy.add(key, value).map(drop).map_err(|error| {
            failed = Some(error);
            io::Error::other("it was not copied")
        })
    };
    let taken = snapshot::take(redis.client(), each, progress);
    if let Some(error) = failed {
        return Err(error);
    }
    taken.map_err(|error| match error {
        NoSnapshot::Refused(reason) => BackupError::NoSnapshot {
            server: server.to_string(),
            reason,
        },
        NoSnapshot::Io(error) => server.failed(error),
    })
}

async fn from_redis_at_rest(
    server: &Server,
    redis: &Redis,
    copy: &Filling<'_>,
    progress: &impl Fn(u64, u64),
) -> Result<(), BackupError> {
    let first = read_redis(server, redis, |key, value| {
        progress(copy.add(key, value)?, 0);
        Ok(())
    })
    .await?;
    let again = read_redis(server, redis, |_, _| Ok(())).await?;
    match first == again {
        true => Ok(()),
        false => Err(BackupError::Written(server.to_string())),
    }
}

/// Reads all keys, in their order.
async fn read_redis(
    server: &Server,
    redis: &Redis,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), BackupError>,
) -> Result<Held, BackupError> {
    let keys = redis.keys().await.map_err(|error| server.failed(error))?;
    let mut counted = Counted::default();
    for keys in keys.chunks(AT_ONCE) {
        let pairs = redis.get_many(keys.to_vec()).await;
        for (key, value) in pairs.map_err(|error| server.failed(error))? {
            counted.add([b"", key.as_bytes(), &value]);
            each(&key, &value)?;
        }
    }
    Ok(counted.end())
}
