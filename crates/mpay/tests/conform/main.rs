//! `mpay conform` put to the test itself: it passes on the built component, and on providers that
//! break one rule each it fails by name. Those are a proxy in front of the component that changes
//! one thing and signs again.

mod answers;
mod command;
mod payments;
mod signatures;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
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
const MPAY_KEY: &str = include_str!("../../../wsse/tests/data/mpay.key.pem");
const MPAY: &str = include_str!("../../../wsse/tests/data/mpay.pem");
const SERVICE_KEY: &str = include_str!("../../../wsse/tests/data/service.key.pem");
const SERVICE_CERTIFICATE: &str = include_str!("../../../wsse/tests/data/service.pem");
const STRANGER_KEY: &str = include_str!("../../../wsse/tests/data/stranger.key.pem");
const STRANGER: &str = include_str!("../../../wsse/tests/data/stranger.pem");
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
            6,
            json!({"lines": [line("1", "100")], "allow_partial_payments": true}),
        ),
        (
            "partial_lines",
            8,
            json!({"lines": [line("1", "10"), line("2", "20")], "allow_partial_payments": true}),
        ),
        (
            "large",
            2,
            json!({"lines": [line("1", "30000000")], "allow_partial_payments": true}),
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

/// Puts a wrong provider to the test: of the areas of these checks, exactly they fail. The other areas are left
/// out, as they take most of the time; that no check fails for nothing is seen on the right provider.
#[track_caller]
fn fails(
    mutant: impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static,
    expected: &[&str],
) {
    fails_after(&[], mutant, expected);
}

/// The same for a provider that is wrong only if it was asked what these areas ask.
#[track_caller]
fn fails_after(
    areas: &[&str],
    mutant: impl Fn(Call, &dyn Fn(Call) -> Reply) -> Reply + Send + Sync + 'static,
    expected: &[&str],
) {
    let url = serve(&PROVIDER, Arc::new(mutant));
    let of_expected = expected.iter().filter_map(|id| id.split_once('.'));
    let of_expected = of_expected.map(|(area, _)| area);
    let areas: BTreeSet<_> = areas.iter().copied().chain(of_expected).collect();
    let mut options = PROVIDER.options(&url);
    options.only = areas.into_iter().map(str::to_owned).collect();
    let report = conform::run(options, &mut |_, _| {}).unwrap();
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

/// True if MPay signed the message, for a reader with this policy.
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

/// The operation that a reader without any doubt takes from a message: the first child of the first
/// Body, signed by MPay just now. Headers that must be understood go with it.
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

/// True if the signature is an HMAC under this key.
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
