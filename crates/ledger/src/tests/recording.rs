//! A payment is recorded once, whatever breaks off and whoever else comes.

use super::*;

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_platform_contract() {
    contract::check(&Memory::new(), "test").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_recorded_once_and_its_repetition_writes_nothing() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    assert_eq!(
        record(&memory, "P", "1", "100").await.unwrap(),
        Recorded::New
    );
    memory.take_calls();
    assert_eq!(
        record(&memory, "P", "1", "100.0").await.unwrap(),
        Recorded::Repeated { alike: true }
    );
    let calls = memory.take_calls();
    assert!(
        calls.len() == 1 && calls[0].starts_with("get done/P "),
        "{calls:?}"
    );
    let (confirmation, _) = payment("P", "1", "100");
    let differs = Evidence::new(
        &secret(),
        b"<message/>",
        "P",
        b"paid at another time",
        "accepted",
    );
    let store = Ledger::new(memory.clone());
    let known = store
        .payments()
        .known(&confirmation.payment_id)
        .await
        .unwrap();
    assert_eq!(
        known.compare(&confirmation, &differs),
        Some(Recorded::Repeated { alike: false })
    );
    assert_eq!(ledger(&memory).await, ["P"]);
    assert_eq!(stored(&memory, "1").await.unwrap().payments.len(), 1);
    assert_eq!(memory.count("evidence/"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_payment_id_with_other_content_is_a_conflict() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    register(&memory, "2", "100").await.unwrap();
    record(&memory, "P", "1", "100").await.unwrap();
    assert_eq!(
        record(&memory, "P", "1", "99").await.unwrap(),
        Recorded::Conflict
    );
    assert_eq!(
        record(&memory, "P", "2", "100").await.unwrap(),
        Recorded::Conflict
    );
    assert_eq!(ledger(&memory).await, ["P"]);
    assert_eq!(stored(&memory, "2").await.unwrap().payments.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_calls_at_once_record_one_payment() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let calls = (0..32).map(|_| record(&memory, "P", "1", "100"));
    let results = futures::future::join_all(calls).await;
    assert!(results.iter().all(is_recorded), "{results:?}");
    assert_eq!(
        results
            .iter()
            .filter(|result| matches!(result, Ok(Recorded::New)))
            .count(),
        1
    );
    assert_eq!(ledger(&memory).await, ["P"]);
    assert_eq!(stored(&memory, "1").await.unwrap().payments.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_contents_at_once_one_is_the_payment() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let (a, b) = tokio::join!(
        record(&memory, "P", "1", "60"),
        record(&memory, "P", "1", "70")
    );
    let outcomes = [a.unwrap(), b.unwrap()];
    assert!(
        outcomes.contains(&Recorded::New) && outcomes.contains(&Recorded::Conflict),
        "{outcomes:?}"
    );
    assert_eq!(ledger(&memory).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_payments_of_sixty_for_a_hundred_give_one_overpayment() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let (a, b) = tokio::join!(
        record(&memory, "P", "1", "60"),
        record(&memory, "Q", "1", "60")
    );
    assert_eq!((a.unwrap(), b.unwrap()), (Recorded::New, Recorded::New));
    let state = stored(&memory, "1").await.unwrap().state;
    let over: Vec<_> = state
        .payments()
        .iter()
        .filter(|p| p.review.contains(&Review::OverPaid))
        .collect();
    assert_eq!(over.len(), 1);
    assert_eq!(state.amount_paid(), Money::parse("120").unwrap());
    assert_eq!(state.amount_due(memory.now()), Some(Money::ZERO));
}

/// Wherever a call is cut off, fails or loses its answer, repeating it ends in one payment.
#[tokio::test(start_paused = true)]
async fn a_recording_stopped_between_any_two_calls_is_finished_by_repetition() {
    for fault in FAULTS {
        for position in 0..=WRITE_MARKER {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            spoil(&memory, position, fault);
            let _ = tokio::time::timeout(Duration::from_secs(50), record(&memory, "P", "1", "100"))
                .await;
            memory.script([]);
            let mut tries = 0;
            while !is_recorded(&record(&memory, "P", "1", "100").await) {
                tries += 1;
                assert!(tries < 30, "{fault:?} at {position}");
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            // A hole that was left in the ledger holds readers up until it is dead.
            tokio::time::sleep(Duration::from_secs(61)).await;
            assert_eq!(ledger(&memory).await, ["P"], "{fault:?} at {position}");
            let stored = stored(&memory, "1").await.unwrap();
            assert_eq!(stored.state.amount_paid(), Money::parse("100").unwrap());
            assert_eq!(stored.state.status(memory.now()), OrderStatus::Paid);
            assert_eq!(memory.count("evidence/"), 1);
            let kept = payment_of(&memory, "P").await.unwrap();
            assert_eq!(
                kept.answer.unwrap(),
                b"<answer/>",
                "{fault:?} at {position}"
            );
            assert_eq!(kept.request.unwrap(), b"<message/>");
        }
    }
}

/// The same holds for a call that finishes a recording that another has begun.
#[tokio::test(start_paused = true)]
async fn the_end_of_an_abandoned_recording_can_be_abandoned_too() {
    const CALLS: usize = 4;
    let abandoned = async |position| {
        let memory = Memory::new();
        register(&memory, "1", "100").await.unwrap();
        spoil(&memory, position, Fault::CutAfter);
        let cut = record(&memory, "P", "1", "100");
        let cut = tokio::time::timeout(Duration::from_secs(1), cut).await;
        assert!(cut.is_err());
        tokio::time::sleep(Duration::from_secs(61)).await;
        memory.script([]);
        memory.take_calls();
        memory
    };
    let memory = abandoned(WRITE_ENTRIES).await;
    record(&memory, "P", "1", "100").await.unwrap();
    assert_eq!(memory.take_calls().len(), CALLS);
    for begun in TAKE_ATTEMPT..=LOOK_FOR_CONTESTS {
        for fault in FAULTS {
            for position in 0..18 {
                let memory = abandoned(begun).await;
                spoil(&memory, position, fault);
                let second = record(&memory, "P", "1", "100");
                let _ = tokio::time::timeout(Duration::from_secs(50), second).await;
                memory.script([]);
                let mut tries = 0;
                while !is_recorded(&record(&memory, "P", "1", "100").await) {
                    tries += 1;
                    assert!(tries < 30, "{fault:?} at {position} after {begun}");
                    tokio::time::sleep(Duration::from_secs(7)).await;
                }
                tokio::time::sleep(Duration::from_secs(61)).await;
                assert_eq!(
                    ledger(&memory).await,
                    ["P"],
                    "{fault:?} at {position} after {begun}"
                );
                let stored = stored(&memory, "1").await.unwrap();
                assert_eq!(stored.state.amount_paid(), Money::parse("100").unwrap());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_shown_once_it_is_recorded_with_the_answer_that_says_so() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    spoil(&memory, WRITE_MARKER, Fault::Cut);
    let cut = tokio::time::timeout(Duration::from_secs(1), record(&memory, "P", "1", "60")).await;
    assert!(cut.is_err());
    memory.script([]);
    assert_eq!(payment_of(&memory, "P").await, None);
    // Another content finishes the recording of the first, and is refused.
    tokio::time::sleep(Duration::from_secs(62)).await;
    assert_eq!(
        record(&memory, "P", "1", "70").await.unwrap(),
        Recorded::Conflict
    );
    let kept = payment_of(&memory, "P").await.unwrap();
    let answer = Some(b"<answer/>".to_vec());
    assert_eq!((kept.stored.index, kept.answer), (2, answer));
    assert_eq!(kept.stored.payment.amount, "60");
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_recording_are_these() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    memory.take_calls();
    record(&memory, "P", "1", "100").await.unwrap();
    let calls = memory.take_calls();
    assert_eq!(calls.len(), WRITE_MARKER + 1);
    for (position, call) in [
        (TAKE_ATTEMPT, "increment payment/P"),
        (TAKE_ATTEMPT + 1, "increment order/TAX/1"),
        (TAKE_ATTEMPT + 2, "increment journal"),
        (WRITE_ENTRIES, "set evidence/"),
        (
            LOOK_FOR_CONTESTS,
            "get contest/journal/0 contest/order/TAX/1/0 contest/payment/P/0",
        ),
        (WRITE_MARKER, "set done/P"),
    ] {
        assert!(calls[position].starts_with(call), "{position}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_not_noticed() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    memory.script([
        Fault::Fail,
        Fault::None,
        Fault::Drop,
        Fault::None,
        Fault::Fail,
    ]);
    assert_eq!(
        record(&memory, "P", "1", "100").await.unwrap(),
        Recorded::New
    );
}
