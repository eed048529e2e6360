//! Orders that are created, amended or left alone, and their versions.

use super::*;

#[tokio::test(start_paused = true)]
async fn orders_are_created_amended_and_left_alone() {
    let memory = Memory::new();
    assert_eq!(
        register(&memory, "1", "100").await.unwrap(),
        Registered::Created
    );
    assert_eq!(
        register(&memory, "1", "100.00").await.unwrap(),
        Registered::Unchanged
    );
    assert_eq!(
        register(&memory, "1", "120").await.unwrap(),
        Registered::Amended
    );
    let stored = stored(&memory, "1").await.unwrap();
    assert_eq!((stored.version, stored.state.versions().len()), (2, 2));
    assert_eq!(
        stored.state.amount_due(memory.now()),
        Some(Money::parse("120").unwrap())
    );
    assert_eq!(
        events(&memory).await,
        [("order.registered", 1), ("order.amended", 2)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_differs_only_in_case_or_spaces_is_refused() {
    let memory = Memory::new();
    register(&memory, "Ab 1", "100").await.unwrap();
    for key in ["ab1", "AB 1", "a b1"] {
        let error = register(&memory, key, "100").await.unwrap_err();
        assert!(matches!(error, RegisterError::KeyTaken(known) if known.as_str() == "Ab 1"));
        assert!(stored(&memory, key).await.is_none());
    }
    let (a, b) = tokio::join!(register(&memory, "x", "1"), register(&memory, "X", "1"));
    assert_eq!(
        a.is_ok() as u8 + b.is_ok() as u8,
        1,
        "one of two at once wins"
    );
    let (winner, loser) = if a.is_ok() { ("x", "X") } else { ("X", "x") };
    assert!(stored(&memory, winner).await.is_some() && stored(&memory, loser).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn preconditions_hold_or_nothing_changes() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let failed = |result| matches!(result, Err(RegisterError::PreconditionFailed));
    assert!(failed(
        put(&memory, &order("1", "90"), Precondition::Absent).await
    ));
    assert!(failed(
        put(&memory, &order("1", "90"), Precondition::Versions(vec![7])).await
    ));
    assert!(failed(
        put(&memory, &order("2", "90"), Precondition::Versions(vec![0])).await
    ));
    // Two editors of the same version: one loses, and is told.
    let (nineties, eighties) = (order("1", "90"), order("1", "80"));
    let (a, b) = tokio::join!(
        put(&memory, &nineties, Precondition::Versions(vec![1])),
        put(&memory, &eighties, Precondition::Versions(vec![1])),
    );
    assert_eq!(a.is_ok() as u8 + b.is_ok() as u8, 1);
    assert_eq!(
        stored(&memory, "1").await.unwrap().state.versions().len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_payment_for_an_older_version_is_flagged() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let mut amended = order_json("1", "100");
    amended.lines[0].line_id = Some("other".into());
    let amended = amended.to_order().unwrap();
    put(&memory, &amended, Precondition::None).await.unwrap();
    record(&memory, "P", "1", "100").await.unwrap();
    let state = stored(&memory, "1").await.unwrap().state;
    assert_eq!(state.payments()[0].review, [Review::Amended]);
    assert_eq!(state.status(memory.now()), OrderStatus::Paid);
}

/// A reader of an event may change the order with `If-Match` and the event's version, also if places
/// before it were taken and not used.
#[tokio::test(start_paused = true)]
async fn the_version_of_an_event_is_what_its_order_shows_after_it() {
    let memory = Memory::new();
    let store = Ledger::new(memory.clone());
    register(&memory, "1", "90").await.unwrap();
    assert_eq!(versions(&memory).await, (1, 1));
    // A writer died here, and the next change passes its place by.
    memory.increment("order/TAX/1", 1).await.unwrap();
    register(&memory, "1", "100").await.unwrap();
    assert_eq!(versions(&memory).await, (3, 3));
    record_by_hand(&memory, "M").await.unwrap();
    assert_eq!(versions(&memory).await, (4, 4));
    // A change that comes to nothing leaves a void place.
    let slot = store.log.take("order/TAX/1").await.unwrap();
    let lists = order_list::OrderLists::on(&store.log);
    lists.void(&slot).await.unwrap();
    assert_eq!(versions(&memory).await, (4, 4));
    assert!(
        store
            .manual_payments()
            .void(&void_of(&memory, "M").await)
            .await
            .unwrap()
    );
    assert_eq!(versions(&memory).await, (6, 6));
    record_by_hand(&memory, "N").await.unwrap();
    confirm(&memory, "N").await;
    assert_eq!(versions(&memory).await, (8, 8));
    record(&memory, "P", "1", "1").await.unwrap();
    assert_eq!(versions(&memory).await, (9, 9));
    close(&memory, "P", Review::Double).await.unwrap();
    assert_eq!(versions(&memory).await, (10, 10));
    for (status, version) in [
        (Some("Completed"), 11),
        (None, 12),
        (Some("Refunding"), 13),
        (Some("Refunded"), 14),
    ] {
        set(&memory, "1", status).await.unwrap();
        assert_eq!(versions(&memory).await, (version, version), "{status:?}");
    }
}
