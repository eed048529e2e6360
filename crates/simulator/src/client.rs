//! A client of the order API, as programs call it.

use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::{
    configuration::TOKEN,
    executor::Micros,
    random::{MINUTE, SECOND},
    world::{Answer, HostId, World},
};

/// A call of the API, to be sent.
#[derive(Debug, Clone)]
pub struct Ask {
    method: &'static str,
    path: String,
    body: String,
    headers: Vec<(&'static str, String)>,
    token: &'static str,
    patience: Micros,
}

impl Ask {
    /// A call of this method and path below `/api/`.
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: String::new(),
            headers: Vec::new(),
            token: TOKEN,
            patience: 40 * SECOND,
        }
    }

    /// The call with a JSON document.
    pub fn json(self, body: &Value) -> Self {
        self.text("application/json", body.to_string())
    }

    /// The call with a document of a media type.
    pub fn text(mut self, media_type: &'static str, body: String) -> Self {
        self.headers.push(("Content-Type", media_type.to_owned()));
        self.body = body;
        self
    }

    /// The call with one more header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The call under another token.
    pub fn by(mut self, token: &'static str) -> Self {
        self.token = token;
        self
    }

    /// Sends the call to a host.
    pub async fn to(&self, world: &Rc<World>, host: HostId) -> Answer {
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("/api/{}", self.path))
            .header("Authorization", format!("Bearer {}", self.token));
        for (name, value) in &self.headers {
            request = request.header(*name, value.as_str());
        }
        let request = request.body(Bytes::from(self.body.clone()));
        let request = request.expect("a request");
        let answer = world.request(host, request, self.patience).await;
        world.fail_on_500(&format!("{} {}", self.method, self.path), &answer);
        answer
    }

    /// Sends the call to a host by chance.
    pub async fn send(&self, world: &Rc<World>) -> Answer {
        self.to(world, world.some_host()).await
    }

    /// Sends the call again and again, until it is done or refused.
    pub async fn insist(&self, world: &Rc<World>) -> Answer {
        world.history.borrow_mut().unfinished += 1;
        let mut tries = 0;
        let answer = loop {
            let answer = self.send(world).await;
            // 401: the host could not read its tokens.
            if !matches!(answer.status(), 0 | 401 | 503) {
                break answer;
            }
            tries += 1;
            if world.peace.get() && tries > 60 {
                break answer;
            }
            let pause = world.random.scaled(SECOND, MINUTE);
            world.sleep(pause).await;
        };
        world.history.borrow_mut().unfinished -= 1;
        answer
    }
}
