//! `/api/events`, and of them `/api/payments` and `/api/refusals`: what happened, in order.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{Call, Problem, json};
use crate::{
    domain::time,
    json::{Event, PaymentJson, RefusalJson},
    store::{JournalEntry, Platform},
};

/// How many entries are given where the caller does not say.
const DEFAULT_LIMIT: u64 = 100;
/// How many entries are given at most.
const MAX_LIMIT: u64 = 200;

#[derive(Serialize)]
struct EventsAnswer {
    events: Vec<EventAnswer>,
    /// What `after` must be to go on.
    next: u64,
}

#[derive(Serialize)]
struct EventAnswer {
    index: u64,
    at: String,
    #[serde(flatten)]
    event: Event,
}

#[derive(Serialize)]
struct PaymentsAnswer {
    payments: Vec<PaymentAnswer>,
    next: u64,
}

/// A payment as the API answers it.
#[derive(Serialize)]
pub(super) struct PaymentAnswer {
    /// Its place in the journal.
    pub index: u64,
    #[serde(flatten)]
    pub payment: PaymentJson,
}

#[derive(Serialize)]
struct RefusalsAnswer {
    refusals: Vec<RefusalAnswer>,
    next: u64,
}

#[derive(Serialize)]
struct RefusalAnswer {
    index: u64,
    #[serde(flatten)]
    refusal: RefusalJson,
}

/// Everything that happened.
pub async fn events<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let (after, limit) = page(call.query)?;
    let page = call.store.journal(after, limit, |_| true).await?;
    let events = page
        .entries
        .into_iter()
        .map(|JournalEntry { index, at, event }| EventAnswer {
            index,
            at: time::format(at),
            event,
        })
        .collect();
    let next = page.next;
    json(StatusCode::OK, &EventsAnswer { events, next })
}

/// Payments in the order of their recording.
pub async fn payments<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let (after, limit) = page(call.query)?;
    let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
    let page = call.store.journal(after, limit, wanted).await?;
    let payments = page
        .entries
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::PaymentRecorded(payment) => Some(PaymentAnswer {
                index: entry.index,
                payment: *payment,
            }),
            _ => None,
        })
        .collect();
    let next = page.next;
    json(StatusCode::OK, &PaymentsAnswer { payments, next })
}

/// Confirmations that MPay signed and this provider refused. One kept twice by calls at the same
/// time is given twice; `evidence` tells.
pub async fn refusals<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let (after, limit) = page(call.query)?;
    let wanted = |event: &Event| matches!(event, Event::PaymentRefused(_));
    let page = call.store.journal(after, limit, wanted).await?;
    let refusals = page
        .entries
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::PaymentRefused(refusal) => Some(RefusalAnswer {
                index: entry.index,
                refusal: *refusal,
            }),
            _ => None,
        })
        .collect();
    let next = page.next;
    json(StatusCode::OK, &RefusalsAnswer { refusals, next })
}

fn page(query: &str) -> Result<(u64, usize), Problem> {
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
    Ok((after, usize::try_from(limit).unwrap_or(usize::MAX)))
}
