//! The connections that are open, and which of them goes when there is no room.
//!
//! A connection that has sent no whole request yet costs its client nothing, so a client can have any
//! number of them. They must not keep others out: when there is no room, idle connections are ended,
//! first those of the client that has the most. So a client that sends its request at once is served,
//! however many connections somebody else holds, also behind the same proxy.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::log::Log;

/// The shortest interval at which the log says that there was no room.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// A client that connects: an address, or a network of IPv6 that one customer is given, of 64 bits (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Client {
    /// This machine: a proxy in front of the host, most likely, which stands for everybody.
    Here(IpAddr),
    Other(IpAddr),
}

impl Client {
    fn of(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            ip if ip.is_loopback() => Self::Here(ip),
            IpAddr::V6(ip) => {
                let network = ip.to_bits() & (u128::MAX << 64);
                Self::Other(IpAddr::V6(network.into()))
            }
            ip => Self::Other(ip),
        }
    }
}

/// The phase that a connection is at. The first are the first to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It waits for a request, or for the rest of its head.
    Waiting,
    /// It waits for the rest of a body.
    Receiving,
    /// Its request has come, and is not answered yet.
    Working,
}

struct Connection {
    client: Client,
    phase: Phase,
    since: Instant,
    end: Arc<Notify>,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Connection>,
    next: u64,
    told: Option<Instant>,
}

/// The connections that are open. Clones share them.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    /// The most connections that there may be.
    all: usize,
    /// The most of them that may be of one client.
    share: usize,
    open: Mutex<Open>,
    /// Told when there may be room again.
    changed: Notify,
    log: Log,
}

/// The reason why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// All are at work.
    All,
    /// All of its client's are at work.
    Share,
}

impl Connections {
    pub(super) fn new(all: usize, share: usize, log: Log) -> Self {
        Self(Arc::new(Inner {
            all,
            share,
            open: Mutex::default(),
            changed: Notify::new(),
            log,
        }))
    }

    /// Makes room for a connection, by ending others if need be, and waits while all are at work.
    /// `None` if its client has its share, and all of it at work.
    pub(super) async fn admit(&self, address: SocketAddr) -> Option<Place> {
        loop {
            match self.try_admit(Client::of(address)) {
                Ok(place) => return Some(place),
                Err(Full::All) => self.0.changed.notified().await,
                Err(Full::Share) => {
                    self.0.tell(format_args!(
                        "refused a connection of {}: as many as one client may have are at work",
                        address.ip()
                    ));
                    return None;
                }
            }
        }
    }

    fn try_admit(&self, client: Client) -> Result<Place, Full> {
        let mut open = self.0.lock();
        let share = match client {
            // The least share of the others is left to them.
            Client::Here(_) => self.0.all - self.0.share.min(self.0.all / 2),
            Client::Other(_) => self.0.share,
        };
        if open.count(client) >= share {
            let ended = open.end_one(|connection| connection.client == client);
            if !ended {
                return Err(Full::Share);
            }
        } else if open.connections.len() >= self.0.all {
            let ended = open.end_one_of_most();
            if !ended {
                return Err(Full::All);
            }
        }
        let id = open.next;
        open.next += 1;
        let end = Arc::new(Notify::new());
        let connection = Connection {
            client,
            phase: Phase::Waiting,
            since: Instant::now(),
            end: Arc::clone(&end),
        };
        open.connections.insert(id, connection);
        Ok(Place {
            inner: Arc::clone(&self.0),
            id,
            end,
        })
    }

    /// Ends a connection that is not at work, if there is one: the process has no room for another.
    pub(super) fn end_one(&self) {
        let ended = self.0.lock().end_one_of_most();
        if ended {
            self.0
                .tell("ended a connection that was not at work: there was no room for another");
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, notice: impl std::fmt::Display) {
        let now = Instant::now();
        let told = self.lock().told;
        if told.is_none_or(|told| now.duration_since(told) >= TOLD_EVERY) {
            self.lock().told = Some(now);
            self.log.line(notice);
        }
    }
}

impl Open {
    fn count(&self, client: Client) -> usize {
        let all = self.connections.values();
        all.filter(|connection| connection.client == client).count()
    }

    /// Ends the one, among these, that is least at work and has been so for longest.
    fn end_one(&mut self, among: impl Fn(&Connection) -> bool) -> bool {
        let idle = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.phase < Phase::Working && among(connection));
        let first = idle.min_by_key(|(_, connection)| (connection.phase, connection.since));
        let Some(id) = first.map(|(&id, _)| id) else {
            return false;
        };
        if let Some(connection) = self.connections.remove(&id) {
            connection.end.notify_one();
        }
        true
    }

    /// Ends an idle connection of the client that has the most connections among those with an idle one.
    fn end_one_of_most(&mut self) -> bool {
        let mut counts: HashMap<Client, usize> = HashMap::new();
        for connection in self.connections.values() {
            *counts.entry(connection.client).or_default() += 1;
        }
        let idle = self.connections.values();
        let idle = idle.filter(|connection| connection.phase < Phase::Working);
        let most = idle
            .map(|connection| connection.client)
            .max_by_key(|client| counts.get(client));
        most.is_some_and(|client| self.end_one(|connection| connection.client == client))
    }
}

/// The place of a connection, until this is dropped.
pub(super) struct Place {
    inner: Arc<Inner>,
    id: u64,
    end: Arc<Notify>,
}

impl Place {
    /// Sets the phase of the connection.
    pub(super) fn set(&self, phase: Phase) {
        let mut open = self.inner.lock();
        if let Some(connection) = open.connections.get_mut(&self.id) {
            connection.phase = phase;
            connection.since = Instant::now();
        }
        drop(open);
        if phase < Phase::Working {
            self.inner.changed.notify_one();
        }
    }

    /// Waits until the connection has to go.
    pub(super) async fn ended(&self) {
        self.end.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.lock().connections.remove(&self.id);
        self.inner.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(all: usize, share: usize) -> Connections {
        Connections::new(all, share, Log::new(std::io::sink()))
    }

    fn client(address: &str) -> Client {
        Client::of(format!("{address}:1").parse().unwrap())
    }

    async fn goes(place: &Place) -> bool {
        let ended = tokio::time::timeout(Duration::from_millis(1), place.ended());
        ended.await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_with_its_share_makes_room_for_itself_alone() {
        let connections = connections(10, 2);
        let take = |address| connections.try_admit(client(address));
        let other = take("10.0.0.2").unwrap();
        let first = take("10.0.0.1").unwrap();
        let second = take("10.0.0.1").unwrap();
        let third = take("10.0.0.1").unwrap();
        assert!(goes(&first).await);
        assert!(!goes(&second).await && !goes(&third).await && !goes(&other).await);

        second.set(Phase::Working);
        third.set(Phase::Receiving);
        let fourth = take("10.0.0.1").unwrap();
        assert!(goes(&third).await);
        fourth.set(Phase::Working);
        assert_eq!(take("10.0.0.1").err(), Some(Full::Share));
        assert!(!goes(&second).await && !goes(&fourth).await && !goes(&other).await);
        drop(second);
        take("10.0.0.1").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_no_room_the_client_with_most_makes_it() {
        let connections = connections(4, 3);
        let take = |address| connections.try_admit(client(address));
        let one = take("10.0.0.1").unwrap();
        let many: Vec<_> = (0..3).map(|_| take("10.0.0.2").unwrap()).collect();
        many[0].set(Phase::Working);
        let late = take("10.0.0.3").unwrap();
        assert!(!goes(&one).await && !goes(&many[0]).await && !goes(&late).await);
        assert!(goes(&many[1]).await);

        for place in [&one, &many[2], &late] {
            place.set(Phase::Working);
        }
        assert_eq!(take("10.0.0.3").err(), Some(Full::All));
        late.set(Phase::Waiting);
        take("10.0.0.4").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_all_at_work_waits_for_the_first_that_is_not() {
        let connections = connections(1, 1);
        let address: SocketAddr = "10.0.0.1:1".parse().unwrap();
        let other: SocketAddr = "10.0.0.2:1".parse().unwrap();
        let first = connections.admit(address).await.unwrap();
        first.set(Phase::Working);
        let mut second = std::pin::pin!(connections.admit(other));
        let wait = Duration::from_secs(60);
        assert!(tokio::time::timeout(wait, second.as_mut()).await.is_err());
        first.set(Phase::Waiting);
        let second = tokio::time::timeout(wait, second).await.unwrap();
        assert!(second.is_some() && goes(&first).await);
    }

    #[test]
    fn this_machine_may_have_all_but_what_is_left_to_others() {
        let connections = connections(8, 2);
        let held: Vec<_> = (0..6)
            .map(|_| connections.try_admit(client("127.0.0.1")).unwrap())
            .collect();
        for place in &held {
            place.set(Phase::Working);
        }
        let more = connections.try_admit(client("127.0.0.1"));
        assert_eq!(more.err(), Some(Full::Share));
        connections.try_admit(client("10.0.0.1")).unwrap();
    }

    #[test]
    fn a_network_of_one_customer_is_one_client() {
        assert_eq!(
            client("[2001:db8:0:1::1]"),
            client("[2001:db8:0:1:ffff::2]")
        );
        assert_ne!(client("[2001:db8:0:1::1]"), client("[2001:db8:0:2::1]"));
        assert_eq!(client("[::ffff:10.0.0.1]"), client("10.0.0.1"));
        assert_eq!(client("[::1]"), Client::Here("::1".parse().unwrap()));
    }
}
