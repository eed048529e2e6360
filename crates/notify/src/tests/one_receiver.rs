//! One receiver gets every payment once, whatever fails.

use super::*;

#[tokio::test(start_paused = true)]
async fn every_payment_is_delivered_once() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A", "B", "C"]).await;
    follow_up(&app, &store(&memory), call(&memory, 0, Some("B"))).await;
    assert_eq!(sent(&memory, "payment.recorded"), ["B", "A", "C"]);
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.complete), (0, true));
    record(&memory, "D", "1", "1").await.unwrap();
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    assert_eq!(sent(&memory, "payment.recorded"), ["D"]);
}

/// The payment is delivered all the same, at once or by the cron job, with a review for a person.
#[tokio::test(start_paused = true)]
async fn a_payment_that_its_order_has_lost_is_delivered() {
    for at_once in [true, false] {
        let (app, memory) = (app(&[]), Memory::new());
        pay(&memory, &["A"]).await;
        let void = br#"{"v":1,"at":"2026-06-01T09:00:00Z","entry":"void"}"#.to_vec();
        memory.overwrite("order/TAX/1/2", void);
        if at_once {
            follow_up(&app, &store(&memory), call(&memory, 0, Some("A"))).await;
        } else {
            assert_eq!(cron(&app, &memory).await.delivered, 1);
        }
        let sent = memory.take_sent();
        let body: Value = serde_json::from_slice(sent[0].body()).unwrap();
        assert_eq!(body["data"]["payment_id"], "A", "{at_once}");
        assert_eq!(body["data"]["review"], serde_json::json!(["orphaned"]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_state_does_no_harm_and_none_passes_what_is_undelivered() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A", "B", "C"]).await;
    let first = state(&app, &memory).await;
    memory.script_replies([200, 500, 200]);
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.failed), (2, 1));
    let failed = state(&app, &memory).await;
    let waiting = page(&app, &memory, "erp", failed.first()).await;
    let waiting = &waiting.deliveries[0];
    assert_eq!(payment_id(waiting), "B");
    assert_eq!(waiting.attempts.count, 1);
    assert_eq!(
        waiting.attempts.last_error.as_deref(),
        Some("The receiver answered 500.")
    );
    assert_eq!(failed.waiting[0].next_at, waiting.attempts.next_at);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    memory.take_sent();
    let last = state(&app, &memory).await;
    assert_eq!((last.waiting.len(), last.first()), (0, last.low));
    for older in [first, failed] {
        set_state(&app, &memory, &older).await;
        assert_eq!(cron(&app, &memory).await.delivered, 0);
        assert_eq!(state(&app, &memory).await, last);
    }
}

#[tokio::test(start_paused = true)]
async fn one_refused_message_is_in_nobodys_way() {
    let (app, memory) = (app(&[]), Memory::new());
    cron(&app, &memory).await;
    pay_many(&memory, 1200).await;
    memory.script_replies([500]);
    assert_eq!(deliver_all(&app, &memory).await, 24);
    let sent_now = sent(&memory, "payment.recorded");
    assert_eq!(sent_now.len(), 1200);
    // From then on a call reads the waiting message, and nothing that is done.
    memory.take_calls();
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.complete), (0, true));
    let calls = memory.take_calls();
    assert!(calls.len() <= 3, "{calls:?}");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    assert_eq!(sent(&memory, "payment.recorded"), ["P0"]);
}

#[tokio::test(start_paused = true)]
async fn other_entries_of_the_journal_are_in_nobodys_way() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A"]).await;
    memory.script_replies([500]);
    cron(&app, &memory).await;
    let entry = r#"{"type":"review.closed","reason":"late","note":"n","by":"b"}"#;
    let entry = format!(r#"{{"v":1,"at":"2026-06-01T09:00:00Z","entry":{entry}}}"#);
    for _ in 0..8500 {
        let index = mpay_ledger::Platform::increment(&memory, "journal", 1)
            .await
            .unwrap();
        memory.overwrite(&format!("journal/{index}"), entry.clone().into_bytes());
    }
    pay(&memory, &["B"]).await;
    deliver_all(&app, &memory).await;
    assert_eq!(sent(&memory, "payment.recorded"), ["A", "B"]);
}

/// More messages than can wait: all of them are reached all the same, and new ones are not kept back.
#[tokio::test(start_paused = true)]
async fn more_refused_messages_than_may_wait_are_gone_through_in_turns() {
    let (app, memory) = (app(&[]), Memory::new());
    cron(&app, &memory).await;
    let refused = delivery::MOST_WAITING + 100;
    pay_many(&memory, refused).await;
    memory.script_replies(std::iter::repeat_n(503, 20 * refused));
    let mut tried = std::collections::HashSet::new();
    for _ in 0..refused {
        cron(&app, &memory).await;
        let state = state(&app, &memory).await;
        assert!(state.waiting.len() <= delivery::MOST_WAITING);
        tried.extend(sent(&memory, "payment.recorded"));
        tokio::time::sleep(Duration::from_secs(60)).await;
        if tried.len() == refused {
            break;
        }
    }
    assert_eq!(tried.len(), refused, "all were tried");
    memory.script_replies([]);
    register(&memory, "N", "1").await.unwrap();
    record(&memory, "N", "N", "1").await.unwrap();
    let mut delivered = 0;
    for _ in 0..500 {
        delivered += cron(&app, &memory).await.delivered;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(delivered as usize, refused + 1);
    let state = state(&app, &memory).await;
    assert_eq!((state.waiting.len(), state.left.len()), (0, 0));
}

/// A kind that fills a call leaves the next call to the other kind.
#[tokio::test(start_paused = true)]
async fn neither_what_waits_nor_what_is_new_keeps_the_other_back() {
    let (app, memory) = (app(&[]), Memory::new());
    pay_many(&memory, 130).await;
    let all = deliveries(&app, &memory, "erp").await;
    let waiting = all.iter().map(|delivery| Waiting {
        index: delivery.index,
        next_at: None,
        request: 0,
    });
    let state = OutboxState {
        low: all[99].index,
        waiting: waiting.take(100).collect(),
        ..OutboxState::default()
    };
    set_state(&app, &memory, &state).await;
    let mut firsts = Vec::new();
    for complete in [false, false, true] {
        assert_eq!(cron(&app, &memory).await.complete, complete);
        firsts.extend(sent(&memory, "payment.recorded").first().cloned());
    }
    assert_eq!(firsts, ["P0", "P100", "P70"]);
}

/// Wherever calls are cut off, every payment is delivered.
#[tokio::test(start_paused = true)]
async fn a_call_cut_off_between_any_two_calls_forgets_nothing() {
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..24 {
            let (app, memory) = (app(&[]), Memory::new());
            pay(&memory, &["A", "B", "C"]).await;
            memory.script_replies([200, 500, 500, 500]);
            memory.script(std::iter::repeat_n(Fault::None, position).chain([fault; 5]));
            let begun = tokio::time::timeout(Duration::from_secs(5), async {
                for _ in 0..2 {
                    let _ = app.notifier(&store(&memory)).run_outbox().await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
            let _ = begun.await;
            memory.script([]);
            memory.script_replies([]);
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(121)).await;
                cron(&app, &memory).await;
            }
            let all = deliveries(&app, &memory, "erp").await;
            assert_eq!(all.len(), 3);
            for delivery in all {
                let id = payment_id(&delivery);
                assert!(delivery.settled.is_some(), "{fault:?} at {position}: {id}");
            }
        }
    }
}

/// A payment that was entered by hand, its void, and MPay's own payment of the same id after it: three
/// messages, none of which a receiver takes for the repetition of another.
#[tokio::test(start_paused = true)]
async fn a_void_is_told_of_like_a_payment_and_by_an_id_of_its_own() {
    let (app, memory) = (app(&[]), Memory::new());
    let books = store(&memory);
    register(&memory, "1", "100").await.unwrap();
    let record = async |manual: Option<ManualJson>, after_void| {
        let (confirmation, json) = payment("P.1", "1", "100");
        let name: &[u8] = if after_void { b"mpay" } else { b"hand" };
        let evidence = Evidence::new(&secret(), b"{}", "P.1", name, "v");
        let json = PaymentJson {
            evidence: evidence.id().to_owned(),
            manual,
            after_void,
            ..json
        };
        let payments = books.payments();
        payments
            .record(
                &confirmation,
                &json,
                &StoredOrder::default(),
                &evidence,
                None,
            )
            .await
    };
    let by_hand = ManualJson {
        proposal: 7,
        proposed_by: "a".into(),
        approved_by: "b".into(),
        note: "n".into(),
        confirmed: None,
    };
    record(Some(by_hand), false).await.unwrap();
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    assert_eq!(sent(&memory, "payment.recorded"), ["P%2E1"]);

    let stored = books
        .payments()
        .get(&PaymentId::parse("P.1").unwrap())
        .await;
    let stored = stored.unwrap().unwrap();
    let proposal = VoidProposalJson {
        payment_id: "P.1".into(),
        service_id: "TAX".into(),
        order_key: "1".into(),
        proposal: 7,
        note: "entered twice".into(),
        by: "a".into(),
    };
    let void = VoidJson::new(&stored.payment, stored.index, 9, &proposal, "b");
    assert!(books.manual_payments().void(&void).await.unwrap());
    memory.script_replies([503]);
    assert_eq!(cron(&app, &memory).await.failed, 1);
    memory.take_sent();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    let message = memory.take_sent().pop().unwrap();
    assert_eq!(message.headers()["webhook-id"], "P%2E1.voided");
    let body: Value = serde_json::from_slice(message.body()).unwrap();
    assert_eq!(body["type"], "payment.voided");
    assert_eq!(body["data"]["index"], stored.index + 1);
    assert_eq!(body["data"]["recorded"], stored.index);
    assert_eq!(body["data"]["amount"], "100");
    assert_eq!(body["data"]["note"], "entered twice");

    record(None, true).await.unwrap();
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    assert_eq!(sent(&memory, "payment.recorded"), ["P%2E1.after-void"]);
    assert_eq!(
        cron(&app, &memory).await,
        Report {
            complete: true,
            ..Report::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn an_order_that_cannot_be_read_keeps_nobody_from_being_told() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A"]).await;
    memory.overwrite("order/TAX/1/1", b"{".to_vec());
    assert_eq!(cron(&app, &memory).await.delivered, 1);
}

/// A message that waits for another attempt is not forgotten if the store has lost the payment's entry: a
/// repair enters the entry again at its place.
#[tokio::test(start_paused = true)]
async fn a_message_whose_payment_the_store_has_lost_is_delivered_after_the_repair() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A", "B"]).await;
    memory.script_replies([500]);
    assert_eq!(cron(&app, &memory).await.failed, 1);
    assert_eq!(sent(&memory, "payment.recorded"), ["A", "B"]);
    let waiting = state(&app, &memory).await.waiting;
    assert_eq!(waiting.len(), 1);
    memory.remove(&format!("journal/{}", waiting[0].index));
    tokio::time::sleep(Duration::from_secs(61)).await;
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.failed), (0, 0));
    assert_eq!(sent(&memory, "payment.recorded"), [""; 0]);
    let repair = store(&memory)
        .repairs()
        .block(&Default::default())
        .await
        .unwrap();
    assert_eq!(repair.repaired, ["A"]);
    tokio::time::sleep(Duration::from_secs(6 * 3600 + 1)).await;
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    assert_eq!(sent(&memory, "payment.recorded"), ["A"]);
    let waiting = state(&app, &memory).await.waiting;
    assert_eq!(waiting, []);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_being_recorded_is_delivered_once_it_is() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A"]).await;
    // Slow to write its entries.
    memory
        .script(std::iter::repeat_n(Fault::None, 4).chain([Fault::Delay(Duration::from_secs(2))]));
    let cron = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        record(&memory, "C", "1", "1").await.unwrap();
        let first = cron(&app, &memory).await.delivered;
        tokio::time::sleep(Duration::from_secs(10)).await;
        (first, cron(&app, &memory).await.delivered)
    };
    let (recorded, delivered) = tokio::join!(record(&memory, "B", "1", "1"), cron);
    recorded.unwrap();
    assert_eq!(delivered, (1, 2));
    assert_eq!(sent(&memory, "payment.recorded"), ["A", "B", "C"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_is_left_alone_and_tried_again_later() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A", "B", "C", "D", "E"]).await;
    memory.script_replies([0; 100]);
    let report = cron(&app, &memory).await;
    assert_eq!((report.failed, report.complete), (3, false));
    assert_eq!(sent(&memory, "payment.recorded"), ["A", "B", "C"]);
    // These are not due, and the others are tried in their turn.
    let report = cron(&app, &memory).await;
    assert_eq!((report.failed, report.complete), (2, true));
    assert_eq!(cron(&app, &memory).await.failed, 0);
    memory.script_replies([]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(cron(&app, &memory).await.delivered, 5);
}

#[tokio::test(start_paused = true)]
async fn after_twenty_attempts_a_delivery_is_given_up_and_stands_in_nobodys_way() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A"]).await;
    for attempt in 1.. {
        memory.script_replies([404]);
        let report = cron(&app, &memory).await;
        assert_eq!(report.failed, 1, "attempt {attempt}");
        if report.given_up == 1 {
            assert_eq!(attempt, 20);
            break;
        }
        tokio::time::sleep(Duration::from_secs(6 * 3600)).await;
    }
    record(&memory, "B", "1", "1").await.unwrap();
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    let given_up = &deliveries(&app, &memory, "erp").await[0];
    assert!(given_up.settled.as_ref().unwrap().given_up);
    assert_eq!(given_up.attempts.next_at, None);
}

#[tokio::test(start_paused = true)]
async fn one_call_sends_a_bounded_number_and_the_next_goes_on() {
    let (app, memory) = (app(&[]), Memory::new());
    let ids: Vec<_> = (0..60).map(|n| format!("P{n}")).collect();
    pay(&memory, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.complete), (50, false));
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.complete), (10, true));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_keeps_of_attempts_can_be_read_by_a_later_version() {
    let stored = r#"{"count":2,"last_error":"x","next_at":"2026-01-01T00:00:00Z","new":1}"#;
    let attempts: Attempts = serde_json::from_str(stored).unwrap();
    assert_eq!(attempts.count, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_of_an_order_names_its_page_whichever_door_tells() {
    let orders =
        "erp https://erp.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw orders,payments";
    let variables = [
        ("webhooks", orders),
        ("public_url", "https://pay.example.md/"),
        ("page_key", "0123456789012345678901234567890123456789"),
    ];
    for has_pages in [true, false] {
        let memory = Memory::new();
        let store = Ledger::new(memory.clone());
        let mut app = app(&variables);
        if has_pages {
            let mut read = Variables::default();
            for (name, value) in variables {
                read.set(name, value.to_owned());
            }
            app.settings.links = PayLinks::read(&mut Reader::new(&read), Environment::Test);
            assert!(app.settings.links.is_some());
        }
        register(&memory, "A-1", "10").await.unwrap();
        record(&memory, "P", "A-1", "10").await.unwrap();
        app.notifier(&store).run_outbox().await.unwrap();
        let sent = memory.take_sent();
        let bodies: Vec<Value> = sent
            .iter()
            .map(|request| serde_json::from_slice(request.body()).unwrap())
            .collect();
        let kinds: Vec<_> = bodies.iter().map(|body| body["type"].clone()).collect();
        assert_eq!(kinds, ["order.registered", "payment.recorded"]);
        let page = bodies[0]["data"]["pay_url"].as_str().unwrap_or_default();
        let Some(links) = &app.settings.links else {
            assert_eq!(page, "");
            continue;
        };
        let (address, token) = page.split_once("/o/").unwrap();
        assert_eq!(address, "https://pay.example.md");
        let link = PayLink::read(&links.keys, token).unwrap();
        assert_eq!((link.service.as_str(), link.key.as_str()), ("TAX", "A-1"));
        assert_eq!(link.until, None);
        assert_eq!(bodies[1]["data"].get("pay_url"), None);
    }
}
