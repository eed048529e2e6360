//! Tests of customers, their saved cards, and charges of those.

use super::*;

#[tokio::test(start_paused = true)]
async fn customers_and_their_cards_are_kept_at_the_gateway() {
    let world = World::wallet(&[]).await;
    let keys = world.api.memory.keys_with("ana");
    assert_eq!(keys, Vec::<String>::new(), "nothing is kept here");
    let reached = json!({"phone": "+373 (22) 000-000", "email": "ana@exemplu.md"});
    assert_eq!(world.customer("PUT", "ana", reached).await.status, 200);
    assert_eq!(world.customer("GET", "ana", json!({})).await.status, 200);
    let none = world.customer("GET", "ion", json!({})).await;
    assert_eq!(none.status, 404);
    assert!(none.text.contains("CUSTOMER_NOT_FOUND"), "{}", none.text);
    world.save("ana", "card-2", false);
    let cards = world.customer("GET", "ana/cards", json!({})).await.json();
    assert_eq!(
        cards["cards"][1],
        json!({
            "id": "card-2", "masked_number": "411111xxxxxx0031", "holder": "A",
            "active": false, "without_code": true, "expired": false
        })
    );
    let activate = "ana/cards/card-2/activate";
    let wrong = world
        .customer("POST", activate, json!({"amount": "1.22"}))
        .await;
    assert_eq!(wrong.status, 409);
    assert!(wrong.text.contains("statement"), "{}", wrong.text);
    let right = world
        .customer("POST", activate, json!({"amount": "1.23"}))
        .await;
    assert_eq!(right.status, 200, "{}", right.text);
    let removed = world
        .customer("DELETE", "ana/cards/card-2", json!({}))
        .await;
    assert_eq!(removed.status, 200);
    let again = world
        .customer("DELETE", "ana/cards/card-2", json!({}))
        .await;
    assert_eq!(again.status, 404);
    let body = json!({"return_url": "https://shop.example.md/cards", "language": "en"});
    let added = world.customer("POST", "ana/cards", body).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(
        added.json()["redirect_url"],
        "https://gateway.example.md/vwapi/Add?SessionId=add-1"
    );
    let before = world.gateway.lock().unwrap().asked.len();
    for (path, body) in [
        (
            "ana/cards",
            json!({"return_url": "https://shop.example.md/?a=1&b=2"}),
        ),
        (
            "ana/cards",
            json!({"return_url": "https://shop.example.md/%20"}),
        ),
        ("ana/cards", json!({"return_url": "javascript:alert(1)"})),
        (
            "ana/cards",
            json!({"return_url": "https://shop.example.md/", "card_number": "4"}),
        ),
        (
            "a%3BAmount=1/cards",
            json!({"return_url": "https://shop.example.md/"}),
        ),
        (
            "%20ana/cards",
            json!({"return_url": "https://shop.example.md/"}),
        ),
        ("ana/cards/a;b/activate", json!({"amount": "1"})),
        (activate, json!({"amount": "0"})),
        (activate, json!({"amount": "-1"})),
    ] {
        let refused = world.customer("POST", path, body.clone()).await;
        assert!(
            matches!(refused.status, 400 | 422),
            "{path} {body} {}",
            refused.text
        );
    }
    for body in [
        json!({"phone": "12;Amount=1"}),
        json!({"phone": "1"}),
        json!({"email": "a+b@c.md"}),
        json!({"email": "a@c.md;Amount=1"}),
    ] {
        let refused = world.customer("PUT", "ana", body.clone()).await;
        assert_eq!(refused.status, 422, "{body} {}", refused.text);
        let said = body.as_object().unwrap().values().next().unwrap();
        assert!(!refused.text.contains(said.as_str().unwrap()));
    }
    assert_eq!(world.gateway.lock().unwrap().asked.len(), before);
    // The password differs from the one with which the customer was made.
    world
        .gateway
        .lock()
        .unwrap()
        .customers
        .get_mut("ana")
        .unwrap()
        .0 = "x".into();
    let other = world.customer("PUT", "ana", json!({})).await;
    assert_eq!(other.status, 409);
    assert!(other.text.contains("card_wallet_secret"), "{}", other.text);
    for mischief in [
        Mischief::Lost,
        Mischief::Answer(200, "<x/>".into()),
        Mischief::NotSent,
    ] {
        world.plan("Delete", [mischief]);
        let unknown = world.customer("DELETE", "ana", json!({})).await;
        assert_eq!(unknown.status, 503, "{}", unknown.text);
        world
            .gateway
            .lock()
            .unwrap()
            .customers
            .entry("ana".into())
            .or_default();
    }
    assert_eq!(world.customer("DELETE", "ana", json!({})).await.status, 200);
    assert_eq!(world.customer("DELETE", "ana", json!({})).await.status, 404);
    let keys = world.api.memory.keys_with("ana");
    assert_eq!(keys, Vec::<String>::new());
}

/// A call ends before the host stops it, however many questions it asks.
#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slow_gateway_waits_for_all_of_it_no_longer_than_for_one_question() {
    let world = World::wallet(&[]).await;
    let began = tokio::time::Instant::now();
    let put = async |seconds| {
        world.api.memory.delay_replies(Duration::from_secs(seconds));
        world.customer("PUT", "ana", json!({})).await
    };
    assert_eq!(put(9).await.status, 200);
    assert_eq!(began.elapsed().as_secs(), 18);
    for (seconds, most) in [(15, 21), (19, 21), (30, 21)] {
        let began = tokio::time::Instant::now();
        let late = put(seconds).await;
        assert_eq!(late.status, 503, "{}", late.text);
        assert!(late.text.contains("Send it again"), "{}", late.text);
        assert!(began.elapsed().as_secs() < most, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_wallet_that_is_too_long_is_none() {
    let world = World::wallet(&[]).await;
    let long = " ".repeat(200_000);
    let calls = [
        ("Register", "PUT", "ion", json!({})),
        ("Check", "GET", "ana", json!({})),
        ("GetList", "GET", "ana/cards", json!({})),
        (
            "Activate",
            "POST",
            "ana/cards/card-1/activate",
            json!({"amount": "1.23"}),
        ),
        (
            "Init",
            "POST",
            "ana/cards",
            json!({"return_url": "https://shop.example.md/"}),
        ),
        ("Remove", "DELETE", "ana/cards/card-1", json!({})),
        ("Delete", "DELETE", "ana", json!({})),
    ];
    for (command, method, path, body) in calls {
        let answer = format!(r#"<{command} Success="True" VWUserLgn="ana">{long}</{command}>"#);
        world.plan(command, [Mischief::Answer(200, answer)]);
        let answered = world.customer(method, path, body).await;
        assert_eq!(answered.status, 503, "{command}: {}", answered.text);
        assert!(answered.text.len() < 1000, "{command}");
        assert!(answered.text.contains("too long"), "{}", answered.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_shows_the_cards_of_its_own_customer_to_nobody_else() {
    let world = World::wallet(&[]).await;
    let ana = world.begin_as("a", json!({"customer": "ana"})).await;
    assert_eq!(ana.status, 201, "{}", ana.text);
    assert_eq!(ana.json()["customer"], "ana");
    let id = ana.json()["id"].as_str().unwrap().to_owned();
    let again = world.begin_as("b", json!({"customer": "ana"})).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &json!(id)));
    for (key, more) in [
        ("c", json!({"customer": "ion"})),
        ("d", json!({"customer": "ana", "card": "card-1"})),
        ("e", json!({})),
    ] {
        let other = world.begin_as(key, more).await;
        assert_eq!(other.status, 201, "{}", other.text);
        assert_ne!(other.json()["redirect_url"], ana.json()["redirect_url"]);
    }
    // A payment without a customer has a customer of its own.
    let known = world.gateway.lock().unwrap().customers.len();
    assert_eq!(known, 3, "ana, ion, and one of a payment");
    world.change(&id, Deal::pay);
    assert_eq!(world.ask(&id).await["state"], "paid");
    assert_eq!(world.refund("r", &id, "5").await.status, 201);
    world.agrees("by the Wallet").await;
}

#[tokio::test(start_paused = true)]
async fn a_saved_card_is_charged_once_and_at_once() {
    let world = World::wallet(&[("card_capture", "checked")]).await;
    let paid = world.unattended("a").await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    let payment = paid.json();
    assert_eq!(
        (
            &payment["state"],
            &payment["unattended"],
            &payment["capture"]
        ),
        (&json!("paid"), &json!(true), &json!("immediate"))
    );
    assert!(payment.get("expires_at").is_none() && payment.get("redirect_url").is_none());
    assert_eq!(payment["commands"][0]["kind"], "pay");
    assert_eq!(world.order().await["status"], "Paid");
    let again = world.unattended("a").await;
    assert_eq!((again.status, &again.json()["id"]), (200, &payment["id"]));
    assert_eq!(world.unattended("b").await.status, 409, "it is paid");
    assert_eq!(world.asked("Pay"), 1);
    world.agrees("unattended").await;
    assert_eq!(world.check().await["open"], 0);
    let id = payment["id"].as_str().unwrap();
    let claim = format!("Notification=MerchantPay&OrderId={id}&VWUserLgn=ana&CardId=card-1");
    assert_eq!(world.notify(&claim).await, 200);
    let added = "Notification=CustomerAddSuccess&VWUserLgn=ana&CardId=card-9&Success=True";
    assert_eq!(world.notify(added).await, 200);
    assert_eq!(world.refund("r", id, "5").await.status, 201);
    world.agrees("unattended, and given back").await;
}

#[tokio::test(start_paused = true)]
async fn a_saved_card_whose_charge_is_unknown_is_not_charged_again() {
    for mischief in [
        Mischief::Lost,
        Mischief::Answer(500, String::new()),
        Mischief::Answer(200, "<Pay Success=\"True\" OrderId=\"other\"/>".into()),
        Mischief::Answer(200, "<Pay Success=\"False\" ErrCode=\"NONE\"/>".into()),
    ] {
        let world = World::wallet(&[]).await;
        world.plan("Pay", [mischief.clone()]);
        assert_eq!(world.unattended("a").await.status, 201, "the state tells");
        assert_eq!(world.unattended("a").await.status, 200);
        assert_eq!(world.asked("Pay"), 1);
        world.agrees("lost").await;

        // While the state does not tell the outcome, the command is not sent again, and no other payment
        // begins.
        let world = World::wallet(&[]).await;
        world.plan("Pay", [mischief]);
        world.plan("GetState", std::iter::repeat_n(Mischief::Undone, 4));
        assert_eq!(world.unattended("a").await.status, 202);
        assert_eq!(world.unattended("a").await.status, 202);
        assert_eq!(world.unattended("b").await.status, 409);
        assert_eq!(
            world.begin_as("c", json!({"customer": "ana"})).await.status,
            409
        );
        pass(60).await;
        world.check().await;
        assert_eq!(world.unattended("a").await.status, 200);
        assert_eq!(world.asked("Pay"), 1);
        world.agrees("unknown").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_charge_of_a_saved_card_of_which_nothing_is_seen_ends() {
    let world = World::wallet(&[]).await;
    world.plan("Pay", [Mischief::Undone]);
    assert_eq!(world.unattended("a").await.status, 202);
    pass(14 * 60).await;
    world.check().await;
    assert_eq!(world.unattended("b").await.status, 409);
    pass(2 * 60).await;
    world.check().await;
    let unseen = world.unattended("a").await;
    assert_eq!(unseen.status, 409);
    assert!(
        unseen.text.contains("nothing of it was seen"),
        "{}",
        unseen.text
    );
    assert_eq!(world.unattended("b").await.status, 201);
    // The first charge was carried out after all: it is found, and flagged.
    let id = world.api.get("card-payments").await.json()["card_payments"][0]["id"].clone();
    let id = id.as_str().unwrap();
    let late = Deal {
        state: "Charged".into(),
        asked: 1999,
        taken: 1999,
        ..Deal::default()
    };
    world
        .gateway
        .lock()
        .unwrap()
        .deals
        .insert(id.to_owned(), late);
    pass(61).await;
    world.check().await;
    world.agrees("done after all").await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["review"], json!(["double"]));
}

#[tokio::test(start_paused = true)]
async fn a_saved_card_that_is_refused_says_why_and_may_be_tried_again() {
    for (code, said) in [
        ("AMOUNT_EXCEED", "AMOUNT_EXCEED"),
        ("CARD_NOT_FOUND", "no such card"),
        ("WRONG_CARD", "activate"),
        ("CUSTOMER_NOT_FOUND", "no such customer"),
    ] {
        let world = World::wallet(&[]).await;
        world.plan("Pay", [Mischief::Refused(code)]);
        for _ in 0..2 {
            let refused = world.unattended("a").await;
            assert_eq!(refused.status, 409, "{}", refused.text);
            assert!(refused.text.contains(said), "{}", refused.text);
        }
        assert_eq!(world.asked("Pay"), 1);
        assert_eq!(world.check().await["open"], 0);
        assert_eq!(world.unattended("b").await.status, 201);
        world.agrees(code).await;
    }
    // If the command was certainly not sent, the same request begins a new payment.
    let world = World::wallet(&[]).await;
    world.plan("Pay", [Mischief::NotSent, Mischief::NotSent]);
    assert_eq!(world.unattended("a").await.status, 503);
    assert_eq!(world.unattended("a").await.status, 503);
    assert_eq!(world.unattended("a").await.status, 201);
    assert_eq!(world.unattended("a").await.status, 200);
    assert_eq!(world.gateway.lock().unwrap().deals.len(), 1);
    world.agrees("not sent").await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_charged_absent_while_a_payer_may_be_paying() {
    let world = World::wallet(&[]).await;
    let begun = world.begin_as("a", json!({"customer": "ana"})).await.json();
    let at_the_page = world.unattended("b").await;
    assert_eq!(at_the_page.status, 409, "{}", at_the_page.text);
    assert_eq!(world.asked("Pay"), 0);
    pass(76 * 60).await;
    world.check().await;
    assert_eq!(world.unattended("b").await.status, 201);
    assert!(begun["redirect_url"].is_string());
    world.agrees("after the session").await;
    // Of many concurrent requests, with one key or several, one charges.
    let world = World::wallet(&[]).await;
    let keys = ["a", "b", "a", "c", "a", "b"];
    join_all(keys.map(|key| world.unattended(key))).await;
    pass(120).await;
    join_all(keys.map(|key| world.unattended(key))).await;
    assert_eq!(world.asked("Pay"), 1);
    world.agrees("many at once").await;
    // MPay's payment came first.
    let world = World::wallet(&[]).await;
    record(&world.api.memory, "P", "1", "19.99").await.unwrap();
    assert_eq!(world.unattended("a").await.status, 409);
    assert_eq!(world.asked("Pay"), 0);
}

#[tokio::test(start_paused = true)]
async fn wishes_for_a_saved_card_that_do_not_fit_are_refused() {
    let whole = json!({"customer": "ana", "card": "card-1", "unattended": true});
    let url = json!("https://shop.example.md/");
    for (wallet, change, named) in [
        (false, json!({}), "customer"),
        (true, json!({"customer": null}), "customer"),
        (true, json!({"card": null}), "card"),
        (true, json!({"return_url": url}), "return_url"),
        (true, json!({"language": "ro"}), "language"),
        (true, json!({"capture": "manual"}), "capture"),
        (true, json!({"customer": "ana;Amount=1"}), "customer"),
        (true, json!({"customer": " ana"}), "customer"),
        (true, json!({"customer": "a".repeat(51)}), "customer"),
        (true, json!({"card": "card-1;Amount=1"}), "card"),
        (
            true,
            json!({"unattended": false, "customer": null, "return_url": url}),
            "customer",
        ),
        (true, json!({"unattended": false}), "return_url"),
    ] {
        let world = match wallet {
            true => World::wallet(&[]).await,
            false => World::new(&[]).await,
        };
        let mut body = whole.clone();
        let change = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(change);
        body.as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let answer = world
            .api
            .post_as("k", "orders/TAX/1/card-payments", &body)
            .await;
        assert_eq!(answer.status, 422, "{body} {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["field"], named, "{body}");
        assert_eq!(world.asked("Pay") + world.asked("Init"), 0);
    }
    let world = World::new(&[]).await;
    for (method, path) in [
        ("PUT", "ana"),
        ("GET", "ana"),
        ("GET", "ana/cards"),
        ("DELETE", "ana"),
    ] {
        let answer = world.customer(method, path, json!({})).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert!(answer.text.contains("card_interface"), "{}", answer.text);
    }
}

/// A call that stood still for longer than a call lasts sends no command that was given up meanwhile.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_stopped_for_long_charges_nothing_that_another_has_charged() {
    for position in 0..40 {
        let world = World::wallet(&[]).await;
        let late = Fault::Delay(Duration::from_secs(90));
        let faults = std::iter::repeat_n(Fault::None, position).chain([late]);
        world.api.memory.script(faults);
        let other = async {
            pass(70).await;
            world.unattended("b").await
        };
        let (_, other) = tokio::join!(world.unattended("a"), other);
        assert!(
            matches!(other.status, 201 | 409),
            "{position} {}",
            other.text
        );
        assert_eq!(world.asked("Pay"), 1, "{position}");
        for _ in 0..2 {
            pass(60).await;
            world.check().await;
        }
        world.agrees(&format!("stopped at {position}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_repetition_long_afterwards_gets_the_payment_that_was_made_in_the_end() {
    let world = World::wallet(&[]).await;
    let order = json!({
        "reason": "x", "allow_partial_payments": true,
        "lines": [{"line_id": "1", "reason": "x", "amount_due": "100.00"}]
    });
    let put = world
        .api
        .call("PUT", "orders/TAX/2", "application/json", order.to_string());
    assert_eq!(put.await.status, 201);
    let charge = async |key: &str| {
        let body = json!({
            "customer": "ana", "card": "card-1", "unattended": true, "amount": "5"
        });
        world
            .api
            .post_as(key, "orders/TAX/2/card-payments", &body)
            .await
    };
    world.plan("Pay", [Mischief::NotSent]);
    assert_eq!(charge("a").await.status, 503);
    let made = charge("a").await;
    assert_eq!(made.status, 201, "{}", made.text);
    // By then the order no longer lists the payments that came to nothing.
    pass(11 * 24 * 3600).await;
    assert_eq!(charge("b").await.status, 201);
    let again = charge("a").await;
    assert_eq!(
        (again.status, &again.json()["id"]),
        (200, &made.json()["id"])
    );
    assert_eq!(world.asked("Pay"), 3);
}
