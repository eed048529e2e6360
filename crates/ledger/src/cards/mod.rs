//! Payments by card. Each begins with one entry in its order's list and one in its own list, before the
//! gateway is told of it, and goes on in its own list. Entries are only added to that list, and the
//! payment's state is a fold over them.
//!
//! Money that was taken from the card is recorded like any payment ([`Payments::record`]), under the same
//! id.
//!
//! [`Payments::record`]: crate::Payments::record

mod payment;
mod walk;

use std::collections::HashMap;

use mpay_log::{Entry, Listing, Slot, entry_key, stored_entry};
use mutation::{Mutation, mutated};

pub use self::{
    payment::{CardEntry, CardPayment, Command},
    walk::CardWalk,
};
use super::{
    Orders, Platform, Precondition, RegisterError, StoreError, StoredOrder, keys,
    messages::Evidence,
    order_list::{OrderEntry, OrderList},
    orders::Change,
    record::{Key, Write, are_alive, emptied, over_the_log_and_the_secret, read, to_json},
    stored_order::Begun,
};
use crate::{
    domain::{OrderKey, PaymentId, ServiceId},
    json::{AttemptJson, CardStartedJson, Event},
};

/// Most attempts to write one entry, each at a new place after the last one was passed by.
const TRIES: u32 = 5;
over_the_log_and_the_secret! {
    /// Payments by card that were begun.
    pub struct CardPayments
}

/// Name of the list of a payment by card.
fn list(id: &PaymentId) -> String {
    format!("{}/{}", keys::CARD, keys::encode(id.as_str()))
}

/// A payment by card to begin, before its place in the order's list is known.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// Digest of the name of the request that may be repeated.
    pub request: String,
    /// Digest of the request's content.
    pub content: String,
    /// The payment.
    pub attempt: AttemptJson,
}

/// The reason for which money that is held is not to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// The order does not ask for it, for this reason.
    Refused(String),
    /// Another payment by card of the order, of this id, is being taken; its outcome decides.
    Other(String),
}

impl<'a, P: Platform> CardPayments<'a, P> {
    /// Begins a payment by card: one batch writes an entry of the order's list, one of the payment's own
    /// list, and an event. `judge` is given the order as it stands before that place, and says which
    /// payment to begin, or why not. Gives `None` if `judge` has nothing to begin.
    ///
    /// Ask the gateway for nothing before this has given the payment.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing is begun then.
    pub async fn begin<E>(
        self,
        id: &PaymentId,
        service: &ServiceId,
        key: &OrderKey,
        judge: impl Fn(&StoredOrder) -> Result<Option<Beginning>, E>,
    ) -> Result<Option<CardPayment>, RegisterError<E>> {
        let slot = self.log.take(&list(id)).await?;
        let appended = Orders::on(self.log, self.secrets)
            .append(service, key, Precondition::None, |stored, place| {
                let beginning = judge(stored).map_err(RegisterError::Unfit)?;
                let Some(mut beginning) = beginning else {
                    return Ok(None);
                };
                // Two calls of one request come to the same id.
                let id = id.as_str();
                if stored
                    .begun
                    .iter()
                    .any(|begun| begun.started.payment_id == id)
                {
                    return Err(RegisterError::Busy);
                }
                let started = &mut beginning.attempt.started;
                id.clone_into(&mut started.payment_id);
                started.version = Some(place);
                let started = started.clone();
                let entry = CardEntry::Started(Box::new(beginning.attempt));
                Ok(Some(Change {
                    entry: OrderEntry::CardStarted {
                        request: beginning.request,
                        content: beginning.content,
                        started: Box::new(started.clone()),
                        is_erased: false,
                    },
                    event: Some(Event::CardStarted(Box::new(started))),
                    others: vec![self.written(&slot, &entry)?],
                }))
            })
            .await;
        match appended {
            Ok(Some(_)) => {
                let begun = self.get(id).await?;
                let lost = || Key::new(entry_key(&list(id), slot.index())).lost();
                Ok(Some(begun.ok_or_else(lost)?))
            }
            // The batch may have been written, or be written late: then the payment is begun, and the
            // walk finds it.
            Err(RegisterError::Store(error)) => Err(error.into()),
            nothing => {
                let void = to_json(&CardEntry::Void)?;
                let _ = self.log.fill(&[(&slot, &void)], Vec::new()).await?;
                nothing.map(|_| None)
            }
        }
    }

    /// Decides that money which is held is to be taken: an entry of the order's list, judged by the
    /// entries before it. `judge` is given the order as it stands there, and says why the money is not to
    /// be taken. One payment of an order is taken at a time, until it is recorded or [left](Self::leave):
    /// so of two that are held at once, the second is judged after the first.
    ///
    /// Take nothing at the gateway before this has allowed it. `charges` is the number of charges of the
    /// payment that are recorded: the decision is about the next one, and asking again for the same
    /// number gives the same decision.
    ///
    /// # Errors
    /// [`RegisterError`]; then it is not decided that the money is to be taken, or [`NotTaken`] says why
    /// it is not.
    pub async fn take(
        self,
        id: &PaymentId,
        service: &ServiceId,
        key: &OrderKey,
        charges: usize,
        judge: impl Fn(&StoredOrder) -> Result<(), String>,
    ) -> Result<(), RegisterError<NotTaken>> {
        let id = id.as_str();
        let unfit = |why| RegisterError::Unfit(why);
        Orders::on(self.log, self.secrets)
            .append(service, key, Precondition::None, |stored, _| {
                judge(stored).map_err(|why| unfit(NotTaken::Refused(why)))?;
                let is_it = |begun: &&Begun| begun.started.payment_id == id;
                let own = stored.begun.iter().find(is_it);
                let Some(own) = own else {
                    let why = "It was begun too long ago to be taken here.";
                    return Err(unfit(NotTaken::Refused(why.to_owned())));
                };
                if own.is_taking && charges <= own.taking_after {
                    return Ok(None);
                }
                let mut others = stored.begun.iter().filter(|begun| !is_it(begun));
                if let Some(other) = others.find(|begun| begun.is_taking)
                    && !mutated(Mutation::HoldsTakenAtOnce)
                {
                    let other = other.started.payment_id.clone();
                    return Err(unfit(NotTaken::Other(other)));
                }
                Ok(Some(Change {
                    entry: OrderEntry::CardTaking {
                        payment_id: id.to_owned(),
                        charges,
                    },
                    event: None,
                    others: Vec::new(),
                }))
            })
            .await?;
        Ok(())
    }

    /// Notes that money which was about to be taken cannot be taken any more, so that other payments can
    /// be. Only the gateway knows that.
    ///
    /// # Errors
    /// [`RegisterError`]; repeating the call then does it.
    pub async fn leave(
        self,
        id: &PaymentId,
        service: &ServiceId,
        key: &OrderKey,
    ) -> Result<(), RegisterError> {
        let id = id.as_str();
        Orders::on(self.log, self.secrets)
            .append(service, key, Precondition::None, |stored, _| {
                let mut begun = stored.begun.iter();
                let is_taking =
                    begun.any(|begun| begun.started.payment_id == id && begun.is_taking);
                Ok(is_taking.then(|| Change {
                    entry: OrderEntry::CardLeft {
                        payment_id: id.to_owned(),
                    },
                    event: None,
                    others: Vec::new(),
                }))
            })
            .await?;
        Ok(())
    }

    fn written(self, slot: &Slot, entry: &CardEntry) -> Result<Write, StoreError> {
        let key = slot.key();
        Ok((key, stored_entry(self.log.now(), &to_json(entry)?)))
    }

    /// The payment by card of this id; `None` if none was begun.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or a record of it is damaged.
    pub async fn get(self, id: &PaymentId) -> Result<Option<CardPayment>, StoreError> {
        Ok(self.get_many(std::slice::from_ref(id)).await?.remove(id))
    }

    /// The payments by card among these ids that were begun.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_many(
        self,
        ids: &[PaymentId],
    ) -> Result<HashMap<PaymentId, CardPayment>, StoreError> {
        let lists: Vec<_> = ids.iter().map(list).collect();
        let listings = self.log.read_lists(&lists, u64::MAX).await?;
        let mut found = HashMap::new();
        for (id, listing) in ids.iter().zip(listings) {
            found.extend(
                self.fold(id, listing)
                    .await?
                    .map(|payment| (id.clone(), payment)),
            );
        }
        Ok(found)
    }

    async fn fold(
        self,
        id: &PaymentId,
        listing: Listing<CardEntry>,
    ) -> Result<Option<CardPayment>, StoreError> {
        if let Some(raw) = listing.unreadable.first() {
            return Err(Key::new(entry_key(&list(id), raw.index)).corrupt("it is damaged"));
        }
        let mut entries = listing.entries;
        let is_start = |entry: &Entry<CardEntry>| matches!(entry.value, CardEntry::Started(_));
        if entries.iter().filter(|entry| is_start(entry)).count() > 1 {
            // One of two calls of the same request has written at a dead place of the order's list.
            let mut alive = Vec::with_capacity(entries.len());
            for entry in entries {
                if let CardEntry::Started(attempt) = &entry.value
                    && !self.counts(&attempt.started).await?
                {
                    continue;
                }
                alive.push(entry);
            }
            entries = alive;
        }
        Ok(CardPayment::of(entries, listing.length))
    }

    /// True if a beginning's place in its order's list is alive.
    async fn counts(self, started: &CardStartedJson) -> Result<bool, StoreError> {
        let service = ServiceId::parse(&started.service_id);
        let key = OrderKey::parse(&started.order_key);
        let (Ok(service), Ok(key), Some(version)) = (service, key, started.version) else {
            return Ok(false);
        };
        let place = OrderList::of(&service, &key).place(version);
        are_alive(self.log, &[place]).await
    }

    /// Adds the entry that `judge` gives for the payment as it stands, with the evidence that proves it.
    /// Gives the payment with the entry, and the entry's place; `None` for the place if nothing was
    /// added, and `None` if no such payment was begun.
    ///
    /// # Errors
    /// [`StoreError`]; repeating the call then does it.
    pub async fn append(
        self,
        id: &PaymentId,
        evidence: Option<&Evidence<'_>>,
        judge: impl Fn(&CardPayment) -> Option<CardEntry>,
    ) -> Result<Option<(CardPayment, Option<u64>)>, StoreError> {
        let list = &list(id);
        let kept = match evidence {
            Some(evidence) => read(self.log, &evidence.keys()).await?,
            None => read(self.log, &[]).await?,
        };
        for _ in 0..TRIES {
            let seen = self.log.read_all::<CardEntry>(list).await?;
            let settled = seen.settled();
            let Some(payment) = self.fold(id, seen).await? else {
                return Ok(None);
            };
            let Some(mut entry) = judge(&payment) else {
                return Ok(Some((payment, None)));
            };
            let slot = self.log.take(list).await?;
            if slot.index() != settled + 1 {
                // Another call has added an entry in between, or is still adding one: all of that is
                // judged too.
                self.log.settle(list, settled + 1, slot.index()).await?;
                let mut seen = self.log.read_all(list).await?;
                seen.truncate(slot.index() - 1);
                let payment = self.fold(id, seen).await?;
                match payment.as_ref().and_then(&judge) {
                    Some(judged) => entry = judged,
                    None => {
                        let void = to_json(&CardEntry::Void)?;
                        let _ = self.log.fill(&[(&slot, &void)], Vec::new()).await?;
                        return Ok(payment.map(|payment| (payment, None)));
                    }
                }
            }
            if payment.is_erased {
                entry.erase_personal_data();
            }
            let others = evidence.map(|evidence| evidence.missing(&kept));
            let others = others.unwrap_or_default();
            let text = to_json(&entry)?;
            if !self.log.fill(&[(&slot, &text)], others).await?.all() {
                continue;
            }
            if matches!(entry, CardEntry::Command(_)) {
                // The command is listed before it is sent; a host that dies in between has not sent it.
                self.note_command(id).await?;
            }
            let after = self.get(id).await?;
            return Ok(after.map(|payment| (payment, Some(slot.index()))));
        }
        Err(StoreError::Contested(list.clone()))
    }

    /// Enters a payment into the list of payments with commands.
    async fn note_command(self, id: &PaymentId) -> Result<(), StoreError> {
        let entry = to_json(&id.as_str())?;
        for _ in 0..TRIES {
            let slot = self.log.take(keys::COMMANDED).await?;
            let filled = self.log.fill(&[(&slot, &entry)], Vec::new()).await?;
            if filled.all() {
                return Ok(());
            }
        }
        Err(StoreError::Contested(keys::COMMANDED.to_owned()))
    }

    /// The entries of a payment by card to write again without personal data, and the names of the
    /// messages that hold such data.
    pub(super) async fn erased(
        self,
        id: &PaymentId,
    ) -> Result<(Vec<Write>, Vec<String>), StoreError> {
        let list = &list(id);
        let seen = self.log.read_all::<CardEntry>(list).await?;
        let (mut rest, mut messages) = (emptied(list, &seen), Vec::new());
        let is_said = seen
            .entries
            .iter()
            .any(|entry| entry.value == CardEntry::Erased);
        for mut entry in seen.entries {
            let evidence = match &entry.value {
                CardEntry::Seen(seen) => Some(seen.evidence.clone()),
                _ => None,
            };
            messages.extend(evidence);
            if entry.value.erase_personal_data() {
                let key = entry_key(list, entry.index);
                rest.push((key, stored_entry(entry.at, &to_json(&entry.value)?)));
            }
        }
        if !is_said {
            let erased = |payment: &CardPayment| (!payment.is_erased).then_some(CardEntry::Erased);
            self.append(id, None, erased).await?;
        }
        Ok((rest, messages))
    }
}
