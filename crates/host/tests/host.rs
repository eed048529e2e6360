//! The embedded host refuses to start with a clear reason. What it serves is tested with the
//! component.

use std::path::Path;

use mpay_host::{Log, Options, Server};

const MANIFEST: &str = r#"
    spin_manifest_version = 2
    [application]
    name = "test"
    [variables]
    key = { required = true, secret = true }
    [[trigger.http]]
    route = "/..."
    component = "test"
    [component.test]
    source = "component.wasm"
    key_value_stores = ["default"]
"#;

fn options(folder: &Path) -> Options {
    std::fs::write(folder.join("spin.toml"), MANIFEST).unwrap();
    let mut options = Options::new(folder.join("spin.toml"));
    options.listen.set_port(0);
    options.log = Log::new(std::io::sink());
    options
}

async fn refusal(options: Options) -> String {
    match Server::start(options).await {
        Ok(server) => panic!("{server:?} started"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn a_missing_manifest_is_named() {
    let reason = refusal(Options::new("/nowhere/spin.toml")).await;
    assert!(reason.contains("/nowhere/spin.toml"), "{reason}");
}

#[tokio::test]
async fn a_required_variable_without_a_value_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let reason = refusal(options(folder.path())).await;
    assert!(reason.contains("`key` is required"), "{reason}");
}

#[tokio::test]
async fn a_missing_component_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.variables = vec![("key".to_owned(), "secret value".to_owned())];
    let reason = refusal(options).await;
    assert!(reason.contains("component.wasm"), "{reason}");
    assert!(!reason.contains("secret value"), "{reason}");
}

#[tokio::test]
async fn a_file_that_is_no_component_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.variables = vec![("key".to_owned(), "x".to_owned())];
    std::fs::write(folder.path().join("component.wasm"), "not Wasm").unwrap();
    let reason = refusal(options).await;
    assert!(reason.contains("cannot use the component"), "{reason}");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.variables = vec![("key".to_owned(), "x".to_owned())];
    std::fs::write(folder.path().join("component.wasm"), "never looked at").unwrap();
    std::fs::write(folder.path().join("a-file"), "").unwrap();
    options.state_dir = Some(folder.path().join("a-file"));
    let reason = refusal(options).await;
    assert!(
        reason.contains("cannot open the key-value store"),
        "{reason}"
    );
}
