//! The engine that keeps keys and values: SQLite or Redis.

use tokio::sync::watch;

use super::database::Database;
use super::error::Error;
use super::redis::Redis;

/// The engine that keeps keys and values. Clones share it.
#[derive(Clone)]
pub(crate) enum Engine {
    /// Spin's table in a file.
    Sqlite(Database),
    /// A server of Redis, which knows no names of stores.
    Redis(Redis),
}

impl Engine {
    /// Gets an error once the store cannot be relied on any more.
    pub(crate) fn lost(&self) -> watch::Receiver<Option<Error>> {
        match self {
            Self::Sqlite(database) => database.lost(),
            Self::Redis(redis) => redis.lost(),
        }
    }

    pub(super) async fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Sqlite(database) => database.get(store, key).await,
            Self::Redis(redis) => redis.get(key).await,
        }
    }

    pub(super) async fn exists(&self, store: &str, key: &str) -> Result<bool, Error> {
        match self {
            Self::Sqlite(database) => database.exists(store, key).await,
            Self::Redis(redis) => redis.exists(key).await,
        }
    }

    pub(super) async fn keys(&self, store: &str) -> Result<Vec<String>, Error> {
        match self {
            Self::Sqlite(database) => database.keys(store).await,
            Self::Redis(redis) => redis.keys().await,
        }
    }

    pub(super) async fn get_many(
        &self,
        store: &str,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        match self {
            Self::Sqlite(database) => database.get_many(store, keys).await,
            Self::Redis(redis) => redis.get_many(keys).await,
        }
    }

    pub(super) async fn set(
        &self,
        store: &str,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Error> {
        match self {
            Self::Sqlite(database) => database.set(store, pairs).await,
            Self::Redis(redis) => redis.set(pairs).await,
        }
    }

    pub(super) async fn delete(&self, store: &str, keys: Vec<String>) -> Result<(), Error> {
        match self {
            Self::Sqlite(database) => database.delete(store, keys).await,
            Self::Redis(redis) => redis.delete(keys).await,
        }
    }

    pub(super) async fn increment(
        &self,
        store: &str,
        key: String,
        delta: i64,
    ) -> Result<i64, Error> {
        match self {
            Self::Sqlite(database) => database.increment(store, key, delta).await,
            Self::Redis(redis) => redis.increment(&key, delta).await,
        }
    }
}
