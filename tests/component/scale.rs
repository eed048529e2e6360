//! What MPay waits for costs the same however many orders there are.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mpay_client::{Answer, Client, encode_query};
use mpay_host::{Fault, Observer, Operation};

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
    fill(&provider, orders);
    let key = (orders / 2).to_string();
    let measure = |call: &dyn Fn()| {
        calls.lock().unwrap().clear();
        call();
        std::mem::take(&mut *calls.lock().unwrap())
    };
    let pay = |key: &str, id| {
        let payment = confirmation(key, id, "10");
        let answer = provider.mpay().confirm(&payment).unwrap();
        assert_eq!(answer, Answer::Result(()));
    };
    let confirm = || pay(&key, "P");
    // The first payment of a store makes its secret, and the first of an instance reads it.
    pay("0", "before");
    let cost = [
        measure(&|| {
            provider.details(&key);
        }),
        measure(&confirm),
        measure(&confirm),
    ];
    assert_eq!(provider.order(&key)["status"], "Paid");
    assert_eq!(provider.ledger().len(), 2);
    cost
}

/// Registers an order, and copies everything that it has in the store until there are so many.
fn fill(provider: &Provider, orders: usize) {
    provider.register("0", order("10"));
    let version = String::from_utf8(provider.stored("order/TAX/0/1").unwrap()).unwrap();
    let event = String::from_utf8(provider.stored("journal/1").unwrap()).unwrap();
    let renamed = |text: &str, n| {
        let copy = text.replace("\"order_key\":\"0\"", &format!("\"order_key\":\"{n}\""));
        assert_ne!(copy, text);
        copy.into_bytes()
    };
    let count = |n: usize| (n as u64).to_le_bytes().to_vec();
    provider.load(&[("journal".to_owned(), count(orders))]);
    let numbers: Vec<usize> = (1..orders).collect();
    for part in numbers.chunks(3_000) {
        let entries = part.iter().flat_map(|&n| {
            [
                (format!("order/TAX/{n}"), count(1)),
                (format!("order/TAX/{n}/1"), renamed(&version, n)),
                (format!("journal/{}", n + 1), renamed(&event, n)),
            ]
        });
        provider.load(&entries.collect::<Vec<_>>());
    }
}

/// `docs/design/speed.md` says so too.
#[track_caller]
fn assert_pinned(cost: &[Vec<Operation>; 3]) {
    use Operation::{Get, GetMany, Increment, SetMany};
    let first = [
        Get,     // the marker of the payment
        GetMany, // the order
        GetMany, // the marker again, attempts, and what is kept of the evidence
        Increment, Increment,
        Increment, // places of the attempt, in the order and the journal
        SetMany,   // all three entries, with the evidence and the answer
        GetMany,   // whether anybody has asked about these places
        SetMany,   // the marker
    ];
    assert_eq!(*cost, [vec![GetMany], first.to_vec(), vec![Get]]);
}

#[test]
fn calls_of_mpay_cost_the_same_in_a_store_of_a_hundred_and_of_a_hundred_thousand_orders() {
    for orders in [100, 10_000, 100_000] {
        assert_pinned(&cost(orders));
    }
}

/// GetOrderDetails in a large and in a small store, in turn, so that both are disturbed alike. Of the
/// large one, no order is asked for twice.
#[test]
#[ignore = "fills a gigabyte, and measures time, for which the machine must be quiet"]
fn details_of_one_order_in_a_million_take_hardly_longer_than_of_one_in_a_hundred() {
    const CALLS: usize = 2_000;
    const SIZES: [usize; 2] = [100, 1_000_000];
    let stores = SIZES.map(|orders| {
        let provider = Provider::start();
        let begun = Instant::now();
        fill(&provider, orders);
        println!("{orders} orders in {:?}", begun.elapsed());
        provider
    });
    let clients = stores.each_ref().map(Provider::mpay);
    // Spread over the whole store: its size and this prime have no divisor in common.
    let key = |n: usize, orders: usize| (n * 7_919 % orders).to_string();
    let asked = |n: usize| {
        [0, 1].map(|store| {
            let content = encode_query(SERVICE, &key(n, SIZES[store]), "ro");
            clients[store].sign(&content).unwrap()
        })
    };
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..CALLS {
        for (store, message) in asked(n).into_iter().enumerate() {
            times[store].push(time(&clients[store], message));
        }
    }
    let [small, large] = times.map(|mut times| {
        times.sort_unstable();
        let at = |percent: usize| times[times.len() * percent / 100];
        println!(
            "25 %: {:?}, 50 %: {:?}, 75 %: {:?}, 95 %: {:?}",
            at(25),
            at(50),
            at(75),
            at(95)
        );
        at(50)
    });
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    println!("ratio of the medians: {ratio:.3}");
    assert!(ratio < 1.1);
}

fn time(client: &Client, message: String) -> Duration {
    let sent = Instant::now();
    let exchange = client.post("GetOrderDetails", message).unwrap();
    let took = sent.elapsed();
    assert_eq!(exchange.status, 200);
    assert!(!exchange.body.is_empty());
    took
}
