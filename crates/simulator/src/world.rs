//! The world of a run: time, chance, the store, the hosts, and the knowledge of the actors.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use jiff::Timestamp;
use mpay_door::{Configuration as _, config::Unread, current::Current, http::TIME};
use mpay_ledger::Ledger;
use mpay_notify::Outcome;
use mpay_office::config::Config as OfficeConfig;
use mpay_provider::config::Config as ProviderConfig;

use crate::{
    audit::Audit,
    cards::{self, Cards},
    clock::Clock,
    configuration::Configuration,
    engine::{Broken, Engine, Kind, Weather},
    executor::{Executor, Group, Micros, OUTSIDE, Slot},
    history::History,
    platform,
    profile::Profile,
    random::{HOUR, MINUTE, Random, SECOND},
    trace::Trace,
    webhook::Told,
};

/// A host, by its position among the hosts of the run.
pub type HostId = usize;

/// A call of the store.
#[derive(Debug, Clone)]
pub enum Call {
    /// Reads keys.
    Get(Vec<String>),
    /// Writes a batch.
    Set(Vec<(String, Vec<u8>)>),
    /// Adds to a counter.
    Count(String, u64),
}

/// The answer of the store to a call.
#[derive(Debug)]
pub enum Reply {
    /// The values of those keys that have one.
    Values(HashMap<String, Vec<u8>>),
    /// The batch is written.
    Done,
    /// The new value of the counter.
    Count(u64),
}

type Answered = Slot<Result<Reply, String>>;

/// A host: a machine that runs the provider and can die.
pub struct Host {
    /// The group of the tasks of its present life.
    pub group: Group,
    /// The state that its instance keeps between requests; `None` while it is down.
    pub instance: Option<Rc<Doors>>,
    /// True while it is stopped.
    pub frozen: bool,
    /// Its wall clock.
    pub clock: Clock,
    /// Its configuration.
    pub configuration: Configuration,
    /// Number of changes of its variables.
    changes: u64,
    /// The readings of its variables that are not over.
    readings: Vec<Reading>,
    /// For each door: true if it has read all variables, from the first to the last, since they were
    /// changed.
    has_read: [bool; 2],
}

impl Host {
    /// True if its variables may be changed: both doors have read them since the last change, and no
    /// reading from before is still going on.
    pub fn may_change(&self) -> bool {
        let mut readings = self.readings.iter();
        self.has_read == [true; 2] && readings.all(|reading| reading.change == self.changes)
    }
}

/// A door of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// MPay's.
    Provider,
    /// The people's.
    Office,
}

impl Door {
    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Provider => ProviderConfig::VARIABLES,
            Self::Office => OfficeConfig::VARIABLES,
        }
    }
}

/// A reading of a door's variables that is not over: its reader, and the number of changes before it
/// began.
#[derive(Debug, Clone, Copy)]
struct Reading {
    reader: u64,
    change: u64,
}

/// The state that the two doors of a host keep between requests.
pub struct Doors {
    provider: Current<ProviderConfig>,
    office: Current<OfficeConfig>,
}

impl Doors {
    fn new(random: [u64; 8]) -> Self {
        Self {
            provider: Current::new(random),
            office: Current::new(random),
        }
    }
}

/// The answer that a client gets to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An answer.
    Response(http::response::Parts, Bytes),
    /// The connection broke, or nothing came in time. The request may have been carried out, or may be
    /// later.
    Nothing,
}

impl Answer {
    /// The status; 0 for no answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Response(parts, _) => parts.status.as_u16(),
            Self::Nothing => 0,
        }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Response(_, body) => body,
            Self::Nothing => b"",
        }
    }

    /// The value of a header; `None` if there is none.
    pub fn header(&self, name: &str) -> Option<String> {
        let Self::Response(parts, _) = self else {
            return None;
        };
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    }

    /// The body as JSON, or null.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.body()).unwrap_or_default()
    }
}

/// The world of a run.
pub struct World {
    /// Time and tasks.
    pub executor: Rc<Executor>,
    /// Chance.
    pub random: Random,
    /// The trace of the run.
    pub trace: Trace,
    /// The store.
    pub engine: RefCell<Engine>,
    /// The faults of the store.
    pub weather: RefCell<Weather>,
    /// The check that the store answers as a store must.
    pub audit: RefCell<Audit>,
    /// The hosts.
    pub hosts: RefCell<Vec<Host>>,
    /// The card gateway, to which hosts send nothing unless the profile has it.
    pub cards: RefCell<Cards>,
    /// The messages that the receivers of webhooks have got.
    pub told: RefCell<Told>,
    /// The requests of the actors, and the answers to them.
    pub history: RefCell<History>,
    /// Requests sent.
    pub operations: Cell<u64>,
    /// True at the end of the run, when everything works.
    pub peace: Cell<bool>,
    calls: Cell<u64>,
    lives: Cell<u32>,
    disk_full_until: Cell<Micros>,
    /// The probability that a variable cannot be read.
    pub unreadable: Cell<f64>,
    /// The configurations that hosts have had.
    pub configured: RefCell<Vec<Configuration>>,
    /// The longest time that the reading of a variable takes.
    pub slow_variables: Cell<Micros>,
    readers: Cell<u64>,
    /// The profile of the run.
    pub profile: Cell<Profile>,
    /// The probability that a host dies just after an answer.
    pub strikes: Cell<f64>,
    /// The time by which the run begins later than others.
    pub begins: Cell<Micros>,
}

impl World {
    /// A world with a store and no hosts.
    pub fn new(seed: u64, kind: Kind, weather: Weather, keeps_lines: bool) -> Rc<Self> {
        Rc::new(Self {
            executor: Rc::default(),
            random: Random::new(seed),
            trace: Trace::new(keeps_lines),
            engine: RefCell::new(Engine::new(kind)),
            weather: RefCell::new(weather),
            audit: RefCell::default(),
            hosts: RefCell::default(),
            cards: RefCell::default(),
            told: RefCell::default(),
            history: RefCell::default(),
            operations: Cell::new(0),
            peace: Cell::new(false),
            calls: Cell::new(0),
            lives: Cell::new(OUTSIDE.0),
            disk_full_until: Cell::new(0),
            unreadable: Cell::new(0.0),
            configured: RefCell::default(),
            slow_variables: Cell::new(0),
            readers: Cell::new(0),
            profile: Cell::new(Profile::Usual),
            strikes: Cell::new(0.0),
            begins: Cell::new(0),
        })
    }

    /// The time.
    pub fn now(&self) -> Micros {
        self.executor.now()
    }

    /// Waits.
    pub async fn sleep(&self, micros: Micros) {
        self.executor.sleep_micros(micros).await;
    }

    /// Adds a host, which runs.
    pub fn add_host(&self, clock: Clock, configuration: Configuration) -> HostId {
        self.hosts.borrow_mut().push(Host {
            group: OUTSIDE,
            instance: None,
            frozen: false,
            clock,
            configuration,
            changes: 0,
            readings: Vec::new(),
            has_read: Default::default(),
        });
        self.configured.borrow_mut().push(configuration);
        let id = self.hosts.borrow().len() - 1;
        self.start(id);
        id
    }

    /// Starts a host that is down: a new life, and a new instance.
    pub fn start(&self, id: HostId) {
        match self.hosts.borrow_mut().get_mut(id) {
            Some(host) if host.instance.is_none() => {
                self.lives.set(self.lives.get() + 1);
                let random = std::array::from_fn(|_| self.random.number());
                host.instance = Some(Rc::new(Doors::new(random)));
                host.group = Group(self.lives.get());
                host.frozen = false;
            }
            _ => return,
        }
        self.trace
            .note(self.now(), (1, id), || format!("host {id} starts"));
    }

    /// Kills a host, wherever it is in its work. Calls that it has sent to the store may still take
    /// effect.
    pub fn kill(&self, id: HostId) {
        let (group, instance) = match self.hosts.borrow_mut().get_mut(id) {
            Some(host) => {
                let group = std::mem::replace(&mut host.group, OUTSIDE);
                (group, host.instance.take())
            }
            None => return,
        };
        if instance.is_none() {
            return;
        }
        self.trace
            .note(self.now(), (2, id), || format!("host {id} is killed"));
        self.executor.kill(group);
        drop(instance);
    }

    /// Sometimes kills a host that has just answered, to lose the work that it leaves for after its
    /// answer.
    fn strike(self: &Rc<Self>, id: HostId) {
        if self.peace.get() || !self.random.happens(self.strikes.get()) {
            return;
        }
        let (soon, down) = (
            self.random.scaled(1, 20_000),
            self.random.scaled(100_000, 20 * SECOND),
        );
        let (killer, starter) = (Rc::clone(self), Rc::clone(self));
        self.executor.after(soon, move || {
            if !killer.peace.get() {
                killer.kill(id);
            }
        });
        self.executor.after(soon + down, move || starter.start(id));
    }

    /// Stops a host where it is, as by SIGSTOP.
    pub fn freeze(&self, id: HostId) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(id)
            && host.instance.is_some()
            && !host.frozen
        {
            host.frozen = true;
            self.executor.freeze(host.group);
            self.trace
                .note(self.now(), (3, id), || format!("host {id} is stopped"));
        }
    }

    /// Lets a stopped host go on.
    pub fn thaw(&self, id: HostId) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(id)
            && host.frozen
        {
            host.frozen = false;
            self.executor.thaw(host.group);
            self.trace
                .note(self.now(), (4, id), || format!("host {id} goes on"));
        }
    }

    /// Sets a host's clock.
    pub fn set_clock(&self, id: HostId, clock: Clock) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(id) {
            host.clock = clock;
            let shows = clock.shows(self.now() + self.begins.get());
            self.trace.note(self.now(), (5, id), || {
                format!("host {id}: the clock is set to {shows}")
            });
        }
    }

    /// Gives a host another configuration.
    pub fn configure(&self, id: HostId, configuration: Configuration) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(id) {
            if host.configuration != configuration {
                host.changes += 1;
                host.has_read = Default::default();
            }
            host.configuration = configuration;
            self.configured.borrow_mut().push(configuration);
            self.trace.note(self.now(), (6, id), || {
                format!("host {id}: configured as {configuration:?}")
            });
        }
    }

    /// Reads a variable of a host. Sometimes it cannot be read, or comes late.
    pub async fn variable(
        &self,
        id: HostId,
        door: Door,
        reader: u64,
        name: &'static str,
    ) -> Result<String, Unread> {
        let unreadable = self.unreadable.get();
        if unreadable > 0.0 && !self.peace.get() {
            if self.random.happens(unreadable) {
                self.trace.note(self.now(), (14, id), || {
                    format!("        host {id} cannot read {name}")
                });
                return Err(Unread::Failed("unreachable".to_owned()));
            }
            if self.random.happens(unreadable) {
                self.sleep(self.random.scaled(1_000, 8 * SECOND)).await;
            }
        }
        let slow = self.slow_variables.get();
        if slow > 0 && !self.peace.get() {
            self.sleep(self.random.scaled(200, slow)).await;
        }
        let mut hosts = self.hosts.borrow_mut();
        let Some(host) = hosts.get_mut(id) else {
            return Ok(String::new());
        };
        let names = door.variables();
        if names.first() == Some(&name) {
            host.readings.retain(|reading| reading.reader != reader);
            let change = host.changes;
            host.readings.push(Reading { reader, change });
        } else if names.last() == Some(&name)
            && let Some(position) = host.readings.iter().position(|it| it.reader == reader)
        {
            let reading = host.readings.remove(position);
            host.has_read[door as usize] |= reading.change == host.changes;
        }
        let of_cards = cards::variable(name).filter(|_| self.profile.get() == Profile::Cards);
        Ok(of_cards.map_or_else(|| host.configuration.text(name), str::to_owned))
    }

    /// A new reader of variables.
    pub fn reader(&self) -> u64 {
        self.readers.set(self.readers.get() + 1);
        self.readers.get()
    }

    /// Notes that a reader of a host's variables is gone, with or without having read the last one.
    pub fn end_reader(&self, id: HostId, reader: u64) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(id) {
            host.readings.retain(|reading| reading.reader != reader);
        }
    }

    /// The time of a host's monotonic clock, which nobody sets, since an unknown moment.
    pub fn monotonic_of(&self, id: HostId) -> Duration {
        let since_start = u64::try_from(id).unwrap_or(0) * HOUR;
        Duration::from_micros(self.now() + since_start)
    }

    /// The time that a host's wall clock shows.
    pub fn clock_of(&self, id: HostId) -> Timestamp {
        let hosts = self.hosts.borrow();
        let clock = hosts.get(id).map_or(Clock::RIGHT, |host| host.clock);
        clock.shows(self.now() + self.begins.get())
    }

    /// A host by chance, up or down, since clients do not know which are up.
    pub fn some_host(&self) -> HostId {
        let hosts = self.hosts.borrow().len();
        self.random.below(hosts)
    }

    /// Sends a request to a host, and gives the answer that the client gets within `patience`.
    pub async fn request(
        self: &Rc<Self>,
        id: HostId,
        request: Request<Bytes>,
        patience: Micros,
    ) -> Answer {
        self.operations.set(self.operations.get() + 1);
        let number = self.operations.get();
        let method = request.method().clone();
        let path = request.uri().clone();
        self.trace.note(self.now(), (7, id, number), || {
            let body = String::from_utf8_lossy(request.body());
            let body = message_for_people(&body);
            format!("#{number} → host {id}: {method} {path} {body}")
        });
        self.sleep(self.network()).await;
        let answered = Slot::new(&self.executor);
        self.accept(id, number, request, answered.clone());
        let patience = Duration::from_micros(patience);
        let answer = answered.wait_for(patience).await.unwrap_or(Answer::Nothing);
        self.trace
            .note(self.now(), (8, number, answer.status()), || {
                let body = String::from_utf8_lossy(answer.body()).into_owned();
                let body = message_for_people(&body);
                format!("#{number} ← host {id}: {} {body}", answer.status())
            });
        answer
    }

    /// Notes a finding if an answer has status 500.
    pub fn fail_on_500(&self, what: &str, answer: &Answer) {
        if answer.status() == 500 {
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            let mut history = self.history.borrow_mut();
            history.find("the provider failed", what, format!("{what}: {body}"));
        }
    }

    /// A time that a message takes between a client and a host.
    fn network(&self) -> Micros {
        self.random.scaled(200, 40_000)
    }

    /// Lets a host accept a request and answer it.
    fn accept(
        self: &Rc<Self>,
        id: HostId,
        number: u64,
        request: Request<Bytes>,
        answered: Slot<Answer>,
    ) {
        let (group, instance) = match self.hosts.borrow().get(id) {
            Some(Host {
                group,
                instance: Some(instance),
                ..
            }) => (*group, Rc::clone(instance)),
            _ => return answered.fill(Answer::Nothing),
        };
        let connection = Connection(answered, Cell::new(false));
        let world = Rc::clone(self);
        self.executor.spawn(group, async move {
            // As `entry.rs` of either door does it.
            let is_office = {
                let path = request.uri().path();
                path.starts_with("/api/")
                    || path.starts_with("/cards/")
                    || path == mpay_office::service::HEALTH
            };
            let door = if is_office {
                Door::Office
            } else {
                Door::Provider
            };
            let host = platform::Variables::new(&world, id, door);
            let late = world.executor.sleep(TIME);
            let store = Ledger::new(platform::Host::new(&world, id));
            let request = request.map(Full::new);
            if is_office {
                let app = instance.office.app(&host, store.now()).await;
                let answer = mpay_office::service::handle_until(&app, &store, request, late).await;
                connection.answer(&world, answer);
                world.strike(id);
                return;
            }
            let app = instance.provider.app(&host, store.now()).await;
            let answer = mpay_provider::service::handle_until(&app, &store, request, late);
            let mut response = answer.await;
            let outcome = response.extensions_mut().remove::<Outcome>();
            world.trace.say(|| {
                format!(
                    "#{number}   host {id} answers {}",
                    response.status().as_u16()
                )
            });
            connection.answer(&world, response);
            world.strike(id);
            if let Some(outcome) = outcome
                && let Ok(config) = &app.config
                && let Some(notifier) = config.notifier(&app, &store)
            {
                notifier.follow_up(outcome).await;
            }
        });
    }

    /// Sends a call to the store, and gives the slot in which its answer will be.
    pub fn submit(self: &Rc<Self>, id: HostId, call: Call) -> Answered {
        self.calls.set(self.calls.get() + 1);
        let number = self.calls.get();
        self.trace.note(self.now(), (9, id, number), || {
            format!("        host {id} call {number}: {}", describe(&call))
        });
        self.audit.borrow_mut().called(number, &call);
        let answered = Slot::new(&self.executor);
        let weather = match self.peace.get() {
            true => Weather::FAIR,
            false => self.weather.borrow().clone(),
        };
        let random = &self.random;
        let latency = random.scaled(60, 6_000);
        let way_back = random.scaled(30, 1_000);
        // Most calls that a host has sent before it died take effect all the same.
        let survives = random.happens(0.7);
        let writes = matches!(call, Call::Set(_) | Call::Count(..));
        if writes && self.disk_is_full(&weather) {
            self.fail(number, &answered, latency, "the disk is full");
            return answered;
        }
        if random.happens(weather.fail_before) {
            let reason = match self.engine.borrow().kind {
                Kind::Sqlite => "database is locked",
                Kind::Redis | Kind::Postgres => "connection refused",
            };
            self.fail(number, &answered, latency, reason);
            return answered;
        }
        let stall = random.scaled(100_000, weather.longest_stall);
        let latency = latency
            + if random.happens(weather.stall) {
                stall
            } else {
                0
            };
        let delay = random.scaled(1_000, weather.latest);
        let effect = if random.happens(weather.late) {
            self.fail(number, &answered, latency, "timed out");
            Effect::unanswered(latency + delay)
        } else if random.happens(weather.fail_after) {
            self.fail(number, &answered, latency + way_back, "connection lost");
            Effect::unanswered(latency)
        } else {
            Effect {
                after: latency,
                answer: Some((answered.clone(), way_back)),
            }
        };
        let life = self.life_of(id);
        let call = Sent {
            host: id,
            life,
            survives,
            number,
            call,
        };
        self.take_effect(call, effect, weather.broken);
        answered
    }

    /// True if writes fail now because the disk is full.
    fn disk_is_full(&self, weather: &Weather) -> bool {
        // The question is asked at each write, and there are several writes in a second.
        let begins = self.random.happens(weather.full_disks / 3_600.0 / 4.0);
        if begins {
            let until = self.now() + self.random.scaled(SECOND, 2 * MINUTE);
            self.disk_full_until.set(until);
        }
        !self.peace.get() && self.now() < self.disk_full_until.get()
    }

    fn life_of(&self, id: HostId) -> Group {
        let hosts = self.hosts.borrow();
        hosts.get(id).map_or(OUTSIDE, |host| host.group)
    }

    fn fail(
        self: &Rc<Self>,
        number: u64,
        answered: &Answered,
        after: Micros,
        reason: &'static str,
    ) {
        let (world, answered) = (Rc::clone(self), answered.clone());
        self.executor.after(after, move || {
            world.trace.note(world.now(), (10, number), || {
                format!("        call {number} fails: {reason}")
            });
            answered.fill(Err(reason.to_owned()));
        });
    }

    /// Lets a call take effect, and sends its answer if there is to be one.
    fn take_effect(self: &Rc<Self>, sent: Sent, effect: Effect, broken: Option<Broken>) {
        let Effect { after, answer } = effect;
        match sent.call.clone() {
            Call::Get(keys) => {
                // A read without an answer has no effect.
                if let Some(answer) = answer {
                    self.read(sent, keys, after, answer);
                }
            }
            Call::Set(entries) => {
                let mut parts = vec![entries];
                let broken = broken.filter(|_| self.random.happens(0.05));
                match broken {
                    Some(Broken::LostWrite) => parts.clear(),
                    Some(Broken::TornBatch) => {
                        let cut = parts.first().map_or(0, |entries| entries.len() / 2);
                        let rest = parts.first_mut().map(|entries| entries.split_off(cut));
                        // Sometimes the second half never comes.
                        parts.extend(rest.filter(|_| self.random.happens(0.5)));
                    }
                    Some(Broken::DamagedRecord) => {
                        let entries = parts.first_mut();
                        let position = self.random.below(entries.as_ref().map_or(1, |e| e.len()));
                        let entry = entries.and_then(|entries| entries.get_mut(position));
                        if let Some((key, value)) = entry {
                            value.truncate(value.len() / 2);
                            self.audit.borrow_mut().damaged(key);
                        }
                    }
                    _ => {}
                }
                let world = Rc::clone(self);
                self.executor.after(after, move || {
                    if !world.still_has(&sent) {
                        return;
                    }
                    let number = sent.number;
                    let mut parts = parts.into_iter();
                    world.write(number, parts.next().unwrap_or_default());
                    for part in parts {
                        let later = world.random.scaled(1_000, SECOND);
                        let world2 = Rc::clone(&world);
                        world
                            .executor
                            .after(later, move || world2.write(number, part));
                    }
                    if let Some((answered, way_back)) = answer {
                        world.answer(number, answered, way_back, Reply::Done);
                    }
                });
            }
            Call::Count(key, by) => {
                let equal = broken == Some(Broken::EqualCounts) && self.random.happens(0.05);
                let world = Rc::clone(self);
                self.executor.after(after, move || {
                    if !world.still_has(&sent) {
                        return;
                    }
                    let number = sent.number;
                    let by = if equal { 0 } else { by };
                    let count = world.engine.borrow_mut().count(number, &key, by);
                    world.trace.note(world.now(), (11, number, count), || {
                        format!("        call {number} takes effect: {key} is {count}")
                    });
                    if let Some((answered, way_back)) = answer {
                        world.answer(number, answered, way_back, Reply::Count(count.max(1)));
                    }
                });
            }
        }
    }

    /// True if a call still takes effect, also if its host has died since.
    fn still_has(&self, sent: &Sent) -> bool {
        sent.survives || self.life_of(sent.host) == sent.life
    }

    fn write(&self, number: u64, entries: Vec<(String, Vec<u8>)>) {
        self.engine.borrow_mut().set(number, &entries);
        self.trace.note(self.now(), (12, number), || {
            let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_str()).collect();
            format!("        call {number} takes effect: {}", keys.join(" "))
        });
    }

    /// Reads keys: at one moment, or on Redis at several moments, in the order of the keys.
    fn read(
        self: &Rc<Self>,
        sent: Sent,
        keys: Vec<String>,
        after: Micros,
        (answered, way_back): (Answered, Micros),
    ) {
        const MOST_MOMENTS: usize = 4;
        let moments = match self.engine.borrow().kind {
            Kind::Redis => 1 + self.random.below(MOST_MOMENTS.min(keys.len()).max(1)),
            Kind::Sqlite | Kind::Postgres => 1,
        };
        let mut cuts: Vec<_> = (1..moments)
            .map(|_| self.random.below(keys.len() + 1))
            .collect();
        cuts.sort_unstable();
        cuts.push(keys.len());
        let found = Rc::new(RefCell::new(HashMap::new()));
        let keys = Rc::new(keys);
        let (mut begin, mut when) = (0, after);
        let last = cuts.len() - 1;
        for (position, end) in cuts.into_iter().enumerate() {
            let world = Rc::clone(self);
            let (keys, found) = (Rc::clone(&keys), Rc::clone(&found));
            let (number, answered) = (sent.number, answered.clone());
            self.executor.after(when, move || {
                let part = keys.get(begin..end).unwrap_or_default();
                world.engine.borrow().get(part, &mut found.borrow_mut());
                if position == last {
                    let found = found.take();
                    world.answer(number, answered, way_back, Reply::Values(found));
                }
            });
            begin = end;
            when += self.random.scaled(50, 20_000);
        }
    }

    fn answer(self: &Rc<Self>, number: u64, answered: Answered, way_back: Micros, reply: Reply) {
        let world = Rc::clone(self);
        self.executor.after(way_back, move || {
            world.audit.borrow_mut().answered(number, &reply);
            world.trace.note(world.now(), (13, number), || {
                let reply = match &reply {
                    Reply::Values(values) => {
                        let mut keys: Vec<_> = values.keys().map(String::as_str).collect();
                        keys.sort_unstable();
                        format!("has {}", keys.join(" "))
                    }
                    reply => format!("{reply:?}"),
                };
                format!("        call {number} is answered: {reply}")
            });
            answered.fill(Ok(reply));
        });
    }

    /// Ends the run: drops all tasks and hosts, which hold one another.
    pub fn end(&self) {
        self.executor.clear();
        self.hosts.borrow_mut().clear();
    }
}

/// A call on its way.
struct Sent {
    host: HostId,
    life: Group,
    /// True if it takes effect even if its host dies before.
    survives: bool,
    number: u64,
    call: Call,
}

/// The delay after which a call takes effect, and the slot of its answer with the delay after that.
struct Effect {
    after: Micros,
    answer: Option<(Answered, Micros)>,
}

impl Effect {
    fn unanswered(after: Micros) -> Self {
        Self {
            after,
            answer: None,
        }
    }
}

/// The host's end of a connection, which breaks if the host dies.
struct Connection(Slot<Answer>, Cell<bool>);

impl Connection {
    fn answer(&self, world: &World, response: Response<Bytes>) {
        let (parts, body) = response.into_parts();
        let slot = self.0.clone();
        let answer = Answer::Response(parts, body);
        world
            .executor
            .after(world.network(), move || slot.fill(answer));
        // From now on the answer is on its way, whatever happens to the host.
        self.1.set(true);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.1.get() {
            self.0.fill(Answer::Nothing);
        }
    }
}

fn describe(call: &Call) -> String {
    match call {
        Call::Get(keys) => {
            let shown: Vec<_> = keys.iter().take(4).map(String::as_str).collect();
            match keys.len() {
                0..=4 => format!("get {}", shown.join(" ")),
                many => format!("get {} … ({many} keys)", shown.join(" ")),
            }
        }
        Call::Set(entries) => {
            let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_str()).collect();
            format!("set {}", keys.join(" "))
        }
        Call::Count(key, by) => format!("add {by} to {key}"),
    }
}

/// A body in one line; of a SOAP message, the content of its Body.
fn message_for_people(body: &str) -> String {
    const LONGEST: usize = 400;
    let body = body
        .split_once("<soap:Body")
        .and_then(|(_, body)| body.split_once('>'))
        .map_or(body, |(_, body)| body);
    let body = body
        .split_once("</soap:Body")
        .map_or(body, |(body, _)| body);
    let line = body.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(LONGEST).collect()
}
