//! What MPay waits for costs the same however many orders there are.

use std::sync::{Arc, Mutex};

use mpay::{
    client::Answer,
    host::{Fault, Observer, Operation},
};

use crate::harness::*;

/// Calls to the store, as they come.
type Calls = Arc<Mutex<Vec<Operation>>>;

/// What MPay's calls cost in a store of so many orders: GetOrderDetails, a first confirmation, and
/// its repetition.
fn cost(orders: usize) -> [Vec<Operation>; 3] {
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let observer: Observer = Arc::new(move |call| {
        seen.lock().unwrap().push(call.operation);
        Fault::None
    });
    let provider = Provider::start_with(&[], Some(observer));
    provider.register("0", order("10"));
    provider.load(&copies(&provider, orders));
    let key = (orders / 2).to_string();
    let measure = |call: &dyn Fn()| {
        calls.lock().unwrap().clear();
        call();
        std::mem::take(&mut *calls.lock().unwrap())
    };
    let confirm = || {
        let payment = confirmation(&key, "P", "10");
        let answer = provider.mpay().confirm(&payment).unwrap();
        assert_eq!(answer, Answer::Result(()));
    };
    let cost = [
        measure(&|| {
            provider.details(&key);
        }),
        measure(&confirm),
        measure(&confirm),
    ];
    assert_eq!(provider.order(&key)["status"], "Paid");
    assert_eq!(provider.ledger().len(), 1);
    cost
}

/// Everything that the order 0 has in the store, for so many orders.
fn copies(provider: &Provider, orders: usize) -> Vec<(String, Vec<u8>)> {
    let version = String::from_utf8(provider.stored("order/TAX/0/1").unwrap()).unwrap();
    let event = String::from_utf8(provider.stored("journal/1").unwrap()).unwrap();
    let renamed = |text: &str, n| {
        let copy = text.replace("\"order_key\":\"0\"", &format!("\"order_key\":\"{n}\""));
        assert_ne!(copy, text);
        copy.into_bytes()
    };
    let count = |n: usize| (n as u64).to_le_bytes().to_vec();
    let mut entries = vec![("journal".to_owned(), count(orders))];
    for n in 1..orders {
        entries.push((format!("order/TAX/{n}"), count(1)));
        entries.push((format!("order/TAX/{n}/1"), renamed(&version, n)));
        entries.push((format!("journal/{}", n + 1), renamed(&event, n)));
    }
    entries
}

/// The README says so too.
#[track_caller]
fn assert_pinned(cost: &[Vec<Operation>; 3]) {
    use Operation::{GetMany, Increment, SetMany};
    let first = [
        GetMany, // the marker of the payment
        GetMany, // the order
        GetMany, // the marker again, now to record it
        GetMany, // attempts
        Increment, SetMany, // an attempt, with the evidence
        GetMany, // the marker, before the payment is entered
        Increment, Increment, SetMany, // into order and journal, with the answer
        SetMany, // the marker
    ];
    assert_eq!(*cost, [vec![GetMany], first.to_vec(), vec![GetMany]]);
}

#[test]
fn calls_of_mpay_cost_the_same_in_a_store_of_a_hundred_and_of_a_hundred_thousand_orders() {
    for orders in [100, 10_000, 100_000] {
        assert_pinned(&cost(orders));
    }
}
