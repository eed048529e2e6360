//! The gateway itself: orders, sessions, customers, and what its commands do to them. It has no network:
//! a request comes in as bytes, an answer goes out as bytes, notifications wait to be taken.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use jiff::{SignedDuration, Timestamp};

use crate::{
    Options,
    card::{CODE, Card, Deed, Step},
    journal::{Entry, Journal, Kind},
    mischief::{self, Mischief, Plan, Strikes, disguise},
    order::{Order, State},
    wire::{self, Element, Interface, Parameters},
};

/// Payments, sessions and customers that are kept of each; older ones are forgotten.
const KEPT: usize = 10_000;
/// Cards of a customer.
const CARDS_OF_CUSTOMER: usize = 20;
/// How much later a notification comes that comes late.
const LATE: Duration = Duration::from_secs(60);

/// A gateway in memory.
#[derive(Debug)]
pub struct Gateway {
    options: Options,
    world: Mutex<World>,
    /// Is told of notifications.
    posted: Arc<Notify>,
}

#[derive(Debug, Default)]
struct World {
    orders: Vec<Order>,
    sessions: Vec<Session>,
    customers: Vec<Customer>,
    plans: Vec<Plan>,
    notices: Vec<Notice>,
    /// Notifications that come after the next one of the same payment.
    held_back: Vec<Notice>,
    busy: Vec<(String, Timestamp)>,
    journal: Journal,
    notify: Option<String>,
    now: Option<Timestamp>,
    count: u64,
    posted: Arc<Notify>,
}

/// A session of a payer.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub id: String,
    pub interface: Interface,
    /// The payment; none if a card is to be saved.
    pub order_id: Option<String>,
    pub customer: Option<String>,
    pub url: String,
    pub language: Option<String>,
    pub texts: Vec<(String, String)>,
    pub expires: Timestamp,
    /// The card that is at 3-D Secure, and whether it is to be saved.
    pub at_3ds: Option<(&'static Card, bool)>,
    /// Whether it came to a good end.
    pub is_done: bool,
    pub code: Option<&'static str>,
}

/// A customer of the Wallet.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub login: String,
    password: String,
    pub cards: Vec<Saved>,
}

/// A card that a customer saved.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub id: String,
    pub card: &'static Card,
    pub holder: String,
    pub is_active: bool,
    /// The small amount that is held on it to prove whose it is.
    pub proof: u64,
}

/// A notification that is to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its name.
    pub name: String,
    /// The payment.
    pub order_id: Option<String>,
    /// The form.
    pub body: String,
    /// How long to wait before it is posted.
    pub after: Duration,
}

/// What goes back to the merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An answer.
    Given {
        /// The status.
        status: u16,
        /// The document.
        body: String,
        /// How long it takes until it comes.
        after: Duration,
    },
    /// None: the connection breaks off.
    Lost,
}

impl Answer {
    /// The document, if there is one.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        match self {
            Self::Given { body, .. } => Some(body),
            Self::Lost => None,
        }
    }
}

/// What a payer typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed<'a> {
    pub number: &'a str,
    pub month: &'a str,
    pub year: &'a str,
    pub code: &'a str,
    pub holder: &'a str,
    pub saves: bool,
    /// A saved card instead of a number.
    pub saved: Option<&'a str>,
}

/// What comes after what a payer typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing was tried.
    Mistake(Mistake),
    /// 3-D Secure.
    Asks3ds,
    /// The result, after so long.
    Result(Duration),
}

/// What is wrong with what a payer typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Not one of the cards that exist here.
    NoCard,
    Expired,
    SessionOver,
}

impl Gateway {
    /// An empty gateway.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut world = World::default();
        world.plans.extend(options.mischief.map(Plan::new));
        world.notify.clone_from(&options.notify);
        Self {
            options,
            posted: Arc::clone(&world.posted),
            world: Mutex::new(world),
        }
    }

    /// What it was started with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Sets the time, which then stands still; `None` is the machine's own.
    pub fn set_time(&self, now: Option<Timestamp>) {
        self.world().now = now;
    }

    /// Says where notifications are posted from now on.
    pub fn set_notify(&self, url: &str) {
        self.world().notify = Some(url.to_owned());
    }

    /// Where notifications are posted.
    #[must_use]
    pub fn notify(&self) -> Option<String> {
        self.world().notify.clone()
    }

    /// Lets something go wrong.
    pub fn plan(&self, plan: Plan) {
        self.world().plans.push(plan);
    }

    /// Everything that is planned goes right again.
    pub fn clear_plans(&self) {
        self.world().plans.clear();
    }

    /// All payments, the oldest first.
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        self.world().orders.clone()
    }

    /// A payment.
    #[must_use]
    pub fn order(&self, id: &str) -> Option<Order> {
        let world = self.world();
        world.orders.iter().find(|order| order.id == id).cloned()
    }

    /// The journal, the oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.world().journal.entries()
    }

    pub(crate) fn journal_json(&self) -> serde_json::Value {
        self.world().journal.to_json()
    }

    pub(crate) fn note(&self, mut entry: Entry) {
        let mut world = self.world();
        entry.at = world.now();
        world.journal.add(entry);
    }

    /// The notifications that wait to be posted. They are in the order in which they are to be sent.
    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.world().notices)
    }

    /// Waits until there may be notifications to take.
    pub(crate) async fn noticed(&self) {
        self.posted.notified().await;
    }

    pub(crate) fn session(&self, id: &str) -> Option<Session> {
        let world = self.world();
        world.sessions.iter().find(|s| s.id == id).cloned()
    }

    /// The session in which a payment can be paid.
    #[must_use]
    pub fn session_of(&self, order_id: &str) -> Option<String> {
        let world = self.world();
        let mut sessions = world.sessions.iter().rev();
        let found = sessions.find(|session| session.order_id.as_deref() == Some(order_id));
        found.map(|session| session.id.clone())
    }

    pub(crate) fn is_over(&self, session: &Session) -> bool {
        self.world().now() >= session.expires
    }

    pub(crate) fn customer(&self, login: &str) -> Option<Customer> {
        let world = self.world();
        world.customers.iter().find(|c| c.login == login).cloned()
    }

    /// Answers a request of the merchant: `POST /{path}/{command}`.
    pub fn command(
        &self,
        interface: Interface,
        command: &str,
        content_type: Option<&str>,
        query: &str,
        body: &[u8],
    ) -> Answer {
        let mut world = self.world();
        let mut entry = Entry::new(
            world.now(),
            Kind::Command,
            format!("/{}/{command}", interface.path()),
        );
        let answer = world.answer(
            &self.options,
            interface,
            command,
            &mut entry,
            content_type,
            query,
            body,
        );
        entry.answer = match &answer {
            Answer::Given {
                status: 200, body, ..
            } => body.clone(),
            Answer::Given { status, .. } => format!("HTTP {status}"),
            Answer::Lost => "—".to_owned(),
        };
        world.journal.add(entry);
        answer
    }

    /// The page of a session was opened.
    pub(crate) fn open(&self, session: &Session) {
        let mut world = self.world();
        if let Some(order) = session.order_id.as_deref().and_then(|id| world.order(id))
            && order.state == State::SessionInited
        {
            order.state = State::New;
        }
    }

    /// Pays in the latest session of a payment, as a payer does who confirms what 3-D Secure asks.
    ///
    /// # Errors
    /// The code with which it failed, or why nothing was tried.
    pub fn pay(&self, order_id: &str, number: &str) -> Result<(), String> {
        self.pay_as(order_id, number, false)
    }

    /// The same, and the customer saves the card.
    ///
    /// # Errors
    /// The same.
    pub fn pay_and_save(&self, order_id: &str, number: &str) -> Result<(), String> {
        self.pay_as(order_id, number, true)
    }

    fn pay_as(&self, order_id: &str, number: &str, saves: bool) -> Result<(), String> {
        let session = self.session_of(order_id).ok_or("there is no session")?;
        let typed = Typed {
            number,
            saves,
            month: "12",
            year: "2099",
            code: CODE,
            ..Typed::default()
        };
        match self.typed(&session, &typed) {
            Next::Mistake(mistake) => return Err(format!("{mistake:?}")),
            Next::Asks3ds => {
                self.confirm_3ds(&session, true);
            }
            Next::Result(_) => {}
        }
        let session = self.session(&session).ok_or("there is no session")?;
        match session.code {
            Some(code) => Err(code.to_owned()),
            None => Ok(()),
        }
    }

    /// A payer typed a card.
    pub(crate) fn typed(&self, session_id: &str, typed: &Typed<'_>) -> Next {
        let slow = self.options.slow;
        let mut world = self.world();
        let now = world.now();
        let Some(session) = world.sessions.iter().find(|s| s.id == session_id).cloned() else {
            return Next::Mistake(Mistake::SessionOver);
        };
        let order = session.order_id.as_deref().and_then(|id| world.order(id));
        let is_payable = order.is_none_or(|order| order.is_payable());
        if now >= session.expires || session.is_done || !is_payable {
            return Next::Mistake(Mistake::SessionOver);
        }
        if let Some(id) = session.order_id.as_deref()
            && mischief::take_this(&mut world.plans, Mischief::SessionOver, Some(id))
        {
            world.change_session(session_id, |session| session.expires = now);
            return Next::Mistake(Mistake::SessionOver);
        }
        if let Some(id) = session.order_id.as_deref() {
            world.forge(id);
        }
        let saved = match (typed.saved, &session.customer) {
            (Some(id), Some(login)) => world
                .customers
                .iter()
                .find(|customer| customer.login == *login)
                .and_then(|customer| customer.cards.iter().find(|card| card.id == id))
                .map(|saved| (saved.card, saved.id.clone())),
            _ => None,
        };
        let (card, saved_id) = match saved {
            Some((card, id)) => (card, Some(id)),
            // The number of any other card is forgotten here.
            None => match Card::of(typed.number) {
                Some(card) => (card, None),
                None => return Next::Mistake(Mistake::NoCard),
            },
        };
        if saved_id.is_none() && !is_coming(typed.month, typed.year, now) {
            return Next::Mistake(Mistake::Expired);
        }
        let first_fails = session.order_id.is_some()
            && mischief::take_this(
                &mut world.plans,
                Mischief::FailedThenPaid,
                session.order_id.as_deref(),
            );
        let code = if first_fails {
            Some("ISSUER_CARD_FAIL")
        } else if typed.code != CODE {
            Some("WRONG_CVV")
        } else {
            None
        };
        if let Some(order) = session.order_id.as_deref().and_then(|id| world.order(id)) {
            order.tries += 1;
            order.card_id = saved_id.clone();
        }
        if let Some(code) = code {
            world.settle(&session, card, Err(code), false, typed.holder);
            return Next::Result(Duration::ZERO);
        }
        if matches!(card.deed, Deed::Asks3ds | Deed::Fails3ds) {
            world.change_session(session_id, |session| {
                session.at_3ds = Some((card, typed.saves));
            });
            if let Some(order) = session.order_id.as_deref().and_then(|id| world.order(id)) {
                order.state = State::PreAuthorized3ds;
                order.card = Some(card);
            }
            return Next::Asks3ds;
        }
        let amount = match session.order_id.as_deref().and_then(|id| world.order(id)) {
            Some(order) => order.asked,
            None => 0,
        };
        let outcome = card.refuses(Step::Pay, amount).map_or(Ok(()), Err);
        world.settle(&session, card, outcome, typed.saves, typed.holder);
        if card.is_slow(Step::Pay) {
            world.be_busy(session.order_id.as_deref(), slow);
            return Next::Result(slow);
        }
        Next::Result(Duration::ZERO)
    }

    /// The payer confirmed or refused what 3-D Secure asks. Gives whether there was anything to.
    pub(crate) fn confirm_3ds(&self, session_id: &str, confirms: bool) -> bool {
        let mut world = self.world();
        let Some(session) = world.sessions.iter().find(|s| s.id == session_id).cloned() else {
            return false;
        };
        let Some((card, saves)) = session.at_3ds else {
            return false;
        };
        world.change_session(session_id, |session| session.at_3ds = None);
        let in_time = world.now() < session.expires;
        let outcome = match confirms && in_time && card.deed != Deed::Fails3ds {
            true => Ok(()),
            false => Err("THREE_DS_AUTH_ERROR"),
        };
        world.settle(&session, card, outcome, saves, "");
        true
    }

    /// Takes what is held, in the cabinet.
    ///
    /// # Errors
    /// With the gateway's code.
    pub fn charge_in_cabinet(&self, id: &str, amount: Option<u64>) -> Result<(), &'static str> {
        self.in_cabinet(id, "Charge", |order| order.charge(amount))
    }

    /// Releases what is held, in the cabinet.
    ///
    /// # Errors
    /// With the gateway's code.
    pub fn cancel_in_cabinet(&self, id: &str) -> Result<(), &'static str> {
        self.in_cabinet(id, "Unblock", Order::release)
    }

    /// Gives money back, in the cabinet.
    ///
    /// # Errors
    /// With the gateway's code.
    pub fn refund_in_cabinet(&self, id: &str, amount: Option<u64>) -> Result<(), &'static str> {
        self.in_cabinet(id, "Refund", |order| order.refund(amount))
    }

    /// The holder of the card disputes a payment. Nobody is told.
    ///
    /// # Errors
    /// With the gateway's code.
    pub fn charge_back(&self, id: &str) -> Result<(), &'static str> {
        self.quietly(id, "Chargeback", State::Charged, |order| {
            order.state = State::Chargeback;
        })
    }

    /// A hold lapses. Nobody is told.
    ///
    /// # Errors
    /// With the gateway's code.
    pub fn lapse(&self, id: &str) -> Result<(), &'static str> {
        self.quietly(id, "AuthorizationClosed", State::Authorized, |order| {
            order.state = State::AuthorizationClosed;
            order.held = 0;
        })
    }

    fn quietly(
        &self,
        id: &str,
        what: &str,
        from: State,
        change: impl FnOnce(&mut Order),
    ) -> Result<(), &'static str> {
        let mut world = self.world();
        let order = world.order(id).ok_or("ORDER_NOT_FOUND")?;
        if order.state != from {
            return Err("ILLEGAL_ORDER_STATE");
        }
        change(order);
        world.note_cabinet(id, what, "");
        Ok(())
    }

    fn in_cabinet(
        &self,
        id: &str,
        what: &str,
        change: impl FnOnce(&mut Order) -> Result<u64, &'static str>,
    ) -> Result<(), &'static str> {
        let mut world = self.world();
        let rrn = world.reference();
        let order = world.order(id).ok_or("ORDER_NOT_FOUND")?;
        let outcome = change(order);
        if outcome.is_ok() {
            order.rrn = Some(rrn);
        }
        world.note_cabinet(id, what, outcome.err().unwrap_or("OK"));
        world.tell_of(id, what, outcome);
        outcome.map(|_| ())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a card lasts to the end of this month at least.
fn is_coming(month: &str, year: &str, now: Timestamp) -> bool {
    let (Ok(month), Ok(year)) = (month.trim().parse::<i16>(), year.trim().parse::<i16>()) else {
        return false;
    };
    let year = if year < 100 { year + 2000 } else { year };
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    (1..=12).contains(&month) && (year, month) >= (today.year(), i16::from(today.month()))
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

impl World {
    fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }

    fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// An id of 36 characters.
    fn id(&mut self) -> String {
        let count = self.count();
        // Different for each run of a program, so that a session of before is not one of now.
        let run = self.now().as_second().unsigned_abs() & 0xFFFF_FFFF;
        format!("{run:08x}-0000-4000-8000-{count:012x}")
    }

    fn reference(&mut self) -> String {
        format!("{:012}", self.count())
    }

    fn order(&mut self, id: &str) -> Option<&mut Order> {
        self.orders.iter_mut().find(|order| order.id == id)
    }

    fn change_session(&mut self, id: &str, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.iter_mut().find(|s| s.id == id) {
            change(session);
        }
    }

    fn be_busy(&mut self, order_id: Option<&str>, for_long: Duration) {
        let until = self.now() + SignedDuration::try_from(for_long).unwrap_or_default();
        self.busy.extend(order_id.map(|id| (id.to_owned(), until)));
        // Nobody is told before it is done.
        for notice in &mut self.notices {
            if notice.order_id.as_deref() == order_id {
                notice.after = notice.after.max(for_long);
            }
        }
    }

    fn note_cabinet(&mut self, id: &str, what: &str, answer: &str) {
        let mut entry = Entry::new(self.now(), Kind::Cabinet, what);
        entry.order_id = Some(id.to_owned());
        answer.clone_into(&mut entry.answer);
        self.journal.add(entry);
    }

    /// What came of what a payer typed.
    fn settle(
        &mut self,
        session: &Session,
        card: &'static Card,
        outcome: Result<(), &'static str>,
        saves: bool,
        holder: &str,
    ) {
        self.change_session(&session.id, |session| {
            session.is_done = outcome.is_ok();
            session.code = outcome.err();
        });
        let mut entry = Entry::new(self.now(), Kind::Page, format!("Card {}", card.mask()));
        entry.order_id.clone_from(&session.order_id);
        outcome.err().unwrap_or("OK").clone_into(&mut entry.answer);
        self.journal.add(entry);
        let new_card = match (&session.customer, outcome) {
            (Some(login), Ok(())) if saves || session.order_id.is_none() => {
                Some(self.save(&login.clone(), card, holder, session.order_id.is_some()))
            }
            _ => None,
        };
        match &session.order_id {
            Some(id) => self.settle_order(id, card, outcome, new_card),
            None => {
                let name = match outcome {
                    Ok(()) => "CustomerAddSuccess",
                    Err(_) => "CustomerAddFail",
                };
                let mut fields = vec![("Success", truth(outcome.is_ok()))];
                fields.extend(session.customer.clone().map(|login| ("VWUserLgn", login)));
                fields.extend(new_card.map(|id| ("CardId", id)));
                fields.extend(outcome.err().map(|code| ("ErrCode", code.to_owned())));
                self.tell(name, None, fields);
            }
        }
    }

    fn settle_order(
        &mut self,
        id: &str,
        card: &'static Card,
        outcome: Result<(), &'static str>,
        new_card: Option<String>,
    ) {
        let rrn = self.reference();
        let refunds = outcome.is_ok()
            && mischief::take_this(&mut self.plans, Mischief::RefundedInPart, Some(id));
        let Some(order) = self.order(id) else { return };
        match outcome {
            Ok(()) => {
                order.pay(card);
                order.rrn = Some(rrn);
                order.card_id = new_card.or(order.card_id.take());
            }
            Err(code) => order.fail(Some(card), code),
        }
        let what = if order.holds { "Block" } else { "Pay" };
        let amount = order.asked;
        self.tell_of(id, what, outcome.map(|()| amount));
        if let Some(order) = self.order(id)
            && refunds
            && let Ok(remains) = order.refund(Some((amount / 2).max(1)))
        {
            self.note_cabinet(id, "Refund", "OK");
            self.tell_of(id, "Refund", Ok(remains));
        }
    }

    /// Saves a card of a customer, once.
    fn save(&mut self, login: &str, card: &'static Card, holder: &str, is_active: bool) -> String {
        let id = self.id();
        let proof = 100 + self.count % 100;
        let Some(customer) = self.customers.iter_mut().find(|c| c.login == login) else {
            return id;
        };
        if let Some(saved) = customer.cards.iter().find(|saved| saved.card == card) {
            return saved.id.clone();
        }
        if customer.cards.len() == CARDS_OF_CUSTOMER {
            customer.cards.remove(0);
        }
        customer.cards.push(Saved {
            id: id.clone(),
            card,
            holder: holder.chars().take(50).collect(),
            is_active,
            proof,
        });
        id
    }

    /// Tells the merchant of what was done to a payment.
    fn tell_of(&mut self, id: &str, what: &str, outcome: Result<u64, &'static str>) {
        let Some(order) = self.order(id) else { return };
        let (interface, is_unattended) = (order.interface, order.is_unattended);
        let (customer, card_id) = (order.customer.clone(), order.card_id.clone());
        let ending = if outcome.is_ok() { "Success" } else { "Fail" };
        let by = match (interface, what) {
            (Interface::Wallet, "Pay" | "Refund") => "Customer",
            _ => "Engine",
        };
        let mut fields = vec![("Success", truth(outcome.is_ok()))];
        match outcome {
            Ok(remains) if matches!(what, "Refund" | "Unblock") => {
                fields.push(("NewAmount", remains.to_string()));
            }
            Ok(amount) => fields.push(("Amount", amount.to_string())),
            Err(code) => fields.push(("ErrCode", code.to_owned())),
        }
        fields.extend(customer.map(|login| ("VWUserLgn", login)));
        fields.extend(card_id.map(|id| ("CardId", id)));
        let name = match is_unattended && what == "Pay" {
            true => "MerchantPay".to_owned(),
            false => format!("{by}{what}{ending}"),
        };
        self.tell(&name, Some(id), fields);
    }

    /// Posts what somebody else could post: that all was paid.
    fn forge(&mut self, order_id: &str) {
        let amount = self.order(order_id).map(|order| order.asked);
        if let Some(amount) = amount
            && mischief::take_this(
                &mut self.plans,
                Mischief::NotificationForged,
                Some(order_id),
            )
        {
            let fields = vec![("Success", truth(true)), ("Amount", amount.to_string())];
            self.tell("EnginePaySuccess", Some(order_id), fields);
        }
    }

    fn tell(&mut self, name: &str, order_id: Option<&str>, fields: Vec<(&str, String)>) {
        let date = self.now().strftime("%d.%m.%Y %H:%M:%S").to_string();
        let mut all = vec![("Notification", name.to_owned())];
        all.extend(order_id.map(|id| ("OrderId", id.to_owned())));
        all.extend(fields);
        all.push(("TransactionDate", date));
        let notice = Notice {
            name: name.to_owned(),
            order_id: order_id.map(str::to_owned),
            body: wire::form(&all),
            after: Duration::ZERO,
        };
        let strikes = Strikes::Notification;
        match mischief::take(&mut self.plans, strikes, order_id, None) {
            Some(Mischief::NotificationLost) => {
                let mut entry = Entry::new(self.now(), Kind::Notification, name);
                entry.order_id = notice.order_id;
                entry.sent = notice.body;
                "lost".clone_into(&mut entry.answer);
                self.journal.add(entry);
            }
            Some(Mischief::NotificationLate) => self.notices.push(Notice {
                after: LATE,
                ..notice
            }),
            Some(Mischief::NotificationOutOfOrder) => self.held_back.push(notice),
            Some(Mischief::NotificationTwice) => {
                self.notices.push(notice.clone());
                self.notices.push(notice);
            }
            _ => {
                self.notices.push(notice);
                let is_before = |held: &mut Notice| held.order_id.as_deref() == order_id;
                self.notices
                    .extend(self.held_back.extract_if(.., is_before));
            }
        }
        self.posted.notify_one();
    }

    #[allow(clippy::too_many_arguments, reason = "a request has these parts")]
    fn answer(
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
            // `Check` and `Update`: how a customer is reached is not kept.
            _ => self.customer(login, password).map(|_| element),
        }
    }
}

/// Why a command is not done.
enum Refusal {
    /// It was written wrongly.
    Complaint(String),
    /// The gateway's code.
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

fn truth(is: bool) -> String {
    if is { "True" } else { "False" }.to_owned()
}

/// The parameters for the journal: passwords are not in it.
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
