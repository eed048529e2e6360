//! `mpay archive`: moves MPay's signed messages of old closed orders out of the store, into files.
//!
//! Over the order API, so it is the same for every engine and host, and nobody writes to the store but
//! the provider. A message leaves the store only once its copy is in a file that is on the disk and was
//! read back; the provider compares the SHA-256 of what was read back with what it has. Whatever is
//! broken off is gone on with by the next run: what stands in the files of the folder is not fetched
//! again, and what the store still has of it is moved then.

pub mod file;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File, OpenOptions, TryLockError},
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
use serde_json::{Value, json};

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

/// The file by whose lock a folder is one process's. It must be one that is open to be written: elsewhere
/// than on a local disk, nothing else is locked.
const LOCK: &str = ".mpay-archive.lock";
/// The fewest digits of a person's number: a short one is in every message.
const FEWEST_DIGITS: usize = 6;

/// The journal's words on erasures at a person's request, and on payments.
#[derive(Debug, Default)]
struct Said {
    /// The places in the lists of orders before which they are erased.
    erased: HashMap<(String, String), u64>,
    /// Payments by their places in the journal.
    payments: HashMap<u64, Recorded>,
}

/// A payment in the journal.
#[derive(Debug)]
struct Recorded {
    payment_id: String,
    evidence: String,
    /// Its place in its order's list.
    version: u64,
}

impl Said {
    /// Adds an event, and of payments those of whose places is asked.
    fn add(&mut self, event: &Value, is_asked: impl Fn(u64) -> bool) {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        let version = event["version"].as_u64();
        match event["type"].as_str() {
            Some("personal_data.erased")
                if event["reason"].as_str() == Some("request")
                    // Of a refused confirmation, which may name an order that was not erased.
                    && event["evidence"].is_null() =>
            {
                if let (Some(service), Some(key), Some(version)) =
                    (text("service_id"), text("order_key"), version)
                {
                    let erased = self.erased.entry((service, key)).or_default();
                    *erased = version.max(*erased);
                }
            }
            Some("payment.recorded") => {
                if let (Some(index), Some(payment_id), Some(evidence), Some(version)) = (
                    event["index"].as_u64().filter(|index| is_asked(*index)),
                    text("payment_id"),
                    text("evidence"),
                    version,
                ) {
                    let recorded = Recorded {
                        payment_id,
                        evidence,
                        version,
                    };
                    self.payments.insert(index, recorded);
                }
            }
            _ => {}
        }
    }

    /// True if this payment of this very store was erased. It stands in its order's list before the
    /// erasure; places in the journal may be the other way round.
    fn is_erased(&self, item: &Item) -> bool {
        let order = (item.service_id.clone(), item.order_key.clone());
        let erased = self.erased.get(&order).copied().unwrap_or_default();
        self.payments.get(&item.index).is_some_and(|recorded| {
            (&recorded.payment_id, &recorded.evidence) == (&item.payment_id, &item.evidence)
                && recorded.version < erased
        })
    }
}

/// A payment by its id and place in the journal.
type Name = (String, u64);

/// The copy of a payment's messages that a file has.
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

/// A folder of archives in which nobody else is at work.
struct Folder {
    path: PathBuf,
    /// Locked: the lock ends with the process.
    _lock: File,
}

impl Folder {
    fn take(path: &Path) -> anyhow::Result<Self> {
        make_folder(path)?;
        let failed = || format!("cannot use the folder {}", path.display());
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let lock = options.open(path.join(LOCK)).with_context(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| {
                format!(
                    "the file system of {} has no locks, so two could work there at once: choose a folder on another, and copy the files from there",
                    path.display()
                )
            }),
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
            let part = folder.path.join(&name);
            let is_empty =
                || fs::symlink_metadata(&part).is_ok_and(|it| it.is_file() && it.len() == 0);
            // Of a run that was killed: nothing left the store for it.
            if file::is_unfinished(&name) || is_archive(&name) && is_empty() {
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
        names.retain(|name| is_archive(name));
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
}

/// True if a file has a name that this command gives.
fn is_archive(name: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let stem = name.strip_suffix(".zip").unwrap_or_default();
    let mut parts = stem.split('-');
    let (year, month) = (parts.next(), parts.next());
    year.is_some_and(|year| year.len() == 4 && digits(year))
        && month.is_some_and(|month| month.len() == 2 && digits(month))
        && parts.all(digits)
}

/// A run, and what came of it.
struct Run<'a> {
    api: &'a Api,
    folder: Folder,
    /// The copies that the files of the folder have.
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
    /// them. So are the payments whose payer filled in the number of a customer.
    fn follow_erasures(&mut self, customer: Option<&str>) -> anyhow::Result<()> {
        let archives = self.folder.archives()?;
        if archives.is_empty() {
            return Ok(());
        }
        let mut personal: HashMap<String, Vec<Item>> = HashMap::new();
        let mut meant: BTreeMap<String, HashSet<Name>> = BTreeMap::new();
        for name in &archives {
            for mut item in self.folder.read(name)?.1 {
                let key = (item.payment_id.clone(), item.index);
                self.held.insert(key.clone(), Copy::of(name, &item));
                if customer.is_some_and(|id| item.names(id)) {
                    meant.entry(name.clone()).or_default().insert(key);
                } else if item.is_personal {
                    item.files.clear();
                    personal.entry(name.clone()).or_default().push(item);
                }
            }
        }
        let said = self.said(&personal)?;
        for (name, items) in personal {
            for item in items.into_iter().filter(|item| said.is_erased(item)) {
                let key = (item.payment_id, item.index);
                meant.entry(name.clone()).or_default().insert(key);
            }
        }
        for (name, meant) in meant {
            let (about, mut items) = self.folder.read(&name)?;
            let before = items.len();
            items.retain(|item| !meant.contains(&(item.payment_id.clone(), item.index)));
            self.take_out(&name, &about, &items)?;
            self.taken_out += before - items.len();
            for key in meant {
                if self.held.get(&key).is_some_and(|copy| copy.archive == name) {
                    self.held.remove(&key);
                }
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

    /// The journal's words on erasures at a person's request, and on these payments.
    fn said(&self, of: &HashMap<String, Vec<Item>>) -> anyhow::Result<Said> {
        let places: HashSet<u64> = of.values().flatten().map(|item| item.index).collect();
        let (mut said, mut cursor) = (Said::default(), "0".to_owned());
        if places.is_empty() {
            return Ok(said);
        }
        self.bar.set_message("events read for erasures");
        loop {
            let path = format!(
                "events{}",
                query([("cursor", cursor.as_str()), ("limit", "200")])
            );
            let page = self.api.get(&path)?.json()?;
            let events = page["events"].as_array().context("no list of events")?;
            for event in events {
                said.add(event, |index| places.contains(&index));
            }
            self.bar.inc(events.len() as u64);
            match page["next"].as_str() {
                Some(next) if next != cursor => next.clone_into(&mut cursor),
                _ => return Ok(said),
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
        let now = Timestamp::now();
        let name = volume.name(now);
        let about = About::new(time::format(now));
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
    /// True if a payment goes into another file. One that is dated back, by another clock, does not.
    fn is_full_for(&self, payment: &Candidate) -> bool {
        !self.items.is_empty()
            && (month(payment) > self.month.as_str()
                || self.items.len() >= MOST_PAYMENTS
                || self.size >= MOST_BYTES)
    }

    /// The name of its file: month, place of the first payment, and when it is made. It is given once, also
    /// when the files of before were moved elsewhere.
    fn name(&self, now: Timestamp) -> String {
        let first = self.items.first().map_or(0, |item| item.index);
        let made = now.strftime("%Y%m%d%H%M%S");
        format!("{}-{first}-{made}.zip", self.month)
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

#[cfg(test)]
mod tests {
    use super::*;
    use file::tests::item;

    fn said(events: &[Value]) -> Said {
        let mut said = Said::default();
        events.iter().for_each(|event| said.add(event, |_| true));
        said
    }

    fn recorded(index: u64, version: u64) -> Value {
        json!({"type": "payment.recorded", "index": index, "payment_id": "P", "service_id": "TAX",
            "order_key": "1", "evidence": "e", "version": version})
    }

    fn erased(index: u64, version: u64, reason: &str) -> Value {
        json!({"type": "personal_data.erased", "index": index, "service_id": "TAX", "order_key": "1",
            "reason": reason, "by": "tester", "version": version})
    }

    #[test]
    fn what_was_erased_is_told_by_the_places_in_the_orders_list() {
        let (before, after) = (erased(9, 3, "request"), erased(5, 2, "request"));
        assert!(said(&[recorded(7, 2), before.clone()]).is_erased(&item(7, "P")));
        // The event of the erasure came late, or early.
        assert!(!said(&[recorded(7, 3), erased(9, 2, "request")]).is_erased(&item(7, "P")));
        assert!(said(&[erased(5, 3, "request"), recorded(7, 2)]).is_erased(&item(7, "P")));
        // The latest counts, whichever stands last.
        assert!(said(&[recorded(7, 2), before.clone(), after]).is_erased(&item(7, "P")));
        assert!(!said(&[recorded(7, 2), erased(9, 3, "retention")]).is_erased(&item(7, "P")));
        let mut refusal = before;
        refusal["evidence"] = json!("f");
        assert!(!said(&[recorded(7, 2), refusal]).is_erased(&item(7, "P")));
    }

    /// A folder may have been another provider's, or a backup may have been put back.
    #[test]
    fn only_what_this_store_has_at_this_place_is_taken_out() {
        let erasure = erased(9, 3, "request");
        let mut other = recorded(7, 2);
        other["evidence"] = json!("f");
        assert!(!said(&[other, erasure.clone()]).is_erased(&item(7, "P")));
        let mut other = recorded(7, 2);
        other["payment_id"] = json!("Q");
        assert!(!said(&[other, erasure.clone()]).is_erased(&item(7, "P")));
        assert!(!said(&[recorded(8, 2), erasure]).is_erased(&item(7, "P")));
    }

    #[test]
    fn a_name_is_given_once_also_when_the_files_of_before_are_elsewhere() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let volume = |index| Volume {
            month: "2025-12".to_owned(),
            items: vec![item(index, "P")],
            size: 0,
        };
        let names = [
            volume(7).name(at(0)),
            volume(8).name(at(0)),
            volume(7).name(at(1)),
        ];
        assert_eq!(names[0], "2025-12-7-20270115080000.zip");
        assert!(names[0] != names[1] && names[0] != names[2]);
        assert!(names.iter().all(|name| is_archive(name)));
    }

    #[test]
    fn two_do_not_work_in_one_folder_and_what_was_never_finished_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [".2025-12-7-1.zip.4.part", "2025-12-7-1.zip", "notes.zip"] {
            fs::write(path(name), "").unwrap();
        }
        let first = Folder::take(folder.path()).unwrap();
        assert_eq!(first.names().unwrap(), [LOCK, "notes.zip"]);
        let second = Folder::take(folder.path()).err().unwrap().to_string();
        assert!(second.contains("another `mpay archive`"), "{second}");
        drop(first);
        Folder::take(folder.path()).unwrap();
    }
}
