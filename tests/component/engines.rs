//! The provider over each engine that it can have beside SQLite: the real servers, killed, halted and
//! started again.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use mpay_host::{Options, Store};

use crate::{harness::*, host, servers};

/// A host whose store is at this address of Redis.
fn over_redis(url: &str) -> impl Fn(&mut Options) {
    let url = url.to_owned();
    move |options| options.store = Store::Redis(url.clone())
}

/// Payments come all the time to both hosts while their database is killed and started again. Each that
/// was acknowledged is there afterwards, and once.
fn no_acknowledged_payment_is_lost(
    hosts: [&Provider; 2],
    kills: usize,
    mut kill_and_start_again: impl FnMut(),
) {
    const PAYERS: usize = 4;
    for payer in 0..PAYERS {
        hosts[0].register(&payer.to_string(), advance());
    }
    let stop = AtomicBool::new(false);
    let acknowledged: Vec<String> = thread::scope(|scope| {
        let payers: Vec<_> = (0..PAYERS)
            .map(|payer| {
                let (host, stop) = (hosts[payer % 2], &stop);
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    let mut number = 0;
                    while !stop.load(Relaxed) {
                        number += 1;
                        let id = format!("P-{payer}-{number}");
                        let payment = confirmation(&payer.to_string(), &id, "1");
                        // As MPay does, it comes again until it is acknowledged.
                        while !stop.load(Relaxed) {
                            match host.mpay().confirm(&payment).map(code) {
                                Ok(answer) if answer == "ok" => {
                                    acknowledged.push(id.clone());
                                    break;
                                }
                                _ => thread::sleep(Duration::from_millis(50)),
                            }
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(700));
            kill_and_start_again();
        }
        thread::sleep(Duration::from_millis(700));
        stop.store(true, Relaxed);
        payers
            .into_iter()
            .flat_map(|payer| payer.join().unwrap())
            .collect()
    });
    assert!(
        acknowledged.len() > 10 * kills,
        "only {}",
        acknowledged.len()
    );
    for host in hosts {
        let missing = |recorded: &[String]| {
            let missing = acknowledged.iter().filter(|id| !recorded.contains(id));
            missing.cloned().collect::<Vec<_>>()
        };
        // A reader does not pass what a host may still be writing, and waits for it.
        let begun = Instant::now();
        let mut recorded = ids(host);
        while !missing(&recorded).is_empty() && begun.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(200));
            recorded = ids(host);
        }
        let missing = missing(&recorded);
        assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
        let distinct: BTreeSet<_> = recorded.iter().collect();
        assert_eq!(recorded.len(), distinct.len(), "a payment counts twice");
    }
    // Each order has its payments, too.
    for payer in 0..PAYERS {
        let order = hosts[1].order(&payer.to_string());
        let paid = order["payments"].as_array().unwrap().len();
        let of_payer = format!("P-{payer}-");
        let counted = acknowledged
            .iter()
            .filter(|id| id.starts_with(&of_payer))
            .count();
        assert!(
            paid >= counted && paid <= counted + 1,
            "{paid} for {counted}"
        );
    }
}

/// The ids of all payments, as a reader finds them.
fn ids(host: &Provider) -> Vec<String> {
    let ledger = host.ledger();
    let ids = ledger.iter().map(|entry| entry["payment_id"].as_str());
    ids.map(|id| id.unwrap().to_owned()).collect()
}

/// An order that takes any number of payments.
fn advance() -> serde_json::Value {
    serde_json::json!({
        "reason": "Donație", "allow_advance_payments": true,
        "lines": [{"line_id": "1", "reason": "Donație"}]
    })
}

/// A call is refused within the time that it has, so that MPay comes again, and all goes on afterwards.
fn a_dead_database_is_an_error_in_time(host: &Provider, halt: impl Fn(bool)) {
    host.register("1", order("10"));
    halt(true);
    let begun = Instant::now();
    let answer = host.mpay().confirm(&confirmation("1", "P", "10")).unwrap();
    assert_eq!(code(answer), "InternalError");
    assert!(
        begun.elapsed() < Duration::from_secs(29),
        "{:?}",
        begun.elapsed()
    );
    let ready = host.http("GET", "health", &[], b"").status().as_u16();
    assert_ne!(ready, 200);
    halt(false);
    let answer = host.mpay().confirm(&confirmation("1", "P", "10")).unwrap();
    assert_eq!(code(answer), "ok");
    assert_eq!(host.ledger().len(), 1);
}

#[test]
fn redis_keeps_the_contract_of_the_platform() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    host::assert_contract_kept(over_redis(&redis.url()));
}

#[test]
fn what_redis_counts_and_lists_is_right_for_many_at_once() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hosts = [0; 2].map(|_| mpay_host::Redis::new(&redis.url()).unwrap());
    runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let host = hosts[n % 2].clone();
                tokio::spawn(async move {
                    let last = host.increment("n", 3).await.unwrap();
                    let name = |n: i64| format!("n/{n:03}");
                    let pairs = (last - 2..=last).map(|n| (name(n), vec![1]));
                    host.set(pairs.collect()).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let keys = hosts[0].keys().await.unwrap();
        let expected = (1..=192).map(|n| format!("n/{n:03}"));
        assert_eq!(
            keys,
            std::iter::once("n".to_owned())
                .chain(expected)
                .collect::<Vec<_>>()
        );
        let read = hosts[1].get_many(vec![
            "n".into(),
            "absent".into(),
            "n".into(),
            "n/001".into(),
        ]);
        let expected = [
            ("n".to_owned(), b"192".to_vec()),
            ("n/001".to_owned(), vec![1]),
        ];
        assert_eq!(read.await.unwrap(), expected);
    });
}

#[test]
fn no_payment_that_two_hosts_acknowledged_is_lost_when_redis_is_killed() {
    let Some(mut redis) = servers::Redis::start() else {
        return;
    };
    let hosts = [0; 2].map(|_| Provider::start_tuned(&[], over_redis(&redis.url())));
    assert!(!hosts[0].log().contains("Redis"), "{}", hosts[0].log());
    no_acknowledged_payment_is_lost([&hosts[0], &hosts[1]], 3, || {
        redis.kill();
        redis.again();
    });
}

#[test]
fn a_redis_that_is_silent_or_gone_is_an_error_in_time() {
    let Some(mut redis) = servers::Redis::start() else {
        return;
    };
    let host = Provider::start_tuned(&[], over_redis(&redis.url()));
    a_dead_database_is_an_error_in_time(&host, |halted| redis.halt(halted));
    redis.kill();
    let begun = Instant::now();
    let answer = host.mpay().confirm(&confirmation("1", "P", "10")).unwrap();
    assert_eq!(code(answer), "InternalError");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    redis.again();
    assert_eq!(host.ledger().len(), 1);
}

#[test]
fn settings_by_which_redis_loses_payments_are_told() {
    let settings = ["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"];
    let Some(redis) = servers::Redis::start_with(&settings) else {
        return;
    };
    let host = Provider::start_tuned(&[], over_redis(&redis.url()));
    let log = host.log();
    for setting in [
        "`appendonly yes`",
        "`appendfsync always`",
        "`maxmemory-policy noeviction`",
    ] {
        assert!(log.contains(&format!("set {setting}")), "{log}");
    }
}

#[test]
fn a_replica_of_redis_is_not_used() {
    let Some(primary) = servers::Redis::start() else {
        return;
    };
    let port: &'static str = primary.url().rsplit_once(':').unwrap().1.to_owned().leak();
    let settings = ["--replicaof", "127.0.0.1", port];
    let Some(replica) = servers::Redis::start_with(&settings) else {
        return;
    };
    let host = Provider::start_tuned(&[], over_redis(&replica.url()));
    let answer = host.mpay().details(SERVICE, "1", "ro").unwrap();
    assert_eq!(code(answer), "InternalError");
    assert!(
        host.log().contains("this server is a replica"),
        "{}",
        host.log()
    );
}

/// Several callers of one moment.
#[test]
fn one_payment_confirmed_to_two_hosts_at_once_counts_once_on_redis() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    let hosts = [0; 2].map(|_| Provider::start_tuned(&[], over_redis(&redis.url())));
    one_payment_counts_once([&hosts[0], &hosts[1]]);
}

fn one_payment_counts_once(hosts: [&Provider; 2]) {
    hosts[0].register("1", order("10"));
    let together = Arc::new(Barrier::new(8));
    thread::scope(|scope| {
        for n in 0..8 {
            let (host, together) = (hosts[n % 2], Arc::clone(&together));
            scope.spawn(move || {
                together.wait();
                let payment = confirmation("1", "P", "10");
                while code(host.mpay().confirm(&payment).unwrap()) != "ok" {}
            });
        }
    });
    for host in hosts {
        assert_eq!(host.ledger().len(), 1);
        assert_eq!(host.order("1")["payments"].as_array().unwrap().len(), 1);
    }
}
