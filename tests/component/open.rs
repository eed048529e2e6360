//! Services whose orders nobody registers.

use mpay_client::Answer;
use serde_json::json;

use crate::harness::*;

const SERVICES: &str = r##"{"TAX": {}, "PERMITS": {"open": {
    "key": {"pattern": "AC-#{8}", "check_digit": "luhn"}, "reason": "Permis",
    "amount_due": "50", "properties": [
        {"name": "Nume", "display_name": "Numele", "modifiable": true, "required": true}
    ]
}}, "GIFTS": {"open": {"key": {"pattern": "#{4}"}, "reason": "Donație", "min_payment": "10"}}}"##;
const KEY: &str = "AC-12345674";

fn start() -> Provider {
    Provider::start_with(&[("services", SERVICES), ("service_ids", "")], None)
}

fn pay(provider: &Provider, service: &str, key: &str, id: &str, amount: &str) -> String {
    let mut confirmation = confirmation(key, id, amount);
    confirmation.service_id = service.to_owned();
    code(provider.mpay().confirm(&confirmation).unwrap())
}

#[test]
fn an_order_comes_to_be_when_it_is_paid() {
    let mut provider = start();
    let path = format!("orders/PERMITS/{KEY}");
    for typed in [KEY, "ас-1234 5674"] {
        match provider.mpay().details("PERMITS", typed, "ro").unwrap() {
            Answer::Result(orders) => {
                assert_eq!(orders[0].get("OrderKey"), Some(KEY));
                assert_eq!(orders[0].get("Status"), Some("Active"));
                assert_eq!(orders[0].get("TotalAmountDue"), Some("50.00"));
            }
            Answer::Fault(fault) => panic!("{typed}: {fault}"),
        }
    }
    for key in ["AC-12345675", "12345674", "AC-1234567"] {
        assert_eq!(provider.details_fault("PERMITS", key).code, "UnknownOrder");
    }
    assert_eq!(provider.details_fault(SERVICE, KEY).code, "UnknownOrder");
    assert_eq!(provider.api("GET", &path, None).status, 404);
    assert_eq!(provider.keys("order/").len(), 0, "nothing is written");
    assert_eq!(provider.keys("journal").len(), 0);

    // A confirmation that cannot be a payment of it creates no order.
    let mut wrong = confirmation(KEY, "P0", "50");
    wrong.service_id = "PERMITS".to_owned();
    wrong.currency = "EUR".to_owned();
    let refused = provider.mpay().confirm(&wrong).unwrap();
    assert_eq!(code(refused), "InvalidParameter");
    assert_eq!(provider.api("GET", &path, None).status, 404);

    for _ in 0..2 {
        assert_eq!(pay(&provider, "PERMITS", "ac-12345674", "P1", "50"), "ok");
    }
    let order = provider.api("GET", &path, None).body;
    assert_eq!(order["status"], "Paid");
    assert_eq!(order["reason"], "Permis");
    assert_eq!(order["payment_count"], 1);
    assert_eq!(order["payments"][0]["review"], json!([]));
    let events = provider.api("GET", "events?cursor=0", None).body;
    let events = events["events"].as_array().unwrap().iter();
    let events: Vec<_> = events.filter_map(|event| event["type"].as_str()).collect();
    let expected = ["payment.refused", "order.registered", "payment.recorded"];
    assert_eq!(events, expected);
    let export = provider.api("GET", "orders?service_id=PERMITS", None).body;
    assert_eq!(export["orders"].as_array().unwrap().len(), 1);

    // The template changes between question and payment: no money is lost.
    let changed = SERVICES.replace("#{8}", "#{9}").replace("\"50\"", "\"60\"");
    provider.set_variable("services", &changed);
    provider.restart();
    assert_eq!(pay(&provider, "PERMITS", "AC-00000000", "P2", "50"), "ok");
    let order = provider.api("GET", "orders/PERMITS/AC-00000000", None).body;
    assert_eq!(order["payments"][0]["review"], json!(["under-paid"]));
    let closed = SERVICES
        .replace("PERMITS", "OTHERS")
        .replace("\"TAX\": {}", "\"TAX\": {}, \"PERMITS\": {}");
    provider.set_variable("services", &closed);
    provider.restart();
    assert_eq!(
        pay(&provider, "PERMITS", "AC-00000018", "P3", "50"),
        "UnknownOrder"
    );
    assert_eq!(provider.refusals().len(), 2);
    // A registered order stays.
    assert_eq!(pay(&provider, "PERMITS", KEY, "P1", "50"), "ok");
    assert_eq!(pay(&provider, "PERMITS", KEY, "P4", "50"), "ok");
}

#[test]
fn the_payer_chooses_within_limits_and_fills_in_what_is_kept() {
    let provider = start();
    let mut gift = confirmation("0001", "P1", "25");
    gift.service_id = "GIFTS".to_owned();
    gift.properties = vec![("Nume".to_owned(), "Ana".to_owned())];
    assert_eq!(code(provider.mpay().confirm(&gift).unwrap()), "ok");
    assert_eq!(pay(&provider, "GIFTS", "0001", "P2", "5"), "ok");
    let order = provider.api("GET", "orders/GIFTS/0001", None).body;
    assert_eq!(order["status"], "PartiallyPaid");
    assert_eq!(order["amount_paid"], "30.00");
    assert_eq!(order["min_payment"], "10.00");
    let payments = order["payments"].as_array().unwrap();
    assert_eq!(
        payments[0]["properties"],
        json!([{"name": "Nume", "value": "Ana"}])
    );
    assert_eq!(payments[0]["review"], json!([]));
    assert_eq!(payments[1]["review"], json!(["under-paid"]));
    // It is an order like any other.
    let table = provider.api("GET", "orders?service_id=GIFTS", None).body;
    assert_eq!(table["orders"][0]["order_key"], "0001");
    let cancelled = provider.api(
        "PUT",
        "orders/GIFTS/0002",
        Some(&json!({
            "reason": "Donație", "status": "Cancelled",
            "lines": [{"line_id": "1", "reason": "Donație", "amount_due": "1"}]
        })),
    );
    assert_eq!(cancelled.status, 201, "{cancelled:?}");
    match provider.mpay().details("GIFTS", "0002", "ro").unwrap() {
        Answer::Result(orders) => assert_eq!(orders[0].get("Status"), Some("Cancelled")),
        Answer::Fault(fault) => panic!("{fault}"),
    }
}
