//! Delivery of messages to one receiver: tried at once, and again with growing pauses until it is made
//! or given up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mutation::{Mutation, mutated};
use serde::Serialize;

use mpay_door::{Platform, log::log};
use mpay_ledger::{
    Attempts, Delivery, Ended, Lately, Ledger, OutboxState, PartLeft, ReceiverOutbox, Settled,
    StoreError, Waiting,
    domain::{OrderKey, Review, ServiceId},
    json::{Event, PaymentJson},
};

use crate::{
    Message, Receiver, Settings,
    answer::{Sent, send},
};

/// Messages sent by one call at most.
pub(super) const MOST: u32 = 50;
/// Messages sent at most by the way, after a call of MPay.
pub(super) const MOST_ON_THE_SIDE: u32 = 5;
/// The number of failures in a row after which the receiver is left alone until the next call.
const FAILURES: u32 = 3;
/// The time after which nothing more is begun, so that the host does not cut the call off.
const BEGIN_WITHIN: Duration = Duration::from_secs(12);
/// Most parts of the outbox that one call reads, and most of the parts that it goes through in turns.
const PAGES: u32 = 8;
/// Deliveries read at once of those that wait.
const PART: usize = 50;
/// The most deliveries that are kept singly for another attempt. The rest is gone through in turns.
pub(super) const MOST_WAITING: usize = 500;
/// Attempts after which a delivery is given up: three days, with the pauses below.
const ATTEMPTS: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// The outcome of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Messages that receivers took.
    pub delivered: u32,
    /// Messages that they did not take.
    pub failed: u32,
    /// Of these, those that will not be tried again.
    pub given_up: u32,
    /// True if everything that is due was tried. If not, call again at once, unless `left_alone` is true.
    pub complete: bool,
    /// True if a receiver failed three times in a row, and is left alone for a minute.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub left_alone: bool,
    /// Receivers that answered 410: they are sent nothing until somebody resumes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<String>,
}

impl Report {
    /// The sum of the reports of several receivers.
    pub(super) fn sum(reports: Vec<Self>) -> Self {
        let mut sum = Self {
            complete: true,
            ..Self::default()
        };
        // Another call at once is useful while it is for at least one receiver.
        let open = |report: &Self| !report.complete;
        sum.left_alone =
            reports.iter().any(open) && reports.iter().filter(|r| open(r)).all(|r| r.left_alone);
        for report in reports {
            sum.delivered += report.delivered;
            sum.failed += report.failed;
            sum.given_up += report.given_up;
            sum.complete &= report.complete;
            sum.ended.extend(report.ended);
        }
        sum
    }
}

/// Delivers the due messages to a receiver, up to a number of messages.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub(super) async fn deliver<P: Platform>(
    settings: &Settings,
    receiver: &Receiver,
    store: &Ledger<P>,
    most: u32,
) -> Result<Report, StoreError> {
    let (outbox, mut standing) = look(receiver, store).await?;
    let mut call = DeliveryCall {
        most,
        started: store.now(),
        state: match &standing.state {
            Some(state) => state.clone(),
            None => outbox.beginning().await?,
        },
        report: Report {
            complete: true,
            ..Report::default()
        },
        courier: Courier {
            settings,
            receiver,
            store,
            outbox,
            lately: std::mem::take(&mut standing.lately),
        },
    };
    let mut delivered = Ok(());
    if standing.ended.is_none() && call.courier.is_wanted() {
        delivered = call.deliver(standing.requests).await;
    }
    let DeliveryCall { state, report, .. } = call;
    // Progress before a failure is kept.
    if standing.state.as_ref() != Some(&state) {
        outbox.set_state(&state).await?;
    }
    delivered?;
    Ok(report)
}

/// Delivers a payment that was recorded just now. Gives true if the receiver answered with 410.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub(super) async fn deliver_one<P: Platform>(
    settings: &Settings,
    receiver: &Receiver,
    store: &Ledger<P>,
    delivery: &Delivery,
    review: &[String],
) -> Result<bool, StoreError> {
    let (outbox, standing) = look(receiver, store).await?;
    if !standing.takes(store.now()) {
        return Ok(false);
    }
    let mut courier = Courier {
        settings,
        receiver,
        store,
        outbox,
        lately: standing.lately,
    };
    let attempt = courier.attempt(delivery, review).await?;
    Ok(attempt == Attempt::Ended)
}

type Looked<'a, P> = (ReceiverOutbox<'a, P>, mpay_ledger::Standing);

async fn look<'a, P: Platform>(
    receiver: &'a Receiver,
    store: &'a Ledger<P>,
) -> Result<Looked<'a, P>, StoreError> {
    let outbox = store.outbox().of(&receiver.name, receiver.groups);
    Ok((outbox, outbox.standing().await?))
}

/// Keeps that a receiver answered 410.
pub(super) async fn end<P: Platform>(
    receiver: &Receiver,
    store: &Ledger<P>,
) -> Result<(), StoreError> {
    let name = &receiver.name;
    log!(
        "the receiver {name} answered 410: it is sent nothing until POST /api/webhooks/{name}/resume"
    );
    let outbox = store.outbox().of(name, receiver.groups);
    outbox.set_ended(Some(&Ended { at: store.now() })).await
}

/// A courier, which brings messages to a receiver.
struct Courier<'a, P> {
    settings: &'a Settings,
    receiver: &'a Receiver,
    store: &'a Ledger<P>,
    outbox: ReceiverOutbox<'a, P>,
    /// The latest outcomes.
    lately: Lately,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Delivered,
    /// The attempt failed; without `next_at` the delivery is given up.
    Failed {
        next_at: Option<Timestamp>,
        /// True if the receiver is up, and might take another message.
        is_refused: bool,
    },
    /// The receiver wants nothing for a while. This does not count as an attempt.
    Postponed,
    /// The receiver wants nothing any more. This does not count as an attempt.
    Ended,
}

impl<P: Platform> Courier<'_, P> {
    /// True if the receiver is not to be left alone now.
    fn is_wanted(&self) -> bool {
        self.lately.paused_until(self.store.now()).is_none()
    }

    /// Sends a message, and records the outcome.
    async fn attempt(
        &mut self,
        delivery: &Delivery,
        review: &[String],
    ) -> Result<Attempt, StoreError> {
        let Delivery {
            index, at, event, ..
        } = delivery;
        let message = Message::of_event(*index, *at, event, review, self.settings.pay_url(event));
        let sent = match &message {
            Ok(message) => send(&self.receiver.webhook, self.store, message).await,
            Err(error) => Sent::Failed(format!("The message cannot be written: {error}")),
        };
        let now = self.store.now();
        let request = delivery.attempts.request;
        let (reason, is_refused) = match sent {
            Sent::Taken => {
                self.lately.success_at = Some(now);
                self.lately.not_before = None;
                let settled = Settled {
                    at: now,
                    given_up: false,
                    request,
                };
                self.outbox.settle(*index, &settled, &self.lately).await?;
                return Ok(Attempt::Delivered);
            }
            Sent::Gone => {
                end(self.receiver, self.store).await?;
                return Ok(Attempt::Ended);
            }
            Sent::Later(until, reason) => {
                let name = &self.receiver.name;
                log!("the receiver {name} wants nothing before {until}: {reason}");
                self.lately.failed_at = Some(now);
                self.lately.error = Some(reason);
                self.lately.not_before = Some(until);
                self.outbox.set_lately(&self.lately).await?;
                return Ok(Attempt::Postponed);
            }
            Sent::Refused(reason) => (reason, true),
            Sent::Failed(reason) => (reason, false),
        };
        let count = delivery.attempts.count.saturating_add(1);
        let given_up = count >= ATTEMPTS;
        let (id, name) = (
            message.as_ref().map_or("", Message::id),
            &self.receiver.name,
        );
        log!("message {id} is not delivered to the receiver {name}, attempt {count}: {reason}");
        let next_at = now.checked_add(pause(count, self.store.random()));
        let next_at = match given_up {
            true => None,
            // A time beyond the greatest one is that.
            false => Some(next_at.unwrap_or(Timestamp::MAX)),
        };
        self.lately.failed_at = Some(now);
        self.lately.error = Some(reason.clone());
        let attempts = Attempts {
            count,
            last_error: Some(reason),
            next_at,
            request,
        };
        let settled = Settled {
            at: now,
            given_up,
            request,
        };
        let settled = given_up.then_some(&settled);
        self.outbox
            .tried(*index, &attempts, settled, &self.lately)
            .await?;
        Ok(Attempt::Failed {
            next_at,
            is_refused,
        })
    }
}

/// The reason why a call did not try everything that is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// It has done as much as one call does.
    Enough,
    /// The receiver failed again and again.
    LeftAlone,
    /// The receiver wants nothing now: nothing is due.
    NotWanted,
}

/// The kinds of deliveries, which a call takes in turns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Waiting,
    New,
    Left,
}

/// One call that delivers.
struct DeliveryCall<'a, P> {
    courier: Courier<'a, P>,
    most: u32,
    started: Timestamp,
    state: OutboxState,
    report: Report,
}

impl<P: Platform> DeliveryCall<'_, P> {
    /// Tries the waiting deliveries, the new ones, and the parts that are left. If one kind leaves no
    /// room for another, the other goes first next time: so no kind holds another back, however slow or
    /// numerous.
    async fn deliver(&mut self, requests: u64) -> Result<(), StoreError> {
        let outbox = self.courier.outbox;
        outbox.take_requests(&mut self.state, requests).await?;
        let mut kinds = [Kind::Waiting, Kind::New, Kind::Left];
        let turn = usize::from(self.state.turn) % kinds.len();
        kinds.rotate_left(turn);
        let first = kinds.first().copied();
        let mut stopped = Vec::new();
        let mut without_turn = None;
        for kind in kinds {
            let result = match kind {
                Kind::Waiting => self.deliver_waiting().await?,
                Kind::New => self.deliver_new().await?,
                Kind::Left => self.deliver_left().await?,
            };
            match result {
                Ok(()) => {}
                Err(Stopped::NotWanted) => return Ok(()),
                Err(reason) => {
                    if reason == Stopped::Enough && Some(kind) != first {
                        without_turn = without_turn.or(Some(kind));
                    }
                    stopped.push(reason);
                }
            }
        }
        if let Some(kind) = without_turn {
            self.state.turn = kind as u8;
        }
        // More requests may have come than parts can be left at the same time.
        self.report.complete = stopped.is_empty() && self.state.requests >= requests;
        self.report.left_alone =
            !stopped.is_empty() && stopped.iter().all(|reason| *reason == Stopped::LeftAlone);
        Ok(())
    }

    /// Checks that one more message may be sent, after so many failures in a row.
    fn check(&self, failures: u32) -> Result<(), Stopped> {
        let elapsed = self.courier.store.now().duration_since(self.started);
        if failures >= FAILURES {
            Err(Stopped::LeftAlone)
        } else if self.report.delivered + self.report.failed >= self.most
            || elapsed > SignedDuration::try_from(BEGIN_WITHIN).unwrap_or_default()
        {
            Err(Stopped::Enough)
        } else {
            Ok(())
        }
    }

    /// Tries the waiting deliveries that are due, beginning with the one that has been due the longest.
    async fn deliver_waiting(&mut self) -> Result<Result<(), Stopped>, StoreError> {
        let now = self.courier.store.now();
        let mut due = self.state.waiting.clone();
        due.retain(|waiting| waiting.next_at.is_none_or(|at| at <= now));
        due.sort_by_key(|waiting| (waiting.next_at, waiting.index));
        let mut failures = 0;
        for part in due.chunks(PART) {
            if let Err(stopped) = self.check(failures) {
                return Ok(Err(stopped));
            }
            let deliveries = self.courier.outbox.deliveries(part).await?;
            for Waiting { index, .. } in part {
                let delivery = deliveries.iter().find(|delivery| delivery.index == *index);
                let next_at = match delivery {
                    // The store has lost the entry. A repair enters it again at this place, and then it
                    // still has to be delivered.
                    None => now.checked_add(LONGEST_PAUSE).ok(),
                    Some(delivery) => match self.attempt(delivery, &mut failures).await? {
                        Ok(next_at) => next_at,
                        Err(stopped) => return Ok(Err(stopped)),
                    },
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

    /// Tries the new deliveries. Those that cannot be settled yet wait, so that the others are reached.
    async fn deliver_new(&mut self) -> Result<Result<(), Stopped>, StoreError> {
        let mut failures = 0;
        for _ in 0..PAGES {
            let page = self.courier.outbox.read(self.state.low).await?;
            for delivery in &page.deliveries {
                let index = delivery.index;
                match self.attempt(delivery, &mut failures).await? {
                    Ok(next_at) => self.pass(index, next_at),
                    Err(stopped) => return Ok(Err(stopped)),
                }
            }
            if page.next <= self.state.low && page.deliveries.is_empty() {
                return Ok(Ok(()));
            }
            self.pass(page.next, None);
        }
        Ok(Err(Stopped::Enough))
    }

    /// Goes through the parts in which some deliveries may be left.
    async fn deliver_left(&mut self) -> Result<Result<(), Stopped>, StoreError> {
        let (mut failures, mut pages) = (0, 0);
        let mut number = 0;
        while let Some(mut part) = self.state.left.get(number).cloned() {
            while part.at < part.last {
                if pages >= PAGES {
                    return Ok(Err(Stopped::Enough));
                }
                pages += 1;
                let page = self.courier.outbox.read_left(&part).await?;
                let (from, deliveries) = (part.at, &page.deliveries);
                for delivery in deliveries {
                    match self.attempt(delivery, &mut failures).await? {
                        Ok(next_at) => self.pass_left(&mut part, delivery.index, next_at),
                        Err(stopped) => {
                            self.keep_left(number, part);
                            return Ok(Err(stopped));
                        }
                    }
                }
                self.pass_left(&mut part, page.next, None);
                self.keep_left(number, part.clone());
                if page.next <= from && page.deliveries.is_empty() {
                    // The store has lost the rest, or another call is writing it.
                    break;
                }
            }
            if part.after >= part.last {
                self.state.left.remove(number);
                continue;
            }
            part.at = part.after;
            self.keep_left(number, part);
            number += 1;
        }
        Ok(Ok(()))
    }

    fn keep_left(&mut self, number: usize, part: PartLeft) {
        if let Some(kept) = self.state.left.get_mut(number) {
            *kept = part;
        }
    }

    /// Goes on to `index`; the delivery there is done, or waits until `next_at`.
    fn pass(&mut self, index: u64, next_at: Option<Timestamp>) {
        if index <= self.state.low {
            return;
        }
        if next_at.is_some() && !mutated(Mutation::OutboxForgets) && !self.wait(index, next_at, 0) {
            let mut left = self.state.left.iter_mut();
            match left.find(|part| part.request == 0) {
                Some(part) => part.last = index,
                None => self.state.left.push(PartLeft {
                    after: index - 1,
                    last: index,
                    at: index - 1,
                    request: 0,
                }),
            }
        }
        self.state.low = index;
    }

    /// Goes on to `index` in a part that is left.
    fn pass_left(&mut self, part: &mut PartLeft, index: u64, next_at: Option<Timestamp>) {
        if index <= part.at {
            return;
        }
        let is_unbroken = part.after == part.at;
        part.at = index;
        if is_unbroken && (next_at.is_none() || self.wait(index, next_at, part.request)) {
            part.after = index;
        }
    }

    /// Lets a delivery wait, if there is room.
    fn wait(&mut self, index: u64, next_at: Option<Timestamp>, request: u64) -> bool {
        let mut waiting = self.state.waiting.iter_mut();
        if let Some(waiting) = waiting.find(|waiting| waiting.index == index) {
            waiting.next_at = next_at;
            waiting.request = waiting.request.max(request);
            return true;
        }
        let has_room = self.state.waiting.len() < MOST_WAITING;
        if has_room {
            self.state.waiting.push(Waiting {
                index,
                next_at,
                request,
            });
        }
        has_room
    }

    /// Sends a due message, if one more may be sent. Gives the time to try again; `None` once it is
    /// settled.
    async fn attempt(
        &mut self,
        delivery: &Delivery,
        failures: &mut u32,
    ) -> Result<Result<Option<Timestamp>, Stopped>, StoreError> {
        if delivery.settled.is_some() {
            return Ok(Ok(None));
        }
        let next_at = delivery.attempts.next_at;
        if next_at.is_some_and(|next_at| next_at > self.courier.store.now()) {
            return Ok(Ok(next_at));
        }
        if let Err(stopped) = self.check(*failures) {
            return Ok(Err(stopped));
        }
        let review = match &delivery.event {
            Event::PaymentRecorded(payment) => review(self.courier.store, payment).await?,
            _ => Vec::new(),
        };
        Ok(match self.courier.attempt(delivery, &review).await? {
            Attempt::Delivered => {
                self.report.delivered += 1;
                *failures = 0;
                Ok(None)
            }
            Attempt::Failed {
                next_at,
                is_refused,
            } => {
                self.report.failed += 1;
                self.report.given_up += u32::from(next_at.is_none());
                *failures += u32::from(!is_refused);
                Ok(next_at)
            }
            Attempt::Postponed => Err(Stopped::NotWanted),
            Attempt::Ended => {
                let name = self.courier.receiver.name.clone();
                self.report.ended.push(name);
                Err(Stopped::NotWanted)
            }
        })
    }
}

/// The payment's open reviews, by its order.
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
        // An order that cannot be read does not stop the delivery of its payments.
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

/// The pause before the next attempt. It doubles with each attempt, up to a limit, and a quarter of it is
/// random, so that messages which failed together are not tried together again.
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
