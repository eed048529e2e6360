//! The answers of the order API to this command.

use serde::Deserialize;

/// A page of `GET /api/archive`.
#[derive(Debug, Deserialize)]
pub(super) struct Movable {
    pub(super) payments: Vec<Candidate>,
    pub(super) next: Option<String>,
}

/// A payment whose messages may leave the store, or have.
#[derive(Debug, Deserialize)]
pub(super) struct Candidate {
    pub(super) payment_id: String,
    pub(super) index: u64,
    pub(super) recorded_at: String,
    pub(super) left: bool,
}

/// The answer of `POST /api/archive`.
#[derive(Debug, Deserialize)]
pub(super) struct Moved {
    pub(super) moved: usize,
    pub(super) kept: Vec<Kept>,
}

/// A payment whose messages the store keeps, and why.
#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    pub(super) payment_id: String,
    pub(super) reason: String,
}
