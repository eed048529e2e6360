//! What a check is, and how it ends.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::session::Session;

/// One thing that is tested.
#[derive(Clone, Copy)]
pub struct Check {
    /// Stable name, `area.name`.
    pub id: &'static str,
    /// What is tested, as a sentence that is true of a good provider.
    pub title: &'static str,
    /// The rule of MPay's contract, or of a standard it builds on.
    pub rule: &'static str,
    /// How much depends on it.
    pub severity: Severity,
    pub(super) run: fn(&mut Session) -> Verdict,
}

impl Check {
    /// The part of the id before the dot.
    pub fn area(&self) -> &'static str {
        self.id.split_once('.').map_or(self.id, |(area, _)| area)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.id).finish()
    }
}

/// How much depends on a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A provider that fails it loses money, believes strangers, or is not understood by MPay.
    Must,
    /// A provider that fails it may work with MPay as it is today.
    Should,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "must",
            Self::Should => "should",
        })
    }
}

/// How a check ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The provider does not do what the rule says; what was sent and what came.
    Failed(String),
    /// The check needs something that is not there.
    Skipped(String),
}

pub(super) type Verdict<T = ()> = Result<T, Stop>;

impl From<anyhow::Error> for Stop {
    /// What the tester itself could not do says nothing about the provider.
    fn from(error: anyhow::Error) -> Self {
        Self::Skipped(format!("the test could not be made: {error:#}"))
    }
}

pub(super) fn failed<T>(reason: impl Into<String>) -> Verdict<T> {
    Err(Stop::Failed(reason.into()))
}

pub(super) fn skipped<T>(reason: impl Into<String>) -> Verdict<T> {
    Err(Stop::Skipped(reason.into()))
}

/// Fails with this reason unless the condition holds.
pub(super) fn hold(condition: bool, reason: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { failed(reason()) }
}

/// Fails with all the problems found, if any.
pub(super) fn none_of(problems: Vec<String>) -> Verdict {
    const SHOWN: usize = 5;
    if problems.is_empty() {
        return Ok(());
    }
    let more = problems.len().saturating_sub(SHOWN);
    let mut text = problems
        .into_iter()
        .take(SHOWN)
        .collect::<Vec<_>>()
        .join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    failed(text)
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The provider does what the rule says.
    Passed,
    /// It does not.
    Failed,
    /// It was not tested.
    Skipped,
}

/// A check that was made.
#[derive(Debug, Clone)]
pub struct Tested {
    /// Which.
    pub check: Check,
    /// What it came to.
    pub outcome: Outcome,
    /// Why it failed or was skipped; empty if it passed. Holds texts of the provider as they came.
    pub reason: String,
    /// What was sent and received for it.
    pub exchanges: Vec<Exchange>,
    /// How long it took.
    pub duration: Duration,
}

/// An HTTP request, and what came back.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Why it was sent.
    pub purpose: String,
    /// HTTP method.
    pub method: &'static str,
    /// Where it went.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
    /// The answer, or why there was none.
    pub answer: Result<Answer, String>,
    /// How long the answer took.
    pub duration: Duration,
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// When it came.
    pub received: Timestamp,
    /// HTTP version, such as `HTTP/1.1`.
    pub version: String,
    /// Its headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// A check that must pass.
pub(super) const fn must(
    id: &'static str,
    title: &'static str,
    rule: &'static str,
    run: fn(&mut Session) -> Verdict,
) -> Check {
    Check {
        id,
        title,
        rule,
        severity: Severity::Must,
        run,
    }
}

/// A check that should pass.
pub(super) const fn should(
    id: &'static str,
    title: &'static str,
    rule: &'static str,
    run: fn(&mut Session) -> Verdict,
) -> Check {
    Check {
        id,
        title,
        rule,
        severity: Severity::Should,
        run,
    }
}
