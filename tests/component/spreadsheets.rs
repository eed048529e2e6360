//! An export that is opened in LibreOffice and saved again imports unchanged: in Romanian, Russian and
//! English.

use std::{fs, io::Write as _, path::Path, process::Command, thread};

use serde_json::{Value, json};

use crate::harness::*;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A file that was exported, how LibreOffice is told to read it, and as what it saves it.
const JOURNEYS: [(&str, Option<char>, &str); 5] = [
    (
        "comma.csv",
        Some(','),
        "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true",
    ),
    (
        "semicolon.csv",
        Some(';'),
        "csv:Text - txt - csv (StarCalc):59,34,76,1,,0,false,true",
    ),
    ("semicolon.csv", Some(';'), "xlsx"),
    (
        "orders.xlsx",
        None,
        "csv:Text - txt - csv (StarCalc):59,34,76,1,,0,false,true",
    ),
    ("orders.xlsx", None, "xlsx"),
];

fn has_libreoffice() -> bool {
    let found = Command::new("soffice").arg("--version").output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "soffice is not installed");
        // Not by `println`, which the test harness would swallow.
        let _ = writeln!(
            std::io::stderr(),
            "left out for want of soffice: tables that LibreOffice has saved"
        );
    }
    found
}

/// Orders whose every member some spreadsheet would make something else of.
fn orders() -> Vec<(&'static str, Value)> {
    let keys = [
        ("000123", "10.05", "2000000000004"),
        ("2026-01", "1.12", "0960604546785"),
        ("1-2", "1250.50", "12E5"),
        ("MAR1", "0.05", "1/2"),
        ("100012000001", "31.12", "TRUE"),
        ("12E5", "1000000.01", "3184710691"),
        ("1.5", "9999999999999.99", "5%"),
        ("ДЕК-5", "100.00", "+37322123456"),
        ("A 1", "32.01", "-"),
    ];
    let of = |(key, amount, customer): (&'static str, &str, &str)| {
        let order = json!({
            "reason": {"ro": "Taxă, „școală\"; = 1", "ru": "Сбор"},
            "issued_at": "2026-03-29T10:00:00+03:00", "due_date": "2026-12-31",
            "customer_type": "Person", "customer_id": customer,
            "customer_name": "=HYPERLINK(\"http://x\";\"y\")",
            "allow_partial_payments": true,
            "lines": [{
                "line_id": "01", "reason": "'Linia", "amount_due": amount,
                "destination_account": {
                    "bank_account": "MD24AG000225100013104168", "bank_code": "AGRNMD2X",
                    "bank_fiscal_code": "1006601000037", "beneficiary_name": "Primăria"
                }
            }]
        });
        (key, order)
    };
    let mut orders: Vec<_> = keys.into_iter().map(of).collect();
    let mut several = orders[0].1.clone();
    several["lines"] = json!([
        {"line_id": "1", "reason": "Unu", "amount_due": "10.05"},
        {"line_id": "2", "reason": "Doi, \"doi\"", "amount_due": "1.12"}
    ]);
    several["properties"] = json!([{"name": "Adresa", "display_name": "Adresa", "value": "1-2"}]);
    orders.push(("several", several));
    orders
}

/// Opens a file in LibreOffice in a locale, and saves it.
fn save_again(
    folder: &Path,
    file: &str,
    separator: Option<char>,
    format: &str,
    locale: &str,
) -> Vec<u8> {
    let profile = folder.join(format!("profile-{locale}"));
    fs::create_dir_all(profile.join("user")).unwrap();
    let settings = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>{locale}</value></prop></item></oor:items>"#
    );
    fs::write(profile.join("user/registrymodifications.xcu"), settings).unwrap();
    let out = folder.join(format!("{locale}-{file}-{}", &format[..3]));
    let mut command = Command::new("soffice");
    command
        .arg(format!(
            "-env:UserInstallation=file://{}",
            profile.display()
        ))
        .arg("--headless");
    if let Some(separator) = separator {
        let separator = u32::from(separator);
        // UTF-8, from the first line, in the locale's own language, with dates found out.
        command.arg(format!("--infilter=CSV:{separator},34,76,1,,0,false,true"));
    }
    let output = command
        .args(["--convert-to", format, "--outdir"])
        .args([&out, &folder.join(file)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut saved = fs::read_dir(&out).unwrap();
    fs::read(saved.next().unwrap().unwrap().path()).unwrap()
}

#[test]
fn what_libreoffice_has_saved_imports_as_it_was() {
    if !has_libreoffice() {
        return;
    }
    let provider = Provider::start();
    let orders = orders();
    for (key, order) in &orders {
        let key = key.replace(' ', "%20");
        let answer = provider.api("PUT", &format!("orders/TAX/{key}"), Some(order));
        assert_eq!(answer.status, 201, "{key}: {}", answer.body);
    }
    let events = || provider.api("GET", "events?limit=200", None).body;
    let before = events();
    let folder = tempfile::tempdir().unwrap();
    let token = format!("Bearer {TOKEN}");
    for (file, query) in [
        ("comma.csv", "format=csv"),
        ("semicolon.csv", "format=csv&separator=semicolon"),
        ("orders.xlsx", "format=xlsx"),
    ] {
        let headers = [("Authorization", token.as_str())];
        let path = format!("api/orders/export?{query}");
        let mut answer = provider.http("GET", &path, &headers, b"");
        let content = answer.body_mut().read_to_vec().unwrap();
        fs::write(folder.path().join(file), content).unwrap();
    }
    let folder = folder.path();
    let saved: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = ["ro-RO", "ru-RU", "en-US"]
            .map(|locale| {
                scope.spawn(move || {
                    JOURNEYS.map(|(file, separator, format)| {
                        let saved = save_again(folder, file, separator, format, locale);
                        (format!("{file} as {} in {locale}", &format[..3]), saved)
                    })
                })
            })
            .into_iter()
            .collect();
        let joined = started
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        joined.collect()
    });
    for (journey, table) in saved {
        let media_type = if table.starts_with(b"PK") {
            XLSX
        } else {
            "text/csv"
        };
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", media_type),
        ];
        let mut answer = provider.http("POST", "api/orders/import", &headers, &table);
        assert_eq!(answer.status().as_u16(), 200, "{journey}");
        let answer = answer.body_mut().read_to_vec().unwrap();
        let said = if media_type == XLSX {
            // What it says is in the events.
            String::new()
        } else {
            let text = String::from_utf8(answer).unwrap();
            let count = text.matches("unchanged").count();
            // In each row, and in the totals.
            assert_eq!(count, orders.len() + 1, "{journey}: {text}");
            text
        };
        assert_eq!(events(), before, "{journey}: {said}");
    }
}
