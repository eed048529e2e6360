use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use mpay_client::Answer;
use mpay_door::Configuration;
use mpay_host::{Fault, Manifest, Observer};
use mpay_office::config::Config as OfficeConfig;
use mpay_provider::config::Config as ProviderConfig;
use serde_json::Value;

use crate::harness::*;

/// The variables that each door reads.
const READ: [(&str, &[&str]); 2] = [
    ("mpay-provider", ProviderConfig::VARIABLES),
    ("mpay-office", OfficeConfig::VARIABLES),
];

#[test]
fn the_manifest_gives_each_door_every_variable_it_reads_and_no_other() {
    let manifest = Manifest::load(workspace().join("spin.toml")).unwrap();
    let mut read_by_any = BTreeSet::new();
    for (id, read) in READ {
        let read: BTreeSet<_> = read.iter().copied().collect();
        let given = manifest.components[id].variables.keys();
        let given: BTreeSet<_> = given.map(|name| name.as_str()).collect();
        assert_eq!(given, read, "{id}");
        read_by_any.extend(read);
    }
    let declared = manifest.variables.keys().map(|name| name.as_str());
    assert_eq!(declared.collect::<BTreeSet<_>>(), read_by_any);
    for (name, variable) in &manifest.variables {
        let secret = matches!(
            name.as_str(),
            "card_password"
                | "card_terminals"
                | "card_wallet_secret"
                | "order_source_secret"
                | "page_key"
                | "service_key"
                | "webhooks"
        );
        assert_eq!(variable.secret, secret, "{}", name.as_str());
        assert!(
            variable.default.is_some(),
            "{}: without a value Spin would not start",
            name.as_str()
        );
    }
    for (id, file) in [("mpay-provider", PROVIDER), ("mpay-office", OFFICE)] {
        let path = manifest.component_path(&manifest.components[id]);
        assert_eq!(path, built().join(file));
    }
}

/// The door that serves browsers cannot sign in the institution's name.
#[test]
fn the_peoples_door_is_given_no_key() {
    let manifest = Manifest::load(workspace().join("spin.toml")).unwrap();
    let office = &manifest.components["mpay-office"];
    for (name, template) in &office.variables {
        let used: Vec<_> = template.variables().map(|name| name.as_str()).collect();
        assert_eq!(used, [name.as_str()], "no variable under another name");
    }
    assert!(!OfficeConfig::VARIABLES.contains(&"service_key"));
}

#[test]
fn the_doors_import_what_they_need_and_nothing_else() {
    for file in [PROVIDER, OFFICE] {
        let imports = imports(&built().join(file));
        let foreign: Vec<_> = imports
            .iter()
            .filter(|name| !IMPORTS.contains(&name.as_str()))
            .collect();
        assert!(foreign.is_empty(), "{file}: {foreign:?}");
        for needed in [
            "wasi:keyvalue/store",
            "wasi:keyvalue/batch",
            "wasi:keyvalue/atomics",
            "wasi:http/client",
            "spin:variables/variables",
        ] {
            assert!(imports.contains(needed), "{file}: {needed}: {imports:?}");
        }
    }
}

/// The interfaces that a component asks its host for, without their versions.
fn imports(component: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(component).unwrap();
    let parts = wasmparser::Parser::new(0).parse_all(&bytes);
    let mut depth = 0;
    let mut imports = BTreeSet::new();
    for part in parts {
        match part.unwrap() {
            wasmparser::Payload::ModuleSection { .. }
            | wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            // Those of the parts are answered within the component, or are among its own.
            wasmparser::Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let name = import.unwrap().name.name;
                    imports.insert(name.split('@').next().unwrap().to_owned());
                }
            }
            _ => {}
        }
    }
    imports
}

/// The limits of the platform are listed on
/// <https://techdocs.akamai.com/akamai-functions/docs/quotas-and-limits>.
#[test]
fn the_doors_on_postgresql_fit_into_akamai_functions() {
    let mut bytes = 0;
    for file in [PROVIDER, OFFICE] {
        let file = built_for_postgres().join(file);
        bytes += std::fs::metadata(&file).unwrap().len();
        for name in imports(&file) {
            // Its key-value store does not count.
            let usual = IMPORTS.contains(&&*name) && !name.starts_with("wasi:keyvalue/");
            // It comes with what PostgreSQL needs. Spin offers it with no folder in it.
            let empty = name.starts_with("wasi:filesystem/");
            assert!(
                usual || empty || name.starts_with("spin:postgres/"),
                "{name}"
            );
        }
    }
    assert!(bytes < 50 << 20, "{bytes}");
    // Tests of this host run within the limits of that one.
    let limits = mpay_host::Limits::default();
    assert!(limits.memory <= 128 << 20 && limits.body <= 10 << 20);
    assert!(limits.request_time <= std::time::Duration::from_secs(30));
}

/// Every interface that a door may have of its host: no files, no sockets.
const IMPORTS: [&str; 24] = [
    "spin:variables/variables",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/types",
    "wasi:clocks/wall-clock",
    "wasi:http/client",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:keyvalue/atomics",
    "wasi:keyvalue/batch",
    "wasi:keyvalue/store",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

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
    let folder = mpay::component::Build::new(workspace())
        .quiet(true)
        .provider_only()
        .without_relaxed_simd()
        .target_dir(workspace().join("target/without-relaxed-simd"))
        .run()
        .unwrap();
    // What such a host says of each: the usual one is refused, or this would show nothing.
    let valid = |component: &Path| {
        let mut features = wasmparser::WasmFeatures::all();
        features.remove(wasmparser::WasmFeatures::RELAXED_SIMD);
        let bytes = std::fs::read(component).unwrap();
        let valid = wasmparser::Validator::new_with_features(features).validate_all(&bytes);
        valid.map(drop)
    };
    let refused = valid(&built().join(PROVIDER)).unwrap_err();
    assert!(refused.message().contains("relaxed SIMD"), "{refused}");
    valid(&folder.join(PROVIDER)).unwrap();

    let beside = tempfile::tempdir().unwrap();
    for file in [folder.join(PROVIDER), built().join(OFFICE)] {
        std::fs::copy(&file, beside.path().join(file.file_name().unwrap())).unwrap();
    }
    let components = beside.path().to_owned();
    let provider = Provider::start_components(components, workspace().join("spin.toml"));
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
        warning.starts_with("variable bank_fiscal_code: seems mistyped"),
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
    let line = health["errors"][0].as_str().unwrap().to_owned();
    assert_eq!(line, "variable accept_sha1: must be true or false");
    assert!(provider.log().contains(&line));

    let exchange = provider
        .mpay()
        .send(
            "GetOrderDetails",
            &mpay_client::encode_query(SERVICE, "1", "ro"),
        )
        .unwrap();
    assert_eq!(provider.fault(&exchange).code, "InternalError");
    assert_eq!(
        provider.api("GET", "payments", None).status,
        200,
        "the other door is open"
    );
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
    let (_, found) = health(&provider);
    let (status, of_office) = office_health(&provider);
    assert_eq!(status, 200);
    let errors = format!("{}{}", found["errors"], of_office["errors"]);
    for variable in ["service_certificate", "mpay_certificates"] {
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
            ("access", secret),
            ("service_key", "-----BEGIN NONSENSE-----"),
        ],
        None,
    );
    let mut response = provider.http("GET", "health", &[], b"");
    let seen = response.body_mut().read_to_string().unwrap()
        + &office_health(&provider).1.to_string()
        + &provider.log();
    assert!(seen.contains("variable access"), "{seen}");
    assert!(
        !seen.contains("a-token-with") && !seen.contains("NONSENSE"),
        "{seen}"
    );
}

/// The project's manifest with something else in the place of a text.
fn manifest_with(text: &str, other: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let manifest = std::fs::read_to_string(workspace().join("spin.toml")).unwrap();
    assert!(manifest.contains(text), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spin.toml");
    std::fs::write(&file, manifest.replace(text, other)).unwrap();
    (folder, file)
}

fn health(provider: &Provider) -> (u16, Value) {
    ask_health(provider, "health")
}

fn office_health(provider: &Provider) -> (u16, Value) {
    ask_health(provider, "health/office")
}

fn ask_health(provider: &Provider, path: &str) -> (u16, Value) {
    let mut response = provider.http("GET", path, &[], b"");
    (
        response.status().as_u16(),
        response.body_mut().read_json().unwrap(),
    )
}

#[test]
fn a_variable_that_the_manifest_does_not_give_is_not_taken_for_its_default() {
    let (_folder, file) = manifest_with("accept_sha1 = \"{{ accept_sha1 }}\"\n", "");
    let provider = Provider::start_manifest(file);
    let (status, found) = health(&provider);
    assert_eq!(
        (status, found["status"].as_str()),
        (503, Some("misconfigured"))
    );
    let line = found["errors"][0].as_str().unwrap();
    assert!(
        line.starts_with("variable accept_sha1: is not given to the component"),
        "{line}"
    );
    assert_eq!(provider.details_fault(SERVICE, "1").code, "InternalError");
    assert_eq!(provider.api("GET", "payments", None).status, 200);

    let (_folder, file) = manifest_with("services = \"{{ services }}\"\n", "");
    let provider = Provider::start_manifest(file);
    assert_eq!(provider.details_fault(SERVICE, "1").code, "InternalError");
    assert_eq!(provider.api("GET", "payments", None).status, 503);
    assert_eq!(office_health(&provider).0, 503);

    let (_folder, file) = manifest_with("webhooks = \"{{ webhooks }}\"\n", "");
    let provider = Provider::start_manifest(file);
    let (status, found) = health(&provider);
    assert_eq!((status, found["status"].as_str()), (200, Some("degraded")));
    provider.register("1", order("10"));
    provider.details("1");
}

#[test]
fn a_mistake_in_what_is_optional_leaves_mpays_calls_alone() {
    let provider = Provider::start_with(
        &[
            (
                "webhooks",
                "erp https://erp.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ),
            ("webhook_origin", "no address"),
            ("max_silence", "a day"),
            ("personal_data_retention", "ten years"),
            ("public_url", "pay.example.md"),
            ("access", &format!("{}; short", managers(&[TOKEN]))),
        ],
        None,
    );
    let (status, found) = health(&provider);
    assert_eq!((status, found["status"].as_str()), (200, Some("degraded")));
    assert_eq!(found["configuration"], "current");
    assert_eq!(found["errors"].as_array().unwrap().len(), 3, "{found}");
    let (status, of_office) = office_health(&provider);
    assert_eq!(
        (status, of_office["status"].as_str()),
        (200, Some("degraded"))
    );
    assert_eq!(
        of_office["errors"].as_array().unwrap().len(),
        5,
        "{of_office}"
    );
    provider.register("1", order("10"));
    provider.details("1");
    let confirmed = provider.mpay().confirm(&confirmation("1", "P", "10"));
    assert_eq!(code(confirmed.unwrap()), "ok");

    for (method, path, variable) in [
        ("GET", "outbox", "webhook_origin"),
        ("POST", "outbox/deliver", "webhook_origin"),
        ("POST", "erasures", "personal_data_retention"),
    ] {
        let answer = provider.api(method, path, None);
        assert_eq!(answer.status, 503, "{answer:?}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(
            detail.contains(&format!("variable {variable} ")),
            "{detail}"
        );
    }
    let order = serde_json::json!({"service_id": SERVICE, "order_key": "1"});
    assert_eq!(provider.api("POST", "erasures", Some(&order)).status, 200);
    let unknown = [(
        "Authorization",
        "Bearer of-an-entry-that-is-wrong-0123456789",
    )];
    let answer = provider.api_with("GET", "payments", None, &unknown);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body["detail"].as_str().unwrap().contains("access"));
    assert_eq!(provider.http("GET", "?wsdl", &[], b"").status(), 503);
    let log = provider.log();
    let of_office = of_office["errors"].as_array().unwrap();
    for error in found["errors"].as_array().unwrap().iter().chain(of_office) {
        assert!(log.contains(error.as_str().unwrap()), "{log}");
    }
}

#[test]
fn what_was_put_into_the_wrong_variable_is_seen_nowhere() {
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nZQXJVKWYZQXJVKWY\n-----END RSA PRIVATE KEY-----";
    let names: BTreeSet<_> = READ
        .iter()
        .flat_map(|(_, read)| read.iter().copied())
        .collect();
    for secret in [
        pem,
        "ZQXJVKWY-0123456789-0123456789",
        r#"{"ZQXJVKWY": {"ZQXJVKWY": "ZQXJVKWY"}}"#,
    ] {
        let variables: Vec<_> = names.iter().map(|name| (*name, secret)).collect();
        let provider = Provider::start_with(&variables, None);
        let (_, found) = health(&provider);
        let mut seen = found.to_string() + &office_health(&provider).1.to_string();
        for path in ["?wsdl", "api/payments", "api/outbox"] {
            let mut answer = provider.http("GET", path, &[("Authorization", "Bearer x")], b"");
            seen += &answer.body_mut().read_to_string().unwrap();
        }
        seen += &String::from_utf8(provider.post("<a/>").body).unwrap();
        seen += &provider.log();
        assert!(found["errors"].as_array().unwrap().len() > 10, "{found}");
        for part in ["ZQXJ", "VKWY", "BEGIN RSA"] {
            assert!(!seen.contains(part), "{part}: {seen}");
        }
    }
}

#[test]
fn liveness_asks_for_nothing() {
    let (_folder, file) = manifest_with("key_value_stores = [\"default\"]", "");
    let provider = Provider::start_manifest(file);
    let mut response = provider.http("GET", "health/live", &[], b"");
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.body_mut().read_to_string().unwrap(),
        r#"{"status":"live"}"#
    );
    assert_eq!(provider.http("POST", "health/live", &[], b"").status(), 405);
}

#[test]
fn health_writes_to_the_store_and_says_if_that_fails() {
    let refused = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&refused);
    let observer: Observer = Arc::new(move |call| {
        if call.operation.writes() && flag.load(Ordering::Relaxed) {
            Fault::Refuse
        } else {
            Fault::None
        }
    });
    let provider = Provider::start_with(&[], Some(observer));
    let (status, found) = health(&provider);
    assert_eq!(
        (status, found["status"].as_str()),
        (503, Some("unavailable"))
    );
    assert_eq!(found["errors"][0], "store: fails; the log says why");
    assert_eq!(provider.stored("probe"), None);
    assert!(provider.log().contains("the store's probe: "));
    refused.store(false, Ordering::Relaxed);
    // Instances go when nobody asks for a second.
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(health(&provider).0, 200);
    assert!(provider.stored("probe").is_some());
}

#[test]
fn without_its_store_the_provider_answers_that_it_failed() {
    let (_folder, file) = manifest_with("key_value_stores = [\"default\"]", "");
    let provider = Provider::start_manifest(file);
    assert_eq!(provider.details_fault(SERVICE, "1").code, "InternalError");
    assert_eq!(provider.api("GET", "payments", None).status, 503);
    let (status, found) = health(&provider);
    assert_eq!(
        (status, found["status"].as_str()),
        (503, Some("unavailable"))
    );
    let error = found["errors"][0].as_str().unwrap();
    assert!(error.starts_with("store: is gone"), "{error}");
    let log = provider.log();
    assert!(log.contains("key_value_stores"), "{log}");
}
