use std::time::Duration;

use serde_json::{Value, json};

use super::super::testing::{Answer, Api};
use crate::{
    domain::{OrderKey, PaymentId, ServiceId},
    json::{Groups, PaymentJson, VoidJson},
    store::{
        Decision, Evidence, Ledger, Recorded, StoredOrder,
        memory::Fault,
        testing::{record, record_card, refund_of_number, register, secret},
    },
};

const DAY: Duration = Duration::from_secs(86_400);

fn proposal() -> String {
    json!({
        "payment_id": "M", "service_id": "TAX", "order_key": "1", "amount": "10",
        "paid_at": "2026-05-31", "note": "In the statement",
        "lines": [{"line_id": "1", "amount": "10",
            "properties": [{"name": "Telefon", "value": "079123456"}]}]
    })
    .to_string()
}

async fn send(api: &Api, method: &str, address: &str, body: &str) -> Answer {
    api.call(method, address, "application/json", body).await
}

async fn propose(api: &Api) -> Value {
    let answer = send(api, "POST", "payments/manual", &proposal()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["id"].clone()
}

/// A payment of 10 that was entered by two people.
async fn entered() -> (Api, Api, Value) {
    let api = Api::new();
    let other = api.by("other");
    register(&api.memory, "1", "10").await.unwrap();
    let id = propose(&api).await;
    let approved = send(&other, "POST", &format!("payments/manual/{id}/approve"), "").await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    (api, other, id)
}

async fn propose_void(api: &Api) -> Value {
    let note = r#"{"note": "Entered with wrong lines"}"#;
    let answer = send(api, "POST", "payments/M/void", note).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let proposal = answer.json();
    let address = format!("/api/payments/manual/{}", proposal["id"]);
    assert_eq!(answer.header("location"), address);
    assert_eq!(proposal["note"], "Entered with wrong lines");
    proposal["id"].clone()
}

async fn types(api: &Api) -> Vec<String> {
    let events = api.get("events?limit=200").await.json();
    let events = events["events"].as_array().unwrap().iter();
    events
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_proposal_that_is_withdrawn_is_not_approved() {
    let api = Api::new();
    let other = api.by("other");
    register(&api.memory, "1", "10").await.unwrap();
    // The proposer or another person withdraws it.
    for by in [&api, &other] {
        let id = propose(&api).await;
        let address = format!("payments/manual/{id}");
        let withdrawn = send(by, "DELETE", &address, "").await;
        assert_eq!(withdrawn.status, 200, "{}", withdrawn.text);
        let again = send(&api, "DELETE", &address, "").await;
        assert_eq!(again.json(), withdrawn.json());
        let token = if std::ptr::eq(by, &api) {
            "tester"
        } else {
            "other"
        };
        assert_eq!(withdrawn.json()["withdrawn_by"], token);
        let refused = send(&other, "POST", &format!("{address}/approve"), "").await;
        assert_eq!(refused.status, 409);
        assert!(refused.text.contains("withdrawn"), "{}", refused.text);
    }
    let order = api.get("orders/TAX/1").await.json();
    assert_eq!(order["amount_paid"], "0.00");
    let of_withdrawal = types(&api).await;
    let of_withdrawal = of_withdrawal.iter().filter(|t| *t == "proposal.withdrawn");
    assert_eq!(of_withdrawal.count(), 2);
    assert_eq!(
        send(&api, "DELETE", "payments/manual/1", "").await.status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_by_card_is_not_proposed_by_the_banks_number() {
    let api = Api::new();
    register(&api.memory, "1", "40").await.unwrap();
    record_card(&api.memory, "C", "1", "10").await.unwrap();
    let refunded = refund_of_number(&api.memory, "C", "5", Some("RRN-9")).await;
    refunded.unwrap();
    for (id, status) in [("RRN-C", 409), ("RRN-9", 409), ("RRN-8", 201)] {
        let mut proposal: Value = serde_json::from_str(&proposal()).unwrap();
        proposal["payment_id"] = id.into();
        let answer = send(&api, "POST", "payments/manual", &proposal.to_string()).await;
        assert_eq!(answer.status, status, "{id}: {}", answer.text);
        let is_said = answer.text.contains("reference number (RRN)");
        assert_eq!(is_said, status == 409, "{id}: {}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_proposal_that_is_approved_is_not_withdrawn() {
    let (api, other, id) = entered().await;
    let address = format!("payments/manual/{id}");
    assert_eq!(api.get(&address).await.json()["approved_by"], "other");
    let refused = send(&api, "DELETE", &address, "").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    // A second approval changes nothing, whoever makes it.
    let third = api.by("third");
    for token in [&other, &third] {
        let again = send(token, "POST", &format!("{address}/approve"), "").await;
        assert_eq!(
            again.json()["manual"]["approved_by"],
            "other",
            "{}",
            again.text
        );
    }
}

#[tokio::test(start_paused = true)]
async fn approval_and_withdrawal_at_the_same_time_are_one_of_them() {
    for delays in 0..8 {
        let api = Api::new();
        let other = api.by("other");
        register(&api.memory, "1", "10").await.unwrap();
        let id = propose(&api).await;
        let (address, approval) = (
            format!("payments/manual/{id}"),
            format!("payments/manual/{id}/approve"),
        );
        let faults = (0..24).map(|call| match (call + delays) % 3 {
            0 => Fault::Delay(Duration::from_millis(70)),
            _ => Fault::None,
        });
        api.memory.script(faults);
        let both = futures::future::join(
            send(&api, "DELETE", &address, ""),
            send(&other, "POST", &approval, ""),
        );
        let (withdrawn, approved) = both.await;
        let done = [&withdrawn, &approved].map(|answer| answer.status == 200);
        assert_ne!(done, [true, true], "{delays}");
        tokio::time::sleep(Duration::from_secs(61)).await;
        let withdrawn = send(&api, "DELETE", &address, "").await;
        let approved = send(&other, "POST", &approval, "").await;
        let now = [&withdrawn, &approved].map(|answer| answer.status == 200);
        assert!(
            now[0] != now[1],
            "{delays}: {} {}",
            withdrawn.text,
            approved.text
        );
        for (before, now) in done.into_iter().zip(now) {
            assert!(now || !before, "{delays}: what was told stays so");
        }
        let paid = api.get("orders/TAX/1").await.json()["amount_paid"].clone();
        assert_eq!(paid, if now[1] { "10.00" } else { "0.00" });
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_entered_by_hand_is_voided_by_two_people_and_counts_no_more() {
    let (api, other, proposal) = entered().await;
    // The payment's day is over and closed.
    tokio::time::sleep(DAY).await;
    let day = "reconciliation?date=2026-06-01";
    let closed = api.get(day).await.json();
    assert_eq!(closed["closed"], true);
    let id = propose_void(&api).await;
    let approval = format!("payments/manual/{id}/approve");
    let alone = send(&api, "POST", &approval, "").await;
    assert_eq!(alone.status, 409);
    let order = api.get("orders/TAX/1").await.json();
    assert_eq!(
        order["amount_paid"], "10.00",
        "it counts until that is approved"
    );

    let voided = send(&other, "POST", &approval, "").await;
    assert_eq!(voided.status, 200, "{}", voided.text);
    let voided = voided.json();
    let expected = json!({
        "at": "2026-06-02T12:00:00+03:00", "note": "Entered with wrong lines",
        "proposed_by": "tester", "approved_by": "other"
    });
    assert_eq!(voided["voided"], expected);
    let order = api.get("orders/TAX/1").await.json();
    assert_eq!(
        (&order["status"], &order["amount_paid"]),
        (&json!("Active"), &json!("0.00"))
    );
    assert_eq!(order["payments"][0]["voided"], expected);
    let listed = api.get("payments").await.json();
    assert_eq!(listed["payments"], json!([voided]));

    // A closed day does not change. The void belongs to its own day.
    assert_eq!(api.get(day).await.json(), closed);
    let next = api.get("reconciliation?date=2026-06-02").await.json();
    let line = &next["lines"][0];
    assert_eq!(
        (&line["amount"], &line["void"]),
        (&json!("-10.00"), &json!(true))
    );
    assert_eq!(line["bank_account"], closed["lines"][0]["bank_account"]);
    assert_eq!(next["totals"][0]["amount"], "-10.00");
    let both = api
        .get("reconciliation?from=2026-06-01&to=2026-06-02")
        .await
        .json();
    assert_eq!(both["totals"][0]["amount"], "0.00");
    assert_eq!(
        both["lines"][0]["payment_id"],
        both["lines"][1]["payment_id"]
    );

    // A statement's comparison neither misses the voided payment nor finds it.
    let query = "settlement?from=2026-06-01&to=2026-06-30&payment_id=id&amount=sum";
    let seen = api
        .call("POST", query, "text/csv", "id,sum\nM,10\n")
        .await
        .json();
    assert_eq!(seen["not_recorded"][0]["payment_id"], "M");
    assert_eq!(
        (&seen["matched"], &seen["not_settled"]),
        (&json!([]), &json!([]))
    );

    let again = send(&other, "POST", &approval, "").await;
    assert_eq!(again.json(), voided, "once more changes nothing");
    let second = send(&api, "POST", "payments/M/void", r#"{"note": "n"}"#).await;
    assert_eq!(second.status, 409);
    assert_eq!(
        types(&api).await,
        [
            "order.registered",
            "payment.proposed",
            "payment.recorded",
            "payment.void_proposed",
            "payment.voided"
        ]
    );
    let events = api.get("events?limit=200").await.json();
    let void = &events["events"][4];
    assert_eq!(
        (&void["proposal"], &void["void_proposal"]),
        (&proposal, &id)
    );
    assert!(!void.to_string().contains("079123456"), "{void}");
}

#[tokio::test(start_paused = true)]
async fn what_mpay_has_confirmed_and_what_is_withdrawn_is_not_voided() {
    let (api, other, _) = entered().await;
    record(&api.memory, "Q", "1", "1").await.unwrap();
    let note = r#"{"note": "n"}"#;
    for (id, status) in [("Q", 409), ("none", 404)] {
        let refused = send(&api, "POST", &format!("payments/{id}/void"), note).await;
        assert_eq!(refused.status, status, "{}", refused.text);
    }
    assert_eq!(
        send(&api, "POST", "payments/M/void", "{}").await.status,
        422
    );
    let withdrawn = propose_void(&api).await;
    let address = format!("payments/manual/{withdrawn}");
    assert_eq!(send(&api, "DELETE", &address, "").await.status, 200);
    let refused = send(&other, "POST", &format!("{address}/approve"), "").await;
    assert!(refused.status == 409 && refused.text.contains("withdrawn"));
    // MPay confirms before the second person approves.
    let id = propose_void(&api).await;
    confirm(&api).await;
    let refused = send(&other, "POST", &format!("payments/manual/{id}/approve"), "").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    // The same holds if only the order's own list shows the confirmation.
    let payment = api.get("payments/M").await.json();
    let mut void = payment.clone();
    for (member, value) in [
        ("recorded", &payment["index"]),
        ("proposal", &payment["manual"]["proposal"]),
        ("void_proposal", &id),
        ("proposed_by", &json!("a")),
        ("approved_by", &json!("b")),
        ("note", &json!("n")),
    ] {
        void[member] = value.clone();
    }
    let store = Ledger::new(api.memory.clone());
    let void: VoidJson = serde_json::from_value(void).unwrap();
    assert!(!store.manual_payments().void(&void).await.unwrap());
    assert_eq!(api.get("orders/TAX/1").await.json()["amount_paid"], "11.00");
}

/// A confirmation of the payment by MPay, as the operation records it.
async fn confirm_of(api: &Api, order: &str, amount: &str) -> Recorded {
    let store = Ledger::new(api.memory.clone());
    let known = store
        .payments()
        .known(&PaymentId::parse("M").unwrap())
        .await
        .unwrap();
    let payment: PaymentJson = serde_json::from_value(json!({
        "payment_id": "M", "service_id": "TAX", "order_key": order, "amount": amount,
        "currency": "MDL", "paid_at": "2026-05-31T12:00:00+03:00",
        "received_at": "2026-06-01T12:00:00+03:00", "evidence": "e",
        "lines": [{"line_id": "1", "amount": amount}], "after_void": known.after_void
    }))
    .unwrap();
    let content = format!("confirmation of {order} {amount}");
    let content = content.as_bytes();
    let evidence = Evidence::new(&secret(), b"<m/>", "M", content, "accepted");
    let payment = PaymentJson {
        evidence: evidence.id().to_owned(),
        ..payment
    };
    let confirmation = payment.to_confirmation().unwrap();
    let recorded = match known.compare(&confirmation, &evidence) {
        Some(recorded) => recorded,
        None => {
            let order = StoredOrder::default();
            let recorded =
                store
                    .payments()
                    .record(&confirmation, &payment, &order, &evidence, None);
            recorded.await.unwrap()
        }
    };
    if recorded == Recorded::Manual {
        let noted = store
            .manual_payments()
            .confirm(&confirmation, &payment, &evidence);
        noted.await.unwrap();
    }
    recorded
}

/// MPay confirms the payment with the same content.
async fn confirm(api: &Api) {
    assert_eq!(confirm_of(api, "1", "10.00").await, Recorded::Manual);
}

/// Money that MPay confirms is never lost, although nobody can know of it at the moment of the void.
#[tokio::test(start_paused = true)]
async fn what_mpay_confirms_after_the_void_is_a_payment_of_its_own() {
    // The same content again, another amount, and another order.
    for (order, amount, status) in [
        ("1", "10.00", "Paid"),
        ("1", "4.00", "PartiallyPaid"),
        ("2", "7.00", "Paid"),
    ] {
        let (api, other, _) = entered().await;
        register(&api.memory, "2", "7").await.unwrap();
        let id = propose_void(&api).await;
        let approval = format!("payments/manual/{id}/approve");
        assert_eq!(send(&other, "POST", &approval, "").await.status, 200);
        assert_eq!(confirm_of(&api, order, amount).await, Recorded::New);
        for _ in 0..2 {
            let again = confirm_of(&api, order, amount).await;
            assert_eq!(again, Recorded::Repeated { alike: true });
        }
        assert_eq!(confirm_of(&api, order, "1.00").await, Recorded::Conflict);
        let found = api.get(&format!("orders/TAX/{order}")).await.json();
        if status == "Paid" {
            assert_eq!(found["status"], status, "{found}");
        }
        assert_eq!(found["amount_paid"], amount);
        let payments = found["payments"].as_array().unwrap();
        let last = payments.last().unwrap();
        assert_eq!(
            (&last["manual"], &last["after_void"]),
            (&Value::Null, &json!(true))
        );
        assert!(
            !last["review"]
                .as_array()
                .unwrap()
                .contains(&json!("double"))
        );
        let first = api.get("orders/TAX/1").await.json();
        assert!(first["payments"][0]["voided"].is_object(), "{first}");

        // The journal has both payments, by every way of reading it.
        let all = api.get("payments?limit=200").await.json();
        let all = all["payments"].as_array().unwrap();
        let voided: Vec<_> = all.iter().map(|p| p["voided"].is_object()).collect();
        assert_eq!(voided, [true, false], "{all:?}");
        assert!(
            all.iter()
                .all(|payment| payment["review"] != json!(["orphaned"]))
        );
        let counts = api.get("payments/M").await.json();
        assert_eq!(
            (&counts["amount"], &counts["voided"]),
            (&json!(amount), &Value::Null)
        );
        let store = Ledger::new(api.memory.clone());
        let both = store
            .payments()
            .get_many(&[PaymentId::parse("M").unwrap()])
            .await;
        assert_eq!(both.unwrap().len(), 2);
        let day = api.get("reconciliation?date=2026-06-01").await.json();
        let amounts: Vec<_> = day["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| &line["amount"])
            .collect();
        assert_eq!(amounts, ["10.00", "-10.00", amount]);
        assert_eq!(day["totals"][0]["amount"], amount);
        // The payment by hand, its void, and MPay's payment.
        let payments = Groups::parse("payments").unwrap();
        let outbox = store.outbox().of("erp", payments).read(0).await;
        assert_eq!(outbox.unwrap().deliveries.len(), 3);
        // Neither a repair nor a second void takes it back.
        let repair = store.repairs().block(&Default::default()).await.unwrap();
        assert_eq!((repair.checked, repair.repaired.len()), (2, 0));
        let note = r#"{"note": "n"}"#;
        assert_eq!(
            send(&api, "POST", "payments/M/void", note).await.status,
            409
        );
    }
}

/// A void and MPay's confirmation in either order: the money counts once, and the confirmation is stored.
#[tokio::test(start_paused = true)]
async fn a_void_and_mpays_confirmation_at_the_same_time_leave_the_money_once() {
    for delays in 0..6 {
        let (api, other, _) = entered().await;
        let id = propose_void(&api).await;
        let approval = format!("payments/manual/{id}/approve");
        let faults = (0..30).map(|call| match (call + delays) % 3 {
            0 => Fault::Delay(Duration::from_millis(70)),
            _ => Fault::None,
        });
        api.memory.script(faults);
        let store = Ledger::new(api.memory.clone());
        let payment: PaymentJson = serde_json::from_value(json!({
            "payment_id": "M", "service_id": "TAX", "order_key": "1", "amount": "10.00",
            "currency": "MDL", "paid_at": "2026-05-31T12:00:00+03:00",
            "received_at": "2026-06-01T12:00:00+03:00", "evidence": "e",
            "lines": [{"line_id": "1", "amount": "10.00"}]
        }))
        .unwrap();
        let evidence = Evidence::new(&secret(), b"<m/>", "M", b"c", "accepted");
        let confirmation = payment.to_confirmation().unwrap();
        let (void, noted) = futures::future::join(
            send(&other, "POST", &approval, ""),
            store
                .manual_payments()
                .confirm(&confirmation, &payment, &evidence),
        )
        .await;
        api.memory.script([]);
        assert_ne!(void.status == 200, noted.is_ok(), "{delays}: {}", void.text);
        if noted.is_err() {
            assert_eq!(confirm_of(&api, "1", "10.00").await, Recorded::New);
        }
        let order = api.get("orders/TAX/1").await.json();
        assert_eq!(order["amount_paid"], "10.00", "{delays}");
    }
}

/// The digest that remains covers a value that nobody can guess.
#[tokio::test(start_paused = true)]
async fn the_evidence_of_two_people_has_a_nonce_that_is_the_same_each_time() {
    let (api, ..) = entered().await;
    let store = Ledger::new(api.memory.clone());
    let proof = store
        .payments()
        .proof(&PaymentId::parse("M").unwrap())
        .await
        .unwrap();
    let bytes = proof.unwrap().unsigned.unwrap();
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    let nonce = document["nonce"].as_str().unwrap();
    assert_eq!(nonce.len(), 64);
    let parts = document["id"].as_u64().unwrap().to_be_bytes();
    assert_eq!(nonce, secret().digest("manual", &[&parts]));
    // After the erasure no value of the store contains it.
    tokio::time::sleep(40 * DAY).await;
    let service = ServiceId::parse("TAX").unwrap();
    let erasure = crate::store::Erasure::Order(service, OrderKey::parse("1").unwrap());
    let erased = store
        .erasures()
        .erase(&erasure, &Default::default(), "tester")
        .await;
    assert_eq!(erased.unwrap().messages, 1);
    assert_eq!(api.memory.keys_with(nonce), [""; 0]);
    assert_eq!(api.memory.keys_with("079123456"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn all_that_is_wrong_with_a_proposal_is_named_at_once() {
    let api = Api::new();
    register(&api.memory, "1", "10").await.unwrap();
    let body = json!({"payment_id": "M".repeat(40), "service_id": "TAX", "order_key": "1", "amount": "x", "paid_at": "yesterday"});
    let answer = send(&api, "POST", "payments/manual", &body.to_string()).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let errors = answer.json()["errors"].clone();
    let errors = errors.as_array().unwrap().iter();
    let mut fields: Vec<_> = errors
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["amount", "note", "paid_at", "payment_id"]);
}

/// The approval is written, and then the host dies before it enters or voids anything.
async fn approve_alone(api: &Api, id: &Value, by: &str) {
    let store = Ledger::new(api.memory.clone());
    let proposal = store.proposals().get(id.as_u64().unwrap()).await.unwrap();
    let proposal = proposal.unwrap();
    let approved = Decision::Approved { by: by.to_owned() };
    let decided = store.proposals().decide(&proposal, &approved);
    assert_eq!(decided.await.unwrap(), approved);
}

async fn open(api: &Api) -> Vec<Value> {
    let open = api.get("payments/manual?open=true").await.json();
    open["proposals"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn what_is_approved_and_not_entered_is_open_and_approved_again_or_withdrawn() {
    let api = Api::new();
    let (other, third) = (api.by("other"), api.by("third"));
    register(&api.memory, "1", "10").await.unwrap();
    let id = propose(&api).await;
    let address = format!("payments/manual/{id}");
    approve_alone(&api, &id, "other").await;
    let proposal = api.get(&address).await.json();
    assert_eq!(proposal["not_carried_out"], true, "{proposal}");
    assert_eq!(proposal["approved_by"], "other");
    assert_eq!(open(&api).await, [proposal]);
    // Approved again, it is entered in the name of the first who approved.
    let entered = send(&third, "POST", &format!("{address}/approve"), "").await;
    assert_eq!(entered.status, 200, "{}", entered.text);
    assert_eq!(entered.json()["manual"]["approved_by"], "other");
    assert_eq!(open(&api).await, [Value::Null; 0]);
    let proposal = api.get(&address).await.json();
    assert_eq!(proposal.get("not_carried_out"), None, "{proposal}");
    assert_eq!(send(&api, "DELETE", &address, "").await.status, 409);

    // A void.
    let id = propose_void(&api).await;
    let address = format!("payments/manual/{id}");
    approve_alone(&api, &id, "other").await;
    assert_eq!(api.get(&address).await.json()["not_carried_out"], true);
    let voided = send(&other, "POST", &format!("{address}/approve"), "").await;
    assert_eq!(voided.status, 200, "{}", voided.text);
    let proposal = api.get(&address).await.json();
    assert_eq!(proposal.get("not_carried_out"), None, "{proposal}");
    assert_eq!(send(&api, "DELETE", &address, "").await.status, 409);
    assert_eq!(open(&api).await, [Value::Null; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_approved_and_cannot_be_carried_out_any_more_is_withdrawn() {
    // MPay confirms the payment before it is entered.
    let api = Api::new();
    let other = api.by("other");
    register(&api.memory, "1", "10").await.unwrap();
    let id = propose(&api).await;
    let address = format!("payments/manual/{id}");
    approve_alone(&api, &id, "other").await;
    assert_eq!(confirm_of(&api, "1", "10.00").await, Recorded::New);
    let refused = send(&other, "POST", &format!("{address}/approve"), "").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(open(&api).await[0]["not_carried_out"], true);
    for _ in 0..2 {
        let withdrawn = send(&api, "DELETE", &address, "").await;
        assert_eq!(withdrawn.status, 200, "{}", withdrawn.text);
        assert_eq!(withdrawn.json()["withdrawn_by"], "tester");
        assert_eq!(withdrawn.json().get("approved_by"), None);
    }
    assert_eq!(open(&api).await, [Value::Null; 0]);
    let refused = send(&other, "POST", &format!("{address}/approve"), "").await;
    assert!(refused.text.contains("withdrawn"), "{}", refused.text);

    // MPay confirms it before it is voided.
    let (api, other, _) = entered().await;
    let id = propose_void(&api).await;
    let address = format!("payments/manual/{id}");
    approve_alone(&api, &id, "other").await;
    confirm(&api).await;
    let refused = send(&other, "POST", &format!("{address}/approve"), "").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(open(&api).await[0]["not_carried_out"], true);
    assert_eq!(send(&api, "DELETE", &address, "").await.status, 200);
    assert_eq!(open(&api).await, [Value::Null; 0]);
    assert_eq!(api.get("orders/TAX/1").await.json()["amount_paid"], "10.00");
}

#[tokio::test(start_paused = true)]
async fn what_is_entered_while_it_is_withdrawn_shows_as_approved() {
    for delays in 0..9 {
        let api = Api::new();
        let other = api.by("other");
        register(&api.memory, "1", "10").await.unwrap();
        let id = propose(&api).await;
        let address = format!("payments/manual/{id}");
        let approval = format!("{address}/approve");
        approve_alone(&api, &id, "other").await;
        let faults = (0..30).map(|call| match (call + delays) % 3 {
            0 => Fault::Delay(Duration::from_millis(70 * delays)),
            _ => Fault::None,
        });
        api.memory.script(faults);
        futures::future::join(
            send(&api, "DELETE", &address, ""),
            send(&other, "POST", &approval, ""),
        )
        .await;
        api.memory.script([]);
        tokio::time::sleep(Duration::from_secs(61)).await;
        send(&api, "DELETE", &address, "").await;
        let proposal = api.get(&address).await.json();
        let paid = api.get("orders/TAX/1").await.json()["amount_paid"].clone();
        let is_withdrawn = proposal.get("withdrawn_by").is_some();
        assert_eq!(proposal.get("not_carried_out"), None, "{delays}");
        assert_eq!(paid == "0.00", is_withdrawn, "{delays}: {proposal}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_about_a_voided_payment_says_how_its_money_is_entered_and_counts_once() {
    let (api, other, _) = entered().await;
    let id = propose_void(&api).await;
    let approve = async |id: &Value| {
        let answer = send(&other, "POST", &format!("payments/manual/{id}/approve"), "").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    approve(&id).await;
    let refused = send(&api, "POST", "payments/manual", &proposal()).await;
    assert_eq!(refused.status, 409);
    for said in ["voided", "with an ending, such as -2", "then void the one"] {
        assert!(refused.text.contains(said), "{}", refused.text);
    }
    let ended = proposal().replace("\"M\"", "\"M-2\"");
    let ended = send(&api, "POST", "payments/manual", &ended).await;
    assert_eq!(ended.status, 201, "{}", ended.text);
    approve(&ended.json()["id"]).await;
    let paid = async || api.get("orders/TAX/1").await.json()["amount_paid"].clone();
    assert_eq!(paid().await, "10.00");
    // MPay confirms the voided one after all, and the stand-in is voided.
    assert_eq!(confirm_of(&api, "1", "10.00").await, Recorded::New);
    assert_eq!(paid().await, "20.00");
    let refused = send(&api, "POST", "payments/manual", &proposal()).await;
    assert!(
        refused.text.contains("recorded already"),
        "{}",
        refused.text
    );
    let note = r#"{"note": "MPay has confirmed M"}"#;
    let void = send(&api, "POST", "payments/M-2/void", note).await;
    assert_eq!(void.status, 201, "{}", void.text);
    approve(&void.json()["id"]).await;
    assert_eq!(paid().await, "10.00");
}
