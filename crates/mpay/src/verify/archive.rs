//! An archive that `mpay archive` has made: what the evidence of each of its payments proves.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde::Serialize;
use wsse::{Certificate, Trust};

use super::{
    Arguments,
    evidence::{Evidence, Meta},
    report::{Report, TimeSource},
    tell, time_of,
};
use crate::{
    archive::file::{self, Item},
    terminal::{Mark, Page, count},
};

/// Enough to see the name of a ZIP's first file.
const BEGINNING: u64 = 64;

/// The proof that an archive gives.
#[derive(Default, Serialize)]
struct Judgement {
    file: String,
    holds: bool,
    /// All of them.
    payments: usize,
    /// Those that MPay has signed, and all of it holds.
    signed: usize,
    wrong: Vec<Wrong>,
}

#[derive(Serialize)]
struct Wrong {
    /// Absent where the file as a whole is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    what: String,
}

/// True if a file is an archive, by its beginning: a message and the evidence of one payment are not.
pub(super) fn is_archive(file: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    read.is_ok() && file::begins_as_one(&beginning)
}

/// Judges it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ensure!(
        arguments.signers.are_given(),
        "evidence cannot vouch for itself: give MPay's certificates with --certificate FILE, or the authority's with --authority FILE and MPay's name with --signer-name NAME"
    );
    let (trust, providers) = arguments.believed()?;
    let mut judgement = Judgement {
        file: arguments.file.display().to_string(),
        ..Judgement::default()
    };
    let bytes = fs::read(&arguments.file)
        .with_context(|| format!("cannot read {}", arguments.file.display()))?;
    match file::read(&bytes) {
        Err(error) => judgement.wrong.push(Wrong {
            payment_id: None,
            what: format!("the file is damaged: {error:#}"),
        }),
        Ok((_, items)) => judgement.judge(items, arguments.at, &trust, &providers),
    }
    judgement.holds = judgement.wrong.is_empty();
    tell(judgement.holds, arguments.json, &judgement, || {
        judgement.page()
    })
}

/// A folder of an archive as evidence, and the time for which it is judged.
fn with_time(
    item: Item,
    at: Option<Timestamp>,
) -> anyhow::Result<(Evidence, Timestamp, TimeSource)> {
    let evidence = evidence(item)?;
    let (at, source) = time_of(at, &evidence)?;
    Ok((evidence, at, source))
}

/// A folder of an archive as evidence.
fn evidence(item: Item) -> anyhow::Result<Evidence> {
    let mut evidence = Evidence::default();
    for (name, content) in item.files {
        match name.as_str() {
            "request.xml" => evidence.request = content,
            "answer.xml" => evidence.answer = Some(content),
            "meta.json" => evidence.meta = Some(serde_json::from_slice(&content)?),
            _ => evidence.ignored.push(name),
        }
    }
    let is_signed = evidence.meta.as_ref().and_then(Meta::receipt).is_some();
    ensure!(is_signed, "meta.json names no signer");
    Ok(evidence)
}

impl Judgement {
    /// Judges each payment.
    fn judge(
        &mut self,
        items: Vec<Item>,
        at: Option<Timestamp>,
        trust: &Trust,
        providers: &[Certificate],
    ) {
        for item in items {
            self.payments += 1;
            let payment_id = Some(item.payment_id.clone());
            let wrong = match with_time(item, at) {
                Err(error) => vec![format!("{error:#}")],
                Ok((evidence, at, source)) => {
                    // Where others finished the recording, or no answer could be signed, there is none.
                    let providers = match evidence.answer {
                        Some(_) => providers,
                        None => &[],
                    };
                    let mut report = Report::new(String::new(), at, source);
                    report.judge(&evidence, trust.clone(), providers);
                    let wrong = report.checks.into_iter().filter(|check| !check.holds);
                    wrong.map(|check| check.what).collect()
                }
            };
            match wrong.as_slice() {
                [] => self.signed += 1,
                wrong => self.wrong.push(Wrong {
                    payment_id,
                    what: wrong.join("; "),
                }),
            }
        }
    }

    fn page(&self) -> Page {
        let mut page = Page::new();
        page.heading(&self.file);
        page.field("Payments", count(self.payments));
        page.field(
            "",
            format!("{} signed by MPay, and it holds", count(self.signed)),
        );
        page.gap();
        for wrong in &self.wrong {
            let what = match &wrong.payment_id {
                Some(id) => format!("payment {id}: {}", wrong.what),
                None => wrong.what.clone(),
            };
            page.finding(Mark::Wrong, &what, None);
        }
        page.line(match self.holds {
            true => "The file is whole, and every signature in it holds.",
            false => "This archive does not hold.",
        });
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::file::tests::item;

    #[test]
    fn what_cannot_be_judged_is_said_of_its_payment_and_the_rest_goes_on() {
        let mut broken = item(7, "P");
        for (name, content) in &mut broken.files {
            if name == "meta.json" {
                let text = String::from_utf8(content.clone()).unwrap();
                *content = text
                    .replace("2026-06-01T12:00:05+03:00", "yesterday")
                    .into();
            }
        }
        let (mut judgement, trust) = (Judgement::default(), Trust::pinned(Vec::new()));
        judgement.judge(vec![broken, item(8, "Q")], None, &trust, &[]);
        let wrong: Vec<_> = judgement
            .wrong
            .iter()
            .map(|wrong| wrong.what.as_str())
            .collect();
        assert_eq!((judgement.payments, wrong.len()), (2, 2), "{wrong:?}");
        assert!(wrong[0].contains("received_at"), "{wrong:?}");
    }
}
