//! Connections to databases, shared by all instances of an application.
//!
//! A statement borrows a connection and gives it back, so that few serve many instances; one that may
//! have left something behind, a transaction or a setting, is kept by its instance and then closed. No
//! statement is ever sent twice: it may have had its effect.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::tls::Tls;

/// Connections to one database at most: a server has a hundred by default, for several hosts.
const CONNECTIONS: usize = 16;

/// The time that it may take to connect: shorter than a call, so that the reason is told.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// Statements that a connection keeps prepared.
const PREPARED: usize = 32;

/// The databases that instances have asked for, each by its address and authorities.
#[derive(Clone, Default)]
pub(crate) struct Pools(Arc<Mutex<HashMap<Address, Arc<Pool>>>>);

/// The address of a database, with the certificate authority that is believed beside those of the
/// machine.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) url: String,
    pub(super) ca_root: Option<String>,
}

impl Pools {
    /// The connections to a database. The error is a sentence without anything secret.
    pub(super) fn of(&self, address: &Address) -> Result<Arc<Pool>, String> {
        let mut pools = lock(&self.0);
        if let Some(pool) = pools.get(address) {
            return Ok(Arc::clone(pool));
        }
        // A changed password makes another address. Users of the old pool keep it.
        pools.retain(|_, pool| Arc::strong_count(pool) > 1);
        let pool = Arc::new(Pool::new(address)?);
        pools.insert(address.clone(), Arc::clone(&pool));
        Ok(pool)
    }
}

/// A connection of one's own. The error is a sentence without anything secret.
pub(crate) async fn connect(url: &str, ca_root: Option<&str>) -> Result<Client, String> {
    let pool = Pool::new(&Address {
        url: url.to_owned(),
        ca_root: ca_root.map(str::to_owned),
    })?;
    let connected = pool.connect().await;
    connected.map_err(|error| in_words(&error))
}

/// The connections to one database.
pub(crate) struct Pool {
    config: Config,
    tls: Option<Tls>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Open>>,
}

impl Pool {
    fn new(address: &Address) -> Result<Self, String> {
        let parsed: Result<Config, _> = address.url.parse();
        let mut config = parsed.map_err(|_| {
            "the address is none of PostgreSQL, such as postgres://USER:PASSWORD@HOST/DATABASE?sslmode=require"
                .to_owned()
        })?;
        config.connect_timeout(CONNECT_TIME);
        if config.get_application_name().is_none() {
            config.application_name("mpay-provider");
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(Tls::new(address.ca_root.as_deref())?),
        };
        Ok(Self {
            config,
            tls,
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Mutex::default(),
        })
    }

    /// The hosts and ports that connections may go to; `None` if one of them is no host of a network.
    pub(super) fn targets(&self) -> Option<Vec<(String, u16)>> {
        const PORT: u16 = 5432;
        let ports = self.config.get_ports();
        let port = |index: usize| match ports {
            [] => PORT,
            [port] => *port,
            ports => ports.get(index).copied().unwrap_or(PORT),
        };
        let hosts = self.config.get_hosts().iter().enumerate();
        let hosts = hosts.map(|(index, host)| match host {
            Host::Tcp(name) => Some((name.clone(), port(index))),
            Host::Unix(_) => None,
        });
        // Where an address is given, that is connected to, and the name is for the certificate.
        let addresses = self.config.get_hostaddrs().iter().enumerate();
        let addresses = addresses.map(|(index, address)| Some((address.to_string(), port(index))));
        let all: Option<Vec<_>> = hosts.chain(addresses).collect();
        all.filter(|targets| !targets.is_empty())
    }

    /// A connection that nobody else uses.
    pub(super) async fn borrow(self: &Arc<Self>) -> Result<Borrowed, tokio_postgres::Error> {
        // Never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let kept = loop {
            let kept = lock(&self.idle).pop();
            match kept {
                Some(open) if open.client.is_closed() => {}
                kept => break kept,
            }
        };
        let open = match kept {
            Some(open) => open,
            None => Open {
                client: self.connect().await?,
                prepared: HashMap::new(),
            },
        };
        Ok(Borrowed {
            open,
            pool: Arc::clone(self),
            _place: place,
        })
    }

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(connection);
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        Ok(client)
    }
}

/// A connection with the statements that it knows.
struct Open {
    client: Client,
    prepared: HashMap<String, Statement>,
}

/// A connection that is in use. It is closed when it is dropped, unless it is given back.
pub(super) struct Borrowed {
    open: Open,
    pool: Arc<Pool>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Borrowed {
    pub(super) fn client(&self) -> &Client {
        &self.open.client
    }

    /// A statement, which the server need not be asked about a second time.
    pub(super) async fn prepare(&mut self, text: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.open.prepared.get(text) {
            return Ok(statement.clone());
        }
        let statement = self.open.client.prepare(text).await?;
        if self.open.prepared.len() < PREPARED {
            let known = statement.clone();
            self.open.prepared.insert(text.to_owned(), known);
        }
        Ok(statement)
    }

    /// Lets others use it.
    pub(super) fn give_back(self) {
        if !self.open.client.is_closed() {
            lock(&self.pool.idle).push(self.open);
        }
    }
}

/// Waits for a call no longer than that.
pub(super) async fn within<T>(time: Duration, call: impl Future<Output = T>) -> Option<T> {
    timeout(time, call).await.ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with its reasons. Of what the server has said these are severity, message and code: its detail and
/// its hint may hold values of a row.
pub(crate) fn in_words(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut reason = std::error::Error::source(error);
    while let Some(error) = reason {
        words = match error.downcast_ref::<DbError>() {
            Some(told) => format!(
                "{words}: {}: {} ({})",
                told.severity(),
                told.message(),
                told.code().code()
            ),
            None => format!("{words}: {error}"),
        };
        reason = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// A server that answers whoever connects with an error of these fields.
    fn refusing(fields: &'static [(u8, &'static str)]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
            stream.read_exact(&mut rest).unwrap();
            let mut body = Vec::new();
            for (kind, text) in fields {
                body.push(*kind);
                body.extend(text.as_bytes());
                body.push(0);
            }
            body.push(0);
            let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
            stream
                .write_all(&[b"E", &length[..], &body].concat())
                .unwrap();
        });
        format!("postgres://u:hush@127.0.0.1:{port}/d?sslmode=disable")
    }

    #[tokio::test]
    async fn an_error_of_the_server_is_told_without_what_may_hold_values() {
        let url = refusing(&[
            (b'S', "ERROR"),
            (b'V', "ERROR"),
            (b'C', "23505"),
            (b'M', "duplicate key value"),
            (b'D', "Key (key)=(order/TAX/Ion) already exists."),
            (b'H', "Ask Ion."),
        ]);
        let refused = connect(&url, None).await.map(drop).unwrap_err();
        assert_eq!(refused, "db error: ERROR: duplicate key value (23505)");
    }
}
