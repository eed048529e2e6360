//! Invoices as PDF.

use super::*;

#[test]
fn invoices_are_real_pdfs_in_two_formats_with_all_letters() {
    let provider = Provider::start();
    provider.register("1", flexible());
    let offline = Offline::start(&provider);
    let query = "serviceID=TAX&orderKey=1";
    let number = offline.get(&format!("/api/invoices?{query}")).json()[0]
        .as_str()
        .unwrap()
        .to_owned();
    let download = offline.get(&format!("/api/Invoices/DownloadInvoicePdf?{query}"));
    assert_eq!(download.header("content-type"), "application/octet-stream");
    assert!(
        download
            .header("content-disposition")
            .contains(&format!("Nota de plata {number}.pdf"))
    );
    assert!(download.body.starts_with(b"%PDF-"));
    let bytes = offline.get(&format!(
        "/api/Invoices/GetPdfInvoiceBytes?{query}&pageFormat=A5"
    ));
    assert_eq!(
        bytes.header("content-type"),
        "application/json; charset=utf-8"
    );
    let a5 = Base64::decode_vec(bytes.json().as_str().unwrap()).unwrap();
    let russian = offline.get(&format!("/api/Invoices/DownloadInvoicePdf?{query}&lang=ru"));
    assert_eq!(
        offline
            .get(&format!(
                "/api/Invoices/DownloadInvoicePdf?{query}&pageFormat=A3"
            ))
            .status,
        400
    );
    assert_eq!(
        offline
            .get("/api/Invoices/DownloadInvoicePdf?serviceID=TAX&orderKey=none")
            .status,
        404
    );

    if std::env::var_os("MPAY_SCREENSHOTS").is_some() {
        let folder = workspace().join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("invoice-a4.pdf"), &download.body).unwrap();
        std::fs::write(folder.join("invoice-a5.pdf"), &a5).unwrap();
    }
    if !has_pdftotext() {
        return;
    }
    for (pdf, words) in [
        (
            &download.body,
            [
                "Taxă școlară",
                "Ștefan Țurcanu",
                "Clasa întâi",
                "Primăria Exemplu",
            ],
        ),
        (
            &a5,
            [
                "Taxă școlară",
                "Ștefan Țurcanu",
                "Clasa întâi",
                "Primăria Exemplu",
            ],
        ),
        (
            &russian.body,
            [
                "Школьный сбор",
                "Ștefan Țurcanu",
                "Первый класс",
                "Счёт к оплате",
            ],
        ),
    ] {
        let text = text_of(pdf);
        for word in
            words
                .into_iter()
                .chain([number.as_str(), "1 500.50 MDL", "MD24AG000225100013104168"])
        {
            assert!(text.contains(word), "{word} is missing: {text}");
        }
    }
    assert_eq!(sizes(&download.body), "595 x 842");
    assert_eq!(sizes(&a5), "420 x 595");
}

#[test]
fn a_long_invoice_goes_over_several_pages() {
    let provider = Provider::start();
    let lines: Vec<_> = (1..=60)
        .map(|n| json!({"line_id": n.to_string(), "reason": format!("Poziția numărul {n}"), "amount_due": "1.00"}))
        .collect();
    provider.register("1", json!({"reason": "Lungă", "lines": lines}));
    let offline = Offline::start(&provider);
    let pdf = offline
        .get("/api/Invoices/DownloadInvoicePdf?serviceID=TAX&orderKey=1")
        .body;
    if !has_pdftotext() {
        return;
    }
    let text = text_of(&pdf);
    for shown in [
        "Poziția numărul 1",
        "Poziția numărul 60",
        "60.00 MDL",
        "Pagina 2/",
    ] {
        assert!(text.contains(shown), "{shown} is missing: {text}");
    }
}

fn has_pdftotext() -> bool {
    let found = Command::new("pdftotext").arg("-v").output().is_ok();
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "pdftotext is not installed"
        );
        // Not by `println`, which the test harness would swallow.
        let _ = writeln!(
            std::io::stderr(),
            "left out for want of pdftotext: texts of PDFs"
        );
    }
    found
}

/// The text of a PDF, in lines, with plain spaces.
fn text_of(pdf: &[u8]) -> String {
    run_on(pdf, "pdftotext", &["-layout", "-enc", "UTF-8"]).replace('\u{a0}', " ")
}

/// The size of a PDF's pages, in points.
fn sizes(pdf: &[u8]) -> String {
    let info = run_on(pdf, "pdfinfo", &[]);
    let line = info
        .lines()
        .find(|line| line.starts_with("Page size:"))
        .unwrap();
    line.split_whitespace()
        .skip(2)
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

fn run_on(pdf: &[u8], tool: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("invoice.pdf");
    std::fs::write(&file, pdf).unwrap();
    let mut command = Command::new(tool);
    command.args(arguments).arg(&file);
    if tool == "pdftotext" {
        command.arg("-");
    }
    let output = command.output().unwrap();
    // Poppler warns of mistakes in a file, and shows it all the same.
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}
