//! A canonical form is a document, and its own canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsse::{
    Document, Element, Malformed, XmlError, exclusive_c14n, inclusive_c14n, inclusive_c14n11,
};

type Canonicalize = fn(Element<'_>, bool) -> Vec<u8>;

/// Escaping can make a canonical form longer than a document may be, and inherited namespaces can
/// give its root more attributes than an element may have.
fn document_again(canonical: &[u8]) -> Option<Document> {
    match Document::parse(canonical) {
        Ok(document) => Some(document),
        Err(XmlError::TooLarge { .. }) => None,
        Err(XmlError::Malformed {
            reason: Malformed::TooManyAttributes,
            ..
        }) => None,
        Err(error) => panic!("a canonical form is no document: {error}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::parse(bytes) else {
        return;
    };
    let methods: [Canonicalize; 4] = [
        |element, comments| exclusive_c14n(element, comments, &[]),
        |element, comments| exclusive_c14n(element, comments, &["#default", "a", "p"]),
        inclusive_c14n,
        inclusive_c14n11,
    ];
    for canonicalize in methods {
        for comments in [false, true] {
            let once = canonicalize(document.root(), comments);
            if let Some(again) = document_again(&once) {
                assert_eq!(canonicalize(again.root(), comments), once);
            }
        }
        // Of a part, what is around it matters.
        for child in document.root().children() {
            let once = canonicalize(child, true);
            if let Some(again) = document_again(&once) {
                assert_eq!(canonicalize(again.root(), true), once);
            }
        }
    }
});
