//! Clients that are independent of this project.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{harness::*, python::environment};

#[test]
fn zeep_reads_the_wsdl_and_pays_an_order() {
    let Some(programs) = environment() else {
        return;
    };
    for hash in ["sha1", "sha256"] {
        pay_with(&programs.join("python"), hash);
    }
}

fn pay_with(python: &Path, hash: &str) {
    let provider = Provider::start();
    provider.register(
        "1",
        serde_json::json!({
            "reason": {"ro": "Taxă", "en": "Fee"}, "due_date": "2099-12-31", "allow_partial_payments": true,
            "customer_name": "Ana & Ion",
            "lines": [
                {"line_id": "a", "reason": "Unu", "amount_due": "100"},
                {"line_id": "b", "reason": "Doi", "amount_due": "50.50"}
            ],
            "customer_type": "Person", "customer_id": "2000000000004", "issued_at": "2026-01-01",
            "properties": [{
                "name": "Adresa", "display_name": "Adresa", "value": "Ștefan cel Mare 1", "type": "string",
                "is_visible": true, "modifiable": true, "required": true, "id": "1"
            }]
        }),
    );
    let data = workspace().join("crates/wsse/tests/data");
    let output = Command::new(python)
        .arg(workspace().join("tests/component/zeep_client.py"))
        .args([&provider.url, hash, SERVICE, "1"])
        .args([
            data.join("mpay.key.pem"),
            data.join("mpay.pem"),
            data.join("service.pem"),
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let order = &seen["order"][0];
    assert_eq!(order["Reason"], "Fee");
    assert_eq!(order["TotalAmountDue"], "150.50");
    assert_eq!(order["CustomerName"], "Ana & Ion");
    assert_eq!(order["DueDate"], "2099-12-31T23:59:59+02:00");
    assert_eq!(order["Lines"]["OrderLine"][1]["AmountDue"], "50.50");
    assert_eq!(
        order["Lines"]["OrderLine"][1]["AllowPartialPayments"],
        false
    );
    assert_eq!(
        order["Properties"]["OrderProperty"][0]["Value"],
        "Ștefan cel Mare 1"
    );
    assert_eq!(seen["unknown"], "UnknownOrder");
    assert_eq!(seen["wrong"], "InvalidParameter");
    assert_eq!(seen["confirmed"], Value::Null);

    let ledger = provider.ledger();
    assert_eq!(ledger.len(), 1);
    assert_eq!(ledger[0]["amount"], "100.00");
    assert_eq!(ledger[0]["properties"][0]["value"], "+373");
    assert_eq!(
        ledger[0]["signer"]["algorithm"],
        match hash {
            "sha1" => "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            _ => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        }
    );
    assert_eq!(provider.details("1").get("Status"), Some("PartiallyPaid"));
}

/// A client made of `openapi.json` has every operation, and classes with names of their own.
#[test]
fn a_generated_client_goes_from_registration_to_events() {
    let Some(programs) = environment() else {
        return;
    };
    let provider = Provider::start();
    let folder = tempfile::tempdir().unwrap();
    generate(&programs.join("openapi-python-client"), folder.path());
    let run = |part: &str| -> Value {
        let output = Command::new(programs.join("python"))
            .arg(workspace().join("tests/component/openapi_client.py"))
            .args([provider.url.trim_end_matches('/'), TOKEN, SERVICE, part])
            .env("PYTHONPATH", folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };

    let seen = run("register");
    assert_eq!(seen["first"][0], 201);
    assert_eq!(seen["first"][1]["status"], "Active");
    assert_eq!(seen["first"][1]["metadata"]["cost_centre"], "4512");
    assert_eq!(seen["again"][0], 412, "{seen}");
    let amended = &seen["amended"];
    assert_eq!(amended["reason"], json!({"ro": "Taxă", "en": "Fee"}));
    assert_eq!(amended["customer_type"], Value::Null);
    assert_eq!(amended["allow_partial_payments"], true);
    assert_eq!(seen["stale"], "Problem");

    for (payment, amount) in [("P", "60"), ("Q", "40")] {
        let confirmation = confirmation("first", payment, amount);
        provider.mpay().confirm(&confirmation).unwrap();
    }
    let seen = run("follow");
    assert_eq!(seen["paid"]["status"], "Paid");
    assert_eq!(seen["paid"]["amount_paid"], "100.00");
    let payments = seen["payments"].as_array().unwrap();
    let payments: Vec<_> = payments.iter().map(|payment| &payment["amount"]).collect();
    assert_eq!(payments, ["60.00", "40.00"]);
    assert!(seen["unchanged"].as_str().unwrap().contains("unchanged"));
    assert!(seen["tried"].as_str().unwrap().contains("created"));
    assert_eq!(seen["missing"], 404);
    assert_eq!(seen["imported"]["total_amount_due"], "100.00");
    assert_eq!(seen["imported"]["amount_paid"], "0.00");
    assert_eq!(seen["cancelled"]["status"], "Cancelled");
    // Each event is read as its own type, with its members.
    let events = seen["events"].as_array().unwrap();
    let events: Vec<_> = events
        .iter()
        .map(|event| {
            let key = event[1]["order_key"].as_str().unwrap();
            (event[0].as_str().unwrap(), key)
        })
        .collect();
    assert_eq!(
        events,
        [
            ("OrderRegisteredEvent", "first"),
            ("OrderRegisteredEvent", "other"),
            ("OrderAmendedEvent", "first"),
            ("PaymentRecordedEvent", "first"),
            ("PaymentRecordedEvent", "first"),
            ("OrderRegisteredEvent", "imported"),
            ("OrderCancelledEvent", "other"),
        ]
    );
}

/// Makes the package `office` in a folder. The generator leaves out, with a warning, anything that it
/// cannot write; that must not be an operation.
fn generate(generator: &Path, folder: &Path) {
    let document = workspace().join("crates/office/openapi.json");
    let output = Command::new(generator)
        .args(["generate", "--meta", "none", "--path"])
        .arg(&document)
        .arg("--output-path")
        .arg(folder.join("office"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let names = |place: &str| -> Vec<String> {
        let entries = std::fs::read_dir(folder.join(place)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with("__"))
            .collect()
    };
    let document = std::fs::read(document).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|path| path.as_object().unwrap().len()).sum();
    let tags = names("office/api");
    let generated: usize = tags
        .iter()
        .map(|tag| names(&format!("office/api/{tag}")).len())
        .sum();
    assert_eq!(generated, operations, "{said}");
    let is_invented = |name: &String| {
        let name = name.trim_end_matches(".py");
        name.ends_with("_item") || name.ends_with(|last: char| last.is_ascii_digit())
    };
    let mut invented = names("office/models");
    invented.retain(is_invented);
    assert_eq!(invented, [""; 0], "give their schemas names");
}
