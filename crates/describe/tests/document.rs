//! The document is as it should be, and the file is it.

use std::fs;

use describe::document;
use serde_json::Value;

#[test]
fn the_document_is_as_the_types_are() {
    let made = format!("{:#}\n", document());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../office/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(file, made).unwrap();
    } else {
        assert!(
            fs::read_to_string(file).unwrap() == made,
            "crates/office/openapi.json is stale. Make it anew, and look at what has changed:\n\
             UPDATE_OPENAPI=1 cargo test -p describe"
        );
    }
}

/// The values of an object.
fn values(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

#[test]
fn every_member_is_described() {
    let document = document();
    for (name, schema) in values(&document["components"]["schemas"]) {
        let alternatives = schema["oneOf"].as_array().or(schema["allOf"].as_array());
        let alternatives = alternatives.into_iter().flatten();
        for object in [schema].into_iter().chain(alternatives) {
            for (member, schema) in values(&object["properties"]) {
                assert!(
                    schema["description"].is_string(),
                    "{name}.{member} has no description: write it in crates/describe/src/members.rs"
                );
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(target) if name == "$ref" => found.push(target.clone()),
                        value => references(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    for target in &found {
        let pointer = target.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
    for (kind, group) in values(&document["components"]) {
        for (name, _) in values(group).filter(|_| kind != "securitySchemes") {
            let target = format!("#/components/{kind}/{name}");
            assert!(found.contains(&target), "{target} is nowhere used");
        }
    }
}

/// A refund is an amount below zero.
#[test]
fn amounts_in_a_comparison_of_statements_may_be_negative() {
    let schemas = &document()["components"]["schemas"];
    for (schema, member) in [("Known", "amount"), ("Known", "shown"), ("Shown", "amount")] {
        let pattern = &schemas[schema]["properties"][member]["pattern"];
        let pattern = pattern.as_str().unwrap();
        assert!(pattern.starts_with("^-?"), "{schema}.{member}: {pattern}");
    }
}

/// Generated clients make a class of each object and each enumeration. Within another schema it has
/// no name, and they call it `LineReasonType1`.
#[test]
fn what_becomes_a_class_has_a_name() {
    fn is_class(schema: &Value) -> bool {
        schema["type"] == "object" || schema["enum"].is_array()
    }
    fn unnamed(place: &str, value: &Value, found: &mut Vec<String>) {
        for (name, child) in values(value) {
            let place = format!("{place}/{name}");
            let within = match (name.as_str(), child) {
                ("anyOf" | "oneOf", Value::Array(alternatives)) => alternatives.iter().collect(),
                ("items", child) => vec![child],
                ("schema", child) if place.contains("/content/") => vec![child],
                _ => Vec::new(),
            };
            if within.into_iter().any(is_class) {
                found.push(place.clone());
            }
            unnamed(&place, child, found);
            for child in child.as_array().into_iter().flatten() {
                unnamed(&place, child, found);
            }
        }
    }
    let document = document();
    let mut found = Vec::new();
    unnamed("", &document, &mut found);
    assert_eq!(found, [""; 0], "name them: crates/describe/src/members.rs");
    let names = values(&document["components"]["schemas"]).map(|(name, _)| name);
    let numbered: Vec<_> = names
        .filter(|name| name.ends_with(|last: char| last.is_ascii_digit()))
        .collect();
    assert_eq!(numbered, [""; 0], "two types have one name");
}
