//! The documents say what there is: every link leads somewhere, every page can be found, and every
//! variable is explained.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use mpay_door::Configuration;
use mpay_host::Manifest;
use mpay_office::config::Config as OfficeConfig;
use mpay_provider::config::Config as ProviderConfig;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every document of the workspace, by its path from the root.
fn documents() -> BTreeMap<PathBuf, String> {
    let mut documents = BTreeMap::new();
    let mut folders = vec![workspace().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(workspace()).unwrap();
                documents.insert(path.to_owned(), text);
            }
        }
    }
    documents
}

/// The lines of a document that are neither in a block of code nor its fences.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// The targets of a document's links, without those to other sites.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        // Every second part is code.
        let outside: String = line.split('`').step_by(2).collect();
        for rest in outside.split("](").skip(1) {
            let (link, _) = rest.split_once(')').expect(line);
            if !link.contains("://") && !link.starts_with("mailto:") {
                links.push(link.to_owned());
            }
        }
    }
    links
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            });
            kept.collect()
        })
        .collect()
}

/// The path from the root that a link in `document` names, and its anchor.
fn target<'a>(document: &Path, link: &'a str) -> (PathBuf, &'a str) {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    if path.is_empty() {
        return (document.to_owned(), anchor);
    }
    let mut target = document.parent().unwrap().to_owned();
    for part in path.split('/') {
        match part {
            ".." => assert!(target.pop(), "{link} leads out of the workspace"),
            "." | "" => {}
            part => target.push(part),
        }
    }
    (target, anchor)
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let mut broken = Vec::new();
    for (path, text) in &documents {
        for link in links(text) {
            let (target, anchor) = target(path, &link);
            let found = match documents.get(&target) {
                Some(text) => anchor.is_empty() || anchors(text).contains(anchor),
                None => workspace().join(&target).exists(),
            };
            if !found {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Their paths begin at the root, or at a folder that the document is in.
#[test]
fn files_that_are_named_are_there() {
    const FOLDERS: [&str; 6] = [".ci/", "benches/", "crates/", "docs/", "src/", "tests/"];
    let mut missing = Vec::new();
    for (path, text) in &documents() {
        for name in prose(text).flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder))
                && !name.contains(|c: char| c.is_whitespace() || "{}<>*…".contains(c));
            let mut folders = path.ancestors().skip(1);
            if is_path && !folders.any(|folder| workspace().join(folder).join(name).exists()) {
                missing.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_page_is_found_from_the_readme() {
    let documents = documents();
    let mut found = BTreeSet::new();
    let mut next = vec![PathBuf::from("README.md")];
    while let Some(path) = next.pop() {
        if let Some(text) = documents.get(&path)
            && found.insert(path.clone())
        {
            next.extend(links(text).iter().map(|link| target(&path, link).0));
        }
    }
    let pages = documents.keys().filter(|path| path.starts_with("docs"));
    let lost: Vec<_> = pages.filter(|page| !found.contains(*page)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn the_readme_is_short() {
    let bytes = documents()[Path::new("README.md")].len();
    assert!(bytes <= 8192, "{bytes}");
}

/// The rows of the tables whose first cell is a name in backticks, without that cell.
fn rows(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        Some((name, cells.collect()))
    });
    rows.collect()
}

#[test]
fn the_table_of_variables_is_that_of_the_doors() {
    let text = &documents()[Path::new("docs/configuration.md")];
    let (_, table) = text.split_once("\n## All variables\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = rows(table);
    let manifest = Manifest::load(workspace().join("spin.toml")).unwrap();
    let doors = [ProviderConfig::VARIABLES, OfficeConfig::VARIABLES];
    let read: BTreeSet<_> = doors.iter().flat_map(|read| read.iter().copied()).collect();
    assert_eq!(rows.keys().copied().collect::<BTreeSet<_>>(), read);
    for (name, variable) in &manifest.variables {
        let name = name.as_str();
        let door = match doors.map(|read| read.contains(&name)) {
            [true, true] => "both",
            [true, false] => "MPay's",
            _ => "office",
        };
        let secret = if variable.secret { "yes" } else { "no" };
        let default = match variable.default.as_deref() {
            None | Some("") => "none".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let [in_door, is_secret, has_default, ..] = rows[name][..] else {
            panic!("{name}: {:?}", rows[name]);
        };
        assert_eq!(
            (in_door, is_secret, has_default),
            (door, secret, default.as_str()),
            "{name}"
        );
    }
}

/// The manifests of the components that keep the books in PostgreSQL. `UPDATE_MANIFEST=1` writes them anew.
#[test]
fn the_manifests_for_postgresql_are_the_usual_one_with_a_database_for_its_store() {
    let usual = std::fs::read_to_string(workspace().join("spin.toml")).unwrap();
    for (name, note) in [
        ("spin.postgres.toml", POSTGRES),
        ("spin.akamai.toml", AKAMAI),
    ] {
        let file = workspace().join(name);
        let made = format!("{note}{MADE}{}", for_postgres(&usual));
        if std::env::var_os("UPDATE_MANIFEST").is_some() {
            std::fs::write(&file, &made).unwrap();
        }
        let manifest = Manifest::load(&file).unwrap();
        for component in manifest.components.values() {
            assert!(component.key_value_stores.is_empty());
        }
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(
            written == made,
            "UPDATE_MANIFEST=1 cargo test --test documents writes {name} anew"
        );
    }
}

const POSTGRES: &str = "# For the components that keep the books in PostgreSQL.\n";
const AKAMAI: &str = "# For Akamai Functions: `spin aka deploy -f spin.akamai.toml`. The components are those that keep the\n\
    # books in PostgreSQL, since the platform's key-value store neither counts nor writes batches at once.\n\
    # Its limits are 128 MiB of memory, 30 s for a request, 10 MiB of a body and 50 MiB of an application.\n";
const MADE: &str = "# Made from spin.toml: change that one, and `UPDATE_MANIFEST=1 cargo test --test documents` makes this\n\
    # one anew.\n";

fn for_postgres(usual: &str) -> String {
    const VARIABLES: &str = "# The database, postgres://USER:PASSWORD@HOST/DATABASE?sslmode=require, and its scheme, host and port\n\
        # alone: nothing else may be connected to.\n\
        database_url = { default = \"\", secret = true }\n\
        database_origin = { default = \"postgres://database.invalid\" }\n\
        # The authority of its certificate, PEM, if it is none that the machine knows.\n\
        database_ca = { default = \"\" }\n\n";
    const GIVEN: &str =
        "database_ca = \"{{ database_ca }}\"\ndatabase_url = \"{{ database_url }}\"\n";
    let mut made = String::new();
    for line in usual.lines() {
        if line.starts_with("key_value_stores = ") {
            continue;
        }
        if line.starts_with("# MPay's door: ") {
            made.push_str(VARIABLES);
        }
        let line = line
            .replace("\"target/wasm32-wasip2", "\"target/postgres/wasm32-wasip2")
            .replace(
                "--profile component\"",
                "--profile component --target-dir target/postgres --features mpay-provider/postgres,mpay-office/postgres\"",
            )
            .replace("allowed_outbound_hosts = [", "allowed_outbound_hosts = [\"{{ database_origin }}\", ");
        // In the order of their names.
        if line.starts_with("environment = \"") {
            made.push_str(GIVEN);
        }
        made.push_str(&line);
        made.push('\n');
    }
    made
}
