//! Many orders changed at once, with few calls of the store.

use mpay_log::Slot;

use super::{Change, Orders, Precondition, RegisterError, Registered};
use crate::{
    Platform, StoreError, aliases,
    domain::{Order, OrderKey, OrderState, ServiceId},
    order_list::OrderList,
    record::to_json,
    stored_order::confused,
};

/// Orders changed by one batch: as many as one call reads.
const BATCH: usize = 25;

/// The treatment of requested changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent<'a> {
    /// The changes are made.
    Make {
        /// Name of the principal who makes them.
        by: &'a str,
    },
    /// Nothing is written: the outcome of each change is told, judged by the present orders.
    Try,
}

impl<'a> Intent<'a> {
    fn by(self) -> Option<&'a str> {
        match self {
            Self::Make { by } => Some(by),
            Self::Try => None,
        }
    }
}

/// An order that waits for its batch.
struct Waiting {
    row: usize,
    registered: Registered,
    slot: Slot,
    change: Change,
}

impl<P: Platform> Orders<'_, P> {
    /// Changes or registers many orders: each as [`Self::change`] does, and independently, but with one
    /// read and one batch for many. No two of them may have keys that payers would confuse. `change`
    /// gives the order at a position as it should be.
    pub async fn change_many<E>(
        self,
        intent: Intent<'_>,
        keys: &[(ServiceId, OrderKey)],
        change: impl Fn(usize, &OrderState) -> Result<Order, E>,
    ) -> Vec<Result<Registered, RegisterError<E>>> {
        let mut results = Vec::with_capacity(keys.len());
        let mut unwritten = Vec::new();
        for batch in keys.chunks(BATCH) {
            let first = results.len();
            results.extend(batch.iter().map(|_| Ok(Registered::Unchanged)));
            let done =
                self.change_batch(intent, batch, first, &change, &mut results, &mut unwritten);
            if let Err(error) = done.await {
                // A repetition finds out what it may have done.
                let reason = error.to_string();
                for result in results.iter_mut().skip(first) {
                    if result.is_ok() {
                        *result = Err(StoreError::Batch(reason.clone()).into());
                    }
                }
            }
        }
        if intent == Intent::Try {
            return results;
        }
        // All events of changes that were found made, at once: it is one call in almost every store.
        let events = unwritten
            .iter()
            .flat_map(|(_, events): &(usize, Vec<u64>)| events.iter().copied());
        let events: Vec<u64> = events.collect();
        if let Err(error) = self.journal().make_sure(&events).await {
            let reason = error.to_string();
            for (row, _) in unwritten {
                if let Some(result) = results.get_mut(row) {
                    *result = Err(StoreError::Batch(reason.clone()).into());
                }
            }
        }
        results
    }

    async fn change_batch<E>(
        self,
        intent: Intent<'_>,
        batch: &[(ServiceId, OrderKey)],
        first: usize,
        change: &impl Fn(usize, &OrderState) -> Result<Order, E>,
        results: &mut [Result<Registered, RegisterError<E>>],
        unwritten: &mut Vec<(usize, Vec<u64>)>,
    ) -> Result<(), StoreError> {
        let lists: Vec<_> = batch
            .iter()
            .map(|(service, key)| OrderList::of(service, key))
            .collect();
        let orders = self.folds().orders(&lists).await?;
        let (mut judged, mut names) = (Vec::new(), Vec::new());
        for (row, (seen, (service, key))) in (first..).zip(orders.into_iter().zip(batch)) {
            let Some(result) = results.get_mut(row) else {
                continue;
            };
            let seen = match seen {
                Ok(seen) => seen,
                Err(error) => {
                    *result = Err(error.into());
                    continue;
                }
            };
            if seen.settled < seen.length && intent != Intent::Try {
                // An entry before is still being written, so this order is changed by itself.
                *result = self
                    .change(service, key, Precondition::None, intent.by(), |state| {
                        change(row, state)
                    })
                    .await;
                continue;
            }
            if let Some(known) = confused(&seen.state, key) {
                *result = Err(RegisterError::KeyTaken(known));
                continue;
            }
            let next = seen.length + 1;
            let made = match self.judge(&seen, next, intent.by(), |state| change(row, state)) {
                Ok(Some(made)) => made,
                Ok(None) => {
                    unwritten.push((row, seen.events));
                    continue;
                }
                Err(error) => {
                    *result = Err(error);
                    unwritten.push((row, seen.events));
                    continue;
                }
            };
            let registered = match seen.state.order() {
                None => Registered::Created,
                Some(_) => Registered::Amended,
            };
            if intent == Intent::Try {
                *result = Ok(registered);
                continue;
            }
            names.extend(aliases::added(
                &made.entry,
                seen.state.order(),
                service,
                key,
            ));
            judged.push((row, registered, next, made));
        }
        self.aliases().enter(&names).await?;
        let mut waiting = Vec::new();
        for (row, registered, next, made) in judged {
            let position = row - first;
            let (Some(list), Some((service, key)), Some(result)) = (
                lists.get(position),
                batch.get(position),
                results.get_mut(row),
            ) else {
                continue;
            };
            let slot = self.lists().take(list).await?;
            if slot.index() != next {
                // Another call came in between, so this order is changed by itself.
                self.lists().void(&slot).await?;
                *result = self
                    .change(service, key, Precondition::None, intent.by(), |state| {
                        change(row, state)
                    })
                    .await;
                continue;
            }
            waiting.push(Waiting {
                row,
                registered,
                slot,
                change: made,
            });
        }
        if waiting.is_empty() {
            return Ok(());
        }
        // All places of the journal are taken at once, and last, so that nobody waits for them long.
        let places = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
        let journal = self.journal().take_many(places).await?;
        for (order, journal) in waiting.iter_mut().zip(&journal) {
            order.slot.stand_beside(journal);
        }
        let mut texts = Vec::with_capacity(2 * waiting.len());
        for (order, journal) in waiting.iter().zip(&journal) {
            texts.push((&order.slot, to_json(&order.change.entry)?));
            texts.push((journal, to_json(&order.change.event)?));
        }
        let entries: Vec<_> = texts
            .iter()
            .map(|(slot, text)| (*slot, text.as_str()))
            .collect();
        let filled = match self.log.fill(&entries, Vec::new()).await {
            Ok(filled) => filled,
            Err(error) => {
                let reason = error.to_string();
                for order in &waiting {
                    if let Some(result) = results.get_mut(order.row) {
                        *result = Err(StoreError::Batch(reason.clone()).into());
                    }
                }
                return Ok(());
            }
        };
        for (order, journal) in waiting.iter().zip(&journal) {
            let Some(result) = results.get_mut(order.row) else {
                continue;
            };
            *result = if !filled.is_alive(&order.slot) {
                // Its place was passed by, so the order is changed by itself.
                match batch.get(order.row - first) {
                    Some((service, key)) => {
                        self.change(service, key, Precondition::None, intent.by(), |state| {
                            change(order.row, state)
                        })
                        .await
                    }
                    None => Err(RegisterError::Busy),
                }
            } else if !filled.is_alive(journal) {
                let event = to_json(&order.change.event)?;
                let entered = self.journal().enter_again(&event, journal.index()).await;
                entered.map(|_| order.registered).map_err(Into::into)
            } else {
                Ok(order.registered)
            };
        }
        Ok(())
    }
}
