//! Payments by card against a gateway that keeps its own count of the money.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use http::Request;
use http_body_util::Full;
use mpay_door::log::Abroad;
use serde_json::{Value, json};

use crate::{
    access::Role,
    api::testing::{Answer, Api},
    domain::{OrderKey, PaymentId, ServiceId},
    json::Channel,
    service::handle,
    store::{
        Ledger,
        memory::{Fault, Memory, Reply},
        testing::{record, register},
    },
};

const PASSWORD: &str = "hunter2";
const VARIABLES: [(&str, &str); 6] = [
    ("card_gateway", "https://gateway.example.md"),
    ("card_terminal", "Merchant"),
    ("card_password", PASSWORD),
    ("card_refunds", "programs"),
    ("card_bank_account", "MD24AG000225100013104168"),
    ("public_url", "https://pay.example.md/"),
];

/// A receiver of alerts.
const ALERTS: [(&str, &str); 2] = [
    (
        "webhooks",
        "erp https://erp.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw alerts",
    ),
    ("webhook_origin", "https://erp.example.md"),
];
/// A day, in seconds.
const DAY: u64 = 24 * 3600;

/// What happens to a request.
#[derive(Clone)]
enum Mischief {
    /// It is done, and the answer lost.
    Lost,
    /// It is not done, and there is no answer.
    Undone,
    /// No connection is made.
    NotSent,
    /// It is done, and this is answered.
    Answer(u16, String),
    /// It is not done, and refused with this code.
    Refused(&'static str),
}

/// A payment at the gateway, in minor units.
#[derive(Default, Clone)]
struct Deal {
    state: String,
    asked: u64,
    is_held_first: bool,
    held: u64,
    taken: u64,
    back: u64,
    refunds: u32,
    /// The banks' number of the last of them.
    refund_rrn: Option<&'static str>,
}

#[derive(Default)]
struct Gateway {
    deals: HashMap<String, Deal>,
    plan: HashMap<&'static str, VecDeque<Mischief>>,
    asked: Vec<String>,
    /// Customers of the Wallet: their passwords, and their cards with what proves each.
    customers: HashMap<String, (String, Vec<Saved>)>,
    /// Whether the gateway plays the interface Wallet.
    is_wallet: bool,
}

/// A saved card.
#[derive(Clone)]
struct Saved {
    id: String,
    is_active: bool,
}

impl Gateway {
    fn receive(&mut self, request: &Request<Bytes>) -> Reply {
        let command = request.uri().path().rsplit('/').next().unwrap().to_owned();
        assert_eq!(request.method(), "POST");
        let is_marked = request.extensions().get::<Abroad>().is_some();
        assert!(is_marked, "a bank is told whose request it is");
        assert!(
            request.uri().query().is_none(),
            "a password in an address is logged"
        );
        let mut fields: HashMap<String, String> = form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let (interface, data) = match self.is_wallet {
            true => ("/vwapi/", "DATA"),
            false => ("/apim/", "Data"),
        };
        assert!(request.uri().path().starts_with(interface));
        if let Some(data) = fields.remove(data) {
            let pairs = data.split(';').filter_map(|pair| pair.split_once('='));
            fields.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        self.asked.push(command.clone());
        let mischief = self
            .plan
            .get_mut(command.as_str())
            .and_then(VecDeque::pop_front);
        match mischief {
            Some(Mischief::NotSent) => return Err("not sent"),
            Some(Mischief::Undone) => return Err("the connection broke"),
            Some(Mischief::Refused(code)) => {
                let id = fields.get("OrderId").cloned().unwrap_or_default();
                let text =
                    format!(r#"<{command} Success="False" OrderId="{id}" ErrCode="{code}"/>"#);
                return Ok((200, text));
            }
            _ => {}
        }
        let answer = self.answer(&command, &fields);
        match mischief {
            Some(Mischief::Lost) => Err("the answer was lost"),
            Some(Mischief::Answer(status, text)) => Ok((status, text)),
            _ => Ok((200, answer)),
        }
    }

    /// What is asked of a customer of the Wallet.
    fn of_customer(&mut self, command: &str, fields: &HashMap<String, String>) -> String {
        let login = fields["VWUserLgn"].clone();
        let refused = |code: &str| format!(r#"<{command} Success="False" ErrCode="{code}"/>"#);
        let done = format!(r#"<{command} Success="True" VWUserLgn="{login}"/>"#);
        if command == "Register" {
            let known = self.customers.contains_key(&login);
            self.customers
                .entry(login)
                .or_insert_with(|| (fields["VWUserPsw"].clone(), Vec::new()));
            return if known {
                refused("DUPLICATE_USER")
            } else {
                done
            };
        }
        if command == "Delete" {
            assert_eq!(fields["Password"], PASSWORD);
            return match self.customers.remove(&login) {
                Some(_) => done,
                None => refused("USER_NOT_FOUND"),
            };
        }
        let known = self.customers.get_mut(&login);
        let known = known.filter(|(password, _)| *password == fields["VWUserPsw"]);
        let Some((_, cards)) = known else {
            return refused("CUSTOMER_NOT_FOUND");
        };
        if matches!(command, "Check" | "Update") {
            return done;
        }
        if command == "GetList" {
            let item = |card: &Saved| {
                let status = if card.is_active {
                    "IsActive"
                } else {
                    "NotActive"
                };
                format!(
                    r#"<Item CardName="411111xxxxxx0031" CardId="{}" CardHolder="A" Status="{status}" NoCVV="true" Expired="false"/>"#,
                    card.id
                )
            };
            let items: String = cards.iter().map(item).collect();
            return format!(r#"<GetList Success="True" VWUserLgn="{login}">{items}</GetList>"#);
        }
        let found = cards.iter().position(|card| card.id == fields["CardId"]);
        let Some(found) = found else {
            return refused("CARD_NOT_FOUND");
        };
        match command {
            "Remove" => drop(cards.remove(found)),
            "Activate" if fields["Amount"] != "123" => return refused("AMOUNT_ERROR"),
            "Activate" => cards[found].is_active = true,
            "Pay" if !cards[found].is_active => return refused("WRONG_CARD"),
            "Pay" => {
                let id = fields["OrderId"].clone();
                let asked = fields["Amount"].parse().unwrap();
                let deal = Deal {
                    state: "Charged".into(),
                    asked,
                    taken: asked,
                    ..Deal::default()
                };
                let before = self.deals.insert(id.clone(), deal);
                assert!(before.is_none(), "one order is paid twice");
                return format!(r#"<Pay Success="True" OrderId="{id}" Amount="{asked}"/>"#);
            }
            command => panic!("{command}"),
        }
        done
    }

    fn answer(&mut self, command: &str, fields: &HashMap<String, String>) -> String {
        let is_of_customer = matches!(
            command,
            "Register" | "Update" | "Check" | "Delete" | "GetList" | "Remove" | "Activate" | "Pay"
        );
        if is_of_customer {
            assert!(self.is_wallet, "{command}");
            return self.of_customer(command, fields);
        }
        if command == "Init" {
            assert_eq!(self.is_wallet, fields.contains_key("VWUserPsw"));
            if let Some(login) = fields.get("VWUserLgn") {
                let password = fields["VWUserPsw"].clone();
                let made = || (password.clone(), Vec::new());
                let known = self.customers.entry(login.clone()).or_insert_with(made);
                assert_eq!(known.0, password);
            }
            if fields["SessionType"] == "Add" {
                return r#"<Init Success="True" SessionId="add-1"/>"#.to_owned();
            }
        }
        let id = fields["OrderId"].clone();
        let amount = fields.get("Amount").and_then(|amount| amount.parse().ok());
        let refused =
            |code: &str| format!(r#"<{command} Success="False" OrderId="{id}" ErrCode="{code}"/>"#);
        if command != "Init" && command != "GetState" && fields["Password"] != PASSWORD {
            return refused("ACCESS_DENIED");
        }
        if command == "Init" {
            if self.deals.contains_key(&id) {
                return refused("DUPLICATE_ORDER_ID");
            }
            let deal = Deal {
                state: "New".into(),
                asked: amount.unwrap(),
                is_held_first: fields["SessionType"] == "Block",
                ..Deal::default()
            };
            let asked = deal.asked;
            self.deals.insert(id.clone(), deal);
            let session = &id[4..];
            return format!(
                r#"<Init Success="True" OrderId="{id}" Amount="{asked}" SessionId="{session}"/>"#
            );
        }
        let Some(deal) = self.deals.get_mut(&id) else {
            return refused("ORDER_NOT_FOUND");
        };
        match command {
            "GetState" => {
                let amount = match deal.state.to_lowercase().as_str() {
                    "authorized" => deal.held,
                    _ => deal.taken - deal.back,
                };
                let rrn = deal.refund_rrn.filter(|_| deal.back > 0).unwrap_or("RRN7");
                format!(
                    r#"<GetState Success="True" OrderId="{id}" State="{}" Amount="{amount}" RRN="{rrn}"><AddInfo Key="PANMask" Value="411111xxxxxx0031"/></GetState>"#,
                    deal.state
                )
            }
            "Charge" if deal.state == "Authorized" => {
                deal.taken = amount.unwrap_or(deal.held);
                (deal.held, deal.state) = (0, "Charged".into());
                format!(
                    r#"<Charge Success="True" OrderId="{id}" Amount="{}"/>"#,
                    deal.taken
                )
            }
            "Unblock" if deal.state == "Authorized" => {
                (deal.held, deal.state) = (0, "Voided".into());
                format!(r#"<Unblock Success="True" OrderId="{id}" NewAmount="0"/>"#)
            }
            "Refund" if deal.state == "Charged" => {
                deal.give_back(amount.unwrap_or(deal.taken - deal.back));
                let left = deal.taken - deal.back;
                format!(r#"<Refund Success="True" OrderId="{id}" NewAmount="{left}"/>"#)
            }
            _ => refused("ILLEGAL_ORDER_STATE"),
        }
    }
}

impl Deal {
    fn give_back(&mut self, amount: u64) {
        assert!(amount <= self.taken - self.back);
        self.back += amount;
        self.refunds += 1;
        if self.back == self.taken {
            self.state = "Refunded".into();
        }
    }

    fn pay(&mut self) {
        assert!(
            ["New", "Rejected"].contains(&self.state.as_str()),
            "{}",
            self.state
        );
        match self.is_held_first {
            true => (self.held, self.state) = (self.asked, "Authorized".into()),
            false => (self.taken, self.state) = (self.asked, "Charged".into()),
        }
    }
}

struct World {
    api: Api,
    gateway: Arc<Mutex<Gateway>>,
}

const WALLET_SECRET: &str = "0123456789abcdef0123456789abcdef";

impl World {
    async fn new(more: &[(&'static str, &str)]) -> Self {
        let api = Api::with(&[VARIABLES.as_slice(), more].concat());
        let gateway = Arc::new(Mutex::new(Gateway::default()));
        let there = Arc::clone(&gateway);
        api.memory
            .respond_with(move |request| there.lock().unwrap().receive(request));
        register(&api.memory, "1", "19.99").await.unwrap();
        Self { api, gateway }
    }

    /// With the interface Wallet, and a customer `ana` with an active card.
    async fn wallet(more: &[(&'static str, &str)]) -> Self {
        let wallet = [
            ("card_interface", "wallet"),
            ("card_wallet_secret", WALLET_SECRET),
        ];
        let world = Self::new(&[&wallet, more].concat()).await;
        world.gateway.lock().unwrap().is_wallet = true;
        let made = world.customer("PUT", "ana", json!({})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        world.save("ana", "card-1", true);
        world
    }

    /// A customer saves a card at the gateway.
    fn save(&self, customer: &str, id: &str, is_active: bool) {
        let mut gateway = self.gateway.lock().unwrap();
        let id = id.to_owned();
        let cards = &mut gateway.customers.get_mut(customer).unwrap().1;
        cards.push(Saved { id, is_active });
    }

    async fn customer(&self, method: &str, path: &str, body: Value) -> Answer {
        let address = format!("card-customers/{path}");
        let body = match body.as_object().is_some_and(|body| body.is_empty()) {
            true => String::new(),
            false => body.to_string(),
        };
        self.api
            .call(method, &address, "application/json", body)
            .await
    }

    /// Charges the saved card of `ana`.
    async fn unattended(&self, key: &str) -> Answer {
        let body = json!({"customer": "ana", "card": "card-1", "unattended": true});
        self.api
            .post_as(key, "orders/TAX/1/card-payments", &body)
            .await
    }

    async fn begin_as(&self, key: &str, more: Value) -> Answer {
        let mut body = json!({"return_url": "https://shop.example.md/done?o=1"});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        self.api
            .post_as(key, "orders/TAX/1/card-payments", &body)
            .await
    }

    /// Begins a payment; gives its id.
    async fn begin(&self) -> String {
        let answer = self.begin_as("first", json!({})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    fn deal(&self, id: &str) -> Deal {
        self.gateway.lock().unwrap().deals[id].clone()
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Deal)) {
        change(self.gateway.lock().unwrap().deals.get_mut(id).unwrap());
    }

    fn plan(&self, command: &'static str, mischief: impl IntoIterator<Item = Mischief>) {
        let mut gateway = self.gateway.lock().unwrap();
        gateway.plan.insert(command, mischief.into_iter().collect());
    }

    fn asked(&self, command: &str) -> usize {
        let gateway = self.gateway.lock().unwrap();
        gateway
            .asked
            .iter()
            .filter(|asked| *asked == command)
            .count()
    }

    async fn ask(&self, id: &str) -> Value {
        let answer = self.api.get(&format!("card-payments/{id}?ask=true")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Gives the order other lines.
    async fn put(&self, lines: Value) {
        let order = json!({"reason": "R", "issued_at": "2026-06-01", "due_date": "2099-12-31", "lines": lines});
        let answer = self.api.call("PUT", "orders/TAX/1", "", order.to_string());
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn order(&self) -> Value {
        self.api.get("orders/TAX/1").await.json()
    }

    async fn check(&self) -> Value {
        let answer = self.api.call("POST", "card-payments/check", "", "").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn refund(&self, key: &str, id: &str, amount: &str) -> Answer {
        let body = json!({"amount": amount, "note": "asked for"});
        let address = format!("card-payments/{id}/refunds");
        self.api.post_as(key, &address, &body).await
    }

    async fn at(&self, method: &str, path: &str, body: &str) -> Answer {
        let store = Ledger::new(self.api.memory.clone());
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Full::new(Bytes::from(body.to_owned())));
        Answer::of(handle(&self.api.app, &store, request.unwrap()).await)
    }

    async fn notify(&self, body: &str) -> u16 {
        self.at("POST", "/cards/notifications", body).await.status
    }

    /// What people were told of payments by card since the last time this was asked.
    fn alerts(&self) -> Vec<Value> {
        let sent = self.api.memory.take_sent();
        let bodies = sent
            .iter()
            .map(|request| serde_json::from_slice(request.body()));
        let bodies = bodies.map(Result::<Value, _>::unwrap);
        let of_cards = bodies.filter(|body| body["type"] == "alert.card");
        of_cards.map(|body| body["data"].clone()).collect()
    }

    /// Money taken at the gateway and money recorded agree.
    async fn agrees(&self, context: &str) {
        let deals = self.gateway.lock().unwrap().deals.clone();
        let store = Ledger::new(self.api.memory.clone());
        for (id, deal) in deals {
            let payment = PaymentId::parse(&id).unwrap();
            let recorded = store.payments().get(&payment).await.unwrap();
            let remaining = recorded.map_or(0, |payment| {
                assert_eq!(payment.payment.channel(), Channel::Card);
                payment.state.remaining().hundredths()
            });
            let kept = u128::from(deal.taken - deal.back);
            assert_eq!(remaining, kept, "{context}: {id} is {}", deal.state);
            let events = self.api.get("events").await.json();
            let events = events["events"].as_array().unwrap();
            let of = |kind: &str| {
                let is_it = |event: &&Value| event["type"] == kind && event["payment_id"] == id;
                events.iter().filter(is_it).count()
            };
            assert_eq!(
                of("payment.recorded"),
                usize::from(deal.taken > 0),
                "{context}"
            );
        }
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_is_paid_by_card_and_its_payer_comes_back() {
    let world = World::new(&[]).await;
    let begun = world.begin_as("k", json!({"language": "en"})).await;
    assert_eq!(begun.status, 201);
    let begun = begun.json();
    let id = begun["id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(world.deal(id).asked, 1999);
    let page = format!("https://gateway.example.md/apim/Pay?SessionId={}", &id[4..]);
    assert_eq!(begun["redirect_url"], page);
    world.change(id, Deal::pay);
    let back = world.at("GET", &format!("/cards/return/{id}"), "").await;
    assert_eq!(back.status, 303);
    assert_eq!(back.header("location"), "https://shop.example.md/done?o=1");
    let order = world.order().await;
    assert_eq!(
        (&order["status"], &order["amount_paid"]),
        (&json!("Paid"), &json!("19.99"))
    );
    let payment = &order["payments"][0];
    assert_eq!(payment["channel"], "card");
    assert_eq!(payment["payment_id"], id);
    assert_eq!(payment["card"]["rrn"], "RRN7");
    assert_eq!(
        payment["lines"][0]["bank_account"],
        "MD24AG000225100013104168"
    );
    assert_eq!(payment["review"], json!([]));
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(
        (&found["state"], &found["remaining"]),
        (&json!("paid"), &json!("19.99"))
    );
    assert!(found.get("redirect_url").is_none());
    assert_eq!(world.begin_as("other", json!({})).await.status, 409);
    let proof = world
        .api
        .bytes("GET", &format!("payments/{id}/evidence"), "", b"")
        .await;
    assert_eq!(proof.0, 200);
    world.agrees("paid").await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_believed_who_says_that_something_was_paid() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    let claim = format!("Notification=EnginePaySuccess&OrderId={id}&Success=True&Amount=1999");
    assert_eq!(world.notify(&claim).await, 200);
    pass(5).await;
    world
        .at("GET", &format!("/cards/return/{id}?success=True"), "")
        .await;
    assert_eq!(world.asked("GetState"), 2);
    assert_eq!(world.order().await["status"], "Active");
    // The state was found, and says that nothing was paid.
    for state in ["Rejected", "PreAuthorized3DS", "Something", "Error", "New"] {
        world.change(&id, |deal| deal.state = state.into());
        world.ask(&id).await;
        assert_eq!(world.order().await["status"], "Active", "{state}");
    }
    // A state in other letters is the same.
    world.change(&id, |deal| {
        deal.state = "New".into();
        deal.pay();
        deal.state = "CHARGED".into();
    });
    pass(5).await;
    assert_eq!(world.notify(&claim.replace("card", "CARD")).await, 200);
    assert_eq!(world.order().await["status"], "Paid");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_notification_of_ours_has_no_effect() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    let unknown = format!("card{}", "0".repeat(32));
    for body in [
        "",
        "x",
        "OrderId=1",
        &format!("OrderId={id}"),
        &format!("Notification=EnginePaySuccess&OrderId={unknown}"),
        "Notification=EnginePaySuccess&OrderId=somebodyelses",
    ] {
        assert_eq!(world.notify(body).await, 200, "{body}");
    }
    assert_eq!(world.asked("GetState"), 0);
    // Strangers do not make us ask more often than every three seconds.
    let ours = format!("Notification=EnginePayFail&OrderId={id}");
    for _ in 0..9 {
        assert_eq!(world.notify(&ours).await, 200);
    }
    assert_eq!(world.asked("GetState"), 1);
    pass(3).await;
    world.plan("GetState", [Mischief::Undone]);
    assert_eq!(world.notify(&ours).await, 503);
    assert_eq!(world.at("GET", "/cards/return/x", "").await.status, 404);
    assert_eq!(world.at("POST", "/cards/return/x", "").await.status, 405);
    assert_eq!(
        world.at("GET", "/cards/notifications", "").await.status,
        405
    );
    assert_eq!(world.at("GET", "/cards/x", "").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn of_many_that_look_at_once_one_payment_is_recorded() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    join_all((0..64).map(|_| world.ask(&id))).await;
    world.agrees("64 at once").await;
    world.change(&id, |deal| deal.give_back(500));
    join_all((0..64).map(|_| world.ask(&id))).await;
    world.agrees("64 at once, of a refund in the cabinet").await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["refunds"].as_array().unwrap().len(), 1);
    assert!(payment["refunds"][0].get("by").is_none());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_still_open_is_given_again() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    for key in ["first", "second"] {
        let again = world.begin_as(key, json!({})).await;
        assert_eq!((again.status, &again.json()["id"]), (200, &json!(id)));
    }
    let other = world.begin_as("first", json!({"capture": "checked"})).await;
    assert_eq!(other.status, 422);
    let other = world.begin_as("third", json!({"capture": "checked"})).await;
    assert_eq!(other.status, 201, "{}", other.text);
    world.change(&id, |deal| deal.state = "PreAuthorized3DS".into());
    assert_eq!(world.begin_as("fourth", json!({})).await.status, 409);
    for (body, status) in [
        (json!({"amount": "5"}), 409),
        (json!({"amount": "0"}), 409),
        (json!({"amount": "25"}), 409),
        (json!({"amount": "x"}), 422),
        (json!({"card_number": "4111111111111111"}), 422),
        (json!({"return_url": "javascript:alert(1)"}), 422),
        (json!({"return_url": "http://shop.example.md/"}), 422),
        (json!({"payer_ip": "x"}), 422),
    ] {
        let fresh = World::new(&[]).await;
        let answer = fresh.begin_as("k", body.clone()).await;
        assert_eq!(answer.status, status, "{body} {}", answer.text);
        assert_eq!(fresh.asked("Init"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_opened_no_session_is_given_up_and_begun_anew() {
    for mischief in [
        Mischief::Undone,
        Mischief::Lost,
        Mischief::NotSent,
        Mischief::Answer(500, String::new()),
        Mischief::Answer(200, "<html>".into()),
        Mischief::Refused("WRONG_PARAMS"),
    ] {
        let world = World::new(&[]).await;
        world.plan("Init", [mischief]);
        assert_eq!(world.begin_as("k", json!({})).await.status, 503);
        let again = world.begin_as("k", json!({})).await;
        assert_eq!(again.status, 201, "{}", again.text);
        // Whatever is there without our knowledge is watched.
        for deal in world.gateway.lock().unwrap().deals.values_mut() {
            deal.pay();
        }
        for _ in 0..10 {
            pass(60).await;
            world.check().await;
        }
        world.agrees("no session").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_that_failed_is_not_the_end_and_the_last_look_is_after_the_session() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, |deal| deal.state = "Rejected".into());
    for _ in 0..40 {
        pass(60).await;
        world.check().await;
    }
    world.change(&id, Deal::pay);
    pass(60).await;
    world.check().await;
    world.agrees("failed, then paid").await;

    // Paid in the last moment, and nobody looked.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    pass(60 * 59).await;
    world.check().await;
    pass(60 * 17).await;
    world.change(&id, Deal::pay);
    assert_eq!(world.check().await["open"], 0);
    world.agrees("paid at the end").await;

    // And if nobody pays, it ends, once it was looked at after the session.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    pass(60 * 74).await;
    assert_eq!(world.check().await["open"], 1);
    pass(120).await;
    assert_eq!(world.check().await["open"], 0);
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(found["ended"], "unpaid");
    let asked = world.asked("GetState");
    pass(3600).await;
    world.check().await;
    assert_eq!(world.asked("GetState"), asked);
    assert_eq!(world.begin_as("again", json!({})).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_is_asked_for_three_days_and_then_told() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, |deal| deal.state = "PendingPay".into());
    for _ in 0..71 {
        pass(3600).await;
        assert_eq!(world.check().await["open"], 1);
    }
    for _ in 0..2 {
        pass(3600).await;
        world.check().await;
    }
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(found["ended"], "unclear");
    // It is recorded all the same if it comes.
    world.change(&id, |deal| {
        deal.state = "New".into();
        deal.pay();
    });
    let claim = format!("Notification=EnginePaySuccess&OrderId={id}");
    assert_eq!(world.notify(&claim).await, 200);
    world.agrees("after three days").await;
}

#[tokio::test(start_paused = true)]
async fn another_amount_than_was_asked_for_is_recorded_and_looked_at() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    // A part was given back before anybody asked.
    world.change(&id, |deal| {
        deal.pay();
        deal.give_back(999);
    });
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["amount"], "10.00");
    assert_eq!(payment["review"], json!(["under-paid", "mismatch"]));
    // Less after that is no other payment.
    world.change(&id, |deal| deal.give_back(400));
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["amount"], "10.00");
    assert_eq!(payment["refunds"][0]["remaining"], "6.00");
    world.change(&id, |deal| deal.give_back(600));
    world.ask(&id).await;
    assert_eq!(world.order().await["status"], "Refunded");
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["review"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_follow_on_what_was_seen_is_looked_at() {
    for (state, review) in [
        ("Chargeback", json!(["charged-back"])),
        ("Voided", json!(["mismatch"])),
        ("New", json!(["mismatch"])),
        ("Authorized", json!(["mismatch"])),
        ("Rejected", json!([])),
        ("Error", json!([])),
        ("PendingRefund", json!([])),
        ("Forwarded", json!([])),
    ] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        world.change(&id, |deal| deal.state = state.into());
        for _ in 0..2 {
            world.ask(&id).await;
        }
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["review"], review, "{state}");
        assert_eq!(world.order().await["status"], "Paid", "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_nobody_knows_of_what_was_paid_is_looked_at_after_a_while() {
    for (state, review) in [
        ("Forwarded", json!(["mismatch"])),
        ("Rejected", json!([])),
        ("PendingRefund", json!([])),
    ] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        pass(2 * DAY).await;
        assert_eq!(world.refund("a", &id, "5").await.status, 201);
        world.change(&id, |deal| deal.state = state.into());
        // What was done last may be at work for three days.
        for (seconds, review) in [(3 * DAY - 60, json!([])), (120, review)] {
            pass(seconds).await;
            world.ask(&id).await;
            let payment = world.api.get(&format!("payments/{id}")).await.json();
            assert_eq!(payment["review"], review, "{state}");
        }
        assert_eq!(world.order().await["amount_refunded"], "5.00");
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_is_known_to_remain_is_asked_for_again_and_then_looked_at() {
    for (times, review) in [(1, json!([])), (2, json!(["mismatch"]))] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, |deal| {
            deal.pay();
        });
        world.ask(&id).await;
        world.change(&id, |deal| deal.give_back(500));
        world.ask(&id).await;
        let whole = format!(
            "<GetState Success=\"True\" OrderId=\"{id}\" State=\"Charged\" Amount=\"1999\"/>"
        );
        let whole = Mischief::Answer(200, whole);
        world.plan("GetState", std::iter::repeat_n(whole, times));
        world.ask(&id).await;
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["review"], review, "{times}");
        world.agrees("more than is known").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_was_asked_for_before_the_payer_paid_and_comes_late_says_nothing() {
    for state in ["New", "Authorized"] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        let late = format!(
            "<GetState Success=\"True\" OrderId=\"{id}\" State=\"{state}\" Amount=\"1999\"/>"
        );
        world.plan("GetState", [Mischief::Answer(200, late)]);
        assert_eq!(world.ask(&id).await["state"], "paid");
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["review"], json!([]), "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refund_whose_answer_is_lost_is_not_made_again() {
    for mischief in [
        Mischief::Lost,
        Mischief::Answer(500, String::new()),
        Mischief::Answer(200, "<Refund Success=\"True\" OrderId=\"other\"/>".into()),
        Mischief::Answer(200, "<Charge Success=\"True\"/>".into()),
    ] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.plan("Refund", [mischief]);
        let refunded = world.refund("a", &id, "5").await;
        assert_eq!(refunded.status, 201, "the state tells");
        assert_eq!(world.refund("a", &id, "5").await.status, 201);
        assert_eq!(world.deal(&id).refunds, 1);
        world.agrees("lost").await;
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["refunds"][0]["by"], "tester");
        assert_eq!(payment["refunds"][0]["note"], "asked for");
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_refund_is_unknown_no_other_is_made() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.plan("Refund", [Mischief::Lost]);
    let state = r#"<GetState Success="False" ErrCode="NONE"/>"#.to_owned();
    let at_work =
        format!("<GetState Success=\"True\" OrderId=\"{id}\" State=\"Charged\" Amount=\"1999\"/>");
    world.plan(
        "GetState",
        [
            // Asked for before it is sent.
            Mischief::Answer(200, at_work),
            Mischief::Answer(200, state.clone()),
            Mischief::Answer(200, state.clone()),
            Mischief::Answer(200, state.clone()),
            Mischief::Undone,
        ],
    );
    assert_eq!(world.refund("a", &id, "5").await.status, 202);
    assert_eq!(world.refund("a", &id, "5").await.status, 202);
    assert_eq!(world.refund("b", &id, "5").await.status, 409);
    assert_eq!(
        world.refund("c", &id, "5").await.status,
        503,
        "nobody tells"
    );
    assert_eq!(world.refund("a", &id, "6").await.status, 422);
    assert_eq!(world.deal(&id).refunds, 1);
    pass(60).await;
    world.check().await;
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    assert_eq!(world.deal(&id).refunds, 1);
    world.agrees("unknown").await;
    assert_eq!(world.refund("d", &id, "14.99").await.status, 201);
    assert_eq!(world.order().await["status"], "Refunded");
    assert_eq!(world.refund("e", &id, "1").await.status, 409);
    // What is read may be sent back.
    let order = world.order().await.to_string();
    let sent = world
        .api
        .call("PUT", "orders/TAX/1", "application/json", &order)
        .await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert_eq!(sent.json()["status"], "Refunded");
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_was_not_done_may_be_made_again_after_a_while() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.plan("Refund", [Mischief::Undone]);
    assert_eq!(world.refund("a", &id, "5").await.status, 202);
    pass(14 * 60).await;
    world.check().await;
    assert_eq!(world.refund("b", &id, "5").await.status, 409);
    pass(2 * 60).await;
    world.check().await;
    assert_eq!(
        world.refund("a", &id, "5").await.status,
        409,
        "it is known not to be done"
    );
    assert_eq!(world.refund("b", &id, "5").await.status, 409);
    let body = json!({"amount": "5", "note": "asked for", "checked_in_cabinet": true});
    let address = format!("card-payments/{id}/refunds");
    let made = world.api.post_as("b", &address, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(world.deal(&id).refunds, 1);
    // At once after a definite refusal, and where nothing was sent.
    world.plan(
        "Refund",
        [Mischief::Refused("REFUND_NOT_ALOWED"), Mischief::NotSent],
    );
    assert_eq!(world.refund("c", &id, "5").await.status, 409);
    assert_eq!(world.refund("d", &id, "5").await.status, 503);
    assert_eq!(world.refund("e", &id, "5").await.status, 201);
    assert_eq!(world.deal(&id).refunds, 2);
    world.agrees("made again").await;
    for (amount, status) in [("0", 422), ("10", 422), ("x", 422)] {
        assert_eq!(
            world.refund("f", &id, amount).await.status,
            status,
            "{amount}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_refunds_at_once_no_more_is_given_back_than_was_asked_for() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    join_all((0..16).map(|_| world.refund("a", &id, "5"))).await;
    assert_eq!(world.deal(&id).refunds, 1);
    world.agrees("sixteen times the same").await;
}

#[tokio::test(start_paused = true)]
async fn refunds_need_leave() {
    for (leave, role, status) in [
        ("nobody", Role::Manager, 403),
        ("managers", Role::Manager, 201),
        ("managers", Role::Program, 403),
        ("programs", Role::Program, 201),
    ] {
        let world = World::new(&[("card_refunds", leave)]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        let mut api = Api::with(&[VARIABLES.as_slice(), &[("card_refunds", leave)]].concat());
        api.memory = world.api.memory.clone();
        let api = api.into_role(role);
        let body = json!({"amount": "5", "note": "n"});
        let address = format!("card-payments/{id}/refunds");
        let answer = api.post_as("k", &address, &body).await;
        assert_eq!(answer.status, status, "{leave} {role:?} {}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_checked_is_taken_only_if_the_order_still_asks_for_it() {
    // The card is first.
    let world = World::new(&[("card_capture", "checked")]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    assert_eq!(world.deal(&id).state, "Charged");
    world.agrees("the card first").await;
    // MPay is first.
    let world = World::new(&[("card_capture", "checked")]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    record(&world.api.memory, "P", "1", "19.99").await.unwrap();
    let found = world.ask(&id).await;
    assert_eq!(world.deal(&id).state, "Voided");
    assert_eq!(
        (&found["state"], &found["ended"]),
        (&json!("released"), &json!("released"))
    );
    world.agrees("MPay first").await;
    // At once, both are taken, and one is flagged.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    record(&world.api.memory, "P", "1", "19.99").await.unwrap();
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["review"], json!(["double"]));
    world.agrees("both").await;
}

/// Two holds of an order that is paid by one of them.
async fn two_holds(captures: [&str; 2]) -> (World, [String; 2]) {
    let world = World::new(&[]).await;
    let ids = holds(&world, captures, 0).await;
    (world, ids)
}

/// The same, the second begun so many days after the first, and so over so many days later.
async fn holds(world: &World, captures: [&str; 2], days: u64) -> [String; 2] {
    let mut ids: Vec<String> = Vec::new();
    for (key, capture) in ["a", "b"].into_iter().zip(captures) {
        if !ids.is_empty() {
            pass(days * DAY).await;
        }
        let begun = world.begin_as(key, json!({"capture": capture})).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        ids.push(begun.json()["id"].as_str().unwrap().to_owned());
        // Over other lines it is another session.
        world
            .put(json!([
                {"line_id": "1", "reason": "One", "amount_due": "10"},
                {"line_id": "2", "reason": "Two", "amount_due": "9.99"}
            ]))
            .await;
    }
    for id in &ids {
        world.change(id, Deal::pay);
    }
    ids.try_into().unwrap()
}

/// Somebody looks at a payment, or takes what is held if that is for people to say.
async fn decide(world: &World, id: &str, capture: &str) -> u16 {
    match capture {
        "checked" => {
            let address = format!("card-payments/{id}?ask=true");
            world.api.get(&address).await.status
        }
        _ => {
            let address = format!("card-payments/{id}/charge");
            world.api.call("POST", &address, "", "").await.status
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_holds_of_an_order_that_are_judged_at_once_one_is_taken() {
    for captures in [
        ["checked", "checked"],
        ["checked", "manual"],
        ["manual", "manual"],
    ] {
        let (world, ids) = two_holds(captures).await;
        let [one, two] = &ids;
        let both = tokio::join!(
            decide(&world, one, captures[0]),
            decide(&world, two, captures[1])
        );
        assert_eq!(world.asked("Charge"), 1, "{captures:?} {both:?}");
        for _ in 0..3 {
            pass(60).await;
            world.check().await;
        }
        let states = [one, two].map(|id| world.deal(id).state);
        let left = states.iter().position(|state| state != "Charged").unwrap();
        let end = match captures[left] {
            "checked" => "Voided",
            _ => "Authorized",
        };
        assert_eq!(states[left], end, "{captures:?}");
        assert_eq!(states[1 - left], "Charged", "{captures:?}");
        if end == "Authorized" {
            assert_eq!(decide(&world, &ids[left], "manual").await, 409);
        }
        let order = world.order().await;
        assert_eq!(order["status"], "Paid");
        assert_eq!(order["payments"][0]["review"], json!([]), "{order}");
        world.agrees("two holds").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_taken_once_the_one_before_it_cannot_be() {
    let (world, [one, two]) = two_holds(["checked", "manual"]).await;
    world.plan("Charge", [Mischief::Undone]);
    world.ask(&one).await;
    // What came of it is not known: the other is neither taken nor released.
    assert_eq!(world.asked("Charge"), 1);
    let address = format!("card-payments/{two}/charge");
    let refused = world.api.call("POST", &address, "", "").await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains(&one), "{}", refused.text);
    assert_eq!(world.deal(&two).state, "Authorized");
    // The first one's hold is over.
    world.change(&one, |deal| {
        (deal.held, deal.state) = (0, "Voided".into());
    });
    pass(60).await;
    world.check().await;
    assert_eq!(decide(&world, &two, "manual").await, 200);
    assert_eq!(world.deal(&two).state, "Charged");
    assert_eq!(world.order().await["status"], "Paid");
    world.agrees("the second").await;

    // A hold that the gateway will not take is released, and the next one is taken.
    let (world, [one, two]) = two_holds(["checked", "checked"]).await;
    let refused = Mischief::Refused("PROCESSING_ERROR");
    world.plan("Charge", [refused.clone(), refused.clone(), refused]);
    world.ask(&one).await;
    while world.deal(&one).state != "Voided" {
        assert_eq!(world.deal(&two).state, "Authorized", "it waits");
        pass(3600).await;
        world.check().await;
    }
    for _ in 0..2 {
        pass(60).await;
        world.check().await;
    }
    assert_eq!(world.deal(&two).state, "Charged");
    world.agrees("the next one").await;
}

/// Whoever decides may die at any moment: the check goes on, and takes one hold, or none where MPay's
/// payment came before.
#[tokio::test(start_paused = true)]
async fn of_two_holds_one_is_taken_whatever_is_cut_off() {
    let mut taken = [0, 0];
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..40 {
            let (world, [one, two]) = two_holds(["checked", "checked"]).await;
            let memory: &Memory = &world.api.memory;
            memory.script(std::iter::repeat_n(Fault::None, position).chain([fault; 5]));
            let looked = decide(&world, &one, "checked");
            let _ = tokio::time::timeout(Duration::from_secs(24), looked).await;
            memory.script([]);
            let is_sent = world.asked("Charge") > 0;
            let pays_by_mpay = position % 2 == 1;
            if pays_by_mpay {
                record(memory, "P", "1", "19.99").await.unwrap();
            }
            for _ in 0..20 {
                pass(60).await;
                world.check().await;
            }
            let states = [&one, &two].map(|id| world.deal(id).state);
            let charged = states.iter().filter(|state| *state == "Charged").count();
            let context = format!("{fault:?} {position} {states:?}");
            assert_eq!(charged, usize::from(is_sent || !pays_by_mpay), "{context}");
            let voided = states.iter().filter(|state| *state == "Voided").count();
            assert_eq!(charged + voided, 2, "{context}");
            world.agrees(&context).await;
            taken[charged] += 1;
        }
    }
    assert!(taken.iter().all(|count| *count > 5), "{taken:?}");
}

/// A gateway may forget a hold, or say of it whatever it says of a try that failed.
#[tokio::test(start_paused = true)]
async fn a_hold_of_which_nothing_comes_is_over_after_a_while() {
    let world = World::new(&[]).await;
    let begun = world.begin_as("k", json!({"capture": "manual"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| {
        (deal.held, deal.state) = (0, "Obsolete".into());
    });
    assert_eq!(world.ask(&id).await.get("ended"), None);
    pass(8 * 24 * 3600).await;
    assert_eq!(world.ask(&id).await["ended"], "unclear");
    assert_eq!(world.check().await["open"], 0);
}

/// Whatever the gateway says of a hold that is older than any, the next one does not wait for it.
#[tokio::test(start_paused = true)]
async fn a_hold_that_was_given_up_is_not_taken_any_more() {
    // It is tried before it is over, or not.
    for tries in [0, 1] {
        let world = World::new(&[]).await;
        let [one, two] = holds(&world, ["checked"; 2], 4).await;
        pass(4 * DAY - 3600).await;
        if tries > 0 {
            world.plan("Charge", [Mischief::Refused("PROCESSING_ERROR")]);
            world.ask(&one).await;
            world.ask(&two).await;
        }
        assert_eq!(world.asked("Charge"), tries);
        pass(3660).await;
        assert_eq!(world.ask(&one).await["ended"], "unclear");
        let recheck = "card-payments/recheck?from=2026-06-01&to=2026-06-01";
        let asked = world.api.call("POST", recheck, "", "").await.json();
        assert_eq!(asked["asked"], 1, "{asked}");
        assert_eq!(world.asked("Charge"), tries);
        // A call that stood still decides on it only now; whoever looks at it next leaves it again.
        let store = Ledger::new(world.api.memory.clone());
        let id = PaymentId::parse(&one).unwrap();
        let service = ServiceId::parse("TAX").unwrap();
        let key = OrderKey::parse("1").unwrap();
        let cards = store.card_payments();
        let taken = cards.take(&id, &service, &key, |_| Ok(()));
        taken.await.unwrap();
        world.ask(&two).await;
        assert_eq!(world.deal(&two).state, "Authorized", "it waits");
        world.ask(&one).await;
        world.ask(&two).await;
        assert_eq!(world.deal(&two).state, "Charged");
        assert_eq!(world.deal(&one).state, "Authorized");
        world.agrees("the second").await;
    }

    // Nor do people take it, who may still release it.
    let world = World::new(&[]).await;
    let [one, two] = holds(&world, ["manual", "checked"], 4).await;
    pass(4 * DAY + 60).await;
    let address = format!("card-payments/{one}/charge");
    for charged in [0, 1] {
        let refused = world.api.call("POST", &address, "", "").await;
        assert_eq!(refused.status, 409);
        assert!(refused.text.contains("eight days"), "{}", refused.text);
        assert_eq!(world.asked("Charge"), charged);
        world.ask(&two).await;
        assert_eq!(world.deal(&two).state, "Charged");
    }
    let address = format!("card-payments/{one}/cancel");
    let released = world.api.call("POST", &address, "", "").await;
    assert_eq!(released.status, 200, "{}", released.text);
    assert_eq!(world.deal(&one).state, "Voided");
    world.agrees("not by people").await;
}

/// A call may stand still anywhere, for as long as one lasts, while a hold is given up.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_stopped_takes_no_hold_in_whose_place_another_was_taken() {
    for position in 0..60 {
        for looks_at_both in [true, false] {
            let world = World::new(&[]).await;
            let [one, two] = holds(&world, ["checked"; 2], 4).await;
            pass(4 * DAY - 300).await;
            let late = Fault::Delay(Duration::from_secs(600));
            let faults = std::iter::repeat_n(Fault::None, position).chain([late]);
            world.api.memory.script(faults);
            let others = async {
                pass(360).await;
                decide(&world, &one, "checked").await;
                if looks_at_both {
                    decide(&world, &two, "checked").await;
                }
            };
            tokio::join!(decide(&world, &one, "checked"), others);
            world.api.memory.script([]);
            for _ in 0..4 {
                pass(3600).await;
                world.check().await;
            }
            let states = [&one, &two].map(|id| world.deal(id).state);
            let charged = states.iter().filter(|state| *state == "Charged").count();
            let context = format!("{position} {looks_at_both} {states:?}");
            assert_eq!(charged, 1, "{context}");
            world.agrees(&context).await;
        }
    }
}

/// A charge that was sent while the money was held may be done when the hold would be over.
#[tokio::test(start_paused = true)]
async fn a_hold_is_not_given_up_while_its_charge_is_at_work() {
    for is_taken in [true, false] {
        let world = World::new(&[]).await;
        let [one, two] = holds(&world, ["checked"; 2], 4).await;
        pass(4 * DAY - 300).await;
        world.plan("Charge", [Mischief::Undone]);
        world.ask(&one).await;
        world.change(&one, |deal| deal.state = "PendingCharge".into());
        pass(600).await;
        assert_eq!(world.ask(&one).await.get("ended"), None);
        world.ask(&two).await;
        assert_eq!(world.deal(&two).state, "Authorized", "it waits");
        assert_eq!(world.asked("Charge"), 1);
        if is_taken {
            world.change(&one, |deal| {
                (deal.taken, deal.held, deal.state) = (deal.held, 0, "Charged".into());
            });
            world.ask(&one).await;
            world.ask(&two).await;
            assert_eq!(world.deal(&two).state, "Voided");
        } else {
            // Not for ever: three days after it was sent, the next one is taken.
            pass(3 * DAY - 660).await;
            assert_eq!(world.ask(&one).await.get("ended"), None);
            pass(120).await;
            assert_eq!(world.ask(&one).await["ended"], "unclear");
            world.ask(&two).await;
            assert_eq!(world.deal(&two).state, "Charged");
        }
        world.agrees("at work").await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_institution_takes_or_releases_what_is_held() {
    let manual = [("card_capture", "manual")];
    let act = async |world: &World, id: &str, what: &str, body: &str| {
        let address = format!("card-payments/{id}/{what}");
        let answer = world
            .api
            .call("POST", &address, "application/json", body)
            .await;
        answer.status
    };
    let world = World::new(&manual).await;
    let id = world.begin().await;
    assert_eq!(act(&world, &id, "charge", "").await, 409, "nothing is held");
    world.change(&id, Deal::pay);
    world.check().await;
    assert_eq!(world.deal(&id).state, "Authorized");
    assert_eq!(act(&world, &id, "charge", r#"{"amount": "20"}"#).await, 422);
    assert_eq!(
        act(&world, &id, "charge", r#"{"amount": "5"}"#).await,
        409,
        "not in part"
    );
    world.plan("Charge", [Mischief::Lost]);
    assert_eq!(act(&world, &id, "charge", "").await, 200);
    assert_eq!(act(&world, &id, "charge", "").await, 200);
    assert_eq!(world.asked("Charge"), 1);
    assert_eq!(act(&world, &id, "cancel", "").await, 409);
    world.agrees("charged").await;

    let world = World::new(&manual).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.plan("Unblock", [Mischief::Refused("PROCESSING_ERROR")]);
    assert_eq!(act(&world, &id, "cancel", "").await, 409);
    assert_eq!(act(&world, &id, "cancel", "").await, 200);
    assert_eq!(act(&world, &id, "cancel", "").await, 200);
    assert_eq!(act(&world, &id, "charge", "").await, 409);
    world.agrees("cancelled").await;

    let world = World::new(&manual).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    record(&world.api.memory, "P", "1", "19.99").await.unwrap();
    assert_eq!(act(&world, &id, "charge", "").await, 409, "MPay was first");
}

#[tokio::test(start_paused = true)]
async fn the_night_finds_what_was_given_back_in_the_cabinet() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| deal.give_back(1999));
    pass(60).await;
    world.check().await;
    let recheck = "card-payments/recheck?from=2026-06-01&to=2026-06-01";
    let answer = world.api.call("POST", recheck, "", "").await.json();
    assert_eq!(answer["asked"], 1, "{answer}");
    world.agrees("the cabinet").await;
    assert_eq!(world.order().await["status"], "Refunded");
}

#[tokio::test(start_paused = true)]
async fn accounts_have_a_row_for_what_was_given_back_and_statements_name_the_reference() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    let day = world.api.get("reconciliation?date=2026-06-01").await.json();
    let lines = day["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "{day}");
    assert_eq!(
        (&lines[0]["channel"], &lines[0]["amount"]),
        (&json!("card"), &json!("19.99"))
    );
    assert_eq!(
        (&lines[1]["refund"], &lines[1]["amount"]),
        (&json!(true), &json!("-5.00"))
    );
    let total = json!({
        "bank_account": "MD24AG000225100013104168", "currency": "MDL", "channel": "card",
        "amount": "14.99", "lines": 2
    });
    assert_eq!(day["totals"], json!([total]));
    let table = world
        .api
        .get("reconciliation?date=2026-06-01&format=csv")
        .await;
    assert!(table.lines()[2].ends_with(",card,refund"), "{}", table.text);
    let statement = "reference;sum\nRRN7;19,99\n";
    let address = "settlement?from=2026-06-01&to=2026-06-01&payment_id=reference&amount=sum";
    let compared = world
        .api
        .call("POST", address, "text/csv", statement)
        .await
        .json();
    assert_eq!(compared["matched"][0]["payment_id"], id, "{compared}");
}

#[tokio::test(start_paused = true)]
async fn a_refund_is_found_in_a_statement_by_its_own_reference() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| deal.refund_rrn = Some("BACK1"));
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    world.change(&id, |deal| {
        deal.give_back(300);
        deal.refund_rrn = Some("RRN7");
    });
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["card"]["rrn"], "RRN7");
    assert_eq!(payment["refunds"][0]["rrn"], "BACK1");
    assert_eq!(
        payment["refunds"][1].get("rrn"),
        None,
        "it has none of its own"
    );
    let statement = "reference;sum\nRRN7;19,99\nBACK1;-5,00\nRRN7;-3,00\n";
    let address = "settlement?from=2026-06-01&to=2026-06-01&payment_id=reference&amount=sum";
    let compared = world.api.call("POST", address, "text/csv", statement);
    let compared = compared.await.json();
    let matched = compared["matched"].as_array().unwrap();
    let matched: Vec<_> = matched.iter().map(|row| &row["amount"]).collect();
    assert_eq!(matched, ["19.99", "-5.00", "-3.00"], "{compared}");
    assert_eq!(compared["not_recorded"], json!([]), "{compared}");
    assert_eq!(compared["not_settled"], json!([]), "{compared}");
}

/// The gateway tells one number, that of the last; the payment may be recorded only after that.
#[tokio::test(start_paused = true)]
async fn a_number_belongs_to_the_payment_or_to_the_refund_that_it_is_of() {
    let back = |deal: &mut Deal, amount| {
        deal.give_back(amount);
        deal.refund_rrn = Some("BACK1");
    };
    // All was given back before anybody looked; a try before that had failed.
    for failed_before in [false, true] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        if failed_before {
            world.change(&id, |deal| deal.state = "Rejected".into());
            world.ask(&id).await;
        }
        world.change(&id, |deal| {
            deal.pay();
            back(deal, deal.taken);
        });
        world.ask(&id).await;
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["card"].get("rrn"), None, "{payment}");
        assert_eq!(payment["refunds"][0]["rrn"], "BACK1");
        let shown = world.api.get(&format!("card-payments/{id}")).await.json();
        assert_eq!(shown.get("rrn"), None, "{shown}");
        assert_eq!(shown["refunds"][0]["rrn"], "BACK1");
        let address = "settlement?from=2026-06-01&to=2026-06-01&payment_id=n&amount=sum";
        let statement = format!("n;sum\n{id};19,99\nBACK1;-19,99\n");
        let compared = world.api.call("POST", address, "text/csv", &statement);
        let compared = compared.await.json();
        for list in ["not_recorded", "not_settled", "differing"] {
            assert_eq!(compared[list], json!([]), "{compared}");
        }
        world.agrees("all of it").await;
    }
    // The hold had a number, and the cabinet has charged it and given back all or a part.
    for (amount, remaining) in [(1999, "0.00"), (999, "10.00")] {
        let world = World::new(&[]).await;
        let begun = world.begin_as("k", json!({"capture": "manual"})).await;
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        world.change(&id, |deal| {
            (deal.taken, deal.held, deal.state) = (deal.held, 0, "Charged".into());
            back(deal, amount);
        });
        world.ask(&id).await;
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["card"]["rrn"], "RRN7", "{payment}");
        let shown = world.api.get(&format!("card-payments/{id}")).await.json();
        assert_eq!(
            (&shown["rrn"], &shown["remaining"]),
            (&json!("RRN7"), &json!(remaining))
        );
        if amount == 1999 {
            assert_eq!(payment["refunds"][0]["rrn"], "BACK1");
        }
    }
    // Recorded before, it keeps its number, also where it is shown.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| back(deal, 500));
    let shown = world.ask(&id).await;
    assert_eq!(shown["rrn"], "RRN7", "{shown}");
    assert_eq!(shown["refunds"][0]["rrn"], "BACK1");
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_is_taken_from_the_accounts_that_had_it() {
    let world = World::new(&[("card_bank_account", "")]).await;
    let (a, b) = ("MD80EX0900002374642125MD", "MD21EX000000000001234567");
    let account = |iban: &str| json!({"bank_account": iban, "bank_code": "X", "bank_fiscal_code": "1", "beneficiary_name": "B"});
    world
        .put(json!([
            {"line_id": "a", "reason": "A", "amount_due": "10", "destination_account": account(a)},
            {"line_id": "b", "reason": "B", "amount_due": "90", "destination_account": account(b)}
        ]))
        .await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    assert_eq!(world.refund("part", &id, "40").await.status, 201);
    assert_eq!(world.refund("more", &id, "52").await.status, 201);
    let day = world.api.get("reconciliation?date=2026-06-01").await.json();
    let lines = day["lines"].as_array().unwrap();
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            let of = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            [of("line_id"), of("bank_account"), of("amount")]
        })
        .collect();
    let line = |id: &str, account: &str, amount: &str| [id, account, amount].map(str::to_owned);
    assert_eq!(
        lines,
        [
            line("a", a, "10.00"),
            line("b", b, "90.00"),
            line("b", b, "-40.00"),
            line("a", a, "-2.00"),
            line("b", b, "-50.00"),
        ]
    );
    assert_eq!(world.refund("rest", &id, "8").await.status, 201);
    let day = world.api.get("reconciliation?date=2026-06-01").await.json();
    for total in day["totals"].as_array().unwrap() {
        assert_eq!(total["amount"], "0.00", "{day}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_enters_a_payment_by_hand_that_was_begun_by_card() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    let body = json!({
        "payment_id": id, "service_id": "TAX", "order_key": "1", "amount": "19.99",
        "paid_at": "2026-06-01T10:00:00+03:00", "note": "n"
    });
    let answer = world.api.post_as("", "payments/manual", &body).await;
    assert_eq!(answer.status, 409, "{}", answer.text);
}

#[tokio::test(start_paused = true)]
async fn without_a_gateway_there_is_nothing_and_it_costs_nothing() {
    let api = Api::new();
    api.memory.take_calls();
    for (method, address) in [
        ("POST", "orders/TAX/1/card-payments"),
        ("GET", "orders/TAX/1/card-payments"),
        ("GET", "card-payments"),
        ("GET", "card-payments/x"),
        ("POST", "card-payments/x/charge"),
        ("POST", "card-payments/x/cancel"),
        ("POST", "card-payments/x/refunds"),
        ("POST", "card-payments/check"),
        ("POST", "card-payments/recheck"),
        ("PUT", "card-customers/x"),
        ("GET", "card-customers/x"),
        ("DELETE", "card-customers/x"),
        ("GET", "card-customers/x/cards"),
        ("POST", "card-customers/x/cards"),
        ("DELETE", "card-customers/x/cards/y"),
        ("POST", "card-customers/x/cards/y/activate"),
    ] {
        let answer = api.call(method, address, "application/json", "").await;
        assert_eq!(answer.status, 404, "{method} {address}");
    }
    let store = Ledger::new(api.memory.clone());
    for (method, path) in [("POST", "/cards/notifications"), ("GET", "/cards/return/x")] {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Full::new(Bytes::new())).unwrap();
        assert_eq!(handle(&api.app, &store, request).await.status(), 404);
    }
    assert_eq!(api.memory.take_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_password_is_kept_and_told_nowhere() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    let mut texts = vec![world.ask(&id).await.to_string()];
    world.plan(
        "Refund",
        [Mischief::NotSent, Mischief::Refused("ACCESS_DENIED")],
    );
    for key in ["a", "b", "c"] {
        texts.push(world.refund(key, &id, "5").await.text);
    }
    for address in ["events", "payments", "orders/TAX/1", "card-payments"] {
        texts.push(world.api.get(address).await.text);
    }
    texts.push(format!("{:?}", world.api.app.config));
    for text in texts {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    assert_eq!(world.api.memory.keys_with(PASSWORD), Vec::<String>::new());
}

/// Nobody repeats the request, no notification comes, and the payment was over long before.
#[tokio::test(start_paused = true)]
async fn what_came_of_a_refund_is_found_by_the_check_also_long_after_the_payment() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    assert_eq!(world.check().await["open"], 0);
    pass(5 * 24 * 3600).await;
    assert_eq!(world.check().await["open"], 0);
    let charged =
        format!(r#"<GetState Success="True" OrderId="{id}" State="Charged" Amount="1999"/>"#);
    world.plan(
        "GetState",
        [Mischief::Answer(200, charged), Mischief::Undone],
    );
    world.plan("Refund", [Mischief::Lost]);
    assert_eq!(world.refund("k", &id, "5").await.status, 202);
    pass(60).await;
    assert_eq!(world.check().await["open"], 0);
    world.agrees("after the check").await;
    assert_eq!(world.deal(&id).refunds, 1);
}

/// The gateway masks it; but a rule of the card schemes must not rest on that.
#[tokio::test(start_paused = true)]
async fn no_card_number_is_kept_also_where_the_gateway_shows_it() {
    const NUMBER: &str = "4111111111110031";
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    let shown = format!(
        r#"<GetState Success="True" OrderId="{id}" State="Charged" Amount="1999" RRN="4111 1111 1111 1111" Pan="{NUMBER}"><AddInfo Key="PANMask" Value="{NUMBER}"/></GetState>"#
    );
    world.plan("GetState", [Mischief::Answer(200, shown)]);
    let found = world.ask(&id).await;
    assert_eq!(found["state"], "paid");
    assert_eq!(found["rrn"], "4111 11** **** 1111");
    let memory = &world.api.memory;
    assert_eq!(memory.keys_with(NUMBER), [""; 0]);
    let kept = memory.keys_with("411111******0031");
    assert!(
        kept.iter().any(|key| key.starts_with("evidence/")),
        "{kept:?}"
    );
}

/// What is done of a payment, from its beginning to a refund, and cut off at some call of the store.
#[derive(Debug, Clone, Copy)]
enum Step {
    Begin,
    Observe,
    Charge,
    Refund,
    Unattended,
}

async fn cut(world: &World, step: Step, capture: &'static str, position: usize, fault: Fault) {
    let memory: &Memory = &world.api.memory;
    let interrupted = async |work: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| {
        memory.script(std::iter::repeat_n(Fault::None, position).chain([fault; 5]));
        let _ = tokio::time::timeout(Duration::from_secs(24), work).await;
        memory.script([]);
    };
    let first = || {
        let gateway = world.gateway.lock().unwrap();
        gateway.deals.keys().next().cloned()
    };
    let body = json!({"capture": capture});
    match step {
        Step::Begin => {
            let begun = Box::pin(async {
                world.begin_as("k", body).await;
            });
            interrupted(begun).await;
            for deal in world.gateway.lock().unwrap().deals.values_mut() {
                deal.pay();
            }
        }
        Step::Observe | Step::Charge => {
            world.begin_as("k", body).await;
            let id = first().unwrap();
            world.change(&id, Deal::pay);
            let looked = Box::pin(async {
                let address = match step {
                    Step::Observe => format!("card-payments/{id}?ask=true"),
                    _ => format!("card-payments/{id}/charge"),
                };
                let method = if matches!(step, Step::Observe) {
                    "GET"
                } else {
                    "POST"
                };
                world
                    .api
                    .call(method, &address, "application/json", "")
                    .await;
            });
            interrupted(looked).await;
        }
        Step::Unattended => {
            let charged = Box::pin(async {
                world.unattended("k").await;
            });
            interrupted(charged).await;
        }
        Step::Refund => {
            world.begin_as("k", body).await;
            let id = first().unwrap();
            world.change(&id, Deal::pay);
            world.ask(&id).await;
            let refunded = Box::pin(async {
                world.refund("r", &id, "5").await;
            });
            interrupted(refunded).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_cut_off_anywhere_is_put_right_by_the_check() {
    let (mut refunds, mut charges) = ([0, 0], [0, 0]);
    for (step, capture) in [
        (Step::Begin, "immediate"),
        (Step::Observe, "immediate"),
        (Step::Observe, "checked"),
        (Step::Charge, "manual"),
        (Step::Refund, "immediate"),
        (Step::Unattended, "immediate"),
    ] {
        for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
            for position in 0..60 {
                let world = match step {
                    Step::Unattended => World::wallet(&[]).await,
                    _ => World::new(&[]).await,
                };
                cut(&world, step, capture, position, fault).await;
                for _ in 0..20 {
                    pass(60).await;
                    world.check().await;
                }
                let context = format!("{step:?} {capture} {fault:?} {position}");
                world.agrees(&context).await;
                if matches!(step, Step::Unattended) {
                    let sent = world.asked("Pay");
                    assert!(sent <= 1, "{context}");
                    let again = world.unattended("k").await;
                    // Whether it was sent cannot be known where the command stands.
                    let now = match again.status {
                        200 | 201 => 1,
                        status => {
                            assert_eq!((status, sent), (409, 0), "{context} {}", again.text);
                            0
                        }
                    };
                    assert_eq!(world.asked("Pay"), now, "{context}");
                    charges[now] += 1;
                    world.agrees(&context).await;
                }
                if matches!(step, Step::Refund) {
                    let deals = world.gateway.lock().unwrap().deals.clone();
                    let made = deals.values().map(|deal| deal.refunds).sum::<u32>();
                    assert!(
                        made <= 1,
                        "{context}: a refund is never made again by itself"
                    );
                    refunds[usize::from(made > 0)] += 1;
                }
            }
        }
    }
    for counts in [refunds, charges] {
        assert!(
            counts.iter().all(|count| *count > 5),
            "{refunds:?} {charges:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_payer_is_sent_to_the_gateway_by_a_button() {
    let pages = [("page_key", "0123456789012345678901234567890123456789")];
    let world = World::new(&pages).await;
    let order = world.order().await;
    let page = order["pay_url"].as_str().unwrap();
    let path = page.strip_prefix("https://pay.example.md").unwrap();
    let shown = world.at("GET", &format!("{path}?lang=en"), "").await;
    assert!(
        shown
            .text
            .contains(&format!("action=\"{path}/card?lang=en\""))
    );
    let policy = shown.header("content-security-policy");
    assert!(policy.contains(" https://gateway.example.md;"), "{policy}");
    let sent = world.at("POST", &format!("{path}/card?lang=en"), "").await;
    assert_eq!(sent.status, 303);
    assert!(
        sent.header("location")
            .starts_with("https://gateway.example.md/apim/Pay?SessionId=")
    );
    let again = world.at("POST", &format!("{path}/card?lang=en"), "").await;
    assert_eq!(again.header("location"), sent.header("location"));
    let id = world
        .gateway
        .lock()
        .unwrap()
        .deals
        .keys()
        .next()
        .unwrap()
        .clone();
    world.change(&id, |deal| deal.state = "Pending".into());
    assert_eq!(
        world.at("POST", &format!("{path}/card"), "").await.status,
        409
    );
    world.change(&id, |deal| {
        deal.state = "New".into();
        deal.pay();
    });
    // Paid meanwhile: its own page says so.
    let paid = world.at("POST", &format!("{path}/card?lang=en"), "").await;
    let own = (303, format!("{path}?lang=en"));
    assert_eq!((paid.status, paid.header("location").to_owned()), own);
    let back = world.at("GET", &format!("/cards/return/{id}"), "").await;
    let there = format!("{page}/return?paid=0&lang=en");
    assert_eq!(back.header("location"), there);
    assert!(!world.at("GET", path, "").await.text.contains("/card?"));
    assert_eq!(world.at("POST", "/o/wrong/card", "").await.status, 404);
    world.agrees("by the page").await;
}

#[tokio::test(start_paused = true)]
async fn services_and_orders_that_are_not_paid_by_card_say_so() {
    let world = World::new(&[("card_services", "SCHOOL")]).await;
    assert_eq!(world.begin_as("k", json!({})).await.status, 409);
    let world = World::new(&[("card_currency", "EUR")]).await;
    assert_eq!(world.begin_as("k", json!({})).await.status, 409);
    let wrong = Api::with(&[("card_gateway", "ftp://x")]);
    assert_eq!(wrong.get("card-payments").await.status, 503);
    let world = World::new(&[]).await;
    let body = json!({"return_url": "https://shop.example.md/"});
    let none = world
        .api
        .post_as("k", "orders/TAX/2/card-payments", &body)
        .await;
    assert_eq!(none.status, 404);
    let store = Ledger::new(world.api.memory.clone());
    let (service, key) = (
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("2").unwrap(),
    );
    assert!(store.orders().get(&service, &key).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn customers_and_their_cards_are_kept_at_the_gateway() {
    let world = World::wallet(&[]).await;
    let keys = world.api.memory.keys_with("ana");
    assert_eq!(keys, Vec::<String>::new(), "nothing is kept here");
    let reached = json!({"phone": "+373 (22) 000-000", "email": "ana@exemplu.md"});
    assert_eq!(world.customer("PUT", "ana", reached).await.status, 200);
    assert_eq!(world.customer("GET", "ana", json!({})).await.status, 200);
    let none = world.customer("GET", "ion", json!({})).await;
    assert_eq!(none.status, 404);
    assert!(none.text.contains("CUSTOMER_NOT_FOUND"), "{}", none.text);
    world.save("ana", "card-2", false);
    let cards = world.customer("GET", "ana/cards", json!({})).await.json();
    assert_eq!(
        cards["cards"][1],
        json!({
            "id": "card-2", "masked_number": "411111xxxxxx0031", "holder": "A",
            "active": false, "without_code": true, "expired": false
        })
    );
    let activate = "ana/cards/card-2/activate";
    let wrong = world
        .customer("POST", activate, json!({"amount": "1.22"}))
        .await;
    assert_eq!(wrong.status, 409);
    assert!(wrong.text.contains("statement"), "{}", wrong.text);
    let right = world
        .customer("POST", activate, json!({"amount": "1.23"}))
        .await;
    assert_eq!(right.status, 200, "{}", right.text);
    let removed = world
        .customer("DELETE", "ana/cards/card-2", json!({}))
        .await;
    assert_eq!(removed.status, 200);
    let again = world
        .customer("DELETE", "ana/cards/card-2", json!({}))
        .await;
    assert_eq!(again.status, 404);
    let body = json!({"return_url": "https://shop.example.md/cards", "language": "en"});
    let added = world.customer("POST", "ana/cards", body).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(
        added.json()["redirect_url"],
        "https://gateway.example.md/vwapi/Add?SessionId=add-1"
    );
    let before = world.gateway.lock().unwrap().asked.len();
    for (path, body) in [
        (
            "ana/cards",
            json!({"return_url": "https://shop.example.md/?a=1&b=2"}),
        ),
        (
            "ana/cards",
            json!({"return_url": "https://shop.example.md/%20"}),
        ),
        ("ana/cards", json!({"return_url": "javascript:alert(1)"})),
        (
            "ana/cards",
            json!({"return_url": "https://shop.example.md/", "card_number": "4"}),
        ),
        (
            "a%3BAmount=1/cards",
            json!({"return_url": "https://shop.example.md/"}),
        ),
        (
            "%20ana/cards",
            json!({"return_url": "https://shop.example.md/"}),
        ),
        ("ana/cards/a;b/activate", json!({"amount": "1"})),
        (activate, json!({"amount": "0"})),
        (activate, json!({"amount": "-1"})),
    ] {
        let refused = world.customer("POST", path, body.clone()).await;
        assert!(
            matches!(refused.status, 400 | 422),
            "{path} {body} {}",
            refused.text
        );
    }
    for body in [
        json!({"phone": "12;Amount=1"}),
        json!({"phone": "1"}),
        json!({"email": "a+b@c.md"}),
        json!({"email": "a@c.md;Amount=1"}),
    ] {
        let refused = world.customer("PUT", "ana", body.clone()).await;
        assert_eq!(refused.status, 422, "{body} {}", refused.text);
        let said = body.as_object().unwrap().values().next().unwrap();
        assert!(!refused.text.contains(said.as_str().unwrap()));
    }
    assert_eq!(world.gateway.lock().unwrap().asked.len(), before);
    // Another password than that with which the customer was made.
    world
        .gateway
        .lock()
        .unwrap()
        .customers
        .get_mut("ana")
        .unwrap()
        .0 = "x".into();
    let other = world.customer("PUT", "ana", json!({})).await;
    assert_eq!(other.status, 409);
    assert!(other.text.contains("card_wallet_secret"), "{}", other.text);
    for mischief in [
        Mischief::Lost,
        Mischief::Answer(200, "<x/>".into()),
        Mischief::NotSent,
    ] {
        world.plan("Delete", [mischief]);
        let unknown = world.customer("DELETE", "ana", json!({})).await;
        assert_eq!(unknown.status, 503, "{}", unknown.text);
        world
            .gateway
            .lock()
            .unwrap()
            .customers
            .entry("ana".into())
            .or_default();
    }
    assert_eq!(world.customer("DELETE", "ana", json!({})).await.status, 200);
    assert_eq!(world.customer("DELETE", "ana", json!({})).await.status, 404);
    let keys = world.api.memory.keys_with("ana");
    assert_eq!(keys, Vec::<String>::new());
}

/// A call ends before hosts stop it, however many questions it asks.
#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slow_gateway_waits_for_all_of_it_no_longer_than_for_one_question() {
    let world = World::wallet(&[]).await;
    let began = tokio::time::Instant::now();
    let put = async |seconds| {
        world.api.memory.delay_replies(Duration::from_secs(seconds));
        world.customer("PUT", "ana", json!({})).await
    };
    assert_eq!(put(9).await.status, 200);
    assert_eq!(began.elapsed().as_secs(), 18);
    for (seconds, most) in [(15, 21), (19, 21), (30, 21)] {
        let began = tokio::time::Instant::now();
        let late = put(seconds).await;
        assert_eq!(late.status, 503, "{}", late.text);
        assert!(late.text.contains("Send it again"), "{}", late.text);
        assert!(began.elapsed().as_secs() < most, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_wallet_that_is_too_long_is_none() {
    let world = World::wallet(&[]).await;
    let long = " ".repeat(200_000);
    let calls = [
        ("Register", "PUT", "ion", json!({})),
        ("Check", "GET", "ana", json!({})),
        ("GetList", "GET", "ana/cards", json!({})),
        (
            "Activate",
            "POST",
            "ana/cards/card-1/activate",
            json!({"amount": "1.23"}),
        ),
        (
            "Init",
            "POST",
            "ana/cards",
            json!({"return_url": "https://shop.example.md/"}),
        ),
        ("Remove", "DELETE", "ana/cards/card-1", json!({})),
        ("Delete", "DELETE", "ana", json!({})),
    ];
    for (command, method, path, body) in calls {
        let answer = format!(r#"<{command} Success="True" VWUserLgn="ana">{long}</{command}>"#);
        world.plan(command, [Mischief::Answer(200, answer)]);
        let answered = world.customer(method, path, body).await;
        assert_eq!(answered.status, 503, "{command}: {}", answered.text);
        assert!(answered.text.len() < 1000, "{command}");
        assert!(answered.text.contains("too long"), "{}", answered.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_shows_the_cards_of_its_own_customer_to_nobody_else() {
    let world = World::wallet(&[]).await;
    let ana = world.begin_as("a", json!({"customer": "ana"})).await;
    assert_eq!(ana.status, 201, "{}", ana.text);
    assert_eq!(ana.json()["customer"], "ana");
    let id = ana.json()["id"].as_str().unwrap().to_owned();
    let again = world.begin_as("b", json!({"customer": "ana"})).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &json!(id)));
    for (key, more) in [
        ("c", json!({"customer": "ion"})),
        ("d", json!({"customer": "ana", "card": "card-1"})),
        ("e", json!({})),
    ] {
        let other = world.begin_as(key, more).await;
        assert_eq!(other.status, 201, "{}", other.text);
        assert_ne!(other.json()["redirect_url"], ana.json()["redirect_url"]);
    }
    // Who names no customer is one of this payment alone.
    let known = world.gateway.lock().unwrap().customers.len();
    assert_eq!(known, 3, "ana, ion, and one of a payment");
    world.change(&id, Deal::pay);
    assert_eq!(world.ask(&id).await["state"], "paid");
    assert_eq!(world.refund("r", &id, "5").await.status, 201);
    world.agrees("by the Wallet").await;
}

#[tokio::test(start_paused = true)]
async fn a_saved_card_is_charged_once_and_at_once() {
    let world = World::wallet(&[("card_capture", "checked")]).await;
    let paid = world.unattended("a").await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    let payment = paid.json();
    assert_eq!(
        (
            &payment["state"],
            &payment["unattended"],
            &payment["capture"]
        ),
        (&json!("paid"), &json!(true), &json!("immediate"))
    );
    assert!(payment.get("expires_at").is_none() && payment.get("redirect_url").is_none());
    assert_eq!(payment["commands"][0]["kind"], "pay");
    assert_eq!(world.order().await["status"], "Paid");
    let again = world.unattended("a").await;
    assert_eq!((again.status, &again.json()["id"]), (200, &payment["id"]));
    assert_eq!(world.unattended("b").await.status, 409, "it is paid");
    assert_eq!(world.asked("Pay"), 1);
    world.agrees("unattended").await;
    assert_eq!(world.check().await["open"], 0);
    let id = payment["id"].as_str().unwrap();
    let claim = format!("Notification=MerchantPay&OrderId={id}&VWUserLgn=ana&CardId=card-1");
    assert_eq!(world.notify(&claim).await, 200);
    let added = "Notification=CustomerAddSuccess&VWUserLgn=ana&CardId=card-9&Success=True";
    assert_eq!(world.notify(added).await, 200);
    assert_eq!(world.refund("r", id, "5").await.status, 201);
    world.agrees("unattended, and given back").await;
}

#[tokio::test(start_paused = true)]
async fn a_saved_card_whose_charge_is_unknown_is_not_charged_again() {
    for mischief in [
        Mischief::Lost,
        Mischief::Answer(500, String::new()),
        Mischief::Answer(200, "<Pay Success=\"True\" OrderId=\"other\"/>".into()),
        Mischief::Answer(200, "<Pay Success=\"False\" ErrCode=\"NONE\"/>".into()),
    ] {
        let world = World::wallet(&[]).await;
        world.plan("Pay", [mischief.clone()]);
        assert_eq!(world.unattended("a").await.status, 201, "the state tells");
        assert_eq!(world.unattended("a").await.status, 200);
        assert_eq!(world.asked("Pay"), 1);
        world.agrees("lost").await;

        // And while the state does not tell, it is not sent again, and nobody begins another.
        let world = World::wallet(&[]).await;
        world.plan("Pay", [mischief]);
        world.plan("GetState", std::iter::repeat_n(Mischief::Undone, 4));
        assert_eq!(world.unattended("a").await.status, 202);
        assert_eq!(world.unattended("a").await.status, 202);
        assert_eq!(world.unattended("b").await.status, 409);
        assert_eq!(
            world.begin_as("c", json!({"customer": "ana"})).await.status,
            409
        );
        pass(60).await;
        world.check().await;
        assert_eq!(world.unattended("a").await.status, 200);
        assert_eq!(world.asked("Pay"), 1);
        world.agrees("unknown").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_charge_of_a_saved_card_of_which_nothing_is_seen_ends() {
    let world = World::wallet(&[]).await;
    world.plan("Pay", [Mischief::Undone]);
    assert_eq!(world.unattended("a").await.status, 202);
    pass(14 * 60).await;
    world.check().await;
    assert_eq!(world.unattended("b").await.status, 409);
    pass(2 * 60).await;
    world.check().await;
    let unseen = world.unattended("a").await;
    assert_eq!(unseen.status, 409);
    assert!(
        unseen.text.contains("nothing of it was seen"),
        "{}",
        unseen.text
    );
    assert_eq!(world.unattended("b").await.status, 201);
    // The first was done after all: it is found, and flagged.
    let id = world.api.get("card-payments").await.json()["card_payments"][0]["id"].clone();
    let id = id.as_str().unwrap();
    let late = Deal {
        state: "Charged".into(),
        asked: 1999,
        taken: 1999,
        ..Deal::default()
    };
    world
        .gateway
        .lock()
        .unwrap()
        .deals
        .insert(id.to_owned(), late);
    pass(61).await;
    world.check().await;
    world.agrees("done after all").await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["review"], json!(["double"]));
}

#[tokio::test(start_paused = true)]
async fn a_saved_card_that_is_refused_says_why_and_may_be_tried_again() {
    for (code, said) in [
        ("AMOUNT_EXCEED", "AMOUNT_EXCEED"),
        ("CARD_NOT_FOUND", "no such card"),
        ("WRONG_CARD", "activate"),
        ("CUSTOMER_NOT_FOUND", "no such customer"),
    ] {
        let world = World::wallet(&[]).await;
        world.plan("Pay", [Mischief::Refused(code)]);
        for _ in 0..2 {
            let refused = world.unattended("a").await;
            assert_eq!(refused.status, 409, "{}", refused.text);
            assert!(refused.text.contains(said), "{}", refused.text);
        }
        assert_eq!(world.asked("Pay"), 1);
        assert_eq!(world.check().await["open"], 0);
        assert_eq!(world.unattended("b").await.status, 201);
        world.agrees(code).await;
    }
    // What was not sent for certain is begun anew by the same request.
    let world = World::wallet(&[]).await;
    world.plan("Pay", [Mischief::NotSent, Mischief::NotSent]);
    assert_eq!(world.unattended("a").await.status, 503);
    assert_eq!(world.unattended("a").await.status, 503);
    assert_eq!(world.unattended("a").await.status, 201);
    assert_eq!(world.unattended("a").await.status, 200);
    assert_eq!(world.gateway.lock().unwrap().deals.len(), 1);
    world.agrees("not sent").await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_charged_absent_while_a_payer_may_be_paying() {
    let world = World::wallet(&[]).await;
    let begun = world.begin_as("a", json!({"customer": "ana"})).await.json();
    let at_the_page = world.unattended("b").await;
    assert_eq!(at_the_page.status, 409, "{}", at_the_page.text);
    assert_eq!(world.asked("Pay"), 0);
    pass(76 * 60).await;
    world.check().await;
    assert_eq!(world.unattended("b").await.status, 201);
    assert!(begun["redirect_url"].is_string());
    world.agrees("after the session").await;
    // Of many at once, with one key or several, one charges.
    let world = World::wallet(&[]).await;
    let keys = ["a", "b", "a", "c", "a", "b"];
    join_all(keys.map(|key| world.unattended(key))).await;
    pass(120).await;
    join_all(keys.map(|key| world.unattended(key))).await;
    assert_eq!(world.asked("Pay"), 1);
    world.agrees("many at once").await;
    // MPay was first.
    let world = World::wallet(&[]).await;
    record(&world.api.memory, "P", "1", "19.99").await.unwrap();
    assert_eq!(world.unattended("a").await.status, 409);
    assert_eq!(world.asked("Pay"), 0);
}

#[tokio::test(start_paused = true)]
async fn wishes_for_a_saved_card_that_do_not_fit_are_refused() {
    let whole = json!({"customer": "ana", "card": "card-1", "unattended": true});
    let url = json!("https://shop.example.md/");
    for (wallet, change, named) in [
        (false, json!({}), "customer"),
        (true, json!({"customer": null}), "customer"),
        (true, json!({"card": null}), "card"),
        (true, json!({"return_url": url}), "return_url"),
        (true, json!({"language": "ro"}), "language"),
        (true, json!({"capture": "manual"}), "capture"),
        (true, json!({"customer": "ana;Amount=1"}), "customer"),
        (true, json!({"customer": " ana"}), "customer"),
        (true, json!({"customer": "a".repeat(51)}), "customer"),
        (true, json!({"card": "card-1;Amount=1"}), "card"),
        (
            true,
            json!({"unattended": false, "customer": null, "return_url": url}),
            "customer",
        ),
        (true, json!({"unattended": false}), "return_url"),
    ] {
        let world = match wallet {
            true => World::wallet(&[]).await,
            false => World::new(&[]).await,
        };
        let mut body = whole.clone();
        let change = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(change);
        body.as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let answer = world
            .api
            .post_as("k", "orders/TAX/1/card-payments", &body)
            .await;
        assert_eq!(answer.status, 422, "{body} {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["field"], named, "{body}");
        assert_eq!(world.asked("Pay") + world.asked("Init"), 0);
    }
    let world = World::new(&[]).await;
    for (method, path) in [
        ("PUT", "ana"),
        ("GET", "ana"),
        ("GET", "ana/cards"),
        ("DELETE", "ana"),
    ] {
        let answer = world.customer(method, path, json!({})).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert!(answer.text.contains("card_interface"), "{}", answer.text);
    }
}

/// A refund that is lost may be done long after it was sent. So it counts as money that may be gone until
/// somebody who has looked says otherwise.
#[tokio::test(start_paused = true)]
async fn after_a_refund_of_which_nothing_was_seen_a_manager_must_have_looked() {
    let lost = async || {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.plan("Refund", [Mischief::Undone]);
        assert_eq!(world.refund("a", &id, "5").await.status, 202);
        pass(16 * 60).await;
        world.check().await;
        (world, id)
    };
    let (world, id) = lost().await;
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(found["commands"][0]["outcome"], "unseen");
    for key in ["a", "b"] {
        assert_eq!(
            world.refund(key, &id, "1").await.status,
            if key == "a" { 422 } else { 409 }
        );
    }
    let said = world.refund("b", &id, "1").await.text;
    assert!(
        said.contains("5.00") && said.contains("checked_in_cabinet"),
        "{said}"
    );
    assert_eq!(world.asked("Refund"), 1);
    let body = json!({"amount": "5", "note": "n", "checked_in_cabinet": true});
    let address = format!("card-payments/{id}/refunds");
    let mut program = Api::with(&VARIABLES);
    program.memory = world.api.memory.clone();
    let program = program.into_role(Role::Program);
    assert_eq!(program.post_as("p", &address, &body).await.status, 403);
    let checked = world.api.post_as("c", &address, &body).await;
    assert_eq!(checked.status, 201, "{}", checked.text);
    assert_eq!(
        world.refund("d", &id, "5").await.status,
        201,
        "it was looked for"
    );
    world.agrees("looked for").await;

    // It is done hours later: that is seen, and needs no word.
    let (world, id) = lost().await;
    assert_eq!(world.check().await["open"], 1);
    world.change(&id, |deal| deal.give_back(500));
    pass(3600).await;
    assert_eq!(world.check().await["open"], 0);
    world.agrees("done late").await;
    assert_eq!(world.refund("b", &id, "5").await.status, 201);
    // If nothing comes of it, it is asked for during three days.
    let (world, _) = lost().await;
    for hours in [24, 24, 23] {
        pass(hours * 3600).await;
        assert_eq!(world.check().await["open"], 1);
    }
    pass(2 * 3600).await;
    assert_eq!(world.check().await["open"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_in_another_way_is_not_given_back_by_card_without_a_word() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    let patch = async |change: Value| {
        let answer = world.api.call(
            "PATCH",
            "orders/TAX/1",
            "application/merge-patch+json",
            change.to_string(),
        );
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    patch(json!({"status": "Refunding"})).await;
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    patch(json!({"status": "Refunded", "refund_reference": "OP 77"})).await;
    let refused = world.refund("b", &id, "5").await;
    assert_eq!(refused.status, 409);
    for word in ["OP 77", "despite_refunded"] {
        assert!(refused.text.contains(word), "{}", refused.text);
    }
    // What was done before is told all the same.
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    assert_eq!(world.asked("Refund"), 1);
    let body = json!({"amount": "5", "note": "n", "despite_refunded": true});
    let address = format!("card-payments/{id}/refunds");
    let mut program = Api::with(&VARIABLES);
    program.memory = world.api.memory.clone();
    let program = program.into_role(Role::Program);
    assert_eq!(program.post_as("p", &address, &body).await.status, 403);
    let sent = world.api.post_as("c", &address, &body).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    world.agrees("despite").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_charged_back_is_as_much_as_the_gateway_tells() {
    let reviews = async |world: &World, id: &str| {
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        (payment["amount"].clone(), payment["review"].clone())
    };
    // A part was given back in the cabinet before anybody looked.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| {
        deal.give_back(999);
        deal.state = "Chargeback".into();
    });
    for _ in 0..2 {
        world.ask(&id).await;
    }
    let both = json!(["charged-back", "mismatch"]);
    assert_eq!(reviews(&world, &id).await, (json!("19.99"), both));
    // Of a hold, less was taken.
    let world = World::new(&[]).await;
    let begun = world.begin_as("k", json!({"capture": "manual"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, |deal| {
        deal.taken = 500;
        deal.state = "Chargeback".into();
    });
    world.ask(&id).await;
    let all = json!(["under-paid", "mismatch", "charged-back"]);
    assert_eq!(reviews(&world, &id).await, (json!("5.00"), all));
    // Whole, and with nothing left: there is nothing else to say.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| deal.give_back(1999));
    world.ask(&id).await;
    world.change(&id, |deal| deal.state = "Chargeback".into());
    world.ask(&id).await;
    let one = json!(["charged-back"]);
    assert_eq!(reviews(&world, &id).await, (json!("19.99"), one));
    world.change(&id, |deal| (deal.back, deal.state) = (0, "Charged".into()));
    world.ask(&id).await;
    let both = json!(["charged-back", "mismatch"]);
    assert_eq!(reviews(&world, &id).await.1, both);
}

/// Somebody must look for the money, whatever else they were told of the payment on that day.
#[tokio::test(start_paused = true)]
async fn people_are_told_that_a_bank_took_back_what_was_refunded() {
    let world = World::new(&ALERTS).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| deal.give_back(1999));
    world.ask(&id).await;
    world.alerts();
    // The gateway contradicts itself, which is told first.
    world.change(&id, |deal| (deal.back, deal.state) = (0, "Charged".into()));
    world.ask(&id).await;
    let told = |review: &str| json!({"payment_id": id, "review": review});
    assert!(world.alerts().contains(&told("mismatch")));
    world.change(&id, |deal| {
        (deal.back, deal.state) = (1999, "Chargeback".into())
    });
    world.ask(&id).await;
    assert!(world.alerts().contains(&told("charged-back")));
    // Once.
    world.ask(&id).await;
    assert!(world.alerts().is_empty());
}

/// One thing that people are told of a payment does not use up the others of that day.
#[tokio::test(start_paused = true)]
async fn people_are_told_each_thing_of_a_hold() {
    let world = World::new(&ALERTS).await;
    let begun = world.begin_as("k", json!({"capture": "manual"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    // One o'clock in the night, before the hold is over at nine.
    pass(7 * DAY + 16 * 3600).await;
    world.alerts();
    for state in ["New", "Authorized"] {
        world.change(&id, |deal| deal.state = state.into());
        world.ask(&id).await;
    }
    for (name, command) in [("Unblock", "cancel"), ("Charge", "charge")] {
        world.plan(name, [Mischief::Undone]);
        let address = format!("card-payments/{id}/{command}");
        let sent = world.api.call("POST", &address, "", "").await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        pass(16 * 60).await;
        world.ask(&id).await;
    }
    pass(8 * 3600).await;
    assert_eq!(world.ask(&id).await["ended"], "unclear");
    let told = [
        json!({"payment_id": id, "state": "New"}),
        json!({"payment_id": id, "state": "held"}),
        json!({"payment_id": id, "command": "cancel"}),
        json!({"payment_id": id, "command": "charge"}),
        json!({"payment_id": id, "state": "Authorized"}),
    ];
    assert_eq!(world.alerts(), told);
}

#[tokio::test(start_paused = true)]
async fn people_are_told_what_a_hold_waits_for() {
    let world = World::new(&ALERTS).await;
    let [one, two] = holds(&world, ["checked"; 2], 0).await;
    world.plan("Charge", [Mischief::Refused("PROCESSING_ERROR")]);
    world.ask(&one).await;
    for minutes in [0, 59] {
        pass(minutes * 60).await;
        world.ask(&two).await;
        assert!(world.alerts().is_empty(), "{minutes}");
    }
    pass(60).await;
    world.ask(&two).await;
    let told = json!({"payment_id": two, "waits_for": one});
    assert_eq!(world.alerts(), [told]);
    assert_eq!(world.deal(&two).state, "Authorized");
}

/// Nobody knows whether it is still wanted once the call of whoever wanted it was stopped.
#[tokio::test(start_paused = true)]
async fn what_somebody_decided_on_is_told_and_not_done_by_itself() {
    let decide = async |world: &World, id: &str| {
        let store = Ledger::new(world.api.memory.clone());
        let (id, key) = (PaymentId::parse(id).unwrap(), OrderKey::parse("1").unwrap());
        let service = ServiceId::parse("TAX").unwrap();
        let cards = store.card_payments();
        let taken = cards.take(&id, &service, &key, |_| Ok(()));
        taken.await.unwrap();
    };
    for what in ["charge", "cancel", "lapsed"] {
        let world = World::new(&ALERTS).await;
        let begun = world.begin_as("k", json!({"capture": "manual"})).await;
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        pass(3600).await;
        assert_eq!(world.ask(&id).await.get("decided_at"), None);
        decide(&world, &id).await;
        let decided = json!("2026-06-01T13:00:00+03:00");
        for minutes in [0, 59] {
            pass(minutes * 60).await;
            assert_eq!(world.ask(&id).await["decided_at"], decided);
            assert!(world.alerts().is_empty(), "{minutes}");
        }
        // The timer looks at a hold each hour.
        for _ in 0..62 {
            pass(60).await;
            world.check().await;
        }
        let told = json!({"payment_id": id, "decided_at": decided});
        assert_eq!(world.alerts(), [told], "once");
        assert_eq!(world.asked("Charge") + world.asked("Unblock"), 0);
        if what == "lapsed" {
            pass(8 * DAY).await;
            assert_eq!(world.ask(&id).await["ended"], "unclear");
        } else {
            // Sent and not done, it is like any other that was not done.
            let word = if what == "charge" {
                "Charge"
            } else {
                "Unblock"
            };
            world.plan(word, [Mischief::Refused("PROCESSING_ERROR")]);
            let address = format!("card-payments/{id}/{what}");
            let refused = world.api.call("POST", &address, "", "").await;
            assert_eq!(refused.status, 409, "{}", refused.text);
            let is_shown = world.ask(&id).await.get("decided_at").is_some();
            assert_eq!(is_shown, what == "cancel");
            let done = world.api.call("POST", &address, "", "").await;
            assert_eq!(done.status, 200, "{}", done.text);
        }
        assert_eq!(world.ask(&id).await.get("decided_at"), None, "{what}");
        world.agrees(what).await;
    }
    // What this provider decides on by itself, it goes on with.
    let world = World::new(&ALERTS).await;
    let begun = world.begin_as("k", json!({"capture": "checked"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    decide(&world, &id).await;
    assert_eq!(world.ask(&id).await["state"], "paid");
    assert!(world.alerts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refund_is_not_done_because_others_gave_more_back() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    for (key, left) in [("a", 999), ("b", 0)] {
        world.plan("Refund", [Mischief::Undone]);
        assert_eq!(world.refund(key, &id, "1").await.status, 202);
        world.change(&id, |deal| deal.give_back(deal.taken - deal.back - left));
        assert_eq!(world.refund(key, &id, "1").await.status, 202, "{left}");
        pass(16 * 60).await;
        world.check().await;
        let found = world.api.get(&format!("card-payments/{id}")).await.json();
        let commands = found["commands"].as_array().unwrap();
        assert_eq!(commands.last().unwrap()["outcome"], "unseen", "{found}");
        if left > 0 {
            // A manager has looked, and gives it back again.
            let body = json!({"amount": "1", "note": "n", "checked_in_cabinet": true});
            let address = format!("card-payments/{id}/refunds");
            let answer = world.api.post_as("c", &address, &body).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
    }
    world.agrees("others gave back").await;
}

#[tokio::test(start_paused = true)]
async fn the_night_finds_what_was_paid_after_the_session_was_said_to_be_over() {
    let world = World::new(&[("card_session_minutes", "1")]).await;
    let id = world.begin().await;
    pass(17 * 60).await;
    assert_eq!(world.check().await["open"], 0);
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(found["ended"], "unpaid");
    let recheck = "card-payments/recheck?from=2026-06-01&to=2026-06-01";
    let asked = world.api.call("POST", recheck, "", "").await.json();
    assert_eq!(asked["asked"], 1, "{asked}");
    assert_eq!(world.order().await["status"], "Active");
    world.change(&id, Deal::pay);
    world.api.call("POST", recheck, "", "").await;
    assert_eq!(world.order().await["status"], "Paid");
    world.agrees("paid after the end").await;
}

#[tokio::test(start_paused = true)]
async fn money_of_a_card_under_the_id_of_another_payment_is_looked_at() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    record(&world.api.memory, &id, "1", "10").await.unwrap();
    world.change(&id, Deal::pay);
    assert_eq!(world.ask(&id).await["state"], "paid");
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["channel"], "mpay");
    let reviews = payment["review"].as_array().unwrap();
    assert!(reviews.contains(&json!("mismatch")), "{payment}");
    assert_eq!(world.refund("a", &id, "1").await.status, 409);
    assert_eq!(payment.get("refunds"), None);
}

#[tokio::test(start_paused = true)]
async fn a_session_over_other_lines_is_not_given_again() {
    let world = World::new(&[]).await;
    let line = |id: &str| json!([{"line_id": id, "reason": "L", "amount_due": "19.99"}]);
    world.put(line("a")).await;
    let id = world.begin().await;
    let again = world.begin_as("second", json!({})).await;
    assert_eq!(again.json()["id"], id);
    world.put(line("b")).await;
    let other = world.begin_as("third", json!({})).await;
    assert_eq!(other.status, 201, "{}", other.text);
    let id = other.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["lines"][0]["line_id"], "b");
    assert_eq!(world.order().await["status"], "Paid");
}

#[tokio::test(start_paused = true)]
async fn who_is_kept_from_beginning_is_told_until_when() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, |deal| deal.state = "PreAuthorized3DS".into());
    let kept = world.begin_as("second", json!({})).await;
    assert_eq!(kept.status, 409);
    for word in ["2026-06-04T12:00", "MPay"] {
        assert!(kept.text.contains(word), "{}", kept.text);
    }
}

/// A payer who left at their bank's page, or whose money is held.
#[tokio::test(start_paused = true)]
async fn a_payer_who_is_kept_from_the_gateway_is_told_until_when_and_how_to_pay_now() {
    const BY_MPAY: &str = "/service/pay\"";
    let pages = [("page_key", "0123456789012345678901234567890123456789")];
    for (language, at) in [
        ("ro", "04.06.2026, 12:00"),
        ("ru", "04.06.2026, 12:00"),
        ("en", "4 Jun 2026, 12:00"),
    ] {
        let world = World::new(&pages).await;
        let order = world.order().await;
        let page = order["pay_url"].as_str().unwrap();
        let path = page.strip_prefix("https://pay.example.md").unwrap();
        let address = format!("{path}/card?lang={language}");
        let press = || world.at("POST", &address, "");
        press().await;
        let id = world.gateway.lock().unwrap().deals.keys().next().cloned();
        let id = id.unwrap();
        world.change(&id, |deal| deal.state = "PreAuthorized3DS".into());
        let kept = press().await;
        assert_eq!(kept.status, 409);
        let back = format!("href=\"{path}?lang={language}\"");
        for part in [at, BY_MPAY, &back] {
            assert!(kept.text.contains(part), "{part}: {}", kept.text);
        }
        // Whoever looks at it in the office is told the same.
        let told = world.api.get(&format!("card-payments/{id}")).await.json();
        assert_eq!(told["unclear_until"], "2026-06-04T12:00:00+03:00");
        // If the gateway says nothing, nobody knows until when.
        world.change(&id, |deal| deal.state = "New".into());
        world.ask(&id).await;
        world.plan("GetState", [Mischief::Undone]);
        let silent = press().await;
        assert_eq!(silent.status, 409);
        assert!(silent.text.contains(BY_MPAY), "{}", silent.text);
        assert!(!silent.text.contains(at), "{}", silent.text);
    }
    // Whose money is held is not led to pay it again.
    let world = World::new(&[pages.as_slice(), &[("card_capture", "manual")]].concat()).await;
    let order = world.order().await;
    let page = order["pay_url"].as_str().unwrap();
    let path = page.strip_prefix("https://pay.example.md").unwrap();
    let address = format!("{path}/card?lang=en");
    let press = || world.at("POST", &address, "");
    press().await;
    let id = world.gateway.lock().unwrap().deals.keys().next().cloned();
    let id = id.unwrap();
    world.change(&id, Deal::pay);
    let held = press().await;
    assert_eq!(held.status, 409);
    assert!(
        held.text.contains("is held on a card already"),
        "{}",
        held.text
    );
    assert!(!held.text.contains(BY_MPAY), "{}", held.text);
    let by_api = world.begin_as("k", json!({})).await;
    assert_eq!(by_api.status, 409);
    for word in [&*id, "Charge or cancel it"] {
        assert!(by_api.text.contains(word), "{}", by_api.text);
    }
    let told = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(told.get("unclear_until"), None);
}

#[tokio::test(start_paused = true)]
async fn who_asks_a_silent_gateway_is_told_that_it_is_silent() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    assert!(world.ask(&id).await.get("unanswered").is_none());
    world.plan("GetState", [Mischief::Undone]);
    let found = world.ask(&id).await;
    assert_eq!(found["state"], "open");
    assert!(!found["unanswered"].as_str().unwrap().is_empty(), "{found}");
}

/// Whoever stands still for longer than a call lasts sends nothing that was given up meanwhile.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_stopped_for_long_charges_nothing_that_another_has_charged() {
    for position in 0..40 {
        let world = World::wallet(&[]).await;
        let late = Fault::Delay(Duration::from_secs(90));
        let faults = std::iter::repeat_n(Fault::None, position).chain([late]);
        world.api.memory.script(faults);
        let other = async {
            pass(70).await;
            world.unattended("b").await
        };
        let (_, other) = tokio::join!(world.unattended("a"), other);
        assert!(
            matches!(other.status, 201 | 409),
            "{position} {}",
            other.text
        );
        assert_eq!(world.asked("Pay"), 1, "{position}");
        for _ in 0..2 {
            pass(60).await;
            world.check().await;
        }
        world.agrees(&format!("stopped at {position}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_repetition_long_afterwards_gets_the_payment_that_was_made_in_the_end() {
    let world = World::wallet(&[]).await;
    let order = json!({
        "reason": "x", "allow_partial_payments": true,
        "lines": [{"line_id": "1", "reason": "x", "amount_due": "100.00"}]
    });
    let put = world
        .api
        .call("PUT", "orders/TAX/2", "application/json", order.to_string());
    assert_eq!(put.await.status, 201);
    let charge = async |key: &str| {
        let body = json!({
            "customer": "ana", "card": "card-1", "unattended": true, "amount": "5"
        });
        world
            .api
            .post_as(key, "orders/TAX/2/card-payments", &body)
            .await
    };
    world.plan("Pay", [Mischief::NotSent]);
    assert_eq!(charge("a").await.status, 503);
    let made = charge("a").await;
    assert_eq!(made.status, 201, "{}", made.text);
    // The order has forgotten by then what came to nothing.
    pass(11 * 24 * 3600).await;
    assert_eq!(charge("b").await.status, 201);
    let again = charge("a").await;
    assert_eq!(
        (again.status, &again.json()["id"]),
        (200, &made.json()["id"])
    );
    assert_eq!(world.asked("Pay"), 3);
}
