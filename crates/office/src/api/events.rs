//! `/api/events`: all events, in their order in the journal.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    endpoint::Endpoint,
    json,
    query::{Query, Reached, page},
};
use crate::{
    access::EVERYBODY,
    domain::time,
    json::Event,
    store::{JournalEntry, Platform, RawEntry, Span},
};

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct EventsAnswer {
    events: Vec<EntryAnswer>,
    #[serde(flatten)]
    reached: Reached,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct EventAnswer {
    pub(super) index: u64,
    pub(super) at: String,
    #[serde(flatten)]
    pub(super) event: Event,
    /// The order's page for the payer. Only events of an order itself have it, and only if there are pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pay_url: Option<String>,
}

/// An entry that this program cannot read, passed on unchanged: an entry of a later version, or a damaged one.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct UnreadableAnswer {
    index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Always true.
    unreadable: bool,
    /// The members of the record, with its `type`; absent if the record is damaged.
    #[serde(flatten)]
    record: serde_json::Map<String, serde_json::Value>,
}

/// An entry of the journal.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(super) enum EntryAnswer {
    Read(Box<EventAnswer>),
    Unreadable(UnreadableAnswer),
}

impl EntryAnswer {
    fn index(&self) -> u64 {
        match self {
            Self::Read(event) => event.index,
            Self::Unreadable(raw) => raw.index,
        }
    }
}

impl From<RawEntry> for UnreadableAnswer {
    fn from(raw: RawEntry) -> Self {
        #[derive(serde::Deserialize)]
        struct Stored {
            entry: serde_json::Map<String, serde_json::Value>,
        }
        let stored = serde_json::from_slice::<Stored>(&raw.bytes);
        let mut record = stored.map(|stored| stored.entry).unwrap_or_default();
        for name in ["index", "at", "unreadable"] {
            record.remove(name);
        }
        Self {
            index: raw.index,
            at: raw.at.map(time::format),
            unreadable: true,
            record,
        }
    }
}

/// `GET /api/events`.
pub const fn list_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "events",
        roles: &EVERYBODY,
        parameters: &["cursor", "limit"],
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("events", "listEvents", "All events, in the order of their recording")
            .describe("The list ends when `next` is absent; a page may be empty. Keep `cursor` to read later events.")
            .takes(["cursor", "limit"])
            .answers(200, "A page.", as_json(schemas.answer::<EventsAnswer>()))
        },
    }
}

/// Answers a part of the journal.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let (from, limit) = page(call, &query).await?;
    let page = call
        .store
        .journal()
        .read(from, limit, Span::ALWAYS, |_| true)
        .await?;
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    let read = |JournalEntry { index, at, event }| {
        EntryAnswer::Read(Box::new(EventAnswer {
            index,
            at: time::format(at),
            pay_url: call.config.notification.pay_url(&event),
            event,
        }))
    };
    let unreadable = page.unreadable.into_iter();
    let unreadable = unreadable.map(|raw| EntryAnswer::Unreadable(raw.into()));
    let mut events: Vec<_> = page
        .entries
        .into_iter()
        .map(read)
        .chain(unreadable)
        .collect();
    events.sort_by_key(EntryAnswer::index);
    let reached = Reached::new(call, from, page.next).await?;
    json(StatusCode::OK, &EventsAnswer { events, reached })
}
