//! The message's timestamp.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::SecurityError;
use super::structure::{Children, text};
use crate::datetime;
use crate::names::WSU;
use crate::policy::Policy;
use crate::xml::{Element, collapse};

/// A `wsu:Timestamp` (WSS: SOAP Message Security 1.1, section 10): `Created`, which the Basic
/// Security Profile 1.1 demands (R3203), and perhaps `Expires`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    pub(super) created: Timestamp,
    pub(super) expires: Option<Timestamp>,
}

impl Validity {
    pub(super) fn read(timestamp: Element<'_>) -> Result<Validity, SecurityError> {
        let mut children = Children::of(timestamp)?;
        let created = time(children.expect(WSU, "Created")?)?;
        let expires = children.accept(WSU, "Expires").map(time).transpose()?;
        children.finish()?;
        match expires {
            Some(expires) if expires <= created => {
                Err(SecurityError::ExpiresBeforeCreated { created, expires })
            }
            _ => Ok(Validity { created, expires }),
        }
    }

    pub(super) fn check(&self, policy: &Policy, now: Timestamp) -> Result<(), SecurityError> {
        let Validity { created, expires } = *self;
        let skew = signed(policy.clock_skew);
        if now.duration_until(created) > skew {
            return Err(SecurityError::CreatedInFuture { created, now });
        }
        if created.duration_until(now) > signed(policy.max_age) {
            return Err(SecurityError::TooOld { created, now });
        }
        match expires {
            Some(expires) if expires.duration_until(now) > skew => {
                Err(SecurityError::Expired { expires, now })
            }
            _ => Ok(()),
        }
    }
}

fn time(element: Element<'_>) -> Result<Timestamp, SecurityError> {
    let text = text(element)?;
    datetime::parse(collapse(&text)).ok_or_else(|| SecurityError::BadTime {
        value: text.into_owned(),
    })
}

pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
