//! Mending what a store without atomics may have lost: an order's or the journal's entry of a
//! payment that is recorded.

use serde::Serialize;

use super::{
    Platform, Store, StoreError, keys,
    list::read_entry,
    payments::{Marker, read_marker},
};
use crate::json::{Event, PaymentJson};

/// Payments looked at by one call.
const PART: usize = 200;

/// What a call found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Repair {
    /// Payments that were looked at.
    pub checked: usize,
    /// Payments of which an entry was missing, and is there again.
    pub repaired: Vec<String>,
    /// Payments whose content is nowhere any more: their evidence is what is left.
    pub lost: Vec<String>,
    /// Where to go on; `None` at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<P: Platform> Store<P> {
    /// Looks at the payments after the key `after` in the order of their keys, and appends again
    /// what is missing. It reads all keys of the store.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; what was repaired until then is.
    pub async fn repair(&self, after: &str) -> Result<Repair, StoreError> {
        let mut markers = self.platform.keys().await?;
        markers.retain(|key| key.starts_with(keys::DONE) && key.as_str() > after);
        markers.sort_unstable();
        let more = markers.len() > PART;
        markers.truncate(PART);
        let values = self.get_many(&markers).await?;
        let mut repair = Repair {
            checked: markers.len(),
            next: markers.last().filter(|_| more).cloned(),
            ..Repair::default()
        };
        for key in &markers {
            let Some(bytes) = values.get(key) else {
                continue;
            };
            let marker = read_marker(key, bytes)?;
            match self.mend(key, marker).await? {
                Mended::Whole => {}
                Mended::Repaired(id) => repair.repaired.push(id),
                Mended::Lost => repair.lost.push(key.clone()),
            }
        }
        Ok(repair)
    }

    async fn mend(&self, key: &str, marker: Marker) -> Result<Mended, StoreError> {
        let place = keys::journal(marker.journal);
        let attempts = keys::attempts_of(key);
        let entered = match self
            .get_many(std::slice::from_ref(&place))
            .await?
            .get(&place)
        {
            Some(bytes) => match read_entry::<Event>(&place, marker.journal, bytes)?.value {
                Event::PaymentRecorded(payment) => {
                    Some(*payment).filter(|payment| keys::is_marker_of(key, payment))
                }
                _ => None,
            },
            None => None,
        };
        let payment = match &entered {
            Some(payment) => payment.clone(),
            None => {
                let attempts = self.read_all::<PaymentJson>(&attempts).await?.entries;
                match attempts
                    .into_iter()
                    .find(|attempt| marker.is_of(&attempt.value))
                {
                    Some(attempt) => attempt.value,
                    None => return Ok(Mended::Lost),
                }
            }
        };
        let corrupt = |errors: Vec<_>| StoreError::Corrupt {
            key: place.clone(),
            reason: format!("{errors:?}"),
        };
        let confirmation = payment.to_confirmation().map_err(corrupt)?;
        let order = self
            .order(&confirmation.service_id, &confirmation.order_key)
            .await?;
        let in_order = order.is_some_and(|order| {
            let mut payments = order.payments.iter();
            payments.any(|known| known.payment_id == payment.payment_id)
        });
        if entered.is_some() && in_order {
            return Ok(Mended::Whole);
        }
        // Our answer is kept under the place in the journal, and goes along.
        let answer = keys::answer(&confirmation.payment_id, marker.journal);
        let answer = self
            .get_many(std::slice::from_ref(&answer))
            .await?
            .remove(&answer);
        self.enter(&confirmation, &payment, answer.as_deref())
            .await?;
        Ok(Mended::Repaired(payment.payment_id))
    }
}

enum Mended {
    Whole,
    Repaired(String),
    Lost,
}
