//! Tests of refunds, by commands and in the cabinet.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_refund_whose_answer_is_lost_is_not_made_again() {
    for mischief in [
        Mischief::Lost,
        Mischief::Answer(500, String::new()),
        Mischief::Answer(200, "<Refund Success=\"True\" OrderId=\"other\"/>".into()),
        Mischief::Answer(200, "<Charge Success=\"True\"/>".into()),
    ] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.plan("Refund", [mischief]);
        let refunded = world.refund("a", &id, "5").await;
        assert_eq!(refunded.status, 201, "the state tells");
        assert_eq!(world.refund("a", &id, "5").await.status, 201);
        assert_eq!(world.deal(&id).refunds, 1);
        world.agrees("lost").await;
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["refunds"][0]["by"], "tester");
        assert_eq!(payment["refunds"][0]["note"], "asked for");
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_refund_is_unknown_no_other_is_made() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.plan("Refund", [Mischief::Lost]);
    let state = r#"<GetState Success="False" ErrCode="NONE"/>"#.to_owned();
    let at_work =
        format!("<GetState Success=\"True\" OrderId=\"{id}\" State=\"Charged\" Amount=\"1999\"/>");
    world.plan(
        "GetState",
        [
            // The state is asked for before the command is sent.
            Mischief::Answer(200, at_work),
            Mischief::Answer(200, state.clone()),
            Mischief::Answer(200, state.clone()),
            Mischief::Answer(200, state.clone()),
            Mischief::Undone,
        ],
    );
    assert_eq!(world.refund("a", &id, "5").await.status, 202);
    assert_eq!(world.refund("a", &id, "5").await.status, 202);
    assert_eq!(world.refund("b", &id, "5").await.status, 409);
    assert_eq!(
        world.refund("c", &id, "5").await.status,
        503,
        "nobody tells"
    );
    assert_eq!(world.refund("a", &id, "6").await.status, 422);
    assert_eq!(world.deal(&id).refunds, 1);
    pass(60).await;
    world.check().await;
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    assert_eq!(world.deal(&id).refunds, 1);
    world.agrees("unknown").await;
    assert_eq!(world.refund("d", &id, "14.99").await.status, 201);
    assert_eq!(world.order().await["status"], "Refunded");
    assert_eq!(world.refund("e", &id, "1").await.status, 409);
    // An answer may be sent back unchanged.
    let order = world.order().await.to_string();
    let sent = world
        .api
        .call("PUT", "orders/TAX/1", "application/json", &order)
        .await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert_eq!(sent.json()["status"], "Refunded");
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_was_not_done_may_be_made_again_after_a_while() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.plan("Refund", [Mischief::Undone]);
    assert_eq!(world.refund("a", &id, "5").await.status, 202);
    pass(14 * 60).await;
    world.check().await;
    assert_eq!(world.refund("b", &id, "5").await.status, 409);
    pass(2 * 60).await;
    world.check().await;
    assert_eq!(
        world.refund("a", &id, "5").await.status,
        409,
        "it is known not to be done"
    );
    assert_eq!(world.refund("b", &id, "5").await.status, 409);
    let body = json!({"amount": "5", "note": "asked for", "checked_in_cabinet": true});
    let address = format!("card-payments/{id}/refunds");
    let made = world.api.post_as("b", &address, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(world.deal(&id).refunds, 1);
    // It may be repeated at once after a definite refusal, and if nothing was sent.
    world.plan(
        "Refund",
        [Mischief::Refused("REFUND_NOT_ALOWED"), Mischief::NotSent],
    );
    assert_eq!(world.refund("c", &id, "5").await.status, 409);
    assert_eq!(world.refund("d", &id, "5").await.status, 503);
    assert_eq!(world.refund("e", &id, "5").await.status, 201);
    assert_eq!(world.deal(&id).refunds, 2);
    world.agrees("made again").await;
    for (amount, status) in [("0", 422), ("10", 422), ("x", 422)] {
        assert_eq!(
            world.refund("f", &id, amount).await.status,
            status,
            "{amount}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_refunds_at_once_no_more_is_given_back_than_was_asked_for() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    join_all((0..16).map(|_| world.refund("a", &id, "5"))).await;
    assert_eq!(world.deal(&id).refunds, 1);
    world.agrees("sixteen times the same").await;
}

#[tokio::test(start_paused = true)]
async fn refunds_need_leave() {
    for (leave, role, status) in [
        ("nobody", Role::Manager, 403),
        ("managers", Role::Manager, 201),
        ("managers", Role::Program, 403),
        ("programs", Role::Program, 201),
    ] {
        let world = World::new(&[("card_refunds", leave)]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        let mut api = Api::with(&[VARIABLES.as_slice(), &[("card_refunds", leave)]].concat());
        api.memory = world.api.memory.clone();
        let api = api.into_role(role);
        let body = json!({"amount": "5", "note": "n"});
        let address = format!("card-payments/{id}/refunds");
        let answer = api.post_as("k", &address, &body).await;
        assert_eq!(answer.status, status, "{leave} {role:?} {}", answer.text);
    }
}

/// Nobody repeats the request, no notification comes, and the payment was over long before.
#[tokio::test(start_paused = true)]
async fn what_came_of_a_refund_is_found_by_the_check_also_long_after_the_payment() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    assert_eq!(world.check().await["open"], 0);
    pass(5 * 24 * 3600).await;
    assert_eq!(world.check().await["open"], 0);
    let charged =
        format!(r#"<GetState Success="True" OrderId="{id}" State="Charged" Amount="1999"/>"#);
    world.plan(
        "GetState",
        [Mischief::Answer(200, charged), Mischief::Undone],
    );
    world.plan("Refund", [Mischief::Lost]);
    assert_eq!(world.refund("k", &id, "5").await.status, 202);
    pass(60).await;
    assert_eq!(world.check().await["open"], 0);
    world.agrees("after the check").await;
    assert_eq!(world.deal(&id).refunds, 1);
}

/// A refund whose outcome is unseen may be made long after it was sent. So it counts as money that may be gone,
/// until a person who has looked says otherwise.
#[tokio::test(start_paused = true)]
async fn after_a_refund_of_which_nothing_was_seen_a_manager_must_have_looked() {
    let lost = async || {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        world.change(&id, Deal::pay);
        world.plan("Refund", [Mischief::Undone]);
        assert_eq!(world.refund("a", &id, "5").await.status, 202);
        pass(16 * 60).await;
        world.check().await;
        (world, id)
    };
    let (world, id) = lost().await;
    let found = world.api.get(&format!("card-payments/{id}")).await.json();
    assert_eq!(found["commands"][0]["outcome"], "unseen");
    for key in ["a", "b"] {
        assert_eq!(
            world.refund(key, &id, "1").await.status,
            if key == "a" { 422 } else { 409 }
        );
    }
    let said = world.refund("b", &id, "1").await.text;
    assert!(
        said.contains("5.00") && said.contains("checked_in_cabinet"),
        "{said}"
    );
    assert_eq!(world.asked("Refund"), 1);
    let body = json!({"amount": "5", "note": "n", "checked_in_cabinet": true});
    let address = format!("card-payments/{id}/refunds");
    let mut program = Api::with(&VARIABLES);
    program.memory = world.api.memory.clone();
    let program = program.into_role(Role::Program);
    let refused = program.post_as("p", &address, &body).await;
    assert_eq!(refused.status, 403);
    let rule = "Only a manager may send checked_in_cabinet";
    assert!(refused.text.contains(rule), "{}", refused.text);
    let checked = world.api.post_as("c", &address, &body).await;
    assert_eq!(checked.status, 201, "{}", checked.text);
    assert_eq!(
        world.refund("d", &id, "5").await.status,
        201,
        "it was looked for"
    );
    world.agrees("looked for").await;

    // It is made hours later: that is seen, and needs no statement of a person.
    let (world, id) = lost().await;
    assert_eq!(world.check().await["open"], 1);
    world.change(&id, |deal| deal.give_back(500));
    pass(3600).await;
    assert_eq!(world.check().await["open"], 0);
    world.agrees("done late").await;
    assert_eq!(world.refund("b", &id, "5").await.status, 201);
    // If it is not made, the gateway is asked about it for three days.
    let (world, _) = lost().await;
    for hours in [24, 24, 23] {
        pass(hours * 3600).await;
        assert_eq!(world.check().await["open"], 1);
    }
    pass(2 * 3600).await;
    assert_eq!(world.check().await["open"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_in_another_way_is_not_given_back_by_card_without_a_word() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    let patch = async |change: Value| {
        let answer = world.api.call(
            "PATCH",
            "orders/TAX/1",
            "application/merge-patch+json",
            change.to_string(),
        );
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    patch(json!({"status": "Refunding"})).await;
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    patch(json!({"status": "Refunded", "refund_reference": "OP 77"})).await;
    let refused = world.refund("b", &id, "5").await;
    assert_eq!(refused.status, 409);
    for word in ["OP 77", "despite_refunded"] {
        assert!(refused.text.contains(word), "{}", refused.text);
    }
    // The outcome of an earlier request is still answered.
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    assert_eq!(world.asked("Refund"), 1);
    let body = json!({"amount": "5", "note": "n", "despite_refunded": true});
    let address = format!("card-payments/{id}/refunds");
    let mut program = Api::with(&VARIABLES);
    program.memory = world.api.memory.clone();
    let program = program.into_role(Role::Program);
    let refused = program.post_as("p", &address, &body).await;
    assert_eq!(refused.status, 403);
    let rule = "Only a manager may send despite_refunded";
    assert!(refused.text.contains(rule), "{}", refused.text);
    let sent = world.api.post_as("c", &address, &body).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    world.agrees("despite").await;
}

#[tokio::test(start_paused = true)]
async fn a_refund_is_not_done_because_others_gave_more_back() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    for (key, left) in [("a", 999), ("b", 0)] {
        world.plan("Refund", [Mischief::Undone]);
        assert_eq!(world.refund(key, &id, "1").await.status, 202);
        world.change(&id, |deal| deal.give_back(deal.taken - deal.back - left));
        assert_eq!(world.refund(key, &id, "1").await.status, 202, "{left}");
        pass(16 * 60).await;
        world.check().await;
        let found = world.api.get(&format!("card-payments/{id}")).await.json();
        let commands = found["commands"].as_array().unwrap();
        assert_eq!(commands.last().unwrap()["outcome"], "unseen", "{found}");
        if left > 0 {
            // A manager has looked, and refunds it again.
            let body = json!({"amount": "1", "note": "n", "checked_in_cabinet": true});
            let address = format!("card-payments/{id}/refunds");
            let answer = world.api.post_as("c", &address, &body).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
    }
    world.agrees("others gave back").await;
}
