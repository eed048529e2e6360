//! `mpay conform` put to the test itself: it passes on the built component, and on providers that
//! break one rule each it fails by name. Those are a proxy in front of the component that changes
//! one thing and signs again.

use std::{
    collections::{BTreeMap, HashSet},
    convert::Infallible,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock, Mutex, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mpay::component;
use mpay_client::{Answer, Client, Confirmation, encode_query};
use mpay_conform as conform;
use mpay_conform::{
    AREAS, Identity, Options, OrdersGiven, Outcome, Report, Severity, inspect, piece, swap,
};
use mpay_host::{Log, Options as HostOptions, Server};
use mpay_office::access::{Principal, Role};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};
use wsse::{
    Algorithms, Certificate, Document, Element, Envelope, Policy, Signer, Trust, exclusive_c14n,
};

const TOKEN: &str = "test-token-0123456789-0123456789-0123456789";
const SERVICE: &str = "TAX";
const MPAY_KEY: &str = include_str!("../../wsse/tests/data/mpay.key.pem");
const MPAY: &str = include_str!("../../wsse/tests/data/mpay.pem");
const SERVICE_KEY: &str = include_str!("../../wsse/tests/data/service.key.pem");
const SERVICE_CERTIFICATE: &str = include_str!("../../wsse/tests/data/service.pem");
const STRANGER_KEY: &str = include_str!("../../wsse/tests/data/stranger.key.pem");
const STRANGER: &str = include_str!("../../wsse/tests/data/stranger.pem");
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn mpay() -> Identity {
    Identity::from_pem(MPAY_KEY, MPAY).unwrap()
}

// The component, which is right.

struct Provider {
    runtime: Runtime,
    url: String,
    _server: Server,
    _state: TempDir,
}

impl Provider {
    fn start() -> Self {
        static COMPONENT: OnceLock<PathBuf> = OnceLock::new();
        let component = COMPONENT.get_or_init(|| component::build(workspace(), true).unwrap());
        let state = tempfile::tempdir().unwrap();
        let mut options = HostOptions::new(workspace().join("spin.toml"));
        mpay::refusals::as_component(&mut options);
        options.listen = ([127, 0, 0, 1], 0).into();
        options.state_dir = Some(state.path().to_owned());
        options.components = Some(component.clone());
        options.log = Log::new(std::io::sink());
        let access = Principal::new("tester", Role::Manager)
            .unwrap()
            .entry(TOKEN);
        options.variables = [
            ("environment", "test"),
            ("service_ids", SERVICE),
            ("service_key", SERVICE_KEY),
            ("service_certificate", SERVICE_CERTIFICATE),
            ("mpay_certificates", MPAY),
            ("access", &access),
            ("bank_account", "MD24AG000225100013104168"),
            ("bank_code", "AGRNMD2X"),
            ("bank_fiscal_code", "1000000000007"),
            ("beneficiary_name", "Primăria Exemplu"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::start(options)).unwrap();
        Self {
            url: format!("{}/", server.url().trim_end_matches('/')),
            runtime,
            _server: server,
            _state: state,
        }
    }

    fn options(&self, url: &str) -> Options {
        Options {
            url: url.to_owned(),
            service: SERVICE.to_owned(),
            mpay: mpay(),
            provider: Certificate::from_pem(SERVICE_CERTIFICATE).unwrap(),
            tls: conform::configure_tls(None, None, false).unwrap(),
            orders: OrdersGiven::Api {
                url: format!("{}/api", self.url.trim_end_matches('/')),
                token: TOKEN.to_owned(),
            },
            only: Vec::new(),
            skip: Vec::new(),
        }
    }

    fn test(&self, url: &str) -> Report {
        conform::run(self.options(url), &mut |_, _| {}).unwrap()
    }

    fn client(&self) -> Client {
        let signer = Signer::from_pem(MPAY_KEY, MPAY).unwrap();
        let provider = Certificate::from_pem(SERVICE_CERTIFICATE).unwrap();
        Client::new(&self.url, signer, provider)
    }

    fn api(&self, method: &str, key: &str, content_type: &str, body: &Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}api/orders/{SERVICE}/{key}", self.url))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .header("Content-Type", content_type)
            .body(body.to_string())
            .unwrap();
        let response = ureq::Agent::new_with_defaults().run(request).unwrap();
        assert!(response.status().is_success(), "{key}");
    }
}

/// Host and proxies share it: mutants are tested at once.
static PROVIDER: LazyLock<Provider> = LazyLock::new(Provider::start);

fn failures(report: &Report) -> BTreeMap<&'static str, String> {
    report
        .tested
        .iter()
        .filter(|tested| tested.outcome == Outcome::Failed)
        .map(|tested| (tested.check.id, tested.reason.clone()))
        .collect()
}

fn skipped(report: &Report) -> BTreeMap<&'static str, String> {
    report
        .tested
        .iter()
        .filter(|tested| tested.outcome == Outcome::Skipped)
        .map(|tested| (tested.check.id, tested.reason.clone()))
        .collect()
}

#[test]
fn this_provider_passes_every_check_and_none_is_skipped() {
    let report = PROVIDER.test(&PROVIDER.url);
    assert_eq!(failures(&report), BTreeMap::new());
    assert_eq!(skipped(&report), BTreeMap::new());
    assert_eq!(report.count(Outcome::Passed), conform::checks().count());
    assert!(report.passed());
}

/// As many of each kind as the template asks for.
#[test]
fn orders_named_in_a_file_do_as_well() {
    let provider = &*PROVIDER;
    let line =
        |id: &str, amount: &str| json!({"line_id": id, "reason": "Linie", "amount_due": amount});
    let mut file = format!("service = \"{SERVICE}\"\n[orders]\n");
    for (role, count, order) in [
        ("plain", 6, json!({"lines": [line("1", "5")]})),
        (
            "lines",
            2,
            json!({"lines": [line("1", "5"), line("2", "6")]}),
        ),
        (
            "partial",
            4,
            json!({"lines": [line("1", "100")], "allow_partial_payments": true}),
        ),
        (
            "partial_lines",
            5,
            json!({"lines": [line("1", "10"), line("2", "20")], "allow_partial_payments": true}),
        ),
        (
            "advance",
            2,
            json!({"lines": [line("1", "5")], "allow_advance_payments": true}),
        ),
        (
            "open",
            2,
            json!({"lines": [{"line_id": "1", "reason": "Linie"}], "allow_advance_payments": true}),
        ),
        (
            "full",
            1,
            json!({
                "reason": {"ro": "Taxă", "ru": "Налог", "en": "Tax"},
                "customer_type": "Person", "customer_id": "2000000000015", "customer_name": "Ion",
                "issued_at": "2026-01-01T00:00:00Z", "due_date": "2040-01-01",
                "properties": [{"name": "A", "display_name": "A", "value": "1"}],
                "lines": [{"line_id": "1", "reason": "Linie", "amount_due": "5",
                    "properties": [{"name": "B", "display_name": "B", "value": "2"}]}]
            }),
        ),
        (
            "expired",
            1,
            json!({"lines": [line("1", "5")], "due_date": "2024-01-01"}),
        ),
        (
            "cancelled",
            1,
            json!({"lines": [line("1", "5")], "status": "Cancelled"}),
        ),
        (
            "completed",
            1,
            json!({"lines": [line("1", "5")], "status": "Completed"}),
        ),
        ("refunding", 1, json!({"lines": [line("1", "5")]})),
        ("refunded", 1, json!({"lines": [line("1", "5")]})),
    ] {
        let keys: Vec<String> = (0..count).map(|n| format!("F-{role}-{n}")).collect();
        for key in &keys {
            let mut order = order.clone();
            if order["reason"].is_null() {
                order["reason"] = "Verificare".into();
            }
            provider.api("PUT", key, "application/json", &order);
            if role.starts_with("refund") {
                let paid = provider.client().confirm(&Confirmation {
                    service_id: SERVICE.into(),
                    order_key: key.clone(),
                    payment_id: format!("P-{key}"),
                    currency: "MDL".into(),
                    total: "5".into(),
                    paid_at: Confirmation::paid_now(),
                    lines: vec![("1".into(), "5".into())],
                    ..Confirmation::default()
                });
                assert_eq!(paid.unwrap(), Answer::Result(()));
                let patch = "application/merge-patch+json";
                provider.api("PATCH", key, patch, &json!({"status": "Refunding"}));
                if role == "refunded" {
                    let change = json!({"status": "Refunded", "refund_reference": "1"});
                    provider.api("PATCH", key, patch, &change);
                }
            }
        }
        file.push_str(&format!("{role} = {keys:?}\n"));
    }
    file.push_str("[full_reason]\nro = 'Taxă'\nru = 'Налог'\n");
    let mut options = provider.options(&provider.url);
    options.orders = OrdersGiven::File(file.clone());
    let report = conform::run(options, &mut |_, _| {}).unwrap();
    assert_eq!(failures(&report), BTreeMap::new());
    assert_eq!(skipped(&report), BTreeMap::new());

    // What is not given is skipped and told, never passed.
    let mut options = provider.options(&provider.url);
    options.orders = OrdersGiven::File("[orders]\nplain = ['F-plain-0']".to_owned());
    options.only = vec!["language".into(), "status".into()];
    let report = conform::run(options, &mut |_, _| {}).unwrap();
    let skipped = skipped(&report);
    assert!(
        skipped["language.russian"].contains("`full` in the file of --orders"),
        "{skipped:?}"
    );
    assert!(skipped.contains_key("status.refunded"), "{skipped:?}");
}

// Providers that are wrong.

/// A request on its way to the component, or an answer on its way back.
#[derive(Clone)]
struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: String,
}

type Mutant = dyn Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync;

/// A provider that is the component but for what `mutant` does. Gives its address.
fn serve(provider: &'static Provider, mutant: Arc<Mutant>) -> String {
    let listener = provider
        .runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    provider.runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mutant = Arc::clone(&mutant);
            tokio::spawn(async move {
                let service =
                    service_fn(move |request| answer(provider, Arc::clone(&mutant), request));
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    url
}

async fn answer(
    provider: &'static Provider,
    mutant: Arc<Mutant>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let call = Call {
        method: parts.method,
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let reply = tokio::task::spawn_blocking(move || mutant(call, &|call| forward(provider, call)))
        .await
        .unwrap();
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = reply.status.try_into().unwrap();
    *response.headers_mut() = reply.headers;
    response.headers_mut().remove("content-length");
    response.headers_mut().remove("transfer-encoding");
    Ok(response)
}

fn forward(provider: &Provider, call: Call) -> Reply {
    static AGENT: LazyLock<ureq::Agent> = LazyLock::new(|| {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent()
    });
    let mut request = http::Request::builder()
        .method(call.method.clone())
        .uri(format!(
            "{}{}",
            provider.url.trim_end_matches('/'),
            call.path
        ));
    for (name, value) in &call.headers {
        if ![
            "content-length",
            "transfer-encoding",
            "expect",
            "connection",
        ]
        .contains(&name.as_str())
        {
            request = request.header(name, value);
        }
    }
    let response = if call.method == Method::GET {
        AGENT.run(request.body(()).unwrap())
    } else {
        AGENT.run(request.body(call.body).unwrap())
    };
    // The component answers what is too long before all of it has come.
    let Ok(mut response) = response else {
        return Reply {
            status: 502,
            headers: HeaderMap::new(),
            body: String::new(),
        };
    };
    Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.body_mut().read_to_string().unwrap(),
    }
}

/// Puts a wrong provider to the test: exactly these checks fail.
#[track_caller]
fn fails(
    mutant: impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static,
    expected: &[&str],
) {
    let url = serve(&PROVIDER, Arc::new(mutant));
    let report = PROVIDER.test(&url);
    let failed = failures(&report);
    let names: Vec<_> = failed.keys().copied().collect();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected, "{failed:#?}");
    let musts = report.failed(Severity::Must);
    assert_eq!(report.passed(), musts == 0);
}

/// The answers changed by a function of their text, and signed again by the provider.
fn answers(
    change: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    let provider = Identity::from_pem(SERVICE_KEY, SERVICE_CERTIFICATE).unwrap();
    move |call, forward| {
        let mut reply = forward(call);
        if reply.body.contains("<ds:Signature ")
            && let Some(changed) = change(&reply.body)
        {
            reply.body = provider.sign_again(&changed).unwrap();
        }
        reply
    }
}

fn policy(skew: Duration, max_age: Duration) -> Policy {
    Policy {
        trust: Trust::pinned(vec![mpay().certificate().clone()]),
        accept_sha1: true,
        clock_skew: skew,
        max_age,
    }
}

/// Whether MPay signed a message, for a reader with this patience.
fn is_mpays(message: &str, policy: &Policy) -> bool {
    Envelope::parse(message.as_bytes())
        .ok()
        .is_some_and(|envelope| envelope.verify(policy, Timestamp::now()).is_ok())
}

fn is_right(message: &str) -> bool {
    is_mpays(
        message,
        &policy(Duration::from_secs(120), Duration::from_secs(1800)),
    )
}

/// What a reader without any doubt takes a message for: the first child of the first Body, signed
/// by MPay just now. Headers that must be understood go with it.
fn believed(message: &str) -> Option<String> {
    let document = Document::parse(message.as_bytes()).ok()?;
    let root = document.root();
    let child = |name| root.children().find(|c| c.is(SOAP, name));
    let text =
        |element: Element<'_>| String::from_utf8(exclusive_c14n(element, false, &[])).unwrap();
    // The id of the one Body that there is now.
    let operation = text(child("Body")?.children().next()?).replace(" Id=\"Body\"", "");
    let headers: String = child("Header")
        .into_iter()
        .flat_map(|header| header.children())
        .filter(|block| block.local_name() != "Security")
        .filter(|block| block.attribute(SOAP, "mustUnderstand") == Some("1"))
        .map(text)
        .collect();
    Some(signed(&operation, &headers))
}

/// An operation, signed by MPay just now.
fn signed(operation: &str, headers: &str) -> String {
    let any = mpay()
        .sign(
            &encode_query("S", "K", "ro"),
            Algorithms::SHA1,
            Timestamp::now(),
            Duration::from_secs(300),
        )
        .unwrap();
    let query = piece(&any, "<GetOrderDetails ", "</GetOrderDetails>").unwrap();
    let message = any.replace(query, operation);
    let message = swap(
        &message,
        "</soap:Header>",
        &format!("{headers}</soap:Header>"),
    )
    .unwrap();
    mpay().sign_again(&message).unwrap()
}

/// A request that MPay signed, its operation changed on the way in.
fn requests(
    change: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    move |mut call, forward| {
        let operation = ["GetOrderDetails", "ConfirmOrderPayment"]
            .into_iter()
            .find_map(|name| piece(&call.body, &format!("<{name} "), &format!("</{name}>")).ok());
        if let Some(operation) = operation
            && is_right(&call.body)
            && let Some(changed) = change(operation)
        {
            let message = call.body.replace(operation, &changed);
            call.body = mpay().sign_again(&message).unwrap();
        }
        forward(call)
    }
}

fn is_key(body: &str, end: &str) -> bool {
    piece(body, "<OrderKey>", "</OrderKey>").is_ok_and(|key| key.contains(end))
}

/// The text of a member.
fn text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let member = piece(xml, &format!("<{name}>"), &format!("</{name}>")).ok()?;
    let member = member.strip_prefix(&format!("<{name}>"))?;
    member.strip_suffix(&format!("</{name}>"))
}

/// A confirmation is acknowledged, whatever it was.
fn yes() -> Reply {
    let provider = Identity::from_pem(SERVICE_KEY, SERVICE_CERTIFICATE).unwrap();
    let mut yes = wsse::Writer::new();
    yes.start_in("ConfirmOrderPaymentResponse", "https://mpay.gov.md");
    let minutes = Duration::from_secs(300);
    let body = provider.sign(&yes.finish(), Algorithms::SHA256, Timestamp::now(), minutes);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "text/xml; charset=utf-8".parse().unwrap());
    Reply {
        status: 200,
        headers,
        body: body.unwrap(),
    }
}

/// A provider that believes what is hostile if this says so.
fn believes(
    condition: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    move |mut call, forward| {
        if !is_right(&call.body)
            && condition(&call.body)
            && let Some(message) = believed(&call.body)
        {
            call.body = message;
        }
        forward(call)
    }
}

fn digests_hold(message: &str) -> bool {
    inspect(message.as_bytes(), mpay().public_key()).is_some_and(|found| {
        found.digests_hold && found.body_referenced && found.timestamp_referenced
    })
}

/// Whether the signature is an HMAC under this key.
fn is_hmac(message: &str, key: &[u8]) -> bool {
    ["xmldsig#hmac-sha1", "xmldsig-more#hmac-sha256"]
        .into_iter()
        .filter_map(|end| {
            let method = piece(message, "<ds:SignatureMethod Algorithm=\"", "\"").ok()?;
            let method = method.split('"').nth(1)?;
            method.ends_with(end).then(|| method.to_owned())
        })
        .any(|method| conform::sign_hmac(message, &method, key).unwrap() == message)
}

/// A member's text changed in a confirmation, if the confirmation is such.
fn confirmations(
    is_such: impl Fn(&str) -> bool + Send + Sync + 'static,
    name: &'static str,
    changed: &'static str,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    requests(move |operation| {
        let found = text(operation, name)?;
        let member = format!("<{name}>{found}</{name}>");
        is_such(operation)
            .then(|| operation.replace(&member, &format!("<{name}>{changed}</{name}>")))
    })
}

#[test]
fn a_provider_that_refuses_a_line_of_zero_fails() {
    let has_one = |operation: &str| {
        operation.contains("<Amount>0.00</Amount>") && operation.contains("<TotalAmount>1.00<")
    };
    fails(
        confirmations(has_one, "Currency", "EUR"),
        &["payment.zero-line"],
    );
}

#[test]
fn a_provider_that_refuses_times_that_cannot_be_fails() {
    let is_far = |operation: &str| {
        text(operation, "PaidAt").is_some_and(|at| at.starts_with("1999") || at.starts_with("2099"))
    };
    fails(
        confirmations(is_far, "Currency", "EUR"),
        &["payment.implausible-time"],
    );
}

#[test]
fn a_provider_that_takes_a_date_for_a_time_fails() {
    fails(
        confirmations(
            |operation| text(operation, "PaidAt") == Some("2026-06-01"),
            "PaidAt",
            "2026-06-01T00:00:00",
        ),
        &["fault.confirm-date-alone"],
    );
}

#[test]
fn a_provider_that_looks_at_amounts_first_fails() {
    let is_wrong = |operation: &str| {
        operation.contains("<TotalAmount>1.01<") && operation.contains("<Amount>1.00<")
    };
    fails(
        confirmations(is_wrong, "Currency", "much too long"),
        &["fault.confirm-order-first", "fault.confirm-service-first"],
    );
}

#[test]
fn a_provider_that_takes_an_hmac_under_the_public_key_fails() {
    use rsa::pkcs8::EncodePublicKey;
    let key = mpay().public_key().to_public_key_der().unwrap();
    fails(
        believes(move |message| digests_hold(message) && is_hmac(message, key.as_bytes())),
        &["refusal.hmac"],
    );
}

#[test]
fn a_provider_that_takes_an_hmac_under_the_certificate_fails() {
    fails(
        believes(|message| digests_hold(message) && is_hmac(message, mpay().certificate().der())),
        &["refusal.hmac-certificate"],
    );
}

#[test]
fn a_provider_that_takes_an_hmac_of_no_length_fails() {
    fails(
        believes(|message| digests_hold(message) && message.contains("<ds:HMACOutputLength>0<")),
        &["refusal.hmac-empty"],
    );
}

#[test]
fn a_provider_that_takes_an_empty_signature_value_fails() {
    fails(
        believes(|message| {
            digests_hold(message)
                && message.contains("<ds:SignatureValue></")
                && !message.contains("hmac")
        }),
        &["refusal.empty-value"],
    );
}

#[test]
fn a_provider_that_takes_any_two_signatures_fails() {
    fails(
        believes(|message| {
            message.matches("<ds:Signature ").count() == 2 && digests_hold(message) && {
                let strange = piece(message, "<ds:Signature ", "</ds:Signature>").unwrap();
                inspect(message.replace(strange, "").as_bytes(), mpay().public_key())
                    .is_some_and(|found| found.signature_holds && found.digests_hold)
            }
        }),
        &["refusal.two-signatures"],
    );
}

#[test]
fn a_provider_that_takes_the_time_from_any_timestamp_fails() {
    let years = Duration::from_secs(1_000_000_000);
    let patient = policy(years, years);
    fails(
        believes(move |message| {
            message
                .match_indices("<wsu:Timestamp xmlns:wsu=")
                .filter_map(|(at, _)| piece(&message[at..], "<wsu:", "</wsu:Timestamp>").ok())
                .any(|fresh| is_mpays(&message.replace(fresh, ""), &patient))
                && message.matches("</wsu:Timestamp>").count() == 2
        }),
        &["refusal.two-timestamps"],
    );
}

#[test]
fn a_provider_that_looks_for_ids_by_another_name_fails() {
    fails(
        believes(|message| {
            let other = message.contains("<soap:Body Id=\"Body\"");
            other
                && message.contains("<x:Wrapper")
                && inspect(message.as_bytes(), mpay().public_key())
                    .is_some_and(|found| found.signature_holds && found.digests_hold)
        }),
        &["refusal.other-ids"],
    );
}

#[test]
fn a_provider_that_reads_confirmations_where_they_are_not_signed_fails() {
    fails(
        believes(|message| {
            message.contains("<x:Wrapper")
                && message.contains("<ConfirmOrderPayment ")
                && inspect(message.as_bytes(), mpay().public_key())
                    .is_some_and(|found| found.signature_holds && found.digests_hold)
        }),
        &["refusal.confirmation-wrapped"],
    );
}

#[test]
fn a_provider_that_acknowledges_a_known_payment_unseen_fails() {
    let known = Mutex::new(HashSet::new());
    fails(
        move |call, forward| {
            let id = text(&call.body, "PaymentID").map(str::to_owned);
            let unsigned = !call.body.contains("<wsse:Security ");
            let mut known = known.lock().unwrap();
            if unsigned && id.as_ref().is_some_and(|id| known.contains(id)) {
                return yes();
            }
            known.extend(id);
            drop(known);
            forward(call)
        },
        &["refusal.repeat-unsigned"],
    );
}

/// Whether a key fits a pattern of SQL.
fn like(pattern: &[u8], key: &[u8]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((b'%', rest)), _) => {
            like(rest, key) || key.split_first().is_some_and(|(_, key)| like(pattern, key))
        }
        (Some((p, pattern)), Some((k, key))) => (*p == b'_' || p == k) && like(pattern, key),
        _ => false,
    }
}

/// Requests with the OrderKey of an order that was asked for before, if this finds it.
fn finds(
    operation: &'static str,
    found: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    let known = Mutex::new(Vec::<String>::new());
    requests(move |xml| {
        let asked = text(xml, "OrderKey")?.to_owned();
        let mut known = known.lock().unwrap();
        if asked.starts_with("CONFORM-") && asked.ends_with(char::is_uppercase) {
            known.push(asked.clone());
        }
        if !xml.contains(operation) {
            return None;
        }
        let key = known
            .iter()
            .find(|key| **key != asked && found(&asked, key))?;
        swap(xml, &format!(">{asked}<"), &format!(">{key}<")).ok()
    })
}

#[test]
fn a_provider_that_looks_up_orders_by_like_fails() {
    fails(
        finds("<GetOrderDetails ", |asked, key| {
            like(asked.as_bytes(), key.as_bytes())
        }),
        &["fault.order-key-pattern"],
    );
}

#[test]
fn a_provider_that_pays_orders_by_like_fails() {
    fails(
        finds("<ConfirmOrderPayment ", |asked, key| {
            like(asked.as_bytes(), key.as_bytes())
        }),
        &["fault.confirm-order-key-pattern"],
    );
}

#[test]
fn a_provider_whose_sql_is_open_fails() {
    fails(
        finds("<GetOrderDetails ", |asked, _| asked.starts_with("' OR '")),
        &["fault.order-key-quoted"],
    );
}

#[test]
fn a_provider_that_reads_a_key_by_its_beginning_fails() {
    fails(
        finds("<GetOrderDetails ", |asked, key| {
            asked.strip_suffix(".0") == Some(key)
        }),
        &["fault.order-key-longer"],
    );
}

#[test]
fn a_provider_that_does_not_look_at_the_service_of_an_order_fails() {
    for (operation, checks) in [
        (
            "<GetOrderDetails ",
            ["fault.order-of-another-service"].as_slice(),
        ),
        (
            "<ConfirmOrderPayment ",
            &[
                "fault.confirm-order-of-another-service",
                "fault.confirm-service-first",
            ],
        ),
    ] {
        fails(
            requests(move |xml| {
                let service = text(xml, "ServiceID")?.to_owned();
                let exists = text(xml, "OrderKey")?.starts_with("CONFORM-");
                (xml.contains(operation) && exists && service != SERVICE)
                    .then(|| xml.replace(&format!(">{service}<"), &format!(">{SERVICE}<")))
            }),
            checks,
        );
    }
}

#[test]
fn a_provider_that_looks_at_the_first_line_only_fails() {
    fails(
        requests(|xml| {
            (xml.matches("<LineID>").count() > 1 && xml.contains(">NO-SUCH-LINE-OF-CONFORM<")).then(
                || {
                    let first = text(xml, "LineID").unwrap();
                    xml.replace("NO-SUCH-LINE-OF-CONFORM", first)
                },
            )
        }),
        &["fault.confirm-unknown-second-line"],
    );
}

#[test]
fn a_provider_that_adds_up_negative_lines_fails() {
    fails(
        requests(|xml| {
            let line = "<PaymentConfirmationLine><Amount>-1.00</Amount>";
            let at = xml.find(line).filter(|_| xml.contains("<Amount>2.00<"))?;
            let line = piece(&xml[at..], "<Payment", "</PaymentConfirmationLine>").ok()?;
            Some(xml.replace(line, "").replace(">2.00<", ">1.00<"))
        }),
        &["fault.confirm-negative-line"],
    );
}

#[test]
fn a_provider_whose_amounts_overflow_fails() {
    fails(
        requests(|xml| {
            xml.contains(">184467440737095517.16<")
                .then(|| xml.replace(">184467440737095517.16<", ">1.00<"))
        }),
        &["fault.confirm-overflow"],
    );
}

#[test]
fn a_provider_that_takes_payments_without_an_id_fails() {
    fails(
        requests(|xml| {
            let blank = text(xml, "PaymentID")?.trim().is_empty();
            let id = piece(xml, "<PaymentID>", "</PaymentID>").ok()?;
            let other = format!("<PaymentID>{}</PaymentID>", Confirmation::new_payment_id());
            blank.then(|| xml.replace(id, &other))
        }),
        &["fault.confirm-payment-id-empty"],
    );
}

#[test]
fn a_provider_that_only_compares_the_total_of_a_payment_fails() {
    let known = Mutex::new(BTreeMap::new());
    fails(
        move |call, forward| {
            let Some(id) = text(&call.body, "PaymentID").filter(|_| is_right(&call.body)) else {
                return forward(call);
            };
            let total = (
                text(&call.body, "TotalAmount")
                    .unwrap_or_default()
                    .to_owned(),
                text(&call.body, "OrderKey").unwrap_or_default().to_owned(),
            );
            let id = id.to_owned();
            if call.body.matches("<LineID>").count() == 2
                && known.lock().unwrap().get(&id) == Some(&total)
            {
                return yes();
            }
            let reply = forward(call);
            if reply.status == 200 {
                known.lock().unwrap().insert(id, total);
            }
            reply
        },
        &["idempotence.other-lines"],
    );
}

/// PaymentIDs that were refused, with what was said under them.
fn remembers_refusals(
    acknowledged: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    let refused = Mutex::new(BTreeMap::<String, String>::new());
    move |call, forward| {
        let confirmation = piece(
            &call.body,
            "<ConfirmOrderPayment ",
            "</ConfirmOrderPayment>",
        );
        let (Ok(said), true) = (confirmation, is_right(&call.body)) else {
            return forward(call);
        };
        let said = said.to_owned();
        let id = text(&said, "PaymentID").unwrap_or_default().to_owned();
        let before = refused.lock().unwrap().get(&id).cloned();
        if before.is_some_and(|before| acknowledged(&before, &said)) {
            return yes();
        }
        let reply = forward(call);
        if reply.status == 500 {
            refused.lock().unwrap().insert(id, said);
        }
        reply
    }
}

#[test]
fn a_provider_that_acknowledges_what_it_refused_before_fails() {
    fails(
        remembers_refusals(|before, said| before == said),
        &["idempotence.refusal"],
    );
}

#[test]
fn a_provider_that_takes_a_refused_payment_for_recorded_fails() {
    fails(
        remembers_refusals(|before, said| before.contains(">1.01<") && !said.contains(">1.01<")),
        &["idempotence.after-refusal"],
    );
}

/// PaymentIDs as such a provider stores them.
fn stores_ids(
    change: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static {
    requests(move |xml| {
        let id = text(xml, "PaymentID")?;
        let stored = change(id)?;
        Some(xml.replace(id, &stored))
    })
}

#[test]
fn a_provider_that_takes_payment_ids_for_numbers_fails() {
    fails(
        stores_ids(|id| {
            let number: f64 = id.parse().ok()?;
            (id.len() == 36).then(|| format!("N{number:e}"))
        }),
        &["idempotence.similar-ids"],
    );
}

#[test]
fn a_provider_that_cuts_payment_ids_short_fails() {
    fails(
        stores_ids(|id| (id.len() == 36).then(|| id[..35].to_owned())),
        &["idempotence.comment", "idempotence.similar-ids"],
    );
}

#[test]
fn a_provider_that_folds_the_case_of_payment_ids_fails() {
    fails(
        stores_ids(|id| Some(id.to_lowercase())),
        &["idempotence.case-of-ids"],
    );
}

#[test]
fn a_provider_that_reads_a_payment_id_up_to_its_first_comment_fails() {
    fails(
        stores_ids(|id| Some(id.split_once("<!-- -->")?.0.to_owned())),
        &["idempotence.comment"],
    );
}

#[test]
fn a_provider_that_counts_in_binary_fractions_fails() {
    fails(
        requests(|xml| {
            let amount = text(xml, "TotalAmount")?;
            let float: f64 = amount.parse().ok()?;
            let cut = (float * 100.0).trunc() / 100.0;
            (amount == "0.29" || amount == "1.15" || amount == "4.35")
                .then(|| xml.replace(&format!(">{amount}<"), &format!(">{cut:.2}<")))
        }),
        &["payment.hundredths"],
    );
}

#[test]
fn a_provider_that_adds_lines_as_binary_fractions_fails() {
    fails(
        requests(|xml| {
            let mut rest = xml;
            let mut sum = 0.0;
            while let Some(amount) = text(rest, "Amount") {
                sum += amount.parse::<f64>().ok()?;
                rest = rest.split_once("</Amount>")?.1;
            }
            let total: f64 = text(xml, "TotalAmount")?.parse().ok()?;
            let id = text(xml, "PaymentID")?;
            (sum != total && (sum - total).abs() < 0.001).then(|| xml.replace(id, &"9".repeat(37)))
        }),
        &["payment.sum-of-lines", "idempotence.other-lines"],
    );
}

/// Everything that only a signature can tell.
const FORGERIES: [&str; 43] = [
    "refusal.unsigned",
    "refusal.no-signature",
    "refusal.empty-signature",
    "refusal.no-references",
    "refusal.body-not-signed",
    "refusal.timestamp-not-signed",
    "refusal.no-timestamp",
    "refusal.operation-signed",
    "refusal.tampered-body",
    "refusal.tampered-timestamp",
    "refusal.tampered-signature",
    "refusal.tampered-digest",
    "refusal.stranger",
    "refusal.namesake",
    "refusal.borrowed-certificate",
    "refusal.key-value",
    "refusal.two-certificates",
    "refusal.hmac",
    "refusal.hmac-certificate",
    "refusal.hmac-empty",
    "refusal.empty-value",
    "refusal.two-signatures",
    "refusal.two-timestamps",
    "refusal.other-ids",
    "refusal.expired",
    "refusal.too-old",
    "refusal.future",
    "refusal.replay",
    "refusal.wrapped-timestamp",
    "refusal.wrapped-in-header",
    "refusal.wrapped-as-header",
    "refusal.wrapped-in-security",
    "refusal.wrapped-in-object",
    "refusal.wrapped-in-key-info",
    "refusal.wrapped-in-envelope",
    "refusal.body-before",
    "refusal.body-after",
    "refusal.duplicate-ids",
    "refusal.two-security-headers",
    "refusal.enveloped-transform",
    "refusal.xpath-transform",
    "refusal.xslt-transform",
    "refusal.remote-reference",
];

#[test]
fn a_provider_that_checks_no_signature_fails() {
    let mut expected = FORGERIES.to_vec();
    expected.extend([
        "refusal.wrapped-in-body",
        "refusal.confirmation-unsigned",
        "refusal.confirmation-tampered",
        "refusal.confirmation-of-a-stranger",
        "refusal.confirmation-wrapped",
        "refusal.repeat-unsigned",
        "fault.authentication-failed",
    ]);
    fails(
        |mut call, forward| {
            if !is_right(&call.body)
                && let Some(message) = believed(&call.body)
            {
                call.body = message;
            }
            forward(call)
        },
        &expected,
    );
}

#[test]
fn a_provider_that_reads_what_is_not_signed_fails() {
    let patient = policy(Duration::from_secs(120), Duration::from_secs(1800));
    fails(
        move |mut call, forward| {
            // Digests and signature hold, wherever the signed parts may be.
            let holds = inspect(call.body.as_bytes(), mpay().public_key()).is_some_and(|found| {
                found.signature_holds && found.digests_hold && found.digest_methods.len() >= 2
            });
            let fresh = piece(&call.body, "<wsu:Expires>", "</wsu:Expires>").is_ok_and(|expires| {
                let expires = &expires["<wsu:Expires>".len()..];
                let expires: Timestamp = expires.split('<').next().unwrap().parse().unwrap();
                expires > Timestamp::now()
            });
            let near = piece(&call.body, "<wsu:Created>", "</wsu:Created>").is_ok_and(|created| {
                let created = &created["<wsu:Created>".len()..];
                let created: Timestamp = created.split('<').next().unwrap().parse().unwrap();
                Timestamp::now().duration_since(created).abs().as_secs() < 1800
            });
            let plain = !call
                .body
                .contains("<ds:Transform Algorithm=\"http://www.w3.org/TR")
                && !call.body.contains("enveloped-signature");
            if !is_mpays(&call.body, &patient)
                && holds
                && fresh
                && near
                && plain
                && let Some(message) = believed(&call.body)
            {
                call.body = message;
            }
            forward(call)
        },
        &[
            "refusal.operation-signed",
            "refusal.two-timestamps",
            "refusal.wrapped-timestamp",
            "refusal.wrapped-in-header",
            "refusal.wrapped-as-header",
            "refusal.wrapped-in-security",
            "refusal.wrapped-in-object",
            "refusal.wrapped-in-key-info",
            "refusal.wrapped-in-body",
            "refusal.wrapped-in-envelope",
            "refusal.body-before",
            "refusal.body-after",
            "refusal.duplicate-ids",
            "refusal.other-ids",
            "refusal.confirmation-wrapped",
            "refusal.two-security-headers",
        ],
    );
}

#[test]
fn a_provider_that_believes_stale_messages_fails() {
    let years = Duration::from_secs(1_000_000_000);
    let patient = policy(years, years);
    fails(
        move |mut call, forward| {
            if !is_right(&call.body)
                && is_mpays(&call.body, &patient)
                && let Some(message) = believed(&call.body)
            {
                call.body = message;
            }
            forward(call)
        },
        &[
            "refusal.expired",
            "refusal.too-old",
            "refusal.future",
            "refusal.replay",
            "fault.authentication-failed",
        ],
    );
}

#[test]
fn a_provider_that_counts_a_repeated_payment_twice_fails() {
    let seen = Mutex::new(HashSet::new());
    fails(
        requests(move |operation| {
            let id = piece(operation, "<PaymentID>", "</PaymentID>")
                .ok()?
                .to_owned();
            let mut seen = seen.lock().unwrap();
            if seen.insert(id.clone()) {
                return None;
            }
            let other = format!("<PaymentID>again-{}</PaymentID>", seen.len());
            seen.insert(other.clone());
            swap(operation, &id, &other).ok()
        }),
        &[
            "idempotence.repeat",
            "idempotence.same-bytes",
            "idempotence.later",
            "idempotence.spelling",
            "idempotence.twice-at-once",
            "idempotence.eight-at-once",
            "idempotence.other-amount",
            "idempotence.other-lines",
            "idempotence.other-order",
        ],
    );
}

#[test]
fn a_provider_that_refuses_a_repeated_payment_fails() {
    let seen = Mutex::new(HashSet::new());
    fails(
        requests(move |operation| {
            let id = piece(operation, "<PaymentID>", "</PaymentID>")
                .ok()?
                .to_owned();
            let first = seen.lock().unwrap().insert(id.clone());
            let another = || swap(operation, "<Currency>MDL", "<Currency>EUR").unwrap();
            (!first).then(another)
        }),
        &[
            "idempotence.repeat",
            "idempotence.same-bytes",
            "idempotence.later",
            "idempotence.after-refusal",
            "idempotence.after-paid",
            "idempotence.spelling",
            "idempotence.twice-at-once",
            "idempotence.eight-at-once",
            "idempotence.other-amount",
        ],
    );
}

#[test]
fn a_provider_that_says_yes_and_forgets_the_payment_fails() {
    fails(
        |call, forward| {
            let forgotten = call.body.contains("<ConfirmOrderPayment ")
                && is_key(&call.body, "-PARTIAL-LINES")
                && is_right(&call.body);
            if !forgotten {
                return forward(call);
            }
            yes()
        },
        &[
            "payment.rest-of-lines",
            "payment.line-by-line",
            "payment.sum-of-lines",
            "payment.zero-line",
            "idempotence.other-lines",
        ],
    );
}

#[test]
fn a_provider_whose_answers_have_no_timestamp_fails() {
    fails(
        answers(|text| {
            let reference =
                piece(text, "<ds:Reference URI=\"#Timestamp\">", "</ds:Reference>").ok()?;
            let timestamp = piece(text, "<wsu:Timestamp", "</wsu:Timestamp>").ok()?;
            Some(text.replace(reference, "").replace(timestamp, ""))
        }),
        &["signature.timestamp"],
    );
}

#[test]
fn a_provider_whose_timestamps_are_not_signed_fails() {
    fails(
        answers(|text| {
            let reference =
                piece(text, "<ds:Reference URI=\"#Timestamp\">", "</ds:Reference>").ok()?;
            Some(text.replace(reference, ""))
        }),
        &["signature.timestamp"],
    );
}

#[test]
fn a_provider_whose_faults_are_not_signed_fails() {
    fails(
        |call, forward| {
            let mut reply = forward(call);
            if reply.body.contains("<soap:Fault>") {
                let header = piece(&reply.body, "<soap:Header>", "</soap:Header>").unwrap();
                reply.body = reply.body.replace(header, "");
            }
            reply
        },
        &[
            "signature.faults-signed",
            "signature.anonymous-faults-signed",
        ],
    );
}

#[test]
fn a_provider_that_signs_with_another_certificate_fails() {
    let stranger = Identity::from_pem(STRANGER_KEY, STRANGER).unwrap();
    let pem = |pem: &str| -> String {
        pem.lines()
            .filter(|line| !line.starts_with("---"))
            .collect()
    };
    let (own, strange) = (pem(SERVICE_CERTIFICATE), pem(STRANGER));
    fails(
        move |call, forward| {
            let mut reply = forward(call);
            if reply.body.contains("<ds:Signature ") {
                reply.body = stranger
                    .sign_again(&reply.body.replace(&own, &strange))
                    .unwrap();
            }
            reply
        },
        &[
            "signature.results-signed",
            "signature.confirmations-signed",
            "signature.faults-signed",
            "signature.anonymous-faults-signed",
            "signature.certificate",
        ],
    );
}

#[test]
fn a_provider_that_alters_its_answers_after_signing_fails() {
    fails(
        |call, forward| {
            let mut reply = forward(call);
            reply.body = reply.body.replace("<soap:Body ", "<soap:Body a=\"1\" ");
            reply
        },
        &[
            "signature.results-signed",
            "signature.confirmations-signed",
            "signature.faults-signed",
            "signature.anonymous-faults-signed",
        ],
    );
}

#[test]
fn a_provider_that_does_not_know_sha256_fails() {
    fails(
        |mut call, forward| {
            if call.body.contains("sha256") {
                let header = piece(&call.body, "<soap:Header>", "</soap:Header>").unwrap();
                call.body = call.body.replace(header, "");
            }
            forward(call)
        },
        &["signature.rsa-sha256", "signature.mixed-hashes"],
    );
}

#[test]
fn a_provider_whose_members_are_out_of_order_fails() {
    fails(
        answers(|text| {
            let currency = piece(text, "<Currency>", "</Currency>").ok()?;
            Some(
                text.replace(currency, "")
                    .replace("</OrderDetails>", &format!("{currency}</OrderDetails>")),
            )
        }),
        &["structure.member-order"],
    );
}

#[test]
fn a_provider_that_writes_one_fraction_digit_fails() {
    fails(
        answers(|text| {
            text.contains("AmountDue>").then(|| {
                text.replace("0</AmountDue>", "</AmountDue>")
                    .replace("0</TotalAmountDue>", "</TotalAmountDue>")
            })
        }),
        &["structure.two-fraction-digits"],
    );
}

#[test]
fn a_provider_whose_total_is_not_that_of_its_lines_fails() {
    fails(
        answers(|text| {
            is_key(text, "-FULL").then(|| {
                text.replace("</TotalAmountDue>", "1</TotalAmountDue>")
                    .replace(".501<", ".51<")
            })
        }),
        &["structure.sum"],
    );
}

#[test]
fn a_provider_that_sends_nil_instead_of_nothing_fails() {
    fails(
        answers(|text| {
            let nil = "</Currency><CustomerID xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"></CustomerID>";
            (text.contains("<OrderDetails>") && !text.contains("<CustomerID>"))
                .then(|| text.replace("</Currency>", nil))
        }),
        &["structure.optional-absent"],
    );
}

#[test]
fn a_provider_whose_texts_are_too_long_fails() {
    fails(
        answers(|text| {
            let reason = piece(text, "<Reason>", "</Reason>").ok()?;
            is_key(text, "-FULL")
                .then(|| text.replacen(reason, &format!("<Reason>{}</Reason>", "ă".repeat(51)), 1))
        }),
        &["structure.lengths", "language.lengths"],
    );
}

#[test]
fn a_provider_that_only_knows_romanian_fails() {
    fails(
        requests(|operation| {
            let language = piece(operation, "<Language>", "</Language>").ok()?;
            Some(operation.replace(language, "<Language>ro</Language>"))
        }),
        &["language.russian", "language.english"],
    );
}

#[test]
fn a_provider_that_knows_languages_in_lower_case_only_fails() {
    fails(
        requests(|operation| {
            let language = piece(operation, "<Language>", "</Language>").ok()?;
            (language.contains('R') || language.contains('E') || language.contains('N'))
                .then(|| operation.replace(language, "<Language>ro</Language>"))
        }),
        &["language.upper-case", "language.mixed-case"],
    );
}

#[test]
fn a_provider_whose_fault_codes_are_qualified_fails() {
    fails(
        answers(|text| {
            let code = piece(text, "<faultcode>", "</faultcode>").ok()?;
            let inner = code.strip_prefix("<faultcode>")?;
            (!inner.contains(':')).then(|| {
                text.replace(
                    code,
                    &format!("<faultcode xmlns:m=\"https://mpay.gov.md\">m:{inner}"),
                )
            })
        }),
        &["fault.unqualified-code"],
    );
}

#[test]
fn a_provider_whose_faults_have_children_in_a_namespace_fails() {
    fails(
        answers(|text| {
            text.contains("<faultcode>").then(|| {
                text.replace(
                    "<faultstring ",
                    "<faultstring xmlns=\"https://mpay.gov.md\" ",
                )
            })
        }),
        &["fault.unqualified-children"],
    );
}

#[test]
fn a_provider_that_sends_faults_with_status_200_fails() {
    fails(
        |call, forward| {
            let mut reply = forward(call);
            if reply.status == 500 {
                reply.status = 200;
            }
            reply
        },
        &["fault.status-500"],
    );
}

#[test]
fn a_provider_that_says_why_it_does_not_believe_fails() {
    fails(
        |call, forward| {
            let reason = if call.body.contains("<wsse:Security ") {
                "The digest does not match."
            } else {
                "There is no Security header."
            };
            let mut reply = forward(call);
            if reply.body.contains("AuthenticationFailed") {
                let provider = Identity::from_pem(SERVICE_KEY, SERVICE_CERTIFICATE).unwrap();
                let text = reply
                    .body
                    .replace("The message could not be authenticated.", reason);
                reply.body = provider.sign_again(&text).unwrap();
            }
            reply
        },
        &["fault.authentication-failed"],
    );
}

#[test]
fn a_provider_that_looks_at_the_soap_action_only_fails() {
    fails(
        |mut call, forward| {
            call.headers.remove("soapaction");
            forward(call)
        },
        &["transport.soapaction-contradicts"],
    );
}

#[test]
fn a_provider_that_reads_a_text_up_to_its_first_comment_fails() {
    fails(
        |mut call, forward| {
            if call.body.contains("<!-- -->") && is_right(&call.body) {
                let rest = piece(&call.body, "<!-- -->", "<").unwrap();
                let rest = rest.strip_suffix('<').unwrap();
                call.body = mpay().sign_again(&call.body.replace(rest, "")).unwrap();
            }
            forward(call)
        },
        &[
            "idempotence.comment",
            "idempotence.comment-in-amount",
            "reading.comments",
        ],
    );
}

#[test]
fn a_provider_whose_wsdl_is_out_of_order_fails() {
    fails(
        |call, forward| {
            let mut reply = forward(call);
            if reply.body.contains("<wsdl:definitions") {
                let element = |name: &str, kind: &str| {
                    format!(
                        "<xs:element name=\"{name}\" type=\"tns:{kind}\" minOccurs=\"0\" nillable=\"true\"/>"
                    )
                };
                let (account, code) = (
                    element("BankAccount", "String24"),
                    element("BankCode", "String20"),
                );
                assert!(reply.body.contains(&account) && reply.body.contains(&code));
                let after = format!("{code}{account}");
                reply.body = reply.body.replace(&account, "").replace(&code, &after);
            }
            reply
        },
        &["wsdl.alphabetical"],
    );
}

/// WCF writes a document for each namespace, and imports them.
#[test]
fn a_wsdl_in_several_documents_is_read_whole() {
    let url = serve(
        &PROVIDER,
        Arc::new(|mut call: Call, forward: &dyn Fn(Call) -> Reply| {
            let wants_schema = call.path.contains("?xsd=");
            if wants_schema {
                call.path = "/?wsdl".to_owned();
            }
            let mut reply = forward(call);
            if reply.body.contains("<wsdl:definitions") {
                let schema = piece(&reply.body, "<xs:schema ", "</xs:schema>").unwrap();
                let import = "<xs:schema><xs:import namespace=\"https://mpay.gov.md\" schemaLocation=\"?xsd=xsd0\"/></xs:schema>";
                reply.body = if wants_schema {
                    schema.replacen(
                        "<xs:schema ",
                        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:tns=\"https://mpay.gov.md\" ",
                        1,
                    )
                } else {
                    reply.body.replace(schema, import)
                };
            }
            reply
        }),
    );
    let mut options = PROVIDER.options(&url);
    options.only = vec!["wsdl".into()];
    let report = conform::run(options, &mut |_, _| {}).unwrap();
    assert_eq!(failures(&report), BTreeMap::new());
    assert_eq!(report.count(Outcome::Passed), report.tested.len());
}

/// Where nothing good is answered, a refusal proves nothing.
#[test]
fn refusals_are_not_tested_on_a_provider_that_refuses_everything() {
    let url = serve(
        &PROVIDER,
        Arc::new(|_: Call, _: &dyn Fn(Call) -> Reply| Reply {
            status: 403,
            headers: HeaderMap::new(),
            body: "no".to_owned(),
        }),
    );
    let mut options = PROVIDER.options(&url);
    options.only = vec!["transport.post".into(), "refusal".into()];
    options.orders = OrdersGiven::File("[orders]\nplain = ['1']".to_owned());
    let report = conform::run(options, &mut |_, _| {}).unwrap();
    let failed: Vec<_> = failures(&report).into_keys().collect();
    assert_eq!(failed, ["transport.post"]);
    assert_eq!(report.count(Outcome::Passed), 0);
    assert!(!report.passed());
}

// The command, and its reports.

fn conform_command(url: &str) -> Command {
    let data = |name: &str| workspace().join("crates/wsse/tests/data").join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpay"));
    command
        .current_dir(workspace())
        .env_remove("MPAY_API_TOKEN")
        .args(["conform", url, "--service", SERVICE])
        .arg("--key")
        .arg(data("mpay.key.pem"))
        .arg("--certificate")
        .arg(data("mpay.pem"))
        .arg("--provider-certificate")
        .arg(data("service.pem"));
    command
}

#[test]
fn the_exit_status_tells_the_verdict() {
    let status = |command: &mut Command| command.output().unwrap().status.code();
    let right = PROVIDER.url.clone();
    let with = |url: &str, arguments: &[&str]| {
        let mut command = conform_command(url);
        command.args(arguments);
        status(&mut command)
    };
    let token = ["--api-token", TOKEN, "--only", "transport,wsdl"];
    assert_eq!(with(&right, &token), Some(0));
    assert_eq!(with(&right, &["--only", "wsdl"]), Some(0));
    assert_eq!(with(&right, &["--only", "language"]), Some(0));
    assert_eq!(with(&right, &["--only", "language", "--no-skips"]), Some(1));
    assert_eq!(with(&right, &[]), Some(2), "no orders");
    assert_eq!(with(&right, &["--api-token", "wrong"]), Some(2));
    assert_eq!(with(&right, &["--only", "nothing"]), Some(2));
    assert_eq!(with("http://127.0.0.1:1/", &token), Some(2));
    let wrong = serve(
        &PROVIDER,
        Arc::new(|call: Call, forward: &dyn Fn(Call) -> Reply| {
            let mut reply = forward(call);
            reply
                .headers
                .insert("content-type", "text/html".parse().unwrap());
            reply
        }),
    );
    let api = format!("{}api", PROVIDER.url);
    let arguments = [&token[..], &["--api", &api]].concat();
    assert_eq!(with(&wrong, &arguments), Some(1));
}

/// A server of the WSDL that asks for this client certificate.
fn serve_tls(server: &rcgen::CertifiedKey<rcgen::KeyPair>, client: &rcgen::Certificate) -> String {
    use rustls::{
        RootCertStore, ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer,
        server::WebPkiClientVerifier,
    };
    use std::io::{Read, Write};

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(client.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
    let key = PrivateKeyDer::try_from(server.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                // Whoever shows no certificate is gone here.
                if stream.read_exact(&mut byte).is_err() {
                    break;
                }
                request.extend(byte);
            }
            let wsdl = include_str!("../../../wsdl/IServiceProvider.wsdl");
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{wsdl}",
                wsdl.len()
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    url
}

#[test]
fn providers_behind_tls_of_their_own_are_reached() {
    let certified = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (server, client) = (certified(), certified());
    let url = serve_tls(&server, &client.cert);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let authority = file("authority.pem", server.cert.pem());
    let certificate = file("client.pem", client.cert.pem());
    let key = file("client.key.pem", client.signing_key.serialize_pem());
    let run = |authority_too: bool, client_too: bool| {
        let mut command = conform_command(&url);
        command.args(["--only", "wsdl.reachable"]);
        if authority_too {
            command.arg("--tls-authority").arg(&authority);
        }
        if client_too {
            command.arg("--tls-certificate").arg(&certificate);
            command.arg("--tls-key").arg(&key);
        }
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (status, told) = run(true, true);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(
        run(false, true).0,
        Some(2),
        "an authority that nobody knows"
    );
    assert_eq!(run(true, false).0, Some(2), "no client certificate");
}

/// What a provider sends may be meant for whoever reads the report.
#[test]
fn nothing_that_a_provider_sends_reaches_terminal_or_page_raw() {
    const EVIL: &str =
        "\u{1b}]0;owned\u{7}\u{1b}[31m\u{202e}<script>alert(1)</script>\" onload=\"x";
    let evil = serve(
        &PROVIDER,
        Arc::new(|_: Call, _: &dyn Fn(Call) -> Reply| {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", "<script>alert(2)</script>".parse().unwrap());
            Reply {
                status: 200,
                headers,
                body: EVIL.to_owned(),
            }
        }),
    );
    let folder = tempfile::tempdir().unwrap();
    let (html, junit) = (folder.path().join("r.html"), folder.path().join("r.xml"));
    let run = |json: bool| {
        let mut command = conform_command(&evil);
        command
            .args(["--only", "transport,wsdl,fault", "--orders"])
            .arg(folder.path().join("orders.toml"))
            .arg("--html")
            .arg(&html)
            .arg("--junit")
            .arg(&junit);
        if json {
            command.arg("--json");
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stdout).unwrap()
    };
    std::fs::write(folder.path().join("orders.toml"), "[orders]\nplain = ['1']").unwrap();
    let text = run(false);
    let page = std::fs::read_to_string(&html).unwrap();
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(
        text.contains("transport.post (must)") && text.contains("Not passed"),
        "{text}"
    );
    for (what, text) in [("terminal", &text), ("page", &page), ("JUnit", &xml)] {
        assert!(
            !text.contains(['\u{1b}', '\u{7}']),
            "{what} has control characters"
        );
    }
    assert!(!text.contains('\u{202e}') && !page.contains('\u{202e}'));
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"));
    assert!(!page.contains("\" onload=\""));
    assert!(Document::parse(xml.as_bytes()).is_ok(), "{xml}");

    let json: Value = serde_json::from_str(&run(true)).unwrap();
    assert_eq!(json["passed"], false);
    let post = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["id"] == "transport.post")
        .unwrap();
    assert_eq!(post["outcome"], "failed");
    assert_eq!(post["severity"], "must");
    assert_eq!(post["exchanges"][0]["answer"]["body"], EVIL);
}

/// `docs/conform.md` lists the checks as they are; set `UPDATE_DOCS` to write it anew.
#[test]
fn the_document_lists_every_check() {
    const MARK: &str = "<!-- The checks: written by the test the_document_lists_every_check. -->\n";
    let mut list = String::new();
    for (_, name, checks) in AREAS {
        list.push_str(&format!(
            "\n## {name}\n\n| check | | what is tested | the rule |\n| --- | --- | --- | --- |\n"
        ));
        for check in checks {
            let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
            list.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                check.id,
                check.severity,
                cell(check.title),
                cell(check.rule)
            ));
        }
    }
    let file = workspace().join("docs/conform.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, written) = text.split_once(MARK).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{MARK}{list}")).unwrap();
    } else {
        assert_eq!(
            written, list,
            "docs/conform.md is not what is tested: set UPDATE_DOCS=1"
        );
    }
    let count = format!("{} checks", conform::checks().count());
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    assert!(
        before.contains(&count) && readme.contains(&count),
        "{count}"
    );
}
