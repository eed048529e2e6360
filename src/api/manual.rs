//! `/api/payments/manual`: payments that MPay did not confirm, entered by two people.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{Call, Problem, document::read_object, json, payments};
use crate::{
    domain::{Confirmation, OrderKey, ServiceId, Text, time},
    json::{
        FieldError, ManualJson, PaymentJson, PaymentLineJson, PaymentPropertyJson, ProposalJson,
    },
    store::{Evidence, Platform, Recorded, StoredOrder, StoredProposal},
};

/// A payment as a person enters it.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ProposalAnswer {
    /// By which it is approved: its place in the journal.
    id: u64,
    proposed_at: String,
    #[serde(flatten)]
    proposal: ProposalJson,
}

impl From<StoredProposal> for ProposalAnswer {
    fn from(stored: StoredProposal) -> Self {
        Self {
            id: stored.index,
            proposed_at: time::format(stored.proposed_at),
            proposal: stored.proposal,
        }
    }
}

/// Proposes a payment. Nothing is paid by it yet.
pub async fn propose<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let proposed: Proposed = read_object(body)?;
    let missing = |field: &str| FieldError::new(field, "is missing");
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
    if !errors.is_empty() {
        return Err(Problem::fields(errors));
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
        by: call.caller.to_owned(),
    };
    if of_only_line {
        proposal.lines.push(PaymentLineJson {
            line_id: only_line(call, &proposal).await?,
            amount: proposal.amount.clone(),
            bank_account: None,
            properties: Vec::new(),
        });
    }
    let (confirmation, _) = judge(call, &proposal).await?;
    refuse_recorded(call, &confirmation).await?;
    // As it is kept: amounts with two digits, times with their offset.
    proposal.amount = confirmation.total.to_string();
    proposal.paid_at = time::format(confirmation.paid_at);
    for (line, read) in proposal.lines.iter_mut().zip(&confirmation.lines) {
        line.amount = read.amount.to_string();
    }
    let id = call.store.propose(&proposal).await?;
    let mut response = answer(call, StatusCode::CREATED, id).await?;
    let address = HeaderValue::from_str(&format!("/api/payments/manual/{id}"));
    let address = address.map_err(Problem::internal)?;
    response.headers_mut().insert(header::LOCATION, address);
    Ok(response)
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

/// Records a payment that somebody else has proposed, and answers it.
pub async fn approve<P: Platform>(call: &Call<'_, P>, id: u64) -> Result<Response<Bytes>, Problem> {
    let stored = find(call, id).await?;
    let proposal = &stored.proposal;
    if proposal.by == call.caller {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "Whoever proposed a payment does not approve it: it takes another token.",
        ));
    }
    let (confirmation, order) = judge(call, proposal).await?;
    let service = call.config.service(&confirmation.service_id);
    let default = service.and_then(|service| service.account.as_ref());
    let secret = call.store.secret().await?;
    // The same bytes should this call be repeated.
    let bytes = serde_json::to_vec_pretty(&Approved {
        proposal: ProposalAnswer::from(stored.clone()),
        approved_by: call.caller,
        nonce: secret.digest("manual", &[&id.to_be_bytes()]),
    })
    .map_err(Problem::internal)?;
    let evidence = Evidence::new(&secret, &bytes, &proposal.payment_id, &bytes, "manual");
    let payment = PaymentJson {
        manual: Some(ManualJson {
            proposal: id,
            proposed_by: proposal.by.clone(),
            approved_by: call.caller.to_owned(),
            note: proposal.note.clone(),
            confirmed: None,
        }),
        signer: None,
        evidence: evidence.id().to_owned(),
        ..unsigned(proposal, call)
    }
    .to_accounts_of(&order.state, default);
    let recorded = call
        .store
        .record(&confirmation, &payment, &evidence, None)
        .await?;
    match recorded {
        Recorded::New | Recorded::Repeated { alike: true } => {
            payments::get(call, &confirmation.payment_id).await
        }
        _ => Err(already_recorded()),
    }
}

#[derive(Serialize)]
struct Approved<'a> {
    #[serde(flatten)]
    proposal: ProposalAnswer,
    approved_by: &'a str,
    /// Makes the digest that is kept once this is erased one that nobody can guess: unlike MPay's
    /// messages this has no signature, and everything in it but what a payer filled in stays known.
    nonce: String,
}

async fn find<P: Platform>(call: &Call<'_, P>, id: u64) -> Result<StoredProposal, Problem> {
    call.store.proposal(id).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "No payment is proposed at this index of the journal.",
        )
    })
}

/// The record of a proposal, received now.
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
        signer: None,
        evidence: String::new(),
        manual: None,
    }
}

/// The line that a payment without lines is for: the only one of its order.
async fn only_line<P: Platform>(
    call: &Call<'_, P>,
    proposal: &ProposalJson,
) -> Result<String, Problem> {
    let service = ServiceId::parse(&proposal.service_id)
        .map_err(|error| Problem::member("service_id", error))?;
    let key = OrderKey::parse(&proposal.order_key)
        .map_err(|error| Problem::member("order_key", error))?;
    let order = call.store.order(&service, &key).await?;
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

/// The confirmation that a proposal stands for, judged as if MPay had sent it, and its order.
async fn judge<P: Platform>(
    call: &Call<'_, P>,
    proposal: &ProposalJson,
) -> Result<(Confirmation, StoredOrder), Problem> {
    let confirmation = unsigned(proposal, call)
        .to_confirmation()
        .map_err(Problem::fields)?;
    let order = call
        .store
        .order(&confirmation.service_id, &confirmation.order_key)
        .await?;
    let order = order.ok_or_else(no_such_order)?;
    order.state.check_payment(&confirmation).map_err(|misfit| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("The payment is refused: {misfit}."),
        )
    })?;
    Ok((confirmation, order))
}

async fn refuse_recorded<P: Platform>(
    call: &Call<'_, P>,
    confirmation: &Confirmation,
) -> Result<(), Problem> {
    match call.store.payment(&confirmation.payment_id).await? {
        Some(_) => Err(already_recorded()),
        None => Ok(()),
    }
}

fn already_recorded() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "A payment of this PaymentID is recorded already.",
    )
}
