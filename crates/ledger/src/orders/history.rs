//! The history of an order: its list, read backwards.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Orders, StoreError};
use crate::{
    Platform,
    attempts::PaymentName,
    domain::{Order, OrderKey, ServiceId},
    json::{Event, OrderJson},
    order_list::{OrderEntry, OrderList},
};

/// The most places of an order's list that one call looks at.
const MOST: u64 = 64;

/// A part of the history of an order.
#[derive(Debug)]
pub struct OrderHistory {
    /// The newest first.
    pub entries: Vec<HistoryEntry>,
    /// The place to go on below; `None` at the end.
    pub next: Option<u64>,
    /// True if the place to look below is beyond the end of the order's list.
    pub is_beyond_end: bool,
}

/// An entry of the history of an order.
#[derive(Debug)]
pub struct HistoryEntry {
    /// Its place in the order's list.
    place: u64,
    /// The place of its event in the journal.
    pub index: u64,
    /// The time.
    pub at: Timestamp,
    /// The event, without the data erased since.
    pub event: Event,
    /// For a version: the order as it was from then on, without the data erased since, and as it was
    /// before.
    pub order: Option<Box<(OrderJson, Option<OrderJson>)>>,
}

impl<P: Platform> Orders<'_, P> {
    /// The history of an order, the newest first, below a place of its list: the valid entries of a part
    /// of the list, which may have none. `None` if there is no such order.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or a record of this order is damaged.
    pub async fn history(
        self,
        service: &ServiceId,
        key: &OrderKey,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Option<OrderHistory>, StoreError> {
        let list = OrderList::of(service, key);
        let Some(order) = self.get(service, key).await? else {
            return Ok(None);
        };
        let last = below.map_or(order.length, |place| place.saturating_sub(1));
        let last = last.min(order.length);
        let first = last.saturating_sub(MOST - 1).max(1);
        let listing = self.folds().between(&list, first, last).await?;
        if let Some(raw) = listing
            .unreadable
            .iter()
            .find(|raw| !OrderEntry::is_unknown(raw))
        {
            return Err(list
                .entry(raw.index)
                .corrupt("it is damaged; POST /api/repair tells more"));
        }
        let markers = self.folds().markers_of([&listing]).await?;
        let mut before = self.version_before(&list, order.first, first).await?;
        let beside: Vec<_> = listing
            .entries
            .iter()
            .filter_map(|entry| entry.beside)
            .collect();
        let events = self.journal().entries(&beside).await?;
        let doers = events.into_iter().map(|entry| (entry.index, entry.event));
        let doers: HashMap<_, _> = doers.collect();
        // This is read last, since an erasure is entered before it is carried out: so it covers
        // everything that was read above and is erased by now.
        let erased_before = match self.get(service, key).await? {
            Some(order) => order.erased_before,
            None => u64::MAX,
        };
        if let Some((place, order)) = &mut before
            && *place < erased_before
        {
            order.erase_personal_data();
        }
        let mut before = before.map(|(_, order)| order);
        let mut entries = Vec::with_capacity(listing.entries.len());
        for mut entry in listing.entries {
            if entry.index < erased_before {
                entry.value.erase_personal_data();
            }
            let place = entry.index;
            let mut index = entry.beside;
            let mut version = None;
            let event = match entry.value {
                OrderEntry::Void | OrderEntry::CardTaking { .. } | OrderEntry::CardLeft { .. } => {
                    continue;
                }
                OrderEntry::Version(order) | OrderEntry::Created { order, .. } => {
                    let read = |json: &OrderJson| json.to_order();
                    let now = read(&order)
                        .map_err(|errors| list.entry(place).corrupt(format!("{errors:?}")))?;
                    let was: Option<Order> = before.as_ref().and_then(|json| read(json).ok());
                    let event = entry.beside.and_then(|place| doers.get(&place));
                    let by = event.and_then(Event::by).map(str::to_owned);
                    version = Some(Box::new((OrderJson::clone(&order), before.take())));
                    before = Some(*order);
                    Event::of_order(was.as_ref(), &now, place, by.as_deref())
                }
                OrderEntry::Payment(payment) => {
                    let marker = PaymentName::of(&payment).ok();
                    let marker = marker.and_then(|name| markers.get(&name)?.as_ref());
                    // A payment counts only at the place that its marker names.
                    let Some(marker) = marker.filter(|marker| marker.names(&list, place)) else {
                        continue;
                    };
                    index = Some(marker.journal);
                    Event::PaymentRecorded(payment)
                }
                OrderEntry::Confirmed(payment) => Event::PaymentConfirmed(payment),
                OrderEntry::Voided(voided) => Event::PaymentVoided(Box::new(voided.void)),
                OrderEntry::CardStarted { started, .. } => Event::CardStarted(started),
                OrderEntry::Refunded(refunded) => Event::PaymentRefunded(Box::new(refunded.refund)),
                OrderEntry::Opened(opened) => Event::ReviewOpened(opened),
                OrderEntry::Closed(closed) => Event::ReviewClosed(closed),
                OrderEntry::Erased(erasure) => Event::PersonalDataErased(erasure),
            };
            entries.push(HistoryEntry {
                place,
                index: index.ok_or_else(|| {
                    list.entry(place)
                        .corrupt("it names no place in the journal")
                })?,
                at: entry.at,
                event,
                order: version,
            });
        }
        entries.reverse();
        let mut next = (first > 1).then_some(first);
        if entries.len() > limit {
            entries.truncate(limit);
            next = entries.last().map(|entry| entry.place);
        }
        Ok(Some(OrderHistory {
            entries,
            next,
            is_beyond_end: below.is_some_and(|place| place > order.length),
        }))
    }

    /// The latest version of an order before a place of its list, and its place; `first` is the place
    /// of its first version.
    async fn version_before(
        self,
        list: &OrderList,
        first: u64,
        place: u64,
    ) -> Result<Option<(u64, OrderJson)>, StoreError> {
        if first == 0 || first >= place {
            return Ok(None);
        }
        let version = |entry: mpay_log::Entry<OrderEntry>| match entry.value {
            OrderEntry::Version(order) | OrderEntry::Created { order, .. } => {
                Some((entry.index, *order))
            }
            _ => None,
        };
        let (listing, kept) = self.folds().up_to(list, place - 1).await?;
        let found = listing.entries.into_iter().rev().find_map(version);
        match kept {
            Some(kept) if found.is_none() => {
                let latest = kept.latest();
                let part = self.folds().between(list, latest, latest).await?;
                Ok(part.entries.into_iter().find_map(version))
            }
            _ => Ok(found),
        }
    }
}
