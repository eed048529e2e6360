//! Folding an order's list. What a long list adds up to is kept for every [`SEGMENT`] entries, so that
//! an order with fifty thousand payments costs what one with a hundred does.
//!
//! What is kept can always be computed again, and is the same whoever computes it: it is kept only of
//! a part in which everything is settled. It holds no personal data; the latest version of the order
//! is read where it stands, and what was erased stays so.

use std::collections::{HashMap, hash_map};

use mpay_log::{Entry, Listing, entry_key, read_entry};
use serde::{Deserialize, Serialize};

use super::{
    Platform, Store, StoreError, StoredOrder,
    evidence::{read_place, to_json},
    keys::{self, PaymentName},
    orders::{Depth, OrderEntry, fold},
    payments::Decisions,
};
use crate::{
    domain::{OrderKey, OrderState, RecordedPayment, ServiceId},
    json::{FieldError, OrderJson, PaymentJson, SummaryJson},
};

/// Entries that are folded together and kept.
pub(super) const SEGMENT: u64 = 64;
/// Lists up to this length are read whole.
pub(super) const LONG: u64 = 2 * SEGMENT;

/// Payments of an order, the newest first.
#[derive(Debug)]
pub struct OrderPayments {
    /// Their records, and what is to be said of them.
    pub payments: Vec<(PaymentJson, RecordedPayment)>,
    /// The place to go on below; `None` at the end.
    pub next: Option<u64>,
    /// Whether the place to look below is beyond the end of the order's list.
    pub is_beyond_end: bool,
}

/// What the entries of a list up to a place add up to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    v: u32,
    /// The place.
    pub place: u64,
    /// Versions and payments, without the order itself.
    summary: SummaryJson,
    /// The place of the latest version.
    latest: u64,
    /// The order's version.
    version: u64,
    is_erased: bool,
    erased_before: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

impl Kept {
    const VERSION: u32 = 1;

    /// What an order adds up to at a place.
    pub(super) fn of(stored: &StoredOrder, place: u64, erased_before: u64) -> Self {
        let mut summary = SummaryJson::from(stored.state.summary());
        summary.order = None;
        Self {
            v: Self::VERSION,
            place,
            summary,
            latest: stored.latest,
            version: stored.version,
            is_erased: stored.is_erased,
            erased_before,
            request: stored.request.clone(),
        }
    }

    /// The order at that place, with its latest version.
    fn restore(self, order: Option<OrderJson>) -> Result<StoredOrder, Vec<FieldError>> {
        let summary = SummaryJson {
            order,
            ..self.summary
        };
        Ok(StoredOrder {
            state: OrderState::from(summary.to_summary()?),
            version: self.version,
            is_erased: self.is_erased,
            request: self.request,
            latest: self.latest,
            settled: self.place,
            length: self.place,
            ..StoredOrder::default()
        })
    }
}

impl<P: Platform> Store<P> {
    /// The orders that lists hold.
    pub(super) async fn read_orders(
        &self,
        lists: &[String],
    ) -> Result<Vec<Result<StoredOrder, StoreError>>, StoreError> {
        let listings = self.log.read_lists(lists, LONG).await?;
        let whole = listings.iter().filter(|listing| listing.length <= LONG);
        let markers = self.markers_of(whole).await?;
        let mut orders = Vec::with_capacity(lists.len());
        for (list, listing) in lists.iter().zip(listings) {
            orders.push(match listing.length {
                length if length > LONG => self.read_long(list, length).await,
                _ => {
                    let folded = fold(list, Depth::Latest, None, listing, &markers);
                    folded.map(|(stored, _)| stored)
                }
            });
        }
        Ok(orders)
    }

    /// The order that a list holds, with all of its payments, however many.
    pub(super) async fn read_whole(&self, list: &str) -> Result<StoredOrder, StoreError> {
        let listing = self.log.read_all(list).await?;
        let markers = self.markers_of([&listing]).await?;
        Ok(fold(list, Depth::Whole, None, listing, &markers)?.0)
    }

    /// The order that a list holds up to a place.
    pub(super) async fn read_order_up_to(
        &self,
        list: &str,
        last: u64,
    ) -> Result<(Listing<OrderEntry>, Option<Kept>), StoreError> {
        let kept = match last > LONG {
            true => self.kept(list, (last - SEGMENT) / SEGMENT).await?,
            false => None,
        };
        let first = kept.as_ref().map_or(0, |kept| kept.place) + 1;
        Ok((self.read_between(list, first, last).await?, kept))
    }

    pub(super) async fn read_between(
        &self,
        list: &str,
        mut first: u64,
        last: u64,
    ) -> Result<Listing<OrderEntry>, StoreError> {
        let mut whole = Listing::default();
        while first <= last {
            let mut part = self.log.read_part(list, first, last - first + 1).await?;
            part.truncate(last);
            whole.length = part.length;
            if part.next <= first {
                break;
            }
            first = part.next;
            whole.append(part);
        }
        Ok(whole)
    }

    async fn read_long(&self, list: &str, last: u64) -> Result<StoredOrder, StoreError> {
        let (listing, kept) = self.read_order_up_to(list, last).await?;
        let markers = self.markers_of([&listing]).await?;
        self.fold_on(list, Depth::Latest, kept, listing, &markers)
            .await
    }

    /// Folds a part of a list onto what is kept of the part before it, and keeps what can be kept now.
    pub(super) async fn fold_on(
        &self,
        list: &str,
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
            let key = keys::fold(list, kept.place / SEGMENT);
            Ok::<_, StoreError>((key, to_json(kept)?.into_bytes()))
        });
        let keep: Vec<_> = keep.collect::<Result<_, _>>()?;
        if !keep.is_empty() {
            // It saves work, and nothing depends on it.
            let _ = self.log.set_many(&keep).await;
        }
        Ok(stored)
    }

    /// The order as it was when `kept` was kept, and before which place its personal data is erased.
    async fn restore(
        &self,
        list: &str,
        kept: Kept,
        listing: &Listing<OrderEntry>,
    ) -> Result<(StoredOrder, u64), StoreError> {
        let erased_before = OrderEntry::erased_before(&listing.entries).max(kept.erased_before);
        let key = entry_key(list, kept.latest);
        let corrupt = |reason: String| StoreError::Corrupt {
            key: key.clone(),
            reason,
        };
        let damaged = || corrupt("it is damaged; POST /api/repair tells more".to_owned());
        let order = match kept.latest {
            0 => None,
            latest => {
                let bytes = self.log.get(&key).await?.ok_or_else(damaged)?;
                let entry: Entry<OrderEntry> = read_entry(latest, &bytes).map_err(|_| damaged())?;
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
        let stored = stored.map_err(|errors| corrupt(format!("{errors:?}")))?;
        Ok((stored, erased_before))
    }

    /// What is kept of a list up to the end of a segment, or of the nearest one before it.
    async fn kept(&self, list: &str, segment: u64) -> Result<Option<Kept>, StoreError> {
        let mut back = 0;
        let mut keys = Vec::new();
        while back < segment {
            keys.push(keys::fold(list, segment - back));
            back = (2 * back).max(1);
        }
        let values = self.log.get_many(&keys).await?;
        let mut kept = keys.iter().filter_map(|key| {
            let kept: Kept = serde_json::from_slice(values.get(key)?).ok()?;
            // What another version has kept is folded again.
            (kept.v == Kept::VERSION && kept.summary.to_summary().is_ok()).then_some(kept)
        });
        Ok(kept.next())
    }

    /// A payment of a long order, by the place of its entry: its record, and what is to be said of it.
    pub(super) async fn old_payment(
        &self,
        list: &str,
        place: u64,
        name: &PaymentName,
        segments: &mut HashMap<String, StoredOrder>,
    ) -> Result<Option<(PaymentJson, RecordedPayment)>, StoreError> {
        let segment = place.saturating_sub(1) / SEGMENT;
        let cached = keys::fold(list, segment);
        let stored = match segments.entry(cached) {
            hash_map::Entry::Occupied(entry) => entry.into_mut(),
            hash_map::Entry::Vacant(entry) => {
                entry.insert(self.read_segment(list, segment).await?.0)
            }
        };
        Ok(stored.payment(name))
    }

    /// An order as it was at the end of a segment of its list, with the payments of this segment, and
    /// of those before it that nothing is kept of; and the first place that was read.
    async fn read_segment(
        &self,
        list: &str,
        segment: u64,
    ) -> Result<(StoredOrder, u64), StoreError> {
        let kept = self.kept(list, segment).await?;
        let first = kept.as_ref().map_or(0, |kept| kept.place) + 1;
        let listing = self
            .read_between(list, first, (segment + 1) * SEGMENT)
            .await?;
        let markers = self.markers_of([&listing]).await?;
        let base = match kept {
            Some(kept) => Some(self.restore(list, kept, &listing).await?),
            None => None,
        };
        let stored = fold(list, Depth::Whole, base, listing, &markers)?.0;
        Ok((stored, first))
    }

    /// Payments of an order, the newest first, below a place of its list; and the place to go on
    /// below. `None` if there is no such order.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or a record of this order is damaged.
    pub async fn order_payments(
        &self,
        service: &ServiceId,
        key: &OrderKey,
        before: Option<u64>,
    ) -> Result<Option<OrderPayments>, StoreError> {
        let list = keys::order(service, key);
        let Some(order) = self.order(service, key).await? else {
            return Ok(None);
        };
        let last = before.map_or(order.length, |before| before.saturating_sub(1));
        let last = last.min(order.length);
        let segment = last.saturating_sub(1) / SEGMENT;
        let (stored, first) = self.read_segment(&list, segment).await?;
        let mut states: Vec<_> = stored.state.payments().to_vec();
        let records = stored.payments.into_iter();
        let mut old: Vec<_> = states
            .drain(..)
            .map(|state| (list.clone(), state))
            .collect();
        self.close_old(&mut old).await?;
        let payments = records.zip(old.into_iter().map(|(_, state)| state));
        let mut payments: Vec<_> = payments.rev().collect();
        // What was entered by hand may have been confirmed or voided long after.
        if payments.iter().any(|(record, _)| record.manual.is_some()) {
            let whole = self.read_whole(&list).await?;
            for (record, state) in &mut payments {
                if record.manual.is_some()
                    && let Some(found) = PaymentName::of(record)
                        .ok()
                        .and_then(|name| whole.payment(&name))
                {
                    (*record, *state) = found;
                }
            }
        }
        Ok(Some(OrderPayments {
            payments,
            next: (first > 1).then_some(first),
            is_beyond_end: before.is_some_and(|before| before > order.length),
        }))
    }

    /// Closes what was closed of payments of long orders after the parts that they stand in.
    pub(super) async fn close_old(
        &self,
        old: &mut [(String, RecordedPayment)],
    ) -> Result<(), StoreError> {
        let keys: Vec<_> = old
            .iter()
            .flat_map(|(_, state)| {
                let id = &state.confirmation.payment_id;
                state.review.iter().map(|review| keys::closed(id, *review))
            })
            .collect();
        let places = self.log.get_many(&keys).await?;
        if places.is_empty() {
            return Ok(());
        }
        for (list, state) in old {
            let id = state.confirmation.payment_id.clone();
            let keys: Vec<_> = state.review.iter().map(|r| keys::closed(&id, *r)).collect();
            for key in keys {
                let Some(place) = places.get(&key) else {
                    continue;
                };
                let place = read_place(&key, place)?;
                let part = self.log.read_part::<OrderEntry>(list, place, 1).await?;
                for entry in part.entries {
                    if let OrderEntry::Closed(closed) = entry.value
                        && let Ok((closed_id, closed)) = closed.read(entry.at)
                        && closed_id == id
                    {
                        state.review.retain(|review| *review != closed.review);
                        state.closed.push(closed);
                    }
                }
            }
        }
        Ok(())
    }
}
