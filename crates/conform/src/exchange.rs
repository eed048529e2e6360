//! Messages that were sent, and their answers.

use std::time::Duration;

use jiff::Timestamp;

/// An HTTP request, and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The reason why it was sent.
    pub purpose: String,
    /// HTTP method.
    pub method: &'static str,
    /// The address that it went to.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
    /// The answer, or why there was none.
    pub answer: Result<Answer, String>,
    /// The time that the answer took.
    pub duration: Duration,
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The time at which it came.
    pub received: Timestamp,
    /// HTTP version, such as `HTTP/1.1`.
    pub version: String,
    /// Its headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}
