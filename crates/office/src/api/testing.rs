//! Calls of the API over a store in memory, for tests of its answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, header};
use serde_json::Value;
use tables::{Options, Row, Table};

use super::{Call, Effort, Endpoint, Problem, endpoints};
use crate::{
    App,
    access::{Principal, Role},
    store::{Ledger, memory::Memory},
};

/// An API without a host.
pub(crate) struct Api {
    pub app: App,
    pub memory: Memory,
    caller: Principal,
}

fn manager(name: &str) -> Principal {
    Principal::new(name, Role::Manager).unwrap()
}

/// An answer of the API.
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn of(answer: Response<Bytes>) -> Self {
        Self {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: String::from_utf8(answer.body().to_vec()).unwrap(),
        }
    }

    /// The answer as a JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The lines of the answer, without a byte order mark.
    pub fn lines(&self) -> Vec<&str> {
        self.text.trim_start_matches('\u{FEFF}').lines().collect()
    }

    /// The rows of a table, each cell by the name of its column.
    #[track_caller]
    pub fn table(&self) -> Vec<BTreeMap<String, String>> {
        let table = Table::read(self.text.as_bytes(), &Options::default()).unwrap();
        let names = || table.columns().iter().map(|column| column.name());
        let cell = |row: &Row<'_>, name: &str| row.cell(name).text().unwrap().unwrap_or_default();
        let rows = table.rows();
        rows.map(|row| {
            names()
                .map(|name| (name.to_owned(), cell(&row, name)))
                .collect()
        })
        .collect()
    }

    /// The value of a header; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

impl Api {
    /// An API over an empty store.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// An API over an empty store, with variables in addition to those of every test.
    pub fn with(variables: &[(&'static str, &str)]) -> Self {
        let mut all = mpay_door::config::testing::variables();
        for (name, value) in variables {
            all.set(name, (*value).to_owned());
        }
        Self {
            app: App::new(all),
            memory: Memory::new(),
            caller: manager("tester"),
        }
    }

    /// Calls the address below `/api/`, with a body of a media type.
    pub async fn call(
        &self,
        method: &str,
        address: &str,
        media_type: &str,
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let answer = self.answer(method, address, media_type, "", body.as_ref());
        Answer::of(answer.await)
    }

    /// Posts a document with an `Idempotency-Key`.
    pub async fn post_as(&self, key: &str, address: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let answer = self.answer("POST", address, "application/json", key, body.as_bytes());
        Answer::of(answer.await)
    }

    /// The headers of the resource at an address.
    pub async fn head(&self, address: &str) -> HeaderMap {
        let answer = self.answer("HEAD", address, "", "", b"").await;
        answer.headers().clone()
    }

    /// Makes a call whose answer is not text: status, media type and content.
    pub async fn bytes(
        &self,
        method: &str,
        address: &str,
        media_type: &str,
        body: &[u8],
    ) -> (u16, String, Vec<u8>) {
        let answer = self.answer(method, address, media_type, "", body).await;
        let media_type = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
        (
            answer.status().as_u16(),
            media_type.to_owned(),
            answer.body().to_vec(),
        )
    }

    async fn answer(
        &self,
        method: &str,
        address: &str,
        media_type: &str,
        key: &str,
        body: &[u8],
    ) -> Response<Bytes> {
        let store = Ledger::new(self.memory.clone());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        if !key.is_empty() {
            headers.insert("idempotency-key", key.parse().unwrap());
        }
        let call = Call {
            app: &self.app,
            config: self.app.config.as_ref().unwrap(),
            store: &store,
            headers: &headers,
            query,
            caller: &self.caller,
            effort: Effort::PROGRAM,
        };
        let endpoints = endpoints();
        let (endpoint, values) = Endpoint::find(&endpoints, path, &method).unwrap();
        let answer = endpoint.call(&call, &values, body).await;
        answer.unwrap_or_else(Problem::into_response)
    }

    /// An API over the same store, called by another manager.
    pub fn by(&self, name: &str) -> Self {
        self.by_principal(manager(name))
    }

    /// An API over the same store, called by a principal with this role.
    pub fn in_role(&self, role: Role) -> Self {
        self.by_principal(Principal::new(role.name(), role).unwrap())
    }

    /// This API itself, called by a principal with this role.
    pub fn into_role(self, role: Role) -> Self {
        let caller = Principal::new(role.name(), role).unwrap();
        Self { caller, ..self }
    }

    fn by_principal(&self, caller: Principal) -> Self {
        Self {
            app: App::new(mpay_door::config::testing::variables()),
            memory: self.memory.clone(),
            caller,
        }
    }

    /// Reads the resource at an address.
    pub async fn get(&self, address: &str) -> Answer {
        self.call("GET", address, "", "").await
    }
}
