use serde_json::{Value, json};

use crate::harness::*;

impl Provider {
    fn create(&self, idempotency_key: &str, order: &Value) -> ApiAnswer {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Idempotency-Key", idempotency_key),
        ];
        self.api_with("POST", "orders", Some(order), &headers)
    }
}

fn of_service(amount: &str) -> Value {
    let mut order = order(amount);
    order["service_id"] = SERVICE.into();
    order
}

#[test]
fn a_key_is_generated_once_for_an_idempotency_key() {
    let mut provider = Provider::start();
    let first = provider.create("\"a\"", &of_service("10"));
    assert_eq!(first.status, 201, "{first:?}");
    let key = first.body["order_key"].as_str().unwrap().to_owned();
    assert!(
        key.len() == 12 && key.bytes().all(|b| b.is_ascii_digit()),
        "{key}"
    );
    assert_eq!(
        first.headers["location"].to_str().unwrap(),
        format!("/api/orders/TAX/{key}")
    );
    provider.restart();
    // The same document with other white space and another order of members.
    let mut again = json!({"service_id": SERVICE});
    for (name, value) in order("10").as_object().unwrap() {
        again[name] = value.clone();
    }
    let again = provider.create("a", &again);
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.headers["etag"], first.headers["etag"]);
    assert_eq!(provider.create("a", &of_service("11")).status, 422);

    let other = provider.create("b", &of_service("10"));
    assert_ne!(other.body["order_key"], first.body["order_key"]);
    assert_eq!(provider.keys("journal/").len(), 2);
    assert_eq!(provider.details(&key).get("Status"), Some("Active"));
    assert_eq!(
        code(
            provider
                .mpay()
                .confirm(&confirmation(&key, "P", "10"))
                .unwrap()
        ),
        "ok"
    );
    assert_eq!(
        provider.create("a", &of_service("10")).body["status"],
        "Paid"
    );
}

#[test]
fn the_same_request_at_once_makes_one_order() {
    let provider = Provider::start();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| provider.create("a", &of_service("10"))))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let key = provider.create("a", &of_service("10")).body["order_key"].clone();
    for answer in answers {
        match answer.status {
            201 => assert_eq!(answer.body["order_key"], key),
            // Told to come again.
            409 | 503 => {}
            _ => panic!("{answer:?}"),
        }
    }
    let path = format!("order/TAX/{}", key.as_str().unwrap());
    let lists = provider.keys("order/");
    assert!(
        lists.iter().all(|list| list.starts_with(&path)),
        "{lists:?}"
    );
}

#[test]
fn what_cannot_be_created_claims_nothing() {
    let provider = Provider::start();
    let mut with_key = of_service("10");
    with_key["order_key"] = "1".into();
    let mut other = of_service("10");
    other["service_id"] = "OTHER".into();
    for (order, field) in [
        (order("10"), "service_id"),
        (other, "service_id"),
        (with_key, "order_key"),
        (of_service("0"), "lines[0].amount_due"),
    ] {
        let answer = provider.create("a", &order);
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
    for wrong in ["", "\"\"", "a b", "a\"b", &"x".repeat(129)] {
        assert_eq!(provider.create(wrong, &of_service("10")).status, 400);
    }
    let without = provider.api("POST", "orders", Some(&of_service("10")));
    assert_eq!(without.status, 400);
    assert!(
        without.body["detail"]
            .as_str()
            .unwrap()
            .contains("Idempotency-Key")
    );
    assert_eq!(provider.create("a", &of_service("10")).status, 201);
}
