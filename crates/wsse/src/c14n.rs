//! Canonical forms of subtrees: Canonical XML 1.0 (W3C Recommendation, 15 March 2001) and 1.1 (2 May
//! 2008), and Exclusive XML Canonicalization 1.0 (18 July 2002).

mod base;

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::names;
use crate::xml::{Declaration, Element, Kind, Namespace, NodeId, Prefix, Tag, Tree};

/// The destination of canonical bytes: a digest, or a vector to look at.
pub(crate) trait Sink {
    fn write(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A canonicalization method with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Method<'a> {
    pub(crate) form: Form<'a>,
    pub(crate) with_comments: bool,
    /// True if the apex says `xmlns=""` where no default namespace is declared for it, as the
    /// STR-Transform wants it.
    pub(crate) declares_default: bool,
}

/// The context that an element takes over from those around it, which are not written.
#[derive(Clone, Debug)]
pub(crate) enum Form<'a> {
    /// Namespaces that it uses, and those of the `PrefixList`: prefixes that are treated as the
    /// inclusive forms treat all. Empty stands for the default namespace.
    Exclusive { inclusive: Vec<&'a str> },
    /// All namespaces, and the attributes of the prefix `xml`.
    Inclusive10,
    /// All namespaces, `xml:lang`, `xml:space`, and `xml:base`, resolved.
    Inclusive11,
}

impl<'a> Method<'a> {
    pub(crate) fn new(form: Form<'a>, with_comments: bool) -> Method<'a> {
        Method {
            form,
            with_comments,
            declares_default: false,
        }
    }
}

/// The canonical form is over the budget: a namespace declared once is written again in every
/// element that uses it, so a document can have a canonical form that is very much longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OverBudget;

/// The exclusive canonical form of an element and all below it.
///
/// `inclusive_prefixes` is the `PrefixList` of `InclusiveNamespaces`; the default namespace is
/// `""` or `#default` in it. Exclusive XML Canonicalization 1.0, section 3.
pub fn exclusive_c14n(
    element: Element<'_>,
    with_comments: bool,
    inclusive_prefixes: &[&str],
) -> Vec<u8> {
    let inclusive = inclusive_prefixes
        .iter()
        .map(|&prefix| if prefix == "#default" { "" } else { prefix })
        .collect();
    whole(element, Form::Exclusive { inclusive }, with_comments)
}

/// The canonical form of an element and all below it by Canonical XML 1.0.
///
/// All namespaces in scope are written, and the attributes of the prefix `xml` of the elements
/// around it are written at the element (section 2.4).
pub fn inclusive_c14n(element: Element<'_>, with_comments: bool) -> Vec<u8> {
    whole(element, Form::Inclusive10, with_comments)
}

/// The canonical form of an element and all below it by Canonical XML 1.1.
///
/// It differs from [`inclusive_c14n`] in the attributes of the prefix `xml` that are taken over from the
/// elements around: only `xml:lang`, `xml:space` and `xml:base`, the last one resolved (section 2.4).
pub fn inclusive_c14n11(element: Element<'_>, with_comments: bool) -> Vec<u8> {
    whole(element, Form::Inclusive11, with_comments)
}

fn whole(element: Element<'_>, form: Form<'_>, with_comments: bool) -> Vec<u8> {
    let method = Method::new(form, with_comments);
    let mut canonical = Vec::new();
    // A budget of all bytes that can be counted is not overrun.
    let _ = canonicalize(element, &method, &mut { usize::MAX }, &mut canonical);
    canonical
}

/// Writes the canonical form of an element into a sink and takes its length off the budget,
/// beyond which it gives up.
pub(crate) fn canonicalize(
    apex: Element<'_>,
    method: &Method<'_>,
    budget: &mut usize,
    sink: &mut impl Sink,
) -> Result<(), OverBudget> {
    let tree = apex.tree();
    let inclusive = match &method.form {
        Form::Exclusive { inclusive } => Inclusive::Listed(
            inclusive
                .iter()
                .filter_map(|prefix| tree.find_prefix(prefix))
                .filter(|&prefix| prefix != Prefix::XML)
                .collect(),
        ),
        Form::Inclusive10 | Form::Inclusive11 => Inclusive::All,
    };
    let mut canonicalizer = Canonicalizer {
        tree,
        method,
        inclusive,
        rendered: vec![Namespace::NONE; tree.prefix_count()],
        replaced: Vec::new(),
        open: Vec::new(),
        out: Counted { sink, budget },
    };
    canonicalizer.subtree(apex.node())
}

/// Prefixes whose declarations are written where they come into scope, used or not.
enum Inclusive {
    Listed(Vec<Prefix>),
    All,
}

impl Inclusive {
    fn has(&self, declaration: &Declaration) -> bool {
        match self {
            Inclusive::Listed(prefixes) => prefixes.contains(&declaration.prefix),
            Inclusive::All => declaration.prefix != Prefix::XML,
        }
    }
}

struct Canonicalizer<'a, S> {
    tree: &'a Tree,
    method: &'a Method<'a>,
    inclusive: Inclusive,
    /// The namespace each prefix has in the output here, by the prefix's number; none for one
    /// that was not written, which for the default namespace is the same as `xmlns=""`.
    rendered: Vec<Namespace>,
    /// The bindings that open start tags replaced in `rendered`, to be restored at their ends.
    replaced: Vec<(Prefix, Namespace)>,
    open: Vec<Open<'a>>,
    out: Counted<'a, S>,
}

struct Open<'a> {
    name: &'a str,
    end: NodeId,
    /// Length of `replaced` before this element.
    replaced: usize,
}

impl<'a, S: Sink> Canonicalizer<'a, S> {
    fn subtree(&mut self, apex: NodeId) -> Result<(), OverBudget> {
        let tree = self.tree;
        for node in (apex.0..tree.end(apex).0).map(NodeId) {
            self.close_before(node)?;
            match tree.kind(node) {
                Kind::Element(tag) => {
                    self.start(node, tag, node == apex)?;
                }
                Kind::Text(span) => self.out.escaped(tree.str(*span), text_escape)?,
                Kind::Comment(span) if self.method.with_comments => {
                    self.out.write("<!--")?;
                    self.out.write(tree.str(*span))?;
                    self.out.write("-->")?;
                }
                Kind::Comment(_) => {}
            }
        }
        self.close_before(tree.end(apex))
    }

    fn start(&mut self, node: NodeId, tag: &'a Tag, is_apex: bool) -> Result<(), OverBudget> {
        let tree = self.tree;
        let name = tree.qualified(&tag.name);
        self.out.write("<")?;
        self.out.write(name)?;
        let replaced = self.replaced.len();
        for (prefix, namespace) in self.declarations(node, tag, is_apex) {
            match tree.prefix(prefix) {
                "" => self.out.write(" xmlns=\"")?,
                prefix => {
                    self.out.write(" xmlns:")?;
                    self.out.write(prefix)?;
                    self.out.write("=\"")?;
                }
            }
            self.out
                .escaped(tree.namespace(namespace), attribute_escape)?;
            self.out.write("\"")?;
        }
        let inherited = if is_apex {
            self.inherited(node)
        } else {
            Vec::new()
        };
        if inherited.is_empty() {
            for attribute in tree.attributes(tag) {
                self.attribute(tree.qualified(&attribute.name), tree.value(attribute))?;
            }
        } else {
            for (name, value) in merged(tree, tag, inherited) {
                self.attribute(&name, &value)?;
            }
        }
        self.out.write(">")?;
        let end = tree.end(node);
        self.open.push(Open {
            name,
            end,
            replaced,
        });
        Ok(())
    }

    fn attribute(&mut self, name: &str, value: &str) -> Result<(), OverBudget> {
        self.out.write(" ")?;
        self.out.write(name)?;
        self.out.write("=\"")?;
        self.out.escaped(value, attribute_escape)?;
        self.out.write("\"")
    }

    /// The attributes of the prefix `xml`, by local name, that the apex has in the output because
    /// of the elements around it (section 2.4 of both versions of Canonical XML).
    fn inherited(&self, apex: NodeId) -> Vec<(&'a str, Cow<'a, str>)> {
        let is_inherited: fn(&str) -> bool = match self.method.form {
            Form::Exclusive { .. } => return Vec::new(),
            Form::Inclusive10 => |_| true,
            Form::Inclusive11 => |local| matches!(local, "lang" | "space"),
        };
        let own = self.tree.xml_attributes(apex);
        let mut seen: BTreeSet<&str> = own.map(|(local, _)| local).collect();
        let mut inherited = Vec::new();
        for ancestor in self.tree.ancestors(apex) {
            for (local, value) in self.tree.xml_attributes(ancestor) {
                if is_inherited(local) && seen.insert(local) {
                    inherited.push((local, Cow::Borrowed(value)));
                }
            }
        }
        if matches!(self.method.form, Form::Inclusive11) {
            inherited.extend(self.base(apex).map(|base| ("base", Cow::Owned(base))));
        }
        inherited
    }

    /// The `xml:base` of the apex, resolved against those around it; none without any of those.
    fn base(&self, apex: NodeId) -> Option<String> {
        let base = |node| {
            let mut attributes = self.tree.xml_attributes(node);
            attributes
                .find(|&(local, _)| local == "base")
                .map(|(_, value)| value)
        };
        let around = self.tree.ancestors(apex).filter_map(base);
        let mut bases = base(apex).into_iter().chain(around);
        let mut joined = bases.next()?.to_owned();
        for outer in bases {
            joined = base::join(outer, &joined);
        }
        Some(joined)
    }

    /// The namespace declarations that a start tag has in the output, in canonical order: those that it
    /// visibly uses, and those of the prefix list that are in scope, unless the output has the same ones
    /// already. They count as written from here on.
    fn declarations(&mut self, node: NodeId, tag: &Tag, is_apex: bool) -> Vec<(Prefix, Namespace)> {
        let tree = self.tree;
        let mut new = Vec::new();
        let mut render = |prefix: Prefix, namespace: Namespace| {
            let before = &mut self.rendered[prefix.index()];
            if *before != namespace {
                self.replaced.push((prefix, *before));
                *before = namespace;
                new.push((prefix, namespace));
            }
        };
        if tag.name.prefix != Prefix::XML {
            render(tag.name.prefix, tag.name.namespace);
        }
        for attribute in tree.attributes(tag) {
            if !matches!(attribute.name.prefix, Prefix::NONE | Prefix::XML) {
                render(attribute.name.prefix, attribute.name.namespace);
            }
        }
        // Below the apex all that was in scope is written, and only an own declaration can
        // change it.
        match &self.inclusive {
            Inclusive::Listed(prefixes) if is_apex => {
                for &prefix in prefixes {
                    render(prefix, tree.binding(node, prefix));
                }
            }
            Inclusive::All if is_apex => {
                for declaration in tree.scope(node) {
                    render(declaration.prefix, declaration.namespace);
                }
            }
            inclusive => {
                let own = tree.declarations(tag).iter();
                for declaration in own.filter(|declaration| inclusive.has(declaration)) {
                    render(declaration.prefix, declaration.namespace);
                }
            }
        }
        if is_apex && self.method.declares_default && !new.iter().any(|(p, _)| *p == Prefix::NONE) {
            new.push((Prefix::NONE, Namespace::NONE));
        }
        new.sort_unstable_by_key(|&(prefix, _)| tree.prefix(prefix));
        new
    }

    /// Writes the end tags of the elements that end before a node.
    fn close_before(&mut self, node: NodeId) -> Result<(), OverBudget> {
        while let Some(open) = self.open.pop_if(|open| open.end <= node) {
            self.out.write("</")?;
            self.out.write(open.name)?;
            self.out.write(">")?;
            for (prefix, namespace) in self.replaced.drain(open.replaced..).rev() {
                self.rendered[prefix.index()] = namespace;
            }
        }
        Ok(())
    }
}

/// The attributes of a start tag and inherited ones in canonical order. Of these only `xml:base`
/// can be there already, and replaces it.
fn merged<'a>(
    tree: &'a Tree,
    tag: &'a Tag,
    inherited: Vec<(&'a str, Cow<'a, str>)>,
) -> Vec<(String, Cow<'a, str>)> {
    let has_base = inherited.iter().any(|(local, _)| *local == "base");
    let is_replaced =
        |namespace: &str, local: &str| has_base && local == "base" && namespace == names::XML;
    let own = tree.attributes(tag).iter().filter_map(|attribute| {
        let namespace = tree.namespace(attribute.name.namespace);
        let local = tree.local(&attribute.name);
        let name = tree.qualified(&attribute.name).to_owned();
        let value = Cow::Borrowed(tree.value(attribute));
        (!is_replaced(namespace, local)).then_some((namespace, local, name, value))
    });
    let mut all: Vec<_> = own.collect();
    // An `xml:base` that came to nothing says nothing.
    let inherited = inherited
        .into_iter()
        .filter(|(local, value)| *local != "base" || !value.is_empty());
    all.extend(inherited.map(|(local, value)| (names::XML, local, format!("xml:{local}"), value)));
    all.sort_unstable_by_key(|&(namespace, local, ..)| (namespace, local));
    all.into_iter()
        .map(|(_, _, name, value)| (name, value))
        .collect()
}

struct Counted<'a, S> {
    sink: &'a mut S,
    budget: &'a mut usize,
}

impl<S: Sink> Counted<'_, S> {
    fn write(&mut self, text: &str) -> Result<(), OverBudget> {
        *self.budget = self.budget.checked_sub(text.len()).ok_or(OverBudget)?;
        self.sink.write(text.as_bytes());
        Ok(())
    }

    fn escaped(
        &mut self,
        text: &str,
        escape: impl Fn(u8) -> Option<&'static str>,
    ) -> Result<(), OverBudget> {
        let mut rest = text;
        // All that is escaped is ASCII, so the text is cut between characters.
        while let Some((at, escaped)) = rest
            .bytes()
            .enumerate()
            .find_map(|(at, byte)| escape(byte).map(|escaped| (at, escaped)))
        {
            let (plain, after) = rest.split_at(at);
            self.write(plain)?;
            self.write(escaped)?;
            rest = after.get(1..).unwrap_or_default();
        }
        self.write(rest)
    }
}

/// Canonical XML 1.0 section 2.3, text nodes.
pub(crate) fn text_escape(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

/// Canonical XML 1.0 section 2.3, attribute nodes.
pub(crate) fn attribute_escape(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;

    fn canonical(document: &str, comments: bool, prefixes: &[&str]) -> String {
        let document = Document::parse(document.as_bytes()).unwrap();
        String::from_utf8(exclusive_c14n(document.root(), comments, prefixes)).unwrap()
    }

    fn first_child(document: &str, prefixes: &[&str]) -> String {
        let document = Document::parse(document.as_bytes()).unwrap();
        let child = document.root().children().next().unwrap();
        String::from_utf8(exclusive_c14n(child, true, prefixes)).unwrap()
    }

    #[test]
    fn empty_elements_get_end_tags_and_attributes_are_sorted_by_namespace_then_name() {
        assert_eq!(
            canonical(
                "<a z='1' b:y='2' xml:id='3' b='4' xmlns:b='u:b' c:a='5' xmlns:c='u:a'/>",
                true,
                &[]
            ),
            r#"<a xmlns:b="u:b" xmlns:c="u:a" b="4" z="1" xml:id="3" c:a="5" b:y="2"></a>"#
        );
    }

    #[test]
    fn only_namespaces_that_are_visibly_used_are_written_where_they_are_used() {
        assert_eq!(
            canonical(
                "<a xmlns='d' xmlns:p='u' xmlns:q='v'><p:b><p:c/></p:b><p:b x='1'/></a>",
                true,
                &[]
            ),
            r#"<a xmlns="d"><p:b xmlns:p="u"><p:c></p:c></p:b><p:b xmlns:p="u" x="1"></p:b></a>"#
        );
    }

    #[test]
    fn the_default_namespace_is_taken_back_only_where_it_was_written() {
        assert_eq!(
            canonical("<a xmlns=''><b xmlns=''/></a>", true, &[]),
            "<a><b></b></a>"
        );
        assert_eq!(
            canonical("<a xmlns='d'><b xmlns=''><c xmlns=''/></b></a>", true, &[]),
            r#"<a xmlns="d"><b xmlns=""><c></c></b></a>"#
        );
        assert_eq!(
            canonical("<p:a xmlns='d' xmlns:p='u'><b xmlns=''/></p:a>", true, &[]),
            r#"<p:a xmlns:p="u"><b></b></p:a>"#
        );
    }

    #[test]
    fn a_namespace_of_the_parent_is_written_at_the_apex() {
        let document = "<a xmlns='d' xmlns:p='u'><p:b><c/></p:b></a>";
        assert_eq!(
            first_child(document, &[]),
            r#"<p:b xmlns:p="u"><c xmlns="d"></c></p:b>"#
        );
        assert_eq!(
            first_child(document, &["#default"]),
            r#"<p:b xmlns="d" xmlns:p="u"><c></c></p:b>"#
        );
    }

    #[test]
    fn listed_prefixes_are_written_where_they_come_into_scope_used_or_not() {
        assert_eq!(
            first_child(
                "<a xmlns:p='u'><b><c xmlns:p='v'><d xmlns:p='v'/></c></b></a>",
                &["p", "absent"]
            ),
            r#"<b xmlns:p="u"><c xmlns:p="v"><d></d></c></b>"#
        );
        assert_eq!(
            first_child(
                "<a xmlns='d'><p:b xmlns:p='u'><p:c xmlns=''/></p:b></a>",
                &[""]
            ),
            r#"<p:b xmlns="d" xmlns:p="u"><p:c xmlns=""></p:c></p:b>"#
        );
    }

    fn inclusive(document: &str, version: fn(Element<'_>, bool) -> Vec<u8>) -> String {
        let document = Document::parse(document.as_bytes()).unwrap();
        let child = document.root().children().next().unwrap();
        String::from_utf8(version(child, false)).unwrap()
    }

    #[test]
    fn inclusive_forms_write_all_namespaces_in_scope_at_the_apex() {
        let document = "<a xmlns='d' xmlns:p='u' xmlns:q='v' xmlns:xml='http://www.w3.org/XML/1998/namespace'>\
            <p:b xmlns:q='w'><c xmlns='' xmlns:q='w' xmlns:p='x'/><d xmlns:xml='http://www.w3.org/XML/1998/namespace'/></p:b></a>";
        let expected =
            r#"<p:b xmlns="d" xmlns:p="u" xmlns:q="w"><c xmlns="" xmlns:p="x"></c><d></d></p:b>"#;
        assert_eq!(inclusive(document, inclusive_c14n), expected);
        assert_eq!(inclusive(document, inclusive_c14n11), expected);
        let undone = "<a xmlns='d'><b xmlns=''><c/></b></a>";
        assert_eq!(inclusive(undone, inclusive_c14n), "<b><c></c></b>");
    }

    #[test]
    fn attributes_of_the_prefix_xml_are_inherited_as_each_version_says() {
        let document = "<a xml:lang='ro' xml:space='preserve' xml:id='i' xml:base='b/' xml:x='y'>\
            <p:b xmlns:p='z' xml:lang='en' p:a='1' z='2'><c/></p:b></a>";
        assert_eq!(
            inclusive(document, inclusive_c14n),
            r#"<p:b xmlns:p="z" z="2" xml:base="b/" xml:id="i" xml:lang="en" xml:space="preserve" xml:x="y" p:a="1"><c></c></p:b>"#
        );
        assert_eq!(
            inclusive(document, inclusive_c14n11),
            r#"<p:b xmlns:p="z" z="2" xml:base="b/" xml:lang="en" xml:space="preserve" p:a="1"><c></c></p:b>"#
        );
    }

    #[test]
    fn a_base_is_resolved_in_version_1_1() {
        let document = "<a xml:base='http://h/x/y'><b xml:base='../z' base='b'/></a>";
        assert_eq!(
            inclusive(document, inclusive_c14n),
            r#"<b base="b" xml:base="../z"></b>"#
        );
        assert_eq!(
            inclusive(document, inclusive_c14n11),
            r#"<b base="b" xml:base="http://h/z"></b>"#
        );
        let nothing = "<a xml:base=''><b/></a>";
        assert_eq!(inclusive(nothing, inclusive_c14n11), "<b></b>");
    }

    #[test]
    fn the_default_namespace_may_be_declared_at_the_apex_whatever_it_is() {
        let document = Document::parse(b"<a xmlns:p='u'><p:b><c/></p:b></a>").unwrap();
        let mut method = Method::new(Form::Exclusive { inclusive: vec![] }, false);
        method.declares_default = true;
        let mut canonical = Vec::new();
        let child = document.root().children().next().unwrap();
        canonicalize(child, &method, &mut { usize::MAX }, &mut canonical).unwrap();
        assert_eq!(canonical, br#"<p:b xmlns="" xmlns:p="u"><c></c></p:b>"#);
    }

    #[test]
    fn characters_are_escaped_as_the_specification_says() {
        assert_eq!(
            canonical(
                "<a xmlns='u\tv' b='&#9;&#10;&#13;&lt;>&quot;&apos;&amp;\t\n'>&#13;&lt;&gt;\"'&amp;\t\r\n<![CDATA[<&>]]></a>",
                true,
                &[]
            ),
            "<a xmlns=\"u v\" b=\"&#x9;&#xA;&#xD;&lt;>&quot;'&amp;  \">&#xD;&lt;&gt;\"'&amp;\t\n&lt;&amp;&gt;</a>"
        );
    }

    // libxml2 2.9 does not escape namespace names.
    #[test]
    fn namespace_names_are_escaped_like_attribute_values() {
        assert_eq!(
            canonical("<a xmlns='u:&amp;&lt;&quot;'/>", true, &[]),
            r#"<a xmlns="u:&amp;&lt;&quot;"></a>"#
        );
    }

    #[test]
    fn comments_are_kept_or_left_out() {
        let document = "<a>1<!-- x\r\ny -->2</a>";
        assert_eq!(canonical(document, true, &[]), "<a>1<!-- x\ny -->2</a>");
        assert_eq!(canonical(document, false, &[]), "<a>12</a>");
    }

    #[test]
    fn a_canonical_form_over_the_budget_is_given_up() {
        let document = Document::parse(b"<a xmlns:p='u'><p:b/><p:b/></a>").unwrap();
        let whole = exclusive_c14n(document.root(), true, &[]).len();
        let run = |mut budget| {
            canonicalize(
                document.root(),
                &Method::new(Form::Exclusive { inclusive: vec![] }, false),
                &mut budget,
                &mut Vec::new(),
            )
        };
        assert_eq!(run(whole), Ok(()));
        assert_eq!(run(whole - 1), Err(OverBudget));
    }
}
