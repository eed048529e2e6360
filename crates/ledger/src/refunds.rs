//! Refunds: money of a payment that was given back.

use super::{
    Orders, Payments, Platform, Precondition, RegisterError, StoreError, StoredOrder,
    afterwards::changed_at,
    attempts::PaymentName,
    messages::Evidence,
    order_list::OrderEntry,
    orders::Change,
    record::{over_the_log_and_the_secret, read},
};
use crate::{
    domain::{Money, OrderKey, PaymentId, RecordedPayment, Review, ServiceId},
    json::{Event, PaymentLineJson, RefundJson, RefundedJson, ReviewOpenedJson},
};

over_the_log_and_the_secret! {
    /// Refunds, and other facts about a payment that come to be known after it was recorded.
    pub struct Refunds
}

/// The outcome of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refunded {
    /// It is noted now.
    New,
    /// The same amount, or less, remained already.
    Known,
    /// No payment of this id counts.
    NoPayment,
}

impl<P: Platform> Refunds<'_, P> {
    /// Notes that money of a payment was given back. `refund` says what remains of it; the refund's
    /// amount and lines follow from the refunds before. Noting the same again changes nothing.
    ///
    /// # Errors
    /// [`RegisterError`]; repeating the call then does it.
    pub async fn refund(
        self,
        refund: &RefundJson,
        evidence: &Evidence<'_>,
    ) -> Result<Refunded, RegisterError<()>> {
        let wrong = |_| RegisterError::Unfit(());
        let id = PaymentId::parse(&refund.payment_id).map_err(wrong)?;
        let remaining = Money::parse(&refund.remaining).map_err(|_| RegisterError::Unfit(()))?;
        let Some(known) = self.known(&id).await? else {
            return Ok(Refunded::NoPayment);
        };
        let kept = read(self.log, &evidence.keys()).await?;
        let (service, key) = known.address();
        let appended = Orders::on(self.log, self.secrets)
            .append(service, key, Precondition::None, |stored, place| {
                let payment = known.now(stored, &id)?;
                if payment.voided.is_some() {
                    return Err(RegisterError::Unfit(()));
                }
                let was = payment.remaining();
                if remaining >= was {
                    return Ok(None);
                }
                let effect = stored
                    .state
                    .refund_effect(&payment, remaining, self.log.now());
                let refund = RefundJson {
                    amount: effect.amount.to_string(),
                    remaining: remaining.to_string(),
                    lines: given_back(&known.lines, was, remaining),
                    version: Some(place),
                    ..refund.clone()
                };
                let mut others = evidence.missing(&kept);
                others.push(changed_at(&id, place));
                Ok(Some(Change {
                    entry: OrderEntry::Refunded(Box::new(RefundedJson::new(
                        refund.clone(),
                        &effect.reviews,
                    ))),
                    event: Some(Event::PaymentRefunded(Box::new(refund))),
                    others,
                }))
            })
            .await;
        match appended {
            Ok(Some(_)) => Ok(Refunded::New),
            Ok(None) => Ok(Refunded::Known),
            Err(RegisterError::Unfit(())) => Ok(Refunded::NoPayment),
            Err(error) => Err(error),
        }
    }

    /// Opens a review of a payment. A review that is open, or that a person has closed, stays as it is,
    /// since each look at the gateway sees the same again. `false` if there is nothing to open.
    ///
    /// # Errors
    /// [`RegisterError`]; repeating the call then does it.
    pub async fn open(
        self,
        id: &PaymentId,
        review: Review,
        evidence: &Evidence<'_>,
    ) -> Result<bool, RegisterError<()>> {
        let Some(known) = self.known(id).await? else {
            return Ok(false);
        };
        let kept = read(self.log, &evidence.keys()).await?;
        let (service, key) = known.address();
        let appended = Orders::on(self.log, self.secrets)
            .append(service, key, Precondition::None, |stored, place| {
                let payment = known.now(stored, id)?;
                let mut closed = payment.closed.iter();
                let is_known = payment.review.contains(&review)
                    || closed.any(|closed| closed.review == review);
                // Also for a payment of which nothing remains: if the bank took it back as well, or the
                // money is there again, a person must look for that money.
                if is_known || payment.voided.is_some() {
                    return Ok(None);
                }
                let opened = Box::new(ReviewOpenedJson {
                    payment_id: id.to_string(),
                    service_id: service.to_string(),
                    order_key: key.to_string(),
                    reason: review.as_str().to_owned(),
                    evidence: evidence.id().to_owned(),
                    version: Some(place),
                });
                let mut others = evidence.missing(&kept);
                others.push(changed_at(id, place));
                Ok(Some(Change {
                    entry: OrderEntry::Opened(opened.clone()),
                    event: Some(Event::ReviewOpened(opened)),
                    others,
                }))
            })
            .await;
        match appended {
            Ok(opened) => Ok(opened.is_some()),
            Err(RegisterError::Unfit(())) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The payment of this id, as it is before anything is judged.
    async fn known(self, id: &PaymentId) -> Result<Option<Known>, StoreError> {
        let payment = Payments::on(self.log, self.secrets).get(id).await?;
        Ok(payment.map(|payment| {
            let amounts = payment
                .state
                .confirmation
                .lines
                .iter()
                .map(|line| line.amount);
            Known {
                until: payment.until,
                after_void: payment.payment.after_void,
                lines: amounts.zip(payment.payment.lines).collect(),
                state: payment.state,
            }
        }))
    }
}

/// A payment that was looked up.
struct Known {
    until: u64,
    after_void: bool,
    /// Its lines, each with its amount.
    lines: Vec<(Money, PaymentLineJson)>,
    state: RecordedPayment,
}

/// The amount of each line of a payment that is given back when its remaining amount falls from `was` to
/// `remaining`. The remaining amount fills the lines from the first on, like a payment, so if nothing
/// remains each line was given back in full, in however many parts.
fn given_back(
    lines: &[(Money, PaymentLineJson)],
    was: Money,
    remaining: Money,
) -> Vec<PaymentLineJson> {
    let (mut was, mut remaining) = (was, remaining);
    let take = |left: &mut Money, of: Money| {
        let part = of.min(*left);
        *left = left.saturating_sub(part);
        part
    };
    let mut given_back = Vec::new();
    for (amount, line) in lines {
        let had = take(&mut was, *amount);
        let part = had.saturating_sub(take(&mut remaining, *amount));
        if !part.is_zero() {
            given_back.push(PaymentLineJson {
                amount: part.to_string(),
                properties: Vec::new(),
                ..line.clone()
            });
        }
    }
    given_back
}

impl Known {
    fn address(&self) -> (&ServiceId, &OrderKey) {
        let confirmation = &self.state.confirmation;
        (&confirmation.service_id, &confirmation.order_key)
    }

    /// The payment as the entries before a change show it. A payment that a long order does not show any
    /// more is as it was found, unless something came to it since.
    fn now(
        &self,
        stored: &StoredOrder,
        id: &PaymentId,
    ) -> Result<RecordedPayment, RegisterError<()>> {
        let name = PaymentName {
            id: id.clone(),
            after_void: self.after_void,
        };
        if let Some((_, payment)) = stored.payment(&name) {
            return Ok(payment);
        }
        if stored.state.is_whole() {
            return Err(RegisterError::Unfit(()));
        }
        // So many entries came in between that the finding may be outdated.
        let mut changed = stored.afterwards.changed.iter();
        if stored.folded > self.until || changed.any(|(of, place)| of == id && *place > self.until)
        {
            return Err(RegisterError::Busy);
        }
        let mut payment = self.state.clone();
        let closed = stored.afterwards.closed.iter();
        for (_, review) in closed.filter(|(of, _)| of == id) {
            payment.review.retain(|open| open != review);
        }
        Ok(payment)
    }
}
