//! `mpay backup` and `mpay restore`: the books as one file, and back.

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mpay::{component, say, state::State};
use mpay_domain::time;
use mpay_host::{
    KEY_VALUE_FILE, Manifest,
    backup::{self, Backup},
};

/// Where the data is.
#[derive(Debug, Args)]
struct Folder {
    /// Folder of the data [default: .spin beside spin.toml].
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
}

impl Folder {
    fn find(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.state_dir {
            return Ok(folder.clone());
        }
        let workspace = component::workspace_root().context(
            "there is no spin.toml here, above or beside mpay: name the folder by --state-dir",
        )?;
        Ok(Manifest::load(workspace.join("spin.toml"))?.default_state_dir())
    }
}

/// Of what a copy is taken, and where it goes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay backup books-2026-11-28.db
  mpay backup /mnt/backup/$(date +%F).db --state-dir /var/lib/mpay-provider
  mpay backup --check books-2026-11-28.db

Run it while the provider runs, under `mpay up` or Spin on its SQLite file: the copy is that of one
moment, and whatever was acknowledged before is in it. It holds orders, payments, evidence and personal
data; the signing key and tokens are not in it.
Exit status: 0; 2 if there is no copy, or it is not whole.")]
pub struct BackupArguments {
    /// The file to be made. Nothing is written over.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
    /// Read a copy that was made before, and say whether it is whole.
    #[arg(long, conflicts_with = "state_dir")]
    check: bool,
}

/// What is put back, and where.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay restore books-2026-11-28.db
  mpay restore /mnt/backup/2026-11-28.db --state-dir /var/lib/mpay-provider --yes

Stop the provider first. What MPay has confirmed since the copy was made is not in it, and MPay does not
confirm it again: docs/operate.md says how it is found.
Exit status: 0; 2 if nothing was put back.")]
pub struct RestoreArguments {
    /// A file that `mpay backup` has made.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
    /// Move the store that is there aside, also where it holds real orders.
    #[arg(long)]
    yes: bool,
}

/// Takes a copy, or looks at one.
pub fn back_up(arguments: &BackupArguments) -> anyhow::Result<ExitCode> {
    if arguments.check {
        let held = backup::check(&arguments.file)?;
        say!("{} is whole.", arguments.file.display())?;
        show(&held)?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = arguments.folder.find()?.join(KEY_VALUE_FILE);
    let now = time::format(Timestamp::now());
    let bar = bar();
    let made = backup::back_up(&store, &arguments.file, &now, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let made = made?;
    say!(
        "{} has all of {}.",
        arguments.file.display(),
        store.display()
    )?;
    show(&made)?;
    Ok(ExitCode::SUCCESS)
}

/// Puts a copy back.
pub fn restore(arguments: &RestoreArguments) -> anyhow::Result<ExitCode> {
    // Before anything is moved.
    backup::check(&arguments.file)?;
    let folder = arguments.folder.find()?;
    let state = State::take(&folder, false)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let aside = runtime.block_on(state.begin_anew(arguments.yes, Timestamp::now()))?;
    if let Some(aside) = &aside {
        say!("The store of before is {} now.", aside.display())?;
    }
    let store = folder.join(KEY_VALUE_FILE);
    let bar = bar();
    let held = backup::restore(&arguments.file, &store, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let held = held?;
    say!(
        "{} holds what {} does.",
        store.display(),
        arguments.file.display()
    )?;
    show(&held)?;
    say!(
        "\nStart the provider, and call POST /api/repair. Payments that MPay has confirmed since {}\n\
         are missing. Compare with MPay's statement from that day on (mpay settle): what is in the\n\
         statement and not recorded is entered by hand, by two people.",
        held.made_at
    )?;
    Ok(ExitCode::SUCCESS)
}

fn show(held: &Backup) -> io::Result<()> {
    say!("Made at   {}", held.made_at)?;
    say!("Keys      {}", held.keys)?;
    say!("Bytes     {}", held.bytes)?;
    say!("SHA-256   {}", held.sha256)
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = "{bar:40} {bytes} of about {total_bytes}, {elapsed}";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
