//! The document that a caller sends.

use http::StatusCode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Problem, merge_patch};

/// Reads a document: one JSON object.
pub(super) fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // An array would be read as an object without names.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "The body is no document in JSON: it must be an object.",
        ));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let json = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| not_a_document(&error, error.inner().to_string()))?;
    reader.end().map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("The body is not one JSON document: {error}."),
        )
    })?;
    Ok(json)
}

/// Applies a patch to a document, and reads what comes of it. It is written and read as text, since
/// another form for all the types to be read from and written to is a hundredth of the component.
pub(super) fn patched<T: Serialize + DeserializeOwned>(
    document: &T,
    patch: &Value,
) -> Result<T, Problem> {
    let before = serde_json::to_vec(document).map_err(Problem::internal)?;
    let mut merged: Value = read_object(&before)?;
    merge_patch::apply(&mut merged, patch);
    let text = serde_json::to_vec(&merged).map_err(Problem::internal)?;
    let mut reader = serde_json::Deserializer::from_slice(&text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let mut cause = error.inner().to_string();
        // The place in a text that the caller has not seen.
        cause.truncate(cause.rfind(" at line ").unwrap_or(cause.len()));
        not_a_document(&error, cause)
    })
}

/// What is wrong with a document, by the member if it is one.
fn not_a_document(error: &serde_path_to_error::Error<serde_json::Error>, cause: String) -> Problem {
    let path = error.path().to_string();
    if error.inner().is_data() && path != "." {
        Problem::member(path, cause)
    } else {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("The body is no document in JSON: {cause}."),
        )
    }
}
