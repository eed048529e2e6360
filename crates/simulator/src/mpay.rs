//! MPay: asks for orders, confirms payments, and repeats each confirmation until it is answered.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use http::Request;
use mpay_provider::soap::NAMESPACE;
use wsse::{Algorithms, Content, Signer, Writer};

use crate::{
    clock,
    configuration::{MPAY, MPAY_KEY, OPEN},
    executor::{Micros, OUTSIDE},
    history::{OrderId, Variant, bani, money},
    model::{Bani, Change, Op, Outcome},
    random::{MINUTE, SECOND},
    world::{Answer, HostId, World},
};

thread_local! {
    static SIGNER: Signer = Signer::from_pem(MPAY_KEY, MPAY).expect("MPay's key");
}

/// A signed message as it is sent to a host.
///
/// The host must accept the message whatever its clock shows, so MPay's clock shows the same time. The
/// effect of a wrong clock on messages has nothing to do with the store.
fn signed(world: &World, host: HostId, body: &Content, algorithms: Algorithms) -> Bytes {
    let now = world.clock_of(host);
    let lifetime = Duration::from_secs(300);
    SIGNER.with(|signer| {
        let message = signer.sign(body, algorithms, now, lifetime);
        Bytes::from(message.expect("a message"))
    })
}

async fn call(world: &Rc<World>, host: HostId, body: &Content, patience: Micros) -> Answer {
    call_signed(world, host, body, Algorithms::SHA256, patience).await
}

async fn call_signed(
    world: &Rc<World>,
    host: HostId,
    body: &Content,
    algorithms: Algorithms,
    patience: Micros,
) -> Answer {
    let request = Request::post("/")
        .header("Content-Type", "text/xml; charset=utf-8")
        .body(signed(world, host, body, algorithms));
    world
        .request(host, request.expect("a request"), patience)
        .await
}

/// The content of an answer, as MPay reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Success.
    Success,
    /// A fault with this code and text.
    Fault(String, String),
    /// Nothing that can be read.
    Nothing,
}

fn said(answer: &Answer) -> Said {
    let body = String::from_utf8_lossy(answer.body());
    let code = element(&body, "faultcode");
    match (answer.status(), code) {
        (200, _) => Said::Success,
        (_, Some(code)) => {
            let text = element(&body, "faultstring").unwrap_or_default();
            Said::Fault(code.to_owned(), text.to_owned())
        }
        _ => Said::Nothing,
    }
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}"))?;
    let (_, rest) = rest.split_once('>')?;
    let (text, _) = rest.split_once("</")?;
    Some(text)
}

/// Asks for a registered order (GetOrderDetails), and checks the answer as far as earlier
/// acknowledgements determine it.
pub async fn ask(world: &Rc<World>, order: OrderId) {
    let (service, key, acknowledged) = {
        let history = world.history.borrow();
        let Some(known) = history.orders.get(order) else {
            return;
        };
        let acknowledged = history.acknowledged_before(order, world.now());
        (known.service.clone(), known.key.clone(), acknowledged)
    };
    let host = world.some_host();
    // No configuration accepts these algorithms: a host that answers has not read all of its
    // configuration.
    let is_weak = world.random.happens(0.1);
    let algorithms = match is_weak {
        true => Algorithms::SHA1,
        false => Algorithms::SHA256,
    };
    let answer = call_signed(world, host, &query(&service, &key), algorithms, 30 * SECOND).await;
    if is_weak {
        if said(&answer) == Said::Success {
            let detail = format!("host {host} answers a message with SHA-1, which is not accepted");
            let mut history = world.history.borrow_mut();
            history.find(HALF, &key, detail);
        }
        return;
    }
    let body = String::from_utf8_lossy(answer.body()).into_owned();
    match said(&answer) {
        Said::Fault(code, _) if code == "UnknownOrder" => {
            let detail = format!("MPay is told that order {key} is unknown, which was registered");
            let mut history = world.history.borrow_mut();
            history.find("what was acknowledged is taken back", &key, detail);
        }
        Said::Success if !acknowledged.is_empty() && body.contains("<Status>Active<") => {
            let detail = format!(
                "MPay is told that nothing is paid of order {key}, though {} was acknowledged",
                acknowledged.join(", ")
            );
            let mut history = world.history.borrow_mut();
            history.find("what was acknowledged is taken back", &key, detail);
        }
        Said::Success => {
            // It reads as money.
            let due = element(&body, "TotalAmountDue").map(bani);
            if due == Some(None) {
                let mut history = world.history.borrow_mut();
                history.find("an answer cannot be read", &key, body);
                return;
            }
            check_account(world, &service, &key, &body);
        }
        _ => {}
    }
}

/// Asks for the orders of an alias until it is answered; gives their keys and statuses.
pub async fn ask_by_alias(
    world: &Rc<World>,
    service: &str,
    alias: &str,
) -> Option<Vec<(String, String)>> {
    for _ in 0..20 {
        let host = world.some_host();
        let body = query(service, alias);
        let answer = call(world, host, &body, MINUTE).await;
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        let orders = body.split("<OrderDetails>").skip(1).map(|order| {
            let text = |name| element(order, name).unwrap_or_default().to_owned();
            (text("OrderKey"), text("Status"))
        });
        match said(&answer) {
            Said::Success => return Some(orders.collect()),
            Said::Fault(code, _) if code == "UnknownOrder" => return Some(Vec::new()),
            _ => world.sleep(SECOND).await,
        }
    }
    None
}

fn query(service: &str, key: &str) -> Content {
    let mut xml = Writer::new();
    xml.start_in("GetOrderDetails", NAMESPACE);
    xml.start("query");
    xml.element("Language", "ro");
    xml.element("OrderKey", key);
    xml.element("ServiceID", service);
    xml.finish()
}

/// Rule: every answer is made by one whole configuration.
const HALF: &str = "a configuration is used by halves";

/// Checks that the money goes to an account of one of the configurations, not to one put together of two,
/// or to another service's.
fn check_account(world: &World, service: &str, key: &str, body: &str) {
    let members = [
        "BankAccount",
        "BankCode",
        "BankFiscalCode",
        "BeneficiaryName",
    ];
    let shown = members.map(|name| element(body, name).unwrap_or("-"));
    let mut configured = world.configured.borrow().clone().into_iter();
    if !configured.any(|configuration| configuration.account(service) == shown) {
        let detail = format!("MPay is told to pay order {key} of {service} to {shown:?}");
        let mut history = world.history.borrow_mut();
        history.find(HALF, key, detail);
    }
}

/// A payment to confirm: a variant of a PaymentID.
#[derive(Debug, Clone)]
pub struct Payment {
    /// `PaymentID`.
    pub id: String,
    /// Position among the payments of this id.
    pub variant: usize,
}

/// Notes a payment of an order in the history.
pub fn payment(world: &World, id: &str, order: OrderId, amount: Bani) -> Payment {
    let mut history = world.history.borrow_mut();
    let variants = history.payments.get(id).map_or(&[][..], Vec::as_slice);
    let same = |variant: &Variant| variant.order == order && variant.amount == amount;
    if let Some(variant) = variants.iter().position(same) {
        return Payment {
            id: id.to_owned(),
            variant,
        };
    }
    let variant = variants.len();
    let Some(known) = history.orders.get_mut(order) else {
        return Payment {
            id: id.to_owned(),
            variant,
        };
    };
    known.ops.push(Op {
        change: match known.service.as_str() {
            OPEN => Change::PayOpen(amount),
            _ => Change::Pay(amount),
        },
        sent: world.now(),
        answered: None,
        outcome: Outcome::Unknown,
        seen: None,
        label: format!("payment {id}"),
    });
    let op = known.ops.len() - 1;
    let person = format!("Payer {id} {variant} X");
    history
        .payments
        .entry(id.to_owned())
        .or_default()
        .push(Variant {
            order,
            amount,
            person,
            op,
            acknowledged: None,
            confirmed: None,
            refused: false,
        });
    Payment {
        id: id.to_owned(),
        variant,
    }
}

/// Notes that a payment was acknowledged.
pub fn acknowledge(world: &World, payment: &Payment) {
    settle(world, payment, Outcome::Done);
}

fn note_confirmed(world: &World, payment: &Payment) {
    let mut history = world.history.borrow_mut();
    let variants = history.payments.get_mut(&payment.id);
    if let Some(variant) = variants.and_then(|variants| variants.get_mut(payment.variant)) {
        variant.confirmed.get_or_insert(world.now());
    }
}

fn settle(world: &World, payment: &Payment, outcome: Outcome) {
    let mut history = world.history.borrow_mut();
    let Some(variants) = history.payments.get_mut(&payment.id) else {
        return;
    };
    let Some(variant) = variants.get_mut(payment.variant) else {
        return;
    };
    match outcome {
        Outcome::Done => {
            variant.acknowledged.get_or_insert(world.now());
        }
        _ => variant.refused = true,
    }
    let (order, op) = (variant.order, variant.op);
    let both: Vec<_> = variants
        .iter()
        .filter(|variant| variant.acknowledged.is_some())
        .map(|variant| format!("{} of order {}", money(variant.amount), variant.order))
        .collect();
    if both.len() > 1 {
        let detail = format!(
            "two payments of PaymentID {} are acknowledged: {}",
            payment.id,
            both.join(" and ")
        );
        history.find("one PaymentID is two payments", &payment.id, detail);
    }
    let known = history.orders.get_mut(order);
    if let Some(op) = known.and_then(|known| known.ops.get_mut(op))
        && op.outcome != Outcome::Done
    {
        op.outcome = outcome;
        op.answered = Some(world.now());
    }
}

fn confirmation(world: &World, payment: &Payment, attempt: u32) -> Option<Content> {
    let history = world.history.borrow();
    let variant = history.payments.get(&payment.id)?.get(payment.variant)?;
    let order = history.orders.get(variant.order)?;
    let amount = money(variant.amount);
    let mut xml = Writer::new();
    xml.start_in("ConfirmOrderPayment", NAMESPACE);
    xml.start("confirmation");
    xml.element("Currency", "MDL");
    // Members that do not decide may change from one repetition to the next.
    xml.element("InvoiceID", &format!("I{}", attempt % 2));
    xml.start("Lines");
    xml.start("PaymentConfirmationLine");
    xml.element("Amount", &amount);
    xml.element("LineID", "1");
    xml.end();
    xml.end();
    xml.element("OrderKey", &order.key);
    xml.element("PaidAt", &clock::true_time(0).to_string());
    xml.element("PaymentID", &payment.id);
    xml.start("Properties");
    xml.start("PaymentProperty");
    xml.element("Name", "Payer");
    xml.element("Value", &variant.person);
    xml.end();
    xml.end();
    xml.element("ServiceID", &order.service);
    xml.element("TotalAmount", &amount);
    Some(xml.finish())
}

/// Confirms a payment, again and again until it is answered for good.
pub async fn confirm(world: Rc<World>, payment: Payment) {
    let host = world.some_host();
    confirm_at(world, host, payment).await;
}

/// Confirms a payment as [`confirm`] does, first at this host.
pub async fn confirm_at(world: Rc<World>, host: HostId, payment: Payment) {
    let mut host = host;
    world.history.borrow_mut().unfinished += 1;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let Some(body) = confirmation(&world, &payment, attempt) else {
            break;
        };
        let patience = world.random.between(5 * SECOND, MINUTE);
        let answer = call(&world, host, &body, patience).await;
        match said(&answer) {
            Said::Success => {
                acknowledge(&world, &payment);
                note_confirmed(&world, &payment);
                // Sometimes MPay did not get the answer.
                if !world.random.happens(0.15) || world.peace.get() {
                    break;
                }
            }
            Said::Fault(code, text) if code == "InvalidParameter" => {
                refused(&world, &payment, &text);
                break;
            }
            Said::Fault(code, text) if code == "UnknownOrder" || code == "UnknownService" => {
                let detail = format!(
                    "payment {} of a registered order: {code} {text}",
                    payment.id
                );
                let mut history = world.history.borrow_mut();
                history.find("what was acknowledged is taken back", &payment.id, detail);
                break;
            }
            Said::Fault(..) | Said::Nothing => {}
        }
        let pause = world.random.scaled(SECOND, 3 * MINUTE);
        world.sleep(pause).await;
        host = world.some_host();
    }
    world.history.borrow_mut().unfinished -= 1;
}

/// Notes that a payment was refused, which is right only if there is another payment of this id.
fn refused(world: &World, payment: &Payment, text: &str) {
    let mut history = world.history.borrow_mut();
    let variants = history.payments.get(&payment.id);
    let variants = variants.map_or(&[][..], Vec::as_slice);
    let acknowledged = variants.get(payment.variant);
    let acknowledged = acknowledged.is_some_and(|variant| variant.acknowledged.is_some());
    if acknowledged {
        let detail = format!("payment {} was acknowledged, and now: {text}", payment.id);
        history.find("a repetition gets something else", &payment.id, detail);
        return;
    }
    if variants.len() < 2 {
        let detail = format!("payment {} is refused without a reason: {text}", payment.id);
        history.find("a payment is refused", &payment.id, detail);
    }
    history.refused.insert(payment.id.clone());
    drop(history);
    settle(world, payment, Outcome::Refused);
}

/// Begins to confirm a payment, in a task of its own.
pub fn begin(world: &Rc<World>, payment: Payment) {
    let task = confirm(Rc::clone(world), payment);
    world.executor.spawn(OUTSIDE, task);
}
