//! The ends of checks.

/// An end before the last step of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The provider breaks the rule; the text describes how.
    Failed(String),
    /// The check needs something that is not there.
    Skipped(String),
}

pub(super) type Verdict<T = ()> = Result<T, Stop>;

impl From<anyhow::Error> for Stop {
    /// A failure of the tester itself says nothing about the provider.
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
