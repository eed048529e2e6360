//! Tests of statements in the forms in which they are sent.

mod again;
mod money;
mod refunds;

use std::time::Duration;

use serde_json::{Value, json};

use super::{super::testing::Api, *};
use crate::store::{
    memory::Fault,
    testing::{record, register},
};

const PERIOD: &str = "settlement?from=2026-06-01&to=2026-06-30";

async fn settle(api: &Api, query: &str, statement: &str) -> Value {
    let answer = api
        .call("POST", &format!("{PERIOD}&{query}"), "text/csv", statement)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn differences(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|known| known["difference"].as_str().unwrap_or("-"))
        .collect()
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|known| known["payment_id"].as_str().unwrap_or("-"))
        .collect()
}

/// Payments P and Q are recorded in the period, A before it and Z after it.
async fn recorded() -> Api {
    let api = Api::new();
    let day = 86_400;
    register(&api.memory, "1", "1000").await.unwrap();
    register(&api.memory, "2", "1000").await.unwrap();
    for (id, key, amount, before) in [
        ("P", "1", "10", 0),
        ("Q", "2", "20.50", 60),
        ("Z", "1", "5", 30 * day),
    ] {
        tokio::time::sleep(Duration::from_secs(before)).await;
        record(&api.memory, id, key, amount).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(day)).await;
    api
}

#[tokio::test(start_paused = true)]
async fn what_a_statement_shows_is_matched_by_its_payment_id() {
    let api = recorded().await;
    let query = "payment_id=id&order_key=order&amount=sum&date=on";
    let statement = "id;order;sum;on\n\nP;;4,00;1.6\nQ;2;20.5;\nP;;6;\nZ;;6;\nX;9;1;2.6\n";
    let seen = settle(&api, query, statement).await;
    assert_eq!(ids(&seen["matched"]), ["P", "Q"]);
    let of = |list: &str, position: usize, member: &str| seen[list][position][member].clone();
    assert_eq!(of("matched", 0, "rows"), json!([3, 5]));
    assert_eq!(of("matched", 0, "amount"), "10");
    assert_eq!(of("matched", 0, "shown"), Value::Null);
    assert_eq!(of("matched", 0, "recorded_at"), "2026-06-01T12:00:00+03:00");
    // A payment of another period is found as well.
    assert_eq!(ids(&seen["differing"]), ["Z"]);
    assert_eq!(of("differing", 0, "shown"), "6.00");
    assert_eq!(of("differing", 0, "amount"), "5");
    let x = json!({
        "rows": [7], "payment_id": "X", "order_key": "9", "amount": "1.00", "date": "2.6",
        "difference": "unknown-payment", "detail": "no payment of this PaymentID is recorded"
    });
    assert_eq!(seen["not_recorded"], json!([x]));
    assert_eq!(
        (ids(&seen["not_settled"]), &seen["errors"]),
        (vec![], &json!([]))
    );
    assert_eq!(seen["sha256"], sha256(statement.as_bytes()));
    let event = seen["settlement"].as_u64().unwrap();
    for (id, expected) in [("P", json!(event)), ("Z", Value::Null)] {
        let payment = api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["settlement"], expected, "{id}");
    }

    // The same statement again finds the same, and nothing is new.
    let again = settle(&api, query, statement).await;
    assert_eq!(
        (&again["matched"], &again["settlement"]),
        (&seen["matched"], &Value::Null)
    );
    // A payment that another statement showed is not missing in this one.
    let other = settle(&api, "payment_id=id&amount=sum", "id,sum\nZ,5\n").await;
    assert_eq!(
        (ids(&other["matched"]), ids(&other["not_settled"])),
        (vec!["Z"], vec![])
    );
    assert!(other["settlement"].is_u64());
}

#[tokio::test(start_paused = true)]
async fn what_no_statement_shows_is_named_if_it_is_of_the_period() {
    let api = recorded().await;
    let seen = settle(&api, "payment_id=id&amount=sum", "id,sum\nP,10.01\nZ,7\n").await;
    assert_eq!(ids(&seen["differing"]), ["P", "Z"]);
    assert_eq!(differences(&seen["differing"]), ["more", "more"]);
    assert_eq!(seen["differing"][0]["detail"], "0.01 more than was paid");
    assert_eq!(ids(&seen["not_settled"]), ["Q"]);
    assert_eq!(seen["not_settled"][0].get("rows"), None);
    assert_eq!(
        seen["settlement"],
        Value::Null,
        "what differs is not settled"
    );
    let none = settle(&api, "payment_id=id&amount=sum", "id,sum\n").await;
    assert_eq!(ids(&none["not_settled"]), ["P", "Q"]);
}

#[tokio::test(start_paused = true)]
async fn without_payment_ids_each_row_takes_one_payment_of_its_order_and_amount() {
    let api = recorded().await;
    record(&api.memory, "P2", "1", "10").await.unwrap();
    let period = "settlement?from=2026-06-01&to=2026-07-31&order_key=order&amount=sum";
    let statement = "order,sum\n1,10\n1,11\n1,10\n1,10\n2,10\n";
    let answer = api.call("POST", period, "text/csv", statement).await;
    let seen = answer.json();
    assert_eq!(ids(&seen["matched"]), ["P", "P2"]);
    assert_eq!(seen["matched"][1]["rows"], json!([4]));
    let rows: Vec<_> = seen["not_recorded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["rows"][0])
        .collect();
    assert_eq!(rows, [&json!(3), &json!(5), &json!(6)]);
    assert_eq!(ids(&seen["not_settled"]), ["Q", "Z"]);
    // A payment that a row names is not matched with a row that names none, even if that row comes first.
    let both = "payment_id=id&order_key=order&amount=sum";
    let seen = settle(&api, both, "id,order,sum\n,2,20.5\n,1,5\nQ,,20.5\nZ,,5\n").await;
    assert_eq!(ids(&seen["matched"]), ["Q", "Z"]);
    assert_eq!(seen["not_recorded"][0]["rows"], json!([2]));
    assert_eq!(seen["not_recorded"][1]["rows"], json!([3]));
    // A row that names a payment is matched with no other payment.
    let seen = settle(&api, both, "id,order,sum\nX,2,20.50\n").await;
    assert_eq!(
        (ids(&seen["matched"]), ids(&seen["not_recorded"])),
        (vec![], vec!["X"])
    );
}

/// Two payments of 5.00 on one order.
async fn alike() -> Api {
    let api = Api::new();
    register(&api.memory, "1", "1000").await.unwrap();
    for id in ["A", "B"] {
        record(&api.memory, id, "1", "5").await.unwrap();
    }
    api
}

fn rows(list: &Value) -> Vec<u64> {
    let list = list.as_array().unwrap().iter();
    list.map(|shown| shown["rows"][0].as_u64().unwrap())
        .collect()
}

/// The payments in the events about statements.
async fn named(api: &Api) -> Vec<String> {
    // A place that was taken and never written holds readers back for a minute.
    tokio::time::sleep(Duration::from_secs(61)).await;
    let events = api.get("events?limit=200").await.json();
    let events = events["events"].as_array().unwrap().iter();
    let named = events.filter_map(|event| event["payments"].as_array());
    let mut named: Vec<_> = named
        .flatten()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    named.sort();
    named
}

/// Three rows of 5.00 for two payments, each row in a statement of its own, for each way to tell the rows
/// apart.
#[tokio::test(start_paused = true)]
async fn each_row_of_all_statements_shows_one_payment_and_each_payment_is_shown_by_one() {
    let by_date = ["1.6", "2.6", "3.6"].map(|day| format!("order,sum,on\n1,5,{day}\n"));
    let by_number = ["7", "8", "9"].map(|n| format!("order,sum,on,n\n1,5,1.6,{n}\n"));
    // A row without a date and a name belongs to its file alone.
    let by_file = ["", "2,7\n", "3,7\n"].map(|more| format!("order,sum\n1,5\n{more}"));
    for (query, statements) in [
        ("order_key=order&amount=sum&date=on", by_date),
        ("order_key=order&amount=sum&date=on", by_number.clone()),
        ("order_key=order&amount=sum&date=on&reference=n", by_number),
        ("order_key=order&amount=sum", by_file),
    ] {
        let api = alike().await;
        let [first, second, third] = &statements;
        let seen = settle(&api, query, first).await;
        assert_eq!(ids(&seen["matched"]), ["A"], "{query}");
        assert_eq!(ids(&seen["not_settled"]), ["B"]);
        let seen = settle(&api, query, second).await;
        assert_eq!(ids(&seen["matched"]), ["B"], "{query}");
        assert_eq!(seen["not_settled"], json!([]));
        assert!(seen["settlement"].is_u64());
        let seen = settle(&api, query, third).await;
        assert_eq!(ids(&seen["matched"]), [""; 0], "{query}");
        assert_eq!(seen["not_recorded"][0]["rows"], json!([2]));
        assert_eq!(
            seen["not_recorded"][0]["shown_by_others"],
            json!(["A", "B"])
        );
        assert_eq!(seen["settlement"], Value::Null);
        // Each statement again finds what it found before, and changes nothing.
        for (statement, expected) in [(first, vec!["A"]), (second, vec!["B"]), (third, vec![])] {
            let again = settle(&api, query, statement).await;
            assert_eq!(
                (ids(&again["matched"]), &again["settlement"]),
                (expected, &Value::Null)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_overlaps_or_is_corrected_shows_the_same_rows() {
    let api = alike().await;
    let query = "order_key=order&amount=sum&date=on";
    let first = settle(&api, query, "order,sum,on\n1,5.00,1.6\n9,1,1.6\n").await;
    assert_eq!(ids(&first["matched"]), ["A"]);
    // The first row again, spelt otherwise, beside another row of the same day.
    let next = "order;sum;on\n8;3;2.6\n1;5,0;1.6\n1;5,0;1.6\n1;5,0;1.6\n";
    let next = settle(&api, query, next).await;
    assert_eq!(ids(&next["matched"]), ["A", "B"]);
    assert_eq!(
        (rows(&next["matched"]), rows(&next["not_recorded"])),
        (vec![3, 4], vec![2, 5])
    );
    // The balance differs between files, so the bank's number identifies the row.
    let api = alike().await;
    let query = "order_key=order&amount=sum&date=on&reference=n";
    for balance in ["100", "200"] {
        let statement = format!("n,order,sum,on,balance\nX7,1,5,1.6,{balance}\n");
        let seen = settle(&api, query, &statement).await;
        assert_eq!(ids(&seen["matched"]), ["A"]);
        assert_eq!(ids(&seen["not_settled"]), ["B"]);
    }
}

#[tokio::test(start_paused = true)]
async fn statements_at_the_same_time_show_each_payment_once() {
    for count in [2, 3, 8] {
        let api = alike().await;
        let statement = |day: usize| format!("order,sum,on\n1,5,{day}.6\n");
        let address = format!("{PERIOD}&order_key=order&amount=sum&date=on");
        let statements: Vec<_> = (1..=count).map(statement).collect();
        let calls = statements
            .iter()
            .map(|statement| api.call("POST", &address, "text/csv", statement));
        let mut shown = Vec::new();
        for (answer, statement) in futures::future::join_all(calls)
            .await
            .into_iter()
            .zip(&statements)
        {
            // A caller that could not wait repeats the call.
            let seen = match answer.status {
                200 => answer.json(),
                _ => {
                    assert_eq!(answer.status, 503, "{}", answer.text);
                    let query = "order_key=order&amount=sum&date=on";
                    settle(&api, query, statement).await
                }
            };
            shown.extend(ids(&seen["matched"]).into_iter().map(str::to_owned));
        }
        shown.sort();
        assert_eq!(shown, ["A", "B"]);
        assert_eq!(named(&api).await, ["A", "B"]);
    }
}

/// Wherever a call is cut off, the same statement again finishes it, and another statement takes nothing that
/// the first one showed.
#[tokio::test(start_paused = true)]
async fn an_import_that_broke_off_is_finished_by_the_next() {
    let query = "order_key=order&amount=sum&date=on";
    let (one, other) = ("order,sum,on\n1,5,1.6\n", "order,sum,on\n1,5,2.6\n");
    let mut whole = false;
    for position in 0.. {
        for fault in [Fault::Cut, Fault::CutAfter] {
            for again in [[one, other], [other, one]] {
                let api = alike().await;
                api.memory
                    .script(std::iter::repeat_n(Fault::None, position).chain([fault]));
                let begun = settle(&api, query, one);
                let begun = tokio::time::timeout(Duration::from_secs(5), begun).await;
                whole = begun.is_ok();
                api.memory.script([]);
                let mut matched = Vec::new();
                for statement in again {
                    let address = format!("{PERIOD}&{query}");
                    let seen = loop {
                        let answer = api.call("POST", &address, "text/csv", statement).await;
                        if answer.status == 200 {
                            break answer.json();
                        }
                        tokio::time::sleep(Duration::from_secs(7)).await;
                    };
                    matched.extend(ids(&seen["matched"]).into_iter().map(str::to_owned));
                }
                matched.sort();
                assert_eq!(matched, ["A", "B"], "{fault:?} at {position}");
                assert_eq!(named(&api).await, ["A", "B"], "{fault:?} at {position}");
                for id in ["A", "B"] {
                    let payment = api.get(&format!("payments/{id}")).await.json();
                    assert!(payment["settlement"].is_u64(), "{fault:?} at {position}");
                }
            }
        }
        if whole {
            assert!(position > 10, "{position}");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_read_are_named_with_all_that_is_wrong() {
    let api = recorded().await;
    let long = "p".repeat(37);
    let statement = format!("id,sum\n,5\n{long},x\nP,\nP,10\n");
    let seen = settle(&api, "payment_id=id&amount=sum", &statement).await;
    let errors: Vec<_> = seen["errors"].as_array().unwrap().iter().collect();
    let fields = |position: usize| -> Vec<_> {
        let errors = errors[position]["errors"].as_array().unwrap().iter();
        errors
            .map(|error| format!("{}: {}", error["field"], error["detail"]))
            .collect()
    };
    assert_eq!(
        errors.iter().map(|e| &e["row"]).collect::<Vec<_>>(),
        [2, 3, 4]
    );
    assert_eq!(fields(0), ["\"id\": \"is empty\""]);
    assert_eq!(fields(1).len(), 2);
    assert_eq!(fields(2), ["\"sum\": \"is empty\""]);
    assert_eq!(ids(&seen["matched"]), ["P"]);
    let by_order = settle(&api, "order_key=id&amount=sum", "id,sum\n,5\n").await;
    assert_eq!(by_order["errors"][0]["errors"][0]["field"], "id");
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_cannot_be_compared_is_refused_as_a_whole() {
    let api = Api::new();
    let table = "id,sum\nP,1\n";
    let rows = |count: usize| format!("id,sum\n{}", "P,1\n".repeat(count));
    for (address, body, status, said) in [
        (
            "settlement?from=2026-06-01&payment_id=id&amount=sum",
            table,
            400,
            "Give from and to",
        ),
        (
            "settlement?to=2026-06-01&payment_id=id&amount=sum",
            table,
            400,
            "Give from and to",
        ),
        (
            &format!("{PERIOD}&payment_id=id"),
            table,
            400,
            "Give from and to",
        ),
        (
            &format!("{PERIOD}&amount=sum"),
            table,
            400,
            "Give in payment_id",
        ),
        (
            &format!("{PERIOD}&payment_id=x&amount=sum"),
            table,
            422,
            "names the column x",
        ),
        (
            &format!("{PERIOD}&order_key=x&amount=sum"),
            table,
            422,
            "names the column x",
        ),
        (
            &format!("{PERIOD}&payment_id=id&amount=x"),
            table,
            422,
            "names the column x",
        ),
        (
            &format!("{PERIOD}&payment_id=id&amount=sum&date=x"),
            table,
            422,
            "names the column x",
        ),
        (
            &format!("{PERIOD}&payment_id=id&amount=sum"),
            &rows(2001),
            413,
            "2000 rows",
        ),
        (
            &format!("{PERIOD}&payment_id=id&amount=sum"),
            &rows(2000),
            200,
            "not_recorded",
        ),
    ] {
        let answer = api.call("POST", address, "text/csv", body).await;
        assert_eq!(answer.status, status, "{address}: {}", answer.text);
        assert!(answer.text.contains(said), "{address}: {}", answer.text);
    }
}

/// `s1-bank-preamble.csv` of `crates/tables/tests/files`.
#[tokio::test(start_paused = true)]
async fn a_statement_of_a_bank_is_read_below_its_preamble_with_its_commission() {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tables/tests/files/s1-bank-preamble.csv"
    );
    let statement = std::fs::read_to_string(sample).unwrap();
    let api = Api::new();
    register(&api.memory, "1", "2000").await.unwrap();
    record(&api.memory, "FS-1", "1", "1250.50").await.unwrap();
    let seen = settle(
        &api,
        "payment_id=document&text=detalii&amount=SUMA&date=data",
        &statement,
    )
    .await;
    assert_eq!(ids(&seen["matched"]), ["FS-1"], "{seen}");
    let matched = &seen["matched"][0];
    assert_eq!(
        (&matched["rows"], &matched["fee"]),
        (&json!([5, 6]), &json!("10.00"))
    );
    assert_eq!(seen["totals"], json!([7]));
    assert_eq!(seen["read_as"], "CSV with semicolons, in UTF-8");
    assert_eq!(
        (&seen["errors"], &seen["complete"]),
        (&json!([]), &json!(true))
    );
    // If nothing names a payment, a commission counts as a fee, and another row as the sum of a day: a row that
    // was seen before shows what it showed, a new one nothing.
    let seen = settle(&api, "text=detalii&amount=suma&date=data", &statement).await;
    assert_eq!(
        (&seen["fees"][0]["rows"], &seen["fees"][0]["amount"]),
        (&json!([6]), &json!("-10.00"))
    );
    assert_eq!(ids(&seen["matched"]), ["FS-1"], "{seen}");
    let other = statement.replace("250,50;Plata", "250,51;Plata");
    assert_ne!(other, statement);
    let seen = settle(&api, "text=detalii&amount=suma&date=data", &other).await;
    assert_eq!(differences(&seen["not_recorded"]), ["other-sum"], "{seen}");
    // If a column does not exist, the answer lists the columns that do.
    let address = format!("{PERIOD}&payment_id=PaymentID&amount=suma");
    let answer = api.call("POST", &address, "text/csv", &statement).await;
    assert_eq!(answer.status, 422);
    let said = "names the column PaymentID. The columns found are: Data, Document, Suma, Detalii.";
    assert!(answer.text.contains(said), "{}", answer.text);
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_found_within_a_text_and_several_in_one() {
    let api = recorded().await;
    let statement = "on;sum;text;more\n\
        1.6.2026;10;Plata MPay nr. P, abonat;\n\
        1.6.2026;25,50;Încasări: Q, Z;\n\
        2.6.2026;7;Plata MPay fără număr;\n";
    let query = "text=text&amount=sum&date=on";
    let seen = settle(&api, query, statement).await;
    assert_eq!(ids(&seen["matched"]), ["P"], "{seen}");
    assert_eq!(differences(&seen["differing"]), ["more"]);
    assert_eq!(differences(&seen["not_recorded"]), ["other-sum"]);
    // The same texts in the column of PaymentIDs, and in a period that has all of the named payments.
    let address = "settlement?from=2026-06-01&to=2026-07-31&payment_id=text&amount=sum&date=on";
    let answer = api
        .call("POST", address, "text/csv", &statement)
        .await
        .json();
    assert_eq!(ids(&answer["matched"]), ["P", "Q", "Z"], "{answer}");
    assert_eq!(answer["matched"][1]["detail"], "part of a sum of 25.50");
    assert_eq!(answer["matched"][2]["rows"], json!([3]));
    for id in ["P", "Q", "Z"] {
        let payment = api.get(&format!("payments/{id}")).await.json();
        assert!(payment["settlement"].is_u64(), "{id}");
    }
    let again = api
        .call("POST", address, "text/csv", &statement)
        .await
        .json();
    assert_eq!(
        (ids(&again["matched"]), &again["settlement"]),
        (vec!["P", "Q", "Z"], &Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_and_taken_back_is_as_if_it_were_not_shown() {
    let api = recorded().await;
    let query = "payment_id=id&order_key=order&amount=sum&date=on";
    let statement = "id;order;sum;on\nP;;10;1.6\nP;;-10;1.6\nQ;;20,50;1.6\nQ;;(20,50);1.6\nQ;;20,50;2.6\n\
        X;;5;1.6\nX;;-5;1.6\n;1;5;1.6\n;1;-5;2.6\n;2;-7;2.6\n";
    let seen = settle(&api, query, statement).await;
    assert_eq!(ids(&seen["matched"]), ["Q"], "{seen}");
    let rows: Vec<_> = seen["netted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["rows"].clone())
        .collect();
    assert_eq!(rows, [json!([2, 3]), json!([7, 8]), json!([9, 10])]);
    assert_eq!(
        (ids(&seen["not_settled"]), differences(&seen["not_settled"])),
        (vec!["P"], vec!["not-shown"])
    );
    assert_eq!(differences(&seen["not_recorded"]), ["reversal-of-nothing"]);
    // The statement takes back payments that another statement showed.
    let back = settle(&api, query, "id;order;sum;on\nQ;;-20,50;5.6\nP;;-10;5.6\n").await;
    assert_eq!(
        differences(&back["differing"]),
        ["taken-back", "taken-back"]
    );
    assert_eq!(back["settlement"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn fees_are_kept_back_by_a_column_or_by_a_rate() {
    for (query, statement, fees) in [
        // The amount is net or gross beside the fee, and the fee has a sign or none.
        (
            "payment_id=id&amount=sum&fee=fee",
            "id;sum;fee\nP;9,90;0,10\nQ;20,50;-0,20\n",
            ["0.10", "0.20"],
        ),
        (
            "order_key=id&amount=sum&fee=fee",
            "id;sum;fee\n1;9,90;0,10\n2;20,30;0,20\n",
            ["0.10", "0.20"],
        ),
        // One per cent of 20.50 is 0.205.
        (
            "payment_id=id&amount=sum&fee_rate=1",
            "id;sum\nP;9,90\nQ;20,29\n",
            ["0.10", "0.21"],
        ),
        (
            "payment_id=id&amount=sum&fee_rate=MD24AG000225100013104168:1",
            "id;sum\nP;9,90\nQ;20,29\n",
            ["0.10", "0.21"],
        ),
    ] {
        let api = recorded().await;
        let seen = settle(&api, query, statement).await;
        assert_eq!(ids(&seen["matched"]), ["P", "Q"], "{query}: {seen}");
        for (position, fee) in fees.into_iter().enumerate() {
            assert_eq!(seen["matched"][position]["fee"], fee, "{query}");
        }
    }
    let api = recorded().await;
    let seen = settle(
        &api,
        "payment_id=id&amount=sum&fee_rate=2",
        "id;sum\nP;9,90\n",
    )
    .await;
    assert_eq!(differences(&seen["differing"]), ["part"]);
    let answer = api
        .call(
            "POST",
            &format!("{PERIOD}&date=a&amount=b&fee_rate=x"),
            "text/csv",
            "a;b\n",
        )
        .await;
    assert_eq!(answer.status, 400);
}

#[tokio::test(start_paused = true)]
async fn one_row_for_a_day_and_account_is_the_sum_of_its_payments() {
    let api = recorded().await;
    let paid_at = api.get("payments/P").await.json()["paid_at"]
        .as_str()
        .unwrap()[..10]
        .to_owned();
    let account = "MD24 AG00 0225 1000 1310 4168";
    let query = "date=zi&account=cont&amount=suma";
    let statement = format!("zi;cont;suma\n{paid_at};{account};30,50\n");
    let seen = settle(&api, query, &statement).await;
    assert_eq!(ids(&seen["matched"]), ["P", "Q"], "{seen}");
    assert_eq!(
        (&seen["not_settled"], &seen["not_recorded"]),
        (&json!([]), &json!([]))
    );
    let again = settle(&api, query, &statement).await;
    assert_eq!(
        (ids(&again["matched"]), &again["settlement"]),
        (vec!["P", "Q"], &Value::Null)
    );
    // The sum is by the day of recording, without an account, and less a fee of one per cent.
    let api = recorded().await;
    let query = "date=zi&amount=suma&fee_rate=1";
    let seen = settle(&api, query, "zi;suma\n01.06.2026;30,19\n").await;
    assert_eq!(
        (ids(&seen["matched"]), &seen["matched"][0]["fee"]),
        (vec!["P", "Q"], &json!("0.31")),
        "{seen}"
    );
    // A sum, an account and a day that do not fit.
    let api = recorded().await;
    let statement =
        "zi;cont;suma\n01.06.2026;;30\n01.06.2026;MD80EX0900002374642125MD;30,50\nmâine;;1\n";
    let seen = settle(&api, "date=zi&account=cont&amount=suma", statement).await;
    assert_eq!(
        differences(&seen["not_recorded"]),
        ["other-sum", "other-sum"],
        "{seen}"
    );
    let detail = seen["not_recorded"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("30.50"), "{detail}");
    assert_eq!(seen["errors"][0]["errors"][0]["field"], "zi");
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_settled_in_parts_by_several_statements() {
    let api = recorded().await;
    let query = "payment_id=id&amount=sum&date=on";
    let statement = |sum: &str, day: u32| format!("id,sum,on\nQ,{sum},{day}.6.2026\n");
    let first = settle(&api, query, &statement("12", 2)).await;
    assert_eq!(differences(&first["differing"]), ["part"], "{first}");
    assert_eq!(
        first["differing"][0]["detail"],
        "12.00 of 20.50 is shown so far; 8.50 is left"
    );
    assert!(first["settlement"].is_u64());
    let settlement = async || api.get("payments/Q").await.json()["settlement"].clone();
    assert_eq!(settlement().await, Value::Null);
    // The same row again is the same part.
    let again = settle(&api, query, &statement("12", 2)).await;
    assert_eq!(
        (&again["settlement"], &again["differing"]),
        (&Value::Null, &first["differing"])
    );
    let left = settle(&api, query, "id,sum,on\n").await;
    let not_shown = left["not_settled"].as_array().unwrap().iter();
    let details: Vec<_> = not_shown
        .map(|known| known["detail"].as_str().unwrap())
        .collect();
    assert_eq!(
        details,
        ["no statement shows it", "no statement shows 8.50 of it"]
    );
    let second = settle(&api, query, &statement("3.50", 3)).await;
    assert_eq!(
        second["differing"][0]["detail"],
        "15.50 of 20.50 is shown so far; 5.00 is left"
    );
    let over = settle(&api, query, &statement("5.01", 4)).await;
    assert_eq!(differences(&over["differing"]), ["more"]);
    let last = settle(&api, query, &statement("5", 5)).await;
    assert_eq!(ids(&last["matched"]), ["Q"], "{last}");
    assert_eq!(
        last["matched"][0]["detail"],
        "the rest; statements before show 15.50 of it"
    );
    assert_eq!(settlement().await, last["settlement"]);
    // Each row again finds what it found before, and takes nothing else.
    for (sum, day) in [("12", 2), ("3.50", 3), ("5", 5)] {
        let again = settle(&api, query, &statement(sum, day)).await;
        assert_eq!(
            (ids(&again["matched"]), &again["settlement"]),
            (vec!["Q"], &Value::Null),
            "{sum}"
        );
    }
    let other = settle(&api, query, &statement("5", 9)).await;
    assert_eq!(differences(&other["differing"]), ["shown-before"]);
    let events = api.get("events?limit=200").await.json();
    let events = events["events"].as_array().unwrap().iter();
    let parts: Vec<_> = events
        .filter_map(|event| event["parts"].as_array())
        .flatten()
        .collect();
    let amounts: Vec<_> = parts
        .iter()
        .map(|part| part["amount"].as_str().unwrap())
        .collect();
    assert_eq!(amounts, ["12.00", "3.50"]);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_being_recorded_is_said_and_not_left_out_in_silence() {
    let api = Api::new();
    register(&api.memory, "1", "1000").await.unwrap();
    record(&api.memory, "P", "1", "10").await.unwrap();
    // A writer takes a place in the journal, and has not filled it yet.
    let mut held = false;
    for position in 0..12 {
        api.memory
            .script(std::iter::repeat_n(Fault::None, position).chain([Fault::Cut]));
        let id = format!("Q{position}");
        let late = record(&api.memory, &id, "1", "5");
        let _ = tokio::time::timeout(Duration::from_millis(10), late).await;
        api.memory.script([]);
        let seen = settle(&api, "payment_id=id&amount=sum", "id,sum\nP,10\n").await;
        assert_eq!(ids(&seen["matched"]), ["P"]);
        held |= seen["complete"] == false;
    }
    assert!(held);
    let address = format!("{PERIOD}&payment_id=id&amount=sum&format=csv");
    let answer = api
        .call("POST", &address, "text/csv", "id,sum\nP,10\n")
        .await;
    assert!(
        answer
            .text
            .contains("not complete: a payment is being recorded"),
        "{}",
        answer.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_comparison_is_a_table_too() {
    let api = recorded().await;
    let statement = "id;sum\nP;10\nQ;1\nX;2\n;3,x\nTotal;13\n";
    let address = format!("{PERIOD}&payment_id=id&amount=sum");
    let csv = api
        .call(
            "POST",
            &format!("{address}&format=csv"),
            "text/csv",
            statement,
        )
        .await;
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"settlement.csv\""
    );
    assert!(csv.lines()[0].starts_with("result;difference;detail;rows;payment_id;"));
    let rows = csv.table();
    let results: Vec<_> = rows.iter().map(|row| row["result"].as_str()).collect();
    assert_eq!(
        results,
        ["matched", "differing", "not_recorded", "error", "total"]
    );
    assert_eq!(
        (rows[1]["difference"].as_str(), rows[1]["shown"].as_str()),
        ("part", "1,00")
    );
    assert_eq!(rows[3]["rows"], "5");
    assert_eq!(
        rows[4]["detail"],
        "1 matched, 1 differing, 1 not_recorded, 1 error, 1 total; read as CSV with semicolons, in UTF-8"
    );
    let comma = api
        .call(
            "POST",
            &format!("{address}&format=csv&separator=comma"),
            "text/csv",
            statement,
        )
        .await;
    assert!(comma.lines()[0].starts_with("result,difference,"));
    let (status, media_type, workbook) = api
        .bytes(
            "POST",
            &format!("{address}&format=xlsx"),
            "text/csv",
            statement.as_bytes(),
        )
        .await;
    assert_eq!(
        (status, media_type.as_str()),
        (200, crate::api::table::XLSX)
    );
    let read = tables::Table::read(&workbook, &tables::Options::default()).unwrap();
    assert_eq!(read.rows().count(), 5);
}
