//! Tests of a person's data and its erasure.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_manager_erases_a_person_by_typing_their_code_again() {
    let office = Office::new();
    let clerk = office.sign_in(Role::Clerk).await;
    for (key, code) in [
        ("A-1", "2000000000006"),
        ("A-2", "2000000000006"),
        ("B-1", "2000000000011"),
    ] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", key),
            ("reason", "x"),
            ("amount_due", "10"),
            ("customer_name", "Ana Rusu"),
            ("customer_id", code),
        ];
        let page = clerk.send("/admin/orders/new", &form).await;
        assert_eq!(page.status, 303, "{}", page.text);
    }
    for key in ["A-1", "B-1"] {
        let address = format!("/admin/orders/TAX/{key}");
        let etag = clerk.get(&address).await.field("etag");
        let form = [("set", "Cancelled"), ("etag", etag.as_str())];
        assert_eq!(clerk.send(&address, &form).await.status, 303);
    }
    let address = "/admin/personal?customer_id=2000000000006";
    for role in [Role::Read, Role::Accountant, Role::Clerk] {
        let browser = office.sign_in(role).await;
        assert!(!browser.get("/admin").await.text.contains("/admin/personal"));
        assert_eq!(browser.get(address).await.status, 403, "{role:?}");
        let form = [("customer_id", "2000000000006"), ("again", "2000000000006")];
        let page = browser.send("/admin/personal", &form).await;
        assert_eq!(page.status, 403, "{role:?}");
    }
    let browser = office.sign_in(Role::Manager).await;
    let page = browser.get(address).await;
    assert!(
        page.text.contains("A-1") && page.text.contains("A-2"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("B-1"), "{}", page.text);
    let file = browser
        .get("/admin/export?format=csv&customer_id=2000000000006")
        .await;
    assert!(
        file.text.contains("A-1") && !file.text.contains("B-1"),
        "{}",
        file.text
    );
    for again in ["", "2000000000011"] {
        let form = [("customer_id", "2000000000006"), ("again", again)];
        let page = browser.send("/admin/personal", &form).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("id=\"wrong-again\""), "{}", page.text);
    }
    // A request that names nobody never erases everybody.
    assert_eq!(browser.send("/admin/personal", &[]).await.status, 422);
    let order = browser.get("/admin/orders/TAX/A-1").await;
    assert!(order.text.contains("Ana Rusu"), "{}", order.text);
    let form = [
        ("customer_id", "2000000000006"),
        ("again", " 2000000000006 "),
    ];
    let page = browser.send("/admin/personal", &form).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (erased, kept) = page.text.split_once("S-a păstrat").unwrap();
    assert!(
        erased.contains("TAX/A%2D1") && kept.contains("TAX/A%2D2"),
        "{}",
        page.text
    );
    for (key, has) in [("A-1", false), ("A-2", true), ("B-1", true)] {
        let order = browser.get(&format!("/admin/orders/TAX/{key}")).await;
        assert_eq!(order.text.contains("Ana Rusu"), has, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn erasing_walks_all_of_the_books() {
    let office = Office::new();
    let of = |key: &str| {
        let mut json = order_json(key, "10");
        json.customer_id = Some("2000000000006".to_owned());
        json.status = Some("Cancelled".to_owned());
        json.to_order().unwrap()
    };
    for key in ["first", "last"] {
        put(&office.memory, &of(key), Precondition::None)
            .await
            .unwrap();
        for n in 0..300 {
            let other = format!("{key}-{n}");
            register(&office.memory, &other, "10").await.unwrap();
        }
    }
    let browser = office.sign_in(Role::Manager).await;
    let code = "2000000000006";
    let page = browser
        .get(&format!("/admin/personal?customer_id={code}"))
        .await;
    let is_there =
        |page: &Page, key: &str| page.text.contains(&format!("/admin/orders/TAX/{key}?"));
    assert!(
        is_there(&page, "first") && is_there(&page, "last"),
        "{}",
        page.text
    );
    let form = [("customer_id", code), ("again", code)];
    let page = browser.send("/admin/personal", &form).await;
    assert!(
        is_there(&page, "first") && is_there(&page, "last"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("name=\"cursor\""), "{}", page.text);
    let page = browser
        .get(&format!("/admin/personal?customer_id={code}"))
        .await;
    assert!(!is_there(&page, "first"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn a_person_is_found_by_a_marked_number_and_a_code_of_any_length_can_be_erased() {
    let office = Office::new();
    let code = "PASAPORT-AA-0123456789";
    let mut json = order_json("PERS-1", "10");
    json.aliases =
        serde_json::from_value(serde_json::json!([{"value": code, "personal": true}])).unwrap();
    put(
        &office.memory,
        &json.to_order().unwrap(),
        Precondition::None,
    )
    .await
    .unwrap();
    let browser = office.sign_in(Role::Manager).await;
    let page = browser
        .get(&format!("/admin/personal?customer_id={code}"))
        .await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("PERS%2D1"), "{}", page.text);
    assert!(page.text.contains("name=\"again\""), "{}", page.text);
    let nobody = browser
        .get(&format!("/admin/personal?customer_id={code}-NOBODY"))
        .await;
    assert!(nobody.text.contains("name=\"again\""), "{}", nobody.text);
}

/// The download has what the page shows, however many newer orders there are.
#[tokio::test(start_paused = true)]
async fn what_the_page_of_a_person_shows_is_in_its_table() {
    let office = Office::new();
    let code = "2000000000006";
    let mut manager = Api::new();
    manager.memory = office.memory.clone();
    let mut json = order_json("PERS-1", "10");
    json.customer_id = Some(code.to_owned());
    put(
        &office.memory,
        &json.to_order().unwrap(),
        Precondition::None,
    )
    .await
    .unwrap();
    for batch in 0..6 {
        let rows = (0..500).map(|n| format!("TAX,N-{batch}-{n},Taxă,1,Taxă,5\n"));
        let head = "service_id,order_key,reason,line_id,line_reason,amount_due\n";
        let table = format!("{head}{}", rows.collect::<String>());
        let answer = manager
            .call("POST", "orders/import", "text/csv", table)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let browser = office.sign_in(Role::Manager).await;
    let mut address = format!("/admin/personal?customer_id={code}");
    for is_first in [true, false] {
        let page = browser.get(&address).await;
        let (_, link) = page.text.split_once("href=\"/admin/export?").unwrap();
        let link = link.split('"').next().unwrap().replace("&amp;", "&");
        let link = link.replace("format=xlsx", "format=csv");
        let table = browser.get(&format!("/admin/export?{link}")).await;
        let shows = page.text.contains("PERS%2D1");
        assert_eq!(shows, is_first, "{address}");
        assert_eq!(table.text.contains("PERS-1"), shows, "{link}");
        let is_part = table.header("content-disposition").contains("part");
        assert_eq!(is_part, !is_first, "{link}");
        assert_eq!(page.text.contains("„part”"), is_part, "{}", page.text);
        // A page that begins below the order: so does its table.
        address.push_str("&cursor=1");
    }
}
