//! The order API: JSON for the institution's own system, for callers with a token.

mod checks;
#[cfg(feature = "description")]
pub mod description;
mod document;
pub mod endpoint;
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
mod repair;
mod reviews;
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
    store::{Ledger, Platform},
};
pub use endpoint::Endpoint;
use endpoint::Role;
use mpay_door::{Configuration as _, Problem};
pub use openapi::openapi;

/// A call of the API.
pub struct Call<'a, P> {
    /// What the instance keeps.
    pub app: &'a App,
    /// The deployment's configuration.
    pub config: &'a Config,
    /// The store.
    pub store: &'a Ledger<P>,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The part of the address after `?`.
    pub query: &'a str,
    /// Fingerprint of the caller's token.
    pub caller: &'a str,
}

/// Who calls.
#[derive(Debug)]
pub struct Caller {
    /// Fingerprint of the token, so that what was done can be told of whom.
    pub fingerprint: String,
    /// What the token admits to.
    role: Role,
}

impl Caller {
    /// Refuses who may not call an endpoint.
    ///
    /// # Errors
    /// A 403 [`Problem`].
    pub fn may_call<P>(&self, endpoint: &Endpoint<P>) -> Result<(), Problem> {
        if self.role >= endpoint.role {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "The token is one of the variable api_read_token, which may only read (GET). Changes need one of api_token.",
        ))
    }
}

/// Refuses callers without a token of the configuration.
///
/// # Errors
/// A 401 [`Problem`], or 503 if the variable that would admit the caller has a mistake.
pub fn authenticate(config: &Config, headers: &HeaderMap) -> Result<Caller, Problem> {
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
    // Both are compared, so that time does not tell which it is.
    let full = is_among(&config.api_tokens, token);
    let read_only = is_among(&config.api_read_tokens, token);
    let role = match (full, read_only) {
        (true, _) => Role::Full,
        (false, true) => Role::Read,
        (false, false) => {
            return unknown("The token is none of the variables api_token and api_read_token.");
        }
    };
    Ok(Caller {
        fingerprint: Token::new(token).fingerprint(),
        role,
    })
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

/// Every endpoint of the API. Of two paths that fit, the first is meant; `Allow` lists methods in this
/// order.
pub fn endpoints<P: Platform>() -> [Endpoint<P>; 29] {
    [
        register::list_endpoint(),
        orders::post_endpoint(),
        import::post_endpoint(),
        export::get_endpoint(),
        orders::get_endpoint(),
        orders::put_endpoint(),
        orders::patch_endpoint(),
        orders::delete_endpoint(),
        order_answer::payments_endpoint(),
        payments::list_endpoint(),
        manual::propose_endpoint(),
        payments::get_endpoint(),
        evidence::of_payment_endpoint(),
        manual::propose_void_endpoint(),
        manual::get_endpoint(),
        manual::withdraw_endpoint(),
        manual::approve_endpoint(),
        reviews::close_of_payment_endpoint(),
        refusals::list_endpoint(),
        refusals::get_endpoint(),
        evidence::of_refusal_endpoint(),
        reviews::close_of_refusal_endpoint(),
        events::list_endpoint(),
        reconciliation::get_endpoint(),
        settlement::post_endpoint(),
        erasures::post_endpoint(),
        repair::post_endpoint(),
        outbox::get_endpoint(),
        outbox::deliver_endpoint(),
    ]
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
