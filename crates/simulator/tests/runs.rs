//! Tests of whole runs.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use mutation::Mutation;
use simulator::{Plan, engine::Broken, profile::Profile, run};

fn mild(seed: u64) -> Plan {
    Plan {
        mild: true,
        operations: 120,
        ..Plan::new(seed)
    }
}

#[test]
fn a_seed_decides_everything() {
    for seed in 1..=4 {
        let new = |seed| Plan {
            profile: (seed % 100 == 4).then_some(Profile::Cards),
            ..Plan::new(seed)
        };
        let plan = Plan {
            trace: true,
            ..new(seed)
        };
        let (first, other) = (run(&plan), run(&new(seed + 100)));
        let second = run(&plan);
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_ne!(first.digest, other.digest, "seed {seed}");
        // Keeping the trace does not change the run.
        let unwritten = run(&new(seed));
        assert_eq!(first.digest, unwritten.digest, "seed {seed}");
    }
}

#[test]
fn where_the_provider_may_take_things_for_granted_nothing_is_found() {
    for seed in 1..=20 {
        let report = run(&mild(seed));
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.faults, [""; 0], "{report}");
    }
}

#[test]
fn the_card_gateway_and_the_books_agree() {
    for seed in 1..=15 {
        let report = run(&Plan {
            profile: Some(Profile::Cards),
            ..Plan::new(seed)
        });
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn what_a_broken_engine_brings_about_is_its_fault() {
    for broken in Broken::ALL {
        let found = (1..=200).map(|seed| {
            let plan = Plan {
                broken: Some(broken),
                ..mild(seed)
            };
            run(&plan)
        });
        let mut found = found.filter(|report| !report.is_clean() || !report.faults.is_empty());
        let report = found.next();
        let report = report.unwrap_or_else(|| panic!("{broken:?} is not found"));
        assert!(!report.faults.is_empty(), "{broken:?}: {report}");
    }
}

/// Each fault, the profile whose runs should find it, and the rule that finds it: the fault's own
/// consequence, not just any.
const FAULTS: [(Mutation, Profile, &str); 22] = [
    (Mutation::TimeWindows, Profile::Long, "a reader passes by"),
    (
        Mutation::HoleWithoutHandshake,
        Profile::Long,
        "a payment is not once in the journal",
    ),
    (
        Mutation::WriterWithoutHandshake,
        Profile::Midnight,
        "a payment is not once in the journal",
    ),
    (
        Mutation::MarkerBeforeEntries,
        Profile::Contested,
        "a payment is not once in the journal",
    ),
    (
        Mutation::MarkerOverwritten,
        Profile::Contested,
        "one PaymentID is two payments",
    ),
    (
        Mutation::AnswerBeforeMarker,
        Profile::Contested,
        "a payment is not once in the journal",
    ),
    (
        Mutation::DayAbovePending,
        Profile::Midnight,
        "a closed day is not whole",
    ),
    (
        Mutation::DayClosedTwice,
        Profile::Midnight,
        "a closed day changes",
    ),
    (
        Mutation::TornBatch,
        Profile::Contested,
        "a payment is not once in the journal",
    ),
    (
        Mutation::RepairEntersTwice,
        Profile::Usual,
        "a reader sees a thing twice",
    ),
    (
        Mutation::OutboxForgets,
        Profile::Usual,
        "the webhook is not told",
    ),
    (
        Mutation::ErasureUndone,
        Profile::Usual,
        "erased data is there",
    ),
    (
        Mutation::ErasureOfOneCopy,
        Profile::Usual,
        "erased data is there",
    ),
    (
        Mutation::AmendmentOnOldState,
        Profile::Contested,
        "an order is not what was acknowledged",
    ),
    (
        Mutation::FoldOfWrongPrefix,
        Profile::Long,
        "an order has less than was paid",
    ),
    (
        Mutation::HalfConfiguration,
        Profile::Rotation,
        "a configuration is used by halves",
    ),
    (
        Mutation::AliasNotIndexed,
        Profile::Usual,
        "an alias does not find its orders",
    ),
    (
        Mutation::RepetitionDoneAgain,
        Profile::Usual,
        "one request made two orders",
    ),
    (
        Mutation::RefundSentAgain,
        Profile::Cards,
        "a refund is made twice",
    ),
    (
        Mutation::StateTakenForPaid,
        Profile::Cards,
        "money at the gateway and in the books differs",
    ),
    (
        Mutation::ChargedTwice,
        Profile::Cards,
        "a card is charged for what MPay has paid",
    ),
    (
        Mutation::HoldsTakenAtOnce,
        Profile::Cards,
        "a hold is taken of an order that another has paid",
    ),
];

/// A seed whose run finds the fault, and finds nothing without it, as text; otherwise the reason why
/// there is none.
fn seed_that_finds(mutation: Mutation) -> Result<String, String> {
    const SEEDS: u64 = 100;
    let fault = FAULTS.iter().find(|(of, ..)| *of == mutation);
    let (_, profile, rule) = fault.unwrap_or_else(|| panic!("{mutation:?} has no rule"));
    let plan = |seed, mutation| Plan {
        mutation,
        profile: Some(*profile),
        ..Plan::new(seed)
    };
    let found = (1..=SEEDS).find(|seed| {
        let report = run(&plan(*seed, Some(mutation)));
        let mut findings = report.findings.iter();
        findings.any(|finding| finding.rule == *rule)
    });
    let name = mutation.name();
    let seed = found.ok_or_else(|| format!("{name}: {rule}: not found by {SEEDS} seeds"))?;
    let without = run(&plan(seed, None));
    if !without.is_clean() {
        return Err(format!("{name}: found without the fault too: {without}"));
    }
    Ok(format!(
        "{name:<26} {:<10} {seed:>3}  {rule}",
        profile.name()
    ))
}

#[test]
fn faults_put_in_on_purpose_are_found() {
    // These tests spend most of their time here, so all processors share the work.
    let next = AtomicUsize::new(0);
    let look = || {
        let mutations = std::iter::from_fn(|| Mutation::ALL.get(next.fetch_add(1, Relaxed)));
        let results = mutations.map(|mutation| seed_that_finds(*mutation));
        results.collect::<Vec<_>>()
    };
    let results = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(look)).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.flatten().collect::<Vec<_>>()
    });
    assert_eq!(results.len(), Mutation::ALL.len());
    let (mut found, mut missed) = (Vec::new(), Vec::new());
    for result in results {
        result.map_or_else(|why| missed.push(why), |line| found.push(line));
    }
    println!("{}", found.join("\n"));
    assert_eq!(missed, [""; 0]);
}
