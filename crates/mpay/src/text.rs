//! Text as people's programs save it: UTF-8 or UTF-16, with a byte order mark or without; and keys
//! and certificates in DER, which become text.

use std::fs;
use std::path::Path;

use anyhow::Context;
use base64ct::{Base64, Encoding};
use mpay_host::VariablesError;
use zeroize::Zeroizing;

/// Reads a file of text. DER is given in base64, which is read wherever PEM is.
///
/// # Errors
/// If it cannot be read, or is neither.
pub fn read(file: &Path) -> anyhow::Result<String> {
    let name = || format!("cannot read {}", file.display());
    let bytes = Zeroizing::new(fs::read(file).with_context(name)?);
    of(&bytes)
        .context("it is neither text nor a key or certificate in DER")
        .with_context(name)
}

/// Reads a `--variable` argument as [`mpay_host::parse_argument`] does, and of files also those that
/// Spin reads no text of: in UTF-16, and in DER.
///
/// # Errors
/// As the host's.
pub fn parse_argument(argument: &str) -> Result<(String, String), VariablesError> {
    match mpay_host::parse_argument(argument) {
        Err(VariablesError::File { name, file, source }) => match fs::read(&file) {
            Ok(bytes) if source.kind() == std::io::ErrorKind::InvalidData => of(&bytes)
                .map(|text| (name.clone(), text))
                .ok_or(VariablesError::File { name, file, source }),
            _ => Err(VariablesError::File { name, file, source }),
        },
        read => read,
    }
}

/// The text of a file's bytes; of DER in base64.
fn of(bytes: &[u8]) -> Option<String> {
    // A SEQUENCE, as each of them is, and not a digit.
    let is_der = || bytes.starts_with(&[0x30]);
    decoded(bytes).or_else(|| is_der().then(|| Base64::encode_string(bytes)))
}

/// The text of bytes in UTF-8 or UTF-16, without byte order mark.
pub fn decoded(bytes: &[u8]) -> Option<String> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks();
        let text = char::decode_utf16(units.iter().copied().map(unit));
        let text: Option<String> = text.map(Result::ok).collect();
        text.filter(|_| rest.is_empty())
    };
    match bytes {
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        // Without a mark, what is plain text has a zero in each letter.
        [letter, 0, ..] if *letter != 0 => utf16(bytes, u16::from_le_bytes),
        [0, letter, ..] if *letter != 0 => utf16(bytes, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, text @ ..] | text => String::from_utf8(text.to_vec()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_each_encoding() {
        let text = "-----BEGIN ș";
        let units: Vec<u16> = text.encode_utf16().collect();
        let le: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let be: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [&b"\xff\xfe"[..], &le].concat(),
            [&b"\xfe\xff"[..], &be].concat(),
            le,
            be,
        ] {
            assert_eq!(decoded(&bytes).as_deref(), Some(text), "{bytes:?}");
        }
        for bytes in [
            &b"\xff\xfea"[..],
            b"\xff\xfe\x00\xd8",
            b"0\x82\x01\x00",
            b"\xff",
        ] {
            assert_eq!(decoded(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_variables_file_may_be_der_or_utf16() {
        let folder = tempfile::tempdir().unwrap();
        let read = |bytes: &[u8]| {
            let file = folder.path().join("file");
            fs::write(&file, bytes).unwrap();
            parse_argument(&format!("name=@{}", file.display())).map(|(_, text)| text)
        };
        assert_eq!(read(b"0\x82").unwrap(), "MII=");
        assert_eq!(read(b"\xff\xfea\0").unwrap(), "a");
        assert_eq!(read(b"a\n").unwrap(), "a\n");
        assert!(read(b"\xff").is_err());
        assert!(parse_argument("name=@/does/not/exist").is_err());
        assert!(parse_argument("name").is_err());
    }
}
