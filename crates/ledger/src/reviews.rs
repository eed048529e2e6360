//! Reviews that a person has closed.

use super::{
    CloseError, Orders, Payments, Platform, Precondition, RegisterError, afterwards::closed_at,
    order_list::OrderEntry, orders::Change, record::over_the_log_and_the_secret,
};
use crate::{
    domain::{PaymentId, Review, Text},
    json::{Event, ReviewClosedJson},
};

over_the_log_and_the_secret! {
    /// The reviews of payments.
    pub struct Reviews
}

impl<P: Platform> Reviews<'_, P> {
    /// Closes a review of a payment; a closed one stays as it is.
    ///
    /// # Errors
    /// [`CloseError`].
    pub async fn close(
        self,
        id: &PaymentId,
        review: Review,
        note: &Text<500>,
        by: &str,
    ) -> Result<(), CloseError> {
        let payment = Payments::on(self.log, self.secrets)
            .get(id)
            .await?
            .ok_or(CloseError::NoPayment)?;
        let confirmation = &payment.state.confirmation;
        let closing = ReviewClosedJson {
            payment_id: Some(id.to_string()),
            service_id: Some(confirmation.service_id.to_string()),
            order_key: Some(confirmation.order_key.to_string()),
            evidence: None,
            reason: review.as_str().to_owned(),
            note: note.as_str().to_owned(),
            by: by.to_owned(),
            version: None,
            entry: None,
        };
        let closed = Orders::on(self.log, self.secrets)
            .append(
                &confirmation.service_id,
                &confirmation.order_key,
                Precondition::None,
                |stored, place| {
                    // A payment that a long order does not show any more is as it was found, unless its
                    // review was closed since.
                    let payment = match stored.state.payment(id) {
                        Some(payment) => payment,
                        None if stored.state.is_whole() => {
                            return Err(RegisterError::Unfit(Vec::new()));
                        }
                        // So many entries came in between that the finding may be outdated.
                        None if stored.folded > payment.until => return Err(RegisterError::Busy),
                        None if stored.afterwards.closed.contains(&(id.clone(), review)) => {
                            return Ok(None);
                        }
                        None if stored.afterwards.voided.contains(id) => {
                            return Err(RegisterError::Unfit(Vec::new()));
                        }
                        None => &payment.state,
                    };
                    // An amendment may have opened a closed review again.
                    if !payment.review.contains(&review) {
                        let mut closed = payment.closed.iter();
                        return match closed.any(|closed| closed.review == review) {
                            true => Ok(None),
                            false => Err(RegisterError::Unfit(payment.review.clone())),
                        };
                    }
                    let closing = Box::new(ReviewClosedJson {
                        version: Some(place),
                        ..closing.clone()
                    });
                    Ok(Some(Change {
                        entry: OrderEntry::Closed(closing.clone()),
                        event: Some(Event::ReviewClosed(closing)),
                        others: vec![closed_at(id, review, place)],
                    }))
                },
            )
            .await;
        match closed {
            Ok(_) => Ok(()),
            Err(RegisterError::Unfit(open)) => Err(CloseError::NotOpen { open }),
            Err(RegisterError::Store(error)) => Err(error.into()),
            Err(_) => Err(CloseError::Busy),
        }
    }
}
