//! `mpay settle`: a statement of the bank, the treasury or MPay, compared with what is recorded.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;
use tables::{Encoding, FileKind, Table};

use crate::{
    api::{Access, Answer, Api, MOST_BYTES, XLSX, query, sentence, text},
    files::Whole,
    table_file::{encoding, read_table},
    terminal::{Grid, Page, count, print_json},
};

/// The rows that one comparison takes at most.
const MOST_ROWS: usize = 2000;

/// The arguments of `mpay settle`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay settle extras.csv --from 2026-11-01 --to 2026-11-30 --payment-id Document --amount Suma
  mpay settle extras.xlsx --from 2026-11-30 --to 2026-11-30 --text 'Destinația plății' --amount Credit \\
      --date Data --output diferențe.xlsx
  mpay settle mpay.csv --from 2026-11-30 --to 2026-11-30 --payment-id PaymentID --amount Amount --fee Fee

What the statement shows is marked as settled; the same statement again changes nothing.
Exit status: 0; 1 if something does not fit; 2 if the statement was not compared.")]
pub struct Arguments {
    /// The statement, CSV or XLSX, as the bank gives it.
    file: PathBuf,
    /// The first day that the statement is about, such as 2026-11-01.
    #[arg(long, value_name = "DAY")]
    from: String,
    /// The last day.
    #[arg(long, value_name = "DAY")]
    to: String,
    #[command(flatten)]
    columns: Columns,
    /// The fee that is kept back of each payment, in per cent: 1.5, or IBAN:1.5,IBAN:0.8 by account.
    #[arg(long, value_name = "RATE")]
    fee_rate: Option<String>,
    /// The currency of the amounts, such as EUR, or the column that has it.
    #[arg(long, value_name = "CODE or COLUMN")]
    currency: Option<String>,
    /// The service of the order numbers, if several services have the same ones.
    #[arg(long, value_name = "SERVICE")]
    service_id: Option<String>,
    /// Encoding of a CSV, if its letters do not tell: utf-8, utf-16le, utf-16be, windows-1250 or
    /// windows-1251.
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<Encoding>,
    /// Write the whole comparison into a file; one that is there is replaced.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The format of that file [default: what its name ends with].
    #[arg(long, value_enum, requires = "output")]
    format: Option<Format>,
    /// Print JSON, as the API answers it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// The columns of the statement by their meaning, which the API's parameters name.
#[derive(Debug, Args)]
struct Columns {
    /// Column of amounts.
    #[arg(long, value_name = "COLUMN")]
    amount: String,
    /// Column of PaymentIDs, alone or within a sentence.
    #[arg(long, value_name = "COLUMN")]
    payment_id: Option<String>,
    /// Column of texts in which a PaymentID is looked for.
    #[arg(long, value_name = "COLUMN")]
    text: Option<String>,
    /// Column of order numbers, if the statement has no PaymentIDs.
    #[arg(long, value_name = "COLUMN")]
    order_key: Option<String>,
    /// Column of dates.
    #[arg(long, value_name = "COLUMN")]
    date: Option<String>,
    /// Column of accounts, where each row is the sum of a day and an account.
    #[arg(long, value_name = "COLUMN")]
    account: Option<String>,
    /// Column of the bank's document numbers.
    #[arg(long, value_name = "COLUMN")]
    reference: Option<String>,
    /// Column of what was kept back of the amount.
    #[arg(long, value_name = "COLUMN")]
    fee: Option<String>,
}

impl Columns {
    /// By the parameters that name them.
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let others = [
            ("payment_id", &self.payment_id),
            ("text", &self.text),
            ("order_key", &self.order_key),
            ("date", &self.date),
            ("account", &self.account),
            ("reference", &self.reference),
            ("fee", &self.fee),
        ];
        let others = others.into_iter();
        let others = others.filter_map(|(name, column)| Some((name, column.as_deref()?)));
        [("amount", self.amount.as_str())]
            .into_iter()
            .chain(others)
            .collect()
    }
}

/// The formats of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Csv,
    Xlsx,
}

impl Format {
    fn of(file: &Path) -> anyhow::Result<Format> {
        let extension = file.extension().and_then(|extension| extension.to_str());
        Ok(match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            Some("xlsx") => Format::Xlsx,
            _ => bail!(
                "{} must end with .csv, .xlsx or .json, or give --format",
                file.display()
            ),
        })
    }
}

/// Compares the statement.
///
/// # Errors
/// If it cannot be read, has more rows than one comparison takes, or the API refuses it.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let api = arguments.access.api()?;
    let format = match (arguments.format, &arguments.output) {
        (None, Some(file)) => Some(Format::of(file)?),
        (format, _) => format,
    };
    let bytes = arguments.read()?;
    let answer = arguments.settle(&api, &bytes, "json")?;
    let comparison = answer.json()?;
    if let (Some(file), Some(format)) = (&arguments.output, format) {
        // The same statement again finds the same, and changes nothing.
        let again = match format {
            Format::Json => answer,
            Format::Csv => arguments.settle(&api, &bytes, "csv")?,
            Format::Xlsx => arguments.settle(&api, &bytes, "xlsx")?,
        };
        let mut whole = Whole::begin(file)?;
        whole.write(&again.body)?;
        whole.finish()?;
    }
    match arguments.json {
        true => print_json(&comparison)?,
        false => page(&comparison).print()?,
    }
    Ok(ExitCode::from(u8::from(!fits(&comparison))))
}

impl Arguments {
    /// The statement, if one comparison takes it. It is sent as it is, so that it is known when it comes
    /// again.
    fn read(&self) -> anyhow::Result<Vec<u8>> {
        let name = self.file.display();
        let bytes = fs::read(&self.file).with_context(|| format!("cannot read {name}"))?;
        let pairs = self.columns.pairs();
        let columns: Vec<_> = pairs.iter().map(|(_, column)| *column).collect();
        let table = read_table(&bytes, &columns, self.encoding);
        let table = table.with_context(|| format!("{name}"))?;
        let rows = table.rows().count();
        if rows > MOST_ROWS {
            bail!("{}", too_long(&table, rows, self.columns.date.as_deref()));
        }
        ensure!(
            bytes.len() <= MOST_BYTES,
            "{name} has {} bytes, and a comparison takes 1,000,000: save the sheet alone, without columns that nobody needs",
            count(bytes.len())
        );
        Ok(bytes)
    }

    fn settle(&self, api: &Api, statement: &[u8], format: &str) -> anyhow::Result<Answer> {
        let mut pairs = vec![
            ("from", self.from.as_str()),
            ("to", &self.to),
            ("format", format),
        ];
        pairs.extend(self.columns.pairs());
        let encoding = self
            .encoding
            .map(|encoding| encoding.to_string().to_lowercase());
        if let Some(encoding) = &encoding {
            pairs.push(("encoding", encoding));
        }
        for (name, value) in [
            ("fee_rate", &self.fee_rate),
            ("currency", &self.currency),
            ("service_id", &self.service_id),
        ] {
            pairs.extend(value.as_ref().map(|value| (name, value.as_str())));
        }
        let media_type = match FileKind::of(statement) {
            FileKind::Xlsx => XLSX,
            _ => "text/csv",
        };
        api.post(
            &format!("settlement{}", query(pairs)),
            media_type,
            statement,
        )
    }
}

/// The advice for a statement of too many rows.
///
/// It is not cut here: a payment and its reversal are netted within one file only, and what is not
/// shown is said of the whole period.
fn too_long(table: &Table, rows: usize, date: Option<&str>) -> String {
    let mut said = format!(
        "the statement has {} rows, and one comparison takes {}. A payment and its reversal are netted within one file only, so it is not cut by itself. Save it as several files of some days each, and compare each with its own --from and --to",
        count(rows),
        count(MOST_ROWS)
    );
    let Some(date) = date else {
        said.push_str("; with --date COLUMN, this command says which days");
        return said;
    };
    let mut days: BTreeMap<String, usize> = BTreeMap::new();
    for row in table.rows() {
        if let Ok(Some(time)) = row.cell(date).date() {
            let day = time.get(..10).unwrap_or(&time).to_owned();
            *days.entry(day).or_default() += 1;
        }
    }
    let mut spans: Vec<(String, String, usize)> = Vec::new();
    for (day, rows) in days {
        match spans.last_mut() {
            Some((_, last, sum)) if *sum + rows <= MOST_ROWS => {
                *last = day;
                *sum += rows;
            }
            _ => spans.push((day.clone(), day, rows)),
        }
    }
    said.push(':');
    for (first, last, rows) in spans {
        said.push_str(&format!("\n  {first} to {last}: {} rows", count(rows)));
    }
    said
}

/// The kinds of what is compared, in the answer's words and in plain ones.
const KINDS: [(&str, &str); 7] = [
    ("matched", "matched"),
    ("differing", "with another amount"),
    ("not_recorded", "in the statement, not recorded"),
    ("not_settled", "recorded, not in the statement"),
    ("netted", "taken back in the statement"),
    ("fees", "fees"),
    ("errors", "rows that cannot be read"),
];

/// True if the comparison is complete and shows no difference.
fn fits(comparison: &Value) -> bool {
    let kinds = ["differing", "not_recorded", "not_settled", "errors"];
    comparison["complete"] == true && kinds.iter().all(|kind| list(comparison, kind).is_empty())
}

fn list<'a>(comparison: &'a Value, kind: &str) -> &'a [Value] {
    comparison[kind].as_array().map_or(&[], Vec::as_slice)
}

/// The comparison, for people.
fn page(comparison: &Value) -> Page {
    let mut page = Page::new();
    page.line(format!("Read as {}.", text(comparison, "read_as")));
    page.gap();
    let mut grid = Grid::new(&["how many", "what"]).numbers(&["how many"]);
    for (kind, words) in KINDS {
        grid.row([count(list(comparison, kind).len()), words.to_owned()]);
    }
    grid.print(&mut page);
    if let Some(unreadable) = comparison["unreadable"].as_u64() {
        page.gap();
        page.line(format!("Of the period, {unreadable} entries cannot be read and may be payments, so this is not complete: see POST /api/repair."));
    } else if comparison["complete"] != true {
        page.gap();
        page.line("A payment is being recorded now, and what is behind it is missing here: compare again in a minute.");
    }
    for (kind, words) in KINDS {
        let list = list(comparison, kind);
        if list.is_empty() || matches!(kind, "matched" | "netted") {
            continue;
        }
        page.gap();
        page.heading(capital(words));
        if kind == "errors" {
            let mut grid = Grid::new(&["row", "what"]);
            for row in list {
                grid.row([row["row"].to_string(), sentence(&row["errors"])]);
            }
            grid.print_whole(&mut page);
            continue;
        }
        let columns = ["rows", "payment", "order", "amount", "shown", "what"];
        let mut grid = Grid::new(&columns).numbers(&["amount", "shown"]);
        // Of what is not recorded, the amount is what the statement shows.
        let is_recorded = matches!(kind, "differing" | "not_settled");
        for entry in list {
            let (amount, shown) = match is_recorded {
                true => (text(entry, "amount"), text(entry, "shown")),
                false => ("", text(entry, "amount")),
            };
            let rows = entry["rows"].as_array().into_iter().flatten();
            let rows: Vec<_> = rows.map(Value::to_string).collect();
            let others = entry["shown_by_others"].as_array().into_iter().flatten();
            let others: Vec<_> = others.filter_map(Value::as_str).collect();
            let what = match others.as_slice() {
                [] => text(entry, "detail").to_owned(),
                others => format!("{}: {}", text(entry, "detail"), others.join(", ")),
            };
            grid.row([
                rows.join(" "),
                text(entry, "payment_id").to_owned(),
                text(entry, "order_key").to_owned(),
                amount.to_owned(),
                shown.to_owned(),
                what,
            ]);
        }
        grid.print_whole(&mut page);
    }
    page
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_statement_of_too_many_rows_is_divided_by_its_days() {
        let mut csv = "Data;Suma\n".to_owned();
        for (day, rows) in [("1.11.2026", 1500), ("2.11.2026", 500), ("2026-11-03", 1)] {
            csv.push_str(&format!("{day};5\n").repeat(rows));
        }
        let table = read_table(csv.as_bytes(), &["Suma"], None).unwrap();
        let said = too_long(&table, 2001, Some("data"));
        for words in [
            "has 2,001 rows",
            "\n  2026-11-01 to 2026-11-02: 2,000 rows\n  2026-11-03 to 2026-11-03: 1 rows",
        ] {
            assert!(said.contains(words), "{said}");
        }
        assert!(too_long(&table, 2001, None).contains("--date COLUMN"));
    }

    #[test]
    fn only_what_fits_whole_is_well() {
        let all = json!({"complete": true, "matched": [{}], "netted": [{}], "fees": [{}]});
        assert!(fits(&all));
        for kind in ["differing", "not_recorded", "not_settled", "errors"] {
            let mut with = all.clone();
            with[kind] = json!([{}]);
            assert!(!fits(&with), "{kind}");
        }
        let mut pending = all.clone();
        pending["complete"] = false.into();
        assert!(!fits(&pending));
    }
}
