//! The attempts to record a payment, and the marker that decides between them.
//!
//! Each call that records a payment makes an *attempt*: it takes a place in the payment's own list, one
//! in its order's and one in the journal, and writes all three entries, with the evidence, in one batch.
//! An attempt is valid if all three places are alive. The payment is the first valid attempt of its list,
//! once the fates of the attempts before it are decided. Every reader computes the same result, and it
//! never changes again: so any call may finish an attempt that another has begun. The marker, written
//! last, has the same value whoever writes it.
//!
//! The marker says that a payment is recorded. With it a repetition costs one read. The place that a
//! marker names always counts.

use std::collections::HashMap;

use jiff::Timestamp;
use mpay_log::{Listing, Slot, entry_key, parse_counter, read_entry, stored_entry};
use mutation::{Mutation, mutated};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Platform, StoreError,
    journal_list::{self, JournalEntry},
    keys,
    messages::Evidence,
    order_list::{OrderEntry, OrderList},
    record::{Key, Values, Write, are_alive, emptied, over_the_log, read, to_json},
    secret::Secrets,
};
use crate::{
    domain::{Confirmation, PaymentId, TextError},
    json::{Channel, Event, PaymentJson},
};

over_the_log! {
    /// The attempts to record payments, and their markers.
    pub(super) struct Attempts
}

/// The end of the recording of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The payment is recorded now.
    New,
    /// It was recorded before.
    Repeated {
        /// True if the members that do not decide are equal too, such as the time of payment.
        alike: bool,
    },
    /// It was entered by hand before, and MPay confirms it now: see [`ManualPayments::confirm`](crate::ManualPayments::confirm).
    Manual,
    /// Another payment has this id.
    Conflict,
}

/// The name of a payment among those of a PaymentID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PaymentName {
    /// The PaymentID.
    pub id: PaymentId,
    /// True if it is MPay's own, where the first was entered by hand and voided.
    pub after_void: bool,
}

impl PaymentName {
    /// The name of the payment of a record.
    ///
    /// # Errors
    /// [`TextError`] if the PaymentID is malformed.
    pub fn of(payment: &PaymentJson) -> Result<Self, TextError> {
        Ok(Self {
            id: PaymentId::parse(&payment.payment_id)?,
            after_void: payment.after_void,
        })
    }

    /// The name of the first payment of an id.
    pub fn first(id: &PaymentId) -> Self {
        Self {
            id: id.clone(),
            after_void: false,
        }
    }

    /// The name of MPay's own payment after the void of the first.
    pub fn after_void(id: &PaymentId) -> Self {
        Self {
            id: id.clone(),
            after_void: true,
        }
    }

    fn under(&self, prefix: &str) -> String {
        let suffix = if self.after_void {
            keys::AFTER_VOID
        } else {
            ""
        };
        format!("{prefix}/{}{suffix}", keys::encode(self.id.as_str()))
    }

    /// The list of the attempts to record it.
    fn list(&self) -> String {
        self.under(keys::PAYMENT)
    }

    fn done(&self) -> String {
        self.under(keys::DONE)
    }

    /// The key of its marker.
    pub fn marker(&self) -> Key {
        Key::new(self.done())
    }

    /// The key of the counter of its attempts.
    pub fn attempts(&self) -> Key {
        Key::new(self.list())
    }

    /// The number of its attempts, from values read under [`Self::attempts`].
    pub fn count(&self, stored: &Values) -> u64 {
        let count = stored.get(&self.attempts());
        count.and_then(|count| parse_counter(count)).unwrap_or(0)
    }

    /// Its marker, from values read under [`Self::marker`].
    pub fn read_marker(&self, stored: &Values) -> Result<Option<Marker>, StoreError> {
        let key = self.marker();
        let marker = stored.get(&key).map(|bytes| serde_json::from_slice(bytes));
        marker.transpose().map_err(|error| key.corrupt(error))
    }

    /// An attempt that is written again at its place.
    pub fn rewritten(
        &self,
        place: u64,
        at: Timestamp,
        attempt: &Attempt,
    ) -> Result<Write, StoreError> {
        let key = entry_key(&self.list(), place);
        Ok((key, stored_entry(at, &to_json(attempt)?)))
    }
}

/// An attempt to record a payment, with its other places.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Attempt {
    /// Its place in the order's list.
    pub order: u64,
    /// Its place in the journal.
    pub journal: u64,
    /// The payment.
    pub payment: Box<PaymentJson>,
}

/// The record that a payment is recorded: written last, with the same value by every writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    v: u32,
    /// Digest of the members that identify the payment.
    content: String,
    /// Name of the message that was recorded, among the evidence.
    evidence: String,
    /// Name of its entry in its order's list. A number would not do: another order's list may
    /// have an attempt at the same payment at a place of the same number.
    order: String,
    /// Its place in the journal.
    pub journal: u64,
    /// The channel by which it came.
    channel: Channel,
}

/// The decisions about payments, by their names: the marker of a recorded payment, `None` if no attempt
/// that was made is valid. A payment that is absent here is not decided yet.
pub(super) type Decisions = HashMap<PaymentName, Option<Marker>>;

/// The choice whether to wait for unfinished attempts, and to pass them by afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Do not wait; an undecided payment stays undecided.
    None,
    /// Wait.
    Wait,
}

impl<P: Platform> Attempts<'_, P> {
    /// Takes a place.
    pub async fn take(self, name: &PaymentName) -> Result<Slot, StoreError> {
        self.log.take(&name.list()).await
    }

    /// All attempts at a payment.
    pub async fn all(self, name: &PaymentName) -> Result<Listing<Attempt>, StoreError> {
        self.log.read_all(&name.list()).await
    }

    /// Empties attempts that came too late.
    pub async fn empty_late(
        self,
        name: &PaymentName,
        part: &Listing<Attempt>,
    ) -> Result<(), StoreError> {
        let late = emptied(&name.list(), part);
        if late.is_empty() {
            return Ok(());
        }
        self.log.set_many(&late).await
    }

    /// Decides which attempt records a payment, as far as it can be decided, and marks it. `None` while
    /// an attempt is unfinished and is not to be waited for.
    pub async fn finish(
        self,
        name: &PaymentName,
        patience: Patience,
    ) -> Result<Option<Option<Marker>>, StoreError> {
        match self.marker(name).await? {
            Some(marker) => Ok(Some(Some(marker))),
            None => self.finish_unmarked(name, patience).await,
        }
    }

    /// Decides as [`finish`](Self::finish) does, if there was no marker a moment ago.
    pub async fn finish_unmarked(
        self,
        name: &PaymentName,
        patience: Patience,
    ) -> Result<Option<Option<Marker>>, StoreError> {
        let list = name.list();
        let mut attempts = self.log.read_all::<Attempt>(&list).await?;
        if patience == Patience::Wait && !attempts.unsettled.is_empty() {
            let settled = attempts.settled();
            self.log
                .settle(&list, settled + 1, attempts.length + 1)
                .await?;
            // The attempt that was waited for has usually written the marker.
            if let Some(marker) = self.marker(name).await? {
                return Ok(Some(Some(marker)));
            }
            attempts = self.log.read_all(&list).await?;
        }
        if let Some(raw) = attempts.unreadable.first() {
            return Err(StoreError::Corrupt {
                key: entry_key(&list, raw.index),
                reason: "it is damaged; POST /api/repair mends what can be mended".to_owned(),
            });
        }
        let settled = attempts.settled();
        for attempt in attempts.entries {
            if attempt.index > settled {
                break;
            }
            let attempt = attempt.value;
            if self.is_valid(&attempt).await? {
                return Ok(Some(Some(self.mark(&attempt).await?)));
            }
        }
        Ok((settled >= attempts.length).then_some(None))
    }

    /// True if an attempt's places in its order's list and in the journal are alive.
    async fn is_valid(self, attempt: &Attempt) -> Result<bool, StoreError> {
        let places = [
            attempt.order_list()?.place(attempt.order),
            journal_list::place(attempt.journal),
        ];
        are_alive(self.log, &places).await
    }

    /// The decisions about payments. This finishes a payment that was left between its entries and its
    /// marker, and waits for nobody.
    pub async fn decided(self, names: &[PaymentName]) -> Result<Decisions, StoreError> {
        /// Markers read by one call.
        const AT_ONCE: usize = 256;
        let mut decided = Decisions::new();
        for names in names.chunks(AT_ONCE) {
            let keys: Vec<_> = names.iter().map(PaymentName::marker).collect();
            let markers = read(self.log, &keys).await?;
            for name in names {
                let decision = match name.read_marker(&markers)? {
                    Some(marker) => Some(Some(marker)),
                    None => self.finish_unmarked(name, Patience::None).await?,
                };
                decided.extend(decision.map(|decision| (name.clone(), decision)));
            }
        }
        Ok(decided)
    }

    /// Puts payments back among the valid entries of a part of the journal though their places are dead:
    /// a place that a marker names always counts. Such an entry was lost, a reader took its place for a
    /// hole, and a repair has written it again.
    pub async fn recover_in_journal(self, part: &mut Listing<Event>) -> Result<(), StoreError> {
        let payment = |event: &Event| match event {
            Event::PaymentRecorded(payment) => PaymentName::of(payment).ok(),
            _ => None,
        };
        let is_place = |marker: &Marker, place| marker.journal == place;
        self.recover(part, payment, is_place).await
    }

    /// Does the same for a part of an order's list.
    pub async fn recover_in_order(
        self,
        list: &OrderList,
        part: &mut Listing<OrderEntry>,
    ) -> Result<(), StoreError> {
        let payment = |entry: &OrderEntry| match entry {
            OrderEntry::Payment(payment) => PaymentName::of(payment).ok(),
            _ => None,
        };
        let is_place = |marker: &Marker, place| marker.order == list.entry(place).to_string();
        self.recover(part, payment, is_place).await
    }

    async fn recover<T: DeserializeOwned>(
        self,
        part: &mut Listing<T>,
        payment: impl Fn(&T) -> Option<PaymentName>,
        is_place: impl Fn(&Marker, u64) -> bool,
    ) -> Result<(), StoreError> {
        let late = part.late.iter();
        let late = late.filter_map(|raw| {
            let entry = read_entry::<T>(raw.index, &raw.bytes).ok()?;
            Some((payment(&entry.value)?, entry))
        });
        let payments: Vec<_> = late.collect();
        // With this fault, the cases that this forgives are to be found.
        if payments.is_empty() || mutated(Mutation::HoleWithoutHandshake) {
            return Ok(());
        }
        let keys: Vec<_> = payments.iter().map(|(name, _)| name.marker()).collect();
        let markers = read(self.log, &keys).await?;
        for (name, entry) in payments {
            let marker = name.read_marker(&markers)?;
            if marker.is_some_and(|marker| is_place(&marker, entry.index)) {
                part.late.retain(|raw| raw.index != entry.index);
                part.entries.push(entry);
            }
        }
        part.entries.sort_by_key(|entry| entry.index);
        Ok(())
    }

    /// Marks the payment that an attempt records.
    pub async fn mark(self, attempt: &Attempt) -> Result<Marker, StoreError> {
        let payment = &attempt.payment;
        let name = attempt.name()?;
        let confirmation = payment.to_confirmation();
        let confirmation =
            confirmation.map_err(|errors| name.marker().corrupt(format!("{errors:?}")))?;
        let marker = Marker {
            v: 1,
            content: confirmation.content().to_string(),
            evidence: payment.evidence.clone(),
            order: attempt.order_list()?.entry(attempt.order).to_string(),
            journal: attempt.journal,
            channel: payment.channel(),
        };
        let json = to_json(&marker)?.into_bytes();
        self.log.set_many(&[(name.done(), json)]).await?;
        Ok(marker)
    }

    /// The marker of a payment that is recorded.
    pub async fn marker(self, name: &PaymentName) -> Result<Option<Marker>, StoreError> {
        let values = read(self.log, &[name.marker()]).await?;
        name.read_marker(&values)
    }

    /// Reads the marker as [`marker`](Self::marker) does, and the secret if it is not known yet, since
    /// the caller is about to name a message.
    async fn marker_with(
        self,
        name: &PaymentName,
        secrets: Secrets<'_, P>,
    ) -> Result<Option<Marker>, StoreError> {
        let mut wanted = vec![name.marker()];
        wanted.extend(secrets.keys());
        let values = read(self.log, &wanted).await?;
        secrets.find(&values)?;
        name.read_marker(&values)
    }

    /// The markers of those of several payments that are recorded.
    pub async fn markers(
        self,
        names: impl Iterator<Item = PaymentName>,
    ) -> Result<Vec<(PaymentName, Marker)>, StoreError> {
        let names: Vec<_> = names.collect();
        let keys: Vec<_> = names.iter().map(PaymentName::marker).collect();
        let values = read(self.log, &keys).await?;
        let mut markers = Vec::new();
        for name in names {
            let marker = name.read_marker(&values)?;
            markers.extend(marker.map(|marker| (name, marker)));
        }
        Ok(markers)
    }

    /// The marker of the payment of this id; if there are two, of the one after the void.
    pub async fn latest(
        self,
        id: &PaymentId,
        secrets: Secrets<'_, P>,
    ) -> Result<Option<(PaymentName, Marker)>, StoreError> {
        let first = PaymentName::first(id);
        let Some(marker) = self.marker_with(&first, secrets).await? else {
            return Ok(None);
        };
        if marker.is_manual() {
            let second = PaymentName::after_void(id);
            if let Some(marker) = self.marker_with(&second, secrets).await? {
                return Ok(Some((second, marker)));
            }
        }
        Ok(Some((first, marker)))
    }
}

impl Attempt {
    /// The payment's name.
    fn name(&self) -> Result<PaymentName, StoreError> {
        PaymentName::of(&self.payment).map_err(|error| self.corrupt(error))
    }

    /// The list of its order.
    pub fn order_list(&self) -> Result<OrderList, StoreError> {
        OrderList::of_payment(&self.payment).map_err(|error| self.corrupt(error))
    }

    fn corrupt(&self, error: impl ToString) -> StoreError {
        journal_list::entry(self.journal).corrupt(error)
    }
}

impl Marker {
    /// The list of its order, and its place there.
    pub fn order(&self) -> Option<(OrderList, u64)> {
        OrderList::of_entry(&self.order)
    }

    /// True if it names this place of an order's list.
    pub fn names(&self, list: &OrderList, place: u64) -> bool {
        self.order == list.entry(place).to_string()
    }

    /// True if the payment was entered by hand.
    pub fn is_manual(&self) -> bool {
        self.channel == Channel::Manual
    }

    /// The entry of the journal that it names, of the payment whose marker it is.
    pub fn entry(
        &self,
        name: &PaymentName,
        values: &mut Values,
    ) -> Result<JournalEntry, StoreError> {
        let key = journal_list::entry(self.journal);
        let bytes = values.take(&key).ok_or_else(|| key.lost())?;
        let entry = read_entry::<Event>(self.journal, &bytes).map_err(|_| key.lost())?;
        match &entry.value {
            Event::PaymentRecorded(payment)
                if PaymentName::of(payment).is_ok_and(|found| found == *name) =>
            {
                Ok(entry.into())
            }
            _ => Err(key.lost()),
        }
    }

    /// The result of a confirmation of this payment that came by a channel. MPay does not know of a
    /// payment by card, and nobody enters one by hand.
    pub fn compare(
        &self,
        channel: Channel,
        confirmation: &Confirmation,
        evidence: &Evidence<'_>,
    ) -> Recorded {
        let alike = self.evidence == evidence.id();
        let is_card = |channel| channel == Channel::Card;
        if self.content != confirmation.content().to_string()
            || is_card(self.channel) != is_card(channel)
        {
            Recorded::Conflict
        } else if self.is_manual() && !alike {
            Recorded::Manual
        } else {
            Recorded::Repeated { alike }
        }
    }
}
