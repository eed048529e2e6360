//! The names of an order and its terms of payment: keys, accounts, metadata.

use mpay_client::Answer;
use serde_json::json;

use crate::harness::*;

fn put(provider: &Provider, key: &str, order: &serde_json::Value) -> ApiAnswer {
    let key: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    provider.api("PUT", &format!("orders/{SERVICE}/{key}"), Some(order))
}

#[test]
fn keys_that_payers_could_confuse_are_refused_and_found() {
    let provider = Provider::start();
    for key in ["AC-77", "Ș-1", "Z-1", "B-1"] {
        assert_eq!(put(&provider, key, &order("10")).status, 201, "{key}");
    }
    for (known, other) in [
        ("AC-77", "АС-77"),
        ("Ș-1", "S\u{326}-1"),
        ("B-1", "b-1"),
        ("B-1", "B\u{2011}1"),
        ("B-1", "B - 1"),
    ] {
        let refused = put(&provider, other, &order("10"));
        assert_eq!(refused.status, 409, "{other}: {refused:?}");
        match provider.mpay().details(SERVICE, other, "ro").unwrap() {
            Answer::Result(orders) => assert_eq!(orders[0].get("OrderKey"), Some(known)),
            Answer::Fault(fault) => panic!("{other}: {fault}"),
        }
    }
    let unseen = put(&provider, "Y\u{200b}-1", &order("10"));
    assert_eq!(unseen.status, 422, "{unseen:?}");
    assert_eq!(unseen.body["errors"][0]["field"], "order_key");
    assert_eq!(provider.details_fault(SERVICE, "AC77").code, "UnknownOrder");

    // However MPay spells it, it is one payment of the order as it was registered.
    for key in ["АС-77", "ac-77", "AC-77"] {
        let answer = provider
            .mpay()
            .confirm(&confirmation(key, "P", "10"))
            .unwrap();
        assert_eq!(code(answer), "ok", "{key}");
    }
    let order = provider.order("AC-77");
    assert_eq!(order["payment_count"], 1);
    assert_eq!(order["payments"][0]["order_key"], "AC-77");
    assert_eq!(provider.ledger().len(), 1);
}

#[test]
fn an_account_on_file_is_named_by_its_code_alone() {
    let provider = Provider::start();
    let mut order = order("10");
    order["lines"][0]["destination_account"] = json!({"configuration_code": "C-1"});
    provider.register("1", order.clone());
    let details = provider.details("1");
    assert_eq!(
        details.lines[0].account,
        [("ConfigurationCode".to_owned(), "C-1".to_owned())]
    );
    let answer = provider.order("1");
    assert_eq!(
        answer["lines"][0]["destination_account"],
        json!({"configuration_code": "C-1"})
    );
    assert_eq!(
        code(
            provider
                .mpay()
                .confirm(&confirmation("1", "P", "10"))
                .unwrap()
        ),
        "ok"
    );
    assert_eq!(provider.ledger()[0]["lines"][0].get("bank_account"), None);
    order["lines"][0]["destination_account"] = json!({"bank_account": "МD24AG000225100013104168"});
    let refused = put(&provider, "2", &order);
    let said = refused.body["errors"][0]["detail"].as_str().unwrap();
    assert!(said.contains("U+041C"), "{refused:?}");
}

#[test]
fn metadata_is_for_the_institution_alone() {
    let provider = Provider::start();
    let mut order = order("10");
    order["customer_name"] = json!("Ștefania Țurcanu");
    order["metadata"] = json!({
        "cost_centre": "4512-secret", "clerk": {"value": "Ana-secret", "personal": true}
    });
    provider.register("1", order.clone());
    provider.register("2", super::harness::order("10"));
    assert_eq!(provider.order("1")["metadata"], order["metadata"]);
    let query = mpay_client::encode_query(SERVICE, "1", "ro");
    let exchange = provider.mpay().send("GetOrderDetails", &query).unwrap();
    assert!(!String::from_utf8_lossy(&exchange.body).contains("secret"));
    assert_eq!(
        code(
            provider
                .mpay()
                .confirm(&confirmation("1", "P", "10"))
                .unwrap()
        ),
        "ok"
    );
    let public = json!({"cost_centre": "4512-secret"});
    let events = provider.api("GET", "events?cursor=0", None).body;
    assert_eq!(events["events"][0]["metadata"], public, "{events}");
    assert_eq!(provider.ledger()[0]["metadata"], public);
    for (filter, count) in [
        ("metadata=cost_centre:4512-secret", 1),
        ("metadata=cost_centre:4513", 0),
        ("amount_due=10", 2),
        ("amount_due=0", 1),
        ("customer_id=2000000000004", 0),
        ("customer_name=turcanu+%C8%98t", 1),
        ("customer_name=munteanu", 0),
        ("due_from=2026-01-01", 0),
    ] {
        let found = provider.api("GET", &format!("orders?{filter}"), None);
        let orders = found.body["orders"].as_array().unwrap();
        assert_eq!(orders.len(), count, "{filter}: {found:?}");
    }
    order["metadata"] = json!({"a b": "1", "c": ""});
    let refused = put(&provider, "3", &order);
    assert_eq!(
        refused.body["errors"].as_array().unwrap().len(),
        2,
        "{refused:?}"
    );
}

#[test]
fn a_put_after_a_delete_says_how_the_order_is_reopened() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    assert_eq!(provider.api("DELETE", "orders/TAX/1", None).status, 200);
    let again = put(&provider, "1", &order("10"));
    assert_eq!(
        (again.status, &again.body["status"]),
        (200, &json!("Cancelled"))
    );
    let said = &again.body["warnings"][0];
    assert_eq!(said["field"], "status");
    assert!(said["detail"].as_str().unwrap().contains("PATCH"), "{said}");
    let other = put(&provider, "1", &order("20"));
    assert_eq!(other.status, 409);
    assert!(
        other.body["detail"].as_str().unwrap().contains("PATCH"),
        "{other:?}"
    );
}

/// `shared/field/soap/zero-line.xml`: a part of an order, one line of which gets nothing.
#[test]
fn a_line_of_zero_beside_others_is_taken() {
    let provider = Provider::start();
    let mut order = order("20");
    order["allow_partial_payments"] = true.into();
    order["lines"]
        .as_array_mut()
        .unwrap()
        .push(json!({"line_id": "2", "reason": "Taxă locală", "amount_due": "30"}));
    provider.register("1", order);
    let mut paid = confirmation("1", "P", "20.00");
    paid.lines.push(("2".into(), "0.00".into()));
    assert_eq!(code(provider.mpay().confirm(&paid).unwrap()), "ok");
    let order = provider.order("1");
    assert_eq!(
        (&order["status"], &order["amount_due"]),
        (&json!("PartiallyPaid"), &json!("30.00"))
    );
}

#[test]
fn a_refusal_closes_itself_once_its_payment_is_recorded() {
    let provider = Provider::start();
    assert_eq!(
        code(
            provider
                .mpay()
                .confirm(&confirmation("1", "P", "10"))
                .unwrap()
        ),
        "UnknownOrder"
    );
    assert_eq!(provider.refusals()[0]["review"], json!(["refused"]));
    provider.register("1", order("10"));
    assert_eq!(
        code(
            provider
                .mpay()
                .confirm(&confirmation("1", "P", "10"))
                .unwrap()
        ),
        "ok"
    );
    let refusal = &provider.refusals()[0];
    assert_eq!(refusal["review"], json!([]));
    let recorded = &provider.ledger()[0]["index"];
    assert_eq!(&refusal["closed_reviews"][0]["recorded"], recorded);
}

/// The keys that MPay is told of, each with its status.
fn told(provider: &Provider, service: &str, key: &str) -> Vec<String> {
    match provider.mpay().details(service, key, "ro").unwrap() {
        Answer::Result(orders) => {
            let text =
                |order: &mpay_client::OrderDetails, name| order.get(name).unwrap().to_owned();
            let orders = orders.iter();
            orders
                .map(|order| text(order, "OrderKey") + " " + &text(order, "Status"))
                .collect()
        }
        Answer::Fault(fault) => vec![fault.code],
    }
}

#[test]
fn orders_are_found_by_their_aliases() {
    let provider = Provider::start_with(&[("service_ids", "TAX,SCHOOL")], None);
    let person = json!({"value": "2004001234567", "personal": true});
    let with = |due: Option<&str>, aliases: serde_json::Value| {
        let mut order = order("10");
        order["aliases"] = aliases;
        if let Some(due) = due {
            order["due_date"] = due.into();
        }
        order
    };
    provider.register("1", with(Some("2099-03-01"), json!(["AC-77", person])));
    provider.register("2", with(Some("2099-01-01"), json!(["AC-77", person])));
    provider.register("3", with(None, json!(["AC-77"])));
    provider.register("4", with(Some("2020-01-01"), json!(["AC-77", "OLD"])));
    provider.register("AC-78", with(None, json!(["AC-77"])));
    let school = provider.api(
        "PUT",
        "orders/SCHOOL/1",
        Some(&with(None, json!(["AC-78"]))),
    );
    assert_eq!(school.status, 201, "{school:?}");
    for (service, name, orders) in [
        ("TAX", "ас 77", vec!["UnknownOrder"]),
        (
            "TAX",
            "АС-77",
            vec!["2 Active", "1 Active", "3 Active", "AC-78 Active"],
        ),
        ("TAX", "2004001234567", vec!["2 Active", "1 Active"]),
        ("TAX", "OLD", vec!["4 Expired"]),
        ("TAX", "ac-78", vec!["AC-78 Active"]),
        ("SCHOOL", "AC-78", vec!["1 Active"]),
        ("SCHOOL", "AC-77", vec!["UnknownOrder"]),
    ] {
        assert_eq!(told(&provider, service, name), orders, "{service} {name}");
    }
    // A payment names the order's own key.
    let by_alias = provider.mpay().confirm(&confirmation("AC-77", "P1", "10"));
    assert_eq!(code(by_alias.unwrap()), "UnknownOrder");
    assert_eq!(provider.refusals().len(), 1);
    let by_key = provider.mpay().confirm(&confirmation("2", "P2", "10"));
    assert_eq!(code(by_key.unwrap()), "ok");
    assert_eq!(told(&provider, "TAX", "2004001234567"), ["1 Active"]);

    for (query, orders) in [
        ("alias=ac-77&service_id=TAX", "AC-78 4 3 2 1"),
        ("alias=ac-77&service_id=TAX&status=Paid", "2"),
        ("alias=ac-77&service_id=SCHOOL", ""),
        ("alias=nobody&service_id=TAX", ""),
    ] {
        let list = provider.api("GET", &format!("orders?{query}"), None);
        let found = list.body["orders"].as_array().unwrap().iter();
        let found: Vec<_> = found
            .filter_map(|order| order["order_key"].as_str())
            .collect();
        assert_eq!(found.join(" "), orders, "{query}: {list:?}");
    }
    let which = provider.api("GET", "orders?alias=AC-77", None);
    assert_eq!(which.body["errors"][0]["field"], "service_id", "{which:?}");

    // What is of a person is erased, from the index too.
    let erasure = json!({"customer_id": "2004001234567"});
    let erased = provider.api("POST", "erasures", Some(&erasure));
    assert_eq!(erased.body["erased"][0]["order_key"], "2", "{erased:?}");
    assert_eq!(provider.order("2")["aliases"], json!(["AC-77"]));
    assert_eq!(told(&provider, "TAX", "2004001234567"), ["1 Active"]);
    assert_eq!(provider.keys("alias/TAX/").len(), 3 + 8);
    assert!(!provider.log().contains("2004001234567"));

    let unmarked = put(&provider, "5", &with(None, json!(["2004001234561"])));
    assert_eq!(unmarked.body.get("warnings"), None, "no IDNP");
    let unmarked = put(&provider, "5", &with(None, json!(["2000000000004"])));
    assert_eq!(unmarked.body["warnings"][0]["field"], "aliases[0]");
}
