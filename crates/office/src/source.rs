//! The institution's own system as a source of orders: it is asked for an order when MPay asks for one.
//!
//! MPay's door may call no other system than the receivers of webhooks. So it asks this door, through the
//! host's service chaining, and then reads the result in the books. No route of the manifest leads here, so
//! nobody outside can send this request. Somebody who could would only make the institution's system send an
//! order that it has, and would not see the order.

use std::{cell::Cell, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, request::Parts};
use mpay_door::{Platform, Problem, config::SourcePolicy, limit::within, log::log};
use mpay_ledger::{
    Ledger,
    domain::{OrderKey, ServiceId, time},
};
use mpay_notify::{Message, Webhook};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    access::{Principal, Role},
    api::{self, decode},
};

/// Beginning of the paths that MPay's door calls. The service and the key follow it.
pub const PATH: &str = "/ask/";
/// The longest time that the institution's system may take. MPay waits meanwhile.
const TIME: Duration = Duration::from_secs(3);
/// The longest document, in bytes.
const MOST: usize = 200_000;
/// After this many failures in succession the system is not asked for [`PAUSE`].
const FAILURES: u32 = 3;
/// The time without questions after [`FAILURES`] failures.
const PAUSE: Duration = Duration::from_secs(10);

/// The request to the institution's system.
#[derive(Serialize)]
struct Wanted<'a> {
    service_id: &'a str,
    order_key: &'a str,
}

/// The part of an order's document that gives the spelling of its key.
#[derive(Deserialize)]
struct Spelling {
    order_key: Option<String>,
}

/// The failures in succession, and the time (of the monotonic clock) until which the system is not asked.
#[derive(Debug, Clone, Copy, Default)]
struct Breaker {
    failures: u32,
    until: Duration,
}

thread_local! {
    /// The state of this instance. Each instance finds out for itself, and lives for 128 requests only.
    static BREAKER: Cell<Breaker> = const { Cell::new(Breaker { failures: 0, until: Duration::ZERO }) };
}

/// Asks for an order, and registers the answer as a version of it. 204 if that is done; 404 if there is no such
/// order; 503 if the system gave no answer that could be used.
///
/// # Errors
/// A 404 or 405 [`Problem`] for another request than that of MPay's door; 503 if no answer could be used.
pub async fn answer<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    parts: &Parts,
    path: &str,
) -> Result<Response<Bytes>, Problem> {
    if parts.method != Method::POST {
        return Err(Problem::method_not_allowed("POST"));
    }
    let (service, key) = path.split_once('/').ok_or_else(Problem::nothing_here)?;
    let service = ServiceId::parse(&decode(service)?);
    let key = OrderKey::parse(&decode(key)?);
    let (Ok(service), Ok(key)) = (service, key) else {
        return Err(Problem::nothing_here());
    };
    let off = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "There is nobody to ask.");
    let config = app.config.as_ref().map_err(|_| off())?;
    let policy = config.service(&service).and_then(|service| service.source);
    let (Some(policy), Some(source)) = (policy, &config.order_source) else {
        return Err(off());
    };
    let caller = Principal::new("order source", Role::Program).map_err(Problem::internal)?;
    let call = api::Call {
        app,
        config,
        store,
        headers: &HeaderMap::new(),
        query: "",
        caller: &caller,
        effort: api::Effort::PROGRAM,
    };
    let Some(body) = ask(store, source, &service, &key).await? else {
        return Err(Problem::nothing_here());
    };
    let key = spelt(&body, key);
    let taken = api::take(&call, &service, &key, &body).await;
    if let Err(problem) = taken {
        refused(problem, &service)?;
    }
    if policy.older_than.is_some_and(|age| !age.is_zero()) {
        let note = SourcePolicy::note(&service, &key);
        store.notes().set(&note, &time::format(store.now())).await?;
    }
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// The order's document from the institution's system; `None` if the system has no such order.
async fn ask<P: Platform>(
    store: &Ledger<P>,
    source: &Webhook,
    service: &ServiceId,
    key: &OrderKey,
) -> Result<Option<Bytes>, Problem> {
    let failed = || {
        let text = "The institution's system did not answer.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, text)
    };
    let platform = store.platform();
    let breaker = BREAKER.get();
    if breaker.failures >= FAILURES && platform.monotonic() < breaker.until {
        return Err(failed());
    }
    let wanted = Wanted {
        service_id: service.as_str(),
        order_key: key.as_str(),
    };
    let (now, id) = (store.now(), format!("ask_{:016x}", store.random()));
    let message =
        Message::new(id.clone(), "order.wanted", now, &wanted).map_err(Problem::internal)?;
    let request = source.post(&message, now).map_err(Problem::internal)?;
    let answer = within(platform.sleep(TIME), platform.fetch(request, MOST, TIME)).await;
    let reason = match answer {
        Some(Ok((StatusCode::OK, body))) => {
            BREAKER.set(Breaker::default());
            return Ok(Some(body));
        }
        Some(Ok((StatusCode::NOT_FOUND | StatusCode::GONE, _))) => {
            BREAKER.set(Breaker::default());
            return Ok(None);
        }
        Some(Ok((status, _))) => format!("it answered {status}"),
        Some(Err(reason)) => reason.to_string(),
        None => "it took too long".to_owned(),
    };
    // The log does not show the key. A payer typed it, and it may be a person's code.
    log!("the order source did not give an order of service {service} ({id}): {reason}");
    BREAKER.set(Breaker {
        failures: breaker.failures.saturating_add(1),
        until: platform.monotonic().saturating_add(PAUSE),
    });
    Err(failed())
}

/// The key in the institution's spelling, if a payer could mean it by the key that was typed; else the key that
/// was typed.
fn spelt(body: &[u8], typed: OrderKey) -> OrderKey {
    let document = serde_json::from_slice::<Spelling>(body).ok();
    let written = document.and_then(|document| document.order_key);
    let written = written.and_then(|text| OrderKey::parse(&text).ok());
    let same = written.filter(|written| written.folded() == typed.folded());
    same.unwrap_or(typed)
}

/// Handles a document that was refused. A conflict is no failure: the order cannot be changed any more, and
/// MPay receives it as it is in the books.
fn refused(problem: Problem, service: &ServiceId) -> Result<(), Problem> {
    let (_, errors) = problem.clone().into_parts();
    let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
    let status = problem.clone().into_response().status();
    log!(
        "what the order source gave for an order of service {service} was refused with {status}: {}",
        fields.join(", ")
    );
    match status {
        StatusCode::CONFLICT => Ok(()),
        _ => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The document of the institution's system is no order.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::Full;
    use mpay_door::config::testing::variables;
    use mpay_ledger::memory::Memory;
    use serde_json::json;

    use super::*;
    use crate::service::handle;

    fn app(services: &str) -> App {
        let mut variables = variables();
        for (name, value) in [
            ("service_ids", ""),
            ("services", services),
            ("order_source_url", "https://erp.example.md/orders"),
            ("order_source_origin", "https://erp.example.md"),
            (
                "order_source_secret",
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ),
        ] {
            variables.set(name, value.to_owned());
        }
        App::new(variables)
    }

    async fn ask_at(app: &App, memory: &Memory, method: &str, path: &str) -> u16 {
        let store = Ledger::new(memory.clone());
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Full::new(Bytes::new())).unwrap();
        handle(app, &store, request).await.status().as_u16()
    }

    fn document(amount: &str) -> String {
        json!({
            "reason": "Taxă", "order_key": "AC-1",
            "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": amount}]
        })
        .to_string()
    }

    async fn amount(memory: &Memory) -> String {
        let store = Ledger::new(memory.clone());
        let (service, key) = (ServiceId::parse("TAX"), OrderKey::parse("AC-1"));
        let order = store.orders().get(&service.unwrap(), &key.unwrap()).await;
        let order = order.unwrap().unwrap();
        order.state.amount_due(store.now()).unwrap().to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_source_gives_is_a_version_and_what_it_does_not_give_is_none() {
        BREAKER.set(Breaker::default());
        let memory = Memory::new();
        let app = app(r#"{"TAX": {"order_source": {"older_than": 60}}, "SCHOOL": {}}"#);
        let ask = async |path: &str| ask_at(&app, &memory, "POST", path).await;
        memory.script_reply_body(document("10"));
        assert_eq!(ask("/ask/TAX/ac-1").await, 204);
        assert_eq!(amount(&memory).await, "10.00");
        memory.script_reply_body(document("12"));
        assert_eq!(ask("/ask/TAX/AC%2D1").await, 204);
        assert_eq!(amount(&memory).await, "12.00");
        assert_eq!(memory.take_sent().len(), 2);
        for (replies, path, status) in [
            (vec![404], "/ask/TAX/AC-2", 404),
            (vec![410], "/ask/TAX/AC-2", 404),
            (vec![500], "/ask/TAX/AC-2", 503),
            (vec![0], "/ask/TAX/AC-2", 503),
            (vec![], "/ask/SCHOOL/AC-2", 503),
            (vec![], "/ask/OTHER/AC-2", 503),
            (vec![], "/ask/TAX", 404),
            (vec![], "/ask/TAX/", 404),
        ] {
            memory.script_replies(replies.clone());
            assert_eq!(ask(path).await, status, "{replies:?} {path}");
        }
        assert_eq!(ask_at(&app, &memory, "GET", "/ask/TAX/AC-1").await, 405);
        memory.script_reply_body("{}");
        assert_eq!(ask("/ask/TAX/AC-1").await, 503, "no order");
        memory.script_reply_body(document("12"));
        let store = Ledger::new(memory.clone());
        let (service, key) = (ServiceId::parse("TAX").unwrap(), OrderKey::parse("AC-1"));
        let note = SourcePolicy::note(&service, &key.unwrap());
        let asked = store.notes().time(&note).await.unwrap();
        assert!(asked.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_is_down_is_left_alone_for_a_while() {
        BREAKER.set(Breaker::default());
        let memory = Memory::new();
        let app = app(r#"{"TAX": {"order_source": {}}}"#);
        memory.script_replies([500; 4]);
        for asked in [1, 1, 1, 0, 0] {
            assert_eq!(ask_at(&app, &memory, "POST", "/ask/TAX/AC-1").await, 503);
            assert_eq!(memory.take_sent().len(), asked);
        }
        tokio::time::sleep(PAUSE).await;
        assert_eq!(ask_at(&app, &memory, "POST", "/ask/TAX/AC-1").await, 503);
        assert_eq!(memory.take_sent().len(), 1, "once more");
        assert_eq!(ask_at(&app, &memory, "POST", "/ask/TAX/AC-1").await, 503);
        assert_eq!(memory.take_sent().len(), 0);
        tokio::time::sleep(PAUSE).await;
        memory.script_reply_body(document("10"));
        for _ in 0..2 {
            assert_eq!(ask_at(&app, &memory, "POST", "/ask/TAX/AC-1").await, 204);
            assert_eq!(memory.take_sent().len(), 1);
        }
    }
}
