//! The document as a whole, and the tests that it is as it should be.

use miniz_oxide::inflate::decompress_to_vec;
use serde_json::{Map, Value, json};

use super::{
    DOCUMENT, members,
    operations::{Operation, operation, problem_responses},
    schemas::Schemas,
};
use mpay_door::ProblemDocument;

use crate::api::RESOURCES;

const DESCRIPTION: &str = "\
The API of an MPay service provider for the institution's own system: it registers orders, and \
reads what MPay confirmed.

Amounts are strings with a point and at most two fraction digits. Times are RFC 3339; those that \
are sent may lack the offset, and then are local time of Chişinău; a date means its end. Members \
without a value are left out, never `null`, except in a merge patch.

`HEAD` is answered like `GET`, without the body. Errors are problem documents (RFC 9457). Later \
versions may add members and types of events: ignore what you do not know.";

/// The document, made anew.
fn document() -> Value {
    let mut schemas = Schemas::default();
    schemas.answer::<ProblemDocument<'static>>();
    let mut paths = Map::new();
    for resource in &RESOURCES {
        let methods = resource.methods().filter(|method| *method != "HEAD");
        let operations: Map<_, _> = methods
            .map(|method| {
                let described = operation(method, resource.path, &mut schemas);
                let described = described.unwrap_or_else(|| {
                    panic!(
                        "{method} /api/{} has no description: write it in src/api/openapi/operations.rs",
                        resource.path
                    )
                });
                (method.to_lowercase(), described.into_json(method, resource.path))
            })
            .collect();
        paths.insert(format!("/api/{}", resource.path), operations.into());
    }
    for (path, described) in Operation::without_token() {
        let described = described.into_json("GET", path);
        paths.insert(path.to_owned(), json!({"get": described}));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "MPay provider",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "parameters": members::parameters(),
            "responses": problem_responses(),
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "The token of a principal of the variable `access`. Its role says what it may do; anything else is answered 403."
                }
            }
        }
    })
}

#[test]
fn the_document_is_as_the_types_are() {
    let made = format!("{:#}\n", document());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/openapi/openapi.json");
        std::fs::write(file, made).unwrap();
    } else {
        assert!(
            decompress_to_vec(DOCUMENT).unwrap() == made.as_bytes(),
            "src/api/openapi/openapi.json is stale. Make it anew, and look at what has changed:\n\
             UPDATE_OPENAPI=1 cargo test -p mpay-office openapi"
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
        let alternatives = schema["oneOf"].as_array().into_iter().flatten();
        for object in [schema].into_iter().chain(alternatives) {
            for (member, schema) in values(&object["properties"]) {
                assert!(
                    schema["description"].is_string(),
                    "{name}.{member} has no description: write it in src/api/openapi/members.rs"
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
