//! Reading of orders. The sum of a long list is kept for every [`SEGMENT`] entries, so that an order with
//! fifty thousand payments costs as much to read as one with a hundred.

use std::collections::{HashMap, hash_map};

use mpay_log::{Entry, Listing, read_entry};

use super::{
    Platform, StoreError, StoredOrder,
    afterwards::{changed_key, closed_key, confirmed_key, voided_key},
    attempts::{Attempts, Decisions, PaymentName},
    journal_list::JournalList,
    keys,
    order_list::{OrderEntry, OrderList, OrderLists},
    record::{Key, over_the_log, read, read_place, to_json},
    stored_order::{Depth, Kept, LONG, OldPayment, SEGMENT, fold},
};
use crate::json::Channel;

over_the_log! {
    /// The kept sums of orders' lists.
    pub(super) struct Folds
}

/// The key under which the sum of a list is kept at the end of a segment.
fn key(list: &OrderList, segment: u64) -> String {
    format!("{}/{list}/{segment}", keys::FOLD)
}

impl<'a, P: Platform> Folds<'a, P> {
    fn lists(self) -> OrderLists<'a, P> {
        OrderLists::on(self.log)
    }

    fn attempts(self) -> Attempts<'a, P> {
        Attempts::on(self.log)
    }

    /// The entries of an order's list from one place to another.
    pub async fn between(
        self,
        list: &OrderList,
        first: u64,
        last: u64,
    ) -> Result<Listing<OrderEntry>, StoreError> {
        let mut listing = self.lists().between(list, first, last).await?;
        self.attempts().recover_in_order(list, &mut listing).await?;
        Ok(listing)
    }

    /// The order that a list holds.
    pub async fn order(self, list: &OrderList) -> Result<StoredOrder, StoreError> {
        let mut orders = self.orders(std::slice::from_ref(list)).await?;
        let not_read = || Err(list.entry(0).corrupt("not read"));
        orders.pop().unwrap_or_else(not_read)
    }

    /// The orders that lists hold.
    pub async fn orders(
        self,
        lists: &[OrderList],
    ) -> Result<Vec<Result<StoredOrder, StoreError>>, StoreError> {
        let mut listings = self.lists().several(lists, LONG).await?;
        for (list, listing) in lists.iter().zip(&mut listings) {
            self.attempts().recover_in_order(list, listing).await?;
        }
        let whole = listings.iter().filter(|listing| listing.length <= LONG);
        let markers = self.markers_of(whole).await?;
        let mut orders = Vec::with_capacity(lists.len());
        for (list, listing) in lists.iter().zip(listings) {
            orders.push(match listing.length {
                length if length > LONG => self.long(list, length).await,
                _ => {
                    let folded = fold(list, Depth::Latest, None, listing, &markers);
                    folded.map(|(stored, _)| stored)
                }
            });
        }
        Ok(orders)
    }

    /// The order that a list holds, with all of its payments, however many.
    pub async fn whole(self, list: &OrderList) -> Result<StoredOrder, StoreError> {
        let mut listing = self.lists().all(list).await?;
        self.attempts().recover_in_order(list, &mut listing).await?;
        let markers = self.markers_of([&listing]).await?;
        Ok(fold(list, Depth::Whole, None, listing, &markers)?.0)
    }

    /// The order that a list holds up to a place.
    pub async fn up_to(
        self,
        list: &OrderList,
        last: u64,
    ) -> Result<(Listing<OrderEntry>, Option<Kept>), StoreError> {
        let kept = match last > LONG {
            true => self.kept(list, (last - SEGMENT) / SEGMENT).await?,
            false => None,
        };
        let first = kept.as_ref().map_or(0, |kept| kept.place) + 1;
        Ok((self.between(list, first, last).await?, kept))
    }

    async fn long(self, list: &OrderList, last: u64) -> Result<StoredOrder, StoreError> {
        let (listing, kept) = self.up_to(list, last).await?;
        let markers = self.markers_of([&listing]).await?;
        self.fold_on(list, Depth::Latest, kept, listing, &markers)
            .await
    }

    /// Folds a part of a list onto the kept sum of the part before it, and keeps the sums that can be
    /// kept now.
    pub async fn fold_on(
        self,
        list: &OrderList,
        depth: Depth,
        kept: Option<Kept>,
        listing: Listing<OrderEntry>,
        markers: &Decisions,
    ) -> Result<StoredOrder, StoreError> {
        let base = match kept {
            Some(kept) => Some(self.restore(list, kept, &listing).await?),
            None => None,
        };
        let (stored, keep) = fold(list, depth, base, listing, markers)?;
        let keep = keep.iter().map(|kept| {
            let key = key(list, kept.place / SEGMENT);
            Ok::<_, StoreError>((key, to_json(kept)?.into_bytes()))
        });
        let keep: Vec<_> = keep.collect::<Result<_, _>>()?;
        // A call that finds a change made makes sure of its event, but does not see folded entries: so
        // only entries whose events are sure are folded. Folding saves work, and nothing depends on it.
        if !keep.is_empty()
            && JournalList::on(self.log)
                .make_sure(&stored.events)
                .await
                .is_ok()
        {
            let _ = self.log.set_many(&keep).await;
        }
        Ok(stored)
    }

    /// The order as it was when `kept` was kept, and the place before which its personal data is erased.
    async fn restore(
        self,
        list: &OrderList,
        kept: Kept,
        listing: &Listing<OrderEntry>,
    ) -> Result<(StoredOrder, u64), StoreError> {
        let erased_before = OrderEntry::erased_before(&listing.entries).max(kept.erased_before());
        let key = list.entry(kept.latest());
        let damaged = || key.corrupt("it is damaged; POST /api/repair tells more");
        let mut event = None;
        let order = match kept.latest() {
            0 => None,
            latest => {
                let values = read(self.log, std::slice::from_ref(&key)).await?;
                let bytes = values.get(&key).ok_or_else(damaged)?;
                let entry: Entry<OrderEntry> = read_entry(latest, bytes).map_err(|_| damaged())?;
                event = entry.beside;
                match entry.value {
                    OrderEntry::Version(mut order) | OrderEntry::Created { mut order, .. } => {
                        if latest < erased_before {
                            order.erase_personal_data();
                        }
                        Some(*order)
                    }
                    _ => return Err(damaged()),
                }
            }
        };
        let stored = kept.restore(order);
        let mut stored = stored.map_err(|errors| key.corrupt(format!("{errors:?}")))?;
        stored.events.extend(event);
        Ok((stored, erased_before))
    }

    /// The sum that is kept of a list up to the end of a segment, or of the nearest one before it.
    async fn kept(self, list: &OrderList, segment: u64) -> Result<Option<Kept>, StoreError> {
        let mut back = 0;
        let mut keys = Vec::new();
        while back < segment {
            keys.push(Key::new(key(list, segment - back)));
            back = (2 * back).max(1);
        }
        let values = read(self.log, &keys).await?;
        let mut kept = keys.iter().filter_map(|key| {
            let kept: Kept = serde_json::from_slice(values.get(key)?).ok()?;
            kept.is_usable().then_some(kept)
        });
        Ok(kept.next())
    }

    /// A payment of a long order, by the place of its entry, as it was at the end of its segment.
    pub async fn old_payment(
        self,
        list: &OrderList,
        place: u64,
        name: &PaymentName,
        segments: &mut HashMap<(OrderList, u64), StoredOrder>,
    ) -> Result<Option<OldPayment>, StoreError> {
        let segment = place.saturating_sub(1) / SEGMENT;
        let stored = match segments.entry((list.clone(), segment)) {
            hash_map::Entry::Occupied(entry) => entry.into_mut(),
            hash_map::Entry::Vacant(entry) => entry.insert(self.segment(list, segment).await?.0),
        };
        let payment = stored.payment(name);
        Ok(payment.map(|(record, state)| OldPayment {
            list: list.clone(),
            until: (segment + 1) * SEGMENT,
            record,
            state,
        }))
    }

    /// A payment, by the place of its entry, as all entries up to a place of its order's list show it;
    /// that place is given too. The cost does not grow with the list.
    pub async fn payment(
        self,
        list: &OrderList,
        place: u64,
        name: &PaymentName,
    ) -> Result<Option<OldPayment>, StoreError> {
        let order = self.order(list).await?;
        let until = order.settled;
        if let Some((record, state)) = order.payment(name) {
            return Ok(Some(OldPayment {
                list: list.clone(),
                until,
                record,
                state,
            }));
        }
        let mut segments = HashMap::new();
        let old = self.old_payment(list, place, name, &mut segments).await?;
        let mut old: Vec<_> = old.into_iter().collect();
        self.bring_on(&mut old).await?;
        // A change to it is noted in one batch with its entry, so all settled changes are found.
        let old = old.pop();
        Ok(old.map(|old| OldPayment { until, ..old }))
    }

    /// An order as it was at the end of a segment of its list, with the payments of this segment and of
    /// earlier segments without a kept sum; and the first and the last place that was read.
    pub async fn segment(
        self,
        list: &OrderList,
        segment: u64,
    ) -> Result<(StoredOrder, u64, u64), StoreError> {
        let kept = self.kept(list, segment).await?;
        let first = kept.as_ref().map_or(0, |kept| kept.place) + 1;
        let last = (segment + 1) * SEGMENT;
        let listing = self.between(list, first, last).await?;
        let markers = self.markers_of([&listing]).await?;
        let base = match kept {
            Some(kept) => Some(self.restore(list, kept, &listing).await?),
            None => None,
        };
        let stored = fold(list, Depth::Whole, base, listing, &markers)?.0;
        Ok((stored, first, last))
    }

    /// The markers of the payments in lists. This finishes a payment that was left between its entries
    /// and its marker.
    pub async fn markers_of<'l>(
        self,
        listings: impl IntoIterator<Item = &'l Listing<OrderEntry>>,
    ) -> Result<Decisions, StoreError> {
        let entries = listings.into_iter().flat_map(|listing| &listing.entries);
        let names = entries.filter_map(|entry| match &entry.value {
            OrderEntry::Payment(payment) => PaymentName::of(payment).ok(),
            _ => None,
        });
        Attempts::on(self.log)
            .decided(&names.collect::<Vec<_>>())
            .await
    }

    /// Adds to payments of long orders the changes after the parts of the list that they stand in; notes
    /// under their ids tell the places.
    pub async fn bring_on(self, old: &mut [OldPayment]) -> Result<(), StoreError> {
        let keys: Vec<_> = old.iter().flat_map(notes).collect();
        let places = read(self.log, &keys).await?;
        if places.is_empty() {
            return Ok(());
        }
        for payment in old {
            let changed = changed_key(&payment.state.confirmation.payment_id);
            for key in notes(payment) {
                let Some(place) = places.get(&key) else {
                    continue;
                };
                // There may be several changes, so the note says only that there is one.
                if key != changed {
                    let place = read_place(&key, place)?;
                    let part = self.lists().part(&payment.list, place, 1).await?;
                    let mut entries = part.entries.into_iter();
                    if entries.next().is_some_and(|entry| payment.add(entry)) {
                        continue;
                    }
                }
                // A call whose place was passed by has written the note last, and may have hidden
                // another. That is rare enough to read the whole list.
                let whole = self.whole(&payment.list).await?;
                let found = PaymentName::of(&payment.record).ok();
                let found = found.and_then(|name| whole.payment(&name));
                if let Some((record, state)) = found {
                    (payment.record, payment.state) = (record, state);
                    payment.until = whole.length;
                }
                break;
            }
        }
        Ok(())
    }
}

/// The keys of the notes of changes to a payment.
fn notes(payment: &OldPayment) -> Vec<Key> {
    let id = &payment.state.confirmation.payment_id;
    let reviews = payment.state.review.iter();
    let closed = reviews.map(|review| closed_key(id, *review));
    match payment.record.channel() {
        Channel::MPay => closed.collect(),
        Channel::Manual => closed.chain([confirmed_key(id), voided_key(id)]).collect(),
        // It goes first, since with it the whole list is read.
        Channel::Card => [changed_key(id)].into_iter().chain(closed).collect(),
    }
}
