//! Signed messages: what came in and is kept as evidence, who signed it, and what was answered.

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

fn certificate(fingerprint: &str) -> String {
    format!("{}/{fingerprint}", keys::CERTIFICATE)
}

fn answer(id: &PaymentId, journal: u64) -> String {
    format!("{}/{}/{journal}", keys::ANSWER, keys::encode(id.as_str()))
}

fn fault(journal: u64) -> String {
    format!("{}/{journal}", keys::FAULT)
}

/// The keys of a message, and of its tombstone: what is there of it [`message`] says.
pub(super) fn message_keys(name: &str) -> [Key; 2] {
    [evidence(name), erased(name)].map(Key::new)
}

/// A message that something else promises is missing.
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

/// The messages that prove what was recorded or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof<T> {
    /// The record that they prove.
    pub stored: T,
    /// The proof of a payment that MPay did not confirm at once: the proposal and its approval of one that
    /// was entered by hand, the gateway's answer of one by card.
    pub unsigned: Option<Vec<u8>>,
    /// The signed confirmation, as it came in. `None` where MPay has not confirmed what was entered
    /// by hand.
    pub request: Option<Vec<u8>>,
    /// The signed answer. `None` where a call with another content finished the recording, where no
    /// answer could be signed, and for what was entered by hand.
    pub answer: Option<Vec<u8>>,
    /// The certificate that signed the confirmation, DER.
    pub certificate: Option<Vec<u8>>,
}

impl<'a> Evidence<'a> {
    /// Evidence for a verdict (`accepted`, or the fault's code) on `content`, the canonical form
    /// of the signed operation.
    ///
    /// The content may hold what a payer filled in, and its name is shown with the payment for
    /// ever: under the store's secret it tells nobody what was erased.
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

    /// The same, with the certificate of whoever signed the message, DER, and its fingerprint: it is
    /// kept too.
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

    /// The writes of it, but for what the store has already.
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

/// The tombstone of a signed message that was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    v: u32,
    /// The time at which it was erased.
    #[serde(deserialize_with = "time::deserialize")]
    pub erased_at: Timestamp,
    /// SHA-256 of the message, by which a copy that is kept elsewhere is recognised. It is without a
    /// key, so that anybody who has the copy can tell; and leads nobody to what was erased, since
    /// it is over the whole message: to try a value one would need MPay's signature over it, or
    /// the nonce of what was entered by hand.
    pub sha256: String,
}

impl Tombstone {
    /// Reads what is kept in the place of a message; `None` if it is a message.
    pub fn of(evidence: &[u8]) -> Option<Self> {
        serde_json::from_slice(evidence).ok()
    }
}

/// Of values that were read the message of this name, or its tombstone: where there is one, nobody
/// reads the message, though a write that came late may have brought it back.
pub(super) fn message(name: &str, values: &Values) -> Option<Vec<u8>> {
    let [evidence, tombstone] = &message_keys(name);
    let message = values.get(tombstone).or(values.get(evidence));
    message.cloned()
}

/// A message as it is kept.
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

    /// A message that stands beside its [`Tombstone`]. Nobody is shown it; who judges the books judges
    /// it, for a tombstone alone proves nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn beside_tombstone(self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let message = self.kept(name).await?;
        let message = message.filter(|message| message.is_erased);
        Ok(message.map(|message| message.bytes))
    }

    /// A message that is there, whether it is to be or not.
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

    /// The writes for the place of a message; nothing where there is none, or no more.
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
