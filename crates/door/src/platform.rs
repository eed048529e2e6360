//! The platform that the provider needs: a store and clocks for the ledger, and a way out.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};

/// The reason why a request has no answer, as a text for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It surely was not sent: there was no name, no connection or no certificate.
    #[error("{0}")]
    NotSent(String),
    /// The request may have arrived and may have been carried out.
    #[error("{0}")]
    Unknown(String),
}

/// A sender of requests to the outside.
#[allow(async_fn_in_trait)] // Used with static dispatch in one thread only.
pub trait Outbound {
    /// Sends a request, and gives its answer, whose body is not read. Redirects are not followed. A
    /// request that takes longer than a few seconds has failed.
    ///
    /// # Errors
    /// A text for people.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<()>, String>;

    /// Sends a request, and gives the answer's status and its body of at most `most` bytes. The answer
    /// must begin within `patience`.
    ///
    /// # Errors
    /// [`Unanswered`] tells if the request can have arrived.
    async fn fetch(
        &self,
        request: Request<Bytes>,
        most: usize,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Unanswered>;
}

/// The platform that the provider needs.
pub trait Platform: mpay_ledger::Platform + Outbound {}

impl<P: mpay_ledger::Platform + Outbound> Platform for P {}

#[cfg(any(test, feature = "testing"))]
impl Outbound for mpay_ledger::memory::Memory {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<()>, String> {
        Self::send(self, request).await
    }

    async fn fetch(
        &self,
        request: Request<Bytes>,
        most: usize,
        _patience: Duration,
    ) -> Result<(StatusCode, Bytes), Unanswered> {
        let failed = |reason| match reason {
            "not sent" => Unanswered::NotSent("The connection was refused.".to_owned()),
            reason => Unanswered::Unknown(reason.to_owned()),
        };
        if let Some(reply) = self.reply_to(&request).await {
            let (status, body) = reply.map_err(failed)?;
            let status = StatusCode::from_u16(status).unwrap_or_default();
            return match body.len() > most {
                true => Err(Unanswered::Unknown("The answer is too long.".to_owned())),
                false => Ok((status, body.into())),
            };
        }
        let answer = Self::send(self, request).await.map_err(Unanswered::Unknown);
        Ok((answer?.status(), self.reply_body()))
    }
}
