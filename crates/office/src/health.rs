//! The readiness of this door, and the answer while it cannot be.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use mpay_door::{Platform, Problem, clock::UNREMARKABLE, health};
use mpay_ledger::Ledger;

use crate::App;

/// The address of this door's readiness.
pub const HEALTH: &str = "/health/office";

/// The same readiness at a second address, which matches that of the liveness.
pub const READY: &str = "/health/office/ready";

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

/// The problem that calls receive while the variables are wrong.
pub fn not_configured() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "The provider is not configured; GET /health/office says what is missing.",
    )
}
