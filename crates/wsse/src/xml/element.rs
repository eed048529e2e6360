//! The view into a tree that callers get.

use std::borrow::Cow;
use std::fmt;

use super::{Kind, Name, NodeId, Tag, Tree, XmlError, is_space};

/// A parsed document on its own, for tools and tests. Nothing in it is verified: read a message's content
/// through [`Envelope::verify`](crate::Envelope::verify).
#[derive(Debug)]
pub struct Document {
    tree: Tree,
}

impl Document {
    /// Parses a document with the rules and limits that hold for messages.
    ///
    /// # Errors
    ///
    /// As [`XmlError`] lists them.
    pub fn parse(document: &[u8]) -> Result<Document, XmlError> {
        Tree::parse(document).map(|tree| Document { tree })
    }

    /// The root element.
    pub fn root(&self) -> Element<'_> {
        Element::new(&self.tree, Tree::ROOT)
    }
}

/// An element of a parsed document: a view that is copied freely.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    tree: &'a Tree,
    node: NodeId,
    tag: &'a Tag,
}

impl<'a> Element<'a> {
    /// The view of a node that the caller knows to be an element.
    pub(crate) fn new(tree: &'a Tree, node: NodeId) -> Element<'a> {
        let Kind::Element(tag) = tree.kind(node) else {
            unreachable!("only elements are viewed");
        };
        Element { tree, node, tag }
    }

    pub(crate) fn tree(self) -> &'a Tree {
        self.tree
    }

    pub(crate) fn node(self) -> NodeId {
        self.node
    }

    pub(crate) fn parent(self) -> Option<Element<'a>> {
        let parent = self.tree.parent(self.node)?;
        Some(Element::new(self.tree, parent))
    }

    /// The namespace name, empty for an element in no namespace.
    pub fn namespace(&self) -> &'a str {
        self.tree.namespace(self.tag.name.namespace)
    }

    /// The name without its prefix.
    pub fn local_name(&self) -> &'a str {
        self.tree.local(&self.tag.name)
    }

    /// The prefix as written, empty without one.
    pub(crate) fn prefix(self) -> &'a str {
        self.tree.prefix(self.tag.name.prefix)
    }

    /// True if the element has this expanded name.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local_name() == local && self.namespace() == namespace
    }

    /// The element children, in order.
    pub fn children(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let tree = self.tree;
        tree.children(self.node)
            .map(move |node| Element::new(tree, node))
    }

    /// This element and all below it, in document order.
    pub(crate) fn descendants(self) -> impl Iterator<Item = Element<'a>> {
        let Element { tree, node, .. } = self;
        (node.0..tree.end(node).0)
            .map(NodeId)
            .filter_map(move |node| match tree.kind(node) {
                Kind::Element(tag) => Some(Element { tree, node, tag }),
                Kind::Text(_) | Kind::Comment(_) => None,
            })
    }

    /// The text of an element without element children: references resolved, CDATA sections
    /// joined, comments skipped; empty if there is none. `None` if there are element children.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let mut text = Cow::Borrowed("");
        for node in self.tree.child_nodes(self.node) {
            match self.tree.kind(node) {
                Kind::Element(_) => return None,
                Kind::Comment(_) => {}
                Kind::Text(span) if text.is_empty() => {
                    text = Cow::Borrowed(self.tree.str(*span));
                }
                Kind::Text(span) => text.to_mut().push_str(self.tree.str(*span)),
            }
        }
        Some(text)
    }

    /// The value of an attribute, normalised as XML 1.0 section 3.3.3 says. An attribute without
    /// a prefix is in no namespace: `""`.
    pub fn attribute(&self, namespace: &str, local: &str) -> Option<&'a str> {
        self.attributes()
            .find(|&(ns, name, _)| name == local && ns == namespace)
            .map(|(_, _, value)| value)
    }

    /// Namespace name, local name and value of every attribute.
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        let tree = self.tree;
        tree.attributes(self.tag).iter().map(move |attribute| {
            let Name { namespace, .. } = attribute.name;
            let name = tree.local(&attribute.name);
            (tree.namespace(namespace), name, tree.value(attribute))
        })
    }

    /// True if text other than white space stands beside element children.
    pub fn has_mixed_content(&self) -> bool {
        self.children().next().is_some() && self.has_text()
    }

    /// True if a direct child is text other than white space.
    pub(crate) fn has_text(self) -> bool {
        self.tree.child_nodes(self.node).any(|node| {
            matches!(self.tree.kind(node), Kind::Text(span) if !self.tree.str(*span).chars().all(is_space))
        })
    }

    /// `{namespace}local`, or `local` without a namespace.
    pub(crate) fn expanded_name(self) -> String {
        match self.namespace() {
            "" => self.local_name().to_owned(),
            namespace => format!("{{{namespace}}}{}", self.local_name()),
        }
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({})", self.expanded_name())
    }
}
