//! The questions of a timer: payments that are not over, and payments that were made a while ago.

use std::collections::HashMap;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use mpay_door::log::log;
use serde::Serialize;

use super::{
    Desk,
    begin::is_past,
    command::lost,
    observe::{Looked, UNCLEAR},
};
use crate::{
    api::Problem,
    domain::PaymentId,
    json::{Capture, CardState, Channel, Ended, Event},
    store::{CardPayment, Platform, Span, StoreError, StoredPayment},
};

/// The most payments that one call asks for, and the most that it asks for concurrently.
const MOST: usize = 50;
const AT_ONCE: usize = 10;
/// The time after which a call asks for no more payments, since it must end in time.
const ENOUGH: std::time::Duration = std::time::Duration::from_secs(3);

/// The result of a call.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "CardCheckAnswer"))]
pub struct Checked {
    /// Number of payments that the gateway was asked about.
    pub asked: usize,
    /// Number of payments whose state the gateway did not tell.
    pub unanswered: usize,
    /// Number of payments that are not over, or that the next call will ask about.
    pub open: usize,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The place in the journal after which the next call continues.
    #[serde(skip)]
    pub place: Option<u64>,
}

/// The name of the note with the time of the latest question. The note only saves questions.
fn note(id: &PaymentId) -> String {
    format!("card-asked {id}")
}

impl<P: Platform> Desk<'_, P> {
    /// Asks about the payments that are not over, if their next question is due.
    ///
    /// # Errors
    /// A [`Problem`] if the store fails.
    pub async fn check(&self) -> Result<Checked, Problem> {
        let cards = self.store.card_payments();
        let mut walk = cards.walk().await?;
        let ids: Vec<_> = walk.open().collect();
        let mut checked = Checked::default();
        let began = self.store.platform().monotonic();
        for ids in ids.chunks(MOST) {
            let payments = self.payments(ids).await?;
            let mut due = Vec::new();
            for id in ids {
                let payment = match payments.get(id) {
                    Some(Some(payment)) => Some(payment),
                    Some(None) => continue,
                    None => None,
                };
                let Some(payment) = payment else {
                    // Its entry in the order's list was skipped, so the payment was never begun.
                    walk.is_over(id);
                    continue;
                };
                if self.is_over(payment).await? {
                    walk.is_over(id);
                } else if checked.asked + due.len() < MOST && self.is_due(id, payment).await? {
                    due.push(payment.clone());
                }
            }
            for due in due.chunks(AT_ONCE) {
                if self.store.platform().monotonic().saturating_sub(began) >= ENOUGH {
                    break;
                }
                let looked = join_all(due.iter().map(|payment| self.look_noted(payment)));
                for looked in looked.await {
                    checked.asked += 1;
                    let looked = match looked {
                        Ok(looked) => looked,
                        Err(problem) => {
                            // The problem concerns this payment alone.
                            failed(problem);
                            checked.unanswered += 1;
                            continue;
                        }
                    };
                    checked.unanswered += usize::from(matches!(looked, Looked::Silent(..)));
                    let payment = looked.payment();
                    if self.is_over(payment).await?
                        && let Ok(id) = PaymentId::parse(payment.id())
                    {
                        walk.is_over(&id);
                    }
                }
            }
        }
        cards.keep(&walk).await?;
        checked.open = walk.open().count();
        Ok(checked)
    }

    /// Asks again about the payments that were recorded in a span, after a place in the journal, and about
    /// those that were begun in it and ended without money. Their payers may have paid after all, if the
    /// gateway's session lasted longer than announced.
    ///
    /// # Errors
    /// A [`Problem`] if the store fails.
    pub async fn recheck(&self, span: Span, after: u64) -> Result<Checked, Problem> {
        let is_card = |event: &Event| match event {
            Event::PaymentRecorded(payment) => payment.channel() == Channel::Card,
            Event::CardStarted(_) => true,
            _ => false,
        };
        let journal = self.store.journal();
        let page = journal.read(after, MOST, span, is_card).await?;
        if page.is_beyond_end {
            return Err(Problem::cursor_gone());
        }
        let mut checked = Checked::default();
        let mut place = after;
        let began = self.store.platform().monotonic();
        for entries in page.entries.chunks(AT_ONCE) {
            if self.store.platform().monotonic().saturating_sub(began) >= ENOUGH {
                checked.place = Some(place);
                return Ok(checked);
            }
            let mut begun = Vec::new();
            let mut ids = Vec::new();
            for entry in entries {
                match &entry.event {
                    Event::PaymentRecorded(payment) => {
                        ids.extend(PaymentId::parse(&payment.payment_id));
                    }
                    Event::CardStarted(started) => {
                        begun.extend(PaymentId::parse(&started.payment_id));
                    }
                    _ => {}
                }
            }
            let payments = self.payments(&begun).await?;
            begun.retain(|id| {
                let payment = payments.get(id).and_then(Option::as_ref);
                payment.is_some_and(ended_without_money)
            });
            ids.extend(begun);
            for looked in join_all(ids.iter().map(|id| self.observe(id))).await {
                checked.asked += 1;
                match looked {
                    Ok(Some(Looked::Told(_))) => {}
                    Ok(Some(Looked::Silent(..)) | None) => checked.unanswered += 1,
                    Err(problem) => {
                        failed(problem);
                        checked.unanswered += 1;
                    }
                }
            }
            place = entries.last().map_or(place, |entry| entry.index);
        }
        checked.place = (!page.complete).then_some(page.next);
        Ok(checked)
    }

    /// The payments with these ids; `None` for a payment whose record is damaged, so that it does not affect
    /// the others.
    async fn payments(
        &self,
        ids: &[PaymentId],
    ) -> Result<HashMap<PaymentId, Option<CardPayment>>, Problem> {
        let cards = self.store.card_payments();
        if let Ok(found) = cards.get_many(ids).await {
            let found = found.into_iter();
            return Ok(found.map(|(id, payment)| (id, Some(payment))).collect());
        }
        let mut found = HashMap::new();
        for id in ids {
            match cards.get(id).await {
                Ok(payment) => found.extend(payment.map(|payment| (id.clone(), Some(payment)))),
                Err(error @ StoreError::Corrupt { .. }) => {
                    failed(error.into());
                    found.insert(id.clone(), None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// Asks about a payment, unless it was asked about a moment ago. `None` if no payment with this id was
    /// begun; `Some(None)` if the gateway was not asked.
    ///
    /// # Errors
    /// A [`Problem`] if the store fails.
    pub async fn look_for_stranger(
        &self,
        id: &PaymentId,
    ) -> Result<Option<Option<Looked>>, Problem> {
        /// The shortest time between two questions about one payment that strangers cause.
        const EVERY: SignedDuration = SignedDuration::from_secs(3);
        let Some(payment) = self.store.card_payments().get(id).await? else {
            return Ok(None);
        };
        let last = self.store.notes().time(&note(id)).await?;
        if last.is_some_and(|last| self.store.now().duration_since(last).abs() < EVERY) {
            return Ok(Some(None));
        }
        Ok(Some(Some(self.look_noted(&payment).await?)))
    }

    async fn look_noted(&self, payment: &CardPayment) -> Result<Looked, Problem> {
        let id = super::id_of(payment)?;
        self.store
            .notes()
            .set(&note(&id), &self.store.now())
            .await?;
        self.look(payment.clone()).await
    }

    /// True if nothing more is expected of a payment.
    async fn is_over(&self, payment: &CardPayment) -> Result<bool, Problem> {
        if payment.open_command().is_some() {
            return Ok(false);
        }
        if payment.ended.is_some() {
            return Ok(true);
        }
        let state = payment.seen.as_ref().map(|(_, seen)| seen.state);
        let is_paid = state.is_some_and(|state| state.reach() == CardState::Paid.reach());
        // A payment is recorded before its state is written. This makes sure that it is.
        let recorded = match is_paid {
            true => self.store.payments().get(&super::id_of(payment)?).await?,
            false => None,
        };
        let now = self.store.now();
        // A refund whose outcome is unseen may still be made.
        let may_come = |recorded: &StoredPayment| {
            lost(payment, recorded).any(|lost| now.duration_since(lost.at) < UNCLEAR)
        };
        Ok(recorded.is_some_and(|recorded| !may_come(&recorded)))
    }

    /// True if the next question about a payment is due.
    async fn is_due(&self, id: &PaymentId, payment: &CardPayment) -> Result<bool, Problem> {
        let now = self.store.now();
        let last = self.store.notes().time(&note(id)).await?;
        let Some(last) = last else {
            return Ok(now.duration_since(payment.started_at) >= every(payment, now));
        };
        Ok(now.duration_since(last).abs() >= every(payment, now))
    }
}

/// True if a payment is given up, and no money was seen.
fn ended_without_money(payment: &CardPayment) -> bool {
    matches!(
        payment.ended,
        Some(Ended::Unpaid | Ended::NotOpened | Ended::Unclear)
    )
}

/// Says in the log that a payment could not be asked for.
fn failed(problem: Problem) {
    let (detail, _) = problem.into_parts();
    log!("the state of a payment by card could not be asked for: {detail}");
}

/// The time from one question about a payment to the next.
fn every(payment: &CardPayment, now: Timestamp) -> SignedDuration {
    let state = payment.seen.as_ref().map(|(_, seen)| seen.state);
    if payment.open_command().is_some() {
        // The first minutes tell most.
        return SignedDuration::from_secs(55);
    }
    match state {
        None if payment.session.is_some() => SignedDuration::from_secs(15),
        None | Some(CardState::Open | CardState::Failed) if !is_past(payment, now) => {
            SignedDuration::from_secs(55)
        }
        None | Some(CardState::Open | CardState::Failed) => SignedDuration::ZERO,
        Some(CardState::Pending | CardState::Unknown) => SignedDuration::from_mins(5),
        // It is undecided: another hold of its order is being charged.
        Some(CardState::Held)
            if payment.attempt.started.capture == Capture::Checked
                && payment.commands.is_empty() =>
        {
            SignedDuration::from_secs(55)
        }
        Some(CardState::Held) => SignedDuration::from_hours(1),
        Some(_) if payment.unseen_refunds().next().is_some() => SignedDuration::from_hours(1),
        Some(_) => SignedDuration::ZERO,
    }
}
