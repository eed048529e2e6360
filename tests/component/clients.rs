//! Clients that are independent of this project.

use std::{path::Path, process::Command};

use serde_json::Value;

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
