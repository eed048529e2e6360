//! Whole runs.

use mutation::Mutation;
use simulator::{Plan, engine::Broken, run};

fn mild(seed: u64) -> Plan {
    Plan {
        mild: true,
        operations: 120,
        ..Plan::new(seed)
    }
}

#[test]
fn a_seed_decides_everything() {
    for seed in 1..=3 {
        let plan = Plan {
            trace: true,
            ..Plan::new(seed)
        };
        let (first, other) = (run(&plan), run(&Plan::new(seed + 100)));
        let second = run(&plan);
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_ne!(first.digest, other.digest, "seed {seed}");
        // What is written down changes nothing of what happens.
        let unwritten = run(&Plan::new(seed));
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

/// Mutations whose place is not in the code yet.
const NOT_YET: &[Mutation] = Mutation::ALL;

#[test]
#[ignore = "takes minutes"]
fn every_fault_put_in_on_purpose_is_found() {
    const SEEDS: u64 = 2_000;
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        if NOT_YET.contains(mutation) {
            continue;
        }
        let found = (1..=SEEDS).find(|seed| {
            let plan = Plan {
                mutation: Some(*mutation),
                ..Plan::new(*seed)
            };
            !run(&plan).is_clean()
        });
        match found {
            Some(seed) => println!("{:<26} found by seed {seed}", mutation.name()),
            None => missed.push(mutation.name()),
        }
    }
    assert_eq!(missed, [""; 0], "are not found by {SEEDS} seeds");
}
