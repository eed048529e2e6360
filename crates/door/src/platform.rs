//! What the provider needs of its host: a store and clocks for the ledger, and a way out.

use bytes::Bytes;
use http::{Request, Response, StatusCode};

/// Who can send a request to the outside.
#[allow(async_fn_in_trait)] // Used with static dispatch in one thread only.
pub trait Outbound {
    /// Sends a request, and gives its answer, whose body is not read. Redirects are
    /// not followed. What takes longer than a few seconds has failed.
    ///
    /// # Errors
    /// A text for people.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<()>, String>;

    /// The same, with the answer's body, of `most` bytes at most.
    ///
    /// # Errors
    /// A text for people.
    async fn fetch(
        &self,
        request: Request<Bytes>,
        most: usize,
    ) -> Result<(StatusCode, Bytes), String>;
}

/// What the provider needs of its host.
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
        _most: usize,
    ) -> Result<(StatusCode, Bytes), String> {
        let status = Self::send(self, request).await?.status();
        Ok((status, self.reply_body()))
    }
}
