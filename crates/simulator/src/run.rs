//! A run: its plan, its course and its report.

use std::{cell::Cell, collections::BTreeMap, fmt, rc::Rc, thread};

use mutation::Mutation;

use crate::{
    cards,
    chaos::{self, Chaos},
    configuration::Configuration,
    engine::{Broken, Kind, Weather},
    executor::{Micros, OUTSIDE},
    history::Finding,
    office, oracle,
    profile::Profile,
    random::{DAY, MINUTE, Random, SECOND},
    readers::{self, List},
    world::World,
};

/// The time within which readers and changes should go on after a writer has died.
pub const PROMPT: Micros = 3 * SECOND;

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed, which decides everything by chance.
    pub seed: u64,
    /// The approximate number of requests that the actors send.
    pub operations: u64,
    /// The engine; chosen by the seed if absent.
    pub engine: Option<Kind>,
    /// A fault that the engine must never have.
    pub broken: Option<Broken>,
    /// A fault that is put into the code.
    pub mutation: Option<Mutation>,
    /// True if it is a finding that readers and changes wait longer than [`PROMPT`] after a writer has
    /// died.
    pub prompt: bool,
    /// True if clocks differ, and hosts stop, by seconds only.
    pub mild: bool,
    /// The profile; chosen by the seed if absent.
    pub profile: Option<Profile>,
    /// True if the lines of the trace are kept.
    pub trace: bool,
}

impl Plan {
    /// The usual plan of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            operations: 250,
            engine: None,
            broken: None,
            mutation: None,
            prompt: false,
            mild: false,
            profile: None,
            trace: false,
        }
    }
}

/// The report of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// The profile, the engine and the faults of the run, for people.
    pub about: String,
    /// Requests that were sent.
    pub operations: u64,
    /// Events of the executor.
    pub events: u64,
    /// Payments that were acknowledged.
    pub payments: usize,
    /// Digest of the trace.
    pub digest: u64,
    /// True if the run reached the code into which the fault was put.
    pub mutated: bool,
    /// The times for which readers and changes of the same order waited after writers died.
    pub recoveries: Vec<Micros>,
    /// Events that must not happen.
    pub findings: Vec<Finding>,
    /// Faults of the store. If there are any, the findings are due to them.
    pub faults: Vec<String>,
    /// The trace, if it was kept.
    pub trace: Vec<String>,
    /// For each finding the keys of the store that concern it, if the trace was kept.
    pub keys: Vec<Vec<String>>,
}

impl Report {
    /// True if there are no findings.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} requests, {} events, {} payments, trace {:016x}; {}",
            self.seed, self.operations, self.events, self.payments, self.digest, self.about
        )?;
        const OF_ONE_RULE: usize = 3;
        let mut rules = BTreeMap::<_, Vec<_>>::new();
        for finding in &self.findings {
            rules.entry(finding.rule).or_default().push(&finding.detail);
        }
        for (rule, details) in rules {
            for detail in details.iter().take(OF_ONE_RULE) {
                write!(f, "\n  {rule}: {detail}")?;
            }
            if let Some(more @ 1..) = details.len().checked_sub(OF_ONE_RULE) {
                write!(f, "\n  {rule}: … and {more} more")?;
            }
        }
        for fault in self.faults.iter().take(5) {
            write!(f, "\n  THE STORE'S FAULT: {fault}")?;
        }
        Ok(())
    }
}

/// Runs a plan, on a thread of its own: maps of the standard library are ordered by numbers that
/// each thread draws, see `hashing.rs`.
///
/// # Panics
/// If the run does.
pub fn run(plan: &Plan) -> Report {
    let plan = plan.clone();
    let thread = thread::Builder::new().stack_size(16 << 20);
    let thread = thread.spawn(move || run_here(&plan));
    let report = thread.expect("a thread").join();
    report.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn run_here(plan: &Plan) -> Report {
    wsse::simulation::stub_signatures();
    mutation::mutate(plan.mutation);
    crate::log::listen();
    let random = Random::new(plan.seed ^ 0x9e37_79b9_7f4a_7c15);
    let kind = plan.engine.unwrap_or_else(|| {
        let kind = random.pick(&Kind::ALL);
        kind.copied().unwrap_or(Kind::Sqlite)
    });
    let profile = plan.profile.unwrap_or_else(|| Profile::of_run(&random));
    let mut weather = Weather {
        broken: plan.broken,
        ..Weather::of_run(&random, plan.mild)
    };
    let mut chaos = Chaos::of_run(&random, plan.mild);
    if !plan.mild {
        profile.change(&random, &mut weather, &mut chaos);
    }
    let hosts = 1 + random.weighted(&[0, 4, 2, 1]);
    let clerks = 2 + random.below(5);
    let about = format!(
        "{}, {} on {hosts} hosts; {weather:?}; {chaos:?}",
        profile.name(),
        kind.name()
    );
    let world = World::new(plan.seed, kind, weather, plan.trace);
    crate::log::tell(&world);
    world.profile.set(profile);
    world.unreadable.set(chaos.unreadable);
    world.strikes.set(chaos.strikes);
    // Most runs begin just before midnight, where faults of days show.
    if let Some(before_midnight) = profile.before_midnight(&random) {
        world.begins.set(20 * MINUTE - before_midnight);
    }
    for _ in 0..hosts {
        let clock = chaos.clock(&world);
        world.add_host(clock, Configuration::First);
    }
    for reader in 0..2 {
        let mut history = world.history.borrow_mut();
        history.payment_readers.push(Default::default());
        history.event_readers.push(Default::default());
        drop(history);
        for list in [List::Payments, List::Events] {
            let task = readers::follow(Rc::clone(&world), list, reader);
            world.executor.spawn(OUTSIDE, task);
        }
    }
    world
        .executor
        .spawn(OUTSIDE, readers::cron(Rc::clone(&world)));
    for _ in 0..profile.accountants() {
        world
            .executor
            .spawn(OUTSIDE, readers::account(Rc::clone(&world)));
    }
    world
        .executor
        .spawn(OUTSIDE, chaos::reign(Rc::clone(&world), chaos));
    if profile == Profile::Cards {
        world
            .executor
            .spawn(OUTSIDE, cards::cron(Rc::clone(&world)));
    }
    if profile == Profile::Midnight {
        world
            .executor
            .spawn(OUTSIDE, chaos::hurry(Rc::clone(&world)));
    }
    if chaos.rotates {
        world.slow_variables.set(60_000);
        let task = chaos::rotate(Rc::clone(&world));
        world.executor.spawn(OUTSIDE, task);
    }
    let operations = plan.operations * profile.length();
    let working = Rc::new(Cell::new(clerks));
    for _ in 0..clerks {
        let (world2, working) = (Rc::clone(&world), Rc::clone(&working));
        world.executor.spawn(OUTSIDE, async move {
            office::work(world2, operations).await;
            working.set(working.get() - 1);
        });
    }
    // A run that goes round in circles also ends, with a finding.
    let most = 60_000 + operations * profile.most_events();
    let circles = || world.executor.events() > most;
    world.executor.run(|| working.get() == 0 || circles());
    oracle::make_peace(&world);
    let judged = Rc::new(Cell::new(false));
    let (world2, judged2) = (Rc::clone(&world), Rc::clone(&judged));
    world.executor.spawn(OUTSIDE, async move {
        oracle::judge(world2).await;
        judged2.set(true);
    });
    let end = world.now() + 30 * DAY;
    world
        .executor
        .run(|| judged.get() || world.now() > end || circles());
    if plan.prompt {
        let mut history = world.history.borrow_mut();
        let longest = history.recoveries.iter().copied().max();
        if let Some(longest) = longest.filter(|longest| *longest > PROMPT) {
            let seconds = longest as f64 / SECOND as f64;
            let detail = format!("{seconds:.1} s after a writer died others still waited");
            history.find("the dead hold up the living", "", detail);
        }
    }
    if !judged.get() {
        let mut history = world.history.borrow_mut();
        history.find("nothing goes on", "", "the run does not come to its end");
    }
    report(plan, &world, about)
}

fn report(plan: &Plan, world: &Rc<World>, about: String) -> Report {
    crate::log::forget();
    let faults = {
        let mut audit = world.audit.borrow_mut();
        audit.at_the_end(&world.engine.borrow());
        audit.faults.clone()
    };
    let history = world.history.borrow();
    let findings: Vec<_> = history.findings.iter().cloned().collect();
    let keys =
        findings
            .iter()
            .filter(|_| plan.trace)
            .map(|finding| match finding.subject.is_empty() {
                true => Vec::new(),
                false => world.engine.borrow().describe(&finding.subject),
            });
    let acknowledged = history.payments.values().flatten();
    let acknowledged = acknowledged.filter(|variant| variant.acknowledged.is_some());
    let report = Report {
        seed: plan.seed,
        about,
        operations: world.operations.get(),
        events: world.executor.events(),
        payments: acknowledged.count(),
        digest: world.trace.digest(),
        keys: keys.collect(),
        mutated: mutation::was_asked_for(),
        recoveries: history.recoveries.clone(),
        findings,
        faults,
        trace: world.trace.lines(),
    };
    drop(history);
    world.end();
    report
}
