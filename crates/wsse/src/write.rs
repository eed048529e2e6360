//! Writing XML that is canonical as it is written.

use std::ops::Range;

use crate::c14n::{attribute_escape, exclusive_c14n, text_escape};
use crate::names::{SOAP, WSU};
use crate::xml::{Document, Element, XmlError, is_char};

/// Writes the content of a `soap:Body` so that the written text is, byte for byte, its exclusive
/// canonical form (Exclusive XML Canonicalization 1.0): it is digested without another pass.
///
/// Names are the program's own and are written as they are given: unprefixed, or with the prefix
/// `soap`, which is bound to the SOAP 1.1 envelope namespace. Text and attribute values may be
/// anything; characters that XML cannot carry become U+FFFD.
///
/// ```
/// let mut writer = wsse::Writer::new();
/// writer.start_in("Greeting", "urn:example");
/// writer.element("Text", "a < b");
/// writer.end();
/// assert_eq!(
///     writer.finish().as_str(),
///     r#"<Greeting xmlns="urn:example"><Text>a &lt; b</Text></Greeting>"#
/// );
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    xml: String,
    open: Vec<Open>,
    /// The default namespaces that open elements declare.
    namespaces: Vec<String>,
}

#[derive(Debug)]
struct Open {
    /// The place of its name in the text.
    name: Range<usize>,
    declares: bool,
}

impl Writer {
    /// Begins a content without elements.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// Opens an element without declaring a namespace.
    pub fn start(&mut self, name: &str) {
        self.start_with(name, &[]);
    }

    /// Opens an element whose default namespace is this one: the name is unprefixed and in it.
    /// The declaration is written where the namespace changes; `""` takes it back.
    pub fn start_in(&mut self, name: &str, default_namespace: &str) {
        debug_assert!(
            !name.contains(':'),
            "only an unprefixed name uses the default namespace"
        );
        let name = self.begin_tag(name);
        let before = self.namespaces.last().map_or("", String::as_str);
        let declares = default_namespace != before;
        if declares {
            self.attribute("xmlns", default_namespace);
            self.namespaces.push(default_namespace.to_owned());
        }
        self.xml.push('>');
        self.open.push(Open { name, declares });
    }

    /// Opens an element with attributes: unprefixed ones and those with the prefix `xml`, in any
    /// order, no name twice.
    pub fn start_with(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let mut sorted = Vec::with_capacity(attributes.len());
        for attribute in attributes {
            // Few, so that sorting need not be in the component.
            let before = sorted.partition_point(|other| place(other) < place(attribute));
            sorted.insert(before, *attribute);
        }
        debug_assert!(
            sorted
                .iter()
                .all(|(name, _)| !name.contains(':') || name.starts_with("xml:")),
            "no other prefix is declared"
        );
        let name = self.begin_tag(name);
        for (name, value) in sorted {
            self.attribute(name, value);
        }
        self.xml.push('>');
        self.open.push(Open {
            name,
            declares: false,
        });
    }

    /// Writes text into the element that is open.
    pub fn text(&mut self, text: &str) {
        self.escaped(text, text_escape);
    }

    /// Closes the element opened last. Without one, nothing happens.
    pub fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.xml.push_str("</");
            self.xml.extend_from_within(open.name);
            self.xml.push('>');
            if open.declares {
                self.namespaces.pop();
            }
        }
    }

    /// Writes an element that holds text alone.
    pub fn element(&mut self, name: &str, text: &str) {
        self.start(name);
        self.text(text);
        self.end();
    }

    /// Closes what is still open and gives the content.
    pub fn finish(mut self) -> Content {
        while !self.open.is_empty() {
            self.end();
        }
        Content(self.xml)
    }

    /// Gives where the name stands.
    fn begin_tag(&mut self, name: &str) -> Range<usize> {
        self.xml.push('<');
        let start = self.xml.len();
        self.xml.push_str(name);
        start..self.xml.len()
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.xml.push(' ');
        self.xml.push_str(name);
        self.xml.push_str("=\"");
        self.escaped(value, attribute_escape);
        self.xml.push('"');
    }

    fn escaped(&mut self, text: &str, escape: impl Fn(u8) -> Option<&'static str>) {
        push_escaped(&mut self.xml, text, escape);
    }
}

/// The value of an attribute, for a document that is written by other means than a [`Writer`];
/// characters that XML cannot carry become U+FFFD.
///
/// ```
/// assert_eq!(wsse::escaped_attribute("a&\"<"), "a&amp;&quot;&lt;");
/// ```
pub fn escaped_attribute(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    push_escaped(&mut escaped, value, attribute_escape);
    escaped
}

/// A text, in the same way.
pub fn escaped_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    push_escaped(&mut escaped, text, text_escape);
    escaped
}

fn push_escaped(xml: &mut String, text: &str, escape: impl Fn(u8) -> Option<&'static str>) {
    let replacement = |c: char| match u8::try_from(c).ok().and_then(&escape) {
        None if !is_char(c) => Some("\u{FFFD}"),
        escaped => escaped,
    };
    let mut plain_from = 0;
    for (at, c) in text.char_indices() {
        if let Some(replacement) = replacement(c) {
            xml.push_str(text.get(plain_from..at).unwrap_or_default());
            xml.push_str(replacement);
            plain_from = at + c.len_utf8();
        }
    }
    xml.push_str(text.get(plain_from..).unwrap_or_default());
}

/// The children of a `soap:Body`, in canonical form. The prefix `soap` is bound where they stand,
/// a default namespace is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content(String);

impl Content {
    /// An element of some document, and all below it, as the content of a Body: its exclusive
    /// canonical form there, without comments.
    ///
    /// Namespaces that only texts or attribute values use, as `xsi:type` does, are lost, since
    /// exclusive C14N does not see them (Exclusive XML Canonicalization 1.0, section 1.3).
    ///
    /// # Errors
    ///
    /// If it is too large or too deep for a message.
    pub fn of_element(element: Element<'_>) -> Result<Content, XmlError> {
        // Within the Body the prefixes soap and wsu are declared already, so that the element may
        // have another form there than on its own.
        let (start, end) = (r#"<soap:Body xmlns:soap=""#, "</soap:Body>");
        let start = format!(r#"{start}{SOAP}" xmlns:wsu="{WSU}" wsu:Id="Body">"#);
        let alone = exclusive_c14n(element, false, &[]);
        let body = [start.as_bytes(), &alone, end.as_bytes()].concat();
        let document = Document::parse(&body)?;
        let canonical = exclusive_c14n(document.root(), false, &[]);
        let content = canonical
            .get(start.len()..canonical.len() - end.len())
            .unwrap_or_default();
        Ok(Content(String::from_utf8_lossy(content).into_owned()))
    }

    /// The XML.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The order of attributes in canonical form: those without a prefix are in no namespace, which
/// comes before that of `xml`.
fn place<'a>((name, _): &(&'a str, &str)) -> (bool, &'a str) {
    (name.contains(':'), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_canonical() {
        let mut writer = Writer::new();
        writer.start_in("a", "urn:a");
        writer.start_with("b", &[("xml:lang", "ro"), ("z", "\t\"<&>\r\n"), ("c", "")]);
        writer.text("\u{1}<&>\"'\r\n\u{FFFF}é");
        writer.end();
        writer.start_in("c", "urn:a");
        writer.start_in("d", "");
        writer.element("e", "");
        writer.end();
        writer.end();
        writer.start_in("f", "urn:a");
        let content = writer.finish();
        assert_eq!(
            content.as_str(),
            "<a xmlns=\"urn:a\"><b c=\"\" z=\"&#x9;&quot;&lt;&amp;>&#xD;&#xA;\" xml:lang=\"ro\">\
             \u{FFFD}&lt;&amp;&gt;\"'&#xD;\n\u{FFFD}é</b><c><d xmlns=\"\"><e></e></d></c><f></f></a>"
        );
        let document = Document::parse(content.as_str().as_bytes()).unwrap();
        assert_eq!(
            exclusive_c14n(document.root(), true, &[]),
            content.as_str().as_bytes()
        );
    }

    #[test]
    fn prefix_soap_needs_no_declaration() {
        let mut writer = Writer::new();
        writer.start("soap:Fault");
        writer.element("faultcode", "soap:Client");
        assert_eq!(
            writer.finish().as_str(),
            "<soap:Fault><faultcode>soap:Client</faultcode></soap:Fault>"
        );
    }

    #[test]
    fn an_element_becomes_canonical_where_it_stands() {
        let content = |text: &str| {
            let document = Document::parse(text.as_bytes()).unwrap();
            Content::of_element(document.root()).unwrap()
        };
        assert_eq!(
            content("<?xml version='1.0'?>\n<p:a xmlns:p='urn:p' xmlns:q='urn:q'>\r\n<p:b  c = 'd'/><!-- e --></p:a>").as_str(),
            "<p:a xmlns:p=\"urn:p\">\n<p:b c=\"d\"></p:b></p:a>"
        );
        let fault = "<soap:Fault><faultcode>soap:Client</faultcode></soap:Fault>";
        let declared = fault.replacen('>', &format!(" xmlns:soap='{SOAP}'>"), 1);
        assert_eq!(content(&declared).as_str(), fault);
        // The same prefix for something else.
        let other = "<soap:a xmlns:soap=\"urn:a\"></soap:a>";
        assert_eq!(content(other).as_str(), other);
    }

    #[test]
    fn an_end_too_many_is_ignored() {
        let mut writer = Writer::new();
        writer.end();
        writer.element("a", "");
        writer.end();
        assert_eq!(writer.finish().as_str(), "<a></a>");
    }
}
