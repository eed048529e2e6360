//! The store of a Spin host: `wasi:keyvalue`.

use std::{cell::Cell, collections::HashMap};

use mpay_ledger::PlatformError;
use spin_sdk::experimental::wasi::keyvalue::{atomics, batch, store};

/// The store named in the manifest's `key_value_stores`.
const STORE: &str = "default";

/// An open store. One that is not to be had is an error of each call, so that there is one way to
/// fail.
#[derive(Debug)]
pub(super) struct Store(Result<store::Bucket, PlatformError>);

thread_local! {
    /// True if this instance has seen that the store reads no batches, which does not change.
    static ONE_BY_ONE: Cell<bool> = const { Cell::new(false) };
}

/// True if a batch was refused as Spin's Redis store refuses it: it sends the command `KEYS`, which
/// takes one pattern, with all keys.
fn reads_no_batches(error: &store::Error) -> bool {
    matches!(error, store::Error::Other(reason) if reason.contains("wrong number of arguments"))
}

impl Store {
    pub(super) fn open() -> Self {
        Self(store::open(STORE).map_err(error))
    }

    fn bucket(&self) -> Result<&store::Bucket, PlatformError> {
        self.0.as_ref().map_err(Clone::clone)
    }

    /// Reads keys; whoever asks may have no more time between two of them.
    pub(super) async fn get_many(
        &self,
        keys: &[String],
        in_time: impl Fn() -> Result<(), PlatformError>,
    ) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        // One key is never read as a batch: Spin's Redis store answers with its name alone, which
        // cannot be told from a key without a value, and a payment would be recorded again.
        if keys.len() < 2 || ONE_BY_ONE.get() {
            return self.get_each(keys, in_time);
        }
        let values = match batch::get_many(self.bucket()?, keys) {
            Err(refused) if reads_no_batches(&refused) => {
                ONE_BY_ONE.set(true);
                return self.get_each(keys, in_time);
            }
            values => values.map_err(error)?,
        };
        // They may leave out absent keys, and keep no order.
        Ok(values
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect())
    }

    /// Reads one key after the other, in their order: callers rely on a later key not being read before
    /// an earlier one.
    fn get_each(
        &self,
        keys: &[String],
        in_time: impl Fn() -> Result<(), PlatformError>,
    ) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        let mut values = HashMap::with_capacity(keys.len());
        for key in keys {
            in_time()?;
            if let Some(value) = self.bucket()?.get(key).map_err(error)? {
                values.insert(key.clone(), value);
            }
        }
        Ok(values)
    }

    pub(super) async fn set_many(
        &self,
        entries: &[(String, Vec<u8>)],
    ) -> Result<(), PlatformError> {
        // Redis refuses a batch of nothing.
        if entries.is_empty() {
            return self.bucket().map(drop);
        }
        batch::set_many(self.bucket()?, entries).map_err(error)
    }

    pub(super) async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        let by =
            i64::try_from(by).map_err(|_| PlatformError::Denied(format!("{by} is too many")))?;
        let count = atomics::increment(self.bucket()?, key, by).map_err(error)?;
        u64::try_from(count)
            .map_err(|_| PlatformError::Denied(format!("the counter {key} is negative: {count}")))
    }
}

fn error(error: store::Error) -> PlatformError {
    match error {
        store::Error::NoSuchStore => {
            PlatformError::Denied(format!("the host has no key-value store {STORE:?}"))
        }
        store::Error::AccessDenied => PlatformError::Denied(format!(
            "the key-value store {STORE:?} is not among the component's key_value_stores"
        )),
        store::Error::Other(reason) => PlatformError::Failed(reason),
    }
}
