use serde_json::{Value, json};

use crate::harness::*;

fn pay(provider: &Provider, key: &str, id: &str, amount: &str) {
    let confirmation = confirmation(key, id, amount);
    assert_eq!(code(provider.mpay().confirm(&confirmation).unwrap()), "ok");
}

/// The members named `member` of the entries of a listing, read page by page.
fn all(provider: &Provider, path: &str, list: &str, member: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut query = String::new();
    loop {
        let answer = provider.api("GET", &format!("{path}{query}"), None);
        assert_eq!(answer.status, 200, "{answer:?}");
        for item in answer.body[list].as_array().unwrap() {
            found.push(item[member].as_str().unwrap().to_owned());
        }
        let next = match &answer.body["next"] {
            Value::Null => return found,
            next => format!("&cursor={}", next.as_str().unwrap()),
        };
        query = next;
    }
}

#[test]
fn orders_are_listed_the_newest_first_and_chosen() {
    let provider = Provider::start();
    for key in ["active", "paid", "double", "cancelled"] {
        provider.register(key, order("10"));
    }
    let other = provider.api("PUT", "orders/SCHOOL/s", Some(&order("5")));
    assert_eq!(other.status, 201);
    for (key, id) in [("paid", "P"), ("double", "Q"), ("double", "R")] {
        pay(&provider, key, id, "10");
    }
    provider.api("DELETE", "orders/TAX/cancelled", None);
    let list = |query: &str| {
        all(
            &provider,
            &format!("orders?limit=2{query}"),
            "orders",
            "order_key",
        )
    };
    assert_eq!(list(""), ["s", "cancelled", "double", "paid", "active"]);
    assert_eq!(list("&status=Paid"), ["double", "paid"]);
    assert_eq!(list("&status=Cancelled"), ["cancelled"]);
    assert_eq!(list("&status=Refunded"), [""; 0]);
    assert_eq!(list("&review=open"), ["double"]);
    assert_eq!(list("&review=late"), [""; 0]);
    assert_eq!(list("&service_id=SCHOOL"), ["s"]);
    assert_eq!(list("&service_id=SCHOOL&status=Paid"), [""; 0]);
    assert_eq!(list("&registered_from=2026-01-01").len(), 5);
    assert_eq!(list("&registered_to=2026-01-01"), [""; 0]);
    assert_eq!(list("&registered_from=2099-01-01"), [""; 0]);

    let first = provider.api("GET", "orders?status=Active", None).body["orders"].take();
    let mut expected = provider.api("GET", "orders/SCHOOL/s", None).body;
    expected["index"] = first[0]["index"].clone();
    expected["registered_at"] = first[0]["registered_at"].clone();
    assert_eq!(
        first[0], expected,
        "an order looks the same wherever it is read"
    );

    let note = json!({"note": "returned"});
    provider.api("POST", "payments/R/reviews/double", Some(&note));
    assert_eq!(list("&review=open"), [""; 0]);

    for query in [
        "limit=0",
        "limit=201",
        "cursor=0",
        "status=paid",
        "review=x",
        "registered_from=today",
        "service_id=",
        "cursor=0",
        "limit=1&limit=2",
    ] {
        let answer = provider.api("GET", &format!("orders?{query}"), None);
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
}

#[test]
fn payments_are_chosen_by_day_and_review() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    for id in ["P", "Q", "R", "S"] {
        pay(&provider, "1", id, "10");
    }
    let list = |query: &str| {
        let path = format!("payments?limit=1{query}");
        all(&provider, &path, "payments", "payment_id")
    };
    assert_eq!(list(""), ["P", "Q", "R", "S"]);
    assert_eq!(list("&review=open"), ["Q", "R", "S"]);
    assert_eq!(list("&review=double"), ["Q", "R", "S"]);
    assert_eq!(list("&review=late"), [""; 0]);
    assert_eq!(list("&from=2026-01-01&to=2099-01-01"), ["P", "Q", "R", "S"]);
    assert_eq!(list("&to=2026-01-01"), [""; 0]);
    assert_eq!(list("&from=2099-01-01"), [""; 0]);
    let second = provider.api("GET", "events?cursor=3&limit=1", None).body["events"][0].take();
    assert_eq!(second["payment_id"], "R");
    assert_eq!(
        provider.api("GET", "payments?review=paid", None).status,
        400
    );
}
