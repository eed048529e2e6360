use std::io::{Read, Write};

use crate::harness::*;

#[test]
fn wrong_methods_are_405_and_say_which_are_right() {
    let provider = Provider::start();
    for (method, path) in [
        ("PUT", ""),
        ("DELETE", "ServiceProvider.svc"),
        ("GET", ""),
        ("POST", "health"),
        ("POST", "api/payments"),
        ("POST", "api/orders/TAX/1"),
    ] {
        let authorization = format!("Bearer {TOKEN}");
        let response = provider.http(method, path, &[("Authorization", &authorization)], b"");
        assert_eq!(response.status(), 405, "{method} /{path}");
        let allow = response.headers()["allow"].to_str().unwrap();
        let is_method = |word: &str| word.bytes().all(|letter| letter.is_ascii_uppercase());
        assert!(
            allow.split(", ").all(is_method),
            "{method} /{path}: {allow}"
        );
    }
}

#[test]
fn wrong_media_types_are_415() {
    let provider = Provider::start();
    for media_type in [
        "application/soap+xml; charset=utf-8",
        "application/json",
        "text/xml; charset=utf-16",
        "text/xmlish",
        "",
    ] {
        let response = provider.http("POST", "", &[("Content-Type", media_type)], b"<a/>");
        assert_eq!(response.status(), 415, "{media_type}");
    }
    for media_type in ["text/xml", "Text/XML; Charset=\"UTF-8\"; action=\"x\""] {
        let response = provider.http("POST", "", &[("Content-Type", media_type)], b"<a/>");
        assert_eq!(response.status(), 500, "{media_type}");
    }
}

#[test]
fn unknown_addresses_are_404() {
    let provider = Provider::start();
    for path in [
        "other",
        "ServiceProvider.svc/x",
        "api",
        "api/",
        "api/nothing",
    ] {
        let authorization = format!("Bearer {TOKEN}");
        let response = provider.http("GET", path, &[("Authorization", &authorization)], b"");
        assert_eq!(response.status(), 404, "/{path}");
    }
}

#[test]
fn both_addresses_of_the_service_answer() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let message = provider
        .mpay()
        .sign(&mpay_client::encode_query(SERVICE, "1", "ro"))
        .unwrap();
    for path in ["", "ServiceProvider.svc", "ServiceProvider.svc?x=1"] {
        let headers = [("Content-Type", "text/xml; charset=utf-8")];
        let mut response = provider.http("POST", path, &headers, message.as_bytes());
        assert_eq!(response.status(), 200, "/{path}");
        assert_eq!(
            response.headers()["content-type"],
            "text/xml; charset=utf-8"
        );
        assert!(
            response
                .body_mut()
                .read_to_string()
                .unwrap()
                .contains("OrderDetails")
        );
    }
}

#[test]
fn what_is_no_soap_message_gets_a_signed_fault_that_says_why() {
    let provider = Provider::start();
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    for (message, code, reason) in [
        ("<a", "soap:Client", "XML"),
        ("", "soap:Client", "XML"),
        ("hello", "soap:Client", "XML"),
        ("<a/>", "soap:Client", "not a SOAP envelope"),
        ("<!DOCTYPE a><a/>", "soap:Client", "XML"),
        ("<a>&b;</a>", "soap:Client", "XML"),
        (
            "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'><e:Body/></e:Envelope>",
            "soap:VersionMismatch",
            "not of SOAP 1.1",
        ),
        (
            &format!("<e:Envelope xmlns:e='{soap}'/>"),
            "soap:Client",
            "no Body",
        ),
        (
            &format!("<e:Envelope xmlns:e='{soap}'><e:Body/><e:Body/></e:Envelope>"),
            "soap:Client",
            "more than one Body",
        ),
        (
            &format!("<e:Envelope xmlns:e='{soap}'><e:Body/></e:Envelope>"),
            "AuthenticationFailed",
            "",
        ),
    ] {
        let exchange = provider.post(message);
        assert_eq!(exchange.status, 500, "{message}");
        let fault = provider.fault(&exchange);
        assert_eq!(fault.code, code, "{message}");
        assert!(fault.reason.contains(reason), "{message}: {}", fault.reason);
    }
    let fault = provider.fault(&provider.post(b"<a>\xff</a>"));
    assert_eq!(
        (fault.code.as_str(), fault.reason.as_str()),
        (
            "soap:Client",
            "The message is not UTF-8. / Mesajul nu este un mesaj SOAP acceptat."
        )
    );
}

#[test]
fn mpay_codes_stand_unqualified_and_outside_any_default_namespace() {
    let provider = Provider::start();
    let exchange = provider
        .mpay()
        .send(
            "GetOrderDetails",
            &mpay_client::encode_query(SERVICE, "none", "ro"),
        )
        .unwrap();
    let body = String::from_utf8(exchange.body).unwrap();
    let fault = &body[body.find("<soap:Fault>").unwrap()..];
    assert!(
        fault.starts_with("<soap:Fault><faultcode>UnknownOrder</faultcode><faultstring"),
        "{fault}"
    );
    assert!(!body.contains("xmlns=\""), "{body}");
}

#[test]
fn a_megabyte_is_read_and_more_is_413_without_waiting_for_it() {
    let provider = Provider::start();
    let limit = mpay_door::http::MAX_BODY;
    let headers = [("Content-Type", "text/xml")];
    let fits = provider.http("POST", "", &headers, &vec![b' '; limit]);
    assert_eq!(fits.status(), 500);
    let over = provider.http("POST", "", &headers, &vec![b' '; limit + 1]);
    assert_eq!(over.status(), 413);

    // Chunked, so that no length is announced, and without an end.
    let address = provider
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    write!(stream, "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = vec![b' '; 65_536];
    for _ in 0..20 {
        // The host may have closed the connection already, which is as good.
        if write!(stream, "{:x}\r\n", chunk.len()).is_err()
            || stream.write_all(&chunk).is_err()
            || stream.write_all(b"\r\n").is_err()
        {
            break;
        }
    }
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// The immediate answer to these bytes, while the connection stays open.
fn answer_at_once(provider: &Provider, request: &str) -> String {
    let address = provider.url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address.trim_end_matches('/')).unwrap();
    let second = std::time::Duration::from_secs(1);
    stream.set_read_timeout(Some(second)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[test]
fn a_body_that_is_announced_too_long_is_refused_before_it_comes() {
    let provider = Provider::start();
    for length in ["1000001", "99999999999999", "99999999999999999999"] {
        for path in ["/", "/api/orders/bulk"] {
            for expect in ["", "Expect: 100-continue\r\n"] {
                let answer = answer_at_once(
                    &provider,
                    &format!(
                        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\n{expect}Content-Length: {length}\r\n\r\n"
                    ),
                );
                // What is beyond 64 bits is no length for HTTP's reader.
                let status = if length.parse::<u64>().is_ok() {
                    413
                } else {
                    400
                };
                let start = format!("HTTP/1.1 {status}");
                assert!(
                    answer.starts_with(&start),
                    "{length} {path} {expect}: {answer}"
                );
            }
        }
    }
}

#[test]
fn a_load_balancers_check_by_http_1_0_is_answered() {
    let provider = Provider::start();
    for request in [
        "GET /health/live HTTP/1.0\r\n\r\n",
        "HEAD /health/live HTTP/1.0\r\n\r\n",
        "GET /health/office HTTP/1.0\r\n\r\n",
    ] {
        let answer = answer_at_once(&provider, request);
        assert!(answer.starts_with("HTTP/1.0 200"), "{request}: {answer}");
    }
    let answer = answer_at_once(&provider, "GET /health/live HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn large_legal_messages_work() {
    let provider = Provider::start();
    let lines: Vec<_> = (0..500)
        .map(|n| serde_json::json!({"line_id": format!("line-{n}"), "reason": "Taxă", "amount_due": "1.25"}))
        .collect();
    provider.register("1", serde_json::json!({"reason": "Multe", "lines": lines}));
    assert_eq!(provider.details("1").lines.len(), 500);
    let mut confirmation = confirmation("1", "P", "625.00");
    confirmation.lines = (0..500)
        .map(|n| (format!("line-{n}"), "1.25".to_owned()))
        .collect();
    assert!(confirmation.encode().as_str().len() > 48_000);
    assert_eq!(code(provider.mpay().confirm(&confirmation).unwrap()), "ok");
    assert_eq!(provider.details("1").get("Status"), Some("Paid"));
}

#[test]
fn the_wsdl_names_the_address_it_is_served_at() {
    let provider = Provider::start();
    let wsdl = |provider: &Provider, path: &str, headers: &[(&str, &str)]| {
        let mut response = provider.http("GET", path, headers, b"");
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    };
    let address = format!("location=\"{}/\"", provider.url.trim_end_matches('/'));
    for path in ["?wsdl", "?WSDL", "?singleWsdl"] {
        let (status, text) = wsdl(&provider, path, &[]);
        assert_eq!(status, 200);
        assert!(text.contains(&address), "{address}: {text}");
    }
    let (_, text) = wsdl(
        &provider,
        "ServiceProvider.svc?wsdl",
        &[("Host", "pay.example.md:8443")],
    );
    assert!(
        text.contains("location=\"http://pay.example.md:8443/ServiceProvider.svc\""),
        "{text}"
    );
    for host in ["\"><evil/>", "a b", "u@example.md"] {
        let (status, text) = wsdl(&provider, "?wsdl", &[("Host", host)]);
        assert!(
            status == 400 && !text.contains("wsdl:definitions"),
            "{host}: {status}"
        );
    }
    let provider = Provider::start_with(&[("public_url", "https://pay.example.md/?a=1&b=2")], None);
    let (_, text) = wsdl(&provider, "?wsdl", &[("Host", "other.example")]);
    assert!(
        text.contains("location=\"https://pay.example.md/?a=1&amp;b=2\""),
        "{text}"
    );
}
