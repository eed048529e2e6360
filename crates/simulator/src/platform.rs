//! The host's side of the provider in the simulation: a store and clocks ([`Platform`]), a way out
//! ([`Outbound`]) and variables ([`Source`]). No other file knows these traits.

use std::{collections::HashMap, rc::Rc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use mpay_door::{Outbound, Unanswered, config::Unread, current::Source};
use mpay_ledger::{Platform, PlatformError};

use crate::{
    cards,
    engine::{Call, Reply},
    webhook,
    world::{Door, HostId, World},
};

/// The platform of a host.
pub struct Host {
    world: Rc<World>,
    id: HostId,
}

impl Host {
    /// The platform of this host.
    pub fn new(world: &Rc<World>, id: HostId) -> Self {
        Self {
            world: Rc::clone(world),
            id,
        }
    }

    async fn call(&self, call: Call) -> Result<Reply, PlatformError> {
        let answer = self.world.submit(self.id, call).wait().await;
        // Every call is answered in the end.
        answer
            .unwrap_or_else(|| Err("no answer".to_owned()))
            .map_err(PlatformError::Failed)
    }
}

fn other_answer<T>() -> Result<T, PlatformError> {
    Err(PlatformError::Denied(
        "an answer to another call".to_owned(),
    ))
}

impl Platform for Host {
    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        match self.call(Call::Get(keys.to_vec())).await? {
            Reply::Values(values) => Ok(values),
            _ => other_answer(),
        }
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        match self.call(Call::Set(entries.to_vec())).await? {
            Reply::Done => Ok(()),
            _ => other_answer(),
        }
    }

    async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        match self.call(Call::Count(key.to_owned(), by)).await? {
            Reply::Count(count) => Ok(count),
            _ => other_answer(),
        }
    }

    fn now(&self) -> Timestamp {
        self.world.clock_of(self.id)
    }

    fn monotonic(&self) -> Duration {
        self.world.monotonic_of(self.id)
    }

    fn random(&self) -> u64 {
        self.world.random.number()
    }

    async fn sleep(&self, duration: Duration) {
        self.world.executor.sleep(duration).await;
    }
}

impl Outbound for Host {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<()>, String> {
        webhook::receive(&self.world, self.id, request).await
    }

    async fn fetch(
        &self,
        request: Request<Bytes>,
        _most: usize,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Unanswered> {
        cards::fetch(&self.world, self.id, request, patience).await
    }
}

/// The variables of a door of a host.
pub struct Variables {
    host: Host,
    door: Door,
    reader: u64,
}

impl Drop for Variables {
    fn drop(&mut self) {
        self.host.world.end_reader(self.host.id, self.reader);
    }
}

impl Variables {
    /// The variables of this door.
    pub fn new(world: &Rc<World>, id: HostId, door: Door) -> Self {
        Self {
            host: Host::new(world, id),
            door,
            reader: world.reader(),
        }
    }
}

impl Source for Variables {
    async fn get(&self, name: &'static str) -> Result<String, Unread> {
        self.host
            .world
            .variable(self.host.id, self.door, self.reader, name)
            .await
    }

    fn elapsed(&self) -> Duration {
        self.host.world.monotonic_of(self.host.id)
    }

    async fn sleep(&self, duration: Duration) {
        self.host.world.executor.sleep(duration).await;
    }
}
