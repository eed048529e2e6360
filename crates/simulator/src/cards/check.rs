//! The comparison of the books with the gateway, once everything works.

use std::{collections::BTreeSet, rc::Rc};

use mpay_gateway::{Order, State};
use serde_json::Value;

use super::{MONEY, TWICE, amount_of, at_gateway};
use crate::{
    client::Ask,
    cursor::Cursor,
    history::{OrderId, bani},
    model::{Change, Outcome},
    random::{DAY, HOUR, MINUTE},
    world::World,
};

/// Checks that each request gave money back at most once, and that it did if it was acknowledged.
pub(super) fn check_refunds(world: &World, id: &str) {
    let mut cards = world.cards.borrow_mut();
    let Some(order) = cards.gateway.order(id) else {
        return;
    };
    let Some(begun) = cards.of(id) else {
        return;
    };
    let mut history = world.history.borrow_mut();
    let (made, asked) = (&begun.made, &begun.refunds);
    let mut twice = |detail: String| {
        let detail = format!("{detail}: commands gave back {made:?} of {id}");
        history.find(TWICE, id, detail);
    };
    if made.len() > asked.len() {
        twice(format!("{} requests", asked.len()));
    }
    let wants_all = asked.values().any(|asked| asked.amount.is_none());
    let amounts: BTreeSet<_> = made.iter().map(|(amount, _)| *amount).collect();
    for amount in amounts {
        let times = made.iter().filter(|(made, _)| *made == amount).count();
        let asked = asked.values();
        let asked = asked.filter(|asked| asked.amount == Some(amount)).count();
        // The request for all that was left may have given back the same amount.
        let is_rest = wants_all && made.contains(&(amount, 0));
        if times > asked + usize::from(is_rest) {
            twice(format!("{asked} requests for {amount}"));
        }
    }
    for amount in asked.values().filter(|asked| asked.is_done) {
        let Some(amount) = amount.amount else {
            continue;
        };
        // Money given back in the cabinet meanwhile cannot be told from it.
        if !order.refunds.contains(&amount) && !begun.in_cabinet {
            let refunds = &order.refunds;
            let detail = format!("{amount} of {id} is not given back: {refunds:?}");
            history.find(MONEY, id, detail);
        }
    }
}

/// Asks, once everything works, for each open payment until it is over, and once more for the paid ones.
/// Gives the number of days that this took.
pub async fn make_peace(world: &Rc<World>) -> u64 {
    let began = world.now();
    let mut open = None;
    while world.now() < began + 4 * DAY {
        let answer = Ask::new("POST", "card-payments/check").insist(world).await;
        open = answer.json().get("open").and_then(Value::as_u64);
        if open == Some(0) {
            break;
        }
        // A hold that nobody decides on lapses.
        let orders = world.cards.borrow().gateway.orders();
        for order in orders {
            let age = world.now().saturating_sub(began);
            if order.state == State::Authorized && age > 2 * HOUR {
                let _ = at_gateway(world, |gateway| gateway.lapse(&order.id));
            }
        }
        let pause = match world.now().saturating_sub(began) {
            0..HOUR => 5 * MINUTE,
            _ => 30 * MINUTE,
        };
        world.sleep(pause).await;
    }
    if open != Some(0) {
        let detail = format!("{open:?} payments by card are open after four days");
        world
            .history
            .borrow_mut()
            .find("nothing goes on", "card", detail);
    }
    // Notifications that were late still arrive.
    world.sleep(20 * MINUTE).await;
    let mut after = Cursor::default();
    for _ in 0..100 {
        let path = format!("card-payments/recheck?cursor={after}");
        let answer = Ask::new("POST", path).insist(world).await.json();
        match Cursor::next(&answer) {
            Some(next) => after = next,
            None => break,
        }
    }
    world.now().saturating_sub(began) / DAY
}

/// A payment, as the books have it.
struct Recorded {
    amount: u64,
    remaining: u64,
    review: String,
}

fn recorded(document: &Value) -> Option<Recorded> {
    let minor = |text: &Value| u64::try_from(bani(text.as_str()?)?).ok();
    let amount = minor(document.get("amount")?)?;
    let refunds = document.get("refunds").and_then(Value::as_array);
    let last = refunds.and_then(|refunds| minor(refunds.last()?.get("remaining")?));
    let reviews = ["review", "closed_reviews"].map(|name| document.get(name));
    Some(Recorded {
        amount,
        remaining: last.unwrap_or(amount),
        review: format!("{reviews:?}"),
    })
}

/// Checks that the money taken at the gateway and the money recorded agree, for each payment, and that no
/// refund was made twice.
pub async fn check(world: &Rc<World>) {
    let orders = world.cards.borrow().gateway.orders();
    for order in orders {
        let id = order.id.as_str();
        let answer = Ask::new("GET", format!("payments/{id}"))
            .insist(world)
            .await;
        let document = answer.json();
        let known = (answer.status() == 200)
            .then(|| recorded(&document))
            .flatten();
        check_refunds(world, id);
        let place = world.cards.borrow_mut().of(id).map(|begun| begun.order);
        let agrees = match &known {
            None => order.taken == 0,
            Some(known) => place.is_some() && agrees(&order, known),
        };
        let mut history = world.history.borrow_mut();
        if !agrees {
            let books = known.as_ref().map(|known| (known.amount, known.remaining));
            let detail = format!(
                "{id} is {:?}: {} taken, {:?} given back; in the books {books:?}",
                order.state, order.taken, order.refunds
            );
            history.find(MONEY, id, detail);
        }
        // From now on the model knows that it is there.
        let ops = place.and_then(|place| history.orders.get_mut(place));
        let op = ops.and_then(|known| known.ops.iter_mut().find(|op| op.label == id));
        if let (Some(op), Some(known)) = (op, &known) {
            op.change = Change::Pay(amount_of(known.amount));
            op.outcome = Outcome::Done;
            op.answered = Some(world.now());
        }
    }
}

/// True if the books agree with the gateway. Money given back before anybody asked looks like money never
/// taken; if all of it was given back, the asked amount may be recorded as taken.
fn agrees(order: &Order, known: &Recorded) -> bool {
    let mut taken = vec![order.taken];
    let mut left = order.taken;
    for refund in &order.refunds {
        left = left.saturating_sub(*refund);
        taken.push(left);
    }
    if order.remaining() == 0 || order.state == State::Chargeback {
        taken.push(order.asked);
    }
    let remains = match order.state {
        State::Chargeback => known.review.contains("charged-back"),
        _ => known.remaining == order.remaining(),
    };
    order.taken > 0 && known.amount > 0 && remains && taken.contains(&known.amount)
}

/// True if money of an order was given back: then the model says nothing of its status.
pub fn has_refunds(world: &World, order: OrderId) -> bool {
    let cards = world.cards.borrow();
    let mut of = cards.begun.iter().filter(|begun| begun.order == order);
    of.any(|begun| {
        let order = cards.gateway.order(&begun.id);
        order.is_some_and(|order| order.given_back > 0)
    })
}
