//! The form of a request, with a version of it that may be shown.

use std::fmt;

use super::Terminal;
use crate::{data::HIDDEN, value::Unsendable};

/// A form as it is being written.
pub(super) struct Form {
    path: String,
    body: String,
    shown: String,
}

impl Form {
    pub(super) fn new(path: &str, command: &str) -> Self {
        Self {
            path: format!("/{path}/{command}"),
            body: String::new(),
            shown: String::new(),
        }
    }

    pub(super) fn pair(mut self, name: &str, value: &str, shown: &str) -> Self {
        for (text, value) in [(&mut self.body, value), (&mut self.shown, shown)] {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(&encoded(value));
        }
        self
    }

    pub(super) fn field(self, name: &str, value: &str) -> Self {
        self.pair(name, value, value)
    }

    pub(super) fn password(self, terminal: &Terminal) -> Self {
        self.pair("Password", terminal.password.reveal(), HIDDEN)
    }

    pub(super) fn amount(self, amount: Option<u64>) -> Result<Self, Unsendable> {
        Ok(match amount {
            Some(amount) => self.field("Amount", &sendable(amount)?),
            None => self,
        })
    }

    pub(super) fn finish(self) -> Request {
        Request {
            path: self.path,
            body: self.body.into_bytes(),
            shown: self.shown,
        }
    }
}

/// Form encoding, with spaces as `%20`, so that readers that take `+` for a space and others read the
/// same.
pub(crate) fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

pub(super) fn sendable(amount: u64) -> Result<String, Unsendable> {
    match amount {
        0 => Err(Unsendable::NoAmount),
        amount => Ok(amount.to_string()),
    }
}

/// A request, ready to be sent by `POST` as `application/x-www-form-urlencoded`.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    path: String,
    body: Vec<u8>,
    shown: String,
}

impl Request {
    /// The path, from `/` on. It has no query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The form, with its secrets.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The form without passwords and personal data, for evidence.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("path", &self.path)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}
