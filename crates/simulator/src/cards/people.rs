//! People: payers at the gateway's pages, programs that begin payments, and those who take, release and
//! give back money; and the timer.

use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use mpay_gateway::{Order, State};
use serde_json::{Value, json};

use super::{Begun, MONEY, Refund, amount_of, at_gateway, check::check_refunds, note_taken, post};
use crate::{
    client::Ask,
    configuration::OPEN,
    executor::OUTSIDE,
    history::{OrderId, money},
    mpay, office,
    random::{HOUR, MINUTE, SECOND},
    world::World,
};

/// Begins a payment of an order, by one request that is repeated a few times.
pub async fn begin(world: Rc<World>, order: OrderId) {
    let is_open = world
        .history
        .borrow()
        .orders
        .get(order)
        .is_none_or(|known| known.service == OPEN);
    if is_open {
        return;
    }
    let key = {
        let mut cards = world.cards.borrow_mut();
        cards.count += 1;
        format!("card-request-{}", cards.count)
    };
    if world.random.happens(0.2) {
        return two_holds(&world, order, &key).await;
    }
    const CAPTURES: [&str; 3] = ["immediate", "checked", "manual"];
    let capture = world.random.weighted(&[4, 4, 3]);
    let capture = CAPTURES.get(capture).copied().unwrap_or("immediate");
    let mut body = json!({"return_url": "https://shop.example.md/done", "capture": capture});
    if world.random.happens(0.3) {
        let part = amount_of(world.random.between(5, 30)) * 100;
        body["amount"] = json!(money(part));
    }
    let ask = Ask::new(
        "POST",
        format!("{}/card-payments", office::path(&world, order)),
    )
    .json(&body)
    .header("Idempotency-Key", key.clone());
    let again = world.random.between(1, 4);
    for _ in 0..again {
        let answer = ask.send(&world).await;
        if matches!(answer.status(), 200 | 201) {
            let document = answer.json();
            let text = |name| document.get(name).and_then(Value::as_str);
            let id = text("id").unwrap_or_default().to_owned();
            let mut cards = world.cards.borrow_mut();
            let ids = cards.requests.entry(key.clone()).or_default();
            // Another payment that is still open may be answered before this request begins its own.
            if answer.status() == 201 {
                ids.insert(id.clone());
            }
            if ids.len() > 1 {
                let detail = format!("the request {key} has begun {ids:?}");
                let mut history = world.history.borrow_mut();
                history.find("one request began two payments", &id, detail);
            }
            let is_new = cards.of(&id).is_none();
            if is_new {
                // A few are pending for days.
                let long = world.random.happens(0.03);
                let pending = match long {
                    true => world.now() + world.random.between(HOUR, 70 * HOUR),
                    false => 0,
                };
                let begun = Begun::new(id.clone(), order, capture, pending);
                cards.begun.push(begun);
            }
            if is_new && text("redirect_url").is_some() {
                let payer = pay(Rc::clone(&world), id, order);
                world.executor.spawn(OUTSIDE, payer);
            }
        }
        world.sleep(world.random.scaled(100_000, MINUTE)).await;
    }
}

/// Lets two payers hold the whole amount of an order, and has both holds judged at the same moment: the
/// first as its payer comes back, the second because somebody asks for it.
async fn two_holds(world: &Rc<World>, order: OrderId, key: &str) {
    let mut ids = Vec::new();
    for capture in ["checked", "manual"] {
        let body = json!({"return_url": "https://shop.example.md/done", "capture": capture});
        let path = format!("{}/card-payments", office::path(world, order));
        let ask = Ask::new("POST", path).json(&body);
        let ask = ask.header("Idempotency-Key", format!("{key}-{capture}"));
        let answer = ask.send(world).await;
        let document = answer.json();
        let id = document.get("id").and_then(Value::as_str);
        let (201, Some(id)) = (answer.status(), id) else {
            break;
        };
        let begun = Begun::new(id.to_owned(), order, capture, 0);
        world.cards.borrow_mut().begun.push(begun);
        ids.push(id.to_owned());
    }
    for id in &ids {
        let paid = at_gateway(world, |gateway| gateway.pay(id, "4111111111100031"));
        world.trace.note(world.now(), 42, || {
            format!("        one of two payers of {id} pays: {paid:?}")
        });
    }
    let [first, second] = ids.as_slice() else {
        return;
    };
    let request = Request::get(format!("/cards/return/{first}")).body(Bytes::new());
    let request = request.expect("a request");
    let (world2, late) = (Rc::clone(world), world.random.scaled(1_000, 200_000));
    world.executor.spawn(OUTSIDE, async move {
        world2.sleep(late).await;
        let host = world2.some_host();
        let answer = world2.request(host, request, 30 * SECOND).await;
        world2.fail_on_500("cards/return", &answer);
    });
    world.sleep(world.random.scaled(1_000, 200_000)).await;
    let charge = format!("card-payments/{second}/charge");
    Ask::new("POST", charge).send(world).await;
}

/// Acts as a payer at the gateway's page, who pays, fails first, pays by MPay too, or leaves.
async fn pay(world: Rc<World>, id: String, order: OrderId) {
    const PAYS: &str = "4111111111100031";
    const CARDS: [&str; 7] = [
        PAYS,
        "4111111111111111",
        "4111111111100221",
        "4111111111100627",
        "4111111111102029",
        "4100401111100328",
        "4100401111103025",
    ];
    if world.random.happens(0.05) {
        let forged = format!("Notification=EnginePaySuccess&OrderId={id}&Success=True&Amount=1000");
        post(&world, forged);
    }
    match world.random.weighted(&[10, 4, 3]) {
        0 => world.sleep(world.random.scaled(SECOND, 20 * MINUTE)).await,
        1 => {
            // They pay all of it by MPay as well.
            let number = world.history.borrow().payments.len();
            let payment = mpay::payment(&world, &format!("P{number}-"), order, 5000);
            mpay::begin(&world, payment);
            let pause = world.random.scaled(10_000, 40 * MINUTE);
            world.sleep(pause).await;
        }
        _ => return,
    }
    let fails = world.random.happens(0.2);
    if fails {
        let failed = at_gateway(&world, |gateway| gateway.pay(&id, "4111111111100080"));
        world
            .trace
            .say(|| format!("        a payer of {id} fails: {failed:?}"));
        world.sleep(world.random.scaled(SECOND, 5 * MINUTE)).await;
    }
    let card = match world.random.happens(0.7) {
        true => PAYS,
        false => world.random.pick(&CARDS).copied().unwrap_or(PAYS),
    };
    let paid = at_gateway(&world, |gateway| gateway.pay(&id, card));
    world.trace.note(world.now(), 42, || {
        format!("        a payer of {id} pays with {card}: {paid:?}")
    });
    note_taken(&world, &id);
    if world.random.happens(0.5) {
        world.sleep(world.random.scaled(SECOND, 10 * SECOND)).await;
        let request = Request::get(format!("/cards/return/{id}")).body(Bytes::new());
        let request = request.expect("a request");
        let host = world.some_host();
        let answer = world.request(host, request, 30 * SECOND).await;
        world.fail_on_500("cards/return", &answer);
    }
}

/// One of the payments that `wanted` selects, with its order at the gateway.
fn some(world: &World, wanted: impl Fn(&Begun, &Order) -> bool) -> Option<(String, Order)> {
    let cards = world.cards.borrow();
    let all = cards.begun.iter().filter_map(|begun| {
        let order = cards.gateway.order(&begun.id)?;
        wanted(begun, &order).then(|| (begun.id.clone(), order))
    });
    let all: Vec<_> = all.collect();
    world.random.pick(&all).cloned()
}

/// Takes or releases money that is held.
pub async fn settle(world: Rc<World>) {
    let held = |begun: &Begun, order: &Order| {
        begun.capture == "manual" && matches!(order.state, State::Authorized | State::Charged)
    };
    let Some((id, order)) = some(&world, held) else {
        return;
    };
    let takes = world.random.happens(0.7);
    let part = world.random.happens(0.3);
    let ask = match takes {
        true if part => Ask::new("POST", format!("card-payments/{id}/charge"))
            .json(&json!({"amount": money(amount_of(order.asked / 2))})),
        true => Ask::new("POST", format!("card-payments/{id}/charge")),
        false => Ask::new("POST", format!("card-payments/{id}/cancel")),
    };
    for _ in 0..world.random.between(1, 3) {
        let answer = ask.send(&world).await;
        if answer.status() == 200 {
            let order = world.cards.borrow().gateway.order(&id);
            let is_done = order.is_some_and(|order| match takes {
                true => order.taken > 0,
                false => order.taken == 0 && order.held == 0,
            });
            if !is_done {
                let detail = format!("{id} is not what a settlement was answered with");
                let mut history = world.history.borrow_mut();
                history.find(MONEY, &id, detail);
            }
        }
        world.sleep(world.random.scaled(100_000, MINUTE)).await;
    }
}

/// Gives money back, by the same request until its sender tires of it.
pub async fn refund(world: Rc<World>) {
    let taken = |_: &Begun, order: &Order| order.taken > 0;
    let Some((id, order)) = some(&world, taken) else {
        return;
    };
    let is_whole = world.random.happens(0.15);
    // The second half leaves nothing, just like a request for all that remains. Zero has no half.
    let remaining = order.remaining();
    let is_half = world.random.happens(0.25) && remaining > 0 && remaining.is_multiple_of(2);
    let (key, amount) = {
        let mut cards = world.cards.borrow_mut();
        cards.count += 1;
        let count = cards.count;
        let (key, amount) = match (is_whole, is_half) {
            (true, _) => (format!("refund-{id}-all"), None),
            (_, true) => (format!("refund-{id}-{count}"), Some(remaining / 2)),
            // Each amount identifies its request.
            _ => (format!("refund-{id}-{count}"), Some(101 + count)),
        };
        if let Some(begun) = cards.of(&id) {
            let asked = Refund {
                amount,
                is_done: false,
            };
            begun.refunds.entry(key.clone()).or_insert(asked);
        }
        (key, amount)
    };
    let mut body = json!({"note": "Asked for"});
    if let Some(amount) = amount {
        body["amount"] = json!(money(amount_of(amount)));
    }
    let ask = Ask::new("POST", format!("card-payments/{id}/refunds"))
        .json(&body)
        .header("Idempotency-Key", key.clone());
    let mut is_done = false;
    for _ in 0..world.random.between(1, 5) {
        let answer = ask.send(&world).await;
        match answer.status() {
            201 => {
                is_done = true;
                let mut cards = world.cards.borrow_mut();
                let begun = cards.of(&id);
                if let Some(asked) = begun.and_then(|begun| begun.refunds.get_mut(&key)) {
                    asked.is_done = true;
                }
            }
            400..=499 if is_done => {
                let text = String::from_utf8_lossy(answer.body()).into_owned();
                let detail = format!("{key} was done, and then {} {text}", answer.status());
                let mut history = world.history.borrow_mut();
                history.find("a repetition gets something else", &order.id, detail);
            }
            _ => {}
        }
        check_refunds(&world, &id);
        world.sleep(world.random.scaled(100_000, 3 * MINUTE)).await;
    }
}

/// Does something in the gateway's cabinet, or at a bank.
pub fn cabinet(world: &Rc<World>) {
    let any = |_: &Begun, order: &Order| matches!(order.state, State::Authorized | State::Charged);
    let Some((id, order)) = some(world, any) else {
        return;
    };
    let amount = {
        let mut cards = world.cards.borrow_mut();
        cards.count += 1;
        let count = cards.count;
        if let Some(begun) = cards.of(&id) {
            begun.in_cabinet = true;
        }
        101 + count
    };
    let choice = world.random.weighted(&[5, 2, 1]);
    let done = at_gateway(world, |gateway| match (order.state, choice) {
        (State::Charged, 0) => gateway.refund_in_cabinet(&id, Some(amount)),
        (State::Charged, 1) => gateway.refund_in_cabinet(&id, None),
        (State::Charged, _) => gateway.charge_back(&id),
        (_, 0) => gateway.charge_in_cabinet(&id, None),
        (_, 1) => gateway.cancel_in_cabinet(&id),
        _ => gateway.lapse(&id),
    });
    world.trace.note(world.now(), 43, || {
        format!("        in the cabinet, {choice} of {id}: {done:?}")
    });
    note_taken(world, &id);
}

/// Acts as the timer: asks each minute for the payments that are not over, and sometimes for the paid
/// ones.
pub async fn cron(world: Rc<World>) {
    while !world.peace.get() {
        let pause = world.random.between(40 * SECOND, 80 * SECOND);
        world.sleep(pause).await;
        Ask::new("POST", "card-payments/check").send(&world).await;
        if world.random.happens(0.1) {
            Ask::new("POST", "card-payments/recheck").send(&world).await;
        }
    }
}
