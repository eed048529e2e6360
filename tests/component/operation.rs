//! The tools of those who run a provider: the emergency stop, the log, the metrics.

use mpay_client::encode_query;
use serde_json::{Value, json};

use crate::harness::*;

fn get(provider: &Provider, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut response = provider.http("GET", path, headers, &[]);
    let text = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), text)
}

#[test]
fn while_everything_is_stopped_mpay_repeats_and_then_its_payment_is_recorded_once() {
    let mut provider = Provider::start_with(
        &[
            ("page_key", "a-key-of-pages-for-tests-alone-0123456789"),
            ("public_url", "http://127.0.0.1/"),
        ],
        None,
    );
    provider.register("1", order("10"));
    let payment = confirmation("1", "P-1", "10");
    let before = provider.keys("");
    provider.set_variable("paused", "true");
    provider.restart();

    assert_eq!(provider.details_fault(SERVICE, "1").code, "InternalError");
    let answer = provider.mpay().confirm(&payment).unwrap();
    assert_eq!(code(answer), "InternalError");
    let answer = provider.api("GET", "payments", None);
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body["type"], "urn:mpay-provider:paused");
    assert_eq!(answer.headers["retry-after"], "60");
    let page = get(&provider, "o/x?lang=ru", &[("accept", "text/html")]);
    assert_eq!((page.0, page.1.contains("Зайдите позже")), (503, true));
    for path in ["health", "health/office"] {
        let (status, text) = get(&provider, path, &[]);
        let health: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, health["status"].as_str()), (200, Some("paused")));
    }
    assert_eq!(get(&provider, "health/live", &[]).0, 200);
    assert_eq!(provider.keys(""), before, "nothing is written");

    provider.set_variable("paused", "false");
    provider.restart();
    for _ in 0..2 {
        assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    }
    assert_eq!(provider.ledger().len(), 1);
}

/// Each line of the log as JSON.
fn lines(provider: &Provider) -> Vec<Value> {
    let log = provider.log();
    let lines = log.lines();
    lines
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

/// Secrets and what is of a person, each of which the journey of the next test passes by.
const PRIVATE: [&str; 8] = [
    "Ion Țurcanu",
    "2004001234567",
    "079123456",
    "0987654321098",
    "a-key-of-pages-for-tests-alone",
    TOKEN,
    "not-a-token-of-anybody-0123456789-0123",
    "TEST TESTER",
];

#[test]
fn every_request_is_a_line_of_json_that_names_no_person_and_no_secret() {
    let (_, key) = SERVICE_KEY.split_once('\n').unwrap();
    let key = &key[..40];
    let provider = Provider::start_with(
        &[
            ("log_format", "json"),
            ("page_key", "a-key-of-pages-for-tests-alone-0123456789"),
            ("public_url", "http://127.0.0.1/"),
        ],
        None,
    );
    let mut order = order("10");
    order["customer_id"] = PRIVATE[1].into();
    order["customer_name"] = PRIVATE[0].into();
    order["properties"] = json!([
        {"name": "Telefon", "display_name": "Telefon", "type": "tc", "modifiable": true, "value": PRIVATE[2]}
    ]);
    // A key that is somebody's code.
    let person = PRIVATE[3];
    provider.register(person, order);
    provider.details(person);
    let mut payment = confirmation(person, "P-1", "10");
    payment.properties = vec![("Telefon".into(), PRIVATE[2].into())];
    assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    assert_eq!(code(provider.mpay().confirm(&payment).unwrap()), "ok");
    let wrong = confirmation(person, "P-1", "11");
    let refused = provider.mpay().confirm(&wrong).unwrap();
    assert_eq!(code(refused), "InvalidParameter");
    let stranger = provider.client(STRANGER_KEY, STRANGER);
    let refused = stranger.details(SERVICE, person, "ro").unwrap();
    assert_eq!(code(refused), "AuthenticationFailed");

    let link = provider.api("GET", &format!("orders/{SERVICE}/{person}/pay-link"), None);
    let link = link.body["pay_url"].as_str().unwrap().to_owned();
    let (_, seal) = link.split_once("/o/").unwrap();
    let (status, _) = get(&provider, &format!("o/{seal}"), &[]);
    assert_eq!(status, 200);
    let bad = format!("Bearer {}", PRIVATE[6]);
    let headers = [
        ("authorization", bad.as_str()),
        ("x-request-id", "shop-17"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    ];
    let path = format!("api/orders?customer_id={}", PRIVATE[1]);
    assert_eq!(get(&provider, &path, &headers).0, 401);
    let (status, _) = get(&provider, &format!("admin/{person}"), &[]);
    assert_eq!(status, 200, "led to where one signs in");
    let (status, _) = get(&provider, &format!("{person}/x"), &[]);
    assert_eq!(status, 404);
    get(&provider, "health", &[]);

    let log = provider.log();
    for private in PRIVATE.into_iter().chain([seal, key]) {
        assert!(!log.contains(private), "{private}: {log}");
    }
    let lines = lines(&provider);
    let requests: Vec<_> = lines
        .iter()
        .filter(|line| line["message"] == "request")
        .collect();
    let seen: Vec<_> = requests
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            let status = &line["status"];
            format!(
                "{} {} {} {} {status}",
                text("operation"),
                text("order"),
                text("payment"),
                text("verdict")
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            "PUT /api/orders/{service}/{key} …1098 - ok 201",
            "GetOrderDetails …1098 - ok 200",
            "ConfirmOrderPayment …1098 P-1 recorded 200",
            "ConfirmOrderPayment …1098 P-1 repeated 200",
            "ConfirmOrderPayment …1098 P-1 InvalidParameter 500",
            "POST - - AuthenticationFailed 500",
            "GET /api/orders/{service}/{key}/pay-link …1098 - ok 200",
            "GET /o/ - - ok 200",
            "GET /api/ - - unauthenticated 401",
            "GET /admin - - ok 303",
            "GET /admin - - ok 200",
            "GET - - not-found 404",
        ]
    );
    for line in &requests {
        assert_eq!(line["client"], "127.0.0.1", "{line}");
        assert!(line["milliseconds"].is_u64(), "{line}");
        assert!(
            line["time"]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .is_ok()
        );
        let id = line["request_id"].as_str().unwrap();
        assert!(!id.is_empty(), "{line}");
    }
    let levels: Vec<_> = requests.iter().map(|line| &line["level"]).collect();
    assert!(levels.contains(&&json!("info")) && !levels.contains(&&json!("error")));
    let refused = requests.iter().find(|line| line["status"] == 401).unwrap();
    assert_eq!(refused["request_id"], "shop-17");
    assert_eq!(refused["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    // Why it was refused has the id of the same request.
    let reason = lines.iter().find(|line| {
        let message = line["message"].as_str().unwrap();
        message.starts_with("not authenticated: sha256=")
    });
    let id = &reason.unwrap()["request_id"];
    assert!(
        requests
            .iter()
            .any(|line| line["request_id"] == *id && line["verdict"] == "AuthenticationFailed"),
        "{id}"
    );
}

#[test]
fn nothing_that_a_stranger_has_written_is_quoted_in_the_log() {
    let provider = Provider::start_with(&[("log_format", "json")], None);
    let signed = provider.mpay().sign(&encode_query(SERVICE, "1", "ro"));
    let signed = signed.unwrap();
    const PERSON: &str = "AnaRusu2004001234567";
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    let envelope = |namespace: &str, within: &str| {
        format!("<s:Envelope xmlns:s='{namespace}' a='{PERSON}'>{within}</s:Envelope>")
    };
    let instead = |from: &str, to: &str| {
        assert!(signed.contains(from), "{from}: {signed}");
        signed.replacen(from, to, 1)
    };
    let about = |name: &str| format!("{name}=\"{PERSON}");
    let (method, digest) = ("SignatureMethod Algorithm=\"", "DigestMethod Algorithm=\"");
    let messages = [
        PERSON.to_owned(),
        format!("<{PERSON}/>"),
        format!("<{PERSON}></x>"),
        format!("<a>&{PERSON};</a>"),
        format!("<a {PERSON}=''/>"),
        format!("<{PERSON}:a/>"),
        format!("<?{PERSON}?><a/>"),
        format!("<!DOCTYPE {PERSON}><a/>"),
        format!("<?xml version='1.0' encoding='{PERSON}'?><a/>"),
        envelope(&format!("urn:{PERSON}"), "<s:Body/>"),
        envelope(soap, &format!("<{PERSON}/>")),
        envelope(soap, &format!("<s:Body>{PERSON}</s:Body>")),
        instead("URI=\"", &about("URI")),
        instead("URI=\"#", &format!("URI=\"#{PERSON}")),
        instead(method, &format!("{method}{PERSON}")),
        instead(method, &format!("{method}http://www.w3.org/{PERSON}")),
        instead(digest, &format!("{digest}{PERSON}")),
        instead("Created>", &format!("Created>{PERSON}")),
        instead("ValueType=\"", &about("ValueType")),
    ];
    let count = messages.len();
    let mut lines_before = 0;
    for message in messages {
        provider.post(message.clone());
        let log = provider.log();
        let all = lines(&provider);
        let reason = all[lines_before..].iter().find_map(|line| {
            let text = line["message"].as_str().unwrap();
            text.contains("sha256=").then_some(text)
        });
        assert!(reason.is_some(), "{message}: {log}");
        assert!(!log.contains("Rusu"), "{message}: {reason:?}");
        lines_before = all.len();
    }
    let reasons = lines(&provider);
    let reasons = reasons.iter().filter_map(|line| line["message"].as_str());
    assert_eq!(
        reasons.filter(|text| text.contains("sha256=")).count(),
        count
    );
    // An algorithm that MPay may come to use is named.
    let future = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519";
    let method = signature_method(&signed);
    provider.post(signed.replacen(method, future, 1));
    assert!(provider.log().contains("xmldsig-more#eddsa-ed25519"));
}

/// The algorithm that a message is signed by.
fn signature_method(signed: &str) -> &str {
    let (_, rest) = signed.split_once("SignatureMethod Algorithm=\"").unwrap();
    rest.split_once('"').unwrap().0
}

#[test]
fn calls_are_taken_from_allowed_addresses_and_a_proxys_word_counts_only_if_it_is_trusted() {
    let mut provider = Provider::start_with(&[("allowed_addresses", "192.0.2.0/24")], None);
    provider.register("1", order("10"));
    let query = encode_query(SERVICE, "1", "ro");
    let message = provider.mpay().sign(&query).unwrap();
    let post = |provider: &Provider| {
        let headers = [
            ("content-type", "text/xml; charset=utf-8"),
            ("x-forwarded-for", "198.51.100.1, 192.0.2.9"),
            ("spin-client-addr", "192.0.2.9:9"),
        ];
        let answer = provider.http("POST", "", &headers, message.as_bytes());
        answer.status().as_u16()
    };
    assert_eq!(post(&provider), 403);
    assert!(
        provider.log().contains("POST: forbidden-address (403)"),
        "{}",
        provider.log()
    );
    assert_eq!(get(&provider, "?wsdl", &[]).0, 200);
    provider.set_variable("trusted_proxies", "127.0.0.1");
    provider.restart();
    assert_eq!(post(&provider), 200);
    assert!(provider.log().contains(", from 192.0.2.9"));
    // A mistake opens nothing, and is told.
    provider.set_variable("allowed_addresses", "192.0.2.0-192.0.2.255");
    provider.restart();
    assert_eq!(post(&provider), 500);
    let (status, health) = get(&provider, "health/ready", &[]);
    assert_eq!(status, 503);
    assert!(
        health.contains("variable allowed_addresses: entry 1 must be an address"),
        "{health}"
    );
}
