//! `/api/payments` and `/api/refusals`: what was recorded, and what was refused, in order.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{Call, Problem, json};
use crate::{
    json::PaymentJson,
    store::{LedgerEntry, Platform, Refusal},
};

/// How many entries are looked at where the caller does not say.
const DEFAULT_LIMIT: u64 = 100;
/// How many entries are looked at most.
const MAX_LIMIT: u64 = 200;

#[derive(Serialize)]
struct LedgerAnswer {
    payments: Vec<LedgerPayment>,
    /// What `after` must be to go on.
    next: u64,
}

/// A payment as the API answers it.
#[derive(Serialize)]
pub(super) struct LedgerPayment {
    /// Its place in the ledger.
    index: u64,
    #[serde(flatten)]
    payment: PaymentJson,
}

impl From<LedgerEntry> for LedgerPayment {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            index: entry.index,
            payment: entry.payment,
        }
    }
}

#[derive(Serialize)]
struct RefusalsAnswer {
    refusals: Vec<Refusal>,
    next: u64,
}

/// Payments in the order of their recording.
pub async fn ledger<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let (after, limit) = page(call.query)?;
    let page = call.store.ledger(after, limit).await?;
    let payments = page.payments.into_iter().map(LedgerPayment::from).collect();
    json(
        StatusCode::OK,
        &LedgerAnswer {
            payments,
            next: page.next,
        },
    )
}

/// Confirmations that MPay signed and this provider refused.
pub async fn refusals<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let (after, limit) = page(call.query)?;
    let (refusals, next) = call.store.refusals(after, limit).await?;
    json(StatusCode::OK, &RefusalsAnswer { refusals, next })
}

fn page(query: &str) -> Result<(u64, u64), Problem> {
    let (mut after, mut limit) = (0, DEFAULT_LIMIT);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let number = || -> Result<u64, Problem> {
            let digits = value.parse().ok().filter(|number| *number < 1 << 53);
            digits.ok_or_else(|| Problem::field(name, "must be a whole number"))
        };
        match name {
            "after" => after = number()?,
            "limit" => {
                limit = number()?;
                if !(1..=MAX_LIMIT).contains(&limit) {
                    return Err(Problem::field(
                        name,
                        format!("must be from 1 to {MAX_LIMIT}"),
                    ));
                }
            }
            _ => {
                return Err(Problem::new(
                    StatusCode::BAD_REQUEST,
                    "Of parameters there are after and limit.",
                ));
            }
        }
    }
    Ok((after, limit))
}
