//! The pages in a real browser whose scripts are turned off: from a table of orders over the payer's link,
//! MPay and back, to the statement.

use std::{fs, net::TcpListener, time::Duration};

use serde_json::json;

use crate::{browser::Browser, evidence::unzip, harness::*, offline::Offline};

/// A provider and MPay, each with the address of the other.
pub struct Town {
    pub provider: Provider,
    offline: Offline,
}

/// A port that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Town {
    pub fn start(others: &[(&str, &str)]) -> Self {
        let (own, mpay) = (free_port(), free_port());
        let (public_url, mpay_url) = (
            format!("http://127.0.0.1:{own}/"),
            format!("http://127.0.0.1:{mpay}"),
        );
        let mut variables = vec![
            ("page_key", "a-key-of-pages-for-tests-alone-0123456789"),
            ("public_url", public_url.as_str()),
            ("mpay_url", mpay_url.as_str()),
            ("page_note", "Întrebări: 022 000 000"),
        ];
        variables.extend(others);
        let provider = Provider::start_tuned(&variables, |options| {
            options.listen = ([127, 0, 0, 1], own).into();
        });
        let offline = Offline::start_with(&provider.url, |options| {
            options.listen = ([127, 0, 0, 1], mpay).into();
        });
        Self { provider, offline }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.provider.url.trim_end_matches('/'))
    }
}

pub fn sign_in(browser: &Browser, town: &Town, language: &str) {
    browser.open(&town.url(&format!("/admin?lang={language}")));
    browser.fill("input[name=token]", TOKEN);
    browser.follow("button.primary");
    browser.element(".out button");
}

#[test]
fn an_order_goes_from_the_table_over_the_payer_to_the_statement_without_scripts() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let town = Town::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    // The clerk.
    browser.open(&town.url("/admin?lang=ro"));
    browser.fill(
        "input[name=token]",
        "wrong-wrong-wrong-wrong-wrong-wrong-wrong",
    );
    browser.follow("button.primary");
    browser.wait_for("Codul nu este corect");
    browser.picture("sign-in-desktop-ro");
    browser.judge("sign-in");
    sign_in(&browser, &town, "ro");
    browser.wait_for("Plăți înregistrate");
    browser.follow("a[href^='/admin/import']");
    let orders = "service_id;order_key;reason;line_id;line_reason;amount_due;due_date;customer_name\n\
        TAX;123456789012;Taxă de salubrizare;1;Salubrizare;1 250,50;31.12.2099;Ștefania Țurcanu\n\
        TAX;B-2;Chirie;1;Sala;600,00;31.12.2099;Școala nr. 5\n\
        TAX;B-3;Chirie;1;Sala;mult;31.12.2099;Ion\n";
    // A table with columns of its own is asked about.
    let own = "Contract;Chiriaș;Chiria;Scadență;Obs\nC-1;Ana Rusu;1 250,50;31.12.2099;de sunat\n";
    browser.choose("input[type=file]", &file("chirii.csv", own));
    browser.follow("button.primary");
    browser.wait_for("Alegeți coloanele");
    browser.picture("import-columns-desktop-ro");
    browser.judge("import-columns");
    browser.open(&town.url("/admin/import?lang=ro"));
    browser.choose("input[type=file]", &file("comenzi.csv", orders));
    browser.follow("button.primary");
    browser.wait_for("Ce s-ar întâmpla");
    browser.light_and_dark("import", "desktop-ro");
    browser.judge("import");
    let absent = town.provider.api("GET", "orders/TAX/B-2", None);
    assert_eq!(absent.status, 404, "nothing is registered yet");
    browser.follow("button.primary");
    browser.wait_for("Ce s-a întâmplat");
    browser.judge("imported");
    browser.open(&town.url("/admin/orders?order_key=123456789012&lang=ro"));
    browser.wait_for("Pagina de plată");
    browser.picture("order-of-office-desktop-ro");
    browser.judge("order-of-office");

    // The payer, with a phone.
    let order = town.provider.order("123456789012");
    let pay_url = order["pay_url"].as_str().unwrap();
    browser.size(390, 844);
    browser.open(&format!("{pay_url}?lang=ro"));
    browser.wait_for("1\u{202F}250,50");
    browser.light_and_dark("order", "phone-ro");
    browser.follow("nav.languages a[hreflang=ru]");
    browser.wait_for("Оплатить через MPay");
    browser.picture("order-phone-ru");
    browser.follow("button.primary");
    browser.wait_for("Notă de plată");
    browser.follow("button[value=pay]");
    browser.wait_for("Plată confirmată");
    browser.follow("#return");
    browser.wait_for("Платёж записан");
    browser.picture("confirmed-payer-phone-ru");
    browser.follow("a[href*='/receipt']");
    browser.wait_for("Выписка о платежах");
    browser.judge("receipt");
    assert_eq!(town.provider.order("123456789012")["status"], "Paid");
    // A payer who comes back without having paid is told so in the end.
    let other = town.provider.order("B-2");
    let other = other["pay_url"].as_str().unwrap();
    browser.size(1280, 900);
    browser.open(&format!("{other}/return?paid=0&n=0&lang=en"));
    browser.wait_for("Waiting for the confirmation");
    browser.picture("waiting-desktop-en");
    browser.judge("waiting");
    browser.open(&format!("{other}/return?paid=0&n=14&lang=en"));
    browser.wait_for("not confirmed");
    browser.open(&format!("{other}/notice?lang=ro"));
    browser.wait_for("Scanați cu telefonul");
    browser.picture("notice-desktop-ro");
    browser.judge("notice");

    // The accountant.
    let payment = town.provider.ledger()[0].clone();
    let id = payment["payment_id"].as_str().unwrap();
    let today = &payment["received_at"].as_str().unwrap()[..10];
    let statement =
        format!("Extras\nData;Plata;Suma\n{today};{id};1250,50\n{today};P-unknown;7,00\n");
    // Days that are over, in the form in which the provider keeps their sums.
    let date: jiff::civil::Date = today.parse().unwrap();
    let days = (1..29).map(|day| {
        let date = mpay_ledger::domain::time::days_after(date, -day).unwrap();
        let amount = format!("{}.00", (day * 7919 + 500) % 3000);
        let total =
            json!({"currency": "MDL", "channel": "mpay", "amount": amount, "lines": day % 9 + 1});
        let is_weekend = day % 7 < 2;
        let totals = if is_weekend {
            json!([])
        } else {
            json!([total])
        };
        let kept =
            json!({"after": 0, "until": 0, "is_done": true, "mended": null, "totals": totals, "services": []});
        let note = json!({"v": 1, "value": kept}).to_string();
        (format!("note/paid-on-{date}"), note.into_bytes())
    });
    town.provider.load(&days.collect::<Vec<_>>());
    browser.open(&town.url("/admin?lang=ro"));
    browser.wait_for("1\u{202F}250,50");
    browser.element("svg.chart rect");
    browser.light_and_dark("today", "desktop-ro");
    browser.judge("today");
    browser.open(&town.url("/admin/payments?lang=ro"));
    browser.wait_for(id);
    browser.picture("payments-desktop-ro");
    browser.judge("payments");
    browser.open(&town.url("/admin/settlement?lang=ro"));
    browser.choose("input[type=file]", &file("extras.csv", &statement));
    // A field of a date is filled in as the browser shows it.
    browser.evaluate(&format!(
        "document.querySelector('input[name=from]').value = '{today}'"
    ));
    browser.follow("button.primary");
    // The button of the page before has the name of this one.
    browser.element("select[name=amount]");
    browser.picture("columns-desktop-ro");
    browser.judge("columns");
    browser.follow("button.primary");
    browser.wait_for("în extras, dar neînregistrate");
    browser.picture("settlement-desktop-ro");
    browser.judge("settlement");
    let settled = town.provider.api("GET", &format!("payments/{id}"), None);
    assert!(settled.body["settlement"].is_u64(), "{settled:?}");
    // A payment that MPay did not confirm is proposed by one person, and waits for another.
    browser.open(&town.url("/admin/payments/manual?service_id=TAX&order_key=B-2&lang=ro"));
    for (field, text) in [
        ("payment_id", "M-1"),
        ("amount", "600,00"),
        ("note", "În extrasul trezoreriei"),
    ] {
        browser.fill(&format!("input[name={field}]"), text);
    }
    browser.evaluate(&format!(
        "document.querySelector('input[name=paid_at]').value = '{today}'"
    ));
    browser.follow("form.narrow button.primary");
    browser.wait_for("așteaptă aprobarea");
    browser.judge("proposal");
    browser.picture("proposal-desktop-ro");
    browser.open(&town.url("/admin/payments/manual?lang=ro"));
    browser.element("ul.payments a");
    browser.judge("proposals");
    browser.follow(".out button");
    browser.wait_for("Autentificare");
    browser.open(&town.url("/admin/orders"));
    browser.wait_for("Autentificare");
}

/// A workbook of two orders, as another system exports it.
fn workbook() -> Vec<u8> {
    let other = Provider::start();
    for (key, amount) in [("R-1", "100.00"), ("R-2", "250.00")] {
        let mut order = order(amount);
        order["aliases"] = json!(["C-77/2026"]);
        other.register(key, order);
    }
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("Authorization", authorization.as_str())];
    let mut table = other.http("GET", "api/orders/export?format=xlsx", &headers, b"");
    assert_eq!(table.status(), 200);
    table.body_mut().read_to_vec().unwrap()
}

/// The texts that people read on the way, in a language.
struct Words {
    language: &'static str,
    preview: &'static str,
    done: &'static str,
    other_number: &'static str,
    pay: &'static str,
    recorded: &'static str,
    twice: &'static str,
    settled: &'static str,
    signed_out: &'static str,
}

const WORDS: [Words; 3] = [
    Words {
        language: "ro",
        preview: "Ce s-ar întâmpla",
        done: "Ce s-a întâmplat",
        other_number: "La MPay, numărul C-77/2026 arată tot",
        pay: "Plătiți prin MPay",
        recorded: "Plata a fost înregistrată",
        twice: "plătită de două ori",
        settled: "în extras, dar neînregistrate",
        signed_out: "Autentificare",
    },
    Words {
        language: "ru",
        preview: "Что произойдёт",
        done: "Что произошло",
        other_number: "На MPay номер C-77/2026 показывает всё",
        pay: "Оплатить через MPay",
        recorded: "Платёж записан",
        twice: "оплачено дважды",
        settled: "в выписке, но не записаны",
        signed_out: "Вход",
    },
    Words {
        language: "en",
        preview: "What would happen",
        done: "What happened",
        other_number: "the number C-77/2026 shows everything",
        pay: "Pay with MPay",
        recorded: "The payment is recorded",
        twice: "paid twice",
        settled: "in the statement, but not recorded",
        signed_out: "Sign in",
    },
];

/// Evidence as it is downloaded: MPay's message is signed by MPay, the answer by us, and both are of the payment.
fn verify_evidence(archive: &[u8], payment: &serde_json::Value) {
    let Some(files) = unzip(archive) else { return };
    let meta: serde_json::Value = serde_json::from_slice(&files["meta.json"]).unwrap();
    assert_eq!(meta["payment_id"], payment["payment_id"]);
    let at = meta["received_at"].as_str().unwrap().parse().unwrap();
    for (name, certificate, operation) in [
        ("request.xml", MPAY, "ConfirmOrderPayment"),
        (
            "answer.xml",
            SERVICE_CERTIFICATE,
            "ConfirmOrderPaymentResponse",
        ),
    ] {
        let policy = wsse::Policy {
            trust: wsse::Trust::pinned(wsse::Certificate::bundle_from_pem(certificate).unwrap()),
            accept_sha1: true,
            clock_skew: Duration::from_secs(120),
            max_age: Duration::from_secs(1800),
        };
        let envelope = wsse::Envelope::parse(&files[name]).unwrap();
        let verified = envelope.verify(&policy, at).unwrap();
        let body = verified.body().children().next().unwrap();
        assert!(body.is("https://mpay.gov.md", operation), "{name}");
        if operation == "ConfirmOrderPayment" {
            let text = String::from_utf8(files[name].clone()).unwrap();
            let id = payment["payment_id"].as_str().unwrap();
            assert!(
                text.contains(&format!("<PaymentID>{id}</PaymentID>")),
                "{text}"
            );
        }
    }
}

/// The whole way, on a phone and without scripts, by the links and forms of the pages alone.
fn journey(browser: &Browser, words: &Words) {
    let town = Town::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let orders = folder.path().join("orders.xlsx");
    fs::write(&orders, workbook()).unwrap();
    let language = words.language;
    browser.size(390, 844);
    sign_in(browser, &town, language);
    // The clerk imports a workbook, and opens an order's page for its payer.
    browser.follow("a[href^='/admin/import']");
    browser.choose("input[type=file]", &orders);
    browser.follow("button.primary");
    browser.wait_for(words.preview);
    browser.follow("button.primary");
    browser.wait_for(words.done);
    browser.open(&town.url(&format!("/admin/orders/TAX/R-1?lang={language}")));
    browser.follow("a[href*='/o/']");
    // The payer reads it in their language, pays at MPay, and comes back.
    if language != "ro" {
        browser.follow(&format!("nav.languages a[hreflang={language}]"));
    }
    browser.wait_for(words.other_number);
    browser.wait_for(words.pay);
    browser.follow("button.primary");
    browser.wait_for("Notă de plată");
    browser.follow("button[value=pay]");
    browser.wait_for("Plată confirmată");
    browser.follow("#return");
    browser.wait_for(words.recorded);
    let first = town.provider.ledger()[0].clone();
    // MPay tells of a second payment, which somebody looks at.
    let again = confirmation("R-1", "P-2", "100.00");
    let paid = town.provider.mpay().confirm(&again).unwrap();
    assert!(matches!(paid, mpay_client::Answer::Result(())));
    browser.open(&town.url(&format!("/admin?lang={language}")));
    browser.follow("a[href^='/admin/orders/TAX/R%2D1']");
    browser.wait_for(words.twice);
    browser.picture(&format!("review-phone-{language}"));
    browser.judge("review");
    browser.size(390, 844);
    browser.fill("input[name=note]", "Ordin 12 / Поручение 12");
    browser.follow("form.inline button");
    browser.wait_for("Поручение 12");
    let second = town.provider.api("GET", "payments/P-2", None).body;
    assert_eq!(second["review"], json!([]));
    // Both stand in the statement, and one payment that nobody knows.
    let (today, _) = first["received_at"].as_str().unwrap().split_at(10);
    let id = first["payment_id"].as_str().unwrap();
    let statement = folder.path().join("statement.csv");
    let rows = format!(
        "Data;Plata;Suma\n{today};{id};100,00\n{today};P-2;100,00\n{today};P-unknown;7,00\n"
    );
    fs::write(&statement, rows).unwrap();
    browser.open(&town.url(&format!("/admin/settlement?lang={language}")));
    browser.choose("input[type=file]", &statement);
    browser.evaluate(&format!(
        "document.querySelector('input[name=from]').value = '{today}'"
    ));
    browser.follow("button.primary");
    browser.element("select[name=amount]");
    browser.follow("button.primary");
    browser.wait_for(words.settled);
    for id in [id, "P-2"] {
        let settled = town.provider.api("GET", &format!("payments/{id}"), None);
        assert!(settled.body["settlement"].is_u64(), "{settled:?}");
    }
    // The evidence of both is downloaded with the session of the browser, and holds.
    browser.open(&town.url(&format!("/admin/orders/TAX/R-1?lang={language}")));
    let links = "return [...document.querySelectorAll('a[href$=evidence]')].map(a => a.href)";
    let links = browser.evaluate(links);
    let links = links.as_array().unwrap();
    assert_eq!(links.len(), 2, "{links:?}");
    for payment in [&first, &second] {
        let id = payment["payment_id"].as_str().unwrap().replace('-', "%2D");
        let link = links.iter().filter_map(|link| link.as_str());
        let mut link = link.filter(|link| link.ends_with(&format!("/payments/{id}/evidence")));
        verify_evidence(&browser.download(link.next().unwrap()), payment);
    }
    browser.follow(".out button");
    browser.wait_for(words.signed_out);
}

#[test]
fn a_workbook_leads_to_payments_that_are_looked_at_settled_and_proved_on_a_phone_in_each_language()
{
    let Some(browser) = Browser::start() else {
        return;
    };
    for words in &WORDS {
        journey(&browser, words);
    }
}

#[test]
fn every_page_can_be_used_by_everybody_and_only_shows_what_strangers_write() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let hostile = "<script>document.title='owned'</script>";
    let name = format!("{hostile}{}", "W".repeat(60));
    let receiver = format!(
        "{} https://erp.example.md/ whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "W".repeat(32)
    );
    let town = Town::start(&[
        ("institution_name", name.as_str()),
        ("page_color", "#7a1fa2"),
        // A receiver that may not be told, and a job that no timer does.
        ("webhooks", receiver.as_str()),
        ("webhook_origin", "https://erp.example.md"),
        ("personal_data_retention", "30"),
        ("card_gateway", "not-a-gateway"),
    ]);
    let key = "W".repeat(36);
    town.provider.register(&key, json!({
        "reason": "W".repeat(50), "customer_name": "Î".repeat(60), "customer_id": "2000000000004",
        "allow_partial_payments": true, "allow_advance_payments": true,
        "lines": [{"line_id": "W".repeat(36), "reason": "W".repeat(50), "amount_due": "9999999999999.99"}],
        "properties": [
            {"name": "p", "display_name": "W".repeat(36), "value": "W".repeat(255)},
            {"name": "q", "display_name": hostile.get(..36).unwrap(), "value": hostile.repeat(6)}
        ],
        "metadata": {"note": hostile}
    }));
    town.provider.register(
        "day",
        json!({
            "reason": "Amendă", "issued_at": "2026-03-05", "aliases": ["PV-77/2026", "W".repeat(36)],
            "lines": [{"line_id": "1", "reason": "Amendă", "amount_due": "1500.00"}],
            "amounts": [
                {"until": "2099-05-01", "amount_due": "750.00"},
                {"from": "2099-06-01", "add_per_day": "10.00", "at_most": "300.00"}
            ]
        }),
    );
    let pay = |key: &str| {
        town.provider.order(key)["pay_url"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (long, by_day) = (pay(&key), pay("day"));
    sign_in(&browser, &town, "ro");
    for language in ["ro", "ru", "en"] {
        for (what, url) in [
            ("order", long.clone()),
            ("by-day", by_day.clone()),
            ("return", format!("{long}/return")),
            ("not-confirmed", format!("{long}/return?n=99")),
            ("notice", format!("{long}/notice")),
            ("receipt", format!("{long}/receipt")),
            ("no-order", town.url("/o/x")),
            ("today", town.url("/admin")),
            ("orders", town.url("/admin/orders")),
            (
                "order-of-office",
                town.url(&format!("/admin/orders/TAX/{key}")),
            ),
            (
                "history",
                town.url(&format!("/admin/orders/TAX/{key}/history")),
            ),
            ("new", town.url("/admin/orders/new")),
            ("import", town.url("/admin/import")),
            ("payments", town.url("/admin/payments")),
            ("refusals", town.url("/admin/refusals")),
            ("settlement", town.url("/admin/settlement")),
            (
                "personal",
                town.url("/admin/personal?customer_id=2000000000004"),
            ),
            ("connection", town.url("/admin/connection")),
            ("manual", town.url("/admin/payments/manual")),
            ("notices", town.url("/admin/notices?status=Active")),
        ] {
            let separator = if url.contains('?') { '&' } else { '?' };
            browser.size(1280, 900);
            browser.open(&format!("{url}{separator}lang={language}"));
            let title = browser.evaluate("return document.title");
            assert!(title != "owned", "{what}");
            let shown = browser.evaluate("return document.documentElement.lang");
            assert_eq!(shown, language, "{what}");
            browser.judge(&format!("{what} in {language}"));
            browser.picture(&format!("{what}-hostile-desktop-{language}"));
            browser.dark(true);
            browser.picture(&format!("{what}-hostile-dark-desktop-{language}"));
            browser.size(390, 844);
            browser.picture(&format!("{what}-hostile-dark-phone-{language}"));
            browser.dark(false);
            browser.picture(&format!("{what}-hostile-phone-{language}"));
        }
    }
    let _ = &town.offline;
}

/// Pictures of an element, on a desk and on a phone, light and dark.
fn pictures(browser: &Browser, name: &str, at: &str) {
    for (width, height, kind) in [(1280, 900, "desktop"), (390, 844, "phone")] {
        browser.size(width, height);
        browser.evaluate(&format!("document.querySelector('{at}').scrollIntoView()"));
        browser.light_and_dark(name, &format!("{kind}-ro"));
    }
    browser.judge(name);
}

#[test]
fn the_guide_of_the_office_shows_what_is_done_there() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = mpay_gateway::Options::default();
    let gateway = runtime.block_on(mpay_gateway::start(options)).unwrap();
    let url = gateway.url();
    let town = Town::start(&[
        ("environment", "development"),
        ("card_gateway", &url),
        ("card_terminal", "Merchant"),
        ("card_password", "123"),
        ("card_refunds", "managers"),
        ("institution_name", "Primăria Exemplu"),
    ]);
    let provider = &town.provider;
    let fee = |amount: &str| {
        json!({
            "reason": "Taxă de salubrizare", "due_date": "2099-12-31",
            "customer_name": "Ștefania Țurcanu", "customer_id": "2000000000004",
            "lines": [{"line_id": "1", "reason": "Salubrizare", "amount_due": amount}]
        })
    };
    provider.register("123456789012", fee("1250.50"));
    provider.register("123456789012", fee("1300.00"));
    provider.register("123456789029", fee("600.00"));
    let pay_url = provider.order("123456789012")["pay_url"].clone();
    browser.open(&format!("{}?lang=ro", pay_url.as_str().unwrap()));
    browser.wait_for("card");
    pictures(&browser, "card-of-payer", "main");
    sign_in(&browser, &town, "ro");
    let order = town.url("/admin/orders/TAX/123456789012?lang=ro");
    browser.open(&order);
    browser.evaluate("document.querySelector('details').open = true");
    pictures(&browser, "amend", "section.card + section.card");
    browser.open(&town.url("/admin/personal?customer_id=2000000000004&lang=ro"));
    browser.wait_for("Ștefania");
    pictures(&browser, "personal", "body");
    let today = mpay_ledger::domain::time::date(jiff::Timestamp::now());
    let recheck = format!("card-payments/recheck?from={today}&to={today}");
    for job in ["card-payments/check", recheck.as_str()] {
        let done = provider.api("POST", job, None);
        assert_eq!(done.status, 200, "{done:?}");
    }
    browser.open(&town.url("/admin/connection?lang=ro"));
    browser.wait_for("Totul este în regulă");
    pictures(&browser, "connection", "body");
    browser.open(&town.url("/admin/notices?status=Active&lang=ro"));
    browser.element("article.notice + article.notice");
    pictures(&browser, "notices", "body");
    // Paid by card, and given back in part.
    let authorization = format!("Bearer {TOKEN}");
    let post = |path: &str, body: serde_json::Value| {
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Idempotency-Key", "one"),
        ];
        provider.api_with("POST", path, Some(&body), &headers)
    };
    let begun = post(
        "orders/TAX/123456789012/card-payments",
        json!({"return_url": "https://plati.example.md/"}),
    );
    assert_eq!(begun.status, 201, "{begun:?}");
    let id = begun.body["id"].as_str().unwrap().to_owned();
    gateway.pay(&id, "4111111111100031").unwrap();
    let asked = provider.api("GET", &format!("card-payments/{id}?ask=true"), None);
    assert_eq!(asked.body["state"], "paid", "{asked:?}");
    let refunded = post(
        &format!("card-payments/{id}/refunds"),
        json!({"amount": "300.00", "note": "Achitat de două ori pentru iulie"}),
    );
    assert_eq!(refunded.status, 201, "{refunded:?}");
    browser.open(&order);
    browser.wait_for("300,00");
    pictures(&browser, "cards", "div.columns + section.card");
    browser.open(&town.url("/admin/orders/TAX/123456789012/history?lang=ro"));
    browser.wait_for("Modificată");
    pictures(&browser, "history", "body");
}

#[test]
fn the_keyboard_goes_through_a_page_in_its_order_and_shows_where_it_is() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let town = Town::start(&[]);
    town.provider.register("1", order("10"));
    let walk = |url: &str| -> Vec<String> {
        browser.open(url);
        let mut stops: Vec<_> = std::iter::from_fn(|| browser.tab()).take(60).collect();
        // The parts of a date are one after another.
        stops.dedup();
        stops
    };
    let pay_url = town.provider.order("1")["pay_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = pay_url.strip_prefix(&town.url("")).unwrap();
    assert_eq!(
        walk(&format!("{pay_url}?lang=ro")),
        [
            "#content",
            path,
            "Plătiți prin MPay",
            &format!("{path}/notice")
        ]
    );
    sign_in(&browser, &town, "ro");
    assert_eq!(
        walk(&town.url("/admin/orders/new?lang=ro")),
        [
            "#content",
            "/admin/orders/new",
            "/admin",
            "/admin/orders",
            "/admin/import",
            "/admin/payments",
            "/admin/settlement",
            "/admin/personal",
            "/admin/connection",
            "Ieșire",
            "service_id",
            "order_key",
            "reason",
            "amount_due",
            "due_date",
            "customer_name",
            "customer_id",
            "Înregistrați"
        ]
    );
    // The first stop leads past the menu.
    browser.open(&town.url("/admin/orders/new?lang=ro"));
    browser.tab();
    browser.press_enter("a.skip");
    assert_eq!(browser.tab().as_deref(), Some("service_id"));
}
