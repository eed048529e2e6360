//! Payments: recorded once, however often and from wherever MPay confirms them.
//!
//! Each call that records a payment makes an *attempt*: it takes a place in the payment's own
//! list, one in its order's and one in the journal, and writes all three entries, with the
//! evidence, in one batch. An attempt is valid if all three places are alive; the payment is the
//! first valid attempt of its list, once the fates of those before it are decided. All of this is
//! the same for whoever computes it, and never changes again: so anybody may finish what somebody
//! else has begun, and the marker, written last, has the same value whoever writes it.
//!
//! The marker says that a payment is recorded. With it a repetition costs one read. Where it
//! names a place, that place counts, whatever else is said of it.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use mpay_log::{entry_key, parse_counter};
use mutation::{Mutation, mutated};
use serde::{Deserialize, Serialize};

use super::{
    Evidence, JournalEntry, Platform, Proof, Store, StoreError, StoredOrder,
    evidence::{corrupt, message, to_json},
    keys::{self, PaymentName},
    orders::OrderEntry,
};
use crate::{
    domain::{Confirmation, PaymentAccount, PaymentId, RecordedPayment},
    json::{Event, PaymentJson},
};

/// How often an attempt is made anew because one of its places was passed by.
const TRIES: u32 = 5;

/// How the recording of a payment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The payment is recorded now.
    New,
    /// It was recorded before.
    Repeated {
        /// Whether what does not decide is the same too, such as the time of payment.
        alike: bool,
    },
    /// It was entered by hand before, and MPay confirms it now: see [`Store::confirm_manual`].
    Manual,
    /// Another payment has this id.
    Conflict,
}

/// A payment as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPayment {
    /// Its place in the journal.
    pub index: u64,
    /// When it was entered there.
    pub recorded_at: Timestamp,
    /// Its record.
    pub payment: PaymentJson,
    /// What is to be said of it, as one of its order's payments.
    pub state: RecordedPayment,
    /// The accounts of its lines, as the order names them.
    pub accounts: Vec<Option<PaymentAccount>>,
    /// The statement that shows it: a place in the journal.
    pub settled: Option<u64>,
}

/// What a confirmation by MPay meets.
#[derive(Debug)]
pub struct Known {
    /// Whether it is, or would be, a payment of its own beside one that was entered by hand and
    /// voided: [`PaymentJson::after_void`].
    pub after_void: bool,
    marker: Option<Marker>,
}

impl Known {
    /// Whether there is a payment that counts.
    pub fn is_recorded(&self) -> bool {
        self.marker.is_some()
    }

    /// How a confirmation ends that needs no recording any more.
    pub fn compare(
        &self,
        confirmation: &Confirmation,
        evidence: &Evidence<'_>,
    ) -> Option<Recorded> {
        let marker = self.marker.as_ref()?;
        Some(marker.compare(confirmation, evidence))
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

/// Says that a payment is recorded: written last, with one value by whoever writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    v: u32,
    /// Digest of what makes it this payment.
    content: String,
    /// Name of the message that was recorded, among the evidence.
    evidence: String,
    /// The key of its entry in its order's list. A number would not do: another order's list may
    /// have an attempt at the same payment at a place of the same number.
    pub order: String,
    /// Its place in the journal.
    pub journal: u64,
    /// Whether it was entered by hand.
    #[serde(default)]
    manual: bool,
}

/// What is decided of payments, by their names: the marker of one that is recorded, `None` where no
/// attempt that was made is valid. Of what is not here nothing is decided yet.
pub(super) type Decisions = HashMap<PaymentName, Option<Marker>>;

/// Whether to wait for those who are at work, and then to pass them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// No: what is not decided stays so.
    None,
    /// Yes.
    Wait,
}

impl<P: Platform> Store<P> {
    /// Records a payment: unless this gives [`Recorded::Conflict`] it is there for good, and once.
    ///
    /// Who finds others at it waits a moment for them, finishes what they have written, and
    /// makes an attempt of his own only where nothing came of theirs. `answer` is the signed
    /// message that says so to MPay; it is kept with the payment.
    ///
    /// # Errors
    /// [`StoreError`]; the payment then may be recorded in part, and the next call finishes it.
    pub async fn record(
        &self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        evidence: &Evidence<'_>,
        answer: Option<&[u8]>,
    ) -> Result<Recorded, StoreError> {
        let id = &confirmation.payment_id;
        let name = &PaymentName {
            id: id.clone(),
            after_void: payment.after_void,
        };
        let (done, list) = (keys::done(name), keys::payment(name));
        let order_list = keys::order(&confirmation.service_id, &confirmation.order_key);
        let order_entry = to_json(&OrderEntry::Payment(Box::new(payment.clone())))?;
        let wanted: Vec<_> = [done.clone(), list.clone()]
            .into_iter()
            .chain(evidence.keys())
            .collect();
        for _ in 0..TRIES {
            let stored = self.log.get_many(&wanted).await?;
            if let Some(marker) = stored.get(&done) {
                return Ok(read_marker(&done, marker)?.compare(confirmation, evidence));
            }
            let alone = mutated(Mutation::MarkerOverwritten);
            let attempts = stored.get(&list).and_then(|count| parse_counter(count));
            if attempts.is_some_and(|attempts| attempts > 0)
                && !alone
                && let Some(Some(marker)) = self.finish_unmarked(name, Patience::Wait).await?
            {
                return Ok(marker.compare(confirmation, evidence));
            }
            let slot = self.log.take(&list).await?;
            let order = self.log.take(&order_list).await?;
            let journal = self.log.take(keys::JOURNAL).await?;
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
            others
                .extend(answer.map(|answer| (keys::answer(id, journal.index()), answer.to_vec())));
            if mutated(Mutation::MarkerBeforeEntries) {
                self.mark(&attempt).await?;
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
                self.mark(&attempt).await?;
                return Ok(Recorded::New);
            }
            match self.finish(name, Patience::Wait).await? {
                Some(Some(marker)) if marker.journal == journal.index() => {
                    return Ok(Recorded::New);
                }
                Some(Some(marker)) => return Ok(marker.compare(confirmation, evidence)),
                // One of the places was passed by: others, then.
                Some(None) => {}
                None => return Err(in_progress(id.as_str())),
            }
        }
        Err(in_progress(id.as_str()))
    }

    /// Decides what is recorded of a payment, as far as it can be decided, and marks it. `None`
    /// where somebody is still at work and is not to be waited for.
    pub(super) async fn finish(
        &self,
        name: &PaymentName,
        patience: Patience,
    ) -> Result<Option<Option<Marker>>, StoreError> {
        match self.marker(name).await? {
            Some(marker) => Ok(Some(Some(marker))),
            None => self.finish_unmarked(name, patience).await,
        }
    }

    /// The same, where there was no marker a moment ago.
    async fn finish_unmarked(
        &self,
        name: &PaymentName,
        patience: Patience,
    ) -> Result<Option<Option<Marker>>, StoreError> {
        let list = keys::payment(name);
        let mut attempts = self.log.read_all::<Attempt>(&list).await?;
        if patience == Patience::Wait && !attempts.unsettled.is_empty() {
            let settled = attempts.settled();
            self.log
                .settle(&list, settled + 1, attempts.length + 1)
                .await?;
            // Whoever was waited for has written the marker, most often.
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

    /// Whether an attempt's places in its order's list and in the journal are alive.
    async fn is_valid(&self, attempt: &Attempt) -> Result<bool, StoreError> {
        let list = attempt.order_list()?;
        let places = [
            (list.as_str(), attempt.order),
            (keys::JOURNAL, attempt.journal),
        ];
        self.log.are_alive(&places).await
    }

    /// What is decided of payments. One that was left between its entries and its marker is
    /// finished by this; nobody is waited for.
    pub(super) async fn decided(&self, names: &[PaymentName]) -> Result<Decisions, StoreError> {
        /// Markers read by one call.
        const AT_ONCE: usize = 256;
        let mut decided = Decisions::new();
        for names in names.chunks(AT_ONCE) {
            let keys: Vec<_> = names.iter().map(keys::done).collect();
            let markers = self.log.get_many(&keys).await?;
            for (name, key) in names.iter().zip(&keys) {
                let decision = match markers.get(key) {
                    Some(bytes) => Some(Some(read_marker(key, bytes)?)),
                    None => self.finish_unmarked(name, Patience::None).await?,
                };
                decided.extend(decision.map(|decision| (name.clone(), decision)));
            }
        }
        Ok(decided)
    }

    /// Marks the payment that an attempt records.
    pub(super) async fn mark(&self, attempt: &Attempt) -> Result<Marker, StoreError> {
        let payment = &attempt.payment;
        let key = keys::done(&attempt.name()?);
        let confirmation = payment
            .to_confirmation()
            .map_err(|errors| StoreError::Corrupt {
                key: key.clone(),
                reason: format!("{errors:?}"),
            })?;
        let marker = Marker {
            v: 1,
            content: confirmation.content().to_string(),
            evidence: payment.evidence.clone(),
            order: entry_key(&attempt.order_list()?, attempt.order),
            journal: attempt.journal,
            manual: payment.manual.is_some(),
        };
        let json = to_json(&marker)?.into_bytes();
        self.log.set_many(&[(key, json)]).await?;
        Ok(marker)
    }

    /// The marker of a payment that is recorded. The secret comes along where it is not known yet, for
    /// whoever asks is about to name a message.
    pub(super) async fn marker(&self, name: &PaymentName) -> Result<Option<Marker>, StoreError> {
        let key = keys::done(name);
        let mut wanted = vec![key.clone()];
        wanted.extend(self.secret_keys());
        let values = self.log.get_many(&wanted).await?;
        self.find_secret(&values)?;
        let marker = values.get(&key).map(|bytes| read_marker(&key, bytes));
        marker.transpose()
    }

    /// The marker of the payment of this id: of that after a void, if there is one.
    async fn latest_marker(
        &self,
        id: &PaymentId,
    ) -> Result<Option<(PaymentName, Marker)>, StoreError> {
        let first = PaymentName::first(id);
        let Some(marker) = self.marker(&first).await? else {
            return Ok(None);
        };
        if marker.manual {
            let second = PaymentName::after_void(id);
            if let Some(marker) = self.marker(&second).await? {
                return Ok(Some((second, marker)));
            }
        }
        Ok(Some((first, marker)))
    }

    /// What a confirmation of this payment by MPay meets.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn known(&self, id: &PaymentId) -> Result<Known, StoreError> {
        let (name, marker) = match self.latest_marker(id).await? {
            Some((name, marker)) => (name, Some(marker)),
            None => (PaymentName::first(id), None),
        };
        if let Some(marker) = marker.as_ref().filter(|marker| marker.manual)
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

    /// Whether a payment is voided, by its order.
    async fn is_voided(&self, name: &PaymentName, marker: &Marker) -> Result<bool, StoreError> {
        let list = marker.order.rsplit_once('/').map(|(list, _)| list);
        let list = list.unwrap_or_default();
        // What MPay has confirmed is not voided.
        let confirmed = keys::confirmed(&name.id);
        let noted = self.log.get_many(std::slice::from_ref(&confirmed)).await?;
        if self.is_noted(&confirmed, list, &noted).await? {
            return Ok(false);
        }
        let order = self.read_whole(list).await?;
        let payment = order.payment(name);
        Ok(payment.is_some_and(|(_, state)| state.voided.is_some()))
    }

    /// A payment that is recorded: of two of this id that which counts. `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what the marker promises.
    pub async fn payment(&self, id: &PaymentId) -> Result<Option<StoredPayment>, StoreError> {
        let Some((name, marker)) = self.latest_marker(id).await? else {
            return Ok(None);
        };
        let key = keys::journal(marker.journal);
        let mut values = self.log.get_many(std::slice::from_ref(&key)).await?;
        let entry = marker.entry(&keys::done(&name), &mut values)?;
        Ok(self.payments(vec![entry]).await?.pop())
    }

    /// The payments among entries of the journal, with what is to be said of them. One that its
    /// order has lost, or whose order is damaged, is among them
    /// ([`Review::Orphaned`](crate::domain::Review)).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn payments(
        &self,
        entries: Vec<JournalEntry>,
    ) -> Result<Vec<StoredPayment>, StoreError> {
        let mut payments = Vec::with_capacity(entries.len());
        let mut orders = HashMap::new();
        for entry in entries {
            let Event::PaymentRecorded(mut payment) = entry.event else {
                continue;
            };
            payment.version = None;
            let confirmation = payment
                .to_confirmation()
                .map_err(|errors| StoreError::Corrupt {
                    key: keys::journal(entry.index),
                    reason: format!("{errors:?}"),
                })?;
            let key = (
                confirmation.service_id.clone(),
                confirmation.order_key.clone(),
            );
            orders.insert(key.clone(), None);
            payments.push((entry.index, entry.at, key, *payment, confirmation));
        }
        let keys: Vec<_> = orders.keys().cloned().collect();
        let stored = self.orders(&keys).await?;
        for (key, order) in keys.into_iter().zip(stored) {
            orders.insert(key, order.ok().flatten());
        }
        let ids = payments
            .iter()
            .map(|(.., confirmation)| confirmation.payment_id.clone());
        let ids: Vec<_> = ids.collect();
        let settled = self.settled(&ids).await?;
        // A long order shows its latest payments only.
        let name_of = |confirmation: &Confirmation, record: &PaymentJson| PaymentName {
            id: confirmation.payment_id.clone(),
            after_void: record.after_void,
        };
        let is_missing = |order: Option<&Option<StoredOrder>>, name: &PaymentName| {
            let order = order.and_then(Option::as_ref);
            order.is_some_and(|order| !order.state.is_whole() && order.payment(name).is_none())
        };
        for (_, _, key, record, confirmation) in &payments {
            // What was entered by hand may have been confirmed or voided long after.
            if record.manual.is_some()
                && is_missing(orders.get(key), &name_of(confirmation, record))
            {
                let whole = self.read_whole(&keys::order(&key.0, &key.1)).await;
                orders.insert(key.clone(), whole.ok());
            }
        }
        let missing = payments
            .iter()
            .filter_map(|(_, _, key, record, confirmation)| {
                let name = name_of(confirmation, record);
                is_missing(orders.get(key), &name).then_some(name)
            });
        let markers = self.decided(&missing.collect::<Vec<_>>()).await?;
        let mut segments = HashMap::new();
        let (mut names, mut records, mut old) = (Vec::new(), Vec::new(), Vec::new());
        for (_, _, key, record, confirmation) in &payments {
            let name = name_of(confirmation, record);
            let marker = markers.get(&name).and_then(Option::as_ref);
            if let Some(place) = marker.and_then(Marker::place) {
                let list = keys::order(&key.0, &key.1);
                let found = self.old_payment(&list, place, &name, &mut segments).await?;
                if let Some((record, state)) = found {
                    names.push(name);
                    records.push(record);
                    old.push((list, state));
                }
            }
        }
        self.close_old(&mut old).await?;
        let states = old.into_iter().map(|(_, state)| state);
        let mut old: HashMap<_, _> = names
            .into_iter()
            .zip(records.into_iter().zip(states))
            .collect();
        let mut with_state = Vec::with_capacity(payments.len());
        for ((index, at, key, entered, confirmation), settled) in payments.into_iter().zip(settled)
        {
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
            });
        }
        Ok(with_state)
    }

    /// Of these payments those that are recorded: both, where MPay has confirmed one after it was
    /// entered by hand and voided.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what a marker promises.
    pub async fn payments_by_id(
        &self,
        ids: &[PaymentId],
    ) -> Result<Vec<StoredPayment>, StoreError> {
        const AT_ONCE: usize = 128;
        let mut payments = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            let names = ids
                .iter()
                .flat_map(|id| [PaymentName::first(id), PaymentName::after_void(id)]);
            let keys: Vec<_> = names.map(|name| keys::done(&name)).collect();
            let mut markers = Vec::new();
            for (key, bytes) in self.log.get_many(&keys).await? {
                let marker = read_marker(&key, &bytes)?;
                markers.push((key, marker));
            }
            if markers.is_empty() {
                continue;
            }
            let entries = markers
                .iter()
                .map(|(_, marker)| keys::journal(marker.journal));
            let mut values = self.log.get_many(&entries.collect::<Vec<_>>()).await?;
            let entries = markers
                .iter()
                .map(|(key, marker)| marker.entry(key, &mut values));
            let entries = entries.collect::<Result<_, _>>()?;
            payments.extend(self.payments(entries).await?);
        }
        Ok(payments)
    }

    /// The messages of a payment that is recorded; `None` if there is none of this id.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what the marker promises.
    pub async fn proof(&self, id: &PaymentId) -> Result<Option<Proof<StoredPayment>>, StoreError> {
        let Some(stored) = self.payment(id).await? else {
            return Ok(None);
        };
        let payment = &stored.payment;
        let recorded_by = &payment.evidence;
        let signed = match &payment.manual {
            None => Some(recorded_by),
            Some(manual) => manual.confirmed.as_ref().map(|c| &c.evidence),
        };
        let answer = keys::answer(id, stored.index);
        let certificate = payment.signer_of_confirmation();
        let certificate = certificate.map(|signer| keys::certificate(&signer.fingerprint));
        let mut keys: Vec<_> = certificate.iter().cloned().collect();
        keys.push(answer.clone());
        let messages: BTreeSet<_> = signed.into_iter().chain([recorded_by]).collect();
        for message in messages {
            keys.extend([keys::evidence(message), keys::tombstone(message)]);
        }
        let values = self.log.get_many(&keys).await?;
        let value = |key: Option<&String>| values.get(key?).cloned();
        let by_whom = message(recorded_by, &values);
        let by_whom = by_whom.ok_or_else(|| lost(keys::evidence(recorded_by)))?;
        Ok(Some(Proof {
            request: signed.and_then(|signed| message(signed, &values)),
            by_hand: payment.manual.as_ref().map(|_| by_whom),
            answer: value(Some(&answer)),
            certificate: value(certificate.as_ref()),
            stored,
        }))
    }
}

fn in_progress(id: &str) -> StoreError {
    StoreError::InProgress(format!("payment {id}"))
}

pub(super) fn lost(key: String) -> StoreError {
    StoreError::Corrupt {
        key,
        reason: "it is missing, though it is recorded; POST /api/repair mends what can be mended"
            .to_owned(),
    }
}

impl Attempt {
    /// The payment's name.
    fn name(&self) -> Result<PaymentName, StoreError> {
        PaymentName::of(&self.payment).map_err(|error| self.corrupt(error))
    }

    /// The list of its order.
    pub(super) fn order_list(&self) -> Result<String, StoreError> {
        keys::order_of(&self.payment).map_err(|error| self.corrupt(error))
    }

    fn corrupt(&self, error: impl ToString) -> StoreError {
        StoreError::Corrupt {
            key: keys::journal(self.journal),
            reason: error.to_string(),
        }
    }
}

impl Marker {
    /// Its place in its order's list.
    pub(super) fn place(&self) -> Option<u64> {
        self.order.rsplit('/').next()?.parse().ok()
    }

    /// The entry of the journal that it names, of the payment whose marker is `done`.
    pub(super) fn entry(
        &self,
        done: &str,
        values: &mut HashMap<String, Vec<u8>>,
    ) -> Result<JournalEntry, StoreError> {
        let key = keys::journal(self.journal);
        let bytes = values.remove(&key).ok_or_else(|| lost(key.clone()))?;
        let entry = mpay_log::read_entry::<Event>(self.journal, &bytes);
        let entry = entry.map_err(|_| lost(key.clone()))?;
        match &entry.value {
            Event::PaymentRecorded(payment) if keys::is_marker_of(done, payment) => {
                Ok(entry.into())
            }
            _ => Err(lost(key)),
        }
    }

    fn compare(&self, confirmation: &Confirmation, evidence: &Evidence<'_>) -> Recorded {
        let alike = self.evidence == evidence.id();
        if self.content != confirmation.content().to_string() {
            Recorded::Conflict
        } else if self.manual && !alike {
            Recorded::Manual
        } else {
            Recorded::Repeated { alike }
        }
    }
}

pub(super) fn read_marker(key: &str, bytes: &[u8]) -> Result<Marker, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| corrupt(key, &error))
}
