//! The HTTP server.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ::http::{HeaderMap, Method, StatusCode, header};
use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use listener::Running;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use crate::{BOLD, Broken, REGULAR, Reply, Request};

/// Bytes of a form.
const FORM: usize = 64 << 10;
/// Connections that are open at once; more wait.
const CONNECTIONS: usize = 256;
/// The time that a client may take to send a request.
const PATIENCE: Duration = Duration::from_secs(30);
/// The time that requests under way may take when the server stops.
const STOP: Duration = Duration::from_secs(5);

/// The party that is played.
pub trait Play: Send + Sync + 'static {
    /// Their name, for errors.
    const NAME: &'static str;

    /// True if pages of other sites may post to a path.
    fn is_entrance(&self, path: &str) -> bool;

    /// Answers a request. It may wait.
    fn answer(&self, request: &Request) -> Reply;
}

/// A running server. Dropping it cuts off the requests under way.
#[derive(Debug)]
pub struct Server(Running);

impl Server {
    /// Listens. On a loopback address, requests for other hosts are refused; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be listened at.
    pub async fn start<P: Play>(play: Arc<P>, listen: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("{} cannot listen on {listen}", P::NAME))?;
        let application = Application {
            play,
            free: Arc::new(Semaphore::new(CONNECTIONS)),
        };
        let stop = watch::Sender::default();
        Ok(Self(listener::serve(
            listener,
            Arc::new(application),
            stop,
        )?))
    }

    /// Its address as a URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Takes no more requests, and waits a little for those under way.
    ///
    /// # Errors
    /// If the server had failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.0.stop().await.context("the server of pages failed")
    }
}

type Body = Either<Full<Bytes>, Broken>;

struct Application<P> {
    play: Arc<P>,
    /// One permit for each connection that may be open.
    free: Arc<Semaphore>,
}

/// A connection that is open.
struct Connection {
    on_loopback: bool,
    _permit: OwnedSemaphorePermit,
}

impl listener::Place for Connection {}

impl<P: Play> listener::Application for Application<P> {
    type Place = Connection;
    type Body = Body;

    fn header_time(&self) -> Duration {
        PATIENCE
    }

    fn stop_time(&self) -> Duration {
        STOP
    }

    async fn admit(&self, stream: &TcpStream, _: SocketAddr) -> Option<Connection> {
        let local = stream.local_addr();
        Some(Connection {
            on_loopback: local.is_ok_and(|address| address.ip().is_loopback()),
            _permit: Arc::clone(&self.free).acquire_owned().await.ok()?,
        })
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        connection: &Arc<Connection>,
    ) -> hyper::Response<Body> {
        answer(Arc::clone(&self.play), request, connection.on_loopback).await
    }
}

async fn answer<P: Play>(
    play: Arc<P>,
    request: hyper::Request<Incoming>,
    on_loopback: bool,
) -> hyper::Response<Body> {
    let (parts, body) = request.into_parts();
    // A page of another site could have its own name lead here, and then read the pages.
    if on_loopback && !names_loopback(&parts.headers) {
        let text = format!("{} answers to localhost only.\n", P::NAME);
        return Reply::refusal(StatusCode::MISDIRECTED_REQUEST, text).into_response(None);
    }
    if parts.method == Method::POST
        && !play.is_entrance(parts.uri.path())
        && comes_from_elsewhere(&parts.headers)
    {
        let text = "This form was sent by another site.\n";
        return Reply::refusal(StatusCode::FORBIDDEN, text).into_response(None);
    }
    let body = tokio::time::timeout(PATIENCE, Limited::new(body, FORM).collect());
    let Ok(Ok(body)) = body.await else {
        let text = "The form is too long, or broke off.\n";
        return Reply::refusal(StatusCode::PAYLOAD_TOO_LARGE, text).into_response(None);
    };
    let request = Request::new(
        parts.method,
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
        &parts.headers,
        body.to_bytes(),
    );
    let answered = tokio::task::spawn_blocking(move || {
        let reply = match asset(&request) {
            Some(asset) => asset,
            None => play.answer(&request),
        };
        reply.into_response(request.remembers())
    });
    answered.await.unwrap_or_else(|_| {
        let text = format!("{} failed to answer.\n", P::NAME);
        Reply::refusal(StatusCode::INTERNAL_SERVER_ERROR, text).into_response(None)
    })
}

/// The files that the pages load.
fn asset(request: &Request) -> Option<Reply> {
    let [name] = request.path.as_slice() else {
        return None;
    };
    Some(match name.as_str() {
        "style.css" => Reply::asset("text/css; charset=utf-8", include_bytes!("style.css")),
        "regular.ttf" => Reply::asset("font/ttf", REGULAR),
        "bold.ttf" => Reply::asset("font/ttf", BOLD),
        _ => return None,
    })
}

/// True if the request is for this machine by one of its own names.
fn names_loopback(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.parse::<::http::uri::Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || name
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}

/// True if a browser says that another site made it send this.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}
