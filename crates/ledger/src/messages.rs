//! Signed messages: the messages that are kept as evidence, their signers and the answers to them; and
//! their archives once they were moved out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Platform, Secret, StoreError, keys,
    record::{EMPTY, Key, Values, Write, over_the_log, read, to_json},
};
use crate::{digest::sha256, domain::PaymentId, json::time};

over_the_log! {
    /// The signed messages.
    pub struct Messages
}

fn evidence(name: &str) -> String {
    format!("{}/{name}", keys::EVIDENCE)
}

fn erased(name: &str) -> String {
    format!("{}/{name}", keys::ERASED)
}

fn archived(name: &str) -> String {
    format!("{}/{name}", keys::ARCHIVED)
}

fn certificate(fingerprint: &str) -> String {
    format!("{}/{fingerprint}", keys::CERTIFICATE)
}

fn answer(id: &PaymentId, journal: u64) -> String {
    format!("{}/{}/{journal}", keys::ANSWER, keys::encode(id.as_str()))
}

fn fault(journal: u64) -> String {
    format!("{}/{journal}", keys::FAULT)
}

/// The keys of a message and of its tombstone; [`message`] reads their values.
pub(super) fn message_keys(name: &str) -> [Key; 2] {
    [evidence(name), erased(name)].map(Key::new)
}

/// The error that a message is missing though another record names it.
pub(super) fn lost(name: &str) -> StoreError {
    Key::new(evidence(name)).lost()
}

/// The key of the certificate that signed a message.
pub(super) fn certificate_key(fingerprint: &str) -> Key {
    Key::new(certificate(fingerprint))
}

/// The key of the answer to a payment at a place in the journal.
pub(super) fn answer_key(id: &PaymentId, journal: u64) -> Key {
    Key::new(answer(id, journal))
}

/// The key of the fault that answered the refused confirmation at a place in the journal.
pub(super) fn fault_key(journal: u64) -> Key {
    Key::new(fault(journal))
}

/// The answer to a payment that is recorded at this place in the journal.
pub(super) fn answered(id: &PaymentId, journal: u64, message: &[u8]) -> Write {
    (answer(id, journal), message.to_vec())
}

/// The fault that answers the refused confirmation at this place in the journal.
pub(super) fn refused(journal: u64, message: &[u8]) -> Write {
    (fault(journal), message.to_vec())
}

/// A signed message to be kept: once for each payment, content and verdict, since MPay repeats a
/// refused call for ever, with new bytes each time.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    id: String,
    message: &'a [u8],
    signer: Option<(String, &'a [u8])>,
}

/// The messages that prove a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof<T> {
    /// The record that they prove.
    pub stored: T,
    /// The proof of a payment that MPay did not confirm at once: the proposal and its approval if it was
    /// entered by hand, the gateway's answer if it was paid by card.
    pub unsigned: Option<Vec<u8>>,
    /// The signed confirmation, as it came in. `None` if MPay has not confirmed the payment.
    pub request: Option<Vec<u8>>,
    /// The signed answer. `None` if a call with another content finished the recording, if no answer
    /// could be signed, or if the payment was entered by hand.
    pub answer: Option<Vec<u8>>,
    /// The certificate that signed the confirmation, DER.
    pub certificate: Option<Vec<u8>>,
}

impl<'a> Evidence<'a> {
    /// Evidence for a verdict (`accepted`, or the fault's code) on `content`, the canonical form
    /// of the signed operation.
    ///
    /// The content may hold values that a payer filled in, and the message's name is shown with the
    /// payment for ever: as a digest under the store's secret it reveals no erased data.
    pub fn new(
        secret: &Secret,
        message: &'a [u8],
        payment_id: &str,
        content: &[u8],
        verdict: &str,
    ) -> Self {
        let parts = [payment_id.as_bytes(), verdict.as_bytes(), content];
        Self {
            id: secret.digest("evidence", &parts),
            message,
            signer: None,
        }
    }

    /// The evidence with the certificate of its signer, DER, and the certificate's fingerprint: the
    /// certificate is kept too.
    pub fn signed_by(self, fingerprint: String, certificate: &'a [u8]) -> Self {
        Self {
            signer: Some((fingerprint, certificate)),
            ..self
        }
    }

    /// Its name, in hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The keys of the message, and of the signer's certificate.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.names().map(Key::new).collect()
    }

    /// The writes of the message and the certificate, without those that the store has already.
    pub(super) fn missing(&self, stored: &Values) -> Vec<Write> {
        let signer = self.signer.as_ref().map(|(_, der)| der.to_vec());
        let values = [self.message.to_vec()].into_iter().chain(signer);
        let entries = self.names().zip(values);
        entries
            .filter(|(key, _)| !stored.has(&Key::new(key.clone())))
            .collect()
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let signer = self.signer.as_ref();
        let signer = signer.map(|(fingerprint, _)| certificate(fingerprint));
        [evidence(&self.id)].into_iter().chain(signer)
    }
}

/// The tombstone of a signed message that was erased, or moved into an archive ([`Archived`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    v: u32,
    /// The time at which it was erased or moved.
    #[serde(deserialize_with = "time::deserialize")]
    pub erased_at: Timestamp,
    /// SHA-256 of the message, by which a copy that is kept elsewhere is recognised. It has no key, so
    /// that anybody with the copy can compare. It leads nobody to erased data, since it is over the whole
    /// message: to try a value, one would need MPay's signature over it, or the nonce of a payment
    /// entered by hand.
    pub sha256: String,
}

impl Tombstone {
    /// Reads a value from the place of a message as a tombstone; `None` if it is a message.
    pub fn of(evidence: &[u8]) -> Option<Self> {
        serde_json::from_slice(evidence).ok()
    }
}

/// The message of this name among values that were read, or its tombstone. If there is a tombstone nobody
/// reads the message, though a late write may have brought it back.
pub(super) fn message(name: &str, values: &Values) -> Option<Vec<u8>> {
    let [evidence, tombstone] = &message_keys(name);
    let message = values.get(tombstone).or(values.get(evidence));
    message.cloned()
}

/// The place of a message that was moved out of the store. It stands beside the message's [`Tombstone`],
/// which has the time and the SHA-256: so a host that does not know of archives still knows that the
/// message is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    v: u32,
    /// The name of the file that it was moved into.
    pub archive: String,
    /// The name of the principal who moved it.
    pub by: String,
}

impl Archived {
    /// A message that somebody moves into the file of this name.
    pub fn new(archive: &str, by: &str) -> Self {
        Self {
            v: 1,
            archive: archive.to_owned(),
            by: by.to_owned(),
        }
    }
}

/// A signed message and its answer, as a file outside the store has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The payment's id.
    pub payment_id: PaymentId,
    /// The payment's place in the journal.
    pub index: u64,
    /// SHA-256 of the signed confirmation, in hexadecimal.
    pub request_sha256: String,
    /// SHA-256 of the answer, if there is one.
    pub answer_sha256: Option<String>,
}

/// The reason for which a message stays in the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    /// No payment has this id and place.
    #[error("no payment with this PaymentID is at this place of the journal")]
    NoPayment,
    /// MPay has signed no message of it.
    #[error("MPay has signed nothing of it")]
    NotSigned,
    /// Somebody still needs it.
    #[error("{0}")]
    Open(String),
    /// The file has other bytes.
    #[error("the file has another message than the store, so it is not the message's copy")]
    Differs,
    /// The file has another answer, or none.
    #[error("the file has another answer than the store, so it is not the answer's copy")]
    OtherAnswer,
    /// It was erased, with the personal data in it.
    #[error("the message was erased")]
    Erased,
    /// It was moved before, into a file of another name.
    #[error("it was moved into {0} before")]
    Elsewhere(String),
    /// Its order is without personal data, but the message has some, which the erasure has still to come
    /// to.
    #[error("the personal data in the message is being erased")]
    BeingErased,
    /// The store has lost it.
    #[error("the message is missing in the store; POST /api/repair tells more")]
    Lost,
}

/// The writes by which a message is moved out of the store: first that it was moved, then nothing in its
/// place. A reader of the first without the second knows that the message is gone, and the move is
/// repeated.
#[derive(Debug, Default)]
pub(super) struct Moving {
    pub said: Vec<Write>,
    pub done: Vec<Write>,
}

/// The whereabouts of a message: in the store, beside its tombstone or not, and if not, where it was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In the store.
    Here,
    /// It was moved, but a part of it is still there: a move broke off, or a write came late.
    Left,
    /// It was moved, erased or lost.
    Gone,
}

/// The keys that tell where the messages of a payment are.
pub(super) fn whereabouts_keys(name: &str) -> Vec<Key> {
    let [message, tombstone] = message_keys(name);
    vec![message, tombstone, Key::new(archived(name))]
}

/// The message of this name among values that were read, if it has no tombstone.
pub(super) fn message_in_store<'a>(name: &str, values: &'a Values) -> Option<&'a [u8]> {
    let [message, tombstone] = &message_keys(name);
    let bytes = values.get(message).filter(|bytes| *bytes != EMPTY)?;
    (!values.has(tombstone)).then_some(bytes.as_slice())
}

/// The whereabouts of a message, from values that were read.
pub(super) fn whereabouts(name: &str, values: &Values) -> Whereabouts {
    let [message, tombstone] = &message_keys(name);
    let is_there = values.get(message).is_some_and(|bytes| bytes != EMPTY);
    match (is_there, values.has(tombstone)) {
        (true, false) => Whereabouts::Here,
        (true, true) if values.has(&Key::new(archived(name))) => Whereabouts::Left,
        _ => Whereabouts::Gone,
    }
}

impl Moving {
    /// Adds a message that `copied` is the copy of.
    pub fn add(
        &mut self,
        name: &str,
        copied: &Copied,
        mark: &Archived,
        values: &Values,
        now: Timestamp,
    ) -> Result<Result<(), Stays>, StoreError> {
        let [message, tombstone] = &message_keys(name);
        let message = values.get(message).filter(|bytes| *bytes != EMPTY);
        let marked = values.get(&Key::new(archived(name)));
        let (id, index) = (&copied.payment_id, copied.index);
        let answer = values.get(&answer_key(id, index));
        let answer = answer.filter(|bytes| *bytes != EMPTY);
        let no_answer = || answered(id, index, EMPTY);
        let is_copied = |bytes: &[u8], copy: Option<&str>| copy == Some(sha256(bytes).as_str());
        if values.has(tombstone) {
            let Some(marked) = marked else {
                return Ok(Err(Stays::Erased));
            };
            if message.is_some() {
                self.done.push((evidence(name), EMPTY.to_vec()));
            }
            if answer.is_some_and(|answer| is_copied(answer, copied.answer_sha256.as_deref())) {
                self.done.push(no_answer());
            }
            let marked: Option<Archived> = serde_json::from_slice(marked).ok();
            return Ok(
                match marked.filter(|marked| marked.archive != mark.archive) {
                    Some(marked) => Err(Stays::Elsewhere(marked.archive)),
                    None => Ok(()),
                },
            );
        }
        let Some(message) = message else {
            return Ok(Err(Stays::Lost));
        };
        if !is_copied(message, Some(&copied.request_sha256)) {
            return Ok(Err(Stays::Differs));
        }
        match (answer, &copied.answer_sha256) {
            (Some(answer), copy) if is_copied(answer, copy.as_deref()) => {
                self.done.push(no_answer());
            }
            (None, None) => {}
            _ => return Ok(Err(Stays::OtherAnswer)),
        }
        let stone = Tombstone {
            v: 1,
            erased_at: now,
            sha256: sha256(message),
        };
        self.said
            .push((archived(name), to_json(mark)?.into_bytes()));
        self.said
            .push((erased(name), to_json(&stone)?.into_bytes()));
        self.done.push((evidence(name), EMPTY.to_vec()));
        Ok(Ok(()))
    }
}

/// A message in the store.
pub(super) struct Message {
    pub bytes: Vec<u8>,
    /// True if it was erased, and a write that came late has brought it back.
    pub is_erased: bool,
}

impl<P: Platform> Messages<'_, P> {
    /// A message kept as evidence, by its name, or its [`Tombstone`].
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn get(self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let values = read(self.log, &message_keys(name)).await?;
        Ok(message(name, &values))
    }

    /// The archive into which a message of this name was moved; `None` if it was not.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or the record is damaged.
    pub async fn archived(self, name: &str) -> Result<Option<Archived>, StoreError> {
        let key = Key::new(archived(name));
        let values = read(self.log, std::slice::from_ref(&key)).await?;
        let mark = values.get(&key).map(|bytes| serde_json::from_slice(bytes));
        mark.transpose().map_err(|error| key.corrupt(error))
    }

    /// A message that stands beside its [`Tombstone`]. It is shown to nobody, but a check of the books
    /// must judge it, for a tombstone alone proves nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn beside_tombstone(self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let message = self.kept(name).await?;
        let message = message.filter(|message| message.is_erased);
        Ok(message.map(|message| message.bytes))
    }

    /// A message that is in the store, also if it should not be.
    pub(super) async fn kept(self, name: &str) -> Result<Option<Message>, StoreError> {
        let keys = message_keys(name);
        let mut values = read(self.log, &keys).await?;
        let [message, tombstone] = &keys;
        let bytes = values.take(message).filter(|bytes| bytes != EMPTY);
        Ok(bytes.map(|bytes| Message {
            bytes,
            is_erased: values.has(tombstone),
        }))
    }

    /// The tombstone to write in the place of a message; nothing if there is no message there.
    pub(super) async fn tombstone(self, name: &str) -> Result<Vec<Write>, StoreError> {
        let Some(message) = self.kept(name).await? else {
            return Ok(Vec::new());
        };
        let mut values = vec![(evidence(name), EMPTY.to_vec())];
        if !message.is_erased {
            let tombstone = Tombstone {
                v: 1,
                erased_at: self.log.now(),
                sha256: sha256(&message.bytes),
            };
            values.push((erased(name), to_json(&tombstone)?.into_bytes()));
        }
        Ok(values)
    }
}
