//! `wasi:keyvalue@0.2.0-draft2` for a guest, with the behaviour of Spin 4.1 on SQLite: `get-many`
//! leaves out absent keys and keeps no order, `list-keys` gives all keys at once and takes no
//! cursor.

use std::collections::BTreeSet;
use std::sync::Arc;

use wasmtime::component::{HasData, Resource, ResourceTable};

use super::engine::Engine;
use super::error::Error;
use super::observer::{Call, Fault, Observer, Operation};
use crate::bindings::wasi::keyvalue::{atomics, batch, store};

/// The key-value stores that the component may use. Clones share it.
#[derive(Clone)]
pub(crate) struct KeyValue {
    pub(crate) engine: Engine,
    /// The stores that the manifest grants.
    pub(crate) granted: Arc<BTreeSet<String>>,
    pub(crate) observer: Option<Observer>,
    pub(crate) manner: Manner,
}

/// The store of Spin's whose behaviour a component meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// SQLite, the engine in use.
    #[default]
    Sqlite,
    /// Redis in its batches: Spin reads a batch by the command `KEYS`, which takes one pattern and gives
    /// the names that fit it, so that one key has no value and several are an error; and Redis refuses an
    /// empty batch. For tests: the values are in SQLite all the same.
    Redis,
}

/// The error of Redis for a command with too few keys, or too many.
fn wrong_number_of_arguments(command: &str) -> store::Error {
    store::Error::Other(format!(
        "ResponseError: wrong number of arguments for '{command}' command"
    ))
}

/// An open store.
pub struct Bucket(Arc<str>);

/// A compare-and-swap, of which there is none.
pub struct Cas;

/// Marks the key-value stores among a guest's data for the linker.
pub(crate) struct HasKeyValue;

impl HasData for HasKeyValue {
    type Data<'a> = KeyValueView<'a>;
}

/// The key-value stores of a guest.
pub(crate) struct KeyValueView<'a> {
    pub(crate) stores: &'a KeyValue,
    pub(crate) table: &'a mut ResourceTable,
}

impl From<Error> for store::Error {
    fn from(error: Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// No store of Spin's swaps rightly, and this product appends instead: better no swap than one that
/// cannot be relied on.
fn no_swap() -> store::Error {
    store::Error::Other("compare-and-swap is not supported by this host".to_owned())
}

impl KeyValueView<'_> {
    fn name(&self, bucket: &Resource<Bucket>) -> Result<Arc<str>, store::Error> {
        match self.table.get(bucket) {
            Ok(Bucket(name)) => Ok(name.clone()),
            Err(error) => Err(store::Error::Other(error.to_string())),
        }
    }
}

impl KeyValue {
    /// Makes a call, as far as the observer lets it.
    async fn call<T>(
        &self,
        store: &str,
        operation: Operation,
        keys: impl Iterator<Item = &str> + Clone,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, store::Error> {
        let fault = match &self.observer {
            None => Fault::None,
            Some(observer) => observer(&Call {
                store,
                operation,
                keys: keys.collect(),
            }),
        };
        let injected = || Err(store::Error::Other("a fault was injected".to_owned()));
        match fault {
            Fault::None => Ok(work.await?),
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                Ok(work.await?)
            }
            Fault::Refuse => injected(),
            Fault::LoseAnswer => {
                work.await?;
                injected()
            }
        }
    }
}

impl store::Host for KeyValueView<'_> {
    async fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, store::Error> {
        if !self.stores.granted.contains(&identifier) {
            return Err(store::Error::AccessDenied);
        }
        self.table
            .push(Bucket(identifier.into()))
            .map_err(|error| store::Error::Other(error.to_string()))
    }
}

impl store::HostBucket for KeyValueView<'_> {
    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> Result<Option<Vec<u8>>, store::Error> {
        let name = self.name(&bucket)?;
        let work = self.stores.engine.get(&name, &key);
        self.stores
            .call(&name, Operation::Get, [&*key].into_iter(), work)
            .await
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), store::Error> {
        let name = self.name(&bucket)?;
        let work = self.stores.engine.set(&name, vec![(key.clone(), value)]);
        self.stores
            .call(&name, Operation::Set, [&*key].into_iter(), work)
            .await
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), store::Error> {
        let name = self.name(&bucket)?;
        let work = self.stores.engine.delete(&name, vec![key.clone()]);
        self.stores
            .call(&name, Operation::Delete, [&*key].into_iter(), work)
            .await
    }

    async fn exists(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> Result<bool, store::Error> {
        let name = self.name(&bucket)?;
        let work = self.stores.engine.exists(&name, &key);
        self.stores
            .call(&name, Operation::Exists, [&*key].into_iter(), work)
            .await
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<store::KeyResponse, store::Error> {
        if cursor.is_some() {
            return Err(store::Error::Other(
                "list_keys: cursor not supported".to_owned(),
            ));
        }
        let name = self.name(&bucket)?;
        let work = self.stores.engine.keys(&name);
        let keys = self
            .stores
            .call(&name, Operation::ListKeys, [].into_iter(), work)
            .await?;
        Ok(store::KeyResponse { keys, cursor: None })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl batch::Host for KeyValueView<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, store::Error> {
        let name = self.name(&bucket)?;
        let work = self.stores.engine.get_many(&name, keys.clone());
        let named = keys.iter().map(String::as_str);
        let found = self
            .stores
            .call(&name, Operation::GetMany, named, work)
            .await?;
        if self.stores.manner == Manner::Redis {
            return match keys.len() {
                1 => Ok(found.into_iter().map(|(key, _)| (key, None)).collect()),
                _ => Err(wrong_number_of_arguments("keys")),
            };
        }
        Ok(found
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect())
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), store::Error> {
        if self.stores.manner == Manner::Redis && pairs.is_empty() {
            return Err(wrong_number_of_arguments("mset"));
        }
        let name = self.name(&bucket)?;
        let keys: Vec<String> = pairs.iter().map(|(key, _)| key.clone()).collect();
        let work = self.stores.engine.set(&name, pairs);
        let named = keys.iter().map(String::as_str);
        self.stores
            .call(&name, Operation::SetMany, named, work)
            .await
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<(), store::Error> {
        if self.stores.manner == Manner::Redis && keys.is_empty() {
            return Err(wrong_number_of_arguments("del"));
        }
        let name = self.name(&bucket)?;
        let work = self.stores.engine.delete(&name, keys.clone());
        let named = keys.iter().map(String::as_str);
        self.stores
            .call(&name, Operation::DeleteMany, named, work)
            .await
    }
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> Result<i64, store::Error> {
        let name = self.name(&bucket)?;
        let work = self.stores.engine.increment(&name, key.clone(), delta);
        self.stores
            .call(&name, Operation::Increment, [&*key].into_iter(), work)
            .await
    }

    async fn swap(&mut self, cas: Resource<Cas>, _value: Vec<u8>) -> Result<(), atomics::CasError> {
        let _ = self.table.delete(cas);
        Err(atomics::CasError::StoreError(no_swap()))
    }
}

impl atomics::HostCas for KeyValueView<'_> {
    async fn new(
        &mut self,
        _bucket: Resource<Bucket>,
        _key: String,
    ) -> Result<Resource<Cas>, store::Error> {
        Err(no_swap())
    }

    async fn current(&mut self, _cas: Resource<Cas>) -> Result<Option<Vec<u8>>, store::Error> {
        Err(no_swap())
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
