//! Readers of the journal and of the ledger pass nobody by.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_ledger_passes_nobody_by() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    record(&memory, "A", "1", "10").await.unwrap();
    // B takes its place in the journal, but writes it only ten seconds later.
    spoil(
        &memory,
        WRITE_ENTRIES,
        Fault::Delay(Duration::from_secs(10)),
    );
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        record(&memory, "C", "1", "10").await.unwrap();
        payments(&memory, 0, 10).await
    };
    let (slow, (ids, next)) = tokio::join!(record(&memory, "B", "1", "10"), meanwhile);
    assert_eq!(slow.unwrap(), Recorded::New);
    assert_eq!(ids, ["A"], "C is not shown before B");
    assert_eq!(payments(&memory, next, 10).await.0, ["B", "C"]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_journal_passes_no_change_and_no_refusal_by() {
    let memory = Memory::new();
    let wait = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
    // Each call takes its place, and writes it only ten seconds later; another comes meanwhile.
    spoil(&memory, 3, Fault::Delay(Duration::from_secs(10)));
    let meanwhile = async {
        wait(1).await;
        register(&memory, "2", "100").await.unwrap();
        assert_eq!(events(&memory).await, []);
    };
    let (slow, ()) = tokio::join!(register(&memory, "1", "100"), meanwhile);
    slow.unwrap();
    spoil(&memory, 3, Fault::Delay(Duration::from_secs(10)));
    let meanwhile = async {
        wait(1).await;
        assert!(refuse(&memory, "Q").await);
        assert_eq!(events(&memory).await.len(), 2);
    };
    let (slow, ()) = tokio::join!(set(&memory, "1", Some("Cancelled")), meanwhile);
    slow.unwrap();
    spoil(&memory, 2, Fault::Delay(Duration::from_secs(10)));
    let meanwhile = async {
        wait(1).await;
        set(&memory, "1", None).await.unwrap();
        assert_eq!(events(&memory).await.len(), 4);
    };
    let (slow, ()) = tokio::join!(refuse(&memory, "R"), meanwhile);
    assert!(slow);
    assert_eq!(
        events(&memory).await,
        [
            ("order.registered", 1),
            ("order.registered", 1),
            ("order.cancelled", 2),
            ("payment.refused", 0),
            ("payment.refused", 0),
            ("order.reopened", 3),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_was_left_before_its_marker_is_finished_by_a_reader() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    spoil(&memory, WRITE_MARKER, Fault::Cut);
    let cut = tokio::time::timeout(Duration::from_secs(1), record(&memory, "P", "1", "100")).await;
    assert!(cut.is_err());
    memory.script([]);
    refuse(&memory, "Q").await;
    let all = [
        ("order.registered", 1),
        ("payment.recorded", 0),
        ("payment.refused", 0),
    ];
    assert_eq!(events(&memory).await, all, "whoever reads finishes it");
    let store = Ledger::new(memory.clone());
    let refused = |event: &Event| matches!(event, Event::PaymentRefused(_));
    let page = store
        .journal()
        .read(0, 10, Span::ALWAYS, refused)
        .await
        .unwrap();
    assert_eq!((page.entries.len(), page.next), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_call_for_what_is_rare_reads_a_fixed_part_and_comes_on() {
    let memory = Memory::new();
    for n in 0..1100 {
        register(&memory, &n.to_string(), "1").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(200)).await;
    let since = Span {
        from: Some(memory.now()),
        to: None,
    };
    record(&memory, "P", "7", "1").await.unwrap();
    record(&memory, "Q", "8", "1").await.unwrap();
    let store = Ledger::new(memory.clone());
    let page = store.journal().read(0, 10, since, |_| true).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (0, 1024));
    let page = store
        .journal()
        .read(1024, 10, since, |_| true)
        .await
        .unwrap();
    assert_eq!((page.entries.len(), page.next), (2, 1102));
    memory.take_calls();
    assert_eq!(payments(&memory, 0, 10).await, (vec![], 1024));
    assert_eq!(memory.take_calls().len(), 4);
    assert_eq!(
        payments(&memory, 1024, 1).await,
        (vec!["P".to_owned()], 1101)
    );
    assert_eq!(
        payments(&memory, 1101, 1).await,
        (vec!["Q".to_owned()], 1102)
    );
    assert_eq!(payments(&memory, 1102, 1).await, (vec![], 1102));
    assert_eq!(payments(&memory, 5000, 1).await, (vec![], 5000));
}

#[tokio::test(start_paused = true)]
async fn a_dead_hole_stops_no_reader() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    memory.increment("journal", 1).await.unwrap();
    record(&memory, "A", "1", "10").await.unwrap();
    assert_eq!(payments(&memory, 0, 10).await, (vec![], 1));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(ledger(&memory).await, ["A"]);
}
