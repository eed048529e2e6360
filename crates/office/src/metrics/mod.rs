//! `/metrics`: the metrics for a monitoring system, in Prometheus' text format 0.0.4. Each answer reads a
//! limited number of records, however long the books are.
//!
//! An instance lives for a few requests only, so it keeps no counters itself: the counters are computed from
//! the books. Facts that are not in the books, such as refused tokens and response times, are in the log.

mod counted;
#[cfg(test)]
mod tests;
mod text;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header, request::Parts};
use mpay_door::{Configuration as _, Platform, Problem, health::STATES, http::must_read, log};
use mpay_ledger::Ledger;
use serde::{Deserialize, Serialize};

use self::{
    counted::{Counted, Paid},
    text::Metrics,
};
use crate::{
    App, admission,
    api::{self, Call, Effort},
    health::{not_configured, readiness},
    schedule,
};

/// The address.
pub const PATH: &str = "/metrics";

/// An event that is listed with 0 before it first happens. An alert looks for an increase, which needs an
/// earlier value.
const FROM_ZERO: &str = "payment.refused";

/// Answers a request.
///
/// # Errors
/// A [`Problem`] for other methods than GET and HEAD, for a missing or wrong token, and without a valid
/// configuration.
pub async fn answer<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    parts: &Parts,
) -> Result<Response<Bytes>, Problem> {
    must_read(&parts.method)?;
    let config = app.config.as_ref().map_err(|_| not_configured())?;
    let call = Call {
        app,
        config,
        store,
        headers: &parts.headers,
        query: "",
        caller: admission::authenticate(config, &parts.headers)?,
        effort: Effort::PROGRAM,
    };
    log::is_routine();
    let mut metrics = Metrics::default();
    of_deployment(&mut metrics, &call).await?;
    // A read of the books may complete what another host began. While the provider is paused, nothing is
    // written.
    if !app.paused.get() {
        // The reason of a failure is in the log.
        let books = of_books(&mut metrics, &call).await;
        metrics.gauge(
            "mpay_provider_store_up",
            "1 if the books could be read.",
            u8::from(books.is_ok()),
        );
    }
    let mut response = Response::new(Bytes::from(metrics.0));
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The members of the readiness that are used here.
#[derive(Deserialize)]
struct Health {
    status: String,
    version: String,
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

async fn of_deployment<P: Platform>(
    metrics: &mut Metrics,
    call: &Call<'_, P>,
) -> Result<(), Problem> {
    let health = readiness(call.app, call.store, &Method::GET).await?;
    let health: Health = serde_json::from_slice(health.body()).map_err(Problem::internal)?;
    let environment = call.config.environment().as_str();
    let labels = vec![("version", &*health.version), ("environment", environment)];
    metrics.family(
        "mpay_provider_info",
        "gauge",
        "1, with the version and the environment as labels.",
        &[(labels, "1".to_owned())],
    );
    metrics.family(
        "mpay_provider_status",
        "gauge",
        "1 for the present status of the office's readiness.",
        &STATES.map(|state| (vec![("status", state)], flag(health.status == state))),
    );
    metrics.gauge(
        "mpay_provider_errors",
        "Number of errors that the office's readiness reports.",
        health.errors.len(),
    );
    metrics.gauge(
        "mpay_provider_warnings",
        "Number of warnings that the office's readiness reports.",
        health.warnings.len(),
    );
    let certificates = call.config.certificates().into_iter();
    let certificates: Vec<_> = certificates
        .map(|(variable, certificate)| {
            let expires = certificate.not_after().as_second().to_string();
            (variable, certificate.fingerprint(), expires)
        })
        .collect();
    let samples: Vec<_> = certificates
        .iter()
        .map(|(variable, name, expires)| {
            let name = name.get(..16).unwrap_or(name);
            let labels = vec![("variable", *variable), ("fingerprint", name)];
            (labels, expires.clone())
        })
        .collect();
    metrics.family(
        "mpay_provider_certificate_expiry_timestamp_seconds",
        "gauge",
        "Time at which a certificate of a variable expires.",
        &samples,
    );
    Ok(())
}

fn flag(is: bool) -> String {
    u8::from(is).to_string()
}

async fn of_books<P: Platform>(metrics: &mut Metrics, call: &Call<'_, P>) -> Result<(), Problem> {
    let length = call.store.outbox().last().await?;
    metrics.family(
        "mpay_provider_journal_entries_total",
        "counter",
        "Places of the journal that are in use.",
        &[(Vec::new(), length.to_string())],
    );
    let counted = Counted::until_now(call.store).await?;
    metrics.gauge(
        "mpay_provider_journal_uncounted_entries",
        "Entries of the journal that the counters below do not contain yet.",
        length.saturating_sub(counted.until),
    );
    metrics.gauge(
        "mpay_provider_journal_unreadable_entries",
        "Entries of the journal that are damaged, or of a later version.",
        counted.unreadable,
    );
    let mut events = counted.events.clone();
    events.entry(FROM_ZERO.to_owned()).or_default();
    let events: Vec<_> = events
        .iter()
        .map(|(kind, count)| (vec![("type", kind.as_str())], count.to_string()))
        .collect();
    metrics.family(
        "mpay_provider_events_total",
        "counter",
        "Events of the journal, by type.",
        &events,
    );
    let paid = |value: fn(&Paid) -> String| {
        let samples = counted.paid.iter().map(|paid| {
            let (channel, currency) = (paid.channel.as_str(), paid.currency.as_str());
            let labels = vec![("channel", channel), ("currency", currency)];
            (labels, value(paid))
        });
        samples.collect::<Vec<_>>()
    };
    metrics.family(
        "mpay_provider_payments_total",
        "counter",
        "Recorded payments, with those that were voided or refunded later.",
        &paid(|paid| paid.count.to_string()),
    );
    metrics.family(
        "mpay_provider_payments_amount_total",
        "counter",
        "Sum of the recorded payments, in units of the currency.",
        &paid(|paid| paid.amount.clone()),
    );
    metrics.gauge(
        "mpay_provider_orders_to_review",
        "Orders with an open review, among the newest orders that one search covers. The search is at most a minute old.",
        ToReview::lately(call).await?.orders,
    );
    if let Some(at) = mpay_notify::quiet_since(call.store).await? {
        metrics.gauge(
            "mpay_provider_mpay_last_call_timestamp_seconds",
            "Time of MPay's last call, noted once an hour, if max_silence is set.",
            at.as_second(),
        );
    }
    if let Some(most) = call.config.notification.longest_silence() {
        metrics.gauge(
            "mpay_provider_mpay_max_silence_seconds",
            "Longest silence of MPay without an alert: max_silence.",
            most.as_secs(),
        );
    }
    of_schedules(metrics, call).await?;
    of_receivers(metrics, call, length).await
}

async fn of_schedules<P: Platform>(
    metrics: &mut Metrics,
    call: &Call<'_, P>,
) -> Result<(), Problem> {
    let runs = schedule::runs(call.config, call.store).await?;
    let samples: Vec<_> = runs
        .iter()
        .map(|run| {
            let labels = vec![("schedule", run.path), ("every", run.every.as_str())];
            let at = run.at.map_or(0, |at| at.as_second());
            (labels, at.to_string())
        })
        .collect();
    metrics.family(
        "mpay_provider_schedule_last_run_timestamp_seconds",
        "gauge",
        "Time of a timer's last successful call; 0 if there was none.",
        &samples,
    );
    Ok(())
}

async fn of_receivers<P: Platform>(
    metrics: &mut Metrics,
    call: &Call<'_, P>,
    length: u64,
) -> Result<(), Problem> {
    let (mut behind, mut failing, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for receiver in &call.config.notification.receivers {
        let labels = vec![("receiver", receiver.name.as_str())];
        let outbox = call.store.outbox().of(&receiver.name, receiver.groups);
        let standing = outbox.standing().await?;
        if let Some(state) = &standing.state {
            let entries = length.saturating_sub(state.first());
            behind.push((labels.clone(), entries.to_string()));
        }
        let fails = standing.lately.failed_at > standing.lately.success_at;
        failing.push((labels.clone(), flag(fails)));
        ended.push((labels, flag(standing.ended.is_some())));
    }
    for (name, help, samples) in [
        (
            "mpay_provider_webhook_behind_entries",
            "Entries of the journal from the first one on that a receiver has not received.",
            behind,
        ),
        (
            "mpay_provider_webhook_failing",
            "1 if the latest delivery to a receiver failed.",
            failing,
        ),
        (
            "mpay_provider_webhook_ended",
            "1 if a receiver answered 410 and gets no messages any more.",
            ended,
        ),
    ] {
        metrics.family(name, "gauge", help, &samples);
    }
    Ok(())
}

/// The number of the newest orders that need a person.
#[derive(Serialize, Deserialize)]
struct ToReview {
    orders: usize,
    /// The time of the search, in seconds since 1970.
    at: i64,
}

impl ToReview {
    /// Name of the note that holds the number.
    const NOTE: &str = "metrics-to-review";

    /// Seconds for which the number is used again, since each search reads several hundred orders.
    const FRESH: u64 = 60;

    async fn lately<P: Platform>(call: &Call<'_, P>) -> Result<Self, Problem> {
        let (notes, now) = (call.store.notes(), call.store.now().as_second());
        let kept = notes.get_many::<Self>(&[Self::NOTE.to_owned()]).await?;
        let kept = kept.into_iter().next().flatten();
        if let Some(kept) = kept.filter(|kept| now.abs_diff(kept.at) < Self::FRESH) {
            return Ok(kept);
        }
        let found = Self {
            orders: api::to_review(call).await?,
            at: now,
        };
        notes.set(Self::NOTE, &found).await?;
        Ok(found)
    }
}
