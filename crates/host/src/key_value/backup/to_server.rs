//! A backup put into a server.

use std::{cell::RefCell, path::Path};

use rusqlite::{Connection, OpenFlags};
use tokio_postgres::error::Severity;

use super::{
    super::redis::Redis,
    check::{Backup, check},
    claim::Claim,
    error::{BackupError, sqlite},
    from_server::read_postgres,
    held::Counted,
    server::{AT_ONCE, Books, CLAIM, Server},
};
use crate::postgres;

/// The number of bytes after which a call writes no more.
const BYTES_AT_ONCE: usize = 2 << 20;

/// Restores a backup into an empty server, after a [`check`], and reads it there. In Redis it goes on
/// where a run with the same books broke off.
///
/// # Errors
/// [`BackupError`]; then the server is empty, or no host can record anything on the part that is there. After
/// [`BackupError::PerhapsWhole`] the server may have all of the books.
pub async fn restore_to(
    backup: &Path,
    server: &Server,
    books: &Books,
    progress: impl Fn(u64, u64),
) -> Result<Backup, BackupError> {
    let held = check(backup)?;
    let at = |source| sqlite(backup, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(backup, flags).map_err(at)?;
    let other = "SELECT store FROM spin_key_value WHERE store <> ?1 LIMIT 1";
    let other = file.query_row(other, [books.store], |row| row.get(0));
    match other {
        Err(rusqlite::Error::QueryReturnedNoRows) => {}
        Ok(store) => {
            return Err(BackupError::OtherStore {
                path: backup.to_owned(),
                store,
            });
        }
        Err(error) => return Err(at(error)),
    }
    let source = Source {
        backup,
        file: &file,
        books,
        // Written, and read there.
        total: u64::try_from(held.bytes).unwrap_or_default() * 2,
        progress: &progress,
        done: RefCell::default(),
    };
    match server {
        Server::Postgres { url, ca } => {
            into_postgres(server, url, ca.as_deref(), &source, &held).await?;
        }
        Server::Redis(url) => into_redis(server, url, &source, &held).await?,
    }
    Ok(held)
}

/// The content that is put back.
struct Source<'a, F> {
    backup: &'a Path,
    file: &'a Connection,
    books: &'a Books,
    total: u64,
    progress: &'a F,
    done: RefCell<u64>,
}

/// Keys with their values, as servers have them.
type Pairs = Vec<(String, Vec<u8>)>;

impl<F: Fn(u64, u64)> Source<'_, F> {
    /// Gives all of it in parts.
    async fn each(
        &self,
        mut each: impl AsyncFnMut(Pairs) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let at = |source| sqlite(self.backup, source);
        let read = "SELECT key, value FROM spin_key_value WHERE store = ?1 ORDER BY key";
        let mut read = self.file.prepare(read).map_err(at)?;
        let mut rows = read.query([self.books.store]).map_err(at)?;
        let (mut pairs, mut bytes) = (Pairs::new(), 0);
        while let Some(row) = rows.next().map_err(at)? {
            let key: String = row.get(0).map_err(at)?;
            let value: Vec<u8> = row.get(1).map_err(at)?;
            let value = self.books.on_server(&key, &value);
            bytes += key.len() + value.len();
            self.step(key.len() + value.len());
            pairs.push((key, value));
            if pairs.len() >= AT_ONCE || bytes >= BYTES_AT_ONCE {
                each(std::mem::take(&mut pairs)).await?;
                bytes = 0;
            }
        }
        match pairs.is_empty() {
            true => Ok(()),
            false => each(pairs).await,
        }
    }

    fn step(&self, bytes: usize) {
        let mut done = self.done.borrow_mut();
        *done += bytes as u64;
        (self.progress)(*done, self.total);
    }
}

async fn into_postgres(
    server: &Server,
    url: &str,
    ca: Option<&str>,
    source: &Source<'_, impl Fn(u64, u64)>,
    held: &Backup,
) -> Result<(), BackupError> {
    const WRITE: &str = "INSERT INTO mpay_books (key, value) \
        SELECT * FROM unnest($1::text[], $2::bytea[])";
    let client = postgres::connect(url, ca).await;
    let client = client.map_err(|error| server.failed(error))?;
    let at = |error| server.refused(&error);
    // All of it or nothing.
    let begin = "BEGIN; SET LOCAL synchronous_commit = on";
    client.batch_execute(begin).await.map_err(at)?;
    let there = "SELECT to_regclass('mpay_books') IS NOT NULL";
    let is_there = client.query_one(there, &[]).await.map_err(at)?;
    if !is_there.try_get::<_, bool>(0).map_err(at)? {
        client.batch_execute(source.books.table).await.map_err(at)?;
    }
    let lock = "LOCK TABLE mpay_books IN EXCLUSIVE MODE";
    client.batch_execute(lock).await.map_err(at)?;
    let filled = "SELECT EXISTS (SELECT FROM mpay_books)";
    let is_filled = client.query_one(filled, &[]).await.map_err(at)?;
    if is_filled.try_get(0).map_err(at)? {
        return Err(BackupError::NotEmpty(format!(
            "the table mpay_books of {server}"
        )));
    }
    let write = client.prepare(WRITE).await.map_err(at)?;
    source
        .each(async |pairs| {
            let (keys, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let written = client.execute(&write, &[&keys, &values]).await;
            written.map(drop).map_err(at)
        })
        .await?;
    let mut counted = Counted::default();
    let store = source.books.store.as_bytes();
    read_postgres(server, &client, |key, value| {
        source.step(key.len() + value.len());
        let value = source.books.in_file(key, value);
        counted.add([store, key.as_bytes(), &value]);
        Ok(())
    })
    .await?;
    if counted.end().sha256 != held.sha256 {
        return Err(server.failed("what it holds is not what was written; nothing was put back"));
    }
    match client.batch_execute("COMMIT").await {
        // The answer may be lost after the deed, and then the books are whole, and may be in use.
        Err(error) if !is_rolled_back(&error) => Err(BackupError::PerhapsWhole(server.to_string())),
        committed => committed.map_err(at),
    }
}

/// True if an error of `COMMIT` says that nothing was committed: one of the server's own that ends the transaction, and
/// neither the connection (`FATAL`) nor the server (`PANIC`). Classes 08 and XX and the code 40003, "statement
/// completion unknown", do not say so either.
fn is_rolled_back(error: &tokio_postgres::Error) -> bool {
    const UNKNOWN: [&str; 3] = ["08", "40003", "XX"];
    error.as_db_error().is_some_and(|told| {
        let code = told.code().code();
        told.parsed_severity() == Some(Severity::Error)
            && !UNKNOWN.iter().any(|unknown| code.starts_with(unknown))
    })
}

async fn into_redis(
    server: &Server,
    url: &str,
    source: &Source<'_, impl Fn(u64, u64)>,
    held: &Backup,
) -> Result<(), BackupError> {
    let redis = Redis::new(url).map_err(|error| server.failed(error))?;
    let gate = source.books.gate;
    let claim = Claim::new(held);
    let goes_on = claim.take(server, &redis, gate).await?;
    let is_ours = |written| match written {
        Ok(true) => Ok(()),
        Ok(false) => Err(BackupError::TakenOver(server.to_string())),
        Err(error) => Err(server.failed(error)),
    };
    let are_there = async |pairs: &Pairs| {
        let keys = pairs.iter().map(|(key, _)| key.clone()).collect();
        let there = redis.get_many(keys).await;
        let there = there.map_err(|error| server.failed(error))?;
        Ok::<_, BackupError>(there == *pairs)
    };
    let filling = async {
        let mut last = None;
        source
            .each(async |mut pairs| {
                if let Some(place) = pairs.iter().position(|(key, _)| key == gate) {
                    last = Some(pairs.remove(place));
                }
                if goes_on && are_there(&pairs).await? {
                    return Ok(());
                }
                is_ours(redis.set_while(gate, &claim.whole, &pairs).await)
            })
            .await?;
        source
            .each(async |mut pairs| {
                pairs.retain(|(key, _)| key != gate);
                match are_there(&pairs).await? {
                    true => Ok(()),
                    false => Err(server.failed("what it holds is not what was written")),
                }
            })
            .await?;
        let keys = held.keys + i64::from(last.is_none());
        let size = redis.size().await.map_err(|error| server.failed(error))?;
        if size != keys {
            return Err(server.failed("it holds other keys beside those that were written"));
        }
        let opened = match last {
            Some(last) => redis.set_while(gate, &claim.whole, &[last]).await,
            None => redis.delete_while(gate, &claim.whole).await,
        };
        let error = match opened {
            Ok(_) => return is_ours(opened),
            Err(error) => error,
        };
        // The answer may be lost after the deed, and then the books are whole, and may be in use.
        match redis.get(gate).await {
            Ok(Some(value)) if value == claim.whole.as_bytes() => Err(server.failed(error)),
            Ok(Some(value)) if value.starts_with(CLAIM.as_bytes()) => {
                Err(BackupError::TakenOver(server.to_string()))
            }
            Ok(_) => Ok(()),
            Err(_) => Err(BackupError::PerhapsWhole(server.to_string())),
        }
    };
    filling.await.map_err(|error| match error {
        error @ (BackupError::TakenOver(_) | BackupError::PerhapsWhole(_)) => error,
        error => BackupError::Half {
            server: server.to_string(),
            source: Box::new(error),
        },
    })
}
