//! Copies of what a server keeps, and back. In the file everything is as a file has it, so that it can be
//! put back wherever books may be: only counters are not the same on every engine.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    io,
    net::IpAddr,
    path::Path,
};

use ::redis::ConnectionAddr;
use rusqlite::{Connection, OpenFlags, params};
use tokio_postgres::{
    Client, Config,
    config::{Host, SslMode},
};

use super::super::redis::Redis;
use super::{
    Backup, BackupError, Counted, Held, Part, check, seal,
    snapshot::{self, NoSnapshot},
    sqlite,
};
use crate::postgres;

/// Keys that are read or written by one call.
const AT_ONCE: usize = 200;
/// Bytes after which no more are written by the same call.
const BYTES_AT_ONCE: usize = 2 << 20;

/// What the host does not know by itself of an application that keeps books.
#[derive(Clone, Copy, Debug)]
pub struct Books {
    /// The store, as it is called in a file. A server knows no names of stores.
    pub store: &'static str,
    /// Whether a key's value is a counter: eight bytes in a file, digits on a server.
    pub is_counter: fn(&str) -> bool,
    /// A counter without which nothing is recorded. As long as a copy is put back into Redis by halves,
    /// it is none, so that no host works on a part.
    pub gate: &'static str,
    /// The statement that makes the table `mpay_books` of PostgreSQL.
    pub table: &'static str,
}

impl Books {
    /// A value as a file has it.
    fn in_file<'a>(&self, key: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
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
    fn on_server(&self, key: &str, value: &[u8]) -> Vec<u8> {
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
        /// Who is believed beside those whom the machine believes, PEM.
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

    /// What is wrong with its settings, as sentences: with others it loses what it has acknowledged, or
    /// shows it to others.
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

    /// Whether it holds a part of books: they are being put back, or that was broken off. Nothing can be
    /// recorded there until all of them are. `gate` is that of [`Books`].
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

    /// What is wrong with its address, as a sentence: on the way to another machine nobody else may
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

    fn failed(&self, reason: impl fmt::Display) -> BackupError {
        BackupError::Server {
            server: self.to_string(),
            reason: reason.to_string(),
        }
    }

    fn refused(&self, error: &tokio_postgres::Error) -> BackupError {
        self.failed(postgres::in_words(error))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Redis(url) | Self::Postgres { url, .. }) = self;
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        // A password may hold what ends a host, if somebody forgot to encode it: then nothing is shown.
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

/// Takes a copy of what a server keeps into `backup`, as it is at one moment, as
/// [`back_up`](super::back_up) does of a file. Who writes goes on meanwhile. It blocks its thread.
///
/// Not every Redis gives such a copy: with `stopped` its keys are read one after the other, and once more
/// to see that nobody has written.
///
/// # Errors
/// [`BackupError`]; then there is no file `backup`.
pub async fn back_up_from(
    server: &Server,
    stopped: bool,
    books: &Books,
    backup: &Path,
    made_at: &str,
    progress: impl Fn(u64, u64),
) -> Result<Backup, BackupError> {
    let copy = Filling::begin(backup, books)?;
    match server {
        Server::Postgres { url, ca } => {
            from_postgres(server, url, ca.as_deref(), &copy, &progress).await?;
        }
        Server::Redis(url) => {
            let redis = Redis::new(url).map_err(|error| server.failed(error))?;
            // Any call tells whether it may be used, and is no replica.
            let size = redis.size().await;
            size.map_err(|error| server.failed(error))?;
            match stopped {
                true => from_redis_at_rest(server, &redis, &copy, &progress).await?,
                false => from_redis(server, &redis, &copy, &progress)?,
            }
        }
    }
    copy.end(backup, made_at)
}

/// Puts a backup into a server that has nothing, after a [`check`], and reads it there. In Redis it goes on
/// where a run with the same books was broken off.
///
/// # Errors
/// [`BackupError`]; then nothing is there, or no host can record anything on what is.
pub async fn restore_to(
    backup: &Path,
    server: &Server,
    books: &Books,
    progress: impl Fn(u64, u64),
) -> Result<Backup, BackupError> {
    let held = check(backup)?;
    let at = |source| sqlite(backup, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(backup, flags).map_err(at)?;
    let other = "SELECT store FROM spin_key_value WHERE store <> ?1 LIMIT 1";
    let other = file.query_row(other, [books.store], |row| row.get(0));
    match other {
        Err(rusqlite::Error::QueryReturnedNoRows) => {}
        Ok(store) => {
            return Err(BackupError::OtherStore {
                path: backup.to_owned(),
                store,
            });
        }
        Err(error) => return Err(at(error)),
    }
    let source = Source {
        backup,
        file: &file,
        books,
        // Written, and read there.
        total: u64::try_from(held.bytes).unwrap_or_default() * 2,
        progress: &progress,
        done: RefCell::default(),
    };
    match server {
        Server::Postgres { url, ca } => {
            into_postgres(server, url, ca.as_deref(), &source, &held).await?;
        }
        Server::Redis(url) => into_redis(server, url, &source, &held).await?,
    }
    Ok(held)
}

/// A file that is being filled.
struct Filling<'a> {
    part: Part,
    file: Connection,
    books: &'a Books,
    count: RefCell<(i64, u64)>,
}

impl<'a> Filling<'a> {
    fn begin(backup: &Path, books: &'a Books) -> Result<Self, BackupError> {
        if backup.exists() {
            return Err(BackupError::Exists(backup.to_owned()));
        }
        let part = Part::beside(backup)?;
        let at = |source| sqlite(&part.0, source);
        let file = Connection::open(&part.0).map_err(at)?;
        // Nothing of it counts until all of it is on the disk.
        file.pragma_update(None, "synchronous", "OFF").map_err(at)?;
        file.execute_batch(super::TABLE).map_err(at)?;
        file.execute_batch("BEGIN").map_err(at)?;
        Ok(Self {
            part,
            file,
            books,
            count: RefCell::default(),
        })
    }

    /// Adds a key with its value, as the server has it, and gives the bytes so far.
    fn add(&self, key: &str, value: &[u8]) -> Result<u64, BackupError> {
        let value = self.books.in_file(key, value);
        let add = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)";
        let added = self.file.prepare_cached(add);
        let added = added.and_then(|mut add| add.execute(params![self.books.store, key, value]));
        added.map_err(|source| sqlite(&self.part.0, source))?;
        let mut count = self.count.borrow_mut();
        count.0 += 1;
        count.1 += (key.len() + value.len()) as u64;
        Ok(count.1)
    }

    fn end(self, backup: &Path, made_at: &str) -> Result<Backup, BackupError> {
        let at = |source| sqlite(&self.part.0, source);
        self.file.execute_batch("COMMIT").map_err(at)?;
        self.file.close().map_err(|(_, source)| at(source))?;
        let made = seal(self.part, backup, made_at)?;
        let (keys, _) = self.count.into_inner();
        if made.keys != keys {
            return Err(BackupError::Damaged {
                path: backup.to_owned(),
                detail: format!("it holds {} keys instead of {keys}", made.keys),
            });
        }
        Ok(made)
    }
}

async fn from_postgres(
    server: &Server,
    url: &str,
    ca: Option<&str>,
    copy: &Filling<'_>,
    progress: &impl Fn(u64, u64),
) -> Result<(), BackupError> {
    const SIZE: &str = "SELECT pg_is_in_recovery(), count(*), \
        coalesce(sum(octet_length(key) + octet_length(value)), 0)::int8 FROM mpay_books";
    let client = postgres::connect(url, ca).await;
    let client = client.map_err(|error| server.failed(error))?;
    let at = |error| server.refused(&error);
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    client.batch_execute(begin).await.map_err(at)?;
    let size = client.query_one(SIZE, &[]).await.map_err(at)?;
    let is_replica: bool = size.try_get(0).map_err(at)?;
    if is_replica {
        // It lacks what was acknowledged last.
        return Err(server.failed("it is a replica; the address must lead to the primary"));
    }
    let keys: i64 = size.try_get(1).map_err(at)?;
    let bytes: i64 = size.try_get(2).map_err(at)?;
    let total = u64::try_from(bytes).unwrap_or_default();
    read_postgres(server, &client, |key, value| {
        progress(copy.add(key, value)?, total);
        Ok(())
    })
    .await?;
    client.batch_execute("COMMIT").await.map_err(at)?;
    let (read, _) = *copy.count.borrow();
    match read == keys {
        true => Ok(()),
        false => Err(server.failed(format!("it gave {read} keys of {keys}"))),
    }
}

/// Reads the table, in the order of its keys.
async fn read_postgres(
    server: &Server,
    client: &Client,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let at = |error| server.refused(&error);
    let read =
        format!("SELECT key, value FROM mpay_books WHERE key > $1 ORDER BY key LIMIT {AT_ONCE}");
    let read = client.prepare(&read).await.map_err(at)?;
    let mut after = String::new();
    loop {
        let rows = client.query(&read, &[&after]).await.map_err(at)?;
        for row in &rows {
            let key: &str = row.try_get(0).map_err(at)?;
            each(key, row.try_get(1).map_err(at)?)?;
        }
        match rows.last() {
            Some(row) => after = row.try_get(0).map_err(at)?,
            None => return Ok(()),
        }
    }
}

fn from_redis(
    server: &Server,
    redis: &Redis,
    copy: &Filling<'_>,
    progress: &impl Fn(u64, u64),
) -> Result<(), BackupError> {
    let mut failed = None;
    let each = |key: &[u8], value: &[u8]| {
        let key = std::str::from_utf8(key);
        let key = key.map_err(|_| io::Error::other("it has keys that are not of books"))?;
        copy.add(key, value).map(drop).map_err(|error| {
            failed = Some(error);
            io::Error::other("it was not copied")
        })
    };
    let taken = snapshot::take(redis.client(), each, progress);
    if let Some(error) = failed {
        return Err(error);
    }
    taken.map_err(|error| match error {
        NoSnapshot::Refused(reason) => BackupError::NoSnapshot {
            server: server.to_string(),
            reason,
        },
        NoSnapshot::Io(error) => server.failed(error),
    })
}

async fn from_redis_at_rest(
    server: &Server,
    redis: &Redis,
    copy: &Filling<'_>,
    progress: &impl Fn(u64, u64),
) -> Result<(), BackupError> {
    let first = read_redis(server, redis, |key, value| {
        progress(copy.add(key, value)?, 0);
        Ok(())
    })
    .await?;
    let again = read_redis(server, redis, |_, _| Ok(())).await?;
    match first == again {
        true => Ok(()),
        false => Err(BackupError::Written(server.to_string())),
    }
}

/// Reads all keys, in their order.
async fn read_redis(
    server: &Server,
    redis: &Redis,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), BackupError>,
) -> Result<Held, BackupError> {
    let keys = redis.keys().await.map_err(|error| server.failed(error))?;
    let mut counted = Counted::default();
    for keys in keys.chunks(AT_ONCE) {
        let pairs = redis.get_many(keys.to_vec()).await;
        for (key, value) in pairs.map_err(|error| server.failed(error))? {
            counted.add([b"", key.as_bytes(), &value]);
            each(&key, &value)?;
        }
    }
    Ok(counted.end())
}

/// What is put back.
struct Source<'a, F> {
    backup: &'a Path,
    file: &'a Connection,
    books: &'a Books,
    total: u64,
    progress: &'a F,
    done: RefCell<u64>,
}

/// Keys with their values, as servers have them.
type Pairs = Vec<(String, Vec<u8>)>;

impl<F: Fn(u64, u64)> Source<'_, F> {
    /// Gives all of it in parts.
    async fn each(
        &self,
        mut each: impl AsyncFnMut(Pairs) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let at = |source| sqlite(self.backup, source);
        let read = "SELECT key, value FROM spin_key_value WHERE store = ?1 ORDER BY key";
        let mut read = self.file.prepare(read).map_err(at)?;
        let mut rows = read.query([self.books.store]).map_err(at)?;
        let (mut pairs, mut bytes) = (Pairs::new(), 0);
        while let Some(row) = rows.next().map_err(at)? {
            let key: String = row.get(0).map_err(at)?;
            let value: Vec<u8> = row.get(1).map_err(at)?;
            let value = self.books.on_server(&key, &value);
            bytes += key.len() + value.len();
            self.step(key.len() + value.len());
            pairs.push((key, value));
            if pairs.len() >= AT_ONCE || bytes >= BYTES_AT_ONCE {
                each(std::mem::take(&mut pairs)).await?;
                bytes = 0;
            }
        }
        match pairs.is_empty() {
            true => Ok(()),
            false => each(pairs).await,
        }
    }

    fn step(&self, bytes: usize) {
        let mut done = self.done.borrow_mut();
        *done += bytes as u64;
        (self.progress)(*done, self.total);
    }
}

async fn into_postgres(
    server: &Server,
    url: &str,
    ca: Option<&str>,
    source: &Source<'_, impl Fn(u64, u64)>,
    held: &Backup,
) -> Result<(), BackupError> {
    const WRITE: &str = "INSERT INTO mpay_books (key, value) \
        SELECT * FROM unnest($1::text[], $2::bytea[])";
    let client = postgres::connect(url, ca).await;
    let client = client.map_err(|error| server.failed(error))?;
    let at = |error| server.refused(&error);
    // All of it or nothing.
    let begin = "BEGIN; SET LOCAL synchronous_commit = on";
    client.batch_execute(begin).await.map_err(at)?;
    let there = "SELECT to_regclass('mpay_books') IS NOT NULL";
    let is_there = client.query_one(there, &[]).await.map_err(at)?;
    if !is_there.try_get::<_, bool>(0).map_err(at)? {
        client.batch_execute(source.books.table).await.map_err(at)?;
    }
    let lock = "LOCK TABLE mpay_books IN EXCLUSIVE MODE";
    client.batch_execute(lock).await.map_err(at)?;
    let filled = "SELECT EXISTS (SELECT FROM mpay_books)";
    let is_filled = client.query_one(filled, &[]).await.map_err(at)?;
    if is_filled.try_get(0).map_err(at)? {
        return Err(BackupError::NotEmpty(format!(
            "the table mpay_books of {server}"
        )));
    }
    let write = client.prepare(WRITE).await.map_err(at)?;
    source
        .each(async |pairs| {
            let (keys, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let written = client.execute(&write, &[&keys, &values]).await;
            written.map(drop).map_err(at)
        })
        .await?;
    let mut counted = Counted::default();
    let store = source.books.store.as_bytes();
    read_postgres(server, &client, |key, value| {
        source.step(key.len() + value.len());
        let value = source.books.in_file(key, value);
        counted.add([store, key.as_bytes(), &value]);
        Ok(())
    })
    .await?;
    if counted.end().sha256 != held.sha256 {
        return Err(server.failed("what it holds is not what was written; nothing was put back"));
    }
    client.batch_execute("COMMIT").await.map_err(at)
}

/// What every claim of a Redis begins with.
const CLAIM: &str = "the books of SHA-256 ";

/// What stands in the place of the gate of a Redis that is being filled: with which books, and by whom.
/// Each write looks that it still stands there, so that a run that was taken for dead writes nothing into
/// books that others use by then.
struct Claim {
    /// What it has in common with those of other runs with the same books.
    of_books: String,
    whole: String,
}

impl Claim {
    fn new(held: &Backup) -> Self {
        let of_books = format!("{CLAIM}{} are being put back, by ", held.sha256);
        // Random keys are all that is wanted of it.
        let run = RandomState::new().build_hasher().finish();
        Self {
            whole: format!("{of_books}{run:016x}"),
            of_books,
        }
    }

    /// Claims a Redis that is empty, or goes on with one that a run with the same books has claimed; gives
    /// whether it goes on.
    async fn take(&self, server: &Server, redis: &Redis, gate: &str) -> Result<bool, BackupError> {
        let not_empty = || BackupError::NotEmpty(server.to_string());
        let there = redis.get(gate).await.map_err(|e| server.failed(e))?;
        let Some(there) = there else {
            let size = redis.size().await.map_err(|e| server.failed(e))?;
            let claimed = size == 0 && {
                let claimed = redis.claim(gate, &self.whole).await;
                claimed.map_err(|e| server.failed(e))?
            };
            return claimed.then_some(false).ok_or_else(not_empty);
        };
        let there = String::from_utf8(there).map_err(|_| not_empty())?;
        if !there.starts_with(CLAIM) {
            return Err(not_empty());
        }
        if !there.starts_with(&self.of_books) {
            return Err(BackupError::OtherHalf(server.to_string()));
        }
        let ours = [(gate.to_owned(), self.whole.clone().into_bytes())];
        let taken = redis.set_while(gate, &there, &ours).await;
        match taken.map_err(|error| server.failed(error))? {
            true => Ok(true),
            false => Err(BackupError::TakenOver(server.to_string())),
        }
    }
}

async fn into_redis(
    server: &Server,
    url: &str,
    source: &Source<'_, impl Fn(u64, u64)>,
    held: &Backup,
) -> Result<(), BackupError> {
    let redis = Redis::new(url).map_err(|error| server.failed(error))?;
    let gate = source.books.gate;
    let claim = Claim::new(held);
    let goes_on = claim.take(server, &redis, gate).await?;
    let is_ours = |written| match written {
        Ok(true) => Ok(()),
        Ok(false) => Err(BackupError::TakenOver(server.to_string())),
        Err(error) => Err(server.failed(error)),
    };
    let are_there = async |pairs: &Pairs| {
        let keys = pairs.iter().map(|(key, _)| key.clone()).collect();
        let there = redis.get_many(keys).await;
        let there = there.map_err(|error| server.failed(error))?;
        Ok::<_, BackupError>(there == *pairs)
    };
    let filling = async {
        let mut last = None;
        source
            .each(async |mut pairs| {
                if let Some(place) = pairs.iter().position(|(key, _)| key == gate) {
                    last = Some(pairs.remove(place));
                }
                if goes_on && are_there(&pairs).await? {
                    return Ok(());
                }
                is_ours(redis.set_while(gate, &claim.whole, &pairs).await)
            })
            .await?;
        source
            .each(async |mut pairs| {
                pairs.retain(|(key, _)| key != gate);
                match are_there(&pairs).await? {
                    true => Ok(()),
                    false => Err(server.failed("what it holds is not what was written")),
                }
            })
            .await?;
        let keys = held.keys + i64::from(last.is_none());
        let size = redis.size().await.map_err(|error| server.failed(error))?;
        if size != keys {
            return Err(server.failed("it holds other keys beside those that were written"));
        }
        is_ours(match last {
            Some(last) => redis.set_while(gate, &claim.whole, &[last]).await,
            None => redis.delete_while(gate, &claim.whole).await,
        })
    };
    filling.await.map_err(|error| match error {
        error @ BackupError::TakenOver(_) => error,
        error => BackupError::Half {
            server: server.to_string(),
            source: Box::new(error),
        },
    })
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
