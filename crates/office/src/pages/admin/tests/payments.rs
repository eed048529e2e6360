//! Tests of payments, their flags, and statements.

use tables::{Options, Table};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_flag_is_closed_with_a_note_and_the_day_shows_its_payments() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    record(&office.memory, "P-2", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let day = browser.get("/admin/payments?date=2026-06-01").await;
    for said in ["P-1", "P-2", "plătită de două ori", "20,00"] {
        assert!(day.text.contains(said), "{said}: {}", day.text);
    }
    let order = browser.get("/admin/orders/TAX/1").await;
    let action = "/admin/payments/P%2D2/reviews/double";
    assert!(order.text.contains(action), "{}", order.text);
    let back = [("back", "//evil.example"), ("note", "Întors la bancă")];
    let page = browser.send(action, &back).await;
    assert_eq!(
        (page.status, page.header("location")),
        (303, "/admin?lang=ro")
    );
    let order = browser.get("/admin/orders/TAX/1").await;
    assert!(!order.text.contains(action), "{}", order.text);
    assert_eq!(
        browser.send(action, &[]).await.status,
        422,
        "without a note"
    );
    assert_eq!(browser.get("/admin/refusals").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_flagged_double_says_that_nothing_is_paid_beyond_any_more() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record_card(&office.memory, "C", "1", "10").await.unwrap();
    record(&office.memory, "P", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let said = "Nu mai este nimic plătit în plus";
    let page = browser.get("/admin/orders/TAX/1").await;
    assert!(page.text.contains("plătită de două ori"), "{}", page.text);
    assert!(!page.text.contains(said), "{}", page.text);
    refund(&office.memory, "C", "0").await.unwrap();
    let page = browser.get("/admin/orders/TAX/1").await;
    assert!(page.text.contains("plătită de două ori"), "{}", page.text);
    assert!(page.text.contains(said), "{}", page.text);
    assert!(
        page.text.contains("<dt>Restituit</dt><dd>10,00"),
        "{}",
        page.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_payment_shows_what_became_of_it_and_what_proves_it() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    record(&office.memory, "P-2", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let note = [("note", "Întors la bancă")];
    browser
        .send("/admin/payments/P%2D2/reviews/double", &note)
        .await;
    let reader = office.sign_in(Role::Read).await;
    let page = reader.get("/admin/orders/TAX/1").await;
    for said in [
        "Întors la bancă",
        "accountant",
        "/admin/payments/P%2D1/evidence",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let file = reader.get("/admin/payments/P%2D1/evidence").await;
    assert_eq!(
        file.header("content-type"),
        "application/zip",
        "{}",
        file.text
    );
    let none = reader.get("/admin/payments/nobody/evidence").await;
    assert_eq!(none.status, 404);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_is_written_like_other_amounts() {
    let office = Office::new();
    register(&office.memory, "1", "5000").await.unwrap();
    record_card(&office.memory, "C", "1", "5000").await.unwrap();
    refund(&office.memory, "C", "1000").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let page = browser.get("/admin/payments").await;
    let amount = "-4\u{202F}000,00\u{A0}MDL";
    assert!(page.text.contains(amount), "{}", page.text);
    // The page about a statement shows its negative amounts as well.
    let fields = [
        ("from", "2026-06-01"),
        ("to", "2026-06-30"),
        ("amount", "suma"),
        ("payment_id", "plata"),
    ];
    let statement = "plata;suma\nRRN-C;5000\nRRN-C;-4000\n";
    let page = upload(&browser, "/admin/settlement", statement.as_bytes(), &fields).await;
    assert!(page.text.contains("-4\u{202F}000,00"), "{}", page.text);
    assert!(page.text.contains("<td>restituire</td>"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn a_statement_is_compared_once_its_columns_are_chosen() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let statement = "Extras de cont\nData;Numar plata;Suma;Detalii\n01.06.2026;P-1;9,85;x\n01.06.2026;P-9;7;y\n";
    let days = [("from", "2026-06-01"), ("to", "2026-06-30")];
    let page = upload(&browser, "/admin/settlement", statement.as_bytes(), &days).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(
        page.text
            .contains("<option value=\"Suma\" selected>Suma</option>"),
        "{}",
        page.text
    );
    let file = page.field("file64");
    let form: Vec<_> = days
        .into_iter()
        .chain([
            ("file64", file.as_str()),
            ("amount", "Suma"),
            ("payment_id", "Numar plata"),
        ])
        .collect();
    let page = browser.send("/admin/settlement", &form).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for said in ["P-1", "P-9", "cu altă sumă", "neînregistrate"] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    // In another currency than the payment, nothing is settled.
    let euros: Vec<_> = form.iter().copied().chain([("currency", "EUR")]).collect();
    let other = browser.send("/admin/settlement", &euros).await;
    for said in [
        "rândul este în EUR, iar plata în MDL",
        "alegeți valuta extrasului",
        "name=\"currency\" value=\"EUR\"",
    ] {
        assert!(other.text.contains(said), "{said}: {}", other.text);
    }
    // Each list gives instructions and can be downloaded. An unrecorded payment can be entered by hand.
    for said in [
        "Dacă a fost reținut drept comision",
        "/admin/payments/manual?payment_id=P%2D9&amp;amount=7%2E00&amp;lang=ro",
        "form=\"lists\" name=\"list\" value=\"not-recorded\"",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    for (list, name, elsewhere) in [
        ("not-recorded", "P-9", "P-1"),
        ("differing", "P-1", "P-9"),
        ("errors", "Observații", "P-9"),
    ] {
        let asked: Vec<_> = form.iter().copied().chain([("list", list)]).collect();
        let file = browser.send("/admin/settlement", &asked).await;
        assert_eq!(
            file.header("content-disposition"),
            format!("attachment; filename=\"settlement-{list}.xlsx\"")
        );
        let table = Table::read(&file.bytes, &Options::default()).unwrap();
        let heads = table
            .columns()
            .iter()
            .map(|column| column.name().to_owned());
        let mut cells: Vec<_> = heads.collect();
        for row in table.rows() {
            cells.extend(row.cells().map(|(_, cell)| cell.shown().into_owned()));
        }
        let has = |text: &str| cells.iter().any(|cell| cell == text);
        assert!(has(name) && !has(elsewhere), "{list}: {cells:?}");
    }
    let asked: Vec<_> = form.iter().copied().chain([("list", "all")]).collect();
    assert_eq!(browser.send("/admin/settlement", &asked).await.status, 422);
    let reader = office.sign_in(Role::Read).await;
    let asked: Vec<_> = form
        .iter()
        .copied()
        .chain([("list", "not-recorded")])
        .collect();
    assert_eq!(reader.send("/admin/settlement", &asked).await.status, 403);
    // For the next statement with these columns the same choice is proposed: without the date.
    let kept = page.header("set-cookie").split(';').next().unwrap();
    let again = Browser {
        office: &office,
        cookie: format!("{}; {kept}", browser.cookie),
    };
    for (browser, date) in [(&browser, true), (&again, false)] {
        let page = upload(browser, "/admin/settlement", statement.as_bytes(), &days).await;
        let chosen = page.text.contains("<option value=\"Data\" selected>");
        assert_eq!(chosen, date, "{}", page.text);
        assert!(page.text.contains("<option value=\"Suma\" selected>"));
    }
    let clerk = office.sign_in(Role::Clerk).await;
    assert_eq!(clerk.send("/admin/settlement", &form).await.status, 403);
    let asked: Vec<_> = form.into_iter().chain([("list", "matched")]).collect();
    assert_eq!(clerk.send("/admin/settlement", &asked).await.status, 403);
}

/// The page's text about a statement whose columns have the names of the parameters.
async fn compared(browser: &Browser<'_>, columns: &[&str], statement: &str) -> String {
    let columns = columns.iter().map(|name| (*name, *name));
    let days = [("from", "2026-06-01"), ("to", "2026-06-30")];
    let fields: Vec<_> = days.into_iter().chain(columns).collect();
    let page = upload(browser, "/admin/settlement", statement.as_bytes(), &fields).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.text
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_a_payment_that_nobody_recorded_is_offered_to_be_entered_by_hand() {
    let office = Office::new();
    for (id, key) in [("PAY-1", "1"), ("PAY-2", "2")] {
        register(&office.memory, key, "10").await.unwrap();
        record(&office.memory, id, key, "10").await.unwrap();
    }
    register(&office.memory, "3", "50").await.unwrap();
    record_card(&office.memory, "C", "3", "50").await.unwrap();
    refund(&office.memory, "C", "20").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let (of_day, of_payments) = (["date", "amount"], ["text", "amount"]);
    let (of_orders, by_number) = (["order_key", "amount"], ["payment_id", "amount"]);
    let new = "Nu se potrivește nicio plată înregistrată";
    for (columns, statement, says, is_offered) in [
        // The sum of a day, and of several payments, differs from the recorded one.
        (
            of_day,
            "date;amount\n2026-06-01;999\n",
            "alta decât a plăților ei",
            false,
        ),
        (
            of_payments,
            "text;amount\nPAY-1 PAY-2;21\n",
            "alta decât a plăților ei",
            false,
        ),
        // A second row for something that only one payment can be.
        (
            of_orders,
            "order_key;amount\n1;10\n1;10\n",
            "apar în alte rânduri",
            false,
        ),
        // A reversal of an entry that the statement does not show, and a refund by an unknown number.
        (
            of_orders,
            "order_key;amount\n2;-10\n",
            "suma este sub zero",
            false,
        ),
        (
            by_number,
            "payment_id;amount\nX-777777;-30\n",
            "suma este sub zero",
            false,
        ),
        (by_number, "payment_id;amount\nX-0;0\n", new, false),
        (by_number, "payment_id;amount\nX-9;7\n", new, true),
        (of_orders, "order_key;amount\n2;7\n", new, true),
        (of_payments, "text;amount\nnimic;7\n", new, true),
    ] {
        let text = compared(&browser, &columns, statement).await;
        assert!(text.contains(says), "{statement}: {text}");
        let is_said = text.contains("/admin/payments/manual?");
        assert_eq!(is_said, is_offered, "{statement}: {text}");
        assert!(is_offered || says == new || !text.contains(new), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_a_statement_shows_otherwise_says_what_to_do_of_each_kind() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-1", "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Accountant).await;
    let columns = ["payment_id", "date", "amount"];
    let (amount, part) = ("care sumă este corectă", "Dacă apare o parte");
    let (before, back) = ("a arătat-o deja întreagă", "sunt luați înapoi: întrebați");
    for (day, shown, says) in [
        (2, "11", amount),
        (3, "4", part),
        (4, "6", "Nu mai este nimic de făcut"),
        (5, "12", before),
        (6, "-10", back),
    ] {
        let statement = format!("payment_id;date;amount\nP-1;0{day}.06.2026;{shown}\n");
        let text = compared(&browser, &columns, &statement).await;
        for deed in [amount, part, before, back] {
            assert_eq!(text.contains(deed), deed == says, "{shown}: {text}");
        }
        assert!(text.contains(says), "{shown}: {text}");
    }
}
