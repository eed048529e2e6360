//! A check that the store can be read and written, for `GET /health`: one key of its own, and no further
//! call after a failure.

use std::cell::RefCell;

use jiff::{SignedDuration, Timestamp};
use mpay_ledger::{Ledger, Platform, PlatformError};
use serde::{Deserialize, Serialize};

use crate::{limit::within, log::log};

/// The key, which is no record's: its value may be lost and overwritten.
pub const KEY: &str = "probe";

/// The time for which a call is waited for, on a platform whose calls can be waited for.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(2);

/// For so many writes a time ahead of ours is remembered.
const REMEMBERED: u32 = 360;

/// The time for which the store is believed to be as it was found.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// A write costs a flush to disk, so it is tried this often, by all instances together if it works
/// and by each if it fails.
const WRITE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// A fault of the store, in words that tell nothing of where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// It does not exist, or may not be used, or is out of reach.
    #[error(
        "is gone, or the component may not use it: see key_value_stores in the manifest, and the host's own configuration of the store"
    )]
    Gone,
    /// No room.
    #[error("is full: no payment can be recorded until there is room")]
    Full,
    /// Somebody else holds it.
    #[error("is locked by another program")]
    Locked,
    /// It can be read, and not be written.
    #[error("can be read only: no payment can be recorded")]
    ReadOnly,
    /// It did not answer.
    #[error("does not answer in time")]
    Silent,
    /// Anything else.
    #[error("fails; the log says why")]
    Failed,
}

impl StoreFault {
    /// The meaning of the platforms' texts: those of SQLite, of the file system and of Redis. They have
    /// no codes.
    fn of(error: &PlatformError) -> Self {
        let PlatformError::Failed(text) = error else {
            return Self::Gone;
        };
        let text = text.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["full", "no space", "oom command", "maxmemory", "quota"]) {
            Self::Full
        } else if says(&["locked", "busy"]) {
            Self::Locked
        } else if says(&["readonly", "read-only", "read only"]) {
            Self::ReadOnly
        } else if says(&[
            "unable to open",
            "no such table",
            "no such file",
            "i/o error",
            "refused",
            "reset",
            "broken pipe",
        ]) {
            Self::Gone
        } else {
            Self::Failed
        }
    }
}

/// The value under [`KEY`]: seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The time at which it was written.
    at: i64,
    /// The newest time that was seen when it was written.
    newest: i64,
    /// The number of times that it was written while `newest` was ahead of the writer's time.
    #[serde(default)]
    ahead: u32,
}

impl Mark {
    /// The mark to be written `now` in the place of `old`. A time ahead of ours stays, so that a
    /// clock that was set back is seen after the next probe too; but not for ever, or one moment
    /// of a wrong clock would be told for years. The end of it is counted, since it is the clocks
    /// that are in doubt.
    pub fn after(old: Option<Self>, now: Timestamp) -> Self {
        let now = now.as_second();
        match old {
            Some(old) if old.newest > now && old.ahead < REMEMBERED => Self {
                at: now,
                newest: old.newest,
                ahead: old.ahead + 1,
            },
            _ => Self {
                at: now,
                newest: now,
                ahead: 0,
            },
        }
    }

    /// The time since it was written; negative, if that is still to come.
    pub fn age(self, now: Timestamp) -> SignedDuration {
        SignedDuration::from_secs(now.as_second().saturating_sub(self.at))
    }

    /// The time by which `now` is behind the newest time that was seen.
    pub fn behind(self, now: Timestamp) -> SignedDuration {
        SignedDuration::from_secs(self.newest.saturating_sub(now.as_second()))
    }
}

/// An instance's memory of its probes of the store.
#[derive(Debug, Default)]
pub struct Probe(RefCell<Option<Probed>>);

/// The findings of a look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probed {
    /// The time at which it began.
    at: Timestamp,
    /// The time that it took.
    pub(crate) took: SignedDuration,
    /// The time at which a write was tried last, and why it failed.
    write: Option<(Timestamp, Result<(), StoreFault>)>,
    /// The mark that was read, or the fault.
    pub(crate) found: Result<Option<Mark>, StoreFault>,
}

impl Probe {
    /// Looks at the store, and writes there too if that `may_write`.
    pub(crate) async fn look<P: Platform>(&self, store: &Ledger<P>, may_write: bool) -> Probed {
        let now = store.now();
        let last = *self.0.borrow();
        if let Some(last) = last
            && now.duration_since(last.at).abs() < FRESH
        {
            return last;
        }
        let mut write = last.and_then(|last| last.write);
        let mut found = read_mark(store).await;
        if let Ok(mark) = found {
            let marked = mark.is_some_and(|mark| mark.age(now).abs() < WRITE_EVERY);
            let failed = write.filter(|(at, written)| {
                written.is_err() && now.duration_since(*at).abs() < WRITE_EVERY
            });
            if let Some((_, Err(fault))) = failed {
                found = Err(fault);
            } else if !marked && may_write {
                let written = write_mark(store, Mark::after(mark, now)).await;
                write = Some((now, written));
                found = written.map(|()| mark);
            }
        }
        let probed = Probed {
            at: now,
            took: store.now().duration_since(now),
            write,
            found,
        };
        self.0.replace(Some(probed));
        probed
    }
}

/// Reads the mark of the last probe, of any host. A mark that cannot be read counts as none.
///
/// # Errors
/// [`StoreFault`], and a line in the log.
async fn read_mark<P: Platform>(store: &Ledger<P>) -> Result<Option<Mark>, StoreFault> {
    let platform = store.platform();
    let key = [KEY.to_owned()];
    let values = within(platform.sleep(LIMIT), platform.get_many(&key)).await;
    let values = values.ok_or(StoreFault::Silent)?.map_err(|e| fault(&e))?;
    let mark = values.get(KEY);
    Ok(mark.and_then(|mark| serde_json::from_slice(mark).ok()))
}

/// Writes a mark.
///
/// # Errors
/// [`StoreFault`], and a line in the log.
async fn write_mark<P: Platform>(store: &Ledger<P>, mark: Mark) -> Result<(), StoreFault> {
    let platform = store.platform();
    let value = serde_json::to_vec(&mark).map_err(|_| StoreFault::Failed)?;
    let entries = [(KEY.to_owned(), value)];
    let written = within(platform.sleep(LIMIT), platform.set_many(&entries)).await;
    written.ok_or(StoreFault::Silent)?.map_err(|e| fault(&e))
}

fn fault(error: &PlatformError) -> StoreFault {
    log!(error: "the store's probe: {error}");
    StoreFault::of(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_the_platforms_say_is_told_in_words_of_our_own() {
        for (text, fault) in [
            ("database or disk is full", StoreFault::Full),
            ("No space left on device (os error 28)", StoreFault::Full),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                StoreFault::Full,
            ),
            ("database is locked", StoreFault::Locked),
            ("attempt to write a readonly database", StoreFault::ReadOnly),
            ("unable to open database file: /srv/x", StoreFault::Gone),
            ("Connection refused (os error 111)", StoreFault::Gone),
            ("something else", StoreFault::Failed),
        ] {
            assert_eq!(StoreFault::of(&PlatformError::Failed(text.into())), fault);
        }
        let denied = PlatformError::Denied("locked".into());
        assert_eq!(StoreFault::of(&denied), StoreFault::Gone);
    }

    #[test]
    fn a_time_ahead_is_remembered_over_many_probes_and_not_for_ever() {
        let mut mark = Mark::after(None, at(10_000));
        assert_eq!(mark.behind(at(10_005)).as_secs(), -5);
        let mut told = 0;
        for probe in 0..1000 {
            let now = at(5_000 + probe * 10);
            if mark.behind(now).as_secs() > 10 {
                told += 1;
            }
            mark = Mark::after(Some(mark), now);
            assert_eq!(mark.age(now).as_secs(), 0);
        }
        assert!((300..=400).contains(&told), "{told}");
        assert_eq!(mark.ahead, 0);
    }
}
