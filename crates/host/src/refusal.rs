//! The answers that the host gives by itself, where the component does not.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};

/// Chooses, by the head of a request, the form in which the host would refuse it: a caller that
/// reads another form takes an answer of the host for somebody else's.
pub type Refusals = fn(&Method, &Uri, &HeaderMap) -> Refuse;

/// Writes a refusal.
pub type Refuse = fn(Refusal) -> Response<Bytes>;

/// The reason why the host answers by itself. `Display` gives a sentence for whoever
/// sent the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No route leads there.
    NotFound,
    /// The `Host` is missing or wrong.
    BadHost,
    /// The body broke off.
    BrokenRequest,
    /// The body did not come in time.
    SlowRequest,
    /// The body is announced to be longer than any that is read.
    TooLarge {
        /// Bytes of a body at most.
        most: usize,
    },
    /// There was no turn in time.
    Busy,
    /// The component trapped or gave no answer.
    BrokenComponent,
    /// The component took too long.
    SlowComponent,
}

impl Refusal {
    /// All reasons, for tests of their answers.
    pub const ALL: [Self; 8] = [
        Self::NotFound,
        Self::BadHost,
        Self::BrokenRequest,
        Self::SlowRequest,
        Self::TooLarge { most: 1_000_000 },
        Self::Busy,
        Self::BrokenComponent,
        Self::SlowComponent,
    ];

    /// The status that HTTP has for it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadHost | Self::BrokenRequest => StatusCode::BAD_REQUEST,
            Self::SlowRequest => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::BrokenComponent => StatusCode::INTERNAL_SERVER_ERROR,
            Self::SlowComponent => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A sentence for whoever sent the request, without numbers.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this path.",
            Self::BadHost => "The request must have one valid Host header.",
            Self::BrokenRequest => "The request's body could not be read.",
            Self::SlowRequest => "The request took too long to arrive.",
            Self::TooLarge { .. } => "The body is too long.",
            Self::Busy => "Too many requests are waiting. Try again later.",
            Self::BrokenComponent => "The service failed to answer. Try again.",
            Self::SlowComponent => "The service took too long to answer. Try again.",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { most } => write!(f, "The body may have {most} bytes at most."),
            other => f.write_str(other.reason()),
        }
    }
}

/// A line of text for everybody: the default of the host.
pub fn as_text(_: &Method, _: &Uri, _: &HeaderMap) -> Refuse {
    text
}

/// The refusal as a line of text.
pub fn text(refusal: Refusal) -> Response<Bytes> {
    line(refusal.status(), refusal)
}

/// A line of text.
pub(super) fn line(status: StatusCode, text: impl fmt::Display) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_its_status_and_says_why() {
        for refusal in Refusal::ALL {
            let response = text(refusal);
            assert_eq!(response.status(), refusal.status());
            assert_eq!(*response.body(), format!("{refusal}\n"));
        }
    }
}
