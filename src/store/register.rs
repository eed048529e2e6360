//! The register of orders: those there are, the newest first.

use jiff::Timestamp;

use super::{Platform, Span, Store, StoreError, StoredOrder, journal::BLOCKS};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{Event, OrderEvent},
};

/// Orders read at once.
const ORDERS: usize = 28;
/// How many orders one call looks at.
const MOST_ORDERS: usize = 10 * ORDERS;

/// An order in the register.
#[derive(Debug)]
pub struct RegisteredOrder {
    /// The place of its registration in the journal.
    pub index: u64,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// The order.
    pub order: StoredOrder,
}

/// A part of the register.
#[derive(Debug)]
pub struct RegisterPage {
    /// Orders, the newest first.
    pub orders: Vec<RegisteredOrder>,
    /// Where to go on: the place in the journal to look below. `None` at the end. There may be a
    /// next page though this one has no orders.
    pub next: Option<u64>,
}

impl<P: Platform> Store<P> {
    /// Up to `limit` orders that were registered in `span` and are wanted, the newest first, below
    /// the place `before` of the journal. Only a fixed number of entries and orders is looked at:
    /// `registered` chooses by the event of registration, `wanted` by the order as it is.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn register(
        &self,
        before: Option<u64>,
        limit: usize,
        span: Span,
        registered: impl Fn(&OrderEvent) -> bool,
        wanted: impl Fn(&StoredOrder) -> bool,
    ) -> Result<RegisterPage, StoreError> {
        let mut page = RegisterPage {
            orders: Vec::new(),
            next: None,
        };
        let mut before = match before {
            Some(before) => before,
            None => self.end_of(span).await?,
        };
        let mut looked_at = 0;
        for _ in 0..BLOCKS {
            let (entries, start) = self.journal_before(before).await?;
            let over = entries.iter().any(|entry| span.is_yet_to_come(entry.at));
            let mut found = Vec::new();
            for entry in entries {
                if let Event::OrderRegistered(event) = &entry.event
                    && span.contains(entry.at)
                    && registered(event)
                {
                    found.push((entry.index, entry.at, address(entry.index, event)?));
                }
            }
            for found in found.chunks(ORDERS) {
                let addresses: Vec<_> = found.iter().map(|(_, _, key)| key.clone()).collect();
                let orders = self.orders(&addresses).await?;
                for ((index, registered_at, _), order) in found.iter().zip(orders) {
                    looked_at += 1;
                    page.next = Some(*index);
                    if let Some(order) = order.filter(&wanted) {
                        page.orders.push(RegisteredOrder {
                            index: *index,
                            registered_at: *registered_at,
                            order,
                        });
                    }
                    if page.orders.len() >= limit {
                        return Ok(page);
                    }
                }
                if looked_at >= MOST_ORDERS {
                    return Ok(page);
                }
            }
            if over || start == 1 {
                page.next = None;
                return Ok(page);
            }
            page.next = Some(start);
            before = start;
        }
        Ok(page)
    }
}

/// Which order an event is about.
fn address(index: u64, event: &OrderEvent) -> Result<(ServiceId, OrderKey), StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt {
        key: super::keys::journal(index),
        reason,
    };
    Ok((
        ServiceId::parse(&event.service_id).map_err(|error| corrupt(error.to_string()))?,
        OrderKey::parse(&event.order_key).map_err(|error| corrupt(error.to_string()))?,
    ))
}
