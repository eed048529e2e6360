use wsse::Signer;

use super::Variables;

/// A mistake in a variable. Its text is shown to anybody by `GET /health`, so it holds no part of
/// the value: a secret may have been put into the wrong variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("variable {variable}: {detail}")]
pub struct ConfigError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong, and what to do.
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

/// Every mistake in the variables.
#[derive(Debug)]
pub struct Misconfigured {
    /// The mistakes, at least one.
    pub errors: Vec<ConfigError>,
    /// The institution's key and certificate where they are right, so that what is answered
    /// meanwhile is signed all the same.
    pub signer: Option<Box<Signer>>,
    /// The address for the WSDL, or the variable that keeps it from being known.
    pub public_url: Result<Option<String>, &'static str>,
}
