//! Reading of the store's times by [`domain::time`](crate::domain::time), since the reader that
//! `Timestamp` brings knows many more forms, with the texts of all their errors.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};

use crate::domain::time;

/// Reads a time.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    time::parse(Deserialize::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// Reads a time that may be absent.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<&str> = Deserialize::deserialize(deserializer)?;
    text.map(time::parse).transpose().map_err(de::Error::custom)
}
