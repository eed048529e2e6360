//! Asks the gateway for the state of a payment, and records the consequences. Everything here may run any
//! number of times, also concurrently: each record is judged by the records before it.

use cryptoprocessing::{Found, State};
use jiff::{SignedDuration, Timestamp};
use mpay_door::log::log;
use serde_json::{Value, json};

use super::{
    Desk,
    gateway::{Proof, Told},
    id_of,
    money::{Noted, is_in_the_books},
};
use crate::{
    api::Problem,
    domain::{Money, PaymentId, Review},
    json::{Capture, CardState, CommandKind, Ended, EndedJson, Outcome, OutcomeJson, SeenJson},
    store::{CardEntry, CardPayment, Command, Platform},
};

/// The time after the end of a session from which on nobody can pay in it any more.
pub(super) const AFTER_SESSION: SignedDuration = SignedDuration::from_mins(15);
/// The time for which a command without a visible effect may still be at work.
const AT_WORK: SignedDuration = SignedDuration::from_mins(15);
/// The longest time for which the gateway may leave the outcome of a payment open.
pub(super) const UNCLEAR: SignedDuration = SignedDuration::from_hours(72);
/// The longest time that a hold lasts.
pub(super) const HOLD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The result of asking for a state.
#[derive(Debug)]
pub enum Looked {
    /// The gateway told the state, and all consequences are recorded.
    Told(Box<CardPayment>),
    /// The gateway told nothing that can be relied on, for this reason. The payment is unchanged.
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

/// A command that the gateway refused: its place in the payment's list, and the error code.
pub(super) type Refusal = (u64, String);

impl<P: Platform> Desk<'_, P> {
    /// Asks for the state of a payment; `None` if no payment with this id was begun.
    ///
    /// # Errors
    /// A [`Problem`] if the store fails, or if the payment's terminal is not configured.
    pub async fn observe(&self, id: &PaymentId) -> Result<Option<Looked>, Problem> {
        match self.store.card_payments().get(id).await? {
            Some(payment) => Ok(Some(self.look(payment).await?)),
            None => Ok(None),
        }
    }

    /// Asks for the state of a payment that was already read. If this provider decides about held money, it
    /// charges or releases it.
    pub(super) async fn look(&self, payment: CardPayment) -> Result<Looked, Problem> {
        let looked = self.look_after(payment, None).await?;
        match looked {
            Looked::Told(payment) if self.is_to_decide(&payment) => self.decide(*payment).await,
            looked => Ok(looked),
        }
    }

    /// Asks for the state of a payment after a command, which the gateway may have refused.
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
            // More remains than the books have: another call has seen a later state meanwhile, or the gateway
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
            // The same applies to the state: a call that asked before the payer paid may be the last to write.
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

    /// Sends an alert about a payment. Alerts of another kind on the same day do not suppress it.
    pub(super) async fn tell(&self, id: &str, what: &str, detail: Value) -> Result<(), Problem> {
        self.alert(&format!("{id}-{what}"), detail).await
    }

    /// Writes the state into the payment's list, if it is new and the list has no later one.
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

    /// Writes the outcome of the open command, as far as the state tells it.
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
            // A person who wants to repeat it must look first.
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

    /// Handles a state that comes before one that was already seen.
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
            // No command is at work for so long, so an unknown state concerns the money itself.
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

    /// Writes that nothing more is expected, as soon as that is true. `asked_at` is the time of the question.
    async fn end(
        &self,
        payment: CardPayment,
        found: &Found,
        asked_at: Timestamp,
    ) -> Result<CardPayment, Problem> {
        let begun = payment.started_at;
        let age = asked_at.duration_since(begun);
        let is_past = asked_at.duration_since(payment.expires_at()) >= AFTER_SESSION;
        // While a command is at work, the gateway does not tell the outcome of that command.
        let open = payment.open_command().map(|open| open.at);
        let is_unclear = asked_at.duration_since(open.unwrap_or(begun)) >= UNCLEAR;
        let pay = payment.pay_command().and_then(|pay| pay.outcome.as_ref());
        let is_refused = pay.is_some_and(|(_, pay)| pay.outcome == Outcome::NotDone);
        let is_held = |payment: &CardPayment| {
            let mut seen = payment.seen.iter();
            seen.any(|(_, seen)| seen.state == CardState::Held)
        };
        // A command that was sent before the hold ended may still charge it.
        let has_lapsed = is_held(&payment) && age >= HOLD && (open.is_none() || is_unclear);
        let reason = match found.state {
            _ if has_lapsed => Ended::Unclear,
            // Nobody else can pay by it.
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
            // This happens before the payment is over, since the timer does not look at it afterwards. It is
            // repeated each time, since a call that stood still may have decided after the end.
            self.leave(&payment).await?;
        }
        let judge = |payment: &CardPayment| {
            // An older state does not end a payment that has gone further.
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

/// True if this state, after money has moved, concerns only the latest command.
fn is_of_a_command(state: State) -> bool {
    matches!(state, State::Failed | State::Pending | State::Unknown)
}

/// The state in the books for the gateway's state.
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

/// The outcome of a command, if the state tells it. `not_done` is the outcome of a command without a visible
/// effect: the gateway has refused it, or it cannot be at work any more.
fn ended(command: &Command, state: State, not_done: Option<Outcome>) -> Option<Outcome> {
    let is_at_work = matches!(state, State::Pending | State::Unknown);
    match (command.command.kind, state) {
        _ if is_at_work => None,
        (
            CommandKind::Charge | CommandKind::Pay,
            State::Paid { .. } | State::Refunded | State::ChargedBack { .. },
        )
        | (CommandKind::Cancel, State::Released) => Some(Outcome::Done),
        // The opposite command was carried out.
        (CommandKind::Charge, State::Released)
        | (CommandKind::Cancel, State::Paid { .. } | State::Refunded | State::ChargedBack { .. }) => {
            Some(Outcome::NotDone)
        }
        _ => not_done,
    }
}
