//! Tests of the books as a whole. Each kind of record has its own tests beside it.

use std::{collections::HashMap, time::Duration};

use super::{
    Intent,
    memory::{Fault, Memory},
    testing::*,
    *,
};
use crate::{
    domain::{Money, OrderKey, OrderStatus, PaymentId, Review, ServiceId, Text},
    json::{
        Event, ManualJson, OrderJson, PaymentJson, ProposalJson, RefusalJson, SignerJson, VoidJson,
        VoidProposalJson,
    },
};

mod changes;
mod closing;
mod interrupted;
mod journal;
mod long;
mod messages;
mod open_reviews;
mod orders;
mod recording;
mod register;
mod repair;
mod requests;

/// Payments of the journal after a cursor, and the cursor to go on from.
async fn payments(memory: &Memory, after: u64, limit: usize) -> (Vec<String>, u64) {
    let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
    let store = Ledger::new(memory.clone());
    let page = store
        .journal()
        .read(after, limit, Span::ALWAYS, wanted)
        .await
        .unwrap();
    let ids = page.entries.into_iter().map(|entry| match entry.event {
        Event::PaymentRecorded(payment) => payment.payment_id,
        other => panic!("{other:?}"),
    });
    (ids.collect(), page.next)
}

/// The faults that a call can have.
const FAULTS: [Fault; 6] = [
    Fault::Cut,
    Fault::CutAfter,
    Fault::Fail,
    Fault::Drop,
    // Longer than anybody waits.
    Fault::Delay(Duration::from_secs(3)),
    Fault::Delay(Duration::from_secs(45)),
];

/// All payments of the journal, as far as it can be read.
pub(super) async fn ledger(memory: &Memory) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let (page, next) = payments(memory, after, 3).await;
        ids.extend(page);
        if next == after {
            return ids;
        }
        after = next;
    }
}

/// The journal's types of events, and for those of orders the version.
async fn events(memory: &Memory) -> Vec<(&'static str, u64)> {
    let store = Ledger::new(memory.clone());
    let page = store
        .journal()
        .read(0, usize::MAX, Span::ALWAYS, |_| true)
        .await
        .unwrap();
    assert_eq!(page.unreadable, []);
    let events = page.entries.into_iter().map(|entry| match entry.event {
        Event::OrderRegistered(order) => ("order.registered", order.version),
        Event::OrderAmended(order) => ("order.amended", order.version),
        Event::OrderCompleted(order) => ("order.completed", order.version),
        Event::OrderCancelled(order) => ("order.cancelled", order.version),
        Event::OrderRefunding(order) => ("order.refunding", order.version),
        Event::OrderRefunded(order) => ("order.refunded", order.version),
        Event::OrderReopened(order) => ("order.reopened", order.version),
        Event::PaymentRecorded(_) => ("payment.recorded", 0),
        Event::PaymentRefused(_) => ("payment.refused", 0),
        Event::ReviewClosed(_) => ("review.closed", 0),
        Event::SettlementImported(_) => ("settlement.imported", 0),
        Event::PaymentProposed(_) => ("payment.proposed", 0),
        Event::PaymentVoidProposed(_) => ("payment.void_proposed", 0),
        Event::PaymentVoided(_) => ("payment.voided", 0),
        Event::CardStarted(_) => ("card.started", 0),
        Event::PaymentRefunded(_) => ("payment.refunded", 0),
        Event::ReviewOpened(_) => ("review.opened", 0),
        Event::ProposalWithdrawn(_) => ("proposal.withdrawn", 0),
        Event::PaymentConfirmed(_) => ("payment.confirmed", 0),
        Event::PersonalDataErased(_) => ("personal_data.erased", 0),
    });
    events.collect()
}

/// True if a call says that the payment is recorded, by it or before.
fn is_recorded(result: &Result<Recorded, StoreError>) -> bool {
    matches!(result, Ok(Recorded::New | Recorded::Repeated { .. }))
}

async fn payment_of(memory: &Memory, id: &str) -> Option<Proof<StoredPayment>> {
    let id = PaymentId::parse(id).unwrap();
    Ledger::new(memory.clone())
        .payments()
        .proof(&id)
        .await
        .unwrap()
}

/// The calls of a recording, in their order, for scripts of faults.
const TAKE_ATTEMPT: usize = 1;
const WRITE_ENTRIES: usize = 4;
const LOOK_FOR_CONTESTS: usize = 5;
const WRITE_MARKER: usize = 6;

/// Lets one call of the next recording go wrong.
fn spoil(memory: &Memory, position: usize, fault: Fault) {
    memory.script(std::iter::repeat_n(Fault::None, position).chain([fault]));
}

/// Refuses a confirmation; true if it was not refused before.
pub(super) async fn refuse(memory: &Memory, id: &str) -> bool {
    try_to_refuse(memory, id).await.unwrap()
}

async fn try_to_refuse(memory: &Memory, id: &str) -> Result<bool, StoreError> {
    let evidence = Evidence::new(&secret(), b"<message/>", id, b"content", "InvalidParameter");
    let store = Ledger::new(memory.clone());
    let new = store
        .refusals()
        .keep(&refusal(id, &evidence), &evidence, Some(b"<fault/>"))
        .await?;
    assert_eq!(
        store.messages().get(evidence.id()).await.unwrap().unwrap(),
        b"<message/>"
    );
    Ok(new)
}

fn refusal(id: &str, evidence: &Evidence<'_>) -> RefusalJson {
    RefusalJson {
        payment_id: Some(id.to_owned()),
        service_id: None,
        order_key: None,
        code: "InvalidParameter".into(),
        reason: "wrong".into(),
        received_at: "2026-06-01T12:00:00+03:00".into(),
        signer: SignerJson {
            subject: "CN=MPay".into(),
            fingerprint: "00".into(),
            algorithm: "rsa-sha1".into(),
        },
        evidence: evidence.id().to_owned(),
    }
}

/// Sets a status, or takes it back, on the order as it is.
pub(super) async fn set(
    memory: &Memory,
    key: &str,
    status: Option<&str>,
) -> Result<Registered, RegisterError> {
    let first = order(key, "1");
    Ledger::new(memory.clone())
        .orders()
        .change(
            &first.service_id,
            &first.order_key,
            Precondition::None,
            Some("tester"),
            |state| {
                let mut json = OrderJson::from(state.order().unwrap());
                json.status = status.map(str::to_owned);
                json.refund_reference = (status == Some("Refunded")).then(|| "PO 7".to_owned());
                Ok(json.to_order().unwrap())
            },
        )
        .await
}

pub(super) async fn close(memory: &Memory, id: &str, review: Review) -> Result<(), CloseError> {
    let id = PaymentId::parse(id).unwrap();
    let note = Text::parse("looked at").unwrap();
    Ledger::new(memory.clone())
        .reviews()
        .close(&id, review, &note, "me")
        .await
}

async fn closed(memory: &Memory) -> usize {
    let events = events(memory).await;
    events
        .iter()
        .filter(|event| event.0 == "review.closed")
        .count()
}

/// Records a payment as one that was entered by hand.
pub(super) async fn record_by_hand(memory: &Memory, id: &str) -> Result<Recorded, StoreError> {
    let (confirmation, json) = payment(id, "1", "100");
    let evidence = Evidence::new(&secret(), b"{}", id, b"proposal", "manual");
    let json = PaymentJson {
        evidence: evidence.id().to_owned(),
        signer: None,
        manual: Some(ManualJson {
            proposal: 1,
            proposed_by: "one".into(),
            approved_by: "two".into(),
            note: "in the statement".into(),
            confirmed: None,
        }),
        ..json
    };
    Ledger::new(memory.clone())
        .payments()
        .record(
            &confirmation,
            &json,
            &StoredOrder::default(),
            &evidence,
            None,
        )
        .await
}

/// Confirms a payment as MPay does, and as the operation answers it: repeated until it succeeds.
pub(super) async fn confirm(memory: &Memory, id: &str) {
    let (confirmation, json) = payment(id, "1", "100");
    let evidence = Evidence::new(&secret(), b"<message/>", id, b"confirmation", "accepted");
    let json = PaymentJson {
        evidence: evidence.id().to_owned(),
        ..json
    };
    let store = Ledger::new(memory.clone());
    loop {
        match store
            .payments()
            .record(
                &confirmation,
                &json,
                &StoredOrder::default(),
                &evidence,
                None,
            )
            .await
        {
            Ok(Recorded::Manual) => {
                let noted = store
                    .manual_payments()
                    .confirm(&confirmation, &json, &evidence)
                    .await;
                if noted.is_ok() {
                    return;
                }
            }
            Ok(Recorded::New | Recorded::Repeated { .. }) => return,
            Ok(Recorded::Conflict) => panic!("a conflict"),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
}

/// The void of a payment that two people have entered.
pub(super) async fn void_of(memory: &Memory, id: &str) -> VoidJson {
    let id = PaymentId::parse(id).unwrap();
    let stored = Ledger::new(memory.clone()).payments().get(&id).await;
    let stored = stored.unwrap().unwrap();
    let payment = stored.payment;
    let proposal = VoidProposalJson {
        payment_id: payment.payment_id.clone(),
        service_id: payment.service_id.clone(),
        order_key: payment.order_key.clone(),
        proposal: payment.manual.as_ref().unwrap().proposal,
        note: "n".to_owned(),
        by: "a".to_owned(),
    };
    VoidJson::new(&payment, stored.index, 9, &proposal, "b")
}

/// The version that the last event of the order names, and that which the order shows after it.
async fn versions(memory: &Memory) -> (u64, u64) {
    let store = Ledger::new(memory.clone());
    let all = store
        .journal()
        .read(0, usize::MAX, Span::ALWAYS, |_| true)
        .await;
    let last = all.unwrap().entries.pop().unwrap().event;
    let named = match &last {
        Event::PaymentRecorded(payment) => payment.version.unwrap(),
        event => event.change().unwrap().2,
    };
    (named, stored(memory, "1").await.unwrap().version)
}

pub(super) async fn ledger_events(memory: &Memory, kind: &str) -> usize {
    // Until holes are passed.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let all = events(memory).await;
    all.iter().filter(|(name, _)| *name == kind).count()
}
