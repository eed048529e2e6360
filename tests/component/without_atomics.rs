//! The component for stores that cannot count: it must not even import what counts, and does the
//! same as long as calls come one after the other.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use mpay::client::Answer;
use serde_json::{Value, json};

use crate::harness::*;

#[test]
fn the_component_imports_no_atomics() {
    let names_atomics = |component| {
        let bytes = fs::read(component).unwrap();
        let name = b"wasi:keyvalue/atomics";
        bytes.windows(name.len()).any(|window| window == name)
    };
    assert!(names_atomics(with_atomics()), "or this looks for nothing");
    assert!(!names_atomics(without_atomics()));
}

/// The tests of other modules, in a process that serves the other component.
#[test]
fn one_after_the_other_calls_do_the_same_as_with_atomics() {
    without_atomics();
    let output = Command::new(std::env::current_exe().unwrap())
        .env(WITHOUT_ATOMICS, "1")
        .args(["details::", "events::", "evidence::", "life::"])
        .args(["payments::", "requests::", "webhook::"])
        // Calls that meet.
        .args(["--skip", "at_once", "--skip", "slow", "--skip", "overtakes"])
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(!report.contains("running 0 tests"), "{report}");
}

/// How many payments the order and the ledger have, and what is paid.
fn totals(provider: &Provider) -> (usize, usize, Value) {
    let order = provider.order("1");
    let payments = order["payments"].as_array().unwrap().len();
    (
        payments,
        provider.ledger().len(),
        order["amount_paid"].clone(),
    )
}

/// Clients that pay one order at once; what is missing then, and nothing after a repair.
fn pay_at_once(clients: usize) {
    let manifest = workspace().join("spin.toml");
    let provider = Provider::start_component(without_atomics().to_owned(), manifest);
    provider.register(
        "1",
        json!({
            "reason": "Donații", "allow_partial_payments": true,
            "lines": [{"line_id": "1", "reason": "Donații", "amount_due": "1000"}]
        }),
    );
    let started = Instant::now();
    std::thread::scope(|scope| {
        for n in 0..clients {
            let provider = &provider;
            scope.spawn(move || {
                let payment = confirmation("1", &format!("P-{n}"), "1");
                loop {
                    match provider.mpay().confirm(&payment).unwrap() {
                        Answer::Result(()) => return,
                        Answer::Fault(fault) => assert_eq!(fault.code, "InternalError"),
                    }
                    assert!(started.elapsed() < Duration::from_secs(600));
                    std::thread::sleep(Duration::from_secs(2));
                }
            });
        }
    });
    let acknowledged = started.elapsed();
    let (in_order, in_ledger, _) = totals(&provider);
    let mut repaired = 0;
    let mut query = String::new();
    loop {
        let repair = provider.api("POST", &format!("repair{query}"), None);
        assert_eq!(repair.status, 200, "{repair:?}");
        assert_eq!(repair.body["lost"], json!([]));
        repaired += repair.body["repaired"].as_array().unwrap().len();
        match repair.body["next"].as_str() {
            Some(next) => query = format!("?after={}", next.replace('/', "%2F")),
            None => break,
        }
    }
    println!(
        "{clients} clients in {acknowledged:?}: {in_order} in the order, {in_ledger} in the ledger, {repaired} repaired"
    );
    // Readers of the ledger may have to wait until holes are known to be dead.
    let expected = (clients, clients, json!(format!("{clients}.00")));
    while totals(&provider) != expected {
        assert!(
            started.elapsed() < acknowledged + Duration::from_secs(90),
            "{:?}",
            totals(&provider)
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn what_eight_clients_paid_at_once_is_whole_after_a_repair() {
    pay_at_once(8);
}

#[test]
#[ignore = "takes minutes"]
fn what_sixty_four_clients_paid_at_once_is_whole_after_a_repair() {
    pay_at_once(64);
}
