//! The stored form of lists: the keys of entries, entries as JSON with the time of their recording, and
//! counters.

use std::fmt::Write;

use jiff::Timestamp;
use mpay_domain::time;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::StoreError;

/// The version of entries that this program writes, and the highest that it reads.
const VERSION: u32 = 1;

/// An entry that counts.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// Its place.
    pub index: u64,
    /// The time at which it was recorded, by the writer's clock.
    pub at: Timestamp,
    /// The place of what was written with it into another list ([`Slot::stand_beside`]).
    pub beside: Option<u64>,
    /// The value that was recorded.
    pub value: T,
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// Its place.
    pub index: u64,
    /// The time at which it was recorded; `None` where not even that can be read.
    pub at: Option<Timestamp>,
    /// The record, as it is.
    pub bytes: Vec<u8>,
    /// True if it is whole, and only of a kind or version that this program does not know.
    pub is_unknown: bool,
}

/// The time of an entry.
pub(crate) fn read_at(bytes: &[u8]) -> Option<Timestamp> {
    let stored = serde_json::from_slice::<StoredEntry>(bytes).ok()?;
    time::parse(stored.at?).ok()
}

/// The key of an entry.
pub fn entry_key(list: &str, index: u64) -> String {
    // Formatting would grow it several times.
    let mut key = String::with_capacity(list.len() + 8);
    key.push_str(list);
    key.push('/');
    let _ = write!(key, "{index}");
    key
}

#[derive(Deserialize)]
struct StoredEntry<'a> {
    #[serde(default)]
    v: u32,
    #[serde(default)]
    at: Option<&'a str>,
    #[serde(default)]
    beside: Option<u64>,
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
}

/// An entry as it is kept.
pub fn stored_entry(at: Timestamp, json: &str) -> Vec<u8> {
    stored_entry_beside(at, None, json)
}

/// The same, with the place of what is written with it into another list.
pub fn stored_entry_beside(at: Timestamp, beside: Option<u64>, json: &str) -> Vec<u8> {
    let beside = beside.map(|place| format!(r#""beside":{place},"#));
    let beside = beside.unwrap_or_default();
    format!(r#"{{"v":{VERSION},"at":"{at}",{beside}"entry":{json}}}"#).into_bytes()
}

/// Reads an entry.
///
/// # Errors
/// The entry as it is, if it is damaged or of a later version.
pub fn read_entry<T: DeserializeOwned>(index: u64, bytes: &[u8]) -> Result<Entry<T>, RawEntry> {
    let raw = |at, is_unknown| RawEntry {
        index,
        at,
        bytes: bytes.to_vec(),
        is_unknown,
    };
    let stored = serde_json::from_slice::<StoredEntry>(bytes).map_err(|_| raw(None, false))?;
    let at = stored.at.and_then(|at| time::parse(at).ok());
    let (Some(at), Some(entry)) = (at, stored.entry) else {
        return Err(raw(at, stored.v > VERSION));
    };
    if stored.v != VERSION {
        return Err(raw(Some(at), stored.v > VERSION));
    }
    // Whether this is of a kind that is not known, or damaged, whoever knows the kinds must say.
    let value = serde_json::from_slice(entry.get().as_bytes()).map_err(|_| raw(Some(at), false))?;
    Ok(Entry {
        index,
        at,
        beside: stored.beside,
        value,
    })
}

/// Reads a counter as the stores keep it: eight bytes little-endian on SQLite, decimal digits on
/// Redis. Eight digits read as a number would be beyond 10^18, so there is no doubt.
pub fn parse_counter(bytes: &[u8]) -> Option<u64> {
    const BEYOND_ANY_COUNT: u64 = 1 << 53;
    if let Ok(bytes) = bytes.try_into() {
        let count = u64::from_le_bytes(bytes);
        if count < BEYOND_ANY_COUNT {
            return Some(count);
        }
    }
    let count = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (count < BEYOND_ANY_COUNT).then_some(count)
}

/// Reads a counter that must be one.
pub(crate) fn count(key: &str, bytes: &[u8]) -> Result<u64, StoreError> {
    parse_counter(bytes).ok_or_else(|| StoreError::Corrupt {
        key: key.to_owned(),
        reason: "not a counter".to_owned(),
    })
}
