//! Tests of refunds in statements.

use std::collections::BTreeSet;

use super::*;
use crate::store::testing::{record_card, refund, refund_of_number};

/// The ids and amounts of a list. Each refund has an entry of its own.
fn amounts(list: &Value) -> Vec<(&str, &str)> {
    let list = list.as_array().unwrap().iter();
    list.map(|known| {
        let amount = known["amount"].as_str().unwrap();
        (known["payment_id"].as_str().unwrap_or("-"), amount)
    })
    .collect()
}

/// A payment of 33.00 by card, with a refund of 3.00.
async fn given_back() -> Api {
    let api = Api::new();
    register(&api.memory, "1", "33").await.unwrap();
    record_card(&api.memory, "C", "1", "33").await.unwrap();
    refund(&api.memory, "C", "30").await.unwrap();
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    api
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_is_an_amount_of_its_own() {
    let query = "payment_id=id&amount=sum&date=on";
    // By the reference number, by the id, and as the rest that the bank pays at once.
    for statement in [
        "id,sum,on\nRRN-C,33,1.6\nRRN-C,-3,1.6\n",
        "id,sum,on\nC,33,1.6\nC,-3,1.6\n",
        "id,sum,on\nC,-3,1.6\nC,33,1.6\n",
    ] {
        let api = given_back().await;
        let seen = settle(&api, query, statement).await;
        let mut matched = amounts(&seen["matched"]);
        matched.sort_unstable();
        assert_eq!(matched, [("C", "-3.00"), ("C", "33")], "{seen}");
        for list in ["differing", "not_recorded", "not_settled", "netted"] {
            assert_eq!(seen[list], json!([]), "{list}");
        }
        // The same statement again changes nothing.
        let again = settle(&api, query, statement).await;
        assert_eq!(
            (&again["matched"], &again["settlement"]),
            (&seen["matched"], &Value::Null)
        );
    }
    let api = given_back().await;
    for _ in 0..2 {
        let seen = settle(&api, query, "id,sum,on\nC,30,1.6\n").await;
        assert_eq!(amounts(&seen["matched"]), [("C", "33")]);
        let detail = &seen["matched"][0]["detail"];
        assert_eq!(detail, "less 3.00 that was given back");
        assert_eq!(seen["not_settled"], json!([]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_may_be_in_another_statement_or_in_none() {
    let query = "payment_id=id&amount=sum&date=on";
    let api = given_back().await;
    let none = settle(&api, query, "id,sum,on\n").await;
    assert_eq!(amounts(&none["not_settled"]), [("C", "33"), ("C", "-3.00")]);
    let first = settle(&api, query, "id,sum,on\nC,33,1.6\n").await;
    assert_eq!(amounts(&first["matched"]), [("C", "33")]);
    assert_eq!(amounts(&first["not_settled"]), [("C", "-3.00")]);
    // An unknown number names no payment; the answer tells what it may be about.
    let own = settle(&api, query, "id,sum,on\nRRN-9,-3,2.6\nRRN-8,-4,2.6\n").await;
    assert_eq!(ids(&own["not_recorded"]), ["RRN-9", "RRN-8"]);
    let detail = |position: usize| own["not_recorded"][position]["detail"].as_str().unwrap();
    assert!(
        detail(0).ends_with("so much was given back of C, and no row shows it"),
        "{own}"
    );
    assert!(!detail(1).contains("given back"), "{own}");
    assert_eq!(amounts(&own["not_settled"]), [("C", "-3.00")]);
    let second = settle(&api, query, "id,sum,on\nC,-3,2.6\n").await;
    assert_eq!(amounts(&second["matched"]), [("C", "-3.00")]);
    assert!(second["settlement"].is_u64());
    assert_eq!(
        (&second["differing"], &second["not_settled"]),
        (&json!([]), &json!([]))
    );
    // A further row with the refund is one too many, and is reported.
    let third = settle(&api, query, "id,sum,on\nC,-3,3.6\n").await;
    assert_eq!(differences(&third["differing"]), ["taken-back"]);
    // The refund is of a later period than the payment, and is named by its reference number.
    let api = given_back().await;
    tokio::time::sleep(Duration::from_secs(40 * 86_400)).await;
    refund(&api.memory, "C", "20").await.unwrap();
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let july = format!("settlement?from=2026-07-01&to=2026-07-31&{query}");
    let seen = api
        .call("POST", &july, "text/csv", "id,sum,on\nRRN-C,-10,12.7\n")
        .await
        .json();
    assert_eq!(amounts(&seen["matched"]), [("C", "-10.00")]);
    assert_eq!(seen["not_settled"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn what_the_bank_names_by_its_number_is_found_beside_the_period() {
    let query = "payment_id=id&amount=sum&date=on";
    for (days, is_found) in [(1, true), (30, true), (70, false)] {
        let api = given_back().await;
        refund_of_number(&api.memory, "C", "20", Some("RRN-9"))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(100 * 86_400)).await;
        let june = time::parse_date("2026-06-02").unwrap();
        let day = |days| time::days_after(june, days).unwrap();
        // After it, and before it.
        for (from, to) in [(day(days), day(days + 3)), (day(-4 - days), day(-2 - days))] {
            let address = format!("settlement?from={from}&to={to}&{query}");
            let rows = "id,sum,on\nRRN-C,33,1.6\nRRN-9,-10,2.6\n";
            let seen = api.call("POST", &address, "text/csv", rows).await.json();
            let mut known = amounts(&seen["matched"]);
            known.sort_unstable();
            let expected = [("C", "-10.00"), ("C", "33")];
            assert_eq!(known, if is_found { &expected[..] } else { &[] }, "{seen}");
            assert_eq!(
                seen["not_recorded"].as_array().unwrap().is_empty(),
                is_found
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_wholly_given_back_is_settled_with_its_refund() {
    let query = "payment_id=id&order_key=order&amount=sum";
    for statement in [
        "id,order,sum\nC,,33\nC,,-33\n",
        "id,order,sum\n,1,33\n,1,-33\n",
    ] {
        let api = Api::new();
        register(&api.memory, "1", "33").await.unwrap();
        record_card(&api.memory, "C", "1", "33").await.unwrap();
        refund(&api.memory, "C", "0").await.unwrap();
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        let seen = settle(&api, query, statement).await;
        let matched: BTreeSet<_> = amounts(&seen["matched"]).into_iter().collect();
        assert_eq!(matched, [("C", "-33.00"), ("C", "33")].into(), "{seen}");
        for list in ["differing", "not_recorded", "not_settled", "netted"] {
            assert_eq!(seen[list], json!([]), "{list}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sums_are_less_what_was_given_back_or_beside_it() {
    for (query, statement, matched) in [
        ("date=on&amount=sum", "on,sum\n01.06.2026,42\n", 3),
        (
            "date=on&amount=sum",
            "on,sum\n01.06.2026,45\n01.06.2026,-3\n",
            3,
        ),
        ("text=text&amount=sum", "text,sum\nplata C P,42\n", 3),
        ("text=text&amount=sum", "text,sum\nplata C P,45\n", 2),
        ("order_key=order&amount=sum", "order,sum\n1,30\n2,12\n", 2),
    ] {
        let api = Api::new();
        register(&api.memory, "1", "33").await.unwrap();
        register(&api.memory, "2", "12").await.unwrap();
        record_card(&api.memory, "C", "1", "33").await.unwrap();
        record(&api.memory, "P", "2", "12").await.unwrap();
        refund(&api.memory, "C", "30").await.unwrap();
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        let (head, rows) = statement.split_once('\n').unwrap();
        let rows: String = rows.lines().map(|row| format!("{row},9\n")).collect();
        // A row of a day with other cells is another row.
        let other = format!("{head},balance\n{rows}");
        let other = if query.contains("date=on") {
            other.as_str()
        } else {
            statement
        };
        for (is_same, statement) in [(true, statement), (true, statement), (false, other)] {
            let seen = settle(&api, query, statement).await;
            if !is_same && query.contains("date=on") {
                let differences = differences(&seen["not_recorded"]);
                assert!(
                    differences.iter().all(|kind| *kind == "shown-before"),
                    "{seen}"
                );
                assert_eq!(
                    (amounts(&seen["matched"]), &seen["settlement"]),
                    (vec![], &Value::Null)
                );
                continue;
            }
            let found = amounts(&seen["matched"]);
            assert_eq!(found.len(), matched, "{statement}: {seen}");
            let open = if matched == 2 && statement.contains("45") {
                1
            } else {
                0
            };
            assert_eq!(
                seen["not_settled"].as_array().unwrap().len(),
                open,
                "{seen}"
            );
            assert_eq!(
                (&seen["differing"], &seen["not_recorded"]),
                (&json!([]), &json!([]))
            );
        }
    }
}

/// A payment of 33.00 by card with these refunds, an hour apart: the amount that remained after each, and its
/// number.
async fn given_back_as(refunds: &[(&str, Option<&str>)]) -> Api {
    let api = Api::new();
    register(&api.memory, "1", "33").await.unwrap();
    record_card(&api.memory, "C", "1", "33").await.unwrap();
    for (remaining, number) in refunds {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        refund_of_number(&api.memory, "C", remaining, *number)
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    api
}

/// The matched refunds: the row, the amount, and the hour of the refund.
fn refunds_matched(seen: &Value) -> Vec<(u64, &str, &str)> {
    let matched = seen["matched"].as_array().unwrap().iter();
    let refunds = matched.filter(|known| known["amount"].as_str().unwrap().starts_with('-'));
    refunds
        .map(|known| {
            let hour = &known["recorded_at"].as_str().unwrap()[11..13];
            let amount = known["amount"].as_str().unwrap();
            (known["rows"][0].as_u64().unwrap(), amount, hour)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_number_of_a_refund_decides_which_it_is_over_its_amount() {
    let query = "payment_id=id&amount=sum&date=on";
    let refunds = [("28", Some("BACK1")), ("23", Some("BACK2")), ("20", None)];
    // Two refunds of one amount, in several statements, each of which is sent twice.
    let api = given_back_as(&refunds).await;
    for again in [false, true] {
        for (row, hour) in [
            ("BACK2,-5,2.6", "14"),
            ("BACK1,-5,3.6", "13"),
            ("C,-3,3.6", "15"),
        ] {
            let seen = settle(&api, query, &format!("id,sum,on\n{row}\n")).await;
            let amount = format!("{}.00", row.split(',').nth(1).unwrap());
            assert_eq!(
                refunds_matched(&seen),
                [(2, &*amount, hour)],
                "{row}: {seen}"
            );
            assert_eq!(seen["settlement"].is_null(), again, "{row}: {seen}");
            assert_eq!(differences(&seen["differing"]), [""; 0], "{row}");
        }
    }
    // In one statement, in any order: a row without a number takes no refund that another row names.
    for rows in [
        "C,-5,2.6\nBACK1,-5,2.6\n",
        "BACK1,-5,2.6\nC,-5,2.6\n",
        "C,-5,2.6\nRRN-C BACK1,-5,2.6\n",
    ] {
        let api = given_back_as(&refunds).await;
        let seen = settle(&api, query, &format!("id,sum,on\n{rows}")).await;
        let mut matched = refunds_matched(&seen);
        matched.sort_by_key(|(row, ..)| *row);
        let by_id = if rows.starts_with('C') { 0 } else { 1 };
        let mut hours = ["13", "13"];
        hours[by_id] = "14";
        let expected = [(2, "-5.00", hours[0]), (3, "-5.00", hours[1])];
        assert_eq!(matched, expected, "{rows}: {seen}");
        assert_eq!(amounts(&seen["not_settled"]), [("C", "33"), ("C", "-3.00")]);
    }
    // The same in two statements, one after the other.
    let api = given_back_as(&[("28", Some("BACK1")), ("23", None)]).await;
    for (row, hour) in [("C,-5,2.6", "14"), ("BACK1,-5,3.6", "13")] {
        let seen = settle(&api, query, &format!("id,sum,on\n{row}\n")).await;
        assert_eq!(
            refunds_matched(&seen),
            [(2, "-5.00", hour)],
            "{row}: {seen}"
        );
    }
    // By the order, with the number in a text.
    let api = given_back_as(&refunds).await;
    let seen = settle(
        &api,
        "order_key=order&text=text&amount=sum&date=on",
        "order,text,sum,on\n1,rambursare,-5,2.6\n1,ref BACK1,-5,2.6\n",
    )
    .await;
    let mut matched = refunds_matched(&seen);
    matched.sort_by_key(|(row, ..)| *row);
    assert_eq!(matched, [(2, "-5.00", "14"), (3, "-5.00", "13")], "{seen}");
    // A bank may name a refund by the payment's number, whatever number the gateway reports.
    for (row, amount, hour) in [
        ("RRN-C,-5,2.6", "-5.00", "13"),
        ("RRN-C,-3,2.6", "-3.00", "15"),
        ("RRN-C,-13,2.6", "-13.00", "15"),
    ] {
        let api = given_back_as(&refunds).await;
        let seen = settle(&api, query, &format!("id,sum,on\n{row}\n")).await;
        assert_eq!(refunds_matched(&seen), [(2, amount, hour)], "{row}: {seen}");
    }
    // A row takes no refund with another number and amount.
    for row in ["BACK1,-3,2.6", "BACK2,-10,2.6"] {
        let api = given_back_as(&refunds).await;
        let seen = settle(&api, query, &format!("id,sum,on\n{row}\n")).await;
        assert_eq!(refunds_matched(&seen), [], "{row}: {seen}");
        assert_eq!(differences(&seen["differing"]), ["taken-back"], "{row}");
    }
    // An unknown number matches no refund with a known number.
    let api = given_back_as(&refunds).await;
    let seen = settle(&api, query, "id,sum,on\nBACK9,-5,2.6\nBACK8,-3,2.6\n").await;
    let detail = |position: usize| seen["not_recorded"][position]["detail"].as_str().unwrap();
    let mut details = [detail(0), detail(1)].map(|text| text.contains("given back of C"));
    details.sort_unstable();
    assert_eq!(details, [false, true], "{seen}");
}

/// Of two refunds of one amount, a row without a number may show either. A later row names the number of that
/// refund: then both are shown, and a third row is one too many.
#[tokio::test(start_paused = true)]
async fn a_row_that_names_the_number_of_a_refund_takes_it_from_one_that_shows_its_amount() {
    let query = "payment_id=id&amount=sum&date=on";
    let refunds = [("28", Some("BACK1")), ("23", Some("BACK2"))];
    for (number, hours) in [("BACK1", ["13", "14"]), ("BACK2", ["14", "13"])] {
        for is_named_first in [false, true] {
            let api = given_back_as(&refunds).await;
            let named = format!("id,sum,on\n{number},-5,3.6\n");
            let mut statements = vec!["id,sum,on\nC,-5,2.6\n", &*named];
            if is_named_first {
                statements.reverse();
            }
            // The second time, each row is recognised in its final state.
            for again in [false, true] {
                for statement in &statements {
                    let seen = settle(&api, query, statement).await;
                    let context = format!("{statement}: {seen}");
                    let matched = refunds_matched(&seen);
                    assert_eq!(matched.len(), 1, "{context}");
                    let is_known = again || is_named_first || *statement == named;
                    let hour = hours[usize::from(*statement != named)];
                    if is_known {
                        assert_eq!(matched, [(2, "-5.00", hour)], "{context}");
                    }
                    assert_eq!(seen["differing"], json!([]), "{context}");
                    assert_eq!(seen["settlement"].is_null(), again, "{context}");
                    let is_last = again || *statement == statements[1];
                    let open = if is_last { 1 } else { 2 };
                    let open_now = amounts(&seen["not_settled"]);
                    assert_eq!(open_now.len(), open, "{context}");
                }
            }
            // Both refunds are shown, so a further row for either is one too many.
            for row in ["C,-5,4.6", "BACK1,-5,4.6", "BACK2,-5,4.6"] {
                let seen = settle(&api, query, &format!("id,sum,on\n{row}\n")).await;
                assert_eq!(differences(&seen["differing"]), ["taken-back"], "{seen}");
                assert_eq!(seen["settlement"], Value::Null);
            }
        }
    }
    // The same if two rows are shown by their amounts alone, and a third refund is left.
    let refunds = [
        ("28", Some("BACK1")),
        ("23", Some("BACK2")),
        ("18", Some("BACK3")),
    ];
    let api = given_back_as(&refunds).await;
    for (row, hour) in [
        ("C,-5,2.6", "13"),
        ("C,-5,3.6", "14"),
        ("BACK1,-5,4.6", "13"),
        ("C,-5,3.6", "14"),
        ("C,-5,2.6", "15"),
    ] {
        let seen = settle(&api, query, &format!("id,sum,on\n{row}\n")).await;
        assert_eq!(
            refunds_matched(&seen),
            [(2, "-5.00", hour)],
            "{row}: {seen}"
        );
    }
    // In one statement: the row with the amount again, and the row with the number for the first time.
    let api = given_back_as(&refunds[..2]).await;
    settle(&api, query, "id,sum,on\nC,-5,2.6\n").await;
    let seen = settle(&api, query, "id,sum,on\nC,-5,2.6\nBACK1,-5,3.6\n").await;
    let mut matched = refunds_matched(&seen);
    matched.sort_by_key(|(row, ..)| *row);
    assert_eq!(matched, [(2, "-5.00", "14"), (3, "-5.00", "13")], "{seen}");
    assert_eq!(seen["differing"], json!([]), "{seen}");
    // The same for rows that name the order.
    let api = given_back_as(&refunds[..2]).await;
    let query = "order_key=order&text=text&amount=sum&date=on";
    for (row, hour) in [("rambursare,-5,2.6", "13"), ("ref BACK1,-5,3.6", "13")] {
        let seen = settle(&api, query, &format!("order,text,sum,on\n1,{row}\n")).await;
        assert_eq!(refunds_matched(&seen), [(2, "-5.00", hour)], "{seen}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_number_may_be_of_a_payment_and_its_refund_or_of_two_refunds() {
    let query = "payment_id=id&amount=sum&date=on";
    for rows in [
        "RRN-C,33,1.6\nRRN-C,-3,1.6\n",
        "RRN-C,-3,1.6\nRRN-C,33,1.6\n",
    ] {
        let api = given_back_as(&[("30", Some("RRN-C"))]).await;
        for _ in 0..2 {
            let seen = settle(&api, query, &format!("id,sum,on\n{rows}")).await;
            let mut matched = amounts(&seen["matched"]);
            matched.sort_unstable();
            assert_eq!(matched, [("C", "-3.00"), ("C", "33")], "{seen}");
            for list in ["differing", "not_recorded", "not_settled"] {
                assert_eq!(seen[list], json!([]), "{list}");
            }
        }
    }
    // Another refund of the same amount has no number: the one with the number is matched first.
    let api = given_back_as(&[("30", None), ("27", Some("RRN-C"))]).await;
    for (day, hour) in [(2, "14"), (3, "13")] {
        let seen = settle(&api, query, &format!("id,sum,on\nRRN-C,-3,{day}.6\n")).await;
        assert_eq!(refunds_matched(&seen), [(2, "-3.00", hour)], "{seen}");
    }
    // Two refunds with one number are matched by amount or by their sum, although a refund without a number has
    // that sum.
    let refunds = [("25", None), ("20", Some("BACK")), ("17", Some("BACK"))];
    for (rows, expected) in [
        (
            "BACK,-3,2.6\nBACK,-5,2.6\n",
            vec![(2, "-3.00", "15"), (3, "-5.00", "14")],
        ),
        ("BACK,-8,2.6\n", vec![(2, "-8.00", "15")]),
        ("BACK,-5,2.6\n", vec![(2, "-5.00", "14")]),
        ("C,-8,2.6\n", vec![(2, "-8.00", "13")]),
    ] {
        let api = given_back_as(&refunds).await;
        for _ in 0..2 {
            let seen = settle(&api, query, &format!("id,sum,on\n{rows}")).await;
            let mut matched = refunds_matched(&seen);
            matched.sort_by_key(|(row, ..)| *row);
            assert_eq!(matched, expected, "{rows}: {seen}");
        }
    }
}

/// Earlier versions stored only the amount of a refund that a statement shows.
#[tokio::test(start_paused = true)]
async fn a_refund_that_was_shown_before_its_name_was_kept_stays_shown() {
    let api = given_back_as(&[("28", Some("BACK1")), ("23", Some("BACK2"))]).await;
    let query = "payment_id=id&amount=sum&date=on";
    let first = settle(&api, query, "id,sum,on\nBACK1,-5,2.6\n").await;
    assert_eq!(refunds_matched(&first), [(2, "-5.00", "13")]);
    let mut keys = api.memory.keys_with("28.00").into_iter();
    let key = &keys.find(|key| key.starts_with("settled/")).unwrap();
    let kept = api.memory.value(key).unwrap();
    let mut kept: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!(
        kept.as_object_mut().unwrap().remove("refund"),
        Some(json!("28.00"))
    );
    api.memory.overwrite(key, kept.to_string().into_bytes());
    let again = settle(&api, query, "id,sum,on\nBACK1,-5,2.6\n").await;
    assert_eq!(
        (&again["matched"], &again["settlement"]),
        (&first["matched"], &Value::Null)
    );
    let second = settle(&api, query, "id,sum,on\nBACK2,-5,3.6\n").await;
    assert_eq!(refunds_matched(&second), [(2, "-5.00", "14")]);
}
