//! A run: first what was erased is taken out of the files, then what is old is moved into new ones.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mpay::{say, tell};
use mpay_domain::time;
use mpay_ledger::digest::sha256;
use serde_json::json;

use super::{
    answers::{Candidate, Kept, Movable, Moved},
    erased::Said,
    file::{self, About, Item},
    folder::Folder,
    volume::Volume,
};
use crate::{
    api::{Api, Refused, encode, query},
    terminal::count,
};

/// Payments that one call moves.
const AT_ONCE: usize = 256;

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

/// A run, and what came of it.
pub(super) struct Run<'a> {
    api: &'a Api,
    folder: Folder,
    /// The copies that the files of the folder have.
    held: HashMap<Name, Copy>,
    pub(super) bar: ProgressBar,
    moved: usize,
    taken_out: usize,
    kept: Vec<Kept>,
    /// Files that were made, with their payments.
    made: Vec<(String, usize)>,
}

impl<'a> Run<'a> {
    pub(super) fn new(api: &'a Api, folder: Folder) -> anyhow::Result<Self> {
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
    pub(super) fn follow_erasures(&mut self, customer: Option<&str>) -> anyhow::Result<()> {
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
    pub(super) fn move_out(&mut self, before: &str) -> anyhow::Result<()> {
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

    pub(super) fn report(self, before: Option<&str>) -> anyhow::Result<ExitCode> {
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
