use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{harness::*, python::environment};

/// Whoever asks is given the document, also where the provider is not configured yet.
#[test]
fn the_document_is_readable_without_a_token() {
    for variables in [&[][..], &[("service_key", "nonsense")]] {
        let provider = Provider::start_with(variables, None);
        let answer = provider.api_with("GET", "openapi.json", None, &[]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.body["openapi"], "3.1.0");
        assert!(answer.body["paths"]["/api/orders/{service}/{key}"]["put"].is_object());
        let refused = provider.api_with("POST", "openapi.json", None, &[]);
        assert_eq!(refused.status, 405);
        assert_eq!(refused.headers["allow"], "GET, HEAD");
    }
}

/// Schemathesis makes requests of the document, right ones and wrong ones, and judges the answers
/// by it. The seed is fixed: the same requests each time.
#[test]
fn schemathesis_finds_every_answer_as_the_document_says() {
    let Some(programs) = environment() else {
        return;
    };
    let services = json!({"TAX": {"reason": "Taxă"}, "SCHOOL": {}}).to_string();
    let provider = Provider::start_with(&[("service_ids", ""), ("services", &services)], None);
    // Something of everything is there to be found.
    let mut paid = order("10");
    paid["customer_name"] = "Ana".into();
    paid["properties"] =
        json!([{"name": "Adresa", "display_name": {"ro": "Adresa", "ru": "Адрес"}}]);
    provider.register("paid", paid);
    for (payment, amount) in [("P", "10"), ("Q", "10"), ("P", "1")] {
        let confirmation = confirmation("paid", payment, amount);
        provider.mpay().confirm(&confirmation).unwrap();
    }
    for key in ["patched", "cancelled"] {
        provider.register(key, order("20"));
    }
    let note = json!({"note": "Returned"});
    let closed = provider.api("POST", "payments/Q/reviews/double", Some(&note));
    assert_eq!(closed.status, 200, "{closed:?}");

    let folder = tempfile::tempdir().unwrap();
    let here = workspace().join("tests/component");
    let output = Command::new(programs.join("schemathesis"))
        .current_dir(folder.path())
        .env("SCHEMATHESIS_HOOKS", here.join("schemathesis_hooks.py"))
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"))
        .args([
            "run",
            &format!("{}/api/openapi.json", provider.url.trim_end_matches('/')),
        ])
        .arg("--header")
        .arg(format!("Authorization: Bearer {TOKEN}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // It has come through to the orders, and could not make or unmake a payment.
    assert_eq!(provider.order("cancelled")["status"], "Cancelled");
    assert_eq!(provider.ledger().len(), 2);
}

/// Schemathesis does not look into answers of several documents: each line is judged here.
#[test]
fn every_line_of_an_import_and_an_export_is_as_the_document_says() {
    let Some(programs) = environment() else {
        return;
    };
    let provider = Provider::start();
    let mut full = order("10");
    let members = json!({
        "service_id": "TAX", "order_key": "full", "reason": {"ro": "Taxă", "ru": "Сбор"},
        "issued_at": "2026-11-01", "due_date": "2026-12-31", "customer_type": "Person",
        "customer_id": "2000000000003", "customer_name": "Ana", "allow_partial_payments": true,
        "properties": [{"name": "Adresa", "display_name": "Adresa", "type": "tc", "value": "", "required": true}]
    });
    full.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    full["lines"][0]["destination_account"] = json!({
        "bank_account": "MD24AG000225100013104168", "bank_code": "AGRNMD2X",
        "bank_fiscal_code": "1000000000007", "beneficiary_name": "Primăria", "configuration_code": "C"
    });
    let mut plain = order("5");
    (plain["service_id"], plain["order_key"]) = ("TAX".into(), "plain".into());
    let mut amended = full.clone();
    amended["status"] = "Cancelled".into();
    let mut wrong = plain.clone();
    (wrong["order_key"], wrong["reason"]) = ("k".repeat(99).into(), "".into());
    let mut nobodys = plain.clone();
    (nobodys["service_id"], nobodys["order_key"]) = ("".into(), "".into());
    let lines = |path: &str, method: &str, body: String| -> Vec<Value> {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/x-ndjson"),
        ];
        let mut response = provider.http(method, path, &headers, body.as_bytes());
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let text = response.body_mut().read_to_string().unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let first = format!("{full}\n{plain}\n{wrong}\n{nobodys}\n{{\n[]\n{plain}\n");
    let mut imported = lines("api/orders/import", "POST", first);
    imported.extend(lines(
        "api/orders/import",
        "POST",
        format!("{amended}\n{plain}\n"),
    ));
    let results: Vec<_> = imported
        .iter()
        .map(|line| line["result"].as_str().unwrap())
        .collect();
    let all = [
        "created",
        "created",
        "error",
        "error",
        "error",
        "error",
        "error",
        "amended",
        "unchanged",
    ];
    assert_eq!(results, all);
    let exported = lines("api/orders/export?format=ndjson", "GET", String::new());
    assert_eq!(exported.len(), 2);

    let of = |path: &str, method: &str| {
        json!([
            "paths",
            path,
            method,
            "responses",
            "200",
            "content",
            "application/x-ndjson",
            "schema"
        ])
    };
    let (import, export) = (
        of("/api/orders/import", "post"),
        of("/api/orders/export", "get"),
    );
    let mut judged = Vec::new();
    for (schema, lines) in [(&import, &imported), (&export, &exported)] {
        judged.extend(
            lines
                .iter()
                .map(|line| json!({"schema": schema, "line": line})),
        );
    }
    let right = judged.len();
    // Whether it judges at all.
    for line in [
        json!({"row": 1, "result": "made"}),
        json!({"row": "1", "result": "created"}),
        json!({"result": "created"}),
        json!({"row": 1, "result": "error", "errors": [{"field": "reason"}]}),
    ] {
        judged.push(json!({"schema": import, "line": line}));
    }
    for (member, value) in [
        ("customer_id", json!(1)),
        ("payments", json!([])),
        ("lines", json!([])),
    ] {
        let mut line = exported[0].clone();
        line[member] = value;
        judged.push(json!({"schema": export, "line": line}));
    }
    let document = provider.api("GET", "openapi.json", None).body;
    let verdicts = judge(programs, &json!({"document": document, "lines": judged}));
    assert_eq!(verdicts.len(), judged.len());
    for (position, (line, verdict)) in judged.iter().zip(&verdicts).enumerate() {
        let accepted = verdict.as_array().unwrap().is_empty();
        assert_eq!(accepted, position < right, "{line}: {verdict}");
    }
}

/// The errors that a validator of JSON Schema finds in each line.
fn judge(programs: &Path, lines: &Value) -> Vec<Value> {
    let mut validator = Command::new(programs.join("python"))
        .arg(workspace().join("tests/component/judge_lines.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = validator.stdin.take().unwrap();
    input.write_all(lines.to_string().as_bytes()).unwrap();
    drop(input);
    let output = validator.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}
