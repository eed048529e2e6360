//! Notification as a door uses it, on a store in memory.

mod alerts;
mod one_receiver;
mod receivers;

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

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

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

/// The known state of a receiver.
async fn standing(app: &App, memory: &Memory, name: &str) -> Standing {
    let receiver = app.settings.receiver(name).unwrap();
    let books = store(memory);
    let outbox = books.outbox().of(name, receiver.groups);
    outbox.standing().await.unwrap()
}

/// The state of the delivery to the receiver.
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

/// A call of MPay that was made `ago` seconds before it came, as it says.
fn call(memory: &Memory, ago: i64, recorded: Option<&str>) -> Outcome {
    let received = store(memory).now();
    Outcome::Authentic {
        created: received - SignedDuration::from_secs(ago),
        received,
        clock_skew: Duration::from_secs(120),
        recorded: recorded.map(|id| PaymentId::parse(id).unwrap()),
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
