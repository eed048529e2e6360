//! Asks the gateway for the state of a payment, and records what follows from it. Everything here may be
//! done any number of times, also at once: what is recorded is judged by what stands before it.

use cryptoprocessing::{Found, State};
use jiff::{SignedDuration, Timestamp};
use mpay_door::log::log;
use serde_json::{Value, json};

use super::{
    Desk,
    command::is_in_the_books,
    gateway::{Proof, Told},
    id_of,
    money::Noted,
};
use crate::{
    api::Problem,
    domain::{Money, PaymentId, Review},
    json::{Capture, CardState, CommandKind, Ended, EndedJson, Outcome, OutcomeJson, SeenJson},
    store::{CardEntry, CardPayment, Command, Platform, RegisterError},
};

/// How long after the session's end nobody pays any more.
pub(super) const AFTER_SESSION: SignedDuration = SignedDuration::from_mins(15);
/// How long a command of which nothing is seen may still be at work.
const AT_WORK: SignedDuration = SignedDuration::from_mins(15);
/// How long the gateway may leave open what becomes of a payment.
pub(super) const UNCLEAR: SignedDuration = SignedDuration::from_hours(72);
/// How long a hold lasts at the most.
pub(super) const HOLD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// What came of asking.
#[derive(Debug)]
pub enum Looked {
    /// The gateway told its state, and everything that follows is recorded.
    Told(Box<CardPayment>),
    /// It said nothing that can be relied on, for this reason. The payment is as it was.
    Silent(Box<CardPayment>, String),
}

impl Looked {
    /// The payment.
    pub fn payment(&self) -> &CardPayment {
        match self {
            Self::Told(payment) | Self::Silent(payment, _) => payment,
        }
    }
}

/// A command that the gateway refused: its place in the payment's list, and why.
pub(super) type Refusal = (u64, String);

impl<P: Platform> Desk<'_, P> {
    /// Asks for the state of a payment; `None` if none of this id was begun.
    ///
    /// # Errors
    /// A [`Problem`] if the store fails, or nobody can be asked.
    pub async fn observe(&self, id: &PaymentId) -> Result<Option<Looked>, Problem> {
        match self.store.card_payments().get(id).await? {
            Some(payment) => Ok(Some(self.look(payment).await?)),
            None => Ok(None),
        }
    }

    /// The same of a payment that was read. What is held is taken or released, if that is for this
    /// provider to decide.
    pub(super) async fn look(&self, payment: CardPayment) -> Result<Looked, Problem> {
        let looked = self.look_after(payment, None).await?;
        match looked {
            Looked::Told(payment) if self.is_to_decide(&payment) => self.decide(*payment).await,
            looked => Ok(looked),
        }
    }

    /// The same after a command, which the gateway may have refused.
    pub(super) async fn look_after(
        &self,
        mut payment: CardPayment,
        refused: Option<&Refusal>,
    ) -> Result<Looked, Problem> {
        let terminal = self.terminal(&payment)?;
        let mut last_try = false;
        loop {
            let asked_at = self.store.now();
            let (found, exchange) = match self.ask(&payment, terminal).await? {
                Told::State(found, exchange) => (found, exchange),
                Told::Silent(reason) => {
                    log!("the card gateway did not tell the state of a payment: {reason}");
                    return Ok(Looked::Silent(Box::new(payment), reason));
                }
            };
            let proof = self.proof(&payment, &exchange).await?;
            let money = self
                .record_money(&payment, &found, &proof, last_try)
                .await?;
            // More remains than was known: somebody has seen a later state meanwhile, or the gateway
            // contradicts itself.
            if matches!(money, Noted::Stale) {
                last_try = true;
                continue;
            }
            let seen = self.note(&payment, &found, &proof).await?;
            let is_stale = seen
                .seen
                .as_ref()
                .is_some_and(|(_, seen)| seen.state.reach() > state_of(found.state).reach());
            // The same of a state: whoever asked before the payer paid may be the last to note it.
            if is_stale && !last_try && !is_of_a_command(found.state) {
                last_try = true;
                payment = seen;
                continue;
            }
            let seen = self.end_command(seen, &found, refused).await?;
            let seen = match is_stale {
                true => self.went_back(seen, &found, &proof).await?,
                false => seen,
            };
            let seen = self.end(seen, &found, asked_at).await?;
            return Ok(Looked::Told(Box::new(seen)));
        }
    }

    /// Tells people something of a payment, whatever else they were told of it today.
    pub(super) async fn tell(&self, id: &str, what: &str, detail: Value) -> Result<(), Problem> {
        self.alert(&format!("{id}-{what}"), detail).await
    }

    /// Adds the state to the payment's list, if it is new and no further one stands there.
    async fn note(
        &self,
        payment: &CardPayment,
        found: &Found,
        proof: &Proof,
    ) -> Result<CardPayment, Problem> {
        let seen = SeenJson {
            state: state_of(found.state),
            written: found.written.clone(),
            amount: match found.state {
                State::Paid { remaining: amount } | State::Held { amount } => {
                    Money::of_hundredths(amount.into()).map(|amount| amount.to_string())
                }
                State::ChargedBack {
                    amount: Some(amount),
                } => Money::of_hundredths(amount.into()).map(|amount| amount.to_string()),
                _ => None,
            },
            rrn: found.rrn.clone(),
            masked_number: found.card.clone(),
            evidence: proof.name.clone(),
        };
        let judge = |payment: &CardPayment| {
            if let Some((_, known)) = &payment.seen {
                let is_same = (known.state, &known.written, &known.amount, &known.rrn)
                    == (seen.state, &seen.written, &seen.amount, &seen.rrn);
                if is_same || known.state.reach() > seen.state.reach() {
                    return None;
                }
            }
            Some(CardEntry::Seen(seen.clone()))
        };
        self.append(&id_of(payment)?, Some(proof), judge).await
    }

    /// Adds an entry to the payment's list.
    pub(super) async fn append(
        &self,
        id: &PaymentId,
        proof: Option<&Proof>,
        judge: impl Fn(&CardPayment) -> Option<CardEntry>,
    ) -> Result<CardPayment, Problem> {
        let evidence = proof.map(Proof::evidence);
        let cards = self.store.card_payments();
        let appended = cards.append(id, evidence.as_ref(), judge).await?;
        let appended = appended.ok_or_else(|| Problem::internal("a payment by card is gone"))?;
        Ok(appended.0)
    }

    /// Says what became of the command whose end is open, as far as the state tells.
    async fn end_command(
        &self,
        payment: CardPayment,
        found: &Found,
        refused: Option<&Refusal>,
    ) -> Result<CardPayment, Problem> {
        let Some(command) = payment.open_command() else {
            return Ok(payment);
        };
        let refused = refused.filter(|(place, _)| *place == command.place);
        let age = self.store.now().duration_since(command.at);
        let not_done = match refused {
            Some(_) => Some(Outcome::NotDone),
            None => (age >= AT_WORK).then_some(Outcome::Unseen),
        };
        let is_noted = match command.command.kind {
            CommandKind::Refund => {
                let recorded = self.store.payments().get(&id_of(&payment)?).await?;
                recorded.is_some_and(|recorded| is_in_the_books(command, &recorded))
            }
            _ => false,
        };
        let outcome = match is_noted {
            true => Some(Outcome::Done),
            false => ended(command, found.state, not_done),
        };
        let Some(outcome) = outcome else {
            return Ok(payment);
        };
        let place = command.place;
        if outcome == Outcome::Unseen {
            // Whoever wants it done again must look first.
            let detail = json!({"payment_id": payment.id(), "command": command.command.kind});
            self.tell(payment.id(), &format!("unseen-{place}"), detail)
                .await?;
        }
        let entry = OutcomeJson {
            command: place,
            outcome,
            reason: refused.map(|(_, code)| code.clone()),
        };
        let judge = |payment: &CardPayment| {
            let open = payment.open_command();
            open.filter(|open| open.place == place)
                .map(|_| CardEntry::Outcome(entry.clone()))
        };
        self.append(&id_of(&payment)?, None, judge).await
    }

    /// A state that stands before one that was seen.
    async fn went_back(
        &self,
        payment: CardPayment,
        found: &Found,
        proof: &Proof,
    ) -> Result<CardPayment, Problem> {
        let is_paid = payment
            .seen
            .as_ref()
            .is_some_and(|(_, seen)| seen.state.reach() == CardState::Paid.reach());
        let id = id_of(&payment)?;
        if is_of_a_command(found.state) {
            // No command is at work for so long: a state that nobody knows speaks of the money.
            let last = payment.commands.last().map(|command| command.at);
            let last = last.max(payment.seen.as_ref().map(|(since, _)| *since));
            let is_long = last.is_some_and(|last| self.store.now().duration_since(last) >= UNCLEAR);
            if is_paid && is_long && found.state == State::Unknown {
                self.flag(&id, Review::Mismatch, proof).await?;
            }
            return Ok(payment);
        }
        match is_paid {
            true => self.flag(&id, Review::Mismatch, proof).await?,
            false => {
                let detail = json!({"payment_id": id.as_str(), "state": found.written});
                self.tell(id.as_str(), "went-back", detail).await?;
            }
        }
        Ok(payment)
    }

    /// Says that nothing more is to be expected, once that is so. `asked_at` is when the state was
    /// asked for.
    async fn end(
        &self,
        payment: CardPayment,
        found: &Found,
        asked_at: Timestamp,
    ) -> Result<CardPayment, Problem> {
        let begun = payment.started_at;
        let age = asked_at.duration_since(begun);
        let is_past = asked_at.duration_since(payment.expires_at()) >= AFTER_SESSION;
        // While a command is at work, the gateway leaves open what becomes of that.
        let open = payment.open_command().map(|open| open.at);
        let is_unclear = asked_at.duration_since(open.unwrap_or(begun)) >= UNCLEAR;
        let pay = payment.pay_command().and_then(|pay| pay.outcome.as_ref());
        let is_refused = pay.is_some_and(|(_, pay)| pay.outcome == Outcome::NotDone);
        let is_held = |payment: &CardPayment| {
            let mut seen = payment.seen.iter();
            seen.any(|(_, seen)| seen.state == CardState::Held)
        };
        // What was sent before the hold was over may still take it.
        let has_lapsed = is_held(&payment) && age >= HOLD && (open.is_none() || is_unclear);
        let reason = match found.state {
            _ if has_lapsed => Ended::Unclear,
            // Nobody else can pay it.
            State::Open | State::Failed if is_refused => Ended::Unpaid,
            State::Open | State::Failed if is_past && payment.pay_command().is_some() => {
                Ended::Unpaid
            }
            State::Open | State::Failed if payment.session.is_none() && is_past => Ended::NotOpened,
            State::Open | State::Failed if is_past => Ended::Unpaid,
            State::Pending | State::Unknown if is_unclear => Ended::Unclear,
            State::Released => Ended::Released,
            _ => {
                if matches!(found.state, State::Held { .. }) {
                    self.tell_of_hold(&payment, age).await?;
                }
                return Ok(payment);
            }
        };
        let state = state_of(found.state);
        let is_decided = payment.attempt.started.capture != Capture::Immediate;
        let is_gone = reason == Ended::Released || has_lapsed;
        if is_gone && is_decided {
            // Before it is over, since the timer does not look at it afterwards. And each time, since a
            // call that stood still may have decided on it after it was over.
            self.leave(&payment).await?;
        }
        let judge = |payment: &CardPayment| {
            // What is further on is not ended by what was seen before.
            let mut seen = payment.seen.iter();
            let is_it = seen.any(|(_, seen)| seen.state == state);
            let is_it = is_it || has_lapsed && is_held(payment);
            (payment.ended.is_none() && is_it).then_some(CardEntry::Ended(EndedJson { reason }))
        };
        let payment = self.append(&id_of(&payment)?, None, judge).await?;
        if reason == Ended::Unclear {
            let detail = json!({"payment_id": payment.id(), "state": found.written});
            self.tell(payment.id(), "unclear", detail).await?;
        }
        Ok(payment)
    }
}

/// Whether a state, once money has moved, speaks of the last command alone.
fn is_of_a_command(state: State) -> bool {
    matches!(state, State::Failed | State::Pending | State::Unknown)
}

/// What the gateway's state comes to in the books.
pub(super) fn state_of(state: State) -> CardState {
    match state {
        State::Open => CardState::Open,
        State::Pending => CardState::Pending,
        State::Held { .. } => CardState::Held,
        State::Paid { remaining: 0 } | State::Refunded => CardState::Refunded,
        State::Paid { .. } => CardState::Paid,
        State::Released => CardState::Released,
        State::Failed => CardState::Failed,
        State::ChargedBack { .. } => CardState::ChargedBack,
        State::Unknown => CardState::Unknown,
    }
}

/// How a command has ended, if a state says so. `not_done` is the end of one of which nothing is seen:
/// the gateway has refused it, or it should not be at work any more.
fn ended(command: &Command, state: State, not_done: Option<Outcome>) -> Option<Outcome> {
    let is_at_work = matches!(state, State::Pending | State::Unknown);
    match (command.command.kind, state) {
        _ if is_at_work => None,
        (
            CommandKind::Charge | CommandKind::Pay,
            State::Paid { .. } | State::Refunded | State::ChargedBack { .. },
        )
        | (CommandKind::Cancel, State::Released) => Some(Outcome::Done),
        // The other was done.
        (CommandKind::Charge, State::Released)
        | (CommandKind::Cancel, State::Paid { .. } | State::Refunded | State::ChargedBack { .. }) => {
            Some(Outcome::NotDone)
        }
        _ => not_done,
    }
}

/// Why a change of an order was not made.
pub(super) fn busy<E>(error: RegisterError<E>) -> Problem {
    match error {
        RegisterError::Store(error) => error.into(),
        _ => Problem::new(
            http::StatusCode::SERVICE_UNAVAILABLE,
            "Another call is changing the order; try again.",
        )
        .retry_after(1),
    }
}
