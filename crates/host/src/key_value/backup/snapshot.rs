//! The snapshot that Redis sends to a replica (`PSYNC`): everything as it is at one moment, while others
//! write.

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
/// Answers are one line, or a text of some lines.
const LONGEST_LINE: u64 = 4096;
const LONGEST_TEXT: u64 = 1 << 20;

/// The reason why there is no snapshot.
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
    let now = standing(&mut wire)?;
    send(wire.get_mut(), &["PSYNC", "?", "-1"])?;
    let begun = announced(&mut wire)?;
    let from = begun.strip_prefix("+FULLRESYNC ").and_then(last_number);
    let Some(from) = from else {
        return Err(NoSnapshot::Refused(begun));
    };
    // A client that comes while Redis makes a snapshot for another one is given that snapshot, and later
    // the writes since: it lacks the writes acknowledged before this began.
    if from < now {
        let reason = "it was making another copy, which is older: try again in a minute";
        return Err(io::Error::other(reason).into());
    }
    let announced = announced(&mut wire)?;
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

/// The number of bytes of writes that the server has told its replicas of, by the connection that is used then.
fn standing(wire: &mut BufReader<Box<dyn Wire>>) -> Result<u64, NoSnapshot> {
    send(wire.get_mut(), &["INFO", "replication"])?;
    let answer = line(wire)?;
    let length = answer.strip_prefix('$').map(str::parse::<u64>);
    let Some(Ok(length)) = length else {
        return Err(NoSnapshot::Refused(answer));
    };
    let mut text = String::new();
    let text_end = length.min(LONGEST_TEXT) + 2;
    wire.by_ref().take(text_end).read_to_string(&mut text)?;
    let said = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    if said("role:") == Some("slave") {
        let reason = "it is a replica; the address must lead to the primary";
        return Err(io::Error::other(reason).into());
    }
    let standing = said("master_repl_offset:").and_then(last_number);
    standing.ok_or_else(|| NoSnapshot::Refused("it does not say how far it is".to_owned()))
}

/// The line that it says next: empty lines until then show that it lives.
fn announced(wire: &mut impl BufRead) -> io::Result<String> {
    loop {
        let line = line(wire)?;
        if !line.is_empty() {
            return Ok(line);
        }
    }
}

fn last_number(text: &str) -> Option<u64> {
    text.rsplit(' ').next()?.parse().ok()
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

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// The parts taken from a server that describes itself like this, and sends a snapshot as of
    /// `offset`.
    fn taken(role: &str, standing: u64, offset: u64) -> Result<Vec<Vec<u8>>, String> {
        let said = format!("# Replication\r\nrole:{role}\r\nmaster_repl_offset:{standing}\r\n");
        let said = format!("${}\r\n{said}\r\n", said.len());
        let snapshot = b"REDIS0004\x00\x01a\x01b\xff";
        let begun = format!("+FULLRESYNC 0a {offset}\r\n\n\n${}\r\n", snapshot.len());
        let answers = [said.into_bytes(), [begun.as_bytes(), snapshot].concat()];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::open(format!("redis://{}", listener.local_addr().unwrap())).unwrap();
        let server = thread::spawn(move || {
            let (mut wire, _) = listener.accept().unwrap();
            for answer in answers {
                if wire.read(&mut [0; 100]).unwrap() > 0 {
                    wire.write_all(&answer).unwrap();
                }
            }
        });
        let mut keys = Vec::new();
        let each = |key: &[u8], _: &[u8]| {
            keys.push(key.to_vec());
            Ok(())
        };
        let taken = take(&client, each, |_, _| {});
        server.join().unwrap();
        taken.map(|()| keys).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_snapshot_of_before_is_not_taken() {
        let older = taken("master", 7, 6).unwrap_err();
        assert!(older.contains("try again"), "{older}");
        for offset in [7, 8] {
            assert_eq!(taken("master", 7, offset).unwrap(), [b"a"]);
        }
    }

    #[test]
    fn a_replica_is_not_copied() {
        let replica = taken("slave", 7, 7).unwrap_err();
        assert!(replica.contains("it is a replica"), "{replica}");
    }
}
