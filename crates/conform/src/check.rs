//! Checks and their outcomes.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{exchange::Exchange, session::Session, verdict::Verdict};

/// One thing that is tested.
#[derive(Clone, Copy)]
pub struct Check {
    /// Stable name, `area.name`.
    pub id: &'static str,
    /// The title: a sentence that is true of a good provider.
    pub title: &'static str,
    /// The rule of MPay's contract, or of a standard it builds on.
    pub rule: &'static str,
    /// The severity: how much depends on it.
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

/// The severity of a check: how much depends on it.
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

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The provider keeps the rule.
    Passed,
    /// It does not.
    Failed,
    /// It was not tested.
    Skipped,
}

/// A check that was made.
#[derive(Debug, Clone)]
pub struct Tested {
    /// The check.
    pub check: Check,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason why it failed or was skipped; empty if it passed. Holds texts of the provider as they came.
    pub reason: String,
    /// The messages that were sent and received for it.
    pub exchanges: Vec<Exchange>,
    /// The time that it took.
    pub duration: Duration,
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
