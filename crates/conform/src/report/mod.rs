//! The report, for people and programs. Content from a provider is untrusted text: it is escaped for the
//! place where it is written.

mod html;
mod junit;
mod plain;

use std::time::Duration;

use jiff::Timestamp;
use mpay_domain::time;
use serde_json::{Value, json};
use wsse::Certificate;

use super::{
    check::{Outcome, Severity, Tested},
    text::{self, shown},
};

/// The verdict on a provider.
#[derive(Debug, Clone)]
pub struct Report {
    /// The address that was tested.
    pub url: String,
    /// ServiceID.
    pub service: String,
    /// The certificate that played MPay.
    pub mpay: Certificate,
    /// The certificate that the provider must sign with.
    pub provider: Certificate,
    /// The time at which the test began.
    pub started: Timestamp,
    /// The time that it took.
    pub duration: Duration,
    /// The checks, in the order in which they were made.
    pub tested: Vec<Tested>,
}

impl Report {
    /// The number of checks that ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.tested.iter().filter(|t| t.outcome == outcome).count()
    }

    /// The number of checks of a severity that failed.
    pub fn failed(&self, severity: Severity) -> usize {
        self.of(Outcome::Failed)
            .filter(|tested| tested.check.severity == severity)
            .count()
    }

    /// True if no check that must pass failed. Skipped checks say nothing.
    pub fn passed(&self) -> bool {
        self.failed(Severity::Must) == 0
    }

    fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Tested> {
        self.tested
            .iter()
            .filter(move |tested| tested.outcome == outcome)
    }

    /// The checks of an area.
    fn in_area<'a>(&'a self, area: &'a str) -> impl Iterator<Item = &'a Tested> {
        self.tested
            .iter()
            .filter(move |tested| tested.check.area() == area)
    }

    /// The verdict in a sentence or two.
    fn verdict(&self) -> String {
        let skipped = match self.count(Outcome::Skipped) {
            0 => String::new(),
            1 => " One check was skipped, and says nothing.".to_owned(),
            n => format!(" {n} checks were skipped, and say nothing."),
        };
        let verdict = match (self.failed(Severity::Must), self.failed(Severity::Should)) {
            (0, 0) if self.count(Outcome::Passed) == 0 => "Nothing was tested.",
            // A skipped check may hide a mistake, so it is no pass.
            (0, 0) if !skipped.is_empty() => "What was tested is right.",
            (0, 0) => "Passed.",
            (0, 1) => "Nothing must be mended, one thing should be.",
            (0, n) => return format!("Nothing must be mended, {n} things should be.{skipped}"),
            (1, _) => "Not passed: one thing must be mended.",
            (n, _) => return format!("Not passed: {n} things must be mended.{skipped}"),
        };
        format!("{verdict}{skipped}")
    }

    /// The counts in a line.
    fn counts(&self) -> String {
        format!(
            "{} checks in {}: {} passed, {} failed ({} must, {} should), {} skipped",
            self.tested.len(),
            shown(self.duration),
            self.count(Outcome::Passed),
            self.count(Outcome::Failed),
            self.failed(Severity::Must),
            self.failed(Severity::Should),
            self.count(Outcome::Skipped)
        )
    }

    /// For programs: counts and every check, the messages of failed ones with them.
    pub fn json(&self) -> Value {
        let checks: Vec<Value> = self.tested.iter().map(json_of).collect();
        json!({
            "url": self.url,
            "service": self.service,
            "mpay_certificate": self.mpay.fingerprint(),
            "provider_certificate": self.provider.fingerprint(),
            "started": time::format(self.started),
            "duration_ms": millis(self.duration),
            "passed": self.passed(),
            "counts": {
                "passed": self.count(Outcome::Passed),
                "failed": self.count(Outcome::Failed),
                "failed_must": self.failed(Severity::Must),
                "failed_should": self.failed(Severity::Should),
                "skipped": self.count(Outcome::Skipped),
            },
            "checks": checks,
        })
    }
}

fn json_of(tested: &Tested) -> Value {
    let mut value = json!({
        "id": tested.check.id,
        "area": tested.check.area(),
        "title": tested.check.title,
        "rule": tested.check.rule,
        "severity": tested.check.severity,
        "outcome": tested.outcome,
        "duration_ms": millis(tested.duration),
    });
    if !tested.reason.is_empty() {
        value["reason"] = tested.reason.as_str().into();
    }
    if tested.outcome == Outcome::Failed {
        let exchanges: Vec<Value> = tested
            .exchanges
            .iter()
            .map(|exchange| {
                let answer = match &exchange.answer {
                    Ok(answer) => json!({
                        "status": answer.status,
                        "headers": answer.headers,
                        "body": text::shortened(&String::from_utf8_lossy(&answer.body)),
                    }),
                    Err(error) => json!({"error": error}),
                };
                json!({
                    "purpose": exchange.purpose,
                    "method": exchange.method,
                    "url": exchange.url,
                    "headers": exchange.headers,
                    "body": text::shortened(&exchange.body),
                    "answer": answer,
                    "duration_ms": millis(exchange.duration),
                })
            })
            .collect();
        value["exchanges"] = exchanges.into();
    }
    value
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
