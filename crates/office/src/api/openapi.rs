//! `/api/openapi.json`: the description of this API, for programs.
//!
//! The package `describe` makes the document from the types that are read and written and from the list of
//! endpoints. The component contains only the text.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use miniz_oxide::inflate::decompress_to_vec;

use mpay_door::http::must_read;

use super::Problem;

/// The document (OpenAPI 3.1), as `build.rs` compresses it.
const DOCUMENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.deflate"));

/// Answers the document to anybody: it tells nothing about the deployment, its data or its callers, and tools
/// that read it send no token.
///
/// # Errors
/// A 405 [`Problem`] for a method that does not read.
pub fn openapi(method: &Method) -> Result<Response<Bytes>, Problem> {
    must_read(method)?;
    let document = decompress_to_vec(DOCUMENT).map_err(Problem::internal)?;
    let mut response = Response::new(Bytes::from(document));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(response)
}
