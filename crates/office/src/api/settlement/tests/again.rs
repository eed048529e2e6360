//! Tests of rows that come again, or of money that comes again in other rows.

use super::{
    money::{A, B, BY_ID, details, one, pay, pay_on, settlement},
    *,
};
use crate::{
    json::PaymentJson,
    store::{
        Evidence, Ledger, Precondition, Refunded, StoredOrder,
        memory::Memory,
        testing::{order_json, put, record_card, refund, secret},
    },
};

const BY_DAY: &str = "date=on&amount=sum";
const BY_ACCOUNT: &str = "date=on&account=to&amount=sum";
const BY_ORDER: &str = "order_key=order&amount=sum&date=on";

#[tokio::test(start_paused = true)]
async fn a_sum_of_a_day_that_comes_again_takes_no_payment_that_came_later() {
    // The first payment is found by the day of recording or of payment; then one of that day comes late.
    for first in ["2026-05-31", "2026-06-01"] {
        for late in ["50", "70"] {
            let api = Api::new();
            let pay = async |id, day, amount| {
                let of = (id, "TAX", id);
                pay_on(&api.memory, day, of, "MDL", &[(amount, Some(A))]).await;
            };
            pay("P", first, "50").await;
            let statement = "on,sum\n2026-06-01,50\n";
            let seen = settle(&api, BY_DAY, statement).await;
            assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
            tokio::time::sleep(Duration::from_secs(86_400)).await;
            pay("Q", "2026-06-01", late).await;
            for _ in 0..2 {
                let again = settle(&api, BY_DAY, statement).await;
                let context = format!("{first} {late}: {again}");
                assert_eq!(ids(&again["matched"]), ["P"], "{context}");
                assert_eq!(ids(&again["not_settled"]), ["Q"], "{context}");
                assert_eq!(again["not_recorded"], json!([]), "{context}");
                assert_eq!(again["settlement"], Value::Null, "{context}");
            }
            assert_eq!(settlement(&api, "Q").await, Value::Null);
            // A row of its own shows it, beside the known row and before it.
            let both = format!("on,sum\n2026-06-01,{late}.00\n2026-06-01,50\n");
            let seen = settle(&api, BY_DAY, &both).await;
            let mut matched = ids(&seen["matched"]);
            matched.sort_unstable();
            assert_eq!(matched, ["P", "Q"], "{seen}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sum_of_a_day_and_an_account_that_comes_again_takes_no_payment_that_came_later() {
    let api = Api::new();
    let lines = [("60", Some(A)), ("40", Some(B))];
    pay(&api.memory, ("P", "TAX", "1"), "MDL", &lines).await;
    let statement = format!("on,to,sum\n2026-06-01,{A},60\n2026-06-01,{B},40\n");
    let seen = settle(&api, BY_ACCOUNT, &statement).await;
    assert_eq!(ids(&seen["matched"]), ["P", "P"], "{seen}");
    for (id, line) in [("Q", ("60", Some(A))), ("R", ("40", Some(B)))] {
        pay(&api.memory, (id, "TAX", id), "MDL", &[line]).await;
    }
    let again = settle(&api, BY_ACCOUNT, &statement).await;
    assert_eq!(ids(&again["matched"]), ["P", "P"], "{again}");
    assert_eq!(ids(&again["not_settled"]), ["Q", "R"]);
    assert_eq!(again["settlement"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_sum_of_payments_that_other_rows_showed_is_said() {
    let api = one("50").await;
    let row = "2026-06-01,50,\n";
    let seen = settle(&api, BY_DAY, &format!("on,sum,id\n{row}")).await;
    assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
    record(&api.memory, "Q", "1", "50").await.unwrap();
    // Another row of this day with other cells is other money.
    let seen = settle(&api, BY_DAY, "on,sum,id\n2026-06-01,50,x\n").await;
    assert_eq!(ids(&seen["matched"]), ["Q"], "{seen}");
    for _ in 0..2 {
        let seen = settle(&api, BY_DAY, "on,sum,id\n2026-06-01,100,y\n").await;
        assert_eq!(ids(&seen["matched"]), [""; 0], "{seen}");
        assert_eq!(differences(&seen["not_recorded"]), ["shown-before"]);
        assert_eq!(seen["settlement"], Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn two_sums_of_one_account_settle_no_payment_of_two_accounts() {
    for (of_a, of_b) in [("50", "50"), ("30", "70")] {
        let api = Api::new();
        let lines = [(of_a, Some(A)), (of_b, Some(B))];
        pay(&api.memory, ("P", "TAX", "1"), "MDL", &lines).await;
        let row = |account, sum, n| format!("on,to,sum,n\n2026-06-01,{account},{sum},{n}\n");
        let seen = settle(&api, BY_ACCOUNT, &row(A, of_a, 1)).await;
        assert_eq!(differences(&seen["differing"]), ["part"], "{seen}");
        for _ in 0..2 {
            let seen = settle(&api, BY_ACCOUNT, &row(A, of_a, 2)).await;
            assert_eq!(ids(&seen["matched"]), [""; 0], "{seen}");
            assert_eq!(ids(&seen["differing"]), [""; 0], "{seen}");
            assert_eq!(seen["settlement"], Value::Null, "{seen}");
            assert_eq!(settlement(&api, "P").await, Value::Null);
        }
        let seen = settle(&api, BY_ACCOUNT, &row(B, of_b, 3)).await;
        assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
        assert!(settlement(&api, "P").await.is_u64());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_of_a_settled_payment_is_said_beside_the_row_that_showed_it() {
    let back = async |api: &Api, query: &str, statement: &str| {
        for _ in 0..2 {
            let seen = settle(api, query, statement).await;
            assert_eq!(ids(&seen["differing"]), ["P"], "{statement}: {seen}");
            assert_eq!(differences(&seen["differing"]), ["taken-back"]);
            assert_eq!(seen["netted"], json!([]), "{statement}");
            assert_eq!(seen["settlement"], Value::Null);
        }
    };
    let api = one("100").await;
    settle(&api, BY_ID, "id,sum,on\nP,100,1.6\n").await;
    back(&api, BY_ID, "id,sum,on\nP,100,1.6\nP,-100,4.6\n").await;
    back(&api, BY_ID, "id,sum,on\nP,100,1.6\nP,-40,4.6\n").await;
    // The payment was settled in parts.
    let api = one("100").await;
    settle(&api, BY_ID, "id,sum,on\nP,60,1.6\n").await;
    settle(&api, BY_ID, "id,sum,on\nP,40,2.6\n").await;
    back(&api, BY_ID, "id,sum,on\nP,60,1.6\nP,-60,4.6\n").await;
    // By the order.
    let api = one("100").await;
    settle(&api, BY_ORDER, "order,sum,on\n1,100,1.6\n").await;
    back(&api, BY_ORDER, "order,sum,on\n1,100,1.6\n1,-100,4.6\n").await;
}

#[tokio::test(start_paused = true)]
async fn a_row_and_its_reversal_are_of_one_currency() {
    let statement = "id,order,sum,unit\n,77,100,EUR\n,77,-100,MDL\n";
    let api = one("1").await;
    let query = "order_key=order&amount=sum&currency=unit";
    let seen = settle(&api, query, statement).await;
    assert_eq!(seen["netted"], json!([]), "{seen}");
    assert_eq!(rows(&seen["not_recorded"]), [2, 3]);
    let query = "payment_id=order&amount=sum&currency=unit";
    let seen = settle(&api, query, statement).await;
    assert_eq!(seen["netted"], json!([]), "{seen}");
    assert_eq!(rows(&seen["not_recorded"]), [2, 3]);
    let one = "id,order,sum,unit\n,77,100,EUR\n,77,-100,EUR\n";
    let seen = settle(&api, query, one).await;
    assert_eq!(rows(&seen["netted"]), [2], "{seen}");
}

/// Records a payment by card of 5.00 of the order 100 of a service.
async fn by_card(memory: &Memory, id: &str, service: &str) {
    let payment: PaymentJson = serde_json::from_value(json!({
        "payment_id": id, "service_id": service, "order_key": "100", "amount": "5", "currency": "MDL",
        "paid_at": "2026-06-01T12:00:00+03:00", "received_at": "2026-06-01T12:00:00+03:00",
        "lines": [{"line_id": "1", "amount": "5"}], "evidence": id,
        "card": {"asked": "5", "terminal": "T", "masked_number": "411111xxxxxx0031"}
    }))
    .unwrap();
    let evidence = Evidence::new(&secret(), b"", id, b"", "card");
    let confirmation = payment.to_confirmation().unwrap();
    let order = StoredOrder::default();
    let recorded = Ledger::new(memory.clone())
        .payments()
        .record(&confirmation, &payment, &order, &evidence, None)
        .await;
    recorded.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refund_of_an_order_number_that_two_services_have_is_decided_by_the_caller() {
    let api = Api::new();
    for (id, service) in [("P", "TAX"), ("Q", "FEE")] {
        by_card(&api.memory, id, service).await;
        let mut order = order_json("100", "5");
        order.service_id = Some(service.to_owned());
        let order = order.to_order().unwrap();
        put(&api.memory, &order, Precondition::None).await.unwrap();
        let refunded = refund(&api.memory, id, "0").await.unwrap();
        assert!(matches!(refunded, Refunded::New), "{id}");
    }
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let statement = "order,sum,on\n100,-5,2.6\n";
    let seen = settle(&api, BY_ORDER, statement).await;
    assert_eq!(ids(&seen["matched"]), [""; 0], "{seen}");
    assert_eq!(differences(&seen["not_recorded"]), ["several-services"]);
    assert_eq!(
        details(&seen["not_recorded"]),
        ["orders of several services fit: FEE, TAX"]
    );
    assert_eq!(seen["settlement"], Value::Null);
    // A row of money that came does not hide it.
    let seen = settle(&api, BY_ORDER, "order,sum,on\n100,5,2.6\n100,-5,2.6\n").await;
    assert_eq!(seen["netted"], json!([]), "{seen}");
    let query = format!("{BY_ORDER}&service_id=FEE");
    let seen = settle(&api, &query, statement).await;
    assert_eq!(ids(&seen["matched"]), ["Q"], "{seen}");
    // From now on the row is known.
    let seen = settle(&api, BY_ORDER, statement).await;
    assert_eq!(ids(&seen["matched"]), ["Q"], "{seen}");
}

#[tokio::test(start_paused = true)]
async fn a_whole_payment_that_another_row_shows_again_is_said() {
    let by_number = "payment_id=id&amount=sum&reference=n";
    for (query, first, second) in [
        (by_number, "P,100,,X7", "P,100,,X8"),
        (BY_ID, "P,100,1.6,", "P,100,2.6,"),
    ] {
        let api = one("100").await;
        let statement = |row: &str| format!("id,sum,on,n\n{row}\n");
        for _ in 0..2 {
            let seen = settle(&api, query, &statement(first)).await;
            assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
        }
        let seen = settle(&api, query, &statement(second)).await;
        assert_eq!(ids(&seen["matched"]), [""; 0], "{seen}");
        assert_eq!(differences(&seen["differing"]), ["shown-before"]);
    }
    // The last part comes again in another row, beside the first part.
    let api = one("100").await;
    settle(&api, BY_ID, "id,sum,on\nP,60,1.6\n").await;
    settle(&api, BY_ID, "id,sum,on\nP,40,2.6\n").await;
    let seen = settle(&api, BY_ID, "id,sum,on\nP,60,1.6\nP,40,3.6\n").await;
    assert_eq!(differences(&seen["differing"]), ["shown-before"], "{seen}");
    let seen = settle(&api, BY_ID, "id,sum,on\nP,60,1.6\nP,40,2.6\n").await;
    assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
    // A row without a name may be the same row.
    let seen = settle(&api, "payment_id=id&amount=sum", "id,sum\nP,100\n").await;
    assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_the_rows_of_a_settled_payment_tells_what_was_taken_back() {
    let api = one("100").await;
    let statement = |rows: &str| format!("id,sum,on\n{rows}\n");
    let (r1, r2, r3) = ("P,60,1.6", "P,-60,2.6", "P,100,3.6");
    for row in [r1, r2, r3] {
        settle(&api, BY_ID, &statement(row)).await;
    }
    assert!(settlement(&api, "P").await.is_u64());
    for (row, said) in [
        (
            r1,
            "a part; other rows take 60.00 back, and show what was then missing",
        ),
        (r2, "taken back; other rows show the payment as a whole"),
    ] {
        let seen = settle(&api, BY_ID, &statement(row)).await;
        assert_eq!(details(&seen["matched"]), [said], "{seen}");
        assert_eq!(seen["differing"], json!([]));
        assert_eq!(seen["settlement"], Value::Null);
    }
    let seen = settle(&api, BY_ID, &statement(&format!("{r1}\n{r2}"))).await;
    assert_eq!(
        (ids(&seen["netted"]), ids(&seen["differing"])),
        (vec!["P"], vec![])
    );
    // A row that was settled less a fee, which nobody names this time.
    let api = one("100").await;
    let query = format!("{BY_ID}&fee_rate=2");
    settle(&api, &query, &statement("P,98,1.6")).await;
    let seen = settle(&api, BY_ID, &statement("P,98,1.6")).await;
    let event = settlement(&api, "P").await;
    assert_eq!(
        details(&seen["matched"]),
        [format!("as in statement {event}, which settled it")],
        "{seen}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sum_of_a_day_less_what_was_given_back_is_known_again() {
    let api = Api::new();
    register(&api.memory, "1", "33").await.unwrap();
    record_card(&api.memory, "C", "1", "33").await.unwrap();
    refund(&api.memory, "C", "30").await.unwrap();
    let statement = "on,sum\n2026-06-01,30\n";
    let seen = settle(&api, BY_DAY, statement).await;
    assert_eq!(ids(&seen["matched"]), ["C", "C"], "{seen}");
    refund(&api.memory, "C", "20").await.unwrap();
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let again = settle(&api, BY_DAY, statement).await;
    assert_eq!(ids(&again["matched"]), ["C", "C"], "{again}");
    assert_eq!(ids(&again["not_settled"]), ["C"]);
    assert_eq!(again["settlement"], Value::Null);
}
