//! Payments that a bank's or the treasury's statement shows.

use super::{Platform, Store, StoreError, evidence::to_json, keys};
use crate::{
    domain::PaymentId,
    json::{Event, SettlementJson},
};

impl<P: Platform> Store<P> {
    /// Marks payments as settled by a statement, all in one batch with the event; gives its place
    /// in the journal. A payment that two statements show is marked by the one written last:
    /// either is true.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept; the same again then does it.
    pub async fn settle(&self, settlement: &SettlementJson) -> Result<u64, StoreError> {
        let event = to_json(&Event::SettlementImported(Box::new(settlement.clone())))?;
        let slot = self.take(keys::JOURNAL).await?;
        let mark = slot.index.to_string().into_bytes();
        let marks = settlement.payments.iter().filter_map(|id| {
            let id = PaymentId::parse(id).ok()?;
            Some((keys::settled(&id), mark.clone()))
        });
        self.fill(&[(&slot, &event)], marks.collect()).await?;
        Ok(slot.index)
    }

    /// The statement that shows a payment, for each of some: its place in the journal.
    pub(super) async fn settled(&self, ids: &[PaymentId]) -> Result<Vec<Option<u64>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = ids.iter().map(keys::settled).collect();
        let marks = self.get_many(&keys).await?;
        let read = keys.iter().map(|key| {
            let Some(mark) = marks.get(key) else {
                return Ok(None);
            };
            let number = std::str::from_utf8(mark)
                .ok()
                .and_then(|text| text.parse().ok());
            let corrupt = || StoreError::Corrupt {
                key: key.clone(),
                reason: "not a place in the journal".to_owned(),
            };
            number.map(Some).ok_or_else(corrupt)
        });
        read.collect()
    }
}
