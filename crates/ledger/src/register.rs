//! The register of all orders, the newest first.

use jiff::Timestamp;
use mpay_log::BLOCK;

use super::{
    Days, OpenReviewsFound, Orders, Platform, Span, StoreError, StoredOrder,
    aliases::{Aliases, Named},
    journal::BLOCKS,
    journal_list::{Backwards, JournalList},
    order_list::{OrderList, OrderLists, registration},
    record::over_the_log_and_the_secret,
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{Event, OrderEvent},
};

over_the_log_and_the_secret! {
    /// All orders.
    pub struct Register
}

/// Orders read at once.
const ORDERS: usize = 25;
/// The same, where no more are asked for.
const FEW: usize = 10;
/// The most orders that one call looks at.
const MOST_ORDERS: usize = 10 * ORDERS;

/// An order in the register.
#[derive(Debug)]
pub struct RegisteredOrder {
    /// The place of its registration in the journal.
    pub index: u64,
    /// The time at which it was registered.
    pub registered_at: Timestamp,
    /// The order.
    pub order: StoredOrder,
}

/// A part of the register.
#[derive(Debug)]
pub struct RegisterPage {
    /// Orders, the newest first.
    pub orders: Vec<RegisteredOrder>,
    /// The place to go on from: the place in the journal to look below. `None` at the end. There may be a
    /// next page though this one has no orders.
    pub next: Option<u64>,
    /// Orders that were left out because a record of theirs is damaged.
    pub damaged: usize,
    /// True if the place to look below is beyond the end of the journal.
    pub is_beyond_end: bool,
    /// True if not all that may be meant was looked at, and the same call goes on.
    pub is_partial: bool,
}

/// An order, or the damage of its record, with the place and the time of its registration.
type Registered = (
    Result<Option<StoredOrder>, StoreError>,
    Option<(u64, Timestamp)>,
);

impl<P: Platform> Register<'_, P> {
    /// Up to `limit` orders that were registered in `span` and are wanted, the newest first, below the
    /// place `before` of the journal. `registered` chooses by the event of registration, `wanted` by the
    /// order as it is. Only a fixed number of entries and orders is looked at.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read(
        self,
        before: Option<u64>,
        limit: usize,
        span: Span,
        registered: impl Fn(&OrderEvent) -> bool,
        wanted: impl Fn(&StoredOrder) -> bool,
    ) -> Result<RegisterPage, StoreError> {
        let mut page = RegisterPage {
            orders: Vec::new(),
            next: None,
            damaged: 0,
            is_beyond_end: false,
            is_partial: false,
        };
        let range = Days::on(self.log).range(span).await?;
        let journal = JournalList::on(self.log);
        let mut before = match (before, range.last) {
            (Some(before), _) => before,
            (None, Some(last)) => last + 1,
            (None, None) => journal.length().await? + 1,
        };
        let mut looked_at = 0;
        // Who wants a few finds them in a part of the last block, if all are wanted.
        let few = u64::try_from(limit).unwrap_or(BLOCK).saturating_mul(4);
        for block in 0..BLOCKS {
            let Backwards {
                entries,
                start,
                is_beyond_end,
            } = journal
                .before(before, if block == 0 { few } else { BLOCK })
                .await?;
            page.is_beyond_end |= is_beyond_end;
            let over = start <= range.after + 1;
            let mut found = Vec::new();
            for entry in entries {
                if let Event::OrderRegistered(event) = &entry.event
                    && entry.index > range.after
                    && range.contains(entry.at)
                    && registered(event)
                    && let Some(address) = address(event)
                {
                    found.push((entry.index, entry.at, event.version, address));
                }
            }
            let few = if looked_at == 0 {
                limit.clamp(FEW, ORDERS)
            } else {
                ORDERS
            };
            let (few, rest) = found.split_at(few.min(found.len()));
            for found in std::iter::once(few).chain(rest.chunks(ORDERS)) {
                let addresses: Vec<_> = found.iter().map(|(.., key)| key.clone()).collect();
                let orders = Orders::on(self.log, self.secrets)
                    .get_many(&addresses)
                    .await?;
                for ((index, registered_at, version, _), order) in found.iter().zip(orders) {
                    looked_at += 1;
                    page.next = Some(*index);
                    let order = match order {
                        Ok(order) => order,
                        // The damage concerns this order alone, and a request for it is told.
                        Err(_) => {
                            page.damaged += 1;
                            None
                        }
                    };
                    // A registration whose place was passed by does not count; another one does.
                    let counts = |order: &StoredOrder| order.first == *version;
                    if let Some(order) = order.filter(counts).filter(&wanted) {
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

    /// Reads the orders that are known to have open reviews. If others may have some too, `next` leads to
    /// the rest of the register.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn to_review(
        self,
        found: &OpenReviewsFound,
        before: Option<u64>,
        limit: usize,
        span: Span,
        wanted: impl Fn(&StoredOrder) -> bool,
    ) -> Result<RegisterPage, StoreError> {
        let range = Days::on(self.log).range(span).await?;
        let is_in_span = |index, at| {
            index > range.after && range.last.is_none_or(|last| index <= last) && range.contains(at)
        };
        let mut page = RegisterPage {
            orders: Vec::new(),
            next: None,
            damaged: 0,
            is_beyond_end: before.is_some_and(|before| before > found.place + 1),
            is_partial: !found.is_complete,
        };
        let open = found.open.iter();
        let open: Vec<_> = open
            .filter(|(index, ..)| before.is_none_or(|before| *index < before))
            .collect();
        for chunk in open.chunks(ORDERS.min(limit.max(1))) {
            let addresses: Vec<_> = chunk
                .iter()
                .map(|(_, service, key)| (service.clone(), key.clone()))
                .collect();
            let read = self.registered(&addresses).await?;
            for ((index, ..), (order, registered)) in chunk.iter().zip(read) {
                if page.orders.len() >= limit {
                    return Ok(page);
                }
                page.next = Some(*index);
                page.damaged += usize::from(order.is_err());
                if let Some(order) = order.ok().flatten()
                    && let Some((_, registered_at)) = registered
                    && is_in_span(*index, registered_at)
                    && wanted(&order)
                {
                    page.orders.push(RegisteredOrder {
                        index: *index,
                        registered_at,
                        order,
                    });
                }
            }
            if page.orders.len() >= limit && chunk.last() != open.last() {
                return Ok(page);
            }
        }
        page.next = (found.floor > 0).then_some(found.floor + 1);
        Ok(page)
    }

    /// Reads these orders, each with the place and the time of its registration.
    async fn registered(
        self,
        addresses: &[(ServiceId, OrderKey)],
    ) -> Result<Vec<Registered>, StoreError> {
        let lists = addresses
            .iter()
            .map(|(service, key)| OrderList::of(service, key));
        let lists: Vec<_> = lists.collect();
        let stored = Orders::on(self.log, self.secrets)
            .get_many(addresses)
            .await?;
        let firsts = OrderLists::on(self.log).several(&lists, 0).await?;
        let registered = firsts.iter().map(registration);
        Ok(stored.into_iter().zip(registered).collect())
    }

    /// Reads the orders of a service that have an alias, the one that got it last first. `before` and
    /// `next` are places in the list of the name, and a fixed number of them is looked at.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn named(
        self,
        (service, name): (&ServiceId, &OrderKey),
        before: Option<u64>,
        limit: usize,
        span: Span,
        wanted: impl Fn(&StoredOrder) -> bool,
    ) -> Result<RegisterPage, StoreError> {
        let range = Days::on(self.log).range(span).await?;
        let is_in_span = |index, at| {
            index > range.after && range.last.is_none_or(|last| index <= last) && range.contains(at)
        };
        let Named {
            orders,
            next,
            is_beyond_end,
        } = Aliases::on(self.log, self.secrets)
            .of(service, name, before)
            .await?;
        let mut page = RegisterPage {
            orders: Vec::new(),
            next,
            damaged: 0,
            is_beyond_end,
            is_partial: false,
        };
        for chunk in orders.chunks(ORDERS) {
            let addresses: Vec<_> = chunk
                .iter()
                .map(|(_, key)| (service.clone(), key.clone()))
                .collect();
            let read = self.registered(&addresses).await?;
            for ((place, _), (order, registered)) in chunk.iter().zip(read) {
                page.damaged += usize::from(order.is_err());
                if let Some(order) = order.ok().flatten()
                    && let Some((index, registered_at)) = registered
                    && is_in_span(index, registered_at)
                    && order.is_named(name)
                    && wanted(&order)
                {
                    page.orders.push(RegisteredOrder {
                        index,
                        registered_at,
                        order,
                    });
                }
                if page.orders.len() >= limit {
                    page.next = (*place > 1).then_some(*place);
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }
}

/// The order that an event is about; `None` where it names none.
fn address(event: &OrderEvent) -> Option<(ServiceId, OrderKey)> {
    let service = ServiceId::parse(&event.service_id).ok()?;
    Some((service, OrderKey::parse(&event.order_key).ok()?))
}
