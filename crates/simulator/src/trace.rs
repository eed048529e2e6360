//! The trace: what happened, in order. Its digest is always taken, since equal digests say that two
//! runs were one; its lines are kept only where somebody will read them, since writing them costs
//! more than the run.

use std::{
    cell::{Cell, RefCell},
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::executor::Micros;

/// See the module.
pub struct Trace {
    digest: RefCell<DefaultHasher>,
    lines: Option<RefCell<Vec<String>>>,
    now: Cell<Micros>,
}

impl Trace {
    /// An empty one, which keeps its lines or does not.
    pub fn new(keeps_lines: bool) -> Self {
        Self {
            digest: RefCell::new(DefaultHasher::new()),
            lines: keeps_lines.then(RefCell::default),
            now: Cell::new(0),
        }
    }

    /// Notes that something happened: of what it is made for the digest, and a line for people.
    pub fn note(&self, now: Micros, what: impl Hash, line: impl FnOnce() -> String) {
        let mut digest = self.digest.borrow_mut();
        now.hash(&mut *digest);
        what.hash(&mut *digest);
        drop(digest);
        self.now.set(now);
        self.say(line);
    }

    /// A line for people alone.
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
