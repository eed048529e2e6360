//! A problem document of RFC 9457.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use mpay_ledger::{StoreError, json::FieldError};

use crate::log::{log, of_store};

/// The type of the problem that a cursor is not of this store.
pub const CURSOR_GONE: &str = "urn:mpay-provider:cursor-gone";

/// The type of the problem that everything is stopped for a while.
pub const PAUSED: &str = "urn:mpay-provider:paused";

/// The seconds that callers are told to wait while everything is stopped.
pub const PAUSE: u16 = 60;

/// A failed call: its status, the mistake, and the members that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A kind of problem that programs tell from others of its status.
    kind: Option<&'static str>,
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    allow: Option<Cow<'static, str>>,
    /// Seconds after which the same call may succeed.
    retry_after: Option<u16>,
}

/// A problem document of RFC 9457.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Problem"))]
pub struct ProblemDocument<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem with a sentence that says what is wrong and what to do.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: None,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            allow: None,
            retry_after: None,
        }
    }

    /// The same call may succeed after so many seconds (`Retry-After`, RFC 9110, section 10.2.3).
    pub fn retry_after(self, seconds: u16) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// An address at which there is nothing.
    pub fn nothing_here() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing at this address.")
    }

    /// A wrong part of the address.
    pub fn field(field: &str, detail: impl ToString) -> Self {
        let detail = detail.to_string();
        let error = FieldError::new(field, detail.clone());
        Self {
            errors: vec![error],
            ..Self::new(StatusCode::BAD_REQUEST, format!("{field} {detail}."))
        }
    }

    /// A wrong member of the document sent.
    pub fn member(field: impl Into<String>, detail: impl ToString) -> Self {
        Self::fields(vec![FieldError::new(field, detail)])
    }

    /// Wrong members of the document sent.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [error] => format!("{} {}.", error.field, error.detail),
            errors => format!("{} members are wrong.", errors.len()),
        };
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
    }

    /// A cursor of another store, or of this one as it was before a backup was put back.
    pub fn cursor_gone() -> Self {
        Self {
            kind: Some(CURSOR_GONE),
            ..Self::new(
                StatusCode::GONE,
                "The cursor is not one of this store as it is: a backup was put back, or it is another store. What was read is not what is here. Read anew, from the beginning, without a cursor.",
            )
        }
    }

    /// Everything is stopped for a while.
    pub fn paused() -> Self {
        Self {
            kind: Some(PAUSED),
            retry_after: Some(PAUSE),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The provider is stopped for a while, and nothing was done. Send the same call again later.",
            )
        }
    }

    /// A method that the resource does not have; `allow` lists those that it has.
    pub fn method_not_allowed(allow: impl Into<Cow<'static, str>>) -> Self {
        let allow = allow.into();
        let detail = format!("Use one of: {allow}.");
        Self::method_not_allowed_here(allow, detail)
    }

    /// A method that the resource does not have, with more to say about it.
    pub fn method_not_allowed_here(
        allow: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            allow: Some(allow.into()),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        }
    }

    /// A call that needs a function which a mistake in a variable has switched off.
    pub fn switched_off(what: &str, variable: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{what} is switched off until the variable {variable} is mended; GET /health and /health/office say what is wrong with it."
            ),
        )
    }

    /// A failure of the provider; the cause is for the log.
    pub fn internal(cause: impl ToString) -> Self {
        log!(error: "internal error: {}", cause.to_string());
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The provider failed; its log says why.",
        )
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The mistake as a sentence, and the members that are wrong.
    pub fn into_parts(self) -> (String, Vec<FieldError>) {
        (self.detail, self.errors)
    }

    /// The answer.
    pub fn into_response(self) -> Response<Bytes> {
        let document = ProblemDocument {
            kind: self.kind,
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let mut response = Response::new(Bytes::from(
            serde_json::to_vec(&document).unwrap_or_default(),
        ));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        // It has names of methods only, so it is always one.
        if let Some(allow) = self.allow
            && let Ok(allow) = HeaderValue::from_str(&allow)
        {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        log!(error: "store: {}", of_store(&error));
        if let StoreError::Corrupt { key, .. } = &error {
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("The record {key} is damaged: POST /api/repair mends what can be mended."),
            );
        }
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The store does not answer now; try again.",
        )
        .retry_after(1)
    }
}
