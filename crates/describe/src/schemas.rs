//! Schemas of the types that are read and written.

use mpay_office::api::description::Schemas;
use serde_json::{Map, Value, json};

use super::{members, operations::schemas_without_token, shapes};

/// All schemas that were referred to, by their names.
pub fn schemas(collected: Schemas) -> Map<String, Value> {
    let mut schemas = Map::new();
    for (name, schema) in collected.finish().into_iter().flatten() {
        let name = without_suffix(&name).to_owned();
        let schema = refined(&name, renamed(schema));
        let known = schemas.insert(name.clone(), schema.clone());
        assert!(
            known.is_none_or(|known| known == schema),
            "{name} is not written as it is read"
        );
    }
    // Texts have a schema for each length.
    for name in ["Localized", "EachLanguage"] {
        schemas.remove(name);
    }
    schemas.insert("OrderPatch".to_owned(), patch(&schemas["Order"]));
    let own = shapes::shared().into_iter().chain(schemas_without_token());
    let own: Vec<_> = own
        .map(|(name, schema)| (name.to_owned(), schema))
        .chain(events(&mut schemas["EventAnswer"]))
        .collect();
    for (name, schema) in own {
        let known = schemas.insert(name.clone(), schema);
        assert!(known.is_none(), "{name} is there twice");
    }
    schemas
}

/// The events, each by a name of its own, such as `OrderRegisteredEvent`, and told apart by `type`.
/// Of the types of serialisation each is a reference with members beside it, which generated clients
/// leave out.
fn events(answer: &mut Value) -> Vec<(String, Value)> {
    let alternatives = answer["oneOf"].take();
    let members = answer["properties"].take();
    let required = answer["required"].take();
    let mut mapping = Map::new();
    let mut events = Vec::new();
    for mut alternative in alternatives.as_array().cloned().into_iter().flatten() {
        let mut own = json!({"type": "object", "properties": members, "required": required});
        own["properties"]["type"] = alternative["properties"]["type"].take();
        if let Some(required) = own["required"].as_array_mut() {
            required.push("type".into());
        }
        let of_type = own["properties"]["type"]["const"].as_str();
        let of_type = of_type.expect("the type of an event").to_owned();
        let name = event_name(&of_type);
        let reference = shapes::reference(&name);
        mapping.insert(of_type, reference["$ref"].clone());
        let event = json!({
            "description": alternative["description"],
            "allOf": [{"$ref": alternative["$ref"]}, own]
        });
        events.push((name, event));
    }
    *answer = json!({
        "description": answer["description"],
        "oneOf": events.iter().map(|(name, _)| shapes::reference(name)).collect::<Vec<_>>(),
        "discriminator": {"propertyName": "type", "mapping": mapping}
    });
    events
}

/// `OrderRegisteredEvent` of `order.registered`.
fn event_name(of_type: &str) -> String {
    let words = of_type.split(['.', '_']).map(|word| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    });
    words.chain(["Event".to_owned()]).collect()
}

/// The contract's names are those of the schemas too.
fn without_suffix(name: &str) -> &str {
    name.strip_suffix("Json").unwrap_or(name)
}

/// The same, wherever one refers to another.
pub fn renamed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                match value {
                    Value::String(target) if name == "$ref" => {
                        *target = without_suffix(target).to_owned();
                    }
                    value => *value = renamed(value.take()),
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| *item = renamed(item.take())),
        _ => {}
    }
    schema
}

/// A schema with what the types of serialisation do not say: what members mean, and what the types
/// of the domain ask of them.
fn refined(name: &str, mut schema: Value) -> Value {
    for alternative in schema["oneOf"].as_array_mut().into_iter().flatten() {
        *alternative = refined(name, alternative.take());
    }
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        if schema["oneOf"].is_null() {
            remove_null(&mut schema);
        } else if let Some(members) = schema.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        return schema;
    };
    let names: Vec<_> = properties.keys().cloned().collect();
    for (member, property) in properties.iter_mut() {
        remove_null(property);
        let (description, shape) = members::member(name, member);
        if let Some(members) = property.as_object_mut() {
            members.remove("default");
            if let Some(shape) = shape {
                let constant = members.get("const").cloned();
                let own = members.get("description").cloned();
                members.clear();
                members.extend(shape.as_object().cloned().unwrap_or_default());
                members.extend(constant.map(|constant| ("const".to_owned(), constant)));
                members.extend(own.map(|own| ("description".to_owned(), own)));
            }
            if !description.is_empty() {
                members.insert("description".to_owned(), description.into());
            }
        }
    }
    let mut required: Vec<String> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .chain(members::required(name).iter().map(|&name| name.to_owned()))
        .filter(|member| names.contains(member))
        .collect();
    required.sort();
    required.dedup();
    schema["required"] = required.into();
    if let Some(members) = schema.as_object_mut() {
        members
            .retain(|name, value| !value.is_null() && (name != "required" || value != &json!([])));
    }
    schema
}

/// Takes `null` out of the types: a member without a value is left out.
fn remove_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array() {
        let left: Vec<_> = types
            .iter()
            .filter(|kind| *kind != "null")
            .cloned()
            .collect();
        if let [one] = left.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if let Some(alternatives) = schema["anyOf"].as_array() {
        let null = json!({"type": "null"});
        let left: Vec<_> = alternatives
            .iter()
            .filter(|kind| **kind != null)
            .cloned()
            .collect();
        if let ([one], Some(members)) = (left.as_slice(), schema.as_object_mut()) {
            members.remove("anyOf");
            members.extend(one.as_object().cloned().unwrap_or_default());
        }
    }
    if let Some(members) = schema.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
}

/// The schema of a merge patch of an order: its members or null, none of them required.
fn patch(order: &Value) -> Value {
    let mut patch = order.clone();
    patch["description"] = json!(
        "Changes of an order (RFC 7396): a member replaces that of the order, and null removes it. Lines and properties are replaced as a whole."
    );
    if let Some(members) = patch.as_object_mut() {
        members.remove("required");
    }
    let properties = patch["properties"].as_object_mut();
    for (name, property) in properties.into_iter().flatten() {
        let description = property["description"].take();
        *property = match name.as_str() {
            // Of a text in several languages one may be given, or taken away.
            "reason" => json!({"anyOf": [shapes::localized_patch(), {"type": "null"}]}),
            _ => {
                remove_null(property);
                json!({"anyOf": [property, {"type": "null"}]})
            }
        };
        property["description"] = description;
    }
    patch
}
