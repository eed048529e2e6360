//! Old evidence is moved into files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mpay_client::Answer;
use serde_json::{Value, json};

use crate::{
    provider::{Provider, TOKEN, confirmation, order},
    support::*,
};

const STORE: &str = "default";

/// A day on which everything of the tests is over.
fn tomorrow() -> String {
    let then = jiff::Timestamp::now() + Duration::from_secs(25 * 3600);
    mpay_domain::time::format(then)[..10].to_owned()
}

fn command(folder: &Path, provider: &Provider, arguments: &[&str]) -> Command {
    let mut command = mpay(folder);
    command
        .arg("archive")
        .args(arguments)
        .env("MPAY_URL", &provider.url)
        .env("MPAY_TOKEN", TOKEN);
    command
}

fn archive(folder: &Path, provider: &Provider, arguments: &[&str]) -> Outcome {
    Outcome::of(command(folder, provider, arguments).output().unwrap())
}

/// The archives of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()));
    let mut files: Vec<_> = entries.into_iter().flatten().collect();
    // The lock, and what is not whole yet.
    files.retain(|file| {
        !file
            .file_name()
            .unwrap()
            .as_encoded_bytes()
            .starts_with(b".")
    });
    files.sort();
    files
}

fn verify(file: &Path) -> Outcome {
    let pem = |name: &str| data(name).to_str().unwrap().to_owned();
    let arguments = [
        "verify".to_owned(),
        file.display().to_string(),
        "--certificate".to_owned(),
        pem("mpay.pem"),
        "--provider-certificate".to_owned(),
        pem("service.pem"),
    ];
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    run(Path::new("/"), &arguments)
}

impl Provider {
    /// The number of messages that the store holds: keys with values that are not empty.
    fn messages(&self) -> usize {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let database =
            mpay_host::Database::open(self.state().join(mpay_host::KEY_VALUE_FILE)).unwrap();
        runtime.block_on(async {
            let keys = database.keys(STORE).await.unwrap();
            let mut number = 0;
            for key in keys {
                if key.starts_with("evidence/") || key.starts_with("answer/") {
                    let value = database.get(STORE, &key).await.unwrap().unwrap();
                    number += usize::from(value != b"{}");
                }
            }
            number
        })
    }

    fn status(&self, path: &str) -> (u16, Value) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build();
        let mut answer = agent
            .new_agent()
            .get(format!("{}api/{path}", self.url))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .call()
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_json().unwrap_or_default())
    }
}

#[test]
fn what_is_moved_is_whole_in_a_file_and_the_books_say_where() {
    let provider = Provider::start();
    for number in 1..=5 {
        provider.pay(&number.to_string(), &format!("P/{number}"));
    }
    // It is still to be paid, and paid twice.
    provider.register("6", order());
    provider.pay("7", "P-7");
    assert_eq!(
        provider.confirm(&confirmation("7", "P-8")),
        Answer::Result(())
    );
    let before: Value = serde_json::from_slice(&provider.get("payments")).unwrap();
    let evidence = provider.evidence("P%2F1");
    assert_eq!(provider.messages(), 14);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let out = folder.join("out");

    archive(folder, &provider, &["out", "--before", &tomorrow()]).expect(2, &["is not over yet"]);
    archive(folder, &provider, &["out", "--before", "2020-01-01"])
        .expect(0, &["Nothing recorded before 2020-01-01"]);
    archive(folder, &provider, &["out"]).expect(0, &["Nothing is moved without --before"]);
    assert_eq!((files(&out).len(), provider.messages()), (0, 14));

    let now = jiff::Timestamp::now().to_string();
    let moved = archive(folder, &provider, &["out", "--before", &now]);
    moved.expect(0, &["5 payments", "The messages of 5 payments"]);
    assert_eq!(provider.messages(), 4);
    let [file] = files(&out).try_into().unwrap();
    verify(&file).expect(
        0,
        &[
            "Payments         5",
            "5 signed by MPay",
            "every signature in it holds",
        ],
    );
    run(folder, &["verify", file.to_str().unwrap()]).expect(2, &["cannot vouch for itself"]);

    // The books are as they were, and say where the message is.
    let after: Value = serde_json::from_slice(&provider.get("payments")).unwrap();
    assert_eq!(after, before);
    let (status, gone) = provider.status("payments/P%2F1/evidence");
    let detail = gone["detail"].as_str().unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let index = before["payments"][0]["index"].as_u64().unwrap();
    assert_eq!(status, 410);
    assert!(
        detail.contains(&format!("archive {name}, by test-token")),
        "{detail}"
    );
    assert!(
        detail.contains(&format!("begins with {index}-")),
        "{detail}"
    );
    assert_eq!(provider.status("payments/P-7/evidence").0, 200);
    // What the file has is what the API gave.
    let unzip = |zip: &[u8], prefix: &str| {
        let mut content = Vec::new();
        let archive = rawzip::ZipArchive::from_slice(zip).unwrap();
        let mut entries = archive.entries();
        while let Some(entry) = entries.next_entry().unwrap() {
            let path = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
            if let Some(name) = path.strip_prefix(prefix) {
                let local = archive.get_entry(entry.wayfinder()).unwrap();
                let bytes = match entry.compression_method() {
                    rawzip::CompressionMethod::STORE => local.data().to_vec(),
                    _ => {
                        let mut bytes = Vec::new();
                        let mut data = flate2::read::DeflateDecoder::new(local.data());
                        std::io::Read::read_to_end(&mut data, &mut bytes).unwrap();
                        bytes
                    }
                };
                content.push((name.to_owned(), bytes));
            }
        }
        content
    };
    let zip = fs::read(&file).unwrap();
    let folder_in_zip = format!("{index}-P%2F1/");
    assert_eq!(unzip(&zip, &folder_in_zip), unzip(&evidence, ""));

    // MPay repeats, and nothing is booked twice or kept again.
    assert_eq!(
        provider.confirm(&confirmation("1", "P/1")),
        Answer::Result(())
    );
    let after: Value = serde_json::from_slice(&provider.get("payments")).unwrap();
    assert_eq!(after, before);
    assert_eq!(provider.messages(), 4);
    let state = provider.state().to_str().unwrap();
    run(folder, &["backup", "books.db", "--state-dir", state]).expect(0, &[]);
    verify(&folder.join("books.db")).expect(
        0,
        &[
            "5 moved into archives",
            "Nothing in it proves 5 of the payments",
        ],
    );

    // What is closed later comes into a file of its own; nothing is written over.
    let close = json!({"note": "dat înapoi"});
    provider.post("payments/P-8/reviews/double", TOKEN, close);
    let now = jiff::Timestamp::now().to_string();
    archive(folder, &provider, &["out", "--before", &now]).expect(0, &["of 2 payments"]);
    let two = files(&out);
    assert_eq!((two.len(), fs::read(&file).unwrap()), (2, zip));
    for file in &two {
        verify(file).expect(0, &[]);
    }
    assert_eq!(provider.messages(), 0);
    // A file that was changed is found, and nothing is moved beside it.
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    verify(&file).expect(1, &["does not hold"]);
    archive(folder, &provider, &["out", "--before", &now]).expect(2, &["no archive that is whole"]);
}

#[test]
fn what_a_person_asks_to_be_erased_is_taken_out_of_the_files_too() {
    let provider = Provider::start();
    for (key, id) in [("1", "P-1"), ("2", "P-2"), ("3", "P-3")] {
        let mut order = order();
        order["properties"] = json!([
            {"name": "Telefon", "display_name": "Telefon", "type": "tc", "modifiable": true}
        ]);
        provider.register(key, order);
        let mut payment = confirmation(key, id);
        if key != "3" {
            payment.properties = vec![("Telefon".into(), format!("07912345{key}"))];
        }
        assert_eq!(provider.confirm(&payment), Answer::Result(()));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let now = jiff::Timestamp::now().to_string();
    archive(folder, &provider, &["out", "--before", &now]).expect(0, &["of 3 payments"]);
    for key in ["1", "3"] {
        let person = json!({"service_id": "TAX", "order_key": key});
        provider.post("erasures", TOKEN, person);
    }
    // Of the third, which names nobody, the proof stays.
    archive(folder, &provider, &["out"]).expect(0, &["1 payments were taken out"]);
    let [file] = files(&folder.join("out")).try_into().unwrap();
    verify(&file).expect(0, &["2 signed by MPay"]);
    archive(folder, &provider, &["out"]).expect(0, &["Nothing is moved"]);
    // Nothing is left of what was erased before it could be moved, and nothing comes back.
    archive(folder, &provider, &["out", "--before", &now]).expect(0, &["Nothing recorded"]);
    let person = json!({"service_id": "TAX", "order_key": "2"});
    provider.post("erasures", TOKEN, person);
    // Of another provider nothing in the folder was erased.
    let other = Provider::start();
    archive(folder, &other, &["out"]).expect(0, &["Nothing is moved"]);
    verify(&file).expect(0, &["2 signed by MPay"]);
    archive(folder, &provider, &["out"]).expect(0, &["1 payments were taken out"]);
    verify(&file).expect(0, &["1 signed by MPay"]);
    let state = provider.state().to_str().unwrap();
    run(folder, &["backup", "books.db", "--state-dir", state]).expect(0, &[]);
    verify(&folder.join("books.db")).expect(
        0,
        &[
            "1 moved into archives",
            "moved into archives and erased since",
        ],
    );
    // Where the record is damaged that says which archive, that is no erasure.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let file = provider.state().join(mpay_host::KEY_VALUE_FILE);
    let database = mpay_host::Database::open(file).unwrap();
    let keys = runtime.block_on(database.keys(STORE)).unwrap();
    let records = keys.into_iter().filter(|key| key.starts_with("archived/"));
    let records: Vec<_> = records.map(|key| (key, b"garbage".to_vec())).collect();
    assert_eq!(records.len(), 3);
    runtime.block_on(database.set(STORE, records)).unwrap();
    run(folder, &["backup", "damaged.db", "--state-dir", state]).expect(0, &[]);
    verify(&folder.join("damaged.db")).expect(1, &["payment P-3: ", "archived/"]);
}

/// The store does not know a person any more whose orders it has erased by their age.
#[test]
fn a_person_is_taken_out_of_the_files_by_the_number_that_was_filled_in() {
    let provider = Provider::start();
    for (key, id, number) in [("1", "P-1", "2004001234567"), ("2", "P-2", "2004007654321")] {
        let mut order = order();
        order["properties"] = json!([
            {"name": "IDNP", "display_name": "IDNP", "type": "tc", "modifiable": true}
        ]);
        provider.register(key, order);
        let mut payment = confirmation(key, id);
        payment.properties = vec![("IDNP".into(), number.into())];
        assert_eq!(provider.confirm(&payment), Answer::Result(()));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let now = jiff::Timestamp::now().to_string();
    archive(folder, &provider, &["out", "--before", &now]).expect(0, &["of 2 payments"]);
    let erase = |number| archive(folder, &provider, &["out", "--erase-customer", number]);
    erase("20040").expect(2, &["number of a person"]);
    erase("004001234567").expect(0, &["Nothing is moved"]);
    erase("2004001234567").expect(0, &["1 payments were taken out"]);
    let [file] = files(&folder.join("out")).try_into().unwrap();
    verify(&file).expect(0, &["1 signed by MPay"]);
}

/// Killed at any moment: each message is in the store or in a file that is whole, and the next run ends
/// what was begun.
#[test]
fn a_run_that_is_killed_loses_no_message_and_is_gone_on_with() {
    let provider = Provider::start();
    const PAYMENTS: usize = 60;
    for number in 0..PAYMENTS {
        provider.pay(&number.to_string(), &format!("P-{number}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let out = folder.join("out");
    let now = jiff::Timestamp::now().to_string();
    let (mut wait, mut is_over) = (Duration::from_millis(20), false);
    let begun = Instant::now();
    while !is_over {
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "it comes to no end"
        );
        let mut child = command(folder, &provider, &["out", "--before", &now])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(wait);
        is_over = child
            .try_wait()
            .unwrap()
            .is_some_and(|status| status.success());
        let _ = child.kill();
        child.wait().unwrap();
        wait += Duration::from_millis(60);
        let mut in_files = 0;
        for file in files(&out) {
            if file.extension().is_some_and(|ending| ending == "zip") {
                let judged = run(
                    folder,
                    &[
                        "verify",
                        file.to_str().unwrap(),
                        "--json",
                        "--certificate",
                        data("mpay.pem").to_str().unwrap(),
                    ],
                );
                in_files += judged.expect(0, &[]).json()["signed"].as_u64().unwrap();
            }
        }
        let mut in_store = 0;
        for number in 0..PAYMENTS {
            in_store +=
                u64::from(provider.status(&format!("payments/P-{number}/evidence")).0 == 200);
        }
        assert!(
            in_store + in_files >= PAYMENTS as u64,
            "{in_store} {in_files}"
        );
    }
    archive(folder, &provider, &["out", "--before", &now]).expect(0, &["Nothing recorded"]);
    let [file] = files(&out).try_into().unwrap();
    verify(&file).expect(0, &["60 signed by MPay"]);
    assert_eq!(provider.messages(), 0);
}

#[test]
fn two_do_not_work_in_one_folder_and_files_of_others_are_let_be() {
    let provider = Provider::start();
    provider.pay("1", "P-1");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let lock = fs::File::create(out.join(".mpay-archive.lock")).unwrap();
    lock.try_lock().unwrap();
    let now = jiff::Timestamp::now().to_string();
    let arguments = ["out", "--before", now.as_str()];
    archive(folder.path(), &provider, &arguments).expect(2, &["another `mpay archive`"]);
    drop(lock);
    // Another provider's, with a payment of the same id.
    let other = Provider::start();
    other.pay("1", "P-1");
    let now = jiff::Timestamp::now().to_string();
    let arguments = ["out", "--before", now.as_str()];
    archive(folder.path(), &other, &arguments).expect(0, &["of 1 payments"]);
    let [taken] = files(&out).try_into().unwrap();
    let before = fs::read(&taken).unwrap();
    fs::write(out.join("notes.txt"), "mine").unwrap();
    archive(folder.path(), &provider, &arguments).expect(
        1,
        &["Payment P-1 was not moved: the file has another message than the store"],
    );
    assert_eq!(fs::read(&taken).unwrap(), before);
    assert_eq!(fs::read(out.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(provider.messages(), 2);
}
