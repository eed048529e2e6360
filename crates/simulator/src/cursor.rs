//! Cursors of the order API.

use std::fmt;

use serde_json::Value;

/// A cursor: the place at which a reader goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    text: String,
    /// The place in the journal that it names.
    pub place: u64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            text: "0".to_owned(),
            place: 0,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cursor {
    /// The cursor of the next page; `None` on the last page.
    pub fn next(page: &Value) -> Option<Self> {
        Self::of(page, "next")
    }

    /// The cursor at the end of a page of a list that grows.
    pub fn reached(page: &Value) -> Option<Self> {
        Self::of(page, "cursor")
    }

    fn of(page: &Value, member: &str) -> Option<Self> {
        let text = page.get(member)?.as_str()?.to_owned();
        let (_, place) = text.split_once('-')?;
        let place = place.parse().ok()?;
        Some(Self { text, place })
    }
}
