//! Bounds within which the component is run.

use std::time::Duration;

/// Bytes of a request's body, by default.
const BODY: usize = 1_000_000;

/// Bounds within which the component is run.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of memory of an instance. Default 128 MiB, as on Akamai Functions.
    pub memory: usize,
    /// Requests that are at the component at once; more wait. Default 32.
    pub requests: usize,
    /// Connections that are open at once. Another one ends one that is not at work, or waits until
    /// there is one. Default 768: with the store's files fewer than the 1,024 that a process may
    /// have open by default.
    pub connections: usize,
    /// Connections of one client, by its address; of this machine, where a proxy stands for
    /// everybody, all but so many. Another one ends one of its own that is not at work, or is
    /// refused. Default 192.
    pub connections_per_client: usize,
    /// Bytes that a request's body may be announced to have; a longer one is refused, and never
    /// comes to the component. Default 1,000,000.
    pub body: usize,
    /// Bytes of a request's body that are read before an instance is asked for. The default is one more
    /// than [`body`](Self::body), so that a slow sender holds no instance. Of bodies beyond 256 KiB, at
    /// most [`requests`](Self::requests) are read at once.
    pub read_ahead: usize,
    /// Requests an instance serves in its life. Default 128, as Spin.
    pub requests_per_instance: usize,
    /// Requests an instance is at, at once. Default 1; Spin's is 16, and its flag
    /// `--max-instance-concurrent-reuse-count`.
    pub requests_at_once_per_instance: usize,
    /// The time for which an instance waits for the next request. Default 1 s, as Spin.
    pub idle_time: Duration,
    /// The time that a client may take to send a request, that a request may wait for its turn, and
    /// how long the component may take from then to begin its answer, computing or waiting. Default
    /// 30 s each.
    pub request_time: Duration,
    /// The time that the rest of the answer may take from then. Default 60 s.
    pub answer_time: Duration,
    /// The time for which [`Server::stop`](crate::Server::stop) waits for requests under way. Default
    /// 30 s, as for [`request_time`](Self::request_time): what has begun may end.
    pub stop_time: Duration,
}

impl Limits {
    /// Instances that live at once: one may be made before another that has ended is quite gone.
    pub(super) fn instances(&self) -> usize {
        2 * self.requests
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 128 << 20,
            requests: 32,
            connections: 768,
            connections_per_client: 192,
            body: BODY,
            read_ahead: BODY + 1,
            requests_per_instance: 128,
            requests_at_once_per_instance: 1,
            idle_time: Duration::from_secs(1),
            request_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(60),
            stop_time: Duration::from_secs(30),
        }
    }
}
