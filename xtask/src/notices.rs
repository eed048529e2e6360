//! The licences of what others have written, which ask to be given on with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cargo::{Graph, Id, Package, Workspace};

/// The name of the file.
pub const FILE: &str = "THIRD-PARTY-LICENSES.txt";

/// A list of all packages that are not the workspace's own, and the texts that it refers to.
///
/// # Errors
/// If there is no text of a licence.
pub fn of(workspace: &Workspace, graph: &Graph) -> anyhow::Result<String> {
    let standard = Standard::read(workspace.root())?;
    let mut texts = Texts::default();
    let library = texts.number(&standard.apache);
    let mut list = format!(
        "rust-std {}: MIT OR Apache-2.0 {library}\n",
        workspace.rust_version()
    );
    for id in graph.keys() {
        let package = workspace.package(id)?;
        if package.is_own() {
            continue;
        }
        let license = package.license.as_deref().unwrap_or("see its text");
        list.push_str(&format!("{} {}: {license}", id.name, id.version));
        for text in licenses(workspace, graph, id, package, &standard)? {
            list.push_str(&format!(" {}", texts.number(&text)));
        }
        list.push('\n');
    }
    let mut notices = format!(
        "mpay-provider is under LICENSE-MIT or LICENSE-APACHE, as you like. These programs are also made\n\
         of what others have written. A number is that of a text below. SQLite, which libsqlite3-sys\n\
         brings, is in the public domain.\n\n{list}"
    );
    for (index, text) in texts.0.iter().enumerate() {
        let line = "=".repeat(80);
        notices.push_str(&format!(
            "\n{line}\n[{}]\n\n{}\n",
            index + 1,
            text.trim_end()
        ));
    }
    Ok(notices)
}

/// Texts that many packages have are printed once.
#[derive(Default)]
struct Texts(Vec<String>);

impl Texts {
    fn number(&mut self, text: &str) -> String {
        let known = self.0.iter().position(|known| known == text);
        let index = known.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        format!("[{}]", index + 1)
    }
}

/// The texts of a package: its own, or those of its neighbours in one repository, or the text that its
/// licence has everywhere.
fn licenses(
    workspace: &Workspace,
    graph: &Graph,
    id: &Id,
    package: &Package,
    standard: &Standard,
) -> anyhow::Result<Vec<String>> {
    let own = texts_in(&package.folder)?;
    if !own.is_empty() {
        return Ok(own);
    }
    for neighbour in graph.keys() {
        let neighbour = workspace.package(neighbour)?;
        if package.repository.is_some() && neighbour.repository == package.repository {
            let texts = texts_in(&neighbour.folder)?;
            if !texts.is_empty() {
                return Ok(texts);
            }
        }
    }
    let license = package.license.as_deref().unwrap_or_default();
    match license {
        license if license.contains("Apache-2.0") => Ok(vec![standard.apache.clone()]),
        "MIT" => Ok(vec![standard.mit(&package.authors)]),
        _ => bail!("{id} has no text of its licence ({license})"),
    }
}

/// The files of licences in a folder.
fn texts_in(folder: &Path) -> anyhow::Result<Vec<String>> {
    const NAMES: [&str; 5] = ["license", "licence", "copying", "notice", "unlicense"];
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()));
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for entry in entries? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let is_code = name.ends_with(".rs") || name.ends_with(".toml");
        if path.is_file() && !is_code && NAMES.iter().any(|known| name.starts_with(known)) {
            files.insert(name, path);
        }
    }
    let texts = files.values().map(|file| {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
    });
    texts.collect()
}

/// Licences that are the same everywhere, but for whose they are.
struct Standard {
    apache: String,
    mit: String,
}

impl Standard {
    /// Those of the workspace.
    fn read(workspace: &Path) -> anyhow::Result<Standard> {
        let read = |name: &str| fs::read_to_string(workspace.join(name)).context(name.to_owned());
        Ok(Standard {
            apache: read("LICENSE-APACHE")?,
            mit: read("LICENSE-MIT")?,
        })
    }

    fn mit(&self, authors: &[String]) -> String {
        let lines = self
            .mit
            .lines()
            .map(|line| match line.starts_with("Copyright") {
                true => format!("Copyright (c) {}", authors.join(", ")),
                false => line.to_owned(),
            });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_of_a_folder_are_found_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "LICENSE-MIT",
            "licence.txt",
            "COPYING",
            "NOTICE",
            "license.rs",
            "README.md",
        ] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("LICENSES")).unwrap();
        let texts = texts_in(folder.path()).unwrap();
        assert_eq!(texts, ["COPYING", "licence.txt", "LICENSE-MIT", "NOTICE"]);
    }

    #[test]
    fn a_standard_licence_is_that_of_its_authors() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mit = Standard::read(root)
            .unwrap()
            .mit(&["Ana".into(), "Ion".into()]);
        assert!(mit.contains("Copyright (c) Ana, Ion\n"), "{mit}");
        assert!(mit.contains("Permission is hereby granted"), "{mit}");
        assert_eq!(mit.matches("Copyright").count(), 1, "{mit}");
    }
}
