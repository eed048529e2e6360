//! Signed messages kept as evidence, and what was refused.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Platform, Store, StoreError, keys};
use crate::{
    digest::hex,
    json::{Event, RefusalJson},
};

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

impl<P: Platform> Store<P> {
    /// Keeps a refused message, once. Gives `false` if it is there already.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept.
    pub async fn refuse(
        &self,
        refusal: &RefusalJson,
        evidence: &Evidence<'_>,
    ) -> Result<bool, StoreError> {
        if self.evidence(evidence.id()).await?.is_some() {
            return Ok(false);
        }
        let event = to_json(&Event::PaymentRefused(Box::new(refusal.clone())))?;
        let slot = self.take(keys::JOURNAL).await?;
        self.fill(&[(&slot, &event)], vec![evidence.entry()])
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
}

/// The JSON of a record. Records have string keys only, so this cannot fail; if it did, the
/// error would say so rather than stop the program.
pub(super) fn to_json<T: Serialize>(record: &T) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| StoreError::Corrupt {
        key: "a new record".to_owned(),
        reason: error.to_string(),
    })
}
