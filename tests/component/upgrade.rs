//! The store of each release, `tests/data/stores/VERSION.db`, under the components of today: what it
//! holds is read as it was, and goes on.

use std::{collections::BTreeMap, fs, path::PathBuf};

use mpay_client::Confirmation;
use mpay_host::backup;
use serde_json::{Value, json};

use crate::harness::*;

const OTHER: &str = "another-token-0123456789-0123456789";

fn stores() -> PathBuf {
    workspace().join("tests/data/stores")
}

fn variables() -> String {
    managers(&[TOKEN, OTHER])
}

/// A payment of a known time, so that it can be repeated by a later release.
fn payment(key: &str, id: &str, amount: &str) -> Confirmation {
    Confirmation {
        paid_at: "2026-11-28T12:00:00".into(),
        ..confirmation(key, id, amount)
    }
}

fn confirm(provider: &Provider, key: &str, id: &str, amount: &str) -> String {
    code(provider.mpay().confirm(&payment(key, id, amount)).unwrap())
}

/// The facts that every version must tell of the store.
fn summary(provider: &Provider) -> Value {
    let of_order = |key: &str| {
        let order = provider.order(key);
        let members = ["status", "amount_due", "amount_paid", "reason"];
        let told = members.map(|name| (name.to_owned(), order[name].clone()));
        let mut told = serde_json::Map::from_iter(told);
        let payments = order["payments"].as_array().into_iter().flatten();
        let payments = payments.map(|payment| json!([payment["payment_id"], payment["review"]]));
        told.insert("payments".to_owned(), payments.collect());
        Value::Object(told)
    };
    let listed = |of: Vec<Value>, members: &[&str]| {
        let rows = of.into_iter().map(|entry| {
            let cells = members.iter().map(|name| entry[*name].clone());
            cells.collect::<Value>()
        });
        rows.collect::<Value>()
    };
    json!({
        "orders": KEYS.map(|key| (key, of_order(key))).into_iter().collect::<BTreeMap<_, _>>(),
        "payments": listed(
            provider.ledger(),
            &["payment_id", "service_id", "order_key", "amount", "paid_at"],
        ),
        "refusals": listed(provider.refusals(), &["payment_id", "order_key"]),
    })
}

/// The orders that each of these stores has.
const KEYS: [&str; 6] = ["active", "cancelled", "by-hand", "paid", "part", "twice"];

#[test]
fn the_store_of_each_release_is_read_as_it_was_and_goes_on() {
    let mut tested = 0;
    for entry in fs::read_dir(stores()).unwrap() {
        let store = entry.unwrap().path();
        if store.extension().is_none_or(|extension| extension != "db") {
            continue;
        }
        let name = store.display();
        let expected = fs::read_to_string(store.with_extension("json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let provider = Provider::start_over(&store, &[("access", &variables())]);
        assert_eq!(summary(&provider), expected, "{name}");

        // What MPay repeats is known, and not counted again; the same PaymentID is of nothing else.
        assert_eq!(confirm(&provider, "paid", "P-1", "10"), "ok", "{name}");
        assert_eq!(
            confirm(&provider, "paid", "P-1", "9"),
            "InvalidParameter",
            "{name}"
        );
        assert_eq!(
            summary(&provider)["payments"],
            expected["payments"],
            "{name}"
        );
        let evidence = provider.api("GET", "payments/P-1/evidence?format=xml", None);
        assert_eq!(evidence.status, 200, "{name}: {evidence:?}");

        // What was begun is ended.
        assert_eq!(confirm(&provider, "part", "P-8", "6"), "ok", "{name}");
        assert_eq!(confirm(&provider, "active", "P-9", "11"), "ok", "{name}");
        for key in ["part", "active"] {
            assert_eq!(provider.order(key)["status"], "Paid", "{name}: {key}");
        }
        let repaired = provider.api("POST", "repair?cursor=0", None).body;
        for found in ["repaired", "lost", "damaged", "unknown"] {
            assert_eq!(repaired[found], json!([]), "{name}: {repaired}");
        }
        tested += 1;
    }
    assert!(tested > 0, "there is no store in {}", stores().display());
}

/// `cargo test -p tests --test component make_the_store_of_this_release -- --ignored`
#[test]
#[ignore = "it writes the store that later releases are tested with, once for each release"]
fn make_the_store_of_this_release() {
    let provider = Provider::start_with(&[("access", &variables())], None);
    let mut part = order("10");
    part["allow_partial_payments"] = json!(true);
    for (key, order) in [
        ("active", order("10")),
        ("by-hand", order("10")),
        ("cancelled", order("10")),
        ("paid", order("10")),
        ("part", part),
        ("twice", order("10")),
    ] {
        provider.register(key, order);
    }
    provider.register("active", order("11"));
    let cancelled = provider.api("DELETE", &format!("orders/{SERVICE}/cancelled"), None);
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    for (key, id, amount) in [
        ("paid", "P-1", "10"),
        ("part", "P-2", "4"),
        ("twice", "P-3", "10"),
        ("twice", "P-4", "10"),
    ] {
        assert_eq!(confirm(&provider, key, id, amount), "ok");
    }
    assert_ne!(confirm(&provider, "paid", "P-1", "9"), "ok");
    let proposal = json!({
        "payment_id": "M-1", "service_id": SERVICE, "order_key": "by-hand", "amount": "10",
        "paid_at": "2026-11-01", "note": "In the statement of the treasury"
    });
    let proposed = provider.api("POST", "payments/manual", Some(&proposal));
    assert_eq!(proposed.status, 201, "{proposed:?}");
    let path = format!("payments/manual/{}/approve", proposed.body["id"]);
    let other = format!("Bearer {OTHER}");
    let headers = [("Authorization", other.as_str())];
    let approved = provider.api_with("POST", &path, Some(&json!({})), &headers);
    assert_eq!(approved.status, 200, "{approved:?}");

    let file = stores().join(concat!(env!("CARGO_PKG_VERSION"), ".db"));
    fs::create_dir_all(stores()).unwrap();
    fs::remove_file(&file).ok();
    let made = backup::back_up(&provider.store_file(), &file, "for a test", |_, _| ());
    println!("{}: {:?}", file.display(), made.unwrap());
    let text = serde_json::to_string_pretty(&summary(&provider)).unwrap();
    fs::write(file.with_extension("json"), text + "\n").unwrap();
}
