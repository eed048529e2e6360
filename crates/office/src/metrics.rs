//! `/metrics`: the metrics for a monitoring system, in Prometheus' text format 0.0.4. Each answer reads a
//! limited number of records, however long the books are.
//!
//! An instance lives for a few requests only, so it keeps no counters itself: the counters are computed from
//! the books. Facts that are not in the books, such as refused tokens and response times, are in the log.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header, request::Parts};
use mpay_door::{Configuration as _, Platform, Problem, health::STATES, http::must_read, log};
use mpay_ledger::{JOURNAL_MENDED, Ledger, Span, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    App, access,
    api::{self, Call, Effort},
    domain::{Money, MoneyError},
    json::{Channel, Event, PaymentJson},
    schedule, service,
};

/// The address.
pub const PATH: &str = "/metrics";

/// The most pages of the journal that one answer counts.
const PAGES: u32 = 16;

/// Entries of the journal in a page.
const LIMIT: usize = 1024;

/// The longest time that one answer spends counting. Prometheus still waits for the rest of the answer.
const LONGEST: Duration = Duration::from_secs(3);

/// An event that is listed with 0 before it first happens. An alert looks for an increase, which needs an
/// earlier value.
const FROM_ZERO: &str = "payment.refused";

/// Name of the note that holds the counters.
const COUNTED: &str = "metrics";

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
    let config = app.config.as_ref().map_err(|_| service::not_configured())?;
    let call = Call {
        app,
        config,
        store,
        headers: &parts.headers,
        query: "",
        caller: access::authenticate(config, &parts.headers)?,
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

/// The text of the answer.
#[derive(Default)]
struct Metrics(String);

/// Names of labels, and their values.
type Labels<'a> = Vec<(&'static str, &'a str)>;

impl Metrics {
    /// Writes a metric with its samples; nothing if there are no samples. The function is not generic, so that
    /// the component contains it once.
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(Labels<'_>, String)]) {
        if samples.is_empty() {
            return;
        }
        // Writing into a text does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            self.0.push_str(name);
            for (place, (label, value)) in labels.iter().enumerate() {
                let value = value.replace('\\', r"\\").replace('"', "\\\"");
                let value = value.replace('\n', r"\n");
                let opening = if place == 0 { '{' } else { ',' };
                let _ = write!(self.0, "{opening}{label}=\"{value}\"");
            }
            let closing = if labels.is_empty() { "" } else { "}" };
            let _ = writeln!(self.0, "{closing} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl ToString) {
        self.family(name, "gauge", help, &[(Vec::new(), value.to_string())]);
    }
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
    let health = service::readiness(call.app, call.store, &Method::GET).await?;
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

/// The counters of the journal up to a place. They depend on that place only, so any host may compute and store
/// them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Counted {
    /// The last place that is counted.
    until: u64,
    /// The latest repair before the count, and the version that counted. After a repair, and in a later
    /// version, more entries may be legible, so the count begins again.
    #[serde(default)]
    mended: Option<String>,
    #[serde(default)]
    version: String,
    unreadable: usize,
    events: BTreeMap<String, u64>,
    paid: Vec<Paid>,
}

/// Payments of a channel in a currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Paid {
    channel: Channel,
    currency: String,
    count: u64,
    amount: String,
}

impl Counted {
    /// The counters, brought forward from the note by as many pages as one answer counts.
    async fn until_now<P: Platform>(store: &Ledger<P>) -> Result<Self, StoreError> {
        let notes = store.notes();
        // If the note is damaged, the count begins again.
        let kept = notes.get_many(&[COUNTED.to_owned()]).await?;
        let kept: Option<Self> = kept.into_iter().next().flatten();
        let nothing = Self {
            mended: notes.get(JOURNAL_MENDED).await?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Self::default()
        };
        let is_good =
            |kept: &&Self| kept.mended == nothing.mended && kept.version == nothing.version;
        let mut counted = kept.as_ref().filter(is_good).unwrap_or(&nothing).clone();
        let begun = store.platform().monotonic();
        for _ in 0..PAGES {
            // The caller does not wait for long. The counters so far are stored below.
            if store.platform().monotonic().saturating_sub(begun) > LONGEST {
                break;
            }
            let journal = store.journal();
            let page = journal
                .read(counted.until, LIMIT, Span::ALWAYS, |_| true)
                .await?;
            if page.is_beyond_end {
                // The journal is shorter than the note says, since a backup was restored.
                counted = nothing.clone();
                continue;
            }
            for entry in &page.entries {
                counted.add(&entry.event);
            }
            counted.unreadable += page.unreadable.len();
            let is_over = page.complete || page.next == counted.until;
            counted.until = page.next;
            if is_over {
                break;
            }
        }
        if kept.as_ref() != Some(&counted) {
            notes.set(COUNTED, &counted).await?;
        }
        Ok(counted)
    }

    fn add(&mut self, event: &Event) {
        *self.events.entry(event.name().to_owned()).or_default() += 1;
        if let Event::PaymentRecorded(payment) = event
            && self.pay(payment).is_err()
        {
            self.unreadable += 1;
        }
    }

    /// Adds a payment; nothing of it if its amount cannot be read.
    fn pay(&mut self, payment: &PaymentJson) -> Result<(), MoneyError> {
        let (channel, currency) = (payment.channel(), payment.currency.as_str());
        let mut paid = self.paid.iter_mut();
        let known = paid.find(|paid| paid.channel == channel && paid.currency == currency);
        let amount = Money::parse_sum(&payment.amount)?;
        match known {
            Some(paid) => {
                paid.amount = (Money::parse_sum(&paid.amount)? + amount).to_string();
                paid.count += 1;
            }
            None => self.paid.push(Paid {
                channel,
                currency: currency.to_owned(),
                count: 1,
                amount: amount.to_string(),
            }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use mpay_door::config::testing::variables;
    use mpay_ledger::{
        Platform as _,
        memory::{Fault, Memory},
        testing::{record, register},
    };

    use super::*;

    const TOKEN: &str = "0123456789012345678901234567890123456789";

    async fn ask(app: &App, memory: &Memory, token: &str) -> (u16, String) {
        let store = Ledger::new(memory.clone());
        let request = Request::get(PATH).header("authorization", format!("Bearer {token}"));
        let request = request.body(String::new()).unwrap();
        let response = service::handle(app, &store, request).await;
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        (response.status().as_u16(), text)
    }

    /// The samples by name and labels. Each belongs to a family that has help and a type, and that occurs once.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let mut samples = BTreeMap::new();
        let mut families = std::collections::BTreeSet::new();
        let (mut helped, mut family) = (String::new(), String::new());
        let is_name = |name: &str| {
            let mut letters = name.bytes();
            letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(help.ends_with('.') && is_name(name), "{line}");
                helped = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, helped);
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(["counter", "gauge"].contains(&kind), "{line}");
                assert!(families.insert(name.to_owned()), "{line}");
                family = name.to_owned();
            } else {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
                assert_eq!(name, family);
                let labels = labels.strip_suffix('}').unwrap();
                for label in labels.split(',').filter(|label| !label.is_empty()) {
                    let (name, value) = label.split_once("=\"").unwrap();
                    assert!(is_name(name) && value.ends_with('"'), "{line}");
                }
                let value = value.parse().expect(line);
                assert_eq!(samples.insert(sample.to_owned(), value), None, "{line}");
            }
        }
        samples
    }

    #[tokio::test(start_paused = true)]
    async fn what_happened_is_counted_once_and_the_counters_go_on() {
        let (app, memory) = (App::new(variables()), Memory::new());
        register(&memory, "A", "10").await.unwrap();
        record(&memory, "P-1", "A", "10").await.unwrap();
        register(&memory, "B", "5").await.unwrap();
        // The payment exceeds the amount due, so a person has to look at it.
        record(&memory, "P-2", "B", "7.50").await.unwrap();
        const PAID: &str = r#"{channel="mpay",currency="MDL"}"#;
        let of = |samples: &BTreeMap<String, f64>, name: &str| samples.get(name).copied();
        for _ in 0..2 {
            let (status, text) = ask(&app, &memory, TOKEN).await;
            assert_eq!(status, 200);
            let samples = parse(&text);
            for (name, value) in [
                (&*format!("mpay_provider_payments_total{PAID}"), 2.0),
                (&*format!("mpay_provider_payments_amount_total{PAID}"), 17.5),
                (
                    r#"mpay_provider_events_total{type="payment.recorded"}"#,
                    2.0,
                ),
                (
                    r#"mpay_provider_events_total{type="order.registered"}"#,
                    2.0,
                ),
                ("mpay_provider_journal_entries_total", 4.0),
                ("mpay_provider_journal_uncounted_entries", 0.0),
                (r#"mpay_provider_events_total{type="payment.refused"}"#, 0.0),
                ("mpay_provider_orders_to_review", 1.0),
                ("mpay_provider_store_up", 1.0),
                (r#"mpay_provider_status{status="ok"}"#, 1.0),
                (r#"mpay_provider_status{status="paused"}"#, 0.0),
            ] {
                assert_eq!(of(&samples, name), Some(value), "{name}: {text}");
            }
        }
        register(&memory, "C", "1").await.unwrap();
        record(&memory, "P-3", "C", "1").await.unwrap();
        let samples = parse(&ask(&app, &memory, TOKEN).await.1);
        let name = format!("mpay_provider_payments_total{PAID}");
        assert_eq!(of(&samples, &name), Some(3.0));
        let certificates = samples.keys();
        let certificates =
            certificates.filter(|name| name.contains("expiry") && name.contains("service_cert"));
        assert_eq!(certificates.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_repair_or_by_another_version_all_is_counted_anew() {
        let (app, memory) = (App::new(variables()), Memory::new());
        register(&memory, "A", "10").await.unwrap();
        ask(&app, &memory, TOKEN).await;
        let store = Ledger::new(memory.clone());
        let unreadable = async |change: fn(&mut Counted)| {
            let notes = store.notes();
            let mut counted: Counted = notes.get(COUNTED).await.unwrap().unwrap();
            counted.unreadable = 1;
            change(&mut counted);
            notes.set(COUNTED, &counted).await.unwrap();
            let samples = parse(&ask(&app, &memory, TOKEN).await.1);
            samples["mpay_provider_journal_unreadable_entries"]
        };
        assert_eq!(unreadable(|_| {}).await, 1.0);
        assert_eq!(unreadable(|kept| kept.version.clear()).await, 0.0);
        let mended = "2026-11-29T00:00:00Z".to_owned();
        store.notes().set(JOURNAL_MENDED, &mended).await.unwrap();
        assert_eq!(unreadable(|_| {}).await, 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_look_costs_little() {
        let (app, memory) = (App::new(variables()), Memory::new());
        for place in 0..20 {
            register(&memory, &format!("K-{place}"), "1").await.unwrap();
        }
        ask(&app, &memory, TOKEN).await;
        memory.take_calls();
        ask(&app, &memory, TOKEN).await;
        let calls = memory.take_calls();
        assert!(calls.len() < 10, "{calls:?}");
        assert!(
            calls.iter().all(|call| call.starts_with("get")),
            "{calls:?}"
        );
    }

    /// Prometheus gives up after its `scrape_timeout`, which is 30 seconds in docs/operate.md, so it would
    /// never receive an answer about a long journal. In this test each call of the store takes 0.9 s, a hundred
    /// times the usual.
    #[tokio::test(start_paused = true)]
    async fn on_a_slow_store_an_answer_counts_for_three_seconds_and_the_next_goes_on() {
        let (app, memory) = (App::new(variables()), Memory::new());
        for number in 0..1100 {
            register(&memory, &number.to_string(), "1").await.unwrap();
        }
        let registered = async || {
            let (_, text) = ask(&app, &memory, TOKEN).await;
            parse(&text)[r#"mpay_provider_events_total{type="order.registered"}"#]
        };
        memory.script(vec![Fault::Delay(Duration::from_millis(900)); 200]);
        let begun = memory.monotonic();
        let first = registered().await;
        assert!((1.0..1100.0).contains(&first), "{first}");
        let took = memory.monotonic().saturating_sub(begun);
        assert!(took < Duration::from_secs(30), "{took:?}");
        memory.script([]);
        assert_eq!(registered().await, 1100.0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_principals_are_answered_and_while_all_is_stopped_nothing_is_kept() {
        let (app, memory) = (App::new(variables()), Memory::new());
        let stranger = "9876543210987654321098765432109876543210";
        assert_eq!(ask(&app, &memory, stranger).await.0, 401);
        register(&memory, "A", "10").await.unwrap();
        app.paused.set(true);
        memory.take_calls();
        let (status, text) = ask(&app, &memory, TOKEN).await;
        assert_eq!(status, 200);
        let samples = parse(&text);
        assert_eq!(samples[r#"mpay_provider_status{status="paused"}"#], 1.0);
        assert!(
            !text.contains("store_up") && !text.contains("journal"),
            "{text}"
        );
        let calls = memory.take_calls();
        assert!(
            calls.iter().all(|call| call.starts_with("get")),
            "{calls:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_is_told_with_all_that_needs_none() {
        let (app, memory) = (App::new(variables()), Memory::new());
        memory.script(vec![Fault::Fail; 20]);
        let (status, text) = ask(&app, &memory, TOKEN).await;
        assert_eq!(status, 200);
        let samples = parse(&text);
        assert_eq!(samples["mpay_provider_store_up"], 0.0);
        assert_eq!(
            samples[r#"mpay_provider_status{status="unavailable"}"#],
            1.0
        );
        assert!(!text.contains("payments"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn alerts_dashboard_and_document_name_the_metrics_that_there_are() {
        let mut variables = variables();
        for (name, value) in [
            (
                "webhooks",
                "erp https://erp.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ),
            ("webhook_origin", "https://erp.example.md"),
            ("max_silence", "86400"),
        ] {
            variables.set(name, value.to_owned());
        }
        let (app, memory) = (App::new(variables), Memory::new());
        register(&memory, "A", "10").await.unwrap();
        record(&memory, "P-1", "A", "10").await.unwrap();
        let store = Ledger::new(memory.clone());
        let called = "2026-11-29T08:00:00Z";
        store.notes().set("last-call", &called).await.unwrap();
        let receiver = &app.config.as_ref().unwrap().notification.receivers[0];
        let outbox = store.outbox().of("erp", receiver.groups);
        let state = outbox.beginning().await.unwrap();
        outbox.set_state(&state).await.unwrap();
        let (_, text) = ask(&app, &memory, TOKEN).await;
        let samples = parse(&text);
        assert_eq!(samples["mpay_provider_mpay_max_silence_seconds"], 86_400.0);
        let never = r#"mpay_provider_schedule_last_run_timestamp_seconds{schedule="outbox/deliver",every="minute"}"#;
        assert_eq!(samples[never], 0.0);
        let names = |text: &str| {
            let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
            let words = words.filter(|word| word.starts_with("mpay_provider_"));
            words
                .map(str::to_owned)
                .collect::<std::collections::BTreeSet<_>>()
        };
        let all = names(&samples.into_keys().collect::<Vec<_>>().join("\n"));
        let document = include_str!("../../../docs/operate.md");
        let (_, document) = document.split_once("\n## Metrics\n").unwrap();
        let (document, _) = document.split_once("\n## ").unwrap();
        assert_eq!(names(document), all);
        for file in [
            include_str!("../../../deploy/monitoring/alerts.yaml"),
            include_str!("../../../deploy/monitoring/dashboard.json"),
        ] {
            let named = names(file);
            assert!(!named.is_empty() && named.is_subset(&all), "{named:?}");
        }
    }

    /// An alert that waits for a day would begin its wait again for each new host name.
    #[test]
    fn an_alert_that_waits_for_hours_does_not_hang_on_who_is_asked() {
        let alerts = include_str!("../../../deploy/monitoring/alerts.yaml");
        let mut found = 0;
        for alert in alerts.split("- alert:").skip(1) {
            let field = |name: &str| {
                let line = alert
                    .lines()
                    .map(str::trim)
                    .find(|line| line.starts_with(name));
                line.unwrap_or_default()
            };
            let wait = field("for: ");
            if wait.ends_with("26h") || wait.ends_with('d') {
                found += 1;
                assert!(field("expr: ").starts_with("expr: max"), "{alert}");
            }
        }
        assert_eq!(found, 2);
    }

    #[test]
    fn a_label_cannot_end_itself() {
        let mut metrics = Metrics::default();
        let labels = vec![("a", "1\"\\\n2")];
        metrics.family("x", "gauge", "X.", &[(labels, "1".to_owned())]);
        assert!(
            metrics.0.ends_with("x{a=\"1\\\"\\\\\\n2\"} 1\n"),
            "{}",
            metrics.0
        );
    }
}
