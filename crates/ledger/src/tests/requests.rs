//! A request makes one order, however often it comes.

use super::*;

/// Asks for an order under a generated key; its key, if it worked.
async fn create(
    memory: &Memory,
    request: &str,
    amount: &str,
) -> Result<String, CreateError<std::convert::Infallible>> {
    Ledger::new(memory.clone())
        .requests()
        .create(
            &ServiceId::parse("TAX").unwrap(),
            "tester",
            request,
            amount.as_bytes(),
            |key| Ok(order(key.as_str(), amount)),
        )
        .await
        .map(|key| key.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_request_makes_one_order_however_often_it_comes() {
    let memory = Memory::new();
    let key = create(&memory, "a", "10").await.unwrap();
    assert_eq!(create(&memory, "a", "10").await.unwrap(), key);
    assert!(matches!(
        create(&memory, "a", "11").await,
        Err(CreateError::OtherContent)
    ));
    assert_ne!(create(&memory, "b", "10").await.unwrap(), key);
    assert_eq!(events(&memory).await.len(), 2);
    // Also after it was amended.
    register(&memory, &key, "20").await.unwrap();
    assert_eq!(create(&memory, "a", "10").await.unwrap(), key);
    let stored = stored(&memory, &key).await.unwrap();
    assert_eq!(stored.state.versions().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_many_times_at_once_makes_one_order() {
    let memory = Memory::new();
    let calls = (0..16).map(|_| create(&memory, "a", "10"));
    let results = futures::future::join_all(calls).await;
    let keys: Vec<_> = results.iter().flatten().collect();
    assert!(!keys.is_empty());
    assert!(keys.iter().all(|key| *key == keys[0]), "{results:?}");
    let key = create(&memory, "a", "10").await.unwrap();
    assert_eq!(key, *keys[0]);
    assert_eq!(
        stored(&memory, &key).await.unwrap().state.versions().len(),
        1
    );
    let others = memory.count("order/TAX/");
    let voids = stored(&memory, &key).await.unwrap().length;
    assert_eq!(others as u64, voids, "no other order was begun");
}

#[tokio::test(start_paused = true)]
async fn a_request_stopped_between_any_two_calls_is_finished_by_repetition() {
    // The secret is read by itself.
    const CALLS: usize = 11;
    let memory = Memory::new();
    create(&memory, "a", "10").await.unwrap();
    assert_eq!(memory.take_calls().len(), CALLS);
    for fault in FAULTS {
        for position in 0..CALLS {
            let memory = Memory::new();
            spoil(&memory, position, fault);
            let first = create(&memory, "a", "10");
            let first = tokio::time::timeout(Duration::from_secs(50), first).await;
            memory.script([]);
            let mut tries = 0;
            let key = loop {
                match create(&memory, "a", "10").await {
                    Ok(key) => break key,
                    Err(_) => tries += 1,
                }
                assert!(tries < 20, "{fault:?} at {position}");
                tokio::time::sleep(Duration::from_secs(7)).await;
            };
            if let Ok(Ok(first)) = first {
                assert_eq!(first, key, "{fault:?} at {position}");
            }
            let stored = stored(&memory, &key).await.unwrap();
            assert_eq!(stored.state.versions().len(), 1, "{fault:?} at {position}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_generated_key_is_not_one_that_is_taken() {
    let memory = Memory::new();
    memory.script_random([1]);
    let first = create(&memory, "a", "10").await.unwrap();
    memory.script_random([1, 1, 2]);
    let second = create(&memory, "b", "10").await.unwrap();
    assert_ne!(first, second);
    // Somebody registers an order under the key between the claim and the registration.
    let taken = OrderKey::generated(3);
    memory.script_random([3]);
    spoil(&memory, 4, Fault::Delay(Duration::from_secs(5)));
    let other = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        register(&memory, taken.as_str(), "99").await
    };
    let (lost, other) = tokio::join!(create(&memory, "c", "10"), other);
    assert_eq!(other.unwrap(), Registered::Created);
    assert!(matches!(lost, Err(CreateError::KeyLost)), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn of_several_claims_of_a_request_one_counts_for_all() {
    let memory = Memory::new();
    // Its calls: read the claims, look whether the key is free, take an index, write the claim.
    spoil(&memory, 3, Fault::Delay(Duration::from_secs(5)));
    let later = |seconds| {
        let memory = &memory;
        async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            create(memory, "a", "10").await
        }
    };
    let (first, second, third) = tokio::join!(create(&memory, "a", "10"), later(1), later(2));
    let first = first.unwrap();
    assert_eq!((second.unwrap(), third.unwrap()), (first.clone(), first));
    assert_eq!(events(&memory).await.len(), 1);
}
