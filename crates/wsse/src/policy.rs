//! What a message must satisfy.

use std::time::Duration;

use crate::certificate::Certificate;

/// What a message must satisfy to be verified.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose signatures count.
    pub trust: Trust,
    /// Whether SHA-1 is accepted, in the signature and in digests.
    pub accept_sha1: bool,
    /// How far the signer's clock may differ: `Created` may lie this far in the future, `Expires`
    /// this far in the past.
    pub clock_skew: Duration,
    /// How old `Created` may be, whatever `Expires` says.
    pub max_age: Duration,
}

/// The certificates whose signatures count. They come from configuration; the one in a message
/// only chooses among them.
#[derive(Clone, Debug)]
pub struct Trust {
    pinned: Vec<Certificate>,
}

impl Trust {
    /// Trusts exactly these certificates, compared byte for byte. Several serve a change of the
    /// signer's certificate; none trusts nobody.
    pub fn pinned(certificates: Vec<Certificate>) -> Trust {
        Trust {
            pinned: certificates,
        }
    }

    pub(crate) fn certificates(&self) -> &[Certificate] {
        &self.pinned
    }
}
