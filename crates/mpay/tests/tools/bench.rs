use crate::{
    provider::{Provider, TOKEN},
    support::*,
};

/// The flags that go with the provider of the tests.
fn flags(folder: &std::path::Path) -> Vec<String> {
    std::fs::write(folder.join("token"), format!("{TOKEN}\n")).unwrap();
    let mut flags = vec!["--service".to_owned(), "TAX".to_owned()];
    for (name, file) in [
        ("--key", "mpay.key.pem"),
        ("--certificate", "mpay.pem"),
        ("--provider-certificate", "service.pem"),
    ] {
        flags.extend([name.to_owned(), data(file).to_str().unwrap().to_owned()]);
    }
    flags.extend(["--token-file".to_owned(), "token".to_owned()]);
    flags
}

#[test]
fn a_run_pays_orders_and_says_how_fast() {
    let provider = Provider::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let flags = flags(folder);
    let bench = |more: &[&str]| {
        let output = mpay(folder)
            .args([
                "bench",
                &provider.url,
                "--connections",
                "3",
                "--duration",
                "1",
                "--verify-every",
                "2",
            ])
            .args(&flags)
            .args(more)
            .output();
        Outcome::of(output.unwrap())
    };
    let report = bench(&["--mix", "2:6:4", "--json"]).expect(0, &[]).json();
    assert_eq!(report["failures"], 0);
    assert_eq!(report["unverified"], 0);
    assert!(report["verified"].as_u64().unwrap() > 0);
    let calls = |kind: &str| {
        let kinds = report["kinds"].as_array().unwrap();
        let kind = kinds.iter().find(|latencies| latencies["kind"] == kind);
        kind.map_or(0, |latencies| latencies["calls"].as_u64().unwrap())
    };
    assert_eq!(
        calls("all"),
        calls("details") + calls("confirmations") + calls("repeats")
    );
    // What it says that it paid is in the ledger, once: repetitions are no payments.
    let mut payments = 0;
    let mut after = "0".to_owned();
    loop {
        let page: serde_json::Value = ureq::get(format!(
            "{}api/payments?limit=200&cursor={after}",
            provider.url
        ))
        .header("Authorization", format!("Bearer {TOKEN}"))
        .call()
        .unwrap()
        .body_mut()
        .read_json()
        .unwrap();
        payments += page["payments"].as_array().unwrap().len() as u64;
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = next.to_owned();
    }
    assert_eq!(payments, calls("confirmations"));

    bench(&["--mix", "1:0:0"]).expect(0, &["details", "p99 ms", "none of it is measured"]);
}

#[test]
fn a_run_that_goes_wrong_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let flags = flags(folder);
    let bench = |url: &str| {
        let output = mpay(folder)
            .args(["bench", url, "--duration", "1"])
            .args(&flags)
            .output();
        Outcome::of(output.unwrap())
    };
    bench("http://127.0.0.1:9/").expect(2, &["is the provider running?"]);
    let production = Provider::with(&[("environment", "production")]);
    bench(&production.url).expect(2, &["production", "records payments"]);
    let strict = Provider::with(&[("accept_sha1", "false")]);
    bench(&strict.url).expect(2, &["does not answer as it should", "mpay call details"]);
    run(folder, &["bench", "--mix", "0:0:1"]).expect(2, &["at least one call"]);
    run(folder, &["bench", "--mix", "1:0:1"]).expect(2, &["nothing to repeat"]);
}
