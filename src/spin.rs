//! The platform of a Spin host: `wasi:keyvalue` and the clocks of WASI.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use spin_sdk::{
    experimental::wasi::keyvalue::{atomics, batch, store},
    http::FullBody,
    wasip3::{
        clocks::monotonic_clock, http::types::RequestOptions, http_compat::RequestOptionsExtension,
        random::random,
    },
};

use crate::{platform::Outbound, store::PlatformError};

/// The store named in the manifest's `key_value_stores`.
const STORE: &str = "default";

/// A Spin host. Made for each request: a handle of the store must not outlive it.
#[derive(Debug)]
pub struct Spin {
    /// A store that is not to be had is an error of each call, so that there is one way to fail.
    bucket: Result<store::Bucket, PlatformError>,
}

impl Spin {
    /// Opens the store.
    pub fn open() -> Self {
        Self {
            bucket: store::open(STORE).map_err(error),
        }
    }

    fn bucket(&self) -> Result<&store::Bucket, PlatformError> {
        self.bucket.as_ref().map_err(Clone::clone)
    }
}

impl mpay_ledger::Platform for Spin {
    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        // The answer may leave out absent keys, and keeps no order.
        let values = batch::get_many(self.bucket()?, keys).map_err(error)?;
        Ok(values
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect())
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        batch::set_many(self.bucket()?, entries).map_err(error)
    }

    async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        let by =
            i64::try_from(by).map_err(|_| PlatformError::Denied(format!("{by} is too many")))?;
        let count = atomics::increment(self.bucket()?, key, by).map_err(error)?;
        u64::try_from(count)
            .map_err(|_| PlatformError::Denied(format!("the counter {key} is negative: {count}")))
    }

    fn now(&self) -> Timestamp {
        // As `Timestamp::now`, which panics where this is at an end, and brings the texts for it.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = SignedDuration::try_from(since.unwrap_or_default());
        let time = since.and_then(Timestamp::from_duration);
        time.unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn random(&self) -> u64 {
        random::get_random_u64()
    }

    async fn sleep(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        monotonic_clock::wait_for(nanoseconds).await;
    }
}

impl Outbound for Spin {
    async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, String> {
        const NANOSECONDS: u64 = 1_000_000_000;
        let options = RequestOptions::new();
        // A host that does not know them has limits of its own.
        let _ = options.set_connect_timeout(Some(5 * NANOSECONDS));
        let _ = options.set_first_byte_timeout(Some(10 * NANOSECONDS));
        let mut request = request.map(FullBody::new);
        request
            .extensions_mut()
            .insert(RequestOptionsExtension(options));
        let answer = spin_sdk::http::send(request).await;
        answer
            .map(|answer| answer.status())
            .map_err(|error| format!("{error:?}"))
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
