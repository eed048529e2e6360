//! Moving MPay's signed messages out of the store, into files that somebody keeps.
//!
//! The books do not need them: a repeated confirmation is compared with the marker, and answered with a
//! fresh signature. Only the message of a payment whose order is closed, and our answer to it, leave the
//! store. Everything else stays: the marker, the payment, its order, the journal and the days. So nothing
//! is booked twice, and every sum can be read.
//!
//! The mover names the SHA-256 of their copy, and a message leaves only if its bytes in the store have
//! this digest: no message leaves without a copy, byte for byte. The message's tombstone and the name of
//! the archive are written first, and then nothing in the message's place. These are the steps of an
//! erasure, by which every reader, also a host of an earlier version, knows that a message is gone.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    Journal, Orders, Payments, Platform, Span, StoreError, StoredPayment,
    erasures::{has_properties, open},
    messages::{
        Archived, Copied, Moving, Stays, Whereabouts, answer_key, message_in_store, whereabouts,
        whereabouts_keys,
    },
    record::{Values, over_the_log_and_the_secret, read},
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::Event,
};

over_the_log_and_the_secret! {
    /// The moving of signed messages out of the store.
    pub struct Archives
}

/// Payments that a call looks at, at most.
const AT_ONCE: usize = 256;
/// Messages that are moved by one batch: some hundred kilobytes are read for it.
const BATCH: usize = 32;

/// A payment whose signed message may be moved out of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movable {
    /// Its id.
    pub payment_id: String,
    /// Its place in the journal.
    pub index: u64,
    /// The time at which it was recorded.
    pub recorded_at: Timestamp,
    /// True if the message was moved before and a part of it is still in the store: the move broke off,
    /// or a write came late. To move it again needs no copy.
    pub is_left: bool,
}

/// A page of such payments, in the order of their recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MovablePage {
    /// The payments.
    pub payments: Vec<Movable>,
    /// The place to go on from; `None` at the end.
    pub next: Option<u64>,
    /// True if the cursor was beyond the end of the journal.
    pub is_beyond_end: bool,
}

impl<P: Platform> Archives<'_, P> {
    /// The payments after a place of the journal that were recorded before a time, whose order is closed,
    /// and whose signed message is in the store.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn movable(self, after: u64, before: Timestamp) -> Result<MovablePage, StoreError> {
        let span = Span {
            from: None,
            to: Some(before),
        };
        let is_payment = |event: &Event| matches!(event, Event::PaymentRecorded(_));
        let journal = Journal::on(self.log);
        let page = journal.read(after, AT_ONCE, span, is_payment).await?;
        let payments = self.payments().of(page.entries).await?;
        let why_open = self.why_open(&payments).await?;
        let closed = payments.iter().zip(why_open);
        let closed = closed.filter(|(_, why)| why.is_none());
        let signed = closed.filter_map(|(stored, _)| Some((stored, message_of(stored)?)));
        let signed: Vec<_> = signed.collect();
        let keys = signed.iter().flat_map(|(_, name)| whereabouts_keys(name));
        let values = read(self.log, &keys.collect::<Vec<_>>()).await?;
        let movable = signed.into_iter().filter_map(|(stored, name)| {
            let is_left = match whereabouts(name, &values) {
                Whereabouts::Here if is_being_erased(stored, name, &values) => return None,
                Whereabouts::Here => false,
                Whereabouts::Left => true,
                Whereabouts::Gone => return None,
            };
            Some(Movable {
                payment_id: stored.payment.payment_id.clone(),
                index: stored.index,
                recorded_at: stored.recorded_at,
                is_left,
            })
        });
        Ok(MovablePage {
            payments: movable.collect(),
            next: (!page.complete && page.next > after).then_some(page.next),
            is_beyond_end: page.is_beyond_end,
        })
    }

    /// Moves the messages of which these are copies out of the store, into the archive of this mark. A
    /// message that was moved before counts as moved.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; messages moved until then stay moved.
    pub async fn moved(
        self,
        mark: &Archived,
        copies: &[Copied],
    ) -> Result<Vec<Result<(), Stays>>, StoreError> {
        let mut all = Vec::with_capacity(copies.len());
        for copies in copies.chunks(BATCH) {
            let ids: Vec<_> = copies.iter().map(|copy| copy.payment_id.clone()).collect();
            let stored = self.payments().get_many(&ids).await?;
            let why_open = self.why_open(&stored).await?;
            let found = stored.iter().zip(why_open);
            let found = found.map(|(stored, why)| (stored.index, (stored, why)));
            let found: HashMap<_, _> = found.collect();
            let name_of = |copy: &Copied| {
                let (stored, why) = found.get(&copy.index).ok_or(Stays::NoPayment)?;
                if stored.payment.payment_id != copy.payment_id.as_str() {
                    return Err(Stays::NoPayment);
                }
                let name = message_of(stored).ok_or(Stays::NotSigned)?;
                match why {
                    Some(why) => Err(Stays::Open(why.clone())),
                    None => Ok(name),
                }
            };
            let mut keys = Vec::new();
            for copy in copies {
                if let Ok(name) = name_of(copy) {
                    keys.extend(whereabouts_keys(name));
                    keys.push(answer_key(&copy.payment_id, copy.index));
                }
            }
            let values = read(self.log, &keys).await?;
            let (mut moving, now) = (Moving::default(), self.log.now());
            for copy in copies {
                all.push(match name_of(copy) {
                    Ok(name) => {
                        let stored = found.get(&copy.index).map(|(stored, _)| *stored);
                        match stored.is_some_and(|stored| is_being_erased(stored, name, &values)) {
                            true => Err(Stays::BeingErased),
                            false => moving.add(name, copy, mark, &values, now)?,
                        }
                    }
                    Err(stays) => Err(stays),
                });
            }
            for writes in [moving.said, moving.done] {
                if !writes.is_empty() {
                    self.log.set_many(&writes).await?;
                }
            }
        }
        Ok(all)
    }

    fn payments(&self) -> Payments<'_, P> {
        Payments::on(self.log, self.secrets)
    }

    /// The reason, for each payment, for which its evidence is still needed: its order is not closed,
    /// cannot be read, or does not have the payment, so that people still have to look into it.
    async fn why_open(
        &self,
        payments: &[StoredPayment],
    ) -> Result<Vec<Option<String>>, StoreError> {
        let keys = payments.iter().map(|stored| {
            let confirmation = &stored.state.confirmation;
            (
                confirmation.service_id.clone(),
                confirmation.order_key.clone(),
            )
        });
        let keys: Vec<(ServiceId, OrderKey)> = keys.collect();
        let mut different = keys.clone();
        different.sort_unstable();
        different.dedup();
        let orders = Orders::on(self.log, self.secrets).get_many(&different);
        let now = self.log.now();
        let why = orders.await?.into_iter().map(|order| match order {
            Ok(Some(order)) => open(&order.state, now),
            Ok(None) => Some("its order is missing".to_owned()),
            Err(_) => Some("a record of its order is damaged".to_owned()),
        });
        let why: HashMap<_, _> = different.iter().zip(why).collect();
        let of_order = keys.iter().map(|key| why.get(key).cloned().flatten());
        let of_payment = payments.iter().map(|stored| {
            let is_open = !stored.state.review.is_empty();
            is_open.then(|| "a review of it is open".to_owned())
        });
        let both = of_order.zip(of_payment);
        Ok(both.map(|(order, payment)| order.or(payment)).collect())
    }
}

/// The name of MPay's signed message, if the payment has one.
fn message_of(stored: &StoredPayment) -> Option<&str> {
    stored.payment.signed_message()
}

/// True if a payment's message is still to be erased: its order is without personal data, and the erasure
/// has not come to the message yet. It never would once the message is moved.
fn is_being_erased(stored: &StoredPayment, name: &str, values: &Values) -> bool {
    stored.is_erased && message_in_store(name, values).is_some_and(has_properties)
}
