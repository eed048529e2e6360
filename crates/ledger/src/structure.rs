//! Rules of the modules that the compiler does not enforce: which module makes which keys, and which uses
//! which.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
};

use super::keys::TABLE;

/// The crate's own sources, but for tests and this table: the code by the name of the module.
fn sources() -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = ["", "cards", "erasures", "json", "orders"].map(|folder| source.join(folder));
    let files = folders.iter().flat_map(|folder| {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path())
    });
    let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    let named = files.map(|file| {
        let folder = file.parent().unwrap();
        // A module in a folder is one with its parts.
        let named = if folder == source { &file } else { folder };
        let name = named.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(file).unwrap();
        let end = text.find("#[cfg(test)]\nmod tests {");
        (name, text[..end.unwrap_or(text.len())].to_owned())
    });
    let others = ["keys", "lib", "testing"];
    let is_test =
        |name: &str| name.ends_with("tests") || ["properties", "structure"].contains(&name);
    let mut sources = BTreeMap::<String, String>::new();
    for (name, text) in named {
        if !others.contains(&name.as_str()) && !is_test(&name) {
            sources.entry(name).or_default().push_str(&text);
        }
    }
    sources
}

/// True if `word` stands in a text by itself.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    })
}

/// The modules: each uses only those before it. It is the map in `lib.rs`.
const ORDER: &[&str] = &[
    "digest",
    "places",
    "json",
    "keys",
    "record",
    "secret",
    "cursor",
    "notes",
    "messages",
    "order_list",
    "aliases",
    "journal_list",
    "became",
    "afterwards",
    "attempts",
    "settlements",
    "refusals",
    "stored_order",
    "folds",
    "proposals",
    "standings",
    "days",
    "orders",
    "requests",
    "payments",
    "manual",
    "reviews",
    "refunds",
    "cards",
    "journal",
    "mpay_calls",
    "open_reviews",
    "register",
    "outbox",
    "long_orders",
    "erasures",
    "archives",
    "repair",
];

/// The parts of a list in braces, or the one part that stands without any.
fn parts(list: &str) -> Vec<&str> {
    let list = list.trim();
    let inner = list
        .strip_prefix('{')
        .and_then(|list| list.strip_suffix('}'));
    let mut depth = 0;
    let at_top = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    };
    let parts = inner.unwrap_or(list).split(at_top).map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

/// The text between each `start` and the next `;`.
fn statements<'a>(source: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let statements = source.split(start).skip(1);
    statements.filter_map(|rest| rest.split(';').next())
}

/// The names at the root, by the module that it is of.
fn at_the_root() -> HashMap<&'static str, &'static str> {
    let uses = statements(include_str!("lib.rs"), "pub use ");
    let uses = uses.filter_map(|text| text.split_once("::"));
    uses.flat_map(|(module, names)| parts(names).into_iter().map(move |name| (name, module)))
        .collect()
}

#[test]
fn the_keys_of_a_prefix_are_made_in_one_module() {
    for (module, source) in sources() {
        assert!(!source.contains("keys::*"), "{module} takes all prefixes");
        for (name, prefix, owner) in TABLE {
            let is_owner = module == *owner;
            let uses = has_word(&source, &format!("keys::{name}"));
            assert_eq!(uses, is_owner, "{module} and {name}, which {owner} owns");
            let literal = format!("\"{prefix}/");
            assert!(!source.contains(&literal), "{module} writes {literal}");
        }
    }
}

#[test]
fn no_prefix_stands_twice_or_before_another() {
    let prefixes: BTreeSet<_> = TABLE.iter().map(|(_, prefix, _)| prefix).collect();
    assert_eq!(prefixes.len(), TABLE.len());
    for one in &prefixes {
        let begins = |other: &&&&str| other.starts_with(&format!("{one}/"));
        assert_eq!(prefixes.iter().find(begins), None, "{one}");
    }
}

#[test]
fn the_design_names_every_prefix_and_its_owner() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let design = fs::read_to_string(root.join("DESIGN.md")).unwrap();
    for (name, prefix, owner) in TABLE {
        let row = design.lines().find(|line| {
            let cells = line.split(" | ").next().unwrap_or_default();
            let is_key = |key: &str| {
                let rest = key.strip_prefix(prefix);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            line.starts_with("| `") && cells.split('`').any(is_key)
        });
        let row = row.unwrap_or_else(|| panic!("no row of {name}: {prefix}"));
        assert!(row.contains(&format!("`{owner}`")), "{row}: {owner}");
    }
}

#[test]
fn no_module_uses_one_that_stands_behind_it() {
    let at_the_root = at_the_root();
    let rank = |module: &str| ORDER.iter().position(|known| *known == module);
    for (module, source) in sources() {
        let own = rank(&module).unwrap_or_else(|| panic!("{module} has no place in the order"));
        let uses = ["use super::", "use crate::"].map(|start| statements(&source, start));
        for used in uses.into_iter().flatten().flat_map(parts) {
            let name = used.split("::").next().unwrap_or_default();
            let used = at_the_root.get(name).unwrap_or(&name);
            assert!(rank(used) <= Some(own), "{module} uses {name}");
        }
    }
}
