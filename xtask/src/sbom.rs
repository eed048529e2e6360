//! The bill of materials of the archive, as CycloneDX 1.5.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cargo::{Graph, Id, Package, Workspace};

/// The name of the file, as tools that look for one know it.
pub const FILE: &str = "bom.cdx.json";

/// The bill of materials of what is built of these packages, made at this time, in RFC 3339.
///
/// # Errors
/// If something is not known of a package.
pub fn of(
    workspace: &Workspace,
    roots: &[&Id],
    graph: &Graph,
    time: &str,
) -> anyhow::Result<Value> {
    let version = &workspace.own("mpay-provider")?.version;
    let archive = format!("archive/mpay-provider@{version}");
    let library = library(workspace.rust_version());
    let mut components = vec![library.clone()];
    let mut dependencies = vec![json!({
        "ref": archive,
        "dependsOn": roots.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })];
    for (id, used) in graph {
        let package = workspace.package(id)?;
        components.push(component(id, package, roots.contains(&id)));
        let mut uses: BTreeSet<_> = used.iter().map(ToString::to_string).collect();
        if roots.contains(&id) {
            uses.extend(library["bom-ref"].as_str().map(str::to_owned));
        }
        if id.name == "libsqlite3-sys" {
            let sqlite = sqlite(package)?;
            uses.extend(sqlite["bom-ref"].as_str().map(str::to_owned));
            components.push(sqlite);
        }
        dependencies.push(json!({"ref": id.to_string(), "dependsOn": uses}));
    }
    let mut bom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "tools": {"components": [{"type": "application", "name": "xtask", "version": version}]},
            "component": {
                "type": "application",
                "bom-ref": archive,
                "name": "mpay-provider",
                "version": version,
                "description": "Service provider for MPay, with the command that runs it",
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    bom["serialNumber"] = json!(serial_number(&bom.to_string())?);
    Ok(bom)
}

fn component(id: &Id, package: &Package, is_root: bool) -> Value {
    let mut component = json!({
        "type": if is_root { "application" } else { "library" },
        "bom-ref": id.to_string(),
        "name": id.name,
        "version": id.version,
    });
    if let Some(license) = &package.license {
        component["licenses"] = json!([{"expression": license}]);
    }
    if let Some(checksum) = &package.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        // A `+` would be a space in it.
        let version = id.version.replace('+', "%2B");
        component["purl"] = json!(format!("pkg:cargo/{}@{version}", id.name));
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

/// Rust's own library, which no package of cargo names.
fn library(version: &str) -> Value {
    json!({
        "type": "library",
        "bom-ref": format!("rust-std@{version}"),
        "name": "rust-std",
        "version": version,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "externalReferences": [{"type": "vcs", "url": "https://github.com/rust-lang/rust"}],
    })
}

/// SQLite itself, whose source `libsqlite3-sys` brings.
fn sqlite(package: &Package) -> anyhow::Result<Value> {
    let header = package.folder.join("sqlite3/sqlite3.h");
    let text = fs::read_to_string(&header);
    let text = text.with_context(|| format!("cannot read {}", header.display()))?;
    let mut lines = text.lines();
    let version = lines.find_map(|line| line.strip_prefix("#define SQLITE_VERSION "));
    let version = version.context("sqlite3.h does not say its version")?;
    let version = version.trim().trim_matches('"');
    Ok(json!({
        "type": "library",
        "bom-ref": format!("sqlite@{version}"),
        "name": "sqlite",
        "version": version,
        "licenses": [{"license": {"name": "Public domain"}}],
        "purl": format!("pkg:generic/sqlite@{version}"),
        "cpe": format!("cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*"),
    }))
}

/// A UUID of the contents, version 8 of RFC 9562: the same archive has the same.
fn serial_number(contents: &str) -> anyhow::Result<String> {
    let digest = Sha256::digest(contents);
    let bytes = digest
        .first_chunk::<16>()
        .context("a digest has 32 bytes")?;
    let mut number = u128::from_be_bytes(*bytes);
    number = number & !(0xf << 76) | 8 << 76;
    number = number & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok(format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_a_uuid_that_follows_from_the_contents() {
        let number = serial_number("a").unwrap();
        assert_eq!(number, serial_number("a").unwrap());
        assert_ne!(number, serial_number("b").unwrap());
        let parts: Vec<_> = number
            .strip_prefix("urn:uuid:")
            .unwrap()
            .split('-')
            .collect();
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('8'), "{number}");
        assert!(parts[3].starts_with(['8', '9', 'a', 'b']), "{number}");
    }
}
