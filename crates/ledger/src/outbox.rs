//! The outbox: the deliveries of the journal's events to the receivers of webhooks.
//!
//! The outbox is derived. An entry of the journal is its entry in the outbox, so a payment is there
//! before MPay gets its answer, and costs nothing. For a receiver it is settled once
//! `delivered/<receiver>/<index>` exists. `outbox/<receiver>` keeps the reading short: an index up to
//! which everything is settled, except for some entries that are named beside it and wait for their next
//! attempt, and for parts of the journal that calls go through in turns. So however much is refused,
//! later messages are not held up. All of this is one value that stays true: an older one that wins a
//! race, or one that a crash has kept from being written, does no harm.
//!
//! A receiver is identified by its name: its deliveries do not depend on its address.

use jiff::{SignedDuration, Timestamp};
use mpay_log::parse_counter;
use serde::{Deserialize, Serialize};

use super::{
    Journal, JournalEntry, Platform, Span, StoreError,
    journal_list::JournalList,
    keys,
    notes::{unwrap, wrapped},
    record::{Key, Values, over_the_log, read, to_json},
};
use crate::json::{Event, Groups, time};

over_the_log! {
    /// The deliveries to receivers of webhooks.
    pub struct Outbox
}

/// Entries read at once.
const PAGE: usize = 100;

/// The number of places at the end of the journal that a new receiver is told of: the events between its
/// configuration and the first look at it, and all of a small journal.
const BEFORE_THE_FIRST_LOOK: u64 = 1000;

/// The longest time for which a receiver can postpone messages by one answer.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// Parts of the journal that are gone through at the same time.
const MOST_PARTS_LEFT: usize = 8;

/// Requests to send again that may wait for their turn.
const MOST_REQUESTS: u64 = 64;

/// Most attempts to enter a request, each at a new place after the last one was passed by.
const TRIES: u32 = 8;

/// The deliveries to one receiver.
#[derive(Debug)]
pub struct ReceiverOutbox<'a, P> {
    log: &'a mpay_log::Log<P>,
    receiver: &'a str,
    groups: Groups,
}

impl<P> Clone for ReceiverOutbox<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for ReceiverOutbox<'_, P> {}

/// A message, with the state of its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the journal.
    pub index: u64,
    /// The time at which it was recorded.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
    /// The attempts that failed.
    pub attempts: Attempts,
    /// The end of the delivery; `None` while something is still to be done.
    pub settled: Option<Settled>,
}

impl Delivery {
    /// The delivery for a request to send again: attempts and receipts from before do not count.
    fn anew(mut self, request: u64) -> Self {
        if self.attempts.request < request {
            self.attempts = Attempts {
                request,
                ..Attempts::default()
            };
        }
        self.settled = self.settled.filter(|settled| settled.request >= request);
        self
    }
}

/// The attempts to deliver a message that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// The number of them.
    pub count: u32,
    /// The last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The time at which to try again.
    #[serde(
        default,
        deserialize_with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub next_at: Option<Timestamp>,
    /// The request to send again that the attempts are for; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub request: u64,
}

/// The end of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The time.
    #[serde(deserialize_with = "time::deserialize")]
    pub at: Timestamp,
    /// True if it was given up instead of delivered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
    /// The latest request to send again that the receipt is for; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub request: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A part of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxPage {
    /// Deliveries in the order of the journal.
    pub deliveries: Vec<Delivery>,
    /// The place to go on from. It may have grown though there are no deliveries.
    pub next: u64,
    /// True if these are all deliveries until now, and no event is being recorded.
    pub complete: bool,
    /// True if the cursor was beyond the end.
    pub is_beyond_end: bool,
}

/// The state of the delivery to a receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxState {
    /// The index up to which every delivery is settled, waits, or is in a part that is left.
    pub low: u64,
    /// Deliveries up to `low` that are not settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// Parts up to `low` in which something may not be settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<PartLeft>,
    /// The last request to send again that is done, or has become a part that is left.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// The kind of deliveries that had no turn, and goes first the next time.
    #[serde(default)]
    pub turn: u8,
}

/// A delivery that waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The event's place in the journal.
    pub index: u64,
    /// The earliest time at which to try again; at once if absent.
    #[serde(
        default,
        deserialize_with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub next_at: Option<Timestamp>,
    /// The request to send again that the delivery is for; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub request: u64,
}

/// A part of the journal that is gone through in turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLeft {
    /// The place up to which everything is settled, or waits.
    pub after: u64,
    /// The last place.
    pub last: u64,
    /// The place to go on from.
    pub at: u64,
    /// The request to send again that the part is for; 0 if its deliveries found no room among those that
    /// wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub request: u64,
}

impl OutboxState {
    /// The index before the first delivery that is not settled.
    pub fn first(&self) -> u64 {
        let waiting = self.waiting.iter().map(|waiting| waiting.index - 1);
        let left = self.left.iter().map(|part| part.after);
        waiting.chain(left).min().unwrap_or(self.low).min(self.low)
    }
}

/// The latest outcomes with a receiver. Two at the same time may count as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lately {
    /// The time at which it last took a message.
    #[serde(
        default,
        deserialize_with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub success_at: Option<Timestamp>,
    /// The time at which it last did not take one.
    #[serde(
        default,
        deserialize_with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub failed_at: Option<Timestamp>,
    /// The error of that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The time before which the receiver wants nothing.
    #[serde(
        default,
        deserialize_with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_before: Option<Timestamp>,
}

impl Lately {
    /// The time until which the receiver is left alone, if it is now. A time beyond [`LONGEST_WAIT`]
    /// comes from a wrong clock.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.not_before
            .filter(|at| *at > now && at.duration_since(now) <= LONGEST_WAIT)
    }
}

/// A receiver that wants nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The time since which it wants nothing.
    #[serde(deserialize_with = "time::deserialize")]
    pub at: Timestamp,
}

/// The known state of a receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The state of delivery; `None` before the first look.
    pub state: Option<OutboxState>,
    /// The latest outcomes.
    pub lately: Lately,
    /// The note that it wants nothing any more; `None` while it does.
    pub ended: Option<Ended>,
    /// The number of requests to send again.
    pub requests: u64,
}

impl Standing {
    /// True if a message may be sent to it at this time.
    pub fn takes(&self, now: Timestamp) -> bool {
        self.ended.is_none() && self.lately.paused_until(now).is_none()
    }
}

/// A request to send a part of the journal again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Again {
    /// The entries after this place,
    after: u64,
    /// and up to this one.
    last: u64,
}

impl<'a, P: Platform> Outbox<'a, P> {
    /// The deliveries to a receiver that wants these groups of events.
    pub fn of(self, receiver: &'a str, groups: Groups) -> ReceiverOutbox<'a, P> {
        ReceiverOutbox {
            log: self.log,
            receiver,
            groups,
        }
    }

    /// The last place of the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn last(self) -> Result<u64, StoreError> {
        JournalList::on(self.log).length().await
    }

    /// The place before the entries that were recorded at a time or later.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn place_before(self, time: Timestamp) -> Result<u64, StoreError> {
        JournalList::on(self.log).place_before(time).await
    }

    /// The receivers among these that want nothing any more.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn ended<'r>(self, receivers: &[&'r str]) -> Result<Vec<&'r str>, StoreError> {
        let keys: Vec<_> = receivers.iter().map(|name| ended(name)).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let values = read(self.log, &keys).await?;
        let mut found = Vec::new();
        for (name, key) in receivers.iter().zip(&keys) {
            if unwrap::<Option<Ended>>(&values, key)?.flatten().is_some() {
                found.push(*name);
            }
        }
        Ok(found)
    }
}

fn ended(receiver: &str) -> Key {
    Key::new(ended_name(receiver))
}

fn ended_name(receiver: &str) -> String {
    format!("{}/{}", keys::ENDED, keys::encode(receiver))
}

impl<P: Platform> ReceiverOutbox<'_, P> {
    fn key(self, prefix: &str) -> String {
        format!("{prefix}/{}", keys::encode(self.receiver))
    }

    fn delivered(self, index: u64) -> String {
        format!("{}/{index}", self.key(keys::DELIVERED))
    }

    fn attempts(self, index: u64) -> String {
        format!("{}/{index}", self.key(keys::DELIVERY))
    }

    /// The known state of the receiver.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn standing(self) -> Result<Standing, StoreError> {
        let prefixes = [keys::OUTBOX, keys::LATELY, keys::AGAIN];
        let [state, lately, again] = prefixes.map(|prefix| Key::new(self.key(prefix)));
        let ended = ended(self.receiver);
        let names = [state, lately, again, ended];
        let values = read(self.log, &names).await?;
        let [state, lately, again, ended] = &names;
        let count = values.get(again).map(|bytes| {
            let count = parse_counter(bytes);
            count.ok_or_else(|| again.corrupt("not a counter"))
        });
        Ok(Standing {
            state: unwrap(&values, state)?,
            lately: unwrap(&values, lately)?.unwrap_or_default(),
            ended: unwrap::<Option<Ended>>(&values, ended)?.flatten(),
            requests: count.transpose()?.unwrap_or_default(),
        })
    }

    /// The state with which delivery to a new receiver begins.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn beginning(self) -> Result<OutboxState, StoreError> {
        let last = Outbox::on(self.log).last().await?;
        Ok(OutboxState {
            low: last.saturating_sub(BEFORE_THE_FIRST_LOOK),
            ..OutboxState::default()
        })
    }

    /// Keeps the state of delivery.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn set_state(self, state: &OutboxState) -> Result<(), StoreError> {
        self.set(self.key(keys::OUTBOX), state).await
    }

    /// Keeps the note that the receiver wants nothing any more, or removes it.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn set_ended(self, ended: Option<&Ended>) -> Result<(), StoreError> {
        self.set(ended_name(self.receiver), &ended).await
    }

    /// Keeps the latest outcomes.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn set_lately(self, lately: &Lately) -> Result<(), StoreError> {
        self.set(self.key(keys::LATELY), lately).await
    }

    /// The deliveries at some places of the journal, each for a request to send again or none; places
    /// without one are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn deliveries(self, waiting: &[Waiting]) -> Result<Vec<Delivery>, StoreError> {
        let indices: Vec<_> = waiting.iter().map(|waiting| waiting.index).collect();
        // A damaged entry waits until it is mended.
        let entries = JournalList::on(self.log).entries(&indices).await?;
        let deliveries = self.with_attempts(entries).await?.into_iter();
        let anew = deliveries.map(|delivery| {
            let mut waiting = waiting.iter();
            let of = waiting.find(|waiting| waiting.index == delivery.index);
            delivery.anew(of.map_or(0, |waiting| waiting.request))
        });
        Ok(anew.collect())
    }

    /// Deliveries after the cursor `after`. A payment that is still being recorded is not passed
    /// by.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read(self, after: u64) -> Result<OutboxPage, StoreError> {
        let wanted = |event: &Event| self.groups.has(event.group());
        let page = Journal::on(self.log)
            .read(after, PAGE, Span::ALWAYS, wanted)
            .await?;
        Ok(OutboxPage {
            deliveries: self.with_attempts(page.entries).await?,
            next: page.next,
            complete: page.complete,
            is_beyond_end: page.is_beyond_end,
        })
    }

    /// The deliveries of a part that is left.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read_left(self, part: &PartLeft) -> Result<OutboxPage, StoreError> {
        let mut page = self.read(part.at).await?;
        page.deliveries
            .retain(|delivery| delivery.index <= part.last);
        let deliveries = page.deliveries.into_iter();
        page.deliveries = deliveries
            .map(|delivery| delivery.anew(part.request))
            .collect();
        page.next = page.next.min(part.last);
        Ok(page)
    }

    /// The events of entries of the journal, with the states of their deliveries.
    async fn with_attempts(self, entries: Vec<JournalEntry>) -> Result<Vec<Delivery>, StoreError> {
        let indices = entries.iter().map(|entry| entry.index);
        let names: Vec<_> = indices
            .flat_map(|index| [self.delivered(index), self.attempts(index)].map(Key::new))
            .collect();
        let values = match names.is_empty() {
            true => Values::default(),
            false => read(self.log, &names).await?,
        };
        let mut deliveries = Vec::with_capacity(entries.len());
        for mut entry in entries {
            match &mut entry.event {
                // The message is the event as it is listed, from every host.
                Event::PaymentRecorded(payment) => payment.version = None,
                Event::PaymentVoided(void) => void.version = None,
                Event::PaymentRefunded(refund) => refund.version = None,
                _ => {}
            }
            let [delivered, attempts] =
                [self.delivered(entry.index), self.attempts(entry.index)].map(Key::new);
            deliveries.push(Delivery {
                index: entry.index,
                at: entry.at,
                event: entry.event,
                attempts: unwrap(&values, &attempts)?.unwrap_or_default(),
                settled: unwrap(&values, &delivered)?,
            });
        }
        Ok(deliveries)
    }

    /// Keeps the failed attempts of a delivery, and its end if it is given up.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn tried(
        &self,
        index: u64,
        attempts: &Attempts,
        settled: Option<&Settled>,
        lately: &Lately,
    ) -> Result<(), StoreError> {
        let mut batch = vec![
            wrapped(self.attempts(index), attempts)?,
            wrapped(self.key(keys::LATELY), lately)?,
        ];
        if let Some(settled) = settled {
            batch.push(wrapped(self.delivered(index), settled)?);
        }
        self.log.set_many(&batch).await
    }

    /// Keeps the end of a delivery.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn settle(
        &self,
        index: u64,
        settled: &Settled,
        lately: &Lately,
    ) -> Result<(), StoreError> {
        let batch = [
            wrapped(self.delivered(index), settled)?,
            wrapped(self.key(keys::LATELY), lately)?,
        ];
        self.log.set_many(&batch).await
    }

    /// Asks to send the entries after `after`, up to `last`, again. `false` if too many requests wait
    /// already.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn send_again(
        &self,
        standing: &Standing,
        after: u64,
        last: u64,
    ) -> Result<bool, StoreError> {
        let done = standing.state.as_ref().map_or(0, |state| state.requests);
        if standing.requests.saturating_sub(done) >= MOST_REQUESTS {
            return Ok(false);
        }
        let list = self.key(keys::AGAIN);
        let entry = to_json(&Again { after, last })?;
        for _ in 0..TRIES {
            let slot = self.log.take(&list).await?;
            if self.log.fill(&[(&slot, &entry)], Vec::new()).await?.all() {
                return Ok(true);
            }
        }
        Err(StoreError::Contested(list))
    }

    /// Makes requests to send again into parts that are left, as far as there is room.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn take_requests(
        &self,
        state: &mut OutboxState,
        requests: u64,
    ) -> Result<(), StoreError> {
        let room = MOST_PARTS_LEFT.saturating_sub(state.left.len() + 1) as u64;
        if requests <= state.requests || room == 0 {
            return Ok(());
        }
        let list = self.key(keys::AGAIN);
        let first = state.requests + 1;
        let mut part = self.log.read_part::<Again>(&list, first, room).await?;
        if !part.unsettled.is_empty() {
            self.log.settle(&list, first, part.next).await?;
            part = self.log.read_part(&list, first, room).await?;
        }
        state.requests = part.settled();
        for entry in part.entries {
            if entry.index <= state.requests {
                state.left.push(PartLeft {
                    after: entry.value.after,
                    last: entry.value.last,
                    at: entry.value.after,
                    request: entry.index,
                });
            }
        }
        Ok(())
    }

    async fn set<T: Serialize>(self, key: String, value: &T) -> Result<(), StoreError> {
        self.log.set_many(&[wrapped(key, value)?]).await
    }
}
