//! Notification of the institution: events, and facts that a person should look at, are posted to the
//! receivers of its webhooks.
//!
//! [`Settings`] are read from the variables. MPay's door hands each [`Outcome`] of a call to
//! [`Notifier::follow_up`] once its answer has been sent; the people's door calls
//! [`Notifier::run_outbox`] for a cron job. `delivery` sends messages to a receiver until they have
//! arrived, by the outbox of the ledger; `answer` reads a receiver's answer; `alerts` tells of facts that
//! somebody should look at; `webhook` writes and signs messages. All receivers are told at the same time,
//! and know nothing of each other.
//!
//! ```
//! use mpay_ledger::{Ledger, StoreError};
//! use mpay_notify::{Remembered, Settings};
//!
//! /// The work of a cron job. `true` once everything that is due was tried.
//! async fn deliver<P: mpay_door::Platform>(
//!     settings: &Settings,
//!     remembered: &Remembered,
//!     ledger: &Ledger<P>,
//! ) -> Result<bool, StoreError> {
//!     match settings.notifier(remembered, Vec::new, ledger) {
//!         Some(notifier) => Ok(notifier.run_outbox().await?.complete),
//!         None => Ok(true),
//!     }
//! }
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod alerts;
mod answer;
mod delivery;
mod settings;
#[cfg(test)]
mod tests;
mod webhook;

use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use mpay_door::{
    Platform,
    log::{log, of_store},
};
use mpay_ledger::{
    Attempts, Delivery, Ledger, StoreError,
    domain::PaymentId,
    json::{Event, Group},
};

pub use alerts::quiet_since;
pub use delivery::Report;
pub use settings::{OF_RECEIVERS, Receiver, Remembered, Settings, VARIABLES, WEBHOOKS, signed_to};
pub use webhook::{Message, Webhook, WebhookError};

/// Pause between deliveries that calls of MPay bring about.
const ON_THE_SIDE_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// The time for which the list of receivers that have ended is believed.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// The outcome of a call of MPay, or of somebody who claims to be MPay.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The caller was not authenticated.
    NotAuthenticated,
    /// It was MPay.
    Authentic {
        /// The time at which MPay says it made the message.
        created: Timestamp,
        /// The time at which it came in.
        received: Timestamp,
        /// The most by which MPay's clock may differ.
        clock_skew: Duration,
        /// The payment that the call recorded for the first time.
        recorded: Option<PaymentId>,
    },
}

/// The notifier, which tells the institution.
#[derive(Debug)]
pub struct Notifier<'a, P> {
    /// The receivers, each with its events.
    pub settings: &'a Settings,
    /// The memory of this instance.
    pub remembered: &'a Remembered,
    /// Warnings of mistakes to come, such as a certificate that expires soon.
    pub warnings: Vec<String>,
    /// The store.
    pub store: &'a Ledger<P>,
}

impl Settings {
    /// The notifier of the institution; `None` if there is no receiver.
    pub fn notifier<'a, P: mpay_ledger::Platform>(
        &'a self,
        remembered: &'a Remembered,
        warnings: impl FnOnce() -> Vec<String>,
        store: &'a Ledger<P>,
    ) -> Option<Notifier<'a, P>> {
        (!self.receivers.is_empty()).then(|| Notifier {
            settings: self,
            remembered,
            warnings: warnings(),
            store,
        })
    }
}

impl<P: Platform> Notifier<'_, P> {
    /// Notifies of the outcome of a call, once its answer has been sent: nobody waits for it, and
    /// [`run_outbox`](Self::run_outbox) makes up for failures.
    pub async fn follow_up(&self, outcome: Outcome) {
        if let Err(error) = self.notify(outcome).await {
            log!(
                "notification failed, and will be tried again: {}",
                of_store(&error)
            );
        }
    }

    async fn notify(&self, outcome: Outcome) -> Result<(), StoreError> {
        match outcome {
            Outcome::NotAuthenticated => self.after_failure().await,
            Outcome::Authentic {
                created,
                received,
                clock_skew,
                recorded,
            } => {
                if let Some(id) = recorded {
                    self.of_payment(&id).await?;
                    self.deliver_now_and_then().await?;
                }
                self.after_call(created, received, clock_skew).await
            }
        }
    }

    /// Delivers a payment that was recorded just now.
    async fn of_payment(&self, id: &PaymentId) -> Result<(), StoreError> {
        let Some(stored) = self.store.payments().get(id).await? else {
            return Ok(());
        };
        let review = stored.state.review.iter();
        let review: Vec<_> = review.map(|review| review.as_str().to_owned()).collect();
        let delivery = Delivery {
            index: stored.index,
            at: stored.recorded_at,
            event: Event::PaymentRecorded(Box::new(stored.payment)),
            attempts: Attempts::default(),
            settled: None,
        };
        let wants = |receiver: &&Receiver| receiver.groups.has(Group::Payments);
        let receivers = self.settings.receivers.iter().filter(wants);
        let told = join_all(receivers.map(async |receiver| {
            let ended =
                delivery::deliver_one(self.settings, receiver, self.store, &delivery, &review)
                    .await?;
            Ok::<_, StoreError>(ended.then(|| receiver.name.clone()))
        }));
        let ended: Result<Vec<_>, _> = told.await.into_iter().collect();
        let ended: Vec<_> = ended?.into_iter().flatten().collect();
        self.of_ended(&ended).await?;
        self.of_review(id, &review).await
    }

    /// Delivers a few of the deliveries that other calls left, and not with each call.
    async fn deliver_now_and_then(&self) -> Result<(), StoreError> {
        const NOTE: &str = "delivered-on-the-side";
        let now = self.store.now();
        let last = self.store.notes().time(NOTE).await?;
        if last.is_none_or(|last| now.duration_since(last) > ON_THE_SIDE_EVERY) {
            self.store.notes().set(NOTE, &now).await?;
            self.deliver(delivery::MOST_ON_THE_SIDE).await?;
        }
        Ok(())
    }

    /// Does the work of a cron job: delivers due messages, and raises the alerts that no call of MPay
    /// does.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn run_outbox(&self) -> Result<Report, StoreError> {
        self.of_time().await?;
        self.deliver(delivery::MOST).await
    }

    /// Delivers to all receivers at the same time: none waits for another.
    async fn deliver(&self, most: u32) -> Result<Report, StoreError> {
        let receivers = self.settings.receivers.iter();
        let each =
            receivers.map(|receiver| delivery::deliver(self.settings, receiver, self.store, most));
        let mut reports = Vec::new();
        let mut failed = Ok(());
        for report in join_all(each).await {
            match report {
                Ok(report) => reports.push(report),
                Err(error) => failed = Err(error),
            }
        }
        let report = Report::sum(reports);
        self.of_ended(&report.ended).await?;
        failed.map(|()| report)
    }
}

/// A line for each receiver that wants nothing any more, for the health of a door.
pub async fn warnings<P: Platform>(
    settings: &Settings,
    remembered: &Remembered,
    store: &Ledger<P>,
) -> Vec<String> {
    let now = store.now();
    if let Some((at, known)) = &*remembered.ended.borrow()
        && now.duration_since(*at).abs() < FRESH
    {
        return known.clone();
    }
    let names: Vec<_> = settings.receivers.iter().map(|r| r.name.as_str()).collect();
    // The probe of the store tells if it fails.
    let ended = store.outbox().ended(&names).await.unwrap_or_default();
    let line = |name: &&str| {
        format!(
            "webhooks: the receiver {name} answered 410 and is sent nothing; POST /api/webhooks/{name}/resume ends that"
        )
    };
    let lines: Vec<_> = ended.iter().map(line).collect();
    remembered.ended.replace(Some((now, lines.clone())));
    lines
}
