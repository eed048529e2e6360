//! A measurement of the engines beside each other on one machine, and no test.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use mpay_client::{Client, encode_query};
use mpay_host::{Fault, Observer};
use tokio::runtime::Runtime;
use wsse::Content;

use crate::{
    engines::{advance, over_postgres, over_redis},
    harness::*,
    servers,
};

const CALLERS: usize = 8;
const CALLS: usize = 240;
const ROUNDS: usize = 3;

/// Gives the number of commits so far.
type Commits = Box<dyn Fn() -> usize>;

/// Sends all messages, each once, over some connections at once, and gives how long that took.
fn time(host: &Provider, operation: &str, messages: Vec<String>) -> Duration {
    let left = Mutex::new(messages);
    let clients: Vec<Client> = (0..CALLERS).map(|_| host.mpay()).collect();
    let begun = Instant::now();
    thread::scope(|scope| {
        for client in &clients {
            let left = &left;
            scope.spawn(move || {
                loop {
                    let message = left.lock().unwrap().pop();
                    let Some(message) = message else { return };
                    let exchange = client.post(operation, message).unwrap();
                    assert_eq!(
                        exchange.status,
                        200,
                        "{}",
                        String::from_utf8_lossy(&exchange.body)
                    );
                }
            });
        }
    });
    begun.elapsed()
}

fn signed(host: &Provider, contents: impl Iterator<Item = Content>) -> Vec<String> {
    let client = host.mpay();
    contents
        .map(|content| client.sign(&content).unwrap())
        .collect()
}

#[test]
#[ignore = "it measures, for some minutes: cargo test --test component -- --ignored --nocapture engines_beside"]
fn the_engines_beside_each_other() {
    let (Some(redis), Some(postgres)) = (servers::Redis::start(), servers::Postgres::start())
    else {
        return;
    };
    let counting = || {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let observer: Observer = Arc::new(move |call| {
            counted.fetch_add(call.operation.writes().into(), Relaxed);
            Fault::None
        });
        (observer, Box::new(move || count.load(Relaxed)) as Commits)
    };
    let (of_sqlite, sqlite_commits) = counting();
    let (of_redis, redis_commits) = counting();
    let runtime = Runtime::new().unwrap();
    let administrator = runtime.block_on(async { postgres.administer().await });
    // Transactions that only read take no number.
    let postgres_commits: Commits = Box::new(move || {
        let next = "SELECT txid_snapshot_xmax(txid_current_snapshot())";
        let next = runtime
            .block_on(administrator.query_one(next, &[]))
            .unwrap();
        usize::try_from(next.get::<_, i64>(0)).unwrap()
    });
    let hosts = [
        (
            "SQLite",
            Provider::start_with(&[], Some(of_sqlite)),
            sqlite_commits,
        ),
        (
            "Redis",
            Provider::start_tuned(&[], |options| {
                over_redis(&redis.url())(options);
                options.observer = Some(of_redis);
            }),
            redis_commits,
        ),
        ("PostgreSQL", over_postgres(&postgres), postgres_commits),
    ];
    // Of each engine the best of its rounds: what else the machine does makes it slower, never faster.
    let mut best = [(f64::MIN, f64::MIN, 0.0); 3];
    for round in 0..ROUNDS {
        for ((_, host, commits), best) in hosts.iter().zip(&mut best) {
            let key = |number: usize| format!("{round}-{number}");
            for number in 0..CALLS {
                host.register(&key(number), advance());
            }
            let details = (0..CALLS).map(|number| encode_query(SERVICE, &key(number), "ro"));
            let confirmations = (0..CALLS).map(|number| {
                confirmation(&key(number), &format!("P-{round}-{number}"), "1").encode()
            });
            let (details, confirmations) = (signed(host, details), signed(host, confirmations));
            let asked = time(host, "GetOrderDetails", details);
            let before = commits();
            let paid = time(host, "ConfirmOrderPayment", confirmations);
            let rate = |time: Duration| CALLS as f64 / time.as_secs_f64();
            *best = (
                best.0.max(rate(paid)),
                best.1.max(rate(asked)),
                (commits() - before) as f64 / CALLS as f64,
            );
        }
    }
    println!("| engine | ConfirmOrderPayment /s | GetOrderDetails /s | commits a confirmation |");
    println!("| --- | --- | --- | --- |");
    for ((engine, ..), (paid, asked, commits)) in hosts.iter().zip(best) {
        println!("| {engine} | {paid:.0} | {asked:.0} | {commits:.1} |");
    }
}
