use std::{sync::Arc, time::Duration};

use mpay_host::{Fault, Observer, Operation};
use serde_json::{Value, json};

use crate::harness::*;

impl Provider {
    fn events(&self) -> Vec<Value> {
        let answer = self.api("GET", "events?limit=200", None);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["events"].as_array().unwrap().clone()
    }

    fn confirm(&self, key: &str, payment_id: &str, amount: &str) -> String {
        let confirmation = confirmation(key, payment_id, amount);
        code(self.mpay().confirm(&confirmation).unwrap())
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    let types = events.iter().map(|event| event["type"].as_str().unwrap());
    types.collect()
}

#[test]
fn everything_that_happens_is_an_event() {
    let provider = Provider::start();
    let mut named = order("10");
    named["customer_name"] = "Ana Exemplu".into();
    provider.register("1", named.clone());
    provider.register("1", named);
    provider.register("1", order("12"));
    assert_eq!(provider.confirm("1", "P", "12"), "ok");
    assert_eq!(provider.confirm("1", "P", "12"), "ok");
    assert_eq!(provider.confirm("1", "P", "1"), "InvalidParameter");
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/merge-patch+json"),
    ];
    for status in [
        json!("Completed"),
        json!(null),
        json!("Refunding"),
        json!("Refunded"),
    ] {
        let mut patch = json!({"status": status});
        if status == "Refunded" {
            patch["refund_reference"] = "PO 7".into();
        }
        let answer = provider.api_with("PATCH", "orders/TAX/1", Some(&patch), &headers);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    provider.register("2", order("5"));
    provider.api("DELETE", "orders/TAX/2", None);

    let events = provider.events();
    assert_eq!(
        types(&events),
        [
            "order.registered",
            "order.amended",
            "payment.recorded",
            "payment.refused",
            "order.completed",
            "order.reopened",
            "order.refunding",
            "order.refunded",
            "order.registered",
            "order.cancelled",
        ]
    );
    let indices: Vec<_> = events
        .iter()
        .map(|e| e["index"].as_u64().unwrap())
        .collect();
    assert!(indices.is_sorted() && indices[0] == 1, "{indices:?}");
    let amended = &events[1];
    assert!(amended["at"].as_str().unwrap().contains('T'));
    for (member, value) in [
        ("service_id", json!("TAX")),
        ("order_key", json!("1")),
        ("version", json!(2)),
        ("currency", json!("MDL")),
        ("total_amount_due", json!("12.00")),
        ("status", Value::Null),
    ] {
        assert_eq!(amended[member], value, "{member}");
    }
    assert_eq!(events[4]["status"], "Completed");
    assert_eq!(events[2]["payment_id"], "P");
    assert_eq!(events[3]["code"], "InvalidParameter");
    assert!(
        !json!(events).to_string().contains("Ana"),
        "it names nobody"
    );

    // The same in pages, and its views are parts of it.
    let mut after = "0".to_owned();
    let mut paged = Vec::new();
    loop {
        let page = provider.api("GET", &format!("events?cursor={after}&limit=3"), None);
        paged.extend(page.body["events"].as_array().unwrap().clone());
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        after = next.to_owned();
    }
    assert_eq!(paged, events);
    assert_eq!(provider.ledger()[0]["index"], events[2]["index"]);
    assert_eq!(provider.refusals()[0]["index"], events[3]["index"]);
}

/// Delays the batch that fills this place in the journal, long enough for other calls on a busy
/// machine.
fn slow_at(place: &'static str) -> Observer {
    Arc::new(move |call| {
        if call.operation == Operation::SetMany && call.keys.contains(&place) {
            Fault::Delay(Duration::from_secs(10))
        } else {
            Fault::None
        }
    })
}

fn wait_for(provider: &Provider, journal: u64) {
    let taken = || provider.stored("journal").map(|bytes| bytes.try_into());
    while taken() != Some(Ok(journal.to_le_bytes())) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_reader_passes_no_slow_payment_by() {
    let provider = Provider::start_with(&[], Some(slow_at("journal/3")));
    provider.register("1", order("10"));
    provider.register("2", order("10"));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| provider.confirm("1", "slow", "10"));
        wait_for(&provider, 3);
        assert_eq!(provider.confirm("2", "fast", "10"), "ok");
        assert_eq!(provider.ledger().len(), 0, "fast is not shown before slow");
        assert_eq!(provider.events().len(), 2);
        assert_eq!(slow.join().unwrap(), "ok");
    });
    let ledger = provider.ledger();
    let ids: Vec<_> = ledger.iter().map(|p| p["payment_id"].as_str()).collect();
    assert_eq!(ids, [Some("slow"), Some("fast")]);
    assert_eq!(provider.events().len(), 4);
}

#[test]
fn a_reader_passes_no_slow_change_of_an_order_by() {
    let provider = Provider::start_with(&[], Some(slow_at("journal/2")));
    provider.register("1", order("10"));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| provider.register("1", order("12")));
        wait_for(&provider, 2);
        assert_eq!(provider.confirm("none", "P", "10"), "UnknownOrder");
        assert_eq!(provider.refusals().len(), 0);
        assert_eq!(types(&provider.events()), ["order.registered"]);
        slow.join().unwrap();
    });
    assert_eq!(
        types(&provider.events()),
        ["order.registered", "order.amended", "payment.refused"]
    );
    assert_eq!(provider.refusals().len(), 1);
}
