//! Notification of the institution: what was paid, and what a person should look at, posted to its
//! webhook.
//!
//! [`Settings`] are read from the variables. MPay's door hands each [`Outcome`] of a call to
//! [`Notifier::follow_up`] once its answer has been sent; the people's door calls
//! [`Notifier::run_outbox`] for a cron job. `delivery` sends payments until they have arrived, by the
//! outbox of the ledger; `alerts` tells of what somebody should look at; `webhook` signs.
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
mod delivery;
mod settings;
#[cfg(test)]
mod tests;
mod webhook;

use std::time::Duration;

use jiff::Timestamp;
use mpay_door::{Platform, log::log};
use mpay_ledger::{Ledger, StoreError, domain::PaymentId};

pub use delivery::{Report, deliver};
pub use settings::{Remembered, Settings, VARIABLES, WEBHOOK, signed_to};
pub use webhook::{Webhook, WebhookError};

/// What came of a call of MPay, or of somebody who would be.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The caller was not believed.
    NotAuthenticated,
    /// It was MPay.
    Authentic {
        /// When MPay says it made the message.
        created: Timestamp,
        /// When it came in.
        received: Timestamp,
        /// How far MPay's clock may differ.
        clock_skew: Duration,
        /// The payment that was recorded by it, for the first time.
        recorded: Option<PaymentId>,
    },
}

/// Who tells the institution.
#[derive(Debug)]
pub struct Notifier<'a, P> {
    /// The institution's webhook.
    pub webhook: &'a Webhook,
    /// Who is told, and of what.
    pub settings: &'a Settings,
    /// What this instance remembers.
    pub remembered: &'a Remembered,
    /// What will be wrong soon.
    pub warnings: Vec<String>,
    /// The store.
    pub store: &'a Ledger<P>,
}

impl<P: Platform> Notifier<'_, P> {
    /// Notifies of what came of a call, once its answer has been sent: nobody waits for it, and
    /// what fails is made up for by [`deliver`].
    pub async fn follow_up(&self, outcome: Outcome) {
        if let Err(error) = self.notify(outcome).await {
            log!("notification failed, and will be tried again: {error}");
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
                    let review = delivery::deliver_one(self.webhook, self.store, &id).await?;
                    self.of_review(&id, &review).await?;
                    delivery::deliver_now_and_then(self.webhook, self.store).await?;
                }
                self.after_call(created, received, clock_skew).await
            }
        }
    }

    /// What a cron job does: delivers what is due, and raises the alerts that no call of MPay does.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn run_outbox(&self) -> Result<Report, StoreError> {
        self.of_time().await?;
        deliver(self.webhook, self.store).await
    }
}
