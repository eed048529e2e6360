//! Requests to hosts and their answers, on a network that delays them, and breaks with the host.

use std::{cell::Cell, rc::Rc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use mpay_door::http::TIME;
use mpay_ledger::Ledger;
use mpay_notify::Outcome;

use super::{Door, Host, HostId, World};
use crate::{
    executor::{Micros, Slot},
    platform,
};

/// The answer that a client gets to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An answer.
    Response(http::response::Parts, Bytes),
    /// The connection broke, or nothing came in time. The request may have been carried out, or may be
    /// later.
    Nothing,
}

impl Answer {
    /// The status; 0 for no answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Response(parts, _) => parts.status.as_u16(),
            Self::Nothing => 0,
        }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Response(_, body) => body,
            Self::Nothing => b"",
        }
    }

    /// The value of a header; `None` if there is none.
    pub fn header(&self, name: &str) -> Option<String> {
        let Self::Response(parts, _) = self else {
            return None;
        };
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    }

    /// The body as JSON, or null.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.body()).unwrap_or_default()
    }
}

impl World {
    /// Sends a request to a host, and gives the answer that the client gets within `patience`.
    pub async fn request(
        self: &Rc<Self>,
        id: HostId,
        request: Request<Bytes>,
        patience: Micros,
    ) -> Answer {
        self.operations.set(self.operations.get() + 1);
        let number = self.operations.get();
        let method = request.method().clone();
        let path = request.uri().clone();
        self.trace.note(self.now(), (7, id, number), || {
            let body = String::from_utf8_lossy(request.body());
            let body = message_for_people(&body);
            format!("#{number} → host {id}: {method} {path} {body}")
        });
        self.sleep(self.network()).await;
        let answered = Slot::new(&self.executor);
        self.accept(id, number, request, answered.clone());
        let patience = Duration::from_micros(patience);
        let answer = answered.wait_for(patience).await.unwrap_or(Answer::Nothing);
        self.trace
            .note(self.now(), (8, number, answer.status()), || {
                let body = String::from_utf8_lossy(answer.body()).into_owned();
                let body = message_for_people(&body);
                format!("#{number} ← host {id}: {} {body}", answer.status())
            });
        answer
    }

    /// Notes a finding if an answer has status 500.
    pub fn fail_on_500(&self, what: &str, answer: &Answer) {
        if answer.status() == 500 {
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            let mut history = self.history.borrow_mut();
            history.find("the provider failed", what, format!("{what}: {body}"));
        }
    }

    /// A time that a message takes between a client and a host.
    fn network(&self) -> Micros {
        self.random.scaled(200, 40_000)
    }

    /// Lets a host accept a request and answer it.
    fn accept(
        self: &Rc<Self>,
        id: HostId,
        number: u64,
        request: Request<Bytes>,
        answered: Slot<Answer>,
    ) {
        let (group, instance) = match self.hosts.borrow().get(id) {
            Some(Host {
                group,
                instance: Some(instance),
                ..
            }) => (*group, Rc::clone(instance)),
            _ => return answered.fill(Answer::Nothing),
        };
        let connection = Connection(answered, Cell::new(false));
        let world = Rc::clone(self);
        self.executor.spawn(group, async move {
            // As `entry.rs` of either door does it.
            let is_office = {
                let path = request.uri().path();
                path.starts_with("/api/")
                    || path.starts_with("/cards/")
                    || path == mpay_office::health::HEALTH
            };
            let door = if is_office {
                Door::Office
            } else {
                Door::Provider
            };
            let host = platform::Variables::new(&world, id, door);
            let late = world.executor.sleep(TIME);
            let store = Ledger::new(platform::Host::new(&world, id));
            let request = request.map(Full::new);
            if is_office {
                let app = instance.office.app(&host, store.now()).await;
                let answer = mpay_office::service::handle_until(&app, &store, request, late).await;
                connection.answer(&world, answer);
                world.strike(id);
                return;
            }
            let app = instance.provider.app(&host, store.now()).await;
            let answer = mpay_provider::service::handle_until(&app, &store, request, late);
            let mut response = answer.await;
            let outcome = response.extensions_mut().remove::<Outcome>();
            world.trace.say(|| {
                format!(
                    "#{number}   host {id} answers {}",
                    response.status().as_u16()
                )
            });
            connection.answer(&world, response);
            world.strike(id);
            if let Some(outcome) = outcome
                && let Ok(config) = &app.config
                && let Some(notifier) = config.notifier(&app, &store)
            {
                notifier.follow_up(outcome).await;
            }
        });
    }
}

/// The host's end of a connection, which breaks if the host dies.
struct Connection(Slot<Answer>, Cell<bool>);

impl Connection {
    fn answer(&self, world: &World, response: Response<Bytes>) {
        let (parts, body) = response.into_parts();
        let slot = self.0.clone();
        let answer = Answer::Response(parts, body);
        world
            .executor
            .after(world.network(), move || slot.fill(answer));
        // From now on the answer is on its way, whatever happens to the host.
        self.1.set(true);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.1.get() {
            self.0.fill(Answer::Nothing);
        }
    }
}

/// A body in one line; of a SOAP message, the content of its Body.
fn message_for_people(body: &str) -> String {
    const LONGEST: usize = 400;
    let body = body
        .split_once("<soap:Body")
        .and_then(|(_, body)| body.split_once('>'))
        .map_or(body, |(_, body)| body);
    let body = body
        .split_once("</soap:Body")
        .map_or(body, |(body, _)| body);
    let line = body.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(LONGEST).collect()
}
