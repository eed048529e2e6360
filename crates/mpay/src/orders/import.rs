//! `mpay orders import`: orders of a file, in as many calls as it takes.

use std::{collections::BTreeMap, fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mpay::tell;
use serde::Serialize;
use tables::{Encoding, Sheet, Value};

use super::parts::{Orders, Outcome, Part};
use crate::{
    api::{Api, MOST_BYTES, Refused, query},
    files::Whole,
    table_file::{FileFormat, encoding},
    terminal::{Grid, Page, count, print_json},
};

/// Rows that are shown at most.
const MOST_SHOWN: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay orders import taxe.xlsx --dry-run                  say what would happen
  mpay orders import taxe.csv --report taxe.report.csv
  mpay orders import orders.ndjson --url https://plati.exemplu.md/ --token-file token

The file is sent in parts. If it breaks off, run the same command again: a row that is there already
is `unchanged`. Exit status: 0; 1 if a row was refused; 2 if the file was not imported to its end.")]
pub struct Import {
    /// A table, CSV or XLSX, or orders in JSON, one a line (NDJSON).
    file: PathBuf,
    /// Change nothing, and say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Refuse also what is only worth a warning.
    #[arg(long)]
    strict: bool,
    /// Encoding of a CSV, if its letters do not tell: utf-8, utf-16le, utf-16be, windows-1250 or
    /// windows-1251.
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<Encoding>,
    /// File for the result of each row: .csv, .xlsx or .ndjson. One that is there is replaced.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print JSON: how many rows became what, and the rows with errors or warnings.
    #[arg(long)]
    json: bool,
}

impl Import {
    /// Imports the file.
    ///
    /// # Errors
    /// If it cannot be read, or a call failed for good.
    pub fn run(&self, api: Api) -> anyhow::Result<ExitCode> {
        let name = || format!("{}", self.file.display());
        let report = self.report.as_deref().map(FileFormat::of).transpose()?;
        if let Some(report) = &self.report
            && let (Ok(report), Ok(file)) = (report.canonicalize(), self.file.canonicalize())
            && report == file
        {
            bail!("--report {} is the file that is imported", report.display());
        }
        if let Some(folder) = self.report.as_ref().and_then(|report| report.parent())
            && !folder.as_os_str().is_empty()
            && !folder.is_dir()
        {
            bail!("--report: there is no folder {}", folder.display());
        }
        let bytes = fs::read(&self.file).with_context(|| format!("cannot read {}", name()))?;
        let extension = self
            .file
            .extension()
            .and_then(|extension| extension.to_str());
        let has_lines = matches!(extension, Some("ndjson" | "jsonl"));
        let orders = Orders::read(&bytes, has_lines, self.encoding).with_context(name)?;
        let mut outcomes = orders.known().clone();
        let sent = self.send(api, &orders, &mut outcomes);
        if sent.is_err() {
            for place in 0..orders.count() {
                let row = orders.number(place);
                outcomes.entry(row).or_insert_with(|| Outcome {
                    row,
                    result: "no-answer".to_owned(),
                    ..Outcome::default()
                });
            }
        }
        if let (Some(file), Some(format)) = (&self.report, report) {
            let mut whole = Whole::begin(file)?;
            whole.write(&written(format, outcomes.values())?)?;
            whole.finish()?;
        }
        match self.json {
            true => print_json(&Summary::of(&orders, &outcomes))?,
            false => self.page(&orders, &outcomes).print()?,
        }
        sent?;
        let is_clean = outcomes.values().all(|outcome| outcome.result != "error");
        Ok(ExitCode::from(u8::from(!is_clean)))
    }

    fn send(
        &self,
        mut api: Api,
        orders: &Orders<'_>,
        outcomes: &mut BTreeMap<usize, Outcome>,
    ) -> anyhow::Result<()> {
        let bar = ProgressBar::new(orders.count() as u64);
        let style = "{bar:30} {human_pos} of {human_len} rows, {eta} left";
        bar.set_style(ProgressStyle::with_template(style)?);
        let line = bar.clone();
        api.tell = Box::new(move |text| match line.is_hidden() {
            true => tell!("{text}"),
            false => line.println(text),
        });
        let flags = [("strict", self.strict), ("dry_run", self.dry_run)];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
        let path = format!(
            "orders/import{}",
            query(flags.map(|(name, _)| (name, "true")))
        );
        let mut next = 0;
        while next < orders.count() {
            let part = orders.part(next)?;
            let sent = if part.body.len() > MOST_BYTES {
                Ok(vec![too_large(orders, &part)])
            } else {
                let answer = api.post(&path, part.media_type, &part.body);
                answer.and_then(|answer| orders.outcomes(&part, &answer.body))
            };
            let row = orders.number(next);
            let sent = sent.map_err(|error| match error.is::<Refused>() {
                true => error.context(format!("row {row} and those below were not imported")),
                false => error.context(format!(
                    "the import broke off at row {row}: run the same command again to go on"
                )),
            });
            if sent.is_err() {
                bar.abandon();
            }
            outcomes.extend(sent?.into_iter().map(|outcome| (outcome.row, outcome)));
            next = part.rows.end;
            bar.set_position(next as u64);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn page(&self, orders: &Orders<'_>, outcomes: &BTreeMap<usize, Outcome>) -> Page {
        let mut page = Page::new();
        page.line(format!("Read as {}.", orders.read_as()));
        let counts: Vec<_> = counts(outcomes)
            .into_iter()
            .map(|(result, number)| format!("{} {}", count(number), words(result)))
            .collect();
        let counts = match counts.as_slice() {
            [] => "no rows".to_owned(),
            counts => counts.join(", "),
        };
        let tried = if self.dry_run {
            "Nothing is written. There would be: "
        } else {
            ""
        };
        page.line(format!("{tried}{counts}"));
        let mut shown = 0;
        for (heading, is_it) in [
            (
                "Errors",
                (|outcome| outcome.result == "error") as fn(&Outcome) -> bool,
            ),
            ("Warnings", |outcome| !outcome.warnings.is_empty()),
        ] {
            let rows: Vec<_> = outcomes.values().filter(|outcome| is_it(outcome)).collect();
            if rows.is_empty() {
                continue;
            }
            page.gap();
            page.heading(heading);
            let mut grid = Grid::new(&["row", "order", "what"]);
            for outcome in rows.iter().take(MOST_SHOWN) {
                let what = match heading {
                    "Errors" => &outcome.detail,
                    _ => &outcome.warnings,
                };
                grid.row([
                    outcome.row.to_string(),
                    outcome.order_key.clone(),
                    what.clone(),
                ]);
            }
            grid.print_whole(&mut page);
            shown += rows.len().saturating_sub(MOST_SHOWN);
        }
        if shown > 0 {
            let advice = match &self.report {
                Some(file) => format!("all of them are in {}", file.display()),
                None => "--report FILE writes all of them".to_owned(),
            };
            page.gap();
            page.line(format!("… and {} more: {advice}", count(shown)));
        }
        page
    }
}

fn too_large(orders: &Orders<'_>, part: &Part) -> Outcome {
    Outcome {
        row: orders.number(part.rows.start),
        result: "error".to_owned(),
        detail: "the row is larger than what the API takes, 1 MB".to_owned(),
        ..Outcome::default()
    }
}

/// The number of rows with each result, without those that are zero.
fn counts(outcomes: &BTreeMap<usize, Outcome>) -> Vec<(&'static str, usize)> {
    let results = [
        "created",
        "amended",
        "unchanged",
        "error",
        "skipped",
        "no-answer",
    ];
    let counts = results.into_iter().map(|result| {
        let of_it = outcomes.values().filter(|outcome| outcome.result == result);
        (result, of_it.count())
    });
    counts.filter(|(_, number)| *number > 0).collect()
}

fn words(result: &str) -> &str {
    match result {
        "error" => "with errors",
        "skipped" => "of totals",
        "no-answer" => "without an answer",
        other => other,
    }
}

/// The result for programs.
#[derive(Serialize)]
struct Summary<'a> {
    read_as: String,
    counts: BTreeMap<&'static str, usize>,
    rows: Vec<&'a Outcome>,
}

impl<'a> Summary<'a> {
    fn of(orders: &Orders<'_>, outcomes: &'a BTreeMap<usize, Outcome>) -> Self {
        let rows = outcomes.values();
        let rows = rows.filter(|outcome| outcome.result == "error" || !outcome.warnings.is_empty());
        Self {
            read_as: orders.read_as(),
            counts: counts(outcomes).into_iter().collect(),
            rows: rows.collect(),
        }
    }
}

/// The report: a row for each row, in their order.
fn written<'a>(
    format: FileFormat,
    outcomes: impl Iterator<Item = &'a Outcome>,
) -> anyhow::Result<Vec<u8>> {
    let table = match format {
        FileFormat::Csv => tables::Format::Csv(tables::Separator::Comma),
        FileFormat::Xlsx => tables::Format::Xlsx,
        FileFormat::Ndjson => {
            let mut lines = Vec::new();
            for outcome in outcomes {
                serde_json::to_writer(&mut lines, outcome)?;
                lines.push(b'\n');
            }
            return Ok(lines);
        }
    };
    let columns = [
        ("row", Value::Number),
        ("service_id", Value::Text),
        ("order_key", Value::Text),
        ("result", Value::Text),
        ("detail", Value::Text),
        ("warnings", Value::Text),
    ];
    let mut sheet = Sheet::new(table, &columns);
    for outcome in outcomes {
        sheet.row(&[
            &outcome.row.to_string(),
            &outcome.service_id,
            &outcome.order_key,
            &outcome.result,
            &outcome.detail,
            &outcome.warnings,
        ]);
    }
    sheet
        .finish()
        .context("the report is too large for a workbook")
}
