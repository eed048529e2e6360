//! Tests of accounts, statements and evidence for payments by card.

use super::*;

#[tokio::test(start_paused = true)]
async fn accounts_have_a_row_for_what_was_given_back_and_statements_name_the_reference() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    let day = world.api.get("reconciliation?date=2026-06-01").await.json();
    let lines = day["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "{day}");
    assert_eq!(
        (&lines[0]["channel"], &lines[0]["amount"]),
        (&json!("card"), &json!("19.99"))
    );
    assert_eq!(
        (&lines[1]["refund"], &lines[1]["amount"]),
        (&json!(true), &json!("-5.00"))
    );
    let total = json!({
        "bank_account": "MD24AG000225100013104168", "currency": "MDL", "channel": "card",
        "amount": "14.99", "lines": 2
    });
    assert_eq!(day["totals"], json!([total]));
    let table = world
        .api
        .get("reconciliation?date=2026-06-01&format=csv")
        .await;
    assert!(table.lines()[2].ends_with(",card,refund"), "{}", table.text);
    let statement = "reference;sum\nRRN7;19,99\n";
    let address = "settlement?from=2026-06-01&to=2026-06-01&payment_id=reference&amount=sum";
    let compared = world
        .api
        .call("POST", address, "text/csv", statement)
        .await
        .json();
    assert_eq!(compared["matched"][0]["payment_id"], id, "{compared}");
}

#[tokio::test(start_paused = true)]
async fn a_refund_is_found_in_a_statement_by_its_own_reference() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| deal.refund_rrn = Some("BACK1"));
    assert_eq!(world.refund("a", &id, "5").await.status, 201);
    world.change(&id, |deal| {
        deal.give_back(300);
        deal.refund_rrn = Some("RRN7");
    });
    world.ask(&id).await;
    let payment = world.api.get(&format!("payments/{id}")).await.json();
    assert_eq!(payment["card"]["rrn"], "RRN7");
    assert_eq!(payment["refunds"][0]["rrn"], "BACK1");
    assert_eq!(
        payment["refunds"][1].get("rrn"),
        None,
        "it has none of its own"
    );
    let statement = "reference;sum\nRRN7;19,99\nBACK1;-5,00\nRRN7;-3,00\n";
    let address = "settlement?from=2026-06-01&to=2026-06-01&payment_id=reference&amount=sum";
    let compared = world.api.call("POST", address, "text/csv", statement);
    let compared = compared.await.json();
    let matched = compared["matched"].as_array().unwrap();
    let matched: Vec<_> = matched.iter().map(|row| &row["amount"]).collect();
    assert_eq!(matched, ["19.99", "-5.00", "-3.00"], "{compared}");
    assert_eq!(compared["not_recorded"], json!([]), "{compared}");
    assert_eq!(compared["not_settled"], json!([]), "{compared}");
}

/// The gateway reports one number, that of the latest operation. The payment may be recorded only after a
/// refund.
#[tokio::test(start_paused = true)]
async fn a_number_belongs_to_the_payment_or_to_the_refund_that_it_is_of() {
    let back = |deal: &mut Deal, amount| {
        deal.give_back(amount);
        deal.refund_rrn = Some("BACK1");
    };
    // Everything was refunded before any question, and an earlier try had failed.
    for failed_before in [false, true] {
        let world = World::new(&[]).await;
        let id = world.begin().await;
        if failed_before {
            world.change(&id, |deal| deal.state = "Rejected".into());
            world.ask(&id).await;
        }
        world.change(&id, |deal| {
            deal.pay();
            back(deal, deal.taken);
        });
        world.ask(&id).await;
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["card"].get("rrn"), None, "{payment}");
        assert_eq!(payment["refunds"][0]["rrn"], "BACK1");
        let shown = world.api.get(&format!("card-payments/{id}")).await.json();
        assert_eq!(shown.get("rrn"), None, "{shown}");
        assert_eq!(shown["refunds"][0]["rrn"], "BACK1");
        let address = "settlement?from=2026-06-01&to=2026-06-01&payment_id=n&amount=sum";
        let statement = format!("n;sum\n{id};19,99\nBACK1;-19,99\n");
        let compared = world.api.call("POST", address, "text/csv", &statement);
        let compared = compared.await.json();
        for list in ["not_recorded", "not_settled", "differing"] {
            assert_eq!(compared[list], json!([]), "{compared}");
        }
        world.agrees("all of it").await;
    }
    // The hold had a number. In the cabinet it was charged, and refunded in whole or in part.
    for (amount, remaining) in [(1999, "0.00"), (999, "10.00")] {
        let world = World::new(&[]).await;
        let begun = world.begin_as("k", json!({"capture": "manual"})).await;
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        world.change(&id, Deal::pay);
        world.ask(&id).await;
        world.change(&id, |deal| {
            (deal.taken, deal.held, deal.state) = (deal.held, 0, "Charged".into());
            back(deal, amount);
        });
        world.ask(&id).await;
        let payment = world.api.get(&format!("payments/{id}")).await.json();
        assert_eq!(payment["card"]["rrn"], "RRN7", "{payment}");
        let shown = world.api.get(&format!("card-payments/{id}")).await.json();
        assert_eq!(
            (&shown["rrn"], &shown["remaining"]),
            (&json!("RRN7"), &json!(remaining))
        );
        if amount == 1999 {
            assert_eq!(payment["refunds"][0]["rrn"], "BACK1");
        }
    }
    // A payment that was recorded before keeps its number, also in answers.
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    world.change(&id, |deal| back(deal, 500));
    let shown = world.ask(&id).await;
    assert_eq!(shown["rrn"], "RRN7", "{shown}");
    assert_eq!(shown["refunds"][0]["rrn"], "BACK1");
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_is_taken_from_the_accounts_that_had_it() {
    let world = World::new(&[("card_bank_account", "")]).await;
    let (a, b) = ("MD80EX0900002374642125MD", "MD21EX000000000001234567");
    let account = |iban: &str| json!({"bank_account": iban, "bank_code": "X", "bank_fiscal_code": "1", "beneficiary_name": "B"});
    world
        .put(json!([
            {"line_id": "a", "reason": "A", "amount_due": "10", "destination_account": account(a)},
            {"line_id": "b", "reason": "B", "amount_due": "90", "destination_account": account(b)}
        ]))
        .await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    world.ask(&id).await;
    assert_eq!(world.refund("part", &id, "40").await.status, 201);
    assert_eq!(world.refund("more", &id, "52").await.status, 201);
    let day = world.api.get("reconciliation?date=2026-06-01").await.json();
    let lines = day["lines"].as_array().unwrap();
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            let of = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            [of("line_id"), of("bank_account"), of("amount")]
        })
        .collect();
    let line = |id: &str, account: &str, amount: &str| [id, account, amount].map(str::to_owned);
    assert_eq!(
        lines,
        [
            line("a", a, "10.00"),
            line("b", b, "90.00"),
            line("b", b, "-40.00"),
            line("a", a, "-2.00"),
            line("b", b, "-50.00"),
        ]
    );
    assert_eq!(world.refund("rest", &id, "8").await.status, 201);
    let day = world.api.get("reconciliation?date=2026-06-01").await.json();
    for total in day["totals"].as_array().unwrap() {
        assert_eq!(total["amount"], "0.00", "{day}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_password_is_kept_and_told_nowhere() {
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    let mut texts = vec![world.ask(&id).await.to_string()];
    world.plan(
        "Refund",
        [Mischief::NotSent, Mischief::Refused("ACCESS_DENIED")],
    );
    for key in ["a", "b", "c"] {
        texts.push(world.refund(key, &id, "5").await.text);
    }
    for address in ["events", "payments", "orders/TAX/1", "card-payments"] {
        texts.push(world.api.get(address).await.text);
    }
    texts.push(format!("{:?}", world.api.app.config));
    for text in texts {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    assert_eq!(world.api.memory.keys_with(PASSWORD), Vec::<String>::new());
}

/// The gateway masks the number, but a rule of the card schemes must not depend on that.
#[tokio::test(start_paused = true)]
async fn no_card_number_is_kept_also_where_the_gateway_shows_it() {
    const NUMBER: &str = "4111111111110031";
    let world = World::new(&[]).await;
    let id = world.begin().await;
    world.change(&id, Deal::pay);
    let shown = format!(
        r#"<GetState Success="True" OrderId="{id}" State="Charged" Amount="1999" RRN="4111 1111 1111 1111" Pan="{NUMBER}"><AddInfo Key="PANMask" Value="{NUMBER}"/></GetState>"#
    );
    world.plan("GetState", [Mischief::Answer(200, shown)]);
    let found = world.ask(&id).await;
    assert_eq!(found["state"], "paid");
    assert_eq!(found["rrn"], "4111 11** **** 1111");
    let memory = &world.api.memory;
    assert_eq!(memory.keys_with(NUMBER), [""; 0]);
    let kept = memory.keys_with("411111******0031");
    assert!(
        kept.iter().any(|key| key.starts_with("evidence/")),
        "{kept:?}"
    );
}
