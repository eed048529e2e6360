//! Each fault of a running provider, found by its name.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::Value;
use wsse::{Algorithms, Signer, Writer};

use crate::{
    provider::{Provider, read},
    support::*,
};

struct Request {
    method: String,
    path: String,
    host: String,
    body: Vec<u8>,
}

struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Response {
        Response {
            status,
            headers: vec![("Content-Type".into(), media_type.into())],
            body: body.into(),
        }
    }

    fn healthy() -> Response {
        Response::new(
            200,
            "application/json",
            r#"{"status":"ok","version":"0.1.0","environment":"test"}"#,
        )
    }
}

/// A server that answers every request with what a function says, for as long as the test runs.
fn serve(answer: impl Fn(Request) -> Response + Send + Sync + 'static) -> String {
    serve_by(None, answer)
}

fn serve_by(
    tls: Option<Arc<rustls::ServerConfig>>,
    answer: impl Fn(Request) -> Response + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    let scheme = if tls.is_some() { "https" } else { "http" };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (tls, answer) = (tls.clone(), Arc::clone(&answer));
            std::thread::spawn(move || match tls {
                None => converse(stream, &*answer),
                Some(config) => {
                    let connection = rustls::ServerConnection::new(config).unwrap();
                    converse(rustls::StreamOwned::new(connection, stream), &*answer);
                }
            });
        }
    });
    format!("{scheme}://127.0.0.1:{port}/")
}

fn converse(stream: impl Read + Write, answer: &dyn Fn(Request) -> Response) {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    if stream.read_line(&mut first).is_err() || first.is_empty() {
        return;
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let (mut length, mut host) = (0, String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "host" => host = value.trim().to_owned(),
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let response = answer(Request {
        method,
        path,
        host,
        body,
    });
    let mut head = format!(
        "HTTP/1.1 {} x\r\nContent-Length: {}\r\nConnection: close\r\n",
        response.status,
        response.body.len()
    );
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let stream = stream.get_mut();
    let _ = stream.write_all((head + "\r\n").as_bytes());
    let _ = stream.write_all(&response.body);
    let _ = stream.flush();
}

/// Passes a request on to a provider.
fn forward(provider: &str, request: &Request) -> Response {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let url = format!("{}{}", provider.trim_end_matches('/'), request.path);
    let mut reply = match request.method.as_str() {
        "GET" => agent.get(url).header("Host", &request.host).call().unwrap(),
        _ => agent
            .post(url)
            .header("Content-Type", "text/xml; charset=utf-8")
            .send(&request.body)
            .unwrap(),
    };
    let media_type = reply.headers()["content-type"].to_str().unwrap().to_owned();
    let status = reply.status().as_u16();
    Response::new(status, &media_type, reply.body_mut().read_to_vec().unwrap())
}

fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(bytes.to_vec())
        .unwrap()
        .replace(from, to)
        .into_bytes()
}

/// The doctor, as whoever has MPay's key of the tests asks him.
fn doctor(url: &str, more: &[&str]) -> Outcome {
    let file = |name: &str| data(name).to_str().unwrap().to_owned();
    let (key, certificate, own) = (file("mpay.key.pem"), file("mpay.pem"), file("service.pem"));
    let mut arguments = vec![
        "doctor",
        url,
        "--key",
        &key,
        "--certificate",
        &certificate,
        "--service",
        "TAX",
    ];
    if !more.contains(&"--provider-certificate") {
        arguments.extend(["--provider-certificate", &own]);
    }
    arguments.extend(more);
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &arguments)
}

/// Checks that this, and nothing else, is found to be wrong or a warning.
#[track_caller]
fn finds(url: &str, mark: &str, id: &str, words: &[&str]) {
    finds_with(url, &[], mark, id, words);
}

#[track_caller]
fn finds_with(url: &str, more: &[&str], mark: &str, id: &str, words: &[&str]) {
    let code = i32::from(mark == "wrong");
    let outcome = doctor(url, &[more, &["--json"]].concat()).expect(code, words);
    let json = outcome.json();
    let findings = json[0]["findings"].as_array().unwrap().iter();
    let worse = |finding: &&Value| matches!(finding["mark"].as_str(), Some("wrong" | "warning"));
    let found: Vec<_> = findings.filter(worse).collect();
    let ids: Vec<_> = found
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [id], "{outcome:#?}");
    assert_eq!(found[0]["mark"], mark);
}

#[test]
fn a_healthy_provider_is_healthy() {
    let provider = Provider::start();
    let outcome = doctor(&provider.url, &[]).expect(
        0,
        &[
            "the two clocks agree",
            "for environment test",
            "the WSDL names this address",
            "signed fault AuthenticationFailed",
            "a signed call gets through",
            "SHA-256 gets through too",
            "Nothing is wrong.",
        ],
    );
    assert!(!outcome.stdout.contains("warning"), "{outcome:#?}");
    // Without keys it looks at what it can, and records nothing in any case.
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["doctor", &provider.url]).expect(
        0,
        &[
            "no signed call was made",
            "give --provider-certificate to compare",
        ],
    );
}

#[test]
fn nobody_at_the_address_is_found() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    finds(
        &format!("http://{free}/"),
        "wrong",
        "unreachable",
        &["Is the provider running"],
    );
    finds(
        "http://no-such-host.invalid/",
        "wrong",
        "unreachable",
        &["no-such-host.invalid"],
    );
    // One that takes the call and never answers, as behind a filter that drops.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    finds_with(
        &url,
        &["--timeout", "1"],
        "wrong",
        "unreachable",
        &["address filter or a firewall", "outgoing address"],
    );
    drop(silent);
    doctor("ftp://exemplu.md/", &[]).expect(2, &["neither http"]);
}

#[test]
fn an_address_filter_is_found() {
    let refused = || Response::new(403, "text/html", "<h1>Forbidden</h1>");
    let all = serve(move |_| refused());
    finds(
        &all,
        "wrong",
        "address-filter",
        &["HTTP 403", "outgoing address"],
    );
    // A firewall that lets pages through and SOAP not.
    let provider = Provider::start();
    let url = provider.url.clone();
    let posts = serve(move |request| match request.method.as_str() {
        "GET" => forward(&url, &request),
        _ => refused(),
    });
    let outcome = doctor(&posts, &[]).expect(1, &["SOAP calls are refused before the provider"]);
    assert!(outcome.stdout.contains("POST of text/xml"));
}

#[test]
fn a_proxy_without_its_provider_is_found() {
    let url = serve(|_| Response::new(502, "text/html", "Bad Gateway"));
    finds(
        &url,
        "wrong",
        "unreachable",
        &["HTTP 502", "does not reach the provider"],
    );
}

/// A provider whose clock is ahead: it believes messages of its own time.
fn ahead(seconds: i64) -> String {
    let offset = SignedDuration::from_secs(seconds);
    let signer = Signer::from_pem(&read("service.key.pem"), &read("service.pem")).unwrap();
    serve(move |request| {
        let now = Timestamp::now() + offset;
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let mut response = if request.path == "/health" {
            Response::healthy()
        } else if request.method == "GET" {
            Response::new(200, "text/xml", WSDL)
        } else {
            let created = text
                .split("Created>")
                .nth(1)
                .and_then(|rest| rest.split('<').next());
            let created = created.and_then(|created| created.parse::<Timestamp>().ok());
            let believed = created
                .is_some_and(|at| at.duration_since(now).abs() < SignedDuration::from_secs(120));
            let code = if believed {
                "UnknownOrder"
            } else {
                "AuthenticationFailed"
            };
            let hash = if text.contains("sha256") {
                Algorithms::SHA256
            } else {
                Algorithms::SHA1
            };
            let body = signer
                .sign(&fault(code), hash, now, Duration::from_secs(300))
                .unwrap();
            Response::new(500, "text/xml", body)
        };
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&now)
            .unwrap();
        response.headers.push(("Date".into(), date));
        response
    })
}

const WSDL: &str = "<definitions xmlns='http://schemas.xmlsoap.org/wsdl/'/>";

fn fault(code: &str) -> wsse::Content {
    let mut xml = Writer::new();
    xml.start("soap:Fault");
    xml.element("faultcode", code);
    xml.element("faultstring", "x");
    xml.finish()
}

#[test]
fn a_clock_that_is_wrong_is_found() {
    let outcome = doctor(&ahead(3600), &[]).expect(
        1,
        &["ahead of this machine's", "its clock is the reason", "NTP"],
    );
    assert!(
        outcome.stdout.contains("clock is 36") || outcome.stdout.contains("clock is 3599"),
        "{outcome:#?}"
    );
    doctor(&ahead(-3600), &[]).expect(1, &["behind this machine's", "its clock is the reason"]);
    let drifting = doctor(&ahead(60), &[]).expect(1, &["warning", "ahead of"]);
    assert!(!drifting.stdout.contains("its clock is the reason"));
}

#[test]
fn a_proxy_that_changes_answers_is_found() {
    let provider = Provider::start();
    let url = provider.url.clone();
    let proxy = serve(move |request| {
        let mut response = forward(&url, &request);
        if request.method == "POST" {
            response.body = replace(&response.body, "</faultstring>", " </faultstring>");
        }
        response
    });
    doctor(&proxy, &[]).expect(
        1,
        &["the answer was changed on its way", "every byte must pass"],
    );
}

#[test]
fn a_proxy_that_rewrites_calls_is_found() {
    let provider = Provider::start();
    // Every call.
    let url = provider.url.clone();
    let all = serve(move |mut request| {
        request.body = replace(&request.body, "<query>", "\n<query>");
        forward(&url, &request)
    });
    let outcome = doctor(&all, &[]).expect(
        1,
        &[
            "a signed call is not believed",
            "not authenticated: sha256=",
        ],
    );
    assert!(
        outcome
            .stdout
            .contains("something changed the message on its way")
    );
    // Only what a rewriter of XML cannot leave alone.
    let url = provider.url.clone();
    let some = serve(move |mut request| {
        request.body = replace(&request.body, "&#xD;\n\t", "");
        forward(&url, &request)
    });
    let outcome = doctor(&some, &[]).expect(1, &["a signed call gets through", "arrives changed"]);
    assert!(outcome.stdout.contains("sha256="), "{outcome:#?}");
}

#[test]
fn with_the_folder_at_hand_it_is_sure_who_changed_the_call() {
    let provider = Provider::start();
    let url = provider.url.clone();
    let proxy = serve(move |mut request| {
        request.body = replace(&request.body, "<query>", "\n<query>");
        forward(&url, &request)
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        workspace().join("spin.toml"),
        folder.path().join("spin.toml"),
    )
    .unwrap();
    let (key, certificate) = (data("mpay.key.pem"), data("mpay.pem"));
    let mut command = mpay(folder.path());
    command
        .args(["doctor", ".", &proxy, "--key"])
        .arg(key)
        .arg("--certificate")
        .arg(certificate);
    for (name, value) in [
        ("environment", "test".to_owned()),
        ("service_ids", "TAX".to_owned()),
        ("service_key", read("service.key.pem")),
        ("service_certificate", read("service.pem")),
        ("mpay_certificates", read("mpay.pem")),
    ] {
        command.arg("--variable").arg(format!("{name}={value}"));
    }
    Outcome::of(command.output().unwrap()).expect(1, &["what arrives is not what was sent"]);
}

#[test]
fn a_wsdl_that_does_not_come_is_found() {
    let provider = Provider::start();
    let url = provider.url.clone();
    let proxy = serve(move |request| match request.path.contains("wsdl") {
        true => Response::new(404, "text/html", "not here"),
        false => forward(&url, &request),
    });
    finds(
        &proxy,
        "wrong",
        "wsdl",
        &["no WSDL at ?wsdl (HTTP 404", "let GET through"],
    );
}

#[test]
fn a_wsdl_that_names_another_address_is_found() {
    let provider = Provider::with(&[("public_url", "https://inner.exemplu.md/")]);
    finds(
        &provider.url,
        "warning",
        "wsdl",
        &["https://inner.exemplu.md/", "public_url"],
    );
}

#[test]
fn a_provider_without_sha1_is_found() {
    let provider = Provider::with(&[("accept_sha1", "false")]);
    finds(
        &provider.url,
        "wrong",
        "sha1",
        &["one with SHA-256 is", "accept_sha1"],
    );
}

#[test]
fn a_provider_that_knows_only_sha1_is_found() {
    let signer = Signer::from_pem(&read("service.key.pem"), &read("service.pem")).unwrap();
    let url = serve(move |request| {
        let text = String::from_utf8_lossy(&request.body).into_owned();
        if request.path == "/health" {
            return Response::healthy();
        }
        if request.method == "GET" {
            let address = "<service><port><a:address xmlns:a='http://schemas.xmlsoap.org/wsdl/soap/' location='LOCATION'/></port></service>";
            return Response::new(
                200,
                "text/xml",
                WSDL.replace("/>", &format!(">{address}</definitions>")),
            );
        }
        let code = if text.contains("rsa-sha1") {
            "UnknownOrder"
        } else {
            "AuthenticationFailed"
        };
        let body = signer.sign(
            &fault(code),
            Algorithms::SHA1,
            Timestamp::now(),
            Duration::from_secs(300),
        );
        Response::new(500, "text/xml", body.unwrap())
    });
    let outcome = doctor(&url, &[]).expect(
        0,
        &["a call with SHA-256 is not believed, one with SHA-1 is"],
    );
    assert!(
        outcome.stdout.contains("LOCATION"),
        "the WSDL's address is named: {outcome:#?}"
    );
}

#[test]
fn a_signer_that_is_not_believed_is_found() {
    let provider = Provider::with(&[("mpay_certificates", &read("renewed.pem"))]);
    finds(
        &provider.url,
        "wrong",
        "not-believed",
        &["in the provider's mpay_certificates"],
    );
}

#[test]
fn a_service_that_is_not_served_is_found() {
    let provider = Provider::with(&[("service_ids", "SCHOOL")]);
    finds(
        &provider.url,
        "warning",
        "signed-call",
        &["TAX", "is not served", "--service"],
    );
}

#[test]
fn a_limit_on_bodies_is_found() {
    let provider = Provider::start();
    let url = provider.url.clone();
    let proxy = serve(move |request| match request.body.len() > 32 << 10 {
        true => Response::new(413, "text/html", "too large"),
        false => forward(&url, &request),
    });
    finds(
        &proxy,
        "wrong",
        "large-message",
        &["HTTP 413", "client_max_body_size"],
    );
}

#[test]
fn a_provider_that_answers_strangers_is_found() {
    let url = serve(|request| match request.path.as_str() {
        "/health" => Response::healthy(),
        _ => Response::new(
            200,
            "text/xml",
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><GetOrderDetailsResponse xmlns='https://mpay.gov.md'/></s:Body></s:Envelope>",
        ),
    });
    doctor(&url, &[]).expect(
        1,
        &[
            "anybody could play MPay",
            "answer to a signed call is not signed",
        ],
    );
}

#[test]
fn faults_that_are_not_signed_are_found() {
    let url = serve(|request| match request.path.as_str() {
        "/health" => Response::healthy(),
        _ => Response::new(
            500,
            "text/xml",
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><s:Fault><faultcode>AuthenticationFailed</faultcode></s:Fault></s:Body></s:Envelope>",
        ),
    });
    doctor(&url, &[]).expect(
        1,
        &["the fault for a call without a signature is not signed"],
    );
}

#[test]
fn a_misconfigured_provider_is_found() {
    let provider = Provider::with(&[("service_ids", "")]);
    doctor(&provider.url, &[]).expect(1, &["variable service_ids: is not set", "mpay doctor DIR"]);
}

#[test]
fn another_certificate_than_the_given_one_is_found() {
    let provider = Provider::start();
    let other = data("stranger.pem");
    let outcome = doctor(
        &provider.url,
        &["--provider-certificate", other.to_str().unwrap()],
    );
    outcome.expect(
        1,
        &["signs with another certificate", "Example Institution"],
    );
}

/// A certificate of the third version, which TLS asks for, of a key of the tests.
fn certificate(key: &str, until: i32) -> String {
    let pair = KeyPair::from_pkcs8_pem_and_sign_algo(&read(key), &PKCS_RSA_SHA256).unwrap();
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "exemplu");
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    parameters.self_signed(&pair).unwrap().pem()
}

fn tls_of(key: &str, certificate: &str) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(read(key).as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

#[test]
fn tls_that_mpay_would_not_accept_is_found() {
    let provider = Provider::start();
    for (until, words) in [
        (
            2120,
            &[
                "the TLS certificate is not accepted",
                "a signed call gets through",
            ][..],
        ),
        (2021, &["TLS: the certificate of", "expired at 2021"]),
    ] {
        let url = provider.url.clone();
        let tls = tls_of("stranger.key.pem", &certificate("stranger.key.pem", until));
        let proxy = serve_by(Some(tls), move |request| forward(&url, &request));
        doctor(&proxy, &[]).expect(1, words);
    }
}

#[test]
fn tls_of_an_authority_of_ones_own_and_a_client_certificate_are_taken() {
    let provider = Provider::start();
    let certified = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (server, client) = (certified(), certified());
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(client.cert.der().clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        Arc::clone(&crypto),
    );
    let key = PrivateKeyDer::try_from(server.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![server.cert.der().clone()], key)
        .unwrap();
    let url = provider.url.clone();
    let proxy = serve_by(Some(Arc::new(config)), move |request| {
        forward(&url, &request)
    });

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let authority = file("authority.cer", server.cert.der());
    let shown = file("client.pem", client.cert.pem().as_bytes());
    let key = file(
        "client.key.pem",
        client.signing_key.serialize_pem().as_bytes(),
    );
    let client = ["--tls-certificate", &shown, "--tls-key", &key];
    let all = [&["--tls-authority", &authority][..], &client].concat();
    doctor(&proxy, &all).expect(0, &["a signed call gets through"]);
    // Each is needed.
    doctor(&proxy, &client).expect(1, &["not accepted", "--tls-authority"]);
    let without = doctor(&proxy, &["--tls-authority", &authority]);
    assert_eq!(without.code, 1, "{without:#?}");
    doctor(&proxy, &["--tls-key", &key]).expect(2, &["--tls-certificate"]);
}

#[test]
fn the_system_certificate_used_for_tls_is_found() {
    let own = certificate("service.key.pem", 2120);
    let provider = Provider::with(&[("service_certificate", &own)]);
    let url = provider.url.clone();
    let tls = tls_of("service.key.pem", &own);
    let proxy = serve_by(Some(tls), move |request| forward(&url, &request));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    std::fs::write(&file, own).unwrap();
    doctor(&proxy, &["--provider-certificate", file.to_str().unwrap()])
        .expect(1, &["one certificate serves for TLS and for signing"]);
}

#[test]
fn hostile_answers_cannot_act_on_the_terminal() {
    let hostile = "x\u{1b}[2J\u{9b}31m\u{202e}";
    let url = serve(move |_| {
        let health = serde_json::json!({"status": hostile, "version": hostile, "environment": hostile, "warnings": [hostile]});
        let mut response = Response::new(200, "application/json", health.to_string());
        response
            .headers
            .push(("Server".into(), "a\u{9b}31m".into()));
        response
    });
    for json in [&[][..], &["--json"]] {
        let outcome = doctor(&url, json).expect(1, &[]);
        let shown = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(
            !shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']),
            "{shown:?}"
        );
    }
}

#[test]
fn a_provider_that_is_stopped_is_found() {
    let provider = Provider::with(&[("paused", "true")]);
    let words = [
        "the provider is stopped",
        "Set the variable paused to false",
        "no signed call was made",
    ];
    finds(&provider.url, "wrong", "paused", &words);
}

#[test]
fn a_call_without_a_signature_that_is_refused_for_another_reason_is_not_well() {
    let stub = |code: &'static str| {
        let signer = Signer::from_pem(&read("service.key.pem"), &read("service.pem")).unwrap();
        serve(move |request| match request.method.as_str() {
            "GET" if request.path == "/health" => Response::healthy(),
            "GET" => Response::new(200, "text/xml", WSDL),
            _ => {
                let lifetime = Duration::from_secs(300);
                let now = Timestamp::now();
                let body = signer.sign(&fault(code), Algorithms::SHA1, now, lifetime);
                Response::new(500, "text/xml", body.unwrap())
            }
        })
    };
    for (code, mark) in [("InternalError", "wrong"), ("UnknownOrder", "warning")] {
        let outcome = doctor(&stub(code), &["--json"]);
        let json = outcome.json();
        let findings = json[0]["findings"].as_array().unwrap();
        let unsigned = findings
            .iter()
            .find(|finding| finding["id"] == "unsigned-call");
        assert_eq!(unsigned.unwrap()["mark"], mark, "{outcome:#?}");
    }
}

#[test]
fn a_proxy_of_the_environment_does_not_come_between_this_machine_and_itself() {
    let provider = Provider::start();
    let folder = tempfile::tempdir().unwrap();
    for variable in ["ALL_PROXY", "https_proxy", "HTTP_PROXY"] {
        let asked = mpay(folder.path())
            .args(["doctor", &provider.url])
            // Nobody listens there.
            .env(variable, "http://127.0.0.1:1")
            .output();
        Outcome::of(asked.unwrap()).expect(0, &["is up, for environment test"]);
    }
}

#[test]
fn a_connection_that_breaks_off_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        listener
            .incoming()
            .for_each(|stream: std::io::Result<TcpStream>| drop(stream))
    });
    finds(&url, "wrong", "unreachable", &["does not answer"]);
}
