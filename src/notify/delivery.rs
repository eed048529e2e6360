//! Delivery of payments: tried at once, and again with growing pauses until it is made or given up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mutation::{Mutation, mutated};
use serde::Serialize;

use super::Webhook;
use crate::{
    domain::{OrderKey, PaymentId, Review, ServiceId},
    json::PaymentJson,
    log::log,
    store::{Attempts, Delivery, Platform, Settled, Store, StoreError},
};

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
/// Attempts after which a delivery is given up: three days, with the pauses below.
const ATTEMPTS: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// Pause between deliveries that calls of MPay bring about.
const ON_THE_SIDE_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What a call did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// Messages that the receiver took.
    pub delivered: u32,
    /// Messages that it did not take.
    pub failed: u32,
    /// Of these, those that will not be tried again.
    pub given_up: u32,
    /// Whether everything that is due was tried.
    pub complete: bool,
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

/// Delivers what is due, in the order of the journal, as far as one call goes.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub async fn deliver<P: Platform>(
    webhook: &Webhook,
    store: &Store<P>,
) -> Result<Report, StoreError> {
    deliver_up_to(webhook, store, MOST).await
}

/// The same on the side of MPay's calls, a little and not with each.
pub async fn deliver_now_and_then<P: Platform>(
    webhook: &Webhook,
    store: &Store<P>,
) -> Result<(), StoreError> {
    const NOTE: &str = "delivered-on-the-side";
    let now = store.now();
    let last = store.noted_time(NOTE).await?;
    if last.is_none_or(|last| now.duration_since(last) > ON_THE_SIDE_EVERY) {
        store.set_note(NOTE, &now).await?;
        deliver_up_to(webhook, store, MOST_ON_THE_SIDE).await?;
    }
    Ok(())
}

/// Delivers a payment that was recorded just now. Gives what a person should look at.
pub async fn deliver_one<P: Platform>(
    webhook: &Webhook,
    store: &Store<P>,
    id: &PaymentId,
) -> Result<Vec<String>, StoreError> {
    let Some(stored) = store.payment(id).await? else {
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
        payment: stored.payment,
        attempts: Attempts::default(),
        settled: None,
    };
    attempt(webhook, store, &delivery, &review).await?;
    Ok(review)
}

async fn deliver_up_to<P: Platform>(
    webhook: &Webhook,
    store: &Store<P>,
    most: u32,
) -> Result<Report, StoreError> {
    let started = store.now();
    let mut report = Report::default();
    let mut failures = 0;
    let low = store.outbox_low().await?;
    // Up to where everything is settled; and whether that is still so where we are.
    let (mut settled, mut unbroken) = (low, true);
    let mut after = low;
    'pages: for _ in 0..PAGES {
        let page = store.outbox(after).await?;
        for delivery in &page.deliveries {
            let due = |next: Timestamp| next <= store.now();
            if delivery.settled.is_none() && delivery.attempts.next_at.is_none_or(due) {
                let elapsed = store.now().duration_since(started);
                let begun = report.delivered + report.failed;
                if begun >= most
                    || failures >= FAILURES
                    || elapsed > BEGIN_WITHIN.try_into().unwrap_or_default()
                {
                    break 'pages;
                }
                let review = review(store, &delivery.payment).await?;
                match attempt(webhook, store, delivery, &review).await? {
                    Attempt::Delivered => {
                        report.delivered += 1;
                        failures = 0;
                    }
                    Attempt::Failed { given_up } => {
                        report.failed += 1;
                        report.given_up += u32::from(given_up);
                        failures += 1;
                        unbroken &= given_up || mutated(Mutation::OutboxForgets);
                    }
                }
            } else if delivery.settled.is_none() {
                unbroken &= mutated(Mutation::OutboxForgets);
            }
            if unbroken {
                settled = delivery.index;
            }
        }
        if unbroken {
            settled = page.next;
        }
        if page.next == after {
            report.complete = true;
            break;
        }
        after = page.next;
    }
    if settled > low {
        store.raise_outbox_low(settled).await?;
    }
    Ok(report)
}

enum Attempt {
    Delivered,
    Failed { given_up: bool },
}

/// Sends a payment, and keeps what came of it.
async fn attempt<P: Platform>(
    webhook: &Webhook,
    store: &Store<P>,
    delivery: &Delivery,
    review: &[String],
) -> Result<Attempt, StoreError> {
    let data = PaymentData {
        index: delivery.index,
        payment: &delivery.payment,
        review,
    };
    let id = &delivery.payment.payment_id;
    let sent = send(webhook, store, id, "payment.recorded", delivery.at, &data).await;
    let now = store.now();
    let Err(reason) = sent else {
        let settled = Settled {
            at: now,
            given_up: false,
        };
        store.settle_delivery(delivery.index, &settled).await?;
        return Ok(Attempt::Delivered);
    };
    let count = delivery.attempts.count.saturating_add(1);
    let given_up = count >= ATTEMPTS;
    log!("payment {id} is not delivered to the webhook, attempt {count}: {reason}");
    let attempts = Attempts {
        count,
        last_error: Some(reason),
        next_at: if given_up {
            None
        } else {
            now.checked_add(pause(count, store.random())).ok()
        },
    };
    store.tried(delivery.index, &attempts).await?;
    if given_up {
        let settled = Settled { at: now, given_up };
        store.settle_delivery(delivery.index, &settled).await?;
    }
    Ok(Attempt::Failed { given_up })
}

/// Sends a message; the error is for people.
pub(super) async fn send<P: Platform, T: Serialize>(
    webhook: &Webhook,
    store: &Store<P>,
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
    store: &Store<P>,
    payment: &PaymentJson,
) -> Result<Vec<String>, StoreError> {
    let (Ok(service), Ok(key)) = (
        ServiceId::parse(&payment.service_id),
        OrderKey::parse(&payment.order_key),
    ) else {
        return Ok(Vec::new());
    };
    let stored = store.order(&service, &key).await?;
    let mut known = stored.iter().flat_map(|stored| stored.state.payments());
    let known = known.find(|known| known.confirmation.payment_id.as_str() == payment.payment_id);
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
