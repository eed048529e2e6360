//! Tests of orders: registration, search, changes, export, printing, history.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_order_is_registered_once_found_and_changed_by_who_saw_it() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let once = browser.get("/admin/orders/new").await.field("once");
    let form = [
        ("service_id", "TAX"),
        ("reason", "<script>alert(1)</script>"),
        ("amount_due", "1 250,50"),
        ("due_date", "2026-12-31"),
        ("customer_name", "Ana \"Rusu\" & fiii"),
        ("once", once.as_str()),
    ];
    let page = browser.send("/admin/orders/new", &form).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let location = page.header("location").to_owned();
    let again = browser.send("/admin/orders/new", &form).await;
    assert_eq!(
        again.header("location"),
        location,
        "sent twice, it is one order"
    );
    let page = browser.get(&location).await;
    assert!(
        page.text.contains("1\u{202F}250,50\u{A0}MDL"),
        "{}",
        page.text
    );
    assert!(page.text.contains("&lt;script&gt;"), "{}", page.text);
    assert!(
        page.text.contains("Ana &quot;Rusu&quot; &amp; fiii"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("<script"), "{}", page.text);

    let key = location.split(['/', '?']).nth(4).unwrap();
    let found = browser.get(&format!("/admin/orders?order_key={key}")).await;
    assert_eq!(
        found.header("location"),
        format!("/admin/orders/TAX/{key}?lang=ro")
    );
    let list = browser
        .get("/admin/orders?status=Active&due_to=2026-12-31")
        .await;
    assert!(list.text.contains(key), "{}", list.text);
    let list = browser.get("/admin/orders?status=Paid").await;
    assert!(!list.text.contains(key), "{}", list.text);

    let path = format!("/admin/orders/TAX/{key}");
    let etag = page.field("etag");
    let change = [("set", "Cancelled"), ("etag", etag.as_str())];
    assert_eq!(browser.send(&path, &change).await.status, 303);
    let late = browser
        .send(&path, &[("set", ""), ("etag", etag.as_str())])
        .await;
    assert_eq!(late.status, 412);
    assert!(late.text.contains("Altcineva a modificat"), "{}", late.text);
    // A number that is taken does not amend its order unnoticed.
    let form = [
        ("service_id", "TAX"),
        ("order_key", key),
        ("reason", "x"),
        ("amount_due", "1"),
    ];
    assert_eq!(browser.send("/admin/orders/new", &form).await.status, 412);
    // An amount with two readings is refused.
    for amount in ["1,2,3", "1.250", "1,250", "-5", "1e3", "mult"] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", "new"),
            ("reason", "x"),
            ("amount_due", amount),
        ];
        let wrong = browser.send("/admin/orders/new", &form).await;
        assert_eq!(wrong.status, 422, "{amount}");
        assert!(wrong.text.contains("amount_due"), "{}", wrong.text);
    }
    for (key, amount, shown) in [
        ("n-1", "1.250,50", "1\u{202F}250,50"),
        ("n-2", "1,250.50 lei", "1\u{202F}250,50"),
        ("n-3", "1250", "1\u{202F}250,00"),
    ] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", key),
            ("reason", "x"),
            ("amount_due", amount),
        ];
        assert_eq!(
            browser.send("/admin/orders/new", &form).await.status,
            303,
            "{amount}"
        );
        let page = browser.get(&format!("/admin/orders/TAX/{key}")).await;
        assert!(page.text.contains(shown), "{amount}: {}", page.text);
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_amended_by_what_was_typed_alone() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let form = [
        ("service_id", "TAX"),
        ("order_key", "A-1"),
        ("reason", "Taxă"),
        ("amount_due", "10"),
        ("due_date", "2026-12-31"),
        ("customer_name", "Ana Rusu"),
        ("customer_id", "2000000000006"),
    ];
    assert_eq!(browser.send("/admin/orders/new", &form).await.status, 303);
    let address = "/admin/orders/TAX/A-1";
    let page = browser.get(address).await;
    for shown in [
        "value=\"10.00\"",
        "value=\"2026-12-31\"",
        "value=\"Ana Rusu\"",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let etag = page.field("etag");
    let amend = |amount, name| {
        [
            ("amend", "1"),
            ("etag", etag.as_str()),
            ("reason", "Amendă"),
            ("amount_due", amount),
            ("due_date", "2026-12-31"),
            ("customer_name", name),
            ("customer_id", "2000000000006"),
        ]
    };
    // After a mistake the form keeps the input, and names the mistake beside its field.
    let page = browser.send(address, &amend("1.250", "Ion <b>")).await;
    assert_eq!(page.status, 422, "{}", page.text);
    for said in [
        "aria-invalid=\"true\" aria-describedby=\"wrong-amount_due\"",
        "id=\"wrong-amount_due\"",
        "value=\"1.250\"",
        "value=\"Ion &lt;b&gt;\"",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(page.text.matches("aria-invalid").count(), 1);
    assert_eq!(page.field("etag"), etag);
    let page = browser.send(address, &amend("1 250,50", "")).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let page = browser.get(address).await;
    assert!(page.text.contains("1\u{202F}250,50"), "{}", page.text);
    assert!(!page.text.contains("value=\"Ana Rusu\""), "{}", page.text);
    assert!(
        page.text.contains("<del>Ana Rusu</del> → –"),
        "{}",
        page.text
    );
    // The line has the order's reason.
    assert!(page.text.contains("1 · Amendă"), "{}", page.text);
    // A person who saw an earlier state of the order cannot change it.
    let late = browser.send(address, &amend("5", "x")).await;
    assert_eq!(late.status, 412);
    // People without the role are not offered the form, and cannot send it.
    let reader = office.sign_in(Role::Read).await;
    let page_of_reader = reader.get(address).await;
    assert!(!page_of_reader.text.contains("name=\"amend\""));
    let etag = page.field("etag");
    let form = [("amend", "1"), ("etag", etag.as_str()), ("reason", "x")];
    assert_eq!(reader.send(address, &form).await.status, 403);
    let change = [("set", "Cancelled"), ("etag", etag.as_str())];
    assert_eq!(browser.send(address, &change).await.status, 303);
    let page = browser.get(address).await;
    assert!(!page.text.contains("name=\"amend\""), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn amending_leaves_what_the_form_does_not_show() {
    let office = Office::new();
    let two: OrderJson = serde_json::from_value(serde_json::json!({
        "service_id": "TAX", "order_key": "2", "due_date": "2026-12-31T15:30:00+02:00",
        "reason": {"ro": "Taxă", "ru": "Налог"}, "metadata": {"ours": "x"},
        "lines": [
            {"line_id": "1", "reason": "Una", "amount_due": "10"},
            {"line_id": "2", "reason": "Alta", "amount_due": "5"}
        ]
    }))
    .unwrap();
    let order = two.to_order().unwrap();
    put(&office.memory, &order, Precondition::None)
        .await
        .unwrap();
    let browser = office.sign_in(Role::Clerk).await;
    let address = "/admin/orders/TAX/2?lang=ru";
    let page = browser.get(address).await;
    assert!(!page.text.contains("name=\"amount_due\""), "{}", page.text);
    assert!(page.text.contains("value=\"Налог\""), "{}", page.text);
    let etag = page.field("etag");
    let form = [
        ("amend", "1"),
        ("etag", etag.as_str()),
        ("reason", "Сбор"),
        ("amount_due", "1"),
        ("due_date", "2026-12-31"),
        ("customer_name", "Ana"),
    ];
    let page = browser.send(address, &form).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let stored = stored(&office.memory, "2").await.unwrap();
    let amended = OrderJson::from(stored.state.order().unwrap());
    let mut expected = OrderJson::from(&order);
    expected.customer_name = Some("Ana".to_owned());
    expected.reason =
        serde_json::from_value(serde_json::json!({"ro": "Taxă", "ru": "Сбор"})).unwrap();
    assert_eq!(amended, expected);
}

#[tokio::test(start_paused = true)]
async fn a_new_order_with_a_mistake_keeps_what_was_typed() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let form = [
        ("service_id", "TAX"),
        ("reason", "Chirie"),
        ("amount_due", "mult"),
        ("once", "0123456789abcdef"),
    ];
    let page = browser.send("/admin/orders/new", &form).await;
    assert_eq!(page.status, 422);
    assert!(
        page.text.contains("id=\"wrong-amount_due\""),
        "{}",
        page.text
    );
    assert!(page.text.contains("value=\"Chirie\""), "{}", page.text);
    assert_eq!(page.field("once"), "0123456789abcdef");
    register(&office.memory, "1", "10").await.unwrap();
    let form = [
        ("service_id", "TAX"),
        ("order_key", "1"),
        ("reason", "x"),
        ("amount_due", "1"),
    ];
    let page = browser.send("/admin/orders/new", &form).await;
    assert_eq!(page.status, 412);
    assert!(
        page.text.contains("id=\"wrong-order_key\""),
        "{}",
        page.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_refused_gives_back_what_was_typed() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Manager).await;
    let page = browser.get("/admin/orders/TAX/1").await;
    let etag = page.field("etag");
    let form = [
        ("etag", etag.as_str()),
        ("set", "Refunded"),
        ("refund_reference", "OP <77>"),
    ];
    let page = browser.send("/admin/orders/TAX/1", &form).await;
    assert!(page.status >= 400, "{}", page.text);
    let typed = "<h2>Ați scris</h2><dl><dt>Documentul restituirii</dt><dd>OP &lt;77&gt;</dd></dl>";
    assert!(page.text.contains(typed), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn orders_are_found_by_another_number_of_a_service() {
    let office = Office::with(&[("service_ids", "TAX,SCHOOL")]);
    for key in ["1", "2"] {
        let order: OrderJson = serde_json::from_value(serde_json::json!({
            "service_id": "TAX", "order_key": key, "reason": "Taxă",
            "aliases": [if key == "1" { "C-77/2026" } else { "C-78/2026" }],
            "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "10"}]
        }))
        .unwrap();
        let order = order.to_order().unwrap();
        put(&office.memory, &order, Precondition::None)
            .await
            .unwrap();
    }
    let browser = office.sign_in(Role::Clerk).await;
    let form = browser.get("/admin/orders?lang=ro").await;
    for field in ["name=\"alias\"", "<select name=\"service_id\">"] {
        assert!(form.text.contains(field), "{field}: {}", form.text);
    }
    let found = browser
        .get("/admin/orders?lang=ro&service_id=TAX&alias=c-77/2026")
        .await;
    assert!(found.text.contains("/admin/orders/TAX/1"), "{}", found.text);
    assert!(
        !found.text.contains("/admin/orders/TAX/2"),
        "{}",
        found.text
    );
    let which = browser.get("/admin/orders?lang=ro&alias=C-77/2026").await;
    assert!(which.text.contains("mai multe servicii"), "{}", which.text);
    assert_eq!(in_english(&which), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_filtered_is_what_is_exported() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    register(&office.memory, "2", "20").await.unwrap();
    let browser = office.sign_in(Role::Read).await;
    let page = browser
        .get("/admin/orders?amount_due=20&status=Active")
        .await;
    let (_, link) = page
        .text
        .split_once("href=\"/admin/export?format=csv")
        .unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let table = browser
        .get(&format!("/admin/export?format=csv{link}"))
        .await;
    assert_eq!(table.status, 200, "{}", table.text);
    assert_eq!(table.text.lines().count(), 2, "{}", table.text);
    assert!(
        table.text.contains("20,00") && !table.text.contains("10,00"),
        "{}",
        table.text
    );
}

#[tokio::test(start_paused = true)]
async fn the_history_of_an_order_says_who_changed_what() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let clerk = office.sign_in(Role::Clerk).await;
    let address = "/admin/orders/TAX/1";
    let page = clerk.get(address).await;
    let etag = page.field("etag");
    let form = [
        ("etag", etag.as_str()),
        ("amend", "1"),
        ("reason", "Taxă"),
        ("amount_due", "10.00"),
        ("customer_name", "<Ana>"),
    ];
    let page = clerk.send(address, &form).await;
    assert_eq!(page.status, 303, "{}", page.text);
    record(&office.memory, "P", "1", "10").await.unwrap();
    let etag = clerk.get(address).await.field("etag");
    let form = [("etag", etag.as_str()), ("set", "Completed")];
    assert_eq!(clerk.send(address, &form).await.status, 303);
    let whole = format!("{address}/history");
    for (language, texts) in [
        (
            "ro",
            [
                "Istoric",
                "Modificată",
                "Înregistrată",
                "Încheiată",
                "Plată înregistrată",
            ],
        ),
        (
            "ru",
            [
                "История",
                "Изменён",
                "Зарегистрирован",
                "Завершён",
                "Платёж записан",
            ],
        ),
        (
            "en",
            [
                "History",
                "Changed",
                "Registered",
                "Completed",
                "Payment recorded",
            ],
        ),
    ] {
        for address in [address, &whole] {
            let page = clerk.get(&format!("{address}?lang={language}")).await;
            assert_eq!(page.status, 200, "{}", page.text);
            for text in texts.into_iter().chain([
                "&lt;Ana&gt;",
                "<span>clerk</span>",
                "<span>tester</span>",
                "<span>MPay</span>",
            ]) {
                assert!(
                    page.text.contains(text),
                    "{text} at {address}: {}",
                    page.text
                );
            }
            assert!(!page.text.contains("<Ana>"), "{}", page.text);
        }
    }
    for _ in 0..4 {
        let etag = clerk.get(address).await.field("etag");
        for set in ["", "Completed"] {
            let etag = match set {
                "" => etag.clone(),
                _ => clerk.get(address).await.field("etag"),
            };
            clerk.send(address, &[("etag", &etag), ("set", set)]).await;
        }
    }
    // The order's page shows the latest events and links to the rest.
    let link = format!("href=\"{whole}?lang=ro\"");
    assert!(clerk.get(address).await.text.contains(&link));
    assert_eq!(clerk.get("/admin/orders/TAX/2/history").await.status, 404);
    let page = clerk.get(&format!("{whole}?cursor=x")).await;
    assert_eq!(page.status, 400, "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn notices_are_of_the_orders_that_can_be_paid_and_were_chosen() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    for (key, due) in [
        ("A-1", "2026-12-31"),
        ("A-2", "2026-12-31"),
        ("A-3", "2027-12-31"),
    ] {
        let form = [
            ("service_id", "TAX"),
            ("order_key", key),
            ("reason", "x"),
            ("amount_due", "10"),
            ("due_date", due),
        ];
        assert_eq!(browser.send("/admin/orders/new", &form).await.status, 303);
    }
    record(&office.memory, "P-1", "A-2", "10").await.unwrap();
    let list = browser.get("/admin/orders?due_to=2026-12-31").await;
    let link = "/admin/notices?due_to=2026%2D12%2D31&amp;lang=ro";
    assert!(list.text.contains(link), "{}", list.text);
    let page = browser.get("/admin/notices?due_to=2026-12-31").await;
    assert_eq!(
        page.text.matches("<article class=\"notice\">").count(),
        1,
        "{}",
        page.text
    );
    assert!(
        page.text.contains("A-1") && page.text.contains("<svg"),
        "{}",
        page.text
    );
    let all = browser
        .get("/admin/notices?registered_from=2026-06-01")
        .await;
    assert_eq!(all.text.matches("<article class=\"notice\">").count(), 2);
    let none = browser
        .get("/admin/notices?registered_from=2026-06-02")
        .await;
    assert_eq!(none.text.matches("<article class=\"notice\">").count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_number_of_several_services_shows_the_order_of_each() {
    let office = Office::new();
    for service in ["TAX", "SCHOOL"] {
        let mut json = order_json("7", "10");
        json.service_id = Some(service.to_owned());
        put(
            &office.memory,
            &json.to_order().unwrap(),
            Precondition::None,
        )
        .await
        .unwrap();
    }
    let browser = office.sign_in(Role::Read).await;
    let page = browser.get("/admin/orders?order_key=7").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for said in [
        "/admin/orders/TAX/7?",
        "/admin/orders/SCHOOL/7?",
        "Mai multe servicii",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let page = browser
        .get("/admin/orders?order_key=7&service_id=SCHOOL")
        .await;
    let found = page.header("location");
    assert_eq!(found, "/admin/orders/SCHOOL/7?lang=ro");
}

#[tokio::test(start_paused = true)]
async fn the_list_says_that_a_damaged_order_is_left_out() {
    let office = Office::new();
    for key in ["1", "2"] {
        register(&office.memory, key, "10").await.unwrap();
    }
    let browser = office.sign_in(Role::Read).await;
    let says = "Lăsate deoparte";
    let page = browser.get("/admin/orders").await;
    assert!(!page.text.contains(says), "{}", page.text);
    office.memory.overwrite("order/TAX/1/1", b"{".to_vec());
    let page = browser.get("/admin/orders").await;
    assert!(page.text.contains(says), "{}", page.text);
}

/// A table begins where its page does.
#[tokio::test(start_paused = true)]
async fn the_table_of_a_later_page_begins_with_that_page() {
    let office = Office::new();
    for key in 0..60 {
        register(&office.memory, &format!("K{key}"), "10")
            .await
            .unwrap();
    }
    let browser = office.sign_in(Role::Read).await;
    let page = browser.get("/admin/orders?status=Active").await;
    let (_, next) = page.text.split_once("/admin/orders?cursor=").unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let page = browser.get(&format!("/admin/orders?cursor={next}")).await;
    let (_, link) = page
        .text
        .split_once("href=\"/admin/export?format=csv")
        .unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let table = browser
        .get(&format!("/admin/export?format=csv{link}"))
        .await;
    assert_eq!(table.text.lines().count(), 11, "{}", table.text);
    let name = table.header("content-disposition");
    assert!(name.contains("orders-part.csv"), "{name}");
}
