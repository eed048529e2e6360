//! The claim of a Redis that is being filled: by whom, and with which books.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

use super::{
    super::redis::Redis,
    check::Backup,
    error::BackupError,
    server::{CLAIM, Server},
};

/// The value in the place of the gate of a Redis that is being filled: with which books, and by whom.
/// Each write looks that it still stands there, so that a run that was taken for dead writes nothing into
/// books that others use by then.
pub(super) struct Claim {
    /// The part of the claim that all runs with the same books have.
    of_books: String,
    pub(super) whole: String,
}

impl Claim {
    pub(super) fn new(held: &Backup) -> Self {
        let of_books = format!("{CLAIM}{} are being put back, by ", held.sha256);
        // Random keys are all that is wanted of it.
        let run = RandomState::new().build_hasher().finish();
        Self {
            whole: format!("{of_books}{run:016x}"),
            of_books,
        }
    }

    /// Claims a Redis that is empty, or goes on with one that a run with the same books has claimed; true
    /// if it goes on.
    pub(super) async fn take(
        &self,
        server: &Server,
        redis: &Redis,
        gate: &str,
    ) -> Result<bool, BackupError> {
        let not_empty = || BackupError::NotEmpty(server.to_string());
        let there = redis.get(gate).await.map_err(|e| server.failed(e))?;
        let Some(there) = there else {
            let size = redis.size().await.map_err(|e| server.failed(e))?;
            let claimed = size == 0 && {
                let claimed = redis.claim(gate, &self.whole).await;
                claimed.map_err(|e| server.failed(e))?
            };
            return claimed.then_some(false).ok_or_else(not_empty);
        };
        let there = String::from_utf8(there).map_err(|_| not_empty())?;
        if !there.starts_with(CLAIM) {
            return Err(not_empty());
        }
        if !there.starts_with(&self.of_books) {
            return Err(BackupError::OtherHalf(server.to_string()));
        }
        let ours = [(gate.to_owned(), self.whole.clone().into_bytes())];
        let taken = redis.set_while(gate, &there, &ours).await;
        match taken.map_err(|error| server.failed(error))? {
            true => Ok(true),
            false => Err(BackupError::TakenOver(server.to_string())),
        }
    }
}
