//! From HTTP request to HTTP answer: the routes of this door.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use mpay_door::{
    Platform, Problem,
    clock::UNREMARKABLE,
    health,
    http::{BoxError, finish, read},
    limit::within,
    log::log,
};
use mpay_ledger::Ledger;

use crate::{App, access, api, cards, pages, source};

/// The address of this door's readiness.
pub const HEALTH: &str = "/health/office";

/// Answers a request, or says that it could not in time: what it was at is dropped where it stands,
/// as if the host had died, and its caller asks again.
///
/// `late` ends when [`TIME`](mpay_door::http::TIME) is over, counted from when the request came.
pub async fn handle_until<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    request: Request<impl Body<Error: Into<BoxError>>>,
    late: impl Future<Output = ()>,
) -> Response<Bytes> {
    let answered = within(late, handle(app, store, request)).await;
    answered.unwrap_or_else(|| {
        log!("a call took too long");
        let text = "The provider could not answer in time; try again.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, text)
            .retry_after(5)
            .into_response()
    })
}

/// Answers a request.
pub async fn handle<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    request: Request<impl Body<Error: Into<BoxError>>>,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let result = match path {
        HEALTH => readiness(app, store, &parts.method).await,
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

/// Answers [`HEALTH`].
///
/// # Errors
/// A [`Problem`] for other methods than GET and HEAD.
pub async fn readiness<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    method: &Method,
) -> Result<Response<Bytes>, Problem> {
    let skew = UNREMARKABLE.unsigned_abs();
    let more = match &app.config {
        Ok(config) => mpay_notify::warnings(&config.notification, &app.memory, store).await,
        Err(_) => Vec::new(),
    };
    health::ready(app, store, method, |_| skew, None, more).await
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
    let Ok(config) = &app.config else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The provider is not configured; GET /health/office says what is missing.",
        ));
    };
    let caller = access::authenticate(config, &parts.headers).inspect_err(|_| {
        log!("a call of the API without a good token was refused");
    })?;
    let endpoints = api::endpoints();
    let (endpoint, values) = api::Endpoint::find(&endpoints, path, &parts.method)?;
    access::permit(caller, endpoint.roles).inspect_err(|_| {
        let (role, method, path) = (caller.role.name(), endpoint.method, endpoint.path);
        log!("{method} {path} was refused to the role {role}");
    })?;
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
    };
    (endpoint.answer)(&call, &values, &body).await
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
