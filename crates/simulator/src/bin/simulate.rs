//! `simulate`: runs of the simulator, until something is found or time is up.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use mutation::Mutation;
use simulator::{
    Plan, Report,
    engine::{Broken, Kind},
    profile::Profile,
    run,
};

/// Runs the provider on several hosts over a store that fails, and looks for events that must not happen.
#[derive(Parser)]
struct Arguments {
    /// The seed of one run, or of the first of several.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds for which new seeds are run.
    #[arg(long)]
    seconds: Option<u64>,
    /// Operations after which no new seed is run.
    #[arg(long)]
    operations: Option<u64>,
    /// Approximate number of operations of a run.
    #[arg(long, default_value_t = 250)]
    length: u64,
    /// Number of seeds to run.
    #[arg(long)]
    seeds: Option<u64>,
    /// Only on this engine: sqlite, redis or postgres.
    #[arg(long)]
    engine: Option<String>,
    /// A fault of the engine: equal-counts, lost-write, torn-batch or damaged-record.
    #[arg(long)]
    broken: Option<String>,
    /// A fault put in on purpose; `list` lists them.
    #[arg(long)]
    mutate: Option<String>,
    /// Also count as a finding: readers or changes that wait for more than three seconds after a writer
    /// died.
    #[arg(long)]
    prompt: bool,
    /// Clocks that differ by seconds, and stops of seconds.
    #[arg(long)]
    mild: bool,
    /// Only runs that are about this: usual, contested, midnight, long, rotation or cards.
    #[arg(long)]
    profile: Option<String>,
    /// Prints the whole trace of a run.
    #[arg(long)]
    trace: bool,
    /// Goes on after a finding.
    #[arg(long)]
    keep_going: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let engine = arguments.engine.as_deref().map(|name| {
        let known = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        known.unwrap_or_else(|| panic!("no such engine: {name}"))
    });
    let broken = arguments.broken.as_deref().map(|name| {
        let known = Broken::ALL.into_iter().find(|broken| broken.name() == name);
        known.unwrap_or_else(|| panic!("no such fault of an engine: {name}"))
    });
    let profile = arguments.profile.as_deref().map(|name| {
        let mut all = Profile::ALL.into_iter();
        let known = all.find(|profile| profile.name() == name);
        known.unwrap_or_else(|| panic!("no such profile: {name}"))
    });
    let mutation = match arguments.mutate.as_deref() {
        Some("list") => {
            for mutation in Mutation::ALL {
                println!("{:<26}{}", mutation.name(), mutation.what());
            }
            return ExitCode::SUCCESS;
        }
        Some(name) => {
            let known = Mutation::parse(name);
            Some(known.unwrap_or_else(|| panic!("no such mutation: {name}")))
        }
        None => None,
    };
    let many =
        arguments.seconds.is_some() || arguments.operations.is_some() || arguments.seeds.is_some();
    let first = arguments.seed.unwrap_or_else(|| {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
        since.map_or(1, |since| since.as_micros() as u64)
    });
    if many {
        println!("seeds from {first} on");
    }
    let started = Instant::now();
    let (mut mutated, mut recoveries) = (false, Vec::new());
    let (mut operations, mut runs, mut failed, mut payments) = (0, 0, 0, 0);
    loop {
        let plan = Plan {
            seed: first.wrapping_add(runs),
            operations: arguments.length,
            engine,
            broken,
            mutation,
            prompt: arguments.prompt,
            mild: arguments.mild,
            profile,
            trace: arguments.trace,
        };
        let report = run(&plan);
        runs += 1;
        operations += report.operations;
        payments += report.payments;
        mutated |= report.mutated;
        recoveries.extend(&report.recoveries);
        if arguments.trace {
            for line in &report.trace {
                println!("{line}");
            }
        }
        if !report.is_clean() {
            failed += 1;
            println!("{report}");
            if !arguments.trace && !arguments.keep_going {
                explain(&plan);
            }
            println!(
                "  again: simulate --seed {} --length {}{}{} --trace",
                report.seed,
                arguments.length,
                if arguments.mild { " --mild" } else { "" },
                profile.map_or(String::new(), |profile| format!(
                    " --profile {}",
                    profile.name()
                )),
            );
            if !arguments.keep_going {
                break;
            }
        } else if !many {
            println!("{report}");
        }
        let time_is_up = arguments
            .seconds
            .is_none_or(|seconds| started.elapsed() >= Duration::from_secs(seconds));
        let enough = arguments.operations.is_none_or(|most| operations >= most);
        let seeds = arguments.seeds.is_none_or(|most| runs >= most);
        if time_is_up && enough && seeds {
            break;
        }
    }
    let elapsed = started.elapsed().as_secs_f64();
    println!(
        "{runs} runs, {failed} with findings; {operations} operations, {payments} payments in {elapsed:.1} s: {:.0} operations/s",
        operations as f64 / elapsed
    );
    recoveries.sort_unstable();
    if let Some(longest) = recoveries.last() {
        let seconds = |micros: &u64| *micros as f64 / 1e6;
        let median = recoveries.get(recoveries.len() / 2).map_or(0.0, seconds);
        println!(
            "After {} deaths of writers readers and changes went on within {median:.2} s (median), {:.2} s at most",
            recoveries.len(),
            seconds(longest)
        );
    }
    if mutation.is_some() && !mutated {
        println!("The code was never where the mutation is: it is not put in yet.");
    }
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Runs a plan again with a trace, and prints the lines and keys that concern its findings.
fn explain(plan: &Plan) {
    const LAST: usize = 60;
    let report: Report = run(&Plan {
        trace: true,
        ..plan.clone()
    });
    for (finding, keys) in report.findings.iter().zip(&report.keys).take(3) {
        println!("\n  {}: {}", finding.rule, finding.subject);
        if !finding.subject.is_empty() {
            let lines = report.trace.iter();
            let lines: Vec<_> = lines
                .filter(|line| line.contains(&finding.subject))
                .collect();
            let skipped = lines.len().saturating_sub(LAST);
            for line in lines.into_iter().take(LAST) {
                println!("  | {line}");
            }
            if skipped > 0 {
                println!("  | … and {skipped} more");
            }
        }
        for key in keys.iter().take(20) {
            println!("  = {key}");
        }
    }
}
