//! Signed messages kept as evidence, and what was refused.

use std::collections::HashMap;

use super::{Platform, Secret, Store, StoreError, StoredRefusal, keys, payments::lost};
use crate::json::{Event, RefusalJson};
use serde::Serialize;

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
    /// What they prove.
    pub stored: T,
    /// The proposal, and its approval, of a payment that was entered by hand.
    pub by_hand: Option<Vec<u8>>,
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

    /// Where it is kept: the message, and the signer's certificate.
    pub(super) fn keys(&self) -> Vec<String> {
        let signer = self.signer.as_ref();
        let signer = signer.map(|(fingerprint, _)| keys::certificate(fingerprint));
        [keys::evidence(&self.id)]
            .into_iter()
            .chain(signer)
            .collect()
    }

    /// What is to be written of it, but for what the store has already.
    pub(super) fn missing(&self, stored: &HashMap<String, Vec<u8>>) -> Vec<(String, Vec<u8>)> {
        let signer = self.signer.as_ref().map(|(_, der)| der.to_vec());
        let values = [self.message.to_vec()].into_iter().chain(signer);
        let entries = self.keys().into_iter().zip(values);
        entries
            .filter(|(key, _)| !stored.contains_key(key))
            .collect()
    }
}

impl<P: Platform> Store<P> {
    /// Keeps a refused message, and the signed fault that answers it, once. Gives `false` if it is
    /// there already.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept.
    pub async fn refuse(
        &self,
        refusal: &RefusalJson,
        evidence: &Evidence<'_>,
        answer: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let refused = keys::refused(evidence.id());
        let wanted: Vec<_> = evidence
            .keys()
            .into_iter()
            .chain([refused.clone()])
            .collect();
        let stored = self.log.get_many(&wanted).await?;
        if let Some(place) = stored.get(&refused) {
            let place = read_place(&refused, place)?;
            // Whoever kept it may have died before the place in the journal counted.
            if self.log.are_alive(&[(keys::JOURNAL, place)]).await? {
                return Ok(false);
            }
        }
        let event = to_json(&Event::PaymentRefused(Box::new(refusal.clone())))?;
        let messages = evidence.missing(&stored);
        self.enter_with(&event, |place| {
            let mut messages = messages.clone();
            messages.push((refused.clone(), place.to_string().into_bytes()));
            messages.extend(answer.map(|answer| (keys::fault(place), answer.to_vec())));
            messages
        })
        .await?;
        Ok(true)
    }

    /// The messages of the refused confirmation at this place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has lost the message.
    pub async fn refusal_proof(
        &self,
        index: u64,
    ) -> Result<Option<Proof<StoredRefusal>>, StoreError> {
        let Some(stored) = self.refusal(index).await? else {
            return Ok(None);
        };
        let refusal = &stored.refusal;
        let request = keys::evidence(&refusal.evidence);
        let answer = keys::fault(index);
        let certificate = keys::certificate(&refusal.signer.fingerprint);
        let keys = [
            request,
            answer,
            certificate,
            keys::tombstone(&refusal.evidence),
        ];
        let mut values = self.log.get_many(&keys).await?;
        let message = message(&refusal.evidence, &values);
        let [request, answer, certificate, _] = keys;
        Ok(Some(Proof {
            by_hand: None,
            request: Some(message.ok_or_else(|| lost(request))?),
            answer: values.remove(&answer),
            certificate: values.remove(&certificate),
            stored,
        }))
    }

    /// A message kept as evidence, or its [`Tombstone`](super::Tombstone).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn evidence(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let keys = [keys::evidence(id), keys::tombstone(id)];
        let values = self.log.get_many(&keys).await?;
        Ok(message(id, &values))
    }
}

/// Of values that were read the message of this name, or its tombstone: where there is one, nobody
/// reads the message, though a write that came late may have brought it back.
pub(super) fn message(id: &str, values: &HashMap<String, Vec<u8>>) -> Option<Vec<u8>> {
    let tombstone = values.get(&keys::tombstone(id));
    tombstone.or(values.get(&keys::evidence(id))).cloned()
}

/// Reads a place in the journal, as it is kept by itself.
pub(super) fn read_place(key: &str, bytes: &[u8]) -> Result<u64, StoreError> {
    let number = std::str::from_utf8(bytes).ok();
    let number = number.and_then(|text| text.parse().ok());
    number.ok_or_else(|| StoreError::Corrupt {
        key: key.to_owned(),
        reason: "not a place in the journal".to_owned(),
    })
}

/// The JSON of a record. Records have string keys only, so this cannot fail; if it did, the
/// error would say so rather than stop the program.
pub(super) fn to_json<T: Serialize>(record: &T) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| corrupt("a new record", &error))
}

/// A value that cannot be read or written.
pub(super) fn corrupt(key: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt {
        key: key.to_owned(),
        reason: error.to_string(),
    }
}
