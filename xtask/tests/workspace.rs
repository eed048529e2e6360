//! The documents of a release, made of this very workspace.

use std::collections::BTreeSet;

use serde_json::Value;
use xtask::cargo::{Graph, WASM, Workspace};
use xtask::release::{ROOTS, of_all};
use xtask::{notices, sbom};

fn workspace() -> (Workspace, Graph) {
    let workspace = Workspace::here(None).unwrap();
    let graph = of_all(&workspace, workspace.host()).unwrap();
    (workspace, graph)
}

fn names(graph: &Graph) -> BTreeSet<&str> {
    graph.keys().map(|id| id.name.as_str()).collect()
}

#[test]
fn it_is_made_of_what_is_deployed_and_not_of_what_builds_or_tests_it() {
    let (workspace, all) = workspace();
    let all = names(&all);
    for name in [
        "mpay",
        "mpay-office",
        "mpay-provider",
        "wasmtime",
        "rusqlite",
        "spin-sdk",
    ] {
        assert!(all.contains(name), "{name}");
    }
    for name in [
        "tempfile",
        "proptest",
        "simulator",
        "cc",
        "serde_derive",
        "xtask",
    ] {
        assert!(!all.contains(name), "{name}");
    }
    let component = workspace.graph(WASM, &["mpay-office"], &[]).unwrap();
    let component = names(&component);
    assert!(component.contains("spin-sdk") && !component.contains("wasmtime"));
}

#[test]
fn its_bill_of_materials_has_what_cyclonedx_requires_and_names_nothing_twice() {
    let (workspace, graph) = workspace();
    let roots = ROOTS.map(|name| workspace.own(name).unwrap());
    let time = "2026-11-28T12:00:00+00:00";
    let bom = sbom::of(&workspace, &roots, &graph, time).unwrap();
    assert_eq!(bom["bomFormat"], "CycloneDX");
    assert_eq!(bom["specVersion"], "1.5");
    assert_eq!(bom["metadata"]["timestamp"], time);
    assert_eq!(bom["metadata"]["component"]["name"], "mpay-provider");

    let components = bom["components"].as_array().unwrap();
    let archive = &bom["metadata"]["component"]["bom-ref"];
    let mut known = BTreeSet::from([archive.as_str().unwrap()]);
    for component in components {
        for member in ["type", "name", "version", "bom-ref"] {
            assert!(component[member].is_string(), "{member}: {component}");
        }
        assert!(component["licenses"][0].is_object(), "{component}");
        assert!(
            known.insert(component["bom-ref"].as_str().unwrap()),
            "{component}"
        );
        if let Some(purl) = component["purl"].as_str()
            && purl.starts_with("pkg:cargo/")
        {
            let sum = component["hashes"][0]["content"].as_str().unwrap();
            assert!(
                sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{sum}"
            );
        }
    }
    for name in ["sqlite", "rust-std"] {
        assert!(
            components.iter().any(|component| component["name"] == name),
            "{name}"
        );
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut of = BTreeSet::new();
    for dependency in bom["dependencies"].as_array().unwrap() {
        assert!(of.insert(text(&dependency["ref"])), "{dependency}");
        for used in dependency["dependsOn"].as_array().unwrap() {
            assert!(known.contains(used.as_str().unwrap()), "{used}");
        }
    }
    assert!(
        of.iter()
            .all(|reference| known.contains(reference.as_str()))
    );
    let folder = workspace.root().to_str().unwrap();
    assert!(
        !bom.to_string().contains(folder),
        "it names the builder's folder"
    );
    assert_eq!(bom, sbom::of(&workspace, &roots, &graph, time).unwrap());
}

#[test]
fn each_package_of_others_is_given_on_with_its_licence() {
    let (workspace, graph) = workspace();
    let notices = notices::of(&workspace, &graph).unwrap();
    let (list, texts) = notices.split_once("\n====").unwrap();
    for id in graph.keys() {
        let line = format!("\n{} {}: ", id.name, id.version);
        let own = workspace.package(id).unwrap().is_own();
        assert_eq!(list.contains(&line), !own, "{line}");
    }
    // Each line ends with the number of a text.
    for line in list.lines().filter(|line| line.contains(": ")).skip(1) {
        let (_, number) = line.rsplit_once(" [").unwrap();
        assert!(texts.contains(&format!("\n[{number}\n")), "{line}");
    }
    assert!(
        texts.contains("Permission is hereby granted"),
        "a text of MIT"
    );
}
