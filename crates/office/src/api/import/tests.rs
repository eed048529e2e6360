use serde_json::json;
use tables::{Table, Value};

use super::super::testing::{Answer, Api};
use crate::store::testing::record;

const HEAD: &str = "service_id,order_key,reason,line_id,line_reason,amount_due";

async fn import(api: &Api, media_type: &str, body: &str) -> Answer {
    api.call("POST", "orders/import", media_type, body).await
}

fn row(key: &str) -> String {
    format!("TAX,{key},Taxă,1,Taxă,5")
}

fn document(key: &str) -> serde_json::Value {
    json!({
        "service_id": "TAX", "order_key": key, "reason": "Taxă",
        "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "5"}]
    })
}

#[tokio::test(start_paused = true)]
async fn an_import_takes_five_hundred_orders_and_no_more() {
    let api = Api::new();
    for (count, status) in [(500, 200), (501, 413)] {
        let rows: Vec<_> = (0..count).map(|n| row(&n.to_string())).collect();
        let table = format!("{HEAD}\n{}", rows.join("\n"));
        let answer = import(&api, "text/csv", &table).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let found = api.get("orders/TAX/500").await;
    assert_eq!(found.status, 404, "nothing of it is registered");
}

#[tokio::test(start_paused = true)]
async fn a_row_without_a_status_leaves_the_order_the_one_it_was_given() {
    let api = Api::new();
    let mut cancelled = document("A");
    cancelled["status"] = json!("Cancelled");
    import(&api, "application/x-ndjson", &cancelled.to_string()).await;
    let answer = import(&api, "text/csv", &format!("{HEAD}\n{}", row("A"))).await;
    assert!(answer.text.contains(",unchanged,"), "{}", answer.text);
    let order = api.get("orders/TAX/A").await;
    assert_eq!(order.json()["status"], "Cancelled", "{}", order.text);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_follows_from_payments_is_not_set_and_said_where_it_differs() {
    let api = Api::new();
    let import = |key: &str, status: &str| {
        let table = format!("{HEAD},status\n{},{status}", row(key));
        let api = &api;
        async move { import(api, "text/csv", &table).await.text }
    };
    for (key, status, result, is_warned) in [
        ("A", "Active", "created", false),
        ("A", "Active", "unchanged", false),
        ("A", "Paid", "unchanged", true),
        ("B", "PartiallyPaid", "created", true),
        ("C", "Payed", "error", false),
    ] {
        let text = import(key, status).await;
        assert!(text.contains(&format!(",{result},")), "{text}");
        let warned = format!("is not set to {status}, which follows from payments");
        assert_eq!(text.contains(&warned), is_warned, "{text}");
    }
    for key in ["A", "B"] {
        let order = api.get(&format!("orders/TAX/{key}")).await;
        assert_eq!(order.json()["status"], "Active", "{}", order.text);
    }
}

/// Each line is treated like a `PUT` of its own.
#[tokio::test(start_paused = true)]
async fn a_line_may_be_what_the_api_answered_as_a_put_may() {
    let api = Api::new();
    let put = async |key: &str, document: &serde_json::Value| {
        let address = format!("orders/TAX/{key}");
        api.call("PUT", &address, "", document.to_string()).await
    };
    let line = async |document: &serde_json::Value, query: &str| {
        let address = format!("orders/import{query}");
        let answer = api
            .call(
                "POST",
                &address,
                "application/x-ndjson",
                document.to_string(),
            )
            .await;
        answer.json()
    };
    assert_eq!(put("A", &document("A")).await.status, 201);
    record(&api.memory, "P", "A", "2").await.unwrap();
    let answered = api.get("orders/TAX/A").await.json();
    assert_eq!(answered["status"], "PartiallyPaid");
    assert_eq!(put("A", &answered).await.status, 200);
    assert_eq!(line(&answered, "").await["result"], "unchanged");
    assert_eq!(
        line(&answered, "?dry_run=true").await["result"],
        "unchanged"
    );
    // The service may be named by the parameter.
    let mut nowhere = answered.clone();
    nowhere.as_object_mut().unwrap().remove("service_id");
    assert_eq!(line(&nowhere, "").await["result"], "error");
    assert_eq!(
        line(&nowhere, "?service_id=TAX").await["result"],
        "unchanged"
    );
    // A member that follows from others is named where it was changed, and a change of the rest is made.
    let mut wrong = answered.clone();
    wrong["amount_paid"] = json!("3.00");
    let refused = line(&wrong, "").await;
    assert_eq!(refused["result"], "error");
    assert_eq!(refused["errors"][0]["field"], "amount_paid", "{refused}");
    assert_eq!(put("A", &wrong).await.status, 422);
    let mut changed = answered.clone();
    changed["reason"] = json!("Altceva");
    assert_eq!(line(&changed, "").await["result"], "amended");
    // A status that was set stays or is set, and one that follows from payments is not.
    for (key, status) in [("B", "Active"), ("C", "Cancelled")] {
        assert_eq!(put(key, &document(key)).await.status, 201);
        let mut with_status = document(key);
        with_status["status"] = json!(status);
        let result = line(&with_status, "").await;
        assert_ne!(result["result"], "error", "{result}");
        let order = api.get(&format!("orders/TAX/{key}")).await.json();
        assert_eq!(order["status"], status);
    }
    // One line does not keep others from being read.
    let lines = format!("{wrong}\n{}\n{changed}\n{}", document("D"), "{}");
    let results = import(&api, "application/x-ndjson", &lines).await;
    let results: Vec<_> = results
        .lines()
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["result"].clone())
        .collect();
    assert_eq!(results, ["error", "created", "unchanged", "error"]);
}

#[tokio::test(start_paused = true)]
async fn of_rows_about_one_order_the_first_counts() {
    let api = Api::new();
    let rows = [row("A1"), row("B"), row(" a 1 "), row("A1"), row("b")].join("\n");
    let answer = import(
        &api,
        " TEXT/CSV ; charset=utf-8",
        &format!("{HEAD}\n\n{rows}"),
    )
    .await;
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"import.csv\""
    );
    let taken = "order_key is that of row";
    let or = "or one that payers would confuse with it";
    assert_eq!(
        answer.lines(),
        [
            "row,service_id,order_key,result,detail,warnings",
            "3,TAX,A1,created,,",
            "4,TAX,B,created,,",
            &format!("5,TAX,a 1,error,\"{taken} 3, {or}\","),
            &format!("6,TAX,A1,error,\"{taken} 3, {or}\","),
            &format!("7,TAX,b,error,\"{taken} 4, {or}\","),
            ",,,total,\"2 created (10.00 MDL), 3 error; read as CSV with commas, in UTF-8\",",
        ]
    );
    // In another service the same key names another order.
    let other = format!(
        "{HEAD}\n{}\n{}",
        row("A1"),
        row("A1").replace("TAX", "SCHOOL")
    );
    let answer = import(&api, "text/csv", &other).await;
    assert_eq!(
        answer.lines()[1..3],
        ["2,TAX,A1,unchanged,,", "3,SCHOOL,A1,created,,"]
    );
}

#[tokio::test(start_paused = true)]
async fn lines_are_answered_in_their_order_with_all_that_is_wrong() {
    let api = Api::new();
    let mut unserved = document("1");
    (unserved["service_id"], unserved["order_key"]) = ("NONE".into(), "".into());
    let mut nobodys = document("2");
    nobodys.as_object_mut().unwrap().remove("service_id");
    nobodys.as_object_mut().unwrap().remove("order_key");
    let mut doubtful = document("3");
    doubtful["customer_id"] = "2000000000003".into();
    let body = format!(
        "\u{FEFF}{doubtful}\r\n\r\n{unserved}\n{nobodys}\n \n{{\n{}",
        document("4")
    );
    let answer = import(&api, "application/x-ndjson", &body).await;
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"import.ndjson\""
    );
    let lines: Vec<serde_json::Value> = answer
        .lines()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let members = |member: &str| {
        lines
            .iter()
            .map(|line| line[member].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(members("row"), [1, 3, 4, 6, 7].map(serde_json::Value::from));
    let results = ["created", "error", "error", "error", "created"];
    assert_eq!(members("result"), results.map(serde_json::Value::from));
    assert_eq!(lines[0]["warnings"][0]["field"], "customer_id");
    let fields = |line: &serde_json::Value| -> Vec<serde_json::Value> {
        let errors = line["errors"].as_array().unwrap().iter();
        errors.map(|error| error["field"].clone()).collect()
    };
    for line in &lines[1..3] {
        assert_eq!(fields(line), ["service_id", "order_key"], "{line}");
    }
    assert_eq!(
        (&lines[1]["service_id"], &lines[1]["order_key"]),
        (&json!("NONE"), &json!(""))
    );
    assert_eq!(lines[2].get("service_id"), None);
    assert!(
        lines[1]["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("is not served here")
    );
}

const ACCOUNT: &str = "MD24AG000225100013104168,AGRNMD2X,1006601000255,Primaria Exemplu";

/// The samples in `crates/tables/tests/files`, imported as an institution's people would do it.
#[tokio::test(start_paused = true)]
async fn tables_from_the_field_are_read_or_refused_with_the_reason() {
    let sample = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tables/tests/files");
        let table = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        table.replace("DEMO", "TAX")
    };
    for (name, results) in [
        ("01-sep-line.csv", &[("created", "")][..]),
        (
            "05-scientific-key.csv",
            &[(
                "error",
                "order_key is 1.00012E+11: a spreadsheet has made a number of it",
            ); 2],
        ),
        ("09-bool-ro.csv", &[("created", "")]),
        ("13-date-dots.csv", &[("created", "")]),
        ("17-amount-comma.csv", &[("created", "")]),
        ("22-trailing-columns.csv", &[("created", "")]),
        (
            "27-lookalike.csv",
            &[
                ("created", ""),
                (
                    "error",
                    "order_key is that of row 2, or one that payers would confuse",
                ),
                ("created", ""),
                (
                    "error",
                    "order_key is that of row 4, or one that payers would confuse",
                ),
                ("created", ""),
            ],
        ),
    ] {
        let api = Api::new();
        let answer = import(&api, "text/csv", &sample(name)).await;
        let table = answer.table();
        assert_eq!(table.len(), results.len() + 1, "{name}: {}", answer.text);
        for (row, (result, detail)) in table.iter().zip(results) {
            assert_eq!(row["result"], *result, "{name}: {}", answer.text);
            assert!(row["detail"].starts_with(detail), "{name}: {}", answer.text);
        }
        let order = async |key: &str| api.get(&format!("orders/TAX/{key}")).await.json();
        match name {
            "09-bool-ro.csv" => {
                let order = order("F-09-bool-ro").await;
                assert_eq!(order["allow_partial_payments"], true);
                assert_eq!(order.get("allow_advance_payments"), None);
            }
            "13-date-dots.csv" => {
                let due = order("F-13-date-dots").await["due_date"].clone();
                assert!(due.as_str().unwrap().starts_with("2026-12-31"), "{due}");
            }
            "27-lookalike.csv" => {
                assert_eq!(order("Z-1").await["order_key"], "Z-1");
                assert_eq!(order("AC-77").await["amount_due"], "10.00");
            }
            "17-amount-comma.csv" => {
                assert_eq!(order("F-17-amount-comma").await["amount_due"], "1250.50");
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_in_the_tables_own_words_and_all_at_once() {
    let api = Api::new();
    let table =
        "Registrul taxelor\n\n Service_ID ;Order_KEY;Reason;Line_Id;Line_Reason;Sold\nx;;;;;\n";
    let answer = import(&api, "text/csv", table).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(
        answer.text.contains("Sold is no column of an order"),
        "{}",
        answer.text
    );

    let head = " Service_ID ,ORDER_KEY,Reason,Line_Id,Line_Reason,Amount  ,Due_Date,Allow_Partial_Payments,Bank_Account,Bank_Code,Bank_Fiscal_Code,Beneficiary_Name";
    let head = head.replace("Amount  ", "  Amount_DUE ");
    let table = format!(
        "Registrul\n\n{head}\nTAX,#REF!,,1,Taxă,1.250,12/31/2026,poate,MD24AG000225100013104169,AGRNMD2X,6601000255123,x\nTAX,A,Taxă,1,Taxă,\"-5,00\",,,{ACCOUNT},beyond\n,,,,,\"5,00\",,,,,,\n"
    );
    let answer = import(&api, "text/csv", &table).await;
    let rows = answer.table();
    let fields = |row: usize| -> Vec<String> {
        let details = rows[row]["detail"].split("; ");
        let names = details.map(|detail| detail.split(' ').next().unwrap().to_owned());
        names
            .filter(|name| name.contains('_') || name == "Reason" || name == "M")
            .collect()
    };
    assert_eq!(rows[0]["row"], "4");
    assert_eq!(
        fields(0),
        [
            "ORDER_KEY",
            "Reason",
            "Amount_DUE",
            "Due_Date",
            "Allow_Partial_Payments",
            "Bank_Account"
        ],
        "{}",
        answer.text
    );
    assert_eq!(fields(1), ["Amount_DUE", "M"], "{}", answer.text);
    // An amount that is not the sum of the rows above belongs to an order without a key.
    assert!(
        rows[2]["detail"].contains("ORDER_KEY is missing"),
        "{}",
        answer.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_trial_says_what_would_happen_and_writes_nothing() {
    let api = Api::new();
    import(
        &api,
        "text/csv",
        &format!("{HEAD}\n{}\n{}", row("A"), row("B")),
    )
    .await;
    let before = api.get("events").await.text;
    let table = format!(
        "{HEAD}\n{}\n{}\n{}\nTAX,D,,1,Taxă,5\nTAX,B,Taxă,1,Taxă,x",
        row("A"),
        row("B").replace(",5", ",6.50"),
        row("C")
    );
    let answer = api
        .call("POST", "orders/import?dry_run=true", "text/csv", &table)
        .await;
    let rows = answer.table();
    let results: Vec<_> = rows.iter().map(|row| row["result"].as_str()).collect();
    assert_eq!(
        results,
        ["unchanged", "amended", "created", "error", "error", "total"]
    );
    assert_eq!(
        rows[5]["detail"],
        "nothing is written: dry_run; 1 created (5.00 MDL), 1 amended (6.50 MDL), 1 unchanged (5.00 MDL), 2 error; read as CSV with commas, in UTF-8"
    );
    assert_eq!(api.get("events").await.text, before);
    // The import itself has the outcome that the trial showed.
    let answer = api
        .call("POST", "orders/import?dry_run=false", "text/csv", &table)
        .await;
    let made: Vec<_> = answer
        .table()
        .iter()
        .map(|row| row["result"].clone())
        .collect();
    assert_eq!(made, results);
    let lines = format!("{}\n", document("Z"));
    let answer = api
        .call(
            "POST",
            "orders/import?dry_run=true",
            "application/x-ndjson",
            &lines,
        )
        .await;
    assert_eq!(answer.json()["result"], "created");
    assert_eq!(api.get("orders/TAX/Z").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_written_as_the_table_was() {
    let api = Api::new();
    let bytes: Vec<u8> = [
        &b"order_key;service_id;reason;line_id;line_reason;amount_due\r\n"[..],
        b"A;TAX;\xCF\xEB\xE0\xF2\xE0 \xE7\xE0 \xF3\xF7\xB8\xE1\xF3;1;\xCA\xF3\xF0\xF1;1 250,50 lei\r\n;;;;;1250,50\r\n",
    ]
    .concat();
    let answer = api.call("POST", "orders/import", "text/csv", &bytes).await;
    assert_eq!(
        answer.lines(),
        [
            "row;service_id;order_key;result;detail;warnings",
            "2;TAX;A;created;;",
            "3;;;skipped;a row of totals;",
            ";;;total;\"1 created (1250.50 MDL), 1 skipped; read as CSV with semicolons, in windows-1251, found out from its letters\";",
        ]
    );
    let order = api.get("orders/TAX/A").await.json();
    assert_eq!(order["reason"], "Плата за учёбу");
    // A wrong encoding that the caller names, an encoding that does not fit, and an unknown one.
    for (encoding, status) in [("windows-1250", 200), ("utf-8", 400), ("koi8-r", 400)] {
        let address = format!("orders/import?encoding={encoding}&dry_run=true");
        let answer = api.call("POST", &address, "text/csv", &bytes).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }

    let mut sheet = tables::Sheet::new(
        tables::Format::Xlsx,
        &[
            ("order_key", Value::Text),
            ("reason", Value::Text),
            ("line_id", Value::Number),
            ("line_reason", Value::Text),
            ("amount_due", Value::Amount),
            ("service_id", Value::Text),
        ]
        .map(|(name, kind): (&str, Value)| (name, kind)),
    );
    sheet.row(&["000012", "Taxă", "1", "Taxă", "10.05", "TAX"]);
    let workbook = sheet.finish().unwrap();
    let answer = api
        .bytes("POST", "orders/import", super::table::XLSX, &workbook)
        .await;
    assert_eq!((answer.0, answer.1.as_str()), (200, super::table::XLSX));
    let read = Table::read(&answer.2, &tables::Options::default()).unwrap();
    let row = read.rows().next().unwrap();
    assert_eq!(row.cell("result").text().unwrap().unwrap(), "created");
    assert_eq!(
        api.get("orders/TAX/000012").await.json()["amount_due"],
        "10.05"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_list_of_orders_is_refused_as_a_whole() {
    let api = Api::new();
    for (media_type, body, status, said) in [
        ("application/json", "{}", 415, "text/csv"),
        ("text/csvx", "a", 415, "text/csv"),
        ("text/csv", "", 400, "The table is empty"),
        (
            "text/csv",
            "order_key,what",
            422,
            "is no column of an order",
        ),
        (
            "text/csv",
            "order_key,what,order_key",
            422,
            "has the column order_key twice",
        ),
        ("application/x-ndjson", "\u{0}", 200, "error"),
    ] {
        let answer = import(&api, media_type, body).await;
        assert_eq!(
            answer.status, status,
            "{media_type} {body:?}: {}",
            answer.text
        );
        assert!(
            answer.text.contains(said),
            "{media_type} {body:?}: {}",
            answer.text
        );
    }
    let answer = api
        .call("POST", "orders/import", "application/x-ndjson", b"\xff")
        .await;
    assert_eq!(answer.status, 400);
}

#[tokio::test(start_paused = true)]
async fn columns_that_are_called_otherwise_are_named_and_batches_are_of_one_file() {
    let api = Api::new();
    let columns = super::super::encode(
        r#"{"Nr": "order_key", "Suma": "amount_due", "Scop": "reason", "Obs": ""}"#,
    );
    let mut table = "Nr;Suma;Scop;Obs\n".to_owned();
    for n in 0..501 {
        table.push_str(&format!("N-{n};1;x;o\n"));
    }
    table.push_str("N-0;1;x;o\nN-700;mult;x;o\nTotal;503;;\n");
    let import = async |more: &str| {
        let address = format!("orders/import?service_id=TAX&columns={columns}{more}");
        api.call("POST", &address, "text/csv", &table).await
    };
    assert_eq!(import("").await.status, 413);
    for wrong in ["&batch=0", "&batch=x"] {
        assert_eq!(import(wrong).await.status, 400, "{wrong}");
    }
    let rows = import("&batch=1").await.table();
    assert_eq!(rows.len(), 501);
    assert_eq!(
        rows[500]["detail"].split("; ").next(),
        Some("500 created (500.00 MDL)")
    );
    let rows = import("&batch=2").await.table();
    let results: Vec<_> = rows.iter().map(|row| row["result"].as_str()).collect();
    assert_eq!(results, ["created", "error", "error", "skipped", "total"]);
    assert!(
        rows[1]["detail"].contains("is that of row 2"),
        "{}",
        rows[1]["detail"]
    );
    assert!(
        rows[2]["detail"].starts_with("Suma must be"),
        "{}",
        rows[2]["detail"]
    );
    let rows = import("&batch=3").await.table();
    assert_eq!(rows.len(), 1);
    let line = &api.get("orders/TAX/N-500").await.json()["lines"][0];
    assert_eq!(
        (&line["line_id"], &line["reason"]),
        (&"1".into(), &"x".into())
    );
    let wrong = api
        .call("POST", "orders/import?columns=x", "text/csv", "order_key\n")
        .await;
    assert_eq!(wrong.status, 400, "{}", wrong.text);
}
