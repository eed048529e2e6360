//! Tests of payments by card against a gateway that keeps its own count of the money.

mod begin;
mod books;
mod holds;
mod interrupted;
mod observe;
mod pages;
mod refunds;
mod wallet;

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

/// The fate of a request.
#[derive(Clone)]
enum Mischief {
    /// It is carried out, but its answer is lost.
    Lost,
    /// It is not carried out, and has no answer.
    Undone,
    /// No connection is made.
    NotSent,
    /// It is carried out, and this is the answer.
    Answer(u16, String),
    /// It is not carried out, but refused with this code.
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
    /// The banks' number of the latest refund.
    refund_rrn: Option<&'static str>,
}

#[derive(Default)]
struct Gateway {
    deals: HashMap<String, Deal>,
    plan: HashMap<&'static str, VecDeque<Mischief>>,
    asked: Vec<String>,
    /// Customers of the Wallet: their passwords, and their saved cards.
    customers: HashMap<String, (String, Vec<Saved>)>,
    /// True if the gateway has the interface Wallet.
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

    /// Answers a request about a customer of the Wallet.
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

    /// A world with the interface Wallet, and a customer `ana` with an active card.
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

    /// Begins a payment, and returns its id.
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

    /// The alerts about payments by card since the last call of this function.
    fn alerts(&self) -> Vec<Value> {
        let sent = self.api.memory.take_sent();
        let bodies = sent
            .iter()
            .map(|request| serde_json::from_slice(request.body()));
        let bodies = bodies.map(Result::<Value, _>::unwrap);
        let of_cards = bodies.filter(|body| body["type"] == "alert.card");
        of_cards.map(|body| body["data"].clone()).collect()
    }

    /// Asserts that the money taken at the gateway and the money in the books agree.
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
