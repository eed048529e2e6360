//! The load itself: connections that call one after the other, as fast as they are answered.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use jiff::Timestamp;
use rand::RngExt;

use super::Mix;

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Details,
    Confirmation,
    Repeat,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Details, Kind::Confirmation, Kind::Repeat];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Details => "details",
            Kind::Confirmation => "confirmations",
            Kind::Repeat => "repeats",
        }
    }

    fn operation(self) -> &'static str {
        match self {
            Kind::Details => "GetOrderDetails",
            Kind::Confirmation | Kind::Repeat => "ConfirmOrderPayment",
        }
    }
}

/// Messages that are signed already.
pub struct Prepared {
    pub details: Vec<String>,
    pub confirmations: Vec<String>,
}

/// The target of a run, and its shape.
pub struct Load<'a> {
    pub url: &'a str,
    pub connections: usize,
    pub verify_every: u64,
}

/// The result of a run.
pub struct Measured {
    /// Latencies in microseconds, in the order of [`Kind::ALL`].
    pub latencies: [Histogram<u64>; 3],
    /// Answers to be verified, with the time when they came.
    pub sample: Vec<(Kind, Timestamp, Vec<u8>)>,
    /// Calls that were not answered, or with something else than success.
    pub failures: u64,
    /// The first failure, in words.
    pub first_failure: Option<String>,
    /// The time that the run took.
    pub elapsed: Duration,
    /// True if all confirmations were used up before the time.
    pub exhausted: bool,
    /// Processor time of this program, in seconds, where the system tells.
    pub own_time: Option<f64>,
}

impl Measured {
    fn new() -> anyhow::Result<Measured> {
        let empty = || Histogram::new_with_bounds(1, 120_000_000, 3);
        Ok(Measured {
            latencies: [empty()?, empty()?, empty()?],
            sample: Vec::new(),
            failures: 0,
            first_failure: None,
            elapsed: Duration::ZERO,
            exhausted: false,
            own_time: None,
        })
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        let count: u64 = self.latencies.iter().map(Histogram::len).sum();
        count as f64 / self.elapsed.as_secs_f64()
    }

    fn add(&mut self, other: Measured) -> anyhow::Result<()> {
        for (all, more) in self.latencies.iter_mut().zip(&other.latencies) {
            all.add(more)?;
        }
        self.sample.extend(other.sample);
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        Ok(())
    }
}

impl Load<'_> {
    /// Calls for so long.
    pub fn run(
        &self,
        prepared: &Prepared,
        mix: Mix,
        duration: Duration,
    ) -> anyhow::Result<Measured> {
        let next = AtomicUsize::new(0);
        let exhausted = AtomicBool::new(false);
        let own_before = own_time();
        let begun = Instant::now();
        let deadline = begun + duration;
        let mut measured = Measured::new()?;
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.connections)
                .map(|_| {
                    scope.spawn(|| self.call_until(deadline, prepared, mix, &next, &exhausted))
                })
                .collect();
            for worker in workers {
                let part = worker.join().ok().context("a thread of the load failed")?;
                measured.add(part?)?;
            }
            Ok::<_, anyhow::Error>(())
        })?;
        measured.elapsed = begun.elapsed();
        measured.exhausted = exhausted.into_inner();
        measured.own_time = own_time()
            .zip(own_before)
            .map(|(after, before)| after - before);
        Ok(measured)
    }

    /// One connection.
    fn call_until(
        &self,
        deadline: Instant,
        prepared: &Prepared,
        mix: Mix,
        next: &AtomicUsize,
        exhausted: &AtomicBool,
    ) -> anyhow::Result<Measured> {
        let agent = super::agent(self.url);
        let mut random = rand::rng();
        let mut measured = Measured::new()?;
        // Only what is answered is repeated.
        let mut answered: Vec<usize> = Vec::new();
        let mut calls = 0_u64;
        while Instant::now() < deadline && !exhausted.load(Ordering::Relaxed) {
            let drawn = random.random_range(0..mix.sum());
            let (kind, message, number) = if drawn < mix.details {
                let n = random.random_range(0..prepared.details.len());
                (Kind::Details, prepared.details.get(n), None)
            } else if drawn < mix.details + mix.confirmations || answered.is_empty() {
                let n = next.fetch_add(1, Ordering::Relaxed);
                (Kind::Confirmation, prepared.confirmations.get(n), Some(n))
            } else {
                let n = answered.get(random.random_range(0..answered.len()));
                let message = n.and_then(|n| prepared.confirmations.get(*n));
                (Kind::Repeat, message, None)
            };
            let Some(message) = message else {
                exhausted.store(true, Ordering::Relaxed);
                break;
            };
            let sent = Instant::now();
            let answer = self.call(&agent, kind, message);
            let took = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
            match answer {
                Ok(body) => {
                    if let Some(histogram) = measured.latencies.get_mut(kind as usize) {
                        histogram.saturating_record(took.max(1));
                    }
                    answered.extend(number);
                    if calls.is_multiple_of(self.verify_every) {
                        measured.sample.push((kind, Timestamp::now(), body));
                    }
                }
                Err(reason) => {
                    measured.failures += 1;
                    let first = &mut measured.first_failure;
                    first.get_or_insert_with(|| format!("{}: {reason}", kind.operation()));
                }
            }
            calls += 1;
        }
        Ok(measured)
    }

    fn call(&self, agent: &ureq::Agent, kind: Kind, message: &str) -> Result<Vec<u8>, String> {
        let operation = kind.operation();
        let mut response = agent
            .post(self.url)
            .header("Content-Type", "text/xml; charset=utf-8")
            .header(
                "SOAPAction",
                format!("\"https://mpay.gov.md/IServiceProvider/{operation}\""),
            )
            .send(message.as_bytes())
            .map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .read_to_vec()
            .map_err(|error| error.to_string())?;
        if status != 200 {
            let text = String::from_utf8_lossy(&body);
            let fault = text.split("<faultstring>").nth(1);
            let fault = fault
                .and_then(|rest| rest.split('<').next())
                .unwrap_or_default();
            return Err(format!("HTTP {status} {fault}").trim().to_owned());
        }
        Ok(body)
    }
}

/// User and system time of this process (proc(5), `/proc/pid/stat`, fields 14 and 15), of which
/// Linux counts a hundred a second.
fn own_time() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}
