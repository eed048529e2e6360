//! The components behind the routes, each with instances of its own; and how one asks another.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use wasmtime_wasi_http::handler::{ProxyHandler, TrapOrPanicError};
use wasmtime_wasi_http::{Error as HttpError, WasiBody};

use super::guest::{Instances, Ticket};
use super::log::Log;
use super::outbound::{Asked, Neighbours};
use super::refusal::Refusal;
use super::request::{self, Guarded};
use super::routes::{Route, Router};

/// The instances of a component. Each component has its own, so that none waits for another.
pub(super) struct Pool {
    pub(super) handler: ProxyHandler<Instances>,
    /// One permit for each request that may be at the component.
    pub(super) turns: Arc<Semaphore>,
    /// One permit for each instance that may live.
    pub(super) places: Arc<Semaphore>,
}

/// The components, by their names.
pub(super) struct Pools {
    pools: OnceLock<BTreeMap<String, Pool>>,
    request_time: Duration,
    log: Log,
}

impl Pools {
    /// None yet: each gets a reference to all of them.
    pub(super) fn new(request_time: Duration, log: Log) -> Arc<Self> {
        Arc::new(Self {
            pools: OnceLock::new(),
            request_time,
            log,
        })
    }

    /// These, once and for all.
    pub(super) fn set(&self, pools: BTreeMap<String, Pool>) {
        let _ = self.pools.set(pools);
    }

    pub(super) fn get(&self, component: &str) -> Option<&Pool> {
        self.pools.get()?.get(component)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Pool> {
        self.pools.get().into_iter().flat_map(BTreeMap::values)
    }

    /// Hands a request to an instance.
    pub(super) async fn ask(
        &self,
        pool: &Pool,
        request: Request<WasiBody>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<WasiBody>, Refusal> {
        let (under_way, answered) = oneshot::channel::<()>();
        let ticket = Ticket {
            answered,
            _permit: permit,
        };
        let asked = Instant::now();
        match pool.handler.handle(ticket, request).await {
            // It is under way until the body has been sent or the client is gone.
            Ok(response) => Ok(response.map(|body| Guarded::new(body, under_way).boxed_unsync())),
            Err(_) if asked.elapsed() >= self.request_time => Err(Refusal::SlowComponent),
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

/// The other components, for one of them.
#[derive(Clone)]
pub(super) struct Others(Weak<Pools>);

impl Others {
    pub(super) fn of(pools: &Arc<Pools>) -> Self {
        Self(Arc::downgrade(pools))
    }
}

impl Neighbours for Others {
    fn ask(&self, component: String, request: Request<WasiBody>, time: Duration) -> Asked {
        Box::pin(self.clone().pass_on(component, request, time))
    }
}

impl Others {
    /// Asks a component, as Spin does: it gets the request regardless of the routes, and no client's
    /// address.
    async fn pass_on(
        self,
        component: String,
        mut request: Request<WasiBody>,
        time: Duration,
    ) -> Result<Response<WasiBody>, HttpError> {
        let pools = self.0.upgrade().ok_or(HttpError::DestinationUnavailable)?;
        let pool = pools
            .get(&component)
            .ok_or(HttpError::DestinationNotFound)?;
        let uri = request.uri().clone();
        let all = Route::parse("/...").map_err(|_| HttpError::DestinationNotFound)?;
        let router = Router::new(vec![(all, component.clone())]);
        let route = router
            .find(uri.path())
            .ok_or(HttpError::DestinationNotFound)?;
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        request::append_spin_headers(request.headers_mut(), &uri, route, nobody);
        let asking = async {
            let permit = pool.turns.clone().acquire_owned().await;
            let permit = permit.map_err(|_| HttpError::DestinationUnavailable)?;
            let answer = pools.ask(pool, request, permit).await;
            answer.map_err(|_| HttpError::ConnectionTerminated)
        };
        let answer = timeout(time, asking).await;
        answer.map_err(|_| HttpError::ConnectionReadTimeout)?
    }
}
