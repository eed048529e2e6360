//! A server that keeps books, and their form there: only counters differ between engines.

use std::{borrow::Cow, fmt, net::IpAddr};

use ::redis::ConnectionAddr;
use tokio_postgres::{
    Client, Config,
    config::{Host, SslMode},
};

use super::{super::redis::Redis, error::BackupError};
use crate::postgres;

/// The beginning of every claim of a Redis that is being filled.
pub(super) const CLAIM: &str = "the books of SHA-256 ";

/// Keys that are read or written by one call.
pub(super) const AT_ONCE: usize = 200;

/// The facts about an application that keeps books which the host does not know by itself.
#[derive(Clone, Copy, Debug)]
pub struct Books {
    /// The store, as it is called in a file. A server knows no names of stores.
    pub store: &'static str,
    /// True if a key's value is a counter: eight bytes in a file, digits on a server.
    pub is_counter: fn(&str) -> bool,
    /// A counter without which nothing is recorded. As long as a copy is put back into Redis by halves,
    /// it is none, so that no host works on a part.
    pub gate: &'static str,
    /// The statement that makes the table `mpay_books` of PostgreSQL.
    pub table: &'static str,
}

impl Books {
    /// A value as a file has it.
    pub(super) fn in_file<'a>(&self, key: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
        let number = || {
            let text = std::str::from_utf8(value).ok()?;
            let number: i64 = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        };
        // One that is damaged stays as it is.
        match (self.is_counter)(key).then(number).flatten() {
            Some(number) => Cow::Owned(number.to_le_bytes().to_vec()),
            None => Cow::Borrowed(value),
        }
    }

    /// A value as servers have it.
    pub(super) fn on_server(&self, key: &str, value: &[u8]) -> Vec<u8> {
        match <[u8; 8]>::try_from(value) {
            Ok(number) if (self.is_counter)(key) => {
                i64::from_le_bytes(number).to_string().into_bytes()
            }
            _ => value.to_vec(),
        }
    }
}

/// A server that keeps books. It is shown without anything secret.
#[derive(Clone)]
pub enum Server {
    /// Redis, at this address.
    Redis(String),
    /// PostgreSQL.
    Postgres {
        /// The address.
        url: String,
        /// The authorities that are believed beside the machine's own, PEM.
        ca: Option<String>,
    },
}

impl Server {
    /// That at an address; `None` if it is neither of Redis nor of PostgreSQL.
    pub fn at(address: &str, ca: Option<String>) -> Option<Self> {
        let url = address.to_owned();
        match address.split_once("://")?.0 {
            "redis" | "rediss" => Some(Self::Redis(url)),
            "postgres" | "postgresql" => Some(Self::Postgres { url, ca }),
            _ => None,
        }
    }

    /// The mistakes in its settings, as sentences: with such settings it loses acknowledged writes, or
    /// shows them to others.
    ///
    /// # Errors
    /// [`BackupError::Server`] if it cannot be asked.
    pub async fn weaknesses(&self) -> Result<Vec<String>, BackupError> {
        match self {
            Self::Redis(url) => {
                let asked = async { Redis::new(url)?.weaknesses().await };
                asked.await.map_err(|error| self.failed(error))
            }
            Self::Postgres { url, ca } => {
                let client = postgres::connect(url, ca.as_deref()).await;
                let client = client.map_err(|error| self.failed(error))?;
                let asked = weaknesses_of_postgres(&client).await;
                asked.map_err(|error| self.refused(&error))
            }
        }
    }

    /// True if it holds a part of books: a restore is under way, or broke off. Nothing can be recorded
    /// there until all the books are. `gate` is the one of [`Books`].
    ///
    /// # Errors
    /// [`BackupError::Server`] if it cannot be asked.
    pub async fn is_half(&self, gate: &str) -> Result<bool, BackupError> {
        let Self::Redis(url) = self else {
            // There it is one transaction.
            return Ok(false);
        };
        let value = async { Redis::new(url)?.get(gate).await };
        let value = value.await.map_err(|error| self.failed(error))?;
        Ok(value.is_some_and(|value| value.starts_with(CLAIM.as_bytes())))
    }

    /// The mistake in its address, as a sentence: on the way to another machine nobody else may
    /// read along, or answer in its place.
    pub fn weakness_of_address(&self) -> Option<String> {
        let (is_safe, must) = match self {
            Self::Redis(url) => (is_way_to_redis_safe(url), "rediss://"),
            Self::Postgres { url, .. } => (is_way_to_postgres_safe(url), "sslmode=require"),
        };
        (!is_safe).then(|| {
            format!("the way to {self} need not be encrypted, nor lead to the right server: the address lacks {must}")
        })
    }

    pub(super) fn failed(&self, reason: impl fmt::Display) -> BackupError {
        BackupError::Server {
            server: self.to_string(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn refused(&self, error: &tokio_postgres::Error) -> BackupError {
        self.failed(postgres::in_words(error))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Redis(url) | Self::Postgres { url, .. }) = self;
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        // A password may hold a character that ends a host, if somebody forgot to encode it: then nothing
        // is shown.
        let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if behind.contains('@') {
            return write!(f, "{scheme}://…");
        }
        let host = authority.rsplit('@').next().unwrap_or_default();
        let path = behind.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{scheme}://{host}{path}")
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

fn is_way_to_redis_safe(url: &str) -> bool {
    let client = ::redis::Client::open(url);
    client.is_ok_and(|client| match client.get_connection_info().addr() {
        ConnectionAddr::Tcp(host, _) => is_this_machine(host),
        ConnectionAddr::TcpTls { insecure, .. } => !insecure,
        ConnectionAddr::Unix(_) => true,
        _ => false,
    })
}

fn is_way_to_postgres_safe(url: &str) -> bool {
    let config: Result<Config, _> = url.parse();
    config.is_ok_and(|config| {
        let is_near = |host: &Host| match host {
            Host::Tcp(host) => is_this_machine(host),
            Host::Unix(_) => true,
        };
        // Any of them may be taken.
        config.get_ssl_mode() == SslMode::Require
            || config.get_hosts().iter().all(is_near)
                && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
    })
}

fn is_this_machine(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.parse();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

async fn weaknesses_of_postgres(client: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    const SETTINGS: &str = "SELECT current_setting('server_version_num')::int4 < 120000, \
        current_setting('fsync') = 'off', current_setting('full_page_writes') = 'off', \
        pg_is_in_recovery(), \
        current_setting('synchronous_standby_names') = '' \
            AND EXISTS (SELECT FROM pg_stat_replication), \
        to_regclass('mpay_books') IS NOT NULL";
    const RIGHTS: &str = "SELECT has_table_privilege('mpay_books', 'SELECT') \
            AND has_table_privilege('mpay_books', 'INSERT') \
            AND has_table_privilege('mpay_books', 'UPDATE')";
    const SAID: [&str; 5] = [
        "PostgreSQL is older than 12: use a later one",
        "PostgreSQL has `fsync = off`, and loses payments that it has acknowledged: set it `on`",
        "PostgreSQL has `full_page_writes = off`, and loses payments that it has acknowledged: set it `on`",
        "this server of PostgreSQL is a replica; the address must lead to the primary",
        "PostgreSQL has a standby that is not synchronous, and lacks the last payments if it is promoted: set `synchronous_standby_names`",
    ];
    let settings = client.query_one(SETTINGS, &[]).await?;
    let mut found = Vec::new();
    for (place, said) in SAID.into_iter().enumerate() {
        if settings.try_get(place)? {
            found.push(said.to_owned());
        }
    }
    if settings.try_get(SAID.len())? && !client.query_one(RIGHTS, &[]).await?.try_get(0)? {
        found.push(
            "the user of PostgreSQL may not use the table mpay_books: GRANT SELECT, INSERT, UPDATE ON mpay_books"
                .to_owned(),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKS: Books = Books {
        store: "default",
        is_counter: |key| key == "n",
        gate: "n",
        table: "",
    };

    #[test]
    fn only_counters_are_kept_in_another_form() {
        let number = 12_345_678_i64;
        let (in_file, on_server) = (number.to_le_bytes(), b"12345678");
        assert_eq!(*BOOKS.in_file("n", on_server), in_file);
        assert_eq!(BOOKS.on_server("n", &in_file), on_server);
        // A place that stands by itself is digits everywhere, and may be eight of them.
        assert_eq!(*BOOKS.in_file("n/1", on_server), *on_server);
        assert_eq!(BOOKS.on_server("n/1", on_server), on_server);
        for damaged in ["", "+1", "01", "x", "99999999999999999999"] {
            assert_eq!(*BOOKS.in_file("n", damaged.as_bytes()), *damaged.as_bytes());
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (address, shown) in [
            ("redis://u:p@ss@h:1/2", "redis://h:1/2"),
            (
                "postgres://u:p@h/d?sslmode=require&password=p",
                "postgres://h/d",
            ),
            ("rediss://h", "rediss://h"),
            ("postgres://u:p?s@h/d", "postgres://…"),
            ("postgres://u:p/s@h/d", "postgres://…"),
            ("postgres://u:p#s@h/d", "postgres://…"),
            ("postgres://h/d?user=u&password=p@s", "postgres://…"),
        ] {
            let server = Server::at(address, None).unwrap();
            assert_eq!(server.to_string(), shown);
            assert_eq!(format!("{server:?}"), format!("Server({shown})"));
        }
        for (address, is_weak) in [
            ("redis://h", true),
            ("rediss://h", false),
            ("redis://127.0.0.1:6379", false),
            ("redis://127.8.0.1", false),
            ("redis://LocalHost", false),
            ("redis://[::1]:6379/1", false),
            ("redis://127.0.0.1.example.md", true),
            ("redis://localhost.example.md", true),
            ("redis://[::2]", true),
            ("postgres://h/d", true),
            ("postgres://h/d?sslmode=prefer", true),
            ("postgres://h/d?sslmode=require", false),
            ("postgres://u:p@localhost/d", false),
            ("postgres://u:p@[::1]/d", false),
            ("postgres://u@%2Frun%2Fpostgresql/d", false),
            ("postgres://u:p@localhost.example.md/d", true),
            ("postgres://u:p@localhost,h/d", true),
            ("postgres://u:p@localhost/d?hostaddr=192.0.2.1", true),
        ] {
            let weakness = Server::at(address, None).unwrap().weakness_of_address();
            assert_eq!(weakness.is_some(), is_weak, "{address}: {weakness:?}");
        }
        assert!(Server::at("books.db", None).is_none());
        assert!(Server::at("mysql://h/d", None).is_none());
    }
}
