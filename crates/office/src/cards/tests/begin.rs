//! Tests of beginning a payment, by programs and by payers.

use super::*;

#[tokio::test(start_paused = true)]
async fn one_that_is_still_open_is_given_again() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    for key in ["first", "second"] {
        let again = world.begin_as(key, json!({})).await;
        assert_eq!((again.status, &again.json()["id"]), (200, &json!(id)));
    }
    let other = world.begin_as("first", json!({"capture": "checked"})).await;
    assert_eq!(other.status, 422);
    let other = world.begin_as("third", json!({"capture": "checked"})).await;
    assert_eq!(other.status, 201, "{}", other.text);
    world.change(&id, |deal| deal.state = "PreAuthorized3DS".into());
    assert_eq!(world.begin_as("fourth", json!({})).await.status, 409);
    for (body, status) in [
        (json!({"amount": "5"}), 409),
        (json!({"amount": "0"}), 409),
        (json!({"amount": "25"}), 409),
        (json!({"amount": "x"}), 422),
        (json!({"card_number": "4111111111111111"}), 422),
        (json!({"return_url": "javascript:alert(1)"}), 422),
        (json!({"return_url": "http://shop.example.md/"}), 422),
        (json!({"payer_ip": "x"}), 422),
    ] {
        let fresh = World::new(&[]).await;
        let answer = fresh.begin_as("k", body.clone()).await;
        assert_eq!(answer.status, status, "{body} {}", answer.text);
        assert_eq!(fresh.asked("Init"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_opened_no_session_is_given_up_and_begun_anew() {
    for mischief in [
        Mischief::Undone,
        Mischief::Lost,
        Mischief::NotSent,
        Mischief::Answer(500, String::new()),
        Mischief::Answer(200, "<html>".into()),
        Mischief::Refused("WRONG_PARAMS"),
    ] {
        let world = World::new(&[]).await;
        world.plan("Init", [mischief]);
        assert_eq!(world.begin_as("k", json!({})).await.status, 503);
        let again = world.begin_as("k", json!({})).await;
        assert_eq!(again.status, 201, "{}", again.text);
        // Payments that exist at the gateway without this provider's knowledge are watched.
        for deal in world.gateway.lock().unwrap().deals.values_mut() {
            deal.pay();
        }
        for _ in 0..10 {
            pass(60).await;
            world.check().await;
        }
        world.agrees("no session").await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_enters_a_payment_by_hand_that_was_begun_by_card() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    let body = json!({
        "payment_id": id, "service_id": "TAX", "order_key": "1", "amount": "19.99",
        "paid_at": "2026-06-01T10:00:00+03:00", "note": "n"
    });
    let answer = world.api.post_as("", "payments/manual", &body).await;
    assert_eq!(answer.status, 409, "{}", answer.text);
}

#[tokio::test(start_paused = true)]
async fn without_a_gateway_there_is_nothing_and_it_costs_nothing() {
    let api = Api::new();
    api.memory.take_calls();
    for (method, address) in [
        ("POST", "orders/TAX/1/card-payments"),
        ("GET", "orders/TAX/1/card-payments"),
        ("GET", "card-payments"),
        ("GET", "card-payments/x"),
        ("POST", "card-payments/x/charge"),
        ("POST", "card-payments/x/cancel"),
        ("POST", "card-payments/x/refunds"),
        ("POST", "card-payments/check"),
        ("POST", "card-payments/recheck"),
        ("PUT", "card-customers/x"),
        ("GET", "card-customers/x"),
        ("DELETE", "card-customers/x"),
        ("GET", "card-customers/x/cards"),
        ("POST", "card-customers/x/cards"),
        ("DELETE", "card-customers/x/cards/y"),
        ("POST", "card-customers/x/cards/y/activate"),
    ] {
        let answer = api.call(method, address, "application/json", "").await;
        assert_eq!(answer.status, 404, "{method} {address}");
    }
    let store = Ledger::new(api.memory.clone());
    for (method, path) in [("POST", "/cards/notifications"), ("GET", "/cards/return/x")] {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Full::new(Bytes::new())).unwrap();
        assert_eq!(handle(&api.app, &store, request).await.status(), 404);
    }
    assert_eq!(api.memory.take_calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_payer_is_sent_to_the_gateway_by_a_button() {
    let pages = [("page_key", "0123456789012345678901234567890123456789")];
    let world = World::new(&pages).await;
    let order = world.order().await;
    let page = order["pay_url"].as_str().unwrap();
    let path = page.strip_prefix("https://pay.example.md").unwrap();
    let shown = world.at("GET", &format!("{path}?lang=en"), "").await;
    assert!(
        shown
            .text
            .contains(&format!("action=\"{path}/card?lang=en\""))
    );
    let policy = shown.header("content-security-policy");
    assert!(policy.contains(" https://gateway.example.md;"), "{policy}");
    let sent = world.at("POST", &format!("{path}/card?lang=en"), "").await;
    assert_eq!(sent.status, 303);
    assert!(
        sent.header("location")
            .starts_with("https://gateway.example.md/apim/Pay?SessionId=")
    );
    let again = world.at("POST", &format!("{path}/card?lang=en"), "").await;
    assert_eq!(again.header("location"), sent.header("location"));
    let id = world
        .gateway
        .lock()
        .unwrap()
        .deals
        .keys()
        .next()
        .unwrap()
        .clone();
    world.change(&id, |deal| deal.state = "Pending".into());
    assert_eq!(
        world.at("POST", &format!("{path}/card"), "").await.status,
        409
    );
    world.change(&id, |deal| {
        deal.state = "New".into();
        deal.pay();
    });
    // The order was paid meanwhile, which its own page tells.
    let paid = world.at("POST", &format!("{path}/card?lang=en"), "").await;
    let own = (303, format!("{path}?lang=en"));
    assert_eq!((paid.status, paid.header("location").to_owned()), own);
    let back = world.at("GET", &format!("/cards/return/{id}"), "").await;
    let there = format!("{page}/return?paid=0&lang=en");
    assert_eq!(back.header("location"), there);
    assert!(!world.at("GET", path, "").await.text.contains("/card?"));
    assert_eq!(world.at("POST", "/o/wrong/card", "").await.status, 404);
    world.agrees("by the page").await;
}

#[tokio::test(start_paused = true)]
async fn services_and_orders_that_are_not_paid_by_card_say_so() {
    let world = World::new(&[("card_services", "SCHOOL")]).await;
    assert_eq!(world.begin_as("k", json!({})).await.status, 409);
    let world = World::new(&[("card_currency", "EUR")]).await;
    assert_eq!(world.begin_as("k", json!({})).await.status, 409);
    let wrong = Api::with(&[("card_gateway", "ftp://x")]);
    assert_eq!(wrong.get("card-payments").await.status, 503);
    let world = World::new(&[]).await;
    let body = json!({"return_url": "https://shop.example.md/"});
    let none = world
        .api
        .post_as("k", "orders/TAX/2/card-payments", &body)
        .await;
    assert_eq!(none.status, 404);
    let store = Ledger::new(world.api.memory.clone());
    let (service, key) = (
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("2").unwrap(),
    );
    assert!(store.orders().get(&service, &key).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_session_over_other_lines_is_not_given_again() {
    let world = World::new(&[]).await;
    let line = |id: &str| json!([{"line_id": id, "reason": "L", "amount_due": "19.99"}]);
    world.put(line("a")).await;
    let id = world.begin().await;
    let again = world.begin_as("second", json!({})).await;
    assert_eq!(again.json()["id"], id);
    world.put(line("b")).await;
    let other = world.begin_as("third", json!({})).await;
    assert_eq!(other.status, 201, "{}", other.text);
    let id = other.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["lines"][0]["line_id"], "b");
    assert_eq!(world.order().await["status"], "Paid");
}

#[tokio::test(start_paused = true)]
async fn who_is_kept_from_beginning_is_told_until_when() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, |deal| deal.state = "PreAuthorized3DS".into());
    let kept = world.begin_as("second", json!({})).await;
    assert_eq!(kept.status, 409);
    for word in ["2026-06-04T12:00", "MPay"] {
        assert!(kept.text.contains(word), "{}", kept.text);
    }
}

/// A payer who left at their bank's page, and a payer whose money is held.
#[tokio::test(start_paused = true)]
async fn a_payer_who_is_kept_from_the_gateway_is_told_until_when_and_how_to_pay_now() {
    const BY_MPAY: &str = "/service/pay\"";
    let pages = [("page_key", "0123456789012345678901234567890123456789")];
    for (language, at) in [
        ("ro", "04.06.2026, 12:00"),
        ("ru", "04.06.2026, 12:00"),
        ("en", "4 Jun 2026, 12:00"),
    ] {
        let world = World::new(&pages).await;
        let order = world.order().await;
        let page = order["pay_url"].as_str().unwrap();
        let path = page.strip_prefix("https://pay.example.md").unwrap();
        let address = format!("{path}/card?lang={language}");
        let press = || world.at("POST", &address, "");
        press().await;
        let id = world.gateway.lock().unwrap().deals.keys().next().cloned();
        let id = id.unwrap();
        world.change(&id, |deal| deal.state = "PreAuthorized3DS".into());
        let kept = press().await;
        assert_eq!(kept.status, 409);
        let back = format!("href=\"{path}?lang={language}\"");
        for part in [at, BY_MPAY, &back] {
            assert!(kept.text.contains(part), "{part}: {}", kept.text);
        }
        // People in the office see the same time.
        let told = world.api.get(&format!("card-payments/{id}")).await.json();
        assert_eq!(told["unclear_until"], "2026-06-04T12:00:00+03:00");
        // The order's page, opened again, offers MPay and not the card.
        let address = format!("{path}?lang={language}");
        let page = world.at("GET", &address, "").await.text;
        assert!(page.contains(at) && page.contains(BY_MPAY), "{page}");
        assert!(!page.contains(&format!("{path}/card")), "{page}");
        // If the gateway gives no answer, the time is not known.
        world.change(&id, |deal| deal.state = "New".into());
        world.ask(&id).await;
        world.plan("GetState", [Mischief::Undone]);
        let silent = press().await;
        assert_eq!(silent.status, 409);
        assert!(silent.text.contains(BY_MPAY), "{}", silent.text);
        assert!(!silent.text.contains(at), "{}", silent.text);
        // The time is not shown either once it has passed and the state is the same.
        world.change(&id, |deal| deal.state = "PreAuthorized3DS".into());
        world.ask(&id).await;
        pass(3 * DAY - 1).await;
        for (seconds, is_told) in [(0, true), (1, false)] {
            pass(seconds).await;
            let told = world.api.get(&format!("card-payments/{id}")).await.json();
            assert_eq!(told.get("unclear_until").is_some(), is_told, "{seconds}");
        }
    }
    // A payer whose money is held is not invited to pay again.
    let world = World::new(&[pages.as_slice(), &[("card_capture", "manual")]].concat()).await;
    let order = world.order().await;
    let page = order["pay_url"].as_str().unwrap();
    let path = page.strip_prefix("https://pay.example.md").unwrap();
    let address = format!("{path}/card?lang=en");
    let press = || world.at("POST", &address, "");
    press().await;
    let id = world.gateway.lock().unwrap().deals.keys().next().cloned();
    let id = id.unwrap();
    world.change(&id, Deal::pay);
    let held = press().await;
    assert_eq!(held.status, 409);
    assert!(
        held.text.contains("is held on a card already"),
        "{}",
        held.text
    );
    assert!(!held.text.contains(BY_MPAY), "{}", held.text);
    assert_not_led_to_pay(&world, path, "is held on a card already").await;
    let by_api = world.begin_as("k", json!({})).await;
    assert_eq!(by_api.status, 409);
    for word in [&*id, "Charge or cancel it"] {
        assert!(by_api.text.contains(word), "{}", by_api.text);
    }
    let told = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(told.get("unclear_until"), None);
}

/// The payer does not know of the charge, and the text "if you have not paid" would lead them to pay twice.
#[tokio::test(start_paused = true)]
async fn a_payer_whose_saved_card_may_be_charged_is_not_led_to_pay() {
    for (language, said) in [
        ("ro", "Nu plătiți din nou"),
        ("ru", "Не платите снова"),
        ("en", "A saved card is being charged"),
    ] {
        let world =
            World::wallet(&[("page_key", "0123456789012345678901234567890123456789")]).await;
        let order = world.order().await;
        let page = order["pay_url"].as_str().unwrap();
        let path = page.strip_prefix("https://pay.example.md").unwrap();
        world.plan("Pay", [Mischief::Lost]);
        world.plan("GetState", std::iter::repeat_n(Mischief::Undone, 4));
        assert_eq!(world.unattended("a").await.status, 202);
        let address = format!("{path}/card?lang={language}");
        let kept = world.at("POST", &address, "").await;
        assert_eq!(kept.status, 409);
        assert!(kept.text.contains(said), "{}", kept.text);
        assert!(!kept.text.contains("/service/pay\""), "{}", kept.text);
        if language == "en" {
            assert_not_led_to_pay(&world, path, said).await;
            // Once the outcome is known, the page tells it.
            world.plan("GetState", []);
            pass(60).await;
            world.check().await;
            let page = world.at("GET", &format!("{path}?lang=en"), "").await.text;
            assert!(!page.contains(said), "{page}");
        }
    }
}

/// No page of the order invites a payer who has paid to pay again. The order's own page and its notice give the
/// reason.
pub(super) async fn assert_not_led_to_pay(world: &World, path: &str, said: &str) {
    for (part, says_why) in [
        ("?", true),
        ("/notice?", true),
        ("/return?paid=0&n=99&", false),
        ("/return?paid=0&stay=1&", false),
    ] {
        let page = world.at("GET", &format!("{path}{part}lang=en"), "").await;
        assert_eq!(page.status, 200, "{}", page.text);
        for way in ["<form", "<svg class=\"code\"", "ype the order number"] {
            assert!(!page.text.contains(way), "{part}: {way}: {}", page.text);
        }
        assert_eq!(page.text.contains(said), says_why, "{part}: {}", page.text);
    }
}

/// Of two payments at work, the one with the money is named, whichever was begun first.
#[tokio::test(start_paused = true)]
async fn of_several_at_work_the_one_that_holds_money_is_told_of() {
    for is_first_held in [false, true] {
        let world = World::new(&[]).await;
        let mut ids = Vec::new();
        for capture in ["checked", "manual"] {
            let body = json!({"capture": capture});
            let begun = world.begin_as(capture, body).await;
            assert_eq!(begun.status, 201, "{}", begun.text);
            ids.push(begun.json()["id"].as_str().unwrap().to_owned());
        }
        if is_first_held {
            ids.reverse();
        }
        let (at_bank, held) = (&ids[0], &ids[1]);
        world.change(at_bank, |deal| deal.state = "PreAuthorized3DS".into());
        // The money is held for people to decide, whatever the capture, while another payment of the order is
        // not over.
        world.change(held, Deal::pay);
        world.plan("Charge", std::iter::repeat_n(Mischief::Undone, 9));
        let kept = world.begin_as("c", json!({"capture": "immediate"})).await;
        assert_eq!(kept.status, 409);
        assert!(kept.text.contains(held.as_str()), "{}", kept.text);
    }
}
