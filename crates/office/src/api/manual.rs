//! `/api/payments/manual`: payments that MPay did not confirm, entered and voided by two people.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{Call, Problem, document::read_object, json, payments, reviews};
use crate::{
    domain::{Confirmation, OrderKey, PaymentId, ServiceId, Text, time},
    json::{
        FieldError, ManualJson, PaymentJson, PaymentLineJson, PaymentPropertyJson, ProposalJson,
        VoidJson, VoidProposalJson,
    },
    store::{
        self, Decision, Evidence, Platform, Recorded, RegisterError, StoredOrder, StoredPayment,
        StoredProposal,
    },
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
    proposed: ProposedAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_by: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum ProposedAnswer {
    /// To enter a payment.
    Payment(ProposalJson),
    /// To void the payment that an earlier `proposal` entered.
    Void(VoidProposalJson),
}

impl From<StoredProposal> for ProposalAnswer {
    fn from(stored: StoredProposal) -> Self {
        let mut answer = Self {
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
    if !confirmation.is_plausible(call.store.now()) {
        return Err(Problem::member(
            "paid_at",
            "cannot be: it is before 2013, or more than a day ahead",
        ));
    }
    refuse_recorded(call, &confirmation).await?;
    normalise(&mut proposal, &confirmation);
    let id = call
        .store
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

/// Proposes to void a payment that was entered by hand.
pub async fn propose_void<P: Platform>(
    call: &Call<'_, P>,
    id: &PaymentId,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let note = reviews::note(body)?;
    let stored = call.store.payment(id).await?;
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
        by: call.caller.to_owned(),
    };
    let id = call.store.propose(&store::Proposed::Void(proposal)).await?;
    created(call, id).await
}

fn not_to_void() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "Only a payment that was entered by hand, and that MPay has not confirmed, can be voided, once. What MPay confirmed is given back: set the status Refunding.",
    )
}

/// Withdraws a proposal: it cannot be approved any more. Once more changes nothing.
pub async fn withdraw<P: Platform>(
    call: &Call<'_, P>,
    id: u64,
) -> Result<Response<Bytes>, Problem> {
    let stored = find(call, id).await?;
    let withdrawn = Decision::Withdrawn {
        by: call.caller.to_owned(),
    };
    if !is_withdrawn(&call.store.decide(&stored, &withdrawn).await?) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "The proposal is approved. What it entered can be voided: `POST /api/payments/{id}/void`.",
        ));
    }
    answer(call, StatusCode::OK, id).await
}

fn is_withdrawn(decision: &Decision) -> bool {
    matches!(decision, Decision::Withdrawn { .. })
}

/// The payment that a proposal has entered.
async fn entered_by<P: Platform>(
    call: &Call<'_, P>,
    stored: &StoredProposal,
) -> Result<Option<StoredPayment>, Problem> {
    let store::Proposed::Payment(proposal) = &stored.proposed else {
        return Ok(None);
    };
    let id = PaymentId::parse(&proposal.payment_id).map_err(Problem::internal)?;
    let payment = call.store.payment(&id).await?;
    Ok(payment.filter(|payment| {
        let manual = payment.payment.manual.as_ref();
        manual.is_some_and(|manual| manual.proposal == stored.index)
    }))
}

/// Does what somebody else has proposed, and answers the payment.
pub async fn approve<P: Platform>(call: &Call<'_, P>, id: u64) -> Result<Response<Bytes>, Problem> {
    let stored = find(call, id).await?;
    if stored.proposed.by() == call.caller {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "Whoever made a proposal does not approve it: it takes another token.",
        ));
    }
    match &stored.proposed {
        store::Proposed::Payment(proposal) => enter(call, &stored, proposal).await,
        store::Proposed::Void(proposal) => void(call, &stored, proposal).await,
    }
}

/// Decides that a proposal is approved; gives the token that approved it first.
async fn decide<P: Platform>(
    call: &Call<'_, P>,
    stored: &StoredProposal,
) -> Result<String, Problem> {
    let approved = Decision::Approved {
        by: call.caller.to_owned(),
    };
    match call.store.decide(stored, &approved).await? {
        Decision::Approved { by } => Ok(by),
        Decision::Withdrawn { .. } | Decision::Void => Err(Problem::new(
            StatusCode::CONFLICT,
            "The proposal was withdrawn.",
        )),
    }
}

async fn enter<P: Platform>(
    call: &Call<'_, P>,
    stored: &StoredProposal,
    proposal: &ProposalJson,
) -> Result<Response<Bytes>, Problem> {
    if let Some(entered) = entered_by(call, stored).await? {
        return payments::answer(entered);
    }
    let (confirmation, order) = judge(call, proposal).await?;
    refuse_recorded(call, &confirmation).await?;
    let approved_by = decide(call, stored).await?;
    let service = call.config.service(&confirmation.service_id);
    let default = service.and_then(|service| service.account.as_ref());
    let secret = call.store.secret().await?;
    // The same bytes should this call be repeated.
    let undecided = StoredProposal {
        decided: None,
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
        .record(&confirmation, &payment, &evidence, None)
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
    let payment = call.store.payment(&id).await?.ok_or_else(not_to_void)?;
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
    // As the payment is shown on its day.
    let accounts = payments::accounts(call, &payment);
    for (line, account) in void.lines.iter_mut().zip(accounts) {
        line.bank_account = account;
    }
    match call.store.void_payment(&void).await {
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
    /// Makes the digest that is kept once this is erased one that nobody can guess: unlike MPay's
    /// messages this has no signature, and everything in it but what a payer filled in stays known.
    nonce: String,
}

async fn find<P: Platform>(call: &Call<'_, P>, id: u64) -> Result<StoredProposal, Problem> {
    call.store.proposal(id).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "Nothing is proposed at this index of the journal.",
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
        after_void: false,
        version: None,
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

/// Writes a proposal as payments are kept and compared: ids without spaces around them, amounts with
/// two digits, times with their offset.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::testing::{Answer, Api};
    use crate::{
        domain::{OrderKey, PaymentId, ServiceId},
        json::{PaymentJson, VoidJson},
        store::{
            Evidence, Recorded, Store,
            memory::Fault,
            testing::{record, register, secret},
        },
    };

    const DAY: Duration = Duration::from_secs(86_400);

    fn proposal() -> String {
        json!({
            "payment_id": "M", "service_id": "TAX", "order_key": "1", "amount": "10",
            "paid_at": "2026-05-31", "note": "In the statement",
            "lines": [{"line_id": "1", "amount": "10",
                "properties": [{"name": "Telefon", "value": "079123456"}]}]
        })
        .to_string()
    }

    async fn send(api: &Api, method: &str, address: &str, body: &str) -> Answer {
        api.call(method, address, "application/json", body).await
    }

    async fn propose(api: &Api) -> Value {
        let answer = send(api, "POST", "payments/manual", &proposal()).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].clone()
    }

    /// A payment of 10 that two tokens have entered.
    async fn entered() -> (Api, Api, Value) {
        let api = Api::new();
        let other = api.with_token("other");
        register(&api.memory, "1", "10").await.unwrap();
        let id = propose(&api).await;
        let approved = send(&other, "POST", &format!("payments/manual/{id}/approve"), "").await;
        assert_eq!(approved.status, 200, "{}", approved.text);
        (api, other, id)
    }

    async fn propose_void(api: &Api) -> Value {
        let note = r#"{"note": "Entered with wrong lines"}"#;
        let answer = send(api, "POST", "payments/M/void", note).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let proposal = answer.json();
        let address = format!("/api/payments/manual/{}", proposal["id"]);
        assert_eq!(answer.header("location"), address);
        assert_eq!(proposal["note"], "Entered with wrong lines");
        proposal["id"].clone()
    }

    async fn types(api: &Api) -> Vec<String> {
        let events = api.get("events?limit=200").await.json();
        let events = events["events"].as_array().unwrap().iter();
        events
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_proposal_that_is_withdrawn_is_not_approved() {
        let api = Api::new();
        let other = api.with_token("other");
        register(&api.memory, "1", "10").await.unwrap();
        // By whoever made it, or by another.
        for by in [&api, &other] {
            let id = propose(&api).await;
            let address = format!("payments/manual/{id}");
            let withdrawn = send(by, "DELETE", &address, "").await;
            assert_eq!(withdrawn.status, 200, "{}", withdrawn.text);
            let again = send(&api, "DELETE", &address, "").await;
            assert_eq!(again.json(), withdrawn.json());
            let token = if std::ptr::eq(by, &api) {
                "tester"
            } else {
                "other"
            };
            assert_eq!(withdrawn.json()["withdrawn_by"], token);
            let refused = send(&other, "POST", &format!("{address}/approve"), "").await;
            assert_eq!(refused.status, 409);
            assert!(refused.text.contains("withdrawn"), "{}", refused.text);
        }
        let order = api.get("orders/TAX/1").await.json();
        assert_eq!(order["amount_paid"], "0.00");
        let of_withdrawal = types(&api).await;
        let of_withdrawal = of_withdrawal.iter().filter(|t| *t == "proposal.withdrawn");
        assert_eq!(of_withdrawal.count(), 2);
        assert_eq!(
            send(&api, "DELETE", "payments/manual/1", "").await.status,
            404
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_proposal_that_is_approved_is_not_withdrawn() {
        let (api, other, id) = entered().await;
        let address = format!("payments/manual/{id}");
        assert_eq!(api.get(&address).await.json()["approved_by"], "other");
        let refused = send(&api, "DELETE", &address, "").await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        // Once more changes nothing, whoever asks.
        let third = api.with_token("third");
        for token in [&other, &third] {
            let again = send(token, "POST", &format!("{address}/approve"), "").await;
            assert_eq!(
                again.json()["manual"]["approved_by"],
                "other",
                "{}",
                again.text
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn approval_and_withdrawal_at_the_same_time_are_one_of_them() {
        for delays in 0..8 {
            let api = Api::new();
            let other = api.with_token("other");
            register(&api.memory, "1", "10").await.unwrap();
            let id = propose(&api).await;
            let (address, approval) = (
                format!("payments/manual/{id}"),
                format!("payments/manual/{id}/approve"),
            );
            let faults = (0..24).map(|call| match (call + delays) % 3 {
                0 => Fault::Delay(Duration::from_millis(70)),
                _ => Fault::None,
            });
            api.memory.script(faults);
            let both = futures::future::join(
                send(&api, "DELETE", &address, ""),
                send(&other, "POST", &approval, ""),
            );
            let (withdrawn, approved) = both.await;
            let done = [&withdrawn, &approved].map(|answer| answer.status == 200);
            assert_ne!(done, [true, true], "{delays}");
            tokio::time::sleep(Duration::from_secs(61)).await;
            let withdrawn = send(&api, "DELETE", &address, "").await;
            let approved = send(&other, "POST", &approval, "").await;
            let now = [&withdrawn, &approved].map(|answer| answer.status == 200);
            assert!(
                now[0] != now[1],
                "{delays}: {} {}",
                withdrawn.text,
                approved.text
            );
            for (before, now) in done.into_iter().zip(now) {
                assert!(now || !before, "{delays}: what was told stays so");
            }
            let paid = api.get("orders/TAX/1").await.json()["amount_paid"].clone();
            assert_eq!(paid, if now[1] { "10.00" } else { "0.00" });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_payment_entered_by_hand_is_voided_by_two_tokens_and_counts_no_more() {
        let (api, other, proposal) = entered().await;
        // Its day is closed.
        tokio::time::sleep(DAY).await;
        let day = "reconciliation?date=2026-06-01";
        let closed = api.get(day).await.json();
        assert_eq!(closed["closed"], true);
        let id = propose_void(&api).await;
        let approval = format!("payments/manual/{id}/approve");
        let alone = send(&api, "POST", &approval, "").await;
        assert_eq!(alone.status, 409);
        let order = api.get("orders/TAX/1").await.json();
        assert_eq!(
            order["amount_paid"], "10.00",
            "it counts until that is approved"
        );

        let voided = send(&other, "POST", &approval, "").await;
        assert_eq!(voided.status, 200, "{}", voided.text);
        let voided = voided.json();
        let expected = json!({
            "at": "2026-06-02T12:00:00+03:00", "note": "Entered with wrong lines",
            "proposed_by": "tester", "approved_by": "other"
        });
        assert_eq!(voided["voided"], expected);
        let order = api.get("orders/TAX/1").await.json();
        assert_eq!(
            (&order["status"], &order["amount_paid"]),
            (&json!("Active"), &json!("0.00"))
        );
        assert_eq!(order["payments"][0]["voided"], expected);
        let listed = api.get("payments").await.json();
        assert_eq!(listed["payments"], json!([voided]));

        // A closed day does not change: the void is of its own day.
        assert_eq!(api.get(day).await.json(), closed);
        let next = api.get("reconciliation?date=2026-06-02").await.json();
        let line = &next["lines"][0];
        assert_eq!(
            (&line["amount"], &line["void"]),
            (&json!("-10.00"), &json!(true))
        );
        assert_eq!(line["bank_account"], closed["lines"][0]["bank_account"]);
        assert_eq!(next["totals"][0]["amount"], "-10.00");
        let both = api
            .get("reconciliation?from=2026-06-01&to=2026-06-02")
            .await
            .json();
        assert_eq!(both["totals"][0]["amount"], "0.00");
        assert_eq!(
            both["lines"][0]["payment_id"],
            both["lines"][1]["payment_id"]
        );

        // It is neither missed in a statement nor found there.
        let query = "settlement?from=2026-06-01&to=2026-06-30&payment_id=id&amount=sum";
        let seen = api
            .call("POST", query, "text/csv", "id,sum\nM,10\n")
            .await
            .json();
        assert_eq!(seen["not_recorded"][0]["payment_id"], "M");
        assert_eq!(
            (&seen["matched"], &seen["not_settled"]),
            (&json!([]), &json!([]))
        );

        let again = send(&other, "POST", &approval, "").await;
        assert_eq!(again.json(), voided, "once more changes nothing");
        let second = send(&api, "POST", "payments/M/void", r#"{"note": "n"}"#).await;
        assert_eq!(second.status, 409);
        assert_eq!(
            types(&api).await,
            [
                "order.registered",
                "payment.proposed",
                "payment.recorded",
                "payment.void_proposed",
                "payment.voided"
            ]
        );
        let events = api.get("events?limit=200").await.json();
        let void = &events["events"][4];
        assert_eq!(
            (&void["proposal"], &void["void_proposal"]),
            (&proposal, &id)
        );
        assert!(!void.to_string().contains("079123456"), "{void}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_mpay_has_confirmed_and_what_is_withdrawn_is_not_voided() {
        let (api, other, _) = entered().await;
        record(&api.memory, "Q", "1", "1").await.unwrap();
        let note = r#"{"note": "n"}"#;
        for (id, status) in [("Q", 409), ("none", 404)] {
            let refused = send(&api, "POST", &format!("payments/{id}/void"), note).await;
            assert_eq!(refused.status, status, "{}", refused.text);
        }
        assert_eq!(
            send(&api, "POST", "payments/M/void", "{}").await.status,
            422
        );
        let withdrawn = propose_void(&api).await;
        let address = format!("payments/manual/{withdrawn}");
        assert_eq!(send(&api, "DELETE", &address, "").await.status, 200);
        let refused = send(&other, "POST", &format!("{address}/approve"), "").await;
        assert!(refused.status == 409 && refused.text.contains("withdrawn"));
        // MPay is faster than the second person.
        let id = propose_void(&api).await;
        confirm(&api).await;
        let refused = send(&other, "POST", &format!("payments/manual/{id}/approve"), "").await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        // Also where that is seen only by the order's own list.
        let payment = api.get("payments/M").await.json();
        let mut void = payment.clone();
        for (member, value) in [
            ("recorded", &payment["index"]),
            ("proposal", &payment["manual"]["proposal"]),
            ("void_proposal", &id),
            ("proposed_by", &json!("a")),
            ("approved_by", &json!("b")),
            ("note", &json!("n")),
        ] {
            void[member] = value.clone();
        }
        let store = Store::new(api.memory.clone());
        let void: VoidJson = serde_json::from_value(void).unwrap();
        assert!(!store.void_payment(&void).await.unwrap());
        assert_eq!(api.get("orders/TAX/1").await.json()["amount_paid"], "11.00");
    }

    /// A confirmation of the payment by MPay, as the operation records it.
    async fn confirm_of(api: &Api, order: &str, amount: &str) -> Recorded {
        let store = Store::new(api.memory.clone());
        let known = store.known(&PaymentId::parse("M").unwrap()).await.unwrap();
        let payment: PaymentJson = serde_json::from_value(json!({
            "payment_id": "M", "service_id": "TAX", "order_key": order, "amount": amount,
            "currency": "MDL", "paid_at": "2026-05-31T12:00:00+03:00",
            "received_at": "2026-06-01T12:00:00+03:00", "evidence": "e",
            "lines": [{"line_id": "1", "amount": amount}], "after_void": known.after_void
        }))
        .unwrap();
        let content = format!("confirmation of {order} {amount}");
        let content = content.as_bytes();
        let evidence = Evidence::new(&secret(), b"<m/>", "M", content, "accepted");
        let payment = PaymentJson {
            evidence: evidence.id().to_owned(),
            ..payment
        };
        let confirmation = payment.to_confirmation().unwrap();
        let recorded = match known.compare(&confirmation, &evidence) {
            Some(recorded) => recorded,
            None => {
                let recorded = store.record(&confirmation, &payment, &evidence, None);
                recorded.await.unwrap()
            }
        };
        if recorded == Recorded::Manual {
            let noted = store.confirm_manual(&confirmation, &payment, &evidence);
            noted.await.unwrap();
        }
        recorded
    }

    /// MPay confirms the payment with the same content.
    async fn confirm(api: &Api) {
        assert_eq!(confirm_of(api, "1", "10.00").await, Recorded::Manual);
    }

    /// Money that MPay confirms is never lost, though nobody can know at the moment of the void.
    #[tokio::test(start_paused = true)]
    async fn what_mpay_confirms_after_the_void_is_a_payment_of_its_own() {
        // The same again, with another amount, and for another order.
        for (order, amount, status) in [
            ("1", "10.00", "Paid"),
            ("1", "4.00", "PartiallyPaid"),
            ("2", "7.00", "Paid"),
        ] {
            let (api, other, _) = entered().await;
            register(&api.memory, "2", "7").await.unwrap();
            let id = propose_void(&api).await;
            let approval = format!("payments/manual/{id}/approve");
            assert_eq!(send(&other, "POST", &approval, "").await.status, 200);
            assert_eq!(confirm_of(&api, order, amount).await, Recorded::New);
            for _ in 0..2 {
                let again = confirm_of(&api, order, amount).await;
                assert_eq!(again, Recorded::Repeated { alike: true });
            }
            assert_eq!(confirm_of(&api, order, "1.00").await, Recorded::Conflict);
            let found = api.get(&format!("orders/TAX/{order}")).await.json();
            if status == "Paid" {
                assert_eq!(found["status"], status, "{found}");
            }
            assert_eq!(found["amount_paid"], amount);
            let payments = found["payments"].as_array().unwrap();
            let last = payments.last().unwrap();
            assert_eq!(
                (&last["manual"], &last["after_void"]),
                (&Value::Null, &json!(true))
            );
            assert!(
                !last["review"]
                    .as_array()
                    .unwrap()
                    .contains(&json!("double"))
            );
            let first = api.get("orders/TAX/1").await.json();
            assert!(first["payments"][0]["voided"].is_object(), "{first}");

            // The journal has both, in whatever way they are looked for.
            let all = api.get("payments?limit=200").await.json();
            let all = all["payments"].as_array().unwrap();
            let voided: Vec<_> = all.iter().map(|p| p["voided"].is_object()).collect();
            assert_eq!(voided, [true, false], "{all:?}");
            assert!(
                all.iter()
                    .all(|payment| payment["review"] != json!(["orphaned"]))
            );
            let counts = api.get("payments/M").await.json();
            assert_eq!(
                (&counts["amount"], &counts["voided"]),
                (&json!(amount), &Value::Null)
            );
            let store = Store::new(api.memory.clone());
            let both = store
                .payments_by_id(&[PaymentId::parse("M").unwrap()])
                .await;
            assert_eq!(both.unwrap().len(), 2);
            let day = api.get("reconciliation?date=2026-06-01").await.json();
            let amounts: Vec<_> = day["lines"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| &line["amount"])
                .collect();
            assert_eq!(amounts, ["10.00", "-10.00", amount]);
            assert_eq!(day["totals"][0]["amount"], amount);
            let outbox = store.outbox(0).await.unwrap();
            assert_eq!(outbox.deliveries.len(), 2);
            // Nor does it go back by repair, or a second void.
            let repair = store.repair(&Default::default()).await.unwrap();
            assert_eq!((repair.checked, repair.repaired.len()), (2, 0));
            let note = r#"{"note": "n"}"#;
            assert_eq!(
                send(&api, "POST", "payments/M/void", note).await.status,
                409
            );
        }
    }

    /// Whichever of two comes first: the money counts once, and MPay's confirmation is kept.
    #[tokio::test(start_paused = true)]
    async fn a_void_and_mpays_confirmation_at_the_same_time_leave_the_money_once() {
        for delays in 0..6 {
            let (api, other, _) = entered().await;
            let id = propose_void(&api).await;
            let approval = format!("payments/manual/{id}/approve");
            let faults = (0..30).map(|call| match (call + delays) % 3 {
                0 => Fault::Delay(Duration::from_millis(70)),
                _ => Fault::None,
            });
            api.memory.script(faults);
            let store = Store::new(api.memory.clone());
            let payment: PaymentJson = serde_json::from_value(json!({
                "payment_id": "M", "service_id": "TAX", "order_key": "1", "amount": "10.00",
                "currency": "MDL", "paid_at": "2026-05-31T12:00:00+03:00",
                "received_at": "2026-06-01T12:00:00+03:00", "evidence": "e",
                "lines": [{"line_id": "1", "amount": "10.00"}]
            }))
            .unwrap();
            let evidence = Evidence::new(&secret(), b"<m/>", "M", b"c", "accepted");
            let confirmation = payment.to_confirmation().unwrap();
            let (void, noted) = futures::future::join(
                send(&other, "POST", &approval, ""),
                store.confirm_manual(&confirmation, &payment, &evidence),
            )
            .await;
            api.memory.script([]);
            assert_ne!(void.status == 200, noted.is_ok(), "{delays}: {}", void.text);
            if noted.is_err() {
                assert_eq!(confirm_of(&api, "1", "10.00").await, Recorded::New);
            }
            let order = api.get("orders/TAX/1").await.json();
            assert_eq!(order["amount_paid"], "10.00", "{delays}");
        }
    }

    /// The digest that is left of it is over what nobody can guess.
    #[tokio::test(start_paused = true)]
    async fn the_evidence_of_two_tokens_has_a_nonce_that_is_the_same_each_time() {
        let (api, ..) = entered().await;
        let store = Store::new(api.memory.clone());
        let proof = store.proof(&PaymentId::parse("M").unwrap()).await.unwrap();
        let bytes = proof.unwrap().by_hand.unwrap();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let nonce = document["nonce"].as_str().unwrap();
        assert_eq!(nonce.len(), 64);
        let parts = document["id"].as_u64().unwrap().to_be_bytes();
        assert_eq!(nonce, secret().digest("manual", &[&parts]));
        // Erased, it is in no value of the store.
        tokio::time::sleep(40 * DAY).await;
        let service = ServiceId::parse("TAX").unwrap();
        let erasure = crate::store::Erasure::Order(service, OrderKey::parse("1").unwrap());
        let erased = store
            .erase_personal_data(&erasure, &Default::default(), "tester")
            .await;
        assert_eq!(erased.unwrap().messages, 1);
        assert_eq!(api.memory.keys_with(nonce), [""; 0]);
        assert_eq!(api.memory.keys_with("079123456"), [""; 0]);
    }
}
