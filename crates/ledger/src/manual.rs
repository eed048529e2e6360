//! Payments entered by hand: voided, or confirmed by MPay later.

use std::cell::Cell;

use super::{
    Platform, Precondition, RegisterError, StoreError,
    afterwards::{confirmed_at, confirmed_key, noted_confirmation, voided_at},
    attempts::{Attempts, Marker, PaymentName},
    folds::Folds,
    journal_list::JournalList,
    messages::Evidence,
    order_list::{OrderEntry, OrderList},
    orders::{Change, Orders},
    record::{over_the_log_and_the_secret, read},
    stored_order::{Depth, OldPayment, SEGMENT},
};
use crate::{
    domain::{Confirmation, OrderKey, PaymentId, Review, ServiceId},
    json::{Event, PaymentJson, VoidJson, VoidedJson},
};

over_the_log_and_the_secret! {
    /// Payments that were entered by hand.
    pub struct ManualPayments
}

impl<P: Platform> ManualPayments<'_, P> {
    /// Voids a payment that was entered by hand; a voided one stays as it is. Gives `false` if it cannot
    /// be voided: it does not exist any more, or MPay has confirmed it.
    ///
    /// # Errors
    /// [`RegisterError`]; repeating the call then does it.
    pub async fn void(self, void: &VoidJson) -> Result<bool, RegisterError<()>> {
        let wrong = |_| RegisterError::Unfit(());
        let service = ServiceId::parse(&void.service_id).map_err(wrong)?;
        let key = OrderKey::parse(&void.order_key).map_err(wrong)?;
        let id = PaymentId::parse(&void.payment_id).map_err(wrong)?;
        let name = PaymentName::first(&id);
        let Some((place, known)) = self.known(&name).await? else {
            return Ok(false);
        };
        let others_are_needed = Cell::new(false);
        let mut voided = Err(RegisterError::Unfit(()));
        for depth in [Depth::Latest, Depth::Whole] {
            let void = Orders::on(self.log, self.secrets).append_seeing(
                depth,
                &service,
                &key,
                Precondition::None,
                |stored, at| {
                    let here = stored.payment(&name);
                    if here.is_none() && stored.folded > known.until {
                        return Err(RegisterError::Busy);
                    }
                    let is_later = |ids: &[PaymentId]| here.is_none() && ids.contains(&id);
                    let (record, state) = here
                        .as_ref()
                        .map_or((&known.record, &known.state), |(record, state)| {
                            (record, state)
                        });
                    let manual = record.manual.as_ref();
                    if manual.is_none_or(|manual| manual.proposal != void.proposal) {
                        return Err(RegisterError::Unfit(()));
                    }
                    if state.voided.is_some() || is_later(&stored.afterwards.voided) {
                        return Ok(None);
                    }
                    if record.is_confirmed() || is_later(&stored.afterwards.confirmed) {
                        return Err(RegisterError::Unfit(()));
                    }
                    let mut state = state.clone();
                    if here.is_none() {
                        let closed = stored.afterwards.closed.iter();
                        let closed: Vec<_> = closed.filter(|(of, _)| *of == id).collect();
                        let is_open = |review: &Review| !closed.iter().any(|(_, of)| of == review);
                        state.review.retain(is_open);
                    }
                    let effect = stored.state.void_effect(&id);
                    let effect = effect.or_else(|| {
                        // A version or a void behind its segment may have opened a review of it.
                        let end = place.div_ceil(SEGMENT) * SEGMENT;
                        let is_as_it_was = stored.latest <= end && stored.state.voided_count == 0;
                        let was_before = place < stored.latest;
                        (here.is_some() || is_as_it_was)
                            .then(|| stored.state.void_effect_of(&state, was_before))
                            .flatten()
                    });
                    let Some(effect) = effect else {
                        others_are_needed.set(true);
                        return Err(RegisterError::Unfit(()));
                    };
                    let void = VoidJson {
                        version: Some(at),
                        ..void.clone()
                    };
                    let entry = VoidedJson::new(void.clone(), &effect);
                    Ok(Some(Change {
                        entry: OrderEntry::Voided(Box::new(entry)),
                        event: Some(Event::PaymentVoided(Box::new(void))),
                        others: vec![voided_at(&id, at)],
                    }))
                },
            );
            voided = void.await;
            // The whole of a long order is read only if the sums do not tell what the other payments come
            // to.
            if !others_are_needed.take() {
                break;
            }
        }
        match voided {
            Ok(_) => Ok(true),
            Err(RegisterError::Unfit(())) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The place of a payment's entry in its order's list, and the payment.
    async fn known(self, name: &PaymentName) -> Result<Option<(u64, OldPayment)>, StoreError> {
        let marker = Attempts::on(self.log).marker(name).await?;
        let Some((list, place)) = marker.as_ref().and_then(Marker::order) else {
            return Ok(None);
        };
        let known = Folds::on(self.log).payment(&list, place, name).await?;
        Ok(known.map(|known| (place, known)))
    }

    /// Notes, once, that MPay confirms a payment that was entered by hand ([`Recorded::Manual`](super::Recorded::Manual)):
    /// its message is kept, and nothing is paid twice.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept, or the payment was voided a moment ago; MPay must then
    /// come again.
    pub async fn confirm(
        self,
        confirmation: &Confirmation,
        payment: &PaymentJson,
        evidence: &Evidence<'_>,
    ) -> Result<(), StoreError> {
        let (service, key) = (&confirmation.service_id, &confirmation.order_key);
        let id = &confirmation.payment_id;
        let wanted: Vec<_> = evidence
            .keys()
            .into_iter()
            .chain([confirmed_key(id)])
            .collect();
        let kept = read(self.log, &wanted).await?;
        let list = OrderList::of(service, key);
        if let Some(noted) = noted_confirmation(self.log, id, &list, &kept).await? {
            let event = noted.beside.as_slice();
            return JournalList::on(self.log).make_sure(event).await;
        }
        let name = PaymentName::first(id);
        let known = self.known(&name).await?.map(|(_, known)| known);
        let noted = Orders::on(self.log, self.secrets)
            .append_seeing(
                Depth::Latest,
                service,
                key,
                Precondition::None,
                |stored, place| {
                    let here = stored.payment(&name);
                    let until = known.as_ref().map_or(u64::MAX, |known| known.until);
                    if here.is_none() && stored.folded > until {
                        return Err(RegisterError::Busy);
                    }
                    let is_later = |ids: &[PaymentId]| here.is_none() && ids.contains(id);
                    let before = known.as_ref().map(|known| (&known.record, &known.state));
                    let here = here.as_ref().map(|(record, state)| (record, state));
                    let found = here.or(before);
                    // Judged by the entries before its own place, so that one of several calls notes it.
                    if found.is_some_and(|(record, _)| record.is_confirmed())
                        || is_later(&stored.afterwards.confirmed)
                    {
                        return Ok(None);
                    }
                    if found.is_some_and(|(_, state)| state.voided.is_some())
                        || is_later(&stored.afterwards.voided)
                    {
                        return Err(RegisterError::Unfit(()));
                    }
                    let record = Box::new(payment.clone());
                    let mut others = evidence.missing(&kept);
                    others.push(confirmed_at(id, place));
                    Ok(Some(Change {
                        entry: OrderEntry::Confirmed(record),
                        event: Some(Event::PaymentConfirmed(Box::new(PaymentJson {
                            version: Some(place),
                            ..payment.clone()
                        }))),
                        others,
                    }))
                },
            )
            .await;
        match noted {
            Ok(_) => Ok(()),
            Err(RegisterError::Store(error)) => Err(error),
            Err(_) => Err(StoreError::InProgress(format!(
                "payment {}",
                payment.payment_id
            ))),
        }
    }
}
