//! Recovery: the time for which a host that died while it wrote holds up the others. From its death on,
//! the run measures the time until a reader sees a payment recorded afterwards, and until a change of the
//! same order gets its turn.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::{
    client::Ask,
    cursor::Cursor,
    executor::{Micros, OUTSIDE},
    history::OrderId,
    mpay, office,
    random::{MINUTE, SECOND},
    world::World,
};

/// The pause between two questions.
const EVERY: Micros = SECOND / 10;

/// Kills a writer, and gives the time for which others waited; `None` if there is nothing to measure.
pub async fn measure(world: &Rc<World>) -> Option<Micros> {
    let orders = world.history.borrow().orders.len();
    let hosts = world.hosts.borrow().len();
    if orders == 0 || hosts < 2 {
        return None;
    }
    let order = world.random.below(orders);
    let registered = Ask::new("GET", office::path(world, order))
        .to(world, 0)
        .await;
    if registered.status() != 200 {
        return None;
    }
    let cursor = end_of_payments(world).await?;
    // A writer dies at some point of its work.
    let (dead, living) = (0, 1);
    for _ in 0..2 {
        let number = world.history.borrow().payments.len();
        let payment = mpay::payment(world, &format!("P{number}-"), order, 1000);
        let task = mpay::confirm_at(Rc::clone(world), dead, payment);
        world.executor.spawn(OUTSIDE, task);
    }
    world.sleep(world.random.scaled(2_000, 120_000)).await;
    world.kill(dead);
    let died = world.now();
    let read = reader(world, living, order, cursor).await;
    let changed = change(world, living, order).await;
    world.start(dead);
    Some(read?.max(changed?).saturating_sub(died))
}

async fn end_of_payments(world: &Rc<World>) -> Option<Cursor> {
    let mut after = Cursor::default();
    for _ in 0..500 {
        let path = format!("payments?cursor={after}&limit=200");
        let page = Ask::new("GET", path).to(world, 0).await.json();
        match Cursor::next(&page) {
            Some(next) => after = next,
            None => return Cursor::reached(&page),
        }
    }
    None
}

/// The time at which a reader sees a payment that another host acknowledged after the death.
async fn reader(
    world: &Rc<World>,
    living: usize,
    order: OrderId,
    cursor: Cursor,
) -> Option<Micros> {
    let number = world.history.borrow().payments.len();
    let id = format!("P{number}-");
    let payment = mpay::payment(world, &id, order, 1000);
    mpay::confirm_at(Rc::clone(world), living, payment).await;
    let acknowledged = world.now();
    let mut after = cursor;
    while world.now() < acknowledged + 10 * MINUTE {
        let path = format!("payments?cursor={after}&limit=200");
        let page = Ask::new("GET", path).to(world, living).await.json();
        let listed = page.get("payments").and_then(Value::as_array);
        let is = |payment: &Value| payment.get("payment_id").and_then(Value::as_str) == Some(&id);
        if listed.is_some_and(|listed| listed.iter().any(is)) {
            return Some(world.now());
        }
        after = Cursor::reached(&page).unwrap_or(after);
        world.sleep(EVERY).await;
    }
    None
}

/// The time at which a change of the order is answered for good: done, or refused for the order's state.
async fn change(world: &Rc<World>, living: usize, order: OrderId) -> Option<Micros> {
    let began = world.now();
    let answer = Ask::new("GET", office::path(world, order))
        .to(world, living)
        .await;
    // The model need not know of it: the order's content stays equal.
    let document = answer.json();
    let lines = document.get("lines").cloned().unwrap_or_default();
    while world.now() < began + 10 * MINUTE {
        let answer = Ask::new("PATCH", office::path(world, order))
            .text(
                "application/merge-patch+json",
                json!({"lines": lines}).to_string(),
            )
            .to(world, living)
            .await;
        if !matches!(answer.status(), 0 | 503) {
            return Some(world.now());
        }
        world.sleep(EVERY).await;
    }
    None
}
