//! A copy of the books, put back; and what is done about what MPay has confirmed since, as
//! `docs/operate.md` says.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use mpay::state::State;
use mpay_client::Answer;
use mpay_host::{Database, KEY_VALUE_FILE, Redis};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    deployment::{ACCOUNTANT, Place, confirm_until_recorded, payment},
    is_there, mpay, servers,
};

fn run(arguments: &[&str], folder: &Path) -> Output {
    mpay().current_dir(folder).args(arguments).output().unwrap()
}

/// True if [`killed_at`] can be done here: a machine may forbid to trace, and then there is nothing to
/// test by.
fn can_kill() -> bool {
    is_there("strace") && {
        let traced = Command::new("strace")
            .args(["-qq", "-o", "/dev/null", "true"])
            .output();
        let can = traced.unwrap().status.success();
        if !can {
            eprintln!("left out, since strace may not trace here");
        }
        can
    }
}

/// Carries out the command until it makes a call of the system for the n-th time, which kills it: the call
/// itself is not made. Gives whether it came to that.
fn killed_at(call: &str, count: usize, arguments: &[&str], folder: &Path) -> bool {
    let ended = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={count}")])
        .arg(env!("CARGO_BIN_EXE_mpay"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    // Whoever is traced by it ends it in the same way.
    !ended.status.success() && ended.status.code().is_none()
}

/// Fills the store of a folder with so many keys.
fn fill(folder: &Path, keys: u32) {
    let runtime = Runtime::new().unwrap();
    let store = Database::open(folder.join(KEY_VALUE_FILE)).unwrap();
    for from in (0..keys).step_by(500) {
        let pairs = (from..keys.min(from + 500))
            .map(|n| (format!("note/{n}"), n.to_string().repeat(100).into_bytes()))
            .collect();
        runtime.block_on(store.set("default", pairs)).unwrap();
    }
}

/// A folder with a store of so many keys, and `copy.db` with a copy of it.
fn with_copy(keys: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), keys);
    let copied = run(&["backup", "copy.db", "--state-dir", "."], folder.path());
    assert!(copied.status.success(), "{copied:?}");
    folder
}

fn keys_of(folder: &Path) -> usize {
    let store = Database::open(folder.join(KEY_VALUE_FILE)).unwrap();
    let keys = Runtime::new().unwrap().block_on(store.keys("default"));
    keys.unwrap().len()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_backup_that_is_killed_is_none() {
    if !can_kill() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder, 2000);
    let arguments = ["backup", "copy.db", "--state-dir", "."];
    let mut killed = 0;
    for (call, count) in [
        ("pwrite64", 1),
        ("pwrite64", 20),
        ("pwrite64", 100),
        ("fdatasync,fsync", 1),
        ("fdatasync,fsync", 2),
        ("linkat", 1),
    ] {
        killed += u32::from(killed_at(call, count, &arguments, folder));
        assert!(!folder.join("copy.db").exists(), "{call} {count}");
        let check = run(&["backup", "--check", "copy.db"], folder);
        assert_eq!(check.status.code(), Some(2), "{call} {count}");
    }
    assert_eq!(killed, 6);
    assert!(folder.join("copy.db.part").exists());
    let whole = run(&arguments, folder);
    assert!(whole.status.success(), "{whole:?}");
    let checked = run(&["backup", "--check", "copy.db"], folder);
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(names_in(folder), ["copy.db", KEY_VALUE_FILE]);
}

/// A host that was killed in the middle of a commit leaves files that would be played into the books.
#[test]
fn nothing_is_put_back_beside_what_would_be_played_into_it() {
    let folder = with_copy(3);
    let folder = folder.path();
    for end in ["-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(KEY_VALUE_FILE));
        let left = format!("{KEY_VALUE_FILE}{end}");
        fs::write(folder.join(&left), "left").unwrap();
        let refused = run(&["restore", "copy.db", "--state-dir", "."], folder);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && error.contains(&left),
            "{error}"
        );
        assert!(!folder.join(KEY_VALUE_FILE).exists());
        fs::remove_file(folder.join(left)).unwrap();
    }
}

#[test]
fn a_store_whose_replacing_is_killed_is_that_of_before_or_that_of_the_copy() {
    if !can_kill() {
        return;
    }
    let folder = with_copy(3);
    let folder = folder.path();
    let before = 5;
    let arguments = ["restore", "copy.db", "--state-dir", ".", "--yes"];
    // At each call that makes, names, moves or takes away a file, one after the other.
    let (mut undone, mut done, mut without) = (0, 0, 0);
    for call in ["rename", "linkat", "unlink", "fsync,fdatasync"] {
        for count in 1.. {
            for name in names_in(folder) {
                if name != "copy.db" {
                    fs::remove_file(folder.join(name)).unwrap();
                }
            }
            fill(folder, before);
            let at = format!("{call} {count}");
            if !killed_at(call, count, &arguments, folder) {
                assert_eq!(keys_of(folder), 3, "{at}");
                break;
            }
            if !folder.join(KEY_VALUE_FILE).exists() {
                without += 1;
                // Nobody takes it for books without payments.
                let copied = run(&["backup", "other.db", "--state-dir", "."], folder);
                assert_eq!(copied.status.code(), Some(2), "{at}");
                let error = String::from_utf8_lossy(&copied.stderr).into_owned();
                assert!(error.contains("is being replaced"), "{error}");
            }
            drop(State::take(folder, false).unwrap());
            match keys_of(folder) {
                5 => undone += 1,
                3 => done += 1,
                keys => panic!("{at}: {keys}"),
            }
            let names = names_in(folder);
            let left = names
                .iter()
                .find(|name| name.contains("part") || name.contains("moving"));
            assert_eq!(left, None, "{at}: {names:?}");
        }
    }
    assert!(
        undone > 0 && done > 0 && without > 0,
        "{undone} {done} {without}"
    );
}

/// Carries out the command and counts its flushes, of which the n-th fails, as that of a disk that is at its end.
fn flushing(fails: Option<usize>, arguments: &[&str], folder: &Path) -> (Output, usize) {
    let mut traced = Command::new("strace");
    let trace = tempfile::NamedTempFile::new().unwrap();
    traced.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"]);
    traced.arg(trace.path());
    if let Some(count) = fails {
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={count}");
        traced.args(["-e", &inject]);
    }
    let ended = traced
        .arg(env!("CARGO_BIN_EXE_mpay"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let calls = fs::read_to_string(trace.path()).unwrap();
    (ended, calls.matches("sync(").count())
}

/// Also when the last flush of all fails, that of the folder: the name would be there, and perhaps no longer
/// after the next loss of power.
#[test]
fn where_a_flush_fails_nothing_is_copied_or_put_back() {
    if !can_kill() {
        return;
    }
    let folder = with_copy(3);
    let folder = folder.path();
    let backup = ["backup", "again.db", "--state-dir", "."];
    let (made, flushes) = flushing(None, &backup, folder);
    assert!(made.status.success() && flushes > 3, "{flushes} {made:?}");
    for count in 1..=flushes {
        let _ = fs::remove_file(folder.join("again.db"));
        let (ended, _) = flushing(Some(count), &backup, folder);
        let is_there = folder.join("again.db").exists();
        assert_eq!(ended.status.success(), is_there, "{count}: {ended:?}");
        // SQLite does without some of its own, but not the copy without its last ones.
        assert!(!is_there || count < flushes, "{count}");
    }
    let restore = ["restore", "copy.db", "--state-dir", ".", "--yes"];
    let anew = || {
        for name in names_in(folder).iter().filter(|name| *name != "copy.db") {
            fs::remove_file(folder.join(name)).unwrap();
        }
        fill(folder, 5);
    };
    anew();
    let (restored, flushes) = flushing(None, &restore, folder);
    assert!(restored.status.success(), "{restored:?}");
    let mut kept = 0;
    for count in 1..=flushes {
        anew();
        let (ended, _) = flushing(Some(count), &restore, folder);
        drop(State::take(folder, false).unwrap());
        match (ended.status.success(), keys_of(folder)) {
            (true, 3) => {}
            (false, 5) => kept += 1,
            // All is done, but for the note that says so.
            (false, 3) if count + 2 > flushes => {}
            (_, keys) => panic!("{count} of {flushes}: {keys} {ended:?}"),
        }
    }
    assert!(kept > 3, "{kept}");
}

#[test]
fn what_is_put_back_into_redis_goes_on_where_it_was_killed() {
    let Some(redis) = servers::Redis::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder, 20_000);
    let copied = run(&["backup", "copy.db", "--state-dir", "."], folder);
    assert!(copied.status.success(), "{copied:?}");
    fs::write(folder.join("address"), redis.url()).unwrap();
    let arguments = ["restore", "copy.db", "--to", "@address"];
    let mut process = mpay()
        .current_dir(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (runtime, store) = (Runtime::new().unwrap(), Redis::new(&redis.url()).unwrap());
    let keys = || runtime.block_on(store.keys()).unwrap();
    let begun = Instant::now();
    while keys().len() < 1000 {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let half = keys().len();
    assert!((1000..20_000).contains(&half), "{half}");
    // Nobody serves it, and nobody puts other books there.
    let gate = runtime.block_on(store.get(mpay_ledger::GATE)).unwrap();
    let gate = String::from_utf8(gate.unwrap()).unwrap();
    let counted = runtime.block_on(store.increment(mpay_ledger::GATE, 1));
    assert!(
        gate.contains("are being put back") && counted.is_err(),
        "{gate}"
    );
    let configuration = format!(
        "[key_value_store.default]\ntype = \"redis\"\nurl = \"{}\"\n",
        redis.url()
    );
    fs::write(folder.join("runtime.toml"), configuration).unwrap();
    let place = Place::new();
    let mut up = place.command();
    let up = up
        .arg("--runtime-config-file")
        .arg(folder.join("runtime.toml"));
    let mut up = up
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while up.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            up.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(20));
    }
    let up = up.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&up.stderr).into_owned();
    assert_eq!(up.status.code(), Some(2), "{error}");
    assert!(error.contains("holds a part of the books"), "{error}");
    // Whoever looks what is wrong is told, too.
    let manifest = crate::workspace().join("spin.toml");
    fs::copy(manifest, folder.join("spin.toml")).unwrap();
    let look = [
        "doctor",
        ".",
        "--json",
        "--runtime-config-file",
        "runtime.toml",
    ];
    let told = || {
        let found = run(&look, folder);
        let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
        found.to_string().contains("\"store-half\"")
    };
    assert!(told());
    let other = tempfile::tempdir().unwrap();
    fill(other.path(), 3);
    let other_copy = folder.join("other.db");
    let copied = run(
        &["backup", other_copy.to_str().unwrap(), "--state-dir", "."],
        other.path(),
    );
    assert!(copied.status.success(), "{copied:?}");
    // The last writes of who was killed may have come in after the first count.
    let before = keys().len();
    let refused = run(&["restore", "other.db", "--to", "@address"], folder);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("a part of other books"), "{error}");
    assert_eq!(keys().len(), before);
    let backup = ["backup", "half.db", "--from", "@address", "--stopped"];
    let refused = run(&backup, folder);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("a part of books"), "{error}");
    assert!(!folder.join("half.db").exists());
    // What somebody has damaged meanwhile is put right.
    let pair = vec![("note/1".to_owned(), b"damaged".to_vec())];
    runtime.block_on(store.set(pair)).unwrap();
    let went_on = run(&arguments, folder);
    assert!(went_on.status.success(), "{went_on:?}");
    assert_eq!(keys().len(), 20_000);
    assert!(!told());
    let there = runtime.block_on(store.get("note/1")).unwrap();
    assert_eq!(there, Some("1".repeat(100).into_bytes()));
    let again = run(&arguments, folder);
    let error = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(error.contains("is not empty"), "{error}");
}

#[test]
fn what_is_put_back_into_postgresql_is_all_or_nothing_when_it_is_killed() {
    let Some(postgres) = servers::Postgres::start() else {
        return;
    };
    postgres.carry_out(mpay_ledger::postgres::TABLE);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder, 20_000);
    let copied = run(&["backup", "copy.db", "--state-dir", "."], folder);
    assert!(copied.status.success(), "{copied:?}");
    let address = format!("{}?sslmode=disable", postgres.url());
    fs::write(folder.join("address"), address).unwrap();
    let arguments = ["restore", "copy.db", "--to", "@address"];
    let mut process = mpay()
        .current_dir(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let runtime = Runtime::new().unwrap();
    let client = runtime.block_on(postgres.administer());
    let are_writing = || {
        let asked =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO mpay_books%'";
        let row = runtime.block_on(client.query_one(asked, &[])).unwrap();
        row.get::<_, i64>(0)
    };
    let begun = Instant::now();
    let wait_for = |writing| {
        while are_writing() != writing {
            assert!(begun.elapsed() < Duration::from_secs(60));
        }
    };
    wait_for(1);
    process.kill().unwrap();
    process.wait().unwrap();
    wait_for(0);
    let asked = client.query_one("SELECT count(*) FROM mpay_books", &[]);
    let there: i64 = runtime.block_on(asked).unwrap().get(0);
    assert_eq!(there, 0);
    let restored = run(&arguments, folder);
    assert!(restored.status.success(), "{restored:?}");
    let backup = ["backup", "back.db", "--from", "@address"];
    if can_kill() {
        assert!(killed_at("linkat", 1, &backup, folder));
        assert!(!folder.join("back.db").exists());
    }
    let copied = run(&backup, folder);
    assert!(copied.status.success(), "{copied:?}");
}

fn recorded(ids: &[&str]) -> BTreeMap<String, u32> {
    ids.iter().map(|id| ((*id).to_owned(), 1)).collect()
}

#[test]
fn an_address_is_read_from_a_file_and_its_password_is_shown_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().join("address");
    let weak = "Warning: the way to redis://0.0.0.0:1 need not be encrypted";
    for (address_is, words) in [
        ("redis://u:hush@0.0.0.0:1", weak),
        ("redis://u:hush@127.0.0.1:1\n", "redis://127.0.0.1:1: "),
        (
            "postgres://u:hush@127.0.0.1:1/d",
            "postgres://127.0.0.1:1/d: ",
        ),
        ("mysql://u:hush@127.0.0.1:1/d", "an address is redis://"),
    ] {
        std::fs::write(&address, address_is).unwrap();
        let refused = run(&["backup", "x.db", "--from", "@address"], folder.path());
        assert_eq!(refused.status.code(), Some(2));
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(error.contains(words) && !error.contains("hush"), "{error}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn who_cannot_put_back_a_copy_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = folder.join(mpay_host::KEY_VALUE_FILE);
    drop(mpay_host::Database::open(&store).unwrap());
    let copied = run(&["backup", "copy.db", "--state-dir", "."], folder);
    assert!(copied.status.success(), "{copied:?}");
    // As if the disk were full.
    let part = folder.join(format!("{}.part", mpay_host::KEY_VALUE_FILE));
    std::fs::create_dir(&part).unwrap();
    let restore = || run(&["restore", "copy.db", "--state-dir", ".", "--yes"], folder);
    assert_eq!(restore().status.code(), Some(2));
    assert!(store.exists());
    std::fs::remove_dir(part).unwrap();
    let restored = restore();
    assert!(restored.status.success(), "{restored:?}");
}

#[test]
fn what_mpay_has_confirmed_since_the_copy_is_found_by_its_statement_and_entered() {
    let place = Place::new();
    let mut up = place.up();
    up.register("1");
    confirm_until_recorded(&up.client(), &payment("1", "P-1"));
    // While it runs.
    let copied = run(&["backup", "copy.db"], place.folder());
    assert!(copied.status.success(), "{copied:?}");
    let again = run(&["backup", "copy.db"], place.folder());
    assert_eq!(again.status.code(), Some(2));
    let error = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(error.contains("copy.db is there already"), "{error}");
    confirm_until_recorded(&up.client(), &payment("1", "P-2"));

    let busy = run(&["restore", "copy.db", "--yes"], place.folder());
    let error = String::from_utf8_lossy(&busy.stderr).into_owned();
    assert!(error.contains("another `mpay up` is at work"), "{error}");
    up.kill();
    // The disk is lost; or somebody means it.
    let meant = run(&["restore", "copy.db"], place.folder());
    let error = String::from_utf8_lossy(&meant.stderr).into_owned();
    assert!(error.contains("--yes moves it aside"), "{error}");
    let restored = run(&["restore", "copy.db", "--yes"], place.folder());
    assert!(restored.status.success(), "{restored:?}");

    let up = place.up();
    let repaired = up.post("api/repair", None, "application/json", "");
    assert_eq!(
        (&repaired["lost"], &repaired["damaged"]),
        (&json!([]), &json!([])),
        "{repaired}"
    );
    assert_eq!(up.ledger(), recorded(&["P-1"]));
    // MPay does not come again. Its statement tells.
    let statement = "payment_id,amount\nP-1,1.00\nP-2,1.00\n";
    let settlement =
        "api/settlement?from=2026-01-01&to=2099-12-31&payment_id=payment_id&amount=amount";
    let compared = up.post(settlement, Some(ACCOUNTANT), "text/csv", statement);
    assert_eq!(compared["matched"][0]["payment_id"], "P-1", "{compared}");
    assert_eq!(
        compared["not_recorded"][0]["payment_id"], "P-2",
        "{compared}"
    );
    let proposal = json!({
        "payment_id": "P-2", "service_id": "S", "order_key": "1", "amount": "1.00",
        "paid_at": "2026-06-01T12:00:00", "note": "MPay's statement; the books were put back"
    });
    let proposed = up.post(
        "api/payments/manual",
        Some(ACCOUNTANT),
        "application/json",
        &proposal.to_string(),
    );
    let id = &proposed["id"];
    up.post(
        &format!("api/payments/manual/{id}/approve"),
        None,
        "application/json",
        "",
    );
    assert_eq!(up.ledger(), recorded(&["P-1", "P-2"]));
    assert_eq!(up.order("1"), (recorded(&["P-1", "P-2"]), "2.00".into()));
    let compared = up.post(settlement, Some(ACCOUNTANT), "text/csv", statement);
    assert_eq!(compared["not_recorded"], json!([]), "{compared}");
    // Should MPay come again all the same, nothing is paid twice.
    let again = up.client().confirm(&payment("1", "P-2")).unwrap();
    assert!(matches!(again, Answer::Result(())), "{again:?}");
    assert_eq!(up.order("1").1, "2.00");
}
