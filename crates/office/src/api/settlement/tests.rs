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

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|known| known["payment_id"].as_str().unwrap_or("-"))
        .collect()
}

/// P and Q are recorded in the period; A before it, and Z after it.
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
    // Of another period, and found all the same.
    assert_eq!(ids(&seen["differing"]), ["Z"]);
    assert_eq!(of("differing", 0, "shown"), "6.00");
    assert_eq!(of("differing", 0, "amount"), "5");
    let x =
        json!({"rows": [7], "payment_id": "X", "order_key": "9", "amount": "1.00", "date": "2.6"});
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

    // Once more is found again, and nothing is new.
    let again = settle(&api, query, statement).await;
    assert_eq!(
        (&again["matched"], &again["settlement"]),
        (&seen["matched"], &Value::Null)
    );
    // What another statement has shown is not missing in this one.
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
    let seen = settle(&api, "payment_id=id&amount=sum", "id,sum\nP,9.99\nZ,1\n").await;
    assert_eq!(ids(&seen["differing"]), ["P", "Z"]);
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
    // What a row names is not for one that names nothing, though that comes first.
    let both = "payment_id=id&order_key=order&amount=sum";
    let seen = settle(&api, both, "id,order,sum\n,2,20.5\n,1,5\nQ,,20.5\nZ,,5\n").await;
    assert_eq!(ids(&seen["matched"]), ["Q", "Z"]);
    assert_eq!(seen["not_recorded"][0]["rows"], json!([2]));
    assert_eq!(seen["not_recorded"][1]["rows"], json!([3]));
    // A row that names a payment is about that payment alone.
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

/// The payments that events of statements name.
async fn named(api: &Api) -> Vec<String> {
    // What was taken and never written holds readers up for a minute.
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

/// Three rows of 5.00 for two payments, each in a statement of its own, by what tells them
/// apart.
#[tokio::test(start_paused = true)]
async fn each_row_of_all_statements_shows_one_payment_and_each_payment_is_shown_by_one() {
    let by_date = ["1.6", "2.6", "3.6"].map(|day| format!("order,sum,on\n1,5,{day}\n"));
    let by_number = ["7", "8", "9"].map(|n| format!("order,sum,on,n\n1,5,1.6,{n}\n"));
    // What has neither is a row of its file alone.
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
        // Each of them again finds what it has found before, and changes nothing.
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
    // The first again, written in another way, and beside it another of its day.
    let next = "order;sum;on\n8;3;2.6\n1;5,0;1.6\n1;5,0;1.6\n1;5,0;1.6\n";
    let next = settle(&api, query, next).await;
    assert_eq!(ids(&next["matched"]), ["A", "B"]);
    assert_eq!(
        (rows(&next["matched"]), rows(&next["not_recorded"])),
        (vec![3, 4], vec![2, 5])
    );
    // A balance is another in each file: the bank's number tells the row.
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
            // Who could not wait comes again.
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

/// Wherever a call is cut off, the same statement again finishes it, and another one takes
/// nothing of what it has shown.
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
