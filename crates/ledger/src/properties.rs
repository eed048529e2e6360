//! Properties: for any orders and any sequence of confirmations, repetitions, amendments and failures,
//! the books equal a model that only adds up what it was told.

use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::{
    memory::{Fault, Memory},
    testing::*,
    *,
};
use crate::{
    domain::{Confirmation, Money, Order, OrderStatus},
    json::Event,
};

/// A step of a test.
#[derive(Debug, Clone)]
enum Step {
    /// Confirmations at the same time, with some of their calls to the store failing.
    Pay(Vec<Payment>, Vec<Fault>),
    /// An order, or a new version of it.
    Put(Bill, Vec<Fault>),
    /// Seconds in which nothing happens.
    Wait(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Payment {
    id: u8,
    order: u8,
    amount: u32,
}

#[derive(Debug, Clone, Copy)]
struct Bill {
    order: u8,
    /// Of its two lines.
    amounts: [u32; 2],
}

impl Bill {
    fn total(self) -> u32 {
        self.amounts.iter().sum()
    }

    fn order(self) -> Order {
        let mut json = order_json(&self.order.to_string(), &text(self.amounts[0]));
        let mut second = json.lines[0].clone();
        second.line_id = Some("2".into());
        second.amount_due = Some(text(self.amounts[1]));
        json.lines.push(second);
        json.allow_partial_payments = true;
        json.to_order().unwrap()
    }
}

/// Hundredths as an amount.
fn text(amount: u32) -> String {
    format!("{}.{:02}", amount / 100, amount % 100)
}

fn money(amount: u32) -> Money {
    Money::parse(&text(amount)).unwrap()
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        8 => Just(Fault::None),
        1 => Just(Fault::Fail),
        1 => Just(Fault::Drop),
        1 => Just(Fault::Cut),
        1 => Just(Fault::CutAfter),
        1 => (1..50_u64).prop_map(|seconds| Fault::Delay(Duration::from_secs(seconds))),
    ];
    vec(fault, 0..24)
}

fn step() -> impl Strategy<Value = Step> {
    // Few ids, orders and amounts, so that they meet.
    let payment = (0..6_u8, 0..2_u8, 1..4_u32).prop_map(|(id, order, amount)| Payment {
        id,
        order,
        amount: amount * 2_550,
    });
    let bill = (0..2_u8, [1..9_u32, 1..9])
        .prop_map(|(order, amounts)| (order, amounts.map(|amount| amount * 1_275)))
        .prop_map(|(order, amounts)| Bill { order, amounts });
    prop_oneof![
        3 => (vec(payment, 1..4), faults()).prop_map(|(payments, faults)| Step::Pay(payments, faults)),
        1 => (bill, faults()).prop_map(|(bill, faults)| Step::Put(bill, faults)),
        1 => (1..90_u64).prop_map(Step::Wait),
    ]
}

/// The model: the acknowledged payments and bills, and those that may be recorded.
#[derive(Debug, Default)]
struct Model {
    /// The content of each payment that was acknowledged.
    paid: BTreeMap<u8, Payment>,
    /// All that was sent.
    sent: Vec<Payment>,
    /// The bills of each order that were taken.
    bills: BTreeMap<u8, Vec<Bill>>,
}

impl Model {
    fn acknowledged(&mut self, payment: Payment) {
        let known = *self.paid.entry(payment.id).or_insert(payment);
        assert_eq!(
            known, payment,
            "two contents of one payment were acknowledged"
        );
    }

    fn sum(&self, order: u8) -> u32 {
        let of_order = self.paid.values().filter(|payment| payment.order == order);
        of_order.map(|payment| payment.amount).sum()
    }
}

async fn confirm(memory: &Memory, payment: Payment) -> Option<Recorded> {
    let (id, order) = (payment.id.to_string(), payment.order.to_string());
    let amount = text(payment.amount);
    // A call that was cut off never comes back.
    let call = record(memory, &id, &order, &amount);
    tokio::time::timeout(Duration::from_secs(300), call)
        .await
        .ok()?
        .ok()
}

async fn pay(memory: &Memory, model: &mut Model, payments: &[Payment]) {
    model.sent.extend(payments);
    let calls = payments.iter().map(|payment| confirm(memory, *payment));
    for (payment, recorded) in payments.iter().zip(futures::future::join_all(calls).await) {
        match recorded {
            Some(Recorded::New | Recorded::Repeated { .. }) => model.acknowledged(*payment),
            Some(Recorded::Conflict) => assert_ne!(model.paid.get(&payment.id), Some(payment)),
            Some(Recorded::Manual) => unreachable!("nothing is entered by hand here"),
            None => {}
        }
    }
}

/// Puts a bill, again and again until it is taken or refused for good.
async fn put(memory: &Memory, model: &mut Model, bill: Bill, faults: Vec<Fault>) {
    memory.script(faults);
    let order = bill.order();
    for _ in 0..40 {
        let call = super::testing::put(memory, &order, Precondition::None);
        match tokio::time::timeout(Duration::from_secs(300), call).await {
            Ok(Ok(_)) => {
                let bills = model.bills.entry(bill.order).or_default();
                if bills.last().is_none_or(|last| last.amounts != bill.amounts) {
                    bills.push(bill);
                }
                return;
            }
            Ok(Err(RegisterError::Refused(_))) => {
                let last = model.bills[&bill.order].last().unwrap();
                // A payment that is written but not acknowledged yet already counts for the order.
                let sent: u32 = {
                    let of_order = model.sent.iter().filter(|sent| sent.order == bill.order);
                    of_order.map(|sent| sent.amount).sum()
                };
                assert!(sent >= last.total(), "{bill:?} was refused");
                return;
            }
            Ok(Err(RegisterError::Busy | RegisterError::Store(_))) | Err(_) => {
                memory.script([]);
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            Ok(Err(other)) => panic!("{other}"),
        }
    }
    panic!("{bill:?} was never answered");
}

/// Confirms every sent payment until it is acknowledged, or conflicts with an acknowledged one.
async fn finish(memory: &Memory, model: &mut Model) {
    memory.script([]);
    for payment in model.sent.clone() {
        for attempt in 0.. {
            match confirm(memory, payment).await {
                Some(Recorded::Conflict) => break,
                Some(_) => {
                    model.acknowledged(payment);
                    break;
                }
                None => assert!(attempt < 40, "{payment:?} is never recorded"),
            }
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
    }
    // Until holes are known to be dead.
    tokio::time::sleep(Duration::from_secs(61)).await;
    record(memory, "last", "last", "1").await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
}

async fn check_ledger(memory: &Memory, model: &Model) {
    let mut ledger = BTreeMap::new();
    let mut events = BTreeMap::<String, usize>::new();
    let page = Ledger::new(memory.clone())
        .journal()
        .read(0, usize::MAX, Span::ALWAYS, |_| true)
        .await
        .unwrap();
    for entry in page.entries {
        match entry.event {
            Event::PaymentRecorded(payment) if payment.payment_id == "last" => {}
            Event::PaymentRecorded(payment) => {
                let before = ledger.insert(payment.payment_id.clone(), payment.amount.clone());
                assert_eq!(before, None, "{} is there twice", payment.payment_id);
            }
            Event::OrderRegistered(order) | Event::OrderAmended(order) => {
                *events.entry(order.order_key).or_default() += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    let expected = model
        .paid
        .iter()
        .map(|(id, payment)| (id.to_string(), text(payment.amount)));
    assert_eq!(ledger, expected.collect());
    let expected = model
        .bills
        .iter()
        .map(|(order, bills)| (order.to_string(), bills.len()));
    assert_eq!(events, expected.collect());
}

async fn check_order(memory: &Memory, model: &Model, order: u8) {
    let Some(stored) = stored(memory, &order.to_string()).await else {
        assert!(!model.bills.contains_key(&order));
        return;
    };
    let state = stored.state;
    let (bills, paid) = (&model.bills[&order], model.sum(order));
    assert_eq!(state.versions().len(), bills.len());
    let total = bills.last().unwrap().total();
    let due = total.saturating_sub(paid);
    assert_eq!(state.amount_paid(), money(paid));
    assert_eq!(state.amount_due(memory.now()), Some(money(due)));
    let expected = match (due, paid) {
        (0, _) => OrderStatus::Paid,
        (_, 0) => OrderStatus::Active,
        _ => OrderStatus::PartiallyPaid,
    };
    assert_eq!(state.status(memory.now()), expected);
    let lines: Vec<_> = state
        .lines_due(memory.now())
        .into_iter()
        .map(|line| line.amount.unwrap())
        .collect();
    assert_eq!(lines.iter().copied().sum::<Money>(), money(due));
    assert_eq!(due == 0, lines.iter().any(|amount| amount.is_zero()));

    let mut counted = BTreeMap::<_, Confirmation>::new();
    for payment in state.payments() {
        let confirmation = payment.confirmation.clone();
        counted.insert(confirmation.payment_id.to_string(), confirmation);
    }
    assert_eq!(counted.len(), state.payments().len());
    let expected = model.paid.values().filter(|payment| payment.order == order);
    for payment in expected.clone() {
        assert_eq!(
            counted[&payment.id.to_string()].total,
            money(payment.amount)
        );
    }
    assert_eq!(counted.len(), expected.count());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_the_store_says_is_what_it_was_told(
        first in [1..9_u32, 1..9],
        steps in vec(step(), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (memory, mut model) = (Memory::new(), Model::default());
            for order in 0..2 {
                let bill = Bill { order, amounts: first.map(|amount| amount * 1_275) };
                put(&memory, &mut model, bill, Vec::new()).await;
            }
            for step in steps {
                match step {
                    Step::Pay(payments, faults) => {
                        memory.script(faults);
                        pay(&memory, &mut model, &payments).await;
                        memory.script([]);
                    }
                    Step::Put(bill, faults) => put(&memory, &mut model, bill, faults).await,
                    Step::Wait(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                }
            }
            finish(&memory, &mut model).await;
            check_ledger(&memory, &model).await;
            for order in 0..2 {
                check_order(&memory, &model, order).await;
            }
        });
    }
}
