//! Many orders changed at once, with few calls of the store.

use super::{
    Platform, Precondition, RegisterError, Registered, Store, StoreError, evidence::to_json, keys,
    list::Slot, orders::confused,
};
use crate::domain::{Order, OrderKey, OrderState, ServiceId};

/// Orders changed by one batch: as many as one call reads.
const BATCH: usize = 28;

/// An order that waits for its batch.
struct Waiting {
    row: usize,
    registered: Registered,
    slot: Slot,
    entry: String,
    journal: Slot,
    event: String,
}

impl<P: Platform> Store<P> {
    /// Changes many orders, or makes them: each as [`Self::change`] does, and for itself, but with
    /// one read and one batch for many. No two may have keys that payers would confuse. `change`
    /// gives what the order at a position shall be.
    pub async fn change_many<E>(
        &self,
        keys: &[(ServiceId, OrderKey)],
        change: impl Fn(usize, &OrderState) -> Result<Order, E>,
    ) -> Vec<Result<Registered, RegisterError<E>>> {
        let mut results = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let first = results.len();
            results.extend(batch.iter().map(|_| Ok(Registered::Unchanged)));
            if let Err(error) = self.change_batch(batch, first, &change, &mut results).await {
                // What it may have done is found out by repetition.
                let reason = error.to_string();
                for result in results.iter_mut().skip(first) {
                    if result.is_ok() {
                        *result = Err(StoreError::Batch(reason.clone()).into());
                    }
                }
            }
        }
        results
    }

    async fn change_batch<E>(
        &self,
        batch: &[(ServiceId, OrderKey)],
        first: usize,
        change: &impl Fn(usize, &OrderState) -> Result<Order, E>,
        results: &mut [Result<Registered, RegisterError<E>>],
    ) -> Result<(), StoreError> {
        let lists: Vec<_> = batch
            .iter()
            .map(|(service, key)| keys::order(service, key))
            .collect();
        let listings = self.read_lists(&lists).await?;
        let mut waiting = Vec::new();
        for ((position, (list, listing)), (service, key)) in
            lists.iter().zip(listings).enumerate().zip(batch)
        {
            let row = first + position;
            let Some(result) = results.get_mut(row) else {
                continue;
            };
            let seen = self.fold(list, listing)?;
            if let Some(known) = confused(&seen.state, key) {
                *result = Err(RegisterError::KeyTaken(known));
                continue;
            }
            let next = seen.version + 1;
            let (entry, event) = match self.judge(&seen, next, |state| change(row, state)) {
                Ok(Some(judged)) => judged,
                Ok(None) => continue,
                Err(error) => {
                    *result = Err(error);
                    continue;
                }
            };
            let slot = self.take(list).await?;
            if slot.index != next {
                // Somebody else came in between: this one goes its own way.
                self.void(&slot).await?;
                *result = self
                    .change(service, key, Precondition::None, |state| change(row, state))
                    .await;
                continue;
            }
            waiting.push(Waiting {
                row,
                registered: match seen.state.order() {
                    None => Registered::Created,
                    Some(_) => Registered::Amended,
                },
                slot,
                entry: to_json(&entry)?,
                journal: self.take(keys::JOURNAL).await?,
                event: to_json(&event)?,
            });
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(2 * waiting.len());
        for order in &waiting {
            entries.push((&order.slot, order.entry.as_str()));
            entries.push((&order.journal, order.event.as_str()));
        }
        let filled = self.fill(&entries, Vec::new()).await;
        let reason = filled.err().map(|error| error.to_string());
        for order in &waiting {
            if let Some(result) = results.get_mut(order.row) {
                *result = match &reason {
                    None => Ok(order.registered),
                    Some(reason) => Err(StoreError::Batch(reason.clone()).into()),
                };
            }
        }
        Ok(())
    }
}
