//! The inside of a start tag or of the XML declaration: a name, then `name="value"` pairs.

use super::Malformed;
use super::characters::{is_nc_name, is_space};

/// A qualified name as written, both parts checked.
#[derive(Clone, Copy)]
pub(super) struct QName<'a> {
    pub(super) qualified: &'a str,
    /// Empty when there is none.
    pub(super) prefix: &'a str,
    pub(super) local: &'a str,
}

impl<'a> QName<'a> {
    pub(super) fn parse(qualified: &'a str) -> Result<QName<'a>, Malformed> {
        let (prefix, local) = match qualified.split_once(':') {
            Some((prefix, local)) if is_nc_name(prefix) => (prefix, local),
            Some(_) => return Err(Malformed::Name),
            None => ("", qualified),
        };
        let name = QName {
            qualified,
            prefix,
            local,
        };
        is_nc_name(local).then_some(name).ok_or(Malformed::Name)
    }

    /// The prefix that this attribute declares, if it is a namespace declaration; empty for the
    /// default namespace.
    pub(super) fn declares(&self) -> Option<&'a str> {
        match (self.prefix, self.local) {
            ("xmlns", prefix) => Some(prefix),
            ("", "xmlns") => Some(""),
            _ => None,
        }
    }
}

/// Splits the content of a tag after `<` into its name and the rest.
pub(super) fn split_name(tag: &str) -> (&str, &str) {
    let end = tag.find(is_space).unwrap_or(tag.len());
    tag.split_at(end)
}

/// Takes the next attribute off the rest of a tag: its name and its raw value, which holds no
/// `<`. `None` at the end of the tag.
pub(super) fn next_attribute<'a>(
    rest: &mut &'a str,
) -> Result<Option<(&'a str, &'a str)>, Malformed> {
    let attribute = rest.trim_start_matches(is_space);
    if attribute.is_empty() {
        return Ok(None);
    }
    if attribute.len() == rest.len() {
        return Err(Malformed::Attribute);
    }
    let (name, value) = attribute.split_once('=').ok_or(Malformed::Attribute)?;
    let value = value.trim_start_matches(is_space);
    let quote = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => return Err(Malformed::Attribute),
    };
    let mut parts = value.splitn(3, quote).skip(1);
    let (value, after) = parts.next().zip(parts.next()).ok_or(Malformed::Attribute)?;
    if value.contains('<') {
        return Err(Malformed::LessThanInAttribute);
    }
    *rest = after;
    Ok(Some((name.trim_end_matches(is_space), value)))
}

/// Checks an XML declaration, given the text between `<?xml` and `?>` (XML 1.0 section 2.8).
pub(super) fn check_declaration(mut rest: &str) -> Result<(), Malformed> {
    let wrong = |_| Malformed::Declaration;
    match next_attribute(&mut rest).map_err(wrong)? {
        Some(("version", "1.0")) => {}
        Some(("version", _)) => return Err(Malformed::Version),
        _ => return Err(Malformed::Declaration),
    }
    let mut next = next_attribute(&mut rest).map_err(wrong)?;
    if let Some(("encoding", encoding)) = next {
        if !encoding.eq_ignore_ascii_case("utf-8") {
            return Err(Malformed::Encoding);
        }
        next = next_attribute(&mut rest).map_err(wrong)?;
    }
    if let Some(("standalone", "yes" | "no")) = next {
        next = next_attribute(&mut rest).map_err(wrong)?;
    }
    next.is_none().then_some(()).ok_or(Malformed::Declaration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_one_by_one() -> Result<(), Malformed> {
        let mut rest = " a = 'x\"y'\n b=\"\"";
        assert_eq!(next_attribute(&mut rest)?, Some(("a", "x\"y")));
        assert_eq!(next_attribute(&mut rest)?, Some(("b", "")));
        assert_eq!(next_attribute(&mut rest)?, None);
        Ok(())
    }

    #[test]
    fn attributes_need_space_equals_sign_and_quotes() {
        for mut rest in [
            "a='x'", " a", " a=", " a=x", " a='x", " a='x\"", " =", " ='x",
        ] {
            assert_eq!(
                next_attribute(&mut rest),
                Err(Malformed::Attribute),
                "{rest}"
            );
        }
        let mut rest = " a='x'b='y'";
        assert!(next_attribute(&mut rest).is_ok());
        assert_eq!(next_attribute(&mut rest), Err(Malformed::Attribute));
    }

    #[test]
    fn declarations_have_version_encoding_standalone_in_this_order() {
        for rest in [
            " version='1.0'",
            " version=\"1.0\" encoding='UTF-8'",
            " version='1.0' encoding='utf-8' standalone='yes' ",
            " version = '1.0' standalone = 'no'",
        ] {
            assert_eq!(check_declaration(rest), Ok(()), "{rest}");
        }
        for (rest, reason) in [
            ("", Malformed::Declaration),
            (" encoding='UTF-8'", Malformed::Declaration),
            (" version='1.1'", Malformed::Version),
            (" version='1.0' encoding='ISO-8859-1'", Malformed::Encoding),
            (" version='1.0' standalone='maybe'", Malformed::Declaration),
            (
                " version='1.0' standalone='no' encoding='UTF-8'",
                Malformed::Declaration,
            ),
            (" version='1.0' other='x'", Malformed::Declaration),
            (" version='1.0'encoding='UTF-8'", Malformed::Declaration),
        ] {
            assert_eq!(check_declaration(rest), Err(reason), "{rest}");
        }
    }
}
