//! The order API from a shell.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::Command,
};

use mpay_client::{Answer, Confirmation};
use serde_json::{Value, json};
use tables::{Format, Options, Sheet, Table, Value as Kind};

use crate::{
    provider::{Provider, TOKEN, confirmation},
    support::*,
};

/// The command for a provider, in a folder without anything of development.
fn shell(folder: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = mpay(folder);
    command
        .args(arguments)
        .env("MPAY_URL", url)
        .env("MPAY_TOKEN", TOKEN);
    command
}

struct Shell {
    folder: tempfile::TempDir,
    provider: Provider,
}

impl Shell {
    fn start() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            provider: Provider::start(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        shell(self.folder.path(), &self.provider.url, arguments)
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }

    /// The names of the files that are there.
    fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

/// Orders in the rows from 2 on, with what is wrong in rows 3 and 777.
fn csv() -> String {
    let mut csv = "order_key;reason;line_id;line_reason;amount_due\r\n".to_owned();
    for row in 2..=1204 {
        let (key, amount) = match row {
            3 => ("K-3".to_owned(), "1.250"),
            777 => ("1,00012E+11".to_owned(), "5"),
            row => (format!("K-{row}"), "1 250,50"),
        };
        csv.push_str(&format!("{key};Taxă;1;\"Плата\nза {row}\";{amount}\r\n"));
    }
    csv
}

/// The same as a workbook, in which types of cells tell what is wrong.
fn workbook(last: usize) -> Vec<u8> {
    let columns = [
        ("order_key", Kind::Number),
        ("reason", Kind::Text),
        ("line_id", Kind::Number),
        ("line_reason", Kind::Text),
        ("amount_due", Kind::Amount),
    ];
    let mut sheet = Sheet::new(Format::Xlsx, &columns);
    for row in 2..=last {
        let key = match row {
            3 => "1.5".to_owned(),
            777 => "1e11".to_owned(),
            row if row % 2 == 0 => format!("K-{row}"),
            row => row.to_string(),
        };
        sheet.row(&[&key, "Taxă", "1", &format!("Плата\nза {row}"), "1250.50"]);
    }
    sheet.finish().unwrap()
}

/// The result and the detail of a row in a report.
fn reported(report: &[u8], number: &str) -> (String, String) {
    let table = Table::read(report, &Options::with_columns(&["row", "result"])).unwrap();
    assert_eq!(table.rows().count(), 1203);
    let text = |row: tables::Row<'_>, column| row.cell(column).text().unwrap().unwrap_or_default();
    let mut rows = table.rows();
    let row = rows.find(|row| text(*row, "row") == number).unwrap();
    (text(row, "result"), text(row, "detail"))
}

#[test]
fn a_file_of_any_size_is_imported_and_each_row_is_told_by_its_own_number() {
    let shell = Shell::start();
    shell.write("a.csv", csv());
    let tried = shell.run(&["orders", "import", "a.csv", "--dry-run"]);
    tried.expect(
        1,
        &["There would be: 1,201 created, 2 with errors", "row  order"],
    );
    shell.run(&["orders", "list"]).expect(0, &["No orders."]);
    for (report, said) in [
        ("a.csv", "is the file that is imported"),
        ("no/r.csv", "no folder no"),
        ("r.txt", ".ndjson"),
    ] {
        shell
            .run(&["orders", "import", "a.csv", "--report", report])
            .expect(2, &[said]);
    }
    let arguments = ["orders", "import", "a.csv", "--report", "report.xlsx"];
    let imported = shell.run(&arguments).expect(
        1,
        &[
            "Read as CSV with semicolons, in UTF-8.",
            "1,201 created, 2 with errors",
            "3    K-3    amount_due could mean 1250.00 or 1.250",
            "777         order_key is 1,00012E+11: a spreadsheet has made a number of it",
        ],
    );
    assert_eq!(imported.stderr, "", "no progress where nobody looks");
    let report = shell.read("report.xlsx");
    for (row, result, detail) in [
        ("2", "created", ""),
        ("3", "error", "amount_due could mean 1250.00 or 1.250"),
        ("777", "error", "order_key is 1,00012E+11"),
        ("1204", "created", ""),
    ] {
        let (told, said) = reported(&report, row);
        assert_eq!(told, result, "{row}");
        assert!(said.starts_with(detail), "{row}: {said}");
    }

    // The types of a workbook's cells get through: as text, 1.5 would be a key.
    shell.write("b.xlsx", workbook(1204));
    let imported = shell.run(&["orders", "import", "b.xlsx", "--json"]);
    let imported = imported.expect(1, &[]).json();
    assert_eq!(
        imported["counts"],
        json!({"created": 599, "unchanged": 602, "error": 2})
    );
    let rows = imported["rows"].as_array().unwrap();
    let said: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["row"].as_u64().unwrap(),
                row["detail"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!((said[0].0, said[1].0), (3, 777));
    assert!(
        said[0].1.contains("is the number 1.5, with a fraction"),
        "{said:?}"
    );
    assert!(
        said[1].1.contains("is 100000000000: a spreadsheet"),
        "{said:?}"
    );

    // One file of several parts, of 2,000 orders each, which imports as it was.
    let more: String = (0..300).map(|n| format!("M-{n},Taxă,1,Taxă,5\n")).collect();
    let names = "order_key,reason,line_id,line_reason,amount_due\n";
    shell.write("c.csv", format!("{names}{more}"));
    shell
        .run(&["orders", "import", "c.csv"])
        .expect(0, &["300 created\n"]);
    for name in ["e.csv", "e.xlsx", "e.ndjson"] {
        shell
            .run(&["orders", "export", "--output", name])
            .expect(0, &[&format!("2,100 orders are in {name}.")]);
        shell
            .run(&["orders", "import", name])
            .expect(0, &["2,100 unchanged\n"]);
    }
    let arguments = ["orders", "export", "--format", "ndjson", "--status", "Paid"];
    assert_eq!(shell.run(&arguments).expect(0, &[]).stdout, "");
    let files = [
        "a.csv",
        "b.xlsx",
        "c.csv",
        "e.csv",
        "e.ndjson",
        "e.xlsx",
        "report.xlsx",
    ];
    assert_eq!(shell.files(), files);
}

/// The rows of a file get the same results whether it is sent whole or in parts.
#[test]
fn a_file_is_judged_as_if_it_were_sent_whole() {
    let shell = Shell::start();
    let samples = std::fs::read_dir(workspace().join("crates/tables/tests/files")).unwrap();
    let samples = samples
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "csv"))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .filter(|file| file.to_lowercase().contains("order_key"))
        .map(|file| file.replace("DEMO", "TAX").into_bytes());
    let mut files: Vec<_> = samples.collect();
    assert!(files.len() > 5);
    let windows = b"order_key;reason;line_id;line_reason;amount_due;customer_id\n\
        A;\xCF\xEB\xE0\xF2\xE0;1;x;5;200000000000\nB;x;1;x;5;'200000000000\n;;;;10;\nTotal;;;;1;\n";
    files.extend([windows.to_vec(), workbook(40)]);
    for file in files {
        let whole = shell.provider.import(&file);
        shell.write("whole", &file);
        let arguments = [
            "orders",
            "import",
            "whole",
            "--dry-run",
            "--report",
            "report.csv",
        ];
        shell.run(&arguments);
        let parts = shell.read("report.csv");
        let rows = |answer: &[u8]| -> Vec<Vec<String>> {
            let table = Table::read(answer, &Options::with_columns(&["row", "result"])).unwrap();
            let columns = [
                "row",
                "service_id",
                "order_key",
                "result",
                "detail",
                "warnings",
            ];
            let row = |row: tables::Row<'_>| {
                let cells = columns.map(|column| row.cell(column).text().unwrap());
                cells.map(Option::unwrap_or_default).to_vec()
            };
            table
                .rows()
                .map(row)
                .filter(|row| row[3] != "total")
                .collect()
        };
        assert_eq!(rows(&parts), rows(&whole));
    }
}

#[test]
fn an_import_that_was_killed_is_finished_by_the_same_command() {
    let shell = Shell::start();
    let csv = csv()
        .replace(";1.250\r\n", ";5\r\n")
        .replace("1,00012E+11", "K-777");
    shell.write("a.csv", &csv);
    let mut killed = shell
        .command(&["orders", "import", "a.csv"])
        .spawn()
        .unwrap();
    loop {
        let orders: Value = serde_json::from_slice(&shell.provider.get("orders?limit=1")).unwrap();
        if orders["orders"][0].is_object() {
            break;
        }
        assert!(
            killed.try_wait().unwrap().is_none(),
            "it ended and registered nothing"
        );
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let again = shell.run(&["orders", "import", "a.csv", "--json"]);
    let counts = again.expect(0, &[]).json()["counts"].clone();
    let count = |result: &str| counts[result].as_u64().unwrap_or_default();
    assert!(count("unchanged") > 0, "{counts}");
    assert_eq!(count("created") + count("unchanged"), 1203, "{counts}");
    let exported = shell.run(&["orders", "export", "--format", "ndjson"]);
    assert_eq!(exported.expect(0, &[]).stdout.lines().count(), 1203);
}

#[test]
fn orders_are_listed_shown_and_cancelled() {
    let shell = Shell::start();
    let lines = "{\"order_key\":\"A/1\",\"reason\":\"Плата за обучение\",\"customer_name\":\"Țurcanu Ion\",\
        \"due_date\":\"2099-12-31\",\"lines\":[{\"line_id\":\"1\",\"reason\":\"Semestrul I\",\"amount_due\":\"5\"}],\
        \"amounts\":[{\"until\":\"2098-12-31\",\"amount_due\":\"2.50\"}]}\n\
        {\"order_key\":\"a / 1\"}\n{\"order_key\":\"B\"}\n";
    shell.write("a.ndjson", lines);
    shell.run(&["orders", "import", "a.ndjson"]).expect(
        1,
        &[
            "1 created, 2 with errors",
            "2    a / 1  order_key is that of row 1, or one that payers would confuse with it",
            "3    B      reason is missing",
        ],
    );
    let shown = shell.run(&["orders", "show", "TAX", "A/1"]).expect(
        0,
        &[
            "Order A/1 of service TAX",
            "Active",
            "Țurcanu Ion",
            "Due now          2.50 MDL",
            "from 2099-01-01 on: 5.00 MDL",
        ],
    );
    assert!(!shown.stdout.contains('\u{1b}'));
    let order = shell
        .run(&["orders", "show", "TAX", "A/1", "--json"])
        .json();
    assert_eq!(order["amount_due"], "2.50");
    shell.run(&["orders", "list", "--status", "Active"]).expect(
        0,
        &["TAX      A/1    Active  2.50  0.00  MDL  2099-12-31  Țurcanu Ion  Плата за обучение\n"],
    );
    shell
        .run(&["orders", "list", "--status", "Sometimes"])
        .expect(2, &["status", "Active"]);

    shell
        .run(&["orders", "cancel", "TAX", "A/1"])
        .expect(2, &["--yes"]);
    assert_eq!(
        shell.run(&["orders", "list", "--json"]).json()["orders"][0]["status"],
        "Active"
    );
    for _ in 0..2 {
        shell
            .run(&["orders", "cancel", "TAX", "A/1", "--yes"])
            .expect(0, &["Order A/1 of service TAX is cancelled."]);
    }
    shell
        .run(&["orders", "cancel", "TAX", "NOPE", "--yes"])
        .expect(2, &["no order with this key"]);
    let order = shell
        .run(&["orders", "show", "TAX", "A/1", "--json"])
        .json();
    assert_eq!(order["status"], "Cancelled");
}

#[test]
fn a_statement_is_compared_and_what_does_not_fit_is_said() {
    let shell = Shell::start();
    for number in 1..=3 {
        shell
            .provider
            .pay(&format!("K-{number}"), &format!("P-{number}"));
    }
    let late = Confirmation {
        payment_id: "P-4".into(),
        ..confirmation("K-1", "P-4")
    };
    assert_eq!(shell.provider.confirm(&late), Answer::Result(()));
    shell
        .run(&["payments", "list"])
        .expect(0, &["P-2      TAX      K-2     10.00  MDL"]);
    let listed = shell
        .run(&["payments", "list", "--review", "double", "--json"])
        .json();
    assert_eq!(listed["payments"][0]["payment_id"], "P-4");
    assert_eq!(listed["payments"].as_array().unwrap().len(), 1);
    shell
        .run(&["payments", "show", "P-4"])
        .expect(0, &["Payment P-4", "10.00 MDL", "double"]);
    shell
        .run(&["orders", "show", "TAX", "K-1"])
        .expect(0, &["P-1", "P-4", "double"]);

    let settle = |more: &[&str]| {
        let arguments = [
            "settle",
            "extras.csv",
            "--from",
            "2026-01-01",
            "--to",
            "2099-12-31",
        ];
        let columns = ["--payment-id", "document", "--amount", "suma"];
        shell.run(&[&arguments[..], &columns, more].concat())
    };
    shell.write(
        "extras.csv",
        "Extras de cont;;\nData;Document;Suma\n1.1.2026;P-1;10,00\n1.1.2026;P-2;9,00\n1.1.2026;P-9;7,00\n1.1.2026;P-3;x\n",
    );
    settle(&["--output", "differences.xlsx"]).expect(
        1,
        &[
            "1  matched",
            "1  with another amount",
            "2  recorded, not in the statement",
            "4     P-2      K-2     10.00   9.00  9.00 of 10.00 is shown so far; 1.00 is left",
            "5     P-9       7.00  no payment of this PaymentID is recorded",
            "P-4      K-1     10.00  no statement shows it",
            "6    suma must be an amount",
        ],
    );
    let workbook = shell.read("differences.xlsx");
    let table = Table::read(&workbook, &Options::with_columns(&["result"])).unwrap();
    // One row for each, and the totals.
    assert_eq!(table.rows().count(), 7);

    shell.write(
        "extras.csv",
        "Document;Suma\nP-1;10\nP-2;10\nP-3;10\nP-4;10\n",
    );
    // A part of it was shown before: with the whole, more came than was paid.
    let more = settle(&["--json"]).expect(1, &[]).json();
    assert_eq!(more["matched"].as_array().unwrap().len(), 3);
    assert_eq!(more["differing"][0]["difference"], "more");
    shell.write("extras.csv", "Document;Suma\nP-1;10\nP-3;10\nP-4;10\n");
    let well = settle(&["--json"]).json();
    assert_eq!(well["matched"].as_array().unwrap().len(), 3);
    assert_eq!(well["differing"].as_array().unwrap().len(), 0);
    shell.write(
        "extras.csv",
        format!("Document;Suma\n{}", "P;1\n".repeat(2001)),
    );
    settle(&[]).expect(2, &["2,001 rows", "2,000", "several files"]);
    shell.write("extras.csv", "Document;Sumă\nP;1\n");
    settle(&[]).expect(2, &["extras.csv", "suma", "Document, Sumă"]);
}

/// Answers one call after the other with these, and gives what came.
fn answers(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let read = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            asked.push(String::from_utf8_lossy(&request).into_owned());
            let (head, body) = answer.split_once("\n\n").unwrap();
            // Nothing at all is a connection that is lost.
            if !head.is_empty() {
                let head = head.replace('\n', "\r\n");
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        }
        asked
    });
    (url, asked)
}

#[test]
fn a_provider_that_is_busy_or_lost_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let list = ["orders", "list", "--limit", "500"];
    let (url, asked) = answers(&[
        "503 Busy\nRetry-After: 1\n\n{\"detail\":\"The store is busy.\"}",
        "200 OK\n\n{\"orders\":[{\"order_key\":\"A\"}],\"next\":\"c-1\"}",
        "\n\n",
        "502 Bad Gateway\n\n<html>",
        "200 OK\n\n{\"orders\":[{\"order_key\":\"B\"}]}",
    ]);
    Outcome::of(shell(folder.path(), &url, &list).output().unwrap()).expect(
        0,
        &[
            "The store is busy. Trying again in 1 s.",
            "does not answer",
            "HTTP 502, not from the order API: <html>",
            "order\nA\nB\n",
        ],
    );
    let asked = asked.join().unwrap();
    assert!(
        asked[4].starts_with("GET /api/orders?limit=200&cursor=c-1 "),
        "{}",
        asked[4]
    );
    assert!(
        asked[4].contains(&format!("Bearer {TOKEN}")),
        "{}",
        asked[4]
    );

    // An export that breaks off leaves nothing behind.
    let export = ["orders", "export", "--output", "orders.csv"];
    let (url, asked) = answers(&[
        "200 OK\nLink: </api/orders/export?cursor=a-1>; rel=\"next\"\n\norder_key\r\nA\r\n",
        "422 Wrong\n\n{\"detail\":\"No.\"}",
    ]);
    Outcome::of(shell(folder.path(), &url, &export).output().unwrap()).expect(2, &["No."]);
    asked.join().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    // What got no answer is said.
    std::fs::write(folder.path().join("a.csv"), "order_key\nA\nB\n").unwrap();
    let import = [
        "orders",
        "import",
        "a.csv",
        "--report",
        "r.ndjson",
        "--strict",
        "--dry-run",
    ];
    let (url, asked) = answers(&["422 Wrong\n\n{\"detail\":\"No.\"}"]);
    Outcome::of(shell(folder.path(), &url, &import).output().unwrap()).expect(
        2,
        &[
            "2 without an answer",
            "row 2 and those below were not imported: No.",
        ],
    );
    let asked = asked.join().unwrap();
    let parameters = "POST /api/orders/import?strict=true&dry_run=true ";
    assert!(asked[0].starts_with(parameters), "{}", asked[0]);
    let (url, asked) = answers(&["503 Later\nRetry-After: 3600\n\n{\"detail\":\"Later.\"}"]);
    Outcome::of(shell(folder.path(), &url, &import).output().unwrap()).expect(
        2,
        &["broke off at row 2: run the same command again", "Later."],
    );
    asked.join().unwrap();
    let report = std::fs::read_to_string(folder.path().join("r.ndjson")).unwrap();
    assert_eq!(
        report,
        "{\"row\":2,\"result\":\"no-answer\"}\n{\"row\":3,\"result\":\"no-answer\"}\n"
    );
}

#[test]
fn an_order_is_cancelled_as_it_was_seen_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (url, asked) = answers(&[
        "200 OK\nETag: \"7\"\n\n{\"status\":\"Active\"}",
        "412 Changed\n\n{\"detail\":\"It was paid meanwhile.\"}",
    ]);
    let cancel = ["orders", "cancel", "TAX", "Ș/1", "--yes"];
    Outcome::of(shell(folder.path(), &url, &cancel).output().unwrap())
        .expect(2, &["It was paid meanwhile."]);
    let asked = asked.join().unwrap();
    assert!(
        asked[1].starts_with("DELETE /api/orders/TAX/%C8%98%2F1 "),
        "{}",
        asked[1]
    );
    let sent = asked[1].to_ascii_lowercase();
    assert!(sent.contains("if-match: \"7\"\r\n"), "{sent}");
}

#[test]
fn a_token_is_never_sent_where_none_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let list = |url: &str, more: &[&str]| {
        let mut command = mpay(folder.path());
        command.args(["orders", "list", "--url", url]).args(more);
        command.env_remove("MPAY_TOKEN").env_remove("MPAY_URL");
        Outcome::of(command.output().unwrap())
    };
    list("http://127.0.0.1:1/", &[]).expect(2, &["MPAY_TOKEN", "--token-file"]);
    let (url, asked) = answers(&["401 Unauthorized\n\n{\"detail\":\"Who?\"}"]);
    std::fs::write(folder.path().join(".env"), "MPAY_TOKEN=of-the-file\n").unwrap();
    list(&url, &[]).expect(2, &["Who? Is it the token of this provider?"]);
    assert!(asked.join().unwrap()[0].contains("Bearer of-the-file\r\n"));
    // The development token stays on this machine.
    std::fs::remove_file(folder.path().join(".env")).unwrap();
    let mut command = mpay(&workspace());
    command.args(["orders", "list", "--url", "http://provider.example/"]);
    command.env_remove("MPAY_TOKEN");
    Outcome::of(command.output().unwrap()).expect(2, &["there is no token"]);
}
