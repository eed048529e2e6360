//! Calls of the API over a store in memory, for tests of what it answers.

use http::{HeaderMap, Method, header};
use serde_json::Value;

use super::{Call, Endpoint, Problem, endpoints};
use crate::{
    App,
    store::{Ledger, memory::Memory},
};

/// A provider without a host.
pub(super) struct Api {
    app: App,
    pub memory: Memory,
    caller: &'static str,
}

/// What it answers.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The lines of a table, without its byte order mark, or of documents.
    pub fn lines(&self) -> Vec<&str> {
        self.text.trim_start_matches('\u{FEFF}').lines().collect()
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

impl Api {
    /// With an empty store.
    pub fn new() -> Self {
        Self {
            app: App::new(mpay_door::config::testing::variables()),
            memory: Memory::new(),
            caller: "tester",
        }
    }

    /// A call, with a body of a media type, at an address below `/api/`.
    pub async fn call(
        &self,
        method: &str,
        address: &str,
        media_type: &str,
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let store = Ledger::new(self.memory.clone());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        let call = Call {
            app: &self.app,
            config: self.app.config.as_ref().unwrap(),
            store: &store,
            headers: &headers,
            query,
            caller: self.caller,
        };
        let endpoints = endpoints();
        let (endpoint, values) = Endpoint::find(&endpoints, path, &method).unwrap();
        let answer = (endpoint.answer)(&call, &values, body.as_ref()).await;
        let answer = answer.unwrap_or_else(Problem::into_response);
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: String::from_utf8(answer.body().to_vec()).unwrap(),
        }
    }

    /// The same API, called with another token.
    pub fn with_token(&self, caller: &'static str) -> Self {
        Self {
            app: App::new(mpay_door::config::testing::variables()),
            memory: self.memory.clone(),
            caller,
        }
    }

    /// What is found at an address.
    pub async fn get(&self, address: &str) -> Answer {
        self.call("GET", address, "", "").await
    }
}
