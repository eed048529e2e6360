//! Tests of money that a statement would report wrongly: rows that come again, payments that come twice, other
//! currencies, other services, and fees that are none.

use super::*;
use crate::{
    domain::Money,
    json::PaymentJson,
    store::{
        Evidence, Ledger, MOST_PARTS, StoredOrder,
        memory::Memory,
        testing::{record_card, refund, secret},
    },
};

pub(super) const A: &str = "MD80EX0900002374642125MD";
pub(super) const B: &str = "MD21EX000000000001234567";

/// Records a payment of an order, each line with an amount and an account.
pub(super) async fn pay(
    memory: &Memory,
    of: (&str, &str, &str),
    currency: &str,
    lines: &[(&str, Option<&str>)],
) {
    pay_on(memory, "2026-06-01", of, currency, lines).await;
}

/// The same, with the day on which the payer paid.
pub(super) async fn pay_on(
    memory: &Memory,
    day: &str,
    (id, service, key): (&str, &str, &str),
    currency: &str,
    lines: &[(&str, Option<&str>)],
) {
    let amounts = lines
        .iter()
        .map(|(amount, _)| Money::parse(amount).unwrap());
    let payment: PaymentJson = serde_json::from_value(json!({
        "payment_id": id, "service_id": service, "order_key": key,
        "amount": amounts.sum::<Money>().to_string(), "currency": currency,
        "paid_at": format!("{day}T12:00:00+03:00"), "received_at": "2026-06-01T12:00:00+03:00",
        "lines": lines.iter().enumerate().map(|(position, (amount, account))| json!({
            "line_id": (position + 1).to_string(), "amount": amount, "bank_account": account
        })).collect::<Vec<_>>(),
        "evidence": id,
    }))
    .unwrap();
    let evidence = Evidence::new(&secret(), b"", id, b"", "accepted");
    let confirmation = payment.to_confirmation().unwrap();
    let order = StoredOrder::default();
    let recorded = Ledger::new(memory.clone())
        .payments()
        .record(&confirmation, &payment, &order, &evidence, None)
        .await;
    recorded.unwrap();
}

/// A payment `P` of this amount.
pub(super) async fn one(amount: &str) -> Api {
    let api = Api::new();
    register(&api.memory, "1", "1000").await.unwrap();
    record(&api.memory, "P", "1", amount).await.unwrap();
    api
}

pub(super) async fn settlement(api: &Api, id: &str) -> Value {
    api.get(&format!("payments/{id}")).await.json()["settlement"].clone()
}

pub(super) fn details(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|entry| entry["detail"].as_str().unwrap_or("-"))
        .collect()
}

pub(super) const BY_ID: &str = "payment_id=id&amount=sum&date=on";
const FIRST: &str = "P,40,2.6.2026\n";
const SECOND: &str = "P,30,3.6.2026\n";

#[tokio::test(start_paused = true)]
async fn a_row_that_comes_again_is_the_same_part_whatever_rows_are_beside_it() {
    let head = "id,sum,on\n";
    let so_far =
        |total: &str, left: &str| format!("70.00 of {total} is shown so far; {left} is left");
    let api = one("100").await;
    let both = format!("{head}{FIRST}{SECOND}");
    let seen = settle(&api, BY_ID, &both).await;
    assert_eq!(details(&seen["differing"]), [so_far("100.00", "30.00")]);
    // Only one of the rows, in a statement that overlaps, and both in another order.
    for rows in [
        SECOND.to_owned(),
        FIRST.to_owned(),
        format!("{SECOND}{FIRST}"),
        format!("{FIRST}{SECOND}"),
    ] {
        let again = settle(&api, BY_ID, &format!("{head}{rows}")).await;
        let context = format!("{rows}: {again}");
        assert_eq!(ids(&again["matched"]), [""; 0], "{context}");
        assert_eq!(
            details(&again["differing"]),
            [so_far("100.00", "30.00")],
            "{context}"
        );
        assert_eq!(again["settlement"], Value::Null, "{context}");
    }
    assert_eq!(settlement(&api, "P").await, Value::Null);
    // Twice the same sum is not the double.
    let api = one("140").await;
    settle(&api, BY_ID, &both).await;
    let seen = settle(&api, BY_ID, &format!("{head}{SECOND}{FIRST}")).await;
    assert_eq!(differences(&seen["differing"]), ["part"], "{seen}");
    assert_eq!(details(&seen["differing"]), [so_far("140.00", "70.00")]);
    assert_eq!(settlement(&api, "P").await, Value::Null);
    // A known row beside a new one, which shows the rest.
    let api = one("100").await;
    settle(&api, BY_ID, &both).await;
    let rest = format!("{head}P,30,9.6.2026\n{SECOND}");
    let seen = settle(&api, BY_ID, &rest).await;
    assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
    assert!(settlement(&api, "P").await.is_u64());
    // Every row of a settled payment is known, the last ones too.
    for rows in [FIRST, SECOND, "P,30,9.6.2026\n"] {
        let again = settle(&api, BY_ID, &format!("{head}{rows}")).await;
        assert_eq!(ids(&again["matched"]), ["P"], "{rows}: {again}");
        assert_eq!(
            details(&again["matched"]),
            ["a part; other statements show the rest"]
        );
        assert_eq!(again["settlement"], Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn every_row_of_a_payment_that_one_statement_settled_is_known_in_another() {
    let api = one("70").await;
    let seen = settle(&api, BY_ID, &format!("id,sum,on\n{FIRST}{SECOND}")).await;
    assert_eq!(ids(&seen["matched"]), ["P"]);
    for rows in [FIRST, SECOND] {
        let again = settle(&api, BY_ID, &format!("id,sum,on\n{rows}")).await;
        assert_eq!(ids(&again["matched"]), ["P"], "{rows}: {again}");
        assert_eq!(again["differing"], json!([]), "{rows}");
        assert_eq!(again["settlement"], Value::Null);
    }
    let other = settle(&api, BY_ID, "id,sum,on\nP,30,9.6.2026\n").await;
    assert_eq!(differences(&other["differing"]), ["shown-before"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_of_a_part_is_no_part_of_the_payment() {
    let api = one("100").await;
    settle(&api, BY_ID, &format!("id,sum,on\n{FIRST}{SECOND}")).await;
    // The bank takes 30 of the 70 back.
    let back = "id,sum,on\nP,-30,4.6.2026\n";
    for is_new in [true, false] {
        let seen = settle(&api, BY_ID, back).await;
        assert_eq!(differences(&seen["differing"]), ["taken-back"], "{seen}");
        assert_eq!(
            details(&seen["differing"]),
            ["the statement takes 30.00 back; 40.00 of 100.00 is shown so far"]
        );
        assert_eq!(seen["settlement"].is_u64(), is_new, "{seen}");
    }
    let seen = settle(&api, BY_ID, "id,sum,on\nP,30,9.6.2026\n").await;
    assert_eq!(differences(&seen["differing"]), ["part"], "{seen}");
    assert_eq!(settlement(&api, "P").await, Value::Null);
    let seen = settle(&api, BY_ID, "id,sum,on\nP,30,10.6.2026\n").await;
    assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
    // The whole part is taken back, beside the row that showed it.
    let api = one("100").await;
    settle(&api, BY_ID, &format!("id,sum,on\n{FIRST}")).await;
    let both = format!("id,sum,on\n{FIRST}P,-40,4.6.2026\n");
    for is_new in [true, false] {
        let seen = settle(&api, BY_ID, &both).await;
        assert_eq!(ids(&seen["netted"]), ["P"], "{seen}");
        assert_eq!(seen["settlement"].is_u64(), is_new, "{seen}");
    }
    let seen = settle(&api, BY_ID, "id,sum,on\nP,60,9.6.2026\n").await;
    assert_eq!(
        details(&seen["differing"]),
        ["60.00 of 100.00 is shown so far; 40.00 is left"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_whole_payment_or_a_sum_of_its_day_that_comes_after_a_part_is_too_much() {
    let api = one("100").await;
    settle(&api, BY_ID, &format!("id,sum,on\n{FIRST}")).await;
    let seen = settle(&api, BY_ID, "id,sum,on\nP,100,9.6.2026\n").await;
    assert_eq!(details(&seen["differing"]), ["40.00 more than was paid"]);
    assert_eq!(seen["settlement"], Value::Null);
    let seen = settle(&api, "date=on&amount=sum", "on,sum\n1.6.2026,100\n").await;
    assert_eq!(
        differences(&seen["not_recorded"]),
        ["shown-before"],
        "{seen}"
    );
    assert_eq!(seen["settlement"], Value::Null);
    assert_eq!(settlement(&api, "P").await, Value::Null);
}

/// Earlier versions stored the sum of all rows under the first one.
#[tokio::test(start_paused = true)]
async fn a_part_of_several_rows_that_an_earlier_version_stored_is_not_counted_again() {
    let api = one("100").await;
    settle(&api, BY_ID, &format!("id,sum,on\n{FIRST}")).await;
    let keys = api.memory.keys_with("40.00").into_iter();
    let key = keys.into_iter().find(|key| key.starts_with("settled/"));
    let key = key.unwrap();
    let kept = String::from_utf8(api.memory.value(&key).unwrap().to_vec()).unwrap();
    api.memory
        .overwrite(&key, kept.replace("40.00", "70.00").into_bytes());
    let seen = settle(&api, BY_ID, &format!("id,sum,on\n{FIRST}{SECOND}")).await;
    assert_eq!(
        details(&seen["differing"]),
        ["70.00 of 100.00 is shown so far; 30.00 is left"]
    );
    assert_eq!(seen["settlement"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_reversal_is_no_fee_whatever_its_texts_say() {
    let query = "payment_id=id&text=text&amount=sum";
    for (text, back) in [
        ("Taxa pentru dobândirea cetățeniei", "Stornare"),
        ("Comision de licențiere", "Stornare comision"),
        ("Plata MPay", "Stornare comision"),
    ] {
        for column in ["text", "service"] {
            let api = one("44").await;
            let statement = format!("id,sum,{column},more\nP,44,{text},x\nP,-44,{back} {text},x\n");
            let query = match column {
                "text" => query,
                _ => "payment_id=id&amount=sum",
            };
            let seen = settle(&api, query, &statement).await;
            assert_eq!(ids(&seen["netted"]), ["P"], "{text}: {seen}");
            assert_eq!(ids(&seen["matched"]), [""; 0], "{text}");
            assert_eq!(ids(&seen["not_settled"]), ["P"], "{text}");
            assert_eq!(settlement(&api, "P").await, Value::Null);
        }
    }
    // A part is taken back of a payment whose every row names a commission.
    let api = one("44").await;
    let statement = "id,sum,text\nP,44,Comision de licențiere\nP,-30,Comision de licențiere\n";
    let seen = settle(&api, query, statement).await;
    assert_eq!(differences(&seen["differing"]), ["part"], "{seen}");
    // Two fees that are together as large as the payment.
    let api = one("44").await;
    let statement = "id,sum,text\nP,44,Plata\nP,-22,Comision\nP,-22,Comision\n";
    let seen = settle(&api, query, statement).await;
    assert_eq!(ids(&seen["netted"]), ["P"], "{seen}");
    // A fee is a fee, also of a part of the payment's rows.
    let api = one("44").await;
    let statement = "id,sum,text\nP,44,Plata\nP,-0.44,Comisionul băncii\n";
    let seen = settle(&api, query, statement).await;
    assert_eq!(seen["matched"][0]["fee"], "0.44", "{seen}");
    let alone = settle(&api, query, "id,sum,text\nP,-0.44,Comisionul băncii\n").await;
    assert_eq!(
        (ids(&alone["fees"]), ids(&alone["netted"])),
        (vec!["P"], vec![]),
        "{alone}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fee_that_leaves_nothing_of_the_payment_is_none() {
    for (sum, fee) in [("0", "44"), ("-1", "45")] {
        let api = one("44").await;
        let statement = format!("id,sum,fee\nP,{sum},{fee}\n");
        let seen = settle(&api, "payment_id=id&amount=sum&fee=fee", &statement).await;
        assert_eq!(ids(&seen["matched"]), [""; 0], "{seen}");
        assert_eq!(settlement(&api, "P").await, Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn income_is_no_fee_whatever_its_texts_say() {
    let api = one("44").await;
    let statement = "id,sum,text\n,500,Taxa pentru dobândirea cetățeniei\n,300,Comision de licențiere\n\
        ,-7,Comision bancar\n,-8,Taxa pentru dobândirea cetățeniei\n";
    let seen = settle(&api, "payment_id=id&text=text&amount=sum", statement).await;
    assert_eq!(
        (rows(&seen["fees"]), rows(&seen["not_recorded"])),
        (vec![4], vec![2, 3, 5]),
        "{seen}"
    );
    assert_eq!(
        differences(&seen["not_recorded"]),
        [
            "no-payment-named",
            "no-payment-named",
            "reversal-of-nothing"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn money_that_came_twice_in_sums_of_several_payments_is_said() {
    let paid = async || {
        let api = Api::new();
        register(&api.memory, "1", "1000").await.unwrap();
        for id in ["P-A", "P-B"] {
            record(&api.memory, id, "1", "10").await.unwrap();
        }
        api
    };
    let query = "text=text&amount=sum&date=on";
    let head = "text,sum,on\n";
    let lump = |day: u32| format!("plati P-A si P-B,20,{day}.6.2026\n");
    let singles = "plata P-A,10,1.6.2026\nplata P-B,10,1.6.2026\n";
    let by_rows = "other rows of this statement show P-A, P-B, which this row names too";
    let before = "statements before show P-A, P-B, which this row names too";
    // Beside the rows of the payments, and twice.
    let api = paid().await;
    let statement = format!("{head}{singles}{}{}", lump(2), lump(3));
    for _ in 0..2 {
        let seen = settle(&api, query, &statement).await;
        assert_eq!(rows(&seen["matched"]), [2, 3], "{seen}");
        assert_eq!(rows(&seen["not_recorded"]), [4, 5]);
        let first = &seen["not_recorded"][0];
        assert!(first["difference"] == "other-sum", "{seen}");
        assert_eq!(first["detail"], by_rows);
    }
    let api = paid().await;
    let statement = format!("{head}{}{}", lump(2), lump(3));
    for _ in 0..2 {
        let seen = settle(&api, query, &statement).await;
        assert_eq!(rows(&seen["matched"]), [2, 2], "{seen}");
        assert_eq!(rows(&seen["not_recorded"]), [3]);
        assert_eq!(differences(&seen["not_recorded"]), ["other-sum"]);
    }
    // In another statement; the first one again finds what it found.
    let seen = settle(&api, query, &format!("{head}{}", lump(4))).await;
    assert_eq!(ids(&seen["matched"]), [""; 0], "{seen}");
    assert_eq!(differences(&seen["not_recorded"]), ["shown-before"]);
    assert_eq!(details(&seen["not_recorded"]), [before]);
    let again = settle(&api, query, &format!("{head}{}", lump(2))).await;
    assert_eq!(ids(&again["matched"]), ["P-A", "P-B"]);
    // A part of a payment that the row names came before.
    let api = paid().await;
    settle(&api, query, &format!("{head}plata P-A,4,1.6.2026\n")).await;
    let seen = settle(&api, query, &format!("{head}{}", lump(2))).await;
    assert_eq!(differences(&seen["not_recorded"]), ["shown-before"]);
    assert_eq!(settlement(&api, "P-A").await, Value::Null);
}

/// Payments of 77 of one order in euros and of another in lei.
async fn of_two_currencies() -> Api {
    let api = Api::new();
    for key in ["E", "L"] {
        register(&api.memory, key, "1000").await.unwrap();
    }
    pay(&api.memory, ("PE", "TAX", "E"), "EUR", &[("77", Some(A))]).await;
    pay(&api.memory, ("PL", "TAX", "L"), "MDL", &[("77", Some(A))]).await;
    api
}

#[tokio::test(start_paused = true)]
async fn a_row_shows_payments_of_its_own_currency_alone() {
    let by_order = "order_key=order&amount=sum";
    let other = "the row is in MDL, and the payment in EUR";
    // The cell says lei, or nothing does and there are payments of both.
    for sum in ["\"77,00 lei\"", "77"] {
        let api = of_two_currencies().await;
        let seen = settle(&api, by_order, &format!("order,sum\nE,{sum}\nL,{sum}\n")).await;
        assert_eq!(ids(&seen["matched"]), ["PL"], "{sum}: {seen}");
        assert_eq!(differences(&seen["not_recorded"]), ["other-currency"]);
        assert_eq!(details(&seen["not_recorded"]), [other]);
        assert_eq!(ids(&seen["not_settled"]), ["PE"]);
        assert_eq!(settlement(&api, "PE").await, Value::Null);
    }
    // By the parameter, and by a column.
    for (query, statement) in [
        ("&currency=EUR", "order,sum\nE,77\nL,77\n"),
        ("&currency=valuta", "order,sum,valuta\nE,77,eur\nL,77,EUR\n"),
    ] {
        let api = of_two_currencies().await;
        let seen = settle(&api, &format!("{by_order}{query}"), statement).await;
        assert_eq!(ids(&seen["matched"]), ["PE"], "{query}: {seen}");
        assert_eq!(
            details(&seen["not_recorded"]),
            ["the row is in EUR, and the payment in MDL"]
        );
    }
    // By PaymentID, alone and with another one.
    let api = of_two_currencies().await;
    let seen = settle(&api, "payment_id=id&amount=sum", "id,sum\nPE,77\n").await;
    assert_eq!(differences(&seen["differing"]), ["other-currency"]);
    assert_eq!(details(&seen["differing"]), [other]);
    assert_eq!(ids(&seen["not_settled"]), ["PE", "PL"]);
    let seen = settle(&api, "text=text&amount=sum", "text,sum\nplata PE PL,154\n").await;
    assert_eq!(differences(&seen["not_recorded"]), ["other-currency"]);
    let euros = "payment_id=id&amount=sum&currency=EUR";
    let seen = settle(&api, euros, "id,sum\nPE,77\n").await;
    assert_eq!(ids(&seen["matched"]), ["PE"]);
    // The sum of a day has the payments of one currency.
    for (query, sum, found) in [
        ("", "77", ["PL"].as_slice()),
        ("&currency=EUR", "77", &["PE"]),
        ("", "154", &[]),
    ] {
        let api = of_two_currencies().await;
        let statement = format!("on,sum\n2026-06-01,{sum}\n");
        let seen = settle(&api, &format!("date=on&amount=sum{query}"), &statement).await;
        assert_eq!(ids(&seen["matched"]), found, "{query} {sum}: {seen}");
    }
    // Where all payments are in euros, a statement that says nothing is too.
    let api = Api::new();
    pay(&api.memory, ("PE", "TAX", "E"), "EUR", &[("77", Some(A))]).await;
    let seen = settle(&api, by_order, "order,sum\nE,77\n").await;
    assert_eq!(ids(&seen["matched"]), ["PE"]);
    let seen = settle(&api, by_order, "order,sum\nE,77 lei\n").await;
    assert_eq!(differences(&seen["not_recorded"]), ["other-currency"]);
    // What contradicts itself, and what is no currency, is an error of the row.
    for (query, statement, said) in [
        (
            "&currency=EUR",
            "order,sum\nE,77 lei\n",
            "is in lei, and the currency is EUR",
        ),
        (
            "&currency=valuta",
            "order,sum,valuta\nE,77,euro\n",
            "currency code",
        ),
    ] {
        let seen = settle(&api, &format!("{by_order}{query}"), statement).await;
        let errors = seen["errors"][0]["errors"].to_string();
        assert!(errors.contains(said), "{query}: {seen}");
    }
}

/// Enters a payment of 10 of the order `1` by hand.
async fn enter(api: &Api, id: &str) {
    let proposal = json!({
        "payment_id": id, "service_id": "TAX", "order_key": "1", "amount": "10",
        "paid_at": "2026-05-31", "note": "In the statement",
        "lines": [{"line_id": "1", "amount": "10"}]
    });
    let media_type = "application/json";
    let proposed = api.call("POST", "payments/manual", media_type, proposal.to_string());
    let proposed = proposed.await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    approve(api, &proposed.json()).await;
}

async fn approve(api: &Api, proposal: &Value) {
    let address = format!("payments/manual/{}/approve", proposal["id"]);
    let other = api.by("other");
    let approved = other.call("POST", &address, "application/json", "").await;
    assert_eq!(approved.status, 200, "{}", approved.text);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_showed_a_payment_which_was_voided_shows_another() {
    let api = Api::new();
    register(&api.memory, "1", "1000").await.unwrap();
    enter(&api, "M1").await;
    let query = "order_key=order&amount=sum&date=on";
    let statement = "order,sum,on\n1,10,1.6\n";
    let seen = settle(&api, query, statement).await;
    assert_eq!(ids(&seen["matched"]), ["M1"], "{seen}");
    let voided = api
        .call(
            "POST",
            "payments/M1/void",
            "application/json",
            r#"{"note": "n"}"#,
        )
        .await;
    assert_eq!(voided.status, 201, "{}", voided.text);
    approve(&api, &voided.json()).await;
    let none = settle(&api, query, statement).await;
    assert_eq!(differences(&none["not_recorded"]), ["unknown-order"]);
    enter(&api, "M2").await;
    let seen = settle(&api, query, statement).await;
    assert_eq!(ids(&seen["matched"]), ["M2"], "{seen}");
    assert!(settlement(&api, "M2").await.is_u64());
    let again = async || {
        let again = settle(&api, query, statement).await;
        assert_eq!(
            (ids(&again["matched"]), &again["settlement"]),
            (vec!["M2"], &Value::Null)
        );
    };
    again().await;
    // A late write of the first statement puts its mark over that of the second.
    let keys = api.memory.keys_with("M2").into_iter();
    let shown: Vec<_> = keys.filter(|key| key.starts_with("shown/")).collect();
    assert_eq!(shown.len(), 1);
    api.memory.overwrite(&shown[0], b"M1".to_vec());
    again().await;
}

#[tokio::test(start_paused = true)]
async fn sums_of_a_day_for_each_account_take_the_lines_of_a_payment() {
    let api = Api::new();
    register(&api.memory, "1", "1000").await.unwrap();
    let lines = [("30", Some(A)), ("70", Some(B))];
    pay(&api.memory, ("P", "TAX", "1"), "MDL", &lines).await;
    let query = "date=on&account=to&amount=sum";
    let row = |account: &str, sum: u32| format!("2026-06-01,{account},{sum}\n");
    let statement = format!("on,to,sum\n{}{}", row(A, 30), row(B, 70));
    for is_new in [true, false] {
        let seen = settle(&api, query, &statement).await;
        assert_eq!(ids(&seen["matched"]), ["P", "P"], "{seen}");
        let shown = [&seen["matched"][0]["shown"], &seen["matched"][1]["shown"]];
        assert_eq!(shown, ["30.00", "70.00"]);
        for list in ["differing", "not_recorded", "not_settled"] {
            assert_eq!(seen[list], json!([]), "{list}");
        }
        assert_eq!(seen["settlement"].is_u64(), is_new);
    }
    assert!(settlement(&api, "P").await.is_u64());
    // One of them is a part, and the same account has no second sum.
    let api = Api::new();
    register(&api.memory, "1", "1000").await.unwrap();
    pay(&api.memory, ("P", "TAX", "1"), "MDL", &lines).await;
    let statement = format!("on,to,sum\n{}{}", row(A, 30), row(A, 30));
    let seen = settle(&api, query, &statement).await;
    assert_eq!(differences(&seen["differing"]), ["part"], "{seen}");
    assert_eq!(differences(&seen["not_recorded"]), ["other-sum"]);
}

#[tokio::test(start_paused = true)]
async fn an_order_number_is_read_as_payers_and_clerks_write_it() {
    let api = Api::new();
    pay(&api.memory, ("P", "TAX", "AC-77"), "MDL", &[("5", None)]).await;
    let query = "order_key=order&amount=sum";
    // A reversal too, and a row that is one too many.
    let statement = "order,sum\nAC-77,5\nac -77,5\nac-77,-5\n";
    let seen = settle(&api, query, statement).await;
    assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
    assert_eq!(rows(&seen["netted"]), [3]);
    let seen = settle(&api, query, "order,sum\nac–\u{a0}77,5\nx,1\n").await;
    assert_eq!(seen["not_recorded"][0]["shown_by_others"], json!(["P"]));
}

#[tokio::test(start_paused = true)]
async fn an_order_number_that_two_services_have_is_said_and_decided_by_the_caller() {
    let paid = async || {
        let api = Api::new();
        pay(&api.memory, ("P", "TAX", "100"), "MDL", &[("5", None)]).await;
        pay(&api.memory, ("Q", "FEE", "100"), "MDL", &[("5", None)]).await;
        api
    };
    let api = paid().await;
    let query = "order_key=order&amount=sum";
    let seen = settle(&api, query, "order,sum\n100,5\n").await;
    assert_eq!(differences(&seen["not_recorded"]), ["several-services"]);
    assert_eq!(
        details(&seen["not_recorded"]),
        ["orders of several services fit: FEE, TAX"]
    );
    assert_eq!(seen["settlement"], Value::Null);
    for (service, found) in [("FEE", "Q"), ("TAX", "P")] {
        let query = format!("{query}&service_id={service}");
        let seen = settle(&paid().await, &query, "order,sum\n100,5\n").await;
        assert_eq!(ids(&seen["matched"]), [found], "{seen}");
    }
    let other = settle(
        &api,
        &format!("{query}&service_id=NONE"),
        "order,sum\n100,5\n",
    )
    .await;
    assert_eq!(differences(&other["not_recorded"]), ["unknown-order"]);
}

#[tokio::test(start_paused = true)]
async fn a_part_for_which_there_is_no_room_is_said_and_not_kept() {
    let api = one("1000").await;
    let most = MOST_PARTS as usize;
    let rows = |numbers: std::ops::Range<usize>| -> String {
        let rows = numbers.map(|number| format!("P,2,1.6.2026,{number}\n"));
        format!("id,sum,on,n\n{}", rows.collect::<String>())
    };
    let seen = settle(&api, BY_ID, &rows(0..most)).await;
    assert_eq!(differences(&seen["differing"]), ["part"], "{seen}");
    let shown = 2 * most;
    for _ in 0..2 {
        let seen = settle(&api, BY_ID, &rows(most..most + 1)).await;
        assert_eq!(
            differences(&seen["differing"]),
            ["too-many-parts"],
            "{seen}"
        );
        assert_eq!(
            details(&seen["differing"]),
            [format!(
                "{shown}.00 of 1000.00 is shown in as many parts as are kept, {most}; this part is not kept"
            )]
        );
        assert_eq!(seen["settlement"], Value::Null);
    }
    // What was kept is known, and the whole rest settles the payment.
    let seen = settle(&api, BY_ID, &rows(0..most)).await;
    assert_eq!(differences(&seen["differing"]), ["part"]);
    let rest = format!("id,sum,on,n\nP,{},9.6.2026,x\n", 1000 - shown);
    let seen = settle(&api, BY_ID, &rest).await;
    assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
    // A refund for which there is no room is not matched, since it would be found again and again.
    let api = Api::new();
    register(&api.memory, "1", "1000").await.unwrap();
    record_card(&api.memory, "P", "1", "1000").await.unwrap();
    settle(&api, BY_ID, &rows(0..most)).await;
    refund(&api.memory, "P", "997").await.unwrap();
    let seen = settle(&api, BY_ID, "id,sum,on\nP,-3,9.6.2026\n").await;
    assert_eq!(
        differences(&seen["differing"]),
        ["too-many-parts"],
        "{seen}"
    );
    assert_eq!(ids(&seen["matched"]), [""; 0]);
    assert_eq!(seen["settlement"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_may_be_a_payment_and_is_not_passed_by() {
    let api = one("10").await;
    for id in ["Q", "R"] {
        record(&api.memory, id, "1", "10").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let key = "journal/3";
    let kept = api.memory.value(key).unwrap();
    let (query, statement) = ("payment_id=id&amount=sum", "id,sum\nP,10\n");
    for damage in [
        &b"{"[..],
        br#"{"v":9,"at":"2026-06-01T09:00:00Z","entry":{}}"#,
    ] {
        api.memory.overwrite(key, damage.to_vec());
        let seen = settle(&api, query, statement).await;
        assert_eq!(
            (&seen["complete"], &seen["unreadable"]),
            (&json!(false), &json!(1)),
            "{seen}"
        );
        let address = format!("{PERIOD}&{query}&format=csv");
        let table = api.call("POST", &address, "text/csv", statement).await;
        let said =
            "not complete: 1 of the entries of the period cannot be read, and may be a payment";
        assert!(table.text.contains(said), "{}", table.text);
    }
    api.memory.overwrite(key, kept.to_vec());
    let seen = settle(&api, query, statement).await;
    assert_eq!(
        (&seen["complete"], seen.get("unreadable")),
        (&json!(true), None)
    );
}
