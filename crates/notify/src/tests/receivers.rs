//! Several receivers, each by itself.

use super::*;

/// A door with these receivers, each with its name and groups of events, at a host of its own.
fn several(receivers: &[(&str, &str)]) -> App {
    let origins = ["webhook_origin", "webhook_origin_2", "webhook_origin_3"];
    let entries = receivers
        .iter()
        .map(|(name, wants)| format!("{name} https://{name}.example.md/hook {SECRET} {wants}"));
    let entries = entries.collect::<Vec<_>>().join("; ");
    let hosts = receivers
        .iter()
        .map(|(name, _)| format!("https://{name}.example.md"));
    let hosts: Vec<_> = hosts.collect();
    let mut changes: Vec<_> = origins
        .into_iter()
        .zip(&hosts)
        .map(|(variable, host)| (variable, host.as_str()))
        .collect();
    changes.push(("webhooks", &entries));
    app(&changes)
}

/// Types and ids of the messages sent to each receiver since the last time.
fn sent_to(memory: &Memory, name: &str) -> Vec<(String, String)> {
    let all = memory.take_sent().into_iter();
    let host = format!("{name}.example.md");
    let of_host = all.filter(|request| request.uri().host() == Some(&host));
    let messages = of_host.map(|request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let id = request.headers()["webhook-id"].to_str().unwrap();
        (body["type"].as_str().unwrap().to_owned(), id.to_owned())
    });
    messages.collect()
}

fn kinds(messages: &[(String, String)]) -> Vec<&str> {
    messages.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_receiver_gets_what_it_wants() {
    let app = several(&[
        ("erp", ""),
        ("archive", "orders,payments"),
        ("chat", "alerts"),
    ]);
    for (name, expected) in [
        ("erp", &["payment.recorded"][..]),
        ("archive", &["order.registered", "payment.recorded"]),
        ("chat", &[]),
    ] {
        let memory = Memory::new();
        pay(&memory, &["A"]).await;
        let report = cron(&app, &memory).await;
        assert_eq!((report.delivered, report.complete), (3, true));
        assert_eq!(kinds(&sent_to(&memory, name)), expected, "{name}");
        assert_eq!(cron(&app, &memory).await.delivered, 0);
    }
    // The message of an event is the event as it is listed, under an id of its own.
    let memory = Memory::new();
    register(&memory, "1", "1").await.unwrap();
    cron(&app, &memory).await;
    let request = memory.take_sent().pop().unwrap();
    assert_eq!(request.headers()["webhook-id"], "1-1780304400.event");
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["data"]["index"], 1);
    assert_eq!(body["data"]["type"], "order.registered");
    assert_eq!(body["data"]["order_key"], "1");
    assert_eq!(body["data"]["at"], "2026-06-01T12:00:00+03:00");
}

#[tokio::test(start_paused = true)]
async fn at_once_each_receiver_of_payments_is_told_whatever_another_answers() {
    let app = several(&[
        ("erp", "payments"),
        ("archive", "payments"),
        ("chat", "orders,alerts"),
    ]);
    let memory = Memory::new();
    pay(&memory, &["A"]).await;
    memory.script_reply_of("erp.example.md", 500, "");
    follow_up(&app, &store(&memory), call(&memory, 0, Some("A"))).await;
    let erp = deliveries(&app, &memory, "erp").await;
    assert_eq!((erp[0].attempts.count, &erp[0].settled), (1, &None));
    assert!(
        deliveries(&app, &memory, "archive").await[0]
            .settled
            .is_some()
    );
    assert_eq!(deliveries(&app, &memory, "chat").await.len(), 1);
    let to_archive = sent_to(&memory, "archive");
    assert_eq!(kinds(&to_archive), ["payment.recorded"], "once");
}

/// The cost of one receiver when MPay has confirmed a payment is the same as before there were several.
#[tokio::test(start_paused = true)]
async fn telling_one_receiver_at_once_takes_one_write() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A", "B"]).await;
    follow_up(&app, &store(&memory), call(&memory, 0, Some("A"))).await;
    memory.take_calls();
    follow_up(&app, &store(&memory), call(&memory, 0, Some("B"))).await;
    let calls = memory.take_calls();
    let writes = calls.iter().filter(|call| !call.starts_with("get "));
    assert_eq!(writes.count(), 1, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_answers_410_is_sent_nothing_until_it_is_resumed() {
    let app = several(&[("erp", ""), ("archive", "payments"), ("chat", "alerts")]);
    let memory = Memory::new();
    pay(&memory, &["A", "B"]).await;
    memory.script_reply_of("erp.example.md", 410, "");
    let report = cron(&app, &memory).await;
    assert_eq!(report.ended, ["erp"]);
    assert_eq!(
        (report.delivered, report.failed, report.complete),
        (2, 0, true)
    );
    let all = memory.take_sent();
    let of = |name: &str, all: &[http::Request<bytes::Bytes>]| {
        let host = format!("{name}.example.md");
        let of_host = all
            .iter()
            .filter(|request| request.uri().host() == Some(&host));
        of_host.count()
    };
    assert_eq!(
        (of("erp", &all), of("archive", &all), of("chat", &all)),
        (1, 2, 1)
    );
    let alert = all.last().unwrap();
    let body: Value = serde_json::from_slice(alert.body()).unwrap();
    assert_eq!(body["type"], "alert.webhook");
    assert_eq!(body["data"]["receiver"], "erp");
    let warnings = warnings(&app.settings, &app.remembered, &store(&memory)).await;
    assert!(
        warnings[0].contains("receiver erp answered 410"),
        "{warnings:?}"
    );

    record(&memory, "C", "1", "1").await.unwrap();
    follow_up(&app, &store(&memory), call(&memory, 0, Some("C"))).await;
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let report = cron(&app, &memory).await;
    assert_eq!((report.complete, report.ended.len()), (true, 0));
    let all = memory.take_sent();
    assert_eq!((of("erp", &all), of("archive", &all)), (0, 1));
    assert_eq!(standing(&app, &memory, "erp").await.lately.failed_at, None);

    store(&memory)
        .outbox()
        .of("erp", Groups::default())
        .set_ended(None)
        .await
        .unwrap();
    assert_eq!(cron(&app, &memory).await.delivered, 3);
    let ids = sent_to(&memory, "erp").into_iter().map(|(_, id)| id);
    assert_eq!(ids.collect::<Vec<_>>(), ["A", "B", "C"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_time_gets_it_and_no_attempt_is_counted() {
    let app = several(&[("erp", ""), ("archive", "payments")]);
    let memory = Memory::new();
    pay(&memory, &["A", "B"]).await;
    memory.script_reply_of("erp.example.md", 429, "7200");
    let report = cron(&app, &memory).await;
    assert_eq!(
        (report.delivered, report.failed, report.complete),
        (2, 0, true)
    );
    memory.take_sent();
    // However often calls come, this receiver is left alone, and no other is.
    record(&memory, "C", "1", "1").await.unwrap();
    follow_up(&app, &store(&memory), call(&memory, 0, Some("C"))).await;
    tokio::time::sleep(Duration::from_secs(7190)).await;
    for _ in 0..30 {
        assert!(cron(&app, &memory).await.complete);
    }
    let sent = memory.take_sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].uri().host(), Some("archive.example.md"));
    let lately = standing(&app, &memory, "erp").await.lately;
    assert_eq!(lately.error.as_deref(), Some("The receiver answered 429."));
    for delivery in deliveries(&app, &memory, "erp").await {
        assert_eq!(delivery.attempts.count, 0);
    }
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(cron(&app, &memory).await.delivered, 3);
    assert_eq!(standing(&app, &memory, "erp").await.lately.not_before, None);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_ahead_pauses_nobody_for_longer_than_a_day() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A"]).await;
    memory.step_clock(SignedDuration::from_hours(24 * 365));
    memory.script_reply_of("erp.example.md", 429, "600");
    assert_eq!(cron(&app, &memory).await.failed, 0);
    memory.step_clock(-SignedDuration::from_hours(24 * 365));
    assert_eq!(cron(&app, &memory).await.delivered, 1);
}

/// A message that waits for another attempt keeps its count when the receiver asks for time.
#[tokio::test(start_paused = true)]
async fn a_message_that_waits_goes_on_waiting_while_the_receiver_wants_nothing() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A"]).await;
    memory.script_replies([500]);
    assert_eq!(cron(&app, &memory).await.failed, 1);
    tokio::time::sleep(Duration::from_secs(61)).await;
    memory.script_reply_of("erp.example.md", 503, "600");
    assert_eq!(cron(&app, &memory).await.failed, 0);
    assert_eq!(state(&app, &memory).await.waiting.len(), 1);
    assert_eq!(deliveries(&app, &memory, "erp").await[0].attempts.count, 1);
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(cron(&app, &memory).await.delivered, 1);
}

/// No refused message holds up another, however long the journal and however many there are.
#[tokio::test(start_paused = true)]
async fn a_new_message_is_tried_by_the_next_call_however_much_is_refused() {
    for (status, calls) in [(500, 301), (422, 18)] {
        let (app, memory) = (app(&[]), Memory::new());
        cron(&app, &memory).await;
        let refused = delivery::MOST_WAITING + 400;
        pay_many(&memory, refused).await;
        memory.script_replies(std::iter::repeat_n(status, 20 * refused));
        for _ in 0..calls {
            cron(&app, &memory).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let before = state(&app, &memory).await;
        assert_eq!(before.waiting.len(), delivery::MOST_WAITING);
        assert_eq!(before.left.len(), 1, "{:?}", before.left);
        sent(&memory, "payment.recorded");
        register(&memory, "N", "1").await.unwrap();
        record(&memory, "N", "N", "1").await.unwrap();
        // If many waiting messages are due, the new ones go first the next time.
        for _ in 0..2 {
            cron(&app, &memory).await;
        }
        let sent = sent(&memory, "payment.recorded");
        assert!(sent.iter().any(|id| id == "N"), "{status}: {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_or_given_up_is_sent_again_where_somebody_asks() {
    let app = several(&[("erp", "orders,payments"), ("archive", "payments")]);
    let memory = Memory::new();
    pay(&memory, &["A", "B", "C"]).await;
    cron(&app, &memory).await;
    let first = sent_to(&memory, "erp");
    assert_eq!(first.len(), 4);
    // One message, to one receiver, under the same id.
    let index = deliveries(&app, &memory, "erp").await[2].index;
    assert!(send_again(&app, &memory, "erp", index - 1, index).await);
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    let again = memory.take_sent();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].uri().host(), Some("erp.example.md"));
    assert_eq!(again[0].headers()["webhook-id"], "B");
    assert_eq!(cron(&app, &memory).await.delivered, 0, "once");
    // All of them are sent; failed ones are tried again like any other, once in each call at most.
    assert!(send_again(&app, &memory, "erp", 0, 4).await);
    memory.script_reply_of("erp.example.md", 200, "");
    memory.script_reply_of("erp.example.md", 500, "");
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.failed), (3, 1));
    let state = standing(&app, &memory, "erp").await.state.unwrap();
    assert_eq!(
        (state.waiting.len(), state.left.len(), state.requests),
        (1, 0, 2)
    );
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(cron(&app, &memory).await.delivered, 1);
    let mut ids: Vec<_> = sent_to(&memory, "erp");
    ids.remove(1);
    ids.sort();
    let mut expected = first.clone();
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!(cron(&app, &memory).await.delivered, 0);
    // An older state that wins a race sends nothing again.
    let older = OutboxState::default();
    set_state(&app, &memory, &older).await;
    assert_eq!(cron(&app, &memory).await.delivered, 0);
}

#[tokio::test(start_paused = true)]
async fn requests_to_send_again_are_bounded_and_none_is_lost() {
    let (app, memory) = (app(&[]), Memory::new());
    pay(&memory, &["A", "B"]).await;
    cron(&app, &memory).await;
    memory.take_sent();
    let mut taken = 0;
    while send_again(&app, &memory, "erp", 1, 2).await {
        taken += 1;
        assert!(taken < 1000);
    }
    assert_eq!(taken, 64);
    let mut delivered = 0;
    for _ in 0..64 {
        let report = cron(&app, &memory).await;
        delivered += report.delivered;
        if report.complete {
            break;
        }
    }
    assert_eq!(sent(&memory, "payment.recorded").len(), delivered as usize);
    let state = state(&app, &memory).await;
    assert_eq!((state.requests, state.left.len()), (64, 0));
    assert!((1..=64).contains(&delivered), "{delivered}");
    assert!(send_again(&app, &memory, "erp", 1, 2).await);
}

#[tokio::test(start_paused = true)]
async fn a_new_receiver_begins_near_the_end_of_a_long_journal_and_a_new_address_changes_nothing() {
    let (first, memory) = (several(&[("erp", "orders")]), Memory::new());
    pay_many(&memory, 600).await;
    // The journal has 1200 entries, and of its last thousand half are orders.
    deliver_all(&first, &memory).await;
    assert_eq!(sent_to(&memory, "erp").len(), 500);
    let webhooks = format!("erp https://new.example.md/other {SECRET} orders,payments");
    let moved = app(&[
        ("webhooks", &webhooks),
        ("webhook_origin", "https://new.example.md"),
    ]);
    assert_eq!(cron(&moved, &memory).await.delivered, 0);
    record(&memory, "N", "1", "1").await.unwrap();
    assert_eq!(cron(&moved, &memory).await.delivered, 1);
    let renamed = app(&[
        ("webhooks", &webhooks.replace("erp ", "erp-2 ")),
        ("webhook_origin", "https://new.example.md"),
    ]);
    assert_eq!(cron(&renamed, &memory).await.delivered, 50);
}

#[tokio::test(start_paused = true)]
async fn one_receiver_that_fails_leaves_the_report_of_the_others() {
    let app = several(&[("erp", "payments"), ("archive", "payments")]);
    let memory = Memory::new();
    let ids: Vec<_> = (0..60).map(|n| format!("P{n}")).collect();
    pay(&memory, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for _ in 0..3 {
        memory.script_reply_of("erp.example.md", 0, "");
    }
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.failed), (50, 3));
    assert_eq!((report.complete, report.left_alone), (false, false));
    for _ in 0..3 {
        memory.script_reply_of("erp.example.md", 0, "");
    }
    let report = cron(&app, &memory).await;
    assert_eq!((report.delivered, report.failed), (10, 3));
    assert_eq!((report.complete, report.left_alone), (false, true));
}
