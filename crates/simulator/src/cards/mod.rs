//! Payments by card: the gateway as a party of the world, with messages lost on the way to it and from
//! it; payers at its pages, and people who take, release and give back money. The gateway keeps its own
//! count of the money, with which the books are compared.

mod check;
mod gateway;
mod people;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use mpay_gateway::{Gateway, Options};

pub use self::{
    check::{check, has_refunds, make_peace},
    gateway::fetch,
    people::{begin, cabinet, cron, refund, settle},
};
use crate::{
    clock,
    executor::{Micros, OUTSIDE},
    history::OrderId,
    model::{Bani, Change, Op, Outcome},
    random::{MINUTE, SECOND},
    world::World,
};

/// Rule: the books and the gateway agree.
const MONEY: &str = "money at the gateway and in the books differs";
/// Rule: one refund is made once.
const TWICE: &str = "a refund is made twice";
/// Rule: no hold is taken of an order that other holds, taken before, have paid.
const HOLDS: &str = "a hold is taken of an order that another has paid";
/// Rule: no card pays what MPay has paid.
const PAID: &str = "a card is charged for what MPay has paid";

/// A variable of the gateway; `None` for any other.
pub fn variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "card_gateway" => "https://gateway.example.md",
        "card_terminal" => "Merchant",
        "card_password" => "123",
        "card_refunds" => "programs",
        "card_bank_account" => "MD24AG000225100013104168",
        "public_url" => "https://pay.example.md",
        _ => return None,
    })
}

/// The gateway, and the knowledge that people have of the payments there.
pub struct Cards {
    gateway: Gateway,
    /// The payments that were begun, in the order of their beginning.
    begun: Vec<Begun>,
    /// Ids by the key of the request that has begun them.
    requests: BTreeMap<String, BTreeSet<String>>,
    /// Number of requests so far.
    count: u64,
}

/// A payment that somebody was told of.
struct Begun {
    id: String,
    order: OrderId,
    capture: &'static str,
    /// The time until which the gateway calls it pending.
    pending: Micros,
    /// Requests to give money back, by the key of the request.
    refunds: BTreeMap<String, Refund>,
    /// Amounts that commands of the provider gave back at the gateway, each with the amount that then
    /// remained.
    made: Vec<(u64, u64)>,
    in_cabinet: bool,
    charged: bool,
    /// Amount that was held, and taken by a command of the provider.
    taken: u64,
}

/// A request to give money back.
struct Refund {
    /// The amount; `None` for all that remains.
    amount: Option<u64>,
    /// True if the provider acknowledged it.
    is_done: bool,
}

impl Begun {
    fn new(id: String, order: OrderId, capture: &'static str, pending: Micros) -> Self {
        Self {
            id,
            order,
            capture,
            pending,
            refunds: BTreeMap::new(),
            made: Vec::new(),
            in_cabinet: false,
            charged: false,
            taken: 0,
        }
    }
}

impl Default for Cards {
    fn default() -> Self {
        Self {
            gateway: Gateway::new(Options::default()),
            begun: Vec::new(),
            requests: BTreeMap::new(),
            count: 0,
        }
    }
}

impl Cards {
    fn of(&mut self, id: &str) -> Option<&mut Begun> {
        self.begun.iter_mut().find(|begun| begun.id == id)
    }

    /// True if a payment of this id was begun.
    pub fn knows(&self, id: &str) -> bool {
        self.gateway.order(id).is_some()
    }
}

fn time(world: &World) -> Timestamp {
    clock::true_time(world.now() + world.begins.get())
}

/// Does something at the gateway, now, and posts the notifications that it then sends.
fn at_gateway<T>(world: &Rc<World>, deed: impl FnOnce(&Gateway) -> T) -> T {
    let (done, notices) = {
        let cards = world.cards.borrow();
        cards.gateway.set_time(Some(time(world)));
        (deed(&cards.gateway), cards.gateway.take_notices())
    };
    for notice in notices {
        if !world.random.happens(0.25) || world.peace.get() {
            post(world, notice.body.clone());
        }
        if world.random.happens(0.15) {
            post(world, notice.body);
        }
    }
    done
}

/// Posts a notification after a delay of up to 12 minutes.
fn post(world: &Rc<World>, body: String) {
    let late = world.random.scaled(10_000, 12 * MINUTE);
    let world2 = Rc::clone(world);
    world.executor.spawn(OUTSIDE, async move {
        world2.sleep(late).await;
        let request = Request::post("/cards/notifications")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(Bytes::from(body));
        let request = request.expect("a request");
        let host = world2.some_host();
        let answer = world2.request(host, request, 30 * SECOND).await;
        world2.fail_on_500("cards/notifications", &answer);
    });
}

/// Notes that money was taken, so that its order may have it from now on.
fn note_taken(world: &World, id: &str) {
    let mut cards = world.cards.borrow_mut();
    let taken = cards.gateway.order(id).map_or(0, |order| order.taken);
    let Some(begun) = cards.of(id).filter(|begun| taken > 0 && !begun.charged) else {
        return;
    };
    begun.charged = true;
    let mut history = world.history.borrow_mut();
    if let Some(known) = history.orders.get_mut(begun.order) {
        known.ops.push(Op {
            change: Change::Pay(amount_of(taken)),
            sent: world.now(),
            answered: None,
            outcome: Outcome::Unknown,
            seen: None,
            label: id.to_owned(),
        });
    }
}

fn amount_of(minor: u64) -> Bani {
    Bani::try_from(minor).unwrap_or(Bani::MAX)
}
