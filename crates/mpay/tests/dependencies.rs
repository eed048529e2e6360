//! The packages of this workspace depend downwards only: what a package may use stands here, and
//! nothing else may be in its `Cargo.toml`. Dependencies of tests are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Each package, and those of this workspace that it may use. One that is listed uses only what
/// stands above it, so there is no way back up.
const MAY_USE: &[(&str, &[&str])] = &[
    // Know nothing of MPay.
    ("mutation", &[]),
    ("rsa-fma", &[]),
    ("wsse", &["rsa-fma"]),
    ("listener", &[]),
    ("mpay-host", &["listener"]),
    // What orders, payments and the books are. None of them can sign, or knows HTTP.
    ("mpay-domain", &[]),
    ("mpay-log", &["mpay-domain", "mutation"]),
    ("mpay-ledger", &["mpay-domain", "mpay-log", "mutation"]),
    // The component.
    ("mpay-provider", &["mpay-ledger", "mutation", "wsse"]),
    // MPay's side, for any provider.
    ("mpay-client", &["mpay-domain", "wsse"]),
    (
        "mpay-offline",
        &["listener", "mpay-client", "mpay-domain", "wsse"],
    ),
    ("mpay-conform", &["mpay-client", "mpay-domain", "wsse"]),
    // What puts the parts together.
    (
        "mpay",
        &[
            "mpay-client",
            "mpay-conform",
            "mpay-domain",
            "mpay-host",
            "mpay-offline",
            "mpay-provider",
            "wsse",
        ],
    ),
    (
        "simulator",
        &["mpay-ledger", "mpay-provider", "mutation", "wsse"],
    ),
    (
        "speed",
        &["mpay-ledger", "mpay-provider", "rsa-fma", "wsse"],
    ),
];

/// The packages of the workspace, and those of them that each uses.
fn used() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let within = dependencies
                .filter(|dependency| dependency["path"].is_string() && dependency["kind"] != "dev");
            (name(package), within.map(name).collect())
        })
        .collect()
}

#[test]
fn packages_use_only_what_is_below_them() {
    let mut above = BTreeSet::new();
    for (package, may_use) in MAY_USE {
        for used in *may_use {
            assert!(above.contains(used), "{package} is listed before {used}");
        }
        above.insert(*package);
    }
    let may_use: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    for (package, used) in used() {
        let may_use = may_use
            .get(package.as_str())
            .unwrap_or_else(|| panic!("{package} is not listed: what may it use?"));
        let may_use: BTreeSet<String> = may_use.iter().map(|&name| name.to_owned()).collect();
        let more: Vec<_> = used.difference(&may_use).collect();
        assert!(more.is_empty(), "{package} must not use {more:?}");
        let less: Vec<_> = may_use.difference(&used).collect();
        assert!(
            less.is_empty(),
            "{package} does not use {less:?}: unlist them"
        );
    }
}
