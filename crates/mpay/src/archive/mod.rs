//! `mpay archive`: moves MPay's signed messages of old closed orders out of the store, into files.
//!
//! Over the order API, so it is the same for every engine and host, and nobody writes to the store but
//! the provider. A message leaves the store only once its copy is in a file that is on the disk and was
//! read back; the provider compares the SHA-256 of what was read back with what it has. Whatever is
//! broken off is gone on with by the next run: what stands in the files of the folder is not fetched
//! again, and what the store still has of it is moved then.

mod answers;
mod erased;
pub mod file;
mod folder;
mod run;
mod volume;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, ensure};
use clap::Args;
use jiff::Timestamp;
use mpay_domain::time;

use self::{folder::Folder, run::Run};
use crate::api::Access;

/// The fewest digits of a person's number: a short one is in every message.
const FEWEST_DIGITS: usize = 6;

/// The messages to move, and the folder they go to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay archive evidence --before 2026-01-01
  mpay archive /srv/evidence --before 2026-01-01 --url https://plati.exemplu.md/ --token-file token
  mpay archive evidence
  mpay archive evidence --erase-customer 2004001234567

Each file is a ZIP of the payments of a month, with a folder for each: MPay's signed confirmation, our
answer, and what was written down. A message leaves the store only when its copy is on the disk, was read
back, and has the SHA-256 of what is in the store. Orders, payments and sums stay.
First, what was erased in the store at a person's request is taken out of the files too; without --before
only that is done. With --erase-customer, so is every payment whose payer filled in this number: the store
does not know the person any more once it has erased orders by their age. If it is broken off, run it again.
Exit status: 0; 1 if the provider keeps something of which a file has a copy; 2 if it was broken off.")]
pub struct Arguments {
    /// The folder of the archives. It is made if it is not there.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Move what was recorded before this day.
    #[arg(long, value_name = "DATE")]
    before: Option<String>,
    /// Take the payments out whose payers filled in this number of a person (IDNP or IDNO).
    #[arg(long, value_name = "ID")]
    erase_customer: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Runs it.
///
/// # Errors
/// If there is no token, the API has not done what it was asked for, or a file cannot be read or
/// written.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let before = arguments.before.as_deref().map(|before| {
        let at = time::parse_start(before).with_context(|| format!("--before {before}"))?;
        ensure!(
            at <= Timestamp::now(),
            "--before {before} is not over yet: only what is old is moved"
        );
        Ok(before)
    });
    let before = before.transpose()?;
    let customer = arguments.erase_customer.as_deref().map(str::trim);
    ensure!(
        customer
            .is_none_or(|id| id.len() >= FEWEST_DIGITS
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric())),
        "--erase-customer takes the number of a person, such as an IDNP of 13 digits"
    );
    let api = arguments.access.api()?;
    let folder = Folder::take(&arguments.folder)?;
    let mut run = Run::new(&api, folder)?;
    run.follow_erasures(customer)?;
    if let Some(before) = before {
        run.move_out(before)?;
    }
    run.bar.finish_and_clear();
    run.report(before)
}
