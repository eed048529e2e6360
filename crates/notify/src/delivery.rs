//! Delivery of payments and voids: tried at once, and again with growing pauses until it is made or given up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mutation::{Mutation, mutated};
use serde::Serialize;

use mpay_door::{Platform, log::log};
use mpay_ledger::{
    Attempts, Delivery, Ledger, OutboxState, Settled, StoreError, Told, Waiting,
    domain::{OrderKey, PaymentId, Review, ServiceId},
    json::{PaymentJson, VoidJson},
};

use crate::{Webhook, webhook::message_id};

/// Messages sent by one call at most.
const MOST: u32 = 50;
/// The same, for those that a call of MPay brings about.
const MOST_ON_THE_SIDE: u32 = 5;
/// After so many failures in a row the receiver is left alone until the next call.
const FAILURES: u32 = 3;
/// Nothing is begun after this time, so that the host does not cut the call off.
const BEGIN_WITHIN: Duration = Duration::from_secs(12);
/// Parts of the outbox read by one call at most.
const PAGES: u32 = 8;
/// Deliveries read at once of those that wait.
const PART: usize = 50;
/// Deliveries that may wait for another attempt without being in anybody's way. Where there are
/// more, the outbox is gone through in turns.
pub(super) const MOST_WAITING: usize = 500;
/// Attempts after which a delivery is given up: three days, with the pauses below.
const ATTEMPTS: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// Pause between deliveries that calls of MPay bring about.
const ON_THE_SIDE_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What a call did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Messages that the receiver took.
    pub delivered: u32,
    /// Messages that it did not take.
    pub failed: u32,
    /// Of these, those that will not be tried again.
    pub given_up: u32,
    /// Whether everything that is due was tried. If not, call again: at once, unless `left_alone`
    /// says otherwise.
    pub complete: bool,
    /// Whether the receiver failed three times in a row, and is left alone for a minute.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub left_alone: bool,
}

/// What is posted of a payment.
#[derive(Serialize)]
struct PaymentData<'a> {
    /// Its place, as in `GET /api/payments`.
    index: u64,
    #[serde(flatten)]
    payment: &'a PaymentJson,
    /// What a person should look at.
    review: &'a [String],
}

/// What is posted of a void.
#[derive(Serialize)]
struct VoidData<'a> {
    /// Its place, as in `GET /api/events`.
    index: u64,
    #[serde(flatten)]
    void: &'a VoidJson,
}

/// Delivers what is due, in the order of the journal, as far as one call goes.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub async fn deliver<P: Platform>(
    webhook: &Webhook,
    store: &Ledger<P>,
) -> Result<Report, StoreError> {
    deliver_up_to(webhook, store, MOST).await
}

/// The same on the side of MPay's calls, a little and not with each.
pub async fn deliver_now_and_then<P: Platform>(
    webhook: &Webhook,
    store: &Ledger<P>,
) -> Result<(), StoreError> {
    const NOTE: &str = "delivered-on-the-side";
    let now = store.now();
    let last = store.notes().time(NOTE).await?;
    if last.is_none_or(|last| now.duration_since(last) > ON_THE_SIDE_EVERY) {
        store.notes().set(NOTE, &now).await?;
        deliver_up_to(webhook, store, MOST_ON_THE_SIDE).await?;
    }
    Ok(())
}

/// Delivers a payment that was recorded just now. Gives what a person should look at.
pub async fn deliver_one<P: Platform>(
    webhook: &Webhook,
    store: &Ledger<P>,
    id: &PaymentId,
) -> Result<Vec<String>, StoreError> {
    let Some(stored) = store.payments().get(id).await? else {
        return Ok(Vec::new());
    };
    let review: Vec<_> = stored
        .state
        .review
        .iter()
        .map(|review| review.as_str().to_owned())
        .collect();
    let delivery = Delivery {
        index: stored.index,
        at: stored.recorded_at,
        what: Told::Recorded(Box::new(stored.payment)),
        attempts: Attempts::default(),
        settled: None,
    };
    attempt(webhook, store, &delivery, &review).await?;
    Ok(review)
}

async fn deliver_up_to<P: Platform>(
    webhook: &Webhook,
    store: &Ledger<P>,
    most: u32,
) -> Result<Report, StoreError> {
    let before = store.outbox().state().await?;
    let mut call = DeliveryCall {
        webhook,
        store,
        most,
        started: store.now(),
        state: before.clone(),
        report: Report::default(),
    };
    let delivered = call.deliver().await;
    let DeliveryCall { state, report, .. } = call;
    // What was done until something failed is done.
    if state != before {
        store.outbox().set_state(&state).await?;
    }
    delivered?;
    Ok(report)
}

/// Why a call did not try everything that is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// It has done as much as one call does.
    Enough,
    /// The receiver failed again and again.
    LeftAlone,
}

/// One call that delivers.
struct DeliveryCall<'a, P> {
    webhook: &'a Webhook,
    store: &'a Ledger<P>,
    most: u32,
    started: Timestamp,
    state: OutboxState,
    report: Report,
}

impl<P: Platform> DeliveryCall<'_, P> {
    /// Tries what waits and what is new. If the first of them leaves nothing for the other, that is
    /// the first next time: neither keeps the other back, however slow or many.
    async fn deliver(&mut self) -> Result<(), StoreError> {
        let new_first = self.state.new_first;
        let mut stopped = Vec::new();
        for is_new in [new_first, !new_first] {
            let result = match is_new {
                true => self.deliver_new().await?,
                false => self.deliver_waiting().await?,
            };
            if let Err(reason) = result {
                if reason == Stopped::Enough && is_new != new_first {
                    self.state.new_first = is_new;
                }
                stopped.push(reason);
            }
        }
        self.report.complete = stopped.is_empty();
        self.report.left_alone =
            !stopped.is_empty() && stopped.iter().all(|reason| *reason == Stopped::LeftAlone);
        Ok(())
    }

    /// Whether one more message may be sent, after so many failures in a row.
    fn check(&self, failures: u32) -> Result<(), Stopped> {
        let elapsed = self.store.now().duration_since(self.started);
        if failures >= FAILURES {
            Err(Stopped::LeftAlone)
        } else if self.report.delivered + self.report.failed >= self.most
            || elapsed > BEGIN_WITHIN.try_into().unwrap_or_default()
        {
            Err(Stopped::Enough)
        } else {
            Ok(())
        }
    }

    /// Tries again what waits and is due, beginning with what has been due the longest.
    async fn deliver_waiting(&mut self) -> Result<Result<(), Stopped>, StoreError> {
        let now = self.store.now();
        let mut due: Vec<_> = self.state.waiting.iter().collect();
        due.retain(|waiting| waiting.next_at.is_none_or(|at| at <= now));
        due.sort_by_key(|waiting| (waiting.next_at, waiting.index));
        let due: Vec<_> = due.into_iter().map(|waiting| waiting.index).collect();
        let mut failures = 0;
        for indices in due.chunks(PART) {
            if let Err(stopped) = self.check(failures) {
                return Ok(Err(stopped));
            }
            let deliveries = self.store.outbox().deliveries(indices).await?;
            for index in indices {
                let delivery = deliveries.iter().find(|delivery| delivery.index == *index);
                let next_at = match delivery {
                    // The store has lost it: a repair enters it again at this place, and then it is
                    // still to be told of.
                    None => now.checked_add(LONGEST_PAUSE).ok(),
                    Some(delivery) => {
                        if is_due(delivery, now)
                            && let Err(stopped) = self.check(failures)
                        {
                            return Ok(Err(stopped));
                        }
                        self.attempt(delivery, &mut failures).await?
                    }
                };
                let mut waiting = self.state.waiting.iter_mut();
                match (waiting.find(|waiting| waiting.index == *index), next_at) {
                    (Some(waiting), Some(next_at)) => waiting.next_at = Some(next_at),
                    _ => self.state.waiting.retain(|waiting| waiting.index != *index),
                }
            }
        }
        Ok(Ok(()))
    }

    /// Tries what is new. What cannot be settled yet waits, so that it is passed.
    async fn deliver_new(&mut self) -> Result<Result<(), Stopped>, StoreError> {
        let mut failures = 0;
        let mut after = self.state.next.max(self.state.low);
        for _ in 0..PAGES {
            let page = self.store.outbox().read(after).await?;
            for delivery in &page.deliveries {
                if is_due(delivery, self.store.now())
                    && let Err(stopped) = self.check(failures)
                {
                    return Ok(Err(stopped));
                }
                let next_at = self.attempt(delivery, &mut failures).await?;
                self.pass(after, delivery.index, next_at);
                after = delivery.index;
            }
            self.pass(after, page.next, None);
            if page.next == after && page.deliveries.is_empty() {
                // The next call begins again where something may be left.
                self.state.next = 0;
                return Ok(Ok(()));
            }
            after = page.next;
        }
        Ok(Err(Stopped::Enough))
    }

    /// Goes on from `after` to `index`, where nothing is left or what is there must be tried again.
    fn pass(&mut self, after: u64, index: u64, next_at: Option<Timestamp>) {
        let is_unbroken = after == self.state.low;
        match next_at {
            Some(_) if is_unbroken && self.state.waiting.len() < MOST_WAITING => {
                if !mutated(Mutation::OutboxForgets) {
                    self.state.waiting.push(Waiting { index, next_at });
                }
                self.state.low = index;
            }
            None if is_unbroken => self.state.low = index,
            _ => {}
        }
        self.state.next = match self.state.low < index {
            true => index,
            false => 0,
        };
    }

    /// Sends what is due. Gives when to try again; `None` once it is settled.
    async fn attempt(
        &mut self,
        delivery: &Delivery,
        failures: &mut u32,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.store.now();
        if delivery.settled.is_some() {
            return Ok(None);
        }
        if !is_due(delivery, now) {
            return Ok(delivery.attempts.next_at);
        }
        let review = match &delivery.what {
            Told::Recorded(payment) => review(self.store, payment).await?,
            Told::Voided(_) => Vec::new(),
        };
        match attempt(self.webhook, self.store, delivery, &review).await? {
            Attempt::Delivered => {
                self.report.delivered += 1;
                *failures = 0;
                Ok(None)
            }
            Attempt::Failed { next_at } => {
                self.report.failed += 1;
                self.report.given_up += u32::from(next_at.is_none());
                *failures += 1;
                Ok(next_at)
            }
        }
    }
}

fn is_due(delivery: &Delivery, now: Timestamp) -> bool {
    let next_at = delivery.attempts.next_at;
    delivery.settled.is_none() && next_at.is_none_or(|next_at| next_at <= now)
}

enum Attempt {
    Delivered,
    /// `None` if it is given up.
    Failed {
        next_at: Option<Timestamp>,
    },
}

/// Sends what is told, and keeps what came of it.
async fn attempt<P: Platform>(
    webhook: &Webhook,
    store: &Ledger<P>,
    delivery: &Delivery,
    review: &[String],
) -> Result<Attempt, StoreError> {
    let (index, at) = (delivery.index, delivery.at);
    let id = delivery.what.payment_id();
    let sent = match &delivery.what {
        Told::Recorded(payment) => {
            // After a void there are two payments of this id, and the receiver must not take the second
            // for a repetition.
            let ending = match payment.after_void {
                true => ".after-void",
                false => "",
            };
            let data = PaymentData {
                index,
                payment,
                review,
            };
            let id = message_id(id, ending);
            send(webhook, store, &id, "payment.recorded", at, &data).await
        }
        Told::Voided(void) => {
            let data = VoidData { index, void };
            let id = message_id(id, ".voided");
            send(webhook, store, &id, "payment.voided", at, &data).await
        }
    };
    let now = store.now();
    let Err(reason) = sent else {
        let settled = Settled {
            at: now,
            given_up: false,
        };
        store.outbox().settle(delivery.index, &settled).await?;
        return Ok(Attempt::Delivered);
    };
    let count = delivery.attempts.count.saturating_add(1);
    let given_up = count >= ATTEMPTS;
    log!("payment {id} is not delivered to the webhook, attempt {count}: {reason}");
    let next_at = now.checked_add(pause(count, store.random()));
    let next_at = match given_up {
        true => None,
        // Beyond all times there is none to wait for.
        false => Some(next_at.unwrap_or(Timestamp::MAX)),
    };
    let attempts = Attempts {
        count,
        last_error: Some(reason),
        next_at,
    };
    store.outbox().tried(delivery.index, &attempts).await?;
    if given_up {
        let settled = Settled { at: now, given_up };
        store.outbox().settle(delivery.index, &settled).await?;
    }
    Ok(Attempt::Failed { next_at })
}

/// Sends a message; the error is for people.
pub(super) async fn send<P: Platform, T: Serialize>(
    webhook: &Webhook,
    store: &Ledger<P>,
    id: &str,
    kind: &str,
    at: Timestamp,
    data: &T,
) -> Result<(), String> {
    let request = webhook.message(id, kind, at, data, store.now())?;
    let status = store.platform().send(request).await?;
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("the receiver answered {}", status.as_u16()))
    }
}

/// What a person should look at, as the order stands.
async fn review<P: Platform>(
    store: &Ledger<P>,
    payment: &PaymentJson,
) -> Result<Vec<String>, StoreError> {
    let (Ok(service), Ok(key)) = (
        ServiceId::parse(&payment.service_id),
        OrderKey::parse(&payment.order_key),
    ) else {
        return Ok(Vec::new());
    };
    let stored = match store.orders().get(&service, &key).await {
        Ok(stored) => stored,
        // An order that cannot be read keeps nobody from being told of its payments.
        Err(error @ StoreError::Corrupt { .. }) => {
            log!(
                "payment {} is told of as orphaned: {error}",
                payment.payment_id
            );
            None
        }
        Err(error) => return Err(error),
    };
    let payments = stored.iter().flat_map(|stored| stored.state.payments());
    let known = payments
        .rev()
        .find(|known| known.confirmation.payment_id.as_str() == payment.payment_id);
    let review = known.map_or(&[Review::Orphaned][..], |known| &known.review);
    Ok(review
        .iter()
        .map(|review| review.as_str().to_owned())
        .collect())
}

/// Doubles with each attempt, up to a limit, and a quarter is left to chance: what failed together
/// does not come back together.
fn pause(attempts: u32, random: u64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    let pause = doubled.min(LONGEST_PAUSE);
    let chance = u32::try_from(random % 256).unwrap_or_default();
    pause - pause / 4 * chance / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_six_hours_and_end_after_three_days() {
        assert_eq!(pause(1, 0), Duration::from_secs(60));
        assert_eq!(pause(2, 0), Duration::from_secs(120));
        assert_eq!(pause(19, 0), LONGEST_PAUSE);
        assert!(pause(1, 255) > Duration::from_secs(45) && pause(1, 255) < Duration::from_secs(46));
        let whole: Duration = (1..ATTEMPTS).map(|attempts| pause(attempts, 128)).sum();
        assert!(whole > Duration::from_secs(2 * 86_400) && whole < Duration::from_secs(4 * 86_400));
    }
}
