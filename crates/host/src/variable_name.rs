//! Names of variables.

use std::fmt;

use serde::Deserialize;

/// The name of a variable by Spin's rule: lower-case ASCII letters, digits and single underscores,
/// a letter first, no underscore last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct VariableName(String);

impl VariableName {
    /// Reads a name. The error is a sentence.
    pub fn parse(name: &str) -> Result<Self, String> {
        let reason = if name.is_empty() {
            "a name cannot be empty"
        } else if !name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            "only lower-case letters, digits and underscores are allowed"
        } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            "the first character must be a letter"
        } else if name.ends_with('_') || name.contains("__") {
            "underscores must stand alone between other characters"
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(format!("bad variable name {name:?}: {reason}"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The environment variable that sets it: `SPIN_VARIABLE_` and the name in capitals.
    pub fn environment_name(&self) -> String {
        format!("SPIN_VARIABLE_{}", self.0.to_ascii_uppercase())
    }
}

impl TryFrom<String> for VariableName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name)
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
