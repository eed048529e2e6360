//! An archive of evidence as a file: a ZIP that any program opens, with a folder for each payment.
//!
//! A folder has what `GET /api/payments/{id}/evidence` gave. Its name begins with the payment's place in
//! the journal, so folders are in the order of recording and no two have one name, whatever a PaymentID
//! has in it. `archive.json` stands first and tells an archive from other ZIPs.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail, ensure};
use mpay_ledger::{digest::sha256, json::PaymentJson};
use rawzip::ZipArchive;
use serde::{Deserialize, Serialize};

use crate::{api::encode, verify::evidence::unpacked};

/// The file that says what the others are.
const ABOUT: &str = "archive.json";
/// The most that all of them may unpack to together: several times what is put into one.
const MAX_TOGETHER: usize = 256 << 20;
/// The mark by which a signed message that holds values of properties is known, as the ledger knows it.
const PROPERTY: &[u8] = b"PaymentProperty";

/// An archive's own words on itself. Programs read `format`, people the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    format: u32,
    what: String,
    /// The time at which it was made.
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

/// The words of `meta.json` on a payment, as far as it is needed here.
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
    /// The name of its evidence: made of the payment under the store's secret, so no other store and no
    /// other payment has it.
    pub evidence: String,
    /// True if the payer filled in something. Of a payment that was entered by hand, `meta.json` does not
    /// say what MPay's later message has.
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
        let request = file("request.xml")?.context("no request.xml")?;
        let has_properties = request.windows(PROPERTY.len()).any(|part| part == PROPERTY);
        let request_sha256 = sha256(request);
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
            evidence: payment.evidence.clone(),
            is_personal: has_properties || payment.clone().erase_personal_data(),
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

    /// True if the payer filled in this number of a person, as a word of its own.
    pub fn names(&self, id: &str) -> bool {
        let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let has = |content: &[u8]| {
            let mut places = content.windows(id.len().max(1)).enumerate();
            places.any(|(place, part)| {
                let before = place.checked_sub(1).and_then(|before| content.get(before));
                part == id.as_bytes() && !is_word(before) && !is_word(content.get(place + id.len()))
            })
        };
        let mut files = self.files.iter();
        self.is_personal
            && files.any(|(name, content)| {
                matches!(name.as_str(), "request.xml" | "meta.json") && has(content)
            })
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

/// True if a file that begins so is an archive of evidence: its first file says what the others are
/// (PKWARE APPNOTE 6.3.10, section 4.3.7).
pub fn begins_as_one(bytes: &[u8]) -> bool {
    let name = bytes.get(30..30 + ABOUT.len());
    bytes.starts_with(b"PK\x03\x04") && name == Some(ABOUT.as_bytes())
}

/// A folder as it stands in an archive: its name, and its files by theirs.
type Folder = (String, Vec<(String, Vec<u8>)>);

/// The contents of an archive: its own words on itself, and its payments as they stand in it.
///
/// # Errors
/// If it is not whole, of a later version, larger than any that is made, or not what each `meta.json` says; or
/// if it has a payment twice.
pub fn read(bytes: &[u8]) -> anyhow::Result<(About, Vec<Item>)> {
    read_up_to(bytes, MAX_TOGETHER)
}

fn read_up_to(bytes: &[u8], most: usize) -> anyhow::Result<(About, Vec<Item>)> {
    let (mut size, mut folders) = (0, HashSet::new());
    let mut about: Option<About> = None;
    let mut items = Vec::new();
    let mut current: Option<Folder> = None;
    let mut close = |folder: Option<Folder>| {
        if let Some((folder, files)) = folder {
            let item = Item::of(files).with_context(|| folder.clone())?;
            ensure!(
                item.folder() == folder,
                "{folder} is not the folder of {}",
                item.folder()
            );
            ensure!(folders.insert(folder), "a payment is there twice");
            items.push(item);
        }
        anyhow::Ok(())
    };
    each(bytes, |path, content| {
        size += content.len();
        ensure!(size <= most, "it unpacks to more than any archive has");
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

/// The name that a file of this process has until it is whole.
fn unfinished(name: &str) -> String {
    format!(".{name}.{}.part", std::process::id())
}

/// True if a file of this name was never finished.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && name.contains(".zip.") && name.ends_with(".part")
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
    let named = match replaces {
        true => fs::rename(&part, &target),
        false => take_name(&part, &target, |part, target| fs::hard_link(part, target)),
    };
    match named {
        Err(error) if !replaces && error.kind() == ErrorKind::AlreadyExists => {
            let _ = fs::remove_file(&part);
            bail!(
                "{} is there already, and is not overwritten",
                target.display()
            );
        }
        named => named
            .and_then(|()| File::open(folder)?.sync_all())
            .with_context(|| format!("cannot write {}", target.display())),
    }
}

/// Gives a file a name that no other has: also where another machine is at work in the folder, for whom a
/// lock and a look before are not enough.
fn take_name(
    part: &Path,
    target: &Path,
    link: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    match link(part, target) {
        Ok(()) => fs::remove_file(part),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // Not every file system has hard links. Then an empty file takes the name first.
        Err(_) => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            options.open(target)?;
            fs::rename(part, target)
        }
    }
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
        let content = unpacked(&archive, &entry, &path)?;
        file(&path, content)?;
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    pub fn item(index: u64, id: &str) -> Item {
        item_with(index, id, &format!("<request id='{id}'/>"))
    }

    pub fn item_with(index: u64, id: &str, request: &str) -> Item {
        let request = request.as_bytes().to_vec();
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
        // Left by a run that was killed, of this number.
        fs::write(folder.join(unfinished("a.zip")), "half").unwrap();
        write(folder, "a.zip", b"one", false).unwrap();
        assert!(write(folder, "a.zip", b"two", false).is_err());
        assert_eq!(fs::read(folder.join("a.zip")).unwrap(), b"one");
        write(folder, "a.zip", b"two", true).unwrap();
        assert_eq!(fs::read(folder.join("a.zip")).unwrap(), b"two");
        // Nor where there are no hard links.
        let no_links = |_: &Path, _: &Path| Err(io::Error::from(ErrorKind::Unsupported));
        let (part, free, taken) = (folder.join("p"), folder.join("b.zip"), folder.join("a.zip"));
        fs::write(&part, "three").unwrap();
        let error = take_name(&part, &taken, no_links).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        take_name(&part, &free, no_links).unwrap();
        assert_eq!(fs::read(&taken).unwrap(), b"two");
        assert_eq!(fs::read(&free).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
        let mode =
            std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder.join("a.zip")).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }

    /// MPay's confirmation of a payment that was entered by hand is in its message alone.
    #[test]
    fn what_the_payer_filled_in_is_found_in_the_message_itself() {
        let property = "<PaymentProperty><Value>2004001234567</Value></PaymentProperty>";
        let (plain, personal) = (item(7, "P"), item_with(7, "P", property));
        assert!(!plain.is_personal && personal.is_personal);
        assert!(personal.names("2004001234567"));
        for other in ["2004001234568", "004001234567", "200400123456"] {
            assert!(!personal.names(other), "{other}");
        }
        assert!(!item_with(7, "P", "<Value>2004001234567</Value>").names("2004001234567"));
    }

    #[test]
    fn a_file_that_has_a_payment_twice_or_unpacks_to_too_much_is_not_read() {
        let about = About::new("2027-01-01".to_owned());
        let twice = pack(&about, &[item(7, "P"), item(8, "Q"), item(7, "P")]).unwrap();
        let error = format!("{:#}", read(&twice).unwrap_err());
        assert!(error.contains("twice"), "{error}");
        let zeros = "0".repeat(1 << 20);
        let items: Vec<_> = (1..9).map(|place| item_with(place, "P", &zeros)).collect();
        let packed = pack(&about, &items).unwrap();
        assert!(packed.len() < 1 << 20 && read(&packed).is_ok());
        let error = read_up_to(&packed, 4 << 20).unwrap_err().to_string();
        assert!(error.contains("more than any archive"), "{error}");
    }
}
