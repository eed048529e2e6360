//! Keys and values in Redis, as Spin's own Redis store keeps them: each key under its own name, in every
//! store, and counters as decimal numbers.
//!
//! One connection serves all. Once it breaks, the next call makes another; no call is ever sent twice,
//! because it may have had its effect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, cmd};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use super::error::{CALL_TIME, Error};

/// The time that it may take to connect: shorter than a call, so that the reason is told.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// Keys that Redis looks at for one part of a listing.
const SCAN: usize = 1000;

/// The settings without which Redis loses acknowledged writes.
const SETTINGS: [(&str, &str); 3] = [
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    ("maxmemory-policy", "noeviction"),
];

/// A server of Redis. Clones share it.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    client: Client,
    kept: Mutex<Kept>,
    /// No file, so none that could be replaced.
    lost: watch::Sender<Option<Error>>,
}

/// The connection, and how many there were before it.
#[derive(Default)]
struct Kept {
    number: u64,
    connection: Option<MultiplexedConnection>,
}

impl Redis {
    /// The server at an address. It need not be there yet.
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self(Arc::new(Shared {
            client: Client::open(url)?,
            kept: Mutex::default(),
            lost: watch::Sender::new(None),
        })))
    }

    /// Never gets anything: a server may come back, and then has everything.
    pub fn lost(&self) -> watch::Receiver<Option<Error>> {
        self.0.lost.subscribe()
    }

    /// The value of a key.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.call(cmd("GET").arg(key)).await
    }

    /// True if a key has a value.
    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        self.call(cmd("EXISTS").arg(key)).await
    }

    /// All keys, in no order.
    pub async fn keys(&self) -> Result<Vec<String>, Error> {
        let (mut keys, mut cursor) = (BTreeSet::new(), 0_u64);
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(SCAN);
            let (next, part): (u64, Vec<String>) = self.call(&scan).await?;
            // Redis may give a key several times.
            keys.extend(part);
            if next == 0 {
                return Ok(keys.into_iter().collect());
            }
            cursor = next;
        }
    }

    /// The values of those keys that have one, all read at one moment, each key once.
    pub async fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let keys: BTreeSet<String> = keys.into_iter().collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut read = cmd("MGET");
        keys.iter().for_each(|key| {
            read.arg(key);
        });
        let values: Vec<Option<Vec<u8>>> = self.call(&read).await?;
        let pairs = keys.into_iter().zip(values);
        Ok(pairs
            .filter_map(|(key, value)| Some((key, value?)))
            .collect())
    }

    /// Sets values, all or none of them.
    pub async fn set(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        if pairs.is_empty() {
            return Ok(());
        }
        let mut write = cmd("MSET");
        for (key, value) in &pairs {
            write.arg(key).arg(value.as_slice());
        }
        self.call(&write).await
    }

    /// Takes keys away, all at one moment.
    pub async fn delete(&self, keys: Vec<String>) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        let removed: i64 = self.call(cmd("DEL").arg(keys)).await?;
        let _ = removed;
        Ok(())
    }

    /// Adds to a counter, which starts at zero, and gives its new value.
    pub async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        self.call(cmd("INCRBY").arg(key).arg(delta)).await
    }

    /// The number of keys in its database.
    pub(super) async fn size(&self) -> Result<i64, Error> {
        self.call(&cmd("DBSIZE")).await
    }

    /// Sets a value if there is none; true if it did.
    pub(super) async fn claim(&self, key: &str, value: &str) -> Result<bool, Error> {
        self.call(cmd("SETNX").arg(key).arg(value)).await
    }

    /// Sets values if a key has the value `is`, all at one moment; true if it had.
    pub(super) async fn set_while(
        &self,
        key: &str,
        is: &str,
        pairs: &[(String, Vec<u8>)],
    ) -> Result<bool, Error> {
        const SET: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
            for n = 2, #KEYS do redis.call('SET', KEYS[n], ARGV[n]) end return 1";
        let mut script = cmd("EVAL");
        script.arg(SET).arg(pairs.len() + 1).arg(key);
        for (key, _) in pairs {
            script.arg(key);
        }
        script.arg(is);
        for (_, value) in pairs {
            script.arg(value.as_slice());
        }
        self.call(&script).await
    }

    /// Removes a key if it has the value `is`; true if it had.
    pub(super) async fn delete_while(&self, key: &str, is: &str) -> Result<bool, Error> {
        const DELETE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
            return redis.call('DEL', KEYS[1])";
        self.call(cmd("EVAL").arg(DELETE).arg(1).arg(key).arg(is))
            .await
    }

    /// The client that connects to it.
    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    /// The mistakes in the server's settings, as sentences: with such settings it loses acknowledged
    /// writes.
    pub async fn weaknesses(&self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for (name, right) in SETTINGS {
            let mut read = cmd("CONFIG");
            read.arg("GET").arg(name);
            let answer: Result<Vec<String>, Error> = self.call(&read).await;
            match answer {
                Ok(pair) if pair.get(1).is_some_and(|value| value == right) => {}
                Ok(pair) => found.push(format!(
                    "Redis has `{name} {}`, and loses payments that it has acknowledged: set `{name} {right}`",
                    pair.get(1).map_or("?", String::as_str)
                )),
                // Not every server lets everybody see it.
                Err(Error::Redis(error)) if error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::ResponseError) || error.code() == Some("NOPERM") => found.push(format!(
                    "Redis does not say what its `{name}` is: see to it that it is `{right}`"
                )),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        let mut used = None;
        let asking = async {
            let (number, mut connection) = self.connection().await?;
            used = Some(number);
            command
                .query_async(&mut connection)
                .await
                .map_err(Error::from)
        };
        let answer = timeout(CALL_TIME, asking).await.unwrap_or(Err(Error::Slow));
        if let (Err(error), Some(number)) = (&answer, used)
            && is_spoilt_by(error)
        {
            let mut kept = self.0.kept.lock().await;
            if kept.number == number {
                kept.connection = None;
            }
        }
        answer
    }

    /// The connection and its number.
    async fn connection(&self) -> Result<(u64, MultiplexedConnection), Error> {
        let mut kept = self.0.kept.lock().await;
        if let Some(connection) = &kept.connection {
            return Ok((kept.number, connection.clone()));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIME))
            // The time of a call is kept where it is made.
            .set_response_timeout(None);
        let client = &self.0.client;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await?;
        // A replica is behind, and gives answers that are no longer true.
        let role: Result<redis::Value, RedisError> = cmd("ROLE").query_async(&mut connection).await;
        if let Ok(redis::Value::Array(role)) = role
            && let Some(role) = role.first()
            && String::from_redis_value_ref(role).is_ok_and(|role| role == "slave")
        {
            return Err(Error::Replica);
        }
        kept.number += 1;
        kept.connection = Some(connection.clone());
        Ok((kept.number, connection))
    }
}

/// True if a connection is of no more use after an error: it broke, nobody answers on it, or it leads to
/// a server that is not the primary any more.
fn is_spoilt_by(error: &Error) -> bool {
    match error {
        Error::Slow => true,
        Error::Redis(error) => {
            error.is_unrecoverable_error()
                || error.is_io_error()
                || error.code() == Some("READONLY")
        }
        _ => false,
    }
}
