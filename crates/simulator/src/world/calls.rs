//! Calls of the store on their way: when they take effect, if at all, and when they are answered.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use super::{HostId, World};
use crate::{
    engine::{Broken, Call, Kind, Reply, Weather},
    executor::{Group, Micros, OUTSIDE, Slot},
    random::{MINUTE, SECOND},
};

type Answered = Slot<Result<Reply, String>>;

impl World {
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
