//! Books that are copied under load, from every engine, and put back into another one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use mpay_client::Confirmation;
use mpay_host::{
    Store,
    backup::{self, Backup, BackupError, Books, Server},
};
use tokio::runtime::Runtime;

use crate::{
    engines::{advance, ids, over_postgres, over_redis},
    harness::*,
    servers,
};

const BOOKS: Books = Books {
    store: "default",
    is_counter: mpay_ledger::is_counter,
    gate: mpay_ledger::GATE,
    table: mpay_ledger::postgres::TABLE,
};

const PAYERS: usize = 4;

fn back_up(server: &Server, stopped: bool, file: &Path) -> Result<Backup, BackupError> {
    let copied = backup::back_up_from(server, stopped, &BOOKS, file, "now", |_, _| {});
    Runtime::new().unwrap().block_on(copied)
}

fn restore(file: &Path, server: &Server) -> Result<Backup, BackupError> {
    let put_back = backup::restore_to(file, server, &BOOKS, |_, _| {});
    Runtime::new().unwrap().block_on(put_back)
}

fn of_redis(redis: &servers::Redis) -> Server {
    Server::at(&redis.url(), None).unwrap()
}

fn of_postgres(postgres: &servers::Postgres) -> Server {
    // It may be at starting.
    postgres.carry_out("SELECT 1");
    Server::at(&format!("{}?sslmode=disable", postgres.url()), None).unwrap()
}

type Payments = BTreeMap<String, Confirmation>;

/// Payments come all the time while a copy is taken into this file; gives those that were acknowledged before
/// it began. On a busy machine a copy can end between two of them: then another is taken.
fn copied_under_load(
    host: &Provider,
    run: &str,
    file: &Path,
    copy: impl Fn(&Path) -> Backup,
) -> Payments {
    let acknowledged = Mutex::new(Payments::new());
    let stop = AtomicBool::new(false);
    let wait_for = |count: usize| {
        let begun = Instant::now();
        while acknowledged.lock().unwrap().len() < count {
            assert!(begun.elapsed() < Duration::from_secs(120), "nobody pays");
            thread::sleep(Duration::from_millis(10));
        }
    };
    thread::scope(|scope| {
        for payer in 0..PAYERS {
            let (acknowledged, stop) = (&acknowledged, &stop);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let id = format!("{run}-{payer}-{number}");
                    let payment = confirmation(&payer.to_string(), &id, "1");
                    assert_eq!(code(host.mpay().confirm(&payment).unwrap()), "ok");
                    acknowledged.lock().unwrap().insert(id, payment);
                }
            });
        }
        wait_for(40);
        let before = (0..50).find_map(|_| {
            let before = acknowledged.lock().unwrap().clone();
            let made = copy(file);
            assert!(made.keys > 0);
            let paid_meanwhile = acknowledged.lock().unwrap().len() > before.len();
            if !paid_meanwhile {
                std::fs::remove_file(file).unwrap();
            }
            paid_meanwhile.then_some(before)
        });
        stop.store(true, Relaxed);
        before.expect("nobody paid while it was copied")
    })
}

/// Asserts that the books are whole: every acknowledged payment is there once, there is nothing to
/// repair, and everything goes on.
fn assert_whole(host: &Provider, run: &str, before: &Payments) {
    let mut after = "0".to_owned();
    loop {
        let repair = host.api("POST", &format!("repair?cursor={after}"), None);
        assert_eq!(repair.status, 200, "{repair:?}");
        for kind in ["repaired", "lost", "damaged", "unknown"] {
            assert_eq!(repair.body[kind], serde_json::json!([]), "{repair:?}");
        }
        match repair.body["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let all = ids(host);
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(all.len(), distinct.len(), "a payment counts twice");
    let lost: Vec<_> = before.keys().filter(|id| !distinct.contains(*id)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let mut paid = BTreeMap::new();
    for entry in host.ledger() {
        let order = entry["order_key"].as_str().unwrap().to_owned();
        *paid.entry(order).or_insert(0) += 1;
    }
    for payer in 0..PAYERS {
        let order = host.order(&payer.to_string());
        let paid = paid.get(&payer.to_string()).copied().unwrap_or(0);
        assert_eq!(order["amount_paid"], format!("{paid}.00"), "{order}");
    }
    // MPay's repetition is not paid twice; the next payment is recorded beside the others.
    let again = before.values().next().unwrap();
    let next = confirmation(&again.order_key, &format!("{run}-next"), "1");
    for payment in [again, &next, &next] {
        assert_eq!(
            code(host.mpay().confirm(payment).unwrap()),
            "ok",
            "{payment:?}"
        );
    }
    let now = ids(host);
    assert_eq!(now.len(), all.len() + 1);
    assert!(all.iter().all(|id| now.contains(id)));
}

#[test]
fn books_move_under_load_from_each_engine_to_another() {
    let (Some(redis), Some(postgres)) = (servers::Redis::start(), servers::Postgres::start())
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);

    let host = Provider::start();
    for payer in 0..PAYERS {
        host.register(&payer.to_string(), advance());
    }
    let store = host.store_file();
    let before = copied_under_load(&host, "S", &file("1.db"), |file| {
        backup::back_up(&store, file, "now", |_, _| {}).unwrap()
    });
    drop(host);

    restore(&file("1.db"), &of_redis(&redis)).unwrap();
    let host = Provider::start_tuned(&[], over_redis(&redis.url()));
    assert_whole(&host, "S", &before);
    let before = copied_under_load(&host, "R", &file("2.db"), |file| {
        back_up(&of_redis(&redis), false, file).unwrap()
    });
    drop(host);

    restore(&file("2.db"), &of_postgres(&postgres)).unwrap();
    let host = over_postgres(&postgres);
    assert_whole(&host, "R", &before);
    let before = copied_under_load(&host, "P", &file("3.db"), |file| {
        back_up(&of_postgres(&postgres), false, file).unwrap()
    });
    drop(host);

    let held = backup::restore(&file("3.db"), &file("4.db"), |_, _| {}).unwrap();
    assert_eq!(backup::check(&file("3.db")).unwrap(), held);
    let host = Provider::start_tuned(&[], |options| options.store = Store::File(file("4.db")));
    assert_whole(&host, "P", &before);
}

#[test]
fn nothing_is_put_where_something_is() {
    let (Some(redis), Some(postgres)) = (servers::Redis::start(), servers::Postgres::start())
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let host = Provider::start();
    host.register("1", order("10"));
    let store = host.store_file();
    let made = backup::back_up(&store, &file("1.db"), "now", |_, _| {}).unwrap();
    for server in [of_redis(&redis), of_postgres(&postgres)] {
        assert_eq!(restore(&file("1.db"), &server).unwrap(), made);
        let again = restore(&file("1.db"), &server).unwrap_err();
        assert!(matches!(again, BackupError::NotEmpty(_)), "{again}");
        assert!(!again.to_string().contains("only-for-tests"), "{again}");
        // The same books give the same file, from every engine.
        let name = file(&format!("{}.db", server.to_string().len()));
        let copied = back_up(&server, false, &name).unwrap();
        assert_eq!(copied, made);
        let over = back_up(&server, false, &name).unwrap_err();
        assert!(matches!(over, BackupError::Exists(_)), "{over}");
    }
}

/// Somebody ends `mpay restore` in the middle, and starts a host all the same.
#[test]
fn nothing_is_recorded_on_a_part_of_the_books() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let gate = (mpay_ledger::GATE.to_owned(), b"being put back".to_vec());
    let store = mpay_host::Redis::new(&redis.url()).unwrap();
    runtime.block_on(store.set(vec![gate])).unwrap();
    let host = Provider::start_tuned(&[], over_redis(&redis.url()));
    let put = host.api("PUT", "orders/TAX/1", Some(&order("10")));
    assert_eq!(put.status, 503, "{put:?}");
    let keys = runtime.block_on(store.keys()).unwrap();
    let recorded = keys.iter().find(|key| key.starts_with("journal/"));
    assert_eq!(recorded, None);
}

/// A run that was taken for dead goes on when another has taken over, or is done.
#[test]
fn who_was_taken_for_dead_writes_nothing_into_books_that_others_use() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let host = Provider::start();
    host.register("1", order("10"));
    let file = folder.path().join("1.db");
    backup::back_up(&host.store_file(), &file, "now", |_, _| {}).unwrap();
    let runtime = Runtime::new().unwrap();
    let store = mpay_host::Redis::new(&redis.url()).unwrap();
    let server = of_redis(&redis);
    // The other comes between the first run's claim and its writing.
    let other_is_done = std::cell::Cell::new(false);
    let first = backup::restore_to(&file, &server, &BOOKS, |_, _| {
        if !other_is_done.replace(true) {
            thread::scope(|scope| {
                let other = scope.spawn(|| restore(&file, &of_redis(&redis)).unwrap());
                other.join().unwrap();
            });
        }
    });
    let first = runtime.block_on(first).unwrap_err();
    assert!(matches!(first, BackupError::TakenOver(_)), "{first}");
    let gate = runtime.block_on(store.get(mpay_ledger::GATE)).unwrap();
    assert!(gate.unwrap().iter().all(u8::is_ascii_digit));
    let host = Provider::start_tuned(&[], over_redis(&redis.url()));
    assert_eq!(host.order("1")["amount_due"], "10.00");
}

#[test]
fn a_redis_that_keeps_its_snapshot_to_itself_is_copied_at_rest() {
    let settings = ["--rename-command", "PSYNC", ""];
    let Some(redis) = servers::Redis::start_with(&settings) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let host = Provider::start_tuned(&[], over_redis(&redis.url()));
    host.register("1", order("10"));
    let refused = back_up(&of_redis(&redis), false, &file("1.db")).unwrap_err();
    assert!(
        matches!(refused, BackupError::NoSnapshot { .. }),
        "{refused}"
    );
    assert!(!file("1.db").exists());
    drop(host);
    back_up(&of_redis(&redis), true, &file("1.db")).unwrap();
    // While somebody writes, it is refused, be it in the next try.
    let store = mpay_host::Redis::new(&redis.url()).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = Runtime::new().unwrap();
            while !stop.load(Relaxed) {
                runtime.block_on(store.increment("secret", 1)).unwrap();
            }
        });
        let refused = (0..100).any(|number| {
            let copied = back_up(&of_redis(&redis), true, &file(&format!("try-{number}.db")));
            matches!(copied, Err(BackupError::Written(_)))
        });
        stop.store(true, Relaxed);
        assert!(refused);
    });
}

#[test]
fn what_postgresql_would_lose_is_told() {
    let Some(postgres) = servers::Postgres::start_with(|_| vec!["fsync=off".to_owned()]) else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let server = of_postgres(&postgres);
    let found = runtime.block_on(server.weaknesses()).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("`fsync = off`"), "{found:?}");
}
