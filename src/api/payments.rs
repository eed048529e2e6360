//! `/api/payments`: what was paid, in the order of its recording.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{
    Call, Problem, json,
    query::{Query, page},
    reviews::ReviewsAnswer,
};
use crate::{
    domain::PaymentId,
    json::{Event, PaymentJson},
    store::{Platform, StoredPayment},
};

#[derive(Serialize)]
struct PaymentsAnswer {
    payments: Vec<PaymentAnswer>,
    next: u64,
}

/// A payment as the API answers it.
#[derive(Serialize)]
struct PaymentAnswer {
    /// Its place in the journal.
    index: u64,
    #[serde(flatten)]
    payment: PaymentJson,
    #[serde(flatten)]
    reviews: ReviewsAnswer,
}

impl From<StoredPayment> for PaymentAnswer {
    fn from(stored: StoredPayment) -> Self {
        Self {
            index: stored.index,
            payment: stored.payment,
            reviews: ReviewsAnswer::from(&stored.state),
        }
    }
}

/// Answers payments in the order of their recording.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let (after, limit) = page(&Query::read(call.query, &["after", "limit"])?)?;
    let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
    let page = call.store.journal(after, limit, wanted).await?;
    let payments = call.store.payments(page.entries).await?;
    let answer = PaymentsAnswer {
        payments: payments.into_iter().map(PaymentAnswer::from).collect(),
        next: page.next,
    };
    json(StatusCode::OK, &answer)
}

/// Answers one payment.
pub async fn get<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
) -> Result<Response<Bytes>, Problem> {
    let payment = call.store.payment(id).await?;
    let payment = payment.ok_or_else(no_such_payment)?;
    json(StatusCode::OK, &PaymentAnswer::from(payment))
}

pub(super) fn no_such_payment() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "No payment of this PaymentID is recorded.",
    )
}
