//! Orders that the institution's own system gives when MPay asks, by the components in the embedded
//! host: MPay's door asks the people's door, which asks the system.

use mpay_client::Answer;
use serde_json::{Value, json};

use crate::{
    harness::*,
    receiver::{Receiver, Reply},
};

const SERVICES: &str = r#"{
    "TAX": {"order_source": {"older_than": 0, "last_known": true}},
    "SCHOOL": {"order_source": {}}, "LIBRARY": {}
}"#;

fn start(source: &Receiver) -> Provider {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (url, origin) = (format!("{}/orders", source.origin()), source.origin());
    let variables = [
        ("service_ids", ""),
        ("services", SERVICES),
        ("order_source_url", &url),
        ("order_source_origin", &origin),
        ("order_source_secret", secret),
    ];
    Provider::start_with(&variables, None)
}

fn reply(source: &Receiver, status: u16, body: &Value) {
    source.reply(Reply {
        status,
        body: body.to_string().into(),
        ..Reply::default()
    });
}

fn told(provider: &Provider, service: &str, key: &str) -> Vec<String> {
    match provider.mpay().details(service, key, "ro").unwrap() {
        Answer::Result(orders) => {
            let text =
                |order: &mpay_client::OrderDetails, name| order.get(name).unwrap().to_owned();
            let orders = orders.iter();
            orders
                .map(|order| text(order, "OrderKey") + " " + &text(order, "TotalAmountDue"))
                .collect()
        }
        Answer::Fault(fault) => vec![fault.code],
    }
}

#[test]
fn an_order_is_asked_for_when_mpay_asks() {
    let source = Receiver::start();
    let provider = start(&source);
    let mut document = order("10");
    document["order_key"] = "AC-1".into();
    reply(&source, 200, &document);
    assert_eq!(told(&provider, "TAX", "ас-1"), ["AC-1 10.00"]);
    let asked = source.received();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/orders");
    let signature = asked[0].headers["webhook-signature"].to_str().unwrap();
    assert!(signature.starts_with("v1,"), "{signature}");
    let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!(body["type"], "order.wanted");
    let wanted = json!({"service_id": "TAX", "order_key": "ас-1"});
    assert_eq!(body["data"], wanted);
    assert_eq!(provider.order("AC-1")["amount_due"], "10.00");

    // Each question of this service is passed on; the answer makes a version, as by PUT.
    document["lines"][0]["amount_due"] = "12".into();
    reply(&source, 200, &document);
    assert_eq!(told(&provider, "TAX", "AC-1"), ["AC-1 12.00"]);
    reply(&source, 500, &json!({}));
    assert_eq!(
        told(&provider, "TAX", "AC-1"),
        ["AC-1 12.00"],
        "the last one known"
    );
    assert_eq!(told(&provider, "TAX", "AC-2"), ["InternalError"]);
    reply(&source, 200, &json!({"lines": []}));
    assert_eq!(told(&provider, "TAX", "AC-2"), ["InternalError"]);
    reply(&source, 404, &json!({}));
    assert_eq!(told(&provider, "TAX", "AC-2"), ["UnknownOrder"]);

    // A payment asks nobody.
    let before = source.received().len();
    let paid = provider.mpay().confirm(&confirmation("AC-1", "P", "12"));
    assert_eq!(code(paid.unwrap()), "ok");
    assert_eq!(told(&provider, "TAX", "AC-1"), ["AC-1 0.00"], "it is paid");
    assert_eq!(source.received().len(), before);
}

#[test]
fn a_registered_order_is_not_asked_for_where_the_service_says_nothing_of_age() {
    let source = Receiver::start();
    let provider = start(&source);
    reply(&source, 200, &order("10"));
    for _ in 0..2 {
        assert_eq!(told(&provider, "SCHOOL", "1"), ["1 10.00"]);
    }
    assert_eq!(source.received().len(), 1);
    assert_eq!(told(&provider, "LIBRARY", "1"), ["UnknownOrder"]);
    assert_eq!(source.received().len(), 1);

    // No route leads from outside to where MPay's door asks.
    let outside = provider.http("POST", "/ask/SCHOOL/2", &[], b"");
    assert_eq!(outside.status().as_u16(), 404);
    assert_eq!(source.received().len(), 1);
    assert_eq!(provider.api("GET", "orders/SCHOOL/2", None).status, 404);
}
