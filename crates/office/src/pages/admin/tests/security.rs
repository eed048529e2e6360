//! Tests against hostile input, and of the policies that the pages give browsers.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_strangers_write_is_only_shown() {
    let hostile = "<b>\"'&x";
    let office = Office::with(&[("institution_name", hostile), ("page_note", hostile)]);
    let order = serde_json::json!({
        "service_id": "TAX", "order_key": hostile, "reason": hostile, "customer_name": hostile,
        "customer_id": "2000000000004", "aliases": [hostile], "metadata": {"note": hostile},
        "lines": [{"line_id": hostile, "reason": hostile, "amount_due": "10"}],
        "properties": [{"name": "p", "display_name": hostile, "value": hostile}]
    });
    let order: OrderJson = serde_json::from_value(order).unwrap();
    put(
        &office.memory,
        &order.to_order().unwrap(),
        Precondition::None,
    )
    .await
    .unwrap();
    record(&office.memory, hostile, hostile, "10")
        .await
        .unwrap();
    let browser = office.sign_in(Role::Manager).await;
    let path = format!(
        "/admin/orders/TAX/{}",
        utf8_percent_encode(hostile, NON_ALPHANUMERIC)
    );
    let page = browser.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (_, link) = page
        .text
        .split_once("href=\"https://pay.example.md")
        .unwrap();
    let link = link.split('"').next().unwrap().to_owned();
    let today = page.text.clone();
    assert!(today.contains("&lt;b&gt;"), "{today}");
    let query = utf8_percent_encode(hostile, NON_ALPHANUMERIC).to_string();
    let mut pages = vec![("order", page)];
    for address in [
        "/admin",
        "/admin/orders",
        "/admin/payments",
        "/admin/connection",
        "/admin/settlement",
        "/admin/notices",
        "/admin/payments/manual",
        "/admin/personal?customer_id=2000000000004",
        &format!("/admin/orders?order_key={query}x&status={query}"),
        &format!("/admin/payments/manual?order_key={query}"),
        &format!(
            "/admin?{hostile}",
            hostile = hostile.replace('"', "%22").replace(['<', '>'], "%3C")
        ),
        &link,
        &format!("{link}/notice"),
        &format!("{link}/receipt"),
        &format!("{link}/return"),
        &format!("{link}/return?paid=0"),
        &format!("{link}/return?paid=5&n=99"),
    ] {
        pages.push(("page", browser.get(address).await));
    }
    let form = [
        ("service_id", hostile),
        ("order_key", hostile),
        ("reason", hostile),
        ("amount_due", hostile),
        ("customer_name", hostile),
        ("customer_id", hostile),
        ("due_date", hostile),
        ("note", hostile),
        ("payment_id", hostile),
        ("amount", hostile),
        ("paid_at", hostile),
        ("again", hostile),
        ("etag", hostile),
        ("set", hostile),
        ("back", hostile),
        ("once", hostile),
    ];
    for address in [
        "/admin/orders/new",
        "/admin/payments/manual",
        "/admin/personal",
        &path,
    ] {
        pages.push(("form", browser.send(address, &form).await));
    }
    // Hostile text in a table's cells, in its column names, and in the answers about them.
    let quoted = "\"<b>\"\"'&x\"";
    let rows = format!(
        "service_id;order_key;reason;amount_due\nTAX;{quoted};{quoted};1\n{quoted};{quoted};{quoted};5 {quoted}\nTAX;A;x;{quoted}\n"
    );
    let own = format!("{quoted};B\n{quoted};{quoted}\n");
    for table in [&rows, &own] {
        for address in ["/admin/import", "/admin/settlement"] {
            pages.push((
                "table",
                upload(
                    &browser,
                    address,
                    table.as_bytes(),
                    &[("from", "2026-01-01"), ("to", "2026-12-31")],
                )
                .await,
            ));
        }
    }
    let chosen = [("column:<b>\"'&x", "reason"), ("column:B", "amount_due")];
    pages.push((
        "columns",
        upload(&browser, "/admin/import", own.as_bytes(), &chosen).await,
    ));
    let compared = [
        ("amount", "B"),
        ("payment_id", "<b>\"'&x"),
        ("from", "2026-01-01"),
        ("to", "2026-12-31"),
    ];
    pages.push((
        "compared",
        upload(&browser, "/admin/settlement", own.as_bytes(), &compared).await,
    ));
    for (what, page) in &pages {
        assert!(
            !page.text.contains("<b>\"") && !page.text.contains("<b>&"),
            "{what}: {}",
            page.text
        );
        assert!(!page.header("location").contains("//"), "{what}");
        if page.status != 303 {
            let policy = page.header("content-security-policy");
            assert!(
                policy.contains("form-action 'self'"),
                "{what} {}: {policy}",
                page.status
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_the_office_is_not_framed_kept_or_led_elsewhere() {
    let office = Office::new();
    let browser = office.sign_in(Role::Manager).await;
    for address in [
        "/admin",
        "/admin/orders/new",
        "/admin/nothing",
        "/admin/sign-in",
    ] {
        let page = browser.get(address).await;
        assert_eq!(
            page.header("content-security-policy"),
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(page.header(name), value, "{address}");
        }
    }
}
