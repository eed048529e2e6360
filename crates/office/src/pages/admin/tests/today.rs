//! Today: what came in, and what needs somebody.

use mpay_ledger::Platform as _;

use super::*;

/// Events of no money, as many.
async fn fill_journal(memory: &Memory, count: u64) {
    let at = memory.now();
    let last = memory.increment("journal", count).await.unwrap();
    for place in last - count + 1..=last {
        let event = r#"{"type":"order.registered","service_id":"TAX","order_key":"x","version":1,"currency":"MDL"}"#;
        let entry = format!(r#"{{"v":1,"at":"{at}","entry":{event}}}"#);
        memory.overwrite(&format!("journal/{place}"), entry.into_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn today_says_how_payments_came_to_an_account() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    register(&office.memory, "2", "20").await.unwrap();
    record(&office.memory, "P", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Read).await;
    let page = browser.get("/admin").await;
    assert!(!page.text.contains("cu cardul"), "{}", page.text);
    record_card(&office.memory, "C", "2", "20").await.unwrap();
    let page = browser.get("/admin").await;
    let (before, _) = page.text.split_once("20,00").unwrap();
    let row = before.rsplit_once("<tr>").unwrap().1;
    assert!(row.contains("</code> cu cardul"), "{row}");
    // The table of what needs somebody is as wide as the page.
    assert!(!page.text.contains("columns"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn the_last_weeks_are_drawn_and_told_as_a_table() {
    let office = Office::new();
    register(&office.memory, "1", "100").await.unwrap();
    record(&office.memory, "P", "1", "10").await.unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    record(&office.memory, "Q", "1", "40").await.unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let browser = office.sign_in(Role::Read).await;
    let page = browser.get("/admin").await;
    // The highest day is as high as the picture, and the other a quarter of it.
    for said in [
        "height=\"120\"",
        "height=\"30\"",
        "aria-label=\"Plățile din fiecare din ultimele 28 de zile, în MDL\"",
        "10,00\u{A0}MDL",
        "40,00\u{A0}MDL",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(page.text.matches("<rect").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_page_says_that_a_large_day_is_not_added_up_yet_and_goes_on() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    fill_journal(&office.memory, 20_000).await;
    record(&office.memory, "P", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Read).await;
    let page = browser.get("/admin").await;
    let says = "Sumele nu sunt încă ale întregii zile";
    assert!(page.text.contains(says), "{}", page.text);
    assert!(!page.text.contains("10,00"), "{}", page.text);
    assert!(
        page.text
            .contains("href=\"/admin?lang=ro\">Însumați mai departe</a>")
    );
    let page = browser.get("/admin").await;
    assert!(
        !page.text.contains(says) && page.text.contains("10,00"),
        "{}",
        page.text
    );
    // The list of its payments goes on by a link, and has the sums of all.
    let page = browser.get("/admin/payments").await;
    assert!(page.text.contains("10,00"), "{}", page.text);
    let (_, next) = page.text.split_once("cursor=").unwrap();
    let next = next.split('&').next().unwrap();
    assert!(!page.text.contains("<code>P</code>"), "{}", page.text);
    let page = browser
        .get(&format!("/admin/payments?date=2026-06-01&cursor={next}"))
        .await;
    assert!(page.text.contains("<code>P</code>"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn today_does_not_say_that_nothing_needs_somebody_before_all_was_looked_at() {
    let office = Office::new();
    fill_journal(&office.memory, 15_000).await;
    let browser = office.sign_in(Role::Read).await;
    let (nothing, partly) = (
        "Nimic.",
        "Confirmări refuzate: Nu s-a căutat încă până la capăt.",
    );
    let page = browser.get("/admin").await;
    assert!(!page.text.contains(nothing), "{}", page.text);
    let (_, rest) = page.text.split_once(partly).expect(&page.text);
    let link = " <a href=\"/admin?lang=ro\">Mai departe</a>";
    assert!(rest.starts_with(link), "{rest}");
    let page = browser.get("/admin/refusals").await;
    assert!(!page.text.contains("Nu s-a căutat"), "{}", page.text);
    let page = browser.get("/admin").await;
    assert!(page.text.contains(nothing), "{}", page.text);
    assert!(!page.text.contains(partly), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn today_adds_up_by_service_where_there_are_several() {
    let of_school = serde_json::json!({
        "service_id": "SCHOOL", "order_key": "S", "reason": "Taxă",
        "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "7"}]
    });
    let of_school: OrderJson = serde_json::from_value(of_school).unwrap();
    for (services, is_told) in [("TAX,SCHOOL", true), ("TAX", false)] {
        let office = Office::with(&[("service_ids", services)]);
        register(&office.memory, "1", "50").await.unwrap();
        record(&office.memory, "P", "1", "50").await.unwrap();
        let order = of_school.to_order().unwrap();
        put(&office.memory, &order, Precondition::None)
            .await
            .unwrap();
        let browser = office.sign_in(Role::Read).await;
        let page = browser.get("/admin").await;
        let row = "<tr><td>TAX</td><td class=\"amount\">50,00\u{A0}MDL</td></tr>";
        assert_eq!(page.text.contains(row), is_told, "{}", page.text);
    }
}
