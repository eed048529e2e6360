//! MPay offline in a real browser, whose scripts are turned off.
//!
//! With `MPAY_SCREENSHOTS` set, the pages are kept as pictures: those of [`DOCUMENTED`] in
//! `docs/screenshots`, the others in `target/screenshots`.

use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::{axe, harness::*, offline::Offline};

/// A headless Chromium, by the WebDriver protocol (W3C), which is a few calls of JSON.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    /// The faults of pages.
    findings: RefCell<Vec<String>>,
}

/// The key under which WebDriver gives elements (section 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The pictures that documents show: of what a screen holds.
const DOCUMENTED: [&str; 36] = [
    "amend-desktop-ro",
    "amend-phone-ro",
    "history-desktop-ro",
    "history-dark-desktop-ro",
    "history-phone-ro",
    "cards-dark-desktop-ro",
    "cards-desktop-ro",
    "cards-phone-ro",
    "card-of-payer-desktop-ro",
    "card-of-payer-phone-ro",
    "personal-desktop-ro",
    "personal-phone-ro",
    "connection-dark-phone-ro",
    "connection-desktop-ro",
    "connection-phone-ro",
    "notices-desktop-ro",
    "notices-phone-ro",
    "card-order-phone-ro",
    "card-form-phone-ro",
    "card-secure-phone-ro",
    "card-confirmed-phone-ro",
    "card-refund-desktop-ro",
    "import-columns-desktop-ro",
    "proposal-desktop-ro",
    "import-dark-desktop-ro",
    "import-desktop-ro",
    "notice-desktop-ro",
    "order-dark-phone-ro",
    "order-phone-ro",
    "today-dark-desktop-ro",
    "today-desktop-ro",
    "start-phone-ru",
    "invoice-desktop-ro",
    "confirming-phone-ru",
    "trial-desktop-en",
    "journal-desktop-en",
];

impl Browser {
    /// `None` where there is no Chromium with its driver.
    pub fn start() -> Option<Self> {
        let found = |name: &str| Command::new(name).arg("--version").output().is_ok();
        if !found("chromedriver") || !found("chromium") {
            let name = "chromium with chromedriver";
            assert!(std::env::var_os("CI").is_none(), "{name} is missing");
            // Not by `println`, which the test harness would swallow.
            let _ = writeln!(std::io::stderr(), "left out for want of {name}");
            return None;
        }
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver names its port");
        // Or it would wait for somebody to read on.
        std::thread::spawn(move || lines.for_each(drop));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .new_agent();
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent,
            findings: RefCell::default(),
        };
        let session = browser.call("", &json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            // An element may come with the page that a click has asked for a moment ago.
            "timeouts": {"implicit": 30000},
            "goog:chromeOptions": {
                // The sandbox needs what a container does not give.
                "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--hide-scrollbars", "--force-color-profile=srgb", "--lang=ro", "--accept-lang=ro"],
                "prefs": {"profile.managed_default_content_settings.javascript": 2}
            }
        }}}));
        browser.session = format!(
            "{}/{}",
            browser.session,
            session["sessionId"].as_str().unwrap()
        );
        browser.size(1280, 900);
        browser.open("data:text/html,<title>off</title><script>document.title='on'</script>");
        assert_eq!(
            browser.evaluate("return document.title"),
            "off",
            "scripts run"
        );
        Some(browser)
    }

    fn call(&self, command: &str, body: &Value) -> Value {
        let url = format!("{}{command}", self.session);
        let mut response = self.agent.post(url).send_json(body).unwrap();
        let answer: Value = response.body_mut().read_json().unwrap();
        assert!(response.status().is_success(), "{command} {body}: {answer}");
        answer["value"].clone()
    }

    fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.call(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// The size of the window, as of a phone where it is narrow.
    pub fn size(&self, width: u32, height: u32) {
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600
            }),
        );
    }

    pub fn open(&self, url: &str) {
        self.call("/url", &json!({"url": url}));
    }

    /// The file at a link of the page, fetched with the browser's own cookies, since the browser would
    /// save it.
    pub fn download(&self, link: &str) -> Vec<u8> {
        let url = format!("{}/cookie", self.session);
        let mut answer = self.agent.get(url).call().unwrap();
        let answer: Value = answer.body_mut().read_json().unwrap();
        let cookies = answer["value"].as_array().unwrap().iter();
        let pair = |name: &Value, value: &Value| {
            format!("{}={}", name.as_str().unwrap(), value.as_str().unwrap())
        };
        let cookies = cookies.map(|cookie| pair(&cookie["name"], &cookie["value"]));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let request = self.agent.get(link).header("Cookie", cookies);
        let mut response = request.call().unwrap();
        assert_eq!(response.status(), 200, "{link}");
        let media_type = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(media_type, "application/zip", "{link}");
        response.body_mut().read_to_vec().unwrap()
    }

    pub fn url(&self) -> String {
        let url = format!("{}/url", self.session);
        let answer: Value = self
            .agent
            .get(url)
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap();
        answer["value"].as_str().unwrap().to_owned()
    }

    pub fn element(&self, selector: &str) -> String {
        let found = self.call(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.call(&format!("/element/{element}/click"), &json!({}));
    }

    /// Clicks on a link or a button that leads on, and waits for the page it leads to. A click alone may be
    /// over before the browser has asked for that page, and whatever is opened next would cancel the question.
    pub fn follow(&self, selector: &str) {
        let element = self.element(selector);
        self.evaluate("document.documentElement.dataset.left = ''");
        self.call(&format!("/element/{element}/click"), &json!({}));
        let is_there = "return document.readyState === 'complete' && !('left' in document.documentElement.dataset)";
        for _ in 0..600 {
            if self.evaluate(is_there) == true {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{selector} leads to no page: {}", self.text());
    }

    /// Writes into a field, instead of what is there.
    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.call(&format!("/element/{element}/clear"), &json!({}));
        self.call(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Chooses a file of this machine.
    pub fn choose(&self, selector: &str, file: &std::path::Path) {
        let element = self.element(selector);
        self.call(
            &format!("/element/{element}/value"),
            &json!({"text": file.to_str().unwrap()}),
        );
    }

    /// Shows what a browser shows that is set to this.
    pub fn dark(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.cdp("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Judges the page as it is shown: on a phone and on a desk, light and dark. Afterwards it is on a desk
    /// and light. What is found of all pages fails the test at its end.
    pub fn judge(&self, what: &str) {
        for (width, height) in [(390, 844), (1280, 900)] {
            self.size(width, height);
            let mut found = Vec::new();
            let shown = self.evaluate("return document.documentElement.scrollWidth");
            if shown.as_u64().unwrap() > width.into() {
                found.push(json!(format!("is {shown} wide")));
            }
            for is_dark in [true, false] {
                self.dark(is_dark);
                found.extend(self.violations());
            }
            if !found.is_empty() {
                let finding = format!("{what} where there is {width}: {found:#?}");
                self.findings.borrow_mut().push(finding);
            }
        }
    }

    /// The violations that axe-core finds on the page; none if axe-core is not available.
    fn violations(&self) -> Vec<Value> {
        let Some(axe) = axe::script() else {
            return Vec::new();
        };
        // A page whose scripts are turned off has no timers.
        self.evaluate(&format!(
            "window.setTimeout = (deed, wait, ...values) => {{ if (!(wait > 50)) Promise.resolve().then(() => deed(...values)); return 0 }}; {axe}"
        ));
        let found = self.evaluate(
            "return axe.run(document, {preload: false, iframes: false, resultTypes: ['violations']})
                .then(found => found.violations.flatMap(rule => rule.nodes.map(node => ({
                    rule: rule.id, help: rule.help, node: node.html, why: node.failureSummary}))))",
        );
        // The page that waits has a link to stop that (WCAG 2.2, success criterion 2.2.1).
        let may_reload = self.evaluate("return !!document.querySelector('#stay')");
        let is_wrong = |finding: &&Value| may_reload != true || finding["rule"] != "meta-refresh";
        let found = found.as_array().unwrap();
        found.iter().filter(is_wrong).cloned().collect()
    }

    /// Presses the Tab key, and says what has the focus then: its name, its address or what it says.
    /// `None` once the page is left.
    pub fn tab(&self) -> Option<String> {
        for kind in ["keyDown", "keyUp"] {
            let key =
                json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
            self.cdp("Input.dispatchKeyEvent", key);
        }
        let focus = self.evaluate(
            "const it = document.activeElement;
             if (!it || it === document.body) return null;
             const style = getComputedStyle(it), box = it.getBoundingClientRect();
             return {
                 name: it.getAttribute('name') || (it.getAttribute('href') || it.innerText).split('?')[0],
                 seen: style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2
                     && box.width > 0 && box.left >= 0 && box.top >= 0 && box.bottom <= innerHeight}",
        );
        let name = focus["name"].as_str()?.to_owned();
        assert_eq!(focus["seen"], true, "the focus is not seen on {name}");
        Some(name)
    }

    pub fn press_enter(&self, selector: &str) {
        let element = self.element(selector);
        self.call(
            &format!("/element/{element}/value"),
            &json!({"text": "\u{e007}"}),
        );
    }

    pub fn evaluate(&self, script: &str) -> Value {
        self.call("/execute/sync", &json!({"script": script, "args": []}))
    }

    pub fn text(&self) -> String {
        // A page that is on its way has no body yet.
        let text = self.evaluate("return document.body ? document.body.innerText : ''");
        text.as_str().unwrap().to_owned()
    }

    /// Waits for a text on the page.
    pub fn wait_for(&self, text: &str) {
        for _ in 0..600 {
            if self.text().contains(text) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{text} does not come: {}", self.text());
    }

    /// Keeps the page as a picture, light and dark, if that is asked for.
    pub fn light_and_dark(&self, name: &str, kind: &str) {
        self.picture(&format!("{name}-{kind}"));
        self.dark(true);
        self.picture(&format!("{name}-dark-{kind}"));
        self.dark(false);
    }

    /// Keeps the page as a picture, if that is asked for.
    pub fn picture(&self, name: &str) {
        if std::env::var_os("MPAY_SCREENSHOTS").is_none() {
            return;
        }
        let documented = DOCUMENTED.contains(&name);
        let folder = if documented {
            "docs/screenshots"
        } else {
            "target/screenshots"
        };
        let folder = workspace().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let parameters = json!({"format": "png", "captureBeyondViewport": !documented});
        let picture = self.cdp("Page.captureScreenshot", parameters);
        let bytes = Base64::decode_vec(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let findings = self.findings.borrow();
        assert!(
            std::thread::panicking() || findings.is_empty(),
            "{}",
            findings.join("\n")
        );
    }
}

/// The institution's own site: a page with a button that posts to MPay, and the page that payers
/// come back to.
struct Institution {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Institution {
    fn start(mpay: &str, key: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Another site than MPay offline's 127.0.0.1.
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let page = format!(
            "<!DOCTYPE html><form method=post action='{mpay}/service/pay'>\
             <input type=hidden name=ServiceID value='{SERVICE}'>\
             <input type=hidden name=OrderKey value='{key}'>\
             <input type=hidden name=ReturnUrl value='{url}/back?order={key}&amp;from=mpay'>\
             <button>Pay</button></form>"
        );
        let requests = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A browser opens connections that it may never use.
                let (page, requests) = (page.clone(), Arc::clone(&requests));
                std::thread::spawn(move || serve(stream, &page, &requests));
            }
        });
        Self { url, seen }
    }
}

fn serve(mut stream: TcpStream, page: &str, requests: &Mutex<Vec<String>>) {
    let mut request = vec![0; 8192];
    let length = stream.read(&mut request).unwrap_or(0);
    let text = String::from_utf8_lossy(&request[..length]);
    let line = text.lines().next().unwrap_or_default().to_owned();
    let body = if line.contains("/back") {
        "<p>Thank you"
    } else {
        page
    };
    requests.lock().unwrap().push(line);
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn school_fee() -> Value {
    json!({
        "reason": {"ro": "Taxă de studii, semestrul I", "ru": "Плата за обучение, I семестр", "en": "Tuition fee, first semester"},
        "customer_name": "Ștefania Țurcanu", "customer_id": "2000000000004", "customer_type": "Person",
        "allow_partial_payments": true, "due_date": "2099-12-31", "issued_at": "2026-09-01",
        "lines": [
            {"line_id": "a", "reason": {"ro": "Studii", "ru": "Обучение", "en": "Tuition"}, "amount_due": "12500.00"},
            {"line_id": "b", "reason": {"ro": "Cămin", "ru": "Общежитие", "en": "Dormitory"}, "amount_due": "1800.50"}
        ],
        "properties": [
            {"name": "Facultatea", "display_name": {"ro": "Facultatea", "ru": "Факультет", "en": "Faculty"}, "value": "Matematică"},
            {"name": "Telefon", "display_name": {"ro": "Telefon", "ru": "Телефон", "en": "Telephone"}, "value": "",
             "modifiable": true, "required": true}
        ]
    })
}

#[test]
fn a_payer_comes_from_the_institution_pays_and_goes_back_without_scripts() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let provider = Provider::start();
    provider.register("2026-17", school_fee());
    let offline = Offline::start(&provider);
    let institution = Institution::start(&offline.url, "2026-17");

    browser.open(&institution.url);
    browser.follow("button");
    browser.wait_for("Taxă de studii, semestrul I");
    browser.picture("invoice-desktop-ro");
    browser.follow("a[hreflang=ru]");
    browser.wait_for("Плата за обучение, I семестр");
    browser.follow("a[hreflang=en]");
    browser.wait_for("Tuition fee, first semester");
    browser.fill("input[name=amount]", "5000");
    browser.fill("input[name=property-0]", "+373 22 000000");
    browser.click("input[value=instant]");
    browser.follow("button[value=pay]");
    browser.wait_for("Payment confirmed");
    browser.picture("confirmed-desktop-en");
    assert_eq!(provider.order("2026-17")["amount_paid"], "5000.00");
    let payment = &provider.ledger()[0];
    assert_eq!(payment["properties"][0]["value"], "+373 22 000000");

    browser.follow("#return");
    browser.wait_for("Thank you");
    assert_eq!(
        browser.url(),
        format!("{}/back?order=2026-17&from=mpay", institution.url)
    );
    let seen = institution.seen.lock().unwrap().clone();
    assert!(
        seen.contains(&"GET /back?order=2026-17&from=mpay HTTP/1.1".to_owned()),
        "{seen:?}"
    );
}

#[test]
fn a_payer_picks_the_service_types_the_number_and_watches_the_attempts() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use mpay_host::Fault;

    let Some(browser) = Browser::start() else {
        return;
    };
    let broken = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&broken);
    let provider = Provider::start_with(
        &[],
        Some(Arc::new(move |call| {
            if call.operation.writes() && failing.load(Ordering::SeqCst) {
                Fault::Refuse
            } else {
                Fault::None
            }
        })),
    );
    let mut bill = order("250.00");
    bill["allow_partial_payments"] = json!(true);
    provider.register("100", bill);
    let offline = Offline::start(&provider);
    browser.open(&format!("{}/?lang=ru", offline.url));
    browser.size(390, 844);
    browser.picture("start-phone-ru");
    browser.fill("input[name=OrderKey]", "100");
    // By the Enter key, which must press the right button.
    browser.press_enter("input[name=OrderKey]");
    browser.wait_for("Счёт к оплате");
    broken.store(true, Ordering::SeqCst);
    browser.press_enter("input[name=amount]");
    browser.wait_for("Следующая попытка через");
    browser.wait_for("InternalError");
    browser.picture("confirming-phone-ru");
    assert_eq!(provider.order("100")["amount_paid"], "0.00");
    broken.store(false, Ordering::SeqCst);
    // The page reloads by itself, and an attempt succeeds.
    browser.wait_for("Платёж подтверждён");
    browser.picture("confirmed-phone-ru");
    assert_eq!(provider.order("100")["amount_paid"], "250.00");
    assert_eq!(provider.ledger().len(), 1);
}

/// Every mischief: whether the order is paid by it.
const MISCHIEF: [(&str, bool); 13] = [
    ("repeat", true),
    ("twice", true),
    ("drop-answer", true),
    ("other-amount", true),
    ("late", true),
    ("after-expiry", true),
    ("stale", false),
    ("wrong-key", false),
    ("tampered", false),
    ("sha256", true),
    ("wcf", true),
    ("wss4j", true),
    ("dot-net", true),
];

#[test]
fn every_mischief_is_played_from_the_page_and_shown_with_its_verdict() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let provider = Provider::start();
    let offline = Offline::start(&provider);
    for (mischief, paid) in MISCHIEF {
        let mut bill = order("10.00");
        if mischief == "after-expiry" {
            bill["due_date"] = json!("2020-01-01");
        }
        provider.register(mischief, bill);
        browser.open(&format!(
            "{}/service/pay?ServiceID={SERVICE}&OrderKey={mischief}&lang=en",
            offline.url
        ));
        if mischief != "after-expiry" {
            browser.click("form summary");
        }
        browser.click(&format!("option[value={mischief}]"));
        if mischief == "twice" {
            browser.picture("mischief-desktop-en");
        }
        browser.follow("button[value=pay]");
        browser.wait_for("A right provider");
        let verdicts = browser.evaluate(
            "return [...document.querySelectorAll('.trial .mark')].map(mark => mark.innerText).join(' ')",
        );
        let verdicts = verdicts.as_str().unwrap();
        assert!(
            verdicts.starts_with("right"),
            "{mischief}: {}",
            browser.text()
        );
        assert!(
            !verdicts.contains("wrong"),
            "{mischief}: {}",
            browser.text()
        );
        if mischief == "other-amount" {
            browser.size(1280, 1120);
            browser.picture("trial-desktop-en");
            browser.size(390, 844);
            browser.picture("trial-phone-en");
            browser.size(1280, 900);
        }
        let order = provider.order(mischief);
        let expected = if paid {
            ("Paid", "10.00", 1)
        } else {
            ("Active", "0.00", 0)
        };
        let payments = order["payments"].as_array().unwrap().len();
        assert_eq!(
            (
                order["status"].as_str().unwrap(),
                order["amount_paid"].as_str().unwrap(),
                payments
            ),
            expected,
            "{mischief}: {order}"
        );
    }
    browser.open(&format!("{}/journal?lang=en", offline.url));
    browser.picture("journal-desktop-en");
    browser.follow(".list a");
    browser.wait_for("Signature of the answer");
    browser.picture("exchange-desktop-en");
}

#[test]
fn nothing_is_wider_than_a_phone_and_what_strangers_write_is_only_shown() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let provider = Provider::start();
    let long = "Î".repeat(60);
    let hostile = "<script>document.title='owned'</script>";
    provider.register("1", json!({
        "reason": "W".repeat(50), "customer_name": long, "allow_partial_payments": true,
        "lines": [
            {"line_id": "W".repeat(36), "reason": "W".repeat(50), "amount_due": "9999999999999.99"},
        ],
        "properties": [
            {"name": "p", "display_name": "W".repeat(36), "value": "W".repeat(255), "modifiable": true},
            {"name": "q", "display_name": hostile.get(..36).unwrap(), "value": hostile.repeat(6)}
        ]
    }));
    let offline = Offline::start(&provider);
    let back = format!(
        "https://institution.example/{}?{hostile}",
        "path".repeat(60)
    );
    let query = url_query(&[
        ("ServiceID", SERVICE),
        ("OrderKey", "1"),
        ("ReturnUrl", &back),
    ]);
    let fits = |what: &str| {
        let width = browser
            .evaluate("return document.documentElement.scrollWidth")
            .as_u64()
            .unwrap();
        assert!(width <= 390, "{what} is {width} pixels wide");
        let title = browser.evaluate("return document.title");
        assert!(!title.as_str().unwrap().contains("owned"), "{what}");
    };
    browser.size(390, 844);
    for language in ["ro", "ru", "en"] {
        browser.open(&format!(
            "{}/service/pay?{query}&lang={language}",
            offline.url
        ));
        fits("the invoice");
        browser.picture(&format!("hostile-phone-{language}"));
        browser.click("form summary");
        browser.fill("input[name=amount]", "1");
        browser.click("option[value=tampered]");
        browser.follow("button[value=pay]");
        fits("a payment");
        browser.open(&format!("{}/journal", offline.url));
        fits("the journal");
        browser.follow(".list a");
        fits("an exchange");
        browser.open(&format!(
            "{}/service/pay?ServiceID={}&OrderKey={}",
            offline.url,
            "W".repeat(36),
            "W".repeat(36)
        ));
        fits("a fault");
        browser.open(&offline.url);
        fits("the start");
    }
}

fn url_query(fields: &[(&str, &str)]) -> String {
    let encode =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let pairs: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    pairs.join("&")
}
