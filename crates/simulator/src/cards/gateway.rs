//! The gateway's side: requests of hosts, their fates on the way, and the rules that hold when money is
//! taken or given back.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use mpay_door::Unanswered;
use mpay_gateway::{Answer as Given, Interface, Mischief, Order, Plan, State};

use super::{Begun, HOLDS, PAID, amount_of, at_gateway, note_taken};
use crate::{
    executor::{Micros, Slot},
    history::{OrderHistory, money},
    model::{Bani, Change},
    random::{MINUTE, SECOND},
    world::{HostId, World},
};

/// The fate of a request to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    NotSent,
    /// The request never arrives.
    Lost,
    /// The request arrives, and the answer is late.
    Late,
    /// The request arrives late, and its answer too late.
    Delayed,
    /// The request arrives, and something goes wrong with the answer.
    Spoilt(Mischief),
}

fn fate(world: &World) -> Fate {
    const FATES: [Fate; 11] = [
        Fate::Answered,
        Fate::NotSent,
        Fate::Lost,
        Fate::Late,
        Fate::Delayed,
        Fate::Spoilt(Mischief::DoneAnswerLost),
        Fate::Spoilt(Mischief::ServerError),
        Fate::Spoilt(Mischief::NoXml),
        Fate::Spoilt(Mischief::CodeNone),
        Fate::Spoilt(Mischief::OtherOrder),
        Fate::Spoilt(Mischief::Dressed),
    ];
    let weights = match world.peace.get() {
        true => [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        false => [70, 3, 5, 3, 3, 6, 2, 1, 2, 1, 4],
    };
    let position = world.random.weighted(&weights);
    FATES.get(position).copied().unwrap_or(Fate::Answered)
}

/// The gateway's side of a request of a host.
///
/// # Errors
/// The reason for which there is no answer, as far as the host knows it.
pub async fn fetch(
    world: &Rc<World>,
    host: HostId,
    request: Request<Bytes>,
    patience: Duration,
) -> Result<(StatusCode, Bytes), Unanswered> {
    let fate = fate(world);
    let body = String::from_utf8_lossy(request.body()).into_owned();
    let command = request.uri().path().rsplit('/').next();
    let command = command.unwrap_or_default().to_owned();
    world.trace.note(world.now(), (40, host), || {
        format!("        host {host} → gateway: {command} {body}, {fate:?}")
    });
    if fate == Fate::NotSent {
        world.sleep(world.random.scaled(1_000, SECOND)).await;
        return Err(Unanswered::NotSent("connection refused".to_owned()));
    }
    let way = match fate {
        Fate::Delayed => world.random.between(5 * SECOND, 2 * MINUTE),
        _ => world.random.scaled(2_000, 400_000),
    };
    let back = match fate {
        Fate::Late => world.random.between(5 * SECOND, 40 * SECOND),
        _ => world.random.scaled(2_000, 400_000),
    };
    let answered = Slot::new(&world.executor);
    if fate != Fate::Lost {
        let (world2, answered) = (Rc::clone(world), answered.clone());
        // The request is on its way, whatever happens to the host.
        world.executor.after(way, move || {
            let given = receive(&world2, &command, &request, fate);
            let (status, body, after) = match given {
                Given::Given {
                    status,
                    body,
                    after,
                } => (status, body, after),
                Given::Lost => return,
            };
            world2.trace.note(world2.now(), (41, host, status), || {
                format!("        gateway → host {host}: {status} {body}")
            });
            let back = back + Micros::try_from(after.as_micros()).unwrap_or(0);
            world2.executor.after(back, move || {
                let status = StatusCode::from_u16(status).unwrap_or_default();
                answered.fill((status, Bytes::from(body)));
            });
        });
    }
    let answer = answered.wait_for(patience).await;
    answer.ok_or_else(|| Unanswered::Unknown("no answer came in time".to_owned()))
}

/// Lets the gateway do what a request asks for.
fn receive(world: &Rc<World>, command: &str, request: &Request<Bytes>, fate: Fate) -> Given {
    let text = String::from_utf8_lossy(request.body()).into_owned();
    let id = text
        .split('&')
        .find_map(|field| field.strip_prefix("OrderId="));
    let id = id.unwrap_or_default().to_owned();
    let is_pending = {
        let mut cards = world.cards.borrow_mut();
        cards
            .of(&id)
            .is_some_and(|begun| world.now() < begun.pending)
    };
    let before = world.cards.borrow().gateway.order(&id);
    let given = at_gateway(world, |gateway| {
        if is_pending && command == "GetState" {
            gateway.plan(Plan::new(Mischief::Pending).times(1));
        } else if let Fate::Spoilt(mischief) = fate {
            gateway.plan(Plan::new(mischief).times(1));
        }
        let kind = request.headers().get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok());
        let given = gateway.command(Interface::ApPay, command, kind, "", request.body());
        gateway.clear_plans();
        given
    });
    if command == "Refund" {
        note_refund(world, &id, before.as_ref());
    }
    let is_paid = before
        .as_ref()
        .is_some_and(|order| order.taken + order.held > 0);
    // A payment that was once told as paid is pending no more.
    if command == "GetState"
        && is_paid
        && !is_pending
        && let Some(begun) = world.cards.borrow_mut().of(&id)
    {
        begun.pending = 0;
    }
    if command == "Charge" && before.is_some_and(|order| order.state == State::Authorized) {
        charged(world, &id);
        check_holds(world, &id);
    }
    note_taken(world, &id);
    given
}

/// Notes the amount that a command gave back, if it gave back any. Money given back in the cabinet comes
/// by no command.
fn note_refund(world: &World, id: &str, before: Option<&Order>) {
    let mut cards = world.cards.borrow_mut();
    let Some(order) = cards.gateway.order(id) else {
        return;
    };
    let count = before.map_or(0, |before| before.refunds.len());
    if let (Some(amount), Some(begun)) = (order.refunds.get(count), cards.of(id)) {
        begun.made.push((*amount, order.remaining()));
    }
}

/// Checks that the provider, where it decides by itself, takes nothing for an order that was paid long
/// before.
fn charged(world: &World, id: &str) {
    /// Longer than a call, with its delays.
    const LONG: Micros = 6 * MINUTE;
    let order = match world.cards.borrow_mut().of(id) {
        Some(begun) if begun.capture == "checked" => begun.order,
        _ => return,
    };
    let mut history = world.history.borrow_mut();
    let paid = history.paid_before(order, world.now().saturating_sub(LONG));
    let Some(known) = history.orders.get(order) else {
        return;
    };
    let most = most(known);
    if paid >= most {
        let (key, paid, most) = (known.key.clone(), money(paid), money(most));
        let detail =
            format!("{id} is charged, and {paid} of {most} was paid of order {key} by MPay");
        history.find(PAID, id, detail);
    }
}

/// The most that an order ever asked for.
fn most(order: &OrderHistory) -> Bani {
    let amounts = order.ops.iter().filter_map(|op| match op.change {
        Change::Put(document) | Change::Create(document) => Some(document.amount),
        Change::Amend(amount) => Some(amount),
        _ => None,
    });
    amounts.max().unwrap_or(0)
}

/// Checks that no hold of an order is taken once the holds taken before have paid the order, whoever
/// decides on them. Nobody is asked about holds that are taken in the cabinet.
fn check_holds(world: &World, id: &str) {
    let mut cards = world.cards.borrow_mut();
    let taken = cards.gateway.order(id).map_or(0, |order| order.taken);
    let order = match cards.of(id) {
        Some(begun) => {
            begun.taken = taken;
            begun.order
        }
        None => return,
    };
    let others = cards.begun.iter();
    let others = others.filter(|begun| begun.order == order && begun.id != id);
    // If money was given back in the cabinet before anybody asked the gateway, the books know only what
    // was left.
    let known = |begun: &Begun| match begun.in_cabinet {
        true => {
            let order = cards.gateway.order(&begun.id);
            order.map_or(0, |order| order.remaining().min(begun.taken))
        }
        false => begun.taken,
    };
    let paid: Bani = others.map(|begun| amount_of(known(begun))).sum();
    let mut history = world.history.borrow_mut();
    let Some(known) = history.orders.get(order) else {
        return;
    };
    let most = most(known);
    if taken > 0 && paid > 0 && paid >= most {
        let (key, paid, most) = (known.key.clone(), money(paid), money(most));
        let detail =
            format!("{id} is taken, and others that were have paid {paid} of {most} of {key}");
        history.find(HOLDS, id, detail);
    }
}
