//! MPay offline against the component: pages by plain HTTP, mischief by mischief with what becomes
//! of the order, the journal, and the PDF.

use std::{
    io::Write,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64ct::{Base64, Encoding};
use mpay_host::{Fault, Observer};
use mpay_offline::{Mischief, Options, Server};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wsse::Algorithms;

use crate::harness::*;

/// MPay offline in front of a provider, until it is dropped.
pub struct Offline {
    runtime: Runtime,
    server: Option<Server>,
    pub url: String,
    agent: ureq::Agent,
}

/// A page as it came.
pub struct Page {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Page {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Offline {
    pub fn start(provider: &Provider) -> Self {
        Self::start_with(&provider.url, |_| {})
    }

    pub fn start_with(provider: &str, change: impl FnOnce(&mut Options)) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            provider: provider.to_owned(),
            key: MPAY_KEY.to_owned(),
            certificate: MPAY.to_owned(),
            provider_certificate: SERVICE_CERTIFICATE.to_owned(),
            algorithms: Algorithms::SHA1,
            services: vec![SERVICE.to_owned(), "SCHOOL".to_owned()],
            orders: vec![(SERVICE.to_owned(), "DEMO&1".to_owned())],
            mischief: None,
            pause: Duration::from_millis(20),
        };
        change(&mut options);
        let server = runtime.block_on(mpay_offline::start(options)).unwrap();
        Self {
            url: server.url(),
            runtime,
            server: Some(server),
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_global(Some(Duration::from_secs(60)))
                .build()
                .new_agent(),
        }
    }

    pub fn get(&self, path: &str) -> Page {
        self.get_with(path, &[])
    }

    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::page(request.call().unwrap())
    }

    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.post_with(path, form, &[])
    }

    fn post_with(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::page(request.send_form(form.to_vec()).unwrap())
    }

    fn page(mut response: ureq::http::Response<ureq::Body>) -> Page {
        Page {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_vec().unwrap(),
        }
    }

    /// Pays an order as the page's form does, and gives the path of the payment.
    fn pay(&self, key: &str, form: &[(&str, &str)]) -> String {
        let mut fields = vec![
            ("ServiceID", SERVICE),
            ("OrderKey", key),
            ("outcome", "pay"),
        ];
        fields.extend(form);
        let page = self.post("/service/confirm", &fields);
        assert_eq!(page.status, 303, "{}", page.text());
        page.header("location").to_owned()
    }

    /// The page of a payment once it is not being confirmed any more.
    fn settled(&self, path: &str) -> String {
        for _ in 0..500 {
            let page = self.get(path).text();
            if !page.contains("http-equiv=\"refresh\"") {
                return page;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{path} is still being confirmed");
    }

    fn exchanges(&self) -> Vec<Value> {
        let journal = self.get("/journal.json").json();
        journal["exchanges"].as_array().unwrap().clone()
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let _ = self.runtime.block_on(server.stop());
        }
    }
}

fn flexible() -> Value {
    json!({
        "reason": {"ro": "Taxă școlară", "ru": "Школьный сбор", "en": "School fee"},
        "customer_name": "Ștefan Țurcanu", "customer_id": "2000000000004", "customer_type": "Person",
        "allow_partial_payments": true,
        "lines": [
            {"line_id": "a", "reason": {"ro": "Clasa întâi", "ru": "Первый класс"}, "amount_due": "1000.00"},
            {"line_id": "b", "reason": "Manuale", "amount_due": "500.50"}
        ],
        "properties": [
            {"name": "Adresa", "display_name": "Adresa", "value": "str. Ismail 1"},
            {"name": "Telefon", "display_name": {"ro": "Telefon", "ru": "Телефон"}, "value": "",
             "modifiable": true, "required": true}
        ]
    })
}

#[test]
fn each_order_of_a_name_is_offered_and_paid_under_its_own_key() {
    let provider = Provider::start();
    let named = |amount: &str, due: &str| {
        let mut order = order(amount);
        order["aliases"] = json!(["C-77/2026"]);
        order["due_date"] = json!(due);
        order
    };
    provider.register("LATE", named("20.00", "2099-12-31"));
    provider.register("SOON", named("1000.50", "2099-01-31"));
    let offline = Offline::start(&provider);
    let address = "/service/pay?ServiceID=TAX&OrderKey=c-77%2F2026&ReturnUrl=https%3A%2F%2Fa.md%2Fback&lang=en";
    let page = offline.get(address).text();
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    assert!(place("Several orders under this number") < place("SOON"));
    assert!(
        place("1\u{a0}000.50 MDL") < place("LATE"),
        "the first is due first"
    );
    assert!(
        page.contains("ServiceID=TAX&amp;OrderKey=LATE&amp;ReturnUrl=https%3A%2F%2Fa.md%2Fback")
    );
    let numbers = offline.get("/api/invoices?serviceID=TAX&orderKey=C-77%2F2026");
    let of = |key: &str| {
        let numbers = offline.get(&format!("/api/invoices?serviceID=TAX&orderKey={key}"));
        numbers.json()[0].clone()
    };
    assert_eq!(numbers.json(), json!([of("SOON"), of("LATE")]));
    // Nothing is paid before one is chosen.
    let fields = [
        ("ServiceID", SERVICE),
        ("OrderKey", "C-77/2026"),
        ("outcome", "pay"),
    ];
    let asked = offline.post("/service/confirm", &fields);
    assert_eq!(asked.status, 200, "{}", asked.text());
    assert_eq!(provider.ledger().len(), 0);
    let paid = offline.pay("LATE", &[]);
    offline.settled(&paid);
    assert_eq!(provider.order("LATE")["status"], "Paid");
    // The one that is left is shown at once, and paid under its own key as well.
    let page = offline.get(address).text();
    assert!(page.contains("value=\"SOON\""), "{page}");
    let paid = offline.pay("C-77/2026", &[]);
    offline.settled(&paid);
    assert_eq!(provider.order("SOON")["status"], "Paid");
    assert_eq!(provider.refusals().len(), 0);
}

#[test]
fn an_order_is_shown_paid_in_part_and_the_payer_goes_back() {
    let provider = Provider::start();
    provider.register("1", flexible());
    let offline = Offline::start(&provider);
    let back = "https://institution.example/thanks?order=1&x=2";
    let visit = [
        ("ServiceID", SERVICE),
        ("OrderKey", "1"),
        ("ReturnUrl", back),
    ];

    let page = offline.post("/service/pay", &visit);
    assert_eq!(page.status, 200);
    let text = page.text();
    for shown in [
        "Taxă școlară",
        "Ștefan Țurcanu",
        "2000000000004",
        "Clasa întâi",
        "1\u{a0}000.00 MDL",
        "1\u{a0}500.50",
        "str. Ismail 1",
        "Telefon",
        "Active",
        "Primăria Exemplu",
        "MD24AG000225100013104168",
        "name=\"amount\"",
        "Acesta nu este MPay",
    ] {
        assert!(text.contains(shown), "{shown} is missing: {text}");
    }

    // A required property is left empty, then an amount is too high: nothing is confirmed.
    let mut form = visit.to_vec();
    form.extend([("amount", "600"), ("outcome", "pay")]);
    let page = offline.post("/service/confirm", &form);
    assert_eq!(page.status, 422);
    assert!(
        page.text().contains("value=\"600\""),
        "what was typed is lost"
    );
    form.extend([("property-0", "+373 22 000000"), ("instrument", "instant")]);
    let too_much: Vec<_> = form
        .iter()
        .map(|&(name, value)| match name {
            "amount" => (name, "1500.51"),
            _ => (name, value),
        })
        .collect();
    assert_eq!(offline.post("/service/confirm", &too_much).status, 422);
    assert_eq!(provider.order("1")["amount_paid"], "0.00");

    let page = offline.post("/service/confirm", &form);
    assert_eq!(page.status, 303);
    let path = page.header("location").to_owned();
    let text = offline.settled(&path);
    assert!(text.contains("Plată confirmată"), "{text}");
    assert!(
        text.contains("href=\"https://institution.example/thanks?order=1&amp;x=2\""),
        "{text}"
    );
    assert!(text.contains("Plată instant MIA"), "{text}");

    let order = provider.order("1");
    assert_eq!(order["status"], "PartiallyPaid");
    assert_eq!(order["amount_paid"], "600.00");
    let payment = &provider.ledger()[0];
    assert_eq!(
        payment["properties"],
        json!([{"name": "Telefon", "value": "+373 22 000000"}])
    );
    assert_eq!(payment["invoice_id"].as_str().unwrap().len(), 14);
    assert!(path.ends_with(payment["payment_id"].as_str().unwrap()));
    // What remains is shown next time.
    assert!(
        offline
            .post("/service/pay", &visit)
            .text()
            .contains("900.50")
    );
}

#[test]
fn a_failed_payment_sends_nothing_to_the_provider() {
    let provider = Provider::start();
    provider.register("1", flexible());
    let offline = Offline::start(&provider);
    // What is required is not filled in, which does not matter then.
    let form = [
        ("ServiceID", SERVICE),
        ("OrderKey", "1"),
        ("outcome", "fail"),
        ("ReturnUrl", "http://a.example/"),
    ];
    let page = offline.post("/service/confirm", &form);
    let text = offline.get(page.header("location")).text();
    assert!(text.contains("Plata nu a reușit"), "{text}");
    for action in ["confirm", "mischief"] {
        let path = format!("{}/{action}", page.header("location"));
        offline.post(&path, &[("mischief", "repeat")]);
    }
    assert!(text.contains("href=\"http://a.example/\""), "{text}");
    assert_eq!(provider.order("1")["amount_paid"], "0.00");
    assert!(
        offline
            .exchanges()
            .iter()
            .all(|exchange| exchange["operation"] == "GetOrderDetails")
    );
}

#[test]
fn the_latest_answer_of_the_provider_decides_what_is_paid() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let form = [
        ("ServiceID", SERVICE),
        ("OrderKey", "1"),
        ("outcome", "pay"),
        ("amount", "10.00"),
    ];
    assert_eq!(
        offline.get("/service/pay?ServiceID=TAX&OrderKey=1").status,
        200
    );
    provider.register("1", order("12.00"));
    assert_eq!(offline.post("/service/confirm", &form).status, 422);
    assert_eq!(provider.order("1")["amount_paid"], "0.00");
}

#[test]
fn a_confirmation_is_repeated_until_the_provider_takes_it_or_the_payer_stops() {
    let broken = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&broken);
    let observer: Observer = Arc::new(move |call| {
        if call.operation.writes() && failing.load(Ordering::SeqCst) {
            Fault::Refuse
        } else {
            Fault::None
        }
    });
    let provider = Provider::start_with(&[], Some(observer));
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    broken.store(true, Ordering::SeqCst);
    let path = offline.pay("1", &[]);
    while !confirmations(&offline, "1").contains("InternalError InternalError") {
        let page = offline.get(&path).text();
        assert!(page.contains("http-equiv=\"refresh\""), "{page}");
    }
    offline.post(&format!("{path}/stop"), &[]);
    let page = offline.settled(&path);
    assert!(page.contains("Plata nu este confirmată"), "{page}");

    broken.store(false, Ordering::SeqCst);
    offline.post(&format!("{path}/confirm"), &[]);
    let page = offline.settled(&path);
    assert!(page.contains("Plată confirmată"), "{page}");
    let answers = confirmations(&offline, "1");
    assert_eq!(answers.matches("success").count(), 1, "{answers}");
    assert!(answers.ends_with("success"), "{answers}");
    assert_eq!(provider.order("1")["status"], "Paid");
    assert_eq!(provider.ledger().len(), 1);
}

/// Every mischief on a fresh order of 10.00: the verdict, what the confirmations were answered, the
/// order's status and what was paid by then.
#[test]
fn every_mischief_is_answered_right_by_the_component() {
    let provider = Provider::start();
    let offline = Offline::start(&provider);
    let refused = ("AuthenticationFailed", "Active", "0.00");
    for (mischief, answers, status, paid) in [
        ("repeat", "success success", "Paid", "10.00"),
        ("drop-answer", "success success", "Paid", "10.00"),
        ("other-amount", "success InvalidParameter", "Paid", "10.00"),
        ("late", "success", "Paid", "10.00"),
        ("stale", refused.0, refused.1, refused.2),
        ("wrong-key", refused.0, refused.1, refused.2),
        ("tampered", refused.0, refused.1, refused.2),
        ("sha256", "success", "Paid", "10.00"),
        ("wcf", "success", "Paid", "10.00"),
        ("wss4j", "success", "Paid", "10.00"),
        ("dot-net", "success", "Paid", "10.00"),
    ] {
        provider.register(mischief, order("10.00"));
        let path = offline.pay(mischief, &[("mischief", mischief), ("lang", "en")]);
        let page = offline.get(&format!("{path}?lang=en")).text();
        assert!(
            page.contains(&format!("data-mischief=\"{mischief}\"")),
            "{page}"
        );
        assert!(!page.contains(">wrong<"), "{mischief}: {page}");
        assert_eq!(confirmations(&offline, mischief), answers, "{mischief}");
        let order = provider.order(mischief);
        assert_eq!(order["status"], status, "{mischief}: {order}");
        assert_eq!(order["amount_paid"], paid, "{mischief}: {order}");
        assert_eq!(
            order["payments"].as_array().unwrap().len(),
            usize::from(paid != "0.00"),
            "{order}"
        );
        // What was refused is confirmed properly after that, once.
        offline.post(&format!("{path}/confirm"), &[]);
        offline.settled(&path);
        assert_eq!(
            provider.order(mischief)["amount_paid"],
            "10.00",
            "{mischief}"
        );
    }
}

#[test]
fn two_confirmations_at_once_are_one_payment() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[("mischief", "twice")]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert!(!page.contains(">wrong<"), "{page}");
    let answers = confirmations(&offline, "1");
    assert!(
        answers.contains("success") && answers.ends_with("success"),
        "{answers}"
    );
    assert_eq!(answers.split(' ').count(), 3, "{answers}");
    assert_eq!(provider.order("1")["amount_paid"], "10.00");
    assert_eq!(provider.ledger().len(), 1);
}

#[test]
fn a_payment_for_an_order_that_has_expired_is_taken_and_flagged() {
    let provider = Provider::start();
    let mut expired = order("10.00");
    expired["due_date"] = json!("2020-01-01");
    provider.register("1", expired);
    let offline = Offline::start(&provider);
    let page = offline
        .get("/service/pay?ServiceID=TAX&OrderKey=1&lang=en")
        .text();
    assert!(page.contains("cannot be paid in this state"), "{page}");
    assert!(page.contains("value=\"after-expiry\" selected"), "{page}");
    let path = offline.pay("1", &[("mischief", "after-expiry")]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert!(
        page.contains(">right<") && !page.contains(">wrong<"),
        "{page}"
    );
    let order = provider.order("1");
    assert_eq!(order["status"], "Paid");
    assert_eq!(order["payments"][0]["review"], json!(["late"]));
}

#[test]
fn for_an_order_that_has_not_expired_there_is_no_expiry_to_rehearse() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[("mischief", "after-expiry")]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert!(page.contains("The order has not expired"), "{page}");
    assert!(!page.contains(">right<"), "{page}");
    assert_eq!(confirmations(&offline, "1"), "");
    assert_eq!(provider.order("1")["amount_paid"], "0.00");
}

#[test]
fn the_page_after_a_payment_has_the_answer_of_the_provider_already() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert!(page.contains("Payment confirmed"), "{page}");
}

#[test]
fn the_start_page_offers_orders_and_payers_read_their_status() {
    let provider = Provider::start();
    provider.register("DEMO%261", order("10.00"));
    let offline = Offline::start(&provider);
    let start = offline.get("/?lang=ro").text();
    let link = "/service/pay?ServiceID=TAX&amp;OrderKey=DEMO%261";
    assert!(start.contains(link), "{start}");
    let path = link.replace("&amp;", "&");
    for (language, status) in [
        ("ro", "De achitat"),
        ("ru", "К оплате"),
        ("en", "To be paid"),
    ] {
        let page = offline.get(&format!("{path}&lang={language}")).text();
        assert!(page.contains(status) && page.contains("Active"), "{page}");
    }
    assert_eq!(offline.post("/PosTerminal/Configure", &[]).status, 200);
}

#[test]
fn every_mischief_can_be_played_on_a_payment_that_is_confirmed() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[]);
    offline.settled(&path);
    for mischief in [
        "repeat",
        "twice",
        "drop-answer",
        "other-amount",
        "late",
        "after-expiry",
        "stale",
        "wrong-key",
        "tampered",
        "sha256",
        "wcf",
        "wss4j",
        "dot-net",
    ] {
        let page = offline.post(&format!("{path}/mischief"), &[("mischief", mischief)]);
        assert_eq!(page.status, 303);
    }
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert_eq!(page.matches("data-mischief=").count(), 13);
    assert!(!page.contains(">wrong<"), "{page}");
    assert_eq!(provider.order("1")["amount_paid"], "10.00");
    assert_eq!(provider.ledger().len(), 1);
}

#[test]
fn a_provider_that_does_wrong_is_told_so() {
    // It takes no SHA-1, so it refuses what WCF sends today.
    let sha256 = |options: &mut Options| {
        options.algorithms = Algorithms::SHA256;
        options.mischief = Some(Mischief::Wcf);
    };
    let strict = Provider::start_with(&[("accept_sha1", "false")], None);
    strict.register("1", order("10.00"));
    let offline = Offline::start_with(&strict.url, sha256);
    let page = offline.get("/service/pay?ServiceID=TAX&OrderKey=1").text();
    assert!(page.contains("value=\"wcf\" selected"), "{page}");
    let path = offline.pay("1", &[("mischief", "wcf")]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    // The answer, what is due after it, and so the whole.
    assert_eq!(page.matches(">wrong<").count(), 3, "{page}");
    assert!(page.contains("The payment is not confirmed"), "{page}");
    assert_eq!(strict.order("1")["amount_paid"], "0.00");
}

#[test]
fn the_journal_keeps_both_messages_and_why_an_answer_is_not_believed() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[]);
    offline.settled(&path);
    let exchanges = offline.exchanges();
    let confirmation = exchanges.last().unwrap();
    assert_eq!(confirmation["operation"], "ConfirmOrderPayment");
    assert_eq!(confirmation["verified"], true);
    assert_eq!(confirmation["answer"]["status"], 200);
    assert!(confirmation["signing_ms"].as_f64().is_some());
    let number = confirmation["number"].as_u64().unwrap();
    let request = offline.get(&format!("/journal/{number}/request.xml"));
    assert_eq!(request.text(), confirmation["request"].as_str().unwrap());
    assert!(
        request
            .header("content-disposition")
            .starts_with("attachment")
    );
    let answer = offline.get(&format!("/journal/{number}/answer.xml"));
    assert_eq!(
        answer.text(),
        confirmation["answer"]["body"].as_str().unwrap()
    );
    // The evidence that the provider keeps is what the journal says was sent and came back.
    let id = confirmation["payment_id"].as_str().unwrap();
    let kept = provider.api("GET", &format!("payments/{id}/evidence?format=xml"), None);
    assert_eq!(kept.body.as_str().unwrap(), request.text());
    let page = offline.get(&format!("/journal/{number}?lang=en")).text();
    assert!(
        page.contains("&lt;TotalAmount&gt;10.00&lt;/TotalAmount&gt;"),
        "{page}"
    );
    assert!(page.contains(">verified<"), "{page}");

    // Another certificate is expected: the answer is shown, and not believed.
    let other = Offline::start_with(&provider.url, |options| {
        options.provider_certificate = STRANGER.to_owned();
    });
    assert_eq!(
        other.get("/service/pay?ServiceID=TAX&OrderKey=1").status,
        502
    );
    let exchange = &other.exchanges()[0];
    assert_eq!(exchange["verified"], false);
    assert_eq!(exchange["outcome"]["kind"], "unusable");
    let page = other.get("/journal?lang=en").text();
    assert!(page.contains(">not verified<"), "{page}");

    // Nobody is there.
    let nobody = Offline::start_with("http://127.0.0.1:1/", |_| {});
    assert_eq!(
        nobody.get("/service/pay?ServiceID=TAX&OrderKey=1").status,
        502
    );
    assert_eq!(nobody.exchanges()[0]["outcome"]["kind"], "unreachable");
    assert_eq!(nobody.exchanges()[0]["answer"], Value::Null);
}

#[test]
fn texts_of_strangers_are_shown_and_not_run() {
    let provider = Provider::start();
    let hostile = "<script>alert(1)</script>\"'&";
    provider.register("1", json!({
        "reason": hostile, "customer_name": hostile,
        "lines": [{"line_id": hostile, "reason": hostile, "amount_due": "10.00"}],
        "properties": [{"name": "x", "display_name": hostile, "value": hostile, "modifiable": true}]
    }));
    let offline = Offline::start(&provider);
    let key = "<b onclick=x>'\"&";
    let pages = [
        offline.get("/service/pay?ServiceID=TAX&OrderKey=1&ReturnUrl=javascript:alert(1)"),
        offline.post(
            "/service/pay",
            &[("ServiceID", key), ("OrderKey", key), ("ReturnUrl", key)],
        ),
        offline.get(&offline.pay(
            "1",
            &[
                ("property-0", hostile),
                ("ReturnUrl", "javascript:alert(1)"),
            ],
        )),
        offline.get("/journal"),
        offline.get("/journal/1"),
        offline.get("/"),
    ];
    for page in pages {
        let text = page.text();
        for raw in ["<script", "<b onclick", "href=\"javascript", "'\"&<"] {
            assert!(!text.to_ascii_lowercase().contains(raw), "{raw}: {text}");
        }
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("script"),
            "{policy}"
        );
    }
}

#[test]
fn pages_speak_three_languages_by_query_cookie_and_browser() {
    let provider = Provider::start();
    provider.register("1", flexible());
    let offline = Offline::start(&provider);
    let path = "/service/pay?ServiceID=TAX&OrderKey=1";
    let language = |query: &str, headers: &[(&str, &str)]| {
        let page = offline.get_with(&format!("{path}{query}"), headers);
        let text = page.text();
        let found =
            ["Taxă școlară", "Школьный сбор", "School fee"].map(|reason| text.contains(reason));
        let lang = ["ro", "ru", "en"].map(|code| text.contains(&format!("<html lang=\"{code}\"")));
        assert_eq!(found, lang, "{text}");
        let at = found.iter().position(|found| *found).unwrap();
        (["ro", "ru", "en"][at], page.header("set-cookie").to_owned())
    };
    assert_eq!(language("", &[]), ("ro", String::new()));
    let browser = ("accept-language", "ru-MD,ru;q=0.9,en;q=0.5");
    assert_eq!(language("", &[browser]).0, "ru");
    assert_eq!(language("", &[browser, ("cookie", "lang=en")]).0, "en");
    let (asked, cookie) = language("&lang=ru", &[("cookie", "lang=en")]);
    assert_eq!(asked, "ru");
    assert!(cookie.starts_with("lang=ru;"), "{cookie}");
}

#[test]
fn only_this_machine_and_this_site_may_press_buttons() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    assert_eq!(
        offline
            .get_with("/journal", &[("host", "evil.example")])
            .status,
        421
    );
    let visit = [
        ("ServiceID", SERVICE),
        ("OrderKey", "1"),
        ("outcome", "pay"),
    ];
    let elsewhere = [("sec-fetch-site", "cross-site")];
    assert_eq!(
        offline
            .post_with("/service/confirm", &visit, &elsewhere)
            .status,
        403
    );
    assert_eq!(provider.order("1")["amount_paid"], "0.00");
    // Where providers' pages send payers, they come from elsewhere.
    assert_eq!(
        offline.post_with("/service/pay", &visit, &elsewhere).status,
        200
    );
    assert_eq!(
        offline
            .post_with("/PosTerminal/Pay/TAX/1", &[], &elsewhere)
            .status,
        200
    );
    assert_eq!(
        offline
            .post("/service/pay", &[("ServiceID", SERVICE)])
            .status,
        400
    );
    assert_eq!(offline.get("/payments/none").status, 404);
    assert_eq!(offline.get("/journal/7777").status, 404);
}

#[test]
fn an_operator_of_a_terminal_comes_by_order_or_by_invoice() {
    let provider = Provider::start();
    provider.register("A%2F1", order("10.00"));
    let offline = Offline::start(&provider);
    let page = offline.post("/PosTerminal/Pay/TAX/A%2F1", &[]);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("card-at-terminal"), "{}", page.text());
    let ids = offline
        .get("/api/invoices?serviceID=TAX&orderKey=A%2F1")
        .json();
    let id = ids[0].as_str().unwrap().to_owned();
    let page = offline.post(&format!("/PosTerminal/PayInvoice/{id}"), &[]);
    assert_eq!(page.status, 200);
    assert!(page.text().contains(&id), "{}", page.text());
    assert_eq!(offline.post("/PosTerminal/PayInvoice/1", &[]).status, 404);
    // After a start the number is the same.
    let again = Offline::start(&provider);
    assert_eq!(
        again
            .get("/api/invoices?serviceID=TAX&orderKey=A%2F1")
            .json()[0],
        id.as_str()
    );
    assert_eq!(
        again
            .get("/api/invoices?serviceID=TAX&orderKey=none")
            .json(),
        json!([])
    );
    assert_eq!(again.get("/api/invoices?serviceID=TAX").status, 400);
}

#[test]
fn invoices_are_real_pdfs_in_two_formats_with_all_letters() {
    let provider = Provider::start();
    provider.register("1", flexible());
    let offline = Offline::start(&provider);
    let query = "serviceID=TAX&orderKey=1";
    let number = offline.get(&format!("/api/invoices?{query}")).json()[0]
        .as_str()
        .unwrap()
        .to_owned();
    let download = offline.get(&format!("/api/Invoices/DownloadInvoicePdf?{query}"));
    assert_eq!(download.header("content-type"), "application/octet-stream");
    assert!(
        download
            .header("content-disposition")
            .contains(&format!("Nota de plata {number}.pdf"))
    );
    assert!(download.body.starts_with(b"%PDF-"));
    let bytes = offline.get(&format!(
        "/api/Invoices/GetPdfInvoiceBytes?{query}&pageFormat=A5"
    ));
    assert_eq!(
        bytes.header("content-type"),
        "application/json; charset=utf-8"
    );
    let a5 = Base64::decode_vec(bytes.json().as_str().unwrap()).unwrap();
    let russian = offline.get(&format!("/api/Invoices/DownloadInvoicePdf?{query}&lang=ru"));
    assert_eq!(
        offline
            .get(&format!(
                "/api/Invoices/DownloadInvoicePdf?{query}&pageFormat=A3"
            ))
            .status,
        400
    );
    assert_eq!(
        offline
            .get("/api/Invoices/DownloadInvoicePdf?serviceID=TAX&orderKey=none")
            .status,
        404
    );

    if std::env::var_os("MPAY_SCREENSHOTS").is_some() {
        let folder = workspace().join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("invoice-a4.pdf"), &download.body).unwrap();
        std::fs::write(folder.join("invoice-a5.pdf"), &a5).unwrap();
    }
    if !has_pdftotext() {
        return;
    }
    for (pdf, words) in [
        (
            &download.body,
            [
                "Taxă școlară",
                "Ștefan Țurcanu",
                "Clasa întâi",
                "Primăria Exemplu",
            ],
        ),
        (
            &a5,
            [
                "Taxă școlară",
                "Ștefan Țurcanu",
                "Clasa întâi",
                "Primăria Exemplu",
            ],
        ),
        (
            &russian.body,
            [
                "Школьный сбор",
                "Ștefan Țurcanu",
                "Первый класс",
                "Счёт к оплате",
            ],
        ),
    ] {
        let text = text_of(pdf);
        for word in
            words
                .into_iter()
                .chain([number.as_str(), "1 500.50 MDL", "MD24AG000225100013104168"])
        {
            assert!(text.contains(word), "{word} is missing: {text}");
        }
    }
    assert_eq!(sizes(&download.body), "595 x 842");
    assert_eq!(sizes(&a5), "420 x 595");
}

#[test]
fn a_long_invoice_goes_over_several_pages() {
    let provider = Provider::start();
    let lines: Vec<_> = (1..=60)
        .map(|n| json!({"line_id": n.to_string(), "reason": format!("Poziția numărul {n}"), "amount_due": "1.00"}))
        .collect();
    provider.register("1", json!({"reason": "Lungă", "lines": lines}));
    let offline = Offline::start(&provider);
    let pdf = offline
        .get("/api/Invoices/DownloadInvoicePdf?serviceID=TAX&orderKey=1")
        .body;
    if !has_pdftotext() {
        return;
    }
    let text = text_of(&pdf);
    for shown in [
        "Poziția numărul 1",
        "Poziția numărul 60",
        "60.00 MDL",
        "Pagina 2/",
    ] {
        assert!(text.contains(shown), "{shown} is missing: {text}");
    }
}

/// What the confirmations of an order were answered, in their order.
fn confirmations(offline: &Offline, key: &str) -> String {
    let mut answers = Vec::new();
    for exchange in offline.exchanges() {
        if exchange["operation"] == "ConfirmOrderPayment" && exchange["order_key"] == key {
            let outcome = &exchange["outcome"];
            let answer = outcome["code"].as_str().or(outcome["kind"].as_str());
            answers.push(answer.unwrap().to_owned());
        }
    }
    answers.join(" ")
}

fn has_pdftotext() -> bool {
    let found = Command::new("pdftotext").arg("-v").output().is_ok();
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "pdftotext is not installed"
        );
        // Not by `println`, which the test harness would swallow.
        let _ = writeln!(
            std::io::stderr(),
            "left out for want of pdftotext: texts of PDFs"
        );
    }
    found
}

/// The text of a PDF, in lines, with plain spaces.
fn text_of(pdf: &[u8]) -> String {
    run_on(pdf, "pdftotext", &["-layout", "-enc", "UTF-8"]).replace('\u{a0}', " ")
}

/// The size of a PDF's pages, in points.
fn sizes(pdf: &[u8]) -> String {
    let info = run_on(pdf, "pdfinfo", &[]);
    let line = info
        .lines()
        .find(|line| line.starts_with("Page size:"))
        .unwrap();
    line.split_whitespace()
        .skip(2)
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

fn run_on(pdf: &[u8], tool: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("invoice.pdf");
    std::fs::write(&file, pdf).unwrap();
    let mut command = Command::new(tool);
    command.args(arguments).arg(&file);
    if tool == "pdftotext" {
        command.arg("-");
    }
    let output = command.output().unwrap();
    // Poppler warns of what is wrong with a file, and shows it all the same.
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}
