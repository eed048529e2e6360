//! The pages: texts, languages, and the sites that may press buttons.

use super::*;

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
