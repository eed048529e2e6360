//! Payments that a bank's or the treasury's statement shows.

use super::{
    Platform, Store, StoreError,
    evidence::{read_place, to_json},
    keys,
};
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
        self.enter_with(&event, |place| {
            let mark = place.to_string().into_bytes();
            let marks = settlement.payments.iter().filter_map(|id| {
                let id = PaymentId::parse(id).ok()?;
                Some((keys::settled(&id), mark.clone()))
            });
            marks.collect()
        })
        .await
    }

    /// The statement that shows a payment, for each of some: its place in the journal.
    pub(super) async fn settled(&self, ids: &[PaymentId]) -> Result<Vec<Option<u64>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = ids.iter().map(keys::settled).collect();
        let marks = self.log.get_many(&keys).await?;
        let read = keys.iter().map(|key| {
            let mark = marks.get(key).map(|mark| read_place(key, mark));
            mark.transpose()
        });
        read.collect()
    }
}
