//! `mpay backup`, `mpay restore` and `mpay state`: the books as one file, and back; and the file in which
//! they are.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mpay::{
    component,
    development::read,
    say,
    state::{State, is_being_replaced},
    tell,
};
use mpay_domain::time;
use mpay_host::{
    Database, KEY_VALUE_FILE, Manifest,
    backup::{self, Backup, Books, Server},
};
use tokio::runtime::Runtime;

/// The folder of the data, for the commands that work on it.
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

/// The properties of these books that the host needs for a copy and cannot know by itself.
pub const BOOKS: Books = Books {
    store: "default",
    is_counter: mpay_ledger::is_counter,
    gate: mpay_ledger::GATE,
    table: mpay_ledger::postgres::TABLE,
};

/// The server at an address, or at that of a file. Warns where others can read along.
fn server(address: &str, ca: Option<&Path>) -> anyhow::Result<Server> {
    let address = match address.strip_prefix('@') {
        Some(file) => read(Path::new(file))?.trim().to_owned(),
        None => address.to_owned(),
    };
    let ca = ca.map(read).transpose()?;
    let server = Server::at(&address, ca).context(
        "an address is redis://… or rediss://…, or postgres://USER:PASSWORD@HOST/DATABASE?sslmode=require, or @FILE that has it",
    )?;
    if let Some(weakness) = server.weakness_of_address() {
        tell!("Warning: {weakness}");
    }
    Ok(server)
}

/// Of what a copy is taken, and where it goes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay backup books-2026-11-28.db
  mpay backup /mnt/backup/$(date +%F).db --state-dir /var/lib/mpay-provider
  mpay backup books.db --from @database-url
  mpay backup --check books-2026-11-28.db

Run it while the provider runs: the copy is that of one moment, and whatever was acknowledged before is in
it. It is the same file whatever it was taken of, and `mpay restore` puts it into another engine too. It
holds orders, payments, evidence and personal data; the signing key and tokens are not in it.
Exit status: 0; 2 if there is no copy, or it is not whole.")]
pub struct BackupArguments {
    /// The file to be made. Nothing is written over.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
    /// The store of the books, where it is not this folder: postgres://…, redis://… or rediss://…, or
    /// @FILE that has the address. An address with a password is better in a file: others see arguments.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "state_dir")]
    from: Option<String>,
    /// The authority of PostgreSQL's certificate, PEM, if the machine does not know it.
    #[arg(long, value_name = "FILE", requires = "from")]
    ca: Option<PathBuf>,
    /// Nobody writes: read a Redis that does not let its snapshot be read, and look that it is so.
    #[arg(long, requires = "from")]
    stopped: bool,
    /// Read a copy that was made before, and say whether it is whole.
    #[arg(long, conflicts_with_all = ["state_dir", "from"])]
    check: bool,
}

/// The arguments of `mpay restore`: the copy, and the place where it goes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay restore books-2026-11-28.db
  mpay restore /mnt/backup/2026-11-28.db --state-dir /var/lib/mpay-provider --yes
  mpay restore books.db --to @database-url

Stop every host first. A server must be empty. If it is broken off, run it again. What MPay has confirmed since the copy was made is not in
it, and MPay does not confirm it again: docs/operate.md says how it is found.
Exit status: 0; 2 if nothing was put back.")]
pub struct RestoreArguments {
    /// A file that `mpay backup` has made.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
    /// The store to put it into, instead of the folder: postgres://…, redis://… or rediss://…, or @FILE
    /// that has the address.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["state_dir", "yes"])]
    to: Option<String>,
    /// The authority of PostgreSQL's certificate, PEM, if the machine does not know it.
    #[arg(long, value_name = "FILE", requires = "to")]
    ca: Option<PathBuf>,
    /// Move the store that is there aside, also where it holds real orders.
    #[arg(long)]
    yes: bool,
}

/// The arguments of `mpay state`: the folder, and the changes to make there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay state
  mpay state --wal --state-dir /srv/provider/.spin

A write-ahead log is for Spin, which confirms some three times as many payments a second with it. It stays
with the file. `mpay up` gives it to every file that it opens.")]
pub struct StateArguments {
    #[command(flatten)]
    folder: Folder,
    /// Give the file a write-ahead log, also while a host uses it.
    #[arg(long)]
    wal: bool,
}

/// The store of a folder, unless it is being replaced: then its log may be another's.
fn whole_store(folder: &Folder) -> anyhow::Result<PathBuf> {
    let folder = folder.find()?;
    ensure!(
        !is_being_replaced(&folder),
        "the store in {} is being replaced, or that was broken off: `mpay up` or `mpay restore` puts it right",
        folder.display()
    );
    Ok(folder.join(KEY_VALUE_FILE))
}

/// Says what the folder of the data has, and gives it a write-ahead log.
pub fn state(arguments: &StateArguments) -> anyhow::Result<ExitCode> {
    let store = whole_store(&arguments.folder)?;
    let there = || format!("there is no {}", store.display());
    let size = std::fs::metadata(&store).with_context(there)?.len();
    if arguments.wal {
        Database::keep_log(&store)?;
    }
    say!("Store     {}", store.display())?;
    say!("Bytes     {size}")?;
    say!(
        "Log       {}",
        match Database::has_log(&store)? {
            true => "write-ahead",
            false => "none: Spin is faster with one (--wal)",
        }
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Takes a copy, or looks at one.
pub fn back_up(arguments: &BackupArguments) -> anyhow::Result<ExitCode> {
    if arguments.check {
        let held = backup::check(&arguments.file)?;
        say!("{} is whole.", arguments.file.display())?;
        show(&held)?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = time::format(Timestamp::now());
    let (made, source) = match &arguments.from {
        Some(from) => {
            let server = server(from, arguments.ca.as_deref())?;
            let (stopped, file) = (arguments.stopped, &arguments.file);
            let made = shown(|progress| {
                let runtime = Runtime::new()?;
                let copied = backup::back_up_from(&server, stopped, &BOOKS, file, &now, progress);
                Ok(runtime.block_on(copied)?)
            })?;
            (made, server.to_string())
        }
        None => {
            let store = whole_store(&arguments.folder)?;
            let made = shown(|progress| {
                let copied = backup::back_up(&store, &arguments.file, &now, progress);
                Ok(copied?)
            })?;
            (made, store.display().to_string())
        }
    };
    say!("{} has all of {source}.", arguments.file.display())?;
    show(&made)?;
    Ok(ExitCode::SUCCESS)
}

/// Puts a copy back.
pub fn restore(arguments: &RestoreArguments) -> anyhow::Result<ExitCode> {
    let runtime = Runtime::new()?;
    let (held, store) = match &arguments.to {
        Some(to) => {
            let server = server(to, arguments.ca.as_deref())?;
            for weakness in runtime.block_on(server.weaknesses())? {
                tell!("Warning: {weakness}");
            }
            let held = shown(|progress| {
                let put_back = backup::restore_to(&arguments.file, &server, &BOOKS, progress);
                Ok(runtime.block_on(put_back)?)
            })?;
            (held, server.to_string())
        }
        None => {
            let folder = arguments.folder.find()?;
            let state = State::take_to_replace(&folder)?;
            runtime.block_on(state.may_begin_anew(arguments.yes))?;
            let store = folder.join(KEY_VALUE_FILE);
            let prepared =
                shown(|progress| Ok(backup::prepare(&arguments.file, &store, progress)?))?;
            let aside = runtime.block_on(state.begin_anew(arguments.yes, Timestamp::now()))?;
            let held = prepared.take_place().or_else(|error| {
                if let Some(aside) = &aside {
                    if !state.put_back(aside)? {
                        tell!(
                            "The store of before is {} now: another came in its place.",
                            aside.display()
                        );
                    }
                    state.replaced()?;
                }
                Err(anyhow::Error::from(error))
            })?;
            state.replaced()?;
            if let Some(aside) = &aside {
                say!("The store of before is {} now.", aside.display())?;
            }
            (held, store.display().to_string())
        }
    };
    say!("{store} holds what {} does.", arguments.file.display())?;
    show(&held)?;
    say!(
        "\nStart the provider, and call POST /api/repair. Payments that MPay has confirmed since {}\n\
         are missing. Compare with MPay's statement from that day on (mpay settle): what is in the\n\
         statement and not recorded is entered by hand, by two people.",
        held.made_at
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Shows on a terminal how far it is.
fn shown<T>(
    work: impl FnOnce(&(dyn Fn(u64, u64) + Sync)) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let bar = bar();
    let done = work(&|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    done
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
