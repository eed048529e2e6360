//! The common parts of the kinds of record: they are views of the log, and give others keys to read by
//! and writes for a batch without giving away the power to write.

use std::{collections::HashMap, fmt};

use mpay_log::{Listing, Log, Platform, contest_key, entry_key};
use serde::Serialize;

use super::StoreError;

/// Declares a kind of record: a view of the log, which alone writes under its prefixes.
macro_rules! over_the_log {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident) => {
        $(#[$meta])*
        #[derive(Debug)]
        $visibility struct $name<'a, P> {
            log: &'a mpay_log::Log<P>,
        }

        impl<P> Clone for $name<'_, P> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<P> Copy for $name<'_, P> {}

        impl<'a, P: mpay_log::Platform> $name<'a, P> {
            /// The records of a log.
            pub(crate) fn on(log: &'a mpay_log::Log<P>) -> Self {
                Self { log }
            }
        }
    };
}

/// Declares a kind of record that also digests names under the store's secret.
macro_rules! over_the_log_and_the_secret {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident) => {
        $(#[$meta])*
        #[derive(Debug)]
        $visibility struct $name<'a, P> {
            log: &'a mpay_log::Log<P>,
            secrets: $crate::secret::Secrets<'a, P>,
        }

        impl<P> Clone for $name<'_, P> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<P> Copy for $name<'_, P> {}

        impl<'a, P: mpay_log::Platform> $name<'a, P> {
            /// The records of a log.
            pub(crate) fn on(
                log: &'a mpay_log::Log<P>,
                secrets: $crate::secret::Secrets<'a, P>,
            ) -> Self {
                Self { log, secrets }
            }
        }
    };
}

pub(super) use {over_the_log, over_the_log_and_the_secret};

/// A key to read by. It does not allow writing, which needs the text of the key, made only by the module
/// that owns its prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(String);

impl Key {
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// The error that its value is damaged or missing.
    pub fn corrupt(&self, reason: impl ToString) -> StoreError {
        StoreError::Corrupt {
            key: self.0.clone(),
            reason: reason.to_string(),
        }
    }

    /// The error that its value is missing though another record names it.
    pub fn lost(&self) -> StoreError {
        self.corrupt(
            "it is missing, though it is recorded; POST /api/repair mends what can be mended",
        )
    }
}

/// The key in the form of reports and markers.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value to be written, given by the owner of its prefix to the operation that makes the batch.
pub(super) type Write = (String, Vec<u8>);

/// Values that were read.
#[derive(Debug, Default)]
pub(super) struct Values(HashMap<String, Vec<u8>>);

impl Values {
    pub fn get(&self, key: &Key) -> Option<&Vec<u8>> {
        self.0.get(&key.0)
    }

    pub fn take(&mut self, key: &Key) -> Option<Vec<u8>> {
        self.0.remove(&key.0)
    }

    pub fn has(&self, key: &Key) -> bool {
        self.0.contains_key(&key.0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads the values of several keys of any kinds by one call.
pub(super) async fn read<P: Platform>(log: &Log<P>, keys: &[Key]) -> Result<Values, StoreError> {
    let keys: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
    Ok(Values(log.get_many(&keys).await?))
}

/// A place in a list, to ask if it is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    list: String,
    index: u64,
}

impl Place {
    pub fn new(list: impl Into<String>, index: u64) -> Self {
        let list = list.into();
        Self { list, index }
    }

    /// The key that is there once somebody has asked about it.
    pub fn contest(&self) -> Key {
        Key(contest_key(&self.list, self.index))
    }
}

/// True if all of these places are alive.
pub(super) async fn are_alive<P: Platform>(
    log: &Log<P>,
    places: &[Place],
) -> Result<bool, StoreError> {
    let places: Vec<_> = places
        .iter()
        .map(|place| (place.list.as_str(), place.index))
        .collect();
    log.are_alive(&places).await
}

/// A place in a list, as it is kept by itself.
pub(super) fn place_bytes(place: u64) -> Vec<u8> {
    place.to_string().into_bytes()
}

/// Reads a place that is kept by itself.
pub(super) fn read_place(key: &Key, bytes: &[u8]) -> Result<u64, StoreError> {
    let number = std::str::from_utf8(bytes).ok();
    let number = number.and_then(|text| text.parse().ok());
    number.ok_or_else(|| key.corrupt("not a place in a list"))
}

/// The JSON of a record. Records have string keys only, so this cannot fail; if it did, the
/// error would say so rather than stop the program.
pub(super) fn to_json<T: Serialize>(record: &T) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| StoreError::Corrupt {
        key: "a new record".to_owned(),
        reason: error.to_string(),
    })
}

/// The value that replaces an erased one.
pub(super) const EMPTY: &[u8] = b"{}";

/// The writes that empty the entries of a list that came too late: they count for nothing, but may hold
/// personal data.
pub(super) fn emptied<T>(list: &str, part: &Listing<T>) -> Vec<Write> {
    let late = part.late.iter().filter(|raw| raw.bytes != EMPTY);
    late.map(|raw| (entry_key(list, raw.index), EMPTY.to_vec()))
        .collect()
}
