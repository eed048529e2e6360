use std::{collections::BTreeMap, time::Duration};

use http::Request;
use mpay_door::config::testing::variables;
use mpay_ledger::{
    JOURNAL_MENDED, Platform as _,
    memory::{Fault, Memory},
    testing::{record, register},
};

use super::{
    counted::{COUNTED, Counted},
    *,
};
use crate::service;

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
    let document = include_str!("../../../../docs/operate.md");
    let (_, document) = document.split_once("\n## Metrics\n").unwrap();
    let (document, _) = document.split_once("\n## ").unwrap();
    assert_eq!(names(document), all);
    for file in [
        include_str!("../../../../deploy/monitoring/alerts.yaml"),
        include_str!("../../../../deploy/monitoring/dashboard.json"),
    ] {
        let named = names(file);
        assert!(!named.is_empty() && named.is_subset(&all), "{named:?}");
    }
}

/// An alert that waits for a day would begin its wait again for each new host name.
#[test]
fn an_alert_that_waits_for_hours_does_not_hang_on_who_is_asked() {
    let alerts = include_str!("../../../../deploy/monitoring/alerts.yaml");
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
