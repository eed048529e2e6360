use wsse::Signer;

/// A mistake in a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("variable {variable}: {detail}")]
pub struct ConfigError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// Every mistake in the variables.
#[derive(Debug)]
pub struct Misconfigured {
    /// The mistakes, at least one.
    pub errors: Vec<ConfigError>,
    /// The institution's key and certificate where they are right, so that what is answered
    /// meanwhile is signed all the same.
    pub signer: Option<Box<Signer>>,
}
