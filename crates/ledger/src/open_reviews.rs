//! The orders with open reviews and the open proposals, however long ago they were registered or made.
//!
//! A review opens or closes by something that stands in the journal. A note says how far the journal was read
//! and which orders had open reviews by then, so whoever looks reads what came since, and of the orders those
//! alone that it is about. An older note is as true as a newer one: what it has not read is read again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Platform, StoreError,
    days::DayRange,
    folds::Folds,
    journal::Journal,
    journal_list::JournalList,
    notes::{JOURNAL_MENDED, Notes},
    order_list::{OrderList, OrderLists, registration},
    places::Places,
    proposals::Proposals,
    record::over_the_log,
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::Event,
};

/// The name of the note.
const WALK: &str = "open-reviews";
/// Orders read at once.
const ORDERS: usize = 50;
/// The orders with open reviews that are known at the most: of more, those that were registered last.
const OPEN: usize = 100;
/// The open proposals that are known at the most: of more, the newest.
const PROPOSALS: usize = 100;

over_the_log! {
    /// The orders with open reviews.
    pub struct OpenReviews
}

/// Up to a place of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Walk {
    place: u64,
    /// The last repair that is taken into account: another one may have brought entries before `place`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mended: Option<String>,
    /// The place of registration up to which nothing is known: above it there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    floor: u64,
    /// Those that were registered above it, the newest first.
    open: Vec<Open>,
    /// The places of proposals that nobody had decided on, the newest last; and the one up to which there are
    /// others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    proposals: Vec<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    proposals_floor: u64,
    /// True if what comes next cannot be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_stuck: bool,
}

/// An order with an open review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    /// The place of its registration in the journal; 0 where the register has it at another than its list says.
    index: u64,
    service: String,
    key: String,
}

// As serde calls it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(place: &u64) -> bool {
    *place == 0
}

/// The orders with open reviews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReviewsFound {
    /// The places of their registrations in the journal, and the orders; the newest first.
    pub open: Vec<(u64, ServiceId, OrderKey)>,
    /// Of orders that were registered up to this place of the journal, nothing is known.
    pub floor: u64,
    /// The places of the open proposals in the journal, the newest last.
    pub proposals: Vec<u64>,
    /// Of proposals that were made up to this place of the journal, nothing is known.
    pub proposals_floor: u64,
    /// The place up to which the journal was looked at.
    pub place: u64,
    /// True if all of the journal was looked at; the next call goes on.
    pub is_complete: bool,
    /// True if something cannot be read, or stands elsewhere than it should, so that going on finds no more:
    /// who wants to know goes through the register.
    pub is_stuck: bool,
}

impl<P: Platform> OpenReviews<'_, P> {
    /// Finds them, by looking at so many places of the journal at most.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read_within(self, places: &Places) -> Result<OpenReviewsFound, StoreError> {
        let notes = Notes::on(self.log);
        // Read first: what is mended from now on makes what is found now count for nothing.
        let mended: Option<String> = notes.get(JOURNAL_MENDED).await?;
        // One that is damaged only costs the walk: it is begun anew.
        let known = notes.get_many::<Walk>(&[WALK.to_owned()]).await?;
        let known = known.into_iter().next().flatten();
        let begun = Walk {
            mended: mended.clone(),
            ..Walk::default()
        };
        let mut walk = match &known {
            Some(known) if known.mended == mended => known.clone(),
            _ => begun.clone(),
        };
        let mut is_complete = false;
        while places.left() > 0 {
            let page = Journal::on(self.log)
                .read_within(&DayRange::ALWAYS, walk.place, usize::MAX, places, may_open)
                .await?;
            if page.is_beyond_end {
                // Of a store that was there before a backup was put back.
                walk = begun.clone();
                continue;
            }
            let unreadable = page.unreadable.first();
            // It may be of a payment: nothing is passed by.
            let next = unreadable.map_or(page.next, |raw| raw.index.saturating_sub(1));
            let entries = page.entries.iter().filter(|entry| entry.index <= next);
            let orders = entries.filter_map(|entry| order_of(&entry.event));
            self.look_at(&mut walk, &orders.collect()).await?;
            let proposals = page.entries.iter().filter(|entry| entry.index <= next);
            let proposals = proposals.filter(|entry| is_proposal(&entry.event));
            walk.proposals.extend(proposals.map(|entry| entry.index));
            walk.is_stuck = unreadable.is_some();
            // What is being recorded at the end may have opened a review already.
            is_complete = page.complete && !walk.is_stuck;
            let has_ended = page.complete || walk.is_stuck || next <= walk.place;
            walk.place = walk.place.max(next);
            if has_ended {
                break;
            }
        }
        let proposals = Proposals::on(self.log).open_among(&walk.proposals);
        walk.proposals = proposals.await?;
        let too_many = walk.proposals.len().saturating_sub(PROPOSALS);
        if let Some(last) = walk.proposals.drain(..too_many).next_back() {
            walk.proposals_floor = walk.proposals_floor.max(last);
        }
        let is_stuck = walk.is_stuck || walk.open.iter().any(|open| open.index == 0);
        let has_left_out = walk.open.is_empty() && walk.floor > 0
            || walk.proposals.is_empty() && walk.proposals_floor > 0;
        if is_complete && has_left_out {
            // Those that were left out are found by beginning anew.
            (walk, is_complete) = (begun, false);
        }
        if known.as_ref() != Some(&walk) {
            notes.set(WALK, &walk).await?;
        }
        let open = walk.open.into_iter().filter_map(|open| {
            let service = ServiceId::parse(&open.service).ok()?;
            Some((open.index, service, OrderKey::parse(&open.key).ok()?))
        });
        Ok(OpenReviewsFound {
            open: open.collect(),
            floor: walk.floor,
            proposals: walk.proposals,
            proposals_floor: walk.proposals_floor,
            place: walk.place,
            is_complete,
            is_stuck,
        })
    }

    /// Notes of orders whether they have an open review by now.
    async fn look_at(
        self,
        walk: &mut Walk,
        orders: &BTreeMap<OrderList, (String, String)>,
    ) -> Result<(), StoreError> {
        let lists: Vec<_> = orders.keys().cloned().collect();
        for lists in lists.chunks(ORDERS) {
            let read = Folds::on(self.log).orders(lists).await?;
            let mut open = Vec::new();
            for (list, order) in lists.iter().zip(read) {
                let of_event = orders.get(list).cloned();
                let names = match order {
                    Ok(order) if !order.state.has_open_review() => None,
                    // As it is spelt.
                    Ok(order) => order.state.order().map(|order| {
                        let (service, key) = (&order.service_id, &order.order_key);
                        (service.to_string(), key.to_string())
                    }),
                    // It may have one: whoever asks for it is told that it is damaged.
                    Err(_) => of_event,
                };
                walk.open
                    .retain(|known| known.list().as_ref() != Some(list));
                open.extend(names.map(|names| (list.clone(), names)));
            }
            if open.is_empty() {
                continue;
            }
            let lists: Vec<_> = open.iter().map(|(list, _)| list.clone()).collect();
            let places = self.registered(&lists).await?;
            for ((_, (service, key)), index) in open.into_iter().zip(places) {
                if index == 0 || index > walk.floor {
                    walk.open.push(Open {
                        index,
                        service,
                        key,
                    });
                }
            }
            walk.open.sort_by_key(|open| std::cmp::Reverse(open.index));
            while walk.open.len() > OPEN
                && let Some(last) = walk.open.iter().rposition(|open| open.index > 0)
            {
                walk.floor = walk.floor.max(walk.open.remove(last).index);
            }
        }
        Ok(())
    }

    /// The places of the journal where the register has these orders; 0 where their lists do not say it.
    async fn registered(self, lists: &[OrderList]) -> Result<Vec<u64>, StoreError> {
        let firsts = OrderLists::on(self.log).several(lists, 0).await?;
        let places = firsts.iter().map(registration);
        let places: Vec<_> = places
            .map(|place| place.map_or(0, |(index, _)| index))
            .collect();
        let entries = JournalList::on(self.log).entries(&places).await?;
        let is_there = |(index, list): (&u64, &OrderList)| {
            let is_its = entries.iter().any(|entry| {
                entry.index == *index
                    && matches!(&entry.event, Event::OrderRegistered(_))
                    && list_of(&entry.event).as_ref() == Some(list)
            });
            if is_its { *index } else { 0 }
        };
        Ok(places.iter().zip(lists).map(is_there).collect())
    }
}

impl Open {
    fn list(&self) -> Option<OrderList> {
        list(&self.service, &self.key)
    }
}

fn list(service: &str, key: &str) -> Option<OrderList> {
    let service = ServiceId::parse(service).ok()?;
    Some(OrderList::of(&service, &OrderKey::parse(key).ok()?))
}

/// The names of the order that an event is about.
fn names(event: &Event) -> Option<(&str, &str)> {
    match event {
        Event::PaymentRecorded(payment) => Some((&payment.service_id, &payment.order_key)),
        event => event.change().map(|(service, key, _)| (service, key)),
    }
}

fn list_of(event: &Event) -> Option<OrderList> {
    let (service, key) = names(event)?;
    list(service, key)
}

fn order_of(event: &Event) -> Option<(OrderList, (String, String))> {
    let (service, key) = names(event)?;
    Some((list(service, key)?, (service.to_owned(), key.to_owned())))
}

/// True if a review of an order may be another than before an event, or a proposal is made. Nothing was paid before an order's first
/// version, unless something stands before it.
fn may_open(event: &Event) -> bool {
    match event {
        Event::OrderRegistered(event) => event.version > 1,
        Event::CardStarted(_) | Event::PersonalDataErased(_) => false,
        event => is_proposal(event) || names(event).is_some(),
    }
}

fn is_proposal(event: &Event) -> bool {
    matches!(
        event,
        Event::PaymentProposed(_) | Event::PaymentVoidProposed(_)
    )
}
