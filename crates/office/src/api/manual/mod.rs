//! `/api/payments/manual`: payments that MPay did not confirm, entered and voided by two people. The first
//! person proposes, in this file; the second person approves, in `approval`.

mod approval;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{
    Call, Effort, Problem,
    document::read_object,
    endpoint::Endpoint,
    json, payments,
    query::{Query, below, next_if_any},
    reviews,
};
use crate::{
    access::{BOOKKEEPERS, EVERYBODY},
    domain::{Confirmation, OrderKey, PaymentId, ServiceId, Text, time},
    json::{
        FieldError, MetadataJson, PaymentJson, PaymentLineJson, PaymentPropertyJson, ProposalJson,
        VoidProposalJson,
    },
    store::{self, Decision, Places, Platform, StoredOrder, StoredProposal},
};

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
pub use approval::approve_endpoint;

/// A payment, as a person enters it.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Proposed {
    payment_id: Option<String>,
    service_id: Option<String>,
    order_key: Option<String>,
    invoice_id: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    paid_at: Option<String>,
    lines: Option<Vec<ProposedLine>>,
    note: Option<String>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ProposedLine {
    line_id: String,
    amount: String,
    #[serde(default)]
    properties: Vec<PaymentPropertyJson>,
}

impl From<ProposedLine> for PaymentLineJson {
    fn from(line: ProposedLine) -> Self {
        Self {
            line_id: line.line_id,
            amount: line.amount,
            bank_account: None,
            properties: line.properties,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct ProposalAnswer {
    /// The number by which the proposal is approved: its place in the journal.
    id: u64,
    proposed_at: String,
    #[serde(flatten)]
    proposed: ProposedAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_by: Option<String>,
    /// True if the proposal is approved, but what it proposes was not done: the store failed, or something else
    /// came between. Approve it again, or withdraw it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    not_carried_out: bool,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum ProposedAnswer {
    /// A proposal to enter a payment.
    Payment(ProposalJson),
    /// A proposal to void the payment that an earlier `proposal` entered.
    Void(VoidProposalJson),
}

impl From<StoredProposal> for ProposalAnswer {
    fn from(stored: StoredProposal) -> Self {
        let not_carried_out = stored.is_unfinished();
        let mut answer = Self {
            not_carried_out,
            id: stored.index,
            proposed_at: time::format(stored.proposed_at),
            proposed: match stored.proposed {
                store::Proposed::Payment(proposal) => ProposedAnswer::Payment(proposal),
                store::Proposed::Void(proposal) => ProposedAnswer::Void(proposal),
            },
            approved_at: None,
            approved_by: None,
            withdrawn_at: None,
            withdrawn_by: None,
        };
        match stored.decided {
            Some((at, Decision::Approved { by })) => {
                (answer.approved_at, answer.approved_by) = (Some(time::format(at)), Some(by));
            }
            Some((at, Decision::Withdrawn { by })) => {
                (answer.withdrawn_at, answer.withdrawn_by) = (Some(time::format(at)), Some(by));
            }
            Some((_, Decision::Void)) | None => {}
        }
        answer
    }
}

/// `POST /api/payments/manual`.
pub const fn propose_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "payments/manual",
        roles: &BOOKKEEPERS,
        parameters: &[],
        answer: |call, _, body| Box::pin(propose(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "proposePayment", "Proposes a payment that MPay did not confirm")
            .describe("The payment is judged by the rules for MPay's confirmations. It does not count until another person, a manager, approves the proposal, and never if the proposal is withdrawn. `lines` are required if the order has several.")
            .body(as_json(schemas.request::<Proposed>()))
            .answers(201, "The proposal.", as_json(schemas.answer::<ProposalAnswer>()))
            .header(201, "Location", true, "The proposal's address.")
            .fails([404, 409, 413, 422])
        },
    }
}

/// Proposes a payment. It pays nothing before it is approved.
pub async fn propose<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let proposed: Proposed = read_object(body)?;
    let missing = |field| FieldError::new(field, "is missing");
    let mut errors: Vec<_> = [
        ("payment_id", &proposed.payment_id),
        ("service_id", &proposed.service_id),
        ("order_key", &proposed.order_key),
        ("amount", &proposed.amount),
        ("paid_at", &proposed.paid_at),
        ("note", &proposed.note),
    ]
    .into_iter()
    .filter(|(_, member)| member.is_none())
    .map(|(field, _)| missing(field))
    .collect();
    let note = proposed.note.as_deref().map(Text::<500>::parse);
    if let Some(Err(error)) = &note {
        errors.push(FieldError::new("note", error));
    }
    let amount = proposed.amount.unwrap_or_default();
    let of_only_line = proposed.lines.is_none();
    let lines = proposed.lines.unwrap_or_default();
    let mut proposal = ProposalJson {
        payment_id: proposed.payment_id.unwrap_or_default(),
        service_id: proposed.service_id.unwrap_or_default(),
        order_key: proposed.order_key.unwrap_or_default(),
        invoice_id: proposed.invoice_id,
        currency: proposed.currency.unwrap_or_else(|| "MDL".to_owned()),
        paid_at: proposed.paid_at.unwrap_or_default(),
        lines: lines.into_iter().map(PaymentLineJson::from).collect(),
        amount,
        note: match note {
            Some(Ok(note)) => note.as_str().to_owned(),
            _ => String::new(),
        },
        by: call.caller.name.clone(),
    };
    if of_only_line {
        proposal.lines.push(PaymentLineJson {
            // The order tells which line it is, when the proposal is approved.
            line_id: "1".to_owned(),
            amount: proposal.amount.clone(),
            bank_account: None,
            properties: Vec::new(),
        });
    }
    match unsigned(&proposal, call).to_confirmation() {
        Ok(confirmation) if confirmation.is_plausible(call.store.now()) => {}
        Ok(_) => errors.push(FieldError::new(
            "paid_at",
            "cannot be: it is before 2013, or more than a day ahead",
        )),
        Err(mut wrong) => {
            wrong.retain(|error| {
                let is_of_line = of_only_line && error.field.starts_with("lines");
                !is_of_line && errors.iter().all(|known| known.field != error.field)
            });
            errors.extend(wrong);
        }
    }
    if !errors.is_empty() {
        return Err(Problem::fields(errors));
    }
    if of_only_line {
        let line_id = only_line(call, &proposal).await?;
        for line in &mut proposal.lines {
            line.line_id.clone_from(&line_id);
        }
    }
    let (confirmation, _) = judge(call, &proposal).await?;
    refuse_recorded(call, &confirmation).await?;
    normalise(&mut proposal, &confirmation);
    let id = call
        .store
        .proposals()
        .propose(&store::Proposed::Payment(proposal))
        .await?;
    created(call, id).await
}

async fn created<P: Platform>(call: &Call<'_, P>, id: u64) -> Result<Response<Bytes>, Problem> {
    let mut response = answer(call, StatusCode::CREATED, id).await?;
    let address = HeaderValue::from_str(&format!("/api/payments/manual/{id}"));
    let address = address.map_err(Problem::internal)?;
    response.headers_mut().insert(header::LOCATION, address);
    Ok(response)
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct ProposalsAnswer {
    proposals: Vec<ProposalAnswer>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /api/payments/manual`.
pub const fn list_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "payments/manual",
        roles: &EVERYBODY,
        parameters: &["open", "cursor", "limit"],
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "listProposals", "Proposals, the newest first")
                .describe("A page may be empty; the list ends when `next` is absent.")
                .takes(["open", "cursor", "limit"])
                .answers(200, "A page.", as_json(schemas.answer::<ProposalsAnswer>()))
        },
    }
}

/// Answers proposals.
pub async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let is_open = query.word("open", &[("true", true), ("false", false)])?;
    let limit = query.number("limit", 100, 1..=200)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let before = below(call, &query).await?;
    let proposals = call.store.proposals();
    let known = match (call.effort, is_open, before) {
        (Effort::BESIDE, Some(true), None) => {
            // What was noted when orders were looked for beside it.
            let found = call
                .store
                .open_reviews()
                .read_within(&Places::new(0))
                .await?;
            (!found.is_stuck).then_some(found)
        }
        _ => None,
    };
    let page = match known {
        Some(found) => {
            let (places, floor) = (&found.proposals, found.proposals_floor);
            proposals.known(places, floor, limit).await?
        }
        None => proposals.read(before, limit, is_open == Some(true)).await?,
    };
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    let answer = ProposalsAnswer {
        proposals: page
            .proposals
            .into_iter()
            .map(ProposalAnswer::from)
            .collect(),
        next: next_if_any(call, page.next).await?,
    };
    json(StatusCode::OK, &answer)
}

/// `GET /api/payments/manual/{index}`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "payments/manual/{index}",
        roles: &EVERYBODY,
        parameters: &[],
        answer: |call, values, _| Box::pin(async move { get(call, values.index()?).await }),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "getProposal", "A proposal, and its outcome")
                .takes(["index"])
                .answers(
                    200,
                    "The proposal.",
                    as_json(schemas.answer::<ProposalAnswer>()),
                )
                .fails([404])
        },
    }
}

/// Answers a proposal.
pub async fn get<P: Platform>(call: &Call<'_, P>, id: u64) -> Result<Response<Bytes>, Problem> {
    answer(call, StatusCode::OK, id).await
}

async fn answer<P: Platform>(
    call: &Call<'_, P>,
    status: StatusCode,
    id: u64,
) -> Result<Response<Bytes>, Problem> {
    json(status, &ProposalAnswer::from(find(call, id).await?))
}

/// `POST /api/payments/{id}/void`.
pub const fn propose_void_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "payments/{id}/void",
        roles: &BOOKKEEPERS,
        parameters: &[],
        answer: |call, values, body| {
            Box::pin(async move { propose_void(call, &values.id()?, body).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "proposeVoid", "Proposes to void a payment that was entered by hand")
            .describe("The payment counts until another person, a manager, approves the proposal. A payment that MPay has confirmed cannot be voided.")
            .takes(["id"])
            .body(as_json(schemas.request::<crate::api::reviews::Closing>()))
            .answers(201, "The proposal.", as_json(schemas.answer::<ProposalAnswer>()))
            .header(201, "Location", true, "The proposal's address.")
            .fails([404, 409, 413, 422])
        },
    }
}

/// Proposes to void a payment that was entered by hand.
pub async fn propose_void<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let note = reviews::note(body)?;
    let stored = call.store.payments().get(id).await?;
    let stored = stored.ok_or_else(payments::no_such_payment)?;
    let payment = stored.payment;
    let Some(manual) = payment.manual.filter(|_| stored.state.voided.is_none()) else {
        return Err(not_to_void());
    };
    if manual.confirmed.is_some() {
        return Err(not_to_void());
    }
    let proposal = VoidProposalJson {
        payment_id: payment.payment_id,
        service_id: payment.service_id,
        order_key: payment.order_key,
        proposal: manual.proposal,
        note: note.as_str().to_owned(),
        by: call.caller.name.clone(),
    };
    let id = call
        .store
        .proposals()
        .propose(&store::Proposed::Void(proposal))
        .await?;
    created(call, id).await
}

fn not_to_void() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "Only a payment that was entered by hand, and that MPay has not confirmed, can be voided, once. What MPay confirmed is given back: set the status Refunding.",
    )
}

/// `DELETE /api/payments/manual/{index}`.
pub const fn withdraw_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "DELETE",
        path: "payments/manual/{index}",
        roles: &BOOKKEEPERS,
        parameters: &[],
        answer: |call, values, _| Box::pin(async move { withdraw(call, values.index()?).await }),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "withdrawProposal", "Withdraws a proposal")
                .describe("The proposal can no longer be approved. One that is approved can be withdrawn only while it is `not_carried_out`. A repetition changes nothing.")
                .takes(["index"])
                .answers(
                    200,
                    "The proposal.",
                    as_json(schemas.answer::<ProposalAnswer>()),
                )
                .fails([404, 409])
        },
    }
}

/// Withdraws a proposal, so that it can no longer be approved. A second withdrawal changes nothing.
pub async fn withdraw<P: Platform>(
    call: &Call<'_, P>,
    id: u64,
) -> Result<Response<Bytes>, Problem> {
    let stored = find(call, id).await?;
    let withdrawn = Decision::Withdrawn {
        by: call.caller.name.clone(),
    };
    call.store.proposals().decide(&stored, &withdrawn).await?;
    // Who approved it may have carried it out meanwhile, and then the withdrawal does not count.
    let stored = find(call, id).await?;
    if !matches!(stored.decided, Some((_, Decision::Withdrawn { .. }))) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "The proposal is approved. What it entered can be voided: `POST /api/payments/{id}/void`.",
        ));
    }
    json(StatusCode::OK, &ProposalAnswer::from(stored))
}

async fn find<P: Platform>(call: &Call<'_, P>, id: u64) -> Result<StoredProposal, Problem> {
    call.store.proposals().get(id).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "Nothing is proposed at this index of the journal.",
        )
    })
}

/// The record of the proposed payment, with the present time as its time of receipt.
fn unsigned<P: Platform>(proposal: &ProposalJson, call: &Call<'_, P>) -> PaymentJson {
    PaymentJson {
        payment_id: proposal.payment_id.clone(),
        service_id: proposal.service_id.clone(),
        order_key: proposal.order_key.clone(),
        invoice_id: proposal.invoice_id.clone(),
        amount: proposal.amount.clone(),
        currency: proposal.currency.clone(),
        paid_at: proposal.paid_at.clone(),
        lines: proposal.lines.clone(),
        properties: Vec::new(),
        received_at: time::format(call.store.now()),
        amount_validity: None,
        signer: None,
        evidence: String::new(),
        card: None,
        manual: None,
        after_void: false,
        version: None,
        metadata: MetadataJson::new(),
    }
}

/// The line for a payment that names no lines: the only line of its order.
async fn only_line<P: Platform>(
    call: &Call<'_, P>,
    proposal: &ProposalJson,
) -> Result<String, Problem> {
    let service = ServiceId::parse(&proposal.service_id)
        .map_err(|error| Problem::member("service_id", error))?;
    let key = OrderKey::parse(&proposal.order_key)
        .map_err(|error| Problem::member("order_key", error))?;
    let order = call.store.orders().get(&service, &key).await?;
    let order = order.as_ref().and_then(|order| order.state.order());
    match order.ok_or_else(no_such_order)?.lines.as_slice() {
        [line] => Ok(line.line_id.to_string()),
        _ => Err(Problem::member(
            "lines",
            "is missing: the order has several",
        )),
    }
}

fn no_such_order() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "The service has no order with this key.",
    )
}

/// The confirmation that a proposal would make, judged by the rules for MPay's confirmations, and its order.
async fn judge<P: Platform>(
    call: &Call<'_, P>,
    proposal: &ProposalJson,
) -> Result<(Confirmation, StoredOrder), Problem> {
    let confirmation = unsigned(proposal, call)
        .to_confirmation()
        .map_err(Problem::fields)?;
    let order = call
        .store
        .orders()
        .get(&confirmation.service_id, &confirmation.order_key)
        .await?;
    let order = order.ok_or_else(no_such_order)?;
    order.state.check_payment(&confirmation).map_err(|misfit| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("The payment is refused: {misfit}."),
        )
    })?;
    // A bank's statement names a payment by card by it, and so is where it would be known from.
    let id = confirmation.payment_id.as_str();
    let cards = order
        .payments
        .iter()
        .filter_map(|payment| payment.card.as_ref());
    let refunds = order
        .state
        .payments()
        .iter()
        .flat_map(|payment| &payment.refunds);
    let references = cards.map(|card| card.rrn.as_deref());
    let mut references = references.chain(refunds.map(|refund| refund.rrn.as_deref()));
    if references.any(|reference| reference == Some(id)) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "This is the bank's reference number (RRN) of a payment by card of this order, which is recorded already.",
        ));
    }
    Ok((confirmation, order))
}

/// Writes a proposal in the form in which payments are stored and compared: ids without surrounding spaces,
/// amounts with two digits, times with an offset.
fn normalise(proposal: &mut ProposalJson, confirmation: &Confirmation) {
    proposal.payment_id = confirmation.payment_id.to_string();
    proposal.service_id = confirmation.service_id.to_string();
    proposal.order_key = confirmation.order_key.to_string();
    proposal.currency = confirmation.currency.as_str().to_owned();
    proposal.amount = confirmation.total.to_string();
    proposal.paid_at = time::format(confirmation.paid_at);
    for (line, read) in proposal.lines.iter_mut().zip(&confirmation.lines) {
        line.line_id = read.line_id.to_string();
        line.amount = read.amount.to_string();
    }
}

async fn refuse_recorded<P: Platform>(
    call: &Call<'_, P>,
    confirmation: &Confirmation,
) -> Result<(), Problem> {
    let id = &confirmation.payment_id;
    if let Some(known) = call.store.payments().get(id).await? {
        return Err(match known.state.voided {
            Some(_) => voided(),
            None => already_recorded(),
        });
    }
    // A payment by card under this id must not meet a payment that a person typed.
    match call.store.card_payments().get(id).await? {
        Some(_) => Err(Problem::new(
            StatusCode::CONFLICT,
            "A payment by card was begun under this id: what is paid by it is recorded by itself.",
        )),
        None => Ok(()),
    }
}

/// The PaymentID of a voided payment names that payment for ever, and MPay's own confirmation after it. A second
/// entry by hand under it could not be told from MPay's.
fn voided() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "The payment of this PaymentID was entered by hand and voided, and is not entered again under it. Enter the right one under this PaymentID with an ending, such as -2. If MPay confirms this PaymentID after all, that is a payment of its own: then void the one with the ending, so that the money counts once.",
    )
}

fn already_recorded() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "A payment of this PaymentID is recorded already.",
    )
}
