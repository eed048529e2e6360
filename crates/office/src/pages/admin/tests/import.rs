//! Tables of orders.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_table_is_looked_through_before_it_is_registered() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let table = "service_id;order_key;reason;line_id;line_reason;amount_due\nTAX;A-1;Tax\u{103};1;Tax\u{103};1250,50\nTAX;A-2;;1;x;mult\n";
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for said in [
        "Ce s-ar întâmpla",
        "nouă</span> 1 · 1\u{202F}250,50\u{A0}MDL",
        "greșeală</span> 1",
        "A-1",
        "<strong>Suma</strong> trebuie să fie o sumă",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(browser.get("/admin/orders/TAX/A-1").await.status, 404);
    let file = page.field("file64");
    let seen = page.field("seen");
    let form = [("file64", file.as_str()), ("do", "1"), ("seen", "other")];
    let page = browser.send("/admin/import", &form).await;
    assert!(page.text.contains("Ce s-ar întâmpla"), "{}", page.text);
    let form = [
        ("file64", file.as_str()),
        ("do", "1"),
        ("seen", seen.as_str()),
    ];
    let page = browser.send("/admin/import", &form).await;
    assert!(page.text.contains("Ce s-a întâmplat"), "{}", page.text);
    let order = browser.get("/admin/orders/TAX/A-1").await;
    assert!(order.text.contains("1\u{202F}250,50"), "{}", order.text);
    let again = browser.send("/admin/import", &form).await;
    assert!(
        again.text.contains("neschimbată</span> 1"),
        "{}",
        again.text
    );

    let reader = office.sign_in(Role::Read).await;
    assert_eq!(reader.send("/admin/import", &form).await.status, 403);
    assert_eq!(browser.send("/admin/import", &[]).await.status, 422);
    let pdf = upload(&browser, "/admin/import", b"%PDF-1.7 x", &[]).await;
    assert_eq!(pdf.status, 415, "{}", pdf.text);
    let file = browser
        .get("/admin/export?format=csv&separator=semicolon")
        .await;
    assert!(file.text.contains("A-1"), "{}", file.text);
    assert!(file.header("content-disposition").contains("orders.csv"));
}

#[tokio::test(start_paused = true)]
async fn columns_are_chosen_by_hand_once_and_remembered() {
    let office = Office::new();
    let mut browser = office.sign_in(Role::Clerk).await;
    let table = "Lista chiriașilor\n\nContract;Chiriaș;Chiria;Scadență;Obs\nC-1;Ana Rusu;1 250,50;31.12.2099;de sunat\n";
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    for said in [
        "Alegeți coloanele",
        "name=\"column:Contract\"",
        "de sunat",
        "<option value=\"due_date\" selected>",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let file = page.field("file64");
    let mut form = vec![
        ("file64", file.as_str()),
        ("column:Contract", "order_key"),
        ("column:Chiriaș", "customer_name"),
        ("column:Chiria", "amount_due"),
        ("column:Scadență", "due_date"),
        ("column:Obs", ""),
        ("service_id", "TAX"),
    ];
    // The order has no reason so far, and its service has none either.
    let page = browser.send("/admin/import", &form).await;
    assert!(
        page.text.contains("<strong>Pentru ce</strong> lipsește"),
        "{}",
        page.text
    );
    form[5].1 = "reason";
    let page = browser.send("/admin/import", &form).await;
    assert!(
        page.text.contains("nouă</span> 1 · 1\u{202F}250,50"),
        "{}",
        page.text
    );
    let set = page.header("set-cookie").to_owned();
    assert!(set.starts_with("__Host-mpay-columns="), "{set}");
    for attribute in ["Path=/;", "HttpOnly;", "SameSite=Strict;", "Secure"] {
        assert!(set.contains(attribute), "{set}");
    }
    // The cookie holds nothing of the table's content.
    assert!(!set.contains("Contract") && !set.contains("Rusu"), "{set}");
    let (columns, seen) = (page.field("columns"), page.field("seen"));
    let done = [
        ("file64", file.as_str()),
        ("columns", &columns),
        ("do", "1"),
        ("seen", &seen),
        ("service_id", "TAX"),
    ];
    let page = browser.send("/admin/import", &done).await;
    assert!(page.text.contains("Ce s-a întâmplat"), "{}", page.text);
    let order = browser.get("/admin/orders/TAX/C-1").await;
    for said in ["1\u{202F}250,50", "Ana Rusu", "de sunat"] {
        assert!(order.text.contains(said), "{said}: {}", order.text);
    }
    // The next table has the same columns.
    let kept = set.split(';').next().unwrap();
    browser.cookie = format!("{}; {kept}", browser.cookie);
    let next = table.replace("C-1", "C-2");
    let page = upload(&browser, "/admin/import", next.as_bytes(), &[]).await;
    assert!(
        page.text.contains("Ce s-ar întâmpla") && page.text.contains("C-2"),
        "{}",
        page.text
    );
    // A table with one more column is asked about again.
    let other = next.replace("Obs\n", "Obs;Etaj\n");
    let page = upload(&browser, "/admin/import", other.as_bytes(), &[]).await;
    assert!(page.text.contains("Alegeți coloanele"), "{}", page.text);
    // A forged cookie is not believed.
    for forged in [
        "x",
        "x!a:1",
        &kept.replace("order_key", "no_such"),
        "~~!!::",
    ] {
        let value = forged.split('=').next_back().unwrap();
        browser.cookie = format!(
            "{}; __Host-mpay-columns={value}",
            browser.cookie.split(';').next().unwrap()
        );
        let page = upload(&browser, "/admin/import", next.as_bytes(), &[]).await;
        assert!(
            page.text.contains("Alegeți coloanele"),
            "{forged}: {}",
            page.text
        );
    }
    let forged = kept.replace("due_date", "no_such");
    browser.cookie = format!("{}; {forged}", browser.cookie.split(';').next().unwrap());
    let page = upload(&browser, "/admin/import", next.as_bytes(), &[]).await;
    assert!(page.text.contains("Ce s-ar întâmpla"), "{}", page.text);
    assert!(
        page.text.contains("<dt>Scadență</dt><dd>se omite</dd>"),
        "{}",
        page.text
    );
    let reader = office.sign_in(Role::Read).await;
    let page = upload(&reader, "/admin/import", next.as_bytes(), &[]).await;
    assert_eq!(page.status, 403);
}

#[tokio::test(start_paused = true)]
async fn names_that_are_known_are_not_asked_for_and_the_encoding_can_be_changed() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let table = "Номер;За что;Сумма;Плательщик\nR-1;Аренда зала;600;Иван Попа\n";
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    assert!(
        page.text
            .contains("<strong>Serviciu</strong> lipsește; sunt mai multe"),
        "{}",
        page.text
    );
    let page = upload(
        &browser,
        "/admin/import",
        table.as_bytes(),
        &[("service_id", "TAX")],
    )
    .await;
    assert!(page.text.contains("nouă</span> 1"), "{}", page.text);
    // As Excel in Russian writes it.
    let bytes: Vec<u8> = table
        .chars()
        .map(|c| match u32::from(c) {
            code @ 0x410..=0x44F => u8::try_from(code - 0x410 + 0xC0).unwrap(),
            code => u8::try_from(code).unwrap(),
        })
        .collect();
    let page = upload(&browser, "/admin/import", &bytes, &[("service_id", "TAX")]).await;
    assert!(
        page.text.contains("windows-1251, dedus din litere"),
        "{}",
        page.text
    );
    let page = upload(
        &browser,
        "/admin/import",
        &bytes,
        &[("encoding", "windows-1250")],
    )
    .await;
    assert!(page.text.contains("Alegeți coloanele"), "{}", page.text);
    assert!(
        page.text
            .contains("<option value=\"windows-1250\" selected>"),
        "{}",
        page.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_large_table_is_done_in_parts_and_goes_on_where_it_stopped() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let mut table = "service_id;order_key;reason;amount_due\n".to_owned();
    for n in 0..620 {
        table.push_str(&format!("TAX;N-{n};x;1\n"));
    }
    table.push_str("TAX;N-7;x;2\n");
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    assert!(
        page.text.contains("Partea 1 din 2, în total 621"),
        "{}",
        &page.text[..3000]
    );
    assert!(page.text.contains("<progress max=\"2\" value=\"0\">"));
    assert!(page.text.contains("nouă</span> 500"));
    let again = |page: &Page, more: &[(&'static str, &'static str)]| {
        let mut form: Vec<(&str, String)> = ["file64", "columns", "part"]
            .map(|name| (name, page.field(name)))
            .into();
        form.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        if !more.is_empty() {
            form.push(("seen", page.field("seen")));
        }
        form
    };
    let send = async |form: Vec<(&'static str, String)>| {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        browser.send("/admin/import", &form).await
    };
    let page = send(again(&page, &[("do", "1")])).await;
    assert!(
        page.text.contains("<progress max=\"2\" value=\"1\">"),
        "{}",
        &page.text[..3000]
    );
    assert_eq!(browser.get("/admin/orders/TAX/N-499").await.status, 200);
    assert_eq!(browser.get("/admin/orders/TAX/N-500").await.status, 404);
    // Whoever stopped here can begin again, and is led to the next part.
    let page = upload(&browser, "/admin/import", table.as_bytes(), &[]).await;
    assert!(
        page.text.contains("neschimbată</span> 500"),
        "{}",
        &page.text[..3000]
    );
    let page = send(again(&page, &[])).await;
    assert!(
        page.text.contains("Partea 2 din 2") && page.text.contains("nouă</span> 120"),
        "{}",
        &page.text[..3000]
    );
    // The other row is in the part before.
    assert!(page.text.contains("greșeală</span> 1") && page.text.contains("cel din rândul 9"));
    let page = send(again(&page, &[("do", "1")])).await;
    assert!(
        page.text.contains("<progress max=\"2\" value=\"2\">"),
        "{}",
        &page.text[..3000]
    );
    assert_eq!(browser.get("/admin/orders/TAX/N-619").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_workbook_is_confirmed_as_it_was_shown() {
    let office = Office::new();
    let browser = office.sign_in(Role::Clerk).await;
    let columns = [
        "service_id",
        "order_key",
        "reason",
        "line_id",
        "line_reason",
        "amount_due",
    ];
    let columns = columns.map(|name| (name, tables::Value::Text));
    let mut sheet = tables::Sheet::new(tables::Format::Xlsx, &columns);
    sheet.row(&["TAX", "X-1", "Tax\u{103}", "1", "Tax\u{103}", "10.50"]);
    let workbook = sheet.finish().unwrap();
    let page = upload(&browser, "/admin/import", &workbook, &[]).await;
    let (file, seen) = (page.field("file64"), page.field("seen"));
    // A ZIP contains its time of creation. The preview a minute later is still the same.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let form = [
        ("file64", file.as_str()),
        ("do", "1"),
        ("seen", seen.as_str()),
    ];
    let page = browser.send("/admin/import", &form).await;
    assert!(page.text.contains("Ce s-a întâmplat"), "{}", page.text);
    assert_eq!(browser.get("/admin/orders/TAX/X-1").await.status, 200);
}
