use serde_json::{Value, json};

use crate::harness::*;

impl Provider {
    fn close(&self, path: &str, body: &Value) -> ApiAnswer {
        self.api("POST", path, Some(body))
    }

    /// The events of closed reviews.
    fn closings(&self) -> Vec<Value> {
        let mut events = self.api("GET", "events?limit=200", None).body["events"].take();
        let events = std::mem::take(events.as_array_mut().unwrap());
        let closed = |event: &Value| event["type"] == "review.closed";
        events.into_iter().filter(closed).collect()
    }
}

fn pay(provider: &Provider, key: &str, id: &str, amount: &str) -> String {
    let confirmation = confirmation(key, id, amount);
    code(provider.mpay().confirm(&confirmation).unwrap())
}

#[test]
fn a_total_below_what_is_paid_is_something_to_look_at() {
    let provider = Provider::start();
    let of = |amount| {
        let mut order = order(amount);
        order["allow_partial_payments"] = true.into();
        order
    };
    provider.register("1", of("100"));
    assert_eq!(pay(&provider, "1", "P", "50"), "ok");
    assert_eq!(pay(&provider, "1", "Q", "30"), "ok");
    assert_eq!(provider.order("1")["amount_overpaid"], Value::Null);
    provider.register("1", of("50"));
    let order = provider.order("1");
    let amounts = ["status", "amount_due", "amount_overpaid"].map(|name| &order[name]);
    assert_eq!(amounts, ["Paid", "0.00", "30.00"]);
    assert_eq!(order["payments"][0]["review"], json!([]));
    assert_eq!(order["payments"][1]["review"], json!(["over-paid"]));
    for list in ["orders", "payments"] {
        let listed = provider.api("GET", &format!("{list}?review=over-paid"), None);
        assert_eq!(listed.body[list].as_array().unwrap().len(), 1, "{list}");
    }
    let note = json!({"note": "Given back"});
    let closed = provider.close("payments/Q/reviews/over-paid", &note);
    assert_eq!((closed.status, &closed.body["review"]), (200, &json!([])));
    assert_eq!(provider.order("1")["amount_overpaid"], "30.00");
}

#[test]
fn two_payments_of_sixty_for_a_hundred_at_once_give_one_overpayment_to_look_at() {
    let provider = Provider::start();
    let mut order = order("100");
    order["allow_partial_payments"] = true.into();
    provider.register("1", order);
    std::thread::scope(|scope| {
        for id in ["P", "Q"] {
            let provider = &provider;
            scope.spawn(move || assert_eq!(pay(provider, "1", id, "60"), "ok"));
        }
    });
    let order = provider.order("1");
    assert_eq!(order["amount_paid"], "120.00");
    let flags = |payments: &Value| {
        let payments = payments.as_array().unwrap();
        let mut flags: Vec<_> = payments.iter().map(|p| p["review"].to_string()).collect();
        flags.sort();
        flags
    };
    let once = ["[\"over-paid\"]", "[]"];
    assert_eq!(flags(&order["payments"]), once);
    assert_eq!(flags(&json!(provider.ledger())), once);
    let each = ["P", "Q"].map(|id| provider.api("GET", &format!("payments/{id}"), None).body);
    assert_eq!(flags(&json!(each)), once);
}

#[test]
fn a_person_closes_a_review_once_and_says_why() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    assert_eq!(pay(&provider, "1", "P", "10"), "ok");
    assert_eq!(pay(&provider, "1", "Q", "10"), "ok");
    let note = json!({"note": "Returned to the payer by treasury order 12"});
    let closed = provider.close("payments/Q/reviews/double", &note);
    assert_eq!(closed.status, 200, "{closed:?}");
    assert_eq!(closed.body["review"], json!([]));
    let review = &closed.body["closed_reviews"][0];
    assert_eq!(review["reason"], "double");
    assert_eq!(review["note"], note["note"]);
    assert!(review["closed_at"].as_str().unwrap().contains('T'));
    assert_eq!(review["by"].as_str().unwrap().len(), 8);
    assert!(!TOKEN.contains(review["by"].as_str().unwrap()));

    let again = provider.close("payments/Q/reviews/double", &json!({"note": "other"}));
    assert_eq!((again.status, &again.body), (200, &closed.body));
    let order = provider.order("1");
    assert_eq!(order["payments"][1]["closed_reviews"][0], *review);
    assert_eq!(provider.ledger()[1], closed.body);
    let events = provider.closings();
    assert_eq!(events.len(), 1);
    for (member, value) in [
        ("payment_id", "Q"),
        ("order_key", "1"),
        ("reason", "double"),
    ] {
        assert_eq!(events[0][member], value);
    }

    for (path, status) in [
        ("payments/Q/reviews/late", 409),
        ("payments/P/reviews/double", 409),
        ("payments/P/reviews/nonsense", 409),
        ("payments/X/reviews/double", 404),
    ] {
        let answer = provider.close(path, &note);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    let open = provider.close("payments/Q/reviews/late", &note);
    assert_eq!(
        open.body["detail"],
        "This review of the payment is not open. No review of it is."
    );
    for body in [
        json!({}),
        json!({"note": " "}),
        json!({"note": "x".repeat(501)}),
    ] {
        let answer = provider.close("payments/Q/reviews/double", &body);
        assert_eq!(answer.body["errors"][0]["field"], "note", "{answer:?}");
    }
    assert_eq!(provider.closings().len(), 1);
}

#[test]
fn a_refused_confirmation_is_flagged_until_a_person_closes_it() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    assert_eq!(pay(&provider, "1", "P", "10"), "ok");
    assert_eq!(pay(&provider, "1", "P", "9"), "InvalidParameter");
    let refusal = &provider.refusals()[0];
    assert_eq!(refusal["review"], json!(["refused"]));
    let path = format!("refusals/{}", refusal["index"]);
    assert_eq!(provider.api("GET", &path, None).body, *refusal);
    let reviews = format!("{path}/reviews/refused");
    let note = json!({"note": "MPay has corrected it"});
    let closed = provider.close(&reviews, &note);
    assert_eq!(closed.status, 200, "{closed:?}");
    assert_eq!(closed.body["review"], json!([]));
    assert_eq!(closed.body["closed_reviews"][0]["note"], note["note"]);
    let again = provider.close(&reviews, &json!({"note": "other"}));
    assert_eq!((again.status, &again.body), (200, &closed.body));
    assert_eq!(provider.refusals(), [closed.body]);
    let events = provider.closings();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["evidence"], refusal["evidence"]);

    for (path, status) in [
        (format!("{path}/reviews/late"), 409),
        ("refusals/1/reviews/refused".to_owned(), 404),
        ("refusals/99/reviews/refused".to_owned(), 404),
        ("refusals/x/reviews/refused".to_owned(), 400),
    ] {
        assert_eq!(provider.close(&path, &note).status, status, "{path}");
    }
}

#[test]
fn a_refund_has_a_reference_it_is_found_by() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    assert_eq!(pay(&provider, "1", "P", "10"), "ok");
    let authorization = format!("Bearer {TOKEN}");
    let patch = |patch: Value| {
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/merge-patch+json"),
        ];
        provider.api_with("PATCH", "orders/TAX/1", Some(&patch), &headers)
    };
    let early = patch(json!({"refund_reference": "PO 1"}));
    assert_eq!(early.body["errors"][0]["field"], "refund_reference");
    assert_eq!(
        patch(json!({"status": "Refunding", "refund_reference": "PO 1"})).status,
        200
    );
    // A refund that was a mistake is taken back with its reference.
    let back = patch(json!({"status": null}));
    assert_eq!(
        (back.status, &back.body["refund_reference"]),
        (200, &Value::Null)
    );
    assert_eq!(patch(json!({"status": "Refunding"})).status, 200);
    let without = patch(json!({"status": "Refunded"}));
    assert_eq!(without.status, 422);
    assert_eq!(without.body["errors"][0]["field"], "refund_reference");
    let refunded = patch(json!({"status": "Refunded", "refund_reference": "PO 2"}));
    assert_eq!(refunded.status, 200, "{refunded:?}");
    assert_eq!(refunded.body["refund_reference"], "PO 2");
    // The institution's system sends all its orders again every night.
    let sent = provider.api("PUT", "orders/TAX/1", Some(&order("10")));
    assert_eq!(
        (sent.status, &sent.body["refund_reference"]),
        (200, &json!("PO 2"))
    );
    let corrected = patch(json!({"refund_reference": "PO 3"}));
    assert_eq!(
        (corrected.status, &corrected.body["status"]),
        (200, &json!("Refunded"))
    );
    let events = provider.api("GET", "events", None).body;
    let events = events["events"].as_array().unwrap();
    let references = |kind: &str| -> Vec<Value> {
        let of = events.iter().filter(|event| event["type"] == kind);
        of.map(|event| event["refund_reference"].clone()).collect()
    };
    assert_eq!(references("order.refunding"), [json!("PO 1"), Value::Null]);
    assert_eq!(references("order.refunded"), [json!("PO 2")]);
    assert_eq!(references("order.amended"), [json!("PO 3")]);
    assert_eq!(provider.details("1").get("Status"), Some("Refunded"));
}
