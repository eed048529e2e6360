//! The keys of the pages: derived of the variable `page_key`, each for one purpose.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::{DEVELOPMENT_TOKEN, Environment, Reader};

/// The variable.
pub const PAGE_KEY: &str = "page_key";

/// The fewest characters of a key.
const SHORTEST: usize = 32;

/// Bytes of the seal of a text: a guess must hit all of them, once and without being told if it did.
const SEAL: usize = 16;

/// The purpose of a sealed text. A text that was sealed for another purpose is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The address of an order's page.
    PayLink,
    /// The session of a person who is signed in to the office.
    Session,
    /// A form that was made for the person who is signed in.
    Form,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::PayLink => b"mpay-provider pay link",
            Self::Session => b"mpay-provider session",
            Self::Form => b"mpay-provider form",
        }
    }
}

/// The keys: the first one seals, all are believed.
#[derive(Clone)]
pub struct PageKeys(Vec<Hmac<Sha256>>);

impl fmt::Debug for PageKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageKeys({})", self.0.len())
    }
}

impl PageKeys {
    /// Reads the variable [`PAGE_KEY`]: keys with spaces between. `None` if there is none, or if one
    /// is wrong.
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Option<Self> {
        let text = reader.variables.get(PAGE_KEY)?;
        let mut keys = text.split_whitespace();
        if environment != Environment::Development
            && keys.any(|key| key.starts_with(DEVELOPMENT_TOKEN))
        {
            reader.error(PAGE_KEY, "is one for development, which everybody knows");
            return None;
        }
        let keys: Option<Vec<_>> = text.split_whitespace().map(key).collect();
        let keys = keys.filter(|keys| !keys.is_empty());
        if keys.is_none() {
            let detail = "must hold keys of 32 characters or more, such as `openssl rand -base64 32` makes, with spaces between";
            reader.error(PAGE_KEY, detail);
        }
        keys.map(Self)
    }

    /// A text for addresses that holds `content`, and that nobody else can make.
    pub fn seal(&self, purpose: Purpose, content: &[u8]) -> String {
        let seal = self.0.first().map(|key| mac(key, purpose, content));
        let seal = seal.map(|mac| mac.finalize().into_bytes());
        let seal = seal.as_deref().unwrap_or_default().iter().take(SEAL);
        let sealed: Vec<_> = content.iter().chain(seal).copied().collect();
        Base64UrlUnpadded::encode_string(&sealed)
    }

    /// The content of a sealed text; `None` if these keys did not seal it, or sealed it for another
    /// purpose.
    pub fn open(&self, purpose: Purpose, sealed: &str) -> Option<Vec<u8>> {
        let bytes = Base64UrlUnpadded::decode_vec(sealed).ok()?;
        let (content, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
        let is_ours = |key| {
            mac(key, purpose, content)
                .verify_truncated_left(seal)
                .is_ok()
        };
        self.0.iter().any(is_ours).then(|| content.to_vec())
    }
}

fn key(text: &str) -> Option<Hmac<Sha256>> {
    let is_long_enough = text.chars().count() >= SHORTEST;
    is_long_enough.then(|| Hmac::new_from_slice(text.as_bytes()).ok())?
}

fn mac(key: &Hmac<Sha256>, purpose: Purpose, content: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(purpose.label());
    // No label holds it, so that no content can pass for a part of one.
    mac.update(&[0]);
    mac.update(content);
    mac
}

#[cfg(test)]
pub(super) mod tests {
    use crate::config::Variables;

    use super::*;

    /// Keys of this text.
    pub fn keys(text: &str) -> Option<PageKeys> {
        let mut variables = Variables::default();
        variables.set(PAGE_KEY, text.to_owned());
        let mut reader = Reader::new(&variables);
        let keys = PageKeys::read(&mut reader, Environment::Test);
        assert_eq!(keys.is_none(), !reader.errors.is_empty() || text.is_empty());
        keys
    }

    const OLD: &str = "old-key-old-key-old-key-old-key-old-key";
    const NEW: &str = "new-key-new-key-new-key-new-key-new-key";

    #[test]
    fn keys_are_long_enough_and_one_mistake_is_one_in_all() {
        assert!(keys("").is_none());
        assert!(keys("short").is_none());
        assert!(keys(&"k".repeat(31)).is_none());
        assert!(keys(&format!("{DEVELOPMENT_TOKEN}{OLD}")).is_none());
        assert!(keys(&"k".repeat(32)).is_some());
        assert!(keys(&format!("{OLD} short")).is_none());
        assert!(keys(&format!(" {NEW}\n{OLD} ")).is_some());
        let shown = format!("{:?}", keys(OLD));
        assert!(!shown.contains("old"), "{shown}");
    }

    #[test]
    fn what_is_sealed_is_opened_by_old_keys_and_new_ones() {
        let (old, new) = (keys(OLD).unwrap(), keys(NEW).unwrap());
        let both = keys(&format!("{NEW} {OLD}")).unwrap();
        for content in [&b""[..], b"a", b"a longer text, with \x00 in it"] {
            let sealed = old.seal(Purpose::PayLink, content);
            assert_eq!(old.open(Purpose::PayLink, &sealed).unwrap(), content);
            assert_eq!(both.open(Purpose::PayLink, &sealed).unwrap(), content);
            assert_eq!(new.open(Purpose::PayLink, &sealed), None);
            let by_both = both.seal(Purpose::PayLink, content);
            assert_eq!(new.open(Purpose::PayLink, &by_both).unwrap(), content);
        }
    }

    #[test]
    fn nothing_that_was_changed_is_opened() {
        let keys = keys(OLD).unwrap();
        let sealed = keys.seal(Purpose::PayLink, b"TAX 1");
        for place in 0..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(keys.open(Purpose::PayLink, &other), None, "{place}");
        }
        for other in [
            "",
            "A",
            "AAAA",
            &sealed[1..],
            &format!("{sealed}A"),
            "ș",
            "==",
        ] {
            assert_eq!(keys.open(Purpose::PayLink, other), None, "{other}");
        }
    }

    #[test]
    fn what_is_sealed_for_one_purpose_is_not_opened_for_another() {
        let keys = keys(OLD).unwrap();
        let purposes = [Purpose::PayLink, Purpose::Session, Purpose::Form];
        for sealed_for in purposes {
            let sealed = keys.seal(sealed_for, b"TAX 1");
            for purpose in purposes {
                let opened = keys.open(purpose, &sealed).is_some();
                assert_eq!(opened, purpose.label() == sealed_for.label());
            }
        }
    }
}
