//! The order API: JSON for the institution's own system, for callers with a token.

mod checks;
mod document;
mod erasures;
mod events;
mod evidence;
mod export;
mod import;
mod manual;
mod merge_patch;
mod openapi;
mod order_answer;
mod order_table;
mod orders;
mod outbox;
mod payments;
mod query;
mod reconciliation;
mod refusals;
mod register;
mod reviews;
mod route;
mod settlement;
mod table;
#[cfg(test)]
mod testing;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    App,
    config::{Config, Token},
    store::{Platform, Store},
};
use mpay_door::{Configuration as _, Problem};
pub use openapi::openapi;
pub use route::{RESOURCES, Resource, Route};

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
    /// Fingerprint of the caller's token.
    pub caller: &'a str,
}

/// Refuses callers without a token of the configuration, and those with a token to read who do
/// something else. Gives the fingerprint of the token, so that what was done can be told of whom.
///
/// # Errors
/// A 401 or 403 [`Problem`], or 503 if the variable that would admit the caller has a mistake.
pub fn authorize(config: &Config, method: &Method, headers: &HeaderMap) -> Result<String, Problem> {
    let denied = |detail| Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    // A token may be one of a variable that has a mistake: its caller is not to blame.
    let off = config.switched_off(&["api_token", "api_read_token"]);
    let unknown = |detail| match off {
        Some(variable) => Err(Problem::switched_off(
            "The API for tokens that are not known",
            variable,
        )),
        None => denied(detail),
    };
    if config.api_tokens.is_empty() && config.api_read_tokens.is_empty() {
        return unknown(
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
        Ok(Token::new(token).fingerprint())
    } else if read_only {
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "The token is one of the variable api_read_token, which may only read (GET). Changes need one of api_token.",
        ))
    } else {
        unknown("The token is none of the variables api_token and api_read_token.")
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
    let (reads, posts) = (reads(method), *method == Method::POST);
    match route {
        Route::Orders if reads => register::list(call).await,
        Route::Orders if posts => orders::post(call, body).await,
        Route::Order(service, key) if reads => orders::get(call, &service, &key).await,
        Route::OrderPayments(service, key) if reads => {
            order_answer::payments(call, &service, &key).await
        }
        Route::Order(service, key) if *method == Method::PUT => {
            orders::put(call, &service, &key, body).await
        }
        Route::Order(service, key) if *method == Method::PATCH => {
            orders::patch(call, &service, &key, body).await
        }
        Route::Order(service, key) if *method == Method::DELETE => {
            orders::delete(call, &service, &key).await
        }
        Route::Payments if reads => payments::list(call).await,
        Route::Payment(id) if reads => payments::get(call, &id).await,
        Route::Proposals if posts => manual::propose(call, body).await,
        Route::Proposal(id) if reads => manual::get(call, id).await,
        Route::Proposal(id) if *method == Method::DELETE => manual::withdraw(call, id).await,
        Route::Approval(id) if posts => manual::approve(call, id).await,
        Route::Void(id) if posts => manual::propose_void(call, &id, body).await,
        Route::Evidence(id) if reads => evidence::of_payment(call, &id).await,
        Route::Review(id, reason) if posts => {
            reviews::close_of_payment(call, &id, &reason, body).await
        }
        Route::Refusals if reads => refusals::list(call).await,
        Route::Refusal(index) if reads => refusals::get(call, index).await,
        Route::RefusalEvidence(index) if reads => evidence::of_refusal(call, index).await,
        Route::RefusalReview(index, reason) if posts => {
            reviews::close_of_refusal(call, index, &reason, body).await
        }
        Route::Events if reads => events::list(call).await,
        Route::Import if posts => import::post(call, body).await,
        Route::Export if reads => export::get(call).await,
        Route::Settlement if posts => settlement::post(call, body).await,
        Route::Reconciliation if reads => reconciliation::get(call).await,
        Route::Erasures if posts => erasures::post(call, body).await,
        Route::Repair if posts => repair(call).await,
        Route::Outbox if reads => outbox::get(call).await,
        Route::OutboxDeliver if posts => outbox::deliver(call).await,
        // The table of resources gives a route only with a method that it takes.
        route => Err(Problem::internal(format!(
            "{method} of {route:?} is not answered"
        ))),
    }
}

/// Mends what the store may have lost, a part at a time.
async fn repair<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = query::Query::read(call.query, &["after"])?;
    let after = query::cursor(call, &query, "after").await?;
    let repair = call.store.repair(&after.unwrap_or_default()).await?;
    if repair.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    json(StatusCode::OK, &repair)
}

fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Result<Response<Bytes>, Problem> {
    let text = serde_json::to_vec(value).map_err(Problem::internal)?;
    Ok(json_text(status, text))
}

/// Apart from [`json`], which is there for each type.
fn json_text(status: StatusCode, text: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer that browsers store as a file.
fn file(
    media_type: &'static str,
    name: &str,
    content: Vec<u8>,
) -> Result<Response<Bytes>, Problem> {
    let mut response = Response::new(Bytes::from(content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    headers.insert(
        header::CONTENT_DISPOSITION,
        disposition.map_err(Problem::internal)?,
    );
    Ok(response)
}
