//! Tests of the gateway's states, and of their records.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_order_is_paid_by_card_and_its_payer_comes_back() {
    let world = World::new(&[]).await;
    let begun = world.begin_as("k", json!({"language": "en"})).await;
    assert_eq!(begun.status, 201);
    let begun = begun.json();
    let id = begun["id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(world.deal(id).asked, 1999);
    let page = format!("https://gateway.example.md/apim/Pay?SessionId={}", &id[4..]);
    assert_eq!(begun["redirect_url"], page);
    world.change(id, Deal::pay);
    let back = world.at("GET", &format!("/cards/return/{id}"), "").await;
    assert_eq!(back.status, 303);
    assert_eq!(back.header("location"), "https://shop.example.md/done?o=1");
    let order = world.order().await;
    assert_eq!(
        (&order["status"], &order["amount_paid"]),
        (&json!("Paid"), &json!("19.99"))
    );
    let payment = &order["payments"][0];
    assert_eq!(payment["channel"], "card");
    assert_eq!(payment["payment_id"], id);
    assert_eq!(payment["card"]["rrn"], "RRN7");
    assert_eq!(
        payment["lines"][0]["bank_account"],
        "MD24AG000225100013104168"
    );
    assert_eq!(payment["review"], json!([]));
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(
        (&found["state"], &found["remaining"]),
        (&json!("paid"), &json!("19.99"))
    );
    assert!(found.get("redirect_url").is_none());
    assert_eq!(world.begin_as("other", json!({})).await.status, 409);
    let proof = world
        .api
        .bytes("GET", &format!("payments/{id}/evidence"), "", b"")
        .await;
    assert_eq!(proof.0, 200);
    world.agrees("paid").await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_believed_who_says_that_something_was_paid() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    let claim = format!("Notification=EnginePaySuccess&OrderId={id}&Success=True&Amount=1999");
    assert_eq!(world.notify(&claim).await, 200);
    pass(5).await;
    world
        .at("GET", &format!("/cards/return/{id}?success=True"), "")
        .await;
    assert_eq!(world.asked("GetState"), 2);
    assert_eq!(world.order().await["status"], "Active");
    // The state is known, and means that nothing was paid.
    for state in ["Rejected", "PreAuthorized3DS", "Something", "Error", "New"] {
        world.change(&id, |deal| deal.state = state.into());
        world.ask(&id).await;
        assert_eq!(world.order().await["status"], "Active", "{state}");
    }
    // The case of a state's letters does not matter.
    world.change(&id, |deal| {
        deal.state = "New".into();
        deal.pay();
        deal.state = "CHARGED".into();
    });
    pass(5).await;
    assert_eq!(world.notify(&claim.replace("card", "CARD")).await, 200);
    assert_eq!(world.order().await["status"], "Paid");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_notification_of_ours_has_no_effect() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    let unknown = format!("card{}", "0".repeat(32));
    for body in [
        "",
        "x",
        "OrderId=1",
        &format!("OrderId={id}"),
        &format!("Notification=EnginePaySuccess&OrderId={unknown}"),
        "Notification=EnginePaySuccess&OrderId=somebodyelses",
    ] {
        assert_eq!(world.notify(body).await, 200, "{body}");
    }
    assert_eq!(world.asked("GetState"), 0);
    // Notifications of strangers cause a question every three seconds at most.
    let ours = format!("Notification=EnginePayFail&OrderId={id}");
    for _ in 0..9 {
        assert_eq!(world.notify(&ours).await, 200);
    }
    assert_eq!(world.asked("GetState"), 1);
    pass(3).await;
    world.plan("GetState", [Mischief::Undone]);
    assert_eq!(world.notify(&ours).await, 503);
    assert_eq!(world.at("GET", "/cards/return/x", "").await.status, 404);
    assert_eq!(world.at("POST", "/cards/return/x", "").await.status, 405);
    assert_eq!(
        world.at("GET", "/cards/notifications", "").await.status,
        405
    );
    assert_eq!(world.at("GET", "/cards/x", "").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn of_many_that_look_at_once_one_payment_is_recorded() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    let told = format!("Notification=EnginePaySuccess&OrderId={id}&Success=True");
    let notified = join_all((0..64).map(|_| world.notify(&told))).await;
    assert_eq!(notified, [200; 64]);
    world.agrees("64 notifications at once").await;
    join_all((0..64).map(|_| world.ask(&id))).await;
    world.agrees("64 at once").await;
    world.change(&id, |deal| deal.give_back(500));
    join_all((0..64).map(|_| world.ask(&id))).await;
    world.agrees("64 at once, of a refund in the cabinet").await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["refunds"].as_array().unwrap().len(), 1);
    assert!(payment["refunds"][0].get("by").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_try_that_failed_is_not_the_end_and_the_last_look_is_after_the_session() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, |deal| deal.state = "Rejected".into());
    for _ in 0..40 {
        pass(60).await;
        world.check().await;
    }
    world.change(&id, Deal::pay);
    pass(60).await;
    world.check().await;
    world.agrees("failed, then paid").await;

    // The payer paid at the last moment, and no call asked.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    pass(60 * 59).await;
    world.check().await;
    pass(60 * 17).await;
    world.change(&id, Deal::pay);
    assert_eq!(world.check().await["open"], 0);
    world.agrees("paid at the end").await;

    // If nobody pays, the payment ends with the first question after the session.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    pass(60 * 74).await;
    assert_eq!(world.check().await["open"], 1);
    pass(120).await;
    assert_eq!(world.check().await["open"], 0);
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(found["ended"], "unpaid");
    let asked = world.asked("GetState");
    pass(3600).await;
    world.check().await;
    assert_eq!(world.asked("GetState"), asked);
    assert_eq!(world.begin_as("again", json!({})).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_is_asked_for_three_days_and_then_told() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, |deal| deal.state = "PendingPay".into());
    for _ in 0..71 {
        pass(3600).await;
        assert_eq!(world.check().await["open"], 1);
    }
    for _ in 0..2 {
        pass(3600).await;
        world.check().await;
    }
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(found["ended"], "unclear");
    // Money that comes later is still recorded.
    world.change(&id, |deal| {
        deal.state = "New".into();
        deal.pay();
    });
    let claim = format!("Notification=EnginePaySuccess&OrderId={id}");
    assert_eq!(world.notify(&claim).await, 200);
    world.agrees("after three days").await;
}

#[tokio::test(start_paused = true)]
async fn another_amount_than_was_asked_for_is_recorded_and_looked_at() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    // A part was refunded before any question.
    world.change(&id, |deal| {
        deal.pay();
        deal.give_back(999);
    });
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["amount"], "10.00");
    assert_eq!(payment["review"], json!(["under-paid", "mismatch"]));
    // A smaller amount later is not another payment.
    world.change(&id, |deal| deal.give_back(400));
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["amount"], "10.00");
    assert_eq!(payment["refunds"][0]["remaining"], "6.00");
    world.change(&id, |deal| deal.give_back(600));
    world.ask(&id).await;
    assert_eq!(world.order().await["status"], "Refunded");
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["review"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_follow_on_what_was_seen_is_looked_at() {
    for (state, review) in [
        ("Chargeback", json!(["charged-back"])),
        ("Voided", json!(["mismatch"])),
        ("New", json!(["mismatch"])),
        ("Authorized", json!(["mismatch"])),
        ("Rejected", json!([])),
        ("Error", json!([])),
        ("PendingRefund", json!([])),
        ("Forwarded", json!([])),
    ] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        world.change(&id, |deal| deal.state = state.into());
        for _ in 0..2 {
            world.ask(&id).await;
        }
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["review"], review, "{state}");
        assert_eq!(world.order().await["status"], "Paid", "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_nobody_knows_of_what_was_paid_is_looked_at_after_a_while() {
    for (state, review) in [
        ("Forwarded", json!(["mismatch"])),
        ("Rejected", json!([])),
        ("PendingRefund", json!([])),
    ] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        pass(2 * DAY).await;
        assert_eq!(world.refund("a", &id, "5").await.status, 201);
        world.change(&id, |deal| deal.state = state.into());
        // The latest command may be at work for three days.
        for (seconds, review) in [(3 * DAY - 60, json!([])), (120, review)] {
            pass(seconds).await;
            world.ask(&id).await;
            let payment = world.api.get(&format!("payments/{id}")).await.json();
            assert_eq!(payment["review"], review, "{state}");
        }
        assert_eq!(world.order().await["amount_refunded"], "5.00");
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_is_known_to_remain_is_asked_for_again_and_then_looked_at() {
    for (times, review) in [(1, json!([])), (2, json!(["mismatch"]))] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, |deal| {
            deal.pay();
        });
        world.ask(&id).await;
        world.change(&id, |deal| deal.give_back(500));
        world.ask(&id).await;
        let whole = format!(
            "<GetState Success=\"True\" OrderId=\"{id}\" State=\"Charged\" Amount=\"1999\"/>"
        );
        let whole = Mischief::Answer(200, whole);
        world.plan("GetState", std::iter::repeat_n(whole, times));
        world.ask(&id).await;
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["review"], review, "{times}");
        world.agrees("more than is known").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_was_asked_for_before_the_payer_paid_and_comes_late_says_nothing() {
    for state in ["New", "Authorized"] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        let late = format!(
            "<GetState Success=\"True\" OrderId=\"{id}\" State=\"{state}\" Amount=\"1999\"/>"
        );
        world.plan("GetState", [Mischief::Answer(200, late)]);
        assert_eq!(world.ask(&id).await["state"], "paid");
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["review"], json!([]), "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_night_finds_what_was_given_back_in_the_cabinet() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| deal.give_back(1999));
    pass(60).await;
    world.check().await;
    let recheck = "card-payments/recheck?from=2026-06-01&to=2026-06-01";
    let answer = world.api.call("POST", recheck, "", "").await.json();
    assert_eq!(answer["asked"], 1, "{answer}");
    world.agrees("the cabinet").await;
    assert_eq!(world.order().await["status"], "Refunded");
}

#[tokio::test(start_paused = true)]
async fn what_is_charged_back_is_as_much_as_the_gateway_tells() {
    let reviews = async |world: &World, id: &str| {
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        (payment["amount"].clone(), payment["review"].clone())
    };
    // A part was refunded in the cabinet before any question.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| {
        deal.give_back(999);
        deal.state = "Chargeback".into();
    });
    for _ in 0..2 {
        world.ask(&id).await;
    }
    let both = json!(["charged-back", "mismatch"]);
    assert_eq!(reviews(&world, &id).await, (json!("19.99"), both));
    // A part of the held money was charged.
    let world = World::new(&[]).await;
    let begun = world.begin_as("k", json!({"capture": "manual"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, |deal| {
        deal.taken = 500;
        deal.state = "Chargeback".into();
    });
    world.ask(&id).await;
    let all = json!(["under-paid", "mismatch", "charged-back"]);
    assert_eq!(reviews(&world, &id).await, (json!("5.00"), all));
    // Charged in whole, and nothing remains: there is nothing more to report.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| deal.give_back(1999));
    world.ask(&id).await;
    world.change(&id, |deal| deal.state = "Chargeback".into());
    world.ask(&id).await;
    let one = json!(["charged-back"]);
    assert_eq!(reviews(&world, &id).await, (json!("19.99"), one));
    world.change(&id, |deal| (deal.back, deal.state) = (0, "Charged".into()));
    world.ask(&id).await;
    let both = json!(["charged-back", "mismatch"]);
    assert_eq!(reviews(&world, &id).await.1, both);
}

/// A person must look for the money, whatever other alerts they received about the payment that day.
#[tokio::test(start_paused = true)]
async fn people_are_told_that_a_bank_took_back_what_was_refunded() {
    let world = World::new(&ALERTS).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| deal.give_back(1999));
    world.ask(&id).await;
    world.alerts();
    // The gateway contradicts itself, and the first alert is about that.
    world.change(&id, |deal| (deal.back, deal.state) = (0, "Charged".into()));
    world.ask(&id).await;
    let told = |review: &str| json!({"payment_id": id, "review": review});
    assert!(world.alerts().contains(&told("mismatch")));
    world.change(&id, |deal| {
        (deal.back, deal.state) = (1999, "Chargeback".into())
    });
    world.ask(&id).await;
    assert!(world.alerts().contains(&told("charged-back")));
    // The alert is sent once.
    world.ask(&id).await;
    assert!(world.alerts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_night_finds_what_was_paid_after_the_session_was_said_to_be_over() {
    let world = World::new(&[("card_session_minutes", "1")]).await;
    let id = world.begin().await;
    pass(17 * 60).await;
    assert_eq!(world.check().await["open"], 0);
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(found["ended"], "unpaid");
    let recheck = "card-payments/recheck?from=2026-06-01&to=2026-06-01";
    let asked = world.api.call("POST", recheck, "", "").await.json();
    assert_eq!(asked["asked"], 1, "{asked}");
    assert_eq!(world.order().await["status"], "Active");
    world.change(&id, Deal::pay);
    world.api.call("POST", recheck, "", "").await;
    assert_eq!(world.order().await["status"], "Paid");
    world.agrees("paid after the end").await;
}

#[tokio::test(start_paused = true)]
async fn money_of_a_card_under_the_id_of_another_payment_is_looked_at() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    record(&world.api.memory, &id, "1", "10").await.unwrap();
    world.change(&id, Deal::pay);
    assert_eq!(world.ask(&id).await["state"], "paid");
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["channel"], "mpay");
    let reviews = payment["review"].as_array().unwrap();
    assert!(reviews.contains(&json!("mismatch")), "{payment}");
    assert_eq!(world.refund("a", &id, "1").await.status, 409);
    assert_eq!(payment.get("refunds"), None);
}

#[tokio::test(start_paused = true)]
async fn who_asks_a_silent_gateway_is_told_that_it_is_silent() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    assert!(world.ask(&id).await.get("unanswered").is_none());
    world.plan("GetState", [Mischief::Undone]);
    let found = world.ask(&id).await;
    assert_eq!(found["state"], "open");
    assert!(!found["unanswered"].as_str().unwrap().is_empty(), "{found}");
}
