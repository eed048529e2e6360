use std::collections::BTreeSet;

use mpay::{client::Answer, host::Manifest};
use mpay_provider::config::VARIABLES;
use serde_json::Value;

use crate::harness::*;

#[test]
fn the_manifest_gives_the_component_every_variable_it_reads_and_no_other() {
    let manifest = Manifest::load(workspace().join("spin.toml")).unwrap();
    let read: BTreeSet<_> = VARIABLES.into_iter().collect();
    let given: BTreeSet<_> = manifest
        .component
        .variables
        .keys()
        .map(|name| name.as_str())
        .collect();
    let declared: BTreeSet<_> = manifest
        .variables
        .keys()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(given, read);
    assert_eq!(declared, read);
    for (name, variable) in &manifest.variables {
        let secret = matches!(
            name.as_str(),
            "service_key" | "api_token" | "api_read_token" | "webhook_secret"
        );
        assert_eq!(variable.secret, secret, "{}", name.as_str());
        assert!(
            variable.default.is_some(),
            "{}: without a value Spin would not start",
            name.as_str()
        );
    }
    assert_eq!(
        manifest.component_path(),
        mpay::component::build(workspace(), true).unwrap()
    );
}

#[test]
fn the_readme_explains_every_variable() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    for name in VARIABLES {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn health_is_ok_when_everything_is_configured() {
    let provider = Provider::start();
    let mut response = provider.http("GET", "health", &[], b"");
    assert_eq!(response.status(), 200);
    let health: Value = response.body_mut().read_json().unwrap();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["environment"], "test");
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("fma") {
        assert_eq!(health["rsa_engine"], "integer");
        return;
    }
    assert_eq!(health["rsa_engine"], "fma");
}

#[test]
fn built_without_relaxed_simd_the_component_runs_on_hosts_that_have_none() {
    let component = mpay::component::Build::new(workspace())
        .quiet(true)
        .without_relaxed_simd()
        .target_dir(workspace().join("target/without-relaxed-simd"))
        .run()
        .unwrap();
    let mut config = wasmtime::Config::new();
    config
        .wasm_component_model_async(true)
        .wasm_relaxed_simd(false);
    let engine = wasmtime::Engine::new(&config).unwrap();
    wasmtime::component::Component::from_file(&engine, &component).unwrap();

    let provider = Provider::start_component(component, workspace().join("spin.toml"));
    let mut response = provider.http("GET", "health", &[], b"");
    let health: Value = response.body_mut().read_json().unwrap();
    assert_eq!(health["rsa_engine"], "integer");
    provider.register("1", order("10"));
    let details = provider.mpay().details(SERVICE, "1", "ro").unwrap();
    assert!(matches!(details, Answer::Result(_)));
}

#[test]
fn health_warns_of_certificates_that_expire() {
    let expired =
        std::fs::read_to_string(workspace().join("crates/wsse/tests/data/expired.pem")).unwrap();
    let provider =
        Provider::start_with(&[("mpay_certificates", &format!("{MPAY}{expired}"))], None);
    let mut response = provider.http("GET", "health", &[], b"");
    assert_eq!(response.status(), 200);
    let health: Value = response.body_mut().read_json().unwrap();
    let warnings = health["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].as_str().unwrap().contains("expired at 2021-"),
        "{warnings:?}"
    );
    assert!(
        provider
            .log()
            .contains("warning: variable mpay_certificates")
    );
}

#[test]
fn health_warns_of_a_fiscal_code_that_seems_mistyped() {
    let provider = Provider::start_with(&[("bank_fiscal_code", "1000000000008")], None);
    let mut response = provider.http("GET", "health", &[], b"");
    assert_eq!(response.status(), 200);
    let health: Value = response.body_mut().read_json().unwrap();
    let warning = health["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("variable bank_fiscal_code: 1000000000008 seems mistyped"),
        "{warning}"
    );
    assert!(provider.log().contains(warning));
}

#[test]
fn a_mistake_is_one_line_in_health_and_log_and_soap_answers_a_signed_internal_error() {
    let provider = Provider::start_with(&[("accept_sha1", "maybe")], None);
    let mut response = provider.http("GET", "health", &[], b"");
    assert_eq!(response.status(), 503);
    let health: Value = response.body_mut().read_json().unwrap();
    assert_eq!(health["errors"].as_array().unwrap().len(), 1);
    let line = health["errors"][0].as_str().unwrap();
    assert!(
        line.starts_with("variable accept_sha1: is \"maybe\""),
        "{line}"
    );
    assert!(provider.log().contains(line));

    let exchange = provider
        .mpay()
        .send(
            "GetOrderDetails",
            &mpay::client::encode_query(SERVICE, "1", "ro"),
        )
        .unwrap();
    assert_eq!(provider.fault(&exchange).code, "InternalError");
    assert_eq!(provider.api("GET", "payments", None).status, 503);
}

#[test]
fn without_a_key_soap_answers_internal_error_all_the_same() {
    let provider = Provider::start_with(&[("service_key", ""), ("service_certificate", "")], None);
    let exchange = provider.post("<a/>");
    assert_eq!(exchange.status, 500);
    assert!(
        String::from_utf8(exchange.body)
            .unwrap()
            .contains("<faultcode>InternalError</faultcode>")
    );
}

#[test]
fn development_credentials_are_refused_in_production() {
    let workspace = tempfile::tempdir().unwrap();
    let credentials = mpay::development::Credentials::of_workspace(workspace.path());
    credentials.ensure().unwrap();
    let mut variables = credentials.variables().unwrap();
    variables.retain(|(name, _)| *name != "environment");
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let provider = Provider::start_with(
        &[&variables[..], &[("environment", "production")]].concat(),
        None,
    );
    let mut response = provider.http("GET", "health", &[], b"");
    let health: Value = response.body_mut().read_json().unwrap();
    let errors = health["errors"].to_string();
    for variable in ["service_certificate", "mpay_certificates", "api_token"] {
        assert!(
            errors.contains(&format!("variable {variable}: ")),
            "{errors}"
        );
    }
}

#[test]
fn secrets_stay_out_of_health_and_log() {
    let secret = "a-token-with-a-comma,0123456789";
    let provider = Provider::start_with(
        &[
            ("api_token", secret),
            ("service_key", "-----BEGIN NONSENSE-----"),
        ],
        None,
    );
    let mut response = provider.http("GET", "health", &[], b"");
    let seen = response.body_mut().read_to_string().unwrap() + &provider.log();
    assert!(seen.contains("variable api_token"), "{seen}");
    assert!(
        !seen.contains("a-token-with") && !seen.contains("NONSENSE"),
        "{seen}"
    );
}

#[test]
fn without_its_store_the_provider_answers_that_it_failed() {
    let manifest = std::fs::read_to_string(workspace().join("spin.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spin.toml");
    std::fs::write(
        &file,
        manifest.replace("key_value_stores = [\"default\"]", ""),
    )
    .unwrap();
    let provider = Provider::start_manifest(file);
    assert_eq!(provider.details_fault(SERVICE, "1").code, "InternalError");
    assert_eq!(provider.api("GET", "payments", None).status, 503);
    let log = provider.log();
    assert!(log.contains("key_value_stores"), "{log}");
}
