//! Orders too long to be read whole, for walks over the journal that write their entries again.
//!
//! The journal and an order's list grow together. So a walk reads, with a block of the journal, the part
//! of a long order's list that belongs to the events of that block, and some more at both ends. A walk to
//! the end of the journal has read the whole list, and no call reads more because the order is long.

use std::collections::{BTreeMap, BTreeSet};

use mpay_log::{BLOCK, Entry, Listing};

use super::{
    Platform, StoreError,
    attempts::{Attempts, PaymentName},
    order_list::{OrderEntry, OrderList, OrderLists},
    record::over_the_log,
    stored_order::LONG,
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{Event, PaymentJson},
};

/// Places read at each end beyond those of a block's events, shared by all orders, but at least for one.
const MARGIN: u64 = BLOCK;
const LEAST_MARGIN: u64 = 8;
/// Most places read of a stretch. The places that the events of a block name are seldom further apart.
const MOST: u64 = 4 * BLOCK;

/// The long orders that a block of the journal is about: by their lists, the places that its events
/// name.
#[derive(Debug, Default)]
pub(super) struct LongOrders(BTreeMap<OrderList, BTreeSet<u64>>);

impl LongOrders {
    pub fn contains(&self, list: &OrderList) -> bool {
        self.0.contains_key(list)
    }

    /// Places that the block's events name.
    pub fn places(&self, list: &OrderList) -> impl Iterator<Item = u64> {
        self.0.get(list).into_iter().flatten().copied()
    }
}

over_the_log! {
    /// Orders of which a walk reads parts.
    pub(super) struct Parts
}

impl<P: Platform> Parts<'_, P> {
    /// The long ones among the orders that events are about.
    pub async fn long_orders(self, events: &[Entry<Event>]) -> Result<LongOrders, StoreError> {
        let lists: BTreeSet<_> = events.iter().filter_map(|e| order_list(&e.value)).collect();
        let lists: Vec<_> = lists.into_iter().collect();
        let lengths = OrderLists::on(self.log).lengths(&lists).await?;
        let is_long = |list: &OrderList| lengths.get(list).is_some_and(|length| *length > LONG);
        let long = lists.into_iter().filter(is_long);
        let mut long = LongOrders(long.map(|list| (list, BTreeSet::new())).collect());
        // Events of earlier versions do not name the place of their payment.
        let mut unknown = Vec::new();
        for event in events {
            let Some(list) = order_list(&event.value) else {
                continue;
            };
            if let Some(places) = long.0.get_mut(&list) {
                match (place(&event.value), payment(&event.value)) {
                    (Some(place), _) => places.extend([place]),
                    (None, Some(payment)) => unknown.extend(PaymentName::of(payment).ok()),
                    (None, None) => {}
                }
            }
        }
        for marker in Attempts::on(self.log)
            .decided(&unknown)
            .await?
            .into_values()
            .flatten()
        {
            if let Some((list, place)) = marker.order()
                && let Some(places) = long.0.get_mut(&list)
            {
                places.extend([place]);
            }
        }
        Ok(long)
    }

    /// The entries at and around the places of a long order that events name: once each, in order.
    pub async fn around(
        self,
        long: &LongOrders,
        list: &OrderList,
    ) -> Result<Vec<Listing<OrderEntry>>, StoreError> {
        let orders = u64::try_from(long.0.len()).unwrap_or(u64::MAX);
        let margin = (MARGIN / orders.max(1)).max(LEAST_MARGIN);
        let mut stretches: Vec<(u64, u64)> = Vec::new();
        for place in long.places(list) {
            let (first, last) = (place.saturating_sub(margin).max(1), place + margin);
            let end = stretches.last().map_or(0, |stretch| stretch.1);
            match stretches.last_mut() {
                Some(stretch) if first <= end + 1 && last - stretch.0 < MOST => stretch.1 = last,
                _ => stretches.push((first.max(end + 1), last)),
            }
        }
        let mut parts = Vec::with_capacity(stretches.len());
        for (first, last) in stretches {
            let mut part = OrderLists::on(self.log).between(list, first, last).await?;
            Attempts::on(self.log)
                .recover_in_order(list, &mut part)
                .await?;
            parts.push(part);
        }
        Ok(parts)
    }
}

/// The list of the order that an event is about.
fn order_list(event: &Event) -> Option<OrderList> {
    if let Some(payment) = payment(event) {
        return OrderList::of_payment(payment).ok();
    }
    let (service, key) = match (event, event.change()) {
        (_, Some((service, key, _))) => (service, key),
        (Event::PaymentProposed(proposal), _) => {
            (proposal.service_id.as_str(), proposal.order_key.as_str())
        }
        _ => return None,
    };
    let service = ServiceId::parse(service).ok()?;
    Some(OrderList::of(&service, &OrderKey::parse(key).ok()?))
}

fn payment(event: &Event) -> Option<&PaymentJson> {
    match event {
        Event::PaymentRecorded(payment) | Event::PaymentConfirmed(payment) => Some(payment),
        _ => None,
    }
}

/// The place in the order's list of the change that an event tells of.
fn place(event: &Event) -> Option<u64> {
    match (payment(event), event.change()) {
        (Some(payment), _) => payment.version,
        (None, change) => change.map(|(_, _, version)| version),
    }
}
