//! Hosts: their lives, their clocks and their variables.

use std::{rc::Rc, time::Duration};

use jiff::Timestamp;
use mpay_door::{Configuration as _, config::Unread, current::Current};
use mpay_office::config::Config as OfficeConfig;
use mpay_provider::config::Config as ProviderConfig;

use super::World;
use crate::{
    cards,
    clock::Clock,
    configuration::Configuration,
    executor::{Group, OUTSIDE},
    profile::Profile,
    random::{HOUR, SECOND},
};

/// A host, by its position among the hosts of the run.
pub type HostId = usize;

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
    pub(super) provider: Current<ProviderConfig>,
    pub(super) office: Current<OfficeConfig>,
}

impl Doors {
    fn new(random: [u64; 8]) -> Self {
        Self {
            provider: Current::new(random),
            office: Current::new(random),
        }
    }
}

impl World {
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
    pub(super) fn strike(self: &Rc<Self>, id: HostId) {
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
}
