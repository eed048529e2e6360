//! The document that a caller sends.

use http::StatusCode;
use serde::de::DeserializeOwned;

use super::Problem;

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
    let json = serde_path_to_error::deserialize(&mut reader).map_err(not_a_document)?;
    reader.end().map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("The body is not one JSON document: {error}."),
        )
    })?;
    Ok(json)
}

/// What is wrong with a document, by the member if it is one.
pub(super) fn not_a_document(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let (path, cause) = (error.path().to_string(), error.inner().to_string());
    if error.inner().is_data() && path != "." {
        Problem::member(path, cause)
    } else {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("The body is no document in JSON: {cause}."),
        )
    }
}
