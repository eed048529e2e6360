//! A budget of places of the journal to read in one call, to bring kept values up to date.

use std::cell::Cell;

/// Places of the journal that may still be looked at. The progress is noted, so that the next call goes
/// on.
#[derive(Debug, Clone)]
pub struct Places(Cell<u64>);

impl Places {
    /// A budget of so many places.
    pub const fn new(places: u64) -> Self {
        Self(Cell::new(places))
    }

    /// The number that is left.
    pub fn left(&self) -> u64 {
        self.0.get()
    }

    /// Takes this number of places away, or all that are left.
    pub fn spend(&self, places: u64) {
        self.0.set(self.0.get().saturating_sub(places));
    }
}
