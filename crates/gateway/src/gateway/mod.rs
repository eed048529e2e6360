//! The gateway itself: orders, sessions, customers, and the effect of its commands on them. It has no
//! network: a request comes in as bytes, an answer goes out as bytes, and notifications wait to be taken.

mod commands;
mod world;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::Notify;

use self::world::World;
use crate::{
    Options,
    card::{CODE, Card, Deed, Step},
    journal::{Entry, Kind},
    mischief::{self, Mischief, Plan},
    order::{Order, State},
    wire::Interface,
};

/// The most payments, the most sessions and the most customers that are kept; older ones are forgotten.
const KEPT: usize = 10_000;
/// The most cards of a customer.
const CARDS_OF_CUSTOMER: usize = 20;
/// The time by which a late notification is late.
const LATE: Duration = Duration::from_secs(60);

/// A gateway in memory.
#[derive(Debug)]
pub struct Gateway {
    options: Options,
    world: Mutex<World>,
    /// Is told of notifications.
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
    /// The card that is at 3-D Secure, and true if it is to be saved.
    pub at_3ds: Option<(&'static Card, bool)>,
    /// True if it ended well.
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
    /// The small amount that is held on it to prove that it is the customer's.
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
    /// The time to wait before it is posted.
    pub after: Duration,
}

/// The answer to the merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An answer.
    Given {
        /// The status.
        status: u16,
        /// The document.
        body: String,
        /// The time after which it comes.
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

/// The input of a payer at the form of a card.
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

/// The step that follows a payer's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// The input again, for this mistake; no payment was tried.
    Mistake(Mistake),
    /// The confirmation by 3-D Secure.
    Asks3ds,
    /// The result, after this time.
    Result(Duration),
}

/// A mistake in a payer's input.
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

    /// The options that it was started with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Sets the time, which then stands still; `None` is the machine's own.
    pub fn set_time(&self, now: Option<Timestamp>) {
        self.world().now = now;
    }

    /// Sets the address to which notifications are posted from now on.
    pub fn set_notify(&self, url: &str) {
        self.world().notify = Some(url.to_owned());
    }

    /// The address to which notifications are posted.
    #[must_use]
    pub fn notify(&self) -> Option<String> {
        self.world().notify.clone()
    }

    /// Adds a mischief to the plans.
    pub fn plan(&self, plan: Plan) {
        self.world().plans.push(plan);
    }

    /// Removes all plans.
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

    /// Pays in the latest session of a payment, like a payer who confirms the question of 3-D Secure.
    ///
    /// # Errors
    /// The code with which it failed, or the reason for which nothing was tried.
    pub fn pay(&self, order_id: &str, number: &str) -> Result<(), String> {
        self.pay_as(order_id, number, false)
    }

    /// Pays as [`pay`](Self::pay) does, and saves the card of the customer.
    ///
    /// # Errors
    /// As for [`pay`](Self::pay).
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

    /// Takes the payer's answer to 3-D Secure. Gives `false` if no card of the session waited for one.
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

    /// Takes the amount that is held, or less, in the cabinet.
    ///
    /// # Errors
    /// With the gateway's code.
    pub fn charge_in_cabinet(&self, id: &str, amount: Option<u64>) -> Result<(), &'static str> {
        self.in_cabinet(id, "Charge", |order| order.charge(amount))
    }

    /// Releases the amount that is held, in the cabinet.
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

    /// Lets the holder of the card dispute a payment. No notification is posted.
    ///
    /// # Errors
    /// With the gateway's code.
    pub fn charge_back(&self, id: &str) -> Result<(), &'static str> {
        self.quietly(id, "Chargeback", State::Charged, |order| {
            order.state = State::Chargeback;
        })
    }

    /// Lets a hold lapse. No notification is posted.
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

/// True if a card is valid at least to the end of this month.
fn is_coming(month: &str, year: &str, now: Timestamp) -> bool {
    let (Ok(month), Ok(year)) = (month.trim().parse::<i16>(), year.trim().parse::<i16>()) else {
        return false;
    };
    let year = if year < 100 { year + 2000 } else { year };
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    (1..=12).contains(&month) && (year, month) >= (today.year(), i16::from(today.month()))
}
