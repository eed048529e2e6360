//! A provider's answer or WSDL, read into a tree of its own. Nothing in it is verified: it is
//! looked at to be judged.

use wsse::{Document, Element};

use super::names::XSI;

/// The unqualified attributes that any check looks at.
const ATTRIBUTES: [&str; 22] = [
    "name",
    "type",
    "element",
    "minOccurs",
    "maxOccurs",
    "targetNamespace",
    "elementFormDefault",
    "location",
    "schemaLocation",
    "namespace",
    "style",
    "transport",
    "soapAction",
    "use",
    "value",
    "base",
    "message",
    "binding",
    "parts",
    "ValueType",
    "Algorithm",
    "URI",
];

/// An element.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub namespace: String,
    pub name: String,
    /// Its text; `None` where it has element children.
    pub text: Option<String>,
    pub children: Vec<Node>,
    /// True if it says `xsi:nil="true"`.
    pub nil: bool,
    attributes: Vec<(&'static str, String)>,
}

impl Node {
    /// Reads a document; the error is for people.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document = Document::parse(bytes).map_err(|error| error.to_string())?;
        Ok(Self::of(document.root()))
    }

    fn of(element: Element<'_>) -> Self {
        let attribute = |name| element.attribute("", name);
        Self {
            namespace: element.namespace().to_owned(),
            name: element.local_name().to_owned(),
            text: element.text().map(|text| text.into_owned()),
            children: element.children().map(Self::of).collect(),
            nil: element
                .attribute(XSI, "nil")
                .is_some_and(|nil| matches!(nil.trim(), "true" | "1")),
            attributes: ATTRIBUTES
                .into_iter()
                .filter_map(|name| Some((name, attribute(name)?.to_owned())))
                .collect(),
        }
    }

    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The first child of this name, whatever its namespace.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The node at the end of a path of children.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, name| node.child(name))
    }

    /// The children of a child: the items of an array.
    pub fn items(&self, name: &str) -> &[Node] {
        self.child(name)
            .map_or(&[], |child| child.children.as_slice())
    }

    /// The text of a child, trimmed; `None` if there is none, or it is nil or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let child = self.child(name).filter(|child| !child.nil)?;
        let text = child.text.as_deref()?.trim();
        (!text.is_empty()).then_some(text)
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// This node and all below it.
    pub fn descendants(&self) -> Vec<&Node> {
        let below = self.children.iter().flat_map(Node::descendants);
        std::iter::once(self).chain(below).collect()
    }
}
