//! `/api/payments`: what was paid, in the order of its recording.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{
    Call, Problem, json,
    query::{OpenReview, Query, page, span},
    reviews::ReviewsAnswer,
};
use crate::{
    domain::PaymentId,
    json::{Event, PaymentJson},
    store::{JournalPage, Platform, Span, StoredPayment},
};

/// How many payments one call looks at.
const MOST: usize = 200;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PaymentsAnswer {
    payments: Vec<PaymentAnswer>,
    next: u64,
}

/// A payment as the API answers it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PaymentAnswer {
    /// Its place in the journal.
    index: u64,
    #[serde(flatten)]
    payment: PaymentJson,
    #[serde(flatten)]
    reviews: ReviewsAnswer,
    /// The event of the statement that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<u64>,
}

impl From<StoredPayment> for PaymentAnswer {
    fn from(stored: StoredPayment) -> Self {
        Self {
            index: stored.index,
            payment: stored.payment,
            reviews: ReviewsAnswer::from(&stored.state),
            settlement: stored.settled,
        }
    }
}

/// Answers payments in the order of their recording.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::read(call.query, &["after", "limit", "from", "to", "review"])?;
    let (after, limit) = page(&query)?;
    let span = span(&query, "from", "to")?;
    let review = OpenReview::read(&query)?;
    // Who wants only some is given them out of a whole page.
    let looked_at = if review.is_some() { MOST } else { limit };
    let page = recorded(call, after, looked_at, span).await?;
    let mut next = page.next;
    let mut payments = call.store.payments(page.entries).await?;
    if let Some(review) = review {
        payments.retain(|payment| review.is_of(&payment.state));
        if let Some(beyond) = payments.get(limit) {
            next = beyond.index - 1;
            payments.truncate(limit);
        }
    }
    let payments = payments.into_iter().map(PaymentAnswer::from).collect();
    json(StatusCode::OK, &PaymentsAnswer { payments, next })
}

/// Payments that were recorded in `span`, after a place in the journal.
pub(super) async fn recorded<P: Platform>(
    call: &Call<'_, P>,
    after: u64,
    limit: usize,
    span: Span,
) -> Result<JournalPage, Problem> {
    let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
    Ok(call.store.journal(after, limit, span, wanted).await?)
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
