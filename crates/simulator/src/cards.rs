//! Payments by card: the gateway as a party of the world, with messages lost on the way to it and from
//! it; payers at its pages, and people who take, release and give back money. The gateway keeps its own
//! count of the money, with which the books are compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;
use mpay_door::Unanswered;
use mpay_gateway::{Answer as Given, Gateway, Interface, Mischief, Options, Order, Plan, State};
use serde_json::{Value, json};

use crate::{
    client::{Ask, Cursor},
    clock,
    configuration::OPEN,
    executor::{Micros, OUTSIDE, Slot},
    history::{OrderHistory, OrderId, bani, money},
    model::{Bani, Change, Op, Outcome},
    mpay, office,
    random::{DAY, HOUR, MINUTE, SECOND},
    world::{HostId, World},
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

/// Checks that each request gave money back at most once, and that it did if it was acknowledged.
fn check_refunds(world: &World, id: &str) {
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
