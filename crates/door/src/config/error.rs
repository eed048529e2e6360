use super::Variables;

/// A mistake in a variable. Its text is shown to anybody by `GET /health`, so it holds no part of
/// the value: a secret may have been put into the wrong variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("variable {variable}: {detail}")]
pub struct ConfigError {
    /// The variable.
    pub variable: &'static str,
    /// The mistake, and what to do.
    pub detail: String,
}

impl ConfigError {
    /// One for each variable that could not be read.
    pub fn of_unread(variables: &Variables) -> impl Iterator<Item = Self> {
        variables.unread().map(|(variable, reason)| Self {
            variable,
            detail: reason.to_string(),
        })
    }
}

/// Every mistake in the variables, with the values that are of use in spite of them.
#[derive(Debug)]
pub struct Misconfigured<R> {
    /// The mistakes, at least one.
    pub errors: Vec<ConfigError>,
    /// The usable rest.
    pub rest: R,
}
