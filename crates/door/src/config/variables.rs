use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    mem::discriminant,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The reason why a variable has no value that could be used: not its default either, which only a variable
/// that was read and found empty has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// The manifest does not give it to the component.
    #[error(
        "is not given to the component: add it to the table of the component's variables in spin.toml, as the provider's own spin.toml has it"
    )]
    Undefined,
    /// The host could not get it. Its reason is for the log alone: it is not this program's text.
    #[error("could not be read by the host: the log says why; it is tried again each second")]
    Failed(String),
    /// The host did not answer in time.
    #[error("could not be read in time: the host, or where it keeps variables, does not answer")]
    TooSlow,
    /// It had another value each time that it was read.
    #[error("changed while it was read; it is read again each second")]
    Changing,
}

/// A keyed digest of the variables: enough to see if they have changed, and useless to somebody who finds
/// it in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariablesDigest([u8; 32]);

/// The texts of the variables as the platform gives them, erased from memory when dropped.
#[derive(Clone, Default)]
pub struct Variables {
    values: BTreeMap<&'static str, Zeroizing<String>>,
    unread: BTreeMap<&'static str, Unread>,
}

impl Variables {
    /// Sets a variable.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.unread.remove(name);
        self.values.insert(name, Zeroizing::new(value));
    }

    /// Says that a variable has no value that could be used.
    pub fn set_unread(&mut self, name: &'static str, reason: Unread) {
        self.values.remove(name);
        self.unread.insert(name, reason);
    }

    /// The variables that could not be read, and why.
    pub fn unread(&self) -> impl Iterator<Item = (&'static str, &Unread)> {
        self.unread.iter().map(|(name, reason)| (*name, reason))
    }

    /// The names of all, in their order.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let names: BTreeSet<_> = self.values.keys().chain(self.unread.keys()).collect();
        names.into_iter().copied()
    }

    /// True if it was read, or not read, already.
    pub fn has(&self, name: &'static str) -> bool {
        self.values.contains_key(name) || self.unread.contains_key(name)
    }

    /// The names of those that are not the same in `other`.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let differ = |name: &&'static str| {
            self.values.get(name) != other.values.get(name)
                || self.unread.get(name).map(discriminant)
                    != other.unread.get(name).map(discriminant)
        };
        self.names().filter(differ).collect()
    }

    /// The digest under a `key` of the instance's own.
    pub fn digest(&self, key: &[u8; 64]) -> VariablesDigest {
        let mut mac = Hmac::<Sha256>::new(key.into());
        for name in self.names() {
            mac.update(name.as_bytes());
            // Lengths, so that no two sets run together to the same text.
            match (self.values.get(name), self.unread.get(name)) {
                (Some(value), _) => {
                    mac.update(b"=");
                    mac.update(&value.len().to_le_bytes());
                    mac.update(value.as_bytes());
                }
                (None, Some(Unread::Undefined)) => mac.update(b"u"),
                (None, Some(Unread::Failed(_))) => mac.update(b"f"),
                (None, Some(Unread::TooSlow)) => mac.update(b"s"),
                (None, Some(Unread::Changing)) => mac.update(b"c"),
                (None, None) => {}
            }
        }
        VariablesDigest(mac.finalize().into_bytes().into())
    }

    /// The value without white space around it, and without the byte order mark of a file that an
    /// editor of Windows saved; `None` where it is empty.
    pub fn get(&self, name: &'static str) -> Option<&str> {
        let value = self.values.get(name)?;
        let value = value.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        (!value.is_empty()).then_some(value)
    }

    /// The value as it is, for tests.
    #[cfg(any(test, feature = "testing"))]
    pub fn text(&self, name: &'static str) -> &str {
        self.values.get(name).map_or("", |value| value)
    }

    /// True if it could not be read.
    pub fn is_unread(&self, name: &'static str) -> bool {
        self.unread.contains_key(name)
    }
}

/// Names only: values may be secret.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables")
            .field("read", &self.values.keys())
            .field("unread", &self.unread.keys())
            .finish()
    }
}
