//! The JSON document that a caller sends.

use std::fmt;

use http::StatusCode;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Map, Value, error::Category, value::RawValue};
use serde_path_to_error::{Path, Segment};

use super::{Problem, merge_patch};
use crate::json::FieldError;

/// The most mistakes that one answer names.
const MOST_ERRORS: usize = 20;

type ReadError = serde_path_to_error::Error<serde_json::Error>;

/// Reads a document: one JSON object.
pub(super) fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Some editors and programs begin a file with a byte order mark.
    let body = body.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(body);
    // serde would read an array as an object without names.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(not_json("it must be an object, in braces"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let json = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        match error.inner().classify() {
            Category::Data => Problem::fields(wrong_members::<T>(body, &error)),
            _ => unreadable(error.inner()),
        }
    })?;
    reader.end().map_err(|error| {
        let (line, column) = (error.line(), error.column());
        not_json(&format!(
            "the object ends before line {line}, column {column}, where more follows"
        ))
    })?;
    Ok(json)
}

/// Applies a patch to a document, and reads the result. The document is written and read as text: code to
/// convert every type to and from values would add one hundredth to the component.
pub(super) fn patched<T: Serialize + DeserializeOwned>(
    document: &T,
    patch: &Value,
) -> Result<T, Problem> {
    let before = serde_json::to_vec(document).map_err(Problem::internal)?;
    let mut merged: Value = read_object(&before)?;
    merge_patch::apply(&mut merged, patch);
    let text = serde_json::to_vec(&merged).map_err(Problem::internal)?;
    read_object(&text)
}

/// The document without its derived members. A derived member may be sent back unchanged, so that a caller may
/// return an answer without knowing which members are derived.
///
/// # Errors
/// The derived members whose values were changed.
pub(super) fn without_derived(
    mut document: Members,
    derived: &[&str],
    current: &Map<String, Value>,
) -> Result<Members, Vec<FieldError>> {
    let mut errors = Vec::new();
    document.0.retain(|(name, given)| {
        if !derived.contains(&name.as_str()) {
            return true;
        }
        let is = current.get(name);
        if serde_json::from_str(given.get()).ok().as_ref() != is {
            let detail = match is {
                Some(Value::String(is)) => {
                    format!("follows from the rest and is {is:?}; leave it so, or out")
                }
                _ => "follows from the rest; leave it as it is, or out".to_owned(),
            };
            errors.push(FieldError::new(name, detail));
        }
        false
    });
    match errors.is_empty() {
        true => Ok(document),
        false => Err(errors),
    }
}

/// The members of an object as they were sent. A member that occurs twice is kept twice, so that the reader of
/// the remaining document finds it.
#[derive(Debug)]
pub(super) struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    /// The value of a member.
    pub fn get(&self, name: &str) -> Option<Value> {
        let found = self.0.iter().find(|(known, _)| known == name);
        serde_json::from_str(found?.1.get()).ok()
    }

    /// True if the object has any of these members.
    pub fn have_any(&self, names: &[&str]) -> bool {
        let mut members = self.0.iter();
        members.any(|(name, _)| names.contains(&name.as_str()))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn not_json(what: &str) -> Problem {
    let detail = format!("The body is no document in JSON: {what}.");
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => not_json(&format!("it ends too early, in line {line}")),
        _ => not_json(&format!(
            "look at line {line}, column {column}, for a comma too many or too few, a missing quotation mark or brace, or single quotes"
        )),
    }
}

/// The mistakes in members: the first one, and each further one that appears once the earlier ones are removed.
fn wrong_members<T: DeserializeOwned>(body: &[u8], first: &ReadError) -> Vec<FieldError> {
    let mut errors = vec![member_error(first)];
    let Ok(mut document) = serde_json::from_slice::<Value>(body) else {
        return errors;
    };
    let mut found = take_out(&mut document, first.path());
    while found && errors.len() < MOST_ERRORS {
        let Ok(text) = serde_json::to_vec(&document) else {
            break;
        };
        let mut reader = serde_json::Deserializer::from_slice(&text);
        let Err(next) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
            break;
        };
        let error = member_error(&next);
        // A member that cannot be removed fails again in the same way.
        if errors.contains(&error) {
            break;
        }
        errors.push(error);
        found = take_out(&mut document, next.path());
    }
    errors
}

/// Removes a member, or replaces an item of a list by an empty object. Returns true if it was there.
fn take_out(document: &mut Value, path: &Path) -> bool {
    let mut segments: Vec<_> = path.iter().collect();
    let Some(last) = segments.pop() else {
        return false;
    };
    let mut place = Some(document);
    for segment in segments {
        place = place.and_then(|place| match segment {
            Segment::Map { key } => place.get_mut(key),
            Segment::Seq { index } => place.get_mut(index),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
    }
    match (place, last) {
        (Some(Value::Object(members)), Segment::Map { key }) => members.remove(key).is_some(),
        // The item is replaced, so that the other items keep their positions.
        (Some(Value::Array(items)), Segment::Seq { index }) => {
            let item = items.get_mut(*index);
            item.map(|item| *item = Value::Object(Map::new())).is_some()
        }
        _ => false,
    }
}

fn member_error(error: &ReadError) -> FieldError {
    let path = error.path().to_string();
    let path = if path == "." { String::new() } else { path };
    let message = error.inner().to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    let (missing, detail) = in_words(message);
    let field = match (path.is_empty(), missing) {
        (_, None) => path,
        (true, Some(member)) => member.to_owned(),
        (false, Some(member)) => format!("{path}.{member}"),
    };
    FieldError::new(field, detail)
}

/// A message of the JSON reader in this provider's own words, and the member that it means if the path does not
/// name it. No part of a value is repeated.
fn in_words(message: &str) -> (Option<&str>, String) {
    if let Some(member) = message.strip_prefix("missing field ") {
        return (Some(member.trim_matches('`')), "is missing".to_owned());
    }
    if let Some(member) = message.strip_prefix("duplicate field ") {
        return (Some(member.trim_matches('`')), "is there twice".to_owned());
    }
    let expected = |known: &str| known.replace('`', "").replace("one of ", "");
    if let Some((_, known)) = message
        .strip_prefix("unknown field ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        let detail = format!("is no member here; there are {}", expected(known));
        return (None, detail);
    }
    if let Some((_, known)) = message
        .strip_prefix("unknown variant ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        return (None, format!("must be one of {}", expected(known)));
    }
    if let Some((found, wanted)) = message
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        return (
            None,
            format!("must be {}, and is {}", kind(wanted), kind(found)),
        );
    }
    if let Some((_, wanted)) = message
        .strip_prefix("invalid value: ")
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        return (None, format!("must be {}", kind(wanted)));
    }
    (None, message.to_owned())
}

/// JSON's name for a kind of value, from serde's name.
fn kind(serde: &str) -> &str {
    let word = serde
        .split([' ', '`'])
        .find(|word| *word != "a" && *word != "an");
    match word.unwrap_or_default() {
        "string" | "character" => "a text in quotation marks",
        "boolean" => "true or false",
        "integer" | "u64" | "u32" | "u16" | "i64" => "a whole number",
        "floating" | "f64" => "a number",
        "sequence" => "a list",
        "map" | "struct" => "an object",
        "null" | "unit" => "null",
        _ => serde,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::OrderJson;

    fn read(body: &str) -> (String, Vec<String>) {
        let problem = read_object::<OrderJson>(body.as_bytes()).unwrap_err();
        let (detail, errors) = problem.into_parts();
        let errors = errors
            .iter()
            .map(|error| format!("{} {}", error.field, error.detail));
        (detail, errors.collect())
    }

    #[test]
    fn every_wrong_member_is_named_at_once_and_in_our_own_words() {
        let (_, errors) = read(
            r#"{"reason": 5, "colour": "red", "due_date": ["secret"], "allow_partial_payments": "secret",
                "lines": [{"line_id": {}}, "secret", {"amount": "secret"}], "properties": "secret"}"#,
        );
        let named: Vec<_> = errors
            .iter()
            .filter_map(|error| error.split(' ').next())
            .collect();
        for name in [
            "reason",
            "colour",
            "due_date",
            "allow_partial_payments",
            "lines[0].line_id",
            "lines[1]",
            "lines[2].amount",
            "properties",
        ] {
            assert!(named.contains(&name), "{name}: {errors:#?}");
        }
        let all = errors.join("\n");
        assert!(
            all.contains("due_date must be a text in quotation marks, and is a list"),
            "{all}"
        );
        assert!(
            all.contains("allow_partial_payments must be true or false, and is a text"),
            "{all}"
        );
        assert!(
            all.contains("colour is no member here; there are service_id, order_key, "),
            "{all}"
        );
        for word in [
            "secret", "red", "expected", "invalid", "sequence", "at line", "`",
        ] {
            assert!(!all.contains(word), "{word}: {all}");
        }
    }

    #[test]
    fn what_is_not_json_is_told_by_its_place() {
        for (body, said) in [
            ("", "it must be an object"),
            ("[]", "it must be an object"),
            ("{\n\"reason\": \"x\",\n}", "line 3, column 1"),
            ("{'reason': 1}", "line 1, column 2"),
            ("{\"reason\": \"x\"", "it ends too early, in line 1"),
            ("{} {}", "where more follows"),
        ] {
            let (detail, errors) = read(body);
            assert!(detail.contains(said), "{body}: {detail}");
            assert_eq!(errors, [""; 0]);
        }
        let (_, errors) = read(r#"{"reason": "a", "reason": "b"}"#);
        assert_eq!(errors, ["reason is there twice"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_document() {
        let read: OrderJson = read_object("\u{feff}{\"reason\": \"x\"}".as_bytes()).unwrap();
        assert!(read.reason.is_some());
    }

    #[test]
    fn derived_members_are_left_out_as_they_were_and_named_where_changed() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let current = object(json!({"a": "1.00", "b": [1], "c": 1}));
        let derived = ["a", "b", "d"];
        let members = |text: &str| serde_json::from_str::<Members>(text).unwrap();
        let same = members(r#"{"a": "1.00", "c": 2, "b": [ 1 ], "c": 3}"#);
        let left = without_derived(same, &derived, &current).unwrap();
        let left = serde_json::to_string(&left).unwrap();
        assert_eq!(
            left, r#"{"c":2,"c":3}"#,
            "who reads on finds that it is twice"
        );
        let changed = members(r#"{"a": "2.00", "d": null}"#);
        let errors = without_derived(changed, &derived, &current).unwrap_err();
        let named: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, ["a", "d"]);
        assert!(errors[0].detail.contains("1.00"));
    }
}
