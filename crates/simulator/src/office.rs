//! The institution: people and programs that register and change orders, enter payments by hand, compare
//! statements, close reviews and erase personal data.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::{
    cards,
    client::Ask,
    clock,
    configuration::{OPEN, OTHER_TOKEN, SERVICES},
    cursor::Cursor,
    executor::OUTSIDE,
    history::{OrderHistory, OrderId, bani, money},
    model::{Bani, Change, Document, Op, Outcome, Set},
    mpay,
    profile::Step,
    random::{MINUTE, SECOND},
    readers,
    world::{Answer, World},
};

/// Acts as somebody at work, until the run has had so many requests.
pub async fn work(world: Rc<World>, operations: u64) {
    while world.operations.get() < operations {
        let (least, most) = world.profile.get().pause();
        world.sleep(world.random.scaled(least, most)).await;
        step(&world).await;
    }
}

async fn step(world: &Rc<World>) {
    let choice = world.profile.get().step(&world.random);
    let order = some_order(world);
    match (choice, order) {
        (Step::Create, _) => {
            let task = create(Rc::clone(world));
            world.executor.spawn(OUTSIDE, task);
        }
        (Step::Import, _) => import(world).await,
        (Step::PayOpen, _) => pay_open(world).await,
        (Step::Register, _) | (_, None) => register(world).await,
        (Step::Put, Some(order)) => put(world, order, false).await,
        (Step::PutIfMatch, Some(order)) => put(world, order, true).await,
        (Step::Patch, Some(order)) => patch(world, order).await,
        (Step::Cancel, Some(order)) => cancel(world, order).await,
        (Step::SetStatus, Some(order)) => set_status(world, order).await,
        (Step::Ask, Some(order)) => mpay::ask(world, order).await,
        (Step::Pay, Some(order)) => pay(world, order),
        (Step::EnterByHand, Some(order)) => {
            let task = enter_by_hand(Rc::clone(world), order);
            world.executor.spawn(OUTSIDE, task);
        }
        (Step::Settle, _) => settle(world).await,
        (Step::CloseReview, _) => close_review(world).await,
        (Step::Erase, Some(order)) => {
            let task = erase(Rc::clone(world), order);
            world.executor.spawn(OUTSIDE, task);
        }
        (Step::Look, Some(order)) => {
            look(world, order).await;
        }
        (Step::Reconcile, _) => readers::reconcile(world).await,
        (Step::Repair, _) => {
            let task = repair(Rc::clone(world));
            world.executor.spawn(OUTSIDE, task);
        }
        (Step::BeginCard, Some(order)) => {
            let task = cards::begin(Rc::clone(world), order);
            world.executor.spawn(OUTSIDE, task);
        }
        (Step::SettleCard, _) => {
            let task = cards::settle(Rc::clone(world));
            world.executor.spawn(OUTSIDE, task);
        }
        (Step::RefundCard, _) => {
            let task = cards::refund(Rc::clone(world));
            world.executor.spawn(OUTSIDE, task);
        }
        (Step::Cabinet, _) => cards::cabinet(world),
    }
}

/// A registered order, mostly one of the latest, so that requests meet.
fn some_order(world: &World) -> Option<OrderId> {
    let history = world.history.borrow();
    let profile = world.profile.get();
    let registered = |order: &OrderHistory| {
        let created = |op: &Op| op.outcome == Outcome::Done && op.change.registers();
        order.ops.len() < profile.most_requests() && order.ops.iter().any(created)
    };
    let orders = history.orders.iter().enumerate();
    let orders: Vec<_> = orders
        .filter(|(_, order)| registered(order))
        .map(|(id, _)| id)
        .collect();
    let recent = match world.random.happens(0.8) {
        true => orders.len().saturating_sub(profile.latest_orders()),
        false => 0,
    };
    world
        .random
        .pick(orders.get(recent..).unwrap_or_default())
        .copied()
}

fn new_order(world: &World, key: String) -> OrderId {
    let service = SERVICES.get(world.random.below(SERVICES.len()));
    new_order_of(world, service.unwrap_or(&"TAX"), key)
}

fn new_order_of(world: &World, service: &str, key: String) -> OrderId {
    let mut history = world.history.borrow_mut();
    let id = history.orders.len();
    history.orders.push(OrderHistory {
        service: service.to_owned(),
        key,
        person: format!("Customer {id} X"),
        ops: Vec::new(),
        erased: None,
    });
    id
}

fn some_document(world: &World) -> Document {
    Document {
        amount: Bani::try_from(world.random.between(1, 5)).unwrap_or(1) * 1000,
        note: u32::try_from(world.random.below(3)).unwrap_or(0),
    }
}

fn document(world: &World, order: OrderId, document: Document) -> Value {
    let history = world.history.borrow();
    let known = history.orders.get(order);
    let person = known.map_or("", |known| known.person.as_str());
    json!({
        "reason": format!("Reason {}", document.note),
        "customer_name": person,
        "allow_partial_payments": true,
        "allow_advance_payments": true,
        "lines": [line(document.amount)],
        "aliases": aliases(order, document.note),
    })
}

/// The aliases of an order whose document has this note: none, a personal one, or two others. Several
/// orders share each.
pub fn aliases(order: OrderId, note: u32) -> Value {
    match note {
        0 => json!([]),
        1 => json!([{"value": format!("FC-{}", order % 3), "personal": true}]),
        _ => json!([format!("CT-{}", order % 2), format!("KN-{}", order % 4)]),
    }
}

fn line(amount: Bani) -> Value {
    json!({"line_id": "1", "reason": "Line", "amount_due": money(amount)})
}

/// The path of an order, below `/api/`.
pub fn path(world: &World, order: OrderId) -> String {
    let history = world.history.borrow();
    let known = history.orders.get(order);
    known.map_or_else(String::new, |known| {
        format!("orders/{}/{}", known.service, known.key)
    })
}

/// Notes a request about an order, before it is sent.
fn begin(world: &World, order: OrderId, change: Change, seen: Option<u64>, label: &str) -> usize {
    let mut history = world.history.borrow_mut();
    let Some(known) = history.orders.get_mut(order) else {
        return 0;
    };
    known.ops.push(Op {
        change,
        sent: world.now(),
        answered: None,
        outcome: Outcome::Unknown,
        seen,
        label: label.to_owned(),
    });
    known.ops.len() - 1
}

/// Notes the outcome of a request, by the status of its answer.
fn end(world: &World, order: OrderId, op: usize, status: u16) {
    let mut history = world.history.borrow_mut();
    let known = history.orders.get_mut(order);
    let Some(op) = known.and_then(|known| known.ops.get_mut(op)) else {
        return;
    };
    op.outcome = match status {
        200 | 201 => Outcome::Done,
        400..=499 => Outcome::Refused,
        _ => Outcome::Unknown,
    };
    op.answered = Some(world.now());
}

async fn change(
    world: &Rc<World>,
    order: OrderId,
    what: Change,
    seen: Option<u64>,
    ask: Ask,
    label: &str,
) -> Answer {
    let op = begin(world, order, what, seen, label);
    let answer = ask.send(world).await;
    end(world, order, op, answer.status());
    answer
}

async fn register(world: &Rc<World>) {
    let number = world.history.borrow().orders.len();
    let order = new_order(world, format!("K{number}-"));
    let what = some_document(world);
    let ask = Ask::new("PUT", path(world, order)).json(&document(world, order, what));
    let (what, ask) = match world.random.happens(0.3) {
        true => (Change::Create(what), ask.header("If-None-Match", "*")),
        false => (Change::Put(what), ask),
    };
    // A program that gets no answer sends the order again.
    for _ in 0..5 {
        let answer = change(world, order, what, None, ask.clone(), "PUT").await;
        if !matches!(answer.status(), 0 | 401 | 503) {
            break;
        }
        world.sleep(world.random.scaled(100_000, 30 * SECOND)).await;
    }
}

/// Registers an order under a generated key; the same request comes again until it is answered,
/// and sometimes after.
async fn create(world: Rc<World>) {
    let order = new_order(&world, String::new());
    let request = format!("request-{order}");
    let what = some_document(&world);
    let mut body = document(&world, order, what);
    if let (Some(body), Some(known)) = (
        body.as_object_mut(),
        world.history.borrow().orders.get(order),
    ) {
        body.insert("service_id".into(), json!(known.service));
    }
    let ask = Ask::new("POST", "orders")
        .json(&body)
        .header("Idempotency-Key", format!("\"{request}\""));
    let op = begin(&world, order, Change::Create(what), None, "POST");
    world.history.borrow_mut().unfinished += 1;
    let again = 1 + world.random.below(3);
    let mut answers = 0;
    while answers < again {
        let answer = ask.send(&world).await;
        match answer.status() {
            201 => {
                answers += 1;
                let key = answer.json();
                let key = key.get("order_key").and_then(Value::as_str);
                let key = key.unwrap_or_default().to_owned();
                let mut history = world.history.borrow_mut();
                let keys = history.created.entry(request.clone()).or_default();
                keys.insert(key.clone());
                if keys.len() > 1 {
                    let detail = format!("the Idempotency-Key {request} has made {keys:?}");
                    history.find("one request made two orders", &key, detail);
                }
                if let Some(known) = history.orders.get_mut(order) {
                    known.key = key;
                }
                drop(history);
                if answers == 1 {
                    end(&world, order, op, 201);
                }
            }
            0 | 401 | 503 => {}
            // Another call is at the same request.
            409 if String::from_utf8_lossy(answer.body()).contains("worked on") => {}
            status => {
                let body = String::from_utf8_lossy(answer.body()).into_owned();
                let detail =
                    format!("POST with {request}, answered {answers} times, gets {status} {body}");
                let key = path(&world, order);
                let mut history = world.history.borrow_mut();
                history.find("a repetition gets something else", &key, detail);
                break;
            }
        }
        let pause = world.random.scaled(100_000, MINUTE);
        world.sleep(pause).await;
    }
    world.history.borrow_mut().unfinished -= 1;
}

async fn import(world: &Rc<World>) {
    let mut rows: Vec<(OrderId, usize, Value)> = Vec::new();
    for _ in 0..1 + world.random.below(4) {
        let order = match world.random.happens(0.4) {
            true => some_order(world),
            false => None,
        };
        let order = order.unwrap_or_else(|| {
            let number = world.history.borrow().orders.len();
            new_order(world, format!("I{number}-"))
        });
        if rows.iter().any(|(known, ..)| *known == order) {
            continue;
        }
        let what = some_document(world);
        let mut row = document(world, order, what);
        if let (Some(row), Some(known)) = (
            row.as_object_mut(),
            world.history.borrow().orders.get(order),
        ) {
            row.insert("service_id".into(), json!(known.service));
            row.insert("order_key".into(), json!(known.key));
        }
        let op = begin(world, order, Change::Put(what), None, "import");
        rows.push((order, op, row));
    }
    let lines: Vec<_> = rows.iter().map(|(.., row)| row.to_string()).collect();
    let ask = Ask::new("POST", "orders/import").text("application/x-ndjson", lines.join("\n"));
    let answer = ask.send(world).await;
    if answer.status() != 200 {
        return;
    }
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    for (line, (order, op, _)) in text.lines().zip(&rows) {
        let result: Value = serde_json::from_str(line).unwrap_or_default();
        let detail = result.get("detail").and_then(Value::as_str);
        match result.get("result").and_then(Value::as_str) {
            Some("created" | "amended" | "unchanged") => end(world, *order, *op, 200),
            // A line that failed may be done all the same.
            Some("error") if detail.is_some_and(|detail| detail.contains("not changed")) => {
                end(world, *order, *op, 409);
            }
            _ => {}
        }
    }
}

/// Reads an order, and checks that it has everything acknowledged before. Gives its `ETag` and the time
/// of the answer.
pub async fn look(world: &Rc<World>, order: OrderId) -> Option<(String, u64)> {
    let sent = world.now();
    let answer = Ask::new("GET", path(world, order)).send(world).await;
    check_order(world, order, sent, &answer);
    let etag = answer.header("etag")?;
    Some((etag, world.now()))
}

/// Checks that an order, read at some time after `sent`, has everything that was acknowledged before.
pub fn check_order(world: &World, order: OrderId, sent: u64, answer: &Answer) {
    let mut history = world.history.borrow_mut();
    let Some(known) = history.orders.get(order) else {
        return;
    };
    let (key, registered) = (
        known.key.clone(),
        known.ops.iter().any(|op| {
            op.outcome == Outcome::Done
                && op.change.registers()
                && op.answered.is_some_and(|answered| answered < sent)
        }),
    );
    if answer.status() == 404 && registered {
        let detail = format!("order {key} is not there, though it was registered");
        history.find("what was acknowledged is taken back", &key, detail);
    }
    if answer.status() != 200 {
        return;
    }
    let shown = answer.json();
    let payments = shown.get("payments").and_then(Value::as_array).cloned();
    let payments = payments.unwrap_or_default();
    let is_whole = shown.get("payments_url").is_none();
    let paid = shown.get("amount_paid").and_then(Value::as_str);
    let paid = paid.and_then(bani).unwrap_or(0);
    let acknowledged = history.paid_before(order, sent);
    if paid < acknowledged {
        let (paid, acknowledged) = (money(paid), money(acknowledged));
        let detail =
            format!("{paid} is paid of order {key}, of which {acknowledged} was acknowledged");
        history.find("an order has less than was paid", &key, detail);
    }
    for id in history.acknowledged_before(order, sent) {
        let is = |payment: &&Value| payment.get("payment_id").and_then(Value::as_str) == Some(&id);
        let times = payments.iter().filter(is).count();
        // A long order shows its latest payments alone.
        if times > 1 || (times == 0 && is_whole) {
            let detail = format!("payment {id} is {times} times in its order {key}");
            history.find("a payment is not once in its order", &id, detail);
        }
    }
}

async fn put(world: &Rc<World>, order: OrderId, with_etag: bool) {
    let what = some_document(world);
    let mut ask = Ask::new("PUT", path(world, order)).json(&document(world, order, what));
    let mut seen = None;
    if with_etag {
        let Some((etag, at)) = look(world, order).await else {
            return;
        };
        world.sleep(world.random.scaled(1_000, 5 * SECOND)).await;
        ask = ask.header("If-Match", etag);
        seen = Some(at);
    }
    change(world, order, Change::Put(what), seen, ask, "PUT").await;
}

async fn patch(world: &Rc<World>, order: OrderId) {
    let amount = some_document(world).amount;
    let ask = Ask::new("PATCH", path(world, order)).text(
        "application/merge-patch+json",
        json!({"lines": [line(amount)]}).to_string(),
    );
    change(world, order, Change::Amend(amount), None, ask, "PATCH").await;
}

async fn cancel(world: &Rc<World>, order: OrderId) {
    let ask = Ask::new("DELETE", path(world, order));
    change(world, order, Change::Cancel, None, ask, "DELETE").await;
}

async fn set_status(world: &Rc<World>, order: OrderId) {
    let sets = [
        Some(Set::Completed),
        Some(Set::Refunding),
        Some(Set::Refunded),
        Some(Set::Cancelled),
        None,
    ];
    let set = world.random.pick(&sets).copied().flatten();
    let patch = match set {
        Some(set @ (Set::Refunding | Set::Refunded)) => {
            json!({"status": set.word(), "refund_reference": "R"})
        }
        set => json!({"status": set.map(Set::word), "refund_reference": null}),
    };
    let ask = Ask::new("PATCH", path(world, order))
        .text("application/merge-patch+json", patch.to_string());
    change(world, order, Change::Status(set), None, ask, "PATCH status").await;
}

/// Lets a payer try a key of the service without registration, and sometimes pay, which creates the
/// order.
async fn pay_open(world: &Rc<World>) {
    let orders = {
        let history = world.history.borrow();
        let orders = history.orders.iter().enumerate();
        let open = orders.filter(|(_, order)| order.service == OPEN);
        open.map(|(id, _)| id).collect::<Vec<_>>()
    };
    let again = world.random.happens(0.5);
    let order = match orders.last() {
        Some(order) if again => *order,
        _ => {
            let number = world.history.borrow().orders.len();
            new_order_of(world, OPEN, format!("T-{number}-"))
        }
    };
    mpay::ask(world, order).await;
    if world.random.happens(0.7) {
        pay(world, order);
    }
}

/// Lets a payer pay a random amount: the whole, a part, or too much.
fn pay(world: &Rc<World>, order: OrderId) {
    let number = world.history.borrow().payments.len();
    let id = format!("P{number}-");
    let amount = Bani::try_from(world.random.between(1, 4)).unwrap_or(1) * 1000;
    let payment = mpay::payment(world, &id, order, amount);
    // MPay sometimes sends a confirmation twice at once.
    let copies = if world.random.happens(0.25) { 2 } else { 1 };
    for _ in 0..copies {
        mpay::begin(world, payment.clone());
    }
    // Sometimes MPay, by a fault, sends another payment under the same id.
    if world.random.happens(0.12) {
        let (order, amount) = match some_order(world) {
            Some(other) if world.random.happens(0.5) => (other, amount),
            _ => (order, amount + 100),
        };
        let other = mpay::payment(world, &id, order, amount);
        if other.variant != payment.variant {
            let world2 = Rc::clone(world);
            let pause = world.random.scaled(1_000, 2 * MINUTE);
            world.executor.spawn(OUTSIDE, async move {
                world2.sleep(pause).await;
                mpay::confirm(Rc::clone(&world2), other).await;
            });
        }
    }
}

/// Lets two people enter a payment that MPay has not confirmed, and sometimes confirms afterwards.
async fn enter_by_hand(world: Rc<World>, order: OrderId) {
    let number = world.history.borrow().payments.len();
    let id = format!("P{number}-");
    let amount = 1000;
    let payment = mpay::payment(&world, &id, order, amount);
    let address = world
        .history
        .borrow()
        .orders
        .get(order)
        .map(|known| (known.service.clone(), known.key.clone()));
    let Some((service, key)) = address else {
        return;
    };
    let proposal = json!({
        "payment_id": id,
        "service_id": service,
        "order_key": key,
        "amount": money(amount),
        "paid_at": clock::true_time(0).to_string(),
        "note": "In a statement",
    });
    let proposed = Ask::new("POST", "payments/manual")
        .json(&proposal)
        .insist(&world)
        .await;
    let place = proposed.json().get("id").and_then(Value::as_u64);
    if let Some(place) = place {
        world.sleep(world.random.scaled(100_000, MINUTE)).await;
        let approved = Ask::new("POST", format!("payments/manual/{place}/approve"))
            .by(OTHER_TOKEN)
            .insist(&world)
            .await;
        if approved.status() == 200 {
            mpay::acknowledge(&world, &payment);
        } else if approved.status() == 404 {
            let detail = format!("the proposal {place} is not there, though it was made");
            let mut history = world.history.borrow_mut();
            history.find("what was acknowledged is taken back", &id, detail);
        }
    }
    if place.is_none() || world.random.happens(0.5) {
        mpay::confirm(world, payment).await;
    }
}

/// Compares a statement that shows some acknowledged payments.
async fn settle(world: &Rc<World>) {
    let shown: Vec<_> = {
        let history = world.history.borrow();
        let payments = history.payments.iter().rev();
        let acknowledged = payments.filter_map(|(id, variants)| {
            let mut variants = variants.iter();
            let variant = variants.find(|variant| variant.acknowledged.is_some())?;
            Some((id.clone(), variant.amount))
        });
        acknowledged.take(3).collect()
    };
    if shown.is_empty() {
        return;
    }
    let rows = shown
        .iter()
        .map(|(id, amount)| format!("{id},{}\n", money(*amount)));
    let table = format!("id,sum\n{}", rows.collect::<String>());
    let path = "settlement?from=2026-05-31&to=2026-06-05&payment_id=id&amount=sum";
    let answer = Ask::new("POST", path)
        .text("text/csv", table)
        .send(world)
        .await;
    if answer.status() != 200 {
        return;
    }
    let comparison = answer.json();
    let matched = comparison.get("matched").and_then(Value::as_array).cloned();
    let matched = matched.unwrap_or_default();
    let mut history = world.history.borrow_mut();
    for (id, _) in shown {
        let is = |known: &Value| known.get("payment_id").and_then(Value::as_str) == Some(&id);
        if matched.iter().any(is) {
            history.settled.insert(id);
        } else {
            let detail = format!("a statement shows payment {id}, and it is not matched");
            history.find("what was acknowledged is taken back", &id, detail);
        }
    }
}

async fn close_review(world: &Rc<World>) {
    let answer = Ask::new("GET", "payments?review=open&limit=5")
        .send(world)
        .await;
    let list = answer.json();
    let payments = list.get("payments").and_then(Value::as_array);
    let Some(payment) = payments.and_then(|payments| payments.first()) else {
        return;
    };
    let id = payment.get("payment_id").and_then(Value::as_str);
    let review = payment.get("review").and_then(Value::as_array);
    let review = review.and_then(|review| review.first()?.as_str());
    let (Some(id), Some(review)) = (id, review) else {
        return;
    };
    let answer = Ask::new("POST", format!("payments/{id}/reviews/{review}"))
        .json(&json!({"note": "Seen"}))
        .send(world)
        .await;
    if answer.status() == 200 {
        let mut history = world.history.borrow_mut();
        history
            .reviews_closed
            .insert((id.to_owned(), review.to_owned()));
    }
}

/// Runs a repair. Nothing is broken, so the repair must lose nothing and enter nothing twice.
async fn repair(world: Rc<World>) {
    let mut after = Cursor::default();
    for _ in 0..20 {
        let answer = Ask::new("POST", format!("repair?cursor={after}"))
            .send(&world)
            .await;
        let report = answer.json();
        for what in ["lost", "damaged", "unknown"] {
            let found = report.get(what).and_then(Value::as_array);
            if let Some(found) = found.filter(|found| !found.is_empty()) {
                let detail = format!("a repair finds {what}: {found:?}");
                let mut history = world.history.borrow_mut();
                history.find("the provider finds its store damaged", "", detail);
            }
        }
        match Cursor::next(&report) {
            Some(next) => after = next,
            None => return,
        }
    }
}

/// Erases the personal data of an order: from the beginning of the journal to its end, without a
/// failure in between.
async fn erase(world: Rc<World>, order: OrderId) {
    let sent = world.now();
    let address = {
        let history = world.history.borrow();
        let Some(known) = history.orders.get(order) else {
            return;
        };
        // An order that nobody registered does not show that it was erased.
        if known.erased.is_some() || known.service == OPEN {
            return;
        }
        json!({"service_id": known.service, "order_key": known.key})
    };
    world.history.borrow_mut().unfinished += 1;
    let mut kept = false;
    for _ in 0..10 {
        let (mut after, mut whole) = (Cursor::default(), false);
        loop {
            let answer = Ask::new("POST", format!("erasures?cursor={after}"))
                .json(&address)
                .send(&world)
                .await;
            if answer.status() != 200 {
                break;
            }
            let report = answer.json();
            let open = report.get("kept").and_then(Value::as_array);
            kept |= open.is_some_and(|open| !open.is_empty());
            match Cursor::next(&report) {
                Some(next) => after = next,
                None => {
                    whole = true;
                    break;
                }
            }
        }
        if kept {
            break;
        }
        if whole {
            // The order itself tells if it was erased: then nobody reads its data any more.
            let answer = Ask::new("GET", path(&world, order)).insist(&world).await;
            let name = answer.json();
            if answer.status() == 200 && name.get("customer_name").is_none() {
                let mut history = world.history.borrow_mut();
                if let Some(known) = history.orders.get_mut(order) {
                    known.erased = Some(sent);
                }
            }
            break;
        }
        world.sleep(world.random.scaled(SECOND, MINUTE)).await;
    }
    world.history.borrow_mut().unfinished -= 1;
}
