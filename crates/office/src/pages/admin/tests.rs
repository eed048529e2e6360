use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use mpay_door::config::testing::variables;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::session::Session;
use crate::{
    App,
    access::{Principal, Role},
    api::testing::Api,
    domain::{OrderKey, PaymentId, ServiceId},
    json::{OrderJson, RefusalJson},
    service::handle,
    store::{
        Evidence, Ledger, Precondition,
        memory::{Fault, Memory},
        testing::{order_json, put, record, record_card, refund, register, secret, stored},
    },
};

fn token(role: Role) -> String {
    format!(
        "token-of-a-{}-token-of-a-{}-0123456789",
        role.name(),
        role.name()
    )
}

struct Office {
    app: App,
    memory: Memory,
}

/// Who is signed in.
struct Browser<'a> {
    office: &'a Office,
    cookie: String,
}

struct Page {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a hidden field.
    #[track_caller]
    fn field(&self, name: &str) -> String {
        let begin = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.text.split_once(&begin).unwrap();
        let value = rest.split_once('"').unwrap().0;
        value.replace("&quot;", "\"").replace("&amp;", "&")
    }
}

impl Office {
    fn new() -> Self {
        Self::made(&[], &[])
    }

    /// Without the principals of these roles.
    fn without(roles: &[Role]) -> Self {
        Self::made(roles, &[])
    }

    /// With these variables too.
    fn with(more: &[(&'static str, &str)]) -> Self {
        Self::made(&[], more)
    }

    fn made(roles: &[Role], more: &[(&'static str, &str)]) -> Self {
        let mut variables = variables();
        let entries = Role::ALL.into_iter().filter(|role| !roles.contains(role));
        let entries: Vec<_> = entries
            .map(|role| {
                Principal::new(role.name(), role)
                    .unwrap()
                    .entry(&token(role))
            })
            .collect();
        for (name, value) in [
            ("access", entries.join(";").as_str()),
            ("environment", "test"),
            ("page_key", "0123456789012345678901234567890123456789"),
            ("public_url", "https://pay.example.md/"),
        ]
        .into_iter()
        .chain(more.iter().copied())
        {
            variables.set(name, value.to_owned());
        }
        Self {
            app: App::new(variables),
            memory: Memory::new(),
        }
    }

    async fn ask(
        &self,
        method: &str,
        address: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Page {
        let mut request = Request::builder().method(method).uri(address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method == "POST" {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = form
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let request = request.body(pairs.collect::<Vec<_>>().join("&")).unwrap();
        let store = Ledger::new(self.memory.clone());
        let response: Response<Bytes> = handle(&self.app, &store, request).await;
        Page {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: String::from_utf8_lossy(response.body()).into_owned(),
        }
    }

    async fn sign_in(&self, role: Role) -> Browser<'_> {
        let form = [("token", token(role))];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        let page = self.ask("POST", "/admin/sign-in", &[], &form).await;
        assert_eq!(
            (page.status, page.header("location")),
            (303, "/admin?lang=ro")
        );
        Browser {
            office: self,
            cookie: cookie(&page),
        }
    }
}

/// The cookie that an answer sets, as browsers send it back.
#[track_caller]
fn cookie(page: &Page) -> String {
    page.header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

impl Browser<'_> {
    async fn get(&self, address: &str) -> Page {
        self.office
            .ask("GET", address, &[("cookie", &self.cookie)], &[])
            .await
    }

    async fn post(&self, address: &str, form: &[(&str, &str)]) -> Page {
        self.office
            .ask("POST", address, &[("cookie", &self.cookie)], form)
            .await
    }

    /// Sends a form that a page of this session holds.
    async fn send(&self, address: &str, form: &[(&str, &str)]) -> Page {
        let page = self.get("/admin").await;
        let token = page.field("form");
        let form: Vec<_> = form
            .iter()
            .copied()
            .chain([("form", token.as_str())])
            .collect();
        self.post(address, &form).await
    }
}

#[tokio::test(start_paused = true)]
async fn only_people_with_a_token_are_let_in() {
    let office = Office::new();
    for address in [
        "/admin",
        "/admin/",
        "/admin/orders",
        "/admin/orders/TAX/1",
        "/admin/x",
    ] {
        let page = office.ask("GET", address, &[], &[]).await;
        let next = match address {
            "/admin" => String::new(),
            _ => format!("?next={}", utf8_percent_encode(address, NON_ALPHANUMERIC)),
        };
        let sign_in = format!("/admin/sign-in{next}");
        assert_eq!(
            (page.status, page.header("location")),
            (303, sign_in.as_str()),
            "{address}"
        );
        let page = office.ask("POST", address, &[], &[]).await;
        let location = page.header("location");
        assert_eq!(
            (page.status, location),
            (303, "/admin/sign-in"),
            "{address}"
        );
    }
    assert_eq!(
        office.ask("GET", "/administrator", &[], &[]).await.status,
        404
    );
    for (token, said) in [
        ("", "Codul nu este corect"),
        (
            "wrong-wrong-wrong-wrong-wrong-wrong-wrong",
            "Codul nu este corect",
        ),
        (&token(Role::Program), "codul unui program"),
    ] {
        let page = office
            .ask("POST", "/admin/sign-in", &[], &[("token", token)])
            .await;
        assert_eq!((page.status, page.header("set-cookie")), (401, ""));
        assert!(page.text.contains(said), "{}", page.text);
    }
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Program) {
        let browser = office.sign_in(role).await;
        let page = browser.get("/admin").await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains(role.name()), "{}", page.text);
    }
}

#[tokio::test(start_paused = true)]
async fn who_signs_in_comes_to_the_page_that_was_asked_for_and_to_no_other_site() {
    let office = Office::new();
    let asked = "/admin/orders?review=open&lang=en";
    let page = office.ask("GET", asked, &[], &[]).await;
    let sign_in = page.header("location").to_owned();
    let page = office.ask("GET", &sign_in, &[], &[]).await;
    assert!(page.text.contains("Sign in"), "{}", page.text);
    let back = page.field("back");
    let clerk = token(Role::Clerk);
    for (back, led_to) in [
        (back.as_str(), "/admin/orders?review=open&lang=ro"),
        ("https://evil.example/", "/admin?lang=ro"),
        ("//evil.example/admin", "/admin?lang=ro"),
        ("/admin.evil.example", "/admin?lang=ro"),
        ("/\\evil.example", "/admin?lang=ro"),
        ("/admin\r\nSet-Cookie: a=b", "/admin?lang=ro"),
        ("/admin/ș", "/admin?lang=ro"),
        ("javascript:alert(1)", "/admin?lang=ro"),
    ] {
        let form = [("token", "wrong"), ("back", back)];
        let page = office.ask("POST", "/admin/sign-in", &[], &form).await;
        assert_eq!(page.status, 401);
        assert!(!page.text.contains("evil"), "{back}: {}", page.text);
        let form = [("token", clerk.as_str()), ("back", back)];
        let page = office.ask("POST", "/admin/sign-in", &[], &form).await;
        assert_eq!(
            (page.status, page.header("location")),
            (303, led_to),
            "{back}"
        );
        let names: Vec<_> = page
            .headers
            .keys()
            .filter(|name| *name == "set-cookie")
            .collect();
        assert_eq!(names.len(), 1, "{back}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_cookie_is_of_this_host_alone_and_no_script_reads_it() {
    let office = Office::new();
    let form = [("token", token(Role::Clerk))];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let page = office.ask("POST", "/admin/sign-in", &[], &form).await;
    let set = page.header("set-cookie");
    assert!(set.starts_with("__Host-mpay-office="), "{set}");
    for attribute in ["Path=/;", "HttpOnly;", "SameSite=Strict;", "Secure"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains(&token(Role::Clerk)), "{set}");
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_by_itself_and_with_its_principal() {
    let office = Office::new();
    let mut browser = office.sign_in(Role::Clerk).await;
    // Each page makes it last.
    for minute in 0..16 {
        tokio::time::sleep(Duration::from_secs(29 * 60)).await;
        let page = browser.get("/admin").await;
        assert_eq!(page.status, 200, "{minute}");
        browser.cookie = cookie(&page);
    }
    tokio::time::sleep(Duration::from_secs(29 * 60)).await;
    assert_eq!(
        browser.get("/admin").await.status,
        303,
        "eight hours are over"
    );
    let browser = office.sign_in(Role::Clerk).await;
    tokio::time::sleep(Duration::from_secs(31 * 60)).await;
    assert_eq!(browser.get("/admin").await.status, 303);

    let browser = office.sign_in(Role::Clerk).await;
    let other = Office::without(&[Role::Clerk]);
    let there = Browser {
        office: &other,
        cookie: browser.cookie.clone(),
    };
    assert_eq!(there.get("/admin").await.status, 303);
    let forged = browser.cookie.replace(['A', 'B'], "C");
    let forged = Browser {
        office: &office,
        cookie: forged,
    };
    assert_eq!(forged.get("/admin").await.status, 303);
    let page = browser.send("/admin/sign-out", &[]).await;
    assert_eq!(page.status, 303);
    assert!(page.header("set-cookie").contains("Max-Age=0"));
    // A copy of the cookie is good for nothing, nor is that of another device; others go on.
    assert_eq!(browser.get("/admin").await.status, 303);
    assert_eq!(browser.post("/admin/orders/new", &[]).await.status, 303);
    let again = office.sign_in(Role::Clerk).await;
    assert_eq!(again.get("/admin").await.status, 200);
    let device = office.sign_in(Role::Clerk).await;
    let manager = office.sign_in(Role::Manager).await;
    again.send("/admin/sign-out", &[]).await;
    assert_eq!(device.get("/admin").await.status, 303);
    assert_eq!(manager.get("/admin").await.status, 200);
    // Where that cannot be read nobody is let in.
    let clerk = office.sign_in(Role::Clerk).await;
    let faults = (0..8).map(|_| Fault::Fail);
    office.memory.script(faults);
    assert_eq!(clerk.get("/admin").await.status, 503);
    office.memory.script([]);
    assert_eq!(clerk.get("/admin").await.status, 200);
    // A token that became that of a program is no person's any more.
    let pages = office.app.config.as_ref().unwrap().pages.as_ref().unwrap();
    let session = Session::begin(
        &token(Role::Program),
        Ledger::new(office.memory.clone()).now(),
    );
    let cookie = session.cookie(pages).unwrap();
    let program = Browser {
        office: &office,
        cookie: cookie
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned(),
    };
    assert_eq!(program.get("/admin").await.status, 303);
}

#[tokio::test(start_paused = true)]
async fn forms_of_others_are_refused() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Clerk).await;
    let address = "/admin/orders/TAX/1";
    let theirs = office
        .sign_in(Role::Manager)
        .await
        .get(address)
        .await
        .field("form");
    let own = browser.get(address).await.field("form");
    for form in ["", "x", &theirs] {
        let page = browser
            .post(address, &[("form", form), ("set", "Cancelled")])
            .await;
        assert_eq!(page.status, 403, "{form}");
    }
    let etag = browser.get(address).await.field("etag");
    let form = [
        ("form", own.as_str()),
        ("set", "Cancelled"),
        ("etag", etag.as_str()),
    ];
    for site in ["cross-site", "same-site"] {
        let headers = [
            ("cookie", browser.cookie.as_str()),
            ("sec-fetch-site", site),
        ];
        assert_eq!(
            office.ask("POST", address, &headers, &form).await.status,
            403,
            "{site}"
        );
    }
    assert!(browser.get(address).await.text.contains("De achitat"));
    assert_eq!(browser.post(address, &form).await.status, 303);
    assert!(browser.get(address).await.text.contains("Anulată"));
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
        let headers = [("cookie", browser.cookie.as_str())];
        let page = office.ask(method, address, &headers, &[]).await;
        assert_eq!(
            (page.status, page.header("allow")),
            (405, "GET, HEAD, POST")
        );
    }
    // Who comes from another site without the cookie is asked to come again, and then has it.
    let headers = [("sec-fetch-site", "cross-site")];
    let page = office.ask("GET", address, &headers, &[]).await;
    assert!(
        page.text.contains(&format!("content=\"0; url={address}\"")),
        "{}",
        page.text
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_role_may_not_do_is_neither_offered_nor_done() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P", "1", "10").await.unwrap();
    let address = "/admin/orders/TAX/1";
    for (role, may_complete, may_refund) in [
        (Role::Read, false, false),
        (Role::Accountant, false, false),
        (Role::Clerk, true, false),
        (Role::Manager, true, true),
    ] {
        let browser = office.sign_in(role).await;
        let page = browser.get(address).await;
        let offers = |set: &str| page.text.contains(&format!("name=\"set\" value=\"{set}\""));
        assert_eq!(
            (offers("Completed"), offers("Refunding")),
            (may_complete, may_refund)
        );
        let etag = browser.get(address).await;
        let etag = match may_complete {
            true => etag.field("etag"),
            false => "\"1\"".to_owned(),
        };
        let form = [("set", "Refunding"), ("etag", etag.as_str())];
        let page = browser.send(address, &form).await;
        assert_eq!(
            page.status,
            if may_refund { 303 } else { 403 },
            "{role:?}: {}",
            page.text
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_registered_once_found_and_changed_by_who_saw_it() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let once = browser.get("/admin/orders/new").await.field("once");
    let form = [
        ("service_id", "TAX"),
        ("reason", "<script>alert(1)</script>"),
        ("amount_due", "1 250,50"),
        ("due_date", "2026-12-31"),
        ("customer_name", "Ana \"Rusu\" & fiii"),
        ("once", once.as_str()),
    ];
    let page = browser.send("/admin/orders/new", &form).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let location = page.header("location").to_owned();
    let again = browser.send("/admin/orders/new", &form).await;
    assert_eq!(
        again.header("location"),
        location,
        "sent twice, it is one order"
    );
    let page = browser.get(&location).await;
    assert!(
        page.text.contains("1\u{202F}250,50\u{A0}MDL"),
        "{}",
        page.text
    );
    assert!(page.text.contains("&lt;script&gt;"), "{}", page.text);
    assert!(
        page.text.contains("Ana &quot;Rusu&quot; &amp; fiii"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("<script"), "{}", page.text);

    let key = location.split(['/', '?']).nth(4).unwrap();
    let found = browser.get(&format!("/admin/orders?order_key={key}")).await;
    assert_eq!(
        found.header("location"),
        format!("/admin/orders/TAX/{key}?lang=ro")
    );
    let list = browser
        .get("/admin/orders?status=Active&due_to=2026-12-31")
        .await;
    assert!(list.text.contains(key), "{}", list.text);
    let list = browser.get("/admin/orders?status=Paid").await;
    assert!(!list.text.contains(key), "{}", list.text);

    let path = format!("/admin/orders/TAX/{key}");
    let etag = page.field("etag");
    let change = [("set", "Cancelled"), ("etag", etag.as_str())];
    assert_eq!(browser.send(&path, &change).await.status, 303);
    let late = browser
        .send(&path, &[("set", ""), ("etag", etag.as_str())])
        .await;
    assert_eq!(late.status, 412);
    assert!(late.text.contains("Altcineva a modificat"), "{}", late.text);
    // A number that is taken is not amended unawares.
    let form = [
        ("service_id", "TAX"),
        ("order_key", key),
        ("reason", "x"),
        ("amount_due", "1"),
    ];
    assert_eq!(browser.send("/admin/orders/new", &form).await.status, 412);
    // No amount is read that could mean two things.
    for amount in ["1,2,3", "1.250", "1,250", "-5", "1e3", "mult"] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", "new"),
            ("reason", "x"),
            ("amount_due", amount),
        ];
        let wrong = browser.send("/admin/orders/new", &form).await;
        assert_eq!(wrong.status, 422, "{amount}");
        assert!(wrong.text.contains("amount_due"), "{}", wrong.text);
    }
    for (key, amount, shown) in [
        ("n-1", "1.250,50", "1\u{202F}250,50"),
        ("n-2", "1,250.50 lei", "1\u{202F}250,50"),
        ("n-3", "1250", "1\u{202F}250,00"),
    ] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", key),
            ("reason", "x"),
            ("amount_due", amount),
        ];
        assert_eq!(
            browser.send("/admin/orders/new", &form).await.status,
            303,
            "{amount}"
        );
        let page = browser.get(&format!("/admin/orders/TAX/{key}")).await;
        assert!(page.text.contains(shown), "{amount}: {}", page.text);
    }
}

/// A file as a browser sends it, with fields beside it.
async fn upload(
    browser: &Browser<'_>,
    address: &str,
    content: &[u8],
    fields: &[(&str, &str)],
) -> Page {
    let form = browser.get("/admin").await.field("form");
    let mut body = Vec::new();
    for (name, value) in fields.iter().chain(&[("form", form.as_str())]) {
        let part =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    body.extend(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.csv\"\r\nContent-Type: text/csv\r\n\r\n");
    body.extend(content);
    body.extend(b"\r\n--b--\r\n");
    let request = Request::post(address)
        .header("cookie", &browser.cookie)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(http_body_util::Full::new(Bytes::from(body)))
        .unwrap();
    let store = Ledger::new(browser.office.memory.clone());
    let response = handle(&browser.office.app, &store, request).await;
    Page {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: String::from_utf8(response.body().to_vec()).unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_is_looked_through_before_it_is_registered() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let table = "service_id;order_key;reason;line_id;line_reason;amount_due\nTAX;A-1;Tax\u{103};1;Tax\u{103};1250,50\nTAX;A-2;;1;x;mult\n";
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for said in [
        "Ce s-ar întâmpla",
        "nouă</span> 1 · 1\u{202F}250,50\u{A0}MDL",
        "greșeală</span> 1",
        "A-1",
        "<strong>Suma</strong> trebuie să fie o sumă",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(browser.get("/admin/orders/TAX/A-1").await.status, 404);
    let file = page.field("file64");
    let seen = page.field("seen");
    let form = [("file64", file.as_str()), ("do", "1"), ("seen", "other")];
    let page = browser.send("/admin/import", &form).await;
    assert!(page.text.contains("Ce s-ar întâmpla"), "{}", page.text);
    let form = [
        ("file64", file.as_str()),
        ("do", "1"),
        ("seen", seen.as_str()),
    ];
    let page = browser.send("/admin/import", &form).await;
    assert!(page.text.contains("Ce s-a întâmplat"), "{}", page.text);
    let order = browser.get("/admin/orders/TAX/A-1").await;
    assert!(order.text.contains("1\u{202F}250,50"), "{}", order.text);
    let again = browser.send("/admin/import", &form).await;
    assert!(
        again.text.contains("neschimbată</span> 1"),
        "{}",
        again.text
    );

    let reader = office.sign_in(Role::Read).await;
    assert_eq!(reader.send("/admin/import", &form).await.status, 403);
    assert_eq!(browser.send("/admin/import", &[]).await.status, 422);
    let pdf = upload(&browser, "/admin/import", b"%PDF-1.7 x", &[]).await;
    assert_eq!(pdf.status, 415, "{}", pdf.text);
    let file = browser
        .get("/admin/export?format=csv&separator=semicolon")
        .await;
    assert!(file.text.contains("A-1"), "{}", file.text);
    assert!(file.header("content-disposition").contains("orders.csv"));
}

#[tokio::test(start_paused = true)]
async fn a_statement_is_compared_once_its_columns_are_chosen() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let statement = "Extras de cont\nData;Numar plata;Suma;Detalii\n01.06.2026;P-1;9,85;x\n01.06.2026;P-9;7;y\n";
    let days = [("from", "2026-06-01"), ("to", "2026-06-30")];
    let page = upload(&browser, "/admin/settlement", statement.as_bytes(), &days).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(
        page.text
            .contains("<option value=\"Suma\" selected>Suma</option>"),
        "{}",
        page.text
    );
    let file = page.field("file64");
    let form: Vec<_> = days
        .into_iter()
        .chain([
            ("file64", file.as_str()),
            ("amount", "Suma"),
            ("payment_id", "Numar plata"),
        ])
        .collect();
    let page = browser.send("/admin/settlement", &form).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for said in ["P-1", "P-9", "cu altă sumă", "neînregistrate"] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    // The next one with these columns is proposed as this one was chosen: without the date.
    let kept = page.header("set-cookie").split(';').next().unwrap();
    let again = Browser {
        office: &office,
        cookie: format!("{}; {kept}", browser.cookie),
    };
    for (browser, date) in [(&browser, true), (&again, false)] {
        let page = upload(browser, "/admin/settlement", statement.as_bytes(), &days).await;
        let chosen = page.text.contains("<option value=\"Data\" selected>");
        assert_eq!(chosen, date, "{}", page.text);
        assert!(page.text.contains("<option value=\"Suma\" selected>"));
    }
    let clerk = office.sign_in(Role::Clerk).await;
    assert_eq!(clerk.send("/admin/settlement", &form).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn a_flag_is_closed_with_a_note_and_the_day_shows_its_payments() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    record(&office.memory, "P-2", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let day = browser.get("/admin/payments?date=2026-06-01").await;
    for said in ["P-1", "P-2", "plătită de două ori", "20,00"] {
        assert!(day.text.contains(said), "{said}: {}", day.text);
    }
    let order = browser.get("/admin/orders/TAX/1").await;
    let action = "/admin/payments/P%2D2/reviews/double";
    assert!(order.text.contains(action), "{}", order.text);
    let back = [("back", "//evil.example"), ("note", "Întors la bancă")];
    let page = browser.send(action, &back).await;
    assert_eq!(
        (page.status, page.header("location")),
        (303, "/admin?lang=ro")
    );
    let order = browser.get("/admin/orders/TAX/1").await;
    assert!(!order.text.contains(action), "{}", order.text);
    assert_eq!(
        browser.send(action, &[]).await.status,
        422,
        "without a note"
    );
    assert_eq!(browser.get("/admin/refusals").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_amended_by_what_was_typed_alone() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let form = [
        ("service_id", "TAX"),
        ("order_key", "A-1"),
        ("reason", "Taxă"),
        ("amount_due", "10"),
        ("due_date", "2026-12-31"),
        ("customer_name", "Ana Rusu"),
        ("customer_id", "2000000000006"),
    ];
    assert_eq!(browser.send("/admin/orders/new", &form).await.status, 303);
    let address = "/admin/orders/TAX/A-1";
    let page = browser.get(address).await;
    for shown in [
        "value=\"10.00\"",
        "value=\"2026-12-31\"",
        "value=\"Ana Rusu\"",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let etag = page.field("etag");
    let amend = |amount, name| {
        [
            ("amend", "1"),
            ("etag", etag.as_str()),
            ("reason", "Amendă"),
            ("amount_due", amount),
            ("due_date", "2026-12-31"),
            ("customer_name", name),
            ("customer_id", "2000000000006"),
        ]
    };
    // A mistake keeps what was typed, and says what is wrong by its field.
    let page = browser.send(address, &amend("1.250", "Ion <b>")).await;
    assert_eq!(page.status, 422, "{}", page.text);
    for said in [
        "aria-invalid=\"true\" aria-describedby=\"wrong-amount_due\"",
        "id=\"wrong-amount_due\"",
        "value=\"1.250\"",
        "value=\"Ion &lt;b&gt;\"",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(page.text.matches("aria-invalid").count(), 1);
    assert_eq!(page.field("etag"), etag);
    let page = browser.send(address, &amend("1 250,50", "")).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let page = browser.get(address).await;
    assert!(page.text.contains("1\u{202F}250,50"), "{}", page.text);
    assert!(!page.text.contains("value=\"Ana Rusu\""), "{}", page.text);
    assert!(
        page.text.contains("<del>Ana Rusu</del> → –"),
        "{}",
        page.text
    );
    // The line says what the order does.
    assert!(page.text.contains("1 · Amendă"), "{}", page.text);
    // Who saw the order as it was does not change it.
    let late = browser.send(address, &amend("5", "x")).await;
    assert_eq!(late.status, 412);
    // Nobody else is offered it, nor does it.
    let reader = office.sign_in(Role::Read).await;
    let page_of_reader = reader.get(address).await;
    assert!(!page_of_reader.text.contains("name=\"amend\""));
    let etag = page.field("etag");
    let form = [("amend", "1"), ("etag", etag.as_str()), ("reason", "x")];
    assert_eq!(reader.send(address, &form).await.status, 403);
    let change = [("set", "Cancelled"), ("etag", etag.as_str())];
    assert_eq!(browser.send(address, &change).await.status, 303);
    let page = browser.get(address).await;
    assert!(!page.text.contains("name=\"amend\""), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn a_new_order_with_a_mistake_keeps_what_was_typed() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let form = [
        ("service_id", "TAX"),
        ("reason", "Chirie"),
        ("amount_due", "mult"),
        ("once", "0123456789abcdef"),
    ];
    let page = browser.send("/admin/orders/new", &form).await;
    assert_eq!(page.status, 422);
    assert!(
        page.text.contains("id=\"wrong-amount_due\""),
        "{}",
        page.text
    );
    assert!(page.text.contains("value=\"Chirie\""), "{}", page.text);
    assert_eq!(page.field("once"), "0123456789abcdef");
    register(&office.memory, "1", "10").await.unwrap();
    let form = [
        ("service_id", "TAX"),
        ("order_key", "1"),
        ("reason", "x"),
        ("amount_due", "1"),
    ];
    let page = browser.send("/admin/orders/new", &form).await;
    assert_eq!(page.status, 412);
    assert!(
        page.text.contains("id=\"wrong-order_key\""),
        "{}",
        page.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_payment_shows_what_became_of_it_and_what_proves_it() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    record(&office.memory, "P-2", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let note = [("note", "Întors la bancă")];
    browser
        .send("/admin/payments/P%2D2/reviews/double", &note)
        .await;
    let reader = office.sign_in(Role::Read).await;
    let page = reader.get("/admin/orders/TAX/1").await;
    for said in [
        "Întors la bancă",
        "accountant",
        "/admin/payments/P%2D1/evidence",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let file = reader.get("/admin/payments/P%2D1/evidence").await;
    assert_eq!(
        file.header("content-type"),
        "application/zip",
        "{}",
        file.text
    );
    let none = reader.get("/admin/payments/nobody/evidence").await;
    assert_eq!(none.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_manager_erases_a_person_by_typing_their_code_again() {
    let office = Office::new();
    let clerk = office.sign_in(Role::Clerk).await;
    for (key, code) in [
        ("A-1", "2000000000006"),
        ("A-2", "2000000000006"),
        ("B-1", "2000000000011"),
    ] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", key),
            ("reason", "x"),
            ("amount_due", "10"),
            ("customer_name", "Ana Rusu"),
            ("customer_id", code),
        ];
        let page = clerk.send("/admin/orders/new", &form).await;
        assert_eq!(page.status, 303, "{}", page.text);
    }
    for key in ["A-1", "B-1"] {
        let address = format!("/admin/orders/TAX/{key}");
        let etag = clerk.get(&address).await.field("etag");
        let form = [("set", "Cancelled"), ("etag", etag.as_str())];
        assert_eq!(clerk.send(&address, &form).await.status, 303);
    }
    let address = "/admin/personal?customer_id=2000000000006";
    for role in [Role::Read, Role::Accountant, Role::Clerk] {
        let browser = office.sign_in(role).await;
        assert!(!browser.get("/admin").await.text.contains("/admin/personal"));
        assert_eq!(browser.get(address).await.status, 403, "{role:?}");
        let form = [("customer_id", "2000000000006"), ("again", "2000000000006")];
        let page = browser.send("/admin/personal", &form).await;
        assert_eq!(page.status, 403, "{role:?}");
    }
    let browser = office.sign_in(Role::Manager).await;
    let page = browser.get(address).await;
    assert!(
        page.text.contains("A-1") && page.text.contains("A-2"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("B-1"), "{}", page.text);
    let file = browser
        .get("/admin/export?format=csv&customer_id=2000000000006")
        .await;
    assert!(
        file.text.contains("A-1") && !file.text.contains("B-1"),
        "{}",
        file.text
    );
    for again in ["", "2000000000011"] {
        let form = [("customer_id", "2000000000006"), ("again", again)];
        let page = browser.send("/admin/personal", &form).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("id=\"wrong-again\""), "{}", page.text);
    }
    // Nobody is never everybody.
    assert_eq!(browser.send("/admin/personal", &[]).await.status, 422);
    let order = browser.get("/admin/orders/TAX/A-1").await;
    assert!(order.text.contains("Ana Rusu"), "{}", order.text);
    let form = [
        ("customer_id", "2000000000006"),
        ("again", " 2000000000006 "),
    ];
    let page = browser.send("/admin/personal", &form).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (erased, kept) = page.text.split_once("S-a păstrat").unwrap();
    assert!(
        erased.contains("TAX/A%2D1") && kept.contains("TAX/A%2D2"),
        "{}",
        page.text
    );
    for (key, has) in [("A-1", false), ("A-2", true), ("B-1", true)] {
        let order = browser.get(&format!("/admin/orders/TAX/{key}")).await;
        assert_eq!(order.text.contains("Ana Rusu"), has, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_says_what_is_well_and_who_is_told() {
    let office = Office::new();
    let reader = office.sign_in(Role::Read).await;
    let page = reader.get("/admin/connection").await;
    for said in [env!("CARGO_PKG_VERSION"), "Totul este în regulă", "Nimeni."] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let told = Office::with(&[
        (
            "webhooks",
            "erp https://erp.example.md/secret-path whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw orders",
        ),
        ("webhook_origin", "https://erp.example.md"),
        ("page_color", "nonsense"),
    ]);
    let reader = told.sign_in(Role::Read).await;
    let page = reader.get("/admin/connection").await;
    for said in [
        "erp.example.md",
        "primește",
        "page_color",
        "trebuie îndreptat",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert!(!page.text.contains("secret-path") && !page.text.contains("MfKQ"));
}

#[tokio::test(start_paused = true)]
async fn what_mpay_did_is_shown_and_what_was_refused_until_it_is_settled() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-LAST", "1", "10").await.unwrap();
    // Of a message that says nothing else.
    let evidence = Evidence::new(&secret(), b"<message/>", "m", b"c", "InvalidParameter");
    let refusal: RefusalJson = serde_json::from_value(serde_json::json!({
        "code": "InvalidParameter", "reason": "Lines do not add <up>.",
        "received_at": "2026-06-01T12:00:00+03:00", "evidence": evidence.id(),
        "signer": {"subject": "CN=MPay", "fingerprint": "00", "algorithm": "rsa-sha1"}
    }))
    .unwrap();
    let store = Ledger::new(office.memory.clone());
    let kept = store.refusals().keep(&refusal, &evidence, None).await;
    assert!(kept.unwrap());
    let browser = office.sign_in(Role::Accountant).await;
    let said = "Lines do not add &lt;up&gt;.";
    let today = browser.get("/admin?lang=en").await;
    for text in [said, "Refused confirmations: 1"] {
        assert!(today.text.contains(text), "{text}: {}", today.text);
    }
    let connection = browser.get("/admin/connection?lang=en").await;
    for text in [
        said,
        "P-LAST",
        "10.00",
        "To send to MPay",
        "SCHOOL, TAX",
        "mpay doctor . https://pay.example.md/",
        "https://pay.example.md/?wsdl",
        "-----BEGIN CERTIFICATE-----",
    ] {
        assert!(
            connection.text.contains(text),
            "{text}: {}",
            connection.text
        );
    }
    assert!(!connection.text.contains("PRIVATE KEY"));
    let list = browser.get("/admin/refusals").await;
    assert!(list.text.contains(said), "{}", list.text);
    let (_, index) = list.text.split_once("/admin/refusals/").unwrap();
    let index = index.split('/').next().unwrap();
    let close = format!("/admin/refusals/{index}/reviews/refused");
    let closed = browser.send(&close, &[("note", "Anulată de MPay")]).await;
    assert_eq!(closed.status, 303, "{}", closed.text);
    for (path, is_there) in [
        ("/admin", false),
        ("/admin/refusals", false),
        ("/admin/refusals?cursor=0", true),
        ("/admin/connection", true),
    ] {
        let page = browser.get(path).await;
        assert_eq!(
            (page.status, page.text.contains(said)),
            (200, is_there),
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_by_hand_takes_two_people() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let accountant = office.sign_in(Role::Accountant).await;
    let form = |amount, note| {
        [
            ("service_id", "TAX"),
            ("order_key", "1"),
            ("payment_id", "P-9"),
            ("amount", amount),
            ("paid_at", "2026-05-31"),
            ("note", note),
        ]
    };
    let address = "/admin/payments/manual";
    let page = accountant.send(address, &form("1.000", "x")).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("id=\"wrong-amount\""), "{}", page.text);
    let page = accountant.send(address, &form("10,00", "")).await;
    assert!(page.text.contains("id=\"wrong-note\""), "{}", page.text);
    assert!(page.text.contains("value=\"P-9\""), "{}", page.text);
    let clerk = office.sign_in(Role::Clerk).await;
    let page = clerk.send(address, &form("10,00", "Extras")).await;
    assert_eq!(page.status, 403);
    let page = accountant.send(address, &form("10,00", "Extras")).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let proposal = page
        .header("location")
        .split('?')
        .next()
        .unwrap()
        .to_owned();
    // It waits for whoever may approve it.
    let manager = office.sign_in(Role::Manager).await;
    let waits = "Propuneri care așteaptă aprobarea";
    let today = manager.get("/admin").await;
    assert!(
        today.text.contains(&format!("{waits}: 1")),
        "{}",
        today.text
    );
    assert!(!accountant.get("/admin").await.text.contains(waits));
    let list = accountant.get(address).await;
    let link = format!("<a href=\"{proposal}?lang=ro\">");
    assert!(list.text.contains(&link), "{}", list.text);
    let page = accountant.get(&proposal).await;
    assert!(page.text.contains("Extras"), "{}", page.text);
    assert!(!page.text.contains("value=\"approve\""), "{}", page.text);
    let id = proposal.rsplit('/').next().unwrap();
    let found = clerk.get(&format!("{address}?id={id}")).await;
    assert_eq!(found.header("location"), format!("{proposal}?lang=ro"));
    let approve = [("do", "approve")];
    for browser in [&accountant, &clerk] {
        assert_eq!(browser.send(&proposal, &approve).await.status, 403);
    }
    let order = clerk.get("/admin/orders/TAX/1").await;
    assert!(!order.text.contains("P-9"), "{}", order.text);
    let manager = office.sign_in(Role::Manager).await;
    let page = manager.get(&proposal).await;
    assert!(page.text.contains("value=\"approve\""), "{}", page.text);
    let page = manager.send(&proposal, &approve).await;
    assert_eq!(page.status, 303, "{}", page.text);
    assert!(!accountant.get(address).await.text.contains(&link));
    assert!(!manager.get("/admin").await.text.contains(waits));
    let order = accountant.get("/admin/orders/TAX/1").await;
    for said in ["P-9", "accountant", "manager", "/admin/payments/P%2D9/void"] {
        assert!(order.text.contains(said), "{said}: {}", order.text);
    }
    // To void it takes two as well; a manager does not approve what they have proposed.
    let void = "/admin/payments/P%2D9/void";
    let page = manager.send(void, &[("note", "De două ori")]).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let proposal = page
        .header("location")
        .split('?')
        .next()
        .unwrap()
        .to_owned();
    let page = manager.get(&proposal).await;
    assert!(!page.text.contains("value=\"approve\""), "{}", page.text);
    assert_eq!(manager.send(&proposal, &approve).await.status, 409);
    let page = manager.send(&proposal, &[("do", "withdraw")]).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let page = manager.get(&proposal).await;
    assert!(page.text.contains("retrasă"), "{}", page.text);
    assert!(!page.text.contains("value=\"withdraw\""), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn notices_are_of_the_orders_that_can_be_paid_and_were_chosen() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    for (key, due) in [
        ("A-1", "2026-12-31"),
        ("A-2", "2026-12-31"),
        ("A-3", "2027-12-31"),
    ] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", key),
            ("reason", "x"),
            ("amount_due", "10"),
            ("due_date", due),
        ];
        assert_eq!(browser.send("/admin/orders/new", &form).await.status, 303);
    }
    record(&office.memory, "P-1", "A-2", "10").await.unwrap();
    let list = browser.get("/admin/orders?due_to=2026-12-31").await;
    let link = "/admin/notices?due_to=2026%2D12%2D31&amp;lang=ro";
    assert!(list.text.contains(link), "{}", list.text);
    let page = browser.get("/admin/notices?due_to=2026-12-31").await;
    assert_eq!(
        page.text.matches("<article class=\"notice\">").count(),
        1,
        "{}",
        page.text
    );
    assert!(
        page.text.contains("A-1") && page.text.contains("<svg"),
        "{}",
        page.text
    );
    let all = browser
        .get("/admin/notices?registered_from=2026-06-01")
        .await;
    assert_eq!(all.text.matches("<article class=\"notice\">").count(), 2);
    let none = browser
        .get("/admin/notices?registered_from=2026-06-02")
        .await;
    assert_eq!(none.text.matches("<article class=\"notice\">").count(), 0);
}

#[tokio::test(start_paused = true)]
async fn orders_are_found_by_another_number_of_a_service() {
    let office = Office::with(&[("service_ids", "TAX,SCHOOL")]);
    for key in ["1", "2"] {
        let order: OrderJson = serde_json::from_value(serde_json::json!({
            "service_id": "TAX", "order_key": key, "reason": "Taxă",
            "aliases": [if key == "1" { "C-77/2026" } else { "C-78/2026" }],
            "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "10"}]
        }))
        .unwrap();
        let order = order.to_order().unwrap();
        put(&office.memory, &order, Precondition::None)
            .await
            .unwrap();
    }
    let browser = office.sign_in(Role::Clerk).await;
    let form = browser.get("/admin/orders?lang=ro").await;
    for field in ["name=\"alias\"", "<select name=\"service_id\">"] {
        assert!(form.text.contains(field), "{field}: {}", form.text);
    }
    let found = browser
        .get("/admin/orders?lang=ro&service_id=TAX&alias=c-77/2026")
        .await;
    assert!(found.text.contains("/admin/orders/TAX/1"), "{}", found.text);
    assert!(
        !found.text.contains("/admin/orders/TAX/2"),
        "{}",
        found.text
    );
    let which = browser.get("/admin/orders?lang=ro&alias=C-77/2026").await;
    assert!(which.text.contains("mai multe servicii"), "{}", which.text);
    assert_eq!(in_english(&which), None);
}

#[tokio::test(start_paused = true)]
async fn amending_leaves_what_the_form_does_not_show() {
    let office = Office::new();
    let two: OrderJson = serde_json::from_value(serde_json::json!({
        "service_id": "TAX", "order_key": "2", "due_date": "2026-12-31T15:30:00+02:00",
        "reason": {"ro": "Taxă", "ru": "Налог"}, "metadata": {"ours": "x"},
        "lines": [
            {"line_id": "1", "reason": "Una", "amount_due": "10"},
            {"line_id": "2", "reason": "Alta", "amount_due": "5"}
        ]
    }))
    .unwrap();
    let order = two.to_order().unwrap();
    put(&office.memory, &order, Precondition::None)
        .await
        .unwrap();
    let browser = office.sign_in(Role::Clerk).await;
    let address = "/admin/orders/TAX/2?lang=ru";
    let page = browser.get(address).await;
    assert!(!page.text.contains("name=\"amount_due\""), "{}", page.text);
    assert!(page.text.contains("value=\"Налог\""), "{}", page.text);
    let etag = page.field("etag");
    let form = [
        ("amend", "1"),
        ("etag", etag.as_str()),
        ("reason", "Сбор"),
        ("amount_due", "1"),
        ("due_date", "2026-12-31"),
        ("customer_name", "Ana"),
    ];
    let page = browser.send(address, &form).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let stored = stored(&office.memory, "2").await.unwrap();
    let amended = OrderJson::from(stored.state.order().unwrap());
    let mut expected = OrderJson::from(&order);
    expected.customer_name = Some("Ana".to_owned());
    expected.reason =
        serde_json::from_value(serde_json::json!({"ro": "Taxă", "ru": "Сбор"})).unwrap();
    assert_eq!(amended, expected);
}

#[tokio::test(start_paused = true)]
async fn erasing_walks_all_of_the_books() {
    let office = Office::new();
    let of = |key: &str| {
        let mut json = order_json(key, "10");
        json.customer_id = Some("2000000000006".to_owned());
        json.status = Some("Cancelled".to_owned());
        json.to_order().unwrap()
    };
    for key in ["first", "last"] {
        put(&office.memory, &of(key), Precondition::None)
            .await
            .unwrap();
        for n in 0..300 {
            let other = format!("{key}-{n}");
            register(&office.memory, &other, "10").await.unwrap();
        }
    }
    let browser = office.sign_in(Role::Manager).await;
    let code = "2000000000006";
    let page = browser
        .get(&format!("/admin/personal?customer_id={code}"))
        .await;
    let is_there =
        |page: &Page, key: &str| page.text.contains(&format!("/admin/orders/TAX/{key}?"));
    assert!(
        is_there(&page, "first") && is_there(&page, "last"),
        "{}",
        page.text
    );
    let form = [("customer_id", code), ("again", code)];
    let page = browser.send("/admin/personal", &form).await;
    assert!(
        is_there(&page, "first") && is_there(&page, "last"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("name=\"cursor\""), "{}", page.text);
    let page = browser
        .get(&format!("/admin/personal?customer_id={code}"))
        .await;
    assert!(!is_there(&page, "first"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_cannot_be_keeps_what_was_typed() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    for (key, status, said) in [
        (
            "nobody",
            422,
            "<li>Serviciul nu are o comandă cu acest număr.</li>",
        ),
        ("1", 409, "O plată cu acest număr este deja"),
    ] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", key),
            ("payment_id", "P-1"),
            ("amount", "10"),
            ("paid_at", "2026-05-31"),
            ("note", "Extras"),
        ];
        let page = browser.send("/admin/payments/manual", &form).await;
        assert_eq!(page.status, status, "{}", page.text);
        assert!(page.text.contains(said), "{}", page.text);
        assert!(page.text.contains("value=\"Extras\""), "{}", page.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_workbook_is_confirmed_as_it_was_shown() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let columns = [
        "service_id",
        "order_key",
        "reason",
        "line_id",
        "line_reason",
        "amount_due",
    ];
    let columns = columns.map(|name| (name, tables::Value::Text));
    let mut sheet = tables::Sheet::new(tables::Format::Xlsx, &columns);
    sheet.row(&["TAX", "X-1", "Tax\u{103}", "1", "Tax\u{103}", "10.50"]);
    let workbook = sheet.finish().unwrap();
    let page = upload(&browser, "/admin/import", &workbook, &[]).await;
    let (file, seen) = (page.field("file64"), page.field("seen"));
    // A zip tells when it was made: what would happen is the same a minute later.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let form = [
        ("file64", file.as_str()),
        ("do", "1"),
        ("seen", seen.as_str()),
    ];
    let page = browser.send("/admin/import", &form).await;
    assert!(page.text.contains("Ce s-a întâmplat"), "{}", page.text);
    assert_eq!(browser.get("/admin/orders/TAX/X-1").await.status, 200);
}

/// Whether a page has a sentence that its catalogue does not have.
fn in_english(page: &Page) -> Option<&str> {
    let (_, rest) = page.text.split_once("<span lang=\"en\">")?;
    rest.split("</span>").next()
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_in_the_readers_language() {
    let office = Office::new();
    register(&office.memory, "paid", "10").await.unwrap();
    record(&office.memory, "P", "paid", "10").await.unwrap();
    let browser = office.sign_in(Role::Manager).await;
    let long = "x".repeat(70);
    let form = |name: &'static str, value: &'static str| {
        let mut form = vec![
            ("service_id", "TAX"),
            ("order_key", "new"),
            ("reason", "x"),
            ("amount_due", "1"),
        ];
        form.retain(|(known, _)| *known != name);
        form.push((name, value));
        form
    };
    let head = "order_key;service_id;reason;line_id;line_reason;amount_due;due_date;customer_id;bank_account;currency;status;allow_partial_payments;issued_at;line_reason_ru";
    let rows = [
        "a;TAX;;1;x;1",
        "b;NONE;r;1;x;1",
        ";TAX;r;1;x;1",
        "c;TAX;r;1;x;1.250",
        "c2;TAX;r;1;x;1;12/31/2026;20000;MD24AG000225100013104169;QQQ;Blue;poate",
        "c3;TAX;r;1;x;0;31.12.26;2000000000009;MD24;MDL;Refunded;da;31.02.2026",
        "c4;TAX;r;1;x;#REF!;45000;2,0E+12;X;RUB",
        "c5;TAX;r;1;x;;;;;;;;;",
        "a;TAX;r;1;x;1;;;;;Paid",
        "paid;TAX;other;1;x;99",
        "PAID;TAX;other;1;x;99",
        "c6;TAX;r;1;x;1 USD;;;;;Paid",
        "c6;TAX;r;1;x;1",
        "c7;TAX;r;1;x;12,345",
        "c8;TAX;r;1;x;1;;;;;;;;;beyond",
    ];
    let table = format!("{head}\n{}\n", rows.join("\n"));
    let too_long = format!("{head}\nc9;TAX;{long};1;{long};1\n");
    for language in ["ro", "ru"] {
        let said = |page: Page, what: &str| {
            assert_eq!(in_english(&page), None, "{language} {what}: {}", page.text);
            assert!(
                page.text.contains(&format!("<html lang=\"{language}\"")),
                "{what}"
            );
        };
        let address = |path: &str| format!("{path}?lang={language}");
        for (name, value) in [
            ("reason", ""),
            ("amount_due", "mult"),
            ("amount_due", ""),
            ("amount_due", "0"),
            ("amount_due", "-5"),
            ("amount_due", "1.250"),
            ("amount_due", "99999999999999999"),
            ("due_date", "31/12/2026"),
            ("due_date", "2026-02-31"),
            ("customer_name", "x\u{7}y"),
            ("order_key", "paid"),
            ("order_key", "PAID"),
            ("order_key", "a\u{200B}b"),
            ("service_id", "NONE"),
        ] {
            let page = browser
                .send(&address("/admin/orders/new"), &form(name, value))
                .await;
            assert!(
                matches!(page.status, 404 | 409 | 412 | 422),
                "{name} {value}: {}",
                page.text
            );
            said(page, &format!("{name} {value}"));
        }
        let mut tables = vec![
            ("rows", table.clone().into_bytes()),
            ("long", too_long.clone().into_bytes()),
        ];
        tables.extend([
            ("pdf", b"%PDF-1.7 x".to_vec()),
            ("xls", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec()),
            ("empty", b"\n\n".to_vec()),
            ("open", b"order_key;reason\n\"a;b\n".to_vec()),
            ("bytes", b"order_key;reason\na;\x81\x8d\n".to_vec()),
            ("nothing", b"".to_vec()),
        ]);
        for (what, table) in tables {
            said(
                upload(&browser, &address("/admin/import"), &table, &[]).await,
                what,
            );
        }
        // What an order of its state does not take.
        let path = "/admin/orders/TAX/paid";
        let etag = browser.get(path).await.field("etag");
        for set in ["Cancelled", "Blue", "Refunded"] {
            let page = browser
                .send(&address(path), &[("set", set), ("etag", &etag)])
                .await;
            assert_ne!(page.status, 303, "{set}");
            said(page, set);
        }
        for (name, value) in [
            ("amount", "x"),
            ("order_key", "none"),
            ("payment_id", "P"),
            ("paid_at", "2001-01-01"),
            ("note", ""),
        ] {
            let mut payment = vec![
                ("service_id", "TAX"),
                ("order_key", "paid"),
                ("payment_id", "Q"),
                ("amount", "1"),
                ("paid_at", "2026-11-01"),
                ("note", "n"),
            ];
            payment.retain(|(known, _)| *known != name);
            payment.push((name, value));
            let page = browser
                .send(&address("/admin/payments/manual"), &payment)
                .await;
            assert_ne!(page.status, 303, "{name}: {}", page.text);
            said(page, name);
        }
        said(
            browser
                .send(
                    &address("/admin/payments/P/reviews/double"),
                    &[("note", "x")],
                )
                .await,
            "review",
        );
        said(
            browser
                .send(&address("/admin/payments/P/reviews/double"), &[])
                .await,
            "note",
        );
        let statement = "Data;Plata;Suma\n2026-11-01;P;4,00\n2026-11-01;Z-9;1\n2026-11-01;P;mult\n2026-11-01;;5\n";
        let columns = [
            ("amount", "Suma"),
            ("payment_id", "Plata"),
            ("from", "2026-01-01"),
            ("to", "2027-01-01"),
        ];
        let page = upload(
            &browser,
            &address("/admin/settlement"),
            statement.as_bytes(),
            &columns,
        )
        .await;
        assert_eq!(page.status, 200, "{}", page.text);
        said(page, "statement");
        let wrong = [
            ("amount", "Suma"),
            ("payment_id", "Plata"),
            ("from", "x"),
            ("to", "2027-01-01"),
        ];
        said(
            upload(
                &browser,
                &address("/admin/settlement"),
                statement.as_bytes(),
                &wrong,
            )
            .await,
            "from",
        );
        said(
            browser
                .send(
                    &address("/admin/personal"),
                    &[("customer_id", "2000000000004"), ("again", "x")],
                )
                .await,
            "again",
        );
    }
}

#[tokio::test(start_paused = true)]
async fn columns_are_chosen_by_hand_once_and_remembered() {
    let office = Office::new();
    let mut browser = office.sign_in(Role::Clerk).await;
    let table = "Lista chiriașilor\n\nContract;Chiriaș;Chiria;Scadență;Obs\nC-1;Ana Rusu;1 250,50;31.12.2099;de sunat\n";
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    for said in [
        "Alegeți coloanele",
        "name=\"column:Contract\"",
        "de sunat",
        "<option value=\"due_date\" selected>",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let file = page.field("file64");
    let mut form = vec![
        ("file64", file.as_str()),
        ("column:Contract", "order_key"),
        ("column:Chiriaș", "customer_name"),
        ("column:Chiria", "amount_due"),
        ("column:Scadență", "due_date"),
        ("column:Obs", ""),
        ("service_id", "TAX"),
    ];
    // The order has no reason yet, and its service has none.
    let page = browser.send("/admin/import", &form).await;
    assert!(
        page.text.contains("<strong>Pentru ce</strong> lipsește"),
        "{}",
        page.text
    );
    form[5].1 = "reason";
    let page = browser.send("/admin/import", &form).await;
    assert!(
        page.text.contains("nouă</span> 1 · 1\u{202F}250,50"),
        "{}",
        page.text
    );
    let set = page.header("set-cookie").to_owned();
    assert!(set.starts_with("__Host-mpay-columns="), "{set}");
    for attribute in ["Path=/;", "HttpOnly;", "SameSite=Strict;", "Secure"] {
        assert!(set.contains(attribute), "{set}");
    }
    // Nothing that the table says is in it.
    assert!(!set.contains("Contract") && !set.contains("Rusu"), "{set}");
    let (columns, seen) = (page.field("columns"), page.field("seen"));
    let done = [
        ("file64", file.as_str()),
        ("columns", &columns),
        ("do", "1"),
        ("seen", &seen),
        ("service_id", "TAX"),
    ];
    let page = browser.send("/admin/import", &done).await;
    assert!(page.text.contains("Ce s-a întâmplat"), "{}", page.text);
    let order = browser.get("/admin/orders/TAX/C-1").await;
    for said in ["1\u{202F}250,50", "Ana Rusu", "de sunat"] {
        assert!(order.text.contains(said), "{said}: {}", order.text);
    }
    // The same columns again.
    let kept = set.split(';').next().unwrap();
    browser.cookie = format!("{}; {kept}", browser.cookie);
    let next = table.replace("C-1", "C-2");
    let page = upload(&browser, "/admin/import", next.as_bytes(), &[]).await;
    assert!(
        page.text.contains("Ce s-ar întâmpla") && page.text.contains("C-2"),
        "{}",
        page.text
    );
    // One column more is asked for.
    let other = next.replace("Obs\n", "Obs;Etaj\n");
    let page = upload(&browser, "/admin/import", other.as_bytes(), &[]).await;
    assert!(page.text.contains("Alegeți coloanele"), "{}", page.text);
    // What a browser says it remembers is not believed.
    for forged in [
        "x",
        "x!a:1",
        &kept.replace("order_key", "no_such"),
        "~~!!::",
    ] {
        let value = forged.split('=').next_back().unwrap();
        browser.cookie = format!(
            "{}; __Host-mpay-columns={value}",
            browser.cookie.split(';').next().unwrap()
        );
        let page = upload(&browser, "/admin/import", next.as_bytes(), &[]).await;
        assert!(
            page.text.contains("Alegeți coloanele"),
            "{forged}: {}",
            page.text
        );
    }
    let forged = kept.replace("due_date", "no_such");
    browser.cookie = format!("{}; {forged}", browser.cookie.split(';').next().unwrap());
    let page = upload(&browser, "/admin/import", next.as_bytes(), &[]).await;
    assert!(page.text.contains("Ce s-ar întâmpla"), "{}", page.text);
    assert!(
        page.text.contains("<dt>Scadență</dt><dd>se omite</dd>"),
        "{}",
        page.text
    );
    let reader = office.sign_in(Role::Read).await;
    let page = upload(&reader, "/admin/import", next.as_bytes(), &[]).await;
    assert_eq!(page.status, 403);
}

#[tokio::test(start_paused = true)]
async fn names_that_are_known_are_not_asked_for_and_the_encoding_can_be_changed() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let table = "Номер;За что;Сумма;Плательщик\nR-1;Аренда зала;600;Иван Попа\n";
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    assert!(
        page.text
            .contains("<strong>Serviciu</strong> lipsește; sunt mai multe"),
        "{}",
        page.text
    );
    let page = upload(
        &browser,
        "/admin/import",
        table.as_bytes(),
        &[("service_id", "TAX")],
    )
    .await;
    assert!(page.text.contains("nouă</span> 1"), "{}", page.text);
    // Excel in Russian.
    let bytes: Vec<u8> = table
        .chars()
        .map(|c| match u32::from(c) {
            code @ 0x410..=0x44F => u8::try_from(code - 0x410 + 0xC0).unwrap(),
            code => u8::try_from(code).unwrap(),
        })
        .collect();
    let page = upload(&browser, "/admin/import", &bytes, &[("service_id", "TAX")]).await;
    assert!(
        page.text.contains("windows-1251, dedus din litere"),
        "{}",
        page.text
    );
    let page = upload(
        &browser,
        "/admin/import",
        &bytes,
        &[("encoding", "windows-1250")],
    )
    .await;
    assert!(page.text.contains("Alegeți coloanele"), "{}", page.text);
    assert!(
        page.text
            .contains("<option value=\"windows-1250\" selected>"),
        "{}",
        page.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_large_table_is_done_in_parts_and_goes_on_where_it_stopped() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let mut table = "service_id;order_key;reason;amount_due\n".to_owned();
    for n in 0..620 {
        table.push_str(&format!("TAX;N-{n};x;1\n"));
    }
    table.push_str("TAX;N-7;x;2\n");
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    assert!(
        page.text.contains("Partea 1 din 2, în total 621"),
        "{}",
        &page.text[..3000]
    );
    assert!(page.text.contains("<progress max=\"2\" value=\"0\">"));
    assert!(page.text.contains("nouă</span> 500"));
    let again = |page: &Page, more: &[(&'static str, &'static str)]| {
        let mut form: Vec<(&str, String)> = ["file64", "columns", "part"]
            .map(|name| (name, page.field(name)))
            .into();
        form.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        if !more.is_empty() {
            form.push(("seen", page.field("seen")));
        }
        form
    };
    let send = async |form: Vec<(&'static str, String)>| {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        browser.send("/admin/import", &form).await
    };
    let page = send(again(&page, &[("do", "1")])).await;
    assert!(
        page.text.contains("<progress max=\"2\" value=\"1\">"),
        "{}",
        &page.text[..3000]
    );
    assert_eq!(browser.get("/admin/orders/TAX/N-499").await.status, 200);
    assert_eq!(browser.get("/admin/orders/TAX/N-500").await.status, 404);
    // Who stopped here begins again, and is led on.
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    assert!(
        page.text.contains("neschimbată</span> 500"),
        "{}",
        &page.text[..3000]
    );
    let page = send(again(&page, &[])).await;
    assert!(
        page.text.contains("Partea 2 din 2") && page.text.contains("nouă</span> 120"),
        "{}",
        &page.text[..3000]
    );
    // It is in the part before.
    assert!(page.text.contains("greșeală</span> 1") && page.text.contains("cel din rândul 9"));
    let page = send(again(&page, &[("do", "1")])).await;
    assert!(
        page.text.contains("<progress max=\"2\" value=\"2\">"),
        "{}",
        &page.text[..3000]
    );
    assert_eq!(browser.get("/admin/orders/TAX/N-619").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_last_weeks_are_drawn_and_told_as_a_table() {
    let office = Office::new();
    register(&office.memory, "1", "100").await.unwrap();
    record(&office.memory, "P", "1", "10").await.unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    record(&office.memory, "Q", "1", "40").await.unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let browser = office.sign_in(Role::Read).await;
    let page = browser.get("/admin").await;
    // The highest day is as high as the picture, and the other a quarter of it.
    for said in [
        "height=\"120\"",
        "height=\"30\"",
        "aria-label=\"Plățile din fiecare din ultimele 28 de zile, în MDL\"",
        "10,00\u{A0}MDL",
        "40,00\u{A0}MDL",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(page.text.matches("<rect").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_strangers_write_is_only_shown() {
    let hostile = "<b>\"'&x";
    let office = Office::with(&[("institution_name", hostile), ("page_note", hostile)]);
    let order = serde_json::json!({
        "service_id": "TAX", "order_key": hostile, "reason": hostile, "customer_name": hostile,
        "customer_id": "2000000000004", "aliases": [hostile], "metadata": {"note": hostile},
        "lines": [{"line_id": hostile, "reason": hostile, "amount_due": "10"}],
        "properties": [{"name": "p", "display_name": hostile, "value": hostile}]
    });
    let order: OrderJson = serde_json::from_value(order).unwrap();
    put(
        &office.memory,
        &order.to_order().unwrap(),
        Precondition::None,
    )
    .await
    .unwrap();
    record(&office.memory, hostile, hostile, "10")
        .await
        .unwrap();
    let browser = office.sign_in(Role::Manager).await;
    let path = format!(
        "/admin/orders/TAX/{}",
        utf8_percent_encode(hostile, NON_ALPHANUMERIC)
    );
    let page = browser.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (_, link) = page
        .text
        .split_once("href=\"https://pay.example.md")
        .unwrap();
    let link = link.split('"').next().unwrap().to_owned();
    let today = page.text.clone();
    assert!(today.contains("&lt;b&gt;"), "{today}");
    let query = utf8_percent_encode(hostile, NON_ALPHANUMERIC).to_string();
    let mut pages = vec![("order", page)];
    for address in [
        "/admin",
        "/admin/orders",
        "/admin/payments",
        "/admin/connection",
        "/admin/settlement",
        "/admin/notices",
        "/admin/payments/manual",
        "/admin/personal?customer_id=2000000000004",
        &format!("/admin/orders?order_key={query}x&status={query}"),
        &format!("/admin/payments/manual?order_key={query}"),
        &format!(
            "/admin?{hostile}",
            hostile = hostile.replace('"', "%22").replace(['<', '>'], "%3C")
        ),
        &link,
        &format!("{link}/notice"),
        &format!("{link}/receipt"),
        &format!("{link}/return"),
        &format!("{link}/return?paid=0"),
        &format!("{link}/return?paid=5&n=99"),
    ] {
        pages.push(("page", browser.get(address).await));
    }
    let form = [
        ("service_id", hostile),
        ("order_key", hostile),
        ("reason", hostile),
        ("amount_due", hostile),
        ("customer_name", hostile),
        ("customer_id", hostile),
        ("due_date", hostile),
        ("note", hostile),
        ("payment_id", hostile),
        ("amount", hostile),
        ("paid_at", hostile),
        ("again", hostile),
        ("etag", hostile),
        ("set", hostile),
        ("back", hostile),
        ("once", hostile),
    ];
    for address in [
        "/admin/orders/new",
        "/admin/payments/manual",
        "/admin/personal",
        &path,
    ] {
        pages.push(("form", browser.send(address, &form).await));
    }
    // In a table's cells, its columns, and what is said of them.
    let quoted = "\"<b>\"\"'&x\"";
    let rows = format!(
        "service_id;order_key;reason;amount_due\nTAX;{quoted};{quoted};1\n{quoted};{quoted};{quoted};5 {quoted}\nTAX;A;x;{quoted}\n"
    );
    let own = format!("{quoted};B\n{quoted};{quoted}\n");
    for table in [&rows, &own] {
        for address in ["/admin/import", "/admin/settlement"] {
            pages.push((
                "table",
                upload(
                    &browser,
                    address,
                    table.as_bytes(),
                    &[("from", "2026-01-01"), ("to", "2026-12-31")],
                )
                .await,
            ));
        }
    }
    let chosen = [("column:<b>\"'&x", "reason"), ("column:B", "amount_due")];
    pages.push((
        "columns",
        upload(&browser, "/admin/import", own.as_bytes(), &chosen).await,
    ));
    let compared = [
        ("amount", "B"),
        ("payment_id", "<b>\"'&x"),
        ("from", "2026-01-01"),
        ("to", "2026-12-31"),
    ];
    pages.push((
        "compared",
        upload(&browser, "/admin/settlement", own.as_bytes(), &compared).await,
    ));
    for (what, page) in &pages {
        assert!(
            !page.text.contains("<b>\"") && !page.text.contains("<b>&"),
            "{what}: {}",
            page.text
        );
        assert!(!page.header("location").contains("//"), "{what}");
        if page.status != 303 {
            let policy = page.header("content-security-policy");
            assert!(
                policy.contains("form-action 'self'"),
                "{what} {}: {policy}",
                page.status
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_the_office_is_not_framed_kept_or_led_elsewhere() {
    let office = Office::new();
    let browser = office.sign_in(Role::Manager).await;
    for address in [
        "/admin",
        "/admin/orders/new",
        "/admin/nothing",
        "/admin/sign-in",
    ] {
        let page = browser.get(address).await;
        assert_eq!(
            page.header("content-security-policy"),
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(page.header(name), value, "{address}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_history_of_an_order_says_who_changed_what() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let clerk = office.sign_in(Role::Clerk).await;
    let address = "/admin/orders/TAX/1";
    let page = clerk.get(address).await;
    let etag = page.field("etag");
    let form = [
        ("etag", etag.as_str()),
        ("amend", "1"),
        ("reason", "Taxă"),
        ("amount_due", "10.00"),
        ("customer_name", "<Ana>"),
    ];
    let page = clerk.send(address, &form).await;
    assert_eq!(page.status, 303, "{}", page.text);
    record(&office.memory, "P", "1", "10").await.unwrap();
    let etag = clerk.get(address).await.field("etag");
    let form = [("etag", etag.as_str()), ("set", "Completed")];
    assert_eq!(clerk.send(address, &form).await.status, 303);
    let whole = format!("{address}/history");
    for (language, texts) in [
        (
            "ro",
            [
                "Istoric",
                "Modificată",
                "Înregistrată",
                "Încheiată",
                "Plată înregistrată",
            ],
        ),
        (
            "ru",
            [
                "История",
                "Изменён",
                "Зарегистрирован",
                "Завершён",
                "Платёж записан",
            ],
        ),
        (
            "en",
            [
                "History",
                "Changed",
                "Registered",
                "Completed",
                "Payment recorded",
            ],
        ),
    ] {
        for address in [address, &whole] {
            let page = clerk.get(&format!("{address}?lang={language}")).await;
            assert_eq!(page.status, 200, "{}", page.text);
            for text in texts.into_iter().chain([
                "&lt;Ana&gt;",
                "<span>clerk</span>",
                "<span>tester</span>",
                "<span>MPay</span>",
            ]) {
                assert!(
                    page.text.contains(text),
                    "{text} at {address}: {}",
                    page.text
                );
            }
            assert!(!page.text.contains("<Ana>"), "{}", page.text);
        }
    }
    for _ in 0..4 {
        let etag = clerk.get(address).await.field("etag");
        for set in ["", "Completed"] {
            let etag = match set {
                "" => etag.clone(),
                _ => clerk.get(address).await.field("etag"),
            };
            clerk.send(address, &[("etag", &etag), ("set", set)]).await;
        }
    }
    // The order's page has the latest; the rest is one link away.
    let link = format!("href=\"{whole}?lang=ro\"");
    assert!(clerk.get(address).await.text.contains(&link));
    assert_eq!(clerk.get("/admin/orders/TAX/2/history").await.status, 404);
    let page = clerk.get(&format!("{whole}?cursor=x")).await;
    assert_eq!(page.status, 400, "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn a_page_says_that_a_large_day_is_not_added_up_yet_and_goes_on() {
    use mpay_ledger::Platform as _;
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let (count, at) = (20_000, office.memory.now());
    let last = office.memory.increment("journal", count).await.unwrap();
    for place in last - count + 1..=last {
        let event = r#"{"type":"order.registered","service_id":"TAX","order_key":"x","version":1,"currency":"MDL"}"#;
        let entry = format!(r#"{{"v":1,"at":"{at}","entry":{event}}}"#);
        office
            .memory
            .overwrite(&format!("journal/{place}"), entry.into_bytes());
    }
    record(&office.memory, "P", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Read).await;
    let page = browser.get("/admin").await;
    let says = "Sumele nu sunt încă ale întregii zile";
    assert!(page.text.contains(says), "{}", page.text);
    assert!(!page.text.contains("10,00"), "{}", page.text);
    assert!(
        page.text
            .contains("href=\"/admin?lang=ro\">Însumați mai departe</a>")
    );
    let page = browser.get("/admin").await;
    assert!(
        !page.text.contains(says) && page.text.contains("10,00"),
        "{}",
        page.text
    );
    // The list of its payments goes on by a link, and has the sums of all.
    let page = browser.get("/admin/payments").await;
    assert!(page.text.contains("10,00"), "{}", page.text);
    let (_, next) = page.text.split_once("cursor=").unwrap();
    let next = next.split('&').next().unwrap();
    assert!(!page.text.contains("<code>P</code>"), "{}", page.text);
    let page = browser
        .get(&format!("/admin/payments?date=2026-06-01&cursor={next}"))
        .await;
    assert!(page.text.contains("<code>P</code>"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn what_is_filtered_is_what_is_exported() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    register(&office.memory, "2", "20").await.unwrap();
    let browser = office.sign_in(Role::Read).await;
    let page = browser
        .get("/admin/orders?amount_due=20&status=Active")
        .await;
    let (_, link) = page
        .text
        .split_once("href=\"/admin/export?format=csv")
        .unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let table = browser
        .get(&format!("/admin/export?format=csv{link}"))
        .await;
    assert_eq!(table.status, 200, "{}", table.text);
    assert_eq!(table.text.lines().count(), 2, "{}", table.text);
    assert!(
        table.text.contains("20,00") && !table.text.contains("10,00"),
        "{}",
        table.text
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_flagged_double_says_that_nothing_is_paid_beyond_any_more() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record_card(&office.memory, "C", "1", "10").await.unwrap();
    record(&office.memory, "P", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let said = "Nu mai este nimic plătit în plus";
    let page = browser.get("/admin/orders/TAX/1").await;
    assert!(page.text.contains("plătită de două ori"), "{}", page.text);
    assert!(!page.text.contains(said), "{}", page.text);
    refund(&office.memory, "C", "0").await.unwrap();
    let page = browser.get("/admin/orders/TAX/1").await;
    assert!(page.text.contains("plătită de două ori"), "{}", page.text);
    assert!(page.text.contains(said), "{}", page.text);
    assert!(
        page.text.contains("<dt>Restituit</dt><dd>10,00"),
        "{}",
        page.text
    );
}

#[tokio::test(start_paused = true)]
async fn today_says_how_payments_came_to_an_account() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    register(&office.memory, "2", "20").await.unwrap();
    record(&office.memory, "P", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Read).await;
    let page = browser.get("/admin").await;
    assert!(!page.text.contains("cu cardul"), "{}", page.text);
    record_card(&office.memory, "C", "2", "20").await.unwrap();
    let page = browser.get("/admin").await;
    let (before, _) = page.text.split_once("20,00").unwrap();
    let row = before.rsplit_once("<tr>").unwrap().1;
    assert!(row.contains("</code> cu cardul"), "{row}");
    // The table of what needs somebody is as wide as the page.
    assert!(!page.text.contains("columns"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_refused_gives_back_what_was_typed() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Manager).await;
    let page = browser.get("/admin/orders/TAX/1").await;
    let etag = page.field("etag");
    let form = [
        ("etag", etag.as_str()),
        ("set", "Refunded"),
        ("refund_reference", "OP <77>"),
    ];
    let page = browser.send("/admin/orders/TAX/1", &form).await;
    assert!(page.status >= 400, "{}", page.text);
    let typed = "<h2>Ați scris</h2><dl><dt>Documentul restituirii</dt><dd>OP &lt;77&gt;</dd></dl>";
    assert!(page.text.contains(typed), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_is_written_like_other_amounts() {
    let office = Office::new();
    register(&office.memory, "1", "5000").await.unwrap();
    record_card(&office.memory, "C", "1", "5000").await.unwrap();
    refund(&office.memory, "C", "1000").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let page = browser.get("/admin/payments").await;
    let amount = "-4\u{202F}000,00\u{A0}MDL";
    assert!(page.text.contains(amount), "{}", page.text);
    // A statement has its own as well.
    let fields = [
        ("from", "2026-06-01"),
        ("to", "2026-06-30"),
        ("amount", "suma"),
        ("payment_id", "plata"),
    ];
    let statement = "plata;suma\nRRN-C;5000\nRRN-C;-4000\n";
    let page = upload(&browser, "/admin/settlement", statement.as_bytes(), &fields).await;
    assert!(page.text.contains("-4\u{202F}000,00"), "{}", page.text);
    assert!(page.text.contains("<td>restituire</td>"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn a_refund_of_a_card_says_done_only_once_it_is_done() {
    let variables = [
        ("card_gateway", "https://gateway.example.md"),
        ("card_terminal", "Merchant"),
        ("card_password", "hunter2"),
        ("card_refunds", "managers"),
        ("public_url", "https://pay.example.md/"),
    ];
    let office = Office::with(&variables);
    register(&office.memory, "1", "10").await.unwrap();
    // The gateway has taken 10.00, and is silent at what comes first of refunds.
    office.memory.respond_with({
        let remaining = AtomicU64::new(0);
        move |request| {
            let command = request.uri().path().rsplit('/').next().unwrap();
            let fields = form_urlencoded::parse(request.body());
            let fields: HashMap<_, _> = fields.into_owned().collect();
            let data = &fields.get("Data").cloned().unwrap_or_default();
            let id = data.split(';').find_map(|pair| pair.strip_prefix("OrderId="));
            let id = fields.get("OrderId").map_or(id, |id| Some(id.as_str())).unwrap();
            match command {
                "Init" => Ok((200, format!(r#"<Init Success="True" OrderId="{id}" Amount="1000" SessionId="s1"/>"#))),
                "GetState" => {
                    let amount = match remaining.load(Relaxed) {
                        0 => 1000,
                        amount => amount,
                    };
                    Ok((200, format!(r#"<GetState Success="True" OrderId="{id}" State="Charged" Amount="{amount}"/>"#)))
                }
                "Refund" if remaining.load(Relaxed) == 0 => {
                    remaining.store(1000, Relaxed);
                    Err("the connection broke")
                }
                command => {
                    remaining.store(700, Relaxed);
                    Ok((200, format!(r#"<{command} Success="True" OrderId="{id}" NewAmount="700"/>"#)))
                }
            }
        }
    });
    let mut api = Api::with(&variables);
    api.memory = office.memory.clone();
    let begin = serde_json::json!({"return_url": "https://shop.example.md/"});
    let begun = api.post_as("k", "orders/TAX/1/card-payments", &begin).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    let asked = api.get(&format!("card-payments/{id}?ask=true")).await;
    assert_eq!(asked.json()["state"], "paid", "{}", asked.text);
    let browser = office.sign_in(Role::Manager).await;
    let address = format!("/admin/card-payments/{id}/refunds");
    let form = [
        ("back", "/admin/orders/TAX/1"),
        ("amount", "3,00"),
        ("note", "n"),
        ("checked", "1"),
    ];
    let once = |name| [form.as_slice(), &[("once", name)]].concat();
    // What means two things, or nothing, gives nothing back.
    for (typed, said) in [("1.000", "1000.00"), ("", "")] {
        let form = [("amount", typed), ("note", "n"), ("once", "unread")];
        let refused = browser.send(&address, &form).await;
        assert_eq!(refused.status, 422, "{typed}: {}", refused.text);
        assert!(refused.text.contains(said), "{typed}: {}", refused.text);
    }
    let sent = browser.send(&address, &once("first")).await;
    assert!(
        sent.header("location").contains("?unknown=1"),
        "{}",
        sent.header("location")
    );
    let page = browser.get("/admin/orders/TAX/1?unknown=1&lang=en").await;
    assert!(page.text.contains("It is not known yet whether it is done"));
    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    api.get(&format!("card-payments/{id}?ask=true")).await;
    let sent = browser.send(&address, &once("second")).await;
    assert!(sent.header("location").contains("?done=1"), "{}", sent.text);
    // Of an order that is refunded otherwise, they must say that they know it.
    let page = browser.get("/admin/orders/TAX/1").await;
    assert!(!page.text.contains("name=\"despite\""), "{}", page.text);
    for change in [
        r#"{"status": "Refunding"}"#,
        r#"{"status": "Refunded", "refund_reference": "OP 77"}"#,
    ] {
        assert_eq!(
            api.call(
                "PATCH",
                "orders/TAX/1",
                "application/merge-patch+json",
                change
            )
            .await
            .status,
            200
        );
    }
    let page = browser.get("/admin/orders/TAX/1").await;
    assert!(page.text.contains("name=\"despite\""), "{}", page.text);
    assert_eq!(browser.send(&address, &once("third")).await.status, 409);
    let despite = [once("fourth"), vec![("despite", "1")]].concat();
    assert_eq!(browser.send(&address, &despite).await.status, 303);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_on_a_card_is_taken_or_released_in_the_office() {
    let variables = [
        ("card_gateway", "https://gateway.example.md"),
        ("card_terminal", "Merchant"),
        ("card_password", "hunter2"),
        ("public_url", "https://pay.example.md/"),
    ];
    for (what, field, word, state) in [
        ("charge", "amount", "Charge", "paid"),
        ("cancel", "back", "Unblock", "released"),
    ] {
        let office = Office::with(&variables);
        register(&office.memory, "1", "10").await.unwrap();
        // What the gateway has: a payer at their bank's page, then a hold, until it is told otherwise.
        let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let there = asked.clone();
        let is_held = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let held = is_held.clone();
        office.memory.respond_with(move |request| {
            let command = request.uri().path().rsplit('/').next().unwrap().to_owned();
            let fields = form_urlencoded::parse(request.body());
            let fields: HashMap<_, _> = fields.into_owned().collect();
            let data = fields.get("Data").cloned().unwrap_or_default();
            let id = data.split(';').find_map(|pair| pair.strip_prefix("OrderId="));
            let id = fields.get("OrderId").map_or(id, |id| Some(id.as_str())).unwrap();
            let mut asked = there.lock().unwrap();
            let state = match asked.last().map(String::as_str) {
                Some("Charge") => "Charged",
                Some("Unblock") => "Voided",
                _ if held.load(Relaxed) => "Authorized",
                _ => "PreAuthorized3DS",
            };
            if command != "GetState" {
                asked.push(command.clone());
            }
            Ok((200, format!(r#"<{command} Success="True" OrderId="{id}" State="{state}" Amount="1000" NewAmount="0" SessionId="s1"/>"#)))
        });
        let mut api = Api::with(&variables);
        api.memory = office.memory.clone();
        let begin =
            serde_json::json!({"return_url": "https://shop.example.md/", "capture": "manual"});
        let begun = api.post_as("k", "orders/TAX/1/card-payments", &begin).await;
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        api.get(&format!("card-payments/{id}?ask=true")).await;
        let browser = office.sign_in(Role::Clerk).await;
        let page = browser.get("/admin/orders/TAX/1?lang=en").await;
        let until = "by 4 Jun 2026, 12:00 at the latest";
        assert!(page.text.contains(until), "{}", page.text);
        is_held.store(true, Relaxed);
        api.get(&format!("card-payments/{id}?ask=true")).await;
        let page = browser.get("/admin/orders/TAX/1?lang=en").await;
        assert!(!page.text.contains(until), "{}", page.text);
        // Somebody wants it taken, and their call is stopped.
        let cut_off = "On 1 Jun 2026, 12:00 somebody wanted the amount taken";
        assert!(!page.text.contains(cut_off), "{}", page.text);
        let names = (
            ServiceId::parse("TAX").unwrap(),
            OrderKey::parse("1").unwrap(),
        );
        let payment = PaymentId::parse(&id).unwrap();
        let ledger = Ledger::new(office.memory.clone());
        let cards = ledger.card_payments();
        let taken = cards.take(&payment, &names.0, &names.1, |_| Ok(()));
        taken.await.unwrap();
        let page = browser.get("/admin/orders/TAX/1?lang=en").await;
        assert!(page.text.contains(cut_off), "{}", page.text);
        let address = format!("/admin/card-payments/{id}/{what}");
        assert!(page.text.contains(&address), "{}", page.text);
        let accountant = office.sign_in(Role::Accountant).await;
        let seen = accountant.get("/admin/orders/TAX/1").await;
        assert!(!seen.text.contains(&address), "{}", seen.text);
        // Other calls of the API are no forms.
        let other = browser.send("/admin/card-payments/check", &[]).await;
        assert_eq!(other.status, 404);
        let form = [("back", "/admin/orders/TAX/1"), (field, "10,00")];
        let sent = browser
            .send(&address, &form[..if field == "back" { 1 } else { 2 }])
            .await;
        assert!(sent.header("location").contains("?done=1"), "{}", sent.text);
        assert_eq!(asked.lock().unwrap().last().unwrap(), word);
        let found = api.get(&format!("card-payments/{id}")).await.json();
        assert_eq!(found["state"], state);
    }
}
