//! Alerts: their causes, and their number.

use super::*;

/// Alerts of a kind that are sent by `times` calls an hour apart.
async fn alerts(
    app: &App,
    memory: &Memory,
    kind: &str,
    times: u32,
    outcome: impl Fn() -> Outcome,
) -> usize {
    let mut count = 0;
    for _ in 0..times {
        // As another instance would, which remembers nothing.
        app.remembered.alerted.borrow_mut().clear();
        follow_up(app, &store(memory), outcome()).await;
        count += sent(memory, kind).len();
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    count
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_sent_once_a_day() {
    let (app, memory) = (app(&[]), Memory::new());
    // The clock of the tests begins at nine o'clock.
    let late = || call(&memory, 61, None);
    assert_eq!(alerts(&app, &memory, "alert.clock", 15, late).await, 1);
    assert_eq!(alerts(&app, &memory, "alert.clock", 24, late).await, 1);
    let early = || call(&memory, -61, None);
    assert_eq!(alerts(&app, &memory, "alert.clock", 24, early).await, 1);
    let well = || call(&memory, 59, None);
    assert_eq!(alerts(&app, &memory, "alert.clock", 24, well).await, 0);
}

#[tokio::test(start_paused = true)]
async fn callers_who_are_not_believed_raise_an_alert_and_then_write_nothing() {
    let (app, memory) = (app(&[]), Memory::new());
    let stranger = || Outcome::NotAuthenticated;
    let kind = "alert.authentication";
    assert_eq!(alerts(&app, &memory, kind, 4, stranger).await, 0);
    // A call of MPay's in between: not in a row.
    alerts(&app, &memory, kind, 1, || call(&memory, 0, None)).await;
    assert_eq!(alerts(&app, &memory, kind, 4, stranger).await, 0);
    assert_eq!(alerts(&app, &memory, kind, 1, stranger).await, 1);
    memory.take_calls();
    assert_eq!(alerts(&app, &memory, kind, 3, stranger).await, 0);
    let calls = memory.take_calls();
    assert!(
        calls.iter().all(|call| call.starts_with("get ")),
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_payment_to_look_at_raises_an_alert_and_says_so_itself() {
    let (app, memory) = (app(&[]), Memory::new());
    register(&memory, "1", "10").await.unwrap();
    record(&memory, "P", "1", "12").await.unwrap();
    follow_up(&app, &store(&memory), call(&memory, 0, Some("P"))).await;
    let bodies: Vec<Value> = memory
        .take_sent()
        .iter()
        .map(|request| serde_json::from_slice(request.body()).unwrap())
        .collect();
    let of = |kind: &str| bodies.iter().find(|body| body["type"] == kind).unwrap();
    let payment = of("payment.recorded");
    assert_eq!(payment["data"]["review"][0], "over-paid");
    assert_eq!(payment["data"]["payment_id"], "P");
    assert_eq!(payment["data"]["index"], 2);
    let recorded: Timestamp = payment["timestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(recorded, deliveries(&app, &memory, "erp").await[0].at);
    assert_eq!(of("alert.review")["data"]["payment_id"], "P");
}

#[tokio::test(start_paused = true)]
async fn silence_raises_an_alert_and_a_call_ends_it() {
    let (app, memory) = (app(&[("max_silence", "86400")]), Memory::new());
    let quiet = async |hours: u64| {
        tokio::time::sleep(Duration::from_secs(hours * 3600)).await;
        app.remembered.alerted.borrow_mut().clear();
        cron(&app, &memory).await;
        sent(&memory, "alert.silence").len()
    };
    assert_eq!(quiet(0).await, 0, "silence counts from the first look");
    assert_eq!(quiet(23).await, 0);
    assert_eq!(quiet(3).await, 1);
    assert_eq!(quiet(2).await, 0, "once a day");
    follow_up(&app, &store(&memory), call(&memory, 0, None)).await;
    assert_eq!(quiet(23).await, 0);
    assert_eq!(quiet(3).await, 1);
    // Calls of one hour are noted once.
    follow_up(&app, &store(&memory), call(&memory, 0, None)).await;
    memory.take_calls();
    for _ in 0..3 {
        follow_up(&app, &store(&memory), call(&memory, 0, None)).await;
    }
    let calls = memory.take_calls();
    assert!(
        calls.iter().all(|call| call.starts_with("get ")),
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_will_be_wrong_soon_raises_an_alert() {
    let (mut app, memory) = (app(&[]), Memory::new());
    cron(&app, &memory).await;
    assert_eq!(sent(&memory, "alert.certificate").len(), 0);
    app.warnings.push("a certificate expires".to_owned());
    cron(&app, &memory).await;
    assert_eq!(sent(&memory, "alert.certificate").len(), 1);
}
