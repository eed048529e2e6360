//! Tests of payments by hand.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_payment_by_hand_takes_two_people() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let accountant = office.sign_in(Role::Accountant).await;
    let form = |amount, note| {
        [
            ("service_id", "TAX"),
            ("order_key", "1"),
            ("payment_id", "P-9"),
            ("amount", amount),
            ("paid_at", "2026-05-31"),
            ("note", note),
        ]
    };
    let address = "/admin/payments/manual";
    let page = accountant.send(address, &form("1.000", "x")).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("id=\"wrong-amount\""), "{}", page.text);
    let page = accountant.send(address, &form("10,00", "")).await;
    assert!(page.text.contains("id=\"wrong-note\""), "{}", page.text);
    assert!(page.text.contains("value=\"P-9\""), "{}", page.text);
    let clerk = office.sign_in(Role::Clerk).await;
    let page = clerk.send(address, &form("10,00", "Extras")).await;
    assert_eq!(page.status, 403);
    let page = accountant.send(address, &form("10,00", "Extras")).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let proposal = page
        .header("location")
        .split('?')
        .next()
        .unwrap()
        .to_owned();
    // The proposal waits for a person who may approve it.
    let manager = office.sign_in(Role::Manager).await;
    let waits = "Propuneri care așteaptă aprobarea";
    let today = manager.get("/admin").await;
    assert!(
        today.text.contains(&format!("{waits}: 1")),
        "{}",
        today.text
    );
    assert!(!accountant.get("/admin").await.text.contains(waits));
    let list = accountant.get(address).await;
    let link = format!("<a href=\"{proposal}?lang=ro\">");
    assert!(list.text.contains(&link), "{}", list.text);
    let page = accountant.get(&proposal).await;
    assert!(page.text.contains("Extras"), "{}", page.text);
    assert!(!page.text.contains("value=\"approve\""), "{}", page.text);
    let id = proposal.rsplit('/').next().unwrap();
    let found = clerk.get(&format!("{address}?id={id}")).await;
    assert_eq!(found.header("location"), format!("{proposal}?lang=ro"));
    let approve = [("do", "approve")];
    for browser in [&accountant, &clerk] {
        assert_eq!(browser.send(&proposal, &approve).await.status, 403);
    }
    let order = clerk.get("/admin/orders/TAX/1").await;
    assert!(!order.text.contains("P-9"), "{}", order.text);
    let manager = office.sign_in(Role::Manager).await;
    let page = manager.get(&proposal).await;
    assert!(page.text.contains("value=\"approve\""), "{}", page.text);
    let page = manager.send(&proposal, &approve).await;
    assert_eq!(page.status, 303, "{}", page.text);
    assert!(!accountant.get(address).await.text.contains(&link));
    assert!(!manager.get("/admin").await.text.contains(waits));
    let order = accountant.get("/admin/orders/TAX/1").await;
    for said in ["P-9", "accountant", "manager", "/admin/payments/P%2D9/void"] {
        assert!(order.text.contains(said), "{said}: {}", order.text);
    }
    // A void needs two people as well: a manager cannot approve their own proposal.
    let void = "/admin/payments/P%2D9/void";
    let page = manager.send(void, &[("note", "De două ori")]).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let proposal = page
        .header("location")
        .split('?')
        .next()
        .unwrap()
        .to_owned();
    let page = manager.get(&proposal).await;
    assert!(!page.text.contains("value=\"approve\""), "{}", page.text);
    assert_eq!(manager.send(&proposal, &approve).await.status, 409);
    let page = manager.send(&proposal, &[("do", "withdraw")]).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let page = manager.get(&proposal).await;
    assert!(page.text.contains("retrasă"), "{}", page.text);
    assert!(!page.text.contains("value=\"withdraw\""), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_cannot_be_keeps_what_was_typed() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    for (key, status, said) in [
        (
            "nobody",
            422,
            "<li>Serviciul nu are o comandă cu acest număr.</li>",
        ),
        ("1", 409, "O plată cu acest număr este deja"),
    ] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", key),
            ("payment_id", "P-1"),
            ("amount", "10"),
            ("paid_at", "2026-05-31"),
            ("note", "Extras"),
        ];
        let page = browser.send("/admin/payments/manual", &form).await;
        assert_eq!(page.status, status, "{}", page.text);
        assert!(page.text.contains(said), "{}", page.text);
        assert!(page.text.contains("value=\"Extras\""), "{}", page.text);
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_of_several_lines_in_another_currency_is_paid_by_hand() {
    let office = Office::new();
    let order: OrderJson = serde_json::from_value(serde_json::json!({
        "service_id": "TAX", "order_key": "1", "reason": "Taxă", "currency": "EUR",
        "lines": [
            {"line_id": "a", "reason": "Studii", "amount_due": "10"},
            {"line_id": "b", "reason": "Cămin", "amount_due": "5"}
        ]
    }))
    .unwrap();
    put(
        &office.memory,
        &order.to_order().unwrap(),
        Precondition::None,
    )
    .await
    .unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let address = "/admin/payments/manual";
    let mut form = vec![
        ("service_id", "TAX"),
        ("order_key", "1"),
        ("payment_id", "P-9"),
        ("amount", "12,50"),
        ("paid_at", "2026-05-31"),
        ("note", "Extras"),
    ];
    // The lines are asked for once the order is known, and what was typed stays.
    let page = browser.send(address, &form).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for said in ["name=\"line-a\"", "Cămin", "EUR", "value=\"12,50\""] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    // From the order's page they are there at once.
    let at_once = browser
        .get(&format!("{address}?service_id=TAX&order_key=1"))
        .await;
    assert!(at_once.text.contains("name=\"line-b\""), "{}", at_once.text);
    let lines_of = page.field("lines-of");
    form.extend([("line-a", "10"), ("line-b", ""), ("lines-of", &lines_of)]);
    let page = browser.send(address, &form).await;
    assert_eq!(page.status, 422, "the sum of the lines is another");
    assert!(page.text.contains("value=\"10\""), "{}", page.text);
    form.retain(|(name, _)| *name != "line-b");
    form.push(("line-b", "2,50"));
    // Amounts that were typed for the lines of another order are asked for again.
    let mut other = form.clone();
    other.retain(|(name, _)| *name != "lines-of");
    other.push(("lines-of", "/admin/orders/TAX/2"));
    assert_eq!(browser.send(address, &other).await.status, 200);
    let page = browser.send(address, &form).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let proposal = page.header("location").split('?').next().unwrap();
    let manager = office.sign_in(Role::Manager).await;
    let page = manager.get(proposal).await;
    for said in ["a: 10,00", "b: 2,50", "12,50\u{A0}EUR"] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let approved = manager.send(proposal, &[("do", "approve")]).await;
    assert_eq!(approved.status, 303, "{}", approved.text);
    let order = stored(&office.memory, "1").await.unwrap();
    assert_eq!(order.state.amount_paid().to_string(), "12.50");
}

#[tokio::test(start_paused = true)]
async fn what_is_approved_and_not_entered_is_shown_and_withdrawn() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let form = [
        ("service_id", "TAX"),
        ("order_key", "1"),
        ("payment_id", "P-9"),
        ("amount", "10"),
        ("paid_at", "2026-05-31"),
        ("note", "Extras"),
    ];
    let page = browser.send("/admin/payments/manual", &form).await;
    let proposal = page.header("location").split('?').next().unwrap();
    let id = proposal.rsplit('/').next().unwrap().parse().unwrap();
    let store = Ledger::new(office.memory.clone());
    let stored = store.proposals().get(id).await.unwrap().unwrap();
    let by = "manager".to_owned();
    let approved = crate::store::Decision::Approved { by };
    store.proposals().decide(&stored, &approved).await.unwrap();
    let says = "aprobată, neîndeplinită";
    for address in [proposal, "/admin/payments/manual"] {
        let page = browser.get(address).await;
        assert!(page.text.contains(says), "{}", page.text);
    }
    let page = office.sign_in(Role::Manager).await.get(proposal).await;
    for button in ["value=\"approve\"", "value=\"withdraw\""] {
        assert!(page.text.contains(button), "{}", page.text);
    }
    let page = browser.send(proposal, &[("do", "withdraw")]).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let page = browser.get(proposal).await;
    assert!(page.text.contains("retrasă") && !page.text.contains(says));
}

/// Two payments of one sum of money would count it twice, so whoever sees the second is told of the first.
#[tokio::test(start_paused = true)]
async fn what_mpay_confirms_after_a_void_names_what_was_entered_by_hand_instead() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let accountant = office.sign_in(Role::Accountant).await;
    let manager = office.sign_in(Role::Manager).await;
    let approve = async |page: Page| {
        assert_eq!(page.status, 303, "{}", page.text);
        let proposal = page.header("location").split('?').next().unwrap();
        let approved = manager.send(proposal, &[("do", "approve")]).await;
        assert_eq!(approved.status, 303, "{}", approved.text);
    };
    let enter = async |id: &str| {
        let form = [
            ("service_id", "TAX"),
            ("order_key", "1"),
            ("payment_id", id),
            ("amount", "10"),
            ("paid_at", "2026-05-31"),
            ("note", "Extras"),
        ];
        accountant.send("/admin/payments/manual", &form).await
    };
    approve(enter("P-9").await).await;
    let void = "/admin/payments/P%2D9/void";
    approve(accountant.send(void, &[("note", "Suma greșită")]).await).await;
    let refused = enter("P-9").await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("de exemplu -2"), "{}", refused.text);
    approve(enter("P-9-2").await).await;
    let says = "după ce introducerea manuală";
    let order = accountant.get("/admin/orders/TAX/1").await;
    assert!(!order.text.contains(says), "{}", order.text);

    let (confirmation, mut payment) = crate::store::testing::payment("P-9", "1", "10");
    payment.after_void = true;
    let evidence = Evidence::new(&secret(), b"<m/>", "P-9", b"c", "accepted");
    payment.evidence = evidence.id().to_owned();
    let store = Ledger::new(office.memory.clone());
    let order = crate::store::StoredOrder::default();
    let payments = store.payments();
    let recorded = payments.record(&confirmation, &payment, &order, &evidence, None);
    recorded.await.unwrap();
    let order = accountant.get("/admin/orders/TAX/1").await;
    let (_, note) = order.text.split_once(says).unwrap();
    let note = note.split_once("</span>").unwrap().0;
    assert!(note.contains("<code>P-9-2</code>"), "{note}");
    assert!(!note.contains("<code>P-9</code>"), "{note}");
}
