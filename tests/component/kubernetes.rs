//! `deploy/kubernetes`, checked against the schemas of Kubernetes, the components and the API. No cluster
//! runs here.

use std::{collections::BTreeSet, fs, process::Command};

use mpay_host::Manifest;
use serde_json::Value;

use crate::{harness::*, python};

/// The manifests, each with the name of its file; `None` where they cannot be judged.
fn manifests() -> Option<Vec<Value>> {
    let programs = python::environment()?;
    let judged = Command::new(programs.join("python"))
        .arg(workspace().join("tests/component/judge_kubernetes.py"))
        .arg(workspace().join("deploy/kubernetes"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{said}");
    Some(serde_json::from_slice(&judged.stdout).unwrap())
}

fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found: Vec<_> = manifests.iter().filter(|it| it["kind"] == kind).collect();
    assert!(!found.is_empty(), "no {kind}");
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

/// The names of the files of a generated secret.
fn secret<'a>(kustomization: &'a Value, name: &str) -> BTreeSet<&'a str> {
    let secrets = list(&kustomization["secretGenerator"]);
    let secret = secrets.iter().find(|it| it["name"] == name).unwrap();
    let files = list(&secret["files"]).iter().map(text);
    files.map(|file| file.split('=').next().unwrap()).collect()
}

#[test]
fn manifests_are_what_kubernetes_and_the_components_take() {
    let Some(manifests) = manifests() else { return };
    let [kustomization] = of_kind(&manifests, "Kustomization")[..] else {
        panic!("several")
    };
    let resources = list(&kustomization["resources"]);
    for file in manifests.iter().map(|it| text(&it["file"])) {
        let is_named = resources.iter().any(|it| it == file);
        assert!(
            is_named || file == "cards.yaml" || file == "kustomization.yaml",
            "{file}"
        );
    }

    // The variables are those of the manifest, and secret ones come from a secret.
    let spin = Manifest::load(workspace().join("spin.postgres.toml")).unwrap();
    let [app] = of_kind(&manifests, "SpinApp")[..] else {
        panic!("several")
    };
    let keys = secret(kustomization, "mpay-provider");
    let mut from_secret = BTreeSet::new();
    for variable in list(&app["spec"]["variables"]) {
        let name = text(&variable["name"]);
        let known = spin.variables.iter().find(|(it, _)| it.as_str() == name);
        let (_, known) = known.unwrap_or_else(|| panic!("no variable {name}"));
        let reference = &variable["valueFrom"]["secretKeyRef"];
        if reference.is_null() {
            assert!(!known.secret, "{name} is a secret");
            text(&variable["value"]);
        } else {
            assert_eq!(reference["name"], "mpay-provider", "{name}");
            from_secret.insert(text(&reference["key"]));
        }
    }
    assert_eq!(from_secret, keys);
    let replicas = app["spec"]["replicas"].as_u64().unwrap();
    assert!(replicas > 1, "{replicas}");

    // The world reaches only the addresses that it needs, and every address is reachable for somebody.
    let name = &app["metadata"]["name"];
    let mut public = BTreeSet::new();
    let mut all = BTreeSet::new();
    for ingress in of_kind(&manifests, "Ingress") {
        for rule in list(&ingress["spec"]["rules"]) {
            for path in list(&rule["http"]["paths"]) {
                assert_eq!(&path["backend"]["service"]["name"], name);
                all.insert(text(&path["path"]));
                if ingress["spec"]["ingressClassName"] == "public" {
                    public.insert(text(&path["path"]));
                }
            }
        }
    }
    assert_eq!(
        public,
        BTreeSet::from(["/", "/ServiceProvider.svc", "/cards", "/o"])
    );
    for route in [
        "/",
        "/ServiceProvider.svc",
        "/api",
        "/admin",
        "/o",
        "/cards",
        "/health",
    ] {
        assert!(all.contains(route), "{route}");
    }
    let selected = &of_kind(&manifests, "NetworkPolicy")[0]["spec"]["podSelector"];
    assert_eq!(&selected["matchLabels"]["core.spinkube.dev/app-name"], name);
}

/// In place of `curl` one that notes where it was sent to, and answers as the lines of a file say: a status
/// that `curl -f` takes for a failure, or a page.
const CURL: &str = r#"#!/bin/sh
cat > /dev/null
for address; do :; done
echo "${address#http://mpay-provider/api/}" >> "$FOLDER/calls"
line=$(sed -n "$(wc -l < "$FOLDER/calls")p" "$FOLDER/answers")
[ "$line" != 503 ] || exit 22
printf '%s' "${line:-{\}}"
"#;

/// Carries out the script of a job; gives true if it succeeded, and its calls.
fn carried_out(job: &Value, answers: &[&str]) -> (bool, Vec<String>) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("token"), TOKEN).unwrap();
    fs::write(path("calls"), "").unwrap();
    fs::write(path("answers"), answers.join("\n") + "\n").unwrap();
    fs::write(path("curl"), CURL).unwrap();
    fs::set_permissions(path("curl"), fs::Permissions::from_mode(0o755)).unwrap();
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let script = text(&pod["containers"][0]["args"][0]);
    let script = script.replace("/token/token", path("token").to_str().unwrap());
    let search = std::env::var("PATH").unwrap_or_default();
    let done = Command::new("/bin/sh")
        .args(["-euc", &script])
        .env("PATH", format!("{}:{search}", folder.path().display()))
        .env("FOLDER", folder.path())
        .output()
        .unwrap();
    let calls = fs::read_to_string(path("calls")).unwrap();
    let calls = calls.lines().map(str::to_owned).collect();
    (done.status.success(), calls)
}

#[test]
fn the_jobs_go_on_to_the_last_page_and_a_call_that_fails_is_told() {
    let Some(manifests) = manifests() else { return };
    let job = |name: &str| {
        let jobs = of_kind(&manifests, "CronJob");
        let mut jobs = jobs.into_iter();
        jobs.find(|job| job["metadata"]["name"] == name).unwrap()
    };
    let pages = [
        r#"{"erased":[],"next":"00c0ffee-256"}"#,
        r#"{"next":"00c0ffee-512"}"#,
        "{}",
    ];
    let (succeeds, calls) = carried_out(job("erase"), &pages);
    let cursors = ["0", "00c0ffee-256", "00c0ffee-512"];
    let expected = cursors.map(|cursor| format!("erasures?cursor={cursor}"));
    assert_eq!((succeeds, calls), (true, expected.to_vec()));
    for failing in [["503", "{}"], [pages[0], "503"]] {
        let (succeeds, calls) = carried_out(job("erase"), &failing);
        assert!(!succeeds, "{calls:?}");
    }
    let (succeeds, calls) = carried_out(job("recheck"), &[r#"{"next":"00c0ffee-7"}"#]);
    assert!(succeeds && calls.len() == 5, "{calls:?}");
    let first = calls[0].strip_prefix("card-payments/recheck?").unwrap();
    assert_eq!(
        calls[1],
        format!("card-payments/recheck?{first}&cursor=00c0ffee-7")
    );
    let days: std::collections::BTreeSet<_> = calls.iter().map(|call| &call[..40]).collect();
    assert_eq!(days.len(), 4, "{calls:?}");
    let (succeeds, calls) = carried_out(job("recheck"), &["{}", "503"]);
    assert!(!succeeds && calls.len() == 2, "{calls:?}");
}

#[test]
fn the_schedule_calls_what_the_api_has() {
    let Some(manifests) = manifests() else { return };
    let receiver = "erp http://127.0.0.1:9/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let variables = [
        ("personal_data_retention", "30"),
        ("webhook_origin", "http://127.0.0.1:9"),
        ("webhooks", receiver),
    ];
    let provider = Provider::start_with(&variables, None);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    for job in of_kind(&manifests, "CronJob") {
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let mut script = text(&container["args"][0]).to_owned();
        for (there, here) in [
            ("http://mpay-provider", provider.url.trim_end_matches('/')),
            ("/token/token", token.to_str().unwrap()),
        ] {
            assert!(script.contains(there), "{script}");
            script = script.replace(there, here);
        }
        let done = Command::new("/bin/sh")
            .args(["-euc", &script])
            .output()
            .unwrap();
        // Without a gateway there is nothing to be asked.
        let succeeds = job["file"] != "cards.yaml";
        assert_eq!(
            done.status.success(),
            succeeds,
            "{}: {done:?}",
            job["metadata"]["name"]
        );
        if !succeeds {
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(said.contains("404"), "{said}");
        }
    }
}
