//! Payments by card, by the components in the embedded host, at the gateway that `mpay gateway` plays. Its
//! money is counted, and the books must say the same.

use std::time::{Duration, Instant};

use mpay_gateway::{CARDS, Card, Deed, Entry, Kind, Mischief, Options, Order, Plan, Running, Step};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::*;

const PAYS: &str = "4111111111100031";

pub struct Both {
    pub provider: Provider,
    pub gateway: Running,
    _runtime: Runtime,
}

/// A gateway that is played, and what keeps it alive.
pub fn play(options: Options) -> (Running, Runtime) {
    let runtime = Runtime::new().unwrap();
    let gateway = runtime.block_on(mpay_gateway::start(options)).unwrap();
    (gateway, runtime)
}

impl Both {
    fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_with(Options::default(), variables)
    }

    pub fn start_with(options: Options, variables: &[(&str, &str)]) -> Self {
        let password = options.password.clone();
        let (gateway, runtime) = play(options);
        let url = gateway.url();
        let mut all = vec![
            ("environment", "development"),
            ("card_gateway", url.as_str()),
            ("card_terminal", "Merchant"),
            ("card_password", password.as_str()),
            ("card_refunds", "programs"),
            ("public_url", "http://127.0.0.1/"),
        ];
        all.extend(variables);
        let provider = Provider::start_with(&all, None);
        gateway.set_notify(&format!(
            "{}/cards/notifications",
            provider.url.trim_end_matches('/')
        ));
        Self {
            provider,
            gateway,
            _runtime: runtime,
        }
    }

    pub fn post(&self, path: &str, key: &str, body: &Value) -> ApiAnswer {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Idempotency-Key", key),
        ];
        self.provider.api_with("POST", path, Some(body), &headers)
    }

    /// Registers an order of 19.99 and begins to pay it by card. Gives the id.
    pub fn begin(&self, key: &str) -> String {
        self.begin_as(key, "19.99", None)
    }

    /// The same of another amount, by the same request until a session is opened.
    fn begin_as(&self, key: &str, amount: &str, capture: Option<&str>) -> String {
        self.provider.register(key, order(amount));
        let path = format!("orders/{SERVICE}/{key}/card-payments");
        let mut body = json!({"return_url": "https://shop.example.md/"});
        if let Some(capture) = capture {
            body["capture"] = json!(capture);
        }
        for _ in 0..2 {
            let begun = self.post(&path, "begin", &body);
            if begun.status == 201 {
                return begun.body["id"].as_str().unwrap().to_owned();
            }
            assert_eq!(begun.status, 503, "{begun:?}");
        }
        panic!("{key}: no session is opened")
    }

    /// Charges or cancels what is held. Gives the status.
    fn settle(&self, id: &str, what: &str) -> u16 {
        let path = format!("card-payments/{id}/{what}");
        self.provider.api("POST", &path, None).status
    }

    /// The payment, once the gateway does not say any more that it is at work.
    fn at_rest(&self, id: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let found = self.asked(id);
            let order = self.order(id);
            let is_told = found["state"] != "pending" && found.get("unanswered").is_none();
            if is_told && order.state.name() == found["gateway_state"] {
                return found;
            }
            assert!(Instant::now() < until, "{found} {order:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn order(&self, id: &str) -> Order {
        self.gateway.order(id).unwrap()
    }

    /// The books and the gateway say the same of the money of a payment.
    fn assert_agrees(&self, id: &str, context: &str) {
        let order = self.order(id);
        let answer = self.provider.api("GET", &format!("payments/{id}"), None);
        let minor = |text: &Value| -> u64 {
            let text = text.as_str().unwrap();
            text.replace('.', "").parse().unwrap()
        };
        let payment = answer.body;
        if answer.status == 404 {
            assert_eq!(order.taken, 0, "{context}: {order:?}");
            return;
        }
        let back = payment["refunds"].as_array().into_iter().flatten();
        let back: u64 = back.map(|refund| minor(&refund["amount"])).sum();
        let remains = minor(&payment["amount"]) - back;
        assert!(order.taken > 0, "{context}: {payment}");
        assert_eq!(remains, order.remaining(), "{context}: {order:?} {payment}");
    }

    /// Charges a saved card for an order of 19.99, its holder absent.
    pub fn unattended(&self, key: &str, customer: &str, card: &str) -> ApiAnswer {
        self.provider.register(key, order("19.99"));
        let path = format!("orders/{SERVICE}/{key}/card-payments");
        let body = json!({"customer": customer, "card": card, "unattended": true});
        self.post(&path, "charge", &body)
    }

    fn refund(&self, id: &str, amount: &str) -> u16 {
        let path = format!("card-payments/{id}/refunds");
        let body = json!({"amount": amount, "note": "rehearsal"});
        self.post(&path, amount, &body).status
    }

    /// The payment, once the gateway was asked.
    pub fn asked(&self, id: &str) -> Value {
        let path = format!("card-payments/{id}?ask=true");
        self.provider.api("GET", &path, None).body
    }

    pub fn notified(&self, name: &str) -> Entry {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let mut journal = self.gateway.journal().into_iter();
            let posted = |entry: &Entry| entry.kind == Kind::Notification && entry.what == name;
            if let Some(entry) = journal.find(posted) {
                return entry;
            }
            assert!(Instant::now() < until, "{name} was not posted");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The amount that remains with the institution, by the books and by the gateway, in minor units.
    fn remains(&self, id: &str) -> (String, u64) {
        let state = self.asked(id);
        let remaining = state["remaining"].as_str().unwrap_or("0.00").to_owned();
        (remaining, self.gateway.order(id).unwrap().remaining())
    }

    fn complaints(&self) -> Vec<String> {
        let journal = self.gateway.journal().into_iter();
        journal.filter_map(|entry| entry.complaint).collect()
    }
}

#[test]
fn a_card_pays_an_order_and_the_notification_alone_tells_of_it() {
    let both = Both::start(&[]);
    let id = both.begin("1");
    both.gateway.pay(&id, PAYS).unwrap();
    assert_eq!(both.notified("EnginePaySuccess").answer, "HTTP 200");
    assert_eq!(both.provider.order("1")["status"], "Paid");
    assert_eq!(both.refund(&id, "9.99"), 201);
    assert_eq!(both.remains(&id), ("10.00".to_owned(), 1000));
    both.gateway.refund_in_cabinet(&id, None).unwrap();
    both.notified("EngineRefundSuccess");
    both.asked(&id);
    assert_eq!(both.provider.order("1")["status"], "Refunded");
    assert_eq!(both.complaints(), [""; 0]);
}

#[test]
fn what_a_stranger_announces_is_not_believed() {
    let both = Both::start(&[]);
    both.gateway.plan(Plan::new(Mischief::NotificationForged));
    let id = both.begin("1");
    assert_eq!(both.notified("EnginePaySuccess").answer, "HTTP 200");
    assert_eq!(both.provider.order("1")["status"], "Active");
    assert_eq!(both.gateway.order(&id).unwrap().taken, 0);
}

#[test]
fn no_refund_is_made_twice_whatever_becomes_of_the_answer() {
    let both = Both::start(&[]);
    for (n, mischief) in [
        Mischief::DoneAnswerLost,
        Mischief::NotDoneAnswerLost,
        Mischief::ServerError,
        Mischief::NoXml,
        Mischief::CodeNone,
        Mischief::OtherOrder,
        Mischief::Dressed,
    ]
    .into_iter()
    .enumerate()
    {
        let id = both.begin(&n.to_string());
        both.gateway.pay(&id, PAYS).unwrap();
        both.asked(&id);
        both.gateway.plan(Plan::new(mischief).of(&id).at("Refund"));
        for _ in 0..3 {
            let status = both.refund(&id, "9.99");
            assert!(matches!(status, 201 | 202), "{mischief:?}: {status}");
            both.asked(&id);
        }
        let order = both.gateway.order(&id).unwrap();
        let expected: &[u64] = match mischief {
            Mischief::NotDoneAnswerLost => &[],
            _ => &[999],
        };
        assert_eq!(order.refunds, expected, "{mischief:?}");
        let (books, gateway) = both.remains(&id);
        assert_eq!(books.replace('.', ""), gateway.to_string(), "{mischief:?}");
    }
    assert_eq!(both.complaints(), [""; 0]);
}

/// Each card there is, with the money taken at once, taken later or released.
#[test]
fn each_card_leaves_in_the_books_what_it_does_at_the_gateway() {
    let both = Both::start_with(
        Options {
            slow: Duration::from_millis(200),
            ..Options::default()
        },
        &[],
    );
    let refuses = |card: &Card, step| matches!(card.deed, Deed::Refuses(at, _) if at == step);
    for card in CARDS {
        for what in ["refund", "charge", "cancel"] {
            let context = format!("{} {what}", card.number);
            let capture = if what == "refund" {
                "immediate"
            } else {
                "manual"
            };
            // One of the cards is refused above 100.00.
            let id = both.begin_as(&context.replace(' ', "-"), "150.00", Some(capture));
            let pays = !matches!(card.deed, Deed::Fails3ds | Deed::ExceedsAbove(_))
                && !refuses(card, Step::Pay);
            let paid = both.gateway.pay(&id, card.number);
            assert_eq!(paid.is_ok(), pays, "{context} {paid:?}");
            let state = both.at_rest(&id)["state"].clone();
            let (step, status) = match what {
                "refund" => (Step::Refund, [201, 202]),
                "charge" => (Step::Charge, [200, 202]),
                _ => (Step::Unblock, [200, 202]),
            };
            let done = match what {
                "refund" => both.refund(&id, "9.99"),
                what => both.settle(&id, what),
            };
            let is_done = pays && !refuses(card, step);
            match is_done {
                true => assert!(status.contains(&done), "{context}: {done}"),
                false => assert_eq!(done, 409, "{context}"),
            }
            both.at_rest(&id);
            let order = both.order(&id);
            let (taken, held, back) = match (what, is_done) {
                _ if !pays => (0, 0, 0),
                ("refund", true) => (15_000, 0, 999),
                ("refund", false) | ("charge", true) => (15_000, 0, 0),
                ("cancel", true) => (0, 0, 0),
                _ => (0, 15_000, 0),
            };
            let money = (order.taken, order.held, order.given_back);
            assert_eq!(money, (taken, held, back), "{context}: {order:?}");
            both.assert_agrees(&id, &context);
            let expected = match (pays, what) {
                (false, _) => "failed",
                (true, "refund") => "paid",
                _ => "held",
            };
            assert_eq!(state, expected, "{context}");
        }
    }
    assert_eq!(both.complaints(), [""; 0]);
}

/// Everything that the gateway can do wrong, at each command where it can.
#[test]
fn each_mischief_leaves_the_books_and_the_gateway_of_one_mind() {
    let both = Both::start(&[]);
    for (n, mischief) in Mischief::all().iter().enumerate() {
        for command in ["Init", "GetState", "Charge", "Refund"] {
            for capture in ["immediate", "manual"] {
                let context = format!("{}-{command}-{capture}", mischief.name());
                both.gateway.plan(Plan::new(*mischief).at(command));
                let key = format!("{n}-{command}-{capture}");
                let id = both.begin_as(&key, "19.99", Some(capture));
                // A session that is over, or a first try that fails.
                let paid = (0..2).any(|_| both.gateway.pay(&id, PAYS).is_ok());
                assert_eq!(paid, *mischief != Mischief::SessionOver, "{context}");
                both.asked(&id);
                if capture == "manual" {
                    let _ = both.settle(&id, "charge");
                }
                let _ = both.refund(&id, "4.99");
                both.gateway.clear_plans();
                both.asked(&id);
                both.assert_agrees(&id, &context);
                // The same once more is done once.
                let again = both.refund(&id, "4.99");
                both.asked(&id);
                both.assert_agrees(&id, &format!("{context}, again: {again}"));
                let order = both.order(&id);
                let made = order.refunds.iter().filter(|amount| **amount == 499);
                assert!(made.count() <= 1, "{context}: {order:?}");
            }
        }
    }
    let orders = both.gateway.orders();
    assert!(orders.iter().filter(|order| order.given_back > 0).count() > 80);
    for order in orders {
        both.assert_agrees(&order.id, "in the end");
    }
    assert_eq!(both.complaints(), [""; 0]);
}

#[test]
fn of_64_notifications_at_once_one_payment_and_one_refund_is_recorded() {
    let both = Both::start(&[]);
    let id = both.begin("1");
    // Only what this test posts is told.
    both.gateway.plan(Plan::new(Mischief::NotificationLost));
    both.gateway.pay(&id, PAYS).unwrap();
    let post = |name: &str| {
        let body = format!("Notification={name}&OrderId={id}&Success=True&Amount=1999");
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let sent =
                        both.provider
                            .http("POST", "cards/notifications", &[], body.as_bytes());
                    assert_eq!(sent.status(), 200);
                });
            }
        });
    };
    post("EnginePaySuccess");
    assert_eq!(both.provider.order("1")["status"], "Paid");
    both.gateway.refund_in_cabinet(&id, Some(499)).unwrap();
    // A stranger brings about a question each three seconds.
    std::thread::sleep(Duration::from_secs(4));
    post("EngineRefundSuccess");
    let payment = both
        .provider
        .api("GET", &format!("payments/{id}"), None)
        .body;
    assert_eq!(payment["refunds"].as_array().unwrap().len(), 1, "{payment}");
    assert_eq!(payment["refunds"][0]["amount"], "4.99");
    let of = |kind: &str| {
        let events = both.provider.api("GET", "events?limit=200", None).body;
        let events = events["events"].as_array().unwrap().iter();
        events.filter(|event| event["type"] == kind).count()
    };
    assert_eq!((of("payment.recorded"), of("payment.refunded")), (1, 1));
}

/// Whoever comes second pays nothing, or is flagged; and no money is without its record.
#[test]
fn mpay_and_a_card_may_pay_one_order_in_either_order_with_each_capture() {
    let both = Both::start(&[]);
    let mpay = both.provider.mpay();
    for capture in ["immediate", "checked", "manual"] {
        for is_mpay_first in [true, false] {
            let key = format!("{capture}-{is_mpay_first}");
            let id = both.begin_as(&key, "19.99", Some(capture));
            let confirm = || {
                let payment = confirmation(&key, &format!("P-{key}"), "19.99");
                assert_eq!(code(mpay.confirm(&payment).unwrap()), "ok");
            };
            if is_mpay_first {
                confirm();
            }
            both.gateway.pay(&id, PAYS).unwrap();
            both.asked(&id);
            let charged = (capture == "manual").then(|| both.settle(&id, "charge"));
            if !is_mpay_first {
                assert_eq!(both.provider.details(&key).get("Status"), Some("Paid"));
                confirm();
            }
            let taken = both.order(&id).taken;
            let is_taken = !is_mpay_first || capture == "immediate";
            assert_eq!(taken, if is_taken { 1999 } else { 0 }, "{key}");
            if capture == "manual" {
                assert_eq!(charged, Some(if is_mpay_first { 409 } else { 200 }));
                if is_mpay_first {
                    assert_eq!(both.settle(&id, "cancel"), 200);
                }
            }
            assert_eq!(both.order(&id).held, 0, "{key}");
            both.assert_agrees(&id, &key);
            let order = both.provider.order(&key);
            let payments = order["payments"].as_array().unwrap();
            let reviews = payments.iter().map(|payment| &payment["review"]);
            let flagged = reviews.filter(|review| **review != json!([])).count();
            let expected = if is_taken { (2, 1) } else { (1, 0) };
            assert_eq!((payments.len(), flagged), expected, "{order}");
            assert_eq!(payments[0]["review"], json!([]), "the first: {order}");
        }
    }
}

#[test]
fn a_hold_is_released_if_mpay_was_faster() {
    let both = Both::start(&[("card_capture", "checked")]);
    let (slow, fast) = (both.begin("slow"), both.begin("fast"));
    let mpay = both.provider.mpay();
    mpay.confirm(&confirmation("slow", "P-1", "19.99")).unwrap();
    for id in [&slow, &fast] {
        both.gateway.pay(id, PAYS).unwrap();
        both.asked(id);
    }
    both.provider.api("POST", "card-payments/check", None);
    let taken = |id: &str| both.gateway.order(id).unwrap().taken;
    assert_eq!((taken(&slow), taken(&fast)), (0, 1999));
    let held: u64 = both.gateway.orders().iter().map(|order| order.held).sum();
    assert_eq!(held, 0);
    for key in ["slow", "fast"] {
        let order = both.provider.order(key);
        assert_eq!(
            (&order["status"], &order["amount_paid"]),
            (&json!("Paid"), &json!("19.99"))
        );
    }
}

/// The interface Wallet, from a customer to a charge while they are absent.
#[test]
fn a_card_is_saved_and_charged_while_its_holder_is_absent() {
    let both = Both::start(&[
        ("card_interface", "wallet"),
        (
            "card_wallet_secret",
            "a-secret-of-customers-for-tests-alone",
        ),
    ]);
    let provider = &both.provider;
    let customer = |method, path: &str, body: Option<&Value>| {
        provider.api(method, &format!("card-customers/1001{path}"), body)
    };
    assert_eq!(customer("PUT", "", None).status, 201);
    let reached = json!({"phone": "+373 22 000000", "email": "ana@exemplu.md"});
    assert_eq!(customer("PUT", "", Some(&reached)).status, 200);
    provider.register("1", order("19.99"));
    let body = json!({"return_url": "https://shop.example.md/", "customer": "1001"});
    let path = format!("orders/{SERVICE}/1/card-payments");
    let begun = both.post(&path, "begin", &body);
    assert_eq!(begun.status, 201, "{begun:?}");
    let id = begun.body["id"].as_str().unwrap().to_owned();
    both.gateway.pay_and_save(&id, PAYS).unwrap();
    assert_eq!(both.notified("CustomerPaySuccess").answer, "HTTP 200");
    assert_eq!(provider.order("1")["status"], "Paid");
    let cards = customer("GET", "/cards", None).body;
    assert_eq!(cards["cards"][0]["active"], true, "{cards}");
    let card = cards["cards"][0]["id"].as_str().unwrap();
    let paid = both.unattended("2", "1001", card);
    assert_eq!((paid.status, &paid.body["state"]), (201, &json!("paid")));
    assert_eq!(both.notified("MerchantPay").answer, "HTTP 200");
    assert_eq!(both.unattended("2", "1001", card).status, 200);
    // What becomes of the answer changes nothing: the card is charged once.
    for (n, mischief) in [
        Mischief::DoneAnswerLost,
        Mischief::ServerError,
        Mischief::NoXml,
        Mischief::CodeNone,
        Mischief::OtherOrder,
    ]
    .into_iter()
    .enumerate()
    {
        both.gateway.plan(Plan::new(mischief).at("Pay"));
        let key = format!("lost-{n}");
        assert_eq!(
            both.unattended(&key, "1001", card).status,
            201,
            "{mischief:?}"
        );
        assert_eq!(
            both.unattended(&key, "1001", card).status,
            200,
            "{mischief:?}"
        );
    }
    let orders = both.gateway.orders();
    assert_eq!(orders.len(), 7);
    assert!(orders.iter().all(|order| order.taken == 1999));
    let paid = orders.last().unwrap().id.clone();
    assert_eq!(both.refund(&paid, "9.99"), 201);
    assert_eq!(both.remains(&paid), ("10.00".to_owned(), 1000));
    // A card that is saved without a payment is proved by what its statement shows.
    let body = json!({"return_url": "https://shop.example.md/cards"});
    let added = customer("POST", "/cards", Some(&body));
    assert_eq!(added.status, 201, "{added:?}");
    let activate = json!({"amount": "99.99"});
    let wrong = customer("POST", "/cards/none/activate", Some(&activate));
    assert_eq!(wrong.status, 404, "{wrong:?}");
    assert_eq!(both.unattended("x", "1001", "none").status, 409);
    assert_eq!(
        customer("DELETE", &format!("/cards/{card}"), None).status,
        200
    );
    assert_eq!(both.unattended("y", "1001", card).status, 409);
    assert_eq!(customer("DELETE", "", None).status, 200);
    assert_eq!(customer("GET", "", None).status, 404);
    assert_eq!(both.complaints(), [""; 0]);
}
