//! A host's wall clock: it runs a little fast or slow, is set wrong, and is set right and wrong
//! again while the host runs.

use jiff::{SignedDuration, Timestamp};

use crate::executor::Micros;

/// The wall clock of a host.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The moment at which it was set.
    set_at: Micros,
    /// The difference from the true time to which it was set, in microseconds.
    offset: i64,
    /// Microseconds that it gains in a million; below zero if it is slow.
    drift: i64,
}

/// The true time at the beginning of a run: 23:40 in Chişinău, so that days end in runs of half an hour.
const BEGINNING: i64 = 1_780_346_400;

/// The true time at a moment.
pub fn true_time(now: Micros) -> Timestamp {
    at(now, 0)
}

fn at(now: Micros, offset: i64) -> Timestamp {
    let micros = i64::try_from(now)
        .unwrap_or(i64::MAX)
        .saturating_add(offset);
    let beginning = Timestamp::from_second(BEGINNING).unwrap_or_default();
    beginning
        .checked_add(SignedDuration::from_micros(micros))
        .unwrap_or(Timestamp::MAX)
}

impl Clock {
    /// A clock that is right.
    pub const RIGHT: Self = Self {
        set_at: 0,
        offset: 0,
        drift: 0,
    };

    /// A clock that is set at the moment `now` to a wrong time. `offset` and `drift` are in microseconds,
    /// the latter for each second.
    pub fn set(now: Micros, offset: i64, drift: i64) -> Self {
        Self {
            set_at: now,
            offset,
            drift,
        }
    }

    /// The time that it shows at the moment `now`.
    pub fn shows(&self, now: Micros) -> Timestamp {
        let since = i64::try_from(now.saturating_sub(self.set_at)).unwrap_or(i64::MAX);
        at(now, self.offset + since / 1_000_000 * self.drift)
    }
}
