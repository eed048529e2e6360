//! The store of a Spin host: a database, by `spin:postgres`.

use std::{cell::RefCell, collections::HashMap, pin::pin, rc::Rc, time::Duration};

use futures::future::{Either, select};
use mpay_ledger::{
    PlatformError,
    postgres::{Connection, Failure, Postgres, Value},
};
use spin_sdk::{
    pg::{self, Certificate, DbValue, OpenOptions, ParameterValue, PgError, QueryError},
    variables,
};

use super::Spin;

/// The time that a call may take, as in the embedded host. A request has time for four of them.
const TIME: Duration = Duration::from_secs(5);

/// The database that the variable `database_url` names.
pub(super) struct Store(Postgres<Database>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Postgres")
    }
}

impl Store {
    pub(super) fn open() -> Self {
        Self(Postgres(Database::default()))
    }

    /// Reads keys, all at one moment.
    pub(super) async fn get_many(
        &self,
        keys: &[String],
        _in_time: impl Fn() -> Result<(), PlatformError>,
    ) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        self.0.get_many(keys).await
    }

    pub(super) async fn set_many(
        &self,
        entries: &[(String, Vec<u8>)],
    ) -> Result<(), PlatformError> {
        self.0.set_many(entries).await
    }

    pub(super) async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        self.0.increment(key, by).await
    }
}

/// A connection, made by the first call and made anew after an error.
#[derive(Default)]
struct Database(RefCell<Option<Rc<pg::Connection>>>);

impl Database {
    async fn connection(&self) -> Result<Rc<pg::Connection>, Failure> {
        if let Some(connection) = &*self.0.borrow() {
            return Ok(Rc::clone(connection));
        }
        // Read anew, so that a password can be changed while requests come.
        let unread = |_| Failure::Broken("the variables of the database cannot be read".to_owned());
        let url = variables::get("database_url").await.map_err(unread)?;
        let ca = variables::get("database_ca").await.map_err(unread)?;
        if url.trim().is_empty() {
            return Err(Failure::Server {
                code: NOT_SET.to_owned(),
                message: "the variable database_url is not set".to_owned(),
            });
        }
        let options = OpenOptions {
            ca_root: (!ca.trim().is_empty()).then_some(Certificate::Text(ca)),
        };
        let connection = pg::Connection::open_with_options(of_primary(url.trim()), options).await;
        let connection = Rc::new(connection.map_err(failure)?);
        *self.0.borrow_mut() = Some(Rc::clone(&connection));
        Ok(connection)
    }

    async fn ask(
        &self,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let connection = self.connection().await?;
        let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
        let result = connection.query(statement, parameters).await;
        let (_, mut rows, end) = result.map_err(failure)?.into_inner();
        let mut read = Vec::new();
        while let Some(row) = rows.next().await {
            let row = row.into_iter().map(column).collect::<Result<_, _>>();
            read.push(row?);
        }
        end.await
            .map_err(|error| failure(pg::Error::PgError(error)))?;
        Ok(read)
    }
}

impl Connection for Database {
    async fn query(
        &self,
        statement: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let asking = pin!(self.ask(statement, parameters));
        let answer = match select(asking, pin!(Spin::timer(TIME))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(Failure::Broken(format!(
                "no answer came within {} s",
                TIME.as_secs()
            ))),
        };
        // A server that is read-only, or stops, is not asked again on the same connection.
        let is_spoilt = match &answer {
            Ok(_) => false,
            Err(Failure::Broken(_)) => true,
            Err(Failure::Server { code, .. }) => ["08", "25", "53", "57", "58", "XX"]
                .iter()
                .any(|class| code.starts_with(class)),
        };
        if is_spoilt {
            self.0.borrow_mut().take();
        }
        answer
    }
}

/// Not a code of the server's, but of the class that no second try changes.
const NOT_SET: &str = "3D000";

/// An address that leads to the primary alone: a replica is behind, and gives answers that are no longer
/// true.
fn of_primary(url: &str) -> String {
    const PRIMARY: &str = "target_session_attrs=read-write";
    if url.contains("target_session_attrs") {
        return url.to_owned();
    }
    let separator = match (url.contains("://"), url.contains('?')) {
        (false, _) => ' ',
        (true, false) => '?',
        (true, true) => '&',
    };
    format!("{url}{separator}{PRIMARY}")
}

fn parameter(value: Value) -> ParameterValue {
    match value {
        Value::Text(text) => ParameterValue::Str(text),
        Value::Texts(texts) => ParameterValue::ArrayStr(texts.into_iter().map(Some).collect()),
        Value::Bytes(bytes) => ParameterValue::Binary(bytes),
        Value::Integer(number) => ParameterValue::Int64(number),
        Value::Integers(numbers) => {
            ParameterValue::ArrayInt32(numbers.into_iter().map(Some).collect())
        }
    }
}

fn column(value: DbValue) -> Result<Value, Failure> {
    match value {
        DbValue::Str(text) => Ok(Value::Text(text)),
        DbValue::Binary(bytes) => Ok(Value::Bytes(bytes)),
        DbValue::Int64(number) => Ok(Value::Integer(number)),
        _ => Err(Failure::Broken("a column is of another type".to_owned())),
    }
}

/// The failure of a call to the database. The host's own words can hold the address, and with it a
/// password, so only the server's words are passed on.
fn failure(error: pg::Error) -> Failure {
    match error {
        pg::Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => Failure::Server {
            code: error.code,
            message: error.message,
        },
        pg::Error::PgError(PgError::ConnectionFailed(_)) => Failure::Broken(
            "cannot connect: look at database_url, at the allowed hosts and whether the server lets this host in".to_owned(),
        ),
        pg::Error::PgError(PgError::QueryFailed(QueryError::Text(_))) => {
            Failure::Broken("the connection broke".to_owned())
        }
        pg::Error::PgError(_) | pg::Error::Decode(_) => {
            Failure::Broken("the host cannot make the call".to_owned())
        }
    }
}
