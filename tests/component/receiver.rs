//! An HTTP server that keeps what it is sent: the institution's side of notifications.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An answer of the receiver.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 204,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }
}

/// Runs until it is dropped.
pub struct Receiver {
    _runtime: Runtime,
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct Shared {
    received: Vec<Received>,
    reply: Reply,
}

impl Receiver {
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Mutex<Shared>>::default();
        let serving = Arc::clone(&shared);
        let held = watch::Sender::new(false);
        let holding = held.subscribe();
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&serving);
                let holding = holding.clone();
                let service = service_fn(move |request| {
                    answer(Arc::clone(&shared), holding.clone(), request)
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            _runtime: runtime,
            address,
            shared,
            held,
        }
    }

    /// Its address without a path, such as `http://127.0.0.1:8000`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it answers this.
    pub fn reply(&self, reply: Reply) {
        self.shared.lock().unwrap().reply = reply;
    }

    /// From now on nothing is answered.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Answers the requests that were held back.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// The requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.lock().unwrap().received.clone()
    }
}

async fn answer(
    shared: Arc<Mutex<Shared>>,
    mut holding: watch::Receiver<bool>,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let reply = {
        let mut shared = shared.lock().unwrap();
        shared.received.push(Received {
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            body,
        });
        shared.reply.clone()
    };
    let _ = holding.wait_for(|held| !held).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    Ok(response.body(Full::new(reply.body)).unwrap())
}
