use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mpay_host::{Fault, Observer, Operation};
use serde_json::{Value, json};

use crate::harness::*;

impl Provider {
    fn patch(&self, key: &str, patch: Value, headers: &[(&str, &str)]) -> ApiAnswer {
        let authorization = format!("Bearer {TOKEN}");
        let own = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/merge-patch+json"),
        ];
        let path = format!("orders/{SERVICE}/{key}");
        self.api_with("PATCH", &path, Some(&patch), &[&own, headers].concat())
    }

    fn cancel(&self, key: &str) -> ApiAnswer {
        self.api("DELETE", &format!("orders/{SERVICE}/{key}"), None)
    }

    fn pay(&self, key: &str, payment_id: &str, amount: &str) {
        let answer = self.mpay().confirm(&confirmation(key, payment_id, amount));
        assert_eq!(code(answer.unwrap()), "ok");
    }
}

fn detail(answer: &ApiAnswer) -> &str {
    answer.body["detail"].as_str().unwrap()
}

#[test]
fn an_order_is_cancelled_once_and_revived_only_on_purpose() {
    let provider = Provider::start();
    assert_eq!(provider.cancel("1").status, 404);
    provider.register("1", order("10"));
    let cancelled = provider.cancel("1");
    assert_eq!(cancelled.status, 200);
    assert_eq!(cancelled.body["status"], "Cancelled");
    let again = provider.cancel("1");
    assert_eq!(
        (again.status, &again.headers["etag"]),
        (200, &cancelled.headers["etag"])
    );
    assert_eq!(provider.details("1").get("Status"), Some("Cancelled"));

    // The institution's system sends all its orders again every night.
    let sent = provider.api("PUT", "orders/TAX/1", Some(&order("10")));
    assert_eq!(
        (sent.status, &sent.headers["etag"]),
        (200, &cancelled.headers["etag"])
    );
    let amended = provider.api("PUT", "orders/TAX/1", Some(&order("11")));
    assert_eq!(amended.status, 409);
    assert_eq!(
        detail(&amended),
        "The order is not changed: it is Cancelled, and only an order that is Active, PartiallyPaid or Expired can be amended. Its status can be taken back. To reopen the order, send PATCH with {\"status\": null}."
    );

    let revived = provider.patch("1", json!({"status": null}), &[]);
    assert_eq!(
        (revived.status, &revived.body["status"]),
        (200, &json!("Active"))
    );
}

#[test]
fn a_paid_order_is_completed_or_refunded_but_neither_amended_nor_cancelled() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let refused = provider.patch("1", json!({"status": "Completed"}), &[]);
    assert_eq!(refused.status, 409);
    assert_eq!(
        detail(&refused),
        "The order is not changed: Active cannot become Completed. Its status can be set to Cancelled."
    );
    provider.pay("1", "P", "10");
    assert_eq!(provider.cancel("1").status, 409);
    let amended = provider.api("PUT", "orders/TAX/1", Some(&order("11")));
    assert_eq!(amended.status, 409);
    assert!(
        detail(&amended).contains("set to Completed or Refunding"),
        "{amended:?}"
    );
    for (status, expected) in [
        ("Refunded", 409),
        ("Completed", 200),
        ("Refunding", 200),
        ("Completed", 409),
        ("Refunded", 200),
        ("Refunding", 409),
    ] {
        let mut patch = json!({"status": status});
        if status == "Refunded" {
            patch["refund_reference"] = "PO 7".into();
        }
        let answer = provider.patch("1", patch, &[]);
        assert_eq!(answer.status, expected, "{status}: {answer:?}");
    }
    assert_eq!(
        provider.patch("1", json!({"status": null}), &[]).status,
        409
    );
    let order = provider.order("1");
    assert_eq!(
        (&order["status"], &order["amount_paid"]),
        (&json!("Refunded"), &json!("10.00"))
    );
}

#[test]
fn a_new_order_has_no_money_to_give_back() {
    let provider = Provider::start();
    for (status, expected) in [
        ("Refunding", 409),
        ("Refunded", 409),
        ("Completed", 201),
        ("Cancelled", 201),
        ("Paid", 422),
    ] {
        let mut order = order("10");
        order["status"] = status.into();
        if status == "Refunded" {
            order["refund_reference"] = "PO 7".into();
        }
        let path = format!("orders/TAX/{status}");
        assert_eq!(
            provider.api("PUT", &path, Some(&order)).status,
            expected,
            "{status}"
        );
    }
}

#[test]
fn a_merge_patch_changes_what_it_names() {
    let provider = Provider::start();
    let mut order = order("10");
    order["due_date"] = "2026-01-01".into();
    order["customer_name"] = "Ana".into();
    provider.register("1", order.clone());
    assert_eq!(provider.order("1")["status"], "Expired");
    let lines = json!([{"line_id": "1", "reason": "Taxă", "amount_due": "12"}]);
    let answer = provider.patch("1", json!({"due_date": null, "lines": lines}), &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["status"], "Active");
    assert_eq!(answer.body["due_date"], Value::Null);
    assert_eq!(answer.body["total_amount_due"], "12.00");
    assert_eq!(answer.body["customer_name"], "Ana");
    let etag = answer.headers["etag"].to_str().unwrap();
    let same = provider.patch("1", json!({"customer_name": "Ana"}), &[]);
    assert_eq!(same.headers["etag"], etag);

    let renamed = provider.patch("1", json!({"customer_name": "Ion"}), &[("If-Match", etag)]);
    assert_eq!(renamed.status, 200);
    let late = provider.patch("1", json!({"customer_name": "Eva"}), &[("If-Match", etag)]);
    assert_eq!(late.status, 412);
    assert_eq!(provider.order("1")["customer_name"], "Ion");
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("If-Match", etag),
    ];
    let cancelled = provider.api_with("DELETE", "orders/TAX/1", None, &headers);
    assert_eq!(cancelled.status, 412);
}

#[test]
fn a_patch_that_makes_no_order_is_refused_by_its_members() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    for (patch, status, named) in [
        (json!({"lines": null}), 422, "lines"),
        (
            json!({"lines": [{"amount_due": 5}]}),
            422,
            "lines[0].amount_due",
        ),
        (json!({"reason": null, "currency": "x"}), 422, "2 members"),
        (json!({"order_key": "2"}), 422, "order_key"),
        (json!({"status": "Paid"}), 422, "status"),
        (json!({"reasn": "x"}), 422, "reasn"),
        (json!([]), 400, "object"),
    ] {
        let answer = provider.patch("1", patch.clone(), &[]);
        assert_eq!(answer.status, status, "{patch}: {answer:?}");
        assert!(detail(&answer).contains(named), "{patch}: {answer:?}");
    }
    assert_eq!(provider.patch("2", json!({}), &[]).status, 404);
    let untyped = provider.api("PATCH", "orders/TAX/1", Some(&json!({})));
    assert_eq!(untyped.status, 415);
    assert_eq!(
        provider.api("POST", "orders/TAX/1", None).headers["allow"],
        "GET, HEAD, PUT, PATCH, DELETE"
    );
}

#[test]
fn a_cancellation_that_a_payment_overtakes_is_refused() {
    let takes = AtomicUsize::new(0);
    let observer: Observer = Arc::new(move |call| {
        let take = call.operation == Operation::Increment && call.keys.contains(&"order/TAX/1");
        // The second index of the order is the cancellation's, had it not been slow.
        if take && takes.fetch_add(1, Ordering::Relaxed) == 1 {
            Fault::Delay(Duration::from_secs(4))
        } else {
            Fault::None
        }
    });
    let provider = Provider::start_with(&[], Some(observer));
    provider.register("1", order("10"));
    std::thread::scope(|scope| {
        let cancelled = scope.spawn(|| provider.cancel("1"));
        std::thread::sleep(Duration::from_secs(1));
        provider.pay("1", "P", "10");
        let cancelled = cancelled.join().unwrap();
        assert_eq!(cancelled.status, 409, "{cancelled:?}");
    });
    let order = provider.order("1");
    assert_eq!(order["status"], "Paid");
    assert_eq!(order["payments"][0]["review"], json!([]));
}
