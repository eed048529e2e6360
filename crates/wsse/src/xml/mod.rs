//! The tree a message is read into.
//!
//! Nodes lie in document order in one vector; a subtree is a range of it. All strings, decoded,
//! lie in one buffer. Prefixes and namespace names are numbered, so that namespace scopes in
//! the parser and in C14N are array look-ups and no input makes them slow.

mod characters;
mod element;
mod error;
mod parse;
mod tag;

use std::collections::BTreeMap;

pub use element::{Document, Element};
pub use error::{Malformed, XmlError};

pub(crate) use characters::{collapse, is_char, is_space};

/// The longest document, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The most elements that may be open at once.
pub(crate) const MAX_DEPTH: usize = 100;
/// The most elements, texts and comments in a document.
pub(crate) const MAX_NODES: usize = 1 << 17;
/// The most attributes and namespace declarations of one element.
pub(crate) const MAX_ATTRIBUTES_OF_ELEMENT: usize = 256;
/// The most attributes and namespace declarations in a document.
pub(crate) const MAX_ATTRIBUTES: usize = 1 << 16;
/// The most different prefixes in a document.
pub(crate) const MAX_PREFIXES: usize = 1 << 10;
/// The longest namespace name, in bytes.
pub(crate) const MAX_NAMESPACE_BYTES: usize = 1 << 10;

/// A parsed document. Ids, spans and numbers below mean something only in the tree that made
/// them; the parser alone makes them, so indexing by them cannot fail.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Length of the document that was parsed, in bytes.
    bytes: usize,
    text: String,
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    declarations: Vec<Declaration>,
    prefixes: Vec<Span>,
    prefix_numbers: BTreeMap<String, Prefix>,
    namespaces: Vec<Span>,
}

/// A node by its place in document order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct NodeId(pub(crate) u32);

/// A piece of [`Tree::text`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

/// A prefix by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Prefix(u32);

impl Prefix {
    pub(crate) const NONE: Prefix = Prefix(0);
    pub(crate) const XML: Prefix = Prefix(1);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A namespace name by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Namespace(u32);

impl Namespace {
    /// No namespace: by `xmlns=""`, or without a default declaration.
    pub(crate) const NONE: Namespace = Namespace(0);
    pub(crate) const XML: Namespace = Namespace(1);
}

#[derive(Debug)]
pub(crate) struct Node {
    /// The root is its own parent.
    parent: NodeId,
    /// The node after the last one of this subtree.
    end: NodeId,
    kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Element(Tag),
    /// Character data as one piece: references resolved, CDATA sections merged.
    Text(Span),
    Comment(Span),
}

#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: Name,
    /// In canonical order.
    attributes: (u32, u32),
    declarations: (u32, u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) prefix: Prefix,
    pub(crate) namespace: Namespace,
    qualified: Span,
    local: Span,
}

#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: Name,
    value: Span,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Declaration {
    pub(crate) prefix: Prefix,
    pub(crate) namespace: Namespace,
}

impl Tree {
    pub(crate) const ROOT: NodeId = NodeId(0);

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn kind(&self, node: NodeId) -> &Kind {
        &self.nodes[node.0 as usize].kind
    }

    pub(crate) fn end(&self, node: NodeId) -> NodeId {
        self.nodes[node.0 as usize].end
    }

    pub(crate) fn parent(&self, node: NodeId) -> Option<NodeId> {
        (node != Self::ROOT).then(|| self.nodes[node.0 as usize].parent)
    }

    pub(crate) fn str(&self, span: Span) -> &str {
        span.of(&self.text)
    }

    pub(crate) fn prefix(&self, prefix: Prefix) -> &str {
        self.str(self.prefixes[prefix.index()])
    }

    pub(crate) fn namespace(&self, namespace: Namespace) -> &str {
        self.str(self.namespaces[namespace.0 as usize])
    }

    pub(crate) fn prefix_count(&self) -> usize {
        self.prefixes.len()
    }

    /// The number of a prefix that occurs in the document.
    pub(crate) fn find_prefix(&self, prefix: &str) -> Option<Prefix> {
        self.prefix_numbers.get(prefix).copied()
    }

    pub(crate) fn qualified(&self, name: &Name) -> &str {
        self.str(name.qualified)
    }

    pub(crate) fn local(&self, name: &Name) -> &str {
        self.str(name.local)
    }

    pub(crate) fn attributes(&self, tag: &Tag) -> &[Attribute] {
        &self.attributes[tag.attributes.0 as usize..tag.attributes.1 as usize]
    }

    pub(crate) fn value(&self, attribute: &Attribute) -> &str {
        self.str(attribute.value)
    }

    pub(crate) fn declarations(&self, tag: &Tag) -> &[Declaration] {
        &self.declarations[tag.declarations.0 as usize..tag.declarations.1 as usize]
    }

    /// The elements around an element, the nearest first.
    pub(crate) fn ancestors(&self, element: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(self.parent(element), |&node| self.parent(node))
    }

    /// Local name and value of every attribute of the prefix `xml`.
    pub(crate) fn xml_attributes(&self, element: NodeId) -> impl Iterator<Item = (&str, &str)> {
        let attributes = match self.kind(element) {
            Kind::Element(tag) => self.attributes(tag),
            Kind::Text(_) | Kind::Comment(_) => &[],
        };
        attributes
            .iter()
            .filter(|attribute| attribute.name.prefix == Prefix::XML)
            .map(|attribute| (self.local(&attribute.name), self.value(attribute)))
    }

    /// The bindings of every prefix other than `xml` at an element.
    pub(crate) fn scope(&self, element: NodeId) -> Vec<Declaration> {
        let mut seen = vec![false; self.prefix_count()];
        seen[Prefix::XML.index()] = true;
        let mut scope = Vec::new();
        for node in std::iter::once(element).chain(self.ancestors(element)) {
            let Kind::Element(tag) = self.kind(node) else {
                continue;
            };
            for declaration in self.declarations(tag) {
                if !std::mem::replace(&mut seen[declaration.prefix.index()], true) {
                    scope.push(*declaration);
                }
            }
        }
        scope
    }

    /// The binding of a prefix at an element, by the nearest declaration above it.
    pub(crate) fn binding(&self, element: NodeId, prefix: Prefix) -> Namespace {
        let mut at = Some(element);
        while let Some(node) = at {
            if let Kind::Element(tag) = self.kind(node) {
                let here = self.declarations(tag).iter().find(|d| d.prefix == prefix);
                if let Some(declaration) = here {
                    return declaration.namespace;
                }
            }
            at = self.parent(node);
        }
        Namespace::NONE
    }

    /// The element children of a node.
    pub(crate) fn children(&self, of: NodeId) -> impl Iterator<Item = NodeId> {
        self.child_nodes(of)
            .filter(|&node| matches!(self.kind(node), Kind::Element(_)))
    }

    /// All children of a node, in order.
    pub(crate) fn child_nodes(&self, of: NodeId) -> impl Iterator<Item = NodeId> {
        let end = self.end(of);
        let mut next = NodeId(of.0 + 1);
        std::iter::from_fn(move || {
            let node = (next < end).then_some(next)?;
            next = self.end(node);
            Some(node)
        })
    }
}
