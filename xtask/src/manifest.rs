//! `spin.toml` as it is in the archive: with the components where they are there, and without how they
//! are built.

use std::path::{Path, PathBuf};

use anyhow::Context;
use toml::{Table, Value};

/// The build of a manifest's components, and its results.
#[derive(Debug)]
pub struct Build {
    /// The arguments of cargo, without a target folder.
    pub arguments: Vec<String>,
    /// The components, relative to the target folder.
    pub components: Vec<PathBuf>,
}

impl Build {
    /// The build that a manifest describes.
    ///
    /// # Errors
    /// If it is no manifest, or does not say it.
    pub fn read(manifest: &str) -> anyhow::Result<Build> {
        let manifest: Table = manifest.parse().context("it is no TOML")?;
        let components = manifest.get("component").and_then(Value::as_table);
        let components: Vec<_> = components
            .context("it has no components")?
            .values()
            .collect();
        let command = components
            .iter()
            .find_map(|component| component.get("build")?.get("command")?.as_str())
            .context("it does not say how the components are built")?;
        let mut words = command.split_whitespace().map(str::to_owned);
        let is_cargo = words.next().as_deref() == Some("cargo");
        anyhow::ensure!(is_cargo, "the components are not built by cargo: {command}");
        let mut arguments = Vec::new();
        let mut target = "target".to_owned();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--target-dir" => target = words.next().context("--target-dir names no folder")?,
                _ => arguments.push(word),
            }
        }
        let sources = components.iter().map(|component| {
            let source = component.get("source").and_then(Value::as_str);
            let source = Path::new(source.context("a component has no source")?);
            let within = source.strip_prefix(&target);
            let within = within.with_context(|| format!("{} is not in {target}", source.display()));
            within.map(Path::to_owned)
        });
        Ok(Build {
            arguments,
            components: sources.collect::<anyhow::Result<_>>()?,
        })
    }
}

/// The manifest with its components in another folder, and without how they are built.
pub fn for_archive(manifest: &str, folder: &str) -> String {
    let mut made = String::with_capacity(manifest.len());
    let mut of_build = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            of_build = line.starts_with("[component.") && line.ends_with(".build]");
        }
        let source = line.strip_prefix("source = \"");
        match source.and_then(|path| path.strip_suffix('"')) {
            _ if of_build => continue,
            Some(path) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                made.push_str(&format!("source = \"{folder}/{name}\""));
            }
            None => made.push_str(line),
        }
        made.push('\n');
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"# About it.
[component.door]
source = "target/other/wasm32-wasip2/component/door.wasm"
key_value_stores = ["default"]

[component.door.build]
# Both.
command = "cargo build --lib -p door --target-dir target/other --features a,b"
watch = ["src/**/*.rs"]

[component.office]
source = "target/other/wasm32-wasip2/component/office.wasm"
"#;

    #[test]
    fn a_manifest_says_how_its_components_are_built() {
        let build = Build::read(MANIFEST).unwrap();
        let words = ["build", "--lib", "-p", "door", "--features", "a,b"];
        assert_eq!(build.arguments, words);
        let components = ["door.wasm", "office.wasm"];
        assert_eq!(
            build.components,
            components.map(|name| Path::new("wasm32-wasip2/component").join(name))
        );
    }

    #[test]
    fn one_that_does_not_say_it_is_told() {
        for (from, to, expected) in [
            ("command", "order", "does not say how"),
            ("\"cargo build", "\"make", "not built by cargo: make"),
            ("source", "origin", "no source"),
            (
                "\"target/other/wasm32",
                "\"wasm32",
                "is not in target/other",
            ),
            ("[component", "[components", "no components"),
            ("[component", "component", "no TOML"),
        ] {
            let error = Build::read(&MANIFEST.replace(from, to)).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn in_the_archive_it_names_files_and_no_build() {
        assert_eq!(
            for_archive(MANIFEST, "components"),
            r#"# About it.
[component.door]
source = "components/door.wasm"
key_value_stores = ["default"]

[component.office]
source = "components/office.wasm"
"#
        );
    }
}
