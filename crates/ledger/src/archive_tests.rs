//! Moving signed messages out of the store.

use std::{collections::BTreeMap, time::Duration};

use super::{
    erasure_tests::{
        ANSWER, DAY, IDNP, erase, keys, message, paid_order, pay, register_of, traces,
    },
    memory::{Fault, Memory},
    testing::{order_json, put, record, register, stored},
    *,
};
use crate::{
    digest::sha256,
    domain::{PaymentId, Review},
};

const FILE: &str = "2026-06.zip";

fn copied(id: &str, index: u64) -> Copied {
    Copied {
        payment_id: PaymentId::parse(id).unwrap(),
        index,
        request_sha256: sha256(message(id).as_bytes()),
        answer_sha256: Some(sha256(ANSWER)),
    }
}

async fn movable(memory: &Memory) -> Vec<(String, u64, bool)> {
    let store = Ledger::new(memory.clone());
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = store
            .archives()
            .movable(after, store.now() + DAY)
            .await
            .unwrap();
        let found = page.payments.into_iter();
        all.extend(found.map(|found| (found.payment_id, found.index, found.is_left)));
        match page.next {
            Some(next) => after = next,
            None => return all,
        }
    }
}

async fn moved(memory: &Memory, copies: &[Copied]) -> Result<Vec<Result<(), Stays>>, StoreError> {
    let store = Ledger::new(memory.clone());
    let mark = Archived::new(FILE, "tester");
    store.archives().moved(&mark, copies).await
}

/// The payment's message and answer, as the API gives them.
async fn proof(memory: &Memory, id: &str) -> (Vec<u8>, Option<Vec<u8>>) {
    let id = PaymentId::parse(id).unwrap();
    let store = Ledger::new(memory.clone());
    let proof = store.payments().proof(&id).await.unwrap().unwrap();
    (proof.request.unwrap(), proof.answer)
}

/// Every record and message of the store.
fn all(memory: &Memory) -> BTreeMap<String, Vec<u8>> {
    let keys = ["{", "<"].map(|text| memory.keys_with(text));
    let keys = keys.into_iter().flatten();
    let values = keys.map(|key| (key.clone(), memory.value(&key).unwrap()));
    values.collect()
}

#[tokio::test(start_paused = true)]
async fn the_message_and_the_answer_leave_the_store_and_nothing_else_changes() {
    let memory = Memory::new();
    paid_order(&memory).await;
    let [(id, index, is_left)] = movable(&memory).await.try_into().unwrap();
    assert_eq!((id.as_str(), is_left), ("P-1", false));
    let before = all(&memory);
    let copy = copied("P-1", index);
    assert_eq!(
        moved(&memory, std::slice::from_ref(&copy)).await.unwrap(),
        [Ok(())]
    );

    let after = all(&memory);
    let changed: Vec<_> = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .filter_map(|(key, value)| Some((key.split_once('/')?.0, value.as_slice())))
        .collect();
    let names: Vec<_> = changed.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["answer", "archived", "erased", "evidence"]);
    assert_eq!((changed[0].1, changed[3].1), (&b"{}"[..], &b"{}"[..]));
    let (request, answer) = proof(&memory, "P-1").await;
    let tombstone = Tombstone::of(&request).unwrap();
    assert_eq!(tombstone.sha256, sha256(message("P-1").as_bytes()));
    assert_eq!(answer, None);
    let store = Ledger::new(memory.clone());
    let payment = store.payments().get(&copy.payment_id).await.unwrap();
    let name = payment.unwrap().payment.evidence;
    let mark = store.messages().archived(&name).await.unwrap().unwrap();
    assert_eq!((mark.archive.as_str(), mark.by.as_str()), (FILE, "tester"));

    // It is done once, and MPay's repetition brings nothing back.
    assert_eq!(movable(&memory).await, []);
    let after = all(&memory);
    assert_eq!(moved(&memory, &[copy]).await.unwrap(), [Ok(())]);
    let again = pay(&memory, "P-1", "1", "100").await;
    assert!(matches!(again, Recorded::Repeated { .. }), "{again:?}");
    assert_eq!(all(&memory), after);
}

#[tokio::test(start_paused = true)]
async fn what_is_needed_or_has_no_copy_stays() {
    let memory = Memory::new();
    paid_order(&memory).await;
    for key in ["2", "3"] {
        register(&memory, key, "100").await.unwrap();
    }
    // Paid in part, and paid too much.
    record(&memory, "P-2", "2", "50").await.unwrap();
    record(&memory, "P-3", "3", "120").await.unwrap();
    let [(_, index, _)] = movable(&memory).await.try_into().unwrap();
    let store = Ledger::new(memory.clone());
    let page = store.archives().movable(0, Timestamp::UNIX_EPOCH).await;
    assert_eq!(page.unwrap().payments, []);

    let place = async |id: &str| {
        let id = PaymentId::parse(id).unwrap();
        let stored = store.payments().get(&id).await.unwrap();
        stored.unwrap().index
    };
    let before = all(&memory);
    let (good, other) = (copied("P-1", index), "0".repeat(64));
    let wrong_message = Copied {
        request_sha256: other.clone(),
        ..good.clone()
    };
    let wrong_answer = Copied {
        answer_sha256: Some(other),
        ..good.clone()
    };
    let no_answer = Copied {
        answer_sha256: None,
        ..good.clone()
    };
    let (second, third) = (place("P-2").await, place("P-3").await);
    let refused = [
        (wrong_message, Stays::Differs),
        (wrong_answer, Stays::OtherAnswer),
        (no_answer, Stays::OtherAnswer),
        (copied("P-1", index + 1), Stays::NoPayment),
        (copied("P-9", index), Stays::NoPayment),
        (
            copied("P-2", second),
            Stays::Open("it is PartiallyPaid".into()),
        ),
        (
            copied("P-3", third),
            Stays::Open("a review of its payments is open".into()),
        ),
    ];
    for (copy, why) in refused {
        let result = moved(&memory, std::slice::from_ref(&copy)).await.unwrap();
        assert_eq!(result, [Err(why)], "{copy:?}");
    }
    assert_eq!(all(&memory), before);

    // A payment whose review is closed can go.
    let note = crate::domain::Text::parse("dat înapoi").unwrap();
    let id = PaymentId::parse("P-3").unwrap();
    let closing = store
        .reviews()
        .close(&id, Review::OverPaid, &note, "tester");
    closing.await.unwrap();
    let ids: Vec<_> = movable(&memory).await.into_iter().map(|it| it.0).collect();
    assert_eq!(ids, ["P-1", "P-3"]);
    // Of several each is judged by itself.
    let both = [copied("P-2", second), good];
    let [stays, gone] = moved(&memory, &both).await.unwrap().try_into().unwrap();
    assert!(stays.is_err() && gone.is_ok());
}

/// However far a move has come: the message is there, or it is known to be gone; and repetition ends it.
#[tokio::test(start_paused = true)]
async fn a_move_stopped_between_any_two_calls_loses_nothing_and_is_finished_by_repetition() {
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..30 {
            let memory = Memory::new();
            paid_order(&memory).await;
            let [(_, index, _)] = movable(&memory).await.try_into().unwrap();
            let copy = copied("P-1", index);
            memory.take_calls();
            memory.script(std::iter::repeat_n(Fault::None, position).chain([fault]));
            let first = moved(&memory, std::slice::from_ref(&copy));
            let first = tokio::time::timeout(Duration::from_secs(50), first).await;
            let is_over = first.is_ok() && memory.take_calls().len() <= position;
            memory.script([]);
            let (request, _) = proof(&memory, "P-1").await;
            let is_whole = request == message("P-1").as_bytes();
            assert!(
                is_whole || Tombstone::of(&request).is_some(),
                "{fault:?} {position}: {}",
                String::from_utf8_lossy(&request)
            );
            for (_, index, is_left) in movable(&memory).await {
                assert_eq!(is_left, !is_whole, "{fault:?} {position}");
                let again = moved(&memory, &[copied("P-1", index)]).await;
                assert_eq!(again.unwrap(), [Ok(())]);
            }
            assert_eq!(movable(&memory).await, [], "{fault:?} {position}");
            let (request, answer) = proof(&memory, "P-1").await;
            assert!(Tombstone::of(&request).is_some() && answer.is_none());
            if is_over {
                break;
            }
            assert!(position < 29, "the script is too short");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_late_write_brings_back_nobody_reads_and_the_next_run_moves_again() {
    let memory = Memory::new();
    paid_order(&memory).await;
    let before = all(&memory);
    let [(_, index, _)] = movable(&memory).await.try_into().unwrap();
    let copy = copied("P-1", index);
    moved(&memory, std::slice::from_ref(&copy)).await.unwrap();
    let after = all(&memory);
    for (key, value) in &before {
        memory.overwrite(key, value.clone());
    }
    let (request, _) = proof(&memory, "P-1").await;
    assert!(Tombstone::of(&request).is_some());
    assert_eq!(movable(&memory).await, [("P-1".to_owned(), index, true)]);
    assert_eq!(
        moved(&memory, std::slice::from_ref(&copy)).await.unwrap(),
        [Ok(())]
    );
    assert_eq!(all(&memory), after);
    // Another file's name does not take the place of the first.
    let store = Ledger::new(memory.clone());
    let mark = Archived::new("other.zip", "tester");
    let elsewhere = store.archives().moved(&mark, &[copy]).await.unwrap();
    assert_eq!(elsewhere, [Err(Stays::Elsewhere(FILE.to_owned()))]);
    assert_eq!(all(&memory), after);
}

#[tokio::test(start_paused = true)]
async fn what_was_moved_is_erased_and_mended_as_before() {
    let memory = Memory::new();
    paid_order(&memory).await;
    let [(_, index, _)] = movable(&memory).await.try_into().unwrap();
    let copy = copied("P-1", index);
    moved(&memory, std::slice::from_ref(&copy)).await.unwrap();
    let place = format!("journal/{index}");
    let lost = memory.value(&place).unwrap();
    memory.remove(&place);
    let store = Ledger::new(memory.clone());
    let repair = store.repairs().block(&Cursor::default()).await.unwrap();
    assert_eq!(repair.repaired, ["P-1"]);
    assert_eq!(memory.value(&place), Some(lost));

    tokio::time::sleep(DAY).await;
    let erased = erase(&memory, &Erasure::Customer(IDNP.to_owned())).await;
    assert_eq!((keys(&erased), erased.messages), (vec!["1"], 0));
    assert_eq!(traces(&memory), [""; 0]);
    let order = stored(&memory, "1").await.unwrap();
    assert_eq!(order.state.amount_paid().to_string(), "100.00");
    // A message that was erased before the move is not moved.
    let memory = Memory::new();
    paid_order(&memory).await;
    erase(&memory, &Erasure::Customer(IDNP.to_owned())).await;
    assert_eq!(movable(&memory).await, []);
    let result = moved(&memory, &[copy]).await.unwrap();
    assert_eq!(result, [Err(Stays::Erased)]);
}

#[tokio::test(start_paused = true)]
async fn many_payments_are_moved_page_by_page() {
    let memory = Memory::new();
    for number in 0..600 {
        let (key, id) = (number.to_string(), format!("P-{number}"));
        register(&memory, &key, "1").await.unwrap();
        record(&memory, &id, &key, "1").await.unwrap();
    }
    let found = movable(&memory).await;
    assert_eq!(found.len(), 600);
    let copies = found.iter().map(|(id, index, _)| Copied {
        request_sha256: sha256(b"<message/>"),
        answer_sha256: Some(sha256(b"<answer/>")),
        ..copied(id, *index)
    });
    let copies: Vec<_> = copies.collect();
    let results = moved(&memory, &copies).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(results.len(), 600);
    assert_eq!(memory.keys_with("<message/>"), [""; 0]);
    assert_eq!(movable(&memory).await, []);
}

/// An erasure goes over the journal by blocks: it says first that an order is erased, and may come to its
/// payments many calls later, or be broken off before.
#[tokio::test(start_paused = true)]
async fn what_an_erasure_has_still_to_come_to_is_not_moved() {
    let memory = Memory::new();
    register_of(&memory, "1", IDNP).await;
    register(&memory, "plain", "5").await.unwrap();
    for number in 0..300 {
        register(&memory, &format!("F-{number}"), "1")
            .await
            .unwrap();
    }
    pay(&memory, "P-1", "1", "100").await;
    record(&memory, "P-2", "plain", "5").await.unwrap();
    let [(_, index, _), (_, plain, _)] = movable(&memory).await.try_into().unwrap();
    let store = Ledger::new(memory.clone());
    let erasure = Erasure::Customer(IDNP.to_owned());
    let begin = Cursor::default();
    let first = store.erasures().erase(&erasure, &begin, "tester").await;
    let next = first.unwrap().next.unwrap();
    let (request, _) = proof(&memory, "P-1").await;
    assert_eq!(request, message("P-1").as_bytes(), "not reached yet");

    assert_eq!(movable(&memory).await, [("P-2".to_owned(), plain, false)]);
    let result = moved(&memory, &[copied("P-1", index)]).await.unwrap();
    assert_eq!(result, [Err(Stays::BeingErased)]);
    let second = store.erasures().erase(&erasure, &next, "tester").await;
    assert_eq!(second.unwrap().messages, 1);
    let result = moved(&memory, &[copied("P-1", index)]).await.unwrap();
    assert_eq!(result, [Err(Stays::Erased)]);

    // A message without personal data is not erased, and can go.
    let service = crate::domain::ServiceId::parse("TAX").unwrap();
    let key = crate::domain::OrderKey::parse("1").unwrap();
    record(&memory, "P-3", "1", "100").await.unwrap();
    let id = PaymentId::parse("P-3").unwrap();
    let note = crate::domain::Text::parse("dat înapoi").unwrap();
    let closing = store.reviews().close(&id, Review::Double, &note, "tester");
    closing.await.unwrap();
    erase(&memory, &Erasure::Order(service, key)).await;
    let ids: Vec<_> = movable(&memory).await.into_iter().map(|it| it.0).collect();
    assert_eq!(ids, ["P-2", "P-3"]);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_its_order_has_lost_keeps_its_proof() {
    let memory = Memory::new();
    paid_order(&memory).await;
    let [(_, index, _)] = movable(&memory).await.try_into().unwrap();
    let entry = memory.keys_with("\"payment_id\":\"P-1\"");
    let entry: Vec<_> = entry
        .into_iter()
        .filter(|key| key.starts_with("order/"))
        .collect();
    let [entry] = entry.try_into().unwrap();
    memory.remove(&entry);
    // By its order, nobody has paid.
    let mut order = order_json("1", "100");
    order.status = Some("Cancelled".to_owned());
    put(&memory, &order.to_order().unwrap(), Precondition::None)
        .await
        .unwrap();
    let store = Ledger::new(memory.clone());
    let id = PaymentId::parse("P-1").unwrap();
    let payment = store.payments().get(&id).await.unwrap().unwrap();
    assert!(payment.state.review.contains(&Review::Orphaned));
    assert_eq!(movable(&memory).await, []);
    let result = moved(&memory, &[copied("P-1", index)]).await.unwrap();
    assert_eq!(result, [Err(Stays::Open("a review of it is open".into()))]);
}
