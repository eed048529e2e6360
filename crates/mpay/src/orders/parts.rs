//! Files of orders, cut into parts that one call of the API takes.
//!
//! The result of a row must not depend on how the file is cut. So a part of a table keeps the types of
//! its cells ([`Sheet::part_of`]); and what only the whole file shows is judged here: which rows are
//! totals of those above them, and which are about an order that a row above is about.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use anyhow::{Context, bail, ensure};
use mpay_domain::OrderKey;
use serde::Serialize;
use serde_json::Value;
use tables::{Encoding, FileKind, Row, RowKind, Sheet, Table};

use crate::{
    api::{XLSX, sentence},
    table_file::read_table,
};

/// The rows and the bytes that one call takes. Some bytes are left for what a workbook has around its
/// rows.
const MOST_ROWS: usize = 500;
const MOST_BYTES: usize = 980_000;
/// The result of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Its number in the whole file: of the row as spreadsheets show it, or of the line.
    pub row: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub order_key: String,
    /// `created`, `amended`, `unchanged`, `error`, `skipped`; and `no-answer` where the import broke
    /// off.
    pub result: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub warnings: String,
}

/// A file of orders.
pub struct Orders<'a> {
    content: Content<'a>,
    /// The rows to send: their places in the content, and their numbers in the file.
    sent: Vec<(usize, usize)>,
    /// The results of the other rows, which are known without a call; by their numbers.
    known: BTreeMap<usize, Outcome>,
}

enum Content<'a> {
    Table(Table),
    /// With their numbers.
    Lines(Vec<(usize, &'a str)>),
}

/// A part of the rows to send.
#[derive(Debug)]
pub struct Part {
    /// Their places among the rows to send.
    pub rows: Range<usize>,
    /// As what it is sent.
    pub media_type: &'static str,
    /// The content that is sent.
    pub body: Vec<u8>,
}

/// By what an order is known: its service, if the row names one, and its key without what payers
/// confuse.
struct Name {
    service_id: Option<String>,
    order_key: String,
}

impl<'a> Orders<'a> {
    /// Reads a file. `has_lines` tells that its name is that of lines of JSON.
    ///
    /// # Errors
    /// If the file is something else, or is wrong as a table; with what it is, and what is wrong.
    pub fn read(
        bytes: &'a [u8],
        has_lines: bool,
        encoding: Option<Encoding>,
    ) -> anyhow::Result<Self> {
        let content = match FileKind::of(bytes) {
            FileKind::Json => Content::Lines(lines(bytes)?),
            FileKind::Text if has_lines => Content::Lines(lines(bytes)?),
            _ => Content::Table(read_table(bytes, &["order_key"], encoding)?),
        };
        let mut orders = Self {
            content,
            sent: Vec::new(),
            known: BTreeMap::new(),
        };
        orders.judge();
        Ok(orders)
    }

    /// Tells the rows to send from those of which the whole file says enough.
    fn judge(&mut self) {
        let rows: Vec<(usize, RowKind, Option<Name>)> = match &self.content {
            Content::Table(table) => {
                let kinds = table.kinds(&["order_key"]);
                let rows = table.rows().zip(kinds);
                rows.map(|(row, kind)| (row.number(), kind, name_of_row(&row)))
                    .collect()
            }
            Content::Lines(lines) => {
                let lines = lines.iter();
                lines
                    .map(|(number, line)| (*number, RowKind::Data, name_of_line(line)))
                    .collect()
            }
        };
        let mut first = Names::default();
        for (place, (row, kind, name)) in rows.into_iter().enumerate() {
            let first = name.as_ref().and_then(|name| first.of_order(name, row));
            let outcome = match (kind, first, name) {
                (RowKind::Total, ..) => Outcome {
                    result: "skipped".to_owned(),
                    detail: "a row of totals".to_owned(),
                    ..Outcome::default()
                },
                (RowKind::Data, Some(first), Some(name)) => Outcome {
                    service_id: name.service_id.unwrap_or_default(),
                    order_key: name.order_key,
                    result: "error".to_owned(),
                    detail: format!(
                        "{} is that of row {first}, or one that payers would confuse with it",
                        self.name_of_key()
                    ),
                    ..Outcome::default()
                },
                // What else is wrong with a row, the API says.
                _ => {
                    self.sent.push((place, row));
                    continue;
                }
            };
            let outcome = Outcome { row, ..outcome };
            self.known.insert(row, outcome);
        }
    }

    /// The column of keys as it is written.
    fn name_of_key(&self) -> &str {
        match &self.content {
            Content::Table(table) => table.column("order_key").map_or("order_key", |c| c.name()),
            Content::Lines(_) => "order_key",
        }
    }

    /// As what it was read.
    pub fn read_as(&self) -> String {
        match &self.content {
            Content::Table(table) => table.source().to_string(),
            Content::Lines(_) => "NDJSON".to_owned(),
        }
    }

    /// The number of rows to be sent.
    pub fn count(&self) -> usize {
        self.sent.len()
    }

    /// The results of rows that are not sent, by their numbers.
    pub fn known(&self) -> &BTreeMap<usize, Outcome> {
        &self.known
    }

    /// The part that begins with the row to send of this place: as much as one call takes, and one row
    /// at least.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn part(&self, from: usize) -> anyhow::Result<Part> {
        let most = (from + MOST_ROWS).min(self.sent.len());
        let places = self.sent.get(from..most).unwrap_or_default();
        let (count, media_type, body) = match &self.content {
            Content::Lines(lines) => {
                let lines = places.iter().filter_map(|(place, _)| lines.get(*place));
                let mut body = String::new();
                let mut count = 0;
                for (_, line) in lines {
                    if count > 0 && body.len() + line.len() >= MOST_BYTES {
                        break;
                    }
                    body.push_str(line);
                    body.push('\n');
                    count += 1;
                }
                (count, "application/x-ndjson", body.into_bytes())
            }
            Content::Table(table) => {
                let rows = places.iter().filter_map(|(place, _)| table.row(*place));
                let rows: Vec<_> = rows.collect();
                let (mut sheet, mut count) = (Sheet::part_of(table), 0);
                for row in &rows {
                    sheet.copy(row);
                    if count > 0 && sheet.size() > MOST_BYTES {
                        sheet = Sheet::part_of(table);
                        rows.iter().take(count).for_each(|row| sheet.copy(row));
                        break;
                    }
                    count += 1;
                }
                let media_type = match table.source() {
                    tables::Source::Csv { .. } => "text/csv; charset=utf-8",
                    tables::Source::Xlsx { .. } => XLSX,
                };
                let body = sheet.finish();
                (
                    count,
                    media_type,
                    body.context("the rows are too large for a workbook")?,
                )
            }
        };
        Ok(Part {
            rows: from..from + count,
            media_type,
            body,
        })
    }

    /// The results of the rows of a part, by the answer to it.
    ///
    /// # Errors
    /// If the answer is not about each row of the part.
    pub fn outcomes(&self, part: &Part, answer: &[u8]) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = match &self.content {
            Content::Lines(_) => outcomes_of_lines(answer)?,
            Content::Table(_) => outcomes_of_table(answer)?,
        };
        // Below the names of the columns.
        let first = match &self.content {
            Content::Lines(_) => 1,
            Content::Table(_) => 2,
        };
        let rows: Vec<_> = outcomes.iter().map(|outcome| outcome.row).collect();
        ensure!(
            rows.iter().copied().eq(first..first + part.rows.len()),
            "the provider's answer is not about the rows that were sent"
        );
        for (outcome, place) in outcomes.iter_mut().zip(part.rows.clone()) {
            outcome.row = self.number(place);
            // An amount alone that happens to be the sum of those above it in this part.
            if outcome.result == "skipped" {
                outcome.result = "error".to_owned();
                outcome.detail = format!("{} is missing", self.name_of_key());
            }
        }
        Ok(outcomes)
    }

    /// The number, in the file, of a row to send.
    pub fn number(&self, place: usize) -> usize {
        self.sent.get(place).map_or(0, |(_, number)| *number)
    }
}

fn lines(bytes: &[u8]) -> anyhow::Result<Vec<(usize, &str)>> {
    let text = str::from_utf8(bytes).context("a document of lines of JSON must be UTF-8")?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let lines: Vec<_> = lines.map(|(place, line)| (place + 1, line)).collect();
    let is_object = |line: &str| serde_json::from_str::<serde_json::Map<_, _>>(line).is_ok();
    ensure!(
        lines.is_empty() || lines.iter().any(|(_, line)| is_object(line)),
        "the file is JSON, but no line of it is a whole order: write each order on one line (NDJSON)"
    );
    Ok(lines)
}

fn name_of_row(row: &Row<'_>) -> Option<Name> {
    let cell = |column| row.cell(column).identifier().ok().flatten();
    Some(Name {
        order_key: cell("order_key")?,
        service_id: cell("service_id"),
    })
}

fn name_of_line(line: &str) -> Option<Name> {
    let order: Value = serde_json::from_str(line).ok()?;
    let member = |name| order[name].as_str().map(str::to_owned);
    Some(Name {
        order_key: member("order_key")?,
        service_id: member("service_id"),
    })
}

/// The first rows about each order.
#[derive(Default)]
struct Names(HashMap<String, Vec<(Option<String>, usize)>>);

impl Names {
    /// The row above that is about the same order. A row that names no service may be about that of any
    /// other.
    fn of_order(&mut self, name: &Name, row: usize) -> Option<usize> {
        let key = OrderKey::parse(&name.order_key).ok()?.folded();
        let rows = self.0.entry(key).or_default();
        let mut same = rows.iter().filter(|(service, _)| {
            service.is_none() || name.service_id.is_none() || *service == name.service_id
        });
        let first = same.next().map(|(_, row)| *row);
        if first.is_none() {
            rows.push((name.service_id.clone(), row));
        }
        first
    }
}

fn outcomes_of_table(answer: &[u8]) -> anyhow::Result<Vec<Outcome>> {
    let table = read_table(answer, &["row", "result"], Some(Encoding::Utf8));
    let table = table.context("the provider's answer")?;
    let rows = table.rows().map(|row| {
        let text = |column| Ok::<_, anyhow::Error>(row.cell(column).text()?.unwrap_or_default());
        let outcome = Outcome {
            row: text("row")?.parse().unwrap_or_default(),
            service_id: text("service_id")?,
            order_key: text("order_key")?,
            result: text("result")?,
            detail: text("detail")?,
            warnings: text("warnings")?,
        };
        Ok((outcome.result != "total").then_some(outcome))
    });
    rows.filter_map(Result::transpose).collect()
}

fn outcomes_of_lines(answer: &[u8]) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for line in str::from_utf8(answer)?.lines() {
        let Ok(row) = serde_json::from_str::<Value>(line) else {
            bail!("the provider's answer is no JSON");
        };
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let errors = sentence(&row["errors"]);
        outcomes.push(Outcome {
            row: row["row"]
                .as_u64()
                .and_then(|row| row.try_into().ok())
                .unwrap_or_default(),
            service_id: text("service_id"),
            order_key: text("order_key"),
            result: text("result"),
            detail: if errors.is_empty() {
                text("detail")
            } else {
                errors
            },
            warnings: sentence(&row["warnings"]),
        });
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tables::{Format, Separator, Value as Kind};

    fn read(text: &str) -> Orders<'_> {
        Orders::read(text.as_bytes(), false, None).unwrap()
    }

    fn parts(orders: &Orders<'_>) -> Vec<Part> {
        let (mut parts, mut next) = (Vec::new(), 0);
        while next < orders.count() {
            let part = orders.part(next).unwrap();
            assert!(part.rows.start == next && part.rows.end > next, "{part:?}");
            next = part.rows.end;
            parts.push(part);
        }
        parts
    }

    fn keys(part: &Part) -> Vec<String> {
        let table = read_table(&part.body, &["order_key"], None).unwrap();
        let keys = table.rows().map(|row| row.cell("order_key").identifier());
        keys.map(|key| key.unwrap().unwrap()).collect()
    }

    #[test]
    fn parts_repeat_the_columns_and_rows_keep_their_numbers() {
        let mut csv = "Registrul taxelor;;\n\n Order_Key ;Reason;\n".to_owned();
        for n in 1..=1203 {
            csv.push_str(&format!("K-{n};\"pe\nluna; {n}\";\n;;\n"));
        }
        let orders = read(&csv);
        assert_eq!(orders.count(), 1203);
        let parts = parts(&orders);
        let sizes: Vec<_> = parts.iter().map(|part| part.rows.len()).collect();
        assert_eq!(sizes, [500, 500, 203]);
        for part in &parts {
            let expected = part.rows.clone().map(|place| format!("K-{}", place + 1));
            assert_eq!(keys(part), expected.collect::<Vec<_>>());
            let table = read_table(&part.body, &["order_key"], None).unwrap();
            let first = table.rows().next().unwrap();
            let reason = first.cell("reason").text().unwrap().unwrap();
            assert_eq!(reason, format!("pe luna; {}", part.rows.start + 1));
        }
        let numbers: Vec<_> = [0, 1, 1202].map(|place| orders.number(place)).to_vec();
        assert_eq!(numbers, [4, 6, 4 + 2 * 1202]);
    }

    #[test]
    fn parts_are_no_larger_than_a_call_takes() {
        let text = "ș".repeat(2_000);
        let mut csv = "order_key,reason\n".to_owned();
        let mut lines = String::new();
        for n in 0..600 {
            csv.push_str(&format!("{n},{text}\n"));
            lines.push_str(&format!(
                "{{\"order_key\":\"{n}\",\"reason\":\"{text}\"}}\n"
            ));
        }
        for text in [&csv, &lines] {
            let orders = read(text);
            let parts = parts(&orders);
            let sum: usize = parts.iter().map(|part| part.rows.len()).sum();
            assert_eq!((sum, parts.len()), (600, 3));
            assert!(parts.iter().all(|part| part.body.len() <= 1_000_000));
            for part in parts
                .iter()
                .filter(|part| part.media_type != "application/x-ndjson")
            {
                assert_eq!(keys(part).len(), part.rows.len());
            }
        }
        // One row alone is a part, however large.
        let large = format!("order_key,reason\nA,{}\nB,x\n", "x".repeat(1_100_000));
        let sizes: Vec<_> = parts(&read(&large))
            .iter()
            .map(|p| p.body.len() > 1_000_000)
            .collect();
        assert_eq!(sizes, [true, false]);
    }

    #[test]
    fn what_only_the_whole_file_tells_is_told_of_it() {
        let mut csv = "Cheia,Order_Key,service_id,amount_due\n".to_owned();
        for n in 1..=600 {
            csv.push_str(&format!(",K-{n},TAX,1\n"));
        }
        csv.push_str(",k\u{2011} 1,TAX,1\n,K-2,SCHOOL,1\n,К-3,,1\n,,,603\nTOTAL,,,9\n");
        let orders = read(&csv);
        let known: Vec<_> = orders.known().values().collect();
        let rows: Vec<_> = known
            .iter()
            .map(|outcome| (outcome.row, &*outcome.result))
            .collect();
        // The sum of those above is a total, and so is a row with the word; neither is sent.
        assert_eq!(
            rows,
            [
                (602, "error"),
                (604, "error"),
                (605, "skipped"),
                (606, "skipped")
            ]
        );
        assert_eq!(
            known[0].detail,
            "Order_Key is that of row 2, or one that payers would confuse with it"
        );
        assert_eq!(
            (&*known[0].service_id, &*known[0].order_key),
            ("TAX", "k\u{2011} 1")
        );
        assert!(known[1].detail.contains("row 4"), "{known:?}");
        assert_eq!(orders.count(), 601);
        assert_eq!(orders.number(600), 603);
    }

    #[test]
    fn a_row_without_a_service_may_be_about_that_of_any_other() {
        let orders = read("order_key,service_id\nA,\nA,TAX\nB,TAX\nB,SCHOOL\nB,\n");
        assert_eq!(orders.known().keys().collect::<Vec<_>>(), [&3, &6]);
    }

    fn answer(rows: &[(usize, &str)]) -> Vec<u8> {
        let columns = [("row", Kind::Number), ("result", Kind::Text)];
        let mut sheet = Sheet::new(Format::Csv(Separator::Comma), &columns);
        for (row, result) in rows {
            sheet.row(&[&row.to_string(), *result]);
        }
        sheet.row(&["", "total"]);
        sheet.finish().unwrap()
    }

    #[test]
    fn answers_are_about_the_rows_that_were_sent() {
        let orders = read("order_key;amount_due\n\nA;5\nB;x\n");
        let part = orders.part(0).unwrap();
        let outcomes = orders.outcomes(&part, &answer(&[(2, "created"), (3, "skipped")]));
        let outcomes = outcomes.unwrap();
        let rows: Vec<_> = outcomes
            .iter()
            .map(|o| (o.row, &*o.result, &*o.detail))
            .collect();
        assert_eq!(
            rows,
            [(3, "created", ""), (4, "error", "order_key is missing")]
        );
        for wrong in [
            &[(2, "created")][..],
            &[(2, "created"), (4, "created")],
            &[],
        ] {
            assert!(orders.outcomes(&part, &answer(wrong)).is_err());
        }
        assert!(orders.outcomes(&part, b"<html>").is_err());
    }

    #[test]
    fn lines_of_json_are_sent_as_they_are_but_for_what_is_twice() {
        let lines = "\u{FEFF}\n{\"order_key\":\"A\"}\n \n{broken\n{\"order_key\":\"a\"}\n{\"order_key\":5}\n";
        let orders = read(lines);
        assert_eq!((orders.count(), orders.read_as().as_str()), (3, "NDJSON"));
        assert_eq!([0, 1, 2].map(|place| orders.number(place)), [2, 4, 6]);
        assert_eq!(
            orders.known()[&5].detail.split(',').next(),
            Some("order_key is that of row 2")
        );
        let part = orders.part(0).unwrap();
        let body = "{\"order_key\":\"A\"}\n{broken\n{\"order_key\":5}\n";
        assert_eq!(str::from_utf8(&part.body), Ok(body));
        let answer = "{\"row\":1,\"result\":\"created\",\"order_key\":\"A\"}\n\
            {\"row\":2,\"result\":\"error\",\"detail\":\"No.\"}\n\
            {\"row\":3,\"result\":\"error\",\"detail\":\"No.\",\"errors\":[{\"field\":\"order_key\",\"detail\":\"is no text\"}]}\n";
        let outcomes = orders.outcomes(&part, answer.as_bytes()).unwrap();
        let said: Vec<_> = outcomes.iter().map(|o| (o.row, &*o.detail)).collect();
        assert_eq!(said, [(2, ""), (4, "No."), (6, "order_key is no text")]);
        // A document over several lines is none a line.
        let error = Orders::read(b"{\n\"order_key\": \"A\"\n}", false, None);
        assert!(error.err().unwrap().to_string().contains("on one line"));
    }
}
