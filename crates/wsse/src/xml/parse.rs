//! Bytes to tree. `quick-xml` cuts the text into tokens; every rule that it leaves to its user is checked
//! here: names, namespaces, attributes, characters, references, the places of things, and the limits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::Event;

use super::characters::{is_char, is_space};
use super::tag::{QName, check_declaration, next_attribute, split_name};
use super::{
    Attribute, Declaration, Kind, MAX_ATTRIBUTES, MAX_ATTRIBUTES_OF_ELEMENT, MAX_BYTES, MAX_DEPTH,
    MAX_NAMESPACE_BYTES, MAX_NODES, MAX_PREFIXES, Malformed, Name, Namespace, Node, NodeId, Prefix,
    Span, Tag, Tree, XmlError,
};
use crate::names;

impl Tree {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Tree, XmlError> {
        if bytes.len() > MAX_BYTES {
            return Err(XmlError::TooLarge { limit: MAX_BYTES });
        }
        let source = std::str::from_utf8(bytes).map_err(|error| XmlError::NotUtf8 {
            position: error.valid_up_to(),
        })?;
        if let Some(position) = forbidden_character(source) {
            return Err(XmlError::Malformed {
                position,
                reason: Malformed::ForbiddenCharacter,
            });
        }
        let document = source.strip_prefix('\u{FEFF}').unwrap_or(source);
        let before = source.len() - document.len();
        let mut position = 0;
        read(document, &mut position).map_err(|reason| XmlError::Malformed {
            position: before + position,
            reason,
        })
    }
}

/// The place of the first character that XML does not allow.
fn forbidden_character(source: &str) -> Option<usize> {
    // All of them begin with one of these bytes, which few messages have: without a branch, so that
    // many bytes are looked at at once.
    let is_suspect = |byte: u8| (byte < b' ' && !is_space(byte.into())) || byte == 0xEF;
    if !source
        .bytes()
        .fold(false, |any, byte| any | is_suspect(byte))
    {
        return None;
    }
    let mut characters = source.char_indices();
    characters
        .find(|&(_, c)| !is_char(c))
        .map(|(position, _)| position)
}

/// Reads a document; `position` follows the token that is being read.
fn read(document: &str, position: &mut usize) -> Result<Tree, Malformed> {
    // The reader would drop a second byte order mark without a word.
    if document.starts_with('\u{FEFF}') {
        return Err(Malformed::TextOutsideRoot);
    }
    let mut reader = Reader::from_str(document);
    let mut builder = Builder::new(document.len());
    loop {
        *position = offset(reader.buffer_position());
        match reader.read_event() {
            Ok(Event::Start(tag)) => builder.start(&tag)?,
            Ok(Event::Empty(tag)) => {
                builder.start(&tag)?;
                builder.end()?;
            }
            Ok(Event::End(_)) => builder.end()?,
            Ok(Event::Text(text)) => builder.text(&text)?,
            Ok(Event::CData(text)) => builder.cdata(&text)?,
            Ok(Event::GeneralRef(name)) => builder.reference(&name)?,
            Ok(Event::Comment(text)) => builder.comment(&text)?,
            Ok(Event::Decl(content)) if *position == 0 => {
                check_declaration(content.strip_prefix("xml").unwrap_or(&content))?;
            }
            Ok(Event::Decl(_)) => return Err(Malformed::Declaration),
            Ok(Event::PI(_)) => return Err(Malformed::ProcessingInstruction),
            Ok(Event::DocType(_)) => return Err(Malformed::DocumentType),
            Ok(Event::Eof) => return builder.finish(),
            Err(error) => {
                *position = offset(reader.error_position());
                return Err(reason(&error));
            }
        }
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn reason(error: &Error) -> Malformed {
    match error {
        Error::IllFormed(IllFormedError::UnclosedReference) => Malformed::Reference,
        Error::IllFormed(
            IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_),
        ) => Malformed::MismatchedEndTag,
        Error::IllFormed(IllFormedError::MissingDoctypeName) => Malformed::DocumentType,
        _ => Malformed::BrokenMarkup,
    }
}

struct Builder {
    tree: Tree,
    /// The elements that are open, outermost first.
    open: Vec<Open>,
    /// The binding of each prefix here, by its number.
    scope: Vec<Binding>,
    /// The bindings that declarations of open elements hid, to be restored at their ends.
    hidden: Vec<(Prefix, Binding)>,
    namespaces: BTreeMap<String, Namespace>,
}

struct Open {
    element: NodeId,
    /// Length of [`Builder::hidden`] before this element.
    hidden: usize,
}

#[derive(Clone, Copy)]
struct Binding {
    namespace: Namespace,
    /// The number of elements open inside the declaring one, itself included; 0 for none.
    depth: usize,
}

const UNBOUND: Binding = Binding {
    namespace: Namespace::NONE,
    depth: 0,
};

impl Builder {
    fn new(bytes: usize) -> Builder {
        let mut builder = Builder {
            tree: Tree {
                bytes,
                text: String::with_capacity(bytes + names::XML.len() + "xml".len()),
                // About as many as there are in an ordinary message.
                nodes: Vec::with_capacity(bytes / 64),
                attributes: Vec::new(),
                declarations: Vec::new(),
                prefixes: Vec::new(),
                prefix_numbers: BTreeMap::new(),
                namespaces: Vec::new(),
            },
            open: Vec::new(),
            scope: Vec::new(),
            hidden: Vec::new(),
            namespaces: BTreeMap::new(),
        };
        builder.add_prefix("");
        builder.add_prefix("xml");
        builder.add_namespace("");
        builder.add_namespace(names::XML);
        builder.scope[Prefix::XML.index()].namespace = Namespace::XML;
        builder
    }

    fn finish(mut self) -> Result<Tree, Malformed> {
        if !self.open.is_empty() {
            return Err(Malformed::Unclosed);
        }
        if self.tree.nodes.is_empty() {
            return Err(Malformed::NoRoot);
        }
        self.sort_attributes();
        Ok(self.tree)
    }

    /// Brings the attributes of each element into canonical order: by namespace name, then by
    /// local name (Canonical XML 1.0 section 2.2). The long names of namespaces are compared
    /// once for the document, and not for each pair of attributes.
    fn sort_attributes(&mut self) {
        let mut ranks = vec![0; self.tree.namespaces.len()];
        for (rank, namespace) in self.namespaces.values().enumerate() {
            ranks[namespace.0 as usize] = rank;
        }
        for node in &self.tree.nodes {
            if let Kind::Element(tag) = &node.kind {
                let (first, end) = tag.attributes;
                self.tree.attributes[first as usize..end as usize]
                    .sort_by_key(|attribute| ranks[attribute.name.namespace.0 as usize]);
            }
        }
    }

    fn start(&mut self, content: &str) -> Result<(), Malformed> {
        if self.open.is_empty() && !self.tree.nodes.is_empty() {
            return Err(Malformed::SecondRoot);
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Malformed::TooDeep);
        }
        let (name, mut rest) = split_name(content);
        let name = QName::parse(name)?;
        let mut attributes = Vec::new();
        while let Some((name, value)) = next_attribute(&mut rest)? {
            if attributes.len() == MAX_ATTRIBUTES_OF_ELEMENT {
                return Err(Malformed::TooManyAttributes);
            }
            attributes.push((QName::parse(name)?, value));
        }
        let total = self.tree.attributes.len() + self.tree.declarations.len() + attributes.len();
        if total > MAX_ATTRIBUTES {
            return Err(Malformed::TooManyAttributes);
        }

        let hidden = self.hidden.len();
        let declarations = self.declare(&attributes)?;
        let name = self.element_name(name)?;
        let attributes = self.attributes(&attributes)?;
        let element = self.push(Kind::Element(Tag {
            name,
            attributes,
            declarations,
        }))?;
        self.open.push(Open { element, hidden });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Malformed> {
        let Open { element, hidden } = self.open.pop().ok_or(Malformed::MismatchedEndTag)?;
        self.tree.nodes[element.0 as usize].end = NodeId(number(self.tree.nodes.len()));
        for (prefix, binding) in self.hidden.drain(hidden..).rev() {
            self.scope[prefix.index()] = binding;
        }
        Ok(())
    }

    fn text(&mut self, raw: &str) -> Result<(), Malformed> {
        if self.open.is_empty() {
            return raw
                .chars()
                .all(is_space)
                .then_some(())
                .ok_or(Malformed::TextOutsideRoot);
        }
        // Few texts have the last of the three, and looking for one byte is quick.
        if raw.contains('>') && raw.contains("]]>") {
            return Err(Malformed::CdataEndInText);
        }
        self.character_data(|text| push_lines(text, raw, "\n"))
    }

    fn cdata(&mut self, raw: &str) -> Result<(), Malformed> {
        self.character_data(|text| push_lines(text, raw, "\n"))
    }

    fn reference(&mut self, name: &str) -> Result<(), Malformed> {
        let character = resolve(name)?;
        self.character_data(|text| text.push(character))
    }

    /// Adds character data to the text node at the end of the tree, or to a new one.
    fn character_data(&mut self, push: impl FnOnce(&mut String)) -> Result<(), Malformed> {
        if self.open.is_empty() {
            return Err(Malformed::TextOutsideRoot);
        }
        let start = number(self.tree.text.len());
        push(&mut self.tree.text);
        let end = number(self.tree.text.len());
        if start == end {
            return Ok(());
        }
        // The last node is a text of the element that is open: nothing stands between the two.
        let parent = self.open.last().map(|open| open.element);
        match self.tree.nodes.last_mut() {
            Some(Node {
                kind: Kind::Text(span),
                parent: of,
                ..
            }) if Some(*of) == parent => span.end = end,
            _ => {
                self.push(Kind::Text(Span { start, end }))?;
            }
        }
        Ok(())
    }

    fn comment(&mut self, raw: &str) -> Result<(), Malformed> {
        if raw.contains("--") || raw.ends_with('-') {
            return Err(Malformed::DoubleHyphen);
        }
        if self.open.is_empty() {
            return Ok(());
        }
        let start = number(self.tree.text.len());
        push_lines(&mut self.tree.text, raw, "\n");
        let end = number(self.tree.text.len());
        self.push(Kind::Comment(Span { start, end })).map(drop)
    }

    fn push(&mut self, kind: Kind) -> Result<NodeId, Malformed> {
        if self.tree.nodes.len() >= MAX_NODES {
            return Err(Malformed::TooManyNodes);
        }
        let node = number(self.tree.nodes.len());
        self.tree.nodes.push(Node {
            parent: self.open.last().map_or(Tree::ROOT, |open| open.element),
            end: NodeId(node + 1),
            kind,
        });
        Ok(NodeId(node))
    }

    /// Brings the namespace declarations among an element's attributes into scope.
    fn declare(&mut self, attributes: &[(QName<'_>, &str)]) -> Result<(u32, u32), Malformed> {
        let first = number(self.tree.declarations.len());
        let depth = self.open.len() + 1;
        for (name, value) in attributes {
            let Some(prefix) = name.declares() else {
                continue;
            };
            let uri = resolved(value)?;
            match (prefix, &*uri) {
                ("xml", names::XML) => {}
                ("xml" | "xmlns", _) | (_, names::XML | names::XMLNS) => {
                    return Err(Malformed::ReservedNamespace);
                }
                (p, "") if !p.is_empty() => return Err(Malformed::ReservedNamespace),
                _ => {}
            }
            let prefix = self.prefix(prefix)?;
            let namespace = self.namespace(&uri)?;
            let binding = Binding { namespace, depth };
            let hidden = std::mem::replace(&mut self.scope[prefix.index()], binding);
            if hidden.depth == depth {
                return Err(Malformed::DuplicateDeclaration);
            }
            self.hidden.push((prefix, hidden));
            self.tree
                .declarations
                .push(Declaration { prefix, namespace });
        }
        Ok((first, number(self.tree.declarations.len())))
    }

    fn element_name(&mut self, name: QName<'_>) -> Result<Name, Malformed> {
        let prefix = self.prefix(name.prefix)?;
        let namespace = self.scope[prefix.index()].namespace;
        self.name(name, prefix, namespace)
    }

    /// Adds the attributes that are no declarations, those of one namespace together and by local
    /// name.
    fn attributes(&mut self, attributes: &[(QName<'_>, &str)]) -> Result<(u32, u32), Malformed> {
        let first = self.tree.attributes.len();
        for (name, value) in attributes.iter().filter(|(n, _)| n.declares().is_none()) {
            let prefix = self.prefix(name.prefix)?;
            let namespace = match prefix {
                Prefix::NONE => Namespace::NONE,
                prefix => self.scope[prefix.index()].namespace,
            };
            let name = self.name(*name, prefix, namespace)?;
            let start = number(self.tree.text.len());
            push_value(&mut self.tree.text, value)?;
            let end = number(self.tree.text.len());
            let value = Span { start, end };
            self.tree.attributes.push(Attribute { name, value });
        }
        let Tree {
            attributes, text, ..
        } = &mut self.tree;
        let these = attributes.get_mut(first..).unwrap_or_default();
        let name = |attribute: &Attribute| {
            let Name {
                namespace, local, ..
            } = attribute.name;
            (namespace, local.of(text))
        };
        these.sort_unstable_by(|a, b| name(a).cmp(&name(b)));
        if these
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if name(a) == name(b)))
        {
            return Err(Malformed::DuplicateAttribute);
        }
        Ok((number(first), number(attributes.len())))
    }

    fn name(
        &mut self,
        name: QName<'_>,
        prefix: Prefix,
        namespace: Namespace,
    ) -> Result<Name, Malformed> {
        if prefix != Prefix::NONE && namespace == Namespace::NONE {
            return Err(Malformed::UndeclaredPrefix);
        }
        let start = number(self.tree.text.len());
        self.tree.text.push_str(name.qualified);
        let end = number(self.tree.text.len());
        let qualified = Span { start, end };
        let local = Span {
            start: end - number(name.local.len()),
            end,
        };
        Ok(Name {
            prefix,
            namespace,
            qualified,
            local,
        })
    }

    fn prefix(&mut self, prefix: &str) -> Result<Prefix, Malformed> {
        match self.tree.prefix_numbers.get(prefix) {
            Some(&known) => Ok(known),
            None if self.tree.prefixes.len() >= MAX_PREFIXES => Err(Malformed::TooManyPrefixes),
            None => Ok(self.add_prefix(prefix)),
        }
    }

    fn namespace(&mut self, uri: &str) -> Result<Namespace, Malformed> {
        match self.namespaces.get(uri) {
            Some(&known) => Ok(known),
            None if uri.len() > MAX_NAMESPACE_BYTES => Err(Malformed::NamespaceTooLong),
            None => Ok(self.add_namespace(uri)),
        }
    }

    fn add_prefix(&mut self, prefix: &str) -> Prefix {
        let number = Prefix(number(self.tree.prefixes.len()));
        let span = self.tree.add(prefix);
        self.tree.prefixes.push(span);
        self.tree.prefix_numbers.insert(prefix.to_owned(), number);
        self.scope.push(UNBOUND);
        number
    }

    fn add_namespace(&mut self, uri: &str) -> Namespace {
        let number = Namespace(number(self.tree.namespaces.len()));
        let span = self.tree.add(uri);
        self.tree.namespaces.push(span);
        self.namespaces.insert(uri.to_owned(), number);
        number
    }
}

impl Tree {
    fn add(&mut self, text: &str) -> Span {
        let start = number(self.text.len());
        self.text.push_str(text);
        let end = number(self.text.len());
        Span { start, end }
    }
}

/// An offset or a count as it is kept: a document's limits are far below 2^32.
fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Adds text with its line ends as XML 1.0 section 2.11 reads them; each becomes `end`.
fn push_lines(text: &mut String, raw: &str, end: &str) {
    let mut lines = raw.split('\r');
    text.push_str(lines.next().unwrap_or_default());
    for line in lines {
        text.push_str(end);
        text.push_str(line.strip_prefix('\n').unwrap_or(line));
    }
}

/// An attribute value as [`push_value`] adds it; most are as they are written.
fn resolved(raw: &str) -> Result<Cow<'_, str>, Malformed> {
    if !raw.contains(['&', '\t', '\n', '\r']) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut value = String::new();
    push_value(&mut value, raw)?;
    Ok(Cow::Owned(value))
}

/// Adds an attribute value: references resolved, white space normalised as XML 1.0 section 3.3.3
/// says for attributes without a declared type.
fn push_value(text: &mut String, raw: &str) -> Result<(), Malformed> {
    let mut pieces = raw.split('&');
    push_spaces(text, pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = piece.split_once(';').ok_or(Malformed::Reference)?;
        text.push(resolve(name)?);
        push_spaces(text, rest);
    }
    Ok(())
}

fn push_spaces(text: &mut String, raw: &str) {
    if !raw.contains(['\t', '\n', '\r']) {
        return text.push_str(raw);
    }
    let mut lines = String::with_capacity(raw.len());
    push_lines(&mut lines, raw, " ");
    text.extend(lines.chars().map(|c| if is_space(c) { ' ' } else { c }));
}

/// The character that `&name;` stands for (XML 1.0 sections 4.1 and 4.6).
fn resolve(name: &str) -> Result<char, Malformed> {
    let code = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => name.strip_prefix('#').ok_or(Malformed::UnknownEntity)?,
    };
    let (digits, radix) = match code.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (code, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(Malformed::Reference);
    }
    u32::from_str_radix(digits, radix)
        .ok()
        .and_then(char::from_u32)
        .filter(|&c| is_char(c))
        .ok_or(Malformed::Reference)
}
