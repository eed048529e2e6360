//! Orders and payments of the service `TAX`, for tests.

// A test that cannot be set up fails.
#![allow(clippy::missing_panics_doc, clippy::missing_errors_doc)]

use super::{
    Beginning, CardPayment, Evidence, Ledger, Platform, Precondition, Recorded, Refunded,
    RegisterError, Registered, Secret, StoreError, StoredOrder,
};
use crate::{
    domain::{Confirmation, Order, OrderKey, PaymentId, ServiceId},
    json::{AttemptJson, OrderJson, PaymentJson, RefundJson},
    memory::Memory,
};

/// The secret of a [`Memory`].
pub fn secret() -> Secret {
    Secret::new(&[7; 32]).unwrap()
}

/// The document of an order with one line.
pub fn order_json(key: &str, amount: &str) -> OrderJson {
    serde_json::from_value(serde_json::json!({
        "service_id": "TAX", "order_key": key, "reason": "Taxă",
        "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": amount}]
    }))
    .unwrap()
}

/// An order with one line.
pub fn order(key: &str, amount: &str) -> Order {
    order_json(key, amount).to_order().unwrap()
}

/// A confirmation by MPay, and its record.
pub fn payment(id: &str, key: &str, amount: &str) -> (Confirmation, PaymentJson) {
    let json: PaymentJson = serde_json::from_value(serde_json::json!({
        "payment_id": id, "service_id": "TAX", "order_key": key, "amount": amount,
        "currency": "MDL", "paid_at": "2026-06-01T12:00:00+03:00",
        "lines": [{"line_id": "1", "amount": amount}],
        "received_at": "2026-06-01T12:00:05+03:00",
        "signer": {"subject": "CN=MPay", "fingerprint": "00", "algorithm": "rsa-sha1"},
        "evidence": "e"
    }))
    .unwrap();
    (json.to_confirmation().unwrap(), json)
}

/// Records a payment.
pub async fn record(
    memory: &Memory,
    id: &str,
    key: &str,
    amount: &str,
) -> Result<Recorded, StoreError> {
    record_in(&Ledger::new(memory.clone()), id, key, amount).await
}

/// Records a payment in books.
pub async fn record_in<P: Platform>(
    store: &Ledger<P>,
    id: &str,
    key: &str,
    amount: &str,
) -> Result<Recorded, StoreError> {
    record_of(store, &StoredOrder::default(), id, key, amount).await
}

/// Records a payment of an order that was read.
pub async fn record_of<P: Platform>(
    store: &Ledger<P>,
    order: &StoredOrder,
    id: &str,
    key: &str,
    amount: &str,
) -> Result<Recorded, StoreError> {
    let (confirmation, json) = payment(id, key, amount);
    let evidence = Evidence::new(
        &secret(),
        b"<message/>",
        id,
        json.evidence.as_bytes(),
        "accepted",
    );
    let json = PaymentJson {
        evidence: evidence.id().to_owned(),
        ..json
    };
    store
        .payments()
        .record(&confirmation, &json, order, &evidence, Some(b"<answer/>"))
        .await
}

/// The beginning of a payment of an order with one line, to pay it by card.
pub fn beginning(key: &str, amount: &str) -> Beginning {
    let attempt: AttemptJson = serde_json::from_value(serde_json::json!({
        "started": {
            "payment_id": "", "service_id": "TAX", "order_key": key, "amount": amount,
            "currency": "MDL", "lines": [{"line_id": "1", "amount": amount}],
            "capture": "immediate", "terminal": "T", "by": "tester"
        },
        "return_url": "https://shop.example.md/done", "session_minutes": 60
    }))
    .unwrap();
    Beginning {
        request: "r".to_owned(),
        content: "c".to_owned(),
        attempt,
    }
}

/// Begins a payment by card, if no other was begun and is not recorded.
pub async fn begin(
    memory: &Memory,
    id: &str,
    key: &str,
    amount: &str,
) -> Result<Option<CardPayment>, RegisterError<()>> {
    begin_if(memory, id, key, amount, |stored| stored.begun.is_empty()).await
}

/// Begins a payment by card, even if others were begun before.
pub async fn begin_again(
    memory: &Memory,
    id: &str,
    key: &str,
    amount: &str,
) -> Result<Option<CardPayment>, RegisterError<()>> {
    begin_if(memory, id, key, amount, |_| true).await
}

async fn begin_if(
    memory: &Memory,
    id: &str,
    key: &str,
    amount: &str,
    may: impl Fn(&StoredOrder) -> bool,
) -> Result<Option<CardPayment>, RegisterError<()>> {
    let service = ServiceId::parse("TAX").unwrap();
    let (id, order) = (PaymentId::parse(id).unwrap(), OrderKey::parse(key).unwrap());
    let ledger = Ledger::new(memory.clone());
    let cards = ledger.card_payments();
    let judge = |stored: &StoredOrder| match may(stored) {
        true => Ok(Some(beginning(key, amount))),
        false => Err(()),
    };
    cards.begin(&id, &service, &order, judge).await
}

/// Records money that was taken from a card.
pub async fn record_card(
    memory: &Memory,
    id: &str,
    key: &str,
    amount: &str,
) -> Result<Recorded, StoreError> {
    let (confirmation, json) = payment(id, key, amount);
    let evidence = Evidence::new(&secret(), b"<GetState/>", id, b"answer", "card");
    let json = PaymentJson {
        signer: None,
        evidence: evidence.id().to_owned(),
        card: serde_json::from_value(serde_json::json!({
            "asked": amount, "terminal": "T", "masked_number": "411111xxxxxx0031",
            "rrn": format!("RRN-{id}")
        }))
        .unwrap(),
        ..json
    };
    let ledger = Ledger::new(memory.clone());
    let payments = ledger.payments();
    payments
        .record(
            &confirmation,
            &json,
            &StoredOrder::default(),
            &evidence,
            None,
        )
        .await
}

/// Notes that so much of a payment remains.
pub async fn refund(memory: &Memory, name: &str, remaining: &str) -> Result<Refunded, StoreError> {
    refund_of_number(memory, name, remaining, None).await
}

/// Notes a refund with the banks' reference number of its own.
pub async fn refund_of_number(
    memory: &Memory,
    name: &str,
    remaining: &str,
    rrn: Option<&str>,
) -> Result<Refunded, StoreError> {
    let refund: RefundJson = serde_json::from_value(serde_json::json!({
        "payment_id": name, "service_id": "TAX", "order_key": "1", "amount": "",
        "remaining": remaining, "currency": "MDL", "lines": [], "recorded": 1, "evidence": "e",
        "rrn": rrn
    }))
    .unwrap();
    let evidence = Evidence::new(&secret(), b"<Refund/>", name, remaining.as_bytes(), "card");
    let ledger = Ledger::new(memory.clone());
    let refunded = ledger.refunds().refund(&refund, &evidence).await;
    refunded.map_err(|error| StoreError::InProgress(error.to_string()))
}

/// Registers an order with one line.
pub async fn register(
    memory: &Memory,
    key: &str,
    amount: &str,
) -> Result<Registered, RegisterError> {
    put(memory, &order(key, amount), Precondition::None).await
}

/// Registers an order.
pub async fn put(
    memory: &Memory,
    order: &Order,
    precondition: Precondition,
) -> Result<Registered, RegisterError> {
    put_in(&Ledger::new(memory.clone()), order, precondition).await
}

/// Registers an order in books.
pub async fn put_in<P: Platform>(
    store: &Ledger<P>,
    order: &Order,
    precondition: Precondition,
) -> Result<Registered, RegisterError> {
    store
        .orders()
        .change(
            &order.service_id,
            &order.order_key,
            precondition,
            Some("tester"),
            |_| Ok(order.clone()),
        )
        .await
}

/// The order of this key.
pub async fn stored(memory: &Memory, key: &str) -> Option<StoredOrder> {
    let service = ServiceId::parse("TAX").unwrap();
    Ledger::new(memory.clone())
        .orders()
        .get(&service, &OrderKey::parse(key).unwrap())
        .await
        .unwrap()
}
