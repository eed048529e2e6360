//! An archive of evidence as a file: a ZIP that any program opens, with a folder for each payment.
//!
//! A folder has what `GET /api/payments/{id}/evidence` gave. Its name begins with the payment's place in
//! the journal, so folders are in the order of recording and no two have one name, whatever a PaymentID
//! has in it. `archive.json` stands first and tells an archive from other ZIPs.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail, ensure};
use mpay_ledger::{digest::sha256, json::PaymentJson};
use rawzip::{CompressionMethod, ZipArchive};
use serde::{Deserialize, Serialize};

use crate::api::encode;

/// The file that says what the others are.
const ABOUT: &str = "archive.json";
/// The most that one file of an archive may unpack to: more than any message has.
const MAX_UNPACKED: u64 = 4 << 20;

/// What an archive says of itself. Programs read `format`, people the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    format: u32,
    what: String,
    /// When it was made.
    made_at: String,
}

impl About {
    /// Of an archive that is made at this time.
    pub fn new(made_at: String) -> Self {
        Self {
            format: 1,
            what: "Evidence of payments: in each folder request.xml, MPay's signed confirmation, byte \
                   for byte; answer.xml, the provider's signed answer; meta.json, what the provider wrote \
                   down. `mpay verify` judges the signatures. It holds personal data."
                .to_owned(),
            made_at,
        }
    }
}

/// What `meta.json` says of a payment, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Meta {
    index: u64,
    request_sha256: Option<String>,
    answer_sha256: Option<String>,
    #[serde(flatten)]
    payment: PaymentJson,
}

/// The evidence of one payment, whose hashes are those that `meta.json` gives.
#[derive(Debug, Clone)]
pub struct Item {
    /// The PaymentID.
    pub payment_id: String,
    /// The ServiceID of its order.
    pub service_id: String,
    /// The key of its order.
    pub order_key: String,
    /// Its place in the journal.
    pub index: u64,
    /// SHA-256 of `request.xml`.
    pub request_sha256: String,
    /// That of `answer.xml`.
    pub answer_sha256: Option<String>,
    /// Whether the payer filled in something.
    pub is_personal: bool,
    /// Its files, by their names.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Item {
    /// Takes files for the evidence of a payment.
    ///
    /// # Errors
    /// If a file is missing or not what `meta.json` says.
    pub fn of(files: Vec<(String, Vec<u8>)>) -> anyhow::Result<Self> {
        let file = |name: &str| {
            let mut files = files.iter().filter(|(of, _)| of == name);
            let found = files.next().map(|(_, content)| content.as_slice());
            ensure!(files.next().is_none(), "{name} is there twice");
            Ok(found)
        };
        let meta: Meta = serde_json::from_slice(file("meta.json")?.context("no meta.json")?)
            .context("meta.json")?;
        let request_sha256 = sha256(file("request.xml")?.context("no request.xml")?);
        let answer_sha256 = file("answer.xml")?.map(sha256);
        ensure!(
            meta.request_sha256.as_ref() == Some(&request_sha256),
            "request.xml has not the SHA-256 that meta.json gives"
        );
        ensure!(
            meta.answer_sha256 == answer_sha256,
            "answer.xml has not the SHA-256 that meta.json gives"
        );
        let payment = &meta.payment;
        Ok(Self {
            payment_id: payment.payment_id.clone(),
            service_id: payment.service_id.clone(),
            order_key: payment.order_key.clone(),
            index: meta.index,
            request_sha256,
            answer_sha256,
            is_personal: payment.clone().erase_personal_data(),
            files,
        })
    }

    /// Reads the ZIP that the API gave of one payment.
    ///
    /// # Errors
    /// If it is none, or not what its `meta.json` says.
    pub fn unpack(zip: &[u8]) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        each(zip, |path, content| {
            files.push((path.to_owned(), content));
            Ok(())
        })?;
        Self::of(files)
    }

    /// Bytes of its files.
    pub fn size(&self) -> usize {
        self.files.iter().map(|(_, content)| content.len()).sum()
    }

    /// The folder that it has in an archive.
    fn folder(&self) -> String {
        format!("{}-{}", self.index, encode(&self.payment_id))
    }
}

/// Whether a file that begins so is an archive of evidence: its first file says what the others are
/// (PKWARE APPNOTE 6.3.10, section 4.3.7).
pub fn begins_as_one(bytes: &[u8]) -> bool {
    let name = bytes.get(30..30 + ABOUT.len());
    bytes.starts_with(b"PK\x03\x04") && name == Some(ABOUT.as_bytes())
}

/// What an archive holds: what it says of itself, and its payments as they stand in it.
///
/// # Errors
/// If it is not whole, of a later version, or not what each `meta.json` says.
pub fn read(bytes: &[u8]) -> anyhow::Result<(About, Vec<Item>)> {
    let mut about: Option<About> = None;
    let mut items = Vec::new();
    let mut current: Option<(String, Vec<(String, Vec<u8>)>)> = None;
    let mut close = |folder: Option<(String, Vec<(String, Vec<u8>)>)>| {
        if let Some((folder, files)) = folder {
            let item = Item::of(files).with_context(|| folder.clone())?;
            ensure!(
                item.folder() == folder,
                "{folder} is not the folder of {}",
                item.folder()
            );
            items.push(item);
        }
        anyhow::Ok(())
    };
    each(bytes, |path, content| {
        if about.is_none() {
            ensure!(
                path == ABOUT,
                "the first file is not {ABOUT}: not an archive of evidence"
            );
            let said: About = serde_json::from_slice(&content).context(ABOUT)?;
            ensure!(
                said.format == 1,
                "the archive is of a later version of mpay"
            );
            about = Some(said);
            return Ok(());
        }
        let (folder, name) = path
            .split_once('/')
            .with_context(|| format!("{path} is in no folder"))?;
        match &mut current {
            Some((of, files)) if of == folder => files.push((name.to_owned(), content)),
            _ => {
                let next = (folder.to_owned(), vec![(name.to_owned(), content)]);
                close(current.replace(next))?;
            }
        }
        Ok(())
    })?;
    close(current)?;
    Ok((about.context("it is empty")?, items))
}

/// The bytes of an archive. The same payments give the same bytes.
///
/// # Errors
/// If it is beyond what the format holds: 4 GB and 65,535 files.
pub fn pack(about: &About, items: &[Item]) -> anyhow::Result<Vec<u8>> {
    let about = serde_json::to_vec_pretty(about)?;
    let names: Vec<_> = items
        .iter()
        .flat_map(|item| {
            let folder = item.folder();
            let names = item.files.iter();
            names.map(move |(name, content)| (format!("{folder}/{name}"), content))
        })
        .collect();
    let files = names
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()));
    let files: Vec<_> = [(ABOUT, about.as_slice())]
        .into_iter()
        .chain(files)
        .collect();
    tables::compressed_archive(&files).context("too many payments for one archive")
}

/// The name that a file has until it is whole.
pub fn unfinished(name: &str) -> String {
    format!(".{name}.part")
}

/// Writes a file that comes to be whole or not at all, and is on the disk when this returns. Only its
/// owner may read it. Unless it `replaces` one, no other may have its name.
///
/// # Errors
/// If it cannot be written, or its name is taken.
pub fn write(folder: &Path, name: &str, content: &[u8], replaces: bool) -> anyhow::Result<()> {
    let (part, target) = (folder.join(unfinished(name)), folder.join(name));
    let written = || -> std::io::Result<()> {
        match fs::remove_file(&part) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(content)?;
        file.sync_all()
    };
    written().with_context(|| format!("cannot write {}", part.display()))?;
    if !replaces && fs::symlink_metadata(&target).is_ok() {
        bail!(
            "{} is there already, and is not overwritten",
            target.display()
        );
    }
    let named = fs::rename(&part, &target).and_then(|()| File::open(folder)?.sync_all());
    named.with_context(|| format!("cannot write {}", target.display()))
}

/// Goes over the files of a ZIP, in their order.
fn each(
    bytes: &[u8],
    mut file: impl FnMut(&str, Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let archive = ZipArchive::from_slice(bytes)?;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry()? {
        let path = entry.file_path();
        let path = String::from_utf8_lossy(path.as_ref()).into_owned();
        let local = archive.get_entry(entry.wayfinder())?;
        let data = local.data();
        let mut content = Vec::new();
        let unpacked: Box<dyn Read> = match entry.compression_method() {
            CompressionMethod::STORE => Box::new(data),
            CompressionMethod::DEFLATE => Box::new(flate2::read::DeflateDecoder::new(data)),
            other => bail!("{path} is compressed by {other:?}, which is not read"),
        };
        let read = local
            .verifying_reader(unpacked)
            .take(MAX_UNPACKED + 1)
            .read_to_end(&mut content)
            .with_context(|| path.clone())?;
        ensure!(read as u64 <= MAX_UNPACKED, "{path} is too large");
        file(&path, content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub fn item(index: u64, id: &str) -> Item {
        let request = format!("<request id='{id}'/>").into_bytes();
        let meta = json!({
            "payment_id": id, "service_id": "TAX", "order_key": "1", "amount": "1.00",
            "currency": "MDL", "paid_at": "2026-06-01T12:00:00+03:00",
            "lines": [{"line_id": "1", "amount": "1.00"}],
            "received_at": "2026-06-01T12:00:05+03:00",
            "signer": {"subject": "CN=MPay", "fingerprint": "00", "algorithm": "rsa-sha1"},
            "evidence": "e", "index": index, "recorded_at": "2026-06-01T12:00:06+03:00",
            "verdict": "accepted",
            "request_sha256": sha256(&request), "answer_sha256": sha256(b"<answer/>"),
        });
        Item::of(vec![
            ("request.xml".to_owned(), request),
            ("answer.xml".to_owned(), b"<answer/>".to_vec()),
            ("meta.json".to_owned(), meta.to_string().into_bytes()),
        ])
        .unwrap()
    }

    #[test]
    fn what_was_packed_is_read_and_whatever_was_changed_is_found() {
        let about = About::new("2027-01-01".to_owned());
        let items = [item(7, "P/1"), item(9, ".."), item(11, "CON")];
        let packed = pack(&about, &items).unwrap();
        assert!(begins_as_one(&packed));
        let (said, read_back) = read(&packed).unwrap();
        assert_eq!(said, about);
        let ids: Vec<_> = read_back
            .iter()
            .map(|item| item.payment_id.as_str())
            .collect();
        assert_eq!(ids, ["P/1", "..", "CON"]);
        for (item, back) in items.iter().zip(&read_back) {
            assert_eq!((item.index, &item.files), (back.index, &back.files));
        }
        // No single bit of it.
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 1;
            let Ok((_, found)) = read(&changed) else {
                continue;
            };
            // Times of files and the like say nothing of a payment.
            let same = |(one, other): (&Item, &Item)| one.files == other.files;
            assert!(
                found.len() == items.len() && items.iter().zip(&found).all(same),
                "{at}"
            );
        }
        let cut = &packed[..packed.len() - 1];
        assert!(read(cut).is_err() && !begins_as_one(b"PK"));
    }

    #[test]
    fn what_is_not_what_meta_says_is_no_evidence() {
        for (name, content) in [
            ("request.xml", Some("<other/>")),
            ("answer.xml", Some("<other/>")),
            ("answer.xml", None),
            ("request.xml", None),
            ("meta.json", None),
        ] {
            let mut files = item(7, "P").files;
            files.retain(|(of, _)| of != name);
            files.extend(content.map(|content| (name.to_owned(), content.into())));
            assert!(Item::of(files).is_err(), "{name} {content:?}");
        }
        let mut twice = item(7, "P").files;
        twice.push(twice[0].clone());
        assert!(Item::of(twice).is_err());
    }

    #[test]
    fn a_file_is_whole_or_not_there_and_takes_no_others_name() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        // Left by a run that was killed.
        fs::write(folder.join(unfinished("a.zip")), "half").unwrap();
        write(folder, "a.zip", b"one", false).unwrap();
        assert!(write(folder, "a.zip", b"two", false).is_err());
        assert_eq!(fs::read(folder.join("a.zip")).unwrap(), b"one");
        write(folder, "a.zip", b"two", true).unwrap();
        assert_eq!(fs::read(folder.join("a.zip")).unwrap(), b"two");
        let mode =
            std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder.join("a.zip")).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
}
