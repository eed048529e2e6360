//! The store's secret: a key of chance under which names are digests that nobody can guess.
//!
//! What is kept under the digest of something of a person would tell it to whoever tries all
//! telephone numbers, also after it was erased. A digest under a key that only the store has tells
//! the same thing from another as well, and nothing else.
//!
//! The key is made once for each store, and read along with the first values that an instance
//! reads. It stands in a list, whose lowest entry counts: two that make one at the same time agree.

use std::{cell::OnceCell, collections::HashMap, fmt, rc::Rc, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Platform, Store, StoreError, evidence::to_json, keys, list::read_entry};
use crate::digest::hex;

/// Where an instance keeps the secret once it has read it.
pub type SecretCell = Rc<OnceCell<Secret>>;

/// A key that is in the store and nowhere else, ready to digest with.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

/// An entry of the list of keys.
#[derive(Serialize, Deserialize)]
struct Key {
    /// 32 bytes, in hexadecimal.
    key: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The secret of a key; `None` if that is shorter than 32 bytes.
    pub fn new(key: &[u8]) -> Option<Self> {
        let mac = Hmac::new_from_slice(key).ok()?;
        (key.len() >= 32).then_some(Self(mac))
    }

    /// HMAC-SHA256 over the parts, in hexadecimal. What is digested for one `purpose` is never
    /// equal to what is for another, nor by where its parts end.
    pub fn digest(&self, purpose: &str, parts: &[&[u8]]) -> String {
        let mut mac = self.0.clone();
        for part in [purpose.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        hex(&mac.finalize().into_bytes())
    }
}

impl<P: Platform> Store<P> {
    /// The same store, which finds the secret in `cell` or leaves it there: for the next request.
    pub fn sharing(self, cell: &SecretCell) -> Self {
        Self {
            secret: Rc::clone(cell),
            ..self
        }
    }

    /// The store's secret. Whoever has read anything of the store before has it already.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or another call is making the secret.
    pub async fn secret(&self) -> Result<Secret, StoreError> {
        if let Some(secret) = self.secret.get() {
            return Ok(secret.clone());
        }
        // Brings the secret along, if there is one.
        self.get_many(&[keys::SECRET.to_owned()]).await?;
        for pause in [0, 50, 200, 800, 1600] {
            if let Some(secret) = self.secret.get() {
                return Ok(secret.clone());
            }
            self.platform.sleep(Duration::from_millis(pause)).await;
            self.make_secret().await?;
        }
        Err(StoreError::InProgress("the secret".to_owned()))
    }

    /// Keeps the lowest key of the list, and adds one if there is none.
    async fn make_secret(&self) -> Result<(), StoreError> {
        let mut keys = self.read_all::<Key>(keys::SECRET).await?;
        if keys.entries.is_empty() {
            let random = [(); 4].map(|()| self.platform.random().to_be_bytes());
            let key = Key {
                key: hex(random.as_flattened()),
            };
            let slot = self.take(keys::SECRET).await?;
            self.fill(&[(&slot, &to_json(&key)?)], Vec::new()).await?;
            keys = self.read_all(keys::SECRET).await?;
        }
        let pending = keys.first_pending(self.now());
        if let Some(lowest) = keys.entries.first()
            && pending.is_none_or(|pending| pending > lowest.index)
        {
            self.keep(&entry(lowest.index), &lowest.value)?;
        }
        Ok(())
    }

    /// The key to read along, so that the secret costs no call of its own.
    pub(super) fn secret_key(&self) -> Option<String> {
        self.secret.get().is_none().then(|| entry(1))
    }

    /// Keeps the secret, if it is among values that were read. The first entry is the lowest.
    pub(super) fn find_secret(&self, values: &HashMap<String, Vec<u8>>) -> Result<(), StoreError> {
        let name = entry(1);
        if self.secret.get().is_none()
            && let Some(bytes) = values.get(&name)
        {
            self.keep(&name, &read_entry::<Key>(&name, 1, bytes)?.value)?;
        }
        Ok(())
    }

    fn keep(&self, name: &str, key: &Key) -> Result<(), StoreError> {
        let bytes = (0..key.key.len()).step_by(2).map(|at| {
            let digits = key.key.get(at..at + 2)?;
            u8::from_str_radix(digits, 16).ok()
        });
        let bytes: Option<Vec<_>> = bytes.collect();
        let secret = bytes.and_then(|bytes| Secret::new(&bytes));
        let secret = secret.ok_or_else(|| StoreError::Corrupt {
            key: name.to_owned(),
            reason: "not a key of 32 bytes".to_owned(),
        })?;
        let _ = self.secret.set(secret);
        Ok(())
    }
}

fn entry(index: u64) -> String {
    format!("{}/{index}", keys::SECRET)
}

#[cfg(test)]
mod tests {
    use super::{
        super::memory::{Fault, Memory},
        *,
    };

    async fn digest(memory: &Memory) -> Result<String, StoreError> {
        let store = Store::new(memory.clone());
        let secret = store.secret().await?;
        Ok(secret.digest("test", &[b"079123456"]))
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_make_a_secret_at_the_same_time_have_the_same() {
        let memory = Memory::empty();
        let all = (0..16).map(|_| digest(&memory));
        let all = futures::future::join_all(all).await;
        let first = digest(&memory).await.unwrap();
        assert!(all.iter().all(|digest| *digest.as_ref().unwrap() == first));
        // Another store has another.
        let other = Memory::empty();
        other.script_random([9, 9, 9, 9]);
        assert_ne!(digest(&other).await.unwrap(), first);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_to_write_the_first_key_is_waited_for() {
        let memory = Memory::empty();
        let slow = [Fault::None; 3].into_iter();
        memory.script(slow.chain([Fault::Delay(Duration::from_secs(9))]));
        let later = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            digest(&memory).await
        };
        let (first, second) = tokio::join!(digest(&memory), later);
        assert!(
            matches!(second, Err(StoreError::InProgress(_))),
            "{second:?}"
        );
        assert_eq!(digest(&memory).await.unwrap(), first.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_that_was_broken_off_is_made_by_the_next_call() {
        for fault in [Fault::Fail, Fault::Drop, Fault::Cut, Fault::CutAfter] {
            for position in 0..6 {
                let memory = Memory::empty();
                memory.script(std::iter::repeat_n(Fault::None, position).chain([fault; 5]));
                let begun = digest(&memory);
                let begun = tokio::time::timeout(Duration::from_secs(5), begun).await;
                memory.script([]);
                let mut next = digest(&memory).await;
                // One that was taken and never written is waited for.
                for _ in 0..20 {
                    if next.is_ok() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_secs(7)).await;
                    next = digest(&memory).await;
                }
                let next = next.unwrap();
                if let Ok(Ok(begun)) = begun {
                    assert_eq!(begun, next, "{fault:?} at {position}");
                }
                assert_eq!(digest(&memory).await.unwrap(), next);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_secret_comes_with_what_is_read_anyway_and_is_read_once() {
        let memory = Memory::empty();
        let expected = digest(&memory).await.unwrap();
        memory.take_calls();
        let cell = SecretCell::default();
        for reads in [1, 0] {
            let store = Store::new(memory.clone()).sharing(&cell);
            let read = store.get_many(&["outbox/low".to_owned()]).await;
            assert!(
                read.unwrap().is_empty(),
                "it is not given to whoever has not asked"
            );
            let secret = store.secret().await.unwrap();
            assert_eq!(secret.digest("test", &[b"079123456"]), expected);
            let calls = memory.take_calls();
            assert_eq!(calls.len(), 1, "{calls:?}");
            let with_secret = calls.iter().filter(|call| call.contains("secret/1"));
            assert_eq!(with_secret.count(), reads, "{calls:?}");
        }
    }

    #[test]
    fn what_is_digested_depends_on_key_purpose_and_where_parts_end() {
        let (one, other) = (
            Secret::new(&[1; 32]).unwrap(),
            Secret::new(&[2; 32]).unwrap(),
        );
        let digests = [
            one.digest("a", &[b"bc"]),
            one.digest("ab", &[b"c"]),
            one.digest("a", &[b"b", b"c"]),
            other.digest("a", &[b"bc"]),
        ];
        for (position, digest) in digests.iter().enumerate() {
            assert!(!digests[..position].contains(digest), "{position}");
        }
        assert!(Secret::new(&[1; 31]).is_none());
        assert_eq!(format!("{one:?}"), "Secret(…)");
    }
}
