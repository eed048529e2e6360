use std::{collections::BTreeMap, fs, io::Write, path::Path};

use mpay_client::Answer;
use serde_json::Value;

use crate::{
    provider::{Provider, TOKEN, confirmation, manager, order, read},
    support::*,
};

type Files = BTreeMap<String, Vec<u8>>;

fn unzip(archive: &[u8]) -> Files {
    let archive = rawzip::ZipArchive::from_slice(archive).unwrap();
    let mut entries = archive.entries();
    let mut files = Files::new();
    while let Some(entry) = entries.next_entry().unwrap() {
        let name = String::from_utf8(entry.file_path().as_ref().to_vec()).unwrap();
        let content = archive
            .get_entry(entry.wayfinder())
            .unwrap()
            .data()
            .to_vec();
        files.insert(name, content);
    }
    files
}

/// Packs files as a person's tool does, compressed.
fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, content) in files {
        let (mut entry, config) = archive
            .new_file(name)
            .compression_method(rawzip::CompressionMethod::DEFLATE)
            .start()
            .unwrap();
        let encoder =
            flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default());
        let mut writer = config.wrap(encoder);
        writer.write_all(content).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap()
}

fn pem(name: &str) -> String {
    data(name).to_str().unwrap().to_owned()
}

fn verify(folder: &Path, file: &str, more: &[&str]) -> Outcome {
    run(folder, &[&["verify", file][..], more].concat())
}

fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

fn meta(files: &Files) -> Value {
    serde_json::from_slice(&files["meta.json"]).unwrap()
}

/// A forger changes a file, and its hash in meta.json with it.
fn forge(files: &Files, name: &str, content: Vec<u8>) -> Files {
    let mut forged = files.clone();
    let mut meta = meta(files);
    let hash = mpay_ledger::digest::sha256(&content);
    meta[format!("{}_sha256", name.trim_end_matches(".xml"))] = hash.into();
    forged.insert(name.to_owned(), content);
    forged.insert("meta.json".to_owned(), meta.to_string().into_bytes());
    forged
}

#[test]
fn evidence_of_the_running_component_is_accepted_and_forgeries_are_not() {
    let provider = Provider::start();
    provider.pay("2026-1", "P-1");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let archive = provider.evidence("P-1");
    fs::write(folder.join("e.zip"), &archive).unwrap();
    let (mpay, service) = (pem("mpay.pem"), pem("service.pem"));
    let both = ["--certificate", &mpay, "--provider-certificate", &service];

    let words = [
        "Payment          P-1",
        "2026-1 of service TAX",
        "10.0 MDL",
        "Example Authority",
        "time of receipt",
        "rsa-sha1",
        "answered with success",
        "not prove",
        "not revoked",
    ];
    verify(folder, "e.zip", &both).expect(0, &words);
    let json = verify(folder, "e.zip", &[&both[..], &["--json"]].concat());
    let json = json.expect(0, &[]).json();
    assert_eq!(json["holds"], true);
    assert_eq!(json["judged_at_is"], "receipt");
    assert_eq!(json["message"]["payment"]["lines"][1][1], "4");
    // Without the provider's certificate the answer is not judged, and that is said.
    verify(folder, "e.zip", &["--certificate", &mpay]).expect(0, &["who signed the answer"]);

    // Nobody to trust; somebody else; the same key in another certificate.
    verify(folder, "e.zip", &[]).expect(2, &["--certificate FILE", "Example Authority"]);
    verify(folder, "e.zip", &["--certificate", &pem("stranger.pem")])
        .expect(1, &["not verified", "does not hold"]);
    verify(folder, "e.zip", &["--certificate", &pem("renewed.pem")]).expect(1, &["not verified"]);
    verify(
        folder,
        "e.zip",
        &["--certificate", &mpay, "--provider-certificate", &mpay],
    )
    .expect(1, &["the answer is not verified"]);
    verify(
        folder,
        "e.zip",
        &[&both[..], &["--at", "2026-01-01T00:00:00Z"]].concat(),
    )
    .expect(1, &["created at"]);

    let files = unzip(&archive);
    let packed: Vec<_> = files
        .iter()
        .map(|(name, content)| (format!("folder/{name}"), content.clone()))
        .collect();
    let check = |files: Vec<(String, Vec<u8>)>, code, words: &[&str]| {
        fs::write(folder.join("f.zip"), zip(&files)).unwrap();
        verify(folder, "f.zip", &both).expect(code, words);
    };
    // Packed again by a person: the same.
    check(packed, 0, &["answered with success"]);

    let forged = |name: &str, from: &str, to: &str| {
        let content = replace(&files[name], from, to);
        forge(&files, name, content).into_iter().collect::<Vec<_>>()
    };
    check(
        forged("request.xml", "10.0<", "99.0<"),
        1,
        &["not verified", "digest"],
    );
    check(forged("request.xml", "P-1<", "P-2<"), 1, &["not verified"]);
    check(
        forged(
            "answer.xml",
            "></ConfirmOrderPaymentResponse>",
            "> </ConfirmOrderPaymentResponse>",
        ),
        1,
        &["the answer is not verified"],
    );

    // Changed without its hash, or only what stands beside the messages.
    let mut changed = files.clone();
    changed.insert(
        "request.xml".into(),
        replace(&files["request.xml"], "10.0<", "10.1<"),
    );
    check(
        changed.into_iter().collect(),
        1,
        &["NOT so: request.xml has the SHA-256"],
    );
    for (member, value, word) in [
        ("amount", "11.00", "amount"),
        ("order_key", "2026-2", "order_key"),
        ("payment_id", "P-2", "payment_id"),
        ("paid_at", "2026-01-01T00:00:00+02:00", "paid_at"),
        ("currency", "EUR", "currency"),
        (
            "signer_certificate",
            &read("renewed.pem"),
            "NOT so: meta.json names this certificate",
        ),
        ("received_at", "2026-01-01T00:00:00+02:00", "not verified"),
        ("answer_sha256", "00", "NOT so: answer.xml"),
    ] {
        let mut changed = files.clone();
        let mut meta = meta(&files);
        meta[member] = value.into();
        changed.insert("meta.json".into(), meta.to_string().into_bytes());
        check(changed.into_iter().collect(), 1, &[word]);
    }
    // An answer that was signed long after the receipt is none to this request.
    let mut late = files.clone();
    let mut meta_late = meta(&files);
    let received: jiff::Timestamp = meta_late["received_at"].as_str().unwrap().parse().unwrap();
    let earlier = received - jiff::SignedDuration::from_mins(20);
    meta_late["received_at"] = earlier.to_string().into();
    late.insert("meta.json".into(), meta_late.to_string().into_bytes());
    check(
        late.into_iter().collect(),
        1,
        &["after the time of receipt"],
    );
    let mut without = files.clone();
    without.remove("answer.xml");
    check(without.into_iter().collect(), 1, &["no answer.xml"]);

    // Every bit counts, of the archive too.
    let position = archive.windows(4).position(|four| four == b"10.0").unwrap();
    let mut flipped = archive.clone();
    flipped[position] ^= 1;
    fs::write(folder.join("f.zip"), flipped).unwrap();
    verify(folder, "f.zip", &both).expect(2, &["not a readable archive", "request.xml"]);
    let mut without: Vec<_> = files.clone().into_iter().collect();
    without.retain(|(name, _)| name != "meta.json");
    check(without, 2, &["no meta.json"]);
}

#[test]
fn evidence_of_a_refused_confirmation_proves_what_was_sent_and_answered() {
    let provider = Provider::start();
    provider.pay("1", "P-1");
    let mut wrong = confirmation("none", "P-2");
    assert!(matches!(provider.confirm(&wrong), Answer::Fault(_)));
    // Of a member that is too long the record has the beginning.
    wrong.payment_id = format!(" {} ", "ă".repeat(101));
    assert!(matches!(provider.confirm(&wrong), Answer::Fault(_)));
    let refusals: Value = serde_json::from_slice(&provider.get("refusals")).unwrap();
    let archive = |position: usize| {
        let index = &refusals["refusals"][position]["index"];
        provider.get(&format!("refusals/{index}/evidence"))
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mpay, service) = (pem("mpay.pem"), pem("service.pem"));
    let one = ["--certificate", mpay.as_str()];
    let both = [&one[..], &["--provider-certificate", &service]].concat();
    fs::write(folder.join("long.zip"), archive(1)).unwrap();
    verify(folder, "long.zip", &both).expect(0, &["the fault InvalidParameter"]);

    let archive = archive(0);
    fs::write(folder.join("e.zip"), &archive).unwrap();
    let words = [
        "Payment          P-2",
        "none of service TAX",
        "the time of receipt",
        "meta.json says of the payment what was signed",
        "answered with the fault UnknownOrder at",
        "no order with this OrderKey",
    ];
    verify(folder, "e.zip", &both).expect(0, &words);
    verify(folder, "e.zip", &one).expect(
        0,
        &["that the provider refused it, with the fault UnknownOrder"],
    );

    let files = unzip(&archive);
    let accepted = unzip(&provider.evidence("P-1"));
    let check = |files: Files, code, words: &[&str]| {
        let files: Vec<_> = files.into_iter().collect();
        fs::write(folder.join("f.zip"), zip(&files)).unwrap();
        verify(folder, "f.zip", &both).expect(code, words);
    };
    for (member, value, word) in [
        ("payment_id", "P", "signed: payment_id"),
        ("service_id", "TAXI", "signed: service_id"),
        ("order_key", "1", "signed: order_key"),
        (
            "code",
            "UnknownService",
            "not the fault that meta.json says",
        ),
        ("reason", "Whatever.", "not the fault that meta.json says"),
        ("received_at", "2026-01-01T00:00:00+02:00", "not verified"),
    ] {
        let mut changed = files.clone();
        let mut meta = meta(&files);
        meta[member] = value.into();
        changed.insert("meta.json".into(), meta.to_string().into_bytes());
        check(changed, 1, &[word]);
    }
    // Neither is the answer to a payment one to a refusal, nor the reverse.
    check(
        forge(&files, "answer.xml", accepted["answer.xml"].clone()),
        1,
        &["not the fault"],
    );
    check(
        forge(&accepted, "answer.xml", files["answer.xml"].clone()),
        1,
        &["the answer is no success"],
    );
}

#[test]
fn a_payment_entered_by_hand_is_proved_by_mpays_later_confirmation() {
    let other = "approver-0123456789-0123456789-0123456789";
    let provider = Provider::with(&[("access", &[manager(TOKEN), manager(other)].join("\n"))]);
    provider.register("1", order());
    let proposal = provider.post(
        "payments/manual",
        TOKEN,
        serde_json::json!({
            "payment_id": "M-1", "service_id": "TAX", "order_key": "1", "amount": "10",
            "paid_at": "2026-01-01", "note": "Statement 7",
            "lines": [{"line_id": "2", "amount": "4"}, {"line_id": "1", "amount": "6"}]
        }),
    );
    let approve = format!("payments/manual/{}/approve", proposal["id"]);
    provider.post(&approve, other, serde_json::json!({}));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mpay = pem("mpay.pem");
    let judge = || {
        fs::write(folder.join("e.zip"), provider.evidence("M-1")).unwrap();
        verify(folder, "e.zip", &["--certificate", &mpay])
    };
    judge().expect(2, &["entered by hand", "nothing of it is signed"]);
    assert_eq!(
        provider.confirm(&confirmation("1", "M-1")),
        Answer::Result(())
    );
    judge().expect(0, &["time of receipt", "what was signed", "manual.json"]);

    let files = unzip(&provider.evidence("M-1"));
    for (from, to) in [
        ("\"line_id\": \"2\"", "\"line_id\": \"1\""),
        ("\"4.00\"", "\"5.00\""),
    ] {
        let mut changed = files.clone();
        changed.insert("meta.json".into(), replace(&files["meta.json"], from, to));
        let changed: Vec<_> = changed.into_iter().collect();
        fs::write(folder.join("f.zip"), zip(&changed)).unwrap();
        verify(folder, "f.zip", &["--certificate", &mpay]).expect(1, &["signed: lines"]);
    }
}

#[test]
fn a_backup_is_judged_payment_by_payment_and_what_was_changed_or_lost_is_named() {
    const STORE: &str = "default";
    let other = "approver-0123456789-0123456789-0123456789";
    let provider = Provider::with(&[("access", &[manager(TOKEN), manager(other)].join("\n"))]);
    for (key, id) in [("1", "P-1"), ("2", "P-2"), ("3", "P-3")] {
        provider.pay(key, id);
    }
    provider.register("4", order());
    let proposal = serde_json::json!({
        "payment_id": "M-1", "service_id": "TAX", "order_key": "4", "amount": "10",
        "paid_at": "2026-01-01", "note": "Statement 7",
        "lines": [{"line_id": "1", "amount": "6"}, {"line_id": "2", "amount": "4"}]
    });
    let proposal = provider.post("payments/manual", TOKEN, proposal);
    let approve = format!("payments/manual/{}/approve", proposal["id"]);
    provider.post(&approve, other, serde_json::json!({}));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let state = provider.state().to_str().unwrap();
    let (mpay, own) = (pem("mpay.pem"), pem("service.pem"));
    let copy = |file: &str| run(folder, &["backup", file, "--state-dir", state]).expect(0, &[]);
    let believed = ["--certificate", &mpay, "--provider-certificate", &own];

    copy("1.db");
    verify(folder, "1.db", &believed).expect(
        0,
        &[
            "Payments         4",
            "3 signed by MPay",
            "1 entered by hand",
            "every signature in it holds",
            "Nothing in it proves 1 of the payments: 1 entered by hand.",
        ],
    );
    verify(folder, "1.db", &[]).expect(2, &["cannot vouch for itself"]);
    // Another's certificate, and another provider's.
    let wrong = verify(folder, "1.db", &["--certificate", &own, "--json"]).expect(1, &[]);
    assert_eq!(wrong.json()["wrong"].as_array().unwrap().len(), 3);
    let strange = ["--certificate", &mpay, "--provider-certificate", &mpay];
    verify(folder, "1.db", &strange).expect(1, &["P-1: the answer is not verified"]);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = mpay_host::Database::open(provider.state().join(mpay_host::KEY_VALUE_FILE));
    let database = database.unwrap();
    let evidence = |id: &str| {
        let payment: Value =
            serde_json::from_slice(&provider.get(&format!("payments/{id}"))).unwrap();
        format!("evidence/{}", payment["evidence"].as_str().unwrap())
    };
    let changed = evidence("P-1");
    let message = runtime
        .block_on(database.get(STORE, &changed))
        .unwrap()
        .unwrap();
    let message = replace(&message, "<TotalAmount>10.0<", "<TotalAmount>90.0<");
    // Who says of it that it was erased hides nothing.
    let tombstone = changed.replace("evidence/", "erased/");
    let said = br#"{"v":1,"erased_at":"2026-01-01T00:00:00Z","sha256":""}"#.to_vec();
    let written = database.set(STORE, vec![(changed, message), (tombstone, said)]);
    runtime.block_on(written).unwrap();
    runtime
        .block_on(database.delete(STORE, vec![evidence("P-2")]))
        .unwrap();
    copy("2.db");
    verify(folder, "2.db", &believed).expect(
        1,
        &[
            "payment P-1: the message is not verified",
            "payment P-2: ",
            "missing",
            "1 signed by MPay",
        ],
    );

    // Somebody writes into the copy itself.
    let damaged = mpay_host::Database::open(folder.join("1.db")).unwrap();
    let written = damaged.set(STORE, vec![("evidence/x".to_owned(), Vec::new())]);
    runtime.block_on(written).unwrap();
    drop(damaged);
    verify(folder, "1.db", &believed).expect(1, &["1.db is damaged", "does not hold"]);
    drop(mpay_host::Database::open(folder.join("3.db")).unwrap());
    verify(folder, "3.db", &believed).expect(2, &["not a backup"]);
}

#[test]
fn of_two_payments_with_one_id_each_is_judged_by_its_own_evidence() {
    const STORE: &str = "default";
    let other = "approver-0123456789-0123456789-0123456789";
    let provider = Provider::with(&[("access", &[manager(TOKEN), manager(other)].join("\n"))]);
    provider.register("1", order());
    let twice = |path: &str, proposal: Value| {
        let proposal = provider.post(path, TOKEN, proposal);
        let approve = format!("payments/manual/{}/approve", proposal["id"]);
        provider.post(&approve, other, serde_json::json!({}));
    };
    twice(
        "payments/manual",
        serde_json::json!({
            "payment_id": "M-1", "service_id": "TAX", "order_key": "1", "amount": "10",
            "paid_at": "2026-01-01", "note": "Statement 7",
            "lines": [{"line_id": "1", "amount": "6"}, {"line_id": "2", "amount": "4"}]
        }),
    );
    let payment = |path: &str| -> Value { serde_json::from_slice(&provider.get(path)).unwrap() };
    let evidence = |payment: &Value| format!("evidence/{}", payment["evidence"].as_str().unwrap());
    let by_hand = evidence(&payment("payments/M-1"));
    twice(
        "payments/M-1/void",
        serde_json::json!({"note": "A mistake"}),
    );
    provider.confirm(&confirmation("1", "M-1"));
    let by_mpay = evidence(&payment("payments/M-1"));
    assert_ne!(by_hand, by_mpay);

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let state = provider.state().to_str().unwrap();
    let mpay = pem("mpay.pem");
    let judge = |file: &str| {
        run(folder, &["backup", file, "--state-dir", state]).expect(0, &[]);
        verify(folder, file, &["--certificate", &mpay])
    };
    let both = [
        "Payments         2",
        "1 signed by MPay",
        "1 entered by hand",
    ];
    judge("both.db").expect(0, &both);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = mpay_host::Database::open(provider.state().join(mpay_host::KEY_VALUE_FILE));
    let database = database.unwrap();
    for (lost, file, left) in [
        (&by_hand, "hand.db", "1 signed by MPay"),
        (&by_mpay, "mpay.db", "1 entered by hand"),
    ] {
        let message = runtime
            .block_on(database.get(STORE, lost))
            .unwrap()
            .unwrap();
        let deleted = database.delete(STORE, vec![lost.clone()]);
        runtime.block_on(deleted).unwrap();
        judge(file).expect(1, &["Payments         2", "payment M-1: ", left]);
        let written = database.set(STORE, vec![(lost.clone(), message)]);
        runtime.block_on(written).unwrap();
    }
    judge("again.db").expect(0, &both);
}

#[test]
fn a_payment_that_the_journal_of_a_backup_does_not_show_is_missed() {
    const STORE: &str = "default";
    let provider = Provider::start();
    for (key, id) in [("1", "P-1"), ("2", "P-2"), ("3", "P-3")] {
        provider.pay(key, id);
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let state = provider.state().to_str().unwrap();
    let (mpay, own) = (pem("mpay.pem"), pem("service.pem"));
    let judge = |file: &str| {
        run(folder, &["backup", file, "--state-dir", state]).expect(0, &[]);
        let believed = ["--certificate", &mpay, "--provider-certificate", &own];
        verify(folder, file, &believed)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = mpay_host::Database::open(provider.state().join(mpay_host::KEY_VALUE_FILE));
    let database = database.unwrap();
    let get = |key: &str| runtime.block_on(database.get(STORE, key)).unwrap().unwrap();
    let set = |key: &str, value: &[u8]| {
        let pair = (key.to_owned(), value.to_vec());
        let written = database.set(STORE, vec![pair]);
        runtime.block_on(written).unwrap();
    };
    let delete = |key: &str| {
        let deleted = database.delete(STORE, vec![key.to_owned()]);
        runtime.block_on(deleted).unwrap();
    };

    // Copied while somebody had taken places, and not filled them: that is nobody's fault.
    let counter = get("journal");
    let taken = database.increment(STORE, "journal".to_owned(), 2);
    runtime.block_on(taken).unwrap();
    judge("taken.db").expect(0, &["3 signed by MPay", "begun, and not yet recorded"]);
    set("journal", &counter);

    let missing = "payment P-2: it is recorded, and missing in the journal";
    let marker: Value = serde_json::from_slice(&get("done/P-2")).unwrap();
    let place = format!("journal/{}", marker["journal"]);
    let entry = get(&place);
    delete(&place);
    judge("hole.db").expect(1, &["Payments         3", "2 signed by MPay", missing]);
    set(&place, &entry);
    // What stands right behind a hole is judged.
    let marker: Value = serde_json::from_slice(&get("done/P-3")).unwrap();
    let before = format!("journal/{}", marker["journal"].as_u64().unwrap() - 1);
    let entry = get(&before);
    delete(&before);
    let begun = format!("{before} was begun, and not yet recorded");
    judge("before.db").expect(0, &["3 signed by MPay", &begun]);
    set(&before, &entry);

    delete("journal");
    judge("uncounted.db").expect(
        1,
        &[
            "Payments         3",
            missing,
            "it has 0 places",
            "does not hold",
        ],
    );
    set("journal", &counter);
    judge("whole.db").expect(0, &["3 signed by MPay"]);
}

/// A backup is whole if it has what the store had; whether that is right is another thing.
#[test]
fn what_is_damaged_in_the_books_of_a_backup_is_named_wherever_it_is() {
    const STORE: &str = "default";
    let provider = Provider::start();
    for (key, id) in [("1", "P-1"), ("2", "P-2"), ("3", "P-3")] {
        provider.pay(key, id);
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let state = provider.state().to_str().unwrap();
    let (mpay, own) = (pem("mpay.pem"), pem("service.pem"));
    let believed = ["--certificate", &mpay, "--provider-certificate", &own];
    let made = std::cell::Cell::new(0);
    let judge = |more: &[&str]| {
        made.set(made.get() + 1);
        let file = format!("{}.db", made.get());
        run(folder, &["backup", &file, "--state-dir", state]).expect(0, &[]);
        verify(folder, &file, &[&believed, more].concat())
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = mpay_host::Database::open(provider.state().join(mpay_host::KEY_VALUE_FILE));
    let database = database.unwrap();
    let get = |key: &str| runtime.block_on(database.get(STORE, key)).unwrap();
    let put = |key: &str, value: Option<Vec<u8>>| {
        let written = async {
            match value {
                Some(value) => database.set(STORE, vec![(key.to_owned(), value)]).await,
                None => database.delete(STORE, vec![key.to_owned()]).await,
            }
        };
        runtime.block_on(written).unwrap();
    };
    let keys = runtime.block_on(database.keys(STORE)).unwrap();
    let key_of = |prefix: &str| keys.iter().find(|key| key.starts_with(prefix)).unwrap();
    let stranger = wsse::Certificate::from_pem(&read("stranger.pem")).unwrap();
    let marker: Value = serde_json::from_slice(&get("done/P-2").unwrap()).unwrap();
    let entry = format!("journal/{}", marker["journal"]);
    let of_nobody = String::from_utf8(get(&entry).unwrap()).unwrap();
    let of_nobody = of_nobody.replace("\"P-2\"", "\" P-2 \"");
    let garbage = || Some(b"garbage".to_vec());
    for (key, value, words, without) in [
        (
            "journal",
            garbage(),
            &["what follows journal/0 is not to be read"][..],
            "places",
        ),
        (
            &entry,
            garbage(),
            &[
                &format!("{entry} cannot be read"),
                "payment P-2: it is recorded, and missing",
                "2 signed by MPay",
            ],
            "P-3",
        ),
        (
            "done/%FF",
            garbage(),
            &["done/%FF is the marker of no payment", "3 signed by MPay"],
            "payment P-",
        ),
        ("done/P-2", garbage(), &["P-2"], "P-3"),
        (
            key_of("certificate/"),
            Some(stranger.der().to_vec()),
            &[
                "payment P-1: NOT so: meta.json names this certificate",
                "payment P-3: ",
            ],
            "signed by MPay",
        ),
        (
            &entry,
            Some(of_nobody.into_bytes()),
            &["payment P-2: it is recorded, and missing"],
            "P-3",
        ),
    ] {
        let before = get(key);
        put(key, value);
        let outcome = judge(&[]).expect(1, &[words, &["does not hold"]].concat());
        assert!(!outcome.stdout.contains(without), "{key}: {outcome:#?}");
        put(key, before);
    }
    judge(&[]).expect(0, &["3 signed by MPay"]);
    // For another time, what was signed then was not valid.
    judge(&["--at", "2026-01-01T00:00:00Z"]).expect(1, &["payment P-1: ", "created at"]);
}

#[test]
fn a_flipped_bit_of_a_bare_message_is_found_wherever_it_matters() {
    let provider = Provider::start();
    provider.pay("1", "P-1");
    let files = unzip(&provider.evidence("P-1"));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let request = &files["request.xml"];
    let mpay = pem("mpay.pem");
    fs::write(folder.join("m.xml"), request).unwrap();
    verify(folder, "m.xml", &["--certificate", &mpay]).expect(
        0,
        &["the signed Created", "Created is the signer's own word"],
    );
    let text = String::from_utf8(request.clone()).unwrap();
    for mark in [
        "P-1<",
        "<Amount>",
        "Created>20",
        "SignatureValue>",
        "DigestValue>",
        "X509\">MII",
    ] {
        let position = text.find(mark).unwrap() + mark.len() - 1;
        let mut flipped = request.clone();
        flipped[position] ^= 1;
        fs::write(folder.join("f.xml"), &flipped).unwrap();
        let outcome = verify(folder, "f.xml", &["--certificate", &mpay]);
        assert_ne!(outcome.code, 0, "{mark}: {outcome:#?}");
    }
}

/// Signs a confirmation as at a time, and gives the file's name.
fn signed(folder: &Path, certificate: &str, created: &str) -> String {
    let content = confirmation("1", "P-1").encode();
    fs::write(folder.join("operation.xml"), content.as_str()).unwrap();
    let name = format!("{}-{}.xml", certificate.replace('/', "-"), &created[..4]);
    let (key, certificate) = (pem("mpay.key.pem"), pem(certificate));
    run(
        folder,
        &[
            "sign",
            "operation.xml",
            "--key",
            &key,
            "--certificate",
            &certificate,
            "--created",
            created,
            "--out",
            &name,
        ],
    )
    .expect(0, &[]);
    name
}

#[test]
fn a_certificate_must_have_been_valid_at_the_time_and_need_not_be_now() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Valid from 2020 to 2021.
    let expired = pem("expired.pem");
    let then = signed(folder, "expired.pem", "2020-06-01T10:00:00Z");
    verify(folder, &then, &["--certificate", &expired]).expect(0, &["2020-06-01T13:00:00+03:00"]);
    let later = signed(folder, "expired.pem", "2022-06-01T10:00:00Z");
    verify(folder, &later, &["--certificate", &expired]).expect(1, &["was valid until"]);
    let grace = [
        "--certificate",
        &expired,
        "--expired-signer-grace",
        "2592000",
    ];
    verify(folder, &later, &grace).expect(1, &["was valid until"]);
    let soon = signed(folder, "expired.pem", "2021-01-02T10:00:00Z");
    verify(folder, &soon, &grace).expect(0, &[]);
    verify(
        folder,
        &then,
        &["--certificate", &expired, "--at", "2020-06-01T13:04:00"],
    )
    .expect(0, &["--at"]);
    verify(
        folder,
        &then,
        &["--certificate", &expired, "--at", "2020-06-01T14:00:00"],
    )
    .expect(1, &[]);
    verify(folder, &then, &["--certificate", &expired, "--at", "noon"])
        .expect(2, &["--at", "like 2026"]);
}

#[test]
fn an_authority_vouches_for_the_named_signer_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let message = signed(folder, "chain/mpay.pem", "2026-06-01T10:00:00Z");
    let (root, issuing) = (pem("chain/root.pem"), pem("chain/issuing.pem"));
    let chain = [
        "--authority",
        &root,
        "--authority",
        &issuing,
        "--signer-name",
    ];
    let shown = run(folder, &["keys", "show", &pem("chain/mpay.pem"), "--json"]).json();
    let subject = shown["items"][0]["subject"].as_str().unwrap().to_owned();
    verify(folder, &message, &[&chain[..], &[&subject]].concat()).expect(0, &[]);
    verify(folder, &message, &[&chain[..], &["1003600000009"]].concat())
        .expect(1, &["required names"]);
    let rogue = pem("chain/rogue.pem");
    let rogue = [
        "--authority",
        &rogue,
        "--authority",
        &issuing,
        "--signer-name",
        &subject,
    ];
    verify(folder, &message, &rogue).expect(1, &["not signed with the key of its issuer"]);
    verify(folder, &message, &["--authority", &root]).expect(2, &["--signer-name"]);
}

#[test]
fn text_of_the_message_cannot_act_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut content = confirmation("1", "P-1");
    content.order_key = "1\u{202e}DLM 99.9 \u{9b}31m".to_owned();
    fs::write(folder.join("operation.xml"), content.encode().as_str()).unwrap();
    let (key, certificate) = (pem("mpay.key.pem"), pem("mpay.pem"));
    let sign = [
        "sign",
        "operation.xml",
        "--key",
        &key,
        "--certificate",
        &certificate,
        "--out",
        "m.xml",
    ];
    run(folder, &sign).expect(0, &[]);
    for json in [&[][..], &["--json"]] {
        let outcome = verify(
            folder,
            "m.xml",
            &[&["--certificate", &certificate][..], json].concat(),
        );
        let outcome = outcome.expect(0, &[]);
        assert!(
            !outcome.stdout.contains(['\u{202e}', '\u{9b}', '\u{1b}']),
            "{:?}",
            outcome.stdout
        );
    }
}
