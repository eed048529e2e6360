//! Tests of held money: charging and releasing it.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_checked_is_taken_only_if_the_order_still_asks_for_it() {
    // The card comes first.
    let world = World::new(&[("card_capture", "checked")]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    assert_eq!(world.deal(&id).state, "Charged");
    world.agrees("the card first").await;
    // MPay comes first.
    let world = World::new(&[("card_capture", "checked")]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    record(&world.api.memory, "P", "1", "19.99").await.unwrap();
    let found = world.ask(&id).await;
    assert_eq!(world.deal(&id).state, "Voided");
    assert_eq!(
        (&found["state"], &found["ended"]),
        (&json!("released"), &json!("released"))
    );
    world.agrees("MPay first").await;
    // Both come at the same time: both are charged, and one is flagged.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    record(&world.api.memory, "P", "1", "19.99").await.unwrap();
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["review"], json!(["double"]));
    world.agrees("both").await;
}

/// Two holds of an order that one of them pays.
async fn two_holds(captures: [&str; 2]) -> (World, [String; 2]) {
    let world = World::new(&[]).await;
    let ids = holds(&world, captures, 0).await;
    (world, ids)
}

/// Begins two payments whose money is held. The second is begun `days` days after the first, so its hold ends
/// that much later.
async fn holds(world: &World, captures: [&str; 2], days: u64) -> [String; 2] {
    let mut ids: Vec<String> = Vec::new();
    for (key, capture) in ["a", "b"].into_iter().zip(captures) {
        if !ids.is_empty() {
            pass(days * DAY).await;
        }
        let begun = world.begin_as(key, json!({"capture": capture})).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        ids.push(begun.json()["id"].as_str().unwrap().to_owned());
        // With other lines the second payment does not continue the session of the first.
        world
            .put(json!([
                {"line_id": "1", "reason": "One", "amount_due": "10"},
                {"line_id": "2", "reason": "Two", "amount_due": "9.99"}
            ]))
            .await;
    }
    for id in &ids {
        world.change(id, Deal::pay);
    }
    ids.try_into().unwrap()
}

/// Asks about a payment, or charges the held money if people decide about it.
async fn decide(world: &World, id: &str, capture: &str) -> u16 {
    match capture {
        "checked" => {
            let address = format!("card-payments/{id}?ask=true");
            world.api.get(&address).await.status
        }
        _ => {
            let address = format!("card-payments/{id}/charge");
            world.api.call("POST", &address, "", "").await.status
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_holds_of_an_order_that_are_judged_at_once_one_is_taken() {
    for captures in [
        ["checked", "checked"],
        ["checked", "manual"],
        ["manual", "manual"],
    ] {
        let (world, ids) = two_holds(captures).await;
        let [one, two] = &ids;
        let both = tokio::join!(
            decide(&world, one, captures[0]),
            decide(&world, two, captures[1])
        );
        assert_eq!(world.asked("Charge"), 1, "{captures:?} {both:?}");
        for _ in 0..3 {
            pass(60).await;
            world.check().await;
        }
        let states = [one, two].map(|id| world.deal(id).state);
        let left = states.iter().position(|state| state != "Charged").unwrap();
        let end = match captures[left] {
            "checked" => "Voided",
            _ => "Authorized",
        };
        assert_eq!(states[left], end, "{captures:?}");
        assert_eq!(states[1 - left], "Charged", "{captures:?}");
        if end == "Authorized" {
            assert_eq!(decide(&world, &ids[left], "manual").await, 409);
        }
        let order = world.order().await;
        assert_eq!(order["status"], "Paid");
        assert_eq!(order["payments"][0]["review"], json!([]), "{order}");
        world.agrees("two holds").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_taken_once_the_one_before_it_cannot_be() {
    let (world, [one, two]) = two_holds(["checked", "manual"]).await;
    world.plan("Charge", [Mischief::Undone]);
    world.ask(&one).await;
    // The outcome is not known, so the other hold is neither charged nor released.
    assert_eq!(world.asked("Charge"), 1);
    let address = format!("card-payments/{two}/charge");
    let refused = world.api.call("POST", &address, "", "").await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains(&one), "{}", refused.text);
    assert_eq!(world.deal(&two).state, "Authorized");
    // The first hold has ended.
    world.change(&one, |deal| {
        (deal.held, deal.state) = (0, "Voided".into());
    });
    pass(60).await;
    world.check().await;
    assert_eq!(decide(&world, &two, "manual").await, 200);
    assert_eq!(world.deal(&two).state, "Charged");
    assert_eq!(world.order().await["status"], "Paid");
    world.agrees("the second").await;

    // A hold that the gateway refuses to charge is released, and the next one is charged.
    let (world, [one, two]) = two_holds(["checked", "checked"]).await;
    let refused = Mischief::Refused("PROCESSING_ERROR");
    world.plan("Charge", [refused.clone(), refused.clone(), refused]);
    world.ask(&one).await;
    while world.deal(&one).state != "Voided" {
        assert_eq!(world.deal(&two).state, "Authorized", "it waits");
        pass(3600).await;
        world.check().await;
    }
    for _ in 0..2 {
        pass(60).await;
        world.check().await;
    }
    assert_eq!(world.deal(&two).state, "Charged");
    world.agrees("the next one").await;
}

/// The deciding call may die at any moment. The check continues, and charges one hold, or none if MPay's
/// payment came first.
#[tokio::test(start_paused = true)]
async fn of_two_holds_one_is_taken_whatever_is_cut_off() {
    let mut taken = [0, 0];
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..40 {
            let (world, [one, two]) = two_holds(["checked", "checked"]).await;
            let memory: &Memory = &world.api.memory;
            memory.script(std::iter::repeat_n(Fault::None, position).chain([fault; 5]));
            let looked = decide(&world, &one, "checked");
            let _ = tokio::time::timeout(Duration::from_secs(24), looked).await;
            memory.script([]);
            let is_sent = world.asked("Charge") > 0;
            let pays_by_mpay = position % 2 == 1;
            if pays_by_mpay {
                record(memory, "P", "1", "19.99").await.unwrap();
            }
            for _ in 0..20 {
                pass(60).await;
                world.check().await;
            }
            let states = [&one, &two].map(|id| world.deal(id).state);
            let charged = states.iter().filter(|state| *state == "Charged").count();
            let context = format!("{fault:?} {position} {states:?}");
            assert_eq!(charged, usize::from(is_sent || !pays_by_mpay), "{context}");
            let voided = states.iter().filter(|state| *state == "Voided").count();
            assert_eq!(charged + voided, 2, "{context}");
            world.agrees(&context).await;
            taken[charged] += 1;
        }
    }
    assert!(taken.iter().all(|count| *count > 5), "{taken:?}");
}

/// A gateway may forget a hold, or report for it the state of a try that failed.
#[tokio::test(start_paused = true)]
async fn a_hold_of_which_nothing_comes_is_over_after_a_while() {
    let world = World::new(&[]).await;
    let begun = world.begin_as("k", json!({"capture": "manual"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| {
        (deal.held, deal.state) = (0, "Obsolete".into());
    });
    assert_eq!(world.ask(&id).await.get("ended"), None);
    pass(8 * 24 * 3600).await;
    assert_eq!(world.ask(&id).await["ended"], "unclear");
    assert_eq!(world.check().await["open"], 0);
}

/// Whatever the gateway reports of a hold that is too old, the next hold does not wait for it.
#[tokio::test(start_paused = true)]
async fn a_hold_that_was_given_up_is_not_taken_any_more() {
    // The charge is tried before the hold ends, or not at all.
    for tries in [0, 1] {
        let world = World::new(&[]).await;
        let [one, two] = holds(&world, ["checked"; 2], 4).await;
        pass(4 * DAY - 3600).await;
        if tries > 0 {
            world.plan("Charge", [Mischief::Refused("PROCESSING_ERROR")]);
            world.ask(&one).await;
            world.ask(&two).await;
        }
        assert_eq!(world.asked("Charge"), tries);
        pass(3660).await;
        assert_eq!(world.ask(&one).await["ended"], "unclear");
        let recheck = "card-payments/recheck?from=2026-06-01&to=2026-06-01";
        let asked = world.api.call("POST", recheck, "", "").await.json();
        assert_eq!(asked["asked"], 1, "{asked}");
        assert_eq!(world.asked("Charge"), tries);
        // A call that stood still decides only now. The next call that looks takes the decision back.
        let store = Ledger::new(world.api.memory.clone());
        let id = PaymentId::parse(&one).unwrap();
        let service = ServiceId::parse("TAX").unwrap();
        let key = OrderKey::parse("1").unwrap();
        let cards = store.card_payments();
        let taken = cards.take(&id, &service, &key, 0, |_| Ok(()));
        taken.await.unwrap();
        world.ask(&two).await;
        assert_eq!(world.deal(&two).state, "Authorized", "it waits");
        world.ask(&one).await;
        world.ask(&two).await;
        assert_eq!(world.deal(&two).state, "Charged");
        assert_eq!(world.deal(&one).state, "Authorized");
        world.agrees("the second").await;
    }

    // People cannot charge it either, but may release it.
    let world = World::new(&[]).await;
    let [one, two] = holds(&world, ["manual", "checked"], 4).await;
    pass(4 * DAY + 60).await;
    let address = format!("card-payments/{one}/charge");
    for charged in [0, 1] {
        let refused = world.api.call("POST", &address, "", "").await;
        assert_eq!(refused.status, 409);
        assert!(refused.text.contains("eight days"), "{}", refused.text);
        assert_eq!(world.asked("Charge"), charged);
        world.ask(&two).await;
        assert_eq!(world.deal(&two).state, "Charged");
    }
    let address = format!("card-payments/{one}/cancel");
    let released = world.api.call("POST", &address, "", "").await;
    assert_eq!(released.status, 200, "{}", released.text);
    assert_eq!(world.deal(&one).state, "Voided");
    world.agrees("not by people").await;
}

/// A call may stand still at any point, for as long as a call lasts, while a hold is given up.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_stopped_takes_no_hold_in_whose_place_another_was_taken() {
    for position in 0..60 {
        for looks_at_both in [true, false] {
            let world = World::new(&[]).await;
            let [one, two] = holds(&world, ["checked"; 2], 4).await;
            pass(4 * DAY - 300).await;
            let late = Fault::Delay(Duration::from_secs(600));
            let faults = std::iter::repeat_n(Fault::None, position).chain([late]);
            world.api.memory.script(faults);
            let others = async {
                pass(360).await;
                decide(&world, &one, "checked").await;
                if looks_at_both {
                    decide(&world, &two, "checked").await;
                }
            };
            tokio::join!(decide(&world, &one, "checked"), others);
            world.api.memory.script([]);
            for _ in 0..4 {
                pass(3600).await;
                world.check().await;
            }
            let states = [&one, &two].map(|id| world.deal(id).state);
            let charged = states.iter().filter(|state| *state == "Charged").count();
            let context = format!("{position} {looks_at_both} {states:?}");
            assert_eq!(charged, 1, "{context}");
            world.agrees(&context).await;
        }
    }
}

/// A charge that was sent while the money was held may be carried out when the hold should have ended.
#[tokio::test(start_paused = true)]
async fn a_hold_is_not_given_up_while_its_charge_is_at_work() {
    for is_taken in [true, false] {
        let world = World::new(&[]).await;
        let [one, two] = holds(&world, ["checked"; 2], 4).await;
        pass(4 * DAY - 300).await;
        world.plan("Charge", [Mischief::Undone]);
        world.ask(&one).await;
        world.change(&one, |deal| deal.state = "PendingCharge".into());
        pass(600).await;
        assert_eq!(world.ask(&one).await.get("ended"), None);
        world.ask(&two).await;
        assert_eq!(world.deal(&two).state, "Authorized", "it waits");
        assert_eq!(world.asked("Charge"), 1);
        if is_taken {
            world.change(&one, |deal| {
                (deal.taken, deal.held, deal.state) = (deal.held, 0, "Charged".into());
            });
            world.ask(&one).await;
            world.ask(&two).await;
            assert_eq!(world.deal(&two).state, "Voided");
        } else {
            // It does not wait for ever: three days after the charge was sent, the next hold is charged.
            pass(3 * DAY - 660).await;
            assert_eq!(world.ask(&one).await.get("ended"), None);
            pass(120).await;
            assert_eq!(world.ask(&one).await["ended"], "unclear");
            world.ask(&two).await;
            assert_eq!(world.deal(&two).state, "Charged");
        }
        world.agrees("at work").await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_institution_takes_or_releases_what_is_held() {
    let manual = [("card_capture", "manual")];
    let act = async |world: &World, id: &str, what: &str, body: &str| {
        let address = format!("card-payments/{id}/{what}");
        let answer = world
            .api
            .call("POST", &address, "application/json", body)
            .await;
        answer.status
    };
    let world = World::new(&manual).await;
    let id = world.begin().await;
    assert_eq!(act(&world, &id, "charge", "").await, 409, "nothing is held");
    world.change(&id, Deal::pay);
    world.check().await;
    assert_eq!(world.deal(&id).state, "Authorized");
    assert_eq!(act(&world, &id, "charge", r#"{"amount": "20"}"#).await, 422);
    assert_eq!(
        act(&world, &id, "charge", r#"{"amount": "5"}"#).await,
        409,
        "not in part"
    );
    world.plan("Charge", [Mischief::Lost]);
    assert_eq!(act(&world, &id, "charge", "").await, 200);
    assert_eq!(act(&world, &id, "charge", "").await, 200);
    assert_eq!(world.asked("Charge"), 1);
    assert_eq!(act(&world, &id, "cancel", "").await, 409);
    world.agrees("charged").await;

    let world = World::new(&manual).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.plan("Unblock", [Mischief::Refused("PROCESSING_ERROR")]);
    assert_eq!(act(&world, &id, "cancel", "").await, 409);
    assert_eq!(act(&world, &id, "cancel", "").await, 200);
    assert_eq!(act(&world, &id, "cancel", "").await, 200);
    assert_eq!(act(&world, &id, "charge", "").await, 409);
    world.agrees("cancelled").await;

    let world = World::new(&manual).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    record(&world.api.memory, "P", "1", "19.99").await.unwrap();
    assert_eq!(act(&world, &id, "charge", "").await, 409, "MPay was first");
}

/// Alerts of different kinds about one payment do not suppress each other on the same day.
#[tokio::test(start_paused = true)]
async fn people_are_told_each_thing_of_a_hold() {
    let world = World::new(&ALERTS).await;
    let begun = world.begin_as("k", json!({"capture": "manual"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    // It is one o'clock at night; the hold ends at nine.
    pass(7 * DAY + 16 * 3600).await;
    world.alerts();
    for state in ["New", "Authorized"] {
        world.change(&id, |deal| deal.state = state.into());
        world.ask(&id).await;
    }
    for (name, command) in [("Unblock", "cancel"), ("Charge", "charge")] {
        world.plan(name, [Mischief::Undone]);
        let address = format!("card-payments/{id}/{command}");
        let sent = world.api.call("POST", &address, "", "").await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        pass(16 * 60).await;
        world.ask(&id).await;
    }
    pass(8 * 3600).await;
    assert_eq!(world.ask(&id).await["ended"], "unclear");
    let told = [
        json!({"payment_id": id, "state": "New"}),
        json!({"payment_id": id, "state": "held"}),
        json!({"payment_id": id, "command": "cancel"}),
        json!({"payment_id": id, "command": "charge"}),
        json!({"payment_id": id, "state": "Authorized"}),
    ];
    assert_eq!(world.alerts(), told);
}

#[tokio::test(start_paused = true)]
async fn people_are_told_what_a_hold_waits_for() {
    let world = World::new(&ALERTS).await;
    let [one, two] = holds(&world, ["checked"; 2], 0).await;
    world.plan("Charge", [Mischief::Refused("PROCESSING_ERROR")]);
    world.ask(&one).await;
    for minutes in [0, 59] {
        pass(minutes * 60).await;
        world.ask(&two).await;
        assert!(world.alerts().is_empty(), "{minutes}");
    }
    pass(60).await;
    world.ask(&two).await;
    let told = json!({"payment_id": two, "waits_for": one});
    assert_eq!(world.alerts(), [told]);
    assert_eq!(world.deal(&two).state, "Authorized");
}

/// A decision concerns one charge. An earlier charge that was refused does not hide it.
#[tokio::test(start_paused = true)]
async fn a_second_charge_that_was_decided_on_and_not_sent_is_told_as_the_first_one_is() {
    let world = World::new(&ALERTS).await;
    let begun = world.begin_as("k", json!({"capture": "manual"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    let address = format!("card-payments/{id}/charge");
    world.plan("Charge", [Mischief::Refused("PROCESSING_ERROR")]);
    let refused = world.api.call("POST", &address, "", "").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(world.ask(&id).await.get("decided_at"), None);
    // Wherever the second call is stopped, either its command is in the list, or an alert tells of it.
    let (mut told, mut sent) = (0, 0);
    for position in 0..60 {
        let world = World::new(&ALERTS).await;
        let begun = world.begin_as("k", json!({"capture": "manual"})).await;
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        world.change(&id, Deal::pay);
        let address = format!("card-payments/{id}/charge");
        world.plan("Charge", [Mischief::Refused("PROCESSING_ERROR")]);
        world.api.call("POST", &address, "", "").await;
        world.plan("Charge", [Mischief::Undone]);
        pass(3600).await;
        let faults = std::iter::repeat_n(Fault::None, position);
        world.api.memory.script(faults.chain([Fault::Cut; 5]));
        let call = world.api.call("POST", &address, "", "");
        let _ = tokio::time::timeout(Duration::from_secs(24), call).await;
        world.api.memory.script([]);
        pass(3600).await;
        let found = world.ask(&id).await;
        let commands = found["commands"].as_array().unwrap().len();
        assert!(commands >= world.asked("Charge"), "{position}: {found}");
        let is_told = found.get("decided_at").is_some();
        if is_told {
            assert_eq!(commands, 1, "{position}: {found}");
            assert_eq!(found["decided_at"], "2026-06-01T13:00:00+03:00");
            let alerts = world.alerts();
            let alert = json!({"payment_id": id, "decided_at": found["decided_at"]});
            assert!(alerts.contains(&alert), "{position}: {alerts:?}");
        }
        told += usize::from(is_told);
        sent += usize::from(commands > 1);
        // Whatever the outcome, the money is charged in the end, once.
        let taken = world.api.call("POST", &address, "", "").await;
        assert!(matches!(taken.status, 200 | 202), "{}", taken.text);
        world.agrees(&format!("stopped at {position}")).await;
    }
    assert!(told > 0 && sent > 0, "{told} {sent}");
}

/// Once the call of a person is stopped, nobody knows if the decision still stands.
#[tokio::test(start_paused = true)]
async fn what_somebody_decided_on_is_told_and_not_done_by_itself() {
    let decide = async |world: &World, id: &str| {
        let store = Ledger::new(world.api.memory.clone());
        let (id, key) = (PaymentId::parse(id).unwrap(), OrderKey::parse("1").unwrap());
        let service = ServiceId::parse("TAX").unwrap();
        let cards = store.card_payments();
        let taken = cards.take(&id, &service, &key, 0, |_| Ok(()));
        taken.await.unwrap();
    };
    for what in ["charge", "cancel", "lapsed"] {
        let world = World::new(&ALERTS).await;
        let begun = world.begin_as("k", json!({"capture": "manual"})).await;
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        pass(3600).await;
        assert_eq!(world.ask(&id).await.get("decided_at"), None);
        decide(&world, &id).await;
        let decided = json!("2026-06-01T13:00:00+03:00");
        for minutes in [0, 59] {
            pass(minutes * 60).await;
            assert_eq!(world.ask(&id).await["decided_at"], decided);
            assert!(world.alerts().is_empty(), "{minutes}");
        }
        // The timer asks about a hold each hour.
        for _ in 0..62 {
            pass(60).await;
            world.check().await;
        }
        let told = json!({"payment_id": id, "decided_at": decided});
        assert_eq!(world.alerts(), [told], "once");
        assert_eq!(world.asked("Charge") + world.asked("Unblock"), 0);
        if what == "lapsed" {
            pass(8 * DAY).await;
            assert_eq!(world.ask(&id).await["ended"], "unclear");
        } else {
            // If it was sent and not carried out, it is like any other command that was not carried out.
            let word = if what == "charge" {
                "Charge"
            } else {
                "Unblock"
            };
            world.plan(word, [Mischief::Refused("PROCESSING_ERROR")]);
            let address = format!("card-payments/{id}/{what}");
            let refused = world.api.call("POST", &address, "", "").await;
            assert_eq!(refused.status, 409, "{}", refused.text);
            let is_shown = world.ask(&id).await.get("decided_at").is_some();
            assert_eq!(is_shown, what == "cancel");
            let done = world.api.call("POST", &address, "", "").await;
            assert_eq!(done.status, 200, "{}", done.text);
        }
        assert_eq!(world.ask(&id).await.get("decided_at"), None, "{what}");
        world.agrees(what).await;
    }
    // A decision of this provider itself is continued.
    let world = World::new(&ALERTS).await;
    let begun = world.begin_as("k", json!({"capture": "checked"})).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    world.change(&id, Deal::pay);
    decide(&world, &id).await;
    assert_eq!(world.ask(&id).await["state"], "paid");
    assert!(world.alerts().is_empty());
}
