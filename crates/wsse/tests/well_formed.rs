//! Well-formed and malformed documents; `xmllint` must agree.

mod common;

use common::{has_tool, run, variant};
use wsse::{Document, Malformed, XmlError};

/// Documents that are not well-formed, or not by Namespaces in XML, and why.
const REFUSED: &[(&str, &[u8], Malformed)] = &[
    ("nothing", b"", Malformed::NoRoot),
    ("white space alone", b" \n", Malformed::NoRoot),
    ("a comment alone", b"<!-- x -->", Malformed::NoRoot),
    (
        "an XML declaration alone",
        b"<?xml version='1.0'?>",
        Malformed::NoRoot,
    ),
    ("a second root", b"<a/><b/>", Malformed::SecondRoot),
    (
        "a second root after an end tag",
        b"<a></a>\n<a>",
        Malformed::SecondRoot,
    ),
    ("text after the root", b"<a/>x", Malformed::TextOutsideRoot),
    ("text before the root", b"x<a/>", Malformed::TextOutsideRoot),
    (
        "a reference after the root",
        b"<a/>&#32;",
        Malformed::TextOutsideRoot,
    ),
    (
        "a CDATA section after the root",
        b"<a/><![CDATA[]]>",
        Malformed::TextOutsideRoot,
    ),
    (
        "a second byte order mark",
        b"\xEF\xBB\xBF\xEF\xBB\xBF<a/>",
        Malformed::TextOutsideRoot,
    ),
    ("a root that is not closed", b"<a>", Malformed::Unclosed),
    (
        "a child that is not closed",
        b"<a><b></a>",
        Malformed::MismatchedEndTag,
    ),
    ("an end tag alone", b"</a>", Malformed::MismatchedEndTag),
    (
        "an end tag too many",
        b"<a></a></a>",
        Malformed::MismatchedEndTag,
    ),
    (
        "an end tag in other case",
        b"<a></A>",
        Malformed::MismatchedEndTag,
    ),
    (
        "an end tag with a prefix",
        b"<a xmlns:p='urn:u'></p:a>",
        Malformed::MismatchedEndTag,
    ),
    (
        "an end tag with an attribute",
        b"<a></a b='c'>",
        Malformed::MismatchedEndTag,
    ),
    (
        "an end tag with a space in front",
        b"<a></ a>",
        Malformed::MismatchedEndTag,
    ),
    ("a tag that is not closed", b"<a", Malformed::BrokenMarkup),
    (
        "a tag that is not closed after a value",
        b"<a b='c",
        Malformed::BrokenMarkup,
    ),
    (
        "a less-than sign at the end",
        b"<a></a><",
        Malformed::BrokenMarkup,
    ),
    (
        "an unknown declaration",
        b"<a><!x></a>",
        Malformed::BrokenMarkup,
    ),
    (
        "CDATA in lower case",
        b"<a><![cdata[x]]></a>",
        Malformed::BrokenMarkup,
    ),
    (
        "CDATA that is not closed",
        b"<a><![CDATA[x]]</a>",
        Malformed::BrokenMarkup,
    ),
    (
        "an element prefix that is not declared",
        b"<p:a/>",
        Malformed::UndeclaredPrefix,
    ),
    (
        "an attribute prefix that is not declared",
        b"<a p:b=''/>",
        Malformed::UndeclaredPrefix,
    ),
    (
        "a prefix out of scope",
        b"<a><b xmlns:p='urn:u'/><p:c/></a>",
        Malformed::UndeclaredPrefix,
    ),
    (
        "the prefix xmlns on an element",
        b"<xmlns:a/>",
        Malformed::UndeclaredPrefix,
    ),
    (
        "an attribute twice",
        b"<a b='' b=''/>",
        Malformed::DuplicateAttribute,
    ),
    (
        "an attribute by two prefixes",
        b"<a xmlns:p='urn:u' xmlns:q='urn:u' p:b='' q:b=''/>",
        Malformed::DuplicateAttribute,
    ),
    (
        "a declaration twice",
        b"<a xmlns:p='urn:u' xmlns:p='urn:v'/>",
        Malformed::DuplicateDeclaration,
    ),
    (
        "the same declaration twice",
        b"<a xmlns='urn:u' xmlns='urn:u'/>",
        Malformed::DuplicateDeclaration,
    ),
    ("a name that starts with a digit", b"<1/>", Malformed::Name),
    ("an empty name", b"<a>< ></a>", Malformed::Name),
    ("a name after a space", b"< a/>", Malformed::Name),
    ("a name with a sign", b"<a$/>", Malformed::Name),
    (
        "a name with two colons",
        b"<a:b:c xmlns:a='urn:u'/>",
        Malformed::Name,
    ),
    ("a name that starts with a colon", b"<:a/>", Malformed::Name),
    (
        "a name that ends with a colon",
        b"<a: xmlns:a='urn:u'/>",
        Malformed::Name,
    ),
    (
        "a local name that starts with a digit",
        b"<p:1 xmlns:p='urn:u'/>",
        Malformed::Name,
    ),
    (
        "an attribute name that starts with a digit",
        b"<a 1=''/>",
        Malformed::Name,
    ),
    (
        "an attribute name with two colons",
        b"<a xmlns:p='urn:u' p:b:c=''/>",
        Malformed::Name,
    ),
    (
        "a declaration of an empty prefix",
        b"<a xmlns:=''/>",
        Malformed::Name,
    ),
    ("a slash in a tag", b"<a/ b=''></a>", Malformed::Name),
    ("a slash before a space", b"<a / >", Malformed::Attribute),
    (
        "an attribute without a value",
        b"<a b/>",
        Malformed::Attribute,
    ),
    (
        "an attribute without quotes",
        b"<a b=c/>",
        Malformed::Attribute,
    ),
    (
        "an attribute with nothing after the sign",
        b"<a b=/>",
        Malformed::Attribute,
    ),
    (
        "no space between attributes",
        b"<a b=''c=''/>",
        Malformed::Attribute,
    ),
    (
        "a prefix unbound",
        b"<a xmlns:p=''/>",
        Malformed::ReservedNamespace,
    ),
    (
        "the prefix xml bound to something",
        b"<a xmlns:xml='urn:u'/>",
        Malformed::ReservedNamespace,
    ),
    (
        "the prefix xmlns declared",
        b"<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>",
        Malformed::ReservedNamespace,
    ),
    (
        "another prefix for xml",
        b"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        Malformed::ReservedNamespace,
    ),
    (
        "the namespace of xml as default",
        b"<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        Malformed::ReservedNamespace,
    ),
    (
        "another prefix for xmlns",
        b"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        Malformed::ReservedNamespace,
    ),
    (
        "the namespace of xmlns as default",
        b"<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        Malformed::ReservedNamespace,
    ),
    ("a NUL", b"<a>\0</a>", Malformed::ForbiddenCharacter),
    (
        "a control character",
        b"<a>\x01</a>",
        Malformed::ForbiddenCharacter,
    ),
    (
        "a control character in an attribute",
        b"<a b='\x1F'/>",
        Malformed::ForbiddenCharacter,
    ),
    (
        "a control character in a comment",
        b"<a><!--\x0C--></a>",
        Malformed::ForbiddenCharacter,
    ),
    (
        "U+FFFE",
        b"<a>\xEF\xBF\xBE</a>",
        Malformed::ForbiddenCharacter,
    ),
    (
        "U+FFFF in CDATA",
        b"<a><![CDATA[\xEF\xBF\xBF]]></a>",
        Malformed::ForbiddenCharacter,
    ),
    ("a reference to NUL", b"<a>&#0;</a>", Malformed::Reference),
    (
        "a reference to a control character",
        b"<a>&#1;</a>",
        Malformed::Reference,
    ),
    (
        "a reference to a control character in an attribute",
        b"<a b='&#x1F;'/>",
        Malformed::Reference,
    ),
    (
        "a reference to U+FFFE",
        b"<a>&#xFFFE;</a>",
        Malformed::Reference,
    ),
    (
        "a reference to a surrogate",
        b"<a>&#xD800;</a>",
        Malformed::Reference,
    ),
    (
        "references to a pair of surrogates",
        b"<a>&#xD83D;&#xDE00;</a>",
        Malformed::Reference,
    ),
    (
        "a reference beyond Unicode",
        b"<a>&#x110000;</a>",
        Malformed::Reference,
    ),
    (
        "a reference beyond 32 bits",
        b"<a>&#4294967361;</a>",
        Malformed::Reference,
    ),
    (
        "a reference without digits",
        b"<a>&#;</a>",
        Malformed::Reference,
    ),
    (
        "a reference without hexadecimal digits",
        b"<a>&#x;</a>",
        Malformed::Reference,
    ),
    (
        "a reference with a capital X",
        b"<a>&#X41;</a>",
        Malformed::Reference,
    ),
    (
        "a reference with a sign",
        b"<a>&#+65;</a>",
        Malformed::Reference,
    ),
    (
        "a reference with a hexadecimal digit",
        b"<a>&#4A;</a>",
        Malformed::Reference,
    ),
    (
        "a reference with a space",
        b"<a>&#65 ;</a>",
        Malformed::Reference,
    ),
    ("an ampersand alone", b"<a>a & b</a>", Malformed::Reference),
    (
        "an ampersand before an ampersand",
        b"<a>&&amp;</a>",
        Malformed::Reference,
    ),
    ("an ampersand at the end", b"<a>&amp", Malformed::Reference),
    (
        "an ampersand alone in an attribute",
        b"<a b='&'/>",
        Malformed::Reference,
    ),
    (
        "an unknown entity",
        b"<a>&nbsp;</a>",
        Malformed::UnknownEntity,
    ),
    ("an empty reference", b"<a>&;</a>", Malformed::UnknownEntity),
    (
        "an unknown entity in an attribute",
        b"<a b='&nbsp;'/>",
        Malformed::UnknownEntity,
    ),
    (
        "an entity in other case",
        b"<a>&LT;</a>",
        Malformed::UnknownEntity,
    ),
    (
        "the end of a CDATA section in text",
        b"<a>]]></a>",
        Malformed::CdataEndInText,
    ),
    (
        "a less-than sign in an attribute",
        b"<a b='<'/>",
        Malformed::LessThanInAttribute,
    ),
    (
        "a double hyphen in a comment",
        b"<a><!-- -- --></a>",
        Malformed::DoubleHyphen,
    ),
    (
        "a comment that ends with three hyphens",
        b"<a><!-- ---></a>",
        Malformed::DoubleHyphen,
    ),
    (
        "a double hyphen in a comment before the root",
        b"<!-- -- --><a/>",
        Malformed::DoubleHyphen,
    ),
    (
        "a comment too short",
        b"<a><!--></a>",
        Malformed::BrokenMarkup,
    ),
    (
        "a comment too short with hyphen",
        b"<a><!---></a>",
        Malformed::BrokenMarkup,
    ),
    (
        "an XML declaration after white space",
        b" <?xml version='1.0'?><a/>",
        Malformed::Declaration,
    ),
    (
        "an XML declaration in the document",
        b"<a><?xml version='1.0'?></a>",
        Malformed::Declaration,
    ),
    (
        "an XML declaration after a comment",
        b"<!-- --><?xml version='1.0'?><a/>",
        Malformed::Declaration,
    ),
    (
        "an XML declaration twice",
        b"<?xml version='1.0'?><?xml version='1.0'?><a/>",
        Malformed::Declaration,
    ),
    (
        "an XML declaration without a version",
        b"<?xml encoding='UTF-8'?><a/>",
        Malformed::Declaration,
    ),
    (
        "an XML declaration without anything",
        b"<?xml?><a/>",
        Malformed::Declaration,
    ),
    (
        "an XML declaration in other case",
        b"<?xMl version='1.0'?><a/>",
        Malformed::ProcessingInstruction,
    ),
    (
        "an XML declaration with something else",
        b"<?xml version='1.0' x='y'?><a/>",
        Malformed::Declaration,
    ),
    (
        "a DTD in lower case",
        b"<!doctype a><a/>",
        Malformed::DocumentType,
    ),
];

/// Documents that XML allows and this crate does not read.
const NOT_READ: &[(&str, &[u8], Malformed)] = &[
    ("a DTD", b"<!DOCTYPE a><a/>", Malformed::DocumentType),
    (
        "a DTD with an entity",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        Malformed::DocumentType,
    ),
    (
        "a DTD with a file",
        b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]><a>&b;</a>",
        Malformed::DocumentType,
    ),
    (
        "a processing instruction",
        b"<a><?b c?></a>",
        Malformed::ProcessingInstruction,
    ),
    (
        "a processing instruction before the root",
        b"<?b?><a/>",
        Malformed::ProcessingInstruction,
    ),
    ("XML 1.1", b"<?xml version='1.1'?><a/>", Malformed::Version),
    (
        "another encoding",
        b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        Malformed::Encoding,
    ),
];

const ACCEPTED: &[(&str, &[u8])] = &[
    ("an empty element", b"<a/>"),
    ("white space in tags", b"<a\r\n\t ></a \n>"),
    ("a byte order mark", b"\xEF\xBB\xBF<a/>"),
    (
        "a byte order mark and a declaration",
        b"\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"Utf-8\" standalone=\"no\" ?>\n<a/>",
    ),
    ("comments around the root", b"<!-- a --><a/><!-- b -->\n"),
    ("both quotes", b"<a b='\"' c=\"'\" d='>'/>"),
    ("a less-than sign by reference", b"<a b='&lt;&#60;&#x3C;'/>"),
    ("leading zeros in a reference", b"<a>&#00000000000065;</a>"),
    ("brackets in text", b"<a>]] ]>]&gt;]]</a>"),
    ("brackets in an attribute", b"<a b=']]>'/>"),
    (
        "markup in CDATA and comments",
        b"<a><![CDATA[<b></a>&]]]><!--<a>&--></a>",
    ),
    (
        "a question mark and an exclamation mark in text",
        b"<a>?!</a>",
    ),
    (
        "the prefix xml, not declared",
        b"<a xml:lang='ro' xml:space='preserve'/>",
    ),
    (
        "the prefix xml, declared",
        b"<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
    ),
    (
        "a prefix that begins with xml",
        b"<a xmlns:xmlx='urn:u' xmlx:b=''/>",
    ),
    (
        "a prefix used before its declaration in the tag",
        b"<p:a p:b='' xmlns:p='urn:u'/>",
    ),
    (
        "the same local name in two namespaces",
        b"<a b='' p:b='' xmlns:p='urn:u'/>",
    ),
    (
        "an attribute of the default namespace's prefix",
        b"<a xmlns='urn:u' xmlns:p='urn:u' b='' p:b=''/>",
    ),
    (
        "the default namespace unbound",
        b"<a xmlns='urn:u'><b xmlns=''/></a>",
    ),
    ("DEL and C1 controls", b"<a>\x7F\xC2\x85</a>"),
    (
        "a character outside the BMP",
        b"<a>\xF0\x9F\x98\x80&#x1F600;</a>",
    ),
    ("names outside ASCII", "<ă ș='ț'/>".as_bytes()),
];

fn reason(document: &[u8]) -> Option<Malformed> {
    match Document::parse(document) {
        Ok(_) => None,
        Err(XmlError::Malformed { reason, .. }) => Some(reason),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_is_not_well_formed_is_refused_for_its_reason() {
    let wrong: Vec<String> = REFUSED
        .iter()
        .chain(NOT_READ)
        .filter(|(_, document, expected)| reason(document) != Some(*expected))
        .map(|(name, document, expected)| {
            format!("{name}: {:?}, not {expected:?}", reason(document))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_well_formed_is_accepted() {
    for (name, document) in ACCEPTED {
        assert_eq!(reason(document), None, "{name}");
    }
}

#[test]
fn xmllint_agrees() {
    if !has_tool("xmllint") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    // It reports what only Namespaces in XML forbids without failing.
    let accepts = |document: &[u8]| {
        let file = common::write(folder.path(), "document.xml", document);
        let output = run("xmllint", &["--nonet", "--noout", &file]);
        output.status.success() && output.stderr.is_empty()
    };
    for (name, document, _) in REFUSED {
        assert!(!accepts(document), "{name}");
    }
    for (name, document) in ACCEPTED {
        assert!(accepts(document), "{name}");
    }
}

#[test]
fn errors_tell_the_place() {
    let position = |document: &str| match Document::parse(document.as_bytes()) {
        Err(XmlError::Malformed { position, .. }) => position,
        other => panic!("{other:?}"),
    };
    assert_eq!(position("<a>é<p:b/></a>"), 5);
    assert_eq!(position("\u{FEFF}<a><p:b/></a>"), 6);
    assert_eq!(position("<a>\u{1}</a>"), 3);
    assert_eq!(position("<a><b></c></a>"), 6);
    assert_eq!(
        Document::parse(b"<a>\xC3\x28</a>").err(),
        Some(XmlError::NotUtf8 { position: 3 })
    );
}

#[test]
fn documents_end_at_the_limits() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let attributes = |count: usize| {
        let attributes: String = (0..count).map(|n| format!(" a{n}=''")).collect();
        format!("<a{attributes}/>")
    };
    let prefixes = |count: usize| {
        let children: String = (0..count).map(|n| format!("<a xmlns:p{n}='u'/>")).collect();
        format!("<a>{children}</a>")
    };
    let elements = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count - 1));
    let many_attributes = |elements: usize| {
        let element = format!("<b{}/>", " a=''").replace(
            " a=''",
            &(0..128)
                .map(|n| format!(" {}{}=''", (b'a' + n / 26) as char, (b'a' + n % 26) as char))
                .collect::<String>(),
        );
        format!("<a>{}</a>", element.repeat(elements))
    };
    let namespace = |bytes: usize| format!("<a xmlns='{}'/>", "u".repeat(bytes));
    for (at_limit, over, error) in [
        (nested(100), nested(101), "TooDeep"),
        (attributes(256), attributes(257), "TooManyAttributes"),
        // `xml` and the default prefix are two of them.
        (prefixes(1022), prefixes(1023), "TooManyPrefixes"),
        (elements(131_072), elements(131_073), "TooManyNodes"),
        (
            many_attributes(512),
            many_attributes(513),
            "TooManyAttributes",
        ),
        (namespace(1024), namespace(1025), "NamespaceTooLong"),
    ] {
        assert_eq!(reason(at_limit.as_bytes()), None, "{error}");
        assert_eq!(
            reason(over.as_bytes()).map(|r| variant(&r)).as_deref(),
            Some(error)
        );
    }
    let text = |bytes: usize| format!("<a>{}</a>", "x".repeat(bytes - 7));
    assert_eq!(reason(text(1 << 20).as_bytes()), None);
    assert_eq!(
        Document::parse(text((1 << 20) + 1).as_bytes()).err(),
        Some(XmlError::TooLarge { limit: 1 << 20 })
    );
}

#[test]
fn text_is_read_whole_or_not_at_all() {
    let text = |document: &str| {
        let document = Document::parse(document.as_bytes()).expect("a document");
        document.root().text().map(|text| text.into_owned())
    };
    for document in [
        "<a>AB</a>",
        "<a>A<!-- -->B</a>",
        "<a>A<![CDATA[B]]></a>",
        "<a><![CDATA[A]]>&#66;</a>",
        "<a>A<!----><!---->B<!----></a>",
    ] {
        assert_eq!(text(document).as_deref(), Some("AB"), "{document}");
    }
    assert_eq!(text("<a/>").as_deref(), Some(""));
    assert_eq!(text("<a><!-- x --></a>").as_deref(), Some(""));
    assert_eq!(text("<a>A<b/></a>"), None);
}

#[test]
fn elements_tell_names_attributes_children_and_mixed_content() {
    let document =
        Document::parse(b"<p:a xmlns:p='urn:p' x='1' p:x='2'> <b/>\n<p:c>t</p:c><!-- --></p:a>")
            .expect("a document");
    let root = document.root();
    assert_eq!((root.namespace(), root.local_name()), ("urn:p", "a"));
    assert!(root.is("urn:p", "a") && !root.is("", "a"));
    assert_eq!(root.attribute("", "x"), Some("1"));
    assert_eq!(root.attribute("urn:p", "x"), Some("2"));
    assert_eq!(root.attribute("urn:q", "x"), None);
    let names: Vec<&str> = root.children().map(|child| child.local_name()).collect();
    assert_eq!(names, ["b", "c"]);
    assert!(!root.has_mixed_content());
    let mixed = Document::parse(b"<a><b/>x</a>").expect("a document");
    assert!(mixed.root().has_mixed_content());
    let text = Document::parse(b"<a>x</a>").expect("a document");
    assert!(!text.root().has_mixed_content());
    assert_eq!(format!("{root:?}"), "Element({urn:p}a)");
}
