//! `spin:postgres@4.2.0` for a guest, as far as Spin's behaviour can be told from outside: the address
//! is checked against `allowed_outbound_hosts`, and a connection is one to the server as far as
//! transactions and settings go.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_postgres::types::ToSql;
use wasmtime::component::{Accessor, FutureReader, HasData, Resource, ResourceTable, StreamReader};

use super::pool::{Address, Borrowed, Pool, Pools, in_words, within};
use super::value;
use crate::allowed_hosts::AllowedHosts;
use crate::bindings::spin::postgres::postgres as wit;
use crate::key_value::CALL_TIME;
use crate::log::Log;

/// The component's access to databases. Clones share it.
#[derive(Clone)]
pub(crate) struct Databases {
    pub(crate) pools: Pools,
    pub(crate) allowed: Arc<AllowedHosts>,
    pub(crate) log: Log,
}

/// An open connection.
#[derive(Clone)]
pub struct Connection(Arc<Session>);

struct Session {
    pool: Arc<Pool>,
    /// A connection to the server that the guest may have left something in.
    kept: Mutex<Option<Borrowed>>,
}

/// A connection that is about to be opened.
#[derive(Clone)]
pub struct Builder(Address);

/// Marks the databases among a guest's data for the linker.
pub(crate) struct HasDatabases;

impl HasData for HasDatabases {
    type Data<'a> = DatabasesView<'a>;
}

/// The databases of a guest.
pub(crate) struct DatabasesView<'a> {
    pub(crate) databases: &'a Databases,
    pub(crate) table: &'a mut ResourceTable,
}

/// An answer to the guest, or the end of the instance.
type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl Databases {
    fn open(&self, address: &Address) -> Result<Connection, wit::Error> {
        let pool = self
            .pools
            .of(address)
            .map_err(wit::Error::ConnectionFailed)?;
        let targets = pool.targets().ok_or_else(|| {
            wit::Error::ConnectionFailed("the address names no host, or a socket".to_owned())
        })?;
        for (host, port) in targets {
            if !self.allowed.allows_database(&host, port) {
                self.log.line(format_args!(
                    "refused a connection of the component to postgres://{host}:{port}: the manifest does not allow it (allowed_outbound_hosts)"
                ));
                let reason = format!("address postgres://{host}:{port} is not permitted");
                return Err(wit::Error::ConnectionFailed(reason));
            }
        }
        Ok(Connection(Arc::new(Session {
            pool,
            kept: Mutex::default(),
        })))
    }
}

/// The columns and rows of an answer.
type Rows = (Vec<wit::Column>, Vec<Vec<wit::DbValue>>);

impl Session {
    /// Carries out a statement within the time of a call, and reads its answer.
    async fn query(
        &self,
        text: &str,
        parameters: Vec<wit::ParameterValue>,
    ) -> Result<Rows, wit::Error> {
        let parameters = converted(parameters)?;
        self.with_connection(text, async |borrowed| {
            let statement = borrowed.prepare(text).await?;
            let columns = statement.columns().iter().map(value::column).collect();
            let rows = borrowed
                .client()
                .query(&statement, &references(&parameters))
                .await?;
            let rows = rows.iter().map(value::row).collect::<Result<_, _>>()?;
            Ok((columns, rows))
        })
        .await
    }

    /// Carries out a statement, and gives the number of rows that it changed.
    async fn execute(
        &self,
        text: &str,
        parameters: Vec<wit::ParameterValue>,
    ) -> Result<u64, wit::Error> {
        let parameters = converted(parameters)?;
        self.with_connection(text, async |borrowed| {
            let statement = borrowed.prepare(text).await?;
            borrowed
                .client()
                .execute(&statement, &references(&parameters))
                .await
        })
        .await
    }

    async fn with_connection<T>(
        &self,
        text: &str,
        work: impl AsyncFnOnce(&mut Borrowed) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, wit::Error> {
        let working = async {
            // One statement after the other, as on a single connection.
            let mut kept = self.kept.lock().await;
            let is_kept = kept.is_some() || !stands_alone(text);
            let mut borrowed = match kept.take() {
                Some(borrowed) => borrowed,
                None => self.pool.borrow().await.map_err(not_connected)?,
            };
            let answer = work(&mut borrowed).await;
            // A connection in an unknown state is closed here, like one that is given up.
            match &answer {
                Err(error) if is_spoilt_by(error) => {}
                _ if is_kept => *kept = Some(borrowed),
                _ => borrowed.give_back(),
            }
            answer.map_err(failed)
        };
        let late = || {
            let reason = format!(
                "the database did not answer within {} s",
                CALL_TIME.as_secs()
            );
            wit::Error::QueryFailed(wit::QueryError::Text(reason))
        };
        within(CALL_TIME, working)
            .await
            .unwrap_or_else(|| Err(late()))
    }
}

/// True if a statement leaves nothing behind in its connection.
fn stands_alone(text: &str) -> bool {
    const ALONE: [&str; 7] = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "CREATE", "VALUES",
    ];
    let word = text.split_whitespace().next().unwrap_or_default();
    ALONE.iter().any(|alone| alone.eq_ignore_ascii_case(word))
}

fn converted(
    parameters: Vec<wit::ParameterValue>,
) -> Result<Vec<Box<dyn ToSql + Send + Sync>>, wit::Error> {
    parameters.into_iter().map(value::parameter).collect()
}

fn references(parameters: &[Box<dyn ToSql + Send + Sync>]) -> Vec<&(dyn ToSql + Sync)> {
    let references = parameters.iter();
    references
        .map(|value| value.as_ref() as &(dyn ToSql + Sync))
        .collect()
}

/// True if a connection is of no more use: it broke, or its server stops, or is read-only, or has other
/// ideas of its tables than when the statement was prepared.
fn is_spoilt_by(error: &tokio_postgres::Error) -> bool {
    const CLASSES: [&str; 7] = ["08", "0A", "25", "53", "57", "58", "XX"];
    match error.code() {
        None => true,
        Some(code) => CLASSES.iter().any(|class| code.code().starts_with(class)),
    }
}

fn not_connected(error: tokio_postgres::Error) -> wit::Error {
    wit::Error::ConnectionFailed(in_words(&error))
}

fn failed(error: tokio_postgres::Error) -> wit::Error {
    wit::Error::QueryFailed(match error.as_db_error() {
        None => wit::QueryError::Text(in_words(&error)),
        Some(told) => wit::QueryError::DbError(wit::DbError {
            as_text: in_words(&error),
            severity: told.severity().to_owned(),
            code: told.code().code().to_owned(),
            message: told.message().to_owned(),
            // It may hold values. So `as_text` is without it, too.
            detail: None,
            extras: Vec::new(),
        }),
    })
}

impl DatabasesView<'_> {
    fn open(&mut self, address: &Address) -> Answer<Resource<Connection>> {
        match self.databases.open(address) {
            Ok(connection) => Ok(Ok(self.table.push(connection)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn build(&mut self, builder: &Resource<Builder>) -> Answer<Resource<Connection>> {
        let Builder(address) = self.table.get(builder)?.clone();
        self.open(&address)
    }

    fn session(&self, connection: &Resource<Connection>) -> wasmtime::Result<Arc<Session>> {
        let Connection(session) = self.table.get(connection)?;
        Ok(Arc::clone(session))
    }
}

impl wit::Host for DatabasesView<'_> {}

impl wit::HostConnectionBuilder for DatabasesView<'_> {
    async fn new(&mut self, address: String) -> wasmtime::Result<Resource<Builder>> {
        let address = Address {
            url: address,
            ca_root: None,
        };
        Ok(self.table.push(Builder(address))?)
    }

    async fn set_ca_root(&mut self, builder: Resource<Builder>, certificate: String) -> Answer<()> {
        let Builder(address) = self.table.get_mut(&builder)?;
        address.ca_root = Some(certificate);
        Ok(Ok(()))
    }

    async fn build(&mut self, builder: Resource<Builder>) -> Answer<Resource<Connection>> {
        Self::build(self, &builder)
    }

    async fn drop(&mut self, builder: Resource<Builder>) -> wasmtime::Result<()> {
        self.table.delete(builder)?;
        Ok(())
    }
}

impl<T: Send> wit::HostConnectionBuilderWithStore<T> for HasDatabases {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<Builder>,
    ) -> Answer<Resource<Connection>> {
        accessor.with(|mut access| access.get().build(&builder))
    }
}

impl wit::HostConnection for DatabasesView<'_> {
    async fn open(&mut self, url: String) -> Answer<Resource<Connection>> {
        Self::open(self, &Address { url, ca_root: None })
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<wit::ParameterValue>,
    ) -> Answer<wit::RowSet> {
        let session = self.session(&connection)?;
        let answer = session.query(&statement, parameters).await;
        Ok(answer.map(|(columns, rows)| wit::RowSet { columns, rows }))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<wit::ParameterValue>,
    ) -> Answer<u64> {
        let session = self.session(&connection)?;
        Ok(session.execute(&statement, parameters).await)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> wit::HostConnectionWithStore<T> for HasDatabases {
    async fn open_async(accessor: &Accessor<T, Self>, url: String) -> Answer<Resource<Connection>> {
        accessor.with(|mut access| access.get().open(&Address { url, ca_root: None }))
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<wit::ParameterValue>,
    ) -> Answer<(
        Vec<wit::Column>,
        StreamReader<Vec<wit::DbValue>>,
        FutureReader<Result<(), wit::Error>>,
    )> {
        let session = accessor.with(|mut access| access.get().session(&connection))?;
        // All rows are read before the first is given: the question bounds the answer.
        let (columns, rows) = match session.query(&statement, parameters).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, rows)?;
            let end = async { wasmtime::Result::<Result<(), wit::Error>>::Ok(Ok(())) };
            let end = FutureReader::new(&mut access, end)?;
            Ok(Ok((columns, rows, end)))
        })
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<wit::ParameterValue>,
    ) -> Answer<u64> {
        let session = accessor.with(|mut access| access.get().session(&connection))?;
        Ok(session.execute(&statement, parameters).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_leaves_something_behind_keeps_its_connection() {
        for text in [
            "SELECT 1",
            " insert INTO t",
            "WITH a AS (SELECT 1) SELECT 2",
        ] {
            assert!(stands_alone(text), "{text}");
        }
        for text in [
            "BEGIN",
            "SET x = 1",
            "",
            "-- x\nSELECT 1",
            "LISTEN a",
            "PREPARE a AS SELECT 1",
        ] {
            assert!(!stands_alone(text), "{text}");
        }
    }

    #[test]
    fn only_allowed_hosts_are_connected_to() {
        let allowed = ["postgres://db.example.md", "postgres://10.0.0.1:6432"];
        let databases = Databases {
            pools: Pools::default(),
            allowed: Arc::new(AllowedHosts::parse(allowed).unwrap()),
            log: Log::stderr(),
        };
        let open = |url: &str| {
            let address = Address {
                url: url.to_owned(),
                ca_root: None,
            };
            databases.open(&address).map(drop)
        };
        for url in [
            "postgres://a:b@db.example.md/c",
            "postgresql://DB.example.md:5432/c?sslmode=require",
            "host=10.0.0.1 port=6432 user=a",
            "postgres://a@db.example.md,10.0.0.1:6432/c",
        ] {
            let url = match url {
                // A single port is for all hosts.
                url if url.contains(',') => "postgres://a@db.example.md:5432,10.0.0.1:6432/c",
                url => url,
            };
            assert!(open(url).is_ok(), "{url}");
        }
        for url in [
            "postgres://a:hidden@other.example.md/c",
            "postgres://a:hidden@db.example.md:5433/c",
            "postgres://a:hidden@db.example.md,other.example.md/c",
            "postgres://a:hidden@db.example.md/c?hostaddr=10.0.0.2",
            "host=/var/run/postgresql user=a password=hidden",
            "hidden",
            "",
        ] {
            let refused = format!("{:?}", open(url).unwrap_err());
            assert!(!refused.contains("hidden"), "{refused}");
        }
    }
}
