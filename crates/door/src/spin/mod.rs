//! The platform of a Spin host: a store, and the clocks of WASI. The store is `wasi:keyvalue`, or with
//! the feature `postgres` a database.

#[cfg(not(feature = "postgres"))]
mod key_value;
#[cfg(feature = "postgres")]
mod postgres;

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use jiff::{SignedDuration, Timestamp};
use spin_sdk::{
    http::FullBody,
    variables,
    wasip3::{
        clocks::monotonic_clock,
        http::types::{ErrorCode, RequestOptions},
        http_compat::RequestOptionsExtension,
        random::random,
    },
};

use mpay_ledger::PlatformError;

#[cfg(not(feature = "postgres"))]
use self::key_value::Store;
#[cfg(feature = "postgres")]
use self::postgres::Store;
use crate::{
    config::Unread,
    current::Source,
    log,
    platform::{Outbound, Unanswered},
};

/// A Spin host. Made for each request: a handle of the store must not outlive it.
#[derive(Debug)]
pub struct Spin {
    store: Store,
    /// From when on the store is not called any more.
    end: Option<monotonic_clock::Mark>,
}

impl Spin {
    /// Opens the store.
    pub fn open() -> Self {
        Self {
            store: Store::open(),
            end: None,
        }
    }

    /// Calls the store for so long and no longer. Its calls stop the whole instance, so that no
    /// timer can end a request that makes many slow ones, as long as they succeed.
    pub fn within(self, duration: Duration) -> Self {
        let end = Some(after(duration));
        Self { end, ..self }
    }

    /// Ends so much later than it is called, whenever it is first polled.
    pub fn timer(duration: Duration) -> impl Future<Output = ()> {
        let end = after(duration);
        async move { monotonic_clock::wait_until(end).await }
    }

    /// The store, for one call.
    fn store(&self) -> Result<&Store, PlatformError> {
        if self.end.is_some_and(|end| monotonic_clock::now() >= end) {
            let late = "the request has no time left to call the store";
            return Err(PlatformError::Failed(late.to_owned()));
        }
        Ok(&self.store)
    }
}

fn after(duration: Duration) -> monotonic_clock::Mark {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    monotonic_clock::now().saturating_add(nanoseconds)
}

impl mpay_ledger::Platform for Spin {
    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        self.store()?
            .get_many(keys, || self.store().map(drop))
            .await
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        self.store()?.set_many(entries).await
    }

    async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        self.store()?.increment(key, by).await
    }

    fn now(&self) -> Timestamp {
        // As `Timestamp::now`, which panics where this is at an end, and brings the texts for it.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = SignedDuration::try_from(since.unwrap_or_default());
        let time = since.and_then(Timestamp::from_duration);
        time.unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn random(&self) -> u64 {
        random::get_random_u64()
    }

    async fn sleep(&self, duration: Duration) {
        Self::timer(duration).await;
    }
}

impl Outbound for Spin {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<()>, String> {
        /// The time that an answer may take to begin.
        const PATIENCE: Duration = Duration::from_secs(10);
        let answer = send(request, PATIENCE).await.map_err(in_words);
        answer.map(|answer| answer.map(drop))
    }

    async fn fetch(
        &self,
        request: Request<Bytes>,
        most: usize,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Unanswered> {
        let answer = send(request, patience).await.map_err(unanswered)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), most).collect().await;
        let broken = "The answer broke off, or is too long.";
        let body = body.map_err(|_| Unanswered::Unknown(broken.to_owned()))?;
        Ok((status, body.to_bytes()))
    }
}

async fn send(
    request: Request<Bytes>,
    patience: Duration,
) -> Result<spin_sdk::http::Response, ErrorCode> {
    const NANOSECONDS: u64 = 1_000_000_000;
    let options = RequestOptions::new();
    // A host that does not know them has limits of its own.
    let _ = options.set_connect_timeout(Some(5 * NANOSECONDS));
    let _ = options.set_first_byte_timeout(Some(patience.as_secs() * NANOSECONDS));
    let mut request = request.map(FullBody::new);
    log::carry(&mut request);
    request
        .extensions_mut()
        .insert(RequestOptionsExtension(options));
    spin_sdk::http::send(request).await
}

/// The error of a request that was not answered, which tells if the request can have arrived.
fn unanswered(error: ErrorCode) -> Unanswered {
    let is_sure = matches!(
        error,
        ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionTimeout
            | ErrorCode::DnsTimeout
            | ErrorCode::DnsError(_)
            | ErrorCode::DestinationNotFound
            | ErrorCode::DestinationIpProhibited
            | ErrorCode::DestinationIpUnroutable
            | ErrorCode::HttpRequestDenied
            | ErrorCode::TlsCertificateError
    );
    match is_sure {
        true => Unanswered::NotSent(in_words(error)),
        false => Unanswered::Unknown(in_words(error)),
    }
}

/// The reason why a request was not answered. The host's own words may hold parts of the address, which
/// may be secret, so they are not passed on.
fn in_words(error: ErrorCode) -> String {
    let words = match error {
        ErrorCode::ConnectionRefused => "The connection was refused.",
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            "The name of the host is not found."
        }
        ErrorCode::ConnectionTimeout => "The connection was not made in time.",
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
            "No answer came in time."
        }
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            "The connection broke before an answer came."
        }
        ErrorCode::TlsCertificateError => {
            "The certificate is not trusted, or is one of another host."
        }
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            "No encrypted connection can be made: the certificate is not trusted, or is one of another host, or the protocols differ."
        }
        ErrorCode::HttpRequestDenied
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable => {
            "The host of this provider does not allow a call of this address."
        }
        ErrorCode::HttpProtocolError => "What came is no answer of HTTP.",
        _ => "The message could not be sent.",
    };
    words.to_owned()
}

/// The variables of the host.
#[derive(Debug)]
pub struct Host;

impl Source for Host {
    async fn get(&self, name: &'static str) -> Result<String, Unread> {
        variables::get(name).await.map_err(|error| match error {
            variables::Error::Undefined(_) => Unread::Undefined,
            error => Unread::Failed(format!("{error:?}")),
        })
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    async fn sleep(&self, duration: Duration) {
        Spin::timer(duration).await;
    }
}

/// A key that nobody can guess.
pub fn key() -> [u64; 8] {
    std::array::from_fn(|_| random::get_random_u64())
}
