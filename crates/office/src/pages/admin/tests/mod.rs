//! Tests of the office's pages, which send requests as a browser does. This file has the tools; each other file
//! has the tests of one subject.

mod cards;
mod connection;
mod import;
mod manual;
mod orders;
mod payments;
mod personal;
mod said;
mod security;
mod session;
mod today;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use mpay_door::config::testing::variables;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::session::Session;
use crate::{
    App,
    access::{Principal, Role},
    api::testing::Api,
    json::{OrderJson, RefusalJson},
    service::handle,
    store::{
        Evidence, Ledger, Precondition,
        memory::{Fault, Memory, Reply},
        testing::{order_json, put, record, record_card, refund, register, secret, stored},
    },
};

fn token(role: Role) -> String {
    format!(
        "token-of-a-{}-token-of-a-{}-0123456789",
        role.name(),
        role.name()
    )
}

struct Office {
    app: App,
    memory: Memory,
}

/// The readiness of MPay's door without mistakes, for a request that asks for it; `None` for another request.
fn says_the_other_door(request: &Request<Bytes>) -> Option<Reply> {
    let version = env!("CARGO_PKG_VERSION");
    let is_asked = request.uri().host() == Some("mpay-provider.spin.internal");
    is_asked.then(|| {
        let says = format!(r#"{{"status":"ok","version":"{version}","configuration":"current"}}"#);
        Ok((200, says))
    })
}

/// A browser in which a person is signed in.
struct Browser<'a> {
    office: &'a Office,
    cookie: String,
}

struct Page {
    status: u16,
    headers: HeaderMap,
    text: String,
    bytes: Bytes,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a hidden field.
    #[track_caller]
    fn field(&self, name: &str) -> String {
        let begin = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.text.split_once(&begin).unwrap();
        let value = rest.split_once('"').unwrap().0;
        value.replace("&quot;", "\"").replace("&amp;", "&")
    }
}

impl Office {
    fn new() -> Self {
        Self::made(&[], &[])
    }

    /// An office whose configuration has no principals of these roles.
    fn without(roles: &[Role]) -> Self {
        Self::made(roles, &[])
    }

    /// An office with these variables in addition.
    fn with(more: &[(&'static str, &str)]) -> Self {
        Self::made(&[], more)
    }

    fn made(roles: &[Role], more: &[(&'static str, &str)]) -> Self {
        let mut variables = variables();
        let entries = Role::ALL.into_iter().filter(|role| !roles.contains(role));
        let entries: Vec<_> = entries
            .map(|role| {
                Principal::new(role.name(), role)
                    .unwrap()
                    .entry(&token(role))
            })
            .collect();
        for (name, value) in [
            ("access", entries.join(";").as_str()),
            ("environment", "test"),
            ("page_key", "0123456789012345678901234567890123456789"),
            ("public_url", "https://pay.example.md/"),
        ]
        .into_iter()
        .chain(more.iter().copied())
        {
            variables.set(name, value.to_owned());
        }
        let memory = Memory::new();
        memory.respond_with(|request| says_the_other_door(request).unwrap_or(Err("not sent")));
        Self {
            app: App::new(variables),
            memory,
        }
    }

    async fn ask(
        &self,
        method: &str,
        address: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Page {
        let mut request = Request::builder().method(method).uri(address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method == "POST" {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = form
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let request = request.body(pairs.collect::<Vec<_>>().join("&")).unwrap();
        let store = Ledger::new(self.memory.clone());
        let response: Response<Bytes> = handle(&self.app, &store, request).await;
        Page {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: String::from_utf8_lossy(response.body()).into_owned(),
            bytes: response.into_body(),
        }
    }

    async fn sign_in(&self, role: Role) -> Browser<'_> {
        let form = [("token", token(role))];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        let page = self.ask("POST", "/admin/sign-in", &[], &form).await;
        assert_eq!(
            (page.status, page.header("location")),
            (303, "/admin?lang=ro")
        );
        Browser {
            office: self,
            cookie: cookie(&page),
        }
    }
}

/// The cookie that an answer sets, as browsers send it back.
#[track_caller]
fn cookie(page: &Page) -> String {
    page.header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

impl Browser<'_> {
    async fn get(&self, address: &str) -> Page {
        self.office
            .ask("GET", address, &[("cookie", &self.cookie)], &[])
            .await
    }

    async fn post(&self, address: &str, form: &[(&str, &str)]) -> Page {
        self.office
            .ask("POST", address, &[("cookie", &self.cookie)], form)
            .await
    }

    /// Sends a form as the pages of this session have it, with the session's token.
    async fn send(&self, address: &str, form: &[(&str, &str)]) -> Page {
        let page = self.get("/admin").await;
        let token = page.field("form");
        let form: Vec<_> = form
            .iter()
            .copied()
            .chain([("form", token.as_str())])
            .collect();
        self.post(address, &form).await
    }
}

/// A file as a browser sends it, with fields beside it.
async fn upload(
    browser: &Browser<'_>,
    address: &str,
    content: &[u8],
    fields: &[(&str, &str)],
) -> Page {
    let form = browser.get("/admin").await.field("form");
    let mut body = Vec::new();
    for (name, value) in fields.iter().chain(&[("form", form.as_str())]) {
        let part =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    body.extend(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.csv\"\r\nContent-Type: text/csv\r\n\r\n");
    body.extend(content);
    body.extend(b"\r\n--b--\r\n");
    let request = Request::post(address)
        .header("cookie", &browser.cookie)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(http_body_util::Full::new(Bytes::from(body)))
        .unwrap();
    let store = Ledger::new(browser.office.memory.clone());
    let response = handle(&browser.office.app, &store, request).await;
    Page {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: String::from_utf8(response.body().to_vec()).unwrap(),
        bytes: response.into_body(),
    }
}

/// The first sentence on the page that stayed English because its catalogue lacks it.
fn in_english(page: &Page) -> Option<&str> {
    let (_, rest) = page.text.split_once("<span lang=\"en\">")?;
    rest.split("</span>").next()
}
