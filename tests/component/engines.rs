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
use mpay_ledger::{
    Platform, PlatformError, contract,
    postgres::{Connection, Failure, Postgres, Value},
};

use crate::{harness::*, host, servers};

/// A host whose store is at this address of Redis.
pub(crate) fn over_redis(url: &str) -> impl Fn(&mut Options) {
    let url = url.to_owned();
    move |options| options.store = Store::Redis(url.clone())
}

/// Payments come all the time to both hosts while their database is killed and started again, so many times
/// and with such pauses. Each that was acknowledged is there afterwards, and once.
fn no_acknowledged_payment_is_lost(
    hosts: [&Provider; 2],
    (kills, pause): (usize, Duration),
    mut kill_and_start_again: impl FnMut(),
) {
    const PAYERS: usize = 4;
    let begun = Instant::now();
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
            thread::sleep(pause);
            kill_and_start_again();
        }
        thread::sleep(pause);
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
    println!(
        "{kills} kills in {:.0?}: {} payments acknowledged",
        begun.elapsed(),
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
    // Each order has its payments, too: of 1.00 each, and one at most of which nobody heard.
    for payer in 0..PAYERS {
        let order = hosts[1].order(&payer.to_string());
        let of_payer = format!("P-{payer}-");
        let counted = acknowledged
            .iter()
            .filter(|id| id.starts_with(&of_payer))
            .count();
        let expected = [counted, counted + 1].map(|count| format!("{count}.00"));
        let paid = order["amount_paid"].as_str().unwrap();
        assert!(
            expected.iter().any(|expected| expected == paid),
            "{paid} for {counted}"
        );
    }
}

/// A storm of a second or two, as often as this.
fn short(kills: usize) -> (usize, Duration) {
    (kills, Duration::from_millis(700))
}

/// A storm of so many minutes as `MPAY_SOAK_MINUTES` says.
fn soak() -> (usize, Duration) {
    let minutes = std::env::var("MPAY_SOAK_MINUTES").map_or(60, |text| text.parse().unwrap());
    (minutes * 6, Duration::from_secs(10))
}

/// The ids of all payments, as a reader finds them.
pub(crate) fn ids(host: &Provider) -> Vec<String> {
    let ledger = host.ledger();
    let ids = ledger.iter().map(|entry| entry["payment_id"].as_str());
    ids.map(|id| id.unwrap().to_owned()).collect()
}

/// An order that takes any number of payments.
pub(crate) fn advance() -> serde_json::Value {
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
    kill_redis(short(3));
}

#[test]
#[ignore = "takes an hour"]
fn soak_on_redis() {
    kill_redis(soak());
}

fn kill_redis(storm: (usize, Duration)) {
    let Some(mut redis) = servers::Redis::start() else {
        return;
    };
    let hosts = [0; 2].map(|_| Provider::start_tuned(&[], over_redis(&redis.url())));
    assert!(!hosts[0].log().contains("Redis"), "{}", hosts[0].log());
    no_acknowledged_payment_is_lost([&hosts[0], &hosts[1]], storm, || {
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

/// A host whose books are in this database.
pub(crate) fn over_postgres(postgres: &servers::Postgres) -> Provider {
    let url = format!("{}?sslmode=disable", postgres.url());
    let origin = postgres.origin();
    Provider::start_on_postgres(&[("database_url", &url), ("database_origin", &origin)])
}

/// The store of the components over a connection of this process.
struct Native(Postgres<Client>);

struct Client(tokio_postgres::Client);

impl Native {
    async fn new(postgres: &servers::Postgres) -> Self {
        Self(Postgres(Client(postgres.administer().await)))
    }
}

impl Connection for Client {
    async fn query(
        &self,
        statement: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        use tokio_postgres::types::{ToSql, Type};
        let parameters: Vec<Box<dyn ToSql + Sync>> = parameters
            .into_iter()
            .map(|value| match value {
                Value::Text(value) => Box::new(value) as Box<dyn ToSql + Sync>,
                Value::Texts(values) => Box::new(values),
                Value::Bytes(value) => Box::new(value),
                Value::Integer(value) => Box::new(value),
                Value::Integers(values) => Box::new(values),
            })
            .collect();
        let references: Vec<_> = parameters.iter().map(AsRef::as_ref).collect();
        let rows = self.0.query(statement, &references).await;
        let rows = rows.map_err(|error| match error.as_db_error() {
            Some(told) => Failure::Server {
                code: told.code().code().to_owned(),
                message: told.message().to_owned(),
            },
            None => Failure::Broken(error.to_string()),
        })?;
        let value = |row: &tokio_postgres::Row, index: usize| match *row.columns()[index].type_() {
            Type::TEXT => Value::Text(row.get(index)),
            Type::BYTEA => Value::Bytes(row.get(index)),
            Type::INT8 => Value::Integer(row.get(index)),
            ref other => panic!("{other}"),
        };
        let columns = |row| (0..tokio_postgres::Row::len(row)).map(move |index| value(row, index));
        Ok(rows.iter().map(|row| columns(row).collect()).collect())
    }
}

impl Platform for Native {
    async fn get_many(
        &self,
        keys: &[String],
    ) -> Result<std::collections::HashMap<String, Vec<u8>>, PlatformError> {
        self.0.get_many(keys).await
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        self.0.set_many(entries).await
    }

    async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        self.0.increment(key, by).await
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        BEGUN.get_or_init(Instant::now).elapsed()
    }

    fn random(&self) -> u64 {
        std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[test]
fn postgresql_keeps_the_contract_of_the_platform() {
    let Some(postgres) = servers::Postgres::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Native::new(&postgres).await;
        contract::check(&store, "contract").await.unwrap();
        // Of two values for one key the last counts, as on every other store.
        let twice = [1, 2].map(|value| ("twice".to_owned(), vec![value]));
        store.set_many(&twice).await.unwrap();
        let read = store.get_many(&["twice".to_owned()]).await.unwrap();
        assert_eq!(read["twice"], [2]);
    });
}

/// The server's transactions do not wait for its disk, but those that write the books do.
#[test]
fn what_postgresql_has_acknowledged_is_there_after_a_kill() {
    let Some(mut postgres) = servers::Postgres::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut store = runtime.block_on(Native::new(&postgres));
    for round in 1..=3 {
        let entry = (format!("entry/{round}"), vec![1]);
        let kept = std::slice::from_ref(&entry);
        // The one that is written last is the one that is tried.
        match round % 2 {
            0 => {
                runtime.block_on(store.set_many(kept)).unwrap();
                runtime.block_on(store.increment("n", 1)).unwrap();
            }
            _ => {
                runtime.block_on(store.increment("n", 1)).unwrap();
                runtime.block_on(store.set_many(kept)).unwrap();
            }
        }
        postgres.kill();
        postgres.again();
        store = runtime.block_on(Native::new(&postgres));
        let keys = ["n".to_owned(), entry.0];
        let read = runtime.block_on(store.get_many(&keys)).unwrap();
        assert_eq!(read["n"], round.to_string().as_bytes());
        assert_eq!(read[&keys[1]], [1]);
    }
}

/// 64 callers at once, whose batches have the same keys in other orders.
#[test]
fn what_postgresql_counts_and_writes_is_right_for_many_at_once() {
    const KEYS: usize = 500;
    let Some(postgres) = servers::Postgres::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let local = tokio::task::LocalSet::new();
    let taken: BTreeSet<u64> = local.block_on(&runtime, async {
        let mut tasks = Vec::new();
        for task in 0..64 {
            let store = Native::new(&postgres).await;
            tasks.push(tokio::task::spawn_local(async move {
                let keys = (0..KEYS).map(|key| (format!("key/{key}"), vec![task]));
                let mut keys: Vec<_> = keys.collect();
                keys.rotate_left(usize::from(task) * 7);
                if task % 2 == 0 {
                    keys.reverse();
                }
                let last = store.increment("n", 3).await.unwrap();
                store.set_many(&keys).await.unwrap();
                let keys: Vec<_> = keys.into_iter().map(|(key, _)| key).collect();
                let read = store.get_many(&keys).await.unwrap();
                let values: BTreeSet<_> = read.values().collect();
                assert_eq!(
                    (read.len(), values.len()),
                    (KEYS, 1),
                    "a part of a batch is seen"
                );
                last - 2..=last
            }));
        }
        let mut taken = Vec::new();
        for task in tasks {
            taken.extend(task.await.unwrap());
        }
        assert_eq!(taken.len(), 192);
        taken.into_iter().collect()
    });
    assert_eq!(taken, (1..=192).collect());
}

#[test]
fn no_payment_that_two_hosts_acknowledged_is_lost_when_postgresql_is_killed() {
    kill_postgresql(short(4));
}

#[test]
#[ignore = "takes an hour"]
fn soak_on_postgresql() {
    kill_postgresql(soak());
}

fn kill_postgresql(storm: (usize, Duration)) {
    let Some(mut postgres) = servers::Postgres::start() else {
        return;
    };
    let hosts = [0; 2].map(|_| over_postgres(&postgres));
    let mut times = 0;
    no_acknowledged_payment_is_lost([&hosts[0], &hosts[1]], storm, || {
        times += 1;
        if times % 2 == 0 {
            // As a failover does, in the middle of what they are at.
            postgres.carry_out(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            );
        } else {
            postgres.kill();
            postgres.again();
        }
    });
}

#[test]
fn a_postgresql_that_is_silent_gone_or_read_only_is_an_error_in_time() {
    let Some(mut postgres) = servers::Postgres::start() else {
        return;
    };
    let host = over_postgres(&postgres);
    a_dead_database_is_an_error_in_time(&host, |halted| postgres.halt(halted));

    let set = "ALTER SYSTEM SET default_transaction_read_only =";
    let reload = "SELECT pg_reload_conf()";
    for (read_only, expected) in [("on", "InternalError"), ("off", "ok")] {
        postgres.carry_out(&format!("{set} {read_only}"));
        postgres.carry_out(reload);
        thread::sleep(Duration::from_millis(300));
        host.mpay().details(SERVICE, "1", "ro").unwrap();
        let answer = host.mpay().confirm(&confirmation("1", "P-2", "5")).unwrap();
        assert_eq!(code(answer), expected, "{read_only}: {}", host.log());
    }

    postgres.kill();
    let begun = Instant::now();
    let answer = host.mpay().confirm(&confirmation("1", "P", "10")).unwrap();
    assert_eq!(code(answer), "InternalError");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    postgres.again();
    // It looks through its log first, and answers nobody.
    let begun = Instant::now();
    while code(host.mpay().confirm(&confirmation("1", "P", "10")).unwrap()) != "ok" {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", host.log());
    }
    assert_eq!(host.ledger().len(), 2);
    assert!(!host.log().contains("only-for-tests"), "{}", host.log());
}

/// Transactions that fail because of each other have no effect and are repeated.
#[test]
fn one_payment_confirmed_to_two_hosts_at_once_counts_once_on_postgresql() {
    let Some(postgres) = servers::Postgres::start() else {
        return;
    };
    postgres
        .carry_out("ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'");
    let hosts = [0; 2].map(|_| over_postgres(&postgres));
    one_payment_counts_once([&hosts[0], &hosts[1]]);
}

#[test]
fn a_database_that_is_not_allowed_or_not_named_is_told() {
    let other = ("database_url", "postgres://a:only-for-tests@127.0.0.2/b");
    for variables in [&[other][..], &[]] {
        let host = Provider::start_on_postgres(variables);
        assert_eq!(
            code(host.mpay().details(SERVICE, "1", "ro").unwrap()),
            "InternalError"
        );
        assert_eq!(host.http("GET", "health", &[], b"").status().as_u16(), 503);
        let log = host.log();
        assert!(!log.contains("only-for-tests"), "{log}");
        let expected = match variables {
            [] => "the variable database_url is not set",
            _ => "refused a connection of the component to postgres://127.0.0.2:5432",
        };
        assert!(log.contains(expected), "{log}");
    }
}

#[test]
fn the_certificate_of_a_database_is_checked_and_its_name() {
    if servers::program("openssl").is_none() {
        return;
    }
    let mut authority = String::new();
    let started = servers::Postgres::start_with(|data| {
        servers::make_certificates(data);
        authority = std::fs::read_to_string(data.join("ca.pem")).unwrap();
        let settings = [
            "ssl=on",
            "ssl_cert_file=server.pem",
            "ssl_key_file=server.key",
        ];
        settings.map(str::to_owned).to_vec()
    });
    let Some(postgres) = started else {
        return;
    };
    let url = format!("{}?sslmode=require", postgres.url());
    let named = |text: &str| text.replace("127.0.0.1", "localhost");
    for (url, origin, ca, expected) in [
        (
            url.clone(),
            postgres.origin(),
            authority.as_str(),
            "UnknownOrder",
        ),
        (url.clone(), postgres.origin(), "", "InternalError"),
        (
            named(&url),
            named(&postgres.origin()),
            &authority,
            "InternalError",
        ),
    ] {
        let host = Provider::start_on_postgres(&[
            ("database_url", &url),
            ("database_origin", &origin),
            ("database_ca", ca),
        ]);
        let answer = host.mpay().details(SERVICE, "absent", "ro").unwrap();
        assert_eq!(code(answer), expected, "{}", host.log());
    }
}
