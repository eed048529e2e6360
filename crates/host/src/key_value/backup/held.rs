//! The content of a store: counted, and as one SHA-256.

use rusqlite::Connection;
use sha2::{Digest, Sha256};

/// The content of a database.
#[derive(PartialEq, Eq)]
pub(super) struct Held {
    pub(super) keys: i64,
    pub(super) bytes: i64,
    pub(super) sha256: String,
}

impl Held {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
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

/// The content that was read so far.
#[derive(Default)]
pub(super) struct Counted {
    keys: i64,
    bytes: i64,
    digest: Sha256,
}

impl Counted {
    /// Adds a store, a key and a value, which come in their order.
    pub(super) fn add(&mut self, parts: [&[u8]; 3]) {
        self.keys += 1;
        for part in parts {
            let length = part.len() as u64;
            self.bytes += part.len() as i64;
            self.digest.update(length.to_be_bytes());
            self.digest.update(part);
        }
    }

    pub(super) fn end(self) -> Held {
        Held {
            keys: self.keys,
            bytes: self.bytes,
            sha256: base16ct::lower::encode_string(&self.digest.finalize()),
        }
    }
}
