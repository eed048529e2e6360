//! Keys and certificates as people's programs save them, in text.
//!
//! RFC 7468, and the variants that are met: text around the blocks (OpenSSL's "Bag Attributes" and `x509
//! -text`), lines of any length, a byte order mark, quotes around the whole, line ends written as `\n`
//! (environment files, JSON), and base64 without any block, as Windows saves it and portals show it. A
//! text that reads like a part of a block that was cut off is a mistake, so that no certificate is left
//! out silently.

use std::fmt;

use base64ct::{Base64Unpadded, Encoding};
use x509_cert::der::{Reader, SliceReader};
use zeroize::Zeroizing;

/// The longest word without a space that is text and not a block's content whose ends are missing.
const LONGEST_WORD: usize = 60;
const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// A block of a text, or a text that is nothing but base64. Its content is erased from memory when
/// it is dropped, and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PemBlock {
    label: Option<String>,
    content: Zeroizing<Vec<u8>>,
}

impl PemBlock {
    /// The label of the block; `None` where there is base64 without a block.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The content: DER.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The part of the block that is a certificate, if it holds one: OpenSSL puts settings of its own
    /// behind a `TRUSTED CERTIFICATE`.
    pub fn certificate(&self) -> &[u8] {
        match self.label() {
            Some("TRUSTED CERTIFICATE") => SliceReader::new(&self.content)
                .and_then(|mut reader| reader.tlv_bytes())
                .unwrap_or(&self.content),
            _ => &self.content,
        }
    }

    /// True if it may hold a certificate, by its label.
    pub(crate) fn may_be_certificate(&self) -> bool {
        let names = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];
        self.label().is_none_or(|label| names.contains(&label))
    }

    /// True if it may hold a private key that is not encrypted, by its label.
    #[cfg(feature = "sign")]
    pub(crate) fn may_be_key(&self) -> bool {
        let names = ["PRIVATE KEY", "RSA PRIVATE KEY"];
        self.label().is_none_or(|label| names.contains(&label))
    }
}

impl fmt::Debug for PemBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemBlock")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// The reason why a text is no PEM. Tells nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// A block that is cut off, or is not base64.
    #[error("the PEM text is damaged after {after} blocks")]
    Damaged {
        /// The number of blocks that were read before it.
        after: usize,
    },
    /// A key that is encrypted in OpenSSL's old way (`Proc-Type: 4,ENCRYPTED`).
    #[error("the key is encrypted in OpenSSL's old way")]
    OldEncryption,
}

/// The blocks of a text, in their order; none where there is neither a block nor base64.
///
/// # Errors
///
/// If a block is damaged, or there is something around the blocks that seems to be a part of one.
///
/// ```
/// let text = "subject=CN = x\n-----BEGIN NOTE-----\\naGVsbG8=\\n-----END NOTE-----\n";
/// let blocks = wsse::pem_blocks(text)?;
/// assert_eq!((blocks[0].label(), blocks[0].content()), (Some("NOTE"), &b"hello"[..]));
/// assert_eq!(wsse::pem_blocks("\"aGVsbG8=\"")?[0].content(), b"hello");
/// # Ok::<(), wsse::PemError>(())
/// ```
pub fn pem_blocks(text: &str) -> Result<Vec<PemBlock>, PemError> {
    let text = unescaped(text);
    let mut blocks = Vec::new();
    let mut rest = text.as_str();
    while let Some((around, block)) = rest.split_once(BEGIN) {
        let damaged = PemError::Damaged {
            after: blocks.len(),
        };
        if !is_prose(around) {
            return Err(damaged);
        }
        let (label, block) = block.split_once(DASHES).ok_or(damaged)?;
        let end = format!("-----END {label}-----");
        let (content, after) = block.split_once(end.as_str()).ok_or(damaged)?;
        if content.contains("Proc-Type:") {
            return Err(PemError::OldEncryption);
        }
        blocks.push(PemBlock {
            label: Some(label.to_owned()),
            content: decode(content).ok_or(damaged)?,
        });
        rest = after;
    }
    if blocks.is_empty()
        && let Some(content) = decode(rest).filter(|content| !content.is_empty())
    {
        return Ok(vec![PemBlock {
            label: None,
            content,
        }]);
    }
    match is_prose(rest) {
        true => Ok(blocks),
        false => Err(PemError::Damaged {
            after: blocks.len(),
        }),
    }
}

/// True if nothing in a text seems to be a part of a block.
fn is_prose(text: &str) -> bool {
    !text.contains("----")
        && text
            .split_whitespace()
            .all(|word| word.len() <= LONGEST_WORD)
}

fn decode(base64: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut packed = Zeroizing::new(String::with_capacity(base64.len()));
    packed.extend(base64.chars().filter(|c| !is_space(*c)));
    // The padding is the first to get lost where `=` has a meaning.
    let decoded = Base64Unpadded::decode_vec(packed.trim_end_matches('='));
    decoded.ok().map(Zeroizing::new)
}

/// White space, and other invisible characters.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}')
}

/// Without a byte order mark and quotes, and with line ends where they are written out.
fn unescaped(text: &str) -> Zeroizing<String> {
    let text = text.trim_matches(|c| is_space(c) || matches!(c, '"' | '\''));
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('n' | 'r' | 't') | None => '\n',
                // Of `\/`, as PHP writes JSON, and of `\` before the line's end the second counts.
                Some(escaped) => escaped,
            },
            c => c,
        };
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN A-----\naGVsbG8=\n-----END A-----\n";

    fn labels(text: &str) -> Result<Vec<Option<String>>, PemError> {
        let blocks = pem_blocks(text)?;
        assert!(blocks.iter().all(|block| block.content() == b"hello"));
        Ok(blocks
            .iter()
            .map(|b| b.label().map(str::to_owned))
            .collect())
    }

    #[test]
    fn blocks_are_read_as_people_have_them() {
        let one = Ok(vec![Some("A".to_owned())]);
        for text in [
            BLOCK.to_owned(),
            BLOCK.replace('\n', "\r\n"),
            BLOCK.replace('\n', "\\n"),
            BLOCK.replace('\n', "\\r\\n"),
            BLOCK.replace('\n', " "),
            BLOCK.replace('\n', "\n    "),
            BLOCK.replace('\n', "\\\n"),
            format!("\u{feff}{BLOCK}"),
            format!("\"{BLOCK}\""),
            format!("'{}'\n", BLOCK.replace('\n', "\\n")),
            format!("Bag Attributes\n    localKeyID: 01 02\nsubject=/C=MD/CN=x\n{BLOCK}"),
            format!("{BLOCK}issued by: x\n"),
        ] {
            assert_eq!(labels(&text), one, "{text:?}");
        }
        let two = format!("{BLOCK}\nkey\n{}", BLOCK.replace(" A", " B"));
        assert_eq!(labels(&two).unwrap().len(), 2);
        let slashes = pem_blocks(r#""-----BEGIN A-----\n\/\/\/\/\n-----END A-----""#).unwrap();
        assert_eq!(slashes[0].content(), [0xff; 3]);
    }

    #[test]
    fn base64_alone_is_a_block_without_a_label() {
        for text in [
            "aGVsbG8=",
            " aGVs\r\nbG8=\r\n",
            "\"aGVsbG8\"",
            "\u{feff}aGVsbG8=\n",
        ] {
            assert_eq!(labels(text), Ok(vec![None]), "{text:?}");
        }
        for text in ["", " \n", "\"\"", "mpay.pem", "no block."] {
            assert_eq!(labels(text), Ok(vec![]), "{text:?}");
        }
    }

    #[test]
    fn what_was_cut_off_or_spoilt_is_not_left_out() {
        for (text, after) in [
            (BLOCK.replace("-----END A", "-----END B"), 0),
            (BLOCK.replace("END A-----", "END A--"), 0),
            (BLOCK.replace("aGVs", "a*Vs"), 0),
            (BLOCK.replace("-----BEGIN", "----BEGIN"), 0),
            (BLOCK.replace("-----BEGIN A-----", ""), 0),
            (format!("{BLOCK}-----BEGIN A-----"), 1),
            (format!("{BLOCK}-----END A-----"), 1),
            // The content of a block whose ends were not copied.
            (format!("{BLOCK}{}\n", "aGVsbG8h".repeat(8)), 1),
            (format!("{}\n{BLOCK}", "aGVsbG8h".repeat(8)), 0),
        ] {
            let found = pem_blocks(&text).unwrap_err();
            assert_eq!(found, PemError::Damaged { after }, "{text:?}");
        }
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\naGVsbG8=\n-----END RSA PRIVATE KEY-----";
        assert_eq!(pem_blocks(old), Err(PemError::OldEncryption));
    }

    #[test]
    fn what_a_block_holds_is_not_shown() {
        let shown = format!("{:?}", pem_blocks(BLOCK).unwrap());
        assert!(!shown.contains("104"), "{shown}");
    }
}
