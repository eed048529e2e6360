use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use mpay_client::encode_query;
use wsse::{Algorithms, Signer};

use crate::harness::*;

fn message(provider: &Provider) -> String {
    provider
        .mpay()
        .sign(&confirmation("1", "P", "10").encode())
        .unwrap()
}

/// A message of MPay's, signed at this time.
fn signed_at(created: Timestamp, lifetime: Duration) -> String {
    let signer = Signer::from_pem(MPAY_KEY, MPAY).unwrap();
    let content = encode_query(SERVICE, "1", "ro");
    signer
        .sign(&content, Algorithms::SHA256, created, lifetime)
        .unwrap()
}

/// Every mistake in a message's security gets one constant answer, and nothing of the message is stored.
fn refused(provider: &Provider, what: &str, message: &str) {
    let exchange = provider.post(message);
    assert_eq!(exchange.status, 500, "{what}");
    let fault = provider.fault(&exchange);
    assert_eq!(fault.code, "AuthenticationFailed", "{what}");
    assert_eq!(
        fault.reason,
        "The message could not be authenticated. / Mesajul nu a putut fi autentificat.",
        "{what}"
    );
}

#[test]
fn nobody_but_mpay_is_believed() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let right = message(&provider);

    let unsigned = {
        let start = right.find("<soap:Header>").unwrap();
        let end = right.find("</soap:Header>").unwrap() + "</soap:Header>".len();
        format!("{}{}", &right[..start], &right[end..])
    };
    refused(&provider, "unsigned", &unsigned);
    refused(&provider, "another amount", &right.replace(">10<", ">11<"));
    refused(
        &provider,
        "another order",
        &right.replace("<OrderKey>1</OrderKey>", "<OrderKey>2</OrderKey>"),
    );
    refused(
        &provider,
        "another time",
        &right.replace("<wsu:Created>2026", "<wsu:Created>2025"),
    );
    let stranger = provider.client(STRANGER_KEY, STRANGER);
    refused(
        &provider,
        "another key under MPay's name",
        &stranger
            .sign(&confirmation("1", "P", "10").encode())
            .unwrap(),
    );
    let itself = provider.client(SERVICE_KEY, SERVICE_CERTIFICATE);
    refused(
        &provider,
        "its own key",
        &itself.sign(&confirmation("1", "P", "10").encode()).unwrap(),
    );
    let with_mpays_token = {
        // The stranger's signature under MPay's certificate.
        let token = |message: &str| {
            let start = message.find("<wsse:BinarySecurityToken").unwrap();
            let end = message.find("</wsse:BinarySecurityToken>").unwrap();
            message[start..end].to_owned()
        };
        let strange = stranger
            .sign(&confirmation("1", "P", "10").encode())
            .unwrap();
        strange.replace(&token(&strange), &token(&right))
    };
    refused(
        &provider,
        "MPay's certificate with another key",
        &with_mpays_token,
    );
    // The signed Body goes elsewhere, another takes its place.
    let start = right.find("<soap:Body").unwrap();
    let end = right.find("</soap:Body>").unwrap() + "</soap:Body>".len();
    let body = &right[start..end];
    let evil = right.replace(
        body,
        &body.replace(" wsu:Id=\"Body\"", "").replace(">10<", ">1<"),
    );
    for (place, moved) in [
        ("into a header", body.to_owned()),
        ("into a wrapper in a header", format!("<x>{body}</x>")),
    ] {
        let wrapped = evil.replace("</soap:Header>", &format!("{moved}</soap:Header>"));
        refused(&provider, place, &wrapped);
    }

    assert_eq!(provider.ledger().len(), 0);
    assert!(provider.keys("evidence/").is_empty() && provider.refusals().is_empty());
    assert!(provider.log().contains("not authenticated: sha256="));
    assert_eq!(provider.post(right).status, 200);
}

#[test]
fn messages_are_believed_for_their_time_only() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let now = Timestamp::now();
    let minute = Duration::from_secs(60);
    refused(
        &provider,
        "expired",
        &signed_at(now - 10.minutes(), 5 * minute),
    );
    refused(
        &provider,
        "too old, whatever it says",
        &signed_at(now - 31.minutes(), 60 * minute),
    );
    refused(
        &provider,
        "from the future",
        &signed_at(now + 3.minutes(), 5 * minute),
    );
    for created in [now + 90.seconds(), now - 6.minutes(), now] {
        assert_eq!(
            provider.post(signed_at(created, 5 * minute)).status,
            200,
            "{created}"
        );
    }
    let strict = Provider::start_with(&[("clock_skew", "0"), ("max_message_age", "60")], None);
    refused(
        &strict,
        "from the future",
        &signed_at(Timestamp::now() + 50.seconds(), 5 * minute),
    );
    refused(
        &strict,
        "too old",
        &signed_at(now - 2.minutes(), 15 * minute),
    );
}

#[test]
fn sha1_is_refused_where_the_institution_says_so() {
    let provider = Provider::start_with(&[("accept_sha1", "false")], None);
    provider.register("1", order("10"));
    refused(&provider, "SHA-1", &message(&provider));
    let sha256 = provider.mpay().with_algorithms(Algorithms::SHA256);
    assert_eq!(
        provider
            .post(sha256.sign(&encode_query(SERVICE, "1", "ro")).unwrap())
            .status,
        200
    );
}

#[test]
fn a_certificate_can_be_exchanged_without_a_gap() {
    let bundle = format!("{STRANGER}\n{MPAY}");
    let provider = Provider::start_with(&[("mpay_certificates", &bundle)], None);
    provider.register("1", order("10"));
    for (key, certificate) in [(MPAY_KEY, MPAY), (STRANGER_KEY, STRANGER)] {
        let message = provider
            .client(key, certificate)
            .sign(&encode_query(SERVICE, "1", "ro"))
            .unwrap();
        assert_eq!(provider.post(message).status, 200);
    }
}

#[test]
fn a_signer_may_be_certified_by_an_authority_and_must_have_the_name() {
    let chain = |name: &str| {
        let file = workspace().join("crates/wsse/tests/data/chain").join(name);
        std::fs::read_to_string(file).unwrap()
    };
    let provider = Provider::start_with(
        &[
            ("mpay_certificates", ""),
            (
                "mpay_authorities",
                &format!("{}{}", chain("root.pem"), chain("issuing.pem")),
            ),
            ("mpay_signer_names", "1003600000001"),
        ],
        None,
    );
    provider.register("1", order("10"));
    let sign = |key: &str, certificate: &str| {
        let client = provider.client(key, certificate);
        client.sign(&encode_query(SERVICE, "1", "ro")).unwrap()
    };
    assert_eq!(
        provider.post(sign(MPAY_KEY, &chain("mpay.pem"))).status,
        200
    );
    refused(
        &provider,
        "somebody else of the same authority",
        &sign(STRANGER_KEY, &chain("neighbour.pem")),
    );
    // The log tells which certificate it was, and not whose.
    let log = provider.log();
    assert!(
        log.contains("the signer is not among the required names"),
        "{log}"
    );
    for name in ["1003600000002", "Example School"] {
        assert!(!log.contains(name), "{log}");
    }
    refused(
        &provider,
        "the same name without the authority",
        &sign(MPAY_KEY, MPAY),
    );
}

#[test]
fn a_header_that_must_be_understood_and_is_not_gets_its_fault() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let right = provider
        .mpay()
        .sign(&encode_query(SERVICE, "1", "ro"))
        .unwrap();
    let with = |header: &str| right.replace("</soap:Header>", &format!("{header}</soap:Header>"));
    let fault = |message: &str| {
        let exchange = provider.post(message);
        (exchange.status != 200).then(|| provider.fault(&exchange).code)
    };
    assert_eq!(
        fault(&with("<x:h xmlns:x='urn:x' soap:mustUnderstand='1'/>")).as_deref(),
        Some("soap:MustUnderstand")
    );
    assert_eq!(
        fault(&with("<x:h xmlns:x='urn:x' soap:mustUnderstand='0'/>")),
        None
    );
    assert_eq!(
        fault(&with(
            "<x:h xmlns:x='urn:x' soap:mustUnderstand='1' soap:actor='urn:other'/>"
        )),
        None
    );
    assert_eq!(
        fault(&with(
            "<a:To xmlns:a='http://www.w3.org/2005/08/addressing'>urn:x</a:To>"
        )),
        None
    );
}

#[test]
fn an_action_of_ws_addressing_must_not_contradict_the_body() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let right = provider
        .mpay()
        .sign(&encode_query(SERVICE, "1", "ro"))
        .unwrap();
    let answer = |attribute: &str, namespace: &str, action: &str| {
        let header = format!("<a:Action xmlns:a='{namespace}'{attribute}>{action}</a:Action>");
        let message = right.replace("</soap:Header>", &format!("{header}</soap:Header>"));
        let exchange = provider.post(message);
        (exchange.status != 200).then(|| {
            let fault = provider.fault(&exchange);
            assert!(fault.reason.contains("WS-Addressing"), "{}", fault.reason);
            fault.code
        })
    };
    let refused = Some("soap:Client".to_owned());
    let of = |operation: &str| format!("https://mpay.gov.md/IServiceProvider/{operation}");
    for namespace in [
        "http://schemas.xmlsoap.org/ws/2004/08/addressing",
        "http://www.w3.org/2005/08/addressing",
    ] {
        let answer = |action: &str| answer("", namespace, action);
        assert_eq!(answer(&of("GetOrderDetails")), None, "{namespace}");
        assert_eq!(answer(&format!("\n{} ", of("GetOrderDetails"))), None);
        assert_eq!(answer(""), None);
        assert_eq!(answer(&of("ConfirmOrderPayment")), refused, "{namespace}");
        assert_eq!(answer("urn:other"), refused);
        assert_eq!(answer("<x/>"), refused);
    }
    let other = of("ConfirmOrderPayment");
    assert_eq!(answer("", "urn:other", &other), None);
    assert_eq!(
        answer(
            " soap:actor='urn:other'",
            "http://www.w3.org/2005/08/addressing",
            &other
        ),
        None
    );
}

#[test]
fn a_signed_body_without_a_known_operation_is_a_client_fault() {
    let provider = Provider::start();
    let fault = |name: &str, namespace: &str, twice: bool| {
        let mut xml = wsse::Writer::new();
        for _ in 0..=u8::from(twice) {
            xml.start_in(name, namespace);
            xml.end();
        }
        let message = provider.mpay().sign(&xml.finish()).unwrap();
        provider.fault(&provider.post(message)).code
    };
    assert_eq!(
        fault("GetInvoice", "https://mpay.gov.md", false),
        "soap:Client"
    );
    assert_eq!(fault("GetOrderDetails", "urn:other", false), "soap:Client");
    assert_eq!(
        fault("GetOrderDetails", "https://mpay.gov.md", true),
        "soap:Client"
    );
    assert_eq!(
        fault("GetOrderDetails", "https://mpay.gov.md", false),
        "InvalidParameter"
    );
    assert_eq!(
        fault("ConfirmOrderPayment", "https://mpay.gov.md", false),
        "InvalidParameter"
    );
}
