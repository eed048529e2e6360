//! Payments: recorded once, however often and from wherever MPay confirms them. The module `attempts`
//! decides which recording counts.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use mutation::{Mutation, mutated};

use super::{
    Orders, Platform, Settlements, StoreError, StoredOrder,
    attempts::{Attempt, Attempts, Marker, Patience, PaymentName, Recorded},
    folds::Folds,
    journal_list::{self, JournalEntry, JournalList},
    messages::{
        Evidence, Proof, answer_key, answered, certificate_key, lost, message, message_keys,
    },
    order_list::{OrderEntry, OrderList, OrderLists},
    record::{EMPTY, Key, over_the_log_and_the_secret, read, to_json},
};
use crate::{
    domain::{Confirmation, PaymentAccount, PaymentId, RecordedPayment},
    json::{Channel, Event, PaymentJson},
};

over_the_log_and_the_secret! {
    /// Payments that are recorded.
    pub struct Payments
}

/// Most attempts of one call, each made after a place of the last one was passed by.
const TRIES: u32 = 5;

/// A payment as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPayment {
    /// Its place in the journal.
    pub index: u64,
    /// The time at which it was entered there.
    pub recorded_at: Timestamp,
    /// Its record.
    pub payment: PaymentJson,
    /// The payment's state, as one of its order's payments.
    pub state: RecordedPayment,
    /// The accounts of its lines, as the order names them.
    pub accounts: Vec<Option<PaymentAccount>>,
    /// The statement that shows it: a place in the journal.
    pub settled: Option<u64>,
    /// True if personal data was erased from its order since; then it is erased from the payment too, or
    /// about to be.
    pub is_erased: bool,
    /// The place of its order's list up to which everything is in `state`.
    pub(super) until: u64,
}

/// The records that a confirmation by MPay meets.
#[derive(Debug)]
pub struct Known {
    /// True if the confirmation is, or would be, a payment of its own beside one that was entered by hand
    /// and voided: [`PaymentJson::after_void`].
    pub after_void: bool,
    marker: Option<Marker>,
}

impl Known {
    /// True if there is a payment that counts.
    pub fn is_recorded(&self) -> bool {
        self.marker.is_some()
    }

    /// The end of a confirmation by MPay that needs no recording any more.
    pub fn compare(
        &self,
        confirmation: &Confirmation,
        evidence: &Evidence<'_>,
    ) -> Option<Recorded> {
        let marker = self.marker.as_ref()?;
        Some(marker.compare(Channel::MPay, confirmation, evidence))
    }
}

impl<'a, P: Platform> Payments<'a, P> {
    fn attempts(self) -> Attempts<'a, P> {
        Attempts::on(self.log)
    }

    /// Records a payment: unless this gives [`Recorded::Conflict`] it is there for good, and once.
    ///
    /// If other calls are recording the payment, this waits a moment for them, finishes the entries that
    /// they have written, and makes an attempt of its own only if theirs failed. `order` is the order
    /// that is paid, as it was read: a payer who is told that it is paid learns that it exists, so this
    /// makes sure of the events of its changes. `answer` is the signed message that acknowledges the
    /// payment to MPay; it is kept with the payment.
    ///
    /// # Errors
    /// [`StoreError`]; the payment then may be recorded in part, and the next call finishes it.
    pub async fn record(
        self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        order: &StoredOrder,
        evidence: &Evidence<'_>,
        answer: Option<&[u8]>,
    ) -> Result<Recorded, StoreError> {
        let changes = &order.events;
        let id = &confirmation.payment_id;
        let name = &PaymentName {
            id: id.clone(),
            after_void: payment.after_void,
        };
        let attempts = self.attempts();
        let order_list = OrderList::of(&confirmation.service_id, &confirmation.order_key);
        let order_entry = to_json(&OrderEntry::Payment(Box::new(payment.clone())))?;
        let wanted: Vec<_> = [name.marker(), name.attempts()]
            .into_iter()
            .chain(evidence.keys())
            .chain(JournalList::<P>::contests(changes))
            .collect();
        for _ in 0..TRIES {
            let stored = read(self.log, &wanted).await?;
            if let Some(marker) = name.read_marker(&stored)? {
                return Ok(marker.compare(payment.channel(), confirmation, evidence));
            }
            let alone = mutated(Mutation::MarkerOverwritten);
            if name.count(&stored) > 0
                && !alone
                && let Some(Some(marker)) = attempts.finish_unmarked(name, Patience::Wait).await?
            {
                return Ok(marker.compare(payment.channel(), confirmation, evidence));
            }
            JournalList::on(self.log)
                .make_sure_with(changes, &stored)
                .await?;
            let slot = attempts.take(name).await?;
            let order = OrderLists::on(self.log).take(&order_list).await?;
            let journal = JournalList::on(self.log).take().await?;
            let event = Event::PaymentRecorded(Box::new(PaymentJson {
                version: Some(order.index()),
                ..payment.clone()
            }));
            let event = to_json(&event)?;
            let attempt = Attempt {
                order: order.index(),
                journal: journal.index(),
                payment: Box::new(payment.clone()),
            };
            let mut others = evidence.missing(&stored);
            others.extend(answer.map(|answer| answered(id, journal.index(), answer)));
            if mutated(Mutation::MarkerBeforeEntries) {
                attempts.mark(&attempt).await?;
            }
            let filled = self
                .log
                .fill(
                    &[
                        (&slot, &to_json(&attempt)?),
                        (&order, &order_entry),
                        (&journal, &event),
                    ],
                    others,
                )
                .await?;
            if mutated(Mutation::AnswerBeforeMarker) {
                return Ok(Recorded::New);
            }
            if (slot.index() == 1 || alone) && filled.all() {
                // Nobody stands before it.
                attempts.mark(&attempt).await?;
                return Ok(Recorded::New);
            }
            match attempts.finish(name, Patience::Wait).await? {
                Some(Some(marker)) if marker.journal == journal.index() => {
                    return Ok(Recorded::New);
                }
                Some(Some(marker)) => {
                    return Ok(marker.compare(payment.channel(), confirmation, evidence));
                }
                // One of the places was passed by, so the next attempt takes others.
                Some(None) => {}
                None => return Err(in_progress(id.as_str())),
            }
        }
        Err(in_progress(id.as_str()))
    }

    /// The records that a confirmation of this payment by MPay meets.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn known(self, id: &PaymentId) -> Result<Known, StoreError> {
        let (name, marker) = match self.attempts().latest(id, self.secrets).await? {
            Some((name, marker)) => (name, Some(marker)),
            None => (PaymentName::first(id), None),
        };
        if let Some(marker) = marker.as_ref().filter(|marker| marker.is_manual())
            && self.is_voided(&name, marker).await?
        {
            return Ok(Known {
                after_void: true,
                marker: None,
            });
        }
        Ok(Known {
            after_void: name.after_void,
            marker,
        })
    }

    /// True if a payment is voided, by its order.
    async fn is_voided(self, name: &PaymentName, marker: &Marker) -> Result<bool, StoreError> {
        let (list, place) = marker.order().ok_or_else(|| name.marker().lost())?;
        let payment = Folds::on(self.log).payment(&list, place, name).await?;
        Ok(payment.is_some_and(|payment| payment.state.voided.is_some()))
    }

    /// A recorded payment; if two have this id, the one that counts. `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what the marker promises.
    pub async fn get(self, id: &PaymentId) -> Result<Option<StoredPayment>, StoreError> {
        let Some((name, marker)) = self.attempts().latest(id, self.secrets).await? else {
            return Ok(None);
        };
        let mut values = read(self.log, &[journal_list::entry(marker.journal)]).await?;
        let entry = marker.entry(&name, &mut values)?;
        Ok(self.of(vec![entry]).await?.pop())
    }

    /// The payments among entries of the journal, with their states. A payment that its order has lost,
    /// or whose order is damaged, is among them ([`Review::Orphaned`](crate::domain::Review)).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn of(self, entries: Vec<JournalEntry>) -> Result<Vec<StoredPayment>, StoreError> {
        let mut payments = Vec::with_capacity(entries.len());
        let mut orders = HashMap::new();
        for entry in entries {
            let Event::PaymentRecorded(mut payment) = entry.event else {
                continue;
            };
            let place = payment.version.take();
            let confirmation = payment.to_confirmation().map_err(|errors| {
                journal_list::entry(entry.index).corrupt(format!("{errors:?}"))
            })?;
            let key = (
                confirmation.service_id.clone(),
                confirmation.order_key.clone(),
            );
            orders.insert(key.clone(), None);
            payments.push((entry.index, entry.at, place, key, *payment, confirmation));
        }
        let keys: Vec<_> = orders.keys().cloned().collect();
        let stored = Orders::on(self.log, self.secrets).get_many(&keys).await?;
        for (key, order) in keys.into_iter().zip(stored) {
            orders.insert(key, order.ok().flatten());
        }
        let ids = payments
            .iter()
            .map(|(.., confirmation)| confirmation.payment_id.clone());
        let ids: Vec<_> = ids.collect();
        let settled = Settlements::on(self.log).of(&ids).await?;
        let folds = Folds::on(self.log);
        // A long order shows its latest payments only.
        let name_of = |confirmation: &Confirmation, record: &PaymentJson| PaymentName {
            id: confirmation.payment_id.clone(),
            after_void: record.after_void,
        };
        let is_missing = |order: Option<&Option<StoredOrder>>, name: &PaymentName| {
            let order = order.and_then(Option::as_ref);
            order.is_some_and(|order| !order.state.is_whole() && order.payment(name).is_none())
        };
        let missing = payments
            .iter()
            .filter_map(|(_, _, _, key, record, confirmation)| {
                let name = name_of(confirmation, record);
                is_missing(orders.get(key), &name).then_some(name)
            });
        let markers = self
            .attempts()
            .decided(&missing.collect::<Vec<_>>())
            .await?;
        let mut segments = HashMap::new();
        let (mut names, mut old) = (Vec::new(), Vec::new());
        for (_, _, _, key, record, confirmation) in &payments {
            let name = name_of(confirmation, record);
            let marker = markers.get(&name).and_then(Option::as_ref);
            if let Some((_, place)) = marker.and_then(Marker::order) {
                let list = OrderList::of(&key.0, &key.1);
                let found = folds
                    .old_payment(&list, place, &name, &mut segments)
                    .await?;
                if let Some(found) = found {
                    names.push(name);
                    old.push(found);
                }
            }
        }
        folds.bring_on(&mut old).await?;
        let old = old.into_iter().map(|old| (old.record, old.state));
        let mut old: HashMap<_, _> = names.into_iter().zip(old).collect();
        let mut with_state = Vec::with_capacity(payments.len());
        for (payment, settled) in payments.into_iter().zip(settled) {
            let (index, at, place, key, entered, confirmation) = payment;
            let order = orders.get(&key).and_then(Option::as_ref);
            let name = &name_of(&confirmation, &entered);
            let (payment, state) = order
                .and_then(|order| order.payment(name))
                .or_else(|| old.remove(name))
                .unwrap_or_else(|| (entered, RecordedPayment::orphaned(confirmation.clone())));
            let lines = state.confirmation.lines.iter();
            let accounts = lines.map(|line| order?.state.account(&line.line_id).cloned());
            with_state.push(StoredPayment {
                index,
                recorded_at: at,
                payment,
                accounts: accounts.collect(),
                state,
                settled,
                is_erased: order.is_some_and(|order| order.is_erased_at(place)),
                until: order.map_or(0, |order| order.settled),
            });
        }
        Ok(with_state)
    }

    /// The recorded payments of these ids: both of an id, if MPay has confirmed one after it was entered
    /// by hand and voided.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what a marker promises.
    pub async fn get_many(self, ids: &[PaymentId]) -> Result<Vec<StoredPayment>, StoreError> {
        const AT_ONCE: usize = 128;
        let mut payments = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            let names = ids
                .iter()
                .flat_map(|id| [PaymentName::first(id), PaymentName::after_void(id)]);
            let markers = self.attempts().markers(names).await?;
            if markers.is_empty() {
                continue;
            }
            let entries = markers
                .iter()
                .map(|(_, marker)| journal_list::entry(marker.journal));
            let mut values = read(self.log, &entries.collect::<Vec<_>>()).await?;
            let entries = markers
                .iter()
                .map(|(name, marker)| marker.entry(name, &mut values));
            let entries = entries.collect::<Result<_, _>>()?;
            payments.extend(self.of(entries).await?);
        }
        Ok(payments)
    }

    /// The messages of a payment that is recorded; `None` if there is none of this id.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what the marker promises.
    pub async fn proof(self, id: &PaymentId) -> Result<Option<Proof<StoredPayment>>, StoreError> {
        match self.get(id).await? {
            Some(stored) => self.proof_of(id, stored).await.map(Some),
            None => Ok(None),
        }
    }

    /// The messages of one payment of this id, if there are two ([`Self::get_many`]).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what shows the payment.
    pub async fn proof_of(
        self,
        id: &PaymentId,
        stored: StoredPayment,
    ) -> Result<Proof<StoredPayment>, StoreError> {
        let payment = &stored.payment;
        let recorded_by = payment.evidence.as_str();
        let signed = payment.signed_message();
        let answer = answer_key(id, stored.index);
        let certificate = payment.signer_of_confirmation();
        let certificate = certificate.map(|signer| certificate_key(&signer.fingerprint));
        let mut keys: Vec<_> = certificate.iter().cloned().collect();
        keys.push(answer.clone());
        let messages: BTreeSet<_> = signed.into_iter().chain([recorded_by]).collect();
        keys.extend(messages.into_iter().flat_map(message_keys));
        let values = read(self.log, &keys).await?;
        let value = |key: Option<&Key>| values.get(key?).cloned();
        let by_whom = message(recorded_by, &values).ok_or_else(|| lost(recorded_by))?;
        Ok(Proof {
            request: signed.and_then(|signed| message(signed, &values)),
            unsigned: (payment.channel() != Channel::MPay).then_some(by_whom),
            // An answer that was moved into an archive is empty.
            answer: value(Some(&answer)).filter(|answer| answer != EMPTY),
            certificate: value(certificate.as_ref()),
            stored,
        })
    }
}

fn in_progress(id: &str) -> StoreError {
    StoreError::InProgress(format!("payment {id}"))
}
