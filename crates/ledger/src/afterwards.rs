//! Notes of changes to a payment long after it was recorded, under the payment's id. A long order shows
//! only its latest payments, and these notes are found without reading all of its list.

use mpay_log::{Entry, Log};

use super::{
    Platform, StoreError, keys,
    order_list::{OrderEntry, OrderList, OrderLists},
    record::{Key, Values, Write, place_bytes, read_place},
};
use crate::domain::{PaymentId, Review};

fn closed(id: &PaymentId, review: Review) -> String {
    let id = keys::encode(id.as_str());
    format!("{}/{id}/{}", keys::CLOSED, review.as_str())
}

fn confirmed(id: &PaymentId) -> String {
    format!("{}/{}", keys::CONFIRMED, keys::encode(id.as_str()))
}

fn voided(id: &PaymentId) -> String {
    format!("{}/{}", keys::VOIDED, keys::encode(id.as_str()))
}

fn changed(id: &PaymentId) -> String {
    format!("{}/{}", keys::CHANGED, keys::encode(id.as_str()))
}

/// The key of the note that a refund or another review came to a payment.
pub(super) fn changed_key(id: &PaymentId) -> Key {
    Key::new(changed(id))
}

/// The note that a refund or another review came to a payment at this place of its order's list. There
/// may be several, so the note says only that the list must be read.
pub(super) fn changed_at(id: &PaymentId, place: u64) -> Write {
    (changed(id), place_bytes(place))
}

/// The key of the note of the place in its order's list at which a review of a payment was closed.
pub(super) fn closed_key(id: &PaymentId, review: Review) -> Key {
    Key::new(closed(id, review))
}

/// The note that a review of a payment is closed at this place of its order's list.
pub(super) fn closed_at(id: &PaymentId, review: Review, place: u64) -> Write {
    (closed(id, review), place_bytes(place))
}

/// The key of the note of the place in its order's list at which MPay confirmed a payment that was
/// entered by hand.
pub(super) fn confirmed_key(id: &PaymentId) -> Key {
    Key::new(confirmed(id))
}

/// The note that MPay's confirmation stands at this place of the order's list.
pub(super) fn confirmed_at(id: &PaymentId, place: u64) -> Write {
    (confirmed(id), place_bytes(place))
}

/// The key of the note of the place in its order's list at which a payment that was entered by hand was
/// voided.
pub(super) fn voided_key(id: &PaymentId) -> Key {
    Key::new(voided(id))
}

/// The note that a payment is voided at this place of its order's list.
pub(super) fn voided_at(id: &PaymentId, place: u64) -> Write {
    (voided(id), place_bytes(place))
}

/// MPay's confirmation of a payment, if one of the values notes it in this list.
pub(super) async fn noted_confirmation<P: Platform>(
    log: &Log<P>,
    id: &PaymentId,
    list: &OrderList,
    values: &Values,
) -> Result<Option<Entry<OrderEntry>>, StoreError> {
    let key = confirmed_key(id);
    let Some(place) = values.get(&key) else {
        return Ok(None);
    };
    let place = read_place(&key, place)?;
    let part = OrderLists::on(log).part(list, place, 1).await?;
    Ok(part.entries.into_iter().next())
}
