//! The second person approves, and the proposal is carried out.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{
    ProposalAnswer, already_recorded, find, judge, not_to_void, refuse_recorded, unsigned,
};
#[cfg(feature = "description")]
use crate::api::description::{Operation, as_json};
use crate::{
    access::MANAGERS,
    api::endpoint::Endpoint,
    api::{Call, Problem, payments},
    domain::PaymentId,
    json::{ManualJson, PaymentJson, ProposalJson, VoidJson, VoidProposalJson},
    store::{self, Decision, Evidence, Platform, Recorded, RegisterError, StoredProposal},
};

/// `POST /api/payments/manual/{index}/approve`.
pub const fn approve_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "payments/manual/{index}/approve",
        roles: &MANAGERS,
        parameters: &[],
        answer: |call, values, _| Box::pin(async move { approve(call, values.index()?).await }),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "payments",
                "approvePayment",
                "Records or voids a payment that another person proposed",
            )
            .describe("A repetition changes nothing. If it fails after the approval was written, the proposal is `not_carried_out`: approve it again, or withdraw it.")
            .takes(["index"])
            .answers(
                200,
                "The payment.",
                as_json(schemas.answer::<crate::api::payments::PaymentAnswer>()),
            )
            .fails([404, 409, 413, 422])
        },
    }
}

/// Carries out a proposal of another person, and answers the payment.
pub async fn approve<P: Platform>(call: &Call<'_, P>, id: u64) -> Result<Response<Bytes>, Problem> {
    let stored = find(call, id).await?;
    if stored.proposed.by() == call.caller.name {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "Whoever made a proposal does not approve it: it takes another person.",
        ));
    }
    if stored.is_carried_out {
        let id = PaymentId::parse(stored.proposed.payment_id()).map_err(Problem::internal)?;
        return payments::get(call, &id).await;
    }
    if matches!(stored.decided, Some((_, Decision::Withdrawn { .. }))) {
        return Err(withdrawn());
    }
    match &stored.proposed {
        store::Proposed::Payment(proposal) => enter(call, &stored, proposal).await,
        store::Proposed::Void(proposal) => void(call, &stored, proposal).await,
    }
}

/// Decides that a proposal is approved. Returns the name of the first person who approved it.
async fn decide<P: Platform>(
    call: &Call<'_, P>,
    stored: &StoredProposal,
) -> Result<String, Problem> {
    let approved = Decision::Approved {
        by: call.caller.name.clone(),
    };
    match call.store.proposals().decide(stored, &approved).await? {
        Decision::Approved { by } => Ok(by),
        Decision::Withdrawn { .. } | Decision::Void => Err(withdrawn()),
    }
}

fn withdrawn() -> Problem {
    Problem::new(StatusCode::CONFLICT, "The proposal was withdrawn.")
}

async fn enter<P: Platform>(
    call: &Call<'_, P>,
    stored: &StoredProposal,
    proposal: &ProposalJson,
) -> Result<Response<Bytes>, Problem> {
    let (confirmation, order) = judge(call, proposal).await?;
    refuse_recorded(call, &confirmation).await?;
    let approved_by = decide(call, stored).await?;
    let service = call.config.service(&confirmation.service_id);
    let default = service.and_then(|service| service.account.as_ref());
    let secret = call.store.secret().await?;
    // The bytes are the same if this call is repeated.
    let undecided = StoredProposal {
        decided: None,
        is_carried_out: false,
        ..stored.clone()
    };
    let bytes = serde_json::to_vec_pretty(&Approved {
        proposal: ProposalAnswer::from(undecided),
        approved_by: &approved_by,
        nonce: secret.digest("manual", &[&stored.index.to_be_bytes()]),
    })
    .map_err(Problem::internal)?;
    let evidence = Evidence::new(&secret, &bytes, &proposal.payment_id, &bytes, "manual");
    let payment = PaymentJson {
        manual: Some(ManualJson {
            proposal: stored.index,
            proposed_by: proposal.by.clone(),
            approved_by: approved_by.clone(),
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
        .payments()
        .record(&confirmation, &payment, &order, &evidence, None)
        .await?;
    match recorded {
        Recorded::New | Recorded::Repeated { alike: true } => {
            payments::get(call, &confirmation.payment_id).await
        }
        _ => Err(already_recorded()),
    }
}

async fn void<P: Platform>(
    call: &Call<'_, P>,
    stored: &StoredProposal,
    proposal: &VoidProposalJson,
) -> Result<Response<Bytes>, Problem> {
    let id = PaymentId::parse(&proposal.payment_id).map_err(Problem::internal)?;
    let payment = call
        .store
        .payments()
        .get(&id)
        .await?
        .ok_or_else(not_to_void)?;
    let manual = payment.payment.manual.as_ref();
    if manual
        .is_none_or(|manual| manual.proposal != proposal.proposal || manual.confirmed.is_some())
    {
        return Err(not_to_void());
    }
    let approved_by = decide(call, stored).await?;
    let mut void = VoidJson::new(
        &payment.payment,
        payment.index,
        stored.index,
        proposal,
        &approved_by,
    );
    // The accounts are those that the payment shows on its own day.
    let accounts = payments::accounts(call, &payment);
    for (line, account) in void.lines.iter_mut().zip(accounts) {
        line.bank_account = account;
    }
    match call.store.manual_payments().void(&void).await {
        Ok(true) => payments::get(call, &id).await,
        Ok(false) => Err(not_to_void()),
        Err(RegisterError::Store(error)) => Err(error.into()),
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Another call is changing the order; try again.",
        )),
    }
}

#[derive(Serialize)]
struct Approved<'a> {
    #[serde(flatten)]
    proposal: ProposalAnswer,
    approved_by: &'a str,
    /// A secret value that keeps the digest from being guessed after an erasure. This document has no signature
    /// as MPay's messages have, and all of its other content, except what a payer filled in, stays known.
    nonce: String,
}
