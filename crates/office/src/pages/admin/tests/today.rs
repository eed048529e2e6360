//! Tests of Today: the money that arrived, and the matters that need a person.

use mpay_ledger::Platform as _;

use super::*;

/// Adds `count` events without money to the journal.
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
    // This table spans the page.
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
    // The bar of the highest day is as high as the chart; the other day's is a quarter of it.
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
    fill_journal(&office.memory, 400).await;
    record(&office.memory, "P", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Read).await;
    // What was refused, and what is to be looked at, is looked for apart.
    for page in ["/admin/refusals", "/admin/orders?review=open"] {
        for _ in 0..8 {
            browser.get(page).await;
        }
    }
    let says = "Sumele nu sunt încă ale întregii zile";
    let by_itself = |page: &Page| {
        let (_, rest) = page
            .text
            .split_once("http-equiv=\"refresh\" content=\"1; url=")?;
        Some(rest.split_once('"').unwrap().0.replace("&amp;", "&"))
    };
    for (address, next, stay) in [
        ("/admin", "/admin?n=1&lang=ro", "/admin?stay=1&lang=ro"),
        (
            "/admin/payments?date=2026-06-01",
            "/admin/payments?date=2026-06-01&n=1&lang=ro",
            "/admin/payments?date=2026-06-01&stay=1&lang=ro",
        ),
    ] {
        office.memory.remove("note/paid-on-2026-06-01");
        let page = browser.get(address).await;
        assert!(page.text.contains(says), "{}", page.text);
        assert!(!page.text.contains("10,00"), "{}", page.text);
        assert!(!page.text.contains("Astăzi încă nimic"), "{}", page.text);
        assert_eq!(by_itself(&page).as_deref(), Some(next));
        // Nobody chooses a day on a page that is about to be loaded again.
        assert!(!page.text.contains("name=\"date\""), "{}", page.text);
        // Who wants to read in peace stays, and goes on by a link.
        let link = format!("href=\"{}\"", stay.replace('&', "&amp;"));
        assert!(page.text.contains(&link), "{}", page.text);
        office.memory.remove("note/paid-on-2026-06-01");
        let page = browser.get(stay).await;
        assert_eq!(by_itself(&page), None, "{}", page.text);
        assert!(page.text.contains(&link), "{}", page.text);
        let may_choose = page.text.contains("name=\"date\"");
        assert_eq!(may_choose, address != "/admin", "{}", page.text);
        let page = browser.get(next).await;
        assert!(!page.text.contains(says), "{}", page.text);
        assert!(page.text.contains("10,00"), "{}", page.text);
        assert_eq!(by_itself(&page), None, "{}", page.text);
    }
    // Reloads end at some point.
    office.memory.remove("note/paid-on-2026-06-01");
    let page = browser.get("/admin?n=300").await;
    assert!(page.text.contains(says), "{}", page.text);
    assert_eq!(by_itself(&page), None, "{}", page.text);
    // The list of the day's payments continues by a link, and has the sums of all of them.
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

/// Adds `count` orders with one payment each: copies of the records of one.
async fn fill_with_payments(memory: &Memory, count: u64) {
    memory.take_calls();
    register(memory, "key-00000", "10").await.unwrap();
    record(memory, "pay-00000", "key-00000", "10")
        .await
        .unwrap();
    let calls = memory.take_calls();
    let keys: Vec<_> = calls
        .iter()
        .filter_map(|call| call.strip_prefix("set "))
        .flat_map(|keys| keys.split(' '))
        .map(|key| (key, String::from_utf8(memory.value(key).unwrap()).unwrap()))
        .collect();
    let counted: Vec<_> = calls
        .iter()
        .filter_map(|call| call.strip_prefix("increment "))
        .collect();
    for n in 1..count {
        let named = |text: &str| {
            let text = text.replace("key-00000", &format!("key-{n:05}"));
            let text = text.replace("pay-00000", &format!("pay-{n:05}"));
            let (registered, paid) = (2 * n + 1, 2 * n + 2);
            let text = match text.as_str() {
                "journal/1" => format!("journal/{registered}"),
                "journal/2" => format!("journal/{paid}"),
                _ => text,
            };
            text.replace("\"journal\":2", &format!("\"journal\":{paid}"))
        };
        for (key, value) in &keys {
            memory.overwrite(&named(key), named(value).into_bytes());
        }
        for list in &counted {
            memory.increment(&named(list), 1).await.unwrap();
        }
    }
}

/// Number of keys read, and number of calls that read them.
fn reads(memory: &Memory) -> (usize, usize) {
    let calls = memory.take_calls();
    let keys = calls.iter().map(|call| call.split(' ').count() - 1);
    (keys.sum(), calls.len())
}

#[tokio::test(start_paused = true)]
async fn no_look_at_a_day_of_ten_thousand_payments_reads_much_and_one_sees_it_whole_in_the_end() {
    let day = "/admin/payments?date=2026-06-01";
    // Of the large day only the first few looks are measured, since every later look costs the same.
    for (count, most, total) in [(10_000, 4, "100000,00"), (800, 99, "8000,00")] {
        let office = Office::new();
        fill_with_payments(&office.memory, count).await;
        for (hours, pages) in [
            (0, ["/admin", day, "/admin/refusals", "/admin/connection"]),
            // A day that is over is closed by the first reader.
            (24, [day, "/admin", "/admin/connection", "/admin/refusals"]),
        ] {
            tokio::time::sleep(Duration::from_secs(hours * 3600)).await;
            let browser = office.sign_in(Role::Read).await;
            for address in pages {
                for look in 1..=most {
                    office.memory.take_calls();
                    let page = browser.get(address).await;
                    let (keys, calls) = reads(&office.memory);
                    let of = format!("{address} of {count}, {look}: {keys} keys, {calls} calls");
                    assert!(keys < 6_000 && calls < 200, "{of}");
                    let goes_on = page.text.contains("http-equiv");
                    assert!(
                        goes_on || count == 800 || address == "/admin/connection",
                        "{of}"
                    );
                    if goes_on {
                        assert!(count > 800 || look < most, "it goes on for ever: {of}");
                        continue;
                    }
                    let text = page.text.replace(['\u{A0}', '\u{202F}'], "");
                    let has_sums = address == "/admin" || address == day;
                    assert!(!has_sums || text.contains(total), "{of}: {text}");
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn today_does_not_say_that_nothing_needs_somebody_before_all_was_looked_at() {
    let office = Office::new();
    fill_journal(&office.memory, 200).await;
    let browser = office.sign_in(Role::Read).await;
    let (nothing, partly) = (
        "Nimic.",
        "Confirmări refuzate: Nu s-a căutat încă până la capăt.",
    );
    let page = browser.get("/admin").await;
    assert!(!page.text.contains(nothing), "{}", page.text);
    assert!(page.text.contains(partly), "{}", page.text);
    assert!(page.text.contains("url=/admin?n=1&amp;lang=ro"));
    let page = browser.get("/admin/refusals").await;
    assert!(!page.text.contains("Nu s-a căutat"), "{}", page.text);
    let page = browser.get("/admin").await;
    assert!(page.text.contains(nothing), "{}", page.text);
    assert!(!page.text.contains(partly), "{}", page.text);

    // Here refusals are looked through, and reviews are not.
    let office = Office::new();
    fill_journal(&office.memory, 200).await;
    let browser = office.sign_in(Role::Read).await;
    browser.get("/admin/refusals").await;
    let page = browser.get("/admin").await;
    let says = "Comenzi: Nu s-a căutat încă până la capăt.";
    assert!(page.text.contains(says), "{}", page.text);
    assert!(!page.text.contains(partly), "{}", page.text);
    assert!(!page.text.contains(nothing), "{}", page.text);
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

/// The section of Today about work for a person, once all was looked at.
async fn needs(browser: &Browser<'_>) -> String {
    for _ in 0..60 {
        let page = browser.get("/admin").await;
        if !page.text.contains("http-equiv") {
            let (_, needs) = page.text.split_once("<h2>Cere atenție</h2>").unwrap();
            return needs.split_once("</section>").unwrap().0.to_owned();
        }
    }
    panic!("it goes on for ever");
}

#[tokio::test(start_paused = true)]
async fn today_shows_what_is_to_be_looked_at_or_approved_however_old() {
    let office = Office::new();
    let (accountant, manager) = (Role::Accountant, Role::Manager);
    register(&office.memory, "1", "10").await.unwrap();
    for id in ["P-1", "P-2"] {
        record(&office.memory, id, "1", "10").await.unwrap();
    }
    let browser = office.sign_in(accountant).await;
    let proposal = [
        ("service_id", "TAX"),
        ("order_key", "1"),
        ("payment_id", "P-3"),
        ("amount", "10"),
        ("paid_at", "2026-06-01"),
        ("note", "extras"),
    ];
    let proposed = browser.send("/admin/payments/manual", &proposal).await;
    assert_eq!(proposed.status, 303, "{}", proposed.text);
    let browser = office.sign_in(manager).await;
    let (nothing, older) = ("Nimic.", "mai vechi");
    let text = needs(&browser).await;
    assert!(!text.contains(nothing) && !text.contains(older), "{text}");
    assert!(text.contains("de verificat"), "{text}");
    assert!(text.contains("aprobarea: 1<"), "{text}");
    fill_journal(&office.memory, 2_800).await;
    // It is there at the first look, and at those that come further.
    let page = browser.get("/admin").await;
    assert!(page.text.contains("de verificat"), "{}", page.text);
    assert!(
        page.text
            .contains("Comenzi: Nu s-a căutat încă până la capăt.")
    );
    let text = needs(&browser).await;
    assert!(!text.contains(nothing) && !text.contains(older), "{text}");
    assert!(text.contains("de verificat"), "{text}");
    assert!(text.contains("aprobarea: 1<"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn of_very_many_to_be_looked_at_today_shows_the_newest_and_leads_to_all() {
    let office = Office::new();
    for n in 0..115 {
        let key = format!("K-{n:03}");
        register(&office.memory, &key, "10").await.unwrap();
        record(&office.memory, &format!("P-{n}"), &key, "12")
            .await
            .unwrap();
    }
    let browser = office.sign_in(Role::Accountant).await;
    let text = needs(&browser).await;
    assert_eq!(text.matches("de verificat").count(), 10, "{text}");
    assert!(text.contains("K-114") && text.contains("K-105"), "{text}");
    let begin = "/admin/orders?review=open&amp;cursor=";
    let (_, rest) = text.split_once(begin).unwrap();
    let mut cursor = rest.split(['&', '"']).next().unwrap().to_owned();
    let mut seen = 10;
    for _ in 0..20 {
        let address = format!("/admin/orders?review=open&cursor={cursor}");
        let page = browser.get(&address).await;
        for n in (0..115).rev().skip(seen) {
            if !page.text.contains(&format!("K-{n:03}")) {
                break;
            }
            seen += 1;
        }
        // That of the link at the end: others lead to the same page in another language.
        let Some((_, rest)) = page.text.rsplit_once("cursor=") else {
            break;
        };
        cursor = rest.split(['&', '"']).next().unwrap().to_owned();
    }
    assert_eq!(seen, 115);
}

#[tokio::test(start_paused = true)]
async fn no_page_is_loaded_again_while_somebody_may_type_on_it() {
    let office = Office::new();
    let evidence = Evidence::new(&secret(), b"<message/>", "m", b"c", "InvalidParameter");
    let refusal: RefusalJson = serde_json::from_value(serde_json::json!({
        "code": "InvalidParameter", "reason": "no",
        "received_at": "2026-06-01T12:00:00+03:00", "evidence": evidence.id(),
        "signer": {"subject": "CN=MPay", "fingerprint": "00", "algorithm": "rsa-sha1"}
    }))
    .unwrap();
    let store = Ledger::new(office.memory.clone());
    let kept = store.refusals().keep(&refusal, &evidence, None).await;
    assert!(kept.unwrap());
    fill_journal(&office.memory, 400).await;
    for (role, types) in [(Role::Accountant, true), (Role::Read, false)] {
        let browser = office.sign_in(role).await;
        office.memory.remove("note/mpay-calls");
        let page = browser.get("/admin/refusals").await;
        assert_eq!(page.text.contains("name=\"note\""), types, "{}", page.text);
        assert_eq!(!page.text.contains("http-equiv"), types, "{}", page.text);
        // The page continues by its link.
        assert!(page.text.contains("Nu s-a căutat"), "{}", page.text);
        assert!(
            page.text.contains("/admin/refusals?stay=1"),
            "{}",
            page.text
        );
    }
}
