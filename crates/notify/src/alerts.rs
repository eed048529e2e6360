//! Alerts: facts that a person should know today, rather than find later. Each kind is sent once a day at
//! most, and best effort: the important ones are also in `GET /health`, the API and the log.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::Offset};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use futures::future::join_all;
use mpay_door::{Platform, log::log};
use mpay_ledger::{
    StoreError,
    domain::PaymentId,
    json::{Group, time},
};

use crate::{
    Message, Notifier, Receiver, Settings,
    answer::{Sent, send},
    delivery::end,
    webhook::message_id,
};

/// The number of unauthenticated calls in a row after which somebody is told.
const FAILURES: u32 = 5;
/// The interval at which the time of MPay's last call is noted.
const NOTE_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// The clock skew after which somebody is told: this fraction of the allowed skew, but at least this
/// long.
const DRIFT: (i32, SignedDuration) = (2, SignedDuration::from_secs(10));

const LAST_CALL: &str = "last-call";
const NOT_AUTHENTICATED: &str = "not-authenticated";

/// Calls in a row that were not authenticated. Two at the same time may count as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Failures {
    count: u32,
    #[serde(
        default,
        deserialize_with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    since: Option<Timestamp>,
}

/// The time of MPay's last call, or of the beginning of the watch. It is noted at most once an hour, and
/// only if `max_silence` is set.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub async fn quiet_since<P: Platform>(
    store: &mpay_ledger::Ledger<P>,
) -> Result<Option<Timestamp>, StoreError> {
    store.notes().time(LAST_CALL).await
}

impl Settings {
    /// The time for which MPay may be silent; `None` if nobody is to be told of silence: then MPay's
    /// calls are not noted.
    pub fn longest_silence(&self) -> Option<std::time::Duration> {
        self.max_silence.filter(|_| !self.receivers.is_empty())
    }

    /// True if MPay has been silent for longer than that. `since` is the time that [`quiet_since`] gives.
    pub fn is_too_quiet(&self, since: Timestamp, now: Timestamp) -> bool {
        self.longest_silence().is_some_and(|most| {
            let most = SignedDuration::try_from(most).unwrap_or(SignedDuration::MAX);
            // Calls within an hour of the noted one are not noted.
            now.duration_since(since) > most.saturating_add(NOTE_EVERY)
        })
    }
}

impl<P: Platform> Notifier<'_, P> {
    /// Raises the alert of payments by card that somebody should look at, once a day for each name.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn of_cards(&self, name: &str, detail: &Value) -> Result<(), StoreError> {
        let ended = self
            .raise_as(&format!("card-{name}"), "card", detail)
            .await?;
        self.of_ended(&ended).await
    }

    /// A payment that a person should look at.
    pub(super) async fn of_review(
        &self,
        id: &PaymentId,
        review: &[String],
    ) -> Result<(), StoreError> {
        if review.is_empty() {
            return Ok(());
        }
        self.raise(
            "review",
            &json!({"payment_id": id.as_str(), "review": review}),
        )
        .await
    }

    /// Follows up a call that was not authenticated. After the alert, strangers cause no more writes.
    pub(super) async fn after_failure(&self) -> Result<(), StoreError> {
        let now = self.store.now();
        let mut failures: Failures = self
            .store
            .notes()
            .get(NOT_AUTHENTICATED)
            .await?
            .unwrap_or_default();
        if failures.count < FAILURES {
            failures.count += 1;
            failures.since.get_or_insert(now);
            self.store.notes().set(NOT_AUTHENTICATED, &failures).await?;
        }
        if failures.count >= FAILURES {
            let detail = json!({"calls": failures.count, "since": failures.since});
            self.raise("authentication", &detail).await?;
        }
        Ok(())
    }

    /// Follows up a call of MPay.
    pub(super) async fn after_call(
        &self,
        created: Timestamp,
        received: Timestamp,
        clock_skew: Duration,
    ) -> Result<(), StoreError> {
        let failures: Option<Failures> = self.store.notes().get(NOT_AUTHENTICATED).await?;
        if failures.is_some_and(|failures| failures.count > 0) {
            self.store
                .notes()
                .set(NOT_AUTHENTICATED, &Failures::default())
                .await?;
        }
        if self.settings.max_silence.is_some() {
            self.note_call(received).await?;
        }
        let skew = SignedDuration::try_from(clock_skew).unwrap_or_default();
        let difference = received.duration_since(created);
        if difference.abs() > (skew / DRIFT.0).max(DRIFT.1) {
            let detail = json!({"seconds_behind": difference.as_secs()});
            self.raise("clock", &detail).await?;
        }
        self.of_certificates().await
    }

    /// Raises the alerts that depend on time and not on a call of MPay.
    pub(super) async fn of_time(&self) -> Result<(), StoreError> {
        self.of_certificates().await?;
        if self.settings.max_silence.is_none() {
            return Ok(());
        }
        let now = self.store.now();
        let Some(last) = quiet_since(self.store).await? else {
            // Silence counts from now.
            return self.store.notes().set(LAST_CALL, &now).await;
        };
        if self.settings.is_too_quiet(last, now) {
            self.raise("silence", &json!({"no_call_since": last}))
                .await?;
        }
        Ok(())
    }

    async fn of_certificates(&self) -> Result<(), StoreError> {
        if self.warnings.is_empty() {
            return Ok(());
        }
        self.raise("certificate", &json!({"warnings": self.warnings}))
            .await
    }

    async fn note_call(&self, received: Timestamp) -> Result<(), StoreError> {
        let fresh = |last: Timestamp| received.duration_since(last) < NOTE_EVERY;
        if self.remembered.last_call.get().is_some_and(fresh) {
            return Ok(());
        }
        let mut last = self.store.notes().time(LAST_CALL).await?;
        if !last.is_some_and(fresh) {
            self.store.notes().set(LAST_CALL, &received).await?;
            last = Some(received);
        }
        self.remembered.last_call.set(last);
        Ok(())
    }

    /// Raises the alert of receivers that want nothing any more.
    pub(super) async fn of_ended(&self, names: &[String]) -> Result<(), StoreError> {
        for name in names {
            let id = format!("webhook-{name}");
            let detail = json!({"receiver": name, "last_error": "The receiver answered 410."});
            self.raise_as(&id, "webhook", &detail).await?;
        }
        Ok(())
    }

    /// Sends an alert, unless one of its kind was sent today.
    async fn raise(&self, kind: &str, detail: &Value) -> Result<(), StoreError> {
        let ended = self.raise_as(kind, kind, detail).await?;
        // A receiver that ends because of this very alert raises no further one.
        self.of_ended(&ended).await
    }

    /// Sends an alert, unless one of this name was sent today. Gives the receivers that answered it with
    /// 410.
    async fn raise_as(
        &self,
        name: &str,
        kind: &str,
        detail: &Value,
    ) -> Result<Vec<String>, StoreError> {
        let now = self.store.now();
        let today = Offset::UTC.to_datetime(now).date();
        let id = format!("alert-{name}-{today}");
        if self.remembered.alerted.borrow().contains(&id)
            || !self.store.notes().is_first(&id).await?
        {
            self.remembered.alerted.borrow_mut().insert(id);
            return Ok(Vec::new());
        }
        let kind = format!("alert.{kind}");
        log!("{kind}: {detail}");
        let message = Message::new(message_id(&id, ""), &kind, now, detail);
        self.remembered.alerted.borrow_mut().insert(id);
        let Ok(message) = message else {
            return Ok(Vec::new());
        };
        let wants = |receiver: &&Receiver| receiver.groups.has(Group::Alerts);
        let receivers = self.settings.receivers.iter().filter(wants);
        let told = join_all(receivers.map(|receiver| self.alert(receiver, &message))).await;
        let ended: Result<Vec<_>, _> = told.into_iter().collect();
        Ok(ended?.into_iter().flatten().collect())
    }

    /// Sends an alert to a receiver. Gives its name if it answered with 410.
    async fn alert(
        &self,
        receiver: &Receiver,
        message: &Message,
    ) -> Result<Option<String>, StoreError> {
        let name = &receiver.name;
        let outbox = self.store.outbox().of(name, receiver.groups);
        if !outbox.standing().await?.takes(self.store.now()) {
            return Ok(None);
        }
        match send(&receiver.webhook, self.store, message).await {
            Sent::Taken => {}
            Sent::Gone => {
                end(receiver, self.store).await?;
                return Ok(Some(name.clone()));
            }
            Sent::Later(_, reason) | Sent::Refused(reason) | Sent::Failed(reason) => {
                let id = message.id();
                log!("{id} was not delivered to the receiver {name}: {reason}");
            }
        }
        Ok(None)
    }
}
