//! Amounts that depend on the day.

use jiff::{Timestamp, ToSpan, civil::Date};
use mpay_client::Confirmation;
use mpay_ledger::domain::time;
use serde_json::{Value, json};

use crate::harness::*;

fn today() -> Date {
    time::date(Timestamp::now())
}

fn day(from_today: i32) -> String {
    today().checked_add(from_today.days()).unwrap().to_string()
}

/// A fine of 100, halved until a day.
fn fine(until: &str) -> Value {
    let mut order = order("100");
    order["amounts"] = json!([{"until": until, "amount_due": "50"}]);
    order
}

fn paid(key: &str, amount: &str, paid_at: String) -> Confirmation {
    Confirmation {
        paid_at,
        ..confirmation(key, key, amount)
    }
}

fn pay(provider: &Provider, confirmation: &Confirmation) -> Value {
    assert_eq!(code(provider.mpay().confirm(confirmation).unwrap()), "ok");
    let order = provider.order(&confirmation.order_key);
    json!([order["status"], order["payments"][0]["review"]])
}

#[test]
fn mpay_is_told_what_holds_now() {
    let provider = Provider::start();
    let mut order = fine(&day(2));
    order["lines"]
        .as_array_mut()
        .unwrap()
        .push(json!({"line_id": "p", "reason": "Penalitate", "amount_due": "0"}));
    order["amounts"] = json!([
        {"line_id": "1", "until": day(2), "amount_due": "50"},
        {"line_id": "p", "from": day(10), "add_per_day": "1.50", "at_most": "4"},
    ]);
    provider.register("1", order);
    let details = provider.details("1");
    assert_eq!(details.get("TotalAmountDue"), Some("50.00"));
    assert_eq!(details.lines.len(), 1);
    assert_eq!(details.lines[0].get("AmountDue"), Some("50.00"));

    let answer = provider.order("1");
    assert_eq!(answer["amount_due"], "50.00");
    assert_eq!(answer["total_amount_due"], "100.00");
    assert_eq!(
        answer["amount_due_by_day"],
        json!([
            {"from": day(0), "until": day(2), "amount_due": "50.00"},
            {"from": day(3), "until": day(9), "amount_due": "100.00"},
            {"from": day(10), "until": day(11), "amount_due": "101.50", "more_per_day": "1.50"},
            {"from": day(12), "amount_due": "104.00"},
        ])
    );
    assert_eq!(
        pay(&provider, &confirmation("1", "P", "50")),
        json!(["Paid", []])
    );
    let answer = provider.order("1");
    assert_eq!(answer["amount_due"], "0.00");
    assert_eq!(answer.get("amount_due_by_day"), None);
    // The answer equals the document that was sent, so that it can be sent again.
    let again = provider.api(
        "PUT",
        "orders/TAX/1",
        Some(&json!({
            "reason": answer["reason"], "lines": answer["lines"], "amounts": answer["amounts"],
        })),
    );
    assert_eq!(
        (again.status, again.body["status"].as_str()),
        (200, Some("Paid")),
        "{again:?}"
    );
}

#[test]
fn a_payment_is_judged_by_what_was_shown_when_it_was_made() {
    let mut provider = Provider::start();
    let yesterday = day(-1);
    let midnight = time::start_of(today()).unwrap();
    for key in ["in-time", "late", "whole"] {
        provider.register(key, fine(&yesterday));
    }
    assert_eq!(
        provider.details("late").get("TotalAmountDue"),
        Some("100.00")
    );
    let last_second = time::format(midnight - 1.second());
    assert_eq!(
        pay(&provider, &paid("in-time", "50", last_second)),
        json!(["Paid", []])
    );
    let now = Confirmation::paid_now;
    provider.set_variable("amount_validity", "0");
    provider.restart();
    assert_eq!(
        pay(&provider, &paid("late", "50", now())),
        json!(["PartiallyPaid", ["under-paid"]])
    );
    assert_eq!(
        pay(&provider, &paid("whole", "100", now())),
        json!(["Paid", []])
    );
    // The whole of today, and of the day before.
    provider.set_variable("amount_validity", "86400");
    provider.restart();
    provider.register("shown", fine(&yesterday));
    assert_eq!(
        pay(&provider, &paid("shown", "50", now())),
        json!(["Paid", []])
    );
    // It stays judged as it was.
    provider.set_variable("amount_validity", "0");
    provider.restart();
    assert_eq!(provider.order("shown")["status"], "Paid");
}

#[test]
fn an_order_that_cannot_be_paid_yet_is_unknown_to_mpay() {
    let provider = Provider::start();
    let mut order = order("10");
    order["payable_from"] = day(1).into();
    provider.register("1", order);
    let fault = provider.details_fault(SERVICE, "1");
    assert_eq!(fault.code, "UnknownOrder");
    assert!(fault.reason.contains(&day(1)), "{}", fault.reason);
    assert_eq!(provider.order("1")["payable_from"], day(1));
    assert_eq!(
        pay(&provider, &confirmation("1", "P", "10")),
        json!(["Paid", ["early"]])
    );
    assert_eq!(provider.details("1").get("Status"), Some("Paid"));
}

#[test]
fn a_term_in_working_days_is_counted_once() {
    let mut provider = Provider::start_with(&[("extra_holidays", "03-09")], None);
    let with = |amount: Value| {
        let mut order = order("100");
        order["issued_at"] = "2026-03-05".into();
        order["amounts"] = json!([amount]);
        order
    };
    provider.register("1", with(json!({"working_days": 3, "amount_due": "50"})));
    let until = |provider: &Provider| provider.order("1")["amounts"][0]["until"].clone();
    assert_eq!(until(&provider), "2026-03-11");
    provider.set_variable("extra_holidays", "");
    provider.restart();
    // As it was answered, it stays; as it was sent, it is counted anew.
    let answer = provider.order("1");
    let put = |amounts: &Value| {
        let mut order = with(Value::Null);
        order["amounts"] = amounts.clone();
        provider.api("PUT", "orders/TAX/1", Some(&order))
    };
    assert_eq!(put(&answer["amounts"]).status, 200);
    assert_eq!(until(&provider), "2026-03-11");
    assert_eq!(
        put(&json!([{"working_days": 3, "amount_due": "50"}])).status,
        200
    );
    assert_eq!(until(&provider), "2026-03-10");
    for (amount, field, detail) in [
        (
            json!({"working_days": 3, "until": "2026-03-12", "amount_due": "50"}),
            "amounts[0].until",
            "is not that working day, which is 2026-03-10; leave it out",
        ),
        (
            json!({"working_days": 0, "amount_due": "50"}),
            "amounts[0].working_days",
            "must be 1 to 500",
        ),
        (
            json!({"until": "2026-03-12T12:00:00", "amount_due": "50"}),
            "amounts[0].until",
            "must be a day such as 2026-12-31: an amount holds for whole days",
        ),
        (
            json!({"from": "2026-03-12", "amount_due": "50", "add": "1"}),
            "amounts[0]",
            "must have one of amount_due, add and add_per_day",
        ),
        (
            json!({"from": "2026-03-12", "add_per_day": "1"}),
            "amounts[0].at_most",
            "needs at_most, which all days together add at most, or until",
        ),
    ] {
        let refused = put(&json!([amount]));
        let errors = refused.body["errors"].as_array().unwrap();
        assert!(
            errors.contains(&json!({"field": field, "detail": detail})),
            "{refused:?}"
        );
    }
}
