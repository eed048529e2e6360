//! Signed messages kept as evidence, and what was refused.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Platform, Store, StoreError, keys};
use crate::{digest::hex, json::SignerJson};

/// A signed message to be kept: once for each payment, content and verdict, since MPay repeats a
/// refused call for ever, with new bytes each time.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    id: String,
    message: &'a [u8],
}

impl<'a> Evidence<'a> {
    /// Evidence for a verdict (`accepted`, or the fault's code) on `content`, the canonical form
    /// of the signed operation.
    pub fn new(message: &'a [u8], payment_id: &str, content: &[u8], verdict: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [payment_id.as_bytes(), verdict.as_bytes(), content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let id = hex(&hash.finalize());
        Self { id, message }
    }

    /// Its name, in hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn entry(&self) -> (String, Vec<u8>) {
        (keys::evidence(&self.id), self.message.to_vec())
    }
}

/// A confirmation that MPay signed and this provider refused, for people to sort out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `PaymentID`, where the message has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    /// `ServiceID`, where the message has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// `OrderKey`, where the message has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Code of the fault that MPay got.
    pub code: String,
    /// Its text.
    pub reason: String,
    /// When the message came in.
    pub received_at: String,
    /// Who signed it.
    pub signer: SignerJson,
    /// Name of the signed message among the evidence.
    pub evidence: String,
}

impl<P: Platform> Store<P> {
    /// Keeps a refused message, once. Gives `false` if it is there already.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept.
    pub async fn refuse(
        &self,
        refusal: &Refusal,
        evidence: &Evidence<'_>,
    ) -> Result<bool, StoreError> {
        if self.evidence(evidence.id()).await?.is_some() {
            return Ok(false);
        }
        let slot = self.take(keys::REFUSALS).await?;
        self.fill(&[(&slot, &to_json(refusal)?)], vec![evidence.entry()])
            .await?;
        Ok(true)
    }

    /// A message kept as evidence.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn evidence(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = keys::evidence(id);
        Ok(self
            .get_many(std::slice::from_ref(&key))
            .await?
            .remove(&key))
    }

    /// Refused confirmations after the cursor `after`, and the cursor to go on from. One kept
    /// twice by calls at the same time is given twice; `evidence` tells.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn refusals(
        &self,
        after: u64,
        limit: u64,
    ) -> Result<(Vec<Refusal>, u64), StoreError> {
        let listing = self
            .read_after::<Refusal>(keys::REFUSALS, after, limit)
            .await?;
        let cursor = listing.cursor();
        Ok((
            listing
                .entries
                .into_iter()
                .map(|entry| entry.value)
                .collect(),
            cursor,
        ))
    }
}

/// The JSON of a record. Records have string keys only, so this cannot fail; if it did, the
/// error would say so rather than stop the program.
pub(super) fn to_json<T: Serialize>(record: &T) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| StoreError::Corrupt {
        key: "a new record".to_owned(),
        reason: error.to_string(),
    })
}
