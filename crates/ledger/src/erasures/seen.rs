//! The findings of an erasure: which orders have personal data, and what is still to be written without.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use mpay_log::{BLOCK, Entry, Listing};

use super::{Erased, Erasure, Erasures, KeptOrder, REQUEST, address};
use crate::{
    Platform, StoreError, aliases,
    attempts::{Attempts, Decisions, Marker, PaymentName},
    domain::{OrderKey, OrderState, OrderStatus, PaymentId, ServiceId},
    folds::Folds,
    json::{Event, PaymentJson},
    long_orders::{LongOrders, Parts},
    order_list::{OrderEntry, OrderList, OrderLists},
    record::Write,
    stored_order::{Depth, fold},
};

/// The findings in an order's list.
pub(super) struct Seen {
    pub(super) key: (ServiceId, OrderKey),
    pub(super) state: OrderState,
    /// The time at which the last entry was recorded.
    pub(super) changed_at: Timestamp,
    /// True if there is personal data that nobody has erased.
    pub(super) has_personal_data: bool,
    /// True if it names the customer.
    pub(super) is_meant: bool,
    /// Entries that are still to be written without personal data.
    pub(super) rest: Vec<Write>,
    /// Other names of a person that are still in them.
    pub(super) names: HashSet<OrderKey>,
    /// Payments without personal data.
    pub(super) payments: HashSet<PaymentName>,
    /// Payments by card that were begun, likewise.
    pub(super) cards: HashSet<PaymentId>,
    /// The time at which the order was erased last.
    pub(super) erased_at: Option<Timestamp>,
    /// True if a person asked for that.
    pub(super) was_asked: bool,
    /// True if these are the findings of a part of the order's list only.
    pub(super) is_part: bool,
}

impl<P: Platform> Erasures<'_, P> {
    /// The orders that events are about.
    pub(super) async fn see(
        self,
        erasure: Option<&Erasure>,
        events: &[Entry<Event>],
        long: &LongOrders,
        report: &mut Erased,
    ) -> Result<HashMap<(ServiceId, OrderKey), Seen>, StoreError> {
        let addresses = events.iter().filter_map(|event| match &event.value {
            Event::OrderRegistered(order) => address(&order.service_id, &order.order_key),
            Event::PaymentRecorded(payment) | Event::PaymentConfirmed(payment) => {
                address(&payment.service_id, &payment.order_key)
            }
            Event::PaymentProposed(proposal) => address(&proposal.service_id, &proposal.order_key),
            Event::CardStarted(started) => address(&started.service_id, &started.order_key),
            _ => None,
        });
        let addresses: HashSet<_> = addresses.collect();
        let is_long = |key: &(ServiceId, OrderKey)| long.contains(&OrderList::of(&key.0, &key.1));
        let (parts, whole): (Vec<_>, Vec<_>) = addresses.into_iter().partition(is_long);
        let mut seen = self.see_all(erasure, whole).await?;
        for key in parts {
            let part = self.see_part(erasure, key.clone(), long).await;
            seen.push((key, part));
        }
        let mut orders = HashMap::new();
        for (key, order) in seen {
            match order {
                Ok(order) => orders.extend(order.map(|order| (key, order))),
                // It keeps nobody else's data from being erased.
                Err(StoreError::Corrupt { .. }) => report.kept.push(KeptOrder {
                    service_id: Some(key.0.to_string()),
                    order_key: Some(key.1.to_string()),
                    reason: "a record of it is damaged; POST /api/repair mends what can be mended"
                        .to_owned(),
                }),
                Err(error) => return Err(error),
            }
        }
        Ok(orders)
    }

    /// The findings in an order as it stands now.
    pub(super) async fn see_again(
        self,
        erasure: Option<&Erasure>,
        key: (ServiceId, OrderKey),
        long: &LongOrders,
    ) -> Result<Option<Seen>, StoreError> {
        match long.contains(&OrderList::of(&key.0, &key.1)) {
            true => self.see_part(erasure, key, long).await,
            false => match self.see_all(erasure, vec![key]).await?.pop() {
                Some((_, order)) => order,
                None => Ok(None),
            },
        }
    }

    /// The findings in the part of a long order's list that the events of a block are about.
    async fn see_part(
        self,
        erasure: Option<&Erasure>,
        key: (ServiceId, OrderKey),
        long: &LongOrders,
    ) -> Result<Option<Seen>, StoreError> {
        let list = OrderList::of(&key.0, &key.1);
        let lists = OrderLists::on(self.log);
        let stored = Folds::on(self.log).order(&list).await?;
        let first = stored.length.saturating_sub(BLOCK - 1).max(1);
        let end = lists.part(&list, first, BLOCK).await?;
        let is_void = |entry: &&Entry<OrderEntry>| matches!(entry.value, OrderEntry::Void);
        let mut latest = end.entries.iter().rev();
        let latest = latest.find(|entry| !is_void(entry)).or(end.entries.last());
        let Some(changed_at) = latest.map(|entry| entry.at) else {
            return Ok(None);
        };
        let mut seen = Seen {
            key,
            state: stored.state,
            changed_at,
            has_personal_data: false,
            is_meant: false,
            rest: Vec::new(),
            names: HashSet::new(),
            payments: HashSet::new(),
            cards: HashSet::new(),
            erased_at: None,
            was_asked: false,
            is_part: true,
        };
        if stored.erased_before > 0 {
            let erased = lists.part(&list, stored.erased_before, 1).await?;
            seen.erased_at = erased.entries.first().map(|entry| entry.at);
            seen.was_asked = erased.entries.first().is_some_and(was_asked);
        }
        for part in Parts::on(self.log).around(long, &list).await? {
            let decisions = Folds::on(self.log).markers_of([&part]).await?;
            seen.is_meant |= erasure.is_some_and(|it| it.means(&seen.key, &part.entries));
            seen.add(&list, &part, stored.erased_before, &decisions)?;
        }
        Ok(Some(seen))
    }

    async fn see_all(
        self,
        erasure: Option<&Erasure>,
        addresses: Vec<(ServiceId, OrderKey)>,
    ) -> Result<Vec<((ServiceId, OrderKey), Result<Option<Seen>, StoreError>)>, StoreError> {
        let lists: Vec<_> = addresses
            .iter()
            .map(|(service, key)| OrderList::of(service, key))
            .collect();
        let mut listings = OrderLists::on(self.log).several(&lists, u64::MAX).await?;
        let attempts = Attempts::on(self.log);
        for (list, listing) in lists.iter().zip(&mut listings) {
            attempts.recover_in_order(list, listing).await?;
        }
        let decisions = Folds::on(self.log).markers_of(&listings).await?;
        let mut orders = Vec::with_capacity(lists.len());
        for ((list, listing), key) in lists.iter().zip(listings).zip(addresses) {
            let seen = see_order(erasure, list, listing, key.clone(), &decisions);
            orders.push((key, seen));
        }
        Ok(orders)
    }
}

/// The findings in the whole list of an order; `None` if it is empty.
fn see_order(
    erasure: Option<&Erasure>,
    list: &OrderList,
    listing: Listing<OrderEntry>,
    key: (ServiceId, OrderKey),
    decisions: &Decisions,
) -> Result<Option<Seen>, StoreError> {
    let mut latest = listing.entries.iter().rev();
    let latest = latest.find(|entry| !matches!(entry.value, OrderEntry::Void));
    let Some(changed_at) = latest.map(|entry| entry.at) else {
        return Ok(None);
    };
    let erased_before = OrderEntry::erased_before(&listing.entries);
    let mut erased = listing.entries.iter();
    let erased = erased.find(|entry| entry.index == erased_before);
    let was_asked = erased.is_some_and(was_asked);
    let erased_at = erased.map(|entry| entry.at);
    let mut seen = Seen {
        is_meant: erasure.is_some_and(|it| it.means(&key, &listing.entries)),
        key,
        state: OrderState::default(),
        changed_at,
        has_personal_data: false,
        rest: Vec::new(),
        names: HashSet::new(),
        payments: HashSet::new(),
        cards: HashSet::new(),
        erased_at,
        was_asked,
        is_part: false,
    };
    seen.add(list, &listing, erased_before, decisions)?;
    seen.state = fold(list, Depth::Latest, None, listing, decisions)?.0.state;
    Ok(Some(seen))
}

/// True if an entry is an erasure that a person asked for.
fn was_asked(entry: &Entry<OrderEntry>) -> bool {
    matches!(&entry.value, OrderEntry::Erased(erased) if erased.reason == REQUEST)
}

impl Seen {
    /// Adds the findings in entries. Those before the place of an erasure are without personal data, and
    /// so is a repeated attempt to record a payment that counts before it.
    fn add(
        &mut self,
        list: &OrderList,
        part: &Listing<OrderEntry>,
        erased_before: u64,
        decisions: &Decisions,
    ) -> Result<(), StoreError> {
        let counts_before = |payment: &PaymentJson| {
            let name = PaymentName::of(payment).ok();
            let marker = name.and_then(|name| decisions.get(&name)?.as_ref());
            let place = marker.and_then(Marker::order);
            place.is_some_and(|(of, place)| of == *list && place < erased_before)
        };
        self.rest.extend(list.emptied(part));
        for entry in &part.entries {
            let is_erased = entry.index < erased_before
                || matches!(&entry.value, OrderEntry::Payment(payment) if counts_before(payment));
            if is_erased
                && let OrderEntry::Payment(payment) | OrderEntry::Confirmed(payment) = &entry.value
            {
                self.payments.extend(PaymentName::of(payment));
            }
            if is_erased && let OrderEntry::CardStarted { started, .. } = &entry.value {
                self.cards.extend(PaymentId::parse(&started.payment_id));
            }
            let mut value = entry.value.clone();
            if !value.erase_personal_data() {
                continue;
            }
            if is_erased {
                let rewritten = list.rewritten(entry.index, entry.at, entry.beside, &value)?;
                self.rest.push(rewritten);
                self.names.extend(aliases::personal(&entry.value));
            } else {
                self.has_personal_data = true;
            }
        }
        Ok(())
    }
}

/// The time of the last thing that happened to an order.
pub(super) fn last(order: &Seen, now: Timestamp) -> Timestamp {
    let due_date = order.state.order().and_then(|order| order.due_date);
    match (order.state.status(now), due_date) {
        (OrderStatus::Expired, Some(due_date)) => order.changed_at.max(due_date),
        _ => order.changed_at,
    }
}
