//! `/api/payments`: payments, in the order of their recording.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    endpoint::Endpoint,
    json,
    query::{OpenReview, Query, Reached, page, span},
    review_answer::ReviewsAnswer,
};
use crate::{
    access::EVERYBODY,
    domain::{PaymentId, Refund, ServiceId, Voided, time},
    json::{Channel, Event, PaymentJson},
    store::{JournalPage, Platform, Span, StoredPayment},
};

/// The most payments that one call with the parameter `review` looks through.
const MOST: usize = 200;

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct PaymentsAnswer {
    payments: Vec<PaymentAnswer>,
    #[serde(flatten)]
    reached: Reached,
}

/// A payment as the API answers it.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct PaymentAnswer {
    /// The payment's place in the journal.
    index: u64,
    /// The channel by which the payment came.
    channel: Channel,
    #[serde(flatten)]
    payment: PaymentJson,
    #[serde(flatten)]
    reviews: ReviewsAnswer,
    /// The place in the journal of the event for the statement that shows the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voided: Option<VoidedAnswer>,
    /// The refunds of the payment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<RefundAnswer>,
}

/// A refund of a payment.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RefundAnswer {
    at: String,
    /// The amount refunded.
    amount: String,
    /// The amount of the payment that remains after this refund.
    remaining: String,
    /// The reason; absent if the refund was made outside this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Name of the principal who made the refund; absent if it was made outside this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// The banks' reference number of the refund, if it has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    rrn: Option<String>,
}

impl From<&Refund> for RefundAnswer {
    fn from(refund: &Refund) -> Self {
        Self {
            at: time::format(refund.at),
            amount: refund.amount.to_string(),
            remaining: refund.remaining.to_string(),
            note: refund.note.as_ref().map(|note| note.as_str().to_owned()),
            by: refund.by.clone(),
            rrn: refund.rrn.clone(),
        }
    }
}

/// The void of a payment that was entered by hand: the payment no longer counts.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct VoidedAnswer {
    at: String,
    note: String,
    proposed_by: String,
    approved_by: String,
}

impl From<&Voided> for VoidedAnswer {
    fn from(voided: &Voided) -> Self {
        Self {
            at: time::format(voided.at),
            note: voided.note.as_str().to_owned(),
            proposed_by: voided.proposed_by.clone(),
            approved_by: voided.approved_by.clone(),
        }
    }
}

impl From<StoredPayment> for PaymentAnswer {
    fn from(stored: StoredPayment) -> Self {
        Self {
            index: stored.index,
            channel: stored.payment.channel(),
            payment: stored.payment,
            reviews: ReviewsAnswer::from(&stored.state),
            settlement: stored.settled,
            voided: stored.state.voided.as_ref().map(VoidedAnswer::from),
            refunds: stored
                .state
                .refunds
                .iter()
                .map(RefundAnswer::from)
                .collect(),
        }
    }
}

/// `GET /api/payments`.
pub const fn list_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "payments",
        roles: &EVERYBODY,
        parameters: &["cursor", "limit", "from", "to", "review"],
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "listPayments", "Payments, in the order of their recording")
            .describe("The list ends when `next` is absent; a page may be empty. Keep `cursor` to read later payments. No payment is ever skipped.")
            .takes(["cursor", "limit", "from", "to", "review"])
            .answers(200, "A page.", as_json(schemas.answer::<PaymentsAnswer>()))
        },
    }
}

/// Answers payments in the order of their recording.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let (place, limit) = page(call, &query).await?;
    let span = span(&query, "from", "to")?;
    let review = OpenReview::read(&query)?;
    // A caller with a filter receives the matching payments of a whole page.
    let looked_at = if review.is_some() { MOST } else { limit };
    let page = recorded(call, place, looked_at, span).await?;
    let mut end = page.next;
    let mut payments = call.store.payments().of(page.entries).await?;
    if let Some(review) = review {
        payments.retain(|payment| review.is_of(&payment.state));
        if let Some(beyond) = payments.get(limit) {
            end = beyond.index - 1;
            payments.truncate(limit);
        }
    }
    let payments = payments.into_iter().map(PaymentAnswer::from).collect();
    let reached = Reached::new(call, place, end).await?;
    json(StatusCode::OK, &PaymentsAnswer { payments, reached })
}

/// Payments recorded in `span`, after a place in the journal.
pub(super) async fn recorded<P: Platform>(
    call: &Call<'_, P>,
    after: u64,
    limit: usize,
    span: Span,
) -> Result<JournalPage, Problem> {
    let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
    let page = call
        .store
        .journal()
        .read(after, limit, span, wanted)
        .await?;
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    Ok(page)
}

/// `GET /api/payments/{id}`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "payments/{id}",
        roles: &EVERYBODY,
        parameters: &[],
        answer: |call, values, _| Box::pin(async move { get(call, &values.id()?).await }),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "getPayment", "A payment")
                .takes(["id"])
                .answers(
                    200,
                    "The payment.",
                    as_json(schemas.answer::<PaymentAnswer>()),
                )
                .fails([404])
        },
    }
}

/// Answers one payment.
pub async fn get<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
) -> Result<Response<Bytes>, Problem> {
    let payment = call.store.payments().get(id).await?;
    answer(payment.ok_or_else(no_such_payment)?)
}

/// Answers a payment that was already read.
pub(super) fn answer(payment: StoredPayment) -> Result<Response<Bytes>, Problem> {
    json(StatusCode::OK, &PaymentAnswer::from(payment))
}

/// The account of each line, as it was recorded. Older records have no accounts; then it is the account in the
/// order's latest version that has the line, or else the service's present account.
pub(super) fn accounts<P: Platform>(
    call: &Call<'_, P>,
    stored: &StoredPayment,
) -> Vec<Option<String>> {
    let service = ServiceId::parse(&stored.payment.service_id).ok();
    let service = service.and_then(|id| call.config.service(&id));
    let default = service.and_then(|service| service.account.as_ref());
    let lines = stored.payment.lines.iter().enumerate();
    let accounts = lines.map(|(position, line)| {
        let account = stored.accounts.get(position).and_then(Option::as_ref);
        let account = account.or(default);
        let iban = account.and_then(|account| account.bank_account());
        let iban = iban.map(|iban| iban.as_str().to_owned());
        line.bank_account.clone().or(iban)
    });
    accounts.collect()
}

pub(super) fn no_such_payment() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "No payment of this PaymentID is recorded.",
    )
}
