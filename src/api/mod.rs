//! The order API: JSON for the institution's own system, for callers with a token.

mod checks;
mod events;
mod evidence;
mod merge_patch;
mod orders;
mod outbox;
mod problem;
mod zip;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{
    app::App,
    config::{Config, Token},
    domain::{OrderKey, PaymentId, ServiceId},
    store::{Platform, Store},
};
pub use problem::Problem;

/// A call of the API.
pub struct Call<'a, P> {
    /// What the instance keeps.
    pub app: &'a App,
    /// The deployment's configuration.
    pub config: &'a Config,
    /// The store.
    pub store: &'a Store<P>,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The part of the address after `?`.
    pub query: &'a str,
}

/// What a path below `/api/` names.
pub enum Route {
    /// `/api/orders`.
    Orders,
    /// `/api/orders/{service}/{key}`.
    Order(ServiceId, OrderKey),
    /// `/api/payments`.
    Payments,
    /// `/api/payments/{id}`.
    Payment(PaymentId),
    /// `/api/payments/{id}/evidence`.
    Evidence(PaymentId),
    /// `/api/refusals`.
    Refusals,
    /// `/api/events`.
    Events,
    /// `/api/repair`.
    Repair,
    /// `/api/outbox`.
    Outbox,
    /// `/api/outbox/deliver`.
    OutboxDeliver,
}

impl Route {
    /// Finds the route of a path.
    ///
    /// # Errors
    /// A [`Problem`] that names what is wrong with the path.
    pub fn of(path: &str) -> Result<Self, Problem> {
        let segments: Vec<_> = path.split('/').collect();
        match segments.as_slice() {
            ["orders", service, key] => {
                let service = ServiceId::parse(&decode(service)?)
                    .map_err(|error| Problem::field("service", error))?;
                let key =
                    OrderKey::parse(&decode(key)?).map_err(|error| Problem::field("key", error))?;
                Ok(Self::Order(service, key))
            }
            ["orders"] => Ok(Self::Orders),
            ["payments"] => Ok(Self::Payments),
            ["payments", id] => payment_id(id).map(Self::Payment),
            ["payments", id, "evidence"] => payment_id(id).map(Self::Evidence),
            ["refusals"] => Ok(Self::Refusals),
            ["events"] => Ok(Self::Events),
            ["repair"] => Ok(Self::Repair),
            ["outbox"] => Ok(Self::Outbox),
            ["outbox", "deliver"] => Ok(Self::OutboxDeliver),
            _ => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "There is no such resource in the API.",
            )),
        }
    }

    /// The methods that it takes.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Orders | Self::OutboxDeliver | Self::Repair => "POST",
            Self::Order(..) => "GET, HEAD, PUT, PATCH, DELETE",
            Self::Payments
            | Self::Payment(_)
            | Self::Evidence(_)
            | Self::Refusals
            | Self::Events
            | Self::Outbox => "GET, HEAD",
        }
    }
}

/// Refuses callers without a token of the configuration, and those with a token to read who do
/// something else.
///
/// # Errors
/// A 401 or 403 [`Problem`].
pub fn authorize(config: &Config, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let denied = |detail| Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    if config.api_tokens.is_empty() && config.api_read_tokens.is_empty() {
        return denied(
            "The API is closed: neither the variable api_token nor api_read_token is set.",
        );
    }
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let Some(token) = token else {
        return denied(
            "Send a token of the variable api_token or api_read_token: `Authorization: Bearer …`.",
        );
    };
    let full = is_among(&config.api_tokens, token);
    let read_only = is_among(&config.api_read_tokens, token);
    if full || (read_only && reads(method)) {
        Ok(())
    } else if read_only {
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "The token is one of the variable api_read_token, which may only read (GET). Changes need one of api_token.",
        ))
    } else {
        denied("The token is none of the variables api_token and api_read_token.")
    }
}

/// Compares every token, so that time does not tell which it is.
fn is_among(tokens: &[Token], token: &str) -> bool {
    tokens
        .iter()
        .fold(false, |known, candidate| known | candidate.matches(token))
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Answers a call whose caller is authorized.
///
/// # Errors
/// The [`Problem`] to answer with.
pub async fn handle<P: Platform>(
    call: &Call<'_, P>,
    method: &Method,
    route: Route,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let reads = reads(method);
    match route {
        Route::Orders if *method == Method::POST => orders::post(call, body).await,
        Route::Order(service, key) if reads => orders::get(call, &service, &key).await,
        Route::Order(service, key) if *method == Method::PUT => {
            orders::put(call, &service, &key, body).await
        }
        Route::Order(service, key) if *method == Method::PATCH => {
            orders::patch(call, &service, &key, body).await
        }
        Route::Order(service, key) if *method == Method::DELETE => {
            orders::delete(call, &service, &key).await
        }
        Route::Payments if reads => events::payments(call).await,
        Route::Payment(id) if reads => evidence::payment(call, &id).await,
        Route::Evidence(id) if reads => evidence::evidence(call, &id).await,
        Route::Refusals if reads => events::refusals(call).await,
        Route::Events if reads => events::events(call).await,
        Route::Repair if *method == Method::POST => repair(call).await,
        Route::Outbox if reads => outbox::get(call).await,
        Route::OutboxDeliver if *method == Method::POST => outbox::deliver(call).await,
        other => Err(Problem::method_not_allowed(other.methods())),
    }
}

/// Mends what the store may have lost, a part at a time.
async fn repair<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let after = match call.query.split_once('=') {
        None if call.query.is_empty() => String::new(),
        Some(("after", key)) => decode(key)?,
        _ => {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "Of parameters there is after.",
            ));
        }
    };
    json(StatusCode::OK, &call.store.repair(&after).await?)
}

fn payment_id(segment: &str) -> Result<PaymentId, Problem> {
    PaymentId::parse(&decode(segment)?).map_err(|error| Problem::field("id", error))
}

fn decode(segment: &str) -> Result<String, Problem> {
    percent_decode_str(segment)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The path is not UTF-8."))
}

fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Result<Response<Bytes>, Problem> {
    let body = serde_json::to_vec(value).map_err(Problem::internal)?;
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    Ok(response)
}
