//! `mpay orders export`: all parts of an export as one file.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use mpay::tell;
use tables::{Sheet, Table};

use super::filters::Filters;
use crate::{
    api::{Api, query},
    files::Whole,
    table_file::{FileFormat, read_table},
    terminal::count,
};

/// As many orders as one call gives.
const PART: &str = "2000";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay orders export --output orders.xlsx
  mpay orders export --output active.csv --separator semicolon --status Active
  mpay orders export --format ndjson --registered-from 2026-11-01 | wc -l

The file is there under its name when it is whole, and not before.")]
pub struct Export {
    /// The format [default: what --output ends with, otherwise csv].
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// The file; one that is there is replaced [default: standard output].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Separator of the cells of a CSV; with a semicolon, amounts have a comma.
    #[arg(long, value_enum)]
    separator: Option<Separator>,
    #[command(flatten)]
    filters: Filters,
}

/// The separators between the cells of a CSV.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Separator {
    Comma,
    Semicolon,
    Tab,
}

/// The target of an export: a file that is there whole or not at all, or standard output.
enum Target {
    File(Whole),
    Output,
}

impl Target {
    fn write(&mut self, content: &[u8]) -> anyhow::Result<()> {
        match self {
            Target::File(file) => file.write(content),
            Target::Output => {
                let mut output = io::stdout().lock();
                output.write_all(content)?;
                Ok(output.flush()?)
            }
        }
    }
}

impl Export {
    /// Exports orders.
    ///
    /// # Errors
    /// If a call failed for good, or the file cannot be written.
    pub fn run(&self, api: &Api) -> anyhow::Result<ExitCode> {
        let format = match (self.format, &self.output) {
            (Some(format), _) => format,
            (None, Some(file)) => FileFormat::of(file)?,
            (None, None) => FileFormat::Csv,
        };
        if format == FileFormat::Xlsx && self.output.is_none() && io::stdout().is_terminal() {
            bail!("a workbook is nothing to be shown: give --output");
        }
        let mut target = match &self.output {
            Some(file) => Target::File(Whole::begin(file)?),
            None => Target::Output,
        };
        let mut whole = match format {
            FileFormat::Xlsx => Joined::Workbook(None),
            FileFormat::Csv => Joined::Csv(None),
            FileFormat::Ndjson => Joined::Lines,
        };
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template(
            "{spinner} {human_pos} orders",
        )?);
        let mut path = format!("orders/export{}", query(self.pairs(format)));
        loop {
            let answer = api.get(&path)?;
            let (content, number) = whole.add(&answer.body)?;
            if let Err(error) = target.write(content) {
                // A reader that has seen enough, such as `head`, is no error.
                let io = error.downcast_ref::<io::Error>();
                return match io.map(io::Error::kind) {
                    Some(io::ErrorKind::BrokenPipe) => Ok(ExitCode::SUCCESS),
                    _ => Err(error),
                };
            }
            bar.inc(number as u64);
            match answer.next_part() {
                Some(next) => next.clone_into(&mut path),
                None => break,
            }
        }
        if let Joined::Workbook(Some(sheet)) = whole {
            let workbook = sheet.finish();
            target.write(&workbook.context("the orders are too many for a workbook")?)?;
        }
        let number = usize::try_from(bar.position()).unwrap_or(usize::MAX);
        bar.finish_and_clear();
        if let (Target::File(file), Some(name)) = (target, &self.output) {
            file.finish()?;
            tell!("{} orders are in {}.", count(number), name.display());
        }
        Ok(ExitCode::SUCCESS)
    }

    fn pairs(&self, format: FileFormat) -> Vec<(&'static str, &str)> {
        let mut pairs = vec![("format", format.word()), ("limit", PART)];
        if let Some(separator) = self.separator {
            let word = match separator {
                Separator::Comma => "comma",
                Separator::Semicolon => "semicolon",
                Separator::Tab => "tab",
            };
            pairs.push(("separator", word));
        }
        pairs.extend(self.filters.pairs());
        pairs
    }
}

/// The parts that came so far.
enum Joined {
    Lines,
    /// The first line, which each part begins with.
    Csv(Option<Vec<u8>>),
    Workbook(Option<Sheet>),
}

impl Joined {
    /// Takes a part in. Gives what is to be written of it now, and how many orders it has.
    fn add<'a>(&mut self, part: &'a [u8]) -> anyhow::Result<(&'a [u8], usize)> {
        const OTHER: &str = "the parts of the export do not have the same columns: was the provider updated in between? Export again";
        match self {
            Joined::Lines => {
                let ends = part.iter().filter(|byte| **byte == b'\n');
                Ok((part, ends.count()))
            }
            Joined::Csv(names) => {
                let end = part
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or_default();
                let (own, rows) = part.split_at_checked(end + 1).unwrap_or((part, &[]));
                let number = table(part)?.rows().count();
                match names {
                    None => {
                        *names = Some(own.to_vec());
                        Ok((part, number))
                    }
                    Some(names) => {
                        ensure!(names == own, OTHER);
                        Ok((rows, number))
                    }
                }
            }
            Joined::Workbook(sheet) => {
                let table = table(part)?;
                let sheet = match sheet {
                    None => sheet.insert(Sheet::part_of(&table)),
                    Some(sheet) => sheet,
                };
                ensure!(sheet.has_columns_of(&table), OTHER);
                table.rows().for_each(|row| sheet.copy(&row));
                Ok((&[], table.rows().count()))
            }
        }
    }
}

fn table(part: &[u8]) -> anyhow::Result<Table> {
    read_table(part, &["order_key"], None).context("the provider's answer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tables::{Format, Value};

    fn part(format: Format, rows: &[[&str; 2]]) -> Vec<u8> {
        let columns = [("order_key", Value::Text), ("amount_due", Value::Amount)];
        let mut sheet = Sheet::new(format, &columns);
        rows.iter().for_each(|row| sheet.row(row));
        sheet.finish().unwrap()
    }

    #[test]
    fn parts_make_the_file_that_one_call_would_make() {
        for separator in [tables::Separator::Comma, tables::Separator::Semicolon] {
            let format = Format::Csv(separator);
            let mut joined = Joined::Csv(None);
            let mut written = Vec::new();
            for rows in [
                &[["00\n1", "10.05"]][..],
                &[],
                &[["b", "1250.50"], ["c", ""]],
            ] {
                let part = part(format, rows);
                let (content, number) = joined.add(&part).unwrap();
                assert_eq!(number, rows.len());
                written.extend_from_slice(content);
            }
            let whole = [["00\n1", "10.05"], ["b", "1250.50"], ["c", ""]];
            assert_eq!(written, part(format, &whole));
        }
    }

    #[test]
    fn a_workbook_of_parts_has_all_rows_with_their_types() {
        let mut joined = Joined::Workbook(None);
        for rows in [&[["00012", "10.05"]][..], &[["'b", "1250.50"]]] {
            joined.add(&part(Format::Xlsx, rows)).unwrap();
        }
        let Joined::Workbook(Some(sheet)) = joined else {
            panic!("nothing was joined");
        };
        let table = table(&sheet.finish().unwrap()).unwrap();
        let rows: Vec<_> = table
            .rows()
            .map(|row| {
                let key = row.cell("order_key").identifier().unwrap().unwrap();
                (key, row.cell("amount_due").clone())
            })
            .collect();
        let keys: Vec<_> = rows.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["00012", "'b"]);
        assert!(
            rows.iter()
                .all(|(_, cell)| matches!(cell, tables::Cell::Number(_)))
        );
    }

    #[test]
    fn parts_of_other_columns_make_no_file() {
        let other = b"order_key,status\r\nA,Paid\r\n";
        let mut joined = Joined::Csv(None);
        let csv = part(Format::Csv(tables::Separator::Comma), &[]);
        joined.add(&csv).unwrap();
        assert!(joined.add(other).is_err());
        let mut joined = Joined::Workbook(None);
        joined.add(&part(Format::Xlsx, &[["a", "1"]])).unwrap();
        let mut sheet = Sheet::new(Format::Xlsx, &[("order_key", Value::Text)]);
        sheet.row(&["b"]);
        assert!(joined.add(&sheet.finish().unwrap()).is_err());
    }
}
