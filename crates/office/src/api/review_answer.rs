//! The reviews of a payment or a refused confirmation, as the API answers them.

use serde::Serialize;

use crate::{
    domain::{RecordedPayment, time},
    store::{ClosedBy, ClosedRefusal},
};

/// The reviews of a payment or a refused confirmation, as the API answers them.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct ReviewsAnswer {
    /// The flags that are open.
    review: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    closed_reviews: Vec<ClosedAnswer>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct ClosedAnswer {
    reason: &'static str,
    note: String,
    closed_at: String,
    /// Name of the principal who closed the flag; absent if no person closed it, and then `recorded` names the
    /// payment that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// The place in the journal of the payment that was refused at first and recorded later.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<u64>,
}

impl From<&RecordedPayment> for ReviewsAnswer {
    fn from(payment: &RecordedPayment) -> Self {
        let review = payment.review.iter().map(|review| review.as_str());
        let closed = payment.closed.iter().map(|closed| ClosedAnswer {
            reason: closed.review.as_str(),
            note: closed.note.as_str().to_owned(),
            closed_at: time::format(closed.closed_at),
            by: Some(closed.by.clone()),
            recorded: None,
        });
        Self {
            review: review.collect(),
            closed_reviews: closed.collect(),
        }
    }
}

/// The only flag that a refused confirmation has.
pub(super) const REFUSED: &str = "refused";

impl ReviewsAnswer {
    /// The reviews of a refused confirmation.
    pub fn of_refusal(closed: Option<ClosedRefusal>) -> Self {
        match closed {
            None => Self {
                review: vec![REFUSED],
                closed_reviews: vec![],
            },
            Some(closed) => {
                let (note, by, recorded) = match closed.by {
                    ClosedBy::Person { note, by } => (note, Some(by), None),
                    ClosedBy::Payment { recorded } => {
                        let note = "The payment was recorded later.".to_owned();
                        (note, None, Some(recorded))
                    }
                };
                Self {
                    review: vec![],
                    closed_reviews: vec![ClosedAnswer {
                        reason: REFUSED,
                        note,
                        closed_at: time::format(closed.closed_at),
                        by,
                        recorded,
                    }],
                }
            }
        }
    }
}
