use std::process::Command;

use serde_json::json;

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
