//! A line of the log, and its two forms: a JSON object, and a text for people.

use std::{fmt::Write as _, net::IpAddr};

use http::StatusCode;
use jiff::Timestamp;
use mpay_ledger::domain::steers_display;

use super::trace::{Origin, trace_id};

/// Longest message, in characters.
pub(super) const MAX: usize = 2000;

/// The form of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people who look on.
    Text,
}

/// The gravity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Somebody may have to look.
    Warn,
    /// Something of ours failed.
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A field that is said of a request, beside its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The operation that was asked for.
    Operation,
    /// The service that it was about.
    Service,
    /// The end of the order's key.
    Order,
    /// The PaymentID.
    Payment,
    /// The role of the caller, whose name is in the books.
    Role,
    /// The outcome, in a word.
    Verdict,
}

impl Field {
    fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Service => "service",
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Role => "role",
            Self::Verdict => "verdict",
        }
    }
}

/// A line of the log.
#[derive(Debug)]
pub struct Line {
    pub(super) level: Level,
    pub(super) origin: Option<Origin>,
    pub(super) message: String,
    pub(super) answered: Option<Answered>,
}

/// The content of a request's line.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) fields: Vec<(Field, String)>,
    pub(super) status: StatusCode,
    pub(super) milliseconds: u128,
    pub(super) client: Option<IpAddr>,
}

impl Line {
    /// The message of a failure; `None` for the line of a request.
    pub fn message(&self) -> Option<&str> {
        self.answered.is_none().then_some(self.message.as_str())
    }

    /// As one JSON object, at a time.
    pub fn json(&self, time: Timestamp) -> String {
        let mut line = format!(r#"{{"time":"{time:.3}","level":"{}""#, self.level.as_str());
        if let Some(origin) = &self.origin {
            member(&mut line, "request_id", &origin.id);
            let trace = origin.traceparent.as_deref().and_then(trace_id);
            if let Some(trace) = trace {
                member(&mut line, "trace_id", trace);
            }
        }
        match &self.answered {
            None => member(&mut line, "message", &self.message),
            Some(answered) => {
                member(&mut line, "message", "request");
                for (field, value) in &answered.fields {
                    member(&mut line, field.as_str(), value);
                }
                let (status, took) = (answered.status.as_u16(), answered.milliseconds);
                // Writing into a text does not fail.
                let _ = write!(line, r#","status":{status},"milliseconds":{took}"#);
                if let Some(client) = &answered.client {
                    member(&mut line, "client", &client.to_string());
                }
            }
        }
        line.push('}');
        line
    }

    /// The line for people: a failure as it is, and the facts of a request with commas between.
    pub fn text(&self) -> String {
        let Some(answered) = &self.answered else {
            return escaped(&self.message);
        };
        let of = |field: Field| {
            let mut fields = answered.fields.iter();
            fields.find_map(|(known, value)| (*known == field).then_some(value.as_str()))
        };
        let mut text = format!(
            "{}: {} ({}), {} ms",
            of(Field::Operation).unwrap_or_default(),
            of(Field::Verdict).unwrap_or_default(),
            answered.status.as_u16(),
            answered.milliseconds
        );
        for field in [Field::Service, Field::Order, Field::Payment, Field::Role] {
            if let Some(value) = of(field) {
                let _ = write!(text, ", {} {value}", field.as_str());
            }
        }
        if let Some(client) = &answered.client {
            let _ = write!(text, ", from {client}");
        }
        escaped(&text)
    }
}

fn member(line: &mut String, name: &str, value: &str) {
    let _ = write!(line, r#","{name}":""#);
    for c in value.chars().take(MAX) {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if steers_display(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

/// Escapes a text from outside, so that it can neither begin a line of its own nor steer a terminal.
fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars().take(MAX) {
        match steers_display(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}
