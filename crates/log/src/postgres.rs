//! The store in a table of PostgreSQL: what each call of a [`Platform`](crate::Platform) is in SQL, and
//! what each error means. How statements get to the server is for a [`Connection`].
//!
//! Each call is one statement, so one transaction and one snapshot.

use std::collections::{BTreeMap, HashMap};

use crate::PlatformError;

/// Makes the table, for whoever may not let the provider do it.
///
/// Keys are compared byte by byte (`COLLATE "C"`), which every language of the database agrees with.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS mpay_books \
     (key text COLLATE \"C\" PRIMARY KEY, value bytea NOT NULL)";

const READ: &str = "SELECT key, value FROM mpay_books WHERE key = ANY($1::text[])";

// PostgreSQL does not wait for its disk where `synchronous_commit` is `off`. It is switched on for the
// transaction that writes. The other levels all wait for the disk of the primary, and are left to
// whoever runs it.
//
// There is no array of `bytea` in `spin:postgres`: the values come one after the other, with the place
// and the length of each. Rows are locked in the order of their keys, so that two batches do not wait for
// each other.
const WRITE: &str = "INSERT INTO mpay_books (key, value) \
     SELECT entry.key, substring($2::bytea FROM entry.begins FOR entry.bytes) \
     FROM unnest($1::text[], $3::int4[], $4::int4[]) AS entry (key, begins, bytes) \
     WHERE (SELECT CASE current_setting('synchronous_commit') \
         WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE 'kept' END) IS NOT NULL \
     ORDER BY entry.key \
     ON CONFLICT (key) DO UPDATE SET value = excluded.value";

const COUNT: &str = "INSERT INTO mpay_books AS books (key, value) \
     SELECT $1::text, convert_to($2::int8::text, 'UTF8') \
     WHERE (SELECT CASE current_setting('synchronous_commit') \
         WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE 'kept' END) IS NOT NULL \
     ON CONFLICT (key) DO UPDATE SET value = convert_to( \
         (convert_from(books.value, 'UTF8')::int8 + $2::int8)::text, 'UTF8') \
     RETURNING convert_from(value, 'UTF8')::int8";

/// A parameter of a statement, or a column of a row.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is the type of that name")]
pub enum Value {
    Text(String),
    Texts(Vec<String>),
    Bytes(Vec<u8>),
    Integer(i64),
    Integers(Vec<i32>),
}

/// The reason why a statement was not carried out, or not known to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The server refused it, and it had no effect, or is at an end itself.
    Server {
        /// SQLSTATE.
        code: String,
        /// The server's message.
        message: String,
    },
    /// The connection could not be made or used any more: the statement may have had its effect.
    Broken(String),
}

/// The way to a server.
#[expect(
    async_fn_in_trait,
    reason = "used with static dispatch in one thread only"
)]
pub trait Connection {
    /// Carries out a statement, once, and gives its rows.
    async fn query(
        &self,
        statement: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, Failure>;
}

/// The store behind a connection.
#[derive(Debug)]
pub struct Postgres<C>(pub C);

impl<C: Connection> Postgres<C> {
    /// [`Platform::get_many`](crate::Platform::get_many).
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn get_many(
        &self,
        keys: &[String],
    ) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = self.query(READ, vec![Value::Texts(keys.to_vec())]).await?;
        let pairs = rows
            .into_iter()
            .map(|row| match <[Value; 2]>::try_from(row) {
                Ok([Value::Text(key), Value::Bytes(value)]) => Ok((key, value)),
                _ => Err(other_answer("a text and bytes")),
            });
        pairs.collect()
    }

    /// [`Platform::set_many`](crate::Platform::set_many).
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        // Of two values for one key the last counts; PostgreSQL refuses to write both.
        let entries: BTreeMap<&String, &Vec<u8>> =
            entries.iter().map(|(key, value)| (key, value)).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let (mut keys, mut bytes) = (Vec::new(), Vec::new());
        let (mut begins, mut lengths) = (Vec::new(), Vec::new());
        let number = |number: usize| {
            i32::try_from(number).map_err(|_| {
                PlatformError::Denied(format!("a batch of {number} bytes is too large"))
            })
        };
        for (key, value) in entries {
            keys.push(key.clone());
            begins.push(number(bytes.len() + 1)?);
            lengths.push(number(value.len())?);
            bytes.extend_from_slice(value);
        }
        let parameters = vec![
            Value::Texts(keys),
            Value::Bytes(bytes),
            Value::Integers(begins),
            Value::Integers(lengths),
        ];
        self.query(WRITE, parameters).await.map(drop)
    }

    /// [`Platform::increment`](crate::Platform::increment).
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        let by =
            i64::try_from(by).map_err(|_| PlatformError::Denied(format!("{by} is too many")))?;
        let parameters = vec![Value::Text(key.to_owned()), Value::Integer(by)];
        let rows = self.query(COUNT, parameters).await?;
        match rows.first().map(Vec::as_slice) {
            Some([Value::Integer(count)]) => u64::try_from(*count).map_err(|_| {
                PlatformError::Denied(format!("the counter {key} is negative: {count}"))
            }),
            _ => Err(other_answer("a number")),
        }
    }

    /// Carries out a statement. The table is made when it turns out to be missing: the statement had no
    /// effect then. So nobody has to think of it, and no call looks for it.
    async fn query(
        &self,
        statement: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, PlatformError> {
        match self.0.query(statement, parameters.clone()).await {
            Err(Failure::Server { code, .. }) if code == UNDEFINED_TABLE => {
                self.make_table().await?;
                self.0.query(statement, parameters).await.map_err(judge)
            }
            answer => answer.map_err(judge),
        }
    }

    async fn make_table(&self) -> Result<(), PlatformError> {
        match self.0.query(TABLE, Vec::new()).await {
            // Two that make it at once meet in the catalogue.
            Err(Failure::Server { code, .. }) if code == UNIQUE_VIOLATION => Ok(()),
            Err(Failure::Server { code, message }) if code.starts_with(NOT_ALLOWED) => {
                Err(PlatformError::Denied(format!(
                    "PostgreSQL has no table mpay_books, and the provider may not make it ({message}): carry out `{TABLE}`"
                )))
            }
            made => made.map(drop).map_err(judge),
        }
    }
}

const UNDEFINED_TABLE: &str = "42P01";
const UNIQUE_VIOLATION: &str = "23505";
/// Syntax errors and access rule violations, `42501` among them.
const NOT_ALLOWED: &str = "42";

/// The meaning of an error for the caller.
fn judge(failure: Failure) -> PlatformError {
    match failure {
        // What no second try changes: rights, the table's columns, a password, a database that does not
        // exist. Of read-only servers, ends of transactions and servers that stop this cannot be said.
        Failure::Server { code, message }
            if [NOT_ALLOWED, "28", "3D", "22"]
                .iter()
                .any(|class| code.starts_with(class)) =>
        {
            PlatformError::Denied(format!("PostgreSQL: {message} ({code})"))
        }
        Failure::Server { code, message } => {
            PlatformError::Failed(format!("PostgreSQL: {message} ({code})"))
        }
        Failure::Broken(reason) => PlatformError::Failed(format!("PostgreSQL: {reason}")),
    }
}

fn other_answer(expected: &str) -> PlatformError {
    PlatformError::Denied(format!(
        "PostgreSQL answered something else than {expected}"
    ))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Answers one failure after the other, and then with a counter's number.
    struct Failing(RefCell<Vec<Failure>>, RefCell<Vec<&'static str>>);

    impl Connection for Failing {
        async fn query(
            &self,
            statement: &'static str,
            _: Vec<Value>,
        ) -> Result<Vec<Vec<Value>>, Failure> {
            self.1.borrow_mut().push(statement);
            match self.0.borrow_mut().pop() {
                Some(failure) => Err(failure),
                None => Ok(vec![vec![Value::Integer(7)]]),
            }
        }
    }

    fn server(code: &str) -> Failure {
        Failure::Server {
            code: code.to_owned(),
            message: "said".to_owned(),
        }
    }

    async fn after(failures: &[Failure]) -> (Result<u64, PlatformError>, Vec<&'static str>) {
        let failures = failures.iter().rev().cloned().collect();
        let store = Postgres(Failing(RefCell::new(failures), RefCell::default()));
        let count = store.increment("n", 1).await;
        (count, store.0.1.into_inner())
    }

    #[tokio::test]
    async fn nothing_is_sent_again_but_for_a_table_that_is_missing() {
        let (count, sent) = after(&[server("42P01")]).await;
        assert_eq!((count.unwrap(), sent), (7, vec![COUNT, TABLE, COUNT]));
        // Another host made it at the same moment.
        let (count, sent) = after(&[server("42P01"), server("23505")]).await;
        assert_eq!((count.unwrap(), sent), (7, vec![COUNT, TABLE, COUNT]));
        for failure in [
            Failure::Broken("reset".to_owned()),
            server("40001"),
            server("40P01"),
            server("25006"),
            server("57P01"),
            server("53300"),
        ] {
            let (count, sent) = after(std::slice::from_ref(&failure)).await;
            assert!(
                matches!(count, Err(PlatformError::Failed(_))),
                "{failure:?}"
            );
            assert_eq!(sent, [COUNT], "{failure:?}");
        }
    }

    #[tokio::test]
    async fn what_no_second_try_changes_is_denied() {
        for code in ["42501", "28P01", "3D000", "42703", "22P02", "22003"] {
            let (count, sent) = after(&[server(code)]).await;
            assert!(matches!(count, Err(PlatformError::Denied(_))), "{code}");
            assert_eq!(sent, [COUNT], "{code}");
        }
        let (count, _) = after(&[server("42P01"), server("42501")]).await;
        let reason = count.unwrap_err().to_string();
        assert!(reason.contains(TABLE), "{reason}");
    }
}
