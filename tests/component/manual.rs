use serde_json::{Value, json};

use crate::harness::*;

const OTHER: &str = "another-token-0123456789-0123456789";

fn start() -> Provider {
    let provider = Provider::start_with(&[("access", &managers(&[TOKEN, OTHER]))], None);
    provider.register("1", order("10"));
    provider
}

impl Provider {
    fn propose(&self, proposal: &Value) -> ApiAnswer {
        self.api("POST", "payments/manual", Some(proposal))
    }

    fn approve(&self, id: &Value, token: &str) -> ApiAnswer {
        let authorization = format!("Bearer {token}");
        let headers = [("Authorization", authorization.as_str())];
        let path = format!("payments/manual/{id}/approve");
        self.api_with("POST", &path, Some(&json!({})), &headers)
    }

    fn evidence_status(&self, path: &str) -> (u16, Vec<u8>) {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [("Authorization", authorization.as_str())];
        let mut response = self.http("GET", &format!("api/payments/{path}"), &headers, b"");
        let bytes = response.body_mut().read_to_vec().unwrap();
        (response.status().as_u16(), bytes)
    }

    fn types(&self) -> Vec<String> {
        let events = self.api("GET", "events?limit=200", None).body;
        let events = events["events"].as_array().unwrap();
        let types = events.iter().map(|event| event["type"].as_str().unwrap());
        types.map(str::to_owned).collect()
    }
}

fn proposal() -> Value {
    json!({
        "payment_id": "M-1", "service_id": "TAX", "order_key": "1", "amount": "10",
        "paid_at": "2026-11-01", "note": "In the statement of the treasury, 2 November"
    })
}

fn confirm(provider: &Provider, id: &str, amount: &str) -> String {
    let confirmation = confirmation("1", id, amount);
    code(provider.mpay().confirm(&confirmation).unwrap())
}

#[test]
fn a_payment_is_entered_by_hand_by_two_people() {
    let provider = start();
    let proposed = provider.propose(&proposal());
    assert_eq!(proposed.status, 201, "{proposed:?}");
    let id = &proposed.body["id"];
    assert_eq!(
        proposed.headers["location"].to_str().unwrap(),
        format!("/api/payments/manual/{id}")
    );
    assert_eq!(
        proposed.body["lines"],
        json!([{"line_id": "1", "amount": "10.00"}])
    );
    let read = provider.api("GET", &format!("payments/manual/{id}"), None);
    assert_eq!(read.body, proposed.body);
    assert_eq!(
        provider.order("1")["amount_paid"],
        "0.00",
        "nothing is paid yet"
    );
    let alone = provider.approve(id, TOKEN);
    assert_eq!(alone.status, 409);
    assert!(
        alone.body["detail"]
            .as_str()
            .unwrap()
            .contains("another person")
    );
    assert_eq!(provider.ledger().len(), 0);

    let approved = provider.approve(id, OTHER);
    assert_eq!(approved.status, 200, "{approved:?}");
    let manual = &approved.body["manual"];
    assert_ne!(manual["proposed_by"], manual["approved_by"]);
    assert_eq!(
        (&manual["proposal"], &approved.body["signer"]),
        (id, &Value::Null)
    );
    assert_eq!(provider.order("1")["status"], "Paid");
    assert_eq!(provider.order("1")["payments"][0]["manual"], *manual);
    assert_eq!(provider.ledger(), std::slice::from_ref(&approved.body));
    let again = provider.approve(id, OTHER);
    assert_eq!((again.status, &again.body), (200, &approved.body));
    assert_eq!(
        provider.types(),
        ["order.registered", "payment.proposed", "payment.recorded"]
    );
    assert_eq!(provider.propose(&proposal()).status, 409);
    assert_eq!(provider.details("1").get("Status"), Some("Paid"));

    assert_eq!(provider.evidence_status("M-1/evidence?format=xml").0, 404);
    let zip = String::from_utf8_lossy(&provider.evidence_status("M-1/evidence").1).into_owned();
    for content in ["manual.json", "\"verdict\": \"manual\"", "In the statement"] {
        assert!(zip.contains(content), "{content}");
    }
    assert!(!zip.contains("request.xml"));
}

#[test]
fn a_payment_that_cannot_have_been_then_is_not_proposed() {
    let provider = start();
    for paid_at in ["2012-12-31", "0000-01-01T00:00:00+14:00", "2999-01-01"] {
        let mut proposal = proposal();
        proposal["paid_at"] = paid_at.into();
        let refused = provider.propose(&proposal);
        let named = &refused.body["errors"][0]["field"];
        assert_eq!(
            (refused.status, named),
            (422, &json!("paid_at")),
            "{paid_at}"
        );
    }
}

#[test]
fn what_mpay_confirms_later_is_noted_and_not_paid_twice() {
    let provider = start();
    let mut proposal = proposal();
    for member in ["payment_id", "service_id", "order_key"] {
        // From a cell of a spreadsheet.
        proposal[member] = format!(" {} ", proposal[member].as_str().unwrap()).into();
    }
    proposal["currency"] = " MDL ".into();
    let id = provider.propose(&proposal).body["id"].clone();
    assert_eq!(provider.approve(&id, OTHER).status, 200);
    assert_eq!(confirm(&provider, "M-1", "9"), "InvalidParameter");
    assert_eq!(provider.refusals().len(), 1);
    for _ in 0..3 {
        assert_eq!(confirm(&provider, "M-1", "10"), "ok");
    }
    let order = provider.order("1");
    assert_eq!(order["amount_paid"], "10.00");
    assert_eq!(order["payments"].as_array().unwrap().len(), 1);
    let payment = provider.api("GET", "payments/M-1", None).body;
    assert!(
        payment["manual"]["confirmed"]["evidence"].is_string(),
        "{payment}"
    );
    assert_eq!(order["payments"][0]["manual"], payment["manual"]);
    assert_eq!(provider.ledger(), [payment]);
    assert_eq!(
        provider.types(),
        [
            "order.registered",
            "payment.proposed",
            "payment.recorded",
            "payment.refused",
            "payment.confirmed"
        ]
    );
    let (status, xml) = provider.evidence_status("M-1/evidence?format=xml");
    assert!(status == 200 && String::from_utf8_lossy(&xml).contains("Signature"));
    let zip = String::from_utf8_lossy(&provider.evidence_status("M-1/evidence").1).into_owned();
    assert!(zip.contains("manual.json") && zip.contains("request.xml"));
}

#[test]
fn what_cannot_be_a_payment_is_not_proposed() {
    let provider = start();
    assert_eq!(confirm(&provider, "P", "10"), "ok");
    for (member, value, status, named) in [
        ("payment_id", Value::Null, 422, "payment_id"),
        ("payment_id", json!("P"), 409, "recorded already"),
        ("amount", json!("0"), 422, "zero"),
        ("amount", json!("1,5"), 422, "amount"),
        ("paid_at", json!("today"), 422, "paid_at"),
        ("order_key", json!("none"), 422, "no order"),
        ("currency", json!("EUR"), 422, "currency"),
        ("note", json!(" "), 422, "note"),
        (
            "lines",
            json!([{"line_id": "x", "amount": "10"}]),
            422,
            "no line x",
        ),
        (
            "lines",
            json!([{"line_id": "1", "amount": "9"}]),
            422,
            "add up",
        ),
    ] {
        let mut wrong = proposal();
        wrong[member] = value;
        let answer = provider.propose(&wrong);
        let body = answer.body.to_string();
        assert!(
            answer.status == status && body.contains(named),
            "{member}: {answer:?}"
        );
    }
    // MPay is faster than the second person.
    let id = provider.propose(&proposal()).body["id"].clone();
    assert_eq!(confirm(&provider, "M-1", "10"), "ok");
    assert_eq!(provider.approve(&id, OTHER).status, 409);
    assert_eq!(
        provider.api("GET", "payments/M-1", None).body["manual"],
        Value::Null
    );
    assert_eq!(provider.approve(&json!(1), OTHER).status, 404);
}
