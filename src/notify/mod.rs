//! Notification of the institution: what was paid, and what a person should look at, posted to its
//! webhook.

mod alerts;
mod delivery;
#[cfg(test)]
mod tests;
mod webhook;

use jiff::Timestamp;

use crate::{
    app::App,
    config::Config,
    domain::PaymentId,
    log::log,
    store::{Platform, Store, StoreError},
};
pub use delivery::{Report, deliver};
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
        /// The payment that was recorded by it, for the first time.
        recorded: Option<PaymentId>,
    },
}

/// Notifies of what came of a call, once its answer has been sent: nobody waits for it, and what
/// fails is made up for by [`deliver`].
pub async fn follow_up<P: Platform>(app: &App, store: &Store<P>, outcome: Outcome) {
    let Ok(config) = &app.config else {
        return;
    };
    let Some(webhook) = &config.webhook else {
        return;
    };
    if let Err(error) = notify(app, config, webhook, store, outcome).await {
        log!("notification failed, and will be tried again: {error}");
    }
}

async fn notify<P: Platform>(
    app: &App,
    config: &Config,
    webhook: &Webhook,
    store: &Store<P>,
    outcome: Outcome,
) -> Result<(), StoreError> {
    let alerts = alerts::Alerts {
        app,
        config,
        webhook,
        store,
    };
    match outcome {
        Outcome::NotAuthenticated => alerts.after_failure().await,
        Outcome::Authentic {
            created,
            received,
            recorded,
        } => {
            if let Some(id) = recorded {
                let review = delivery::deliver_one(webhook, store, &id).await?;
                alerts.of_review(&id, &review).await?;
                delivery::deliver_now_and_then(webhook, store).await?;
            }
            alerts.after_call(created, received).await
        }
    }
}

/// What a cron job does: delivers what is due, and raises the alerts that no call of MPay does.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub async fn run_outbox<P: Platform>(
    app: &App,
    config: &Config,
    webhook: &Webhook,
    store: &Store<P>,
) -> Result<Report, StoreError> {
    let alerts = alerts::Alerts {
        app,
        config,
        webhook,
        store,
    };
    alerts.of_time().await?;
    deliver(webhook, store).await
}
