//! The register of the orders of a span.

use super::*;

/// The keys of orders registered in a span, the newest first, read in pages, and how many pages.
async fn register_of(memory: &Memory, span: Span) -> (Vec<String>, usize) {
    let store = Ledger::new(memory.clone());
    let (mut keys, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store
            .register()
            .read(before, 7, span, |_| true, |_| true)
            .await
            .unwrap();
        pages += 1;
        assert!(page.orders.len() <= 7);
        for registered in page.orders {
            keys.push(
                registered
                    .order
                    .state
                    .order()
                    .unwrap()
                    .order_key
                    .to_string(),
            );
        }
        match page.next {
            Some(next) => before = Some(next),
            None => return (keys, pages),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_in_a_span_is_found_exactly() {
    let memory = Memory::new();
    let mut times = Vec::new();
    for n in 0..300 {
        // Some come together, some after a pause; some indices are never filled.
        let pause = [0, 1, 90, 3600][n % 4];
        tokio::time::sleep(Duration::from_secs(pause)).await;
        if n % 50 == 7 {
            for _ in 0..20 {
                memory.increment("journal", 1).await.unwrap();
            }
        }
        register(&memory, &n.to_string(), "10").await.unwrap();
        record(&memory, &format!("P{n}"), &n.to_string(), "10")
            .await
            .unwrap();
        times.push(memory.now());
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    let second = jiff::SignedDuration::from_secs(1);
    for (from, to) in [
        (0, 300),
        (0, 1),
        (10, 11),
        (100, 150),
        (299, 300),
        (200, 300),
    ] {
        let span = Span {
            from: Some(times[from] - second / 2),
            to: times.get(to).map(|to| *to - second / 2),
        };
        let within = |n: &usize| {
            span.from.is_none_or(|from| from <= times[*n])
                && span.to.is_none_or(|to| times[*n] < to)
        };
        let expected: Vec<_> = (0..300).filter(within).collect();
        let newest_first: Vec<_> = expected.iter().rev().map(ToString::to_string).collect();
        assert_eq!(
            register_of(&memory, span).await.0,
            newest_first,
            "{from} to {to}"
        );
        let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
        let store = Ledger::new(memory.clone());
        store.days().close().await.unwrap();
        memory.take_calls();
        let page = store.journal().read(0, 1000, span, wanted).await.unwrap();
        let found = page.entries.into_iter().map(|entry| match entry.event {
            Event::PaymentRecorded(payment) => payment.payment_id,
            other => panic!("{other:?}"),
        });
        let payments: Vec<_> = expected.iter().map(|n| format!("P{n}")).collect();
        assert_eq!(found.collect::<Vec<_>>(), payments, "{from} to {to}");
        let calls = memory.take_calls().len();
        assert!(calls < 30, "{calls} calls for {from} to {to}");
        // The next call finds nothing more.
        let again = store
            .journal()
            .read(page.next, 1000, span, wanted)
            .await
            .unwrap();
        assert_eq!((again.entries.len(), again.next), (0, page.next));
    }
}

#[tokio::test(start_paused = true)]
async fn the_register_of_a_call_is_bounded_and_goes_on() {
    let memory = Memory::new();
    for n in 0..600 {
        register(&memory, &n.to_string(), "10").await.unwrap();
    }
    let (keys, _) = register_of(&memory, Span::ALWAYS).await;
    let newest_first: Vec<_> = (0..600).rev().map(|n: u32| n.to_string()).collect();
    assert_eq!(keys, newest_first);
    // One that is hard to find.
    memory.take_calls();
    let store = Ledger::new(memory.clone());
    let oldest = |order: &StoredOrder| order.state.order().unwrap().order_key.as_str() == "0";
    let (mut before, mut pages) = (None, 0);
    let found = loop {
        let page = store
            .register()
            .read(before, 7, Span::ALWAYS, |_| true, oldest)
            .await
            .unwrap();
        let calls = memory.take_calls().len();
        assert!(calls <= 16, "{calls} calls");
        pages += 1;
        match page.next {
            Some(next) => before = Some(next),
            None => break page.orders.len(),
        }
    };
    assert_eq!((found, pages), (1, 3));
}
