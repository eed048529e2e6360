//! The HTTP server in front of the component.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mpay_provider::service::MAX_BODY;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use wasmtime::component::Component;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ProxyHandler, TrapOrPanicError};

use crate::dotenv::Environment;

use super::connections::{Connections, Phase, Place};
use super::guest::{self, FuelMeter, Instances, Ticket};
use super::key_value::{Database, Error as KeyValueError, KeyValue, Manner, Observer};
use super::log::Log;
use super::manifest::Manifest;
use super::refusal::{self, Reader, Refusal};
use super::request::{self, Guarded};
use super::routes::Router;
use super::variables::Variables;

/// The folder of Spin for what belongs to its runtime.
const RESERVED: &str = "/.well-known/spin/";

/// The file of the key-value stores within the state folder, by Spin's name for it.
const KEY_VALUE_FILE: &str = "sqlite_key_value.db";

/// What to serve and how.
#[derive(Clone)]
pub struct Options {
    /// The `spin.toml`.
    pub manifest: PathBuf,
    /// The folder of the application's data; by default `.spin` beside the manifest.
    pub state_dir: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Values of variables, before those of the environment.
    pub variables: Vec<(String, String)>,
    /// The environment; by default the process's own.
    pub environment: Environment,
    /// A component to serve instead of the manifest's `source`.
    pub component: Option<PathBuf>,
    /// Where the component's output and the host's notices go.
    pub log: Log,
    /// Sees, and may spoil, the calls to the store.
    pub observer: Option<Observer>,
    /// The store of Spin's that the component is to meet: for tests.
    pub store_manner: Manner,
    /// Is told what an instance has computed, when it ends: for tests. Counting takes time.
    pub fuel_meter: Option<FuelMeter>,
    /// Bounds on memory, time and concurrency.
    pub limits: Limits,
}

impl Options {
    /// Serves a manifest on 127.0.0.1:3000, as Spin would.
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            state_dir: None,
            listen: (Ipv4Addr::LOCALHOST, 3000).into(),
            variables: Vec::new(),
            environment: Environment::default(),
            component: None,
            log: Log::stderr(),
            observer: None,
            store_manner: Manner::default(),
            fuel_meter: None,
            limits: Limits::default(),
        }
    }
}

/// Bounds within which the component is run.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a memory of an instance. Default 128 MiB, what Akamai Functions gives.
    pub memory: usize,
    /// Requests that are at the component at once; more wait. Default 32.
    pub requests: usize,
    /// Connections that are open at once. Another one ends one that is not at work, or waits until
    /// there is one. Default 768: with the store's files fewer than the 1,024 that a process may
    /// have open by default.
    pub connections: usize,
    /// Connections of one client, by its address; of this machine, where a proxy stands for
    /// everybody, all but so many. Another one ends one of its own that is not at work, or is
    /// refused. Default 192.
    pub connections_per_client: usize,
    /// Bytes of a request's body that are taken in before an instance is asked for. Default what
    /// the component reads at most, so that nobody who sends slowly holds an instance. Of bodies
    /// beyond 256 KiB no more than [`requests`](Self::requests) are taken in at once.
    pub read_ahead: usize,
    /// Requests an instance serves in its life. Default 128, as Spin.
    pub requests_per_instance: usize,
    /// Requests an instance is at, at once. Default 1; Spin's is 16, and its flag
    /// `--max-instance-concurrent-reuse-count`.
    pub requests_at_once_per_instance: usize,
    /// How long an instance waits for the next request. Default 1 s, as Spin.
    pub idle_time: Duration,
    /// How long a client may take to send a request, how long a request may wait for its turn, and
    /// how long the component may take from then to begin its answer, computing or waiting. Default
    /// 30 s each.
    pub request_time: Duration,
    /// How long the rest of the answer may take from then. Default 60 s.
    pub answer_time: Duration,
    /// How long [`Server::stop`] waits for requests under way. Default 10 s.
    pub stop_time: Duration,
}

impl Limits {
    /// Instances that live at once: one may be made before another that has ended is quite gone.
    fn instances(&self) -> usize {
        2 * self.requests
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 128 << 20,
            requests: 32,
            connections: 768,
            connections_per_client: 192,
            read_ahead: MAX_BODY + 1,
            requests_per_instance: 128,
            requests_at_once_per_instance: 1,
            idle_time: Duration::from_secs(1),
            request_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(60),
            stop_time: Duration::from_secs(10),
        }
    }
}

/// A running server. Dropping it cuts off what is under way; [`stop`](Self::stop) does not.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    lost: watch::Receiver<Option<KeyValueError>>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Reads the manifest, settles the variables, opens the store, compiles the component and
    /// listens. Returns when requests are answered.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let manifest = Manifest::load(&options.manifest)?;
        let environment = |name: &str| options.environment.get(name);
        let variables = Variables::resolve(&manifest, &options.variables, environment)?;
        for name in variables.left_out() {
            options.log.line(format_args!(
                "warning: the variable {name} names no host as scheme://host[:port]: requests that it was to allow are not sent"
            ));
        }
        let listen = options.listen;
        let (stop, stopping) = watch::channel(false);
        let for_instances = stopping.clone();
        let application = tokio::task::spawn_blocking(move || {
            Application::load(&manifest, variables, options, for_instances)
        })
        .await
        .context("the application could not be loaded")??;

        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}: choose another address with `--listen`")
        })?;
        let address = listener.local_addr()?;
        let lost = application.lost.clone();
        let accepting = tokio::spawn(accept(listener, Arc::new(application), stopping));
        Ok(Self {
            address,
            stop,
            lost,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until the store cannot be relied on any more, since its file is not in its place.
    /// Every call to it is an error then, so there is nothing left but to stop.
    pub async fn failed(&self) -> KeyValueError {
        let mut lost = self.lost.clone();
        let told = lost.wait_for(Option::is_some).await;
        match told.ok().and_then(|lost| lost.clone()) {
            Some(error) => error,
            // Nobody looks any more.
            None => KeyValueError::Closed,
        }
    }

    /// Takes no more requests, lets those under way finish within [`Limits::stop_time`], then cuts
    /// off the rest.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        match self.accepting.take() {
            Some(accepting) => accepting.await.context("the server failed"),
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

/// What is served: routes and the component behind them.
struct Application {
    router: Router,
    component: ProxyHandler<Instances>,
    /// One permit for each request that may be at the component.
    turns: Arc<Semaphore>,
    /// One permit for each instance that may live.
    places: Arc<Semaphore>,
    /// One permit for each large body that may be in memory and wait for its turn.
    large: Arc<Semaphore>,
    connections: Connections,
    lost: watch::Receiver<Option<KeyValueError>>,
    limits: Limits,
    log: Log,
}

impl Application {
    fn load(
        manifest: &Manifest,
        variables: Variables,
        options: Options,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let source = options
            .component
            .unwrap_or_else(|| manifest.component_path());
        if !source.is_file() {
            bail!(
                "there is no component at {}: build it first, as `mpay up` does by itself",
                source.display()
            );
        }
        let state_dir = options
            .state_dir
            .unwrap_or_else(|| manifest.default_state_dir());
        let file = state_dir.join(KEY_VALUE_FILE);
        let database = Database::open(&file)
            .with_context(|| format!("cannot open the key-value store {}", file.display()))?;

        let lost = database.lost();
        let engine = guest::engine(options.fuel_meter.is_some()).map_err(into_anyhow)?;
        let component = Component::from_file(&engine, &source)
            .and_then(|component| guest::link(&engine, &component))
            .map_err(into_anyhow)
            .with_context(|| format!("cannot use the component {}", source.display()))?;
        let limits = options.limits;
        let places = Arc::new(Semaphore::new(limits.instances()));
        Ok(Self {
            router: manifest.router.clone(),
            component: ProxyHandler::new(Instances {
                engine,
                component,
                environment: manifest.component.environment.clone().into_iter().collect(),
                allowed_hosts: Arc::new(variables.allowed_hosts().clone()),
                variables: Arc::new(variables),
                key_value: KeyValue {
                    database,
                    granted: Arc::new(manifest.component.key_value_stores.clone()),
                    observer: options.observer,
                    manner: options.store_manner,
                },
                limits: limits.clone(),
                log: options.log.clone(),
                fuel_meter: options.fuel_meter,
                places: places.clone(),
                stopping,
            }),
            places,
            turns: Arc::new(Semaphore::new(limits.requests)),
            large: Arc::new(Semaphore::new(limits.requests)),
            connections: Connections::new(
                limits.connections,
                limits.connections_per_client,
                options.log.clone(),
            ),
            lost,
            limits,
            log: options.log,
        })
    }

    /// Waits a moment for idle instances to end, so that nothing of the application is left when
    /// the server has stopped.
    async fn wait_for_instances(&self) {
        let all = u32::try_from(self.limits.instances()).unwrap_or(u32::MAX);
        let _ = timeout(self.limits.idle_time, self.places.acquire_many(all)).await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
        place: Arc<Place>,
    ) -> Response<WasiBody> {
        place.set(Phase::Receiving);
        let reader = Reader::of(&request);
        let response = match self.try_answer(request, client, &place).await {
            Ok(response) => response,
            Err(refusal) => reader.refuse(refusal),
        };
        response.map(|body| Guarded::new(body, Answering(place)).boxed_unsync())
    }

    async fn try_answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
        place: &Place,
    ) -> Result<Response<WasiBody>, Refusal> {
        let path = request.uri().path().to_owned();
        match path.strip_prefix(RESERVED) {
            Some("health") => return Ok(refusal::plain(StatusCode::OK, "OK").map(refusal::whole)),
            Some(_) => return Err(Refusal::NotFound),
            None => {}
        }
        let route = self.router.find(&path).ok_or(Refusal::NotFound)?;

        let (mut parts, body) = request.into_parts();
        let authority = request::authority(&parts.uri, &parts.headers).ok_or(Refusal::BadHost)?;
        parts.uri = request::absolute(parts.uri, authority).map_err(|_| Refusal::BadHost)?;
        if request::announced(&parts.headers).is_some_and(|length| length > MAX_BODY as u64) {
            request::discard(body, &parts.headers);
            return Err(Refusal::TooLarge);
        }
        request::append_spin_headers(&mut parts.headers, &parts.uri, route, client);

        let time = self.limits.request_time;
        let reading = request::read_ahead(body, self.limits.read_ahead, &self.large);
        let (body, large) = timeout(time, reading)
            .await
            .map_err(|_| Refusal::SlowRequest)?
            .map_err(|_| Refusal::BrokenRequest)?;
        place.set(Phase::Working);
        let permit = timeout(time, self.turns.clone().acquire_owned())
            .await
            .map_err(|_| Refusal::Busy)?
            .map_err(|_| Refusal::Busy)?;
        drop(large);
        self.ask(Request::from_parts(parts, body), permit).await
    }

    /// Hands a request to an instance.
    async fn ask(
        &self,
        request: Request<WasiBody>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<WasiBody>, Refusal> {
        let (under_way, answered) = oneshot::channel::<()>();
        let ticket = Ticket {
            answered,
            _permit: permit,
        };
        let asked = Instant::now();
        match self.component.handle(ticket, request).await {
            // It is under way until the body has been sent or the client is gone.
            Ok(response) => Ok(response.map(|body| Guarded::new(body, under_way).boxed_unsync())),
            Err(_) if asked.elapsed() >= self.limits.request_time => Err(Refusal::SlowComponent),
            // The instance's end is in the log already.
            Err(error) if error.is::<TrapOrPanicError>() => Err(Refusal::BrokenComponent),
            Err(error) => {
                self.log
                    .line(format_args!("the component failed to answer: {error:#}"));
                Err(Refusal::BrokenComponent)
            }
        }
    }
}

/// wasmtime's own conversion would be a feature of the whole of it.
fn into_anyhow(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}

/// Says, when the answer has been sent, that its connection waits for the next request.
struct Answering(Arc<Place>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Phase::Waiting);
    }
}

/// Accepts connections until told to stop, then waits for those that are at work.
async fn accept(
    listener: TcpListener,
    application: Arc<Application>,
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
                    place = application.connections.admit(client) => place,
                };
                if let Some(place) = place {
                    let (application, stopping) = (application.clone(), stopping.clone());
                    connections.spawn(serve(stream, client, place, application, stopping));
                }
            }
            // Most of these pass: a connection that was reset, or no file descriptor left.
            Err(error) => {
                application
                    .log
                    .line(format_args!("cannot accept a connection: {error}"));
                application.connections.end_one();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let finished = timeout(application.limits.stop_time, async {
        while connections.join_next().await.is_some() {}
    });
    if finished.await.is_err() {
        application.log.line(format_args!(
            "{} connections were still at work and are cut off",
            connections.len()
        ));
        connections.shutdown().await;
    }
    application.wait_for_instances().await;
}

/// Serves a connection until the client, an error or the end of the server closes it.
async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    place: Place,
    application: Arc<Application>,
    mut stopping: watch::Receiver<bool>,
) {
    let place = Arc::new(place);
    // With Nagle's algorithm a kept connection waits 40 ms for each answer.
    let _ = stream.set_nodelay(true);
    let request_time = application.limits.request_time;
    let served = Arc::clone(&place);
    let service = service_fn(move |request| {
        let (application, place) = (application.clone(), Arc::clone(&served));
        async move { Ok::<_, Infallible>(application.answer(request, client, place).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(request_time)
            .serve_connection(TokioIo::new(stream), service)
    );
    // What goes wrong here is the client's: a reset, a malformed request. Nobody is left to be
    // told.
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
