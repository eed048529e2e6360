//! Distinguished names: those of certificates, and those that people and programs write.

use x509_cert::der::asn1::{Any, Ia5StringRef, ObjectIdentifier};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::DirectoryString;
use x509_cert::name::Name;

/// The keywords of RFC 4514 section 3, and those that .NET, Java and OpenSSL write beside them.
const KEYWORDS: &[(&str, &str)] = &[
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("SURNAME", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("S", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("T", "2.5.4.12"),
    ("TITLE", "2.5.4.12"),
    ("DESCRIPTION", "2.5.4.13"),
    ("BUSINESSCATEGORY", "2.5.4.15"),
    ("POSTALCODE", "2.5.4.17"),
    ("NAME", "2.5.4.41"),
    ("G", "2.5.4.42"),
    ("GN", "2.5.4.42"),
    ("GIVENNAME", "2.5.4.42"),
    ("I", "2.5.4.43"),
    ("INITIALS", "2.5.4.43"),
    ("GENERATION", "2.5.4.44"),
    ("GENERATIONQUALIFIER", "2.5.4.44"),
    ("DNQ", "2.5.4.46"),
    ("DNQUALIFIER", "2.5.4.46"),
    ("PSEUDONYM", "2.5.4.65"),
    ("ORGANIZATIONIDENTIFIER", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("USERID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("E", "1.2.840.113549.1.9.1"),
    ("EMAIL", "1.2.840.113549.1.9.1"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
];

const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");

/// A distinguished name, its relative ones in the order of the certificate: the least specific
/// first. Values are compared as RFC 5280 section 7.1 says: without regard to case, to the amount
/// of white space, and to the kind of string.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DistinguishedName(Vec<Relative>);

/// Attributes without an order, so kept in that of their types.
type Relative = Vec<(ObjectIdentifier, Value)>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Value {
    /// Folded: lower case, single spaces.
    Text(String),
    /// A value that is no string.
    Der(Vec<u8>),
}

impl DistinguishedName {
    /// The name in a certificate.
    pub(crate) fn of(name: &Name) -> DistinguishedName {
        let relative = name.iter_rdn().map(|relative| {
            let attributes = relative.iter();
            sorted(attributes.map(|a| (a.oid, Value::of(&a.value))).collect())
        });
        DistinguishedName(relative.collect())
    }

    /// Reads a name as RFC 4514, RFC 2253 and RFC 1779 write it: `CN=…,O=…`, with `;` for `,`,
    /// spaces around separators, attribute types as keywords in any case or as numbers with or
    /// without `OID.`, values escaped, in quotes (with `\"` or, as .NET writes it, `""` inside) or
    /// in hexadecimal after `#`.
    pub(crate) fn parse(text: &str) -> Option<DistinguishedName> {
        let mut names = Vec::new();
        let mut relative = Vec::new();
        let mut rest = text;
        loop {
            let (attribute_type, after) = rest.split_once('=')?;
            let (value, after) = value(after.trim_start())?;
            relative.push((object_identifier(attribute_type.trim())?, value));
            let mut after = after.trim_start().chars();
            match after.next() {
                Some('+') => {}
                Some(',' | ';') => names.push(sorted(std::mem::take(&mut relative))),
                Some(_) => return None,
                None => break,
            }
            rest = after.as_str();
        }
        names.push(sorted(relative));
        names.reverse();
        Some(DistinguishedName(names))
    }

    /// True if a text, which [`parse`](Self::parse) read, means this name: the most specific part
    /// first as RFC 4514 has it, or last as OpenSSL shows names.
    pub(crate) fn is_meant_by(&self, written: &DistinguishedName) -> bool {
        self == written || self.0.iter().eq(written.0.iter().rev())
    }

    /// True if there is a `serialNumber` attribute, once, and it has this value.
    pub(crate) fn has_serial_number(&self, value: &str) -> bool {
        let mut found = self.0.iter().flatten().filter(|(t, _)| *t == SERIAL_NUMBER);
        let (first, second) = (found.next(), found.next());
        second.is_none() && first.is_some_and(|(_, found)| *found == Value::text(value))
    }
}

fn sorted(mut relative: Relative) -> Relative {
    relative.sort_unstable();
    relative
}

impl Value {
    fn of(value: &Any) -> Value {
        let directory = value.decode_as::<DirectoryString>().ok();
        let ia5 = || value.decode_as::<Ia5StringRef<'_>>().ok();
        directory
            .map(|text| Value::text(&text.value()))
            .or_else(|| ia5().map(|text| Value::text(text.as_str())))
            .unwrap_or_else(|| Value::Der(value.to_der().unwrap_or_default()))
    }

    fn text(text: &str) -> Value {
        let words: Vec<&str> = text.split_whitespace().collect();
        Value::Text(words.join(" ").to_lowercase())
    }
}

fn object_identifier(attribute_type: &str) -> Option<ObjectIdentifier> {
    let upper = attribute_type.to_ascii_uppercase();
    let keyword = KEYWORDS.iter().find(|(keyword, _)| *keyword == upper);
    let number = keyword.map_or(upper.as_str(), |(_, number)| number);
    ObjectIdentifier::new(number.strip_prefix("OID.").unwrap_or(number)).ok()
}

/// A value and what follows it.
fn value(text: &str) -> Option<(Value, &str)> {
    if let Some(hex) = text.strip_prefix('#') {
        let end = hex
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(hex.len());
        let (digits, after) = hex.split_at(end);
        return Some((
            Value::of(&Any::from_der(&base16ct::mixed::decode_vec(digits).ok()?).ok()?),
            after,
        ));
    }
    let (bytes, after) = match text.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?,
        None => string(text)?,
    };
    Some((Value::text(std::str::from_utf8(&bytes).ok()?), after))
}

fn hex_pair(pair: &str) -> Option<u8> {
    let is_pair = pair.len() == 2 && pair.chars().all(|c| c.is_ascii_hexdigit());
    is_pair.then(|| u8::from_str_radix(pair, 16).ok())?
}

/// A value up to a separator that is not escaped.
fn string(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest
        .chars()
        .next()
        .filter(|c| !matches!(c, ',' | ';' | '+'))
    {
        rest = match c {
            '"' => return None,
            _ => character(c, rest, &mut bytes)?,
        };
    }
    Some((bytes, rest))
}

/// The string that follows an opening quote, up to the closing one.
fn quoted_string(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest.strip_prefix('"') {
            Some(after) => match after.strip_prefix('"') {
                Some(after) => {
                    bytes.push(b'"');
                    after
                }
                None => return Some((bytes, after)),
            },
            None => character(rest.chars().next()?, rest, &mut bytes)?,
        };
    }
}

/// Takes one character, escaped or not: `\` before another, or before two digits of a byte
/// (RFC 4514 section 2.4).
fn character<'a>(c: char, text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let after = text.get(c.len_utf8()..)?;
    if c != '\\' {
        bytes.extend_from_slice(text.get(..c.len_utf8())?.as_bytes());
        return Some(after);
    }
    if let Some(byte) = after.get(..2).and_then(hex_pair) {
        bytes.push(byte);
        return after.get(2..);
    }
    let escaped = after.chars().next()?.len_utf8();
    bytes.extend_from_slice(after.get(..escaped)?.as_bytes());
    after.get(escaped..)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn name(text: &str) -> DistinguishedName {
        DistinguishedName::of(&Name::from_str(text).unwrap())
    }

    fn means(text: &str, name: &DistinguishedName) -> bool {
        DistinguishedName::parse(text).is_some_and(|written| name.is_meant_by(&written))
    }

    #[test]
    fn a_name_is_the_same_as_net_java_and_openssl_write_it() {
        let subject = name("CN=mpay.example,2.5.4.5=1003600000001,O=Example Authority,C=MD");
        for text in [
            "CN=mpay.example,2.5.4.5=1003600000001,O=Example Authority,C=MD",
            "CN=mpay.example, SERIALNUMBER=1003600000001, O=Example Authority, C=MD",
            "CN=mpay.example, OID.2.5.4.5=1003600000001, O=Example Authority, C=MD",
            "CN=mpay.example,2.5.4.5=#130d31303033363030303030303031,O=Example Authority,C=MD",
            "cn=MPAY.example;serialNumber=1003600000001 ; o=\"Example  Authority\";c=md",
            "C = MD, O = Example Authority, serialNumber = 1003600000001, CN = mpay.example",
            "CN=\\6dpay.example,serialNumber=1003600000001,O=Example\\20Authority,C=MD",
            "CN=mpay.example,serialNumber=1003600000001,O=\\ Example Authority ,C=MD",
        ] {
            assert!(means(text, &subject), "{text}");
        }
        for text in [
            "CN=mpay.example,O=Example Authority,C=MD",
            "CN=mpay.example,serialNumber=1003600000001,O=ExampleAuthority,C=MD",
            "CN=mpay.example,serialNumber=1003600000001,C=MD,O=Example Authority",
            "CN=mpay.example+serialNumber=1003600000001,O=Example Authority,C=MD",
            "CN=1003600000001,serialNumber=mpay.example,O=Example Authority,C=MD",
            "CN=mpay.example,serialNumber=1003600000001,O=Example Authority,C=MD,C=MD",
        ] {
            assert!(!means(text, &subject), "{text}");
        }
    }

    #[test]
    fn values_are_unescaped() {
        let subject = name(r#"CN=A\, \"B\" \+ \\C,O=Prim\C4\83ria"#);
        for text in [
            r#"CN=A\, \"B\" \+ \\C,O=Primăria"#,
            r#"CN="A, ""B"" + \\C", O=PRIMĂRIA"#,
            r#"CN="A, \"B\" + \\C", O="Primăria""#,
            r"CN=\41\2c \22B\22 \2B \5CC,O=Prim\C4\83ria",
        ] {
            assert!(means(text, &subject), "{text}");
        }
    }

    #[test]
    fn attributes_of_one_relative_name_have_no_order() {
        let subject = name("CN=a+UID=b,O=c");
        assert!(means("UID=b + CN=a, O=c", &subject));
        assert!(!means("UID=b,CN=a,O=c", &subject));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "mpay.example",
            "CN",
            "CN=a,",
            "CN=a,O",
            "XX=a",
            "1=a",
            "1.2.=a",
            "CN=#1",
            "CN=#0c0161zz",
            "CN=#ffff",
            "CN=\"a",
            "CN=\"a\"b",
            "CN=a\"b",
            "CN=a\\",
            "CN=\\ff",
            "CN=\\é\\C4",
        ] {
            assert_eq!(DistinguishedName::parse(text), None, "{text}");
        }
        assert!(DistinguishedName::parse("CN=,O=").is_some());
    }

    #[test]
    fn a_serial_number_is_the_whole_of_the_one_attribute() {
        let subject = name("CN=a,2.5.4.5=1003600000001");
        assert!(subject.has_serial_number("1003600000001"));
        assert!(!subject.has_serial_number("003600000001"));
        assert!(!subject.has_serial_number("a"));
        assert!(!name("CN=1003600000001").has_serial_number("1003600000001"));
        let two = name("2.5.4.5=1,2.5.4.5=2");
        assert!(!two.has_serial_number("1") && !two.has_serial_number("2"));
    }
}
