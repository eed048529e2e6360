//! Tests of an order's pages while money for it is held, or may have been taken.

use super::{begin::assert_not_led_to_pay, *};

const PAGES: (&str, &str) = ("page_key", "0123456789012345678901234567890123456789");
const BY_MPAY: &str = "/service/pay\"";
const TO_TYPE: &str = "Or type the order number";

/// Sets the order's amount, or leaves the amount to the payer. Returns the path of its page.
async fn put(world: &World, amount: Option<&str>, in_parts: bool) -> String {
    let line = json!({"line_id": "1", "reason": "L", "amount_due": amount});
    let order = json!({
        "reason": "R", "issued_at": "2026-06-01", "due_date": "2099-12-31", "lines": [line],
        "allow_partial_payments": in_parts, "aliases": ["C-77/2026"],
    });
    let put = world.api.call("PUT", "orders/TAX/1", "", order.to_string());
    let put = put.await;
    assert_eq!(put.status, 200, "{}", put.text);
    let url = world.order().await["pay_url"].as_str().unwrap().to_owned();
    url.strip_prefix("https://pay.example.md")
        .unwrap()
        .to_owned()
}

/// Begins a payment whose money is held until a person decides.
async fn hold(world: &World, key: &str, amount: &str) -> String {
    let body = json!({"capture": "manual", "amount": amount});
    let begun = world.begin_as(key, body).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    assert_eq!(world.ask(&id).await["state"], "held");
    id
}

async fn page(world: &World, address: &str) -> String {
    let page = world.at("GET", address, "").await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.text
}

#[tokio::test(start_paused = true)]
async fn who_is_to_pay_the_rest_is_led_to_mpay_while_a_part_is_held() {
    for (language, held, rest) in [
        ("ro", "Suma de 10,00\u{A0}MDL", "Restul de 90,00\u{A0}MDL"),
        (
            "ru",
            "заблокировано 10,00\u{A0}MDL",
            "Остаток, 90,00\u{A0}MDL",
        ),
        (
            "en",
            "10.00\u{A0}MDL for this order are held on a card",
            "The rest, 90.00\u{A0}MDL",
        ),
    ] {
        let world = World::new(&[PAGES]).await;
        let path = put(&world, Some("100"), true).await;
        let id = hold(&world, "a", "10").await;
        let says = |text: &str| {
            for part in [held, rest, BY_MPAY] {
                assert!(text.contains(part), "{part}: {text}");
            }
        };
        says(&page(&world, &format!("{path}?lang={language}")).await);
        // A payer who returns from the gateway is not told to pay the whole amount again.
        let back = format!("{path}/return?paid=0&n=99&lang={language}");
        says(&page(&world, &back).await);
        let press = format!("{path}/card?lang={language}");
        let kept = world.at("POST", &press, "").await;
        assert_eq!(kept.status, 409);
        says(&kept.text);
        let notice = page(&world, &format!("{path}/notice?lang={language}")).await;
        for part in [held, rest, "class=\"code\""] {
            assert!(notice.contains(part), "{part}: {notice}");
        }
        // A payer who has just paid a part through MPay is also told of the held part.
        record(&world.api.memory, "P", "1", "30").await.unwrap();
        let back = format!("{path}/return?paid=0&lang={language}");
        let confirmed = page(&world, &back).await;
        for part in [held, &rest.replace("90", "60"), BY_MPAY] {
            assert!(confirmed.contains(part), "{part}: {confirmed}");
        }
        // Once everything is paid, no page invites to pay.
        record(&world.api.memory, "Q", "1", "60").await.unwrap();
        let back = format!("{path}/return?paid=0&lang={language}");
        for address in [path, back] {
            let page = page(&world, &address).await;
            assert!(!page.contains(BY_MPAY), "{page}");
        }
        let charge = format!("card-payments/{id}/charge");
        let charged = world.api.call("POST", &charge, "", "").await;
        assert_eq!(charged.status, 200, "{}", charged.text);
        assert_eq!(world.order().await["status"], "Paid");
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_paid_as_much_as_can_be_paid_is_led_to_pay_nowhere() {
    // A second hold completes the first. An order without partial payments has no rest.
    for (amount, in_parts, holds) in [
        ("100", true, ["10", "90"].as_slice()),
        ("100", true, &["100"]),
        ("19.99", false, &["19.99"]),
    ] {
        let world = World::new(&[PAGES]).await;
        let path = put(&world, Some(amount), in_parts).await;
        let mut open = Vec::new();
        for amount in holds {
            let body = json!({"capture": "manual", "amount": amount});
            let begun = world.begin_as(amount, body).await;
            assert_eq!(begun.status, 201, "{}", begun.text);
            open.push(begun.json()["id"].as_str().unwrap().to_owned());
        }
        let before = page(&world, &format!("{path}?lang=en")).await;
        assert!(before.contains("C-77/2026") && before.contains(BY_MPAY));
        for id in &open {
            world.change(id, Deal::pay);
            world.ask(id).await;
        }
        let said = "is held on a card already";
        assert_not_led_to_pay(&world, &path, said).await;
        // The number of another document would lead to MPay as well.
        let own = page(&world, &format!("{path}?lang=en")).await;
        assert!(!own.contains("C-77/2026"), "{own}");
        if !in_parts {
            put(&world, Some("25"), false).await;
            assert_not_led_to_pay(&world, &path, said).await;
        }
    }
}

/// Many payers give by one link, and each chooses the amount.
#[tokio::test(start_paused = true)]
async fn money_of_one_payer_keeps_no_other_from_mpay_where_payers_choose_the_amount() {
    let world = World::new(&[PAGES]).await;
    let path = put(&world, None, true).await;
    hold(&world, "a", "50").await;
    let own = page(&world, &format!("{path}?lang=en")).await;
    for part in [
        "50.00\u{A0}MDL for this order are held on a card",
        "If you have not paid",
        BY_MPAY,
    ] {
        assert!(own.contains(part), "{part}: {own}");
    }
    let notice = page(&world, &format!("{path}/notice?lang=en")).await;
    assert!(notice.contains(TO_TYPE), "{notice}");
}

/// The books know the held money, whatever the configuration says about cards.
#[tokio::test(start_paused = true)]
async fn a_mistake_in_a_variable_of_cards_leads_nobody_to_pay_twice() {
    let mut world = World::new(&[PAGES]).await;
    let path = put(&world, Some("19.99"), false).await;
    hold(&world, "a", "19.99").await;
    for wrong in [
        Some(("card_gateway", "ftp://gateway.example.md")),
        Some(("card_capture", "menual")),
        None,
    ] {
        let mut variables = vec![PAGES, ("public_url", "https://pay.example.md/")];
        if let Some(wrong) = wrong {
            variables.extend(VARIABLES.into_iter().filter(|known| known.0 != wrong.0));
            variables.retain(|known| known.0 != "public_url");
            variables.extend([("public_url", "https://pay.example.md/"), wrong]);
        }
        let memory = world.api.memory.clone();
        world.api = Api::with(&variables);
        world.api.memory = memory;
        assert_not_led_to_pay(&world, &path, "is held on a card already").await;
    }
    // This is longer than any hold and any command lasts, and without a gateway nothing records their end.
    pass(11 * DAY - 1).await;
    let own = async || page(&world, &format!("{path}?lang=en")).await;
    assert!(!own().await.contains(BY_MPAY));
    pass(1).await;
    assert!(own().await.contains(BY_MPAY));
}
