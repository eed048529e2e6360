use std::fmt;

use mpay_door::config::{Environment, Reader};
use mpay_ledger::digest::hex;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Development tokens begin like this.
pub const DEVELOPMENT_TOKEN: &str = "development-only-";

/// A bearer token, of which only the digest is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token of this text.
    pub fn new(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The first eight hexadecimal digits of its SHA-256: enough to tell the few tokens of a
    /// deployment apart, and far too few to find a token by.
    pub fn fingerprint(&self) -> String {
        hex(&self.0[..4])
    }

    /// Whether `candidate` is this token, in time that does not depend on either.
    pub fn matches(&self, candidate: &str) -> bool {
        self.0.ct_eq(&Self::new(candidate).0).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The tokens of a variable; none of them if one is wrong.
    pub fn list(
        reader: &mut Reader<'_>,
        variable: &'static str,
        environment: Environment,
    ) -> Vec<Self> {
        let mut tokens = Vec::new();
        for token in reader.listed(variable) {
            if token.chars().count() < 32 {
                reader.error(variable, "has a token of less than 32 characters");
            } else if token.starts_with(DEVELOPMENT_TOKEN)
                && environment != Environment::Development
            {
                reader.error(
                    variable,
                    format!(
                        "has a development token; it is refused where environment is {}",
                        environment.as_str()
                    ),
                );
            } else {
                tokens.push(Self::new(token));
            }
        }
        tokens
    }

    /// Whoever got a token to read with must not be able to write by an oversight.
    pub fn refuse_shared(reader: &mut Reader<'_>) {
        let full: Vec<_> = reader.listed("api_token").map(Self::new).collect();
        let mut read_only = reader.listed("api_read_token");
        if read_only.any(|token| full.iter().any(|other| other.matches(token))) {
            reader.error(
                "api_read_token",
                "has a token that is in api_token too; make one of its own",
            );
        }
    }
}
