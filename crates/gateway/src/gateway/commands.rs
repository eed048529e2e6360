//! The commands of the merchant, and the answers to them.

use std::time::Duration;

use jiff::SignedDuration;

use super::{
    Answer, Customer, KEPT, Saved, Session,
    world::{World, truth},
};
use crate::{
    Options,
    card::{Deed, Step},
    journal::Entry,
    mischief::{self, Mischief, Strikes, disguise},
    order::{Order, State},
    wire::{self, Element, Interface, Parameters},
};

impl World {
    #[allow(clippy::too_many_arguments, reason = "a request has these parts")]
    pub(super) fn answer(
        &mut self,
        options: &Options,
        interface: Interface,
        command: &str,
        entry: &mut Entry,
        content_type: Option<&str>,
        query: &str,
        body: &[u8],
    ) -> Answer {
        let given = |status, body| Answer::Given {
            status,
            body,
            after: Duration::ZERO,
        };
        if !options.interfaces.contains(&interface) {
            entry.complaint = Some("This interface is not played.".to_owned());
            return given(404, String::new());
        }
        let Some(shape) = wire::shape(interface, command) else {
            entry.complaint = Some(format!("There is no command {command}."));
            return given(404, String::new());
        };
        let refuse = |order_id: Option<&str>, code: &str| {
            given(200, Element::failure(command, order_id, code).xml())
        };
        let parameters = match wire::read(&shape, content_type, query, body) {
            Ok(parameters) => parameters,
            Err(complaint) => {
                entry.complaint = Some(complaint);
                return refuse(None, "WRONG_PARAMS");
            }
        };
        entry.sent = shown(&parameters);
        entry.order_id = parameters.get("OrderId").cloned();
        let order_id = parameters.get("OrderId").map(String::as_str);
        let terminal = parameters.get("Key").or_else(|| parameters.get("VWID"));
        if terminal != Some(&options.terminal) {
            entry.complaint = Some("Key or VWID is another terminal's.".to_owned());
            return refuse(order_id, "ACCESS_DENIED");
        }
        if parameters
            .get("Password")
            .is_some_and(|p| *p != options.password)
        {
            entry.complaint = Some("Password is wrong.".to_owned());
            return refuse(order_id, "ACCESS_DENIED");
        }
        let strikes = Strikes::Answer;
        let mischief = mischief::take(&mut self.plans, strikes, order_id, Some(command));
        if mischief == Some(Mischief::NotDoneAnswerLost) {
            return Answer::Lost;
        }
        let mut after = Duration::ZERO;
        let mut answer = match self.run(options, interface, command, &parameters, &mut after) {
            Ok(element) => element,
            Err(Refusal::Complaint(complaint)) => {
                entry.complaint = Some(complaint);
                Element::failure(command, order_id, "WRONG_PARAMS")
            }
            Err(Refusal::Code(code)) => Element::failure(command, order_id, code),
        };
        match mischief {
            Some(Mischief::DoneAnswerLost) => return Answer::Lost,
            Some(Mischief::ServerError) => return given(500, "<h1>Server Error</h1>".into()),
            Some(Mischief::NoXml) => return given(200, "<html><body>Try later<br></html>".into()),
            mischief => disguise(mischief, &mut answer),
        }
        Answer::Given {
            status: 200,
            body: answer.xml(),
            after,
        }
    }

    fn run(
        &mut self,
        options: &Options,
        interface: Interface,
        command: &str,
        parameters: &Parameters,
        after: &mut Duration,
    ) -> Result<Element, Refusal> {
        let get = |name: &str| parameters.get(name).map(String::as_str);
        let order_id = get("OrderId").unwrap_or_default();
        if get("OrderId").is_some() && !is_order_id(order_id) {
            let complaint = "OrderId must have 1 to 50 Latin letters and digits.";
            return Err(Refusal::Complaint(complaint.to_owned()));
        }
        let amount = amount_of(parameters).map_err(Refusal::Complaint)?;
        let element = Element::success(command);
        match command {
            "Init" => self.init(options, interface, parameters, amount),
            "GetState" | "PayStatus" => self.state(command, order_id),
            "Charge" | "Unblock" | "Refund" => {
                let rrn = self.reference();
                let order = self
                    .order(order_id)
                    .ok_or(Refusal::Code("ORDER_NOT_FOUND"))?;
                let (step, outcome) = match command {
                    "Charge" => (Step::Charge, order.charge(amount)),
                    "Unblock" => (Step::Unblock, order.release()),
                    _ => (Step::Refund, order.refund(amount)),
                };
                let is_slow = outcome.is_ok() && order.is_slow(step);
                if outcome.is_ok() {
                    order.rrn = Some(rrn);
                }
                self.tell_of(order_id, command, outcome);
                if is_slow {
                    self.be_busy(Some(order_id), options.slow);
                    *after = options.slow;
                }
                let told = outcome.map_err(Refusal::Code)?;
                let name = if command == "Charge" {
                    "Amount"
                } else {
                    "NewAmount"
                };
                Ok(element.with("OrderId", order_id).with(name, told))
            }
            "Pay" => {
                let amount = amount.unwrap_or_default();
                self.pay_saved(options, parameters, order_id, amount, after)?;
                let login = get("VWUserLgn").unwrap_or_default();
                Ok(element
                    .with("OrderId", order_id)
                    .with("Amount", amount)
                    .with("VWUserLgn", login))
            }
            _ => self.of_customer(command, parameters, amount),
        }
    }

    fn init(
        &mut self,
        options: &Options,
        interface: Interface,
        parameters: &Parameters,
        amount: Option<u64>,
    ) -> Result<Element, Refusal> {
        let get = |name: &str| parameters.get(name).map(String::as_str);
        let complain = |text: &str| Err(Refusal::Complaint(text.to_owned()));
        let purpose = get("SessionType").unwrap_or_default();
        let adds = match purpose {
            "Pay" | "Block" => false,
            "Add" if interface == Interface::Wallet => true,
            _ => return complain("SessionType must be Pay or Block, or at the Wallet Add."),
        };
        let url = get("Url").unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return complain("Url must be an address of the web.");
        }
        let customer = match interface {
            Interface::ApPay => None,
            Interface::Wallet => {
                let login = get("VWUserLgn").unwrap_or_default();
                let password = get("VWUserPsw").unwrap_or_default();
                // The Wallet makes a customer whom it does not know.
                if !self.customers.iter().any(|c| c.login == login) {
                    self.register(login, password);
                }
                self.customer(login, password)?;
                Some(login.to_owned())
            }
        };
        let id = self.id();
        let now = self.now();
        let order_id = match (adds, get("OrderId"), amount) {
            (true, None, None) => None,
            (true, ..) => return complain("A session for Add has neither OrderId nor Amount."),
            (false, Some(order_id), Some(asked)) => {
                if self.order(order_id).is_some() {
                    return Err(Refusal::Code("DUPLICATE_ORDER_ID"));
                }
                self.add(Order {
                    customer: customer.clone(),
                    ..new_order(order_id, interface, purpose == "Block", asked)
                });
                Some(order_id.to_owned())
            }
            (false, ..) => return complain("A session for Pay or Block has OrderId and Amount."),
        };
        let known = ["Product", "Description"];
        let mut session = Session {
            id: id.clone(),
            interface,
            order_id: order_id.clone(),
            customer,
            url: url.to_owned(),
            language: get("Language").map(str::to_owned),
            texts: known
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), get(name)?.to_owned())))
                .collect(),
            expires: now + SignedDuration::try_from(options.session).unwrap_or_default(),
            at_3ds: None,
            is_done: false,
            code: None,
        };
        let order = order_id.as_deref();
        if mischief::take_this(&mut self.plans, Mischief::SessionOver, order) {
            session.expires = now;
        }
        if self.sessions.len() == KEPT {
            self.sessions.remove(0);
        }
        self.sessions.push(session);
        if let Some(order_id) = order {
            self.forge(order_id);
        }
        let mut element = Element::success("Init");
        if let (Some(order_id), Some(amount)) = (order_id, amount) {
            element = element.with("OrderId", order_id).with("Amount", amount);
        }
        Ok(element.with("SessionId", id))
    }

    fn add(&mut self, order: Order) {
        if self.orders.len() == KEPT {
            self.orders.remove(0);
        }
        self.orders.push(order);
    }

    fn state(&mut self, command: &str, order_id: &str) -> Result<Element, Refusal> {
        let now = self.now();
        self.busy.retain(|(_, until)| *until > now);
        if self.busy.iter().any(|(busy, _)| busy == order_id) {
            return Err(Refusal::Code("NONE"));
        }
        let mut sessions = self.sessions.iter();
        let is_over = sessions
            .find(|session| session.order_id.as_deref() == Some(order_id))
            .is_some_and(|session| now >= session.expires);
        let order = self
            .order(order_id)
            .ok_or(Refusal::Code("ORDER_NOT_FOUND"))?;
        if is_over && matches!(order.state, State::SessionInited | State::New) {
            return Err(Refusal::Code("ORDER_TIME_OUT"));
        }
        if is_over && order.state == State::PreAuthorized3ds {
            order.fail(order.card, "THREE_DS_TIME_OUT");
        }
        let mut element = Element::success(command)
            .with("OrderId", order_id)
            .with("State", order.state.name())
            .with("Forwarded", "False")
            .with("MerchantContract", "Merchant")
            .with("Amount", order.amount());
        if let Some(rrn) = &order.rrn {
            element = element.with("RRN", rrn);
        }
        if let Some(card) = order.card {
            element = element.with("PANMask", card.mask());
        }
        if let Some(login) = &order.customer {
            element = element.with("VWUserLgn", login);
        }
        if let Some(id) = &order.card_id {
            element = element.with("CardId", id);
        }
        let info = Element::new("AddInfo")
            .with("Key", "PaymentSystem")
            .with("Value", "Visa");
        Ok(element.with_child(info))
    }

    fn pay_saved(
        &mut self,
        options: &Options,
        parameters: &Parameters,
        order_id: &str,
        amount: u64,
        after: &mut Duration,
    ) -> Result<(), Refusal> {
        let get = |name: &str| parameters.get(name).map_or("", String::as_str);
        let customer = self.customer(get("VWUserLgn"), get("VWUserPsw"))?;
        let saved = customer.cards.iter().find(|card| card.id == get("CardId"));
        let saved = saved.cloned().ok_or(Refusal::Code("CARD_NOT_FOUND"))?;
        if !saved.is_active {
            return Err(Refusal::Code("WRONG_CARD"));
        }
        if self.order(order_id).is_some() {
            return Err(Refusal::Code("DUPLICATE_ORDER_ID"));
        }
        self.add(Order {
            customer: Some(get("VWUserLgn").to_owned()),
            card_id: Some(saved.id.clone()),
            is_unattended: true,
            tries: 1,
            ..new_order(order_id, Interface::Wallet, false, amount)
        });
        let code = match saved.card.deed {
            // Its holder is absent.
            Deed::Asks3ds | Deed::Fails3ds => Some("THREE_DS_AUTH_ERROR"),
            _ => saved.card.refuses(Step::Pay, amount),
        };
        let outcome = code.map_or(Ok(()), Err);
        self.settle_order(order_id, saved.card, outcome, None);
        if outcome.is_ok() && saved.card.is_slow(Step::Pay) {
            self.be_busy(Some(order_id), options.slow);
            *after = options.slow;
        }
        outcome.map_err(Refusal::Code)
    }

    fn register(&mut self, login: &str, password: &str) {
        if self.customers.len() == KEPT {
            self.customers.remove(0);
        }
        self.customers.push(Customer {
            login: login.to_owned(),
            password: password.to_owned(),
            cards: Vec::new(),
        });
    }

    /// A customer, if this is their password.
    fn customer(&mut self, login: &str, password: &str) -> Result<&mut Customer, Refusal> {
        let found = self.customers.iter_mut().find(|c| c.login == login);
        found
            .filter(|customer| customer.password == password)
            .ok_or(Refusal::Code("CUSTOMER_NOT_FOUND"))
    }

    fn of_customer(
        &mut self,
        command: &str,
        parameters: &Parameters,
        amount: Option<u64>,
    ) -> Result<Element, Refusal> {
        let get = |name: &str| parameters.get(name).map_or("", String::as_str);
        let (login, password) = (get("VWUserLgn"), get("VWUserPsw"));
        let is_right = |text: &str| (1..=50).contains(&text.chars().count());
        if !is_right(login) || (command != "Delete" && !is_right(password)) {
            let complaint = "VWUserLgn and VWUserPsw must have 1 to 50 characters.";
            return Err(Refusal::Complaint(complaint.to_owned()));
        }
        let element = Element::success(command).with("VWUserLgn", login);
        match command {
            "Register" => {
                if self.customers.iter().any(|c| c.login == login) {
                    return Err(Refusal::Code("DUPLICATE_USER"));
                }
                self.register(login, password);
                Ok(element)
            }
            "Delete" => {
                let before = self.customers.len();
                self.customers.retain(|customer| customer.login != login);
                match self.customers.len() < before {
                    true => Ok(element),
                    false => Err(Refusal::Code("USER_NOT_FOUND")),
                }
            }
            "GetList" => {
                let customer = self.customer(login, password)?;
                let item = |saved: &Saved| {
                    let status = if saved.is_active {
                        "IsActive"
                    } else {
                        "NotActive"
                    };
                    Element::new("Item")
                        .with("CardName", saved.card.mask())
                        .with("CardId", &saved.id)
                        .with("CardHolder", &saved.holder)
                        .with("Status", status)
                        .with("NoCVV", truth(saved.is_active))
                        .with("Expired", truth(false))
                };
                let children = customer.cards.iter().map(item).collect();
                Ok(Element {
                    children,
                    ..element
                })
            }
            "Remove" | "Activate" => {
                let customer = self.customer(login, password)?;
                let position = customer.cards.iter().position(|c| c.id == get("CardId"));
                let position = position.ok_or(Refusal::Code("CARD_NOT_FOUND"))?;
                if command == "Remove" {
                    customer.cards.remove(position);
                } else if let Some(saved) = customer.cards.get_mut(position) {
                    if amount != Some(saved.proof) {
                        return Err(Refusal::Code("AMOUNT_ERROR"));
                    }
                    saved.is_active = true;
                }
                Ok(element.with("CardId", get("CardId")))
            }
            // `Check` and `Update`: the contact data of a customer is not kept.
            _ => self.customer(login, password).map(|_| element),
        }
    }
}

/// A whole number of minor units.
fn amount_of(parameters: &Parameters) -> Result<Option<u64>, String> {
    let Some(text) = parameters.get("Amount") else {
        return Ok(None);
    };
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(amount) if is_number && amount > 0 => Ok(Some(amount)),
        _ => Err(format!(
            "Amount is \"{text}\", and must be whole minor units."
        )),
    }
}

/// The reason for which a command is not carried out.
enum Refusal {
    /// The request is malformed, for this reason.
    Complaint(String),
    /// The gateway refuses it, with this code.
    Code(&'static str),
}

fn new_order(id: &str, interface: Interface, holds: bool, asked: u64) -> Order {
    Order {
        id: id.to_owned(),
        interface,
        state: State::SessionInited,
        holds,
        asked,
        held: 0,
        taken: 0,
        given_back: 0,
        refunds: Vec::new(),
        tries: 0,
        code: None,
        card: None,
        card_id: None,
        customer: None,
        is_unattended: false,
        rrn: None,
    }
}

fn is_order_id(text: &str) -> bool {
    (1..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The parameters for the journal, without passwords.
fn shown(parameters: &Parameters) -> String {
    let shown = parameters.iter().map(|(name, value)| {
        let value = match name.as_str() {
            "Password" | "VWUserPsw" => "***",
            _ => value.as_str(),
        };
        format!("{name}={value}")
    });
    shown.collect::<Vec<_>>().join("\n")
}
