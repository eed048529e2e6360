//! Orders: their reading and their changes.

mod bulk;
mod history;

pub use bulk::Intent;
pub use history::{HistoryEntry, OrderHistory};

use std::convert::Infallible;

use mutation::{Mutation, mutated};

use super::{
    Platform, StoreError, StoredOrder,
    aliases::{self, Aliases},
    attempts::{Attempts, Patience, PaymentName},
    folds::Folds,
    journal_list::JournalList,
    order_list::{OrderEntry, OrderList, OrderLists},
    record::{Write, over_the_log_and_the_secret, to_json},
    stored_order::{Depth, OldPayment, SEGMENT, confused},
};
use crate::{
    domain::{ChangeRefused, Order, OrderKey, OrderState, RecordedPayment, ServiceId},
    json::{Event, PaymentJson},
};

/// Most attempts of one change, each begun anew after the place of the last one was passed by.
const TRIES: u32 = 5;

over_the_log_and_the_secret! {
    /// Orders, by their service and key.
    pub struct Orders
}

/// Payments of an order, the newest first.
#[derive(Debug)]
pub struct OrderPayments {
    /// Their records and states.
    pub payments: Vec<(PaymentJson, RecordedPayment)>,
    /// The place to go on below; `None` at the end.
    pub next: Option<u64>,
    /// True if the place to look below is beyond the end of the order's list.
    pub is_beyond_end: bool,
}

/// The condition of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No condition.
    None,
    /// The order is at one of these versions (`If-Match`).
    Versions(Vec<u64>),
    /// There is such an order (`If-Match: *`).
    Present,
    /// There is no such order yet (`If-None-Match: *`).
    Absent,
}

impl Precondition {
    fn holds(&self, order: &StoredOrder) -> bool {
        let exists = order.state.order().is_some();
        match self {
            Self::None => true,
            Self::Versions(versions) => exists && versions.contains(&order.version),
            Self::Present => exists,
            Self::Absent => !exists,
        }
    }
}

/// The outcome of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// A new order.
    Created,
    /// A new version of an order.
    Amended,
    /// Nothing: the order was like this already.
    Unchanged,
}

/// The reason why an order was not registered or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError<E = Infallible> {
    /// The order would be invalid.
    #[error("it would not be an order")]
    Unfit(E),
    /// The order's state does not allow this change.
    #[error(transparent)]
    Refused(#[from] ChangeRefused),
    /// Another order has a key that payers would confuse with this one.
    #[error(
        "the order key {0} exists already and differs only in what payers do not see: case, spaces, dashes, invisible characters, or letters of another alphabet that look the same"
    )]
    KeyTaken(OrderKey),
    /// The precondition does not hold.
    #[error("the order has changed, or exists already")]
    PreconditionFailed,
    /// Another call is changing the same order.
    #[error("another call is changing this order; try again")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An entry and its event, with the other values that are written in the same batch.
pub(super) struct Change {
    pub entry: OrderEntry,
    /// `None` if only readers of the list need the entry.
    pub event: Option<Event>,
    pub others: Vec<Write>,
}

impl<'a, P: Platform> Orders<'a, P> {
    fn lists(self) -> OrderLists<'a, P> {
        OrderLists::on(self.log)
    }

    fn folds(self) -> Folds<'a, P> {
        Folds::on(self.log)
    }

    fn aliases(self) -> Aliases<'a, P> {
        Aliases::on(self.log, self.secrets)
    }

    fn journal(self) -> JournalList<'a, P> {
        JournalList::on(self.log)
    }

    /// The order of this service and key; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or a record of this order is damaged.
    pub async fn get(
        self,
        service: &ServiceId,
        key: &OrderKey,
    ) -> Result<Option<StoredOrder>, StoreError> {
        let orders = self.get_many(&[(service.clone(), key.clone())]).await?;
        orders.into_iter().next().unwrap_or(Ok(None))
    }

    /// The order of this service that `key` means: its key may be spelt differently, see
    /// [`OrderKey::folded`]. It costs as much as [`Self::get`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn find(
        self,
        service: &ServiceId,
        key: &OrderKey,
    ) -> Result<Option<StoredOrder>, StoreError> {
        let lists = [OrderList::of(service, key)];
        let found = self.folds().orders(&lists).await?.pop().transpose()?;
        Ok(found.filter(|stored| stored.state.order().is_some()))
    }

    /// The orders of this service that have an alias, in any spelling; the one that got it last first. If
    /// very many have had the name, only the latest are looked at.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or the records of all of them are damaged.
    pub async fn named(
        self,
        service: &ServiceId,
        name: &OrderKey,
    ) -> Result<Vec<StoredOrder>, StoreError> {
        let named = self.aliases().of(service, name, None).await?;
        let addresses: Vec<_> = named
            .orders
            .into_iter()
            .map(|(_, key)| (service.clone(), key))
            .collect();
        let (mut found, mut damaged) = (Vec::new(), None);
        for order in self.get_many(&addresses).await? {
            match order {
                Ok(order) => found.extend(order.filter(|order| order.is_named(name))),
                // The damage concerns this order alone.
                Err(error) => damaged = Some(error),
            }
        }
        match damaged {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// Several orders, each as [`Self::get`] gives it, in few calls. A damaged order is an error of its
    /// own.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn get_many(
        self,
        addresses: &[(ServiceId, OrderKey)],
    ) -> Result<Vec<Result<Option<StoredOrder>, StoreError>>, StoreError> {
        let lists: Vec<_> = addresses
            .iter()
            .map(|(service, key)| OrderList::of(service, key))
            .collect();
        let folded = self.folds().orders(&lists).await?;
        Ok(folded
            .into_iter()
            .zip(addresses)
            .map(|(stored, (_, key))| {
                let stored = stored?;
                let order = stored.state.order();
                let exists = order.is_some_and(|order| order.order_key == *key);
                Ok(exists.then_some(stored))
            })
            .collect())
    }

    /// Payments of an order, the newest first, below a place of its list; and the place to go on
    /// below. `None` if there is no such order.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or a record of this order is damaged.
    pub async fn payments(
        self,
        service: &ServiceId,
        key: &OrderKey,
        before: Option<u64>,
    ) -> Result<Option<OrderPayments>, StoreError> {
        let list = OrderList::of(service, key);
        let Some(order) = self.get(service, key).await? else {
            return Ok(None);
        };
        let last = before.map_or(order.length, |before| before.saturating_sub(1));
        let last = last.min(order.length);
        let segment = last.saturating_sub(1) / SEGMENT;
        let (stored, first, until) = self.folds().segment(&list, segment).await?;
        // This is read after the segment, since an erasure is entered before it is carried out.
        let erased_before = self.folds().order(&list).await?.erased_before;
        let states = stored.state.payments().iter().cloned();
        let payments = stored.payments.into_iter().map(|mut record| {
            if until < erased_before {
                record.erase_personal_data();
            }
            record
        });
        let mut payments: Vec<_> = payments
            .zip(states)
            .map(|(record, state)| OldPayment {
                list: list.clone(),
                until,
                record,
                state,
            })
            .collect();
        self.folds().bring_on(&mut payments).await?;
        let payments = payments.into_iter().rev();
        let payments = payments
            .map(|payment| (payment.record, payment.state))
            .collect();
        Ok(Some(OrderPayments {
            payments,
            next: (first > 1).then_some(first),
            is_beyond_end: before.is_some_and(|before| before > order.length),
        }))
    }

    /// Changes or registers an order: `change` is given the present order, and gives the order as it
    /// should be. `by` is the name of the principal.
    ///
    /// The change is judged by the entries before its own place in the order's list: if another call came
    /// in between, `change` is asked again.
    ///
    /// # Errors
    /// [`RegisterError`]; then the order is unchanged.
    pub async fn change<E>(
        self,
        service: &ServiceId,
        key: &OrderKey,
        precondition: Precondition,
        by: Option<&str>,
        change: impl Fn(&OrderState) -> Result<Order, E>,
    ) -> Result<Registered, RegisterError<E>> {
        let appended = self
            .append(service, key, precondition, |stored, index| {
                self.judge(stored, index, by, &change)
            })
            .await?;
        Ok(match appended {
            None => Registered::Unchanged,
            Some(Some(Event::OrderRegistered(_))) => Registered::Created,
            Some(_) => Registered::Amended,
        })
    }

    /// The entry at `index`, and the event, that make the order as it should be; `None` if it is like
    /// that already.
    pub(super) fn judge<E>(
        self,
        stored: &StoredOrder,
        index: u64,
        by: Option<&str>,
        change: impl Fn(&OrderState) -> Result<Order, E>,
    ) -> Result<Option<Change>, RegisterError<E>> {
        let state = &stored.state;
        let before = state.order();
        let after = change(state).map_err(RegisterError::Unfit)?;
        let compared = stored.comparable(&after);
        if before == Some(&*compared) {
            return Ok(None);
        }
        state.check_change(&compared, self.log.now())?;
        Ok(Some(Change {
            event: Some(Event::of_order(before, &after, index, by)),
            entry: OrderEntry::Version(Box::new((&after).into())),
            others: Vec::new(),
        }))
    }

    /// Appends the entry and the event that `judge` gives for the order and the entry's place, to the
    /// order's list and the journal in one batch. Appends nothing if `judge` gives `None`. Gives the
    /// event, if there is one.
    ///
    /// The event counts if the entry does (see `journal.rs`). So if the entry's place was passed by as
    /// dead, all of it is begun anew; and if only the event's was, the event is entered again.
    pub(super) async fn append<E>(
        self,
        service: &ServiceId,
        key: &OrderKey,
        precondition: Precondition,
        judge: impl Fn(&StoredOrder, u64) -> Result<Option<Change>, RegisterError<E>>,
    ) -> Result<Option<Option<Event>>, RegisterError<E>> {
        self.append_seeing(Depth::Latest, service, key, precondition, judge)
            .await
    }

    /// Appends as [`append`](Self::append) does, if `judge` needs this depth of the order.
    pub(super) async fn append_seeing<E>(
        self,
        depth: Depth,
        service: &ServiceId,
        key: &OrderKey,
        precondition: Precondition,
        judge: impl Fn(&StoredOrder, u64) -> Result<Option<Change>, RegisterError<E>>,
    ) -> Result<Option<Option<Event>>, RegisterError<E>> {
        let list = OrderList::of(service, key);
        let judge = |stored: &StoredOrder, place| {
            if let Some(known) = confused(&stored.state, key) {
                return Err(RegisterError::KeyTaken(known));
            }
            if !precondition.holds(stored) {
                return Err(RegisterError::PreconditionFailed);
            }
            judge(stored, place)
        };
        for _ in 0..TRIES {
            let mut seen = match depth {
                Depth::Latest => self.folds().order(&list).await?,
                Depth::Whole => self.folds().whole(&list).await?,
            };
            let next = seen.length + 1;
            if seen.settled < seen.length && !mutated(Mutation::AmendmentOnOldState) {
                // An entry that is still being written stands before this call's place, so a decision
                // that nothing is to be done, or may not be done, must consider it too.
                seen = self
                    .settled_before(&list, depth, seen.settled, next)
                    .await?;
            }
            let mut change = match judge(&seen, next) {
                Ok(Some(change)) => change,
                // A refusal also tells its caller of the changes that are made, so their events are made
                // sure of.
                nothing => {
                    self.journal().make_sure(&seen.events).await?;
                    return nothing.map(|_| None);
                }
            };
            let added = |stored: &StoredOrder, change: &Change| {
                aliases::added(&change.entry, stored.state.order(), service, key)
            };
            let entered = added(&seen, &change);
            self.aliases().enter(&entered).await?;
            let mut slot = self.lists().take(&list).await?;
            if slot.index() != next && !mutated(Mutation::AmendmentOnOldState) {
                // Another call came in between.
                let (judged, more, events) = match self
                    .settled_before(&list, depth, next - 1, slot.index())
                    .await
                {
                    Ok(earlier) => {
                        let judged = judge(&earlier, slot.index());
                        let change = judged.as_ref().ok().and_then(Option::as_ref);
                        let more = change.map(|change| added(&earlier, change));
                        (judged, more.unwrap_or_default(), earlier.events)
                    }
                    Err(error) => (Err(error.into()), Vec::new(), Vec::new()),
                };
                match judged {
                    Ok(Some(judged)) => {
                        change = judged;
                        // Another call removed meanwhile a name that the order had.
                        let mut more = more;
                        more.retain(|naming| !entered.contains(naming));
                        if let Err(error) = self.aliases().enter(&more).await {
                            self.lists().void(&slot).await?;
                            return Err(error.into());
                        }
                    }
                    nothing => {
                        self.lists().void(&slot).await?;
                        self.journal().make_sure(&events).await?;
                        return nothing.map(|_| None);
                    }
                }
            }
            let Some(event) = &change.event else {
                let entry = to_json(&change.entry)?;
                let filled = self.log.fill(&[(&slot, &entry)], change.others).await?;
                if !filled.all() {
                    continue;
                }
                return Ok(Some(None));
            };
            let journal = self.journal().take().await?;
            slot.stand_beside(&journal);
            let texts = (to_json(&change.entry)?, to_json(event)?);
            let filled = self
                .log
                .fill(&[(&slot, &texts.0), (&journal, &texts.1)], change.others)
                .await?;
            if !filled.is_alive(&slot) {
                continue;
            }
            if !filled.is_alive(&journal) {
                self.journal()
                    .enter_again(&texts.1, journal.index())
                    .await?;
            }
            return Ok(Some(change.event));
        }
        Err(RegisterError::Busy)
    }

    /// The order as it stands before a place, once all entries there are settled. `settled` is the place
    /// up to which they are known to be.
    async fn settled_before(
        self,
        list: &OrderList,
        depth: Depth,
        settled: u64,
        place: u64,
    ) -> Result<StoredOrder, StoreError> {
        self.lists().settle(list, settled + 1, place).await?;
        let last = place - 1;
        let (listing, kept) = match depth {
            Depth::Latest => self.folds().up_to(list, last).await?,
            Depth::Whole => (self.folds().between(list, 1, last).await?, None),
        };
        let mut markers = self.folds().markers_of([&listing]).await?;
        // It is decided if a payment that is being recorded counts, before anything is judged by it.
        for entry in &listing.entries {
            if let OrderEntry::Payment(payment) = &entry.value
                && let Ok(name) = PaymentName::of(payment)
                && !markers.contains_key(&name)
            {
                let decision = Attempts::on(self.log).finish(&name, Patience::Wait).await?;
                markers.extend(decision.map(|decision| (name, decision)));
            }
        }
        self.folds()
            .fold_on(list, depth, kept, listing, &markers)
            .await
    }
}
