//! Instances of the component: their making, their rights, the time at which one takes a request, and
//! their end.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::Sleep;
use wasmtime::component::{Component, GuestTaskId, Linker, ResourceTable};
use wasmtime::{
    Config, Engine, Store, StoreContextMut, StoreLimits, StoreLimitsBuilder, UpdateDeadline,
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_http::{p2, p3};

use super::allowed_hosts::AllowedHosts;
use super::bindings;
use super::key_value::{HasKeyValue, KeyValue, KeyValueView};
use super::limits::Limits;
use super::log::{GuestOutput, Log};
use super::outbound::{Neighbours, Outbound};
use super::postgres::{Databases, DatabasesView, HasDatabases};
use super::variables::{HasVariables, Variables, VariablesView};

/// The interval at which a guest that computes gives way to others.
const TICK: Duration = Duration::from_millis(10);

/// The parts of one instance.
pub(super) struct Guest {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    table: ResourceTable,
    limits: StoreLimits,
    variables: Arc<Variables>,
    key_value: KeyValue,
    databases: Databases,
    _place: OwnedSemaphorePermit,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outbound,
        }
    }
}

/// A function that is told the fuel that an instance has used in its life: about an instruction of Wasm
/// each, which is the same on every machine.
pub type FuelMeter = Arc<dyn Fn(u64) + Send + Sync>;

/// The fuel that an instance is given, where it is counted: more than it can.
const FUEL: u64 = u64::MAX;

/// An engine for the component, with the compiled code kept in wasmtime's cache where that is
/// possible.
pub(super) fn engine(count_fuel: bool) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .consume_fuel(count_fuel)
        .cache(wasmtime::Cache::from_file(None).ok());
    let engine = Engine::new(&config)?;
    let ticking = engine.weak();
    std::thread::Builder::new()
        .name("epoch-ticker".to_owned())
        .spawn(move || {
            while let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
    Ok(engine)
}

/// Links the component with the host's functions.
pub(super) fn link(engine: &Engine, component: &Component) -> wasmtime::Result<ProxyPre<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    p2::add_only_http_to_linker_async(&mut linker)?;
    p3::add_to_linker(&mut linker)?;
    bindings::spin::variables::variables::add_to_linker::<_, HasVariables>(
        &mut linker,
        |guest: &mut Guest| VariablesView(&guest.variables),
    )?;
    let key_value: fn(&mut Guest) -> KeyValueView<'_> = |guest| KeyValueView {
        stores: &guest.key_value,
        table: &mut guest.table,
    };
    bindings::wasi::keyvalue::store::add_to_linker::<_, HasKeyValue>(&mut linker, key_value)?;
    bindings::wasi::keyvalue::batch::add_to_linker::<_, HasKeyValue>(&mut linker, key_value)?;
    bindings::wasi::keyvalue::atomics::add_to_linker::<_, HasKeyValue>(&mut linker, key_value)?;

    bindings::spin::postgres::postgres::add_to_linker::<_, HasDatabases>(
        &mut linker,
        |guest: &mut Guest| DatabasesView {
            databases: &guest.databases,
            table: &mut guest.table,
        },
    )?;

    let pre = linker.instantiate_pre(component)?;
    match p3::bindings::ServicePre::new(pre.clone()) {
        Ok(service) => Ok(ProxyPre::P3(service)),
        Err(_) => Ok(ProxyPre::P2(p2::bindings::ProxyPre::new(pre)?)),
    }
}

/// Makes instances.
pub(super) struct Instances {
    pub(super) engine: Engine,
    pub(super) component: ProxyPre<Guest>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) variables: Arc<Variables>,
    pub(super) key_value: KeyValue,
    pub(super) databases: Databases,
    pub(super) others: Arc<dyn Neighbours>,
    pub(super) allowed_hosts: Arc<AllowedHosts>,
    pub(super) limits: Limits,
    pub(super) log: Log,
    pub(super) fuel_meter: Option<FuelMeter>,
    /// One permit for each instance that may live.
    pub(super) places: Arc<Semaphore>,
    /// Becomes true when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
}

impl HandlerState for Instances {
    type StoreData = Guest;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, Expiration, Worker>> {
        let place = self.places.clone().acquire_owned().await?;
        let output = GuestOutput::new(self.log.clone());
        let guest = Guest {
            wasi: WasiCtxBuilder::new()
                .stdout(output.clone())
                .stderr(output)
                .envs(&self.environment)
                .allow_tcp(false)
                .allow_udp(false)
                .build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound {
                allowed: self.allowed_hosts.clone(),
                others: Arc::clone(&self.others),
                log: self.log.clone(),
                time: self.limits.request_time,
            },
            table: ResourceTable::new(),
            limits: StoreLimitsBuilder::new()
                .memory_size(self.limits.memory)
                .build(),
            variables: self.variables.clone(),
            key_value: self.key_value.clone(),
            databases: self.databases.clone(),
            _place: place,
        };
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.limits);
        if self.fuel_meter.is_some() {
            store.set_fuel(FUEL)?;
        }
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));

        let proxy = self.component.instantiate_async(&mut store).await?;
        let under_way = UnderWay::default();
        let mut stopping = self.stopping.clone();
        Ok(Instance {
            store,
            proxy,
            view: WasiHttpView::http,
            expiration: Expiration {
                limits: self.limits.clone(),
                under_way: under_way.clone(),
                sleep: Box::pin(tokio::time::sleep(self.limits.idle_time)),
                stop: Box::pin(async move {
                    let _ = stopping.wait_for(|stop| *stop).await;
                }),
            },
            state: Worker {
                requests: self.limits.requests_per_instance,
                at_once: self.limits.requests_at_once_per_instance,
                under_way,
                log: self.log.clone(),
                fuel_meter: self.fuel_meter.clone(),
                stopping: self.stopping.clone(),
            },
        })
    }
}

/// A ticket that goes with a request to the instance that takes it.
pub(super) struct Ticket {
    /// Ends when the answer has been sent or given up: the server holds the other half.
    pub(super) answered: oneshot::Receiver<()>,
    /// One of the requests that may be at the component. It is given back when the instance can
    /// take the next request, not before: a request that came in between would find no instance
    /// free and have another one made.
    pub(super) _permit: OwnedSemaphorePermit,
}

/// The requests an instance is at, each until its answer has been sent.
///
/// `ProxyHandler` counts a request as done when the guest returns the response's head; the body may
/// still be coming. A panic in the next request would cut it off, so it counts until then.
#[derive(Clone, Default)]
struct UnderWay(Arc<Mutex<Vec<Ticket>>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, Vec<Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, ticket: Ticket) {
        self.lock().push(ticket);
    }

    fn count(&self) -> usize {
        let mut tickets = self.lock();
        tickets.retain_mut(|ticket| ticket.answered.try_recv() == Err(TryRecvError::Empty));
        tickets.len()
    }

    /// Wakes the task when one of them ends.
    fn watch(&self, cx: &mut Context<'_>) {
        let mut tickets = self.lock();
        let before = tickets.len();
        tickets.retain_mut(|ticket| Pin::new(&mut ticket.answered).poll(cx).is_pending());
        if tickets.len() < before {
            cx.waker().wake_by_ref();
        }
    }
}

/// Decides which requests an instance takes: so many at once, up to a number in all.
pub(super) struct Worker {
    requests: usize,
    at_once: usize,
    under_way: UnderWay,
    log: Log,
    fuel_meter: Option<FuelMeter>,
    stopping: watch::Receiver<bool>,
}

/// The error of wasmtime for a worker that was dropped before its end. It says that the worker has panicked,
/// which is not so where the runtime ends with the server.
const DROPPED: &str = "worker panicked";

impl WorkerState for Worker {
    type StoreData = Guest;
    type RequestData = Ticket;

    fn should_accept_request(&self, at_once: usize, in_all: usize) -> ShouldAccept {
        if in_all >= self.requests {
            ShouldAccept::Never
        } else if at_once.max(self.under_way.count()) < self.at_once {
            ShouldAccept::Yes
        } else {
            ShouldAccept::No
        }
    }

    /// The time of a request is kept by [`Expiration`] alone, which also works while the guest
    /// computes.
    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Guest>,
        ticket: Ticket,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        self.under_way.begin(ticket);
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<Guest>, result: wasmtime::Result<()>) {
        if let Some(meter) = &self.fuel_meter
            && let Ok(left) = store.get_fuel()
        {
            meter(FUEL - left);
        }
        // The last line of the guest comes before the notice about its end.
        drop(store);
        if let Err(error) = result {
            // The server has told how many it cuts off.
            if *self.stopping.borrow() && error.to_string() == DROPPED {
                return;
            }
            self.log.line(format_args!(
                "an instance of the component ended: {error:#}"
            ));
        }
    }
}

/// Decides when an instance ends.
pub(super) struct Expiration {
    limits: Limits,
    under_way: UnderWay,
    sleep: Pin<Box<Sleep>>,
    stop: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        self.under_way.watch(cx);
        if status == WorkerStatus::Idle && self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let time = match status {
            WorkerStatus::Idle => self.limits.idle_time,
            WorkerStatus::Requests => self.limits.request_time,
            WorkerStatus::PostReturn => self.limits.answer_time,
        };
        let deadline = tokio::time::Instant::from_std(since + time);
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}
