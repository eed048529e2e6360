//! The admission of a caller: by a token of a principal in the configuration.

use http::{HeaderMap, StatusCode, header};
use mpay_door::{Configuration as _, Problem, config::Environment};

use crate::{
    access::{ACCESS, DEVELOPMENT_TOKEN, MIN_TOKEN, Principal},
    config::Config,
};

/// The principal with the token in the header `Authorization`.
///
/// # Errors
/// A 401 [`Problem`] if no principal has the token; 503 if an entry with a mistake may be the caller's.
pub fn authenticate<'a>(config: &'a Config, headers: &HeaderMap) -> Result<&'a Principal, Problem> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    admit(config, token)
}

/// The principal with this token.
///
/// # Errors
/// Those of [`authenticate`].
pub fn admit<'a>(config: &'a Config, token: Option<&str>) -> Result<&'a Principal, Problem> {
    let denied = |detail| Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    // The token may belong to an entry with a mistake. Its caller has made no mistake.
    let unknown = |detail| match config.switched_off(&[ACCESS]) {
        Some(variable) => Err(Problem::switched_off(
            "The API for tokens that are not known",
            variable,
        )),
        None => denied(detail),
    };
    if config.principals.is_empty() {
        return unknown("The API is closed: the variable access is not set.");
    }
    let Some(token) = token else {
        return denied(
            "Send the token of a principal of the variable access: `Authorization: Bearer …`.",
        );
    };
    if token.chars().count() < MIN_TOKEN {
        return denied(
            "The token is shorter than 32 characters; `mpay access add` makes a good one.",
        );
    }
    if token.starts_with(DEVELOPMENT_TOKEN) && config.environment != Environment::Development {
        return denied("The token is one for development, and this is no development environment.");
    }
    match config.principals.with_token(token) {
        Some(principal) => Ok(principal),
        None => unknown("The token is of no principal of the variable access."),
    }
}
