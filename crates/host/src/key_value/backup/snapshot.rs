//! The snapshot that Redis sends to a replica (`SYNC`): everything as it is at one moment, while others
//! write. `redis-cli --rdb` takes it in the same way.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    sync::Arc,
    time::Duration,
};

use redis::{Client, ConnectionAddr, ConnectionInfo};
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};

use super::rdb;
use crate::postgres::tls;

const CONNECT_TIME: Duration = Duration::from_secs(3);
/// While it makes a snapshot, a server shows every second that it lives.
const SILENCE: Duration = Duration::from_secs(60);
/// Answers are one line.
const LONGEST_LINE: u64 = 4096;

/// Why there is no snapshot.
#[derive(Debug)]
pub(super) enum NoSnapshot {
    /// The server does not give it, in its words.
    Refused(String),
    /// It broke off, or is not to be read.
    Io(io::Error),
}

impl From<io::Error> for NoSnapshot {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Takes a snapshot, and gives `each` the keys and values of the client's database. `progress` is told
/// the bytes so far, and how many there are.
pub(super) fn take(
    client: &Client,
    each: impl FnMut(&[u8], &[u8]) -> io::Result<()>,
    progress: impl Fn(u64, u64),
) -> Result<(), NoSnapshot> {
    let info = client.get_connection_info();
    let mut wire = BufReader::new(connect(info)?);
    let settings = info.redis_settings();
    if let Some(password) = settings.password() {
        let mut command = vec!["AUTH"];
        command.extend(settings.username());
        command.push(password);
        send(wire.get_mut(), &command)?;
        let answer = line(&mut wire)?;
        if !answer.starts_with('+') {
            return Err(NoSnapshot::Refused(answer));
        }
    }
    send(wire.get_mut(), &["SYNC"])?;
    // Empty lines until it begins.
    let announced = loop {
        let line = line(&mut wire)?;
        if !line.is_empty() {
            break line;
        }
    };
    let length = announced.strip_prefix('$').map(str::parse::<u64>);
    let Some(Ok(length)) = length else {
        return Err(NoSnapshot::Refused(announced));
    };
    let database = u64::try_from(settings.db()).unwrap_or_default();
    let told = Told {
        input: wire.take(length),
        done: 0,
        length,
        progress,
    };
    Ok(rdb::read(BufReader::new(told), database, each)?)
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn connect(info: &ConnectionInfo) -> io::Result<Box<dyn Wire>> {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => Ok(Box::new(tcp(host, *port)?)),
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            ..
        } => {
            let config = tls::client_config(None).map_err(io::Error::other)?;
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let session = ClientConnection::new(Arc::new(config), name);
            let session = session.map_err(io::Error::other)?;
            Ok(Box::new(StreamOwned::new(session, tcp(host, *port)?)))
        }
        ConnectionAddr::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(SILENCE))?;
            Ok(Box::new(stream))
        }
        _ => Err(io::Error::other(
            "no connection without a look at the certificate",
        )),
    }
}

fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME) {
            Ok(stream) => {
                stream.set_read_timeout(Some(SILENCE))?;
                stream.set_write_timeout(Some(SILENCE))?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn send(wire: &mut impl Write, command: &[&str]) -> io::Result<()> {
    let mut bytes = format!("*{}\r\n", command.len());
    for part in command {
        bytes.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    wire.write_all(bytes.as_bytes())?;
    wire.flush()
}

/// A line, without its end.
fn line(wire: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    wire.by_ref()
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(&line);
    Ok(line.trim_end_matches('\r').to_owned())
}

/// Tells how far it was read.
struct Told<R, F> {
    input: R,
    done: u64,
    length: u64,
    progress: F,
}

impl<R: Read, F: Fn(u64, u64)> Read for Told<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.done += read as u64;
        (self.progress)(self.done, self.length);
        Ok(read)
    }
}
