use serde_json::{Value, json};

use crate::harness::*;

impl Provider {
    fn settle(&self, query: &str, statement: &str) -> (u16, Value) {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "text/csv"),
        ];
        let path = format!("api/settlement?{query}");
        let mut response = self.http("POST", &path, &headers, statement.as_bytes());
        let text = response.body_mut().read_to_string().unwrap();
        (
            response.status().as_u16(),
            serde_json::from_str(&text).unwrap(),
        )
    }
}

fn pay(provider: &Provider, key: &str, id: &str, amount: &str) {
    let confirmation = confirmation(key, id, amount);
    assert_eq!(code(provider.mpay().confirm(&confirmation).unwrap()), "ok");
}

fn members(list: &Value, member: &str) -> Vec<Value> {
    let list = list.as_array().unwrap();
    list.iter().map(|item| item[member].clone()).collect()
}

const PERIOD: &str = "from=2026-01-01&to=2099-12-31";

#[test]
fn a_statement_is_compared_with_what_is_recorded() {
    let provider = Provider::start();
    provider.register("1", order("1250.50"));
    provider.register("2", order("10"));
    for (key, id, amount) in [("1", "A", "1250.50"), ("2", "B", "10"), ("2", "C", "10")] {
        pay(&provider, key, id, amount);
    }
    let statement = "Data;ID plată;Suma\r\n\
        02.11.2026;A;1 250,00\r\n\
        02.11.2026;A;0,50\r\n\
        02.11.2026;B;9,00\r\n\
        02.11.2026;X;7,00\r\n\
        02.11.2026;;7,00\r\n";
    let query = format!("payment_id=ID%20plat%C4%83&amount=Suma&date=Data&{PERIOD}");
    let (status, first) = provider.settle(&query, statement);
    assert_eq!(status, 200, "{first}");
    assert_eq!(members(&first["matched"], "payment_id"), [json!("A")]);
    assert_eq!(first["matched"][0]["rows"], json!([2, 3]));
    assert_eq!(members(&first["differing"], "payment_id"), [json!("B")]);
    assert_eq!(first["differing"][0]["shown"], "9.00");
    assert_eq!(
        first["not_recorded"],
        json!([{
            "rows": [5], "payment_id": "X", "amount": "7.00", "date": "02.11.2026",
            "difference": "unknown-payment", "detail": "no payment of this PaymentID is recorded"
        }])
    );
    assert_eq!(members(&first["not_settled"], "payment_id"), [json!("C")]);
    assert_eq!(members(&first["errors"], "row"), [json!(6)]);

    let payment = provider.api("GET", "payments/A", None).body;
    assert_eq!(payment["settlement"], first["settlement"]);
    assert_eq!(provider.ledger()[0], payment);
    assert_eq!(provider.ledger()[1]["settlement"], Value::Null);
    let settled = || {
        let events = provider.api("GET", "events?limit=200", None).body["events"].take();
        let events = events.as_array().unwrap().clone().into_iter();
        let of = |event: &Value| event["type"] == "settlement.imported";
        events.filter(of).collect::<Vec<_>>()
    };
    let events = settled();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["payments"], &events[0]["sha256"]),
        (&json!(["A"]), &first["sha256"])
    );

    // The same file again changes nothing.
    let (_, again) = provider.settle(&query, statement);
    assert_eq!(again["settlement"], Value::Null);
    assert_eq!(again["matched"], first["matched"]);
    assert_eq!(settled().len(), 1);
    // A payment that is entered later is marked by the same file.
    provider.register("3", order("7"));
    pay(&provider, "3", "X", "7");
    let (_, later) = provider.settle(&query, statement);
    assert_eq!(
        members(&later["matched"], "payment_id"),
        [json!("A"), json!("X")]
    );
    assert_eq!(settled()[1]["payments"], json!(["X"]));
    assert_eq!(members(&later["not_settled"], "payment_id"), [json!("C")]);

    // By order and amount, where a statement has no PaymentIDs; and in another period.
    let statement = "order,amount\n2,10.00\n2,10.00\n2,10.00\n";
    let (_, by_order) = provider.settle(
        &format!("order_key=order&amount=amount&{PERIOD}"),
        statement,
    );
    // A part of B was shown before: with the whole, more came than was paid.
    assert_eq!(
        members(&by_order["matched"], "payment_id"),
        [json!("C")],
        "{by_order}"
    );
    let (_, past) = provider.settle(
        "payment_id=id&amount=a&from=2026-01-01&to=2026-01-01",
        "id,a\nA,1250.50\n",
    );
    assert_eq!(members(&past["matched"], "payment_id"), [json!("A")]);

    for (query, statement) in [
        ("payment_id=id&amount=a", "id,a\n"),
        ("amount=a&from=2026-01-01&to=2026-01-02", "id,a\n"),
        ("payment_id=id&from=2026-01-01&to=2026-01-02", "id,a\n"),
        (
            "payment_id=x&amount=a&from=2026-01-01&to=2026-01-02",
            "id,a\n",
        ),
    ] {
        let status = if query.contains("id=x") { 422 } else { 400 };
        assert_eq!(provider.settle(query, statement).0, status, "{query}");
    }
}
