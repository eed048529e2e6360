//! Asks the gateway for the state of a payment, and records what follows from it. Everything here may be
//! done any number of times, also at once: what is recorded is judged by what stands before it.

use cryptoprocessing::{Found, State};
use jiff::{SignedDuration, Timestamp};
use mpay_door::log::log;
use serde_json::{Value, json};

use super::{
    Desk, amount,
    command::is_in_the_books,
    divided,
    gateway::{Proof, Told},
    id_of, minor_units,
};
use crate::{
    api::Problem,
    domain::{Confirmation, LineId, Money, PaymentId, Review, time},
    json::{
        Capture, CardJson, CardState, CommandJson, CommandKind, Ended, EndedJson, MetadataJson,
        Outcome, OutcomeJson, PaymentJson, RefundJson, SeenJson,
    },
    store::{
        CardEntry, CardPayment, Command, NotTaken, Platform, Recorded, Refunded, RegisterError,
        StoredOrder, StoredPayment,
    },
};

/// How long after the session's end nobody pays any more.
pub(super) const AFTER_SESSION: SignedDuration = SignedDuration::from_mins(15);
/// How long a command of which nothing is seen may still be at work.
const AT_WORK: SignedDuration = SignedDuration::from_mins(15);
/// How long the gateway may leave open what becomes of a payment.
pub(super) const UNCLEAR: SignedDuration = SignedDuration::from_hours(72);
/// How long a hold lasts at the most, and when people are told of it.
const HOLD: SignedDuration = SignedDuration::from_hours(8 * 24);
const LONG_HELD: SignedDuration = SignedDuration::from_hours(5 * 24);
/// How long a hold waits for another one of its order, or for a command that was decided on, before people
/// are told.
const WAITS: SignedDuration = SignedDuration::from_hours(1);
/// How often a command of our own is tried that the gateway refuses.
const TRIES: usize = 3;

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

    /// Records the money that a state speaks of.
    async fn record_money(
        &self,
        payment: &CardPayment,
        found: &Found,
        proof: &Proof,
        last_try: bool,
    ) -> Result<Noted, Problem> {
        let asked = amount(payment.asked())?;
        let (total, remaining) = match found.state {
            State::Paid { remaining } => {
                let remaining = Money::of_hundredths(remaining.into());
                let remaining =
                    remaining.ok_or_else(|| Problem::internal("an amount beyond any"))?;
                match remaining.is_zero() {
                    // Taken, and nothing of it remains: as if the gateway said so.
                    true => (asked, Some(remaining)),
                    false => (remaining, Some(remaining)),
                }
            }
            State::Refunded => (asked, Some(Money::ZERO)),
            // Whether the dispute is of all that is told is not certain, so it records what was not
            // recorded yet, and takes nothing away.
            State::ChargedBack { amount } => {
                let told = amount.filter(|amount| *amount > 0);
                let told = told.and_then(|amount| Money::of_hundredths(amount.into()));
                (told.unwrap_or(asked), None)
            }
            _ => return Ok(Noted::Recorded),
        };
        let recorded = self.recorded(payment, total, found, proof).await?;
        let id = id_of(payment)?;
        if recorded.payment.card.is_none() {
            // The gateway has taken money, and the payment of this id is another one.
            self.flag(&id, Review::Mismatch, proof).await?;
            return Ok(Noted::Recorded);
        }
        if let Some(remaining) = remaining {
            let known = recorded.state.remaining();
            if remaining > known {
                if !last_try {
                    return Ok(Noted::Stale);
                }
                self.flag(&id, Review::Mismatch, proof).await?;
            }
            if remaining < known {
                self.refunded(payment, &recorded, remaining, found, proof)
                    .await?;
            }
        }
        if let State::ChargedBack { amount } = found.state {
            self.flag(&id, Review::ChargedBack, proof).await?;
            if amount.is_some_and(|amount| amount > 0) && total != recorded.state.remaining() {
                self.flag(&id, Review::Mismatch, proof).await?;
            }
        }
        Ok(Noted::Recorded)
    }

    /// The payment in the books: recorded now, or before, perhaps by another channel under this id.
    async fn recorded(
        &self,
        payment: &CardPayment,
        total: Money,
        found: &Found,
        proof: &Proof,
    ) -> Result<StoredPayment, Problem> {
        let id = id_of(payment)?;
        let payments = self.store.payments();
        if let Some(known) = payments.get(&id).await? {
            return Ok(known);
        }
        let (record, order) = self.record_of(payment, total, found, proof).await?;
        let confirmation = record.to_confirmation().map_err(Problem::fields)?;
        let evidence = proof.evidence();
        let recorded = payments.record(&confirmation, &record, &order, &evidence, None);
        match recorded.await? {
            Recorded::New | Recorded::Repeated { .. } | Recorded::Conflict => {}
            Recorded::Manual => return Err(Problem::internal("a card payment entered by hand")),
        }
        // Of two who record at once, one may have seen the payment after a part was given back: the
        // first counts, and the other goes on from that.
        let known = payments.get(&id).await?;
        known.ok_or_else(|| Problem::internal("a payment by card is not recorded"))
    }

    /// The record of what was taken, seen now, and its order.
    async fn record_of(
        &self,
        payment: &CardPayment,
        total: Money,
        found: &Found,
        proof: &Proof,
    ) -> Result<(PaymentJson, StoredOrder), Problem> {
        let started = &payment.attempt.started;
        let mut asked = Vec::with_capacity(started.lines.len());
        for line in &started.lines {
            let id = LineId::parse(&line.line_id).map_err(Problem::internal)?;
            asked.push((id, amount(&line.amount)?));
        }
        let mut lines = divided(asked, total);
        let account = self.cards.bank_account.as_ref();
        for line in &mut lines {
            line.bank_account = account.map(|iban| iban.as_str().to_owned());
        }
        let now = time::format(self.store.now());
        let record = PaymentJson {
            payment_id: started.payment_id.clone(),
            service_id: started.service_id.clone(),
            order_key: started.order_key.clone(),
            invoice_id: None,
            amount: total.to_string(),
            currency: started.currency.clone(),
            paid_at: now.clone(),
            lines,
            properties: Vec::new(),
            received_at: now,
            amount_validity: None,
            signer: None,
            evidence: proof.name.clone(),
            card: Some(CardJson {
                asked: payment.asked().to_owned(),
                terminal: started.terminal.clone(),
                rrn: own_reference(payment, found)?,
                masked_number: found.card.clone().filter(|_| !payment.is_erased),
            }),
            manual: None,
            after_void: false,
            version: None,
            metadata: MetadataJson::new(),
        };
        let confirmation: Confirmation = record.to_confirmation().map_err(Problem::fields)?;
        let (service, key) = (&confirmation.service_id, &confirmation.order_key);
        let order = self.store.orders().get(service, key).await?;
        let Some(order) = order else {
            return Ok((record, StoredOrder::default()));
        };
        // The payer was asked for what was due when they began.
        let since = self.store.now().duration_since(payment.started_at);
        let since = std::time::Duration::try_from(since).unwrap_or_default();
        let record = record
            .with_metadata(&order.state)
            .with_validity(&order.state, since);
        if account.is_some() {
            return Ok((record, order));
        }
        let default = self.config.service(service);
        let default = default.and_then(|service| service.account.as_ref());
        Ok((record.to_accounts_of(&order.state, default), order))
    }

    /// Notes that money was given back: by our own command, if that is what it comes to.
    async fn refunded(
        &self,
        payment: &CardPayment,
        recorded: &StoredPayment,
        remaining: Money,
        found: &Found,
        proof: &Proof,
    ) -> Result<(), Problem> {
        let command = payment.commands.iter().rev().find(|command| {
            let left = command.command.remaining.as_deref().map(Money::parse);
            command.command.kind == CommandKind::Refund && left == Some(Ok(remaining))
        });
        let command = command.map(|command| &command.command);
        let started = &payment.attempt.started;
        let refund = RefundJson {
            payment_id: started.payment_id.clone(),
            service_id: started.service_id.clone(),
            order_key: recorded.payment.order_key.clone(),
            amount: String::new(),
            remaining: remaining.to_string(),
            currency: started.currency.clone(),
            lines: Vec::new(),
            recorded: recorded.index,
            note: command.and_then(|command| command.note.clone()),
            by: command.and_then(|command| command.by.clone()),
            // Of a payment and its refunds the gateway tells one number: that of the last.
            rrn: found.rrn.clone().filter(|rrn| !names(recorded, rrn)),
            evidence: proof.name.clone(),
            version: None,
        };
        let refunds = self.store.refunds();
        match refunds.refund(&refund, &proof.evidence()).await {
            Ok(Refunded::New | Refunded::Known) => Ok(()),
            Ok(Refunded::NoPayment) => Err(Problem::internal("a payment by card is gone")),
            Err(error) => Err(busy(error)),
        }
    }

    async fn flag(&self, id: &PaymentId, review: Review, proof: &Proof) -> Result<(), Problem> {
        let refunds = self.store.refunds();
        let opened = refunds.open(id, review, &proof.evidence()).await;
        if opened.map_err(busy)? {
            let detail = json!({"payment_id": id.as_str(), "review": review.as_str()});
            self.tell(id.as_str(), review.as_str(), detail).await?;
        }
        Ok(())
    }

    /// Tells people something of a payment, whatever else they were told of it today.
    async fn tell(&self, id: &str, what: &str, detail: Value) -> Result<(), Problem> {
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

    /// Tells people of a hold that waits for them.
    async fn tell_of_hold(
        &self,
        payment: &CardPayment,
        age: SignedDuration,
    ) -> Result<(), Problem> {
        let id = payment.id();
        if age >= LONG_HELD {
            let detail = json!({"payment_id": id, "state": "held"});
            self.tell(id, "held", detail).await?;
        }
        if let Some(decided) = self.decided(payment).await?
            && self.store.now().duration_since(decided) >= WAITS
        {
            let detail = json!({"payment_id": id, "decided_at": time::format(decided)});
            self.tell(id, "decided", detail).await?;
        }
        Ok(())
    }

    /// Since when it is decided that what is held is to be taken, if a person has decided it, and no
    /// command was noted since: the call was stopped in between. Nobody sends it by itself.
    ///
    /// # Errors
    /// A [`Problem`] if the books cannot be read.
    pub async fn decided(&self, payment: &CardPayment) -> Result<Option<Timestamp>, Problem> {
        let seen = payment.seen.as_ref();
        let is_held = seen.is_some_and(|(_, seen)| seen.state == CardState::Held);
        let mut commands = payment.commands.iter();
        let is_sent = commands
            .any(|known| known.command.kind == CommandKind::Charge || known.outcome.is_none());
        let is_for_people = payment.attempt.started.capture == Capture::Manual;
        if !is_held || !is_for_people || is_sent || payment.ended.is_some() {
            return Ok(None);
        }
        let (service, key) = self.record_address(payment)?;
        let order = self.store.orders().get(&service, &key).await?;
        let begun = order.iter().flat_map(|order| &order.begun);
        let mut taking = begun.filter(|begun| begun.is_taking);
        let own = taking.find(|begun| begun.started.payment_id == payment.id());
        // Earlier versions have not kept when.
        Ok(own.map(|begun| begun.taking_since.unwrap_or(begun.at)))
    }

    /// Lets other holds of the order be taken, if this one was about to be.
    pub(super) async fn leave(&self, payment: &CardPayment) -> Result<(), Problem> {
        let (service, key) = self.record_address(payment)?;
        let id = id_of(payment)?;
        let left = self.store.card_payments().leave(&id, &service, &key);
        left.await.map_err(busy)
    }

    /// Whether it is for this provider to take or release what is held, now.
    fn is_to_decide(&self, payment: &CardPayment) -> bool {
        let is_held = payment
            .seen
            .as_ref()
            .is_some_and(|(_, seen)| seen.state == CardState::Held);
        is_held
            && payment.attempt.started.capture == Capture::Checked
            && payment.ended.is_none()
            && payment.open_command().is_none()
    }

    /// Takes what is held if the order can still be paid with it, and else releases it: what came by
    /// MPay or another card meanwhile is not paid twice.
    async fn decide(&self, payment: CardPayment) -> Result<Looked, Problem> {
        let tried = |kind| {
            let commands = payment.commands.iter();
            commands
                .filter(|command| command.command.kind == kind)
                .count()
        };
        let started = &payment.attempt.started;
        let is_enough = tried(CommandKind::Charge) >= TRIES;
        let kind = match is_enough {
            true => CommandKind::Cancel,
            false => match self.may_take(&payment, amount(&started.amount)?).await? {
                Ok(()) => CommandKind::Charge,
                Err(NotTaken::Refused(_)) => CommandKind::Cancel,
                // It may come to nothing: until that is known, this one is held.
                Err(NotTaken::Other(other)) => {
                    let held = payment.seen.as_ref().map(|(since, _)| *since);
                    let waited = held.map(|since| self.store.now().duration_since(since));
                    if waited.is_some_and(|waited| waited >= WAITS) {
                        let detail = json!({"payment_id": payment.id(), "waits_for": other});
                        self.tell(payment.id(), "waits", detail).await?;
                    }
                    return Ok(Looked::Told(Box::new(payment)));
                }
            },
        };
        if tried(kind) >= TRIES {
            let detail = json!({"payment_id": payment.id(), "state": "held"});
            self.tell(payment.id(), "held", detail).await?;
            return Ok(Looked::Told(Box::new(payment)));
        }
        let command = CommandJson {
            kind,
            amount: started.amount.clone(),
            remaining: None,
            note: None,
            by: None,
            request: None,
            checked: false,
        };
        self.send(payment, command).await
    }
}

/// The reference number of a payment that is recorded only now. Of a payment and its refunds the gateway
/// tells one number, that of the last. So where all was given back, what it tells is the refund's; the
/// payment's own is what it told while the money was held, if it was. Where less remains than was asked
/// for, less may have been taken or some of it given back, and the number of the hold is the more certain
/// one. What it told of a try that came to nothing is the number of neither.
fn own_reference(payment: &CardPayment, found: &Found) -> Result<Option<String>, Problem> {
    let seen = payment.seen.as_ref().map(|(_, seen)| seen);
    let of_hold = seen.filter(|seen| seen.state.reach() >= CardState::Held.reach());
    let of_hold = of_hold.and_then(|seen| seen.rrn.clone());
    let told = found.rrn.clone();
    Ok(match found.state {
        State::Refunded | State::Paid { remaining: 0 } => of_hold,
        State::Paid { remaining } if remaining != minor_units(amount(payment.asked())?)? => {
            of_hold.or(told)
        }
        _ => told,
    })
}

/// Whether a reference number is that of the payment, or of an earlier refund.
fn names(recorded: &StoredPayment, rrn: &str) -> bool {
    let card = recorded.payment.card.as_ref();
    let own = card.and_then(|card| card.rrn.as_deref());
    let refunds = recorded.state.refunds.iter();
    let refunds = refunds.filter_map(|refund| refund.rrn.as_deref());
    own.into_iter().chain(refunds).any(|known| known == rrn)
}

/// Whether a state, once money has moved, speaks of the last command alone.
fn is_of_a_command(state: State) -> bool {
    matches!(state, State::Failed | State::Pending | State::Unknown)
}

/// What came of recording money.
enum Noted {
    /// It is recorded, or there is none.
    Recorded,
    /// More remains than is known.
    Stale,
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
