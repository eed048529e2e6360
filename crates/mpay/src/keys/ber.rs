//! BER into DER (X.690): lengths that are not given beforehand, and strings in several parts, as
//! BouncyCastle and with it EJBCA and many Java programs write PKCS#12.

/// Deeper than anything that is read here.
const MAX_DEPTH: usize = 32;

const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// The bit of a tag for what has other values inside.
const CONSTRUCTED: u8 = 0x20;
/// `[0]`, constructed: in CMS an explicit tag, or a string of implicit tag in several parts.
const ZERO: u8 = 0xa0;

/// The first value of these bytes with definite, shortest lengths and strings in one part; `None` if
/// it cannot be read. Elements of a SET stay in their order.
pub fn to_der(ber: &[u8]) -> Option<Vec<u8>> {
    let (value, _) = read(ber, 0)?;
    let mut der = Vec::with_capacity(ber.len());
    value.write(&mut der);
    Some(der)
}

struct Value<'a> {
    tag: u8,
    content: Content<'a>,
}

enum Content<'a> {
    Bytes(&'a [u8]),
    Values(Vec<Value<'a>>),
}

/// The first value, and what follows it.
fn read(ber: &[u8], depth: usize) -> Option<(Value<'_>, &[u8])> {
    let (&tag, rest) = ber.split_first()?;
    // No tag above 30 is met in PKCS#12.
    if depth > MAX_DEPTH || tag & 0x1f == 0x1f {
        return None;
    }
    let (length, rest) = read_length(rest)?;
    let is_constructed = tag & CONSTRUCTED != 0;
    let (content, rest) = match length {
        Some(length) => {
            let (content, rest) = rest.split_at_checked(length)?;
            match is_constructed {
                true => (Content::Values(read_all(content, depth)?), rest),
                false => (Content::Bytes(content), rest),
            }
        }
        None if is_constructed => {
            let mut values = Vec::new();
            let mut rest = rest;
            while !rest.starts_with(&[0, 0]) {
                let (value, after) = read(rest, depth + 1)?;
                values.push(value);
                rest = after;
            }
            (Content::Values(values), rest.get(2..)?)
        }
        None => return None,
    };
    let mut value = Value { tag, content };
    value.join_parts();
    Some((value, rest))
}

fn read_all(mut ber: &[u8], depth: usize) -> Option<Vec<Value<'_>>> {
    let mut values = Vec::new();
    while !ber.is_empty() {
        let (value, rest) = read(ber, depth + 1)?;
        values.push(value);
        ber = rest;
    }
    Some(values)
}

/// A length, and what follows it; the length is `None` where the end is marked instead.
fn read_length(ber: &[u8]) -> Option<(Option<usize>, &[u8])> {
    let (&first, rest) = ber.split_first()?;
    match first {
        0x80 => Some((None, rest)),
        0..0x80 => Some((Some(first.into()), rest)),
        _ => {
            let (digits, rest) = rest.split_at_checked((first & 0x7f).into())?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256)?.checked_add((*digit).into())
            });
            Some((Some(length?), rest))
        }
    }
}

impl Value<'_> {
    /// Makes one string of several parts.
    fn join_parts(&mut self) {
        let Content::Values(values) = &mut self.content else {
            return;
        };
        if self.tag == SEQUENCE {
            // EncryptedContentInfo: contentType, algorithm, and the string, `[0] IMPLICIT`. (The
            // `[0]` of a ContentInfo follows its contentType at once, and is explicit.)
            if let [kind, algorithm, encrypted] = values.as_mut_slice()
                && (kind.tag, algorithm.tag, encrypted.tag) == (OBJECT_IDENTIFIER, SEQUENCE, ZERO)
                && encrypted.parts().is_some()
            {
                encrypted.tag = ZERO ^ CONSTRUCTED;
            }
        } else if self.tag == OCTET_STRING | CONSTRUCTED && self.parts().is_some() {
            self.tag = OCTET_STRING;
        }
    }

    /// The joined content of its parts, if it consists of octet strings.
    fn parts(&self) -> Option<Vec<u8>> {
        let Content::Values(values) = &self.content else {
            return None;
        };
        let mut joined = Vec::new();
        for value in values {
            match (&value.content, value.tag) {
                (Content::Bytes(bytes), OCTET_STRING) => joined.extend_from_slice(bytes),
                (Content::Values(_), OCTET_STRING) => joined.extend(value.parts()?),
                _ => return None,
            }
        }
        Some(joined)
    }

    fn write(&self, der: &mut Vec<u8>) {
        let content = match &self.content {
            Content::Bytes(bytes) => bytes.to_vec(),
            Content::Values(_) if self.tag & CONSTRUCTED == 0 => self.parts().unwrap_or_default(),
            Content::Values(values) => {
                let mut content = Vec::new();
                values.iter().for_each(|value| value.write(&mut content));
                content
            }
        };
        der.push(self.tag);
        match u8::try_from(content.len()) {
            Ok(length) if length < 0x80 => der.push(length),
            _ => {
                let digits = content.len().to_be_bytes();
                let zeros = digits.iter().take_while(|digit| **digit == 0).count();
                let digits = digits.get(zeros..).unwrap_or_default();
                der.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
                der.extend_from_slice(digits);
            }
        }
        der.extend(content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_der_already_stays_as_it_is() {
        let long = [&[0x04, 0x81, 0x80][..], &[7; 128]].concat();
        for der in [
            &[0x30, 0x03, 0x02, 0x01, 0x05][..],
            &[0x30, 0x00],
            &[0x80, 0x01, 0xff],
            &long,
        ] {
            assert_eq!(to_der(der).unwrap(), der);
        }
    }

    #[test]
    fn lengths_become_definite_and_parts_one_string() {
        for (ber, der) in [
            (
                &[0x30, 0x80, 0x02, 0x01, 0x05, 0, 0][..],
                &[0x30, 0x03, 0x02, 0x01, 0x05][..],
            ),
            (&[0x02, 0x82, 0x00, 0x01, 0x05], &[0x02, 0x01, 0x05]),
            (
                &[0x24, 0x80, 0x04, 0x01, 1, 0x24, 0x03, 0x04, 0x01, 2, 0, 0],
                &[0x04, 0x02, 1, 2],
            ),
            // Explicit, as in a ContentInfo.
            (
                &[
                    0x30, 0x80, 0x06, 0x01, 1, 0xa0, 0x80, 0x24, 0x80, 0x04, 0x01, 9, 0, 0, 0, 0,
                    0, 0,
                ],
                &[0x30, 0x08, 0x06, 0x01, 1, 0xa0, 0x03, 0x04, 0x01, 9],
            ),
            // Implicit, as in an EncryptedContentInfo.
            (
                &[
                    0x30, 0x80, 0x06, 0x01, 1, 0x30, 0x00, 0xa0, 0x80, 0x04, 0x01, 8, 0x04, 0x01,
                    9, 0, 0, 0, 0,
                ],
                &[0x30, 0x09, 0x06, 0x01, 1, 0x30, 0x00, 0x80, 0x02, 8, 9],
            ),
        ] {
            assert_eq!(to_der(ber).unwrap(), der, "{ber:x?}");
        }
    }

    #[test]
    fn what_is_cut_off_or_endless_is_not_read() {
        let deep = [0x30, 0x80].repeat(100_000);
        for ber in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0x80, 0x02, 0x01, 0x05, 0],
            &[0x04, 0x80, 0, 0],
            &[0x04, 0x02, 1],
            &[0x30, 0x03, 0x04, 0x05, 1],
            &[0x04, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            &[0x3f, 0x01, 0x00],
            &deep,
        ] {
            assert_eq!(to_der(ber), None, "{:x?}", ber.get(..8));
        }
    }
}
