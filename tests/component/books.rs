//! The books after the store has lost, damaged or never got a record.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mpay_client::Answer;
use mpay_host::{Fault, Observer};
use serde_json::{Value, json};

use crate::{harness::*, receiver::Receiver};

const AT: &str = "2026-01-01T00:00:00Z";

impl Provider {
    fn get(&self, path: &str) -> Value {
        let answer = self.api("GET", path, None);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    fn paid(&self, key: &str, id: &str, amount: &str) {
        let payment = confirmation(key, id, amount);
        assert_eq!(code(self.mpay().confirm(&payment).unwrap()), "ok");
    }

    /// The lines of reconciliation, of all days.
    fn reconciled(&self) -> Value {
        self.get("reconciliation?from=2026-01-01&to=2099-12-31")["lines"].clone()
    }

    /// All entries of a list that goes on at `next`, and how many calls it took.
    fn walk(&self, path: &str, member: &str) -> (Vec<Value>, u32) {
        let (mut found, mut after, mut calls) = (Vec::new(), "0".to_owned(), 0);
        loop {
            let page = self.get(&format!("{path}?cursor={after}"));
            calls += 1;
            found.extend(page[member].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return (found, calls),
            }
        }
    }

    /// Repairs from the beginning to the end: what was repaired, and what is damaged.
    fn repair(&self) -> (Vec<Value>, Vec<Value>) {
        let (mut repaired, mut damaged, mut after) = (Vec::new(), Vec::new(), "0".to_owned());
        loop {
            let answer = self.api("POST", &format!("repair?cursor={after}"), None);
            assert_eq!(answer.status, 200, "{answer:?}");
            let of = |member: &str| answer.body[member].as_array().unwrap().clone();
            assert_eq!(of("lost"), Vec::<Value>::new());
            repaired.extend(of("repaired"));
            damaged.extend(of("damaged"));
            match &answer.body["next"] {
                Value::Null => return (repaired, damaged),
                next => after = next.as_str().unwrap().to_owned(),
            }
        }
    }

    fn counter(&self, list: &str) -> u64 {
        let bytes = self.stored(list).unwrap_or_default();
        bytes.try_into().map_or(0, u64::from_le_bytes)
    }

    /// Takes places of a list that nobody will fill; gives the last one.
    fn take(&self, list: &str, places: u64) -> u64 {
        let last = self.counter(list) + places;
        self.load(&[(list.to_owned(), last.to_le_bytes().to_vec())]);
        last
    }

    /// Puts entries at the places after all others.
    fn append(&self, list: &str, entries: &[&str]) -> Vec<u64> {
        let places = entries.iter().map(|entry| {
            let place = self.counter(list) + 1;
            self.load(&[
                (format!("{list}/{place}"), entry.as_bytes().to_vec()),
                (list.to_owned(), place.to_le_bytes().to_vec()),
            ]);
            place
        });
        places.collect()
    }
}

fn ids(payments: &[Value]) -> Vec<&str> {
    let ids = payments.iter().map(|p| p["payment_id"].as_str().unwrap());
    ids.collect()
}

fn with_webhook(receiver: &Receiver) -> Provider {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let origin = receiver.origin();
    let webhooks = format!("erp {origin} {secret}");
    let variables = [("webhooks", webhooks.as_str()), ("webhook_origin", &origin)];
    Provider::start_with(&variables, None)
}

#[test]
fn unreadable_entries_of_the_journal_are_passed_on_and_stop_nobody() {
    let receiver = Receiver::start();
    let provider = with_webhook(&receiver);
    provider.register("1", order("10"));
    provider.paid("1", "A", "10");
    let unknown =
        format!(r#"{{"v":1,"at":"{AT}","entry":{{"type":"order.from_the_future","x":1}}}}"#);
    let later = unknown.replace("\"v\":1", "\"v\":2");
    let places = provider.append("journal", &["\u{1}garbage", &unknown, &later]);
    provider.register("2", order("10"));
    provider.paid("2", "B", "10");

    let events = provider.walk("events", "events").0;
    let unreadable: Vec<_> = events.iter().filter(|e| e["unreadable"] == true).collect();
    let indices: Vec<_> = unreadable.iter().map(|e| &e["index"]).collect();
    assert_eq!(json!(indices), json!(places));
    assert_eq!(unreadable[0].get("type"), None);
    for event in &unreadable[1..] {
        assert_eq!(
            (&event["type"], &event["x"]),
            (&json!("order.from_the_future"), &json!(1))
        );
    }
    assert_eq!(events.len(), 7);
    assert_eq!(ids(&provider.walk("payments", "payments").0), ["A", "B"]);
    let orders = provider.get("orders");
    assert_eq!(orders["orders"].as_array().unwrap().len(), 2);
    let lines = provider.reconciled();
    assert_eq!(ids(lines.as_array().unwrap()), ["A", "B"]);
    let answer = provider.api("POST", "outbox/deliver", None);
    assert_eq!(answer.status, 200, "{answer:?}");
    let outbox = provider.walk("outbox", "deliveries").0;
    assert_eq!(ids(&outbox), ["A", "B"]);
    assert_eq!(provider.details("2").get("Status"), Some("Paid"));
    provider.paid("1", "A", "10");
}

#[test]
fn a_damaged_entry_is_an_error_of_its_order_alone() {
    let provider = Provider::start();
    for key in ["1", "2", "3"] {
        provider.register(key, order("10"));
        provider.paid(key, &format!("P{key}"), "10");
    }
    provider.append("order/TAX/1", &["\u{1}garbage"]);
    let hold = format!(r#"{{"v":1,"at":"{AT}","entry":{{"hold":{{}}}}}}"#);
    provider.append("order/TAX/2", &[&hold]);

    let answer = provider.api("GET", "orders/TAX/1", None);
    assert!(matches!(answer.status, 500 | 503), "{answer:?}");
    let text = answer.body.to_string();
    assert!(text.contains("repair"), "{text}");
    let fault = provider.details_fault(SERVICE, "1");
    assert_eq!(fault.code, "InternalError");
    // An entry of an unknown kind is skipped.
    for key in ["2", "3"] {
        assert_eq!(provider.order(key)["amount_paid"], "10.00");
        assert_eq!(provider.details(key).get("Status"), Some("Paid"));
    }
    provider.paid("2", "P2", "10");
    provider.paid("3", "P4", "10");
    let orders = provider.get("orders");
    let keys: Vec<_> = orders["orders"].as_array().unwrap().iter().collect();
    let keys: Vec<_> = keys.iter().map(|order| &order["order_key"]).collect();
    assert_eq!(keys, [&json!("3"), &json!("2")]);
    assert_eq!(ids(&provider.ledger()), ["P1", "P2", "P3", "P4"]);
    let lines = provider.reconciled();
    assert_eq!(ids(lines.as_array().unwrap()), ["P1", "P2", "P3", "P4"]);
    assert_eq!(provider.walk("events", "events").0.len(), 7);
    assert_eq!(provider.repair().1, [json!("order/TAX/1/3")]);
}

#[test]
fn what_was_lost_is_mended_at_its_own_place() {
    let provider = Provider::start();
    for key in ["1", "2"] {
        provider.register(key, order("10"));
    }
    for (key, id) in [("1", "A"), ("2", "B"), ("1", "C"), ("2", "D")] {
        provider.paid(key, id, "5.50");
    }
    let books = || {
        let orders = ["1", "2"].map(|key| provider.order(key));
        let events = provider.walk("events", "events").0;
        (orders, provider.ledger(), provider.reconciled(), events)
    };
    let before = books();
    let place = |id: &str| {
        let marker = provider.stored(&format!("done/{id}")).unwrap();
        let marker: Value = serde_json::from_slice(&marker).unwrap();
        let order = marker["order"].as_str().unwrap().to_owned();
        (order, format!("journal/{}", marker["journal"]))
    };
    // Each in its own way: lost and damaged, in the order's list and in the journal.
    provider.load(&[(place("A").0, b"\x01garbage".to_vec())]);
    provider.lose(&[place("B").0, place("C").1]);
    provider.load(&[(place("D").1, b"\x01garbage".to_vec())]);
    let (mut repaired, damaged) = provider.repair();
    repaired.sort_by_key(Value::to_string);
    assert_eq!(
        (repaired, damaged),
        (["A", "B", "C", "D"].map(Value::from).into(), vec![])
    );
    let after = books();
    assert_eq!(after.0, before.0);
    assert_eq!(after.1, before.1);
    assert_eq!(after.2, before.2);
    assert_eq!(after.3, before.3);
    assert_eq!(provider.repair(), (vec![], vec![]));
    assert_eq!(provider.order("1")["amount_paid"], "11.00");
}

#[test]
fn a_writer_that_died_holds_nobody_up_for_long() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let answer = provider.api("GET", "orders/TAX/1", None);
    let etag = answer.headers["etag"].to_str().unwrap().to_owned();
    provider.take("order/TAX/1", 1);
    provider.take("journal", 1);
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("If-Match", &etag),
    ];
    let begun = Instant::now();
    let answer = provider.api_with("PUT", "orders/TAX/1", Some(&order("12")), &headers);
    let took = begun.elapsed();
    println!("PUT took {took:?}");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");

    provider.take("journal", 1);
    provider.paid("1", "A", "12");
    let begun = Instant::now();
    loop {
        let events = provider.walk("events", "events").0;
        if events.iter().any(|event| event["payment_id"] == "A") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    println!("events took {:?}", begun.elapsed());
    assert_eq!(provider.order("1")["amount_paid"], "12.00");
}

#[test]
fn hundreds_of_unfilled_places_are_passed() {
    let receiver = Receiver::start();
    let provider = with_webhook(&receiver);
    provider.register("1", order("10"));
    provider.take("journal", 752);
    provider.paid("1", "A", "10");
    let begun = Instant::now();
    let mut calls = 0;
    let until_there = |path: &str, member: &str, calls: &mut u32| loop {
        let (found, made) = provider.walk(path, member);
        *calls += made;
        if !found.is_empty() {
            assert_eq!(ids(&found), ["A"]);
            return;
        }
        assert!(*calls < 50, "{path}");
    };
    until_there("payments", "payments", &mut calls);
    until_there("outbox", "deliveries", &mut calls);
    while provider.reconciled() == json!([]) {
        calls += 1;
        assert!(calls < 50);
    }
    println!("{calls} calls in {:?}", begun.elapsed());
    assert_eq!(ids(provider.reconciled().as_array().unwrap()), ["A"]);
}

#[test]
fn a_repeated_request_gets_the_first_answer_though_the_configuration_changed() {
    let mut provider = Provider::start();
    let other = "another-0123456789-0123456789-0123456789";
    let services = |reason: &str| json!({"TAX": {"reason": reason}, "SCHOOL": {}}).to_string();
    provider.set_variable("access", &managers(&[TOKEN, other]));
    provider.set_variable("service_ids", "");
    provider.set_variable("services", &services("Taxa veche"));
    provider.restart();
    let document = json!({
        "service_id": "TAX", "customer_type": "Person", "customer_id": "2000000000003",
        "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "10"}]
    });
    let post = |provider: &Provider, token: &str, query: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Idempotency-Key", "\"one\""),
        ];
        provider.api_with("POST", &format!("orders{query}"), Some(&document), &headers)
    };
    let first = post(&provider, TOKEN, "");
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.body["reason"], "Taxa veche");
    provider.set_variable("services", &services("Taxa nouă"));
    provider.restart();
    for query in ["", "?strict=true"] {
        let again = post(&provider, TOKEN, query);
        assert_eq!(again.status, 201, "{again:?}");
        assert_eq!(again.body, first.body);
    }
    let another = post(&provider, other, "");
    assert_eq!(another.status, 201, "{another:?}");
    assert_ne!(another.body["order_key"], first.body["order_key"]);
    assert_eq!(another.body["reason"], "Taxa nouă");
}

/// Loads payments of an order as their recording would leave them: copies of the first.
fn multiply(provider: &Provider, payments: u64) {
    let text = |key: &str| String::from_utf8(provider.stored(key).unwrap()).unwrap();
    let keys = [
        "order/TAX/1/2",
        "journal/2",
        "payment/P0001/1",
        "done/P0001",
    ];
    let [entry, event, attempt, marker] = keys.map(text);
    for n in 2..=payments {
        let id = format!("P{n:04}");
        let renamed = |text: &str| text.replace("P0001", &id);
        let placed = |text: &str, old: &str, new: String| {
            let copy = text.replace(old, &new);
            assert_ne!(copy, text);
            copy.into_bytes()
        };
        // Their places in both lists are the same: the order was registered at the first.
        let place = n + 1;
        let attempt = renamed(&attempt).replace("\"order\":2,", &format!("\"order\":{place},"));
        let marker =
            renamed(&marker).replace("\"order/TAX/1/2\"", &format!("\"order/TAX/1/{place}\""));
        let journal = |text: &str| placed(text, "\"journal\":2", format!("\"journal\":{place}"));
        provider.load(&[
            (format!("order/TAX/1/{place}"), renamed(&entry).into_bytes()),
            (format!("journal/{place}"), renamed(&event).into_bytes()),
            (format!("payment/{id}"), 1_u64.to_le_bytes().to_vec()),
            (format!("payment/{id}/1"), journal(&attempt)),
            (format!("done/{id}"), journal(&marker)),
        ]);
    }
    for list in ["order/TAX/1", "journal"] {
        provider.take(list, payments - 1);
    }
}

#[test]
fn an_order_of_a_thousand_payments_is_served_in_parts() {
    const PAYMENTS: u64 = 1_000;
    let calls = Arc::<Mutex<Vec<_>>>::default();
    let seen = Arc::clone(&calls);
    let observer: Observer = Arc::new(move |call| {
        seen.lock().unwrap().push(call.operation);
        Fault::None
    });
    let provider = Provider::start_with(&[], Some(observer));
    let mut long = order("10000");
    long["allow_partial_payments"] = true.into();
    provider.register("1", long);
    provider.paid("1", "P0001", "2");
    multiply(&provider, PAYMENTS);

    let order = provider.order("1");
    assert_eq!(order["payment_count"], PAYMENTS);
    assert_eq!(order["amount_paid"], "2000.00");
    let shown = order["payments"].as_array().unwrap();
    assert!((64..=128).contains(&shown.len()), "{}", shown.len());
    let url = order["payments_url"].as_str().unwrap();
    let path = url.strip_prefix("/api/").unwrap();
    let (mut found, mut page) = (Vec::new(), provider.get(path));
    loop {
        let payments = page["payments"].as_array().unwrap();
        found.extend(ids(payments).into_iter().map(str::to_owned));
        match &page["next"] {
            Value::Null => break,
            next => {
                let next = next.as_str().unwrap();
                page = provider.get(&format!("{path}?cursor={next}"));
            }
        }
    }
    assert_eq!(found.len() as u64, PAYMENTS);
    let distinct: BTreeSet<_> = found.iter().collect();
    assert_eq!(distinct.len(), found.len());

    calls.lock().unwrap().clear();
    let details = provider.mpay().details(SERVICE, "1", "ro").unwrap();
    assert!(matches!(details, Answer::Result(_)), "{details:?}");
    // Not held any longer: the calls that follow are observed too.
    let cost = calls.lock().unwrap().clone();
    assert!(cost.len() <= 6, "{cost:?}");
    assert_eq!(provider.ledger().len() as u64, PAYMENTS);
}
