//! `/api/openapi.json`: what this API is, for programs.
//!
//! The package `describe` makes the document, of the types that are read and written and of the table
//! of endpoints, so that the component has the text alone.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use miniz_oxide::inflate::decompress_to_vec;

use mpay_door::http::must_read;

use super::Problem;

/// The document, OpenAPI 3.1, as `build.rs` compresses it.
const DOCUMENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.deflate"));

/// Answers the document, to anybody: it says nothing of a deployment, its data or its callers, and
/// the tools that read it send no token.
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
