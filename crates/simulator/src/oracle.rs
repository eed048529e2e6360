//! The oracle: at the end of a run everything works, everybody who waits for an answer gets one, and the
//! books are compared with the acknowledgements.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    cards,
    client::Ask,
    clock::Clock,
    configuration::Configuration,
    cursor::Cursor,
    history::{OrderHistory, OrderId, Variant, bani, money},
    model::{self, Op, Outcome, Shown, Verdict},
    mpay, office,
    profile::Profile,
    random::{HOUR, MINUTE, SECOND},
    readers::{self, List},
    recovery, webhook,
    world::{Answer, World},
};

/// A payment as a list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    index: u64,
    order_key: String,
    amount: String,
    settled: bool,
    closed: BTreeSet<String>,
    review: Vec<String>,
}

/// Makes peace: nothing fails from now on, all hosts run, and their clocks are right.
pub fn make_peace(world: &World) {
    world.peace.set(true);
    let hosts = world.hosts.borrow().len();
    for host in 0..hosts {
        world.thaw(host);
        world.set_clock(host, Clock::RIGHT);
        world.configure(host, Configuration::Second);
        world.start(host);
    }
    world.trace.note(world.now(), 30, || "peace".to_owned());
}

/// Waits until everybody is answered, reads everything, and judges it.
pub async fn judge(world: Rc<World>) {
    // Calls that were sent to the store before may still take effect.
    world.sleep(6 * MINUTE).await;
    for _ in 0..180 {
        if world.history.borrow().unfinished == 0 {
            break;
        }
        world.sleep(MINUTE).await;
    }
    let unfinished = world.history.borrow().unfinished;
    if unfinished > 0 {
        let detail = format!("{unfinished} requests are not answered after three hours of peace");
        world
            .history
            .borrow_mut()
            .find("nothing goes on", "", detail);
    }
    world.sleep(3 * MINUTE).await;
    for _ in 0..2 {
        let died = recovery::measure(&world).await;
        world.history.borrow_mut().recoveries.extend(died);
        world.sleep(3 * MINUTE).await;
    }
    for receiver in ["erp", "archive"] {
        let path = format!("webhooks/{receiver}/resume");
        Ask::new("POST", path).insist(&world).await;
    }
    let days = match world.profile.get() {
        Profile::Cards => cards::make_peace(&world).await,
        _ => 0,
    };
    for pause in [MINUTE, 10 * MINUTE, HOUR, 8 * HOUR, 24 * HOUR, 48 * HOUR] {
        deliver(&world).await;
        world.sleep(pause).await;
    }
    readers(&world).await;
    let payments = payments(&world).await;
    cards::check(&world).await;
    check_payments(&world, &payments);
    check_orders(&world, &payments).await;
    check_aliases(&world).await;
    check_days(&world, &payments, days).await;
    check_export(&world).await;
    check_outbox(&world, &payments).await;
    check_refusals(&world).await;
    check_erasures(&world).await;
}

/// Lets the provider deliver to its receivers all that it can now.
async fn deliver(world: &Rc<World>) {
    for _ in 0..20 {
        let answer = Ask::new("POST", "outbox/deliver").insist(world).await;
        if answer.json().get("complete") != Some(&Value::Bool(false)) {
            break;
        }
    }
}

/// Lets every reader with a cursor read to the end, and compares its entries with those of a reader who
/// begins anew.
async fn readers(world: &Rc<World>) {
    for list in [List::Payments, List::Events] {
        let known = match list {
            List::Payments => world.history.borrow().payment_readers.len(),
            List::Events => world.history.borrow().event_readers.len(),
        };
        let fresh = known;
        match list {
            List::Payments => world
                .history
                .borrow_mut()
                .payment_readers
                .push(Default::default()),
            List::Events => world
                .history
                .borrow_mut()
                .event_readers
                .push(Default::default()),
        }
        for reader in 0..=fresh {
            let mut still = 0;
            while still < 3 {
                if readers::read_on(world, list, reader).await == Some(true) {
                    still = 0;
                } else {
                    still += 1;
                    world.sleep(SECOND).await;
                }
            }
        }
        let mut found = Vec::new();
        {
            let history = world.history.borrow();
            let all = match list {
                List::Payments => &history.payment_readers,
                List::Events => &history.event_readers,
            };
            let Some(anew) = all.get(fresh) else {
                return;
            };
            let whole: BTreeSet<_> = anew.seen.iter().collect();
            for reader in all {
                let mut seen = BTreeSet::new();
                for (index, what) in &reader.seen {
                    if happens_once(list, what) && !seen.insert(what) {
                        let detail = format!("{list:?} have {what} once more, at {index}");
                        found.push(("a reader sees a thing twice", what.clone(), detail));
                    }
                }
            }
            for (number, reader) in all.iter().enumerate().take(fresh) {
                let seen: BTreeSet<_> = reader.seen.iter().collect();
                for (index, what) in whole.difference(&seen) {
                    let detail =
                        format!("reader {number} of {list:?} has passed by {index}: {what}");
                    found.push(("a reader passes by", what.clone(), detail));
                }
                for (index, what) in seen.difference(&whole) {
                    let detail = format!(
                        "reader {number} of {list:?} has seen {what} at {index}, where it is not any more"
                    );
                    found.push(("what a reader has seen is gone", what.clone(), detail));
                }
            }
        }
        let mut history = world.history.borrow_mut();
        for (rule, what, detail) in found {
            history.find(rule, subject(&what), detail);
        }
    }
}

/// True if an entry of this identity is in the journal at most once: each payment, and each version of an
/// order.
fn happens_once(list: List, what: &str) -> bool {
    let is_version = what
        .split(' ')
        .next_back()
        .is_some_and(|last| !last.is_empty());
    list == List::Payments || what.starts_with("payment.recorded ") || is_version
}

/// The part of a description by which the trace is searched.
fn subject(what: &str) -> &str {
    let words = what.split(' ');
    let mut named = words.filter(|word| word.ends_with('-') && word.len() > 1);
    named.next().unwrap_or(what)
}

/// All payments, as the list of payments has them.
async fn payments(world: &Rc<World>) -> BTreeMap<String, Vec<Listed>> {
    let mut payments: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    let mut after = Cursor::default();
    for _ in 0..500 {
        let path = format!("payments?cursor={after}&limit=200");
        let page = Ask::new("GET", path).insist(world).await.json();
        let listed = page.get("payments").and_then(Value::as_array).cloned();
        for payment in listed.unwrap_or_default() {
            let text = |name| payment.get(name).and_then(Value::as_str).unwrap_or("-");
            let reviews = |name: &str| payment.get(name).and_then(Value::as_array).cloned();
            let reason = |closed: &Value| closed.get("reason")?.as_str().map(str::to_owned);
            let review = reviews("review").unwrap_or_default();
            let review = review.iter().filter_map(Value::as_str);
            payments
                .entry(text("payment_id").to_owned())
                .or_default()
                .push(Listed {
                    index: payment.get("index").and_then(Value::as_u64).unwrap_or(0),
                    order_key: text("order_key").to_owned(),
                    amount: text("amount").to_owned(),
                    settled: payment.get("settlement").is_some(),
                    closed: reviews("closed_reviews")
                        .unwrap_or_default()
                        .iter()
                        .filter_map(reason)
                        .collect(),
                    review: review.map(str::to_owned).collect(),
                });
        }
        match Cursor::next(&page) {
            Some(next) => after = next,
            None => break,
        }
    }
    payments
}

/// Checks that every acknowledged payment is in the journal once, as it was acknowledged, and that
/// nothing else is.
fn check_payments(world: &World, payments: &BTreeMap<String, Vec<Listed>>) {
    let mut found: Vec<(&'static str, String, String)> = Vec::new();
    {
        let (history, cards) = (world.history.borrow(), world.cards.borrow());
        let key = |variant: &Variant| {
            let order = history.orders.get(variant.order);
            order.map_or("?", |order| order.key.as_str()).to_owned()
        };
        for (id, variants) in &history.payments {
            let listed = payments.get(id).map_or(&[][..], Vec::as_slice);
            if listed.len() > 1 {
                let detail = format!("payment {id} is {} times in the journal", listed.len());
                found.push(("a payment is not once in the journal", id.clone(), detail));
            }
            for variant in variants {
                let (key, amount) = (key(variant), money(variant.amount));
                let is = |listed: &Listed| listed.order_key == key && listed.amount == amount;
                if variant.acknowledged.is_some() && !listed.iter().any(is) {
                    let detail = format!(
                        "payment {id} of {amount} for order {key} was acknowledged, and the journal has {listed:?}"
                    );
                    found.push(("a payment is not once in the journal", id.clone(), detail));
                }
            }
            for listed in listed {
                let is = |variant: &Variant| {
                    key(variant) == listed.order_key && money(variant.amount) == listed.amount
                };
                if !variants.iter().any(is) {
                    let detail = format!("payment {id} is {listed:?}, which nobody has sent");
                    found.push(("a payment is not what was sent", id.clone(), detail));
                }
                if listed.review.iter().any(|review| review == "orphaned") {
                    let detail = format!("payment {id} is not in its order");
                    found.push(("a payment is not once in its order", id.clone(), detail));
                }
                if history.settled.contains(id) && !listed.settled {
                    let detail = format!("payment {id} was settled, and is not any more");
                    found.push(("what was acknowledged is taken back", id.clone(), detail));
                }
                for (_, reason) in history.reviews_closed.iter().filter(|(of, _)| of == id) {
                    if !listed.closed.contains(reason) {
                        let detail = format!("review {reason} of payment {id} was closed");
                        found.push(("what was acknowledged is taken back", id.clone(), detail));
                    }
                }
            }
        }
        for (id, listed) in payments {
            let is_known = history.payments.contains_key(id) || cards.knows(id);
            if !is_known {
                let detail = format!("payment {id} is {listed:?}, which nobody has sent");
                found.push(("a payment is not what was sent", id.clone(), detail));
            }
        }
    }
    let mut history = world.history.borrow_mut();
    for (rule, id, detail) in found {
        history.find(rule, &id, detail);
    }
}

/// Checks that the model can explain each order by the requests about it, and that each order has its
/// payments once.
async fn check_orders(world: &Rc<World>, payments: &BTreeMap<String, Vec<Listed>>) {
    let orders = world.history.borrow().orders.len();
    for order in 0..orders {
        let key = match world.history.borrow().orders.get(order) {
            Some(known) if !known.key.is_empty() => known.key.clone(),
            _ => continue,
        };
        let sent = world.now();
        let answer = Ask::new("GET", office::path(world, order))
            .insist(world)
            .await;
        office::check_order(world, order, sent, &answer);
        check_long_order(world, order, &answer).await;
        let document = answer.json();
        let end = (answer.status() == 200).then(|| shown(&document)).flatten();
        let inside = document.get("payments").and_then(Value::as_array).cloned();
        let inside: Vec<_> = inside
            .unwrap_or_default()
            .iter()
            .filter_map(|payment| payment.get("payment_id")?.as_str().map(str::to_owned))
            .collect();
        let mut history = world.history.borrow_mut();
        for id in &inside {
            let listed = payments.get(id).map_or(&[][..], Vec::as_slice);
            if !listed.iter().any(|listed| listed.order_key == key) {
                let detail = format!("payment {id} is in order {key}, and not in the journal");
                history.find("a payment is not once in the journal", id, detail);
            }
        }
        let Some(known) = history.orders.get(order) else {
            continue;
        };
        // A payment that was never acknowledged counts from the moment at which it is recorded.
        let ops: Vec<_> = known.ops.clone();
        let verdict = match cards::has_refunds(world, order) {
            true => model::adds_up(&ops, end.as_ref()),
            false => model::explain(&ops, end.as_ref()),
        };
        match verdict {
            Verdict::Explained => {}
            Verdict::Undecided => world.trace.say(|| format!("order {key} is undecided")),
            Verdict::Impossible => {
                let detail = describe(known, end.as_ref());
                history.find("an order is not what was acknowledged", &key, detail);
            }
        }
    }
}

/// Checks that MPay is told of exactly the payable orders of an alias, and that each order has the
/// aliases that it was given.
async fn check_aliases(world: &Rc<World>) {
    const MOST: usize = 20;
    // The keys of the orders of an alias, each with true if it can be paid.
    let mut expected: BTreeMap<(String, String), BTreeMap<String, bool>> = BTreeMap::new();
    let orders = world.history.borrow().orders.len();
    for order in 0..orders {
        let (service, key) = match world.history.borrow().orders.get(order) {
            Some(known) if !known.key.is_empty() => (known.service.clone(), known.key.clone()),
            _ => continue,
        };
        let ask = Ask::new("GET", office::path(world, order));
        let document = ask.insist(world).await.json();
        let Some(shown) = shown(&document) else {
            continue;
        };
        let is_payable = ["Active", "PartiallyPaid"].contains(&shown.status.as_str());
        let given = office::aliases(order, shown.note);
        let has = document.get("aliases").cloned().unwrap_or(json!([]));
        let mut history = world.history.borrow_mut();
        let was_erased = document.get("customer_name").is_none();
        if has != given && !(was_erased && has == json!([])) {
            let detail = format!("order {key} has the aliases {has}, and was given {given}");
            history.find("an order is not what was acknowledged", &key, detail);
        }
        for alias in has.as_array().into_iter().flatten() {
            let name = alias.as_str().or_else(|| alias.get("value")?.as_str());
            let name = (service.clone(), name.unwrap_or_default().to_owned());
            let of = expected.entry(name).or_default();
            of.insert(key.clone(), is_payable);
        }
    }
    for ((service, alias), expected) in expected {
        let Some(told) = mpay::ask_by_alias(world, &service, &alias).await else {
            let detail = format!("MPay is not told of {alias} of {service}");
            let mut history = world.history.borrow_mut();
            history.find("nothing goes on", &alias, detail);
            continue;
        };
        let payable = expected.iter().filter(|(_, is_payable)| **is_payable);
        let payable: BTreeSet<_> = payable.map(|(key, _)| key).collect();
        let keys: BTreeSet<_> = told.iter().map(|(key, _)| key).collect();
        let is_right = match payable.len() {
            0 => told.len() == 1 && keys.iter().all(|key| expected.contains_key(*key)),
            most if most > MOST => keys.len() == MOST && keys.is_subset(&payable),
            _ => keys == payable,
        };
        if !is_right || keys.len() != told.len() {
            let detail = format!(
                "MPay is told of {told:?} by the alias {alias} of {service}, which has {expected:?}"
            );
            let mut history = world.history.borrow_mut();
            history.find("an alias does not find its orders", &alias, detail);
        }
    }
}

/// Checks that each payment of an order which shows only its latest ones is once in the list of all of
/// them.
async fn check_long_order(world: &Rc<World>, order: OrderId, answer: &Answer) {
    if answer.json().get("payments_url").is_none() {
        return;
    }
    let path = office::path(world, order);
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut cursor = String::new();
    for _ in 0..100 {
        let ask = Ask::new("GET", format!("{path}/payments{cursor}"));
        let page = ask.insist(world).await.json();
        let listed = page.get("payments").and_then(Value::as_array).cloned();
        for payment in listed.unwrap_or_default() {
            let id = payment.get("payment_id").and_then(Value::as_str);
            *times.entry(id.unwrap_or("-").to_owned()).or_default() += 1;
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => cursor = format!("?cursor={next}"),
            None => break,
        }
    }
    let mut history = world.history.borrow_mut();
    for id in history.acknowledged_before(order, world.now()) {
        let times = times.get(&id).copied().unwrap_or(0);
        if times != 1 {
            let detail = format!("payment {id} is {times} times in the payments of {path}");
            history.find("a payment is not once in its order", &id, detail);
        }
    }
}

fn shown(document: &Value) -> Option<Shown> {
    let text = |name| document.get(name).and_then(Value::as_str);
    let reason = document.get("reason")?;
    let reason = reason.as_str().or_else(|| reason.get("ro")?.as_str())?;
    Some(Shown {
        status: text("status")?.to_owned(),
        total: bani(text("total_amount_due")?)?,
        paid: bani(text("amount_paid")?)?,
        due: bani(text("amount_due")?)?,
        note: reason.strip_prefix("Reason ")?.parse().ok()?,
    })
}

fn describe(order: &OrderHistory, end: Option<&Shown>) -> String {
    let op = |op: &Op| {
        let seconds = |at: u64| format!("{:.3}", at as f64 / 1e6);
        let answered = op.answered.map_or("never".to_owned(), seconds);
        let seen = op.seen.map(|seen| format!(", seen {}", seconds(seen)));
        format!(
            "\n      {} {:?}: {:?}, sent {}, answered {answered}{}",
            op.label,
            op.change,
            op.outcome,
            seconds(op.sent),
            seen.unwrap_or_default()
        )
    };
    let ops: String = order
        .ops
        .iter()
        .filter(|op| op.outcome != Outcome::Refused)
        .map(op)
        .collect();
    format!("order {} is {end:?}, after{ops}", order.key)
}

/// Checks that each payment is in exactly one closed day.
async fn check_days(world: &Rc<World>, payments: &BTreeMap<String, Vec<Listed>>, more: u64) {
    let mut days: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for day in 0..5 + more {
        let date = readers::day_after_the_first(day);
        let lines = readers::read_day(world, &date).await;
        let closed = world.history.borrow().closed_days.contains_key(&date);
        if !closed {
            let detail = format!("{date} is not closed, days later");
            world
                .history
                .borrow_mut()
                .find("nothing goes on", &date, detail);
        }
        for line in lines.unwrap_or_default() {
            let id = line.split(' ').next().unwrap_or_default().to_owned();
            days.entry(id).or_default().push(date.clone());
        }
    }
    let mut history = world.history.borrow_mut();
    for id in payments.keys() {
        let of = days.get(id).map_or(&[][..], Vec::as_slice);
        if of.len() != 1 {
            let detail = format!("payment {id} is in the days {of:?}");
            history.find("a payment is not in one day", id, detail);
        }
    }
}

/// Checks that each registered order is in the export once.
async fn check_export(world: &Rc<World>) {
    let mut times: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut path = "orders/export?format=ndjson".to_owned();
    for _ in 0..100 {
        let answer = Ask::new("GET", path).insist(world).await;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        for line in text.lines() {
            let order: Value = serde_json::from_str(line).unwrap_or_default();
            let text = |name| order.get(name).and_then(Value::as_str).unwrap_or("-");
            let key = (text("service_id").to_owned(), text("order_key").to_owned());
            *times.entry(key).or_default() += 1;
        }
        let link = answer.header("link").unwrap_or_default();
        let next = link
            .strip_prefix("</api/")
            .and_then(|link| link.split_once('>'));
        match next {
            Some((next, _)) => path = next.to_owned(),
            None => break,
        }
    }
    let mut found = Vec::new();
    let history = world.history.borrow();
    for order in &history.orders {
        let key = (order.service.clone(), order.key.clone());
        let times = times.remove(&key).unwrap_or(0);
        let registered = order
            .ops
            .iter()
            .any(|op| op.outcome == Outcome::Done && op.change.registers());
        if times > 1 || (times == 0 && registered) {
            let detail = format!("order {} is {times} times in the export", order.key);
            found.push((order.key.clone(), detail));
        }
    }
    for ((_, key), times) in times {
        let detail = format!("order {key} is {times} times in the export, and nobody has made it");
        found.push((key, detail));
    }
    drop(history);
    let mut history = world.history.borrow_mut();
    for (key, detail) in found {
        history.find("an order is not once in the export", &key, detail);
    }
}

/// Checks that each receiver was told of every event that it asked for, whatever another receiver did not
/// take.
async fn check_outbox(world: &Rc<World>, payments: &BTreeMap<String, Vec<Listed>>) {
    let mut wanted: Vec<_> = payments
        .keys()
        .map(|id| (webhook::ERP, id.clone()))
        .collect();
    let mut after = Cursor::default();
    for _ in 0..500 {
        let path = format!("events?cursor={after}&limit=200");
        let page = Ask::new("GET", path).insist(world).await.json();
        let events = page.get("events").and_then(Value::as_array).cloned();
        let events = events.unwrap_or_default();
        wanted.extend(
            events
                .iter()
                .filter_map(|event| Some((webhook::ARCHIVE, message_id(event)?))),
        );
        match Cursor::next(&page) {
            Some(next) => after = next,
            None => break,
        }
    }
    // A reader of a day that was not closed may have settled an event since the last delivery.
    deliver(world).await;
    let told = world.told.borrow();
    let mut history = world.history.borrow_mut();
    for (receiver, id) in wanted {
        if !told.get(receiver).is_some_and(|told| told.contains(&id)) {
            let detail = format!("{receiver} was never told of {id}");
            history.find("the webhook is not told", &id, detail);
        }
    }
}

/// The id of the message about an event.
fn message_id(event: &Value) -> Option<String> {
    let payment = || event.get("payment_id")?.as_str();
    match event.get("type")?.as_str()? {
        "payment.recorded" if event.get("after_void").is_some() => {
            Some(format!("{}.after-void", payment()?))
        }
        "payment.recorded" => payment().map(str::to_owned),
        "payment.refunded" => {
            let remaining = event.get("remaining")?.as_str()?;
            Some(format!("{}.{remaining}", payment()?))
        }
        "payment.voided" => Some(format!("{}.voided", payment()?)),
        _ => {
            let at: Timestamp = event.get("at")?.as_str()?.parse().ok()?;
            Some(format!("{}-{}.event", event.get("index")?, at.as_second()))
        }
    }
}

/// Checks that each refused confirmation is listed for people to sort out.
async fn check_refusals(world: &Rc<World>) {
    let mut known = BTreeSet::new();
    let mut after = Cursor::default();
    for _ in 0..100 {
        let path = format!("refusals?cursor={after}&limit=200");
        let page = Ask::new("GET", path).insist(world).await.json();
        let refusals = page.get("refusals").and_then(Value::as_array).cloned();
        for refusal in refusals.unwrap_or_default() {
            let id = refusal.get("payment_id").and_then(Value::as_str);
            known.extend(id.map(str::to_owned));
        }
        match Cursor::next(&page) {
            Some(next) => after = next,
            None => break,
        }
    }
    let mut history = world.history.borrow_mut();
    for id in history.refused.clone() {
        if !known.contains(&id) {
            let detail = format!("a confirmation of payment {id} was refused, and is not kept");
            history.find("a refusal is not kept", &id, detail);
        }
    }
}

/// Checks that nobody reads erased data, whatever came late; and that it is nowhere in the store once
/// somebody has walked over the journal, unless a request brought it again.
async fn check_erasures(world: &Rc<World>) {
    let gone = erased(world);
    for of in &gone {
        let mut paths = vec![format!("orders/{}/{}", of.service, of.key)];
        if let Some(id) = &of.payment {
            let payment = format!("payments/{id}");
            paths.push(format!("{payment}/evidence?format=xml"));
            paths.push(payment);
        }
        for path in paths {
            let answer = Ask::new("GET", path.clone()).insist(world).await;
            let body = String::from_utf8_lossy(answer.body());
            if body.contains(&of.person) {
                let detail = format!("the data of {} was erased, and is in {path}", of.person);
                let mut history = world.history.borrow_mut();
                history.find("erased data is read", &of.key, detail);
            }
        }
    }
    if gone.is_empty() {
        return;
    }
    let mut after = Cursor::default();
    loop {
        let path = format!("repair?cursor={after}");
        let report = Ask::new("POST", path).insist(world).await;
        match Cursor::next(&report.json()) {
            Some(next) => after = next,
            None => break,
        }
    }
    for of in gone {
        let keys = world.engine.borrow().keys_with(&of.person);
        if !keys.is_empty() {
            let detail = format!(
                "the data of {}, of order {}, was erased, and is in {}",
                of.person,
                of.key,
                keys.join(", ")
            );
            let mut history = world.history.borrow_mut();
            history.find("erased data is there", &of.key, detail);
        }
    }
}

/// A name that was erased.
struct Gone {
    service: String,
    key: String,
    /// The payment whose payer has this name; if absent, it is the order's customer.
    payment: Option<String>,
    person: String,
}

fn erased(world: &World) -> Vec<Gone> {
    let history = world.history.borrow();
    let mut gone = Vec::new();
    for (number, order) in history.orders.iter().enumerate() {
        let Some(erased) = order.erased else {
            continue;
        };
        let of = |payment: Option<&String>, person: &str| Gone {
            service: order.service.clone(),
            key: order.key.clone(),
            payment: payment.cloned(),
            person: person.to_owned(),
        };
        let brings = |op: &&Op| {
            !matches!(op.change, model::Change::Pay(_) | model::Change::PayOpen(_))
                && op.outcome != Outcome::Refused
        };
        // A change of the order brings its data again.
        let brought =
            order.ops.iter().filter(brings).any(|op| {
                op.outcome == Outcome::Unknown || op.answered.is_none_or(|at| at >= erased)
            });
        if !brought {
            gone.push(of(None, &order.person));
        }
        for (id, variants) in &history.payments {
            let before = variants.iter().filter(|variant| {
                variant.order == number && variant.confirmed.is_some_and(|at| at < erased)
            });
            gone.extend(before.map(|variant| of(Some(id), &variant.person)));
        }
    }
    gone
}
