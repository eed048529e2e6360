//! Chance: one generator for a whole run, so that its seed decides everything.

use std::cell::RefCell;

use crate::executor::Micros;

/// One second.
pub const SECOND: Micros = 1_000_000;
/// One minute.
pub const MINUTE: Micros = 60 * SECOND;
/// One hour.
pub const HOUR: Micros = 60 * MINUTE;
/// One day.
pub const DAY: Micros = 24 * HOUR;

/// The generator.
pub struct Random(RefCell<fastrand::Rng>);

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(RefCell::new(fastrand::Rng::with_seed(seed)))
    }

    /// A number of 64 bits.
    pub fn number(&self) -> u64 {
        self.0.borrow_mut().u64(..)
    }

    /// A number from 0 up to but without `end`, which is not 0.
    pub fn below(&self, end: usize) -> usize {
        self.0.borrow_mut().usize(..end.max(1))
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.0.borrow_mut().u64(low..=high.max(low))
    }

    /// True with this probability.
    pub fn happens(&self, probability: f64) -> bool {
        // Always one draw, so that a probability changes no other decision.
        self.0.borrow_mut().f64() < probability
    }

    /// A time from `low` to `high`, each order of magnitude as probable as another, like delays between
    /// microseconds and minutes.
    pub fn scaled(&self, low: Micros, high: Micros) -> Micros {
        let (low, high) = (low.max(1), high.max(low.max(1)));
        let exponent = self.0.borrow_mut().f64() * (high as f64 / low as f64).ln();
        ((low as f64 * exponent.exp()) as Micros).clamp(low, high)
    }

    /// One of several items, all equally probable; `None` if there are none.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() {
            return None;
        }
        of.get(self.below(of.len()))
    }

    /// A position, with a probability proportional to its weight.
    pub fn weighted(&self, weights: &[u32]) -> usize {
        let sum: u32 = weights.iter().sum();
        let mut draw = self.0.borrow_mut().u32(..sum.max(1));
        for (position, weight) in weights.iter().enumerate() {
            if draw < *weight {
                return position;
            }
            draw -= weight;
        }
        0
    }
}
