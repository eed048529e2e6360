use bytes::Bytes;
use http::{Method, Request, Response};
use mpay_door::config::testing::variables;

use super::super::link::PayLink;
use crate::{
    App,
    domain::{OrderKey, ServiceId},
    json::OrderJson,
    service::handle,
    store::{
        Ledger, Precondition,
        memory::Memory,
        testing::{put, record, record_card, refund, register},
    },
};

const KEY: &str = "0123456789012345678901234567890123456789";

struct Site {
    app: App,
    memory: Memory,
}

impl Site {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(others: &[(&'static str, &str)]) -> Self {
        let mut variables = variables();
        for (name, value) in [
            ("environment", "test"),
            ("page_key", KEY),
            ("public_url", "https://pay.example.md/"),
            ("institution_name", "Primăria <Exemplu>"),
        ]
        .iter()
        .chain(others)
        {
            variables.set(name, (*value).to_owned());
        }
        Self {
            app: App::new(variables),
            memory: Memory::new(),
        }
    }

    async fn ask(&self, method: Method, address: &str) -> (Response<Bytes>, String) {
        let request = Request::builder().method(method).uri(address);
        let request = request.body(String::new()).unwrap();
        let store = Ledger::new(self.memory.clone());
        let response = handle(&self.app, &store, request).await;
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        (response, text)
    }

    async fn get(&self, address: &str) -> (u16, String) {
        let (response, text) = self.ask(Method::GET, address).await;
        (response.status().as_u16(), text)
    }

    /// The path of an order's page.
    fn path(&self, key: &str) -> String {
        let pages = self.app.config.as_ref().unwrap().pages.as_ref().unwrap();
        let (service, key) = (ServiceId::parse("TAX"), OrderKey::parse(key));
        let url = pages.pay_url(&service.unwrap(), &key.unwrap());
        url.strip_prefix("https://pay.example.md")
            .unwrap()
            .to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_shown_to_who_has_its_link_in_three_languages() {
    let site = Site::new();
    register(&site.memory, "1", "1250.5").await.unwrap();
    let path = site.path("1");
    for (language, amount, pay) in [
        ("ro", "1\u{202F}250,50\u{A0}MDL", "Plătiți prin MPay"),
        ("ru", "1\u{202F}250,50\u{A0}MDL", "Оплатить через MPay"),
        ("en", "1\u{202F}250.50\u{A0}MDL", "Pay with MPay"),
    ] {
        let (status, page) = site.get(&format!("{path}?lang={language}")).await;
        assert_eq!(status, 200, "{page}");
        assert!(
            page.contains(&format!("<html lang=\"{language}\">")),
            "{page}"
        );
        assert!(page.contains(amount) && page.contains(pay), "{page}");
        let form = "action=\"https://mpay.staging.egov.md/service/pay\"";
        assert!(page.contains(form), "{page}");
        assert!(page.contains("name=\"OrderKey\" value=\"1\""), "{page}");
        let back =
            format!("value=\"https://pay.example.md{path}/return?paid=0&amp;lang={language}\"");
        assert!(page.contains(&back), "{page}");
        assert!(page.contains("Primăria &lt;Exemplu&gt;"), "{page}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_without_a_good_link() {
    let site = Site::new();
    register(&site.memory, "1", "10").await.unwrap();
    let path = site.path("1");
    let changed = format!("{}A", &path[..path.len() - 1]);
    let other = site.path("2");
    for address in [
        "/o/",
        "/o/1",
        "/o/TAX/1",
        &changed,
        &other,
        &format!("{path}/x"),
    ] {
        let (status, page) = site.get(address).await;
        assert_eq!(status, 404, "{address}: {page}");
        assert!(page.contains("Comanda nu a fost găsită"), "{page}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let (response, _) = site.ask(method.parse().unwrap(), &path).await;
        assert_eq!(response.status(), 405, "{method}");
    }
    // Without the key there are no pages.
    let closed = Site::with(&[("page_key", "")]);
    assert_eq!(closed.get(&path).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_link_may_end() {
    let site = Site::new();
    register(&site.memory, "1", "10").await.unwrap();
    let pages = site.app.config.as_ref().unwrap().pages.as_ref().unwrap();
    let now = Ledger::new(site.memory.clone()).now();
    for (seconds, status) in [(60, 200), (-60, 410)] {
        let link = PayLink {
            service: ServiceId::parse("TAX").unwrap(),
            key: OrderKey::parse("1").unwrap(),
            until: Some(now + jiff::SignedDuration::from_secs(seconds)),
        };
        let path = format!("/o/{}", link.token(&pages.keys));
        assert_eq!(site.get(&path).await.0, status);
    }
}

#[tokio::test(start_paused = true)]
async fn no_page_can_be_framed_kept_or_scripted() {
    let site = Site::with(&[("page_color", "#770000")]);
    register(&site.memory, "1", "10").await.unwrap();
    let path = site.path("1");
    let parts = ["", "/return", "/notice", "/receipt", "/x"];
    for address in parts.map(|part| format!("{path}{part}")) {
        let (response, page) = site.ask(Method::GET, &address).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap();
        let policy = header("content-security-policy");
        for rule in [
            "default-src 'none';",
            "style-src 'self';",
            "form-action 'self' https: https://mpay.staging.egov.md;",
            "base-uri 'none'; frame-ancestors 'none'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert!(
            !page.contains("<script") && !page.contains("style="),
            "{page}"
        );
    }
    for (asset, media_type) in [("style.css", "text/css"), ("theme.css", "text/css")] {
        let (response, text) = site.ask(Method::GET, &format!("/o/{asset}")).await;
        assert_eq!(response.headers()["content-type"], media_type);
        assert!(!text.is_empty());
    }
    assert_eq!(site.get("/o/logo").await.0, 404, "there is none");
}

#[tokio::test(start_paused = true)]
async fn the_page_of_return_waits_for_a_payment_that_is_new() {
    let site = Site::new();
    register(&site.memory, "1", "100").await.unwrap();
    record(&site.memory, "P-1", "1", "40").await.unwrap();
    let path = site.path("1");
    let (_, page) = site.get(&path).await;
    assert!(page.contains("/return?paid=1&amp;"), "{page}");
    // The payment that was recorded before does not count.
    let back = format!("{path}/return?paid=1");
    let (_, page) = site.get(&back).await;
    let again = format!("content=\"2; url={path}/return?paid=1&amp;n=1&amp;lang=ro\"");
    assert!(page.contains(&again), "{page}");
    // Each wait is longer, and the last one ends the reloads.
    let mut address = back.clone();
    let mut pauses = Vec::new();
    while let Some((_, rest)) = site
        .get(&address)
        .await
        .1
        .split_once("http-equiv=\"refresh\" content=\"")
    {
        let (pause, next) = rest.split_once("; url=").unwrap();
        pauses.push(pause.parse::<u32>().unwrap());
        address = next.split_once('"').unwrap().0.replace("&amp;", "&");
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert_eq!(pauses.iter().sum::<u32>(), 600);
    let (_, page) = site.get(&address).await;
    assert!(page.contains("Plata nu a fost confirmată") && page.contains("Plătiți din nou"));
    // A parameter that cannot be read counts as absent.
    for query in [
        "paid=x",
        "paid=-1&n=x",
        "n=99999999999999999999999",
        "paid=%FF",
    ] {
        assert_eq!(
            site.get(&format!("{path}/return?{query}")).await.0,
            200,
            "{query}"
        );
    }
    // The page keeps waiting in another language, and also at an address without a number.
    let (_, page) = site.get(&back).await;
    assert!(
        page.contains(&format!("href=\"{path}/return?paid=1&amp;lang=ru\"")),
        "{page}"
    );
    let (_, page) = site.get(&format!("{path}/return")).await;
    assert!(page.contains("http-equiv"), "{page}");
    record(&site.memory, "P-2", "1", "60").await.unwrap();
    let (_, page) = site.get(&address).await;
    assert!(
        page.contains("Plata a fost înregistrată") && page.contains("P-2"),
        "{page}"
    );
    assert!(
        !page.contains("P-1") && !page.contains("http-equiv"),
        "{page}"
    );
    let (_, page) = site.get(&format!("{path}/receipt")).await;
    assert!(page.contains("P-1") && page.contains("P-2"), "{page}");
    let (_, page) = site.get(&path).await;
    assert!(!page.contains("<form"), "nothing is left to pay: {page}");
}

#[tokio::test(start_paused = true)]
async fn a_notice_has_the_link_as_a_code_and_the_number() {
    let site = Site::new();
    register(&site.memory, "123456789012", "10").await.unwrap();
    let path = site.path("123456789012");
    let (status, page) = site.get(&format!("{path}/notice")).await;
    assert_eq!(status, 200);
    assert!(page.contains("<svg"), "{page}");
    let number = "<span>1234</span><span>5678</span><span>9012</span>";
    assert!(page.contains(number), "{page}");
    // A notice of an order that cannot be paid asks for no payment.
    record(&site.memory, "P", "123456789012", "10")
        .await
        .unwrap();
    let (_, page) = site.get(&format!("{path}/notice")).await;
    assert!(
        !page.contains("<svg") && page.contains("Achitată"),
        "{page}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_printed_says_what_was_given_back_and_who_issues_the_fiscal_document() {
    let site = Site::new();
    let (mpay, institution) = ("eliberat de MPay", "documentul fiscal de la instituție");
    register(&site.memory, "1", "50").await.unwrap();
    record_card(&site.memory, "C", "1", "50").await.unwrap();
    let path = site.path("1");
    let (_, page) = site.get(&format!("{path}/receipt")).await;
    assert!(!page.contains("Restituit"), "{page}");
    assert!(page.contains(institution) && !page.contains(mpay), "{page}");
    assert!(page.contains("cu cardul"), "{page}");
    refund(&site.memory, "C", "30").await.unwrap();
    for address in [format!("{path}/receipt"), path.clone()] {
        let (_, page) = site.get(&address).await;
        let sum = "<span>Restituit</span><span>20,00\u{A0}MDL</span>";
        assert!(page.contains(sum), "{page}");
        let of_payment = "restituit 20,00\u{A0}MDL";
        assert!(page.contains(of_payment), "{page}");
    }
    register(&site.memory, "2", "50").await.unwrap();
    record(&site.memory, "P", "2", "50").await.unwrap();
    let path = site.path("2");
    let (_, page) = site.get(&format!("{path}/receipt")).await;
    assert!(page.contains(mpay) && !page.contains(institution), "{page}");
}

#[tokio::test(start_paused = true)]
async fn the_page_names_the_number_that_shows_several_orders_and_nothing_of_a_person() {
    let site = Site::new();
    let order = serde_json::json!({
        "service_id": "TAX", "order_key": "1", "reason": "Chirie",
        "aliases": ["C-77/2026", {"value": "AN-55/2026", "personal": true}, "2000000000004", "<C>/1", "PV 5/26"],
        "lines": [{"line_id": "1", "reason": "Chirie", "amount_due": "10"}]
    });
    let order: OrderJson = serde_json::from_value(order).unwrap();
    let order = order.to_order().unwrap();
    put(&site.memory, &order, Precondition::None).await.unwrap();
    let path = site.path("1");
    for (language, first, second) in [
        (
            "ro",
            "La MPay, numărul C-77/2026 arată tot ce este de plătit sub el.",
            "numărul PV 5/26 arată",
        ),
        ("ru", "номер C-77/2026 показывает всё", "номер PV 5/26 "),
        (
            "en",
            "the number C-77/2026 shows everything",
            "number PV 5/26 ",
        ),
    ] {
        let (_, page) = site.get(&format!("{path}?lang={language}")).await;
        assert!(page.contains(first) && page.contains(second), "{page}");
        for of_person in ["2000000000004", "AN-55", "C&gt;/1"] {
            assert!(!page.contains(of_person), "{page}");
        }
    }
    // A number that resembles personal data is not shown, whatever follows it.
    for (names, is_named) in [
        (["2004001234567/2026", "IDNP 2004001234567/26"], false),
        (["069123456", "+373 69 123 456/1"], false),
        (["AB 1234567/1", "ABC 123"], false),
        (["0100101.123.01.045", "POPESCU/1980"], false),
        (["ion@example.md", "Iași/"], false),
        (["bl. 5/12", "ap. 12/3"], false),
        (["str. 5/1", "a/1"], false),
        (["Ion/1980", "IP/010190"], false),
        (["I.P. 1/90", "IP 01/01/90"], false),
        (["A1/1", "ABCD-123/456"], true),
    ] {
        for name in names {
            let order = serde_json::json!({
                "service_id": "TAX", "order_key": "2", "reason": "Chirie", "aliases": [name],
                "lines": [{"line_id": "1", "reason": "Chirie", "amount_due": "10"}]
            });
            let order: OrderJson = serde_json::from_value(order).unwrap();
            let order = order.to_order().unwrap();
            put(&site.memory, &order, Precondition::None).await.unwrap();
            let (_, page) = site.get(&site.path("2")).await;
            assert_eq!(page.contains("tot ce este de plătit"), is_named, "{name}");
        }
    }
    // After one order is paid, the page still names the others.
    record(&site.memory, "P", "1", "10").await.unwrap();
    let (_, page) = site.get(&path).await;
    assert!(
        page.contains("C-77/2026") && !page.contains("<form"),
        "{page}"
    );
    register(&site.memory, "2", "10").await.unwrap();
    let (_, page) = site.get(&site.path("2")).await;
    assert!(!page.contains("arată tot ce este de plătit"), "{page}");
}
