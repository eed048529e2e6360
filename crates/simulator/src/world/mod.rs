//! The world of a run: time, chance, the store, the hosts, and the knowledge of the actors.

mod calls;
mod hosts;
mod requests;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

pub use self::{
    hosts::{Door, Doors, Host, HostId},
    requests::Answer,
};
use crate::{
    audit::Audit,
    cards::Cards,
    configuration::Configuration,
    engine::{Engine, Kind, Weather},
    executor::{Executor, Micros, OUTSIDE},
    history::History,
    profile::Profile,
    random::Random,
    trace::Trace,
    webhook::Told,
};

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

    /// Ends the run: drops all tasks and hosts, which hold one another.
    pub fn end(&self) {
        self.executor.clear();
        self.hosts.borrow_mut().clear();
    }
}
