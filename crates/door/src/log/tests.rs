use std::{cell::RefCell, time::Duration};

use http::{HeaderMap, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use mpay_ledger::{Ledger, Platform as _, StoreError, memory::Memory};
use serde_json::{Value, json};

use super::{
    line::MAX,
    trace::{known_version, trace_id},
    *,
};
use crate::clients;

thread_local! {
    static LINES: RefCell<Vec<(Value, String)>> = const { RefCell::new(Vec::new()) };
}

/// The lines since the last call, as JSON without their times and as texts.
fn take_lines() -> Vec<(Value, String)> {
    catch(|line| {
        let json = line.json(Timestamp::UNIX_EPOCH);
        let mut json: Value = serde_json::from_str(&json).expect(&json);
        let time = json.as_object_mut().unwrap().remove("time").unwrap();
        assert_eq!(time, "1970-01-01T00:00:00.000Z");
        LINES.with_borrow_mut(|lines| lines.push((json, line.text())));
    });
    LINES.take()
}

async fn answer(
    headers: &[(&str, &str)],
    status: u16,
    notes: impl Fn(),
) -> (Response<bytes::Bytes>, Vec<(Value, String)>) {
    take_lines();
    let store = Ledger::new(Memory::new());
    let mut request = http::Request::post("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    let client = clients::peer(request.headers());
    let response = answered(&store, client, request, async |_| {
        store.platform().sleep(Duration::from_millis(12)).await;
        notes();
        let mut response = Response::new(bytes::Bytes::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    });
    (response.await, take_lines())
}

#[tokio::test(start_paused = true)]
async fn a_request_is_one_line_and_what_goes_wrong_in_it_has_its_id() {
    let headers = [
        ("x-request-id", "shop-17"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        ("spin-client-addr", "10.9.9.9:1"),
        ("spin-client-addr", "[::ffff:192.0.2.7]:4711"),
    ];
    let (response, lines) = answer(&headers, 500, || {
        note(Field::Verdict, "UnknownOrder");
        note(Field::Order, end_of_key("2004001234567"));
        note(Field::Operation, "GetOrderDetails");
        log!("no \"luck\" \\ \u{1b}[31m\n{}", "\u{202e}ș");
    })
    .await;
    assert_eq!(response.headers()["x-request-id"], "shop-17");
    let [(event, event_text), (request, text)] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(
        *event,
        json!({
            "level": "warn", "request_id": "shop-17", "trace_id": trace,
            "message": "no \"luck\" \\ \u{1b}[31m\n\u{202e}ș"
        })
    );
    assert_eq!(event_text, "no \"luck\" \\ \\u{1b}[31m\\n\\u{202e}ș");
    assert_eq!(
        *request,
        json!({
            "level": "warn", "request_id": "shop-17", "trace_id": trace, "message": "request",
            "operation": "GetOrderDetails", "order": "…4567", "verdict": "UnknownOrder",
            "status": 500, "milliseconds": 12, "client": "192.0.2.7"
        })
    );
    assert_eq!(
        text,
        "GetOrderDetails: UnknownOrder (500), 12 ms, order …4567, from 192.0.2.7"
    );
    // Afterwards nobody's request is at work.
    log!("x");
    assert_eq!(take_lines()[0].0.get("request_id"), None);
}

#[tokio::test(start_paused = true)]
async fn requests_of_one_instance_at_once_keep_apart() {
    take_lines();
    let one = |id: &str, milliseconds| {
        let request = Request::after(Origin {
            id: id.to_owned(),
            traceparent: None,
            tracestate: None,
        });
        async move {
            request
                .during(async {
                    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                    log!("{milliseconds}");
                })
                .await;
        }
    };
    tokio::join!(one("a", 20), one("b", 10));
    let lines = take_lines();
    let seen: Vec<_> = lines
        .iter()
        .map(|(line, _)| line["request_id"].as_str())
        .collect();
    assert_eq!(seen, [Some("b"), Some("a")]);
}

#[tokio::test(start_paused = true)]
async fn only_a_reasonable_id_is_taken_over_and_another_is_made() {
    let long = "x".repeat(65);
    for given in ["", "two words", "a\"b", "{}", "ș", "ion@example.md", &long] {
        let Ok(value) = HeaderValue::from_bytes(given.as_bytes()) else {
            continue;
        };
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, value);
        assert_eq!(
            Origin::of(&headers, || 0xab).id,
            "00000000000000ab",
            "{given}"
        );
    }
    let (response, lines) = answer(&[], 200, || {}).await;
    let id = response.headers()["x-request-id"].to_str().unwrap();
    assert_eq!((id.len(), &lines[0].0["request_id"]), (16, &json!(id)));
}

#[test]
fn a_trace_is_that_of_the_specification() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let good = format!("00-{trace}-00f067aa0ba902b7-01");
    assert_eq!(trace_id(&good), Some(trace));
    for wrong in [
        "",
        "00",
        &good[1..],
        &format!("{good}-x"),
        &good.to_uppercase(),
        &good.replace("00-4", "ff-4"),
        &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
        &format!("00-{trace}-{}-01", "0".repeat(16)),
    ] {
        assert_eq!(trace_id(wrong), None, "{wrong}");
        assert_eq!(known_version(wrong), None, "{wrong}");
    }
    // Of a later version is read and sent on what this one knows.
    assert_eq!(known_version(&good).as_deref(), Some(good.as_str()));
    let later = good.replace("00-4", "cc-4");
    for (given, flags) in [
        (later.clone(), "01"),
        (format!("{later}-what-will-be"), "01"),
        (later.replace("-01", "-03"), "01"),
        (later.replace("-01", "-fe"), "00"),
    ] {
        let sent = good.replace("-01", &format!("-{flags}"));
        assert_eq!(known_version(&given), Some(sent), "{given}");
    }
    for wrong in [
        format!("{later}.x"),
        later.replace("cc-", "CC-"),
        later.replace("-01", "-0"),
    ] {
        assert_eq!(known_version(&wrong), None, "{wrong}");
    }
}

#[test]
fn the_state_of_a_trace_is_taken_over_as_it_came_if_it_is_of_a_trace_and_short() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let of = |traceparent: &str, states: &[&[u8]]| {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, traceparent.parse().unwrap());
        for state in states {
            headers.append(TRACESTATE, HeaderValue::from_bytes(state).unwrap());
        }
        Origin::of(&headers, || 0).tracestate
    };
    let two: [&[u8]; 2] = [b"erp=1,  b=2", b"c=t:3"];
    assert_eq!(of(good, &two).as_deref(), Some("erp=1,  b=2,c=t:3"));
    let longest = format!("a={}", "x".repeat(510));
    assert_eq!(
        of(good, &[longest.as_bytes()]).as_deref(),
        Some(longest.as_str())
    );
    let longer = format!("{longest}x");
    let wrong: [&[&[u8]]; 4] = [&[], &[b""], &[longer.as_bytes()], &["a=ș".as_bytes()]];
    for states in wrong {
        assert_eq!(of(good, states), None);
    }
    assert_eq!(of("00-0", &two), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_all_the_time_has_a_line_only_if_it_fails() {
    for (status, lines) in [(200, 0), (503, 1), (404, 1)] {
        assert_eq!(answer(&[], status, is_routine).await.1.len(), lines);
    }
    for (status, verdict, level) in [
        (200, "ok", "info"),
        (303, "ok", "info"),
        (401, "unauthenticated", "warn"),
        (403, "forbidden", "warn"),
        (404, "not-found", "warn"),
        (422, "refused", "warn"),
        (503, "failed", "error"),
    ] {
        let (_, lines) = answer(&[], status, || {}).await;
        let (line, _) = &lines[0];
        assert_eq!(
            (&line["verdict"], &line["level"]),
            (&json!(verdict), &json!(level)),
            "{status}"
        );
        assert_eq!(line["operation"], "POST");
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_from_a_request_carries_its_trace_and_only_at_home_its_id() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let origin = Origin {
        id: "shop-17".to_owned(),
        traceparent: Some(parent.to_owned()),
        tracestate: Some("erp=1".to_owned()),
    };
    let sent = async |address: &str| {
        let mut request = http::Request::post(address).body(()).unwrap();
        let current = Request::after(origin.clone());
        current.during(async { carry(&mut request) }).await;
        request.headers().clone()
    };
    let own = sent("http://mpay-office.spin.internal/ask/TAX/1").await;
    assert_eq!(
        (&own["x-request-id"], &own["traceparent"]),
        (
            &HeaderValue::from_static("shop-17"),
            &HeaderValue::from_static(parent)
        )
    );
    let other = sent("https://erp.example.md/hook").await;
    assert_eq!(other.get("x-request-id"), None);
    assert_eq!(other["traceparent"], parent);
    for headers in [&own, &other] {
        assert_eq!(headers["tracestate"], "erp=1");
    }
    // The gateway of cards is a bank's.
    let mut foreign = http::Request::post("https://bank.example/")
        .body(())
        .unwrap();
    foreign.extensions_mut().insert(Abroad);
    let current = Request::after(origin.clone());
    current.during(async { carry(&mut foreign) }).await;
    assert!(foreign.headers().is_empty());
    let mut alone = http::Request::post("https://x.md/").body(()).unwrap();
    carry(&mut alone);
    assert!(alone.headers().is_empty());
}

#[test]
fn of_a_key_only_the_end_is_shown_and_of_a_short_one_nothing() {
    for (key, shown) in [
        ("2004001234567", "…4567"),
        ("AC-77", "…"),
        ("", "…"),
        ("Ștefan-Vodă", "…Vodă"),
    ] {
        assert_eq!(end_of_key(key), shown);
    }
}

#[test]
fn a_long_message_is_cut() {
    let line = Line {
        level: Level::Warn,
        origin: None,
        message: "\"".repeat(5000),
        answered: None,
    };
    assert_eq!(line.text().len(), MAX);
    let json: Value = serde_json::from_str(&line.json(Timestamp::MAX)).unwrap();
    assert_eq!(json["message"].as_str().unwrap().len(), MAX);
}

#[test]
fn a_failure_of_the_store_names_no_order_and_quotes_nothing() {
    let corrupt = |key: &str, reason: &str| StoreError::Corrupt {
        key: key.to_owned(),
        reason: reason.to_owned(),
    };
    for (error, shown) in [
        (
            StoreError::Contested("order/TAX/2004001234567".to_owned()),
            "others are at the same place of order/TAX/…4567; try again",
        ),
        (
            corrupt(
                "order/TAX/2004001234567/3",
                "invalid type: string \"Ana\", expected 1",
            ),
            "the value of order/TAX/…4567/3 cannot be read: invalid type: string ",
        ),
        (
            corrupt(
                "contest/order/TAX/2004001234567/0/1/accepted",
                "it is missing",
            ),
            "the value of contest/order/TAX/…4567/0/1/accepted cannot be read: it is missing",
        ),
        (
            corrupt("done/P-1", "it is missing"),
            "the value of done/P-1 cannot be read: it is missing",
        ),
    ] {
        assert_eq!(of_store(&error), shown);
    }
}
