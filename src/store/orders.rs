//! Orders: lists of versions and payments.

use std::{borrow::Cow, convert::Infallible, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Platform, Store, StoreError,
    evidence::to_json,
    keys,
    list::{Listing, Slot},
};
use crate::{
    domain::{ChangeRefused, Order, OrderKey, OrderState, ServiceId},
    json::{
        ConfirmedJson, ErasureJson, Event, FieldError, OrderJson, PaymentJson, ReviewClosedJson,
        VoidJson,
    },
};

/// An entry of an order's list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderEntry {
    /// The order, or the order amended.
    Version(Box<OrderJson>),
    /// A payment for it.
    Payment(Box<PaymentJson>),
    /// MPay confirms a payment that was entered by hand.
    Confirmed(Box<PaymentJson>),
    /// A payment that was entered by hand counts no more.
    Voided(Box<VoidJson>),
    /// A review of a payment is closed.
    Closed(Box<ReviewClosedJson>),
    /// What stands before it is without personal data.
    Erased(Box<ErasureJson>),
    /// An index that was taken, but whose change was refused.
    Void,
}

/// An order as it is stored.
#[derive(Debug)]
pub struct StoredOrder {
    /// Its versions and payments.
    pub state: OrderState,
    /// The records of `state`'s payments, in the same order.
    pub payments: Vec<PaymentJson>,
    /// Changes with every version and payment: what `If-Match` compares.
    pub version: u64,
    /// Whether its latest version is without personal data because that was erased.
    pub is_erased: bool,
}

impl StoredOrder {
    /// Whether the payment of this id is one that was voided.
    fn is_voided(&self, payment: &PaymentJson) -> Result<bool, Vec<FieldError>> {
        let id = payment.to_confirmation()?.payment_id;
        let known = self.state.payment(&id);
        Ok(known.is_some_and(|known| known.voided.is_some()))
    }

    /// What is sent, as it is compared with what is there: personal data that was erased is no
    /// difference, so that whoever sends all orders again brings none of it back.
    pub(super) fn comparable<'a>(&self, sent: &'a Order) -> Cow<'a, Order> {
        if !self.is_erased {
            return Cow::Borrowed(sent);
        }
        let mut json = OrderJson::from(sent);
        json.erase_personal_data();
        json.to_order().map_or(Cow::Borrowed(sent), Cow::Owned)
    }
}

/// What must hold for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    None,
    /// The order is at this version (`If-Match`).
    Version(u64),
    /// There is no such order yet (`If-None-Match: *`).
    Absent,
}

/// What a registration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// A new order.
    Created,
    /// A new version of an order.
    Amended,
    /// Nothing: the order was like this already.
    Unchanged,
}

/// Why an order was not registered or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError<E = Infallible> {
    /// What the order was to become is none.
    #[error("it would not be an order")]
    Unfit(E),
    /// An order in its state is not changed like this.
    #[error(transparent)]
    Refused(#[from] ChangeRefused),
    /// Another order has a key that payers would confuse with this one.
    #[error("the order key {0} exists already and differs only in case or spaces")]
    KeyTaken(OrderKey),
    /// The precondition does not hold.
    #[error("the order has changed, or exists already")]
    PreconditionFailed,
    /// Somebody else is changing the same order.
    #[error("another call is changing this order; try again")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<P: Platform> Store<P> {
    /// The order of this service and key; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn order(
        &self,
        service: &ServiceId,
        key: &OrderKey,
    ) -> Result<Option<StoredOrder>, StoreError> {
        let orders = self.orders(&[(service.clone(), key.clone())]).await?;
        Ok(orders.into_iter().next().flatten())
    }

    /// Several orders, each as [`Self::order`] gives it, in few calls.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn orders(
        &self,
        keys: &[(ServiceId, OrderKey)],
    ) -> Result<Vec<Option<StoredOrder>>, StoreError> {
        let lists: Vec<_> = keys
            .iter()
            .map(|(service, key)| keys::order(service, key))
            .collect();
        let listings = self.read_lists(&lists).await?;
        let mut orders = Vec::with_capacity(lists.len());
        for ((list, listing), (_, key)) in lists.iter().zip(listings).zip(keys) {
            let stored = self.fold(list, listing)?;
            let exists = stored
                .state
                .order()
                .is_some_and(|order| order.order_key == *key);
            orders.push(exists.then_some(stored));
        }
        Ok(orders)
    }

    /// Changes an order, or makes it: `change` gives what it shall be, of what it is.
    ///
    /// The change is judged by what stands before its own place in the order's list: where
    /// somebody came in between, `change` is asked again.
    ///
    /// # Errors
    /// [`RegisterError`]; the order then is as it was.
    pub async fn change<E>(
        &self,
        service: &ServiceId,
        key: &OrderKey,
        precondition: Precondition,
        change: impl Fn(&OrderState) -> Result<Order, E>,
    ) -> Result<Registered, RegisterError<E>> {
        let appended = self
            .append(service, key, precondition, |stored, index| {
                self.judge(stored, index, &change)
            })
            .await?;
        Ok(match appended {
            None => Registered::Unchanged,
            Some(Event::OrderRegistered(_)) => Registered::Created,
            Some(_) => Registered::Amended,
        })
    }

    /// The entry at `index`, and the event, that make an order what it shall be; `None`
    /// if it is like that already.
    pub(super) fn judge<E>(
        &self,
        stored: &StoredOrder,
        index: u64,
        change: impl Fn(&OrderState) -> Result<Order, E>,
    ) -> Result<Option<(OrderEntry, Event)>, RegisterError<E>> {
        let state = &stored.state;
        let before = state.order();
        let after = change(state).map_err(RegisterError::Unfit)?;
        let compared = stored.comparable(&after);
        if before == Some(&*compared) {
            return Ok(None);
        }
        state.check_change(&compared, self.now())?;
        let event = Event::of_order(before, &after, index);
        Ok(Some((
            OrderEntry::Version(Box::new((&after).into())),
            event,
        )))
    }

    /// Appends to an order's list and to the journal, in one batch, what `judge` gives of the
    /// order and the index of the entry: nothing if there is nothing to do. Gives the event.
    pub(super) async fn append<E>(
        &self,
        service: &ServiceId,
        key: &OrderKey,
        precondition: Precondition,
        judge: impl Fn(&StoredOrder, u64) -> Result<Option<(OrderEntry, Event)>, RegisterError<E>>,
    ) -> Result<Option<Event>, RegisterError<E>> {
        let list = keys::order(service, key);
        let seen = self.fold(&list, self.read_all(&list).await?)?;
        let exists = seen.state.order().is_some();
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Version(version) => exists && version == seen.version,
            Precondition::Absent => !exists,
        };
        if let Some(known) = confused(&seen.state, key) {
            return Err(RegisterError::KeyTaken(known));
        }
        if !holds {
            return Err(RegisterError::PreconditionFailed);
        }
        let next = seen.version + 1;
        let Some(mut judged) = judge(&seen, next)? else {
            return Ok(None);
        };
        let slot = self.take(&list).await?;
        if slot.index != next {
            // Somebody else came in between.
            if precondition != Precondition::None {
                self.void(&slot).await?;
                return Err(RegisterError::PreconditionFailed);
            }
            let again = match self.settled_before(&list, &slot).await? {
                None => Err(RegisterError::Busy),
                Some(earlier) => match confused(&earlier.state, key) {
                    Some(known) => Err(RegisterError::KeyTaken(known)),
                    None => judge(&earlier, slot.index),
                },
            };
            match again {
                Ok(Some(again)) => judged = again,
                Ok(None) => {
                    self.void(&slot).await?;
                    return Ok(None);
                }
                Err(error) => {
                    self.void(&slot).await?;
                    return Err(error);
                }
            }
        }
        let (entry, event) = judged;
        let journal = self.take(keys::JOURNAL).await?;
        let texts = (to_json(&entry)?, to_json(&event)?);
        self.fill(&[(&slot, &texts.0), (&journal, &texts.1)], Vec::new())
            .await?;
        Ok(Some(event))
    }

    pub(super) async fn void(&self, slot: &Slot) -> Result<(), StoreError> {
        self.fill(&[(slot, &to_json(&OrderEntry::Void)?)], Vec::new())
            .await
    }

    /// What stands before `slot`, once no writer is at it any more; `None` if that takes long.
    async fn settled_before(
        &self,
        list: &str,
        slot: &Slot,
    ) -> Result<Option<StoredOrder>, StoreError> {
        for pause in [0, 50, 200, 800] {
            self.platform.sleep(Duration::from_millis(pause)).await;
            let mut listing = self.read_all::<OrderEntry>(list).await?;
            match listing.first_pending(self.now()) {
                Some(pending) if pending < slot.index => {}
                _ => {
                    listing.entries.retain(|entry| entry.index < slot.index);
                    return self.fold(list, listing).map(Some);
                }
            }
        }
        Ok(None)
    }

    pub(super) fn fold(
        &self,
        list: &str,
        listing: Listing<OrderEntry>,
    ) -> Result<StoredOrder, StoreError> {
        // A change that waits for what is not written yet must not pass for one that saw it.
        let version = match listing.first_pending(self.now()) {
            Some(pending) => pending - 1,
            None => listing.length,
        };
        let mut stored = StoredOrder {
            state: OrderState::default(),
            payments: Vec::new(),
            version,
            is_erased: false,
        };
        let erased_before = OrderEntry::erased_before(&listing.entries);
        for mut entry in listing.entries {
            if entry.index < erased_before {
                entry.value.erase_personal_data();
            }
            let corrupt = |errors: Vec<_>| StoreError::Corrupt {
                key: format!("{list}/{}", entry.index),
                reason: format!("{errors:?}"),
            };
            match entry.value {
                OrderEntry::Version(json) => {
                    stored.is_erased = false;
                    stored.state.amend(json.to_order().map_err(corrupt)?);
                }
                OrderEntry::Payment(json) => {
                    if stored.state.pay(json.to_confirmation().map_err(corrupt)?) {
                        stored.payments.push(*json);
                    }
                }
                // MPay's own payment, once that which was entered by hand is voided.
                OrderEntry::Confirmed(json) if stored.is_voided(&json).map_err(corrupt)? => {
                    stored.state.pay(json.to_confirmation().map_err(corrupt)?);
                    stored.payments.push(*json);
                }
                OrderEntry::Voided(voided) => {
                    let (payment_id, voided) = voided
                        .read(entry.at)
                        .map_err(|error| corrupt(vec![error]))?;
                    stored.state.void(&payment_id, voided);
                }
                OrderEntry::Confirmed(json) => {
                    let mut payments = stored.payments.iter_mut();
                    let known = payments.rfind(|known| known.payment_id == json.payment_id);
                    if let Some(manual) = known.and_then(|known| known.manual.as_mut()) {
                        manual.confirmed.get_or_insert(ConfirmedJson {
                            received_at: json.received_at,
                            signer: json.signer,
                            evidence: json.evidence,
                        });
                    }
                }
                OrderEntry::Closed(closed) => {
                    let (payment_id, closed) = closed
                        .read(entry.at)
                        .map_err(|error| corrupt(vec![error]))?;
                    stored.state.close(&payment_id, closed);
                }
                OrderEntry::Erased(_) => stored.is_erased = true,
                OrderEntry::Void => {}
            }
        }
        Ok(stored)
    }
}

/// The key of the order that is there, if payers would confuse it with `key`.
pub(super) fn confused(state: &OrderState, key: &OrderKey) -> Option<OrderKey> {
    let known = &state.order()?.order_key;
    (known != key).then(|| known.clone())
}
