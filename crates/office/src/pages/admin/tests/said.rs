//! Tests of errors in the reader's language.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_in_the_readers_language() {
    let office = Office::new();
    register(&office.memory, "paid", "10").await.unwrap();
    record(&office.memory, "P", "paid", "10").await.unwrap();
    let browser = office.sign_in(Role::Manager).await;
    let long = "x".repeat(70);
    let form = |name: &'static str, value: &'static str| {
        let mut form = vec![
            ("service_id", "TAX"),
            ("order_key", "new"),
            ("reason", "x"),
            ("amount_due", "1"),
        ];
        form.retain(|(known, _)| *known != name);
        form.push((name, value));
        form
    };
    let head = "order_key;service_id;reason;line_id;line_reason;amount_due;due_date;customer_id;bank_account;currency;status;allow_partial_payments;issued_at;line_reason_ru";
    let rows = [
        "a;TAX;;1;x;1",
        "b;NONE;r;1;x;1",
        ";TAX;r;1;x;1",
        "c;TAX;r;1;x;1.250",
        "c2;TAX;r;1;x;1;12/31/2026;20000;MD24AG000225100013104169;QQQ;Blue;poate",
        "c3;TAX;r;1;x;0;31.12.26;2000000000009;MD24;MDL;Refunded;da;31.02.2026",
        "c4;TAX;r;1;x;#REF!;45000;2,0E+12;X;RUB",
        "c5;TAX;r;1;x;;;;;;;;;",
        "a;TAX;r;1;x;1;;;;;Paid",
        "paid;TAX;other;1;x;99",
        "PAID;TAX;other;1;x;99",
        "c6;TAX;r;1;x;1 USD;;;;;Paid",
        "c6;TAX;r;1;x;1",
        "c7;TAX;r;1;x;12,345",
        "c8;TAX;r;1;x;1;;;;;;;;;beyond",
    ];
    let table = format!("{head}\n{}\n", rows.join("\n"));
    let too_long = format!("{head}\nc9;TAX;{long};1;{long};1\n");
    for language in ["ro", "ru"] {
        let said = |page: Page, what: &str| {
            assert_eq!(in_english(&page), None, "{language} {what}: {}", page.text);
            assert!(
                page.text.contains(&format!("<html lang=\"{language}\"")),
                "{what}"
            );
        };
        let address = |path: &str| format!("{path}?lang={language}");
        for (name, value) in [
            ("reason", ""),
            ("amount_due", "mult"),
            ("amount_due", ""),
            ("amount_due", "0"),
            ("amount_due", "-5"),
            ("amount_due", "1.250"),
            ("amount_due", "99999999999999999"),
            ("due_date", "31/12/2026"),
            ("due_date", "2026-02-31"),
            ("customer_name", "x\u{7}y"),
            ("order_key", "paid"),
            ("order_key", "PAID"),
            ("order_key", "a\u{200B}b"),
            ("service_id", "NONE"),
        ] {
            let page = browser
                .send(&address("/admin/orders/new"), &form(name, value))
                .await;
            assert!(
                matches!(page.status, 404 | 409 | 412 | 422),
                "{name} {value}: {}",
                page.text
            );
            said(page, &format!("{name} {value}"));
        }
        let mut tables = vec![
            ("rows", table.clone().into_bytes()),
            ("long", too_long.clone().into_bytes()),
        ];
        tables.extend([
            ("pdf", b"%PDF-1.7 x".to_vec()),
            ("xls", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec()),
            ("empty", b"\n\n".to_vec()),
            ("open", b"order_key;reason\n\"a;b\n".to_vec()),
            ("bytes", b"order_key;reason\na;\x81\x8d\n".to_vec()),
            ("nothing", b"".to_vec()),
        ]);
        for (what, table) in tables {
            said(
                upload(&browser, &address("/admin/import"), &table, &[]).await,
                what,
            );
        }
        // A change that the order's status does not allow.
        let path = "/admin/orders/TAX/paid";
        let etag = browser.get(path).await.field("etag");
        for set in ["Cancelled", "Blue", "Refunded"] {
            let page = browser
                .send(&address(path), &[("set", set), ("etag", &etag)])
                .await;
            assert_ne!(page.status, 303, "{set}");
            said(page, set);
        }
        for (name, value) in [
            ("amount", "x"),
            ("order_key", "none"),
            ("payment_id", "P"),
            ("paid_at", "2001-01-01"),
            ("note", ""),
        ] {
            let mut payment = vec![
                ("service_id", "TAX"),
                ("order_key", "paid"),
                ("payment_id", "Q"),
                ("amount", "1"),
                ("paid_at", "2026-11-01"),
                ("note", "n"),
            ];
            payment.retain(|(known, _)| *known != name);
            payment.push((name, value));
            let page = browser
                .send(&address("/admin/payments/manual"), &payment)
                .await;
            assert_ne!(page.status, 303, "{name}: {}", page.text);
            said(page, name);
        }
        said(
            browser
                .send(
                    &address("/admin/payments/P/reviews/double"),
                    &[("note", "x")],
                )
                .await,
            "review",
        );
        said(
            browser
                .send(&address("/admin/payments/P/reviews/double"), &[])
                .await,
            "note",
        );
        let statement = "Data;Plata;Suma\n2026-11-01;P;4,00\n2026-11-01;Z-9;1\n2026-11-01;P;mult\n2026-11-01;;5\n";
        let columns = [
            ("amount", "Suma"),
            ("payment_id", "Plata"),
            ("from", "2026-01-01"),
            ("to", "2027-01-01"),
        ];
        let page = upload(
            &browser,
            &address("/admin/settlement"),
            statement.as_bytes(),
            &columns,
        )
        .await;
        assert_eq!(page.status, 200, "{}", page.text);
        said(page, "statement");
        let wrong = [
            ("amount", "Suma"),
            ("payment_id", "Plata"),
            ("from", "x"),
            ("to", "2027-01-01"),
        ];
        said(
            upload(
                &browser,
                &address("/admin/settlement"),
                statement.as_bytes(),
                &wrong,
            )
            .await,
            "from",
        );
        said(
            browser
                .send(
                    &address("/admin/personal"),
                    &[("customer_id", "2000000000004"), ("again", "x")],
                )
                .await,
            "again",
        );
    }
}
