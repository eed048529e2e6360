//! A store in memory that goes back to where it was, so that every payment is the first.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use mpay_door::{Outbound, Unanswered};
use mpay_ledger::PlatformError;

use crate::messages::now;

type Values = HashMap<String, Vec<u8>>;

/// Values that stay, and those written since.
#[derive(Default)]
pub(crate) struct Memory {
    kept: RefCell<Values>,
    written: RefCell<Values>,
    randoms: Cell<u64>,
}

impl Memory {
    /// Keeps the written values.
    pub(crate) fn keep(&self) {
        let written = self.written.take();
        self.kept.borrow_mut().extend(written);
    }

    /// Drops the written values.
    pub(crate) fn forget(&self) {
        self.written.borrow_mut().clear();
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let written = self.written.borrow().get(key).cloned();
        written.or_else(|| self.kept.borrow().get(key).cloned())
    }
}

impl mpay_ledger::Platform for &Memory {
    async fn get_many(&self, keys: &[String]) -> Result<Values, PlatformError> {
        let found = keys
            .iter()
            .filter_map(|key| Some((key.clone(), self.get(key)?)));
        Ok(found.collect())
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        self.written.borrow_mut().extend(entries.iter().cloned());
        Ok(())
    }

    async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        let before = self.get(key).and_then(|value| value.try_into().ok());
        let next = before.map_or(0, u64::from_le_bytes) + by;
        let value = next.to_le_bytes().to_vec();
        self.written.borrow_mut().insert(key.to_owned(), value);
        Ok(next)
    }

    fn now(&self) -> Timestamp {
        now()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self) -> u64 {
        self.randoms.set(self.randoms.get() + 1);
        self.randoms.get()
    }

    async fn sleep(&self, _: Duration) {}
}

impl Outbound for &Memory {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<()>, String> {
        Err("nobody is outside".to_owned())
    }

    async fn fetch(
        &self,
        _: Request<Bytes>,
        _: usize,
        _: Duration,
    ) -> Result<(StatusCode, Bytes), Unanswered> {
        Err(Unanswered::NotSent("nobody is outside".to_owned()))
    }
}
