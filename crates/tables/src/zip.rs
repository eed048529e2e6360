//! ZIP archives (PKWARE APPNOTE 6.3.10), which contain workbooks and evidence.

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// The first day that the format knows, 1 January 1980: the same files give the same bytes.
const DATE: u16 = 1 << 5 | 1;
/// Names are UTF-8 (bit 11).
const FLAGS: u16 = 1 << 11;
/// The version of the format that is needed: 1.0, with nothing but stored files.
const VERSION: u16 = 10;

/// The archive of files given by name and content, stored as they are (APPNOTE, sections 4.3.6 to
/// 4.3.16): the same files give the same bytes. `None` if it is beyond what the format holds without
/// its extensions: 4 GB and 65,535 files.
pub fn archive(files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let files = files.iter().map(|(name, content)| Packed {
        name,
        size: content.len(),
        crc: crc32(content),
        method: STORED,
        content: (*content).into(),
    });
    write(files)
}

/// As [`archive`], with the contents compressed.
pub fn compressed_archive(files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    /// Half as good as the best, in a third of its time.
    const LEVEL: u8 = 3;
    let files = files.iter().map(|(name, content)| Packed {
        name,
        size: content.len(),
        crc: crc32(content),
        method: DEFLATED,
        content: miniz_oxide::deflate::compress_to_vec(content, LEVEL).into(),
    });
    write(files)
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

struct Packed<'a> {
    name: &'a str,
    size: usize,
    crc: u32,
    method: u16,
    content: std::borrow::Cow<'a, [u8]>,
}

fn write<'a>(files: impl Iterator<Item = Packed<'a>>) -> Option<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    let mut count = 0_u16;
    for file in files {
        let offset = u32::try_from(archive.len()).ok()?;
        let packed = u32::try_from(file.content.len()).ok()?;
        let size = u32::try_from(file.size).ok()?;
        let version = if file.method == STORED { VERSION } else { 20 };
        let mut common = Vec::new();
        for field in [version, FLAGS, file.method, 0, DATE] {
            common.extend(field.to_le_bytes());
        }
        for field in [file.crc, packed, size] {
            common.extend(field.to_le_bytes());
        }
        common.extend(u16::try_from(file.name.len()).ok()?.to_le_bytes());
        // No extra field.
        common.extend(0u16.to_le_bytes());

        archive.extend(*b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(file.name.as_bytes());
        archive.extend(file.content.iter());

        directory.extend(*b"PK\x01\x02");
        directory.extend(version.to_le_bytes());
        directory.extend(&common);
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(file.name.as_bytes());
        count = count.checked_add(1)?;
    }
    let start = u32::try_from(archive.len()).ok()?;
    let size = u32::try_from(directory.len()).ok()?;
    archive.extend(directory);
    archive.extend(*b"PK\x05\x06");
    archive.extend([0; 4]);
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    // No comment.
    archive.extend([0; 2]);
    Some(archive)
}

/// CRC-32 of ISO 3309 (APPNOTE, section 4.4.7), eight bits at once.
fn crc32(content: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0_u32; 256];
        let mut byte = 0_u32;
        while byte < 256 {
            let (mut crc, mut bit) = (byte, 0);
            while bit < 8 {
                crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
                bit += 1;
            }
            #[allow(clippy::indexing_slicing, reason = "computed by the compiler")]
            {
                table[byte as usize] = crc;
            }
            byte += 1;
        }
        table
    };
    !content.iter().fold(!0, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        let entry = TABLE.get(usize::from(low ^ byte));
        (crc >> 8) ^ entry.copied().unwrap_or_default()
    })
}

/// The reason for which an archive cannot be read.
pub(crate) type Reason = &'static str;

/// The archive is larger than the rest of the limit.
pub(crate) const TOO_LARGE: Reason = "it is too large unpacked";

/// An archive that somebody sent.
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    method: u16,
    is_encrypted: bool,
    packed: usize,
    crc: u32,
    header: usize,
}

impl<'a> Archive<'a> {
    /// Reads the directory, which tells what is in the archive.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Reason> {
        /// A workbook has a dozen.
        const MOST: u16 = 2000;
        const BROKEN: Reason = "its directory is not whole";
        let end = end_record(bytes).ok_or(BROKEN)?;
        let count = u16_at(end, 10).ok_or(BROKEN)?;
        if count > MOST {
            return Err("it has more files than any workbook");
        }
        let start = u32_at(end, 16).ok_or(BROKEN)?;
        let mut directory = bytes.get(start..).ok_or(BROKEN)?;
        let mut entries = Vec::with_capacity(count.into());
        for _ in 0..count {
            let field = |at| u16_at(directory, at).ok_or(BROKEN);
            let wide = |at| u32_at(directory, at).ok_or(BROKEN);
            if !directory.starts_with(b"PK\x01\x02") {
                return Err(BROKEN);
            }
            let name_length = usize::from(field(28)?);
            let name = directory.get(46..46 + name_length).ok_or(BROKEN)?;
            entries.push(Entry {
                // Some writers separate folders by the character of Windows.
                name: String::from_utf8_lossy(name).replace('\\', "/"),
                method: field(10)?,
                is_encrypted: field(8)? & 1 == 1,
                packed: wide(20)?,
                crc: u32::try_from(wide(16)?).map_err(|_| BROKEN)?,
                header: wide(42)?,
            });
            let length = 46 + name_length + usize::from(field(30)?) + usize::from(field(32)?);
            directory = directory.get(length..).ok_or(BROKEN)?;
        }
        Ok(Self { bytes, entries })
    }

    /// The names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The content of a file, whose size unpacked is taken off `budget`; `None` if there is none.
    pub fn read(&self, name: &str, budget: &mut usize) -> Result<Option<Vec<u8>>, Reason> {
        let mut entries = self.entries.iter();
        let Some(entry) = entries.find(|entry| entry.name.eq_ignore_ascii_case(name)) else {
            return Ok(None);
        };
        if entry.is_encrypted {
            return Err("it is encrypted");
        }
        let packed = self.packed(entry).ok_or("a part of it is missing")?;
        let content =
            match entry.method {
                STORED if packed.len() <= *budget => packed.to_vec(),
                STORED => return Err(TOO_LARGE),
                // The limit holds whatever the directory says of the size.
                DEFLATED => decompress_to_vec_with_limit(packed, *budget).map_err(|error| {
                    match error.status {
                        miniz_oxide::inflate::TINFLStatus::HasMoreOutput => TOO_LARGE,
                        _ => "a part of it cannot be unpacked",
                    }
                })?,
                _ => return Err("it is compressed in a way that spreadsheets do not use"),
            };
        *budget = budget.saturating_sub(content.len());
        if crc32(&content) != entry.crc {
            return Err("a part of it is not as its checksum says");
        }
        Ok(Some(content))
    }

    fn packed(&self, entry: &Entry) -> Option<&'a [u8]> {
        let header = self.bytes.get(entry.header..)?;
        if !header.starts_with(b"PK\x03\x04") {
            return None;
        }
        let lengths = usize::from(u16_at(header, 26)?) + usize::from(u16_at(header, 28)?);
        header.get(30 + lengths..)?.get(..entry.packed)
    }
}

/// The record at the end of an archive, behind which there is only a comment.
fn end_record(bytes: &[u8]) -> Option<&[u8]> {
    const LENGTH: usize = 22;
    let last = bytes.len().checked_sub(LENGTH)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let starts = (first..=last).rev();
    let mut tails = starts.filter_map(|start| bytes.get(start..));
    tails.find(|tail| tail.starts_with(b"PK\x05\x06"))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let number = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn checksums_are_those_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn an_archive_of_nothing_is_its_end_record() {
        let archive = archive(&[]).unwrap();
        assert_eq!(archive.len(), 22);
        assert!(archive.starts_with(b"PK\x05\x06"));
        assert_eq!(Archive::open(&archive).unwrap().names().count(), 0);
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let long = b"abc".repeat(1000);
        let files = [("a", &b""[..]), ("xl/b.xml", &long)];
        for bytes in [
            archive(&files).unwrap(),
            compressed_archive(&files).unwrap(),
        ] {
            // Behind another file, and before a comment.
            let read = Archive::open(&bytes).unwrap();
            for (name, content) in files {
                let mut budget = 3000;
                assert_eq!(read.read(name, &mut budget).unwrap().unwrap(), content);
                assert_eq!(budget, 3000 - content.len());
            }
            assert_eq!(read.read("XL/B.XML", &mut 3000).unwrap().unwrap(), long);
            assert_eq!(read.read("c", &mut 3000), Ok(None));
            assert_eq!(read.read("xl/b.xml", &mut 2999), Err(TOO_LARGE));
        }
        assert!(compressed_archive(&files).unwrap().len() < 400);
    }

    #[test]
    fn an_archive_that_is_not_whole_is_refused() {
        let whole = compressed_archive(&[("a", b"abcabcabc")]).unwrap();
        for length in 0..whole.len() {
            assert!(Archive::open(&whole[..length]).is_err(), "{length}");
        }
        let crc = whole
            .windows(4)
            .position(|part| part == b"PK\x01\x02")
            .unwrap()
            + 16;
        for (position, value) in [(crc, whole[crc] ^ 1), (crc - 6, 12), (crc - 8, 1)] {
            let mut other = whole.clone();
            other[position] = value;
            let archive = Archive::open(&other).unwrap();
            assert!(archive.read("a", &mut 100).is_err(), "{position}");
        }
    }

    proptest! {
        #[test]
        fn any_change_of_an_archive_is_read_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9)
        ) {
            let mut bytes = compressed_archive(&[("a", b"abcabcabc"), ("b", b"")]).unwrap();
            for (index, value) in changes {
                let position = index.index(bytes.len());
                bytes[position] = value;
            }
            if let Ok(archive) = Archive::open(&bytes) {
                for name in ["a", "b"] {
                    let read = archive.read(name, &mut 1000);
                    prop_assert!(read.is_err() || read.unwrap().is_none_or(|read| read.len() <= 1000));
                }
            }
        }
    }
}
