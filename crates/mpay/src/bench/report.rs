//! The report of a run.

use std::time::Duration;

use hdrhistogram::Histogram;
use mpay_client::NAMESPACE;
use serde::Serialize;
use wsse::{Certificate, Envelope, Policy, Trust};

use super::{
    Arguments,
    load::{Kind, Measured, Prepared},
};
use crate::{
    inspect::policy,
    terminal::{Mark, Page, fit},
};

/// A run.
#[derive(Serialize)]
pub struct Report {
    url: String,
    connections: u16,
    seconds: f64,
    /// Confirmations and details that were signed before the run.
    signed_before: usize,
    signed_in_seconds: f64,
    calls: u64,
    calls_per_second: f64,
    failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_failure: Option<String>,
    /// Answers whose signature was verified after the run.
    verified: usize,
    /// Of these, how many did not verify, or said something else.
    unverified: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_unverified: Option<String>,
    verify_every: u64,
    /// True if all confirmations were used up before the time.
    ended_early: bool,
    /// Processors that this program itself kept busy, 1 being one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    own_processors: Option<f64>,
    kinds: Vec<Latencies>,
}

/// Milliseconds.
#[derive(Serialize)]
struct Latencies {
    kind: &'static str,
    calls: u64,
    per_second: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Report {
    /// Counts, and verifies the sample.
    pub fn of(
        arguments: &Arguments,
        prepared: &Prepared,
        signing: Duration,
        measured: Measured,
        provider: Certificate,
    ) -> Report {
        let policy = policy(Trust::pinned(vec![provider]), true);
        let seconds = measured.elapsed.as_secs_f64();
        let wrong: Vec<String> = measured
            .sample
            .iter()
            .filter_map(|(kind, at, body)| verify(*kind, body, &policy, *at).err())
            .collect();
        let kinds = Kind::ALL.iter().zip(&measured.latencies);
        let mut all: Vec<_> = kinds
            .filter(|(_, latencies)| !latencies.is_empty())
            .map(|(kind, latencies)| Latencies::of(kind.name(), latencies, seconds))
            .collect();
        if all.len() > 1 {
            let [first, others @ ..] = &measured.latencies;
            let mut together = first.clone();
            for more in others {
                // All have the same bounds, so that none can be missed.
                let _ = together.add(more);
            }
            all.push(Latencies::of("all", &together, seconds));
        }
        Report {
            url: arguments.url.clone(),
            connections: arguments.connections,
            seconds,
            signed_before: prepared.details.len() + prepared.confirmations.len(),
            signed_in_seconds: signing.as_secs_f64(),
            calls: measured.latencies.iter().map(Histogram::len).sum(),
            calls_per_second: measured.rate(),
            failures: measured.failures,
            first_failure: measured.first_failure,
            verified: measured.sample.len() - wrong.len(),
            unverified: wrong.len(),
            first_unverified: wrong.into_iter().next(),
            verify_every: arguments.verify_every,
            ended_early: measured.exhausted,
            own_processors: measured.own_time.map(|time| time / seconds),
            kinds: all,
        }
    }

    /// True if every answer was right.
    pub fn is_clean(&self) -> bool {
        self.failures == 0 && self.unverified == 0 && self.calls > 0
    }

    /// For people.
    pub fn page(&self) -> Page {
        let mut page = Page::new();
        page.heading(&self.url);
        page.field(
            "Load",
            format!("{} connections for {:.1} s", self.connections, self.seconds),
        );
        page.field(
            "Signed before",
            format!(
                "{} messages in {:.1} s, with their orders: none of it is measured",
                self.signed_before, self.signed_in_seconds
            ),
        );
        page.field(
            "Verified after",
            format!("one answer in {}: {}", self.verify_every, self.verified),
        );
        if let Some(own) = self.own_processors {
            page.field(
                "This program",
                format!("kept {own:.2} processors busy itself, which a provider on the same machine lacks"),
            );
        }
        page.gap();
        let columns = [
            "calls", "per s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms",
        ];
        let columns = columns.map(|name| format!("{name:>10}")).concat();
        page.line(format!("{}{columns}", fit("", 14)));
        for kind in &self.kinds {
            let name = fit(kind.kind, 14);
            let (calls, rate) = (kind.calls, kind.per_second);
            let times = [kind.p50, kind.p90, kind.p99, kind.p999, kind.max];
            let times = times.map(|time| format!("{time:>10.2}")).concat();
            page.line(format!("{name}{calls:>10}{rate:>10.1}{times}"));
        }
        page.gap();
        if let Some(first) = &self.first_failure {
            let text = format!("{} calls failed; the first: {first}", self.failures);
            page.finding(Mark::Wrong, text, None);
        }
        if let Some(first) = &self.first_unverified {
            let text = format!(
                "{} answers did not verify; the first: {first}",
                self.unverified
            );
            page.finding(Mark::Wrong, text, None);
        }
        if self.ended_early {
            page.finding(
                Mark::Warning,
                "the run ended early: all confirmations that were signed had been sent",
                Some("Give a shorter --duration, or a smaller share of confirmations in --mix."),
            );
        }
        if self.is_clean() {
            page.finding(Mark::Ok, "every call was answered with success", None);
        }
        page
    }
}

impl Latencies {
    fn of(kind: &'static str, latencies: &Histogram<u64>, seconds: f64) -> Latencies {
        let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
        let at = |quantile| milliseconds(latencies.value_at_quantile(quantile));
        Latencies {
            kind,
            calls: latencies.len(),
            per_second: latencies.len() as f64 / seconds,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: milliseconds(latencies.max()),
        }
    }
}

/// Verifies that an answer is signed by the provider, and says that it went well.
fn verify(kind: Kind, body: &[u8], policy: &Policy, at: jiff::Timestamp) -> Result<(), String> {
    let envelope = Envelope::parse(body).map_err(|error| error.to_string())?;
    let verified = envelope
        .verify(policy, at)
        .map_err(|error| error.to_string())?;
    let expected = match kind {
        Kind::Details => "GetOrderDetailsResponse",
        Kind::Confirmation | Kind::Repeat => "ConfirmOrderPaymentResponse",
    };
    let answer = verified.body().children().next();
    match answer {
        Some(answer) if answer.is(NAMESPACE, expected) => Ok(()),
        _ => Err(format!("an answer without {expected}")),
    }
}
