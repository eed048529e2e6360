//! Observations of this host's clock beside another: the times that MPay signs.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};

/// The most by which two clocks may differ before anybody is told.
pub const UNREMARKABLE: SignedDuration = SignedDuration::from_secs(10);

/// The difference to MPay's clock as its last message showed it. An instance remembers it.
#[derive(Debug, Default)]
pub struct Clock(Cell<Option<SignedDuration>>);

impl Clock {
    /// Notes the time at which MPay says that it made a message, and the time at which the message came
    /// in. Only a time that MPay signed counts, since anybody can write one.
    pub fn note(&self, created: Timestamp, received: Timestamp) {
        self.0.set(Some(received.duration_since(created)));
    }

    /// The time by which MPay's last message was signed before our time; `None` if none came.
    pub fn ahead(&self) -> Option<SignedDuration> {
        self.0.get()
    }

    /// Takes over the memory of `other`.
    pub fn remember(&self, other: &Self) {
        self.0.set(other.0.get());
    }
}
