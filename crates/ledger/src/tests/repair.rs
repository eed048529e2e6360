//! Events that came too late, and entries that were lost.

use super::*;

/// The writer of a change whose event came too late enters it behind, and so does every call that
/// maintains the store meanwhile: it is entered once.
#[tokio::test(start_paused = true)]
async fn an_event_that_came_too_late_is_entered_behind_once() {
    for helpers in [1, 2, 5] {
        for milliseconds in 0..20 {
            let memory = Memory::new();
            let store = Ledger::new(memory.clone());
            // Registration: read, count, count, write; from then on every call takes a moment.
            let slow = std::iter::repeat_n(Fault::Delay(Duration::from_millis(1)), 500);
            let late = Fault::Delay(Duration::from_secs(5));
            memory.script(
                std::iter::repeat_n(Fault::None, 3)
                    .chain([late])
                    .chain(slow),
            );
            let pass = async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                let places = std::collections::BTreeSet::from([1]);
                store.log.decide(keys::JOURNAL, &places).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2990 + milliseconds)).await;
                let help =
                    (0..helpers).map(|_| async { store.repairs().block(&Cursor::default()).await });
                futures::future::join_all(help).await
            };
            let (registered, _) = tokio::join!(register(&memory, "1", "100"), pass);
            assert_eq!(registered.unwrap(), Registered::Created);
            store.repairs().block(&Cursor::default()).await.unwrap();
            assert_eq!(ledger_events(&memory, "order.registered").await, 1);
        }
    }
}

/// A change whose event came too late, and whose writer is gone: a call that sends the change again is
/// told that it is made, so its event is there from then on.
#[tokio::test(start_paused = true)]
async fn whoever_finds_a_change_made_makes_sure_of_its_event() {
    for is_bulk in [false, true] {
        let memory = Memory::new();
        register(&memory, "1", "100").await.unwrap();
        let event = memory.value("journal/1").unwrap();
        memory.remove("journal/1");
        let store = Ledger::new(memory.clone());
        let places = std::collections::BTreeSet::from([1]);
        store.log.decide(keys::JOURNAL, &places).await.unwrap();
        // Nobody comes by again where it is now.
        memory.overwrite("journal/1", event);
        assert_eq!(ledger_events(&memory, "order.registered").await, 0);
        for _ in 0..2 {
            let same = order("1", "100");
            let again = match is_bulk {
                false => put(&memory, &same, Precondition::None).await.unwrap(),
                true => {
                    let key = [(same.service_id.clone(), same.order_key.clone())];
                    let change = |_, _: &_| Ok::<_, std::convert::Infallible>(same.clone());
                    let many = store
                        .orders()
                        .change_many(Intent::Make { by: "tester" }, &key, change)
                        .await;
                    many.into_iter().next().unwrap().unwrap()
                }
            };
            assert_eq!(again, Registered::Unchanged);
            assert_eq!(ledger_events(&memory, "order.registered").await, 1);
        }
    }
}

/// An event that came too late, whose writer is gone, is still needed when its place is erased.
#[tokio::test(start_paused = true)]
async fn an_erasure_loses_no_event_that_came_too_late() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let event = memory.value("journal/1").unwrap();
    memory.remove("journal/1");
    let store = Ledger::new(memory.clone());
    let places = std::collections::BTreeSet::from([1]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    store.log.decide(keys::JOURNAL, &places).await.unwrap();
    memory.overwrite("journal/1", event);
    let nobody = Erasure::Customer("2000000000000".to_owned());
    let start = Cursor::default();
    let erased = store.erasures().erase(&nobody, &start, "tester");
    erased.await.unwrap();
    assert_eq!(ledger_events(&memory, "order.registered").await, 1);
}

/// The store has lost a payment's entry in the journal, and a reader has taken its place for a hole. Once
/// it is mended it is listed at its place again, and erasure does not take it for one that came too late.
#[tokio::test(start_paused = true)]
async fn a_lost_entry_whose_place_was_passed_is_listed_again_once_it_is_mended() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    for id in ["P1", "P2", "P3"] {
        record(&memory, id, "1", "10").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (before, entry) = (ledger(&memory).await, memory.value("journal/3"));
    assert_eq!(before.len(), 3);
    memory.remove("journal/3");
    assert_eq!(ledger(&memory).await.len(), 2, "it is passed");
    let store = Ledger::new(memory.clone());
    for _ in 0..2 {
        let repair = store.repairs().block(&Cursor::default()).await.unwrap();
        assert!(repair.lost.is_empty() && repair.damaged.is_empty());
        assert_eq!(memory.value("journal/3"), entry);
        assert_eq!(ledger(&memory).await, before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_order_is_mended_in_parts() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    for number in 0..1_500 {
        record(&memory, &format!("P{number}"), "1", "1")
            .await
            .unwrap();
    }
    let before = memory.value("journal/300").unwrap();
    // One entry here, another there, and a whole stretch of the journal.
    memory.remove("journal/300");
    memory.remove("order/TAX/1/700");
    for place in 1000..1300 {
        memory.remove(&format!("journal/{place}"));
    }
    let store = Ledger::new(memory.clone());
    let (mut repaired, mut cursor) = (Vec::new(), Cursor::default());
    loop {
        memory.take_calls();
        let part = store.repairs().block(&cursor).await.unwrap();
        let calls = memory.take_calls();
        let read: usize = calls
            .iter()
            .map(|call| call.matches(" order/TAX/1/").count())
            .sum();
        assert!(read < 6_000, "{read} at {cursor}");
        assert_eq!(part.damaged, [""; 0]);
        repaired.extend(part.repaired);
        match part.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    repaired.sort_unstable();
    repaired.dedup();
    assert_eq!(repaired.len(), 302);
    assert_eq!(memory.value("journal/300").unwrap(), before);
    let order = stored(&memory, "1").await.unwrap();
    assert_eq!(order.state.amount_paid().to_string(), "1500.00");
}
