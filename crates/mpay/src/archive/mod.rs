//! `mpay archive`: moves MPay's signed messages of old closed orders out of the store, into files.
//!
//! Over the order API, so it is the same for every engine and host, and nobody writes to the store but
//! the provider. A message leaves the store only once its copy is in a file that is on the disk and was
//! read back; the provider compares the SHA-256 of what was read back with what it has. Whatever is
//! broken off is gone on with by the next run: what stands in the files of the folder is not fetched
//! again, and what the store still has of it is moved then.

pub mod file;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mpay::{say, tell};
use mpay_domain::time;
use mpay_ledger::digest::sha256;
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{Access, Api, Refused, encode, query},
    files::make_folder,
    terminal::count,
};
use file::{About, Item};

/// The most payments of one file: three or four files each, of the 65,535 that a ZIP may have.
const MOST_PAYMENTS: usize = 16_000;
/// About the most bytes of one file, before it is compressed. A run that is killed fetches so much
/// again.
const MOST_BYTES: usize = 64 << 20;
/// Payments that one call moves.
const AT_ONCE: usize = 256;

/// What is moved, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay archive evidence --before 2026-01-01
  mpay archive /srv/evidence --before 2026-01-01 --url https://plati.exemplu.md/ --token-file token
  mpay archive evidence

Each file is a ZIP of the payments of a month, with a folder for each: MPay's signed confirmation, our
answer, and what was written down. A message leaves the store only when its copy is on the disk, was read
back, and has the SHA-256 of what is in the store. Orders, payments and sums stay.
First, what was erased in the store at a person's request is taken out of the files too; without --before
only that is done. If it is broken off, run it again.
Exit status: 0; 1 if the provider keeps something of which a file has a copy; 2 if it was broken off.")]
pub struct Arguments {
    /// The folder of the archives. It is made if it is not there.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Move what was recorded before this day.
    #[arg(long, value_name = "DATE")]
    before: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// A page of `GET /api/archive`.
#[derive(Debug, Deserialize)]
struct Movable {
    payments: Vec<Candidate>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    payment_id: String,
    index: u64,
    recorded_at: String,
    left: bool,
}

/// The answer of `POST /api/archive`.
#[derive(Debug, Deserialize)]
struct Moved {
    moved: usize,
    kept: Vec<Kept>,
}

#[derive(Debug, Deserialize)]
struct Kept {
    payment_id: String,
    reason: String,
}

/// An order that was erased at a person's request, and where in the journal that stands.
type Erased = HashMap<(String, String), u64>;

/// A payment by its id and place in the journal.
type Name = (String, u64);

/// What a file has of a payment.
#[derive(Debug, Clone)]
struct Copy {
    archive: String,
    payment_id: String,
    index: u64,
    request_sha256: String,
    answer_sha256: Option<String>,
}

impl Copy {
    fn of(archive: &str, item: &Item) -> Self {
        Self {
            archive: archive.to_owned(),
            payment_id: item.payment_id.clone(),
            index: item.index,
            request_sha256: item.request_sha256.clone(),
            answer_sha256: item.answer_sha256.clone(),
        }
    }
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
    let api = arguments.access.api()?;
    let folder = Folder::take(&arguments.folder)?;
    let mut run = Run::new(&api, folder)?;
    run.follow_erasures()?;
    if let Some(before) = before {
        run.move_out(before)?;
    }
    run.bar.finish_and_clear();
    run.report(before)
}

/// A folder of archives in which nobody else is at work.
struct Folder {
    path: PathBuf,
    /// The folder itself, locked: the lock ends with the process.
    _lock: File,
}

impl Folder {
    fn take(path: &Path) -> anyhow::Result<Self> {
        make_folder(path)?;
        let failed = || format!("cannot use the folder {}", path.display());
        let lock = File::open(path).with_context(failed)?;
        match lock.try_lock() {
            // Not every file system has locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another `mpay archive` is at work in {}: let it end, or choose another folder",
                path.display()
            ),
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        for name in folder.names()? {
            if name.starts_with('.') && name.ends_with(".zip.part") {
                // Of a run that was killed: nothing left the store for it.
                let part = folder.path.join(name);
                fs::remove_file(&part)
                    .with_context(|| format!("cannot remove {}", part.display()))?;
            }
        }
        Ok(folder)
    }

    fn names(&self) -> anyhow::Result<Vec<String>> {
        let failed = || format!("cannot read {}", self.path.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).with_context(failed)? {
            let name = entry.with_context(failed)?.file_name();
            names.extend(name.into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    /// The files that this command has made here, by their names.
    fn archives(&self) -> anyhow::Result<Vec<String>> {
        let mut names = self.names()?;
        names.retain(|name| {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let stem = name.strip_suffix(".zip").unwrap_or_default();
            let mut parts = stem.split('-');
            let (year, month) = (parts.next(), parts.next());
            year.is_some_and(|year| year.len() == 4 && digits(year))
                && month.is_some_and(|month| month.len() == 2 && digits(month))
                && parts.all(digits)
        });
        Ok(names)
    }

    fn read(&self, name: &str) -> anyhow::Result<(About, Vec<Item>)> {
        let path = self.path.join(name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        file::read(&bytes).with_context(|| {
            format!(
                "{} is no archive that is whole: nothing is moved as long as it is here",
                path.display()
            )
        })
    }

    /// A name for a month's file that no other has.
    fn free_name(&self, month: &str) -> String {
        let names = std::iter::once(format!("{month}.zip"));
        let more = (2..).map(|number: u32| format!("{month}-{number}.zip"));
        let is_free = |name: &String| fs::symlink_metadata(self.path.join(name)).is_err();
        names.chain(more).find(is_free).unwrap_or_default()
    }
}

/// A run, and what came of it.
struct Run<'a> {
    api: &'a Api,
    folder: Folder,
    /// What the files of the folder have.
    held: HashMap<Name, Copy>,
    bar: ProgressBar,
    moved: usize,
    taken_out: usize,
    kept: Vec<Kept>,
    /// Files that were made, with their payments.
    made: Vec<(String, usize)>,
}

impl<'a> Run<'a> {
    fn new(api: &'a Api, folder: Folder) -> anyhow::Result<Self> {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {human_pos} {msg}")?);
        Ok(Self {
            api,
            folder,
            held: HashMap::new(),
            bar,
            moved: 0,
            taken_out: 0,
            kept: Vec::new(),
            made: Vec::new(),
        })
    }

    /// Takes out of the files what was erased in the store at a person's request, and learns what is in
    /// them.
    fn follow_erasures(&mut self) -> anyhow::Result<()> {
        let archives = self.folder.archives()?;
        if archives.is_empty() {
            return Ok(());
        }
        let erased = self.erased()?;
        for name in archives {
            let (about, mut items) = self.folder.read(&name)?;
            let before = items.len();
            items.retain(|item| {
                let order = (item.service_id.clone(), item.order_key.clone());
                let at = erased.get(&order).copied().unwrap_or_default();
                !item.is_personal || item.index > at
            });
            if items.len() < before {
                self.take_out(&name, &about, &items)?;
                self.taken_out += before - items.len();
            }
            for item in &items {
                let copy = Copy::of(&name, item);
                self.held
                    .insert((item.payment_id.clone(), item.index), copy);
            }
        }
        Ok(())
    }

    /// Writes a file again with what is left in it; or removes it, where nothing is.
    fn take_out(&self, name: &str, about: &About, left: &[Item]) -> anyhow::Result<()> {
        if left.is_empty() {
            let path = self.folder.path.join(name);
            return fs::remove_file(&path)
                .and_then(|()| File::open(&self.folder.path)?.sync_all())
                .with_context(|| format!("cannot remove {}", path.display()));
        }
        let packed = file::pack(about, left)?;
        ensure!(
            file::read(&packed)?.1.len() == left.len(),
            "what is left of {name} does not come back"
        );
        file::write(&self.folder.path, name, &packed, true)
    }

    /// The orders that were erased at a person's request.
    fn erased(&self) -> anyhow::Result<Erased> {
        let mut erased = Erased::new();
        let mut cursor = "0".to_owned();
        self.bar.set_message("events read for erasures");
        loop {
            let path = format!(
                "events{}",
                query([("cursor", cursor.as_str()), ("limit", "200")])
            );
            let page = self.api.get(&path)?.json()?;
            let events = page["events"].as_array().context("no list of events")?;
            for event in events {
                let text = |name: &str| event[name].as_str().map(str::to_owned);
                if text("type").as_deref() == Some("personal_data.erased")
                    && text("reason").as_deref() == Some("request")
                    // Of a refused confirmation, which may name an order that was not erased.
                    && event["evidence"].is_null()
                    && let (Some(service), Some(key)) = (text("service_id"), text("order_key"))
                    && let Some(index) = event["index"].as_u64()
                {
                    erased.insert((service, key), index);
                }
            }
            self.bar.inc(events.len() as u64);
            match page["next"].as_str() {
                Some(next) if next != cursor => next.clone_into(&mut cursor),
                _ => return Ok(erased),
            }
        }
    }

    /// Moves out what was recorded before a day.
    fn move_out(&mut self, before: &str) -> anyhow::Result<()> {
        self.bar.set_position(0);
        self.bar.set_message("payments");
        let mut volume = Volume::default();
        let mut cursor = "0".to_owned();
        loop {
            let path = format!(
                "archive{}",
                query([("before", before), ("cursor", cursor.as_str())])
            );
            let page: Movable = serde_json::from_slice(&self.api.get(&path)?.body)
                .context("the provider's answer is not a list of payments")?;
            let mut known: BTreeMap<String, Vec<Copy>> = BTreeMap::new();
            for payment in page.payments {
                self.bar.inc(1);
                let name = (payment.payment_id.clone(), payment.index);
                if let Some(copy) = self.held.get(&name) {
                    known
                        .entry(copy.archive.clone())
                        .or_default()
                        .push(copy.clone());
                    continue;
                }
                if payment.left {
                    // It was moved before, into another folder or a file that is gone.
                    continue;
                }
                if volume.is_full_for(&payment) {
                    self.finish(std::mem::take(&mut volume))?;
                }
                match self.fetch(&payment) {
                    Ok(item) => volume.add(&payment, item),
                    // Somebody has erased or moved it since the page was made.
                    Err(error) if error.is::<Refused>() => self.kept.push(Kept {
                        payment_id: payment.payment_id,
                        reason: format!("{error:#}"),
                    }),
                    Err(error) => return Err(error),
                }
            }
            // What a run before has written, and has not come to move.
            for (archive, copies) in known {
                self.tell_moved(&archive, &copies)?;
            }
            match page.next {
                Some(next) if next != cursor => cursor = next,
                _ => break,
            }
        }
        self.finish(volume)
    }

    fn fetch(&self, payment: &Candidate) -> anyhow::Result<Item> {
        let id = &payment.payment_id;
        let path = format!("payments/{}/evidence", encode(id));
        let zip = self.api.get(&path)?.body;
        let item = Item::unpack(&zip).with_context(|| format!("the evidence of payment {id}"))?;
        ensure!(
            (&item.payment_id, item.index) == (id, payment.index),
            "the provider answered the evidence of another payment than {id}"
        );
        Ok(item)
    }

    /// Writes a file, reads it back, and only then has the store give up what is in it.
    fn finish(&mut self, volume: Volume) -> anyhow::Result<()> {
        if volume.items.is_empty() {
            return Ok(());
        }
        let name = self.folder.free_name(&volume.month);
        let about = About::new(time::format(Timestamp::now()));
        let packed = file::pack(&about, &volume.items)?;
        file::write(&self.folder.path, &name, &packed, false)?;
        let (_, items) = self.folder.read(&name)?;
        ensure!(
            items.len() == volume.items.len(),
            "{name} has not all that was written into it: nothing of it left the store"
        );
        let copies: Vec<_> = items.iter().map(|item| Copy::of(&name, item)).collect();
        self.made.push((name.clone(), copies.len()));
        self.tell_moved(&name, &copies)
    }

    fn tell_moved(&mut self, archive: &str, copies: &[Copy]) -> anyhow::Result<()> {
        for copies in copies.chunks(AT_ONCE) {
            let payments: Vec<_> = copies
                .iter()
                .map(|copy| {
                    json!({
                        "payment_id": copy.payment_id, "index": copy.index,
                        "request_sha256": copy.request_sha256, "answer_sha256": copy.answer_sha256,
                    })
                })
                .collect();
            let body = json!({"archive": archive, "payments": payments}).to_string();
            let answer = self
                .api
                .post("archive", "application/json", body.as_bytes())?;
            let moved: Moved = serde_json::from_slice(&answer.body)
                .context("the provider's answer does not say what was moved")?;
            self.moved += moved.moved;
            self.kept.extend(moved.kept);
        }
        Ok(())
    }

    fn report(self, before: Option<&str>) -> anyhow::Result<ExitCode> {
        for (name, payments) in &self.made {
            let path = self.folder.path.join(name);
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            say!(
                "{}  {} payments, {} bytes, SHA-256 {}",
                path.display(),
                count(*payments),
                count(bytes.len()),
                sha256(&bytes)
            )?;
        }
        if self.taken_out > 0 {
            say!(
                "{} payments were taken out of the files: they were erased at a person's request.",
                count(self.taken_out)
            )?;
        }
        match (before, self.moved) {
            (None, _) => say!("Nothing is moved without --before.")?,
            (Some(before), 0) => say!("Nothing recorded before {before} is to be moved.")?,
            (Some(before), moved) => say!(
                "The messages of {} payments recorded before {before} are in the files, and not in the store any more.",
                count(moved)
            )?,
        }
        for kept in &self.kept {
            tell!(
                "{}",
                crate::terminal::clean(&format!(
                    "Payment {} was not moved: {}.",
                    kept.payment_id,
                    kept.reason.trim_end_matches('.')
                ))
            );
        }
        Ok(match self.kept.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

/// The file that is being gathered.
#[derive(Default)]
struct Volume {
    month: String,
    items: Vec<Item>,
    size: usize,
}

impl Volume {
    /// Whether a payment goes into another file. One that is dated back, by another clock, does not.
    fn is_full_for(&self, payment: &Candidate) -> bool {
        !self.items.is_empty()
            && (month(payment) > self.month.as_str()
                || self.items.len() >= MOST_PAYMENTS
                || self.size >= MOST_BYTES)
    }

    fn add(&mut self, payment: &Candidate, item: Item) {
        if self.items.is_empty() {
            month(payment).clone_into(&mut self.month);
        }
        self.size += item.size();
        self.items.push(item);
    }
}

/// The month in which it was recorded, as `2026-01`.
fn month(payment: &Candidate) -> &str {
    payment.recorded_at.get(..7).unwrap_or("0000-00")
}
