//! The one thread that writes.
//!
//! A commit costs a flush to disk whatever its size, and SQLite takes one writer at a time. So the writes
//! that come in during a commit go into the next one together, each in a savepoint of its own, so that a
//! failing one does not touch the others. A write is answered after its commit, and after the check that
//! the file is still in its place.

use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::error::Error;
use super::place::Place;

/// Writes that share a commit at most, which bounds how long the first of them waits for the
/// others.
const BATCH: usize = 64;

/// The interval at which the file's place is looked at while nobody writes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A change to one store.
pub(super) enum Change {
    Set(Vec<(String, Vec<u8>)>),
    Delete(Vec<String>),
    Increment { key: String, delta: i64 },
}

/// A change and where to answer: the new value of a counter, else 0.
pub(super) struct Write {
    pub(super) store: String,
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<i64, Error>>,
}

/// The writer's thread, and the channel to it. Dropping it waits for the queued writes, and for SQLite to
/// close the file.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, place: Arc<Place>) -> Result<Self, Error> {
        let (queue, queued) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("key-value-writer".to_owned())
            .spawn(move || run(connection, &queued, &place))
            .map_err(|_| Error::Closed)?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    pub(super) fn send(&self, write: Write) -> Result<(), Error> {
        let queue = self.queue.as_ref().ok_or(Error::Closed)?;
        queue.send(write).map_err(|_| Error::Closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes until the last sender is gone.
fn run(mut connection: Connection, queue: &mpsc::Receiver<Write>, place: &Place) {
    let mut left = false;
    loop {
        if !left && place.store_is_lost() {
            leave(&connection);
            left = true;
        }
        let first = match queue.recv_timeout(LOOK_EVERY) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                // The place itself keeps the result for its next user.
                let _ = place.check();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // Nobody waits any more for a write that was given up, and it was not acknowledged.
        let batch: Vec<Write> = iter::once(first)
            .chain(queue.try_iter().take(BATCH - 1))
            .filter(|write| !write.answer.is_closed())
            .collect();
        if batch.is_empty() {
            continue;
        }
        let results = place
            .check()
            .and_then(|()| commit(&mut connection, &batch))
            .and_then(|results| place.check().map(|()| results))
            .unwrap_or_else(|error| vec![Err(error); batch.len()]);
        for (write, result) in batch.into_iter().zip(results) {
            // The caller may be gone, with a request that was cut off.
            let _ = write.answer.send(result);
        }
    }
}

/// Moves the content of the log into the file that was opened, wherever that is now, and empties the log.
/// Otherwise the moved file would lack acknowledged writes; and the log would be taken for that of the
/// file that was put in its place, and spoil it.
fn leave(connection: &Connection) {
    // If it fails there is nothing left to be done; why it is left is told by the place.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

fn commit(connection: &mut Connection, batch: &[Write]) -> Result<Vec<Result<i64, Error>>, Error> {
    // A transaction that starts as a reader could find on its first write that another process was
    // faster.
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(batch.len());
    for write in batch {
        let savepoint = transaction.savepoint()?;
        let result = apply(&savepoint, &write.store, &write.change);
        match &result {
            Ok(_) => savepoint.commit()?,
            Err(_) => savepoint.finish()?,
        }
        // On a full disk and the like SQLite gives up the whole transaction by itself.
        if transaction.is_autocommit() {
            return Err(result.err().unwrap_or(Error::Closed));
        }
        results.push(result);
    }
    transaction.commit()?;
    Ok(results)
}

fn apply(connection: &Connection, store: &str, change: &Change) -> Result<i64, Error> {
    match change {
        Change::Set(pairs) => {
            let mut statement = connection.prepare_cached(SET)?;
            for (key, value) in pairs {
                statement.execute(params![store, key, value])?;
            }
            Ok(0)
        }
        Change::Delete(keys) => {
            let mut statement = connection
                .prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2")?;
            for key in keys {
                statement.execute([store, key])?;
            }
            Ok(0)
        }
        Change::Increment { key, delta } => {
            let value = counter(connection, store, key)?
                .checked_add(*delta)
                .ok_or_else(|| Error::CounterOverflow { key: key.clone() })?;
            connection
                .prepare_cached(SET)?
                .execute(params![store, key, value.to_le_bytes()])?;
            Ok(value)
        }
    }
}

const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
                   ON CONFLICT (store, key) DO UPDATE SET value = ?3";

fn counter(connection: &Connection, store: &str, key: &str) -> Result<i64, Error> {
    let value: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2")?
        .query_row([store, key], |row| row.get(0))
        .optional()?;
    match value {
        None => Ok(0),
        Some(bytes) => bytes
            .as_slice()
            .try_into()
            .map(i64::from_le_bytes)
            .map_err(|_| Error::NotACounter {
                key: key.to_owned(),
                length: bytes.len(),
            }),
    }
}
