//! Serves HTTP/1.1 on a listener until it is told to stop: one accept loop for every server of this
//! workspace. It knows nothing of the application.
//!
//! An [`Application`] admits connections and answers their requests; [`serve`] gives a [`Running`], by
//! which the server is stopped. A connection passes three steps:
//!
//! 1. [`Application::admit`] gives it a [`Place`], makes it wait, or refuses it;
//! 2. [`Application::answer`] answers its requests, one after the other;
//! 3. it ends when the client, the application (by [`Place::ended`]) or the end of the server closes
//!    it.
//!
//! ```
//! use std::{net::SocketAddr, sync::Arc, time::Duration};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use hyper::body::Incoming;
//! use listener::{Application, Place};
//! use tokio::{net::{TcpListener, TcpStream}, sync::watch};
//!
//! struct Hello;
//! struct Anybody;
//! impl Place for Anybody {}
//!
//! impl Application for Hello {
//!     type Place = Anybody;
//!     type Body = Full<Bytes>;
//!
//!     fn header_time(&self) -> Duration {
//!         Duration::from_secs(30)
//!     }
//!
//!     fn stop_time(&self) -> Duration {
//!         Duration::from_secs(5)
//!     }
//!
//!     async fn admit(&self, _: &TcpStream, _: SocketAddr) -> Option<Anybody> {
//!         Some(Anybody)
//!     }
//!
//!     async fn answer(&self, _: Request<Incoming>, _: &Arc<Anybody>) -> Response<Full<Bytes>> {
//!         Response::new(Full::from("hello"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let running = listener::serve(listener, Arc::new(Hello), watch::Sender::default())?;
//! println!("serving {}", running.url());
//! running.stop().await?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]
#![forbid(unsafe_code)]

use std::{
    convert::Infallible, error::Error, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinError, JoinHandle, JoinSet},
    time::timeout,
};

/// The pause after a connection that could not be accepted. Most reasons pass: a connection that was
/// reset, or no file descriptor left.
const PAUSE: Duration = Duration::from_millis(50);

/// A place that an open connection holds; it is dropped when the connection has ended.
pub trait Place: Send + Sync + 'static {
    /// Ready when the application wants the connection ended at once, even in the middle of an answer. By
    /// default it never does.
    fn ended(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// The application that is served.
pub trait Application: Send + Sync + 'static {
    /// The place that an open connection holds.
    type Place: Place;
    /// The body of an answer.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// The time that a client may take to send the head of a request.
    fn header_time(&self) -> Duration;

    /// The time for which connections with a request under way may go on when the server stops.
    fn stop_time(&self) -> Duration;

    /// Takes a connection from this client, or waits until it can be taken; no other is accepted
    /// meanwhile. With `None` it is closed.
    fn admit(
        &self,
        stream: &TcpStream,
        client: SocketAddr,
    ) -> impl Future<Output = Option<Self::Place>> + Send;

    /// Answers a request.
    fn answer(
        &self,
        request: Request<Incoming>,
        place: &Arc<Self::Place>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Called when the system could not give a connection.
    fn not_accepted(&self, error: io::Error) {
        let _ = error;
    }

    /// Called when no connection is open any more, with the number of those that were cut off. The server
    /// has stopped when this has ended.
    fn stopped(&self, cut_off: usize) -> impl Future<Output = ()> + Send {
        let _ = cut_off;
        std::future::ready(())
    }
}

/// A running server. Dropping it cuts off the requests under way; [`stop`](Self::stop) does not.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
}

/// Serves an application on a listener, within a tokio runtime, until `stop` holds `true` or the
/// [`Running`] is stopped or dropped.
///
/// # Errors
/// If the system does not tell the listener's address.
pub fn serve(
    listener: TcpListener,
    application: Arc<impl Application>,
    stop: watch::Sender<bool>,
) -> io::Result<Running> {
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(accept(listener, application, stop.subscribe()));
    Ok(Running {
        address,
        stop,
        accepting: Some(accepting),
    })
}

impl Running {
    /// The address that it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more requests, lets those under way finish within [`Application::stop_time`], then
    /// cuts off the rest.
    ///
    /// # Errors
    /// If the server had panicked.
    pub async fn stop(mut self) -> Result<(), JoinError> {
        self.stop.send_replace(true);
        match self.accepting.take() {
            Some(accepting) => accepting.await,
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

/// Accepts connections until told to stop, then waits for those with a request under way.
async fn accept<A: Application>(
    listener: TcpListener,
    application: Arc<A>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, client)) => {
                let place = tokio::select! {
                    _ = stopping.wait_for(|stop| *stop) => break,
                    place = application.admit(&stream, client) => place,
                };
                if let Some(place) = place {
                    let (application, stopping) = (Arc::clone(&application), stopping.clone());
                    connections.spawn(attend(stream, place, application, stopping));
                }
            }
            Err(error) => {
                application.not_accepted(error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let finished = timeout(application.stop_time(), async {
        while connections.join_next().await.is_some() {}
    });
    let mut cut_off = 0;
    if finished.await.is_err() {
        cut_off = connections.len();
        connections.shutdown().await;
    }
    application.stopped(cut_off).await;
}

/// Serves a connection until the client, an error, the application or the end of the server closes
/// it.
async fn attend<A: Application>(
    stream: TcpStream,
    place: A::Place,
    application: Arc<A>,
    mut stopping: watch::Receiver<bool>,
) {
    let place = Arc::new(place);
    // With Nagle's algorithm a kept connection waits 40 ms for each answer.
    let _ = stream.set_nodelay(true);
    let header_time = application.header_time();
    let held = Arc::clone(&place);
    let service = service_fn(move |request| {
        let (application, place) = (Arc::clone(&application), Arc::clone(&held));
        async move { Ok::<_, Infallible>(application.answer(request, &place).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_time)
            .serve_connection(TokioIo::new(stream), service)
    );
    // Failures here are the client's: a reset, a malformed request. Nobody is left to be told.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = place.ended() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = place.ended() => {}
    }
}
