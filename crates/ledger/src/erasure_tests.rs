//! Erasure of personal data.

use std::time::Duration;

use jiff::SignedDuration;

use super::{
    late_event_tests::lose,
    memory::{Fault, Memory},
    testing::{self, put, record, secret, stored},
    *,
};
use crate::{
    digest::sha256,
    domain::{Order, OrderKey, OrderStatus, PaymentId, Review, ServiceId, Text},
    json::{Event, OrderJson, PaymentJson, ProposalJson, RefusalJson, SignerJson},
};

const NAME: &str = "Ion Țurcanu";
pub(super) const IDNP: &str = "2004001234567";
const PHONE: &str = "079123456";
const PASSENGER: &str = "Maria Ceban";
pub(super) const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Erasure = Erasure::Retention(SignedDuration::from_hours(30 * 24));
pub(super) const ANSWER: &[u8] = b"<answer/>";

/// An order with as much personal data as an order can have.
fn order_of(key: &str, customer_id: &str) -> OrderJson {
    serde_json::from_value(serde_json::json!({
        "service_id": "TAX", "order_key": key, "reason": "Taxă", "customer_type": "Person",
        "customer_id": customer_id, "customer_name": NAME,
        "properties": [{"name": "Telefon", "display_name": "Telefon", "value": PHONE}],
        "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "100", "properties": [
            {"name": "Pasager", "display_name": "Pasager", "value": PASSENGER}
        ]}]
    }))
    .unwrap()
}

pub(super) async fn register_of(memory: &Memory, key: &str, customer_id: &str) -> Order {
    let order = order_of(key, customer_id).to_order().unwrap();
    put(memory, &order, Precondition::None).await.unwrap();
    order
}

pub(super) fn message(id: &str) -> String {
    format!("<m id='{id}'><PaymentProperty><Value>{PHONE}</Value></PaymentProperty></m>")
}

/// A payment with values that the payer filled in.
pub(super) async fn pay(memory: &Memory, id: &str, key: &str, amount: &str) -> Recorded {
    let message = message(id);
    let evidence = Evidence::new(&secret(), message.as_bytes(), id, b"content", "accepted");
    let json: PaymentJson = serde_json::from_value(serde_json::json!({
        "payment_id": id, "service_id": "TAX", "order_key": key, "amount": amount,
        "currency": "MDL", "paid_at": "2026-06-01T12:00:00+03:00",
        "lines": [{"line_id": "1", "amount": amount,
            "properties": [{"name": "Pasager", "value": PASSENGER}]}],
        "properties": [{"name": "Telefon", "value": PHONE}],
        "received_at": "2026-06-01T12:00:05+03:00",
        "signer": {"subject": "CN=MPay", "fingerprint": "00", "algorithm": "rsa-sha1"},
        "evidence": evidence.id()
    }))
    .unwrap();
    let confirmation = json.to_confirmation().unwrap();
    let store = Ledger::new(memory.clone());
    let order = StoredOrder::default();
    let recorded = store
        .payments()
        .record(&confirmation, &json, &order, &evidence, Some(ANSWER));
    recorded.await.unwrap()
}

pub(super) async fn erase(memory: &Memory, erasure: &Erasure) -> Erased {
    let store = Ledger::new(memory.clone());
    let mut all = Erased::default();
    loop {
        let after = all.next.unwrap_or_default();
        let part = store.erasures().erase(erasure, &after, "tester").await;
        let part = part.unwrap();
        all.erased.extend(part.erased);
        all.messages += part.messages;
        all.kept.extend(part.kept);
        all.next = part.next;
        if all.next.is_none() {
            return all;
        }
    }
}

pub(super) fn keys(erased: &Erased) -> Vec<&str> {
    let orders = erased.erased.iter();
    orders.map(|order| order.order_key.as_str()).collect()
}

fn reasons(erased: &Erased) -> Vec<&str> {
    let kept = erased.kept.iter();
    kept.map(|order| order.reason.as_str()).collect()
}

/// The keys at which the store still has personal data of the person.
pub(super) fn traces(memory: &Memory) -> Vec<String> {
    let of_person = [NAME, IDNP, PHONE, PASSENGER];
    let found = of_person.iter().flat_map(|text| memory.keys_with(text));
    found.collect()
}

async fn erasures(memory: &Memory) -> Vec<String> {
    let store = Ledger::new(memory.clone());
    let wanted = |event: &Event| matches!(event, Event::PersonalDataErased(_));
    let page = store
        .journal()
        .read(0, 100, Span::ALWAYS, wanted)
        .await
        .unwrap();
    let events = page.entries.into_iter().map(|entry| match entry.event {
        Event::PersonalDataErased(erased) => format!(
            "{} {} {}",
            erased.order_key.unwrap_or_default(),
            erased.reason,
            erased.by
        ),
        other => panic!("{other:?}"),
    });
    events.collect()
}

/// A paid order that was amended before, with all the personal data that can be known.
pub(super) async fn paid_order(memory: &Memory) -> Order {
    register_of(memory, "1", "1002600000001").await;
    let order = register_of(memory, "1", IDNP).await;
    assert_eq!(pay(memory, "P-1", "1", "100").await, Recorded::New);
    order
}

#[tokio::test(start_paused = true)]
async fn after_its_time_no_value_of_the_store_tells_of_a_person_and_the_rest_stays() {
    let memory = Memory::new();
    let order = paid_order(&memory).await;
    let before = stored(&memory, "1").await.unwrap();
    let proposal: ProposalJson = serde_json::from_value(serde_json::json!({
        "payment_id": "P-9", "service_id": "TAX", "order_key": "1", "amount": "1",
        "currency": "MDL", "paid_at": "2026-06-01T12:00:00+03:00", "note": "extras", "by": "tester",
        "lines": [{"line_id": "1", "amount": "1",
            "properties": [{"name": "Pasager", "value": PASSENGER}]}]
    }))
    .unwrap();
    let proposed = Ledger::new(memory.clone())
        .proposals()
        .propose(&Proposed::Payment(proposal.clone()))
        .await
        .unwrap();
    assert!(traces(&memory).len() > 8, "{:?}", traces(&memory));

    tokio::time::sleep(29 * DAY).await;
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    tokio::time::sleep(2 * DAY).await;
    let erased = erase(&memory, &MONTH).await;
    assert_eq!((keys(&erased), erased.messages), (vec!["1"], 1));
    assert_eq!(traces(&memory), [""; 0]);
    assert_eq!(memory.keys_with("1002600000001"), [""; 0]);
    assert_eq!(erasures(&memory).await, ["1 retention tester"]);

    let after = stored(&memory, "1").await.unwrap();
    let now = memory.now();
    assert_eq!(after.state.status(now), OrderStatus::Paid);
    assert_eq!(after.state.amount_paid(), before.state.amount_paid());
    assert_eq!(after.state.versions().len(), 2);
    let latest = after.state.order().unwrap();
    assert_eq!(latest.reason, order.reason);
    assert_eq!(latest.customer_type, order.customer_type);
    assert_eq!(latest.properties[0].name, order.properties[0].name);
    assert_eq!(latest.properties[0].value, None);

    let store = Ledger::new(memory.clone());
    let id = PaymentId::parse("P-1").unwrap();
    let kept = store
        .proposals()
        .get(proposed)
        .await
        .unwrap()
        .unwrap()
        .proposed;
    let Proposed::Payment(kept) = kept else {
        panic!("{kept:?}")
    };
    assert_eq!(kept.lines[0].properties[0].value, None);
    assert_eq!((kept.amount, kept.note), (proposal.amount, proposal.note));
    let proof = store.payments().proof(&id).await.unwrap().unwrap();
    let tombstone = Tombstone::of(proof.request.as_deref().unwrap()).unwrap();
    assert_eq!(tombstone.sha256, sha256(message("P-1").as_bytes()));
    assert_eq!(proof.answer.as_deref(), Some(ANSWER));
    assert_eq!(proof.stored.payment.properties[0].value, None);
    let again = pay(&memory, "P-1", "1", "100").await;
    assert!(matches!(again, Recorded::Repeated { .. }), "{again:?}");

    tokio::time::sleep(31 * DAY).await;
    memory.take_calls();
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    let calls = memory.take_calls();
    assert!(
        calls.iter().all(|call| call.starts_with("get")),
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_somebody_still_needs_stays() {
    let memory = Memory::new();
    register_of(&memory, "active", IDNP).await;
    register_of(&memory, "partly", IDNP).await;
    pay(&memory, "P-1", "partly", "40").await;
    register_of(&memory, "double", IDNP).await;
    pay(&memory, "P-2", "double", "100").await;
    pay(&memory, "P-3", "double", "100").await;
    register_of(&memory, "refunding", IDNP).await;
    pay(&memory, "P-4", "refunding", "100").await;
    let mut refunding = order_of("refunding", IDNP);
    refunding.status = Some("Refunding".to_owned());
    let refunding = refunding.to_order().unwrap();
    put(&memory, &refunding, Precondition::None).await.unwrap();
    tokio::time::sleep(1000 * DAY).await;
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    let asked = erase(&memory, &Erasure::Customer(IDNP.to_owned())).await;
    assert_eq!(
        reasons(&asked),
        [
            "it is Active",
            "it is PartiallyPaid",
            "a review of its payments is open",
            "it is Refunding"
        ]
    );
    assert_eq!(keys(&asked), [""; 0]);

    let store = Ledger::new(memory.clone());
    let (id, note) = (PaymentId::parse("P-3").unwrap(), Text::parse("dat înapoi"));
    let closing = store
        .reviews()
        .close(&id, Review::Double, note.as_ref().unwrap(), "tester");
    closing.await.unwrap();
    // Time counts from the last thing that happened.
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    tokio::time::sleep(31 * DAY).await;
    assert_eq!(keys(&erase(&memory, &MONTH).await), ["double"]);
    assert!(!traces(&memory).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_order_that_nobody_paid_begins_with_its_due_date() {
    let memory = Memory::new();
    let mut order = order_of("1", IDNP);
    order.due_date = Some("2026-06-21".to_owned());
    let order = order.to_order().unwrap();
    put(&memory, &order, Precondition::None).await.unwrap();
    tokio::time::sleep(40 * DAY).await;
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    tokio::time::sleep(15 * DAY).await;
    assert_eq!(keys(&erase(&memory, &MONTH).await), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn what_one_call_does_not_reach_the_next_ones_do() {
    let memory = Memory::new();
    for number in 0..300 {
        let mut order = order_of(&number.to_string(), IDNP);
        order.status = Some("Cancelled".to_owned());
        let order = order.to_order().unwrap();
        put(&memory, &order, Precondition::None).await.unwrap();
    }
    tokio::time::sleep(31 * DAY).await;
    let store = Ledger::new(memory.clone());
    let first = store
        .erasures()
        .erase(&MONTH, &Cursor::default(), "tester")
        .await
        .unwrap();
    let next = first.next.map(|next| next.place);
    assert_eq!((first.erased.len(), next), (256, Some(256)));
    assert_eq!(erase(&memory, &MONTH).await.erased.len(), 44);
    assert_eq!(traces(&memory), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_customer_is_erased_on_request_and_nobody_else() {
    let memory = Memory::new();
    register_of(&memory, "1", IDNP).await;
    pay(&memory, "P-1", "1", "100").await;
    register_of(&memory, "2", "2004007654321").await;
    pay(&memory, "P-2", "2", "100").await;
    // Somebody who gave a number only when asked for it.
    let mut filled_in = order_of("3", "2004007654321");
    filled_in.properties[0].value = Some(IDNP.to_owned());
    let filled_in = filled_in.to_order().unwrap();
    put(&memory, &filled_in, Precondition::None).await.unwrap();
    pay(&memory, "P-3", "3", "100").await;

    let erased = erase(&memory, &Erasure::Customer(IDNP.to_owned())).await;
    assert_eq!(keys(&erased), ["1", "3"]);
    assert_eq!(
        erasures(&memory).await,
        ["1 request tester", "3 request tester"]
    );
    assert_eq!(memory.keys_with(IDNP), [""; 0]);
    let other = stored(&memory, "2").await.unwrap();
    assert!(other.state.order().unwrap().customer_name.is_some());
    assert_eq!(
        other.payments[0].properties[0].value.as_deref(),
        Some(PHONE)
    );

    let service = ServiceId::parse("TAX").unwrap();
    let order = Erasure::Order(service, OrderKey::parse("2").unwrap());
    assert_eq!(keys(&erase(&memory, &order).await), ["2"]);
    assert_eq!(traces(&memory), [""; 0]);
}

/// Copies outside the store follow the requests of persons, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_request_is_written_down_once_also_where_the_data_went_by_its_age() {
    let memory = Memory::new();
    paid_order(&memory).await;
    tokio::time::sleep(31 * DAY).await;
    assert_eq!(keys(&erase(&memory, &MONTH).await), ["1"]);
    let service = ServiceId::parse("TAX").unwrap();
    let order = Erasure::Order(service, OrderKey::parse("1").unwrap());
    assert_eq!(keys(&erase(&memory, &order).await), ["1"]);
    let both = ["1 retention tester", "1 request tester"];
    assert_eq!(erasures(&memory).await, both);
    // Neither again.
    assert_eq!(erase(&memory, &order).await, Erased::default());
    tokio::time::sleep(31 * DAY).await;
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    assert_eq!(erasures(&memory).await, both);
    // Of an order that had nothing of a person there is nothing to follow.
    let plain = testing::order("2", "5");
    put(&memory, &plain, Precondition::None).await.unwrap();
    record(&memory, "P-2", "2", "5").await.unwrap();
    let service = ServiceId::parse("TAX").unwrap();
    let order = Erasure::Order(service, OrderKey::parse("2").unwrap());
    assert_eq!(erase(&memory, &order).await, Erased::default());
}

#[tokio::test(start_paused = true)]
async fn an_erasure_stopped_between_any_two_calls_is_finished_by_repetition() {
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..60 {
            let memory = Memory::new();
            paid_order(&memory).await;
            tokio::time::sleep(31 * DAY).await;
            memory.take_calls();
            memory.script(std::iter::repeat_n(Fault::None, position).chain([fault]));
            let first = tokio::time::timeout(Duration::from_secs(5), erase(&memory, &MONTH)).await;
            let was_cut = first.is_err();
            let calls = memory.take_calls().len();
            memory.script([]);
            // Nobody reads data that is declared erased, though it may still be there.
            if memory.keys_with("\"erased\"").len() == 1 {
                let order = stored(&memory, "1").await.unwrap();
                assert_eq!(order.state.order().unwrap().customer_name, None);
                assert_eq!(order.payments[0].properties[0].value, None);
            }
            // Readers wait for a call that was cut off after it took a place.
            tokio::time::sleep(Duration::from_secs(120)).await;
            erase(&memory, &MONTH).await;
            tokio::time::sleep(31 * DAY).await;
            erase(&memory, &MONTH).await;
            assert_eq!(traces(&memory), [""; 0], "{fault:?} {position}");
            let order = stored(&memory, "1").await.unwrap();
            assert_eq!(order.payments.len(), 1, "{fault:?} {position}");
            let message = message("P-1");
            let evidence =
                Evidence::new(&secret(), message.as_bytes(), "P-1", b"content", "accepted");
            let store = Ledger::new(memory.clone());
            let kept = store.messages().get(evidence.id()).await.unwrap().unwrap();
            let tombstone = Tombstone::of(&kept).unwrap();
            assert_eq!(tombstone.sha256, sha256(message.as_bytes()));
            let again = pay(&memory, "P-1", "1", "100").await;
            assert!(matches!(again, Recorded::Repeated { .. }), "{again:?}");
            tokio::time::sleep(Duration::from_secs(61)).await;
            assert!(!erasures(&memory).await.is_empty(), "{fault:?} {position}");
            if !was_cut && calls <= position {
                break;
            }
            assert!(position < 59, "the script is too short");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_brings_nothing_back_and_what_is_new_does() {
    let memory = Memory::new();
    let order = register_of(&memory, "1", IDNP).await;
    let cancelled = OrderJson {
        status: Some("Cancelled".to_owned()),
        ..order_of("1", IDNP)
    };
    let cancelled = cancelled.to_order().unwrap();
    put(&memory, &cancelled, Precondition::None).await.unwrap();
    tokio::time::sleep(31 * DAY).await;
    assert_eq!(keys(&erase(&memory, &MONTH).await), ["1"]);

    let same = put(&memory, &cancelled, Precondition::None).await;
    assert_eq!(same.unwrap(), Registered::Unchanged);
    assert_eq!(traces(&memory), [""; 0]);

    let reopened = put(&memory, &order, Precondition::None).await;
    assert_eq!(reopened.unwrap(), Registered::Amended);
    let same = put(&memory, &order, Precondition::None).await;
    assert_eq!(same.unwrap(), Registered::Unchanged);
    let known = stored(&memory, "1").await.unwrap();
    assert_eq!(known.state.order(), Some(&order));
    assert_eq!(known.state.versions()[0].customer_name, None);
    pay(&memory, "P-1", "1", "100").await;
    tokio::time::sleep(31 * DAY).await;
    assert_eq!(keys(&erase(&memory, &MONTH).await), ["1"]);
    assert_eq!(traces(&memory), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_comes_after_the_erasure_is_whole_until_its_own_time() {
    let memory = Memory::new();
    paid_order(&memory).await;
    tokio::time::sleep(31 * DAY).await;
    erase(&memory, &MONTH).await;
    assert_eq!(pay(&memory, "P-2", "1", "100").await, Recorded::New);
    let order = stored(&memory, "1").await.unwrap();
    assert_eq!(order.state.payments()[1].review, [Review::Double]);
    let value = |payment: usize| order.payments[payment].properties[0].value.as_deref();
    assert_eq!((value(0), value(1)), (None, Some(PHONE)));

    tokio::time::sleep(31 * DAY).await;
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    let (id, note) = (PaymentId::parse("P-2").unwrap(), Text::parse("dat înapoi"));
    let store = Ledger::new(memory.clone());
    let closing = store
        .reviews()
        .close(&id, Review::Double, note.as_ref().unwrap(), "tester");
    closing.await.unwrap();
    tokio::time::sleep(31 * DAY).await;
    let erased = erase(&memory, &MONTH).await;
    assert_eq!((keys(&erased), erased.messages), (vec!["1"], 1));
    assert_eq!(traces(&memory), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_is_erased_once_its_review_is_closed() {
    let memory = Memory::new();
    let store = Ledger::new(memory.clone());
    assert!(refuse(&memory).await);
    tokio::time::sleep(31 * DAY).await;
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    let customer = Erasure::Customer(PHONE.to_owned());
    assert_eq!(
        reasons(&erase(&memory, &customer).await),
        ["the review of refusal 1 is open"]
    );

    let note = Text::parse("rezolvat cu MPay").unwrap();
    store.refusals().close(1, &note, "tester").await.unwrap();
    assert_eq!(
        erase(&memory, &Erasure::Customer("079000000".into())).await,
        Erased::default()
    );
    let before = with_traces(&memory);
    assert_eq!(erase(&memory, &customer).await.messages, 1);
    assert_eq!(traces(&memory), [""; 0]);
    // A write that comes late brings the message back: nobody reads it, and it is erased again.
    for (key, value) in before {
        memory.overwrite(&key, value);
    }
    let proof = store.refusals().proof(1).await.unwrap().unwrap();
    assert!(Tombstone::of(&proof.request.unwrap()).is_some());
    store.repairs().block(&Cursor::default()).await.unwrap();
    assert_eq!(traces(&memory), [""; 0]);
    assert_eq!(erasures(&memory).await, ["9 request tester"]);
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    // MPay repeats a refused confirmation; it is not kept a second time.
    assert!(!refuse(&memory).await);
    assert_eq!(traces(&memory), [""; 0]);
}

/// However far the erasure of a refused message has come, the next call goes on: the message is gone as
/// soon as it is said to be, and it is said once.
#[tokio::test(start_paused = true)]
async fn the_erasure_of_a_refused_message_is_finished_by_repetition_and_told_of_once() {
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..40 {
            let memory = refused_and_closed().await;
            memory.take_calls();
            memory.script(std::iter::repeat_n(Fault::None, position).chain([fault]));
            let first = tokio::time::timeout(Duration::from_secs(5), erase(&memory, &MONTH)).await;
            let is_over = first.is_ok() && memory.take_calls().len() <= position;
            memory.script([]);
            tokio::time::sleep(Duration::from_secs(120)).await;
            let is_said = !erasures(&memory).await.is_empty();
            if is_said {
                let store = Ledger::new(memory.clone());
                store.repairs().block(&Cursor::default()).await.unwrap();
                assert_eq!(traces(&memory), [""; 0], "{fault:?} {position}");
            }
            for _ in 0..2 {
                erase(&memory, &MONTH).await;
                assert_eq!(traces(&memory), [""; 0], "{fault:?} {position}");
                let said = erasures(&memory).await;
                assert_eq!(said, ["9 retention tester"], "{fault:?} {position}");
            }
            if is_over {
                break;
            }
            assert!(position < 39, "the script is too short");
        }
    }
}

/// The event of an erasure came too late to its place, and its writer is gone: the next walk enters it.
#[tokio::test(start_paused = true)]
async fn the_next_walk_makes_sure_of_the_event_of_an_erasure() {
    for is_refusal in [false, true] {
        let memory = match is_refusal {
            true => refused_and_closed().await,
            false => {
                let memory = Memory::new();
                paid_order(&memory).await;
                tokio::time::sleep(31 * DAY).await;
                memory
            }
        };
        erase(&memory, &MONTH).await;
        lose(&memory, "personal_data.erased").await;
        for _ in 0..2 {
            erase(&memory, &MONTH).await;
            assert_eq!(erasures(&memory).await.len(), 1, "refusal: {is_refusal}");
        }
    }
}

/// A store with a refused message whose review was closed long ago.
async fn refused_and_closed() -> Memory {
    let memory = Memory::new();
    assert!(refuse(&memory).await);
    let note = Text::parse("rezolvat cu MPay").unwrap();
    let store = Ledger::new(memory.clone());
    store.refusals().close(1, &note, "tester").await.unwrap();
    tokio::time::sleep(31 * DAY).await;
    memory
}

/// Refuses a message with values that the payer filled in; true if it was not refused before.
async fn refuse(memory: &Memory) -> bool {
    let message = message("P-1");
    let evidence = Evidence::new(
        &secret(),
        message.as_bytes(),
        "P-1",
        b"content",
        "UnknownOrder",
    );
    let refusal = RefusalJson {
        payment_id: Some("P-1".into()),
        service_id: Some("TAX".into()),
        order_key: Some("9".into()),
        code: "UnknownOrder".into(),
        reason: "There is no such order.".into(),
        received_at: "2026-06-01T12:00:05+03:00".into(),
        signer: SignerJson {
            subject: "CN=MPay".into(),
            fingerprint: "00".into(),
            algorithm: "rsa-sha1".into(),
        },
        evidence: evidence.id().to_owned(),
    };
    let store = Ledger::new(memory.clone());
    let kept = store.refusals().keep(&refusal, &evidence, None).await;
    kept.unwrap()
}

/// The values of the keys at which the store has personal data of the person.
fn with_traces(memory: &Memory) -> Vec<(String, Vec<u8>)> {
    let keys = traces(memory).into_iter();
    keys.map(|key| (key.clone(), memory.value(&key).unwrap()))
        .collect()
}

/// A batch that was sent before the erasure may be written after it: by a store that is slow, or by a
/// host that was stopped for an hour.
#[tokio::test(start_paused = true)]
async fn what_a_late_write_brings_back_nobody_reads_and_the_next_walk_erases() {
    let nobody = Erasure::Customer("2000000000000".to_owned());
    for by_repair in [false, true] {
        let memory = Memory::new();
        paid_order(&memory).await;
        let before = with_traces(&memory);
        // Versions, the attempt, the payment's entries in its order and in the journal, the message.
        assert!(before.len() >= 6, "{before:?}");
        tokio::time::sleep(31 * DAY).await;
        assert_eq!(keys(&erase(&memory, &MONTH).await), ["1"]);
        let values = || {
            before
                .iter()
                .map(|(key, _)| memory.value(key))
                .collect::<Vec<_>>()
        };
        let erased = values();
        for (key, value) in &before {
            memory.overwrite(key, value.clone());
        }

        let order = stored(&memory, "1").await.unwrap();
        assert_eq!(order.state.order().unwrap().customer_name, None);
        assert_eq!(order.payments[0].properties[0].value, None);
        let (store, id) = (
            Ledger::new(memory.clone()),
            PaymentId::parse("P-1").unwrap(),
        );
        let proof = store.payments().proof(&id).await.unwrap().unwrap();
        let tombstone = Tombstone::of(proof.request.as_deref().unwrap()).unwrap();
        assert_eq!(tombstone.sha256, sha256(message("P-1").as_bytes()));
        assert_eq!(proof.stored.payment.properties[0].value, None);

        if by_repair {
            let repair = store.repairs().block(&Cursor::default()).await.unwrap();
            assert_eq!((repair.repaired.len(), repair.next), (0, None));
        } else {
            let again = erase(&memory, &nobody).await;
            assert_eq!((keys(&again), again.messages), (vec![], 1));
        }
        assert_eq!(traces(&memory), [""; 0]);
        assert_eq!(values(), erased);
    }
}

/// MPay's repetition at the same time writes a copy that does not count, also behind the erasure.
#[tokio::test(start_paused = true)]
async fn what_an_attempt_brings_again_after_the_erasure_is_erased_by_the_next_walk() {
    for payments in [1, 700] {
        let memory = Memory::new();
        long_order(&memory, payments).await;
        let list = "order/TAX/1";
        let place = (2..).find(|place| {
            let entry = memory.value(&format!("{list}/{place}"));
            entry.is_some_and(|entry| String::from_utf8_lossy(&entry).contains("P-0"))
        });
        let [entry, event] = [format!("{list}/{}", place.unwrap()), "journal/2".to_owned()]
            .map(|key| memory.value(&key).unwrap());
        let meant = Erasure::Order(
            ServiceId::parse("TAX").unwrap(),
            OrderKey::parse("1").unwrap(),
        );
        assert_eq!(erase(&memory, &meant).await.erased.len(), 1);
        assert_eq!(traces(&memory), [""; 0]);
        for (list, bytes) in [(list, entry), ("journal", event)] {
            let place = memory.increment(list, 1).await.unwrap();
            memory.overwrite(&format!("{list}/{place}"), bytes);
        }
        // Of both a telephone and a name.
        assert_eq!(traces(&memory).len(), 4);
        let walk = erase(&memory, &Erasure::Customer("nobody".to_owned())).await;
        assert_eq!(walk.erased, []);
        assert_eq!(traces(&memory), [""; 0], "{payments}");
    }
}

/// Otherwise one damaged entry would keep everybody's data for ever.
#[tokio::test(start_paused = true)]
async fn a_damaged_order_keeps_nobody_elses_data() {
    let memory = Memory::new();
    paid_order(&memory).await;
    register_of(&memory, "2", IDNP).await;
    pay(&memory, "P-2", "2", "100").await;
    memory.overwrite("order/TAX/2/1", b"garbage".to_vec());
    tokio::time::sleep(31 * DAY).await;
    let erased = erase(&memory, &MONTH).await;
    assert_eq!(keys(&erased), ["1"]);
    assert_eq!(
        reasons(&erased),
        ["a record of it is damaged; POST /api/repair mends what can be mended"]
    );
    assert_eq!(
        stored(&memory, "1").await.unwrap().payments[0].properties[0].value,
        None
    );
}

/// SHA-256 of parts, which anybody could compute.
fn plain(parts: &[&[u8]]) -> String {
    let parts = parts.iter().flat_map(|part| {
        let length = (part.len() as u64).to_be_bytes();
        length.into_iter().chain(part.iter().copied())
    });
    sha256(&parts.collect::<Vec<_>>())
}

#[tokio::test(start_paused = true)]
async fn no_name_and_no_value_is_a_digest_that_a_guess_can_be_compared_with() {
    let memory = Memory::new();
    let store = Ledger::new(memory.clone());
    let service = ServiceId::parse("TAX").unwrap();
    let document = format!(r#"{{"customer_name":"{NAME}"}}"#);
    let order = |key: &OrderKey| {
        let order = order_of(key.as_str(), IDNP).to_order();
        order.map_err(|_| ())
    };
    let create = async || {
        let created =
            store
                .requests()
                .create(&service, "tester", "request", document.as_bytes(), order);
        created.await.unwrap()
    };
    let key = create().await;
    pay(&memory, "P-1", key.as_str(), "100").await;
    tokio::time::sleep(31 * DAY).await;
    assert_eq!(erase(&memory, &MONTH).await.erased.len(), 1);

    let id = PaymentId::parse("P-1").unwrap();
    let name = store
        .payments()
        .get(&id)
        .await
        .unwrap()
        .unwrap()
        .payment
        .evidence;
    assert_eq!(memory.count(&format!("evidence/{name}")), 1);
    let message = message("P-1");
    let message = message.as_bytes();
    for parts in [
        &[b"P-1" as &[u8], b"accepted", b"content"] as &[&[u8]],
        &[b"P-1", b"accepted", message],
    ] {
        assert_ne!(name, plain(parts));
    }
    for guess in [sha256(document.as_bytes()), plain(&[document.as_bytes()])] {
        assert_eq!(memory.keys_with(&guess), [""; 0]);
    }
    // The request is answered as it was before, also where the order was amended since.
    assert_eq!(create().await, key);
    register_of(&memory, key.as_str(), "2004001234568").await;
    assert_eq!(create().await, key);
}

/// An order with this many payments, each of which has personal data.
async fn long_order(memory: &Memory, payments: usize) {
    let mut order = order_of("1", IDNP);
    order.allow_partial_payments = true;
    order.lines[0].amount_due = Some(format!("{payments}"));
    let order = order.to_order().unwrap();
    put(memory, &order, Precondition::None).await.unwrap();
    for number in 0..payments {
        pay(memory, &format!("P-{number}"), "1", "1").await;
    }
}

/// Number of entries of the order's list that calls have asked for since the last time.
fn entries_read(memory: &Memory) -> usize {
    let calls = memory.take_calls();
    let read = calls.iter().filter(|call| call.starts_with("get "));
    read.map(|call| call.matches(" order/TAX/1/").count()).sum()
}

#[tokio::test(start_paused = true)]
async fn a_long_order_is_erased_in_parts() {
    let memory = Memory::new();
    long_order(&memory, 1_500).await;
    tokio::time::sleep(31 * DAY).await;
    let store = Ledger::new(memory.clone());
    let (mut erased, mut cursor) = (Vec::new(), Cursor::default());
    loop {
        memory.take_calls();
        let part = store.erasures().erase(&MONTH, &cursor, "tester").await;
        let part = part.unwrap();
        let read = entries_read(&memory);
        assert!((1..4_000).contains(&read), "{read} at {cursor}");
        erased.extend(part.erased);
        match part.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!(erased.len(), 1);
    assert_eq!(traces(&memory), [""; 0]);
    // Nothing is left to be done.
    assert_eq!(erase(&memory, &MONTH).await, Erased::default());
    assert_eq!(memory.keys_with("personal_data.erased").len(), 1);
    let order = stored(&memory, "1").await.unwrap();
    assert_eq!(order.state.amount_paid().to_string(), "1500.00");
}

/// A person is found wherever a long order names them; then the walk begins anew.
#[tokio::test(start_paused = true)]
async fn a_customer_is_found_in_the_midst_of_a_long_order() {
    let memory = Memory::new();
    // It has a customer, but not the one who is looked for.
    let mut order = order_of("1", IDNP);
    order.allow_partial_payments = true;
    order.properties.clear();
    order.lines[0].properties.clear();
    order.lines[0].amount_due = Some("900".to_owned());
    let order = order.to_order().unwrap();
    put(&memory, &order, Precondition::None).await.unwrap();
    for number in 0..900 {
        match number {
            850 => drop(pay(&memory, "P-850", "1", "1").await),
            number => drop(
                record(&memory, &format!("P-{number}"), "1", "1")
                    .await
                    .unwrap(),
            ),
        }
    }
    assert!(!traces(&memory).is_empty());
    let nobody = Erasure::Customer("079000000".to_owned());
    assert_eq!(erase(&memory, &nobody).await, Erased::default());
    let erased = erase(&memory, &Erasure::Customer(PHONE.to_owned())).await;
    assert_eq!(keys(&erased), ["1"]);
    assert_eq!(traces(&memory), [""; 0]);
}

/// No part of a long order's payments shows the person, though the entry that erases stands behind the
/// part.
#[tokio::test(start_paused = true)]
async fn a_late_write_shows_nobody_in_the_payments_of_a_long_order() {
    let memory = Memory::new();
    long_order(&memory, 300).await;
    let keys = memory.keys_with(PHONE).into_iter();
    let keys: Vec<_> = keys.filter(|key| key.starts_with("order/")).collect();
    let kept: Vec<_> = keys
        .iter()
        .map(|key| (key, memory.value(key).unwrap()))
        .collect();
    assert!(kept.len() >= 300);
    tokio::time::sleep(31 * DAY).await;
    assert_eq!(erase(&memory, &MONTH).await.erased.len(), 1);
    for (key, value) in kept {
        memory.overwrite(key, value);
    }
    let store = Ledger::new(memory.clone());
    let (service, key) = (
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("1").unwrap(),
    );
    let (mut before, mut seen) = (None, 0);
    loop {
        let page = store.orders().payments(&service, &key, before).await;
        let page = page.unwrap().unwrap();
        seen += page.payments.len();
        let records = page.payments.iter().map(|(record, _)| record);
        let shown = format!("{:?}", records.collect::<Vec<_>>());
        assert!(
            !shown.contains(PHONE) && !shown.contains(PASSENGER),
            "{before:?}"
        );
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, 300);
}
