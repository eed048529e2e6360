//! Reviews and refusals are closed once.

use super::*;

#[tokio::test(start_paused = true)]
async fn of_many_who_close_a_review_one_does() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    record(&memory, "P", "1", "120").await.unwrap();
    assert!(matches!(
        close(&memory, "P", Review::Late).await,
        Err(CloseError::NotOpen { open }) if open == [Review::OverPaid]
    ));
    let closers = (0..16).map(|_| close(&memory, "P", Review::OverPaid));
    let results = futures::future::join_all(closers).await;
    assert!(results.iter().any(Result::is_ok), "{results:?}");
    close(&memory, "P", Review::OverPaid).await.unwrap();
    assert_eq!(closed(&memory).await, 1);
    let state = stored(&memory, "1").await.unwrap().state;
    assert_eq!(state.payments()[0].review, []);
    assert_eq!(state.payments()[0].closed.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closing_stopped_between_any_two_calls_is_finished_by_repetition() {
    const CALLS: usize = 8;
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..CALLS {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            record(&memory, "P", "1", "120").await.unwrap();
            memory.take_calls();
            spoil(&memory, position, fault);
            let first = close(&memory, "P", Review::OverPaid);
            let _ = tokio::time::timeout(Duration::from_secs(50), first).await;
            if position == CALLS - 1 && fault == Fault::Cut {
                assert_eq!(memory.take_calls().len(), CALLS);
            }
            memory.script([]);
            while close(&memory, "P", Review::OverPaid).await.is_err() {
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            record(&memory, "Q", "1", "1").await.unwrap();
            tokio::time::sleep(Duration::from_secs(61)).await;
            assert_eq!(closed(&memory).await, 1, "{fault:?} at {position}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_closed_by_the_payment_that_is_recorded_later() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    refuse(&memory, "P").await;
    refuse(&memory, "Q").await;
    record(&memory, "P", "1", "100").await.unwrap();
    let store = Ledger::new(memory.clone());
    let id = PaymentId::parse("P").unwrap();
    let recorded = store.payments().get(&id).await.unwrap().unwrap();
    let closed = |index| {
        let store = &store;
        async move { store.refusals().get(index).await.unwrap().unwrap().closed }
    };
    assert_eq!(
        closed(2).await,
        Some(ClosedRefusal {
            closed_at: recorded.recorded_at,
            by: ClosedBy::Payment {
                recorded: recorded.index
            }
        })
    );
    assert_eq!(closed(3).await, None);
    // A confirmation that is refused after it needs a person.
    record(&memory, "R", "1", "100").await.unwrap();
    refuse(&memory, "R").await;
    assert_eq!(closed(6).await, None);
}

#[tokio::test(start_paused = true)]
async fn of_many_who_close_a_refusal_one_does() {
    let memory = Memory::new();
    refuse(&memory, "P").await;
    let store = Ledger::new(memory.clone());
    let note = Text::parse("looked at").unwrap();
    let closers = (0..16).map(|_| store.refusals().close(1, &note, "me"));
    let results = futures::future::join_all(closers).await;
    let told = |result: &Result<_, _>| matches!(result, Ok(()) | Err(CloseError::Busy));
    assert!(results.iter().all(told), "{results:?}");
    while store.refusals().close(1, &note, "me").await.is_err() {
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
    store.refusals().close(1, &note, "you").await.unwrap();
    assert_eq!(closed(&memory).await, 1);
    let refusal = store.refusals().get(1).await.unwrap().unwrap();
    let by = refusal.closed.unwrap().by;
    assert!(matches!(by, ClosedBy::Person { by, .. } if by == "me"));
    // A call that was cut off holds others up for a minute, not for ever.
    refuse(&memory, "Q").await;
    let index = events(&memory).await.len() as u64;
    // Its calls: read the refusal and its outcomes, twice, take an index, take another.
    spoil(&memory, 4, Fault::Cut);
    let cut = store.refusals().close(index, &note, "me");
    let cut = tokio::time::timeout(Duration::from_secs(1), cut).await;
    assert!(cut.is_err(), "{cut:?}");
    memory.script([]);
    let mut tries = 0;
    while store.refusals().close(index, &note, "me").await.is_err() {
        tries += 1;
        assert!(tries < 20);
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
}
