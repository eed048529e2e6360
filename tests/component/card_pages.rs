//! Paying by card in a real browser whose scripts are turned off: from the payer's page over the gateway's,
//! and back.

use mpay_gateway::Options;
use serde_json::json;

use crate::{browser::Browser, gateway::play, harness::*, pages};

const REFUSED: &str = "4111111111100072";
const ASKS_3DS: &str = "4111111111111111";

#[test]
fn a_payer_pays_by_card_on_a_phone_and_a_manager_gives_a_part_back() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (gateway, _runtime) = play(Options::default());
    let url = gateway.url();
    let town = pages::Town::start(&[
        ("environment", "development"),
        ("card_gateway", url.as_str()),
        ("card_terminal", "Merchant"),
        ("card_password", "123"),
        ("card_languages", "ro,ru,en"),
        ("card_refunds", "managers"),
    ]);
    let bill = json!({
        "reason": {"ro": "Taxă de studii, semestrul I", "ru": "Плата за обучение", "en": "Tuition fee"},
        "customer_name": "Ștefania Țurcanu", "due_date": "2099-12-31",
        "lines": [
            {"line_id": "a", "reason": "Studii", "amount_due": "1250.00"},
            {"line_id": "b", "reason": "Cămin", "amount_due": "180.50"}
        ]
    });
    let provider = &town.provider;
    for key in ["2026-17", "2026-18"] {
        provider.register(key, bill.clone());
    }
    let page = |key: &str| provider.order(key)["pay_url"].as_str().unwrap().to_owned();
    let to_the_card = |key: &str| {
        browser.size(390, 844);
        browser.open(&format!("{}?lang=ro", page(key)));
        browser.wait_for("Plătiți cu cardul");
        browser.picture("card-order-phone-ro");
        browser.follow("form[action*='/card'] button");
        browser.wait_for("Plata cu cardul");
        assert!(browser.url().starts_with(&url), "{}", browser.url());
    };
    let pay = |number: &str| {
        browser.fill("#number", number);
        browser.fill("#code", "123");
        browser.follow("#pay");
    };

    // A card that the bank refuses, and then one with 3-D Secure, in one session.
    to_the_card("2026-17");
    browser.picture("card-form-phone-ro");
    pay(REFUSED);
    browser.wait_for("Plata nu a reușit");
    browser.picture("card-refused-phone-ro");
    browser.judge("the form of the card");
    browser.size(390, 844);
    assert_eq!(provider.order("2026-17")["status"], "Active");
    pay(ASKS_3DS);
    browser.element("#confirm");
    browser.picture("card-secure-phone-ro");
    browser.follow("#confirm");
    browser.wait_for("Plata a reușit");
    browser.picture("card-done-phone-ro");
    browser.follow("#return");
    browser.wait_for("Plata a fost înregistrată");
    assert!(
        browser.url().starts_with(&page("2026-17")),
        "{}",
        browser.url()
    );
    browser.picture("card-confirmed-phone-ro");
    browser.judge("confirmed by card");
    let order = provider.order("2026-17");
    assert_eq!(
        (&order["status"], &order["amount_paid"]),
        (&json!("Paid"), &json!("1430.50"))
    );
    assert_eq!(order["payments"][0]["channel"], "card");

    // A payer whose payment failed goes back, and is told that nothing was paid.
    to_the_card("2026-18");
    pay(REFUSED);
    browser.wait_for("Plata nu a reușit");
    browser.follow("p.back a");
    browser.wait_for("Așteptăm confirmarea plății");
    browser.open(&format!("{}/return?paid=0&n=14&lang=ro", page("2026-18")));
    browser.wait_for("Plata nu a fost confirmată");
    let order = provider.order("2026-18");
    assert_eq!(
        (&order["status"], &order["amount_paid"]),
        (&json!("Active"), &json!("0.00"))
    );

    // The manager.
    pages::sign_in(&browser, &town, "ro");
    browser.open(&town.url("/admin/orders/TAX/2026-17?lang=ro"));
    browser.click("section.card details summary");
    browser.fill("section.card details input[name=amount]", "180,50");
    browser.fill(
        "section.card details input[name=note]",
        "A renunțat la cămin",
    );
    browser.judge("an order that was paid by card");
    browser.follow("section.card details button");
    browser.wait_for("restituit");
    browser.size(1280, 1100);
    browser.evaluate("document.querySelector('section.card ul.payments code').scrollIntoView()");
    browser.picture("card-refund-desktop-ro");
    browser.judge("an order with a refund");
    let id = provider.order("2026-17")["payments"][0]["payment_id"].clone();
    let paid = gateway.order(id.as_str().unwrap()).unwrap();
    assert_eq!((paid.taken, paid.refunds), (143_050, vec![18_050]));
    assert_eq!(provider.order("2026-17")["amount_refunded"], "180.50");
}

/// A card is saved at the gateway, and its holder finds it there the next time.
#[test]
fn a_customer_saves_a_card_and_pays_with_it_by_its_code() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (gateway, _runtime) = play(Options::default());
    let url = gateway.url();
    let town = pages::Town::start(&[
        ("environment", "development"),
        ("card_gateway", url.as_str()),
        ("card_interface", "wallet"),
        ("card_terminal", "Merchant"),
        ("card_password", "123"),
        (
            "card_wallet_secret",
            "a-secret-of-customers-for-tests-alone",
        ),
        ("card_languages", "ro,ru,en"),
    ]);
    let provider = &town.provider;
    let customer = |method, path: &str, body: Option<&serde_json::Value>| {
        let answer = provider.api(method, &format!("card-customers/1001{path}"), body);
        assert!(answer.status < 300, "{answer:?}");
        answer.body
    };
    customer("PUT", "", None);
    let back = town.url("/health");
    let added = customer(
        "POST",
        "/cards",
        Some(&json!({"return_url": back, "language": "ro"})),
    );
    browser.size(390, 844);
    browser.open(added["redirect_url"].as_str().unwrap());
    browser.wait_for("Salvarea unui card");
    browser.fill("#number", ASKS_3DS);
    browser.fill("#code", "123");
    browser.follow("#pay");
    browser.follow("#confirm");
    browser.wait_for("Pe extrasul cardului ar apărea suma");
    let proof = browser.evaluate("return document.querySelector('.banner p strong').innerText");
    let proof = proof.as_str().unwrap().trim_end_matches(" MDL");
    browser.follow("#return");
    let cards = customer("GET", "/cards", None);
    let card = cards["cards"][0].clone();
    assert_eq!(card["active"], false);
    let id = card["id"].as_str().unwrap();
    customer(
        "POST",
        &format!("/cards/{id}/activate"),
        Some(&json!({"amount": proof})),
    );
    assert_eq!(customer("GET", "/cards", None)["cards"][0]["active"], true);

    provider.register("1", order("19.99"));
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Idempotency-Key", "one"),
    ];
    let body = json!({"return_url": town.url("/health"), "customer": "1001", "card": id});
    let path = format!("orders/{SERVICE}/1/card-payments");
    let begun = provider.api_with("POST", &path, Some(&body), &headers);
    assert_eq!(begun.status, 201, "{begun:?}");
    browser.open(begun.body["redirect_url"].as_str().unwrap());
    browser.click(&format!("input[value='{id}']"));
    browser.fill("#code", "123");
    browser.follow("#pay");
    browser.follow("#confirm");
    browser.wait_for("Plata a reușit");
    browser.follow("#return");
    browser.wait_for("ok");
    assert_eq!(provider.order("1")["status"], "Paid");
    // The button of the payer's page works with this interface as well.
    provider.register("2", order("5"));
    let page = provider.order("2")["pay_url"].as_str().unwrap().to_owned();
    browser.open(&format!("{page}?lang=ro"));
    browser.follow("form[action*='/card'] button");
    browser.wait_for("Plata cu cardul");
    browser.fill("#number", "4111111111100031");
    browser.fill("#code", "123");
    browser.follow("#pay");
    browser.wait_for("Plata a reușit");
    browser.follow("#return");
    browser.wait_for("Plata a fost înregistrată");
    assert_eq!(provider.order("2")["status"], "Paid");
}
