//! Orders: lists of versions and payments.

use std::{borrow::Cow, convert::Infallible};

use mpay_log::{Entry, Listing, Slot, entry_key};
use mutation::{Mutation, mutated};
use serde::{Deserialize, Serialize};

use super::{
    Platform, RawEntry, Store, StoreError,
    evidence::to_json,
    folds::{Kept, LONG, SEGMENT},
    keys::{self, PaymentName},
    payments::{Decisions, Patience},
};
use crate::{
    domain::{ChangeRefused, Order, OrderKey, OrderState, RecordedPayment, Review, ServiceId},
    json::{
        ConfirmedJson, ErasureJson, Event, OrderJson, PaymentJson, ReviewClosedJson, VoidedJson,
    },
};

/// How often a change is begun anew because its place was passed by.
const TRIES: u32 = 5;

/// An entry of an order's list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderEntry {
    /// The order, or the order amended.
    Version(Box<OrderJson>),
    /// The order, as a request made it that may be repeated.
    Created {
        /// Digest of the request's name.
        request: String,
        /// The order.
        order: Box<OrderJson>,
    },
    /// A payment for it. It counts only if the payment's marker names this place.
    Payment(Box<PaymentJson>),
    /// MPay confirms a payment that was entered by hand.
    Confirmed(Box<PaymentJson>),
    /// A payment that was entered by hand counts no more.
    Voided(Box<VoidedJson>),
    /// A review of a payment is closed.
    Closed(Box<ReviewClosedJson>),
    /// What stands before it is without personal data.
    Erased(Box<ErasureJson>),
    /// A place that was taken, but whose change was refused.
    Void,
}

impl OrderEntry {
    /// Whether an entry that cannot be read is of a kind that this program does not know: a later
    /// version has written it, and it stops nobody. Everything else is damage.
    fn is_unknown(raw: &RawEntry) -> bool {
        const KNOWN: [&str; 8] = [
            "version",
            "created",
            "payment",
            "confirmed",
            "voided",
            "closed",
            "erased",
            "void",
        ];
        #[derive(Deserialize)]
        struct Stored {
            entry: serde_json::Value,
        }
        if raw.is_unknown {
            return true;
        }
        let Ok(stored) = serde_json::from_slice::<Stored>(&raw.bytes) else {
            return false;
        };
        match &stored.entry {
            serde_json::Value::String(kind) => !KNOWN.contains(&kind.as_str()),
            serde_json::Value::Object(members) => {
                members.len() == 1 && !members.keys().any(|kind| KNOWN.contains(&kind.as_str()))
            }
            _ => false,
        }
    }
}

/// An order as it is stored.
#[derive(Debug, Default)]
pub struct StoredOrder {
    /// Its versions and payments.
    pub state: OrderState,
    /// The records of `state`'s payments, in the same order. Of a long order these are the latest.
    pub payments: Vec<PaymentJson>,
    /// Changes with every version and payment: what `If-Match` compares.
    pub version: u64,
    /// Whether its latest version is without personal data because that was erased.
    pub is_erased: bool,
    /// Entries that a later version of this program has written.
    pub unreadable: usize,
    /// Digest of the name of the request that made it.
    pub(super) request: Option<String>,
    /// The reviews that were closed of payments that are not here any more.
    pub(super) closings: Vec<(String, Review)>,
    /// The place of its latest version.
    pub(super) latest: u64,
    /// The place before which its entries are without personal data.
    pub(super) erased_before: u64,
    /// The highest place of its list, and the places that are settled.
    pub(super) length: u64,
    pub(super) settled: u64,
}

impl StoredOrder {
    /// A payment of this name, if it is among those that are here.
    pub(super) fn payment(&self, name: &PaymentName) -> Option<(PaymentJson, RecordedPayment)> {
        let mut payments = self.payments.iter().zip(self.state.payments());
        let (record, state) = payments.find(|(record, state)| {
            state.confirmation.payment_id == name.id && record.after_void == name.after_void
        })?;
        Some((record.clone(), state.clone()))
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

impl Precondition {
    fn holds(self, order: &StoredOrder) -> bool {
        let exists = order.state.order().is_some();
        match self {
            Self::None => true,
            Self::Version(version) => exists && version == order.version,
            Self::Absent => !exists,
        }
    }
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

/// How much of a long order is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its latest payments; of those before only what they add up to.
    Latest,
    /// All of its payments. It is seldom worth its price.
    Whole,
}

/// An entry and an event, and what else is written with them.
pub(super) struct Change {
    pub entry: OrderEntry,
    pub event: Event,
    pub others: Vec<(String, Vec<u8>)>,
}

impl<P: Platform> Store<P> {
    /// The order of this service and key; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or a record of this order is damaged.
    pub async fn order(
        &self,
        service: &ServiceId,
        key: &OrderKey,
    ) -> Result<Option<StoredOrder>, StoreError> {
        let orders = self.orders(&[(service.clone(), key.clone())]).await?;
        orders.into_iter().next().unwrap_or(Ok(None))
    }

    /// Several orders, each as [`Self::order`] gives it, in few calls. One that is damaged is an
    /// error of its own.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn orders(
        &self,
        keys: &[(ServiceId, OrderKey)],
    ) -> Result<Vec<Result<Option<StoredOrder>, StoreError>>, StoreError> {
        let lists: Vec<_> = keys
            .iter()
            .map(|(service, key)| keys::order(service, key))
            .collect();
        let folded = self.read_orders(&lists).await?;
        Ok(folded
            .into_iter()
            .zip(keys)
            .map(|(stored, (_, key))| {
                let stored = stored?;
                let order = stored.state.order();
                let exists = order.is_some_and(|order| order.order_key == *key);
                Ok(exists.then_some(stored))
            })
            .collect())
    }

    pub(super) async fn read_order(&self, list: &str) -> Result<StoredOrder, StoreError> {
        let mut orders = self.read_orders(&[list.to_owned()]).await?;
        orders.pop().unwrap_or_else(|| {
            Err(StoreError::Corrupt {
                key: list.to_owned(),
                reason: "not read".to_owned(),
            })
        })
    }

    /// The markers of the payments in lists. A payment that was left between its entries and its
    /// marker is finished by this.
    pub(super) async fn markers_of<'a>(
        &self,
        listings: impl IntoIterator<Item = &'a Listing<OrderEntry>>,
    ) -> Result<Decisions, StoreError> {
        let entries = listings.into_iter().flat_map(|listing| &listing.entries);
        let names = entries.filter_map(|entry| match &entry.value {
            OrderEntry::Payment(payment) => PaymentName::of(payment).ok(),
            _ => None,
        });
        self.decided(&names.collect::<Vec<_>>()).await
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
    ) -> Result<Option<Change>, RegisterError<E>> {
        let state = &stored.state;
        let before = state.order();
        let after = change(state).map_err(RegisterError::Unfit)?;
        let compared = stored.comparable(&after);
        if before == Some(&*compared) {
            return Ok(None);
        }
        state.check_change(&compared, self.now())?;
        Ok(Some(Change {
            event: Event::of_order(before, &after, index),
            entry: OrderEntry::Version(Box::new((&after).into())),
            others: Vec::new(),
        }))
    }

    /// Appends to an order's list and to the journal, in one batch, what `judge` gives of the
    /// order and the place of the entry: nothing if there is nothing to do. Gives the event.
    ///
    /// The event counts if the entry does (see `journal.rs`); so if the entry's place was passed by
    /// as dead, all of it is begun anew, and if only the event's was, the event is entered again.
    pub(super) async fn append<E>(
        &self,
        service: &ServiceId,
        key: &OrderKey,
        precondition: Precondition,
        judge: impl Fn(&StoredOrder, u64) -> Result<Option<Change>, RegisterError<E>>,
    ) -> Result<Option<Event>, RegisterError<E>> {
        self.append_seeing(Depth::Latest, service, key, precondition, judge)
            .await
    }

    /// The same, where `judge` needs so much of the order.
    pub(super) async fn append_seeing<E>(
        &self,
        depth: Depth,
        service: &ServiceId,
        key: &OrderKey,
        precondition: Precondition,
        judge: impl Fn(&StoredOrder, u64) -> Result<Option<Change>, RegisterError<E>>,
    ) -> Result<Option<Event>, RegisterError<E>> {
        let list = keys::order(service, key);
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
                Depth::Latest => self.read_order(&list).await?,
                Depth::Whole => self.read_whole(&list).await?,
            };
            let next = seen.length + 1;
            if seen.settled < seen.length && !mutated(Mutation::AmendmentOnOldState) {
                // Whatever is still coming stands before what is seen: also that nothing is to be
                // done, or may not be done, is judged with it.
                seen = self
                    .settled_before(&list, depth, seen.settled, next)
                    .await?;
            }
            let Some(mut change) = judge(&seen, next)? else {
                return Ok(None);
            };
            let slot = self.log.take(&list).await?;
            if slot.index() != next && !mutated(Mutation::AmendmentOnOldState) {
                // Somebody else came in between.
                let judged = match self
                    .settled_before(&list, depth, next - 1, slot.index())
                    .await
                {
                    Ok(earlier) => judge(&earlier, slot.index()),
                    Err(error) => Err(error.into()),
                };
                match judged {
                    Ok(Some(judged)) => change = judged,
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
            let journal = self.log.take(keys::JOURNAL).await?;
            let texts = (to_json(&change.entry)?, to_json(&change.event)?);
            let filled = self
                .log
                .fill(&[(&slot, &texts.0), (&journal, &texts.1)], change.others)
                .await?;
            if !filled.is_alive(&slot) {
                continue;
            }
            if !filled.is_alive(&journal) {
                self.enter_again(&texts.1, journal.index()).await?;
            }
            return Ok(Some(change.event));
        }
        Err(RegisterError::Busy)
    }

    /// Gives up a place, so that nobody waits for it.
    pub(super) async fn void(&self, slot: &Slot) -> Result<(), StoreError> {
        let void = to_json(&OrderEntry::Void)?;
        let _ = self.log.fill(&[(slot, &void)], Vec::new()).await?;
        Ok(())
    }

    /// The order as it stands before a place, once everything there is settled. `settled` is up to
    /// where it is known to be.
    async fn settled_before(
        &self,
        list: &str,
        depth: Depth,
        settled: u64,
        place: u64,
    ) -> Result<StoredOrder, StoreError> {
        self.log.settle(list, settled + 1, place).await?;
        let last = place - 1;
        let (listing, kept) = match depth {
            Depth::Latest => self.read_order_up_to(list, last).await?,
            Depth::Whole => (self.read_between(list, 1, last).await?, None),
        };
        let mut markers = self.markers_of([&listing]).await?;
        // A payment that is being recorded counts, or not, before anything is judged by it.
        for entry in &listing.entries {
            if let OrderEntry::Payment(payment) = &entry.value
                && let Ok(name) = PaymentName::of(payment)
                && !markers.contains_key(&name)
            {
                let decision = self.finish(&name, Patience::Wait).await?;
                markers.extend(decision.map(|decision| (name, decision)));
            }
        }
        self.fold_on(list, depth, kept, listing, &markers).await
    }
}

/// Folds a list, or the part of it that follows `base`, of which the places are known before which
/// personal data is erased. A payment counts only at the place that its marker names. Gives also what
/// is to be kept.
pub(super) fn fold(
    list: &str,
    depth: Depth,
    base: Option<(StoredOrder, u64)>,
    listing: Listing<OrderEntry>,
    markers: &Decisions,
) -> Result<(StoredOrder, Vec<Kept>), StoreError> {
    let corrupt = |index: u64, reason: String| StoreError::Corrupt {
        key: entry_key(list, index),
        reason,
    };
    let mut unreadable = 0;
    for raw in &listing.unreadable {
        if !OrderEntry::is_unknown(raw) {
            let reason = "it is damaged; POST /api/repair mends what can be mended".to_owned();
            return Err(corrupt(raw.index, reason));
        }
        unreadable += 1;
    }
    let (mut stored, erased_before) = base.unwrap_or_default();
    let erased_before = erased_before.max(OrderEntry::erased_before(&listing.entries));
    let last = listing.next - 1;
    stored.erased_before = erased_before;
    stored.unreadable = unreadable;
    stored.length = listing.length;
    stored.settled = listing.settled();
    // Of a long order the payments of the last segments are enough.
    let cut = match depth == Depth::Latest && last > LONG {
        true => (last - SEGMENT) / SEGMENT * SEGMENT,
        false => 0,
    };
    let mut keep = Vec::new();
    let mut entries = listing.entries.into_iter().peekable();
    for end in (1..=last.div_ceil(SEGMENT)).map(|segment| segment * SEGMENT) {
        let mut is_new = false;
        while let Some(mut entry) = entries.next_if(|entry| entry.index <= end) {
            is_new = true;
            if entry.index < erased_before {
                entry.value.erase_personal_data();
            }
            let place = entry.index;
            let counts = add(&mut stored, list, entry, markers);
            // A change that waits for what is not written yet must not pass for one that saw it.
            if counts.map_err(|reason| corrupt(place, reason))? && place <= stored.settled {
                stored.version = place;
            }
        }
        if is_new && end <= cut && (end <= stored.settled || mutated(Mutation::FoldOfWrongPrefix)) {
            keep.push(Kept::of(&stored, end, erased_before));
        }
        if end == cut {
            stored.state = OrderState::from(stored.state.summary().clone());
            stored.payments.clear();
        }
    }
    Ok((stored, keep))
}

/// Adds an entry to what stands before it; `false` if it counts for nothing.
fn add(
    stored: &mut StoredOrder,
    list: &str,
    entry: Entry<OrderEntry>,
    markers: &Decisions,
) -> Result<bool, String> {
    let many = |errors: Vec<crate::json::FieldError>| format!("{errors:?}");
    match entry.value {
        OrderEntry::Version(json) => {
            stored.is_erased = false;
            stored.latest = entry.index;
            stored.state.amend(json.to_order().map_err(many)?);
        }
        OrderEntry::Created { request, order } => {
            stored.is_erased = false;
            stored.latest = entry.index;
            stored.state.amend(order.to_order().map_err(many)?);
            stored.request = Some(request);
        }
        OrderEntry::Payment(json) => match PaymentName::of(&json)
            .ok()
            .and_then(|name| markers.get(&name))
        {
            Some(Some(marker)) if marker.order == entry_key(list, entry.index) => {
                let (confirmation, receipt) = json.to_received().map_err(many)?;
                if stored.state.pay(confirmation, &receipt) {
                    stored.payments.push(*json);
                }
            }
            Some(_) => return Ok(false),
            // It is being recorded: whatever comes of it, this place is not settled yet.
            None => {
                stored.settled = stored.settled.min(entry.index - 1);
                return Ok(false);
            }
        },
        OrderEntry::Confirmed(json) => {
            let mut payments = stored.payments.iter_mut();
            let known = payments.find(|known| known.payment_id == json.payment_id);
            if let Some(manual) = known.and_then(|known| known.manual.as_mut()) {
                manual.confirmed.get_or_insert(ConfirmedJson {
                    received_at: json.received_at,
                    signer: json.signer,
                    evidence: json.evidence,
                });
            }
        }
        OrderEntry::Voided(voided) => {
            let (voided, effect) = voided.read(entry.at).map_err(many)?;
            stored.state.void(&effect.payment_id, voided, &effect);
        }
        OrderEntry::Closed(closed) => {
            let (payment_id, closed) = closed.read(entry.at).map_err(|error| many(vec![error]))?;
            if stored.state.payment(&payment_id).is_none() {
                stored
                    .closings
                    .push((payment_id.to_string(), closed.review));
            }
            stored.state.close(&payment_id, closed);
        }
        OrderEntry::Erased(_) => stored.is_erased = true,
        OrderEntry::Void => return Ok(false),
    }
    Ok(true)
}

/// The key of the order that is there, if payers would confuse it with `key`.
pub(super) fn confused(state: &OrderState, key: &OrderKey) -> Option<OrderKey> {
    let known = &state.order()?.order_key;
    (known != key).then(|| known.clone())
}
