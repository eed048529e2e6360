//! How much of the journal somebody reads at most to bring on what is kept of it.

use std::cell::Cell;

/// Places of the journal that may still be looked at. What is done with them is noted, so that the next
/// call goes on.
#[derive(Debug, Clone)]
pub struct Places(Cell<u64>);

impl Places {
    /// So many.
    pub const fn new(places: u64) -> Self {
        Self(Cell::new(places))
    }

    /// The number that is left.
    pub fn left(&self) -> u64 {
        self.0.get()
    }

    /// Takes so many away, or all that are left.
    pub fn spend(&self, places: u64) {
        self.0.set(self.0.get().saturating_sub(places));
    }
}
