//! Orders with many payments cost no more, and read the same.

use super::*;

/// The cost of the calls about an order that has so many payments.
async fn cost_of_an_order(payments: u64) -> [usize; 3] {
    let memory = Memory::new();
    register(&memory, "1", "1000000").await.unwrap();
    for n in 0..payments {
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
        if n % 20 == 0 {
            // As a confirmation does.
            stored(&memory, "1").await.unwrap();
        }
    }
    stored(&memory, "1").await.unwrap();
    memory.take_calls();
    let seen = stored(&memory, "1").await.unwrap();
    let read = memory.take_calls().len();
    let total = Money::parse(&payments.to_string()).unwrap();
    assert_eq!(seen.state.amount_paid(), total);
    assert_eq!(seen.state.payment_count, payments);
    assert!(seen.payments.len() <= 129, "{}", seen.payments.len());
    record(&memory, "last", "1", "1").await.unwrap();
    let paid = memory.take_calls().len();
    let page = Ledger::new(memory.clone());
    let page = page
        .journal()
        .read(payments / 2, 100, Span::ALWAYS, |_| true)
        .await
        .unwrap();
    memory.take_calls();
    let listed = Ledger::new(memory.clone())
        .payments()
        .of(page.entries)
        .await;
    let listed = listed.unwrap();
    assert!(
        listed
            .iter()
            .all(|payment| payment.state.review == [Review::UnderPaid])
    );
    [read, paid, memory.take_calls().len()]
}

#[tokio::test(start_paused = true)]
async fn an_order_of_thousands_of_payments_costs_no_more_than_one_of_hundreds() {
    let (few, many) = (cost_of_an_order(600).await, cost_of_an_order(3000).await);
    assert_eq!(few[..2], many[..2]);
    assert!(many[2] <= 24, "a hundred old payments: {many:?}");
    assert_eq!(
        few[0], 5,
        "the list, what is kept, two parts, the markers and the latest version"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_of_a_long_order_says_what_the_whole_list_does() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    for n in 0..400 {
        if n % 90 == 40 {
            // A hole, of a writer that died.
            memory.increment("order/TAX/1", 1).await.unwrap();
        }
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
    }
    let kept = stored(&memory, "1").await.unwrap();
    // Without anything kept, and nothing settled but by reading.
    for segment in 1..10 {
        memory.remove(&format!("fold/order/TAX/1/{segment}"));
    }
    let whole = stored(&memory, "1").await.unwrap();
    assert_eq!(kept.state.summary(), whole.state.summary());
    assert_eq!(kept.payments, whole.payments);
    assert_eq!((kept.version, kept.latest), (whole.version, whole.latest));
    // A kept sum that is damaged or of another version is folded again.
    for damage in ["", "{}", r#"{"v":9}"#] {
        memory.overwrite("fold/order/TAX/1/5", damage.into());
        let again = stored(&memory, "1").await.unwrap();
        assert_eq!(again.state.summary(), whole.state.summary());
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_in_which_something_is_pending_is_not_kept() {
    let memory = Memory::new();
    register(&memory, "1", "1000").await.unwrap();
    for n in 0..60 {
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
    }
    // Somebody takes a place, and is slow.
    let place = memory.increment("order/TAX/1", 1).await.unwrap();
    for n in 60..300 {
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
    }
    stored(&memory, "1").await.unwrap();
    assert_eq!(memory.count("fold/"), 0);
    let slow = order("1", "77");
    let slow = serde_json::to_string(&OrderJson::from(&slow)).unwrap();
    let entry = format!(r#"{{"v":1,"at":"2026-06-01T09:00:00Z","entry":{{"version":{slow}}}}}"#);
    memory.overwrite(&format!("order/TAX/1/{place}"), entry.into());
    let seen = stored(&memory, "1").await.unwrap();
    assert_eq!(
        seen.state.order().unwrap().total(),
        Some(Money::parse("77").unwrap())
    );
    assert!(memory.count("fold/") > 0);
}

#[tokio::test(start_paused = true)]
async fn an_old_payment_of_a_long_order_is_shown_as_it_is() {
    let memory = Memory::new();
    register(&memory, "1", "1").await.unwrap();
    for n in 0..300 {
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
    }
    let store = Ledger::new(memory.clone());
    let id = PaymentId::parse("P7").unwrap();
    let old = store.payments().get(&id).await.unwrap().unwrap();
    assert_eq!(old.state.review, [Review::Double]);
    close(&memory, "P7", Review::Double).await.unwrap();
    let old = store.payments().get(&id).await.unwrap().unwrap();
    assert_eq!((old.state.review.len(), old.state.closed.len()), (0, 1));
    let open = stored(&memory, "1")
        .await
        .unwrap()
        .state
        .open_reviews
        .clone();
    assert!(open.contains(&(Review::Double, 298)), "{open:?}");
}

/// A long order shows its latest payments only, but payments entered by hand are looked up.
#[tokio::test(start_paused = true)]
async fn an_old_payment_by_hand_of_a_long_order_is_voided_and_confirmed_like_others() {
    for is_voided in [true, false] {
        let memory = Memory::new();
        register(&memory, "1", "300").await.unwrap();
        record_by_hand(&memory, "M").await.unwrap();
        for n in 0..300 {
            record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
        }
        let void = void_of(&memory, "M").await;
        let store = Ledger::new(memory.clone());
        let id = PaymentId::parse("M").unwrap();
        let paid = async || {
            let order = stored(&memory, "1").await.unwrap();
            order.state.amount_paid().to_string()
        };
        if !is_voided {
            confirm(&memory, "M").await;
            confirm(&memory, "M").await;
            assert!(!store.manual_payments().void(&void).await.unwrap());
            let payment = store.payments().get(&id).await.unwrap().unwrap();
            assert!(payment.payment.is_confirmed());
            assert_eq!(paid().await, "400.00");
            let events = ledger_events(&memory, "payment.confirmed").await;
            assert_eq!(events, 1);
            continue;
        }
        for _ in 0..2 {
            assert!(store.manual_payments().void(&void).await.unwrap());
        }
        assert_eq!(ledger_events(&memory, "payment.voided").await, 1);
        assert_eq!(paid().await, "300.00");
        let seen = store.payments().get(&id).await.unwrap().unwrap();
        assert!(seen.state.voided.is_some() && seen.state.review.is_empty());
        let known = store.payments().known(&id).await.unwrap();
        assert!(known.after_void && !known.is_recorded());
        let (confirmation, json) = payment("M", "1", "40");
        let evidence = Evidence::new(&secret(), b"<m/>", "M", b"c", "accepted");
        let json = PaymentJson {
            after_void: true,
            ..json
        };
        let recorded = store
            .payments()
            .record(
                &confirmation,
                &json,
                &StoredOrder::default(),
                &evidence,
                None,
            )
            .await;
        assert_eq!(recorded.unwrap(), Recorded::New);
        assert_eq!(paid().await, "340.00");
        let both = store.payments().get_many(std::slice::from_ref(&id)).await;
        let mut both = both.unwrap();
        both.sort_by_key(|payment| payment.index);
        let voided: Vec<_> = both.iter().map(|p| p.state.voided.is_some()).collect();
        assert_eq!(voided, [true, false]);
        // Its order shows it as voided, wherever it stands.
        let service = ServiceId::parse("TAX").unwrap();
        let key = OrderKey::parse("1").unwrap();
        let first = store.orders().payments(&service, &key, Some(10)).await;
        let first = first.unwrap().unwrap().payments;
        let manual = first.iter().find(|(record, _)| record.manual.is_some());
        assert!(manual.unwrap().1.voided.is_some());
        // The kept sums equal those of the whole list.
        let kept = stored(&memory, "1").await.unwrap();
        let list = order_list::OrderList::of(&service, &key);
        let folds = folds::Folds::on(&store.log);
        let whole = folds.whole(&list).await.unwrap();
        assert_eq!(kept.state.summary(), whole.state.summary());
    }
}

/// The operations on an old payment that was entered by hand, each with the number of entries of its
/// order's list that it reads.
async fn cost_of_an_old_payment_by_hand(payments: u64) -> Vec<(&'static str, usize)> {
    let memory = Memory::new();
    let total = (payments + 300).to_string();
    register(&memory, "1", &total).await.unwrap();
    for id in ["M", "N"] {
        record_by_hand(&memory, id).await.unwrap();
    }
    let store = Ledger::new(memory.clone());
    for n in 0..payments {
        let (_, json) = payment(&format!("P{n}"), "1", "1");
        let (minute, second) = (n / 60 % 60, n % 60);
        let hour = 13 + n / 3600;
        let json = PaymentJson {
            paid_at: format!("2026-06-01T{hour}:{minute:02}:{second:02}+03:00"),
            ..json
        };
        let confirmation = json.to_confirmation().unwrap();
        let evidence = Evidence::new(&secret(), b"<m/>", &json.payment_id, b"e", "accepted");
        let order = StoredOrder::default();
        let recorded = store
            .payments()
            .record(&confirmation, &json, &order, &evidence, None);
        recorded.await.unwrap();
    }
    stored(&memory, "1").await.unwrap();
    let (service, key) = (
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("1").unwrap(),
    );
    let id = PaymentId::parse("M").unwrap();
    let mut costs = Vec::new();
    memory.take_calls();
    let mut note = |what| {
        let calls = memory.take_calls();
        let entries = calls
            .iter()
            .map(|call| call.matches(" order/TAX/1/").count());
        costs.push((what, entries.sum()));
    };
    let void = void_of(&memory, "M").await;
    note("it is found");
    assert!(store.manual_payments().void(&void).await.unwrap());
    note("it is voided");
    assert!(store.manual_payments().void(&void).await.unwrap());
    note("it is voided again");
    let known = store.payments().known(&id).await.unwrap();
    assert!(known.after_void && !known.is_recorded());
    note("MPay confirms it");
    confirm(&memory, "N").await;
    note("another is confirmed");
    confirm(&memory, "N").await;
    note("it is confirmed again");
    let page = store.orders().payments(&service, &key, Some(10)).await;
    let page = page.unwrap().unwrap().payments;
    let states: Vec<_> = page
        .iter()
        .filter(|(record, _)| record.manual.is_some())
        .map(|(record, state)| (record.is_confirmed(), state.voided.is_some()))
        .collect();
    assert_eq!(states, [(true, false), (false, true)]);
    note("a page shows both");
    let kept = stored(&memory, "1").await.unwrap();
    let list = order_list::OrderList::of(&service, &key);
    let whole = folds::Folds::on(&store.log).whole(&list).await.unwrap();
    assert_eq!(kept.state.summary(), whole.state.summary());
    costs
}

#[tokio::test(start_paused = true)]
async fn an_old_payment_by_hand_costs_no_more_where_its_order_is_longer() {
    let short = cost_of_an_old_payment_by_hand(300).await;
    let long = cost_of_an_old_payment_by_hand(1_580).await;
    for ((what, short), (_, long)) in short.iter().zip(&long) {
        assert!(*long <= short + 70, "{what}: {short} entries, then {long}");
    }
}
