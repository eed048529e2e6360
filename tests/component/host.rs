//! The contract of the provider with its host, checked by a component inside it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use mpay_host::{Fault, Manner, Observer, Operation, Options};
use tempfile::TempDir;

use crate::{
    harness::*,
    receiver::{Receiver, Reply},
};

/// A component that asks.
fn asking() -> &'static Path {
    static COMPONENT: OnceLock<PathBuf> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        built();
        mpay::component::Build::new(workspace())
            .quiet(true)
            .provider_only()
            .feature("host-contract")
            .target_dir(workspace().join("target/host-contract"))
            .run()
            .unwrap()
    })
}

/// The component under the project's manifest with these `allowed_outbound_hosts`.
fn start(allowed: &str) -> (Provider, TempDir) {
    start_tuned(allowed, |_| {})
}

fn start_tuned(allowed: &str, tune: impl FnOnce(&mut Options)) -> (Provider, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = fs::read_to_string(workspace().join("spin.toml")).unwrap();
    let (manifest, _office) = manifest.split_once("# The people's door").unwrap();
    let table = "key_value_stores = [\"default\"]\n";
    let manifest: String = manifest
        .lines()
        .filter(|line| !line.starts_with("allowed_outbound_hosts"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(manifest.contains(table));
    let manifest = manifest.replace(
        table,
        &format!("{table}allowed_outbound_hosts = [{allowed}]\n"),
    );
    let file = folder.path().join("spin.toml");
    fs::write(&file, manifest).unwrap();
    let asking = asking().to_owned();
    let provider = Provider::start_components_tuned(asking, file, tune);
    (provider, folder)
}

fn fetch(provider: &Provider, address: &str) -> (u16, String) {
    let mut response = provider.http("GET", "", &[("fetch", address)], b"");
    (
        response.status().as_u16(),
        response.body_mut().read_to_string().unwrap(),
    )
}

#[test]
fn the_store_keeps_the_contract_of_the_platform() {
    assert_contract_kept(|_| {});
}

/// Checks what the component needs of its platform, in a host with these options.
pub fn assert_contract_kept(tune: impl FnOnce(&mut Options)) {
    let (provider, _folder) = start_tuned("", tune);
    let mut response = provider.http("GET", "", &[], b"");
    let text = response.body_mut().read_to_string().unwrap();
    assert_eq!(
        (response.status().as_u16(), text.as_str()),
        (200, "kept"),
        "{}",
        provider.log()
    );
}

/// The contract holds while the store reads batches like Spin's Redis store.
#[test]
fn the_contract_holds_where_batches_are_read_wrongly_as_by_the_redis_of_spin() {
    let (batches, counted) = counting_batches();
    let (provider, _folder) = start_tuned("", |options| {
        options.store_manner = Manner::Redis;
        options.observer = Some(counted);
    });
    let mut response = provider.http("GET", "", &[], b"");
    let text = response.body_mut().read_to_string().unwrap();
    assert_eq!(text, "kept", "{}", provider.log());
    assert_eq!(
        batches.load(Relaxed),
        1,
        "an instance that has seen it does not try again"
    );
}

#[test]
fn a_payment_is_recorded_once_where_batches_are_read_wrongly() {
    let (batches, counted) = counting_batches();
    let provider = Provider::start_tuned(&[], |options| {
        options.store_manner = Manner::Redis;
        options.observer = Some(counted);
    });
    provider.register("1", order("10"));
    assert_eq!(provider.details("1").get("TotalAmountDue"), Some("10.00"));
    for _ in 0..3 {
        let payment = confirmation("1", "P", "10");
        assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    }
    assert_eq!(provider.details("1").get("Status"), Some("Paid"));
    assert_eq!(provider.order("1")["payments"].as_array().unwrap().len(), 1);
    assert_eq!(provider.ledger().len(), 1);
    assert!(batches.load(Relaxed) > 0, "or this tests nothing");
}

/// Counts the batches that are read.
fn counting_batches() -> (Arc<AtomicUsize>, Observer) {
    let batches = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&batches);
    let observer: Observer = Arc::new(move |call| {
        if call.operation == Operation::GetMany {
            counter.fetch_add(1, Relaxed);
        }
        Fault::None
    });
    (batches, observer)
}

#[test]
fn a_request_goes_to_an_allowed_host_and_to_no_other() {
    let (allowed, other) = (Receiver::start(), Receiver::start());
    for receiver in [&allowed, &other] {
        receiver.reply(Reply {
            status: 200,
            body: "here".into(),
            ..Reply::default()
        });
    }
    let (provider, _folder) = start(&format!("\"{}\"", allowed.origin()));
    let hook = format!("{}/hook", allowed.origin());
    assert_eq!(fetch(&provider, &hook), (200, "here".into()));
    let received = &allowed.received()[0];
    assert_eq!((received.path.as_str(), received.body.len()), ("/hook", 0));
    assert_eq!(
        received.headers["host"],
        allowed.origin()["http://".len()..]
    );

    let (_, port) = allowed
        .origin()
        .rsplit_once(':')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    for refused in [
        other.origin(),
        format!("http://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "http://127.0.0.1/".to_owned(),
    ] {
        assert_eq!(fetch(&provider, &refused).0, 500, "{refused}");
        let notice = format!(
            "refused a request of the component to {}: the manifest does not allow it",
            refused.trim_end_matches('/')
        );
        assert!(provider.log().contains(&notice), "{}", provider.log());
    }
    assert_eq!(allowed.received().len(), 1);
    assert_eq!(other.received().len(), 0);
}

#[test]
fn without_hosts_in_the_manifest_no_request_leaves() {
    let receiver = Receiver::start();
    let (provider, _folder) = start("");
    assert_eq!(fetch(&provider, &receiver.origin()).0, 500);
    assert_eq!(receiver.received().len(), 0);
    assert!(provider.log().contains("HttpRequestDenied"));
}

#[test]
fn a_redirect_is_an_answer_like_any_other() {
    let (receiver, other) = (Receiver::start(), Receiver::start());
    receiver.reply(Reply {
        status: 302,
        headers: vec![("location", other.origin())],
        body: "moved".into(),
    });
    let (provider, _folder) = start("\"http://*:*\"");
    assert_eq!(fetch(&provider, &receiver.origin()), (200, "moved".into()));
    assert_eq!(other.received().len(), 0);
}

#[test]
fn a_host_without_a_certificate_that_the_web_trusts_gets_no_request() {
    use tokio::io::AsyncReadExt;
    // A server that only listens: what it is sent must be a TLS greeting, and nothing after it.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let greeting = runtime.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut first = [0; 3];
        stream.read_exact(&mut first).await.unwrap();
        first
    });
    let (provider, _folder) = start("\"https://127.0.0.1:*\"");
    assert_eq!(
        fetch(&provider, &format!("https://{address}/secret")).0,
        500
    );
    // Record type 22 (handshake), version 3.1 in the first record: RFC 8446, 5.1.
    assert_eq!(runtime.block_on(greeting).unwrap(), [22, 3, 1]);
}
