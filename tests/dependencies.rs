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
    ("cryptoprocessing", &[]),
    ("mutation", &[]),
    ("rsa-fma", &[]),
    ("tables", &[]),
    ("wsse", &["rsa-fma"]),
    ("listener", &[]),
    ("xtask", &[]),
    ("mpay-host", &["listener"]),
    // What orders, payments and the books are. None of them can sign, or knows HTTP.
    ("mpay-domain", &[]),
    ("mpay-log", &["mpay-domain", "mutation"]),
    ("mpay-ledger", &["mpay-domain", "mpay-log", "mutation"]),
    // The two doors, and what they have in common.
    ("mpay-door", &["mpay-ledger", "mutation", "wsse"]),
    ("mpay-notify", &["mpay-door", "mpay-ledger", "mutation"]),
    (
        "mpay-office",
        &[
            "cryptoprocessing",
            "mpay-door",
            "mpay-ledger",
            "mpay-notify",
            "mutation",
            "tables",
            "wsse",
        ],
    ),
    (
        "mpay-provider",
        &["mpay-door", "mpay-ledger", "mpay-notify", "wsse"],
    ),
    ("describe", &["mpay-door", "mpay-ledger", "mpay-office"]),
    // The other sides, for any provider.
    ("stage", &["listener", "mpay-domain"]),
    ("mpay-client", &["mpay-domain", "wsse"]),
    (
        "mpay-offline",
        &["mpay-client", "mpay-domain", "stage", "wsse"],
    ),
    // Shares no code with the other side of the gateway.
    ("mpay-gateway", &["stage"]),
    ("mpay-conform", &["mpay-client", "mpay-domain", "wsse"]),
    // What puts the parts together.
    (
        "mpay",
        &[
            "cryptoprocessing",
            "mpay-client",
            "mpay-conform",
            "mpay-domain",
            "mpay-door",
            "mpay-gateway",
            "mpay-host",
            "mpay-ledger",
            "mpay-notify",
            "mpay-office",
            "mpay-offline",
            "mpay-provider",
            "tables",
            "wsse",
        ],
    ),
    (
        "simulator",
        &[
            "mpay-door",
            "mpay-gateway",
            "mpay-ledger",
            "mpay-notify",
            "mpay-office",
            "mpay-provider",
            "mutation",
            "wsse",
        ],
    ),
    (
        "speed",
        &[
            "mpay-door",
            "mpay-ledger",
            "mpay-office",
            "mpay-provider",
            "rsa-fma",
            "wsse",
        ],
    ),
    ("tests", &[]),
];

/// The packages that may sign: MPay's door, and who plays MPay. The people's door is none of them.
const MAY_SIGN: [&str; 7] = [
    "mpay",
    "mpay-client",
    "mpay-conform",
    "mpay-offline",
    "mpay-provider",
    "simulator",
    "speed",
];

/// A dependency as a package declares it, not for its tests alone.
struct Use {
    package: String,
    used: String,
    features: Vec<String>,
}

/// The packages of the workspace.
fn packages() -> Vec<Value> {
    metadata()["packages"].as_array().unwrap().clone()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        // The default members are those of the folder that is asked in.
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn name(value: &Value) -> String {
    value["name"].as_str().unwrap().to_owned()
}

/// Every use of a package of the workspace by another one.
fn uses(packages: &[Value]) -> Vec<Use> {
    let of_package = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let within = dependencies
            .filter(|dependency| dependency["path"].is_string() && dependency["kind"] != "dev");
        within
            .map(|dependency| Use {
                package: name(package),
                used: name(dependency),
                features: dependency["features"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|feature| feature.as_str().unwrap().to_owned())
                    .collect(),
            })
            .collect::<Vec<_>>()
    };
    packages.iter().flat_map(of_package).collect()
}

/// The compiler keeps everybody else from it: without the feature there is no signer to name.
#[test]
fn who_may_sign_is_listed() {
    let uses = uses(&packages());
    let signs = |used: &&Use| used.used == "wsse" && used.features.iter().any(|f| f == "sign");
    let sign: BTreeSet<_> = uses
        .iter()
        .filter(signs)
        .map(|used| used.package.as_str())
        .collect();
    assert_eq!(sign, BTreeSet::from(MAY_SIGN));
}

/// The README begins with `cargo run`, which cargo refuses where two programs could be meant.
#[test]
fn one_program_is_meant_by_cargo_run() {
    let metadata = metadata();
    let members = metadata["workspace_default_members"].as_array().unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let meant: Vec<_> = packages
        .filter(|package| members.contains(&package["id"]))
        .filter_map(|package| package["default_run"].as_str())
        .collect();
    assert_eq!(meant, ["mpay"]);
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
    let packages = packages();
    let mut used: BTreeMap<_, BTreeSet<_>> = packages
        .iter()
        .map(|package| (name(package), BTreeSet::new()))
        .collect();
    for Use {
        package,
        used: other,
        ..
    } in uses(&packages)
    {
        used.entry(package).or_default().insert(other);
    }
    for (package, used) in used {
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
