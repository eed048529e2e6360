//! The trace: the events of a run, in order. Its digest is always computed, since equal digests show that
//! two runs were the same. Its lines are kept only if somebody will read them, since writing them costs
//! more than the run.

use std::{
    cell::{Cell, RefCell},
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::executor::Micros;

/// The trace of a run.
pub struct Trace {
    digest: RefCell<DefaultHasher>,
    lines: Option<RefCell<Vec<String>>>,
    now: Cell<Micros>,
}

impl Trace {
    /// An empty trace, which keeps its lines or not.
    pub fn new(keeps_lines: bool) -> Self {
        Self {
            digest: RefCell::new(DefaultHasher::new()),
            lines: keeps_lines.then(RefCell::default),
            now: Cell::new(0),
        }
    }

    /// Notes an event: `what` enters the digest, and `line` is for people.
    pub fn note(&self, now: Micros, what: impl Hash, line: impl FnOnce() -> String) {
        let mut digest = self.digest.borrow_mut();
        now.hash(&mut *digest);
        what.hash(&mut *digest);
        drop(digest);
        self.now.set(now);
        self.say(line);
    }

    /// Adds a line for people, which does not enter the digest.
    pub fn say(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let (seconds, micros) = (self.now.get() / 1_000_000, self.now.get() % 1_000_000);
            let line = format!("{seconds:>7}.{micros:06} {}", line());
            lines.borrow_mut().push(line);
        }
    }

    /// The digest of everything until now.
    pub fn digest(&self) -> u64 {
        self.digest.borrow().finish()
    }

    /// The lines that were kept.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.lines.as_ref();
        lines
            .map(|lines| lines.borrow().clone())
            .unwrap_or_default()
    }
}
