//! The HTTP server in front of the component.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use listener::Running;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use wasmtime::component::Component;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ProxyHandler;

use super::connections::{Connections, Phase, Place};
use super::guest::{self, Instances};
use super::key_value::{Database, Engine, Error as KeyValueError, KeyValue, Redis};
use super::limits::Limits;
use super::log::Log;
use super::manifest::{self, Manifest};
use super::options::Options;
use super::pools::{Others, Pool, Pools};
use super::postgres::{self, Databases};
use super::refusal::{self, Refusal, Refusals};
use super::request::{self, Guarded};
use super::routes::Router;
use super::store::Store;
use super::variables::Variables;

/// The folder of Spin for its own runtime.
const RESERVED: &str = "/.well-known/spin/";

/// The file of the key-value stores within the state folder, by Spin's name for it.
pub const KEY_VALUE_FILE: &str = "sqlite_key_value.db";

/// A running server. Dropping it cuts off the requests under way; [`stop`](Self::stop) does not.
#[derive(Debug)]
pub struct Server {
    running: Running,
    lost: watch::Receiver<Option<KeyValueError>>,
}

impl Server {
    /// Reads the manifest, settles the variables, opens the store, compiles the components and
    /// listens. Returns when requests are answered.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let manifest = Manifest::load(&options.manifest)?;
        let environment = |name: &str| options.environment.get(name);
        let variables = Variables::resolve(&manifest, &options.variables, environment)?;
        for name in variables
            .values()
            .flat_map(Variables::left_out)
            .collect::<BTreeSet<_>>()
        {
            options.log.line(format_args!(
                "warning: the variable {name} names no host as scheme://host[:port]: requests that it was to allow are not sent"
            ));
        }
        let (listen, log) = (options.listen, options.log.clone());
        let redis = match &options.store {
            Store::Redis(url) => Some(Redis::new(url)?),
            _ => None,
        };
        let (stop, stopping) = watch::channel(false);
        let for_instances = stopping.clone();
        let application = tokio::task::spawn_blocking(move || {
            Application::load(&manifest, variables, options, for_instances)
        })
        .await
        .context("the application could not be loaded")??;

        if let Some(redis) = redis {
            tell_weaknesses(&redis, &log).await;
        }
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}: choose another address with `--listen`")
        })?;
        let lost = application.lost.clone();
        Ok(Self {
            running: listener::serve(listener, Arc::new(application), stop)?,
            lost,
        })
    }

    /// The address that it listens at.
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// Its address as a URL, without a slash at the end.
    pub fn url(&self) -> String {
        self.running.url()
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
    pub async fn stop(self) -> anyhow::Result<()> {
        self.running.stop().await.context("the server failed")
    }
}

/// The application that is served: routes and the components behind them.
struct Application {
    router: Router,
    pools: Arc<Pools>,
    /// One permit for each large body that may be in memory and wait for its turn.
    large: Arc<Semaphore>,
    connections: Connections,
    refusals: Refusals,
    lost: watch::Receiver<Option<KeyValueError>>,
    limits: Limits,
    log: Log,
}

impl Application {
    fn load(
        manifest: &Manifest,
        mut variables: BTreeMap<String, Variables>,
        options: Options,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let file = |component: &manifest::Component| {
            let own = manifest.component_path(component);
            match (&options.components, own.file_name()) {
                (Some(folder), Some(name)) => folder.join(name),
                _ => own,
            }
        };
        let missing = manifest.components.values().map(file);
        if let Some(missing) = missing.into_iter().find(|file| !file.is_file()) {
            bail!(
                "there is no component at {}, where the manifest says it is: take it from the release, or build it, as `mpay up` does in the project's folder",
                missing.display()
            );
        }
        let key_values = match &options.store {
            Store::Redis(url) => Engine::Redis(Redis::new(url)?),
            store => {
                let file = match (store, &options.state_dir) {
                    (Store::File(file), _) => file.clone(),
                    (_, Some(state_dir)) => state_dir.join(KEY_VALUE_FILE),
                    (_, None) => manifest.default_state_dir().join(KEY_VALUE_FILE),
                };
                Engine::Sqlite(Database::open(&file).with_context(|| {
                    format!("cannot open the key-value store {}", file.display())
                })?)
            }
        };
        let lost = key_values.lost();
        let engine = guest::engine(options.fuel_meter.is_some()).map_err(into_anyhow)?;
        let limits = options.limits.clone();
        let all = Pools::new(limits.request_time, options.log.clone());
        let databases = postgres::Pools::default();
        let mut pools = BTreeMap::new();
        for (id, component) in &manifest.components {
            let source = file(component);
            let linked = Component::from_file(&engine, &source)
                .and_then(|component| guest::link(&engine, &component))
                .map_err(into_anyhow)
                .with_context(|| format!("cannot use the component {}", source.display()))?;
            let variables = variables
                .remove(id)
                .with_context(|| format!("the component {id} has no variables"))?;
            let places = Arc::new(Semaphore::new(limits.instances()));
            let allowed_hosts = Arc::new(variables.allowed_hosts().clone());
            let instances = Instances {
                engine: engine.clone(),
                component: linked,
                environment: component.environment.clone().into_iter().collect(),
                others: Arc::new(Others::of(&all)),
                databases: Databases {
                    pools: databases.clone(),
                    allowed: Arc::clone(&allowed_hosts),
                    log: options.log.clone(),
                },
                allowed_hosts,
                variables: Arc::new(variables),
                key_value: KeyValue {
                    engine: key_values.clone(),
                    granted: Arc::new(component.key_value_stores.clone()),
                    observer: options.observer.clone(),
                    manner: options.store_manner,
                },
                limits: limits.clone(),
                log: options.log.clone(),
                fuel_meter: options.fuel_meter.clone(),
                places: places.clone(),
                stopping: stopping.clone(),
            };
            let pool = Pool {
                handler: ProxyHandler::new(instances),
                turns: Arc::new(Semaphore::new(limits.requests)),
                places,
            };
            pools.insert(id.clone(), pool);
        }
        all.set(pools);
        Ok(Self {
            router: manifest.router.clone(),
            pools: all,
            large: Arc::new(Semaphore::new(limits.requests)),
            connections: Connections::new(
                limits.connections,
                limits.connections_per_client,
                options.log.clone(),
            ),
            refusals: options.refusals,
            lost,
            limits,
            log: options.log,
        })
    }

    /// Waits a moment for idle instances to end, so that nothing of the application is left when
    /// the server has stopped.
    async fn wait_for_instances(&self) {
        let all = u32::try_from(self.limits.instances()).unwrap_or(u32::MAX);
        let ended = async {
            for pool in self.pools.all() {
                let _ = pool.places.acquire_many(all).await;
            }
        };
        let _ = timeout(self.limits.idle_time, ended).await;
    }

    async fn try_answer(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Result<Response<WasiBody>, Refusal> {
        let path = request.uri().path().to_owned();
        match path.strip_prefix(RESERVED) {
            Some("health") => return Ok(refusal::line(StatusCode::OK, "OK").map(whole)),
            Some(_) => return Err(Refusal::NotFound),
            None => {}
        }
        let route = self.router.find(&path).ok_or(Refusal::NotFound)?;
        let pool = self.pools.get(route.component());
        let pool = pool.ok_or(Refusal::NotFound)?;

        let (mut parts, body) = request.into_parts();
        let authority = request::authority(&parts, connection.local).ok_or(Refusal::BadHost)?;
        parts.uri = request::absolute(parts.uri, authority).map_err(|_| Refusal::BadHost)?;
        let most = self.limits.body;
        if request::announced(&parts.headers).is_some_and(|length| length > most as u64) {
            request::discard(body, &parts.headers);
            return Err(Refusal::TooLarge { most });
        }
        request::append_spin_headers(&mut parts.headers, &parts.uri, route, connection.client);

        let time = self.limits.request_time;
        let reading = request::read_ahead(body, self.limits.read_ahead, &self.large);
        let (body, large) = timeout(time, reading)
            .await
            .map_err(|_| Refusal::SlowRequest)?
            .map_err(|_| Refusal::BrokenRequest)?;
        connection.place.set(Phase::Working);
        let permit = timeout(time, pool.turns.clone().acquire_owned())
            .await
            .map_err(|_| Refusal::Busy)?
            .map_err(|_| Refusal::Busy)?;
        drop(large);
        self.pools
            .ask(pool, Request::from_parts(parts, body), permit)
            .await
    }
}

/// Logs the mistakes in the settings of a Redis. The server may come up later, and calls are errors until
/// then.
async fn tell_weaknesses(redis: &Redis, log: &Log) {
    match redis.weaknesses().await {
        Ok(found) => found
            .iter()
            .for_each(|weakness| log.line(format_args!("warning: {weakness}"))),
        Err(error) => log.line(format_args!(
            "warning: the key-value store does not answer: {error}"
        )),
    }
}

/// wasmtime's own conversion would be a feature of the whole of it.
fn into_anyhow(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}

/// A connection that is open.
struct Connection {
    client: SocketAddr,
    /// The address at which it was accepted.
    local: SocketAddr,
    place: Place,
}

impl listener::Place for Connection {
    async fn ended(&self) {
        self.place.ended().await;
    }
}

impl listener::Application for Application {
    type Place = Connection;
    type Body = WasiBody;

    fn header_time(&self) -> Duration {
        self.limits.request_time
    }

    fn stop_time(&self) -> Duration {
        self.limits.stop_time
    }

    async fn admit(&self, stream: &TcpStream, client: SocketAddr) -> Option<Connection> {
        let local = stream.local_addr().ok()?;
        let place = self.connections.admit(client).await?;
        Some(Connection {
            client,
            local,
            place,
        })
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Arc<Connection>,
    ) -> Response<WasiBody> {
        connection.place.set(Phase::Receiving);
        let refuse = (self.refusals)(request.method(), request.uri(), request.headers());
        let response = match self.try_answer(request, connection).await {
            Ok(response) => response,
            Err(refusal) => refuse(refusal).map(whole),
        };
        let answering = Answering(Arc::clone(connection));
        response.map(|body| Guarded::new(body, answering).boxed_unsync())
    }

    fn not_accepted(&self, error: io::Error) {
        self.log
            .line(format_args!("cannot accept a connection: {error}"));
        self.connections.end_one();
    }

    async fn stopped(&self, cut_off: usize) {
        if cut_off > 0 {
            self.log.line(format_args!(
                "{cut_off} connections were still at work and were cut off"
            ));
        }
        self.wait_for_instances().await;
    }
}

/// Says, when the answer has been sent, that its connection waits for the next request.
struct Answering(Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.place.set(Phase::Waiting);
    }
}

/// A body that is there already.
fn whole(body: Bytes) -> WasiBody {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}
