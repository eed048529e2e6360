//! A connection that ends between the last write of a restore and the answer to it.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use mpay_host::{Database, KEY_VALUE_FILE};
use tokio::runtime::Runtime;

use crate::{mpay, servers};

/// Passes everything on to a server, but not its answer to a message that has these words.
fn without_the_answer_to(words: &'static str, server: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&server).unwrap();
            let is_asked = Arc::new(AtomicBool::new(false));
            let asked = Arc::clone(&is_asked);
            let [from, mut to] = [&client, &server].map(|end| end.try_clone().unwrap());
            thread::spawn(move || {
                pass_on(from, |part| {
                    if part.windows(words.len()).any(|it| it == words.as_bytes()) {
                        asked.store(true, Ordering::SeqCst);
                    }
                    to.write_all(part).is_ok()
                });
            });
            let mut back = client.try_clone().unwrap();
            thread::spawn(move || {
                pass_on(server, |part| {
                    !is_asked.load(Ordering::SeqCst) && back.write_all(part).is_ok()
                });
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    port
}

fn pass_on(mut from: TcpStream, mut take: impl FnMut(&[u8]) -> bool) {
    let mut part = [0; 65536];
    while let Ok(length @ 1..) = from.read(&mut part) {
        if !take(&part[..length]) {
            break;
        }
    }
}

fn run(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let done = mpay().args(arguments).current_dir(folder).output();
    let Output {
        status,
        stdout,
        stderr,
    } = done.unwrap();
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_restore_into_postgresql_whose_last_answer_is_lost_is_told_as_one_that_may_be_whole() {
    let Some(postgres) = servers::Postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = Database::open(folder.join(KEY_VALUE_FILE)).unwrap();
    let pairs = vec![("note/1".to_owned(), b"1".to_vec())];
    let filled = Runtime::new()
        .unwrap()
        .block_on(store.set("default", pairs));
    filled.unwrap();
    drop(store);
    let (code, copied) = run(&["backup", "copy.db", "--state-dir", "."], folder);
    assert_eq!(code, Some(0), "{copied}");

    let (_, server) = postgres
        .url()
        .rsplit_once('@')
        .map(|(user, rest)| {
            let (server, _) = rest.split_once('/').unwrap();
            (user.to_owned(), server.to_owned())
        })
        .unwrap();
    let port = without_the_answer_to("COMMIT", server.clone());
    let through = postgres
        .url()
        .replace(&server, &format!("127.0.0.1:{port}"));
    for (name, address) in [("through", through), ("straight", postgres.url())] {
        fs::write(folder.join(name), format!("{address}?sslmode=disable")).unwrap();
    }
    let (code, lost) = run(&["restore", "copy.db", "--to", "@through"], folder);
    assert_eq!(code, Some(2), "{lost}");
    assert!(lost.contains("may hold all of the books by now"), "{lost}");
    assert!(lost.contains("do not empty it"), "{lost}");

    // As it says.
    let (code, again) = run(&["restore", "copy.db", "--to", "@straight"], folder);
    assert_eq!(code, Some(2), "{again}");
    assert!(again.contains("is not empty"), "{again}");
    assert!(again.contains("mpay backup OTHER-FILE --from"), "{again}");
    let (code, whole) = run(&["backup", "other.db", "--from", "@straight"], folder);
    assert_eq!(code, Some(0), "{whole}");
    let sha256 = |said: &str| {
        let line = said.lines().find(|line| line.starts_with("SHA-256"));
        line.unwrap().to_owned()
    };
    assert_eq!(sha256(&whole), sha256(&copied));
}
