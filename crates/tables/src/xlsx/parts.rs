//! The XML of a workbook's parts, read strictly: one after the other, without a DTD.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use crate::TableError;

/// The error for a workbook that is no good, for this reason.
pub(super) fn damaged(reason: &'static str) -> TableError {
    TableError::Workbook(reason)
}

/// The name of an element without its prefix.
pub(super) fn local_name<'a>(tag: &'a BytesStart<'_>) -> &'a str {
    without_prefix(tag.name().0)
}

fn without_prefix(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// The value of an attribute, by its name without a prefix.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    // The first of two equal attributes is found, and duplicates are not looked for.
    attributes.with_checks(false);
    let is_it = |key: &str| without_prefix(key) == name;
    let found = attributes.flatten().find(|found| is_it(found.key.0))?;
    let value = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}

/// Beginnings and ends of elements, and the texts in them.
pub(super) struct Parts<'a> {
    reader: Reader<&'a [u8]>,
    /// The end of an element that is empty.
    end: Option<String>,
}

/// A beginning or an end.
pub(super) enum Part<'a> {
    Start(BytesStart<'a>),
    End(String),
}

const NO_XML: &str = "a part of it is no XML";

impl<'a> Parts<'a> {
    /// Those of a part of the workbook.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            reader: Reader::from_str(text),
            end: None,
        }
    }

    fn event(&mut self) -> Result<Event<'a>, TableError> {
        match self.reader.read_event() {
            // Entities of its own could grow without bound, and no spreadsheet writes any.
            Ok(Event::DocType(_)) => Err(damaged("a part of it has a DTD")),
            event => event.map_err(|_| damaged(NO_XML)),
        }
    }

    /// The next one; texts are passed over.
    pub(super) fn next(&mut self) -> Result<Option<Part<'a>>, TableError> {
        if let Some(name) = self.end.take() {
            return Ok(Some(Part::End(name)));
        }
        loop {
            return Ok(Some(match self.event()? {
                Event::Start(tag) => Part::Start(tag),
                Event::Empty(tag) => {
                    self.end = Some(local_name(&tag).to_owned());
                    Part::Start(tag)
                }
                Event::End(tag) => Part::End(without_prefix(tag.name().into_inner()).to_owned()),
                Event::Eof => return Ok(None),
                _ => continue,
            }));
        }
    }

    /// The text up to the end of an element that has just begun.
    pub(super) fn text(&mut self, element: &str) -> Result<String, TableError> {
        if self.end.take().is_some() {
            return Ok(String::new());
        }
        let mut text = String::new();
        loop {
            match self.event()? {
                Event::Text(part) => text.push_str(&part.xml_content(XmlVersion::Implicit1_0)),
                Event::CData(part) => text.push_str(&part.xml_content(XmlVersion::Implicit1_0)),
                Event::GeneralRef(reference) => {
                    text.push(character(&reference.into_inner()).ok_or(damaged(NO_XML))?);
                }
                Event::End(tag) if without_prefix(tag.name().into_inner()) == element => {
                    return Ok(text);
                }
                Event::Eof => return Err(damaged(NO_XML)),
                _ => {}
            }
        }
    }

    /// Goes to the end of an element that has just begun.
    pub(super) fn skip(&mut self, element: &str) -> Result<(), TableError> {
        loop {
            match self.next()? {
                None => return Err(damaged(NO_XML)),
                Some(Part::End(name)) if name == element => return Ok(()),
                Some(_) => {}
            }
        }
    }
}

/// The character that a reference stands for, by its name or number.
fn character(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        None => {
            return Some(match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => return None,
            });
        }
        Some(number) => number,
    };
    let code = match number.strip_prefix('x') {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
}
