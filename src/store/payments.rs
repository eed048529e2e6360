//! Payments: recorded once, however often and from wherever MPay confirms them.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Evidence, JournalEntry, Platform, Proof, Store, StoreError, StoredOrder,
    evidence::{corrupt, to_json},
    keys,
    list::{DEAD_AFTER, WRITE_WINDOW, age, read_entry},
    orders::OrderEntry,
};
use crate::{
    domain::{Confirmation, PaymentAccount, PaymentId, RecordedPayment},
    json::{Event, PaymentJson},
    log::log,
};

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

/// Says that a payment is recorded: written last, and never changed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Marker {
    v: u32,
    /// Digest of what makes it this payment.
    content: String,
    /// Name of the message that was recorded, among the evidence.
    evidence: String,
    /// Its place in the journal.
    pub(super) journal: u64,
    /// Whether it was entered by hand.
    #[serde(default)]
    manual: bool,
}

impl<P: Platform> Store<P> {
    /// Records a payment: unless this gives [`Recorded::Conflict`] it is there for good, and once.
    ///
    /// Every call that finds nobody at work appends an attempt. Of the attempts younger than a
    /// minute the lowest has the work to itself for 20 s; the others wait a moment for it to
    /// finish. The lowest attempt of all is the payment. `answer` is the signed message that says
    /// so to MPay; it is kept with the payment.
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
        let done = keys::done(id);
        let wanted: Vec<_> = [done.clone()].into_iter().chain(evidence.keys()).collect();
        let stored = self.get_many(&wanted).await?;
        if let Some(marker) = stored.get(&done) {
            return Ok(read_marker(&done, marker)?.compare(confirmation, evidence));
        }
        let list = keys::payment(id);
        let attempts = self.read_all::<PaymentJson>(&list).await?;
        let now = self.now();
        if attempts
            .entries
            .iter()
            .any(|attempt| age(attempt.at, now) <= DEAD_AFTER)
        {
            return self.await_marker(confirmation, evidence).await;
        }
        let started = self.now();
        let slot = self.take(&list).await?;
        self.fill(&[(&slot, &to_json(payment)?)], evidence.missing(&stored))
            .await?;
        let first = if slot.index == 1 {
            None
        } else {
            let attempts = self.read_all::<PaymentJson>(&list).await?;
            let now = self.now();
            let at_work = attempts
                .entries
                .iter()
                .find(|attempt| age(attempt.at, now) <= DEAD_AFTER);
            let pending = attempts
                .first_pending(now)
                .is_some_and(|index| index < slot.index);
            if pending || at_work.is_none_or(|attempt| attempt.index != slot.index) {
                return self.await_marker(confirmation, evidence).await;
            }
            attempts
                .entries
                .into_iter()
                .next()
                .map(|attempt| attempt.value)
        };
        match first {
            None => {
                self.complete(confirmation, payment, answer, started)
                    .await?;
                Ok(Recorded::New)
            }
            Some(first) => {
                let corrupt = |errors: Vec<_>| StoreError::Corrupt {
                    key: list.clone(),
                    reason: format!("{errors:?}"),
                };
                let earlier = first.to_confirmation().map_err(corrupt)?;
                let same = earlier.content() == confirmation.content();
                let manual = first.manual.is_some() && first.manual != payment.manual;
                // Who asked for something else is answered something else.
                let answer = answer.filter(|_| same && !manual);
                self.complete(&earlier, &first, answer, started).await?;
                Ok(match (same, manual) {
                    (false, _) => Recorded::Conflict,
                    (true, true) => Recorded::Manual,
                    (true, false) => Recorded::New,
                })
            }
        }
    }

    /// Enters a payment into its order and the journal, and then marks it as recorded.
    async fn complete(
        &self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        answer: Option<&[u8]>,
        started: Timestamp,
    ) -> Result<(), StoreError> {
        // Whoever began this work before may have come to any point of it, even to its end.
        if self.marker(&confirmation.payment_id).await?.is_some() {
            return Ok(());
        }
        let journal = self.enter_surely(confirmation, payment, answer).await?;
        if age(started, self.now()) > WRITE_WINDOW {
            return Err(StoreError::TooSlow);
        }
        self.mark(confirmation, payment, journal).await
    }

    /// Enters a payment again, and marks its new place in the journal.
    pub(super) async fn enter(
        &self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        answer: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let journal = self.enter_surely(confirmation, payment, answer).await?;
        self.mark(confirmation, payment, journal).await
    }

    /// Enters a payment into its order and the journal, at other places if somebody else has
    /// these too. Gives the place in the journal.
    async fn enter_surely(
        &self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        answer: Option<&[u8]>,
    ) -> Result<u64, StoreError> {
        const TRIES: u32 = 5;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.enter_once(confirmation, payment, answer).await {
                Err(StoreError::Overwritten) if tries < TRIES => {}
                result => return result,
            }
        }
    }

    async fn enter_once(
        &self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        answer: Option<&[u8]>,
    ) -> Result<u64, StoreError> {
        let order = self
            .take(&keys::order(
                &confirmation.service_id,
                &confirmation.order_key,
            ))
            .await?;
        let journal = self.take(keys::JOURNAL).await?;
        let order_entry = to_json(&OrderEntry::Payment(Box::new(payment.clone())))?;
        let event = to_json(&Event::PaymentRecorded(Box::new(payment.clone())))?;
        let answer = answer.map(|answer| {
            let key = keys::answer(&confirmation.payment_id, journal.index);
            (key, answer.to_vec())
        });
        self.fill(
            &[(&order, &order_entry), (&journal, &event)],
            answer.into_iter().collect(),
        )
        .await?;
        Ok(journal.index)
    }

    async fn mark(
        &self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        journal: u64,
    ) -> Result<(), StoreError> {
        let marker = Marker {
            v: 1,
            content: confirmation.content().to_string(),
            evidence: payment.evidence.clone(),
            journal,
            manual: payment.manual.is_some(),
        };
        let key = keys::done(&confirmation.payment_id);
        self.set_many(&[(key, to_json(&marker)?.into_bytes())])
            .await
    }

    /// Waits for whoever records the same payment.
    async fn await_marker(
        &self,
        confirmation: &Confirmation,
        evidence: &Evidence<'_>,
    ) -> Result<Recorded, StoreError> {
        for pause in [25, 50, 100, 200, 400, 800, 1600] {
            self.platform.sleep(Duration::from_millis(pause)).await;
            if let Some(marker) = self.marker(&confirmation.payment_id).await? {
                return Ok(marker.compare(confirmation, evidence));
            }
        }
        Err(StoreError::InProgress(format!(
            "payment {}",
            confirmation.payment_id
        )))
    }

    /// The marker of a payment that needs no recording any more.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn marker(&self, id: &PaymentId) -> Result<Option<Marker>, StoreError> {
        let key = keys::done(id);
        let values = self.get_many(std::slice::from_ref(&key)).await?;
        values
            .get(&key)
            .map(|bytes| read_marker(&key, bytes))
            .transpose()
    }

    /// A payment that is recorded; `None` if there is none of this id.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what the marker promises.
    pub async fn payment(&self, id: &PaymentId) -> Result<Option<StoredPayment>, StoreError> {
        let Some(marker) = self.marker(id).await? else {
            return Ok(None);
        };
        let key = keys::journal(marker.journal);
        let mut values = self.get_many(std::slice::from_ref(&key)).await?;
        let entry = marker.entry(&keys::done(id), &mut values)?;
        Ok(self.payments(vec![entry]).await?.pop())
    }

    /// The payments among entries of the journal, with what is to be said of them. One that its
    /// order has lost is among them ([`Review::Orphaned`](crate::domain::Review)).
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
            let Event::PaymentRecorded(payment) = entry.event else {
                continue;
            };
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
            orders.insert(key, order);
        }
        let ids = payments
            .iter()
            .map(|(.., confirmation)| confirmation.payment_id.clone());
        let ids: Vec<_> = ids.collect();
        let settled = self.settled(&ids).await?;
        let payments = payments.into_iter().zip(settled);
        let with_state = payments.map(|((index, at, key, entered, confirmation), settled)| {
            let order = orders.get(&key).and_then(Option::as_ref);
            let found = order.and_then(|order| in_order(order, &confirmation.payment_id));
            let (payment, state, accounts) = found.unwrap_or_else(|| {
                log!(
                    "payment {} is not in its order {} any more: call POST /api/repair",
                    confirmation.payment_id,
                    confirmation.order_key
                );
                let state = RecordedPayment::orphaned(confirmation);
                (entered, state, Vec::new())
            });
            StoredPayment {
                index,
                recorded_at: at,
                payment,
                state,
                accounts,
                settled,
            }
        });
        Ok(with_state.collect())
    }

    /// Of these payments those that are recorded.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost what a marker promises.
    pub async fn payments_by_id(
        &self,
        ids: &[PaymentId],
    ) -> Result<Vec<StoredPayment>, StoreError> {
        const AT_ONCE: usize = 200;
        let mut payments = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            let keys: Vec<_> = ids.iter().map(keys::done).collect();
            let mut markers = Vec::new();
            for (key, bytes) in self.get_many(&keys).await? {
                let marker = read_marker(&key, &bytes)?;
                markers.push((key, marker));
            }
            if markers.is_empty() {
                continue;
            }
            let entries = markers
                .iter()
                .map(|(_, marker)| keys::journal(marker.journal));
            let mut values = self.get_many(&entries.collect::<Vec<_>>()).await?;
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
        let recorded_by = keys::evidence(&payment.evidence);
        let signed = match &payment.manual {
            None => Some(recorded_by.clone()),
            Some(manual) => manual
                .confirmed
                .as_ref()
                .map(|c| keys::evidence(&c.evidence)),
        };
        let answer = keys::answer(id, stored.index);
        let certificate = payment.signer_of_confirmation();
        let certificate = certificate.map(|signer| keys::certificate(&signer.fingerprint));
        let mut keys = vec![recorded_by.clone()];
        keys.extend(signed.iter().chain(&certificate).cloned());
        keys.push(answer.clone());
        keys.dedup();
        let values = self.get_many(&keys).await?;
        let value = |key: Option<&String>| values.get(key?).cloned();
        if !values.contains_key(&recorded_by) {
            return Err(lost(recorded_by));
        }
        Ok(Some(Proof {
            by_hand: payment
                .manual
                .as_ref()
                .and_then(|_| value(Some(&recorded_by))),
            request: value(signed.as_ref()),
            answer: value(Some(&answer)),
            certificate: value(certificate.as_ref()),
            stored,
        }))
    }
}

/// A payment as its order has it: its record, what is to be said of it, and the accounts of its
/// lines.
fn in_order(
    order: &StoredOrder,
    id: &PaymentId,
) -> Option<(PaymentJson, RecordedPayment, Vec<Option<PaymentAccount>>)> {
    let mut states = order.state.payments().iter();
    let position = states.rposition(|state| state.confirmation.payment_id == *id)?;
    let state = order.state.payments().get(position)?;
    let lines = state.confirmation.lines.iter();
    let accounts = lines.map(|line| order.state.account(&line.line_id).cloned());
    let record = order.payments.get(position)?;
    Some((record.clone(), state.clone(), accounts.collect()))
}

pub(super) fn lost(key: String) -> StoreError {
    StoreError::Corrupt {
        key,
        reason: "it is missing, though it is recorded".to_owned(),
    }
}

impl Marker {
    /// The entry of the journal that it names, of the payment whose marker is `done`.
    fn entry(
        &self,
        done: &str,
        values: &mut HashMap<String, Vec<u8>>,
    ) -> Result<JournalEntry, StoreError> {
        let key = keys::journal(self.journal);
        let bytes = values.remove(&key).ok_or_else(|| lost(key.clone()))?;
        let entry = read_entry::<Event>(&key, self.journal, &bytes)?;
        match &entry.value {
            Event::PaymentRecorded(payment) if keys::is_marker_of(done, payment) => {
                Ok(entry.into())
            }
            // Without atomics it can have been overwritten.
            _ => Err(lost(key)),
        }
    }

    /// Whether the payment is the one that was recorded.
    pub(super) fn is_of(&self, payment: &PaymentJson) -> bool {
        let confirmation = payment.to_confirmation();
        confirmation.is_ok_and(|confirmation| confirmation.content().to_string() == self.content)
    }

    /// How a confirmation of a payment of this id ends.
    pub fn compare(&self, confirmation: &Confirmation, evidence: &Evidence<'_>) -> Recorded {
        let alike = evidence.is_named(&self.evidence);
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
