//! Payments entered by hand: voided, or confirmed by MPay later.

use super::{
    Platform, Precondition, RegisterError, StoreError,
    afterwards::{confirmed_at, confirmed_key, noted_confirmation},
    journal_list::JournalList,
    messages::Evidence,
    order_list::{OrderEntry, OrderList},
    orders::{Change, Orders},
    record::{over_the_log, read},
    stored_order::Depth,
};
use crate::{
    domain::{Confirmation, OrderKey, PaymentId, ServiceId},
    json::{Event, PaymentJson, VoidJson, VoidedJson},
};

over_the_log! {
    /// Payments that were entered by hand.
    pub struct ManualPayments
}

impl<P: Platform> ManualPayments<'_, P> {
    /// Voids a payment that was entered by hand; one that is voided stays as it is. Gives `false` if
    /// it cannot be voided: it is not there any more, or MPay has confirmed it.
    ///
    /// # Errors
    /// [`RegisterError`]; the same again then does it.
    pub async fn void(self, void: &VoidJson) -> Result<bool, RegisterError<()>> {
        let wrong = |_| RegisterError::Unfit(());
        let service = ServiceId::parse(&void.service_id).map_err(wrong)?;
        let key = OrderKey::parse(&void.order_key).map_err(wrong)?;
        let id = PaymentId::parse(&void.payment_id).map_err(wrong)?;
        let voided = Orders::on(self.log)
            .append_seeing(
                Depth::Whole,
                &service,
                &key,
                Precondition::None,
                |stored, place| {
                    let known = stored.payments.iter().zip(stored.state.payments());
                    let mut known = known.filter(|(payment, state)| {
                        let manual = payment.manual.as_ref();
                        state.confirmation.payment_id == id
                            && manual.is_some_and(|manual| manual.proposal == void.proposal)
                    });
                    match known.next() {
                        Some((_, state)) if state.voided.is_some() => Ok(None),
                        Some((payment, _)) if !payment.is_confirmed() => {
                            let effect = stored.state.void_effect(&id);
                            let effect = effect.ok_or(RegisterError::Unfit(()))?;
                            let void = VoidJson {
                                version: Some(place),
                                ..void.clone()
                            };
                            Ok(Some(Change {
                                entry: OrderEntry::Voided(Box::new(VoidedJson::new(
                                    void.clone(),
                                    &effect,
                                ))),
                                event: Event::PaymentVoided(Box::new(void)),
                                others: Vec::new(),
                            }))
                        }
                        _ => Err(RegisterError::Unfit(())),
                    }
                },
            )
            .await;
        match voided {
            Ok(_) => Ok(true),
            Err(RegisterError::Unfit(())) => Ok(false),
            Err(error) => Err(error),
        }
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
        // All of a long order is read once only.
        let list = OrderList::of(service, key);
        if let Some(noted) = noted_confirmation(self.log, id, &list, &kept).await? {
            let event = noted.beside.as_slice();
            return JournalList::on(self.log).make_sure(event).await;
        }
        let noted = Orders::on(self.log)
            .append_seeing(
                Depth::Whole,
                service,
                key,
                Precondition::None,
                |stored, place| {
                    let mut payments = stored.payments.iter().zip(stored.state.payments());
                    let known = payments.find(|(known, _)| known.payment_id == payment.payment_id);
                    // Judged by what stands before its own place, so that of several calls one notes it.
                    if known.is_some_and(|(known, _)| known.is_confirmed()) {
                        return Ok(None);
                    }
                    if known.is_some_and(|(_, state)| state.voided.is_some()) {
                        return Err(RegisterError::Unfit(()));
                    }
                    let record = Box::new(payment.clone());
                    let mut others = evidence.missing(&kept);
                    others.push(confirmed_at(id, place));
                    Ok(Some(Change {
                        entry: OrderEntry::Confirmed(record),
                        event: Event::PaymentConfirmed(Box::new(PaymentJson {
                            version: Some(place),
                            ..payment.clone()
                        })),
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
