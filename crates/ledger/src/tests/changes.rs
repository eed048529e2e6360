//! Changes of an order are judged by the entries before them.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_amendment_is_judged_by_the_payment_that_came_before_it() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    // The amendment has read an order that is not paid, and takes its index after the payment.
    memory.script([Fault::None, Fault::Delay(Duration::from_secs(5))]);
    let payment = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        record(&memory, "P", "1", "100").await
    };
    let (amended, paid) = tokio::join!(register(&memory, "1", "120"), payment);
    assert_eq!(paid.unwrap(), Recorded::New);
    assert!(
        matches!(amended, Err(RegisterError::Refused(_))),
        "{amended:?}"
    );
    let stored = stored(&memory, "1").await.unwrap();
    assert_eq!((stored.version, stored.state.versions().len()), (2, 1));
    assert_eq!(stored.state.status(memory.now()), OrderStatus::Paid);
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_the_payment_before_it_or_passes_it_by() {
    for (seconds, waits) in [(0.5, true), (10.0, false)] {
        let memory = Memory::new();
        register(&memory, "1", "100").await.unwrap();
        spoil(
            &memory,
            WRITE_ENTRIES,
            Fault::Delay(Duration::from_secs_f64(seconds)),
        );
        let change = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let begun = memory.now();
            let changed = set(&memory, "1", Some("Cancelled")).await;
            let took = memory.now().duration_since(begun);
            assert!(took.as_millis() < 3000, "{took}");
            changed
        };
        let (paid, cancelled) = tokio::join!(record(&memory, "P", "1", "100"), change);
        assert_eq!(paid.unwrap(), Recorded::New);
        let stored = stored(&memory, "1").await.unwrap();
        let payment = &stored.state.payments()[0];
        if waits {
            assert!(matches!(cancelled, Err(RegisterError::Refused(_))));
            assert_eq!(stored.state.status(memory.now()), OrderStatus::Paid);
            assert_eq!(payment.review, []);
        } else {
            // Its place was passed by as dead; the money is entered behind, and flagged.
            assert_eq!(cancelled.unwrap(), Registered::Amended);
            assert_eq!(stored.state.status(memory.now()).as_str(), "Cancelled");
            assert_eq!(payment.review, [Review::Late]);
        }
        assert_eq!(stored.state.payments().len(), 1);
        assert_eq!(ledger(&memory).await, ["P"]);
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_transitions_at_once_only_a_way_through_the_table_is_taken() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    record(&memory, "P", "1", "100").await.unwrap();
    let wanted = ["Completed", "Refunding", "Refunded", "Cancelled"];
    let calls = (0..32).map(|n| set(&memory, "1", Some(wanted[n % wanted.len()])));
    let results = futures::future::join_all(calls).await;
    for result in &results {
        assert!(
            matches!(
                result,
                Ok(Registered::Amended | Registered::Unchanged)
                    | Err(RegisterError::Refused(_) | RegisterError::Busy)
            ),
            "{result:?}"
        );
    }
    let stored = stored(&memory, "1").await.unwrap();
    let way: Vec<_> = stored
        .state
        .versions()
        .iter()
        .map(|order| order.set_status.map_or("Paid", |status| status.as_str()))
        .collect();
    let whole = ["Paid", "Completed", "Refunding", "Refunded"];
    assert!(
        way.len() > 1 && way.is_sorted_by_key(|word| whole.iter().position(|w| w == word)),
        "{way:?}"
    );
    assert_eq!(
        results
            .iter()
            .filter(|result| matches!(result, Ok(Registered::Amended)))
            .count(),
        way.len() - 1,
        "whoever was told that it worked has a version"
    );
}

/// Wherever a cancellation is cut off, fails or loses its answer, repeating it cancels once.
#[tokio::test(start_paused = true)]
async fn a_cancellation_stopped_between_any_two_calls_is_finished_by_repetition() {
    for fault in FAULTS {
        for position in 0..4 {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            spoil(&memory, position, fault);
            let cancel = set(&memory, "1", Some("Cancelled"));
            let _ = tokio::time::timeout(Duration::from_secs(50), cancel).await;
            memory.script([]);
            let mut tries = 0;
            while set(&memory, "1", Some("Cancelled")).await.is_err() {
                tries += 1;
                assert!(tries < 20, "{fault:?} at {position}");
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            let stored = stored(&memory, "1").await.unwrap();
            assert_eq!(stored.state.versions().len(), 2, "{fault:?} at {position}");
            assert_eq!(stored.state.status(memory.now()).as_str(), "Cancelled");
            tokio::time::sleep(Duration::from_secs(61)).await;
            register(&memory, "2", "1").await.unwrap();
            tokio::time::sleep(Duration::from_secs(61)).await;
            let events = events(&memory).await;
            let [first, second, _] = events[..] else {
                panic!("an event for each change: {events:?}, {fault:?} at {position}");
            };
            assert_eq!(first, ("order.registered", 1));
            assert_eq!(second.0, "order.cancelled");
        }
    }
}
