//! A request on its way from the connection to the component.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, Scheme, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, WasiBody};

use super::routes::Match;

/// The authority a request is for, by its target or its one `Host` header, as Spin reads it: one of
/// them, or both alike. HTTP/1.0 knows no `Host`, and the checks of load balancers are often so: such
/// a request is for the address at which it came in.
pub(super) fn authority(request: &Parts, local: SocketAddr) -> Option<Authority> {
    let (uri, headers) = (&request.uri, &request.headers);
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().ok()?.parse::<Authority>().ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    match (uri.authority(), host) {
        (Some(target), Some(host)) => (*target == host).then_some(host),
        (Some(target), None) => Some(target.clone()),
        (None, None) if request.version < Version::HTTP_11 && !headers.contains_key(HOST) => {
            local.to_string().parse().ok()
        }
        (None, host) => host,
    }
}

/// The absolute form of a request's target.
pub(super) fn absolute(uri: Uri, authority: Authority) -> Result<Uri, http::uri::InvalidUriParts> {
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts
        .path_and_query
        .get_or_insert(http::uri::PathAndQuery::from_static("/"));
    Uri::from_parts(parts)
}

/// Appends the headers that Spin gives to a component. A client's own header of such a name stays
/// and comes first.
pub(super) fn append_spin_headers(
    headers: &mut HeaderMap,
    uri: &Uri,
    route: Match<'_>,
    client: SocketAddr,
) {
    let matched_route = route.matched_route();
    let full_url = uri.to_string();
    let client = client.to_string();
    for (name, value) in [
        ("spin-path-info", route.path_info()),
        ("spin-full-url", &full_url),
        ("spin-matched-route", &matched_route),
        ("spin-base-path", "/"),
        ("spin-raw-component-route", route.raw_route()),
        ("spin-component-route", route.component_route()),
        ("spin-client-addr", &client),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
}

/// The length that a request's body is said to have.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Goes on reading a body that is refused, for a while: a client that writes it before it reads
/// would find the connection reset, and never see why.
pub(super) fn discard(mut body: Incoming, headers: &HeaderMap) {
    const MOST: usize = 8 << 20;
    const TIME: Duration = Duration::from_secs(2);
    // A client that waits to be told to go on has not sent a body, and must not be told.
    if headers.contains_key(EXPECT) {
        return;
    }
    tokio::spawn(timeout(TIME, async move {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > MOST {
                return;
            }
        }
    }));
}

/// Bytes of a body that anybody may have in memory; beyond them there is a number of places.
const SMALL: usize = 256 << 10;

/// Reads the body, up to about `limit` bytes, before an instance is asked for: a slow sender then costs
/// some memory, and no instance. The part beyond the limit is streamed. A body that is not small takes a
/// place among the `large` ones.
pub(super) async fn read_ahead(
    mut body: Incoming,
    limit: usize,
    large: &Arc<Semaphore>,
) -> Result<(WasiBody, Option<OwnedSemaphorePermit>), hyper::Error> {
    let mut start = Vec::new();
    let mut place = None;
    while start.len() < limit {
        if start.len() >= SMALL && place.is_none() {
            // It is never closed; if it were, nothing would be lost but the bound.
            place = Arc::clone(large).acquire_owned().await.ok();
        }
        match body.frame().await {
            None => {
                let whole = http_body_util::Full::from(start);
                let whole = whole.map_err(|never| match never {}).boxed_unsync();
                return Ok((whole, place));
            }
            // Trailers carry nothing for this product.
            Some(frame) => start.extend(frame?.into_data().unwrap_or_default()),
        }
    }
    let start = Some(Bytes::from(start));
    Ok((Resumed { start, rest: body }.boxed_unsync(), place))
}

/// A body with something that is dropped with it: when it has been sent, or its receiver is gone.
pub(super) struct Guarded<T> {
    body: WasiBody,
    _guard: T,
}

impl<T> Guarded<T> {
    pub(super) fn new(body: WasiBody, guard: T) -> Self {
        let _guard = guard;
        Self { body, _guard }
    }
}

impl<T: Unpin> Body for Guarded<T> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body whose start has been read already.
struct Resumed {
    start: Option<Bytes>,
    rest: Incoming,
}

impl Body for Resumed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.start.take() {
            Some(start) => Poll::Ready(Some(Ok(Frame::data(start)))),
            None => Pin::new(&mut self.rest).poll_frame(cx).map_err(Error::from),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.size_hint();
        let start = self.start.as_ref().map_or(0, |start| start.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(start));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(start));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::super::routes::{Route, Router};
    use super::*;

    const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

    fn parts(uri: &str, host: Option<&str>, version: Version) -> Parts {
        let mut request = http::Request::builder().uri(uri).version(version);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn http_1_0_needs_no_host_header() {
        let find = |host, version| authority(&parts("/a", host, version), LOCAL);
        let found = find(None, Version::HTTP_10).unwrap();
        assert_eq!(found, "127.0.0.1:3000");
        assert_eq!(find(Some("h"), Version::HTTP_10).unwrap(), "h");
        assert_eq!(find(Some("two words"), Version::HTTP_10), None);
        assert_eq!(find(None, Version::HTTP_11), None);
        let v6 = "[::1]:3000".parse().unwrap();
        let found = authority(&parts("/a", None, Version::HTTP_10), v6).unwrap();
        assert_eq!(found, "[::1]:3000");
    }

    #[test]
    fn the_authority_comes_from_the_host_header_or_the_target_and_they_must_agree() {
        let find = |uri: &'static str, host| {
            let found = authority(&parts(uri, host, Version::HTTP_11), LOCAL);
            found.map(|found| found.to_string())
        };
        assert_eq!(
            find("/a", Some("pay.example:81")),
            Some("pay.example:81".to_owned())
        );
        assert_eq!(
            find("http://pay.example/a", None),
            Some("pay.example".to_owned())
        );
        assert_eq!(
            find("http://pay.example/a", Some("pay.example")),
            Some("pay.example".to_owned())
        );
        assert_eq!(find("http://pay.example/a", Some("other.example")), None);
        assert_eq!(find("/a", None), None);
        assert_eq!(find("/a", Some("two words")), None);
    }

    #[test]
    fn the_headers_are_those_of_spin_and_come_last() {
        let router = Router::new(vec![(Route::parse("/api/...").unwrap(), "a".to_owned())]);
        let mut headers = HeaderMap::new();
        headers.insert("spin-client-addr", HeaderValue::from_static("10.0.0.1:1"));
        let uri = absolute(
            Uri::from_static("/api/orders?x=1"),
            Authority::from_static("pay.example"),
        )
        .unwrap();
        append_spin_headers(
            &mut headers,
            &uri,
            router.find("/api/orders").unwrap(),
            "127.0.0.1:8777".parse().unwrap(),
        );
        for (name, value) in [
            ("spin-path-info", "/orders"),
            ("spin-full-url", "http://pay.example/api/orders?x=1"),
            ("spin-matched-route", "/api/..."),
            ("spin-base-path", "/"),
            ("spin-raw-component-route", "/api/..."),
            ("spin-component-route", "/api"),
            ("spin-client-addr", "127.0.0.1:8777"),
        ] {
            assert_eq!(
                headers.get_all(name).iter().next_back().unwrap(),
                value,
                "{name}"
            );
        }
        assert_eq!(headers["spin-client-addr"], "10.0.0.1:1");
    }
}
