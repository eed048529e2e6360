//! The cost of making an instance of the component, with its first answer: hosts make instances again and
//! again. Counted in fuel of wasmtime, about an instruction of Wasm each, which is the same on every
//! machine.

use std::sync::{Arc, Mutex, mpsc};

use crate::harness::*;

/// The fuel that an instance used to start and answer this alone.
fn first(ask: impl Fn(&Provider)) -> u64 {
    let (ended, instances) = mpsc::channel();
    let ended = Mutex::new(ended);
    let provider = Provider::start_tuned(&[], |options| {
        options.limits.requests_per_instance = 1;
        options.fuel_meter = Some(Arc::new(move |fuel| {
            ended.lock().unwrap().send(fuel).unwrap()
        }));
    });
    provider.register("1", order("10"));
    instances.recv().unwrap();
    ask(&provider);
    instances.recv().unwrap()
}

/// A fifth above what it takes. Whoever needs more says for what, and raises it.
const MOST_FOR_HEALTH: u64 = 24_800_000;
const MOST_FOR_DETAILS: u64 = 52_400_000;

#[test]
fn an_instance_starts_and_answers_with_no_more_work_than_it_did() {
    let health = first(|provider| {
        assert_eq!(provider.http("GET", "health", &[], b"").status(), 200);
    });
    let details = first(|provider| {
        provider.details("1");
    });
    for (name, fuel, most) in [
        ("GET /health", health, MOST_FOR_HEALTH),
        ("GetOrderDetails", details, MOST_FOR_DETAILS),
    ] {
        println!("{name}: {fuel} instructions");
        assert!(fuel <= most, "{name}: {fuel} instructions, at most {most}");
        assert!(
            fuel > most / 2,
            "{name}: {fuel} instructions: lower the bound of {most}, so that it stays near"
        );
    }
}
