//! `/api/events`: everything that happened, in order.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{
    Call, Problem, json,
    query::{Query, page},
};
use crate::{
    domain::time,
    json::Event,
    store::{JournalEntry, Platform, Span},
};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct EventsAnswer {
    events: Vec<EventAnswer>,
    /// What `after` must be to go on.
    next: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct EventAnswer {
    index: u64,
    at: String,
    #[serde(flatten)]
    event: Event,
}

/// Answers a part of the journal.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let (after, limit) = page(&Query::read(call.query, &["after", "limit"])?)?;
    let page = call
        .store
        .journal(after, limit, Span::ALWAYS, |_| true)
        .await?;
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
