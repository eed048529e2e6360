//! Canonical forms against those of libxml2, byte for byte.

mod common;

use std::fmt::Write;
use std::path::Path;

use common::{has_tool, path, run};
use proptest::prelude::*;
use wsse::{Document, Element, exclusive_c14n, inclusive_c14n, inclusive_c14n11};

fn ours(document: &[u8], comments: bool) -> Vec<u8> {
    let document = Document::parse(document).expect("a well-formed document");
    exclusive_c14n(document.root(), comments, &[])
}

type Canonicalize = fn(Element<'_>, bool) -> Vec<u8>;

/// The methods: the option of `xmllint`, and our function.
const METHODS: [(&str, Canonicalize); 3] = [
    ("--exc-c14n", |element, comments| {
        exclusive_c14n(element, comments, &[])
    }),
    ("--c14n", inclusive_c14n),
    ("--c14n11", inclusive_c14n11),
];

fn theirs(method: &str, path: &str) -> Vec<u8> {
    let output = run("xmllint", &["--nonet", method, path]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn corpus() -> Vec<String> {
    let files = std::fs::read_dir(path("c14n")).expect("the corpus");
    let mut names: Vec<String> = files
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter_map(|name| name.strip_suffix(".xml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 15);
    names
}

#[test]
fn the_corpus_has_the_canonical_forms_that_are_kept_with_it() {
    for name in corpus() {
        let document = std::fs::read(path(&format!("c14n/{name}.xml"))).expect("a document");
        let canonical = std::fs::read(path(&format!("c14n/{name}.c14n"))).expect("its form");
        assert_eq!(
            String::from_utf8(ours(&document, true)),
            String::from_utf8(canonical),
            "{name}"
        );
    }
}

#[test]
fn the_canonical_forms_of_the_corpus_are_those_of_xmllint() {
    if !has_tool("xmllint") {
        return;
    }
    for name in corpus() {
        let canonical = std::fs::read(path(&format!("c14n/{name}.c14n"))).expect("its form");
        assert_eq!(
            theirs("--exc-c14n", &path(&format!("c14n/{name}.xml"))),
            canonical,
            "{name}"
        );
        let bytes = std::fs::read(path(&format!("c14n/{name}.xml"))).expect("a document");
        let document = Document::parse(&bytes).expect("a well-formed document");
        for (method, ours) in METHODS {
            assert_eq!(
                String::from_utf8(ours(document.root(), true)),
                String::from_utf8(theirs(method, &path(&format!("c14n/{name}.xml")))),
                "{name} {method}"
            );
        }
    }
}

/// A document as random as it can be while it is well-formed.
#[derive(Clone, Debug)]
enum Node {
    Element {
        prefix: Option<usize>,
        name: &'static str,
        declarations: Vec<(Option<usize>, usize)>,
        attributes: Vec<(Option<usize>, &'static str, Vec<&'static str>)>,
        children: Vec<Node>,
    },
    Text(Vec<&'static str>),
    Cdata(Vec<&'static str>),
    Comment(Vec<&'static str>),
}

const PREFIXES: [&str; 4] = ["p", "q", "a-b", "ș"];
const NAMES: [&str; 5] = ["a", "b", "B", "a.b", "_"];
/// None has `&`: libxml2 2.9 writes it bare in the canonical form, against Canonical XML 1.0,
/// section 2.3, and what it writes is not XML.
const NAMESPACES: [&str; 5] = [
    "",
    "urn:1",
    "urn:2",
    "http://x/?a=1;b=2",
    "http://x/&#x61;'#f",
];
const TEXTS: [&str; 18] = [
    "x",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "&#13;",
    "&#xA;",
    "&#9;",
    "&lt;",
    "&gt;",
    "&amp;",
    "&quot;",
    "&apos;",
    "'",
    "é",
    "\u{1F600}",
    ">",
];
const RAW: [&str; 9] = ["x", " ", "\r\n", "\r", "&", "<", "&amp;", "é", "\""];

fn node() -> impl Strategy<Value = Node> {
    let texts = || prop::collection::vec(prop::sample::select(&TEXTS[..]), 0..6);
    let raw = || prop::collection::vec(prop::sample::select(&RAW[..]), 0..5);
    let leaf = prop_oneof![
        texts().prop_map(Node::Text),
        raw().prop_map(Node::Cdata),
        raw().prop_map(Node::Comment),
    ];
    leaf.prop_recursive(5, 40, 6, move |child| {
        (
            prop::option::of(0..PREFIXES.len()),
            prop::sample::select(&NAMES[..]),
            prop::collection::vec(
                (prop::option::of(0..PREFIXES.len()), 0..NAMESPACES.len()),
                0..3,
            ),
            prop::collection::vec(
                (
                    prop::option::of(0..PREFIXES.len()),
                    prop::sample::select(&NAMES[..]),
                    texts(),
                ),
                0..4,
            ),
            prop::collection::vec(child, 0..6),
        )
            .prop_map(
                |(prefix, name, declarations, attributes, children)| Node::Element {
                    prefix,
                    name,
                    declarations,
                    attributes,
                    children,
                },
            )
    })
}

/// Writes a node; what would not be well-formed in this place is left out. `scope` has the
/// namespace of every prefix.
fn write(node: &Node, scope: &[usize; 4], comments: bool, xml: &mut String) {
    match node {
        Node::Text(texts) => xml.push_str(&texts.concat()),
        Node::Cdata(raw) => write!(xml, "<![CDATA[{}]]>", raw.concat()).expect("a string"),
        Node::Comment(raw) if comments => {
            write!(xml, "<!--{}-->", raw.concat()).expect("a string");
        }
        // Keeps line ends on its two sides apart, as the comment did.
        Node::Comment(_) => xml.push_str("<![CDATA[]]>"),
        Node::Element {
            prefix,
            name,
            declarations,
            attributes,
            children,
        } => {
            let mut scope = *scope;
            let mut tag = String::new();
            let mut declared = Vec::new();
            for &(prefix, namespace) in declarations {
                if declared.contains(&prefix) || (prefix.is_some() && namespace == 0) {
                    continue;
                }
                declared.push(prefix);
                match prefix {
                    Some(prefix) => {
                        scope[prefix] = namespace;
                        write!(tag, " xmlns:{}=", PREFIXES[prefix]).expect("a string");
                    }
                    None => tag.push_str(" xmlns="),
                }
                write!(tag, "\"{}\"", NAMESPACES[namespace]).expect("a string");
            }
            let bound = |prefix: Option<usize>| prefix.filter(|&prefix| scope[prefix] != 0);
            let mut seen = Vec::new();
            for (prefix, name, texts) in attributes {
                let prefix = bound(*prefix);
                let expanded = (prefix.map_or(0, |prefix| scope[prefix]), *name);
                if seen.contains(&expanded) {
                    continue;
                }
                seen.push(expanded);
                let colon = prefix.map_or(String::new(), |prefix| format!("{}:", PREFIXES[prefix]));
                write!(tag, "\n{colon}{name} = \"{}\"", texts.concat()).expect("a string");
            }
            let colon =
                bound(*prefix).map_or(String::new(), |prefix| format!("{}:", PREFIXES[prefix]));
            if children.is_empty() {
                write!(xml, "<{colon}{name}{tag}/>").expect("a string");
                return;
            }
            write!(xml, "<{colon}{name}{tag} >").expect("a string");
            for child in children {
                write(child, &scope, comments, xml);
            }
            write!(xml, "</{colon}{name}\n>").expect("a string");
        }
    }
}

fn document(children: &[Node], comments: bool) -> String {
    let mut xml = "<root xmlns:p='urn:1' xmlns:q='urn:0'>".to_owned();
    for child in children {
        // `urn:0` is none of the generator's; binding `q` to it matters only at the root.
        write(child, &[1, 0, 0, 0], comments, &mut xml);
    }
    xml.push_str("</root>");
    xml
}

fn children() -> impl Strategy<Value = Vec<Node>> {
    prop::collection::vec(node(), 1..6)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn random_documents_have_the_canonical_form_of_xmllint() {
    if !has_tool("xmllint") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let compare = |folder: &Path, children: Vec<Node>| {
        let document = document(&children, true);
        let file = common::write(folder, "document.xml", document.as_bytes());
        let parsed = Document::parse(document.as_bytes()).expect("a well-formed document");
        for (method, ours) in METHODS {
            prop_assert_eq!(
                String::from_utf8(ours(parsed.root(), true)),
                String::from_utf8(theirs(method, &file)),
                "{} {}",
                method,
                document
            );
        }
        Ok(())
    };
    proptest!(config(200), |(children in children())| compare(folder.path(), children)?);
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn leaving_out_comments_is_canonicalizing_a_document_without_them(children in children()) {
        let with = document(&children, true);
        let without = document(&children, false);
        prop_assert_eq!(
            String::from_utf8(ours(with.as_bytes(), false)),
            String::from_utf8(ours(without.as_bytes(), true))
        );
    }

    #[test]
    fn a_canonical_form_is_its_own_canonical_form(children in children()) {
        let once = ours(document(&children, true).as_bytes(), true);
        prop_assert_eq!(String::from_utf8(ours(&once, true)), String::from_utf8(once));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::parse(&bytes);
    }

    #[test]
    fn no_markup_makes_the_parser_panic(
        tokens in prop::collection::vec(prop::sample::select(&[
            "<", ">", "</", "/>", "<a>", "</a>", "<a ", "b=", "\"", "'", "<!--", "-->", "--", "-",
            "<![CDATA[", "]]>", "<?", "?>", "<?xml ", "version='1.0'", "<!DOCTYPE ", "[", "]",
            "&", ";", "&#", "&#x", "xmlns", ":", "=", "xml", " ", "\r", "\n", "é", "a", "\u{FEFF}",
        ][..]), 0..24),
    ) {
        let document = tokens.concat();
        if let Ok(parsed) = Document::parse(document.as_bytes()) {
            let once = exclusive_c14n(parsed.root(), true, &[]);
            prop_assert_eq!(&ours(&once, true), &once);
        }
    }
}
