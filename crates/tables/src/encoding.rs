//! Bytes to text.

use std::fmt;

use crate::TableError;

/// The encoding of the text of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, the lower byte first.
    Utf16Le,
    /// UTF-16, the higher byte first.
    Utf16Be,
    /// Windows-1250: a Romanian Windows.
    Windows1250,
    /// Windows-1251: a Russian Windows.
    Windows1251,
}

impl Encoding {
    /// The names that [`Encoding::parse`] takes.
    pub const NAMES: &str = "utf-8, utf-16le, utf-16be, windows-1250 or windows-1251";

    /// Reads a name.
    ///
    /// # Errors
    /// [`TableError::NoSuchEncoding`].
    pub fn parse(name: &str) -> Result<Self, TableError> {
        match name.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "utf-16le" | "utf-16" => Ok(Self::Utf16Le),
            "utf-16be" => Ok(Self::Utf16Be),
            "windows-1250" | "cp1250" | "1250" => Ok(Self::Windows1250),
            "windows-1251" | "cp1251" | "1251" => Ok(Self::Windows1251),
            _ => Err(TableError::NoSuchEncoding),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Windows1250 => "windows-1250",
            Self::Windows1251 => "windows-1251",
        })
    }
}

/// A text, its encoding, and true if the encoding was guessed from the letters.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub text: String,
    pub encoding: Encoding,
    pub is_guess: bool,
}

/// Decodes a file: by its mark, which nothing else can have put there; or as `given`; or as UTF-16 by its
/// zeros, which no other text has; or as UTF-8, which text in another encoding never is; or by its letters.
pub(crate) fn decode(bytes: &[u8], given: Option<Encoding>) -> Result<Decoded, TableError> {
    const MARKS: [(&[u8], Encoding); 3] = [
        (b"\xEF\xBB\xBF", Encoding::Utf8),
        (b"\xFF\xFE", Encoding::Utf16Le),
        (b"\xFE\xFF", Encoding::Utf16Be),
    ];
    let marked = MARKS
        .iter()
        .find_map(|(mark, encoding)| Some((*encoding, bytes.strip_prefix(*mark)?)));
    let certain = marked.or(given.map(|encoding| (encoding, bytes)));
    let (encoding, content, is_guess) = match (certain, utf_16_by_zeros(bytes)) {
        (Some((encoding, content)), _) => (encoding, content, false),
        (None, Some(encoding)) => (encoding, bytes, true),
        (None, None) => match std::str::from_utf8(bytes) {
            Ok(_) => (Encoding::Utf8, bytes, false),
            Err(error) => {
                let position = error.valid_up_to();
                let guess = guess(bytes).ok_or(TableError::UnknownEncoding { position })?;
                (guess, bytes, true)
            }
        },
    };
    let text = to_text(content, encoding).map_err(|position| TableError::NotInEncoding {
        encoding,
        position: position + (bytes.len() - content.len()),
    })?;
    Ok(Decoded {
        text,
        encoding,
        is_guess,
    })
}

/// The text, or the position of the first byte that the encoding does not have.
fn to_text(bytes: &[u8], encoding: Encoding) -> Result<String, usize> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| error.valid_up_to()),
        Encoding::Utf16Le => utf_16(bytes, u16::from_le_bytes),
        Encoding::Utf16Be => utf_16(bytes, u16::from_be_bytes),
        Encoding::Windows1250 => windows(bytes, &WINDOWS_1250),
        Encoding::Windows1251 => windows(bytes, &WINDOWS_1251),
    }
}

/// UTF-16 without its mark: each digit and each separator has a zero, on the same side.
fn utf_16_by_zeros(bytes: &[u8]) -> Option<Encoding> {
    const LOOKED_AT: usize = 512;
    let (pairs, rest) = bytes.as_chunks::<2>();
    let pairs = pairs.get(..LOOKED_AT).unwrap_or(pairs);
    let many = pairs.len() / 8;
    let before = pairs.iter().filter(|[first, _]| *first == 0).count();
    let after = pairs.iter().filter(|[_, second]| *second == 0).count();
    match (before, after) {
        _ if !rest.is_empty() => None,
        (0, after) if after > many => Some(Encoding::Utf16Le),
        (before, 0) if before > many => Some(Encoding::Utf16Be),
        _ => None,
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, usize> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut position = 0;
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let character = character.map_err(|_| position)?;
        position += 2 * character.len_utf16();
        text.push(character);
    }
    if rest.is_empty() {
        Ok(text)
    } else {
        Err(position)
    }
}

fn windows(bytes: &[u8], table: &[&str; 8]) -> Result<String, usize> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for (position, byte) in bytes.iter().enumerate() {
        text.push(character(*byte, table).ok_or(position)?);
    }
    Ok(text)
}

fn character(byte: u8, table: &[&str; 8]) -> Option<char> {
    if byte.is_ascii() {
        return Some(byte.into());
    }
    let row = table.get(usize::from(byte >> 4 & 7))?;
    let character = row.chars().nth(usize::from(byte & 15))?;
    (character != char::REPLACEMENT_CHARACTER).then_some(character)
}

/// The characters of the bytes from 0x80, sixteen a row; U+FFFD where there is none. They are those of
/// the WHATWG's encodings, which the tests hold them against: `encoding_rs` in a component would be
/// 167 KB, nearly all of it tables of East Asian encodings.
const WINDOWS_1250: [&str; 8] = [
    "€\u{FFFD}‚\u{FFFD}„…†‡\u{FFFD}‰Š‹ŚŤŽŹ",
    "\u{FFFD}‘’“”•–—\u{FFFD}™š›śťžź",
    "\u{A0}ˇ˘Ł¤Ą¦§¨©Ş«¬\u{AD}®Ż",
    "°±˛ł´µ¶·¸ąş»Ľ˝ľż",
    "ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎ",
    "ĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß",
    "ŕáâăäĺćçčéęëěíîď",
    "đńňóôőö÷řůúűüýţ˙",
];
const WINDOWS_1251: [&str; 8] = [
    "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏ",
    "ђ‘’“”•–—\u{FFFD}™љ›њќћџ",
    "\u{A0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{AD}®Ї",
    "°±Ііґµ¶·ё№є»јЅѕї",
    "АБВГДЕЖЗИЙКЛМНОП",
    "РСТУФХЦЧШЩЪЫЬЭЮЯ",
    "абвгдежзийклмноп",
    "рстуфхцчшщъыьэюя",
];

/// The encoding of a text, of the two of this country, if its words tell.
///
/// Words in Cyrillic have no letters of ASCII, and Romanian words have few others. A text that fits
/// neither (DOS, KOI8-R, another language) is not guessed: a silently wrong name is worse.
fn guess(bytes: &[u8]) -> Option<Encoding> {
    let (mut romanian, mut cyrillic) = (0_usize, 0_usize);
    let is_word = |byte: &u8| byte.is_ascii_alphabetic() || is_letter(*byte);
    for word in bytes.split(|byte| !is_word(byte)) {
        let high = word.iter().filter(|byte| !byte.is_ascii()).count();
        if high == 0 {
            continue;
        }
        // Two letters may be a Romanian word too, and one is any.
        if high == word.len() && high > 2 {
            // In KOI8-R the cases of letters are the other way round.
            let capital_behind = |pair: &[u8]| matches!(pair, [0xE0..=0xFF, 0xC0..=0xDF]);
            let russian = |byte: &u8| matches!(byte, 0xC0..=0xFF) || UKRAINIAN.contains(byte);
            if !word.iter().all(russian) || word.windows(2).any(capital_behind) {
                return None;
            }
            cyrillic += 1;
        } else if high < word.len() {
            if !word
                .iter()
                .all(|byte| byte.is_ascii() || ROMANIAN.contains(byte))
            {
                return None;
            }
            romanian += 1;
        }
    }
    match (romanian, cyrillic) {
        (0, 0) => None,
        (_, 0) => Some(Encoding::Windows1250),
        (0, _) => Some(Encoding::Windows1251),
        // A Latin letter may have slipped into a Cyrillic word, and the other way round.
        (romanian, cyrillic) if cyrillic > 9 * romanian => Some(Encoding::Windows1251),
        (romanian, cyrillic) if romanian > 9 * cyrillic => Some(Encoding::Windows1250),
        _ => None,
    }
}

/// True if a byte from 0x80 may be a letter in any of the encodings that must be told apart; quotation
/// marks, dashes and spaces of Windows are none.
fn is_letter(byte: u8) -> bool {
    !byte.is_ascii()
        && !matches!(
            byte,
            0x82 | 0x84 | 0x85 | 0x88 | 0x8B | 0x91..=0x97 | 0x99 | 0x9B | 0xA0 | 0xA4 | 0xA6 | 0xA7
                | 0xA9 | 0xAB..=0xAE | 0xB0 | 0xB1 | 0xB6 | 0xB7 | 0xBB
        )
}

/// Ă Â Î Ş Ţ ă â î ş ţ, and those of names of neighbours: Á É Ö Ü Ó á é ö ü ó.
const ROMANIAN: [u8; 20] = [
    0xC3, 0xC2, 0xCE, 0xAA, 0xDE, 0xE3, 0xE2, 0xEE, 0xBA, 0xFE, 0xC1, 0xC9, 0xD6, 0xDC, 0xD3, 0xE1,
    0xE9, 0xF6, 0xFC, 0xF3,
];
/// Ё ё Ґ ґ Є є І і Ї ї.
const UKRAINIAN: [u8; 10] = [0xA8, 0xB8, 0xA5, 0xB4, 0xAA, 0xBA, 0xB2, 0xB3, 0xAF, 0xBF];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to_windows(text: &str, encoding: &'static encoding_rs::Encoding) -> Vec<u8> {
        let (bytes, _, unmappable) = encoding.encode(text);
        assert!(!unmappable, "{text}");
        bytes.into_owned()
    }

    #[test]
    fn each_byte_is_what_the_whatwg_says() {
        for (table, encoding) in [
            (&WINDOWS_1250, encoding_rs::WINDOWS_1250),
            (&WINDOWS_1251, encoding_rs::WINDOWS_1251),
        ] {
            for byte in 0..=255_u8 {
                let bytes = [byte];
                let (text, _) = encoding.decode_without_bom_handling(&bytes);
                let expected = text.chars().next().unwrap();
                // The WHATWG gives undefined bytes the control characters of Latin-1.
                let expected = Some(expected).filter(|c| c.is_ascii() || !c.is_control());
                assert_eq!(character(byte, table), expected, "{encoding:?} {byte:02X}");
            }
        }
    }

    #[test]
    fn a_mark_tells_what_a_text_is_in_whatever_is_given() {
        let text = "Ștefan cel Mare; Улица 🏛";
        let utf_16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
        let (le, be): (Vec<u8>, Vec<u8>) = (utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes));
        for (mark, bytes, encoding) in [
            (&b"\xEF\xBB\xBF"[..], text.as_bytes(), Encoding::Utf8),
            (b"\xFF\xFE", &le, Encoding::Utf16Le),
            (b"\xFE\xFF", &be, Encoding::Utf16Be),
        ] {
            for given in [None, Some(Encoding::Windows1251)] {
                let decoded = decode(&[mark, bytes].concat(), given).unwrap();
                assert_eq!((decoded.text.as_str(), decoded.encoding), (text, encoding));
                assert!(!decoded.is_guess);
            }
            let decoded = decode(bytes, Some(encoding)).unwrap();
            assert_eq!(decoded.text, text);
        }
        for (bytes, position) in [(&b"\xFF\xFEa"[..], 2), (b"\xFF\xFEa\0\x00\xD8b\0", 4)] {
            let encoding = Encoding::Utf16Le;
            let expected = TableError::NotInEncoding { encoding, position };
            assert_eq!(decode(bytes, None).unwrap_err(), expected);
        }
    }

    #[test]
    fn utf_16_without_its_mark_is_found_out_by_its_zeros() {
        let texts = [
            "număr;sumă\r\nA-1;12,50\r\n",
            "Номер;Сумма\r\nА-1;1 250,50\r\n",
        ];
        for text in texts {
            for (bytes, encoding) in [
                (u16::to_le_bytes as fn(u16) -> [u8; 2], Encoding::Utf16Le),
                (u16::to_be_bytes, Encoding::Utf16Be),
            ] {
                let bytes: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
                let decoded = decode(&bytes, None).unwrap();
                assert_eq!((decoded.text.as_str(), decoded.encoding), (text, encoding));
                assert!(decoded.is_guess);
                let given = decode(&bytes, Some(encoding)).unwrap();
                assert!(!given.is_guess);
            }
            let decoded = decode(text.as_bytes(), None).unwrap();
            assert_eq!(decoded.encoding, Encoding::Utf8);
        }
    }

    #[test]
    fn what_is_not_utf_8_is_found_out_by_its_words_and_said() {
        for (text, encoding, expected) in [
            (
                "Primăria Chişinău;Taxă;Ţîrdea Îon",
                encoding_rs::WINDOWS_1250,
                Encoding::Windows1250,
            ),
            (
                "nume;Müller – „Şcoala”",
                encoding_rs::WINDOWS_1250,
                Encoding::Windows1250,
            ),
            (
                "Сбор;Иванов Пётр и сын;«Школа» № 5",
                encoding_rs::WINDOWS_1251,
                Encoding::Windows1251,
            ),
            (
                "СБОР;Київ",
                encoding_rs::WINDOWS_1251,
                Encoding::Windows1251,
            ),
        ] {
            let bytes = to_windows(text, encoding);
            let decoded = decode(&bytes, None).unwrap();
            assert_eq!((decoded.text.as_str(), decoded.encoding), (text, expected));
            assert!(decoded.is_guess);
            let given = decode(&bytes, Some(expected)).unwrap();
            assert_eq!((given.text.as_str(), given.is_guess), (text, false));
        }
        // KOI8-R and the DOS of Russian and of Central Europe; one letter alone; a broken UTF-8.
        for bytes in [
            to_windows("Сбор;Иванов Пётр", encoding_rs::KOI8_R),
            to_windows("Сбор;Иванов Пётр", encoding_rs::IBM866),
            b"Prim\xC7ria Chi\xADin\xC7u".to_vec(),
            b"\xE3".to_vec(),
            "ș".as_bytes()[..1].to_vec(),
        ] {
            let error = decode(&bytes, None).unwrap_err();
            assert!(
                matches!(error, TableError::UnknownEncoding { .. }),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn what_a_given_encoding_does_not_have_is_refused_at_its_place() {
        for (bytes, encoding) in [
            (&b"ab\xFF"[..], Encoding::Utf8),
            (b"ab\x81", Encoding::Windows1250),
            (b"ab\x98", Encoding::Windows1251),
        ] {
            let position = 2;
            let expected = TableError::NotInEncoding { encoding, position };
            assert_eq!(decode(bytes, Some(encoding)).unwrap_err(), expected);
        }
        assert_eq!(Encoding::parse("CP1251"), Ok(Encoding::Windows1251));
        assert_eq!(Encoding::parse("latin1"), Err(TableError::NoSuchEncoding));
    }

    proptest! {
        #[test]
        fn words_of_this_country_are_never_taken_for_the_other_encoding(
            words in prop::collection::vec("[a-z]{1,4}[ăâîşţ]{0,2}[a-z]{0,4}", 1..9),
            russian in prop::collection::vec("[А-Я]?[а-яё]{3,9}", 1..9),
        ) {
            let romanian = to_windows(&words.join(";"), encoding_rs::WINDOWS_1250);
            if let Ok(decoded) = decode(&romanian, None) {
                prop_assert_ne!(decoded.encoding, Encoding::Windows1251);
            }
            // Words that begin with яю or юя would be a mark.
            let russian = format!("a;{}", russian.join(";"));
            let bytes = to_windows(&russian, encoding_rs::WINDOWS_1251);
            // A few letters may be UTF-8 by chance.
            prop_assume!(str::from_utf8(&bytes).is_err());
            let decoded = decode(&bytes, None).unwrap();
            prop_assert_eq!(decoded.text, russian);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            for given in [None, Some(Encoding::Utf16Be), Some(Encoding::Windows1251)] {
                let _ = decode(&bytes, given);
            }
        }
    }
}
