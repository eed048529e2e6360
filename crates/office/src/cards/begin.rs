//! Begins a payment by card: in the books first, then at the gateway.

use std::collections::HashMap;

use cryptoprocessing::{
    CardId, Command, Customer, CustomerId, Init, Outcome as Answered, Purpose, SessionId,
};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use mpay_door::log::log;

use super::{
    CardTerminal, Desk, amount, busy,
    command::NOT_SENT,
    gateway::order_id,
    id_of, lines, minor_units,
    observe::{AFTER_SESSION, HOLD, Looked, UNCLEAR},
    payable,
};
use crate::{
    api::Problem,
    domain::{Money, OrderKey, PaymentId, ServiceId, time},
    json::{AttemptJson, Capture, CardStartedJson, CardState, CommandJson, CommandKind},
    store::{Beginning, CardEntry, CardPayment, Ledger, Platform, RegisterError, StoredOrder},
};

/// The time for which the call that began a payment may still be running. It is longer than any call lasts.
const OPENING: SignedDuration = SignedDuration::from_secs(60);
/// The most recent payments in an order's list. With more than these, no further payment is begun.
const MOST_BEGUN: usize = 50;
/// The most times that a request is judged again because other payments were begun meanwhile.
const TRIES: u32 = 4;

/// A request to begin a payment.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// The order's service.
    pub service: &'a ServiceId,
    /// Its key.
    pub key: &'a OrderKey,
    /// The amount; `None` for the amount due.
    pub amount: Option<Money>,
    /// The way in which the money is to be taken.
    pub capture: Capture,
    /// The address to which the payer returns at the end; `None` if the payer does not go to the gateway.
    pub return_url: Option<&'a str>,
    /// The customer whose saved cards the gateway's page shows, or whose card is charged.
    pub customer: Option<&'a CustomerId>,
    /// The saved card to show or charge.
    pub card: Option<&'a CardId>,
    /// True to charge the saved card at once, in its holder's absence.
    pub unattended: bool,
    /// The language of the gateway's pages.
    pub language: Option<&'a str>,
    /// The payer's IP address.
    pub payer_ip: Option<&'a str>,
    /// Name of the principal who asks; `None` if the payer does.
    pub by: Option<&'a str>,
    /// The name of the request, the same if it is repeated.
    pub request: &'a str,
    /// The content of the request. A repetition must have the same.
    pub content: &'a [u8],
}

/// A payment that was begun.
#[derive(Debug)]
pub struct Begun {
    /// The payment.
    pub payment: CardPayment,
    /// The page to which to send the payer; `None` if the session is over.
    pub redirect_url: Option<String>,
    /// True if this call began it.
    pub is_new: bool,
}

/// The reason why no payment was begun.
#[derive(Debug)]
pub struct NotBegun {
    /// The problem for the caller.
    pub problem: Problem,
    /// The payment at work that prevents it; `None` if the reason is another one, or will be gone in a moment.
    pub kept: Option<Kept>,
}

/// The payments by card that prevent another payment of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The kind of reason.
    pub why: Why,
    /// The sum that is held on cards, or being charged to saved cards, over all payments of the order. A payer
    /// who pays this sum through MPay pays it twice.
    pub amount: Money,
}

/// The state of a payment at work. If there are several, the greatest counts: a payer who has paid, perhaps
/// without knowing it, must not pay again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The gateway does not tell the outcome yet; it must by this time at the latest.
    Unclear(Timestamp),
    /// A saved card is being charged in its holder's absence, and the charge may have succeeded.
    Charging,
    /// Money is held on a card, to be charged or released.
    Held,
}

impl<E: Into<Problem>> From<E> for NotBegun {
    fn from(error: E) -> Self {
        Self {
            problem: error.into(),
            kept: None,
        }
    }
}

/// The meaning of an earlier payment for a new one of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing more comes of the earlier payment.
    Over,
    /// The payer may still pay.
    Open,
    /// Money may have moved, or a call is running.
    AtWork,
}

impl<P: Platform> Desk<'_, P> {
    /// Begins a payment. If a payment with the same amount and capture is still open, or if the same request
    /// began one, that payment is returned.
    ///
    /// # Errors
    /// [`NotBegun`] if the order cannot be paid in this way, or if the gateway opens no session. Then nobody
    /// can pay by the payment, and the next request begins a new one.
    pub async fn begin(&self, wish: &Wish<'_>) -> Result<Begun, NotBegun> {
        let terminal = self.cards.of(wish.service).ok_or_else(|| {
            conflict("Orders of this service are not paid by card: see card_services.")
        })?;
        let secret = self.store.secret().await?;
        let request = secret.digest("card-request", &[wish.request.as_bytes()]);
        let content = secret.digest("card-content", &[wish.content]);
        for try_ in 0..TRIES {
            let orders = self.store.orders();
            let order = orders.get(wish.service, wish.key).await?;
            let order = order.ok_or_else(crate::api::no_such_order)?;
            let known = self.standings(&order).await?;
            let mut given_up: u64 = 0;
            for begun in order.begun.iter().filter(|begun| begun.request == request) {
                let payment = known.get(&begun.started.payment_id);
                let Some((standing, payment)) = payment else {
                    continue;
                };
                if begun.content != content {
                    return Err(Problem::new(
                        StatusCode::UNPROCESSABLE_ENTITY,
                        "The Idempotency-Key was used for another payment. Use a new one.",
                    )
                    .into());
                }
                match payment {
                    Some(payment) if is_under_way(payment) => {
                        return Ok(self.again(payment.clone())?);
                    }
                    _ if *standing == Standing::AtWork => {
                        return Err(at_work(payment, self.store.now()));
                    }
                    // The gateway opened no session, or no command was sent. Nobody can pay by this payment, so
                    // a new one is begun.
                    _ => given_up += 1,
                }
            }
            match self.of_request(&secret, wish, &mut given_up).await? {
                None => {}
                Some(known) if is_under_way(&known) || known.ended.is_some() => {
                    return Ok(self.again(known)?);
                }
                // Another call of the same request has begun the payment, but the order's record did not show
                // it yet.
                Some(_) => {
                    self.pause(try_).await;
                    continue;
                }
            }
            let now = self.store.now();
            let wanted = payable(&order.state, now, self.cards.currency, wish.amount);
            let wanted = wanted.map_err(conflict)?;
            let of_lines = lines(&order.state, now, wanted);
            let is_same = |payment: &&CardPayment| {
                let started = &payment.attempt.started;
                let attempt = &payment.attempt;
                payment.session.is_some()
                    // The page of a customer shows their cards, and only they may see it.
                    && !payment.is_erased
                    && attempt.customer.as_deref() == wish.customer.map(CustomerId::as_str)
                    && attempt.card.as_deref() == wish.card.map(CardId::as_str)
                    && amount(&started.amount).is_ok_and(|amount| amount == wanted)
                    // The order's lines may have changed since.
                    && started.lines == of_lines
                    && started.capture == wish.capture
                    && payment.expires_at() > now
                    && started.terminal == terminal.name
            };
            let open = known.values().filter_map(|(standing, payment)| {
                payment.as_ref().filter(|_| *standing == Standing::Open)
            });
            if wish.unattended {
                // The payer may pay at any moment, and nobody is present to see that both payments were made.
                if open.clone().next().is_some() {
                    return Err(at_the_page().into());
                }
            } else if let Some(open) = open.clone().find(is_same) {
                return Ok(self.again(open.clone())?);
            }
            let mut at_work_now = known
                .values()
                .filter(|(standing, _)| *standing == Standing::AtWork)
                .peekable();
            if at_work_now.peek().is_some() {
                let payments = at_work_now.filter_map(|(_, payment)| payment.as_ref());
                return Err(at_work(payments, self.store.now()));
            }
            if order.begun.len() >= MOST_BEGUN {
                return Err(conflict(
                    "Too many payments by card were begun for this order in the last ten days.",
                )
                .into());
            }
            let id = self.id(&secret, wish, given_up)?;
            // Another call of the same request may be ahead, and its payment not visible yet.
            let judge = |stored: &StoredOrder| {
                let mut begun = stored.begun.iter();
                if begun.any(|begun| !known.contains_key(&begun.started.payment_id)) {
                    return Err(Judged::Changed);
                }
                let now = self.store.now();
                let wanted = payable(&stored.state, now, self.cards.currency, wish.amount)
                    .map_err(Judged::Refused)?;
                Ok(Some(Beginning {
                    request: request.clone(),
                    content: content.clone(),
                    attempt: self.attempt(wish, stored, terminal, now, wanted),
                }))
            };
            let cards = self.store.card_payments();
            let begun = cards.begin(&id, wish.service, wish.key, judge).await;
            match begun {
                Ok(Some(payment)) if wish.unattended => {
                    return Ok(self.charge_saved(payment).await?);
                }
                Ok(Some(payment)) => return Ok(self.open(payment, wish, terminal).await?),
                Ok(None) => {}
                Err(RegisterError::Unfit(Judged::Refused(why))) => return Err(conflict(why).into()),
                Err(RegisterError::Unfit(Judged::Changed) | RegisterError::Busy) => {
                    self.pause(try_).await;
                }
                Err(error) => return Err(busy(error).into()),
            }
        }
        Err(at_work(None, self.store.now()))
    }

    async fn pause(&self, try_: u32) {
        let pause = std::time::Duration::from_millis(100 << try_);
        self.store.platform().sleep(pause).await;
    }

    /// The payment of the same request, if it is not in the list of recent payments any more: it is recorded,
    /// or was begun long ago. Payments that were given up are skipped.
    async fn of_request(
        &self,
        secret: &crate::store::Secret,
        wish: &Wish<'_>,
        given_up: &mut u64,
    ) -> Result<Option<CardPayment>, Problem> {
        loop {
            let id = self.id(secret, wish, *given_up)?;
            match self.store.card_payments().get(&id).await? {
                Some(known) if known.attempt.unattended && !is_under_way(&known) => {
                    // A later payment of the request exists only if this one was given up.
                    if known.not_opened.is_none() && !not_sent(&known) {
                        return Ok(Some(known));
                    }
                    *given_up += 1;
                }
                known => return Ok(known),
            }
        }
    }

    /// The id: `card` and 32 hexadecimal digits that nobody can guess. A repetition of the request has the same
    /// id; after a session that the gateway did not open, the id is another one.
    fn id(
        &self,
        secret: &crate::store::Secret,
        wish: &Wish<'_>,
        given_up: u64,
    ) -> Result<PaymentId, Problem> {
        let service = wish.service.as_str().as_bytes();
        let key = wish.key.folded();
        let request = wish.request.as_bytes();
        let parts = [service, key.as_bytes(), request, &given_up.to_be_bytes()];
        let digest = secret.digest("card-id", &parts);
        // With fewer digits several payments could have the same id.
        let digits = digest
            .get(..32)
            .ok_or_else(|| Problem::internal("a digest is too short"))?;
        PaymentId::parse(&format!("card{digits}")).map_err(Problem::internal)
    }

    fn attempt(
        &self,
        wish: &Wish<'_>,
        stored: &StoredOrder,
        terminal: &CardTerminal,
        now: Timestamp,
        wanted: Money,
    ) -> AttemptJson {
        AttemptJson {
            started: CardStartedJson {
                payment_id: String::new(),
                service_id: wish.service.to_string(),
                order_key: wish.key.to_string(),
                amount: wanted.to_string(),
                currency: self.cards.currency.as_str().to_owned(),
                lines: lines(&stored.state, now, wanted),
                capture: wish.capture,
                terminal: terminal.name.clone(),
                by: wish.by.map(str::to_owned),
                version: None,
            },
            return_url: wish.return_url.map(str::to_owned),
            customer: wish.customer.map(|customer| customer.as_str().to_owned()),
            card: wish.card.map(|card| card.as_str().to_owned()),
            unattended: wish.unattended,
            session_minutes: self.cards.session_minutes,
        }
    }

    /// The meaning of the order's recent payments for a new one, by their ids. The gateway is asked about
    /// payments that may still be paid.
    async fn standings(
        &self,
        order: &StoredOrder,
    ) -> Result<HashMap<String, (Standing, Option<CardPayment>)>, Problem> {
        let ids = order.begun.iter();
        let ids = ids.filter_map(|begun| PaymentId::parse(&begun.started.payment_id).ok());
        let ids: Vec<_> = ids.collect();
        let mut payments = self.store.card_payments().get_many(&ids).await?;
        let mut standings = HashMap::new();
        for id in ids {
            let payment = payments.remove(&id);
            let standing = match payment {
                None => (Standing::Over, None),
                Some(payment) => {
                    let (standing, payment) = self.standing(payment).await?;
                    (standing, Some(payment))
                }
            };
            standings.insert(id.to_string(), standing);
        }
        Ok(standings)
    }

    async fn standing(&self, payment: CardPayment) -> Result<(Standing, CardPayment), Problem> {
        let now = self.store.now();
        if payment.ended.is_some() && payment.open_command().is_none() {
            return Ok((Standing::Over, payment));
        }
        if payment.attempt.unattended && payment.pay_command().is_none() {
            return self.unsent(payment).await;
        }
        if payment.session.is_none() && !payment.attempt.unattended {
            // If there is a session, nobody knows it.
            let age = now.duration_since(payment.started_at);
            let is_over = payment.not_opened.is_some() || age >= OPENING;
            let standing = if is_over {
                Standing::Over
            } else {
                Standing::AtWork
            };
            return Ok((standing, payment));
        }
        let asked_at = now;
        let payment = match self.look(payment).await? {
            Looked::Told(payment) => *payment,
            Looked::Silent(payment, _) => return Ok((Standing::AtWork, *payment)),
        };
        let is_past = asked_at.duration_since(payment.expires_at()) >= SignedDuration::ZERO;
        let state = payment.seen.as_ref().map(|(_, seen)| seen.state);
        let standing = match state {
            _ if payment.open_command().is_some() => Standing::AtWork,
            // Only this provider can pay by it, and the command that it sent has ended.
            None | Some(CardState::Open | CardState::Failed)
                if is_past || payment.attempt.unattended =>
            {
                Standing::Over
            }
            None | Some(CardState::Open | CardState::Failed) => Standing::Open,
            Some(CardState::Released) => Standing::Over,
            // The order's own list has it as a payment now.
            Some(CardState::Paid | CardState::Refunded | CardState::ChargedBack) => Standing::Over,
            Some(CardState::Pending | CardState::Unknown | CardState::Held) => Standing::AtWork,
        };
        Ok((standing, payment))
    }

    /// The meaning of a payment that should charge a saved card, but has no command in its list. After
    /// [`OPENING`] it is given up, and then no call sends its command any more.
    async fn unsent(&self, payment: CardPayment) -> Result<(Standing, CardPayment), Problem> {
        let age = self.store.now().duration_since(payment.started_at);
        if payment.not_opened.is_none() && age < OPENING {
            return Ok((Standing::AtWork, payment));
        }
        let id = id_of(&payment)?;
        let payment = self.not_opened(&id, "nothing was sent").await?;
        let standing = match payment.not_opened {
            Some(_) => Standing::Over,
            None => Standing::AtWork,
        };
        Ok((standing, payment))
    }

    /// Charges the saved card of a payment that was begun. It is charged once only.
    async fn charge_saved(&self, payment: CardPayment) -> Result<Begun, Problem> {
        let command = CommandJson {
            kind: CommandKind::Pay,
            amount: payment.attempt.started.amount.clone(),
            remaining: None,
            note: None,
            by: payment.attempt.started.by.clone(),
            request: None,
            checked: false,
        };
        let looked = self.send(payment, command).await?;
        Ok(Begun {
            payment: looked.payment().clone(),
            redirect_url: None,
            is_new: true,
        })
    }

    /// The customer of a session at the Wallet: the one that the caller named, or else one for this payment
    /// alone. `None` at another interface.
    fn customer_of(
        &self,
        wish: &Wish<'_>,
        terminal: &CardTerminal,
        payment: &CardPayment,
    ) -> Result<Option<Customer>, Problem> {
        if !terminal.is_wallet() {
            return Ok(None);
        }
        let id = match wish.customer {
            Some(customer) => customer.clone(),
            None => CustomerId::parse(payment.id()).map_err(Problem::internal)?,
        };
        self.cards.customer(&id).map_err(Problem::internal)
    }

    /// Opens a session at the gateway for a payment that was begun.
    async fn open(
        &self,
        payment: CardPayment,
        wish: &Wish<'_>,
        terminal: &CardTerminal,
    ) -> Result<Begun, Problem> {
        let id = id_of(&payment)?;
        let started = &payment.attempt.started;
        let order_id = order_id(payment.id())?;
        let minor = minor_units(amount(&started.amount)?)?;
        let url = format!("{}/cards/return/{}", self.cards.public_url, payment.id());
        let customer = self.customer_of(wish, terminal, &payment)?;
        let session = match started.capture {
            Capture::Immediate => Init::pay(&order_id, minor, &url),
            Capture::Checked | Capture::Manual => Init::block(&order_id, minor, &url),
        };
        let order = self.store.orders().get(wish.service, wish.key).await?;
        let reason = order.as_ref().and_then(|order| order.state.order());
        let reason = reason.map(|order| order.reason.ro.as_str().to_owned());
        let description = format!("{} {}", started.service_id, started.order_key);
        let mut session = session.with_description(&description);
        if let Some(reason) = &reason {
            session = session.with_product(reason);
        }
        if let Some(customer) = &customer {
            session = session.with_customer(customer);
        }
        if let Some(card) = wish.card {
            session = session.with_card(card);
        }
        let session = self.dressed(session, wish.language, wish.payer_ip);
        let request = session
            .request(&terminal.terminal)
            .map_err(|error| Problem::internal(error.to_string()));
        let request = match request {
            Ok(request) => request,
            Err(problem) => {
                self.not_opened(&id, "it could not be sent").await?;
                return Err(problem);
            }
        };
        let exchange = self.exchange(&request).await?;
        let why = match &exchange.answer {
            Ok((status, body)) => match session.outcome(&terminal.terminal, *status, body) {
                Answered::Done(opened) => {
                    let session = opened.session.as_str().to_owned();
                    let judge = |_: &CardPayment| {
                        let session = session.clone();
                        Some(CardEntry::Opened { session })
                    };
                    let payment = self.append(&id, None, judge).await?;
                    let redirect_url = self.redirect_url(&payment)?;
                    return Ok(Begun {
                        payment,
                        redirect_url,
                        is_new: true,
                    });
                }
                Answered::Refused(code) => {
                    self.alert_of(&code).await?;
                    format!("it answered {code}")
                }
                Answered::Unknown(unclear) => unclear.to_string(),
            },
            Err(reason) => reason.to_string(),
        };
        let why = why.trim_end_matches('.');
        log!("the card gateway opened no session: {why}");
        self.not_opened(&id, why).await?;
        Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("The card gateway opened no session, and nobody can pay by this request: {why}. Send it again."),
        )
        .retry_after(30))
    }

    /// A session with the template, language and IP address for the gateway's page.
    pub(super) fn dressed<'s>(
        &'s self,
        mut session: Init<'s>,
        language: Option<&'s str>,
        payer_ip: Option<&'s str>,
    ) -> Init<'s> {
        if let Some(template) = &self.cards.template {
            session = session.with_template(template);
        }
        if let Some(language) = self.cards.language(language) {
            session = session.with_language(language);
        }
        match payer_ip {
            Some(address) => session.with_payer_ip(address),
            None => session,
        }
    }

    /// Gives up a payment whose session is not known, or whose command was not sent. The check still watches
    /// it.
    async fn not_opened(&self, id: &PaymentId, why: &str) -> Result<CardPayment, Problem> {
        let judge = |payment: &CardPayment| {
            let reason = why.to_owned();
            let is_unsent = payment.session.is_none() && payment.pay_command().is_none();
            (is_unsent && payment.not_opened.is_none()).then_some(CardEntry::NotOpened { reason })
        };
        self.append(id, None, judge).await
    }

    /// An earlier payment as the result.
    fn again(&self, payment: CardPayment) -> Result<Begun, Problem> {
        let redirect_url = self.redirect_url(&payment)?;
        Ok(Begun {
            payment,
            redirect_url,
            is_new: false,
        })
    }

    /// The gateway's page to which to send the payer; `None` if nothing can be paid there any more.
    pub fn redirect_url(&self, payment: &CardPayment) -> Result<Option<String>, Problem> {
        let state = payment.seen.as_ref().map(|(_, seen)| seen.state);
        let is_open = matches!(state, None | Some(CardState::Open | CardState::Failed))
            && payment.ended.is_none()
            && self.store.now() < payment.expires_at();
        let Some(session) = payment.session.as_ref().filter(|_| is_open) else {
            return Ok(None);
        };
        let session = SessionId::parse(session).map_err(Problem::internal)?;
        let purpose = match payment.attempt.started.capture {
            Capture::Immediate => Purpose::Pay,
            Capture::Checked | Capture::Manual => Purpose::Block,
        };
        let terminal = self.terminal(payment)?;
        let page = terminal.terminal.page(&session, purpose);
        Ok(Some(format!("{}{page}", self.cards.gateway)))
    }
}

/// True if somebody can pay by the payment, or if its command may have been sent.
fn is_under_way(payment: &CardPayment) -> bool {
    payment.session.is_some() || (payment.pay_command().is_some() && !not_sent(payment))
}

/// True if the command of the payment was certainly not sent.
fn not_sent(payment: &CardPayment) -> bool {
    let outcome = payment.pay_command().and_then(|pay| pay.outcome.as_ref());
    outcome.is_some_and(|(_, outcome)| outcome.reason.as_deref() == Some(NOT_SENT))
}

/// The reason why a payment is not begun.
enum Judged {
    /// Another payment was begun meanwhile.
    Changed,
    /// The order cannot be paid in this way.
    Refused(String),
}

fn conflict(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, detail)
}

fn at_the_page() -> Problem {
    conflict("A payer may be paying this order at the gateway's page. Try again once that session is over: its expires_at says when.")
        .retry_after(300)
}

/// The latest time at which the gateway must tell the outcome of a payment. `None` if it has told it, or if
/// that time has passed. A payer who left at their bank's page can make this take long.
pub fn unclear_until(payment: &CardPayment, now: Timestamp) -> Option<Timestamp> {
    let (_, seen) = payment.seen.as_ref()?;
    let is_unclear = matches!(seen.state, CardState::Pending | CardState::Unknown);
    let open = payment.open_command();
    if !is_unclear || payment.ended.is_some() && open.is_none() {
        return None;
    }
    // While a command is at work, the gateway does not tell the outcome of that command.
    let since = open.map_or(payment.started_at, |open| open.at);
    let until = since.checked_add(UNCLEAR).ok();
    until.filter(|until| *until > now)
}

/// The reason why a payment at work prevents others; `None` if it will be gone in a moment.
fn kept(payment: &CardPayment, now: Timestamp) -> Result<Option<Kept>, Problem> {
    let seen = payment.seen.as_ref().map(|(_, seen)| seen);
    let started = &payment.attempt.started;
    let (why, of_it) = match seen {
        Some(seen) if seen.state == CardState::Held => (Why::Held, seen.amount.as_ref()),
        _ if payment.attempt.unattended => (Why::Charging, None),
        _ => {
            let until = unclear_until(payment, now);
            return Ok(until.map(|until| Kept {
                why: Why::Unclear(until),
                amount: Money::ZERO,
            }));
        }
    };
    let amount = amount(of_it.unwrap_or(&started.amount))?;
    Ok(Some(Kept { why, amount }))
}

/// The reason over all payments at work, and the payment that it names.
fn kept_by_all<'a>(
    payments: impl IntoIterator<Item = &'a CardPayment>,
    now: Timestamp,
) -> Result<Option<(Kept, &'a CardPayment)>, Problem> {
    let mut all: Option<(Kept, &CardPayment)> = None;
    for payment in payments {
        let Some(one) = kept(payment, now)? else {
            continue;
        };
        let told = match all {
            Some((before, told)) if before.why >= one.why => (before.why, told),
            _ => (one.why, payment),
        };
        let (why, told) = told;
        let amount = all.map_or(Money::ZERO, |(before, _)| before.amount) + one.amount;
        all = Some((Kept { why, amount }, told));
    }
    Ok(all)
}

/// The reason why an order must not be paid once more, according to the books alone: the gateway is not asked,
/// and need not be configured.
///
/// # Errors
/// A [`Problem`] if the store fails, or a record is damaged.
pub async fn kept_by_books<P: Platform>(
    store: &Ledger<P>,
    order: &StoredOrder,
) -> Result<Option<Kept>, Problem> {
    let ids = order.begun.iter();
    let ids = ids.filter_map(|begun| PaymentId::parse(&begun.started.payment_id).ok());
    let ids: Vec<_> = ids.collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let payments = store.card_payments().get_many(&ids).await?;
    let now = store.now();
    let at_work = payments.values().filter(|payment| {
        let state = payment.seen.as_ref().map(|(_, seen)| seen.state);
        let is_told = matches!(
            state,
            Some(CardState::Pending | CardState::Unknown | CardState::Held)
        );
        // Without a gateway nothing records the end of a payment, so only recent ones count.
        let is_lately = now.duration_since(payment.started_at) < HOLD.saturating_add(UNCLEAR);
        is_lately && (payment.open_command().is_some() || payment.ended.is_none() && is_told)
    });
    Ok(kept_by_all(at_work, now)?.map(|(kept, _)| kept))
}

/// The refusal because other payments are at work.
fn at_work<'a>(payments: impl IntoIterator<Item = &'a CardPayment>, now: Timestamp) -> NotBegun {
    let kept = match kept_by_all(payments, now) {
        Ok(kept) => kept,
        Err(problem) => return problem.into(),
    };
    let detail = match kept.map(|(kept, payment)| (kept.why, payment)) {
        // The order can be paid through MPay during all this time.
        Some((Why::Unclear(until), _)) => format!(
            "{AT_WORK} The gateway says when it is over, at the latest at {}. Until then the order can be paid by MPay.",
            time::format(until)
        ),
        Some((Why::Held, payment)) => {
            let id = payment.id();
            match payment.attempt.started.capture {
                Capture::Manual => format!(
                    "The money of a payment by card of this order is held, {id}. Charge or cancel it, and then try again."
                ),
                Capture::Checked => format!(
                    "The money of a payment by card of this order is held, {id}, and is taken or released by itself. Try again later."
                ),
                Capture::Immediate => format!(
                    "The money of a payment by card of this order is held, {id}. Try again later."
                ),
            }
        }
        Some((Why::Charging, _)) | None => format!("{AT_WORK} Try again later."),
    };
    NotBegun {
        problem: conflict(detail).retry_after(60),
        kept: kept.map(|(kept, _)| kept),
    }
}

const AT_WORK: &str =
    "A payment by card of this order is at work, or it is not known what became of it.";

/// True if nothing more can happen in a session that ended this long ago.
pub(super) fn is_past(payment: &CardPayment, now: Timestamp) -> bool {
    now.duration_since(payment.expires_at()) >= AFTER_SESSION
}
