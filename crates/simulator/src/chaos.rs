//! Accidents of hosts: they die, are stopped for minutes, their clocks are set, and their configuration
//! is changed on one after the other.

use std::rc::Rc;

use crate::{
    clock::Clock,
    configuration::Configuration,
    executor::Micros,
    random::{DAY, HOUR, MINUTE, Random, SECOND},
    world::World,
};

/// The accidents that hosts may have in a run.
#[derive(Debug, Clone, Copy)]
pub struct Chaos {
    /// True if hosts die.
    pub kills: bool,
    /// The longest time for which a host is stopped; 0 for never.
    pub longest_stop: Micros,
    /// The greatest difference of a clock from the true time.
    pub farthest_clock: Micros,
    /// True if clocks are set while hosts run.
    pub steps: bool,
    /// True if the configuration changes.
    pub configures: bool,
    /// True if it changes again and again, and is read slowly.
    pub rotates: bool,
    /// The probability that a host dies just after an answer.
    pub strikes: f64,
    /// The probability that a variable cannot be read.
    pub unreadable: f64,
    /// The unit of the pauses between two accidents, which last from a tenth of it to four times as long.
    pub pause: Micros,
}

impl Chaos {
    /// The accidents of a run, by chance. A mild run stays within the assumptions of the provider: clocks
    /// that differ by seconds, and writers that are stopped for seconds.
    pub fn of_run(random: &Random, mild: bool) -> Self {
        let (stop, clock) = if mild {
            (5 * SECOND, 4 * SECOND)
        } else {
            (5 * MINUTE, 5 * HOUR)
        };
        let (stops, steps) = (random.happens(0.6), random.happens(0.5));
        Self {
            kills: random.happens(0.6),
            longest_stop: if stops {
                random.scaled(SECOND, stop)
            } else {
                0
            },
            farthest_clock: random.scaled(SECOND, clock),
            steps: steps && !mild,
            configures: random.happens(0.3),
            rotates: false,
            strikes: match random.happens(0.3) {
                true => random.scaled(1, 100) as f64 / 2_000.0,
                false => 0.0,
            },
            unreadable: match random.happens(0.25) {
                true => random.scaled(1, 100) as f64 / 2_000.0,
                false => 0.0,
            },
            pause: random.scaled(2 * SECOND, 2 * MINUTE),
        }
    }

    /// A clock, set wrong as far as the run allows.
    pub fn clock(&self, world: &World) -> Clock {
        let far = match world.random.happens(0.3) {
            true => self.farthest_clock,
            false => world.random.scaled(1_000, self.farthest_clock),
        };
        let far = i64::try_from(far).unwrap_or(0);
        let sign = if world.random.happens(0.5) { 1 } else { -1 };
        let drift = i64::try_from(world.random.below(2_000)).unwrap_or(0) - 1_000;
        Clock::set(world.now(), sign * far, if self.steps { drift } else { 0 })
    }
}

/// Changes the configuration of one host after the other, back and forth, until the world is at peace.
///
/// Each host gets the time to read its variables once from the first to the last, and to end the readings
/// that began before the change. Two changes at the same variable of two successive readings would
/// deceive any reader.
pub async fn rotate(world: Rc<World>) {
    while !world.peace.get() {
        let pause = world.random.scaled(200_000, 5 * SECOND);
        world.sleep(pause).await;
        let host = world.some_host();
        let next = match world.hosts.borrow().get(host) {
            Some(host) if host.may_change() => match host.configuration {
                Configuration::First => Configuration::Second,
                Configuration::Second => Configuration::First,
            },
            _ => continue,
        };
        if !world.peace.get() {
            world.configure(host, next);
        }
    }
}

/// Makes days short: some seconds after midnight it is the evening of the next day.
pub async fn hurry(world: Rc<World>) {
    const MIDNIGHT: Micros = 20 * MINUTE;
    const DAYS: u32 = 2;
    for _ in 0..DAYS {
        world
            .sleep(world.random.between(5 * SECOND, 8 * SECOND))
            .await;
        if world.peace.get() {
            return;
        }
        let now = world.now() + world.begins.get();
        let midnights = now.saturating_sub(MIDNIGHT) / DAY + 1;
        let before = world.random.between(2 * SECOND, 4 * SECOND);
        let evening = midnights * DAY + MIDNIGHT - before;
        world
            .begins
            .set(world.begins.get() + evening.saturating_sub(now));
        world
            .trace
            .note(world.now(), 31, || "it is the next evening".to_owned());
    }
}

/// Causes the accidents of a run, until the world is at peace.
pub async fn reign(world: Rc<World>, chaos: Chaos) {
    while !world.peace.get() {
        let pause = world.random.scaled(chaos.pause / 10, chaos.pause * 4);
        world.sleep(pause).await;
        if world.peace.get() {
            return;
        }
        let host = world.some_host();
        match world.random.below(4) {
            0 if chaos.kills => {
                world.kill(host);
                let down = world.random.scaled(100_000, 2 * MINUTE);
                let world2 = Rc::clone(&world);
                world.executor.after(down, move || world2.start(host));
            }
            1 if chaos.longest_stop > 0 => {
                world.freeze(host);
                let stopped = world.random.scaled(100_000, chaos.longest_stop);
                let world2 = Rc::clone(&world);
                world.executor.after(stopped, move || world2.thaw(host));
            }
            2 if chaos.steps => {
                let clock = chaos.clock(&world);
                world.set_clock(host, clock);
            }
            3 if chaos.configures => world.configure(host, Configuration::Second),
            _ => {}
        }
    }
}
