//! Reading of requests, and the common part of every answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{Problem, log::log};

/// The error that a body can fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 1_000_000;

/// The time that a call may take in all: less than hosts give it (30 s), since their answer after that is
/// no SOAP. A call of the store that is under way ends first, which takes 5 s at most in `mpay up`.
pub const TIME: Duration = Duration::from_secs(24);

/// Adds the headers that all answers have.
pub fn finish(method: &Method, result: Result<Response<Bytes>, Problem>) -> Response<Bytes> {
    let mut response = result.unwrap_or_else(Problem::into_response);
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if *method == Method::HEAD {
        // Without the length of what is left out: a host that speaks HTTP/2 takes an answer for
        // broken whose body is shorter than it says.
        *response.body_mut() = Bytes::new();
        return response;
    }
    let length = HeaderValue::from(response.body().len());
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    response
}

/// True if a path is this address as people write it: in any case, and with a slash behind it.
pub fn is_at(path: &str, address: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    path.eq_ignore_ascii_case(address)
}

/// Refuses every method that does not read.
///
/// # Errors
/// A 405 [`Problem`].
pub fn must_read(method: &Method) -> Result<(), Problem> {
    match *method {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Problem::method_not_allowed("GET, HEAD")),
    }
}

/// An answer with a JSON text, which nobody on the way keeps.
pub fn json(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// True if somebody has opened the address in a browser: no program asks for HTML.
pub fn is_browser(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|accept| accept.to_str().ok());
    accepted.any(|accept| accept.to_ascii_lowercase().contains("text/html"))
}

/// Reads a body, up to [`MAX_BODY`]: hosts have no limit of their own.
///
/// # Errors
/// A [`Problem`] where it is longer, breaks off, or is compressed.
pub async fn read(parts: &Parts, body: impl Body<Error: Into<BoxError>>) -> Result<Bytes, Problem> {
    let is_plain = |coding: &HeaderValue| {
        coding.as_bytes().is_empty() || coding.as_bytes().eq_ignore_ascii_case(b"identity")
    };
    let mut codings = parts.headers.get_all(header::CONTENT_ENCODING).iter();
    if !codings.all(is_plain) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body is sent as it is: without compression and without the header Content-Encoding.",
        ));
    }
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body may have {MAX_BODY} bytes at most."),
        )
    };
    let announced = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            log!("a body broke off: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, "The body broke off."))
        }
    }
}
