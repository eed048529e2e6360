//! Snapshots of Redis (RDB, versions 1 to 12 and their like), as far as books need them: texts, and
//! no other kind of value. The format is described beside its code only: `rdb.h` and `rdb.c` of Redis.

use std::io::{self, Read};

/// No key or value of books comes near: a length beyond it is damage.
const LONGEST: u64 = 64 << 20;

/// Reads a snapshot, and gives `each` the keys and values of a database.
///
/// # Errors
/// If it is no snapshot, is damaged or broken off, or has keys that are not of books; and the errors of
/// `each`.
pub(super) fn read(
    input: impl Read,
    database: u64,
    mut each: impl FnMut(&[u8], &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut input = Input { input, digest: 0 };
    let magic: [u8; 9] = input.array()?;
    let version = magic.strip_prefix(b"REDIS").and_then(number);
    let Some(version) = version else {
        return Err(invalid("it is no snapshot of Redis"));
    };
    let mut of_database = 0;
    loop {
        match input.byte()? {
            END => break,
            SELECT => of_database = input.length()?,
            SIZES => {
                input.length()?;
                input.length()?;
            }
            SLOT => {
                for _ in 0..3 {
                    input.length()?;
                }
            }
            ABOUT => {
                input.text()?;
                input.text()?;
            }
            FUNCTION => {
                input.text()?;
            }
            // Of the value that follows: when it ends, and when it was used.
            ENDS_AT_SECOND => {
                input.array::<4>()?;
            }
            ENDS_AT_MILLISECOND => {
                input.array::<8>()?;
            }
            USED_BEFORE => {
                input.length()?;
            }
            USED_OFTEN => {
                input.byte()?;
            }
            TEXT => {
                let (key, value) = (input.text()?, input.text()?);
                if of_database == database {
                    each(&key, &value)?;
                }
            }
            MODULE => return Err(invalid("it holds what a module of Redis has written")),
            _ => {
                return Err(invalid(
                    "it holds lists, hashes or the like, which books do not have: Redis must be the provider's alone",
                ));
            }
        }
    }
    // Older ones end here.
    if version >= 5 {
        let digest = input.digest;
        let said = u64::from_le_bytes(input.array()?);
        // A server may be told to count none.
        if said != 0 && said != digest {
            return Err(invalid("it is damaged: its checksum is another"));
        }
    }
    Ok(())
}

const TEXT: u8 = 0;
const SLOT: u8 = 244;
const FUNCTION: u8 = 245;
const MODULE: u8 = 247;
const USED_BEFORE: u8 = 248;
const USED_OFTEN: u8 = 249;
const ABOUT: u8 = 250;
const SIZES: u8 = 251;
const ENDS_AT_MILLISECOND: u8 = 252;
const ENDS_AT_SECOND: u8 = 253;
const SELECT: u8 = 254;
const END: u8 = 255;

/// The meaning of a length: bytes, or how else a text is kept.
enum Length {
    Bytes(u64),
    Kept(u8),
}

struct Input<R> {
    input: R,
    /// Of all that was read.
    digest: u64,
}

impl<R: Read> Input<R> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.digest = crc64(self.digest, &bytes);
        Ok(bytes)
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn bytes(&mut self, length: u64) -> io::Result<Vec<u8>> {
        if length > LONGEST {
            return Err(invalid("it is damaged: a text is too long"));
        }
        let mut bytes = Vec::new();
        // No memory is reserved by a length, which may be damaged.
        let read = self.input.by_ref().take(length).read_to_end(&mut bytes)?;
        if read as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.digest = crc64(self.digest, &bytes);
        Ok(bytes)
    }

    fn encoded_length(&mut self) -> io::Result<Length> {
        let first = self.byte()?;
        let low = u64::from(first & 0x3f);
        Ok(match first >> 6 {
            0 => Length::Bytes(low),
            1 => Length::Bytes((low << 8) | u64::from(self.byte()?)),
            2 => Length::Bytes(match first {
                0x80 => u32::from_be_bytes(self.array()?).into(),
                0x81 => u64::from_be_bytes(self.array()?),
                _ => return Err(invalid("it is damaged: a length is none")),
            }),
            _ => Length::Kept(first & 0x3f),
        })
    }

    fn length(&mut self) -> io::Result<u64> {
        match self.encoded_length()? {
            Length::Bytes(length) => Ok(length),
            Length::Kept(_) => Err(invalid("it is damaged: a length is none")),
        }
    }

    fn text(&mut self) -> io::Result<Vec<u8>> {
        Ok(match self.encoded_length()? {
            Length::Bytes(length) => self.bytes(length)?,
            Length::Kept(0) => i8::from_le_bytes(self.array()?).to_string().into_bytes(),
            Length::Kept(1) => i16::from_le_bytes(self.array()?).to_string().into_bytes(),
            Length::Kept(2) => i32::from_le_bytes(self.array()?).to_string().into_bytes(),
            Length::Kept(3) => {
                let (packed, length) = (self.length()?, self.length()?);
                let packed = self.bytes(packed)?;
                unpack(&packed, length).ok_or_else(|| invalid("it is damaged: a text is none"))?
            }
            Length::Kept(_) => return Err(invalid("it is damaged: a text is none")),
        })
    }
}

/// LZF: runs of bytes, and references to earlier output.
fn unpack(packed: &[u8], length: u64) -> Option<Vec<u8>> {
    // A packed value may be within bounds although its length is not.
    if length > LONGEST {
        return None;
    }
    let length = usize::try_from(length).ok()?;
    let mut packed = packed.iter().map(|byte| usize::from(*byte));
    let mut text = Vec::new();
    while let Some(control) = packed.next() {
        if control < 32 {
            for _ in 0..=control {
                text.push(u8::try_from(packed.next()?).ok()?);
            }
        } else {
            let mut run = control >> 5;
            if run == 7 {
                run += packed.next()?;
            }
            let back = ((control & 31) << 8) | packed.next()?;
            let from = text.len().checked_sub(back + 1)?;
            // The reference may overlap its own output.
            for place in from..from + run + 2 {
                text.push(*text.get(place)?);
            }
        }
        if text.len() > length {
            return None;
        }
    }
    (text.len() == length).then_some(text)
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// The checksum of Redis: the polynomial of Jones, reflected.
#[allow(
    clippy::indexing_slicing,
    reason = "a byte is always one of the table's 256 places"
)]
fn crc64(before: u64, bytes: &[u8]) -> u64 {
    const TABLE: [u64; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let (mut rest, mut bit) = (byte as u64, 0);
            while bit < 8 {
                rest = (rest >> 1)
                    ^ if rest & 1 == 1 {
                        0x95ac_9329_ac4b_c9b5
                    } else {
                        0
                    };
                bit += 1;
            }
            table[byte] = rest;
            byte += 1;
        }
        table
    };
    bytes.iter().fold(before, |digest, byte| {
        let [low, ..] = digest.to_le_bytes();
        TABLE[usize::from(low ^ byte)] ^ (digest >> 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(String, Vec<u8>)>;

    fn pairs(bytes: &[u8], database: u64) -> io::Result<Pairs> {
        let mut pairs = Vec::new();
        read(bytes, database, |key, value| {
            pairs.push((String::from_utf8_lossy(key).into_owned(), value.to_vec()));
            Ok(())
        })?;
        Ok(pairs)
    }

    /// A snapshot with this between its head and its checksum.
    fn snapshot(parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = [b"REDIS0010".as_slice(), &parts.concat(), &[END]].concat();
        let digest = crc64(0, &bytes);
        bytes.extend(digest.to_le_bytes());
        bytes
    }

    #[test]
    fn the_checksum_is_that_of_redis() {
        // The check value that `crc64.c` of Redis has.
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn texts_are_read_however_they_are_kept() {
        let long = "x".repeat(70_000);
        let mut kept_long = vec![TEXT, 1, b'l', 0x80];
        kept_long.extend(70_000_u32.to_be_bytes());
        kept_long.extend(long.as_bytes());
        let bytes = snapshot(&[
            b"\xfa\x05redis\x035.0\xfe\x00\xfb\x07\x00",
            b"\x00\x01a\x03one",
            b"\x00\x01b\xc0\xff",
            b"\x00\x01c\xc1\x39\x30",
            b"\xf8\x05\x00\x01d\xc2\xff\xff\xff\x7f",
            // `aaaaaaaaaa`: one byte, and nine from one before.
            b"\x00\x01e\xc3\x05\x0a\x00a\xe0\x00\x00",
            b"\xfc12345678\x00\x01f\x40\x00",
            &kept_long,
            b"\xfe\x03\x00\x01z\x01z",
        ]);
        let found = pairs(&bytes, 0).unwrap();
        let expected: [(&str, &str); 7] = [
            ("a", "one"),
            ("b", "-1"),
            ("c", "12345"),
            ("d", "2147483647"),
            ("e", "aaaaaaaaaa"),
            ("f", ""),
            ("l", &long),
        ];
        let expected: Pairs = expected
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(pairs(&bytes, 3).unwrap(), [("z".to_owned(), b"z".to_vec())]);
    }

    #[test]
    fn what_is_cut_or_changed_anywhere_is_not_taken() {
        let bytes = snapshot(&[
            b"\x00\x01a\x03one",
            b"\x00\x01e\xc3\x05\x0a\x00a\xe0\x00\x00",
        ]);
        assert!(pairs(&bytes, 0).is_ok());
        for place in 0..bytes.len() {
            assert!(pairs(&bytes[..place], 0).is_err(), "cut at {place}");
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                // The version is not in doubt until it is one that has no checksum.
                let is_version = (5..9).contains(&place);
                assert!(
                    is_version || pairs(&changed, 0).is_err(),
                    "bit {bit} of {place}"
                );
            }
        }
    }

    #[test]
    fn what_unpacks_to_more_than_any_text_is_refused() {
        let times = LONGEST / 264 + 1;
        let packed = b"\xe0\xff\x00".repeat(usize::try_from(times).unwrap());
        let packed = [b"\x00a".as_slice(), &packed].concat();
        assert!((packed.len() as u64) < LONGEST);
        assert_eq!(unpack(&packed, 1 + 264 * times), None);
    }

    #[test]
    fn what_is_not_of_books_is_refused() {
        let list = pairs(&snapshot(&[b"\x01\x01a\x01\x01b"]), 0).unwrap_err();
        assert!(list.to_string().contains("provider's alone"), "{list}");
        let other = pairs(b"SQLite format 3\0", 0).unwrap_err();
        assert!(other.to_string().contains("no snapshot"), "{other}");
    }
}
