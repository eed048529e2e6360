use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mpay_host::{Fault, Observer};
use serde_json::{Value, json};

use crate::harness::*;

/// An answer as it is: status, `Link`, name of the file, text.
struct Text {
    status: u16,
    link: Option<String>,
    name: String,
    text: String,
}

impl Provider {
    fn text(&self, method: &str, path: &str, media_type: &str, body: &str) -> Text {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", media_type),
        ];
        let path = path.trim_start_matches("/api/");
        let mut response = self.http(method, &format!("api/{path}"), &headers, body.as_bytes());
        let header = |name| -> Option<String> {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        Text {
            status: response.status().as_u16(),
            link: header("link"),
            name: header("content-disposition").unwrap_or_default(),
            text: response.body_mut().read_to_string().unwrap(),
        }
    }

    fn import_csv(&self, table: &str) -> Vec<String> {
        let answer = self.text("POST", "orders/import", "text/csv; charset=utf-8", table);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let text = answer.text.strip_prefix('\u{FEFF}').unwrap();
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    fn import_lines(&self, lines: &str) -> Vec<Value> {
        let answer = self.text("POST", "orders/import", "application/x-ndjson", lines);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let lines = answer.text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn export(&self, query: &str) -> String {
        let answer = self.text("GET", &format!("orders/export?{query}"), "", "");
        assert_eq!((answer.status, answer.link), (200, None), "{}", answer.text);
        answer.text
    }
}

#[test]
fn a_table_is_imported_row_by_row() {
    let provider = Provider::start();
    let table = "service_id;order_key;reason;customer_name;line_id;line_reason;amount_due\r\n\
        TAX;1;Taxă;Ana;1;Taxă locală;10.50\r\n\
        TAX;2;Taxă;Ion;1;Taxă locală;1.250\r\n\
        TAX;1;Taxă;Ana;1;Taxă locală;99\r\n\
        OTHER;;Taxă;Ion;1;Taxă locală;5\r\n\
        SCHOOL;3;Școala;\"Popa; Ion\";1;Taxă;7\r\n";
    let results = provider.import_csv(table);
    assert_eq!(
        results,
        [
            "row;service_id;order_key;result;detail;warnings",
            "2;TAX;1;created;;",
            "3;TAX;2;error;\"amount_due could mean 1250.00 or 1.250; write two digits behind the point\";",
            "4;TAX;1;error;\"order_key is that of row 2, or one that payers would confuse with it\";",
            "5;OTHER;;error;\"service_id is not served here: the variables service_ids and services do not name it; order_key is missing\";",
            "6;SCHOOL;3;created;;",
            ";;;total;\"2 created (17.50 MDL), 3 error; read as CSV with semicolons, in UTF-8\";",
        ]
    );
    assert_eq!(provider.order("1")["amount_due"], "10.50");
    let school = provider.api("GET", "orders/SCHOOL/3", None).body;
    assert_eq!(school["customer_name"], "Popa; Ion");
    assert_eq!(provider.api("GET", "orders/TAX/2", None).status, 404);

    let again = provider.import_csv(table);
    assert_eq!(
        (again[1].as_str(), again[5].as_str()),
        ("2;TAX;1;unchanged;;", "6;SCHOOL;3;unchanged;;")
    );
    let corrected = provider.import_csv(&table.replace("1.250", "1,5").replace("10.50", "11"));
    assert_eq!(corrected[1], "2;TAX;1;amended;;");
    assert_eq!(corrected[2], "3;TAX;2;created;;");

    for (table, detail) in [
        ("", "is empty"),
        (
            "service_id,summa\nTAX,1\n",
            "The columns found are: service_id, summa.",
        ),
        ("order_key,order_key\n", "has the column order_key twice"),
        ("order_key,summa\n", "summa is no column of an order"),
    ] {
        let answer = provider.text("POST", "orders/import", "text/csv", table);
        assert!(
            matches!(answer.status, 400 | 422) && answer.text.contains(detail),
            "{}",
            answer.text
        );
    }
    let answer = provider.text("POST", "orders/import", "application/json", "{}");
    assert_eq!(answer.status, 415);
    let long = format!("order_key\n{}", "TAX\n".repeat(501));
    assert_eq!(
        provider
            .text("POST", "orders/import", "text/csv", &long)
            .status,
        413
    );
}

#[test]
fn documents_are_imported_line_by_line() {
    let provider = Provider::start();
    let mut right = order("10");
    (right["service_id"], right["order_key"]) = ("TAX".into(), "1".into());
    right["customer_id"] = "2000000000003".into();
    let mut wrong = right.clone();
    (wrong["order_key"], wrong["reason"], wrong["currency"]) = ("2".into(), "".into(), "x".into());
    let results = provider.import_lines(&format!("{right}\n\n{wrong}\n{{\n[]\n{{\"a\": 1}}\n"));
    let of = |member: &str| -> Vec<Value> {
        results
            .iter()
            .map(|result| result[member].clone())
            .collect()
    };
    assert_eq!(
        of("row"),
        [json!(1), json!(3), json!(4), json!(5), json!(6)]
    );
    let error = json!("error");
    assert_eq!(
        of("result"),
        [
            json!("created"),
            error.clone(),
            error.clone(),
            error.clone(),
            error
        ]
    );
    assert_eq!(results[0]["warnings"][0]["field"], "customer_id");
    assert_eq!(results[1]["errors"].as_array().unwrap().len(), 2);
    assert_eq!(results[1]["order_key"], "2");
    assert!(
        results[2]["detail"]
            .as_str()
            .unwrap()
            .contains("no document")
    );
    // A paid order is not amended, and the answer says so.
    let payment = confirmation("1", "P", "10");
    assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    right["lines"][0]["amount_due"] = "11".into();
    let results = provider.import_lines(&right.to_string());
    assert!(
        results[0]["detail"]
            .as_str()
            .unwrap()
            .contains("it is Paid"),
        "{results:?}"
    );
}

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let provider = Provider::start();
    let full = json!({
        "reason": {"ro": "Taxă", "ru": "Сбор"}, "currency": "EUR",
        "issued_at": "2026-11-01T09:00:00+02:00", "due_date": "2026-12-31",
        "customer_type": "Person", "customer_id": "2000000000004",
        "customer_name": "=HYPERLINK(\"http://x\")", "allow_partial_payments": true,
        "lines": [
            {"line_id": "a", "reason": "Unu", "amount_due": "100",
             "destination_account": {
                "bank_account": "MD24AG000225100013104168", "bank_code": "AGRNMD2X",
                "bank_fiscal_code": "1000000000007", "beneficiary_name": "Primăria"}},
            {"line_id": "b", "reason": "Doi, \"doi\"", "amount_due": "50.50"}
        ],
        "properties": [{"name": "Adresa", "display_name": "Adresa", "value": "-"}]
    });
    let mut one = full.clone();
    one["lines"] = json!([full["lines"][0].clone()]);
    one["lines"][0]["reason"] = json!({"ro": "'Unu", "en": "+One"});
    let mut refunded = order("10");
    refunded["customer_name"] = "'@x".into();
    let mut unknown = order("1");
    unknown["lines"][0]
        .as_object_mut()
        .unwrap()
        .remove("amount_due");
    unknown["allow_advance_payments"] = true.into();
    for (key, order) in [
        ("full", &full),
        ("one", &one),
        ("refunded", &refunded),
        ("unknown", &unknown),
    ] {
        provider.register(key, order.clone());
    }
    let payment = confirmation("refunded", "P", "10");
    assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    refunded["status"] = "Refunding".into();
    refunded["refund_reference"] = "-1".into();
    provider.register("refunded", refunded);
    provider.api("DELETE", "orders/TAX/one", None);

    let table = provider.export("format=csv");
    assert!(table.starts_with("\u{FEFF}service_id,order_key,status,"));
    assert!(table.lines().count() == table.matches("\r\n").count());
    assert!(
        table.contains(",\"'=HYPERLINK(\"\"http://x\"\")\","),
        "{table}"
    );
    for formula in [",=", ",+", ",-", ",@", "\"="] {
        assert!(!table.contains(formula), "{formula}: {table}");
    }
    assert!(table.contains("\nTAX,refunded,Refunding,"), "{table}");
    assert!(table.contains(",10.00,0.00,,"), "{table}");
    let versions = || {
        ["full", "one", "refunded", "unknown"].map(|key| {
            let answer = provider.api("GET", &format!("orders/TAX/{key}"), None);
            answer.headers["etag"].to_str().unwrap().to_owned()
        })
    };
    let before = versions();
    let semicolons = provider.export("separator=semicolon");
    assert!(semicolons.starts_with("\u{FEFF}service_id;order_key;status;"));
    for (table, end) in [(&table, ",unchanged,,"), (&semicolons, ";unchanged;;")] {
        let results = provider.import_csv(table);
        assert_eq!(results.len(), 6);
        assert!(
            results[1..5].iter().all(|row| row.ends_with(end)),
            "{results:?}"
        );
    }
    let lines = provider.export("format=ndjson");
    let results = provider.import_lines(&lines);
    assert!(
        results.iter().all(|row| row["result"] == "unchanged"),
        "{results:?}"
    );
    assert_eq!(versions(), before);

    // And in another deployment it makes the same orders, as far as no money is needed.
    let other = Provider::start();
    let results = other.import_csv(&table);
    let made = |row: &&String| row.contains(",created,");
    assert_eq!(results.iter().filter(made).count(), 3, "{results:?}");
    let without = |provider: &Provider| {
        let mut order = provider.order("full");
        order["payments"] = Value::Null;
        order
    };
    assert_eq!(without(&other), without(&provider));
}

#[test]
fn an_export_goes_on_where_its_link_says() {
    let provider = Provider::start();
    let rows: String = (0..25)
        .map(|n| format!("TAX,{n},Taxă,1,Taxă,5\n"))
        .collect();
    let table = format!("service_id,order_key,reason,line_id,line_reason,amount_due\n{rows}");
    provider.import_csv(&table);
    let mut path = "/api/orders/export?format=ndjson&limit=10&service_id=TAX".to_owned();
    let mut keys = Vec::new();
    loop {
        let page = provider.text("GET", &path, "", "");
        assert_eq!(page.name, "attachment; filename=\"orders-part.ndjson\"");
        for line in page.text.lines() {
            let order: Value = serde_json::from_str(line).unwrap();
            keys.push(order["order_key"].as_str().unwrap().parse::<u32>().unwrap());
        }
        let Some(link) = page.link else { break };
        assert!(link.ends_with(">; rel=\"next\""), "{link}");
        path = link
            .trim_start_matches('<')
            .split('>')
            .next()
            .unwrap()
            .to_owned();
    }
    keys.sort();
    assert_eq!(keys, (0..25).collect::<Vec<_>>());
}

#[test]
fn an_import_takes_few_calls_of_the_store() {
    let (batches, others) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let observer: Observer = {
        let (batches, others) = (Arc::clone(&batches), Arc::clone(&others));
        Arc::new(move |call| {
            let increment = call.operation == mpay_host::Operation::Increment;
            let counter = if increment { &others } else { &batches };
            counter.fetch_add(1, Ordering::Relaxed);
            Fault::None
        })
    };
    let provider = Provider::start_with(&[], Some(observer));
    let rows: String = (0..280)
        .map(|n| format!("TAX,{n},Taxă,1,Taxă,5\n"))
        .collect();
    let table = format!("service_id,order_key,reason,line_id,line_reason,amount_due\n{rows}");
    assert_eq!(provider.import_csv(&table).len(), 282);
    assert_eq!(
        batches.load(Ordering::Relaxed),
        36,
        "twelve reads, batches, and looks whether anybody has asked about the places"
    );
    assert_eq!(
        others.load(Ordering::Relaxed),
        292,
        "a place for each order, and twelve times some of the journal"
    );
    provider.import_csv(&table);
    assert_eq!(
        batches.load(Ordering::Relaxed),
        49,
        "twelve reads, and one look whether an event came too late"
    );
    assert_eq!(others.load(Ordering::Relaxed), 292);
}

#[test]
fn a_day_is_reconciled_by_account() {
    let provider = Provider::start();
    let mut two = order("10");
    two["lines"] = json!([
        {"line_id": "1", "reason": "Unu", "amount_due": "7.25"},
        {"line_id": "2", "reason": "Doi", "amount_due": "2.75",
         "destination_account": {
            "bank_account": "MD80EX0900002374642125MD", "bank_code": "EXMMMD22",
            "bank_fiscal_code": "1000000000007", "beneficiary_name": "Altul"}}
    ]);
    provider.register("1", two);
    provider.register("2", order("5"));
    let mut payment = confirmation("1", "P", "10");
    payment.lines = vec![("1".into(), "7.25".into()), ("2".into(), "2.75".into())];
    payment.paid_at = "2026-01-01T10:00:00".into();
    assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    for id in ["Q", "R"] {
        let payment = confirmation("2", id, "5");
        assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    }
    // The day it is in Chişinău, also should it change meanwhile.
    let ledger = provider.ledger();
    let first = &ledger[0]["received_at"].as_str().unwrap()[..10];
    let last = &ledger[2]["received_at"].as_str().unwrap()[..10];
    let day = provider
        .api(
            "GET",
            &format!("reconciliation?from={first}&to={last}"),
            None,
        )
        .body;
    assert_eq!(day["closed"], false, "more may come");
    let lines = day["lines"].as_array().unwrap();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| {
            ["payment_id", "line_id", "amount", "bank_account"].map(|m| line[m].as_str().unwrap())
        })
        .collect();
    let (default, other) = ("MD24AG000225100013104168", "MD80EX0900002374642125MD");
    assert_eq!(
        seen,
        [
            ["P", "1", "7.25", default],
            ["P", "2", "2.75", other],
            ["Q", "1", "5.00", default],
            ["R", "1", "5.00", default],
        ]
    );
    assert_eq!(lines[0]["paid_at"], "2026-01-01T10:00:00+02:00");
    assert_eq!(lines[3]["review"], json!(["double"]));
    assert_eq!(
        day["totals"],
        json!([
            {"bank_account": default, "currency": "MDL", "channel": "mpay", "amount": "17.25", "lines": 3},
            {"bank_account": other, "currency": "MDL", "channel": "mpay", "amount": "2.75", "lines": 1},
        ])
    );
    let table =
        |query: &str| provider.text("GET", &format!("reconciliation?format=csv&{query}"), "", "");
    let csv = table(&format!("from={first}&to={last}"));
    assert!(csv.name.contains("-not-closed.csv"), "{}", csv.name);
    assert_eq!(csv.text.lines().count(), 5);
    assert!(csv.text.contains(",R,"), "{}", csv.text);
    let totals = table(&format!(
        "from={first}&to={last}&part=totals&separator=semicolon"
    ));
    assert!(
        totals
            .text
            .contains(&format!("{default};MDL;mpay;17,25;3\r\n")),
        "{}",
        totals.text
    );

    let empty = provider
        .api("GET", "reconciliation?date=2026-01-01", None)
        .body;
    assert_eq!(
        (&empty["closed"], &empty["lines"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(
        table("date=2026-01-01").name,
        "attachment; filename=\"payments-2026-01-01.csv\""
    );
    for query in [
        "",
        "date=1",
        "from=2026-01-01",
        "date=2026-01-01&to=2026-01-01",
        "date=2026-01-01&format=xml",
    ] {
        let answer = provider.api("GET", &format!("reconciliation?{query}"), None);
        assert_eq!(answer.status, 400, "{query}");
    }
}

/// Neither another default account nor another account of a line changes the account of an earlier
/// payment.
#[test]
fn a_payment_stays_with_the_account_that_it_was_recorded_with() {
    let mut provider = Provider::start();
    let token = "approver-0123456789-0123456789-0123456789";
    provider.set_variable("access", &managers(&[TOKEN, token]));
    provider.restart();
    let (default, own) = ("MD24AG000225100013104168", "MD80EX0900002374642125MD");
    let account = |iban: &str| {
        json!({
            "bank_account": iban, "bank_code": "EXMMMD22",
            "bank_fiscal_code": "1000000000007", "beneficiary_name": "Altul"
        })
    };
    let mut two = order("10");
    two["allow_partial_payments"] = true.into();
    two["lines"] = json!([
        {"line_id": "1", "reason": "Unu", "amount_due": "7"},
        {"line_id": "2", "reason": "Doi", "amount_due": "3", "destination_account": account(own)}
    ]);
    provider.register("1", two.clone());
    let mut payment = confirmation("1", "P", "2");
    payment.lines = vec![("1".into(), "1".into()), ("2".into(), "1".into())];
    assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    let proposal = json!({
        "payment_id": "M", "service_id": "TAX", "order_key": "1", "amount": "1",
        "paid_at": "2026-10-01", "lines": [{"line_id": "1", "amount": "1"}], "note": "Statement 7"
    });
    let mut misled = proposal.clone();
    misled["lines"][0]["bank_account"] = default.into();
    let answer = provider.api("POST", "payments/manual", Some(&misled));
    assert_eq!(answer.status, 422, "{answer:?}");
    let proposed = provider.api("POST", "payments/manual", Some(&proposal));
    let approve = format!("payments/manual/{}/approve", proposed.body["id"]);
    let bearer = format!("Bearer {token}");
    let approved = provider.api_with("POST", &approve, None, &[("Authorization", &bearer)]);
    assert_eq!(approved.status, 200, "{approved:?}");

    let day = |provider: &Provider, index: usize| {
        provider.ledger()[index]["received_at"].as_str().unwrap()[..10].to_owned()
    };
    let first = day(&provider, 0);
    let accounts = |provider: &Provider, last: &str| {
        let path = format!("reconciliation?from={first}&to={last}");
        let report = provider.api("GET", &path, None).body;
        let lines = report["lines"].as_array().unwrap().iter();
        let lines: Vec<_> = lines
            .map(|line| format!("{} {}", line["payment_id"], line["bank_account"]).replace('"', ""))
            .collect();
        lines
    };
    let before = [
        format!("P {default}"),
        format!("P {own}"),
        format!("M {default}"),
    ];
    assert_eq!(accounts(&provider, &day(&provider, 1)), before);

    let later = "MD21EX000000000001234567";
    provider.set_variable("bank_account", later);
    provider.restart();
    two["lines"][1]["destination_account"] = account(later);
    provider.register("1", two);
    let mut payment = confirmation("1", "Q", "2");
    payment.lines = vec![("1".into(), "1".into()), ("2".into(), "1".into())];
    assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    let now = accounts(&provider, &day(&provider, 2));
    assert_eq!(now[..3], before);
    assert_eq!(now[3..], [format!("Q {later}"), format!("Q {later}")]);
}

#[test]
fn a_wrong_parameter_of_an_import_is_said_once() {
    let provider = Provider::start();
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/x-ndjson"),
    ];
    let row = json!({
        "service_id": "TAX", "order_key": "1", "reason": "Taxă",
        "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "1"}]
    });
    for query in ["strict=yes", "strict=true&strict=true", "strikt=true"] {
        let path = format!("orders/import?{query}");
        let answer = provider.api_with("POST", &path, Some(&row), &headers);
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
}
