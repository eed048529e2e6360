//! Accidents between `mpay restore` and a server: the connection breaks at the last write, or another program
//! writes there. If the server may have the books already, the error must not lead its reader to empty it.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use mpay_host::{Database, KEY_VALUE_FILE, Redis};
use tokio::runtime::Runtime;

use crate::{mpay, servers};

/// The beginning of what writes the counter of the journal as long as it says that the books are being put back.
const OPENS: &[u8] = b"\r\n$7\r\njournal\r\n$7\r\njournal\r\n";
/// The same where the books have none.
const DELETES: &[u8] = b"return redis.call('DEL', KEYS[1])";
/// The last statement to PostgreSQL.
const COMMITS: &[u8] = b"COMMIT\0";

/// The way in which the connection breaks when the mark comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// It does not: something happens meanwhile, and the request is sent on.
    Not,
    /// The write is not sent on.
    Before,
    /// It is done, and the answer is lost.
    After,
}

/// A way to a server which breaks once, when a request has these bytes.
struct Way {
    port: u16,
    broken: Arc<AtomicBool>,
}

impl Way {
    /// One that does not break. `meanwhile` is called at each mark until it says that it has done something.
    fn at_each(
        server: u16,
        at: &'static [u8],
        meanwhile: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(server, at, Break::Not, true, meanwhile)
    }

    /// `returns` says whether who comes again is let through; `meanwhile` is done in between.
    fn to(
        server: u16,
        at: &'static [u8],
        how: Break,
        returns: bool,
        meanwhile: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self::new(server, at, how, returns, move || {
            meanwhile();
            true
        })
    }

    fn new(
        server: u16,
        at: &'static [u8],
        how: Break,
        returns: bool,
        meanwhile: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let broken = Arc::new(AtomicBool::new(false));
        let (is_broken, meanwhile) = (Arc::clone(&broken), Arc::new(meanwhile));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_broken.load(SeqCst) && !returns {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (broken, meanwhile) = (Arc::clone(&is_broken), Arc::clone(&meanwhile));
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let loses = Arc::new(AtomicBool::new(false));
                let losing = Arc::clone(&loses);
                thread::spawn(move || {
                    forward(client, server, |sent| {
                        let is_last = sent.windows(at.len()).any(|part| part == at);
                        if !is_last || broken.load(SeqCst) {
                            return true;
                        }
                        sent.clear();
                        losing.store(how == Break::After, SeqCst);
                        broken.store(how == Break::After || meanwhile(), SeqCst);
                        how != Break::Before
                    });
                });
                thread::spawn(move || forward(to, from, |_| !loses.load(SeqCst)));
            }
        });
        Self { port, broken }
    }
}

/// Sends on what comes as long as `may`, which is given the end of what came; then neither side hears any more.
fn forward(mut from: TcpStream, mut to: TcpStream, mut may: impl FnMut(&mut Vec<u8>) -> bool) {
    let (mut part, mut end) = (vec![0; 64 << 10], Vec::new());
    while let Ok(length @ 1..) = from.read(&mut part) {
        end.extend_from_slice(&part[..length]);
        if !may(&mut end) || to.write_all(&part[..length]).is_err() {
            break;
        }
        // A mark can come in two parts.
        end.drain(..end.len().saturating_sub(64));
    }
    for side in [from, to] {
        let _ = side.shutdown(Shutdown::Both);
    }
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    mpay().current_dir(folder).args(arguments).output().unwrap()
}

/// A folder with a copy of books, with a counter of the journal or without.
fn with_copy(has_journal: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let store = Database::open(folder.path().join(KEY_VALUE_FILE)).unwrap();
    let pairs = (0..3)
        .map(|n| (format!("note/{n}"), b"1".to_vec()))
        .collect();
    runtime.block_on(store.set("default", pairs)).unwrap();
    if has_journal {
        let counter = mpay_ledger::GATE.to_owned();
        runtime
            .block_on(store.increment("default", counter, 7))
            .unwrap();
    }
    drop(store);
    let copied = run(&["backup", "copy.db", "--state-dir", "."], folder.path());
    assert!(copied.status.success(), "{copied:?}");
    folder
}

fn restore(folder: &Path, address: &str) -> (Option<i32>, String) {
    fs::write(folder.join("address"), address).unwrap();
    let ended = run(&["restore", "copy.db", "--to", "@address"], folder);
    let error = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.code(), error)
}

fn port_of(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

#[test]
fn who_has_no_answer_to_the_last_write_to_redis_is_told_what_may_be_there() {
    const PART: &str = "is a part of the books, and nothing can be recorded";
    const PERHAPS: &str = "do not empty it";
    for (has_journal, at, how, returns, code, words, again) in [
        // It looks, and all is there.
        (true, OPENS, Break::After, true, 0, "", "is not empty"),
        (false, DELETES, Break::After, true, 0, "", "is not empty"),
        // It cannot look.
        (true, OPENS, Break::After, false, 2, PERHAPS, "is not empty"),
        (
            false,
            DELETES,
            Break::After,
            false,
            2,
            PERHAPS,
            "is not empty",
        ),
        (true, OPENS, Break::Before, false, 2, PERHAPS, ""),
        // It looks, and the last write is missing.
        (true, OPENS, Break::Before, true, 2, PART, ""),
        (false, DELETES, Break::Before, true, 2, PART, ""),
    ] {
        let Some(redis) = servers::Redis::start() else {
            return;
        };
        let case = format!("{has_journal} {how:?} {returns}");
        let folder = with_copy(has_journal);
        let folder = folder.path();
        let way = Way::to(port_of(&redis.url()), at, how, returns, || {});
        let (ended, error) = restore(folder, &format!("redis://127.0.0.1:{}", way.port));
        assert!(way.broken.load(SeqCst), "{case}");
        assert_eq!(ended, Some(code), "{case}: {error}");
        assert!(error.contains(words), "{case}: {error}");
        // Only where it is known to be a part is there talk of emptying.
        assert_eq!(error.contains("FLUSHDB"), words == PART, "{case}: {error}");
        let (ended, error) = restore(folder, &redis.url());
        match again {
            "" => assert_eq!(ended, Some(0), "{case}: {error}"),
            again => assert!(error.contains(again), "{case}: {error}"),
        }
        let (runtime, store) = (Runtime::new().unwrap(), Redis::new(&redis.url()).unwrap());
        let gate = runtime.block_on(store.get(mpay_ledger::GATE)).unwrap();
        assert_eq!(gate, has_journal.then(|| b"7".to_vec()), "{case}");
        let keys = runtime.block_on(store.keys()).unwrap();
        assert_eq!(keys.len(), 3 + usize::from(has_journal), "{case}");
    }
}

#[test]
fn whose_last_write_comes_after_another_has_taken_over_is_told_so() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    let folder = with_copy(true);
    let folder = folder.path();
    let url = redis.url();
    let takes_over = move || {
        let (runtime, store) = (Runtime::new().unwrap(), Redis::new(&url).unwrap());
        let claim = runtime.block_on(store.get(mpay_ledger::GATE)).unwrap();
        let mut claim = claim.unwrap();
        // The same books, and another run.
        claim.push(b'x');
        let pair = vec![(mpay_ledger::GATE.to_owned(), claim)];
        runtime.block_on(store.set(pair)).unwrap();
    };
    let way = Way::to(
        port_of(&redis.url()),
        OPENS,
        Break::Before,
        true,
        takes_over,
    );
    let (ended, error) = restore(folder, &format!("redis://127.0.0.1:{}", way.port));
    assert_eq!(ended, Some(2), "{error}");
    assert!(error.contains("has taken over"), "{error}");
    assert!(!error.contains("FLUSHDB"), "{error}");
    let (ended, error) = restore(folder, &redis.url());
    assert_eq!(ended, Some(0), "{error}");
}

#[test]
fn who_has_no_answer_to_the_last_statement_to_postgresql_is_told_what_may_be_there() {
    for (how, again) in [(Break::After, "is not empty"), (Break::Before, "")] {
        let Some(postgres) = servers::Postgres::start() else {
            return;
        };
        postgres.carry_out(mpay_ledger::postgres::TABLE);
        let folder = with_copy(true);
        let folder = folder.path();
        let address = format!("{}?sslmode=disable", postgres.url());
        let port = port_of(&postgres.origin());
        let way = Way::to(port, COMMITS, how, false, || {});
        let broken = address.replace(&format!(":{port}"), &format!(":{}", way.port));
        let (ended, error) = restore(folder, &broken);
        assert!(way.broken.load(SeqCst));
        assert_eq!(ended, Some(2), "{error}");
        assert!(error.contains("do not empty it"), "{how:?}: {error}");
        assert!(!error.contains("only-for-tests"), "{error}");
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(postgres.administer());
        // The server may still be at ending the session.
        let (ended, error) = restore(folder, &address);
        match again {
            "" => assert_eq!(ended, Some(0), "{how:?}: {error}"),
            again => assert!(error.contains(again), "{how:?}: {error}"),
        }
        let asked = client.query_one("SELECT count(*) FROM mpay_books", &[]);
        let there: i64 = runtime.block_on(asked).unwrap().get(0);
        assert_eq!(there, 4, "{how:?}");
    }
}

/// Keys of the server while its hosts should be stopped.
fn write(url: &str, key: &str) {
    let (runtime, store) = (Runtime::new().unwrap(), Redis::new(url).unwrap());
    let pair = vec![(key.to_owned(), b"another's".to_vec())];
    runtime.block_on(store.set(pair)).unwrap();
}

#[test]
fn what_somebody_else_writes_into_redis_meanwhile_is_found_before_it_is_served() {
    for (at, key, words) in [
        // When what was written is read again, and when it is counted.
        (&b"MGET"[..], "note/1", "is not what was written"),
        (
            b"DBSIZE",
            "other",
            "other keys beside those that were written",
        ),
    ] {
        let Some(redis) = servers::Redis::start() else {
            return;
        };
        let folder = with_copy(true);
        let folder = folder.path();
        // The first count looks whether there is nothing.
        let url = redis.url();
        let is_begun = AtomicBool::new(at != b"DBSIZE");
        let way = Way::at_each(port_of(&redis.url()), at, move || {
            let begun = is_begun.swap(true, SeqCst);
            if begun {
                write(&url, key);
            }
            begun
        });
        let (ended, error) = restore(folder, &format!("redis://127.0.0.1:{}", way.port));
        assert!(way.broken.load(SeqCst), "{key}");
        assert_eq!(ended, Some(2), "{key}: {error}");
        assert!(error.contains(words), "{key}: {error}");
        let (runtime, store) = (Runtime::new().unwrap(), Redis::new(&redis.url()).unwrap());
        let gate = runtime.block_on(store.get(mpay_ledger::GATE)).unwrap();
        let gate = String::from_utf8(gate.unwrap()).unwrap();
        assert!(gate.contains("are being put back"), "{gate}");
    }
}

#[test]
fn a_redis_that_holds_anything_is_left_as_it_is() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    write(&redis.url(), "another-program");
    let folder = with_copy(true);
    let (ended, error) = restore(folder.path(), &redis.url());
    assert_eq!(ended, Some(2), "{error}");
    assert!(error.contains("is not empty"), "{error}");
    let (runtime, store) = (Runtime::new().unwrap(), Redis::new(&redis.url()).unwrap());
    let keys = runtime.block_on(store.keys()).unwrap();
    assert_eq!(keys, ["another-program"]);
}

/// Such as one that somebody has put on every table.
#[test]
fn a_postgresql_that_changes_what_is_written_gets_nothing() {
    let Some(postgres) = servers::Postgres::start() else {
        return;
    };
    postgres.carry_out(mpay_ledger::postgres::TABLE);
    postgres.carry_out(
        "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN IF NEW.key = 'note/1' THEN NEW.value = 'x'; END IF; RETURN NEW; END$$",
    );
    postgres.carry_out(
        "CREATE TRIGGER change BEFORE INSERT ON mpay_books FOR EACH ROW EXECUTE FUNCTION change()",
    );
    let folder = with_copy(true);
    let address = format!("{}?sslmode=disable", postgres.url());
    let (ended, error) = restore(folder.path(), &address);
    assert_eq!(ended, Some(2), "{error}");
    assert!(error.contains("nothing was put back"), "{error}");
    let runtime = Runtime::new().unwrap();
    let client = runtime.block_on(postgres.administer());
    let asked = client.query_one("SELECT count(*) FROM mpay_books", &[]);
    let there: i64 = runtime.block_on(asked).unwrap().get(0);
    assert_eq!(there, 0);
}

#[test]
fn a_copy_with_another_store_is_put_into_no_server() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let runtime = Runtime::new().unwrap();
    let store = Database::open(folder.join(KEY_VALUE_FILE)).unwrap();
    for name in ["default", "another"] {
        let pairs = vec![("key".to_owned(), b"1".to_vec())];
        runtime.block_on(store.set(name, pairs)).unwrap();
    }
    drop(store);
    let copied = run(&["backup", "copy.db", "--state-dir", "."], folder);
    assert!(copied.status.success(), "{copied:?}");
    let (ended, error) = restore(folder, &redis.url());
    assert_eq!(ended, Some(2), "{error}");
    assert!(error.contains("has the store another besides"), "{error}");
    let there = runtime.block_on(Redis::new(&redis.url()).unwrap().keys());
    assert!(there.unwrap().is_empty());
}
