use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::*;
use mpay_door::{
    config::{Environment, Reader, Variables},
    pages::{PayLinks, link::PayLink},
};
use mpay_ledger::{
    Evidence, OutboxPage, OutboxState, Standing, StoredOrder, Waiting,
    json::{Groups, ManualJson, PaymentJson, VoidJson, VoidProposalJson},
    memory::{Fault, Memory},
    testing::{payment, record, register, secret},
};

/// A door that notifies.
#[derive(Default)]
struct App {
    settings: Settings,
    remembered: Remembered,
    warnings: Vec<String>,
}

impl App {
    fn notifier<'a>(&'a self, store: &'a Ledger<Memory>) -> Notifier<'a, Memory> {
        Notifier {
            settings: &self.settings,
            remembered: &self.remembered,
            warnings: self.warnings.clone(),
            store,
        }
    }
}

fn app(changes: &[(&'static str, &str)]) -> App {
    let mut variables = Variables::default();
    for (name, value) in [
        (
            "webhooks",
            "erp https://erp.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ),
        ("webhook_origin", "https://erp.example.md"),
    ]
    .into_iter()
    .chain(changes.iter().copied())
    {
        variables.set(name, value.to_owned());
    }
    let mut reader = Reader::new(&variables);
    let settings = Settings::read(&mut reader, Environment::Test);
    assert_eq!(reader.errors, []);
    App {
        settings,
        ..App::default()
    }
}

fn store(memory: &Memory) -> Ledger<Memory> {
    Ledger::new(memory.clone())
}

/// What is known of a receiver.
async fn standing(app: &App, memory: &Memory, name: &str) -> Standing {
    let receiver = app.settings.receiver(name).unwrap();
    let books = store(memory);
    let outbox = books.outbox().of(name, receiver.groups);
    outbox.standing().await.unwrap()
}

/// Where delivery to the receiver stands.
async fn state(app: &App, memory: &Memory) -> OutboxState {
    let standing = standing(app, memory, "erp").await;
    standing.state.unwrap_or_default()
}

async fn set_state(app: &App, memory: &Memory, state: &OutboxState) {
    let receiver = app.settings.receiver("erp").unwrap();
    let books = store(memory);
    let outbox = books.outbox().of("erp", receiver.groups);
    outbox.set_state(state).await.unwrap();
}

/// Messages for a receiver, as they stand.
async fn page(app: &App, memory: &Memory, receiver: &str, after: u64) -> OutboxPage {
    let receiver = app.settings.receiver(receiver).unwrap();
    let books = store(memory);
    let outbox = books.outbox().of(&receiver.name, receiver.groups);
    outbox.read(after).await.unwrap()
}

/// Asks to send messages again.
async fn send_again(app: &App, memory: &Memory, receiver: &str, after: u64, last: u64) -> bool {
    let standing = standing(app, memory, receiver).await;
    let books = store(memory);
    let outbox = books.outbox().of(receiver, Groups::default());
    outbox.send_again(&standing, after, last).await.unwrap()
}

/// All messages for a receiver, as they stand.
async fn deliveries(app: &App, memory: &Memory, receiver: &str) -> Vec<Delivery> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = page(app, memory, receiver, after).await;
        if page.next == after {
            return all;
        }
        after = page.next;
        all.extend(page.deliveries);
    }
}

/// The payment that a message is about.
fn payment_id(delivery: &Delivery) -> &str {
    match &delivery.event {
        Event::PaymentRecorded(payment) => &payment.payment_id,
        other => panic!("{other:?}"),
    }
}

async fn cron(app: &App, memory: &Memory) -> Report {
    app.notifier(&store(memory)).run_outbox().await.unwrap()
}

async fn follow_up(app: &App, store: &Ledger<Memory>, outcome: Outcome) {
    app.notifier(store).follow_up(outcome).await;
}

/// The ids of the messages of a type sent since the last time.
fn sent(memory: &Memory, kind: &str) -> Vec<String> {
    let of_kind = |request: &http::Request<bytes::Bytes>| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        body["type"] == kind
    };
    let id = |request: http::Request<bytes::Bytes>| {
        request.headers()["webhook-id"].to_str().unwrap().to_owned()
    };
    let sent = memory.take_sent();
    sent.into_iter().filter(of_kind).map(id).collect()
}

async fn pay(memory: &Memory, ids: &[&str]) {
    register(memory, "1", "1000").await.unwrap();
    for id in ids {
        record(memory, id, "1", "1").await.unwrap();
    }
}

/// A call of MPay's that says it was made `ago` seconds before it came.
fn call(memory: &Memory, ago: i64, recorded: Option<&str>) -> Outcome {
    let received = store(memory).now();
    Outcome::Authentic {
        created: received - SignedDuration::from_secs(ago),
        received,
        clock_skew: Duration::from_secs(120),
        recorded: recorded.map(|id| PaymentId::parse(id).unwrap()),
    }
}

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

/// It is told of all the same, at once or by the cron job, and a person told to look.
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

/// Payments, each of an order of its own.
async fn pay_many(memory: &Memory, count: usize) {
    for number in 0..count {
        let key = number.to_string();
        register(memory, &key, "1").await.unwrap();
        record(memory, &format!("P{number}"), &key, "1")
            .await
            .unwrap();
    }
}

/// Calls as the documents say, until nothing is left. Gives how many calls that took.
async fn deliver_all(app: &App, memory: &Memory) -> usize {
    for calls in 1..1000 {
        let report = cron(app, memory).await;
        if report.complete {
            return calls;
        }
        if report.left_alone {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
    panic!("it comes to no end");
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
    // From then on a call reads the one that waits, and nothing of what is done.
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

/// More than can wait: all of them are reached all the same, and what is new is not kept back.
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

/// What fills a call leaves the next one to the other.
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

/// What waits for another attempt is not forgotten because the store has lost the payment's entry:
/// a repair enters it again at its place.
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

#[tokio::test(start_paused = true)]
async fn what_the_store_keeps_of_attempts_can_be_read_by_a_later_version() {
    let stored = r#"{"count":2,"last_error":"x","next_at":"2026-01-01T00:00:00Z","new":1}"#;
    let attempts: Attempts = serde_json::from_str(stored).unwrap();
    assert_eq!(attempts.count, 2);
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A door with these receivers: name and what each wants, at a host of its own.
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

/// What one receiver costs when MPay has confirmed a payment: as before there were several.
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
    // Whoever calls, however often: the receiver is left alone, and no other is.
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

/// Nothing that is refused holds up another message, however long the journal and however many there
/// are.
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
        // Where much is due that waits, what is new is first the next time.
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
    // All of it; what fails is tried again like anything else, and no more often than once each.
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
