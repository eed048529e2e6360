//! The HTTP server of MPay offline.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use ::http::{HeaderMap, Method, StatusCode, header};
use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};

use super::{
    Offline, Options,
    http::{Reply, Request},
    routes,
};

/// Bytes of a form.
const FORM: usize = 64 << 10;
/// Connections that are open at once; more wait.
const CONNECTIONS: usize = 256;
/// How long a client may take to send a request.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long requests under way may take when the server stops.
const STOP: Duration = Duration::from_secs(5);

/// A running server. Dropping it cuts off what is under way.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Reads the keys and listens.
    ///
    /// # Errors
    /// If a key or certificate cannot be used, or the address cannot be listened at.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listen = options.listen;
        let offline = Arc::new(Offline::new(options, tokio::runtime::Handle::current())?);
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("MPay offline cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        Ok(Self {
            address,
            stop,
            accepting: Some(tokio::spawn(accept(listener, offline, stopping))),
        })
    }

    /// Its address as a URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more requests, and waits a little for those under way.
    ///
    /// # Errors
    /// If the server had failed.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        match self.accepting.take() {
            Some(accepting) => accepting.await.context("MPay offline failed"),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

async fn accept(listener: TcpListener, offline: Arc<Offline>, mut stopping: watch::Receiver<bool>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let permit = Arc::clone(&free).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => break,
            accepted = accepted => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let serving = serve(stream, Arc::clone(&offline), stopping.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    serving.await;
                });
            }
            // Most of these pass: a connection that was reset, or no file descriptor left.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(STOP, all).await;
}

async fn serve(stream: TcpStream, offline: Arc<Offline>, mut stopping: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let on_loopback = stream
        .local_addr()
        .is_ok_and(|address| address.ip().is_loopback());
    let service = service_fn(move |request| {
        let offline = Arc::clone(&offline);
        async move { Ok::<_, Infallible>(answer(offline, request, on_loopback).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(
    offline: Arc<Offline>,
    request: hyper::Request<Incoming>,
    on_loopback: bool,
) -> hyper::Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    // A page elsewhere could have its own name lead here, and then read what is shown.
    if on_loopback && !names_loopback(&parts.headers) {
        let text = "MPay offline answers to localhost only.\n";
        return Reply::refusal(StatusCode::MISDIRECTED_REQUEST, text).into_response(None);
    }
    if parts.method == Method::POST
        && !routes::is_entrance(parts.uri.path())
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
        &body.to_bytes(),
    );
    // Calls of the provider wait.
    let answered = tokio::task::spawn_blocking(move || {
        let reply = routes::answer(&offline, &request);
        reply.into_response(request.remembers())
    });
    answered.await.unwrap_or_else(|_| {
        let text = "MPay offline failed to answer.\n";
        Reply::refusal(StatusCode::INTERNAL_SERVER_ERROR, text).into_response(None)
    })
}

/// Whether the request is for this machine by one of its own names.
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

/// Whether a browser says that another site made it send this.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}
