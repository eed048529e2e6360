//! The store's secret: a random key under which names are digested, so that nobody can guess them.
//!
//! A plain digest of personal data would reveal it to anybody who tries all telephone numbers, also after
//! its erasure. A digest under a key that only the store has also tells equal values from different ones,
//! and reveals nothing else.
//!
//! The key is made once for each store, and read along with the first payment that an instance looks for.
//! It stands in a list whose lowest entry counts, so two calls that make one at the same time agree.

use std::{cell::OnceCell, fmt, rc::Rc};

use hmac::{Hmac, KeyInit, Mac};
use mpay_log::{Log, entry_key, read_entry};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{
    Platform, StoreError,
    keys::SECRET,
    record::{Key as ReadKey, Place, Values, read, to_json},
};
use crate::digest::hex;

/// The cell where an instance keeps the secret once it has read it.
pub type SecretCell = Rc<OnceCell<Secret>>;

/// A key that only the store has, ready to digest with.
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

    /// HMAC-SHA256 over the parts, in hexadecimal. Digests for different values of `purpose`, or for
    /// parts that end elsewhere, are never equal.
    pub fn digest(&self, purpose: &str, parts: &[&[u8]]) -> String {
        let mut mac = self.0.clone();
        for part in [purpose.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        hex(&mac.finalize().into_bytes())
    }
}

/// The store's secret, in the log and in the memory of an instance.
#[derive(Debug)]
pub(crate) struct Secrets<'a, P> {
    log: &'a Log<P>,
    cell: &'a SecretCell,
}

impl<P> Clone for Secrets<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Secrets<'_, P> {}

impl<'a, P: Platform> Secrets<'a, P> {
    /// The secret of a log, kept in `cell` once it is read.
    pub(crate) fn on(log: &'a Log<P>, cell: &'a SecretCell) -> Self {
        Self { log, cell }
    }

    /// The store's secret. It costs no read if a payment was looked for before.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub(crate) async fn get(self) -> Result<Secret, StoreError> {
        const TRIES: u32 = 8;
        for _ in 0..TRIES {
            if let Some(secret) = self.cell.get() {
                return Ok(secret.clone());
            }
            let listing = self.log.read_settled::<Key>(SECRET).await?;
            if let Some(raw) = listing.unreadable.first() {
                // Another one in its place would name everything differently.
                return Err(not_a_key(raw.index));
            }
            match listing.entries.first() {
                Some(lowest) => self.keep(lowest.index, &lowest.value)?,
                None => self.make().await?,
            }
        }
        Err(StoreError::Contested(SECRET.to_owned()))
    }

    /// True if there is one. A store without a secret has no name under it either, so a call that only
    /// looks for a name writes nothing.
    pub(crate) async fn is_made(self) -> Result<bool, StoreError> {
        let keys = self.keys();
        if keys.is_empty() {
            return Ok(true);
        }
        let values = read(self.log, &keys).await?;
        self.find(&values)?;
        // If its place is contested, a call that needs the secret finds out which one counts.
        Ok(!values.is_empty())
    }

    /// Adds a key to a list without one.
    async fn make(self) -> Result<(), StoreError> {
        let random = [(); 4].map(|()| self.log.platform().random().to_be_bytes());
        let key = Key {
            key: hex(random.as_flattened()),
        };
        let slot = self.log.take(SECRET).await?;
        let filled = self
            .log
            .fill(&[(&slot, &to_json(&key)?)], Vec::new())
            .await?;
        if slot.index() == 1 && filled.all() {
            // Nobody stands before it.
            self.keep(1, &key)?;
        }
        Ok(())
    }

    /// The keys to read along, so that the secret costs no call of its own; none once it is known.
    pub(super) fn keys(self) -> Vec<ReadKey> {
        match self.cell.get() {
            Some(_) => Vec::new(),
            None => vec![first(), Place::new(SECRET, 1).contest()],
        }
    }

    /// Keeps the secret, if it is among values that were read and nobody contests its place: the
    /// first entry is the lowest.
    pub(super) fn find(self, values: &Values) -> Result<(), StoreError> {
        if self.cell.get().is_none()
            && !values.has(&Place::new(SECRET, 1).contest())
            && let Some(bytes) = values.get(&first())
        {
            let first = read_entry::<Key>(1, bytes).map_err(|raw| not_a_key(raw.index))?;
            self.keep(1, &first.value)?;
        }
        Ok(())
    }

    fn keep(self, index: u64, key: &Key) -> Result<(), StoreError> {
        let bytes = base16ct::mixed::decode_vec(&key.key).ok();
        let secret = bytes.and_then(|bytes| Secret::new(&bytes));
        let _ = self.cell.set(secret.ok_or_else(|| not_a_key(index))?);
        Ok(())
    }
}

fn first() -> ReadKey {
    ReadKey::new(entry_key(SECRET, 1))
}

fn not_a_key(index: u64) -> StoreError {
    StoreError::Corrupt {
        key: entry_key(SECRET, index),
        reason: "not a key of 32 bytes".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{
            Ledger,
            memory::{Fault, Memory},
        },
        *,
    };
    use crate::domain::PaymentId;

    async fn digest(memory: &Memory) -> Result<String, StoreError> {
        let store = Ledger::new(memory.clone());
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
    async fn who_is_slow_to_write_the_first_key_takes_that_of_others() {
        let memory = Memory::empty();
        // The list is read, a place taken.
        let slow = [Fault::None; 2].into_iter();
        memory.script(slow.chain([Fault::Delay(Duration::from_secs(9))]));
        let later = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            digest(&memory).await
        };
        let (first, second) = tokio::join!(digest(&memory), later);
        let second = second.unwrap();
        assert_eq!(first.unwrap(), second);
        assert_eq!(digest(&memory).await.unwrap(), second);
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
                let next = digest(&memory).await.unwrap();
                if let Ok(Ok(begun)) = begun {
                    assert_eq!(begun, next, "{fault:?} at {position}");
                }
                assert_eq!(digest(&memory).await.unwrap(), next);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_that_is_damaged_is_not_replaced() {
        let memory = Memory::new();
        memory.overwrite("secret/1", b"{".to_vec());
        assert!(matches!(
            digest(&memory).await,
            Err(StoreError::Corrupt { .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn the_secret_comes_with_the_first_payment_and_is_read_once() {
        let memory = Memory::empty();
        let expected = digest(&memory).await.unwrap();
        memory.take_calls();
        let cell = SecretCell::default();
        for reads in [1, 0] {
            let store = Ledger::new(memory.clone()).sharing(&cell);
            let id = PaymentId::parse("P").unwrap();
            assert!(!store.payments().known(&id).await.unwrap().is_recorded());
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
