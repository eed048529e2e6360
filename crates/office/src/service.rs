//! From HTTP request to HTTP answer: the routes of this door.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use mpay_door::{
    Platform, Problem, clients,
    http::{BoxError, finish, is_at, read},
    limit::within,
    log::{self, Field, end_of_key, log},
};
use mpay_ledger::Ledger;

use crate::{
    App,
    access::{self, Principal},
    admission,
    api::{self, endpoint::Values},
    cards,
    config::Config,
    health::{HEALTH, READY, not_configured, readiness},
    metrics, pages, schedule, source,
};

/// Answers a request; if the time is over, answers that the provider could not answer in time. The work is then
/// dropped at the point where it is, as if the host had died, and the caller repeats the request.
///
/// `late` ends when [`TIME`](mpay_door::http::TIME) has passed since the request came.
pub async fn handle_until<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    request: Request<impl Body<Error: Into<BoxError>>>,
    late: impl Future<Output = ()>,
) -> Response<Bytes> {
    let client = match &app.config {
        Ok(config) => clients::known(request.headers(), &config.proxies),
        Err(_) => clients::peer(request.headers()),
    };
    log::answered(store, client, request, async |request| {
        let answered = within(late, handle(app, store, request)).await;
        answered.unwrap_or_else(|| {
            log!(error: "a call took too long");
            let text = "The provider could not answer in time; try again.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, text)
                .retry_after(5)
                .into_response()
        })
    })
    .await
}

/// Answers a request, without a limit of time.
pub async fn handle<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    request: Request<impl Body<Error: Into<BoxError>>>,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if let Some(place) = place(path) {
        let method = log::known(&parts.method);
        log::note(Field::Operation, format_args!("{method} {place}"));
    }
    let result = match path {
        path if is_at(path, HEALTH) || is_at(path, READY) => {
            readiness(app, store, &parts.method).await
        }
        path if is_at(path, metrics::PATH) => metrics::answer(app, store, &parts).await,
        _ if app.paused.get() => {
            log::note(Field::Verdict, "paused");
            pages::paused(app, &parts)
        }
        path if path.starts_with(source::PATH) => {
            let path = path.strip_prefix(source::PATH).unwrap_or_default();
            source::answer(app, store, &parts, path).await
        }
        "/api/openapi.json" => api::openapi(&parts.method),
        path if path.starts_with(cards::PUBLIC) => {
            Box::pin(cards::public(app, store, &parts, body)).await
        }
        path if path.starts_with(pages::PAYER) => Ok(pages::payer(app, store, &parts).await),
        path if is_of_office(path) => Ok(pages::office(app, store, &parts, body).await),
        path => match path.strip_prefix("/api/") {
            Some(path) => api(app, store, &parts, path, body).await,
            None => Err(Problem::nothing_here()),
        },
    };
    finish(&parts.method, result)
}

/// The beginning of an address, for the log. The rest is left out, since it can be a payer's link or an order's
/// key. `None` for an address of no known kind.
fn place(path: &str) -> Option<&'static str> {
    let places = [
        HEALTH,
        metrics::PATH,
        "/api/",
        source::PATH,
        cards::PUBLIC,
        pages::PAYER,
        pages::OFFICE,
    ];
    places.into_iter().find(|place| path.starts_with(place))
}

/// Adds a call's role, service, order and payment to its line in the log.
fn note_call(config: &Config, caller: &Principal, endpoint: &str, values: &Values) {
    // Timers make these calls each minute.
    if matches!(endpoint, "outbox/deliver" | "card-payments/check") {
        log::is_routine();
    }
    log::note(Field::Role, caller.role.name());
    if let Ok(service) = values.service()
        && config.service(&service).is_some()
    {
        log::note(Field::Service, service);
    }
    if let Ok(key) = values.key() {
        log::note(Field::Order, end_of_key(key.as_str()));
    }
    // For other endpoints the id is that of a customer.
    if let Ok(id) = values.id()
        && (endpoint.starts_with("payments/") || endpoint.starts_with("card-payments/"))
    {
        log::note(Field::Payment, id);
    }
}

fn is_of_office(path: &str) -> bool {
    let rest = path.strip_prefix(pages::OFFICE);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn api<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    parts: &Parts,
    path: &str,
    body: impl Body<Error: Into<BoxError>>,
) -> Result<Response<Bytes>, Problem> {
    let config = app.config.as_ref().map_err(|_| not_configured())?;
    let caller = admission::authenticate(config, &parts.headers)?;
    let endpoints = api::endpoints();
    let (endpoint, values) = api::Endpoint::find(&endpoints, path, &parts.method)?;
    log::note(
        Field::Operation,
        format_args!("{} /api/{}", parts.method, endpoint.path),
    );
    note_call(config, caller, endpoint.path, &values);
    access::permit(caller, endpoint.roles)?;
    let body = match parts.method {
        Method::POST | Method::PUT | Method::PATCH => read(parts, body).await?,
        _ => Bytes::new(),
    };
    let call = api::Call {
        app,
        config,
        store,
        headers: &parts.headers,
        query: parts.uri.query().unwrap_or_default(),
        caller,
        effort: api::Effort::PROGRAM,
    };
    let answer = endpoint.call(&call, &values, &body).await?;
    schedule::note(store, endpoint.path, call.query, &body, &answer).await;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::StreamBody;
    use mpay_door::{config::testing::variables, http::TIME};
    use mpay_ledger::memory::Memory;

    use super::*;

    /// A request whose body never comes.
    fn endless(path: &str) -> Request<impl Body<Data = Bytes, Error = BoxError>> {
        let frames = futures::stream::pending::<Result<http_body::Frame<Bytes>, BoxError>>();
        let token = "0123456789012345678901234567890123456789";
        Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .body(StreamBody::new(frames))
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_answered_with_a_problem() {
        let app = App::new(variables());
        let store = Ledger::new(Memory::new());
        let late = tokio::time::sleep(TIME);
        let answer = handle_until(&app, &store, endless("/api/repair"), late);
        let answer = tokio::time::timeout(Duration::from_secs(30), answer).await;
        let response = answer.expect("the host would have answered");
        assert_eq!(response.status(), 503);
        let media_type = &response.headers()["content-type"];
        assert_eq!(media_type, "application/problem+json");
    }

    #[tokio::test(start_paused = true)]
    async fn while_everything_is_stopped_programs_and_people_are_told_to_come_again() {
        let mut variables = variables();
        for (name, value) in [
            ("paused", "true"),
            ("public_url", "https://pay.example.md/"),
            ("page_key", "0123456789012345678901234567890123456789"),
        ] {
            variables.set(name, value.to_owned());
        }
        let (app, memory) = (App::new(variables), Memory::new());
        let store = Ledger::new(memory.clone());
        let ask = async |method: &str, path: &str, accept: &str| {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("accept", accept).body(String::new());
            handle(&app, &store, request.unwrap()).await
        };
        for (method, path) in [
            ("POST", "/api/outbox/deliver"),
            ("GET", "/api/openapi.json"),
            ("POST", "/cards/notifications"),
            ("POST", "/ask/TAX/A-1"),
        ] {
            let response = ask(method, path, "*/*").await;
            assert_eq!(response.status(), 503, "{path}");
            assert_eq!(response.headers()["retry-after"], "60");
            let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(problem["type"], mpay_door::PAUSED, "{problem}");
        }
        for (method, path) in [
            ("GET", "/o/whatever"),
            ("POST", "/o/whatever/card"),
            ("GET", "/admin"),
            ("POST", "/admin/sign-in"),
            ("GET", "/cards/return/card0"),
        ] {
            for (language, words) in [
                ("ro", "Reveniți mai târziu"),
                ("ru", "Зайдите позже"),
                ("en", "Come back later"),
            ] {
                let path = format!("{path}?lang={language}");
                let response = ask(method, &path, "text/html").await;
                assert_eq!(response.status(), 503, "{path}");
                assert_eq!(response.headers()["retry-after"], "60");
                let page = String::from_utf8(response.into_body().to_vec()).unwrap();
                assert!(page.contains(words), "{page}");
                assert!(!page.contains("<form"), "{page}");
            }
        }
        assert_eq!(ask("GET", "/o/style.css", "text/css").await.status(), 200);
        assert_eq!(memory.take_calls(), [""; 0]);
        let health = ask("GET", HEALTH, "*/*").await;
        let health: serde_json::Value = serde_json::from_slice(health.body()).unwrap();
        assert_eq!(health["status"], "paused");
    }

    #[tokio::test(start_paused = true)]
    async fn health_and_metrics_are_found_as_people_write_their_addresses() {
        let app = App::new(variables());
        let store = Ledger::new(Memory::new());
        for (path, status) in [
            ("/health/office", 200),
            ("/health/office/", 200),
            ("/health/office/Ready/", 200),
            ("/metrics", 401),
            ("/metrics/", 401),
            ("/metrics//", 404),
            ("/metrics/x", 404),
            ("/health/office/x", 404),
        ] {
            let request = Request::get(path).body(String::new()).unwrap();
            let response = handle(&app, &store, request).await;
            assert_eq!(response.status(), status, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_answered_in_time_is_answered_as_ever() {
        let app = App::new(variables());
        let store = Ledger::new(Memory::new());
        let request = Request::get("/api/openapi.json")
            .body(String::new())
            .unwrap();
        let response = handle_until(&app, &store, request, std::future::ready(())).await;
        assert_eq!(response.status(), 200);
    }
}
