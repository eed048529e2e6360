/// The environment of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Real money.
    Production,
    /// MPay's test environment.
    Test,
    /// A developer's machine: development certificates and tokens are accepted.
    Development,
}

impl Environment {
    /// The word for it in the variable `environment`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Test => "test",
            Self::Development => "development",
        }
    }
}
